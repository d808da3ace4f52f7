/* ops_compare.h - handlers: comparisons and jumps. Included by interp.c only. */

/* Both arms of a conditional jump dispatch for themselves; the taken one counts fuel. */
#define JUMP_IF(condition) do { \
    if (condition) { \
      POLL(); \
      pc += 1 + (int32_t)pc[0]; \
      FORK; \
      NEXT; \
    } \
    pc++; \
    FORK; \
    NEXT; \
  } while (0)
#define FORWARD_IF(condition) do { \
    if (condition) { \
      pc += 1 + (int32_t)pc[0]; \
      FORK; \
      NEXT; \
    } \
    pc++; \
    FORK; \
    NEXT; \
  } while (0)

OPCODE(JMP) { pc += SIGNED_J; NEXT; }
OPCODE(JLOOP) { POLL(); pc += SIGNED_J; NEXT; }
OPCODE(JT) { JUMP_IF(!v_is_falsy(R[A])); }
OPCODE(JF) { JUMP_IF(v_is_falsy(R[A])); }
OPCODE(JNIL) { JUMP_IF(R[A] == V_NIL); }
OPCODE(JNNIL) { JUMP_IF(R[A] != V_NIL); }
OPCODE(JABSENT) { FORWARD_IF(R[A] == V_ABSENT); }
OPCODE(JPRESENT) { FORWARD_IF(R[A] != V_ABSENT); }

/* ---- to a value ---- */
#define ORDER_VALUE(op) \
  Value a = R[B], b = R[C]; \
  if (LIKELY(BOTH_INT(a, b))) { \
    R[A] = V_FALSE + (a op b); \
    NEXT; \
  } \
  if (LIKELY(is_float_pair(a, b))) { \
    R[A] = V_FALSE + (v_float(a) op v_float(b)); \
    NEXT; \
  } \
  SLOW(compare)
OPCODE(LT) { ORDER_VALUE(<); }
OPCODE(LE) { ORDER_VALUE(<=); }
OPCODE(GT) { ORDER_VALUE(>); }
OPCODE(GE) { ORDER_VALUE(>=); }

OPCODE(EQ) {
  int equal = equal_plain(cage, R[B], R[C]);
  if (UNLIKELY(equal < 0)) SLOW(compare);
  R[A] = V_FALSE + equal;
  NEXT;
}

OPCODE(NE) {
  int equal = equal_plain(cage, R[B], R[C]);
  if (UNLIKELY(equal < 0)) SLOW(compare);
  R[A] = V_FALSE + !equal;
  NEXT;
}

OPCODE(IN) {
  Value v = R[C];
  if (IS(v, MAP) || IS(v, SET)) GO(in_map);
  SLOW(in);
}

HELPER(in_map) {
  int32_t e = map_find_quick(vm_of(cage), (Map *)PTR(R[C]), R[B]);
  AFTER_C();
  if (UNLIKELY(e == MAP_ASK)) SLOW(in);
  R[A] = V_FALSE + (e >= 0);
  NEXT;
}

OPCODE(IS) {
  Value v = R[B], cls = R[C];
  if (UNLIKELY(!IS(v, INSTANCE) || !IS(cls, CLASS))) SLOW(is);
  uint32_t own = ((Header *)PTR(v))->aux;
  while (own != (uint32_t)cls) {
    Value super = ((Class *)REF_PTR(own))->super;
    if (!IS(super, CLASS)) break;
    own = (uint32_t)super;
  }
  R[A] = V_FALSE + (own == (uint32_t)cls);
  NEXT;
}

OPCODE(ISTYPE) { SLOW(istype); }

/* ---- to a jump ---- */

/* Ints keep their order as words. NaN goes the slow way, so JNLT may test the opposite. */
#define JUMP_ORDER(op, negate, Y, other) \
  Value a = R[A], b = *(Y); \
  if (LIKELY(BOTH_INT(a, b))) JUMP_IF(negate(a op b)); \
  double x = load_double(&R[A]), y = load_double(Y); \
  if (LIKELY(!__builtin_isunordered(x, y))) JUMP_IF(negate(x op y)); \
  GO(other)
