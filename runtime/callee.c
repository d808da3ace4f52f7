/* callee.c - reads the callee off the source of a call.
 *
 * The span of a call begins with its callee and ends with `)`. What lies between is scanned for the
 * argument list: the last group in parentheses, if it ends the span. Only names, dots and groups in
 * brackets may stand before it; anything else (a pipe, an operator, a long text) gives no name,
 * which is better than a wrong one. */
#include "callee.h"

#include <ctype.h>

#include "../lang/opcode.h"
#include "loader.h"
#include "str.h"

typedef struct Scan {
  const char *text;
  uint32_t at, len;
  uint32_t args; /* where the last group in parentheses began */
} Scan;

/* Behind the string literal at s->at. False: it has parts in ${}, or does not end. */
static bool skip_string(Scan *s) {
  for (s->at++; s->at < s->len && s->text[s->at] != '"'; s->at++) {
    if (s->text[s->at] == '\\') s->at++;
    else if (s->text[s->at] == '$') return false;
  }
  return s->at++ < s->len;
}

/* Behind the group that opens at s->at, whatever its brackets are. */
static bool skip_group(Scan *s) {
  unsigned depth = 0;
  while (s->at < s->len) {
    char c = s->text[s->at];
    if (c == '#') return false;
    if (c == '"') {
      if (!skip_string(s)) return false;
      continue;
    }
    s->at++;
    if (c == '(' || c == '[' || c == '{') depth++;
    else if ((c == ')' || c == ']' || c == '}') && --depth == 0) return true;
  }
  return false;
}

static bool find_args(Scan *s) {
  while (s->at < s->len) {
    char c = s->text[s->at];
    s->args = s->at;
    if (c == '(' || c == '[') {
      if (!skip_group(s)) return false;
    } else if (isalnum((unsigned char)c) || c == '_' || c == '.' || c == '?') {
      s->at++;
    } else {
      return false;
    }
  }
  return s->at > 0 && s->text[s->at - 1] == ')';
}

static bool is_call(uint32_t ins, unsigned at) {
  switch (op_code(ins)) {
    case OP_CALL: case OP_CALLN: case OP_CALLX: case OP_TAILCALL:
    case OP_INVOKE: case OP_TAILINVOKE: case OP_PUSH:
      return INS_A(ins) == at;
    default: return false;
  }
}

/* The source text of the running instruction. */
static bool text_of_call(ox_VM *vm, Scan *out) {
  Proto *p = vm_proto(vm);
  uint32_t from, to, at = (uint32_t)(vm->st->pc - proto_code(vm, p) - 1);
  if (!v_is(p->module, KIND_MODULE) || !proto_span(vm, p, at, &from, &to)) return false;
  Value source = ((Module *)vm_deref(vm, p->module))->source;
  String *text = v_is_string(source) ? string_flat(vm, source) : NULL;
  if (text == NULL || to > text->h.aux || from >= to) return false;
  *out = (Scan){text->chars + from, 0, to - from, 0};
  return true;
}

bool callee_text(ox_VM *vm, unsigned at, char out[CALLEE_MAX]) {
  Scan s;
  if (!is_call(vm_pc(vm)[-1], at) || !text_of_call(vm, &s) || !find_args(&s)) return false;
  uint32_t len = s.args;
  if (len >= 2 && s.text[len - 1] == '.' && s.text[len - 2] == '?') len -= 2;
  if (len == 0 || len >= CALLEE_MAX || memchr(s.text, '\n', len)) return false;
  memcpy(out, s.text, len);
  out[len] = 0;
  return true;
}
