/* Functions: prologue, body, closures.
 *
 * A function's registers begin with its parameters. The prologue makes the frame of the
 * parameters' scope, copies captured values that loops read into registers, and then, parameter
 * by parameter, fills in the default, moves the value to the frame or takes a pattern apart.
 *
 * Functions of a block that are made at the same place may capture each other by value. Those
 * in registers are made first, with a wrong value where the right one is still to come (their
 * bindings are *pending*), and are then put right by FIXCAP.
 */
#include "compile.h"

enum { MAX_HOISTED = 24, MAX_CHILDREN = 65536 };

/* ---- captures ----------------------------------------------------------------------------- */

/* Numbers the values that the function's closure holds. */
static void number_captures(FnInfo *info, FnProto *proto) {
  for (size_t i = 0; i < info->outers.count; i++) {
    Outer *outer = &info->outers.items[i];
    if (outer->binding->storage == STORE_FRAME) info->needs_frame = true;
    if (outer->binding->storage == STORE_REGISTER) outer->capture = proto->ncaps++;
  }
}

static void hoist_captures(FnState *f) {
  unsigned hoisted = 0;
  for (size_t i = 0; i < f->info->outers.count && hoisted < MAX_HOISTED; i++) {
    Outer *outer = &f->info->outers.items[i];
    if (!outer->in_loop || outer->binding->storage != STORE_REGISTER) continue;
    outer->reg = (uint8_t)reg_take(f, 1, NO_SPAN);
    emit_abc(f, OP_GETCAP, outer->reg, outer->capture, 0, NO_SPAN);
    outer->is_hoisted = true;
    hoisted++;
  }
  f->active = f->next;
}

/* ---- parameters --------------------------------------------------------------------------- */

static void add_param(FnProto *proto, Text name, bool optional) {
  proto->params[proto->nparams++] = (ParamInfo){name, optional};
  if (!optional) proto->nrequired++;
}

/* Describes the parameters and takes their registers. */
static void declare_params(FnState *f, const Fn *fn) {
  FnProto *proto = f->proto;
  bool has_self = f->info->self != NULL;
  uint32_t count = (fn ? fn->param_count : 0) + has_self;
  if (count > MAX_PARAMS) {
    compile_fail(f, fn->head, "a function can have at most 100 parameters");
    return;
  }
  proto->params = comp_array(f->comp, count, sizeof *proto->params);
  if (has_self) add_param(proto, (Text){"self", 4}, false);
  for (uint32_t i = 0; fn && i < fn->param_count; i++) {
    const Param *param = &fn->params[i];
    const Pattern *p = param->pattern;
    Text name = p->kind == PATTERN_BIND ? text_of_name(p->bind.name) : (Text){"", 0};
    if (param->is_rest) {
      proto->flags |= FN_REST | FN_COMPLEX;
      proto->rest_name = name;
    } else {
      if (param->default_value) proto->flags |= FN_COMPLEX;
      add_param(proto, name, param->default_value != NULL);
    }
  }
  reg_take(f, count, fn ? fn->head : NO_SPAN);
  f->active = f->next;
}

static void bind_params(FnState *f, const Fn *fn) {
  unsigned reg = f->info->self ? 1 : 0;
  for (uint32_t i = 0; i < fn->param_count; i++, reg++) {
    pattern_default(f, fn->params[i].default_value, reg);
    pattern_bind(f, fn->params[i].pattern, reg, true);
  }
}

/* ---- functions ---------------------------------------------------------------------------- */

static FnState *state_new(ModuleState *module, FnInfo *info) {
  FnState *f = COMP_NEW(module->comp, FnState);
  f->comp = module->comp;
  f->module = module;
  f->info = info;
  f->proto = COMP_NEW(f->comp, FnProto);
  number_captures(info, f->proto);
  return f;
}

