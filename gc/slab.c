/* slab.c - small blocks: one size class to a span, free slots found in the alloc bitmap.
 *
 * Nothing is ever written into a dead slot: neither marking nor sweeping touches object pages, so
 * these stay shared after a fork and unlogged under a snapshot. The alloc bitmap has one bit per
 * word, set at the first word of each block. Allocation bumps a pointer through a run of free slots
 * (gc_bump); the bits of the blocks handed out are set in one go when the run is closed.
 *
 * A span's life:
 *   taken   all free, becomes the class's current span
 *   full    the class has forgotten it
 *   collection   the slabs allocated into since the last one (the list Heap.young) are swept (alloc
 *           bits &= marks): empty ones go back to the buddy allocator, those with free slots enter
 *           the lists of their class by how full they are. After a major collection the other spans
 *           are swept, too, in steps; until then they are in no list
 *   release a slot freed by hand makes its span ready, or gives it back if it was the last
 *   ready   taken from a list, emptiest first (long runs, few refills), becomes current
 *
 * While a span is current its alloc bits are those of the last sweep: all slots from `run_start` to
 * the run's `cur` are taken, and their bits are set in one go when the span is left.
 *
 * Colours: allocation starts at another place in each fresh span, goes to its end and then takes
 * the part before. So the first blocks of spans, which tend to be the busy ones, are spread over
 * all cache sets: one busy block in each of 4,096 slabs took 12 ns an access at equal offsets, 2 ns
 * so. (An offset of the first slot within the slack of the span would give too few places: sizes
 * that divide the span have none.)
 */
#include "slab.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "page.h"
#include "plant.h"
#include "snapshot.h"
#include "sweep.h"

enum { SLAB_PAGES = 8, SLAB_MAX_PAGES = 16, SLAB_SHARE = 32, SWEEP_TRIES = 8, STEP_PAGES = 4 };
enum { WINDOW_PAGES = 4 };

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

static uint64_t used_slots(Gc *gc, uint32_t span) {
  return bits_count(gc->bits + bitword_of_page(span), gc->table[span].pages * PAGE_BITWORDS);
}

/* All free slots of the current span are counted as handed out when its first run is opened; what
 * is left when its runs are closed is taken back. */
static void count_free(Gc *gc, unsigned r, int sign) {
  Heap *h = gc->heap;
  uint64_t slots = slab_slots(gc, h->run_span[r]);
  if (!h->run_fresh[r]) slots -= used_slots(gc, h->run_span[r]);
  uint64_t bytes = slots * slot_words(r) * 8;
  h->allocated_bytes += sign > 0 ? bytes : 0 - bytes;
  h->policy.debt += sign > 0 ? bytes : 0 - bytes;
}

/* Enters what was handed out of a range of slots in the alloc bitmap. */
static void set_taken(Gc *gc, unsigned r, uint64_t from, uint64_t to) {
  if (to <= from) return;
  uint64_t first = from >> 6, last = (to - 1) >> 6;
  gc_touch_range(gc->base, gc_word(gc->base, gc->bits + first), last - first + 1);
  bits_set_row(gc->bits, from, to, slot_words(r));
}

static void forget_holes(Gc *gc, unsigned r) { gc->holes[r].at = gc->holes[r].count = 0; }

static void close_range(Gc *gc, unsigned r) {
  Heap *h = gc->heap;
  forget_holes(gc, r);
  set_taken(gc, r, h->run_start[r], h->runs[r].cur);
  h->runs[r] = (GcRun){0, 0};
  h->run_start[r] = 0;
}

void slab_close_runs(Gc *gc) {
  for (unsigned r = 0; r < GC_RUNS; r++) {
    gc->heap->run_fresh[r] = 0;
    if (!gc->heap->run_start[r]) continue;
    close_range(gc, r);
    count_free(gc, r, -1);
  }
}

/* The next run of free slots in a span at or after the slot `from`. Where the last slot ends, a
 * division, is not asked before it matters. */
static bool find_run(Gc *gc, uint32_t span, uint64_t from, GcRun *out) {
  unsigned words = slot_words(gc->table[span].run);
  uint64_t end = word_of_page(span) + gc->table[span].pages * (uint64_t)GC_PAGE_WORDS;
  from = bits_next_clear_in_row(gc->bits, from, end, words);
  if (from + words > end) return false;
  uint64_t to = bits_next(gc->bits, from, end);
  *out = (GcRun){(uint32_t)from, (uint32_t)(to < end ? to : slots_end(gc, span))};
  return true;
}

