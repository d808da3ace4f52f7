/* fork.h - copies of a heap in cages of their own, as the rest of gc/ sees them. The embedder's
 * side is gc_fork in heap.h; the algorithm is in fork.c and docs/snapshots.md. */
#ifndef OX_GC_FORK_H
#define OX_GC_FORK_H

#include "state.h"

/* A page whose state has PAGE_TRACK is stored to for the first time since the last fork, taken,
 * given back, or exchanged by a rollback. Clears the bit. */
void fork_note(Gc *gc, uint64_t page);
void fork_lose(Gc *gc); /* nobody knows which pages have changed */
static inline void fork_note_page(Gc *gc, uint64_t page) {
  if (__builtin_expect(gc->states[page] & PAGE_TRACK, 0)) fork_note(gc, page);
}
/* PAGE_TRACK where changes are reported, else 0: of pages of freshly committed units. */
static inline uint8_t fork_track(const Gc *gc) { return gc->forks ? PAGE_TRACK : 0; }

/* Whether a page of a committed unit is of nobody. */
bool fork_page_is_free(Gc *gc, uint64_t page);
/* Whether page `i` of the buddy tree may be other than zero in one of the two (`child` may be
 * NULL). */
bool fork_needs_buddy(Gc *gc, uint64_t i, const Gc *child);

/* Pages that count against the memory limit, see share.h. */
uint64_t fork_pages_slow(const Gc *gc);
static inline uint64_t fork_counted_pages(const Gc *gc) {
  return gc->mapped ? fork_pages_slow(gc) : gc->heap->used_pages;
}
/* Memory that is kept for later forks of this heap, in bytes. */
uint64_t fork_kept_bytes(const Gc *gc);
/* Gives it back, and that of the pool which this heap is from. False: there is none. */
bool fork_drop_kept(Gc *gc);
/* Now what is kept counts among what gc->share has. */
void fork_join_share(Gc *gc);

/* At the end of a heap: its pool ends, but for forks that are alive. */
void fork_close_pool(Gc *gc);
/* Gives a fork's cage back to its parent's pool. False: there is no use for it, free it. */
bool fork_give_back(Gc *gc);
void fork_close(Gc *gc); /* what belongs to the heap itself */

/* For tests: how new slots are made. */
typedef enum ForkSlots { FORK_AS_FITS, FORK_COPIED, FORK_MAPPED } ForkSlots;
void fork_set_slots(Gc *gc, ForkSlots slots); /* before or after the first fork */

#endif
