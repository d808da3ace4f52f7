/* suggest.h - "did you mean": the nearest of some names to one that does not exist. */
#ifndef OX_RUNTIME_SUGGEST_H
#define OX_RUNTIME_SUGGEST_H

#include "str.h"

enum { SUGGEST_MAX = 40 }; /* longer names get no suggestions */

typedef struct Suggest {
  char wanted[SUGGEST_MAX], best[SUGGEST_MAX];
  unsigned len, best_len;
  uint32_t distance;
} Suggest;
void suggest_init(Suggest *s, const String *wanted); /* NULL: will find nothing */
void suggest_try(Suggest *s, const String *name);    /* NULL: skipped */
void suggest_keys(ox_VM *vm, Suggest *s, Value map); /* all string keys */
void suggest_add(const Suggest *s, Buf *b);          /* ", did you mean `x`?", or nothing */

#endif
