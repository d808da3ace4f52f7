/* Operators and assignment.
 *
 * One table gives each operator token its precedence and what node it makes. The loop of
 * parser_parse_operators (precedence climbing) reads an operand, then as many operators as bind at
 * least as tightly as its caller asked; the right operand of each is read by a call that asks for
 * one step more, or for the same step where the operator is right-associative. So operators of
 * one precedence grow to the left without recursion, and the depth of recursion is the number of
 * operators whose right operand is not complete: `climb`.
 *
 * Comparisons and ranges do not chain: `a < b < c` means something else in each language that
 * allows it, so here it is an error that says what to write.
 *
 * Assignment is no operator of the table. It is looked for only where a statement or the body of
 * an arrow begins, so `if a = b` cannot be written by mistake.
 */
#include "parser_internal.h"

/* Right operands pending at once, in all levels together. More than this no one writes, and it
 * keeps the parser within a 256-KiB stack. */
enum { MAX_CLIMB = 500 };

typedef enum Maker {
  MAKE_NOTHING, /* the token is no binary operator; 0, so that it is the table's default */
  MAKE_BINARY,
  MAKE_COMPARE, /* like MAKE_BINARY */
  MAKE_IS,
  MAKE_LOGIC,
  MAKE_RANGE,
  MAKE_PIPE
} Maker;

typedef struct Operator {
  uint8_t precedence;
  uint8_t maker;
  uint8_t op;          /* BinaryOp or LogicOp */
  const char *instead; /* the token is no operator, but this is what was meant */
} Operator;

/* Indexed by token kind. `not` stands for `not in`, so it is one only before an `in`. Words and
 * signs of other languages are here as well, to be understood and complained about. */
static const Operator operators[TOKEN_KIND_COUNT] = {
    [TOKEN_PIPE_GREATER] = {PREC_PIPE, MAKE_PIPE, 0, NULL},
    [TOKEN_COALESCE] = {PREC_COALESCE, MAKE_LOGIC, LOGIC_COALESCE, NULL},
    [TOKEN_OR] = {PREC_OR, MAKE_LOGIC, LOGIC_OR, NULL},
    [TOKEN_PIPE_PIPE] = {PREC_OR, MAKE_LOGIC, LOGIC_OR, "or"},
    [TOKEN_AND] = {PREC_AND, MAKE_LOGIC, LOGIC_AND, NULL},
    [TOKEN_AND_AND] = {PREC_AND, MAKE_LOGIC, LOGIC_AND, "and"},
    [TOKEN_EQUAL_EQUAL] = {PREC_COMPARE, MAKE_COMPARE, BIN_EQ, NULL},
    [TOKEN_STRICT_EQUAL] = {PREC_COMPARE, MAKE_COMPARE, BIN_EQ, "=="},
    [TOKEN_BANG_EQUAL] = {PREC_COMPARE, MAKE_COMPARE, BIN_NE, NULL},
    [TOKEN_STRICT_NOT_EQUAL] = {PREC_COMPARE, MAKE_COMPARE, BIN_NE, "!="},
    [TOKEN_LESS] = {PREC_COMPARE, MAKE_COMPARE, BIN_LT, NULL},
    [TOKEN_LESS_EQUAL] = {PREC_COMPARE, MAKE_COMPARE, BIN_LE, NULL},
    [TOKEN_GREATER] = {PREC_COMPARE, MAKE_COMPARE, BIN_GT, NULL},
    [TOKEN_GREATER_EQUAL] = {PREC_COMPARE, MAKE_COMPARE, BIN_GE, NULL},
    [TOKEN_IN] = {PREC_COMPARE, MAKE_COMPARE, BIN_IN, NULL},
    [TOKEN_NOT] = {PREC_COMPARE, MAKE_COMPARE, BIN_NOT_IN, NULL},
    [TOKEN_IS] = {PREC_COMPARE, MAKE_IS, 0, NULL},
    [TOKEN_DOT_DOT] = {PREC_RANGE, MAKE_RANGE, false, NULL},
    [TOKEN_DOT_DOT_EQUAL] = {PREC_RANGE, MAKE_RANGE, true, NULL},
    [TOKEN_PIPE] = {PREC_BIT_OR, MAKE_BINARY, BIN_BIT_OR, NULL},
    [TOKEN_CARET] = {PREC_BIT_XOR, MAKE_BINARY, BIN_BIT_XOR, NULL},
    [TOKEN_AMPERSAND] = {PREC_BIT_AND, MAKE_BINARY, BIN_BIT_AND, NULL},
    [TOKEN_SHIFT_LEFT] = {PREC_SHIFT, MAKE_BINARY, BIN_SHL, NULL},
    [TOKEN_SHIFT_RIGHT] = {PREC_SHIFT, MAKE_BINARY, BIN_SHR, NULL},
    [TOKEN_PLUS] = {PREC_SUM, MAKE_BINARY, BIN_ADD, NULL},
    [TOKEN_MINUS] = {PREC_SUM, MAKE_BINARY, BIN_SUB, NULL},
    [TOKEN_STAR] = {PREC_PRODUCT, MAKE_BINARY, BIN_MUL, NULL},
    [TOKEN_SLASH] = {PREC_PRODUCT, MAKE_BINARY, BIN_DIV, NULL},
    [TOKEN_SLASH_SLASH] = {PREC_PRODUCT, MAKE_BINARY, BIN_FLOOR_DIV, NULL},
    [TOKEN_PERCENT] = {PREC_PRODUCT, MAKE_BINARY, BIN_MOD, NULL},
    [TOKEN_AT] = {PREC_PRODUCT, MAKE_BINARY, BIN_MATMUL, NULL},
    [TOKEN_STAR_STAR] = {PREC_POWER, MAKE_BINARY, BIN_POW, NULL},
};

