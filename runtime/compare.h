/* compare.h - equality, order and hashing of any values. May call methods of the program. */
#ifndef OX_RUNTIME_COMPARE_H
#define OX_RUNTIME_COMPARE_H

#include "vm.h"

/* ==: 1, 0, or -1 with an error pending. Deep, cycle-safe (pairs under comparison count as equal),
 * throws stack overflow when nested too deep. */
int value_equal(ox_VM *vm, Value a, Value b);
/* <: -1, 0, 1, 2 (unordered, nan); -3 with an error pending where the types have no order. */
int value_compare(ox_VM *vm, Value a, Value b);
/* False: error pending (not hashable: list, map, nan, instance with == and no hash). */
bool value_hash(ox_VM *vm, Value v, uint32_t *out);
/* x in container: 1, 0, -1 (error pending). */
int value_in(ox_VM *vm, Value x, Value container);

#endif
