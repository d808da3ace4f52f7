/* slab.h - blocks of up to GC_SMALL_WORDS words, in slots of one size class per span. */
#ifndef OX_GC_SLAB_H
#define OX_GC_SLAB_H

#include "state.h"

/* Opens a new run of free slots for class `run` (space * GC_CLASSES + class), so that gc_bump
 * succeeds. False: no page run to be had. With `single` the run has one slot. */
bool slab_refill(Gc *gc, unsigned run, bool single);
/* A block of `words` words (a class's size) from a new run within the span that class `r` uses, or
 * NULL; quick. Not for stress, nor while a major collection marks. */
void *slab_alloc_here(Gc *gc, unsigned r, unsigned words);

/* Enters the allocated part of all open runs in the alloc bitmap and closes them. Afterwards no
 * permission to write fresh memory is cached anywhere: before collections, snapshots, forks. */
void slab_close_runs(Gc *gc);

/* After marking: drops the dead blocks from a span's alloc bits, gives the span back if nothing is
 * left, else sees to its PAGE_OLD bits and enters it in the list of those with free slots. */
void slab_sweep(Gc *gc, uint32_t span);

/* Frees a block by hand; its mark is gone already. True: it counted as handed out no more than the
 * other free slots of the span in use do. */
bool slab_free(Gc *gc, uint64_t word);

unsigned slab_slots(Gc *gc, uint32_t span);

/* No class has a current span any more: a collection sweeps them with the other young ones. */
void slab_forget_spans(Gc *gc);
/* What was found ahead was of another heap, whose place this one has taken. */
void slab_forget_holes(Gc *gc);
void slab_close(Gc *gc);
/* No span is in a list of those with free slots: a major collection sweeps them all anew. */
void slab_forget_lists(Gc *gc);
/* It is in no list of its class any more. */
void slab_unlist(Gc *gc, uint32_t span);

#endif
