/* Blocks, statements, branches, loops, and the ways out of them.
 *
 * Loops are tested at the bottom: a jump leads to the test first. The test of a `for` over a
 * literal range is FORPREP at the top and FORLOOP at the bottom. */
#include "compile.h"

/* ---- if ----------------------------------------------------------------------------------- */

/* Where `{ break }` or `{ continue }` leads, if no finally is in between; else NULL. */
static Label *only_jump(const FnState *f, const Block *block) {
  if (block->count != 1) return NULL;
  const Stmt *stmt = block->stmts[0];
  if (stmt->kind != STMT_BREAK && stmt->kind != STMT_CONTINUE) return NULL;
  for (const Control *control = f->control; control && control->loop; control = control->outer) {
    if (control->loop != stmt->jump.target) continue;
    return stmt->kind == STMT_BREAK ? control->on_break : control->on_continue;
  }
  return NULL;
}

void if_into(FnState *f, IfExpr *if_, int dest) {
  Label end = {0};
  for (uint32_t i = 0; i < if_->count; i++) {
    Label next = {0};
    Label *jump = dest == DEST_NONE ? only_jump(f, if_->clauses[i].body) : NULL;
    if (jump) {
      cond_jump(f, if_->clauses[i].condition, true, jump);
      continue;
    }
    bool is_last = i + 1 == if_->count && !if_->otherwise && dest == DEST_NONE;
    cond_jump(f, if_->clauses[i].condition, false, &next);
    block_into(f, if_->clauses[i].body, dest);
    if (!is_last && code_is_reachable(f)) emit_jump(f, &end);
    label_bind(f, &next);
  }
  if (if_->otherwise) block_into(f, if_->otherwise, dest);
  else deliver_nil(f, dest);
  label_bind(f, &end);
}

/* ---- ways out ----------------------------------------------------------------------------- */

static bool same_exit(Exit a, Exit b) { return a.kind == b.kind && a.loop == b.loop; }

/* Number of the exit among those that a finally passes on; see compile_try.c. */
static int32_t exit_number(FnState *f, Control *control, Exit exit) {
  size_t i = 0;
  while (i < control->exits.count && !same_exit(control->exits.items[i], exit)) i++;
  if (i == control->exits.count) VEC_PUSH(f->comp, control->exits, exit);
  return FIRST_EXIT + (int32_t)i;
}

static void leave_by_finally(FnState *f, Control *control, Exit exit, int value) {
  if (exit.kind == EXIT_RETURN) {
    if (value == NO_VALUE) emit_nil(f, control->value_reg);
    else emit_move(f, control->value_reg, (unsigned)value);
  }
  emit_ad(f, OP_LOADI, control->kind_reg, exit_number(f, control, exit), NO_SPAN);
  emit_jump(f, control->entry);
}

void exit_through(FnState *f, Exit exit, int value) {
  for (Control *control = f->control; control; control = control->outer) {
    if (!control->loop) {
      leave_by_finally(f, control, exit, value);
      return;
    }
    if (exit.kind != EXIT_RETURN && control->loop == exit.loop) {
      emit_jump(f, exit.kind == EXIT_BREAK ? control->on_break : control->on_continue);
      return;
    }
  }
  if (value == NO_VALUE) emit_abc(f, OP_RETNIL, 0, 0, 0, NO_SPAN);
  else emit_abc(f, OP_RET, (unsigned)value, 0, 0, NO_SPAN);
}

static void return_stmt(FnState *f, Stmt *stmt) {
  if (stmt->expr) expr_into(f, stmt->expr, DEST_RETURN);
  else deliver_nil(f, DEST_RETURN);
}

static void throw_stmt(FnState *f, Stmt *stmt) {
  unsigned mark = f->next;
  unsigned value = expr_any(f, stmt->expr);
  emit_abc(f, OP_THROW, value, 0, 0, stmt->span);
  reg_release(f, mark);
}

/* ---- loops -------------------------------------------------------------------------------- */

typedef struct Loop {
  Control control;
  Label body, next, end;
  unsigned mark, active; /* registers to go back to at the end of a turn */
  size_t locals;
} Loop;

static void loop_begin(FnState *f, Loop *loop, LoopInfo *info) {
  loop->control = (Control){.outer = f->control, .loop = info};
  loop->control.on_break = &loop->end;
  loop->control.on_continue = &loop->next;
  f->control = &loop->control;
}

static void loop_turn_begin(FnState *f, Loop *loop) {
  loop->mark = f->next;
  loop->active = f->active;
  loop->locals = f->locals.count;
  label_here(f, &loop->body);
}

/* Ends the turn's scope; what follows is the test for the next turn. */
static void loop_turn_end(FnState *f, Loop *loop) {
  locals_end(f, loop->locals);
  reg_release(f, loop->mark);
  f->active = loop->active;
}

static void loop_finish(FnState *f, Loop *loop) {
  f->control = loop->control.outer;
  label_bind(f, &loop->end);
}

static bool is_true(const Expr *e) { return e->kind == EXPR_BOOL && e->boolean; }

static void endless_stmt(FnState *f, Stmt *stmt) {
  Loop loop = {0};
  loop_begin(f, &loop, stmt->while_.info);
  loop_turn_begin(f, &loop);
  loop.control.on_continue = &loop.body;
  block_into(f, stmt->while_.body, DEST_NONE);
  Span head = stmt->while_.condition->span;
  if (code_is_reachable(f)) emit_jump_from(f, &loop.body, head);
  loop_turn_end(f, &loop);
  loop_finish(f, &loop);
}