/* Pages of a run are copied into the log of a snapshot when it is opened: page by page, then.
 * Likewise when a collection is under way, which goes on a step with each run; a few pages at once
 * where that is a major one, which has time. */
static uint32_t end_on_page(GcRun run, unsigned words, unsigned pages) {
  uint32_t left = pages * GC_PAGE_WORDS - run.cur % GC_PAGE_WORDS;
  uint32_t slots = (left + words - 1) / words, end = run.cur + slots * words;
  return end < run.end ? end : run.end;
}

static void open_run(Gc *gc, unsigned r, GcRun run, bool single) {
  Heap *h = gc->heap;
  if (single) run.end = run.cur + slot_words(r);
  else if (gc_has_snapshots(gc) || gc->rounds) run.end = end_on_page(run, slot_words(r), 1);
  else if (gc->phase == PHASE_MARK) run.end = end_on_page(run, slot_words(r), STEP_PAGES);
  barrier_fresh(gc, run.cur, run.end - run.cur);
  h->runs[r] = run;
  forget_holes(gc, r);
  if (!h->run_start[r]) h->run_start[r] = run.cur;
}

/* ---- spans ----------------------------------------------------------------------------------- */

static void drop_dead(Gc *gc, uint32_t page) {
  uint64_t at = bitword_of_page(page), *bits = gc->bits + at, *marks = gc->marks + at, dead = 0;
  for (unsigned i = 0; i < PAGE_BITWORDS; i++) dead |= bits[i] & ~marks[i];
  if (!dead) return; /* a clean page of the bitmap stays clean */
  for (unsigned i = 0; gc_has_snapshots(gc) && i < PAGE_BITWORDS; i++)
    if (bits[i] & ~marks[i]) snapshot_freed(gc, at + i, bits[i] & ~marks[i]);
  meta_touch(gc, bits);
  for (unsigned i = 0; i < PAGE_BITWORDS; i++) bits[i] &= marks[i];
}

/* Drops dead blocks from the alloc bits of a page and says which pages hold old ones. Gives how
 * many are alive. The block before may reach into the page. */
static unsigned sweep_page(Gc *gc, uint32_t page, bool reached) {
  drop_dead(gc, page);
  unsigned live = (unsigned)bits_count(gc->bits + bitword_of_page(page), PAGE_BITWORDS);
  if (!live && !reached) gc->states[page] &= (uint8_t)~PAGE_OLD;
  else if (!bits_test(gc->dirty, page) && !PLANTED(SWEEP_NOT_ARMED)) gc->states[page] |= PAGE_OLD;
  return live;
}

static unsigned bucket_of(unsigned used, unsigned slots) { return used * SLAB_BUCKETS / slots; }

/* The lists of spans with free slots are doubly linked through the descriptor of the second
 * page. */
static void list_ready(Gc *gc, uint32_t span) {
  PageDesc *d = page_edit(gc, span), *link = page_edit(gc, span + 1);
  unsigned slots = slab_slots(gc, span);
  if (d->used >= slots) return;
  uint32_t *list = &gc->heap->ready[d->run][bucket_of(d->used, slots)];
  d->flags |= SPAN_READY;
  d->epoch = gc->heap->ready_epoch;
  link->ready_before = 0;
  link->ready_next = *list;
  if (*list) page_edit(gc, *list + 1)->ready_before = span;
  *list = span;
}

static bool is_ready(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  return (d->flags & SPAN_READY) && d->epoch == gc->heap->ready_epoch;
}

void slab_unlist(Gc *gc, uint32_t span) {
  if (!is_ready(gc, span)) return;
  PageDesc *d = page_edit(gc, span);
  uint32_t before = d[1].ready_before, next = d[1].ready_next, *list = gc->heap->ready[d->run];
  d->flags &= (uint8_t)~SPAN_READY;
  if (next) page_edit(gc, next + 1)->ready_before = before;
  if (before) {
    page_edit(gc, before + 1)->ready_next = next;
    return;
  }
  while (*list != span) list++;
  *list = next;
}

static void give_span(Gc *gc, uint32_t span) {
  slab_unlist(gc, span);
  gc->heap->class_pages[gc->table[span].run] -= gc->table[span].pages;
  page_give(gc, span);
}

static bool any_marked(Gc *gc, uint32_t span) {
  const uint64_t *at = gc->marks + bitword_of_page(span);
  for (uint64_t n = gc->table[span].pages * PAGE_BITWORDS; n; n--)
    if (*at++) return true;
  return false;
}

