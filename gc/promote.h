/* promote.h - young blocks become old without being looked at. */
#ifndef OX_GC_PROMOTE_H
#define OX_GC_PROMOTE_H

#include "state.h"

/* Can this heap do it? Else only what a minor collection has reached gets old. */
bool promote_can(const Gc *gc);
/* All blocks are old from now on, and no page is dirty. Drops the minor collection that is under
 * way. Afterwards the young spans are to be swept. */
void promote_all(Gc *gc);
/* Some of them, sweeping their spans. False: few are left. Until promote_all no minor collection
 * may begin. */
bool promote_some(Gc *gc);

#endif
