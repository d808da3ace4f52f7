/* api_host.c - the C API: what a host gives to programs: functions, modules, errors. Contracts in
 * oxbow.h.
 *
 * Functions of the host are Natives whose numbers lie above those of the builtins. A function
 * belongs to its Native object: when the collector finds that unreachable, the finalizer gives the
 * function's number free and tells the host. Types in a signature are read once, when the function
 * is made, into one ArgType for each parameter; calls then compare tags. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "import.h"
#include "map.h"
#include "native.h"
#include "number.h"
#include "signature.h"
#include "str.h"

/* What a parameter takes. WANT_FOREIGN: an object of the type called `name`. */
typedef enum Want {
  WANT_ANY, WANT_BOOL, WANT_INT, WANT_FLOAT, WANT_NUMBER, WANT_STRING, WANT_FUNCTION, WANT_LIST,
  WANT_MAP, WANT_SET, WANT_RANGE, WANT_FIBER, WANT_CLASS, WANT_ERROR, WANT_MODULE, WANT_FOREIGN
} Want;

typedef struct ArgType {
  Want want;
  bool or_nil;
  const char *param, *name; /* not ended by NUL */
  uint32_t param_len, name_len;
} ArgType;

struct HostFunction {
  NativeDef def;          /* first: vm->host_natives points here */
  uint32_t users;         /* VMs that have it: forks share it. Atomic */
  ox_Function call;
  void *context;
  void (*finalize)(void *context);
  HostRole role;
  const HostType *type;   /* unless it is a ROLE_FUNCTION */
  int count, named;       /* parameters before a rest, and behind it */
  bool typed;
  ArgType rest, *types;   /* types: for count + named parameters; NULL if none has any */
  char texts[];           /* name, signature, doc: each with its NUL */
};

/* ---- throwing -------------------------------------------------------------------------------- */

/* What no program can catch is not for hosts to throw: they have ox_interrupt and the budget. */
static bool is_kind_of_host(const char *name) {
  return name && strcmp(name, "interrupt") != 0 && strcmp(name, "fuel") != 0;
}

/* An error of any kind, V_ERROR: no memory. */
static Value error_of_host(ox_VM *vm, const char *kind, const char *message) {
  uint32_t mark = vm_roots_mark(vm);
  Value text = string_from_c(vm, message);
  Value e = text == V_ERROR ? V_ERROR : error_new(vm, ERR_ERROR, text, V_NIL);
  if (e != V_ERROR && is_kind_of_host(kind)) {
    Value name = string_from_c(vm, kind);
    if (name == V_ERROR) e = V_ERROR;
    else gc_store(vm->cage, v_ref(e).w + offsetof(Error, kind) / 8, name);
  }
  vm_roots_reset(vm, mark);
  return e;
}

ox_Value ox_throw(ox_VM *vm, const char *kind, const char *format, ...) {
  API_CALL(vm);
  API_RULE(api_of(vm)->depth > 0, "no native function is running that could throw");
  API_RULE(format, "the format is NULL");
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  Value e = error_of_host(vm, kind, message);
  return out_of(e == V_ERROR ? V_ERROR : vm_throw_value(vm, e));
}

ox_Value ox_new_error(ox_VM *vm, const char *kind, const char *format, ...) {
  API_CALL(vm);
  API_RULE(format, "the format is NULL");
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  Value e = error_of_host(vm, kind, message);
  return api_made(vm, e != V_ERROR && vm_root(vm, e) ? e : V_ERROR);
}

ox_Value ox_throw_value(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_RULE(api_of(vm)->depth > 0, "no native function is running that could throw");
  API_VALUE(vm, value);
  if (in(value) == V_ABSENT) return ox_throw(vm, NULL, "ox_throw_value: OX_NONE is no value");
  return out_of(vm_throw_value(vm, in(value)));
}

ox_Value ox_rethrow(ox_VM *vm) {
  API_CALL(vm);
  API_RULE(api_of(vm)->depth > 0, "no native function is running that could throw");
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
  bool suspends = vm->suspending && result == V_ABSENT;
  vm->suspending = false;
  if (api->stopping) return stop_again(vm);
  if (result != V_ABSENT) {
    if (error_pending(vm)) error_take(vm);
    return result;
  }
  if (suspends && !error_pending(vm)) {
    vm->suspending = true;
    return V_ERROR;
  }
  if (error_pending(vm)) return V_ERROR;
  if (api->failures != failures) return in(ox_rethrow(vm));
  return vm_throw(vm, ERR_SYSTEM,
                  "%s() of the host gave no value: it returned OX_NONE, and nothing "
                  "has failed",
                  f->def.name);
}

