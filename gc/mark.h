/* mark.h - finding what is alive. The order of a collection is in collect.c. */
#ifndef OX_GC_MARK_H
#define OX_GC_MARK_H

#include "state.h"

/* Scans the root area. The embedder's roots come by gc_mark_value and gc_mark_ref. */
void mark_root_area(Gc *gc);
/* Scans the old blocks on the pages stored to since the last collection, and arms those pages
 * again; until about `budget` words have been looked at. True: none is left but for stacks, between
 * rounds. */
bool mark_dirty_pages(Gc *gc, uint64_t budget);
/* Arms them without looking: a full collection is about to mark everything. */
void mark_forget_dirty(Gc *gc);
/* Scans the stacks that survived a collection, where the embedder does not note those it uses. */
void mark_stacks(Gc *gc);
/* Marks everything reachable from what was pushed. */
void mark_drain(Gc *gc);
/* The same until about `budget` words have been looked at; true: nothing is left. */
bool mark_round(Gc *gc, uint64_t budget);

/* A major collection begins to mark: there are no young blocks, all pages with old ones are armed.
 * Marks the roots. */
void mark_begin_major(Gc *gc);
/* Then, before the first store to an armed page. */
void mark_before_store(Gc *gc, uint64_t page);
/* Must a block that is released by hand be kept, since it is still to be scanned? */
bool mark_keeps(Gc *gc, uint64_t word);

/* The major collection in steps: scans until nothing is left to do (true) or about `budget` words
 * have been looked at. */
bool mark_step(Gc *gc, uint64_t budget);
/* Drops what is left to do, of any collection. */
void mark_abort(Gc *gc);
/* The same of the collection that runs; the major one in steps goes on. */
void mark_abort_minor(Gc *gc);
bool mark_slow_is_idle(Gc *gc);
/* The block is freed by hand: it must not be looked at any more. */
void mark_forget(Gc *gc, uint64_t word);
/* Where to look, in `marks`, for the first block that reaches into the page of that span whose
 * first word this is. */
uint64_t mark_first_on_page(Gc *gc, const uint64_t *marks, uint32_t span, uint64_t first);
/* Drops the stacks that `marks` says are dead. */
void mark_filter_stacks(Gc *gc, const uint64_t *marks);
void mark_close(Gc *gc);

#endif
