/* api.h - what the files of the C API share. The API's own state of a VM hangs on vm->api.
 *
 * ox_Value and Value have the same bits; OX_NONE is V_ABSENT. Between calls from the host no
 * error is pending in the VM: a call that fails takes it and keeps it for ox_error. The one
 * exception is ox_throw and its kin, which leave the error pending for the native function to
 * return. */
#ifndef OX_RUNTIME_API_H
#define OX_RUNTIME_API_H

#include "fork.h"
#include "oxbow.h"
#include "run.h"
#include "str.h"

/* Places in VmState.spare. 0 bits until first used. */
enum { API_THROWN = 8, API_PINS, API_TYPES };

typedef struct HostFunction HostFunction;
typedef struct HostType HostType;

enum { DENIED_ROOM = 40 };

typedef struct Api {
  ox_Config config;
  const char *denied[DENIED_ROOM]; /* what the capabilities leave out; NULL at the end */
  uint32_t depth;          /* calls from the host into the VM that have not returned */
  const char *running;     /* name of the native function of the host that runs, or NULL */
  uint64_t failures;       /* counted, so that a native function's own are told from older ones */
  bool stopping;           /* an uncatchable stop is on its way out through native functions */
  /* the last failure */
  bool failed, described;
  ox_Error error;          /* all fields but status are set when described */
  VmText report, message;
  VmPlace place;
  ox_Frame *frames;
  /* functions of the host */
  HostFunction **functions;
  uint32_t nfunctions, functions_cap;
  HostType *types;         /* foreign types met, a list; the newest first */
  uint32_t npins;          /* different values pinned: entries in the table at API_PINS */
  uint64_t pinned;         /* times pinned, in all */
  /* kept by the checks of debug builds only, see api_check.c */
  uintptr_t owner;         /* the thread inside; 0: none */
  uint32_t inside;         /* its calls that have not returned */
  uint32_t *scopes, nscopes, scopes_cap; /* open scopes, and from which on they are the running */
  uint32_t scopes_from, closes;          /* native function's */
} Api;

static inline Api *api_of(ox_VM *vm) { return (Api *)vm->api; }
static inline Value in(ox_Value v) { return v.bits; }
static inline ox_Value out_of(Value v) { return (ox_Value){v}; }

/* Whether OX_NONE is among the arguments, they are NULL, or their number is negative. */
static inline bool api_any_none(int64_t count, const ox_Value *values) {
  if (count > 0 && !values) return true;
  for (int64_t i = 0; i < count; i++)
    if (in(values[i]) == V_ABSENT) return true;
  return count < 0;
}

/* Every call that may run programs or fail begins with api_enter and ends with api_leave, which
 * takes a pending error, drops the temporary roots made since but for the result, and flushes
 * output when the outermost call returns. `result` V_ERROR means failure; `result` may be NULL. */
uint32_t api_enter(ox_VM *vm);
ox_Status api_leave(ox_VM *vm, uint32_t mark, Value value, ox_Value *result);
/* The same, for a failure that is no throw. */
ox_Status api_leave_failed(ox_VM *vm, uint32_t mark, ox_Status status, ox_Value *result);

/* A value just made, or OX_NONE with the failure recorded. For calls that run no program. */
ox_Value api_made(ox_VM *vm, Value v);
/* Records that a rule of the header was broken; gives OX_MISUSE. `rule` is a constant text. */
ox_Status api_misuse(ox_VM *vm, const char *rule);
/* The same, for functions with a result: *result = OX_NONE unless it is NULL. */
ox_Status api_misused(ox_VM *vm, const char *rule, ox_Value *result);
/* The same, the message beginning with the function's name. */
ox_Status api_misuse_in(ox_VM *vm, const char *function, const char *rule);
ox_Status api_not_found(ox_VM *vm, const char *what, const char *name);
/* Takes the pending error for ox_error; gives its status. */
ox_Status api_take(ox_VM *vm);

bool api_is_name(const char *text);

/* What a function of the host is for. */
typedef enum HostRole { ROLE_FUNCTION, ROLE_METHOD, ROLE_GET, ROLE_SET, ROLE_INIT } HostRole;

/* What a function of the host is made of; see ox_function. type: unless it is a ROLE_FUNCTION. */
typedef struct HostCall {
  ox_Function function;
  void *context;
  void (*finalize)(void *context);
  HostRole role;
  const HostType *type;
} HostCall;
/* A Native; takes the context over, also on failure. Rooted. V_ERROR: pending. */
Value api_function(ox_VM *vm, const char *signature, const char *doc, const HostCall *call);
/* A VM made by `make` from a configuration, with the API's state. NULL: `make` gave NULL, or the
 * configuration is none that this library knows. */
