/* list.h - lists. Indices are checked by the callers unless said otherwise. */
#ifndef OX_RUNTIME_LIST_H
#define OX_RUNTIME_LIST_H

#include "vm.h"

Value list_new(ox_VM *vm, uint64_t cap);                          /* empty; rooted */
Value list_from(ox_VM *vm, const Value *items, uint64_t n); /* items must be reachable; rooted */
static inline List *as_list(ox_VM *vm, Value v) { return (List *)vm_deref(vm, v); }
static inline Store *list_store(ox_VM *vm, List *l) {
  return (Store *)gc_ptr(vm->cage, (Ref){l->h.aux});
}
static inline Value list_get(ox_VM *vm, Value l, uint64_t i) {
  return list_store(vm, as_list(vm, l))->items[i];
}
static inline uint64_t list_len(ox_VM *vm, Value l) { return as_list(vm, l)->len; }
void list_set(ox_VM *vm, Value l, uint64_t i, Value v);
bool list_push(ox_VM *vm, Value l, Value v);                      /* false: OOM pending */
bool list_reserve(ox_VM *vm, Value l, uint64_t cap);
bool list_insert(ox_VM *vm, Value l, uint64_t i, Value v);
Value list_remove(ox_VM *vm, Value l, uint64_t i);                /* rooted */
void list_truncate(ox_VM *vm, Value l, uint64_t n);
bool list_extend(ox_VM *vm, Value l, Value iterable); /* list, range, set, map keys; else throws */
Value list_slice(ox_VM *vm, Value l, uint64_t from, uint64_t to); /* rooted */
Value list_concat(ox_VM *vm, Value a, Value b);                   /* rooted */

#endif