/* ---- types of arguments ---------------------------------------------------------------------- */

static const struct {
  const char *name, *phrase;
} wants[] = {
    [WANT_ANY] = {"any", "anything"},        [WANT_BOOL] = {"bool", "a bool"},
    [WANT_INT] = {"int", "an int"},          [WANT_FLOAT] = {"float", "a float"},
    [WANT_NUMBER] = {"number", "a number"},  [WANT_STRING] = {"string", "a string"},
    [WANT_FUNCTION] = {"function", "a function"}, [WANT_LIST] = {"list", "a list"},
    [WANT_MAP] = {"map", "a map"},           [WANT_SET] = {"set", "a set"},
    [WANT_RANGE] = {"range", "a range"},     [WANT_FIBER] = {"fiber", "a fiber"},
    [WANT_CLASS] = {"class", "a class"},     [WANT_ERROR] = {"error", "an error"},
    [WANT_MODULE] = {"module", "a module"},
};

static ArgType arg_type(const SigParam *p) {
  uint32_t len = p->type_len;
  bool or_nil = len > 0 && p->type[len - 1] == '?';
  ArgType t = {WANT_ANY, or_nil, p->name, p->type, p->len, len - or_nil};
  if (len == 0) return t;
  for (t.want = WANT_ANY; t.want < WANT_FOREIGN; t.want++)
    if (strlen(wants[t.want].name) == t.name_len && !memcmp(wants[t.want].name, t.name, t.name_len))
      break;
  return t;
}

/* False: no memory. */
static bool read_types(HostFunction *f) {
  Signature sig;
  signature_parse(f->def.signature, &sig);
  if (sig.malformed) return true; /* is found when the Native is made */
  f->count = sig.count;
  f->named = sig.named;
  f->rest = arg_type(&sig.rest_param);
  f->typed = sig.rest_param.type_len > 0;
  for (int i = 0; i < sig.count + sig.named; i++) f->typed |= sig.params[i].type_len > 0;
  if (!f->typed) return true;
  f->types = calloc((size_t)(sig.count + sig.named) + 1, sizeof *f->types);
  for (int i = 0; f->types && i < sig.count + sig.named; i++)
    f->types[i] = arg_type(&sig.params[i]);
  return f->types != NULL;
}

static bool is_foreign_named(ox_VM *vm, Value v, const ArgType *t) {
  if (!v_is(v, KIND_FOREIGN)) return false;
  const char *name = vm_type_name(vm, v);
  return strlen(name) == t->name_len && memcmp(name, t->name, t->name_len) == 0;
}

static bool fits(ox_VM *vm, Value v, const ArgType *t) {
  if (v == V_ABSENT || (t->or_nil && v == V_NIL)) return true;
  switch (t->want) {
    case WANT_ANY: return true;
    case WANT_BOOL: return v_is_bool(v);
    case WANT_INT: return num_is_int(v);
    case WANT_FLOAT: return v_is_float(v);
    case WANT_NUMBER: return num_is(v);
    case WANT_STRING: return v_is_string(v);
    case WANT_FUNCTION: return arg_is_callable(vm, v);
    case WANT_LIST: return v_is(v, KIND_LIST);
    case WANT_MAP: return v_is(v, KIND_MAP);
    case WANT_SET: return v_is(v, KIND_SET);
    case WANT_RANGE: return v_is(v, KIND_RANGE);
    case WANT_FIBER: return v_is(v, KIND_FIBER);
    case WANT_CLASS: return v_is(v, KIND_CLASS);
    case WANT_ERROR: return v_is(v, KIND_ERROR);
    case WANT_MODULE: return v_is(v, KIND_MODULE);
    case WANT_FOREIGN: return is_foreign_named(vm, v, t);
  }
  return false;
}

