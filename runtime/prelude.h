/* prelude.h - the part of the library that is written in Oxbow (runtime/lib/prelude.oxb). */
#ifndef OX_RUNTIME_PRELUDE_H
#define OX_RUNTIME_PRELUDE_H

#include "vm.h"

/* The exported function `script` of the prelude, which is compiled and run the first time. In
 * messages and traces it is called `shown`. V_ERROR: pending. */
Value prelude_function(ox_VM *vm, const char *script, const char *shown);
/* Whether a text is the prelude's own: only that may import its helpers. */
bool prelude_is_text(const char *text);
/* True for the prelude's Module: its frames are not where a program's error is. */
bool prelude_is(ox_VM *vm, Value module);

#endif
