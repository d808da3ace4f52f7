/* Weak references and tables whose values live as long as their keys. The random graphs of
 * test_gc_collect.c have both; here is what they do not reach. */
#include "gc/collect.h"
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
