/* What collections write, and what they need: not the pages of objects, no memory that can be missing;
 * whatever the shape of the heap. */
#include "gc/bits.h"
#include "gc/collect.h"
#include "gc/page.h"
#include "gc_helpers.h"
#include "sanitized.h"

/* ---- object pages stay clean ------------------------------------------------------------------ */

/* Lists of pairs, wide blocks, middle and large ones, raw ones; most of them garbage later. */
static void fill(Gc *gc, uint32_t n) {
  uint64_t rng = 88172645463325252u;
  uint32_t table = new_wide(gc, n + 1);
  root_area(gc)[0] = ref_value(table);
  for (uint32_t i = 0; i < n; i++) {
    static const uint32_t sizes[] = {2, 3, 5, 9, 30, 64, 70, 400, 3000, 9000, 20000};
    unsigned most = i % 50 ? 6 : 11;
    uint32_t block = new_wide(gc, sizes[below(&rng, most)]);
    if (i) block_at(gc, block)[1] = block_at(gc, table)[below(&rng, i) + 1];
    gc_store(gc_base(gc), (uint64_t)table + 1 + i, ref_value(block));
  }
  for (uint32_t i = 0; i < n; i++)
    if (below(&rng, 3)) gc_store(gc_base(gc), (uint64_t)table + 1 + i, NIL);
}

/* Middle spans begin with a table of what is free in them: 4 bytes for each granule, in whole ones. */
static uint64_t table_words(Gc *gc, uint32_t span) {
  if (gc->table[span].kind != SPAN_MID) return 0;
  uint64_t granules = gc->table[span].pages * (uint64_t)(GC_PAGE_WORDS / GRANULE_WORDS);
  uint64_t per_granule = GRANULE_WORDS * 8 / 4;
  return (granules + per_granule - 1) / per_granule * GRANULE_WORDS;
}

static uint64_t sum_of(Gc *gc, uint32_t page) {
  uint32_t span = page_span(gc, page);
  if (!span || gc->table[span].kind == SPAN_META) return 0;
  uint64_t sum = 0, word = word_of_page(page), from = word_of_page(span) + table_words(gc, span);
  for (uint64_t i = from > word ? from - word : 0; i < GC_PAGE_WORDS; i++)
    sum = (sum ^ ((uint64_t *)gc_base(gc))[word + i]) * 0x9E3779B97F4A7C15u;
  return sum;
}

/* A sum for each page with objects, 0 elsewhere. */
static void sum_pages(Gc *gc, uint64_t *sums) {
  for (uint32_t page = (uint32_t)gc->heap->first_page; page < gc->top_page; page++)
    sums[page] = sum_of(gc, page);
}

Test(gc_clean, object_pages_are_not_written) {
  for (GcMode mode = GC_ADAPTIVE; mode <= GC_INCREMENTAL; mode++) {
    Gc *gc = gc_new(&(GcConfig){.mode = mode});
    fill(gc, 20000);
    uint64_t *before = calloc(gc->top_page, 8), *after = calloc(gc->top_page, 8);
    collect_settle(gc);
    sum_pages(gc, before);
    uint32_t top = gc->top_page, pages = 0, written = 0;
    gc_collect_young(gc);
    gc_collect(gc);
    sum_pages(gc, after);
    cr_assert_eq(gc->top_page, top);
    for (uint32_t page = 0; page < top; page++) {
      pages += before[page] && after[page]; /* others were given back */
      written += before[page] && after[page] && before[page] != after[page];
    }
    cr_assert(pages > 1000, "%u", pages);
    cr_assert_eq(written, 0, "%u of %u pages", written, pages);
    verify(gc);
    free(before);
    free(after);
    gc_free(gc);
  }
}

/* ---- long chains ------------------------------------------------------------------------------ */

/* Scope frames, each of which refers to the one before: marking follows without recursion or a stack
 * that could overflow. 320 MB where nothing else slows the test down. */
Test(gc_clean, ten_million_frames, .timeout = 300) {
#ifdef SANITIZED
  enum { FRAMES = 1000000 };
#else
  enum { FRAMES = 10000000 };
#endif
  Gc *gc = gc_new(&(GcConfig){0});
  for (uint64_t i = 0; i < FRAMES; i++) {
    uint64_t *p = gc_alloc(gc, 3, GC_SPACE_FRAME);
    cr_assert_not_null(p);
    *(Header *)p = (Header){.layout = LAYOUT_AUX_REF, .n = 1, .aux = (uint32_t)root_area(gc)[0]};
    if (i == 0) ((Header *)p)->aux = 0;
    p[1] = NIL;
    gc_store(gc_base(gc), GC_ROOT_OFF / 8, ref_value(gc_ref(gc_base(gc), p).w));
  }
  gc_collect(gc);
  uint64_t n = 0;
  for (uint32_t at = (uint32_t)root_area(gc)[0]; at; at = ((Header *)block_at(gc, at))->aux) n++;
  cr_assert_eq(n, FRAMES);
  root_area(gc)[0] = NIL;
  gc_collect(gc);
  cr_assert_eq(count_blocks(gc), 0);
  gc_free(gc);
}

/* ---- memory refused --------------------------------------------------------------------------- */

static uint32_t new_stack(Gc *gc, uint32_t values) {
  uint64_t *p = gc_alloc(gc, 2 + (uint64_t)values, GC_SPACE_OBJECT);
  *(Header *)p = (Header){.layout = LAYOUT_STACK, .aux = values};
  p[1] = values;
  for (uint32_t i = 0; i < values; i++) p[2 + i] = NIL;
  return gc_ref(gc_base(gc), p).w;
}

/* Whatever the system refuses while collections run, with a snapshot that keeps pages: they keep what
 * is reachable, and the heap is whole. */
Test(gc_clean, memory_refused_while_collecting, .timeout = 300) {
  for (GcMode mode = GC_ADAPTIVE; mode <= GC_INCREMENTAL; mode++) {
    for (uint64_t k = 1; k <= 12; k++) {
      Gc *gc = gc_new(&(GcConfig){.cage_bytes = 64 << 20, .mode = mode});
      fill(gc, 3000);
      for (int i = 1; i < 100; i++) root_area(gc)[i] = ref_value(new_stack(gc, 40));
      gc_collect_young(gc);
      GcSnapshot s = gc_snapshot(gc, NULL);
      for (int i = 1; i < 100; i++) block_at(gc, (uint32_t)root_area(gc)[i])[1] = 5;
      gc->os.fail_at = gc->os.calls + k;
      gc->os.fail_count = UINT64_MAX;
      gc->weak.refuse = true;
      for (int i = 0; i < 20; i++) collect_due(gc), collect_step(gc);
      gc_collect_young(gc);
      gc_collect(gc);
      gc->os.fail_count = 0;
      verify(gc);
      uint64_t blocks = count_blocks(gc);
      gc_collect(gc);
      cr_assert_eq(count_blocks(gc), blocks);
      gc_snapshot_release(gc, s);
      verify(gc);
      gc_free(gc);
    }
  }
}
