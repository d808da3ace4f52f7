/* large.h - blocks above MID_MAX_WORDS: page runs of their own. */
#ifndef OX_GC_LARGE_H
#define OX_GC_LARGE_H

#include "state.h"

/* The first word of a block, its alloc bit set; 0: no page run. */
uint64_t large_alloc(Gc *gc, uint64_t words);
void large_free(Gc *gc, uint64_t word);
uint64_t large_words(Gc *gc, uint64_t word);
/* Lengthens a block in place where the pages behind it are free. */
bool large_extend(Gc *gc, uint64_t word, uint64_t words);

/* After marking: frees the block if it is dead, else its pages are PAGE_OLD from now on. */
void large_sweep(Gc *gc, uint32_t span);
/* The same for all blocks made since the last collection. */
void large_sweep_young(Gc *gc);

#endif
