/* ops_loop.c - slow paths of for loops: everything but small ints and plain lists.
 *
 * State in R[A..A+2]: the container; a raw position; a map's version (raw), so that adding or
 * removing keys meanwhile is noticed. Loops over ints that are not inline: R[A] is a Range of what
 * is left, R[A+1] = 0. */
#include "call.h"
#include "fiber.h"
#include "list.h"
#include "map.h"
#include "number.h"
#include "ops.h"
#include "range.h"

enum { MAX_ITER_STEPS = 16 };

static bool jump_past(ox_VM *vm, bool jump) { /* over the displacement, or by it */
  int64_t by = jump ? (int64_t)(int32_t)vm_pc(vm)[0] : 0;
  vm->st->pc += 1 + by;
  return true;
}

/* ---- counting loops ---- */

static bool wide_turn(ox_VM *vm, unsigned at, int64_t next, int64_t last) {
  Value i = num_from_int(vm, next), end = i == V_ERROR ? V_ERROR : num_from_int(vm, last);
  if (end == V_ERROR) return false;
  Value left = range_new(vm, i, end, true);
  if (left == V_ERROR) return false;
  Value *R = vm_regs(vm);
  R[at] = left;
  R[at + 1] = 0;
  R[at + 2] = i;
  return true;
}

bool slow_forprep(ox_VM *vm, uint32_t ins) {
  unsigned at = INS_A(ins);
  Value from = vm_regs(vm)[at], to = vm_regs(vm)[at + 1];
  if (!num_is_int(from) || !num_is_int(to)) {
    vm_throw(vm, ERR_TYPE, "the ends of a range must be ints, not %s and %s%s",
             vm_type_name(vm, from), vm_type_name(vm, to),
             v_is_string(from) ? " (+ joins strings)" : "");
    return false;
  }
  int64_t first = num_int(vm, from), last = num_int(vm, to);
  bool empty = INS_B(ins) ? first > last : first >= last;
  if (empty) return jump_past(vm, true);
  return wide_turn(vm, at, first, last - !INS_B(ins)) && jump_past(vm, false);
}

bool slow_forloop(ox_VM *vm, uint32_t ins) {
  unsigned at = INS_A(ins);
  Range *left = (Range *)vm_deref(vm, vm_regs(vm)[at]);
  int64_t i = num_int(vm, left->start), last = num_int(vm, left->end);
  if (i == last) return jump_past(vm, false);
  if (--vm->st->fuel == 0 && !vm_refuel(vm)) return false;
  return wide_turn(vm, at, i + 1, last) && jump_past(vm, true);
}

/* ---- iteration ---- */

static bool begin(ox_VM *vm, uint32_t ins, Value v) {
  Value *state = vm_regs(vm) + INS_A(ins);
  if (!v_is_ref(v)) v = V_NIL;
  Kind k = v == V_NIL ? KIND_COUNT : v_kind(v);
  if (k != KIND_LIST && k != KIND_MAP && k != KIND_SET && k != KIND_RANGE && k != KIND_FIBER)
    return false;
  state[0] = v;
  state[1] = 0;
  state[2] = k == KIND_MAP || k == KIND_SET ? as_map(vm, v)->version : 0;
  return true;
}

static bool iterate(ox_VM *vm, uint32_t ins, Value v) {
  if (begin(vm, ins, v)) return true;
  if (v_is_string(v)) {
    vm_throw(vm, ERR_TYPE, "cannot iterate over a string: use .chars(), .bytes() or .lines()");
    return false;
  }
  Value method = vm_find_method(vm, v, vm->st->op_names[OPM_ITER]);
  if (method == V_ABSENT && error_pending(vm)) return false;
  if (method != V_ABSENT) return call_above(vm, method, 1, &v, link_here(vm, 0, 0, RET_ITER));
  vm_throw(vm, ERR_TYPE, "cannot iterate over %s%s", vm_type_name(vm, v),
           num_is_int(v) ? ": 0..n counts up to n" : "");
  return false;
}

