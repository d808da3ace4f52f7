/* vm.h - the state of one virtual machine.
 *
 * VmState lies in the cage (its root area: scanned as values, copied by forks, undone by
 * rollbacks); ox_VM lies outside and holds what must not be carried along: host pointers,
 * callbacks, handles.
 *
 * Rooting rule for C code: every object made by a *_new function is pushed on the temporary roots
 * and stays alive until the native function returns (or the host's scope closes); what is reachable
 * from the arguments stays alive as long as it stays reachable. A value taken *out* of a container
 * which is then changed must be pushed by hand: vm_root. Loops that make very many objects cut the
 * roots back with vm_roots_mark / vm_roots_reset once the new object is stored somewhere reachable.
 *
 * Error rule: a function that can fail returns V_ERROR (= V_ABSENT), false or NULL with an error
 * pending in the VM (vm->st->error); the caller returns at once. No longjmp anywhere. */
#ifndef OX_RUNTIME_VM_H
#define OX_RUNTIME_VM_H

#include <stdio.h>
#include "object.h"

typedef struct ox_VM ox_VM;

/* Methods that operators look up; interned names kept in VmState.op_names. OPM(ENUM, "name") */
#define OP_METHODS(OPM) \
  OPM(ADD, "+") OPM(SUB, "-") OPM(MUL, "*") OPM(DIV, "/") OPM(IDIV, "//") OPM(MOD, "%") \
  OPM(POW, "**") OPM(MATMUL, "@") OPM(BAND, "&") OPM(BOR, "|") OPM(BXOR, "^") OPM(SHL, "<<") \
  OPM(SHR, ">>") OPM(EQ, "==") OPM(LT, "<") OPM(LE, "<=") OPM(GT, ">") OPM(GE, ">=") \
  OPM(INDEX, "[]") OPM(SET_INDEX, "[]=") OPM(BNOT, "~") OPM(NEG, "neg") OPM(CALL, "call") \
  OPM(IN, "in") OPM(LEN, "len") OPM(ITER, "iter") OPM(HASH, "hash") OPM(STR, "str") \
  OPM(INIT, "init") OPM(FIELDS, "%fields")
typedef enum OpMethod {
#define OPM(e, s) OPM_##e,
  OP_METHODS(OPM)
#undef OPM
  OPM_COUNT
} OpMethod;

/* Names of builtin fields; interned in VmState.props. */
#define BUILTIN_FIELDS(X) \
  X(CLASS, "class") X(NAME, "name") X(DOC, "doc") X(MESSAGE, "message") X(DATA, "data") \
  X(TRACE, "trace") X(KIND, "kind") X(DONE, "done") X(START, "start") X(END, "end") \
  X(INCLUSIVE, "inclusive")
typedef enum BuiltinField {
#define X(e, s) PROP_##e,
  BUILTIN_FIELDS(X)
#undef X
  PROP_COUNT
} BuiltinField;
/* The names that op_names and props have. */
extern const char *const vm_op_names[], *const vm_prop_names[];

