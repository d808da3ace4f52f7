/* Left spines: operators, members, indexes, calls and optional chains.
 *
 * A spine is worked off from the inside out by a loop. The value so far is in the register
 * `acc`; each node says where it wants the value of the one before, so that no value has to be
 * moved: the callee of a call goes to T, the receiver of a method call to T + 2, everything else
 * to the destination if that is fresh. T is the first register that was free at the start, or
 * the destination itself if that is fresh and the last one taken.
 *
 *   call         R[T] callee, R[T+1] link, R[T+2].. arguments
 *   method call  R[T], R[T+1] scratch, R[T+2] receiver, R[T+3].. further arguments
 */
#include <string.h>

#include "compile.h"

typedef struct Walk {
  FnState *f;
  Spine spine;
  unsigned dst;
  unsigned temp; /* T */
  unsigned acc;
  bool is_dropped; /* nobody wants the value */
  bool is_tail; /* the last node is a call that ends the function */
  bool is_checked; /* the value so far is not nil, or its chain has ended */
} Walk;

/* ---- where values go ---------------------------------------------------------------------- */

/* Frees everything above the value so far, and takes registers up to and with `last`. */
static void claim(Walk *w, unsigned last, Span span) {
  reg_release(w->f, w->temp);
  if (last >= w->temp) reg_take(w->f, last - w->temp + 1, span);
}

static bool is_module(const Walk *w, uint32_t field) {
  const Expr *base = w->spine.base;
  return field == 0 && base->kind == EXPR_NAME && base->name.binding->is_module;
}

/* Node `i` is a member that the next node calls as a method. */
static bool is_method(const Walk *w, uint32_t i) {
  if (i + 1 >= w->spine.count || w->spine.nodes[i]->kind != EXPR_FIELD) return false;
  const Expr *call = w->spine.nodes[i + 1];
  return call->kind == EXPR_CALL && !call->call.optional && !is_module(w, i);
}

/* `a[i, j]`: a call of the method `[]`. */
static bool is_index_call(const Expr *e) {
  return e->kind == EXPR_INDEX && e->index.indices.count > 1;
}

static unsigned free_place(const Walk *w) {
  return reg_is_fresh(w->f, w->dst) ? w->dst : w->temp;
}

/* Where the value that node `i` works on should be; `i` may be the end of the spine. */
static unsigned place_for(const Walk *w, uint32_t i) {
  while (i < w->spine.count && w->spine.nodes[i]->kind == EXPR_LOGIC) {
    if (++i == w->spine.count) return free_place(w);
  }
  if (i == w->spine.count) return w->dst;
  if (w->spine.nodes[i]->kind == EXPR_CALL) return w->temp;
  bool is_receiver = is_method(w, i) || is_index_call(w->spine.nodes[i]);
  return is_receiver ? w->temp + 2 : free_place(w);
}

/* The value so far is now in `reg`. */
static void set_acc(Walk *w, unsigned reg, Span span) {
  w->acc = reg;
  claim(w, reg, span);
}

/* ---- arguments ---------------------------------------------------------------------------- */

typedef struct ArgShape {
  uint32_t positional, named;
  bool has_spread;
} ArgShape;

static ArgShape arg_shape(const Expr *call) {
  ArgShape shape = {0, 0, false};
  for (uint32_t i = 0; i < call->call.count; i++) {
    const Arg *arg = &call->call.args[i];
    if (arg->name) shape.named++;
    else shape.positional++;
    shape.has_spread |= arg->value->kind == EXPR_SPREAD;
  }
  return shape;
}

static bool needs_list(const ArgShape *shape) {
  return shape->has_spread || shape->positional + shape->named > MAX_DIRECT_ARGS;
}

static uint32_t names_constant(FnState *f, const Expr *call, const ArgShape *shape) {
  Text *names = comp_array(f->comp, shape->named, sizeof *names);
  for (uint32_t i = 0; i < shape->named; i++) {
    names[i] = text_of_name(call->call.args[shape->positional + i].name);
  }
  return const_names(f, names, shape->named, call->span);
}

static void args_next(FnState *f, const Expr *call) {
  for (uint32_t i = 0; i < call->call.count; i++) expr_next(f, call->call.args[i].value);
}

/* Named arguments as a map in a new register, nil if there are none. */
static void named_next(FnState *f, const Expr *call, const ArgShape *shape) {
  unsigned map = reg_take(f, 1, call->span);
  if (shape->named == 0) {
    emit_nil(f, map);
    return;
  }
  if (shape->named > MAX_PARAMS) compile_fail(f, call->span, "too many named arguments");
  unsigned base = f->next;
  for (uint32_t i = 0; i < shape->named && !f->has_failed; i++) {
    expr_next(f, call->call.args[shape->positional + i].value);
  }
  uint32_t names = names_constant(f, call, shape);
  emit_abcw(f, OP_NEWMAPK, map, base, shape->named, names, call->span);
  reg_release(f, base);
}

