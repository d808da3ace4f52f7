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
 * What is kept for later forks counts against the memory limit (share.h), and gives way when that
 * presses: idle slots, and the base while nothing alive is mapped to it.
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
#include "plant.h"
#include "purge.h"
#include "share.h"
#include "slab.h"
#include "snapshot.h"
#include "sweep.h"

enum { LEAST_IDLE = 8, LOG_SLACK = 8192, LOG_FIRST = 64 };
enum { COPY_ALWAYS = 2048 }; /* heaps up to so many pages are copied */
enum { LOOKED_AT = 16 }; /* pages changed since the base: so many are compared with it */
enum { FAULT_PAGES = 16 }; /* a page fault costs as much as so many pages of a large copy */
/* Of slots but one: that may be a copy of a larger heap. */
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
  uint64_t base_bytes; /* of the newest base */
  uint64_t kept;   /* what counts against the limit; atomic, like */
  uint64_t newest; /* GcForkStats.published */
  GcShare *share;  /* where it is counted, NULL: the parent looks here */
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
  uint64_t shared; /* pages in use that are not, or more than that have been given back */
  uint32_t place;  /* in ForkPool.slots */
  uint64_t idle_bytes; /* as it is counted in the pool */
  GcForkStats stats;
} Forks;

/* ---- the log --------------------------------------------------------------------------------- */

static uint64_t log_end(const Forks *f) { return f->first + f->n; }

/* No slot is in step any more, nor is the base; nor is this heap itself when it is a slot again. */
static void lose_log(Forks *f) {
  f->first = log_end(f) + 1;
  f->n = 0;
  f->lost = true;
  f->cold = !PLANTED(FORK_FORGETS_LOSS);
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

void fork_lose(Gc *gc) { lose_log(gc->forks); }

/* A page of a mapped fork becomes its own. One that it had before the last fork of itself is
 * counted again: it counts as more than it has then, up to all of its heap. */
static void count_page(Gc *gc, uint64_t page) {
  Forks *f = gc->forks;
  if (page < gc->heap->first_page || gc->states[page] & PAGE_FREE || !f->shared) return;
  if (f->own && bits_test(f->own, page)) return;
  f->shared--;
  share_count(gc);
}

void fork_note(Gc *gc, uint64_t page) {
  gc->states[page] &= (uint8_t)~PAGE_TRACK;
  enter(gc->forks, page);
  if (gc->mapped) count_page(gc, page);
}

/* With a base that has been replaced there is all of that, too. */
uint64_t fork_pages_slow(const Gc *gc) {
  const Forks *f = gc->forks;
  uint64_t used = gc->heap->used_pages;
  bool stale = f->origin != __atomic_load_n(&f->home->newest, __ATOMIC_RELAXED);
  if (!gc->share || stale) return used;
  return used > f->shared ? used - f->shared : 0;
}

/* ---- states ---------------------------------------------------------------------------------- */

/* The metadata before this page is copied at each fork. */
enum { FIRST_TRACKED = GC_ROOT_END / GC_PAGE };

static void track_range(Gc *gc, uint64_t from, uint64_t to) {
  for (uint64_t page = from; page < to; page++) gc->states[page] |= PAGE_TRACK;
}

static void track_all(Gc *gc) {
  const Heap *h = gc->heap;
  uint64_t end = h->cage_pages / UNIT_PAGES, unit = h->first_page / UNIT_PAGES;
  track_range(gc, FIRST_TRACKED, h->first_page);
  while ((unit = bits_next(gc->committed, unit, end)) < end) {
    track_range(gc, unit * UNIT_PAGES, (unit + 1) * UNIT_PAGES);
    unit++;
  }
}

/* What changed since the last fork is to be reported again. */
static void begin_epoch(Gc *gc) {
  Forks *f = gc->forks;
  if (f->lost) track_all(gc);
  else if (!PLANTED(FORK_TRACKS_ONCE))
    for (uint64_t i = f->epoch - f->first; i < f->n; i++) gc->states[f->log[i]] |= PAGE_TRACK;
  f->lost = false;
  f->epoch = log_end(f);
}

/* Takes what the collector and snapshots of a child have left out of the states of its pages. */
static void wash(Gc *child) {
  const Heap *h = child->heap;
  uint64_t end = h->cage_pages / UNIT_PAGES, unit = h->first_page / UNIT_PAGES;
  for (uint64_t page = FIRST_TRACKED; page < h->first_page; page++)
    child->states[page] &= PAGE_TRACK;
  while ((unit = bits_next(child->committed, unit, end)) < end) {
    uint8_t *state = child->states + unit++ * UNIT_PAGES;
    for (unsigned i = 0; i < UNIT_PAGES; i++) state[i] &= PAGE_TRACK | PAGE_FREE;
  }
  if (child->config.guard) {
    uint64_t from = FIRST_TRACKED, to = h->first_page;
    if (child->top_page > to) to = child->top_page;
    os_protect(child->base + from * GC_PAGE, (to - from) * GC_PAGE, true);
  }
}

/* ---- copying --------------------------------------------------------------------------------- */

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
  memset(child->states + FIRST_TRACKED, PAGE_TRACK, gc->heap->first_page - FIRST_TRACKED);
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
  if (PLANTED(FORK_FORGETS_CHILD)) c->n = 0;
  if (PLANTED(FORK_FORGETS_PARENT)) return;
  for (uint64_t i = c->step - f->first + PLANTED(FORK_STEP_LATE); i < f->n; i++) {
    uint32_t page = f->log[i];
    if (page >= gc->heap->first_page && !cage_is_committed(child, page)) enter(c, page);
    else fork_note_page(child, page);
  }
}

