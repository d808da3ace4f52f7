/* Assignments, declarations and the patterns that cannot be refused. */
#include "compile.h"

/* ---- assignment to one target ------------------------------------------------------------- */

/* Evaluated parts of a target. */
typedef struct Place {
  Expr *target;
  unsigned object, key;
  uint32_t keys; /* `a[i, j]`: keys in a row from `key` on; else 0 or 1 */
} Place;

static Place place_of(FnState *f, Expr *target) {
  Place place = {target, 0, 0, 0};
  if (target->kind == EXPR_FIELD) {
    place.object = expr_any(f, target->field.object);
  } else if (target->kind == EXPR_INDEX) {
    ExprList indices = target->index.indices;
    place.object = expr_any(f, target->index.object);
    place.keys = indices.count;
    place.key = indices.count == 1 ? expr_any(f, indices.items[0]) : f->next;
    for (uint32_t i = 0; indices.count > 1 && i < indices.count; i++) {
      expr_next(f, indices.items[i]);
    }
  }
  return place;
}

/* Calls the object's method `[]` or `[]=` with the keys and, for that, R[value]. */
static void place_call(FnState *f, const Place *place, Text method, int value, unsigned dst) {
  unsigned mark = f->next;
  Span span = place->target->span;
  unsigned arguments = place->keys + (value == NO_VALUE ? 0 : 1);
  unsigned base = reg_take(f, 3 + arguments, span);
  emit_move(f, base + 2, place->object);
  for (uint32_t i = 0; i < place->keys; i++) emit_move(f, base + 3 + i, place->key + i);
  if (value != NO_VALUE) emit_move(f, base + 3 + place->keys, (unsigned)value);
  emit_cached(f, OP_INVOKE, base, arguments, value == NO_VALUE ? dst : base, method, span);
  reg_release(f, mark);
}

/* With `forgiving` a missing map key reads as nil. */
static void place_load(FnState *f, const Place *place, unsigned dst, bool forgiving) {
  const Expr *e = place->target;
  if (e->kind == EXPR_NAME) {
    var_load(f, e->name.binding, dst, e->span);
  } else if (e->kind == EXPR_FIELD) {
    Opcode op = forgiving ? OP_GETFQ : OP_GETF;
    emit_cached(f, op, dst, place->object, 0, text_of_name(e->field.name), e->span);
  } else if (place->keys > 1) {
    place_call(f, place, (Text){"[]", 2}, NO_VALUE, dst);
  } else {
    emit_abc(f, forgiving ? OP_GETIDXQ : OP_GETIDX, dst, place->object, place->key, e->span);
  }
}

static void place_store(FnState *f, const Place *place, unsigned reg) {
  const Expr *e = place->target;
  if (e->kind == EXPR_NAME) {
    var_assign(f, e->name.binding, reg, e->span);
  } else if (e->kind == EXPR_FIELD) {
    emit_cached(f, OP_SETF, place->object, reg, 0, text_of_name(e->field.name), e->span);
  } else if (place->keys > 1) {
    place_call(f, place, (Text){"[]=", 3}, (int)reg, reg);
  } else {
    emit_abc(f, OP_SETIDX, place->object, place->key, reg, e->span);
  }
}

/* The variable's own register, if the target is one of this function. */
static int own_register(const FnState *f, const Expr *target) {
  if (target->kind != EXPR_NAME) return NO_VALUE;
  const Binding *b = target->name.binding;
  return b->storage == STORE_REGISTER && b->fn == f->info ? b->reg : NO_VALUE;
}

/* `a[i, j] = v` as a statement: the parts are evaluated into the call's registers. */
static unsigned assign_indexed(FnState *f, Expr *e) {
  const Expr *target = e->assign.target;
  ExprList indices = target->index.indices;
  unsigned base = reg_take(f, 2, e->span);
  expr_next(f, target->index.object);
  for (uint32_t i = 0; i < indices.count; i++) expr_next(f, indices.items[i]);
  expr_next(f, e->assign.value);
  emit_cached(f, OP_INVOKE, base, indices.count + 1, base, (Text){"[]=", 3}, target->span);
  return base;
}

static unsigned assign_plain(FnState *f, Expr *e, bool is_dropped) {
  const Expr *target = e->assign.target;
  bool is_indexed = target->kind == EXPR_INDEX && target->index.indices.count > 1;
  if (is_indexed && is_dropped) return assign_indexed(f, e);
  int own = own_register(f, e->assign.target);
  if (own != NO_VALUE) {
    expr_to(f, e->assign.value, (unsigned)own);
    return (unsigned)own;
  }
  Place place = place_of(f, e->assign.target);
  unsigned value = expr_any(f, e->assign.value);
  place_store(f, &place, value);
  return value;
}

