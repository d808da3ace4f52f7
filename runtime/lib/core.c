/* core.c - the core names: what every program can use without an import. */
#include <math.h>

#include "../../lang/utf8.h"
#include "../compare.h"
#include "../fiber.h"
#include "../list.h"
#include "../map.h"
#include "../number.h"
#include "../range.h"
#include "../repr.h"
#include "../task.h"
#include "core.h"
#include "iterate.h"
#include "lib.h"
#include "registry.h"

enum { POLL_EVERY = 1024 };

/* ---- printing and conversion ----------------------------------------------------------------- */

/* The arguments move to the temporary roots, since `str` methods may move the stack. */
static bool root_args(ox_VM *vm, const Value *args, int n, uint32_t *first) {
  *first = vm_roots_mark(vm);
  for (int i = 0; i < n; i++)
    if (!vm_root(vm, args[i])) return false;
  return true;
}

static bool print_values(Buf *b, uint32_t first, int n, String *sep) {
  for (int i = 0; i < n; i++) {
    if (i > 0) buf_add(b, sep ? sep->chars : " ", sep ? sep->h.aux : 1);
    if (!value_print(b, b->vm->roots[first + (uint32_t)i], false)) return false;
  }
  return true;
}

static Value core_print(ox_VM *vm, Value *args, int nargs) {
  String *sep = NULL, *end = NULL;
  if (arg_given(args, nargs) && !(sep = arg_string(vm, args[nargs], "sep of print")))
    return V_ERROR;
  if (arg_given(args, nargs + 1) && !(end = arg_string(vm, args[nargs + 1], "end of print")))
    return V_ERROR;
  uint32_t first;
  Buf b;
  if (!root_args(vm, args, nargs + 2, &first)) return V_ERROR;
  buf_init(&b, vm);
  bool ok = print_values(&b, first, nargs, sep);
  buf_add(&b, end ? end->chars : "\n", end ? end->h.aux : 1);
  if (ok && !b.failed) vm_write(vm, b.data, b.len);
  ok = ok && !b.failed && !error_pending(vm);
  buf_free(&b);
  return ok ? V_NIL : V_ERROR;
}

static Value core_str(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return value_str(vm, args[0]);
}

static Value core_repr(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return value_repr(vm, args[0]);
}

static Value core_type(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return string_from_c(vm, vm_type_name(vm, args[0]));
}

