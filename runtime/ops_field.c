/* ops_field.c - slow paths of fields, methods and indexes. */
#include "call.h"
#include "class.h"
#include "compare.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "native.h"
#include "number.h"
#include "ops.h"
#include "prelude.h"
#include "range.h"
#include "repr.h"
#include "str.h"
#include "suggest.h"

#include "../lang/habits.h"

static const char *name_chars(ox_VM *vm, Value name) {
  String *s = string_flat(vm, name);
  return s ? s->chars : "?";
}

/* ---- errors with a suggestion ---- */

static void throw_with(ox_VM *vm, ErrorKind kind, Buf *b, const Suggest *near) {
  suggest_add(near, b);
  Value text = buf_finish(b);
  Value e = text == V_ERROR ? V_ERROR : error_new(vm, kind, text, V_NIL);
  if (e != V_ERROR) vm_throw_value(vm, e);
}

/* `m.items`, which is a key of m unless it is called. */
static void add_method_note(ox_VM *vm, Value map, Value key, Buf *b) {
  Value cls = v_is_string(key) ? vm_class_of(vm, map) : V_ERROR;
  String *name = cls == V_ERROR ? NULL : string_flat(vm, key);
  if (!name || map_get_str(vm, as_map(vm, as_class(vm, cls)->methods), key) == V_ABSENT) return;
  buf_printf(b, " (its method is called as `m.%s(...)`)", name->chars);
}

static Value no_key(ox_VM *vm, Value map, Value key) {
  Buf b;
  Suggest near;
  suggest_init(&near, v_is_string(key) ? string_flat(vm, key) : NULL);
  suggest_keys(vm, &near, map);
  buf_init(&b, vm);
  buf_puts(&b, "no key ");
  if (!value_print(&b, key, true)) {
    buf_free(&b);
    return V_ERROR;
  }
  buf_puts(&b, " in the map");
  if (near.best_len == 0) add_method_note(vm, map, key, &b);
  throw_with(vm, ERR_KEY, &b, &near);
  return V_ERROR;
}

/* Nothing was near: perhaps another type has it, or the program's class did not declare it. */
static void add_whereabouts(ox_VM *vm, Value v, Value name, const char *what, Buf *b) {
  const char *owner = native_type_with(name_chars(vm, name));
  const char *habit = habit_of_member(name_chars(vm, name));
  bool is_instance = v_is(v, KIND_INSTANCE), is_class = v_is(v, KIND_CLASS);
  if (is_class && map_get_str(vm, as_map(vm, as_class(vm, v)->methods), name) != V_ABSENT)
    buf_puts(b, " (its instances have)");
  else if (is_instance && *what == 'f' && !(as_class(vm, vm_class_of(vm, v))->flags & CLASS_BUILTIN))
    buf_printf(b, " (fields are declared in the class: `%s = nil`)", name_chars(vm, name));
  else if (habit && (v_is_string(v) || v_is(v, KIND_LIST))) buf_printf(b, " (write %s)", habit);
  else if (owner && !is_instance && !is_class && v != V_NIL && *what == 'm')
    buf_printf(b, " (%s has one)", owner);
}

/* "list", "class Point": what `v` is. */
static void put_what(ox_VM *vm, Value v, Buf *b) {
  if (v_is(v, KIND_CLASS)) buf_printf(b, "class %s", name_chars(vm, as_class(vm, v)->name));
  else buf_puts(b, vm_type_name(vm, v));
}

/* `what` is "field" or "method". */
static Value no_member(ox_VM *vm, Value v, Value name, const char *what) {
  Buf b;
  Suggest near;
  buf_init(&b, vm);
  suggest_init(&near, string_flat(vm, name));
  if (v_is(v, KIND_MODULE)) {
    buf_printf(&b, "module %s exports no `%s`", name_chars(vm, ((Module *)vm_deref(vm, v))->name),
               name_chars(vm, name));
    suggest_keys(vm, &near, ((Module *)vm_deref(vm, v))->exports);
  } else {
    put_what(vm, v, &b);
    buf_printf(&b, " has no %s `%s`", what, name_chars(vm, name));
    Value cls = vm_class_of(vm, v);
    if (cls != V_ERROR) suggest_keys(vm, &near, as_class(vm, cls)->fields);
    if (cls != V_ERROR) suggest_keys(vm, &near, as_class(vm, cls)->methods);
    if (near.best_len == 0) add_whereabouts(vm, v, name, what, &b);
  }
  throw_with(vm, ERR_NAME, &b, &near);
  return V_ERROR;
}

