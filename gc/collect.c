/* collect.c - the order of collections.
 *
 * A block that has survived a collection is old: its bit in `marks` stays set (sticky mark bits,
 * Demers et al. 1990). Two kinds of collection share the work:
 *
 * Minor. Marks from the roots and from the old blocks on dirty pages (barrier.c); a marked block
 * ends the search, so that only young ones are visited. All that survive are old from then on. Then
 * the spans allocated into since the last collection are swept, and no others. Nearly always that
 * is a matter of one round within its budget. If not, rounds from the roots go on by turns with
 * steps between allocations that look at dirty pages and follow what was found. What a round finds
 * is new since the one before, so one will end within its budget, and that is the last.
 *
 * Major. Where marking is short, or on request, at once: forget the marks, mark everything. Else in
 * steps between allocations, with minor collections going on:
 *
 *   clear   the bitmap `next`, a piece at a time
 *   begin   at the end of a minor collection: mark the roots (mark.c)
 *   mark    steps follow the old blocks, bounded by a budget each
 *   finish  with the first minor collection that ends when nothing is left to mark: report the
 *           dead, and `next` becomes `marks`
 *
 * Where minor collections do not pay, it begins and ends without them (promote.c).
 *
 * Afterwards, in both cases, spans are swept bit by bit (sweep.c).
 *
 * The order of each: close the allocation runs; mark; clear weak references (weak.c, and by and by
 * those of a major one: purge.c); report registered objects that are dead, which are readable still;
 * sweep; set when the next one is due.
 */
#include "collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "cage.h"
#include "final.h"
#include "mark.h"
#include "page.h"
#include "promote.h"
#include "purge.h"
#include "slab.h"
#include "sweep.h"
#include "weak.h"

enum {
  CLEAR_PAGES = 2048,       /* a step of clearing: 128 KiB of bitmap */
  STEP_LEAST_WORDS = 4096,
  STEP_MOST_WORDS = 48 << 10,
  FINAL_WORDS = 256 << 10,  /* what the last round of a major one may still have to mark */
  ROUND_WORDS = 256 << 10,  /* a round of a minor one */
  BETWEEN_SHARE = 4,        /* a step between two rounds: a quarter of that */
  FINAL_DIRTY = 512,        /* pages that the last round may have to look at */
  MOST_STEPS = 1 << 12,     /* of a minor collection: more mean that the program is faster */
  SWEEP_SPANS = 64,         /* swept at once where a major collection waits for it */
  STRESS_WORDS = 200,       /* a round under stress */
  STRESS_GAP = 24,          /* allocations between two collections at random, on average */
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

void collect_count_pause(Gc *gc, uint64_t start) {
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
  Marker *m = &gc->marker;
  gc->has_marked = true;
  m->words = m->work = m->fixed = m->settled = 0;
}

static void mark_roots(Gc *gc) {
  if (gc->config.mark_roots) gc->config.mark_roots(gc, gc->config.embedder);
  mark_root_area(gc);
  final_mark_list(gc);
}

static void mark_weak(Gc *gc) {
  weak_mark(gc);
  if (gc->config.after_mark) gc->config.after_mark(gc, gc->config.embedder);
  weak_mark(gc);
  weak_clear(gc);
}

/* All that was handed out so far has been looked at. */
static void settle_counts(Gc *gc) {
  gc->heap->allocated_before = gc->heap->allocated_bytes;
}

static void major_done(Gc *gc, uint64_t live_words, uint64_t work, bool alone) {
  Heap *h = gc->heap;
  gc->majors++;
  h->live_bytes = live_words * 8;
  settle_counts(gc);
  policy_major(&h->policy, h->live_bytes + h->external_bytes, work, alone);
}

/* Under stress all is swept at once; not with collections at random, while there is a purge. */
static void stress_sweep(Gc *gc) {
  if (!gc->purge || !gc->stress_rng) sweep_finish(gc);
}

/* ---- full collections ------------------------------------------------------------------------ */

static void clear_marks(Gc *gc) {
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) {
    uint64_t pages = gc->table[span].kind == SPAN_LARGE ? 1 : gc->table[span].pages;
    memset(gc->marks + bitword_of_page(span), 0, pages * PAGE_BITWORDS * sizeof(uint64_t));
  }
}

