/* weak.h - weak references, as other parts of the runtime need them. */
#ifndef OX_RUNTIME_LIB_WEAK_H
#define OX_RUNTIME_LIB_WEAK_H

#include "../vm.h"

bool weak_is_possible(Value v); /* has it an identity? */
/* A weak.Ref to an object that has an identity. Rooted; V_ERROR: pending. */
Value weak_ref_new(ox_VM *vm, Value v);
/* What a weak.Ref refers to, nil when that is gone. V_ERROR: it is no weak.Ref, pending. Not rooted. */
Value weak_ref_get(ox_VM *vm, Value r);
/* After a copy: if `v` is a weak.Map, its keys have moved. False: out of memory, pending. */
bool weak_map_moved(ox_VM *vm, Value v);
/* Proof of a weak.Map with all its slots, in an image that nobody vouches for: NULL, or what is
 * wrong. Blocks must be known to be as long as their headers say. owned: the references of its table
 * and index, which must belong to it alone; untouched if it has none. */
const char *weak_map_check(ox_VM *vm, Instance *self, uint32_t owned[2]);

#endif
