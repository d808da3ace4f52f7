/* What operators connect: literals, names, lists, maps, and what can follow them: calls, indexes,
 * fields.
 *
 * - A brace where an expression is expected begins a map, except in the head of a statement that
 *   ends with a block (`no_map`).
 * - A chain of links (`a.b(c)[d]`) is read by a loop. A `(` or `[` at the start of a line begins
 *   another statement and is no link; a `.` or `?.` there is one. Where any link is optional the
 *   whole chain is wrapped in one EXPR_CHAIN, the node at which a nil met on the way comes out;
 *   parentheses end a chain, as they do in JavaScript.
 * - The tokens between the pieces of a string with interpolations are ordinary tokens, read by
 *   the ordinary functions up to the next piece.
 */
#include "parser_internal.h"

bool parser_more_items(Parser *p, TokenKind closer) {
  return !p->panicking && !parser_at(p, closer) && !parser_at(p, TOKEN_EOF);
}

/* ---- literals --------------------------------------------------------------------------- */

/* The lexer lets 2^63 pass, as it cannot see the minus before it. */
Expr *parser_parse_number(Parser *p, bool is_negative) {
  const Token *token = parser_advance(p);
  Span span = token->span;
  if (is_negative) span.start = token[-1].span.start;
  Expr *expr = parser_new_expr(p, token->kind == TOKEN_INT ? EXPR_INT : EXPR_FLOAT, span);
  if (token->kind == TOKEN_FLOAT) {
    expr->number = is_negative ? -token->number : token->number;
    return expr;
  }
  if (!is_negative && token->integer > INT64_MAX) {
    parser_hint(p, parser_complain(p, span, "this number does not fit a 64-bit int"),
                "the largest int is 9223372036854775807");
    return expr;
  }
  expr->integer = (int64_t)(is_negative ? 0 - token->integer : token->integer);
  return expr;
}

static Expr *parse_bool(Parser *p) {
  const Token *token = parser_advance(p);
  Expr *expr = parser_new_expr(p, EXPR_BOOL, token->span);
  expr->boolean = token->kind == TOKEN_TRUE;
  return expr;
}

static Expr *parse_string(Parser *p) {
  const Token *token = parser_advance(p);
  return parser_new_string(p, *token->text, token->span);
}

Expr *parser_parse_literal(Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_STRING: return parse_string(p);
    case TOKEN_NIL: return parser_new_expr(p, EXPR_NIL, parser_advance(p)->span);
    default: return parse_bool(p);
  }
}

static void push_expr(Parser *p, Expr *expr) { parser_list_push(p, &expr, sizeof expr); }

/* Goes to the piece of the string behind an interpolation that went wrong. */
static void skip_interpolation(Parser *p) {
  uint32_t nested = 0;
  if (p->stopped) return;
  while (!parser_at(p, TOKEN_EOF)) {
    TokenKind kind = parser_kind(p);
    if (nested == 0 && (kind == TOKEN_STRING_MIDDLE || kind == TOKEN_STRING_TAIL)) break;
    if (kind == TOKEN_STRING_HEAD) nested++;
    if (kind == TOKEN_STRING_TAIL) nested--;
    parser_advance(p);
  }
  p->panicking = p->stopped;
}

/* The literal text of a piece, unless there is none. */
static void push_piece(Parser *p, const Token *piece) {
  if (piece->text->len) push_expr(p, parser_new_string(p, *piece->text, piece->span));
}

/* The expression behind a piece of a string, up to the next piece. */
static void parse_interpolated(Parser *p) {
  push_expr(p, parser_parse_expr(p));
  if (!parser_at(p, TOKEN_STRING_MIDDLE) && !parser_at(p, TOKEN_STRING_TAIL))
    parser_expected(p, "`}` at the end of the interpolation");
  if (p->panicking) skip_interpolation(p);
}

