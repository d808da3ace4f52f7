/* sweep.c - which spans are swept when.
 *
 * After a minor collection nothing can have died but what was allocated since the last one. The
 * spans that were allocated into are in a list, and sweeping them is proportional to the young
 * generation, whatever the size of the heap. Where that is large, some slabs are left for later, in
 * a list of their own, and count as unswept until they are.
 *
 * After a major collection every span is unswept (a bit per page in a side table, so that no
 * descriptor is written). They are swept in address order, some with each span that an allocator
 * asks for, and all before the next major collection marks. An unswept span is in no list and is
 * not allocated into; where the allocator of middle blocks finds a free block in one, it is swept
 * first. Minor collections go on meanwhile: an unswept span has no young blocks.
 *
 * Nothing is swept before weak places have been purged (purge.c).
 */
#include "sweep.h"

#include <string.h>

#include "bits.h"
#include "large.h"
#include "page.h"
#include "purge.h"
#include "segfit.h"
#include "slab.h"

enum { SPANS_PER_ALLOCATION = 16, SPANS_AT_ONCE = 256 };

/* Under stress the words of dead blocks are overwritten, so that a missing root is noticed. */
static void poison_dead(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  if (d->kind == SPAN_LARGE) return;
  uint64_t from = word_of_page(span), to = from + d->pages * (uint64_t)GC_PAGE_WORDS;
  for (uint64_t at = bits_next(gc->bits, from, to); at < to; at = bits_next(gc->bits, at + 1, to)) {
    if (bits_test(gc->marks, at)) continue;
    void *block = gc_ptr(gc->base, (Ref){(uint32_t)at});
    uint64_t words = gc_block_words(gc, block);
    barrier_fresh(gc, at, words);
    memset(block, 0xDB, words * 8);
  }
}

static void sweep_any(Gc *gc, uint32_t span) {
  bits_clear(gc->unswept, span);
  if (gc->config.stress) poison_dead(gc, span);
  switch (gc->table[span].kind) {
    case SPAN_SLAB: slab_sweep(gc, span); break;
    case SPAN_MID: segfit_sweep(gc, span); break;
    default: large_sweep(gc, span); break;
  }
}

/* ---- young spans ----------------------------------------------------------------------------- */

static void put_off(Gc *gc, uint32_t span) {
  slab_unlist(gc, span); /* where a block of it was released by hand */
  bits_set(gc->unswept, span);
  page_edit(gc, span)->young_next = gc->heap->late;
  gc->heap->late = span;
}

/* They are unswept like all others. Sweeping would say which of their pages hold old blocks; until
 * then all do. */
static void leave_young(Gc *gc, uint32_t span) {
  page_unlist_young(gc, span);
  for (uint32_t page = span; page < span + gc->table[span].pages; page++)
    if (!bits_test(gc->dirty, page)) gc->states[page] |= PAGE_OLD;
}

static void leave_all_young(Gc *gc) {
  for (uint32_t span; (span = gc->heap->young) != 0;) leave_young(gc, span);
  for (uint32_t span; (span = gc->heap->young_large) != 0;) leave_young(gc, span);
}

void sweep_young(Gc *gc) {
  slab_forget_spans(gc);
  if (gc->purge == PURGE_ALL) leave_all_young(gc);
  else large_sweep_young(gc);
  unsigned at_once = gc->purge ? 0 : SPANS_AT_ONCE;
  for (uint32_t span; (span = gc->heap->young) != 0;) {
    page_unlist_young(gc, span);
    if (gc->table[span].kind != SPAN_SLAB) {
      sweep_any(gc, span);
    } else if (at_once) {
      at_once--;
      sweep_any(gc, span);
    } else {
      put_off(gc, span);
    }
  }
  memset(gc->young_pages, 0, gc->top_page / 8 + 1);
}

void sweep_young_span(Gc *gc, uint32_t span) {
  page_unlist_young(gc, span);
  sweep_any(gc, span);
}

static uint32_t take_late(Gc *gc) {
  uint32_t span = gc->heap->late;
  PageDesc *d = page_edit(gc, span);
  gc->heap->late = d->young_next;
  d->young_next = 0;
  return span;
}

/* ---- all spans ------------------------------------------------------------------------------- */

void sweep_begin(Gc *gc) {
  while (gc->heap->late) take_late(gc); /* it is one of all */
  memset(gc->unswept, 0xFF, gc->top_page / 8 + 1);
  slab_forget_lists(gc);
  gc->fresh_rather = false;
  gc->sweep_page = (uint32_t)gc->heap->first_page;
}

void sweep_abandon(Gc *gc) {
  while (gc->heap->late) take_late(gc);
  memset(gc->unswept, 0, gc->top_page / 8 + 1);
  gc->sweep_page = SWEEP_DONE;
}

bool sweep_is_done(Gc *gc) {
  return gc->sweep_page == SWEEP_DONE && !gc->heap->late && !gc->purge;
}

void sweep_span(Gc *gc, uint32_t span) {
  if (!sweep_is_done(gc) && bits_test(gc->unswept, span)) sweep_any(gc, span);
}

bool sweep_step(Gc *gc, unsigned spans) {
  if (gc->purge) {
    purge_step(gc);
    return true;
  }
  for (; spans && gc->heap->late; spans--) sweep_any(gc, take_late(gc));
  while (spans-- && !sweep_is_done(gc)) {
    uint32_t span = page_next_span(gc, &gc->sweep_page);
    if (span && bits_test(gc->unswept, span)) sweep_any(gc, span);
    if (gc->sweep_page >= gc->top_page) gc->sweep_page = SWEEP_DONE;
  }
  return !sweep_is_done(gc);
}

bool sweep_some(Gc *gc) {
  return !sweep_is_done(gc) && sweep_step(gc, SPANS_PER_ALLOCATION);
}

void sweep_finish(Gc *gc) {
  while (sweep_step(gc, UINT32_MAX)) continue;
}
