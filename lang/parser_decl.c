/* Functions and classes.
 *
 * One function reads all three kinds of functions: they differ in their name only. A declared one
 * has a plain name, a method any word or an operator, a function expression none; it is given the
 * name under which it is first stored, so that traces can call it something.
 *
 * Whether a parameter or member is declared twice is checked after the list is complete, by
 * stamping names (parser_new_stamp): in linear time, and unharmed by lists nested in it.
 */
#include <string.h>

#include "parser_internal.h"

/* The comment above a declaration whose first token is at `index`; `export` may precede it. */
static Text doc_before(Parser *p, uint32_t index) {
  bool is_exported = index > 0 && p->tokens[index - 1].kind == TOKEN_EXPORT;
  return parser_doc_text(p, is_exported ? index - 1 : index);
}

/* ---- functions -------------------------------------------------------------------------- */

/* `name`, `name = default`, `[a, b]`, `...rest` */
static Param parse_param(Parser *p) {
  uint32_t first = p->pos;
  Param param = {0};
  param.is_rest = parser_accept(p, TOKEN_ELLIPSIS);
  param.pattern = parser_parse_pattern(p, PATTERN_MODE_DECLARE);
  if (parser_accept(p, TOKEN_EQUAL)) param.default_value = parser_parse_expr(p);
  if (!p->panicking && parser_at(p, TOKEN_COLON))
    parser_hint(p, parser_expected(p, "`,` or `)`"), "parameters have no declared types");
  param.span = parser_span_from(p, first);
  return param;
}

static void check_rest(Parser *p, const Param *param, bool is_last) {
  bool is_name = param->pattern->kind == PATTERN_BIND || param->pattern->kind == PATTERN_WILDCARD;
  if (!is_last) parser_complain(p, param->span, "a rest parameter must be the last one");
  else if (param->default_value)
    parser_complain(p, param->default_value->span,
                    "a rest parameter has no default: without arguments it is an empty list");
  else if (!is_name) parser_complain(p, param->span, "a rest parameter is a plain name");
}

/* Order: those without a default, those with one, the rest. One complaint is enough. */
static void check_params(Parser *p, const Fn *fn) {
  bool any_default = false;
  for (uint32_t i = 0; i < fn->param_count; i++) {
    const Param *param = &fn->params[i];
    if (param->is_rest) {
      check_rest(p, param, i + 1 == fn->param_count);
    } else if (any_default && !param->default_value) {
      parser_complain(p, param->span, "a parameter without a default follows one with a default");
      return;
    }
    any_default |= param->default_value != NULL;
  }
}

static void parse_params(Parser *p, Fn *fn) {
  if (p->panicking || !parser_at(p, TOKEN_LPAREN)) {
    parser_expected(p, "`(` and the parameters");
    return;
  }
  Level level = parser_open(p, false);
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RPAREN)) {
    Param param = parse_param(p);
    parser_list_push(p, &param, sizeof param);
    if (!parser_accept(p, TOKEN_COMMA)) break;
  }
  parser_close(p, level, TOKEN_RPAREN, "`,` or `)`");
  fn->params = parser_list_end(p, begin, sizeof *fn->params, &fn->param_count);
  if (!p->panicking) check_params(p, fn);
}

/* What other languages have between the parameters and the body. */
static const char *body_hint(const Parser *p) {
  switch (parser_kind(p)) {
    case TOKEN_COLON: return "a body stands in braces: { ... }";
    case TOKEN_EQUAL: return "a body of one expression stands behind `=>`";
    case TOKEN_THIN_ARROW: return "results have no declared types";
    default: return NULL;
  }
}

/* `=> expression` or `{ statements }` */
static void parse_body(Parser *p, Fn *fn) {
  if (parser_accept(p, TOKEN_ARROW)) {
    fn->is_arrow = true;
    fn->body = parser_parse_arrow_body(p, true);
    return;
  }
  if (!p->panicking && !parser_at(p, TOKEN_LBRACE)) {
    Diag *diag = parser_expected(p, "`{` or `=>` and the body of the function");
    if (body_hint(p)) diag->hint = body_hint(p);
  }
  fn->body = parser_parse_block(p);
}

/* The operators a class can define, apart from those spelled as words. */
static bool is_operator_method(TokenKind kind) {
  switch (kind) {
    case TOKEN_PLUS:
    case TOKEN_MINUS:
    case TOKEN_STAR:
    case TOKEN_SLASH:
    case TOKEN_SLASH_SLASH:
    case TOKEN_PERCENT:
    case TOKEN_STAR_STAR:
    case TOKEN_AT:
    case TOKEN_EQUAL_EQUAL:
    case TOKEN_LESS:
    case TOKEN_LESS_EQUAL:
    case TOKEN_GREATER:
    case TOKEN_GREATER_EQUAL:
    case TOKEN_TILDE: return true;
    default: return false;
  }
}

/* `[]` or `[]=` */
static const char *parse_index_operator(Parser *p) {
  parser_advance(p);
  if (!parser_expect(p, TOKEN_RBRACKET, "`]`: an operator's name is `[]` or `[]=`")) return NULL;
  return parser_accept(p, TOKEN_EQUAL) ? "[]=" : "[]";
}

