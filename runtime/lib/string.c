/* string.c - methods of strings and the module `string`. Positions and lengths count bytes;
 * where characters are meant (chars, codes, reverse, padding) they are code points, and a byte
 * that is no valid UTF-8 counts as one character. Case and normal forms are in unicode.c, format
 * in format.c. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem, memrchr */
#endif
#include "text.h"

#include "../../lang/utf8.h"
#include "../list.h"
#include "../number.h"
#include "../repr.h"
#include "core.h"
#include "iterate.h"
#include "lib.h"
#include "registry.h"

enum { POLL_EVERY = 4096 };

unsigned utf8_step(const char *s, size_t n, uint32_t *code) {
  if ((unsigned char)*s < 0x80) {
    *code = (unsigned char)*s;
    return 1;
  }
  unsigned size = utf8_decode(s, n, code);
  if (size) return size;
  *code = 0xFFFD;
  return 1;
}

bool text_count(ox_VM *vm, const char *s, uint64_t n, uint64_t *count) {
  uint64_t next = VM_WORK;
  uint32_t code;
  *count = 0;
  for (uint64_t i = 0; i < n; ++*count) {
    i += utf8_step(s + i, n - i, &code);
    if (!vm_poll_at(vm, i, &next)) return false;
  }
  return true;
}

static String *self_of(ox_VM *vm, Value v) {
  return v_is(v, KIND_STRING) ? vm_deref(vm, v) : arg_string(vm, v, "self");
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static Value string_m_len(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!v_is_string(args[0]) && !self_of(vm, args[0])) return V_ERROR;
  return v_from_int((int64_t)string_len(vm, args[0]));
}

/* ---- trimming and padding -------------------------------------------------------------------- */

static Value trim(ox_VM *vm, Value self, bool at_start, bool at_end) {
  String *s = self_of(vm, self);
  if (!s) return V_ERROR;
  uint32_t from = 0, to = s->h.aux;
  while (at_start && from < to && is_blank(s->chars[from])) from++;
  while (at_end && to > from && is_blank(s->chars[to - 1])) to--;
  vm_charge(vm, s->h.aux - (to - from));
  return string_slice(vm, self, from, to);
}

static Value string_m_trim(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return trim(vm, args[0], true, true);
}
static Value string_m_trim_start(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return trim(vm, args[0], true, false);
}
static Value string_m_trim_end(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return trim(vm, args[0], false, true);
}

/* `count` characters of the fill text, from its start again and again. */
static void add_fill(Buf *b, const String *fill, uint64_t count) {
  uint64_t next = VM_WORK;
  uint32_t code;
  char run[64];
  if (fill->h.aux == 1) {
    memset(run, fill->chars[0], sizeof run);
    for (; count > sizeof run && !b->failed; count -= sizeof run) {
      buf_add(b, run, sizeof run);
      if (!vm_poll_at(b->vm, b->len, &next)) b->failed = true;
    }
    next = VM_WORK;
  }
  for (uint64_t i = 0, at = 0; i < count && !b->failed; i++) {
    if (!vm_poll_at(b->vm, i, &next)) b->failed = true;
    unsigned size = utf8_step(fill->chars + at, fill->h.aux - at, &code);
    buf_add(b, fill->chars + at, size);
    at = at + size == fill->h.aux ? 0 : at + size;
  }
}

static Value pad(ox_VM *vm, Value *args, bool at_start) {
  uint64_t width;
  Buf b;
  String *s = self_of(vm, args[0]);
  if (!s || !arg_index(vm, args[1], "width of padding", &width)) return V_ERROR;
  Value with = arg_given(args, 2) ? args[2] : string_byte(vm, ' ');
  String *fill = arg_string(vm, with, "fill of padding");
  if (!fill) return V_ERROR;
  if (fill->h.aux == 0) return vm_throw(vm, ERR_VALUE, "fill of padding must not be empty");
  uint64_t count;
  if (!text_count(vm, s->chars, s->h.aux, &count)) return V_ERROR;
  if (count >= width) return args[0];
  if (width > STRING_MAX) return vm_throw(vm, ERR_LIMIT, "padding: a string holds at most %llu bytes",
                    (unsigned long long)STRING_MAX);
  buf_init(&b, vm);
  if (!at_start) buf_add(&b, s->chars, s->h.aux);
  add_fill(&b, fill, width - count);
  if (at_start) buf_add(&b, s->chars, s->h.aux);
  return buf_finish(&b);
}

