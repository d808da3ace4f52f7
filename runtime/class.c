/* class.c - classes: making them, making instances, finding methods.
 *
 * Making an instance. The class in R[at] is replaced by the new instance, and arguments move up by
 * two:
 *     R[at] instance   R[at+1] init   R[at+2] link   R[at+3] self   R[at+4].. arguments
 * init's frame has the mode RET_INIT, whose result is the instance. Classes with computed defaults
 * first run their %fields methods, root class first, in frames above the arranged arguments:
 *     with G = at + 3 + total:  R[G] total   R[G+1] which one   R[G+2] link of init
 *     R[G+3] method   R[G+4] link   R[G+5] self
 * If the caller waits in another way than RET_STORE (it is C code), its link is kept in R[at-2],
 * which call_above left free. */
#include "class.h"

#include "../lang/module.h"
#include "fiber.h"
#include "list.h"
#include "map.h"
#include "native.h"
#include "number.h"
#include "ops.h"
#include "signature.h"
#include "str.h"

static void set_field(ox_VM *vm, Value object, size_t offset, Value v) {
  gc_store(vm->cage, v_ref(object).w + offset / 8, v);
}
#define SET(object, Type, field, v) set_field(vm, object, offsetof(Type, field), v)

/* ---- looking things up ---- */

Value class_method(ox_VM *vm, Class *c, Value name) {
  return map_get_str(vm, as_map(vm, c->methods), name);
}

int class_field(ox_VM *vm, Class *c, Value name) {
  Value slot = map_get_str(vm, as_map(vm, c->fields), name);
  return slot == V_ABSENT ? -1 : (int)v_int(slot);
}

bool class_is(ox_VM *vm, Value cls, Value ancestor) {
  while (cls != ancestor && cls != V_NIL) cls = as_class(vm, cls)->super;
  return cls == ancestor;
}

Value bound_new(ox_VM *vm, Value method, Value self) {
  Bound *b = vm_alloc(vm, 3, KIND_BOUND, LAYOUT_VALUES, 2, 0);
  if (b == NULL) return V_ERROR;
  b->method = method;
  b->self = self;
  Value v = v_from_ptr(vm->cage, KIND_BOUND, b);
  return vm_root(vm, v) ? v : V_ERROR;
}

/* ---- builtin classes ---- */

static unsigned class_index(Value v) {
  if (v_is_float(v)) return CLASS_OF_FLOAT;
  if (v_is_int(v) || v_is(v, KIND_WIDE_INT)) return CLASS_OF_INT;
  if (v_is_bool(v)) return CLASS_OF_BOOL;
  if (!v_is_ref(v)) return CLASS_OF_NIL;
  Kind k = v_kind(v);
  return k == KIND_ROPE ? KIND_STRING : k == KIND_NATIVE || k == KIND_BOUND ? KIND_CLOSURE : k;
}

static const char *const type_names[] = {
#define TYPE(e, name) name,
#include "../lang/types.def"
#undef TYPE
};
enum {
#define TYPE(e, name) TYPE_##e,
#include "../lang/types.def"
#undef TYPE
};
static const uint8_t kind_types[] = {
#define KIND(e, name, type, what) TYPE_##type,
#include "kinds.def"
#undef KIND
};

static const char *index_name(unsigned index) {
  switch (index) {
    case CLASS_OF_NIL: return "nil";
    case CLASS_OF_BOOL: return "bool";
    case CLASS_OF_INT: return "int";
    case CLASS_OF_FLOAT: return "float";
    default: return type_names[kind_types[index]];
  }
}

const char *vm_type_name(ox_VM *vm, Value v) {
  Value cls = V_NIL;
  if (v == V_ABSENT) return "nothing";
  if (v_is(v, KIND_INSTANCE))
    cls = v_from_ref(KIND_CLASS, (Ref){((Instance *)vm_deref(vm, v))->h.aux});
  if (v_is(v, KIND_FOREIGN)) cls = ((Foreign *)vm_deref(vm, v))->cls;
  if (!v_is(cls, KIND_CLASS)) return index_name(class_index(v));
  String *name = string_flat(vm, as_class(vm, cls)->name);
  return name ? name->chars : "instance";
}

static void touch(ox_VM *vm, const void *place) { gc_touch(vm->cage, gc_word(vm->cage, place)); }

