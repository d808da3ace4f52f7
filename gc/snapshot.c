/* snapshot.c - states of the whole heap that can be gone back to: an undo log of pages.
 *
 * A snapshot costs next to nothing when it is taken: all pages are marked frozen. The first store
 * to a frozen page (the barrier sees its byte in page_state) copies the page into the log of the
 * head, the delta between the newest snapshot and now. Going back copies the logged pages back. No
 * system call, no page fault, and nothing is done for pages that nobody changes.
 *
 * Snapshots are the nodes of a tree, since one can go back to an older one and on from there:
 *
 *     A --- B --- C --- head        `now` is behind C: the path is A, B, C
 *            \
 *             D                     after restore(B), D was taken there, then restore(C)
 *
 * Each node owns the edge from its parent: the pages in which the two differ. Of each page one copy
 * is kept, the one that is not in the heap now: on the path the parent's content (undo), off it the
 * node's (redo). Going from C to D swaps the pages of C's edge with their copies, then those of
 * D's. Edges list two kinds of pages, each page at most once:
 *     logged   in use, or free but needed, at the parent: has a copy
 *     fresh    free at the parent, its content needed by nobody: off the path it has a copy if the
 *              node uses it, on the path none
 *
 * States of a page (page_state; PAGE_OLD is independent of these):
 *     OPEN     0               in use and in the head's delta: stores go on unseen
 *     FROZEN   FROZEN          some node on the path needs the content; in use or free
 *     OPENFREE FREE            free, and in the head's delta
 *     UNUSED   FREE|FROZEN     free, and its content needed by nobody
 * A page is in the head's delta exactly if FROZEN is clear. A page freed while frozen stays frozen:
 * an ancestor may have its only copy there, even if the newest snapshot has it free.
 *
 * When the last snapshot is released, the pages stay as they are, at rest: the first store to a
 * frozen one finds that nobody needs it, and notes that it is open. So neither the release nor the
 * next snapshot has to go over the whole heap.
 *
 * Two parts of the cage are written to all the time, without a barrier: struct Heap and the
 * embedder's root area. They are small, never frozen, and copied whole into each node.
 *
 * What the collector keeps outside of the cage (marks, remembered pages, an unfinished sweep) is
 * not part of a state. Going back drops it, and the next collection is a full one.
 *
 * Where memory for the log is refused in the middle of a store, the store must go on: all snapshots
 * are given up ("lost") then, and restoring one says so. A reserve makes that rare: allocations and
 * snapshots fail first.
 *
 * Objects with a finalizer that the newest snapshot on the path has cannot be finalized while it
 * lives: they count as reachable. Those made later are finalized when a rollback undoes them.
 *
 * The cost of a rolled back page is two copies of 4 KiB, whatever the heap's size; the tree is
 * pruned so that unneeded inner nodes are at most as many as the live leaves. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "collect.h"
#include "final.h"
#include "fork.h"
#include "log.h"
#include "page.h"
#include "plant.h"
#include "purge.h"
#include "share.h"
#include "slab.h"
#include "sweep.h"

enum {
  OPENED_MOST = 4096, /* at rest; where there are more, the next snapshot goes over all pages */
  PASS_SHARE = 128,   /* of all pages; from so many changed ones on, a pass over all is quicker */
};

/* A page of an edge or of the head, and where its copy is. */
typedef struct Entry { uint32_t page, buf; } Entry;
typedef struct Entries { Entry *at; uint32_t n, cap; } Entries;
enum { MOST_GIVEN = 1 << 14 };
/* freed: by page of the alloc bitmap, a bitmap of the blocks freed.
 * given: pages given back unchanged: going back, or forth, changes whether they are in use, and
 * nothing else. given_more: they are not all listed, being too many. */
typedef struct Delta {
  Entries logged, fresh, freed, given;
  bool given_more;
} Delta;

typedef struct Node {
  GcSnapshot id;
  uint64_t word; /* the embedder's */
  struct Node *parent, *first_kid, *next; /* next: of its siblings */
  uint32_t kids;
  struct Node *down; /* on the way from an ancestor, while going there */
  bool live, onpath;
  bool again; /* was gone back to before, and may be once more */
  Delta edge;
  uint64_t saved[]; /* struct Heap, then the root area */
} Node;

typedef struct Snapshots {
  Node *root, *current; /* NULL: no snapshot, nothing is frozen */
  Delta head;
  Node **nodes;         /* by the low half of the id */
  uint32_t nnodes, nodes_cap, serial;
  PageLog log;          /* copies of pages */
  uint64_t live, taken, restored, logged;
  uint32_t *link;       /* by page, zero between uses: an index + 1 into a list */
  uint64_t link_pages;
  Entries past_pages;   /* pages that differ there, buf: their content, LOG_NO_PAGE: free */
  uint32_t *freed_at;   /* by page of the alloc bitmap: an index + 1 into head.freed */
  uint32_t *past_at;    /* the same for past_freed, zero between uses */
  Entries past_freed;   /* what was freed on the way there: buf is an index into */
  uint64_t (*past_maps)[GC_PAGE / 8]; /* bitmaps: not of the log, which may be full */
  uint32_t past_maps_cap;
  Node *past;           /* the state that is looked at */
  bool rested;          /* there is no node, but what is not in `opened` is still frozen */
  bool overflow;        /* more was opened than is in the list */
  Entries opened;
  uint32_t lost;        /* the last serial number that was given up */
} Snapshots;

static uint8_t *page_at(Gc *gc, uint64_t page) { return gc->base + page * GC_PAGE; }

bool gc_snapshot_trim(Gc *gc) {
  Snapshots *s = gc->snapshots;
  return s && log_trim(gc, &s->log, s->current ? LOG_RESERVE : 0);
}

bool gc_snapshot_is_short(const Gc *gc) {
  const Snapshots *s = gc->snapshots;
  return s && s->current && s->log.nspare < LOG_RESERVE;
}

/* ---- lists of pages -------------------------------------------------------------------------- */

