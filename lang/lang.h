/* lang.h - the whole of lang/ in a few calls: source text in, checked bytecode out. */
#ifndef OX_LANG_LANG_H
#define OX_LANG_LANG_H

#include "arena.h"
#include "diag.h"
#include "module.h"
#include "source.h"

/* Where a name outside the program may come from. Indices fit 16 bits. */
typedef struct LangEnv {
  void *ctx;
  /* Index of a core name, or -1. Core names are constants; programs may shadow them. */
  int (*core_index)(void *ctx, const char *name, uint32_t len);
  /* i-th core name for suggestions, NULL at the end. May be NULL. */
  const char *(*core_name)(void *ctx, uint32_t i);
  /* REPL and host globals: index or -1; *is_const set. NULL: there are none. */
  int (*global_index)(void *ctx, const char *name, uint32_t len, bool *is_const);
  const char *(*global_name)(void *ctx, uint32_t i);
  /* Called for each top-level declaration in session mode; gives its index, or -1 (table full).
   * Declaring a name again in a later line gives a fresh index or the old one, as the host
   * likes. */
  int (*global_define)(void *ctx, const char *name, uint32_t len, bool is_const);
  /* For hints: the standard module that a name is (*is_itself) or that has a function of that name;
   * NULL where there is none. May be NULL. */
  const char *(*module_of)(void *ctx, const char *name, uint32_t len, bool *is_itself);
} LangEnv;

typedef struct LangOptions {
  const LangEnv *env;
  bool session;     /* top-level declarations are globals (REPL, ox_eval) */
  bool want_value;  /* main returns the value of a final expression statement */
  bool allow_unused; /* no errors for values that nobody reads */
} LangOptions;

typedef struct LangResult {
  ModuleCode *module; /* NULL if there were errors */
  bool incomplete;  /* the text ends inside a construct: a REPL asks for more */
  bool oom;
} LangResult;

/* Diagnostics are added to `diags`. The source must outlive the module. */
LangResult lang_compile(Arena *arena, const Source *source, const LangOptions *options, Diags *diags);

#endif
