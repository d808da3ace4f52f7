/* slab.c - small blocks: one size class to a span, free slots found in the alloc bitmap.
 *
 * Nothing is ever written into a dead slot: neither marking nor sweeping touches object pages, so
 * these stay shared after a fork and unlogged under a snapshot. The alloc bitmap has one bit per
 * word, set at the first word of each block. Allocation bumps a pointer through a run of free slots
 * (gc_bump); the bits of the blocks handed out are set in one go when the run is closed.
 *
 * A span's life:
 *   taken   all free, SPAN_SWEPT, becomes the class's current span, in no list
 *   full    in no list; the class has forgotten it
 *   collection   empty ones go back to the buddy allocator; those with free slots enter the lists
 *           of their class by how full they are, unswept: dead blocks still have alloc bits
 *   ready   taken from a list, emptiest first (long runs, few refills), swept
 *           (alloc bits &= marks), becomes current
 * A span taken fresh is never in a list and is born SPAN_SWEPT, so sweeping cannot mistake its new
 * blocks, which have no marks, for dead ones.
 *
 * Colours: allocation starts at another place in each fresh span, goes to its end and then takes
 * the part before. So the first blocks of spans, which tend to be the busy ones, are spread over
 * all cache sets: one busy block in each of 4,096 slabs took 12 ns an access at equal offsets, 2 ns
 * so. (An offset of the first slot within the slack of the span would give too few places: sizes
 * that divide the span have none.)
 */
#include "slab.h"

#include "bits.h"
#include "page.h"

const uint8_t gc_class_words[GC_CLASSES] = {2,  3,  4,  5,  6,  7,  8,  10, 12, 14,
                                            16, 20, 24, 28, 32, 40, 48, 56, 64};

#define FOUR(c) c, c, c, c
#define EIGHT(c) FOUR(c), FOUR(c)
const uint8_t gc_class_of_words[GC_SMALL_WORDS + 1] = {
    0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 9, 9, 10, 10, /* 0 to 16 words */
    FOUR(11), FOUR(12), FOUR(13), FOUR(14),             /* to 20, 24, 28, 32 */
    EIGHT(15), EIGHT(16), EIGHT(17), EIGHT(18)};        /* to 40, 48, 56, 64 */
#undef FOUR
#undef EIGHT

enum { SLAB_MAX_PAGES = 16 };

static unsigned slot_words(unsigned run) { return gc_class_words[run % GC_CLASSES]; }

unsigned slab_slots(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  return d->pages * GC_PAGE_WORDS / slot_words(d->run);
}

