/* image_owners.c - proof that programs cannot get at what the interpreter takes for its own.
 *
 * Lists, maps and weak maps replace and release their storage, and the interpreter relies on some
 * lists and maps without looking again: the tables of classes and modules, the globals, names of
 * arguments. So each of these blocks has one owner: a first walk notes it in a bitmap, and a second
 * owner is an error. Then a second walk looks at every place that programs can see, elements,
 * fields, variables, and finds there neither a noted block nor one of a kind that is never seen.
 *
 * The stub, which leads out of the interpreter, belongs to the VM in this sense, too. */
#include "image_owners.h"

#include <stdlib.h>

#include "api.h"
#include "call.h"
#include "intern.h"
#include "lib/lib.h"
#include "lib/weak.h"

/* ---- the bitmap ------------------------------------------------------------------------------ */

static void refuse(Owners *o, uint64_t where, const char *wrong) {
  if (o->wrong) return;
  o->wrong = wrong;
  o->where = where;
}

static bool is_owned(const Owners *o, uint32_t ref) {
  return ref < o->words && (o->bits[ref >> 6] >> (ref & 63) & 1);
}

static void own(Owners *o, uint32_t ref) {
  if (!ref || ref >= o->words) return;
  if (is_owned(o, ref)) refuse(o, ref, "storage of two objects");
  o->bits[ref >> 6] |= (uint64_t)1 << (ref & 63);
}

static void own_value(Owners *o, Value v) {
  if (v_is_ref(v)) own(o, v_ref(v).w);
}

bool owners_show(const Owners *o, Value v) {
  if (!v_is_ref(v)) return true;
  return v_kind(v) < KIND_FRAME && !is_owned(o, v_ref(v).w);
}

/* ---- who owns what --------------------------------------------------------------------------- */

static const Store *store_of(const Owners *o, const Header *h) {
  return h->aux ? gc_ptr(o->vm->cage, (Ref){h->aux}) : NULL;
}

/* The lists [getter, setter] of a foreign type's properties. */
static void own_accessors(Owners *o, Value fields) {
  const Map *m = vm_deref(o->vm, fields);
  const Store *s = store_of(o, &m->h);
  for (uint32_t i = 0; i < m->used; i++)
    if (v_is(s->items[2 * (uint64_t)i + 1], KIND_LIST)) own_value(o, s->items[2 * (uint64_t)i + 1]);
}

static void own_class(Owners *o, const Class *c) {
  own_value(o, c->methods);
  own_value(o, c->fields);
  own_value(o, c->defaults);
  own_value(o, c->init_fields);
  own_accessors(o, c->fields);
}

static void own_proto(Owners *o, const Proto *p) {
  own_value(o, p->info);
  own_value(o, p->children);
  own_value(o, p->params);
  for (int i = 0; i < p->h.n - 2 - PROTO_VALUES; i++)
    if (v_is(p->consts[i], KIND_LIST)) own_value(o, p->consts[i]);
}

static void own_inside(Owners *o, Instance *instance) {
  const VmState *st = o->vm->st;
  Value cls = v_from_ref(KIND_CLASS, (Ref){instance->h.aux});
  uint32_t owned[2] = {0, 0};
  if (cls == st->spare[LIB_RANDOM_CLASS]) own_value(o, instance->fields[0]);
  if (cls == st->spare[LIB_BUDDY_CLASS]) own_value(o, instance->fields[2]);
  if (cls != st->spare[LIB_WEAK_MAP_CLASS] || weak_map_check(o->vm, instance, owned)) return;
  own(o, owned[0]);
  own(o, owned[1]);
  o->tables += owned[0] != 0;
}

static void find_owned(void *ctx, void *block, uint64_t words) {
  Owners *o = ctx;
  Header *h = block;
  (void)words;
  switch ((Kind)h->kind) {
    case KIND_LIST: own(o, h->aux); break;
    case KIND_MAP:
    case KIND_SET:
      own(o, h->aux);
      own(o, ((Map *)h)->index.w);
      break;
    case KIND_CLASS: own_class(o, block); break;
    case KIND_INSTANCE: own_inside(o, block); break;
    case KIND_PROTO: own_proto(o, block); break;
    case KIND_MODULE:
      own_value(o, ((Module *)h)->exports);
      own_value(o, ((Module *)h)->imports);
      break;
    case KIND_FOREIGN: own_value(o, ((Foreign *)h)->slots); break;
    case KIND_FIBER: own_value(o, ((Fiber *)h)->stack); break;
    case KIND_STORE: o->keyed += (h->layout & LAYOUT_KEYED) != 0; break;
    default: break;
  }
}