/* Gives up what is under way. */
static void abandon(Gc *gc) {
  mark_abort(gc);
  weak_abort(gc);
  gc->phase = PHASE_IDLE;
  gc->rounds = 0;
  gc->promoting = false;
}

void collect_forget(Gc *gc) {
  abandon(gc);
  purge_drop(gc);
  if (!sweep_is_done(gc)) sweep_abandon(gc);
  gc->stacks.count = 0;
  gc->stepped_at = gc->heap->allocated_bytes;
  gc->must_be_full = true;
}

void collect_full(Gc *gc) {
  if (gc->collecting) return;
  uint64_t start = os_now_ns();
  gc->collecting = true;
  abandon(gc);
  slab_close_runs(gc);
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
  purge_begin(gc);
  sweep_young(gc);
  major_done(gc, gc->marker.words, gc->marker.work, true);
  gc->collecting = false;
  if (gc->config.stress) stress_sweep(gc);
  collect_count_pause(gc, start);
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
  if (to >= gc->top_page) gc->phase = PHASE_CLEARED;
}

/* The rest of a minor collection in which the major one ended. */
static void finish_major(Gc *gc) {
  uint64_t *was = gc->marks;
  gc->marks = gc->next;
  gc->next = was;
  gc->phase = PHASE_IDLE;
  gc->marker.final = false;
  mark_filter_stacks(gc, gc->marks);
  sweep_begin(gc);
}

/* Words handed out since; the count goes back where runs are closed. */
static uint64_t made_since(const Gc *gc, uint64_t bytes) {
  return gc->heap->allocated_bytes > bytes ? (gc->heap->allocated_bytes - bytes) / 8 : 0;
}

/* Words to look at in a step: so many for each word handed out since the last one that marking ends
 * before the heap has used up its room. 0: not worth a step yet. */
static uint64_t step_budget(Gc *gc) {
  uint64_t rate = policy_step_rate(&gc->heap->policy);
  uint64_t words = made_since(gc, gc->stepped_at) * rate;
  if (words < STEP_LEAST_WORDS) return 0;
  uint64_t most = STEP_MOST_WORDS + made_since(gc, gc->looked_at);
  gc->looked_at = gc->heap->allocated_bytes;
  if (words > most) words = most; /* the rest is for the next one */
  gc->stepped_at += words / rate * 8;
  return words;
}

static bool slow_is_done(Gc *gc) { return mark_slow_is_idle(gc) && weak_slow_is_done(gc); }

/* Marks, and then looks at weak places, about so many words. True: nothing is left. */
static bool slow_step(Gc *gc, uint64_t budget) {
  uint64_t start = gc->marker.work, done = 0;
  while (done < budget && mark_step(gc, budget - done)) {
    if (weak_slow_is_done(gc)) return true;
    weak_slow_step(gc, budget / 4 + 1);
    done = gc->marker.work - start;
  }
  return slow_is_done(gc);
}

/* ---- minor collections ----------------------------------------------------------------------- */

/* Can the major collection end with this minor one? */
static bool nothing_left(Gc *gc) { return gc->phase == PHASE_MARK && slow_step(gc, FINAL_WORDS); }

/* What was promoted so far is alive. */
static void settle_promoted(Gc *gc) {
  Marker *m = &gc->marker;
  gc->heap->live_bytes += (m->words - m->settled) * 8;
  m->settled = m->words;
}

