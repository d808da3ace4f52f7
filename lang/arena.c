/* Pieces are cut off the front of the newest chunk; `next` and `limit` are what is left of it. Once
 * memory has run out the two point into the reserve instead, and wrap around in it: then pieces
 * overlap, but every address handed out stays writable, which is all that is promised.
 */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A chunk's bytes follow its header. Chunks start small, so that a one-line program is cheap,
 * and double up to a size at which the system's cost per chunk no longer shows. */
struct ArenaChunk {
  ArenaChunk *next;
  size_t size; /* header included */
};

enum { ALIGNMENT = 16, HEADER_SIZE = 16, FIRST_CHUNK = 8 << 10, LAST_CHUNK = 1 << 20 };

/* The reserve must last while the deepest tree under construction is given up: a few nodes for
 * each of at most a few hundred levels. As it is not touched before, it costs address space. */
enum { RESERVE_SIZE = 256 << 10 };

_Static_assert(sizeof(ArenaChunk) <= HEADER_SIZE, "the header fits its place");
_Static_assert(_Alignof(max_align_t) <= ALIGNMENT, "pieces suit any type");
_Static_assert(ARENA_SMALL <= RESERVE_SIZE - HEADER_SIZE, "the reserve serves small requests");

static char *chunk_bytes(ArenaChunk *chunk) { return (char *)chunk + HEADER_SIZE; }

/* From here on, and again whenever the reserve is used up, small requests come out of it. */
static void arena_enter_reserve(Arena *arena) {
  arena->oom = true;
  arena->next = chunk_bytes(arena->reserve);
  arena->limit = (char *)arena->reserve + RESERVE_SIZE;
}

bool arena_init(Arena *arena) {
  memset(arena, 0, sizeof *arena);
  arena->reserve = malloc(RESERVE_SIZE);
  arena->oom = arena->reserve == NULL;
  return !arena->oom;
}

void arena_free(Arena *arena) {
  while (arena->chunks) {
    ArenaChunk *next = arena->chunks->next;
    free(arena->chunks);
    arena->chunks = next;
  }
  free(arena->reserve);
  memset(arena, 0, sizeof *arena);
}

/* A chunk of `size` bytes from the system, within the limit; NULL if there is none. */
static ArenaChunk *arena_take_chunk(Arena *arena, size_t size) {
  if (arena->max_bytes &&
      (arena->used >= arena->max_bytes || size > arena->max_bytes - arena->used))
    return NULL;
  ArenaChunk *chunk = malloc(size);
  if (!chunk) return NULL;
  chunk->size = size;
  arena->used += size;
  return chunk;
}

/* A request that would waste much of a chunk gets one of its own, behind the newest. */
static void *arena_alloc_large(Arena *arena, size_t size) {
  ArenaChunk *chunk = arena_take_chunk(arena, HEADER_SIZE + size);
  if (!chunk) {
    arena_enter_reserve(arena);
    return NULL;
  }
  ArenaChunk **link = arena->chunks ? &arena->chunks->next : &arena->chunks;
  chunk->next = *link;
  *link = chunk;
  return memset(chunk_bytes(chunk), 0, size);
}

/* Makes room for a small request; always succeeds, if need be with the reserve. */
static void arena_refill(Arena *arena) {
  size_t size = arena->chunks ? arena->chunks->size * 2 : FIRST_CHUNK;
  if (size > LAST_CHUNK) size = LAST_CHUNK;
  if (size < FIRST_CHUNK) size = FIRST_CHUNK;
  ArenaChunk *chunk = arena->oom ? NULL : arena_take_chunk(arena, size);
  if (!chunk && !arena->oom && size > FIRST_CHUNK) chunk = arena_take_chunk(arena, FIRST_CHUNK);
  if (!chunk) {
    arena_enter_reserve(arena);
    return;
  }
  chunk->next = arena->chunks;
  arena->chunks = chunk;
  arena->next = chunk_bytes(chunk);
  arena->limit = (char *)chunk + chunk->size;
}

void *arena_alloc(Arena *arena, size_t size) {
  if (size > PTRDIFF_MAX - LAST_CHUNK) {
    if (!arena->oom) arena_enter_reserve(arena);
    return NULL;
  }
  size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  if (size > (size_t)(arena->limit - arena->next)) {
    if (size > ARENA_SMALL && arena->oom) return NULL;
    if (size > FIRST_CHUNK / 4) return arena_alloc_large(arena, size);
    arena_refill(arena);
    if (arena->oom && size > ARENA_SMALL) return NULL;
  }
  void *piece = arena->next;
  arena->next += size;
  return memset(piece, 0, size);
}

void *arena_array(Arena *arena, size_t count, size_t item_size) {
  size_t size;
  if (arena->oom || count == 0) return NULL;
  if (__builtin_mul_overflow(count, item_size, &size)) size = SIZE_MAX;
  void *items = arena_alloc(arena, size);
  return arena->oom ? NULL : items;
}

void *arena_copy(Arena *arena, const void *items, size_t count, size_t item_size) {
  void *copy = arena_array(arena, count, item_size);
  return copy ? memcpy(copy, items, count * item_size) : NULL;
}

/* Lengthens the newest piece where it lies. */
static bool arena_extend(Arena *arena, char *items, size_t old_size, size_t new_size) {
  size_t old_end = (old_size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  size_t new_end = (new_size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  if (!items || items + old_end != arena->next) return false;
  if (new_end - old_end > (size_t)(arena->limit - arena->next)) return false;
  memset(items + old_size, 0, new_end - old_size);
  arena->next = items + new_end;
  return true;
}

void *arena_grow(Arena *arena, void *items, size_t *capacity, size_t needed, size_t item_size) {
  size_t wanted = *capacity < 4 ? 8 : *capacity * 2;
  size_t size;
  if (arena->oom) return NULL;
  if (wanted < needed) wanted = needed;
  if (__builtin_mul_overflow(wanted, item_size, &size) || size > PTRDIFF_MAX / 2) {
    arena_enter_reserve(arena);
    return NULL;
  }
  if (!arena_extend(arena, items, *capacity * item_size, size)) {
    void *moved = arena_array(arena, wanted, item_size);
    if (!moved) return NULL;
    if (*capacity) memcpy(moved, items, *capacity * item_size);
    items = moved;
  }
  *capacity = wanted;
  return items;
}

/* What every text is once there is no memory; nobody writes to arena strings. */
static char *no_text(void) { return (char *)""; }

char *arena_string(Arena *arena, const char *chars, size_t len) {
  char *copy = arena_array(arena, len < SIZE_MAX ? len + 1 : len, 1);
  if (!copy) return no_text();
  if (len) memcpy(copy, chars, len);
  return copy;
}

char *arena_vformat(Arena *arena, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  char *text = len < 0 ? NULL : arena_array(arena, (size_t)len + 1, 1);
  if (text) vsnprintf(text, (size_t)len + 1, format, again);
  va_end(again);
  return text ? text : (char *)"out of memory";
}

char *arena_format(Arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = arena_vformat(arena, format, args);
  va_end(args);
  return text;
}
