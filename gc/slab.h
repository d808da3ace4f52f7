/* slab.h - blocks of up to GC_SMALL_WORDS words, in slots of one size class per span. */
#ifndef OX_GC_SLAB_H
#define OX_GC_SLAB_H

#include "state.h"

/* Opens a new run of free slots for class `run` (space * GC_CLASSES + class), so that gc_bump
 * succeeds. False: no page run to be had. With `single` the run has one slot. */
bool slab_refill(Gc *gc, unsigned run, bool single);

/* Enters the allocated part of all open runs in the alloc bitmap and closes them. Afterwards no
 * permission to write fresh memory is cached anywhere: before collections, snapshots, forks. */
void slab_close_runs(Gc *gc);

/* Drops the dead blocks of the last collection from a span's alloc bits. */
void slab_sweep(Gc *gc, uint32_t span);

unsigned slab_slots(Gc *gc, uint32_t span);

/* After marking: forgets all lists of spans; then every span with something alive is entered. */
void slab_reset_lists(Gc *gc);
void slab_list_span(Gc *gc, uint32_t span);

#endif
