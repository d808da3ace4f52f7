/* prelude.h - the part of the library that is written in Oxbow (runtime/lib/prelude.oxb). */
#ifndef OX_RUNTIME_PRELUDE_H
#define OX_RUNTIME_PRELUDE_H

#include "vm.h"

/* The exported function `script` of the prelude, which is compiled and run the first time. In
 * messages and traces it is called `shown`. V_ERROR: pending. */
Value prelude_function(ox_VM *vm, const char *script, const char *shown);
/* Whether a text is the prelude's own, or that of a standard module: only these may import the
 * prelude's helpers, and they import standard modules whatever the host gives. */
bool prelude_is_text(const char *text);
/* True for the Modules of these: their frames are not where a program's error is. */
bool prelude_is(ox_VM *vm, Value module);

#endif