/* FAST_* of a method of builtin values. */
static uint16_t fast_method(Kind kind, const char *name) {
  static const struct { Kind kind; const char *name; uint16_t which; } fast[] = {
    {KIND_LIST, "push", FAST_LIST_PUSH},
    {KIND_MAP, "get", FAST_MAP_GET},
    {KIND_MAP, "has", FAST_MAP_HAS},
    {KIND_FIBER, "next", FAST_FIBER_NEXT},
  };
  for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
    if (fast[i].kind == kind && strcmp(fast[i].name, name) == 0) return fast[i].which;
  return FAST_NONE;
}

uint16_t class_fast_method(uint32_t number) {
  const ModuleDef *m = native_tables[number >> NATIVE_INDEX_BITS];
  const NativeDef *def = &m->defs[number & ((1 << NATIVE_INDEX_BITS) - 1)];
  return m->type < 0 ? FAST_NONE : fast_method((Kind)m->type, def->name);
}

static void mark_fast(ox_VM *vm, Value native, Kind kind, const char *name) {
  uint16_t which = fast_method(kind, name);
  if (!which) return;
  Native *n = (Native *)vm_deref(vm, native);
  touch(vm, &n->reserved);
  n->reserved = which;
}

static bool add_natives(ox_VM *vm, Value methods, int table) {
  const ModuleDef *m = native_tables[table];
  for (int i = 0; i < m->ndefs; i++) {
    if (m->defs[i].kind == DEF_NUMBER) continue;
    uint32_t mark = vm_roots_mark(vm);
    Value name = string_intern(vm, m->defs[i].name, strlen(m->defs[i].name));
    Value fn = name == V_ERROR ? V_ERROR : native_value(vm, (uint32_t)(table << 10 | i));
    if (fn == V_ERROR || !map_set(vm, methods, name, fn)) return false;
    mark_fast(vm, fn, (Kind)m->type, m->defs[i].name);
    vm_roots_reset(vm, mark);
  }
  return true;
}

/* A class object; its parts must be reachable. Rooted. */
static Value class_alloc(ox_VM *vm, Value name, Value super, Value methods, Value fields,
                         Value defaults) {
  Class *c = vm_alloc(vm, sizeof(Class) / 8, KIND_CLASS, LAYOUT_VALUES, 7, 0);
  if (c == NULL) return V_ERROR;
  c->name = name;
  c->super = super;
  c->methods = methods;
  c->fields = fields;
  c->defaults = defaults;
  c->init = c->init_fields = V_NIL;
  c->nfields = c->flags = 0;
  Value v = v_from_ptr(vm->cage, KIND_CLASS, c);
  return vm_root(vm, v) ? v : V_ERROR;
}

static Value build_class(ox_VM *vm, unsigned index) {
  Value methods = map_new(vm, 0);
  if (methods == V_ERROR) return V_ERROR;
  for (int t = 0; t < native_table_count; t++)
    if (native_tables[t]->type == (int)index && !add_natives(vm, methods, t)) return V_ERROR;
  Value name = string_from_c(vm, index_name(index)), fields = map_new(vm, 0),
        defaults = list_new(vm, 0);
  if (name == V_ERROR || fields == V_ERROR || defaults == V_ERROR) return V_ERROR;
  Value v = class_alloc(vm, name, V_NIL, methods, fields, defaults);
  if (v != V_ERROR) as_class(vm, v)->flags = CLASS_SEALED | CLASS_BUILTIN;
  return v;
}

Value vm_class_of(ox_VM *vm, Value v) {
  if (v_is(v, KIND_INSTANCE))
    return v_from_ref(KIND_CLASS, (Ref){((Instance *)vm_deref(vm, v))->h.aux});
  if (v_is(v, KIND_FOREIGN) && ((Foreign *)vm_deref(vm, v))->cls != V_NIL)
    return ((Foreign *)vm_deref(vm, v))->cls;
  unsigned index = class_index(v);
  Value *place = &vm->st->kind_class[index];
  if (!v_is(*place, KIND_CLASS)) {
    uint32_t mark = vm_roots_mark(vm);
    Value cls = build_class(vm, index);
    vm_roots_reset(vm, mark);
    if (cls == V_ERROR) return V_ERROR;
    *place = cls;
  }
  if (v_is_ref(v))
    vm->st->kind_class[v_kind(v)] = *place; /* ropes are strings: for inline caches */
  return *place;
}

