/* heap.c - the heap as its embedder sees it: life cycle, allocation by size, statistics. */
#include "heap.h"

#include <assert.h>
#include <stdlib.h>

#include "bits.h"
#include "cage.h"
#include "collect.h"
#include "final.h"
#include "fork.h"
#include "large.h"
#include "mark.h"
#include "page.h"
#include "purge.h"
#include "segfit.h"
#include "share.h"
#include "slab.h"
#include "snapshot.h"
#include "sweep.h"
#include "weak.h"

#define DEFAULT_CAGE ((uint64_t)4 << 30)
#define CAGE_STEP ((uint64_t)2 << 20)
#define SPOILED 0xFFFA0000DBDBDBDBu

/* ---- life cycle ------------------------------------------------------------------------------ */

static uint64_t cage_size(uint64_t bytes) {
  if (bytes == 0) bytes = DEFAULT_CAGE;
  if (bytes > GC_MAX_CAGE) bytes = GC_MAX_CAGE;
  return (bytes + CAGE_STEP - 1) / CAGE_STEP * CAGE_STEP;
}

static Gc *allocate(const GcConfig *config, uint64_t cage_bytes, const Os *os) {
  Gc *gc = calloc(1, sizeof *gc);
  if (!gc) return NULL;
  gc->os = *os;
  gc->config = *config;
  gc->config.cage_bytes = cage_size(cage_bytes);
  gc->sweep_page = SWEEP_DONE;
  return gc;
}

Gc *gc_new_on(const GcConfig *config, const Os *os) {
  Gc *gc = allocate(config, config->cage_bytes, os);
  if (!gc) return NULL;
  if (!cage_open(gc, gc->config.cage_bytes)) {
    free(gc);
    return NULL;
  }
  policy_init(&gc->heap->policy, config->heap_percent, config->goal_bytes);
  gc_set_mode(gc, config->mode);
  gc->heap->meta_pages = buddy_units(gc->buddy) - gc->buddy.state->free_units;
  gc_set_limit(gc, config->limit_bytes);
  gc->first_serial = snapshot_serial_after(gc, 0);
  *gc_host(gc->base) = (HostPage){gc, config->embedder};
  return gc;
}

Gc *gc_new(const GcConfig *config) { return gc_new_on(config, &(Os){0}); }

/* What is of this process, or of this configuration, in a content that comes from elsewhere. */
static void settle_content(Gc *gc, const GcConfig *config, bool old) {
  Heap *h = gc->heap;
  h->external_bytes = 0;
  h->peak_bytes = h->used_pages * GC_PAGE;
  h->policy.percent = config->heap_percent;
  gc->has_marked = old;
  gc->must_be_full = !old;
  gc->stepped_at = gc->looked_at = h->allocated_bytes;
  gc_set_goal(gc, config->goal_bytes);
  gc_set_mode(gc, config->mode);
  gc_set_limit(gc, config->limit_bytes);
  *gc_host(gc->base) = (HostPage){gc, config->embedder};
}

Gc *gc_new_with(const GcConfig *config, const GcContent *content) {
  Gc *gc = allocate(config, content->cage_bytes, &(Os){0});
  if (!gc) return NULL;
  if (!cage_open_with(gc, content)) {
    mark_close(gc);
    free(gc);
    return NULL;
  }
  settle_content(gc, config, content->old);
  return gc;
}

void gc_finalize_all(Gc *gc) {
  gc->collecting = true;
  if (!gc_is_asleep(gc)) final_report(gc, FINALS_ALL);
  gc->collecting = false;
}

void gc_free(Gc *gc) {
  if (!gc) return;
  gc_finalize_all(gc);
  share_leave(gc);
  fork_close_pool(gc);
  if (fork_give_back(gc)) return;
  gc_forget(gc);
}

void gc_forget(Gc *gc) {
  share_leave(gc);
  weak_abort(gc);
  mark_close(gc);
  slab_close(gc);
  snapshot_close(gc);
  fork_close(gc);
  cage_close(gc);
  free(gc);
}

uint8_t *gc_base(Gc *gc) { return gc->base; }

uint64_t gc_limit(const Gc *gc) { return gc->heap->limit_bytes; }

void gc_set_limit(Gc *gc, uint64_t bytes) {
  gc->heap->limit_bytes = bytes ? bytes : gc->config.cage_bytes;
}

void gc_use_reserve(Gc *gc, bool use) { gc->uses_reserve = use; }

void gc_set_stress(Gc *gc, bool on) {
  slab_close_runs(gc); /* gc_bump must fail from now on */
  gc->config.stress = on;
}

void gc_set_stress_seed(Gc *gc, uint64_t seed) {
  gc->stress_rng = seed * 0x9E3779B97F4A7C15u;
  gc->stress_now = false;
}

void gc_set_mode(Gc *gc, GcMode mode) {
  static const PolicyKinds kinds[] = {
      [GC_ADAPTIVE] = POLICY_ADAPTS,       [GC_OFF] = POLICY_FULL_ONLY,
      [GC_STOP_WORLD] = POLICY_FULL_ONLY,  [GC_GENERATIONAL] = POLICY_GENERATIONS,
      [GC_INCREMENTAL] = POLICY_STEPS};
  gc->config.mode = mode;
  policy_set_kinds(&gc->heap->policy, kinds[mode]);
}

