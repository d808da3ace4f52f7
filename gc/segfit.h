/* segfit.h - blocks of middle size (more than GC_SMALL_WORDS, up to MID_MAX_WORDS words). */
#ifndef OX_GC_SEGFIT_H
#define OX_GC_SEGFIT_H

#include "state.h"

/* The first word of a block of at least `words` words, its alloc bit set; 0: no page run. */
uint64_t segfit_alloc(Gc *gc, uint64_t words);
/* Frees a block by hand, and its span if nothing is left in it and there are others. */
void segfit_release(Gc *gc, uint64_t word);
uint64_t segfit_words(Gc *gc, uint64_t word);
/* Lengthens a block in place where what follows is free. */
bool segfit_extend(Gc *gc, uint64_t word, uint64_t words);

/* After marking: frees the dead blocks of a span, and the span where nothing is left. */
void segfit_sweep(Gc *gc, uint32_t span);

/* Proves a span and its free lists consistent: NULL, or what is wrong and the word concerned. */
const char *segfit_check_span(Gc *gc, uint32_t span, uint64_t *where, uint64_t *linked);
/* The same for all spans, whose descriptors are known to be right, and all free lists, where nothing
 * else is known to be. */
const char *segfit_check_all(Gc *gc, uint64_t *where);
/* The number of blocks in all free lists, or UINT64_MAX where they are damaged. */
uint64_t segfit_count_linked(Gc *gc);

#endif
