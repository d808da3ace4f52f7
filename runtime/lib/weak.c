/* weak.c - the module `weak`: references that keep nothing alive, and maps by identity whose
 * entries go when their keys do.
 *
 * A weak.Ref is an instance whose one hidden field is weak to the collector. A weak.Map has
 *
 *   table   Store, LAYOUT_KEYED: [entries in use] [key][value] [key][value] ... in the order they
 *           were added. The key of an entry removed or dead is V_ABSENT. What the collector clears
 *           it subtracts from the count, the first word
 *   index   Bytes: 2^s slots of 32 bits with linear probing, 0 if free, else entry number + 1. A
 *           key hashes by its place, which never changes
 *   used    entries in the table, holes included
 *
 * When the table is full both are made anew, without the holes.
 *
 * What is read from here may be known to nobody else while a major collection marks in steps, so it
 * is shown to the collector: gc_revive. Likewise what goes on to a new table, which that collection
 * may take for alive without a look at it. And what is dead may not have been cleared yet (gc_is_dead):
 * it is not there any more, but for the count. */
#include "weak.h"

#include "../hash.h"
#include "../repr.h"
#include "lib.h"
#include "registry.h"

enum { REF_TARGET, REF_SLOTS };
enum { MAP_TABLE, MAP_INDEX, MAP_USED, MAP_SLOTS };
enum { FIRST_CAPACITY = 8, POLL_EVERY = 1024 };
#define MOST_ENTRIES ((uint32_t)1 << 29)

static const LibClass ref_class = {
    "weak.Ref", LIB_WEAK_REF_CLASS, &module_weak_ref, 0, REF_SLOTS, {NULL}};
static const LibClass map_class = {
    "weak.Map", LIB_WEAK_MAP_CLASS, &module_weak_map, 0, MAP_SLOTS, {NULL}};

/* ---- what can be referred to ----------------------------------------------------------------- */

/* Numbers, strings and ranges are equal by what they are, and so have no life that could end. */
bool weak_is_possible(Value v) {
  return v_is_ref(v) && !num_is(v) && !v_is_string(v) && !v_is(v, KIND_RANGE);
}

static bool check_identity(ox_VM *vm, Value v, const char *what) {
  if (weak_is_possible(v)) return true;
  vm_throw(vm, ERR_TYPE,
           "%s must be an object with an identity (a list, an instance, a function ...), "
           "not %s",
           what, vm_type_name(vm, v));
  return false;
}

static Value seen(ox_VM *vm, Value v) {
  if (v_is_ref(v)) gc_revive(vm->gc, v_ref(v));
  return v;
}

static bool is_gone(ox_VM *vm, Value v) {
  return v == V_ABSENT || (v_is_ref(v) && gc_is_dead(vm->gc, v_ref(v)));
}

/* ---- references ------------------------------------------------------------------------------ */

Value weak_ref_new(ox_VM *vm, Value v) {
  Value r = lib_instance(vm, &ref_class);
  if (r == V_ERROR) return V_ERROR;
  Instance *instance = vm_deref(vm, r);
  gc_touch(vm->cage, gc_word(vm->cage, instance));
  instance->h.layout |= LAYOUT_WEAK;
  lib_set_slot(vm, instance, REF_TARGET, v);
  return r;
}

Value weak_ref_get(ox_VM *vm, Value r) {
  Instance *instance = lib_check(vm, r, &ref_class, "self");
  if (!instance) return V_ERROR;
  Value v = instance->fields[REF_TARGET];
  return is_gone(vm, v) ? V_NIL : seen(vm, v);
}

static Value make_ref(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return check_identity(vm, args[0], "ref: x") ? weak_ref_new(vm, args[0]) : V_ERROR;
}

static Value ref_get(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return weak_ref_get(vm, args[0]);
}

static Value ref_str(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value v = weak_ref_get(vm, args[0]);
  if (v == V_ERROR) return v;
  return v == V_NIL ? string_from_c(vm, "<weak.Ref: gone>")
                    : string_format(vm, "<weak.Ref to %s>", vm_type_name(vm, v));
}

