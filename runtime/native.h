/* native.h - how functions written in C are defined: with their signature and their doc string,
 * in one table per module. REPL help, completion, docs/reference.md and the arity checks read
 * the tables.
 *
 * A native gets its arguments in `args` (self first for methods). Arguments that were left out
 * but have a default in the signature are V_ABSENT; `nargs` counts those given, or the whole
 * parameter list when any named argument was used; for fixed signatures args always has room for
 * all parameters and the missing ones are V_ABSENT. `args` points into the stack: it is invalid
 * after vm_call. Returns a value, or V_ERROR with an error pending.
 *
 * Signature grammar: "name(a, b = nil, ...rest)"; parameters with `=` are optional; a method's
 * signature starts with its self: "push(self, value)". The text after `->` is free: "len(x) ->
 * int". */
#ifndef OX_RUNTIME_NATIVE_H
#define OX_RUNTIME_NATIVE_H

#include "vm.h"

typedef Value (*NativeFn)(ox_VM *vm, Value *args, int nargs);

/* DEF_MEMBER: of a module that is written in Oxbow, where it is defined. */
typedef enum DefKind { DEF_FN, DEF_NUMBER, DEF_SCRIPT, DEF_SPECIAL, DEF_MEMBER } DefKind;
typedef struct NativeDef {
  const char *name;
  const char *signature;
  const char *doc;
  DefKind kind;
  NativeFn fn;          /* DEF_FN; DEF_SPECIAL: fallback when called where it cannot be special */
  double number;        /* DEF_NUMBER: a constant */
  const char *script;   /* DEF_SCRIPT: name of the function in lib/prelude.oxb that implements it */
  int special;          /* DEF_SPECIAL: SPECIAL_*: handled by the interpreter itself */
} NativeDef;
#define NATIVE(name, fn, sig, doc) {name, sig, doc, DEF_FN, fn, 0, NULL, 0}
#define NATIVE_NUMBER(name, x, doc) {name, name, doc, DEF_NUMBER, NULL, x, NULL, 0}
#define NATIVE_SCRIPT(name, script, sig, doc) {name, sig, doc, DEF_SCRIPT, NULL, 0, script, 0}
#define NATIVE_SPECIAL(name, id, fn, sig, doc) {name, sig, doc, DEF_SPECIAL, fn, 0, NULL, id}

enum { SPECIAL_NONE, SPECIAL_FIBER_NEXT, SPECIAL_FIBER_SEND,
       SPECIAL_SNAPSHOT, SPECIAL_RESTORE };

typedef struct ModuleDef {
  const char *name;          /* "math"; "" for the core names; tables of methods have `type` set */
  const char *doc;
  const NativeDef *defs;
  int ndefs;
  int type;                  /* -1, or the kind_class index whose methods these are */
  bool (*init)(ox_VM *vm, Value exports); /* adds members to a Map name -> value; may be NULL */
} ModuleDef;

/* All tables, in a fixed order (registry.c). A native's number is table << 10 | index. */
extern const ModuleDef *const native_tables[];
extern const int native_table_count;
enum { NATIVE_INDEX_BITS = 10, NATIVE_HOST = 1 << 30 }; /* from here on: functions of the host */
static inline const NativeDef *native_def(ox_VM *vm, uint32_t number) {
  if (__builtin_expect(number >= NATIVE_HOST, 0))
    return ((const NativeDef *const *)vm->host_natives)[number - NATIVE_HOST];
  return &native_tables[number >> NATIVE_INDEX_BITS]->defs[number & ((1 << NATIVE_INDEX_BITS) - 1)];
}
/* The function value for a definition: a Native, for DEF_SCRIPT too (a call of that goes to the
 * prelude's closure), or the number of a DEF_NUMBER. Rooted. */
Value native_value(ox_VM *vm, uint32_t number);
/* A Native from any definition. min, max and flags come from its signature: flags bits 0-7 count
 * the parameters behind a rest, which can only be given by name; they lie in args[nargs ...].
 * Rooted; V_ERROR if memory is out or the signature malformed. */
Value native_from_def(ox_VM *vm, const NativeDef *def, uint32_t number);
/* Index of the table of a module by name, or -1. */
int native_find_module(const char *name, size_t len);
/* The one module that has a function of that name; NULL where none or several have, or a type has
 * such a method. */