/* ---- prefix operators ------------------------------------------------------------------- */

bool parser_is_infix(TokenKind kind) {
  return operators[kind].maker != MAKE_NOTHING && kind != TOKEN_MINUS && kind != TOKEN_NOT;
}

/* The node over an operator at index `first` and the operand behind it. */
static Expr *new_unary(Parser *p, UnaryOp op, Expr *operand, uint32_t first) {
  Expr *expr = parser_new_expr(p, EXPR_UNARY, parser_span_from(p, first));
  expr->unary.op = op;
  expr->unary.operand = operand;
  return expr;
}

/* Whether what follows the number at the cursor binds tighter than a minus before it. */
static bool number_stands_alone(const Parser *p) {
  const Token *next = parser_peek(p, 1);
  bool is_new_line = next->newline_before && !p->free_newlines;
  switch (next->kind) {
    case TOKEN_STAR_STAR:
    case TOKEN_LPAREN:
    case TOKEN_LBRACKET: return is_new_line;
    case TOKEN_DOT:
    case TOKEN_QUESTION_DOT: return false;
    default: return true;
  }
}

/* `x--` at the end of a line: the minus at index `second` touches one before it. */
static bool at_decrement(const Parser *p, uint32_t second) {
  const Token *minus = &p->tokens[second];
  bool touches = minus[-1].kind == TOKEN_MINUS && minus[-1].span.end == minus->span.start;
  return touches && (parser_token(p)->newline_before || !parser_starts_expr(parser_kind(p)));
}

/* A minus directly before a number makes a negative literal, without which -2^63 could not be
 * written; but `-2 ** 2` is -(2 ** 2) and `-5.abs()` is -(5.abs()). */
static Expr *parse_negation(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  if (first > 0 && at_decrement(p, first)) {
    parser_hint(p, parser_error(p, p->tokens[first].span, "there is no `--`"), "write `x -= 1`");
    return parser_error_expr(p);
  }
  bool is_number = parser_at(p, TOKEN_INT) || parser_at(p, TOKEN_FLOAT);
  if (is_number && number_stands_alone(p)) return parser_parse_number(p, true);
  Level level = parser_enter(p);
  Expr *operand = parser_parse_operators(p, PREC_UNARY);
  parser_leave(p, level);
  return new_unary(p, UNARY_NEG, operand, first);
}

