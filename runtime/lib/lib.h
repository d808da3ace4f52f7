/* lib.h - what the standard modules share: classes of objects made in C, checked paths, I/O
 * errors.
 *
 * An object of a standard module (a compiled regex, a file, a generator) is an Instance of a
 * builtin class. Its first fields are seen by programs; behind them it may have hidden ones (the
 * header's n is larger than the class's nfields) for state: a Bytes in the cage, so that
 * snapshots cover it, or a Foreign for what must live outside. */
#ifndef OX_RUNTIME_LIB_H
#define OX_RUNTIME_LIB_H

#include "../list.h"
#include "../map.h"
#include "../native.h"
#include "../number.h"
#include "../str.h"

/* Places in VmState.spare; 0 bits (never a reference) until first used. */
enum {
  LIB_REGEX_CLASS = 40,
  LIB_REGEX_CACHE,
  LIB_MATCH_NAMES,
  LIB_RANDOM_CLASS,
  LIB_FILE_CLASS,
  LIB_STREAM_CLASS,
  LIB_BUDDY_CLASS,
  LIB_BLOCK_CLASS,
  LIB_STAT_NAMES,
  LIB_TIME_NAMES,
  LIB_STDIN,
  LIB_SNAPSHOT_CLASS,
  LIB_WEAK_REF_CLASS,
  LIB_WEAK_MAP_CLASS,
  LIB_TASK_CLASS,
};

#define LIB_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* How a builtin class looks: `fields` are the visible ones, `hidden` more slots follow them. */
typedef struct LibClass {
  const char *name;
  int spare;                 /* where the class is kept */
  const ModuleDef *methods;  /* NULL: none */
  int nfields, hidden;
  const char *fields[4];
} LibClass;

Value lib_class(ox_VM *vm, const LibClass *c);
/* A new instance, all slots nil; rooted. */
Value lib_instance(ox_VM *vm, const LibClass *c);
bool lib_is(ox_VM *vm, Value v, const LibClass *c);
/* `v` as an instance of `c`, or NULL with a type error pending that names `what`. */
Instance *lib_check(ox_VM *vm, Value v, const LibClass *c, const char *what);
void lib_set_slot(ox_VM *vm, Instance *instance, int slot, Value v); /* through the barrier */

/* A cached list of interned names for map_from_names. */
Value lib_names(ox_VM *vm, int spare, const char *const *names, int n);

/* A path, program or host name argument: a string without NUL bytes. NULL: error pending. The text
 * lives as long as the argument. */
const char *lib_path(ox_VM *vm, Value v, const char *what);
/* Throws "cannot ACTION 'PATH': reason; remedy"; e.data is {path, code}, the code as "ENOENT". */
Value lib_throw_io(ox_VM *vm, const char *action, const char *path, int error);
/* Reason for an errno value, independent of the locale; never NULL. */
const char *lib_reason(int error);

/* A seconds argument: a finite number >= 0 and at most about 290 years. */
bool lib_seconds(ox_VM *vm, Value v, const char *what, double *out);
/* Adds name -> value to a map of exports. False: error pending. */
bool lib_export(ox_VM *vm, Value exports, const char *name, Value v);
/* Adds what a list of keys, of values or of items has for an entry of a map. False: error pending. */
typedef enum MapPart { KEYS, VALUES, ITEMS } MapPart;
bool lib_push_part(ox_VM *vm, Value list, MapPart part, Value key, Value value);
/* map[name] = value; value must be reachable. */
bool lib_put(ox_VM *vm, Value map, const char *name, Value v);

/* Core names too. */
Value math_abs(ox_VM *vm, Value *args, int nargs);
Value math_round(ox_VM *vm, Value *args, int nargs);

#endif
