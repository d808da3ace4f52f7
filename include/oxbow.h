/* oxbow.h - everything a C or C++ program needs to run Oxbow programs inside itself.
 *
 *   #include <oxbow.h>
 *   #include <stdio.h>
 *
 *   int main(void) {
 *     ox_VM *vm = ox_new(NULL);
 *     ox_Value answer;
 *     if (ox_eval(vm, "6 * 7", 5, "example", &answer) == OX_OK)
 *       printf("%lld\n", (long long)ox_as_int(vm, answer));
 *     else
 *       fputs(ox_error(vm)->report, stderr);
 *     ox_free(vm);
 *   }
 *
 *   cc example.c -loxbow
 *
 * The rules that hold everywhere:
 *
 * Virtual machines. A VM is an interpreter with a heap of its own. A process may have any number of
 * them; they share nothing. A VM may be used from any thread, by one thread at a time; the host
 * sees to that. Only ox_interrupt may be called while another thread is inside the VM. Values of
 * one VM mean nothing to another.
 *
 * Errors. No function of this library exits, aborts or jumps over a caller. Functions that run
 * programs return an ox_Status; functions that make a value return OX_NONE when memory is out.
 * After either, ox_error says what happened. OX_NONE is never a value of a program; given as an
 * argument it makes the call fail with OX_MISUSE, so that a chain of calls may be checked once at
 * its end. An `out` parameter may be NULL where the result is not wanted, and is OX_NONE after a
 * failure.
 *
 * Lifetime of values. An ox_Value may be copied freely; objects never move. What a value refers to
 * is kept alive
 *   - inside a native function (ox_Function): until that function returns;
 *   - between ox_scope_open and ox_scope_close: until the scope closes;
 *   - outside of both: until ox_free. A host that runs for long opens a scope round each piece of
 *     work.
 * ox_pin keeps a value for longer. What can be reached from a living value lives, too.
 *
 * Text is UTF-8 with an explicit length; strings given out are also ended by a NUL byte, and may
 * contain others. Parameters of type `const char *` without a length are ended by NUL. The library
 * copies what it is given, unless a function says otherwise.
 *
 * Broken rules. What a release build notices anyway, such as NULL for a name, gives OX_MISUSE,
 * OX_NONE or nothing at all. A library built with -DOX_DEBUG (`make debug`) looks more closely, at
 * a price: it names the function and the rule on standard error and aborts, for NULL where
 * something must be, a structure without its size, two threads at once, a value of another VM or
 * one no longer kept alive, a scope closed twice, a call from a finalizer, ox_free of a VM that
 * runs, a number read from a string, a value unpinned too often.
 *
 * Structures that a host fills in begin with their size, so that they can grow in later versions
 * without breaking programs compiled before.
 */
#ifndef OXBOW_H
#define OXBOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OX_API __attribute__((visibility("default")))
#define OX_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define OX_API
#define OX_PRINTF(text, first)
#endif

#define OX_VERSION_MAJOR 0
#define OX_VERSION_MINOR 1
#define OX_VERSION_PATCH 0

/* ---- types ----------------------------------------------------------------------------------- */

typedef struct ox_VM ox_VM;

/* A value of a program: eight bytes, passed and returned by value. The bits are the VM's
 * business. */
typedef struct ox_Value {
  uint64_t bits;
} ox_Value;

typedef enum ox_Status {
  OX_OK = 0,
  OX_THROWN,      /* the program threw an error and did not catch it */
  OX_SYNTAX,      /* the text does not compile; nothing of it ran */
  OX_INCOMPLETE,  /* the same, because the text ends too early: a prompt asks for another line */
  OX_NO_MEMORY,   /* the VM's memory limit was reached and the program did not catch it */
  OX_NO_FUEL,     /* the budget was used up (ox_set_fuel); programs cannot catch this */
  OX_INTERRUPTED, /* ox_interrupt was called; programs cannot catch this */
  OX_EXITED,      /* the program called os.exit: see ox_exit_code */
  OX_NOT_FOUND,   /* no such file, global or member */
  OX_MISUSE       /* a rule of this header was broken: OX_NONE as argument, wrong type of value */
} ox_Status;

typedef enum ox_Type {
  OX_TYPE_NONE = 0, /* OX_NONE: no value at all */
  OX_TYPE_NIL,
  OX_TYPE_BOOL,
  OX_TYPE_INT,
  OX_TYPE_FLOAT,
  OX_TYPE_STRING,
  OX_TYPE_LIST,
  OX_TYPE_MAP,
  OX_TYPE_SET,
  OX_TYPE_RANGE,
  OX_TYPE_FUNCTION,
  OX_TYPE_CLASS,
  OX_TYPE_INSTANCE,
  OX_TYPE_FIBER,
  OX_TYPE_ERROR,
  OX_TYPE_MODULE,
  OX_TYPE_FOREIGN /* an object of the host or of a module written in C */
} ox_Type;

/* A function of the host that programs can call. `argv` holds `argc` arguments, in the order of its
 * signature: as many as it has parameters (those not given are OX_NONE), and for a function with a
 * rest parameter as many more as the call had. `argv` and the values in it stay as they are until
 * the function returns. Returns a value, or what ox_throw, ox_rethrow or ox_suspend returned. May
 * call anything in this header, with the same vm, except ox_free. */