/* ---- getting ---- */

static Value module_member(ox_VM *vm, Value module, Value name, uint32_t *slot) {
  Module *m = (Module *)vm_deref(vm, module);
  Value at = map_get_str(vm, as_map(vm, m->exports), name);
  if (at == V_ABSENT) return V_ABSENT;
  if (!v_is(m->frame, KIND_FRAME)) {
    vm_throw(vm, ERR_NAME, "`%s` of module %s is used before its line ran", name_chars(vm, name),
             name_chars(vm, m->name));
    return V_ABSENT;
  }
  *slot = (uint32_t)v_int(at);
  Value v = ((Frame *)vm_deref(vm, m->frame))->slots[*slot];
  if (v == V_ABSENT && m->main == V_NIL)
    vm_throw(vm, ERR_IMPORT, "the host does not allow `%s.%s`", name_chars(vm, m->name),
             name_chars(vm, name));
  else if (v == V_ABSENT)
    vm_throw(vm, ERR_NAME, "`%s` of module %s is used before its line ran", name_chars(vm, name),
             name_chars(vm, m->name));
  return v;
}

static Value range_property(ox_VM *vm, Value v, Value name) {
  Range *r = (Range *)vm_deref(vm, v);
  const Value *props = vm->st->props;
  if (name == props[PROP_START]) return r->start;
  if (name == props[PROP_END]) return r->end;
  return name == props[PROP_INCLUSIVE] ? v_from_bool(r->h.aux) : V_ABSENT;
}

static Value error_property(ox_VM *vm, Value v, Value name) {
  Error *e = (Error *)vm_deref(vm, v);
  const Value *props = vm->st->props;
  if (name == props[PROP_MESSAGE]) return e->message;
  if (name == props[PROP_DATA]) return e->data;
  if (name == props[PROP_KIND]) return e->kind;
  return name == props[PROP_TRACE] ? error_trace_list(vm, v) : V_ABSENT;
}

static Value function_property(ox_VM *vm, Value v, Value name) {
  if (v_is(v, KIND_BOUND)) v = ((Bound *)vm_deref(vm, v))->method;
  bool closure = v_is(v, KIND_CLOSURE);
  if (name == vm->st->props[PROP_NAME]) {
    if (closure) return proto_of(vm, v)->name;
    return string_from_c(vm, native_def(vm, ((Native *)vm_deref(vm, v))->h.aux)->name);
  }
  if (name != vm->st->props[PROP_DOC]) return V_ABSENT;
  if (closure) return proto_of(vm, v)->doc;
  return string_from_c(vm, native_def(vm, ((Native *)vm_deref(vm, v))->h.aux)->doc);
}

/* [getter, setter] of a foreign object's property, or V_ABSENT. */
static Value foreign_accessors(ox_VM *vm, Value v, Value name) {
  Value cls = ((Foreign *)vm_deref(vm, v))->cls;
  return map_get_str(vm, as_map(vm, as_class(vm, cls)->fields), name);
}

static Value foreign_property(ox_VM *vm, Value v, Value name) {
  Value accessors = foreign_accessors(vm, v, name);
  if (accessors == V_ABSENT) return V_ABSENT;
  Value getter = list_get(vm, accessors, 0);
  if (getter != V_NIL) return vm_call(vm, getter, 1, &v);
  return vm_throw(vm, ERR_NAME, "property `%s` of %s can only be set", name_chars(vm, name),
                  vm_type_name(vm, v));
}

static bool set_foreign_property(ox_VM *vm, Value v, Value accessors, Value name, Value x) {
  Value setter = list_get(vm, accessors, 1), args[2] = {v, x};
  if (setter != V_NIL) return vm_call(vm, setter, 2, args) != V_ERROR;
  vm_throw(vm, ERR_TYPE, "property `%s` of %s cannot be set", name_chars(vm, name),
           vm_type_name(vm, v));
  return false;
}

Value property_get(ox_VM *vm, Value v, Value name) {
  const Value *props = vm->st->props;
  if (name == props[PROP_CLASS]) return vm_class_of(vm, v);
  if (!v_is_ref(v)) return V_ABSENT;
  switch (v_kind(v)) {
    case KIND_ERROR: return error_property(vm, v, name);
    case KIND_RANGE: return range_property(vm, v, name);
    case KIND_FIBER:
      if (name != props[PROP_DONE]) return V_ABSENT;
      return v_from_bool(((Fiber *)vm_deref(vm, v))->state == FIBER_DONE);
    case KIND_FOREIGN: return foreign_property(vm, v, name);
    case KIND_CLASS: return name == props[PROP_NAME] ? as_class(vm, v)->name : V_ABSENT;
    case KIND_CLOSURE: case KIND_NATIVE: case KIND_BOUND: return function_property(vm, v, name);
    default: return V_ABSENT;
  }
}

