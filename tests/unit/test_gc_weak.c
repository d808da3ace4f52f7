/* Weak references and tables whose values live as long as their keys. The random graphs of
 * test_gc_collect.c have both; here is what they do not reach. */
#include "gc/collect.h"
#include "gc/mark.h"
#include "gc/purge.h"
#include "gc/weak.h"
#include "gc_helpers.h"

/* A table for so many pairs, empty. */
static uint32_t new_table(Gc *gc, uint32_t pairs) {
  uint32_t aux = 1 + 2 * pairs;
  uint64_t *p = gc_alloc(gc, 1 + (uint64_t)aux, GC_SPACE_OBJECT);
  if (!p) return 0;
  *(Header *)p = (Header){.layout = LAYOUT_WIDE | LAYOUT_KEYED, .aux = aux};
  p[1] = 0;
  for (uint32_t i = 2; i <= aux; i++) p[i] = NIL;
  return gc_ref(gc_base(gc), p).w;
}

static void set_pair(Gc *gc, uint32_t table, uint32_t i, Value key, Value value) {
  uint64_t word = (uint64_t)table + 2 + 2 * (uint64_t)i;
  gc_store(gc_base(gc), word, key);
  gc_store(gc_base(gc), word + 1, value);
  gc_touch(gc_base(gc), (uint64_t)table + 1);
  block_at(gc, table)[1]++;
}

static uint32_t new_key(Gc *gc) { return new_wide(gc, 2); }

/* key 0 -> key 1 -> ... -> key n; pair `i` lies at place order(i). All keys hang on an array while they
 * are made, then only the first does. */
static uint32_t new_chain(Gc *gc, uint32_t n, uint32_t factor) {
  uint32_t keys = new_wide(gc, n + 2), table;
  root_area(gc)[0] = ref_value(keys);
  for (uint32_t i = 0; i <= n; i++) {
    uint32_t key = new_key(gc);
    gc_store(gc_base(gc), (uint64_t)keys + 1 + i, ref_value(key));
  }
  root_area(gc)[1] = ref_value(table = new_table(gc, n));
  for (uint32_t i = 0; i < n; i++)
    set_pair(gc, table, (uint32_t)((uint64_t)i * factor % n), block_at(gc, keys)[1 + i],
             block_at(gc, keys)[2 + i]);
  root_area(gc)[0] = block_at(gc, keys)[1];
  return table;
}

/* Pairs and blocks looked at for a chain, by a full collection. */
static uint64_t work_for(uint32_t n, uint32_t factor) {
  Gc *gc = gc_new(&(GcConfig){.mode = GC_STOP_WORLD});
  uint32_t table = new_chain(gc, n, factor);
  gc_collect(gc);
  cr_assert_eq(block_at(gc, table)[1], n);
  cr_assert_eq(count_blocks(gc), n + 2);
  uint64_t work = gc->weak.work;
  root_area(gc)[0] = NIL;
  gc_collect(gc);
  cr_assert_eq(block_at(gc, table)[1], 0);
  cr_assert_eq(count_blocks(gc), 1);
  gc_free(gc);
  return work;
}

/* In whatever order the pairs lie: forwards, backwards, mixed. */
Test(gc_weak, chains_take_linear_work, .timeout = 300) {
  static const uint32_t counts[] = {1000, 10000, 100000};
  for (unsigned i = 0; i < 3; i++) {
    uint32_t n = counts[i];
    cr_expect_leq(work_for(n, 1), 6 * (uint64_t)n);
    cr_expect_leq(work_for(n, n - 1), 6 * (uint64_t)n);
    cr_expect_leq(work_for(n, 7919), 6 * (uint64_t)n);
  }
}

/* Many tables with the same key, each of which only the one before holds. */
Test(gc_weak, chains_of_tables_take_linear_work, .timeout = 300) {
  enum { N = 20000 };
  Gc *gc = gc_new(&(GcConfig){.mode = GC_STOP_WORLD});
  uint32_t key = new_key(gc);
  root_area(gc)[0] = ref_value(key);
  uint32_t at = new_table(gc, 4);
  root_area(gc)[1] = ref_value(at);
  for (uint32_t i = 1; i < N; i++) {
    uint32_t next = new_table(gc, 4);
    root_area(gc)[2] = ref_value(next);
    set_pair(gc, at, i % 4, ref_value(key), ref_value(next));
    at = next;
  }
  root_area(gc)[2] = NIL;
  gc_collect(gc);
  cr_assert_eq(count_blocks(gc), N + 1);
  cr_assert_leq(gc->weak.work, 12 * N);
  root_area(gc)[0] = NIL;
  gc_collect(gc);
  cr_assert_eq(count_blocks(gc), 1);
  gc_free(gc);
}

