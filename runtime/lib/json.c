/* json.c - the module `json`: RFC 8259 texts to values and back.
 *
 * Reading is one pass over the bytes. Values are made bottom up; the temporary roots hold the
 * lists and maps under construction and are cut back after each element, so they stay as few as
 * the text is deep. Choices where the RFC leaves room: a number without fraction and exponent is
 * an int, one beyond 64 bits a float; a float beyond the largest double throws; of equal keys
 * the last wins, at the place of the first; a surrogate without its other half throws; a byte
 * order mark is skipped. */
#include "lib.h"

#include <math.h>
#include <string.h>

#include "../../lang/utf8.h"

enum { JSON_DEPTH = 512, INDENT_MAX = 32, POLL_EVERY = 1024 };

/* ---- reading ------------------------------------------------------------------------------- */

typedef struct Reader {
  ox_VM *vm;
  const char *start, *at, *end; /* *end is NUL */
  uint32_t depth, work;
} Reader;

typedef struct Place { unsigned line, column; } Place;

/* Lines end at \n, \r\n or \r; columns count code points from 1. */
static Place place_of(const Reader *r, const char *at) {
  Place p = {1, 1};
  for (const char *s = r->start; s < at; s++) {
    if (*s == '\n' || (*s == '\r' && s[1] != '\n')) {
      p.line++;
      p.column = 1;
    } else if (((uint8_t)*s & 0xC0) != 0x80 && *s != '\r') {
      p.column++;
    }
  }
  return p;
}

static Value fail_at(Reader *r, const char *at, const char *what) {
  Place p = place_of(r, at);
  return vm_throw(r->vm, ERR_VALUE, "json.parse: line %u, column %u: %s", p.line, p.column, what);
}

/* "expected X, found Y" at the reader's place. */
static Value fail_expected(Reader *r, const char *expected) {
  char text[160], found[24] = "the end of the text";
  uint32_t code;
  if (r->at < r->end) {
    unsigned n = utf8_decode(r->at, (size_t)(r->end - r->at), &code);
    if (n && code >= ' ' && code != 127) snprintf(found, sizeof found, "'%.*s'", (int)n, r->at);
    else snprintf(found, sizeof found, "the byte %u", (uint8_t)*r->at);
  }
  snprintf(text, sizeof text, "expected %s, found %s", expected, found);
  return fail_at(r, r->at, text);
}

static void skip_space(Reader *r) {
  while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t') r->at++;
}

static Value read_word(Reader *r, const char *word, Value v) {
  size_t n = strlen(word);
  if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
    return fail_expected(r, "a value");
  r->at += n;
  return v;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Digits at s appended to *m while it holds fewer than 19; counts those and all. */
static const char *read_digits(const char *s, uint64_t *m, int *kept) {
  for (; is_digit(*s); s++) {
    if (*kept >= 19) { *kept = 99; continue; }
    *m = *m * 10 + (uint64_t)(*s - '0');
    if (*m) ++*kept;
  }
  return s;
}

static const double exact_tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* m * 10^power where both are exact doubles, so that one rounding gives the right answer. */
static bool float_exactly(uint64_t m, int kept, int power, double *out) {
  if (kept > 19 || m > (uint64_t)1 << 53 || power < -22 || power > 22) return false;
  *out = power < 0 ? (double)m / exact_tens[-power] : (double)m * exact_tens[power];
  return true;
}

static Value finish_float(Reader *r, const char *from, double d) {
  if (!isfinite(d)) return fail_at(r, from, "the number is beyond the largest float");
  return v_from_float(d);
}

static Value slow_float(Reader *r, const char *from) {
  double d;
  if (!num_parse_float(from, (size_t)(r->at - from), &d)) return fail_at(r, from, "bad number");
  return finish_float(r, from, d);
}

/* The exponent after 'e'; NULL when there are no digits. Huge ones stop at +-100000. */
static const char *read_exponent(const char *s, int *out) {
  bool negative = *s == '-';
  int n = 0;
  if (*s == '-' || *s == '+') s++;
  if (!is_digit(*s)) return NULL;
  for (; is_digit(*s); s++)
    if (n < 100000) n = n * 10 + (*s - '0');
  *out = negative ? -n : n;
  return s;
}

static Value finish_number(Reader *r, const char *from, bool negative, uint64_t m, int kept,
                           int power) {
  double d;
  if (!float_exactly(m, kept, power, &d)) return slow_float(r, from);
  return finish_float(r, from, negative ? -d : d);
}

static Value read_number(Reader *r) {
  const char *from = r->at, *s = from;
  bool negative = *s == '-';
  uint64_t m = 0;
  int kept = 0, power = 0;
  if (negative) s++;
  if (!is_digit(*s)) {
    r->at = s;
    return fail_expected(r, negative ? "a digit after '-'" : "a value");
  }
  if (*s == '0' && is_digit(s[1])) return fail_at(r, s, "a number must not start with 0");
  s = read_digits(s, &m, &kept);
  bool whole = *s != '.' && *s != 'e' && *s != 'E';
  if (*s == '.') {
    const char *fraction = ++s;
    s = read_digits(s, &m, &kept);
    if (s - fraction > 400) kept = 99; /* too long for the exact way */
    else power = (int)(fraction - s);
    if (s == fraction) { r->at = s; return fail_expected(r, "a digit after '.'"); }
  }
  if (*s == 'e' || *s == 'E') {
    int exponent;
    const char *after = read_exponent(s + 1, &exponent);
    if (!after) { r->at = s + 1; return fail_expected(r, "a digit in the exponent"); }
    s = after;
    power += exponent;
  }
  r->at = s;
  vm_charge(r->vm, (uint64_t)(s - from));
  if (whole && kept <= 19 && m <= (uint64_t)INT64_MAX + negative)
    return num_from_int(r->vm, (int64_t)(negative ? 0 - m : m));
  return finish_number(r, from, negative, m, kept, power);
}

/* ---- strings ------------------------------------------------------------------------------- */

static int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The four hex digits at s, or -1. The text ends with a NUL, which is no digit. */
static int32_t read_hex4(const char *s) {
  int32_t code = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(s[i]);
    if (digit < 0) return -1;
    code = code << 4 | digit;
  }
  return code;
}

