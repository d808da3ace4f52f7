/* Forks of the heap: random programs run in a family of heaps, which fork one another at any
 * moment; each fork must have its parent's state, bit for bit, and no heap may see what another one
 * does. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

#include "gc/cage.h"
#include "gc/fork.h"
#include "gc_programs.h"

enum { FAMILY = 5, PROGRAMS = 28, STEPS = 120 };

typedef struct Family {
  uint64_t rng;
  World heap[FAMILY];     /* .gc NULL: no heap */
  uint64_t hash[FAMILY];  /* as each heap was left */
  ForkSlots slots;
  uint64_t wrong, forks;
} Family;

static bool same(Family *f, uint64_t a, uint64_t b) {
  if (a == b) return true;
  f->wrong++;
  return false;
}

static void look_at_all(Family *f) {
  for (unsigned i = 0; i < FAMILY; i++)
    if (f->heap[i].gc && !same(f, hash_heap(f->heap[i].gc), f->hash[i]))
      f->hash[i] = hash_heap(f->heap[i].gc);
}

static int free_place(Family *f) {
  for (int i = 0; i < FAMILY; i++)
    if (!f->heap[i].gc) return i;
  return -1;
}

static void fork_one(Family *f, unsigned from) {
  int to = free_place(f);
  if (to < 0) return;
  World *w = f->heap + from;
  fork_set_slots(w->gc, f->slots);
  Gc *child = gc_fork(w->gc, NULL);
  cr_assert(child != NULL);
  f->hash[from] = hash_heap(w->gc);
  f->heap[to] = (World){.gc = child, .rng = next_random(&f->rng) | 1, .in_place = true};
  f->hash[to] = hash_heap(child);
  same(f, f->hash[to], f->hash[from]);
  f->forks++;
}

static void end_one(Family *f, unsigned i) {
  gc_free(f->heap[i].gc);
  f->heap[i].gc = NULL;
}

/* Snapshots and rollbacks between forks change pages beside the barrier. */
static void keep_or_go_back(World *w) {
  if (w->n < 4 && below(&w->rng, 2)) {
    GcSnapshot id = gc_snapshot(w->gc, NULL);
    cr_assert_neq(id, 0);
    w->kept[w->n++] = (Kept){id, hash_heap(w->gc), 0};
  } else if (w->n) {
    Kept *k = w->kept + below(&w->rng, w->n);
    cr_assert_eq(gc_restore(w->gc, k->id), GC_SNAPSHOT_OK);
    cr_assert_eq(hash_heap(w->gc), k->hash, "the restored heap differs");
    if (below(&w->rng, 3)) return;
    gc_snapshot_release(w->gc, k->id);
    *k = w->kept[--w->n];
  }
}

static void family_step(Family *f) {
  unsigned i = (unsigned)below(&f->rng, FAMILY);
  World *w = f->heap + i;
  if (!w->gc) return;
  switch (below(&f->rng, 8)) {
    case 0 ... 2: mutate(w, 1 + (unsigned)below(&w->rng, 150)); break;
    case 3 ... 4: keep_or_go_back(w); break;
    case 5 ... 6: fork_one(f, i); return;
    default:
      if (i > 0 || below(&f->rng, 16) == 0) end_one(f, i);
      else verify(w->gc);
      break;
  }
  if (w->gc) f->hash[i] = hash_heap(w->gc);
}

static uint64_t run_family(uint64_t seed, GcMode mode, bool guard) {
  GcConfig config = {.cage_bytes = 16 << 20, .mode = mode, .guard = guard};
  Family f = {.rng = seed * 2 + 1, .slots = seed % 2 ? FORK_MAPPED : FORK_COPIED};
  f.heap[0] = (World){.gc = gc_new(&config), .rng = seed * 2 + 3, .in_place = true};
  cr_assert(f.heap[0].gc != NULL);
  f.hash[0] = hash_heap(f.heap[0].gc);
  for (unsigned i = 0; i < STEPS && !f.wrong; i++) {
    family_step(&f);
    look_at_all(&f);
  }
  for (unsigned i = 0; i < FAMILY; i++) {
    if (!f.heap[i].gc) continue;
    if (!f.wrong) verify(f.heap[i].gc);
    end_one(&f, i);
  }
  return f.wrong;
}

