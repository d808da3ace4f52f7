/* fork.c - a heap copied into a cage of its own, so that both go on at the same time.
 *
 * A cage that a fork has left is kept as a slot of its parent's pool. It still has what the heap
 * had when it was forked, but for the pages that the child changed since and those that the parent
 * changed since. To bring it up to date is to copy these, a few microseconds for a heap of any
 * size: no system call, no page fault, and as quick when all processors are busy.
 *
 *   parent   log      pages in the order in which they were first changed after a fork
 *            epoch    where the entries since the last fork begin
 *   child    step     up to which entry of the parent's log it is in step
 *            log      pages that it changed itself; when it is brought up to date, those of the
 *                     parent's log are added, each once, and then all of them are copied
 *
 * PAGE_TRACK in page_state means that the first change of the page is to be reported. fork_note
 * enters it in the log and clears the bit; a fork sets it again for the entries of the epoch. So
 * a page is in the log once for each fork, and a child's bits tell which pages are in its log.
 *
 * A new slot is a copy of the whole heap, if that is small. Otherwise it is a private mapping of
 * the base, the heap as it was published once (base.c): it is in step with that moment, and what
 * the parent has changed since is copied like any other difference. Pages that a mapped slot's
 * child stores to become private, by a page fault each; a slot that has had many gives way to a
 * copy. Where the differences from the base have cost new slots as much as a new base, there is a
 * new one.
 *
 * A fork that is mapped, and with nothing to be copied, can sleep: until it is woken nothing is
 * written to its cage, so that it has no memory of its own.
 *
 * Free pages are not copied, but who gets to know of them must be exact: giving a page back is a
 * change like taking it.
 *
 * A log that grows too long is cut off at the entry that the slots have in common; slots far behind
 * are copied whole again when they are used. Where memory for the log is refused, all are.
 *
 * One lock for each pool. Under it lie the lists of slots and Forks.idle; the content of a slot,
 * and the rest of its Forks, belong to the thread that has taken it out: the parent's while it is
 * idle. A parent may end before its children: then the pool remains until the last of them does. */
#include "fork.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "bits.h"
#include "cage.h"
#include "collect.h"
#include "mark.h"
#include "slab.h"
#include "snapshot.h"
#include "sweep.h"

enum { LEAST_IDLE = 8, LOG_SLACK = 8192, LOG_FIRST = 64 };
/* Heaps up to so many pages are copied; those above the other number never are, if it can be
 * helped. */
enum { COPY_ALWAYS = 2048, COPY_MOST = 65536 };
enum { LOOKED_AT = 16 }; /* pages changed since the base: so many are compared with it */
enum { FAULT_PAGES = 16 }; /* a page fault costs as much as so many pages of a large copy */
#define MOST_IDLE_BYTES ((uint64_t)1 << 30)

typedef struct ForkPool {
  pthread_mutex_t lock;
  uint32_t users;  /* the parent, and each slot */
  bool orphaned;   /* the parent has ended */
  Gc **slots;      /* all: those in use, too */
  uint32_t nslots, slots_cap;
  Gc **idle;       /* the last one was used last */
  uint32_t nidle;  /* room for all slots */
  uint64_t idle_bytes;
  uint32_t most_idle;
  uint32_t copies_due; /* new slots are to be copies of the whole heap */
} ForkPool;

typedef struct Forks {
  ForkPool *pool;  /* of this heap's forks; NULL before the first one */
  ForkPool *home;  /* to which this heap, a fork, goes back; NULL: it is none */
  uint64_t step;   /* see above */
  bool cold;       /* to be copied whole */
  uint32_t *log;
  uint64_t n, cap;
  uint64_t first;  /* number of log[0] since the beginning */
  uint64_t epoch;
  bool lost;       /* pages that are not in the log have changed since the last fork */
  Base *base;      /* the newest one, NULL: none */
  uint64_t regret; /* pages copied into new mapped slots since it was published */
  ForkSlots kind;
  /* Of a fork that is a mapped slot: */
  uint64_t origin; /* GcForkStats.published of the parent at its base; 0: it is no mapped one */
  bool pristine;   /* Heap and root area are the base's: nothing was written to the cage */
  bool asleep;     /* likewise, nor is the host page */
  uint64_t *own;   /* by page: it has become private */
  uint64_t nown;
  uint32_t place;  /* in ForkPool.slots */
  uint64_t idle_bytes; /* as it is counted in the pool */
  ForkBug bug;
  GcForkStats stats;
} Forks;

