/* fork.h - a second VM with the state of the first; docs/snapshots.md. */
#ifndef OX_RUNTIME_FORK_H
#define OX_RUNTIME_FORK_H

#include "vm.h"

/* A VM with the state of `vm`, between two instructions or in a native function; ended by vm_free,
 * by any thread. NULL: memory is out (nothing is pending). Values of vm's mean the same in it. */
ox_VM *vm_fork(ox_VM *vm);
/* The same, but perhaps asleep: nothing but vm_wake and vm_free may be called for it, by any
 * thread. A sleeping VM has no memory in its cage. */
ox_VM *vm_fork_asleep(ox_VM *vm);
void vm_wake(ox_VM *vm); /* cannot fail */

/* At the end of a fork: what the next one in the same cage must not find. */
void fork_forget(ox_VM *vm);

/* Both draw on what is left of vm's budget from now on. False: no memory. */
bool fork_share_fuel(ox_VM *vm, ox_VM *child);
/* Takes some of the pool, `want` steps if there are so many. False: it is empty. */
bool fork_draw_fuel(ox_VM *vm, uint64_t want);
uint64_t fork_pool_fuel(const ox_VM *vm);
/* Gives back what was drawn and not used. */
void fork_leave_pool(ox_VM *vm);

#endif