typedef ox_Value (*ox_Function)(ox_VM *vm, void *context, int argc, const ox_Value *argv);

/* Takes text that the VM produces, in pieces. Must not call back into the VM. */
typedef void (*ox_Write)(void *context, const char *bytes, size_t length);

/* Finds the source of a file module. `path` is as resolved against the importing file. Returns
 * the text in memory from malloc, which the library frees, and stores its length; or NULL: no
 * such module. */
typedef char *(*ox_Load)(void *context, const char *path, size_t *length);

/* What programs may do to the world outside. A program that imports a module or file which it may
 * not does not compile; a function without its capability throws an error of the kind "import"
 * where it is used. Whatever the capabilities, programs can print (to ox_Config.write) and call
 * os.exit (which ends only the running call: OX_EXITED). */
enum {
  OX_CAN_READ = 1,    /* fs: looking at files and folders */
  OX_CAN_WRITE = 2,   /* fs: making, changing and removing them */
  OX_CAN_FILES = 3,   /* both */
  OX_CAN_RUN = 4,     /* process: starting other programs */
  OX_CAN_ENV = 8,     /* os: arguments, environment, names of host and folder; path.absolute */
  OX_CAN_STDIO = 16,  /* io: standard input and standard error */
  OX_CAN_CLOCK = 32,  /* time: the clocks and sleep (dates can be computed with without) */
  OX_CAN_IMPORT = 64, /* import of source files; modules of the host (ox_module) need nothing */
  OX_CAN_TASKS = 128, /* fork, parallel_map, parallel_reduce: threads of their own. A host that calls
                       * fork(2) does so while no task runs (docs/snapshots.md) */
  OX_CAN_ALL = 255
};

/* ---- life ------------------------------------------------------------------------------------ */

/* How garbage is collected. Programs behave the same in all modes; the choice is about time. */
typedef enum ox_GcMode {
  OX_GC_ADAPTIVE = 0,     /* the library chooses between the others as the heap changes */
  OX_GC_OFF = 1,          /* only at the memory limit, or by ox_collect */
  OX_GC_STOP_WORLD = 2,   /* every collection looks at the whole heap, at once */
  OX_GC_GENERATIONAL = 3, /* most look at new objects only; the others at the whole heap, at once */
  OX_GC_INCREMENTAL = 4   /* most look at new objects only; the others work in short steps */
} ox_GcMode;

typedef struct ox_Config {
  size_t size;              /* sizeof(ox_Config): set by ox_config */
  uint64_t memory_limit;    /* bytes the heap may take, its buffers included; 0: address_space. To
                               compile a text of up to 4 KiB there are 512 KiB more, so that a full
                               heap still takes the line that lets go of something */
  uint64_t address_space;   /* bytes of address space to reserve, at most 32 GiB; 0: 4 GiB, or
                               memory_limit if that is more */
  uint64_t fuel;            /* see ox_set_fuel; 0: no budget */
  uint32_t capabilities;    /* OX_CAN_*; ox_config sets OX_CAN_ALL */
  bool colour;              /* reports carry ANSI colours */
  bool gc_stress;           /* collect at every allocation: finds missing roots; very slow */
  bool snapshot_stress;     /* take a snapshot every few steps: finds stores that snapshots miss */
  bool write_lines;         /* output is handed on at each end of a line: for people who watch */
  ox_Write write;           /* what programs print; NULL: standard output, buffered */
  ox_Load load;             /* finds modules imported from files; NULL: the file system */
  void *context;            /* handed to `write`, `write_error` and `load`; see ox_context */
  int argc;                 /* the program's arguments, os.args: the strings must outlive the VM */
  char **argv;
  ox_GcMode gc_mode;
  uint32_t heap_percent;    /* how large the heap may grow, in percent of what was alive after the
                             * last full collection; 0: the library's choice, about 150 */
  uint64_t memory_goal;     /* soft limit: as the heap comes near, it is collected more often, up to
                             * half of the time; it may still grow beyond. 0: none */
  ox_Write write_error;     /* what programs write to io.stderr; NULL: standard error */
  uint32_t max_tasks;       /* that a program runs at once; 0: 64 */
  bool shared_functions;    /* functions of the host may be called by several threads at once: else
                             * they throw where a task calls them */
  uint64_t gc_stress_seed;  /* not 0: collect, in all ways, at random allocations and after stores
                             * to old objects, and check the heap each time; for tests */
} ox_Config;

/* The default configuration, to be changed and given to ox_new. */
static inline ox_Config ox_config(void) {
  ox_Config config = {sizeof(ox_Config), 0, 0, 0, OX_CAN_ALL, false, false, false, false,
                      NULL, NULL, NULL, 0, NULL, OX_GC_ADAPTIVE, 0, 0, NULL, 0, false, 0};
  return config;
}

/* A new VM, owned by the caller. `config` may be NULL: the defaults. It is copied. NULL: the system
 * refused memory or address space, or config->size is not one that this library knows. */
OX_API ox_VM *ox_new(const ox_Config *config);

/* Ends a VM and all its values; finalizers of foreign objects and of functions run. vm may be NULL.
 * Not from inside a native function of the same VM: then nothing happens. */
OX_API void ox_free(ox_VM *vm);

/* The `context` of the configuration. */
OX_API void *ox_context(ox_VM *vm);

