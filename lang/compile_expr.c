/* Expressions without a left spine, operators on two operands, and the dispatch to the rest. */
#include "compile.h"

/* ---- destinations ------------------------------------------------------------------------- */

void deliver(FnState *f, unsigned reg, int dest) {
  if (dest == DEST_RETURN) exit_through(f, (Exit){EXIT_RETURN, NULL}, (int)reg);
  else if (dest >= 0) emit_move(f, (unsigned)dest, reg);
}

void deliver_nil(FnState *f, int dest) {
  if (dest == DEST_RETURN) exit_through(f, (Exit){EXIT_RETURN, NULL}, NO_VALUE);
  else if (dest >= 0) emit_nil(f, (unsigned)dest);
}

unsigned expr_next(FnState *f, Expr *e) {
  unsigned reg = reg_take(f, 1, e->span);
  expr_to(f, e, reg);
  return reg;
}

unsigned expr_any(FnState *f, Expr *e) {
  int reg = NO_VALUE;
  if (e->kind == EXPR_NAME) reg = var_register(f, e->name.binding);
  else if (e->kind == EXPR_SELF) reg = var_register(f, e->self_binding);
  return reg == NO_VALUE ? expr_next(f, e) : (unsigned)reg;
}

/* `dst` if intermediate results may be put there, else a new temporary. */
static unsigned fresh_for(FnState *f, unsigned dst, Span span) {
  return reg_is_fresh(f, dst) ? dst : reg_take(f, 1, span);
}

/* ---- literals ----------------------------------------------------------------------------- */

static void load_constant(FnState *f, uint32_t index, unsigned dst) {
  emit_ad(f, OP_LOADK, dst, (int32_t)index, NO_SPAN);
}

static void int_to(FnState *f, int64_t value, unsigned dst, Span span) {
  if (value >= INT16_MIN && value <= INT16_MAX) emit_ad(f, OP_LOADI, dst, (int32_t)value, NO_SPAN);
  else load_constant(f, const_int(f, value, span), dst);
}

void string_to(FnState *f, Text text, unsigned dst) {
  load_constant(f, const_string(f, text, NO_SPAN), dst);
}

/* ---- lists and maps ----------------------------------------------------------------------- */

/* How many items are gathered in registers at a time: fewer the more are in use. */
static uint32_t chunk_size(const FnState *f) {
  if (f->next < 100) return 32;
  return f->next < 180 ? 8 : 1;
}

static uint32_t plain_run(Expr *const *items, uint32_t count, uint32_t limit) {
  uint32_t run = 0;
  while (run < count && run < limit && items[run]->kind != EXPR_SPREAD) run++;
  return run;
}

/* Evaluates `count` items into registers in a row, gives the first. */
static unsigned items_next(FnState *f, Expr *const *items, uint32_t count) {
  unsigned base = f->next;
  for (uint32_t i = 0; i < count; i++) expr_next(f, items[i]);
  return base;
}

static uint32_t list_push_some(FnState *f, unsigned list, Expr *const *items, uint32_t count,
                               Span span) {
  unsigned mark = f->next;
  uint32_t run = plain_run(items, count, chunk_size(f));
  if (run > 0) {
    unsigned base = items_next(f, items, run);
    emit_abc(f, OP_LISTPUSH, list, base, run, span);
  } else {
    unsigned source = expr_any(f, items[0]->operand);
    emit_abc(f, OP_LISTEXT, list, source, 0, items[0]->span);
    run = 1;
  }
  reg_release(f, mark);
  return run;
}

void list_to(FnState *f, Expr *const *items, uint32_t count, unsigned dst, Span span) {
  unsigned mark = f->next;
  uint32_t run = plain_run(items, count, chunk_size(f));
  if (run == count) {
    unsigned base = items_next(f, items, run);
    emit_abc(f, OP_NEWLIST, dst, base, run, span);
    reg_release(f, mark);
    return;
  }
  unsigned list = fresh_for(f, dst, span);
  unsigned inner = f->next;
  unsigned base = items_next(f, items, run);
  emit_abc(f, OP_NEWLIST, list, base, run, span);
  reg_release(f, inner);
  for (uint32_t i = run; i < count;) i += list_push_some(f, list, items + i, count - i, span);
  emit_move(f, dst, list);
  reg_release(f, mark);
}

static bool has_plain_keys(const FnState *f, const Expr *e) {
  if (e->map.count == 0 || e->map.count > chunk_size(f)) return false;
  for (uint32_t i = 0; i < e->map.count; i++) {
    const Expr *key = e->map.entries[i].key;
    if (!key || key->kind != EXPR_STRING) return false;
  }
  return true;
}

