/* Patterns: what names are bound by, and what match tests.
 *
 * One grammar in three modes. All have names (or what can be assigned to), `_`, lists and maps;
 * only match adds literals, ranges, types and alternatives.
 *
 * In match a bare name binds. So that a class can be tested, a name counts as a type where it is
 * dotted (`geo.Point`), where another pattern follows it (`Point p`, `Point {x, y}`), and after
 * `is`. Alternatives may not bind: every name would have to be bound by each of them.
 */
#include "parser_internal.h"

/* ---- leaves ----------------------------------------------------------------------------- */

static Pattern *new_pattern_from(Parser *p, PatternKind kind, uint32_t first) {
  return parser_new_pattern(p, kind, parser_span_from(p, first));
}

static Pattern *error_pattern(Parser *p) {
  return parser_new_pattern(p, PATTERN_WILDCARD, parser_token(p)->span);
}

/* `name`, or `_`, which binds nothing. */
static Pattern *new_bind(Parser *p, const Token *token) {
  bool is_wildcard = token->name->len == 1 && token->name->chars[0] == '_';
  Pattern *pattern =
      parser_new_pattern(p, is_wildcard ? PATTERN_WILDCARD : PATTERN_BIND, token->span);
  if (!is_wildcard) pattern->bind.name = token->name;
  return pattern;
}

static Pattern *new_target(Parser *p, Expr *target) {
  Pattern *pattern = parser_new_pattern(p, PATTERN_TARGET, target->span);
  pattern->target = target;
  return pattern;
}

/* Anything that can stand left of `=`, and `_`. */
static Pattern *parse_target(Parser *p) {
  if (parser_at_word(p, "_")) return new_bind(p, parser_advance(p));
  uint32_t outer = parser_begin_height(p);
  Expr *target = parser_parse_postfix(p);
  parser_end_height(p, outer);
  if (!p->panicking) parser_check_target(p, target);
  return new_target(p, target);
}

/* The name a list or map pattern gives the rest to; a bare `...` drops it. */
static Pattern *parse_rest(Parser *p, PatternMode mode) {
  uint32_t first = p->pos;
  parser_advance(p);
  bool is_bare = parser_at(p, TOKEN_RBRACKET) || parser_at(p, TOKEN_RBRACE);
  if (is_bare) return new_pattern_from(p, PATTERN_WILDCARD, first);
  if (mode == PATTERN_MODE_ASSIGN) return parse_target(p);
  const Token *name = parser_expect_name(p, "a name for the rest");
  return name ? new_bind(p, name) : error_pattern(p);
}

static void check_rest_is_last(Parser *p, const Pattern *rest, TokenKind closer) {
  parser_accept(p, TOKEN_COMMA);
  if (!p->panicking && !parser_at(p, closer))
    parser_error(p, rest->span, "the rest of a pattern must be its last part");
}

/* ---- lists ------------------------------------------------------------------------------ */

static ListPatternItem parse_list_item(Parser *p, PatternMode mode) {
  ListPatternItem item = {NULL, NULL};
  item.pattern = parser_parse_pattern(p, mode);
  if (parser_accept(p, TOKEN_EQUAL)) item.default_value = parser_parse_expr(p);
  return item;
}

/* Items are filled from the left, so a default before an item without one would be of no use. */
static void check_defaults(Parser *p, const Pattern *list) {
  bool any = false;
  for (uint32_t i = 0; i < list->list.count; i++) {
    const ListPatternItem *item = &list->list.items[i];
    if (any && !item->default_value) {
      parser_complain(p, item->pattern->span,
                      "an item without a default follows one with a default");
      return;
    }
    any |= item->default_value != NULL;
  }
}