/* A field of an instance; *slot is its place. V_ABSENT: it has none of that name. */
static Value instance_field(ox_VM *vm, Value v, Value name, uint32_t *slot) {
  Instance *o = (Instance *)vm_deref(vm, v);
  int at = class_field(vm, (Class *)gc_ptr(vm->cage, (Ref){o->h.aux}), name);
  if (at < 0) return V_ABSENT;
  *slot = (uint32_t)at;
  return o->fields[at];
}

/* What v.name finds without binding anything. *slot: for the inline cache. V_ABSENT: nothing, or an
 * error is pending. */
static Value own_member(ox_VM *vm, Value v, Value name, uint32_t *slot) {
  if (v_is(v, KIND_INSTANCE)) {
    Value x = instance_field(vm, v, name, slot);
    if (x != V_ABSENT) return x;
  } else if (v_is(v, KIND_MAP)) {
    uint32_t i = map_find_str(vm, as_map(vm, v), name);
    if (i != UINT32_MAX) {
      *slot = i;
      return map_entries(vm, as_map(vm, v))[2 * i + 1];
    }
  } else if (v_is(v, KIND_MODULE)) {
    Value x = module_member(vm, v, name, slot);
    if (x != V_ABSENT || error_pending(vm)) return x;
  }
  return property_get(vm, v, name);
}

static Value get_member(ox_VM *vm, Value v, Value name, bool quiet, uint32_t *slot) {
  Value x = own_member(vm, v, name, slot);
  if (x != V_ABSENT || error_pending(vm)) return x;
  if (v_is(v, KIND_MAP)) return quiet ? V_NIL : no_key(vm, v, name);
  if (!v_is(v, KIND_MODULE)) {
    Value method = vm_find_method(vm, v, name);
    if (method == V_ERROR && error_pending(vm)) return V_ERROR;
    if (method != V_ABSENT) return bound_new(vm, method, v);
  }
  return no_member(vm, v, name, "field");
}

Value field_get(ox_VM *vm, Value v, Value name, bool quiet) {
  uint32_t slot;
  return get_member(vm, v, name, quiet, &slot);
}

static Class *class_of_instance(ox_VM *vm, Value v) {
  return (Class *)gc_ptr(vm->cage, (Ref){((Instance *)vm_deref(vm, v))->h.aux});
}

/* The shared table serves reads and writes: fields that only C code may set stay out of it. */
static void fill_cache(ox_VM *vm, Value v, uint32_t word, uint32_t slot) {
  InlineCache *cache = vm_cache(vm, word >> 16);
  if (v_is(v, KIND_INSTANCE)) {
    uint32_t cls = ((Instance *)vm_deref(vm, v))->h.aux;
    *cache = (InlineCache){cls, slot};
    if (class_of_instance(vm, v)->flags & CLASS_BUILTIN) return;
    lookup_fill(vm, cls, vm_const(vm, (uint16_t)word), slot, false);
  } else if (v_is(v, KIND_MODULE)) *cache = (InlineCache){v_ref(v).w, slot};
  else *cache = (InlineCache){0, slot};
}

bool slow_getf(ox_VM *vm, uint32_t ins) {
  uint32_t word = vm_pc(vm)[0], slot = UINT32_MAX;
  Value v = vm_regs(vm)[INS_B(ins)];
  Value x = get_member(vm, v, vm_const(vm, (uint16_t)word), op_code(ins) == OP_GETFQ, &slot);
  if (x == V_ERROR) return false;
  if (slot != UINT32_MAX) fill_cache(vm, v, word, slot);
  vm->st->pc++;
  vm_regs(vm)[INS_A(ins)] = x;
  return true;
}