/* ---- the log ----------------------------------------------------------------------------------
 * */

static uint64_t log_end(const Forks *f) { return f->first + f->n; }

/* No slot is in step any more, nor is the base. */
static void lose_log(Forks *f) {
  f->first = log_end(f) + 1;
  f->n = 0;
  f->lost = true;
}

static bool log_grow(Forks *f) {
  uint64_t cap = f->cap ? 2 * f->cap : LOG_FIRST;
  uint32_t *log = realloc(f->log, cap * sizeof *log);
  if (!log) return false;
  f->log = log;
  f->cap = cap;
  return true;
}

static void enter(Forks *f, uint64_t page) {
  if (f->n == f->cap && !log_grow(f)) lose_log(f);
  else f->log[f->n++] = (uint32_t)page;
}

void fork_note(Gc *gc, uint64_t page) {
  gc->states[page] &= (uint8_t)~PAGE_TRACK;
  enter(gc->forks, page);
}

/* ---- states -----------------------------------------------------------------------------------
 * */

/* The metadata before this page is copied at each fork. */
static uint64_t first_tracked(const Gc *gc) { return gc->heap->table_off / GC_PAGE; }

static void track_range(Gc *gc, uint64_t from, uint64_t to) {
  for (uint64_t page = from; page < to; page++) gc->states[page] |= PAGE_TRACK;
}

static void track_all(Gc *gc) {
  const Heap *h = gc->heap;
  uint64_t end = h->cage_pages / UNIT_PAGES, unit = h->first_page / UNIT_PAGES;
  track_range(gc, first_tracked(gc), h->first_page);
  while ((unit = bits_next(gc->committed, unit, end)) < end) {
    track_range(gc, unit * UNIT_PAGES, (unit + 1) * UNIT_PAGES);
    unit++;
  }
}

/* What changed since the last fork is to be reported again. */
static void begin_epoch(Gc *gc) {
  Forks *f = gc->forks;
  if (f->lost) track_all(gc);
  else if (f->bug != FORK_TRACKS_ONCE)
    for (uint64_t i = f->epoch - f->first; i < f->n; i++) gc->states[f->log[i]] |= PAGE_TRACK;
  f->lost = false;
  f->epoch = log_end(f);
}

/* Takes what the collector and snapshots of a child have left out of the states of its pages. */
static void wash(Gc *child) {
  const Heap *h = child->heap;
  uint64_t end = h->cage_pages / UNIT_PAGES, unit = h->first_page / UNIT_PAGES;
  for (uint64_t page = first_tracked(child); page < h->first_page; page++)
    child->states[page] &= PAGE_TRACK;
  while ((unit = bits_next(child->committed, unit, end)) < end) {
    uint8_t *state = child->states + unit++ * UNIT_PAGES;
    for (unsigned i = 0; i < UNIT_PAGES; i++) state[i] &= PAGE_TRACK | PAGE_FREE;
  }
  if (child->config.guard) {
    uint64_t from = first_tracked(child), to = h->first_page;
    if (child->top_page > to) to = child->top_page;
    os_protect(child->base + from * GC_PAGE, (to - from) * GC_PAGE, true);
  }
}

/* ---- copying ----------------------------------------------------------------------------------
 * */

bool fork_page_is_free(Gc *gc, uint64_t page) {
  if (!(gc->states[page] & PAGE_FROZEN)) return gc->states[page] & PAGE_FREE;
  return !buddy_run(gc->buddy, (uint32_t)page).used;
}

static bool is_free(Gc *gc, uint64_t page) {
  if (page < gc->heap->first_page) return false;
  return !cage_is_committed(gc, page) || fork_page_is_free(gc, page);
}

static void copy_pages(const Gc *from, Gc *to, uint64_t page, uint64_t count) {
  memcpy(to->base + page * GC_PAGE, from->base + page * GC_PAGE, count * GC_PAGE);
}

/* One page that one of both has changed. False: memory is refused. */
static bool copy_page(Gc *gc, Gc *child, uint64_t page) {
  if (is_free(gc, page)) {
    child->states[page] = PAGE_FREE | PAGE_TRACK;
    return true;
  }
  if (page >= gc->heap->first_page && !cage_commit_same(child, page, 1)) return false;
  copy_pages(gc, child, page, 1);
  child->states[page] = PAGE_TRACK;
  gc->forks->stats.copied++;
  return true;
}

