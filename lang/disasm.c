#include "disasm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "opcode.h"

const OpInfo ox_op_info[OP_COUNT] = {
#define OP(name, format, words, meaning) {#name, meaning, FORMAT_##format, words},
#include "opcodes.def"
#undef OP
};

static const char *const type_names[] = {
#define TYPE(name, text) text,
#include "types.def"
#undef TYPE
};

enum { TYPE_COUNT = sizeof type_names / sizeof type_names[0], MAX_SHOWN_CHARS = 40 };

typedef struct Disasm {
  const Source *source;
  DisasmWrite write;
  void *ctx;
  const FnProto *proto;
} Disasm;

static void put(Disasm *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(Disasm *d, const char *format, ...) {
  char text[256];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (len < 0) return;
  size_t size = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
  d->write(d->ctx, text, size);
}

/* ---- constants ---------------------------------------------------------------------------- */

static void put_text(Disasm *d, Text text) {
  uint32_t shown = text.len < MAX_SHOWN_CHARS ? text.len : MAX_SHOWN_CHARS;
  put(d, "\"");
  for (uint32_t i = 0; i < shown; i++) {
    unsigned char c = (unsigned char)text.chars[i];
    if (c == '\n') put(d, "\\n");
    else if (c == '"' || c == '\\') put(d, "\\%c", c);
    else if (c < 0x20 || c == 0x7F) put(d, "\\x%02x", c);
    else put(d, "%c", c);
  }
  put(d, shown < text.len ? "...\"" : "\"");
}

static void put_constant(Disasm *d, uint32_t index) {
  if (index >= d->proto->nconsts) {
    put(d, "K?%u", index);
    return;
  }
  const Const *c = &d->proto->consts[index];
  switch (c->kind) {
    case CONST_INT: put(d, "%" PRId64, c->i); break;
    case CONST_FLOAT: put(d, "%.17g", c->f); break;
    case CONST_STRING: put_text(d, c->s); break;
    case CONST_NAMES:
      put(d, "(");
      for (uint32_t i = 0; i < c->names.n; i++) {
        if (i > 0) put(d, " ");
        put_text(d, c->names.items[i]);
      }
      put(d, ")");
      break;
  }
}

/* ---- operands ----------------------------------------------------------------------------- */

bool op_has_displacement(Opcode op) {
  switch (ox_op_info[op].format) {
    case FORMAT_JABD:
    case FORMAT_JASD:
    case FORMAT_JAD:
    case FORMAT_JA: return true;
    default: break;
  }
  return op == OP_TESTLIST || op == OP_TESTMAP || op == OP_FORPREP || op == OP_FORLOOP ||
         op == OP_FORNEXT || op == OP_DEFERRUN;
}

static void put_target(Disasm *d, uint32_t after, int32_t displacement) {
  put(d, " -> %04" PRId64, (int64_t)after + displacement);
}

static void put_d(Disasm *d, Opcode op, uint32_t ins) {
  static const char *const prims[] = {"nil", "false", "true", "absent"};
  unsigned value = op_d(ins);
  if (op == OP_LOADK) {
    put(d, " ");
    put_constant(d, value);
  } else if (op == OP_LOADP && value < 4) {
    put(d, " %s", prims[value]);
  } else {
    put(d, " %u", value);
  }
}

/* How many of A, B and C the instruction uses. */
static unsigned operand_count(Opcode op) {
  switch (op) {
    case OP_RETNIL:
    case OP_EXIT: return 0;
    case OP_RET:
    case OP_THROW:
    case OP_RETHROW:
    case OP_SETMOD:
    case OP_CLASSEND:
    case OP_MATCHFAIL:
    case OP_TESTMAP:
    case OP_FORLOOP: return 1;
    case OP_MOVE:
    case OP_GETCAP:
    case OP_NEG:
    case OP_BNOT:
    case OP_NOT:
    case OP_LEN:
    case OP_GETF:
    case OP_GETFQ:
    case OP_GETM:
    case OP_SETF:
    case OP_TAILCALL:
    case OP_TAILINVOKE:
    case OP_LISTEXT:
    case OP_MAPEXT:
    case OP_CLASS:
    case OP_METHOD:
    case OP_GETOPT:
    case OP_MAPREST:
    case OP_FORPREP:
    case OP_FORNEXT:
    case OP_DEFERRUN:
    case OP_YIELD: return 2;
    default: return 3;
  }
}

static void put_b(Disasm *d, Opcode op, uint32_t ins) {
  if (op == OP_KADD || op == OP_KSUB || op == OP_KMUL || op == OP_KDIV) {
    put(d, " ");
    put_constant(d, op_b(ins));
  } else {
    put(d, " %u", op_b(ins));
  }
}

/* The operand C of those that end in something other than a register. */
static void put_c(Disasm *d, Opcode op, uint32_t ins) {
  unsigned c = op_c(ins);
  switch (op) {
    case OP_ADDI:
    case OP_SUBI: put(d, " %d", op_signed_c(ins)); break;
    case OP_ADDK:
    case OP_SUBK:
    case OP_MULK:
    case OP_DIVK:
    case OP_IDIVK:
    case OP_MODK:
      put(d, " ");
      put_constant(d, c);
      break;
    case OP_ISTYPE: put(d, " %s", c < TYPE_COUNT ? type_names[c] : "?"); break;
    default: put(d, " %u", c); break;
  }
}

static bool has_name_word(Opcode op) {
  return op == OP_CALLN || op == OP_NEWMAPK || op == OP_CLASS || op == OP_FIELD ||
         op == OP_METHOD || op == OP_GETOPT || op == OP_MAPREST;
}

static bool is_cached(Opcode op) {
  return op == OP_GETF || op == OP_GETFQ || op == OP_GETM || op == OP_SETF || op == OP_INVOKE ||
         op == OP_PUSH ||         op == OP_TAILINVOKE || op == OP_SUPERGET;
}

static void put_word(Disasm *d, Opcode op, uint32_t word, uint32_t after) {
  if (op_has_displacement(op)) {
    put_target(d, after, (int32_t)word);
  } else if (is_cached(op)) {
    put(d, " ");
    put_constant(d, op_cached_constant(word));
    put(d, " #%u", op_cached_cache(word));
  } else if (has_name_word(op)) {
    put(d, " ");
    put_constant(d, word);
  } else if (op == OP_UNPACK) {
    put(d, " %u%s", op_unpack_required(word), op_unpack_has_rest(word) ? " rest" : "");
  } else {
    put(d, " %u", word);
  }
}

static void put_closure(Disasm *d, const uint32_t *code, uint32_t words) {
  unsigned frame = op_closure_frame(code[1]);
  if (frame == FRAME_OWN) put(d, " own");
  else if (frame == FRAME_NONE) put(d, " none");
  else put(d, " frame %u", frame);
  for (uint32_t i = 2; i < words; i++) {
    if (code[i] < CAPTURE_OWN) put(d, " r%u", code[i]);
    else put(d, " c%u", code[i] - CAPTURE_OWN);
  }
}

static void put_operands(Disasm *d, uint32_t pc, uint32_t words) {
  const uint32_t *code = d->proto->code + pc;
  uint32_t ins = *code;
  Opcode op = op_code(ins);
  uint32_t after = pc + words;
  switch (ox_op_info[op].format) {
    case FORMAT_ABC:
      if (operand_count(op) > 0) put(d, " %u", op_a(ins));
      if (operand_count(op) > 1) put_b(d, op, ins);
      if (operand_count(op) > 2) put_c(d, op, ins);
      break;
    case FORMAT_AD:
      put(d, " %u", op_a(ins));
      put_d(d, op, ins);
      break;
    case FORMAT_ASD: put(d, " %u %d", op_a(ins), op_signed_d(ins)); break;
    case FORMAT_J: put_target(d, after, op_signed_j(ins)); break;
    case FORMAT_JABD: put(d, " %u %u", op_a(ins), op_b(ins)); break;
    case FORMAT_JASD: put(d, " %u %d", op_a(ins), op_signed_d(ins)); break;
    case FORMAT_JAD:
      put(d, " %u ", op_a(ins));
      put_constant(d, op_d(ins));
      break;
    case FORMAT_JA: put(d, " %u", op_a(ins)); break;
  }
  if (op == OP_CLOSURE) put_closure(d, code, words);
  else if (words > 1) put_word(d, op, code[1], after);
}

/* ---- functions ---------------------------------------------------------------------------- */

static uint32_t line_of(const Disasm *d, uint32_t offset) {
  return d->source ? source_position(d->source, offset).line : 0;
}

static void put_header(Disasm *d) {
  const FnProto *p = d->proto;
  put(d, "fn ");
  if (p->flags & FN_MAIN) put(d, "<main>");
  else if (p->name.len) put(d, "%.*s", (int)p->name.len, p->name.chars);
  else put(d, "<anonymous>");
  put(d, " (%u params, %u required%s", p->nparams, p->nrequired,
      p->flags & FN_REST ? ", rest" : "");
  put(d, "; %u registers, %u captured, %u caches)", p->nregs, p->ncaps, p->ncaches);
  if (d->source) put(d, " line %u", line_of(d, p->from));
  put(d, "\n");
}

/* The line number is shown where it changes. */
static void put_line(Disasm *d, uint32_t pc, uint32_t *span, uint32_t *line) {
  const FnProto *p = d->proto;
  uint32_t here = *line;
  while (*span < p->nspans && p->spans[*span].pc <= pc) here = line_of(d, p->spans[(*span)++].from);
  if (here != *line) put(d, "%5u ", here);
  else put(d, "      ");
  *line = here;
}

static void put_code(Disasm *d) {
  const FnProto *p = d->proto;
  uint32_t span = 0, line = 0;
  for (uint32_t pc = 0; pc < p->ncode;) {
    uint32_t words = op_length(&p->code[pc]);
    if (words > p->ncode - pc) words = p->ncode - pc;
    put_line(d, pc, &span, &line);
    put(d, "%04u %s", pc, ox_op_info[op_code(p->code[pc])].name);
    put_operands(d, pc, words);
    put(d, "\n");
    pc += words;
  }
}

static void put_function(Disasm *d, const FnProto *proto) {
  d->proto = proto;
  put_header(d);
  put_code(d);
  for (uint32_t i = 0; i < proto->nhandlers; i++) {
    const Handler *h = &proto->handlers[i];
    put(d, "      handler %04u..%04u -> %04u r%u\n", h->start, h->end, h->target, h->reg);
  }
  for (uint32_t i = 0; i < proto->nchildren; i++) {
    put(d, "\n");
    put_function(d, proto->children[i]); /* as deep as functions nest */
  }
}

void disasm_function(const FnProto *proto, const Source *source, DisasmWrite write, void *ctx) {
  Disasm d = {.source = source, .write = write, .ctx = ctx};
  put_function(&d, proto);
}

void disasm_module(const ModuleCode *module, const Source *source, DisasmWrite write, void *ctx) {
  Disasm d = {.source = source, .write = write, .ctx = ctx};
  for (uint32_t i = 0; i < module->nimports; i++) {
    const ImportRef *ref = &module->imports[i];
    put(&d, "import %u %s %.*s\n", i, ref->is_file ? "file" : "module", (int)ref->path.len,
        ref->path.chars);
  }
  for (uint32_t i = 0; i < module->nexports; i++) {
    const Export *export = &module->exports[i];
    put(&d, "export %.*s slot %u%s\n", (int)export->name.len, export->name.chars, export->slot,
        export->is_const ? " const" : "");
  }
  put_function(&d, module->main);
}
