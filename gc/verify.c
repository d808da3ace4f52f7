/* verify.c - the heap checker. It trusts nothing that it can compute in another way:
 *
 *   buddy tree <-> page descriptors <-> page_state <-> counters
 *   alloc bits <-> slots, side tables of middle spans, starts of large blocks; none in free pages
 *   lists of ready spans and of free middle blocks <-> descriptors and side tables
 *   every reference in every allocated block -> the start of an allocated block
 *   pages of old blocks are PAGE_OLD or dirty; references from old blocks to young ones lie on
 *   dirty pages, and while a major collection marks, so do those from scanned blocks to unmarked
 *   ones
 *
 * It first closes the runs and finishes the sweep, so that the alloc bits are exact.
 */
#include "bits.h"
#include "cage.h"
#include "collect.h"
#include "page.h"
#include "segfit.h"
#include "slab.h"
#include "state.h"

#define TRY(check)               \
  do {                           \
    const char *wrong_ = (check); \
    if (wrong_) return wrong_;   \
  } while (0)

typedef struct Check {
  Gc *gc;
  uint64_t *where;
  uint64_t used_pages, linked; /* what the walk found */
  uint64_t holder;             /* the block whose references are looked at, 0: any may be */
  uint64_t listed;             /* slabs that have free slots and are in a list or current */
} Check;

/* ---- pages ----------------------------------------------------------------------------------- */

static const char *check_states(Check *c, uint32_t first, uint32_t count, uint8_t want) {
  for (uint32_t page = first; page < first + count; page++) {
    *c->where = word_of_page(page);
    if (!cage_is_committed(c->gc, page)) {
      if (want == 0) return "a page in use is not committed";
      page |= UNIT_PAGES - 1;
      continue;
    }
    uint8_t state = c->gc->states[page];
    if ((state & PAGE_FREE) != want && !(want && state & PAGE_FROZEN))
    return "page_state and buddy tree disagree";
    uint64_t word = word_of_page(page);
    if (want && bits_next(c->gc->bits, word, word + GC_PAGE_WORDS) < word + GC_PAGE_WORDS)
      return "an alloc bit in a free page";
  }
  return NULL;
}

