/* map.h - insertion-ordered maps and sets. */
#ifndef OX_RUNTIME_MAP_H
#define OX_RUNTIME_MAP_H

#include "vm.h"

Value map_new(ox_VM *vm, uint64_t cap);           /* rooted */
Value set_new(ox_VM *vm, uint64_t cap);           /* kind SET; values are true */
static inline Map *as_map(ox_VM *vm, Value v) { return (Map *)vm_deref(vm, v); }
/* The value under key, V_ABSENT if none or (with an error pending) if the key cannot be hashed. */
Value map_get(ox_VM *vm, Value map, Value key);
/* Fast: key is an interned string. Never fails: V_ABSENT if there is none. */
Value map_get_str(ox_VM *vm, Map *m, Value key);
bool map_set(ox_VM *vm, Value map, Value key, Value value);  /* false: error pending (OOM, unhashable) */
Value map_remove(ox_VM *vm, Value map, Value key);           /* its value, V_ABSENT like map_get */
void map_clear(ox_VM *vm, Value map);
Value map_copy(ox_VM *vm, Value map);                        /* rooted */
/* A map with n string keys (interned, distinct) and values: literals. Rooted. */
Value map_from_names(ox_VM *vm, Value names_list, const Value *values, uint32_t n);
/* Entry index of key or UINT32_MAX; entries: keys at items[2 i], values at items[2 i + 1]. */
uint32_t map_find(ox_VM *vm, Value map, Value key);
uint32_t map_find_str(ox_VM *vm, Map *m, Value key);
/* Entries [0, n) are gone, of `used`: the value of the first one says how many, so that whoever
 * takes the oldest again and again need not pass them all each time. */
static inline uint64_t map_gone(const Value *items, uint64_t used) {
  if (!used || items[0] != V_ABSENT || !v_is_int(items[1])) return 0;
  return (uint64_t)v_int(items[1]) < used ? (uint64_t)v_int(items[1]) : used;
}

static inline Value *map_entries(ox_VM *vm, Map *m) {
  return ((Store *)gc_ptr(vm->cage, (Ref){m->h.aux}))->items; /* only if used > 0 */
}
/* For the handlers of the interpreter: these neither allocate nor throw nor call methods. An entry
 * index, MAP_NO_KEY, or MAP_ASK where the key is not an int or a short string: ask map_find. */
enum { MAP_NO_KEY = -1, MAP_ASK = -2 };
int32_t map_find_quick(ox_VM *vm, Map *m, Value key);
/* False: nothing was done, map_set has to do it. */
bool map_set_quick(ox_VM *vm, Map *m, Value key, Value value);
/* Iteration: *i starts at 0; false at the end. */
bool map_next(ox_VM *vm, Map *m, uint32_t *i, Value *key, Value *value);

/* After a copy: keys that are hashed by identity have moved. False: out of memory. */
bool map_rehash_moved(ox_VM *vm, Value map);

#endif
