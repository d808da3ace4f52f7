/* image_types.c - proof that registers hold what instructions take for granted.
 *
 * An abstract interpretation: each function's code is run on types instead of values. The types:
 *
 *   junk      anything, also what an earlier frame left there: may be copied, and not used
 *   value     what programs may see: any value but frames, stores and their like
 *   count,    what FORPREP leaves: two ints, the first below the second, or a range that is not
 *   limit     empty and 0.0. Together they are what FORLOOP wants; each alone is a value
 *   frame     a scope frame of a known shape: so many slots, and above it another shape or the
 *             frame of the running closure
 *
 * At a function's beginning its parameters are values, the rest is junk. Where ways meet, count and
 * limit become values if they meet values, all else that differs becomes junk. A type only ever
 * falls, at most three times, so that the walk ends: blocks of code are gone through in order of
 * their places as often as what is known at their beginning has changed. Work beyond what nested
 * loops could need is refused.
 *
 * An error may lead from any instruction to the first handler around it. So whatever a register
 * holds before or after an instruction within a handler's range it may hold at its target; from the
 * handler's own register on there are the error and zeros.
 *
 * What a child needs of frames above it is asked of the register that its CLOSURE names, or, beyond
 * the frames that this function made, added to what this function needs itself.
 *
 * A saved frame goes on where its link says: then its registers must hold what is known there, and
 * those that lie in the frame above must be junk. */
#include "image_types.h"

#include <stdlib.h>

#include "../lang/opcode.h"
#include "image_code.h"
#include "loader.h"

enum { JUNK, VALUE, COUNT, LIMIT, FRAME };
enum { MOST_SHAPES = 4000, MOST_LEVELS = 256, MOST_STEPS = 40, WORK_A_WORD = 2048 };
#define MOST_STATE_BYTES ((uint64_t)256 << 20)
#define NONE             UINT32_MAX

/* A frame's shape; parent: 0: the closure's own frame, else number of a shape + 1. */
typedef struct Shape {
  uint32_t slots, parent;
} Shape;

/* Where blocks begin. */
typedef struct Block {
  uint32_t at;
  bool reached, dirty;
} Block;

typedef struct Types {
  ox_VM *vm;
  Proto *p;
  const uint32_t *code;
  const TypesAsk *ask;
  CodeNeeds *needs;
  uint32_t n, top, nblocks, nshapes;
  Block *blocks;
  uint16_t *states;   /* `top` types for each block */
  uint32_t *block_of; /* word -> block that begins there, or NONE */
  uint32_t *guards;   /* word -> first handler around it, or NONE */
  CodeStarts starts;
  Shape *shapes;
  uint16_t now[256];
  uint32_t at;      /* the instruction */
  uint32_t guarded; /* the handler whose target knows `now`, or NONE */
  bool quiet;       /* nothing is told to other blocks */
  uint64_t work, most;
  const char *wrong;
} Types;

static void fail(Types *t, const char *why) {
  if (!t->wrong) t->wrong = why;
}

static const Handler *handlers(const Types *t) { return info_handlers(proto_info(t->vm, t->p)); }

/* ---- meeting --------------------------------------------------------------------------------- */

static bool is_value(unsigned type) { return type == VALUE || type == COUNT || type == LIMIT; }

static unsigned meet(unsigned a, unsigned b) {
  return a == b ? a : is_value(a) && is_value(b) ? VALUE : JUNK;
}

static uint16_t *state_of(const Types *t, uint32_t block) {
  return t->states + (uint64_t)block * t->top;
}

static void meet_register(Types *t, uint32_t block, unsigned r, unsigned type) {
  uint16_t *known = &state_of(t, block)[r];
  unsigned met = meet(*known, type);
  if (met == *known) return;
  *known = (uint16_t)met;
  t->blocks[block].dirty = true;
}

/* The first `kept` registers as they are now, the rest values. */
static void reach(Types *t, uint32_t block, unsigned kept) {
  if (t->quiet || t->wrong) return;
  uint16_t *to = state_of(t, block);
  bool first = !t->blocks[block].reached;
  t->work += t->top;
  if (first) t->blocks[block].reached = t->blocks[block].dirty = true;
  for (unsigned r = 0; r < t->top; r++) {
    unsigned type = r < kept ? t->now[r] : VALUE;
    if (first) to[r] = (uint16_t)type;
    else meet_register(t, block, r, type);
  }
}

