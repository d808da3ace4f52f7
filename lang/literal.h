/* The values of number and string literals. */
#ifndef OX_LANG_LITERAL_H
#define OX_LANG_LITERAL_H

#include "diag.h"
#include "token.h"

/* Reads the decimal floating-point number spelled by the whole of `len` bytes: digits, an
 * optional fraction and exponent; correctly rounded, whatever the process's locale. False where
 * the text is no such number or memory ran out; too large a number gives infinity. */
bool literal_read_float(Arena *arena, const char *chars, size_t len, double *value);

/* Fills in kind and value of a token that spells a number. Errors are reported, and leave a
 * usable 0. */
void literal_read_number(Diags *diags, const Source *source, Token *token);

/* What all lines of a triple-quoted string start with. */
typedef struct Indent {
  bool known;  /* a line was seen */
  Span prefix; /* blanks and tabs */
} Indent;

/* Takes the lines that begin within `raw`, one piece of a triple-quoted string, into account:
 * all but empty ones; that of the closing quotes counts. */
void literal_measure_indent(const Source *source, Span raw, Indent *indent);

/* The bytes that a piece of a string literal stands for. For a triple-quoted one `indent` is
 * what to strip from each line that begins in it, else NULL; `is_first`: the opening quotes
 * precede, and a line break right after them is dropped. */
const Text *literal_read_text(Diags *diags, const Source *source, Span raw, const Indent *indent,
                              bool is_first);

#endif