/* At the first piece of a string that has more. */
static Expr *parse_interpolation(Parser *p) {
  uint32_t first = p->pos;
  Level level = parser_enter(p);
  p->free_newlines = true;
  p->no_map = false;
  p->slice_depth = 0;
  size_t begin = parser_list_begin(p);
  if (!p->panicking) push_piece(p, parser_advance(p));
  while (!p->panicking) {
    parse_interpolated(p);
    if (p->panicking || parser_at(p, TOKEN_EOF)) break;
    const Token *piece = parser_advance(p);
    push_piece(p, piece);
    if (piece->kind == TOKEN_STRING_TAIL) break;
  }
  parser_leave(p, level);
  Expr *expr = parser_new_expr(p, EXPR_INTERP, parser_span_from(p, first));
  expr->list.items = parser_list_end(p, begin, sizeof(Expr *), &expr->list.count);
  return expr;
}

/* ---- names ------------------------------------------------------------------------------ */

static Expr *parse_name(Parser *p) {
  const Token *token = parser_advance(p);
  return parser_new_name(p, token->name, token->span);
}

/* `super.name`; `super` alone is no value, since it would be the same object as `self`. */
static Expr *parse_super(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  if (!parser_accept(p, TOKEN_DOT)) {
    parser_hint(p, parser_expected(p, "`.` after `super`"),
                "a method of the superclass is called as `super.init(...)`");
    return parser_error_expr(p);
  }
  if (!token_is_word(parser_kind(p))) {
    parser_expected(p, "the name of a method");
    return parser_error_expr(p);
  }
  const Token *name = parser_advance(p);
  Expr *expr = parser_new_expr(p, EXPR_SUPER, parser_span_from(p, first));
  expr->super.name = name->name;
  expr->super.name_span = name->span;
  return expr;
}

/* `.name` or `?.name`, at the name. */
static Expr *parse_field(Parser *p, Expr *object, bool optional) {
  if (!token_is_word(parser_kind(p))) {
    Diag *diag = parser_expected(p, "a name after the point");
    if (object->kind == EXPR_INT) diag->hint = "a float has a digit behind its point: 1.0";
    if (parser_at(p, TOKEN_STRING)) diag->hint = "strings are joined by `+`";
    return object;
  }
  const Token *name = parser_advance(p);
  Expr *expr = parser_new_expr(p, EXPR_FIELD, span_join(object->span, name->span));
  expr->field.object = object;
  expr->field.name = name->name;
  expr->field.name_span = name->span;
  expr->field.optional = optional;
  return expr;
}

Expr *parser_parse_type(Parser *p) {
  TokenKind kind = parser_kind(p);
  if (p->panicking) return parser_error_expr(p);
  if (kind != TOKEN_NAME && kind != TOKEN_NIL && kind != TOKEN_CLASS && kind != TOKEN_FN) {
    Diag *diag = parser_expected(p, "the name of a type or class");
    if (parser_starts_expr(parser_kind(p))) diag->hint = "values are compared by `==`";
    return parser_error_expr(p);
  }
  uint32_t outer = parser_begin_height(p);
  Expr *type = parse_name(p);
  while (!p->panicking && parser_at(p, TOKEN_DOT) && !parser_at_line_start(p)) {
    parser_advance(p);
    type = parse_field(p, type, false);
    parser_add_height(p);
  }
  parser_end_height(p, outer);
  return type;
}

/* ---- parentheses, lists, maps ----------------------------------------------------------- */

static Expr *parse_fn_expr(Parser *p) {
  uint32_t first = p->pos;
  Fn *fn = parser_parse_fn(p, FN_EXPRESSION);
  Expr *expr = parser_new_expr(p, EXPR_FN, parser_span_from(p, first));
  expr->fn = fn;
  return expr;
}