static const GcMode modes[] = {GC_STOP_WORLD, GC_GENERATIONAL, GC_INCREMENTAL, GC_ADAPTIVE};

Test(gc_fork, random_families) {
  for (unsigned seed = 1; seed <= PROGRAMS; seed++) {
    uint64_t wrong = run_family(seed, modes[seed % 4], seed % 9 == 0);
    cr_assert_eq(wrong, 0, "%llu heaps differ, seed %u", (unsigned long long)wrong, seed);
  }
}

/* ---- at the same time ------------------------------------------------------------------------ */

/* The objects that the slots reach, numbered in the order in which they are found: the same for
 * equal graphs, wherever they lie. */
typedef struct Graph {
  Gc *gc;
  uint32_t *number, *queue;
  uint32_t n;
} Graph;

static uint64_t canonical(Graph *g, Value v) {
  if (v >> 48 != VALUE_REF_HIGH) return v;
  uint32_t ref = (uint32_t)v;
  if (!g->number[ref]) {
    g->queue[g->n++] = ref;
    g->number[ref] = g->n;
  }
  return (uint64_t)VALUE_REF_HIGH << 48 | g->number[ref];
}

static uint64_t hash_value(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9E3779B97F4A7C15u;
  return h ^ h >> 29;
}

static uint64_t hash_graph(World *w) {
  uint64_t words = (w->gc->heap->cage_pages + 1) * GC_PAGE_WORDS, h = 1;
  Graph g = {w->gc, calloc(words, 4), calloc(words, 4), 0};
  for (unsigned i = 0; i < SLOTS; i++) h = hash_value(h, canonical(&g, slots(w)[i]));
  for (uint32_t i = 0; i < g.n; i++) {
    const uint64_t *block = block_at(w->gc, g.queue[i]);
    uint32_t count = ((const Header *)block)->aux;
    h = hash_value(h, block[0]);
    for (uint32_t k = 1; k <= count; k++) h = hash_value(h, canonical(&g, block[k]));
  }
  free(g.number);
  free(g.queue);
  return h;
}

typedef struct Runner {
  World world;
  unsigned turns;
  uint64_t hash;
} Runner;

static void *run_alone(void *arg) {
  Runner *r = arg;
  for (unsigned i = 0; i < r->turns; i++) mutate(&r->world, 100);
  r->hash = hash_graph(&r->world);
  return NULL;
}

static Runner child_of(Gc *gc, uint64_t seed, unsigned turns) {
  Runner r = {.world = {.gc = gc_fork(gc, NULL), .rng = seed | 1}, .turns = turns};
  cr_assert(r.world.gc != NULL);
  return r;
}

enum { AT_ONCE = 2, TURNS = 30, ROUNDS = 3 };

/* Children and their parent run long mutations at the same time, each end as when they run alone.
 * */
static void round_at_once(World *parent, uint64_t seed) {
  Runner together[AT_ONCE], alone[AT_ONCE];
  pthread_t threads[AT_ONCE];
  for (unsigned i = 0; i < AT_ONCE; i++) {
    together[i] = child_of(parent->gc, seed + i, TURNS);
    alone[i] = child_of(parent->gc, seed + i, TURNS);
  }
  Runner before = child_of(parent->gc, parent->rng, TURNS), now = {.world = *parent, .turns = TURNS};
  before.world.rng = parent->rng;
  for (unsigned i = 0; i < AT_ONCE; i++)
    cr_assert_eq(pthread_create(threads + i, NULL, run_alone, together + i), 0);
  run_alone(&now);
  for (unsigned i = 0; i < AT_ONCE; i++) pthread_join(threads[i], NULL);
  run_alone(&before);
  cr_assert_eq(now.hash, before.hash, "the parent saw what its forks did");
  for (unsigned i = 0; i < AT_ONCE; i++) {
    run_alone(alone + i);
    cr_assert_eq(alone[i].hash, together[i].hash, "a fork saw what another one did");
    verify(together[i].world.gc);
    gc_free(together[i].world.gc);
    gc_free(alone[i].world.gc);
  }
  gc_free(before.world.gc);
  *parent = now.world;
}