static unsigned assign_binary(FnState *f, Expr *e) {
  int own = own_register(f, e->assign.target);
  if (own != NO_VALUE && !e->assign.target->name.binding->is_volatile) {
    binary_to(f, e->assign.op, (unsigned)own, e->assign.value, (unsigned)own, e->span);
    return (unsigned)own;
  }
  Place place = place_of(f, e->assign.target);
  unsigned value = reg_take(f, 1, e->span);
  place_load(f, &place, value, false);
  binary_to(f, e->assign.op, value, e->assign.value, value, e->span);
  place_store(f, &place, value);
  return value;
}

static unsigned assign_coalesce(FnState *f, Expr *e) {
  Label end = {0};
  Place place = place_of(f, e->assign.target);
  unsigned value = reg_take(f, 1, e->span);
  place_load(f, &place, value, true);
  emit_branch(f, op_make_abc(OP_JNNIL, value, 0, 0), &end, NO_SPAN);
  expr_to(f, e->assign.value, value);
  place_store(f, &place, value);
  label_bind(f, &end);
  return value;
}

void assign_into(FnState *f, Expr *e, int dest) {
  unsigned mark = f->next;
  unsigned value;
  switch (e->assign.how) {
    case ASSIGN_PLAIN: value = assign_plain(f, e, dest == DEST_NONE); break;
    case ASSIGN_BINARY: value = assign_binary(f, e); break;
    default: value = assign_coalesce(f, e); break;
  }
  deliver(f, value, dest);
  reg_release(f, mark);
}

/* ---- patterns ----------------------------------------------------------------------------- */

void pattern_default(FnState *f, Expr *value, unsigned reg) {
  if (!value) return;
  Label present = {0};
  emit_branch(f, op_make_abc(OP_JPRESENT, reg, 0, 0), &present, NO_SPAN);
  expr_to(f, value, reg);
  label_bind(f, &present);
}

static uint32_t list_width(const Pattern *p) { return p->list.count + (p->list.rest ? 1 : 0); }

/* The elements of R[source] into registers from `base` on. */
static void emit_unpack(FnState *f, const Pattern *p, unsigned base, unsigned source) {
  uint32_t count = p->list.count, required = 0;
  while (required < count && !p->list.items[required].default_value) required++;
  emit_abcw(f, OP_UNPACK, base, source, count, op_make_unpack(required, p->list.rest), p->span);
}

static void bind_elements(FnState *f, Pattern *p, unsigned base) {
  f->active = f->next;
  for (uint32_t i = 0; i < p->list.count; i++) {
    pattern_default(f, p->list.items[i].default_value, base + i);
    pattern_bind(f, p->list.items[i].pattern, base + i, true);
  }
  if (p->list.rest) pattern_bind(f, p->list.rest, base + p->list.count, true);
}

static void bind_list(FnState *f, Pattern *p, unsigned source) {
  unsigned base = reg_take(f, list_width(p), p->span);
  if (f->has_failed) return;
  emit_unpack(f, p, base, source);
  bind_elements(f, p, base);
}

uint32_t pattern_key_constant(FnState *f, const Expr *key) {
  if (key->kind == EXPR_STRING) return const_string(f, key->text, key->span);
  if (key->kind == EXPR_FLOAT) return const_float(f, key->number, key->span);
  return const_int(f, key->integer, key->span);
}

static void load_key(FnState *f, const MapPatternEntry *entry, unsigned source, unsigned reg) {
  Expr *key = entry->key;
  if (entry->default_value) {
    emit_abcw(f, OP_GETOPT, reg, source, 0, pattern_key_constant(f, key), key->span);
    pattern_default(f, entry->default_value, reg);
  } else if (key->kind == EXPR_STRING) {
    emit_cached(f, OP_GETF, reg, source, 0, key->text, key->span);
  } else {
    expr_to(f, key, reg);
    emit_abc(f, OP_GETIDX, reg, source, reg, key->span);
  }
}

void pattern_map_rest(FnState *f, Pattern *p, unsigned source, unsigned reg) {
  uint32_t count = p->map.count;
  Text *names = comp_array(f->comp, count, sizeof *names);
  for (uint32_t i = 0; i < count; i++) {
    const Expr *key = p->map.entries[i].key;
    if (key->kind == EXPR_STRING) names[i] = key->text;
    else compile_fail(f, key->span, "a pattern with '...' takes no number keys");
  }
  emit_abcw(f, OP_MAPREST, reg, source, 0, const_names(f, names, count, p->span), p->span);
}

static void bind_map(FnState *f, Pattern *p, unsigned source) {
  for (uint32_t i = 0; i < p->map.count; i++) {
    unsigned reg = reg_take(f, 1, p->span);
    load_key(f, &p->map.entries[i], source, reg);
    f->active = f->next;
    pattern_bind(f, p->map.entries[i].pattern, reg, true);
  }
  if (!p->map.rest) return;
  unsigned reg = reg_take(f, 1, p->span);
  pattern_map_rest(f, p, source, reg);
  f->active = f->next;
  pattern_bind(f, p->map.rest, reg, true);
}

static void bind_target(FnState *f, Expr *target, unsigned reg) {
  unsigned mark = f->next;
  Place place = place_of(f, target);
  place_store(f, &place, reg);
  reg_release(f, mark);
}

