/* foreign.c - pointers of C libraries and hosts as objects of programs.
 *
 * The pointer itself lies in the VM's handle table outside the cage, so that no address gets into
 * the heap; the object holds the handle's number. Free handles are a list through next_free. */
#include <stdlib.h>

#include "map.h"
#include "native.h"
#include "str.h"

static bool handles_grow(ox_VM *vm) {
  uint32_t cap = vm->handles_cap ? vm->handles_cap * 2 : 16;
  int64_t more = (int64_t)((cap - vm->handles_cap) * sizeof(Handle));
  bool allowed = cap > vm->handles_cap && gc_external_now(vm->gc, more);
  Handle *handles = allowed ? realloc(vm->handles, cap * sizeof *handles) : NULL;
  if (!handles) {
    if (allowed) gc_external_now(vm->gc, -more);
    return false;
  }
  vm->handles = handles;
  vm->handles_cap = cap;
  return true;
}

/* Number of a new handle; UINT32_MAX: no memory. free_handle is 0 when there is none: the first
 * handle stays unused. */
static uint32_t handle_new(ox_VM *vm, void *ptr, const ForeignType *type) {
  uint32_t h = vm->free_handle;
  if (h != 0) {
    vm->free_handle = vm->handles[h].next_free;
  } else {
    if (vm->nhandles == 0) vm->nhandles = 1;
    if (vm->nhandles >= vm->handles_cap && !handles_grow(vm)) return UINT32_MAX;
    h = vm->nhandles++;
  }
  vm->handles[h] = (Handle){.ptr = ptr, .type = type};
  return h;
}

/* The handle of an object, or NULL: none, or one of another process. */
static Handle *handle_of(const ox_VM *vm, const Foreign *f) {
  return f->handle > 0 && f->handle < vm->nhandles ? vm->handles + f->handle : NULL;
}

/* The table with the type's methods, or -1. */
static int foreign_table(const ForeignType *type) {
  if (type->table >= 0 || !type->methods) return type->table;
  for (int t = 0; t < native_table_count; t++)
    if (native_tables[t]->defs == type->methods) return t;
  return -1;
}

static bool foreign_methods(ox_VM *vm, const ForeignType *type, Value methods) {
  int table = foreign_table(type);
  for (int i = 0; table >= 0 && i < type->nmethods; i++) {
    const char *name = type->methods[i].name;
    Value key = string_intern(vm, name, strlen(name));
    Value fn = key == V_ERROR ? V_ERROR : native_value(vm, (uint32_t)table << 10 | (uint32_t)i);
    if (fn == V_ERROR || !map_set(vm, methods, key, fn)) return false;
  }
  return true;
}

Value foreign_build_class(ox_VM *vm, const ForeignType *type, Value name) {
  Value methods = map_new(vm, 0), fields = methods != V_ERROR ? map_new(vm, 0) : V_ERROR;
  if (fields == V_ERROR || !foreign_methods(vm, type, methods)) return V_ERROR;
  Class *c = vm_alloc(vm, sizeof(Class) / 8, KIND_CLASS, LAYOUT_VALUES, 7, 0);
  if (!c) return V_ERROR;
  c->name = name;
  c->methods = methods;
  c->fields = fields;
  c->super = c->defaults = c->init = c->init_fields = V_NIL;
  c->nfields = 0;
  c->flags = CLASS_SEALED | CLASS_BUILTIN;
  Value v = v_from_ptr(vm->cage, KIND_CLASS, c);
  return vm_root(vm, v) ? v : V_ERROR;
}

/* The classes of foreign types are kept by name in a map among the spare roots. */
enum { SPARE_FOREIGN_CLASSES = 0 };

static Value foreign_class(ox_VM *vm, const ForeignType *type) {
  Value *classes = &vm->st->spare[SPARE_FOREIGN_CLASSES];
  if (!v_is(*classes, KIND_MAP)) {
    Value made = map_new(vm, 0);
    if (made == V_ERROR) return V_ERROR;
    gc_store(vm->cage, gc_word(vm->cage, classes), made);
  }
  Value name = string_intern(vm, type->name, strlen(type->name));
  if (name == V_ERROR) return V_ERROR;
  Value cls = map_get(vm, *classes, name);
  if (cls != V_ABSENT) return cls;
  cls = foreign_build_class(vm, type, name);
  return cls != V_ERROR && map_set(vm, *classes, name, cls) ? cls : V_ERROR;
}

/* Every foreign object is finalized, if only to free its handle. */
static Value foreign_make(ox_VM *vm, const ForeignType *type, Value cls, void *ptr) {
  if (cls == V_ERROR) return V_ERROR;
  uint32_t handle = handle_new(vm, NULL, type);
  if (handle == UINT32_MAX) return vm_throw_oom(vm);
  Foreign *f = vm_alloc(vm, sizeof(Foreign) / 8, KIND_FOREIGN, LAYOUT_VALUES | LAYOUT_FINAL, 2, 0);
  if (!f) return V_ERROR;
  f->cls = cls;
  f->slots = V_NIL;
  f->handle = handle;
  Value v = v_from_ptr(vm->cage, KIND_FOREIGN, f);
  if (!vm_root(vm, v)) return V_ERROR;
  if (!gc_add_final(vm->gc, gc_ref(vm->cage, f))) return vm_throw_oom(vm);
  vm->handles[handle].ptr = ptr;
  return v;
}

Value foreign_new(ox_VM *vm, const ForeignType *type, void *ptr) {
  return foreign_new_of(vm, type, foreign_class(vm, type), ptr);
}