static Pattern *parse_list_pattern(Parser *p, PatternMode mode) {
  uint32_t first = p->pos;
  Level level = parser_open(p, false);
  Pattern *rest = NULL;
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RBRACKET)) {
    if (parser_at(p, TOKEN_ELLIPSIS)) {
      rest = parse_rest(p, mode);
      check_rest_is_last(p, rest, TOKEN_RBRACKET);
      break;
    }
    ListPatternItem item = parse_list_item(p, mode);
    parser_list_push(p, &item, sizeof item);
    if (!parser_accept(p, TOKEN_COMMA)) break;
  }
  parser_close(p, level, TOKEN_RBRACKET, "`,` or `]`");
  Pattern *pattern = new_pattern_from(p, PATTERN_LIST, first);
  pattern->list.items = parser_list_end(p, begin, sizeof(ListPatternItem), &pattern->list.count);
  pattern->list.rest = rest;
  check_defaults(p, pattern);
  return pattern;
}

/* ---- maps ------------------------------------------------------------------------------- */

/* The shorthand `{name}`. */
static Pattern *shorthand_pattern(Parser *p, const Token *word, PatternMode mode) {
  if (word->kind != TOKEN_NAME) {
    parser_hint(p, parser_expected(p, "`:` after the key"),
                "`%s` is a word of the language: give the value a name, {%s: name}",
                word->name->chars, word->name->chars);
    return error_pattern(p);
  }
  if (mode == PATTERN_MODE_ASSIGN) return new_target(p, parser_new_name(p, word->name, word->span));
  return new_bind(p, word);
}

static Expr *parse_pattern_key(Parser *p) {
  if (parser_at(p, TOKEN_INT) || parser_at(p, TOKEN_FLOAT)) return parser_parse_number(p, false);
  if (parser_at(p, TOKEN_STRING)) {
    const Token *token = parser_advance(p);
    return parser_new_string(p, *token->text, token->span);
  }
  parser_expected(p, "a key or `}`");
  return parser_error_expr(p);
}

/* `key`, `key = default`, `key: pattern`, `"key": pattern = default` */
static MapPatternEntry parse_map_entry(Parser *p, PatternMode mode) {
  MapPatternEntry entry = {NULL, NULL, NULL};
  const Token *word = token_is_word(parser_kind(p)) ? parser_advance(p) : NULL;
  if (word) entry.key = parser_new_string(p, parser_name_text(word->name), word->span);
  else entry.key = parse_pattern_key(p);
  if (parser_accept(p, TOKEN_COLON)) entry.pattern = parser_parse_pattern(p, mode);
  else if (word) entry.pattern = shorthand_pattern(p, word, mode);
  else parser_expected(p, "`:` after the key");
  if (!entry.pattern) entry.pattern = error_pattern(p);
  if (parser_accept(p, TOKEN_EQUAL)) entry.default_value = parser_parse_expr(p);
  return entry;
}

static Pattern *parse_map_pattern(Parser *p, PatternMode mode) {
  uint32_t first = p->pos;
  Level level = parser_open(p, false);
  Pattern *rest = NULL;
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RBRACE)) {
    if (parser_at(p, TOKEN_ELLIPSIS)) {
      rest = parse_rest(p, mode);
      check_rest_is_last(p, rest, TOKEN_RBRACE);
      break;
    }
    MapPatternEntry entry = parse_map_entry(p, mode);
    parser_list_push(p, &entry, sizeof entry);
    if (!parser_accept(p, TOKEN_COMMA)) break;
  }
  parser_close(p, level, TOKEN_RBRACE, "`,` or `}`");
  Pattern *pattern = new_pattern_from(p, PATTERN_MAP, first);
  pattern->map.entries = parser_list_end(p, begin, sizeof(MapPatternEntry), &pattern->map.count);
  pattern->map.rest = rest;
  return pattern;
}

/* ---- only in match ---------------------------------------------------------------------- */

static Pattern *parse_name_or_type(Parser *p, bool is_type);

/* Whether a pattern begins here that can follow a class: `Point p`, `Point {x, y}`. */
static bool at_inner(const Parser *p) {
  if (parser_at_line_start(p)) return false;
  TokenKind kind = parser_kind(p);
  return kind == TOKEN_NAME || kind == TOKEN_LBRACKET || kind == TOKEN_LBRACE;
}