/* Pages of one unit: in use in the parent, or not. */
static void copy_unit(Gc *gc, Gc *child, uint64_t unit) {
  uint64_t page = unit * UNIT_PAGES, end = page + UNIT_PAGES;
  while (page < end) {
    uint64_t from = page;
    bool unused = is_free(gc, page);
    while (page < end && is_free(gc, page) == unused)
      child->states[page++] = unused ? PAGE_FREE | PAGE_TRACK : PAGE_TRACK;
    if (unused) continue;
    copy_pages(gc, child, from, page - from);
    gc->forks->stats.copied += page - from;
  }
}

/* The metadata that says something about units that one of both has in use. Elsewhere it is zero in
 * both. */
static void copy_tables(Gc *gc, Gc *child, uint64_t unit) {
  uint64_t page = unit * UNIT_PAGES;
  memcpy(child->table + page, gc->table + page, UNIT_PAGES * sizeof(PageDesc));
  copy_pages(gc, child, gc->heap->bits_off / GC_PAGE + unit, 1);
}

static bool any_unit(const Gc *gc, uint64_t from, uint64_t to) {
  return gc && bits_next(gc->committed, from, to) < to;
}

/* Parts of the tree that are about no such unit are zero, but for those at the ends of the cage. */
bool fork_needs_buddy(Gc *gc, uint64_t i, const Gc *child) {
  uint64_t from, to, end = gc->heap->cage_pages, first_page = gc->heap->first_page;
  buddy_range_of_page(gc->buddy, i, &from, &to);
  if ((from < first_page && first_page < to) || (from < end && end < to)) return true;
  if (to > end) to = end;
  return any_unit(gc, from / UNIT_PAGES, to / UNIT_PAGES) ||
         any_unit(child, from / UNIT_PAGES, to / UNIT_PAGES);
}

static void copy_buddy(Gc *gc, Gc *child) {
  uint64_t start = gc->heap->buddy_off / GC_PAGE;
  uint64_t bytes = buddy_state_bytes(gc->buddy.state->order);
  for (uint64_t i = 0; i * GC_PAGE < bytes; i++)
    if (fork_needs_buddy(gc, i, child)) copy_pages(gc, child, start + i, 1);
}

/* A slot that is not in step. */
static bool copy_whole(Gc *gc, Gc *child) {
  uint64_t last = gc->heap->cage_pages / UNIT_PAGES, first = gc->heap->first_page / UNIT_PAGES;
  for (uint64_t unit = first; (unit = bits_next(gc->committed, unit, last)) < last;) {
    uint64_t to = unit;
    while (to < last && bits_test(gc->committed, to)) to++;
    if (!cage_commit_same(child, unit * UNIT_PAGES, (to - unit) * UNIT_PAGES)) return false;
    unit = to;
  }
  memset(child->states + first_tracked(gc), PAGE_TRACK, gc->heap->first_page - first_tracked(gc));
  for (uint64_t unit = first; unit < last; unit++) {
    bool ours = bits_test(gc->committed, unit), its = bits_test(child->committed, unit);
    if (ours || its) copy_tables(gc, child, unit);
    if (ours) copy_unit(gc, child, unit);
    else if (its) memset(child->states + unit * UNIT_PAGES, PAGE_FREE | PAGE_TRACK, UNIT_PAGES);
  }
  copy_buddy(gc, child);
  gc->forks->stats.whole++;
  return true;
}

/* Adds what the parent changed to what the child did: each page once, by the child's bits. */
static void join_logs(const Gc *gc, Gc *child) {
  const Forks *f = gc->forks;
  Forks *c = child->forks;
  if (f->bug == FORK_FORGETS_CHILD) c->n = 0;
  if (f->bug == FORK_FORGETS_PARENT) return;
  for (uint64_t i = c->step - f->first; i < f->n; i++) {
    uint32_t page = f->log[i];
    if (page >= gc->heap->first_page && !cage_is_committed(child, page)) enter(c, page);
    else fork_note_page(child, page);
  }
}

static bool copy_difference(Gc *gc, Gc *child) {
  Forks *c = child->forks;
  join_logs(gc, child);
  if (c->lost) return copy_whole(gc, child);
  for (uint64_t i = 0; i < c->n; i++)
    if (!copy_page(gc, child, c->log[i])) return false;
  return true;
}