/* Lists and maps among the spare roots that only C code looks into. */
static const uint8_t kept[] = {
    0, API_TYPES, LIB_REGEX_CACHE, LIB_MATCH_NAMES, LIB_STAT_NAMES, LIB_TIME_NAMES};

static void own_part(void *ctx, Value part) { own_value(ctx, part); }

static void own_roots(Owners *o) {
  const VmState *st = o->vm->st;
  const Value roots[] = {st->strings,      st->core,    st->globals,
                         st->global_names, st->modules, st->stub};
  for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) own_value(o, roots[i]);
  intern_each_part(o->vm, own_part, o);
  for (size_t i = 0; i < sizeof kept; i++) own_value(o, st->spare[kept[i]]);
  own(o, gc_ref(o->vm->cage, proto_of(o->vm, st->stub)).w);
}

/* ---- what programs see ----------------------------------------------------------------------- */

static void show(Owners *o, Value v, const void *from) {
  if (!owners_show(o, v))
    refuse(o, gc_word(o->vm->cage, from), "a value that is none of the program's");
}

static void show_all(Owners *o, const Value *v, uint64_t n, const void *from) {
  for (uint64_t i = 0; i < n && !o->wrong; i++) show(o, v[i], from);
}

static void show_store(Owners *o, const Header *h) {
  const Store *s = store_of(o, h);
  if (s) show_all(o, s->items, s->h.aux, h);
}

/* Hidden fields are looked at elsewhere; programs cannot name them, but for what is weak there. */
static void show_instance(Owners *o, const Instance *i) {
  const Class *c = gc_ptr(o->vm->cage, (Ref){i->h.aux});
  bool hidden = c->flags & CLASS_BUILTIN && !(i->h.layout & LAYOUT_WEAK);
  show_all(o, i->fields, hidden ? c->nfields : i->h.n, i);
}

/* Keys and values of a weak map, behind the count of them. */
static void show_keyed(Owners *o, const Store *s) {
  if (s->h.layout & LAYOUT_KEYED && s->h.aux > 1) show_all(o, s->items + 1, s->h.aux - 1, s);
}

static void show_map(Owners *o, const Map *m) {
  const Store *s = store_of(o, &m->h);
  bool own_lists = is_owned(o, gc_ref(o->vm->cage, m).w); /* of accessors, perhaps */
  for (uint32_t i = 0; i < m->used && !o->wrong; i++) {
    Value v = s->items[2 * (uint64_t)i + 1];
    show(o, s->items[2 * (uint64_t)i], m);
    if (!own_lists || !v_is(v, KIND_LIST)) show(o, v, m);
  }
}

static void show_closure(Owners *o, const Closure *c) {
  uint32_t own_ref = gc_ref(o->vm->cage, c).w;
  if (is_owned(o, c->h.aux) && own_ref != v_ref(o->vm->st->stub).w)
    refuse(o, own_ref, "a closure of the stub");
  show_all(o, c->caps, c->h.n, c);
}

static void show_proto(Owners *o, const Proto *p) {
  const Store *children = v_is(p->children, KIND_STORE) ? vm_deref(o->vm, p->children) : NULL;
  for (int i = 0; i < p->h.n - 2 - PROTO_VALUES; i++)
    if (!v_is(p->consts[i], KIND_LIST)) show(o, p->consts[i], p);
  for (uint32_t i = 0; children && i < children->h.aux; i++)
    if (is_owned(o, v_ref(children->items[i]).w))
      refuse(o, gc_word(o->vm->cage, p), "a closure of the stub");
}

static void show_error(Owners *o, const Error *e) {
  show_all(o, &e->message, 2, e);
  show(o, e->kind, e);
  if (v_is(e->trace, KIND_STORE) && is_owned(o, v_ref(e->trace).w))
    refuse(o, gc_word(o->vm->cage, e), "a trace that others write to");
}

