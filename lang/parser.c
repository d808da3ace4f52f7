/* The parser: recursive descent, with a table of precedences for operators, over the token array
 * that lexer.c made.
 *
 * Limits. No program can make the parser, or a later pass over its tree, recurse without bound:
 * - `depth` counts open brackets, blocks, prefix operators and the like, up to
 *   AST_MAX_NESTING; every cycle among the parse functions passes through parser_enter or
 *   parser_open, but for the right operands of binary operators, counted by `climb`.
 * - Chains that grow to the left (`a + b + c`, `a.b.c`) are parsed by loops, but make trees as
 *   high as they are long. `height` keeps watch: it is the height of the tallest tree made so far
 *   at the present level. A level starts at 0 and, when it ends, counts as one more than what it
 *   held; each link of a chain adds one. Above AST_MAX_HEIGHT parsing stops.
 *
 * Recovery. The first error of a construct starts the panic described in parser_internal.h. It
 * ends either where a bracket is closed, since the lexer has paired the brackets, or at the next
 * statement, found by walking from the statement's first token over whole bracket pairs to the
 * first line start behind the error. So a mistake in one argument of a call hides neither the
 * rest of the file nor makes a second message.
 */
#include "parser.h"

#include <string.h>

#include "habits.h"
#include "parser_internal.h"

/* ---- cursor ----------------------------------------------------------------------------- */

const Token *parser_peek(const Parser *p, uint32_t ahead) {
  uint32_t last = p->list.count - 1;
  return &p->tokens[ahead < last - p->pos ? p->pos + ahead : last];
}

/* Gives up for good: at the end of the text, with nothing more to be reported. */
static void stop_parsing(Parser *p) {
  p->pos = p->list.count - 1;
  p->stopped = true;
  p->panicking = true;
}

/* Every loop of the parser advances, so this is where running out of memory is noticed. */
const Token *parser_advance(Parser *p) {
  const Token *token = parser_token(p);
  if (p->arena->oom) stop_parsing(p);
  if (p->pos + 1 < p->list.count) p->pos++;
  return token;
}

bool parser_accept(Parser *p, TokenKind kind) {
  if (p->panicking || !parser_at(p, kind)) return false;
  parser_advance(p);
  return true;
}

bool parser_at_line_start(const Parser *p) {
  return parser_token(p)->newline_before && !p->free_newlines;
}

bool parser_at_statement_end(const Parser *p) {
  TokenKind kind = parser_kind(p);
  return kind == TOKEN_SEMICOLON || kind == TOKEN_RBRACE || kind == TOKEN_EOF ||
         parser_at_line_start(p);
}

bool parser_at_word(const Parser *p, const char *word) {
  const Token *token = parser_token(p);
  return token->kind == TOKEN_NAME && strcmp(token->name->chars, word) == 0;
}

bool parser_starts_expr(TokenKind kind) {
  switch (kind) {
    case TOKEN_NAME:
    case TOKEN_INT:
    case TOKEN_FLOAT:
    case TOKEN_STRING:
    case TOKEN_STRING_HEAD:
    case TOKEN_NIL:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_SELF:
    case TOKEN_SUPER:
    case TOKEN_FN:
    case TOKEN_IF:
    case TOKEN_MATCH:
    case TOKEN_TRY:
    case TOKEN_YIELD:
    case TOKEN_NOT:
    case TOKEN_MINUS:
    case TOKEN_TILDE:
    case TOKEN_BANG:
    case TOKEN_LPAREN:
    case TOKEN_LBRACKET:
    case TOKEN_LBRACE: return true;
    default: return false;
  }
}

/* End of the last token consumed. */
static uint32_t previous_end(const Parser *p) {
  return p->pos > 0 ? p->tokens[p->pos - 1].span.end : parser_token(p)->span.start;
}

Span parser_span_from(const Parser *p, uint32_t first) {
  uint32_t start = p->tokens[first].span.start;
  uint32_t end = p->pos > first ? previous_end(p) : p->tokens[first].span.end;
  return (Span){start, end > start ? end : start};
}

/* ---- errors ----------------------------------------------------------------------------- */

/* Takes hints that nobody will read. */
static Diag *unread_diag(Parser *p) { return ARENA_NEW(p->arena, Diag); }

/* Where the text broke off inside a string or comment, what the parser misses at the end is a
 * consequence. */