static bool entries_room(Entries *e, uint64_t more) {
  if (e->cap - e->n >= more) return true;
  uint64_t cap = e->cap ? e->cap : 32;
  while (cap < e->n + more) cap *= 2;
  Entry *at = cap > UINT32_MAX ? NULL : realloc(e->at, cap * sizeof *at);
  if (!at) return false;
  e->at = at;
  e->cap = (uint32_t)cap;
  return true;
}

/* Looks up pages of a list: link[page] is 1 + the index. */
static void index_entries(Snapshots *s, const Entries *e) {
  for (uint32_t i = 0; i < e->n; i++) s->link[e->at[i].page] = i + 1;
}
static void unindex_entries(Snapshots *s, const Entries *e) {
  for (uint32_t i = 0; i < e->n; i++) s->link[e->at[i].page] = 0;
}

static void entries_add(Entries *e, uint64_t page, uint32_t buf) {
  e->at[e->n++] = (Entry){(uint32_t)page, buf};
}

static void drop_entries(Snapshots *s, Entries *e) {
  for (uint32_t i = 0; i < e->n; i++) log_put(&s->log, e->at[i].buf);
  free(e->at);
  *e = (Entries){0};
}

static void drop_delta(Snapshots *s, Delta *d) {
  drop_entries(s, &d->logged);
  drop_entries(s, &d->fresh);
  drop_entries(s, &d->freed);
  drop_entries(s, &d->given);
  d->given_more = false;
}

static void drop_head(Snapshots *s) {
  for (uint32_t i = 0; i < s->head.freed.n; i++) s->freed_at[s->head.freed.at[i].page] = 0;
  drop_delta(s, &s->head);
}

/* ---- states of pages ------------------------------------------------------------------------- */

/* The metadata that stays open lies in front of the buddy tree. */
enum { FIRST_FROZEN = GC_ROOT_END / GC_PAGE };

static uint64_t end_page(Gc *gc) {
  return gc->top_page > gc->heap->first_page ? gc->top_page : gc->heap->first_page;
}

static void guard_range(Gc *gc, uint64_t page, uint64_t count, bool write) {
  os_protect(page_at(gc, page), count * GC_PAGE, write);
}

/* For tests: pages that the barrier must be asked about cannot be written to. */
static void guard_on(Gc *gc) {
  if (!gc->config.guard) return;
  uint64_t end = end_page(gc);
  for (uint64_t page = FIRST_FROZEN, next; page < end; page = next) {
    bool frozen = gc->states[page] & PAGE_FROZEN;
    for (next = page + 1; next < end && !(gc->states[next] & PAGE_FROZEN) == !frozen;) next++;
    guard_range(gc, page, next - page, !frozen);
  }
}

static void guard_off(Gc *gc) {
  if (gc->config.guard)
    guard_range(gc, FIRST_FROZEN, end_page(gc) - FIRST_FROZEN, true);
}

/* Pages of units that are not committed are beyond the reach of a pass: bytes of theirs that are
 * set are harmless, and commitment overwrites them. */
static void freeze_all(Gc *gc) {
  uint8_t *state = gc->states;
  uint64_t unit = gc->heap->first_page / UNIT_PAGES, end = gc->heap->cage_pages / UNIT_PAGES;
  for (uint64_t page = FIRST_FROZEN; page < gc->heap->first_page; page++)
    state[page] |= PAGE_FROZEN;
  for (; (unit = bits_next(gc->committed, unit, end)) < end; unit++)
    for (unsigned i = 0; i < UNIT_PAGES; i++) state[unit * UNIT_PAGES + i] |= PAGE_FROZEN;
}

/* What is free is told by the buddy allocator, since frozen pages do not say. */
static void thaw_page(Gc *gc, uint64_t page) {
  gc->states[page] &= (uint8_t)~PAGE_FROZEN;
  if (page >= gc->heap->first_page && !buddy_run(gc->buddy, (uint32_t)page).used)
    gc->states[page] |= PAGE_FREE;
}

static void thaw_unit(Gc *gc, uint64_t unit) {
  uint64_t page = unit * UNIT_PAGES, end = page + UNIT_PAGES;
  while (page < end) {
    BuddyRun run = buddy_run(gc->buddy, (uint32_t)page);
    for (uint64_t stop = page + run.units; page < end && page < stop; page++) {
      gc->states[page] &= (uint8_t)~PAGE_FROZEN;
      if (!run.used) gc->states[page] |= PAGE_FREE;
    }
  }
}

static void thaw_all(Gc *gc) {
  Heap *h = gc->heap;
  guard_off(gc);
  for (uint64_t page = 0; page < h->first_page; page++) gc->states[page] &= (uint8_t)~PAGE_FROZEN;
  uint64_t unit = h->first_page / UNIT_PAGES, end = h->cage_pages / UNIT_PAGES;
  while ((unit = bits_next(gc->committed, unit, end)) < end) thaw_unit(gc, unit++);
}

bool gc_has_snapshots(const Gc *gc) { return gc->snapshots && gc->snapshots->current; }

uint8_t snapshot_free_state(const Gc *gc) {
  bool frozen = gc_has_snapshots(gc) || (gc->snapshots && gc->snapshots->rested);
  return frozen ? PAGE_FREE | PAGE_FROZEN : PAGE_FREE;
}

uint32_t snapshot_last_serial(const Gc *gc) {
  return gc->snapshots ? gc->snapshots->serial : gc->first_serial;
}

/* So that numbers of another heap, of the same process or an earlier one, are not taken for its
 * own. */
uint32_t snapshot_serial_after(Gc *gc, uint32_t last) {
  uint64_t x = (uint64_t)(uintptr_t)gc->base ^ os_now_ns() * 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 31) * 0xBF58476D1CE4E5B9u;
  uint32_t far = (uint32_t)(x >> 33);
  return last ? last + (far >> 8) : far >> 1;
}

uint64_t snapshot_bytes(const Gc *gc) {
  return gc->snapshots ? gc->snapshots->log.npages * (uint64_t)GC_PAGE : 0;
}

/* ---- the barrier's side ---------------------------------------------------------------------- */

static void give_up(Gc *gc);