static void show_block(void *ctx, void *block, uint64_t words) {
  Owners *o = ctx;
  const Header *h = block;
  (void)words;
  if (o->wrong) return;
  switch ((Kind)h->kind) {
    case KIND_LIST: show_store(o, h); break;
    case KIND_MAP:
    case KIND_SET: show_map(o, block); break;
    case KIND_FRAME: show_all(o, ((Frame *)block)->slots, h->n, h); break;
    case KIND_BOUND: show_all(o, &((Bound *)block)->method, 2, h); break;
    case KIND_CLASS:
      show_all(o, &((Class *)block)->name, 2, h);
      show(o, ((Class *)block)->init, h);
      break;
    case KIND_INSTANCE: show_instance(o, block); break;
    case KIND_STORE: show_keyed(o, block); break;
    case KIND_CLOSURE: show_closure(o, block); break;
    case KIND_PROTO: show_proto(o, block); break;
    case KIND_ERROR: show_error(o, block); break;
    case KIND_FIBER: {
      const Fiber *f = block;
      const Value seen[] = {f->fn, f->parent, f->if_done, f->then};
      show_all(o, seen, sizeof seen / sizeof *seen, h);
      break;
    }
    case KIND_MODULE: show(o, ((Module *)block)->main, h); break;
    case KIND_FOREIGN: show(o, ((Foreign *)block)->cls, h); break;
    default: break;
  }
}

static void show_roots(Owners *o) {
  const VmState *st = o->vm->st;
  const Value roots[] = {st->fiber,   st->oom_error, st->exit_value,
                         st->prelude, st->yielded,   st->then};
  const Store *core = vm_deref(o->vm, st->core);
  show_all(o, roots, sizeof roots / sizeof *roots, st);
  show_all(o, st->kind_class, 32, st);
  show_all(o, core->items, core->h.aux, core);
  for (int i = 0; i < 64; i++) {
    bool inside = i == API_PINS; /* forgotten when the image is opened */
    for (size_t k = 0; k < sizeof kept; k++) inside |= i == kept[k];
    if (!inside) show(o, st->spare[i], st);
  }
  if (v_is(st->thrown_trace, KIND_STORE) && is_owned(o, v_ref(st->thrown_trace).w))
    refuse(o, GC_ROOT_OFF / 8, "a trace that others write to");
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* What has a finalizer is registered for it, once. */
static void find_final(void *ctx, Ref object) {
  Owners *o = ctx;
  if (is_owned(o, object.w)) refuse(o, object.w, "an object that is registered twice");
  else own(o, object.w);
  o->keyed++;
}

static void count_final(void *ctx, void *block, uint64_t words) {
  Owners *o = ctx;
  (void)words;
  o->tables += (((Header *)block)->layout & LAYOUT_FINAL) != 0;
}

static bool begin(Owners *o) {
  for (uint64_t i = 0; o->bits && i < o->words / 64 + 1; i++) o->bits[i] = 0;
  if (!o->bits) o->bits = calloc(o->words / 64 + 1, sizeof *o->bits);
  o->keyed = o->tables = 0;
  return o->bits != NULL;
}

static void find_top(void *ctx, void *block, uint64_t words) {
  Owners *o = ctx;
  uint64_t end = gc_word(o->vm->cage, block) + words;
  if (end > o->words) o->words = end;
}

const char *owners_check(ox_VM *vm, Owners *o, uint64_t *where) {
  *o = (Owners){.vm = vm, .where = GC_ROOT_OFF / 8};
  gc_each(vm->gc, find_top, o);
  if (!begin(o)) return "there is no memory to check it";
  gc_each_final(vm->gc, find_final, o);
  gc_each(vm->gc, count_final, o);
  if (!o->wrong && o->keyed != o->tables)
    refuse(o, GC_ROOT_OFF / 8, "an object that is not registered");
  begin(o);
  own_roots(o);
  gc_each(vm->gc, find_owned, o);
  if (!o->wrong && o->keyed != o->tables)
    refuse(o, GC_ROOT_OFF / 8, "a keyed table of no weak map");
  show_roots(o);
  gc_each(vm->gc, show_block, o);
  *where = o->where;
  return o->wrong;
}

void owners_free(Owners *o) {
  free(o->bits);
  *o = (Owners){0};
}
