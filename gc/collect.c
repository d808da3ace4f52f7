/* collect.c - the order of collections.
 *
 * A block that has survived a collection is old: its bit in `marks` stays set (sticky mark bits,
 * Demers et al. 1990). Two kinds of collection share the work:
 *
 * Minor, at once. Marks from the roots and from the old blocks on dirty pages (barrier.c); a marked
 * block ends the search, so that only young ones are visited. All that survive are old from then on.
 * Then the spans allocated into since the last collection are swept, and no others.
 *
 * Major. Where the heap is small, or on request, at once: forget the marks, mark everything. Else in
 * steps between allocations, with minor collections going on:
 *
 *   clear   the bitmap `next`, a piece at a time
 *   mark    steps follow the old blocks from those that minor collections find at the roots, on
 *           dirty pages and among the promoted (mark.c), bounded by a budget each
 *   finish  when a minor collection has left nothing to mark: report the dead, and `next` becomes
 *           `marks`. What the last round still finds is new since the one before, so it is short;
 *           where it is not, it is put off
 *
 * Afterwards, in both cases, spans are swept bit by bit (sweep.c).
 *
 * The order of each: close the allocation runs; mark; let the embedder drop weak entries; report
 * registered objects that are dead, which are readable still; sweep; set when the next one is due.
 */
#include "collect.h"

#include <string.h>

#include "bits.h"
#include "cage.h"
#include "final.h"
#include "mark.h"
#include "page.h"
#include "slab.h"
#include "sweep.h"

enum {
  CLEAR_PAGES = 8192,       /* a step of clearing: 512 KiB of bitmap */
  STEP_LEAST_WORDS = 4096,
  STEP_MOST_WORDS = 64 << 10,
  FINAL_WORDS = 64 << 10,   /* what the last round may still have to mark */
};

/* ---- time ------------------------------------------------------------------------------------ */

static unsigned bucket_of(uint64_t ns) {
  if (ns < 4) return (unsigned)ns;
  unsigned log = 63 - (unsigned)__builtin_clzll(ns);
  unsigned bucket = 4 * (log - 1) + (unsigned)(ns >> (log - 2) & 3);
  return bucket < PAUSE_BUCKETS ? bucket : PAUSE_BUCKETS - 1;
}

/* The longest time of a bucket. */
static uint64_t bucket_end(unsigned bucket) {
  if (bucket < 4) return bucket;
  return ((uint64_t)(4 + (bucket & 3) + 1) << (bucket / 4 - 1)) - 1;
}

static void count_pause(Gc *gc, uint64_t start) {
  uint64_t ns = os_now_ns() - start;
  gc->collect_ns_total += ns;
  if (ns > gc->collect_ns_max) gc->collect_ns_max = ns;
  gc->pauses[bucket_of(ns)]++;
}

static uint64_t percentile(const Gc *gc, uint64_t pauses, uint64_t per_mille) {
  uint64_t left = pauses * per_mille / 1000;
  for (unsigned i = 0; i < PAUSE_BUCKETS; i++) {
    if (left < gc->pauses[i]) return bucket_end(i);
    left -= gc->pauses[i];
  }
  return gc->collect_ns_max;
}

