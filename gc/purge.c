/* purge.c - the dead leave weak places.
 *
 * When marking ends, weak references, weak maps and the embedder's tables (interned strings) may
 * refer to dead blocks. There can be millions of such places, so they are gone through in slices
 * between allocations, before anything is swept. Until the last slice is done:
 *
 *   no span is swept that may hold a dead block of interest: after a major collection none at all,
 *   after a minor one no slab. So each dead block is still what it was, and its place is not used for
 *   another one
 *   what is allocated goes to fresh spans and to those swept before, so a block without a mark is
 *   young if its page is one of `young_pages`, else dead (gc_is_dead)
 *   whoever reads a weak place asks that first. A dead string that is found in the table of strings
 *   is brought back by setting its mark: it refers to nothing
 *   no collection begins to mark, minor ones included. When one is due, its turns are slices
 *
 * Snapshots, forks, images and the checker finish it first. A rollback drops it: what the restored
 * pages hold is what was alive then. */
#include "purge.h"

#include <string.h>

#include "bits.h"
#include "collect.h"
#include "weak.h"

enum {
  SLICE_PAGES = 32,    /* of weak blocks, 256 pairs each at most */
  SLICE_PLACES = 8192, /* of the embedder's */
  LEAST_PLACES = 100,
};

static bool purge_some(Gc *gc) {
  bool stress = gc->config.stress, was = gc->collecting;
  bool least = stress || gc->round_words; /* tests */
  uint64_t places = least ? LEAST_PLACES : SLICE_PLACES;
  gc->collecting = true;
  bool done = weak_purge(gc, least ? 1 : SLICE_PAGES) &&
              (!gc->config.purge || gc->config.purge(gc, gc->config.embedder, places));
  gc->collecting = was;
  return done;
}

bool purge_begin(Gc *gc) {
  memset(gc->young_pages, 0, gc->top_page / 8 + 1);
  gc->purge = gc->minor ? PURGE_YOUNG : PURGE_ALL;
  if (purge_some(gc)) gc->purge = PURGE_NONE;
  return !gc->purge;
}

bool purge_step(Gc *gc) {
  uint64_t start = os_now_ns();
  if (gc->purge && purge_some(gc)) gc->purge = PURGE_NONE;
  collect_count_pause(gc, start);
  return !gc->purge;
}

void purge_finish(Gc *gc) {
  while (gc->purge && !purge_step(gc)) continue;
}

void purge_drop(Gc *gc) {
  gc->purge = PURGE_NONE;
  weak_purge_drop(gc);
}

void gc_finish_purge(Gc *gc) { purge_finish(gc); }

bool gc_is_dead(Gc *gc, Ref r) {
  return gc->purge && !bits_test(gc->marks, r.w) && !bits_test(gc->young_pages, page_of_word(r.w));
}

void purge_bring_back(Gc *gc, uint64_t word) {
  bits_set(gc->marks, word);
  if (gc->phase == PHASE_MARK) bits_set(gc->next, word);
  gc->heap->live_bytes += gc_block_words(gc, gc_ptr(gc->base, (Ref){(uint32_t)word})) * 8;
}
