/* number.c - exact arithmetic, comparison, hashing, printing and parsing of numbers.
 *
 * Ints have 64 bits; those beyond 48 are boxed (WideInt), which programs never see: a result
 * that fits is always stored inline, so equal ints of 48 bits are the same word.
 *
 * Printing finds the shortest decimal that reads back as the same double, and of several the
 * nearest. Decimals of at most 15 digits survive the way to a double and back, so if one of them
 * gives the double it is found by rounding to 15; otherwise 16 or 17 digits do. For doubles of
 * usual size rounding and the test whether the decimal reads back are exact in 128 bits; for the
 * others the C library gives 17 digits, which are cut to 15 and 16 and tried. Nothing here
 * depends on the locale: the C library is only asked for digits and exponents, never for a
 * decimal point. */
#include "number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "hash.h"
#include "str.h"

/* ---- conversions ----------------------------------------------------------------------------- */

int64_t num_int(ox_VM *vm, Value v) {
  return v_is_int(v) ? v_int(v) : ((WideInt *)vm_deref(vm, v))->i;
}

Value num_from_int(ox_VM *vm, int64_t i) {
  if (v_int_fits(i)) return v_from_int(i);
  WideInt *w = vm_alloc(vm, 2, KIND_WIDE_INT, LAYOUT_RAW, 0, 0);
  if (!w) return V_ERROR;
  w->i = i;
  Value v = v_from_ptr(vm->cage, KIND_WIDE_INT, w);
  return vm_root(vm, v) ? v : V_ERROR;
}