/* ---- the parts of a map ---------------------------------------------------------------------- */

typedef struct Weak { Instance *self; Store *table; uint32_t *slots; uint32_t mask, used; } Weak;

/* Holds until something is allocated or stored in the map. */
static Weak parts(ox_VM *vm, Instance *self) {
  Weak w = {.self = self};
  if (self->fields[MAP_TABLE] == V_NIL) return w;
  Bytes *index = vm_deref(vm, self->fields[MAP_INDEX]);
  w.table = vm_deref(vm, self->fields[MAP_TABLE]);
  w.slots = (uint32_t *)index->data;
  w.mask = index->h.aux / 4 - 1;
  w.used = (uint32_t)v_int(self->fields[MAP_USED]);
  return w;
}

static Value *entry_at(const Weak *w, uint32_t i) { return w->table->items + 1 + 2 * (uint64_t)i; }
static uint32_t capacity(const Weak *w) { return w->table ? w->table->h.aux / 2 : 0; }
static uint32_t count(const Weak *w) { return w->table ? (uint32_t)w->table->items[0] : 0; }

static void set_count(ox_VM *vm, const Weak *w, uint32_t n) {
  gc_touch(vm->cage, gc_word(vm->cage, w->table->items));
  w->table->items[0] = n;
}

/* The entry of a key, or NULL. */
static Value *find(ox_VM *vm, const Weak *w, Value key) {
  if (!w->table) return NULL;
  uint32_t slot;
  for (uint32_t i = hash_word(vm, key) & w->mask; (slot = w->slots[i]) != 0; i = (i + 1) & w->mask)
    if (*entry_at(w, slot - 1) == key) return entry_at(w, slot - 1);
  return NULL;
}

static void enter(ox_VM *vm, const Weak *w, uint32_t entry) {
  uint32_t i = hash_word(vm, *entry_at(w, entry)) & w->mask;
  while (w->slots[i]) i = (i + 1) & w->mask;
  gc_touch(vm->cage, gc_word(vm->cage, w->slots + i));
  w->slots[i] = entry + 1;
}

/* ---- growing --------------------------------------------------------------------------------- */

/* At most three quarters of it are taken by `n` entries. */
static uint32_t capacity_for(uint32_t n) {
  uint32_t cap = FIRST_CAPACITY;
  while (cap - cap / 4 < n) cap *= 2;
  return cap;
}

static Store *table_new(ox_VM *vm, uint32_t cap) {
  uint32_t n = 1 + 2 * cap;
  Store *t = vm_alloc(vm, 1 + (uint64_t)n, KIND_STORE, LAYOUT_WIDE | LAYOUT_KEYED, 0, n);
  if (!t) return NULL;
  t->items[0] = 0;
  for (uint32_t i = 1; i < n; i++) t->items[i] = V_NIL;
  return t;
}

/* Of a map that refers to them no more: else a major collection could still find them there. */
static void release(ox_VM *vm, const Weak *old, Value index) {
  if (!old->table) return;
  gc_release(vm->gc, old->table);
  gc_release(vm->gc, vm_deref(vm, index));
}

/* Copies what is left of the entries into an empty table and its index. */
static uint32_t move(ox_VM *vm, const Weak *from, const Weak *to) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < from->used; i++) {
    const Value *pair = entry_at(from, i);
    if (is_gone(vm, pair[0])) continue;
    gc_store(vm->cage, gc_word(vm->cage, entry_at(to, n)), seen(vm, pair[0]));
    gc_store(vm->cage, gc_word(vm->cage, entry_at(to, n) + 1), seen(vm, pair[1]));
    enter(vm, to, n++);
  }
  return n;
}