/* All arguments as a list and a map or nil, in two new registers. */
static void packed_args_next(FnState *f, const Expr *call, const ArgShape *shape) {
  Expr **items = comp_array(f->comp, shape->positional, sizeof *items);
  for (uint32_t i = 0; i < shape->positional; i++) items[i] = call->call.args[i].value;
  unsigned list = reg_take(f, 1, call->span);
  list_to(f, items, shape->positional, list, call->span);
  named_next(f, call, shape);
}

/* ---- calls -------------------------------------------------------------------------------- */

/* Arguments by name or as a list, for the callee in R[T]. */
static void call_general(Walk *w, const Expr *call, const ArgShape *shape, unsigned target) {
  FnState *f = w->f;
  claim(w, w->temp + 1, call->span);
  if (needs_list(shape)) {
    packed_args_next(f, call, shape);
    emit_abc(f, OP_CALLX, w->temp, 0, target, call->span);
  } else {
    args_next(f, call);
    uint32_t names = names_constant(f, call, shape);
    emit_abcw(f, OP_CALLN, w->temp, call->call.count, target, names, call->span);
  }
}

static bool is_general(const ArgShape *shape) { return shape->named > 0 || needs_list(shape); }

/* The call before node `end` is the function's last act. */
static bool is_last(const Walk *w, uint32_t end) { return w->is_tail && end == w->spine.count; }

/* Calls R[T], with `given` arguments in place already; node `end` comes next. */
static void call_plain(Walk *w, const Expr *call, uint32_t given, uint32_t end, unsigned target) {
  FnState *f = w->f;
  claim(w, w->temp + 1 + given, call->span);
  args_next(f, call);
  Opcode op = is_last(w, end) ? OP_TAILCALL : OP_CALL;
  emit_abc(f, op, w->temp, call->call.count + given, target, call->span);
}

/* The chain ends with nil if the value so far is nil. */
static void end_if_nil(Walk *w) {
  if (w->is_checked) return;
  emit_branch(w->f, op_make_abc(OP_JNIL, w->acc, 0, 0), w->f->chain_nil, NO_SPAN);
  w->is_checked = true;
}

static void skip_if_nil(Walk *w, bool optional) {
  if (optional) end_if_nil(w);
  w->is_checked = false;
}

/* A missing key, which gave nil, ends the chain too; `next` is the node that would follow. */
static void skip_if_missing(Walk *w, bool optional, uint32_t next) {
  if (optional && next < w->spine.count) end_if_nil(w);
}

static void call_node(Walk *w, uint32_t i) {
  const Expr *call = w->spine.nodes[i];
  ArgShape shape = arg_shape(call);
  unsigned target = place_for(w, i + 1);
  skip_if_nil(w, call->call.optional);
  if (is_general(&shape)) call_general(w, call, &shape, target);
  else call_plain(w, call, 0, i + 1, target);
  set_acc(w, target, call->span);
}

/* `xs.push(x)` as a statement has an instruction that takes its operands where they are: 20 % of a
 * loop that fills a list. */
static bool is_push(const Walk *w, uint32_t i) {
  if (!w->is_dropped || i + 2 != w->spine.count || !is_method(w, i)) return false;
  const Expr *field = w->spine.nodes[i], *call = w->spine.nodes[i + 1];
  ArgShape shape = arg_shape(call);
  return !field->field.optional && shape.positional == 1 && !is_general(&shape) &&
         strcmp(field->field.name->chars, "push") == 0;
}

static void push_node(Walk *w, uint32_t i) {
  FnState *f = w->f;
  const Expr *field = w->spine.nodes[i], *call = w->spine.nodes[i + 1];
  unsigned receiver = w->acc;
  claim(w, w->temp + 3, call->span);
  unsigned value = expr_any(f, call->call.args[0].value);
  emit_cached(f, OP_PUSH, w->temp, receiver, value, text_of_name(field->field.name), call->span);
  w->acc = w->temp;
}