static Value core_bool(ox_VM *vm, Value *args, int nargs) {
  (void)vm, (void)nargs;
  return v_from_bool(!v_is_falsy(args[0]));
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The text without blanks at its ends. */
static const char *trimmed(ox_VM *vm, const String *s, size_t *n) {
  size_t from = 0, to = s->h.aux;
  vm_charge(vm, s->h.aux); /* for reading the digits, too */
  while (from < to && is_blank(s->chars[from])) from++;
  while (to > from && is_blank(s->chars[to - 1])) to--;
  *n = to - from;
  return s->chars + from;
}

/* Whether every character may stand in an int, so that only its size can be wrong. */
static bool is_all_digits(const char *text, size_t n, int base) {
  size_t i = n > 0 && (text[0] == '-' || text[0] == '+');
  for (size_t from = i; i < n; i++) {
    char c = text[i], low = (char)(c | 0x20);
    int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'z' ? low - 'a' + 10 : 99;
    bool is_separator = c == '_' && i > from && i + 1 < n;
    if (digit >= base && !is_separator) return false;
  }
  return n > 0 && text[n - 1] != '-' && text[n - 1] != '+';
}

static Value not_a_number(ox_VM *vm, Value text, const char *type, const char *what) {
  Value shown = value_repr(vm, text);
  String *s = shown == V_ERROR ? NULL : string_flat(vm, shown);
  if (!s) return V_ERROR;
  return vm_throw(vm, ERR_VALUE, "%s: %.100s %s", type, s->chars, what);
}

static Value int_of_float(ox_VM *vm, double d) {
  char text[NUM_TEXT];
  if (d >= -0x1p63 && d < 0x1p63) return num_from_int(vm, (int64_t)d);
  num_format_float(d, text);
  return vm_throw(vm, ERR_VALUE, "int: %s does not fit an int", text);
}

static Value core_int(ox_VM *vm, Value *args, int nargs) {
  int64_t base = 10, i;
  size_t n;
  (void)nargs;
  if (num_is_int(args[0])) return args[0];
  if (v_is_float(args[0])) return int_of_float(vm, v_float(args[0]));
  if (!v_is_string(args[0]))
    return vm_throw(vm, ERR_TYPE, "int needs a number or a string, not %s",
                    vm_type_name(vm, args[0]));
  if (arg_given(args, 1) && !arg_int(vm, args[1], "base of int", &base)) return V_ERROR;
  if (base < 2 || base > 36) return vm_throw(vm, ERR_VALUE, "base of int must be 2 to 36");
  String *s = string_flat(vm, args[0]);
  if (!s) return V_ERROR;
  const char *text = trimmed(vm, s, &n);
  if (num_parse_int(text, n, (int)base, &i)) return num_from_int(vm, i);
  return not_a_number(vm, args[0], "int",
                      is_all_digits(text, n, (int)base) ? "does not fit an int of 64 bits"
                      : base == 10                      ? "is not a whole number"
                                                        : "is not a whole number in this base");
}

static Value core_float(ox_VM *vm, Value *args, int nargs) {
  double d;
  size_t n;
  (void)nargs;
  if (num_is(args[0])) return v_from_float(num_double(vm, args[0]));
  if (!v_is_string(args[0]))
    return vm_throw(vm, ERR_TYPE, "float needs a number or a string, not %s",
                    vm_type_name(vm, args[0]));
  String *s = string_flat(vm, args[0]);
  if (!s) return V_ERROR;
  const char *text = trimmed(vm, s, &n);
  if (num_parse_float(text, n, &d)) return v_from_float(d);
  return not_a_number(vm, args[0], "float", "is not a number");
}

static Value core_chr(ox_VM *vm, Value *args, int nargs) {
  int64_t code;
  char bytes[4];
  (void)nargs;
  if (!arg_int(vm, args[0], "code of chr", &code)) return V_ERROR;
  if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    return vm_throw(vm, ERR_VALUE, "chr: %lld is not a code point", (long long)code);
  return string_new(vm, bytes, utf8_encode((uint32_t)code, bytes));
}

static Value core_ord(ox_VM *vm, Value *args, int nargs) {
  uint32_t code;
  (void)nargs;
  String *s = arg_string(vm, args[0], "character of ord");
  if (!s) return V_ERROR;
  if (s->h.aux == 0 || utf8_decode(s->chars, s->h.aux, &code) != s->h.aux)
    return vm_throw(vm, ERR_VALUE, "ord needs a string of one code point");
  return v_from_int(code);
}

/* ---- lengths, hashes, errors ----------------------------------------------------------------- */

static Value len_of_range(ox_VM *vm, Value range) {
  uint64_t n;
  if (!range_length(vm, range, &n) || n > INT64_MAX)
    return vm_throw(vm, ERR_OVERFLOW, "integer overflow: the range has too many ints to count");
  return num_from_int(vm, (int64_t)n);
}

static Value core_len(ox_VM *vm, Value *args, int nargs) {
  Value v = args[0];
  (void)nargs;
  if (v_is(v, KIND_LIST)) return v_from_int((int64_t)list_len(vm, v));
  if (v_is_string(v)) return v_from_int((int64_t)string_len(vm, v));
  if (v_is(v, KIND_MAP) || v_is(v, KIND_SET)) return v_from_int(as_map(vm, v)->live);
  if (v_is(v, KIND_RANGE)) return len_of_range(vm, v);
  Value n = vm_call_op(vm, v, OPM_LEN, 0, NULL);
  if (n != V_ABSENT || error_pending(vm)) return n;
  return vm_throw(vm, ERR_TYPE, "%s has no length", vm_type_name(vm, v));
}

static Value core_hash(ox_VM *vm, Value *args, int nargs) {
  uint32_t hash;
  (void)nargs;
  return value_hash(vm, args[0], &hash) ? v_from_int(hash) : V_ERROR;
}

static Value core_error(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value data = arg_given(args, 1) ? args[1] : V_NIL;
  if (!vm_root(vm, data)) return V_ERROR;
  Value message = value_str(vm, args[0]);
  return message == V_ERROR ? V_ERROR : error_new(vm, ERR_ERROR, message, data);
}

static Value core_assert(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!v_is_falsy(args[0])) return args[0];
  bool given = arg_given(args, 1) && args[1] != V_NIL;
  Value message = given ? value_str(vm, args[1]) : string_from_c(vm, "assertion failed");
  Value e = message == V_ERROR ? V_ERROR : error_new(vm, ERR_ASSERT, message, V_NIL);
  return e == V_ERROR ? V_ERROR : vm_throw_value(vm, e);
}