typedef struct VmState {
  uint64_t fuel;            /* polls left until vm_poll; lies first: `decq; je` */
  uint64_t stack_end;       /* offset in bytes of the end of the running stack's usable registers */
  uint64_t base;            /* word index of R while the interpreter is in a slow path or in C */
  uint64_t pc; /* 32-bit-unit offset of the instruction after the current one, likewise */
  Value fiber;              /* the running Fiber */
  Value error;              /* pending error, V_ABSENT if none */
  Value core;               /* Store: values of the core names, by index */
  Value globals;            /* List: REPL and host globals, by index */
  Value global_names;       /* Map: name -> index (negative - 1: const) */
  Value modules;            /* Map: resolved path or "std:NAME" -> Module */
  Value strings;            /* Store: the directory of the intern table (weak: intern.c) */
  uint64_t strings_used, strings_depth;
  Value oom_error;          /* made at start, thrown when memory is out */
  Value stub;               /* Closure: its code is EXIT and RET 0..255; lies below every stack */
  Value empty_string;
  Value kind_class[32];     /* by Kind and for numbers: see vm_class_of; nil until built */
  Value op_names[OPM_COUNT];
  Value bytes1[256];        /* the one-byte strings */
  uint64_t hash_seed;
  uint64_t rng[4];          /* the default random generator (small words: see random.c) */
  uint64_t extra;           /* registers in use above the running function's own (call.c) */
  Value exit_value;         /* what a call from C returned */
  Value thrown_trace;       /* trace of the last thrown value that is no Error, or nil */
  Value props[PROP_COUNT];
  Value prelude;            /* its Module, nil before it is needed */
  Value yielded, then;      /* of a native that asks to suspend (ox_VM.suspending) */
  uint64_t next_cache;      /* first unused inline cache */
  uint64_t hold_depth;      /* transactions that hold back output (output.c) */
  Value held;               /* Bytes: what they have written, or nil */
  uint64_t held_len, held_lost;
  uint64_t snapshot_handles; /* ref of the first snapshot's handle, 0: none; weak: snapshot_life.c */
  Value spare[64];          /* 0: foreign.c, 8..10: api.h, 12..14: vm.c, 40..63: lib/lib.h */
} VmState;
_Static_assert(sizeof(VmState) <= GC_ROOT_BYTES, "the root area must hold it");
enum { CLASS_OF_NIL = 24, CLASS_OF_BOOL, CLASS_OF_INT, CLASS_OF_FLOAT }; /* in kind_class */

typedef struct Handle {
  void *ptr; const void *type;
  uint64_t bytes;            /* charged to the heap's limit on its behalf */
  uint32_t next_free;
  bool left;                 /* it stayed with the interpreter that this one was forked from */
} Handle;

/* A budget that a program and its tasks draw on: fork.c. */
typedef struct FuelPool FuelPool;

/* The strings interned since the last collection, as slots of the table: a minor one has to look for
 * dead ones among them alone. Of no meaning unless `known`. And how far the dead have been looked for
 * since the last one: up to entry `at` of the `before` first, up to a hash. */
typedef struct NewStrings {
  uint64_t *slots;
  uint64_t count, capacity;
  uint64_t at, before, hash;
  bool known;
  bool at_once;  /* what is not marked is dead, and nothing of it was swept yet */
  bool has_long; /* one that no slab has room for */
} NewStrings;

/* Words of a block that C code writes to without a barrier while programs may run in between (in a
 * method called back): a snapshot opens them again at once. In a list, innermost first. */
typedef struct Borrow { uint64_t word, n; struct Borrow *next; } Borrow;