static void minor_done(Gc *gc, uint64_t work, bool final) {
  Heap *h = gc->heap;
  Marker *m = &gc->marker;
  gc->minors++;
  gc->rounds = 0;
  settle_promoted(gc);
  if (gc->phase == PHASE_MARK || final) m->slow_words += m->words;
  if (gc->phase == PHASE_MARK || final) m->slow_work += work - m->fixed;
  settle_counts(gc);
  PolicyMinor minor = {h->live_bytes + h->external_bytes, m->words * 8, m->fixed, work};
  policy_minor(&h->policy, &minor);
}

/* From the roots. True: all that is reachable is marked. */
static bool minor_round(Gc *gc, uint64_t budget) {
  Marker *m = &gc->marker;
  uint64_t start = m->work;
  slab_close_runs(gc);
  mark_roots(gc);
  if (!gc->config.notes_stacks) mark_stacks(gc);
  mark_dirty_pages(gc, budget);
  m->fixed += m->work - start;
  return mark_round(gc, budget) && gc->dirty_count == 0;
}

/* Between two rounds. True: the next one can be the last. */
static bool minor_between(Gc *gc, uint64_t budget) {
  Marker *m = &gc->marker;
  uint64_t start = m->work;
  m->between = true;
  if (gc->config.stress) slab_close_runs(gc); /* the alloc bits are looked at */
  bool clean = mark_dirty_pages(gc, budget);
  m->fixed += m->work - start;
  bool idle = mark_round(gc, budget);
  m->between = false;
  return idle && (clean || gc->dirty_count <= FINAL_DIRTY);
}

static void begin_marking(Gc *gc) {
  gc->phase = PHASE_MARK;
  gc->stepped_at = gc->looked_at = gc->heap->allocated_bytes;
  weak_begin_slow(gc);
  mark_begin_major(gc);
  policy_begin_major(&gc->heap->policy);
}

/* Everything is marked: the rest, at once. */
static void minor_finish(Gc *gc) {
  Marker *m = &gc->marker;
  uint64_t work = m->work;
  bool final = m->final = nothing_left(gc);
  gc->minor = !final;
  mark_weak(gc);
  final_report(gc, final ? FINALS_DEAD : FINALS_YOUNG);
  if (final) finish_major(gc);
  purge_begin(gc);
  sweep_young(gc);
  minor_done(gc, work, final);
  if (final) major_done(gc, m->slow_words, m->slow_work, false);
  if (gc->phase == PHASE_CLEARED) begin_marking(gc);
}

/* ---- without minor collections --------------------------------------------------------------- */

/* All that was made since the last collection gets old. */
static void promote(Gc *gc) {
  Heap *h = gc->heap;
  promote_all(gc);
  uint64_t made = made_since(gc, h->allocated_before), settled = gc->marker.settled;
  if (made > settled) h->live_bytes += (made - settled) * 8;
  if (gc->phase == PHASE_MARK) gc->marker.slow_words += made;
  settle_counts(gc);
  gc->rounds = 0;
  gc->minor = false;
  mark_roots(gc); /* all is old already: for the stack in use, which is noted */
  mark_drain(gc);
}

/* A minor collection that has cost more than it can be worth is given up. */
static void give_up_minor(Gc *gc) {
  Heap *h = gc->heap;
  uint64_t work = gc->marker.work, debt = h->policy.debt;
  promote(gc);
  sweep_young(gc);
  PolicyMinor minor = {h->live_bytes + h->external_bytes, debt, gc->marker.fixed, work};
  policy_minor(&h->policy, &minor);
}

static void begin_alone(Gc *gc) {
  Heap *h = gc->heap;
  open_marker(gc);
  promote(gc);
  sweep_young(gc);
  policy_promoted(&h->policy, h->live_bytes + h->external_bytes);
  begin_marking(gc);
}

static void finish_alone(Gc *gc) {
  Marker *m = &gc->marker;
  open_marker(gc);
  promote(gc);
  m->final = true;
  mark_roots(gc);
  mark_weak(gc);
  final_report(gc, FINALS_DEAD);
  finish_major(gc);
  purge_begin(gc);
  sweep_young(gc);
  major_done(gc, m->slow_words, m->slow_work, true);
}

