/* call.c - calls that are not the plain case: defaults, rest, names, spread, methods, classes,
 * natives.
 *
 * Every call is laid out alike: the callee in R[at], its link's place in R[at+1], arguments from
 * R[at+2], which become the callee's registers. Bound methods and instances are unwrapped by
 * shifting the arguments up by one; SPARE_REGISTERS above each function leave room. No script call
 * recurses in C: a closure's frame is pushed and the interpreter goes on in it.
 *
 * Where arguments do not lie in the running function's own registers (calls from C, operators,
 * spread lists), st->extra says how many registers above them are in use, for the collector and for
 * nested calls. */
#include "call.h"

#include "../lang/module.h"
#include "../lang/opcode.h"
#include "callee.h"
#include "class.h"
#include "compare.h"
#include "fiber.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "number.h"
#include "ops.h"
#include "prelude.h"
#include "signature.h"
#include "snapshot.h"
#include "str.h"

enum { MAX_UNWRAP = 6 };

/* ---- frames ---- */

static bool enter(ox_VM *vm, unsigned at, uint64_t ret) {
  VmState *st = vm->st;
  Proto *p = proto_of(vm, vm_regs(vm)[at]);
  if (!stack_ensure(vm, at + 2 + (uint64_t)p->nregs)) return false;
  if (--st->fuel == 0 && !vm_refuel(vm)) return false;
  Value *R = vm_regs(vm);
  R[at + 1] = link_with_delta(ret, at + 2);
  st->base += at + 2;
  st->pc = proto_code(vm, p);
  st->extra = 0;
  return true;
}

bool call_claim(ox_VM *vm, uint64_t top) {
  if (!stack_ensure(vm, top)) return false;
  uint64_t now = vm_top(vm);
  if (top > now) vm->st->extra += top - now;
  return true;
}

static bool shift_in(ox_VM *vm, unsigned at, unsigned nargs, Value self) {
  if (!call_claim(vm, at + 3 + (uint64_t)nargs)) return false;
  Value *args = vm_regs(vm) + at + 2;
  memmove(args + 1, args, nargs * sizeof(Value));
  args[0] = self;
  return true;
}

/* ---- fitting arguments to parameters ---- */

/* A list of the positional arguments beyond the parameters. */
static Value rest_list(ox_VM *vm, unsigned at, unsigned nargs, unsigned nparams) {
  if (nargs <= nparams) return list_new(vm, 0);
  Value list = list_new(vm, nargs - nparams);
  for (unsigned i = nparams; list != V_ERROR && i < nargs; i++)
    if (!list_push(vm, list, vm_regs(vm)[at + 2 + i])) return V_ERROR;
  return list;
}

static int param_index(ox_VM *vm, Proto *p, Value name) {
  for (unsigned i = 0; i < p->nparams; i++) {
    Value param = list_get(vm, p->params, i);
    if (param == name || string_equal(vm, param, name)) return (int)i;
  }
  return -1;
}

static bool place_named(ox_VM *vm, Value f, Proto *p, Value *args, const Named *named) {
  for (unsigned i = 0; i < named->n; i++) {
    int at = param_index(vm, p, named->names[i]);
    if (at < 0) return arity_unknown_name(vm, f, named->names[i]);
    if (args[at] != V_ABSENT) return arity_given_twice(vm, f, named->names[i]);
    args[at] = named->values[i];
  }
  return true;
}

static bool check_required(ox_VM *vm, Value f, Proto *p, Value *args, unsigned given) {
  unsigned required = proto_info(vm, p)->nrequired;
  for (unsigned i = 0; i < required; i++)
    if (args[i] == V_ABSENT) return arity_error(vm, f, given, list_get(vm, p->params, i));
  return true;
}

bool call_arrange(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, Value f) {
  Proto *p = proto_of(vm, f);
  unsigned nparams = p->nparams;
  bool rest = p->flags & FN_REST;
  unsigned given = nargs + (named ? named->n : 0);
  if (nargs > nparams && !rest) return arity_error(vm, f, given, V_ABSENT);
  if (!call_claim(vm, at + 3 + (uint64_t)(nargs > nparams ? nargs : nparams))) return false;
  Value list = rest ? rest_list(vm, at, nargs, nparams) : V_NIL;
  if (list == V_ERROR) return false;
  Value *args = vm_regs(vm) + at + 2;
  for (unsigned i = nargs; i < nparams; i++) args[i] = V_ABSENT;
  if (rest) args[nparams] = list;
  if (named && !place_named(vm, f, p, args, named)) return false;
  return check_required(vm, f, p, args, given);
}

