/* `try`, `finally` and deferred calls.
 *
 * A finally's code exists once. Whoever goes there says why in a register: 0 it was reached by
 * falling through, 1 an error is in the value register, 2 and up an exit (return with its value
 * in the value register, break, continue) out of the list that the control keeps. After the
 * finally's own code a row of comparisons goes on accordingly: throws again, or takes the exit,
 * which may lead into the next finally outside.
 *
 * Deferred calls are a finally around the function's body: it takes records off a list and calls
 * them. An error of such a call becomes the reason to be there, and the rest still run.
 */
#include "compile.h"

typedef struct Finally {
  Control control;
  Label entry;
  uint32_t start; /* of the guarded code */
} Finally;

static void finally_begin(FnState *f, Finally *fin, Span span) {
  *fin = (Finally){0};
  fin->control.outer = f->control;
  fin->control.entry = &fin->entry;
  fin->control.kind_reg = reg_take(f, 2, span);
  fin->control.value_reg = fin->control.kind_reg + 1;
  f->active = f->next;
  f->control = &fin->control;
  f->guards++;
  emit_nil(f, fin->control.value_reg); /* as in clear_result */
  fin->start = code_here(f);
}

/* A result is set on all ways, also on those that lead past it: where ways meet behind the finally,
 * the proof of images does not know which was taken. A variable has its value already. */
static void clear_result(FnState *f, int dest) {
  if (dest >= 0 && reg_is_fresh(f, (unsigned)dest)) emit_nil(f, (unsigned)dest);
}

static void set_reason(FnState *f, const Finally *fin, int32_t reason) {
  emit_ad(f, OP_LOADI, fin->control.kind_reg, reason, NO_SPAN);
}

/* Ends the guarded code; what follows is the finally's own. Gives where errors arrive. */
static uint32_t finally_enter(FnState *f, Finally *fin) {
  uint32_t end = code_here(f);
  if (code_is_reachable(f)) {
    set_reason(f, fin, REASON_FALL);
    emit_jump(f, &fin->entry);
  }
  Label target = {0};
  label_here(f, &target);
  handler_add(f, fin->start, end, target.at, fin->control.value_reg);
  set_reason(f, fin, REASON_ERROR);
  label_bind(f, &fin->entry);
  f->control = fin->control.outer;
  f->guards--;
  return target.at;
}

static void finally_dispatch(FnState *f, Finally *fin) {
  const Control *control = &fin->control;
  Label done = {0}, next = {0};
  uint32_t is_fall = op_make_ad(OP_JEQI, control->kind_reg, REASON_FALL);
  emit_branch(f, is_fall, &done, NO_SPAN);
  if (control->exits.count > 0) {
    emit_branch(f, op_make_ad(OP_JNEI, control->kind_reg, REASON_ERROR), &next, NO_SPAN);
  }
  emit_abc(f, OP_RETHROW, control->value_reg, 0, 0, NO_SPAN);
  label_bind(f, &next);
  for (size_t i = 0; i < control->exits.count; i++) {
    Label skip = {0};
    bool is_last = i + 1 == control->exits.count;
    uint32_t is_other = op_make_ad(OP_JNEI, control->kind_reg, FIRST_EXIT + (int32_t)i);
    if (!is_last) emit_branch(f, is_other, &skip, NO_SPAN);
    exit_through(f, control->exits.items[i], (int)control->value_reg);
    label_bind(f, &skip);
  }
  label_bind(f, &done);
}

/* ---- try ---------------------------------------------------------------------------------- */

static void catch_into(FnState *f, TryExpr *try_, int dest, unsigned error) {
  unsigned mark = f->next, active = f->active;
  size_t locals = f->locals.count;
  f->active = f->next;
  scope_enter(f, try_->catch_scope);
  if (try_->catch_pattern) pattern_bind(f, try_->catch_pattern, error, true);
  block_into(f, try_->catch_body, dest);
  locals_end(f, locals);
  f->active = active;
  reg_release(f, mark);
}

static void guarded_into(FnState *f, TryExpr *try_, int dest) {
  if (!try_->catch_body) {
    block_into(f, try_->body, dest);
    return;
  }
  unsigned mark = f->next;
  Label after = {0}, target = {0};
  unsigned error = reg_take(f, 1, try_->body->span);
  uint32_t start = code_here(f);
  f->guards++;
  block_into(f, try_->body, dest);
  f->guards--;
  uint32_t end = code_here(f);
  if (code_is_reachable(f)) emit_jump(f, &after);
  label_here(f, &target);
  handler_add(f, start, end, target.at, error);
  catch_into(f, try_, dest, error);
  label_bind(f, &after);
  reg_release(f, mark);
}

static void try_to(FnState *f, TryExpr *try_, int dest) {
  unsigned active = f->active;
  if (!try_->finally_body) {
    guarded_into(f, try_, dest);
    return;
  }
  Finally fin;
  clear_result(f, dest);
  finally_begin(f, &fin, try_->body->span);
  guarded_into(f, try_, dest);
  finally_enter(f, &fin);
  block_into(f, try_->finally_body, DEST_NONE);
  finally_dispatch(f, &fin);
  f->active = active;
}

/* A value to be returned waits in a register, since the finally's code comes in between. */
void try_into(FnState *f, TryExpr *try_, int dest) {
  unsigned mark = f->next;
  if (dest == DEST_RETURN) {
    unsigned value = reg_take(f, 1, try_->body->span);
    try_to(f, try_, (int)value);
    deliver(f, value, dest);
  } else {
    try_to(f, try_, dest);
  }
  reg_release(f, mark);
}

/* ---- defer -------------------------------------------------------------------------------- */

enum { DEFER_CALL_REGISTERS = 4 }; /* callee, link, list of arguments, named arguments */

static void run_deferred(FnState *f, Finally *fin, uint32_t on_error) {
  unsigned mark = f->next;
  Label done = {0}, loop = {0};
  unsigned base = reg_take(f, DEFER_CALL_REGISTERS, NO_SPAN);
  label_here(f, &loop);
  emit_branch(f, op_make_abc(OP_DEFERRUN, f->defer_list, base, 0), &done, NO_SPAN);
  uint32_t start = code_here(f);
  emit_abc(f, OP_CALLX, base, 0, base, NO_SPAN);
  handler_add(f, start, code_here(f), on_error, fin->control.value_reg);
  emit_jump(f, &loop);
  label_bind(f, &done);
  reg_release(f, mark);
}

void body_with_defers(FnState *f, Block *body, int dest) {
  if (!f->info->has_defer) {
    block_into(f, body, dest);
    return;
  }
  Finally fin;
  clear_result(f, dest);
  f->defer_list = reg_take(f, 1, body->span);
  emit_abc(f, OP_NEWLIST, f->defer_list, 0, 0, body->span);
  finally_begin(f, &fin, body->span);
  block_into(f, body, dest);
  uint32_t on_error = finally_enter(f, &fin);
  run_deferred(f, &fin, on_error);
  finally_dispatch(f, &fin);
}
