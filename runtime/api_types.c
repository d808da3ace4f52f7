/* api_types.c - the C API: objects of the host and their types. Contracts in oxbow.h.
 *
 * A type that a VM meets gets a HostType, outside the heap, and a class, inside: the class lies in
 * the list at API_TYPES under the HostType's number, so that copies of the heap carry it. Its
 * methods are functions of the host that know their type: they refuse any other self, and get the
 * object as their context. "get x(self)" and "set x(self, value)" become the pair of a property,
 * "init(...)" what calling the class runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "class.h"
#include "list.h"
#include "map.h"
#include "native.h"
#include "str.h"

enum { METHODS_MAX = 1000, SLOTS_MAX = 256, SIGNATURE_TEXT = 512 };

struct HostType {
  ForeignType type;
  ox_ForeignType host;    /* as far as the host's version of it reaches */
  const ox_ForeignType *key;
  uint32_t number;
  uint32_t users; /* lists that begin or go on with it: a fork's goes on like its parent's; atomic */
  struct HostType *next;
};

static HostType *type_find(Api *api, const ox_ForeignType *key) {
  for (HostType *t = api->types; t; t = t->next)
    if (t->key == key) return t;
  return NULL;
}

/* NULL: no memory. */
static HostType *type_for(Api *api, const ox_ForeignType *key) {
  HostType *t = type_find(api, key);
  if (t) return t;
  t = calloc(1, sizeof *t);
  if (!t) return NULL;
  memcpy(&t->host, key, key->size < sizeof t->host ? key->size : sizeof t->host);
  t->type = (ForeignType){.name = key->name, .finalize = key->finalize, .table = -1,
                          .restored = t->host.on_restore,
                          .fork = t->host.on_fork};
  t->key = key;
  t->users = 1;
  t->number = api->types ? api->types->number + 1 : 0;
  t->next = api->types;
  return api->types = t;
}

void api_fork_types(const Api *api, Api *own) {
  own->types = api->types;
  if (own->types) __atomic_add_fetch(&own->types->users, 1, __ATOMIC_RELAXED);
}

void api_free_types(Api *api) {
  HostType *t = api->types, *next;
  for (; t && __atomic_sub_fetch(&t->users, 1, __ATOMIC_ACQ_REL) == 0; t = next) {
    next = t->next;
    free(t);
  }
}

/* ---- classes --------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* The list [getter, setter] of a property, made if it is new. V_ERROR: pending. */
static Value accessors(ox_VM *vm, Value cls, const char *signature) {
  Value name = string_intern(vm, signature, strcspn(signature, "( "));
  if (name == V_ERROR || !vm_root(vm, name)) return V_ERROR;
  Value pair = map_get_str(vm, as_map(vm, as_class(vm, cls)->fields), name);
  if (pair != V_ABSENT) return pair;
  Value none[2] = {V_NIL, V_NIL};
  pair = list_from(vm, none, 2);
  if (pair == V_ERROR || !map_set(vm, as_class(vm, cls)->fields, name, pair)) return V_ERROR;
  return pair;
}

static bool add_accessor(ox_VM *vm, Value cls, const char *signature, Value function, int which) {
  Value pair = accessors(vm, cls, signature);
  if (pair != V_ERROR) list_set(vm, pair, (uint64_t)which, function);
  return pair != V_ERROR;
}

static bool add_method_as(ox_VM *vm, Value cls, const char *signature, Value function) {
  Value name = string_intern(vm, signature, strcspn(signature, "("));
  if (name == V_ERROR || !map_set(vm, as_class(vm, cls)->methods, name, function)) return false;
  Class *c = as_class(vm, cls);
  gc_touch(vm->cage, gc_word(vm->cage, &c->flags));
  if (name == vm->st->op_names[OPM_EQ]) c->flags |= CLASS_HAS_EQ;
  if (name == vm->st->op_names[OPM_HASH]) c->flags |= CLASS_HAS_HASH;
  return true;
}

/* What calls the class; it is shown by the type's name, and gets the VM's context. */
static bool add_init(ox_VM *vm, const HostType *t, Value cls, const ox_Method *m) {
  char signature[SIGNATURE_TEXT];
  int n = snprintf(signature, sizeof signature, "%s%s", t->type.name, m->signature + 4);
  HostCall call = {m->call, api_of(vm)->config.context, NULL, ROLE_INIT, t};
  if (n >= (int)sizeof signature) {
    vm_throw(vm, ERR_LIMIT, "the signature of %s.init is too long", t->type.name);
    return false;
  }
  Value function = api_function(vm, signature, m->doc, &call);
  if (function != V_ERROR) gc_store(vm->cage, v_ref(cls).w + offsetof(Class, init) / 8, function);
  return function != V_ERROR;
}

