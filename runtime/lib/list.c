/* list.c - methods of lists and the module `list`. What takes a function is in prelude.oxb. */
#include "../list.h"

#include "../compare.h"
#include "../repr.h"
#include "core.h"
#include "lib.h"
#include "registry.h"

enum { POLL_EVERY = 1024 };

static bool is_list(ox_VM *vm, Value v) {
  return v_is(v, KIND_LIST) || arg_kind(vm, v, KIND_LIST, "self");
}

static Value *items_of(ox_VM *vm, Value list) { return list_store(vm, as_list(vm, list))->items; }

/* ---- adding and taking ----------------------------------------------------------------------- */

static Value list_m_len(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_list(vm, args[0]) ? v_from_int((int64_t)list_len(vm, args[0])) : V_ERROR;
}

static Value list_m_push(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_list(vm, args[0]) && list_push(vm, args[0], args[1]) ? V_NIL : V_ERROR;
}

static Value list_m_pop(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  uint64_t n = list_len(vm, args[0]);
  if (n == 0) return vm_throw(vm, ERR_INDEX, "pop of an empty list");
  Value last = list_get(vm, args[0], n - 1);
  if (v_is_ref(last) && !vm_root(vm, last)) return V_ERROR;
  list_truncate(vm, args[0], n - 1);
  return last;
}

static Value list_m_insert(ox_VM *vm, Value *args, int nargs) {
  int64_t i;
  (void)nargs;
  if (!is_list(vm, args[0]) || !arg_int(vm, args[1], "index of insert", &i)) return V_ERROR;
  uint64_t n = list_len(vm, args[0]), at = i < 0 ? (uint64_t)i + n : (uint64_t)i;
  if (at > n)
    return vm_throw(vm, ERR_INDEX,
                    "index of insert is out of range: it is %lld, and the list has %llu element%s",
                    (long long)i, (unsigned long long)n, n == 1 ? "" : "s");
  return list_insert(vm, args[0], at, args[2]) ? V_NIL : V_ERROR;
}

static Value list_m_remove(ox_VM *vm, Value *args, int nargs) {
  uint64_t i;
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  if (!arg_element(vm, args[1], list_len(vm, args[0]), "index of remove", &i)) return V_ERROR;
  return list_remove(vm, args[0], i);
}

static Value list_m_clear(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  list_truncate(vm, args[0], 0);
  return V_NIL;
}

static Value list_m_extend(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  Value self = args[0], from = args[1];
  bool quick = v_is(from, KIND_LIST) || v_is(from, KIND_RANGE) || v_is(from, KIND_MAP) ||
               v_is(from, KIND_SET);
  if (!quick) from = list_from_iterable(vm, from, "argument of extend");
  return from != V_ERROR && list_extend(vm, self, from) ? V_NIL : V_ERROR;
}

/* ---- searching ------------------------------------------------------------------------------- */

/* Index of the first element equal to x from `from` on; -1: none, -2: error pending. An `==` of the
 * program may change the list in between. */
static int64_t search(ox_VM *vm, Value list, Value x, uint64_t from) {
  for (uint64_t i = from; i < list_len(vm, list); i++) {
    Value item = list_get(vm, list, i);
    int r = item == x && !v_is_float(x) && !v_is(x, KIND_INSTANCE) && !v_is(x, KIND_FOREIGN)
                ? 1 : value_equal(vm, item, x);
    if (r < 0) return -2;
    if (r > 0) return (int64_t)i;
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY)) return -2;
  }
  return -1;
}

static Value list_m_index_of(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  int64_t i = search(vm, args[0], args[1], 0);
  return i == -2 ? V_ERROR : i == -1 ? V_NIL : v_from_int(i);
}

static Value list_m_contains(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  int64_t i = search(vm, args[0], args[1], 0);
  return i == -2 ? V_ERROR : v_from_bool(i >= 0);
}

static Value list_m_count(ox_VM *vm, Value *args, int nargs) {
  Value self = args[0], x = args[1];
  int64_t n = 0, i = -1;
  (void)nargs;
  if (!is_list(vm, self)) return V_ERROR;
  while ((i = search(vm, self, x, (uint64_t)(i + 1))) >= 0) n++;
  return i == -2 ? V_ERROR : v_from_int(n);
}

static Value list_m_remove_value(ox_VM *vm, Value *args, int nargs) {
  Value self = args[0], x = args[1];
  (void)nargs;
  if (!is_list(vm, self)) return V_ERROR;
  int64_t i = search(vm, self, x, 0);
  if (i == -2) return V_ERROR;
  if (i >= 0 && (uint64_t)i < list_len(vm, self))
    return list_remove(vm, self, (uint64_t)i) == V_ERROR ? V_ERROR : V_NIL;
  Value shown = value_repr(vm, x);
  String *s = shown == V_ERROR ? NULL : string_flat(vm, shown);
  return s ? vm_throw(vm, ERR_VALUE, "remove_value: %.100s is not in the list", s->chars) : V_ERROR;
}