Value vm_find_method(ox_VM *vm, Value receiver, Value name) {
  if (v_is(receiver, KIND_INSTANCE)) {
    uint32_t cls = ((Instance *)vm_deref(vm, receiver))->h.aux;
    LookupEntry *e = lookup_entry(vm->cage, cls, (uint32_t)name);
    if (e->cls == cls && e->name == (uint32_t)name && e->is_method)
      return v_from_ref(KIND_CLOSURE, (Ref){e->slot});
    Value method = class_method(vm, (Class *)gc_ptr(vm->cage, (Ref){cls}), name);
    if (v_is(method, KIND_CLOSURE)) lookup_fill(vm, cls, name, v_ref(method).w, true);
    return method;
  }
  Value cls = vm_class_of(vm, receiver);
  return cls == V_ERROR ? V_ERROR : class_method(vm, as_class(vm, cls), name);
}

/* ---- making instances ---- */

static Value instance_new(ox_VM *vm, Value cls) {
  unsigned n = as_class(vm, cls)->nfields;
  Instance *o =
      vm_alloc(vm, 1 + n, KIND_INSTANCE, LAYOUT_VALUES | LAYOUT_AUX_REF, (uint16_t)n, v_ref(cls).w);
  if (o == NULL) return V_ERROR;
  if (n) {
    List *defaults = as_list(vm, as_class(vm, cls)->defaults);
    memcpy(o->fields, list_store(vm, defaults)->items, n * sizeof(Value));
  }
  return v_from_ptr(vm->cage, KIND_INSTANCE, o);
}

static bool check_constructible(ox_VM *vm, Class *c, unsigned nargs) {
  String *s = string_flat(vm, c->name);
  const char *name = s ? s->chars : "?";
  if (c->flags & CLASS_BUILTIN)
    vm_throw(vm, ERR_TYPE, "cannot make a %s by calling its class", name);
  else if (!(c->flags & CLASS_SEALED))
    vm_throw(vm, ERR_NAME, "class %s is called before its declaration has ended", name);
  else if (c->init == V_NIL && nargs > 0)
    vm_throw(vm, ERR_ARITY, "%s() takes no arguments, got %u: the class has no `init`", name,
             nargs);
  else
    return true;
  return false;
}

static bool run_init(ox_VM *vm, unsigned at, uint64_t ret) {
  Value *R = vm_regs(vm);
  Class *c = as_class(vm, vm_class_of(vm, R[at]));
  if (c->init == V_NIL) return call_deliver(vm, ret, R + at + 3, V_NIL);
  R[at + 1] = c->init;
  return call_enter_arranged(vm, at + 1, ret);
}

/* An int in the chain of %fields methods is the slot of a field that a class below declares again
 * with a plain default, which the method before it has overwritten. */
static unsigned set_plain_defaults(ox_VM *vm, Value o, Class *c, unsigned which) {
  uint64_t n = list_len(vm, c->init_fields);
  for (; which < n && v_is_int(list_get(vm, c->init_fields, which)); which++) {
    uint64_t slot = (uint64_t)v_int(list_get(vm, c->init_fields, which));
    gc_store(vm->cage, v_ref(o).w + 1 + slot, list_get(vm, c->defaults, slot));
  }
  return which;
}

/* Goes on with entry `which` of the chain, or with init at its end. */
static bool run_fields(ox_VM *vm, unsigned at, unsigned total, unsigned which, uint64_t ret) {
  Class *c = as_class(vm, vm_class_of(vm, vm_regs(vm)[at]));
  which = set_plain_defaults(vm, vm_regs(vm)[at], c, which);
  if (which == list_len(vm, c->init_fields)) return run_init(vm, at, ret);
  unsigned G = at + 3 + total;
  if (!call_claim(vm, G + 6)) return false;
  Value *R = vm_regs(vm);
  R[G] = total;
  R[G + 1] = which;
  R[G + 2] = ret;
  R[G + 3] = list_get(vm, c->init_fields, which);
  R[G + 5] = R[at];
  return call_enter_arranged(vm, G + 3, link_make(link_pc(ret), 0, RET_FIELDS));
}

bool class_fields_done(ox_VM *vm, uint64_t link, Value *N) {
  unsigned total = (unsigned)N[-5], which = (unsigned)N[-4] + 1;
  uint64_t ret = N[-3];
  unsigned at = link_delta(link) - total - 8;
  return run_fields(vm, at, total, which, ret);
}

/* Moves the arguments behind self and fits them to init's parameters. *total: how many there are
 * then. */
