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

#endif