OPCODE(JLT) { JUMP_ORDER(<, , &R[B], order_other); }
OPCODE(JNLT) { JUMP_ORDER(<, !, &R[B], order_other); }
OPCODE(JLE) { JUMP_ORDER(<=, , &R[B], order_other); }
OPCODE(JNLE) { JUMP_ORDER(<=, !, &R[B], order_other); }
OPCODE(JGT) { JUMP_ORDER(>, , &R[B], order_other); }
OPCODE(JNGT) { JUMP_ORDER(>, !, &R[B], order_other); }
OPCODE(JGE) { JUMP_ORDER(>=, , &R[B], order_other); }
OPCODE(JNGE) { JUMP_ORDER(>=, !, &R[B], order_other); }
OPCODE(JLTK) { JUMP_ORDER(<, , &K(D), orderk_other); }
OPCODE(JNLTK) { JUMP_ORDER(<, !, &K(D), orderk_other); }
OPCODE(JLEK) { JUMP_ORDER(<=, , &K(D), orderk_other); }
OPCODE(JNLEK) { JUMP_ORDER(<=, !, &K(D), orderk_other); }
OPCODE(JGTK) { JUMP_ORDER(>, , &K(D), orderk_other); }
OPCODE(JNGTK) { JUMP_ORDER(>, !, &K(D), orderk_other); }
OPCODE(JGEK) { JUMP_ORDER(>=, , &K(D), orderk_other); }
OPCODE(JNGEK) { JUMP_ORDER(>=, !, &K(D), orderk_other); }

/* Flat strings, as in `c >= "0"`, which scanners written in the language do all the time. */
#define JUMP_STRINGS(Y) \
  Value a = R[A], b = (Y); \
  if (UNLIKELY(!IS(a, STRING) || !IS(b, STRING))) SLOW(jump); \
  bool jumps = order_jumps((uint8_t)ins, flat_order((String *)PTR(a), (String *)PTR(b))); \
  AFTER_C(); \
  JUMP_IF(jumps)
HELPER(order_other) { JUMP_STRINGS(R[B]); }
HELPER(orderk_other) { JUMP_STRINGS(K(D)); }

#define JUMP_SMALL(op, negate) \
  Value a = R[A]; \
  if (LIKELY(IS_INT(a))) JUMP_IF(negate(a op MAKE_INT((int64_t)SIGNED_D))); \
  double x = load_double(&R[A]); \
  if (LIKELY(x == x)) JUMP_IF(negate(x op (double)SIGNED_D)); \
  SLOW(jump)
OPCODE(JEQI) { JUMP_SMALL(==, ); }
OPCODE(JNEI) { JUMP_SMALL(==, !); }
OPCODE(JLTI) { JUMP_SMALL(<, ); }
OPCODE(JNLTI) { JUMP_SMALL(<, !); }
OPCODE(JLEI) { JUMP_SMALL(<=, ); }
OPCODE(JNLEI) { JUMP_SMALL(<=, !); }
OPCODE(JGTI) { JUMP_SMALL(>, ); }
OPCODE(JNGTI) { JUMP_SMALL(>, !); }
OPCODE(JGEI) { JUMP_SMALL(>=, ); }
OPCODE(JNGEI) { JUMP_SMALL(>=, !); }

/* The general case has helpers of its own: it needs more registers than handlers have for free. */
#define JUMP_EQUAL(negate, other) \
  Value a = R[A], b = R[B]; \
  if (LIKELY(BOTH_INT(a, b))) JUMP_IF(negate(a == b)); \
  GO(other)
#define JUMP_PLAIN(X, Y, negate) \
  int equal = equal_plain(cage, X, Y); \
  if (LIKELY(equal >= 0)) JUMP_IF(negate(equal)); \
  SLOW(jump)
OPCODE(JEQ) { JUMP_EQUAL(, jeq_other); }
OPCODE(JNE) { JUMP_EQUAL(!, jne_other); }
HELPER(jeq_other) { JUMP_PLAIN(R[A], R[B], ); }
HELPER(jne_other) { JUMP_PLAIN(R[A], R[B], !); }

/* String constants are interned, and no constant is NaN. */
#define JUMP_CONST(negate, other) \
  Value a = R[A], k = K(D); \
  if (a == k) JUMP_IF(negate(true)); \
  if (LIKELY(IS(a, STRING) && IS(k, STRING))) { \
    String *s = (String *)PTR(a); \
    if (LIKELY(s->h.n & STRING_INTERNED)) JUMP_IF(negate(false)); \
  } \
  GO(other)
OPCODE(JEQK) { JUMP_CONST(, jeqk_other); }
OPCODE(JNEK) { JUMP_CONST(!, jnek_other); }
HELPER(jeqk_other) { JUMP_PLAIN(R[A], K(D), ); }
HELPER(jnek_other) { JUMP_PLAIN(R[A], K(D), !); }