static Value list_m_first(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  return list_len(vm, args[0]) ? list_get(vm, args[0], 0) : V_NIL;
}

static Value list_m_last(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  uint64_t n = list_len(vm, args[0]);
  return n ? list_get(vm, args[0], n - 1) : V_NIL;
}

/* ---- reshaping ------------------------------------------------------------------------------- */

static void reverse_list(ox_VM *vm, Value list) {
  uint64_t n = list_len(vm, list);
  if (n < 2) return;
  Value *items = items_of(vm, list);
  vm_charge(vm, n * sizeof(Value));
  gc_touch_range(vm->cage, gc_word(vm->cage, items), n);
  for (uint64_t i = 0; i < n / 2; i++) {
    Value low = items[i];
    items[i] = items[n - 1 - i];
    items[n - 1 - i] = low;
  }
}

static Value list_m_reverse(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  reverse_list(vm, args[0]);
  return V_NIL;
}

static Value list_m_copy(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return is_list(vm, args[0]) ? list_slice(vm, args[0], 0, list_len(vm, args[0])) : V_ERROR;
}

static Value list_m_reversed(ox_VM *vm, Value *args, int nargs) {
  Value copy = list_m_copy(vm, args, nargs);
  if (copy != V_ERROR) reverse_list(vm, copy);
  return copy;
}

static Value list_m_flat(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!is_list(vm, args[0])) return V_ERROR;
  Value out = list_new(vm, list_len(vm, args[0]));
  for (uint64_t i = 0; out != V_ERROR && i < list_len(vm, args[0]); i++) {
    Value item = list_get(vm, args[0], i);
    if (!(v_is(item, KIND_LIST) ? list_extend(vm, out, item) : list_push(vm, out, item)))
      return V_ERROR;
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return out;
}

static Value list_m_chunk(ox_VM *vm, Value *args, int nargs) {
  uint64_t size;
  (void)nargs;
  if (!is_list(vm, args[0]) || !arg_index(vm, args[1], "size of chunk", &size)) return V_ERROR;
  if (size == 0) return vm_throw(vm, ERR_VALUE, "size of chunk must be at least 1");
  uint64_t n = list_len(vm, args[0]);
  Value out = list_new(vm, n / size + (n % size != 0));
  uint32_t mark = vm_roots_mark(vm);
  uint64_t next = POLL_EVERY;
  for (uint64_t i = 0; out != V_ERROR && i < n; i = n - i > size ? i + size : n) {
    Value part = list_slice(vm, args[0], i, n - i > size ? i + size : n);
    if (part == V_ERROR || !list_push(vm, out, part) || !vm_poll_at(vm, i, &next)) return V_ERROR;
    vm_roots_reset(vm, mark);
  }
  return out;
}

static bool is_hashable(Value v) {
  return !v_is(v, KIND_LIST) && !v_is(v, KIND_MAP) && !v_is(v, KIND_SET) &&
         !(v_is_float(v) && v_float(v) != v_float(v));
}

/* Whether x was seen before, and notes it: 1, 0, -1. What cannot be a key is looked up in `out`. */
static int seen_before(ox_VM *vm, Value seen, Value out, Value x) {
  if (!is_hashable(x)) {
    int64_t i = search(vm, out, x, 0);
    return i == -2 ? -1 : i >= 0;
  }
  uint32_t before = as_map(vm, seen)->live;
  if (!map_set(vm, seen, x, V_TRUE)) return -1;
  return as_map(vm, seen)->live == before;
}

static Value list_m_unique(ox_VM *vm, Value *args, int nargs) {
  Value self = args[0];
  (void)nargs;
  if (!is_list(vm, self)) return V_ERROR;
  Value out = list_new(vm, 0), seen = out == V_ERROR ? V_ERROR : set_new(vm, 0);
  uint32_t mark = vm_roots_mark(vm);
  for (uint64_t i = 0; seen != V_ERROR && i < list_len(vm, self); i++) {
    Value x = list_get(vm, self, i);
    if (!vm_root(vm, x)) return V_ERROR;
    int r = seen_before(vm, seen, out, x);
    if (r < 0 || (r == 0 && !list_push(vm, out, x))) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY)) return V_ERROR;
  }
  return seen == V_ERROR ? V_ERROR : out;
}

