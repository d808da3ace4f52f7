/* call.h - the general way to call anything. See call.c for how a call is laid out. */
#ifndef OX_RUNTIME_CALL_H
#define OX_RUNTIME_CALL_H

#include "interp.h"

/* Named arguments of a call that has some; names and values are reachable otherwise. */
typedef struct Named { unsigned n; const Value *names, *values; } Named;

/* Calls what lies in R[at] with nargs arguments in R[at + 2] ..; the result goes where `ret`, a
 * link without delta, says. Pushes a frame, or is done at once. `named` may be NULL. False: error
 * pending. */
bool call_at(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, uint64_t ret);
/* The same with function and arguments from C, above the running function's registers. At most a
 * few arguments, reachable ones. */
bool call_above(ox_VM *vm, Value fn, unsigned n, const Value *args, uint64_t ret);
/* The same for an operator's method. `b` is V_ABSENT for a method without arguments. */
bool call_operator_method(ox_VM *vm, Value method, Value a, Value b, uint64_t ret);
/* Lets the callee take the running frame's place. */
bool call_tail(ox_VM *vm, unsigned at, unsigned nargs);
/* Hands a result to the running function, as `link` says. N: the finished frame's registers, for
 * modes that need them. */
bool call_deliver(ox_VM *vm, uint64_t link, Value *N, Value result);

/* Pieces for class.c. */
bool call_claim(ox_VM *vm, uint64_t top); /* registers up to R[top] are in use from now on */
/* Fits arguments to the parameters of closure f: defaults absent, rest as a list, names placed. */
bool call_arrange(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, Value f);
/* Runs the closure in R[at], whose arguments are arranged. */
bool call_enter_arranged(ox_VM *vm, unsigned at, uint64_t ret);

/* A link that stores the result in R[dest] and goes on `words` behind the current pc. */
static inline uint64_t link_here(ox_VM *vm, unsigned words, unsigned dest, RetMode mode) {
  return link_make(vm->st->pc + words, dest, mode);
}

#endif