/* A new table and index, of that capacity. False: error pending, nothing changed. */
static bool rebuild(ox_VM *vm, Instance *self, uint32_t cap) {
  Bytes *index = bytes_new(vm, 8 * (uint64_t)cap);
  Value slots = index ? v_from_ptr(vm->cage, KIND_BYTES, index) : V_ERROR;
  if (!index || !vm_root(vm, slots)) return false;
  Store *table = table_new(vm, cap);
  if (!table) return false;
  Weak old = parts(vm, self), new = {self, table, (uint32_t *)index->data, 2 * cap - 1, 0};
  Value old_index = self->fields[MAP_INDEX];
  uint32_t n = move(vm, &old, &new);
  set_count(vm, &new, n);
  lib_set_slot(vm, self, MAP_TABLE, v_from_ptr(vm->cage, KIND_STORE, table));
  lib_set_slot(vm, self, MAP_INDEX, slots);
  lib_set_slot(vm, self, MAP_USED, v_from_int(n));
  release(vm, &old, old_index);
  return true;
}

static bool make_room(ox_VM *vm, Instance *self) {
  Weak w = parts(vm, self);
  if (w.used < capacity(&w)) return true;
  if (count(&w) >= MOST_ENTRIES) {
    vm_throw(vm, ERR_LIMIT, "weak map too large: more than %u entries", MOST_ENTRIES);
    return false;
  }
  vm_charge(vm, 16 * (uint64_t)w.used);
  return rebuild(vm, self, capacity_for(count(&w) + 1));
}

/* Keys that were copied lie elsewhere. */
bool weak_map_moved(ox_VM *vm, Value v) {
  if (!lib_is(vm, v, &map_class)) return true;
  Instance *self = vm_deref(vm, v);
  Weak w = parts(vm, self);
  return !w.table || rebuild(vm, self, capacity(&w));
}

/* ---- maps ------------------------------------------------------------------------------------ */

static Instance *check_map(ox_VM *vm, Value v) { return lib_check(vm, v, &map_class, "self"); }

static Value make_map(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  Value m = lib_instance(vm, &map_class);
  if (m != V_ERROR) lib_set_slot(vm, vm_deref(vm, m), MAP_USED, v_from_int(0));
  return m;
}

static bool put(ox_VM *vm, Instance *self, Value key, Value value) {
  Weak w = parts(vm, self);
  Value *at = find(vm, &w, key);
  if (!at) {
    if (!make_room(vm, self)) return false;
    w = parts(vm, self);
    at = entry_at(&w, w.used);
    gc_store(vm->cage, gc_word(vm->cage, at), key);
    enter(vm, &w, w.used);
    set_count(vm, &w, count(&w) + 1);
    lib_set_slot(vm, self, MAP_USED, v_from_int(w.used + 1));
  }
  gc_store(vm->cage, gc_word(vm->cage, at + 1), value);
  return true;
}

static Value weak_put(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  if (!self || !check_identity(vm, args[1], "the key of a weak map")) return V_ERROR;
  return put(vm, self, args[1], args[2]) ? args[2] : V_ERROR;
}

/* V_ABSENT: there is none. */
static Value look_up(ox_VM *vm, Instance *self, Value key) {
  Weak w = parts(vm, self);
  const Value *at = find(vm, &w, key);
  return at ? seen(vm, at[1]) : V_ABSENT;
}

static Value weak_get(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  if (!self) return V_ERROR;
  Value v = look_up(vm, self, args[1]);
  return v != V_ABSENT ? v : arg_given(args, 2) ? args[2] : V_NIL;
}

static Value no_such_key(ox_VM *vm, Value key) {
  return vm_throw(vm, ERR_KEY, "the weak map has no entry for this %s", vm_type_name(vm, key));
}

static Value weak_index(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  if (!self) return V_ERROR;
  Value v = look_up(vm, self, args[1]);
  return v != V_ABSENT ? v : no_such_key(vm, args[1]);
}

static Value weak_has(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  return self ? v_from_bool(look_up(vm, self, args[1]) != V_ABSENT) : V_ERROR;
}

