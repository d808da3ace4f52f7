/* Reading UTF-8 as far as source texts need it. */
#ifndef OX_LANG_UTF8_H
#define OX_LANG_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at `bytes`, of which `len` (at least 1) are there. Gives its length,
 * or 0 for bytes that are no well-formed UTF-8 (overlong forms and surrogates included). */
unsigned utf8_decode(const char *bytes, size_t len, uint32_t *code);

/* Writes a code point (at most 0x10FFFF) and gives its length, 1 to 4. */
unsigned utf8_encode(uint32_t code, char *bytes);

/* Terminal columns of a code point: 0 for combining marks, 2 for East Asian wide ones and
 * emoji, else 1. Approximate: good enough to place a caret. */
unsigned utf8_width(uint32_t code);

#endif
