/* For the tests of lang/: a text parsed in an arena of its own, and growing buffers. */
#ifndef OX_TESTS_LANG_HELPERS_H
#define OX_TESTS_LANG_HELPERS_H

#include <stdlib.h>
#include <string.h>

#include "lang/ast_dump.h"
#include "lang/diag_render.h"
#include "lang/parser.h"

typedef struct Buffer {
  char *chars; /* NUL-terminated once something was written */
  size_t len, capacity;
} Buffer;

/* A DiagWrite and AstWrite. */
static inline void buffer_write(void *ctx, const char *bytes, size_t len) {
  Buffer *buffer = ctx;
  if (buffer->len + len + 1 > buffer->capacity) {
    buffer->capacity = (buffer->len + len + 1) * 2;
    buffer->chars = realloc(buffer->chars, buffer->capacity);
    if (!buffer->chars) abort();
  }
  memcpy(buffer->chars + buffer->len, bytes, len);
  buffer->len += len;
  buffer->chars[buffer->len] = '\0';
}

static inline void buffer_puts(Buffer *buffer, const char *text) {
  buffer_write(buffer, text, strlen(text));
}

typedef struct Parsed {
  Arena arena;
  Source source;
  Diags diags;
  NameTable names;
  ParseResult result;
} Parsed;

/* `max_bytes` limits the arena; 0: no limit. False where the text could not even be copied. */
static inline bool parsed_open(Parsed *parsed, const char *text, size_t len, size_t max_bytes) {
  if (!arena_init(&parsed->arena)) abort();
  parsed->arena.max_bytes = max_bytes;
  diag_init(&parsed->diags, &parsed->arena);
  names_init(&parsed->names, &parsed->arena);
  if (source_init(&parsed->source, &parsed->arena, "test.oxb", text, len) != SOURCE_OK)
    return false;
  parsed->result = parser_parse(&parsed->arena, &parsed->names, &parsed->source, &parsed->diags);
  return true;
}

static inline void parsed_close(Parsed *parsed) { arena_free(&parsed->arena); }

#endif
