/* From a source text to its syntax tree. */
#ifndef OX_LANG_PARSER_H
#define OX_LANG_PARSER_H

#include <stdbool.h>

#include "ast.h"
#include "diag.h"

typedef struct ParseResult {
  Program *program; /* never NULL; complete only without errors and without `oom` */
  bool ok;          /* no error was added and the arena did not run out */
  bool incomplete;  /* all that is wrong is that the text ends too early: an open bracket,
                     * block, `"""` string or block comment, or an operator at the very end.
                     * A REPL asks for another line (an error was added all the same) */
} ParseResult;

/* Parses the whole text. Errors go to `diags`, sorted; several are reported in one go. The tree,
 * its texts and its names live in `arena`. Afterwards look at `arena->oom`. */
ParseResult parser_parse(Arena *arena, NameTable *names, const Source *source, Diags *diags);

#endif
