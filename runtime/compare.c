/* compare.c - equality, order, hashing and membership of any values.
 *
 * Deep equality walks with a stack of its own, kept among the VM's temporary roots (methods of
 * the program may run in between and drop what is being compared), so that neither deep nor
 * cyclic data reaches the C stack. Two containers are equal unless a difference is found, and
 * one difference settles the whole comparison: so a pair met before needs no second look,
 * whether it is still being compared (a cycle) or done (shared parts). Pairs are recorded only
 * after the first RECORD_AFTER, since small data need no such care. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "compare.h"

#include <stdlib.h>

#include "class.h"
#include "hash.h"
#include "list.h"
#include "map.h"
#include "number.h"
#include "range.h"
#include "str.h"

enum { RECORD_AFTER = 64, MAX_DEPTH = 1000000, POLL_EVERY = 1024 };

/* ---- a set of pairs of refs, outside the heap ------------------------------------------------ */

typedef struct PairSet {
  ox_VM *vm;
  uint64_t *slots; /* 0: free; no pair is 0, refs are not */
  uint64_t used, cap;
} PairSet;

static uint64_t *pair_slot(const PairSet *set, uint64_t pair) {
  uint64_t mask = set->cap - 1, i = pair * 0x9E3779B97F4A7C15ull >> 20 & mask;
  while (set->slots[i] != 0 && set->slots[i] != pair) i = (i + 1) & mask;
  return &set->slots[i];
}

static bool pairs_grow(PairSet *set) {
  PairSet old = *set;
  set->cap = old.cap ? old.cap * 2 : 256;
  set->slots = vm_malloc(set->vm, set->cap * sizeof *set->slots);
  if (!set->slots) {
    *set = old;
    return false;
  }
  memset(set->slots, 0, set->cap * sizeof *set->slots);
  for (uint64_t i = 0; i < old.cap; i++)
    if (old.slots[i]) *pair_slot(set, old.slots[i]) = old.slots[i];
  vm_release(old.slots);
  return true;
}

/* 1: was there, 0: added, -1: no memory. */
static int pairs_add(PairSet *set, uint64_t pair) {
  if (set->used * 2 >= set->cap && !pairs_grow(set)) return -1;
  uint64_t *slot = pair_slot(set, pair);
  if (*slot == pair) return 1;
  *slot = pair;
  set->used++;
  return 0;
}

/* ---- equality -------------------------------------------------------------------------------- */

/* Outcomes of one step: the first three are those of value_equal. */
enum { FAILED = -1, DIFFERENT = 0, SAME = 1, DEEP = 2, PAIR = 3, DONE = 4 };

static bool has_class(Value v) { return v_is(v, KIND_INSTANCE) || v_is(v, KIND_FOREIGN); }

static Class *instance_class(ox_VM *vm, Value v) {
  if (v_is(v, KIND_FOREIGN)) return as_class(vm, ((Foreign *)vm_deref(vm, v))->cls);
  return gc_ptr(vm->cage, (Ref){((Instance *)vm_deref(vm, v))->h.aux});
}

static int equal_instance(ox_VM *vm, Value a, Value b) {
  if (!(instance_class(vm, a)->flags & CLASS_HAS_EQ)) return a == b;
  Value r = vm_call_op(vm, a, OPM_EQ, 1, &b);
  return r == V_ERROR ? FAILED : !v_is_falsy(r);
}

static int equal_strings(ox_VM *vm, Value a, Value b) {
  if (!v_is_string(b)) return DIFFERENT;
  return string_equal(vm, a, b) ? SAME : error_pending(vm) ? FAILED : DIFFERENT;
}

/* One level; DEEP for two containers whose contents decide. */
static int equal_step(ox_VM *vm, Value a, Value b) {
  if (has_class(a)) return equal_instance(vm, a, b);
  if (num_is(a)) return num_is(b) && num_compare(vm, a, b) == 0;
  if (a == b) return SAME;
  if (!v_is_ref(a) || !v_is_ref(b)) return DIFFERENT;
  if (v_is_string(a)) return equal_strings(vm, a, b);
  if (v_kind(a) != v_kind(b)) return DIFFERENT;
  if (v_is(a, KIND_RANGE)) return range_equal(vm, a, b);
  if (v_is(a, KIND_LIST)) return list_len(vm, a) == list_len(vm, b) ? DEEP : DIFFERENT;
  if (v_is(a, KIND_MAP) || v_is(a, KIND_SET))
    return as_map(vm, a)->live == as_map(vm, b)->live ? DEEP : DIFFERENT;
  return DIFFERENT;
}

/* The walk's stack: frames of three roots (a, b, position in a) from `mark` up to `top`. */
typedef struct Walk {
  ox_VM *vm;
  uint32_t mark, top;
  uint64_t steps;
  PairSet seen;
} Walk;