/* ---- wrapping arithmetic --------------------------------------------------------------------- */

static bool two_ints(ox_VM *vm, Value *args, uint64_t *a, uint64_t *b) {
  int64_t i, j;
  if (!arg_int(vm, args[0], "first argument of a wrap function", &i)) return false;
  if (!arg_int(vm, args[1], "second argument of a wrap function", &j)) return false;
  *a = (uint64_t)i;
  *b = (uint64_t)j;
  return true;
}

#define WRAP(name, expression)                                                \
  static Value core_wrap_##name(ox_VM *vm, Value *args, int nargs) {          \
    uint64_t a, b;                                                            \
    (void)nargs;                                                              \
    return two_ints(vm, args, &a, &b) ? num_from_int(vm, (int64_t)(expression)) : V_ERROR; \
  }
WRAP(add, a + b)
WRAP(sub, a - b)
WRAP(mul, a * b)
#undef WRAP

static Value core_wrap_neg(ox_VM *vm, Value *args, int nargs) {
  int64_t i;
  (void)nargs;
  if (!arg_int(vm, args[0], "argument of wrap_neg", &i)) return V_ERROR;
  return num_from_int(vm, (int64_t)(0 - (uint64_t)i));
}

static Value core_wrap_shl(ox_VM *vm, Value *args, int nargs) {
  uint64_t a, b;
  (void)nargs;
  return two_ints(vm, args, &a, &b) ? num_arith(vm, OPM_SHL, args[0], args[1]) : V_ERROR;
}

/* ---- ranges and iterables -------------------------------------------------------------------- */

