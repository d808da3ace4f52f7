/* share.h - what counts against the memory limit: a heap's pages in use, its buffers, the log of
 * its snapshots, and what is kept for its later forks, which gives way where there is need.
 *
 * A program and its tasks, which threads of their own use, have one limit. Each heap counts
 * itself, and adds what has changed to a common sum. A heap that looks at it may be late by
 * what others are taking at that moment: some pages. Of a fork whose cage is a mapping of its
 * parent's base only the pages count that are its own. */
#ifndef OX_GC_SHARE_H
#define OX_GC_SHARE_H

#include "state.h"

/* After a change of what the heap takes: its pages in use, external bytes, the log of snapshots. */
void share_count_slow(Gc *gc);
static inline void share_count(Gc *gc) {
  if (gc->share) share_count_slow(gc);
}
/* Whether there is room for so many bytes more below `limit`; what is kept for later forks makes
 * room. */
bool share_fits(Gc *gc, uint64_t more, uint64_t limit);
/* The same without that. */
bool share_has_room(const Gc *gc, uint64_t more, uint64_t limit);
/* For what is no heap's own: adds to the sum, beginning and ending with nothing. */
struct GcShare *share_join(struct GcShare *share);
void share_add(struct GcShare *share, uint64_t more, uint64_t less);
void share_unjoin(struct GcShare *share);
/* At the end of a heap. */
void share_leave(Gc *gc);

#endif