static Value string_m_pad_start(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return pad(vm, args, true);
}
static Value string_m_pad_end(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return pad(vm, args, false);
}

/* ---- splitting ------------------------------------------------------------------------------- */

/* Collects pieces of one string in a list, cutting the temporary roots back after each. */
typedef struct Pieces {
  ox_VM *vm;
  Value out;
  uint32_t mark;
  uint64_t n;
  bool ok;
} Pieces;

static Pieces pieces_start(ox_VM *vm) {
  Pieces p = {vm, list_new(vm, 0), 0, 0, false};
  p.mark = vm_roots_mark(vm);
  p.ok = p.out != V_ERROR;
  return p;
}

static inline void piece_add(Pieces *p, const char *bytes, size_t n) {
  Value v = string_new(p->vm, bytes, n);
  p->ok = v != V_ERROR && list_push(p->vm, p->out, v);
  vm_roots_reset(p->vm, p->mark);
  if (++p->n % POLL_EVERY == 0) p->ok = p->ok && vm_poll(p->vm, POLL_EVERY);
}

static Value pieces_end(Pieces *p) { return p->ok ? p->out : V_ERROR; }

static Value split_blanks(ox_VM *vm, const String *s, uint64_t max) {
  Pieces p = pieces_start(vm);
  const char *at = s->chars, *end = at + s->h.aux;
  uint64_t next = VM_WORK;
  while (p.ok && (p.ok = vm_poll_at(vm, (uint64_t)(at - s->chars), &next))) {
    while (at < end && is_blank(*at)) at++;
    if (at == end) break;
    const char *from = at;
    while (at < end && (p.n >= max || !is_blank(*at))) at++;
    piece_add(&p, from, (size_t)(at - from));
  }
  return pieces_end(&p);
}

static Value split_chars(ox_VM *vm, const String *s, uint64_t max) {
  Pieces p = pieces_start(vm);
  uint32_t code;
  for (uint32_t i = 0; p.ok && i < s->h.aux;) {
    unsigned n = p.n >= max ? s->h.aux - i : utf8_step(s->chars + i, s->h.aux - i, &code);
    piece_add(&p, s->chars + i, n);
    i += n;
  }
  return pieces_end(&p);
}

/* Looks for `sub` from `at` on, window by window: in between the budget is charged and an interrupt
 * noticed. `work` adds up over the searches of one call. */
typedef struct Finder {
  ox_VM *vm;
  const char *at, *end;
  const String *sub;
  uint64_t work;
} Finder;
enum { WINDOW = 1 << 20, SEARCH_WORK = 64 }; /* a search costs like so many bytes at least */

static const char *find_bytes(const char *s, size_t n, const String *sub) {
  if (sub->h.aux == 1) return memchr(s, sub->chars[0], n);
  return memmem(s, n, sub->chars, sub->h.aux);
}

static bool finder_pay(Finder *f, uint64_t bytes) {
  f->work += bytes + SEARCH_WORK;
  if (f->work < VM_WORK) return true;
  uint64_t steps = f->work / VM_WORK_STEP;
  f->work %= VM_WORK_STEP;
  return vm_poll(f->vm, steps);
}

/* 1 with the place in *hit and the search going on behind it, 0: no more, -1: error pending. */
static int finder_next(Finder *f, const char **hit) {
  uint64_t m = f->sub->h.aux;
  while ((uint64_t)(f->end - f->at) >= m) {
    uint64_t n = (uint64_t)(f->end - f->at), some = WINDOW + 2 * m;
    if (some > n) some = n;
    *hit = find_bytes(f->at, some, f->sub);
    const char *next = *hit ? *hit + m : f->at + some - m + 1;
    bool paid = finder_pay(f, (uint64_t)(next - f->at));
    f->at = next;
    if (!paid) return -1;
    if (*hit) return 1;
  }
  return 0;
}