static bool place_init_args(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, Value init,
                            unsigned *total) {
  if (!call_claim(vm, at + 5 + (uint64_t)nargs)) return false;
  Value *R = vm_regs(vm);
  memmove(R + at + 4, R + at + 2, nargs * sizeof(Value));
  R[at + 3] = R[at];
  *total = 1;
  if (init == V_NIL) return true;
  Proto *p = proto_of(vm, init);
  *total = p->nparams + (p->flags & FN_REST ? 1u : 0u);
  if (!named && p->arity == nargs + 1) return true;
  return call_arrange(vm, at + 1, nargs + 1, named, init);
}

bool class_construct(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, uint64_t ret) {
  Value cls = vm_regs(vm)[at];
  if (as_class(vm, cls)->flags & CLASS_BUILTIN && as_class(vm, cls)->init != V_NIL) {
    vm_regs(vm)[at] = as_class(vm, cls)->init; /* of a foreign type: it makes the object itself */
    return call_at(vm, at, nargs, named, ret);
  }
  if (!check_constructible(vm, as_class(vm, cls), nargs + (named ? named->n : 0))) return false;
  Value o = instance_new(vm, cls);
  if (o == V_ERROR) return false;
  vm_regs(vm)[at] = o;
  Class *c = as_class(vm, cls);
  bool computed = c->init_fields != V_NIL;
  if (c->init == V_NIL && !computed) return call_deliver(vm, ret, NULL, o);
  RetMode mode = RET_INIT;
  if (link_mode(ret) != RET_STORE) {
    vm_regs(vm)[at - 2] = ret;
    mode = RET_INIT_OUTER;
  }
  ret = link_make(link_pc(ret), link_dest(ret), mode);
  unsigned total;
  if (!place_init_args(vm, at, nargs, named, c->init, &total)) return false;
  return computed ? run_fields(vm, at, total, 0, ret) : run_init(vm, at, ret);
}

/* ---- the instructions that make classes ---- */

static bool check_super(ox_VM *vm, Value super) {
  if (!v_is(super, KIND_CLASS)) {
    vm_throw(vm, ERR_TYPE, "cannot inherit from %s: it is no class", vm_type_name(vm, super));
    return false;
  }
  Class *c = as_class(vm, super);
  if ((c->flags & (CLASS_SEALED | CLASS_BUILTIN)) == CLASS_SEALED) return true;
  String *name = string_flat(vm, c->name);
  vm_throw(vm, ERR_TYPE, c->flags & CLASS_BUILTIN ? "cannot inherit from the builtin class %s"
           : "class %s cannot inherit from itself", name ? name->chars : "?");
  return false;
}

static Value class_below(ox_VM *vm, Value name, Value super) {
  Class *c = as_class(vm, super);
  Value methods = map_copy(vm, c->methods);
  if (methods == V_ERROR) return V_ERROR;
  Value fields = map_copy(vm, as_class(vm, super)->fields);
  if (fields == V_ERROR) return V_ERROR;
  Value defaults = as_class(vm, super)->defaults;
  defaults = list_slice(vm, defaults, 0, list_len(vm, defaults));
  if (defaults == V_ERROR) return V_ERROR;
  Value v = class_alloc(vm, name, super, methods, fields, defaults);
  if (v == V_ERROR) return V_ERROR;
  Class *sub = as_class(vm, v);
  c = as_class(vm, super);
  sub->init = c->init;
  sub->nfields = c->nfields;
  sub->flags = c->flags & ~(uint32_t)CLASS_SEALED;
  if (c->init_fields == V_NIL) return v;
  Value list = list_slice(vm, c->init_fields, 0, list_len(vm, c->init_fields));
  if (list == V_ERROR) return V_ERROR;
  SET(v, Class, init_fields, list);
  return v;
}