static Pattern *parse_inner(Parser *p) {
  if (parser_at(p, TOKEN_LBRACKET)) return parse_list_pattern(p, PATTERN_MODE_MATCH);
  if (parser_at(p, TOKEN_LBRACE)) return parse_map_pattern(p, PATTERN_MODE_MATCH);
  return parse_name_or_type(p, false);
}

/* A name that binds, or the name of a class: dotted, or followed by a pattern, or after `is`. */
static Pattern *parse_name_or_type(Parser *p, bool is_type) {
  uint32_t first = p->pos;
  const Token *name = parser_token(p);
  Expr *type = parser_parse_type(p);
  if (!p->panicking && parser_at(p, TOKEN_LPAREN) && !parser_at_line_start(p))
    parser_hint(p, parser_expected(p, "the end of the pattern"),
                "an instance is taken apart by its fields: %s {x, y}", name->name->chars);
  bool has_inner = !p->panicking && at_inner(p);
  if (!has_inner && !is_type && type->kind == EXPR_NAME) return new_bind(p, name);
  Pattern *inner = NULL;
  if (has_inner) {
    Level level = parser_enter(p);
    inner = parse_inner(p);
    parser_leave(p, level);
  }
  Pattern *pattern = new_pattern_from(p, PATTERN_TYPE, first);
  pattern->type.type = type;
  pattern->type.inner = inner;
  return pattern;
}

/* `is T`, with a pattern for the value behind it or not. */
static Pattern *parse_is_pattern(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  if (parser_at(p, TOKEN_NOT))
    parser_hint(p, parser_expected(p, "the name of a type or class"),
                "put the arm for the type first, or use a guard: x if x is not T");
  Pattern *pattern = parse_name_or_type(p, true);
  pattern->span = parser_span_from(p, first);
  return pattern;
}

static Expr *parse_number_literal(Parser *p) {
  bool is_negative = parser_accept(p, TOKEN_MINUS);
  if (parser_at(p, TOKEN_INT) || parser_at(p, TOKEN_FLOAT))
    return parser_parse_number(p, is_negative);
  parser_expected(p, "a number");
  return parser_error_expr(p);
}

static Pattern *new_literal(Parser *p, Expr *literal) {
  Pattern *pattern = parser_new_pattern(p, PATTERN_LITERAL, literal->span);
  pattern->literal = literal;
  return pattern;
}

/* A number, or a range from it. */
static Pattern *parse_number_pattern(Parser *p) {
  Expr *from = parse_number_literal(p);
  if (!parser_at(p, TOKEN_DOT_DOT) && !parser_at(p, TOKEN_DOT_DOT_EQUAL))
    return new_literal(p, from);
  bool inclusive = parser_advance(p)->kind == TOKEN_DOT_DOT_EQUAL;
  Expr *to = parse_number_literal(p);
  Pattern *pattern = parser_new_pattern(p, PATTERN_RANGE, span_join(from->span, to->span));
  pattern->range.inclusive = inclusive;
  pattern->range.from = from;
  pattern->range.to = to;
  return pattern;
}

/* Nothing a pattern starts with. */
static Pattern *refuse_pattern(Parser *p) {
  Diag *diag = parser_expected(p, "a pattern");
  if (parser_at(p, TOKEN_STRING_HEAD))
    parser_hint(p, diag, "a string in a pattern has no interpolation; use a guard: s if s == ...");
  else if (parser_starts_expr(parser_kind(p)) || token_is_keyword(parser_kind(p)))
    parser_hint(p, diag,
                "patterns are literals, names, lists, maps, classes and `is type`; "
                "anything else is a guard: x if ...");
  return error_pattern(p);
}

static Pattern *parse_match_primary(Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_NAME: return parse_name_or_type(p, false);
    case TOKEN_IS: return parse_is_pattern(p);
    case TOKEN_MINUS:
    case TOKEN_INT:
    case TOKEN_FLOAT: return parse_number_pattern(p);
    case TOKEN_STRING:
    case TOKEN_NIL:
    case TOKEN_TRUE:
    case TOKEN_FALSE: return new_literal(p, parser_parse_literal(p));
    case TOKEN_LBRACKET: return parse_list_pattern(p, PATTERN_MODE_MATCH);
    case TOKEN_LBRACE: return parse_map_pattern(p, PATTERN_MODE_MATCH);
    default: return refuse_pattern(p);
  }
}

