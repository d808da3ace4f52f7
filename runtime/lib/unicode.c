/* unicode.c - letter case and normal forms of strings, on utf8proc. Built without it, case works
 * for ASCII letters and normalize throws. Broken bytes are kept as they are. */
#include "../../lang/utf8.h"
#include "../native.h"
#include "text.h"

#ifdef HAVE_UTF8PROC
#include <stdlib.h>
#include <utf8proc.h>
#endif

static String *self_of(ox_VM *vm, Value v) { return arg_string(vm, v, "self"); }

/* Counted as work, since all of a long text may have to be read. */
static bool is_ascii(ox_VM *vm, const String *s) {
  uint32_t i = 0;
  while (i < s->h.aux && (unsigned char)s->chars[i] < 0x80) i++;
  vm_charge(vm, i);
  return i == s->h.aux;
}

static char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }
static char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static Value map_ascii(ox_VM *vm, const String *s, char (*change)(char)) {
  char small[STRING_INTERN_MAX], *out = small;
  uint32_t n = s->h.aux;
  Value v = V_NIL;
  if (n > STRING_INTERN_MAX && (v = string_reserve(vm, n, &out)) == V_ERROR) return V_ERROR;
  uint64_t next = VM_WORK;
  for (uint32_t i = 0; i < n; i++) {
    out[i] = change(s->chars[i]);
    if (!vm_poll_at(vm, i, &next)) return V_ERROR;
  }
  return v == V_NIL ? string_new(vm, small, n) : v;
}

/* ---- per code point -------------------------------------------------------------------------- */

typedef struct Caser Caser;
struct Caser {
  Buf b;
  const String *s;
  uint32_t at, size;  /* the code point being written, and its length */
  bool in_word;       /* it follows a letter */
};

static void put_code(Buf *b, uint32_t code) {
  char bytes[4];
  buf_add(b, bytes, utf8_encode(code, bytes));
}

#ifdef HAVE_UTF8PROC

static bool is_letter(uint32_t code) {
  utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);
  return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

static uint32_t to_upper(uint32_t code) {
  return (uint32_t)utf8proc_toupper((utf8proc_int32_t)code);
}

static int decompose(uint32_t code, utf8proc_option_t options, utf8proc_int32_t *out, int cap) {
  int boundary = 0;
  utf8proc_ssize_t n =
      utf8proc_decompose_char((utf8proc_int32_t)code, out, cap, options, &boundary);
  return n > 0 && n <= cap ? (int)n : 0;
}

/* Letters whose capital takes several code points: sharp s, and those (ligatures, letters with
 * marks) that decompose and have no capital of their own. */
static void put_upper(Caser *c, uint32_t code) {
  utf8proc_int32_t parts[16];
  uint32_t upper = to_upper(code);
  if (code == 0xDF) {
    buf_puts(&c->b, "SS");
  } else if (upper != code || utf8proc_category((utf8proc_int32_t)code) != UTF8PROC_CATEGORY_LL) {
    put_code(&c->b, upper);
  } else {
    int n = decompose(code, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, parts, 16);
    if (n < 2) put_code(&c->b, code);
    for (int i = 0; n >= 2 && i < n; i++) put_code(&c->b, to_upper((uint32_t)parts[i]));
  }
}

static bool letter_follows(const Caser *c) {
  uint32_t code, next = c->at + c->size;
  if (next >= c->s->h.aux) return false;
  utf8_step(c->s->chars + next, c->s->h.aux - next, &code);
  return is_letter(code);
}

static void put_lower(Caser *c, uint32_t code) {
  if (code == 0x3A3) put_code(&c->b, c->in_word && !letter_follows(c) ? 0x3C2 : 0x3C3);
  else if (code == 0x130) buf_puts(&c->b, "i\xCC\x87");
  else put_code(&c->b, (uint32_t)utf8proc_tolower((utf8proc_int32_t)code));
}

static void put_title(Caser *c, uint32_t code) {
  if (c->in_word) put_lower(c, code);
  else if (code == 0xDF) buf_puts(&c->b, "Ss");
  else put_code(&c->b, (uint32_t)utf8proc_totitle((utf8proc_int32_t)code));
}

static void put_folded(Caser *c, uint32_t code) {
  utf8proc_int32_t parts[16];
  int n = decompose(code, UTF8PROC_CASEFOLD, parts, 16);
  if (n == 0) put_code(&c->b, code);
  for (int i = 0; i < n; i++) put_code(&c->b, (uint32_t)parts[i]);
}

#else

static bool is_letter(uint32_t code) {
  return (code | 32) >= 'a' && (code | 32) <= 'z' && code < 0x80;
}
static void put_upper(Caser *c, uint32_t code) {
  put_code(&c->b, code < 0x80 ? (uint32_t)ascii_upper((char)code) : code);
}
static void put_lower(Caser *c, uint32_t code) {
  put_code(&c->b, code < 0x80 ? (uint32_t)ascii_lower((char)code) : code);
}
static void put_title(Caser *c, uint32_t code) {
  if (c->in_word) put_lower(c, code);
  else put_upper(c, code);
}
static void put_folded(Caser *c, uint32_t code) { put_lower(c, code); }

#endif

