/* The resolver's walk over the tree, in the order in which the program evaluates it.
 *
 * A block declares all its names on entry, so that a use before the line is an error rather than
 * a use of an outer variable of that name; functions and classes may be used from other
 * functions before their line.
 *
 * Left spines (`a + b + c`, `a.b(c).d`) are walked by a loop, since they may be long; everything
 * else recurses, within the limits that the parser keeps.
 */
#include <string.h>

#include "resolve_internal.h"
#include "spine.h"

static void walk_expr(Resolver *r, Expr *e);
static void walk_alone(Resolver *r, Expr *e);
static void walk_block(Resolver *r, Block *block, Scope *home);
static void walk_pattern(Resolver *r, Pattern *p);
static void walk_fn(Resolver *r, Fn *fn, ClassDecl *class_);

static Diag *report(Resolver *r, Span span, const char *message) {
  return diag_error(r->comp->diags, r->comp->source, span, "%s", message);
}

/* ---- names -------------------------------------------------------------------------------- */

static void check_initialised(Resolver *r, const Binding *b, Span span) {
  if (b->fn != r->fn || b->init_time != TIME_NEVER || b->kind == BIND_FN || !b->scope) return;
  Compilation *comp = r->comp;
  uint32_t line = source_position(comp->source, b->span.start).line;
  Diag *diag = diag_error(comp->diags, comp->source, span,
                          "'%s' is used before its declaration on line %u", b->name->chars, line);
  diag_related(comp->diags, diag, comp->source, b->span, "declared here");
}

static Binding *use_name(Resolver *r, Name *name, Span span, UseKind use) {
  Binding *b = resolve_lookup(r, name, span, use);
  check_initialised(r, b, span);
  resolve_note_use(r, b->live_module ? b->live_module : b, use);
  return b;
}

static const char *kind_text(BindingKind kind) {
  switch (kind) {
    case BIND_CONST: return "a constant";
    case BIND_FN: return "a function";
    case BIND_CLASS: return "a class";
    case BIND_IMPORT: return "an import";
    case BIND_CORE: return "a core name";
    default: return "constant";
  }
}

static void report_constant(Resolver *r, const Binding *b, Span span) {
  Compilation *comp = r->comp;
  Diag *diag = diag_error(comp->diags, comp->source, span, "cannot assign to '%s': it is %s",
                          b->name->chars, kind_text(b->kind));
  if (b->kind == BIND_CONST) {
    diag_hint(comp->diags, diag, "declare it with 'let' to change it later");
  } else if (b->kind == BIND_CORE) {
    diag_hint(comp->diags, diag, "declare your own with 'let %s = ...'", b->name->chars);
  }
  if (b->scope) diag_related(comp->diags, diag, comp->source, b->span, "declared here");
}

static void assign_name(Resolver *r, Expr *target) {
  Name *name = target->name.name;
  Binding *b = use_name(r, name, target->span, USE_ASSIGN);
  target->name.binding = b;
  if (b->is_const) report_constant(r, b, target->span);
  b->is_assigned = true;
  if (r->value_depth > 0) b->is_volatile = true;
}

/* ---- expressions -------------------------------------------------------------------------- */

static void walk_exprs(Resolver *r, ExprList list) {
  for (uint32_t i = 0; i < list.count; i++) walk_expr(r, list.items[i]);
}

static void walk_optional(Resolver *r, Expr *e) {
  if (e) walk_expr(r, e);
}

static void walk_args(Resolver *r, Expr *call) {
  for (uint32_t i = 0; i < call->call.count; i++) walk_expr(r, call->call.args[i].value);
}

static void walk_map(Resolver *r, Expr *e) {
  for (uint32_t i = 0; i < e->map.count; i++) {
    walk_optional(r, e->map.entries[i].key);
    walk_expr(r, e->map.entries[i].value);
  }
}

static FnInfo *method_around(const Resolver *r) {
  FnInfo *fn = r->fn;
  while (fn && !fn->self) fn = fn->parent;
  return fn;
}

static Binding *use_self(Resolver *r, Span span, const char *word) {
  FnInfo *method = method_around(r);
  if (!method) {
    diag_error(r->comp->diags, r->comp->source, span, "'%s' is known only in methods", word);
    return NULL;
  }
  resolve_note_use(r, method->self, USE_READ);
  return method->self;
}

