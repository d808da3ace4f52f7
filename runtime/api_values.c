/* api_values.c - the C API: making values, reading them, keeping them alive. Contracts in
 * oxbow.h. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "compare.h"
#include "lib/weak.h"
#include "ops.h"
#include "list.h"
#include "map.h"
#include "native.h"
#include "number.h"
#include "repr.h"
#include "str.h"

/* ---- keeping values alive -------------------------------------------------------------------- */

ox_Scope ox_scope_open(ox_VM *vm) {
  API_CALL(vm);
  ox_Scope scope = vm_roots_mark(vm);
  API_SCOPE_OPENED(vm, scope);
  return scope;
}

void ox_scope_close(ox_VM *vm, ox_Scope scope) {
  API_CALL(vm);
  API_SCOPE_CLOSING(vm, scope);
  if (scope < vm->nroots) vm_roots_reset(vm, scope);
  API_SCOPE_CLOSED(vm);
}

ox_Value ox_scope_close_keeping(ox_VM *vm, ox_Scope scope, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  API_SCOPE_CLOSING(vm, scope);
  if (scope < vm->nroots) vm_roots_reset(vm, scope);
  if (v_is_ref(in(value))) vm_root(vm, in(value)); /* there is room: the closed scope's */
  API_SCOPE_CLOSED(vm);
  return value;
}

/* The pins are an open-addressing table in the cage, so that the collector sees them as any other
 * values and copies of the cage carry them: pairs (value, how often), nil for a free place. Only
 * references are entered. A place given up keeps false, so that searches go on behind it. */

static uint64_t pin_hash(Value v) { return (v * 0x9E3779B97F4A7C15ull) >> 20; }

static Store *pin_table(ox_VM *vm) {
  Value table = vm->st->spare[API_PINS];
  return v_is(table, KIND_STORE) ? vm_deref(vm, table) : NULL;
}

static void pin_put(ox_VM *vm, Store *table, uint64_t place, Value value, int64_t count) {
  uint64_t word = gc_word(vm->cage, &table->items[2 * place]);
  gc_store(vm->cage, word, value);
  gc_store(vm->cage, word + 1, v_from_int(count));
}

/* The place of `value`, or of the first free one (nil or given up) where it would go. */
static uint64_t pin_find(const Store *table, Value value) {
  uint64_t mask = table->h.aux / 2 - 1, free_place = UINT64_MAX;
  for (uint64_t i = pin_hash(value) & mask;; i = (i + 1) & mask) {
    Value there = table->items[2 * i];
    if (there == value) return i;
    if (there == V_FALSE && free_place == UINT64_MAX) free_place = i;
    if (there == V_NIL) return free_place == UINT64_MAX ? i : free_place;
  }
}

enum { PINS_FIRST = 16 };

/* Makes room for one more entry: at least a quarter of the table stays nil. */
static bool pin_reserve(ox_VM *vm) {
  Store *old = pin_table(vm);
  uint64_t places = old ? old->h.aux / 2 : 0, used = 0;
  for (uint64_t i = 0; i < places; i++) used += old->items[2 * i] != V_NIL;
  if (old && (used + 1) * 4 <= places * 3) return true;
  uint64_t wanted = PINS_FIRST;
  while (wanted < (uint64_t)api_of(vm)->npins * 4) wanted *= 2;
  Store *table = store_new(vm, wanted * 2);
  if (!table) return false;
  old = pin_table(vm);
  for (uint64_t i = 0; i < places; i++) {
    Value v = old->items[2 * i];
    if (v_is_ref(v)) pin_put(vm, table, pin_find(table, v), v, v_int(old->items[2 * i + 1]));
  }
  vm->st->spare[API_PINS] = v_from_ptr(vm->cage, KIND_STORE, table);
  return true;
}

static bool pin_again(ox_VM *vm, Store *table, Value value) {
  uint64_t place = table ? pin_find(table, value) : 0;
  if (!table || table->items[2 * place] != value) return false;
  pin_put(vm, table, place, value, v_int(table->items[2 * place + 1]) + 1);
  return true;
}

bool ox_pin(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  Value v = in(value);
  if (!v_is_ref(v)) return v != V_ABSENT;
  if (!pin_again(vm, pin_table(vm), v)) {
    if (!vm_root(vm, v) || !pin_reserve(vm)) return api_take(vm), false;
    Store *table = pin_table(vm);
    pin_put(vm, table, pin_find(table, v), v, 1);
    api_of(vm)->npins++;
    vm->nroots--;
  }
  api_of(vm)->pinned++;
  return true;
}

