/* text.h - parts of the string library that lie in files of their own. */
#ifndef OX_RUNTIME_LIB_TEXT_H
#define OX_RUNTIME_LIB_TEXT_H

#include "../str.h"

/* Bytes of the code point at s (n > 0 bytes are there); 1 for a byte that is no valid UTF-8. */
unsigned utf8_step(const char *s, size_t n, uint32_t *code);
/* Code points in n bytes, broken bytes counted one each. False: error pending (budget, interrupt). */
bool text_count(ox_VM *vm, const char *s, uint64_t n, uint64_t *count);

/* unicode.c: natives (self, ...). */
Value string_upper(ox_VM *vm, Value *args, int nargs);
Value string_lower(ox_VM *vm, Value *args, int nargs);
Value string_title(ox_VM *vm, Value *args, int nargs);
Value string_casefold(ox_VM *vm, Value *args, int nargs);
Value string_normalize(ox_VM *vm, Value *args, int nargs);

/* format.c: (format, ...values). */
Value string_format_values(ox_VM *vm, Value *args, int nargs);

#endif