/* The version of the library in use, "0.1.0". */
OX_API const char *ox_version(void);

/* How the library was built: "clang 19.1.7, pcre2 10.42, utf8proc 2.8.0". */
OX_API const char *ox_build_info(void);

/* ---- running programs ------------------------------------------------------------------------ */

/* Runs a text in the VM's session: what it declares at its top level are globals, seen by later
 * ox_eval calls and by ox_get. *out gets the value of its last statement where that is an
 * expression, else nil. `name` is what reports call the text; imports of files are relative to its
 * folder where it is a path with one, else to the current folder. The text may be anything; a byte
 * order mark and CRLF line ends are accepted. */
OX_API ox_Status ox_eval(ox_VM *vm, const char *text, size_t length, const char *name,
                         ox_Value *out);

/* Runs a text as a program: what it declares is its own, as in a file, and imports are relative to
 * the folder of `name`. *out gets the module. */
OX_API ox_Status ox_run(ox_VM *vm, const char *text, size_t length, const char *name,
                        ox_Value *out);

/* The same for a file, which is read from the file system whatever the capabilities and the loader
 * are. OX_NOT_FOUND: it cannot be read (ox_error says why). */
OX_API ox_Status ox_run_file(ox_VM *vm, const char *path, ox_Value *out);

/* Compiles a program, with what it imports, without running it. *out gets a function without
 * parameters that runs it from its first line at each call, with variables of its own each time,
 * and returns the value of its last statement where that is an expression, else nil. For a text
 * with parameters, ox_eval a function: "fn(x, y) => x * y". */
OX_API ox_Status ox_compile(ox_VM *vm, const char *text, size_t length, const char *name,
                            ox_Value *out);

/* Compiles a program and drops it: OX_OK, OX_SYNTAX or OX_INCOMPLETE. */
OX_API ox_Status ox_check(ox_VM *vm, const char *text, size_t length, const char *name);

/* Calls a function, a class, or anything else that can be called. `argv` may be NULL if argc is 0.
 * Calls may nest: host to program to host to program; too deep a nesting is a `stack overflow`
 * error. Cheap: there is no look-up by name and no conversion. */
OX_API ox_Status ox_call(ox_VM *vm, ox_Value function, int argc, const ox_Value *argv,
                         ox_Value *out);

/* receiver.name(argv...). Works for methods of any type of value and for functions of modules. */
OX_API ox_Status ox_call_method(ox_VM *vm, ox_Value receiver, const char *name, int argc,
                                const ox_Value *argv, ox_Value *out);

/* A global of the session, or a core name such as "print". OX_NOT_FOUND: there is none. */
OX_API ox_Status ox_get(ox_VM *vm, const char *name, ox_Value *out);

/* Sets a global of the session, which need not exist before. Texts compiled from then on see it,
 * those run by ox_run included. OX_MISUSE: `name` is not a name, or belongs to a constant. */
OX_API ox_Status ox_set(ox_VM *vm, const char *name, ox_Value value);

/* A module by the name that `import` would use: "math" or "lib/geometry" (relative to the current
 * folder). It runs if it has not run before. */
OX_API ox_Status ox_import(ox_VM *vm, const char *name, ox_Value *out);

/* Gives programs that are compiled from now on a module: `import NAME` finds `members`, a map from
 * names to values, as they are now. Comes before a standard module of the same name, so that a host
 * can put a tame `fs` in the place of the real one. OX_MISUSE: `name` or a key is not a name, or
 * `members` is no map. */
OX_API ox_Status ox_module(ox_VM *vm, const char *name, ox_Value members);

/* Writes out what the VM still holds of the program's output. Done by ox_free, and by the functions
 * above before they return to a host that is not itself called by a program. A native function that
 * writes to the same place calls this first. */
OX_API void ox_flush(ox_VM *vm);

/* ---- errors ---------------------------------------------------------------------------------- */

typedef struct ox_Frame {
  const char *function; /* "total", "Point.init", "(main)" */
  const char *file;     /* "" for functions written in C */
  int line, column;     /* from 1, the column in code points; 0: not known */
} ox_Frame;

typedef struct ox_Error {
  ox_Status status;
  const char *kind;        /* "type", "index", "syntax", ...: what e.kind is; "" where the thrown
                              value is not an error; "exit" with OX_EXITED */
  const char *message;     /* one sentence, without place; of a value that is not an error
                              its text */
  const char *file;        /* where: NULL if not known */
  int line, column;        /* from 1, the column in code points; 0: not known */
  const ox_Frame *frames;  /* the calls that led there, innermost first; at most 64 */
  int frame_count;
  const char *report;      /* all of it for people: the place, the source line with a caret, hints,
                              the trace; for OX_SYNTAX all errors found. Ends with a newline. */
  ox_Value value;          /* what was thrown; OX_NONE if nothing was */
} ox_Error;

/* The error of the last call that failed, or NULL if none has. It belongs to the VM and lives
 * until the next call into the VM that fails or runs a program, `value` included. Never fails:
 * if memory is so short that the error cannot be described, a short constant description stands
 * in. */
OX_API const ox_Error *ox_error(ox_VM *vm);

/* "OX_THROWN": the name of a status, a constant. */
OX_API const char *ox_status_name(ox_Status status);

