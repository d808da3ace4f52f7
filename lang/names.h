/* Interned identifiers.
 *
 * Two names with the same bytes are the same `Name *`, so every later pass compares pointers.
 * Names live in the arena of the table that made them.
 */
#ifndef OX_LANG_NAMES_H
#define OX_LANG_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"

typedef struct Name {
  const char *chars; /* NUL-terminated for printing; `len` bytes before that */
  uint32_t len;
  uint32_t hash;
  uint32_t stamp;    /* scratch: the last list the name was seen in, see parser_stamp_name */
  struct Name *next; /* next in the same bucket of the table */
} Name;

typedef struct NameTable {
  Arena *arena;
  Name **buckets;        /* NULL until the first name */
  uint32_t bucket_count; /* a power of two */
  uint32_t count;
  uint32_t stamp; /* the last one given to a list, see parser_new_stamp */
} NameTable;

void names_init(NameTable *table, Arena *arena);

/* The name spelled by `len` bytes at `chars` (copied). Never NULL: with the arena out of memory
 * it is a valid but not unique name, and `arena->oom` is set. */
Name *names_intern(NameTable *table, const char *chars, size_t len);

/* The same for a C string. */
Name *names_intern_cstr(NameTable *table, const char *chars);

#endif