double num_double(ox_VM *vm, Value v) {
  return v_is_float(v) ? v_float(v) : (double)num_int(vm, v);
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static const char *op_name(OpMethod op) {
  static const char *const names[] = {
#define OPM(e, s) s,
      OP_METHODS(OPM)
#undef OPM
  };
  return names[op];
}

static Value throw_overflow(ox_VM *vm, int64_t a, OpMethod op, int64_t b) {
  return vm_throw(vm, ERR_OVERFLOW, "integer overflow: %lld %s %lld", (long long)a, op_name(op),
                  (long long)b);
}

static Value throw_zero(ox_VM *vm, OpMethod op) {
  return vm_throw(vm, ERR_ZERO_DIVISION, "integer %s by zero",
                  op == OPM_MOD ? "modulo" : "division");
}

static Value int_idiv(ox_VM *vm, int64_t a, int64_t b) {
  if (b == 0) return throw_zero(vm, OPM_IDIV);
  if (b == -1 && a == INT64_MIN) return throw_overflow(vm, a, OPM_IDIV, b);
  return num_from_int(vm, a / b - (a % b != 0 && (a < 0) != (b < 0)));
}

static Value int_mod(ox_VM *vm, int64_t a, int64_t b) {
  if (b == 0) return throw_zero(vm, OPM_MOD);
  if (b == -1) return v_from_int(0);
  int64_t r = a % b;
  return num_from_int(vm, r != 0 && (r < 0) != (b < 0) ? r + b : r);
}

/* Exponent >= 0. */
static Value int_pow(ox_VM *vm, int64_t a, int64_t b) {
  int64_t result = 1, square = a;
  bool over = false; /* of the square: matters only once it is used */
  for (int64_t left = b; left > 0; left >>= 1) {
    if (left & 1 && (over || __builtin_mul_overflow(result, square, &result)))
      return throw_overflow(vm, a, OPM_POW, b);
    over |= __builtin_mul_overflow(square, square, &square);
  }
  return num_from_int(vm, result);
}

static Value int_shift(ox_VM *vm, OpMethod op, int64_t a, int64_t b) {
  if (b < 0 || b > 63)
    return vm_throw(vm, ERR_VALUE, "cannot shift by %lld bits: 0 to 63 are possible", (long long)b);
  return num_from_int(vm, op == OPM_SHL ? (int64_t)((uint64_t)a << b) : a >> b);
}

static Value int_arith(ox_VM *vm, OpMethod op, int64_t a, int64_t b) {
  int64_t r = 0;
  bool over = false;
  switch (op) {
    case OPM_ADD: over = __builtin_add_overflow(a, b, &r); break;
    case OPM_SUB: over = __builtin_sub_overflow(a, b, &r); break;
    case OPM_MUL: over = __builtin_mul_overflow(a, b, &r); break;
    case OPM_DIV: return v_from_float((double)a / (double)b);
    case OPM_IDIV: return int_idiv(vm, a, b);
    case OPM_MOD: return int_mod(vm, a, b);
    case OPM_POW: return b < 0 ? v_from_float(pow((double)a, (double)b)) : int_pow(vm, a, b);
    case OPM_BAND: r = a & b; break;
    case OPM_BOR: r = a | b; break;
    case OPM_BXOR: r = a ^ b; break;
    default: return int_shift(vm, op, a, b);
  }
  return over ? throw_overflow(vm, a, op, b) : num_from_int(vm, r);
}

/* Remainder with the divisor's sign. */
static double float_mod(double a, double b) {
  double r = fmod(a, b);
  if (r == 0) return copysign(0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

/* The floor of the exact quotient: a // b agrees with a % b, which floor(a / b) does not. */
static double float_idiv(double a, double b) {
  if (b == 0 || !isfinite(a)) return floor(a / b);
  double rest = fmod(a, b), quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  double whole = floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return whole == 0 ? copysign(0, a / b) : whole;
}

static Value float_arith(OpMethod op, double a, double b) {
  switch (op) {
    case OPM_ADD: return v_from_float(a + b);
    case OPM_SUB: return v_from_float(a - b);
    case OPM_MUL: return v_from_float(a * b);
    case OPM_DIV: return v_from_float(a / b);
    case OPM_IDIV: return v_from_float(float_idiv(a, b));
    case OPM_MOD: return v_from_float(float_mod(a, b));
    default: return v_from_float(pow(a, b));
  }
}

Value num_arith(ox_VM *vm, OpMethod op, Value a, Value b) {
  if (num_is_int(a) && num_is_int(b)) return int_arith(vm, op, num_int(vm, a), num_int(vm, b));
  if (op <= OPM_POW) return float_arith(op, num_double(vm, a), num_double(vm, b));
  return vm_throw(vm, ERR_TYPE, "%s needs two ints, not %s and %s", op_name(op),
                  vm_type_name(vm, a), v_is_float(b) ? "float" : "int");
}

Value num_neg(ox_VM *vm, Value a) {
  if (v_is_float(a)) return v_from_float(-v_float(a));
  int64_t i = num_int(vm, a);
  if (i == INT64_MIN)
    return vm_throw(vm, ERR_OVERFLOW, "integer overflow: -(%lld)", (long long)i);
  return num_from_int(vm, -i);
}

Value num_bnot(ox_VM *vm, Value a) {
  if (v_is_float(a)) return vm_throw(vm, ERR_TYPE, "~ needs an int, not float");
  return num_from_int(vm, ~num_int(vm, a));
}

/* ---- comparison and hash --------------------------------------------------------------------- */

/* Exact: neither is the int rounded to a double, nor a double beyond 64 bits to an int. */
static int compare_int_float(int64_t i, double d) {
  if (d != d) return 2;
  if (d >= 0x1p63) return -1;
  if (d < -0x1p63) return 1;
  int64_t whole = (int64_t)d;
  if (i != whole) return i < whole ? -1 : 1;
  double rest = d - (double)whole;
  return (rest < 0) - (rest > 0);
}

int num_compare(ox_VM *vm, Value a, Value b) {
  bool fa = v_is_float(a), fb = v_is_float(b);
  if (fa && fb) {
    double x = v_float(a), y = v_float(b);
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
  }
  if (fb) return compare_int_float(num_int(vm, a), v_float(b));
  if (fa) {
    int c = compare_int_float(num_int(vm, b), v_float(a));
    return c == 2 ? 2 : -c;
  }
  int64_t x = num_int(vm, a), y = num_int(vm, b);
  return (x > y) - (x < y);
}

uint32_t num_hash(ox_VM *vm, Value v) {
  if (!v_is_float(v)) return hash_int(vm, num_int(vm, v));
  double d = v_float(v);
  if (d >= -0x1p63 && d < 0x1p63 && d == (double)(int64_t)d) return hash_int(vm, (int64_t)d);
  return hash_word(vm, v);
}

/* ---- printing -------------------------------------------------------------------------------- */

/* Two digits a division. */
int num_format_int(int64_t i, char out[NUM_TEXT]) {
  char digits[24], *end = digits + sizeof digits, *p = end;
  uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  for (; u >= 10; u /= 100) {
    unsigned pair = (unsigned)(u % 100);
    *--p = (char)('0' + pair % 10);
    *--p = (char)('0' + pair / 10);
  }
  if (u > 0 || p == end) *--p = (char)('0' + u);
  if (i < 0) *--p = '-';
  size_t len = (size_t)(end - p);
  memcpy(out, p, len);
  out[len] = 0;
  return (int)len;
}

/* 0.d1 d2 d3 ... times 10^point */
typedef struct Decimal {
  char digits[NUM_TEXT];
  int n, point;
} Decimal;

static const double exact_tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_TENS = 22 };

typedef unsigned __int128 Wide;

static Wide wide_ten(int k) { /* 10^k, k <= 22 */
  return (Wide)(uint64_t)exact_tens[k / 2] * (uint64_t)exact_tens[k - k / 2];
}

/* Whether a decimal so far from a double reads back as it: within half the distance `ulp` to the
 * next double (a quarter if `narrow`), or at exactly half if the double is even. */
static bool reads_back(Wide distance, Wide ulp, bool narrow, bool even) {
  distance *= narrow ? 4 : 2;
  return distance < ulp || (distance == ulp && even);
}

/* Rounds m / 2^shift * 10^k to a whole number; true if that decimal reads back as m / 2^shift.
 * `narrow`: m is a power of two, the doubles below it lie twice as close. */
static bool round_exactly(uint64_t m, int shift, bool narrow, int k, uint64_t *out) {
  Wide ulp = wide_ten(k), scaled = ulp * m, unit = (Wide)1 << shift;
  Wide whole = scaled >> shift, rest = scaled & (unit - 1);
  bool up = rest > unit / 2 || (rest == unit / 2 && (whole & 1)), even = m % 2 == 0;
  *out = (uint64_t)whole + up;
  if (reads_back(up ? unit - rest : rest, ulp, narrow && !up, even)) return true;
  if (up || !narrow) return false;
  *out = (uint64_t)whole + 1; /* too far below a power of two, but perhaps not above it */
  return reads_back(unit - rest, ulp, false, even);
}

/* Digits before the point, negative: zeros behind it. 1e-5 <= d < 1e15. */
static int count_whole_digits(double d) {
  static const double tenths[] = {1e-1, 1e-2, 1e-3, 1e-4};
  int n = 0;
  while (d >= exact_tens[n]) n++;
  while (n <= 0 && n > -4 && d < tenths[-n]) n--;
  return n;
}

/* The shortest decimal by 128-bit arithmetic, where that is wide enough: m < 2^53, 10^k < 2^74. */
static bool decimal_quick(double d, Decimal *out) {
  if (d >= 1e15 || d < 1e-5) return false;
  int exponent, digits = count_whole_digits(d), n = DBL_DIG;
  uint64_t m = (uint64_t)ldexp(frexp(d, &exponent), 53), whole;
  bool narrow = m == (uint64_t)1 << 52;
  while (!round_exactly(m, 53 - exponent, narrow, n - digits, &whole) && n < 17) n++;
  out->n = num_format_int((int64_t)whole, out->digits);
  out->point = out->n - (n - digits);
  return true;
}

static double decimal_value(const Decimal *x) {
  char text[64];
  snprintf(text, sizeof text, "%.*se%d", x->n, x->digits, x->point - x->n);
  return strtod(text, NULL);
}

/* The decimal of n digits nearest to d. */
static void decimal_round(double d, int n, Decimal *out) {
  char text[48];
  snprintf(text, sizeof text, "%.*e", n - 1, d);
  const char *p = text;
  out->n = 0;
  for (; *p != 'e'; p++)
    if (*p >= '0' && *p <= '9') out->digits[out->n++] = *p;
  out->point = atoi(p + 1) + 1;
}

/* The next larger decimal of as many digits. */
static void decimal_next(Decimal *x) {
  int i = x->n - 1;
  for (; i >= 0 && x->digits[i] == '9'; i--) x->digits[i] = '0';
  if (i >= 0) {
    x->digits[i]++;
  } else {
    x->digits[0] = '1';
    x->point++;
  }
}

/* Rounds the decimal of 17 digits to n. Where what is cut off looks like exactly half, only the
 * double itself knows the direction. */
static void decimal_cut(double d, const Decimal *full, int n, Decimal *out) {
  const char *rest = full->digits + n;
  if (strncmp(rest, "50", (size_t)(full->n - n)) == 0) {
    decimal_round(d, n, out);
    return;
  }
  *out = *full;
  out->n = n;
  if (*rest >= '5') decimal_next(out);
}

/* Below a power of two doubles lie closer than above it, so there the nearest decimal may miss
 * where the next larger one hits. */
static bool decimal_hits(double d, Decimal *x) {
  int exponent;
  if (decimal_value(x) == d) return true;
  if (frexp(d, &exponent) != 0.5) return false;
  decimal_next(x);
  return decimal_value(x) == d;
}

static void decimal_shortest(double d, Decimal *out) {
  Decimal full;
  if (decimal_quick(d, out)) return;
  if (d < DBL_MIN) { /* subnormals have fewer digits to keep */
    for (int n = 1; n <= 17; n++) {
      decimal_round(d, n, out);
      if (decimal_hits(d, out)) return;
    }
  }
  decimal_round(d, 17, &full);
  for (int n = DBL_DIG; n < 17; n++) {
    decimal_cut(d, &full, n, out);
    if (decimal_hits(d, out)) return;
  }
  *out = full;
}

static int put_zeros(char *out, int n) {
  memset(out, '0', (size_t)n);
  return n;
}

/* Plain notation for a decimal point from 4 zeros behind it to 16 digits before it. */
static int put_plain(char *out, const Decimal *x) {
  int len = 0;
  if (x->point <= 0) {
    len += put_zeros(out, 1);
    out[len++] = '.';
    len += put_zeros(out + len, -x->point);
    memcpy(out + len, x->digits, (size_t)x->n);
    return len + x->n;
  }
  int whole = x->n < x->point ? x->n : x->point;
  memcpy(out, x->digits, (size_t)whole);
  len = whole + put_zeros(out + whole, x->point - whole);
  out[len++] = '.';
  if (x->n <= x->point) return len + put_zeros(out + len, 1);
  memcpy(out + len, x->digits + whole, (size_t)(x->n - whole));
  return len + x->n - whole;
}

static int put_scientific(char *out, const Decimal *x) {
  int len = 0, exponent = x->point - 1;
  out[len++] = x->digits[0];
  if (x->n > 1) {
    out[len++] = '.';
    memcpy(out + len, x->digits + 1, (size_t)(x->n - 1));
    len += x->n - 1;
  }
  return len + sprintf(out + len, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static int put_word(char *out, const char *word) {
  strcpy(out, word);
  return (int)strlen(word);
}

int num_format_float(double d, char out[NUM_TEXT]) {
  if (d != d) return put_word(out, "nan");
  int len = 0;
  if (signbit(d)) out[len++] = '-';
  d = fabs(d);
  if (isinf(d)) return len + put_word(out + len, "inf");
  if (d == 0) return len + put_word(out + len, "0.0");
  Decimal x;
  decimal_shortest(d, &x);
  while (x.n > 1 && x.digits[x.n - 1] == '0') x.n--;
  bool plain = x.point > -4 && x.point <= 16;
  len += plain ? put_plain(out + len, &x) : put_scientific(out + len, &x);
  out[len] = 0;
  return len;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

bool num_parse_int(const char *s, size_t n, int base, int64_t *out) {
  bool negative = n > 0 && *s == '-';
  size_t i = n > 0 && (*s == '-' || *s == '+');
  int64_t x = 0; /* kept negative: that side reaches further */
  if (i == n) return false;
  for (; i < n; i++) {
    int digit = digit_value(s[i]);
    if (digit >= base) return false;
    if (__builtin_mul_overflow(x, base, &x) || __builtin_sub_overflow(x, digit, &x)) return false;
  }
  return !negative ? !__builtin_sub_overflow(0, x, out) : (*out = x, true);
}

/* Beyond so many digits the others matter only by not all being zero. */
enum { FLOAT_DIGITS = 800 };

typedef struct FloatText {
  char digits[FLOAT_DIGITS + 24]; /* without leading zeros; room for the exponent */
  int n;
  int64_t exponent;               /* of the last digit */
  uint64_t small;                 /* the digits' value while n < 19 */
  bool any;                       /* a digit was read, if only a zero */
} FloatText;

static void float_digit(FloatText *t, char c, bool fraction) {
  t->any = true;
  if (fraction) t->exponent--;
  if (t->n == 0 && c == '0') return;
  if (t->n < 18) t->small = t->small * 10 + (uint64_t)(c - '0');
  if (t->n < FLOAT_DIGITS) {
    t->digits[t->n++] = c;
    return;
  }
  t->exponent++;
  if (c != '0' && t->digits[FLOAT_DIGITS - 1] == '0') t->digits[FLOAT_DIGITS - 1] = '1';
}

static bool parse_exponent(const char *s, size_t n, int64_t *out) {
  bool negative = n > 0 && *s == '-';
  size_t i = n > 0 && (*s == '-' || *s == '+');
  int64_t e = 0;
  if (i == n) return false;
  for (; i < n; i++) {
    if (s[i] < '0' || s[i] > '9') return false;
    if (e < (int64_t)1 << 40) e = e * 10 + (s[i] - '0');
  }
  *out = negative ? -e : e;
  return true;
}

static double float_value(FloatText *t) {
  const double exact_int = 0x1p53;
  if (t->n == 0) return 0;
  int64_t e = t->exponent;
  if (t->n <= 18 && (double)t->small <= exact_int && e >= -EXACT_TENS && e <= EXACT_TENS)
    return e < 0 ? (double)t->small / exact_tens[-e] : (double)t->small * exact_tens[e];
  if (e > 99999) e = 99999;
  if (e < -99999) e = -99999;
  sprintf(t->digits + t->n, "e%d", (int)e);
  return strtod(t->digits, NULL);
}

static bool parse_special(const char *s, size_t n, double *out) {
  static const struct { const char *name; size_t n; double value; } words[] = {
      {"nan", 3, NAN}, {"inf", 3, INFINITY}, {"infinity", 8, INFINITY}};
  for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
    size_t i = 0;
    while (i < n && i < words[w].n && (s[i] | 0x20) == words[w].name[i]) i++;
    if (i < n || n != words[w].n) continue;
    *out = words[w].value;
    return true;
  }
  return false;
}

bool num_parse_float(const char *s, size_t n, double *out) {
  bool negative = n > 0 && *s == '-', fraction = false;
  size_t i = n > 0 && (*s == '-' || *s == '+');
  FloatText t;
  t.n = 0, t.exponent = 0, t.small = 0, t.any = false;
  for (; i < n; i++) {
    if (s[i] >= '0' && s[i] <= '9') float_digit(&t, s[i], fraction);
    else if (s[i] == '.' && !fraction) fraction = true;
    else break;
  }
  double d;
  int64_t exponent = 0;
  if (!t.any) {
    if (fraction || !parse_special(s + i, n - i, &d)) return false;
  } else {
    if (i < n && ((s[i] | 0x20) != 'e' || !parse_exponent(s + i + 1, n - i - 1, &exponent)))
      return false;
    t.exponent += exponent;
    d = float_value(&t);
  }
  *out = negative ? -d : d;
  return true;
}