void slab_sweep(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  unsigned live = 0, before = 0;
  if (!gc_has_snapshots(gc) && !any_marked(gc, span)) {
    give_span(gc, span);
    return;
  }
  for (uint32_t i = 0; i < d->pages; i++) {
    before = sweep_page(gc, span + i, before != 0);
    live += before;
  }
  page_edit(gc, span)->used = (uint16_t)live;
  slab_unlist(gc, span);
  if (live) list_ready(gc, span);
  else give_span(gc, span);
}

/* Small spans for a small class, for the sake of memory; large ones for one that has much. */
static uint64_t span_pages(const Heap *h, unsigned r) {
  uint64_t pages = SLAB_MAX_PAGES, has = h->class_pages[r];
  while (pages > SLAB_PAGES && pages > has / SLAB_SHARE) pages /= 2;
  while (pages > SPAN_LEAST_PAGES && pages > has) pages /= 2;
  return pages;
}

/* Where an image has a window for that, the first spans are fresh ones there: what is looked at
 * then lies together, and is listed. */
static bool goes_to_window(const Gc *gc) {
  return gc->fresh_rather && gc->window_rather && gc->window_end - gc->window >= SPAN_LEAST_PAGES;
}

static uint32_t take_span(Gc *gc, unsigned r) {
  Heap *h = gc->heap;
  uint64_t pages = span_pages(h, r);
  if (goes_to_window(gc) && pages > WINDOW_PAGES) pages = WINDOW_PAGES;
  uint32_t span = page_take_some(gc, &pages, SPAN_LEAST_PAGES, SPAN_SLAB, (uint8_t)r);
  if (span) h->class_pages[r] += (uint32_t)pages;
  return span;
}

/* The emptiest span that is ready. Until a heap that was opened from an image has been
 * collected, only one that is nearly empty: fresh spans leave the image's pages shared with
 * other processes, and cost fewer page faults. */
static uint32_t pop_ready(Gc *gc, unsigned r, bool fresh_rather) {
  for (unsigned bucket = 0; bucket < (fresh_rather ? 1 : SLAB_BUCKETS); bucket++) {
    uint32_t span = gc->heap->ready[r][bucket];
    if (!span) continue;
    slab_unlist(gc, span);
    return span;
  }
  return 0;
}

/* The slot at which allocation starts in a fresh span. Fibonacci hashing spreads successive spans
 * as far apart as can be. */
static uint32_t start_slot(Gc *gc, uint32_t span) {
  uint32_t spread = gc->heap->colour++ * 0x9E3779B9u;
  uint64_t slot = (uint64_t)spread * slab_slots(gc, span) >> 32;
  return (uint32_t)(word_of_page(span) + slot * slot_words(gc->table[span].run));
}

/* Makes another span the class's current one, with the place to look for free slots first. */
static bool next_span(Gc *gc, unsigned r, uint64_t *from) {
  Heap *h = gc->heap;
  uint32_t span = 0;
  for (unsigned tries = 0; !span && tries < SWEEP_TRIES; tries++) {
    bool more = sweep_some(gc);
    span = goes_to_window(gc) ? 0 : pop_ready(gc, r, gc->fresh_rather);
    if (!more || gc->purge) break; /* while there is a purge nothing is swept */
  }
  uint32_t fresh = span ? 0 : take_span(gc, r);
  if (!span && !fresh && gc->fresh_rather) span = pop_ready(gc, r, false);
  h->run_wrapped[r] = span != 0;
  h->run_fresh[r] = fresh ? start_slot(gc, fresh) : 0;
  *from = fresh ? h->run_fresh[r] : word_of_page(span);
  if (fresh) span = fresh;
  h->run_span[r] = span;
  if (!span) return false;
  page_list_young(gc, span);
  return true;
}

/* The class goes on elsewhere. Slots may have been freed behind its back. */
static void leave_span(Gc *gc, unsigned r) {
  uint32_t span = gc->heap->run_span[r];
  close_range(gc, r);
  if (!span) return;
  gc->heap->run_span[r] = 0;
  uint64_t used = gc->heap->run_fresh[r] ? slab_slots(gc, span) : used_slots(gc, span);
  page_edit(gc, span)->used = (uint16_t)used;
  list_ready(gc, span);
}

/* Goes on in the current span: a run at `from` or behind it, or from the start of the span once.
 * The bitmap of a span that was all free, which is not in the cache, is not looked at. */