/* m.name(...) where the map's value x under that key cannot be called, but a method is meant. */
static bool check_hidden(ox_VM *vm, Value m, Value name, Value x) {
  if (v_is(x, KIND_CLOSURE) || v_is(x, KIND_NATIVE) || v_is(x, KIND_BOUND) ||
      v_is(x, KIND_CLASS) || v_is(x, KIND_INSTANCE) || v_is(x, KIND_FOREIGN))
    return true;
  Value method = vm_find_method(vm, m, name);
  if (method == V_ABSENT) return true;
  if (method == V_ERROR) return false;
  const char *key = name_chars(vm, name);
  vm_throw(vm, ERR_TYPE,
           "the map's own key `%s` (%s) hides the method; `map.%s(m, ...)` does not look at keys",
           key, vm_type_name(vm, x), key);
  return false;
}

Value method_get(ox_VM *vm, Value v, Value name, bool *unbound) {
  uint32_t slot;
  *unbound = false;
  Value x = own_member(vm, v, name, &slot);
  if (x != V_ABSENT && v_is(v, KIND_MAP) && !check_hidden(vm, v, name, x)) return V_ERROR;
  if (x != V_ABSENT || error_pending(vm)) return x;
  *unbound = true;
  if (!v_is(v, KIND_MODULE)) x = vm_find_method(vm, v, name);
  return x != V_ABSENT || error_pending(vm) ? x : no_member(vm, v, name, "method");
}

bool slow_getm(ox_VM *vm, uint32_t ins) {
  bool unbound;
  Value v = vm_regs(vm)[INS_B(ins)];
  Value f = method_get(vm, v, vm_const(vm, (uint16_t)vm_pc(vm)[0]), &unbound);
  if (f != V_ERROR && unbound) f = bound_new(vm, f, v);
  if (f == V_ERROR) return false;
  vm->st->pc++;
  vm_regs(vm)[INS_A(ins)] = f;
  return true;
}

/* ---- setting ---- */

static bool cannot_set(ox_VM *vm, Value v, Value name) {
  uint32_t slot;
  bool has_fields = v_is(v, KIND_INSTANCE) || v_is(v, KIND_FOREIGN);
  if (v_is(v, KIND_INSTANCE) && instance_field(vm, v, name, &slot) != V_ABSENT)
    vm_throw(vm, ERR_TYPE, "cannot set field `%s` of %s: it can only be read",
             name_chars(vm, name), vm_type_name(vm, v));
  else if (has_fields) no_member(vm, v, name, "field");
  else if (v_is(v, KIND_MODULE))
    vm_throw(vm, ERR_TYPE, "cannot set `%s` of a module from outside", name_chars(vm, name));
  else
    vm_throw(vm, ERR_TYPE, "cannot set field `%s` of %s", name_chars(vm, name),
             vm_type_name(vm, v));
  return false;
}

static bool set_member(ox_VM *vm, Value v, Value name, Value x, uint32_t *slot) {
  if (v_is(v, KIND_MAP)) {
    if (!map_set(vm, v, name, x)) return false;
    *slot = map_find_str(vm, as_map(vm, v), name);
    return true;
  }
  if (v_is(v, KIND_FOREIGN)) {
    Value accessors = foreign_accessors(vm, v, name);
    *slot = UINT32_MAX;
    if (accessors != V_ABSENT) return set_foreign_property(vm, v, accessors, name, x);
  }
  if (!v_is(v, KIND_INSTANCE) || instance_field(vm, v, name, slot) == V_ABSENT ||
      class_of_instance(vm, v)->flags & CLASS_BUILTIN)
    return cannot_set(vm, v, name);
  gc_store(vm->cage, v_ref(v).w + 1 + *slot, x);
  return true;
}

bool field_set(ox_VM *vm, Value v, Value name, Value x) {
  uint32_t slot;
  return set_member(vm, v, name, x, &slot);
}

bool slow_setf(ox_VM *vm, uint32_t ins) {
  uint32_t word = vm_pc(vm)[0], slot;
  Value *R = vm_regs(vm);
  Value v = R[INS_A(ins)];
  if (!set_member(vm, v, vm_const(vm, (uint16_t)word), R[INS_B(ins)], &slot)) return false;
  if (slot != UINT32_MAX) fill_cache(vm, v, word, slot);
  vm->st->pc++;
  return true;
}

/* ---- indexes ---- */

/* The element that key means in `len` of them, or an error. */
static bool element(ox_VM *vm, Value key, uint64_t len, const char *what, uint64_t *out) {
  if (!num_is_int(key)) {
    vm_throw(vm, ERR_TYPE, "the index of a %s must be an int, not %s", what, vm_type_name(vm, key));
    return false;
  }
  int64_t i = num_int(vm, key);
  *out = (uint64_t)(i < 0 ? i + (int64_t)len : i);
  if (*out < len) return true;
  if (len == 0) {
    vm_throw(vm, ERR_INDEX, "index %lld is out of range: the %s is empty", (long long)i, what);
    return false;
  }
  vm_throw(vm, ERR_INDEX, "index %lld is out of range: the %s has %llu %s%s", (long long)i, what,
           (unsigned long long)len, *what == 's' ? "byte" : "element", len == 1 ? "" : "s");
  return false;
}

