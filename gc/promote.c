/* promote.c - a minor collection that looks at nothing: whatever is young gets old, dead or alive.
 *
 * Where most young blocks survive, minor collections look at them all and gain little; where a
 * large heap is stored to at random, they look at nearly every page of it. Then it is better to let
 * the next major collection find what has died. But it must begin, and end, without young blocks:
 *
 *   beginning   all blocks are old and all pages armed, so that it keeps what is reachable now
 *   end         all blocks made since count as alive. What they refer to is alive, too: it was
 *               reachable at the beginning, or was made since
 *
 * Setting the mark bits of 64 MB takes 2 ms; marking them and looking at the dirty pages of 1 GB
 * took 300 (bench/gc/pauses.c, where the program ran at 0.31 of the speed of stopping the world with
 * minor collections). Before the last step it is done span by span (promote_some). In that time old
 * blocks may refer to young ones on any page (Gc.promoting).
 *
 * Stacks: what lies above their top may be stale, and is cleared when they are marked. The embedder
 * has to note those in use, else they would have to be looked for among the young blocks.
 */
#include "promote.h"

#include "bits.h"
#include "mark.h"
#include "page.h"
#include "plant.h"
#include "slab.h"
#include "sweep.h"
#include "weak.h"

enum { SPANS = 128 };

bool promote_can(const Gc *gc) { return gc->config.notes_stacks && !gc->stacks.count; }

static void promote_span(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  uint64_t first = bitword_of_page(span), pages = d->kind == SPAN_LARGE ? 1 : d->pages;
  const uint64_t *bits = gc->bits + first;
  uint64_t *marks = gc->marks + first, *next = gc->next + first;
  bool black = gc->phase == PHASE_MARK && !PLANTED(ALONE_WHITE);
  for (uint64_t i = 0; i < pages * PAGE_BITWORDS; i++) {
    if (black) next[i] |= bits[i] & ~marks[i];
    marks[i] |= bits[i];
  }
  for (uint32_t page = span; page < span + d->pages && !PLANTED(ALONE_NOT_ARMED); page++)
    if (!bits_test(gc->dirty, page)) gc->states[page] |= PAGE_OLD;
}

void promote_all(Gc *gc) {
  Heap *h = gc->heap;
  slab_close_runs(gc);
  mark_abort_minor(gc);
  weak_abort_minor(gc);
  if (!PLANTED(ALONE_STAYS_DIRTY)) mark_forget_dirty(gc);
  for (uint32_t s = h->young; s; s = gc->table[s].young_next) promote_span(gc, s);
  for (uint32_t s = h->young_large; s; s = gc->table[s].young_next) promote_span(gc, s);
  h->final_old = h->final_count;
  gc->promoting = false;
}

static bool is_current(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  return d->kind == SPAN_SLAB && gc->heap->run_span[d->run] == span;
}

bool promote_some(Gc *gc) {
  unsigned left = gc->config.stress ? 2 : SPANS;
  gc->promoting = true;
  for (uint32_t span = gc->heap->young, next; span && left; span = next) {
    next = gc->table[span].young_next;
    if (is_current(gc, span)) continue;
    promote_span(gc, span);
    sweep_young_span(gc, span);
    left--;
  }
  return !left;
}
