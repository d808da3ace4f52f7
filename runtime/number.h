/* number.h - exact int and float arithmetic beyond the interpreter's fast paths. */
#ifndef OX_RUNTIME_NUMBER_H
#define OX_RUNTIME_NUMBER_H

#include "vm.h"

static inline bool num_is_int(Value v) { return v_is_int(v) || v_is(v, KIND_WIDE_INT); }
static inline bool num_is(Value v) { return v_is_float(v) || num_is_int(v); }
int64_t num_int(ox_VM *vm, Value v);                 /* v must be an int of either form */
Value num_from_int(ox_VM *vm, int64_t i);            /* inline or boxed (rooted); V_ERROR: OOM */
double num_double(ox_VM *vm, Value v);               /* v must be a number */
/* op is one of OPM_ADD .. OPM_POW, OPM_BAND .. OPM_SHR; both operands numbers. Throws overflow, zero
 * division, bad shifts, floats in bit operations. */
Value num_arith(ox_VM *vm, OpMethod op, Value a, Value b);
Value num_neg(ox_VM *vm, Value a);
Value num_bnot(ox_VM *vm, Value a);
/* Exact comparison of any two numbers: -1, 0, 1, or 2 if unordered (nan). */
int num_compare(ox_VM *vm, Value a, Value b);
uint32_t num_hash(ox_VM *vm, Value v);               /* 1 and 1.0 agree */
/* Shortest text that reads back the same ("1.0", "1e+16", "nan", "-inf"); gives its length. */
enum { NUM_TEXT = 40 };
int num_format_float(double d, char out[NUM_TEXT]);
int num_format_int(int64_t i, char out[NUM_TEXT]);
/* Strict parsing of a whole text (no spaces). False: not a number of that kind. */
bool num_parse_int(const char *s, size_t n, int base, int64_t *out);
bool num_parse_float(const char *s, size_t n, double *out);

#endif
