/* A source text: its name, its bytes, and where its lines begin. */
#ifndef OX_LANG_SOURCE_H
#define OX_LANG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

/* Half-open range of byte offsets into Source.text. */
typedef struct Span {
  uint32_t start, end;
} Span;

/* Longest text accepted, so that any offset (and a few past it) fits 32 bits. */
#define SOURCE_MAX_LEN ((size_t)1 << 30)

typedef struct Source {
  const char *name;      /* as it is to be shown, e.g. a path or "<repl>" */
  const char *text;      /* a copy of the bytes, followed by a NUL byte */
  uint32_t len;          /* without that NUL */
  uint32_t start;        /* where the program begins: behind a byte order mark and a `#!` line */
  uint32_t line_count;   /* at least 1 */
  const uint32_t *lines; /* offset of each line's first byte */
} Source;

typedef enum SourceStatus { SOURCE_OK, SOURCE_TOO_LARGE, SOURCE_NO_MEMORY } SourceStatus;

/* Line and column as shown to people: both from 1, the column in code points. */
typedef struct SourcePos {
  uint32_t line, column;
} SourcePos;

/* Copies name and text into the arena and indexes the lines. A line ends with LF, CR LF or CR.
 * After a failure the source is an empty text of that name. */
SourceStatus source_init(Source *source, Arena *arena, const char *name, const char *text,
                         size_t len);

/* Position of a byte offset; offsets beyond the end count as the end. */
SourcePos source_position(const Source *source, uint32_t offset);

/* The bytes of line `line` (from 1), without its line ending. */
Span source_line_span(const Source *source, uint32_t line);

/* The smallest span that covers both. */
static inline Span span_join(Span a, Span b) {
  Span joined = {a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
  return joined;
}

#endif
