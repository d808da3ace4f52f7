/* args.c - checking the arguments of natives. Every failure throws a message that begins with
 * `what`, which names parameter and function: "index of insert must be an int, not string". */
#include <string.h>

#include "list.h"
#include "map.h"
#include "native.h"
#include "number.h"
#include "str.h"

static bool wrong_type(ox_VM *vm, Value v, const char *what, const char *expected) {
  if (v == V_ABSENT) vm_throw(vm, ERR_ARITY, "%s is missing", what);
  else vm_throw(vm, ERR_TYPE, "%s must be %s, not %s", what, expected, vm_type_name(vm, v));
  return false;
}

bool arg_int(ox_VM *vm, Value v, const char *what, int64_t *out) {
  if (!num_is_int(v)) return wrong_type(vm, v, what, "an int");
  *out = num_int(vm, v);
  return true;
}

bool arg_number(ox_VM *vm, Value v, const char *what, double *out) {
  if (!num_is(v)) return wrong_type(vm, v, what, "a number");
  *out = num_double(vm, v);
  return true;
}

bool arg_index(ox_VM *vm, Value v, const char *what, uint64_t *out) {
  int64_t i;
  if (!arg_int(vm, v, what, &i)) return false;
  *out = (uint64_t)i;
  if (i >= 0) return true;
  vm_throw(vm, ERR_VALUE, "%s must not be negative, but is %lld", what, (long long)i);
  return false;
}

String *arg_string(ox_VM *vm, Value v, const char *what) {
  if (v_is_string(v)) return string_flat(vm, v);
  wrong_type(vm, v, what, "a string");
  return NULL;
}

static const char *kind_phrase(Kind kind) {
  switch (kind) {
    case KIND_LIST: return "a list";
    case KIND_MAP: return "a map";
    case KIND_SET: return "a set";
    case KIND_RANGE: return "a range";
    case KIND_FIBER: return "a fiber";
    case KIND_ERROR: return "an error";
    case KIND_CLASS: return "a class";
    case KIND_MODULE: return "a module";
    case KIND_STRING: return "a string";
    default: return "of another type";
  }
}

bool arg_kind(ox_VM *vm, Value v, Kind kind, const char *what) {
  if (v_is(v, kind) || (kind == KIND_STRING && v_is(v, KIND_ROPE))) return true;
  return wrong_type(vm, v, what, kind_phrase(kind));
}

bool arg_is_callable(ox_VM *vm, Value v) {
  return v_is(v, KIND_CLOSURE) || v_is(v, KIND_NATIVE) || v_is(v, KIND_BOUND) ||
         v_is(v, KIND_CLASS) || vm_has_op(vm, v, OPM_CALL);
}

bool arg_callable(ox_VM *vm, Value v, const char *what) {
  return (arg_is_callable(vm, v) && !v_is(v, KIND_FOREIGN)) ||
         wrong_type(vm, v, what, "a function");
}

/* `options` is the map of the one option there is, under `name` in *found. */
static bool only_option(ox_VM *vm, Value options, const char *name, Value *found) {
  Value key = string_intern(vm, name, strlen(name));
  if (key == V_ERROR) return false;
  *found = map_get(vm, options, key);
  return (*found != V_ABSENT || !error_pending(vm)) &&
         as_map(vm, options)->live == (*found != V_ABSENT);
}

bool arg_option(ox_VM *vm, Value options, const char *fn, const char *name, const char *example,
                Value *out) {
  *out = V_ABSENT;
  if (options == V_ABSENT || options == V_NIL) return true;
  if (!v_is(options, KIND_MAP))
    return vm_throw(vm, ERR_TYPE, "%s: options must be a map, not %s", fn,
                    vm_type_name(vm, options)), false;
  if (only_option(vm, options, name, out)) return true;
  if (!error_pending(vm))
    vm_throw(vm, ERR_VALUE, "%s: the only option is `%s`: %s", fn, name, example);
  return false;
}

bool arg_element(ox_VM *vm, Value v, uint64_t len, const char *what, uint64_t *out) {
  int64_t i;
  if (!arg_int(vm, v, what, &i)) return false;
  *out = i < 0 ? (uint64_t)i + len : (uint64_t)i;
  if (*out < len) return true;
  vm_throw(vm, ERR_INDEX, "%s is out of range: it is %lld, and the list has %llu element%s",
           what, (long long)i, (unsigned long long)len, len == 1 ? "" : "s");
  return false;
}