/* A bound of a slice: nil is `otherwise`, negative counts from the end, beyond is cut. */
static bool slice_bound(ox_VM *vm, Value v, uint64_t len, uint64_t otherwise, bool inclusive,
                        uint64_t *out) {
  if (v == V_NIL) {
    *out = otherwise;
    return true;
  }
  if (!num_is_int(v)) {
    vm_throw(vm, ERR_TYPE, "the bounds of a slice must be ints, not %s", vm_type_name(vm, v));
    return false;
  }
  int64_t i = num_int(vm, v);
  if (i < 0) i += (int64_t)len;
  if (inclusive && i < INT64_MAX) i++;
  *out = i < 0 ? 0 : (uint64_t)i < len ? (uint64_t)i : len;
  return true;
}

static Value slice(ox_VM *vm, Value v, Value from, Value to, bool inclusive) {
  bool is_list = v_is(v, KIND_LIST);
  if (!is_list && !v_is_string(v))
    return vm_throw(vm, ERR_TYPE, "cannot slice %s", vm_type_name(vm, v));
  uint64_t len = is_list ? list_len(vm, v) : string_len(vm, v), a, b;
  if (!slice_bound(vm, from, len, 0, false, &a) || !slice_bound(vm, to, len, len, inclusive, &b))
    return V_ERROR;
  if (b < a) b = a;
  return is_list ? list_slice(vm, v, a, b) : string_slice(vm, v, a, b);
}

static Value string_at(ox_VM *vm, Value v, Value key) {
  uint64_t i;
  String *s = string_flat(vm, v);
  if (s == NULL || !element(vm, key, s->h.aux, "string", &i)) return V_ERROR;
  return string_byte(vm, (uint8_t)s->chars[i]);
}

static Value range_at(ox_VM *vm, Value v, Value key) {
  uint64_t n, i;
  if (!range_length(vm, v, &n)) n = UINT64_MAX;
  if (!element(vm, key, n, "range", &i)) return V_ERROR;
  return num_from_int(vm, (int64_t)((uint64_t)num_int(vm, ((Range *)vm_deref(vm, v))->start) + i));
}

static Value builtin_index(ox_VM *vm, Value v, Value key, bool quiet) {
  if (v_is(v, KIND_MAP)) {
    Value x = map_get(vm, v, key);
    if (x != V_ABSENT || error_pending(vm)) return x;
    return quiet ? V_NIL : no_key(vm, v, key);
  }
  if (v_is(key, KIND_RANGE) && (v_is(v, KIND_LIST) || v_is_string(v))) {
    Range *r = (Range *)vm_deref(vm, key);
    return slice(vm, v, r->start, r->end, r->h.aux);
  }
  uint64_t i;
  if (v_is(v, KIND_LIST))
    return element(vm, key, list_len(vm, v), "list", &i) ? list_get(vm, v, i) : V_ERROR;
  if (v_is_string(v)) return string_at(vm, v, key);
  if (v_is(v, KIND_RANGE)) return range_at(vm, v, key);
  return vm_throw(vm, ERR_TYPE, "cannot index %s", vm_type_name(vm, v));
}

Value index_get(ox_VM *vm, Value v, Value key, bool quiet) {
  Value r = vm_call_op(vm, v, OPM_INDEX, 1, &key);
  return r != V_ABSENT || error_pending(vm) ? r : builtin_index(vm, v, key, quiet);
}

/* Calls a class's `[]` or `[]=` (with `value`). v[i, j] comes with the list [i, j] as its key: a
 * method with as many parameters gets them one by one. As call_operator: 1, 0, -1. */
static int call_index(ox_VM *vm, Value v, OpMethod m, Value key, Value value, uint64_t ret) {
  if (!v_is(v, KIND_INSTANCE) && !v_is(v, KIND_FOREIGN)) return 0;
  Value method = vm_find_method(vm, v, vm->st->op_names[m]);
  if (method == V_ABSENT) return error_pending(vm) ? -1 : 0;
  Value args[12] = {v, key};
  unsigned n = 2, extra = 1 + (value != V_ABSENT);
  unsigned params = v_is(method, KIND_CLOSURE) ? proto_of(vm, method)->nparams : 0;
  if (v_is(key, KIND_LIST) && params > 1 + extra && params <= 10 &&
      list_len(vm, key) + extra == params)
    for (n = 1; n < params + 1 - extra; n++) args[n] = list_get(vm, key, n - 1);
  if (value != V_ABSENT) args[n++] = value;
  return call_above(vm, method, n, args, ret) ? 1 : -1;
}

