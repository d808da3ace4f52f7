/* snapshot.h - snapshots as programs see them; docs/snapshots.md. */
#ifndef OX_RUNTIME_SNAPSHOT_H
#define OX_RUNTIME_SNAPSHOT_H

#include "native.h"

/* snapshot(): keeps the state of the VM and delivers a handle to `ret`, a link (interp.h); each
 * restore of it delivers the handle there again. False: error pending. */
bool snapshot_keep(ox_VM *vm, uint64_t ret);
/* restore(s, value): goes back. False: error pending; nothing changed unless memory was out after
 * going back. */
bool snapshot_restore(ox_VM *vm, Value *args, uint64_t ret);
/* The same for the host, between its calls into the VM. 0: an error is pending. */
GcSnapshot vm_snapshot(ox_VM *vm);
/* Values of the host's that the other state does not have must not be used afterwards. */
GcSnapshotStatus vm_restore(ox_VM *vm, GcSnapshot id);
/* What differs between two states, for people. `name` is told of each variable of the session whose
 * value, or something that it leads to, differs: 0 it does, -1 only the first state has it, 1 only the
 * second one. The VM is in state `b` afterwards. */
typedef struct SnapshotNames { void (*name)(void *ctx, const char *name, int how); void *ctx; } SnapshotNames;
GcSnapshotStatus vm_snapshot_diff(ox_VM *vm, GcSnapshot a, GcSnapshot b, GcPastDiff *out,
                                  const SnapshotNames *names);
/* A copy of an object was made: if it is a handle, it is noted as one more. */
void snapshot_copied(ox_VM *vm, Value v);
/* After all pages were frozen or forked: makes writable again what is written to without a barrier. */
void snapshot_reopen(ox_VM *vm);
bool snapshot_is_handle(ox_VM *vm, Ref r);
/* For tests, at a poll of the interpreter: keeps one snapshot alive, which is always a recent one. */
void snapshot_stress(ox_VM *vm);

extern const ModuleDef module_snapshot; /* methods of handles */

#endif
