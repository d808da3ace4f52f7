/* purge.h - between the end of marking and the sweep: weak places forget the dead, slice by slice. */
#ifndef OX_GC_PURGE_H
#define OX_GC_PURGE_H

#include "state.h"

/* Marking is over, all spans are listed for sweeping; nothing may be swept until this gives
 * true, either at once (there is little to do) or when a later slice does. */
bool purge_begin(Gc *gc);
/* A slice. True: all is done. */
bool purge_step(Gc *gc);
void purge_finish(Gc *gc);
/* Gives it up: marks count no more. */
void purge_drop(Gc *gc);

/* A string that is dead, but is in the embedder's table still, is wanted again. */
void purge_bring_back(Gc *gc, uint64_t word);

#endif