void pattern_bind(FnState *f, Pattern *p, unsigned reg, bool in_place) {
  switch (p->kind) {
    case PATTERN_BIND: var_init(f, p->bind.binding, reg, in_place, p->span); break;
    case PATTERN_TARGET: bind_target(f, p->target, reg); break;
    case PATTERN_LIST: bind_list(f, p, reg); break;
    case PATTERN_MAP: bind_map(f, p, reg); break;
    default: break;
  }
}

/* ---- a list literal taken apart at once --------------------------------------------------- */

/* `[a, b] = [x, y]`: no list needs to be made. */
static bool is_parallel(const Pattern *p, const Expr *value) {
  if (p->kind != PATTERN_LIST || p->list.rest || !value || value->kind != EXPR_LIST) return false;
  if (p->list.count != value->list.count || p->list.count > 16) return false;
  for (uint32_t i = 0; i < p->list.count; i++) {
    if (p->list.items[i].default_value) return false;
    if (value->list.items[i]->kind == EXPR_SPREAD) return false;
  }
  return true;
}

static void bind_parallel(FnState *f, Pattern *p, Expr *value) {
  unsigned base = f->next;
  for (uint32_t i = 0; i < p->list.count; i++) expr_next(f, value->list.items[i]);
  if (f->has_failed) return;
  f->active = f->next;
  for (uint32_t i = 0; i < p->list.count; i++) {
    pattern_bind(f, p->list.items[i].pattern, base + i, true);
  }
}

void unpack_into(FnState *f, Expr *e, int dest) {
  unsigned mark = f->next, active = f->active;
  if (dest == DEST_NONE && is_parallel(e->unpack.pattern, e->unpack.value)) {
    bind_parallel(f, e->unpack.pattern, e->unpack.value);
  } else {
    unsigned value = expr_any(f, e->unpack.value);
    pattern_bind(f, e->unpack.pattern, value, false);
    deliver(f, value, dest);
  }
  f->active = active;
  reg_release(f, mark);
}

/* ---- let ---------------------------------------------------------------------------------- */

static unsigned value_any(FnState *f, Expr *value, Span span) {
  if (value) return expr_any(f, value);
  unsigned reg = reg_take(f, 1, span);
  emit_nil(f, reg);
  return reg;
}

static void let_local(FnState *f, Binding *b, Expr *value, Span span) {
  unsigned reg = reg_take(f, 1, span);
  b->reg = (uint8_t)reg;
  if (!value) emit_nil(f, reg);
  else if (value->kind == EXPR_FN) closure_to_own(f, value->fn, b, reg);
  else expr_to(f, value, reg);
  var_publish(f, b);
}

static void let_name(FnState *f, Binding *b, Expr *value, Span span) {
  unsigned mark = f->next;
  if (b->storage == STORE_REGISTER) {
    let_local(f, b, value, span);
  } else {
    var_init(f, b, value_any(f, value, span), false, span);
    reg_release(f, mark);
  }
}

/* The elements' registers come first, so that the list's own can be given back. */
static void let_list(FnState *f, Pattern *p, Expr *value) {
  unsigned base = reg_take(f, list_width(p), p->span);
  if (f->has_failed) return;
  unsigned mark = f->next;
  emit_unpack(f, p, base, expr_any(f, value));
  reg_release(f, mark);
  bind_elements(f, p, base);
}

static void let_pattern(FnState *f, Pattern *p, Expr *value) {
  if (is_parallel(p, value)) {
    bind_parallel(f, p, value);
  } else if (p->kind == PATTERN_LIST) {
    let_list(f, p, value);
  } else {
    unsigned source = expr_any(f, value);
    f->active = f->next;
    pattern_bind(f, p, source, false);
  }
}

/* True if one of the pattern's variables lives in a register. */
static bool keeps_registers(const Pattern *p) {
  bool keeps = false;
  if (p->kind == PATTERN_BIND) return p->bind.binding->storage == STORE_REGISTER;
  if (p->kind == PATTERN_LIST) {
    for (uint32_t i = 0; i < p->list.count; i++) {
      keeps |= keeps_registers(p->list.items[i].pattern);
    }
    return keeps || (p->list.rest && keeps_registers(p->list.rest));
  }
  if (p->kind != PATTERN_MAP) return false;
  for (uint32_t i = 0; i < p->map.count; i++) {
    keeps |= keeps_registers(p->map.entries[i].pattern);
  }
  return keeps || (p->map.rest && keeps_registers(p->map.rest));
}

void let_stmt(FnState *f, Stmt *stmt) {
  unsigned mark = f->next, active = f->active;
  Pattern *p = stmt->let.pattern;
  Expr *value = stmt->let.value;
  if (p->kind == PATTERN_BIND) {
    let_name(f, p->bind.binding, value, p->span);
    return;
  }
  if (p->kind == PATTERN_WILDCARD) {
    if (value) expr_into(f, value, DEST_NONE);
    return;
  }
  let_pattern(f, p, value);
  if (keeps_registers(p)) return;
  f->active = active;
  reg_release(f, mark);
}
