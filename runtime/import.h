/* import.h - from source texts to Module objects: compiling, resolving imports, the session's
 * globals. */
#ifndef OX_RUNTIME_IMPORT_H
#define OX_RUNTIME_IMPORT_H

#include "../lang/lang.h"
#include "run.h"

/* What one compilation of a program, with all it imports, needs to know. */
typedef struct ImportLoad ImportLoad;

typedef struct LoadRequest {
  const char *name;      /* as reports call it */
  const char *path;      /* resolved path of a file, or NULL */
  const char *text;
  size_t len;
  bool session, want_value;
  VmText *diags;         /* compile errors go here */
  VmPlace *first;        /* and the first of them here; may be NULL */
} LoadRequest;

/* Compiles a text and, recursively, the files it imports. *module is rooted. */
VmStatus import_load(ox_VM *vm, const LoadRequest *request, Value *module);
/* A standard module by name, V_ERROR with an error pending, or V_ABSENT: there is none. Rooted. */
Value import_standard(ox_VM *vm, const char *name, size_t len);
/* Gives programs that are compiled from now on a module of that name, before any standard one. */
enum { IMPORT_NAME_MAX = 64 };
bool import_give(ox_VM *vm, const char *name, Value members);
/* A file module by resolved path, loaded if it has not been. */
VmStatus import_file(ox_VM *vm, const char *path, VmText *diags, VmPlace *first, Value *module);
/* `name` of an import relative to the file at `from` (NULL: the current folder), with its ending.
 * From malloc; NULL: out of memory. */
char *import_resolve(const char *from, const char *name, size_t len);
/* What names outside the program mean to the compiler. */
LangEnv import_env(ox_VM *vm);

/* Frees what vm->loader points to. */
void import_free(ox_VM *vm);
bool import_init(ox_VM *vm, VmLoad load, void *ctx);
bool import_fork(const ox_VM *vm, ox_VM *child); /* the same loader */

#endif
