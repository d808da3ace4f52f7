/* Conditions: expressions of which only the truth is wanted, as jumps. */
#include "compile.h"

/* The jumps of one comparison: taken if it holds, taken unless it holds. */
typedef struct CompareOps {
  Opcode regs[2];      /* two registers */
  Opcode immediate[2]; /* a register and a small integer */
  Opcode constant[2];  /* a register and a number or string constant */
} CompareOps;

static const CompareOps compare_ops[BIN_COUNT] = {
    [BIN_EQ] = {{OP_JEQ, OP_JNE}, {OP_JEQI, OP_JNEI}, {OP_JEQK, OP_JNEK}},
    [BIN_NE] = {{OP_JNE, OP_JEQ}, {OP_JNEI, OP_JEQI}, {OP_JNEK, OP_JEQK}},
    [BIN_LT] = {{OP_JLT, OP_JNLT}, {OP_JLTI, OP_JNLTI}, {OP_JLTK, OP_JNLTK}},
    [BIN_LE] = {{OP_JLE, OP_JNLE}, {OP_JLEI, OP_JNLEI}, {OP_JLEK, OP_JNLEK}},
    [BIN_GT] = {{OP_JGT, OP_JNGT}, {OP_JGTI, OP_JNGTI}, {OP_JGTK, OP_JNGTK}},
    [BIN_GE] = {{OP_JGE, OP_JNGE}, {OP_JGEI, OP_JNGEI}, {OP_JGEK, OP_JNGEK}},
};

static bool is_comparison(BinaryOp op) { return op >= BIN_EQ && op <= BIN_GE; }

static bool fits_immediate(const Expr *e) {
  return e->kind == EXPR_INT && e->integer >= INT16_MIN && e->integer <= INT16_MAX;
}

static uint32_t const_literal(FnState *f, const Expr *e) {
  return e->kind == EXPR_STRING ? const_string(f, e->text, e->span) : const_number(f, e);
}

void cond_equals_literal(FnState *f, unsigned reg, Expr *literal, bool when, Label *label,
                         Span span) {
  unsigned mark = f->next;
  if (literal->kind == EXPR_NIL) {
    emit_branch(f, op_make_abc(when ? OP_JNIL : OP_JNNIL, reg, 0, 0), label, NO_SPAN);
  } else if (fits_immediate(literal)) {
    Opcode op = when ? OP_JEQI : OP_JNEI;
    emit_branch(f, op_make_ad(op, reg, (int32_t)literal->integer), label, span);
  } else if (literal->kind == EXPR_BOOL) {
    unsigned value = expr_next(f, literal);
    emit_branch(f, op_make_abc(when ? OP_JEQ : OP_JNE, reg, value, 0), label, span);
  } else {
    Opcode op = when ? OP_JEQK : OP_JNEK;
    emit_branch(f, op_make_ad(op, reg, (int32_t)const_literal(f, literal)), label, span);
  }
  reg_release(f, mark);
}

static bool is_literal(const Expr *e) { return e->kind >= EXPR_NIL && e->kind <= EXPR_STRING; }

static void cond_compare(FnState *f, Expr *e, bool when, Label *label) {
  BinaryOp op = e->binary.op;
  const CompareOps *ops = &compare_ops[op];
  Expr *right = e->binary.right;
  unsigned left = expr_any(f, e->binary.left);
  if ((op == BIN_EQ || op == BIN_NE) && is_literal(right)) {
    cond_equals_literal(f, left, right, (op == BIN_EQ) == when, label, e->span);
  } else if (fits_immediate(right)) {
    uint32_t ins = op_make_ad(ops->immediate[!when], left, (int32_t)right->integer);
    emit_branch(f, ins, label, e->span);
  } else if (is_number(right) || right->kind == EXPR_STRING) {
    uint32_t ins = op_make_ad(ops->constant[!when], left, (int32_t)const_literal(f, right));
    emit_branch(f, ins, label, e->span);
  } else {
    unsigned operand = expr_any(f, right);
    emit_branch(f, op_make_abc(ops->regs[!when], left, operand, 0), label, e->span);
  }
}

/* `in`, `is` and their negations: the value without the negation, then a jump. */
static void cond_negatable(FnState *f, Expr *e, bool negated, bool when, Label *label) {
  unsigned value = reg_take(f, 1, e->span);
  if (e->kind == EXPR_BINARY) {
    unsigned left = expr_any(f, e->binary.left);
    binary_to(f, BIN_IN, left, e->binary.right, value, e->span);
  } else {
    Expr positive = *e;
    positive.is.negated = false;
    expr_to(f, &positive, value);
  }
  emit_branch(f, op_make_abc(when != negated ? OP_JT : OP_JF, value, 0, 0), label, e->span);
}

static void cond_logic(FnState *f, Expr *e, bool when, Label *label) {
  bool stops_on = e->logic.op == LOGIC_OR; /* truth of the left operand that decides alone */
  if (stops_on == when) {
    cond_jump(f, e->logic.left, when, label);
    cond_jump(f, e->logic.right, when, label);
  } else {
    Label skip = {0};
    cond_jump(f, e->logic.left, stops_on, &skip);
    cond_jump(f, e->logic.right, when, label);
    label_bind(f, &skip);
  }
}

static void cond_value(FnState *f, Expr *e, bool when, Label *label) {
  unsigned value = expr_any(f, e);
  emit_branch(f, op_make_abc(when ? OP_JT : OP_JF, value, 0, 0), label, e->span);
}

/* The truth of a literal is known: 1, 0, or -1 for other expressions. */
static int known_truth(const Expr *e) {
  if (!is_literal(e)) return -1;
  return e->kind != EXPR_NIL && (e->kind != EXPR_BOOL || e->boolean);
}

void cond_jump(FnState *f, Expr *e, bool when, Label *label) {
  unsigned mark = f->next;
  int known = known_truth(e);
  if (known >= 0) {
    if ((known == 1) == when) emit_jump(f, label);
  } else if (e->kind == EXPR_UNARY && e->unary.op == UNARY_NOT) {
    cond_jump(f, e->unary.operand, !when, label);
  } else if (e->kind == EXPR_LOGIC && e->logic.op != LOGIC_COALESCE) {
    cond_logic(f, e, when, label);
  } else if (e->kind == EXPR_BINARY && is_comparison(e->binary.op)) {
    cond_compare(f, e, when, label);
  } else if (e->kind == EXPR_BINARY && (e->binary.op == BIN_IN || e->binary.op == BIN_NOT_IN)) {
    cond_negatable(f, e, e->binary.op == BIN_NOT_IN, when, label);
  } else if (e->kind == EXPR_IS) {
    cond_negatable(f, e, e->is.negated, when, label);
  } else {
    cond_value(f, e, when, label);
  }
  reg_release(f, mark);
}