/* At rest a page was opened. */
static void note_opened(Snapshots *s, uint64_t page) {
  if (PLANTED(REST_FORGETS) && s->opened.n == 1) return;
  if (s->opened.n < OPENED_MOST && !s->overflow && entries_room(&s->opened, 1))
    entries_add(&s->opened, page, LOG_NO_PAGE);
  else s->overflow = true;
}

/* Said three times, since who hears it may go on. */
static void warn_short(Gc *gc) {
  uint32_t left = gc->snapshots->log.nspare, quarter = LOG_RESERVE / 4;
  bool warn = left == 3 * quarter || left == 2 * quarter || left == quarter;
  if (warn && gc->config.log_short) gc->config.log_short(gc, gc->config.embedder);
}

void snapshot_log(Gc *gc, uint64_t page) {
  Snapshots *s = gc->snapshots;
  if (!s->current) {
    note_opened(s, page);
    gc->states[page] &= (uint8_t)~PAGE_FROZEN;
    return;
  }
  if (PLANTED(STORE_LOGGED_LATE) && s->head.logged.n) {
    Entry before = s->head.logged.at[s->head.logged.n - 1];
    memcpy(log_page(&s->log, before.buf), page_at(gc, before.page), GC_PAGE);
  }
  if (s->log.nspare < LOG_RESERVE) log_grow(gc, &s->log); /* it is no failure yet */
  if (s->log.nspare == 0 || !entries_room(&s->head.logged, 1)) {
    give_up(gc);
    return;
  }
  uint32_t buf = log_pop(&s->log);
  warn_short(gc);
  memcpy(log_page(&s->log, buf), page_at(gc, page), GC_PAGE);
  entries_add(&s->head.logged, page, buf);
  s->logged++;
  gc->states[page] &= (uint8_t)~PAGE_FROZEN;
  if (gc->config.guard) guard_range(gc, page, 1, true);
}

static void take_page(Gc *gc, uint64_t page) {
  uint8_t *state = gc->states + page;
  if (PLANTED(FORK_MISSES_TAKEN)) *state &= (uint8_t)~PAGE_TRACK;
  fork_note_page(gc, page);
  if (!(*state & PAGE_FROZEN)) {
    *state &= (uint8_t)~PAGE_FREE;
  } else if (*state & PAGE_FREE) {
    if (gc->snapshots->current) entries_add(&gc->snapshots->head.fresh, page, LOG_NO_PAGE);
    else note_opened(gc->snapshots, page);
    *state &= (uint8_t) ~(PAGE_FREE | PAGE_FROZEN);
    if (gc->config.guard) guard_range(gc, page, 1, true);
  } else if (PLANTED(TAKEN_NOT_LOGGED)) {
    *state &= (uint8_t)~PAGE_FROZEN;
  } else {
    snapshot_log(gc, page);
  }
}

bool snapshot_take(Gc *gc, uint64_t first, uint64_t count) {
  Snapshots *s = gc->snapshots;
  uint64_t frozen = 0, unused = 0;
  for (uint64_t page = first; s && s->current && page < first + count; page++) {
    uint8_t state = gc->states[page] & (PAGE_FREE | PAGE_FROZEN);
    frozen += state == PAGE_FROZEN;
    unused += state == (PAGE_FREE | PAGE_FROZEN);
  }
  if (unused && !entries_room(&s->head.fresh, unused)) return false;
  if (frozen && !entries_room(&s->head.logged, frozen)) return false;
  if (frozen && !log_have(gc, &s->log, frozen)) return false;
  for (uint64_t page = first; page < first + count; page++) take_page(gc, page);
  return true;
}

/* The same pages again and again are not worth a long list. */
static void limit_given(Snapshots *s, Delta *d) {
  if (d->given.n < MOST_GIVEN) return;
  drop_entries(s, &d->given);
  d->given_more = true;
}