/* ---- natives ---- */

static int native_param_index(ox_VM *vm, const Signature *sig, Value name) {
  String *s = string_flat(vm, name);
  for (int i = 0; s && i < sig->count + sig->named; i++)
    if (s->h.aux == sig->params[i].len && !memcmp(s->chars, sig->params[i].name, s->h.aux))
      return i;
  return -1;
}

/* Fills `args`, cleared to absent from nargs on, by name. Named-only parameters lie behind the
 * positionals. */
static bool place_native_named(ox_VM *vm, Value f, const Signature *sig, unsigned *nargs,
                               unsigned at, const Named *named) {
  Value *args = vm_regs(vm) + at + 2;
  int positional = (int)*nargs;
  for (unsigned i = 0; i < named->n; i++) {
    int k = native_param_index(vm, sig, named->names[i]);
    if (k < 0) return arity_unknown_name(vm, f, named->names[i]);
    if (k >= sig->count) k = k - sig->count + (positional > sig->count ? positional : sig->count);
    if (args[k] != V_ABSENT) return arity_given_twice(vm, f, named->names[i]);
    args[k] = named->values[i];
  }
  for (int i = 0; i < sig->required; i++) {
    if (args[i] != V_ABSENT) continue;
    Value name = string_new(vm, sig->params[i].name, sig->params[i].len);
    return arity_error(vm, f, (unsigned)positional + named->n, name == V_ERROR ? V_ABSENT : name);
  }
  if (*nargs < (unsigned)sig->count) *nargs = (unsigned)sig->count;
  return true;
}

static bool native_args(ox_VM *vm, unsigned at, unsigned *nargs, const Named *named) {
  Value f = vm_regs(vm)[at];
  Native *n = (Native *)vm_deref(vm, f);
  bool rest = n->max == UINT16_MAX;
  if (*nargs > n->max && !rest) return arity_error(vm, f, *nargs, V_ABSENT);
  if (*nargs < n->min && !named) return arity_error(vm, f, *nargs, V_ABSENT);
  unsigned low = rest ? n->min : n->max;
  unsigned slots = (*nargs > low ? *nargs : low) + (n->flags & 0xFF);
  if (slots == *nargs) return true;
  if (named == NULL) {
    if (!call_claim(vm, at + 2 + (uint64_t)slots)) return false;
    Value *args = vm_regs(vm) + at + 2;
    for (unsigned i = *nargs; i < slots; i++) args[i] = V_ABSENT;
    return true;
  }
  Signature sig;
  signature_parse(native_def(vm, n->h.aux)->signature, &sig);
  slots = *nargs + (unsigned)sig.count + (unsigned)sig.named;
  if (!call_claim(vm, at + 2 + (uint64_t)slots)) return false;
  Value *args = vm_regs(vm) + at + 2;
  for (unsigned i = *nargs; i < slots; i++) args[i] = V_ABSENT;
  return place_native_named(vm, f, &sig, nargs, at, named);
}

static bool call_script_native(ox_VM *vm, unsigned at, unsigned nargs, const Named *named,
                               uint64_t ret, const NativeDef *def) {
  Value f = prelude_function(vm, def->script, def->name);
  if (f == V_ERROR) return false;
  vm_regs(vm)[at] = f;
  return call_at(vm, at, nargs, named, ret);
}

/* Functions that move the program: they deliver their result themselves. */
static bool call_special(ox_VM *vm, int special, Value *args, uint64_t ret) {
  switch (special) {
    case SPECIAL_SNAPSHOT: return snapshot_keep(vm, ret);
    case SPECIAL_RESTORE: return snapshot_restore(vm, args, ret);
    default: return fiber_resume_special(vm, special, args, ret);
  }
}