bool slow_getidx(ox_VM *vm, uint32_t ins) {
  Value v = vm_regs(vm)[INS_B(ins)];
  Value key = op_code(ins) == OP_GETIDXI ? v_from_int(INS_C(ins)) : vm_regs(vm)[INS_C(ins)];
  if (v_is(v, KIND_INSTANCE) || v_is(v, KIND_FOREIGN)) {
    int called =
        call_index(vm, v, OPM_INDEX, key, V_ABSENT, link_here(vm, 0, INS_A(ins), RET_STORE));
    if (called) return called > 0;
  }
  Value x = builtin_index(vm, v, key, op_code(ins) == OP_GETIDXQ);
  if (x == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = x;
  return true;
}

static bool builtin_set_index(ox_VM *vm, Value v, Value key, Value x) {
  if (v_is(v, KIND_MAP)) return map_set(vm, v, key, x);
  uint64_t i;
  if (v_is(v, KIND_LIST)) {
    if (!element(vm, key, list_len(vm, v), "list", &i)) return false;
    list_set(vm, v, i, x);
    return true;
  }
  vm_throw(vm, ERR_TYPE,
           v_is_string(v) ? "strings cannot be changed" : "cannot set an element of %s",
           vm_type_name(vm, v));
  return false;
}

bool index_set(ox_VM *vm, Value v, Value key, Value x) {
  Value args[2] = {key, x};
  Value r = vm_call_op(vm, v, OPM_SET_INDEX, 2, args);
  if (r != V_ABSENT) return true;
  return !error_pending(vm) && builtin_set_index(vm, v, key, x);
}

bool slow_setidx(ox_VM *vm, uint32_t ins) {
  Value *R = vm_regs(vm);
  Value v = R[INS_A(ins)], key = R[INS_B(ins)], x = R[INS_C(ins)];
  int called = call_index(vm, v, OPM_SET_INDEX, key, x, link_here(vm, 0, 0, RET_DROP));
  return called ? called > 0 : builtin_set_index(vm, v, key, x);
}

/* v[from..to] of an instance whose class has `[]`: that gets a range. As call_operator: 1, 0,
 * -1. */
static int slice_instance(ox_VM *vm, uint32_t ins) {
  Value *R = vm_regs(vm);
  Value v = R[INS_B(ins)], from = R[INS_C(ins)], to = R[INS_C(ins) + 1];
  if (!vm_has_op(vm, v, OPM_INDEX)) return error_pending(vm) ? -1 : 0;
  if (!num_is_int(from) || !num_is_int(to)) {
    vm_throw(vm, ERR_TYPE, "cannot slice %s without both ends: its `[]` is given a range of ints",
             vm_type_name(vm, v));
    return -1;
  }
  Value range = range_new(vm, from, to, op_code(ins) == OP_SLICEI);
  if (range == V_ERROR) return -1;
  return call_index(vm, v, OPM_INDEX, range, V_ABSENT, link_here(vm, 0, INS_A(ins), RET_STORE));
}

bool slow_slice(ox_VM *vm, uint32_t ins) {
  int called = slice_instance(vm, ins);
  if (called) return called > 0;
  Value *R = vm_regs(vm);
  Value x = slice(vm, R[INS_B(ins)], R[INS_C(ins)], R[INS_C(ins) + 1], op_code(ins) == OP_SLICEI);
  if (x == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = x;
  return true;
}

bool slow_range(ox_VM *vm, uint32_t ins) {
  Value from = vm_regs(vm)[INS_B(ins)], to = vm_regs(vm)[INS_C(ins)];
  if (!num_is_int(from) || !num_is_int(to)) {
    vm_throw(vm, ERR_TYPE, "the ends of a range must be ints, not %s and %s%s",
             vm_type_name(vm, from), vm_type_name(vm, to),
             v_is_string(from) ? " (+ joins strings)" : "");
    return false;
  }
  Value r = range_new(vm, from, to, op_code(ins) == OP_RANGEI);
  if (r == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = r;
  return true;
}
