/* Registers, instructions, labels and constants of the function under compilation.
 *
 * Limits (registers, constants, caches, code size) are reported once per function; after that
 * the compiler goes on, so that other errors are found, with code that nobody will run. */
#include <string.h>

#include "compile.h"

void compile_fail(FnState *f, Span span, const char *message) {
  if (f->has_failed) return;
  f->has_failed = true;
  diag_error(f->comp->diags, f->comp->source, span, "%s", message);
}

unsigned reg_take(FnState *f, unsigned count, Span span) {
  unsigned first = f->next;
  if (count > MAX_REGISTERS || first > MAX_REGISTERS - count) {
    Diag *diag = NULL;
    if (!f->has_failed) {
      diag = diag_error(f->comp->diags, f->comp->source, span,
                        "this function or expression needs too many registers");
      diag_hint(f->comp->diags, diag, "split it up: at most %d values can be in use at a time",
                MAX_REGISTERS);
    }
    f->has_failed = true;
    return 0;
  }
  f->next = first + count;
  if (f->next > f->proto->nregs) f->proto->nregs = (uint16_t)f->next;
  return first;
}

/* ---- instructions ------------------------------------------------------------------------- */

void emit_word(FnState *f, uint32_t word) { VEC_PUSH(f->comp, f->code, word); }

void emit_span(FnState *f, Span span) {
  if (span.end == 0) return;
  if (f->spans.count > 0) {
    const SpanEntry *last = &f->spans.items[f->spans.count - 1];
    if (last->from == span.start && last->to == span.end) return;
  }
  SpanEntry entry = {code_here(f), span.start, span.end};
  VEC_PUSH(f->comp, f->spans, entry);
}

/* Begins an instruction; its further words follow by emit_word. */
static void emit_op(FnState *f, uint32_t ins, Span span) {
  if (f->code.count >= MAX_CODE) {
    compile_fail(f, f->info->node ? f->info->node->head : span, "this function is too large");
    f->code.count = 0;
    f->last_target = 0;
  }
  emit_span(f, span);
  f->last_op = code_here(f);
  emit_word(f, ins);
}

void emit_abc(FnState *f, Opcode op, unsigned a, unsigned b, unsigned c, Span span) {
  emit_op(f, op_make_abc(op, a, b, c), span);
}

void emit_abcw(FnState *f, Opcode op, unsigned a, unsigned b, unsigned c, uint32_t w,
               Span span) {
  emit_abc(f, op, a, b, c, span);
  emit_word(f, w);
}

void emit_ad(FnState *f, Opcode op, unsigned a, int32_t d, Span span) {
  emit_op(f, op_make_ad(op, a, d), span);
}

void emit_move(FnState *f, unsigned to, unsigned from) {
  if (to != from) emit_abc(f, OP_MOVE, to, from, 0, NO_SPAN);
}

void emit_nil(FnState *f, unsigned to) { emit_ad(f, OP_LOADP, to, PRIM_NIL, NO_SPAN); }

static uint32_t take_cache(FnState *f, Span span) {
  if (f->proto->ncaches >= MAX_CACHES) {
    compile_fail(f, span, "too many member accesses in one function");
    return 0;
  }
  return f->proto->ncaches++;
}

void emit_cached(FnState *f, Opcode op, unsigned a, unsigned b, unsigned c, Text name,
                 Span span) {
  uint32_t constant = const_string(f, name, span);
  emit_abcw(f, op, a, b, c, op_make_cached(constant, take_cache(f, span)), span);
}

/* ---- labels ------------------------------------------------------------------------------- */

static bool is_unconditional(uint32_t ins) { return op_code(ins) == OP_JMP; }

static uint32_t displacement(uint32_t from, uint32_t to) { return to - from; }

static void label_wait(FnState *f, Label *label, uint32_t at) {
  if (is_unconditional(f->code.items[at])) {
    f->code.items[at] = op_make_j(OP_JMP, (int32_t)label->chain);
  } else {
    f->code.items[at + 1] = label->chain;
  }
  label->chain = at + 1;
}

void emit_branch(FnState *f, uint32_t ins, Label *label, Span span) {
  emit_op(f, ins, span);
  uint32_t at = f->last_op;
  emit_word(f, 0);
  if (label->is_bound) f->code.items[at + 1] = displacement(at + 2, label->at);
  else label_wait(f, label, at);
}

void emit_jump(FnState *f, Label *label) { emit_jump_from(f, label, NO_SPAN); }

void emit_jump_from(FnState *f, Label *label, Span span) {
  if (label->is_bound) {
    emit_op(f, 0, span);
    uint32_t at = f->last_op;
    f->code.items[at] = op_make_j(OP_JLOOP, (int32_t)displacement(at + 1, label->at));
  } else {
    emit_op(f, op_make_j(OP_JMP, 0), NO_SPAN);
    label_wait(f, label, f->last_op);
  }
}

/* Sets the displacement of the jump at `at` and gives the next of its chain. */
static uint32_t label_patch(FnState *f, uint32_t at) {
  uint32_t here = code_here(f);
  uint32_t *ins = &f->code.items[at];
  uint32_t next;
  if (is_unconditional(*ins)) {
    next = *ins >> 8;
    *ins = op_make_j(OP_JMP, (int32_t)displacement(at + 1, here));
  } else {
    next = ins[1];
    ins[1] = displacement(at + 2, here);
  }
  return next;
}