void ox_unpin(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  Store *table = pin_table(vm);
  if (!v_is_ref(in(value))) return;
  uint64_t place = table ? pin_find(table, in(value)) : 0;
  bool pinned = table && table->items[2 * place] == in(value);
  API_RULE(pinned, "the value is not pinned, or was unpinned as often as it was pinned");
  if (!pinned) return;
  int64_t count = v_int(table->items[2 * place + 1]) - 1;
  pin_put(vm, table, place, count ? in(value) : V_FALSE, count);
  if (!count) api_of(vm)->npins--;
  api_of(vm)->pinned--;
}

ox_Value ox_weak(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  if (weak_is_possible(in(value))) return api_made(vm, weak_ref_new(vm, in(value)));
  api_misuse(vm, "ox_weak: the value has no identity (numbers, strings, ranges, nil and bools have none)");
  return ox_none();
}

ox_Value ox_weak_get(ox_VM *vm, ox_Value weak) {
  API_CALL(vm);
  API_VALUE(vm, weak);
  ox_Value result;
  api_leave(vm, api_enter(vm), weak_ref_get(vm, in(weak)), &result);
  return result;
}

void api_recount_pins(ox_VM *vm) {
  Api *api = api_of(vm);
  Store *table = pin_table(vm);
  api->npins = 0;
  api->pinned = 0;
  for (uint64_t i = 0; table && i < table->h.aux / 2; i++) {
    if (!v_is_ref(table->items[2 * i])) continue;
    api->npins++;
    api->pinned += (uint64_t)v_int(table->items[2 * i + 1]);
  }
}

/* ---- making ---------------------------------------------------------------------------------- */

ox_Value ox_none(void) { return out_of(V_ABSENT); }
ox_Value ox_nil(void) { return out_of(V_NIL); }
ox_Value ox_bool(bool b) { return out_of(v_from_bool(b)); }
ox_Value ox_float(double d) { return out_of(v_from_float(d)); }
ox_Value ox_int(ox_VM *vm, int64_t i) {
  API_CALL(vm);
  return api_made(vm, num_from_int(vm, i));
}

ox_Value ox_string(ox_VM *vm, const char *bytes, size_t length) {
  API_CALL(vm);
  if (!bytes && length) return api_broken(vm, __func__, "the bytes are NULL", NULL), ox_none();
  return api_made(vm, string_new(vm, bytes ? bytes : "", length));
}

ox_Value ox_text(ox_VM *vm, const char *text) {
  API_CALL(vm);
  if (!text) return api_broken(vm, __func__, "the text is NULL", NULL), ox_none();
  return ox_string(vm, text, strlen(text));
}

ox_Value ox_list(ox_VM *vm, const ox_Value *items, size_t count) {
  API_CALL(vm);
  API_VALUES(vm, (int64_t)count, items);
  if (count > INT64_MAX || api_any_none((int64_t)count, items)) {
    api_misuse(vm, "ox_list: OX_NONE is no value");
    return ox_none();
  }
  return api_made(vm, list_from(vm, (const Value *)items, count));
}

ox_Value ox_map(ox_VM *vm) {
  API_CALL(vm);
  return api_made(vm, map_new(vm, 0));
}

/* ---- reading --------------------------------------------------------------------------------- */

static ox_Type type_of_kind(Kind kind) {
  switch (kind) {
    case KIND_CLOSURE: case KIND_NATIVE: case KIND_BOUND: return OX_TYPE_FUNCTION;
    case KIND_CLASS: return OX_TYPE_CLASS;
    case KIND_INSTANCE: return OX_TYPE_INSTANCE;
    case KIND_STRING: case KIND_ROPE: return OX_TYPE_STRING;
    case KIND_LIST: return OX_TYPE_LIST;
    case KIND_MAP: return OX_TYPE_MAP;
    case KIND_SET: return OX_TYPE_SET;
    case KIND_RANGE: return OX_TYPE_RANGE;
    case KIND_WIDE_INT: return OX_TYPE_INT;
    case KIND_FIBER: return OX_TYPE_FIBER;
    case KIND_ERROR: return OX_TYPE_ERROR;
    case KIND_MODULE: return OX_TYPE_MODULE;
    case KIND_FOREIGN: return OX_TYPE_FOREIGN;
    default: return OX_TYPE_NONE;
  }
}

ox_Type ox_type(ox_Value value) {
  Value v = in(value);
  if (v_is_ref(v)) return type_of_kind(v_kind(v));
  if (v == V_ABSENT) return OX_TYPE_NONE;
  if (v == V_NIL) return OX_TYPE_NIL;
  if (v_is_bool(v)) return OX_TYPE_BOOL;
  return v_is_int(v) ? OX_TYPE_INT : OX_TYPE_FLOAT;
}

