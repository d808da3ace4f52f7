/* Scopes and functions of the resolver, and the decision where each variable lives.
 *
 * A variable that no closure uses lives in a register. One that closures use lives in a register
 * too, and is copied into them, if it is never assigned after its initialisation and every
 * closure that uses it is made later than that. All others live in the frame of their scope's
 * home. Exported variables have a slot in the module's frame: those that are never assigned are
 * copied there once, the others live there. When a function has more variables than registers,
 * the rest go to the frame as well.
 *
 * "Later" is a matter of `time`. For most closures the time is when the walk meets them. The
 * closures of function declarations are made where the declaration stands, unless something uses
 * them before: then they are made before the first statement of the block that does so, be it
 * directly or through another function. That is a fixed point over the edges "function uses
 * function". Functions made at the same place may name each other.
 */
#include "resolve_internal.h"

enum {
  REGISTER_BUDGET = 180,  /* registers for variables and hidden state of statements */
  HIDDEN_PER_SCOPE = 1,   /* the frame */
  MAX_VALUE_CAPTURES = 200,
  MAX_SLOTS = 60000
};

Scope *resolve_enter(Resolver *r, Scope *home) {
  Scope *scope = COMP_NEW(r->comp, Scope);
  scope->parent = r->scope;
  scope->home = home ? home : scope;
  scope->fn = r->fn;
  if (r->fn->last_scope) r->fn->last_scope->next = scope;
  r->fn->last_scope = scope;
  r->scope = scope;
  return scope;
}

void resolve_leave(Resolver *r) {
  for (Binding *b = r->scope->first; b; b = b->next) {
    if (b->name) resolve_hide(r, b);
  }
  r->scope = r->scope->parent;
}

static Binding *scope_add(Resolver *r, BindingKind kind, Span span) {
  Binding *b = COMP_NEW(r->comp, Binding);
  Scope *scope = r->scope;
  b->kind = kind;
  b->span = span;
  b->scope = scope;
  b->fn = r->fn;
  b->init_time = TIME_NEVER;
  b->export_slot = NO_SLOT;
  b->create_at = UINT32_MAX;
  b->is_const = kind == BIND_CONST || kind == BIND_FN || kind == BIND_CLASS ||
                kind == BIND_IMPORT;
  if (scope->last) scope->last->next = b;
  else scope->first = b;
  scope->last = b;
  return b;
}

static void report_duplicate(Resolver *r, const Binding *first, Name *name, Span span) {
  Compilation *comp = r->comp;
  SourcePos at = source_position(comp->source, first->span.start);
  const char *what = first->kind == BIND_PARAM ? "a parameter" : "declared";
  Diag *diag = diag_error(comp->diags, comp->source, span, "'%s' is already %s here, on line %u",
                          name->chars, what, at.line);
  diag_related(comp->diags, diag, comp->source, first->span, "first declared here");
}

Binding *resolve_declare(Resolver *r, BindingKind kind, Name *name, Span span) {
  Binding *old = resolve_declared(r, name);
  bool is_duplicate = old && old->scope == r->scope;
  Binding *b = scope_add(r, kind, span);
  b->name = name;
  if (is_duplicate) report_duplicate(r, old, name, span);
  else resolve_show(r, b);
  return b;
}

Binding *resolve_declare_hidden(Resolver *r) {
  Binding *b = scope_add(r, BIND_HIDDEN, (Span){0, 0});
  b->is_const = true;
  return b;
}

void resolve_initialise(Resolver *r, Binding *binding) { binding->init_time = ++r->time; }

/* ---- functions ---------------------------------------------------------------------------- */

FnInfo *resolve_enter_fn(Resolver *r, Fn *node) {
  FnInfo *fn = COMP_NEW(r->comp, FnInfo);
  fn->parent = r->fn;
  fn->node = node;
  fn->create_time = ++r->time;
  if (r->fn) VEC_PUSH(r->comp, r->fn->children, fn);
  r->fn = fn;
  fn->scope = resolve_enter(r, NULL);
  return fn;
}

/* Marks what the functions made in `fn` take from it. */
static void settle_captures(FnInfo *fn) {
  for (size_t i = 0; i < fn->children.count; i++) {
    FnInfo *child = fn->children.items[i];
    for (size_t j = 0; j < child->outers.count; j++) {
      Binding *b = child->outers.items[j].binding;
      if (b->fn != fn) continue;
      b->is_captured = true;
      if (child->create_time < b->init_time) b->is_early = true;
    }
  }
}

static bool wants_slot(const Binding *b) {
  if (b->is_exported && b->is_assigned) return true;
  return b->is_captured && (b->is_assigned || b->is_early || b->wants_frame);
}