Test(gc_fork, at_once) {
  for (unsigned m = 0; m < 4; m++) {
    GcConfig config = {.cage_bytes = 32 << 20, .mode = modes[m]};
    World parent = {.gc = gc_new(&config), .rng = 77 + m};
    fork_set_slots(parent.gc, m % 2 ? FORK_MAPPED : FORK_COPIED);
    for (unsigned round = 0; round < ROUNDS; round++) round_at_once(&parent, 1000 * m + round);
    gc_free(parent.gc);
  }
}

/* ---- the ends of lives ----------------------------------------------------------------------- */

Test(gc_fork, children_survive_parents) {
  GcConfig config = {.cage_bytes = 16 << 20};
  World w = {.gc = gc_new(&config), .rng = 5};
  fork_set_slots(w.gc, FORK_MAPPED);
  mutate(&w, 500);
  Gc *child = gc_fork(w.gc, NULL), *other = gc_fork(w.gc, NULL);
  gc_free(other);
  gc_free(w.gc);
  World c = {.gc = child, .rng = 6};
  Gc *grandchild = gc_fork(child, NULL);
  mutate(&c, 500);
  verify(child);
  gc_free(child);
  World g = {.gc = grandchild, .rng = 7};
  mutate(&g, 500);
  verify(grandchild);
  gc_free(grandchild);
}

/* Pages given back while a snapshot needs them are in use again after a rollback, though nobody has
 * stored to them: slots and bases of the time between must get to know. */
Test(gc_fork, given_back_and_undone) {
  enum { PAGES = 20, SAVED = 2 };
  for (unsigned kind = FORK_COPIED; kind <= FORK_MAPPED; kind++) {
    for (unsigned steps = 1; steps <= SAVED; steps++) {
      Gc *gc = gc_new(&(GcConfig){.cage_bytes = 16 << 20, .mode = GC_STOP_WORLD});
      uint32_t big = new_wide(gc, PAGES * GC_PAGE_WORDS);
      root_area(gc)[0] = ref_value(big);
      for (unsigned i = 0; i < PAGES; i++) gc_store(gc_base(gc), big + 1 + i * GC_PAGE_WORDS, i);
      fork_set_slots(gc, (ForkSlots)kind);
      GcSnapshot s = gc_snapshot(gc, NULL);
      root_area(gc)[0] = 0;
      gc_collect(gc);
      GcSnapshot later = steps > 1 ? gc_snapshot(gc, NULL) : 0;
      gc_free(gc_fork(gc, NULL));
      cr_assert_eq(gc_restore(gc, s), GC_SNAPSHOT_OK);
      Gc *child = gc_fork(gc, NULL);
      cr_assert_eq(hash_heap(child), hash_heap(gc));
      verify(child);
      gc_free(child);
      if (later) cr_assert_eq(gc_restore(gc, later), GC_SNAPSHOT_OK);
      child = gc_fork(gc, NULL);
      verify(child);
      gc_free(child);
      gc_free(gc);
    }
  }
}

