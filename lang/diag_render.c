/* All positions are in bytes until the last moment. Text is shown glyph by glyph (glyph_at), and
 * the columns of a glyph are known before it is written, so the line of carets can be laid out by
 * measuring the same glyphs again.
 */
#include "diag_render.h"

#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* Columns of source shown at most; the window is moved so that the carets are inside. */
enum { WINDOW_COLUMNS = 120, CONTEXT_COLUMNS = 40 };

typedef struct Output {
  DiagWrite write;
  void *ctx;
  bool colour;
} Output;

#define ELLIPSIS "..." /* where a line's beginning is cut off */

#define RED    "\x1b[1;31m"
#define YELLOW "\x1b[1;33m"
#define BLUE   "\x1b[1;34m"
#define BOLD   "\x1b[1m"
#define PLAIN  "\x1b[0m"

static void put(Output *out, const char *text) { out->write(out->ctx, text, strlen(text)); }

static void put_colour(Output *out, const char *escape) {
  if (out->colour) put(out, escape);
}

static void put_repeated(Output *out, char byte, uint32_t count) {
  char bytes[64];
  memset(bytes, byte, sizeof bytes);
  for (; count > sizeof bytes; count -= sizeof bytes) out->write(out->ctx, bytes, sizeof bytes);
  out->write(out->ctx, bytes, count);
}

/* One character of source as it is shown. */
typedef struct Glyph {
  const char *bytes;
  unsigned size;  /* bytes to show */
  unsigned taken; /* bytes of source it stands for */
  unsigned width; /* columns */
} Glyph;

static Glyph glyph_at(const char *text, size_t len) {
  uint32_t code;
  unsigned size = utf8_decode(text, len, &code);
  if (size && code == '\t') return (Glyph){"    ", 4, 1, 4};
  if (!size || code < 0x20 || (code >= 0x7F && code < 0xA0))
    return (Glyph){"\xEF\xBF\xBD", 3, size ? size : 1, 1};
  /* marks that reorder what follows them would show another program than the one that runs */
  if ((code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069))
    return (Glyph){"\xEF\xBF\xBD", 3, size, 1};
  return (Glyph){text, size, size, utf8_width(code)};
}

/* Columns that the bytes from..to take. */
static uint32_t measure(const char *text, uint32_t from, uint32_t to) {
  uint32_t width = 0;
  while (from < to) {
    Glyph glyph = glyph_at(text + from, to - from);
    width += glyph.width;
    from += glyph.taken;
  }
  return width;
}

/* Text that is not source (a message may quote source) is made harmless in the same way, but
 * keeps its line breaks, indented. */
static void put_message(Output *out, const char *text) {
  size_t len = strlen(text);
  while (len) {
    Glyph glyph = glyph_at(text, len);
    if (*text == '\n') put(out, "\n    ");
    else out->write(out->ctx, glyph.bytes, glyph.size);
    text += glyph.taken;
    len -= glyph.taken;
  }
}

/* Shows the bytes from..to of a line, at most `columns` wide. */
static void put_source(Output *out, const char *text, uint32_t from, uint32_t to,
                       uint32_t columns) {
  uint32_t used = 0;
  while (from < to) {
    Glyph glyph = glyph_at(text + from, to - from);
    if (used + glyph.width > columns) break;
    out->write(out->ctx, glyph.bytes, glyph.size);
    used += glyph.width;
    from += glyph.taken;
  }
}

/* Where to start showing a line so that `mark` is inside the window. */
static uint32_t window_start(const char *text, Span line, uint32_t mark) {
  if (mark - line.start <= CONTEXT_COLUMNS * 4 &&
      measure(text, line.start, mark) <= WINDOW_COLUMNS - CONTEXT_COLUMNS)
    return line.start;
  uint32_t start = mark;
  while (start > line.start && mark - start < CONTEXT_COLUMNS) start--;
  while (start < mark && ((unsigned char)text[start] & 0xC0) == 0x80) start++;
  return start;
}

/* "  12 | ", or blanks as wide. */
static void put_gutter(Output *out, const char *digits, bool show_number) {
  put_colour(out, BLUE);
  put(out, "  ");
  if (show_number) put(out, digits);
  else put_repeated(out, ' ', (uint32_t)strlen(digits));
  put(out, " | ");
  put_colour(out, PLAIN);
}