struct ox_VM {
  Gc *gc;
  uint8_t *cage;             /* base of the cage */
  VmState *st;               /* cage + GC_ROOT_OFF */
  Value *roots; uint32_t nroots, roots_cap;  /* temporary roots */
  Handle *handles; uint32_t nhandles, handles_cap, free_handle;
  NewStrings new_strings;    /* intern.c */
  uint32_t c_depth;          /* nested calls from C into the interpreter */
  uint64_t run, runs;        /* serial number of the innermost of them, 0: none; of the last one */
  uint32_t run_depth;        /* how many there are: more than c_depth where C calls C */
  uint64_t crossings;        /* rollbacks into the state of another run: snapshot.c */
  Borrow *borrowed;
  bool snapshot_stress;      /* for tests: a snapshot at every poll */
  GcSnapshot stress_last;
  struct SnapshotLife *snapshot_life; /* which snapshots are needed, NULL: there was none */
  uint32_t max_c_depth;      /* default 180 */
  uint64_t max_stack;        /* registers per fiber, default 1 << 20 */
  uint64_t fuel_limit;       /* 0: none; else instructions-polls left in all */
  int interrupt;             /* set by ox_interrupt from anywhere: atomic */
  bool log_short;            /* the next poll throws for want of memory for the log of snapshots */
  bool unwinding_uncatchable;/* interrupt or fuel: scripts cannot catch it */
  /* output and input */
  void (*write)(void *ctx, const char *bytes, size_t n); void *write_ctx; /* NULL: stdout */
  void (*write_error)(void *ctx, const char *bytes, size_t n);            /* NULL: stderr */
  char *out; size_t out_len, out_cap; bool write_lines;  /* buffer of standard output */
  /* program arguments (os.args) */
  int argc; char **argv;
  const void *host_natives; uint32_t nhost_natives; /* see native.h */
  void *loader;              /* import.c: search paths, host loader */
  uint64_t start_ns;
  Value callee;              /* the Native whose C function runs */
  const char *caller;        /* who is about to call from C, for an arity error; NULL: not said */
  Value entry_fiber;         /* the fiber in which the innermost interp_run began: cannot yield */
  bool suspending;           /* the native that returns V_ERROR suspends its fiber: fiber_suspend */
  void (*mark_extra)(Gc *gc, ox_VM *vm); /* the API's roots; may be NULL */
  void (*finalize_extra)(ox_VM *vm, Ref object); /* for objects that are not Foreign; may be NULL */
  void (*restored)(ox_VM *vm); /* after a rollback, for state of the API beside the cage, or NULL */
  void *api;                 /* the API's own state */
  const char *const *denied; /* what the host forbids, NULL at the end: "process", "fs.write",
                                "import" (of files); or NULL */
  bool exiting; int exit_code; /* os.exit was called: unwinds like an interrupt */
  bool fuel_limited;         /* fuel_limit counts */
  uint64_t fuel_given;       /* what it was at first */
  FuelPool *fuel_pool;       /* more of it, shared with tasks; or NULL */
  uint64_t fuel_budgets;     /* how many were given */
  bool (*fork_api)(ox_VM *vm, ox_VM *child); /* makes the API's state of a fork; may be NULL */
  void (*free_api)(ox_VM *vm); /* when the heap is gone; may be NULL */
  bool asleep;               /* a fork that nobody has used yet: vm_wake comes first (fork.c) */
  uint64_t born_caches;      /* of a fork: inline caches that it has from its parent; else 0 */
  bool is_task;              /* runs on a thread of its own behind the host's back */
  struct Family *family;     /* what it shares with its tasks, NULL: nothing yet (task.c) */
  struct Tasks *tasks;       /* started by this VM, NULL: none yet (task.c) */
  uint32_t max_tasks;        /* at once; 0: the default */
  bool shared_functions;     /* functions of the host may be called by several threads at once */
};

static inline uint64_t vm_run_begin(ox_VM *vm) { /* gives what vm_run_end wants */
  uint64_t outer = vm->run;
  vm->run = ++vm->runs;
  vm->run_depth++;
  return outer;
}
static inline void vm_run_end(ox_VM *vm, uint64_t outer) {
  vm->run = outer;
  vm->run_depth--;
}

static inline ox_VM *vm_of(uint8_t *cage) { return (ox_VM *)gc_host(cage)->embedder; }

/* ---- temporary roots ---- */
bool vm_root_slow(ox_VM *vm, Value v);
static inline bool vm_root(ox_VM *vm, Value v) { /* false: out of memory, error pending */
  if (vm->nroots == vm->roots_cap) return vm_root_slow(vm, v);
  vm->roots[vm->nroots++] = v;
  return true;
}
static inline uint32_t vm_roots_mark(ox_VM *vm) { return vm->nroots; }
static inline void vm_roots_reset(ox_VM *vm, uint32_t mark) { vm->nroots = mark; }

/* ---- allocation for C code: a block with its header written, or NULL with the OOM error pending.
 * The caller fills every value word before the next allocation. Not rooted (the *_new functions
 * root what they return). ---- */
void *vm_alloc(ox_VM *vm, uint64_t words, Kind kind, uint8_t layout, uint16_t n, uint32_t aux);
Store *store_new(ox_VM *vm, uint64_t cap); /* all nil; unrooted */
Bytes *bytes_new(ox_VM *vm, uint64_t len); /* zeroed; unrooted */
static inline void *vm_deref(ox_VM *vm, Value v) { return v_ptr(vm->cage, v); }