/* What a fork copies is what one side changed, and no more. */
Test(gc_fork, copies_the_difference) {
  GcConfig config = {.cage_bytes = 64 << 20};
  Gc *gc = gc_new(&config);
  uint32_t big = new_wide(gc, 1000 * GC_PAGE_WORDS);
  root_area(gc)[0] = ref_value(big);
  gc_free(gc_fork(gc, NULL));
  Gc *child = gc_fork(gc, NULL);
  GcForkStats stats;
  gc_fork_stats(gc, &stats);
  cr_assert_eq(stats.whole, 1);
  cr_assert_leq(stats.last_copied, 4, "copied %llu", (unsigned long long)stats.last_copied);
  for (unsigned i = 0; i < 10; i++) gc_store(gc_base(child), big + 1 + i * GC_PAGE_WORDS, NIL);
  for (unsigned i = 5; i < 20; i++) gc_store(gc_base(gc), big + 1 + i * GC_PAGE_WORDS, NIL);
  gc_free(child);
  child = gc_fork(gc, NULL);
  gc_fork_stats(gc, &stats);
  cr_assert_eq(stats.last_copied, 20);
  cr_assert_eq(stats.alive, 1);
  cr_assert_geq(stats.last_shared, 980);
  gc_free(child);
  gc_free(gc);
}

/* Long lives: logs are cut, slots that are far behind are copied whole. */
Test(gc_fork, long_logs) {
  GcConfig config = {.cage_bytes = 16 << 20};
  Gc *gc = gc_new(&config);
  uint32_t big = new_wide(gc, 100 * GC_PAGE_WORDS);
  root_area(gc)[0] = ref_value(big);
  Gc *held = gc_fork(gc, NULL);
  for (unsigned round = 0; round < 1000; round++) {
    Gc *child = gc_fork(gc, NULL);
    for (unsigned i = 0; i < 60; i++) gc_store(gc_base(gc), big + 1 + i * GC_PAGE_WORDS, round);
    gc_free(child);
  }
  gc_free(held);
  held = gc_fork(gc, NULL);
  Gc *other = gc_fork(gc, NULL);
  for (unsigned i = 0; i < 60; i++) {
    cr_assert_eq(block_at(held, big)[1 + i * GC_PAGE_WORDS], 999);
    cr_assert_eq(block_at(other, big)[1 + i * GC_PAGE_WORDS], 999);
  }
  gc_free(held);
  gc_free(other);
  gc_free(gc);
}

/* ---- mappings of a base ---------------------------------------------------------------------- */

/* What the parent has changed is copied at once, be it a word of a page and nothing else. */
static void fork_changed(Gc *gc) {
  Gc *now = gc_fork_asleep(gc, NULL);
  cr_assert(!gc_is_asleep(now));
  cr_assert_eq(hash_heap(now), hash_heap(gc));
  gc_free(now);
}

/* Not even the counters of the heap tell of a store. */
Test(gc_fork, woken_by_a_store) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 16 << 20});
  uint32_t block = new_wide(gc, 100);
  root_area(gc)[0] = ref_value(block);
  fork_set_slots(gc, FORK_MAPPED);
  Gc *before = gc_fork_asleep(gc, NULL);
  cr_assert(gc_is_asleep(before));
  gc_store(gc_base(gc), block + 50, 1234);
  fork_changed(gc);
  gc_wake(before);
  cr_assert_eq(block_at(before, block)[50], NIL);
  gc_free(before);
  gc_free(gc);
}

/* Forks that sleep begin with their parent's state, see nothing of each other, and may end unused.
 * */