static Value weak_remove(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  if (!self) return V_ERROR;
  Weak w = parts(vm, self);
  Value *at = find(vm, &w, args[1]);
  if (!at) return arg_given(args, 2) ? args[2] : no_such_key(vm, args[1]);
  Value gone = seen(vm, at[1]);
  if (v_is_ref(gone) && !vm_root(vm, gone)) return V_ERROR;
  gc_store(vm->cage, gc_word(vm->cage, at), V_ABSENT);
  gc_store(vm->cage, gc_word(vm->cage, at + 1), V_NIL);
  set_count(vm, &w, count(&w) - 1);
  return gone;
}

static Value weak_clear(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  if (!self) return V_ERROR;
  Weak w = parts(vm, self);
  Value index = self->fields[MAP_INDEX];
  lib_set_slot(vm, self, MAP_TABLE, V_NIL);
  lib_set_slot(vm, self, MAP_INDEX, V_NIL);
  lib_set_slot(vm, self, MAP_USED, v_from_int(0));
  release(vm, &w, index);
  return V_NIL;
}

static Value weak_len(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  if (!self) return V_ERROR;
  Weak w = parts(vm, self);
  return v_from_int(count(&w));
}

/* ---- lists of the contents ------------------------------------------------------------------- */

/* What dies in a collection meanwhile is left out: its key becomes V_ABSENT. */
static Value list_parts(ox_VM *vm, Value map, MapPart part) {
  Instance *self = check_map(vm, map);
  Value out = self ? list_new(vm, 0) : V_ERROR;
  if (out == V_ERROR) return V_ERROR;
  uint32_t mark = vm_roots_mark(vm);
  for (uint32_t i = 0;; i++) {
    Weak w = parts(vm, self);
    if (i >= w.used) return out;
    Value key = entry_at(&w, i)[0], value = entry_at(&w, i)[1];
    if (is_gone(vm, key)) continue;
    if (!vm_root(vm, seen(vm, key)) || !vm_root(vm, seen(vm, value))) return V_ERROR;
    if (!lib_push_part(vm, out, part, key, value)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
}

static Value weak_keys(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_parts(vm, args[0], KEYS);
}
static Value weak_values(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_parts(vm, args[0], VALUES);
}
static Value weak_items(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_parts(vm, args[0], ITEMS);
}

static Value weak_str(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = check_map(vm, args[0]);
  if (!self) return V_ERROR;
  Weak w = parts(vm, self);
  return string_format(vm, "<weak.Map of %u>", count(&w));
}

/* ---- proof ----------------------------------------------------------------------------------- */

static bool is_table(ox_VM *vm, Value v) {
  if (!v_is(v, KIND_STORE)) return false;
  const Header *h = vm_deref(vm, v);
  return h->layout == (LAYOUT_WIDE | LAYOUT_KEYED) && h->aux % 2 == 1;
}

/* As many slots are taken as there are entries, so that each search comes to a free one. */
static const char *check_slots(const Weak *w) {
  uint32_t taken = 0;
  for (uint32_t i = 0; i <= w->mask; i++) {
    taken += w->slots[i] != 0;
    if (w->slots[i] > w->used) return "a weak map's index leads to no entry";
  }
  return taken == w->used ? NULL : "a weak map's index has a wrong count";
}

static const char *check_entries(ox_VM *vm, const Weak *w) {
  uint32_t live = 0;
  for (uint32_t i = 0; i < capacity(w); i++) {
    const Value *pair = entry_at(w, i);
    if (i >= w->used) {
      if (pair[0] != V_NIL || pair[1] != V_NIL) return "a weak map with an entry beyond its last";
    } else if (pair[0] == V_ABSENT) {
      if (pair[1] != V_NIL) return "a weak map with a value whose key is gone";
    } else {
      if (!weak_is_possible(pair[0])) return "a weak map with a key that has no identity";
      if (pair[1] == V_ABSENT) return "a weak map with a key without a value";
      if (find(vm, w, pair[0]) != pair) return "a weak map whose index does not find a key";
      live++;
    }
  }
  return w->table->items[0] == live ? NULL : "a weak map with a wrong count";
}

const char *weak_map_check(ox_VM *vm, Instance *self, uint32_t owned[2]) {
  Value table = self->fields[MAP_TABLE], index = self->fields[MAP_INDEX];
  uint64_t used = v_index(self->fields[MAP_USED]);
  if (table == V_NIL && index == V_NIL) return used ? "a weak map of nothing with entries" : NULL;
  if (!is_table(vm, table) || !v_is(index, KIND_BYTES)) return "a weak map without its table";
  uint64_t cap = ((const Header *)vm_deref(vm, table))->aux / 2;
  if (cap < FIRST_CAPACITY || (cap & (cap - 1)) || used > cap ||
      ((const Header *)vm_deref(vm, index))->aux != 8 * cap)
    return "a weak map of impossible size";
  Weak w = parts(vm, self);
  owned[0] = v_ref(table).w;
  owned[1] = v_ref(index).w;
  const char *wrong = check_slots(&w);
  return wrong ? wrong : check_entries(vm, &w);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static const NativeDef ref_defs[] = {
    NATIVE("get", ref_get, "get(self)", "The object, or nil when it is gone."),
    NATIVE("call", ref_get, "call(self)", "The same: r() is r.get()."),
    NATIVE("str", ref_str, "str(self) -> string", "How the reference prints."),
};
const ModuleDef module_weak_ref = {
    "weak.Ref", "References made by weak.ref.", ref_defs, LIB_COUNT(ref_defs), -1, NULL};

static const NativeDef map_defs[] = {
    NATIVE("len", weak_len, "len(self) -> int",
           "How many entries it has, with those whose keys are gone that have not been taken out "
           "yet: none right after memory.collect()."),
    NATIVE("get", weak_get, "get(self, key, default = nil)",
           "The value under key, the default where there is none."),
    NATIVE("[]", weak_index, "[](self, key)", "The value under key; throws where there is none."),
    NATIVE("[]=", weak_put, "[]=(self, key, value)", "Sets the value under key."),
    NATIVE("has", weak_has, "has(self, key) -> bool", "Whether there is such a key."),
    NATIVE("in", weak_has, "in(self, key) -> bool", "The same: `key in m`."),
    NATIVE("remove", weak_remove, "remove(self, key, default = throw)",
           "Takes the key out and gives its value; without such a key gives the default, or throws "
           "if there is none either."),
    NATIVE("clear", weak_clear, "clear(self)", "Takes all keys out; gives nil."),
    NATIVE("keys", weak_keys, "keys(self) -> list",
           "The keys in the order they were added. While the list lives, so do they."),
    NATIVE("values", weak_values, "values(self) -> list", "The values in the order of the keys."),
    NATIVE("items", weak_items, "items(self) -> list",
           "A pair [key, value] for each key in order."),
    NATIVE("iter", weak_keys, "iter(self) -> list",
           "What a loop over the map goes through: its keys."),
    NATIVE("str", weak_str, "str(self) -> string", "How the map prints."),
};
const ModuleDef module_weak_map = {
    "weak.Map", "Maps made by weak.map: by identity, without keeping their keys alive.", map_defs,
    LIB_COUNT(map_defs), -1, NULL};

static const NativeDef weak_defs[] = {
    NATIVE(
        "ref", make_ref, "ref(x) -> weak.Ref",
        "A reference that does not keep x alive: r.get() gives x, and nil when it is gone. x is an "
        "object with an identity, such as a list, an instance or a function."),
    NATIVE(
        "map", make_map, "map() -> weak.Map",
        "A map by identity that does not keep its keys alive: an entry goes with its key, even if "
        "its value refers to the key."),
};
const ModuleDef module_weak = {"weak",    "References and maps that keep nothing alive.",
                               weak_defs, LIB_COUNT(weak_defs),
                               -1,        NULL};