/* The part of a line that is marked; empty spans get one caret all the same. */
static Span marked_part(Span line, Span span) {
  uint32_t start = span.start < line.start ? line.start : span.start;
  if (start > line.end) start = line.end;
  uint32_t end = span.end < line.end ? span.end : line.end;
  return (Span){start, end < start ? start : end};
}

/* Columns from..to, counted up to `limit`. */
static uint32_t measure_up_to(const char *text, Span part, uint32_t limit) {
  uint32_t width = 0;
  while (part.start < part.end && width < limit) {
    Glyph glyph = glyph_at(text + part.start, part.end - part.start);
    width += glyph.width;
    part.start += glyph.taken;
  }
  return width < limit ? width : limit;
}

static void put_carets(Output *out, uint32_t before, uint32_t carets, const char *colour) {
  put_repeated(out, ' ', before);
  put_colour(out, colour);
  put_repeated(out, '^', carets ? carets : 1);
  put_colour(out, PLAIN);
  put(out, "\n");
}

static void put_excerpt(Output *out, const Source *source, Span span, const char *colour) {
  const char *text = source->text;
  uint32_t number = source_position(source, span.start).line;
  Span line = source_line_span(source, number);
  Span mark = marked_part(line, span);
  uint32_t shown = window_start(text, line, mark.start);
  char digits[16];
  snprintf(digits, sizeof digits, "%u", number);

  put_gutter(out, digits, true);
  if (shown > line.start) put(out, ELLIPSIS);
  put_source(out, text, shown, line.end, WINDOW_COLUMNS);
  put(out, "\n");
  put_gutter(out, digits, false);
  uint32_t before = measure(text, shown, mark.start);
  uint32_t room = before < WINDOW_COLUMNS ? WINDOW_COLUMNS - before : 1;
  if (shown > line.start) before += (uint32_t)strlen(ELLIPSIS);
  put_carets(out, before, measure_up_to(text, mark, room), colour);
}

/* `place: severity: message` and the source line. */
static void put_head(Output *out, const Source *source, Span span, const char *severity,
                     const char *colour, const char *message) {
  if (source) {
    SourcePos pos = source_position(source, span.start);
    char numbers[32];
    snprintf(numbers, sizeof numbers, ":%u:%u: ", pos.line, pos.column);
    put_colour(out, BOLD);
    put_message(out, source->name);
    put(out, numbers);
  }
  put_colour(out, colour);
  put(out, severity);
  put(out, ": ");
  put_colour(out, PLAIN);
  put_colour(out, BOLD);
  put_message(out, message);
  put_colour(out, PLAIN);
  put(out, "\n");
  if (source) put_excerpt(out, source, span, colour);
}

static Output open_output(const DiagStyle *style, DiagWrite write, void *ctx) {
  return (Output){write, ctx, style && style->colour};
}

void diag_render(const Diag *diag, const DiagStyle *style, DiagWrite write, void *ctx) {
  static const char *const words[] = {"error", "warning", "note"};
  static const char *const colours[] = {RED, YELLOW, BLUE};
  Output out = open_output(style, write, ctx);
  const char *word = style && style->severity ? style->severity : words[diag->severity];
  put_head(&out, diag->source, diag->span, word, colours[diag->severity], diag->message);
  if (diag->hint) {
    put_colour(&out, BLUE);
    put(&out, "  hint: ");
    put_colour(&out, PLAIN);
    put_message(&out, diag->hint);
    put(&out, "\n");
  }
  if (diag->related_source)
    put_head(&out, diag->related_source, diag->related_span, "note", BLUE, diag->related);
}

void diag_render_all(const Diags *diags, const DiagStyle *style, DiagWrite write, void *ctx) {
  Output out = open_output(style, write, ctx);
  for (const Diag *diag = diags->first; diag; diag = diag->next)
    diag_render(diag, style, write, ctx);
  if (diags->error_count <= DIAG_MAX_ERRORS) return;
  char text[64];
  uint32_t more = diags->error_count - DIAG_MAX_ERRORS;
  snprintf(text, sizeof text, "and %u more error%s\n", more, more == 1 ? "" : "s");
  put(&out, text);
}

void diag_render_excerpt(const Source *source, Span span, const DiagStyle *style, DiagWrite write,
                         void *ctx) {
  Output out = open_output(style, write, ctx);
  put_excerpt(&out, source, span, RED);
}
