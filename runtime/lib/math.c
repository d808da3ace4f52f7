/* math.c - the module `math`.
 *
 * Functions of real numbers follow IEEE 754: outside their domain they give nan or inf and do not
 * throw. What gives an int throws where no int would be right. Angles are radians. */
#include "lib.h"

#include <math.h>
#include <stdlib.h>

/* ---- one number in, one float out ---------------------------------------------------------- */

#define REAL_FN(name)                                               \
  static Value math_##name(ox_VM *vm, Value *args, int nargs) {     \
    double x;                                                       \
    (void)nargs;                                                    \
    if (!arg_number(vm, args[0], "x of math." #name, &x)) return V_ERROR; \
    return v_from_float(name(x));                                   \
  }
#define REAL_FNS(F) \
  F(sqrt) F(sin) F(cos) F(tan) F(asin) F(acos) F(atan) F(sinh) F(cosh) F(tanh) \
  F(exp) F(log2) F(log10)
REAL_FNS(REAL_FN)

#define REAL_FN2(name)                                              \
  static Value math_##name(ox_VM *vm, Value *args, int nargs) {     \
    double a, b;                                                    \
    (void)nargs;                                                    \
    if (!arg_number(vm, args[0], "the first argument of math." #name, &a)) return V_ERROR;  \
    if (!arg_number(vm, args[1], "the second argument of math." #name, &b)) return V_ERROR; \
    return v_from_float(name(a, b));                                \
  }
REAL_FN2(atan2)
REAL_FN2(hypot)
REAL_FN2(fmod)

static Value math_log(ox_VM *vm, Value *args, int nargs) {
  double x, base;
  (void)nargs;
  if (!arg_number(vm, args[0], "x of math.log", &x)) return V_ERROR;
  if (!arg_given(args, 1)) return v_from_float(log(x));
  if (!arg_number(vm, args[1], "base of math.log", &base)) return V_ERROR;
  if (base == 2) return v_from_float(log2(x));
  if (base == 10) return v_from_float(log10(x));
  return v_from_float(log(x) / log(base));
}

/* One step of Newton's method mends the last bit, so that cubes of ints give ints. */
static Value math_cbrt(ox_VM *vm, Value *args, int nargs) {
  double x;
  (void)nargs;
  if (!arg_number(vm, args[0], "x of math.cbrt", &x)) return V_ERROR;
  double r = cbrt(x), mended = r - (r * r * r - x) / (3 * r * r);
  return v_from_float(isfinite(mended) ? mended : r);
}

static Value math_degrees(ox_VM *vm, Value *args, int nargs) {
  double x;
  (void)nargs;
  if (!arg_number(vm, args[0], "x of math.degrees", &x)) return V_ERROR;
  return v_from_float(x * (180 / M_PI));
}

static Value math_radians(ox_VM *vm, Value *args, int nargs) {
  double x;
  (void)nargs;
  if (!arg_number(vm, args[0], "x of math.radians", &x)) return V_ERROR;
  return v_from_float(x * (M_PI / 180));
}

/* ---- rounding to ints ---------------------------------------------------------------------- */

static Value whole(ox_VM *vm, const char *name, double x) {
  if (x >= -0x1p63 && x < 0x1p63) return num_from_int(vm, (int64_t)x);
  char text[NUM_TEXT];
  num_format_float(x, text);
  return vm_throw(vm, x == x && !isinf(x) ? ERR_OVERFLOW : ERR_VALUE,
                  "math.%s: %s has no int next to it%s", name, text,
                  x == x && !isinf(x) ? " (ints have 64 bits)" : "");
}

#define WHOLE_FN(name)                                              \
  static Value math_##name(ox_VM *vm, Value *args, int nargs) {     \
    double x;                                                       \
    (void)nargs;                                                    \
    if (num_is_int(args[0])) return args[0];                        \
    if (!arg_number(vm, args[0], "x of math." #name, &x)) return V_ERROR; \
    return whole(vm, #name, name(x));                               \
  }
WHOLE_FN(floor)
WHOLE_FN(ceil)
WHOLE_FN(trunc)

static uint64_t ten_to(int n) {
  uint64_t p = 1;
  while (n-- > 0) p *= 10;
  return p;
}

/* i to the next multiple of 10^places, halves away from zero. */
static Value round_int(ox_VM *vm, int64_t i, int places) {
  if (places <= 0) return num_from_int(vm, i);
  if (places > 19) return v_from_int(0);
  uint64_t size = i < 0 ? 0 - (uint64_t)i : (uint64_t)i, unit = ten_to(places);
  uint64_t rest = size % unit, up = rest >= unit - rest;
  uint64_t rounded = size - rest;
  if (up && __builtin_add_overflow(rounded, unit, &rounded)) rounded = UINT64_MAX;
  if (rounded > (uint64_t)INT64_MAX + (i < 0))
    return vm_throw(vm, ERR_OVERFLOW, "math.round: the rounded number does not fit an int");
  return num_from_int(vm, (int64_t)(i < 0 ? 0 - rounded : rounded));
}

/* Bits behind the binary point: that many decimals its exact value has, the last of them a 5. */
static int fraction_bits(double x) {
  int exponent;
  double m = frexp(x, &exponent); /* m * 2^53 is whole */
  uint64_t bits = (uint64_t)fabs(ldexp(m, 53));
  if (!bits) return 0;
  int places = 53 - exponent - __builtin_ctzll(bits);
  return places > 0 ? places : 0;
}

/* x to `digits` decimals as decimal text would round it, exactly; only a true half goes away from
 * zero, where printf would go to the even digit. Beyond ~330 decimals doubles have no more. */
static double round_decimals(double x, int digits) {
  if (digits > 330 || fabs(x) >= 0x1p52) return x;
  if (fraction_bits(x) == digits + 1) x = nextafter(x, x < 0 ? -INFINITY : INFINITY);
  char text[400];
  snprintf(text, sizeof text, "%.*f", digits, x);
  return strtod(text, NULL);
}

static double round_places(double x, int places) {
  if (places > 308) return copysign(0, x);
  double unit = pow(10, places), rest = fmod(x, unit), base = x - rest;
  return fabs(rest) * 2 >= unit ? base + copysign(unit, x) : base;
}

Value math_round(ox_VM *vm, Value *args, int nargs) {
  int64_t digits = 0;
  double x;
  (void)nargs;
  bool given = arg_given(args, 1);
  if (given && !arg_int(vm, args[1], "digits of math.round", &digits)) return V_ERROR;
  if (digits < -400) digits = -400;
  if (digits > 400) digits = 400;
  if (num_is_int(args[0])) return round_int(vm, num_int(vm, args[0]), (int)-digits);
  if (!arg_number(vm, args[0], "x of math.round", &x)) return V_ERROR;
  if (!given) return whole(vm, "round", round(x));
  if (!isfinite(x)) return v_from_float(x);
  return v_from_float(digits >= 0 ? round_decimals(x, (int)digits)
                                  : round_places(x, (int)-digits));
}

/* ---- numbers of either kind ---------------------------------------------------------------- */

static Value need_number(ox_VM *vm, Value v, const char *what) {
  if (num_is(v)) return v;
  return vm_throw(vm, ERR_TYPE, "%s must be a number, not %s", what, vm_type_name(vm, v));
}

Value math_abs(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (v_is_float(args[0])) return v_from_float(fabs(v_float(args[0])));
  if (need_number(vm, args[0], "x of math.abs") == V_ERROR) return V_ERROR;
  return num_int(vm, args[0]) < 0 ? num_neg(vm, args[0]) : args[0];
}

static Value math_sign(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (v_is_float(args[0])) {
    double x = v_float(args[0]);
    return x > 0 ? v_from_float(1) : x < 0 ? v_from_float(-1) : args[0];
  }
  if (need_number(vm, args[0], "x of math.sign") == V_ERROR) return V_ERROR;
  int64_t i = num_int(vm, args[0]);
  return v_from_int((i > 0) - (i < 0));
}

static Value math_pow(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (need_number(vm, args[0], "x of math.pow") == V_ERROR) return V_ERROR;
  if (need_number(vm, args[1], "y of math.pow") == V_ERROR) return V_ERROR;
  return num_arith(vm, OPM_POW, args[0], args[1]);
}

/* The smallest (wanted -1) or largest (1) of several numbers; a nan among them is the answer. */
static Value extreme(ox_VM *vm, const char *name, const Value *xs, uint64_t n, int wanted) {
  if (!n) return vm_throw(vm, ERR_VALUE, "math.%s needs at least one number", name);
  Value best = xs[0];
  for (uint64_t i = 0; i < n; i++) {
    if (!num_is(xs[i]))
      return vm_throw(vm, ERR_TYPE, "math.%s takes numbers, not %s", name,
                      vm_type_name(vm, xs[i]));
    int order = num_compare(vm, xs[i], best);
    if (order == 2) return v_from_float(NAN);
    if (order == wanted) best = xs[i];
    if ((i & 1023) == 1023 && !vm_poll(vm, 1024 / 8)) return V_ERROR;
  }
  return best;
}

static Value extreme_of(ox_VM *vm, const char *name, Value *args, int nargs, int wanted) {
  if (nargs == 1 && !num_is(args[0])) {
    Value list = list_from_iterable(vm, args[0], "the argument");
    if (list == V_ERROR) return V_ERROR;
    uint64_t n = list_len(vm, list);
    return extreme(vm, name, n ? list_store(vm, as_list(vm, list))->items : NULL, n, wanted);
  }
  return extreme(vm, name, args, (uint64_t)nargs, wanted);
}

static Value math_min(ox_VM *vm, Value *args, int nargs) {
  return extreme_of(vm, "min", args, nargs, -1);
}
static Value math_max(ox_VM *vm, Value *args, int nargs) {
  return extreme_of(vm, "max", args, nargs, 1);
}

static Value math_clamp(ox_VM *vm, Value *args, int nargs) {
  static const char *const names[] = {"x of math.clamp", "low of math.clamp", "high of math.clamp"};
  (void)nargs;
  for (int i = 0; i < 3; i++)
    if (need_number(vm, args[i], names[i]) == V_ERROR) return V_ERROR;
  int order = num_compare(vm, args[1], args[2]);
  if (order > 0) return vm_throw(vm, ERR_VALUE, "math.clamp: low must not be above high");
  if (num_compare(vm, args[0], args[1]) == -1) return args[1];
  if (num_compare(vm, args[0], args[2]) == 1) return args[2];
  return args[0];
}

/* ---- ints ---------------------------------------------------------------------------------- */

static bool int_pair(ox_VM *vm, Value *args, const char *name, uint64_t *a, uint64_t *b) {
  int64_t i, j;
  char what[40];
  snprintf(what, sizeof what, "an argument of math.%s", name);
  if (!arg_int(vm, args[0], what, &i) || !arg_int(vm, args[1], what, &j)) return false;
  *a = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  *b = j < 0 ? 0 - (uint64_t)j : (uint64_t)j;
  return true;
}

static uint64_t gcd(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static Value natural(ox_VM *vm, const char *name, uint64_t n) {
  if (n <= INT64_MAX) return num_from_int(vm, (int64_t)n);
  return vm_throw(vm, ERR_OVERFLOW, "math.%s: the result does not fit an int", name);
}

static Value math_gcd(ox_VM *vm, Value *args, int nargs) {
  uint64_t a, b;
  (void)nargs;
  return int_pair(vm, args, "gcd", &a, &b) ? natural(vm, "gcd", gcd(a, b)) : V_ERROR;
}

static Value math_lcm(ox_VM *vm, Value *args, int nargs) {
  uint64_t a, b, product;
  (void)nargs;
  if (!int_pair(vm, args, "lcm", &a, &b)) return V_ERROR;
  if (!a || !b) return v_from_int(0);
  if (__builtin_mul_overflow(a / gcd(a, b), b, &product)) product = UINT64_MAX;
  return natural(vm, "lcm", product);
}

/* ---- tests --------------------------------------------------------------------------------- */

static Value math_is_nan(ox_VM *vm, Value *args, int nargs) {
  double x;
  (void)nargs;
  return arg_number(vm, args[0], "x of math.is_nan", &x) ? v_from_bool(x != x) : V_ERROR;
}
static Value math_is_inf(ox_VM *vm, Value *args, int nargs) {
  double x;
  (void)nargs;
  return arg_number(vm, args[0], "x of math.is_inf", &x) ? v_from_bool(isinf(x) != 0) : V_ERROR;
}
static Value math_is_finite(ox_VM *vm, Value *args, int nargs) {
  double x;
  (void)nargs;
  return arg_number(vm, args[0], "x of math.is_finite", &x) ? v_from_bool(isfinite(x)) : V_ERROR;
}

static bool math_init(ox_VM *vm, Value exports) {
  return lib_export(vm, exports, "int_max", num_from_int(vm, INT64_MAX)) &&
         lib_export(vm, exports, "int_min", num_from_int(vm, INT64_MIN));
}

static const NativeDef math_defs[] = {
    NATIVE_NUMBER("pi", M_PI, "The ratio of a circle's circumference to its diameter."),
    NATIVE_NUMBER("e", M_E, "The base of natural logarithms."),
    NATIVE_NUMBER("tau", 2 * M_PI, "One full turn in radians, 2 pi."),
    NATIVE_NUMBER("inf", INFINITY, "Positive infinity."),
    NATIVE_NUMBER("nan", NAN, "Not a number; differs from everything, itself included."),
    NATIVE("sqrt", math_sqrt, "sqrt(x) -> float", "The square root; nan for x < 0."),
    NATIVE("cbrt", math_cbrt, "cbrt(x) -> float", "The cube root, also of negative numbers."),
    NATIVE("exp", math_exp, "exp(x) -> float", "e to the power x."),
    NATIVE("log", math_log, "log(x, base = e) -> float",
           "The logarithm of x, natural unless a base is given; nan for x < 0, -inf for 0."),
    NATIVE("log2", math_log2, "log2(x) -> float",
           "The logarithm to base 2, exact for powers of 2."),
    NATIVE("log10", math_log10, "log10(x) -> float", "The logarithm to base 10."),
    NATIVE("pow", math_pow, "pow(x, y)",
           "x to the power y, as the operator **: an int for ints with y >= 0 (overflow throws)."),
    NATIVE("sin", math_sin, "sin(x) -> float", "The sine of x radians."),
    NATIVE("cos", math_cos, "cos(x) -> float", "The cosine of x radians."),
    NATIVE("tan", math_tan, "tan(x) -> float", "The tangent of x radians."),
    NATIVE("asin", math_asin, "asin(x) -> float", "The angle in -pi/2..pi/2 whose sine is x."),
    NATIVE("acos", math_acos, "acos(x) -> float", "The angle in 0..pi whose cosine is x."),
    NATIVE("atan", math_atan, "atan(x) -> float", "The angle in -pi/2..pi/2 whose tangent is x."),
    NATIVE("atan2", math_atan2, "atan2(y, x) -> float",
           "The angle in -pi..pi of the point (x, y), seen from the origin."),
    NATIVE("sinh", math_sinh, "sinh(x) -> float", "The hyperbolic sine."),
    NATIVE("cosh", math_cosh, "cosh(x) -> float", "The hyperbolic cosine."),
    NATIVE("tanh", math_tanh, "tanh(x) -> float", "The hyperbolic tangent."),
    NATIVE("degrees", math_degrees, "degrees(x) -> float", "x radians in degrees."),
    NATIVE("radians", math_radians, "radians(x) -> float", "x degrees in radians."),
    NATIVE("hypot", math_hypot, "hypot(x, y) -> float",
           "The length of the vector (x, y), without overflow in between."),
    NATIVE("fmod", math_fmod, "fmod(x, y) -> float",
           "The remainder of x / y with the sign of x (the operator % has the sign of y)."),
    NATIVE("floor", math_floor, "floor(x) -> int",
           "The largest int <= x; throws for nan, inf and beyond 64 bits."),
    NATIVE("ceil", math_ceil, "ceil(x) -> int",
           "The smallest int >= x; throws for nan, inf and beyond 64 bits."),
    NATIVE("trunc", math_trunc, "trunc(x) -> int",
           "x without its fraction; throws for nan, inf and beyond 64 bits."),
    NATIVE("round", math_round, "round(x, digits = 0)",
           "The nearest int, halves away from zero; with digits, a float keeps that many "
           "decimals (negative: tens, hundreds, ...) and an int stays an int."),
    NATIVE("abs", math_abs, "abs(x)", "x without its sign; throws overflow for math.int_min."),
    NATIVE("sign", math_sign, "sign(x)",
           "-1, 0 or 1 of the same type as x; nan, 0.0 and -0.0 are given back."),
    NATIVE("min", math_min, "min(...xs)",
           "The smallest of several numbers or of one iterable of numbers; nan if one is nan."),
    NATIVE("max", math_max, "max(...xs)",
           "The largest of several numbers or of one iterable of numbers; nan if one is nan."),
    NATIVE("clamp", math_clamp, "clamp(x, low, high)", "x, or the bound it lies beyond."),
    NATIVE("gcd", math_gcd, "gcd(a, b) -> int", "The greatest common divisor, never negative."),
    NATIVE("lcm", math_lcm, "lcm(a, b) -> int",
           "The least common multiple, never negative; throws overflow beyond 64 bits."),
    NATIVE("is_nan", math_is_nan, "is_nan(x) -> bool", "Whether x is nan."),
    NATIVE("is_inf", math_is_inf, "is_inf(x) -> bool", "Whether x is inf or -inf."),
    NATIVE("is_finite", math_is_finite, "is_finite(x) -> bool",
           "Whether x is neither nan nor inf."),
};

const ModuleDef module_math = {
    "math", "Numbers: constants, roots, powers, angles, rounding; also int_max and int_min.",
    math_defs, LIB_COUNT(math_defs), -1, math_init};
