/* barrier.c - the slow way of a store: the byte of its page in page_state is not zero.
 *
 *   PAGE_OLD   the page holds old blocks and has not been stored to since the last collection: it
 *              becomes dirty, and the next collection looks at its old blocks. Whatever a block on
 *              a page without this bit holds is either known to be old or the page is dirty:
 *
 *                  a page with a word of an old block is PAGE_OLD or dirty, not both
 *
 *              A block is old when it has survived a collection (its mark bit stays set). New
 *              blocks are reached by tracing, so their first contents need no barrier, even in a
 *              hole between old ones.
 *   PAGE_FREE  a store to a page that belongs to nothing: a bug of the caller.
 *
 *   PAGE_FROZEN  a snapshot needs the content: it is saved first (snapshot.c).
 *
 *   PAGE_TRACK   the next fork has to copy the page: it is noted (fork.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "fork.h"
#include "mark.h"
#include "plant.h"
#include "snapshot.h"

static void refuse_free(uint8_t state, uint64_t page) {
  if (!(state & PAGE_FREE)) return;
  fprintf(stderr, "gc: store to a free page (page %llu)\n", (unsigned long long)page);
  abort();
}

void gc_barrier_slow(uint8_t *base, uint64_t page) {
  uint8_t state = gc_page_state(base)[page];
  refuse_free(state, page);
  Gc *gc = gc_host(base)->gc;
  if (PLANTED(STORE_NOT_NOTED)) gc->states[page] &= (uint8_t)~PAGE_TRACK;
  fork_note_page(gc, page);
  if (PLANTED(STORE_NOT_LOGGED)) state = gc->states[page] &= (uint8_t)~PAGE_FROZEN;
  if (state & PAGE_FROZEN) snapshot_log(gc, page);
  gc->stress_now = true;
  if (!(state & PAGE_OLD)) return;
  if (gc->phase == PHASE_MARK && !PLANTED(STORE_NOT_SCANNED)) mark_before_store(gc, page);
  if (PLANTED(STORE_NOT_DIRTY)) gc->states[page] &= (uint8_t)~PAGE_OLD;
  else barrier_remember(gc, page);
}

void barrier_fresh_slow(Gc *gc, uint64_t page) {
  refuse_free(gc->states[page], page);
  if (PLANTED(FRESH_NOT_NOTED)) gc->states[page] &= (uint8_t)~PAGE_TRACK;
  fork_note_page(gc, page);
  if (PLANTED(FRESH_NOT_LOGGED)) gc->states[page] &= (uint8_t)~PAGE_FROZEN;
  if (gc->states[page] & PAGE_FROZEN) snapshot_log(gc, page);
}

void gc_touch_range(uint8_t *base, uint64_t word, uint64_t n) {
  if (n == 0) return;
  uint64_t last = (word + n - 1 - PLANTED(RANGE_SHORT)) >> GC_WORD_PAGE_SHIFT;
  for (uint64_t page = word >> GC_WORD_PAGE_SHIFT; page <= last; page++)
    if (gc_page_state(base)[page] != 0) gc_barrier_slow(base, page);
}
