/* Constant folding: operators on number and string literals, where the result is exact, cannot
 * throw and is what the program would compute. Everything else is left to run time. */
#include <string.h>

#include "resolve_internal.h"

enum { MAX_FOLDED_STRING = 4096 };
static const int64_t EXACT_DOUBLE = (int64_t)1 << 53;

static bool floor_div(int64_t a, int64_t b, int64_t *out) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return false;
  *out = a / b - (a % b != 0 && (a % b < 0) != (b < 0));
  return true;
}

static bool floor_mod(int64_t a, int64_t b, int64_t *out) {
  if (b == 0 || b == -1) return false;
  int64_t rest = a % b;
  *out = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  return true;
}

static bool int_power(int64_t base, int64_t exponent, int64_t *out) {
  int64_t result = 1;
  if (exponent < 0 || exponent > 62) return false;
  for (int64_t i = 0; i < exponent; i++) {
    if (__builtin_mul_overflow(result, base, &result)) return false;
  }
  *out = result;
  return true;
}

static bool fold_ints(BinaryOp op, int64_t a, int64_t b, int64_t *out) {
  switch (op) {
    case BIN_ADD: return !__builtin_add_overflow(a, b, out);
    case BIN_SUB: return !__builtin_sub_overflow(a, b, out);
    case BIN_MUL: return !__builtin_mul_overflow(a, b, out);
    case BIN_FLOOR_DIV: return floor_div(a, b, out);
    case BIN_MOD: return floor_mod(a, b, out);
    case BIN_POW: return int_power(a, b, out);
    case BIN_BIT_AND: *out = a & b; return true;
    case BIN_BIT_OR: *out = a | b; return true;
    case BIN_BIT_XOR: *out = a ^ b; return true;
    case BIN_SHL:
      if (b < 0 || b > 63) return false;
      *out = (int64_t)((uint64_t)a << b);
      return true;
    case BIN_SHR:
      if (b < 0 || b > 63) return false;
      *out = a >> b;
      return true;
    default: return false;
  }
}

static bool fold_floats(BinaryOp op, double a, double b, double *out) {
  switch (op) {
    case BIN_ADD: *out = a + b; return true;
    case BIN_SUB: *out = a - b; return true;
    case BIN_MUL: *out = a * b; return true;
    case BIN_DIV: *out = a / b; return true;
    default: return false;
  }
}

/* The literal as a double, if that is exact. */
static bool exact_double(const Expr *e, double *out) {
  if (e->kind == EXPR_FLOAT) {
    *out = e->number;
    return true;
  }
  if (e->kind != EXPR_INT || e->integer > EXACT_DOUBLE || e->integer < -EXACT_DOUBLE) return false;
  *out = (double)e->integer;
  return true;
}

static bool fold_strings(Compilation *comp, Expr *e, Text a, Text b) {
  if (a.len > MAX_FOLDED_STRING || b.len > MAX_FOLDED_STRING - a.len) return false;
  char *chars = comp_alloc(comp, (size_t)a.len + b.len + 1);
  if (a.len) memcpy(chars, a.chars, a.len);
  if (b.len) memcpy(chars + a.len, b.chars, b.len);
  e->kind = EXPR_STRING;
  e->text = (Text){chars, a.len + b.len};
  return true;
}

static void fold_binary(Compilation *comp, Expr *e) {
  const Expr *left = e->binary.left, *right = e->binary.right;
  BinaryOp op = e->binary.op;
  int64_t i;
  double a, b, f;
  if (left->kind == EXPR_STRING && right->kind == EXPR_STRING && op == BIN_ADD) {
    fold_strings(comp, e, left->text, right->text);
  } else if (left->kind == EXPR_INT && right->kind == EXPR_INT && op != BIN_DIV) {
    if (!fold_ints(op, left->integer, right->integer, &i)) return;
    e->kind = EXPR_INT;
    e->integer = i;
  } else if (exact_double(left, &a) && exact_double(right, &b)) {
    if (!fold_floats(op, a, b, &f)) return;
    e->kind = EXPR_FLOAT;
    e->number = f;
  }
}

static void fold_unary(Expr *e) {
  const Expr *operand = e->unary.operand;
  UnaryOp op = e->unary.op;
  if (op == UNARY_NEG && operand->kind == EXPR_FLOAT) {
    double number = -operand->number;
    e->kind = EXPR_FLOAT;
    e->number = number;
  } else if (operand->kind == EXPR_INT && op != UNARY_NOT) {
    int64_t value = operand->integer;
    if (op == UNARY_NEG && value == INT64_MIN) return;
    e->kind = EXPR_INT;
    e->integer = op == UNARY_NEG ? -value : ~value;
  }
}

void resolve_fold(Compilation *comp, Expr *e) {
  if (e->kind == EXPR_BINARY) fold_binary(comp, e);
  else if (e->kind == EXPR_UNARY) fold_unary(e);
}