Test(gc_fork, asleep) {
  enum { HELD = 40 };
  GcConfig config = {.cage_bytes = 16 << 20};
  World w = {.gc = gc_new(&config), .rng = 21};
  Gc *held[HELD];
  mutate(&w, 1500);
  fork_set_slots(w.gc, FORK_MAPPED);
  for (unsigned i = 0; i < HELD; i++) {
    held[i] = gc_fork_asleep(w.gc, NULL);
    cr_assert(gc_is_asleep(held[i]), "fork %u is awake", i);
  }
  uint64_t before = hash_heap(w.gc);
  mutate(&w, 500);
  uint64_t after = hash_heap(w.gc);
  for (unsigned i = 0; i < HELD; i++) {
    if (i % 3 == 0) {
      gc_free(held[i]);
      continue;
    }
    gc_wake(held[i]);
    cr_assert_eq(hash_heap(held[i]), before);
    World child = {.gc = held[i], .rng = 50 + i};
    mutate(&child, 200);
    verify(held[i]);
  }
  cr_assert_eq(hash_heap(w.gc), after);
  fork_changed(w.gc);
  for (unsigned i = 0; i < HELD; i++)
    if (i % 3 != 0) gc_free(held[i]);
  GcForkStats stats;
  gc_fork_stats(w.gc, &stats);
  cr_assert_eq(stats.published, 1);
  cr_assert_eq(stats.whole, 0);
  gc_free(w.gc);
}

/* A base that the heap has left behind is replaced; forks of both bases live on. */
Test(gc_fork, bases_are_replaced) {
  enum { HELD = 60 };
  GcConfig config = {.cage_bytes = 16 << 20};
  World w = {.gc = gc_new(&config), .rng = 22};
  mutate(&w, 1500);
  fork_set_slots(w.gc, FORK_MAPPED);
  Gc *held[HELD];
  uint64_t hash[HELD];
  for (unsigned i = 0; i < HELD; i++) {
    mutate(&w, 40);
    held[i] = gc_fork(w.gc, NULL);
    hash[i] = hash_heap(w.gc);
    cr_assert_eq(hash_heap(held[i]), hash[i]);
  }
  GcForkStats stats;
  gc_fork_stats(w.gc, &stats);
  cr_assert_gt(stats.published, 1);
  cr_assert_lt(stats.published, HELD);
  for (unsigned i = 0; i < HELD; i++) {
    cr_assert_eq(hash_heap(held[i]), hash[i]);
    gc_free(held[i]);
  }
  gc_free(w.gc);
}

/* A full collection in a fork leaves the pages of objects shared, and nearly all metadata. */
Test(gc_fork, collections_share) {
  enum { LISTS = 400, LENGTH = 400 };
  GcConfig config = {.cage_bytes = 64 << 20};
  Gc *gc = gc_new(&config);
  uint32_t all = new_wide(gc, LISTS + 1);
  root_area(gc)[0] = ref_value(all);
  for (unsigned i = 0; i < LISTS; i++) {
    for (unsigned k = 0; k < 20; k++) new_wide(gc, 3 + k); /* garbage */
    gc_store(gc_base(gc), all + 1 + i, ref_value(new_wide(gc, LENGTH)));
  }
  gc_collect(gc);
  fork_set_slots(gc, FORK_MAPPED);
  Gc *child = gc_fork(gc, NULL);
  gc_collect(child);
  uint64_t objects = 0, used = child->heap->used_pages;
  for (uint64_t page = child->heap->first_page; page < child->top_page; page++)
    objects += cage_is_committed(child, page) && !(child->states[page] & PAGE_TRACK);
  GcForkStats stats;
  gc_fork_stats(child, &stats);
  cr_assert_gt(used, 200);
  cr_assert_leq(objects * 1000, used, "%llu pages of objects changed", (unsigned long long)objects);
  cr_assert_leq((stats.changed - objects) * 100, used, "%llu pages of metadata changed",
                (unsigned long long)(stats.changed - objects));
  verify(child);
  gc_free(child);
  gc_free(gc);
}

/* Where files must not be long, not even those in memory, forks are copies. */
Test(gc_fork, limited_files) {
  struct rlimit before, small;
  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = (struct rlimit){1 << 20, before.rlim_max};
  GcConfig config = {.cage_bytes = 16 << 20};
  World w = {.gc = gc_new(&config), .rng = 23};
  mutate(&w, 500);
  fork_set_slots(w.gc, FORK_MAPPED);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
  Gc *child = gc_fork(w.gc, NULL);
  setrlimit(RLIMIT_FSIZE, &before);
  cr_assert(child != NULL);
  cr_assert_eq(hash_heap(child), hash_heap(w.gc));
  gc_free(child);
  gc_free(w.gc);
}