static void plain_map_to(FnState *f, Expr *e, unsigned dst) {
  unsigned base = f->next;
  uint32_t count = e->map.count;
  Text *names = comp_array(f->comp, count, sizeof *names);
  for (uint32_t i = 0; i < count; i++) {
    names[i] = e->map.entries[i].key->text;
    expr_next(f, e->map.entries[i].value);
  }
  uint32_t constant = const_names(f, names, count, e->span);
  emit_abcw(f, OP_NEWMAPK, dst, base, count, constant, e->span);
}

static void map_put(FnState *f, unsigned map, const MapEntry *entry) {
  unsigned mark = f->next;
  if (entry->key) {
    unsigned key = expr_any(f, entry->key);
    unsigned value = expr_any(f, entry->value);
    emit_abc(f, OP_MAPPUT, map, key, value, entry->key->span);
  } else {
    unsigned source = expr_any(f, entry->value);
    emit_abc(f, OP_MAPEXT, map, source, 0, entry->value->span);
  }
  reg_release(f, mark);
}

static void map_to(FnState *f, Expr *e, unsigned dst) {
  unsigned mark = f->next;
  if (has_plain_keys(f, e)) {
    plain_map_to(f, e, dst);
  } else {
    unsigned map = fresh_for(f, dst, e->span);
    uint32_t room = e->map.count < UINT16_MAX ? e->map.count : UINT16_MAX;
    emit_ad(f, OP_NEWMAP, map, (int32_t)room, e->span);
    for (uint32_t i = 0; i < e->map.count; i++) map_put(f, map, &e->map.entries[i]);
    emit_move(f, dst, map);
  }
  reg_release(f, mark);
}

/* Long texts are joined piece by piece: the text so far is the first part of the next piece. */
static void interp_to(FnState *f, Expr *e, unsigned dst) {
  unsigned mark = f->next;
  for (uint32_t i = 0; i < e->list.count; i++) {
    expr_next(f, e->list.items[i]);
    unsigned parts = f->next - mark;
    if (i + 1 < e->list.count && parts >= 2 && parts > chunk_size(f)) {
      emit_abc(f, OP_CONCAT, mark, mark, parts, e->span);
      reg_release(f, mark + 1);
    }
  }
  emit_abc(f, OP_CONCAT, dst, mark, f->next - mark, e->span);
  reg_release(f, mark);
}

/* ---- operators ---------------------------------------------------------------------------- */

typedef struct BinaryOps {
  Opcode plain;
  Opcode constant; /* right operand a number constant; the same as `plain` if there is none */
} BinaryOps;

static const BinaryOps binary_ops[BIN_COUNT] = {
    [BIN_ADD] = {OP_ADD, OP_ADDK},         [BIN_SUB] = {OP_SUB, OP_SUBK},
    [BIN_MUL] = {OP_MUL, OP_MULK},         [BIN_DIV] = {OP_DIV, OP_DIVK},
    [BIN_FLOOR_DIV] = {OP_IDIV, OP_IDIVK}, [BIN_MOD] = {OP_MOD, OP_MODK},
    [BIN_POW] = {OP_POW, OP_POW},          [BIN_MATMUL] = {OP_MATMUL, OP_MATMUL},
    [BIN_BIT_AND] = {OP_BAND, OP_BAND},    [BIN_BIT_OR] = {OP_BOR, OP_BOR},
    [BIN_BIT_XOR] = {OP_BXOR, OP_BXOR},    [BIN_SHL] = {OP_SHL, OP_SHL},
    [BIN_SHR] = {OP_SHR, OP_SHR},          [BIN_EQ] = {OP_EQ, OP_EQ},
    [BIN_NE] = {OP_NE, OP_NE},             [BIN_LT] = {OP_LT, OP_LT},
    [BIN_LE] = {OP_LE, OP_LE},             [BIN_GT] = {OP_GT, OP_GT},
    [BIN_GE] = {OP_GE, OP_GE},             [BIN_IN] = {OP_IN, OP_IN},
    [BIN_NOT_IN] = {OP_IN, OP_IN},
};

static bool is_small_int(const Expr *e) {
  return e->kind == EXPR_INT && e->integer >= INT8_MIN && e->integer <= INT8_MAX;
}

