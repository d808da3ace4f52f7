#include "compilation.h"

static void *comp_check(Compilation *comp, void *memory) {
  if (comp->arena->oom) longjmp(comp->bail, 1);
  return memory;
}

void *comp_alloc(Compilation *comp, size_t size) {
  return comp_check(comp, arena_alloc(comp->arena, size));
}

void *comp_array(Compilation *comp, size_t count, size_t item_size) {
  return comp_check(comp, arena_array(comp->arena, count, item_size));
}

void *comp_grow(Compilation *comp, void *items, size_t count, size_t *capacity,
                size_t item_size) {
  if (count < *capacity) return items;
  return comp_check(comp, arena_grow(comp->arena, items, capacity, count + 1, item_size));
}
