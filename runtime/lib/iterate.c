/* iterate.c - see iterate.h. */
#include "iterate.h"

#include "../fiber.h"
#include "../list.h"
#include "../map.h"
#include "../number.h"
#include "../range.h"

enum { MAX_ITER_STEPS = 16, POLL_EVERY = 1024 };

static bool not_iterable(ox_VM *vm, Value v, const char *what) {
  if (v_is_string(v))
    vm_throw(vm, ERR_TYPE, "%s must be iterable, not string: use .chars() or .bytes()", what);
  else
    vm_throw(vm, ERR_TYPE, "%s must be iterable, not %s", what, vm_type_name(vm, v));
  return false;
}

static bool is_iterable(Value v) {
  return v_is(v, KIND_LIST) || v_is(v, KIND_RANGE) || v_is(v, KIND_MAP) || v_is(v, KIND_SET) ||
         v_is(v, KIND_FIBER);
}

bool iter_open(Iter *it, ox_VM *vm, Value v, const char *what) {
  for (int step = 0; !is_iterable(v); step++) {
    Value made = step < MAX_ITER_STEPS ? vm_call_op(vm, v, OPM_ITER, 0, NULL) : V_ABSENT;
    if (made == V_ABSENT) return !error_pending(vm) && not_iterable(vm, v, what);
    v = made;
  }
  *it = (Iter){vm, v, 0, 0, 0};
  if (v_is(v, KIND_RANGE)) {
    it->next = num_int(vm, ((Range *)vm_deref(vm, v))->start);
    if (!range_length(vm, v, &it->i)) it->i = UINT64_MAX;
  } else if (v_is(v, KIND_MAP) || v_is(v, KIND_SET)) {
    it->version = as_map(vm, v)->version;
  }
  return vm_root(vm, v);
}

uint64_t iter_count(Iter *it) {
  if (v_is(it->over, KIND_LIST)) return list_len(it->vm, it->over) - it->i;
  if (v_is(it->over, KIND_RANGE)) return it->i;
  if (v_is(it->over, KIND_FIBER)) return 0;
  return as_map(it->vm, it->over)->live;
}

static int next_of_range(Iter *it, Value *out) {
  if (it->i == 0) return 0;
  it->i--;
  *out = num_from_int(it->vm, it->next);
  it->next = (int64_t)((uint64_t)it->next + 1);
  return *out == V_ERROR ? -1 : 1;
}

static int next_of_map(Iter *it, Value *out) {
  Map *m = as_map(it->vm, it->over);
  uint32_t i = (uint32_t)it->i;
  Value value;
  if (m->version != it->version) {
    vm_throw(it->vm, ERR_VALUE, "the %s was changed while it was iterated",
             v_is(it->over, KIND_MAP) ? "map" : "set");
    return -1;
  }
  bool more = map_next(it->vm, m, &i, out, &value);
  it->i = i;
  return more;
}

static int next_of_fiber(Iter *it, Value *out) {
  bool done = false;
  *out = fiber_step(it->vm, it->over, V_NIL, &done);
  return *out == V_ERROR ? -1 : !done;
}

int iter_next(Iter *it, Value *out) {
  if (v_is(it->over, KIND_LIST)) {
    if (it->i >= list_len(it->vm, it->over)) return 0;
    *out = list_get(it->vm, it->over, it->i++);
    return 1;
  }
  if (v_is(it->over, KIND_RANGE)) return next_of_range(it, out);
  return v_is(it->over, KIND_FIBER) ? next_of_fiber(it, out) : next_of_map(it, out);
}

Value list_from_iterable(ox_VM *vm, Value iterable, const char *what) {
  Iter it;
  Value item, out = list_new(vm, 0);
  if (out == V_ERROR || !iter_open(&it, vm, iterable, what)) return V_ERROR;
  if (!v_is(it.over, KIND_FIBER)) return list_extend(vm, out, it.over) ? out : V_ERROR;
  uint32_t mark = vm_roots_mark(vm);
  int more;
  for (uint64_t n = 1; (more = iter_next(&it, &item)) > 0; n++) {
    if (!list_push(vm, out, item)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (n % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return more < 0 ? V_ERROR : out;
}