static bool is_consequence(const Parser *p) {
  return p->list.is_open_ended && parser_at(p, TOKEN_EOF);
}

/* Every error counts as an early one here; parser_expected takes that back at the end. */
static Diag *report(Parser *p, Span span, const char *format, va_list args) {
  if (p->panicking || is_consequence(p)) return unread_diag(p);
  p->early_error = true;
  const char *message = arena_vformat(p->arena, format, args);
  return diag_add(p->diags, DIAG_ERROR, p->source, span, message);
}

Diag *parser_error(Parser *p, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  Diag *diag = report(p, span, format, args);
  va_end(args);
  p->panicking = true;
  return diag;
}

Diag *parser_complain(Parser *p, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  Diag *diag = report(p, span, format, args);
  va_end(args);
  return diag;
}

void parser_hint(Parser *p, Diag *diag, const char *format, ...) {
  va_list args;
  va_start(args, format);
  diag->hint = arena_vformat(p->arena, format, args);
  va_end(args);
}

void parser_related(Parser *p, Diag *diag, Span span, const char *text) {
  diag->related_source = p->source;
  diag->related_span = span;
  diag->related = text;
}

/* Length of at most `limit` bytes of a token that do not cut a character. */
static int shown_len(const char *chars, uint32_t len, uint32_t limit) {
  if (len <= limit) return (int)len;
  while (limit > 0 && ((unsigned char)chars[limit] & 0xC0) == 0x80) limit--;
  return (int)limit;
}

/* Whether what is missing at the current token would have to stand on the line before. */
static bool line_ended(const Parser *p) {
  return parser_at_line_start(p) && p->pos != p->item_start;
}

static const char *describe_token(Parser *p) {
  const Token *token = parser_token(p);
  if (token->kind == TOKEN_EOF) return "the end of the file";
  if (line_ended(p)) return "the end of the line";
  if (token->kind == TOKEN_STRING || token->kind == TOKEN_STRING_HEAD) return "a string";
  if (token->kind == TOKEN_STRING_MIDDLE || token->kind == TOKEN_STRING_TAIL)
    return "the end of the interpolation";
  const char *chars = p->source->text + token->span.start;
  uint32_t len = token->span.end - token->span.start;
  int shown = shown_len(chars, len, 40);
  return arena_format(p->arena, "`%.*s%s`", shown, chars, (uint32_t)shown < len ? "..." : "");
}

/* f"...", r"...": a short name that a string follows at once. */
static bool at_prefixed_string(const Parser *p) {
  const Token *token = parser_token(p), *before = token - 1;
  if (token->kind != TOKEN_STRING && token->kind != TOKEN_STRING_HEAD) return false;
  return p->pos > 0 && before->kind == TOKEN_NAME && before->span.end == token->span.start;
}

/* Behind `function(x)`, which has been read as a call. */
static bool after_function_call(const Parser *p) {
  uint32_t i = p->pos;
  if (i == 0 || p->tokens[i - 1].kind != TOKEN_RPAREN) return false;
  while (i > 0 && !(p->tokens[i].kind == TOKEN_LPAREN && p->tokens[i].closer == p->pos - 1)) i--;
  if (i == 0 || p->tokens[i - 1].kind != TOKEN_NAME) return false;
  const char *word = p->tokens[i - 1].name->chars;
  return !strcmp(word, "function") || !strcmp(word, "func") || !strcmp(word, "def");
}

/* What people coming from other languages write after an expression, and what to write instead.
 * `what` would have been right. */
