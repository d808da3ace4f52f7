/* set.c - the module `set` and the methods of sets. A set is a map whose values are all true. */
#include "../list.h"
#include "../map.h"
#include "../repr.h"
#include "iterate.h"
#include "lib.h"
#include "registry.h"

enum { POLL_EVERY = 1024 };

static bool is_set(ox_VM *vm, Value v) {
  return v_is(v, KIND_SET) || arg_kind(vm, v, KIND_SET, "self");
}

static bool set_add_all(ox_VM *vm, Value set, Value iterable, const char *what) {
  Iter it;
  Value item;
  if (!iter_open(&it, vm, iterable, what)) return false;
  uint32_t mark = vm_roots_mark(vm);
  int more;
  for (uint64_t n = 1; (more = iter_next(&it, &item)) > 0; n++) {
    if (v_is_ref(item) && !vm_root(vm, item)) return false;
    if (!map_set(vm, set, item, V_TRUE)) return false;
    vm_roots_reset(vm, mark);
    if (n % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return false;
  }
  return more == 0;
}

static Value set_make(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value over = args[0], out = set_new(vm, 0);
  if (out == V_ERROR || over == V_ABSENT) return out;
  return set_add_all(vm, out, over, "argument of set.new") ? out : V_ERROR;
}

/* Any iterable as a set, itself if it is one. */
static Value as_set(ox_VM *vm, Value v, const char *what) {
  if (v_is(v, KIND_SET)) return v;
  Value out = set_new(vm, 0);
  return out != V_ERROR && set_add_all(vm, out, v, what) ? out : V_ERROR;
}

/* ---- single elements ------------------------------------------------------------------------- */

static Value set_m_len(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_set(vm, args[0]) ? v_from_int(as_map(vm, args[0])->live) : V_ERROR;
}

static Value set_m_add(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_set(vm, args[0]) && map_set(vm, args[0], args[1], V_TRUE) ? V_NIL : V_ERROR;
}

static Value set_m_has(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_set(vm, args[0])) return V_ERROR;
  if (map_find(vm, args[0], args[1]) != UINT32_MAX) return V_TRUE;
  return error_pending(vm) ? V_ERROR : V_FALSE;
}

static Value set_m_remove(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value x = args[1];
  if (!is_set(vm, args[0])) return V_ERROR;
  if (map_remove(vm, args[0], x) != V_ABSENT) return V_NIL;
  if (error_pending(vm)) return V_ERROR;
  Value shown = value_repr(vm, x);
  String *s = shown == V_ERROR ? NULL : string_flat(vm, shown);
  return s ? vm_throw(vm, ERR_KEY, "remove: %.100s is not in the set", s->chars) : V_ERROR;
}

static Value set_m_clear(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_set(vm, args[0])) return V_ERROR;
  map_clear(vm, args[0]);
  return V_NIL;
}

static Value set_m_copy(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_set(vm, args[0]) ? map_copy(vm, args[0]) : V_ERROR;
}

static Value set_m_values(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_set(vm, args[0])) return V_ERROR;
  Value out = list_new(vm, 0);
  return out != V_ERROR && list_extend(vm, out, args[0]) ? out : V_ERROR;
}

/* ---- whole sets ------------------------------------------------------------------------------ */

static Value set_m_union(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value other = args[1];
  if (!is_set(vm, args[0])) return V_ERROR;
  Value out = map_copy(vm, args[0]);
  return out != V_ERROR && set_add_all(vm, out, other, "argument of union") ? out : V_ERROR;
}

/* The elements of `from` that are (wanted) or are not in `other`, in a new set. */
static Value set_select(ox_VM *vm, Value from, Value other, bool wanted) {
  Value out = set_new(vm, 0), key, value;
  uint32_t version = as_map(vm, from)->version;
  for (uint32_t i = 0; out != V_ERROR && map_next(vm, as_map(vm, from), &i, &key, &value);) {
    bool there = map_find(vm, other, key) != UINT32_MAX;
    if (error_pending(vm) || (there == wanted && !map_set(vm, out, key, V_TRUE))) return V_ERROR;
    if (as_map(vm, from)->version != version)
      return vm_throw(vm, ERR_VALUE, "the set was changed while it was iterated");
    if (i % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return out;
}

static Value set_m_intersect(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value self = args[0];
  if (!is_set(vm, self)) return V_ERROR;
  Value other = as_set(vm, args[1], "argument of intersect");
  return other == V_ERROR ? V_ERROR : set_select(vm, self, other, true);
}

static Value set_m_difference(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value self = args[0];
  if (!is_set(vm, self)) return V_ERROR;
  Value other = as_set(vm, args[1], "argument of difference");
  return other == V_ERROR ? V_ERROR : set_select(vm, self, other, false);
}

static Value set_m_is_subset(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value self = args[0], key, value;
  if (!is_set(vm, self)) return V_ERROR;
  Value other = as_set(vm, args[1], "argument of is_subset");
  if (other == V_ERROR) return V_ERROR;
  for (uint32_t i = 0; map_next(vm, as_map(vm, self), &i, &key, &value);) {
    bool there = map_find(vm, other, key) != UINT32_MAX;
    if (error_pending(vm)) return V_ERROR;
    if (!there) return V_FALSE;
    if (i % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return V_TRUE;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const NativeDef method_defs[] = {
    NATIVE("len", set_m_len, "len(self) -> int", "How many elements it has."),
    NATIVE("add", set_m_add, "add(self, x)",
           "Puts x in, if it is not there; gives nil; throws if x cannot be a map key."),
    NATIVE("remove", set_m_remove, "remove(self, x)",
           "Takes x out; gives nil; throws if it is not there."),
    NATIVE("has", set_m_has, "has(self, x) -> bool", "Whether x is in the set, as `x in set`."),
    NATIVE("clear", set_m_clear, "clear(self)", "Takes all elements out; gives nil."),
    NATIVE("copy", set_m_copy, "copy(self) -> set", "A new set of the same elements."),
    NATIVE("values", set_m_values, "values(self) -> list",
           "The elements in the order they were added."),
    NATIVE("union", set_m_union, "union(self, other) -> set",
           "A new set of the elements of both; other may be any iterable."),
    NATIVE("intersect", set_m_intersect, "intersect(self, other) -> set",
           "A new set of the elements that are in both; other may be any iterable."),
    NATIVE("difference", set_m_difference, "difference(self, other) -> set",
           "A new set of the elements that are not in other, which may be any iterable."),
    NATIVE("is_subset", set_m_is_subset, "is_subset(self, other) -> bool",
           "Whether every element is in other, which may be any iterable."),
};

const ModuleDef methods_set = {"set", "Methods of sets.", method_defs, LIB_COUNT(method_defs),
                               KIND_SET, NULL};

static const NativeDef module_defs[] = {
    NATIVE("new", set_make, "new(xs = []) -> set",
           "A set of the elements of an iterable; throws if one cannot be a map key."),
};

static bool add_methods(ox_VM *vm, Value exports) {
  return registry_export_all(vm, &methods_set, exports);
}

const ModuleDef module_set = {"set", "Making sets; also all methods of sets, set.add(s, x).",
                              module_defs, LIB_COUNT(module_defs), -1, add_methods};