/* A large heap's slot whose child has changed much gives way to a copy. */
Test(gc_fork, worn_slots) {
  enum { PAGES = 3000 };
  GcConfig config = {.cage_bytes = 64 << 20};
  Gc *gc = gc_new(&config);
  uint32_t big = new_wide(gc, PAGES * GC_PAGE_WORDS);
  root_area(gc)[0] = ref_value(big);
  for (unsigned round = 0; round < 3; round++) {
    Gc *child = gc_fork(gc, NULL);
    cr_assert_eq(hash_heap(child), hash_heap(gc));
    for (unsigned i = 0; i < PAGES / 8; i++)
      gc_store(gc_base(child), big + 1 + i * GC_PAGE_WORDS, round);
    gc_free(child);
    gc_store(gc_base(gc), big + 1 + round * 7 * GC_PAGE_WORDS, round);
  }
  GcForkStats stats;
  gc_fork_stats(gc, &stats);
  cr_assert_eq(stats.mapped, 1);
  cr_assert_eq(stats.whole, 1);
  gc_free(gc);
}

/* ---- without memory -------------------------------------------------------------------------- */

static unsigned descriptors(void) {
  unsigned n = 0;
  DIR *folder = opendir("/proc/self/fd");
  cr_assert(folder != NULL);
  while (readdir(folder)) n++;
  closedir(folder);
  return n;
}

/* The parent is unharmed, whatever came of the fork, and forks as before afterwards. True: so many
 * requests are not made. */
static bool refuse_one(uint64_t fail, ForkSlots slots) {
  GcConfig config = {.cage_bytes = 16 << 20};
  World w = {.gc = gc_new(&config), .rng = 9};
  mutate(&w, 2000);
  gc_collect(w.gc);
  fork_set_slots(w.gc, slots);
  uint64_t before = hash_heap(w.gc);
  w.gc->os.fail_at = w.gc->os.calls + fail;
  w.gc->os.fail_count = 1;
  Gc *child = gc_fork(w.gc, NULL), *second = gc_fork(w.gc, NULL);
  bool failed = w.gc->os.calls >= w.gc->os.fail_at;
  w.gc->os.fail_at = 0;
  cr_assert_eq(hash_heap(w.gc), before);
  if (child) cr_assert_eq(hash_heap(child), before);
  if (second) cr_assert_eq(hash_heap(second), before);
  if (slots == FORK_MAPPED) cr_assert(child && second, "what cannot be mapped is copied");
  Gc *again = gc_fork(w.gc, NULL);
  cr_assert(again != NULL);
  cr_assert_eq(hash_heap(again), before);
  verify(w.gc);
  gc_free(child);
  gc_free(second);
  gc_free(again);
  gc_free(w.gc);
  return !failed;
}

/* Each request that forks make of the system is refused once: memory, address space, a file in
 * memory, its length, its content, its seal, its mapping. Nothing is leaked. */
Test(gc_fork, refused_memory) {
  refuse_one(1000, FORK_MAPPED);
  unsigned files = descriptors(), maps = lines_of("/proc/self/maps");
  for (unsigned slots = FORK_COPIED; slots <= FORK_MAPPED; slots++) {
    uint64_t fail = 1;
    while (fail < 100 && !refuse_one(fail, (ForkSlots)slots)) fail++;
    cr_assert_lt(fail, 100, "forks ask the system too often");
    cr_assert_gt(fail, 8);
    cr_assert_eq(descriptors(), files);
    cr_assert_leq(lines_of("/proc/self/maps"), maps + 4); /* malloc may have more */
  }
}