static bool call_native(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, uint64_t ret) {
  Value f = vm_regs(vm)[at];
  const NativeDef *def = native_def(vm, ((Native *)vm_deref(vm, f))->h.aux);
  if (def->kind == DEF_SCRIPT) return call_script_native(vm, at, nargs, named, ret, def);
  uint64_t extra = vm->st->extra;
  if (!native_args(vm, at, &nargs, named)) return false;
  Value *args = vm_regs(vm) + at + 2;
  if (def->kind == DEF_SPECIAL) return call_special(vm, def->special, args, ret);
  vm->callee = f;
  Value v = def->fn(vm, args, (int)nargs);
  vm->st->extra = extra;
  if (v == V_ERROR) return vm->suspending && fiber_suspend(vm, ret, def->name);
  return call_deliver(vm, ret, NULL, v);
}

/* ---- any callable ---- */

static bool not_callable(ox_VM *vm, Value f, unsigned at) {
  char callee[CALLEE_MAX];
  const char *type = vm_type_name(vm, f);
  if (v_is(f, KIND_INSTANCE))
    vm_throw(vm, ERR_TYPE, "cannot call an instance of %s (it has no method `call`)", type);
  else if (!callee_text(vm, at, callee)) vm_throw(vm, ERR_TYPE, "cannot call %s", type);
  else if (f == V_NIL) vm_throw(vm, ERR_TYPE, "cannot call `%s`, which is nil", callee);
  else if (v_is(f, KIND_FIBER))
    vm_throw(vm, ERR_TYPE, "cannot call `%s`, which is a fiber: its method `next` resumes it",
             callee);
  else
    vm_throw(vm, ERR_TYPE, "cannot call `%s`, which is %s %s", callee,
             strchr("aeiou", *type) ? "an" : "a", type);
  return false;
}

/* The common case of a call that is not exact: the last few arguments are left to their
 * defaults. */
static bool fill_absent(ox_VM *vm, unsigned at, unsigned nargs, Proto *p) {
  if (p->flags & FN_REST || nargs > p->nparams || nargs < proto_info(vm, p)->nrequired)
    return false;
  if (!call_claim(vm, at + 2 + (uint64_t)p->nparams)) return false;
  Value *args = vm_regs(vm) + at + 2;
  for (unsigned i = nargs; i < p->nparams; i++) args[i] = V_ABSENT;
  return true;
}

static bool call_closure(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, uint64_t ret) {
  Value f = vm_regs(vm)[at];
  Proto *p = proto_of(vm, f);
  if ((named || p->arity != nargs) && (named || !fill_absent(vm, at, nargs, p)))
    if (!call_arrange(vm, at, nargs, named, f)) return false;
  return enter(vm, at, ret);
}

bool call_enter_arranged(ox_VM *vm, unsigned at, uint64_t ret) { return enter(vm, at, ret); }

/* Unwraps bound methods and callable instances in R[at]: false if there was nothing to unwrap. On
 * an error *ok is false. */
static bool unwrap(ox_VM *vm, unsigned at, unsigned *nargs, bool *ok) {
  Value f = vm_regs(vm)[at], self, method;
  *ok = true;
  if (v_is(f, KIND_BOUND)) {
    Bound *b = (Bound *)vm_deref(vm, f);
    self = b->self, method = b->method;
  } else if (v_is(f, KIND_INSTANCE) || v_is(f, KIND_FOREIGN)) {
    self = f, method = vm_find_method(vm, f, vm->st->op_names[OPM_CALL]);
    if (method == V_ABSENT) return false;
  } else {
    return false;
  }
  *ok = shift_in(vm, at, *nargs, self);
  vm_regs(vm)[at] = method;
  *nargs += 1;
  return true;
}

static bool unwrap_all(ox_VM *vm, unsigned at, unsigned *nargs) {
  bool ok = true;
  for (int hops = 0; ok && unwrap(vm, at, nargs, &ok);) {
    if (++hops <= MAX_UNWRAP) continue;
    vm_throw(vm, ERR_LIMIT, "too many callable objects inside each other");
    return false;
  }
  return ok;
}

bool call_at(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, uint64_t ret) {
  Value f = vm_regs(vm)[at];
  if (v_is(f, KIND_CLOSURE)) return call_closure(vm, at, nargs, named, ret);
  if (!unwrap_all(vm, at, &nargs)) return false;
  f = vm_regs(vm)[at];
  if (v_is(f, KIND_CLOSURE)) return call_closure(vm, at, nargs, named, ret);
  if (v_is(f, KIND_NATIVE)) return call_native(vm, at, nargs, named, ret);
  if (v_is(f, KIND_CLASS)) return class_construct(vm, at, nargs, named, ret);
  return not_callable(vm, f, at);
}