/* `() => x`, `(a, b) => x` */
static bool at_lambda_habit(const Parser *p) {
  const Token *paren = parser_token(p);
  if (paren->closer == TOKEN_UNCLOSED || p->tokens[paren->closer + 1].kind != TOKEN_ARROW)
    return false;
  return parser_peek(p, 1)->kind == TOKEN_RPAREN ||
         (parser_peek(p, 1)->kind == TOKEN_NAME && parser_peek(p, 2)->kind == TOKEN_COMMA);
}

static Expr *parse_parens_content(Parser *p) {
  Expr *expr = parser_parse_expr(p);
  if (!p->panicking && parser_at(p, TOKEN_COMMA))
    parser_hint(p, parser_expected(p, "`)`"), "a list is written [a, b]");
  return expr;
}

/* Parentheses make no node, but the span of what is in them grows to take them in. */
static Expr *parse_parens(Parser *p) {
  uint32_t first = p->pos;
  if (at_lambda_habit(p)) {
    Span span = parser_token(p)->span;
    parser_hint(p, parser_complain(p, (Span){span.start, span.start}, "missing `fn`"),
                "a function is written `fn(a, b) => ...`");
    return parse_fn_expr(p);
  }
  Level level = parser_open(p, false);
  Expr *expr = p->panicking ? parser_error_expr(p) : parse_parens_content(p);
  parser_close(p, level, TOKEN_RPAREN, "`)`");
  expr->span = parser_span_from(p, first);
  p->in_parens = expr;
  return expr;
}

static Expr *parse_spread(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  Expr *operand = parser_parse_expr(p);
  Expr *expr = parser_new_expr(p, EXPR_SPREAD, parser_span_from(p, first));
  expr->operand = operand;
  return expr;
}

static Expr *parse_list(Parser *p) {
  uint32_t first = p->pos;
  Level level = parser_open(p, false);
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RBRACKET)) {
    push_expr(p, parser_at(p, TOKEN_ELLIPSIS) ? parse_spread(p) : parser_parse_expr(p));
    if (!parser_accept(p, TOKEN_COMMA)) break;
  }
  parser_close(p, level, TOKEN_RBRACKET, "`,` or `]`");
  Expr *expr = parser_new_expr(p, EXPR_LIST, parser_span_from(p, first));
  expr->list.items = parser_list_end(p, begin, sizeof(Expr *), &expr->list.count);
  return expr;
}

/* `{}`, `{...`, `{key:`, `{"key":`, `{1:` and `{a,` begin a map; `{label: for` does not. */
bool parser_at_map(const Parser *p) {
  const Token *first = parser_peek(p, 1), *second = parser_peek(p, 2), *third = parser_peek(p, 3);
  if (!parser_at(p, TOKEN_LBRACE)) return false;
  switch (first->kind) {
    case TOKEN_RBRACE:
    case TOKEN_ELLIPSIS: return true;
    case TOKEN_STRING:
    case TOKEN_INT: return second->kind == TOKEN_COLON;
    default: break;
  }
  if (!token_is_word(first->kind)) return false;
  if (second->kind == TOKEN_COMMA) return first->kind == TOKEN_NAME;
  bool is_label = third->kind == TOKEN_FOR || third->kind == TOKEN_WHILE;
  return second->kind == TOKEN_COLON && !is_label;
}

static Expr *parse_computed_key(Parser *p) {
  Level level = parser_open(p, false);
  Expr *key = p->panicking ? parser_error_expr(p) : parser_parse_expr(p);
  parser_close(p, level, TOKEN_RBRACKET, "`]`");
  return key;
}

/* A key that is no plain word. */
static Expr *parse_literal_key(Parser *p) {
  if (parser_accept(p, TOKEN_MINUS)) {
    if (parser_at(p, TOKEN_INT) || parser_at(p, TOKEN_FLOAT)) return parser_parse_number(p, true);
    parser_expected(p, "a number");
    return parser_error_expr(p);
  }
  switch (parser_kind(p)) {
    case TOKEN_INT:
    case TOKEN_FLOAT: return parser_parse_number(p, false);
    case TOKEN_STRING: return parse_string(p);
    case TOKEN_STRING_HEAD: return parse_interpolation(p);
    case TOKEN_LBRACKET: return parse_computed_key(p);
    default:
      parser_hint(p, parser_expected(p, "a key or `}`"),
                  "here `{` begins a map: {key: value}; a computed key is written [key]: value");
      return parser_error_expr(p);
  }
}

