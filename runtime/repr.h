/* repr.h - how values are shown. */
#ifndef OX_RUNTIME_REPR_H
#define OX_RUNTIME_REPR_H

#include "str.h"

/* str(v): strings as they are, instances by their `str`. Rooted String value, or V_ERROR. */
Value value_str(ox_VM *vm, Value v);
/* As a literal: strings quoted. Cycles print as [...] {...}; too deep throws stack overflow. */
Value value_repr(ox_VM *vm, Value v);
/* Appends str(v) / repr(v) to a buffer. False: error pending. */
bool value_print(Buf *b, Value v, bool quoted);

#endif