bool call_above(ox_VM *vm, Value fn, unsigned n, const Value *args, uint64_t ret) {
  uint64_t at = vm_top(vm) + 2, extra = vm->st->extra;
  if (at + 2 > UINT16_MAX) {
    vm_throw(vm, ERR_LIMIT, "a call has too many arguments on the way");
    return false;
  }
  vm->st->extra = extra + n + 4 + SPARE_REGISTERS;
  if (!stack_ensure(vm, at + 2 + n + SPARE_REGISTERS)) return false;
  Value *F = vm_regs(vm) + at;
  F[-2] = 0; /* class_construct's */
  F[-1] = vm->st->pc;
  F[0] = fn;
  F[1] = 0;
  for (unsigned i = 0; i < n; i++) F[2 + i] = args[i];
  uint64_t base = vm->st->base;
  bool ok = call_at(vm, (unsigned)at, n, NULL, ret);
  if (ok && vm->st->base == base) vm->st->extra = extra;
  return ok;
}

/* A plain method's frame is made in one go: 10 % of a raytracer with vectors of its own. */
bool call_operator_method(ox_VM *vm, Value method, Value a, Value b, uint64_t ret) {
  VmState *st = vm->st;
  unsigned n = b == V_ABSENT ? 1 : 2;
  Value args[2] = {a, b};
  if (!v_is(method, KIND_CLOSURE) || st->extra != 0) return call_above(vm, method, n, args, ret);
  Proto *p = proto_of(vm, method);
  uint64_t delta = vm_top(vm) + 4;
  if (p->arity != n) return call_above(vm, method, n, args, ret);
  if (!stack_ensure(vm, delta + p->nregs)) return false;
  if (--st->fuel == 0 && !vm_refuel(vm)) return false;
  Value *N = vm_regs(vm) + delta;
  N[-4] = N[-3] = 0;
  N[-2] = method;
  N[-1] = link_with_delta(ret, delta);
  N[0] = a;
  N[1] = b; /* or nothing: there is room */
  st->base += delta;
  st->pc = proto_code(vm, p);
  return true;
}

/* A tail call that is not the plain one: R[at] with nargs arguments takes this frame's place. */
bool call_tail(ox_VM *vm, unsigned at, unsigned nargs) {
  if (!unwrap_all(vm, at, &nargs)) return false;
  Value f = vm_regs(vm)[at];
  VmState *st = vm->st;
  if (!v_is(f, KIND_CLOSURE)) {
    uint64_t ret = proto_code(vm, proto_of(vm, st->stub)) + 1 + at;
    return call_at(vm, at, nargs, NULL, link_make(ret, at, RET_STORE));
  }
  Proto *p = proto_of(vm, f);
  if (p->arity != nargs && !call_arrange(vm, at, nargs, NULL, f)) return false;
  unsigned total = p->arity == nargs ? nargs : p->nparams + (p->flags & FN_REST ? 1u : 0u);
  if (!stack_ensure(vm, p->nregs)) return false;
  if (--st->fuel == 0 && !vm_refuel(vm)) return false;
  Value *R = vm_regs(vm);
  R[-2] = f;
  memmove(R, R + at + 2, total * sizeof(Value));
  st->pc = proto_code(vm, p);
  st->extra = 0;
  return true;
}

/* ---- results ---- */

static void jump_by_truth(ox_VM *vm, bool truth) {
  const uint32_t *after = vm_pc(vm);
  if (ops_jumps_if(op_code(after[-2])) == truth) vm->st->pc += (int64_t)(int32_t)after[-1];
}

static bool deliver_len(ox_VM *vm, uint64_t link, Value result) {
  if (!num_is_int(result) || num_int(vm, result) < 0) {
    vm_throw(vm, ERR_TYPE, "`len` must return an int of at least 0, not %s",
             vm_type_name(vm, result));
    return false;
  }
  vm_regs(vm)[link_dest(link)] = result;
  return true;
}

static bool deliver_next(ox_VM *vm, Value result) {
  const uint32_t *after = vm_pc(vm);
  uint32_t ins = after[-2];
  vm->st->pc += (int64_t)(int32_t)after[-1];
  return ops_for_values(vm, ins, result);
}

