/* Shared by the resolver's sources only. */
#ifndef OX_LANG_RESOLVE_INTERNAL_H
#define OX_LANG_RESOLVE_INTERNAL_H

#include "resolve.h"

/* All declared names by spelling, each with its innermost binding. */
typedef struct NameSlot {
  Name *name;
  Binding *top; /* NULL: not visible at the moment */
} NameSlot;

typedef struct Resolver {
  Compilation *comp;
  FnInfo *fn;
  Scope *scope;
  LoopInfo *loop;
  NameSlot *names; /* open addressing */
  uint32_t name_count, name_capacity;
  uint32_t time;
  uint32_t value_depth; /* expressions around whose value is still to be used */
} Resolver;

typedef enum UseKind { USE_READ, USE_CALL, USE_ASSIGN } UseKind;

/* ---- resolve_names.c: spelling to binding ---- */

/* Makes `binding` the innermost one of its name. */
void resolve_show(Resolver *r, Binding *binding);
void resolve_hide(Resolver *r, Binding *binding);

/* What a name means here; never NULL. An unknown name is reported. */
Binding *resolve_lookup(Resolver *r, Name *name, Span span, UseKind use);

/* The innermost declared binding of the name, or NULL. */
Binding *resolve_declared(Resolver *r, const Name *name);

/* Number of the built-in type that `type` names here, plus 1; 0 if it names none. */
int resolve_builtin_type(Resolver *r, const Expr *type);

/* ---- resolve_scope.c: scopes, functions, where variables live ---- */

/* Enters a scope that shares the frame of `home`, or has its own (NULL). */
Scope *resolve_enter(Resolver *r, Scope *home);
void resolve_leave(Resolver *r);

/* Declares a variable in the current scope, reporting a duplicate. */
Binding *resolve_declare(Resolver *r, BindingKind kind, Name *name, Span span);

/* A variable of the current scope that no program names. */
Binding *resolve_declare_hidden(Resolver *r);

/* From here on the binding has its value. */
void resolve_initialise(Resolver *r, Binding *binding);

FnInfo *resolve_enter_fn(Resolver *r, Fn *node);

/* Leaves the function: decides where its variables live. */
void resolve_leave_fn(Resolver *r);

/* Notes that the current function uses the binding. */
void resolve_note_use(Resolver *r, Binding *binding, UseKind use);

/* At the end of a block with `count` statements: when its functions are made. */
void resolve_settle_functions(Resolver *r, Scope *scope, uint32_t count);

/* ---- resolve_unused.c ---- */

/* Reports statements of the function whose value is computed for nobody; for the end of the walk
 * over it. */
void resolve_check_unused(Resolver *r, const Fn *fn);

/* ---- resolve_fold.c ---- */

/* Turns an operator on literals into a literal where that can neither throw nor lose anything. */
void resolve_fold(Compilation *comp, Expr *e);

#endif