/* After "\u"; appends the code point. */
static bool read_unicode(Reader *r, Buf *b) {
  const char *escape = r->at - 2;
  int32_t code = read_hex4(r->at), low;
  if (code < 0) { fail_at(r, escape, "\\u needs four hexadecimal digits"); return false; }
  r->at += 4;
  if (code >= 0xD800 && code <= 0xDFFF) {
    bool pair = code < 0xDC00 && r->at[0] == '\\' && r->at[1] == 'u' &&
                (low = read_hex4(r->at + 2)) >= 0xDC00 && low <= 0xDFFF;
    if (!pair) { fail_at(r, escape, "a surrogate without its other half"); return false; }
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    r->at += 6;
  }
  char bytes[4];
  buf_add(b, bytes, utf8_encode((uint32_t)code, bytes));
  return true;
}

/* At a backslash; appends what it stands for. */
static bool read_escape(Reader *r, Buf *b) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  char c = r->at[1];
  const char *found = c ? strchr(from, c) : NULL;
  if (found) {
    buf_putc(b, to[found - from]);
    r->at += 2;
    return true;
  }
  if (c != 'u') {
    fail_at(r, r->at, "unknown escape (known: \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX)");
    return false;
  }
  r->at += 2;
  return read_unicode(r, b);
}

/* To the next quote, backslash or control character. */
static const char *plain_end(const char *s) {
  while ((uint8_t)*s >= ' ' && *s != '"' && *s != '\\') s++;
  return s;
}

static Value fail_in_string(Reader *r, const char *open) {
  if (r->at == r->end) return fail_at(r, open, "this string is not closed");
  char text[80];
  snprintf(text, sizeof text, "a control character in a string must be written \\u%04x",
           (uint8_t)*r->at);
  return fail_at(r, r->at, text);
}

static Value read_escaped(Reader *r, const char *open) {
  Buf b;
  uint64_t next = VM_WORK;
  buf_init(&b, r->vm);
  buf_add(&b, open + 1, (size_t)(r->at - open - 1));
  while (*r->at == '\\') {
    if (!read_escape(r, &b)) { buf_free(&b); return V_ERROR; }
    const char *from = r->at;
    r->at = plain_end(from);
    buf_add(&b, from, (size_t)(r->at - from));
    if (vm_poll_at(r->vm, (uint64_t)(r->at - open), &next)) continue;
    buf_free(&b);
    return V_ERROR;
  }
  if (*r->at != '"') { buf_free(&b); return fail_in_string(r, open); }
  r->at++;
  return buf_finish(&b);
}

