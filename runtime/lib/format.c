/* format.c - string.format: replacement fields with specs like those of Python.
 *
 *   field  {}  {0}  {name}  each with an optional  :spec
 *   spec   [[fill]align][sign][#][0][width][, or _][.precision][type]
 *          align < > ^ =   sign + - space   type d b o x X c, e E f F g G %, s
 *
 * Widths count code points. Nothing depends on the locale: whatever the C library writes as a
 * decimal point becomes a dot. */
#include <math.h>

#include "../../lang/utf8.h"
#include "../map.h"
#include "../native.h"
#include "../number.h"
#include "../repr.h"
#include "text.h"

enum { MAX_WIDTH = 1000000, MAX_PRECISION = 1000, NUMBER_TEXT = 1600 };

typedef struct Spec {
  char fill[5];       /* one code point */
  char align;         /* 0: by type */
  char sign;          /* '+', '-' or ' ' */
  char group;         /* ',' '_' or 0 */
  char type;          /* 0: by value */
  bool alternate, zero;
  int width, precision; /* -1: none */
} Spec;

typedef struct Formatter {
  ox_VM *vm;
  Buf out;
  uint32_t first;     /* the values, among the temporary roots */
  int count, next;    /* how many; the next for {} */
} Formatter;

static bool fail(Formatter *f, const char *why) {
  if (!error_pending(f->vm)) vm_throw(f->vm, ERR_VALUE, "format: %s", why);
  return false;
}

/* ---- reading specs --------------------------------------------------------------------------- */

static bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Decimal digits up to `max`; -1: none there, -2: too large. */
static int read_number(const char **p, const char *end, int max) {
  int n = -1;
  for (; *p < end && is_digit(**p); (*p)++) {
    n = (n < 0 ? 0 : n * 10) + (**p - '0');
    if (n > max) return -2;
  }
  return n;
}

static const char *read_align(const char *p, const char *end, Spec *spec) {
  uint32_t code;
  unsigned n = p < end ? utf8_step(p, (size_t)(end - p), &code) : 0;
  if (n > 0 && p + n < end && is_align(p[n])) {
    memcpy(spec->fill, p, n);
    spec->fill[n] = 0;
    spec->align = p[n];
    return p + n + 1;
  }
  if (p < end && is_align(*p)) spec->align = *p++;
  return p;
}

static bool read_flag(const char **p, const char *end, char c) {
  if (*p == end || **p != c) return false;
  (*p)++;
  return true;
}