void snapshot_given(Gc *gc, uint64_t page) {
  Delta *head = &gc->snapshots->head;
  if (!gc->snapshots->current || head->given_more) return;
  if (entries_room(&head->given, 1)) entries_add(&head->given, page, LOG_NO_PAGE);
  else head->given_more = true;
  limit_given(gc->snapshots, head);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static uint64_t root_bytes(const Gc *gc) {
  return gc->config.root_bytes ? (gc->config.root_bytes + 7u) & ~7u : GC_ROOT_BYTES;
}

static Heap *saved_heap(Node *n) { return (Heap *)n->saved; }

enum { HEAP_WORDS = (sizeof(Heap) + 7) / 8 };

static void save_state(Gc *gc, Node *n) {
  memcpy(n->saved, gc->heap, sizeof(Heap));
  memcpy(n->saved + HEAP_WORDS, gc->base + GC_ROOT_OFF, root_bytes(gc));
}

/* Limits and what lies outside of the cage are of the present. */
static void load_state(Gc *gc, Node *n) {
  uint64_t limit = gc->heap->limit_bytes, external = gc->heap->external_bytes;
  uint64_t peak = gc->heap->peak_bytes;
  if (!PLANTED(HEAP_NOT_RESTORED)) memcpy(gc->heap, n->saved, sizeof(Heap));
  if (!PLANTED(ROOTS_NOT_RESTORED))
    memcpy(gc->base + GC_ROOT_OFF, n->saved + HEAP_WORDS, root_bytes(gc));
  gc->heap->limit_bytes = limit;
  gc->heap->external_bytes = external;
  gc->heap->peak_bytes = peak;
  share_count(gc);
}

static bool nodes_room(Snapshots *s) {
  if (s->nnodes < s->nodes_cap) return true;
  uint32_t cap = s->nodes_cap ? 2 * s->nodes_cap : 16;
  Node **nodes = cap > 1u << GC_SNAPSHOT_INDEX_BITS ? NULL : realloc(s->nodes, cap * sizeof *nodes);
  if (!nodes) return false;
  s->nodes = nodes;
  s->nodes_cap = cap;
  return true;
}

/* Index of a place in `nodes`; -1: memory is out. */
static int64_t free_index(Snapshots *s) {
  for (uint32_t tries = 0; tries < 4 && tries < s->nnodes; tries++) {
    uint32_t i = (s->serial * 0x9E3779B1u + tries) % s->nnodes;
    if (!s->nodes[i]) return i;
  }
  if (!nodes_room(s)) return -1;
  s->nodes[s->nnodes] = NULL;
  return s->nnodes++;
}

static Node *node_new(Gc *gc) {
  Snapshots *s = gc->snapshots;
  int64_t index = free_index(s);
  uint64_t words = HEAP_WORDS + root_bytes(gc) / 8;
  Node *n = index < 0 ? NULL : malloc(sizeof *n + words * sizeof(uint64_t));
  if (!n) return NULL;
  uint64_t serial = (uint64_t)++s->serial << GC_SNAPSHOT_INDEX_BITS;
  *n = (Node){.id = serial | (uint64_t)index, .live = true};
  s->nodes[index] = n;
  return n;
}

static Node *node_of(Snapshots *s, GcSnapshot id) {
  uint64_t index = id & ((1u << GC_SNAPSHOT_INDEX_BITS) - 1);
  Node *n = s && index < s->nnodes ? s->nodes[index] : NULL;
  return n && n->id == id ? n : NULL;
}

static void node_free(Snapshots *s, Node *n) {
  drop_delta(s, &n->edge);
  s->nodes[n->id & ((1u << GC_SNAPSHOT_INDEX_BITS) - 1)] = NULL;
  free(n);
}

static void add_kid(Node *parent, Node *n) {
  n->parent = parent;
  n->next = parent->first_kid;
  parent->first_kid = n;
  parent->kids++;
}

static void remove_kid(Node *parent, Node *n) {
  Node **at = &parent->first_kid;
  while (*at != n) at = &(*at)->next;
  *at = n->next;
  parent->kids--;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void forget_nodes(Snapshots *s) {
  for (uint32_t i = 0; i < s->nnodes; i++)
    if (s->nodes[i]) node_free(s, s->nodes[i]);
  drop_head(s);
  s->root = s->current = NULL;
  s->live = 0;
}

/* Entries of freed_at and past_at, which lie behind those of `link`: tasks begin with a snapshot, and
 * each mapping costs a request at either end. */
static uint64_t freed_entries(const Snapshots *s) { return s->link_pages / UNIT_PAGES + 1; }

static uint64_t tables_bytes(const Snapshots *s) {
  return (s->link_pages + 2 * freed_entries(s)) * sizeof *s->link;
}

void snapshot_close(Gc *gc) {
  Snapshots *s = gc->snapshots;
  if (!s) return;
  forget_nodes(s);
  log_close(&s->log);
  if (s->link) os_unmap(s->link, tables_bytes(s));
  free(s->nodes);
  free(s->opened.at);
  free(s->past_pages.at);
  free(s->past_freed.at);
  free(s->past_maps);
  free(s);
  gc->snapshots = NULL;
  share_count(gc);
}

static bool open_log(Gc *gc) {
  if (gc->snapshots) return true;
  Snapshots *s = gc->snapshots = calloc(1, sizeof *s);
  if (!s) return false;
  s->serial = gc->first_serial;
  s->link_pages = gc->heap->cage_pages;
  s->link = os_map(&gc->os, tables_bytes(s));
  if (!s->link) {
    snapshot_close(gc);
    return false;
  }
  s->freed_at = s->link + s->link_pages;
  s->past_at = s->freed_at + freed_entries(s);
  return true;
}

/* In the middle of a store, without memory to log the page: no snapshot can be kept. */
static void give_up(Gc *gc) {
  Snapshots *s = gc->snapshots;
  s->lost = s->serial;
  forget_nodes(s);
  thaw_all(gc);
  s->rested = false;
}

/* The last snapshot is released. What the head lists is open. */
static void rest(Gc *gc) {
  Snapshots *s = gc->snapshots;
  const Entries *lists[] = {&s->head.logged, &s->head.fresh};
  s->opened.n = 0;
  s->overflow = false;
  for (unsigned k = 0; k < 2; k++)
    for (uint32_t i = 0; i < lists[k]->n && !s->overflow; i++) note_opened(s, lists[k]->at[i].page);
  forget_nodes(s);
  s->rested = !gc->config.guard;
  if (!s->rested) thaw_all(gc);
}

/* ---- taking ---------------------------------------------------------------------------------- */

static void freeze_entries(Gc *gc, const Entries *e) {
  for (uint32_t i = PLANTED(ARMS_ONE_LESS); i < e->n; i++) gc->states[e->at[i].page] |= PAGE_FROZEN;
}

/* Eight states at a time: compilers do not make that of the plain loop at every level of
 * optimisation. */
static void freeze_pages(Gc *gc, uint64_t end) {
  const uint64_t frozen = PAGE_FROZEN * 0x0101010101010101u;
  uint64_t page = FIRST_FROZEN, eight;
  if (PLANTED(ARMS_ONE_LESS_OF_ALL)) end -= end % 8;
  for (; page < end && page % 8; page++) gc->states[page] |= PAGE_FROZEN;
  for (; page < end; page += 8) { /* what lies beyond the end is overwritten when it is committed */
    memcpy(&eight, gc->states + page, 8);
    eight |= frozen;
    memcpy(gc->states + page, &eight, 8);
  }
}

/* Exactly the pages in the head's lists are not frozen. Where they are many, going over all states,
 * eight pages at once, takes less time than going over the lists. */
static void freeze_head(Gc *gc, const Delta *head) {
  uint64_t pages = end_page(gc), changed = (uint64_t)head->logged.n + head->fresh.n;
  if (changed > pages / PASS_SHARE) {
    freeze_pages(gc, pages);
    return;
  }
  freeze_entries(gc, &head->logged);
  freeze_entries(gc, &head->fresh);
}

/* The first snapshot, or the first after a rest. */
static void freeze_rested(Gc *gc) {
  Snapshots *s = gc->snapshots;
  if (!s->rested) freeze_all(gc);
  else if (s->overflow) freeze_pages(gc, end_page(gc));
  else freeze_entries(gc, &s->opened);
  s->opened.n = 0;
  s->rested = s->overflow = false;
}

GcSnapshot gc_snapshot(Gc *gc, uint64_t *name) {
  if (gc->collecting) return 0;
  purge_finish(gc); /* what a rollback brings back has no weak references to the dead */
  if (!open_log(gc)) return 0;
  Snapshots *s = gc->snapshots;
  if (!log_have(gc, &s->log, LOG_RESERVE)) return 0;
  slab_close_runs(gc); /* before there is a node: it may give up all snapshots */
  Node *n = node_new(gc);
  if (!n) return 0;
  if (name) *name = n->id;
  n->edge = s->head;
  s->head = (Delta){0};
  for (uint32_t i = 0; i < n->edge.freed.n; i++) s->freed_at[n->edge.freed.at[i].page] = 0;
  if (s->current) {
    freeze_head(gc, &n->edge);
    add_kid(s->current, n);
  } else {
    freeze_rested(gc);
    s->root = n;
  }
  n->onpath = true;
  save_state(gc, n);
  s->current = n;
  s->live++;
  s->taken++;
  final_revive(gc);
  guard_on(gc);
  return n->id;
}

/* ---- moving between nodes -------------------------------------------------------------------- */

static void swap_page(uint8_t *a, uint8_t *b) {
  uint64_t piece[64];
  for (unsigned i = 0; i < GC_PAGE; i += sizeof piece) {
    memcpy(piece, a + i, sizeof piece);
    memcpy(a + i, b + i, sizeof piece);
    memcpy(b + i, piece, sizeof piece);
  }
}

/* A rollback changes a page. */
static void set_state(Gc *gc, uint64_t page, uint8_t state) {
  if (!PLANTED(FORK_MISSES_ROLLBACK)) fork_note_page(gc, page);
  gc->states[page] = state;
}

/* Forks have to know, too, whether a page is in use. */
static void note_given(Gc *gc, const Delta *d) {
  if (!gc->forks) return;
  if (d->given_more) fork_lose(gc);
  for (uint32_t i = 0; i < d->given.n && !PLANTED(FORK_MISSES_UNDONE); i++)
    fork_note_page(gc, d->given.at[i].page);
}

static void swap_logged(Gc *gc, Entries *e) {
  for (uint32_t i = PLANTED(SWAPS_ONE_LESS); i < e->n; i++) {
    swap_page(page_at(gc, e->at[i].page), log_page(&gc->snapshots->log, e->at[i].buf));
    set_state(gc, e->at[i].page, PAGE_FROZEN);
  }
}

/* Copies the pages of the head back. With `keep`, those that had been changed stay open, with their
 * copies: a loop that goes back to the same snapshot changes the same pages again, most often, and
 * needs not log them a second time. One that was not changed since the last time is frozen
 * again. */
static void undo_logged(Gc *gc, bool keep) {
  Snapshots *s = gc->snapshots;
  Entries *logged = &s->head.logged;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < logged->n; i++) {
    Entry e = logged->at[i];
    bool changed = !keep || memcmp(page_at(gc, e.page), log_page(&s->log, e.buf), GC_PAGE) != 0;
    if (changed) memcpy(page_at(gc, e.page), log_page(&s->log, e.buf), GC_PAGE);
    set_state(gc, e.page, PLANTED(STAYS_CHANGED) && !keep ? 0 : PAGE_FROZEN);
    if (PLANTED(KEEPS_UNCHANGED) && !changed) thaw_page(gc, e.page);
    if (keep && changed) logged->at[kept++] = e;
    else log_put(&s->log, e.buf);
  }
  logged->n = kept;
}

/* Back to the newest node: the head's changes are gone. */
static void undo_head(Gc *gc, bool keep) {
  Snapshots *s = gc->snapshots;
  Entries *fresh = &s->head.fresh;
  undo_logged(gc, keep);
  for (uint32_t i = 0; i < fresh->n && !PLANTED(FRESH_STAYS_USED); i++)
    set_state(gc, fresh->at[i].page, PAGE_FREE | PAGE_FROZEN);
  for (uint32_t i = 0; i < s->head.freed.n; i++) {
    s->freed_at[s->head.freed.at[i].page] = 0;
    log_put(&s->log, s->head.freed.at[i].buf);
  }
  note_given(gc, &s->head);
  fresh->n = s->head.freed.n = s->head.given.n = 0;
  s->head.given_more = false;
  /* What is free can be told now that the metadata is back. */
  for (uint32_t i = 0; i < s->head.logged.n; i++) thaw_page(gc, s->head.logged.at[i].page);
}

/* From a node to its parent, keeping how to come back. What is in use is read before the metadata
 * goes back. */
static void go_up(Gc *gc, Node *n) {
  Snapshots *s = gc->snapshots;
  Entries *fresh = &n->edge.fresh;
  for (uint32_t i = 0; i < fresh->n; i++) {
    uint32_t page = fresh->at[i].page;
    if (buddy_run(gc->buddy, page).used && !PLANTED(FRESH_NOT_SAVED)) {
      fresh->at[i].buf = log_pop(&s->log);
      memcpy(log_page(&s->log, fresh->at[i].buf), page_at(gc, page), GC_PAGE);
    }
    set_state(gc, page, PAGE_FREE | PAGE_FROZEN);
  }
  swap_logged(gc, &n->edge.logged);
  note_given(gc, &n->edge);
  n->onpath = false;
}

static void go_down(Gc *gc, Node *n) {
  Snapshots *s = gc->snapshots;
  swap_logged(gc, &n->edge.logged);
  note_given(gc, &n->edge);
  Entries *fresh = &n->edge.fresh;
  for (uint32_t i = 0; i < fresh->n; i++) {
    Entry *e = fresh->at + i;
    set_state(gc, e->page, e->buf == LOG_NO_PAGE ? PAGE_FREE | PAGE_FROZEN : PAGE_FROZEN);
    if (e->buf != LOG_NO_PAGE) memcpy(page_at(gc, e->page), log_page(&s->log, e->buf), GC_PAGE);
    log_put(&s->log, e->buf);
    e->buf = LOG_NO_PAGE;
  }
  n->onpath = true;
}

/* How many buffers the way from the current node up to `top` may take. */
static uint64_t fresh_on_path(Snapshots *s, const Node *top) {
  uint64_t n = 0;
  for (Node *at = s->current; at != top; at = at->parent) n += at->edge.fresh.n;
  return n;
}

static Node *first_on_path(Node *n) {
  while (!n->onpath) n = n->parent;
  return n;
}

static void descend(Gc *gc, Node *top, Node *to) {
  to->down = NULL;
  for (Node *n = to; n != top; n = n->parent) n->parent->down = n;
  for (Node *n = top; n != to; n = n->down) go_down(gc, n->down);
}

static void finalize_from(Gc *gc, uint32_t from) {
  Heap *h = gc->heap;
  bool was = gc->collecting;
  gc->collecting = gc->undoing = true;
  for (uint32_t i = from; i < h->final_count && gc->config.finalize; i++) {
    Value v = ((Value *)gc->base)[(uint64_t)h->finals + 1 + i];
    gc->config.finalize(gc, gc->config.embedder, (Ref){(uint32_t)v});
  }
  gc->collecting = was;
  gc->undoing = false;
}

bool gc_is_undoing(const Gc *gc) { return gc->undoing; }

static void move_to(Gc *gc, Node *to) {
  Snapshots *s = gc->snapshots;
  Node *top = first_on_path(to);
  guard_off(gc);
  undo_head(gc, to == s->current && to->again);
  while (s->current != top) {
    go_up(gc, s->current);
    s->current = s->current->parent;
  }
  descend(gc, top, to);
  s->current = to;
  to->again = true;
  load_state(gc, to);
  collect_forget(gc);
  guard_on(gc);
}

static void prune(Gc *gc, Node *n);

GcSnapshotStatus gc_restore(Gc *gc, GcSnapshot id) {
  Snapshots *s = gc->snapshots;
  slab_close_runs(gc); /* may give up all snapshots, so first of all */
  GcSnapshotStatus status = gc_snapshot_status(gc, id);
  if (status != GC_SNAPSHOT_OK) return status;
  Node *to = node_of(s, id), *left = s->current;
  if (!log_have_back(gc, &s->log, fresh_on_path(s, first_on_path(to)))) return GC_SNAPSHOT_MEMORY;
  finalize_from(gc, saved_heap(left)->final_count);
  move_to(gc, to);
  s->restored++;
  if (left != to) prune(gc, left);
  return GC_SNAPSHOT_OK;
}

/* ---- a look at another state ----------------------------------------------------------------- */

enum { BITS_PAGE = GC_PAGE / 8, /* words of a page of the alloc bitmap */
       MAPS_KEPT = 16 };        /* for the next look */

/* The bitmap of what the head freed in a page of the alloc bitmap, made zero when it is new; NULL:
 * no memory. */
static uint64_t *head_freed(Gc *gc, uint64_t page) {
  Snapshots *s = gc->snapshots;
  Entries *list = &s->head.freed;
  uint32_t *at = s->freed_at + page;
  if (!*at) {
    if (s->log.nspare < LOG_RESERVE) log_grow(gc, &s->log);
    if (s->log.nspare == 0 || !entries_room(list, 1)) return NULL;
    entries_add(list, page, log_pop(&s->log));
    memset(log_page(&s->log, list->at[list->n - 1].buf), 0, GC_PAGE);
    *at = list->n;
  }
  return (uint64_t *)log_page(&s->log, list->at[*at - 1].buf);
}

static bool past_maps_room(Snapshots *s) {
  if (s->past_freed.n < s->past_maps_cap) return true;
  uint32_t cap = s->past_maps_cap ? 2 * s->past_maps_cap : 4;
  void *maps = realloc(s->past_maps, cap * sizeof *s->past_maps);
  if (!maps) return false;
  s->past_maps = maps;
  s->past_maps_cap = cap;
  return true;
}

/* The same of what was freed on the way to the past. */
static uint64_t *past_freed_map(Snapshots *s, uint64_t page) {
  Entries *list = &s->past_freed;
  uint32_t *at = s->past_at + page;
  if (!*at) {
    if (!past_maps_room(s) || !entries_room(list, 1)) return NULL;
    memset(s->past_maps[list->n], 0, GC_PAGE);
    entries_add(list, page, list->n);
    *at = list->n;
  }
  return s->past_maps[list->at[*at - 1].buf];
}

void snapshot_note_freed(Gc *gc, uint64_t i, uint64_t bits) {
  Snapshots *s = gc->snapshots;
  if (!s->current || !bits) return;
  uint64_t *map = head_freed(gc, i / BITS_PAGE);
  if (map) map[i % BITS_PAGE] |= bits;
  else give_up(gc); /* a block and its successor could not be told apart */
}

/* Adds what an edge has freed to what was freed on the way. */
static bool past_add_freed(Gc *gc, const Entries *freed) {
  Snapshots *s = gc->snapshots;
  for (uint32_t i = 0; i < freed->n; i++) {
    uint64_t *to = past_freed_map(s, freed->at[i].page);
    if (!to) return false;
    const uint64_t *from = (const uint64_t *)log_page(&s->log, freed->at[i].buf);
    for (unsigned k = 0; k < BITS_PAGE; k++) to[k] |= from[k];
  }
  return true;
}

/* Notes where the content of a page is in the past, over what was noted before. */
static bool past_set(Snapshots *s, uint32_t page, uint32_t buf) {
  if (!s->link[page]) {
    if (!entries_room(&s->past_pages, 1)) return false;
    entries_add(&s->past_pages, page, buf);
    s->link[page] = s->past_pages.n;
  }
  s->past_pages.at[s->link[page] - 1].buf = buf;
  return true;
}

static bool past_add(Gc *gc, const Delta *d, bool down) {
  Snapshots *s = gc->snapshots;
  for (uint32_t i = 0; i < d->logged.n; i++)
    if (!past_set(s, d->logged.at[i].page, d->logged.at[i].buf)) return false;
  for (uint32_t i = 0; i < d->fresh.n; i++)
    if (!past_set(s, d->fresh.at[i].page, down ? d->fresh.at[i].buf : LOG_NO_PAGE)) return false;
  return past_add_freed(gc, &d->freed);
}

static bool past_walk(Gc *gc, Node *to) {
  Snapshots *s = gc->snapshots;
  Node *top = first_on_path(to);
  if (!past_add(gc, &s->head, false)) return false;
  for (Node *n = s->current; n != top; n = n->parent)
    if (!past_add(gc, &n->edge, false)) return false;
  to->down = NULL;
  for (Node *n = to; n != top; n = n->parent) n->parent->down = n;
  for (Node *n = top; n != to; n = n->down)
    if (!past_add(gc, &n->down->edge, true)) return false;
  return true;
}

bool gc_past_open(Gc *gc, GcSnapshot id) {
  purge_finish(gc);
  slab_close_runs(gc);
  if (gc_snapshot_status(gc, id) != GC_SNAPSHOT_OK) return false;
  gc->snapshots->past = node_of(gc->snapshots, id);
  if (past_walk(gc, gc->snapshots->past)) return true;
  gc_past_close(gc);
  return false;
}

void gc_past_close(Gc *gc) {
  Snapshots *s = gc->snapshots;
  s->past = NULL;
  unindex_entries(s, &s->past_pages);
  s->past_pages.n = 0;
  for (uint32_t i = 0; i < s->past_freed.n; i++) s->past_at[s->past_freed.at[i].page] = 0;
  s->past_freed.n = 0;
  if (s->past_maps_cap <= MAPS_KEPT) return;
  free(s->past_maps);
  s->past_maps = NULL;
  s->past_maps_cap = 0;
}

const uint64_t *snapshot_past_page(Gc *gc, uint64_t page) {
  Snapshots *s = gc->snapshots;
  uint32_t at = s->link[page];
  if (!at) return (const uint64_t *)page_at(gc, page);
  uint32_t buf = s->past_pages.at[at - 1].buf;
  return buf == LOG_NO_PAGE ? NULL : (const uint64_t *)log_page(&s->log, buf);
}

uint64_t snapshot_past_changed(Gc *gc) {
  const Entries *pages = &gc->snapshots->past_pages;
  uint64_t n = 0;
  for (uint32_t i = 0; i < pages->n; i++) {
    const uint64_t *past = snapshot_past_page(gc, pages->at[i].page);
    n += !past || memcmp(past, page_at(gc, pages->at[i].page), GC_PAGE) != 0;
  }
  return n;
}

const uint64_t *snapshot_past_roots(Gc *gc, uint64_t *words) {
  *words = root_bytes(gc) / 8;
  return gc->snapshots->past->saved + HEAP_WORDS;
}

/* A word of the cage as it was; 0 in pages that were free. */
static uint64_t past_word(Gc *gc, uint64_t word) {
  const uint64_t *page = snapshot_past_page(gc, word >> GC_WORD_PAGE_SHIFT);
  return page ? page[word % GC_PAGE_WORDS] : 0;
}

uint64_t gc_past_word(Gc *gc, uint64_t word) {
  uint64_t n, first = GC_ROOT_OFF / 8;
  const uint64_t *roots = snapshot_past_roots(gc, &n);
  return word >= first && word < first + n ? roots[word - first] : past_word(gc, word);
}

/* Was a block there freed on the way, so that another one may have taken its place? */
static bool past_freed(const Snapshots *s, uint32_t word) {
  uint32_t at = s->past_at[(word >> 6) / BITS_PAGE];
  if (!at) return false;
  const uint64_t *map = s->past_maps[s->past_freed.at[at - 1].buf];
  return map[(word >> 6) % BITS_PAGE] >> (word & 63) & 1;
}

bool gc_past_same(Gc *gc, Ref r) {
  uint64_t *words = (uint64_t *)gc->base, bit = (uint64_t)1 << (r.w & 63);
  uint64_t bits_word = gc_word(gc->base, gc->bits + (r.w >> 6));
  if (!(words[bits_word] & past_word(gc, bits_word) & bit)) return false;
  if ((uint8_t)words[r.w] != (uint8_t)past_word(gc, r.w)) return false; /* the kind */
  return !past_freed(gc->snapshots, r.w);
}

/* ---- pruning --------------------------------------------------------------------------------- */

/* Merges the later entries into the earlier edge: a page in both keeps the earlier kind, and the
 * earlier copy if the edge undoes, the later one if it redoes. */
static void absorb(Snapshots *s, Entries *first, Entries *later, bool undo) {
  index_entries(s, first);
  uint32_t kept = 0;
  undo ^= PLANTED(MERGE_TAKES_OTHER);
  for (uint32_t i = 0; i < later->n; i++) {
    Entry e = later->at[i];
    uint32_t at = s->link[e.page];
    if (!at) {
      later->at[kept++] = e;
    } else if (undo) {
      log_put(&s->log, e.buf);
    } else if (e.buf != LOG_NO_PAGE) {
      log_put(&s->log, first->at[at - 1].buf);
      first->at[at - 1].buf = e.buf;
    }
  }
  later->n = kept;
  unindex_entries(s, first);
}

static void append_entries(Entries *to, Entries *from) {
  if (PLANTED(MERGE_LOSES_PAGE) && from->n) from->n--;
  for (uint32_t i = 0; i < from->n; i++) entries_add(to, from->at[i].page, from->at[i].buf);
  from->n = 0;
}

/* Both lists of bitmaps as one, in `first`. */
static void join_freed(Snapshots *s, Entries *first, Entries *later) {
  index_entries(s, first);
  for (uint32_t i = 0; i < later->n; i++) {
    uint32_t at = s->link[later->at[i].page];
    if (!at) {
      entries_add(first, later->at[i].page, later->at[i].buf);
      continue;
    }
    uint64_t *to = (uint64_t *)log_page(&s->log, first->at[at - 1].buf);
    const uint64_t *from = (const uint64_t *)log_page(&s->log, later->at[i].buf);
    for (unsigned k = 0; k < BITS_PAGE && !PLANTED(MERGE_FORGETS_FREED); k++) to[k] |= from[k];
    log_put(&s->log, later->at[i].buf);
  }
  later->n = 0;
  unindex_entries(s, first);
}

static bool room_to_join(Delta *first, const Delta *later) {
  return entries_room(&first->logged, later->logged.n) &&
         entries_room(&first->fresh, later->fresh.n) &&
         entries_room(&first->freed, later->freed.n) && entries_room(&first->given, later->given.n);
}

/* The delta `first`, then `later`, as one, in `later`. False: no memory, nothing changed. */
static bool join(Snapshots *s, Delta *first, Delta *later, bool undo) {
  if (!room_to_join(first, later)) return false;
  join_freed(s, &first->freed, &later->freed);
  absorb(s, &first->logged, &later->logged, undo);
  absorb(s, &first->logged, &later->fresh, undo);
  absorb(s, &first->fresh, &later->logged, undo);
  absorb(s, &first->fresh, &later->fresh, undo);
  append_entries(&first->logged, &later->logged);
  append_entries(&first->fresh, &later->fresh);
  append_entries(&first->given, &later->given);
  first->given_more |= later->given_more;
  limit_given(s, first);
  drop_delta(s, later);
  *later = *first;
  *first = (Delta){0};
  return true;
}

/* A node that nobody needs, between its parent and one child. False: no memory; it stays. */
static bool splice_out(Gc *gc, Node *n) {
  Snapshots *s = gc->snapshots;
  Node *kid = n->first_kid, *parent = n->parent;
  if (parent) {
    if (!join(s, &n->edge, &kid->edge, kid->onpath)) return false;
    remove_kid(parent, n);
    add_kid(parent, kid);
  } else {
    drop_delta(s, &kid->edge);
    kid->parent = NULL;
    s->root = kid;
  }
  node_free(s, n);
  return true;
}

static void thaw_entries(Gc *gc, const Entries *e) {
  for (uint32_t i = 0; i < e->n; i++) {
    thaw_page(gc, e->at[i].page);
    if (gc->config.guard) guard_range(gc, e->at[i].page, 1, true);
  }
}

/* The current node, without children, is needed no more: its edge becomes part of the head. */
static bool join_head(Gc *gc, Node *n) {
  Snapshots *s = gc->snapshots;
  Node *parent = n->parent;
  if (!parent) {
    rest(gc);
    return true;
  }
  if (!room_to_join(&n->edge, &s->head)) return false;
  if (!PLANTED(MERGE_STAYS_FROZEN)) thaw_entries(gc, &n->edge.logged);
  thaw_entries(gc, &n->edge.fresh);
  join(s, &n->edge, &s->head, true);
  for (uint32_t i = 0; i < s->head.freed.n; i++) s->freed_at[s->head.freed.at[i].page] = i + 1;
  s->current = parent;
  remove_kid(parent, n);
  node_free(s, n);
  return true;
}

/* A leaf off the path: its objects with finalizers are lost with it. False: so are all nodes, since
 * there was no memory to log what closing the runs writes. */
static bool finalize_leaf(Gc *gc, Node *leaf) {
  Snapshots *s = gc->snapshots;
  uint32_t from = saved_heap(leaf->parent)->final_count;
  if (saved_heap(leaf)->final_count <= from) return true;
  slab_close_runs(gc);
  if (!s->root) return false;
  GcSnapshot here = gc_snapshot(gc, NULL);
  if (!here) return true; /* without memory they are leaked until the process ends */
  Node *back = node_of(s, here);
  if (log_have(gc, &s->log, fresh_on_path(s, first_on_path(leaf)))) {
    move_to(gc, leaf);
    finalize_from(gc, from);
    if (log_have(gc, &s->log, fresh_on_path(s, first_on_path(back)))) move_to(gc, back);
  }
  back->live = false;
  s->live--;
  return true;
}

static void prune(Gc *gc, Node *n) {
  Snapshots *s = gc->snapshots;
  while (n && !n->live) {
    Node *parent = n->parent;
    uint32_t kids = n->kids + (s->current == n);
    if (kids >= 2) return;
    if (kids == 0) {
      if (!finalize_leaf(gc, n)) return;
      Node *spare = s->current; /* the state that finalize_leaf came back to, if it did */
      remove_kid(parent, n);
      node_free(s, n);
      if (spare != parent && !spare->live && spare->kids == 0 && !join_head(gc, spare)) return;
      n = parent;
    } else {
      if (n->first_kid ? !splice_out(gc, n) : !join_head(gc, n)) return;
      n = parent;
    }
  }
}

void gc_snapshot_release(Gc *gc, GcSnapshot id) {
  Node *n = node_of(gc->snapshots, id);
  if (!n || !n->live || gc->collecting) return;
  n->live = false;
  gc->snapshots->live--;
  prune(gc, n);
}

GcSnapshotStatus gc_snapshot_status(Gc *gc, GcSnapshot id) {
  Node *n = node_of(gc->snapshots, id);
  if (n && n->live) return GC_SNAPSHOT_OK;
  uint64_t serial = id >> GC_SNAPSHOT_INDEX_BITS;
  if (serial <= gc->first_serial || serial > snapshot_last_serial(gc)) return GC_SNAPSHOT_ELSEWHERE;
  return gc->snapshots && id >> GC_SNAPSHOT_INDEX_BITS <= gc->snapshots->lost ? GC_SNAPSHOT_LOST
                                                                  : GC_SNAPSHOT_RELEASED;
}

uint64_t *gc_snapshot_word(Gc *gc, GcSnapshot id) {
  Node *n = node_of(gc->snapshots, id);
  return n && n->live ? &n->word : NULL;
}

uint32_t snapshot_finals(const Gc *gc) {
  const Snapshots *s = gc->snapshots;
  return s && s->current ? saved_heap(s->current)->final_count : 0;
}

void gc_snapshot_stats(Gc *gc, GcSnapshotStats *out) {
  const Snapshots *s = gc->snapshots;
  *out = (GcSnapshotStats){0};
  if (!s) return;
  *out = (GcSnapshotStats){
      .snapshots = s->live,
      .log_bytes = snapshot_bytes(gc),
      .log_pages = s->log.npages - s->log.nspare,
      .head_pages = (uint64_t)s->head.logged.n + s->head.fresh.n,
      .taken = s->taken,
      .restored = s->restored,
      .logged = s->logged,
  };
}
