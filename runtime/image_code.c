/* image_code.c - proof that bytecode stays within its bounds.
 *
 * One pass finds where instructions begin, a second looks at the operands of each. What an operand
 * is is said by its meaning in opcodes.def: R[..] a register, K[..] a constant, "cached" a name and
 * a cache; what the table cannot say is listed here. What is not proven: that a register which is
 * used as a frame, a class under construction or the state of a loop holds one (docs/snapshots.md has
 * the instructions that assume it). */
#include "image_code.h"

#include <stdlib.h>

#include "../lang/opcode.h"
#include "str.h"

#define TRY(check)                                                                                 \
  do {                                                                                             \
    const char *wrong_ = (check);                                                                  \
    if (wrong_) return wrong_;                                                                     \
  } while (0)

typedef struct CodeCheck {
  ox_VM *vm;
  Proto *proto;
  const uint32_t *code;
  const CodeLimits *limits;
  uint64_t *starts; /* words at which an instruction begins */
  uint32_t n, nconsts, nregs, nchildren, ncaches;
} CodeCheck;

static const uint32_t *code_of(const Proto *p) { return (const uint32_t *)p + p->code; }

static bool means(Opcode op, const char *operand) {
  return strstr(ox_op_info[op].meaning, operand) != NULL;
}

static bool starts(const CodeCheck *c, int64_t at) {
  return at >= 0 && at < c->n && (c->starts[at >> 6] >> (at & 63) & 1);
}

/* Length in words; 0: it runs over the end, or there is no such opcode. */
static uint32_t length_at(const uint32_t *code, uint32_t at, uint32_t n) {
  if (op_code(code[at]) >= OP_COUNT) return 0;
  if (ox_op_info[op_code(code[at])].words < 0 && at + 1 >= n) return 0;
  uint64_t words = ox_op_info[op_code(code[at])].words;
  if (ox_op_info[op_code(code[at])].words < 0)
    words = 1 + (uint64_t)op_closure_captures(code[at + 1]);
  return at + 1 + words <= n ? (uint32_t)words + 1 : 0;
}

static bool leaves(Opcode op) {
  return op == OP_RET || op == OP_RETNIL || op == OP_TAILCALL || op == OP_TAILINVOKE ||
         op == OP_THROW || op == OP_RETHROW || op == OP_JMP || op == OP_JLOOP ||
         op == OP_MATCHFAIL || op == OP_EXIT;
}

static const char *find_starts(CodeCheck *c) {
  uint32_t last = 0;
  for (uint32_t at = 0, length; at < c->n; at += length) {
    if (!(length = length_at(c->code, at, c->n))) return "an instruction that there is not";
    c->starts[at >> 6] |= (uint64_t)1 << (at & 63);
    last = at;
  }
  if (c->n == 0 || !leaves(op_code(c->code[last]))) return "code that runs over its end";
  return NULL;
}

/* Registers beyond those of `R[x]` that an instruction uses: one more than the last, or 0. */
static uint32_t last_register(uint32_t ins, uint32_t word) {
  uint32_t a = op_a(ins), b = op_b(ins), c = op_c(ins);
  switch (op_code(ins)) {
    case OP_CALL:
    case OP_TAILCALL:
    case OP_CALLN: return a + 2 + b;
    case OP_CALLX: return a + 4;
    case OP_INVOKE:
    case OP_TAILINVOKE: return a + 3 + b;
    case OP_PUSH: return a + 4;
    case OP_NEWLIST:
    case OP_NEWMAPK:
    case OP_LISTPUSH:
    case OP_CONCAT: return b + c;
    case OP_SLICE:
    case OP_SLICEI: return c + 2;
    case OP_UNPACK: return a + c + op_unpack_has_rest(word);
    case OP_FORPREP:
    case OP_FORLOOP:
    case OP_ITER: return a + 3;
    case OP_FORNEXT: return a + 3 + b;
    case OP_DEFERRUN: return b + 4;
    default: return 0;
  }
}

static const char *check_registers(const CodeCheck *c, uint32_t at) {
  uint32_t ins = c->code[at], n = c->nregs,
           word = ox_op_info[op_code(ins)].words ? c->code[at + 1] : 0;
  Opcode op = op_code(ins);
  bool no_b = op == OP_NEWLIST || op == OP_NEWMAPK || op == OP_LISTPUSH || op == OP_CONCAT ||
              (op == OP_CLASS && op_b(ins) == NO_SUPERCLASS);
  bool no_c = (op == OP_NEWFRAME && op_c(ins) == FRAME_OWN) ||
              (op == OP_SUPERGET && op_c(ins) == SUPER_UNBOUND) || op == OP_CONCAT;
  if (means(op, "R[A") && op_a(ins) >= n && !c->limits->is_stub)
    return "a register that there is not";
  if (means(op, "R[B") && !no_b && op_b(ins) >= n) return "a register that there is not";
  if (means(op, "R[C") && !no_c && op_c(ins) >= n) return "a register that there is not";
  return last_register(ins, word) <= n ? NULL : "registers that there are not";
}