static void reach_word(Types *t, int64_t word) {
  if (word < 0 || word >= t->n || t->block_of[word] == NONE) fail(t, "a jump to no instruction");
  else reach(t, t->block_of[word], t->top);
}

/* An error at `word` would be caught with the registers as they are now. */
static void guard_word(Types *t, int64_t word) {
  if (word < 0 || word >= t->n || t->guards[word] == t->guarded) return;
  t->guarded = t->guards[word];
  if (t->guarded == NONE) return;
  const Handler *h = handlers(t) + t->guarded;
  reach(t, t->block_of[h->target], h->reg);
}

static void guard(Types *t, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) guard_word(t, (int64_t)t->at + i);
}

/* ---- registers ------------------------------------------------------------------------------- */

static bool is_there(Types *t, unsigned r) {
  if (r < t->top) return true;
  fail(t, "a register that there is not");
  return false;
}

static void use(Types *t, unsigned r) {
  if (!is_there(t, r) || is_value(t->now[r])) return;
  fail(t, t->now[r] == JUNK ? "a register that is used before it is set"
                            : "a frame that is used as a value");
}

static void use_all(Types *t, unsigned r, unsigned n) {
  for (unsigned i = 0; i < n; i++) use(t, r + i);
}

static void tell_handlers(Types *t, unsigned r, unsigned type) {
  uint32_t length = op_length(t->code + t->at), last = NONE;
  for (uint32_t i = 0; i < length && !t->quiet; i++) {
    uint32_t g = t->guards[t->at + i];
    if (g == NONE || g == last) continue;
    const Handler *h = handlers(t) + g;
    if (r < h->reg) meet_register(t, t->block_of[h->target], r, type);
    last = g;
  }
}

static void set(Types *t, unsigned r, unsigned type) {
  if (!is_there(t, r) || t->wrong) return;
  t->now[r] = (uint16_t)type;
  tell_handlers(t, r, type);
}

static void set_all(Types *t, unsigned r, unsigned n, unsigned type) {
  for (unsigned i = 0; i < n; i++) set(t, r + i, type);
}

