/* Numbers are taken from the source as words (all letters, digits and underscores up to the next
 * sign), and judged here, so that `12ab` or `0b2` is one error about one number.
 *
 * Strings are read in pieces between their interpolations. In a triple-quoted one the lines share
 * an indent, the longest run of blanks and tabs that each line which is not empty starts with, and
 * lose it. The line of the closing quotes counts, so that moving them to the left keeps some; what
 * stands on the line of the opening quotes does not.
 */
#include "literal.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* ---- numbers ---------------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* strtod is correctly rounded in the C libraries we build on, but reads the locale's decimal
 * point: so it is called with the "C" locale for this thread only. */
static double read_double(const char *text) {
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c_locale == (locale_t)0) return strtod(text, NULL);
  locale_t previous = uselocale(c_locale);
  double value = strtod(text, NULL);
  uselocale(previous);
  freelocale(c_locale);
  return value;
}

/* Behind the digits at `i`. */
static size_t skip_digits(const char *chars, size_t len, size_t i) {
  while (i < len && is_digit(chars[i])) i++;
  return i;
}

/* digits [. digits] [e [+-] digits], the whole of it. */
static bool is_decimal(const char *chars, size_t len) {
  size_t i = skip_digits(chars, len, 0);
  if (i == 0) return false;
  if (i < len && chars[i] == '.') {
    size_t fraction = i + 1;
    i = skip_digits(chars, len, fraction);
    if (i == fraction) return false;
  }
  if (i < len && (chars[i] == 'e' || chars[i] == 'E')) {
    size_t exponent = i + 1;
    if (exponent < len && (chars[exponent] == '+' || chars[exponent] == '-')) exponent++;
    i = skip_digits(chars, len, exponent);
    if (i == exponent) return false;
  }
  return i == len;
}

bool literal_read_float(Arena *arena, const char *chars, size_t len, double *value) {
  if (!is_decimal(chars, len)) return false;
  const char *text = arena_string(arena, chars, len);
  if (arena->oom) return false;
  *value = read_double(text);
  return true;
}

typedef struct NumberReader {
  Diags *diags;
  const Source *source;
  Token *token;
  char *digits; /* the literal without underscores and prefix */
  size_t len;
} NumberReader;

static Diag *number_error(NumberReader *reader, const char *message) {
  return diag_error(reader->diags, reader->source, reader->token->span, "%s", message);
}

static unsigned digit_value(char c) {
  if (is_digit(c)) return (unsigned)(c - '0');
  if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A' + 10);
  return 99;
}

/* Copies the word without underscores; false where one is not between two digits. */
static bool collect_digits(NumberReader *reader, const char *word, size_t len, unsigned base) {
  reader->digits = arena_array(reader->diags->arena, len + 1, 1);
  if (!reader->digits) return false;
  for (size_t i = 0; i < len; i++) {
    if (word[i] != '_') {
      reader->digits[reader->len++] = word[i];
      continue;
    }
    bool between =
        i > 0 && i + 1 < len && digit_value(word[i - 1]) < base && digit_value(word[i + 1]) < base;
    if (!between) {
      number_error(reader, "an underscore in a number stands between two digits");
      return false;
    }
  }
  return true;
}

/* Values up to 2^63 pass; whether a minus stands before 2^63 is for the parser to see. */
static void read_integer(NumberReader *reader, unsigned base, const char *kind) {
  const uint64_t limit = (uint64_t)1 << 63; /* allowed here for the sake of -2^63 */
  uint64_t value = 0;
  if (reader->len == 0) {
    number_error(reader, "a number has no digits after its prefix");
    return;
  }
  for (size_t i = 0; i < reader->len; i++) {
    unsigned digit = digit_value(reader->digits[i]);
    if (digit >= base) {
      diag_error(reader->diags, reader->source, reader->token->span,
                 "`%c` is not a digit of %s number", reader->digits[i], kind);
      return;
    }
    if (__builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value) || value > limit ||
        (value == limit && base != 10)) {
      diag_hint(reader->diags, number_error(reader, "this number does not fit a 64-bit int"),
                "the largest int is 9223372036854775807; a float is written with a point or "
                "an exponent");
      return;
    }
  }
  reader->token->integer = value;
}