static void while_stmt(FnState *f, Stmt *stmt) {
  if (is_true(stmt->while_.condition)) {
    endless_stmt(f, stmt);
    return;
  }
  Loop loop = {0};
  loop_begin(f, &loop, stmt->while_.info);
  emit_jump(f, &loop.next);
  loop_turn_begin(f, &loop);
  block_into(f, stmt->while_.body, DEST_NONE);
  label_bind(f, &loop.next);
  loop_turn_end(f, &loop);
  emit_span(f, stmt->while_.condition->span);
  cond_jump(f, stmt->while_.condition, true, &loop.body);
  loop_finish(f, &loop);
}

/* The body of a turn, with the loop variables in R[value] and after it. */
static void for_body(FnState *f, Loop *loop, Stmt *stmt, unsigned value) {
  loop_turn_begin(f, loop);
  scope_enter(f, stmt->for_.scope);
  pattern_bind(f, stmt->for_.first, value, true);
  if (stmt->for_.second) pattern_bind(f, stmt->for_.second, value + 1, true);
  block_into(f, stmt->for_.body, DEST_NONE);
  label_bind(f, &loop->next);
  loop_turn_end(f, loop);
}

static void for_range_stmt(FnState *f, Stmt *stmt) {
  Expr *range = stmt->for_.iterable;
  Loop loop = {0};
  unsigned base = f->next;
  expr_next(f, range->range.from);
  expr_next(f, range->range.to);
  reg_take(f, 1, range->span);
  f->active = f->next;
  loop_begin(f, &loop, stmt->for_.info);
  emit_branch(f, op_make_abc(OP_FORPREP, base, range->range.inclusive, 0), &loop.end,
              range->span);
  for_body(f, &loop, stmt, base + 2);
  emit_branch(f, op_make_abc(OP_FORLOOP, base, 0, 0), &loop.body, range->span);
  loop_finish(f, &loop);
}

static void for_iterator_stmt(FnState *f, Stmt *stmt) {
  Expr *source = stmt->for_.iterable;
  Loop loop = {0};
  unsigned variables = stmt->for_.second ? 2 : 1;
  unsigned base = reg_take(f, 3 + variables, source->span);
  unsigned mark = f->next;
  emit_abc(f, OP_ITER, base, expr_any(f, source), variables, source->span);
  reg_release(f, mark);
  f->active = f->next;
  loop_begin(f, &loop, stmt->for_.info);
  emit_jump(f, &loop.next);
  for_body(f, &loop, stmt, base + 3);
  emit_branch(f, op_make_abc(OP_FORNEXT, base, variables, 0), &loop.body, source->span);
  loop_finish(f, &loop);
}

static void for_stmt(FnState *f, Stmt *stmt) {
  unsigned mark = f->next, active = f->active;
  const Expr *source = stmt->for_.iterable;
  bool is_range = source->kind == EXPR_RANGE && source->range.from && source->range.to;
  if (is_range && !stmt->for_.second) for_range_stmt(f, stmt);
  else for_iterator_stmt(f, stmt);
  f->active = active;
  reg_release(f, mark);
}

/* ---- statements and blocks ---------------------------------------------------------------- */

static void jump_stmt(FnState *f, Stmt *stmt) {
  ExitKind kind = stmt->kind == STMT_BREAK ? EXIT_BREAK : EXIT_CONTINUE;
  exit_through(f, (Exit){kind, stmt->jump.target}, NO_VALUE);
}

static void stmt_compile(FnState *f, Stmt *stmt) {
  switch (stmt->kind) {
    case STMT_EXPR: expr_into(f, stmt->expr, DEST_NONE); break;
    case STMT_LET: let_stmt(f, stmt); break;
    case STMT_FN: break; /* functions_create */
    case STMT_CLASS: class_stmt(f, stmt->class_); break;
    case STMT_BLOCK: block_into(f, stmt->block, DEST_NONE); break;
    case STMT_WHILE: while_stmt(f, stmt); break;
    case STMT_FOR: for_stmt(f, stmt); break;
    case STMT_BREAK:
    case STMT_CONTINUE: jump_stmt(f, stmt); break;
    case STMT_RETURN: return_stmt(f, stmt); break;
    case STMT_THROW: throw_stmt(f, stmt); break;
    case STMT_DEFER: defer_stmt(f, stmt); break;
    case STMT_IMPORT: import_stmt(f, stmt); break;
    default: break;
  }
}

void block_into(FnState *f, Block *block, int dest) {
  unsigned mark = f->next, active = f->active;
  size_t locals = f->locals.count;
  bool has_value = false;
  scope_enter(f, block->scope);
  for (uint32_t i = 0; i < block->count; i++) {
    Stmt *stmt = block->stmts[i];
    functions_create(f, block->scope, i);
    has_value = dest != DEST_NONE && i + 1 == block->count && stmt->kind == STMT_EXPR;
    if (has_value) expr_into(f, stmt->expr, dest);
    else stmt_compile(f, stmt);
  }
  if (!has_value && code_is_reachable(f)) deliver_nil(f, dest);
  locals_end(f, locals);
  f->active = active;
  reg_release(f, mark);
}