static void walk_super(Resolver *r, Expr *e) {
  e->super.binding = use_self(r, e->span, "super");
  if (!e->super.binding) return;
  ClassDecl *class_ = method_around(r)->class_;
  if (!class_->superclass) {
    diag_error(r->comp->diags, r->comp->source, e->span, "class '%s' has no superclass",
               class_->name->chars);
    return;
  }
  e->super.class_binding = class_->scope->first;
  resolve_note_use(r, e->super.class_binding, USE_READ);
}

static void walk_type(Resolver *r, Expr *type, int *builtin) {
  *builtin = resolve_builtin_type(r, type);
  if (!*builtin) walk_expr(r, type);
}

static void walk_yield(Resolver *r, Expr *e) {
  if (!r->fn->parent) report(r, e->span, "'yield' outside a function");
  walk_optional(r, e->operand);
}

/* A function called by the name it is stored under may call itself by a captured copy. */
static void walk_named_fn(Resolver *r, Pattern *pattern, Expr *value) {
  if (pattern->kind == PATTERN_BIND) resolve_initialise(r, pattern->bind.binding);
  walk_fn(r, value->fn, NULL);
}

/* ---- if, match, try: also statements, where `value_depth` stays as it is ---- */

static void walk_operand(Resolver *r, Expr *e) {
  r->value_depth++;
  walk_expr(r, e);
  r->value_depth--;
}

static void walk_if(Resolver *r, IfExpr *if_) {
  for (uint32_t i = 0; i < if_->count; i++) {
    walk_operand(r, if_->clauses[i].condition);
    walk_block(r, if_->clauses[i].body, NULL);
  }
  if (if_->otherwise) walk_block(r, if_->otherwise, NULL);
}

static void declare_pattern(Resolver *r, Pattern *p, BindingKind kind);

static void walk_arm(Resolver *r, MatchArm *arm) {
  arm->scope = resolve_enter(r, NULL);
  declare_pattern(r, arm->pattern, BIND_MATCH);
  walk_pattern(r, arm->pattern);
  if (arm->guard) walk_operand(r, arm->guard);
  walk_block(r, arm->body, arm->scope);
  resolve_leave(r);
}

static void walk_match(Resolver *r, MatchExpr *match) {
  walk_operand(r, match->subject);
  for (uint32_t i = 0; i < match->count; i++) walk_arm(r, &match->arms[i]);
}

enum { TRY_REGISTERS = 4 };

static void walk_try(Resolver *r, TryExpr *try_) {
  r->scope->registers += TRY_REGISTERS;
  walk_block(r, try_->body, NULL);
  if (try_->catch_body) {
    try_->catch_scope = resolve_enter(r, NULL);
    if (try_->catch_pattern) {
      declare_pattern(r, try_->catch_pattern, BIND_CATCH);
      walk_pattern(r, try_->catch_pattern);
    }
    walk_block(r, try_->catch_body, try_->catch_scope);
    resolve_leave(r);
  }
  if (try_->finally_body) walk_block(r, try_->finally_body, NULL);
}

/* ---- assignment ---- */

static void walk_target(Resolver *r, Expr *target, bool is_read) {
  if (target->kind != EXPR_NAME) {
    walk_operand(r, target);
    return;
  }
  if (is_read) use_name(r, target->name.name, target->span, USE_READ);
  assign_name(r, target);
}

/* The target's own parts come first; a plain name is assigned last. */
static void walk_assign(Resolver *r, Expr *e) {
  Expr *target = e->assign.target;
  bool is_name = target->kind == EXPR_NAME;
  if (!is_name) walk_target(r, target, false);
  if (is_name && e->assign.how == ASSIGN_PLAIN) walk_alone(r, e->assign.value);
  else walk_operand(r, e->assign.value);
  if (is_name) walk_target(r, target, e->assign.how != ASSIGN_PLAIN);
}

static void walk_unpack(Resolver *r, Expr *e) {
  walk_operand(r, e->unpack.value);
  walk_pattern(r, e->unpack.pattern);
}

/* ---- dispatch ---- */

/* What of `e` does not belong to its left spine. */
static void walk_spine_rest(Resolver *r, Expr *e) {
  switch (e->kind) {
    case EXPR_BINARY: walk_expr(r, e->binary.right); break;
    case EXPR_LOGIC: walk_expr(r, e->logic.right); break;
    case EXPR_CALL: walk_args(r, e); break;
    case EXPR_INDEX: walk_exprs(r, e->index.indices); break;
    default: break;
  }
  resolve_fold(r->comp, e);
}

