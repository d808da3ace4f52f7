/* Statements, blocks and imports.
 *
 * A statement ends at a `;`, before a `}`, or where a line ends and the expression so far is
 * complete; anything else behind it is an error, found by end_statement. Each list of statements
 * recovers from the errors in its own statements, so that several are reported, and the tree has a
 * statement for each, right or wrong.
 *
 * Words by which other languages begin a declaration (`function`, `var`, ...) are plain names here.
 * Followed by a name they cannot be anything sensible, so they are complained about and then taken
 * for what was meant: the rest of the statement can be checked as well.
 */
#include <string.h>

#include "habits.h"
#include "parser_internal.h"

/* ---- blocks ----------------------------------------------------------------------------- */

Block *parser_parse_block(Parser *p) {
  Block *block = ARENA_NEW(p->arena, Block);
  block->span = (Span){parser_token(p)->span.start, parser_token(p)->span.start};
  if (!parser_find_block(p)) return block;
  uint32_t first = p->pos;
  Level level = parser_open(p, true);
  parser_parse_statements(p, block);
  parser_close(p, level, TOKEN_RBRACE, "`}`");
  block->span = parser_span_from(p, first);
  return block;
}

/* At what ends a list of statements. */
static bool at_block_end(const Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_RBRACE:
    case TOKEN_EOF:
    case TOKEN_STRING_MIDDLE:
    case TOKEN_STRING_TAIL: return true;
    default: return false;
  }
}

/* `print x`, and other things said without parentheses. */
static bool looks_like_bare_call(const Parser *p, const Stmt *stmt) {
  if (stmt->kind != STMT_EXPR) return false;
  if (stmt->expr->kind != EXPR_NAME && stmt->expr->kind != EXPR_FIELD) return false;
  return parser_starts_expr(parser_kind(p)) && !parser_at(p, TOKEN_LBRACE);
}

/* `int x = 1`, where `x` is what stands at the current token. */
static bool at_typed_declaration(const Parser *p) {
  return parser_at(p, TOKEN_NAME) && parser_peek(p, 1)->kind == TOKEN_EQUAL;
}

static const char *bare_call_hint(const Parser *p, const Expr *callee) {
  const char *habit = callee->kind == EXPR_NAME ? habit_of_word(callee->name.name->chars) : NULL;
  if (habit) return habit;
  return at_typed_declaration(p) ? "a variable is declared by `let x = 1`, without a type"
                                 : "a call needs parentheses: f(x)";
}

/* At the first comma of `{1, 2}` or of `a, b = 1, 2`. */
static const char *comma_hint(const Parser *p) {
  bool after_brace = p->pos >= 2 && parser_token(p)[-2].kind == TOKEN_LBRACE;
  return after_brace ? "import set, and write set.new([1, 2]); a map is {key: value}"
                     : "several values are assigned as `[a, b] = [b, a]`";
}

/* Makes sure that the statement just read ends where it ended. */
static void end_statement(Parser *p, const Stmt *stmt) {
  if (parser_accept(p, TOKEN_SEMICOLON) || parser_at_statement_end(p) || at_block_end(p)) return;
  Diag *diag = parser_expected(p, "a new line or `;`");
  bool is_prefixed = diag->hint && !parser_at(p, TOKEN_NAME); /* f"text" */
  if (looks_like_bare_call(p, stmt) && !is_prefixed) diag->hint = bare_call_hint(p, stmt->expr);
  if (stmt->kind == STMT_LET && parser_at(p, TOKEN_COMMA))
    parser_hint(p, diag, "several variables are declared as `let [a, b] = [1, 2]`");
  else if (stmt->kind == STMT_LET && parser_at(p, TOKEN_COLON))
    parser_hint(p, diag, "variables have no declared types");
  else if (stmt->kind == STMT_RETURN && parser_at(p, TOKEN_COMMA))
    parser_hint(p, diag, "several values are returned as a list: [a, b]");
  else if (stmt->kind == STMT_EXPR && parser_at(p, TOKEN_COMMA))
    diag->hint = comma_hint(p);
}