/* A call at R[a] with room for `n` registers: others come to lie there and above. */
static void clobber(Types *t, unsigned a, unsigned n) {
  if (a + n > t->top) fail(t, "registers that there are not");
  else set_all(t, a, t->top - a, JUNK);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void need_slot(Types *t, uint32_t level, uint32_t slot) {
  CodeNeeds *n = t->needs;
  if (level >= MOST_LEVELS || slot > UINT16_MAX) return fail(t, "a slot that no frame can have");
  if (!n->slots && !(n->slots = calloc(MOST_LEVELS, sizeof *n->slots)))
    return fail(t, "there is no memory to check it");
  if (level >= n->levels) n->levels = level + 1;
  if (slot >= n->slots[level]) n->slots[level] = slot + 1;
}

static void need_capture(Types *t, uint32_t index) {
  if (index >= t->needs->captures) t->needs->captures = index + 1;
}

static const Shape *shape_of(Types *t, unsigned r) {
  if (!is_there(t, r)) return NULL;
  if (t->now[r] >= FRAME) return t->shapes + (t->now[r] - FRAME);
  fail(t, "a register that is no frame");
  return NULL;
}

static void check_slot(Types *t, unsigned r, uint32_t slot) {
  const Shape *s = shape_of(t, r);
  if (s && slot >= s->slots) fail(t, "a slot that the frame has not");
}

static void new_frame(Types *t, unsigned r, unsigned above, uint32_t slots) {
  uint32_t parent = 0, i = 0;
  if (above != FRAME_OWN) {
    const Shape *s = shape_of(t, above);
    parent = s ? (uint32_t)(s - t->shapes) + 1 : 0;
  }
  if (slots > UINT16_MAX) fail(t, "a frame with too many slots");
  while (i < t->nshapes && (t->shapes[i].slots != slots || t->shapes[i].parent != parent)) i++;
  t->work += i;
  if (i == MOST_SHAPES) return fail(t, "a function with too many frames");
  if (i == t->nshapes) t->shapes[t->nshapes++] = (Shape){slots, parent};
  set(t, r, FRAME + i);
}

/* What a child asks for, of the frame in register `from`. Those with nothing above have a parent of
 * none, and each was made after the one above it, so that the way up ends. */
static void give_frame(Types *t, unsigned from, const CodeNeeds *child) {
  const Shape *s = from < FRAME_NONE ? shape_of(t, from) : NULL;
  if (from < FRAME_NONE && !s) return;
  if (from == FRAME_NONE && child->levels) return fail(t, "a closure without the frame it needs");
  uint32_t level = 0;
  for (; s && level < child->levels; level++, t->work++) {
    if (child->slots[level] > s->slots) return fail(t, "a closure whose frame lacks a slot");
    s = s->parent ? t->shapes + (s->parent - 1) : NULL;
  }
  for (uint32_t own = 0; level + own < child->levels; own++, t->work++)
    if (child->slots[level + own]) need_slot(t, own, child->slots[level + own] - 1);
}

static void new_closure(Types *t, uint32_t ins) {
  const uint32_t *word = t->code + t->at + 1;
  uint32_t n = op_closure_captures(*word);
  const Store *children = vm_deref(t->vm, t->p->children);
  const CodeNeeds *child = t->ask->needs(t->ask->ctx, v_ref(children->items[op_d(ins)]).w);
  if (!child) return fail(t, "a function inside itself");
  if (n > UINT16_MAX || child->captures > n)
    return fail(t, "a closure with too few captured values");
  give_frame(t, op_closure_frame(*word), child);
  for (uint32_t i = 1; i <= n; i++) {
    if (word[i] >= CAPTURE_OWN) need_capture(t, word[i] - CAPTURE_OWN);
    else use(t, word[i]);
  }
  t->work += n;
  set(t, op_a(ins), VALUE);
}

/* ---- instructions ---------------------------------------------------------------------------- */

/* What those do with registers A, B and C that need no more than that: r: reads a value, w: writes
 * one behind all that is read. The others are in `step`. */
static const char plain[OP_COUNT][4] = {
    [OP_LOADK] = "w..",     [OP_LOADI] = "w..",     [OP_LOADP] = "w..",    [OP_GETCORE] = "w..",
    [OP_GETGLOBAL] = "w..", [OP_SETGLOBAL] = "r..", [OP_GETCAP] = "w..",   [OP_GETSLOT] = "w..",
    [OP_SETSLOT] = "r..",   [OP_GETUP] = "w..",     [OP_GETUPC] = "w..",   [OP_SETUP] = "r..",
    [OP_SETUPC] = "r..",    [OP_GETSLOTW] = "w..",  [OP_SETSLOTW] = "r..", [OP_GETUPW] = "w..",
    [OP_SETUPW] = "r..",    [OP_ADD] = "wrr",       [OP_SUB] = "wrr",      [OP_MUL] = "wrr",
    [OP_DIV] = "wrr",       [OP_IDIV] = "wrr",      [OP_MOD] = "wrr",      [OP_POW] = "wrr",
    [OP_MATMUL] = "wrr",    [OP_ADDI] = "wr.",      [OP_SUBI] = "wr.",     [OP_ADDK] = "wr.",
    [OP_SUBK] = "wr.",      [OP_MULK] = "wr.",      [OP_DIVK] = "wr.",     [OP_IDIVK] = "wr.",
    [OP_MODK] = "wr.",      [OP_KADD] = "w.r",      [OP_KSUB] = "w.r",     [OP_KMUL] = "w.r",
    [OP_KDIV] = "w.r",      [OP_BAND] = "wrr",      [OP_BOR] = "wrr",      [OP_BXOR] = "wrr",
    [OP_SHL] = "wrr",       [OP_SHR] = "wrr",       [OP_NEG] = "wr.",      [OP_BNOT] = "wr.",
    [OP_NOT] = "wr.",       [OP_LEN] = "wr.",       [OP_EQ] = "wrr",       [OP_NE] = "wrr",
    [OP_LT] = "wrr",        [OP_LE] = "wrr",        [OP_GT] = "wrr",       [OP_GE] = "wrr",
    [OP_IN] = "wrr",        [OP_IS] = "wrr",        [OP_ISTYPE] = "wr.",   [OP_JMP] = "...",
    [OP_JLOOP] = "...",     [OP_JT] = "r..",        [OP_JF] = "r..",       [OP_JNIL] = "r..",
    [OP_JNNIL] = "r..",     [OP_JABSENT] = "r..",   [OP_JPRESENT] = "r..", [OP_JEQ] = "rr.",
    [OP_JNE] = "rr.",       [OP_JLT] = "rr.",       [OP_JNLT] = "rr.",     [OP_JLE] = "rr.",
    [OP_JNLE] = "rr.",      [OP_JGT] = "rr.",       [OP_JNGT] = "rr.",     [OP_JGE] = "rr.",
    [OP_JNGE] = "rr.",      [OP_JEQI] = "r..",      [OP_JNEI] = "r..",     [OP_JLTI] = "r..",
    [OP_JNLTI] = "r..",     [OP_JLEI] = "r..",      [OP_JNLEI] = "r..",    [OP_JGTI] = "r..",
    [OP_JNGTI] = "r..",     [OP_JGEI] = "r..",      [OP_JNGEI] = "r..",    [OP_JLTK] = "r..",
    [OP_JNLTK] = "r..",     [OP_JLEK] = "r..",      [OP_JNLEK] = "r..",    [OP_JGTK] = "r..",
    [OP_JNGTK] = "r..",     [OP_JGEK] = "r..",      [OP_JNGEK] = "r..",    [OP_JEQK] = "r..",
    [OP_JNEK] = "r..",      [OP_GETF] = "wr.",      [OP_GETFQ] = "wr.",    [OP_GETM] = "wr.",
    [OP_SETF] = "rr.",      [OP_GETIDX] = "wrr",    [OP_GETIDXQ] = "wrr",  [OP_GETIDXI] = "wr.",
    [OP_SETIDX] = "rrr",    [OP_RANGE] = "wrr",     [OP_RANGEI] = "wrr",   [OP_RET] = "r..",
    [OP_RETNIL] = "...",    [OP_FIXCAP] = "r.r",    [OP_LISTEXT] = "rr.",  [OP_NEWMAP] = "w..",
    [OP_MAPPUT] = "rrr",    [OP_MAPEXT] = "rr.",    [OP_METHOD] = "rr.",   [OP_CLASSEND] = "r..",
    [OP_TESTLIST] = "r..",  [OP_TESTMAP] = "r..",   [OP_GETOPT] = "wr.",   [OP_MAPREST] = "wr.",
    [OP_MATCHFAIL] = "r..", [OP_THROW] = "r..",     [OP_RETHROW] = "r..",  [OP_YIELD] = "wr.",
    [OP_IMPORT] = "w..",
};

static void step_plain(Types *t, uint32_t ins) {
  const char *what = plain[op_code(ins)];
  if (!what[0]) return fail(t, "an instruction that cannot be proven");
  if (what[0] == 'r') use(t, op_a(ins));
  if (what[1] == 'r') use(t, op_b(ins));
  if (what[2] == 'r') use(t, op_c(ins));
  if (what[0] == 'w') set(t, op_a(ins), VALUE);
}

static void step_variable(Types *t, uint32_t ins) {
  uint32_t word = t->code[t->at + (op_length(t->code + t->at) - 1)];
  switch (op_code(ins)) {
    case OP_GETCAP: need_capture(t, op_b(ins)); break;
    case OP_GETSLOT:
    case OP_SETSLOT: check_slot(t, op_b(ins), op_c(ins)); break;
    case OP_GETSLOTW:
    case OP_SETSLOTW: check_slot(t, op_b(ins), word); break;
    case OP_GETUPW:
    case OP_SETUPW: need_slot(t, op_b(ins), word); break;
    default: need_slot(t, op_b(ins), op_c(ins)); break;
  }
  step_plain(t, ins);
}

/* R[A+2] is where the arguments begin. */
static void step_call(Types *t, uint32_t ins) {
  unsigned a = op_a(ins), b = op_b(ins);
  switch (op_code(ins)) {
    case OP_INVOKE:
    case OP_TAILINVOKE:
      use_all(t, a + 2, b + 1);
      clobber(t, a, b + 3);
      break;
    case OP_PUSH:
      use(t, b);
      use(t, op_c(ins));
      return clobber(t, a, 4);
    case OP_CALLX:
      use(t, a);
      use_all(t, a + 2, 2);
      clobber(t, a, 4);
      break;
    default:
      use(t, a);
      use_all(t, a + 2, b);
      clobber(t, a, b + 2);
      break;
  }
  if (op_code(ins) != OP_TAILCALL && op_code(ins) != OP_TAILINVOKE) set(t, op_c(ins), VALUE);
}

static void step_maker(Types *t, uint32_t ins) {
  unsigned a = op_a(ins), b = op_b(ins), c = op_c(ins);
  uint32_t word = t->code[t->at + (op_length(t->code + t->at) - 1)];
  switch (op_code(ins)) {
    case OP_NEWLIST:
    case OP_NEWMAPK:
    case OP_CONCAT: use_all(t, b, c); break;
    case OP_LISTPUSH: use(t, a), use_all(t, b, c); return;
    case OP_SLICE:
    case OP_SLICEI: use(t, b), use_all(t, c, 2); break;
    case OP_CLASS:
      if (b != NO_SUPERCLASS) use(t, b);
      break;
    case OP_FIELD:
      use(t, a);
      if (!c) use(t, b);
      return;
    case OP_SUPERGET:
      use(t, b);
      if (c != SUPER_UNBOUND) use(t, c);
      break;
    default: /* UNPACK */
      use(t, b);
      set_all(t, a, c + op_unpack_has_rest(word), VALUE);
      return;
  }
  set(t, a, VALUE);
}

/* The ways of a loop differ in what they leave: the jump is told here, `now` is what follows. */
static void step_loop(Types *t, uint32_t ins, int64_t target) {
  unsigned a = op_a(ins), b = op_b(ins);
  if (!is_there(t, a + 2)) return;
  switch (op_code(ins)) {
    case OP_FORPREP: {
      use_all(t, a, 2);
      set_all(t, a, 2, VALUE);
      set(t, a + 2, meet(t->now[a + 2], VALUE));
      reach_word(t, target);
      set(t, a, COUNT), set(t, a + 1, LIMIT), set(t, a + 2, VALUE);
      return;
    }
    case OP_FORLOOP: {
      if (t->now[a] != COUNT || t->now[a + 1] != LIMIT)
        return fail(t, "a loop without its counter");
      unsigned before = t->now[a + 2];
      set(t, a + 2, VALUE);
      reach_word(t, target);
      set_all(t, a, 2, VALUE);
      t->now[a + 2] = (uint16_t)before;
      return;
    }
    case OP_ITER:
      use(t, b);
      set_all(t, a, 3, VALUE);
      return;
    default: { /* FORNEXT */
      uint16_t before[2] = {JUNK, JUNK};
      use_all(t, a, 3);
      if (b - 1 > 1 || !is_there(t, a + 2 + b)) return fail(t, "a loop with so many variables");
      guard_word(t, target - 1); /* where the error of an item that does not fit is thrown */
      for (unsigned i = 0; i < b; i++) before[i] = t->now[a + 3 + i];
      set_all(t, a + 3, b, VALUE);
      reach_word(t, target);
      for (unsigned i = 0; i < b; i++) t->now[a + 3 + i] = before[i];
    }
  }
}

/* The list is emptied from its end; three registers of four are filled for CALLX. */
static void step_deferred(Types *t, uint32_t ins, int64_t target) {
  unsigned b = op_b(ins);
  use(t, op_a(ins));
  reach_word(t, target);
  if (is_there(t, b + 3)) set(t, b, VALUE), set(t, b + 2, VALUE), set(t, b + 3, VALUE);
}

static int64_t target_of(const Types *t, uint32_t ins) {
  int64_t after = (int64_t)t->at + op_length(t->code + t->at);
  if (op_code(ins) == OP_JMP || op_code(ins) == OP_JLOOP) return after + op_signed_j(ins);
  return after + (int32_t)t->code[t->at + 1];
}

static void step_other(Types *t, uint32_t ins) {
  Opcode op = op_code(ins);
  switch (op) {
    case OP_GETCAP:
    case OP_GETSLOT:
    case OP_SETSLOT:
    case OP_GETSLOTW:
    case OP_SETSLOTW:
    case OP_GETUP:
    case OP_GETUPC:
    case OP_SETUP:
    case OP_SETUPC:
    case OP_GETUPW:
    case OP_SETUPW: return step_variable(t, ins);
    case OP_CALL:
    case OP_CALLN:
    case OP_CALLX:
    case OP_TAILCALL:
    case OP_INVOKE:
    case OP_TAILINVOKE:
    case OP_PUSH: return step_call(t, ins);
    case OP_NEWLIST:
    case OP_NEWMAPK:
    case OP_CONCAT:
    case OP_LISTPUSH:
    case OP_SLICE:
    case OP_SLICEI:
    case OP_CLASS:
    case OP_FIELD:
    case OP_SUPERGET:
    case OP_UNPACK: return step_maker(t, ins);
    case OP_NEWFRAME: return new_frame(t, op_a(ins), op_c(ins), t->code[t->at + 1]);
    case OP_CLOSURE: return new_closure(t, ins);
    case OP_SETMOD: return (void)shape_of(t, op_a(ins));
    case OP_MOVE:
      if (!is_there(t, op_b(ins))) return;
      return set(t, op_a(ins), is_value(t->now[op_b(ins)]) ? VALUE : t->now[op_b(ins)]);
    default: return step_plain(t, ins);
  }
}

/* Runs the instruction at t->at on `now`. False: nothing follows it. */
static bool step(Types *t) {
  uint32_t ins = t->code[t->at];
  Opcode op = op_code(ins);
  bool loop = op == OP_FORPREP || op == OP_FORLOOP || op == OP_ITER || op == OP_FORNEXT;
  t->work++;
  guard(t, op_length(t->code + t->at));
  if (loop) step_loop(t, ins, op == OP_ITER ? 0 : target_of(t, ins));
  else if (op == OP_DEFERRUN) step_deferred(t, ins, target_of(t, ins));
  else {
    step_other(t, ins);
    if (op == OP_JMP || op == OP_JLOOP || op_has_displacement(op)) reach_word(t, target_of(t, ins));
  }
  return !t->wrong && !code_leaves(op);
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void run_block(Types *t, uint32_t block) {
  t->blocks[block].dirty = false;
  memcpy(t->now, state_of(t, block), t->top * sizeof *t->now);
  t->guarded = NONE;
  t->at = t->blocks[block].at;
  while (step(t)) {
    t->at += op_length(t->code + t->at);
    if (t->at < t->n && t->block_of[t->at] == NONE) continue;
    reach_word(t, t->at);
    return;
  }
}

static const char too_tangled[] = "a function whose code is too tangled to be proven";

static const char *run_all(Types *t) {
  unsigned params = t->p->nparams + ((t->p->flags & FN_REST) != 0);
  if (params > t->top) return "a function with too few registers";
  for (unsigned r = 0; r < params; r++) t->now[r] = VALUE;
  reach(t, 0, t->top);
  for (bool again = true; again;) {
    again = false;
    for (uint32_t b = 0; b < t->nblocks; b++) {
      if (!t->blocks[b].dirty) continue;
      again = true;
      run_block(t, b);
      if (t->wrong) return t->wrong;
      if (t->work > t->most) return too_tangled;
    }
    t->work += t->nblocks / 16;
  }
  return NULL;
}

/* ---- blocks and handlers --------------------------------------------------------------------- */

static void begin_at(Types *t, int64_t word) {
  if (word >= 0 && word < t->n) t->block_of[word] = 0;
}

/* An instruction belongs to the first handler of those around it. `next` leads on to the next word
 * without one. */
static bool find_guards(Types *t) {
  const ProtoInfo *info = proto_info(t->vm, t->p);
  uint32_t *next = info->nhandlers ? malloc((t->n + 1ull) * sizeof *next) : NULL;
  for (uint32_t i = 0; next && i <= t->n; i++) next[i] = i;
  for (uint32_t h = 0; next && h < info->nhandlers; h++) {
    for (uint32_t w = handlers(t)[h].start; w < handlers(t)[h].end;) {
      if (next[w] != w) {
        next[w] = next[next[w]];
        w = next[w];
        continue;
      }
      t->guards[w] = h;
      next[w] = w + 1;
      w++;
    }
    begin_at(t, handlers(t)[h].target);
  }
  bool ok = next || !info->nhandlers;
  free(next);
  return ok;
}

static void find_blocks(Types *t) {
  begin_at(t, 0);
  for (t->at = 0; t->at < t->n; t->at += op_length(t->code + t->at)) {
    Opcode op = op_code(t->code[t->at]);
    code_start_here(&t->starts, t->at);
    if (op == OP_JMP || op == OP_JLOOP || op_has_displacement(op))
      begin_at(t, target_of(t, t->code[t->at]));
  }
  for (uint32_t w = 0; w < t->n; w++)
    if (t->block_of[w] != NONE) t->block_of[w] = t->nblocks++;
}

static bool prepare(Types *t) {
  uint64_t n = t->n;
  t->block_of = malloc(n * sizeof *t->block_of);
  t->guards = malloc(n * sizeof *t->guards);
  t->starts = code_starts_of(t->n);
  t->shapes = malloc(MOST_SHAPES * sizeof *t->shapes);
  if (!t->block_of || !t->guards || !t->starts.bits || !t->shapes) return false;
  memset(t->block_of, 0xFF, n * sizeof *t->block_of);
  memset(t->guards, 0xFF, n * sizeof *t->guards);
  if (!find_guards(t)) return false;
  find_blocks(t);
  t->blocks = calloc(t->nblocks, sizeof *t->blocks);
  uint64_t bytes = (uint64_t)t->nblocks * t->top * sizeof *t->states;
  t->states = bytes <= MOST_STATE_BYTES ? malloc(bytes + 1) : NULL;
  if (!t->blocks || !t->states) return false;
  for (uint32_t w = 0; w < t->n; w++)
    if (t->block_of[w] != NONE) t->blocks[t->block_of[w]].at = w;
  return true;
}

/* ---- saved frames ---------------------------------------------------------------------------- */

static bool starts(const Types *t, int64_t word) { return code_starts(&t->starts, word); }

/* What is known before the instruction at `word`, into `now`. */
static bool find_state(Types *t, uint32_t word) {
  uint32_t from = word;
  if (!starts(t, word)) return false;
  while (t->block_of[from] == NONE) from--;
  if (!t->blocks[t->block_of[from]].reached) return false;
  memcpy(t->now, state_of(t, t->block_of[from]), t->top * sizeof *t->now);
  t->quiet = true;
  for (t->at = from; t->at < word; t->at += op_length(t->code + t->at))
    if (!step(t)) return false;
  return true;
}

static bool fits_shape(const Types *t, Value v, const Shape *s, uint32_t own) {
  if (!v_is(v, KIND_FRAME)) return false;
  const Frame *f = vm_deref(t->vm, v);
  for (;; s = t->shapes + (s->parent - 1)) {
    if (f->h.n < s->slots) return false;
    if (!s->parent) return f->h.aux == own;
    if (!f->h.aux) return false;
    f = gc_ptr(t->vm->cage, (Ref){f->h.aux});
  }
}

static bool is_int(ox_VM *vm, Value v, int64_t *out) {
  if (v_is_int(v)) *out = v_int(v);
  else if (v_is(v, KIND_WIDE_INT)) *out = ((WideInt *)vm_deref(vm, v))->i;
  else return false;
  return true;
}

static bool is_counter(ox_VM *vm, Value count, Value limit) {
  int64_t from, to;
  if (v_is_int(count)) return v_is_int(limit) && v_int(count) < v_int(limit);
  if (!v_is(count, KIND_RANGE) || limit != 0) return false;
  const Range *r = vm_deref(vm, count);
  return is_int(vm, r->start, &from) && is_int(vm, r->end, &to) && from <= to;
}

/* R[r] where `kept` registers are looked at. */
static const char *check_register(Types *t, const Value *R, unsigned r, unsigned kept) {
  unsigned type = t->now[r];
  Value v = R[r];
  if (type == JUNK) return NULL;
  if (type >= FRAME) {
    const Closure *c = vm_deref(t->vm, R[-2]);
    return fits_shape(t, v, t->shapes + (type - FRAME), c->frame.w)
               ? NULL
               : "a saved register without the frame that its function made";
  }
  if (!t->ask->is_visible(t->ask->ctx, v)) return "a saved register with what no program may see";
  if (type != COUNT || r + 1 >= kept || t->now[r + 1] != LIMIT) return NULL;
  return is_counter(t->vm, v, R[r + 1]) ? NULL : "a saved loop with a wrong counter";
}

/* A frame that goes on at `word`; n registers from `dest` on are set before. */
static const char *check_state(Types *t, const Place *at, int64_t word, unsigned dest, unsigned n) {
  const Value *R = (const Value *)t->vm->cage + at->regs;
  if (word < 0 || word >= t->n || !find_state(t, (uint32_t)word))
    return t->wrong ? t->wrong : "a saved position that its function never comes to";
  if (dest + n > t->top) return "a saved result for a register that there is not";
  for (unsigned r = 0; r < t->top; r++) {
    if (r >= dest && r < dest + n) {
      if (t->now[r] > VALUE) return "a saved result in place of a frame or a counter";
    } else if (r >= at->clobbered) {
      if (t->now[r] != JUNK) return "a saved frame that lies upon another";
    } else {
      const char *wrong = check_register(t, R, r, t->top);
      if (wrong) return wrong;
    }
  }
  return NULL;
}

/* An error at `word` of a saved frame goes on at its handler. */
static const char *check_error_at(Types *t, const Place *at, int64_t word) {
  if (word < 0 || word >= t->n || t->guards[word] == NONE) return NULL;
  const Value *R = (const Value *)t->vm->cage + at->regs;
  const Handler *h = handlers(t) + t->guards[word];
  uint32_t block = t->block_of[h->target];
  if (!t->blocks[block].reached) return "a saved position that its function never comes to";
  memcpy(t->now, state_of(t, block), t->top * sizeof *t->now);
  for (unsigned r = 0; r < h->reg; r++) {
    if (r >= at->clobbered && t->now[r] != JUNK) return "a saved frame that lies upon another";
    const char *wrong = check_register(t, R, r, h->reg);
    if (wrong) return wrong;
  }
  return NULL;
}

static const char *check_jumper(Types *t, const Place *at) {
  int64_t to = (int64_t)at->pc - 2;
  uint32_t ins = starts(t, to) ? t->code[to] : 0;
  Opcode op = op_code(ins);
  if (!starts(t, to) || op < OP_JEQ || op > OP_JNEK) return "a saved jump that is none";
  to = at->pc + (int64_t)(int32_t)t->code[to + 1];
  const char *wrong = check_state(t, at, to, 0, 0);
  return wrong ? wrong : check_state(t, at, at->pc, 0, 0);
}

static const char *check_looper(Types *t, const Place *at) {
  int64_t to = (int64_t)at->pc - 2;
  uint32_t ins = starts(t, to) ? t->code[to] : 0;
  if (!starts(t, to) || op_code(ins) != OP_FORNEXT) return "a saved loop that is none";
  to = at->pc + (int64_t)(int32_t)t->code[to + 1];
  const char *wrong = check_state(t, at, to, op_a(ins) + 3, op_b(ins));
  if (!wrong) wrong = check_state(t, at, at->pc, 0, 0);
  return wrong ? wrong : check_error_at(t, at, to - 1);
}

static const char *check_iterator(Types *t, const Place *at) {
  uint32_t ins = starts(t, (int64_t)at->pc - 1) ? t->code[at->pc - 1] : 0;
  const Value *R = (const Value *)t->vm->cage + at->regs;
  if (!starts(t, (int64_t)at->pc - 1) || op_code(ins) != OP_ITER || op_a(ins) + 2 >= t->top ||
      R[op_a(ins) + 1] > MOST_STEPS)
    return "a saved loop that is none";
  return check_state(t, at, at->pc, op_a(ins), 3);
}

static const char *check_place(Types *t, const Place *at) {
  const Value *R = (const Value *)t->vm->cage + at->regs;
  const char *wrong = check_error_at(t, at, (int64_t)at->pc - 1);
  if (wrong) return wrong;
  switch (at->mode) {
    case PLACE_THROWS: return NULL;
    case RET_JUMP: return check_jumper(t, at);
    case RET_NEXT: return check_looper(t, at);
    case RET_ITER: return check_iterator(t, at);
    case RET_DROP: return check_state(t, at, at->pc, 0, 0);
    case RET_IMPORT:
      if (at->dest >= t->top || at->dest >= at->clobbered || !v_is(R[at->dest], KIND_MODULE))
        return "a saved import of no module";
      return check_state(t, at, at->pc, 0, 0);
    default: return check_state(t, at, at->pc, at->dest, 1);
  }
}

/* ---- the whole ------------------------------------------------------------------------------- */

const char *types_check(ox_VM *vm, Proto *p, const TypesAsk *ask, CodeNeeds *needs) {
  Types t = {.vm = vm, .p = p, .ask = ask, .needs = needs, .n = p->ncode, .guarded = NONE};
  *needs = (CodeNeeds){0};
  t.code = (const uint32_t *)p + p->code;
  t.top = p->nregs - SPARE_REGISTERS;
  t.most = WORK_A_WORD * ((uint64_t)t.n + ask->nplaces + 256);
  const char *wrong = prepare(&t) ? run_all(&t) : "there is no memory to check it";
  for (uint64_t i = 0; !wrong && i < ask->nplaces; i++) {
    wrong = check_place(&t, ask->places + i);
    if (!wrong && t.work > t.most) wrong = too_tangled;
  }
  free(t.block_of);
  free(t.guards);
  free(t.starts.bits);
  free(t.shapes);
  free(t.blocks);
  free(t.states);
  return wrong;
}