/* ---- joining --------------------------------------------------------------------------------- */

/* Makes all elements flat and adds up their bytes and the separators between them. False: not all
 * are strings, or an error is pending. */
static bool join_length(ox_VM *vm, Value list, const String *sep, uint64_t *out) {
  uint64_t n = list_len(vm, list), total = n > 1 ? (n - 1) * sep->h.aux : 0;
  for (uint64_t i = 0; i < n; i++) {
    Value item = list_get(vm, list, i);
    String *s = v_is_string(item) ? string_flat(vm, item) : NULL;
    if (!s) return false;
    total += s->h.aux;
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY / 16)) return false;
  }
  *out = total;
  return true;
}

static char *put_bytes(char *to, const char *from, uint64_t n) {
  memcpy(to, from, n);
  return to + n;
}

static void join_write(ox_VM *vm, Value list, const String *sep, char *to) {
  uint64_t n = list_len(vm, list);
  const Value *items = n ? items_of(vm, list) : NULL;
  for (uint64_t i = 0; i < n; i++) {
    const String *s = string_flat(vm, items[i]);
    if (i > 0) to = put_bytes(to, sep->chars, sep->h.aux);
    to = put_bytes(to, s->chars, s->h.aux);
  }
}

/* All elements are strings, `total` bytes in all. */
static Value join_strings(ox_VM *vm, Value list, const String *sep, uint64_t total) {
  char small[STRING_INTERN_MAX + 1], *to = small;
  Value v = V_NIL;
  if (total > STRING_INTERN_MAX && (v = string_reserve(vm, total, &to)) == V_ERROR) return V_ERROR;
  join_write(vm, list, sep, to);
  return v == V_NIL ? string_new(vm, small, total) : v;
}

/* `str` methods of the elements may run in between. */
static bool join_any(Buf *b, Value list, const String *sep) {
  ox_VM *vm = b->vm;
  uint32_t mark = vm_roots_mark(vm);
  for (uint64_t i = 0; i < list_len(vm, list); i++) {
    if (i > 0) buf_add(b, sep->chars, sep->h.aux);
    Value item = list_get(vm, list, i);
    if (!vm_root(vm, item) || !value_print(b, item, false)) return false;
    vm_roots_reset(vm, mark);
    if (i % POLL_EVERY == POLL_EVERY - 1 && !vm_poll(vm, POLL_EVERY)) return false;
  }
  return true;
}