/* Where memory for the waiting values is refused, the result is the same. */
Test(gc_weak, without_memory, .timeout = 300) {
  for (int later = 0; later < 2; later++) {
    Gc *gc = gc_new(&(GcConfig){.mode = GC_STOP_WORLD});
    uint32_t n = 300, table = new_chain(gc, n, later ? 1 : n - 1);
    gc->weak.refuse = true;
    gc_collect(gc);
    verify(gc);
    cr_assert_eq(block_at(gc, table)[1], n);
    cr_assert_eq(count_blocks(gc), n + 2);
    root_area(gc)[0] = NIL;
    gc_collect(gc);
    cr_assert_eq(block_at(gc, table)[1], 0);
    cr_assert_eq(count_blocks(gc), 1);
    gc_free(gc);
  }
}

/* Minor collections look at nothing but what is new, and clear what died young in an old table. */
Test(gc_weak, minor_collections) {
  Gc *gc = gc_new(&(GcConfig){.mode = GC_GENERATIONAL});
  uint32_t table = new_chain(gc, 5000, 1);
  gc_collect(gc);
  gc_collect_young(gc);
  gc->weak.work = 0;
  gc_collect_young(gc);
  cr_assert_eq(gc->weak.work, 0, "nothing changed, nothing looked at");
  uint32_t key = new_key(gc), value = new_key(gc);
  set_pair(gc, table, 77, ref_value(key), ref_value(value));
  gc_collect_young(gc);
  cr_assert_leq(gc->weak.work, 1200, "the page of the pair alone: %u", (unsigned)gc->weak.work);
  cr_assert_eq(block_at(gc, table)[2 + 2 * 77], GC_ABSENT);
  cr_assert_eq(block_at(gc, table)[3 + 2 * 77], GC_NIL);
  verify(gc);
  gc_free(gc);
}

static void start_marking(Gc *gc) {
  gc->heap->policy.old_limit = 0;
  collect_due(gc);
  for (int i = 0; i < 100 && gc->phase != PHASE_MARK; i++) collect_step(gc), gc_collect_young(gc);
  cr_assert(gc->phase == PHASE_MARK);
}

static void finish_marking(Gc *gc) {
  for (int i = 0; i < 1000 && gc->phase != PHASE_IDLE; i++) collect_step(gc), gc_collect_young(gc);
  cr_assert(gc->phase == PHASE_IDLE);
}

/* A major collection in steps finds chains at its end, also those made while it marks. */
Test(gc_weak, chains_while_marking) {
  Gc *gc = gc_new(&(GcConfig){.mode = GC_INCREMENTAL});
  uint32_t n = 3000, table = new_chain(gc, n, 17);
  gc_collect(gc);
  start_marking(gc);
  uint32_t keys = new_wide(gc, 4);
  root_area(gc)[2] = ref_value(keys);
  uint32_t young = new_key(gc);
  gc_store(gc_base(gc), (uint64_t)table + 3 + 2 * 5 * 17, ref_value(young)); /* cuts the chain */
  finish_marking(gc);
  verify(gc);
  gc_collect(gc);
  uint64_t left = block_at(gc, table)[1];
  cr_assert_eq(left, 6, "%u", (unsigned)left);
  root_area(gc)[0] = NIL;
  start_marking(gc);
  finish_marking(gc);
  verify(gc);
  cr_assert_eq(count_blocks(gc), 2);
  gc_free(gc);
}

/* ---- clearing in slices ---------------------------------------------------------------------- */

enum { PAIRS = 3000 };

/* A table of dead keys with a living one at each fifth place, at the end of marking. */
static Gc *dead_keys(bool in_steps, uint32_t *table) {
  Gc *gc = gc_new(&(GcConfig){.mode = in_steps ? GC_INCREMENTAL : GC_STOP_WORLD});
  uint32_t keys = new_wide(gc, PAIRS), t;
  root_area(gc)[0] = ref_value(keys);
  root_area(gc)[1] = ref_value(t = new_table(gc, PAIRS));
  for (uint32_t i = 0; i < PAIRS; i++) {
    Value key = ref_value(new_key(gc));
    gc_store(gc_base(gc), (uint64_t)keys + 1 + i, key);
    set_pair(gc, t, i, key, key);
  }
  gc_collect(gc);
  for (uint32_t i = 0; i < PAIRS; i++)
    if (i % 5) gc_store(gc_base(gc), (uint64_t)keys + 1 + i, NIL);
  gc->round_words = 1; /* a page each slice */
  *table = t;
  if (!in_steps) {
    collect_full(gc);
    return gc;
  }
  start_marking(gc);
  for (int i = 0; i < 1000 && !gc->purge; i++) {
    if (gc->phase == PHASE_MARK && !gc->rounds) gc->heap->policy.debt = gc->heap->policy.budget;
    gc->phase == PHASE_MARK ? collect_due(gc) : collect_step(gc);
    collect_step(gc);
  }
  return gc;
}