static const char *habit_hint(const Parser *p, const char *what) {
  bool in_brackets = strstr(what, "`]`") != NULL, in_call = strcmp(what, "`,` or `)`") == 0;
  if (at_prefixed_string(p)) return "strings have no letter before them: any can hold ${values}";
  if (p->pos > 0 && p->tokens[p->pos - 1].kind == TOKEN_NAME && !parser_at_line_start(p)) {
    const char *habit = habit_of_word(p->tokens[p->pos - 1].name->chars);
    if (habit && parser_starts_expr(parser_kind(p))) return habit;
  }
  switch (parser_kind(p)) {
    case TOKEN_IF:
      return parser_at_line_start(p) ? NULL : "a choice is written `if a { b } else { c }`";
    case TOKEN_FOR:
      if (strcmp(what, "`,` or `}`") == 0)
        return "import map, and write map.from(xs.map(fn(x) => [x, x * x]))";
      return in_brackets || in_call ? "write xs.map(fn(x) => ...), or filter" : NULL;
    case TOKEN_COLON: return in_brackets ? "a slice is written xs[from..to]" : NULL;
    case TOKEN_NAME: return habit_of_word(parser_token(p)->name->chars);
    case TOKEN_EQUAL: return "`==` compares; an assignment is a statement of its own";
    case TOKEN_QUESTION: return "a choice is written `if a { b } else { c }`";
    case TOKEN_TILDE: return "\"not equal\" is written `!=`";
    case TOKEN_LBRACE:
      return after_function_call(p) ? "a function is written `fn(x) { ... }`" : NULL;
    case TOKEN_THIN_ARROW: return "an arrow is written `=>`";
    case TOKEN_ARROW: return "a function is written `fn(x) => ...`";
    default: return NULL;
  }
}

Diag *parser_expected(Parser *p, const char *what) {
  if (p->panicking) return unread_diag(p);
  const Token *token = parser_token(p);
  bool was_early = p->early_error;
  bool is_end = token->kind == TOKEN_EOF;
  if (token->kind == TOKEN_ERROR || token->is_broken) { /* the lexer has reported it */
    p->panicking = true;
    return unread_diag(p);
  }
  Span span = token->span;
  if (is_end || line_ended(p)) span = (Span){previous_end(p), previous_end(p)};
  Diag *diag = parser_error(p, span, "expected %s but found %s", what, describe_token(p));
  if (is_end) p->early_error = was_early;
  diag->hint = habit_hint(p, what);
  return diag;
}

bool parser_expect(Parser *p, TokenKind kind, const char *what) {
  if (parser_accept(p, kind)) return true;
  parser_expected(p, what);
  return false;
}

/* At `self` as a parameter: what the method that Python gives such a name is called here. */
static const char *self_hint(Parser *p) {
  static const char *const methods[][2] = {
      {"__init__", "init"}, {"__str__", "str"},   {"__repr__", "str"}, {"__len__", "len"},
      {"__iter__", "iter"}, {"__call__", "call"}, {"__eq__", "=="},    {"__lt__", "<"},
      {"__add__", "+"},     {"__sub__", "-"},     {"__mul__", "*"},    {"__getitem__", "[]"},
      {"__hash__", "hash"}, {"__contains__", "in"}, {"__setitem__", "[]="},
  };
  const Token *name = p->pos >= 2 ? parser_token(p) - 2 : parser_token(p);
  for (size_t i = 0; name->kind == TOKEN_NAME && i < sizeof methods / sizeof *methods; i++)
    if (strcmp(name->name->chars, methods[i][0]) == 0)
      return arena_format(p->arena, "write `fn %s(...)`: methods have `self` without declaring it",
                          methods[i][1]);
  return "methods have `self` without declaring it";
}

const Token *parser_expect_name(Parser *p, const char *what) {
  if (!p->panicking && parser_at(p, TOKEN_NAME)) return parser_advance(p);
  Diag *diag = parser_expected(p, what);
  diag->hint = NULL;
  if (token_is_keyword(parser_kind(p)))
    parser_hint(p, diag, "`%s` is a word of the language and cannot be a name",
                token_kind_text(parser_kind(p)));
  if (parser_at(p, TOKEN_SELF)) diag->hint = self_hint(p);
  if (parser_at(p, TOKEN_STAR_STAR))
    diag->hint = "a parameter with a default can be named in a call";
  if (parser_at(p, TOKEN_STAR)) diag->hint = "what is left goes into a parameter `...rest`";
  if (parser_at(p, TOKEN_LPAREN)) diag->hint = "several names stand in brackets: [a, b]";
  return NULL;
}

/* Words and signs that carry a statement on at the start of a line. */
static bool continues_statement(TokenKind kind) {
  switch (kind) {
    case TOKEN_DOT:
    case TOKEN_QUESTION_DOT:
    case TOKEN_PIPE_GREATER:
    case TOKEN_COALESCE:
    case TOKEN_ELSE:
    case TOKEN_CATCH:
    case TOKEN_FINALLY: return true;
    default: return false;
  }
}