/* The first word behind a span's last slot. */
static uint64_t slots_end(Gc *gc, uint32_t span) {
  unsigned words = slot_words(gc->table[span].run);
  return word_of_page(span) + (uint64_t)slab_slots(gc, span) * words;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void close_run(Gc *gc, unsigned r) {
  Heap *h = gc->heap;
  uint64_t start = h->run_start[r], cur = h->runs[r].cur, end = h->runs[r].end;
  if (cur > start) {
    uint64_t first = start >> 6, last = (cur - 1) >> 6;
    gc_touch_range(gc->base, gc_word(gc->base, gc->bits + first), last - first + 1);
    bits_set_row(gc->bits, start, cur, slot_words(r));
  }
  h->allocated_bytes -= (end - cur) * 8;
  h->policy.debt -= (end - cur) * 8;
  h->runs[r] = (GcRun){(uint32_t)end, (uint32_t)end};
  h->run_start[r] = (uint32_t)end;
}

/* No open run; the next one is looked for from the start of the current span. */
static void forget_run(Gc *gc, unsigned r) {
  gc->heap->runs[r] = (GcRun){0, 0};
  gc->heap->run_start[r] = 0;
}

void slab_close_runs(Gc *gc) {
  for (unsigned r = 0; r < GC_RUNS; r++) {
    close_run(gc, r);
    forget_run(gc, r);
  }
}

/* The next run of free slots in a span at or after the slot `from`. */
static bool find_run(Gc *gc, uint32_t span, uint64_t from, GcRun *out) {
  unsigned words = slot_words(gc->table[span].run);
  uint64_t end = slots_end(gc, span);
  while (from < end && bits_test(gc->bits, from)) from += words;
  if (from >= end) return false;
  *out = (GcRun){(uint32_t)from, (uint32_t)bits_next(gc->bits, from, end)};
  return true;
}

static void open_run(Gc *gc, unsigned r, GcRun run, bool single) {
  Heap *h = gc->heap;
  if (single) run.end = run.cur + slot_words(r);
  gc_touch_range(gc->base, run.cur, run.end - run.cur);
  h->runs[r] = run;
  h->run_start[r] = run.cur;
  h->allocated_bytes += (uint64_t)(run.end - run.cur) * 8;
  h->policy.debt += (uint64_t)(run.end - run.cur) * 8;
}

/* ---- spans ----------------------------------------------------------------------------------- */

void slab_sweep(Gc *gc, uint32_t span) {
  PageDesc *d = page_edit(gc, span);
  uint64_t from = bitword_of_page(span), to = from + d->pages * PAGE_BITWORDS;
  d->flags |= SPAN_SWEPT;
  for (uint64_t i = from; i < to; i++) {
    uint64_t live = gc->bits[i] & gc->marks[i];
    if (live == gc->bits[i]) continue;
    meta_touch(gc, gc->bits + i);
    gc->bits[i] = live;
  }
}

static uint32_t take_span(Gc *gc, unsigned r) {
  Heap *h = gc->heap;
  uint64_t pages = SLAB_MAX_PAGES;
  while (pages > 1 && pages > h->class_pages[r]) pages /= 2;
  for (; pages > 0; pages /= 2) {
    uint32_t span = page_take(gc, pages, SPAN_SLAB, (uint8_t)r);
    if (!span) continue;
    h->class_pages[r] += (uint32_t)pages;
    return span;
  }
  return 0;
}

/* The emptiest span that is ready, swept. */
static uint32_t pop_ready(Gc *gc, unsigned r) {
  for (unsigned bucket = 0; bucket < SLAB_BUCKETS; bucket++) {
    uint32_t span = gc->heap->ready[r][bucket];
    if (!span) continue;
    gc->heap->ready[r][bucket] = gc->table[span].next;
    if (!(gc->table[span].flags & SPAN_SWEPT)) slab_sweep(gc, span);
    return span;
  }
  return 0;
}

/* The slot at which allocation starts in a fresh span. Fibonacci hashing spreads successive spans
 * as far apart as can be. */
static uint64_t start_slot(Gc *gc, uint32_t span) {
  uint32_t spread = gc->heap->colour++ * 0x9E3779B9u;
  uint64_t slot = (uint64_t)spread * slab_slots(gc, span) >> 32;
  return word_of_page(span) + slot * slot_words(gc->table[span].run);
}

/* Makes another span the class's current one, with the place to look for free slots first. */
static bool next_span(Gc *gc, unsigned r, uint64_t *from) {
  Heap *h = gc->heap;
  uint32_t span = pop_ready(gc, r);
  bool fresh = !span;
  if (fresh) span = take_span(gc, r);
  h->run_span[r] = span;
  h->run_wrapped[r] = !fresh;
  if (span) *from = fresh ? start_slot(gc, span) : word_of_page(span);
  return span != 0;
}

/* Goes on in the current span: a run behind the last one, or from the start of the span once. */
static bool next_run(Gc *gc, unsigned r, uint64_t from, GcRun *run) {
  Heap *h = gc->heap;
  uint32_t span = h->run_span[r];
  if (!span) return false;
  if (from && find_run(gc, span, from, run)) return true;
  if (from && h->run_wrapped[r]) return false;
  h->run_wrapped[r] = true;
  return find_run(gc, span, word_of_page(span), run);
}

bool slab_refill(Gc *gc, unsigned r, bool single) {
  GcRun run;
  close_run(gc, r);
  uint64_t from = gc->heap->run_start[r];
  while (!next_run(gc, r, from, &run)) {
    if (next_span(gc, r, &from)) continue;
    forget_run(gc, r);
    return false;
  }
  open_run(gc, r, run, single);
  return true;
}

/* ---- lists ----------------------------------------------------------------------------------- */

void slab_reset_lists(Gc *gc) {
  Heap *h = gc->heap;
  for (unsigned r = 0; r < GC_RUNS; r++) {
    h->run_span[r] = 0;
    h->class_pages[r] = 0;
    for (unsigned bucket = 0; bucket < SLAB_BUCKETS; bucket++) h->ready[r][bucket] = 0;
  }
}

void slab_list_span(Gc *gc, uint32_t span) {
  PageDesc *d = page_edit(gc, span);
  Heap *h = gc->heap;
  unsigned slots = slab_slots(gc, span);
  h->class_pages[d->run] += d->pages;
  d->next = 0;
  if (d->live >= slots) return;
  unsigned bucket = d->live * SLAB_BUCKETS / slots;
  d->next = h->ready[d->run][bucket];
  h->ready[d->run][bucket] = span;
}