static Expr *parse_bit_not(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  Level level = parser_enter(p);
  Expr *operand = parser_parse_operators(p, PREC_UNARY);
  parser_leave(p, level);
  return new_unary(p, UNARY_BIT_NOT, operand, first);
}

/* `not` binds less tightly than comparisons: `not a == b` is not (a == b), and so right of a
 * tighter operator it would say one thing and mean another. `!` is taken for it, bound tightly as
 * elsewhere. */
static Expr *parse_not(Parser *p, Precedence lowest) {
  uint32_t first = p->pos;
  bool is_bang = parser_at(p, TOKEN_BANG);
  if (is_bang)
    parser_hint(p, parser_complain(p, parser_token(p)->span, "`!` is no operator"),
                "write `not x`");
  else if (lowest > PREC_NOT)
    parser_hint(p, parser_complain(p, parser_token(p)->span, "`not` needs parentheses here"),
                "write `a == (not b)`");
  parser_advance(p);
  Level level = parser_enter(p);
  Expr *operand = parser_parse_operators(p, is_bang ? PREC_UNARY : PREC_NOT);
  parser_leave(p, level);
  return new_unary(p, UNARY_NOT, operand, first);
}

static Expr *parse_prefix(Parser *p, Precedence lowest) {
  if (p->panicking) return parser_error_expr(p);
  switch (parser_kind(p)) {
    case TOKEN_MINUS: return parse_negation(p);
    case TOKEN_TILDE: return parse_bit_not(p);
    case TOKEN_NOT:
    case TOKEN_BANG: return parse_not(p, lowest);
    default: return parser_parse_postfix(p);
  }
}

/* ---- binary operators ------------------------------------------------------------------- */

/* A binary operator as read: its table entry, its place, and whether `not` was part of it. */
typedef struct Infix {
  Operator entry;
  Span span;
  bool negated;
} Infix;

/* The operator at the cursor, or none where a newline ends the expression before it. */
static const Operator *find_operator(const Parser *p) {
  TokenKind kind = parser_kind(p);
  const Operator *entry = &operators[kind];
  bool leads_line = kind == TOKEN_PIPE_GREATER || kind == TOKEN_COALESCE;
  if (parser_at_line_start(p) && !leads_line) return &operators[TOKEN_EOF];
  if (kind == TOKEN_NOT && parser_peek(p, 1)->kind != TOKEN_IN) return &operators[TOKEN_EOF];
  return entry;
}

/* Steps over the operator at the cursor, of one token or two. */
static Infix read_infix(Parser *p) {
  uint32_t first = p->pos;
  Infix infix = {operators[parser_kind(p)], {0, 0}, false};
  const Token *token = parser_advance(p);
  if (token->kind == TOKEN_NOT) parser_advance(p);
  if (token->kind == TOKEN_IS) infix.negated = parser_accept(p, TOKEN_NOT);
  infix.span = parser_span_from(p, first);
  if (infix.entry.instead)
    parser_hint(p,
                parser_complain(p, infix.span, "`%s` is no operator", token_kind_text(token->kind)),
                "write `%s`", infix.entry.instead);
  return infix;
}

/* The right operand. Afterwards `height` is that of the taller operand; the caller adds the node
 * over both. */
static Expr *parse_right(Parser *p, Precedence lowest) {
  uint32_t left_height = p->height;
  p->height = 0;
  if (++p->climb > MAX_CLIMB) {
    parser_hint(p, parser_error(p, parser_token(p)->span, "this expression is too complex"),
                "keep a part of it in a variable");
  }
  Expr *right = p->panicking ? parser_error_expr(p) : parser_parse_operators(p, lowest);
  p->climb--;
  if (p->height < left_height) p->height = left_height;
  return right;
}

static Expr *make_binary(Parser *p, Infix infix, Expr *left, Expr *right) {
  Expr *expr = parser_new_expr(p, EXPR_BINARY, span_join(left->span, right->span));
  expr->binary.op = (BinaryOp)infix.entry.op;
  expr->binary.op_span = infix.span;
  expr->binary.left = left;
  expr->binary.right = right;
  return expr;
}