static void edge_of_major(Gc *gc) {
  gc->collecting = true;
  if (gc->phase == PHASE_CLEARED) begin_alone(gc);
  else finish_alone(gc);
  gc->collecting = false;
}

/* ---- steps of minor collections -------------------------------------------------------------- */

static bool is_vain(Gc *gc) {
  const Policy *p = &gc->heap->policy;
  return policy_wants_steps(p) && promote_can(gc) && policy_is_vain(p, gc->marker.work);
}

/* One step of the minor collection under way: a round, or what is to be done before the next. */
static void minor_step(Gc *gc, uint64_t budget) {
  uint64_t start = os_now_ns();
  if (gc->rounds++ > MOST_STEPS) budget = UINT64_MAX;
  gc->looked_at = gc->heap->allocated_bytes;
  gc->collecting = gc->minor = true;
  if (gc->round_due) {
    gc->round_due = false;
    if (minor_round(gc, budget)) minor_finish(gc);
  } else {
    gc->round_due = minor_between(gc, budget / BETWEEN_SHARE);
  }
  settle_promoted(gc);
  if (gc->rounds && is_vain(gc)) give_up_minor(gc);
  gc->collecting = gc->minor = false;
  if (gc->config.stress) stress_sweep(gc);
  collect_count_pause(gc, start);
}

static uint64_t round_words(const Gc *gc) {
  if (gc->config.stress) return STRESS_WORDS;
  return gc->round_words ? gc->round_words : ROUND_WORDS;
}

/* Begins or goes on with a minor collection, which then may or may not be over. */
static void minor_go_on(Gc *gc, uint64_t budget) {
  if (gc->must_be_full || gc->stacks.lost) {
    collect_full(gc);
    return;
  }
  if (gc->purge) {
    purge_step(gc);
    return;
  }
  if (!gc->rounds) {
    open_marker(gc);
    if (gc->promoting) promote(gc);
    gc->rounds = 1;
    gc->round_due = true;
  }
  minor_step(gc, budget);
}

void collect_minor(Gc *gc) {
  if (gc->collecting) return;
  purge_finish(gc);
  do minor_go_on(gc, UINT64_MAX);
  while (gc->rounds);
}

/* Do major collections begin and end by themselves now? */
static bool is_alone(const Gc *gc) {
  return policy_is_alone(&gc->heap->policy) && promote_can(gc);
}

