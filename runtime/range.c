/* range.c - ranges of ints. */
#include "range.h"

#include "number.h"

Value range_new(ox_VM *vm, Value start, Value end, bool inclusive) {
  Range *r = vm_alloc(vm, 3, KIND_RANGE, LAYOUT_VALUES, 2, inclusive);
  if (!r) return V_ERROR;
  r->start = start;
  r->end = end;
  Value v = v_from_ptr(vm->cage, KIND_RANGE, r);
  return vm_root(vm, v) ? v : V_ERROR;
}

bool range_length(ox_VM *vm, Value range, uint64_t *n) {
  Range *r = vm_deref(vm, range);
  int64_t start = num_int(vm, r->start), end = num_int(vm, r->end);
  *n = 0;
  if (start > end || (start == end && !r->h.aux)) return true;
  uint64_t span = (uint64_t)end - (uint64_t)start;
  *n = span + (r->h.aux != 0);
  return *n >= span;
}

bool range_equal(ox_VM *vm, Value a, Value b) {
  Range *x = vm_deref(vm, a), *y = vm_deref(vm, b);
  return x->h.aux == y->h.aux && num_int(vm, x->start) == num_int(vm, y->start) &&
         num_int(vm, x->end) == num_int(vm, y->end);
}

bool range_has(ox_VM *vm, Value range, int64_t x) {
  Range *r = vm_deref(vm, range);
  int64_t end = num_int(vm, r->end);
  return x >= num_int(vm, r->start) && (x < end || (r->h.aux && x == end));
}
