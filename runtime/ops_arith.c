/* ops_arith.c - slow paths of arithmetic and comparison: mixed numbers, strings, lists, operators
 * that programs define, and the errors. Methods run as frames of their own, not as C calls. */
#include "call.h"
#include "class.h"
#include "compare.h"
#include "fiber.h"
#include "list.h"
#include "map.h"
#include "number.h"
#include "ops.h"
#include "range.h"
#include "repr.h"
#include "str.h"

/* ---- operators of classes ---- */

static bool has_methods(Value v) { return v_is(v, KIND_INSTANCE) || v_is(v, KIND_FOREIGN); }

/* Calls operator `m` of v, if it has one. 1: called, 0: it has none, -1: error pending. */
static int call_operator(ox_VM *vm, Value v, OpMethod m, Value other, uint64_t ret) {
  if (!has_methods(v)) return 0;
  Value method = vm_find_method(vm, v, vm->st->op_names[m]);
  if (method == V_ABSENT) return error_pending(vm) ? -1 : 0;
  return call_operator_method(vm, method, v, other, ret) ? 1 : -1;
}

/* ---- arithmetic ---- */

typedef struct ArithOp { OpMethod method; const char *verb; } ArithOp;

static ArithOp arith_op(Opcode op) {
  switch (op) {
    case OP_ADD: case OP_ADDI: case OP_ADDK: case OP_KADD: return (ArithOp){OPM_ADD, "add"};
    case OP_SUB: case OP_SUBI: case OP_SUBK: case OP_KSUB: return (ArithOp){OPM_SUB, "subtract"};
    case OP_MUL: case OP_MULK: case OP_KMUL: return (ArithOp){OPM_MUL, "multiply"};
    case OP_DIV: case OP_DIVK: case OP_KDIV: return (ArithOp){OPM_DIV, "divide"};
    case OP_IDIV: case OP_IDIVK: return (ArithOp){OPM_IDIV, "divide"};
    case OP_MOD: case OP_MODK: return (ArithOp){OPM_MOD, "take the remainder (%) of"};
    case OP_POW: return (ArithOp){OPM_POW, "raise (**)"};
    case OP_MATMUL: return (ArithOp){OPM_MATMUL, "use @ on"};
    case OP_BAND: return (ArithOp){OPM_BAND, "use & on"};
    case OP_BOR: return (ArithOp){OPM_BOR, "use | on"};
    case OP_BXOR: return (ArithOp){OPM_BXOR, "use ^ on"};
    case OP_SHL: return (ArithOp){OPM_SHL, "use << on"};
    default: return (ArithOp){OPM_SHR, "use >> on"};
  }
}

static Value left_operand(ox_VM *vm, uint32_t ins) {
  switch (op_code(ins)) {
    case OP_KADD: case OP_KSUB: case OP_KMUL: case OP_KDIV: return vm_const(vm, INS_B(ins));
    default: return vm_regs(vm)[INS_B(ins)];
  }
}

static Value right_operand(ox_VM *vm, uint32_t ins) {
  switch (op_code(ins)) {
    case OP_ADDI: case OP_SUBI: return v_from_int(op_signed_c(ins));
    case OP_ADDK: case OP_SUBK: case OP_MULK: case OP_DIVK: case OP_IDIVK: case OP_MODK:
      return vm_const(vm, INS_C(ins));
    default: return vm_regs(vm)[INS_C(ins)];
  }
}

static bool arith_fails(ox_VM *vm, ArithOp op, Value a, Value b) {
  const char *left = vm_type_name(vm, a), *right = vm_type_name(vm, b);
  const char *hint = "";
  if (op.method == OPM_ADD && v_is_string(a) != v_is_string(b))
    hint = " (str(x) makes a string of any value)";
  if (op.method == OPM_MUL && v_is_string(a) && num_is_int(b))
    hint = " (text.repeat(n) repeats a string)";
  if (op.method == OPM_MUL && v_is(a, KIND_LIST) && num_is_int(b))
    hint = " (filled(n, x) of the module list makes a list)";
  if (op.method == OPM_MOD && v_is_string(a)) hint = " (\"{}\".format(x) fills in values)";
  vm_throw(vm, ERR_TYPE, "cannot %s %s and %s%s", op.verb, left, right, hint);
  return false;
}

