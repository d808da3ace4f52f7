/* str.h - strings: making, interning, ropes, comparing. */
#ifndef OX_RUNTIME_STR_H
#define OX_RUNTIME_STR_H

#include "vm.h"

/* Copies n bytes. Rooted. V_ERROR: out of memory or longer than STRING_MAX. Up to STRING_INTERN_MAX
 * bytes: interned. */
#define STRING_MAX ((uint64_t)1 << 31)
Value string_new(ox_VM *vm, const char *bytes, uint64_t n);
Value string_from_c(ox_VM *vm, const char *text);
Value string_format(ox_VM *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An interned string of any length (names of fields, globals). */
Value string_intern(ox_VM *vm, const char *bytes, uint64_t n);
/* A string to be filled in by the caller (n > STRING_INTERN_MAX bytes); *out gets its bytes. */
Value string_reserve(ox_VM *vm, uint64_t n, char **out);
static inline Value string_byte(ox_VM *vm, uint8_t b) { return vm->st->bytes1[b]; }

/* The flat String of a string value; a rope is flattened in place. NULL: out of memory, pending. */
String *string_flat(ox_VM *vm, Value v);
uint64_t string_len(ox_VM *vm, Value v);
/* a + b. Makes a rope when the result is long. */
Value string_concat(ox_VM *vm, Value a, Value b);
Value string_slice(ox_VM *vm, Value v, uint64_t from, uint64_t to); /* bytes, in range */
bool string_equal(ox_VM *vm, Value a, Value b);         /* both string values; false on OOM */
int string_compare(ox_VM *vm, Value a, Value b);        /* bytewise <0 0 >0 */
uint32_t string_hash(ox_VM *vm, String *s);
/* For checks: the hash of bytes. */
uint32_t string_hash_of(ox_VM *vm, const char *bytes, uint64_t n);
bool string_init(ox_VM *vm);                            /* table, one-byte strings */
/* Room for n bytes, hash not computed, unrooted; the last word is cleared, so the NUL is there. */
String *string_alloc(ox_VM *vm, uint64_t n, uint16_t flags);
static inline uint64_t string_block_words(uint64_t n) { return 2 + n / 8 + 1; } /* with its NUL */

/* A growing byte buffer for building strings in C (malloc'ed, outside the cage, counted). */
typedef struct Buf { ox_VM *vm; char *data; size_t len, cap; bool failed; char small[240]; } Buf;
void buf_init(Buf *b, ox_VM *vm);
void buf_add(Buf *b, const char *bytes, size_t n);
void buf_puts(Buf *b, const char *text);
void buf_putc(Buf *b, char c);
void buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The string, and frees the buffer. V_ERROR if anything failed (error pending). */
Value buf_finish(Buf *b);
void buf_free(Buf *b);

#endif