/* Where the next statement, or the end of the list of them, is found. */
static bool is_boundary(const Token *token) {
  switch (token->kind) {
    case TOKEN_EOF:
    case TOKEN_RBRACE:
    case TOKEN_SEMICOLON:
    case TOKEN_STRING_MIDDLE:
    case TOKEN_STRING_TAIL: return true;
    default: return token->newline_before && !continues_statement(token->kind);
  }
}

/* Index behind the token at `i`, a bracket's whole content or a string's interpolations. */
static uint32_t skip_group(const Parser *p, uint32_t i) {
  const Token *token = &p->tokens[i];
  bool is_opener =
      token->kind == TOKEN_LPAREN || token->kind == TOKEN_LBRACKET || token->kind == TOKEN_LBRACE;
  if (is_opener && token->closer != TOKEN_UNCLOSED) return token->closer + 1;
  uint32_t nested = token->kind == TOKEN_STRING_HEAD;
  while (nested > 0 && p->tokens[i].kind != TOKEN_EOF) {
    i++;
    nested += p->tokens[i].kind == TOKEN_STRING_HEAD;
    nested -= p->tokens[i].kind == TOKEN_STRING_TAIL;
  }
  return p->tokens[i].kind == TOKEN_EOF ? i : i + 1;
}

uint32_t parser_begin_item(Parser *p) {
  p->item_start = p->pos;
  return p->pos;
}

void parser_synchronize(Parser *p, uint32_t start) {
  if (p->stopped) return;
  uint32_t i = skip_group(p, start);
  while (p->tokens[i].kind != TOKEN_EOF && (i < p->pos || !is_boundary(&p->tokens[i])))
    i = skip_group(p, i);
  p->pos = i;
  p->panicking = false;
}

static bool ends_search(const Token *token) { return token->newline_before || is_boundary(token); }

/* Skips what stands between a head and its block, as far as the line goes; a map on the way is
 * not taken for the block. */
bool parser_find_block(Parser *p) {
  if (!p->panicking && parser_at(p, TOKEN_LBRACE)) return true;
  if (!p->panicking) {
    Diag *diag = parser_expected(p, "`{`");
    if (parser_at_word(p, "then") || parser_at_word(p, "do") || parser_at(p, TOKEN_COLON) ||
        (!diag->hint && parser_starts_expr(parser_kind(p))))
      parser_hint(p, diag, "a block stands in braces: { ... }");
  }
  if (p->stopped) return false;
  uint32_t start = p->pos;
  while (!ends_search(parser_token(p))) {
    if (parser_at(p, TOKEN_LBRACE) && !parser_at_map(p)) {
      p->panicking = false;
      return true;
    }
    p->pos = skip_group(p, p->pos);
  }
  p->pos = start;
  p->missing_blocks++;
  return false;
}

/* ---- nesting ---------------------------------------------------------------------------- */

/* Goes no further with a tree that later passes could not walk. */
static void check_height(Parser *p) {
  if (p->height <= AST_MAX_HEIGHT || p->stopped) return;
  Span span = {previous_end(p), previous_end(p)};
  Diag *diag = parser_error(p, span, "this chain of operations is too long");
  parser_hint(p, diag, "keep a part of it in a variable");
  stop_parsing(p);
}

void parser_add_height(Parser *p) {
  p->height++;
  check_height(p);
}

static void stop_nested(Parser *p) {
  if (p->stopped) return;
  Diag *diag = parser_error(p, parser_token(p)->span, "nested too deeply (more than %d levels)",
                            (int)AST_MAX_NESTING);
  parser_hint(p, diag, "move the inner part into a variable or a function");
  stop_parsing(p);
}

Level parser_enter(Parser *p) {
  Level level = {p->pos, p->height, p->slice_depth, p->free_newlines, p->no_map};
  p->height = 0;
  if (++p->depth > AST_MAX_NESTING) stop_nested(p);
  return level;
}

void parser_leave(Parser *p, Level level) {
  p->depth--;
  p->height++;
  if (p->height < level.height) p->height = level.height;
  p->slice_depth = level.slice_depth;
  p->free_newlines = level.free_newlines;
  p->no_map = level.no_map;
  check_height(p);
}

Level parser_open(Parser *p, bool newlines_count) {
  Level level = parser_enter(p);
  p->free_newlines = !newlines_count;
  p->no_map = false;
  p->slice_depth = 0;
  if (!p->panicking) parser_advance(p);
  return level;
}

