/* share.h - one memory limit for several heaps that threads of their own use: a program and its tasks. Each
 * heap counts itself, and adds what has changed to a common sum. A heap that looks at it may be late
 * by what others are taking at that moment: some pages. */
#ifndef OX_GC_SHARE_H
#define OX_GC_SHARE_H

#include "state.h"

/* After a change of what the heap takes: its pages in use, external bytes, the log of snapshots. */
void share_count_slow(Gc *gc);
static inline void share_count(Gc *gc) {
  if (gc->share) share_count_slow(gc);
}
/* What the other heaps take: as good as taken by this one. */
uint64_t share_others_slow(const Gc *gc);
static inline uint64_t share_others(const Gc *gc) {
  return gc->share ? share_others_slow(gc) : 0;
}
/* At the end of a heap. */
void share_leave(Gc *gc);

#endif
