/* Snapshots of the heap: random programs allocate, store, free, collect, take snapshots, go back to
 * any of them and release them in any order; a restored heap must be the same, bit for bit. */
#include "gc/buddy.h"
#include "gc/collect.h"
#include "gc_helpers.h"

enum { SLOTS = 512, KEPT = 64, MOST_WORDS = 6000 };

typedef struct Kept {
  GcSnapshot id;
  uint64_t hash;
  uint32_t depth;
} Kept;

typedef struct World {
  Gc *gc;
  uint64_t rng;
  Kept kept[KEPT];
  uint32_t n;
  uint64_t restored, deepest;
} World;

static Value *slots(World *w) { return (Value *)(gc_base(w->gc) + GC_ROOT_OFF); }

/* ---- the state as a number -------------------------------------------------------------------- */

static uint64_t hash_words(uint64_t h, const void *at, uint64_t bytes) {
  const uint64_t *p = at;
  for (uint64_t i = 0; i < bytes / 8; i++) h = (h ^ p[i]) * 0x9E3779B97F4A7C15u, h ^= h >> 29;
  return h;
}

/* Everything that belongs to the state: Heap, roots, metadata, the pages in use. */
static uint64_t hash_heap(Gc *gc) {
  Heap copy = *gc->heap;
  copy.limit_bytes = copy.external_bytes = copy.peak_bytes = 0;
  uint64_t h = hash_words(1, &copy, sizeof copy);
  h = hash_words(h, gc->base + GC_ROOT_OFF, GC_ROOT_BYTES);
  uint64_t end = copy.cage_pages;
  h = hash_words(h, gc->table, end * sizeof(PageDesc));
  h = hash_words(h, gc->bits, end * (GC_PAGE / 64));
  h = hash_words(h, gc->buddy.state, (copy.first_page << GC_PAGE_SHIFT) - copy.buddy_off);
  BuddyRun run;
  for (uint32_t page = (uint32_t)copy.first_page; page < end; page += run.units) {
    run = buddy_run(gc->buddy, page);
    if (run.used) h = hash_words(h, gc->base + page * (uint64_t)GC_PAGE, run.units * (uint64_t)GC_PAGE);
  }
  return h;
}

/* ---- what programs do ------------------------------------------------------------------------- */

static Value some_value(World *w) {
  if (below(&w->rng, 3) == 0) return slots(w)[below(&w->rng, SLOTS)];
  return (Value)below(&w->rng, 1000);
}

static uint64_t some_words(World *w) {
  switch (below(&w->rng, 12)) {
    case 0: return 1 + below(&w->rng, MOST_WORDS);
    case 1: return 1 + below(&w->rng, 600);
    default: return 2 + below(&w->rng, 20);
  }
}

static void allocate(World *w) {
  uint64_t words = some_words(w);
  Header *h = gc_alloc(w->gc, words, below(&w->rng, 2));
  if (!h) return;
  *h = (Header){(uint8_t)below(&w->rng, 30), LAYOUT_WIDE, 0, (uint32_t)(words - 1)};
  for (uint64_t i = 1; i < words; i++) ((Value *)h)[i] = i < 8 ? some_value(w) : i;
  slots(w)[below(&w->rng, SLOTS)] = ref_value(gc_ref(gc_base(w->gc), h).w);
}

static Header *some_block(World *w) {
  Value v = slots(w)[below(&w->rng, SLOTS)];
  return v >> 48 == VALUE_REF_HIGH ? gc_ptr(gc_base(w->gc), (Ref){(uint32_t)v}) : NULL;
}

static void store(World *w) {
  Header *h = some_block(w);
  if (!h || h->aux == 0) return;
  uint64_t word = gc_word(gc_base(w->gc), h) + 1 + below(&w->rng, h->aux);
  gc_store(gc_base(w->gc), word, some_value(w));
}

static void extend(World *w) {
  Header *h = some_block(w);
  if (!h) return;
  uint64_t words = gc_block_words(w->gc, h) + 1 + below(&w->rng, 700);
  if (!gc_extend(w->gc, h, words)) return;
  uint64_t word = gc_word(gc_base(w->gc), h);
  gc_touch_range(gc_base(w->gc), word, words);
  for (uint64_t i = 1 + (uint64_t)h->aux; i < words; i++) ((Value *)h)[i] = i;
  h->aux = (uint32_t)(words - 1);
}

static void drop(World *w) {
  for (unsigned n = (unsigned)below(&w->rng, 40); n > 0; n--)
    slots(w)[below(&w->rng, SLOTS)] = 0;
}

static void collect(World *w) {
  switch (below(&w->rng, 3)) {
    case 0: gc_collect(w->gc); break;
    case 1: gc_collect_young(w->gc); break;
    default: collect_due(w->gc); break;
  }
}

static void mutate(World *w, unsigned n) {
  while (n--) {
    switch (below(&w->rng, 64)) {
      case 0: collect(w); break;
      case 1: drop(w); break;
      case 2: extend(w); break;
      case 3 ... 25: allocate(w); break;
      default: store(w); break;
    }
  }
}

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
  GcSnapshotStatus status = gc_restore(w->gc, k->id);
  cr_assert_eq(status, GC_SNAPSHOT_OK, "restoring gave %d", status);
  cr_assert_eq(hash_heap(w->gc), k->hash, "the restored heap differs");
  w->restored++;
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
    case 6: release(w); break;
    default:
      if (below(&w->rng, 4) == 0) verify(w->gc);
      break;
  }
}

static void run_program(uint64_t seed, GcMode mode, bool guard, unsigned steps) {
  GcConfig config = {.cage_bytes = 64 << 20, .mode = mode, .guard = guard};
  World w = {.gc = gc_new(&config), .rng = seed * 2 + 1};
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
static void use_up_log(Gc *gc, uint32_t big, uint64_t left) {
  GcSnapshotStats stats;
  uint64_t page = 0;
  for (;;) {
    gc_snapshot_stats(gc, &stats);
    if (stats.log_bytes / GC_PAGE - stats.log_pages <= left) return;
    gc_store(gc_base(gc), big + 1 + page++ * GC_PAGE_WORDS, NIL);
  }
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
  uint32_t big = new_wide(gc, 300 * GC_PAGE_WORDS);
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