Value list_join(ox_VM *vm, Value *args, int nargs) {
  Value list = args[0], sep = arg_given(args, 1) ? args[1] : vm->st->empty_string;
  uint64_t total;
  Buf b;
  (void)nargs;
  if (!v_is(list, KIND_LIST)) list = list_from_iterable(vm, list, "first argument of join");
  String *s = list == V_ERROR ? NULL : arg_string(vm, sep, "separator of join");
  if (!s) return V_ERROR;
  if (join_length(vm, list, s, &total)) return join_strings(vm, list, s, total);
  if (error_pending(vm)) return V_ERROR;
  buf_init(&b, vm);
  if (join_any(&b, list, s)) return buf_finish(&b);
  buf_free(&b);
  return V_ERROR;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const NativeDef method_defs[] = {
    NATIVE("len", list_m_len, "len(self) -> int", "How many elements it has."),
    NATIVE("push", list_m_push, "push(self, x)", "Adds x at the end; gives nil."),
    NATIVE("pop", list_m_pop, "pop(self)", "Takes the last element off; throws if there is none."),
    NATIVE("insert", list_m_insert, "insert(self, i, x)",
           "Puts x before element i (len puts it last, negative counts from the end); gives nil; "
           "throws if i is out of range."),
    NATIVE("remove", list_m_remove, "remove(self, i)",
           "Takes element i out and gives it; throws if i is out of range."),
    NATIVE("remove_value", list_m_remove_value, "remove_value(self, x)",
           "Takes the first element equal to x out; gives nil; throws if there is none."),
    NATIVE("clear", list_m_clear, "clear(self)", "Takes all elements out; gives nil."),
    NATIVE("extend", list_m_extend, "extend(self, xs)",
           "Adds the elements of an iterable at the end; gives nil."),
    NATIVE("index_of", list_m_index_of, "index_of(self, x)",
           "The index of the first element equal to x, or nil."),
    NATIVE("contains", list_m_contains, "contains(self, x) -> bool",
           "Whether an element equals x, as `x in list`."),
    NATIVE("count", list_m_count, "count(self, x) -> int", "How many elements equal x."),
    NATIVE("first", list_m_first, "first(self)", "The first element, nil if there is none."),
    NATIVE("last", list_m_last, "last(self)", "The last element, nil if there is none."),
    NATIVE("reverse", list_m_reverse, "reverse(self)", "Turns the list round in place; gives nil."),
    NATIVE("reversed", list_m_reversed, "reversed(self) -> list", "A copy from last to first."),
    NATIVE("copy", list_m_copy, "copy(self) -> list", "A new list of the same elements."),
    NATIVE("flat", list_m_flat, "flat(self) -> list",
           "A copy in which elements that are lists are replaced by their elements, one level."),
    NATIVE("chunk", list_m_chunk, "chunk(self, n) -> list",
           "Lists of n elements each in turn, the last may be shorter; throws if n is below 1."),
    NATIVE("unique", list_m_unique, "unique(self) -> list",
           "The elements without those equal to an earlier one."),
    NATIVE("join", list_join, "join(self, sep = \"\") -> string",
           "The elements as str shows them, sep between them."),
    NATIVE("sum", core_sum, "sum(self)", "The numbers added up, 0 for none; throws overflow."),
    NATIVE("min", core_list_min, "min(self, key = nil)",
           "The smallest element, the first of equals, by value or key(x); throws if empty."),
    NATIVE("max", core_list_max, "max(self, key = nil)",
           "The largest element, the first of equals, by value or key(x); throws if empty."),
    NATIVE("zip", core_zip, "zip(self, ...others) -> list",
           "Lists of the first elements, the second elements, ... up to the end of the shortest."),
    NATIVE("enumerate", core_enumerate, "enumerate(self) -> list", "A pair [index, x] for each x."),
    NATIVE_SCRIPT("sort", "sort", "sort(self, f = nil, key = nil)",
                  "Sorts in place, equal elements keep their order: by value, by key(x), or by "
                  "f(a, b), a number below 0 if a comes first; gives nil; throws for types without "
                  "an order, leaving the list as it was."),
    NATIVE_SCRIPT("sorted", "sorted", "sorted(self, f = nil, key = nil) -> list",
                  "A sorted copy; see sort."),
    NATIVE_SCRIPT("map", "map", "map(self, f) -> list", "f(x) for each element."),
    NATIVE_SCRIPT("filter", "filter", "filter(self, f) -> list",
                  "The elements for which f(x) is true."),
    NATIVE_SCRIPT("reduce", "reduce", "reduce(self, f, init = first)",
                  "f(f(f(init, x0), x1), x2) and so on; without init it starts with the first "
                  "element, and throws if there is none."),
    NATIVE_SCRIPT("each", "each", "each(self, f)", "Calls f(x) for each element; gives nil."),
    NATIVE_SCRIPT("any", "any", "any(self, f = nil) -> bool",
                  "Whether an element, or f(x) if f is given, is true."),
    NATIVE_SCRIPT("all", "all", "all(self, f = nil) -> bool",
                  "Whether every element, or f(x) if f is given, is true."),
    NATIVE_SCRIPT("find", "find", "find(self, f)",
                  "The first element for which f(x) is true, or nil."),
    NATIVE_SCRIPT("group_by", "group_by", "group_by(self, f) -> map",
                  "A map from each f(x) to the list of the elements that gave it."),
};

const ModuleDef methods_list = {"list", "Methods of lists.", method_defs, LIB_COUNT(method_defs),
                                KIND_LIST, NULL};

static Value list_filled(ox_VM *vm, Value *args, int nargs) {
  uint64_t n;
  Value x = arg_given(args, 1) ? args[1] : V_NIL;
  (void)nargs;
  if (!arg_index(vm, args[0], "n of list.filled", &n)) return V_ERROR;
  Value out = list_new(vm, n);
  if (out == V_ERROR || n == 0) return out;
  Value *items = items_of(vm, out);
  uint64_t next = VM_WORK;
  for (uint64_t i = 0; i < n; i++) {
    items[i] = x; /* just made: no barrier */
    if (!vm_poll_at(vm, i * sizeof(Value), &next)) return V_ERROR;
  }
  as_list(vm, out)->len = n;
  return out;
}

static Value list_of(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_from_iterable(vm, args[0], "argument of list.from");
}

static const NativeDef module_defs[] = {
    NATIVE("filled", list_filled, "filled(n, x = nil) -> list", "A list of n times x."),
    NATIVE("from", list_of, "from(iterable) -> list", "A new list of the elements."),
};

static bool add_methods(ox_VM *vm, Value exports) {
  return registry_export_all(vm, &methods_list, exports);
}

const ModuleDef module_list = {"list", "Making lists; also all methods of lists, list.push(xs, x).",
                               module_defs, LIB_COUNT(module_defs), -1, add_methods};