/* Takes the registers of the parameters and makes the frame. */
static void prologue(FnState *f, const Fn *fn) {
  declare_params(f, fn);
  if (f->info->self) var_init(f, f->info->self, 0, true, NO_SPAN);
  scope_enter(f, f->info->scope);
  hoist_captures(f);
  if (fn && !f->has_failed) bind_params(f, fn);
}

static FnProto *state_finish(FnState *f) {
  FnProto *proto = f->proto;
  if (code_is_reachable(f)) emit_abc(f, OP_RETNIL, 0, 0, 0, NO_SPAN);
  locals_end(f, 0);
  proto->code = f->code.items;
  proto->ncode = (uint32_t)f->code.count;
  proto->consts = f->consts.items;
  proto->nconsts = (uint32_t)f->consts.count;
  proto->children = f->children.items;
  proto->nchildren = (uint32_t)f->children.count;
  proto->handlers = f->handlers.items;
  proto->nhandlers = (uint32_t)f->handlers.count;
  proto->spans = f->spans.items;
  proto->nspans = (uint32_t)f->spans.count;
  proto->locals = f->locals.items;
  proto->nlocals = (uint32_t)f->locals.count;
  return proto;
}

static void describe(FnProto *proto, const Fn *fn, Text name) {
  proto->name = name;
  proto->doc = fn->doc;
  proto->from = fn->span.start;
  proto->to = fn->span.end;
  proto->name_from = fn->name_span.start;
  proto->name_to = fn->name_span.end;
}

static FnProto *fn_compile(FnState *parent, Fn *fn, Text name) {
  FnState *f = state_new(parent->module, fn->info);
  describe(f->proto, fn, name);
  if (f->info->self) f->proto->flags |= FN_METHOD;
  if (f->info->is_init) f->proto->flags |= FN_INIT;
  prologue(f, fn);
  body_with_defers(f, fn->body, DEST_NONE);
  return state_finish(f);
}

FnProto *method_compile(FnState *f, Fn *fn, const ClassDecl *class_) {
  const char *full = arena_format(f->comp->arena, "%s.%s", class_->name->chars, fn->name->chars);
  Text name = {full, class_->name->len + 1 + fn->name->len};
  if (f->comp->arena->oom) name.len = 0;
  return fn_compile(f, fn, name);
}

static void set_field(FnState *f, const FieldDecl *field) {
  unsigned mark = f->next;
  if (field_is_literal(field)) return;
  unsigned value = expr_any(f, field->default_value);
  emit_cached(f, OP_SETF, 0, value, 0, text_of_name(field->name), field->span);
  reg_release(f, mark);
}

FnProto *fields_compile(FnState *parent, const ClassDecl *class_) {
  FnState *f = state_new(parent->module, class_->info);
  f->proto->name = (Text){"%fields", 7};
  f->proto->from = f->proto->name_from = class_->name_span.start;
  f->proto->to = f->proto->name_to = class_->name_span.end;
  f->proto->flags |= FN_METHOD;
  prologue(f, NULL);
  for (uint32_t i = 0; i < class_->field_count; i++) set_field(f, &class_->fields[i]);
  return state_finish(f);
}

FnProto *main_compile(ModuleState *module, FnInfo *info, Block *body) {
  FnState *f = state_new(module, info);
  f->proto->flags = FN_MAIN;
  f->proto->ncaps = 1;
  f->proto->to = module->comp->source->len;
  prologue(f, NULL);
  if (module->exports.count > 0) {
    emit_abc(f, OP_SETMOD, info->scope->frame_reg, 0, 0, NO_SPAN);
  }
  body_with_defers(f, body, module->comp->options->want_value ? DEST_RETURN : DEST_NONE);
  return state_finish(f);
}

/* ---- closures ----------------------------------------------------------------------------- */

