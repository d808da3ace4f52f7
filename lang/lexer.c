/* The lexer reads the whole text into one array of tokens before the parser starts: the parser
 * can then look ahead as far as it likes, and step over a bracket's whole content when it
 * recovers from an error.
 *
 * What needs care:
 * - Newlines are no tokens. Each token says whether it is the first on its line; whether that
 *   ends a statement is the parser's business.
 * - A stack of open brackets pairs each `(`, `[` and `{` with its closer. The `${` of an
 *   interpolation is on the same stack, so that a `}` is known to end it and the string goes on.
 *   A closer that does not fit the top closes the nearest fitting bracket below; the ones
 *   between stay unclosed, and the parser reports them.
 * - The pieces of a string are decoded when its end is found, since the indent to strip from a
 *   triple-quoted one depends on all of its lines. Until then a piece's token holds the index of
 *   the piece before it.
 * - A block of `#` lines directly above a token is remembered as its documentation.
 */
#include "lexer.h"

#include <string.h>

#include "literal.h"
#include "utf8.h"

/* How far down a closer looks for its opener: more than can be nested in a program that
 * parses, few enough that a megabyte of brackets is no attack. */
enum { MAX_SEARCH = 2 * AST_MAX_NESTING };

typedef struct OpenBracket {
  uint8_t kind; /* TOKEN_LPAREN, _LBRACKET, _LBRACE, or TOKEN_STRING_HEAD for `${` */
  bool is_triple;
  uint32_t token; /* the bracket; of an interpolation the piece before it */
} OpenBracket;

typedef struct Lexer {
  Arena *arena;
  NameTable *names;
  const Source *source;
  Diags *diags;
  const char *text;
  uint32_t pos, end;
  TokenList *list;
  size_t token_capacity, doc_capacity;
  OpenBracket *open;
  size_t open_count, open_capacity;
  uint32_t interpolation_count; /* open `${` */
  bool newline_before;          /* a line began since the last token */
  bool line_is_empty;           /* nothing, not even a comment, on this line so far */
  bool error_on_line;           /* an error was reported on this line */
  bool has_doc;                 /* `doc` is a block of comment lines that ends on the line above */
  Span doc;
} Lexer;

static Diag *lexer_error(Lexer *lexer, uint32_t start, uint32_t end, const char *message) {
  lexer->error_on_line = true;
  return diag_error(lexer->diags, lexer->source, (Span){start, end}, "%s", message);
}

static char peek(const Lexer *lexer, uint32_t ahead) {
  return lexer->end - lexer->pos > ahead ? lexer->text[lexer->pos + ahead] : '\0';
}

/* ---- tokens ----------------------------------------------------------------------------- */

static Token *add_token(Lexer *lexer, TokenKind kind, uint32_t start) {
  TokenList *list = lexer->list;
  if (list->count == lexer->token_capacity) {
    Token *grown = arena_grow(lexer->arena, list->items, &lexer->token_capacity, 0, sizeof(Token));
    if (!grown) return ARENA_NEW(lexer->arena, Token);
    list->items = grown;
  }
  Token *token = &list->items[list->count++];
  *token = (Token){
      .kind = (uint8_t)kind, .newline_before = lexer->newline_before, .span = {start, lexer->pos}};
  lexer->newline_before = false;
  lexer->line_is_empty = false;
  return token;
}

static void add_doc(Lexer *lexer) {
  TokenList *list = lexer->list;
  if (list->doc_count == lexer->doc_capacity) {
    DocComment *grown =
        arena_grow(lexer->arena, list->docs, &lexer->doc_capacity, 0, sizeof(DocComment));
    if (!grown) return;
    list->docs = grown;
  }
  list->docs[list->doc_count++] = (DocComment){list->count, lexer->doc};
}

/* ---- brackets --------------------------------------------------------------------------- */

static void push_open(Lexer *lexer, OpenBracket bracket) {
  if (lexer->open_count == lexer->open_capacity) {
    OpenBracket *grown =
        arena_grow(lexer->arena, lexer->open, &lexer->open_capacity, 0, sizeof(OpenBracket));
    if (!grown) return;
    lexer->open = grown;
  }
  lexer->open[lexer->open_count++] = bracket;
  lexer->interpolation_count += bracket.kind == TOKEN_STRING_HEAD;
}