ox_VM *api_new(const ox_Config *config, ox_VM *(*make)(void *ctx, const VmConfig *config),
               void *ctx);

/* ---- images (api_image.c): what the host gave to a VM, as bytes ---- */
typedef struct NotesReader { const uint8_t *at, *end; bool bad; } NotesReader;
void note_number(VmText *notes, uint32_t n);
void note_text(VmText *notes, const char *text);
uint32_t read_number(NotesReader *r);
/* Not ended by NUL; *length is within the notes. */
const char *read_text(NotesReader *r, uint32_t *length);
/* Room for why a VM cannot be made, see ox_image_open. */
typedef struct Refusal { char text[512]; } Refusal;
void api_note_types(Api *api, VmText *notes);
void api_note_functions(Api *api, VmText *notes);
/* The same types and functions get the same numbers again. False: one is missing, or the notes are
 * damaged. */
bool api_take_types(Api *api, NotesReader *r, const ox_ForeignType *const *types, Refusal *why);
bool api_take_functions(ox_VM *vm, NotesReader *r, const ox_ImageFunction *functions, bool *taken,
                        Refusal *why);
const HostType *api_type_numbered(const Api *api, uint32_t number);
uint32_t api_type_number(const HostType *type);
/* The function of a type's method, property or init by its role and its signature as the function
 * has it; NULL: there is none. */
ox_Function api_type_function(const HostType *type, HostRole role, const char *signature,
                              size_t length);
void api_refuse(Refusal *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The object in `self` if that is of type `t`; else NULL, with an error pending. */
void *api_self(ox_VM *vm, ox_Value self, const HostType *t, const char *method);

/* After a rollback: counts the pins that the state has. */
void api_recount_pins(ox_VM *vm);
/* ---- structures that hosts have filled in: they begin with their size ---- */

/* False: there is no room even for the size; the host is told. */
bool api_has_room(ox_VM *vm, const char *function, const void *structure);
/* Copies as much of `all` as the structure has room for, and sets its size to that. */
void api_fill(void *structure, const void *all, size_t size);

/* ---- checks (api_check.c) ---- */

/* A rule is broken. Debug builds say so and abort, others give OX_MISUSE as above. */
ox_Status api_broken(ox_VM *vm, const char *function, const char *rule, ox_Value *result);

#ifdef OX_DEBUG
typedef struct ApiCall { Api *api; } ApiCall;
_Noreturn void api_abort(const char *function, const char *rule);
ApiCall api_call_begin(ox_VM *vm, const char *function);
void api_call_end(ApiCall *call);
void api_check_value(ox_VM *vm, const char *function, ox_Value value);
void api_check_values(ox_VM *vm, const char *function, int64_t count, const ox_Value *values);
void api_scope_opened(ox_VM *vm, uint32_t scope);
void api_scope_closing(ox_VM *vm, const char *function, uint32_t scope);
void api_scope_closed(ox_VM *vm);
/* First in each function that a host calls with a VM: a fork begins to be used. */
#define API_CALL(vm) \
  __attribute__((cleanup(api_call_end), unused)) ApiCall api_call = api_call_begin(vm, __func__)
#define API_RULE_OF(name, condition, rule) ((condition) ? (void)0 : api_abort(name, rule))
#define API_RULE(condition, rule) API_RULE_OF(__func__, condition, rule)
#define API_VALUE(vm, value) api_check_value(vm, __func__, value)
#define API_VALUES(vm, count, values) api_check_values(vm, __func__, count, values)
#define API_SCOPE_OPENED(vm, scope) api_scope_opened(vm, scope)
#define API_SCOPE_CLOSING(vm, scope) api_scope_closing(vm, __func__, scope)
#define API_SCOPE_CLOSED(vm) api_scope_closed(vm)
#else
#define API_CALL(vm) ((vm)->asleep ? vm_wake(vm) : (void)0)
#define API_RULE_OF(name, condition, rule) ((void)0)
#define API_RULE(condition, rule) ((void)0)
#define API_VALUE(vm, value) ((void)0)
#define API_VALUES(vm, count, values) ((void)0)
#define API_SCOPE_OPENED(vm, scope) ((void)0)
#define API_SCOPE_CLOSING(vm, scope) ((void)0)
#define API_SCOPE_CLOSED(vm) ((void)0)
#endif

/* What a fork shares with the VM that it comes from. */
bool api_fork_functions(ox_VM *vm, ox_VM *child);
void api_fork_types(const Api *api, Api *own);
bool api_fork(ox_VM *vm, ox_VM *child); /* all of it: api_fork.c */
void api_free(ox_VM *vm);

/* Frees the host's functions and types, after the heap is gone. */
void api_free_host(Api *api);
void api_free_types(Api *api);

#endif
