/* gc_helpers.h - what the tests of gc/ share: random numbers, roots, checks. */
#ifndef TEST_GC_HELPERS_H
#define TEST_GC_HELPERS_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/heap.h"
#include "gc/state.h"

/* cr_assert for loops of millions: it counts nothing when all is well. */
#define CHECK(condition, ...)                  \
  do {                                         \
    if (!(condition)) CHECK_FAILED(#condition, "" __VA_ARGS__); \
  } while (0)
#define CHECK_FAILED(text, format, ...) cr_assert_fail("%s " format, text, ##__VA_ARGS__)

static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static inline uint64_t below(uint64_t *state, uint64_t n) { return next_random(state) % n; }

#define NIL ((uint64_t)0xFFF9 << 48)

static inline Value ref_value(uint32_t ref) { return (uint64_t)VALUE_REF_HIGH << 48 | ref; }

static inline Value *root_area(Gc *gc) { return (Value *)(gc_base(gc) + GC_ROOT_OFF); }

static inline uint64_t *block_at(Gc *gc, uint32_t ref) { return gc_ptr(gc_base(gc), (Ref){ref}); }

static inline void verify(Gc *gc) {
  uint64_t where = 0;
  const char *wrong = gc_verify(gc, &where);
  cr_assert(wrong == NULL, "%s at word %#llx", wrong, (unsigned long long)where);
}

/* A wide object of `words` words, its values nil; 0 when memory is out. */
static inline uint32_t new_wide(Gc *gc, uint64_t words) {
  uint64_t *block = gc_alloc(gc, words, GC_SPACE_OBJECT);
  if (!block) return 0;
  *(Header *)block = (Header){.layout = LAYOUT_WIDE, .aux = (uint32_t)words - 1};
  for (uint64_t i = 1; i < words; i++) block[i] = NIL;
  return gc_ref(gc_base(gc), block).w;
}

static inline void count_block(void *ctx, void *block, uint64_t words) {
  (void)block;
  (void)words;
  ++*(uint64_t *)ctx;
}

static inline uint64_t count_blocks(Gc *gc) {
  uint64_t n = 0;
  gc_each(gc, count_block, &n);
  return n;
}

/* Of /proc/self/maps: how many mappings there are. */
static inline unsigned lines_of(const char *path) {
  unsigned n = 0;
  FILE *f = fopen(path, "r");
  cr_assert(f != NULL);
  for (int c; (c = getc(f)) != EOF;) n += c == '\n';
  fclose(f);
  return n;
}

#endif
