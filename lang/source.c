#include "source.h"

#include <string.h>

#include "utf8.h"

/* Offset behind the line ending at `i`, or `i` itself where there is none. */
static uint32_t skip_line_ending(const char *text, uint32_t len, uint32_t i) {
  if (i < len && text[i] == '\r') return i + 1 < len && text[i + 1] == '\n' ? i + 2 : i + 1;
  return i < len && text[i] == '\n' ? i + 1 : i;
}

/* Lines are counted first, so that the table can be of the right size. */
static uint32_t count_lines(const char *text, uint32_t len) {
  uint32_t count = 1;
  for (uint32_t i = 0; i < len;) {
    uint32_t next = skip_line_ending(text, len, i);
    count += next != i;
    i = next != i ? next : i + 1;
  }
  return count;
}

static void fill_lines(const char *text, uint32_t len, uint32_t *lines) {
  uint32_t line = 1;
  for (uint32_t i = 0; i < len;) {
    uint32_t next = skip_line_ending(text, len, i);
    if (next != i) lines[line++] = next;
    i = next != i ? next : i + 1;
  }
}

/* Behind a byte order mark and a first line that starts with `#!`. */
static uint32_t find_start(const char *text, uint32_t len) {
  uint32_t start = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  if (len - start < 2 || text[start] != '#' || text[start + 1] != '!') return start;
  while (start < len && text[start] != '\n' && text[start] != '\r') start++;
  return start;
}

SourceStatus source_init(Source *source, Arena *arena, const char *name, const char *text,
                         size_t len) {
  static const uint32_t first_line = 0;
  memset(source, 0, sizeof *source);
  source->name = arena_string(arena, name, strlen(name));
  source->text = "";
  source->lines = &first_line;
  source->line_count = 1;
  if (len > SOURCE_MAX_LEN) return SOURCE_TOO_LARGE;
  uint32_t line_count = count_lines(text, (uint32_t)len);
  uint32_t *lines = arena_array(arena, line_count, sizeof *lines);
  const char *copy = arena_string(arena, text, len);
  if (arena->oom) return SOURCE_NO_MEMORY;
  source->text = copy;
  source->len = (uint32_t)len;
  source->start = find_start(copy, source->len);
  fill_lines(copy, source->len, lines);
  source->lines = lines;
  source->line_count = line_count;
  return SOURCE_OK;
}

/* Index of the line that holds `offset`. */
static uint32_t find_line(const Source *source, uint32_t offset) {
  uint32_t low = 0, high = source->line_count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (source->lines[middle] <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/* Columns count code points; a byte that is not UTF-8 counts as one, the byte order mark as none.
 */
SourcePos source_position(const Source *source, uint32_t offset) {
  if (offset > source->len) offset = source->len;
  uint32_t line = find_line(source, offset);
  uint32_t i = source->lines[line];
  if (i == 0 && source->len >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0) i = 3;
  uint32_t column = 1, code;
  while (i < offset) {
    unsigned size = utf8_decode(source->text + i, source->len - i, &code);
    i += size ? size : 1;
    column += i <= offset;
  }
  return (SourcePos){line + 1, column};
}

Span source_line_span(const Source *source, uint32_t line) {
  if (line < 1) line = 1;
  if (line > source->line_count) line = source->line_count;
  uint32_t start = source->lines[line - 1];
  uint32_t end = line < source->line_count ? source->lines[line] : source->len;
  while (end > start && (source->text[end - 1] == '\n' || source->text[end - 1] == '\r')) end--;
  return (Span){start, end};
}
