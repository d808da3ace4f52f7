/* collect.c - the order of a collection.
 *
 *   1. prepare   close the allocation runs, finish the sweep left from last time, clear the marks
 *   2. mark      from the root area and the embedder's roots; then the embedder drops weak entries
 *   3. finalize  report registered objects that are dead; nothing is swept yet, they are readable
 *   4. census    go through all spans: count what is alive, give empty spans back at once (large
 *                objects, too), enter the others in the lists of their class, unswept
 *   5. policy    set when the next one is due
 *
 * Sweeping proper (alloc bits &= marks) is left to the allocators, span by span. Steps 1 and 4 are
 * passes over page descriptors and bitmaps alone: 1/64 of the heap each.
 */
#include "collect.h"

#include <string.h>

#include "bits.h"
#include "final.h"
#include "large.h"
#include "mark.h"
#include "page.h"
#include "segfit.h"
#include "slab.h"

/* Under stress the words of dead blocks are overwritten, so that a missing root is noticed. */
static void poison_dead(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  if (d->kind == SPAN_LARGE || (d->flags & SPAN_SWEPT)) return;
  uint64_t from = word_of_page(span), to = from + d->pages * (uint64_t)GC_PAGE_WORDS;
  for (uint64_t at = bits_next(gc->bits, from, to); at < to; at = bits_next(gc->bits, at + 1, to)) {
    if (bits_test(gc->marks, at)) continue;
    void *block = gc_ptr(gc->base, (Ref){(uint32_t)at});
    uint64_t words = gc_block_words(gc, block);
    gc_touch_range(gc->base, at, words);
    memset(block, 0xDB, words * 8);
  }
}

static void finish_span(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  if (d->flags & SPAN_SWEPT) return;
  if (gc->config.stress) poison_dead(gc, span);
  if (d->kind == SPAN_SLAB) slab_sweep(gc, span);
}

void collect_finish_sweep(Gc *gc) {
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) finish_span(gc, span);
  while (gc->heap->fit.unswept) segfit_sweep_next(gc);
}

static void clear_marks(Gc *gc) {
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) {
    uint64_t pages = gc->table[span].kind == SPAN_LARGE ? 1 : gc->table[span].pages;
    memset(gc->marks + bitword_of_page(span), 0, pages * PAGE_BITWORDS * sizeof(uint64_t));
  }
}

static void mark_all(Gc *gc) {
  mark_root_area(gc);
  final_mark_list(gc);
  if (gc->config.mark_roots) gc->config.mark_roots(gc, gc->config.embedder);
  mark_drain(gc);
  if (gc->config.after_mark) gc->config.after_mark(gc, gc->config.embedder);
  mark_drain(gc);
}

/* ---- census: bytes alive in a span, which is given back if there are none -------------------- */

static uint64_t census_slab(Gc *gc, uint32_t span) {
  PageDesc *d = page_edit(gc, span);
  uint64_t live = bits_count(gc->marks + bitword_of_page(span), d->pages * PAGE_BITWORDS);
  if (!live) {
    page_give(gc, span);
    return 0;
  }
  d->live = (uint16_t)live;
  d->flags &= (uint8_t)~SPAN_SWEPT;
  slab_list_span(gc, span);
  return live * gc_class_words[d->run % GC_CLASSES] * 8;
}

static uint64_t census_large(Gc *gc, uint32_t span) {
  if (!bits_test(gc->marks, word_of_page(span))) {
    page_give(gc, span);
    return 0;
  }
  return (uint64_t)gc->table[span].pages * GC_PAGE;
}

static uint64_t census_span(Gc *gc, uint32_t span) {
  switch (gc->table[span].kind) {
    case SPAN_SLAB: return census_slab(gc, span);
    case SPAN_MID: return segfit_list_span(gc, span);
    default: return census_large(gc, span);
  }
}

static uint64_t census(Gc *gc) {
  slab_reset_lists(gc);
  segfit_reset_lists(gc);
  uint64_t live = 0;
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) live += census_span(gc, span);
  return live;
}

static void count_time(Gc *gc, uint64_t start) {
  uint64_t ns = os_now_ns() - start;
  gc->collections++;
  gc->collect_ns_total += ns;
  if (ns > gc->collect_ns_max) gc->collect_ns_max = ns;
}

void collect_run(Gc *gc) {
  Heap *h = gc->heap;
  if (gc->collecting) return;
  gc->collecting = true;
  uint64_t start = os_now_ns();
  slab_close_runs(gc);
  collect_finish_sweep(gc);
  clear_marks(gc);
  mark_all(gc);
  final_report(gc, false);
  h->live_bytes = census(gc);
  h->allocated_before = h->allocated_bytes;
  policy_collected(&h->policy, h->live_bytes + h->external_bytes);
  mark_trim(gc);
  gc->collecting = false;
  if (gc->config.stress) collect_finish_sweep(gc);
  count_time(gc, start);
}