/* A number with such a prefix. */
static void read_prefixed(NumberReader *reader, const char *word, size_t len) {
  static const struct {
    char letter;
    unsigned base;
    const char *kind;
  } prefixes[] = {{'x', 16, "a hexadecimal"}, {'o', 8, "an octal"}, {'b', 2, "a binary"}};
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    if ((word[1] | 0x20) != prefixes[i].letter) continue;
    if (collect_digits(reader, word + 2, len - 2, prefixes[i].base))
      read_integer(reader, prefixes[i].base, prefixes[i].kind);
  }
}

/* 0x, 0o or 0b */
static bool has_prefix(const char *word, size_t len) {
  return len >= 2 && word[0] == '0' && strchr("xXoObB", word[1]) != NULL;
}

static void read_decimal_float(NumberReader *reader) {
  double value = 0;
  if (!literal_read_float(reader->diags->arena, reader->digits, reader->len, &value)) {
    if (!reader->diags->arena->oom) number_error(reader, "this number lacks digits");
  } else if (isinf(value)) {
    diag_hint(reader->diags, number_error(reader, "this number is too large for a float"),
              "the largest is 1.7976931348623157e308");
  } else {
    reader->token->number = value;
  }
}

static void read_decimal(NumberReader *reader, const char *word, size_t len) {
  if (!collect_digits(reader, word, len, 10)) return;
  if (skip_digits(reader->digits, reader->len, 0) > 1 && reader->digits[0] == '0') {
    diag_hint(reader->diags, number_error(reader, "a number does not start with 0"),
              "octal numbers are written 0o17");
    return;
  }
  if (reader->token->kind == TOKEN_FLOAT) read_decimal_float(reader);
  else read_integer(reader, 10, "a decimal");
}

/* Letters that make a float of a decimal word: `1.5`, `1e3`, but not `1x`. */
static bool looks_float(const char *word, size_t len) {
  for (size_t i = skip_digits(word, len, 0); i < len; i++) {
    if (word[i] == '.' || word[i] == 'e' || word[i] == 'E') return true;
    if (word[i] != '_' && !is_digit(word[i])) return false;
  }
  return false;
}

void literal_read_number(Diags *diags, const Source *source, Token *token) {
  NumberReader reader = {diags, source, token, NULL, 0};
  const char *word = source->text + token->span.start;
  size_t len = token->span.end - token->span.start;
  token->kind = TOKEN_INT;
  token->integer = 0;
  if (has_prefix(word, len)) {
    read_prefixed(&reader, word, len);
    return;
  }
  if (looks_float(word, len)) {
    token->kind = TOKEN_FLOAT;
    token->number = 0;
  }
  read_decimal(&reader, word, len);
}

/* ---- strings ---------------------------------------------------------------------------- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_line_end(char c) { return c == '\n' || c == '\r'; }

static uint32_t skip_blanks(const char *text, uint32_t i, uint32_t end) {
  while (i < end && is_blank(text[i])) i++;
  return i;
}

/* Behind the line ending at `i`, CR LF being one. */
static uint32_t skip_line_end(const char *text, uint32_t i, uint32_t end) {
  if (text[i] == '\r' && i + 1 < end && text[i + 1] == '\n') return i + 2;
  return i + 1;
}

/* Takes in a line that starts with the blanks start..end. */
static void narrow_indent(const char *text, uint32_t start, uint32_t end, Indent *indent) {
  Span *prefix = &indent->prefix;
  if (!indent->known) *prefix = (Span){start, end};
  indent->known = true;
  uint32_t common = 0;
  while (prefix->start + common < prefix->end && start + common < end &&
         text[prefix->start + common] == text[start + common])
    common++;
  prefix->end = prefix->start + common;
}

void literal_measure_indent(const Source *source, Span raw, Indent *indent) {
  const char *text = source->text;
  for (uint32_t i = raw.start; i < raw.end;) {
    if (!is_line_end(text[i])) {
      i += text[i] == '\\' && i + 1 < raw.end ? 2 : 1;
      continue;
    }
    uint32_t start = skip_line_end(text, i, raw.end);
    i = skip_blanks(text, start, raw.end);
    bool is_empty = i < raw.end && is_line_end(text[i]);
    if (!is_empty) narrow_indent(text, start, i, indent);
  }
}

typedef struct TextReader {
  Diags *diags;
  const Source *source;
  const char *text;
  uint32_t pos, end;
  char *out; /* never longer than the source of it */
  uint32_t len;
} TextReader;

