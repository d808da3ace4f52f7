/* helpers.c - what prelude.oxb needs from C: sorting by value, moving parts of lists at once. */
#include "../list.h"
#include "../output.h"
#include "../str.h"
#include "lib.h"
#include "registry.h"
#include "../task.h"
#include "sort.h"

#include <string.h>

static Value *items_of(ox_VM *vm, Value list) { return list_store(vm, as_list(vm, list))->items; }

static Value sort_values(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return arg_kind(vm, args[0], KIND_LIST, "self") && sort_list(vm, args[0]) ? V_NIL : V_ERROR;
}

static bool two_lists(ox_VM *vm, Value a, Value b) {
  return arg_kind(vm, a, KIND_LIST, "self") && arg_kind(vm, b, KIND_LIST, "list");
}

static Value sort_by(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return two_lists(vm, args[0], args[1]) && sort_list_by(vm, args[0], args[1]) ? V_NIL : V_ERROR;
}

static Value put_back(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return two_lists(vm, args[0], args[1]) && sort_put_back(vm, args[0], args[1]) ? V_NIL : V_ERROR;
}

/* Whether [from, from + n) lies in a list. */
static bool in_list(ox_VM *vm, Value list, uint64_t from, uint64_t n) {
  uint64_t len = list_len(vm, list);
  if (from <= len && n <= len - from) return true;
  vm_throw(vm, ERR_INDEX, "part of a list is out of range");
  return false;
}

static Value move_part(ox_VM *vm, Value *args, int nargs) {
  uint64_t to, from, n;
  (void)nargs;
  if (!two_lists(vm, args[0], args[2]) || !arg_index(vm, args[1], "to", &to) ||
      !arg_index(vm, args[3], "from", &from) || !arg_index(vm, args[4], "n", &n) ||
      !in_list(vm, args[0], to, n) || !in_list(vm, args[2], from, n))
    return V_ERROR;
  if (n == 0) return V_NIL;
  Value *at = items_of(vm, args[0]) + to;
  gc_touch_range(vm->cage, gc_word(vm->cage, at), n);
  memmove(at, items_of(vm, args[2]) + from, n * sizeof(Value));
  vm_charge(vm, n * sizeof(Value));
  return V_NIL;
}

static Value reverse_part(ox_VM *vm, Value *args, int nargs) {
  uint64_t from, to;
  (void)nargs;
  if (!arg_kind(vm, args[0], KIND_LIST, "self") || !arg_index(vm, args[1], "from", &from) ||
      !arg_index(vm, args[2], "to", &to) || to < from || !in_list(vm, args[0], from, to - from))
    return error_pending(vm) ? V_ERROR : V_NIL;
  if (to == from) return V_NIL;
  Value *low = items_of(vm, args[0]) + from, *high = low + (to - from) - 1;
  gc_touch_range(vm->cage, gc_word(vm->cage, low), to - from);
  vm_charge(vm, (to - from) * sizeof(Value));
  for (; low < high; low++, high--) {
    Value swap = *low;
    *low = *high;
    *high = swap;
  }
  return V_NIL;
}

static Value need_function(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value f = args[0];
  if (arg_is_callable(vm, f)) return V_NIL;
  if (error_pending(vm)) return V_ERROR;
  String *name = v_is_string(args[1]) ? string_flat(vm, args[1]) : NULL;
  return vm_throw(vm, ERR_TYPE, "%s needs a function, not %s", name ? name->chars : "this",
                  vm_type_name(vm, f));
}

/* What attempt may be told: a map with `hold_output`. */
static Value hold_option(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value v;
  if (!arg_option(vm, args[0], "attempt", "hold_output", "attempt(f, {hold_output: true})", &v))
    return V_ERROR;
  if (v == V_ABSENT) return V_FALSE;
  if (v == V_TRUE || v == V_FALSE) return v;
  return vm_throw(vm, ERR_TYPE, "attempt: hold_output must be true or false, not %s",
                  vm_type_name(vm, v));
}

static Value hold_output(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  output_hold(vm);
  return V_NIL;
}

static Value commit_output(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  return output_commit(vm) ? V_NIL : V_ERROR;
}

static const NativeDef defs[] = {
    NATIVE("need_function", need_function, "need_function(f, name)",
           "Throws, in the name of a function, if f cannot be called."),
    NATIVE("parallel_map", task_parallel_map, "parallel_map(xs, f, options = nil)",
           "For parallel_reduce."),
    NATIVE("hold_option", hold_option, "hold_option(options)",
           "Whether attempt's options want the output held back."),
    NATIVE("hold_output", hold_output, "hold_output()",
           "What is written from now on waits for commit_output."),
    NATIVE("commit_output", commit_output, "commit_output()",
           "Writes what was held back, unless an outer transaction holds it."),
    NATIVE("sort_values", sort_values, "sort_values(list)", "Sorts in place by value."),
    NATIVE("sort_by", sort_by, "sort_by(list, keys)",
           "Sorts in place by the keys at the same places."),
    NATIVE("put_back", put_back, "put_back(list, items)",
           "Replaces the elements by as many others; throws if it has another length by now."),
    NATIVE("move", move_part, "move(list, to, other, from, n)",
           "Copies n elements of another list from `from` on over those from `to` on."),
    NATIVE("reverse_part", reverse_part, "reverse_part(list, from, to)",
           "Turns the elements from..to round in place."),
};

const ModuleDef module_prelude = {"prelude", "Helpers of the functions that are written in Oxbow.",
                                  defs, LIB_COUNT(defs), -1, NULL};