static Finder finder(ox_VM *vm, const String *s, uint64_t from, const String *sub) {
  return (Finder){vm, s->chars + from, s->chars + s->h.aux, sub, 0};
}

static Value split_at(ox_VM *vm, const String *s, const String *sep, uint64_t max) {
  Pieces p = pieces_start(vm);
  Finder f = finder(vm, s, 0, sep);
  const char *from = s->chars, *hit = NULL;
  int found = 0;
  while (p.ok && p.n < max && (found = finder_next(&f, &hit)) > 0) {
    piece_add(&p, from, (size_t)(hit - from));
    from = f.at;
  }
  if (p.ok && found >= 0) piece_add(&p, from, (size_t)(f.end - from));
  return found < 0 ? V_ERROR : pieces_end(&p);
}

static Value string_m_split(ox_VM *vm, Value *args, int nargs) {
  uint64_t max = UINT64_MAX;
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s) return V_ERROR;
  bool limited = arg_given(args, 2) && args[2] != V_NIL;
  if (limited && !arg_index(vm, args[2], "max of split", &max)) return V_ERROR;
  if (!arg_given(args, 1) || args[1] == V_NIL) return split_blanks(vm, s, max);
  String *sep = arg_string(vm, args[1], "separator of split");
  if (!sep) return V_ERROR;
  return sep->h.aux ? split_at(vm, s, sep, max) : split_chars(vm, s, max);
}

static Value string_m_lines(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s) return V_ERROR;
  Pieces p = pieces_start(vm);
  const char *from = s->chars, *end = from + s->h.aux;
  while (p.ok && from < end) {
    const char *hit = memchr(from, '\n', (size_t)(end - from)), *stop = hit ? hit : end;
    size_t n = (size_t)(stop - from);
    piece_add(&p, from, n - (hit && n > 0 && stop[-1] == '\r'));
    from = hit ? hit + 1 : end;
  }
  return pieces_end(&p);
}

static Value string_m_chars(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  return s ? split_chars(vm, s, UINT64_MAX) : V_ERROR;
}

static Value string_m_bytes(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  Value out = s ? list_new(vm, s->h.aux) : V_ERROR;
  if (out == V_ERROR || s->h.aux == 0) return out;
  vm_charge(vm, s->h.aux * sizeof(Value));
  Value *items = list_store(vm, as_list(vm, out))->items;
  uint64_t next = VM_WORK;
  for (uint32_t i = 0; i < s->h.aux; i++) { /* just made, and only ints: no barrier */
    items[i] = v_from_int((uint8_t)s->chars[i]);
    if (!vm_poll_at(vm, i, &next)) return V_ERROR;
  }
  as_list(vm, out)->len = s->h.aux;
  return out;
}

static Value string_m_codes(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  Value out = s ? list_new(vm, 0) : V_ERROR;
  uint64_t next = POLL_EVERY;
  uint32_t code;
  for (uint32_t i = 0; out != V_ERROR && i < s->h.aux;) {
    i += utf8_step(s->chars + i, s->h.aux - i, &code);
    if (!list_push(vm, out, v_from_int(code)) || !vm_poll_at(vm, i, &next)) return V_ERROR;
  }
  return out;
}

/* ---- searching ------------------------------------------------------------------------------- */

static bool two_strings(ox_VM *vm, Value *args, const char *what, String **s, String **sub) {
  if (!(*s = self_of(vm, args[0])) || !(*sub = arg_string(vm, args[1], what))) return false;
  vm_charge(vm, (*s)->h.aux); /* what the caller goes through, at most */
  return true;
}

static Value string_m_find(ox_VM *vm, Value *args, int nargs) {
  String *s, *sub;
  int64_t start = 0;
  (void)nargs;
  if (!two_strings(vm, args, "argument of find", &s, &sub)) return V_ERROR;
  if (arg_given(args, 2) && !arg_int(vm, args[2], "start of find", &start)) return V_ERROR;
  int64_t n = s->h.aux;
  if (start < 0) start = start + n < 0 ? 0 : start + n;
  if (start > n) return V_NIL;
  const char *hit;
  Finder f = finder(vm, s, (uint64_t)start, sub);
  int found = finder_next(&f, &hit);
  return found < 0 ? V_ERROR : found ? v_from_int(hit - s->chars) : V_NIL;
}