const char *ox_type_name(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  return in(value) == V_ABSENT ? "none" : vm_type_name(vm, in(value));
}

bool ox_truth(ox_Value value) { return !v_is_falsy(in(value)) && in(value) != V_ABSENT; }

static int64_t int_of_float(double d) {
  if (d != d) return 0;
  if (d >= 0x1p63) return INT64_MAX;
  return d < -0x1p63 ? INT64_MIN : (int64_t)d;
}

int64_t ox_as_int(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  API_RULE(num_is(in(value)), "the value is no number: look at ox_type first");
  if (num_is_int(in(value))) return num_int(vm, in(value));
  return v_is_float(in(value)) ? int_of_float(v_float(in(value))) : 0;
}

double ox_as_float(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  API_RULE(num_is(in(value)), "the value is no number: look at ox_type first");
  return num_is(in(value)) ? num_double(vm, in(value)) : 0;
}

const char *ox_as_string(ox_VM *vm, ox_Value value, size_t *length) {
  API_CALL(vm);
  API_VALUE(vm, value);
  String *s = NULL;
  if (v_is_string(in(value)) && !(s = string_flat(vm, in(value)))) api_take(vm);
  if (length) *length = s ? s->h.aux : 0;
  return s ? s->chars : NULL;
}

ox_Value ox_show(ox_VM *vm, ox_Value value, bool literal) {
  API_CALL(vm);
  API_VALUE(vm, value);
  ox_Value shown;
  uint32_t mark = api_enter(vm);
  Value v = in(value) == V_ABSENT ? string_from_c(vm, "<none>")
            : literal             ? value_repr(vm, in(value))
                                  : value_str(vm, in(value));
  api_leave(vm, mark, v, &shown);
  return shown;
}

int ox_equal(ox_VM *vm, ox_Value a, ox_Value b) {
  API_CALL(vm);
  API_VALUE(vm, a);
  API_VALUE(vm, b);
  if (in(a) == V_ABSENT || in(b) == V_ABSENT) return -1;
  uint32_t mark = api_enter(vm);
  int equal = value_equal(vm, in(a), in(b));
  api_leave(vm, mark, equal < 0 ? V_ERROR : V_NIL, NULL);
  return equal;
}

int64_t ox_length(ox_VM *vm, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  Value v = in(value);
  if (v_is_string(v)) return (int64_t)string_len(vm, v);
  if (v_is(v, KIND_LIST)) return (int64_t)list_len(vm, v);
  if (v_is(v, KIND_MAP) || v_is(v, KIND_SET)) return as_map(vm, v)->live;
  return -1;
}

/* ---- containers ------------------------------------------------------------------------------ */

ox_Status ox_index(ox_VM *vm, ox_Value container, ox_Value key, ox_Value *result) {
  API_CALL(vm);
  API_VALUE(vm, container);
  API_VALUE(vm, key);
  if (in(container) == V_ABSENT || in(key) == V_ABSENT)
    return api_misused(vm, "ox_index: OX_NONE was given", result);
  uint32_t mark = api_enter(vm);
  return api_leave(vm, mark, index_get(vm, in(container), in(key), false), result);
}

ox_Status ox_set_index(ox_VM *vm, ox_Value container, ox_Value key, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, container);
  API_VALUE(vm, key);
  API_VALUE(vm, value);
  if (in(container) == V_ABSENT || in(key) == V_ABSENT || in(value) == V_ABSENT)
    return api_misuse(vm, "ox_set_index: OX_NONE was given");
  uint32_t mark = api_enter(vm);
  bool done = index_set(vm, in(container), in(key), in(value));
  return api_leave(vm, mark, done ? V_NIL : V_ERROR, NULL);
}

ox_Status ox_elements(ox_VM *vm, ox_Value iterable, ox_Value *result) {
  API_CALL(vm);
  API_VALUE(vm, iterable);
  if (in(iterable) == V_ABSENT) return api_misused(vm, "ox_elements: OX_NONE was given", result);
  uint32_t mark = api_enter(vm);
  return api_leave(vm, mark, list_from_iterable(vm, in(iterable), "ox_elements"), result);
}

ox_Status ox_push(ox_VM *vm, ox_Value list, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, list);
  API_VALUE(vm, value);
  if (!v_is(in(list), KIND_LIST)) return api_misuse(vm, "ox_push: this is no list");
  if (in(value) == V_ABSENT) return api_misuse(vm, "ox_push: OX_NONE is no value");
  uint32_t mark = api_enter(vm);
  return api_leave(vm, mark, list_push(vm, in(list), in(value)) ? V_NIL : V_ERROR, NULL);
}