/* A share of what is under way. */
void collect_step(Gc *gc) {
  if (gc->collecting) return;
  if (gc->purge) {
    purge_step(gc);
    return;
  }
  if (gc->rounds) {
    minor_go_on(gc, round_words(gc));
    return;
  }
  if (gc->phase == PHASE_IDLE) return;
  bool marks = gc->phase == PHASE_MARK && !slow_is_done(gc);
  uint64_t budget = marks ? step_budget(gc) : 0;
  if (marks && !budget) return;
  if (!marks && gc->phase != PHASE_CLEAR && !is_alone(gc)) {
    minor_go_on(gc, round_words(gc)); /* with which it begins or ends: the heap grows meanwhile */
    return;
  }
  uint64_t start = os_now_ns();
  if (gc->config.stress) slab_close_runs(gc); /* the alloc bits are looked at */
  if (gc->phase == PHASE_CLEAR) clear_step(gc);
  else if (marks) slow_step(gc, budget);
  else if (!promote_some(gc)) edge_of_major(gc);
  collect_count_pause(gc, start);
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* It has to wait for the end of the last one's sweep. */
static void alone_due(Gc *gc) {
  if (gc->phase != PHASE_IDLE) collect_step(gc);
  else if (!sweep_step(gc, SWEEP_SPANS)) begin_major(gc);
}

static void major_due(Gc *gc, bool in_steps) {
  if (!in_steps || gc->must_be_full) {
    collect_full(gc);
    return;
  }
  if (!gc->rounds && is_alone(gc)) {
    alone_due(gc);
    return;
  }
  if (gc->phase == PHASE_IDLE && !gc->rounds && sweep_is_done(gc)) begin_major(gc);
  minor_go_on(gc, round_words(gc));
}

static uint64_t stress_random(Gc *gc) {
  gc->stress_rng ^= gc->stress_rng << 13;
  gc->stress_rng ^= gc->stress_rng >> 7;
  gc->stress_rng ^= gc->stress_rng << 17;
  return gc->stress_rng;
}

bool collect_stress_due(Gc *gc) {
  if (!gc->config.stress || !gc->stress_rng) return gc->config.stress;
  return gc->stress_now || stress_random(gc) % STRESS_GAP == 0;
}

static void verify_or_abort(Gc *gc) {
  uint64_t where = 0;
  const char *wrong = gc_verify(gc, &where);
  if (!wrong) return;
  fprintf(stderr, "gc: after a collection: %s (word %#llx)\n", wrong, (unsigned long long)where);
  abort();
}

/* The edge of a major collection without a minor one, where it is at one. */
static void edge_by_hand(Gc *gc) {
  if (gc->phase < PHASE_CLEARED || gc->rounds || gc->purge || !promote_can(gc)) return;
  if (gc->phase == PHASE_MARK && !slow_is_done(gc)) return;
  slab_close_runs(gc);
  if (!promote_some(gc)) edge_of_major(gc);
}

/* Any kind, at any point of those under way. */
static void collect_at_random(Gc *gc) {
  gc->stress_now = false;
  switch (stress_random(gc) % 8) {
    case 0: collect_full(gc); break;
    case 1: collect_minor(gc); break;
    case 2: case 3: if (gc->config.mode != GC_STOP_WORLD) minor_go_on(gc, round_words(gc)); break;
    case 4: edge_by_hand(gc); break;
    case 5: if (!gc->rounds && !gc->purge) major_due(gc, gc->config.mode != GC_STOP_WORLD); break;
    default: collect_step(gc); break;
  }
  if (!gc->purge || stress_random(gc) % 8 == 0) verify_or_abort(gc); /* which ends a purge */
}

/* Under stress: all kinds in turn. */
static void collect_in_turn(Gc *gc) {
  uint64_t n = gc->majors + gc->minors;
  switch (gc->config.mode) {
    case GC_GENERATIONAL: n % 4 == 3 ? collect_full(gc) : collect_minor(gc); break;
    case GC_INCREMENTAL:
      collect_step(gc);
      if (n % 3 == 0) edge_by_hand(gc);
      if (!gc->rounds) major_due(gc, true);
      break;
    case GC_ADAPTIVE: n % 2 ? minor_go_on(gc, round_words(gc)) : collect_full(gc); break;
    default: collect_full(gc); break;
  }
}

void collect_due(Gc *gc) {
  const Policy *p = &gc->heap->policy;
  if (gc->config.stress) {
    gc->stress_rng ? collect_at_random(gc) : collect_in_turn(gc);
    return;
  }
  if (gc->config.mode == GC_ADAPTIVE && policy_is_behind(p)) {
    collect_full(gc);
    return;
  }
  if (gc->purge && !gc->must_be_full) {
    purge_step(gc);
    return;
  }
  bool major = policy_choose(p) == POLICY_MAJOR && (!gc->rounds || !policy_wants_steps(p));
  switch (gc->config.mode) {
    case GC_OFF: break;
    case GC_STOP_WORLD: collect_full(gc); break;
    default:
      if (major) major_due(gc, policy_wants_steps(p));
      else minor_go_on(gc, round_words(gc));
      break;
  }
}

void collect_settle(Gc *gc) {
  slab_close_runs(gc);
  sweep_finish(gc);
}