void parser_parse_statements(Parser *p, Block *block) {
  size_t begin = parser_list_begin(p);
  while (!at_block_end(p)) {
    if (parser_accept(p, TOKEN_SEMICOLON)) continue;
    uint32_t first = parser_begin_item(p);
    Stmt *stmt = parser_parse_statement(p);
    parser_list_push(p, &stmt, sizeof stmt);
    if (!p->panicking) end_statement(p, stmt);
    if (p->panicking) parser_synchronize(p, first);
  }
  block->stmts = parser_list_end(p, begin, sizeof *block->stmts, &block->count);
}

/* ---- simple statements ------------------------------------------------------------------ */

static Stmt *new_stmt_from(Parser *p, StmtKind kind, uint32_t first) {
  return parser_new_stmt(p, kind, parser_span_from(p, first));
}

/* The value stands on the same line. In a match arm a comma ends the statement as well. */
static Stmt *parse_return(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  bool is_bare = parser_at_statement_end(p) || parser_at(p, TOKEN_COMMA);
  Expr *value = is_bare ? NULL : parser_parse_expr(p);
  Stmt *stmt = new_stmt_from(p, STMT_RETURN, first);
  stmt->expr = value;
  return stmt;
}

static Stmt *parse_throw(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  if (parser_at_statement_end(p))
    parser_hint(p, parser_expected(p, "a value to throw"), "for example throw error(\"...\")");
  Expr *value = parser_parse_expr(p);
  Stmt *stmt = new_stmt_from(p, STMT_THROW, first);
  stmt->expr = value;
  return stmt;
}

/* `break` or `continue`, with a label or without. */
static Stmt *parse_jump(Parser *p, StmtKind kind) {
  uint32_t first = p->pos;
  parser_advance(p);
  const Token *label = NULL;
  if (parser_at(p, TOKEN_NAME) && !parser_at_line_start(p)) label = parser_advance(p);
  Stmt *stmt = new_stmt_from(p, kind, first);
  if (label) {
    stmt->jump.label = label->name;
    stmt->jump.label_span = label->span;
  }
  return stmt;
}

static bool is_call(const Expr *expr) {
  if (expr->kind == EXPR_CHAIN) expr = expr->operand;
  return expr->kind == EXPR_CALL;
}

/* Callee and arguments are evaluated at once, so only a call can be deferred. */
static Stmt *parse_defer(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  if (parser_at(p, TOKEN_LBRACE))
    parser_hint(p, parser_expected(p, "a call after `defer`"),
                "a block is deferred as `defer fn() { ... }()`");
  Expr *call = parser_parse_expr(p);
  if (!p->panicking && !is_call(call))
    parser_hint(p, parser_complain(p, call->span, "`defer` takes a call"),
                "for example defer f.close()");
  Stmt *stmt = new_stmt_from(p, STMT_DEFER, first);
  stmt->expr = call;
  return stmt;
}

/* At an operator where a statement should start. */
static const char *infix_hint(const Parser *p) {
  const Token *next = parser_peek(p, 1);
  bool touches = next->span.start == parser_token(p)->span.end;
  switch (parser_kind(p)) {
    case TOKEN_SLASH_SLASH: return "a comment starts with `#`";
    case TOKEN_SLASH:
      if (touches && (next->kind == TOKEN_STAR || next->kind == TOKEN_STAR_STAR))
        return "a comment starts with `#`";
      break;
    case TOKEN_AT:
      if (touches && next->kind == TOKEN_NAME)
        return "there are no decorators: write let f = wrap(fn(x) { ... })";
      break;
    case TOKEN_GREATER:
    case TOKEN_SHIFT_RIGHT:
      if (p->pos == 0) return "the sign that a prompt shows is not typed";
      break;
    default: break;
  }
  return "to go on with the line above, put the operator at its end";
}

/* At what belongs to a statement that has ended already: at a prompt it ends with its line. */
static const char *statement_hint(const Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_ELSE: return "it follows the block of an `if`: at a prompt, on the line of its `}`";
    case TOKEN_CATCH:
    case TOKEN_FINALLY:
      return "it follows the block of a `try`: at a prompt, on the line of its `}`";
    default: return NULL;
  }
}

/* An expression or an assignment. A line that starts with an operator was meant to go on with the
 * line above, which it does not; the hint says how. */