bool slow_class(ox_VM *vm, uint32_t ins) {
  Value name = vm_const(vm, vm_pc(vm)[0]);
  vm->st->pc++;
  Value v;
  if (INS_B(ins) == NO_SUPERCLASS) {
    Value methods = map_new(vm, 0), fields = map_new(vm, 0), defaults = list_new(vm, 0);
    if (methods == V_ERROR || fields == V_ERROR || defaults == V_ERROR) return false;
    v = class_alloc(vm, name, V_NIL, methods, fields, defaults);
  } else {
    Value super = vm_regs(vm)[INS_B(ins)];
    if (!check_super(vm, super)) return false;
    v = class_below(vm, name, super);
  }
  if (v == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = v;
  return true;
}

enum { MAX_FIELDS = 4000 };

/* The class that is being made. Only code that no compiler made asks in vain. NULL: error
 * pending. */
static Class *open_class(ox_VM *vm, uint32_t ins) {
  Value cls = vm_regs(vm)[INS_A(ins)];
  if (v_is(cls, KIND_CLASS) && !(as_class(vm, cls)->flags & CLASS_SEALED)) return as_class(vm, cls);
  vm_throw(vm, ERR_SYSTEM, "damaged code: no class is being made");
  return NULL;
}

bool class_is_initialiser(ox_VM *vm, Value method) {
  return v_is(method, KIND_CLOSURE) && proto_of(vm, method)->arity == 1;
}

bool slow_field(ox_VM *vm, uint32_t ins) {
  Value cls = vm_regs(vm)[INS_A(ins)], name = vm_const(vm, vm_pc(vm)[0]);
  Value first = INS_C(ins) ? V_NIL : vm_regs(vm)[INS_B(ins)];
  vm->st->pc++;
  Class *c = open_class(vm, ins);
  if (!c) return false;
  int slot = class_field(vm, c, name);
  if (slot >= 0) {
    list_set(vm, c->defaults, (uint64_t)slot, first);
    return INS_C(ins) || c->init_fields == V_NIL || list_push(vm, c->init_fields, v_from_int(slot));
  }
  if (c->nfields == MAX_FIELDS) {
    vm_throw(vm, ERR_LIMIT, "class with more than %d fields", MAX_FIELDS);
    return false;
  }
  if (!map_set(vm, c->fields, name, v_from_int(c->nfields)) || !list_push(vm, c->defaults, first))
    return false;
  c = as_class(vm, cls);
  touch(vm, &c->nfields);
  c->nfields++;
  return true;
}

static bool add_init_fields(ox_VM *vm, Value cls, Value method) {
  if (as_class(vm, cls)->init_fields == V_NIL) {
    Value list = list_new(vm, 1);
    if (list == V_ERROR) return false;
    SET(cls, Class, init_fields, list);
  }
  return list_push(vm, as_class(vm, cls)->init_fields, method);
}

bool slow_method(ox_VM *vm, uint32_t ins) {
  Value cls = vm_regs(vm)[INS_A(ins)], name = vm_const(vm, vm_pc(vm)[0]);
  Value method = vm_regs(vm)[INS_B(ins)];
  vm->st->pc++;
  const Value *names = vm->st->op_names;
  if (!open_class(vm, ins)) return false;
  if (!v_is(method, KIND_CLOSURE) ||
      (name == names[OPM_FIELDS] && !class_is_initialiser(vm, method))) {
    vm_throw(vm, ERR_SYSTEM, "damaged code: a method that is none");
    return false;
  }
  if (name == names[OPM_FIELDS]) return add_init_fields(vm, cls, method);
  if (name == names[OPM_INIT]) SET(cls, Class, init, method);
  Class *c = as_class(vm, cls);
  touch(vm, &c->flags);
  if (name == names[OPM_EQ]) c->flags |= CLASS_HAS_EQ;
  if (name == names[OPM_HASH]) c->flags |= CLASS_HAS_HASH;
  return map_set(vm, c->methods, name, method);
}

bool slow_classend(ox_VM *vm, uint32_t ins) {
  Class *c = open_class(vm, ins);
  if (!c) return false;
  touch(vm, &c->flags);
  c->flags |= CLASS_SEALED;
  return true;
}

bool slow_superget(ox_VM *vm, uint32_t ins) {
  Value cls = vm_regs(vm)[INS_B(ins)], name = vm_const(vm, (uint16_t)vm_pc(vm)[0]);
  if (!v_is(cls, KIND_CLASS)) {
    vm_throw(vm, ERR_SYSTEM, "damaged code: a superclass that is none");
    return false;
  }
  Value method = class_method(vm, as_class(vm, cls), name);
  if (method == V_ABSENT) {
    String *c = string_flat(vm, as_class(vm, cls)->name), *n = string_flat(vm, name);
    vm_throw(vm, ERR_NAME, "class %s has no method `%s`", c ? c->chars : "?", n ? n->chars : "?");
    return false;
  }
  if (INS_C(ins) != SUPER_UNBOUND) method = bound_new(vm, method, vm_regs(vm)[INS_C(ins)]);
  if (method == V_ERROR) return false;
  vm->st->pc++;
  vm_regs(vm)[INS_A(ins)] = method;
  return true;
}