/* Tries every place from the end where the first byte fits. */
static Value string_m_rfind(ox_VM *vm, Value *args, int nargs) {
  String *s, *sub;
  (void)nargs;
  if (!two_strings(vm, args, "argument of rfind", &s, &sub)) return V_ERROR;
  uint64_t m = sub->h.aux, work = 0;
  if (m > s->h.aux) return V_NIL;
  if (m == 0) return v_from_int(s->h.aux);
  const char *end = s->chars + s->h.aux - m + 1, *hit;
  vm_charge(vm, s->h.aux);
  while ((hit = memrchr(s->chars, sub->chars[0], (size_t)(end - s->chars))) != NULL) {
    if (memcmp(hit, sub->chars, m) == 0) return v_from_int(hit - s->chars);
    end = hit;
    work += m;
    if (work < 1 << 20) continue;
    work = 0;
    if (!vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return V_NIL;
}

static Value string_m_contains(ox_VM *vm, Value *args, int nargs) {
  String *s, *sub;
  (void)nargs;
  if (!two_strings(vm, args, "argument of contains", &s, &sub)) return V_ERROR;
  const char *hit;
  Finder f = finder(vm, s, 0, sub);
  int found = finder_next(&f, &hit);
  return found < 0 ? V_ERROR : v_from_bool(found);
}

static Value string_m_starts_with(ox_VM *vm, Value *args, int nargs) {
  String *s, *sub;
  (void)nargs;
  if (!two_strings(vm, args, "argument of starts_with", &s, &sub)) return V_ERROR;
  vm_charge(vm, sub->h.aux);
  return v_from_bool(s->h.aux >= sub->h.aux && memcmp(s->chars, sub->chars, sub->h.aux) == 0);
}

static Value string_m_ends_with(ox_VM *vm, Value *args, int nargs) {
  String *s, *sub;
  (void)nargs;
  if (!two_strings(vm, args, "argument of ends_with", &s, &sub)) return V_ERROR;
  uint32_t n = s->h.aux, m = sub->h.aux;
  vm_charge(vm, m);
  return v_from_bool(n >= m && memcmp(s->chars + (n - m), sub->chars, m) == 0);
}

static Value string_m_count(ox_VM *vm, Value *args, int nargs) {
  String *s, *sub;
  uint64_t count = 0;
  (void)nargs;
  if (!two_strings(vm, args, "argument of count", &s, &sub)) return V_ERROR;
  if (sub->h.aux == 0) {
    bool fine = text_count(vm, s->chars, s->h.aux, &count);
    return fine ? v_from_int((int64_t)count + 1) : V_ERROR;
  }
  Finder f = finder(vm, s, 0, sub);
  const char *hit;
  int found;
  while ((found = finder_next(&f, &hit)) > 0) count++;
  return found < 0 ? V_ERROR : v_from_int((int64_t)count);
}

/* ---- building -------------------------------------------------------------------------------- */

static Value string_m_replace(ox_VM *vm, Value *args, int nargs) {
  uint64_t max = UINT64_MAX, n = 0;
  Buf b;
  (void)nargs;
  String *s = self_of(vm, args[0]);
  String *old = s ? arg_string(vm, args[1], "first argument of replace") : NULL;
  String *new = old ? arg_string(vm, args[2], "second argument of replace") : NULL;
  if (!new) return V_ERROR;
  bool limited = arg_given(args, 3) && args[3] != V_NIL;
  if (limited && !arg_index(vm, args[3], "count of replace", &max)) return V_ERROR;
  if (old->h.aux == 0) return vm_throw(vm, ERR_VALUE, "replace: the text to replace is empty");
  Finder f = finder(vm, s, 0, old);
  const char *from = s->chars, *hit;
  uint64_t next = VM_WORK;
  int found = 0;
  buf_init(&b, vm);
  while (n < max && !b.failed && (found = finder_next(&f, &hit)) > 0) {
    buf_add(&b, from, (size_t)(hit - from));
    buf_add(&b, new->chars, new->h.aux);
    if (!vm_poll_at(vm, b.len, &next)) b.failed = true;
    from = f.at;
    n++;
  }
  if (n == 0 && found == 0) return args[0];
  buf_add(&b, from, (size_t)(f.end - from));
  if (found >= 0) return buf_finish(&b);
  buf_free(&b);
  return V_ERROR;
}

static Value string_m_repeat(ox_VM *vm, Value *args, int nargs) {
  uint64_t count, total;
  char small[STRING_INTERN_MAX + 1], *out = small;
  Value v = V_NIL;
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s || !arg_index(vm, args[1], "count of repeat", &count)) return V_ERROR;
  uint64_t n = s->h.aux;
  if (__builtin_mul_overflow(n, count, &total) || total > STRING_MAX)
    return vm_throw(vm, ERR_LIMIT, "repeat: a string holds at most %llu bytes",
                    (unsigned long long)STRING_MAX);
  if (total > STRING_INTERN_MAX && (v = string_reserve(vm, total, &out)) == V_ERROR) return V_ERROR;
  if (total) memcpy(out, s->chars, n);
  for (uint64_t done = n; done < total; done *= 2) /* twice as much each time */
    memcpy(out + done, out, done < total - done ? done : total - done);
  return v == V_NIL ? string_new(vm, small, total) : v;
}

static Value string_m_reverse(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s) return V_ERROR;
  uint32_t n = s->h.aux, code;
  char small[STRING_INTERN_MAX + 1], *out = small;
  Value v = V_NIL;
  if (n > STRING_INTERN_MAX && (v = string_reserve(vm, n, &out)) == V_ERROR) return V_ERROR;
  uint64_t next = VM_WORK;
  for (uint32_t i = 0; i < n;) {
    unsigned size = utf8_step(s->chars + i, n - i, &code);
    i += size;
    memcpy(out + n - i, s->chars + i - size, size);
    if (!vm_poll_at(vm, i, &next)) return V_ERROR;
  }
  return v == V_NIL ? string_new(vm, small, n) : v;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const NativeDef method_defs[] = {
    NATIVE("len", string_m_len, "len(self) -> int", "How many bytes it has."),
    NATIVE("upper", string_upper, "upper(self) -> string",
           "In capital letters (\xC3\x9F becomes SS)."),
    NATIVE("lower", string_lower, "lower(self) -> string", "In small letters."),
    NATIVE("title", string_title, "title(self) -> string",
           "Each word with a capital first letter, the rest in small letters."),
    NATIVE("casefold", string_casefold, "casefold(self) -> string",
           "A form that is the same for texts that differ in case only; for comparing."),
    NATIVE("normalize", string_normalize, "normalize(self, form = \"NFC\") -> string",
           "In a Unicode normal form: NFC, NFD, NFKC or NFKD; throws for another form or broken "
           "UTF-8."),
    NATIVE("trim", string_m_trim, "trim(self) -> string", "Without blanks at both ends."),
    NATIVE("trim_start", string_m_trim_start, "trim_start(self) -> string",
           "Without blanks at the start."),
    NATIVE("trim_end", string_m_trim_end, "trim_end(self) -> string", "Without blanks at the end."),
    NATIVE("pad_start", string_m_pad_start, "pad_start(self, width, fill = \" \") -> string",
           "With fill before it up to width code points."),
    NATIVE("pad_end", string_m_pad_end, "pad_end(self, width, fill = \" \") -> string",
           "With fill behind it up to width code points."),
    NATIVE("split", string_m_split, "split(self, sep = nil, max = nil) -> list",
           "The pieces between separators: words between blanks for nil, code points for \"\"; at "
           "most max cuts."),
    NATIVE("lines", string_m_lines, "lines(self) -> list",
           "The lines without their ends, \\n or \\r\\n."),
    NATIVE("chars", string_m_chars, "chars(self) -> list",
           "Strings of one code point each (a broken byte is one of its own)."),
    NATIVE("bytes", string_m_bytes, "bytes(self) -> list", "The bytes as ints."),
    NATIVE("codes", string_m_codes, "codes(self) -> list",
           "The code points as ints, 65533 for a broken byte."),
    NATIVE("find", string_m_find, "find(self, sub, start = 0)",
           "The position of the first sub from start on (negative counts from the end), or nil."),
    NATIVE("rfind", string_m_rfind, "rfind(self, sub)", "The position of the last sub, or nil."),
    NATIVE("contains", string_m_contains, "contains(self, sub) -> bool",
           "Whether sub is part of it, as `sub in s`."),
    NATIVE("starts_with", string_m_starts_with, "starts_with(self, start) -> bool",
           "Whether it starts so."),
    NATIVE("ends_with", string_m_ends_with, "ends_with(self, end) -> bool", "Whether it ends so."),
    NATIVE("count", string_m_count, "count(self, sub) -> int",
           "How often sub is found, not overlapping."),
    NATIVE("replace", string_m_replace, "replace(self, old, new, count = nil) -> string",
           "With new in place of every old, or of the first count; throws if old is empty."),
    NATIVE("repeat", string_m_repeat, "repeat(self, n) -> string",
           "n times one behind the other; throws if n is negative or the result too long."),
    NATIVE("reverse", string_m_reverse, "reverse(self) -> string",
           "Its code points from last to first."),
    NATIVE("format", string_format_values, "format(self, ...values) -> string",
           "The text with {}, {0} or {name} (a key of the only value, a map) replaced by values, "
           "each with an optional spec as in {:>8.2f}; {{ and }} are braces. Throws for a bad spec "
           "or a missing value."),
};

const ModuleDef methods_string = {"string", "Methods of strings.", method_defs,
                                  LIB_COUNT(method_defs), KIND_STRING, NULL};

static Value string_from_codes(ox_VM *vm, Value *args, int nargs) {
  Iter it;
  Value item;
  Buf b;
  int more = 0;
  uint64_t n = 0, next = POLL_EVERY;
  (void)nargs;
  if (!iter_open(&it, vm, args[0], "argument of string.from_codes")) return V_ERROR;
  buf_init(&b, vm);
  while (!b.failed && (more = iter_next(&it, &item)) > 0) {
    int64_t code;
    char bytes[4];
    if (!arg_int(vm, item, "code in string.from_codes", &code)) break;
    if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      vm_throw(vm, ERR_VALUE, "string.from_codes: %lld is not a code point", (long long)code);
      break;
    }
    buf_add(&b, bytes, utf8_encode((uint32_t)code, bytes));
    if (!vm_poll_at(vm, ++n, &next)) break;
  }
  if (more == 0) return buf_finish(&b);
  buf_free(&b);
  return V_ERROR;
}