static Value read_string(Reader *r) {
  const char *open = r->at;
  r->at = plain_end(open + 1);
  vm_charge(r->vm, (uint64_t)(r->at - open));
  if (*r->at == '"') {
    size_t n = (size_t)(r->at - open - 1);
    r->at++;
    return string_new(r->vm, open + 1, n);
  }
  return *r->at == '\\' ? read_escaped(r, open) : fail_in_string(r, open);
}

/* ---- lists and maps ------------------------------------------------------------------------ */

static Value read_value(Reader *r);

static bool enter(Reader *r) {
  if (++r->depth <= JSON_DEPTH) return true;
  fail_at(r, r->at, "nested deeper than 512 levels");
  return false;
}

/* After an element: true at a comma (more follows), false at the end or on an error. */
static bool more(Reader *r, char close, const char *expected, bool *failed) {
  skip_space(r);
  if (*r->at == ',') { r->at++; return true; }
  if (*r->at == close) r->at++;
  else { fail_expected(r, expected); *failed = true; }
  return false;
}

static Value read_list(Reader *r) {
  if (!enter(r)) return V_ERROR;
  Value list = list_new(r->vm, 0);
  if (list == V_ERROR) return V_ERROR;
  bool failed = false, go_on = true;
  uint32_t mark = vm_roots_mark(r->vm);
  r->at++;
  skip_space(r);
  if (*r->at == ']') { r->at++; go_on = false; }
  while (go_on) {
    Value v = read_value(r);
    if (v == V_ERROR || !list_push(r->vm, list, v)) return V_ERROR;
    vm_roots_reset(r->vm, mark);
    go_on = more(r, ']', "',' or ']'", &failed);
  }
  r->depth--;
  return failed ? V_ERROR : list;
}

static bool read_pair(Reader *r, Value map) {
  skip_space(r);
  if (*r->at != '"') { fail_expected(r, "a key in double quotes"); return false; }
  Value key = read_string(r);
  if (key == V_ERROR) return false;
  skip_space(r);
  if (*r->at != ':') { fail_expected(r, "':' after the key"); return false; }
  r->at++;
  Value v = read_value(r);
  return v != V_ERROR && map_set(r->vm, map, key, v);
}

static Value read_map(Reader *r) {
  if (!enter(r)) return V_ERROR;
  Value map = map_new(r->vm, 0);
  if (map == V_ERROR) return V_ERROR;
  bool failed = false, go_on = true;
  uint32_t mark = vm_roots_mark(r->vm);
  r->at++;
  skip_space(r);
  if (*r->at == '}') { r->at++; go_on = false; }
  while (go_on) {
    if (!read_pair(r, map)) return V_ERROR;
    vm_roots_reset(r->vm, mark);
    go_on = more(r, '}', "',' or '}'", &failed);
  }
  r->depth--;
  return failed ? V_ERROR : map;
}

static Value read_value(Reader *r) {
  if (++r->work % POLL_EVERY == 0 && !vm_poll(r->vm, POLL_EVERY)) return V_ERROR;
  skip_space(r);
  switch (*r->at) {
    case '"': return read_string(r);
    case '{': return read_map(r);
    case '[': return read_list(r);
    case 't': return read_word(r, "true", V_TRUE);
    case 'f': return read_word(r, "false", V_FALSE);
    case 'n': return read_word(r, "null", V_NIL);
    default: return read_number(r);
  }
}

static Value json_parse(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *text = arg_string(vm, args[0], "text of json.parse");
  if (!text) return V_ERROR;
  Reader r = {.vm = vm, .start = text->chars, .end = text->chars + text->h.aux};
  if (text->h.aux >= 3 && memcmp(r.start, "\xEF\xBB\xBF", 3) == 0) r.start += 3;
  r.at = r.start;
  Value v = read_value(&r);
  if (v == V_ERROR) return V_ERROR;
  skip_space(&r);
  return r.at == r.end ? v : fail_expected(&r, "the end of the text after the value");
}

/* ---- writing ------------------------------------------------------------------------------- */

typedef struct Step { /* one level of nesting: the container and where in it we are */
  Value container, key;
  uint64_t index;
} Step;

typedef struct Writer {
  ox_VM *vm;
  Buf out;
  uint32_t indent, depth, work;
  Step steps[JSON_DEPTH];
} Writer;

static bool is_name(const String *s) {
  for (uint32_t i = 0; i < s->h.aux; i++) {
    char c = s->chars[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(i && is_digit(c))) return false;
  }
  return s->h.aux > 0;
}