/* SAME if the pair is now on the stack or needs no look. */
static int walk_push(Walk *w, Value a, Value b) {
  ox_VM *vm = w->vm;
  if (++w->steps > RECORD_AFTER) {
    int seen = pairs_add(&w->seen, (uint64_t)v_ref(a).w << 32 | v_ref(b).w);
    if (seen < 0) vm_throw_oom(vm);
    if (seen != 0) return seen;
  }
  if (w->top - w->mark > 3 * MAX_DEPTH) {
    vm_throw(vm, ERR_STACK, "stack overflow: data nested too deep to compare");
    return FAILED;
  }
  if (!vm_root(vm, a) || !vm_root(vm, b) || !vm_root(vm, v_from_int(0))) return FAILED;
  w->top += 3;
  return SAME;
}

/* The next two values to compare (PAIR), or DONE if the containers on top are equal. */
static int walk_next(Walk *w, Value *p, Value *q) {
  ox_VM *vm = w->vm;
  Value *frame = vm->roots + w->top - 3, a = frame[0], b = frame[1], key;
  uint32_t i = (uint32_t)v_int(frame[2]);
  if (v_is(a, KIND_LIST)) {
    if (list_len(vm, a) != list_len(vm, b)) return DIFFERENT;
    if (i >= list_len(vm, a)) return DONE;
    *p = list_get(vm, a, i);
    *q = list_get(vm, b, i);
    frame[2] = v_from_int((int64_t)i + 1);
    return PAIR;
  }
  if (!map_next(vm, as_map(vm, a), &i, &key, p)) return DONE;
  frame[2] = v_from_int(i);
  *q = map_get(vm, b, key);
  return *q != V_ABSENT ? PAIR : error_pending(vm) ? FAILED : DIFFERENT;
}

static int walk_run(Walk *w) {
  Value p = V_NIL, q = V_NIL;
  for (uint64_t n = 1; w->top > w->mark; n++) {
    if (n % POLL_EVERY == 0 && !vm_poll(w->vm, POLL_EVERY)) return FAILED;
    int r = walk_next(w, &p, &q);
    if (r == DONE) w->top -= 3;
    if (r == PAIR) r = equal_step(w->vm, p, q);
    vm_roots_reset(w->vm, w->top);
    if (r == DEEP) r = walk_push(w, p, q);
    if (r == FAILED || r == DIFFERENT) return r;
  }
  return SAME;
}

static int equal_deep(ox_VM *vm, Value a, Value b) {
  Walk w = {vm, vm_roots_mark(vm), vm_roots_mark(vm), 0, {.vm = vm}};
  int r = walk_push(&w, a, b);
  if (r == SAME) r = walk_run(&w);
  vm_release(w.seen.slots);
  vm_roots_reset(vm, w.mark);
  return r;
}

int value_equal(ox_VM *vm, Value a, Value b) {
  int r = equal_step(vm, a, b);
  return r == DEEP ? equal_deep(vm, a, b) : r;
}

/* ---- order ----------------------------------------------------------------------------------- */

enum { NO_ORDER = -3 };

static int no_order(ox_VM *vm, Value a, Value b) {
  char left[64];
  snprintf(left, sizeof left, "%s", vm_type_name(vm, a));
  vm_throw(vm, ERR_TYPE, "cannot order %s and %s", left, vm_type_name(vm, b));
  return NO_ORDER;
}

/* By the program's `<`, asked both ways round. */
static int compare_instances(ox_VM *vm, Value a, Value b) {
  Value less = vm_call_op(vm, a, OPM_LT, 1, &b);
  if (less == V_ABSENT) return error_pending(vm) ? NO_ORDER : no_order(vm, a, b);
  if (!v_is_falsy(less)) return -1;
  Value more = vm_has_op(vm, b, OPM_LT) ? vm_call_op(vm, b, OPM_LT, 1, &a) : V_FALSE;
  return more == V_ERROR ? NO_ORDER : v_is_falsy(more) ? 0 : 1;
}

/* The first elements that differ: true; false: none do, *order has the result (or NO_ORDER). */
static bool first_difference(ox_VM *vm, Value *a, Value *b, int *order) {
  for (uint64_t i = 0;; i++) {
    uint64_t na = list_len(vm, *a), nb = list_len(vm, *b);
    *order = (na > i) - (nb > i);
    if (i >= na || i >= nb) return false;
    Value p = list_get(vm, *a, i), q = list_get(vm, *b, i);
    int r = value_equal(vm, p, q);
    if (r == FAILED) *order = NO_ORDER;
    if (r == FAILED || (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY))) return false;
    if (r == SAME) continue;
    *a = p, *b = q;
    return true;
  }
}

int value_compare(ox_VM *vm, Value a, Value b) {
  int order;
  while (v_is(a, KIND_LIST) && v_is(b, KIND_LIST)) /* lists: by the first elements that differ */
    if (!first_difference(vm, &a, &b, &order)) return error_pending(vm) ? NO_ORDER : order;
  if (num_is(a) && num_is(b)) return num_compare(vm, a, b);
  if (has_class(a)) return compare_instances(vm, a, b);
  if (!v_is_string(a) || !v_is_string(b)) return no_order(vm, a, b);
  int c = string_compare(vm, a, b);
  return error_pending(vm) ? NO_ORDER : (c > 0) - (c < 0);
}