static void walk_range(Resolver *r, Expr *e) {
  walk_optional(r, e->range.from);
  walk_optional(r, e->range.to);
}

static void walk_leaf(Resolver *r, Expr *e, UseKind use) {
  switch (e->kind) {
    case EXPR_NAME:
      e->name.binding = use_name(r, e->name.name, e->span, use);
      break;
    case EXPR_SELF: e->self_binding = use_self(r, e->span, "self"); break;
    case EXPR_SUPER: walk_super(r, e); break;
    case EXPR_INTERP:
    case EXPR_LIST: walk_exprs(r, e->list); break;
    case EXPR_MAP: walk_map(r, e); break;
    case EXPR_SPREAD:
    case EXPR_CHAIN: walk_expr(r, e->operand); break;
    case EXPR_UNARY:
      walk_expr(r, e->unary.operand);
      resolve_fold(r->comp, e);
      break;
    case EXPR_IS:
      walk_expr(r, e->is.value);
      walk_type(r, e->is.type, &e->is.builtin);
      break;
    case EXPR_RANGE: walk_range(r, e); break;
    case EXPR_FN: walk_fn(r, e->fn, NULL); break;
    case EXPR_IF: walk_if(r, e->if_); break;
    case EXPR_MATCH: walk_match(r, e->match); break;
    case EXPR_TRY: walk_try(r, e->try_); break;
    case EXPR_YIELD: walk_yield(r, e); break;
    case EXPR_ASSIGN: walk_assign(r, e); break;
    case EXPR_UNPACK: walk_unpack(r, e); break;
    default: break;
  }
}

static void walk_spine(Resolver *r, Expr *e) {
  Spine spine = spine_of(r->comp, e);
  Expr *base = spine.base;
  bool is_called = spine.count > 0 && spine.nodes[0]->kind == EXPR_CALL;
  walk_leaf(r, base, is_called ? USE_CALL : USE_READ);
  for (uint32_t i = 0; i < spine.count; i++) walk_spine_rest(r, spine.nodes[i]);
}

/* The value of `e` is used. */
static void walk_expr(Resolver *r, Expr *e) {
  r->value_depth++;
  if (spine_left(e)) walk_spine(r, e);
  else walk_leaf(r, e, USE_READ);
  r->value_depth--;
}

/* Nothing of an expression around `e` has been evaluated that its assignments could change. */
static void walk_alone(Resolver *r, Expr *e) {
  switch (e->kind) {
    case EXPR_IF:
    case EXPR_MATCH:
    case EXPR_TRY:
    case EXPR_ASSIGN:
    case EXPR_UNPACK: walk_leaf(r, e, USE_READ); break;
    default: walk_expr(r, e); break;
  }
}

/* ---- patterns ----------------------------------------------------------------------------- */

static void declare_pattern(Resolver *r, Pattern *p, BindingKind kind) {
  switch (p->kind) {
    case PATTERN_BIND:
      p->bind.binding = resolve_declare(r, kind, p->bind.name, p->span);
      break;
    case PATTERN_LIST:
      r->scope->registers += p->list.count + 1;
      for (uint32_t i = 0; i < p->list.count; i++) {
        declare_pattern(r, p->list.items[i].pattern, kind);
      }
      if (p->list.rest) declare_pattern(r, p->list.rest, kind);
      break;
    case PATTERN_MAP:
      r->scope->registers += p->map.count + 2;
      for (uint32_t i = 0; i < p->map.count; i++) {
        declare_pattern(r, p->map.entries[i].pattern, kind);
      }
      if (p->map.rest) declare_pattern(r, p->map.rest, kind);
      break;
    case PATTERN_TYPE:
      if (p->type.inner) declare_pattern(r, p->type.inner, kind);
      break;
    case PATTERN_OR: /* they bind nothing, but may want registers */
      for (uint32_t i = 0; i < p->alternatives.count; i++) {
        declare_pattern(r, p->alternatives.items[i], kind);
      }
      break;
    default: break;
  }
}

static void walk_list_pattern(Resolver *r, Pattern *p) {
  for (uint32_t i = 0; i < p->list.count; i++) {
    walk_optional(r, p->list.items[i].default_value);
    walk_pattern(r, p->list.items[i].pattern);
  }
  if (p->list.rest) walk_pattern(r, p->list.rest);
}