static Expr *make_logic(Parser *p, Infix infix, Expr *left, Expr *right) {
  Expr *expr = parser_new_expr(p, EXPR_LOGIC, span_join(left->span, right->span));
  expr->logic.op = (LogicOp)infix.entry.op;
  expr->logic.left = left;
  expr->logic.right = right;
  return expr;
}

static Expr *parse_is(Parser *p, Infix infix, Expr *left) {
  Expr *type = parser_parse_type(p);
  Expr *expr = parser_new_expr(p, EXPR_IS, span_join(left->span, type->span));
  expr->is.negated = infix.negated;
  expr->is.value = left;
  expr->is.type = type;
  return expr;
}

/* `a..b`; directly within an index also `a..`, which the caller of the index's parser makes sure
 * is the whole index. */
static Expr *parse_range(Parser *p, Infix infix, Expr *left) {
  bool ends = parser_at(p, TOKEN_RBRACKET) || parser_at(p, TOKEN_COMMA);
  bool is_open = ends && p->slice_depth == p->depth && !infix.entry.op;
  Expr *right = is_open ? NULL : parse_right(p, PREC_RANGE + 1);
  Span end = right ? right->span : infix.span;
  Expr *expr = parser_new_expr(p, EXPR_RANGE, span_join(left->span, end));
  expr->range.inclusive = infix.entry.op;
  expr->range.from = left;
  expr->range.to = right;
  if (is_open) p->open_range = expr;
  return expr;
}

/* A pipeline nests calls, though it is written as a chain: it counts for as much as they do. */
static void add_pipe_height(Parser *p) { p->height += AST_MAX_HEIGHT / AST_MAX_NESTING - 1; }

/* `x |> f(y)` is f(x, y), `x |> f` is f(x), `x |> (f(y))` is f(y)(x). */
static Expr *make_pipe(Parser *p, Expr *value, Expr *target) {
  Arg first = {NULL, {0, 0}, value};
  Span span = span_join(value->span, target->span);
  bool is_call = target->kind == EXPR_CALL && p->in_parens != target;
  Expr *call = is_call ? target : parser_new_call(p, target, span);
  size_t begin = parser_list_begin(p);
  parser_list_push(p, &first, sizeof first);
  for (uint32_t i = 0; i < call->call.count; i++)
    parser_list_push(p, &call->call.args[i], sizeof first);
  call->call.args = parser_list_end(p, begin, sizeof first, &call->call.count);
  call->span = span;
  return call;
}

static Expr *parse_pipe(Parser *p, Expr *left) {
  Expr *right = parse_right(p, PREC_PIPE + 1);
  add_pipe_height(p);
  return make_pipe(p, left, right);
}

/* The node for an operator that was stepped over, with its right side. */
static Expr *parse_infix(Parser *p, Infix infix, Expr *left) {
  Precedence precedence = (Precedence)infix.entry.precedence;
  switch ((Maker)infix.entry.maker) {
    case MAKE_IS: return parse_is(p, infix, left);
    case MAKE_RANGE: return parse_range(p, infix, left);
    case MAKE_PIPE: return parse_pipe(p, left);
    case MAKE_LOGIC: return make_logic(p, infix, left, parse_right(p, precedence + 1));
    case MAKE_BINARY:
    case MAKE_COMPARE:
    case MAKE_NOTHING: break;
  }
  Expr *right = parse_right(p, precedence == PREC_POWER ? PREC_POWER : precedence + 1);
  return make_binary(p, infix, left, right);
}

/* The source of something short, to be quoted in a hint. */
static const char *excerpt(Parser *p, Span span) {
  uint32_t len = span.end - span.start;
  if (len > 24) return "...";
  return arena_string(p->arena, p->source->text + span.start, len);
}

