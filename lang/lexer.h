/* From a source text to its tokens. */
#ifndef OX_LANG_LEXER_H
#define OX_LANG_LEXER_H

#include "diag.h"
#include "token.h"

/* Comment lines directly above a token that is the first on its line. */
typedef struct DocComment {
  uint32_t token; /* index of that token */
  Span span;      /* from the first `#` to the end of the last line */
} DocComment;

typedef struct TokenList {
  Token *items;     /* the last is TOKEN_EOF */
  uint32_t count;   /* at least 1 */
  DocComment *docs; /* by rising token index */
  uint32_t doc_count;
  Span head_doc;      /* comment lines that open the text and end in an empty line, or empty */
  bool is_open_ended; /* the text ends within a `"""` string or a block comment */
} TokenList;

/* Errors go to `diags`, each with a token that lets the parser go on. After that the list is
 * complete unless the arena is out of memory, when it must not be used. */
void lexer_scan(Arena *arena, NameTable *names, const Source *source, Diags *diags,
                TokenList *list);

#endif