static uint32_t dead_places(Gc *gc, uint32_t table) {
  uint32_t dead = 0;
  for (uint32_t i = 0; i < PAIRS; i++) {
    Value key = block_at(gc, table)[2 + 2 * (uint64_t)i];
    bool refers = key >> 48 == VALUE_REF_HIGH;
    dead += refers && gc_is_dead(gc, (Ref){(uint32_t)key});
    if (i % 5 == 0) cr_assert(refers && !gc_is_dead(gc, (Ref){(uint32_t)key}));
    else cr_assert(!refers || gc_is_dead(gc, (Ref){(uint32_t)key}), "place %u", i);
  }
  return dead;
}

/* Slice by slice; what is new is not taken for dead, nor is a place used again before. */
static void check_slices(bool in_steps) {
  uint32_t table, before;
  Gc *gc = dead_keys(in_steps, &table);
  cr_assert(gc->purge == PURGE_ALL, "nothing is left to be cleared");
  before = dead_places(gc, table);
  cr_assert_gt(before, PAIRS / 2);
  uint32_t key = new_key(gc), large = new_wide(gc, 9000), middle = new_wide(gc, 300);
  root_area(gc)[2] = ref_value(key);
  root_area(gc)[3] = ref_value(large);
  root_area(gc)[4] = ref_value(middle);
  cr_assert(!gc_is_dead(gc, (Ref){key}) && !gc_is_dead(gc, (Ref){large}) &&
            !gc_is_dead(gc, (Ref){middle}));
  /* Where a key lies that has not been cleared: set_pair counts the pair again. */
  bool was_there = block_at(gc, table)[2 + 2 * (uint64_t)(PAIRS - 1)] != GC_ABSENT;
  set_pair(gc, table, PAIRS - 1, ref_value(key), ref_value(large));
  while (gc->purge) {
    uint64_t minors = gc->minors;
    collect_due(gc);
    cr_assert_eq(gc->minors, minors, "a minor collection did not wait");
  }
  cr_assert_eq(block_at(gc, table)[1], PAIRS / 5 + 1 + was_there);
  cr_assert_eq(block_at(gc, table)[2 + 2 * (uint64_t)(PAIRS - 1)], ref_value(key));
  gc_collect_young(gc);
  verify(gc);
  cr_assert(gc_holds(gc, (Ref){key}) && gc_holds(gc, (Ref){large}) && gc_holds(gc, (Ref){middle}));
  cr_assert_eq(count_blocks(gc), 5 + PAIRS / 5);
  gc_free(gc);
}

Test(gc_weak, clearing_in_slices) {
  check_slices(false);
  check_slices(true);
}

/* A snapshot, a fork and the checker have it finished; a rollback forgets it. */
Test(gc_weak, clearing_and_copies) {
  uint32_t table;
  Gc *gc = dead_keys(false, &table);
  cr_assert(gc->purge != PURGE_NONE);
  GcSnapshot s = gc_snapshot(gc, NULL);
  cr_assert(gc->purge == PURGE_NONE && s);
  cr_assert_eq(block_at(gc, table)[1], PAIRS / 5);
  root_area(gc)[0] = NIL;
  collect_full(gc);
  cr_assert(gc->purge != PURGE_NONE);
  cr_assert_eq(gc_restore(gc, s), GC_SNAPSHOT_OK);
  cr_assert(gc->purge == PURGE_NONE);
  cr_assert_eq(block_at(gc, table)[1], PAIRS / 5);
  verify(gc);
  gc_snapshot_release(gc, s);
  gc->round_words = 1;
  root_area(gc)[0] = NIL;
  collect_full(gc);
  cr_assert(gc->purge != PURGE_NONE);
  Gc *fork = gc_fork(gc, NULL);
  cr_assert(fork && gc->purge == PURGE_NONE);
  cr_assert_eq(block_at(fork, table)[1], 0);
  verify(fork);
  verify(gc);
  gc_free(fork);
  gc_free(gc);
}

/* A major collection in steps looks at weak tables in steps, too. */
Test(gc_weak, looking_in_slices) {
  Gc *gc = gc_new(&(GcConfig){.mode = GC_INCREMENTAL});
  uint32_t n = 20000, table = new_chain(gc, n, 7919), steps = 0;
  gc_collect(gc);
  start_marking(gc);
  while (!mark_step(gc, 100000)) continue;
  for (uint64_t before = gc->weak.work; !weak_slow_step(gc, 1); before = gc->weak.work, steps++) {
    mark_step(gc, 1000);
    cr_assert_leq(gc->weak.work - before, 3000, "a step of %u", (unsigned)(gc->weak.work - before));
  }
  cr_assert_gt(steps, n / 256);
  finish_marking(gc);
  cr_assert_eq(block_at(gc, table)[1], n);
  verify(gc);
  gc_free(gc);
}