/* Ints from a by step as long as they lie before b: a list, since ranges have step 1. */
static Value stepped_list(ox_VM *vm, int64_t a, int64_t b, int64_t step) {
  Value out = list_new(vm, 0);
  for (uint64_t n = 1; out != V_ERROR && (step > 0 ? a < b : a > b); n++) {
    uint32_t mark = vm_roots_mark(vm);
    Value item = num_from_int(vm, a);
    if (item == V_ERROR || !list_push(vm, out, item)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (__builtin_add_overflow(a, step, &a)) break;
    if (n % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return out;
}

static Value core_range(ox_VM *vm, Value *args, int nargs) {
  int64_t a, b, step = 1;
  (void)nargs;
  bool two = arg_given(args, 1);
  if (!arg_int(vm, args[0], "start of range", &a)) return V_ERROR;
  if (two && !arg_int(vm, args[1], "end of range", &b)) return V_ERROR;
  if (arg_given(args, 2) && !arg_int(vm, args[2], "step of range", &step)) return V_ERROR;
  if (step == 0) return vm_throw(vm, ERR_VALUE, "step of range must not be 0");
  if (step == 1) return range_new(vm, two ? args[0] : v_from_int(0), args[two], false);
  return two ? stepped_list(vm, a, b, step) : stepped_list(vm, 0, a, step);
}

static bool pair_push(ox_VM *vm, Value out, Value a, Value b) {
  Value pair = list_new(vm, 2);
  return pair != V_ERROR && list_push(vm, pair, a) && list_push(vm, pair, b) &&
         list_push(vm, out, pair);
}

Value core_enumerate(ox_VM *vm, Value *args, int nargs) {
  Iter it;
  Value item, out = list_new(vm, 0);
  (void)nargs;
  if (out == V_ERROR || !iter_open(&it, vm, args[0], "argument of enumerate")) return V_ERROR;
  uint64_t count = iter_count(&it);
  if (!list_reserve(vm, out, count < 1 << 20 ? count : 1 << 20)) return V_ERROR;
  uint32_t mark = vm_roots_mark(vm);
  int more;
  for (int64_t n = 0; (more = iter_next(&it, &item)) > 0; n++) {
    if (!pair_push(vm, out, v_from_int(n), item)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (n % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return more < 0 ? V_ERROR : out;
}

enum { ZIP_MAX = 64 };

/* A list of one element from each; V_ABSENT at the end of the shortest, or with an error. */
static Value zip_row(ox_VM *vm, Iter *its, int n) {
  Value row = list_new(vm, (uint64_t)n), item;
  for (int i = 0; row != V_ERROR && i < n; i++)
    if (iter_next(&its[i], &item) <= 0 || !list_push(vm, row, item)) return V_ABSENT;
  return row;
}

Value core_zip(ox_VM *vm, Value *args, int nargs) {
  Iter its[ZIP_MAX];
  if (nargs > ZIP_MAX) return vm_throw(vm, ERR_LIMIT, "zip takes at most %d iterables", ZIP_MAX);
  Value copies[ZIP_MAX], row, out = list_new(vm, 0);
  memcpy(copies, args, (size_t)nargs * sizeof(Value)); /* `iter` methods may move the stack */
  if (out == V_ERROR) return V_ERROR;
  for (int i = 0; i < nargs; i++)
    if (!vm_root(vm, copies[i])) return V_ERROR;
  for (int i = 0; i < nargs; i++)
    if (!iter_open(&its[i], vm, copies[i], "argument of zip")) return V_ERROR;
  uint32_t mark = vm_roots_mark(vm);
  for (uint64_t n = 1; nargs > 0 && (row = zip_row(vm, its, nargs)) != V_ABSENT; n++) {
    if (!list_push(vm, out, row)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (n % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return error_pending(vm) ? V_ERROR : out;
}

static Value core_reversed(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value out = list_from_iterable(vm, args[0], "argument of reversed");
  if (out == V_ERROR) return V_ERROR;
  uint64_t n = list_len(vm, out);
  for (uint64_t i = 0; i < n / 2; i++) {
    Value low = list_get(vm, out, i);
    list_set(vm, out, i, list_get(vm, out, n - 1 - i));
    list_set(vm, out, n - 1 - i, low);
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY / 8)) return V_ERROR;
  }
  return out;
}

/* total + item; V_ERROR if that is no number or overflows. */
static Value sum_add(ox_VM *vm, Value total, Value item) {
  if (v_is_float(total) && v_is_float(item)) return v_from_float(v_float(total) + v_float(item));
  if (v_is_int(total) && v_is_int(item)) return num_from_int(vm, v_int(total) + v_int(item));
  if (num_is(item)) return num_arith(vm, OPM_ADD, total, item);
  return vm_throw(vm, ERR_TYPE, "sum adds numbers, not %s", vm_type_name(vm, item));
}

Value core_sum(ox_VM *vm, Value *args, int nargs) {
  Iter it;
  Value item, total = v_from_int(0);
  (void)nargs;
  if (!iter_open(&it, vm, args[0], "argument of sum")) return V_ERROR;
  uint32_t mark = vm_roots_mark(vm);
  int more;
  for (uint64_t n = 1; (more = iter_next(&it, &item)) > 0; n++) {
    total = sum_add(vm, total, item);
    if (total == V_ERROR) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (v_is_ref(total) && !vm_root(vm, total)) return V_ERROR;
    if (n % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return more < 0 ? V_ERROR : total;
}

/* ---- min and max ----------------------------------------------------------------------------- */

/* The best so far, in four temporary roots, so that a key function cannot lose it: element, key,
 * and the two candidates. */
typedef struct Best {
  ox_VM *vm;
  const char *name;
  int wanted;      /* -1: min, 1: max */
  Value key_fn;    /* V_NIL: compare the elements */
  uint32_t at;     /* of the roots */
  bool any;
} Best;

static bool best_try(Best *b, Value item) {
  ox_VM *vm = b->vm;
  vm->roots[b->at + 2] = item;
  Value key = b->key_fn == V_NIL ? item : vm_call_for(vm, b->name, b->key_fn, 1, &item);
  if (key == V_ERROR) return false;
  vm->roots[b->at + 3] = key;
  int order = b->any ? value_compare(vm, key, vm->roots[b->at + 1]) : b->wanted;
  bool is_nan = v_is_float(key) && v_float(key) != v_float(key);
  if (order == -3) return false;
  if (order == b->wanted || (order == 2 && is_nan)) {
    vm->roots[b->at] = vm->roots[b->at + 2];
    vm->roots[b->at + 1] = key;
    b->any = true;
  }
  return true;
}

static Value best_of(Best *b, Iter *it) {
  ox_VM *vm = b->vm;
  Value item;
  int more;
  b->at = vm_roots_mark(vm);
  for (int i = 0; i < 4; i++)
    if (!vm_root(vm, V_NIL)) return V_ERROR;
  uint32_t mark = vm_roots_mark(vm);
  for (uint64_t n = 1; (more = iter_next(it, &item)) > 0; n++) {
    if (!best_try(b, item)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (n % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  if (more < 0) return V_ERROR;
  if (!b->any) return vm_throw(vm, ERR_VALUE, "%s of an empty list", b->name);
  return vm->roots[b->at];
}

static Value extreme(ox_VM *vm, Value *args, int nargs, Value key, const char *name, int wanted) {
  Iter it;
  Best best = {vm, name, wanted, key == V_ABSENT ? V_NIL : key, 0, false};
  if (best.key_fn != V_NIL && !arg_callable(vm, best.key_fn, "key")) return V_ERROR;
  if (!vm_root(vm, best.key_fn)) return V_ERROR;
  Value over = nargs == 1 ? args[0] : list_from(vm, args, (uint64_t)nargs);
  if (over == V_ERROR || !iter_open(&it, vm, over, "argument")) return V_ERROR;
  return best_of(&best, &it);
}

static Value core_min(ox_VM *vm, Value *args, int nargs) {
  return extreme(vm, args, nargs, args[nargs], "min", -1);
}
static Value core_max(ox_VM *vm, Value *args, int nargs) {
  return extreme(vm, args, nargs, args[nargs], "max", 1);
}
Value core_list_min(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return extreme(vm, args, 1, args[1], "min", -1);
}
Value core_list_max(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return extreme(vm, args, 1, args[1], "max", 1);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const NativeDef core_defs[] = {
    NATIVE("print", core_print, "print(...values, sep = \" \", end = \"\\n\")",
           "Writes the values as str shows them, sep between them and end behind them."),
    NATIVE("len", core_len, "len(x) -> int",
           "Bytes of a string, elements of a list, range, map or set, or what x's len method "
           "gives; throws for anything else."),
    NATIVE("type", core_type, "type(x) -> string",
           "The name of x's type, for an instance that of its class (x.class is the class)."),
    NATIVE("str", core_str, "str(x) -> string",
           "x as print shows it: strings as they are, instances by their str method."),
    NATIVE("repr", core_repr, "repr(x) -> string",
           "x as it stands in a program: strings quoted and escaped."),
    NATIVE("int", core_int, "int(x, base = 10) -> int",
           "A float without its fraction, or the int that a text holds (blanks around it are "
           "skipped); throws if it is none or does not fit 64 bits."),
    NATIVE("float", core_float, "float(x) -> float",
           "A number or text as a float; throws if the text is none."),
    NATIVE("bool", core_bool, "bool(x) -> bool", "false for nil and false, true for all else."),
    NATIVE("range", core_range, "range(a, b = nil, step = 1)",
           "The ints from a up to but not including b, by step: a range for step 1, else a list; "
           "range(n) starts at 0. Throws if step is 0."),
    NATIVE("assert", core_assert, "assert(condition, message = nil)",
           "Gives the condition if it is true, else throws with the message."),
    NATIVE("error", core_error, "error(message, data = nil) -> error",
           "An error to be thrown: e.message is the message as text, e.data the data."),
    NATIVE_SCRIPT("map", "map", "map(xs, f) -> list", "f(x) for each x of xs."),
    NATIVE_SCRIPT("filter", "filter", "filter(xs, f) -> list",
                  "Each x of xs for which f(x) is true."),
    NATIVE_SCRIPT("reduce", "reduce", "reduce(xs, f, init = first)",
                  "f(f(f(init, x0), x1), x2) and so on; without init it starts with the first "
                  "element, and throws if there is none."),
    NATIVE("zip", core_zip, "zip(...iterables) -> list",
           "Lists of the first elements, the second elements, ... up to the end of the shortest."),
    NATIVE("enumerate", core_enumerate, "enumerate(xs) -> list", "A pair [index, x] for each x."),
    NATIVE_SCRIPT("sorted", "sorted", "sorted(xs, f = nil, key = nil) -> list",
                  "The elements in order, equal ones as they were: by value, by key(x), or by "
                  "f(a, b), a number below 0 if a comes first; throws for types without an order."),
    NATIVE("reversed", core_reversed, "reversed(xs) -> list", "The elements from last to first."),
    NATIVE("min", core_min, "min(...xs, key = nil)",
           "The smallest of several values or of one iterable, the first of equals, by value or by "
           "key(x); throws if there is none."),
    NATIVE("max", core_max, "max(...xs, key = nil)",
           "The largest of several values or of one iterable, the first of equals, by value or by "
           "key(x); throws if there is none."),
    NATIVE("sum", core_sum, "sum(xs)",
           "The numbers added up, 0 for none; throws overflow, and for anything but numbers."),
    NATIVE_SCRIPT("any", "any", "any(xs, f = nil) -> bool",
                  "Whether an x, or f(x) if f is given, is true."),
    NATIVE_SCRIPT("all", "all", "all(xs, f = nil) -> bool",
                  "Whether every x, or f(x) if f is given, is true."),
    NATIVE("abs", math_abs, "abs(x)", "x without its sign; throws overflow for the smallest int."),
    NATIVE("round", math_round, "round(x, digits = 0)",
           "The nearest int, halves away from zero; with digits, a float keeps that many "
           "decimals."),
    NATIVE("hash", core_hash, "hash(x) -> int",
           "An int that is the same for equal map keys; throws for what cannot be a key."),
    NATIVE("chr", core_chr, "chr(code) -> string",
           "The code point as a string; throws if it is none."),
    NATIVE("ord", core_ord, "ord(character) -> int",
           "The code point of a string that has exactly one; throws otherwise."),
    NATIVE("wrap_add", core_wrap_add, "wrap_add(a, b) -> int", "a + b modulo 2 ** 64."),
    NATIVE("wrap_sub", core_wrap_sub, "wrap_sub(a, b) -> int", "a - b modulo 2 ** 64."),
    NATIVE("wrap_mul", core_wrap_mul, "wrap_mul(a, b) -> int", "a * b modulo 2 ** 64."),
    NATIVE("wrap_neg", core_wrap_neg, "wrap_neg(a) -> int", "-a modulo 2 ** 64."),
    NATIVE("wrap_shl", core_wrap_shl, "wrap_shl(a, n) -> int",
           "a shifted left by n bits, those beyond 64 lost; throws unless 0 <= n <= 63."),
    NATIVE("fiber", fiber_make, "fiber(f) -> fiber",
           "A fiber that runs f when it is first resumed, by for, next or send."),
    NATIVE_SPECIAL("snapshot", SPECIAL_SNAPSHOT, NULL, "snapshot() -> Snapshot",
                   "Keeps the whole state of the program; s.value is nil and s.turn 0. Each "
                   "restore(s) comes back to this call, which gives the same handle again."),
    NATIVE_SPECIAL("restore", SPECIAL_RESTORE, NULL, "restore(s, value = nil)",
                   "Goes back to where snapshot() gave s: everything since is undone, s.value is "
                   "a deep copy of value, s.turn one higher. Output and files are not undone."),
    NATIVE_SCRIPT("attempt", "attempt", "attempt(f, options = nil)",
                  "f(), or the error that it throws: then everything that it changed is undone. With "
                  "{hold_output: true} what it prints waits for the end, and is undone, too."),
    NATIVE("fork", task_fork, "fork(f, options = nil) -> Task",
           "Runs f() in a copy of the program, on a thread of its own, while this one goes on. "
           "{reseed: true} gives it other random numbers."),
    NATIVE("parallel_map", task_parallel_map, "parallel_map(xs, f, options = nil) -> list",
           "map(xs, f) by several copies of the program at once, {workers: n} of them; what one call "
           "changes no other sees. The first error stops all."),
    NATIVE_SCRIPT("parallel_reduce", "parallel_reduce",
                  "parallel_reduce(xs, f, init = first, options = nil)",
                  "reduce(xs, f, init) by pieces of xs at once, for an f of which (a f b) f c is "
                  "a f (b f c); {workers: n} as for parallel_map."),
};

const ModuleDef module_core = {"", "Names that need no import.", core_defs, LIB_COUNT(core_defs),
                               -1, NULL};
