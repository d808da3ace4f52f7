/* image_code.h - whether bytecode that no compiler vouches for stays within its bounds. */
#ifndef OX_RUNTIME_IMAGE_CODE_H
#define OX_RUNTIME_IMAGE_CODE_H

#include "loader.h"

/* What an operand may name outside of its function. */
typedef struct CodeLimits { uint32_t core, globals, imports; bool is_stub; } CodeLimits;

/* Proves one function, whose block, references and kinds of fields have been checked. NULL, or what
 * is wrong. */
const char *code_check(ox_VM *vm, Proto *p, const CodeLimits *limits);

/* Captured values that the code asks its closure for. */
uint32_t code_captures(const Proto *p);
/* Whether the code finds its slots in this frame and those above it. */
bool code_fits_frame(ox_VM *vm, const Proto *p, Ref frame);
/* Whether an instruction begins at word `at`. */
bool code_starts_at(const Proto *p, uint32_t at);

#endif