/* R[target] = R[left] op a number literal, by an instruction that holds the literal. */
static bool binary_by_literal(FnState *f, BinaryOp op, unsigned left, const Expr *right,
                              unsigned target, Span span) {
  if (!is_number(right)) return false;
  if (is_small_int(right) && (op == BIN_ADD || op == BIN_SUB)) {
    Opcode small = op == BIN_ADD ? OP_ADDI : OP_SUBI;
    emit_abc(f, small, target, left, (unsigned)right->integer, span);
    return true;
  }
  Opcode opcode = binary_ops[op].constant;
  if (opcode == binary_ops[op].plain) return false;
  uint32_t constant = const_number(f, right);
  if (constant > UINT8_MAX) return false;
  emit_abc(f, opcode, target, left, constant, span);
  return true;
}

void binary_to(FnState *f, BinaryOp op, unsigned left, Expr *right, unsigned target, Span span) {
  if (binary_by_literal(f, op, left, right, target, span)) return;
  unsigned mark = f->next;
  unsigned operand = expr_any(f, right);
  if (op == BIN_NOT_IN) {
    unsigned found = fresh_for(f, target, span);
    emit_abc(f, OP_IN, found, left, operand, span);
    emit_abc(f, OP_NOT, target, found, 0, NO_SPAN);
  } else {
    emit_abc(f, binary_ops[op].plain, target, left, operand, span);
  }
  reg_release(f, mark);
}

bool binary_from_literal(FnState *f, BinaryOp op, const Expr *left, Expr *right, unsigned target,
                         Span span) {
  static const Opcode ops[BIN_COUNT] = {
      [BIN_ADD] = OP_KADD, [BIN_SUB] = OP_KSUB, [BIN_MUL] = OP_KMUL, [BIN_DIV] = OP_KDIV};
  if (!is_number(left) || is_number(right) || ops[op] == 0) return false;
  uint32_t constant = const_number(f, left);
  if (constant > UINT8_MAX) return false;
  unsigned mark = f->next;
  unsigned operand = expr_any(f, right);
  emit_abc(f, ops[op], target, constant, operand, span);
  reg_release(f, mark);
  return true;
}

static void unary_to(FnState *f, Expr *e, unsigned dst) {
  static const Opcode ops[] = {
      [UNARY_NEG] = OP_NEG, [UNARY_BIT_NOT] = OP_BNOT, [UNARY_NOT] = OP_NOT};
  unsigned mark = f->next;
  unsigned operand = expr_any(f, e->unary.operand);
  emit_abc(f, ops[e->unary.op], dst, operand, 0, e->span);
  reg_release(f, mark);
}

static void is_to(FnState *f, Expr *e, unsigned dst) {
  unsigned mark = f->next;
  unsigned value = expr_any(f, e->is.value);
  unsigned result = e->is.negated ? fresh_for(f, dst, e->span) : dst;
  if (e->is.builtin) {
    emit_abc(f, OP_ISTYPE, result, value, (unsigned)e->is.builtin - 1, e->span);
  } else {
    unsigned type = expr_any(f, e->is.type);
    emit_abc(f, OP_IS, result, value, type, e->span);
  }
  if (e->is.negated) emit_abc(f, OP_NOT, dst, result, 0, NO_SPAN);
  reg_release(f, mark);
}

static void range_to(FnState *f, Expr *e, unsigned dst) {
  unsigned mark = f->next;
  if (!e->range.from || !e->range.to) {
    compile_fail(f, e->span, "a range with an open end can only be the one index of a slice");
    return;
  }
  unsigned from = expr_any(f, e->range.from);
  unsigned to = expr_any(f, e->range.to);
  emit_abc(f, e->range.inclusive ? OP_RANGEI : OP_RANGE, dst, from, to, e->span);
  reg_release(f, mark);
}

static void yield_to(FnState *f, Expr *e, unsigned dst) {
  unsigned mark = f->next;
  unsigned value;
  if (e->operand) {
    value = expr_any(f, e->operand);
  } else {
    value = reg_take(f, 1, e->span);
    emit_nil(f, value);
  }
  emit_abc(f, OP_YIELD, dst, value, 0, e->span);
  reg_release(f, mark);
}

/* ---- dispatch ----------------------------------------------------------------------------- */

/* Expressions made of statements; they may write their destination early. */
static bool is_structure(const Expr *e) {
  switch (e->kind) {
    case EXPR_IF:
    case EXPR_MATCH:
    case EXPR_TRY:
    case EXPR_ASSIGN:
    case EXPR_UNPACK:
    case EXPR_CHAIN: return true;
    default: return false;
  }
}