/* The parts that are written to without a barrier, and what is not the parent's. */
static void copy_roots(Gc *gc, Gc *child) {
  uint64_t bytes = gc->config.root_bytes ? gc->config.root_bytes : GC_ROOT_BYTES;
  memcpy(child->heap, gc->heap, sizeof(Heap));
  if (gc->forks->bug != FORK_MISSES_ROOTS)
    memcpy(child->base + GC_ROOT_OFF, gc->base + GC_ROOT_OFF, bytes);
  child->heap->external_bytes = 0;
  child->heap->peak_bytes = child->heap->used_pages * GC_PAGE;
}

/* Which pages of a mapped slot have become private: those in its log. */
static void count_own(Gc *slot) {
  Forks *c = slot->forks;
  if (!c->origin || !c->n) return;
  if (!c->own) c->own = calloc(slot->heap->cage_pages / 64 + 1, sizeof *c->own);
  for (uint64_t i = 0; c->own && i < c->n; i++) {
    c->nown += !bits_test(c->own, c->log[i]);
    bits_set(c->own, c->log[i]);
  }
}

/* Counters and caches of the life before. */
static void begin_life(Gc *gc, Gc *child, void *embedder) {
  Forks *c = child->forks;
  count_own(child);
  c->n = c->first = c->epoch = 0;
  c->lost = c->cold = false;
  c->step = log_end(gc->forks);
  c->stats = (GcForkStats){0};
  child->first_serial = snapshot_serial_after(child, snapshot_last_serial(gc));
  child->config = gc->config;
  child->config.embedder = embedder;
  if (gc->top_page > child->top_page) child->top_page = gc->top_page;
  child->minors = child->majors = child->collect_ns_total = child->collect_ns_max = 0;
  memset(child->pauses, 0, sizeof child->pauses);
  child->stepped_at = gc->heap->allocated_bytes;
  child->must_be_full = true;
}

/* The first store to a sleeping fork. Reference 0 is to nowhere, as in other cages. */
void gc_wake(Gc *gc) {
  Forks *c = gc->forks;
  if (!c || !c->asleep) return;
  *gc_host(gc->base) = (HostPage){gc, gc->config.embedder};
  if (c->pristine) os_forbid(gc->base, GC_PAGE);
  else collect_forget(gc);
  c->asleep = c->pristine = false;
}

bool gc_is_asleep(const Gc *gc) { return gc->forks && gc->forks->asleep; }
void gc_set_cache_bytes(Gc *gc, uint64_t bytes) { gc->cache_bytes = bytes; }

static void drop_base(Forks *f) {
  base_free(f->base);
  f->base = NULL;
}

/* ---- pools ------------------------------------------------------------------------------------
 * */

static void pool_free(ForkPool *pool) {
  pthread_mutex_destroy(&pool->lock);
  free(pool->slots);
  free(pool->idle);
  free(pool);
}

/* One user less. Called without the lock. */
static void pool_leave(ForkPool *pool) {
  pthread_mutex_lock(&pool->lock);
  bool last = --pool->users == 0;
  pthread_mutex_unlock(&pool->lock);
  if (last) pool_free(pool);
}

static uint32_t most_idle(void) {
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  return cpus > LEAST_IDLE / 2 ? 2 * (uint32_t)cpus : LEAST_IDLE;
}

static ForkPool *pool_new(void) {
  ForkPool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pool->users = 1;
  pool->most_idle = most_idle();
  if (pthread_mutex_init(&pool->lock, NULL) == 0) return pool;
  free(pool);
  return NULL;
}

static bool pool_room(ForkPool *pool) {
  if (pool->nslots < pool->slots_cap) return true;
  uint32_t cap = pool->slots_cap ? 2 * pool->slots_cap : 8;
  Gc **slots = realloc(pool->slots, cap * sizeof *slots);
  if (slots) pool->slots = slots;
  Gc **idle = slots ? realloc(pool->idle, cap * sizeof *idle) : NULL;
  if (!idle) return false;
  pool->idle = idle;
  pool->slots_cap = cap;
  return true;
}

/* Under the lock. */
static void pool_remove(ForkPool *pool, const Gc *slot) {
  uint32_t place = slot->forks->place;
  pool->slots[place] = pool->slots[--pool->nslots];
  pool->slots[place]->forks->place = place;
}