static Stmt *parse_expr_stmt(Parser *p) {
  uint32_t first = p->pos;
  Diag *diag = NULL;
  if (parser_is_infix(parser_kind(p))) {
    diag = parser_expected(p, "a statement");
    diag->hint = infix_hint(p);
  } else if (!parser_starts_expr(parser_kind(p))) {
    parser_expected(p, "a statement")->hint = statement_hint(p);
  }
  Expr *expr = parser_parse_expr_or_assign(p);
  Stmt *stmt = new_stmt_from(p, STMT_EXPR, first);
  stmt->expr = expr;
  return stmt;
}

/* What may stand right of `=>`. */
static Stmt *parse_arrow_stmt(Parser *p, bool is_function) {
  switch (parser_kind(p)) {
    case TOKEN_THROW: return parse_throw(p);
    case TOKEN_RETURN: return is_function ? parse_expr_stmt(p) : parse_return(p);
    case TOKEN_BREAK: return is_function ? parse_expr_stmt(p) : parse_jump(p, STMT_BREAK);
    case TOKEN_CONTINUE: return is_function ? parse_expr_stmt(p) : parse_jump(p, STMT_CONTINUE);
    default: break;
  }
  uint32_t first = p->pos;
  Expr *expr = parser_parse_expr_or_assign(p);
  Stmt *stmt = new_stmt_from(p, is_function ? STMT_RETURN : STMT_EXPR, first);
  stmt->expr = expr;
  return stmt;
}

/* `=> { return x }`: a block where a function's arrow wants an expression. */
static bool at_block_habit(const Parser *p) {
  if (!parser_at(p, TOKEN_LBRACE)) return false;
  TokenKind next = parser_peek(p, 2)->kind;
  if (next == TOKEN_COLON || next == TOKEN_COMMA || next == TOKEN_RBRACE) return false;
  switch (parser_peek(p, 1)->kind) {
    case TOKEN_RETURN:
    case TOKEN_LET:
    case TOKEN_CONST:
    case TOKEN_IF:
    case TOKEN_FOR:
    case TOKEN_WHILE:
    case TOKEN_THROW:
    case TOKEN_DEFER: return true;
    default: return parser_peek(p, 1)->kind == TOKEN_NAME && next == TOKEN_LPAREN;
  }
}

Block *parser_parse_arrow_body(Parser *p, bool is_function) {
  bool is_habit = is_function && !p->panicking && at_block_habit(p);
  bool is_block = !is_function && parser_at(p, TOKEN_LBRACE) && !parser_at_map(p);
  if (is_habit)
    parser_hint(p,
                parser_complain(p, p->tokens[p->pos - 1].span,
                                "a function with a body in braces has no `=>`"),
                "after `=>` stands an expression; a `{` begins a map there");
  if (!p->panicking && (is_habit || (is_block && !parser_at_unpack(p))))
    return parser_parse_block(p);
  Block *block = ARENA_NEW(p->arena, Block);
  if (p->panicking) return block;
  Level level = parser_enter(p);
  Stmt *stmt = parse_arrow_stmt(p, is_function);
  parser_leave(p, level);
  block->span = stmt->span;
  block->stmts = arena_copy(p->arena, &stmt, 1, sizeof stmt);
  block->count = block->stmts != NULL;
  return block;
}

/* ---- let -------------------------------------------------------------------------------- */

/* `let` or `const`. Only a plain `let x` may lack a value. */
static Stmt *parse_let(Parser *p) {
  uint32_t first = p->pos;
  bool is_const = parser_advance(p)->kind == TOKEN_CONST;
  Pattern *pattern = parser_parse_pattern(p, PATTERN_MODE_DECLARE);
  bool is_name = pattern->kind == PATTERN_BIND;
  Expr *value = NULL;
  if (!parser_at_line_start(p) && parser_accept(p, TOKEN_EQUAL)) value = parser_parse_expr(p);
  else if (!p->panicking && (is_const || !is_name) && parser_at_statement_end(p))
    parser_expected(p, is_const ? "`=` and the value of the constant" : "`=` and a value");
  if (is_name) parser_name_function(value, pattern->bind.name);
  Stmt *stmt = new_stmt_from(p, STMT_LET, first);
  stmt->let.is_const = is_const;
  stmt->let.pattern = pattern;
  stmt->let.value = value;
  return stmt;
}

/* ---- loops ------------------------------------------------------------------------------ */

