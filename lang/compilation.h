/* What the passes behind the parser share: one compilation's arena, source and diagnostics.
 *
 * Out of memory ends a pass at once: comp_alloc and friends never give NULL but jump to `bail`,
 * which lang_compile sets. Nothing has to be cleaned up then, all memory is the arena's.
 */
#ifndef OX_LANG_COMPILATION_H
#define OX_LANG_COMPILATION_H

#include <setjmp.h>
#include <stddef.h>

#include "arena.h"
#include "diag.h"
#include "lang.h"
#include "names.h"
#include "source.h"

typedef struct Compilation {
  Arena *arena;
  const Source *source;
  const LangOptions *options;
  Diags *diags;
  NameTable names;
  jmp_buf bail; /* where to go when the arena is out of memory */
} Compilation;

/* `size` zeroed bytes, never NULL. */
void *comp_alloc(Compilation *comp, size_t size);

/* A zeroed array of `count` items, NULL only for 0. */
void *comp_array(Compilation *comp, size_t count, size_t item_size);

/* Makes room for one more item in a vector; used by VEC_PUSH. */
void *comp_grow(Compilation *comp, void *items, size_t count, size_t *capacity, size_t item_size);

#define COMP_NEW(comp, T) ((T *)comp_alloc((comp), sizeof(T)))

/* A growing array in the arena. */
#define VEC(T)              \
  struct {                  \
    T *items;               \
    size_t count, capacity; \
  }

#define VEC_PUSH(comp, vec, item)                                                         \
  ((vec).items = comp_grow((comp), (vec).items, (vec).count, &(vec).capacity,             \
                           sizeof *(vec).items),                                          \
   (vec).items[(vec).count++] = (item))

#endif