/* The code that the program gave to os.exit, after OX_EXITED. */
OX_API int ox_exit_code(ox_VM *vm);

/* For native functions: throws an error of the given kind ("value", "type", "io", ..., or a kind of
 * your own; NULL: "error") with a message made as by printf, of at most 511 bytes. Programs see the
 * kind as e.kind. Write `return ox_throw(...)`. */
OX_API ox_Value ox_throw(ox_VM *vm, const char *kind, const char *format, ...) OX_PRINTF(3, 4);

/* An error as a value, made like ox_throw does, without throwing it. */
OX_API ox_Value ox_new_error(ox_VM *vm, const char *kind, const char *format, ...) OX_PRINTF(3, 4);

/* For native functions: throws any value. */
OX_API ox_Value ox_throw_value(ox_VM *vm, ox_Value value);

/* For native functions: throws on what the last failed call of this VM ended with, so that an error
 * passes through the host unchanged: `if (ox_call(...) != OX_OK) return ox_rethrow(vm);` */
OX_API ox_Value ox_rethrow(ox_VM *vm);

/* ---- limits ---------------------------------------------------------------------------------- */

/* Stops whatever the VM is running, soon: the call that runs it returns OX_INTERRUPTED. If
 * nothing runs, the next call is stopped. Safe from any thread and from signal handlers. */
OX_API void ox_interrupt(ox_VM *vm);

/* Gives the VM a budget: it is used up by one for each call and each turn of a loop, and by
 * builtins in proportion to their work, the same way in every run; by a heap at its limit, too, where
 * one collection after the other frees next to nothing. Tasks share it. At its end the running call
 * returns OX_NO_FUEL, and so does each that follows until another budget is given. 0: no budget. */
OX_API void ox_set_fuel(ox_VM *vm, uint64_t fuel);

/* What is left of the budget; 0 where there is none or nothing is left. */
OX_API uint64_t ox_fuel(ox_VM *vm);

/* Changes config.memory_limit. A limit below what is in use holds from the next allocation on. */
OX_API void ox_set_memory_limit(ox_VM *vm, uint64_t bytes);

/* Runs a full collection. */
OX_API void ox_collect(ox_VM *vm);

typedef struct ox_Stats {
  size_t size;               /* sizeof(ox_Stats): set by the caller */
  uint64_t used_bytes;       /* in blocks that are allocated, garbage included */
  uint64_t live_bytes;       /* found alive by the last collection */
  uint64_t committed_bytes;  /* taken from the system for the heap */
  uint64_t peak_bytes;       /* the highest of these */
  uint64_t external_bytes;   /* buffers outside of the heap that count against the limit */
  uint64_t limit_bytes;      /* the memory limit */
  uint64_t allocated_bytes;  /* since the VM began, approximately */
  uint64_t collections;
  uint64_t collect_ns;       /* time spent in collections */
  uint64_t collect_ns_max;   /* in the longest of them */
  uint64_t scope_values;     /* values that open scopes keep alive */
  uint64_t pins;             /* values pinned */
  uint64_t full_collections; /* of the collections, those that looked at everything */
  uint64_t young_collections; /* and those that looked at what was new */
  /* How often the program waited for the collector, and percentiles of the times, within 20 %; the
   * longest is collect_ns_max. A step of a collection that is done in steps is a pause of its
   * own. */
  uint64_t pauses, pause_ns_p50, pause_ns_p99, pause_ns_p999;
  double allocation_rate;    /* bytes a second, since the VM began */
  double fragmentation;      /* the share of committed_bytes that no block takes: 0 to 1 */
} ox_Stats;

/* Fills in as much as stats->size has room for. */
OX_API void ox_stats(ox_VM *vm, ox_Stats *stats);

/* Walks the whole heap and proves it consistent. NULL: it is; else what is wrong, a constant text.
 * For tests: takes as long as a collection. */
OX_API const char *ox_verify(ox_VM *vm);

/* ---- snapshots (docs/snapshots.md) ----------------------------------------------------------- */

/* A state of a VM that can be gone back to: all its variables, objects, modules, suspended fibers,
 * random generators. 0 is none. It belongs to its VM, and lives until ox_release or ox_free. */
typedef uint64_t ox_Snapshot;

/* Keeps the present state. Costs microseconds, whatever the size of the heap, and from then on 4
 * KiB for each page of memory that the program changes, which counts against the memory limit.
 * OX_THROWN: out of memory. OX_MISUSE: called by a function that a program runs (programs have
 * snapshot() themselves). */
OX_API ox_Status ox_snapshot(ox_VM *vm, ox_Snapshot *out);

/* Makes the VM what it was then. The snapshot remains, as do the others. Not undone: output, files,
 * the budget, limits, what the host registered. Values that the host has from after the snapshot,
 * pinned ones too, must not be used any more; pins are those of the snapshot. Foreign objects made
 * since are finalized. OX_MISUSE as above, and for a snapshot that was released, or given up since
 * memory ran out in the middle of a store; OX_THROWN: out of memory. The state is unchanged
 * then. */
OX_API ox_Status ox_restore(ox_VM *vm, ox_Snapshot snapshot);

/* The snapshot is needed no more. 0 and released ones are ignored. */
OX_API void ox_release(ox_VM *vm, ox_Snapshot snapshot);

