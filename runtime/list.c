/* list.c - growable arrays of values.
 *
 * A List points at a Store whose words past `len` are nil, so that the collector may scan all of it
 * and a shrunk list keeps nothing alive. A full store is first extended where it lies (gc_extend);
 * only if that fails it is copied to a new one, and the old one is given back at once. Growth is by
 * half of the present capacity, by all of it while the list is small. */
#include "list.h"

#include "map.h"
#include "number.h"
#include "range.h"

enum { LIST_FIRST = 4, LIST_DOUBLE_BELOW = 1024 };
#define LIST_MAX ((uint64_t)1 << 31) /* items: a store counts its words in 32 bits */

static bool list_too_long(ox_VM *vm) {
  vm_throw(vm, ERR_LIMIT, "list too long: more than %llu items", (unsigned long long)LIST_MAX);
  return false;
}

static inline uint64_t list_cap(ox_VM *vm, List *l) {
  return l->h.aux ? list_store(vm, l)->h.aux : 0;
}

static void fill_nil(Value *items, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i < to; i++) items[i] = V_NIL;
}

/* A store for `cap` items, larger where its block has room; only the first `kept` words of it are
 * left for the caller to fill. Unrooted. */
static Store *store_alloc(ox_VM *vm, uint64_t cap, uint64_t kept) {
  Store *s = vm_alloc(vm, 1 + cap, KIND_STORE, LAYOUT_WIDE, 0, (uint32_t)cap);
  if (!s) return NULL;
  uint64_t room = gc_block_words(vm->gc, s) - 1;
  if (room > cap && room <= LIST_MAX) s->h.aux = (uint32_t)room;
  fill_nil(s->items, kept, s->h.aux);
  return s;
}

/* Makes the present store longer without moving it. */
static bool store_extend(ox_VM *vm, Store *s, uint64_t cap) {
  if (!gc_extend(vm->gc, s, 1 + cap)) return false;
  uint64_t old = s->h.aux;
  gc_touch(vm->cage, gc_word(vm->cage, s));
  gc_touch_range(vm->cage, gc_word(vm->cage, s->items) + old, cap - old);
  fill_nil(s->items, old, cap);
  s->h.aux = (uint32_t)cap;
  return true;
}

static void list_set_store(ox_VM *vm, List *l, Store *s) {
  gc_touch(vm->cage, gc_word(vm->cage, l));
  l->h.aux = gc_ref(vm->cage, s).w;
}

static inline void list_set_len(ox_VM *vm, List *l, uint64_t len) {
  gc_touch(vm->cage, gc_word(vm->cage, &l->len));
  l->len = len;
}

bool list_reserve(ox_VM *vm, Value v, uint64_t cap) {
  List *l = as_list(vm, v);
  if (cap <= list_cap(vm, l)) return true;
  if (cap > LIST_MAX) return list_too_long(vm);
  if (l->h.aux && store_extend(vm, list_store(vm, l), cap)) return true;
  Store *fresh = store_alloc(vm, cap, l->len);
  if (!fresh) return false;
  if (l->h.aux) {
    Store *old = list_store(vm, l);
    memcpy(fresh->items, old->items, l->len * sizeof(Value));
    list_set_store(vm, l, fresh);
    gc_release(vm->gc, old);
  } else {
    list_set_store(vm, l, fresh);
  }
  return true;
}

/* Room for `extra` more items than there are, growing by a factor. */
static bool list_grow(ox_VM *vm, Value v, uint64_t extra) {
  List *l = as_list(vm, v);
  uint64_t cap = list_cap(vm, l), need;
  if (__builtin_add_overflow(l->len, extra, &need) || need > LIST_MAX) return list_too_long(vm);
  if (need <= cap) return true;
  uint64_t next = cap < LIST_DOUBLE_BELOW ? cap * 2 : cap + cap / 2;
  if (next < LIST_FIRST) next = LIST_FIRST;
  if (next < need) next = need;
  return list_reserve(vm, v, next > LIST_MAX ? LIST_MAX : next);
}

Value list_new(ox_VM *vm, uint64_t cap) {
  List *l = vm_alloc(vm, 2, KIND_LIST, LAYOUT_VALUES | LAYOUT_AUX_REF, 0, 0);
  if (!l) return V_ERROR;
  l->len = 0;
  Value v = v_from_ptr(vm->cage, KIND_LIST, l);
  if (!vm_root(vm, v)) return V_ERROR;
  return cap == 0 || list_reserve(vm, v, cap) ? v : V_ERROR;
}

/* Copies items to the end of a list that has room for them. */
static void list_append(ox_VM *vm, Value v, const Value *items, uint64_t n) {
  if (n == 0) return;
  vm_charge(vm, n * sizeof(Value));
  List *l = as_list(vm, v);
  Value *to = list_store(vm, l)->items + l->len;
  gc_touch_range(vm->cage, gc_word(vm->cage, to), n);
  memmove(to, items, n * sizeof(Value));
  list_set_len(vm, l, l->len + n);
}

