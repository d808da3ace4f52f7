/* api_host.c - the C API: what a host gives to programs. Functions of the host are Natives whose
 * numbers lie above those of the builtins; objects of the host are Foreigns. Contracts in oxbow.h.
 *
 * A function belongs to its Native object: when the collector finds that unreachable, the finalizer
 * gives the function's number free and tells the host. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "list.h"
#include "native.h"
#include "str.h"

struct HostFunction {
  NativeDef def;          /* first: vm->host_natives points here */
  ox_Function call;
  void *context;
  void (*finalize)(void *context);
  char texts[];           /* name, signature, doc: each with its NUL */
};

typedef struct HostType {
  ForeignType type;
  const ox_ForeignType *host;
  struct HostType *next;
} HostType;

/* ---- throwing -------------------------------------------------------------------------------- */

static ErrorKind kind_named(const char *name) {
  static const char *const names[] = {
#define ERR(e, name) name,
#include "errors.def"
#undef ERR
  };
  for (int i = 0; name && i < (int)(sizeof names / sizeof *names); i++)
    if (strcmp(names[i], name) == 0 && i != ERR_INTERRUPT && i != ERR_FUEL) return (ErrorKind)i;
  return ERR_ERROR;
}

ox_Value ox_throw(ox_VM *vm, const char *kind, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return out_of(vm_throw(vm, kind_named(kind), "%s", message));
}

ox_Value ox_throw_value(ox_VM *vm, ox_Value value) {
  if (in(value) == V_ABSENT) return ox_throw(vm, NULL, "ox_throw_value: OX_NONE is no value");
  return out_of(vm_throw_value(vm, in(value)));
}

