/* sweep.h - from marks to free memory: young spans at once, the others by and by. */
#ifndef OX_GC_SWEEP_H
#define OX_GC_SWEEP_H

#include "state.h"

/* After marking: sweeps all spans allocated into since the last collection. */
void sweep_young(Gc *gc);
/* One of them, which nothing is being allocated into. */
void sweep_young_span(Gc *gc, uint32_t span);

/* A major collection has marked: all spans are to be swept. The young ones come first, see
 * above. */
void sweep_begin(Gc *gc);
/* One span, where it is not swept yet. */
void sweep_span(Gc *gc, uint32_t span);
bool sweep_is_done(Gc *gc);
/* So many spans more; false: all are done. */
bool sweep_step(Gc *gc, unsigned spans);
/* What an allocation does on its way; false: all are done. */
bool sweep_some(Gc *gc);
void sweep_finish(Gc *gc);

/* Takes every span for swept; what is dead in them is found by the next collection. */
void sweep_abandon(Gc *gc);

#endif
