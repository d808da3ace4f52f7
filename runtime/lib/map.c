/* map.c - methods of maps and the module `map`. */
#include "../map.h"

#include "../list.h"
#include "../repr.h"
#include "iterate.h"
#include "lib.h"
#include "registry.h"

enum { POLL_EVERY = 1024 };

static bool is_map(ox_VM *vm, Value v) {
  return v_is(v, KIND_MAP) || arg_kind(vm, v, KIND_MAP, "self");
}

static Value map_m_len(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_map(vm, args[0]) ? v_from_int(as_map(vm, args[0])->live) : V_ERROR;
}

/* ---- lists of the contents ------------------------------------------------------------------- */

static Value list_parts(ox_VM *vm, Value map, MapPart part) {
  if (!is_map(vm, map)) return V_ERROR;
  Map *m = as_map(vm, map);
  Value out = list_new(vm, m->live), key, value;
  uint32_t i = 0, mark = vm_roots_mark(vm);
  while (out != V_ERROR && map_next(vm, m, &i, &key, &value)) {
    if (!lib_push_part(vm, out, part, key, value)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (i % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return out;
}

static Value map_m_keys(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_parts(vm, args[0], KEYS);
}
static Value map_m_values(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_parts(vm, args[0], VALUES);
}
static Value map_m_items(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_parts(vm, args[0], ITEMS);
}

/* ---- looking up and changing ----------------------------------------------------------------- */

/* args[2] where there is no such key, nil if that was not given. */
static Value map_m_get(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value other = arg_given(args, 2) ? args[2] : V_NIL;
  if (!is_map(vm, args[0])) return V_ERROR;
  Value v = map_get(vm, args[0], args[1]);
  if (v != V_ABSENT) return v;
  return error_pending(vm) ? V_ERROR : other;
}

static Value map_m_has(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_map(vm, args[0])) return V_ERROR;
  if (map_find(vm, args[0], args[1]) != UINT32_MAX) return V_TRUE;
  return error_pending(vm) ? V_ERROR : V_FALSE;
}

static Value no_such_key(ox_VM *vm, Value key) {
  Value shown = value_repr(vm, key);
  String *s = shown == V_ERROR ? NULL : string_flat(vm, shown);
  return s ? vm_throw(vm, ERR_KEY, "remove: no key %.100s in the map", s->chars) : V_ERROR;
}

static Value map_m_remove(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value key = args[1], other = args[2];
  if (!is_map(vm, args[0])) return V_ERROR;
  Value v = map_remove(vm, args[0], key);
  if (v != V_ABSENT) return v;
  if (error_pending(vm)) return V_ERROR;
  return other != V_ABSENT ? other : no_such_key(vm, key);
}

static Value map_m_clear(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_map(vm, args[0])) return V_ERROR;
  map_clear(vm, args[0]);
  return V_NIL;
}

static Value map_m_update(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value self = args[0], from = args[1], key, value;
  if (!is_map(vm, self) || !arg_kind(vm, from, KIND_MAP, "argument of update")) return V_ERROR;
  if (self == from) return V_NIL;
  uint32_t version = as_map(vm, from)->version, mark = vm_roots_mark(vm);
  for (uint32_t i = 0; map_next(vm, as_map(vm, from), &i, &key, &value);) {
    if (!map_set(vm, self, key, value)) return V_ERROR;
    if (as_map(vm, from)->version != version)
      return vm_throw(vm, ERR_VALUE, "the map was changed while it was copied");
    vm_roots_reset(vm, mark);
    if (i % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return V_NIL;
}

static Value map_m_copy(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_map(vm, args[0]) ? map_copy(vm, args[0]) : V_ERROR;
}

static Value map_m_set_default(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value self = args[0], key = args[1], value = arg_given(args, 2) ? args[2] : V_NIL;
  if (!is_map(vm, self)) return V_ERROR;
  Value v = map_get(vm, self, key);
  if (v != V_ABSENT) return v;
  if (error_pending(vm) || !map_set(vm, self, key, value)) return V_ERROR;
  return value;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const NativeDef method_defs[] = {
    NATIVE("len", map_m_len, "len(self) -> int", "How many keys it has."),
    NATIVE("keys", map_m_keys, "keys(self) -> list", "The keys in the order they were added."),
    NATIVE("values", map_m_values, "values(self) -> list", "The values in the order of the keys."),
    NATIVE("items", map_m_items, "items(self) -> list",
           "A pair [key, value] for each key in order."),
    NATIVE("get", map_m_get, "get(self, key, default = nil)",
           "The value under key, the default where there is none."),
    NATIVE("has", map_m_has, "has(self, key) -> bool", "Whether there is such a key."),
    NATIVE("remove", map_m_remove, "remove(self, key, default = throw)",
           "Takes the key out and gives its value; without such a key gives the default, or throws "
           "if there is none either."),
    NATIVE("clear", map_m_clear, "clear(self)", "Takes all keys out; gives nil."),
    NATIVE("update", map_m_update, "update(self, other)",
           "Sets every key of another map to its value there; gives nil."),
    NATIVE("copy", map_m_copy, "copy(self) -> map", "A new map of the same keys and values."),
    NATIVE("set_default", map_m_set_default, "set_default(self, key, value = nil)",
           "The value under key, which is set to `value` first if there is none."),
};

const ModuleDef methods_map = {
    "map", "Methods of maps; a key of the same name goes before a method, map.get(m, k) does not.",
    method_defs, LIB_COUNT(method_defs), KIND_MAP, NULL};

/* [key, value] from a list of pairs. */
static bool pair_of(ox_VM *vm, Value item, Value *key, Value *value) {
  if (!v_is(item, KIND_LIST) || list_len(vm, item) != 2) {
    bool list = v_is(item, KIND_LIST);
    vm_throw(vm, ERR_TYPE, "map.from needs pairs [key, value], not %s%s", vm_type_name(vm, item),
             !list ? "" : list_len(vm, item) < 2 ? " of fewer than two" : " of more than two");
    return false;
  }
  *key = list_get(vm, item, 0);
  *value = list_get(vm, item, 1);
  return true;
}

static Value map_from(ox_VM *vm, Value *args, int nargs) {
  Iter it;
  Value item, key, value, out;
  (void)nargs;
  if (v_is(args[0], KIND_MAP)) return map_copy(vm, args[0]);
  if (!iter_open(&it, vm, args[0], "argument of map.from")) return V_ERROR;
  if ((out = map_new(vm, 0)) == V_ERROR) return V_ERROR;
  uint32_t mark = vm_roots_mark(vm);
  int more;
  while ((more = iter_next(&it, &item)) > 0) {
    if (!pair_of(vm, item, &key, &value) || !map_set(vm, out, key, value)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (as_map(vm, out)->used % POLL_EVERY == 0 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return more < 0 ? V_ERROR : out;
}

static const NativeDef module_defs[] = {
    NATIVE("from", map_from, "from(pairs) -> map",
           "A map from an iterable of pairs [key, value]; throws for anything but pairs."),
};

static bool add_methods(ox_VM *vm, Value exports) {
  return registry_export_all(vm, &methods_map, exports);
}

const ModuleDef module_map = {"map", "Making maps; also all methods of maps, map.get(m, key).",
                              module_defs, LIB_COUNT(module_defs), -1, add_methods};
