/* carry.h - values that go from one state of a heap to another, or to another heap: deep copies. */
#ifndef OX_RUNTIME_CARRY_H
#define OX_RUNTIME_CARRY_H

#include "vm.h"

/* A copy outside of any heap of everything that a value refers to, except objects that the other
 * side has as well. Making it takes steps of the budget, and memory that counts against the limit
 * until it is made. */
typedef struct Carry Carry;

/* Does the other side have this very object? Then the reference is kept as it is. */
typedef bool (*CarryShared)(void *ctx, Ref r);

/* NULL: error pending (out of memory; or something that cannot be copied, named by `what`). */
Carry *carry_out(ox_VM *vm, Value v, CarryShared shared, void *ctx, const char *what);
/* The same to another heap: handles of snapshots mean nothing there and are refused. */
Carry *carry_across(ox_VM *vm, Value v, CarryShared shared, void *ctx, const char *what);
/* Makes the objects here. V_ERROR: out of memory, pending. Rooted. The carry may be used again. */
Value carry_in(ox_VM *vm, const Carry *carry);
/* Does it refer to objects that the other side has to have? Are all of these so? */
bool carry_keeps(const Carry *carry);
bool carry_kept_all(const Carry *carry, CarryShared is_there, void *ctx);
void carry_free(ox_VM *vm, Carry *carry); /* NULL: does nothing */

#endif
