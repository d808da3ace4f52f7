/* signature.h - the parameters of anything callable, and what is said when a call does not fit
 * them. */
#ifndef OX_RUNTIME_SIGNATURE_H
#define OX_RUNTIME_SIGNATURE_H

#include "native.h"

enum { SIGNATURE_MAX = 32 };

typedef struct SigParam {
  const char *name, *type;  /* type: "" if it takes anything */
  uint32_t len, type_len;
  bool optional;
} SigParam;

/* A native's signature, taken apart: `count` parameters before the rest, then `rest` or not, then
 * `named` ones that can only be given by name (they follow in params). self counts. Parameters of
 * functions of the host may have types, as in "f(x: int, y: string? = nil)". */
typedef struct Signature {
  SigParam params[SIGNATURE_MAX], rest_param;
  int count, required, named;
  bool rest, malformed;
} Signature;
void signature_parse(const char *text, Signature *out);

/* Throws ERR_ARITY: callable `f` was given `given` positional arguments (self included for
 * methods). All return false. */
bool arity_error(ox_VM *vm, Value f, unsigned given, Value missing_name);
bool arity_unknown_name(ox_VM *vm, Value f, Value name);
bool arity_given_twice(ox_VM *vm, Value f, Value name);

#endif