/* Reports an escape that begins at `start`; it stands for nothing. */
static void escape_error(TextReader *reader, uint32_t start, uint32_t end, const char *message,
                         const char *hint) {
  if (end > reader->end) end = reader->end;
  Diag *diag = diag_error(reader->diags, reader->source, (Span){start, end}, "%s", message);
  if (hint) diag_hint(reader->diags, diag, "%s", hint);
}

/* `\xHH`, `pos` behind the x. */
static void read_byte_escape(TextReader *reader, uint32_t start) {
  unsigned high = 99, low = 99;
  if (reader->pos + 2 <= reader->end) {
    high = digit_value(reader->text[reader->pos]);
    low = digit_value(reader->text[reader->pos + 1]);
  }
  if (high > 15 || low > 15) {
    escape_error(reader, start, reader->pos, "`\\x` takes two hexadecimal digits", NULL);
    return;
  }
  reader->out[reader->len++] = (char)(high << 4 | low);
  reader->pos += 2;
}

/* `\u{H..}`, `pos` behind the u. */
static void read_code_escape(TextReader *reader, uint32_t start) {
  uint32_t i = reader->pos, code = 0, digits = 0;
  if (i < reader->end && reader->text[i] == '{') {
    for (i++; i < reader->end && digit_value(reader->text[i]) < 16 && digits < 7; i++, digits++)
      code = code << 4 | digit_value(reader->text[i]);
  }
  if (digits == 0 || i >= reader->end || reader->text[i] != '}') {
    escape_error(reader, start, i, "a code point is written \\u{1F600}", NULL);
  } else if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
    escape_error(reader, start, i + 1, "there is no such code point",
                 "they go up to 10FFFF, without D800 to DFFF");
    i++;
  } else {
    reader->len += utf8_encode(code, reader->out + reader->len);
    i++;
  }
  reader->pos = i;
}

/* At the backslash. What is written is never longer than the escape, so `out` cannot overflow. */
static void read_escape(TextReader *reader) {
  static const char letters[] = "ntr0e\"\\$";
  static const char values[] = "\n\t\r\0\x1b\"\\$";
  uint32_t start = reader->pos++;
  char letter = reader->pos < reader->end ? reader->text[reader->pos] : '\0';
  const char *found = letter ? strchr(letters, letter) : NULL;
  if (found) {
    reader->out[reader->len++] = values[found - letters];
    reader->pos++;
  } else if (letter == 'x') {
    reader->pos++;
    read_byte_escape(reader, start);
  } else if (letter == 'u') {
    reader->pos++;
    read_code_escape(reader, start);
  } else {
    escape_error(reader, start, start + 2, "unknown escape in a string",
                 "known are \\n \\t \\r \\0 \\e \\\" \\\\ \\$ \\xHH \\u{H}; a backslash is \\\\");
  }
}

/* A line break in a triple-quoted string: LF, and the indent of the next line goes. */
static void read_line_end(TextReader *reader, const Indent *indent) {
  reader->out[reader->len++] = '\n';
  reader->pos = skip_line_end(reader->text, reader->pos, reader->end);
  uint32_t content = skip_blanks(reader->text, reader->pos, reader->end);
  uint32_t strip = indent->prefix.end - indent->prefix.start;
  bool is_empty = content < reader->end && is_line_end(reader->text[content]);
  reader->pos = is_empty || content - reader->pos < strip ? content : reader->pos + strip;
}

const Text *literal_read_text(Diags *diags, const Source *source, Span raw, const Indent *indent,
                              bool is_first) {
  Text *result = ARENA_NEW(diags->arena, Text);
  TextReader reader = {diags, source, source->text, raw.start, raw.end, NULL, 0};
  result->chars = "";
  reader.out = arena_array(diags->arena, raw.end - raw.start, 1);
  if (!reader.out) return result;
  if (is_first && indent) {
    uint32_t first = skip_blanks(reader.text, reader.pos, reader.end);
    if (first < reader.end && is_line_end(reader.text[first])) {
      reader.pos = first;
      read_line_end(&reader, indent);
      reader.len = 0;
    }
  }
  while (reader.pos < reader.end) {
    char c = reader.text[reader.pos];
    if (c == '\\') read_escape(&reader);
    else if (indent && is_line_end(c)) read_line_end(&reader, indent);
    else reader.out[reader.len++] = reader.text[reader.pos++];
  }
  result->chars = reader.out;
  result->len = reader.len;
  return result;
}