bool slow_arith(ox_VM *vm, uint32_t ins) {
  Value a = left_operand(vm, ins), b = right_operand(vm, ins), r;
  ArithOp op = arith_op(op_code(ins));
  if (num_is(a) && num_is(b) && op.method != OPM_MATMUL) {
    r = num_arith(vm, op.method, a, b);
  } else if (op.method == OPM_ADD && v_is_string(a) && v_is_string(b)) {
    r = string_concat(vm, a, b);
  } else if (op.method == OPM_ADD && v_is(a, KIND_LIST) && v_is(b, KIND_LIST)) {
    r = list_concat(vm, a, b);
  } else {
    int called = call_operator(vm, a, op.method, b, link_here(vm, 0, INS_A(ins), RET_STORE));
    return called ? called > 0 : arith_fails(vm, op, a, b);
  }
  if (r == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = r;
  return true;
}

bool slow_unary(ox_VM *vm, uint32_t ins) {
  Value a = vm_regs(vm)[INS_B(ins)];
  bool neg = op_code(ins) == OP_NEG;
  if (num_is(a)) {
    Value r = neg ? num_neg(vm, a) : num_bnot(vm, a);
    if (r == V_ERROR) return false;
    vm_regs(vm)[INS_A(ins)] = r;
    return true;
  }
  int called = call_operator(vm, a, neg ? OPM_NEG : OPM_BNOT, V_ABSENT,
                             link_here(vm, 0, INS_A(ins), RET_STORE));
  if (called) return called > 0;
  vm_throw(vm, ERR_TYPE, neg ? "cannot negate %s" : "cannot use ~ on %s", vm_type_name(vm, a));
  return false;
}

bool slow_concat(ox_VM *vm, uint32_t ins) {
  unsigned first = INS_B(ins), n = INS_C(ins);
  Buf b;
  buf_init(&b, vm);
  for (unsigned i = 0; i < n; i++) {
    if (value_print(&b, vm_regs(vm)[first + i], false)) continue;
    buf_free(&b);
    return false;
  }
  Value r = buf_finish(&b);
  if (r == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = r;
  return true;
}

/* Length of a builtin container, -1: it has none. */
static int64_t plain_length(ox_VM *vm, Value v) {
  if (v_is_string(v)) return (int64_t)string_len(vm, v);
  if (v_is(v, KIND_LIST)) return (int64_t)list_len(vm, v);
  if (v_is(v, KIND_MAP) || v_is(v, KIND_SET)) return as_map(vm, v)->live;
  uint64_t n;
  if (v_is(v, KIND_RANGE) && range_length(vm, v, &n) && n <= INT64_MAX) return (int64_t)n;
  return -1;
}

bool slow_len(ox_VM *vm, uint32_t ins) {
  Value v = vm_regs(vm)[INS_B(ins)];
  int64_t n = plain_length(vm, v);
  if (n >= 0) {
    Value r = num_from_int(vm, n);
    if (r == V_ERROR) return false;
    vm_regs(vm)[INS_A(ins)] = r;
    return true;
  }
  int called = call_operator(vm, v, OPM_LEN, V_ABSENT, link_here(vm, 0, INS_A(ins), RET_LEN));
  if (called) return called > 0;
  vm_throw(vm, ERR_TYPE, "%s has no length", vm_type_name(vm, v));
  return false;
}

/* ---- comparison ---- */

typedef struct Comparison { OpMethod op; bool negate; } Comparison;

static Comparison comparison_of(Opcode op) {
  switch (op) {
    case OP_EQ: case OP_JEQ: case OP_JEQI: case OP_JEQK: return (Comparison){OPM_EQ, false};
    case OP_NE: case OP_JNE: case OP_JNEI: case OP_JNEK: return (Comparison){OPM_EQ, true};
    case OP_LT: case OP_JLT: case OP_JLTI: case OP_JLTK: return (Comparison){OPM_LT, false};
    case OP_JNLT: case OP_JNLTI: case OP_JNLTK: return (Comparison){OPM_LT, true};
    case OP_LE: case OP_JLE: case OP_JLEI: case OP_JLEK: return (Comparison){OPM_LE, false};
    case OP_JNLE: case OP_JNLEI: case OP_JNLEK: return (Comparison){OPM_LE, true};
    case OP_GT: case OP_JGT: case OP_JGTI: case OP_JGTK: return (Comparison){OPM_GT, false};
    case OP_JNGT: case OP_JNGTI: case OP_JNGTK: return (Comparison){OPM_GT, true};
    case OP_GE: case OP_JGE: case OP_JGEI: case OP_JGEK: return (Comparison){OPM_GE, false};
    default: return (Comparison){OPM_GE, true};
  }
}

bool ops_jumps_if(Opcode op) {
  return !comparison_of(op).negate;
}

static bool order_holds(OpMethod op, int c) { /* c: below 0, 0, above 0; 2 for unordered */
  if (c == 2) return false;
  switch (op) {
    case OPM_LT: return c < 0;
    case OPM_LE: return c <= 0;
    case OPM_GT: return c > 0;
    default: return c >= 0;
  }
}

/* a op b by methods of a class: x > y may also be y < x, x >= y also y <= x. As call_operator. */
static int compare_by_method(ox_VM *vm, OpMethod op, Value a, Value b, uint64_t ret) {
  int called = call_operator(vm, a, op, b, ret);
  if (called || (op != OPM_GT && op != OPM_GE)) return called;
  return call_operator(vm, b, op == OPM_GT ? OPM_LT : OPM_LE, a, ret);
}

/* 1, 0: decided; -1: error pending; 2: a method runs, its result goes where `ret` says. */
static int compare_slow(ox_VM *vm, OpMethod op, Value a, Value b, uint64_t ret) {
  int called = compare_by_method(vm, op, a, b, ret);
  if (called) return called > 0 ? 2 : -1;
  if (op == OPM_EQ) return value_equal(vm, a, b);
  if (v_is_string(a) && v_is_string(b)) {
    int c = string_compare(vm, a, b);
    return error_pending(vm) ? -1 : order_holds(op, (c > 0) - (c < 0));
  }
  if (num_is(a) && num_is(b)) return order_holds(op, num_compare(vm, a, b));
  int c = value_compare(vm, a, b);
  return c == -3 ? -1 : order_holds(op, c);
}

bool slow_compare(ox_VM *vm, uint32_t ins) {
  Comparison c = comparison_of(op_code(ins));
  Value a = vm_regs(vm)[INS_B(ins)], b = vm_regs(vm)[INS_C(ins)];
  int r = compare_slow(vm, c.op, a, b, link_here(vm, 0, INS_A(ins), c.negate ? RET_NOT : RET_BOOL));
  if (r == 2 || r < 0) return r > 0;
  vm_regs(vm)[INS_A(ins)] = v_from_bool(r != c.negate);
  return true;
}

static Value jump_operand(ox_VM *vm, uint32_t ins) {
  switch (op_code(ins)) {
    case OP_JEQ: case OP_JNE: case OP_JLT: case OP_JNLT: case OP_JLE: case OP_JNLE:
    case OP_JGT: case OP_JNGT: case OP_JGE: case OP_JNGE: return vm_regs(vm)[INS_B(ins)];
    case OP_JEQI: case OP_JNEI: case OP_JLTI: case OP_JNLTI: case OP_JLEI: case OP_JNLEI:
    case OP_JGTI: case OP_JNGTI: case OP_JGEI: case OP_JNGEI:
      return v_from_int(op_signed_d(ins));
    default: return vm_const(vm, INS_D(ins));
  }
}

bool slow_jump(ox_VM *vm, uint32_t ins) {
  Comparison c = comparison_of(op_code(ins));
  Value a = vm_regs(vm)[INS_A(ins)], b = jump_operand(vm, ins);
  int r = compare_slow(vm, c.op, a, b, link_here(vm, 1, 0, RET_JUMP));
  if (r == 2 || r < 0) return r > 0;
  int32_t displacement = (int32_t)vm_pc(vm)[0];
  vm->st->pc++;
  if (r == c.negate) return true;
  vm->st->pc += (int64_t)displacement;
  return --vm->st->fuel != 0 || vm_refuel(vm);
}

bool slow_in(ox_VM *vm, uint32_t ins) {
  Value x = vm_regs(vm)[INS_B(ins)], container = vm_regs(vm)[INS_C(ins)];
  int called = call_operator(vm, container, OPM_IN, x, link_here(vm, 0, INS_A(ins), RET_BOOL));
  if (called) return called > 0;
  int r = value_in(vm, x, container);
  if (r < 0) return false;
  vm_regs(vm)[INS_A(ins)] = v_from_bool(r);
  return true;
}

/* ---- types ---- */

bool slow_is(ox_VM *vm, uint32_t ins) {
  Value v = vm_regs(vm)[INS_B(ins)], cls = vm_regs(vm)[INS_C(ins)];
  if (!v_is(cls, KIND_CLASS)) {
    vm_throw(vm, ERR_TYPE, "the right side of `is` must be a class or a type, not %s",
             vm_type_name(vm, cls));
    return false;
  }
  Value own = vm_class_of(vm, v);
  if (own == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = v_from_bool(class_is(vm, own, cls));
  return true;
}

enum {
#define TYPE(e, name) TYPE_##e,
#include "../lang/types.def"
#undef TYPE
};
static const uint8_t kind_types[] = {
#define KIND(e, name, type, what) TYPE_##type,
#include "kinds.def"
#undef KIND
};

static unsigned type_of(Value v) {
  if (v_is_float(v)) return TYPE_FLOAT;
  if (v_is_int(v)) return TYPE_INT;
  if (v_is_bool(v)) return TYPE_BOOL;
  return v_is_ref(v) ? kind_types[v_kind(v)] : TYPE_NIL;
}

bool slow_istype(ox_VM *vm, uint32_t ins) {
  unsigned type = type_of(vm_regs(vm)[INS_B(ins)]), want = INS_C(ins);
  bool is = type == want || (want == TYPE_NUMBER && (type == TYPE_INT || type == TYPE_FLOAT));
  vm_regs(vm)[INS_A(ins)] = v_from_bool(is);
  return true;
}