static const char *check_descriptors(Check *c, uint32_t span, uint32_t units) {
  const PageDesc *d = c->gc->table + span;
  *c->where = word_of_page(span);
  if (d->kind < SPAN_SLAB || d->kind > SPAN_LARGE) return "a span of unknown kind";
  if (d->pages != units) return "the length of a span disagrees with the buddy tree";
  if (d->back != 0) return "the first page of a span points back";
  for (uint32_t i = 1; i < units && d->kind != SPAN_LARGE; i++) {
    const PageDesc *other = d + i;
    if (other->kind != d->kind || other->run != d->run || other->back != i)
      return "a page descriptor disagrees with its span's first";
  }
  return NULL;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static const char *check_slab(Check *c, uint32_t span) {
  Gc *gc = c->gc;
  const PageDesc *d = gc->table + span;
  if (d->run >= GC_RUNS) return "a slab of unknown class";
  unsigned stride = gc_class_words[d->run % GC_CLASSES];
  uint64_t start = word_of_page(span), end = start + d->pages * (uint64_t)GC_PAGE_WORDS;
  uint64_t slots_end = start + (uint64_t)slab_slots(gc, span) * stride;
  for (uint64_t at = bits_next(gc->bits, start, end); at < end;
       at = bits_next(gc->bits, at + 1, end)) {
    *c->where = at;
    if (at >= slots_end || (at - start) % stride)
      return "an alloc bit inside a slot";
  }
  return NULL;
}

static const char *check_large(Check *c, uint32_t span) {
  Gc *gc = c->gc;
  uint64_t start = word_of_page(span);
  uint64_t end = start + gc->table[span].pages * (uint64_t)GC_PAGE_WORDS;
  if (!bits_test(gc->bits, start)) return "a large block without alloc bit";
  *c->where = bits_next(gc->bits, start + 1, end);
  return *c->where == end ? NULL : "an alloc bit inside a large block";
}

static const char *check_span(Check *c, uint32_t span) {
  switch (c->gc->table[span].kind) {
    case SPAN_SLAB: return check_slab(c, span);
    case SPAN_MID: return segfit_check_span(c->gc, span, c->where, &c->linked);
    default: return check_large(c, span);
  }
}

/* ---- references ------------------------------------------------------------------------------ */

static bool is_block(Gc *gc, uint32_t ref) {
  uint64_t page = page_of_word(ref);
  return page >= gc->heap->first_page && page < gc->heap->cage_pages &&
         cage_is_committed(gc, page) && !(gc->states[page] & PAGE_FREE) &&
         bits_test(gc->bits, ref);
}

bool gc_holds(Gc *gc, Ref r) {
  collect_settle(gc);
  return is_block(gc, r.w);
}

/* Marked and not scanned, or not to its end. */
static bool is_unfinished(Gc *gc, uint64_t block) {
  const WideBlock *wide = gc->marker.wide;
  return bits_test(gc->pending, block) || bits_test(gc->slow_pending, block) ||
         wide[0].at == block || wide[1].at == block;
}

/* Edges that no collection would find. Stacks are written to without a barrier. */
static const char *check_colours(Check *c, uint64_t word, uint32_t ref) {
  Gc *gc = c->gc;
  uint64_t holder = c->holder;
  if (gc->promoting || !holder || !bits_test(gc->marks, holder) || bits_test(gc->dirty, page_of_word(word)) ||
      is_unfinished(gc, holder))
    return NULL;
  return bits_test(gc->marks, ref) ? NULL : "an old block refers to a young one on a clean page";
}

static const char *check_ref(Check *c, uint64_t word, uint32_t ref) {
  *c->where = word;
  if (!ref) return NULL;
  return is_block(c->gc, ref) ? check_colours(c, word, ref) : "a reference to no block";
}

static const char *check_values(Check *c, uint64_t first, uint64_t count) {
  const Value *p = (const Value *)c->gc->base + first;
  for (uint64_t i = 0; i < count; i++)
    if (p[i] >> 48 == VALUE_REF_HIGH) TRY(check_ref(c, first + i, (uint32_t)p[i]));
  return NULL;
}

/* The words that a block's header claims, header included. */
static uint64_t words_claimed(const Header *h, unsigned pairs) {
  switch (h->layout & LAYOUT_MASK) {
    case LAYOUT_VALUES: return 1 + pairs + (uint64_t)h->n;
    case LAYOUT_WIDE: return 1 + (uint64_t)h->aux;
    case LAYOUT_STACK: return 2 + (uint64_t)h->aux;
    default: return 1;
  }
}

static const char *check_armed(Check *c, uint64_t at, uint64_t words) {
  Gc *gc = c->gc;
  if (!bits_test(gc->marks, at) || (gc->rounds && is_unfinished(gc, at))) return NULL;
  for (uint64_t page = page_of_word(at); page <= page_of_word(at + words - 1); page++)
    if (!(gc->states[page] & PAGE_OLD) == !bits_test(gc->dirty, page))
      return "a page with old blocks is neither armed nor dirty, or both";
  return NULL;
}

static const char *check_block(Check *c, uint64_t at) {
  const Header *h = (const Header *)((const uint64_t *)c->gc->base + at);
  unsigned layout = h->layout & LAYOUT_MASK;
  unsigned pairs = layout ? 0 : layout_pairs(h->layout);
  *c->where = at;
  if (words_claimed(h, pairs) > gc_block_words(c->gc, h)) return "a header larger than its block";
  c->holder = layout == LAYOUT_STACK ? 0 : at;
  TRY(check_armed(c, at, gc_block_words(c->gc, h)));
  if (layout <= LAYOUT_RAW && layout != LAYOUT_WIDE && (h->layout & LAYOUT_AUX_REF))
    TRY(check_ref(c, at, h->aux));
  for (unsigned i = 1; i <= pairs; i++) {
    uint64_t pair = ((const uint64_t *)h)[i];
    TRY(check_ref(c, at + i, (uint32_t)pair));
    TRY(check_ref(c, at + i, (uint32_t)(pair >> 32)));
  }
  uint64_t used = ((const uint64_t *)h)[1];
  /* In the middle of a minor collection it has not looked at keys yet. */
  if (h->layout & LAYOUT_WEAK || (h->layout & LAYOUT_KEYED && c->gc->rounds)) c->holder = 0;
  switch (layout) {
    case LAYOUT_VALUES: return check_values(c, at + 1 + pairs, h->n);
    case LAYOUT_WIDE: return check_values(c, at + 1, h->aux);
    case LAYOUT_STACK:
      return used > h->aux ? "a stack used beyond its capacity" : check_values(c, at + 2, used);
    default: return NULL;
  }
}

static const char *check_blocks_of(Check *c, uint32_t span) {
  const PageDesc *d = c->gc->table + span;
  uint64_t from = word_of_page(span);
  uint64_t to = from + (d->kind == SPAN_LARGE ? 1 : d->pages * (uint64_t)GC_PAGE_WORDS);
  for (uint64_t at = bits_next(c->gc->bits, from, to); at < to;
       at = bits_next(c->gc->bits, at + 1, to))
    TRY(check_block(c, at));
  return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static const char *check_ready_lists(Check *c) {
  Heap *h = c->gc->heap;
  uint64_t most = h->used_pages;
  for (unsigned r = 0; r < GC_RUNS; r++) {
    for (unsigned bucket = 0; bucket < SLAB_BUCKETS; bucket++) {
      for (uint32_t span = h->ready[r][bucket], before = 0; span;
           before = span, span = c->gc->table[span + 1].ready_next) {
        *c->where = word_of_page(span);
        if (span < h->first_page || span >= h->cage_pages || c->listed++ >= most)
          return "a damaged list of ready spans";
        const PageDesc *d = c->gc->table + span;
        if (d->kind != SPAN_SLAB || d->run != r || d->back != 0 || span == h->run_span[r] ||
            !(d->flags & SPAN_READY) || d->epoch != h->ready_epoch || d[1].ready_before != before)
          return "a wrong span in a list of ready ones";
      }
    }
  }
  return NULL;
}

/* Every span with young blocks is in the list, once. */
static const char *check_young_lists(Check *c) {
  Gc *gc = c->gc;
  uint64_t flagged = 0, listed = 0;
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) {
    const PageDesc *d = gc->table + span;
    uint64_t end = d->kind == SPAN_LARGE ? 1 : d->pages;
    *c->where = word_of_page(span);
    flagged += (d->flags & SPAN_YOUNG) != 0;
    for (uint64_t i = bitword_of_page(span); i < bitword_of_page(span + end); i++) {
      if (gc->pending[i] && gc->phase == PHASE_IDLE && !gc->rounds)
        return "a pending block between collections";
      if (gc->marks[i] & ~gc->bits[i]) return "a mark on no block";
      if ((gc->bits[i] & ~gc->marks[i]) && !(d->flags & SPAN_YOUNG))
        return "a young block in a span not listed";
    }
  }
  for (span = gc->heap->young; span && listed <= flagged; span = gc->table[span].young_next)
    listed++;
  for (span = gc->heap->young_large; span && listed <= flagged; span = gc->table[span].young_next)
    listed++;
  return listed == flagged ? NULL : "the lists of young spans are damaged";
}

static const char *check_pages(Check *c) {
  Heap *h = c->gc->heap;
  uint32_t end = (uint32_t)h->cage_pages;
  BuddyRun run;
  for (uint32_t page = (uint32_t)h->first_page; page < end; page += run.units) {
    run = buddy_run(c->gc->buddy, page);
    TRY(check_states(c, page, run.units, run.used ? 0 : PAGE_FREE));
    if (!run.used) continue;
    TRY(check_descriptors(c, page, run.units));
    TRY(check_span(c, page));
    c->used_pages += run.units;
  }
  *c->where = 0;
  uint64_t in_use = buddy_units(c->gc->buddy) - c->gc->buddy.state->free_units;
  if (c->used_pages != h->used_pages || in_use != h->used_pages + h->meta_pages)
    return "the count of pages in use is wrong";
  return NULL;
}

static const char *check_references(Check *c) {
  uint32_t page = (uint32_t)c->gc->heap->first_page, span;
  while ((span = page_next_span(c->gc, &page)) != 0) TRY(check_blocks_of(c, span));
  c->holder = 0;
  TRY(check_values(c, GC_ROOT_OFF / 8, GC_ROOT_BYTES / 8));
  return check_ref(c, 0, c->gc->heap->finals);
}

static const char *check_all(Check *c) {
  TRY(buddy_check(c->gc->buddy));
  TRY(check_pages(c));
  TRY(check_ready_lists(c));
  TRY(check_young_lists(c));
  *c->where = 0;
  if (segfit_count_linked(c->gc) != c->linked) return "damaged free lists of middle blocks";
  return check_references(c);
}

const char *gc_verify(Gc *gc, uint64_t *where) {
  uint64_t ignored;
  Check c = {.gc = gc, .where = where ? where : &ignored};
  *c.where = 0;
  if (gc->must_be_full) gc_collect(gc); /* what is known about old blocks is of another state */
  collect_settle(gc);
  return check_all(&c);
}
