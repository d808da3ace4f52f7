/* report.c - where the memory of a heap is: by size class, what its spans take, what of that is
 * handed out, and what the owners of the blocks need.
 *
 *   external fragmentation   1 - block_bytes / span_bytes: free places that only this class can use
 *   internal fragmentation   1 - used_bytes / block_bytes: sizes rounded up to those of their class
 */
#include "bits.h"
#include "collect.h"
#include "page.h"

_Static_assert(GC_REPORT_ROWS == GC_RUNS + 2, "a row for each class of slabs, two for the others");

static GcReportRow *row_of(GcReportRow *rows, const PageDesc *d) {
  if (d->kind == SPAN_SLAB) return rows + d->run;
  return rows + GC_RUNS + (d->kind == SPAN_LARGE);
}

static void count_span(Gc *gc, uint32_t span, GcReportRow *row, GcBytesOf *bytes_of, void *ctx) {
  const PageDesc *d = gc->table + span;
  uint64_t from = word_of_page(span), to = from + d->pages * (uint64_t)GC_PAGE_WORDS;
  row->span_bytes += (to - from) * 8;
  for (uint64_t at = bits_next(gc->bits, from, to); at < to; at = bits_next(gc->bits, at + 1, to)) {
    const void *block = gc->base + at * 8;
    uint64_t bytes = gc_block_words(gc, block) * 8;
    row->blocks++;
    row->block_bytes += bytes;
    row->used_bytes += bytes_of ? bytes_of(ctx, block, bytes) : bytes;
  }
}

uint64_t gc_report(Gc *gc, GcReportRow *rows, GcBytesOf *bytes_of, void *ctx) {
  collect_settle(gc);
  for (unsigned i = 0; i < GC_REPORT_ROWS; i++) {
    bool slab = i < GC_RUNS;
    rows[i] = (GcReportRow){.kind = slab ? GC_ROW_SLAB : GC_ROW_MIDDLE + (i - GC_RUNS),
                            .space = slab ? i / GC_CLASSES : GC_SPACE_OBJECT,
                            .slot_bytes = slab ? gc_class_words[i % GC_CLASSES] * 8u : 0};
  }
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0)
    count_span(gc, span, row_of(rows, gc->table + span), bytes_of, ctx);
  return gc->committed_units * UNIT_BYTES - gc->heap->used_pages * GC_PAGE;
}
