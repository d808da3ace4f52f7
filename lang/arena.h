/* A bump allocator for everything that lives as long as one compilation.
 *
 * Running out of memory is a sticky flag, not an abort. From then on small requests are served
 * from a reserve that arena_init set aside, so that code may go on, with distinct and writable
 * memory, to its next check of `oom`; what it makes after that must be thrown away. Large
 * requests give NULL then. The contract for users: after `oom`, do a bounded amount of work
 * (finish the node in hand, unwind) and stop.
 */
#ifndef OX_LANG_ARENA_H
#define OX_LANG_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests up to this size never give NULL. */
#define ARENA_SMALL ((size_t)512)

typedef struct ArenaChunk ArenaChunk;

typedef struct Arena {
  ArenaChunk *chunks;  /* newest first */
  char *next, *limit;  /* free bytes of the newest chunk */
  ArenaChunk *reserve; /* for small requests after `oom`; untouched memory before */
  size_t used;         /* bytes taken from the system, the reserve apart */
  size_t max_bytes;    /* `used` stays below this; 0: no limit. May be set at any time */
  bool oom;            /* sticky: an allocation failed, results are worthless */
} Arena;

/* False where not even the reserve could be had; the arena is then empty, and may only be
 * freed. */
bool arena_init(Arena *arena);

/* Gives all memory back. The arena may be initialised again. */
void arena_free(Arena *arena);

/* `size` zeroed bytes, aligned for any type. NULL only for sizes above ARENA_SMALL, with `oom`
 * set. */
void *arena_alloc(Arena *arena, size_t size);

/* A zeroed array; NULL for count 0, and always NULL after `oom`. */
void *arena_array(Arena *arena, size_t count, size_t item_size);

/* A copy of an array; NULL where arena_array gives NULL. */
void *arena_copy(Arena *arena, const void *items, size_t count, size_t item_size);

/* Moves an array of *capacity items into one at least twice as large and at least `needed`
 * long, in place where it is the arena's newest piece. The new items are zeroed. On failure
 * gives NULL with `oom` set, and the old array and *capacity stay as they were. */
void *arena_grow(Arena *arena, void *items, size_t *capacity, size_t needed, size_t item_size);

/* `len` bytes at `chars` and a NUL byte; "" after `oom`. */
char *arena_string(Arena *arena, const char *chars, size_t len);

/* printf into the arena; a fixed text after `oom`. Only conversions that no locale changes. */
char *arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

char *arena_vformat(Arena *arena, const char *format, va_list args);

/* An object of type T, zeroed. T is at most ARENA_SMALL bytes, so it is never NULL. */
#define ARENA_NEW(arena, T) ((T *)arena_alloc((arena), sizeof(T)))

#endif
