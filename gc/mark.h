/* mark.h - finding what is alive. The order of a collection is in collect.c. */
#ifndef OX_GC_MARK_H
#define OX_GC_MARK_H

#include "state.h"

/* Scans the root area. The embedder's roots come by gc_mark_value and gc_mark_ref. */
void mark_root_area(Gc *gc);
/* Marks everything reachable from what was pushed. */
void mark_drain(Gc *gc);
/* Gives back a mark stack that one deep heap made large. */
void mark_trim(Gc *gc);
void mark_close(Gc *gc);

#endif