void gc_set_goal(Gc *gc, uint64_t bytes) { policy_set_goal(&gc->heap->policy, bytes); }

/* ---- allocation ------------------------------------------------------------------------------ */

static void *block_at(Gc *gc, uint64_t word) { return word ? (uint64_t *)gc->base + word : NULL; }

static void *alloc_small(Gc *gc, uint64_t words, unsigned space) {
  unsigned class = gc_class_of_words[words];
  bool stress = gc->config.stress;
  void *block = stress ? NULL : gc_bump(gc->base, space, class);
  if (block) return block;
  if (!slab_refill(gc, space * GC_CLASSES + class, stress)) return NULL;
  return gc_bump(gc->base, space, class);
}

/* What fresh memory looks like under stress: references to nowhere, so that a value that its owner
 * forgot to write is found by the next collection. */
static void spoil(Gc *gc, uint64_t *block, uint64_t words) {
  barrier_fresh(gc, gc_word(gc->base, block), words);
  for (uint64_t i = 0; i < words; i++) block[i] = SPOILED;
}

static void *alloc_sized(Gc *gc, uint64_t words, unsigned space) {
  if (words <= GC_SMALL_WORDS) return alloc_small(gc, words ? words : 1, space);
  if (words <= MID_MAX_WORDS) return block_at(gc, segfit_alloc(gc, words));
  return block_at(gc, large_alloc(gc, words));
}

static void *alloc_any(Gc *gc, uint64_t words, unsigned space) {
  assert(!gc->collecting && "a callback of the collector allocates");
  void *block = alloc_sized(gc, words, space);
  if (block && gc->config.stress) spoil(gc, block, gc_block_words(gc, block));
  return block;
}

void *gc_alloc_nocollect(Gc *gc, uint64_t words, unsigned space) {
  return alloc_any(gc, words, space);
}

/* At the limit: a full collection, if one is worth it. */
static bool force(Gc *gc) {
  Policy *p = &gc->heap->policy;
  if (!policy_may_force(p, gc->heap->limit_bytes)) return false;
  gc->pressed = p->poor > 0;
  collect_full(gc);
  purge_finish(gc);
  gc->pressed = false;
  return true;
}

/* Whether an allocation may be due for a collection or for a share of one. */
static bool has_to_do(const Gc *gc) {
  bool due = policy_due(&gc->heap->policy) && gc->config.mode != GC_OFF;
  return due || gc->phase == PHASE_MARK || gc->config.stress;
}

static __attribute__((noinline)) void *alloc_elsewhere(Gc *gc, uint64_t words, unsigned space) {
  if (collect_stress_due(gc) || policy_due(&gc->heap->policy)) collect_due(gc);
  else if (gc->phase != PHASE_IDLE || gc->rounds) collect_step(gc);
  void *block = alloc_any(gc, words, space);
  if (block || words > gc->heap->limit_bytes / 8) return block;
  if (gc->purge) { /* meanwhile nothing is swept */
    purge_finish(gc);
    block = alloc_any(gc, words, space);
    if (block) return block;
  }
  bool forced = force(gc);
  if (forced) block = alloc_any(gc, words, space);
  if (!block && gc_snapshot_trim(gc)) block = alloc_any(gc, words, space);
  if (!block && forced) policy_force_failed(&gc->heap->policy);
  return block;
}

void *gc_alloc(Gc *gc, uint64_t words, unsigned space) {
  /* The common case: another run of free slots where the class allocates already. */
  if (words <= GC_SMALL_WORDS && !has_to_do(gc)) {
    unsigned class = gc_class_of_words[words];
    void *block = gc_bump(gc->base, space, class);
    if (!block) block = slab_alloc_here(gc, space * GC_CLASSES + class, gc_class_words[class]);
    if (block) return block;
  }
  return alloc_elsewhere(gc, words, space);
}

static uint64_t word_of(Gc *gc, const void *block) { return gc_word(gc->base, block); }

uint64_t gc_block_words(Gc *gc, const void *block) {
  uint64_t word = word_of(gc, block);
  const PageDesc *d = gc->table + page_of_word(word);
  if (d->kind == SPAN_SLAB) return gc_class_words[d->run % GC_CLASSES];
  return d->kind == SPAN_MID ? segfit_words(gc, word) : large_words(gc, word);
}

/* Bytes handed out since the last collection are free again. */
static void uncount(Heap *h, uint64_t bytes) {
  h->allocated_before += bytes;
  h->policy.debt -= bytes < h->policy.debt ? bytes : h->policy.debt;
}

