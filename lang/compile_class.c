/* Classes: made where the statement stands, from the class's name on known to its methods. */
#include "compile.h"

bool field_is_literal(const FieldDecl *field) {
  const Expr *value = field->default_value;
  return !value || (value->kind >= EXPR_NIL && value->kind <= EXPR_STRING);
}

static void add_fields(FnState *f, const ClassDecl *class_, unsigned reg) {
  for (uint32_t i = 0; i < class_->field_count; i++) {
    const FieldDecl *field = &class_->fields[i];
    bool is_literal = field_is_literal(field);
    unsigned value = reg_take(f, 1, field->span);
    if (is_literal && field->default_value) expr_to(f, field->default_value, value);
    else emit_nil(f, value);
    uint32_t name = const_string(f, text_of_name(field->name), field->span);
    emit_abcw(f, OP_FIELD, reg, value, !is_literal, name, field->name_span);
    reg_release(f, value);
  }
}

static void add_method(FnState *f, FnInfo *info, FnProto *proto, Text name, unsigned reg) {
  Span span = {proto->name_from, proto->name_to};
  unsigned closure = reg_take(f, 1, span);
  closure_emit(f, info, proto, closure);
  emit_abcw(f, OP_METHOD, reg, closure, 0, const_string(f, name, span), span);
  reg_release(f, closure);
}

static void add_methods(FnState *f, const ClassDecl *class_, unsigned reg) {
  if (class_->info) {
    add_method(f, class_->info, fields_compile(f, class_), (Text){"%fields", 7}, reg);
  }
  for (uint32_t i = 0; i < class_->method_count; i++) {
    Fn *fn = class_->methods[i];
    add_method(f, fn->info, method_compile(f, fn, class_), text_of_name(fn->name), reg);
  }
}

/* The superclass in a register, where methods that use `super` capture it. */
static unsigned superclass_value(FnState *f, const ClassDecl *class_) {
  if (!class_->superclass) return NO_SUPERCLASS;
  unsigned reg = expr_next(f, class_->superclass);
  var_init(f, class_->scope->first, reg, true, class_->superclass->span);
  return reg;
}

void class_stmt(FnState *f, ClassDecl *class_) {
  unsigned mark = f->next, active = f->active;
  Binding *b = class_->binding;
  bool is_local = b->storage == STORE_REGISTER;
  unsigned reg = reg_take(f, 1, class_->name_span);
  if (is_local) b->reg = (uint8_t)reg;
  scope_enter(f, class_->scope);
  unsigned superclass = superclass_value(f, class_);
  uint32_t name = const_string(f, text_of_name(class_->name), class_->name_span);
  Span span = class_->superclass ? class_->superclass->span : class_->name_span;
  emit_abcw(f, OP_CLASS, reg, superclass, 0, name, span);
  add_fields(f, class_, reg);
  add_methods(f, class_, reg);
  emit_abc(f, OP_CLASSEND, reg, 0, 0, class_->name_span);
  f->active = active;
  reg_release(f, is_local ? reg + 1 : reg);
  if (is_local) {
    var_publish(f, b);
  } else {
    reg_take(f, 1, class_->name_span);
    var_init(f, b, reg, false, class_->name_span);
    reg_release(f, mark);
  }
}
