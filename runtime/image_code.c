/* image_code.c - proof that bytecode stays within its bounds.
 *
 * One pass finds where instructions begin, a second looks at the operands of each that name
 * constants, jumps and things outside of the function, as far as their meaning in opcodes.def says
 * what they are: K[..] a constant, "cached" a name and a cache. Registers, frames and captured
 * values are the business of image_types.c. */
#include "image_code.h"

#include <stdlib.h>

#include "../lang/opcode.h"
#include "str.h"

typedef struct CodeCheck {
  ox_VM *vm;
  Proto *proto;
  const uint32_t *code;
  const CodeLimits *limits;
  CodeStarts starts;
  uint64_t *cached; /* inline caches that have their instruction */
  uint32_t n, nconsts, nregs, nchildren, ncaches;
} CodeCheck;

static const uint32_t *code_of(const Proto *p) { return (const uint32_t *)p + p->code; }

static bool means(Opcode op, const char *operand) {
  return strstr(ox_op_info[op].meaning, operand) != NULL;
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

static const char *find_starts(CodeCheck *c) {
  uint32_t last = 0;
  for (uint32_t at = 0, length; at < c->n; at += length) {
    if (!(length = length_at(c->code, at, c->n))) return "an instruction that there is not";
    code_start_here(&c->starts, at);
    last = at;
  }
  Opcode op = c->n ? op_code(c->code[last]) : OP_COUNT;
  if (!code_leaves(op) && op != OP_EXIT) return "code that runs over its end";
  return NULL;
}

static const char *check_constant(const CodeCheck *c, uint32_t index, bool name) {
  if (index >= c->nconsts) return "a constant that there is not";
  Value v = c->proto->consts[index];
  if (!name) return v_is(v, KIND_LIST) ? "a list of names as a value" : NULL;
  return v_is(v, KIND_STRING) || v_is(v, KIND_LIST) ? NULL : "a constant that is no name";
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
  uint32_t cache = op_cached_cache(word);
  if (cache >= c->ncaches) return "an inline cache that there is not";
  if (c->cached[cache >> 6] >> (cache & 63) & 1) return "an inline cache of two instructions";
  c->cached[cache >> 6] |= (uint64_t)1 << (cache & 63);
  return NULL;
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
  else if (!op_has_displacement(op)) return NULL;
  return code_starts(&c->starts, to) ? NULL : "a jump to no instruction";
}

static const char *check_instructions(const CodeCheck *c) {
  for (uint32_t at = 0; at < c->n; at += op_length(&c->code[at])) {
    TRY(check_constants(c, at));
    TRY(check_outside(c, at));
    TRY(check_jumps(c, at));
    if (op_code(c->code[at]) == OP_CLOSURE && op_d(c->code[at]) >= c->nchildren)
      return "a function inside that there is not";
  }
  return NULL;
}

/* ---- the tables beside the code -------------------------------------------------------------- */

/* Length of the text that places in the tables are about; without a text nobody looks. */
static uint64_t text_length(const CodeCheck *c) {
  if (!v_is(c->proto->module, KIND_MODULE)) return UINT32_MAX;
  const Module *m = vm_deref(c->vm, c->proto->module);
  return v_is_string(m->source) ? string_len(c->vm, m->source) : UINT32_MAX;
}

static const char *check_spans(const CodeCheck *c, const ProtoInfo *info) {
  const SpanEntry *s = info_spans(info);
  uint64_t length = text_length(c);
  bool fits = info->from <= info->to && info->to <= length && info->name_from <= info->name_to &&
              info->name_to <= length;
  for (uint32_t i = 0; fits && i < info->nspans; i++)
    fits = s[i].from <= s[i].to && s[i].to <= length;
  return fits ? NULL : "a function beyond the text of its module";
}

static const char *check_tables(const CodeCheck *c) {
  const Bytes *bytes = (Bytes *)vm_deref(c->vm, c->proto->info);
  const ProtoInfo *info = (const ProtoInfo *)bytes->data;
  uint64_t need = sizeof *info + (uint64_t)info->nhandlers * sizeof(Handler) +
                  (uint64_t)info->nspans * sizeof(SpanEntry) +
                  (uint64_t)info->nlocals * sizeof(LocalEntry);
  if (need > bytes->h.aux) return "tables of a function that are too short";
  if (info->nrequired > c->proto->nparams) return "a function that wants more than its parameters";
  TRY(check_spans(c, info));
  const Handler *h = info_handlers(info);
  for (uint32_t i = 0; i < info->nhandlers; i++)
    if (h[i].start >= h[i].end || h[i].end > c->n || !code_starts(&c->starts, h[i].target) ||
        h[i].reg + (uint32_t)SPARE_REGISTERS >= c->nregs)
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
  bool has_rest = p->flags & FN_REST;
  if (p->nregs < SPARE_REGISTERS || p->nparams + has_rest > p->nregs - SPARE_REGISTERS)
    return "a function with too few registers";
  if (has_rest && p->arity != ARITY_COMPLEX) return "a function of impossible arity";
  if (p->arity != ARITY_COMPLEX && p->arity != p->nparams) return "a function of impossible arity";
  if (p->caches > vm->st->next_cache || c.ncaches > vm->st->next_cache - p->caches ||
      (c.ncaches && p->caches < LOOKUP_CACHES))
    return "inline caches beyond those handed out";
  c.starts = code_starts_of(c.n);
  c.cached = calloc(c.ncaches / 64 + 1, sizeof *c.cached);
  bool ok = c.starts.bits && c.cached;
  const char *wrong = ok ? find_starts(&c) : "there is no memory to check it";
  if (!wrong) wrong = check_instructions(&c);
  if (!wrong) wrong = check_tables(&c);
  free(c.starts.bits);
  free(c.cached);
  return wrong;
}