/* After `left`, which is a comparison or range, comes another of the same kind. */
static void refuse_chain(Parser *p, Expr *left, Precedence precedence) {
  Span span = parser_token(p)->span;
  if (precedence == PREC_RANGE) {
    parser_error(p, span, "a range has two ends");
    return;
  }
  const char *op = excerpt(p, span);
  Diag *diag = parser_error(p, span, "comparisons cannot be chained");
  if (left->kind == EXPR_BINARY)
    parser_hint(p, diag, "write `%s and %s %s ...`", excerpt(p, left->span),
                excerpt(p, left->binary.right->span), op);
  else parser_hint(p, diag, "put one of them in parentheses, or join two by `and`");
}

Expr *parser_parse_operators(Parser *p, Precedence lowest) {
  Expr *left = parse_prefix(p, lowest);
  uint8_t made = PREC_NONE; /* precedence of the last operator, if it does not chain */
  while (!p->panicking) {
    const Operator *entry = find_operator(p);
    if (entry->maker == MAKE_NOTHING || entry->precedence < lowest) break;
    if (entry->precedence == made) {
      refuse_chain(p, left, (Precedence)made);
      break;
    }
    left = parse_infix(p, read_infix(p), left);
    bool chains = entry->precedence != PREC_COMPARE && entry->precedence != PREC_RANGE;
    made = chains ? PREC_NONE : entry->precedence;
    parser_add_height(p);
  }
  return left;
}

/* ---- expressions ------------------------------------------------------------------------ */

/* `yield` and, on the same line, what it yields. It binds most loosely of all: `yield a + b`. */
static Expr *parse_yield(Parser *p) {
  uint32_t first = p->pos;
  parser_advance(p);
  p->saw_yield = true;
  Expr *operand = NULL;
  if (!parser_at_line_start(p) && parser_starts_expr(parser_kind(p))) {
    Level level = parser_enter(p);
    operand = parser_parse_expr(p);
    parser_leave(p, level);
  }
  Expr *expr = parser_new_expr(p, EXPR_YIELD, parser_span_from(p, first));
  expr->operand = operand;
  return expr;
}

Expr *parser_parse_expr(Parser *p) {
  uint32_t outer = parser_begin_height(p);
  Expr *expr = !p->panicking && parser_at(p, TOKEN_YIELD) ? parse_yield(p)
                                                          : parser_parse_operators(p, PREC_PIPE);
  parser_end_height(p, outer);
  return expr;
}

Expr *parser_parse_head(Parser *p) {
  bool no_map = p->no_map;
  p->no_map = true;
  Expr *expr = parser_parse_expr(p);
  p->no_map = no_map;
  return expr;
}

/* ---- assignment ------------------------------------------------------------------------- */

/* The compound assignments, indexed by token kind; BIN_ADD is 0, so one is added. */
static const uint8_t compound_ops[TOKEN_KIND_COUNT] = {
    [TOKEN_PLUS_EQUAL] = BIN_ADD + 1,
    [TOKEN_MINUS_EQUAL] = BIN_SUB + 1,
    [TOKEN_STAR_EQUAL] = BIN_MUL + 1,
    [TOKEN_SLASH_EQUAL] = BIN_DIV + 1,
    [TOKEN_SLASH_SLASH_EQUAL] = BIN_FLOOR_DIV + 1,
    [TOKEN_PERCENT_EQUAL] = BIN_MOD + 1,
    [TOKEN_STAR_STAR_EQUAL] = BIN_POW + 1,
    [TOKEN_AT_EQUAL] = BIN_MATMUL + 1,
    [TOKEN_AMPERSAND_EQUAL] = BIN_BIT_AND + 1,
    [TOKEN_PIPE_EQUAL] = BIN_BIT_OR + 1,
    [TOKEN_CARET_EQUAL] = BIN_BIT_XOR + 1,
    [TOKEN_SHIFT_LEFT_EQUAL] = BIN_SHL + 1,
    [TOKEN_SHIFT_RIGHT_EQUAL] = BIN_SHR + 1,
};