static void truncate_open(Lexer *lexer, size_t count) {
  while (lexer->open_count > count)
    lexer->interpolation_count -= lexer->open[--lexer->open_count].kind == TOKEN_STRING_HEAD;
}

static bool closes(TokenKind closer, uint8_t opener) {
  if (closer == TOKEN_RPAREN) return opener == TOKEN_LPAREN;
  if (closer == TOKEN_RBRACKET) return opener == TOKEN_LBRACKET;
  return opener == TOKEN_LBRACE || opener == TOKEN_STRING_HEAD;
}

/* Index + 1 of the open bracket that `closer` closes, 0 for none. Only `}` looks past braces:
 * a stray `)` within a block must not reach out of it. */
static size_t find_opener(const Lexer *lexer, TokenKind closer) {
  size_t lowest = lexer->open_count > MAX_SEARCH ? lexer->open_count - MAX_SEARCH : 0;
  for (size_t i = lexer->open_count; i > lowest; i--) {
    uint8_t kind = lexer->open[i - 1].kind;
    if (closes(closer, kind)) return i;
    if (kind == TOKEN_LBRACE || kind == TOKEN_STRING_HEAD) return 0;
  }
  return 0;
}

/* ---- strings ---------------------------------------------------------------------------- */

typedef enum PieceEnd { PIECE_QUOTE, PIECE_INTERPOLATION, PIECE_BROKEN } PieceEnd;

static bool at_quotes(const Lexer *lexer, bool is_triple) {
  if (peek(lexer, 0) != '"') return false;
  return !is_triple || (peek(lexer, 1) == '"' && peek(lexer, 2) == '"');
}

static bool at_line_end(const Lexer *lexer) {
  return lexer->pos < lexer->end && (peek(lexer, 0) == '\n' || peek(lexer, 0) == '\r');
}

/* Moves behind what ends the piece of a string that begins at `pos`. */
static PieceEnd find_piece_end(Lexer *lexer, bool is_triple) {
  while (lexer->pos < lexer->end) {
    if (at_quotes(lexer, is_triple)) {
      lexer->pos += is_triple ? 3 : 1;
      return PIECE_QUOTE;
    }
    if (peek(lexer, 0) == '$' && peek(lexer, 1) == '{') {
      lexer->pos += 2;
      return PIECE_INTERPOLATION;
    }
    if (at_line_end(lexer) && !is_triple) return PIECE_BROKEN;
    bool is_escape = peek(lexer, 0) == '\\';
    lexer->pos++;
    if (is_escape && lexer->pos < lexer->end && (is_triple || !at_line_end(lexer))) lexer->pos++;
  }
  return PIECE_BROKEN;
}

/* The bytes of a piece between its delimiters. */
static Span piece_content(const Token *piece, bool is_triple, bool is_broken) {
  uint32_t quotes = is_triple ? 3 : 1;
  bool is_first = piece->kind == TOKEN_STRING || piece->kind == TOKEN_STRING_HEAD;
  bool is_last = piece->kind == TOKEN_STRING || piece->kind == TOKEN_STRING_TAIL;
  Span content = piece->span;
  content.start += is_first ? quotes : 1;
  if (is_last) content.end -= is_broken ? 0 : quotes;
  else content.end -= 2;
  return content;
}

static bool is_first_piece(const Token *piece) {
  return piece->kind == TOKEN_STRING || piece->kind == TOKEN_STRING_HEAD;
}

/* Replaces the links between the pieces of a string, from its last one on, by their texts. */
static void decode_pieces(Lexer *lexer, uint32_t last, bool is_triple, bool is_broken) {
  Token *tokens = lexer->list->items;
  Indent indent = {0};
  for (uint32_t i = last; is_triple; i = tokens[i].closer) {
    literal_measure_indent(lexer->source, piece_content(&tokens[i], true, is_broken), &indent);
    if (is_first_piece(&tokens[i])) break;
  }
  for (uint32_t i = last, previous;; i = previous) {
    bool is_first = is_first_piece(&tokens[i]);
    previous = tokens[i].closer;
    tokens[i].text = literal_read_text(lexer->diags, lexer->source,
                                       piece_content(&tokens[i], is_triple, is_broken),
                                       is_triple ? &indent : NULL, is_first);
    if (is_first) break;
  }
}

