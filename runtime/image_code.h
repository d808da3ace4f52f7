/* image_code.h - whether bytecode that no compiler vouches for stays within its bounds. */
#ifndef OX_RUNTIME_IMAGE_CODE_H
#define OX_RUNTIME_IMAGE_CODE_H

#include <stdlib.h>

#include "../lang/opcode.h"
#include "loader.h"

/* In functions that prove something, which return NULL or what is wrong. */
#define TRY(check)                                                                                 \
  do {                                                                                             \
    const char *wrong_ = (check);                                                                  \
    if (wrong_) return wrong_;                                                                     \
  } while (0)
#define REQUIRE(condition, what)                                                                   \
  do {                                                                                             \
    if (!(condition)) return what;                                                                 \
  } while (0)

/* Nothing behind it in its function is next. (Behind OP_EXIT nothing is at all.) */
static inline bool code_leaves(Opcode op) {
  return op == OP_RET || op == OP_RETNIL || op == OP_TAILCALL || op == OP_TAILINVOKE ||
         op == OP_THROW || op == OP_RETHROW || op == OP_JMP || op == OP_JLOOP || op == OP_MATCHFAIL;
}

/* At which of the words of a function instructions begin. */
typedef struct CodeStarts {
  uint64_t *bits; /* from calloc, or NULL: there was no memory */
  uint32_t n;     /* words */
} CodeStarts;

static inline CodeStarts code_starts_of(uint32_t words) {
  return (CodeStarts){calloc(words / 64 + 1, sizeof(uint64_t)), words};
}
static inline void code_start_here(CodeStarts *s, uint32_t at) {
  s->bits[at >> 6] |= (uint64_t)1 << (at & 63);
}
static inline bool code_starts(const CodeStarts *s, int64_t at) {
  return at >= 0 && at < s->n && (s->bits[at >> 6] >> (at & 63) & 1);
}

/* What an operand may name outside of its function. */
typedef struct CodeLimits {
  uint32_t core, globals, imports;
  bool is_stub;
} CodeLimits;

/* Proves one function, whose block, references and kinds of fields have been checked. NULL, or what
 * is wrong. */
const char *code_check(ox_VM *vm, Proto *p, const CodeLimits *limits);

#endif
