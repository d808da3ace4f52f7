/* gc_programs.h - random programs on a bare heap, for tests of whatever goes back to states or copies
 * them: the heap as a number, and what the programs do. */
#ifndef TEST_GC_PROGRAMS_H
#define TEST_GC_PROGRAMS_H

#include "gc/buddy.h"
#include "gc/cage.h"
#include "gc/collect.h"
#include "gc_helpers.h"

enum { SLOTS = 512, KEPT = 64, MOST_WORDS = 6000 };

typedef struct Kept {
  GcSnapshot id;
  uint64_t hash;
  uint32_t depth;
} Kept;

typedef struct World {
  Gc *gc;
  uint64_t rng;
  Kept kept[KEPT];
  uint32_t n;
  uint64_t restored, deepest;
  bool in_place; /* blocks are lengthened in place, too: whether that works depends on the layout */
} World;

static inline Value *slots(World *w) { return (Value *)(gc_base(w->gc) + GC_ROOT_OFF); }

/* ---- the state as a number -------------------------------------------------------------------- */

static inline uint64_t mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9E3779B97F4A7C15u;
  return h ^ h >> 29;
}

/* In four rows, which do not wait for one another. */
static inline uint64_t hash_words(uint64_t h, const void *at, uint64_t bytes) {
  const uint64_t *p = at;
  uint64_t row[4] = {h, 1, 2, 3}, i = 0, n = bytes / 8;
  for (; i + 4 <= n; i += 4)
    for (unsigned k = 0; k < 4; k++) row[k] = mix(row[k], p[i + k]);
  for (; i < n; i++) row[0] = mix(row[0], p[i]);
  return mix(mix(row[0], row[1]), mix(row[2], row[3]));
}

static inline uint64_t hash_text(const char *text, uint64_t n) {
  uint64_t h = n;
  for (uint64_t i = 0; i < n; i++) h = mix(h, (uint8_t)text[i]);
  return h;
}

/* Everything that belongs to the state: Heap, roots, metadata, the pages in use. */
static inline uint64_t hash_heap(Gc *gc) {
  Heap copy = *gc->heap;
  copy.limit_bytes = copy.external_bytes = copy.peak_bytes = 0;
  uint64_t h = hash_words(1, &copy, sizeof copy);
  h = hash_words(h, gc->base + GC_ROOT_OFF, GC_ROOT_BYTES);
  uint64_t end = copy.cage_pages;
  h = hash_words(h, gc->table, end * sizeof(PageDesc));
  h = hash_words(h, gc->bits, end * (GC_PAGE / 64));
  h = hash_words(h, gc->buddy.state, copy.table_off - copy.buddy_off);
  BuddyRun run;
  for (uint32_t page = (uint32_t)copy.first_page; page < end; page += run.units) {
    run = buddy_run(gc->buddy, page);
    for (uint32_t at = page; run.used && at < page + run.units; at++)
      if (cage_is_committed(gc, at)) h = hash_words(h, gc->base + at * (uint64_t)GC_PAGE, GC_PAGE);
  }
  return h;
}

/* ---- what programs do ------------------------------------------------------------------------- */

static inline Value some_value(World *w) {
  if (below(&w->rng, 3) == 0) return slots(w)[below(&w->rng, SLOTS)];
  return (Value)below(&w->rng, 1000);
}

static inline uint64_t some_words(World *w) {
  switch (below(&w->rng, 12)) {
    case 0: return 1 + below(&w->rng, MOST_WORDS);
    case 1: return 1 + below(&w->rng, 600);
    default: return 2 + below(&w->rng, 20);
  }
}

static inline void allocate(World *w) {
  uint64_t words = some_words(w);
  Header *h = gc_alloc(w->gc, words, below(&w->rng, 2));
  if (!h) return;
  *h = (Header){(uint8_t)below(&w->rng, 30), LAYOUT_WIDE, 0, (uint32_t)(words - 1)};
  for (uint64_t i = 1; i < words; i++) ((Value *)h)[i] = i < 8 ? some_value(w) : i;
  slots(w)[below(&w->rng, SLOTS)] = ref_value(gc_ref(gc_base(w->gc), h).w);
}

static inline Header *some_block(World *w) {
  Value v = slots(w)[below(&w->rng, SLOTS)];
  return v >> 48 == VALUE_REF_HIGH ? gc_ptr(gc_base(w->gc), (Ref){(uint32_t)v}) : NULL;
}

static inline void store(World *w) {
  Header *h = some_block(w);
  if (!h || h->aux == 0) return;
  uint64_t word = gc_word(gc_base(w->gc), h) + 1 + below(&w->rng, h->aux);
  gc_store(gc_base(w->gc), word, some_value(w));
}

static inline void extend(World *w) {
  Header *h = some_block(w);
  if (!h) return;
  uint64_t words = gc_block_words(w->gc, h) + 1 + below(&w->rng, 700);
  if (!gc_extend(w->gc, h, words)) return;
  uint64_t word = gc_word(gc_base(w->gc), h);
  gc_touch_range(gc_base(w->gc), word, words);
  for (uint64_t i = 1 + (uint64_t)h->aux; i < words; i++) ((Value *)h)[i] = i;
  h->aux = (uint32_t)(words - 1);
}

static inline void drop(World *w) {
  for (unsigned n = (unsigned)below(&w->rng, 40); n > 0; n--)
    slots(w)[below(&w->rng, SLOTS)] = 0;
}

static inline void collect(World *w) {
  switch (below(&w->rng, 3)) {
    case 0: gc_collect(w->gc); break;
    case 1: gc_collect_young(w->gc); break;
    default: collect_due(w->gc); break;
  }
}

static inline void mutate(World *w, unsigned n) {
  while (n--) {
    switch (below(&w->rng, 64)) {
      case 0: collect(w); break;
      case 1: drop(w); break;
      case 2:
        if (w->in_place) extend(w);
        break;
      case 3 ... 25: allocate(w); break;
      default: store(w); break;
    }
  }
}

#endif