typedef struct ox_SnapshotStats {
  size_t size;          /* sizeof(ox_SnapshotStats): set by the caller */
  uint64_t snapshots;   /* taken, by programs too, and not released */
  uint64_t log_bytes;   /* memory held for the log of changed pages */
  uint64_t log_pages;   /* copies of pages in it */
  uint64_t changed_pages; /* since the last snapshot or rollback */
  uint64_t taken, restored, logged; /* in all: snapshots, rollbacks, pages copied into the log */
} ox_SnapshotStats;

/* Fills in as much as stats->size has room for. */
OX_API void ox_snapshot_stats(ox_VM *vm, ox_SnapshotStats *stats);

/* What differs between two states. Objects are those that programs can reach. */
typedef struct ox_SnapshotDiff {
  size_t size;           /* sizeof(ox_SnapshotDiff): set by the caller */
  uint64_t pages;        /* of 4 KiB, of all memory */
  uint64_t changed;      /* objects in both states whose contents differ */
  uint64_t first_only, second_only; /* objects that only one of them has */
} ox_SnapshotDiff;

/* Compares two states; the VM is in the second one afterwards. `name`, unless NULL, is told of each
 * variable of the session that differs, or leads to something that does: `how` is 0, -1 for one that
 * only the first state has, 1 for one that only the second has. Takes time for all that is reachable.
 * `name` must not use the VM. Failures as those of ox_restore; the VM is in either of the states then,
 * or in the one that it was in. */
OX_API ox_Status ox_snapshot_diff(ox_VM *vm, ox_Snapshot first, ox_Snapshot second,
                                  ox_SnapshotDiff *diff,
                                  void (*name)(void *context, const char *name, int how),
                                  void *context);

/* ---- forks (docs/snapshots.md) --------------------------------------------------------------- */

/* A second VM with the state of the first: the same variables, objects, modules, globals. Both go
 * on independently, each used by one thread at a time, and either may be freed first. Costs a copy
 * of what one of them has changed since the last fork, mostly microseconds; the memory of a fork
 * that has been freed is kept for the next ones of the same VM. A VM that is prepared once and then
 * forked for each request is the use that this is made for: see examples/embed/server.c.
 *
 * Values that are alive in `vm` now mean the same in the fork, and live there until it is freed;
 * values made later are of one of both alone. The configuration, limits and capabilities are the
 * same; what is left of the budget is copied. Shared are the functions of the host with their
 * contexts, the callbacks `write`, `write_error` and `load`, and the types of foreign objects:
 * where forks run on several threads, these have to cope with it. Foreign objects and open files
 * stay with `vm`; in the fork they refuse. The fork has no snapshots and no tasks.
 *
 * OX_NO_MEMORY: memory or address space was refused. OX_MISUSE: called by a function that a program
 * runs. *out is NULL then. */
OX_API ox_Status ox_fork(ox_VM *vm, ox_VM **out);

typedef struct ox_ForkStats {
  size_t size;             /* sizeof(ox_ForkStats): set by the caller */
  uint64_t forks;          /* of this VM, in all, the tasks of programs too */
  uint64_t whole;          /* of them, those that copied the whole heap, having no memory at hand */
  uint64_t pages_copied;   /* of 4 KiB, in all */
  uint64_t last_copied;    /* by the last one */
  uint64_t last_shared;    /* pages in use that the last one did not need to copy */
  uint64_t last_ns;        /* what it took */
  uint64_t changed_pages;  /* by this VM since the last fork */
  uint64_t alive;          /* forks not freed yet */
  uint64_t idle;           /* memories of freed ones, kept for others */
  uint64_t idle_bytes;
} ox_ForkStats;

/* Fills in as much as stats->size has room for. */
OX_API void ox_fork_stats(ox_VM *vm, ox_ForkStats *stats);

/* ---- keeping values alive -------------------------------------------------------------------- */

typedef uint32_t ox_Scope;

/* Opens a scope: what is made or given out from now on is kept until it is closed. Scopes nest, and
 * cost nothing but what they keep. */
OX_API ox_Scope ox_scope_open(ox_VM *vm);

/* Closes a scope and any that were opened after it. */
OX_API void ox_scope_close(ox_VM *vm, ox_Scope scope);

/* The same, but keeps one value for the scope outside. Returns it. */
OX_API ox_Value ox_scope_close_keeping(ox_VM *vm, ox_Scope scope, ox_Value value);

/* Keeps a value alive until it has been unpinned as often as it was pinned, or until ox_free.
 * False: out of memory, the value is not pinned. */
OX_API bool ox_pin(ox_VM *vm, ox_Value value);
OX_API void ox_unpin(ox_VM *vm, ox_Value value); /* nothing happens where it is not pinned */

/* A reference that does not keep `value` alive: an object like those of the module `weak`, which
 * has to be kept alive itself. `value` is an object with an identity (no number, string, range, nil
 * or bool), else OX_NONE with OX_MISUSE. */
OX_API ox_Value ox_weak(ox_VM *vm, ox_Value value);

/* What it refers to, kept alive like any value that is given out; nil when that is gone. It goes
 * before its finalizer runs. OX_NONE: `weak` is no weak reference. */
OX_API ox_Value ox_weak_get(ox_VM *vm, ox_Value weak);

/* ---- making values --------------------------------------------------------------------------- */