/* The `${` of the innermost open interpolation. */
static Span interpolation_start(const Lexer *lexer) {
  size_t i = lexer->open_count;
  while (lexer->open[i - 1].kind != TOKEN_STRING_HEAD) i--;
  uint32_t end = lexer->list->items[lexer->open[i - 1].token].span.end;
  return (Span){end - 2, end};
}

static void report_unclosed_string(Lexer *lexer, uint32_t start, bool is_triple) {
  uint32_t line_end = start;
  while (line_end < lexer->pos && lexer->text[line_end] != '\n' && lexer->text[line_end] != '\r')
    line_end++;
  Diag *diag = lexer_error(lexer, start, line_end, "this string is not closed");
  if (is_triple) lexer->list->is_open_ended = true;
  else if (lexer->interpolation_count)
    diag_related(lexer->diags, diag, lexer->source, interpolation_start(lexer),
                 "it is inside the interpolation that starts here");
  else
    diag_hint(lexer->diags, diag,
              "it ends with `\"` on the same line; text of several lines stands in \"\"\"");
}

/* Reads a piece whose token starts at `start`; `previous` is the index of the piece before, or
 * TOKEN_UNCLOSED for the first. */
static void scan_piece(Lexer *lexer, uint32_t start, uint32_t previous, bool is_triple) {
  PieceEnd end = find_piece_end(lexer, is_triple);
  bool is_first = previous == TOKEN_UNCLOSED;
  TokenKind kind = is_first ? TOKEN_STRING : TOKEN_STRING_TAIL;
  if (end == PIECE_INTERPOLATION) kind = is_first ? TOKEN_STRING_HEAD : TOKEN_STRING_MIDDLE;
  uint32_t index = lexer->list->count;
  Token *token = add_token(lexer, kind, start);
  token->closer = previous;
  token->is_broken = end == PIECE_BROKEN;
  if (lexer->arena->oom) return;
  if (end == PIECE_INTERPOLATION) {
    push_open(lexer, (OpenBracket){TOKEN_STRING_HEAD, is_triple, index});
    return;
  }
  if (end == PIECE_BROKEN) report_unclosed_string(lexer, start, is_triple);
  decode_pieces(lexer, index, is_triple, end == PIECE_BROKEN);
}

static void scan_string(Lexer *lexer) {
  uint32_t start = lexer->pos;
  bool is_triple = at_quotes(lexer, true);
  lexer->pos += is_triple ? 3 : 1;
  scan_piece(lexer, start, TOKEN_UNCLOSED, is_triple);
}

/* 'text': reported, and taken for a string, as that is what was meant. */
static void scan_single_quoted(Lexer *lexer) {
  uint32_t start = lexer->pos++;
  while (lexer->pos < lexer->end && peek(lexer, 0) != '\'' && !at_line_end(lexer)) lexer->pos++;
  bool is_closed = peek(lexer, 0) == '\'';
  uint32_t end = lexer->pos;
  lexer->pos += is_closed;
  Text *text = ARENA_NEW(lexer->arena, Text);
  text->chars = lexer->text + start + 1;
  text->len = end - start - 1;
  diag_hint(lexer->diags,
            lexer_error(lexer, start, is_closed ? lexer->pos : start + 1,
                        "a string stands in double quotes"),
            "write \"...\" instead of '...'");
  add_token(lexer, TOKEN_STRING, start)->text = text;
}

/* Ends the innermost string with an open interpolation as if its closing quotes were here. */
static void abandon_string(Lexer *lexer) {
  size_t i = lexer->open_count;
  while (lexer->open[i - 1].kind != TOKEN_STRING_HEAD) i--;
  OpenBracket string = lexer->open[i - 1];
  truncate_open(lexer, i - 1);
  if (string.is_triple) lexer->list->is_open_ended = true; /* only the end of the text does it */
  uint32_t index = lexer->list->count;
  add_token(lexer, TOKEN_STRING_TAIL, lexer->pos)->closer = string.token;
  if (lexer->arena->oom) return;
  lexer->list->items[index].span.start--; /* the brace that should be there */
  decode_pieces(lexer, index, string.is_triple, true);
}

