/* snapshot_life.h - when a snapshot is needed no more. */
#ifndef OX_RUNTIME_SNAPSHOT_LIFE_H
#define OX_RUNTIME_SNAPSHOT_LIFE_H

#include "native.h"

/* Where a handle keeps what this module needs: hidden words of the instance. */
typedef struct HandleSlots { uint64_t *id, *next; } HandleSlots;
HandleSlots snapshot_slots(const ox_VM *vm, uint32_t ref); /* snapshot.c */

/* A handle was made, or copied: it is listed in the state. */
void snapshot_life_link(ox_VM *vm, uint32_t ref);
/* After marking: takes the handles that died off the list. */
void snapshot_life_sweep(ox_VM *vm);
/* A snapshot was taken; `pinned`: it has no handle, its owner releases it. False: no memory. */
bool snapshot_life_note(ox_VM *vm, GcSnapshot id, bool pinned);
/* Before another is taken: releases those that nobody can get at, if that is worth a collection. */
void snapshot_life_tidy(ox_VM *vm);
/* The same at any cost; collects. */
void snapshot_life_collect(ox_VM *vm);
/* The same, and memory that snapshots need no more goes back to the system. */
void snapshot_life_trim(ox_VM *vm);
/* The present is about to be given up for the state `to`, and memory is short: releases those that
 * nobody could get at from there. */
void snapshot_life_leave(ox_VM *vm, GcSnapshot to);
void snapshot_life_free(ox_VM *vm);

#endif