static uint32_t indent_of(const Parser *p, uint32_t line) {
  Span span = source_line_span(p->source, line);
  uint32_t i = span.start;
  while (i < span.end && (p->source->text[i] == ' ' || p->source->text[i] == '\t')) i++;
  return i - span.start;
}

/* Among the `{` behind the token at `opener`, that whose `}` is the first to start a line that is
 * indented less, and so probably closes another one: its line, 0 for none. */
static uint32_t find_misindented(const Parser *p, uint32_t opener) {
  uint32_t found = 0, first_closer = p->pos;
  for (uint32_t i = opener + 1; i < first_closer; i++) {
    const Token *token = &p->tokens[i];
    if (token->kind != TOKEN_LBRACE || token->closer >= first_closer) continue;
    const Token *closer = &p->tokens[token->closer];
    if (!closer->newline_before) continue;
    uint32_t line = source_position(p->source, token->span.start).line;
    uint32_t end = source_position(p->source, closer->span.start).line;
    if (indent_of(p, end) >= indent_of(p, line)) continue;
    found = line;
    first_closer = token->closer;
  }
  return found;
}

/* The closing bracket is not where it should be. If it is found further on, something else is
 * in the way; if it is found nowhere, it was forgotten, and the opening one is shown as well. */
static void report_unclosed(Parser *p, const Token *opener, TokenKind closer, const char *what) {
  if (opener->closer != TOKEN_UNCLOSED) {
    parser_expected(p, what);
    return;
  }
  if (p->panicking || parser_at(p, TOKEN_ERROR)) {
    p->panicking = true;
    return;
  }
  bool was_early = p->early_error;
  uint32_t end = previous_end(p);
  Diag *diag = parser_error(p, (Span){end, end}, "missing `%s`", token_kind_text(closer));
  parser_related(p, diag, opener->span, "opened here");
  uint32_t suspect =
      closer == TOKEN_RBRACE ? find_misindented(p, (uint32_t)(opener - p->tokens)) : 0;
  if (suspect)
    parser_hint(p, diag, "by its indent, the `{` in line %u is the one not closed", suspect);
  if (parser_at(p, TOKEN_EOF)) p->early_error = was_early;
}

void parser_close(Parser *p, Level level, TokenKind closer, const char *what) {
  const Token *opener = &p->tokens[level.opener];
  if (!parser_accept(p, closer)) {
    report_unclosed(p, opener, closer, what);
    if (opener->closer != TOKEN_UNCLOSED && opener->closer >= p->pos && !p->stopped) {
      p->pos = opener->closer + 1;
      p->panicking = false;
    }
  }
  parser_leave(p, level);
}

/* ---- lists and nodes -------------------------------------------------------------------- */

size_t parser_list_begin(const Parser *p) { return p->scratch_len; }

/* The items wait on one stack, shared by all lists under construction, and are copied out when
 * their list is complete: no list wastes memory on growing. */
void parser_list_push(Parser *p, const void *item, size_t size) {
  if (p->scratch_len + size > p->scratch_capacity) {
    char *grown = arena_grow(p->arena, p->scratch, &p->scratch_capacity, p->scratch_len + size, 1);
    if (!grown) return;
    p->scratch = grown;
  }
  memcpy(p->scratch + p->scratch_len, item, size);
  p->scratch_len += size;
}

void *parser_list_end(Parser *p, size_t begin, size_t item_size, uint32_t *count) {
  size_t n = (p->scratch_len - begin) / item_size;
  void *items = n ? arena_copy(p->arena, p->scratch + begin, n, item_size) : NULL;
  *count = items ? (uint32_t)n : 0;
  p->scratch_len = begin;
  return items;
}

Expr *parser_new_expr(Parser *p, ExprKind kind, Span span) {
  Expr *expr = ARENA_NEW(p->arena, Expr);
  expr->kind = kind;
  expr->span = span;
  return expr;
}

Stmt *parser_new_stmt(Parser *p, StmtKind kind, Span span) {
  Stmt *stmt = ARENA_NEW(p->arena, Stmt);
  stmt->kind = kind;
  stmt->span = span;
  return stmt;
}

Pattern *parser_new_pattern(Parser *p, PatternKind kind, Span span) {
  Pattern *pattern = ARENA_NEW(p->arena, Pattern);
  pattern->kind = kind;
  pattern->span = span;
  return pattern;
}