Value foreign_new_of(ox_VM *vm, const ForeignType *type, Value cls, void *ptr) {
  Value v = foreign_make(vm, type, cls, ptr);
  if (v == V_ERROR && type->finalize && ptr) type->finalize(ptr);
  return v;
}

/* In place of a handle's number: there was one in the process that saved the image. */
#define HANDLE_GONE UINT64_MAX

static void set_handle(ox_VM *vm, Foreign *f, uint64_t handle) {
  gc_touch(vm->cage, gc_word(vm->cage, &f->handle));
  f->handle = handle;
}

static void close_one(void *ctx, Ref object) {
  ox_VM *vm = ctx;
  Foreign *f = gc_ptr(vm->cage, object);
  if (f->h.kind == KIND_FOREIGN) set_handle(vm, f, HANDLE_GONE);
}

void foreign_close_all(ox_VM *vm) { gc_each_final(vm->gc, close_one, vm); }

bool foreign_is_gone(ox_VM *vm, Value foreign) {
  uint64_t handle = ((Foreign *)vm_deref(vm, foreign))->handle;
  return handle == HANDLE_GONE || foreign_is_left(vm, foreign);
}

bool foreign_renew(ox_VM *vm, Value foreign, const ForeignType *type, void *ptr) {
  uint32_t handle = ptr ? handle_new(vm, ptr, type) : UINT32_MAX;
  if (handle == UINT32_MAX) {
    if (ptr && type->finalize) type->finalize(ptr);
    vm_throw_oom(vm);
    return false;
  }
  set_handle(vm, vm_deref(vm, foreign), handle);
  return true;
}

void *foreign_get(ox_VM *vm, Value v, const ForeignType *type, const char *what) {
  if (v_is(v, KIND_FOREIGN)) {
    const Foreign *f = vm_deref(vm, v);
    const Handle *h = handle_of(vm, f);
    if (h && h->type == type) {
      if (h->ptr) return h->ptr;
      if (h->left)
        vm_throw(vm, ERR_VALUE, "%s belongs to another interpreter: the one that was forked", what);
      else vm_throw(vm, ERR_VALUE, "%s is closed", what);
      return NULL;
    }
    if (f->handle == HANDLE_GONE) {
      vm_throw(vm, ERR_VALUE, "%s is closed: it was open when the image was saved; open it anew", what);
      return NULL;
    }
  }
  vm_throw(vm, ERR_TYPE, "%s must be a %s, not %s", what, type->name, vm_type_name(vm, v));
  return NULL;
}

const char *foreign_name(ox_VM *vm, Ref object) {
  const Foreign *f = gc_ptr(vm->cage, object);
  const Handle *h = f->h.kind == KIND_FOREIGN ? handle_of(vm, f) : NULL;
  const ForeignType *type = h ? h->type : NULL;
  return type ? type->name : NULL;
}

void foreign_finalize(ox_VM *vm, Ref object) {
  Foreign *f = gc_ptr(vm->cage, object);
  Handle *h = handle_of(vm, f);
  if (!h) return;
  const ForeignType *type = h->type;
  if (h->ptr && type->finalize) type->finalize(h->ptr);
  if (h->bytes) gc_external(vm->gc, -(int64_t)h->bytes);
  *h = (Handle){.next_free = vm->free_handle};
  vm->free_handle = (uint32_t)f->handle;
}

static void tell_restored(void *ctx, Ref object) {
  ox_VM *vm = ctx;
  Foreign *f = gc_ptr(vm->cage, object);
  const Handle *h = f->h.kind == KIND_FOREIGN ? handle_of(vm, f) : NULL;
  if (!h) return;
  const ForeignType *type = h->type;
  if (h->ptr && type->restored) type->restored(h->ptr);
}

void foreign_restored(ox_VM *vm) { gc_each_final(vm->gc, tell_restored, vm); }

void foreign_finalize_all(ox_VM *vm) {
  for (uint32_t i = 1; i < vm->nhandles; i++) {
    const ForeignType *type = vm->handles[i].type;
    if (vm->handles[i].ptr && type->finalize) type->finalize(vm->handles[i].ptr);
    vm->handles[i].ptr = NULL;
  }
}

bool foreign_is_left(ox_VM *vm, Value v) {
  if (!v_is(v, KIND_FOREIGN)) return false;
  const Handle *h = handle_of(vm, vm_deref(vm, v));
  return h && h->left;
}

bool foreign_fork(const ox_VM *vm, ox_VM *child) {
  if (!vm->nhandles) return true;
  child->handles = malloc(vm->nhandles * sizeof *child->handles);
  if (!child->handles) return false;
  child->nhandles = child->handles_cap = vm->nhandles;
  child->free_handle = vm->free_handle;
  child->handles[0] = (Handle){0}; /* never used */
  for (uint32_t i = 1; i < vm->nhandles; i++) {
    const Handle *h = vm->handles + i;
    const ForeignType *type = h->type;
    void *ptr = h->ptr && type->fork ? type->fork(h->ptr) : NULL;
    child->handles[i] = (Handle){.ptr = ptr, .type = type, .next_free = h->next_free,
                                 .left = !ptr && (h->ptr || h->left)};
  }
  return true;
}

void foreign_forget(ox_VM *vm, const void *ptr) {
  for (uint32_t i = 1; i < vm->nhandles; i++)
    if (vm->handles[i].ptr == ptr) vm->handles[i].ptr = NULL;
}
