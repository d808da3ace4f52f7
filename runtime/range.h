/* range.h - ranges of ints. */
#ifndef OX_RUNTIME_RANGE_H
#define OX_RUNTIME_RANGE_H

#include "vm.h"

/* From start to end, which must be ints (inline or wide). Rooted. */
Value range_new(ox_VM *vm, Value start, Value end, bool inclusive);
/* How many ints it has; false (no error pending) for the one range of 2^64 of them. */
bool range_length(ox_VM *vm, Value range, uint64_t *n);
bool range_equal(ox_VM *vm, Value a, Value b);
bool range_has(ox_VM *vm, Value range, int64_t x);

#endif
