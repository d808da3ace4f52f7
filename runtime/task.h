/* task.h - forks that a program starts, on threads of their own; docs/snapshots.md. */
#ifndef OX_RUNTIME_TASK_H
#define OX_RUNTIME_TASK_H

#include "native.h"

/* fork(f, options), parallel_map(xs, f, options). */
Value task_fork(ox_VM *vm, Value *args, int nargs);
Value task_parallel_map(ox_VM *vm, Value *args, int nargs);
extern const ModuleDef module_task; /* methods of tasks */

/* Interrupts all tasks that run. */
void task_cancel_all(ox_VM *vm);
/* Before the end of a VM: cancels its tasks and waits for them. */
void task_end_all(ox_VM *vm);
/* A fork has what its parent shares with its tasks, if anything. */
void task_join_family(const ox_VM *vm, ox_VM *child);
/* At the very end: what the VM shared with its tasks. */
void task_leave_family(ox_VM *vm);

#endif