/* Where the captured value comes from; a pending one is put right later. */
static uint32_t capture_word(FnState *f, const Outer *outer, unsigned closure) {
  Binding *b = outer->binding;
  if (b->fn != f->info) {
    const Outer *own = resolve_find_outer(f->info, b);
    return CAPTURE_OWN + (own ? own->capture : 0u);
  }
  if (!b->is_pending) return b->reg;
  Fix fix = {(uint8_t)closure, outer->capture, b};
  VEC_PUSH(f->comp, f->fixes, fix);
  return closure;
}

/* A value to be put right later is taken from the register that gets the closure: not of what lay
 * there before. */
static void clear_pending(FnState *f, const FnInfo *info, unsigned dst) {
  for (size_t i = 0; i < info->outers.count; i++) {
    const Binding *b = info->outers.items[i].binding;
    if (b->storage != STORE_REGISTER || b->fn != f->info || !b->is_pending) continue;
    emit_ad(f, OP_LOADP, dst, PRIM_NIL, NO_SPAN);
    return;
  }
}

void closure_emit(FnState *f, FnInfo *info, FnProto *proto, unsigned dst) {
  if (f->children.count >= MAX_CHILDREN) {
    compile_fail(f, (Span){proto->from, proto->to}, "too many functions in one function");
    return;
  }
  unsigned frame = info->needs_frame ? scope_frame(f, info->scope->parent) : FRAME_NONE;
  VEC_PUSH(f->comp, f->children, proto);
  clear_pending(f, info, dst);
  emit_ad(f, OP_CLOSURE, dst, (int32_t)(f->children.count - 1),
          (Span){proto->from, proto->to});
  emit_word(f, op_make_closure_word(frame, proto->ncaps));
  for (size_t i = 0; i < info->outers.count; i++) {
    const Outer *outer = &info->outers.items[i];
    if (outer->binding->storage == STORE_REGISTER) emit_word(f, capture_word(f, outer, dst));
  }
}

static void apply_fixes(FnState *f) {
  for (size_t i = 0; i < f->fixes.count; i++) {
    const Fix *fix = &f->fixes.items[i];
    emit_abc(f, OP_FIXCAP, fix->closure, fix->capture, fix->binding->reg, NO_SPAN);
  }
  f->fixes.count = 0;
}

void closure_to(FnState *f, Fn *fn, unsigned dst) {
  Text name = fn->name ? text_of_name(fn->name) : (Text){"", 0};
  closure_emit(f, fn->info, fn_compile(f, fn, name), dst);
}

void closure_to_own(FnState *f, Fn *fn, Binding *own, unsigned dst) {
  own->is_pending = own->storage == STORE_REGISTER;
  closure_to(f, fn, dst);
  own->is_pending = false;
  apply_fixes(f);
}

/* ---- declared functions ------------------------------------------------------------------- */

static void create_in_registers(FnState *f, Binding *first) {
  for (Binding *b = first; b; b = b->next_created) {
    if (b->storage != STORE_REGISTER) continue;
    var_place(f, b, NO_VALUE);
    b->is_pending = true;
  }
  f->active = f->next;
  for (Binding *b = first; b; b = b->next_created) {
    if (b->storage == STORE_REGISTER) closure_to(f, b->fn_node, b->reg);
  }
  apply_fixes(f);
  for (Binding *b = first; b; b = b->next_created) {
    if (b->storage != STORE_REGISTER) continue;
    b->is_pending = false;
    var_publish(f, b);
  }
}

static void create_elsewhere(FnState *f, Binding *first) {
  for (Binding *b = first; b; b = b->next_created) {
    if (b->storage == STORE_REGISTER) continue;
    unsigned mark = f->next;
    unsigned closure = reg_take(f, 1, b->span);
    closure_to(f, b->fn_node, closure);
    var_init(f, b, closure, false, b->span);
    reg_release(f, mark);
  }
}

void functions_create(FnState *f, Scope *scope, uint32_t index) {
  Binding *first = scope->created ? scope->created[index] : NULL;
  if (!first) return;
  create_in_registers(f, first);
  create_elsewhere(f, first);
}
