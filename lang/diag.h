/* Diagnostics: errors in a program, with the exact place, kept in a list until somebody shows
 * them.
 *
 * The lexer, the parser, the resolver and the compiler add to a `Diags`; run-time errors fill a
 * single `Diag` on the stack. diag_render.h turns either into text.
 */
#ifndef OX_LANG_DIAG_H
#define OX_LANG_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "source.h"

/* Errors kept in one list; later ones are counted only. */
enum { DIAG_MAX_ERRORS = 20 };

typedef enum DiagSeverity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE } DiagSeverity;

typedef struct Diag {
  DiagSeverity severity;
  const Source *source; /* NULL: no place to show */
  Span span;            /* an empty span points between two bytes, e.g. at the end of a line */
  const char *message;  /* one sentence without a final stop */
  const char *hint;     /* what to do about it, or NULL */
  const Source *related_source; /* a second place that explains the first, or NULL */
  Span related_span;
  const char *related; /* what is there: "opened here" */
  struct Diag *next;
} Diag;

typedef struct Diags {
  Arena *arena; /* holds the diagnostics and their texts */
  Diag *first;  /* in order of position, see diag_sort */
  Diag *last;
  uint32_t error_count; /* all errors, those not kept included */
} Diags;

void diag_init(Diags *diags, Arena *arena);

/* Adds an error. Gives the diagnostic, for diag_hint and diag_related; never NULL, also where
 * it was one too many to keep. */
Diag *diag_error(Diags *diags, const Source *source, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

Diag *diag_add(Diags *diags, DiagSeverity severity, const Source *source, Span span,
               const char *message);

void diag_hint(Diags *diags, Diag *diag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void diag_related(Diags *diags, Diag *diag, const Source *source, Span span, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/* Sorts by position within a source, keeping the order of equals. For the end of a phase. */
void diag_sort(Diags *diags);

#endif
