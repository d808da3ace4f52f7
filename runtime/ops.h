/* ops.h - what instructions do to values, for the interpreter's slow paths and for C code that does
 * the same. V_ERROR / false: an error is pending. */
#ifndef OX_RUNTIME_OPS_H
#define OX_RUNTIME_OPS_H

#include "../lang/opcode.h"
#include "interp.h"

/* v.name. quiet: a missing map key gives nil. The result may be a new bound method (rooted). */
Value field_get(ox_VM *vm, Value v, Value name, bool quiet);
bool field_set(ox_VM *vm, Value v, Value name, Value x);
/* v[key] and v[key] = x for builtin types; instances with methods of their own: the C stack
 * nests. */
Value index_get(ox_VM *vm, Value v, Value key, bool quiet);
bool index_set(ox_VM *vm, Value v, Value key, Value x);
/* What v.name(...) calls. *unbound: it is a method and wants v as its first argument; else a plain
 * value under that name. */
Value method_get(ox_VM *vm, Value v, Value name, bool *unbound);
Value property_get(ox_VM *vm, Value v,
                   Value name); /* builtin properties; V_ABSENT, no error: none */

/* Whether a conditional jump jumps where its condition holds. */
bool ops_jumps_if(Opcode op);
/* FORNEXT has got `item`: into its one or two variables. */
bool ops_for_values(ox_VM *vm, uint32_t ins, Value item);
/* ITER goes on with what a method `iter` returned. */
bool ops_iter_result(ox_VM *vm, Value iterable);
/* An imported module's top level has ended. */
void ops_module_done(ox_VM *vm, Value module, bool ok);

#endif