static void walk_map_pattern(Resolver *r, Pattern *p) {
  for (uint32_t i = 0; i < p->map.count; i++) {
    walk_optional(r, p->map.entries[i].default_value);
    walk_pattern(r, p->map.entries[i].pattern);
  }
  if (p->map.rest) walk_pattern(r, p->map.rest);
}

static void walk_pattern(Resolver *r, Pattern *p) {
  switch (p->kind) {
    case PATTERN_BIND: resolve_initialise(r, p->bind.binding); break;
    case PATTERN_TARGET: walk_target(r, p->target, false); break;
    case PATTERN_LIST: walk_list_pattern(r, p); break;
    case PATTERN_MAP: walk_map_pattern(r, p); break;
    case PATTERN_TYPE:
      walk_type(r, p->type.type, &p->type.builtin);
      if (p->type.inner) walk_pattern(r, p->type.inner);
      break;
    case PATTERN_OR:
      for (uint32_t i = 0; i < p->alternatives.count; i++) {
        walk_pattern(r, p->alternatives.items[i]);
      }
      break;
    default: break;
  }
}

/* ---- functions and classes ---------------------------------------------------------------- */

static void declare_params(Resolver *r, Fn *fn) {
  for (uint32_t i = 0; i < fn->param_count; i++) {
    declare_pattern(r, fn->params[i].pattern, BIND_PARAM);
  }
}

static void walk_params(Resolver *r, Fn *fn) {
  for (uint32_t i = 0; i < fn->param_count; i++) {
    walk_optional(r, fn->params[i].default_value);
    walk_pattern(r, fn->params[i].pattern);
  }
}

/* State of the walk that a function starts anew. */
typedef struct FnContext {
  LoopInfo *loop;
  uint32_t value_depth;
} FnContext;

static FnContext enter_fn(Resolver *r, Fn *node, ClassDecl *class_) {
  FnContext context = {r->loop, r->value_depth};
  r->loop = NULL;
  r->value_depth = 0;
  FnInfo *fn = resolve_enter_fn(r, node);
  if (class_) {
    fn->class_ = class_;
    fn->self = resolve_declare_hidden(r);
    resolve_initialise(r, fn->self);
  }
  return context;
}

static void leave_fn(Resolver *r, FnContext context) {
  resolve_leave_fn(r);
  r->loop = context.loop;
  r->value_depth = context.value_depth;
}

static void walk_fn(Resolver *r, Fn *fn, ClassDecl *class_) {
  FnContext context = enter_fn(r, fn, class_);
  fn->info = r->fn;
  fn->scope = r->scope;
  r->fn->is_init = class_ && strcmp(fn->name->chars, "init") == 0;
  declare_params(r, fn);
  walk_params(r, fn);
  walk_block(r, fn->body, fn->scope);
  resolve_check_unused(r, fn);
  leave_fn(r, context);
}

static bool is_constant_default(const Expr *e) {
  return !e || (e->kind >= EXPR_NIL && e->kind <= EXPR_STRING);
}

/* Defaults that are not literals are evaluated by a hidden method. */
static void walk_fields(Resolver *r, ClassDecl *class_) {
  bool needs_method = false;
  for (uint32_t i = 0; i < class_->field_count; i++) {
    needs_method |= !is_constant_default(class_->fields[i].default_value);
  }
  if (!needs_method) return;
  FnContext context = enter_fn(r, NULL, class_);
  class_->info = r->fn;
  for (uint32_t i = 0; i < class_->field_count; i++) {
    walk_optional(r, class_->fields[i].default_value);
  }
  leave_fn(r, context);
}

static void walk_class(Resolver *r, ClassDecl *class_) {
  if (class_->superclass) walk_expr(r, class_->superclass);
  resolve_initialise(r, class_->binding);
  class_->scope = resolve_enter(r, NULL);
  if (class_->superclass) resolve_initialise(r, resolve_declare_hidden(r));
  walk_fields(r, class_);
  for (uint32_t i = 0; i < class_->method_count; i++) walk_fn(r, class_->methods[i], class_);
  resolve_leave(r);
}

/* ---- statements --------------------------------------------------------------------------- */