bool call_deliver(ox_VM *vm, uint64_t link, Value *N, Value result) {
  VmState *st = vm->st;
  Value *R = vm_regs(vm);
  st->pc = link_pc(link);
  switch (link_mode(link)) {
    case RET_STORE: R[link_dest(link)] = result; return true;
    case RET_BOOL: R[link_dest(link)] = v_from_bool(!v_is_falsy(result)); return true;
    case RET_NOT: R[link_dest(link)] = v_from_bool(v_is_falsy(result)); return true;
    case RET_JUMP: jump_by_truth(vm, !v_is_falsy(result)); return true;
    case RET_LEN: return deliver_len(vm, link, result);
    case RET_INIT: R[link_dest(link)] = N[-3]; return true;
    case RET_INIT_OUTER: return call_deliver(vm, N[-5], NULL, N[-3]);
    case RET_FIELDS: return class_fields_done(vm, link, N);
    case RET_IMPORT: ops_module_done(vm, R[link_dest(link)], true); return true;
    case RET_ITER: return ops_iter_result(vm, result);
    case RET_NEXT: return deliver_next(vm, result);
    case RET_DROP: return true;
    case RET_FIBER: return fiber_finish(vm, result);
    case RET_C: st->exit_value = result; return true;
  }
  return true;
}

/* ---- instructions ---- */

static uint64_t ret_here(ox_VM *vm, unsigned words, unsigned dest) {
  return link_make(vm->st->pc + words, dest, RET_STORE);
}

bool slow_poll(ox_VM *vm, uint32_t ins) {
  (void)ins;
  vm->st->pc--; /* the instruction runs again, and polls again */
  stack_trim(vm);
  if (vm->snapshot_stress) snapshot_stress(vm);
  if (!vm_refuel(vm)) {
    vm->st->pc++; /* the place of the error */
    return false;
  }
  vm->st->fuel++;
  return true;
}

bool slow_call(ox_VM *vm, uint32_t ins) {
  return call_at(vm, INS_A(ins), INS_B(ins), NULL, ret_here(vm, 0, INS_C(ins)));
}

/* Trailing arguments that were left out, made absent. False: the call is not that simple. */
static bool native_fill(ox_VM *vm, unsigned at, unsigned nargs, const Native *n) {
  if (nargs == n->max) return true;
  if (nargs < n->min || nargs > n->max || n->max == UINT16_MAX || n->flags & 0xFF) return false;
  unsigned max = n->max;
  if (!call_claim(vm, at + 2 + (uint64_t)max)) return false;
  Value *args = vm_regs(vm) + at + 2;
  for (unsigned i = nargs; i < max; i++) args[i] = V_ABSENT;
  return true;
}

/* A native with positional arguments, past all that other calls need. */
static bool native_plain(ox_VM *vm, uint32_t ins, unsigned nargs, unsigned words) {
  Value *F = vm_regs(vm) + INS_A(ins);
  Native *n = (Native *)vm_deref(vm, F[0]);
  if (n->h.aux >= NATIVE_HOST) goto general;
  const NativeDef *def = &native_tables[n->h.aux >> 10]->defs[n->h.aux & 1023];
  if (def->kind != DEF_FN || !native_fill(vm, INS_A(ins), nargs, n)) goto general;
  F = vm_regs(vm) + INS_A(ins);
  vm->callee = F[0];
  Value v = def->fn(vm, F + 2, (int)nargs);
  if (v == V_ERROR) return false;
  vm->st->pc += words;
  vm_regs(vm)[INS_C(ins)] = v;
  return true;
general:
  return call_native(vm, INS_A(ins), nargs, NULL, ret_here(vm, words, INS_C(ins)));
}

bool slow_native(ox_VM *vm, uint32_t ins) { return native_plain(vm, ins, INS_B(ins), 0); }
/* A builtin method of a map is cached: a key of that name would come first. */
bool slow_map_invoke(ox_VM *vm, uint32_t ins) {
  Value *R = vm_regs(vm);
  uint32_t word = vm_pc(vm)[0];
  Map *m = as_map(vm, R[INS_A(ins) + 2]);
  if (map_find_str(vm, m, vm_const(vm, (uint16_t)word)) != UINT32_MAX) return slow_invoke(vm, ins);
  R[INS_A(ins)] = v_from_ref(KIND_NATIVE, (Ref){vm_cache(vm, word >> 16)->slot});
  return native_plain(vm, ins, INS_B(ins) + 1, 1);
}