/* A jump to the very next instruction is taken back, unless something jumps behind it. */
static void drop_jump_to_next(FnState *f, Label *label) {
  uint32_t here = code_here(f);
  if (label->chain != here || here == 0 || f->last_target == here) return;
  uint32_t ins = f->code.items[here - 1];
  if (!is_unconditional(ins) || f->last_op != here - 1) return;
  label->chain = ins >> 8;
  f->code.count--;
  f->last_target = code_here(f); /* the jump led here: this place is reached, whatever stood before */
}

void label_here(FnState *f, Label *label) {
  label->at = code_here(f);
  label->is_bound = true;
  f->last_target = label->at;
}

void label_bind(FnState *f, Label *label) {
  if (f->has_failed) label->chain = 0;
  drop_jump_to_next(f, label);
  if (label->chain) label_here(f, label);
  while (label->chain) label->chain = label_patch(f, label->chain - 1);
}

bool code_is_reachable(const FnState *f) {
  if (f->code.count == 0 || f->last_target == code_here(f)) return true;
  switch (op_code(f->code.items[f->last_op])) {
    case OP_RET:
    case OP_RETNIL:
    case OP_TAILCALL:
    case OP_TAILINVOKE:
    case OP_THROW:
    case OP_RETHROW:
    case OP_JMP:
    case OP_JLOOP:
    case OP_MATCHFAIL: return false;
    default: return true;
  }
}

void handler_add(FnState *f, uint32_t start, uint32_t end, uint32_t target, unsigned reg) {
  if (start >= end) return;
  Handler handler = {start, end, target, (uint8_t)reg};
  VEC_PUSH(f->comp, f->handlers, handler);
}

/* ---- constants ---------------------------------------------------------------------------- */

static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t len) {
  const unsigned char *p = bytes;
  for (size_t i = 0; i < len; i++) hash = (hash ^ p[i]) * 16777619u;
  return hash;
}

static uint32_t const_hash(const Const *c) {
  uint32_t hash = 2166136261u + (uint32_t)c->kind;
  if (c->kind == CONST_STRING) return hash_bytes(hash, c->s.chars, c->s.len);
  return hash_bytes(hash, &c->i, sizeof c->i);
}

/* Floats by their bits: 0.0 and -0.0 are two constants. */
static bool const_same(const Const *a, const Const *b) {
  if (a->kind != b->kind) return false;
  if (a->kind != CONST_STRING) return memcmp(&a->i, &b->i, sizeof a->i) == 0;
  return a->s.len == b->s.len && (a->s.len == 0 || !memcmp(a->s.chars, b->s.chars, a->s.len));
}

static uint32_t *const_slot(FnState *f, const Const *wanted) {
  uint32_t mask = f->const_capacity - 1;
  uint32_t i = const_hash(wanted);
  for (i &= mask; f->const_index[i]; i = (i + 1) & mask) {
    if (const_same(&f->consts.items[f->const_index[i] - 1], wanted)) break;
  }
  return &f->const_index[i];
}

static void const_grow(FnState *f) {
  f->const_capacity = f->const_capacity ? 2 * f->const_capacity : 32;
  f->const_index = comp_array(f->comp, f->const_capacity, sizeof *f->const_index);
  for (size_t i = 0; i < f->consts.count; i++) {
    if (f->consts.items[i].kind != CONST_NAMES) {
      *const_slot(f, &f->consts.items[i]) = (uint32_t)i + 1;
    }
  }
}

static uint32_t const_push(FnState *f, Const c, Span span) {
  if (f->consts.count >= MAX_CONSTANTS) {
    compile_fail(f, span, "too many constants in one function");
    return 0;
  }
  VEC_PUSH(f->comp, f->consts, c);
  return (uint32_t)f->consts.count - 1;
}

static uint32_t const_add(FnState *f, Const c, Span span) {
  if (2 * f->consts.count >= f->const_capacity) const_grow(f);
  uint32_t *slot = const_slot(f, &c);
  if (*slot) return *slot - 1;
  uint32_t index = const_push(f, c, span);
  if (!f->has_failed) *slot = index + 1;
  return index;
}

uint32_t const_int(FnState *f, int64_t value, Span span) {
  Const c = {.kind = CONST_INT};
  c.i = value;
  return const_add(f, c, span);
}

uint32_t const_float(FnState *f, double value, Span span) {
  Const c = {.kind = CONST_FLOAT};
  c.f = value;
  return const_add(f, c, span);
}

uint32_t const_number(FnState *f, const Expr *literal) {
  return literal->kind == EXPR_INT ? const_int(f, literal->integer, literal->span)
                                   : const_float(f, literal->number, literal->span);
}

uint32_t const_string(FnState *f, Text text, Span span) {
  Const c = {.kind = CONST_STRING};
  c.s = text;
  return const_add(f, c, span);
}

uint32_t const_names(FnState *f, Text *names, uint32_t count, Span span) {
  Const c = {.kind = CONST_NAMES};
  c.names.items = names;
  c.names.n = count;
  return const_push(f, c, span);
}