/* Those without a vm cannot fail. The others return OX_NONE when memory is out. */
OX_API ox_Value ox_none(void);
OX_API ox_Value ox_nil(void);
OX_API ox_Value ox_bool(bool b);
OX_API ox_Value ox_float(double d);
OX_API ox_Value ox_int(ox_VM *vm, int64_t i);
OX_API ox_Value ox_string(ox_VM *vm, const char *bytes, size_t length);
OX_API ox_Value ox_text(ox_VM *vm, const char *text); /* the same, of a text ended by NUL */
/* items may be NULL if count is 0. */
OX_API ox_Value ox_list(ox_VM *vm, const ox_Value *items, size_t count);
OX_API ox_Value ox_map(ox_VM *vm); /* empty: see ox_set_index */

/* A function of the host as a value. `signature` gives its name and parameters, as in
 * "area(width, height = 1)" or "log(...parts)": calls with other numbers of arguments throw, and
 * named arguments work. Parameters may have types, "plot(x: int, y: int, ink: string? = nil)", and
 * then `function` is called only with arguments of these types (or OX_NONE where one that has a
 * default was not given): any, bool, int, float, number (int or float), string, list, map, set,
 * range, function (whatever can be called), fiber, class, error, module, or the name of a foreign
 * type; with `?` nil as well. `doc` is what help shows, NULL: nothing. When the function is no
 * longer reachable, `finalize(context)` is called, unless NULL; also if this call fails. It must
 * not call into the VM. OX_NONE: out of memory, or the signature is malformed. */
OX_API ox_Value ox_function(ox_VM *vm, const char *signature, const char *doc, ox_Function function,
                            void *context, void (*finalize)(void *context));

/* ---- reading values -------------------------------------------------------------------------- */

OX_API ox_Type ox_type(ox_Value value);

/* "int", "list", or the name of an instance's class. Valid until the next call into the VM. */
OX_API const char *ox_type_name(ox_VM *vm, ox_Value value);

static inline bool ox_is_none(ox_Value value) { return ox_type(value) == OX_TYPE_NONE; }

/* Whether it counts as true in a condition: all but nil and false do. */
OX_API bool ox_truth(ox_Value value);

/* The number in an int or a float. An int is exact (a float is cut off toward zero; one out of
 * range gives the nearest end). Check ox_type first: anything that is no number gives 0, and breaks
 * a rule in debug builds. */
OX_API int64_t ox_as_int(ox_VM *vm, ox_Value value);
OX_API double ox_as_float(ox_VM *vm, ox_Value value);

/* The bytes of a string; NULL (and length 0) if it is no string or memory is out. They live as
 * long as the value does, are followed by a NUL byte, and must not be changed. `length` may be
 * NULL. */
OX_API const char *ox_as_string(ox_VM *vm, ox_Value value, size_t *length);

/* The text that print would show, or, with `literal`, one with strings in quotes, as a prompt does.
 * May run methods of the program. Gives a string value; OX_NONE on an error. */
OX_API ox_Value ox_show(ox_VM *vm, ox_Value value, bool literal);

/* == of the language: 1 or 0, -1 on an error (a method of the program threw). */
OX_API int ox_equal(ox_VM *vm, ox_Value a, ox_Value b);

/* Number of bytes of a string, elements of a list, entries of a map or set, else -1. */
OX_API int64_t ox_length(ox_VM *vm, ox_Value value);

/* container[key] and container[key] = value, as in the language: throws (OX_THROWN) for what is out
 * of range or missing. */
OX_API ox_Status ox_index(ox_VM *vm, ox_Value container, ox_Value key, ox_Value *out);
OX_API ox_Status ox_set_index(ox_VM *vm, ox_Value container, ox_Value key, ox_Value value);

/* Appends to a list. */
OX_API ox_Status ox_push(ox_VM *vm, ox_Value list, ox_Value value);

/* value.name and value.name = member, as in the language: a field or a method of an instance, a
 * member of a module, a map's value under that string. OX_NOT_FOUND: there is none. */
OX_API ox_Status ox_member(ox_VM *vm, ox_Value value, const char *name, ox_Value *out);
OX_API ox_Status ox_set_member(ox_VM *vm, ox_Value value, const char *name, ox_Value member);

/* Goes through the entries of a map or set in their order, or through a list, whose keys are its
 * indexes: *position starts at 0; false at the end, and for anything else. The values given out
 * live as long as the container holds them. It must not gain or lose keys meanwhile. `value` may be
 * NULL. */
OX_API bool ox_next(ox_VM *vm, ox_Value map, uint32_t *position, ox_Value *key, ox_Value *value);

/* A new list of what `for x in iterable` would go through: ranges, fibers and objects with a method
 * `iter` included. May run the program. */
OX_API ox_Status ox_elements(ox_VM *vm, ox_Value iterable, ox_Value *out);

/* ---- objects of the host --------------------------------------------------------------------- */