static bool next_of_list(ox_VM *vm, Value list, uint32_t *position, ox_Value *key,
                         ox_Value *value) {
  if (*position >= list_len(vm, list)) return false;
  uint32_t at = (*position)++;
  *key = out_of(v_from_int(at));
  if (value) *value = out_of(list_get(vm, list, at));
  return true;
}

bool ox_next(ox_VM *vm, ox_Value map, uint32_t *position, ox_Value *key, ox_Value *value) {
  API_CALL(vm);
  API_VALUE(vm, map);
  API_RULE(position && key, "the position or the key is NULL");
  Value k, v;
  if (!position || !key) return false;
  if (v_is(in(map), KIND_LIST)) return next_of_list(vm, in(map), position, key, value);
  if (!v_is(in(map), KIND_MAP) && !v_is(in(map), KIND_SET)) return false;
  if (!map_next(vm, as_map(vm, in(map)), position, &k, &v)) return false;
  *key = out_of(k);
  if (value) *value = out_of(v);
  return true;
}

/* ---- members --------------------------------------------------------------------------------- */

static Value name_key(ox_VM *vm, const char *name) { /* rooted */
  Value key = string_intern(vm, name, strlen(name));
  return key != V_ERROR && vm_root(vm, key) ? key : V_ERROR;
}

/* That a member is missing is a status of its own. */
static ox_Status leave_member(ox_VM *vm, uint32_t mark, Value member, ox_Value *result) {
  ox_Status status = api_leave(vm, mark, member, result);
  if (status != OX_THROWN) return status;
  const char *kind = ox_error(vm)->kind;
  bool missing = strcmp(kind, "name") == 0 || strcmp(kind, "key") == 0;
  return missing ? (api_of(vm)->error.status = OX_NOT_FOUND) : status;
}

ox_Status ox_member(ox_VM *vm, ox_Value value, const char *name, ox_Value *result) {
  API_CALL(vm);
  API_VALUE(vm, value);
  if (!name) return api_broken(vm, __func__, "the name is NULL", result);
  if (in(value) == V_ABSENT) return api_misused(vm, "ox_member: OX_NONE was given", result);
  uint32_t mark = api_enter(vm);
  Value key = name_key(vm, name);
  Value member = key == V_ERROR ? V_ERROR : field_get(vm, in(value), key, false);
  return leave_member(vm, mark, member, result);
}

ox_Status ox_set_member(ox_VM *vm, ox_Value value, const char *name, ox_Value member) {
  API_CALL(vm);
  API_VALUE(vm, value);
  API_VALUE(vm, member);
  if (!name) return api_broken(vm, __func__, "the name is NULL", NULL);
  if (in(value) == V_ABSENT || in(member) == V_ABSENT)
    return api_misuse(vm, "ox_set_member: OX_NONE was given");
  uint32_t mark = api_enter(vm);
  Value key = name_key(vm, name);
  bool done = key != V_ERROR && field_set(vm, in(value), key, in(member));
  return leave_member(vm, mark, done ? V_NIL : V_ERROR, NULL);
}

enum { ARGS_ON_STACK = 16 };

/* Calls `method` with the receiver before the arguments. */
static Value call_unbound(ox_VM *vm, Value method, Value receiver, int argc, const Value *argv) {
  Value few[ARGS_ON_STACK], *args = few;
  if (argc >= ARGS_ON_STACK && !(args = malloc(((size_t)argc + 1) * sizeof *args)))
    return vm_throw_oom(vm);
  args[0] = receiver;
  if (argc) memcpy(args + 1, argv, (size_t)argc * sizeof *args);
  Value result = vm_call(vm, method, argc + 1, args);
  if (args != few) free(args);
  return result;
}

ox_Status ox_call_method(ox_VM *vm, ox_Value receiver, const char *name, int argc,
                         const ox_Value *argv, ox_Value *result) {
  API_CALL(vm);
  API_VALUE(vm, receiver);
  API_VALUES(vm, argc, argv);
  if (!name) return api_broken(vm, __func__, "the name is NULL", result);
  if (in(receiver) == V_ABSENT || api_any_none(argc, argv))
    return api_misused(vm, "ox_call_method: OX_NONE was given", result);
  uint32_t mark = api_enter(vm);
  bool unbound = false;
  Value key = name_key(vm, name);
  Value method = key == V_ERROR ? V_ERROR : method_get(vm, in(receiver), key, &unbound);
  if (method == V_ERROR || !vm_root(vm, method)) return leave_member(vm, mark, V_ERROR, result);
  const Value *args = (const Value *)argv;
  Value value = unbound ? call_unbound(vm, method, in(receiver), argc, args)
                        : vm_call(vm, method, argc, args);
  return api_leave(vm, mark, value, result);
}