void collect_pauses(const Gc *gc, GcStats *out) {
  for (unsigned i = 0; i < PAUSE_BUCKETS; i++) out->pauses += gc->pauses[i];
  out->collect_ns_total = gc->collect_ns_total;
  out->collect_ns_max = gc->collect_ns_max;
  out->pause_ns_p50 = percentile(gc, out->pauses, 500);
  out->pause_ns_p99 = percentile(gc, out->pauses, 990);
  out->pause_ns_p999 = percentile(gc, out->pauses, 999);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void open_marker(Gc *gc) {
  gc->has_marked = true;
  slab_close_runs(gc);
  gc->marker.words = gc->marker.work = 0;
  gc->marker.shade = gc->phase == PHASE_MARK;
}

static void mark_roots(Gc *gc) {
  if (gc->config.mark_roots) gc->config.mark_roots(gc, gc->config.embedder);
  mark_root_area(gc);
  final_mark_list(gc);
}

static void mark_weak(Gc *gc) {
  gc->marker.weak = gc->marker.shade && !gc->marker.final;
  if (gc->config.after_mark) gc->config.after_mark(gc, gc->config.embedder);
  mark_drain(gc);
  gc->marker.weak = false;
}

/* All that was handed out so far has been looked at. */
static void settle_counts(Gc *gc) {
  gc->heap->allocated_before = gc->heap->allocated_bytes;
}

static void major_done(Gc *gc, uint64_t live_words, uint64_t work, bool full) {
  Heap *h = gc->heap;
  gc->majors++;
  h->live_bytes = live_words * 8;
  settle_counts(gc);
  policy_major(&h->policy, h->live_bytes + h->external_bytes, work, full);
}

/* ---- full collections ------------------------------------------------------------------------ */

static void clear_marks(Gc *gc) {
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) {
    uint64_t pages = gc->table[span].kind == SPAN_LARGE ? 1 : gc->table[span].pages;
    memset(gc->marks + bitword_of_page(span), 0, pages * PAGE_BITWORDS * sizeof(uint64_t));
  }
}

/* Gives up a major collection in progress. */
static void abort_major(Gc *gc) {
  mark_abort(gc);
  gc->phase = PHASE_IDLE;
}

void collect_forget(Gc *gc) {
  abort_major(gc);
  if (!sweep_is_done(gc)) sweep_abandon(gc);
  gc->stacks.count = 0;
  gc->stepped_at = gc->heap->allocated_bytes;
  gc->must_be_full = true;
}

void collect_full(Gc *gc) {
  if (gc->collecting) return;
  uint64_t start = os_now_ns();
  gc->collecting = true;
  abort_major(gc);
  open_marker(gc);
  sweep_finish(gc);
  clear_marks(gc);
  mark_forget_dirty(gc);
  gc->stacks.count = 0;
  gc->stacks.lost = gc->must_be_full = false;
  mark_roots(gc);
  mark_drain(gc);
  mark_weak(gc);
  final_report(gc, FINALS_DEAD);
  sweep_begin(gc);
  sweep_young(gc);
  major_done(gc, gc->marker.words, gc->marker.work, true);
  gc->collecting = false;
  if (gc->config.stress) sweep_finish(gc);
  count_pause(gc, start);
}

/* ---- the major collection in steps ----------------------------------------------------------- */

static void begin_major(Gc *gc) {
  gc->phase = PHASE_CLEAR;
  gc->clear_page = (uint32_t)gc->heap->first_page;
  gc->marker.slow_words = gc->marker.slow_work = 0;
}

static void clear_step(Gc *gc) {
  uint32_t from = gc->clear_page, to = from + CLEAR_PAGES;
  if (to > gc->top_page) to = gc->top_page;
  if (from < to) {
    cage_populate_next(gc, from, to - from);
    memset(gc->next + bitword_of_page(from), 0,
           (uint64_t)(to - from) * PAGE_BITWORDS * sizeof(uint64_t));
  }
  gc->clear_page = to;
  if (to >= gc->top_page) gc->phase = PHASE_MARK;
}

/* The rest of a minor collection in which the major one ended. */
static void finish_major(Gc *gc) {
  uint64_t *was = gc->marks;
  gc->marks = gc->next;
  gc->next = was;
  gc->phase = PHASE_IDLE;
  mark_filter_stacks(gc, gc->marks);
  sweep_begin(gc);
}

/* Words to look at in a step: so many for each word handed out since the last one that marking ends
 * before the heap has used up its room. */
static uint64_t step_budget(Gc *gc) {
  uint64_t rate = policy_step_rate(&gc->heap->policy);
  uint64_t words = (gc->heap->allocated_bytes - gc->stepped_at) / 8 * rate;
  gc->stepped_at = gc->heap->allocated_bytes;
  if (words < STEP_LEAST_WORDS) return STEP_LEAST_WORDS;
  return words < STEP_MOST_WORDS ? words : STEP_MOST_WORDS;
}

