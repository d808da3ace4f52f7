/* classes.c - the size classes of small blocks: steps of at most a quarter, of an eighth on
 * average. */
#include "heap.h"

const uint8_t gc_class_words[GC_CLASSES] = {2,  3,  4,  5,  6,  7,  8,  10, 12, 14,
                                            16, 20, 24, 28, 32, 40, 48, 56, 64};

#define FOUR(c) c, c, c, c
#define EIGHT(c) FOUR(c), FOUR(c)
const uint8_t gc_class_of_words[GC_SMALL_WORDS + 1] = {
    0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 9, 9, 10, 10, /* 0 to 16 words */
    FOUR(11), FOUR(12), FOUR(13), FOUR(14),             /* to 20, 24, 28, 32 */
    EIGHT(15), EIGHT(16), EIGHT(17), EIGHT(18)};        /* to 40, 48, 56, 64 */
#undef FOUR
#undef EIGHT
