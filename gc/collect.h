/* collect.h - one collection from roots to lists, and sweeping. */
#ifndef OX_GC_COLLECT_H
#define OX_GC_COLLECT_H

#include "state.h"

/* Marks, runs finalizers, gives wholly empty spans back, and leaves the rest to be swept when it is
 * needed. */
void collect_run(Gc *gc);
/* Sweeps what is still unswept: afterwards the alloc bits say exactly what is allocated. */
void collect_finish_sweep(Gc *gc);

#endif
