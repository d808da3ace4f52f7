/* image_code.h - whether bytecode that no compiler vouches for stays within its bounds. */
#ifndef OX_RUNTIME_IMAGE_CODE_H
#define OX_RUNTIME_IMAGE_CODE_H

#include "loader.h"

/* What an operand may name outside of its function. */
typedef struct CodeLimits {
  uint32_t core, globals, imports;
  bool is_stub;
} CodeLimits;

/* Proves one function, whose block, references and kinds of fields have been checked. NULL, or what
 * is wrong. */
const char *code_check(ox_VM *vm, Proto *p, const CodeLimits *limits);

#endif