static Value string_from_bytes(ox_VM *vm, Value *args, int nargs) {
  Iter it;
  Value item;
  Buf b;
  int more = 0;
  uint64_t n = 0, next = POLL_EVERY;
  (void)nargs;
  if (!iter_open(&it, vm, args[0], "argument of string.from_bytes")) return V_ERROR;
  buf_init(&b, vm);
  while (!b.failed && (more = iter_next(&it, &item)) > 0) {
    if (v_index(item) > 255) {
      Value shown = value_repr(vm, item);
      String *text = shown == V_ERROR ? NULL : string_flat(vm, shown);
      if (text) vm_throw(vm, ERR_VALUE, "string.from_bytes: %.40s is no byte", text->chars);
      break;
    }
    buf_putc(&b, (char)v_int(item));
    if (!vm_poll_at(vm, ++n, &next)) break;
  }
  if (more == 0) return buf_finish(&b);
  buf_free(&b);
  return V_ERROR;
}

static const NativeDef module_defs[] = {
    NATIVE("join", list_join, "join(list, sep = \"\") -> string",
           "The elements as str shows them, sep between them."),
    NATIVE("from_codes", string_from_codes, "from_codes(codes) -> string",
           "The string of these code points; throws for what is none."),
    NATIVE("from_bytes", string_from_bytes, "from_bytes(bytes) -> string",
           "The string of these bytes, which need not be valid UTF-8; throws unless 0 to 255."),
};

static bool add_methods(ox_VM *vm, Value exports) {
  return registry_export_all(vm, &methods_string, exports);
}

const ModuleDef module_string = {
    "string", "Making strings; also all methods of strings, string.upper(s).", module_defs,
    LIB_COUNT(module_defs), -1, add_methods};