static const char *check_constant(const CodeCheck *c, uint32_t index, bool name) {
  if (index >= c->nconsts) return "a constant that there is not";
  Value v = c->proto->consts[index];
  return !name || v_is(v, KIND_STRING) || v_is(v, KIND_LIST) ? NULL : "a constant that is no name";
}

static bool wants_names(Opcode op) {
  return op == OP_CALLN || op == OP_NEWMAPK || op == OP_MAPREST;
}

static const char *check_word_constant(const CodeCheck *c, Opcode op, uint32_t word) {
  TRY(check_constant(c, word, true));
  return v_is(c->proto->consts[word], wants_names(op) ? KIND_LIST : KIND_STRING)
             ? NULL
             : "a constant of the wrong kind";
}

/* As many names as there are values for them. */
static const char *check_names(const CodeCheck *c, uint32_t ins, uint32_t word) {
  const List *l = (const List *)vm_deref(c->vm, c->proto->consts[word]);
  const Store *s = (const Store *)gc_ptr(c->vm->cage, (Ref){l->h.aux});
  if (op_code(ins) == OP_CALLN && l->len > op_b(ins)) return "more names than arguments";
  if (op_code(ins) == OP_NEWMAPK && l->len != op_c(ins)) return "more or fewer names than values";
  for (uint64_t i = 0; i < l->len; i++)
    if (!v_is(s->items[i], KIND_STRING)) return "a name that is no string";
  return NULL;
}

static bool is_cached(Opcode op) {
  return means(op, "(cached)") || op == OP_INVOKE || op == OP_TAILINVOKE || op == OP_GETFQ;
}

static const char *check_constants(const CodeCheck *c, uint32_t at) {
  uint32_t ins = c->code[at];
  Opcode op = op_code(ins);
  if (means(op, "K[D]")) TRY(check_constant(c, op_d(ins), false));
  if (means(op, "K[C]")) TRY(check_constant(c, op_c(ins), false));
  if (op >= OP_KADD && op <= OP_KDIV) TRY(check_constant(c, op_b(ins), false));
  if (means(op, "K[W]")) TRY(check_word_constant(c, op, c->code[at + 1]));
  if (wants_names(op)) TRY(check_names(c, ins, c->code[at + 1]));
  if (!is_cached(op)) return NULL;
  uint32_t word = c->code[at + 1];
  TRY(check_word_constant(c, op, op_cached_constant(word)));
  return op_cached_cache(word) < c->ncaches ? NULL : "an inline cache that there is not";
}

static const char *check_outside(const CodeCheck *c, uint32_t at) {
  uint32_t ins = c->code[at];
  switch (op_code(ins)) {
    case OP_GETCORE: return op_d(ins) < c->limits->core ? NULL : "a core name that there is not";
    case OP_GETGLOBAL:
    case OP_SETGLOBAL: return op_d(ins) < c->limits->globals ? NULL : "a global that there is not";
    case OP_IMPORT: return op_d(ins) < c->limits->imports ? NULL : "an import that there is not";
    case OP_LOADP: return op_d(ins) <= PRIM_ABSENT ? NULL : "a value that there is not";
    case OP_EXIT: return c->limits->is_stub ? NULL : "an exit outside of the stub";
    default: return NULL;
  }
}

static const char *check_jumps(const CodeCheck *c, uint32_t at) {
  uint32_t ins = c->code[at], after = at + op_length(&c->code[at]);
  Opcode op = op_code(ins);
  int64_t to = after;
  if (op_has_displacement(op)) to += (int32_t)c->code[at + 1];
  if (op == OP_JMP || op == OP_JLOOP) to += op_signed_j(ins);
  if (to == after && !op_has_displacement(op)) return NULL;
  return starts(c, to) ? NULL : "a jump to no instruction";
}

/* The child's own needs, where they can be told here: how many values it captures. */
static const char *check_closure(const CodeCheck *c, uint32_t at) {
  const uint32_t *code = &c->code[at];
  uint32_t n = op_closure_captures(code[1]), frame = op_closure_frame(code[1]);
  if (op_d(*code) >= c->nchildren) return "a function inside that there is not";
  if (frame < FRAME_NONE && frame >= c->nregs) return "a register that there is not";
  Store *children = (Store *)vm_deref(c->vm, c->proto->children);
  Proto *child = (Proto *)vm_deref(c->vm, children->items[op_d(*code)]);
  if (code_captures(child) > n) return "a closure with too few captured values";
  uint32_t own = code_captures(c->proto);
  for (uint32_t i = 0; i < n; i++) {
    bool is_own = code[2 + i] >= CAPTURE_OWN;
    if (is_own ? code[2 + i] - CAPTURE_OWN >= own : code[2 + i] >= c->nregs)
      return "a captured value that there is not";
  }
  return NULL;
}