static void refuse_method_name(Parser *p) {
  Diag *diag = parser_expected(p, "a method's name");
  if (parser_at(p, TOKEN_BANG_EQUAL)) parser_hint(p, diag, "`!=` follows from `fn ==`");
  else if (parser_is_infix(parser_kind(p)))
    parser_hint(p, diag, "a class can define + - * / // %% ** @ == < <= > >= [] []= ~");
}

/* Any word, keywords included, or one of the operators a class can define. */
static void parse_method_name(Parser *p, Fn *fn) {
  uint32_t first = p->pos;
  TokenKind kind = parser_kind(p);
  const char *operator_name = NULL;
  if (token_is_word(kind)) {
    fn->name = parser_advance(p)->name;
  } else if (kind == TOKEN_LBRACKET) {
    operator_name = parse_index_operator(p);
  } else if (is_operator_method(kind)) {
    operator_name = token_kind_text(kind);
    parser_advance(p);
  } else {
    refuse_method_name(p);
  }
  if (operator_name) fn->name = names_intern_cstr(p->names, operator_name);
  fn->name_span = parser_span_from(p, first);
}

/* An operator passes what stands right of it. `[]` and `[]=` may get several indices, and the
 * methods named by words are called like any other as well: those are not checked. */
static void check_operator(Parser *p, const Fn *fn) {
  char first = fn->name ? fn->name->chars[0] : '[';
  bool is_named = first == '_' || (first >= 'A' && first <= 'Z') ||
                  (first >= 'a' && first <= 'z') || (unsigned char)first >= 0x80;
  if (p->panicking || is_named || first == '[') return;
  uint32_t arity = first == '~' ? 0 : 1;
  if (fn->param_count == arity) return;
  parser_complain(p, fn->head, "the operator `%s` takes %s", fn->name->chars,
                  arity ? "one parameter, its right operand" : "no parameter");
}

static void parse_fn_name(Parser *p, Fn *fn) {
  if (fn->kind == FN_IN_CLASS) {
    parse_method_name(p, fn);
    return;
  }
  if (fn->kind == FN_EXPRESSION && parser_at(p, TOKEN_LPAREN)) return;
  if (fn->kind == FN_EXPRESSION && parser_at(p, TOKEN_NAME))
    parser_hint(p,
                parser_complain(p, parser_token(p)->span,
                                "a function that is a value has no name of its own"),
                "write `fn(...)`, or declare it by a statement before");
  const Token *name = parser_expect_name(p, "a name for the function");
  if (!name) return;
  fn->name = name->name;
  fn->name_span = name->span;
}

Fn *parser_parse_fn(Parser *p, FnKind kind) {
  uint32_t first = p->pos;
  bool outer_yield = p->saw_yield;
  Level level = parser_enter(p);
  Fn *fn = ARENA_NEW(p->arena, Fn);
  fn->kind = kind;
  fn->doc = kind == FN_EXPRESSION ? (Text){"", 0} : doc_before(p, first);
  p->saw_yield = false;
  if (!parser_at(p, TOKEN_LPAREN)) parser_advance(p); /* `fn`, or a word taken for it */
  parse_fn_name(p, fn);
  parse_params(p, fn);
  fn->head = parser_span_from(p, first);
  if (kind == FN_IN_CLASS) check_operator(p, fn);
  parse_body(p, fn);
  fn->span = parser_span_from(p, first);
  fn->has_yield = p->saw_yield;
  p->saw_yield = outer_yield;
  parser_leave(p, level);
  return fn;
}

/* ---- classes ---------------------------------------------------------------------------- */

/* `name` or `name = default`. */
static FieldDecl parse_field_decl(Parser *p) {
  uint32_t first = p->pos;
  FieldDecl field = {0};
  field.doc = parser_doc_text(p, first);
  const Token *name = parser_advance(p);
  field.name = name->name;
  field.name_span = name->span;
  if (!parser_at_line_start(p) && parser_accept(p, TOKEN_EQUAL))
    field.default_value = parser_parse_expr(p);
  parser_name_function(field.default_value, field.name);
  field.span = parser_span_from(p, first);
  return field;
}

/* Fields and methods are collected in lists of their own, so the fields of a class are parsed
 * into `fields` while its methods are pushed on the parser's stack of lists. */
typedef struct FieldList {
  FieldDecl *items;
  size_t capacity;
  uint32_t count;
} FieldList;

static void add_field(Parser *p, FieldList *list, FieldDecl field) {
  if (list->count == list->capacity) {
    FieldDecl *grown = arena_grow(p->arena, list->items, &list->capacity, 0, sizeof field);
    if (!grown) return;
    list->items = grown;
  }
  list->items[list->count++] = field;
}

static void refuse_member(Parser *p) {
  Diag *diag = parser_expected(p, "a field or a method");
  if (parser_at(p, TOKEN_LET) || parser_at(p, TOKEN_CONST))
    parser_hint(p, diag, "a field is written without `let`: x = 0");
  else parser_hint(p, diag, "a class holds fields `x = 0` and methods `fn name() { }`");
}