static bool add_method(ox_VM *vm, const HostType *t, Value cls, const ox_Method *m) {
  bool get = starts_with(m->signature, "get "), set = starts_with(m->signature, "set ");
  HostCall call = {m->call, NULL, NULL, get ? ROLE_GET : set ? ROLE_SET : ROLE_METHOD, t};
  if (starts_with(m->signature, "init(")) return add_init(vm, t, cls, m);
  const char *signature = m->signature + (get || set ? 4 : 0);
  if (!strstr(signature, "(self)") && !strstr(signature, "(self,")) {
    vm_throw(vm, ERR_SYSTEM, "the first parameter of %s.%s must be self", t->type.name, signature);
    return false;
  }
  Value function = api_function(vm, signature, m->doc, &call);
  if (function == V_ERROR) return false;
  return get || set ? add_accessor(vm, cls, signature, function, set)
                    : add_method_as(vm, cls, signature, function);
}

static Value class_build(ox_VM *vm, const HostType *t) {
  Value name = string_from_c(vm, t->type.name);
  Value cls = name == V_ERROR ? V_ERROR : foreign_build_class(vm, &t->type, name);
  if (cls == V_ERROR) return V_ERROR;
  for (const ox_Method *m = t->host.methods; m && m->signature; m++) {
    uint32_t mark = vm_roots_mark(vm);
    if (m - t->host.methods >= METHODS_MAX || !add_method(vm, t, cls, m)) return V_ERROR;
    vm_roots_reset(vm, mark);
  }
  return cls;
}

/* The list of classes by number; made at first. V_ERROR: pending. */
static Value classes_list(ox_VM *vm) {
  Value *list = &vm->st->spare[API_TYPES];
  if (v_is(*list, KIND_LIST)) return *list;
  Value made = list_new(vm, 4);
  if (made != V_ERROR) gc_store(vm->cage, gc_word(vm->cage, list), made);
  return made;
}

static Value class_of_type(ox_VM *vm, const HostType *t) {
  Value list = classes_list(vm);
  if (list == V_ERROR) return V_ERROR;
  while (list_len(vm, list) <= t->number)
    if (!list_push(vm, list, V_NIL)) return V_ERROR;
  Value cls = list_get(vm, list, t->number);
  if (cls != V_NIL) return cls;
  cls = class_build(vm, t);
  if (cls != V_ERROR) list_set(vm, list, t->number, cls);
  return cls;
}

static const char no_type[] = "the type is NULL, its size is not set or it has no name";

static bool is_type(const ox_ForeignType *type) { return type && type->size && type->name; }

ox_Value ox_class(ox_VM *vm, const ox_ForeignType *type) {
  API_CALL(vm);
  if (!is_type(type)) return api_broken(vm, __func__, no_type, NULL), ox_none();
  const HostType *t = type_for(api_of(vm), type);
  Value cls = t ? class_of_type(vm, t) : vm_throw_oom(vm);
  if (cls != V_ERROR && !vm_root(vm, cls)) cls = V_ERROR;
  return api_made(vm, cls);
}

/* ---- objects --------------------------------------------------------------------------------- */

ox_Value ox_foreign(ox_VM *vm, const ox_ForeignType *type, void *object) {
  API_CALL(vm);
  if (!is_type(type)) return api_broken(vm, __func__, no_type, NULL), ox_none();
  const HostType *t = type_for(api_of(vm), type);
  if (!t) {
    if (type->finalize && object) type->finalize(object);
    return api_made(vm, vm_throw_oom(vm));
  }
  uint32_t mark = vm_roots_mark(vm);
  Value cls = class_of_type(vm, t);
  if (cls != V_ERROR) vm_roots_reset(vm, mark); /* the list of classes keeps it */
  return api_made(vm, foreign_new_of(vm, &t->type, cls, object));
}

/* NULL: the object came with an image, and what it stood for is gone. */
static Handle *handle_of(ox_VM *vm, Value v) {
  uint64_t handle = ((Foreign *)vm_deref(vm, v))->handle;
  return handle < vm->nhandles ? &vm->handles[handle] : NULL;
}

void *ox_foreign_object(ox_VM *vm, ox_Value value, const ox_ForeignType *type) {
  API_CALL(vm);
  API_VALUE(vm, value);
  const HostType *t = type_find(api_of(vm), type);
  if (!t || !v_is(in(value), KIND_FOREIGN)) return NULL;
  const Handle *handle = handle_of(vm, in(value));
  return handle && handle->type == &t->type ? handle->ptr : NULL;
}

void *api_self(ox_VM *vm, ox_Value self, const HostType *t, const char *method) {
  void *object = ox_foreign_object(vm, self, t->key);
  if (!object && foreign_is_left(vm, in(self)))
    vm_throw(vm, ERR_VALUE, "this %s belongs to another interpreter: the one that was forked",
             t->type.name);
  else if (!object && v_is(in(self), KIND_FOREIGN) && foreign_is_gone(vm, in(self)))
    vm_throw(vm, ERR_VALUE, "`%s`: this %s is gone: it was an object of the program that saved the "
             "image", method, t->type.name);
  else if (!object)
    vm_throw(vm, ERR_TYPE, "`%s` wants a %s, not %s", method, t->type.name,
             vm_type_name(vm, in(self)));
  return object;
}