static void structure_into(FnState *f, Expr *e, int dest) {
  switch (e->kind) {
    case EXPR_IF: if_into(f, e->if_, dest); break;
    case EXPR_MATCH: match_into(f, e, dest); break;
    case EXPR_TRY: try_into(f, e->try_, dest); break;
    case EXPR_ASSIGN: assign_into(f, e, dest); break;
    case EXPR_UNPACK: unpack_into(f, e, dest); break;
    case EXPR_CHAIN: chain_into(f, e, dest); break;
    default: break;
  }
}

static void structure_to(FnState *f, Expr *e, unsigned dst) {
  unsigned mark = f->next;
  unsigned value = fresh_for(f, dst, e->span);
  structure_into(f, e, (int)value);
  emit_move(f, dst, value);
  reg_release(f, mark);
}

static void literal_to(FnState *f, Expr *e, unsigned dst) {
  switch (e->kind) {
    case EXPR_BOOL:
      emit_ad(f, OP_LOADP, dst, e->boolean ? PRIM_TRUE : PRIM_FALSE, NO_SPAN);
      break;
    case EXPR_INT: int_to(f, e->integer, dst, e->span); break;
    case EXPR_FLOAT: load_constant(f, const_float(f, e->number, e->span), dst); break;
    case EXPR_STRING: load_constant(f, const_string(f, e->text, e->span), dst); break;
    default: emit_nil(f, dst); break;
  }
}

static void leaf_to(FnState *f, Expr *e, unsigned dst) {
  switch (e->kind) {
    case EXPR_NAME: var_load(f, e->name.binding, dst, e->span); break;
    case EXPR_SELF: var_load(f, e->self_binding, dst, e->span); break;
    case EXPR_SUPER: super_to(f, e, dst); break;
    case EXPR_INTERP: interp_to(f, e, dst); break;
    case EXPR_LIST: list_to(f, e->list.items, e->list.count, dst, e->span); break;
    case EXPR_MAP: map_to(f, e, dst); break;
    case EXPR_UNARY: unary_to(f, e, dst); break;
    case EXPR_IS: is_to(f, e, dst); break;
    case EXPR_RANGE: range_to(f, e, dst); break;
    case EXPR_FN: closure_to(f, e->fn, dst); break;
    case EXPR_YIELD: yield_to(f, e, dst); break;
    default: literal_to(f, e, dst); break;
  }
}

void expr_to(FnState *f, Expr *e, unsigned dst) {
  if (is_structure(e)) structure_to(f, e, dst);
  else if (spine_left(e)) spine_to(f, e, dst);
  else leaf_to(f, e, dst);
}

/* ---- dropped and returned values ---------------------------------------------------------- */

static void expr_drop(FnState *f, Expr *e) {
  unsigned mark = f->next;
  if (is_structure(e)) structure_into(f, e, DEST_NONE);
  else if (spine_left(e)) spine_drop(f, e);
  else expr_any(f, e);
  reg_release(f, mark);
}

/* `return a and f(x)`: the right operand is in tail position. */
static void logic_return(FnState *f, Expr *e) {
  unsigned mark = f->next;
  Label end = {0};
  Opcode op = e->logic.op == LOGIC_AND ? OP_JF : e->logic.op == LOGIC_OR ? OP_JT : OP_JNNIL;
  unsigned left = expr_any(f, e->logic.left);
  emit_branch(f, op_make_abc(op, left, 0, 0), &end, NO_SPAN);
  expr_into(f, e->logic.right, DEST_RETURN);
  label_bind(f, &end);
  deliver(f, left, DEST_RETURN);
  reg_release(f, mark);
}

static void expr_return(FnState *f, Expr *e) {
  unsigned mark = f->next;
  if (f->info->is_init) {
    expr_drop(f, e);
    deliver_nil(f, DEST_RETURN);
  } else if (is_structure(e)) {
    structure_into(f, e, DEST_RETURN);
  } else if (e->kind == EXPR_CALL) {
    call_return(f, e);
  } else if (e->kind == EXPR_LOGIC) {
    logic_return(f, e);
  } else if (e->kind == EXPR_NIL) {
    deliver_nil(f, DEST_RETURN);
  } else {
    deliver(f, expr_any(f, e), DEST_RETURN);
  }
  reg_release(f, mark);
}

void expr_into(FnState *f, Expr *e, int dest) {
  if (dest == DEST_NONE) expr_drop(f, e);
  else if (dest == DEST_RETURN) expr_return(f, e);
  else expr_to(f, e, (unsigned)dest);
}
