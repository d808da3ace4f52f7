/* ops_arith.h - handlers: arithmetic. Included by interp.c only.
 * X and Y are addresses of the operands. Doubles first; what neither path takes (mixed numbers,
 * overflow, NaN, strings, instances, errors) is slow_arith's. */

#define DOUBLE_PATH(X, op, Y) do { \
    double d_ = load_double(X) op load_double(Y); \
    if (LIKELY(d_ == d_)) { \
      store_double(&R[A], d_); \
      FORK; \
      NEXT; \
    } \
  } while (0)

#define ADD_OP(X, Y, mixed) \
  DOUBLE_PATH(X, +, Y); \
  Value a = *(X), b = *(Y), r = a + b + kbias; \
  if (LIKELY(BOTH_INT(a, b) && IS_INT(r))) { \
    R[A] = r; \
    NEXT; \
  } \
  GO(mixed)

#define SUB_OP(X, Y, mixed) \
  DOUBLE_PATH(X, -, Y); \
  Value a = *(X), b = *(Y), r = a - b - kbias; \
  if (LIKELY(BOTH_INT(a, b) && IS_INT(r))) { \
    R[A] = r; \
    NEXT; \
  } \
  GO(mixed)

#define MUL_OP(X, Y, mixed) \
  DOUBLE_PATH(X, *, Y); \
  Value a = *(X), b = *(Y); \
  if (LIKELY(BOTH_INT(a, b))) { \
    int64_t r; \
    if (LIKELY(!__builtin_mul_overflow(INT(a), INT(b), &r) && FITS_INT(r))) { \
      R[A] = MAKE_INT(r); \
      NEXT; \
    } \
  } \
  GO(mixed)

#define DIV_OP(X, Y, mixed) \
  DOUBLE_PATH(X, /, Y); \
  Value a = *(X), b = *(Y); \
  if (LIKELY(BOTH_INT(a, b))) { \
    double d = (double)INT(a) / (double)INT(b); \
    if (LIKELY(d == d)) { \
      store_double(&R[A], d); \
      NEXT; \
    } \
  } \
  GO(mixed)

/* An int and a float (or two floats whose result is NaN): as doubles. */
#define MIXED_OP(name, op, X, Y) \
  HELPER(name) { \
    Value a = *(X), b = *(Y); \
    if (IS_INT(a) ? v_is_float(b) : v_is_float(a) && (IS_INT(b) || v_is_float(b))) { \
      double x = IS_INT(a) ? (double)INT(a) : v_float(a); \
      double y = IS_INT(b) ? (double)INT(b) : v_float(b); \
      R[A] = v_from_float(x op y); \
      NEXT; \
    } \
    SLOW(arith); \
  }
MIXED_OP(mixed_add, +, &R[B], &R[C])
MIXED_OP(mixed_sub, -, &R[B], &R[C])
MIXED_OP(mixed_mul, *, &R[B], &R[C])
MIXED_OP(mixed_div, /, &R[B], &R[C])
MIXED_OP(mixed_addk, +, &R[B], &K(C))
MIXED_OP(mixed_subk, -, &R[B], &K(C))
MIXED_OP(mixed_mulk, *, &R[B], &K(C))
MIXED_OP(mixed_divk, /, &R[B], &K(C))
MIXED_OP(mixed_kadd, +, &K(B), &R[C])
MIXED_OP(mixed_ksub, -, &K(B), &R[C])
MIXED_OP(mixed_kmul, *, &K(B), &R[C])
MIXED_OP(mixed_kdiv, /, &K(B), &R[C])

/* Divisors above 0 only: 0 throws, and so is the sign's work left out. */
#define FLOOR_OP(X, Y, result) \
  Value a = *(X), b = *(Y); \
  if (LIKELY(BOTH_INT(a, b) && INT(b) > 0)) { \
    int64_t x = INT(a), y = INT(b), q, m; \
    if (LIKELY((uint64_t)(x | y) >> 32 == 0)) \
      q = (uint32_t)x / (uint32_t)y, m = (uint32_t)x % (uint32_t)y; \
    else { \
      q = x / y, m = x % y; \
      if (m < 0) q -= 1, m += y; \
    } \
    (void)q, (void)m; \
    R[A] = MAKE_INT(result); \
    NEXT; \
  } \
  SLOW(arith)