/* What programs can do with objects of a foreign type, by the signature:
 *   "plot(self, x: int, y: int)"  a method; also operators and what the language calls itself:
 *                                 "+(self, other)", "==(self, other)", "<(self, other)",
 *                                 "[](self, i)", "[]=(self, i, value)", "call(self)", "len(self)",
 *                                 "str(self)", "iter(self)" (gives a list, fiber, ...),
 *                                 "hash(self)"
 *   "get width(self)"             a property: what object.width gives
 *   "set width(self, value)"      what object.width = value does
 *   "init(width, height = 1)"     what calling the class does (see ox_class): it has no self, gets
 *                                 the context of the configuration, and returns an ox_foreign
 * All but init are called with the object itself as their `context`, which has been checked: it is
 * not NULL and of this type. argv[0] is self as a value. */
typedef struct ox_Method {
  const char *signature;
  const char *doc; /* NULL: none */
  ox_Function call;
} ox_Method;

/* A kind of foreign object, known by its address. Must outlive every VM it is used in, with all it
 * points to: best a constant. */
typedef struct ox_ForeignType {
  size_t size;                    /* sizeof(ox_ForeignType) */
  const char *name;               /* what type() gives */
  void (*finalize)(void *object); /* called once when unreachable, or by ox_free; NULL: nothing
                                     to do. Must not call into the VM. */
  const ox_Method *methods;       /* the last has a NULL signature; NULL: none */
  /* What lies outside of the heap no rollback undoes. Called after one, for each object of the type
   * that there is in the state gone back to, so that it can follow; NULL: nothing to do. Must not
   * call into the VM. */
  void (*on_restore)(void *object);
  /* A fork is made: gives what the object is there, for which finalize is called in its turn. The
   * same pointer only where the host counts its owners. NULL, or no function: there it is closed,
   * and using it throws. Runs on the parent's thread; must not call into a VM. */
  void *(*on_fork)(void *object);
} ox_ForeignType;

/* An object of the host as a value: programs can hold it, hand it back, and call its methods. The
 * VM owns `object`, which is not NULL, from now on, also if this call fails (OX_NONE: out of
 * memory, or a method's signature is malformed; then finalize has been called). */
OX_API ox_Value ox_foreign(ox_VM *vm, const ox_ForeignType *type, void *object);

/* The host's object in a value, or NULL if the value is not a foreign object of this very type. It
 * lives as long as the value does. */
OX_API void *ox_foreign_object(ox_VM *vm, ox_Value value, const ox_ForeignType *type);

/* The class of a foreign type, for `x is Canvas`, and, if the type has an init, for Canvas(...).
 * Programs see it by the name that ox_set or ox_module gives it. OX_NONE as for ox_foreign. */
OX_API ox_Value ox_class(ox_VM *vm, const ox_ForeignType *type);

/* Values that a foreign object keeps for the host: callbacks, parents. They live as long as it does
 * (a pin would keep them for ever where they refer back to it). index is at most 255. OX_NO_MEMORY,
 * OX_MISUSE. ox_slot gives nil for one never set, OX_NONE where `object` is no foreign object. */
OX_API ox_Status ox_set_slot(ox_VM *vm, ox_Value object, unsigned index, ox_Value value);
OX_API ox_Value ox_slot(ox_VM *vm, ox_Value object, unsigned index);

/* Says how many bytes a foreign object holds outside of the heap: they count against the memory
 * limit, and hasten collections, until another number is given or the object is finalized.
 * OX_NO_MEMORY: not that many; the old number stays. */
OX_API ox_Status ox_charge(ox_VM *vm, ox_Value object, uint64_t bytes);

/* ---- images (docs/snapshots.md) -------------------------------------------------------------- */

/* An image is the state of a VM as a file: variables, objects, functions, modules, suspended
 * fibers, random generators. Opening one takes about as long as making a VM, whatever its size: its
 * pages are mapped and read when they are used, and processes that open the same file share them.
 *
 * An image may do what a program may do, and more: it holds code that has passed no compiler. Open
 * only images of those whose programs you would run; for others there is OX_IMAGE_CHECK_ALL
 * (docs/SECURITY.md). It fits the build of the library that saved it and no other.
 *
 * Not in it: files that are open, objects of the host (using one says that it is gone; its slots
 * and class are there), what the functions of the host are made of (the host gives them again),
 * snapshots, pins, limits, budget, capabilities, loader, output. */

typedef struct ox_ImageStats {
  size_t size;           /* sizeof(ox_ImageStats): set by the caller */
  uint64_t file_bytes;
  uint64_t pages;        /* of 4 KiB, of the heap */
  uint64_t listed_pages; /* those that a program is expected to need first */
  uint64_t mappings;     /* that opening makes */
  uint64_t nanoseconds;  /* that the call took */
} ox_ImageStats;

/* Saves the VM's state, after a collection. The file is written beside `path`, synced, and renamed:
 * whatever happens, `path` is the old image or the new one. A list of the pages that are used first
 * is saved with it: in a VM that was opened from an image those used since. `stats` may be NULL.
 * OX_THROWN: it cannot be written (ox_error says why; the file that was there is unharmed).
 * OX_MISUSE: called by a function that a program runs. */
OX_API ox_Status ox_image_save(ox_VM *vm, const char *path, ox_ImageStats *stats);

/* How closely a file is looked at. Always: its kind, version and build, its length, the checksums
 * of its header and tables. */
typedef enum ox_ImageCheck {
  OX_IMAGE_CHECK_AUTO = 0,  /* files up to 16 MiB as PAGES, larger ones as HEADER */
  OX_IMAGE_CHECK_HEADER,    /* nothing else */
  OX_IMAGE_CHECK_PAGES,     /* the checksums of all pages: damage by chance is found */
  OX_IMAGE_CHECK_ALL        /* and then all that ox_image_verify proves */
} ox_ImageCheck;