/* Goes on with a word over an apostrophe or a mark between letters. */
static bool stays_in_word(const Caser *c, uint32_t code) {
  return is_letter(code) ||
         (c->in_word && (code == '\'' || code == 0x2019 || (code >= 0x300 && code < 0x370)));
}

static Value change_case(ox_VM *vm, const String *s, void (*put)(Caser *, uint32_t)) {
  Caser c = {.s = s};
  uint64_t next = VM_WORK / 8; /* slower than others */
  uint32_t code;
  buf_init(&c.b, vm);
  for (; c.at < s->h.aux && !c.b.failed; c.at += c.size) {
    c.size = utf8_step(s->chars + c.at, s->h.aux - c.at, &code);
    if (c.size == 1 && code == 0xFFFD) buf_putc(&c.b, s->chars[c.at]); /* a broken byte */
    else put(&c, code);
    c.in_word = stays_in_word(&c, code);
    if (!vm_poll_at(vm, c.at, &next)) c.b.failed = true;
  }
  return buf_finish(&c.b);
}

Value string_upper(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s) return V_ERROR;
  return is_ascii(vm, s) ? map_ascii(vm, s, ascii_upper) : change_case(vm, s, put_upper);
}

Value string_lower(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s) return V_ERROR;
  return is_ascii(vm, s) ? map_ascii(vm, s, ascii_lower) : change_case(vm, s, put_lower);
}

Value string_title(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  return s ? change_case(vm, s, put_title) : V_ERROR;
}

Value string_casefold(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s) return V_ERROR;
  return is_ascii(vm, s) ? map_ascii(vm, s, ascii_lower) : change_case(vm, s, put_folded);
}

/* ---- normal forms ---------------------------------------------------------------------------- */

#ifdef HAVE_UTF8PROC

/* A text is normalized piece by piece, cut where a new character as people see it begins: nothing
 * is composed or reordered over such a boundary. So the memory that it takes outside of the heap
 * stays small, the budget is charged and an interrupt noticed. Reordering marks takes time that
 * grows with the square of their number, so there may not be more than so many in a row. */
enum { PIECE = 4096, MARKS_MOST = 4096 };

static bool not_valid(ox_VM *vm) {
  vm_throw(vm, ERR_VALUE, "normalize: the string is not valid UTF-8");
  return false;
}

/* Where the piece from `at` on ends. False: error pending. */
static bool piece_end(ox_VM *vm, const String *s, uint32_t at, uint32_t *end) {
  utf8proc_int32_t state = 0, before = -1;
  uint32_t i = at, code, start = at; /* start: of the last character */
  while (i < s->h.aux) {
    unsigned size = utf8_decode(s->chars + i, s->h.aux - i, &code);
    if (!size) return not_valid(vm);
    utf8proc_int32_t now = (utf8proc_int32_t)code;
    if (before >= 0 && utf8proc_grapheme_break_stateful(before, now, &state)) start = i;
    if (start - at >= PIECE || (i - start > MARKS_MOST && start > at)) break;
    if (i - start > MARKS_MOST) {
      vm_throw(vm, ERR_LIMIT, "normalize: more than %d bytes of marks on one character", MARKS_MOST);
      return false;
    }
    before = now;
    i += size;
  }
  *end = i < s->h.aux ? start : i;
  return true;
}

static bool add_normalized(Buf *b, const char *s, uint32_t n, int options) {
  utf8proc_uint8_t *text = NULL;
  utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &text,
                                       (utf8proc_option_t)(options | UTF8PROC_STABLE));
  if (size >= 0) buf_add(b, (const char *)text, (size_t)size);
  else if (size == UTF8PROC_ERROR_NOMEM) vm_throw_oom(b->vm);
  else not_valid(b->vm);
  free(text);
  return size >= 0 && !b->failed && vm_poll(b->vm, 1 + n / 16);
}

static Value normalized(ox_VM *vm, const String *s, int options) {
  Buf b;
  buf_init(&b, vm);
  for (uint32_t at = 0, end; at < s->h.aux; at = end) {
    if (piece_end(vm, s, at, &end) && add_normalized(&b, s->chars + at, end - at, options)) continue;
    buf_free(&b);
    return V_ERROR;
  }
  return buf_finish(&b);
}

static int form_options(const char *form) {
  static const struct { const char *name; int options; } forms[] = {
      {"NFC", UTF8PROC_COMPOSE},
      {"NFD", UTF8PROC_DECOMPOSE},
      {"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
      {"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    if (strcmp(forms[i].name, form) == 0) return forms[i].options;
  return -1;
}

Value string_normalize(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = self_of(vm, args[0]);
  if (!s) return V_ERROR;
  const char *form = "NFC";
  if (arg_given(args, 1)) {
    String *given = arg_string(vm, args[1], "form of normalize");
    if (!given) return V_ERROR;
    form = given->chars;
  }
  int options = form_options(form);
  if (options >= 0) return is_ascii(vm, s) ? args[0] : normalized(vm, s, options);
  return vm_throw(vm, ERR_VALUE, "form of normalize must be NFC, NFD, NFKC or NFKD, not %.20s",
                  form);
}

#else

Value string_normalize(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  return vm_throw(vm, ERR_SYSTEM, "normalize: this Oxbow was built without utf8proc");
}

#endif