static bool wrong_type(ox_VM *vm, const HostFunction *f, const ArgType *t, Value v) {
  char got[64];
  snprintf(got, sizeof got, "%s", vm_type_name(vm, v));
  if (t->want == WANT_FOREIGN)
    vm_throw(vm, ERR_TYPE, "`%.*s` of %s must be a %.*s%s, not %s", (int)t->param_len, t->param,
             f->def.name, (int)t->name_len, t->name, t->or_nil ? " or nil" : "", got);
  else
    vm_throw(vm, ERR_TYPE, "`%.*s` of %s must be %s%s, not %s", (int)t->param_len, t->param,
             f->def.name, wants[t->want].phrase, t->or_nil ? " or nil" : "", got);
  return false;
}

/* `argv` as host_call has laid it out: the parameters, the rest, the parameters behind it. */
static bool check_types(ox_VM *vm, const HostFunction *f, int argc, const ox_Value *argv) {
  for (int i = 0; i < argc; i++) {
    int behind = i - (argc - f->named);
    const ArgType *t = i < f->count ? &f->types[i]
                       : behind >= 0 ? &f->types[f->count + behind] : &f->rest;
    if (!fits(vm, in(argv[i]), t)) return wrong_type(vm, f, t, in(argv[i]));
  }
  return true;
}

/* ---- calls ----------------------------------------------------------------------------------- */

enum { ARGS_ON_STACK = 16 };

static Value call_with(ox_VM *vm, const HostFunction *f, int argc, const ox_Value *argv) {
  void *context = f->context;
  if (vm->is_task && !vm->shared_functions)
    return vm_throw(vm, ERR_VALUE, "%s() of the host cannot be called by a task", f->def.name);
  if (f->typed && !check_types(vm, f, argc, argv)) return V_ERROR;
  bool method = f->role != ROLE_FUNCTION && f->role != ROLE_INIT; /* its self is the context */
  if (method && !(context = api_self(vm, argv[0], f->type, f->def.name))) return V_ERROR;
  Api *api = api_of(vm);
  uint64_t failures = api->failures;
  uint32_t scopes = api->nscopes, from = api->scopes_from; /* those it opens end with it */
  const char *running = api->running;
  api->scopes_from = scopes;
  api->running = f->def.name;
  Value result = in(f->call(vm, context, argc, argv));
  api->running = running;
  api->nscopes = scopes;
  api->scopes_from = from;
  return host_result(vm, f, result, failures);
}

/* Arguments are copied, since the stack they lie on may move when the function calls back. Those
 * not given of the parameters before a rest are added. */
static Value host_call(ox_VM *vm, Value *args, int nargs) {
  const Native *native = vm_deref(vm, vm->callee);
  const HostFunction *f = api_of(vm)->functions[native->h.aux - NATIVE_HOST];
  ox_Value few[ARGS_ON_STACK], *argv = few;
  int given = native->max == UINT16_MAX ? nargs : native->max;
  int first = given > f->count ? given : f->count, argc = first + f->named;
  if (argc > ARGS_ON_STACK && !(argv = malloc((size_t)argc * sizeof *argv)))
    return vm_throw_oom(vm);
  for (int i = 0; i < argc; i++)
    argv[i] = out_of(i < given ? args[i] : i < first ? V_ABSENT : args[given + i - first]);
  Value result = call_with(vm, f, argc, argv);
  if (argv != few) free(argv);
  return result;
}

static void function_drop(HostFunction *f) {
  if (!f) return;
  free(f->types);
  free(f);
}