Expr *parser_new_name(Parser *p, Name *name, Span span) {
  Expr *expr = parser_new_expr(p, EXPR_NAME, span);
  expr->name.name = name;
  return expr;
}

Expr *parser_new_string(Parser *p, Text text, Span span) {
  Expr *expr = parser_new_expr(p, EXPR_STRING, span);
  expr->text = text;
  return expr;
}

Expr *parser_error_expr(Parser *p) { return parser_new_expr(p, EXPR_ERROR, parser_token(p)->span); }

uint32_t parser_new_stamp(Parser *p) { return ++p->names->stamp; }

bool parser_stamp_name(Name *name, uint32_t stamp) {
  bool is_known = name->stamp == stamp;
  name->stamp = stamp;
  return is_known;
}

void parser_name_function(Expr *expr, Name *name) {
  if (expr && expr->kind == EXPR_FN && !expr->fn->name) expr->fn->name = name;
}

/* ---- doc comments ----------------------------------------------------------------------- */

/* Takes blanks, the `#` and one blank off a comment line that begins at `i`. */
static uint32_t skip_comment_sign(const char *text, uint32_t i, uint32_t end) {
  while (i < end && (text[i] == ' ' || text[i] == '\t')) i++;
  if (i < end && text[i] == '#') i++;
  return i < end && text[i] == ' ' ? i + 1 : i;
}

Text parser_comment_text(Parser *p, Span comment) {
  const char *text = p->source->text;
  char *out = arena_array(p->arena, comment.end - comment.start, 1);
  Text result = {"", 0};
  if (!out) return result;
  uint32_t i = skip_comment_sign(text, comment.start, comment.end);
  while (i < comment.end) {
    if (text[i] == '\n' || text[i] == '\r') {
      i += text[i] == '\r' && text[i + 1] == '\n' ? 2 : 1;
      i = skip_comment_sign(text, i, comment.end);
      out[result.len++] = '\n';
    } else {
      out[result.len++] = text[i++];
    }
  }
  result.chars = out;
  return result;
}

/* Documentation is kept by the index of the token below it, in order. */
Text parser_doc_text(Parser *p, uint32_t index) {
  uint32_t low = 0, high = p->list.doc_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (p->list.docs[middle].token < index) low = middle + 1;
    else high = middle;
  }
  bool found = low < p->list.doc_count && p->list.docs[low].token == index;
  return found ? parser_comment_text(p, p->list.docs[low].span) : (Text){"", 0};
}

/* ---- entry ------------------------------------------------------------------------------ */

/* The statements of the text, over `}`s that close nothing. */
static void parse_body(Parser *p, Block *body) {
  size_t begin = parser_list_begin(p);
  while (!parser_at(p, TOKEN_EOF)) {
    Block part = {0};
    parser_parse_statements(p, &part);
    for (uint32_t i = 0; i < part.count; i++)
      parser_list_push(p, &part.stmts[i], sizeof part.stmts[i]);
    if (parser_at(p, TOKEN_EOF)) break;
    if (p->missing_blocks) p->missing_blocks--; /* it would close that block */
    else if (parser_at(p, TOKEN_RBRACE))
      parser_complain(p, parser_token(p)->span, "this `}` closes nothing");
    parser_advance(p);
  }
  body->stmts = parser_list_end(p, begin, sizeof *body->stmts, &body->count);
}

ParseResult parser_parse(Arena *arena, NameTable *names, const Source *source, Diags *diags) {
  uint32_t errors_before = diags->error_count;
  Program *program = ARENA_NEW(arena, Program);
  Parser p = {.arena = arena, .names = names, .source = source, .diags = diags};
  program->body = ARENA_NEW(arena, Block);
  program->body->span = (Span){source->start, source->len};
  lexer_scan(arena, names, source, diags, &p.list);
  if (arena->oom) return (ParseResult){program, false, false};
  uint32_t lexer_errors = diags->error_count - errors_before;
  p.tokens = p.list.items;
  parse_body(&p, program->body);
  program->doc = parser_comment_text(&p, p.list.head_doc);
  diag_sort(diags);
  bool ok = diags->error_count == errors_before && !arena->oom;
  bool is_cut = lexer_errors == (p.list.is_open_ended ? 1u : 0u) && !p.early_error;
  return (ParseResult){program, ok, !ok && !arena->oom && is_cut};
}
