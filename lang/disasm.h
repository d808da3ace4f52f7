/* Bytecode as text, for `oxbow --disasm`, tests and debugging. */
#ifndef OX_LANG_DISASM_H
#define OX_LANG_DISASM_H

#include <stddef.h>

#include "module.h"
#include "source.h"

/* Takes the text in pieces. */
typedef void (*DisasmWrite)(void *ctx, const char *bytes, size_t len);

/* The function and all functions within it. `source` gives line numbers; NULL: none are shown. */
void disasm_function(const FnProto *proto, const Source *source, DisasmWrite write, void *ctx);

/* The same for a module, with its imports and exports. */
void disasm_module(const ModuleCode *module, const Source *source, DisasmWrite write, void *ctx);

#endif