/* `word: value` or the shorthand `word`. */
static void parse_word_entry(Parser *p, MapEntry *entry) {
  const Token *word = parser_advance(p);
  entry->key = parser_new_string(p, parser_name_text(word->name), word->span);
  if (parser_accept(p, TOKEN_COLON)) {
    entry->value = parser_parse_expr(p);
    parser_name_function(entry->value, word->name);
  } else if (word->kind == TOKEN_NAME && !parser_at(p, TOKEN_EQUAL)) {
    entry->value = parser_new_name(p, word->name, word->span);
  } else {
    parser_hint(p, parser_expected(p, "`:` after the key"), "an entry is written key: value");
  }
}

static MapEntry parse_entry(Parser *p) {
  MapEntry entry = {NULL, NULL};
  if (parser_accept(p, TOKEN_ELLIPSIS)) {
    entry.value = parser_parse_expr(p);
    return entry;
  }
  if (token_is_word(parser_kind(p))) {
    parse_word_entry(p, &entry);
  } else {
    entry.key = parse_literal_key(p);
    parser_expect(p, TOKEN_COLON, "`:` after the key");
    if (!p->panicking) entry.value = parser_parse_expr(p);
  }
  if (!entry.value) entry.value = parser_error_expr(p);
  return entry;
}

static Expr *parse_map(Parser *p) {
  uint32_t first = p->pos;
  Level level = parser_open(p, false);
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RBRACE)) {
    MapEntry entry = parse_entry(p);
    parser_list_push(p, &entry, sizeof entry);
    if (!parser_accept(p, TOKEN_COMMA)) break;
  }
  parser_close(p, level, TOKEN_RBRACE, "`,` or `}`");
  Expr *expr = parser_new_expr(p, EXPR_MAP, parser_span_from(p, first));
  expr->map.entries = parser_list_end(p, begin, sizeof(MapEntry), &expr->map.count);
  return expr;
}

/* ---- primary expressions ---------------------------------------------------------------- */

/* What people write where an expression should start, and what to write instead. */
static const char *operand_hint(const Parser *p) {
  const Token *token = parser_token(p);
  const Token *previous = p->pos > 0 ? token - 1 : token;
  bool touches = p->pos > 0 && previous->span.end == token->span.start;
  switch (token->kind) {
    case TOKEN_PLUS:
      return touches && previous->kind == TOKEN_PLUS ? "there is no `++`: write `x += 1`"
                                                     : "a number takes no sign `+`";
    case TOKEN_GREATER:
      return touches && previous->kind == TOKEN_LESS ? "\"not equal\" is written `!=`" : NULL;
    case TOKEN_PIPE: return "a function is written `fn(x) => ...`";
    case TOKEN_STAR: return "arguments are spread by `...xs`";
    case TOKEN_COLON: return "a slice is written xs[from..to], and has no step";
    case TOKEN_DOT: return "a number starts with a digit: 0.5";
    case TOKEN_DOT_DOT:
    case TOKEN_DOT_DOT_EQUAL: return "a range needs both ends, except in an index";
    case TOKEN_ELLIPSIS: return "`...` spreads only in a call, a list or a map";
    case TOKEN_LBRACE: return "before a block a map needs parentheses: ({key: value})";
    case TOKEN_YIELD: return "inside an expression it needs parentheses: (yield x)";
    case TOKEN_CLASS: return "a class is declared by a statement: `class Name { }`";
    case TOKEN_LET:
    case TOKEN_CONST:
    case TOKEN_WHILE:
    case TOKEN_FOR:
    case TOKEN_THROW:
    case TOKEN_RETURN:
    case TOKEN_BREAK:
    case TOKEN_CONTINUE: return "this begins a statement, which has no value";
    default: return NULL;
  }
}

