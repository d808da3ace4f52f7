/* Forks without memory: each request that a fork or its parent makes is refused once, be it one to
 * the system (mappings, memory to be populated, files in memory) or to malloc. Whatever comes of
 * it, the other heap is unharmed, the heap itself is whole and goes on as soon as there is memory
 * again, and nothing is leaked. The linker puts the functions below before malloc and its kin
 * (Makefile). */
#include <stdio.h>

#include "gc/fork.h"
#include "gc_programs.h"
#include "sanitized.h"

#ifdef SANITIZED
#include <sanitizer/lsan_interface.h>
#define CHECK_LEAKS() cr_assert_eq(__lsan_do_recoverable_leak_check(), 0, "memory is leaked")
#else
#define CHECK_LEAKS() (void)0
#endif

/* ---- malloc ---- */

static struct {
  uint64_t calls, fail_at;
  int64_t live;
} requests;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static bool refused(void) { return ++requests.calls == requests.fail_at; }

static void *given(void *block) {
  requests.live += block != NULL;
  return block;
}

void *__wrap_malloc(size_t size) { return refused() ? NULL : given(__real_malloc(size)); }
void *__wrap_calloc(size_t count, size_t size) {
  return refused() ? NULL : given(__real_calloc(count, size));
}
void *__wrap_realloc(void *block, size_t size) {
  if (refused()) return NULL;
  return block ? __real_realloc(block, size) : given(__real_realloc(NULL, size));
}
void __wrap_free(void *block) {
  requests.live -= block != NULL;
  __real_free(block);
}

/* ---- who is refused what ---- */

typedef enum Place { MALLOC, SYSTEM, PLACES } Place;

static void refuse(Gc *gc, Place place, uint64_t nth) {
  if (place == MALLOC) {
    requests.fail_at = requests.calls + nth;
  } else {
    gc->os.fail_at = gc->os.calls + nth;
    gc->os.fail_count = 1;
  }
}

/* True: it came to that. */
static bool grant(Gc *gc, Place place) {
  bool reached =
      place == MALLOC ? requests.calls >= requests.fail_at : gc->os.calls >= gc->os.fail_at;
  requests.fail_at = 0;
  gc->os.fail_at = 0;
  return reached;
}

/* ---- a life ---- */

static void fork_and_free(World *w) {
  Gc *child = gc_fork(w->gc, NULL);
  if (!child) return;
  cr_assert_eq(hash_heap(child), hash_heap(w->gc),
               "a fork differs, request %lu of malloc, %lu of the system refused",
               (unsigned long)requests.fail_at, (unsigned long)w->gc->os.fail_at);
  World c = {.gc = child, .rng = 3};
  mutate(&c, 100);
  gc_free(child);
}

/* Everything that asks for memory. */
static void live(World *w) {
  mutate(w, 300);
  GcSnapshot s = gc_snapshot(w->gc, NULL);
  uint64_t then = hash_heap(w->gc);
  mutate(w, 300);
  fork_and_free(w);
  if (s && gc_past_open(w->gc, s)) gc_past_close(w->gc);
  gc_collect(w->gc);
  GcSnapshotStatus status = gc_restore(w->gc, s);
  if (status == GC_SNAPSHOT_OK) cr_assert_eq(hash_heap(w->gc), then, "a restored heap differs");
  gc_snapshot_release(w->gc, s);
  fork_and_free(w);
  mutate(w, 200);
  fork_and_free(w);
}

static World parent_of(ForkSlots slots, uint64_t pieces) {
  GcConfig config = {.cage_bytes = 16 << 20, .mode = GC_GENERATIONAL};
  World w = {.gc = gc_new(&config), .rng = 9};
  cr_assert(w.gc != NULL);
  mutate(&w, (unsigned)pieces);
  gc_collect(w.gc);
  fork_set_slots(w.gc, slots);
  return w;
}