/* Nodes `i` and `i + 1`: a member and its call. The receiver is in R[T+2]. */
static void method_node(Walk *w, uint32_t i) {
  FnState *f = w->f;
  const Expr *field = w->spine.nodes[i], *call = w->spine.nodes[i + 1];
  Text name = text_of_name(field->field.name);
  ArgShape shape = arg_shape(call);
  unsigned target = place_for(w, i + 2);
  skip_if_nil(w, field->field.optional);
  if (is_general(&shape)) {
    emit_cached(f, OP_GETM, w->temp, w->acc, 0, name, field->span);
    call_general(w, call, &shape, target);
  } else {
    args_next(f, call);
    Opcode op = is_last(w, i + 2) ? OP_TAILINVOKE : OP_INVOKE;
    emit_cached(f, op, w->temp, call->call.count, target, name, call->span);
  }
  set_acc(w, target, call->span);
}

static void emit_superget(FnState *f, const Expr *e, unsigned dst, unsigned receiver) {
  unsigned mark = f->next;
  unsigned superclass = var_any(f, e->super.class_binding, e->span);
  Text name = text_of_name(e->super.name);
  emit_cached(f, OP_SUPERGET, dst, superclass, receiver, name, e->span);
  reg_release(f, mark);
}

void super_to(FnState *f, Expr *e, unsigned dst) {
  unsigned mark = f->next;
  unsigned self = var_any(f, e->super.binding, e->span);
  emit_superget(f, e, dst, self);
  reg_release(f, mark);
}

/* `super.name(args)`: the base and the first node. */
static void super_call_node(Walk *w) {
  FnState *f = w->f;
  Expr *super = w->spine.base;
  const Expr *call = w->spine.nodes[0];
  ArgShape shape = arg_shape(call);
  unsigned target = place_for(w, 1);
  claim(w, w->temp + 2, call->span);
  if (is_general(&shape)) {
    super_to(f, super, w->temp);
    call_general(w, call, &shape, target);
  } else {
    emit_superget(f, super, w->temp, SUPER_UNBOUND);
    var_load(f, super->super.binding, w->temp + 2, super->span);
    call_plain(w, call, 1, 1, target);
  }
  set_acc(w, target, call->span);
}

/* ---- members, indexes, operators ---------------------------------------------------------- */

static void field_node(Walk *w, uint32_t i) {
  const Expr *e = w->spine.nodes[i];
  unsigned target = place_for(w, i + 1);
  skip_if_nil(w, e->field.optional);
  Opcode op = e->field.optional ? OP_GETFQ : OP_GETF;
  emit_cached(w->f, op, target, w->acc, 0, text_of_name(e->field.name), e->span);
  set_acc(w, target, e->span);
  skip_if_missing(w, e->field.optional, i + 1);
}

static void end_or_nil(FnState *f, Expr *end, Span span) {
  unsigned reg = reg_take(f, 1, span);
  if (end) expr_to(f, end, reg);
  else emit_nil(f, reg);
}

static void slice(FnState *f, unsigned target, unsigned object, const Expr *range, Span span) {
  unsigned base = f->next;
  end_or_nil(f, range->range.from, span);
  end_or_nil(f, range->range.to, span);
  emit_abc(f, range->range.inclusive ? OP_SLICEI : OP_SLICE, target, object, base, span);
}

static bool is_byte_index(const Expr *e) {
  return e->kind == EXPR_INT && e->integer >= 0 && e->integer <= UINT8_MAX;
}

static void index_call_node(Walk *w, uint32_t i) {
  FnState *f = w->f;
  const Expr *e = w->spine.nodes[i];
  ExprList indices = e->index.indices;
  unsigned target = place_for(w, i + 1);
  skip_if_nil(w, e->index.optional);
  for (uint32_t j = 0; j < indices.count; j++) expr_next(f, indices.items[j]);
  emit_cached(f, OP_INVOKE, w->temp, indices.count, target, (Text){"[]", 2}, e->span);
  set_acc(w, target, e->span);
}

static void index_node(Walk *w, uint32_t i) {
  FnState *f = w->f;
  const Expr *e = w->spine.nodes[i];
  const Expr *first = e->index.indices.items[0];
  unsigned target = place_for(w, i + 1);
  skip_if_nil(w, e->index.optional);
  if (first->kind == EXPR_RANGE) {
    slice(f, target, w->acc, first, e->span);
  } else if (is_byte_index(first) && !e->index.optional) {
    emit_abc(f, OP_GETIDXI, target, w->acc, (unsigned)first->integer, e->span);
  } else {
    unsigned key = expr_any(f, e->index.indices.items[0]);
    emit_abc(f, e->index.optional ? OP_GETIDXQ : OP_GETIDX, target, w->acc, key, e->span);
  }
  set_acc(w, target, e->span);
  skip_if_missing(w, e->index.optional, i + 1);
}