OPCODE(ADD) { ADD_OP(&R[B], &R[C], mixed_add); }
OPCODE(SUB) { SUB_OP(&R[B], &R[C], mixed_sub); }
OPCODE(MUL) { MUL_OP(&R[B], &R[C], mixed_mul); }
OPCODE(DIV) { DIV_OP(&R[B], &R[C], mixed_div); }
OPCODE(IDIV) { FLOOR_OP(&R[B], &R[C], q); }
OPCODE(MOD) { FLOOR_OP(&R[B], &R[C], m); }
OPCODE(ADDK) { ADD_OP(&R[B], &K(C), mixed_addk); }
OPCODE(SUBK) { SUB_OP(&R[B], &K(C), mixed_subk); }
OPCODE(MULK) { MUL_OP(&R[B], &K(C), mixed_mulk); }
OPCODE(DIVK) { DIV_OP(&R[B], &K(C), mixed_divk); }
OPCODE(KADD) { ADD_OP(&K(B), &R[C], mixed_kadd); }
OPCODE(KSUB) { SUB_OP(&K(B), &R[C], mixed_ksub); }
OPCODE(KMUL) { MUL_OP(&K(B), &R[C], mixed_kmul); }
OPCODE(KDIV) { DIV_OP(&K(B), &R[C], mixed_kdiv); }
OPCODE(IDIVK) { FLOOR_OP(&R[B], &K(C), q); }
OPCODE(MODK) { FLOOR_OP(&R[B], &K(C), m); }
OPCODE(POW) { SLOW(arith); }
OPCODE(MATMUL) { SLOW(arith); }

/* An int needs no unboxing to add a constant: no word just below the ints is a value. */
#define ADD_SMALL(k) \
  Value r = R[B] + (Value)(int64_t)(k); \
  if (LIKELY(IS_INT(r))) { \
    R[A] = r; \
    NEXT; \
  } \
  double d = load_double(&R[B]) + (double)(k); \
  if (LIKELY(d == d)) { \
    store_double(&R[A], d); \
    NEXT; \
  } \
  SLOW(arith)

OPCODE(ADDI) { ADD_SMALL(SIGNED_C); }
OPCODE(SUBI) { ADD_SMALL(-SIGNED_C); }

#define BIT_OP(expression) \
  Value a = R[B], b = R[C]; \
  if (LIKELY(BOTH_INT(a, b))) { \
    int64_t x = INT(a), y = INT(b); \
    R[A] = MAKE_INT(expression); \
    NEXT; \
  } \
  SLOW(arith)

OPCODE(BAND) { BIT_OP(x & y); }
OPCODE(BOR) { BIT_OP(x | y); }
OPCODE(BXOR) { BIT_OP(x ^ y); }

OPCODE(SHR) {
  Value a = R[B], b = R[C];
  if (LIKELY(BOTH_INT(a, b) && (uint64_t)INT(b) < 64)) {
    R[A] = MAKE_INT(INT(a) >> INT(b));
    NEXT;
  }
  SLOW(arith);
}

OPCODE(SHL) {
  Value a = R[B], b = R[C];
  if (LIKELY(BOTH_INT(a, b) && (uint64_t)INT(b) < 64)) {
    int64_t r = (int64_t)((uint64_t)INT(a) << INT(b));
    if (LIKELY(FITS_INT(r))) {
      R[A] = MAKE_INT(r);
      NEXT;
    }
  }
  SLOW(arith);
}

OPCODE(NEG) {
  Value a = R[B];
  int64_t r = -INT(a);
  if (LIKELY(IS_INT(a) && FITS_INT(r))) {
    R[A] = MAKE_INT(r);
    NEXT;
  }
  double d = -load_double(&R[B]);
  if (LIKELY(d == d)) {
    store_double(&R[A], d);
    NEXT;
  }
  SLOW(unary);
}

OPCODE(BNOT) {
  Value a = R[B];
  if (UNLIKELY(!IS_INT(a))) SLOW(unary);
  R[A] = MAKE_INT(~INT(a));
  NEXT;
}

OPCODE(NOT) {
  R[A] = V_FALSE + v_is_falsy(R[B]);
  NEXT;
}

OPCODE(CONCAT) { SLOW(concat); }

OPCODE(LEN) {
  Value v = R[B];
  if (LIKELY(IS(v, LIST))) {
    R[A] = MAKE_INT(((List *)PTR(v))->len);
    NEXT;
  }
  GO(len_other);
}

HELPER(len_other) {
  Value v = R[B];
  if (IS(v, STRING) || IS(v, ROPE)) R[A] = MAKE_INT((uint64_t)((Header *)PTR(v))->aux);
  else if (IS(v, MAP) || IS(v, SET)) R[A] = MAKE_INT((uint64_t)((Map *)PTR(v))->live);
  else SLOW(len);
  NEXT;
}
