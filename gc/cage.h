/* cage.h - the address space of one heap: reserving it, committing it in growing steps. */
#ifndef OX_GC_CAGE_H
#define OX_GC_CAGE_H

#include "state.h"

/* Reserves everything, lays out the metadata and commits the first unit. False: refused, nothing
 * is held. gc->config and gc->os are set. */
bool cage_open(Gc *gc, uint64_t bytes);
/* The same with the layout of another one, but for the content of Heap, roots and metadata, which
 * the caller copies. No unit is committed. */
bool cage_open_like(Gc *gc, const Gc *like);
void cage_close(Gc *gc);
/* Words of Gc.committed. */
static inline uint64_t cage_map_words(const Gc *gc) {
  return gc->config.cage_bytes / UNIT_BYTES / 64 + 1;
}
/* The same, with a private mapping of a file instead of a content: caches, states and the cage up
 * to the end of its last committed unit, see base.h. One mapping for the file, one each for what
 * lies below and above, which those of neighbours are joined to: two for each such cage. */
typedef struct CageFile {
  int fd;
  uint64_t bytes;           /* from GC_CACHE_OFF below the base on */
  const uint64_t *committed; /* the units that it has, as Gc.committed */
  uint64_t committed_units;
} CageFile;
bool cage_open_mapped(Gc *gc, const CageFile *file, const Gc *like);
/* The same around a content that is given, see GcContent; gc->config.cage_bytes says how large. */
bool cage_open_with(Gc *gc, const GcContent *content);
/* Inside GcContent.fill: pages [first, end) for blocks are made usable, in one step. False: the
 * system refused. */
bool cage_adopt_range(Gc *gc, uint64_t first, uint64_t end);
/* Of these: the units of pages [first, first + count) count as committed. Their states come with
 * the content. */
void cage_adopt(Gc *gc, uint64_t first, uint64_t count);
/* Where the metadata lies in a cage of that size; the rest of *h is left alone. */
void cage_plan(Heap *h, uint64_t bytes);
bool cage_plan_fits(const Heap *h, uint64_t bytes);

/* Makes pages [first, first + count) usable. False: the system refused; harmless. */
bool cage_commit(Gc *gc, uint64_t first, uint64_t count);
/* The same, in one step and no more, whatever the limit is: another heap has these pages. */
bool cage_commit_same(Gc *gc, uint64_t first, uint64_t count);
bool cage_is_committed(Gc *gc, uint64_t page);
/* Makes those pages' part of Gc.next resident. */
void cage_populate_next(Gc *gc, uint64_t page, uint64_t count);

/* Gives committed units that are wholly free back to the system, in the largest ranges there are.
 * Gives the number of bytes. */
uint64_t cage_trim(Gc *gc);

#endif