void collect_step(Gc *gc) {
  if (gc->collecting) return;
  uint64_t start = os_now_ns();
  if (gc->phase == PHASE_CLEAR) clear_step(gc);
  else if (gc->phase == PHASE_MARK && !mark_slow_is_idle(gc)) mark_step(gc, step_budget(gc));
  else return;
  count_pause(gc, start);
}

/* ---- minor collections ----------------------------------------------------------------------- */

/* Can the major collection end with this minor one? */
static bool nothing_left(Gc *gc) { return gc->marker.shade && mark_step(gc, FINAL_WORDS); }

static void minor_done(Gc *gc, uint64_t fixed, uint64_t work) {
  Heap *h = gc->heap;
  uint64_t promoted = gc->marker.words * 8;
  gc->minors++;
  h->live_bytes += promoted;
  if (gc->marker.shade) gc->marker.slow_words += gc->marker.words;
  if (gc->marker.shade) gc->marker.slow_work += work - fixed;
  settle_counts(gc);
  PolicyMinor minor = {h->live_bytes + h->external_bytes, promoted, fixed, work};
  policy_minor(&h->policy, &minor);
}

void collect_minor(Gc *gc) {
  if (gc->collecting) return;
  if (gc->must_be_full || gc->stacks.lost) {
    collect_full(gc);
    return;
  }
  uint64_t start = os_now_ns();
  gc->collecting = gc->minor = true;
  open_marker(gc);
  mark_roots(gc);
  mark_dirty_pages(gc);
  if (!gc->config.notes_stacks) mark_stacks(gc);
  uint64_t fixed = gc->marker.work;
  mark_drain(gc);
  uint64_t work = gc->marker.work;
  bool final = gc->marker.final = nothing_left(gc);
  gc->minor = !final;
  mark_weak(gc);
  final_report(gc, final ? FINALS_DEAD : FINALS_YOUNG);
  if (final) finish_major(gc);
  sweep_young(gc);
  minor_done(gc, fixed, work);
  if (final) major_done(gc, gc->marker.slow_words, gc->marker.slow_work, false);
  gc->marker.final = gc->marker.shade = false;
  gc->collecting = gc->minor = false;
  if (gc->config.stress) sweep_finish(gc);
  count_pause(gc, start);
}

/* ---- choosing -------------------------------------------------------------------------------- */

static void major_due(Gc *gc, bool in_steps) {
  if (!in_steps) {
    collect_full(gc);
    return;
  }
  if (gc->phase == PHASE_IDLE && sweep_is_done(gc)) begin_major(gc);
  collect_minor(gc);
}

/* Under stress: all kinds in turn. */
static void collect_in_turn(Gc *gc) {
  uint64_t n = gc->majors + gc->minors;
  switch (gc->config.mode) {
    case GC_GENERATIONAL: n % 4 == 3 ? collect_full(gc) : collect_minor(gc); break;
    case GC_INCREMENTAL:
      collect_step(gc);
      major_due(gc, true);
      break;
    case GC_ADAPTIVE: n % 2 ? collect_minor(gc) : collect_full(gc); break;
    default: collect_full(gc); break;
  }
}

void collect_due(Gc *gc) {
  const Policy *p = &gc->heap->policy;
  if (gc->config.stress) {
    collect_in_turn(gc);
    return;
  }
  bool major = policy_choose(p) == POLICY_MAJOR;
  switch (gc->config.mode) {
    case GC_OFF: break;
    case GC_STOP_WORLD: collect_full(gc); break;
    case GC_GENERATIONAL: major ? major_due(gc, false) : collect_minor(gc); break;
    case GC_INCREMENTAL: major ? major_due(gc, true) : collect_minor(gc); break;
    case GC_ADAPTIVE:
      if (major) major_due(gc, policy_wants_steps(p));
      else collect_minor(gc);
      break;
  }
}

void collect_settle(Gc *gc) {
  slab_close_runs(gc);
  sweep_finish(gc);
}