/* Nothing an expression starts with. */
static Expr *refuse_primary(Parser *p) {
  Diag *diag = parser_expected(p, "an expression");
  diag->hint = parser_at_line_start(p) ? NULL : operand_hint(p);
  return parser_error_expr(p);
}

static Expr *parse_primary(Parser *p) {
  if (p->panicking) return parser_error_expr(p);
  switch (parser_kind(p)) {
    case TOKEN_INT:
    case TOKEN_FLOAT: return parser_parse_number(p, false);
    case TOKEN_STRING:
    case TOKEN_NIL:
    case TOKEN_TRUE:
    case TOKEN_FALSE: return parser_parse_literal(p);
    case TOKEN_STRING_HEAD: return parse_interpolation(p);
    case TOKEN_NAME: return parse_name(p);
    case TOKEN_SELF: return parser_new_expr(p, EXPR_SELF, parser_advance(p)->span);
    case TOKEN_SUPER: return parse_super(p);
    case TOKEN_LPAREN: return parse_parens(p);
    case TOKEN_LBRACKET: return parse_list(p);
    case TOKEN_LBRACE: return p->no_map ? refuse_primary(p) : parse_map(p);
    case TOKEN_FN: return parse_fn_expr(p);
    case TOKEN_IF: return parser_parse_if(p);
    case TOKEN_MATCH: return parser_parse_match(p);
    case TOKEN_TRY: return parser_parse_try(p);
    default: return refuse_primary(p);
  }
}

/* ---- calls and indexes ------------------------------------------------------------------ */

Expr *parser_new_call(Parser *p, Expr *callee, Span span) {
  Expr *expr = parser_new_expr(p, EXPR_CALL, span);
  expr->call.callee = callee;
  return expr;
}

/* `value`, `...list` or `name: value` */
static Arg parse_arg(Parser *p) {
  Arg arg = {NULL, {0, 0}, NULL};
  if (parser_at(p, TOKEN_ELLIPSIS)) {
    arg.value = parse_spread(p);
    return arg;
  }
  if (token_is_word(parser_kind(p)) && parser_peek(p, 1)->kind == TOKEN_COLON) {
    const Token *name = parser_advance(p);
    arg.name = name->name;
    arg.name_span = name->span;
    parser_advance(p);
  }
  arg.value = parser_parse_expr(p);
  if (!p->panicking && parser_at(p, TOKEN_EQUAL))
    parser_hint(p, parser_expected(p, "`,` or `)`"),
                "a named argument is written `name: value`; `==` compares");
  return arg;
}

/* Named arguments come last, and once each. */
static void check_args(Parser *p, const Expr *call) {
  uint32_t stamp = parser_new_stamp(p);
  bool any_named = false;
  for (uint32_t i = 0; i < call->call.count; i++) {
    const Arg *arg = &call->call.args[i];
    if (!arg->name && any_named) {
      parser_complain(p, arg->value->span, "a positional argument after a named one");
      return;
    }
    if (!arg->name) continue;
    any_named = true;
    if (parser_stamp_name(arg->name, stamp))
      parser_complain(p, arg->name_span, "the argument `%s` is given twice", arg->name->chars);
  }
}

static Expr *parse_call(Parser *p, Expr *callee, bool optional) {
  Level level = parser_open(p, false);
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RPAREN)) {
    Arg arg = parse_arg(p);
    parser_list_push(p, &arg, sizeof arg);
    if (!parser_accept(p, TOKEN_COMMA)) break;
  }
  parser_close(p, level, TOKEN_RPAREN, "`,` or `)`");
  Expr *expr =
      parser_new_call(p, callee, span_join(callee->span, parser_span_from(p, level.opener)));
  expr->call.optional = optional;
  expr->call.args = parser_list_end(p, begin, sizeof(Arg), &expr->call.count);
  check_args(p, expr);
  return expr;
}