static bool read_spec(const char *p, const char *end, Spec *spec) {
  *spec = (Spec){.fill = " ", .sign = '-', .width = -1, .precision = -1};
  p = read_align(p, end, spec);
  if (p < end && (*p == '+' || *p == '-' || *p == ' ')) spec->sign = *p++;
  spec->alternate = read_flag(&p, end, '#');
  spec->zero = read_flag(&p, end, '0');
  spec->width = read_number(&p, end, MAX_WIDTH);
  if (p < end && (*p == ',' || *p == '_')) spec->group = *p++;
  if (read_flag(&p, end, '.') && (spec->precision = read_number(&p, end, MAX_PRECISION)) < 0)
    return false;
  if (p < end && strchr("dboxXceEfFgG%s", *p)) spec->type = *p++;
  return p == end && spec->width != -2;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_fill(Buf *b, const char *fill, uint64_t n) {
  size_t size = strlen(fill);
  uint64_t next = b->len + VM_WORK;
  for (; n > 0 && !b->failed; n--) {
    buf_add(b, fill, size);
    if (!vm_poll_at(b->vm, b->len, &next)) b->failed = true;
  }
}

/* `head` (sign, prefix) stays at the left when the padding goes between it and the body. */
static void put_padded(Buf *b, const Spec *spec, char align, const char *head, const char *body,
                       size_t n) {
  uint64_t width;
  if (!text_count(b->vm, body, n, &width)) {
    b->failed = true;
    return;
  }
  width += strlen(head);
  uint64_t wanted = spec->width > 0 ? (uint64_t)spec->width : 0;
  uint64_t pad = wanted > width ? wanted - width : 0;
  uint64_t before = align == '>' ? pad : align == '^' ? pad / 2 : 0;
  put_fill(b, spec->fill, before);
  buf_puts(b, head);
  if (align == '=') put_fill(b, spec->fill, pad);
  buf_add(b, body, n);
  if (align == '<' || align == '^') put_fill(b, spec->fill, pad - before);
}

/* Copies a number with a separator every `every` digits before the point; gives the new length. */
static size_t group_digits(const char *s, size_t n, char sep, size_t every, char *out) {
  size_t whole = every == 3 ? strspn(s, "0123456789") : n, len = 0;
  for (size_t i = 0; i < n; i++) {
    if (i > 0 && i < whole && (whole - i) % every == 0) out[len++] = sep;
    out[len++] = s[i];
  }
  return len;
}

/* A number's text, its sign already cut off. */
static void put_number(Formatter *f, Spec *spec, bool negative, const char *prefix,
                       const char *digits, size_t n) {
  char head[8], grouped[2 * NUMBER_TEXT];
  const char *sign = negative ? "-" : spec->sign == '+' ? "+" : spec->sign == ' ' ? " " : "";
  snprintf(head, sizeof head, "%s%s", sign, prefix);
  if (spec->group) {
    size_t every = spec->type && strchr("boxX", spec->type) ? 4 : 3;
    n = group_digits(digits, n, spec->group, every, grouped);
    digits = grouped;
  }
  char align = spec->align ? spec->align : spec->zero ? '=' : '>';
  if (spec->zero && !spec->align) strcpy(spec->fill, "0");
  put_padded(&f->out, spec, align, head, digits, n);
}

static size_t int_digits(uint64_t u, unsigned base, bool upper, char *out) {
  const char *names = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  char reversed[72];
  size_t n = 0;
  do reversed[n++] = names[u % base];
  while (u /= base);
  for (size_t i = 0; i < n; i++) out[i] = reversed[n - 1 - i];
  out[n] = 0;
  return n;
}

static unsigned int_base(char type) {
  return type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
}

static bool put_int(Formatter *f, Spec *spec, int64_t i) {
  char digits[72], prefix[3] = "";
  unsigned base = int_base(spec->type);
  if (spec->precision >= 0) return fail(f, "an int takes no precision");
  if (spec->alternate && base != 10) prefix[0] = '0', prefix[1] = spec->type;
  uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  size_t n = int_digits(u, base, spec->type == 'X', digits);
  put_number(f, spec, i < 0, prefix, digits, n);
  return true;
}

/* Whatever stands for the decimal point becomes a dot. */
static size_t fix_point(char *s, size_t n) {
  size_t len = 0;
  bool dot = false;
  for (size_t i = 0; i < n; i++) {
    char c = s[i];
    bool usual = is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '+' || c == '-';
    if (usual || !dot) s[len++] = usual ? c : '.';
    dot |= !usual;
  }
  s[len] = 0;
  return len;
}

static size_t float_text(const Spec *spec, double d, char *out) {
  if (!spec->type && spec->precision < 0) return (size_t)num_format_float(d, out);
  char type = spec->type == '%' ? 'f' : spec->type ? spec->type : 'g';
  char fmt[8] = {'%', spec->alternate ? '#' : '.', '.', '*', type, 0, 0, 0};
  if (!spec->alternate) memmove(fmt + 1, fmt + 2, 4);
  int precision = spec->precision < 0 ? 6 : spec->precision;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  int n = snprintf(out, NUMBER_TEXT, fmt, precision, d);
#pragma GCC diagnostic pop
  return fix_point(out, n < 0 ? 0 : (size_t)n);
}

static bool put_float(Formatter *f, Spec *spec, double d) {
  char text[NUMBER_TEXT];
  bool negative = signbit(d) && d == d;
  d = fabs(d);
  if (spec->type == '%') d *= 100;
  size_t n = float_text(spec, d, text);
  if (spec->type == '%') text[n++] = '%', text[n] = 0;
  if (!isfinite(d)) spec->zero = false, spec->group = 0;
  put_number(f, spec, negative, "", text, n);
  return true;
}

static bool put_code_point(Formatter *f, Spec *spec, int64_t code) {
  char bytes[4];
  if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    return fail(f, "type c needs a code point");
  unsigned n = utf8_encode((uint32_t)code, bytes);
  put_padded(&f->out, spec, spec->align ? spec->align : '<', "", bytes, n);
  return true;
}

/* Any value as str shows it, cut to `precision` code points. */
static bool put_text(Formatter *f, Spec *spec, Value v) {
  if (spec->type && spec->type != 's') return fail(f, "this type of field needs a number");
  if (spec->group || spec->align == '=') return fail(f, "this spec is for numbers only");
  Value text = value_str(f->vm, v);
  String *s = text == V_ERROR ? NULL : string_flat(f->vm, text);
  if (!s) return false;
  size_t n = 0;
  uint32_t code;
  for (int i = 0; i < spec->precision && n < s->h.aux; i++)
    n += utf8_step(s->chars + n, s->h.aux - n, &code);
  if (spec->precision < 0) n = s->h.aux;
  put_padded(&f->out, spec, spec->align ? spec->align : '<', "", s->chars, n);
  return true;
}

static bool put_value(Formatter *f, Spec *spec, Value v) {
  bool whole = spec->type && strchr("dboxXc", spec->type);
  if (num_is_int(v) && (whole || !spec->type)) {
    int64_t i = num_int(f->vm, v);
    if (spec->type == 'c') return put_code_point(f, spec, i);
    if (spec->type || spec->precision < 0) return put_int(f, spec, i);
  }
  if (num_is(v) && spec->type != 's') {
    if (whole) return fail(f, "this type of field needs an int, not a float");
    return put_float(f, spec, num_double(f->vm, v));
  }
  return put_text(f, spec, v);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static bool value_by_number(Formatter *f, int i, Value *out) {
  if (i < 0 || i >= f->count) return fail(f, "there are fewer values than fields");
  *out = f->vm->roots[f->first + (uint32_t)i];
  return true;
}

static bool value_by_name(Formatter *f, const char *name, size_t n, Value *out) {
  Value map = f->count == 1 ? f->vm->roots[f->first] : V_NIL;
  if (!v_is(map, KIND_MAP)) return fail(f, "a field with a name needs a map as the only value");
  Value key = string_new(f->vm, name, n);
  if (key == V_ERROR || (*out = map_get(f->vm, map, key)) != V_ABSENT) return key != V_ERROR;
  if (!error_pending(f->vm))
    vm_throw(f->vm, ERR_KEY, "format: the map has no key \"%.*s\"", (int)(n < 80 ? n : 80), name);
  return false;
}

/* What stands between { and }. */
static bool put_field(Formatter *f, const char *p, const char *end) {
  const char *colon = memchr(p, ':', (size_t)(end - p)), *name_end = colon ? colon : end;
  Spec spec;
  Value v = V_NIL;
  if (!read_spec(colon ? colon + 1 : end, end, &spec)) return fail(f, "bad spec in a field");
  const char *digits = p;
  int number = read_number(&digits, name_end, 1 << 20);
  bool ok = p == name_end ? value_by_number(f, f->next++, &v)
            : digits == name_end ? value_by_number(f, number, &v)
                                 : value_by_name(f, p, (size_t)(name_end - p), &v);
  return ok && put_value(f, &spec, v);
}

static bool format_all(Formatter *f, const char *p, const char *end) {
  while (p < end) {
    const char *from = p;
    while (p < end && *p != '{' && *p != '}') p++;
    buf_add(&f->out, from, (size_t)(p - from));
    if (p == end) break;
    if (p + 1 < end && p[1] == *p) {
      buf_putc(&f->out, *p);
      p += 2;
      continue;
    }
    const char *close = *p == '{' ? memchr(p, '}', (size_t)(end - p)) : NULL;
    if (!close) return fail(f, *p == '{' ? "a { without }" : "a } without {");
    uint32_t mark = vm_roots_mark(f->vm);
    if (!put_field(f, p + 1, close)) return false;
    vm_roots_reset(f->vm, mark);
    p = close + 1;
  }
  return !f->out.failed;
}

Value string_format_values(ox_VM *vm, Value *args, int nargs) {
  String *s = arg_string(vm, args[0], "format");
  if (!s) return V_ERROR;
  Formatter f = {.vm = vm, .first = vm_roots_mark(vm), .count = nargs - 1};
  for (int i = 1; i < nargs; i++) /* `str` methods may move the stack */
    if (!vm_root(vm, args[i])) return V_ERROR;
  buf_init(&f.out, vm);
  if (format_all(&f, s->chars, s->chars + s->h.aux)) return buf_finish(&f.out);
  buf_free(&f.out);
  return V_ERROR;
}