/* A function of the host that an image may refer to. */
typedef struct ox_ImageFunction {
  const char *signature; /* as it was given to ox_function; NULL ends the list */
  ox_Function function;
  void *context;
  void (*finalize)(void *context); /* NULL: nothing to do */
} ox_ImageFunction;

typedef struct ox_ImageConfig {
  size_t size;             /* sizeof(ox_ImageConfig) */
  const ox_Config *config; /* of the new VM; NULL: the defaults. address_space is the image's */
  ox_ImageCheck check;
  const ox_ImageFunction *functions;   /* of the host, or NULL; two of one signature in their order */
  const ox_ForeignType *const *types;  /* foreign types, by name; NULL at the end; or NULL */
} ox_ImageConfig;

/* A new VM in the state of an image. `config` may be NULL. Every function and foreign type of the
 * host that the image refers to must be given again. A context given with a finalizer is the
 * library's from now on, also on failure; of a function that the image does not need it is
 * finalized at once. NULL: refused, and `message` (room bytes, may be NULL if room is 0) says why
 * and what helps, naming the file. An image is refused, too, that was saved with capabilities which
 * `config` does not give. */
OX_API ox_VM *ox_image_open(const char *path, const ox_ImageConfig *config, ox_ImageStats *stats,
                            char *message, size_t room);

/* Proves the structure of an image that nobody vouches for, without running anything: allocators,
 * headers, that each reference refers to an object of the right kind, that code stays within its
 * constants and registers. Reads all of it. False: `message` says what is wrong. */
OX_API bool ox_image_verify(const char *path, ox_ImageStats *stats, char *message, size_t room);

/* ---- fibers and event loops ------------------------------------------------------------------ */

/* A fiber that will call `function` without arguments, at the first ox_resume. With the function of
 * ox_compile a whole program becomes one. OX_NONE: out of memory, or it cannot be called. */
OX_API ox_Value ox_fiber(ox_VM *vm, ox_Value function);

/* Starts a fiber or goes on with it: what it waits for (a `yield`, or a function that did
 * ox_suspend) gives `sent`. Returns when the fiber yields, with that value in *out, or ends, with
 * what its function returned: ox_is_done tells. A status other than OX_OK: it ended so. OX_THROWN
 * as well if it is finished already or is running. */
OX_API ox_Status ox_resume(ox_VM *vm, ox_Value fiber, ox_Value sent, ox_Value *out);

/* The same, but what the fiber waits for throws `error` (see ox_new_error). */
OX_API ox_Status ox_resume_throwing(ox_VM *vm, ox_Value fiber, ox_Value error, ox_Value *out);

/* Whether a value is a fiber that has ended. */
OX_API bool ox_is_done(ox_VM *vm, ox_Value fiber);

/* For native functions, which `return ox_suspend(...)`: the running fiber yields `value` to whoever
 * resumed it. When it is resumed, the call of the native function gives what was sent; or, unless
 * `then` is OX_NONE, `then` is called with what was sent, and its result counts: a function that
 * may suspend again. Throws where nothing can be suspended: outside of fibers, and where a function
 * in C stands between (a comparison called by a sort, an ox_call). */
OX_API ox_Value ox_suspend(ox_VM *vm, ox_Value value, ox_Value then);

/* ---- looking inside -------------------------------------------------------------------------- */

/* Compiles a program and writes its bytecode as text. Nothing runs. */
OX_API ox_Status ox_disassemble(ox_VM *vm, const char *text, size_t length, const char *name,
                                ox_Write write, void *context);

/* Writes the reference of all builtins, as Markdown: docs/reference.md is made so. */
OX_API void ox_reference(ox_Write write, void *context);

typedef struct ox_Doc {
  size_t size;           /* sizeof(ox_Doc): set by the caller */
  const char *signature; /* "push(self, value)" */
  const char *doc;       /* "" if there is none */
  const char *module;    /* "math", "list" for its methods, "" for core names */
  const char *file;      /* where it is declared; NULL: not known, or a builtin */
  int line;              /* from 1 */
} ox_Doc;

/* Calls `found` for each builtin called `name`: "sqrt", "math.sqrt" or "math". The texts are
 * constants. Returns how many there were. */
OX_API int ox_find_doc(const char *name, void (*found)(void *context, const ox_Doc *doc),
                       void *context);

/* Describes the function, class or module that a name of the session stands for, or names joined
 * by dots: "area", "geometry.area", "Point.length". Its documentation are the comment lines above
 * its declaration. The texts are valid until `found` returns, which must not call into the VM.
 * False: the name stands for nothing, or for another type of value. Runs nothing. */
OX_API bool ox_describe(ox_VM *vm, const char *name,
                        void (*found)(void *context, const ox_Doc *doc), void *context);

/* Calls `found` with every completion of the last name in `text`, as a prompt would offer: globals,
 * core names, keywords; after a dot members of the value, without running anything; after `import`
 * and `from` modules. */
OX_API void ox_complete(ox_VM *vm, const char *text, size_t length,
                        void (*found)(void *context, const char *completion), void *context);

#ifdef __cplusplus
}
#endif

#endif