/* Memory of its own. */
static uint64_t slot_bytes(const Gc *slot) {
  const Forks *c = slot->forks;
  if (c->pristine) return 0;
  if (c->origin) return (c->nown + c->n) * GC_PAGE;
  return slot->committed_units * UNIT_BYTES;
}

static Gc *pool_take(ForkPool *pool) {
  pthread_mutex_lock(&pool->lock);
  Gc *slot = pool->nidle ? pool->idle[--pool->nidle] : NULL;
  if (slot) pool->idle_bytes -= slot->forks->idle_bytes;
  pthread_mutex_unlock(&pool->lock);
  return slot;
}

/* A mapped slot whose page faults have cost as much as a copy of the whole heap is of no use any
 * more: the next slot is to be such a copy. (To make all its pages private at once would not do: on
 * virtual machines the first use of each small page costs a fault of the host's.) */
static bool is_worn(const Gc *slot) {
  const Forks *c = slot->forks;
  uint64_t pages = slot->committed_units * UNIT_PAGES;
  return c->origin && pages <= COPY_MOST && (c->nown + c->n) * FAULT_PAGES > pages;
}

/* Under the lock: takes the slot back, unless there are enough. */
static bool pool_put(ForkPool *pool, Gc *slot) {
  uint64_t bytes = slot->forks->idle_bytes = slot_bytes(slot);
  bool full = pool->orphaned || pool->nidle >= pool->most_idle ||
              pool->idle_bytes + bytes > MOST_IDLE_BYTES;
  bool worn = !full && is_worn(slot);
  pool->copies_due += worn;
  if (full || worn) {
    pool_remove(pool, slot);
    return false;
  }
  pool->idle[pool->nidle++] = slot;
  pool->idle_bytes += bytes;
  return true;
}

static void slot_free(Gc *slot) {
  fork_close(slot);
  mark_close(slot);
  cage_close(slot);
  free(slot);
}

void fork_close_pool(Gc *gc) {
  ForkPool *pool = gc->forks ? gc->forks->pool : NULL;
  if (!pool) return;
  gc->forks->pool = NULL;
  pthread_mutex_lock(&pool->lock);
  pool->orphaned = true;
  uint32_t n = pool->nidle;
  for (uint32_t i = 0; i < n; i++) pool_remove(pool, pool->idle[i]);
  pool->nidle = 0;
  pthread_mutex_unlock(&pool->lock);
  for (uint32_t i = 0; i < n; i++) {
    slot_free(pool->idle[i]);
    pool_leave(pool);
  }
  pool_leave(pool);
}

bool fork_give_back(Gc *gc) {
  Forks *f = gc->forks;
  ForkPool *pool = f ? f->home : NULL;
  if (!pool) return false;
  bool clean = gc->minors + gc->majors == 0 && !gc->snapshots;
  f->cold |= f->lost;
  drop_base(f);
  if (!f->asleep) {
    snapshot_close(gc);
    if (!clean) wash(gc);
    collect_forget(gc);
  }
  pthread_mutex_lock(&pool->lock);
  bool kept = pool_put(pool, gc);
  pthread_mutex_unlock(&pool->lock);
  if (!kept) pool_leave(pool);
  return kept;
}

void fork_close(Gc *gc) {
  if (!gc->forks) return;
  base_free(gc->forks->base);
  free(gc->forks->own);
  free(gc->forks->log);
  free(gc->forks);
  gc->forks = NULL;
}

/* ---- cutting the log --------------------------------------------------------------------------
 * */

/* Under the lock: up to which entry the slots are in step that are worth it. Those that are too far
 * behind are copied whole when they are used next. */
static uint64_t oldest_step(Gc *gc) {
  Forks *f = gc->forks;
  uint64_t oldest = log_end(f), most = gc->heap->used_pages + LOG_SLACK;
  if (f->base && (f->base->step < f->first || log_end(f) - f->base->step > most)) drop_base(f);
  if (f->base) oldest = f->base->step;
  for (uint32_t i = 0; i < f->pool->nslots; i++) {
    Forks *c = f->pool->slots[i]->forks;
    if (c->step < f->first || log_end(f) - c->step > most) continue;
    if (c->step < oldest) oldest = c->step;
  }
  return oldest;
}

