/* Snapshots of the heap: random programs allocate, store, free, collect, take snapshots, go back to
 * any of them and release them in any order; a restored heap must be the same, bit for bit. */
#include "gc_programs.h"

/* ---- snapshots -------------------------------------------------------------------------------- */

static void take(World *w) {
  if (w->n == KEPT) return;
  GcSnapshot id = gc_snapshot(w->gc, NULL);
  cr_assert_neq(id, 0);
  w->kept[w->n++] = (Kept){id, hash_heap(w->gc), 0};
}

static void back(World *w) {
  if (!w->n) return;
  Kept *k = w->kept + below(&w->rng, w->n);
  for (uint64_t rounds = 1 + below(&w->rng, 4); rounds; rounds--) { /* pages stay open from the second */
    GcSnapshotStatus status = gc_restore(w->gc, k->id);
    cr_assert_eq(status, GC_SNAPSHOT_OK, "restoring gave %d", status);
    cr_assert_eq(hash_heap(w->gc), k->hash, "the restored heap differs");
    w->restored++;
    if (rounds > 1) mutate(w, 1 + (unsigned)below(&w->rng, 50));
  }
}

static void release(World *w) {
  if (!w->n) return;
  uint32_t i = (uint32_t)below(&w->rng, w->n);
  gc_snapshot_release(w->gc, w->kept[i].id);
  cr_assert_eq(gc_snapshot_status(w->gc, w->kept[i].id), GC_SNAPSHOT_RELEASED);
  w->kept[i] = w->kept[--w->n];
}

static void step(World *w) {
  mutate(w, 1 + (unsigned)below(&w->rng, 200));
  switch (below(&w->rng, 8)) {
    case 0 ... 2: take(w); break;
    case 3 ... 5: back(w); break;
    case 6:
      if (below(&w->rng, 5)) release(w);
      else while (w->n) release(w); /* at rest: pages stay frozen though nobody needs them */
      break;
    default:
      if (below(&w->rng, 4) == 0) verify(w->gc);
      break;
  }
}

static void run_program(uint64_t seed, GcMode mode, bool guard, unsigned steps) {
  GcConfig config = {.cage_bytes = 64 << 20, .mode = mode, .guard = guard};
  World w = {.gc = gc_new(&config), .rng = seed * 2 + 1, .in_place = true};
  cr_assert(w.gc != NULL);
  for (unsigned i = 0; i < steps; i++) step(&w);
  while (w.n) release(&w);
  GcSnapshotStats stats;
  gc_snapshot_stats(w.gc, &stats);
  cr_assert_eq(stats.log_pages, 0, "%llu pages of the log leaked", (unsigned long long)stats.log_pages);
  cr_assert_eq(stats.snapshots, 0);
  verify(w.gc);
  gc_free(w.gc);
}

Test(gc_snapshot, random_programs) {
  const GcMode modes[] = {GC_STOP_WORLD, GC_GENERATIONAL, GC_INCREMENTAL, GC_ADAPTIVE};
  for (unsigned seed = 1; seed <= 48; seed++)
    run_program(seed, modes[seed % 4], seed % 10 == 0, 120);
}

/* ---- without memory --------------------------------------------------------------------------- */

enum { SIZES = 38, FAR = 64 * GC_PAGE_WORDS };

/* A block of each class in a unit of its own, so that closing the runs writes to many pages of the
 * alloc bitmap. */
static void open_runs(Gc *gc) {
  for (unsigned i = 0; i < SIZES; i++) {
    uint64_t words = gc_class_words[i / 2];
    Header *h = gc_alloc(gc, words, i % 2);
    cr_assert(h != NULL);
    *h = (Header){1, LAYOUT_WIDE, 0, (uint32_t)(words - 1)};
    for (uint64_t k = 1; k < words; k++) ((Value *)h)[k] = NIL;
    root_area(gc)[i] = ref_value(gc_ref(gc_base(gc), h).w);
  }
}

/* Stores to frozen pages of a large block until the log has `left` buffers. */
enum { BIG_PAGES = 300 };
static void use_up_log(Gc *gc, uint32_t big, uint64_t left) {
  GcSnapshotStats stats;
  for (uint64_t page = 0; page < BIG_PAGES; page++) {
    gc_snapshot_stats(gc, &stats);
    if (stats.log_bytes / GC_PAGE - stats.log_pages <= left) return;
    gc_store(gc_base(gc), big + 1 + page * GC_PAGE_WORDS, NIL);
  }
  cr_assert_fail("the log has more buffers than the block pages");
}

typedef enum Then { TAKES, GOES_BACK, LOOKS, THENS } Then;