ox_Status ox_set_slot(ox_VM *vm, ox_Value object, unsigned index, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, object);
  API_VALUE(vm, value);
  if (!v_is(in(object), KIND_FOREIGN)) return api_misuse(vm, "ox_set_slot: no foreign object");
  if (in(value) == V_ABSENT) return api_misuse(vm, "ox_set_slot: OX_NONE is no value");
  if (index >= SLOTS_MAX) return api_misuse(vm, "ox_set_slot: the index is above 255");
  uint32_t mark = api_enter(vm);
  Foreign *f = vm_deref(vm, in(object));
  Value slots = f->slots == V_NIL ? list_new(vm, index + 1) : f->slots;
  bool ok = slots != V_ERROR;
  if (ok) gc_store(vm->cage, gc_word(vm->cage, &f->slots), slots);
  while (ok && list_len(vm, slots) <= index) ok = list_push(vm, slots, V_NIL);
  if (ok) list_set(vm, slots, index, in(value));
  return api_leave(vm, mark, ok ? V_NIL : V_ERROR, NULL);
}

ox_Value ox_slot(ox_VM *vm, ox_Value object, unsigned index) {
  API_CALL(vm);
  API_VALUE(vm, object);
  if (!v_is(in(object), KIND_FOREIGN)) return ox_none();
  Value slots = ((Foreign *)vm_deref(vm, in(object)))->slots;
  if (slots == V_NIL || index >= list_len(vm, slots)) return ox_nil();
  return out_of(list_get(vm, slots, index));
}

/* The limit may hold only since nothing was collected for long: one collection is worth it. */
static bool charge_more(ox_VM *vm, Value object, uint64_t more) {
  return vm_root(vm, object) && gc_external(vm->gc, (int64_t)more);
}

ox_Status ox_charge(ox_VM *vm, ox_Value object, uint64_t bytes) {
  API_CALL(vm);
  API_VALUE(vm, object);
  if (!v_is(in(object), KIND_FOREIGN)) return api_misuse(vm, "ox_charge: no foreign object");
  if (!handle_of(vm, in(object))) return api_misuse(vm, "ox_charge: the object is gone");
  uint32_t mark = api_enter(vm);
  Handle *handle = handle_of(vm, in(object));
  uint64_t before = handle->bytes;
  if (bytes > INT64_MAX || (bytes > before && !charge_more(vm, in(object), bytes - before)))
    return api_leave(vm, mark, vm_throw_oom(vm), NULL);
  if (bytes < before) gc_external(vm->gc, -(int64_t)(before - bytes));
  handle_of(vm, in(object))->bytes = bytes;
  return api_leave(vm, mark, V_NIL, NULL);
}

/* ---- images ---------------------------------------------------------------------------------- */

uint32_t api_type_number(const HostType *type) { return type->number; }

const HostType *api_type_numbered(const Api *api, uint32_t number) {
  for (const HostType *t = api->types; t; t = t->next)
    if (t->number == number) return t;
  return NULL;
}

void api_note_types(Api *api, VmText *notes) {
  uint32_t count = api->types ? api->types->number + 1 : 0;
  note_number(notes, count);
  for (uint32_t i = 0; i < count; i++) note_text(notes, api_type_numbered(api, i)->type.name);
}

static const ox_ForeignType *find_given(const ox_ForeignType *const *types, const char *name,
                                        size_t length) {
  for (; types && *types; types++)
    if ((*types)->name && strlen((*types)->name) == length && !memcmp((*types)->name, name, length))
      return *types;
  return NULL;
}

bool api_take_types(Api *api, NotesReader *r, const ox_ForeignType *const *types, Refusal *why) {
  uint32_t count = read_number(r);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length;
    const char *name = read_text(r, &length);
    if (r->bad) return api_refuse(why, "its notes are damaged"), false;
    const ox_ForeignType *given = find_given(types, name, length);
    if (!given)
      return api_refuse(why,
                        "it needs the host's foreign type `%.*s`, which is not among the types "
                        "given to ox_image_open",
                        (int)length, name),
             false;
    const HostType *t = type_for(api, given);
    if (!t) return api_refuse(why, "there is no memory for the types of the host"), false;
    if (t->number != i)
      return api_refuse(why, "it needs two foreign types `%s`", given->name), false;
  }
  return !r->bad;
}

/* Whether a method's signature, behind "get ", "set " or "init", is this one. */
static bool is_method(const HostType *t, const ox_Method *m, HostRole role, const char *signature,
                      size_t length) {
  bool get = starts_with(m->signature, "get "), set = starts_with(m->signature, "set ");
  bool init = starts_with(m->signature, "init(");
  HostRole is = init ? ROLE_INIT : get ? ROLE_GET : set ? ROLE_SET : ROLE_METHOD;
  const char *rest = m->signature + (is == ROLE_METHOD ? 0 : 4);
  size_t name = is == ROLE_INIT ? strlen(t->type.name) : 0;
  return is == role && strlen(rest) + name == length &&
         memcmp(signature, t->type.name, name) == 0 &&
         memcmp(signature + name, rest, length - name) == 0;
}

ox_Function api_type_function(const HostType *type, HostRole role, const char *signature,
                              size_t length) {
  for (const ox_Method *m = type->host.methods; m && m->signature; m++)
    if (is_method(type, m, role, signature, length)) return m->call;
  return NULL;
}
