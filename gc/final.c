/* final.c - the list of registered objects is a block of the heap like any other: wide, so that it
 * is found by its header, and weak, so that it keeps nothing alive. */
#include "final.h"

#include "bits.h"
#include "plant.h"
#include "snapshot.h"

enum { FIRST_CAPACITY = 127 };

static Value *entries(Gc *gc) {
  Ref list = {gc->heap->finals};
  return (Value *)gc_ptr(gc->base, list) + 1;
}

/* Moves the list to a block of twice the size. */
static bool grow_list(Gc *gc) {
  Heap *h = gc->heap;
  uint32_t capacity = h->finals ? 2 * h->final_capacity + 1 : FIRST_CAPACITY;
  Header *block = gc_alloc_nocollect(gc, (uint64_t)capacity + 1, GC_SPACE_OBJECT);
  if (!block) return false;
  gc_touch_range(gc->base, gc_word(gc->base, block), (uint64_t)capacity + 1);
  *block = (Header){.layout = LAYOUT_WIDE | LAYOUT_WEAK, .aux = capacity};
  Value *to = (Value *)block + 1;
  for (uint32_t i = 0; i < capacity; i++) to[i] = i < h->final_count ? entries(gc)[i] : 0;
  if (h->finals) gc_release(gc, gc_ptr(gc->base, (Ref){h->finals}));
  h->finals = gc_ref(gc->base, block).w;
  h->final_capacity = capacity;
  return true;
}

bool gc_add_final(Gc *gc, Ref object) {
  Heap *h = gc->heap;
  if (h->final_count == h->final_capacity && !grow_list(gc)) return false;
  uint64_t word = (uint64_t)h->finals + 1 + h->final_count++;
  gc_store(gc->base, word, (uint64_t)VALUE_REF_HIGH << 48 | object.w);
  return true;
}

void gc_each_final(Gc *gc, void (*fn)(void *ctx, Ref object), void *ctx) {
  for (uint32_t i = 0; i < gc->heap->final_count; i++)
    fn(ctx, (Ref){(uint32_t)entries(gc)[i]});
}

void final_mark_list(Gc *gc) {
  if (gc->heap->finals && !PLANTED(FINALS_FORGOTTEN)) gc_mark_ref(gc, (Ref){gc->heap->finals});
  for (uint32_t i = 0, n = snapshot_finals(gc); i < n; i++) gc_mark_value(gc, entries(gc)[i]);
}

static void revive(void *ctx, Ref object) { gc_revive(ctx, object); }

void final_revive(Gc *gc) { gc_each_final(gc, revive, gc); }

void final_report(Gc *gc, Finals which) {
  Heap *h = gc->heap;
  const uint64_t *marks = gc->marker.final ? gc->next : gc->marks;
  uint32_t from = which == FINALS_YOUNG ? h->final_old : 0;
  if (which == FINALS_DEAD && from < snapshot_finals(gc)) from = snapshot_finals(gc);
  uint32_t kept = from;
  uint64_t first = (uint64_t)h->finals + 1;
  for (uint32_t i = from; i < h->final_count; i++) {
    Value v = ((Value *)gc->base)[first + i];
    Ref object = {(uint32_t)v};
    if (which != FINALS_ALL && bits_test(marks, object.w)) {
      if (kept != i) gc_store(gc->base, first + kept, v);
      kept++;
    } else if (gc->config.finalize) {
      gc->config.finalize(gc, gc->config.embedder, object);
    }
  }
  for (uint32_t i = kept; i < h->final_count; i++) gc_store(gc->base, first + i, 0);
  h->final_count = h->final_old = kept;
}