/* All snapshots may be given up by what an operation writes: it must notice. */
static void at_the_edge(Then then, uint64_t left) {
  GcConfig config = {.cage_bytes = 64 << 20, .mode = GC_GENERATIONAL};
  Gc *gc = gc_new(&config);
  for (unsigned i = 0; i < SIZES; i++) {
    root_area(gc)[100 + i] = ref_value(new_wide(gc, FAR - 4096));
    root_area(gc)[i] = ref_value(new_wide(gc, gc_class_words[i / 2]));
  }
  uint32_t big = new_wide(gc, BIG_PAGES * GC_PAGE_WORDS);
  root_area(gc)[99] = ref_value(big);
  GcSnapshot s = gc_snapshot(gc, NULL);
  cr_assert(s != 0);
  open_runs(gc);
  gc_set_limit(gc, 1);
  use_up_log(gc, big, left);
  GcSnapshotStatus status;
  if (then == TAKES) gc_snapshot(gc, NULL);
  if (then == LOOKS && gc_past_open(gc, s)) gc_past_close(gc);
  status = gc_restore(gc, s);
  cr_assert(status == GC_SNAPSHOT_OK || status == GC_SNAPSHOT_LOST || status == GC_SNAPSHOT_MEMORY);
  gc_set_limit(gc, 0);
  verify(gc);
  gc_collect(gc);
  gc_snapshot_release(gc, s);
  GcSnapshotStats stats;
  gc_snapshot_stats(gc, &stats);
  if (then != TAKES) cr_assert_eq(stats.log_pages, 0);
  verify(gc);
  gc_free(gc);
}

Test(gc_snapshot, without_memory) {
  for (unsigned left = 0; left < 70; left += left < 8 ? 1 : 9)
    for (Then then = TAKES; then < THENS; then++) at_the_edge(then, left);
}

/* ---- which blocks two states share ------------------------------------------------------------ */

/* Also where all that happened lies behind the newest snapshot. */
Test(gc_snapshot, same_after_the_newest) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 64 << 20, .mode = GC_STOP_WORLD});
  uint32_t kept = new_wide(gc, 4), gone = new_wide(gc, 4);
  root_area(gc)[0] = ref_value(kept);
  GcSnapshot s = gc_snapshot(gc, NULL);
  gc_release(gc, block_at(gc, gone));
  uint32_t late = 0;
  for (int i = 0; i < 2000; i++) late = new_wide(gc, 4); /* some of them where `gone` was */
  cr_assert(gc_past_open(gc, s));
  cr_assert(gc_past_same(gc, (Ref){kept}));
  cr_assert_not(gc_past_same(gc, (Ref){gone}));
  cr_assert_not(gc_past_same(gc, (Ref){late}));
  gc_past_close(gc);
  gc_free(gc);
}

/* The number of a snapshot of another heap is refused, the first of each included. */
Test(gc_snapshot, of_another_heap) {
  Gc *gc[8];
  GcSnapshot s[8];
  for (int i = 0; i < 8; i++) {
    gc[i] = gc_new(&(GcConfig){.cage_bytes = 64 << 20});
    s[i] = gc_snapshot(gc[i], NULL);
  }
  for (int i = 0; i < 8; i++)
    for (int k = 0; k < 8; k++)
      cr_assert_eq(gc_restore(gc[i], s[k]), i == k ? GC_SNAPSHOT_OK : GC_SNAPSHOT_ELSEWHERE);
  for (int i = 0; i < 8; i++) gc_free(gc[i]);
}

/* A block freed since, and another one with the same words in its place: not the same. Nor after
 * edges were merged, nor seen from a branch. */
Test(gc_snapshot, same_or_another) {
  GcConfig config = {.cage_bytes = 64 << 20, .mode = GC_STOP_WORLD};
  Gc *gc = gc_new(&config);
  uint32_t kept = new_wide(gc, 4), gone = new_wide(gc, 4), made = 0;
  uint32_t late = new_wide(gc, 4);
  root_area(gc)[0] = ref_value(kept);
  root_area(gc)[1] = ref_value(gone);
  root_area(gc)[2] = ref_value(late);
  GcSnapshot first = gc_snapshot(gc, NULL);
  root_area(gc)[1] = NIL;
  gc_collect(gc);
  GcSnapshot middle = gc_snapshot(gc, NULL);
  for (unsigned i = 0; i < 100000 && made != gone; i++) made = new_wide(gc, 4);
  cr_assert_eq(made, gone, "the place is not used again");
  root_area(gc)[1] = ref_value(made);
  root_area(gc)[2] = NIL;
  gc_collect(gc); /* the second edge frees some on the same page of the bitmap */
  for (unsigned i = 0; i < 100000 && made != late; i++) made = new_wide(gc, 4);
  cr_assert_eq(made, late, "the place is not used again");
  root_area(gc)[2] = ref_value(made);
  GcSnapshot last = gc_snapshot(gc, NULL);
  for (unsigned round = 0; round < 2; round++) {
    cr_assert(gc_past_open(gc, first));
    cr_assert(gc_past_same(gc, (Ref){kept}));
    cr_assert_not(gc_past_same(gc, (Ref){gone}));
    cr_assert_not(gc_past_same(gc, (Ref){late}));
    gc_past_close(gc);
    gc_snapshot_release(gc, middle); /* the second round: edges merged */
  }
  cr_assert_eq(gc_restore(gc, first), GC_SNAPSHOT_OK);
  cr_assert(gc_past_open(gc, last));
  cr_assert(gc_past_same(gc, (Ref){kept}));
  cr_assert_not(gc_past_same(gc, (Ref){gone}));
  gc_past_close(gc);
  gc_free(gc);
}