/* A line, or the text, ends inside `${ ... }`. A string of one line ends with it; one in triple
 * quotes goes on behind the brace. */
static void break_interpolation(Lexer *lexer) {
  size_t i = lexer->open_count;
  while (lexer->open[i - 1].kind != TOKEN_STRING_HEAD) i--;
  OpenBracket string = lexer->open[i - 1];
  if (!lexer->error_on_line) {
    Diag *diag = lexer_error(lexer, lexer->pos, lexer->pos,
                             "an interpolation must be closed on the line where it starts");
    diag_related(lexer->diags, diag, lexer->source, interpolation_start(lexer), "opened here");
  }
  if (!string.is_triple) abandon_string(lexer);
}

/* ---- blanks, comments, lines ------------------------------------------------------------ */

static void note_line_end(Lexer *lexer) {
  TokenList *list = lexer->list;
  if (lexer->line_is_empty) {
    if (lexer->has_doc && list->count == 0 && list->head_doc.end == 0) list->head_doc = lexer->doc;
    lexer->has_doc = false;
  }
  lexer->newline_before = true;
  lexer->line_is_empty = true;
  lexer->error_on_line = false;
}

static void skip_line_comment(Lexer *lexer) {
  uint32_t start = lexer->pos;
  while (lexer->pos < lexer->end && !at_line_end(lexer)) lexer->pos++;
  if (!lexer->newline_before || !lexer->line_is_empty) {
    lexer->has_doc = false;
  } else {
    lexer->doc = (Span){lexer->has_doc ? lexer->doc.start : start, lexer->pos};
    lexer->has_doc = true;
  }
  lexer->line_is_empty = false;
}

static void skip_line_end(Lexer *lexer) {
  if (lexer->interpolation_count) break_interpolation(lexer);
  if (peek(lexer, 0) == '\r' && peek(lexer, 1) == '\n') lexer->pos++;
  lexer->pos++;
  note_line_end(lexer);
}

/* `#[ ... ]#`, with others inside; counted, not recursed into. */
static void skip_block_comment(Lexer *lexer) {
  uint32_t start = lexer->pos;
  uint32_t depth = 0;
  lexer->has_doc = false;
  lexer->line_is_empty = false;
  do {
    if (peek(lexer, 0) == '#' && peek(lexer, 1) == '[') {
      depth++;
      lexer->pos += 2;
    } else if (peek(lexer, 0) == ']' && peek(lexer, 1) == '#') {
      depth--;
      lexer->pos += 2;
    } else {
      if (at_line_end(lexer)) lexer->newline_before = true;
      lexer->pos++;
    }
  } while (depth > 0 && lexer->pos < lexer->end);
  if (depth == 0) return;
  lexer->list->is_open_ended = true;
  diag_hint(lexer->diags, lexer_error(lexer, start, start + 2, "this comment is not closed"),
            "a block comment ends with ]#, and each #[ within it needs its own");
}

static void skip_comment(Lexer *lexer) {
  if (lexer->interpolation_count) {
    uint32_t start = lexer->pos;
    lexer_error(lexer, start, start + 1, "a comment cannot stand inside an interpolation");
    while (lexer->pos < lexer->end && !at_line_end(lexer)) lexer->pos++;
  } else if (peek(lexer, 1) == '[') {
    skip_block_comment(lexer);
  } else {
    skip_line_comment(lexer);
  }
}

/* Moves to the next token. */
static void skip_blanks(Lexer *lexer) {
  while (lexer->pos < lexer->end) {
    char c = lexer->text[lexer->pos];
    if (c == ' ' || c == '\t') lexer->pos++;
    else if (c == '\n' || c == '\r') skip_line_end(lexer);
    else if (c == '#') skip_comment(lexer);
    else return;
  }
}

/* ---- names, numbers, punctuation -------------------------------------------------------- */

static bool is_ascii_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

/* Code points above ASCII that are no part of a name: signs, blanks, punctuation, arrows,
 * mathematical and other symbols, private use. All others are. */