void gc_release(Gc *gc, void *block) {
  uint64_t word = word_of(gc, block), bytes = gc_block_words(gc, block) * 8;
  if (mark_keeps(gc, word)) return;
  bool known = gc->has_marked && !gc->must_be_full, old = known && bits_test(gc->marks, word);
  bool counted = !gc->must_be_full;
  if (gc->has_marked) mark_forget(gc, word);
  switch (gc->table[page_of_word(word)].kind) {
    case SPAN_SLAB: counted &= !slab_free(gc, word); break;
    case SPAN_MID: segfit_release(gc, word); break;
    default: large_free(gc, word); break;
  }
  if (old) gc->heap->live_bytes -= bytes;
  else if (counted) uncount(gc->heap, bytes);
}

bool gc_extend(Gc *gc, void *block, uint64_t words) {
  uint64_t word = word_of(gc, block);
  switch (gc->table[page_of_word(word)].kind) {
    case SPAN_MID: return segfit_extend(gc, word, words);
    case SPAN_LARGE: return large_extend(gc, word, words);
    default: return words <= gc_block_words(gc, block);
  }
}

/* Whether so many external bytes more are within the limit. */
static bool external_fits(Gc *gc, uint64_t more) {
  return share_fits(gc, more, gc->heap->limit_bytes);
}

static void external_return(Gc *gc, uint64_t bytes) {
  Heap *h = gc->heap;
  h->external_bytes -= bytes < h->external_bytes ? bytes : h->external_bytes;
  h->policy.debt -= bytes < h->policy.debt ? bytes : h->policy.debt; /* short-lived buffers */
  share_count(gc);
}

static void external_take(Gc *gc, uint64_t bytes) {
  Heap *h = gc->heap;
  h->external_bytes += bytes;
  h->policy.debt += bytes;
  uint64_t all = h->used_pages * GC_PAGE + h->external_bytes;
  if (all > h->peak_bytes) h->peak_bytes = all;
  share_count(gc);
}

bool gc_external_now(Gc *gc, int64_t bytes) {
  if (bytes < 0) external_return(gc, (uint64_t)0 - (uint64_t)bytes);
  else if (!external_fits(gc, (uint64_t)bytes)) return false;
  else external_take(gc, (uint64_t)bytes);
  return true;
}

bool gc_external(Gc *gc, int64_t bytes) {
  Heap *h = gc->heap;
  if (bytes <= 0) return gc_external_now(gc, bytes);
  if (collect_stress_due(gc) || policy_due(&h->policy)) collect_due(gc);
  if (!external_fits(gc, (uint64_t)bytes)) {
    if ((uint64_t)bytes > h->limit_bytes) return false;
    bool forced = force(gc);
    if (forced) sweep_finish(gc); /* pages that come free count as used until they are swept */
    if (!external_fits(gc, (uint64_t)bytes) &&
        !(gc_snapshot_trim(gc) && external_fits(gc, (uint64_t)bytes))) {
      if (forced) policy_force_failed(&h->policy);
      return false;
    }
  }
  external_take(gc, (uint64_t)bytes);
  return true;
}

/* ---- collection and reports ------------------------------------------------------------------ */

void gc_collect(Gc *gc) {
  collect_full(gc);
  if (!gc->collecting) sweep_finish(gc);
}

void gc_collect_young(Gc *gc) { collect_minor(gc); }

bool gc_is_collecting(const Gc *gc) { return gc->collecting; }

bool gc_is_minor(Gc *gc) { return gc->minor; }

uint64_t gc_pressed_bytes(const Gc *gc) { return gc->pressed ? gc->marker.words * 8 : 0; }

bool gc_is_marked(Gc *gc, Ref r) {
  return bits_test(gc->marker.final ? gc->next : gc->marks, r.w);
}

uint64_t gc_trim(Gc *gc) { return cage_trim(gc); }

void gc_stats(Gc *gc, GcStats *out) {
  const Heap *h = gc->heap;
  *out = (GcStats){
      .committed_bytes = h->used_pages * GC_PAGE,
      .used_bytes = h->live_bytes + h->allocated_bytes - h->allocated_before,
      .live_bytes = h->live_bytes,
      .allocated_bytes = h->allocated_bytes,
      .peak_bytes = h->peak_bytes,
      .limit_bytes = h->limit_bytes,
      .external_bytes = h->external_bytes,
      .collections = gc->majors + gc->minors,
      .majors = gc->majors,
      .minors = gc->minors,
  };
  collect_pauses(gc, out);
}

static void each_in_span(Gc *gc, uint32_t span, void (*fn)(void *, void *, uint64_t), void *ctx) {
  const PageDesc *d = gc->table + span;
  uint64_t from = word_of_page(span);
  uint64_t to = from + (d->kind == SPAN_LARGE ? 1 : d->pages * (uint64_t)GC_PAGE_WORDS);
  for (uint64_t at = bits_next(gc->bits, from, to); at < to;
       at = bits_next(gc->bits, at + 1, to)) {
    void *block = block_at(gc, at);
    if (at != gc->heap->finals) fn(ctx, block, gc_block_words(gc, block));
  }
}

void gc_each(Gc *gc, void (*fn)(void *ctx, void *block, uint64_t words), void *ctx) {
  collect_settle(gc);
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) each_in_span(gc, span, fn, ctx);
}