/* True: so many requests are not made. */
static bool child_refused(Place place, ForkSlots slots, uint64_t nth) {
  World w = parent_of(slots, 1500);
  if (nth % 2) fork_and_free(&w); /* else the slot is a new one */
  uint64_t before = hash_heap(w.gc);
  World c = {.gc = gc_fork(w.gc, NULL), .rng = 11};
  cr_assert(c.gc != NULL);
  refuse(c.gc, place, nth);
  live(&c);
  bool reached = grant(c.gc, place);
  cr_assert_eq(hash_heap(w.gc), before, "the parent is harmed");
  verify(c.gc);
  live(&c);
  verify(c.gc);
  cr_assert_eq(hash_heap(w.gc), before, "the parent is harmed");
  gc_free(c.gc);
  live(&w);
  verify(w.gc);
  gc_free(w.gc);
  return !reached;
}

static bool parent_refused(Place place, ForkSlots slots, uint64_t nth) {
  World w = parent_of(slots, 1500);
  World c = {.gc = gc_fork(w.gc, NULL), .rng = 11};
  uint64_t before = hash_heap(c.gc);
  refuse(w.gc, place, nth);
  live(&w);
  bool reached = grant(w.gc, place);
  cr_assert_eq(hash_heap(c.gc), before, "the fork is harmed");
  verify(w.gc);
  live(&c);
  verify(c.gc);
  live(&w);
  gc_free(c.gc);
  gc_free(w.gc);
  return !reached;
}

static void refuse_all(bool (*one)(Place, ForkSlots, uint64_t)) {
  one(SYSTEM, FORK_MAPPED, 1000);
  unsigned maps = lines_of("/proc/self/maps");
  for (Place place = MALLOC; place < PLACES; place++) {
    for (unsigned slots = FORK_COPIED; slots <= FORK_MAPPED; slots++) {
      uint64_t nth = 0;
      bool done = false;
      while (!done && nth < 500) {
        int64_t live_before = requests.live;
        done = one(place, (ForkSlots)slots, ++nth);
        cr_assert_eq(requests.live, live_before, "blocks of malloc are leaked, request %lu",
                     (unsigned long)nth);
      }
      cr_assert(done && nth > 6, "%lu requests", (unsigned long)nth);
      printf("ran: %lu requests refused (%s, %s)\n", (unsigned long)nth,
             place == MALLOC ? "malloc" : "system", slots == FORK_MAPPED ? "mapped" : "copied");
    }
  }
  fflush(stdout);
  cr_assert_leq(lines_of("/proc/self/maps"), maps + 8,
                "mappings are leaked"); /* malloc may have more */
  CHECK_LEAKS();
}

Test(gc_refused, child, .timeout = 600) { refuse_all(child_refused); }
Test(gc_refused, parent, .timeout = 600) { refuse_all(parent_refused); }

/* The log is full at a fork, and refused room for the very next page: then the slot, which was in
 * step with its end, is so no more. */
Test(gc_refused, end_of_log) {
  enum { PAGES = 300, FIRST = 64 };
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 16 << 20});
  uint32_t big = new_wide(gc, PAGES * GC_PAGE_WORDS);
  root_area(gc)[0] = ref_value(big);
  fork_set_slots(gc, FORK_COPIED);
  gc_free(gc_fork(gc, NULL));
  GcForkStats stats = {0};
  uint32_t page = 0;
  for (; stats.changed < FIRST; gc_fork_stats(gc, &stats))
    gc_store(gc_base(gc), big + 1 + page++ * GC_PAGE_WORDS, 5);
  gc_free(gc_fork(gc, NULL));
  refuse(gc, MALLOC, 1);
  gc_store(gc_base(gc), big + 1 + page * GC_PAGE_WORDS, 6);
  cr_assert(grant(gc, MALLOC), "the log was not full");
  Gc *child = gc_fork(gc, NULL);
  cr_assert_eq(hash_heap(child), hash_heap(gc));
  gc_free(child);
  gc_free(gc);
}