/* `..x`, `..=x` or `..` in an index. */
static Expr *parse_leading_range(Parser *p) {
  uint32_t first = p->pos;
  bool inclusive = parser_advance(p)->kind == TOKEN_DOT_DOT_EQUAL;
  bool ends = parser_at(p, TOKEN_RBRACKET) || parser_at(p, TOKEN_COMMA);
  uint32_t outer = parser_begin_height(p);
  Expr *to = ends && !inclusive ? NULL : parser_parse_operators(p, PREC_RANGE + 1);
  parser_end_height(p, outer);
  Expr *expr = parser_new_expr(p, EXPR_RANGE, parser_span_from(p, first));
  expr->range.inclusive = inclusive;
  expr->range.to = to;
  return expr;
}

/* One index of several. A range may lack its end here, but only as the index itself: `a[b or 1..]`
 * would leave an open range inside another expression. */
static Expr *parse_index_item(Parser *p) {
  if (parser_at(p, TOKEN_DOT_DOT) || parser_at(p, TOKEN_DOT_DOT_EQUAL))
    return parse_leading_range(p);
  Expr *outer = p->open_range;
  p->open_range = NULL;
  Expr *item = parser_parse_expr(p);
  if (p->open_range && p->open_range != item)
    parser_complain(p, p->open_range->span, "a range without an end must be the whole index");
  p->open_range = outer;
  return item;
}

static Expr *parse_index(Parser *p, Expr *object, bool optional) {
  Level level = parser_open(p, false);
  size_t begin = parser_list_begin(p);
  p->slice_depth = p->depth;
  do {
    if (p->panicking) break;
    Expr *item = parse_index_item(p);
    push_expr(p, item);
  } while (parser_accept(p, TOKEN_COMMA));
  parser_close(p, level, TOKEN_RBRACKET, "`,` or `]`");
  Span span = span_join(object->span, parser_span_from(p, level.opener));
  Expr *expr = parser_new_expr(p, EXPR_INDEX, span);
  expr->index.object = object;
  expr->index.optional = optional;
  expr->index.indices.items = parser_list_end(p, begin, sizeof(Expr *), &expr->index.indices.count);
  return expr;
}

/* `?.name`, `?.[i]`, `?.(x)`, at the `?.` */
static Expr *parse_optional_link(Parser *p, Expr *object) {
  parser_advance(p);
  if (parser_at(p, TOKEN_LBRACKET)) return parse_index(p, object, true);
  if (parser_at(p, TOKEN_LPAREN)) return parse_call(p, object, true);
  return parse_field(p, object, true);
}

/* Whether the chain goes on. */
static bool at_link(const Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_DOT:
    case TOKEN_QUESTION_DOT: return true;
    case TOKEN_LPAREN:
    case TOKEN_LBRACKET: return !parser_at_line_start(p);
    default: return false;
  }
}

static Expr *parse_link(Parser *p, Expr *object) {
  switch (parser_kind(p)) {
    case TOKEN_LPAREN: return parse_call(p, object, false);
    case TOKEN_LBRACKET: return parse_index(p, object, false);
    case TOKEN_QUESTION_DOT: return parse_optional_link(p, object);
    default: parser_advance(p); return parse_field(p, object, false);
  }
}

Expr *parser_parse_postfix(Parser *p) {
  Expr *expr = parse_primary(p);
  bool has_optional = false;
  while (!p->panicking && at_link(p)) {
    has_optional |= parser_at(p, TOKEN_QUESTION_DOT);
    expr = parse_link(p, expr);
    parser_add_height(p);
  }
  if (!has_optional) return expr;
  Expr *chain = parser_new_expr(p, EXPR_CHAIN, expr->span);
  chain->operand = expr;
  parser_add_height(p);
  return chain;
}
