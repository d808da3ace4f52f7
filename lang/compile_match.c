/* `match`: arms are tried in order; a pattern is a row of tests that jump to the next arm, with
 * the names bound on the way. */
#include "compile.h"

static void test_pattern(FnState *f, Pattern *p, unsigned reg, bool in_place, Label *fail);

/* ---- literals, ranges, types -------------------------------------------------------------- */

static void test_truth(FnState *f, unsigned reg, Label *fail) {
  emit_branch(f, op_make_abc(OP_JF, reg, 0, 0), fail, NO_SPAN);
}

static void test_type(FnState *f, unsigned reg, unsigned type, Label *fail) {
  unsigned mark = f->next;
  unsigned result = reg_take(f, 1, NO_SPAN);
  emit_abc(f, OP_ISTYPE, result, reg, type, NO_SPAN);
  test_truth(f, result, fail);
  reg_release(f, mark);
}

enum {
#define TYPE(name, text) TYPE_NUMBER_##name,
#include "types.def"
#undef TYPE
};

/* The jumps that leave unless the value is within an end: by register, by small integer. */
static const Opcode FROM_OPS[] = {OP_JNGE, OP_JNGEI};
static const Opcode TO_OPS[] = {OP_JNLT, OP_JNLTI};
static const Opcode LAST_OPS[] = {OP_JNLE, OP_JNLEI};

static void compare_end(FnState *f, unsigned reg, Expr *end, const Opcode *ops, Label *fail) {
  unsigned mark = f->next;
  if (end->kind == EXPR_INT && end->integer >= INT16_MIN && end->integer <= INT16_MAX) {
    emit_branch(f, op_make_ad(ops[1], reg, (int32_t)end->integer), fail, end->span);
  } else {
    unsigned limit = expr_next(f, end);
    emit_branch(f, op_make_abc(ops[0], reg, limit, 0), fail, end->span);
  }
  reg_release(f, mark);
}

/* Numbers only: anything else is no match rather than an error. */
static void test_range(FnState *f, Pattern *p, unsigned reg, Label *fail) {
  test_type(f, reg, TYPE_NUMBER_NUMBER, fail);
  compare_end(f, reg, p->range.from, FROM_OPS, fail);
  compare_end(f, reg, p->range.to, p->range.inclusive ? LAST_OPS : TO_OPS, fail);
}

static void test_class(FnState *f, Pattern *p, unsigned reg, bool in_place, Label *fail) {
  if (p->type.builtin) {
    test_type(f, reg, (unsigned)p->type.builtin - 1, fail);
  } else {
    unsigned mark = f->next;
    unsigned result = reg_take(f, 1, p->span);
    unsigned type = expr_any(f, p->type.type);
    emit_abc(f, OP_IS, result, reg, type, p->type.type->span);
    test_truth(f, result, fail);
    reg_release(f, mark);
  }
  if (p->type.inner) test_pattern(f, p->type.inner, reg, in_place, fail);
}

/* ---- lists and maps ----------------------------------------------------------------------- */

static void test_list_length(FnState *f, Pattern *p, uint32_t required, unsigned reg,
                             Label *fail) {
  bool is_open = p->list.rest || required < p->list.count;
  emit_branch(f, op_make_abc(OP_TESTLIST, reg, required, is_open), fail, NO_SPAN);
  if (p->list.rest || required == p->list.count) return;
  unsigned mark = f->next;
  unsigned length = reg_take(f, 1, p->span);
  emit_abc(f, OP_LEN, length, reg, 0, NO_SPAN);
  emit_branch(f, op_make_ad(OP_JGTI, length, (int32_t)p->list.count), fail, NO_SPAN);
  reg_release(f, mark);
}

static void test_list(FnState *f, Pattern *p, unsigned reg, Label *fail) {
  uint32_t count = p->list.count, required = 0;
  while (required < count && !p->list.items[required].default_value) required++;
  unsigned base = reg_take(f, count + (p->list.rest ? 1 : 0), p->span);
  if (f->has_failed) return;
  test_list_length(f, p, required, reg, fail);
  emit_abcw(f, OP_UNPACK, base, reg, count, op_make_unpack(required, p->list.rest), NO_SPAN);
  f->active = f->next;
  for (uint32_t i = 0; i < count; i++) {
    pattern_default(f, p->list.items[i].default_value, base + i);
    test_pattern(f, p->list.items[i].pattern, base + i, true, fail);
  }
  if (p->list.rest) test_pattern(f, p->list.rest, base + count, true, fail);
}

