/* if, match and try: expressions made of blocks.
 *
 * As statements they are the same nodes inside a STMT_EXPR. Words that go on with them (`else`,
 * `catch`, `finally`) may stand on a new line, since no statement begins with them. Chains of
 * `else if` become one list, so that a long one is neither nesting nor recursion.
 */
#include <string.h>

#include "parser_internal.h"

/* ---- if --------------------------------------------------------------------------------- */

/* Behind the `if`. */
static IfClause parse_clause(Parser *p) {
  IfClause clause;
  clause.condition = parser_parse_head(p);
  clause.body = parser_parse_block(p);
  return clause;
}

static bool at_else_if_habit(const Parser *p) {
  bool is_habit =
      parser_at_word(p, "elif") || parser_at_word(p, "elseif") || parser_at_word(p, "elsif");
  return is_habit && parser_peek(p, 1)->kind != TOKEN_EQUAL;
}

/* Steps over `else if`, or what others write for it. */
static bool accept_else_if(Parser *p) {
  if (p->panicking) return false;
  if (at_else_if_habit(p)) {
    const Token *token = parser_token(p);
    parser_hint(p, parser_complain(p, token->span, "there is no `%s`", token->name->chars),
                "write `else if`");
    parser_advance(p);
    return true;
  }
  if (!parser_at(p, TOKEN_ELSE) || parser_peek(p, 1)->kind != TOKEN_IF) return false;
  parser_advance(p);
  parser_advance(p);
  return true;
}

Expr *parser_parse_if(Parser *p) {
  uint32_t first = p->pos;
  Level level = parser_enter(p);
  IfExpr *node = ARENA_NEW(p->arena, IfExpr);
  size_t begin = parser_list_begin(p);
  parser_advance(p);
  do {
    IfClause clause = parse_clause(p);
    parser_list_push(p, &clause, sizeof clause);
  } while (accept_else_if(p));
  if (parser_accept(p, TOKEN_ELSE)) node->otherwise = parser_parse_block(p);
  node->clauses = parser_list_end(p, begin, sizeof *node->clauses, &node->count);
  parser_leave(p, level);
  Expr *expr = parser_new_expr(p, EXPR_IF, parser_span_from(p, first));
  expr->if_ = node;
  return expr;
}

/* ---- match ------------------------------------------------------------------------------ */

/* `case 1 =>` */
static void skip_case_habit(Parser *p) {
  TokenKind next = parser_peek(p, 1)->kind;
  bool is_word = parser_at_word(p, "case") || parser_at_word(p, "when");
  if (!is_word || next == TOKEN_ARROW || next == TOKEN_IF || next == TOKEN_PIPE) return;
  const Token *word = parser_token(p);
  parser_hint(p, parser_complain(p, word->span, "there is no `%s`", word->name->chars),
              "an arm starts with its pattern: 1 => ...");
  parser_advance(p);
}

static Pattern *parse_arm_pattern(Parser *p) {
  skip_case_habit(p);
  bool is_default = parser_at(p, TOKEN_ELSE) || parser_at_word(p, "default");
  if (!is_default || parser_peek(p, 1)->kind != TOKEN_ARROW)
    return parser_parse_pattern(p, PATTERN_MODE_MATCH);
  Span span = parser_token(p)->span;
  parser_hint(p, parser_complain(p, span, "the arm for everything else starts with `_`"),
              "write `_ => ...`");
  parser_advance(p);
  return parser_new_pattern(p, PATTERN_WILDCARD, span);
}

/* `pattern => body` or `pattern if guard => body` */
static MatchArm parse_arm(Parser *p) {
  uint32_t first = p->pos;
  MatchArm arm = {0};
  arm.pattern = parse_arm_pattern(p);
  if (parser_accept(p, TOKEN_IF)) arm.guard = parser_parse_expr(p);
  parser_expect(p, TOKEN_ARROW, "`=>` after the pattern");
  arm.body = parser_parse_arrow_body(p, false);
  arm.span = parser_span_from(p, first);
  return arm;
}

/* Arms end with a line, `;` or `,`. An error in one does not hide those in the next. */
static void parse_arms(Parser *p, MatchExpr *node) {
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RBRACE)) {
    if (parser_accept(p, TOKEN_SEMICOLON) || parser_accept(p, TOKEN_COMMA)) continue;
    uint32_t first = parser_begin_item(p);
    MatchArm arm = parse_arm(p);
    parser_list_push(p, &arm, sizeof arm);
    if (!p->panicking && !parser_at_statement_end(p) && !parser_at(p, TOKEN_COMMA))
      parser_expected(p, "a new line or `,` after the arm");
    if (p->panicking) parser_synchronize(p, first);
  }
  node->arms = parser_list_end(p, begin, sizeof *node->arms, &node->count);
}

Expr *parser_parse_match(Parser *p) {
  uint32_t first = p->pos;
  Level outer = parser_enter(p);
  MatchExpr *node = ARENA_NEW(p->arena, MatchExpr);
  parser_advance(p);
  node->subject = parser_parse_head(p);
  if (parser_find_block(p)) {
    Level level = parser_open(p, true);
    parse_arms(p, node);
    parser_close(p, level, TOKEN_RBRACE, "`}`");
  }
  parser_leave(p, outer);
  Expr *expr = parser_new_expr(p, EXPR_MATCH, parser_span_from(p, first));
  expr->match = node;
  return expr;
}

/* ---- try -------------------------------------------------------------------------------- */

/* `catch {a, b} {`: a map pattern before the block. */
static bool at_caught_map(const Parser *p) {
  const Token *token = parser_token(p);
  if (token->kind != TOKEN_LBRACE || token->closer == TOKEN_UNCLOSED) return false;
  const Token *next = &p->tokens[token->closer + 1];
  return next->kind == TOKEN_LBRACE && !next->newline_before;
}

/* What `catch` binds; NULL where it is followed by its block. */
static Pattern *parse_caught(Parser *p) {
  if (parser_at(p, TOKEN_LBRACE) && !at_caught_map(p)) return NULL;
  if (!parser_at(p, TOKEN_LPAREN)) return parser_parse_pattern(p, PATTERN_MODE_DECLARE);
  parser_hint(p, parser_complain(p, parser_token(p)->span, "no parentheses after `catch`"),
              "write `catch e { }`");
  Level level = parser_open(p, false);
  Pattern *pattern = p->panicking ? NULL : parser_parse_pattern(p, PATTERN_MODE_DECLARE);
  parser_close(p, level, TOKEN_RPAREN, "`)`");
  return pattern;
}

Expr *parser_parse_try(Parser *p) {
  uint32_t first = p->pos;
  Level level = parser_enter(p);
  TryExpr *node = ARENA_NEW(p->arena, TryExpr);
  parser_advance(p);
  node->body = parser_parse_block(p);
  if (parser_accept(p, TOKEN_CATCH)) {
    node->catch_pattern = parse_caught(p);
    node->catch_body = parser_parse_block(p);
  }
  if (parser_accept(p, TOKEN_FINALLY)) node->finally_body = parser_parse_block(p);
  if (!node->catch_body && !node->finally_body)
    parser_expected(p, "`catch` or `finally` after the block of `try`");
  parser_leave(p, level);
  Expr *expr = parser_new_expr(p, EXPR_TRY, parser_span_from(p, first));
  expr->try_ = node;
  return expr;
}
