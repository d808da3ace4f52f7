/* For tests: is bytecode well formed? Every operand names a register, constant, child or cache
 * that is there, every jump and handler leads to an instruction, the code ends by leaving.
 * What an operand is, is read off the meanings in opcodes.def. */
#ifndef OX_TESTS_BYTECODE_CHECK_H
#define OX_TESTS_BYTECODE_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang/module.h"
#include "lang/opcode.h"

typedef struct BytecodeCheck {
  const FnProto *proto;
  bool *starts;    /* words at which an instruction begins */
  char fault[128]; /* empty: none found */
} BytecodeCheck;

static inline void check_that(BytecodeCheck *c, bool holds, uint32_t pc, const char *what) {
  if (holds || c->fault[0]) return;
  const FnProto *p = c->proto;
  snprintf(c->fault, sizeof c->fault, "%.*s at %u (%s): %s", (int)p->name.len, p->name.chars, pc,
           pc < p->ncode ? ox_op_info[op_code(p->code[pc])].name : "end", what);
}

static inline bool means(Opcode op, const char *operand) {
  return strstr(ox_op_info[op].meaning, operand) != NULL;
}

static inline void check_registers(BytecodeCheck *c, uint32_t pc) {
  uint32_t ins = c->proto->code[pc];
  Opcode op = op_code(ins);
  unsigned n = c->proto->nregs;
  if (means(op, "R[A]")) check_that(c, op_a(ins) < n, pc, "register A");
  bool no_b = op == OP_CLASS || op == OP_NEWLIST || op == OP_NEWMAPK || op == OP_LISTPUSH;
  if (means(op, "R[B]") && !no_b) check_that(c, op_b(ins) < n, pc, "register B");
  bool no_c = op == OP_NEWFRAME || (op == OP_SUPERGET && op_c(ins) == SUPER_UNBOUND);
  if (means(op, "R[C]") && !no_c) check_that(c, op_c(ins) < n, pc, "register C");
  if (op == OP_CALL || op == OP_TAILCALL || op == OP_CALLN) {
    check_that(c, op_a(ins) + 1 + op_b(ins) < n, pc, "arguments");
  }
  if (op == OP_INVOKE || op == OP_TAILINVOKE) {
    check_that(c, op_a(ins) + 2 + op_b(ins) < n, pc, "arguments");
  }
  if (op == OP_NEWLIST || op == OP_NEWMAPK || op == OP_LISTPUSH || op == OP_CONCAT) {
    check_that(c, op_b(ins) + op_c(ins) <= n, pc, "items");
  }
}

static inline void check_target(BytecodeCheck *c, uint32_t pc, int64_t target) {
  bool is_inside = target >= 0 && target < c->proto->ncode;
  check_that(c, is_inside && c->starts[target], pc, "jump target");
}

static inline void check_words(BytecodeCheck *c, uint32_t pc) {
  const FnProto *p = c->proto;
  const uint32_t *code = &p->code[pc];
  Opcode op = op_code(*code);
  uint32_t after = pc + op_length(code);
  bool is_cached = means(op, "(cached)") || op == OP_INVOKE || op == OP_TAILINVOKE ||
                   op == OP_GETFQ;
  if (op_has_displacement(op)) check_target(c, pc, (int64_t)after + (int32_t)code[1]);
  if (op == OP_JMP || op == OP_JLOOP) check_target(c, pc, (int64_t)after + op_signed_j(*code));
  if (means(op, "K[D]")) check_that(c, op_d(*code) < p->nconsts, pc, "constant D");
  if (means(op, "K[C]")) check_that(c, op_c(*code) < p->nconsts, pc, "constant C");
  if (means(op, "K[W]")) check_that(c, code[1] < p->nconsts, pc, "constant W");
  if (is_cached) {
    check_that(c, op_cached_constant(code[1]) < p->nconsts, pc, "name");
    check_that(c, op_cached_cache(code[1]) < p->ncaches, pc, "cache");
  }
  if (op != OP_CLOSURE) return;
  check_that(c, op_d(*code) < p->nchildren, pc, "child");
  for (uint32_t i = 2; i < after - pc; i++) {
    bool is_own = code[i] >= CAPTURE_OWN;
    check_that(c, is_own ? code[i] - CAPTURE_OWN < p->ncaps : code[i] < p->nregs, pc, "capture");
  }
}

static inline void check_handlers(BytecodeCheck *c) {
  const FnProto *p = c->proto;
  for (uint32_t i = 0; i < p->nhandlers; i++) {
    const Handler *h = &p->handlers[i];
    check_that(c, h->start < h->end && h->end <= p->ncode, h->start, "handler's range");
    check_that(c, h->target < p->ncode && c->starts[h->target], h->start, "handler's target");
    check_that(c, h->reg < p->nregs, h->start, "handler's register");
  }
}

static inline bool leaves(Opcode op) {
  return op == OP_RET || op == OP_RETNIL || op == OP_TAILCALL || op == OP_TAILINVOKE ||
         op == OP_THROW || op == OP_RETHROW || op == OP_JMP || op == OP_JLOOP ||
         op == OP_MATCHFAIL;
}

/* False, with a description in `fault`, if the function or one inside it is damaged. */
static inline bool bytecode_check(const FnProto *proto, char *fault, size_t size) {
  BytecodeCheck c = {.proto = proto, .starts = calloc(proto->ncode + 1u, sizeof(bool))};
  uint32_t last = 0;
  if (!c.starts) abort();
  for (uint32_t pc = 0; pc < proto->ncode; pc += op_length(&proto->code[pc])) {
    c.starts[pc] = true;
    last = pc;
  }
  for (uint32_t pc = 0; pc < proto->ncode; pc += op_length(&proto->code[pc])) {
    check_registers(&c, pc);
    check_words(&c, pc);
  }
  check_handlers(&c);
  check_that(&c, proto->ncode > 0 && leaves(op_code(proto->code[last])), last, "runs over the end");
  check_that(&c, proto->nregs <= 245, 0, "too many registers");
  free(c.starts);
  snprintf(fault, size, "%s", c.fault);
  if (c.fault[0]) return false;
  for (uint32_t i = 0; i < proto->nchildren; i++) {
    if (!bytecode_check(proto->children[i], fault, size)) return false;
  }
  return true;
}

#endif