/* `def name(`, with the words that other languages have. */
static bool at_method_habit(const Parser *p) {
  bool is_word = parser_at_word(p, "def") || parser_at_word(p, "function") ||
                 parser_at_word(p, "func") || parser_at_word(p, "fun");
  const Token *next = parser_peek(p, 1);
  return is_word && token_is_word(next->kind) && !next->newline_before;
}

static void parse_member(Parser *p, FieldList *fields) {
  bool is_fn_habit = parser_at(p, TOKEN_NAME) && parser_peek(p, 1)->kind == TOKEN_LPAREN;
  bool is_method_habit = at_method_habit(p);
  if (is_method_habit)
    parser_hint(p, parser_complain(p, parser_token(p)->span, "there is no `%s`",
                                   parser_token(p)->name->chars),
                "a method starts with `fn`");
  if (is_method_habit || parser_at(p, TOKEN_FN)) {
    Fn *method = parser_parse_fn(p, FN_IN_CLASS);
    parser_list_push(p, &method, sizeof method);
  } else if (is_fn_habit) {
    parser_hint(p, parser_error(p, parser_token(p)->span, "a method starts with `fn`"),
                "write `fn %s(...) { }`", parser_token(p)->name->chars);
  } else if (parser_at(p, TOKEN_NAME)) {
    add_field(p, fields, parse_field_decl(p));
  } else {
    refuse_member(p);
  }
}

/* Members end with a line or `;`. Recovers from errors in each, as a list of statements does. */
static void parse_members(Parser *p, ClassDecl *class_) {
  FieldList fields = {0};
  size_t begin = parser_list_begin(p);
  while (parser_more_items(p, TOKEN_RBRACE)) {
    if (parser_accept(p, TOKEN_SEMICOLON)) continue;
    uint32_t first = parser_begin_item(p);
    parse_member(p, &fields);
    if (!p->panicking && !parser_at_statement_end(p))
      parser_expected(p, "a new line or `;` after the member");
    if (p->panicking) parser_synchronize(p, first);
  }
  class_->methods = parser_list_end(p, begin, sizeof *class_->methods, &class_->method_count);
  class_->fields = fields.items;
  class_->field_count = fields.count;
}

/* Fields and methods share one space of names: `p.x` must mean one thing. */
static void check_members(Parser *p, const ClassDecl *class_) {
  static const char message[] = "`%s` is declared twice in this class";
  uint32_t stamp = parser_new_stamp(p);
  for (uint32_t i = 0; i < class_->field_count; i++) {
    const FieldDecl *field = &class_->fields[i];
    if (parser_stamp_name(field->name, stamp))
      parser_complain(p, field->name_span, message, field->name->chars);
  }
  for (uint32_t i = 0; i < class_->method_count; i++) {
    const Fn *method = class_->methods[i];
    if (method->name && parser_stamp_name(method->name, stamp))
      parser_complain(p, method->name_span, message, method->name->chars);
  }
}

/* `: Super`, if it is there. */
static void parse_superclass(Parser *p, ClassDecl *class_) {
  bool is_habit = parser_at_word(p, "extends") || parser_at(p, TOKEN_LESS);
  if (is_habit && !p->panicking) {
    parser_hint(p, parser_complain(p, parser_token(p)->span, "this is not how a class inherits"),
                "write `class Name : Super { }`");
    parser_advance(p);
    class_->superclass = parser_parse_type(p);
  } else if (parser_at(p, TOKEN_LPAREN)) {
    parser_hint(p, parser_expected(p, "`{`"), "write `class %s : Super { }`",
                class_->name ? class_->name->chars : "Name");
  } else if (parser_at(p, TOKEN_COLON)) {
    const Token *colon = parser_advance(p);
    bool is_block = parser_at(p, TOKEN_EOF) ||
                    (parser_at_line_start(p) && !parser_at(p, TOKEN_NAME));
    if (is_block)
      parser_hint(p, parser_error(p, colon->span, "a class has no block behind `:`"),
                  "a block stands in braces: { ... }");
    else class_->superclass = parser_parse_type(p);
  }
}

ClassDecl *parser_parse_class(Parser *p) {
  uint32_t first = p->pos;
  bool outer_yield = p->saw_yield;
  ClassDecl *class_ = ARENA_NEW(p->arena, ClassDecl);
  class_->doc = doc_before(p, first);
  parser_advance(p);
  const Token *name = parser_expect_name(p, "a name for the class");
  if (name) {
    class_->name = name->name;
    class_->name_span = name->span;
  }
  parse_superclass(p, class_);
  if (parser_find_block(p)) {
    Level level = parser_open(p, true);
    parse_members(p, class_);
    parser_close(p, level, TOKEN_RBRACE, "`}`");
    check_members(p, class_);
  }
  class_->span = parser_span_from(p, first);
  p->saw_yield = outer_yield;
  return class_;
}