static bool is_name_code(uint32_t code) {
  static const struct {
    uint32_t first, last;
  } excluded[] = {{0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},       {0xBB, 0xBF},
                  {0xD7, 0xD7},     {0xF7, 0xF7},     {0x2000, 0x206F},   {0x2190, 0x2BFF},
                  {0x3000, 0x3003}, {0x3008, 0x3020}, {0xE000, 0xF8FF},   {0xFE10, 0xFE6F},
                  {0xFEFF, 0xFF0F}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF}};
  for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++) {
    if (code >= excluded[i].first && code <= excluded[i].last) return false;
  }
  return true;
}

/* Length of the name character at `pos`, 0 where there is none. */
static uint32_t name_char_len(const Lexer *lexer) {
  char c = peek(lexer, 0);
  uint32_t code;
  if (is_ascii_letter(c) || is_ascii_digit(c) || c == '_') return 1;
  if ((unsigned char)c < 0x80) return 0;
  unsigned len = utf8_decode(lexer->text + lexer->pos, lexer->end - lexer->pos, &code);
  return len && is_name_code(code) ? len : 0;
}

static void skip_name_chars(Lexer *lexer) {
  uint32_t len;
  while ((len = name_char_len(lexer)) > 0) lexer->pos += len;
}

static void scan_name(Lexer *lexer) {
  uint32_t start = lexer->pos;
  skip_name_chars(lexer);
  const char *chars = lexer->text + start;
  size_t len = lexer->pos - start;
  Token *token = add_token(lexer, token_find_keyword(chars, len), start);
  token->name = names_intern(lexer->names, chars, len);
}

/* A word that starts with a digit, with at most one point and a signed exponent in it; what is
 * in the word is judged by literal.c. */
static void scan_number(Lexer *lexer) {
  uint32_t start = lexer->pos;
  bool has_prefix =
      peek(lexer, 0) == '0' && is_ascii_letter(peek(lexer, 1)) && (peek(lexer, 1) | 0x20) != 'e';
  skip_name_chars(lexer);
  if (!has_prefix && peek(lexer, 0) == '.' && is_ascii_digit(peek(lexer, 1))) {
    lexer->pos++;
    skip_name_chars(lexer);
  }
  bool has_exponent = !has_prefix && (lexer->text[lexer->pos - 1] | 0x20) == 'e';
  bool has_sign = peek(lexer, 0) == '+' || peek(lexer, 0) == '-';
  if (has_exponent && has_sign && is_ascii_digit(peek(lexer, 1))) {
    lexer->pos++;
    skip_name_chars(lexer);
  }
  literal_read_number(lexer->diags, lexer->source, add_token(lexer, TOKEN_INT, start));
}

static void close_bracket(Lexer *lexer, TokenKind kind) {
  uint32_t start = lexer->pos++;
  size_t found = find_opener(lexer, kind);
  OpenBracket opener = found ? lexer->open[found - 1] : (OpenBracket){0};
  if (found) truncate_open(lexer, found - 1);
  if (found && opener.kind == TOKEN_STRING_HEAD) {
    scan_piece(lexer, start, opener.token, opener.is_triple);
    return;
  }
  uint32_t index = lexer->list->count;
  add_token(lexer, kind, start)->closer = TOKEN_UNCLOSED;
  if (found && !lexer->arena->oom) lexer->list->items[opener.token].closer = index;
}

static void open_bracket(Lexer *lexer, TokenKind kind) {
  uint32_t start = lexer->pos++;
  uint32_t index = lexer->list->count;
  add_token(lexer, kind, start)->closer = TOKEN_UNCLOSED;
  push_open(lexer, (OpenBracket){(uint8_t)kind, false, index});
}

static const char *stray_hint(uint32_t code) {
  if (code >= 0x2018 && code <= 0x201F) return "strings stand in plain double quotes: \"...\"";
  if (code == 0xA0 || (code >= 0x2000 && code <= 0x200F) || code == 0x3000 || code == 0xFEFF)
    return "it looks like a blank: type a plain one";
  if (code == 0x2212 || code == 0x2013 || code == 0x2014) return "write - for a minus";
  if (code == '`') return "a string stands in double quotes: \"...\"";
  if (code == '\\') return "a line goes on by itself where a bracket or an operator is open";
  if (code == '$') return "a name has no sign before it; `${...}` stands only in strings";
  if (code == 0xD7) return "write * to multiply";
  return NULL;
}