static HostFunction *function_new(const char *signature, const char *doc) {
  size_t sig = strlen(signature) + 1, about = doc ? strlen(doc) + 1 : 1;
  size_t name = strcspn(signature, "( ");
  HostFunction *f = calloc(1, sizeof *f + name + 1 + sig + about);
  if (!f) return NULL;
  memcpy(f->texts, signature, name);
  memcpy(f->texts + name + 1, signature, sig);
  if (doc) memcpy(f->texts + name + 1 + sig, doc, about);
  f->users = 1;
  f->def = (NativeDef)NATIVE(f->texts, host_call, f->texts + name + 1, f->texts + name + 1 + sig);
  if (read_types(f)) return f;
  function_drop(f);
  return NULL;
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

/* In an image that is refused there may be any number. */
static void function_free(Api *api, uint32_t number) {
  HostFunction *f = number < api->nfunctions ? api->functions[number] : NULL;
  if (!f) return;
  api->functions[number] = NULL;
  if (__atomic_sub_fetch(&f->users, 1, __ATOMIC_ACQ_REL) > 0) return;
  if (f->finalize) f->finalize(f->context);
  function_drop(f);
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

static void set_call(HostFunction *f, const HostCall *call) {
  f->call = call->function;
  f->context = call->context;
  f->finalize = call->finalize;
  f->role = call->role;
  f->type = call->type;
}

Value api_function(ox_VM *vm, const char *signature, const char *doc, const HostCall *call) {
  HostFunction *f = function_new(signature, doc);
  uint32_t number = f ? function_number(vm) : UINT32_MAX;
  if (number == UINT32_MAX) {
    function_drop(f);
    if (call->finalize) call->finalize(call->context);
    return vm_throw_oom(vm);
  }
  set_call(f, call);
  Value v = function_value(vm, f, number);
  if (v == V_ERROR) function_free(api_of(vm), number);
  return v;
}

ox_Value ox_function(ox_VM *vm, const char *signature, const char *doc, ox_Function function,
                     void *context, void (*finalize)(void *context)) {
  API_CALL(vm);
  if (!signature || !function) {
    if (finalize) finalize(context);
    return api_broken(vm, __func__, "the signature or the function is NULL", NULL), ox_none();
  }
  HostCall call = {function, context, finalize, ROLE_FUNCTION, NULL};
  return api_made(vm, api_function(vm, signature, doc, &call));
}

/* ---- modules --------------------------------------------------------------------------------- */

static bool only_names(ox_VM *vm, Value members) {
  uint32_t i = 0;
  Value key, value;
  while (map_next(vm, as_map(vm, members), &i, &key, &value)) {
    String *name = v_is_string(key) ? string_flat(vm, key) : NULL;
    if (!name || !api_is_name(name->chars)) return false;
  }
  return true;
}

ox_Status ox_module(ox_VM *vm, const char *name, ox_Value members) {
  API_CALL(vm);
  API_VALUE(vm, members);
  if (!name) return api_broken(vm, __func__, "the name is NULL", NULL);
  if (!v_is(in(members), KIND_MAP)) return api_misuse(vm, "ox_module: members must be a map");
  if (!api_is_name(name) || strlen(name) > IMPORT_NAME_MAX)
    return api_misuse(vm, "ox_module: this is no name for a module");
  if (!only_names(vm, in(members)))
    return api_misuse(vm, "ox_module: the keys of the members must be names");
  uint32_t mark = api_enter(vm);
  bool done = import_give(vm, name, in(members));
  return api_leave(vm, mark, done ? V_NIL : V_ERROR, NULL);
}

/* ---- images ---------------------------------------------------------------------------------- */

void api_note_functions(Api *api, VmText *notes) {
  note_number(notes, api->nfunctions);
  for (uint32_t i = 0; i < api->nfunctions; i++) {
    const HostFunction *f = api->functions[i];
    note_number(notes, f ? (uint32_t)f->role + 1 : 0);
    if (!f) continue;
    note_number(notes, f->type ? api_type_number(f->type) : 0);
    note_text(notes, f->def.signature);
    note_text(notes, f->def.doc);
  }
}

/* The first of the functions given with that signature that is not taken yet; -1: there is none. */
static int find_given(const ox_ImageFunction *given, const bool *taken, const char *signature,
                      size_t length) {
  for (int i = 0; given && given[i].signature; i++)
    if (!taken[i] && strlen(given[i].signature) == length &&
        memcmp(given[i].signature, signature, length) == 0)
      return i;
  return -1;
}

/* One that has the same name, for the message. */
static const char *like_named(const ox_ImageFunction *given, const char *signature, size_t length) {
  size_t n = 0;
  while (n < length && signature[n] != '(') n++;
  for (; given && given->signature; given++)
    if (strncmp(given->signature, signature, n) == 0 && given->signature[n] == '(')
      return given->signature;
  return NULL;
}

static bool missing(Refusal *why, const ox_ImageFunction *given, const char *signature,
                    size_t length) {
  const char *near = like_named(given, signature, length);
  api_refuse(why, "it needs the host's function `%.*s`, which is not among the functions given to "
             "ox_image_open%s%s%s", (int)length, signature, near ? " (there is `" : "",
             near ? near : "", near ? "`)" : "");
  return false;
}

/* What the function with these notes calls. False: it is missing. */
static bool find_call(ox_VM *vm, HostCall *call, const char *signature, size_t length,
                      const ox_ImageFunction *given, bool *taken, Refusal *why) {
  if (call->role == ROLE_FUNCTION) {
    int i = find_given(given, taken, signature, length);
    if (i < 0) return missing(why, given, signature, length);
    if (!given[i].function) {
      api_refuse(why, "the function given for `%.*s` is NULL", (int)length, signature);
      return false;
    }
    taken[i] = true;
    call->function = given[i].function;
    call->context = given[i].context;
    call->finalize = given[i].finalize;
    return true;
  }
  call->function = call->type ? api_type_function(call->type, call->role, signature, length) : NULL;
  if (call->role == ROLE_INIT) call->context = api_of(vm)->config.context;
  if (!call->function)
    api_refuse(why,
               "it needs `%.*s` of a foreign type, which the type given to ox_image_open has not",
               (int)length, signature);
  return call->function != NULL;
}

static bool take_function(ox_VM *vm, uint32_t role, NotesReader *r, const ox_ImageFunction *given,
                          bool *taken, Refusal *why) {
  uint32_t type = read_number(r), length, about;
  const char *signature = read_text(r, &length), *doc = read_text(r, &about);
  HostCall call = {.role = (HostRole)(role - 1)};
  if (r->bad || role > ROLE_INIT + 1) return api_refuse(why, "its notes are damaged"), false;
  if (call.role != ROLE_FUNCTION) call.type = api_type_numbered(api_of(vm), type);
  if (!find_call(vm, &call, signature, length, given, taken, why)) return false;
  char *texts = malloc((size_t)length + about + 2);
  if (texts) {
    memcpy(texts, signature, length);
    memcpy(texts + length + 1, doc, about);
    texts[length] = texts[length + 1 + about] = 0;
  }
  HostFunction *f = texts ? function_new(texts, texts + length + 1) : NULL;
  free(texts);
  uint32_t number = api_of(vm)->nfunctions - 1;
  if (f) set_call(f, &call);
  else if (call.finalize) call.finalize(call.context);
  if (!f) api_refuse(why, "there is no memory for the functions of the host");
  return (api_of(vm)->functions[number] = f) != NULL;
}

/* A place behind the last one. */
static bool add_place(ox_VM *vm) {
  Api *api = api_of(vm);
  uint32_t free_number = function_number(vm);
  if (free_number == UINT32_MAX || free_number == api->nfunctions - 1)
    return free_number != UINT32_MAX;
  return false;
}

bool api_take_functions(ox_VM *vm, NotesReader *r, const ox_ImageFunction *given, bool *taken,
                        Refusal *why) {
  uint32_t count = read_number(r);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t role = read_number(r);
    if (r->bad) return api_refuse(why, "its notes are damaged"), false;
    if (!add_place(vm))
      return api_refuse(why, "there is no memory for the functions of the host"), false;
    if (role && !take_function(vm, role, r, given, taken, why)) return false;
  }
  vm->finalize_extra = finalize_native;
  return true;
}

/* ---- forks ----------------------------------------------------------------------------------- */

bool api_fork_functions(ox_VM *vm, ox_VM *child) {
  const Api *api = api_of(vm);
  Api *own = api_of(child);
  child->finalize_extra = vm->finalize_extra;
  if (!api->nfunctions) return true;
  own->functions = malloc(api->nfunctions * sizeof *own->functions);
  if (!own->functions) return false;
  child->host_natives = own->functions;
  child->nhost_natives = own->nfunctions = own->functions_cap = api->nfunctions;
  for (uint32_t i = 0; i < api->nfunctions; i++) {
    HostFunction *f = own->functions[i] = api->functions[i];
    if (f) __atomic_add_fetch(&f->users, 1, __ATOMIC_RELAXED);
  }
  return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

void api_free_host(Api *api) {
  for (uint32_t i = 0; i < api->nfunctions; i++) function_free(api, i);
  free(api->functions);
  api_free_types(api);
}