/* At `=`, `+=` and the like, on the line of what is assigned to. */
static bool at_assignment(const Parser *p) {
  TokenKind kind = parser_kind(p);
  if (parser_at_line_start(p)) return false;
  return kind == TOKEN_EQUAL || kind == TOKEN_COALESCE_EQUAL || compound_ops[kind] != 0;
}

bool parser_at_unpack(const Parser *p) {
  const Token *token = parser_token(p);
  if (token->kind != TOKEN_LBRACKET && token->kind != TOKEN_LBRACE) return false;
  if (token->closer == TOKEN_UNCLOSED) return false;
  const Token *next = &p->tokens[token->closer + 1];
  return next->kind == TOKEN_EQUAL && (!next->newline_before || p->free_newlines);
}

static bool has_slice(const Expr *target) {
  for (uint32_t i = 0; i < target->index.indices.count; i++) {
    if (target->index.indices.items[i]->kind == EXPR_RANGE) return true;
  }
  return false;
}

bool parser_check_target(Parser *p, Expr *target) {
  const char *problem = NULL;
  switch (target->kind) {
    case EXPR_NAME:
    case EXPR_FIELD: break;
    case EXPR_INDEX: problem = has_slice(target) ? "a slice cannot be assigned to" : NULL; break;
    case EXPR_CHAIN: problem = "an assignment cannot go through `?.`"; break;
    case EXPR_CALL: problem = "the result of a call cannot be assigned to"; break;
    case EXPR_SELF: problem = "`self` cannot be assigned to"; break;
    case EXPR_SUPER: problem = "a method of the superclass cannot be assigned to"; break;
    case EXPR_ERROR: return false;
    default: problem = "only a name, a field or an element can be assigned to"; break;
  }
  if (p->in_parens == target) problem = "what is assigned to takes no parentheses";
  if (!problem) return true;
  Diag *diag = parser_complain(p, target->span, "%s", problem);
  if (target->kind == EXPR_BINARY) parser_hint(p, diag, "`==` compares");
  return false;
}

/* The right side, which may be an assignment again. */
static Expr *parse_assigned(Parser *p) {
  Level level = parser_enter(p);
  Expr *value = parser_parse_expr_or_assign(p);
  parser_leave(p, level);
  return value;
}

/* `[a, b] = value`, `{a, b} = value` */
static Expr *parse_unpack(Parser *p) {
  uint32_t first = p->pos;
  Pattern *pattern = parser_parse_pattern(p, PATTERN_MODE_ASSIGN);
  parser_expect(p, TOKEN_EQUAL, "`=`");
  Expr *value = p->panicking ? parser_error_expr(p) : parse_assigned(p);
  Expr *expr = parser_new_expr(p, EXPR_UNPACK, parser_span_from(p, first));
  expr->unpack.pattern = pattern;
  expr->unpack.value = value;
  return expr;
}

/* At the operator; `first` is the index of the target's first token. */
static Expr *parse_assign(Parser *p, Expr *target, uint32_t first) {
  TokenKind kind = parser_advance(p)->kind;
  parser_check_target(p, target);
  Expr *value = parse_assigned(p);
  if (target->kind == EXPR_NAME) parser_name_function(value, target->name.name);
  if (target->kind == EXPR_FIELD) parser_name_function(value, target->field.name);
  Expr *expr = parser_new_expr(p, EXPR_ASSIGN, parser_span_from(p, first));
  expr->assign.how = kind == TOKEN_EQUAL ? ASSIGN_PLAIN : ASSIGN_BINARY;
  if (kind == TOKEN_COALESCE_EQUAL) expr->assign.how = ASSIGN_COALESCE;
  if (compound_ops[kind]) expr->assign.op = (BinaryOp)(compound_ops[kind] - 1);
  expr->assign.target = target;
  expr->assign.value = value;
  return expr;
}

Expr *parser_parse_expr_or_assign(Parser *p) {
  uint32_t first = p->pos;
  if (parser_at_unpack(p)) return parse_unpack(p);
  Expr *expr = parser_parse_expr(p);
  return !p->panicking && at_assignment(p) ? parse_assign(p, expr, first) : expr;
}