static void binary_node(Walk *w, uint32_t i) {
  const Expr *e = w->spine.nodes[i];
  unsigned target = place_for(w, i + 1);
  binary_to(w->f, e->binary.op, w->acc, e->binary.right, target, e->span);
  set_acc(w, target, e->span);
}

/* The left value is where the result of the whole run of such operators is wanted. */
static void logic_node(Walk *w, uint32_t i) {
  FnState *f = w->f;
  const Expr *e = w->spine.nodes[i];
  Opcode op = e->logic.op == LOGIC_AND ? OP_JF : e->logic.op == LOGIC_OR ? OP_JT : OP_JNNIL;
  Label end = {0};
  emit_branch(f, op_make_abc(op, w->acc, 0, 0), &end, e->span);
  expr_to(f, e->logic.right, w->acc);
  label_bind(f, &end);
  if (i + 1 == w->spine.count) emit_move(f, w->dst, w->acc);
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* Nothing in the expression can assign to a variable that lies in a register. */
static bool assigns_nothing(const Expr *e) {
  if (e->kind == EXPR_BINARY)
    return assigns_nothing(e->binary.left) && assigns_nothing(e->binary.right);
  if (e->kind == EXPR_INDEX)
    return e->index.indices.count == 1 && assigns_nothing(e->index.object) &&
           assigns_nothing(e->index.indices.items[0]);
  return e->kind <= EXPR_STRING || e->kind == EXPR_NAME || e->kind == EXPR_FN;
}

static bool reads_in_place(const Walk *w) {
  ExprKind kind = w->spine.nodes[0]->kind;
  if (is_push(w, 0)) return assigns_nothing(w->spine.nodes[1]->call.args[0].value);
  if (kind == EXPR_FIELD) return !is_method(w, 0);
  if (kind == EXPR_INDEX) return !is_index_call(w->spine.nodes[0]);
  return kind == EXPR_BINARY;
}

static void base_value(Walk *w) {
  FnState *f = w->f;
  Expr *base = w->spine.base;
  int reg = NO_VALUE;
  if (reads_in_place(w)) {
    if (base->kind == EXPR_NAME) reg = var_register(f, base->name.binding);
    if (base->kind == EXPR_SELF) reg = var_register(f, base->self_binding);
  }
  if (reg != NO_VALUE) {
    w->acc = (unsigned)reg;
    return;
  }
  unsigned place = place_for(w, 0);
  set_acc(w, place, base->span);
  expr_to(f, base, place);
}

/* `len(x)`: an instruction of its own. Gives the number of nodes done. */
static uint32_t len_call(Walk *w) {
  const Expr *base = w->spine.base, *call = w->spine.nodes[0];
  if (base->kind != EXPR_NAME || base->name.binding->kind != BIND_CORE) return 0;
  if (strcmp(base->name.name->chars, "len") != 0) return 0;
  if (call->kind != EXPR_CALL || call->call.count != 1 || call->call.optional) return 0;
  if (call->call.args[0].name || call->call.args[0].value->kind == EXPR_SPREAD) return 0;
  unsigned operand = expr_any(w->f, call->call.args[0].value);
  unsigned target = place_for(w, 1);
  emit_abc(w->f, OP_LEN, target, operand, 0, call->span);
  set_acc(w, target, call->span);
  return 1;
}

/* `2 * x`: the literal is in the instruction. Gives the number of nodes done. */
static uint32_t literal_node(Walk *w) {
  const Expr *e = w->spine.nodes[0];
  if (e->kind != EXPR_BINARY) return 0;
  unsigned target = place_for(w, 1);
  Expr *left = w->spine.base;
  if (!binary_from_literal(w->f, e->binary.op, left, e->binary.right, target, e->span)) return 0;
  set_acc(w, target, e->span);
  return 1;
}

/* Starts the walk; gives the number of nodes done. */
static uint32_t first_nodes(Walk *w) {
  const Expr *first = w->spine.nodes[0];
  if (w->spine.base->kind == EXPR_SUPER && first->kind == EXPR_CALL && !first->call.optional) {
    super_call_node(w);
    return 1;
  }
  uint32_t done = len_call(w);
  if (done == 0) done = literal_node(w);
  if (done == 0) base_value(w);
  return done;
}

static uint32_t walk_node(Walk *w, uint32_t i) {
  if (is_method(w, i)) {
    if (is_push(w, i)) push_node(w, i);
    else method_node(w, i);
    return 2;
  }
  switch (w->spine.nodes[i]->kind) {
    case EXPR_CALL: call_node(w, i); break;
    case EXPR_FIELD: field_node(w, i); break;
    case EXPR_INDEX:
      if (is_index_call(w->spine.nodes[i])) index_call_node(w, i);
      else index_node(w, i);
      break;
    case EXPR_LOGIC: logic_node(w, i); break;
    default: binary_node(w, i); break;
  }
  return 1;
}

typedef enum Use { USE_VALUE, USE_NONE, USE_RETURN } Use;

static void walk_spine(FnState *f, Expr *e, unsigned dst, Use use) {
  unsigned mark = f->next;
  bool is_top = reg_is_fresh(f, dst) && dst + 1 == mark;
  Walk w = {.f = f, .spine = spine_of(f->comp, e), .dst = dst};
  w.is_dropped = use == USE_NONE;
  w.is_tail = use == USE_RETURN;
  w.temp = is_top ? dst : mark;
  for (uint32_t i = first_nodes(&w); i < w.spine.count;) i += walk_node(&w, i);
  reg_release(f, mark);
}

void spine_to(FnState *f, Expr *e, unsigned dst) { walk_spine(f, e, dst, USE_VALUE); }

void spine_drop(FnState *f, Expr *e) {
  walk_spine(f, e, reg_take(f, 1, e->span), USE_NONE);
}

/* ---- calls that end the function ---------------------------------------------------------- */

/* The arguments are in registers, and nothing remains to be done after the call. */
static bool can_be_tail(const FnState *f, const Expr *call) {
  ArgShape shape = arg_shape(call);
  return f->guards == 0 && f->info->parent && !is_general(&shape) && !call->call.optional;
}

void call_return(FnState *f, Expr *e) {
  unsigned mark = f->next;
  bool is_tail = can_be_tail(f, e);
  unsigned result = reg_take(f, 1, e->span);
  if (is_tail) reg_release(f, mark);
  walk_spine(f, e, result, is_tail ? USE_RETURN : USE_VALUE);
  if (code_is_reachable(f)) deliver(f, result, DEST_RETURN);
  reg_release(f, mark);
}

/* ---- optional chains ---------------------------------------------------------------------- */

void chain_into(FnState *f, Expr *e, int dest) {
  unsigned mark = f->next;
  Label nil = {0}, end = {0};
  Label *outer = f->chain_nil;
  f->chain_nil = &nil;
  unsigned dst = dest >= 0 ? (unsigned)dest : reg_take(f, 1, e->span);
  expr_to(f, e->operand, dst);
  f->chain_nil = outer;
  if (dest == DEST_NONE) {
    label_bind(f, &nil);
  } else {
    emit_jump(f, &end);
    label_bind(f, &nil);
    emit_nil(f, dst);
    label_bind(f, &end);
    deliver(f, dst, dest);
  }
  reg_release(f, mark);
}

/* ---- defer -------------------------------------------------------------------------------- */

/* The callee of a deferred call as a value in R[dst]. */
static void deferred_callee(FnState *f, Expr *callee, unsigned dst) {
  if (callee->kind != EXPR_FIELD) {
    expr_to(f, callee, dst);
    return;
  }
  unsigned mark = f->next;
  unsigned object = expr_any(f, callee->field.object);
  if (callee->field.optional) {
    emit_branch(f, op_make_abc(OP_JNIL, object, 0, 0), f->chain_nil, NO_SPAN);
  }
  Text name = text_of_name(callee->field.name);
  emit_cached(f, OP_GETM, dst, object, 0, name, callee->span);
  reg_release(f, mark);
}

/* Pushes the record [callee, list of arguments, named arguments or nil] that DEFERRUN takes. */
static void deferred_record(FnState *f, const Expr *call) {
  ArgShape shape = arg_shape(call);
  unsigned record = reg_take(f, 1, call->span);
  deferred_callee(f, call->call.callee, record);
  if (call->call.optional) {
    emit_branch(f, op_make_abc(OP_JNIL, record, 0, 0), f->chain_nil, NO_SPAN);
  }
  packed_args_next(f, call, &shape);
  emit_abc(f, OP_NEWLIST, record, record, 3, call->span);
  emit_abc(f, OP_LISTPUSH, f->defer_list, record, 1, call->span);
}

void defer_stmt(FnState *f, Stmt *stmt) {
  unsigned mark = f->next;
  Label nil = {0};
  Label *outer = f->chain_nil;
  bool is_chain = stmt->expr->kind == EXPR_CHAIN;
  f->chain_nil = &nil;
  deferred_record(f, is_chain ? stmt->expr->operand : stmt->expr);
  f->chain_nil = outer;
  label_bind(f, &nil);
  reg_release(f, mark);
}