static bool next_run(Gc *gc, unsigned r, uint64_t from, GcRun *run) {
  Heap *h = gc->heap;
  uint32_t span = h->run_span[r], fresh = h->run_fresh[r];
  if (fresh && !h->run_start[r] && !h->run_wrapped[r]) {
    *run = (GcRun){fresh, (uint32_t)slots_end(gc, span)};
    return true;
  }
  if (fresh && h->run_wrapped[r] && from == fresh) return false; /* once round */
  if (find_run(gc, span, from, run)) return true;
  if (h->run_wrapped[r]) return false;
  close_range(gc, r);
  h->run_wrapped[r] = true;
  if (!fresh) return find_run(gc, span, word_of_page(span), run);
  *run = (GcRun){(uint32_t)word_of_page(span), fresh};
  return run->cur < run->end;
}

/* ---- runs found ahead ------------------------------------------------------------------------
 *
 * A span with holes is the common case, and where blocks die in no order, a hole has three slots or
 * so. To look for one took 110 instructions and three mispredicted branches; so they are looked for
 * by the dozen. A slot that is not in the state of the one before, free or used, begins or ends a
 * hole, which a few operations tell for all slots of a bitmap word. */

/* Words to look at, if there is any hole in them. */
enum { HOLES_SPAN = 1024, EDGES_ENOUGH = 2 * GC_HOLES - 40, EDGES_AT_ONCE = 6 };
_Static_assert(EDGES_ENOUGH > 0, "a bitmap word has up to 32 edges; some more may be written");

/* Writes where the bits of a word are whose first bit is number `first`. A few are written in any
 * case, so that no branch depends on how many there are. */
static inline uint32_t *put_edges(uint32_t *at, uint64_t bits, uint32_t first) {
  uint32_t *end = at + bits_in_word(bits);
  for (unsigned i = 0; i < EDGES_AT_ONCE; i++, bits &= bits - 1)
    *at++ = first + (unsigned)__builtin_ctzll(bits | (uint64_t)1 << 63);
  for (; bits; bits &= bits - 1) *at++ = first + (unsigned)__builtin_ctzll(bits);
  return end;
}

static bool open_holes(Gc *gc) {
  enum { EACH = 2 * GC_HOLES };
  if (!gc->hole_edges) gc->hole_edges = malloc(GC_RUNS * EACH * sizeof *gc->hole_edges);
  for (unsigned r = 0; r < GC_RUNS && gc->hole_edges; r++)
    gc->holes[r].edges = gc->hole_edges + r * EACH;
  return gc->hole_edges != NULL;
}

/* Looks for holes from the slot `from` of the current span on, which is used or the end. False:
 * there are no more. */
static bool find_holes(Gc *gc, unsigned r, uint64_t from) {
  unsigned words = slot_words(r);
  uint64_t stop = slots_end(gc, gc->heap->run_span[r]), enough = from + HOLES_SPAN, open = 0;
  Holes *q = gc->holes + r;
  if (!q->edges && !open_holes(gc)) return false;
  uint32_t *at = q->edges;
  from = bits_next_clear_in_row(gc->bits, from, stop, words);
  while (from < stop && at < q->edges + EDGES_ENOUGH && (from < enough || at == q->edges)) {
    uint64_t first = from & ~(uint64_t)63, row = bits_row_here(from, words);
    from = bits_row_next(from, row, words);
    if (stop - first < 64) row &= ((uint64_t)1 << (stop - first)) - 1;
    uint64_t unused = row & ~gc->bits[first >> 6];
    uint64_t before = row & (unused << (words - 1) << 1 | (open & (0 - row)));
    uint64_t edges = unused ^ before;
    if (edges) at = put_edges(at, edges, (uint32_t)first);
    else if (!unused) from = bits_next_clear_in_row(gc->bits, from, stop, words); /* all taken */
    open = 0 - (uint64_t)(unused > row >> 1); /* the last slot of the row is free */
  }
  if (open) *at++ = (uint32_t)bits_next(gc->bits, from, stop);
  q->at = 0;
  q->count = (uint32_t)(at - q->edges);
  return q->count != 0;
}

/* Where the barrier has a say. */
static __attribute__((noinline)) void *open_watched(Gc *gc, unsigned r, GcRun run) {
  barrier_fresh(gc, run.cur, run.end - run.cur);
  gc->heap->runs[r] = (GcRun){run.cur + slot_words(r), run.end};
  return gc->base + ((uint64_t)run.cur << 3);
}

static inline void *open_hole(Gc *gc, unsigned r, unsigned words) {
  Holes *q = gc->holes + r;
  GcRun run = {q->edges[q->at], q->edges[q->at + 1]};
  uint32_t first = page_of_word(run.cur), last = page_of_word(run.end - 1);
  q->at += 2;
  if (last - first > 1 || ((gc->states[first] | gc->states[last]) & ~PAGE_OLD))
    return open_watched(gc, r, run);
  gc->heap->runs[r] = (GcRun){run.cur + words, run.end};
  return gc->base + ((uint64_t)run.cur << 3);
}