const char *native_module_with(const char *name, size_t len);
/* A built-in type that has such a method; NULL: none has. */
const char *native_type_with(const char *name);
/* The text of a module that is written in Oxbow (all its definitions are DEF_MEMBER), or NULL. */
const char *native_written_text(int table);
/* The table of helpers that only lib/prelude.oxb may import: they trust their arguments. */
int native_find_helpers(void);
bool natives_init(ox_VM *vm);             /* core Store; classes of builtin types are made lazily */
Value native_module(ox_VM *vm, int table);/* the Module object of a standard module */
/* A Module that has run, of a Map name -> value. Rooted. */
Value native_make_module(ox_VM *vm, Value name, Value members);

/* After an image was opened: os.args are the arguments of this process. */
void os_renew_args(ox_VM *vm);

/* ---- checking arguments: each throws a type error that names the function and parameter ---- */
static inline bool arg_given(Value *args, int i) { return args[i] != V_ABSENT; }
bool arg_int(ox_VM *vm, Value v, const char *what, int64_t *out);      /* no float, even if whole */
bool arg_number(ox_VM *vm, Value v, const char *what, double *out);
bool arg_index(ox_VM *vm, Value v, const char *what, uint64_t *out);   /* int >= 0 */
String *arg_string(ox_VM *vm, Value v, const char *what);              /* flat; NULL: pending */
bool arg_kind(ox_VM *vm, Value v, Kind kind, const char *what);
bool arg_callable(ox_VM *vm, Value v, const char *what);  /* no foreign object */
/* Whether a call of v goes anywhere; throws nothing. */
bool arg_is_callable(ox_VM *vm, Value v);
/* The value of the only option that `fn` knows, from its map of options; V_ABSENT: not given.
 * `example` shows a call with it. */
bool arg_option(ox_VM *vm, Value options, const char *fn, const char *name, const char *example,
                Value *out);
/* Index into a sequence of `len`: negative counts from the end; out of range throws. */
bool arg_element(ox_VM *vm, Value v, uint64_t len, const char *what, uint64_t *out);
/* Iterates any builtin iterable from C (list, range, map keys, set, fiber? no: lists only for
 * others): makes a list of the elements, running fibers and `iter` methods through the VM.
 * Rooted. */
Value list_from_iterable(ox_VM *vm, Value iterable, const char *what);

/* ---- foreign objects: pointers of C libraries and hosts ---- */
typedef struct ForeignType {
  const char *name;
  void (*finalize)(void *ptr);            /* may be NULL */
  const NativeDef *methods; int nmethods;
  int table;                              /* native table number of the methods */
  void (*restored)(void *ptr);            /* after a rollback; may be NULL */
  void *(*fork)(void *ptr);               /* the pointer in a fork, or NULL; may be NULL */
} ForeignType;
/* Takes ptr over, also on failure. Rooted. */
Value foreign_new(ox_VM *vm, const ForeignType *type, void *ptr);
/* The same with a class from foreign_build_class; V_ERROR as class: an error is pending. */
Value foreign_new_of(ox_VM *vm, const ForeignType *type, Value cls, void *ptr);
/* A class for objects of a type, with its methods. Rooted. */
Value foreign_build_class(ox_VM *vm, const ForeignType *type, Value name);
/* NULL: error pending. */
void *foreign_get(ox_VM *vm, Value v, const ForeignType *type, const char *what);
/* Makes all foreign objects of a cage that comes from an image what they are there: objects whose
 * pointer is gone for good, since it was another process's. */
void foreign_close_all(ox_VM *vm);
bool foreign_is_gone(ox_VM *vm, Value foreign);
/* Gives such an object a pointer again, which it takes over, also on failure (error pending). */
bool foreign_renew(ox_VM *vm, Value foreign, const ForeignType *type, void *ptr);
/* Gives the pointer to its type's finalizer and frees the handle: for the collector's finalize. */
void foreign_finalize(ox_VM *vm, Ref object);
/* After a rollback: tells the objects of the state. */
void foreign_restored(ox_VM *vm);
/* Whether the pointer stayed with the interpreter that this one was forked from. */
bool foreign_is_left(ox_VM *vm, Value v);
/* The pointer is no more: objects that have it are closed, nothing is finalized. */
void foreign_forget(ox_VM *vm, const void *ptr);
/* What kind of object it is, for messages; NULL: that is not known. */
const char *foreign_name(ox_VM *vm, Ref object);
/* The table of handles for a fork: pointers where the type gives one. False: no memory. */
bool foreign_fork(const ox_VM *vm, ox_VM *child);
/* At the end: of all that is left, which only snapshots of other time lines have. */
void foreign_finalize_all(ox_VM *vm);

#endif