static const char *check_instructions(const CodeCheck *c) {
  for (uint32_t at = 0; at < c->n; at += op_length(&c->code[at])) {
    TRY(check_registers(c, at));
    TRY(check_constants(c, at));
    TRY(check_outside(c, at));
    TRY(check_jumps(c, at));
    if (op_code(c->code[at]) == OP_CLOSURE) TRY(check_closure(c, at));
  }
  return NULL;
}

/* ---- the tables beside the code ---------------------------------------------------------------
 */

static const char *check_tables(const CodeCheck *c) {
  const Bytes *bytes = (Bytes *)vm_deref(c->vm, c->proto->info);
  const ProtoInfo *info = (const ProtoInfo *)bytes->data;
  uint64_t need = sizeof *info + (uint64_t)info->nhandlers * sizeof(Handler) +
                  (uint64_t)info->nspans * sizeof(SpanEntry) +
                  (uint64_t)info->nlocals * sizeof(LocalEntry);
  if (need > bytes->h.aux) return "tables of a function that are too short";
  const Handler *h = info_handlers(info);
  for (uint32_t i = 0; i < info->nhandlers; i++)
    if (h[i].start >= h[i].end || h[i].end > c->n || !starts(c, h[i].target) ||
        h[i].reg >= c->nregs)
      return "a handler outside of its function";
  const LocalEntry *l = (const LocalEntry *)(info_spans(info) + info->nspans);
  for (uint32_t i = 0; i < info->nlocals; i++)
    if (l[i].name > bytes->h.aux - need || l[i].name_len > bytes->h.aux - need - l[i].name)
      return "a variable's name that is not there";
  return NULL;
}

static uint32_t child_count(ox_VM *vm, const Proto *p) {
  return v_is(p->children, KIND_STORE) ? ((Store *)vm_deref(vm, p->children))->h.aux : 0;
}

const char *code_check(ox_VM *vm, Proto *p, const CodeLimits *limits) {
  CodeCheck c = {.vm = vm, .proto = p, .code = code_of(p), .limits = limits, .n = p->ncode};
  c.nconsts = p->h.n - 2u - PROTO_VALUES;
  c.nchildren = child_count(vm, p);
  c.nregs = p->nregs; /* the spare ones belong to the frame, too */
  c.ncaches = proto_info(vm, p)->ncaches;
  if (p->nregs < SPARE_REGISTERS || p->nparams > p->nregs - SPARE_REGISTERS)
    return "a function with too few registers";
  if (p->arity != ARITY_COMPLEX && p->arity != p->nparams) return "a function of impossible arity";
  if (p->caches > vm->st->next_cache || c.ncaches > vm->st->next_cache - p->caches)
    return "inline caches beyond those handed out";
  c.starts = calloc(c.n / 64 + 1, sizeof *c.starts);
  if (!c.starts) return "there is no memory to check it";
  const char *wrong = find_starts(&c);
  if (!wrong) wrong = check_instructions(&c);
  if (!wrong) wrong = check_tables(&c);
  free(c.starts);
  return wrong;
}

/* ---- what code asks for -----------------------------------------------------------------------
 */

uint32_t code_captures(const Proto *p) {
  const uint32_t *code = code_of(p);
  uint32_t most = 0;
  for (uint32_t at = 0, length; at < p->ncode && (length = length_at(code, at, p->ncode));
       at += length) {
    if (op_code(code[at]) == OP_GETCAP && op_b(code[at]) >= most) most = op_b(code[at]) + 1;
    for (uint32_t i = 2; op_code(code[at]) == OP_CLOSURE && i < length; i++)
      if (code[at + i] >= CAPTURE_OWN && code[at + i] - CAPTURE_OWN >= most)
        most = code[at + i] - CAPTURE_OWN + 1;
  }
  return most;
}

static bool has_slot(ox_VM *vm, Ref frame, uint32_t up, uint32_t slot) {
  for (; frame.w && up > 0; up--) frame = (Ref){((Frame *)gc_ptr(vm->cage, frame))->h.aux};
  return frame.w && slot < ((Frame *)gc_ptr(vm->cage, frame))->h.n;
}

bool code_fits_frame(ox_VM *vm, const Proto *p, Ref frame) {
  const uint32_t *code = code_of(p);
  for (uint32_t at = 0, length; at < p->ncode && (length = length_at(code, at, p->ncode));
       at += length) {
    uint32_t ins = code[at];
    switch (op_code(ins)) {
      case OP_GETUP:
      case OP_GETUPC:
      case OP_SETUP:
      case OP_SETUPC:
        if (!has_slot(vm, frame, op_b(ins), op_c(ins))) return false;
        break;
      case OP_GETUPW:
      case OP_SETUPW:
        if (!has_slot(vm, frame, op_b(ins), code[at + 1])) return false;
        break;
      default: break;
    }
  }
  return true;
}

bool code_starts_at(const Proto *p, uint32_t at) {
  const uint32_t *code = code_of(p);
  uint32_t pc = 0;
  for (uint32_t length; pc < at && pc < p->ncode && (length = length_at(code, pc, p->ncode));)
    pc += length;
  return pc == at && at < p->ncode;
}