static void add_step(Buf *b, ox_VM *vm, const Step *step) {
  if (v_is(step->container, KIND_LIST)) {
    buf_printf(b, "[%llu]", (unsigned long long)step->index);
    return;
  }
  if (!v_is_string(step->key)) return;
  String *key = string_flat(vm, step->key);
  if (!key) return;
  if (is_name(key)) buf_printf(b, ".%s", key->chars);
  else buf_printf(b, "[\"%.60s\"]", key->chars);
}

/* Throws "json.stringify: WHAT at .users[3].name". */
static bool fail_write(Writer *w, ErrorKind kind, const char *what) {
  Buf path;
  buf_init(&path, w->vm);
  for (uint32_t i = 0; i < w->depth; i++) {
    if (w->depth > 16 && i == 8) {
      i = w->depth - 8;
      buf_puts(&path, "...");
    }
    add_step(&path, w->vm, &w->steps[i]);
  }
  buf_putc(&path, 0);
  if (path.failed || error_pending(w->vm)) {
    buf_free(&path);
    if (!error_pending(w->vm)) vm_throw_oom(w->vm);
    return false;
  }
  if (path.len > 1) vm_throw(w->vm, kind, "json.stringify: %s (at %s)", what, path.data);
  else vm_throw(w->vm, kind, "json.stringify: %s", what);
  buf_free(&path);
  return false;
}

static void write_escaped(Buf *b, char c) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *found = c ? strchr(from, c) : NULL;
  if (found) {
    char text[2] = {'\\', to[found - from]};
    buf_add(b, text, 2);
  } else {
    buf_printf(b, "\\u%04x", (uint8_t)c);
  }
}

/* The length of the run of bytes at s that need no escape, or -1 - offset of a bad byte. */
static int64_t plain_run(const char *s, const char *end) {
  const char *at = s;
  while (at < end) {
    uint32_t code;
    if ((uint8_t)*at < 0x80) {
      if ((uint8_t)*at < ' ' || *at == '"' || *at == '\\') break;
      at++;
      continue;
    }
    unsigned n = utf8_decode(at, (size_t)(end - at), &code);
    if (!n) return -1 - (at - s);
    at += n;
  }
  return at - s;
}

static bool write_string(Writer *w, Value v) {
  String *s = string_flat(w->vm, v);
  if (!s) return false;
  const char *at = s->chars, *end = at + s->h.aux;
  uint64_t next = VM_WORK;
  buf_putc(&w->out, '"');
  while (at < end) {
    int64_t n = plain_run(at, end);
    if (n < 0) {
      char text[80];
      snprintf(text, sizeof text, "a string is not valid UTF-8 at its byte %lld",
               (long long)(at - s->chars - 1 - n));
      return fail_write(w, ERR_VALUE, text);
    }
    buf_add(&w->out, at, (size_t)n);
    at += n;
    if (!vm_poll_at(w->vm, (uint64_t)(at - s->chars), &next)) return false;
    if (at < end) write_escaped(&w->out, *at++);
  }
  buf_putc(&w->out, '"');
  return true;
}

static bool write_number(Writer *w, Value v) {
  char text[NUM_TEXT];
  if (num_is_int(v)) {
    buf_add(&w->out, text, (size_t)num_format_int(num_int(w->vm, v), text));
    return true;
  }
  double d = v_float(v);
  if (!isfinite(d)) return fail_write(w, ERR_VALUE, "JSON has no nan and no infinity");
  buf_add(&w->out, text, (size_t)num_format_float(d, text));
  return true;
}

static void new_line(Writer *w) {
  if (!w->indent) return;
  char spaces[64];
  memset(spaces, ' ', sizeof spaces);
  buf_putc(&w->out, '\n');
  for (uint32_t n = w->indent * w->depth; n; ) {
    uint32_t some = n < sizeof spaces ? n : (uint32_t)sizeof spaces;
    buf_add(&w->out, spaces, some);
    n -= some;
  }
}

static bool push_step(Writer *w, Value container) {
  for (uint32_t i = 0; i < w->depth; i++)
    if (w->steps[i].container == container)
      return fail_write(w, ERR_VALUE, "the value contains itself");
  if (w->depth == JSON_DEPTH)
    return fail_write(w, ERR_VALUE, "nested deeper than 512 levels");
  w->steps[w->depth++] = (Step){container, V_NIL, 0};
  return true;
}

static bool write_value(Writer *w, Value v);