static void walk_let(Resolver *r, Stmt *stmt) {
  Expr *value = stmt->let.value;
  Pattern *pattern = stmt->let.pattern;
  if (value && value->kind == EXPR_FN) walk_named_fn(r, pattern, value);
  else if (value) walk_alone(r, value);
  if (pattern->kind != PATTERN_BIND || pattern->bind.binding->init_time == TIME_NEVER) {
    walk_pattern(r, pattern);
  }
}

static LoopInfo *enter_loop(Resolver *r, Name *label) {
  LoopInfo *loop = COMP_NEW(r->comp, LoopInfo);
  loop->outer = r->loop;
  loop->label = label;
  r->loop = loop;
  r->fn->loop_depth++;
  return loop;
}

static void leave_loop(Resolver *r) {
  r->loop = r->loop->outer;
  r->fn->loop_depth--;
}

static void walk_while(Resolver *r, Stmt *stmt) {
  stmt->while_.info = enter_loop(r, stmt->while_.label);
  walk_operand(r, stmt->while_.condition);
  walk_block(r, stmt->while_.body, NULL);
  leave_loop(r);
}

enum { FOR_REGISTERS = 5 };

static void walk_for(Resolver *r, Stmt *stmt) {
  walk_operand(r, stmt->for_.iterable);
  stmt->for_.info = enter_loop(r, stmt->for_.label);
  stmt->for_.scope = resolve_enter(r, NULL);
  r->scope->registers += FOR_REGISTERS;
  declare_pattern(r, stmt->for_.first, BIND_LOOP);
  if (stmt->for_.second) declare_pattern(r, stmt->for_.second, BIND_LOOP);
  walk_pattern(r, stmt->for_.first);
  if (stmt->for_.second) walk_pattern(r, stmt->for_.second);
  walk_block(r, stmt->for_.body, stmt->for_.scope);
  resolve_leave(r);
  leave_loop(r);
}

static void report_no_label(Resolver *r, const Stmt *stmt) {
  Compilation *comp = r->comp;
  diag_error(comp->diags, comp->source, stmt->jump.label_span,
             "no loop around is labelled '%s'", stmt->jump.label->chars);
}

static void walk_jump(Resolver *r, Stmt *stmt) {
  const char *word = stmt->kind == STMT_BREAK ? "break" : "continue";
  LoopInfo *loop = r->loop;
  if (!loop) {
    diag_error(r->comp->diags, r->comp->source, stmt->span, "'%s' outside a loop", word);
    return;
  }
  while (loop && stmt->jump.label && loop->label != stmt->jump.label) loop = loop->outer;
  if (!loop) report_no_label(r, stmt);
  stmt->jump.target = loop;
}

static void walk_return(Resolver *r, Stmt *stmt) {
  FnInfo *fn = r->fn;
  bool is_arrow = fn->node && fn->node->is_arrow;
  if (!fn->parent) report(r, stmt->span, "'return' outside a function");
  if (fn->is_init && stmt->expr && !is_arrow) {
    Diag *diag = report(r, stmt->expr->span, "'init' cannot return a value");
    diag_hint(r->comp->diags, diag, "calling the class gives the new instance");
  }
  if (stmt->expr) walk_alone(r, stmt->expr);
}

static void walk_imports(Resolver *r, Stmt *stmt) {
  for (uint32_t i = 0; i < stmt->imports.count; i++) {
    Import *import = &stmt->imports.items[i];
    if (import->binding) resolve_initialise(r, import->binding);
    for (uint32_t j = 0; j < import->item_count; j++) {
      Binding *b = import->items[j].binding;
      if (b->live_module) b->live_module->init_time = ++r->time;
      resolve_initialise(r, b);
    }
  }
}

static void walk_stmt(Resolver *r, Stmt *stmt) {
  switch (stmt->kind) {
    case STMT_EXPR: walk_alone(r, stmt->expr); break;
    case STMT_LET: walk_let(r, stmt); break;
    case STMT_FN: walk_fn(r, stmt->fn, NULL); break;
    case STMT_CLASS: walk_class(r, stmt->class_); break;
    case STMT_BLOCK: walk_block(r, stmt->block, NULL); break;
    case STMT_WHILE: walk_while(r, stmt); break;
    case STMT_FOR: walk_for(r, stmt); break;
    case STMT_BREAK:
    case STMT_CONTINUE: walk_jump(r, stmt); break;
    case STMT_RETURN: walk_return(r, stmt); break;
    case STMT_THROW: walk_expr(r, stmt->expr); break;
    case STMT_DEFER:
      r->fn->has_defer = true;
      walk_expr(r, stmt->expr);
      break;
    case STMT_IMPORT: walk_imports(r, stmt); break;
    default: break;
  }
}