static void report_stray(Lexer *lexer, uint32_t start, uint32_t code) {
  Span span = {start, lexer->pos};
  Diag *diag;
  if (code < 0x20 || code == 0x7F)
    diag =
        diag_error(lexer->diags, lexer->source, span, "unexpected control character U+%04X", code);
  else
    diag = diag_error(lexer->diags, lexer->source, span, "unexpected character `%.*s` (U+%04X)",
                      (int)(span.end - start), lexer->text + start, code);
  if (stray_hint(code)) diag_hint(lexer->diags, diag, "%s", stray_hint(code));
  lexer->error_on_line = true;
}

/* A character no token starts with; one error a line will do. What is not UTF-8 was reported by
 * check_utf8. */
static void scan_stray(Lexer *lexer) {
  uint32_t start = lexer->pos, code = 0;
  unsigned len = utf8_decode(lexer->text + start, lexer->end - start, &code);
  lexer->pos += len ? len : 1;
  if (len && !lexer->error_on_line) report_stray(lexer, start, code);
  add_token(lexer, TOKEN_ERROR, start);
}

static void scan_punctuation(Lexer *lexer) {
  size_t len;
  TokenKind kind = token_find_punctuation(lexer->text + lexer->pos, &len);
  switch (kind) {
    case TOKEN_LPAREN:
    case TOKEN_LBRACKET:
    case TOKEN_LBRACE: open_bracket(lexer, kind); return;
    case TOKEN_RPAREN:
    case TOKEN_RBRACKET:
    case TOKEN_RBRACE: close_bracket(lexer, kind); return;
    case TOKEN_ERROR: scan_stray(lexer); return;
    default: lexer->pos += (uint32_t)len; add_token(lexer, kind, lexer->pos - (uint32_t)len);
  }
}

static void scan_token(Lexer *lexer) {
  char c = peek(lexer, 0);
  if (lexer->has_doc && lexer->newline_before && lexer->line_is_empty) add_doc(lexer);
  lexer->has_doc = false;
  if (is_ascii_digit(c)) scan_number(lexer);
  else if (c == '"') scan_string(lexer);
  else if (c == '\'') scan_single_quoted(lexer);
  else if (name_char_len(lexer)) scan_name(lexer);
  else scan_punctuation(lexer);
}

/* Strings and comments are not looked at byte by byte, so their UTF-8 is checked here, up to
 * the first fault. */
static void check_utf8(Lexer *lexer) {
  uint32_t code;
  for (uint32_t i = lexer->source->start; i < lexer->end;) {
    unsigned len = utf8_decode(lexer->text + i, lexer->end - i, &code);
    if (!len) {
      diag_hint(lexer->diags,
                diag_error(lexer->diags, lexer->source, (Span){i, i + 1},
                           "the text is not valid UTF-8 here (byte 0x%02X)",
                           (unsigned char)lexer->text[i]),
                "save the file as UTF-8; in a string any byte can be written \\xHH");
      return;
    }
    i += len;
  }
}

void lexer_scan(Arena *arena, NameTable *names, const Source *source, Diags *diags,
                TokenList *list) {
  Lexer lexer = {.arena = arena, .names = names, .source = source, .diags = diags};
  memset(list, 0, sizeof *list);
  lexer.list = list;
  lexer.text = source->text;
  lexer.pos = source->start;
  lexer.end = source->len;
  lexer.newline_before = lexer.line_is_empty = true;
  check_utf8(&lexer);
  for (skip_blanks(&lexer); lexer.pos < lexer.end && !arena->oom; skip_blanks(&lexer))
    scan_token(&lexer);
  if (lexer.interpolation_count && !arena->oom) break_interpolation(&lexer);
  while (lexer.interpolation_count && !arena->oom) abandon_string(&lexer);
  add_token(&lexer, TOKEN_EOF, lexer.pos);
}