/* At the `while`; `first` is the index of the label, if there is one. */
static Stmt *parse_while(Parser *p, Name *label, uint32_t first) {
  Level level = parser_enter(p);
  parser_advance(p);
  Expr *condition = parser_parse_head(p);
  Block *body = parser_parse_block(p);
  parser_leave(p, level);
  Stmt *stmt = new_stmt_from(p, STMT_WHILE, first);
  stmt->while_.label = label;
  stmt->while_.condition = condition;
  stmt->while_.body = body;
  return stmt;
}

static void expect_in(Parser *p) {
  if (parser_accept(p, TOKEN_IN)) return;
  Diag *diag = parser_expected(p, "`in`");
  if (parser_at_word(p, "of")) parser_hint(p, diag, "write `for x in xs`");
  if (parser_at(p, TOKEN_EQUAL)) parser_hint(p, diag, "to count, write `for i in 0..10`");
}

/* At the `for`; `first` as above. */
static Stmt *parse_for(Parser *p, Name *label, uint32_t first) {
  Level level = parser_enter(p);
  parser_advance(p);
  if (parser_at(p, TOKEN_LPAREN))
    parser_hint(p, parser_error(p, parser_token(p)->span, "no parentheses after `for`"),
                "write `for x in xs { }`, or `for i in 0..n { }` to count");
  Pattern *one = parser_parse_pattern(p, PATTERN_MODE_DECLARE);
  Pattern *two =
      parser_accept(p, TOKEN_COMMA) ? parser_parse_pattern(p, PATTERN_MODE_DECLARE) : NULL;
  expect_in(p);
  Expr *iterable = parser_parse_head(p);
  Block *body = parser_parse_block(p);
  parser_leave(p, level);
  Stmt *stmt = new_stmt_from(p, STMT_FOR, first);
  stmt->for_.label = label;
  stmt->for_.first = one;
  stmt->for_.second = two;
  stmt->for_.iterable = iterable;
  stmt->for_.body = body;
  return stmt;
}

/* `label: for ...` */
static Stmt *parse_labelled(Parser *p) {
  uint32_t first = p->pos;
  Name *label = parser_advance(p)->name;
  parser_advance(p);
  if (parser_at(p, TOKEN_WHILE)) return parse_while(p, label, first);
  if (parser_at(p, TOKEN_FOR)) return parse_for(p, label, first);
  bool is_habit = parser_at(p, TOKEN_EQUAL); /* x := 1 */
  parser_hint(p, parser_expected(p, "`for` or `while` after a label"),
              is_habit ? "a variable is declared by `let x = 1` and assigned by `x = 1`"
                       : "a map starts a statement only in parentheses: ({key: value})");
  return new_stmt_from(p, STMT_EXPR, first);
}

/* ---- imports ---------------------------------------------------------------------------- */