/* ---- blocks ------------------------------------------------------------------------------- */

static bool is_live_import(const Resolver *r, const Import *import) {
  return import->is_path && !r->comp->options->session;
}

static void declare_import(Resolver *r, Import *import) {
  if (import->local) {
    import->binding = resolve_declare(r, BIND_IMPORT, import->local, import->local_span);
    import->binding->is_module = true;
  }
  Binding *module = NULL;
  if (import->item_count > 0) r->scope->registers++; /* the module itself */
  if (import->item_count > 0 && is_live_import(r, import)) module = resolve_declare_hidden(r);
  for (uint32_t i = 0; i < import->item_count; i++) {
    ImportItem *item = &import->items[i];
    item->binding = resolve_declare(r, BIND_IMPORT, item->local, item->local_span);
    item->binding->live_module = module;
    item->binding->member = item->name;
  }
}

static void declare_stmt(Resolver *r, Stmt *stmt) {
  switch (stmt->kind) {
    case STMT_LET:
      declare_pattern(r, stmt->let.pattern, stmt->let.is_const ? BIND_CONST : BIND_LET);
      break;
    case STMT_FN:
      stmt->fn->binding = resolve_declare(r, BIND_FN, stmt->fn->name, stmt->fn->name_span);
      stmt->fn->binding->fn_node = stmt->fn;
      break;
    case STMT_CLASS:
      stmt->class_->binding =
          resolve_declare(r, BIND_CLASS, stmt->class_->name, stmt->class_->name_span);
      break;
    case STMT_IMPORT:
      for (uint32_t i = 0; i < stmt->imports.count; i++) {
        declare_import(r, &stmt->imports.items[i]);
      }
      break;
    default: break;
  }
}

/* Declarations of a module's top level may be exported; in a session they are globals. */
static void declare_block(Resolver *r, Block *block) {
  bool is_session = !r->fn->parent && r->comp->options->session && r->scope->parent &&
                    r->scope->parent == r->fn->scope;
  bool has_functions = false;
  for (uint32_t i = 0; i < block->count; i++) {
    Stmt *stmt = block->stmts[i];
    Binding *before = r->scope->last;
    declare_stmt(r, stmt);
    has_functions |= stmt->kind == STMT_FN;
    for (Binding *b = before ? before->next : r->scope->first; b; b = b->next) {
      b->is_exported = stmt->exported;
      if (stmt->kind == STMT_FN) b->create_at = i;
      if (is_session) b->storage = STORE_GLOBAL;
    }
  }
  if (has_functions) r->scope->times = comp_array(r->comp, block->count, sizeof(uint32_t));
}

static void walk_block(Resolver *r, Block *block, Scope *home) {
  Scope *scope = resolve_enter(r, home);
  block->scope = scope;
  declare_block(r, block);
  for (uint32_t i = 0; i < block->count; i++) {
    Stmt *stmt = block->stmts[i];
    scope->current = i;
    scope->current_fn = stmt->kind == STMT_FN ? stmt->fn->binding : NULL;
    if (scope->times) scope->times[i] = ++r->time;
    walk_stmt(r, stmt);
  }
  resolve_settle_functions(r, scope, block->count);
  resolve_leave(r);
}

/* Only a program without errors gives names to the host. */
static void define_globals(Compilation *comp, Scope *scope) {
  const LangEnv *env = comp->options->env;
  for (Binding *b = scope->first; b; b = b->next) {
    if (b->storage != STORE_GLOBAL || !b->name) continue;
    int index = env && env->global_define
                    ? env->global_define(env->ctx, b->name->chars, b->name->len, b->is_const)
                    : -1;
    if (index >= 0) b->index = (uint32_t)index;
    else diag_error(comp->diags, comp->source, b->span, "too many global names");
  }
}

void resolve_program(Compilation *comp, Program *program, FnInfo **main) {
  Resolver r = {.comp = comp};
  FnInfo *fn = resolve_enter_fn(&r, NULL);
  walk_block(&r, program->body, fn->scope);
  resolve_leave_fn(&r);
  *main = fn;
  if (comp->diags->error_count == 0 && comp->options->session) {
    define_globals(comp, program->body->scope);
  }
}