static bool write_list(Writer *w, Value v) {
  if (!push_step(w, v)) return false;
  uint64_t n = list_len(w->vm, v);
  Step *step = &w->steps[w->depth - 1];
  buf_putc(&w->out, '[');
  for (uint64_t i = 0; i < n; i++) {
    if (i) buf_putc(&w->out, ',');
    new_line(w);
    step->index = i;
    if (!write_value(w, list_get(w->vm, v, i))) return false;
  }
  w->depth--;
  if (n) new_line(w);
  buf_putc(&w->out, ']');
  return true;
}

static bool write_key(Writer *w, Value key) {
  if (v_is_string(key)) return write_string(w, key);
  char text[120];
  snprintf(text, sizeof text, "a key must be a string, not %.60s", vm_type_name(w->vm, key));
  return fail_write(w, ERR_TYPE, text);
}

static bool write_map(Writer *w, Value v) {
  if (!push_step(w, v)) return false;
  Step *step = &w->steps[w->depth - 1];
  Value key, value;
  bool any = false;
  uint32_t i = 0;
  buf_putc(&w->out, '{');
  while (map_next(w->vm, as_map(w->vm, v), &i, &key, &value)) {
    if (any) buf_putc(&w->out, ',');
    any = true;
    new_line(w);
    step->key = key;
    if (!write_key(w, key)) return false;
    buf_puts(&w->out, w->indent ? ": " : ":");
    if (!write_value(w, value)) return false;
  }
  w->depth--;
  if (any) new_line(w);
  buf_putc(&w->out, '}');
  return true;
}

static bool refuse(Writer *w, Value v) {
  char text[160];
  const char *hint = v_is(v, KIND_SET) || v_is(v, KIND_RANGE) ? ": make a list of it first"
                     : v_is(v, KIND_INSTANCE)                 ? ": make a map of its fields"
                                                              : "";
  snprintf(text, sizeof text, "a %.60s has no form in JSON%s", vm_type_name(w->vm, v), hint);
  return fail_write(w, ERR_TYPE, text);
}

static bool write_value(Writer *w, Value v) {
  if (++w->work % POLL_EVERY == 0 && !vm_poll(w->vm, POLL_EVERY)) return false;
  if (w->out.failed) return false;
  if (v_is_string(v)) return write_string(w, v);
  if (num_is(v)) return write_number(w, v);
  if (v_is(v, KIND_LIST)) return write_list(w, v);
  if (v_is(v, KIND_MAP)) return write_map(w, v);
  if (v == V_NIL) buf_puts(&w->out, "null");
  else if (v_is_bool(v)) buf_puts(&w->out, v == V_TRUE ? "true" : "false");
  else return refuse(w, v);
  return true;
}

static bool read_indent(ox_VM *vm, Value *args, uint32_t *out) {
  uint64_t n = 0;
  *out = 0;
  if (!arg_given(args, 1) || args[1] == V_NIL) return true;
  if (!arg_index(vm, args[1], "indent of json.stringify", &n)) return false;
  if (n > INDENT_MAX) {
    vm_throw(vm, ERR_VALUE, "indent of json.stringify must be at most %d spaces", INDENT_MAX);
    return false;
  }
  *out = (uint32_t)n;
  return true;
}

static Value json_stringify(ox_VM *vm, Value *args, int nargs) {
  Writer w;
  (void)nargs;
  w.vm = vm;
  w.depth = w.work = 0;
  if (!read_indent(vm, args, &w.indent)) return V_ERROR;
  buf_init(&w.out, vm);
  bool written = write_value(&w, args[0]);
  vm_charge_steps(vm, w.work % POLL_EVERY); /* since the last poll */
  if (written) return buf_finish(&w.out);
  if (w.out.failed && !error_pending(vm)) vm_throw_oom(vm);
  buf_free(&w.out);
  return V_ERROR;
}

static const NativeDef json_defs[] = {
    NATIVE("parse", json_parse, "parse(text)",
           "The value of a JSON text: maps in the text's order, ints stay ints (beyond 64 bits "
           "they become floats), null is nil; throws naming line and column, also for lone "
           "surrogates, text after the value and more than 512 levels."),
    NATIVE("stringify", json_stringify, "stringify(value, indent = 0) -> string",
           "The JSON text of nil, booleans, numbers, strings, lists and maps with string keys, "
           "compact or with `indent` spaces a level; throws for anything else, nan, inf, "
           "invalid UTF-8 and values that contain themselves, naming the place."),
};

const ModuleDef module_json = {"json", "JSON texts (RFC 8259) to values and back.",
                               json_defs, LIB_COUNT(json_defs), -1, NULL};