/* While `iter` methods run, R[A+1] counts them: one may give an object that has an `iter` again. */
bool slow_iter(ox_VM *vm, uint32_t ins) {
  Value iterable = vm_regs(vm)[INS_B(ins)];
  vm_regs(vm)[INS_A(ins) + 1] = 0;
  return iterate(vm, ins, iterable);
}

bool ops_iter_result(ox_VM *vm, Value iterable) {
  uint32_t ins = vm_pc(vm)[-1];
  if (++vm_regs(vm)[INS_A(ins) + 1] <= MAX_ITER_STEPS) return iterate(vm, ins, iterable);
  vm_throw(vm, ERR_TYPE,
           "cannot iterate over %s: `iter` must give a list, range, map, set or fiber",
           vm_type_name(vm, iterable));
  return false;
}

bool ops_for_values(ox_VM *vm, uint32_t ins, Value item) {
  Value *to = vm_regs(vm) + INS_A(ins) + 3;
  if (INS_B(ins) == 1) {
    to[0] = item;
    return true;
  }
  if (v_is(item, KIND_LIST) && list_len(vm, item) == 2) {
    to[0] = list_get(vm, item, 0);
    to[1] = list_get(vm, item, 1);
    return true;
  }
  if (v_is(item, KIND_LIST))
    vm_throw(vm, ERR_MATCH, "a list of %llu elements does not fit two loop variables",
             (unsigned long long)list_len(vm, item));
  else
    vm_throw(vm, ERR_TYPE, "two loop variables want lists of two, not %s", vm_type_name(vm, item));
  return false;
}

/* Puts the next of the builtin container into the variables; 1, 0: at the end, -1: error
 * pending. */
static int next_entry(ox_VM *vm, uint32_t ins, Value *state) {
  Map *m = as_map(vm, state[0]);
  if (m->version != (uint32_t)state[2]) {
    vm_throw(vm, ERR_VALUE, "the %s gained or lost keys while a loop runs over it",
             vm_type_name(vm, state[0]));
    return -1;
  }
  uint32_t i = (uint32_t)state[1];
  Value key, value;
  if (!map_next(vm, m, &i, &key, &value)) return 0;
  state[1] = i;
  if (INS_B(ins) == 1 || v_is(state[0], KIND_SET)) return ops_for_values(vm, ins, key) ? 1 : -1;
  state[3] = key;
  state[4] = value;
  return 1;
}

static int next_of_range(ox_VM *vm, uint32_t ins, Value *state) {
  uint64_t n, i = state[1];
  if (!range_length(vm, state[0], &n)) n = UINT64_MAX;
  if (i >= n) return 0;
  state[1] = i + 1;
  int64_t start = num_int(vm, ((Range *)vm_deref(vm, state[0]))->start);
  Value v = num_from_int(vm, (int64_t)((uint64_t)start + i));
  return v != V_ERROR && ops_for_values(vm, ins, v) ? 1 : -1;
}

static int next_of_list(ox_VM *vm, uint32_t ins, Value *state) {
  uint64_t i = state[1];
  if (i >= list_len(vm, state[0])) return 0;
  state[1] = i + 1;
  return ops_for_values(vm, ins, list_get(vm, state[0], i)) ? 1 : -1;
}

bool slow_fornext(ox_VM *vm, uint32_t ins) {
  Value *state = vm_regs(vm) + INS_A(ins);
  if (--vm->st->fuel == 0 && !vm_refuel(vm)) return false;
  int more = -1;
  switch (v_is_ref(state[0]) ? v_kind(state[0]) : KIND_COUNT) {
    case KIND_LIST: more = next_of_list(vm, ins, state); break;
    case KIND_RANGE: more = next_of_range(vm, ins, state); break;
    case KIND_FIBER:
      return fiber_resume(vm, state[0], V_NIL, V_ABSENT, link_here(vm, 1, 0, RET_NEXT));
    case KIND_MAP:
    case KIND_SET: more = next_entry(vm, ins, state); break;
    default: vm_throw(vm, ERR_SYSTEM, "damaged code: a loop over nothing"); break;
  }
  return more >= 0 && jump_past(vm, more > 0);
}