/* The first name that a pattern binds, or NULL. */
static const Pattern *find_bind(const Pattern *pattern) {
  const Pattern *found = NULL;
  switch (pattern->kind) {
    case PATTERN_BIND: return pattern;
    case PATTERN_TYPE: return pattern->type.inner ? find_bind(pattern->type.inner) : NULL;
    case PATTERN_LIST:
      for (uint32_t i = 0; i < pattern->list.count && !found; i++)
        found = find_bind(pattern->list.items[i].pattern);
      return found || !pattern->list.rest ? found : find_bind(pattern->list.rest);
    case PATTERN_MAP:
      for (uint32_t i = 0; i < pattern->map.count && !found; i++)
        found = find_bind(pattern->map.entries[i].pattern);
      return found || !pattern->map.rest ? found : find_bind(pattern->map.rest);
    default: return NULL; /* alternatives were checked when they were made */
  }
}

static void push_alternative(Parser *p, Pattern *pattern) {
  const Pattern *bind = p->panicking ? NULL : find_bind(pattern);
  if (bind)
    parser_hint(p, parser_complain(p, bind->span, "a pattern with `|` cannot bind names"),
                "write an arm for each, or `_` for a part that does not matter");
  parser_list_push(p, &pattern, sizeof pattern);
}

/* One pattern, or several joined by `|`. */
static Pattern *parse_alternatives(Parser *p) {
  uint32_t first = p->pos;
  Pattern *one = parse_match_primary(p);
  if (p->panicking || (!parser_at(p, TOKEN_PIPE) && !parser_at(p, TOKEN_OR))) return one;
  size_t begin = parser_list_begin(p);
  push_alternative(p, one);
  while (!p->panicking && (parser_at(p, TOKEN_PIPE) || parser_at(p, TOKEN_OR))) {
    if (parser_at(p, TOKEN_OR))
      parser_hint(p, parser_complain(p, parser_token(p)->span, "`or` joins conditions"),
                  "alternatives of a pattern are joined by `|`");
    parser_advance(p);
    push_alternative(p, parse_match_primary(p));
  }
  Pattern *pattern = new_pattern_from(p, PATTERN_OR, first);
  pattern->alternatives.items =
      parser_list_end(p, begin, sizeof(Pattern *), &pattern->alternatives.count);
  return pattern;
}

/* ---- entry ------------------------------------------------------------------------------ */

static Pattern *parse_declared(Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_LBRACKET: return parse_list_pattern(p, PATTERN_MODE_DECLARE);
    case TOKEN_LBRACE: return parse_map_pattern(p, PATTERN_MODE_DECLARE);
    case TOKEN_NAME: return new_bind(p, parser_advance(p));
    default: parser_expect_name(p, "a name or a pattern"); return error_pattern(p);
  }
}

/* In an assignment, `[a]` is a pattern but `[a][0]` something to assign to. */
static Pattern *parse_assigned(Parser *p) {
  const Token *token = parser_token(p);
  bool is_bracket = token->kind == TOKEN_LBRACKET || token->kind == TOKEN_LBRACE;
  if (is_bracket && token->closer != TOKEN_UNCLOSED) {
    TokenKind next = p->tokens[token->closer + 1].kind;
    is_bracket = next != TOKEN_DOT && next != TOKEN_LBRACKET && next != TOKEN_LPAREN;
  }
  if (!is_bracket) return parse_target(p);
  return token->kind == TOKEN_LBRACKET ? parse_list_pattern(p, PATTERN_MODE_ASSIGN)
                                       : parse_map_pattern(p, PATTERN_MODE_ASSIGN);
}

Pattern *parser_parse_pattern(Parser *p, PatternMode mode) {
  if (p->panicking) return error_pattern(p);
  switch (mode) {
    case PATTERN_MODE_DECLARE: return parse_declared(p);
    case PATTERN_MODE_ASSIGN: return parse_assigned(p);
    default: return parse_alternatives(p);
  }
}