/* ---- hashing --------------------------------------------------------------------------------- */

static bool no_key(ox_VM *vm, const char *what) {
  vm_throw(vm, ERR_TYPE, "%s cannot be a map key%s", what,
           strcmp(what, "nan") == 0 ? "" : " (it may change; str(x) can)");
  return false;
}

static bool hash_instance(ox_VM *vm, Value v, uint32_t *out) {
  uint32_t flags = instance_class(vm, v)->flags;
  if (!(flags & (CLASS_HAS_EQ | CLASS_HAS_HASH))) {
    *out = hash_word(vm, v);
    return true;
  }
  if (!(flags & CLASS_HAS_HASH)) {
    vm_throw(vm, ERR_TYPE, "a %s cannot be a map key: its class has == but no hash",
             vm_type_name(vm, v));
    return false;
  }
  Value h = vm_call_op(vm, v, OPM_HASH, 0, NULL);
  if (h == V_ERROR) return false;
  if (num_is_int(h)) {
    *out = hash_int(vm, num_int(vm, h));
    return true;
  }
  vm_throw(vm, ERR_TYPE, "hash must give an int, not %s", vm_type_name(vm, h));
  return false;
}

static uint32_t hash_range(ox_VM *vm, Value v) {
  Range *r = vm_deref(vm, v);
  uint64_t mixed = (uint64_t)num_int(vm, r->start) * 31 + (uint64_t)num_int(vm, r->end);
  return hash_word(vm, mixed * 2 + r->h.aux);
}

bool value_hash(ox_VM *vm, Value v, uint32_t *out) {
  if (num_is(v)) {
    if (v_is_float(v) && v_float(v) != v_float(v)) return no_key(vm, "nan");
    *out = num_hash(vm, v);
  } else if (v_is_string(v)) {
    String *s = string_flat(vm, v);
    if (!s) return false;
    *out = string_hash(vm, s);
  } else if (v_is(v, KIND_RANGE)) {
    *out = hash_range(vm, v);
  } else if (has_class(v)) {
    return hash_instance(vm, v, out);
  } else if (v_is(v, KIND_LIST) || v_is(v, KIND_MAP) || v_is(v, KIND_SET)) {
    return no_key(vm, v_is(v, KIND_LIST) ? "a list" : v_is(v, KIND_MAP) ? "a map" : "a set");
  } else if (v == V_ABSENT) { /* a hole, to a map */
    return no_key(vm, "nothing");
  } else {
    *out = hash_word(vm, v);
  }
  return true;
}

/* ---- membership ------------------------------------------------------------------------------ */

static int in_list(ox_VM *vm, Value x, Value list) {
  for (uint64_t i = 0; i < list_len(vm, list); i++) {
    int r = value_equal(vm, list_get(vm, list, i), x);
    if (r != DIFFERENT) return r;
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY)) return FAILED;
  }
  return DIFFERENT;
}

static int in_range(ox_VM *vm, Value x, Value range) {
  if (num_is_int(x)) return range_has(vm, range, num_int(vm, x));
  if (!v_is_float(x)) return DIFFERENT;
  double d = v_float(x);
  bool whole = d >= -0x1p63 && d < 0x1p63 && d == (double)(int64_t)d;
  return whole && range_has(vm, range, (int64_t)d);
}

static int in_string(ox_VM *vm, Value x, Value text) {
  if (!v_is_string(x)) {
    vm_throw(vm, ERR_TYPE, "only a string can be in a string, not %s", vm_type_name(vm, x));
    return FAILED;
  }
  String *part = string_flat(vm, x), *whole = part ? string_flat(vm, text) : NULL;
  if (!whole) return FAILED;
  vm_charge(vm, whole->h.aux);
  return memmem(whole->chars, whole->h.aux, part->chars, part->h.aux) != NULL;
}

int value_in(ox_VM *vm, Value x, Value container) {
  if (v_is(container, KIND_LIST)) return in_list(vm, x, container);
  if (v_is(container, KIND_RANGE)) return in_range(vm, x, container);
  if (v_is_string(container)) return in_string(vm, x, container);
  if (v_is(container, KIND_MAP) || v_is(container, KIND_SET)) {
    if (map_find(vm, container, x) != UINT32_MAX) return SAME;
    return error_pending(vm) ? FAILED : DIFFERENT;
  }
  Value r = vm_call_op(vm, container, OPM_IN, 1, &x);
  if (r != V_ABSENT) return !v_is_falsy(r);
  if (!error_pending(vm))
    vm_throw(vm, ERR_TYPE, "cannot look for a value in %s", vm_type_name(vm, container));
  return FAILED;
}