/* Whether a text, taken from a path, could be written as a name. */
static bool is_name_text(const char *chars, uint32_t len) {
  for (uint32_t i = 0; i < len; i++) {
    char c = chars[i], lower = (char)(c | 0x20);
    bool is_letter = (lower >= 'a' && lower <= 'z') || c == '_' || (unsigned char)c >= 0x80;
    if (!is_letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return len > 0 && token_find_keyword(chars, len) == TOKEN_NAME;
}

/* The last part of a path, without an extension. */
static Text path_stem(Text path) {
  uint32_t start = path.len, end = path.len;
  while (start > 0 && path.chars[start - 1] != '/') start--;
  for (uint32_t i = path.len; i > start + 1; i--) {
    if (path.chars[i - 1] != '.') continue;
    end = i - 1;
    break;
  }
  return (Text){path.chars + start, end - start};
}

/* The module's name or path. */
static void parse_module(Parser *p, Import *import) {
  const Token *token = parser_token(p);
  import->module_span = token->span;
  if (parser_at(p, TOKEN_STRING)) {
    import->is_path = true;
    import->module = *parser_advance(p)->text;
    if (import->module.len == 0) parser_error(p, token->span, "the path of a module is empty");
  } else if (parser_at(p, TOKEN_NAME)) {
    import->module = parser_name_text(parser_advance(p)->name);
    if (parser_at(p, TOKEN_DOT))
      parser_hint(p, parser_expected(p, "the end of the module's name"),
                  "a file is imported by its path: import \"a/b\"");
  } else {
    parser_hint(p, parser_expected(p, "a module's name or path"),
                "write `import math` or `import \"lib/geometry\"`");
  }
}

/* `as name`, if it is there. */
static const Token *parse_alias(Parser *p) {
  if (p->panicking || !parser_at_word(p, "as") || parser_at_line_start(p)) return NULL;
  parser_advance(p);
  return parser_expect_name(p, "a name after `as`");
}

/* The name a module is bound to: its alias, else its own name, else the last part of its path. */
static void name_module(Parser *p, Import *import, const Token *alias) {
  if (p->panicking) return;
  Text stem = import->is_path ? path_stem(import->module) : import->module;
  if (alias) {
    import->local = alias->name;
    import->local_span = alias->span;
  } else if (!is_name_text(stem.chars, stem.len)) {
    parser_hint(p, parser_complain(p, import->module_span, "this path does not end in a name"),
                "give the module one: import \"...\" as name");
  } else {
    import->local = names_intern(p->names, stem.chars, stem.len);
    import->local_span = import->module_span;
  }
}

static Import parse_import_part(Parser *p) {
  uint32_t first = p->pos;
  Import import = {0};
  parse_module(p, &import);
  name_module(p, &import, parse_alias(p));
  import.span = parser_span_from(p, first);
  return import;
}

static Stmt *parse_import(Parser *p) {
  uint32_t first = p->pos;
  size_t begin = parser_list_begin(p);
  parser_advance(p);
  do {
    Import import = parse_import_part(p);
    parser_list_push(p, &import, sizeof import);
  } while (parser_accept(p, TOKEN_COMMA));
  Stmt *stmt = new_stmt_from(p, STMT_IMPORT, first);
  stmt->imports.items = parser_list_end(p, begin, sizeof(Import), &stmt->imports.count);
  return stmt;
}

/* `sin, pi as p` */
static void parse_import_items(Parser *p, Import *import) {
  size_t begin = parser_list_begin(p);
  do {
    if (parser_at(p, TOKEN_STAR))
      parser_hint(p, parser_expected(p, "a name"), "import the module, or the names you need");
    const Token *name = parser_expect_name(p, "a name to import");
    if (!name) break;
    const Token *alias = parse_alias(p);
    const Token *local = alias ? alias : name;
    ImportItem item = {name->name, name->span, local->name, local->span, NULL};
    parser_list_push(p, &item, sizeof item);
  } while (parser_accept(p, TOKEN_COMMA));
  import->items = parser_list_end(p, begin, sizeof(ImportItem), &import->item_count);
}

/* `from math import sin, pi as p` */
static Stmt *parse_from(Parser *p) {
  uint32_t first = p->pos;
  Import import = {0};
  parser_advance(p);
  parse_module(p, &import);
  parser_expect(p, TOKEN_IMPORT, "`import`");
  if (!p->panicking) parse_import_items(p, &import);
  import.span = parser_span_from(p, first);
  Stmt *stmt = new_stmt_from(p, STMT_IMPORT, first);
  stmt->imports.items = arena_copy(p->arena, &import, 1, sizeof import);
  stmt->imports.count = stmt->imports.items != NULL;
  return stmt;
}

/* ---- declarations ----------------------------------------------------------------------- */

static Stmt *parse_fn_stmt(Parser *p) {
  uint32_t first = p->pos;
  Fn *fn = parser_parse_fn(p, FN_DECLARED);
  Stmt *stmt = new_stmt_from(p, STMT_FN, first);
  stmt->fn = fn;
  return stmt;
}

static Stmt *parse_class_stmt(Parser *p) {
  uint32_t first = p->pos;
  ClassDecl *class_ = parser_parse_class(p);
  Stmt *stmt = new_stmt_from(p, STMT_CLASS, first);
  stmt->class_ = class_;
  return stmt;
}

static bool is_exportable(TokenKind kind) {
  return kind == TOKEN_LET || kind == TOKEN_CONST || kind == TOKEN_FN || kind == TOKEN_CLASS;
}

/* `export` marks the declaration that follows it. */
static Stmt *parse_export(Parser *p) {
  uint32_t first = p->pos;
  Span word = parser_advance(p)->span;
  if (!is_exportable(parser_kind(p)))
    parser_hint(p, parser_expected(p, "`let`, `const`, `fn` or `class` after `export`"),
                "export stands before a declaration: export fn f() { }");
  else if (p->depth > 0)
    parser_complain(p, word, "only what is declared at the top level can be exported");
  if (p->panicking) return new_stmt_from(p, STMT_EXPR, first);
  Stmt *stmt = parser_parse_statement(p);
  stmt->exported = is_exportable(p->tokens[first + 1].kind) && stmt->kind != STMT_EXPR;
  stmt->span = parser_span_from(p, first);
  return stmt;
}

/* ---- which statement -------------------------------------------------------------------- */

/* A word of another language that declares something; gives the token of ours. */
static TokenKind declaring_habit(const Parser *p) {
  static const struct {
    const char *word;
    TokenKind meant;
  } habits[] = {{"function", TOKEN_FN}, {"def", TOKEN_FN},   {"func", TOKEN_FN},
                {"proc", TOKEN_FN},     {"var", TOKEN_LET},  {"local", TOKEN_LET},
                {"val", TOKEN_LET},     {"auto", TOKEN_LET}, {"struct", TOKEN_CLASS}};
  const Token *next = parser_peek(p, 1);
  if (!parser_at(p, TOKEN_NAME) || next->kind != TOKEN_NAME || next->newline_before)
    return TOKEN_NAME;
  for (size_t i = 0; i < sizeof habits / sizeof *habits; i++) {
    if (parser_at_word(p, habits[i].word)) return habits[i].meant;
  }
  return TOKEN_NAME;
}

static Stmt *parse_habit(Parser *p, TokenKind meant) {
  const Token *word = parser_token(p);
  parser_hint(p, parser_complain(p, word->span, "there is no `%s`", word->name->chars),
              "write `%s %s ...`", token_kind_text(meant), word[1].name->chars);
  switch (meant) {
    case TOKEN_FN: return parse_fn_stmt(p);
    case TOKEN_CLASS: return parse_class_stmt(p);
    default: return parse_let(p);
  }
}

/* Statements that start with a plain name. */
static Stmt *parse_name_stmt(Parser *p) {
  const Token *next = parser_peek(p, 1);
  bool on_line = !next->newline_before;
  if (next->kind == TOKEN_COLON) return parse_labelled(p);
  if (on_line && parser_at_word(p, "from") &&
      (next->kind == TOKEN_NAME || next->kind == TOKEN_STRING))
    return parse_from(p);
  TokenKind meant = declaring_habit(p);
  return meant == TOKEN_NAME ? parse_expr_stmt(p) : parse_habit(p, meant);
}

/* A `{` that starts a statement begins a block, unless a `=` behind its `}` says that it is a
 * pattern to assign to. It never begins a map. */
static Stmt *parse_block_stmt(Parser *p) {
  if (parser_at_unpack(p)) return parse_expr_stmt(p);
  uint32_t first = p->pos;
  Block *block = parser_parse_block(p);
  Stmt *stmt = new_stmt_from(p, STMT_BLOCK, first);
  stmt->block = block;
  return stmt;
}

Stmt *parser_parse_statement(Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_LET:
    case TOKEN_CONST: return parse_let(p);
    case TOKEN_FN:
      return parser_peek(p, 1)->kind == TOKEN_LPAREN ? parse_expr_stmt(p) : parse_fn_stmt(p);
    case TOKEN_CLASS: return parse_class_stmt(p);
    case TOKEN_LBRACE: return parse_block_stmt(p);
    case TOKEN_WHILE: return parse_while(p, NULL, p->pos);
    case TOKEN_FOR: return parse_for(p, NULL, p->pos);
    case TOKEN_BREAK: return parse_jump(p, STMT_BREAK);
    case TOKEN_CONTINUE: return parse_jump(p, STMT_CONTINUE);
    case TOKEN_RETURN: return parse_return(p);
    case TOKEN_THROW: return parse_throw(p);
    case TOKEN_DEFER: return parse_defer(p);
    case TOKEN_IMPORT: return parse_import(p);
    case TOKEN_EXPORT: return parse_export(p);
    case TOKEN_NAME: return parse_name_stmt(p);
    default: return parse_expr_stmt(p);
  }
}