Value list_from(ox_VM *vm, const Value *items, uint64_t n) {
  Value v = list_new(vm, n);
  if (v != V_ERROR) list_append(vm, v, items, n);
  return v;
}

void list_set(ox_VM *vm, Value l, uint64_t i, Value v) {
  gc_store(vm->cage, gc_word(vm->cage, &list_store(vm, as_list(vm, l))->items[i]), v);
}

bool list_push(ox_VM *vm, Value v, Value item) {
  List *l = as_list(vm, v);
  uint64_t n = l->len;
  if (n == list_cap(vm, l) && !list_grow(vm, v, 1)) return false;
  gc_store(vm->cage, gc_word(vm->cage, &list_store(vm, l)->items[n]), item);
  list_set_len(vm, l, n + 1);
  return true;
}

bool list_insert(ox_VM *vm, Value v, uint64_t i, Value item) {
  if (!list_push(vm, v, item)) return false;
  List *l = as_list(vm, v);
  Value *items = list_store(vm, l)->items;
  uint64_t n = l->len;
  vm_charge(vm, (n - i) * sizeof(Value));
  gc_touch_range(vm->cage, gc_word(vm->cage, items + i), n - i);
  memmove(items + i + 1, items + i, (n - 1 - i) * sizeof(Value));
  vm_charge(vm, (n - i) * sizeof(Value));
  items[i] = item;
  return true;
}

Value list_remove(ox_VM *vm, Value v, uint64_t i) {
  List *l = as_list(vm, v);
  Value *items = list_store(vm, l)->items, gone = items[i];
  uint64_t n = l->len;
  if (!vm_root(vm, gone)) return V_ERROR;
  vm_charge(vm, (n - i) * sizeof(Value));
  gc_touch_range(vm->cage, gc_word(vm->cage, items + i), n - i);
  memmove(items + i, items + i + 1, (n - 1 - i) * sizeof(Value));
  vm_charge(vm, (n - i) * sizeof(Value));
  items[n - 1] = V_NIL;
  list_set_len(vm, l, n - 1);
  return gone;
}

void list_truncate(ox_VM *vm, Value v, uint64_t n) {
  List *l = as_list(vm, v);
  if (n >= l->len) return;
  Value *items = list_store(vm, l)->items;
  gc_touch_range(vm->cage, gc_word(vm->cage, items + n), l->len - n);
  fill_nil(items, n, l->len);
  vm_charge(vm, (l->len - n) * sizeof(Value));
  list_set_len(vm, l, n);
}

static bool list_extend_list(ox_VM *vm, Value l, Value from) {
  uint64_t n = list_len(vm, from);
  if (n == 0) return true;
  if (!list_grow(vm, l, n)) return false;
  list_append(vm, l, list_store(vm, as_list(vm, from))->items, n); /* l may be from itself */
  return true;
}

static bool list_extend_keys(ox_VM *vm, Value l, Value map) {
  Map *m = as_map(vm, map);
  Value key, value;
  if (!list_grow(vm, l, m->live)) return false;
  vm_charge(vm, m->used * 2 * sizeof(Value));
  for (uint32_t i = 0; map_next(vm, m, &i, &key, &value);)
    list_append(vm, l, &key, 1);
  return true;
}

static bool list_extend_range(ox_VM *vm, Value l, Value range) {
  Range *r = vm_deref(vm, range);
  uint64_t n;
  int64_t start = num_int(vm, r->start);
  if (!range_length(vm, range, &n)) return list_too_long(vm);
  if (!list_grow(vm, l, n)) return false;
  for (uint64_t i = 0; i < n; i++) {
    uint32_t mark = vm_roots_mark(vm);
    Value item = num_from_int(vm, (int64_t)((uint64_t)start + i));
    if (item == V_ERROR) return false;
    list_append(vm, l, &item, 1);
    vm_roots_reset(vm, mark);
    if (i % 1024 == 1023 && !vm_poll(vm, 1024)) return false;
  }
  return true;
}

bool list_extend(ox_VM *vm, Value l, Value from) {
  if (v_is(from, KIND_LIST)) return list_extend_list(vm, l, from);
  if (v_is(from, KIND_RANGE)) return list_extend_range(vm, l, from);
  if (v_is(from, KIND_MAP) || v_is(from, KIND_SET)) return list_extend_keys(vm, l, from);
  vm_throw(vm, ERR_TYPE, "cannot extend a list by %s: expected a list, range, map or set",
           vm_type_name(vm, from));
  return false;
}

Value list_slice(ox_VM *vm, Value l, uint64_t from, uint64_t to) {
  if (from >= to) return list_new(vm, 0);
  Value out = list_new(vm, to - from);
  if (out == V_ERROR) return V_ERROR;
  list_append(vm, out, list_store(vm, as_list(vm, l))->items + from, to - from);
  return out;
}

Value list_concat(ox_VM *vm, Value a, Value b) {
  Value out = list_new(vm, list_len(vm, a) + list_len(vm, b));
  if (out == V_ERROR || !list_extend_list(vm, out, a) || !list_extend_list(vm, out, b))
    return V_ERROR;
  return out;
}