ox_Value ox_rethrow(ox_VM *vm) {
  Api *api = api_of(vm);
  Value thrown = vm->st->spare[API_THROWN];
  if (!api->failed) return ox_throw(vm, NULL, "ox_rethrow: nothing has failed");
  if (thrown != V_ABSENT) return out_of(vm_throw_value(vm, thrown));
  return ox_throw(vm, NULL, "%s", api->place.message);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* After a stop that programs cannot catch, what the host's function returned does not matter. */
static Value stop_again(ox_VM *vm) {
  ox_rethrow(vm);
  vm->unwinding_uncatchable = true;
  vm->exiting = api_of(vm)->error.status == OX_EXITED;
  return V_ERROR;
}

static Value host_result(ox_VM *vm, const HostFunction *f, Value result, uint64_t failures) {
  Api *api = api_of(vm);
  if (api->stopping) return stop_again(vm);
  if (result != V_ABSENT) {
    if (error_pending(vm)) error_take(vm);
    return result;
  }
  if (error_pending(vm)) return V_ERROR;
  if (api->failures != failures) return in(ox_rethrow(vm));
  return vm_throw(vm, ERR_SYSTEM, "%s() of the host gave no value", f->def.name);
}

enum { ARGS_ON_STACK = 16 };

/* Arguments are copied, since the stack they lie on may move when the function calls back. */
static Value host_call(ox_VM *vm, Value *args, int nargs) {
  const Native *native = vm_deref(vm, vm->callee);
  const HostFunction *f = api_of(vm)->functions[native->h.aux - NATIVE_HOST];
  ox_Value few[ARGS_ON_STACK], *argv = few;
  int argc = native->max == UINT16_MAX ? nargs : native->max;
  if (argc > ARGS_ON_STACK && !(argv = malloc((size_t)argc * sizeof *argv)))
    return vm_throw_oom(vm);
  memcpy(argv, args, (size_t)argc * sizeof *argv);
  uint64_t failures = api_of(vm)->failures;
  Value result = in(f->call(vm, f->context, argc, argv));
  if (argv != few) free(argv);
  return host_result(vm, f, result, failures);
}

static HostFunction *function_new(const char *signature, const char *doc) {
  size_t sig = strlen(signature) + 1, about = doc ? strlen(doc) + 1 : 1;
  size_t name = strcspn(signature, "( ");
  HostFunction *f = calloc(1, sizeof *f + name + 1 + sig + about);
  if (!f) return NULL;
  memcpy(f->texts, signature, name);
  memcpy(f->texts + name + 1, signature, sig);
  if (doc) memcpy(f->texts + name + 1 + sig, doc, about);
  f->def = (NativeDef)NATIVE(f->texts, host_call, f->texts + name + 1, f->texts + name + 1 + sig);
  return f;
}

/* A free number, or UINT32_MAX when memory is out. */
static uint32_t function_number(ox_VM *vm) {
  Api *api = api_of(vm);
  for (uint32_t i = api->nfunctions; i-- > 0;) /* numbers given free lie near the end, mostly */
    if (!api->functions[i]) return i;
  if (api->nfunctions == api->functions_cap) {
    uint32_t cap = api->functions_cap ? api->functions_cap * 2 : 16;
    HostFunction **more = realloc(api->functions, cap * sizeof *more);
    if (!more) return UINT32_MAX;
    api->functions = more;
    api->functions_cap = cap;
    vm->host_natives = more;
  }
  api->functions[api->nfunctions] = NULL;
  vm->nhost_natives = api->nfunctions + 1;
  return api->nfunctions++;
}

static void function_free(Api *api, uint32_t number) {
  HostFunction *f = api->functions[number];
  if (!f) return;
  api->functions[number] = NULL;
  if (f->finalize) f->finalize(f->context);
  free(f);
}

static void finalize_native(ox_VM *vm, Ref object) {
  Native *native = gc_ptr(vm->cage, object);
  if (native->h.aux >= NATIVE_HOST) function_free(api_of(vm), native->h.aux - NATIVE_HOST);
}

static Value function_value(ox_VM *vm, HostFunction *f, uint32_t number) {
  api_of(vm)->functions[number] = f;
  Value v = native_from_def(vm, &f->def, NATIVE_HOST + number);
  if (v == V_ERROR) return v;
  ((Header *)vm_deref(vm, v))->layout |= LAYOUT_FINAL;
  vm->finalize_extra = finalize_native;
  return gc_add_final(vm->gc, v_ref(v)) ? v : vm_throw_oom(vm);
}

ox_Value ox_function(ox_VM *vm, const char *signature, const char *doc, ox_Function function,
                     void *context, void (*finalize)(void *context)) {
  HostFunction *f = function_new(signature, doc);
  uint32_t number = f ? function_number(vm) : UINT32_MAX;
  if (number == UINT32_MAX) {
    free(f);
    if (finalize) finalize(context);
    return api_made(vm, vm_throw_oom(vm));
  }
  f->call = function;
  f->context = context;
  f->finalize = finalize;
  Value v = function_value(vm, f, number);
  if (v == V_ERROR) function_free(api_of(vm), number);
  return api_made(vm, v);
}

/* ---- objects --------------------------------------------------------------------------------- */

static const ForeignType *type_for(Api *api, const ox_ForeignType *host) {
  for (HostType *t = api->types; t; t = t->next)
    if (t->host == host) return &t->type;
  HostType *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->type = (ForeignType){host->name, host->finalize, NULL, 0, -1};
  t->host = host;
  t->next = api->types;
  api->types = t;
  return &t->type;
}

ox_Value ox_foreign(ox_VM *vm, const ox_ForeignType *type, void *object) {
  const ForeignType *known = type_for(api_of(vm), type);
  if (!known && type->finalize) type->finalize(object);
  return api_made(vm, known ? foreign_new(vm, known, object) : vm_throw_oom(vm));
}

void *ox_foreign_object(ox_VM *vm, ox_Value value, const ox_ForeignType *type) {
  if (!v_is(in(value), KIND_FOREIGN)) return NULL;
  const Foreign *f = vm_deref(vm, in(value));
  const Handle *handle = &vm->handles[f->handle];
  const ForeignType *known = type_for(api_of(vm), type);
  return known && handle->type == known ? handle->ptr : NULL;
}

void api_free_host(Api *api) {
  for (uint32_t i = 0; i < api->nfunctions; i++) function_free(api, i);
  free(api->functions);
  for (HostType *t = api->types, *next; t; t = next) {
    next = t->next;
    free(t);
  }
}