static uint32_t take_slot(Resolver *r, Scope *home, Span span) {
  if (home->slots == MAX_SLOTS) {
    diag_error(r->comp->diags, r->comp->source, span, "too many variables in one function");
  }
  return home->slots++;
}

static void settle_binding(Resolver *r, Scope *scope, Binding *b) {
  if (b->storage == STORE_GLOBAL) return;
  bool is_spilled = scope->registers >= REGISTER_BUDGET && b->kind != BIND_PARAM;
  if (wants_slot(b) || is_spilled) {
    b->storage = STORE_FRAME;
    b->index = take_slot(r, scope->home, b->span);
    if (b->is_exported) b->export_slot = b->index;
    return;
  }
  scope->registers++;
  if (b->is_exported) b->export_slot = take_slot(r, scope->home, b->span);
}

/* Parents come before their children in the list, so their `registers` are known. */
static void settle_scopes(Resolver *r, FnInfo *fn) {
  for (Scope *scope = fn->scope; scope; scope = scope->next) {
    Scope *parent = scope == fn->scope ? NULL : scope->parent;
    scope->registers += HIDDEN_PER_SCOPE + (parent ? parent->registers : 0);
    for (Binding *b = scope->first; b; b = b->next) settle_binding(r, scope, b);
  }
}

void resolve_leave_fn(Resolver *r) {
  FnInfo *fn = r->fn;
  settle_captures(fn);
  settle_scopes(r, fn);
  resolve_leave(r);
  r->fn = fn->parent;
}

/* ---- uses --------------------------------------------------------------------------------- */

Outer *resolve_find_outer(FnInfo *fn, Binding *binding) {
  if (binding->hint_fn == fn) return &fn->outers.items[binding->hint];
  for (size_t i = 0; i < fn->outers.count; i++) {
    if (fn->outers.items[i].binding != binding) continue;
    binding->hint_fn = fn;
    binding->hint = (uint32_t)i;
    return &fn->outers.items[i];
  }
  return NULL;
}

static Outer *add_outer(Resolver *r, FnInfo *fn, Binding *binding) {
  Outer *found = resolve_find_outer(fn, binding);
  if (found) return found;
  if (fn->outers.count >= MAX_VALUE_CAPTURES) binding->wants_frame = true;
  VEC_PUSH(r->comp, fn->outers, (Outer){.binding = binding});
  return &fn->outers.items[fn->outers.count - 1];
}

/* A function declaration must exist before the statement that the walk is in, or before the
 * function declaration that the walk is in. */
static void note_function_use(Resolver *r, Binding *b) {
  Scope *scope = b->scope;
  if (scope->current_fn) {
    FnEdge edge = {scope->current_fn, b};
    VEC_PUSH(r->comp, scope->edges, edge);
  } else if (scope->current < b->create_at) {
    b->create_at = scope->current;
  }
}

void resolve_note_use(Resolver *r, Binding *b, UseKind use) {
  if (!b->scope) return;
  if (b->kind == BIND_FN) note_function_use(r, b);
  if (b->storage == STORE_GLOBAL) return;
  for (FnInfo *fn = r->fn; fn && fn != b->fn; fn = fn->parent) {
    Outer *outer = add_outer(r, fn, b);
    if (fn == r->fn && use == USE_READ && fn->loop_depth > 0) outer->in_loop = true;
  }
}

bool resolve_needs_check(const FnInfo *fn, const Binding *binding) {
  while (fn->parent && fn->parent != binding->fn) fn = fn->parent;
  return fn->create_time < binding->init_time;
}

/* ---- when functions are made -------------------------------------------------------------- */

static bool settle_edge(FnEdge edge) {
  if (edge.to->create_at <= edge.from->create_at) return false;
  edge.to->create_at = edge.from->create_at;
  return true;
}

/* Sweeps to and fro, since chains of calls mostly run in one of the two directions. */
static void settle_edges(Scope *scope) {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < scope->edges.count; i++) changed |= settle_edge(scope->edges.items[i]);
    if (!changed) return;
    changed = false;
    for (size_t i = scope->edges.count; i-- > 0;) changed |= settle_edge(scope->edges.items[i]);
  }
}

void resolve_settle_functions(Resolver *r, Scope *scope, uint32_t count) {
  if (!scope->times) return;
  settle_edges(scope);
  Binding **tails = comp_array(r->comp, count, sizeof *tails);
  scope->created = comp_array(r->comp, count, sizeof *scope->created);
  for (Binding *b = scope->first; b; b = b->next) {
    if (b->kind != BIND_FN || !b->fn_node->info) continue;
    uint32_t at = b->create_at;
    b->init_time = scope->times[at];
    b->fn_node->info->create_time = scope->times[at];
    if (tails[at]) tails[at]->next_created = b;
    else scope->created[at] = b;
    tails[at] = b;
  }
}
