/* mark.h - finding what is alive. The order of a collection is in collect.c. */
#ifndef OX_GC_MARK_H
#define OX_GC_MARK_H

#include "state.h"

/* Scans the root area. The embedder's roots come by gc_mark_value and gc_mark_ref. */
void mark_root_area(Gc *gc);
/* Scans the old blocks on the pages stored to since the last collection, and arms those pages
 * again. */
void mark_dirty_pages(Gc *gc);
/* Arms them without looking: a full collection is about to mark everything. */
void mark_forget_dirty(Gc *gc);
/* Scans the stacks that survived a collection, where the embedder does not note those it uses. */
void mark_stacks(Gc *gc);
/* Marks everything reachable from what was pushed. */
void mark_drain(Gc *gc);

/* The major collection in steps: scans until nothing is left to do (true) or about `budget` words
 * have been looked at. */
bool mark_step(Gc *gc, uint64_t budget);
/* Drops what is left to do. */
void mark_abort(Gc *gc);
bool mark_slow_is_idle(Gc *gc);
/* The block is freed by hand: it must not be looked at any more. */
void mark_forget(Gc *gc, uint64_t word);
/* Drops the stacks that `marks` says are dead. */
void mark_filter_stacks(Gc *gc, const uint64_t *marks);
void mark_close(Gc *gc);

#endif