static void cut_log(Gc *gc) {
  Forks *f = gc->forks;
  if (f->n < 2 * (gc->heap->used_pages + LOG_SLACK)) return;
  if (f->home) { /* its log is also the list of what it changed itself */
    lose_log(f);
    return;
  }
  pthread_mutex_lock(&f->pool->lock);
  uint64_t cut = oldest_step(gc) - f->first;
  pthread_mutex_unlock(&f->pool->lock);
  memmove(f->log, f->log + cut, (f->n - cut) * sizeof *f->log);
  f->n -= cut;
  f->first += cut;
}

/* ---- forking ----------------------------------------------------------------------------------
 * */

static bool open_forks(Gc *gc) {
  if (!gc->forks) {
    gc->forks = calloc(1, sizeof *gc->forks);
    if (!gc->forks) return false;
    gc->forks->lost = true; /* nothing is tracked yet */
  }
  if (!gc->forks->pool) gc->forks->pool = pool_new();
  return gc->forks->pool != NULL;
}

/* A slot that is not in the pool: a mapping of the base, or without a content. */
static Gc *slot_open(Gc *gc, const Base *base) {
  Gc *slot = calloc(1, sizeof *slot);
  if (!slot) return NULL;
  slot->os = gc->os;
  slot->config = gc->config;
  slot->sweep_page = SWEEP_DONE;
  slot->forks = calloc(1, sizeof *slot->forks);
  bool open = slot->forks && (base ? cage_open_mapped(slot, &base->file, gc)
                                   : cage_open_like(slot, gc));
  gc->os.calls = slot->os.calls;
  slot->os = (Os){0};
  if (open) return slot;
  free(slot->forks);
  free(slot);
  return NULL;
}

static Gc *slot_copied(Gc *gc) {
  Gc *slot = slot_open(gc, NULL);
  if (!slot) return NULL;
  slot->forks->cold = true;
  slot->forks->step = log_end(gc->forks);
  return slot;
}

/* The base for a new slot. NULL: the system refuses. */
static Base *base_for(Gc *gc) {
  Forks *f = gc->forks;
  bool usable = f->base && f->base->step >= f->first;
  if (usable && f->regret * FAULT_PAGES <= gc->heap->used_pages) return f->base;
  uint64_t start = os_now_ns();
  Base *base = base_publish(gc, log_end(f));
  if (!base) return usable ? f->base : NULL;
  drop_base(f);
  f->base = base;
  f->regret = 0;
  f->stats.published++;
  f->stats.published_pages += base->pages;
  f->stats.published_ns += os_now_ns() - start;
  return base;
}

static Gc *slot_mapped(Gc *gc) {
  Forks *f = gc->forks;
  Base *base = base_for(gc);
  Gc *slot = base ? slot_open(gc, base) : NULL;
  if (!slot) return NULL;
  Forks *c = slot->forks;
  c->step = f->bug == FORK_MISSES_DELTA ? log_end(f) : base->step;
  c->origin = f->stats.published;
  c->pristine = true;
  slot->top_page = base->top_page;
  f->regret += log_end(f) - base->step;
  f->stats.mapped++;
  return slot;
}

/* Copies are for small heaps and in place of worn slots, and not if there are many forks at once.
 * */
static bool wants_copy(Gc *gc) {
  Forks *f = gc->forks;
  ForkPool *pool = f->pool;
  if (f->kind != FORK_AS_FITS) return f->kind == FORK_COPIED;
  bool small = gc->heap->used_pages <= COPY_ALWAYS;
  pthread_mutex_lock(&pool->lock);
  bool few = pool->nslots < pool->most_idle, due = few && !small && pool->copies_due;
  pool->copies_due -= due;
  pthread_mutex_unlock(&pool->lock);
  return few && (small || due);
}

static Gc *slot_new(Gc *gc) {
  ForkPool *pool = gc->forks->pool;
  Gc *slot = wants_copy(gc) ? NULL : slot_mapped(gc);
  if (!slot) slot = slot_copied(gc);
  if (!slot) return NULL;
  pthread_mutex_lock(&pool->lock);
  bool room = pool_room(pool);
  if (room) {
    slot->forks->place = pool->nslots;
    pool->slots[pool->nslots++] = slot;
    pool->users++;
    slot->forks->home = pool;
  }
  pthread_mutex_unlock(&pool->lock);
  if (room) return slot;
  slot_free(slot);
  return NULL;
}

