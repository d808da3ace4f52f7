/* distance.h - how many single edits lead from one name to another. */
#ifndef OX_LANG_DISTANCE_H
#define OX_LANG_DISTANCE_H

#include <stdint.h>

enum { DISTANCE_MAX_LEN = 40 };

/* Insertions, removals, changes of a byte and swaps of neighbours count one each. Both lengths are
 * at most DISTANCE_MAX_LEN. */
uint32_t distance_edit(const char *a, uint32_t a_len, const char *b, uint32_t b_len);

#endif