/* Pages anywhere in a large heap are in no cache: while two are copied, the next is fetched. The
 * processor goes on by itself behind the first lines. */
static void fetch_page(const Gc *gc, const Gc *child, uint64_t page) {
  enum { LINES = 4, LINE = 64 };
  const uint8_t *from = gc->base + page * GC_PAGE, *to = child->base + page * GC_PAGE;
  __builtin_prefetch(gc->states + page);
  __builtin_prefetch(child->states + page, 1);
  for (unsigned i = 0; i < LINES; i++) {
    __builtin_prefetch(from + i * LINE);
    __builtin_prefetch(to + i * LINE, 1);
  }
}

static bool copy_difference(Gc *gc, Gc *child) {
  Forks *c = child->forks;
  join_logs(gc, child);
  if (c->lost) return copy_whole(gc, child);
  for (uint64_t i = PLANTED(FORK_MISSES_PAGE); i < c->n; i++) {
    if (i + 2 < c->n) fetch_page(gc, child, c->log[i + 2]);
    if (!copy_page(gc, child, c->log[i])) return false;
  }
  return true;
}

/* The parts that are written to without a barrier, and what is not the parent's. */
static void copy_roots(Gc *gc, Gc *child) {
  uint64_t bytes = gc->config.root_bytes ? gc->config.root_bytes : GC_ROOT_BYTES;
  memcpy(child->heap, gc->heap, sizeof(Heap));
  if (!PLANTED(FORK_MISSES_ROOTS)) memcpy(child->base + GC_ROOT_OFF, gc->base + GC_ROOT_OFF, bytes);
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
  uint64_t used = gc->heap->used_pages;
  c->shared = used > c->nown ? used - c->nown : 0;
  c->stats = (GcForkStats){0};
  child->first_serial = snapshot_serial_after(child, snapshot_last_serial(gc));
  child->config = gc->config;
  child->config.embedder = embedder;
  if (gc->top_page > child->top_page) child->top_page = gc->top_page;
  child->minors = child->majors = child->collect_ns_total = child->collect_ns_max = 0;
  memset(child->pauses, 0, sizeof child->pauses);
  child->stepped_at = gc->heap->allocated_bytes;
  child->must_be_full = true;
  slab_forget_holes(child);
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

/* ---- pools ----------------------------------------------------------------------------------- */

/* Under the lock, after a change: what is kept. */
static void pool_count(ForkPool *pool) {
  bool alive = pool->nslots > pool->nidle;
  uint64_t kept = pool->idle_bytes + (alive ? 0 : pool->base_bytes);
  if (pool->share) share_add(pool->share, kept, pool->kept);
  __atomic_store_n(&pool->kept, kept, __ATOMIC_RELAXED);
}

static void pool_set_base(ForkPool *pool, uint64_t newest, uint64_t bytes) {
  pthread_mutex_lock(&pool->lock);
  __atomic_store_n(&pool->newest, newest, __ATOMIC_RELAXED);
  pool->base_bytes = bytes;
  pool_count(pool);
  pthread_mutex_unlock(&pool->lock);
}

static void drop_base(Forks *f) {
  if (!f->base) return;
  base_free(f->base);
  f->base = NULL;
  if (f->pool) pool_set_base(f->pool, f->stats.published, 0);
}

static void pool_free(ForkPool *pool) {
  if (pool->share) {
    share_add(pool->share, 0, pool->kept);
    share_unjoin(pool->share);
  }
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
  pool_count(pool);
}

/* Under the lock: memory of its own, and that of a base which is there for its sake. */
static uint64_t slot_bytes(const ForkPool *pool, const Gc *slot) {
  const Forks *c = slot->forks;
  uint64_t all = slot->committed_units * UNIT_BYTES;
  uint64_t own = c->pristine ? 0 : c->origin ? (c->nown + c->n) * GC_PAGE : all;
  return c->origin && c->origin != pool->newest ? own + all : own;
}

static Gc *pool_take(ForkPool *pool) {
  pthread_mutex_lock(&pool->lock);
  Gc *slot = pool->nidle ? pool->idle[--pool->nidle] : NULL;
  if (slot) pool->idle_bytes -= slot->forks->idle_bytes;
  pool_count(pool);
  pthread_mutex_unlock(&pool->lock);
  return slot;
}

/* A mapped slot whose page faults have cost as much as a copy of the whole heap is of no use any
 * more: the next slot is to be such a copy. (To make all its pages private at once would not do: on
 * virtual machines the first use of each small page costs a fault of the host's.) */
static bool is_worn(const Gc *slot) {
  const Forks *c = slot->forks;
  uint64_t pages = slot->committed_units * UNIT_PAGES;
  return c->origin && (c->nown + c->n) * FAULT_PAGES > pages;
}

/* Under the lock: takes the slot back, unless there are enough. */
static bool pool_put(ForkPool *pool, Gc *slot) {
  uint64_t bytes = slot->forks->idle_bytes = slot_bytes(pool, slot);
  bool full = pool->orphaned || pool->nidle >= pool->most_idle ||
              (pool->nidle && pool->idle_bytes + bytes > MOST_IDLE_BYTES);
  bool worn = !full && is_worn(slot);
  pool->copies_due += worn;
  if (full || worn) {
    pool_remove(pool, slot);
    return false;
  }
  pool->idle[pool->nidle++] = slot;
  pool->idle_bytes += bytes;
  pool_count(pool);
  return true;
}

static void slot_free(Gc *slot) {
  fork_close(slot);
  mark_close(slot);
  slab_close(slot);
  cage_close(slot);
  free(slot);
}

/* The caller is a user of the pool. Gives how many slots there were. */
static unsigned pool_drop_idle(ForkPool *pool) {
  unsigned n = 0;
  for (Gc *slot; (slot = pool_take(pool)) != NULL; n++) {
    pthread_mutex_lock(&pool->lock);
    pool_remove(pool, slot);
    pthread_mutex_unlock(&pool->lock);
    slot_free(slot);
    pool_leave(pool);
  }
  return n;
}

uint64_t fork_kept_bytes(const Gc *gc) {
  const ForkPool *pool = gc->forks ? gc->forks->pool : NULL;
  return pool ? __atomic_load_n(&pool->kept, __ATOMIC_RELAXED) : 0;
}

/* Base and slots of the heap's own pool; nobody else may touch the base. */
static bool drop_own(Gc *gc) {
  Forks *f = gc->forks;
  if (!f->pool || !fork_kept_bytes(gc)) return false;
  pool_drop_idle(f->pool);
  if (fork_kept_bytes(gc)) drop_base(f);
  return true;
}

bool fork_drop_kept(Gc *gc) {
  Forks *f = gc->forks;
  if (!f) return false;
  bool own = drop_own(gc);
  return (gc->share && f->home && pool_drop_idle(f->home)) || own;
}

static void pool_join(ForkPool *pool, GcShare *share) {
  if (!pool || !share || pool->share) return;
  pthread_mutex_lock(&pool->lock);
  pool->share = share_join(share);
  share_add(share, pool->kept, 0);
  pthread_mutex_unlock(&pool->lock);
}

void fork_join_share(Gc *gc) {
  if (gc->forks) pool_join(gc->forks->pool, gc->share);
}

void fork_close_pool(Gc *gc) {
  ForkPool *pool = gc->forks ? gc->forks->pool : NULL;
  if (!pool) return;
  gc->forks->pool = NULL;
  pthread_mutex_lock(&pool->lock);
  pool->orphaned = true;
  pthread_mutex_unlock(&pool->lock);
  pool_drop_idle(pool);
  pool_leave(pool);
}

bool fork_give_back(Gc *gc) {
  Forks *f = gc->forks;
  ForkPool *pool = f ? f->home : NULL;
  if (!pool) return false;
  bool clean = gc->minors + gc->majors == 0 && !gc->snapshots;
  drop_base(f);
  if (!f->asleep) {
    snapshot_close(gc);
    if (!clean && !PLANTED(FORK_NOT_WASHED)) wash(gc);
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

/* ---- cutting the log ------------------------------------------------------------------------- */

/* How far behind a slot may be. */
static uint64_t log_most(const Gc *gc) { return gc->heap->used_pages + LOG_SLACK; }

/* Under the lock: up to which entry the slots are in step that are worth it. Those that are too far
 * behind are copied whole when they are used next. What changed since the last fork stays in any
 * case: it has to be tracked again (begin_epoch). */
static uint64_t oldest_step(Gc *gc) {
  Forks *f = gc->forks;
  uint64_t oldest = f->base && f->base->step < f->epoch ? f->base->step : f->epoch;
  uint64_t most = log_most(gc);
  for (uint32_t i = 0; i < f->pool->nslots; i++) {
    Forks *c = f->pool->slots[i]->forks;
    if (c->step < f->first || log_end(f) - c->step > most) continue;
    if (c->step < oldest) oldest = c->step;
  }
  return oldest;
}

static void cut_log(Gc *gc) {
  Forks *f = gc->forks;
  if (f->n < 2 * log_most(gc)) return;
  if (f->home) { /* its log is also the list of what it changed itself */
    lose_log(f);
    return;
  }
  if (f->base && (f->base->step < f->first || log_end(f) - f->base->step > log_most(gc)))
    drop_base(f);
  pthread_mutex_lock(&f->pool->lock);
  uint64_t cut = oldest_step(gc) - f->first;
  pthread_mutex_unlock(&f->pool->lock);
  memmove(f->log, f->log + cut, (f->n - cut) * sizeof *f->log);
  f->n -= cut;
  f->first += cut;
}

/* ---- forking --------------------------------------------------------------------------------- */

static bool open_forks(Gc *gc) {
  if (!gc->forks) {
    gc->forks = calloc(1, sizeof *gc->forks);
    if (!gc->forks) return false;
    gc->forks->lost = true; /* nothing is tracked yet */
  }
  if (!gc->forks->pool) gc->forks->pool = pool_new();
  fork_join_share(gc);
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

/* A base that nobody is mapped to is not kept beside a copy of a large heap. */
static Gc *slot_copied(Gc *gc) {
  ForkPool *pool = gc->forks->pool;
  Gc *slot = slot_open(gc, NULL);
  if (!slot) return NULL;
  pthread_mutex_lock(&pool->lock);
  bool alone = pool->nslots == 0;
  pthread_mutex_unlock(&pool->lock);
  if (alone && gc->heap->used_pages > COPY_ALWAYS) drop_base(gc->forks);
  slot->forks->cold = true;
  slot->forks->step = log_end(gc->forks);
  return slot;
}

static bool has_room_for_copy(Gc *gc) {
  return !gc->share ||
         share_has_room(gc, gc->heap->used_pages * GC_PAGE, gc->heap->limit_bytes);
}

/* Forks of the base before count with all that they have then. */
static bool may_replace_base(Gc *gc) {
  ForkPool *pool = gc->forks->pool;
  uint64_t bytes = gc->heap->used_pages * GC_PAGE;
  pthread_mutex_lock(&pool->lock);
  uint64_t alive = pool->nslots - pool->nidle;
  pthread_mutex_unlock(&pool->lock);
  return !gc->share || share_has_room(gc, alive * bytes, gc->heap->limit_bytes);
}

/* The base for a new slot. NULL: the system refuses. */
static Base *base_for(Gc *gc) {
  Forks *f = gc->forks;
  bool usable = f->base && f->base->step >= f->first;
  if (usable && f->regret * FAULT_PAGES <= gc->heap->used_pages) return f->base;
  if (usable && !may_replace_base(gc)) return f->base;
  uint64_t start = os_now_ns();
  Base *base = base_publish(gc, log_end(f));
  if (!base) return usable ? f->base : NULL;
  drop_base(f);
  f->base = base;
  f->regret = 0;
  f->stats.published++;
  pool_set_base(f->pool, f->stats.published, base->pages * GC_PAGE);
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
  c->step = PLANTED(FORK_MISSES_DELTA) ? log_end(f) : base->step;
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
  bool small = gc->heap->used_pages <= COPY_ALWAYS, room = has_room_for_copy(gc);
  pthread_mutex_lock(&pool->lock);
  bool few = room && pool->nslots < pool->most_idle, due = few && !small && pool->copies_due;
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
    pool_count(pool);
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
  bool cold = c->cold || c->step + PLANTED(FORK_CUT_LATE) < gc->forks->first;
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
  uint64_t used = gc->heap->used_pages;
  s->last_shared = used > s->last_copied ? used - s->last_copied : 0;
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
  return c->pristine && f->base && c->origin == f->stats.published &&
         (f->base->step == log_end(f) || PLANTED(FORK_SLEEPS_ON)) && base_has_roots(f->base, gc);
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
  purge_finish(gc);
  if (!PLANTED(FORK_KEEPS_RUNS)) slab_close_runs(gc);
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