/* What is in a slot whose copy failed is of no use. */
static void slot_drop(Gc *slot) {
  ForkPool *pool = slot->forks->home;
  pthread_mutex_lock(&pool->lock);
  pool_remove(pool, slot);
  pthread_mutex_unlock(&pool->lock);
  slot_free(slot);
  pool_leave(pool);
}

static bool bring_up(Gc *gc, Gc *slot) {
  Forks *c = slot->forks;
  bool cold = c->cold || c->step < gc->forks->first;
  slot->os = gc->os;
  bool ok = cold ? copy_whole(gc, slot) : copy_difference(gc, slot);
  gc->os.calls = slot->os.calls;
  slot->os = (Os){0};
  return ok;
}

static void count(Gc *gc, uint64_t start, uint64_t copied) {
  GcForkStats *s = &gc->forks->stats;
  s->forks++;
  s->last_copied = s->copied - copied;
  s->last_shared = gc->heap->used_pages > s->last_copied ? gc->heap->used_pages - s->last_copied : 0;
  s->last_ns = os_now_ns() - start;
}

/* Pages that were opened for stores may be what they were: the running stack's often are. If all
 * that the log has since the base are, it is in step. */
static void look_at_base(Gc *gc) {
  Forks *f = gc->forks;
  Base *base = f->base;
  if (!base || f->lost || base->step < f->first || log_end(f) - base->step > LOOKED_AT) return;
  for (uint64_t i = base->step - f->first; i < f->n; i++)
    if (is_free(gc, f->log[i]) || !base_has_page(base, gc, f->log[i])) return;
  base->step = log_end(f);
}

/* Whether what is in a mapped slot is what its child is to begin with. */
static bool can_sleep(const Gc *gc, const Gc *slot) {
  const Forks *f = gc->forks, *c = slot->forks;
  return c->pristine && f->base && c->origin == f->stats.published && f->base->step == log_end(f) &&
         base_has_roots(f->base, gc);
}

/* Makes a slot what the heap is now. */
static bool fill(Gc *gc, Gc *slot, void *embedder) {
  Forks *c = slot->forks;
  bool asleep = can_sleep(gc, slot);
  if (!asleep && !bring_up(gc, slot)) return false;
  if (!asleep) copy_roots(gc, slot);
  begin_life(gc, slot, embedder);
  c->asleep = true;
  if (!asleep) gc_wake(slot);
  return true;
}

Gc *gc_fork(Gc *gc, void *embedder) {
  Gc *child = gc_fork_asleep(gc, embedder);
  if (child) gc_wake(child);
  return child;
}

Gc *gc_fork_asleep(Gc *gc, void *embedder) {
  uint64_t start = os_now_ns();
  if (gc->collecting || !open_forks(gc)) return NULL;
  uint64_t copied = gc->forks->stats.copied;
  if (!fork_has_bug(gc, FORK_KEEPS_RUNS)) slab_close_runs(gc);
  cut_log(gc);
  Gc *slot = pool_take(gc->forks->pool);
  if (!slot || slot->forks->pristine) look_at_base(gc);
  if (!slot) slot = slot_new(gc);
  if (!slot) return NULL;
  if (!fill(gc, slot, embedder)) {
    slot_drop(slot);
    return NULL;
  }
  begin_epoch(gc);
  count(gc, start, copied);
  return slot;
}

bool gc_is_tracked(const Gc *gc) { return gc->forks != NULL; }

void gc_fork_stats(Gc *gc, GcForkStats *out) {
  *out = (GcForkStats){0};
  if (!gc->forks) return;
  *out = gc->forks->stats;
  out->changed = gc->forks->n - (gc->forks->epoch - gc->forks->first);
  ForkPool *pool = gc->forks->pool;
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  out->alive = pool->nslots - pool->nidle;
  out->idle = pool->nidle;
  out->idle_bytes = pool->idle_bytes;
  pthread_mutex_unlock(&pool->lock);
}

void fork_set_slots(Gc *gc, ForkSlots slots) {
  if (open_forks(gc)) gc->forks->kind = slots;
}

void fork_set_bug(Gc *gc, ForkBug bug) { gc->forks->bug = bug; }
bool fork_has_bug(const Gc *gc, ForkBug bug) { return gc->forks && gc->forks->bug == bug; }
