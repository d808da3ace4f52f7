/* Diagnostics as text:
 *
 *   main.oxb:3:7: error: cannot add int and string
 *     3 | print(a + b)
 *       |       ^^^^^
 *     hint: str(a) gives a string
 *   main.oxb:1:5: note: a was set here
 *     1 | let a = 1
 *       |     ^
 *
 * The carets stand under the exact span, counted in terminal columns: tabs are shown as blanks,
 * wide and combining characters are measured, control characters and broken UTF-8 are shown as
 * U+FFFD (so that no source text can drive the terminal), and a very long line is cut to a
 * window around the span. A span over several lines is marked to the end of its first line.
 */
#ifndef OX_LANG_DIAG_RENDER_H
#define OX_LANG_DIAG_RENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

/* Takes the text in pieces. */
typedef void (*DiagWrite)(void *ctx, const char *bytes, size_t len);

typedef struct DiagStyle {
  bool colour;          /* ANSI escapes */
  const char *severity; /* the word instead of "error", e.g. "uncaught", or NULL */
} DiagStyle;

/* `style` may be NULL: plain. Needs no memory but the stack. */
void diag_render(const Diag *diag, const DiagStyle *style, DiagWrite write, void *ctx);

/* All of a list, and a line saying how many errors were not kept. */
void diag_render_all(const Diags *diags, const DiagStyle *style, DiagWrite write, void *ctx);

/* The source line with its carets alone, as for a frame of a trace. */
void diag_render_excerpt(const Source *source, Span span, const DiagStyle *style, DiagWrite write,
                         void *ctx);

#endif