static __attribute__((noinline)) void *look_ahead(Gc *gc, unsigned r) {
  Heap *h = gc->heap;
  GcRun run;
  if (!h->run_start[r]) return NULL;
  bool may = !h->run_fresh[r] && !gc->rounds && !gc->snapshots;
  if (may && find_holes(gc, r, h->runs[r].end)) return open_hole(gc, r, slot_words(r));
  if (!next_run(gc, r, h->runs[r].end, &run)) return NULL;
  open_run(gc, r, run, false);
  return gc_bump(gc->base, r / GC_CLASSES, r % GC_CLASSES);
}

void *slab_alloc_here(Gc *gc, unsigned r, unsigned words) {
  if (gc->holes[r].at == gc->holes[r].count) return look_ahead(gc, r);
  return open_hole(gc, r, words);
}

/* Where to go on in the current span. After runs were closed halfway: from its start again. */
static uint64_t resume(Gc *gc, unsigned r) {
  Heap *h = gc->heap;
  if (h->run_start[r]) return h->runs[r].end;
  h->run_wrapped[r] = true;
  return word_of_page(h->run_span[r]);
}

bool slab_refill(Gc *gc, unsigned r, bool single) {
  Heap *h = gc->heap;
  GcRun run;
  bool counted = h->run_start[r] != 0;
  uint64_t from = h->run_span[r] ? resume(gc, r) : 0;
  while (!h->run_span[r] || !next_run(gc, r, from, &run)) {
    leave_span(gc, r);
    if (!next_span(gc, r, &from)) return false;
    counted = false;
  }
  if (!counted) count_free(gc, r, 1);
  open_run(gc, r, run, single);
  return true;
}

/* ---- freeing by hand ------------------------------------------------------------------------- */

static void clear_bit(Gc *gc, uint64_t word) {
  snapshot_freed(gc, word >> 6, (uint64_t)1 << (word & 63));
  meta_touch(gc, gc->bits + (word >> 6));
  bits_clear(gc->bits, word);
}

/* The last block handed out is taken back at once. The bits of what lies before it are set first,
 * so that one of them can be cleared. */
static void free_in_current(Gc *gc, unsigned r, uint64_t word) {
  Heap *h = gc->heap;
  h->run_fresh[r] = 0;
  if (word >= h->runs[r].end) forget_holes(gc, r);
  uint32_t start = h->run_start[r], *cur = &h->runs[r].cur;
  if (start && word >= start && word < *cur) {
    if (word + slot_words(r) == *cur) {
      *cur = (uint32_t)word;
      return;
    }
    set_taken(gc, r, start, *cur);
    h->run_start[r] = *cur;
  }
  clear_bit(gc, word);
}

/* An empty span is given back, unless it is the only one that the class has at hand. */
static bool is_spare(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  return !is_ready(gc, span) || d[1].ready_before || d[1].ready_next;
}

bool slab_free(Gc *gc, uint64_t word) {
  uint32_t span = span_of_word(gc, word);
  PageDesc *d = gc->table + span;
  if (gc->heap->run_span[d->run] == span) {
    free_in_current(gc, d->run, word);
    return true;
  }
  if (!sweep_is_done(gc) && bits_test(gc->unswept, span)) return false; /* its mark is gone */
  clear_bit(gc, word);
  unsigned used = --page_edit(gc, span)->used, slots = slab_slots(gc, span);
  if (used == 0 && is_spare(gc, span)) {
    give_span(gc, span);
  } else if (!is_ready(gc, span)) {
    list_ready(gc, span);
  } else if (bucket_of(used, slots) != bucket_of(used + 1, slots)) {
    slab_unlist(gc, span);
    list_ready(gc, span);
  }
  return false;
}

/* ---------------------------------------------------------------------------------------------- */

void slab_forget_spans(Gc *gc) {
  memset(gc->heap->run_span, 0, sizeof gc->heap->run_span);
}

void slab_close(Gc *gc) { free(gc->hole_edges); }

void slab_forget_holes(Gc *gc) {
  for (unsigned r = 0; r < GC_RUNS; r++) forget_holes(gc, r);
}

void slab_forget_lists(Gc *gc) {
  memset(gc->heap->ready, 0, sizeof gc->heap->ready);
  gc->heap->ready_epoch++;
}
