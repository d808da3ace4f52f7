/* run.h - a virtual machine from the outside of runtime/: making one, loading texts, running them,
 * telling what went wrong. The C API (api.c) and the tests use it; programs reach it through
 * them. */
#ifndef OX_RUNTIME_RUN_H
#define OX_RUNTIME_RUN_H

#include "vm.h"

/* Finds the text of the module at `path` (resolved, with its ending): from malloc, freed by the VM;
 * NULL: there is none. */
typedef char *(*VmLoad)(void *ctx, const char *path, size_t *len);

typedef struct VmConfig {
  uint64_t cage_bytes;   /* address space, 0: 4 GiB */
  uint64_t limit_bytes;  /* hard limit of the heap, 0: the cage */
  bool gc_stress;        /* collect at every allocation */
  uint64_t gc_stress_seed; /* with it: at random ones instead, see gc_set_stress_seed; 0: no */
  GcMode gc_mode;
  uint32_t heap_percent; /* see GcConfig */
  uint64_t memory_goal;
  bool snapshot_stress;  /* take a snapshot at every poll, and forbid stores without a barrier */
  uint64_t max_stack;    /* registers per fiber, 0: 1 << 20 */
  uint64_t fuel;         /* calls and loop turns in all, 0: no budget */
  void (*write)(void *ctx, const char *bytes, size_t n); /* NULL: stdout, buffered */
  void (*write_error)(void *ctx, const char *bytes, size_t n); /* NULL: standard error */
  void *write_ctx;
  bool write_lines;    /* output is not kept back beyond the end of a line */
  VmLoad load;           /* NULL: the file system */
  void *load_ctx;
  int argc;
  char **argv;           /* must outlive the VM */
} VmConfig;

/* NULL: the system refused memory or address space. config may be NULL. */
ox_VM *vm_new(const VmConfig *config);
/* A VM around the content of another one's cage, which was taken while no program ran; config's
 * cage_bytes is not looked at. Nothing is allocated. The caller sees to what the content refers to
 * outside of the cage: foreign handles, the host's functions, the message of st->oom_error. */
ox_VM *vm_new_around(const VmConfig *config, const GcContent *content);
void vm_forget(ox_VM *vm); /* vm_free for a content that nobody may touch: nothing is finalized */
void vm_free(ox_VM *vm); /* flushes, runs finalizers */

typedef enum VmStatus {
  VM_OK,
  VM_SYNTAX,      /* compile errors, here or in an imported file: see the text */
  VM_INCOMPLETE,  /* the same because the text ends too early */
  VM_THROWN,      /* an error is pending in the VM: error_take */
} VmStatus;

/* Text from malloc that grows; data is NUL-terminated, or NULL when nothing was added. Zero it
 * before use. On lack of memory `failed` is set and the rest is dropped. */
typedef struct VmText { char *data; size_t len, cap; bool failed, colour; } VmText;
void vm_text_add(void *text, const char *bytes, size_t n); /* a DiagWrite */
void vm_text_free(VmText *text);

/* The first diagnostic of a text that did not compile, for those who want the place as numbers. */
typedef struct VmPlace { char file[256]; char message[512]; int line, column; } VmPlace;

/* Compiles a program and everything it imports by literal paths; nothing runs. `name` is what
 * reports call it; relative imports start at the folder of `path` (NULL: the current folder).
 * *module gets a Module (rooted), to be run by vm_run. `diags` gets the compile errors as text;
 * `first` may be NULL. */
VmStatus vm_load(ox_VM *vm, const char *name, const char *path, const char *text, size_t len,
                 Value *module, VmText *diags, VmPlace *first);
/* The same, but gives the program's top level as a function that runs it anew at each call, and
 * returns the value of a final expression statement. Rooted. */
VmStatus vm_compile(ox_VM *vm, const char *name, const char *path, const char *text, size_t len,
                    Value *function, VmText *diags, VmPlace *first);
/* The same for a file: VM_THROWN with ERR_IMPORT or ERR_IO pending if it cannot be read. */
VmStatus vm_load_file(ox_VM *vm, const char *path, Value *module, VmText *diags, VmPlace *first);
/* Runs a loaded module's top level once. VM_OK or VM_THROWN. */
VmStatus vm_run(ox_VM *vm, Value module);
/* Compiles and runs a piece of a session: its top-level declarations are globals. *result: the
 * value of a final expression statement, else nil (rooted). */
VmStatus vm_eval(ox_VM *vm, const char *name, const char *text, size_t len, Value *result,
                 VmText *diags, VmPlace *first);
/* A module as `import` would find it, from the current folder: is_file for "lib/x", else "math".
 * Runs it if it has not run. *module rooted. */
VmStatus vm_import(ox_VM *vm, const char *name, bool is_file, Value *module, VmText *diags);
/* Compiles only, and writes the bytecode as text. */
VmStatus vm_disassemble(ox_VM *vm, const char *name, const char *text, size_t len, VmText *out,
                        VmText *diags);

/* Globals of the session: index, or -1. global_define gives -1 only with an error pending. */
int global_find(ox_VM *vm, const char *name, size_t len, bool *is_const);
int global_define(ox_VM *vm, const char *name, size_t len, bool is_const);
Value global_get(ox_VM *vm, int index);  /* V_ABSENT: declared, without a value yet */
void global_set(ox_VM *vm, int index, Value v);

/* ---- uncaught errors ---- */

/* Everything about a thrown value for people: place, source line with caret, hint, trace. Takes no
 * part in error handling: errors inside (a failing `str`) are swallowed. */
void error_report(ox_VM *vm, Value thrown, VmText *out);
/* A piece of a trace: innermost is 0. False: no such frame. Texts live as long as the error does,
 * or until the next throw of a value that is no Error. */
typedef struct TraceFrame { const char *function, *file; int line, column; } TraceFrame;
bool error_frame(ox_VM *vm, Value thrown, int index, TraceFrame *out);
/* Writes the message of a thrown value: an Error's message, else the value as text. */
void error_message(ox_VM *vm, Value thrown, VmText *out);

/* Makes the running program throw ERR_INTERRUPT soon. Safe from other threads and signal
 * handlers. */
void vm_interrupt(ox_VM *vm);
/* The hard limit of the heap and what counts with it, in bytes; 0: the address space. */
void vm_set_memory_limit(ox_VM *vm, uint64_t bytes);
/* Fuel: polls left, 0: no budget. */
void vm_set_fuel(ox_VM *vm, uint64_t fuel);
uint64_t vm_fuel_left(ox_VM *vm);
/* Nothing is left of it, whoever held it. */
void vm_no_fuel(ox_VM *vm);
void vm_end_budget(ox_VM *vm); /* the same, and the error is pending */

#endif
