/* Values that nobody reads.
 *
 * A function with a body in braces gives nil unless it says `return`, so `fn(x) { x * 2 }` computes
 * a value and drops it. Where an expression that can only give a value, an operator, a literal, a
 * name, a field or an element, stands as a statement of a function, that is reported, with
 * what was probably meant.
 *
 * Not reported are
 *   - what may have been written for its effect: calls, assignments, `yield`, `and`, `or` and `??`
 *     with one of those on the right;
 *   - `nil`, which says that there is nothing to give (`match x { 1 => f(), _ => nil }`);
 *   - names that are not declared, reported as that;
 *   - the body of a `try`, which may be there to see whether it throws;
 *   - what stands in no function: a host or the prompt may want the value, and loops round an
 *     expression measure how long it takes.
 */
#include "resolve_internal.h"

/* Where the statement looked at is. */
typedef struct Place {
  Resolver *r;
  const Fn *fn;
  bool is_tail; /* nothing of the function is run behind it */
} Place;

static void check_block(Place place, const Block *block);

/* ---- which expressions only give a value ---- */

static bool only_gives_value(const Expr *e) {
  while (e->kind == EXPR_LOGIC || e->kind == EXPR_CHAIN)
    e = e->kind == EXPR_LOGIC ? e->logic.right : e->operand;
  switch (e->kind) {
    case EXPR_NAME: return !e->name.binding || e->name.binding->kind != BIND_UNDEFINED;
    case EXPR_BOOL:
    case EXPR_INT:
    case EXPR_FLOAT:
    case EXPR_STRING:
    case EXPR_INTERP:
    case EXPR_SELF:
    case EXPR_SUPER:
    case EXPR_LIST:
    case EXPR_MAP:
    case EXPR_UNARY:
    case EXPR_BINARY:
    case EXPR_IS:
    case EXPR_RANGE:
    case EXPR_FIELD:
    case EXPR_INDEX:
    case EXPR_FN: return true;
    default: return false;
  }
}

/* ---- what to do about it ---- */

enum { QUOTE_MAX = 50 }; /* longer texts are not repeated in the hint */

/* The text of `span` where it is short and on one line, else "...". */
static const char *quote(const Resolver *r, Span span, int *len) {
  const char *text = r->comp->source->text + span.start;
  *len = 3;
  if (span.end - span.start > QUOTE_MAX) return "...";
  for (uint32_t i = 0; i < span.end - span.start; i++)
    if (text[i] == '\n' || text[i] == '\r') return "...";
  *len = (int)(span.end - span.start);
  return text;
}

static bool is_only_statement(const Place *place, const Expr *e) {
  const Block *body = place->fn->body;
  return body->count == 1 && body->stmts[0]->kind == STMT_EXPR && body->stmts[0]->expr == e;
}

static void hint_return(const Place *place, const Expr *e, Diag *diag) {
  int len, head_len;
  const char *text = quote(place->r, e->span, &len);
  const char *head = quote(place->r, place->fn->head, &head_len);
  Diags *diags = place->r->comp->diags;
  if (is_only_statement(place, e)) {
    diag_hint(diags, diag, "write `return %.*s`, or `%.*s => %.*s`", len, text, head_len, head, len,
              text);
  } else {
    diag_hint(diags, diag, "write `return %.*s`", len, text);
  }
}

/* `x == 1` for `x = 1`, `f` for `f()`. False if it looks like neither. */
static bool hint_slip(const Place *place, const Expr *e, Diag *diag) {
  int len, right_len;
  Diags *diags = place->r->comp->diags;
  if (e->kind == EXPR_BINARY && e->binary.op == BIN_EQ) {
    const char *left = quote(place->r, e->binary.left->span, &len);
    const char *right = quote(place->r, e->binary.right->span, &right_len);
    diag_hint(diags, diag, "to assign, write `%.*s = %.*s`", len, left, right_len, right);
    return true;
  }
  bool is_function = e->kind == EXPR_NAME && e->name.binding && e->name.binding->kind == BIND_FN;
  if (!is_function && e->kind != EXPR_FIELD && e->kind != EXPR_SUPER) return false;
  const char *text = quote(place->r, e->span, &len);
  diag_hint(diags, diag, "to call it, write `%.*s()`", len, text);
  return true;
}

/* Was it meant as the function's result? Not in a generator, nor in `init`, which has none. */
static bool wants_return(const Place *place) {
  return place->is_tail && !place->fn->has_yield && !place->r->fn->is_init;
}

static void hint(const Place *place, const Expr *e, Diag *diag) {
  if (wants_return(place)) hint_return(place, e, diag);
  else if (!hint_slip(place, e, diag)) {
    diag_hint(place->r->comp->diags, diag, "use it, or leave it away");
  }
}

static void report(const Place *place, const Expr *e) {
  Compilation *comp = place->r->comp;
  const char *message = wants_return(place)
                            ? "this value is dropped: a body in braces gives nil unless it says "
                              "'return'"
                            : "this value is dropped: nothing uses it";
  hint(place, e, diag_error(comp->diags, comp->source, e->span, "%s", message));
}

/* ---- the walk over statements whose value is dropped ---- */

static void check_match(Place place, const MatchExpr *match) {
  for (uint32_t i = 0; i < match->count; i++) check_block(place, match->arms[i].body);
}

static void check_if(Place place, const IfExpr *if_) {
  for (uint32_t i = 0; i < if_->count; i++) check_block(place, if_->clauses[i].body);
  if (if_->otherwise) check_block(place, if_->otherwise);
}

static void check_try(Place place, const TryExpr *try_) {
  if (try_->catch_body) check_block(place, try_->catch_body);
  place.is_tail = false;
  if (try_->finally_body) check_block(place, try_->finally_body);
}

static void check_expr(Place place, const Expr *e) {
  switch (e->kind) {
    case EXPR_IF: check_if(place, e->if_); break;
    case EXPR_MATCH: check_match(place, e->match); break;
    case EXPR_TRY: check_try(place, e->try_); break;
    default:
      if (only_gives_value(e)) report(&place, e);
      break;
  }
}

/* A loop's body, or a block that is a statement. */
static void check_inner(Place place, const Block *block) {
  place.is_tail = false;
  check_block(place, block);
}

static void check_stmt(Place place, const Stmt *stmt) {
  switch (stmt->kind) {
    case STMT_EXPR: check_expr(place, stmt->expr); break;
    case STMT_BLOCK: check_inner(place, stmt->block); break;
    case STMT_WHILE: check_inner(place, stmt->while_.body); break;
    case STMT_FOR: check_inner(place, stmt->for_.body); break;
    default: break;
  }
}

static void check_block(Place place, const Block *block) {
  bool is_tail = place.is_tail;
  for (uint32_t i = 0; i < block->count; i++) {
    place.is_tail = is_tail && i + 1 == block->count;
    check_stmt(place, block->stmts[i]);
  }
}

void resolve_check_unused(Resolver *r, const Fn *fn) {
  if (fn->is_arrow || r->comp->options->allow_unused) return;
  Place place = {r, fn, true};
  check_block(place, fn->body);
}
