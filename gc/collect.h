/* collect.h - the order of collections. */
#ifndef OX_GC_COLLECT_H
#define OX_GC_COLLECT_H

#include "state.h"

/* Collections at once: of everything, and of what was made since the last one. */
void collect_full(Gc *gc);
void collect_minor(Gc *gc);
/* What the policy finds due, before an allocation. */
void collect_due(Gc *gc);
/* Under stress: whether this is the allocation to collect at. */
bool collect_stress_due(Gc *gc);
/* A share of the major collection in progress, if there is one. */
void collect_step(Gc *gc);
/* Closes the runs and sweeps what is still unswept: afterwards the alloc bits say exactly what is
 * allocated. */
void collect_settle(Gc *gc);

void collect_pauses(const Gc *gc, GcStats *out);
/* The program was stopped since then. */
void collect_count_pause(Gc *gc, uint64_t start);

/* The heap became another one: nothing that is known about it holds. Gives up what is under way. */
void collect_forget(Gc *gc);

#endif