bool slow_native_invoke(ox_VM *vm, uint32_t ins) {
  return native_plain(vm, ins, INS_B(ins) + 1, 1);
}

bool slow_calln(ox_VM *vm, uint32_t ins) {
  unsigned at = INS_A(ins), nargs = INS_B(ins);
  Value names = vm_const(vm, vm_pc(vm)[0]);
  Value values[256];
  Named named = {(unsigned)list_len(vm, names), list_store(vm, as_list(vm, names))->items, values};
  nargs -= named.n;
  for (unsigned i = 0; i < named.n; i++) {
    values[i] = vm_regs(vm)[at + 2 + nargs + i];
    if (!vm_root(vm, values[i])) return false;
  }
  return call_at(vm, at, nargs, &named, ret_here(vm, 1, INS_C(ins)));
}

/* Names and values of a map of named arguments. False: error pending. */
static bool names_of_map(ox_VM *vm, Value map, Value names[256], Value values[256], Named *out) {
  Map *m = as_map(vm, map);
  uint32_t i = 0;
  out->n = 0;
  while (map_next(vm, m, &i, &names[out->n], &values[out->n])) {
    if (!v_is_string(names[out->n])) {
      vm_throw(vm, ERR_TYPE, "names of arguments must be strings, not %s",
               vm_type_name(vm, names[out->n]));
      return false;
    }
    if (!vm_root(vm, names[out->n]) || !vm_root(vm, values[out->n])) return false;
    if (++out->n == 255) break;
  }
  return true;
}

bool slow_callx(ox_VM *vm, uint32_t ins) {
  unsigned at = INS_A(ins);
  Value list = vm_regs(vm)[at + 2], map = vm_regs(vm)[at + 3];
  Value names[256], values[256];
  Named named = {0, names, values};
  if (!v_is(list, KIND_LIST) || (map != V_NIL && !v_is(map, KIND_MAP))) {
    vm_throw(vm, ERR_SYSTEM, "damaged code: no list of arguments");
    return false;
  }
  if (map != V_NIL && !names_of_map(vm, map, names, values, &named)) return false;
  uint64_t n = list_len(vm, list);
  if (!vm_root(vm, list)) return false;
  if (n >= UINT16_MAX - 300) {
    vm_throw(vm, ERR_LIMIT, "too many arguments: %llu", (unsigned long long)n);
    return false;
  }
  vm->st->extra = n + SPARE_REGISTERS;
  if (!stack_ensure(vm, at + 2 + n + SPARE_REGISTERS)) return false;
  for (uint64_t i = 0; i < n; i++) vm_regs(vm)[at + 2 + i] = list_get(vm, list, i);
  uint64_t base = vm->st->base;
  bool ok = call_at(vm, at, (unsigned)n, named.n ? &named : NULL, ret_here(vm, 0, INS_C(ins)));
  if (ok && vm->st->base == base) vm->st->extra = 0;
  return ok;
}

bool slow_tailcall(ox_VM *vm, uint32_t ins) { return call_tail(vm, INS_A(ins), INS_B(ins)); }

/* Puts the method into R[A]. *at and *nargs: how to call it. */
static bool find_invoked(ox_VM *vm, uint32_t ins, unsigned *nargs) {
  unsigned at = INS_A(ins);
  uint32_t word = vm_pc(vm)[0];
  Value self = vm_regs(vm)[at + 2];
  bool unbound;
  Value f = method_get(vm, self, vm_const(vm, (uint16_t)word), &unbound);
  if (f == V_ERROR) return false;
  vm_regs(vm)[at] = f;
  *nargs = INS_B(ins) + unbound;
  if (!unbound) { /* a plain function under that name: the receiver is no argument */
    Value *args = vm_regs(vm) + at + 2;
    memmove(args, args + 1, INS_B(ins) * sizeof(Value));
    return true;
  }
  InlineCache *cache = vm_cache(vm, word >> 16);
  if (v_is(self, KIND_INSTANCE) && v_is(f, KIND_CLOSURE)) {
    uint32_t cls = ((Instance *)vm_deref(vm, self))->h.aux;
    *cache = (InlineCache){cls, v_ref(f).w};
    lookup_fill(vm, cls, vm_const(vm, (uint16_t)word), v_ref(f).w, true);
  } else if (v_is_ref(self) && !v_is(self, KIND_INSTANCE) && v_is(f, KIND_NATIVE))
    *cache = (InlineCache){(uint32_t)vm->st->kind_class[v_kind(self)], v_ref(f).w};
  return true;
}

