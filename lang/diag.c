#include "diag.h"

#include <string.h>

void diag_init(Diags *diags, Arena *arena) {
  memset(diags, 0, sizeof *diags);
  diags->arena = arena;
}

/* Once the arena is out of memory nothing is linked any more: what is in the list stays sound, so
 * that the errors found before can still be shown. */
static void diag_link(Diags *diags, Diag *diag) {
  if (diags->last) diags->last->next = diag;
  else diags->first = diag;
  diags->last = diag;
}

/* Beyond the limit, and without memory, the diagnostic is made but not kept, so that callers can
 * add hints to it without asking. */
Diag *diag_add(Diags *diags, DiagSeverity severity, const Source *source, Span span,
               const char *message) {
  Diag *diag = ARENA_NEW(diags->arena, Diag);
  diag->severity = severity;
  diag->source = source;
  diag->span = span;
  diag->message = message;
  if (severity == DIAG_ERROR) diags->error_count++;
  if (diags->error_count <= DIAG_MAX_ERRORS && !diags->arena->oom) diag_link(diags, diag);
  return diag;
}

Diag *diag_error(Diags *diags, const Source *source, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = arena_vformat(diags->arena, format, args);
  va_end(args);
  return diag_add(diags, DIAG_ERROR, source, span, message);
}

void diag_hint(Diags *diags, Diag *diag, const char *format, ...) {
  va_list args;
  va_start(args, format);
  diag->hint = arena_vformat(diags->arena, format, args);
  va_end(args);
}

void diag_related(Diags *diags, Diag *diag, const Source *source, Span span, const char *format,
                  ...) {
  va_list args;
  va_start(args, format);
  diag->related = arena_vformat(diags->arena, format, args);
  va_end(args);
  diag->related_source = source;
  diag->related_span = span;
}

/* Insertion: the list holds a few dozen at most, and is nearly in order. */
void diag_sort(Diags *diags) {
  Diag *sorted = NULL, *next;
  for (Diag *diag = diags->first; diag; diag = next) {
    next = diag->next;
    Diag **link = &sorted;
    while (*link && ((*link)->source != diag->source || (*link)->span.start <= diag->span.start))
      link = &(*link)->next;
    diag->next = *link;
    *link = diag;
  }
  diags->first = sorted;
  diags->last = sorted;
  while (diags->last && diags->last->next) diags->last = diags->last->next;
}
