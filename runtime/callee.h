/* callee.h - what the source calls the thing that a call instruction calls, for error messages. */
#ifndef OX_RUNTIME_CALLEE_H
#define OX_RUNTIME_CALLEE_H

#include "interp.h"

enum { CALLEE_MAX = 41 };

/* The text of the callee, "f" or "point.move", if R[at] is being called by the instruction that runs
 * and the text is short and plain. Fails quietly: false. */
bool callee_text(ox_VM *vm, unsigned at, char out[CALLEE_MAX]);

#endif