static void test_entry(FnState *f, const MapPatternEntry *entry, unsigned source, Label *fail) {
  unsigned reg = reg_take(f, 1, entry->key->span);
  uint32_t key = pattern_key_constant(f, entry->key);
  emit_abcw(f, OP_GETOPT, reg, source, 0, key, entry->key->span);
  f->active = f->next;
  if (entry->default_value) {
    pattern_default(f, entry->default_value, reg);
  } else {
    emit_branch(f, op_make_abc(OP_JABSENT, reg, 0, 0), fail, NO_SPAN);
  }
  test_pattern(f, entry->pattern, reg, true, fail);
}

static void test_map(FnState *f, Pattern *p, unsigned reg, Label *fail) {
  emit_branch(f, op_make_abc(OP_TESTMAP, reg, 0, 0), fail, NO_SPAN);
  for (uint32_t i = 0; i < p->map.count; i++) test_entry(f, &p->map.entries[i], reg, fail);
  if (!p->map.rest) return;
  unsigned rest = reg_take(f, 1, p->span);
  pattern_map_rest(f, p, reg, rest);
  f->active = f->next;
  test_pattern(f, p->map.rest, rest, true, fail);
}

/* ---- patterns ----------------------------------------------------------------------------- */

static void test_alternatives(FnState *f, Pattern *p, unsigned reg, Label *fail) {
  Label found = {0};
  uint32_t last = p->alternatives.count - 1;
  for (uint32_t i = 0; i < last; i++) {
    Pattern *item = p->alternatives.items[i];
    if (item->kind == PATTERN_LITERAL) {
      cond_equals_literal(f, reg, item->literal, true, &found, item->span);
      continue;
    }
    Label next = {0};
    test_pattern(f, item, reg, false, &next);
    emit_jump(f, &found);
    label_bind(f, &next);
  }
  test_pattern(f, p->alternatives.items[last], reg, false, fail);
  label_bind(f, &found);
}

static void test_pattern(FnState *f, Pattern *p, unsigned reg, bool in_place, Label *fail) {
  switch (p->kind) {
    case PATTERN_BIND: var_init(f, p->bind.binding, reg, in_place, p->span); break;
    case PATTERN_LIST: test_list(f, p, reg, fail); break;
    case PATTERN_MAP: test_map(f, p, reg, fail); break;
    case PATTERN_LITERAL: cond_equals_literal(f, reg, p->literal, false, fail, p->span); break;
    case PATTERN_RANGE: test_range(f, p, reg, fail); break;
    case PATTERN_TYPE: test_class(f, p, reg, in_place, fail); break;
    case PATTERN_OR: test_alternatives(f, p, reg, fail); break;
    default: break;
  }
}

static bool is_irrefutable(const MatchArm *arm) {
  PatternKind kind = arm->pattern->kind;
  return !arm->guard && (kind == PATTERN_BIND || kind == PATTERN_WILDCARD);
}

static void arm_into(FnState *f, MatchArm *arm, unsigned subject, int dest, Label *end) {
  unsigned mark = f->next, active = f->active;
  size_t locals = f->locals.count;
  Label fail = {0};
  scope_enter(f, arm->scope);
  test_pattern(f, arm->pattern, subject, false, &fail);
  if (arm->guard) cond_jump(f, arm->guard, false, &fail);
  block_into(f, arm->body, dest);
  if (code_is_reachable(f)) emit_jump(f, end);
  locals_end(f, locals);
  f->active = active;
  reg_release(f, mark);
  label_bind(f, &fail);
}

void match_into(FnState *f, Expr *e, int dest) {
  unsigned mark = f->next;
  MatchExpr *match = e->match;
  Label end = {0};
  bool is_complete = false;
  unsigned subject = expr_any(f, match->subject);
  for (uint32_t i = 0; i < match->count && !is_complete; i++) {
    arm_into(f, &match->arms[i], subject, dest, &end);
    is_complete = is_irrefutable(&match->arms[i]);
  }
  if (!is_complete) emit_abc(f, OP_MATCHFAIL, subject, 0, 0, match->subject->span);
  label_bind(f, &end);
  reg_release(f, mark);
}
