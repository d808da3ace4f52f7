/* range.c - methods of ranges. */
#include "../range.h"

#include "../compare.h"
#include "../list.h"
#include "../number.h"
#include "lib.h"
#include "registry.h"

static Range *range_self(ox_VM *vm, Value v) {
  return arg_kind(vm, v, KIND_RANGE, "self") ? vm_deref(vm, v) : NULL;
}

static Value range_m_len(ox_VM *vm, Value *args, int nargs) {
  uint64_t n;
  (void)nargs;
  if (!range_self(vm, args[0])) return V_ERROR;
  if (range_length(vm, args[0], &n) && n <= INT64_MAX) return num_from_int(vm, (int64_t)n);
  return vm_throw(vm, ERR_OVERFLOW, "integer overflow: the range has too many ints to count");
}

static Value range_m_is_inclusive(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Range *r = range_self(vm, args[0]);
  return r ? v_from_bool(r->h.aux != 0) : V_ERROR;
}

static Value range_m_contains(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!range_self(vm, args[0])) return V_ERROR;
  int r = value_in(vm, args[1], args[0]);
  return r < 0 ? V_ERROR : v_from_bool(r);
}

static Value range_m_list(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!range_self(vm, args[0])) return V_ERROR;
  Value out = list_new(vm, 0);
  return out != V_ERROR && list_extend(vm, out, args[0]) ? out : V_ERROR;
}

static const NativeDef method_defs[] = {
    NATIVE("len", range_m_len, "len(self) -> int", "How many ints it has; throws beyond 64 bits."),
    NATIVE("is_inclusive", range_m_is_inclusive, "is_inclusive(self) -> bool",
           "Whether it was written `..=`."),
    NATIVE("contains", range_m_contains, "contains(self, x) -> bool",
           "Whether x is one of its ints, as `x in range`."),
    NATIVE("list", range_m_list, "list(self) -> list", "Its ints as a list."),
    NATIVE_SCRIPT("map", "map", "map(self, f) -> list", "f(i) for each int."),
    NATIVE_SCRIPT("filter", "filter", "filter(self, f) -> list",
                  "The ints for which f(i) is true."),
    NATIVE_SCRIPT("reduce", "reduce", "reduce(self, f, init = first)",
                  "f(f(f(init, i0), i1), i2) and so on; without init it starts with the first int, "
                  "and throws if there is none."),
    NATIVE_SCRIPT("each", "each", "each(self, f)", "Calls f(i) for each int; gives nil."),
};

const ModuleDef methods_range = {"range",
                                "Methods of ranges; the fields `start` and `end` are its bounds.",
                                method_defs, LIB_COUNT(method_defs), KIND_RANGE, NULL};