bool slow_invoke(ox_VM *vm, uint32_t ins) {
  unsigned nargs;
  if (!find_invoked(vm, ins, &nargs)) return false;
  return call_at(vm, INS_A(ins), nargs, NULL, ret_here(vm, 1, INS_C(ins)));
}

/* A list that has to grow, or a method of that name of something else. */
bool slow_push(ox_VM *vm, uint32_t ins) {
  Value *R = vm_regs(vm);
  Value self = R[INS_B(ins)], x = R[INS_C(ins)];
  if (v_is(self, KIND_LIST)) {
    vm->st->pc++;
    return list_push(vm, self, x);
  }
  unsigned at = INS_A(ins);
  R[at + 2] = self;
  R[at + 3] = x;
  return slow_invoke(vm, op_make_abc(OP_INVOKE, at, 1, at));
}

bool slow_tailinvoke(ox_VM *vm, uint32_t ins) {
  unsigned nargs;
  if (!find_invoked(vm, ins, &nargs)) return false;
  return call_tail(vm, INS_A(ins), nargs);
}

static bool return_from(ox_VM *vm, Value v) {
  Value *N = vm_regs(vm);
  uint64_t link = N[-1];
  vm->st->base -= link_delta(link);
  return call_deliver(vm, link, N, v);
}

bool slow_ret(ox_VM *vm, uint32_t ins) { return return_from(vm, vm_regs(vm)[INS_A(ins)]); }

bool slow_retnil(ox_VM *vm, uint32_t ins) {
  (void)ins;
  return return_from(vm, V_NIL);
}

/* ---- from C ---- */

static bool deep_in_c(ox_VM *vm) {
  if (vm->c_depth < vm->max_c_depth) return false;
  vm_throw(vm, ERR_STACK, "stack overflow");
  return true;
}

Value vm_call(ox_VM *vm, Value fn, int nargs, const Value *args) {
  return vm_call_for(vm, NULL, fn, nargs, args);
}

Value vm_call_for(ox_VM *vm, const char *caller, Value fn, int nargs, const Value *args) {
  if (deep_in_c(vm) || !vm_poll(vm, 0)) return V_ERROR;
  VmState *st = vm->st;
  uint64_t pc = st->pc, extra = st->extra;
  uint32_t mark = vm_roots_mark(vm);
  Value entry = vm->entry_fiber, callee = vm->callee;
  vm->entry_fiber = st->fiber;
  uint64_t outer = vm_run_begin(vm), exit_pc = proto_code(vm, proto_of(vm, st->stub));
  vm->caller = caller;
  bool ok = call_above(vm, fn, (unsigned)nargs, args, link_make(exit_pc, 0, RET_C));
  vm->caller = NULL;
  if (ok && st->pc != exit_pc) interp_run(vm);
  vm_run_end(vm, outer);
  vm->entry_fiber = entry;
  vm->callee = callee;
  st->pc = pc;
  st->extra = extra;
  vm_roots_reset(vm, mark);
  if (!ok || st->error != V_ABSENT) return V_ERROR;
  if (st->exit_value == V_ABSENT) return vm_throw(vm, ERR_SYSTEM, "damaged code: nothing is returned");
  return vm_root(vm, st->exit_value) ? st->exit_value : V_ERROR;
}

Value vm_call_op(ox_VM *vm, Value v, OpMethod m, int nargs, const Value *args) {
  if (!v_is(v, KIND_INSTANCE) && !v_is(v, KIND_FOREIGN)) return V_ABSENT;
  Value method = vm_find_method(vm, v, vm->st->op_names[m]);
  if (method == V_ABSENT) return V_ABSENT;
  Value all[4] = {v};
  for (int i = 0; i < nargs && i < 3; i++) all[1 + i] = args[i];
  return vm_call(vm, method, 1 + nargs, all);
}

bool vm_has_op(ox_VM *vm, Value v, OpMethod m) {
  if (!v_is(v, KIND_INSTANCE) && !v_is(v, KIND_FOREIGN)) return false;
  return vm_find_method(vm, v, vm->st->op_names[m]) != V_ABSENT;
}