/* ---- memory outside of the heap that belongs to objects or to a running builtin: it counts
 * against the VM's limit, and asking for it may collect. NULL, nothing pending: there is none. `p`
 * may be NULL. vm_release needs no VM, so that finalizers can call it. ---- */
void *vm_malloc(ox_VM *vm, size_t n);
void *vm_realloc(ox_VM *vm, void *p, size_t n);
void vm_release(void *p);

/* Bytes a second since the VM began. */
double vm_allocation_rate(ox_VM *vm, const GcStats *stats);

/* ---- errors (error.c). The kinds: errors.def. All return V_ERROR. ---- */
typedef enum ErrorKind {
#define ERR(e, name) ERR_##e,
#include "errors.def"
#undef ERR
} ErrorKind;
Value vm_throw(ox_VM *vm, ErrorKind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
Value vm_throw_value(ox_VM *vm, Value v);
Value vm_throw_oom(ox_VM *vm);
Value error_new(ox_VM *vm, ErrorKind kind, Value message, Value data); /* rooted */
Value error_trace_list(ox_VM *vm, Value error);  /* e.trace: list of {fn, file, line}; rooted */
bool error_pending(ox_VM *vm);
Value error_take(ox_VM *vm);                      /* clears it */

/* ---- calling (interp.c / call.c) ---- */
/* Calls any callable from C. V_ERROR on a throw (pending). The result is rooted. Deep nesting of
 * C calls throws "stack overflow". `args` may not point into the stack. */
Value vm_call(ox_VM *vm, Value fn, int nargs, const Value *args);
/* The same for the builtin called `caller`, named if `fn` does not take that many arguments. */
Value vm_call_for(ox_VM *vm, const char *caller, Value fn, int nargs, const Value *args);
/* The method `name` (String value) of any receiver, V_ABSENT if there is none (no error). */
Value vm_find_method(ox_VM *vm, Value receiver, Value name);
Value vm_class_of(ox_VM *vm, Value v); /* Class of any value; builtin classes made on demand */
/* Calls operator method `m` of instance v if its class has it: V_ABSENT with no error pending if
 * not. */
Value vm_call_op(ox_VM *vm, Value v, OpMethod m, int nargs, const Value *args);
bool vm_has_op(ox_VM *vm, Value v, OpMethod m);
/* To be called by long loops in C once per ~1000 steps: fuel, interrupt. False: error pending. */
bool vm_poll(ox_VM *vm, uint64_t steps);
/* For C code that goes over so many bytes at once, which is quick for each: 256 bytes are a step.
 * Cannot fail: the next poll looks at it. What is charged must not depend on the state of the heap
 * or on what ran before, so nothing is charged where blocks are allocated, but for strings, and for
 * collections at the memory limit that gain next to nothing: else a program that catches each error
 * and goes on would have the heap marked every few steps. */
void vm_charge_steps(ox_VM *vm, uint64_t steps);
static inline void vm_charge(ox_VM *vm, uint64_t bytes) {
  if (bytes >= 1024) vm_charge_steps(vm, bytes / 256);
}

/* Loops over bytes: `uint64_t next = VM_WORK;` before, and at position i in them
 * `if (!vm_poll_at(vm, i, &next)) fail`. */
enum { VM_WORK = 1 << 16, VM_WORK_STEP = 256 };
static inline bool vm_poll_at(ox_VM *vm, uint64_t i, uint64_t *next) {
  if (i < *next) return true;
  *next = i + VM_WORK;
  return vm_poll(vm, VM_WORK / VM_WORK_STEP);
}

/* False, error pending: the host forbids `what`, a module or a function as in vm->denied. */
bool vm_allows(ox_VM *vm, const char *what);

/* ---- output ---- */
void vm_write(ox_VM *vm, const char *bytes, size_t n);
void vm_flush(ox_VM *vm);

/* ---- types ---- */
const char *vm_type_name(ox_VM *vm, Value v); /* "int", "list", or the class's name; short-lived */

#endif
