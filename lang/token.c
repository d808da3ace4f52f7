#include "token.h"

#include <string.h>

static const char *const kind_texts[] = {"end of file",
                                         "an error",
                                         "a name",
                                         "a number",
                                         "a number",
                                         "a string",
                                         "a string",
                                         "a string",
                                         "a string",
#define X(name, spelling) spelling,
                                         TOKEN_KEYWORDS(X) TOKEN_PUNCTUATION(X)
#undef X
};

_Static_assert(sizeof kind_texts / sizeof *kind_texts == TOKEN_KIND_COUNT, "a text for each kind");

const char *token_kind_text(TokenKind kind) { return kind_texts[kind]; }

TokenKind token_find_keyword(const char *chars, size_t len) {
  for (int kind = TOKEN_AND; kind <= TOKEN_YIELD; kind++) {
    if (kind_texts[kind][0] == chars[0] && strlen(kind_texts[kind]) == len &&
        memcmp(kind_texts[kind], chars, len) == 0)
      return (TokenKind)kind;
  }
  return TOKEN_NAME;
}

TokenKind token_find_punctuation(const char *chars, size_t *len) {
  TokenKind best = TOKEN_ERROR;
  *len = 0;
  for (int kind = TOKEN_LPAREN; kind < TOKEN_KIND_COUNT; kind++) {
    if (kind_texts[kind][0] != chars[0]) continue;
    size_t size = strlen(kind_texts[kind]);
    if (size > *len && strncmp(chars, kind_texts[kind], size) == 0) {
      best = (TokenKind)kind;
      *len = size;
    }
  }
  return best;
}
