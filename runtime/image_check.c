/* image_check.c - proof that the objects in a heap that nobody vouches for are such as the
 * interpreter takes for granted. gc/image_check.c has shown before that each reference leads to the
 * start of a block and each header fits its block. Then, one pass each:
 *
 *   shapes    each block is of a kind, has the one layout of that kind, and is long enough for it;
 *             references name the kind that they lead to
 *   objects   each field is of the kinds that code reads it as, counts are within their storage
 *   owners    what belongs to one object or to the interpreter, nobody else sees (image_owners.c)
 *   the rest  fibers' frames, code, closures against their code, the VM's own words, strings
 *
 * A later pass may read whatever the ones before have shown to be there. What only the code of a
 * module understands (weak maps, buddy managers) that code checks. Storage that its owner replaces
 * and releases, or that code writes to as bytes, has one owner (check_owners). */
#include "image.h"

#include <stdlib.h>

#include "../lang/opcode.h"
#include "../lang/utf8.h"
#include "api.h"
#include "class.h"
#include "image_code.h"
#include "image_protos.h"
#include "intern.h"
#include "lib/buddy.h"
#include "lib/lib.h"
#include "lib/weak.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "native.h"
#include "number.h"
#include "signature.h"
#include "snapshot.h"
#include "snapshot_life.h"
#include "str.h"

typedef const char *Rule(ox_VM *vm, const Header *h, uint64_t words);

typedef struct Pass {
  ox_VM *vm;
  Rule *rule;
  const char *wrong;
  uint64_t where;
} Pass;

static void apply(void *ctx, void *block, uint64_t words) {
  Pass *p = ctx;
  if (p->wrong) return;
  p->wrong = p->rule(p->vm, block, words);
  p->where = gc_word(p->vm->cage, block);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* n: how many values, -1: any number; bytes: at least so long. maybe: flags that may be set. */
static const struct {
  int16_t n;
  uint8_t layout, maybe;
  uint16_t bytes;
} shapes[KIND_COUNT] = {
    [KIND_CLOSURE] = {-1, LAYOUT_VALUES | LAYOUT_AUX_REF | LAYOUT_PAIRS(1), 0, sizeof(Closure)},
    [KIND_NATIVE] = {0, LAYOUT_VALUES, LAYOUT_FINAL, sizeof(Native)},
    [KIND_BOUND] = {2, LAYOUT_VALUES, 0, sizeof(Bound)},
    [KIND_CLASS] = {7, LAYOUT_VALUES, 0, sizeof(Class)},
    [KIND_INSTANCE] = {-1, LAYOUT_VALUES | LAYOUT_AUX_REF, LAYOUT_WEAK, sizeof(Instance)},
    [KIND_STRING] = {-1, LAYOUT_RAW, 0, sizeof(String)},
    [KIND_ROPE] = {0, LAYOUT_VALUES | LAYOUT_PAIRS(1), 0, sizeof(Rope)},
    [KIND_LIST] = {0, LAYOUT_VALUES | LAYOUT_AUX_REF, 0, sizeof(List)},
    [KIND_MAP] = {0, LAYOUT_VALUES | LAYOUT_AUX_REF | LAYOUT_PAIRS(1), 0, sizeof(Map)},
    [KIND_SET] = {0, LAYOUT_VALUES | LAYOUT_AUX_REF | LAYOUT_PAIRS(1), 0, sizeof(Map)},
    [KIND_RANGE] = {2, LAYOUT_VALUES, 0, sizeof(Range)},
    [KIND_WIDE_INT] = {0, LAYOUT_RAW, 0, sizeof(WideInt)},
    [KIND_FIBER] = {6, LAYOUT_VALUES, 0, sizeof(Fiber)},
    [KIND_ERROR] = {4, LAYOUT_VALUES, 0, sizeof(Error)},
    [KIND_MODULE] = {7, LAYOUT_VALUES, 0, sizeof(Module)},
    [KIND_FOREIGN] = {2, LAYOUT_VALUES | LAYOUT_FINAL, 0, sizeof(Foreign)},
    [KIND_FRAME] = {-1, LAYOUT_VALUES | LAYOUT_AUX_REF, 0, sizeof(Frame)},
    [KIND_PROTO] = {-1, LAYOUT_VALUES, 0, sizeof(Proto)},
    [KIND_STORE] = {0, LAYOUT_WIDE, LAYOUT_KEYED, sizeof(Store)},
    [KIND_BYTES] = {0, LAYOUT_RAW, 0, sizeof(Bytes)},
    [KIND_STACK] = {0, LAYOUT_STACK, 0, sizeof(Stack)},
};

static const Header *header_of(ox_VM *vm, uint32_t ref) { return gc_ptr(vm->cage, (Ref){ref}); }

/* A word that may lie where a value does: numbers, nil and its like, references that tell the
 * truth. */
static const char *check_value(ox_VM *vm, Value v) {
  if (v_is_float(v) || v_is_int(v) || (v >= V_NIL && v <= V_ABSENT)) return NULL;
  REQUIRE(v_is_ref(v) && v >> 40 == V_REF_BASE >> 40, "a word that is no value");
  REQUIRE(v_ref(v).w && header_of(vm, v_ref(v).w)->kind == v_kind(v),
          "a reference that names another kind than it leads to");
  return NULL;
}

static const char *check_values(ox_VM *vm, const Value *v, uint64_t n) {
  for (uint64_t i = 0; i < n; i++) TRY(check_value(vm, v[i]));
  return NULL;
}

static const char *check_shape(ox_VM *vm, const Header *h, uint64_t words) {
  REQUIRE(h->kind < KIND_COUNT, "an object of no kind");
  uint8_t layout = h->layout & (uint8_t)~shapes[h->kind].maybe;
  REQUIRE(layout == shapes[h->kind].layout, "an object with another kind's layout");
  REQUIRE(shapes[h->kind].n < 0 || h->n == shapes[h->kind].n,
          "an object with a wrong count of values");
  REQUIRE(words * 8 >= shapes[h->kind].bytes, "an object in too small a block");
  REQUIRE(h->kind != KIND_BYTES || 8 + (uint64_t)h->aux <= words * 8,
          "bytes longer than their block");
  const uint64_t *w = (const uint64_t *)h;
  switch (layout & LAYOUT_MASK) {
    case LAYOUT_VALUES: {
      unsigned pairs = layout_pairs(layout);
      return check_values(vm, w + 1 + pairs, h->n);
    }
    case LAYOUT_WIDE: return check_values(vm, w + 1, h->aux);
    case LAYOUT_STACK:
      REQUIRE(w[1] <= h->aux, "a stack used beyond its capacity");
      return check_values(vm, w + 2, h->aux); /* what is unused is nil */
    default: return NULL;
  }
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool ref_is(ox_VM *vm, uint32_t ref, Kind kind) {
  return ref && header_of(vm, ref)->kind == kind;
}
static bool ref_is_or_0(ox_VM *vm, uint32_t ref, Kind kind) {
  return !ref || ref_is(vm, ref, kind);
}
static bool is_or_nil(Value v, Kind kind) { return v == V_NIL || v_is(v, kind); }
static bool is_plain_function(Value v) { return v_is(v, KIND_CLOSURE) || v_is(v, KIND_NATIVE); }
static bool is_function(Value v) {
  return v_is(v, KIND_CLOSURE) || v_is(v, KIND_NATIVE) || v_is(v, KIND_BOUND) ||
         v_is(v, KIND_CLASS);
}
static bool is_plain_store(ox_VM *vm, uint32_t ref) {
  return ref_is(vm, ref, KIND_STORE) && header_of(vm, ref)->layout == LAYOUT_WIDE;
}

static const char *check_string(ox_VM *vm, const Header *h, uint64_t words) {
  const String *s = (const String *)h;
  REQUIRE(h->aux <= STRING_MAX && 16 + (uint64_t)h->aux + 1 <= words * 8,
          "a string longer than its block");
  REQUIRE(s->chars[h->aux] == 0, "a string without its end");
  REQUIRE(h->n <= (STRING_INTERNED | STRING_UTF8), "a string with unknown flags");
  REQUIRE(h->aux > STRING_INTERN_MAX || (h->n & STRING_INTERNED),
          "a short string that is not interned");
  REQUIRE(!(h->n & STRING_INTERNED) || s->hash, "an interned string without its hash");
  REQUIRE(!s->hash || s->hash == string_hash_of(vm, s->chars, h->aux),
          "a string with a wrong hash");
  for (uint32_t i = 0, n; (h->n & STRING_UTF8) && i < h->aux; i += n) {
    uint32_t code;
    n = utf8_decode(s->chars + i, h->aux - i, &code);
    REQUIRE(n, "a string that is not the UTF-8 it is said to be");
  }
  return NULL;
}

/* Halves are shorter than the whole, so that no rope is part of itself. */
static const char *check_rope(ox_VM *vm, const Header *h, uint64_t words) {
  const Rope *r = (const Rope *)h;
  (void)words;
  REQUIRE(ref_is(vm, r->left.w, KIND_STRING) || ref_is(vm, r->left.w, KIND_ROPE),
          "a rope of no strings");
  REQUIRE(h->aux <= STRING_MAX, "a rope that is too long");
  uint64_t left = header_of(vm, r->left.w)->aux;
  if (!r->right.w) {
    REQUIRE(ref_is(vm, r->left.w, KIND_STRING) && left == h->aux, "a rope of another length");
    return NULL;
  }
  REQUIRE(ref_is(vm, r->right.w, KIND_STRING) || ref_is(vm, r->right.w, KIND_ROPE),
          "a rope of no strings");
  uint64_t right = header_of(vm, r->right.w)->aux;
  REQUIRE(left && right && left + right == h->aux, "a rope of another length");
  return NULL;
}

static const char *check_list(ox_VM *vm, const Header *h, uint64_t words) {
  const List *l = (const List *)h;
  (void)words;
  REQUIRE(!h->aux || is_plain_store(vm, h->aux), "a list without its store");
  REQUIRE(l->len <= (h->aux ? header_of(vm, h->aux)->aux : 0), "a list longer than its store");
  return NULL;
}

static const char *check_index(ox_VM *vm, const Map *m) {
  REQUIRE(ref_is(vm, m->index.w, KIND_BYTES), "a map whose index is none");
  const Bytes *b = (const Bytes *)header_of(vm, m->index.w);
  uint64_t slots = (uint64_t)m->mask + 1, used = 0;
  REQUIRE(slots >= MAP_INDEX_LEAST && (slots & m->mask) == 0 && 4 * (slots + slots / 2) <= b->h.aux &&
              m->used <= slots / 2,
          "a map whose index has another size");
  const uint32_t *slot = (const uint32_t *)b->data;
  for (uint64_t i = 0; i < slots; i++) {
    used += slot[i] != 0;
    REQUIRE(!slot[i] || ((slot[i] & m->mask) && (slot[i] & m->mask) <= m->used),
            "a map's index leads to no entry");
  }
  REQUIRE(used <= slots / 2, "a map's index is too full");
  return NULL;
}

static const char *check_map(ox_VM *vm, const Header *h, uint64_t words) {
  const Map *m = (const Map *)h;
  (void)words;
  REQUIRE(!h->aux || is_plain_store(vm, h->aux), "a map without its store");
  REQUIRE(!m->reserved.w && m->used <= (h->aux ? header_of(vm, h->aux)->aux / 2 : 0),
          "a map longer than its store");
  const Value *items = h->aux ? ((const Store *)header_of(vm, h->aux))->items : NULL;
  uint32_t live = 0;
  for (uint32_t i = 0; i < m->used; i++) {
    REQUIRE(!v_is(items[2 * i], KIND_ROPE), "a map with a key that is not flat");
    live += items[2 * i] != V_ABSENT;
  }
  REQUIRE(live == m->live, "a map with a wrong count");
  for (uint64_t i = 0, gone = map_gone(items, m->used); i < gone; i++)
    REQUIRE(items[2 * i] == V_ABSENT, "a map that hides an entry");
  if (m->index.w) return check_index(vm, m);
  REQUIRE(m->used <= MAP_LINEAR && m->mask <= 1, "a map without an index");
  return NULL;
}

static const char *check_native(ox_VM *vm, const Header *h, uint64_t words) {
  const Native *n = (const Native *)h;
  Signature sig;
  (void)words;
  if (h->aux >= NATIVE_HOST) { /* the notes are compared when the host gives its functions */
    REQUIRE(h->layout & LAYOUT_FINAL, "a function of the host without a finalizer");
    return n->reserved ? "a function of the host that claims to be another" : NULL;
  }
  uint32_t table = h->aux >> NATIVE_INDEX_BITS, index = h->aux & ((1 << NATIVE_INDEX_BITS) - 1);
  REQUIRE(table < (uint32_t)native_table_count && index < (uint32_t)native_tables[table]->ndefs,
          "a native function that there is not");
  const NativeDef *def = native_def(vm, h->aux);
  REQUIRE(def->kind != DEF_NUMBER && def->kind != DEF_MEMBER && h->layout == LAYOUT_VALUES,
          "a number as a function");
  signature_parse(def->signature, &sig);
  REQUIRE(n->min == sig.required && n->max == (sig.rest ? UINT16_MAX : sig.count) &&
              n->flags == sig.named,
          "a native function with other parameters");
  REQUIRE(!n->reserved || n->reserved == class_fast_method(h->aux),
          "a native function that claims to be another");
  return NULL;
}

/* A map by name whose values follow a rule. */
static const char *check_map_values(ox_VM *vm, Value map, bool (*is_right)(ox_VM *vm, Value v),
                                    const char *wrong) {
  const Map *m = vm_deref(vm, map);
  const Store *s = m->h.aux ? (const Store *)header_of(vm, m->h.aux) : NULL;
  for (uint32_t i = 0; s && i < m->used && 2 * (uint64_t)i + 1 < s->h.aux; i++)
    REQUIRE(s->items[2 * i] == V_ABSENT ||
                (v_is(s->items[2 * i], KIND_STRING) && is_right(vm, s->items[2 * i + 1])),
            wrong);
  return NULL;
}

static bool is_method(ox_VM *vm, Value v) { return (void)vm, is_plain_function(v); }
static bool is_accessors(ox_VM *vm, Value v) {
  return v_is(v, KIND_LIST) && list_len(vm, v) >= 2 && as_list(vm, v)->h.aux;
}
static bool is_module(ox_VM *vm, Value v) { return (void)vm, v_is(v, KIND_MODULE); }

/* Slots, or in classes of foreign types lists of a getter and a setter. */
static const char *check_fields(ox_VM *vm, const Class *c) {
  const Map *m = vm_deref(vm, c->fields);
  const Store *s = m->h.aux ? (const Store *)header_of(vm, m->h.aux) : NULL;
  if (c->flags & CLASS_BUILTIN && !c->nfields)
    return check_map_values(vm, c->fields, is_accessors, "a class with a field of the wrong kind");
  for (uint32_t i = 0; s && i < m->used && 2 * (uint64_t)i + 1 < s->h.aux; i++)
    REQUIRE(s->items[2 * i] == V_ABSENT ||
                (v_is(s->items[2 * i], KIND_STRING) && v_index(s->items[2 * i + 1]) < c->nfields),
            "a class with a field beyond its last");
  return NULL;
}

static const char *check_class(ox_VM *vm, const Header *h, uint64_t words) {
  const Class *c = (const Class *)h;
  (void)words;
  REQUIRE(v_is_string(c->name) && is_or_nil(c->super, KIND_CLASS) && v_is(c->methods, KIND_MAP) &&
              v_is(c->fields, KIND_MAP) && is_or_nil(c->defaults, KIND_LIST) &&
              is_or_nil(c->init_fields, KIND_LIST) && (c->init == V_NIL || is_function(c->init)),
          "a class with a field of the wrong kind");
  bool builtin = c->flags & CLASS_BUILTIN;
  REQUIRE(c->nfields <= UINT16_MAX && c->flags < 16 && (!builtin || c->flags & CLASS_SEALED),
          "a class with impossible numbers");
  REQUIRE(builtin || is_or_nil(c->init, KIND_CLOSURE), "a class whose init is no function");
  REQUIRE(!builtin || (c->super == V_NIL && c->init_fields == V_NIL),
          "a builtin class with a superclass");
  TRY(check_map_values(vm, c->methods, is_method, "a class with a method that is none"));
  TRY(check_fields(vm, c));
  REQUIRE(c->nfields == 0 || (v_is(c->defaults, KIND_LIST) &&
                              ((List *)vm_deref(vm, c->defaults))->len >= c->nfields),
          "a class with too few defaults");
  return NULL;
}

/* What C code expects in the objects of the standard modules: how many fields they have, how many
 * of them programs can set, and what the first hidden one holds. KIND_COUNT: that is looked at
 * elsewhere. */
static const struct {
  uint8_t spare, fields, visible, kind;
  uint16_t bytes;
} hidden[] = {
    {LIB_REGEX_CLASS, 3, 2, KIND_FOREIGN, 0},  {LIB_RANDOM_CLASS, 1, 0, KIND_BYTES, 32},
    {LIB_FILE_CLASS, 4, 3, KIND_FOREIGN, 0},   {LIB_STREAM_CLASS, 2, 1, KIND_COUNT, 0},
    {LIB_BUDDY_CLASS, 3, 2, KIND_BYTES, 0},    {LIB_BLOCK_CLASS, 4, 2, KIND_COUNT, 0},
    {LIB_WEAK_REF_CLASS, 1, 0, KIND_COUNT, 0}, {LIB_WEAK_MAP_CLASS, 3, 0, KIND_COUNT, 0},
    {LIB_SNAPSHOT_CLASS, 8, 2, KIND_COUNT, 0},
};

static const char *check_hidden(ox_VM *vm, const Instance *o, Value cls) {
  const Class *c = vm_deref(vm, cls);
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
    if (vm->st->spare[hidden[i].spare] != cls) continue;
    REQUIRE(o->h.n == hidden[i].fields && c->nfields == hidden[i].visible,
            "an object of a standard module with other fields");
    if (hidden[i].kind == KIND_COUNT) continue;
    Value v = o->fields[hidden[i].visible];
    REQUIRE(v_is(v, (Kind)hidden[i].kind) && header_of(vm, v_ref(v).w)->aux >= hidden[i].bytes,
            "an object of a standard module with a wrong inside");
  }
  return NULL;
}

static const char *check_inside(ox_VM *vm, Instance *o, Value cls) {
  const VmState *st = vm->st;
  uint32_t owned[2];
  TRY(check_hidden(vm, o, cls));
  if (cls == st->spare[LIB_REGEX_CLASS])
    REQUIRE(v_is_string(o->fields[0]) && v_is_string(o->fields[1]), "a pattern that is no text");
  if (cls == st->spare[LIB_STREAM_CLASS])
    REQUIRE(v_is_int(o->fields[1]), "a stream with a wrong inside");
  REQUIRE((cls == st->spare[LIB_WEAK_REF_CLASS]) == !!(o->h.layout & LAYOUT_WEAK),
          "an object that is weak and no reference, or the other way");
  if (cls == st->spare[LIB_BUDDY_CLASS]) return buddy_manager_check(vm, o);
  return cls == st->spare[LIB_WEAK_MAP_CLASS] ? weak_map_check(vm, o, owned) : NULL;
}

static const char *check_instance(ox_VM *vm, const Header *h, uint64_t words) {
  Instance *o = (Instance *)h;
  (void)words;
  REQUIRE(ref_is(vm, h->aux, KIND_CLASS), "an object without a class");
  REQUIRE(h->n >= ((const Class *)header_of(vm, h->aux))->nfields, "an object with too few fields");
  return check_inside(vm, o, v_from_ref(KIND_CLASS, (Ref){h->aux}));
}

static const char *check_closure(ox_VM *vm, const Header *h, uint64_t words) {
  const Closure *c = (const Closure *)h;
  (void)words;
  REQUIRE(ref_is(vm, h->aux, KIND_PROTO) && ref_is_or_0(vm, c->frame.w, KIND_FRAME) &&
              !c->reserved.w,
          "a closure with a field of the wrong kind");
  return NULL;
}

static const char *check_frame(ox_VM *vm, const Header *h, uint64_t words) {
  (void)words;
  return ref_is_or_0(vm, h->aux, KIND_FRAME) ? NULL : "a frame whose parent is none";
}

static const char *check_list_of(ox_VM *vm, Value list, Kind kind) {
  const List *l = vm_deref(vm, list);
  const Store *s = l->h.aux ? (const Store *)header_of(vm, l->h.aux) : NULL;
  for (uint64_t i = 0; s && i < l->len && i < s->h.aux; i++)
    REQUIRE(v_is(s->items[i], kind), "a list of the wrong kind");
  return NULL;
}

static const char *check_proto(ox_VM *vm, const Header *h, uint64_t words) {
  const Proto *p = (const Proto *)h;
  REQUIRE(h->n >= 2 + PROTO_VALUES && p->code == (uint32_t)(1 + h->n) << 1 &&
              1 + (uint64_t)h->n + ((uint64_t)p->ncode + 1) / 2 <= words,
          "a function larger than its block");
  REQUIRE(is_or_nil(p->module, KIND_MODULE) && v_is_string(p->name) && v_is(p->info, KIND_BYTES) &&
              is_or_nil(p->children, KIND_STORE) && v_is(p->params, KIND_LIST) &&
              (p->doc == V_NIL || v_is_string(p->doc)) && p->flags < 128,
          "a function with a field of the wrong kind");
  REQUIRE(header_of(vm, v_ref(p->info).w)->aux >= sizeof(ProtoInfo),
          "a function without its tables");
  const Store *children = v_is(p->children, KIND_STORE) ? vm_deref(vm, p->children) : NULL;
  for (uint32_t i = 0; children && i < children->h.aux; i++)
    REQUIRE(v_is(children->items[i], KIND_PROTO), "what is inside a function is none");
  for (int i = 0; i < h->n - 2 - PROTO_VALUES; i++) {
    Value v = p->consts[i];
    REQUIRE(v_is_float(v) || v_is_int(v) || v_is(v, KIND_WIDE_INT) || v_is(v, KIND_STRING) ||
                v_is(v, KIND_LIST),
            "a constant of the wrong kind");
  }
  uint64_t nparams = (uint64_t)p->nparams + ((p->flags & FN_REST) != 0);
  REQUIRE(((List *)vm_deref(vm, p->params))->len == nparams, "a function with other parameters");
  return check_list_of(vm, p->params, KIND_STRING);
}

static const char *check_trace(ox_VM *vm, Value trace) {
  if (trace == V_NIL || trace == V_FALSE) return NULL;
  REQUIRE(v_is(trace, KIND_STORE), "a trace that is none");
  const Store *s = vm_deref(vm, trace);
  REQUIRE(s->h.aux % 2 == 1 && s->items[0] <= UINT32_MAX, "a trace that is none");
  for (uint32_t i = 1; i < s->h.aux; i += 2)
    REQUIRE(v_is(s->items[i], KIND_PROTO) && s->items[i + 1] <= UINT32_MAX, "a trace that is none");
  return NULL;
}

static const char *check_error(ox_VM *vm, const Header *h, uint64_t words) {
  const Error *e = (const Error *)h;
  (void)words;
  REQUIRE(v_is_string(e->message) && v_is_string(e->kind),
          "an error with a field of the wrong kind");
  return check_trace(vm, e->trace);
}

static const char *check_module(ox_VM *vm, const Header *h, uint64_t words) {
  const Module *m = (const Module *)h;
  (void)words;
  REQUIRE(v_is_string(m->name) && (m->path == V_NIL || v_is_string(m->path)) &&
              v_is(m->exports, KIND_MAP) && is_or_nil(m->frame, KIND_FRAME) &&
              is_or_nil(m->imports, KIND_LIST) && is_or_nil(m->main, KIND_CLOSURE) &&
              (m->source == V_NIL || v_is_string(m->source)) && m->state <= MODULE_FAILED,
          "a module with a field of the wrong kind");
  if (v_is(m->imports, KIND_LIST)) TRY(check_list_of(vm, m->imports, KIND_MODULE));
  const Map *exports = vm_deref(vm, m->exports);
  const Header *frame = v_is(m->frame, KIND_FRAME) ? vm_deref(vm, m->frame) : NULL;
  const Store *s = exports->h.aux ? (const Store *)header_of(vm, exports->h.aux) : NULL;
  for (uint32_t i = 0; s && i < exports->used && 2 * i + 1 < s->h.aux; i++)
    REQUIRE(s->items[2 * i] == V_ABSENT ||
                (v_is(s->items[2 * i], KIND_STRING) && v_is_int(s->items[2 * i + 1]) &&
                 (!frame || v_index(s->items[2 * i + 1]) < frame->n)),
            "a module that exports what is not there");
  return NULL;
}

static const char *check_fiber(ox_VM *vm, const Header *h, uint64_t words) {
  const Fiber *f = (const Fiber *)h;
  (void)vm, (void)words;
  REQUIRE(is_or_nil(f->stack, KIND_STACK) && is_or_nil(f->parent, KIND_FIBER) &&
              f->state <= FIBER_DONE,
          "a fiber with a field of the wrong kind");
  bool stands = f->state != FIBER_NEW && f->state != FIBER_DONE;
  REQUIRE(!stands || v_is(f->stack, KIND_STACK), "a fiber without a stack");
  return NULL;
}

static bool is_int(ox_VM *vm, Value v) { return (void)vm, v_is_int(v) || v_is(v, KIND_WIDE_INT); }

static const char *check_object(ox_VM *vm, const Header *h, uint64_t words) {
  switch ((Kind)h->kind) {
    case KIND_STRING: return check_string(vm, h, words);
    case KIND_ROPE: return check_rope(vm, h, words);
    case KIND_LIST: return check_list(vm, h, words);
    case KIND_MAP:
    case KIND_SET: return check_map(vm, h, words);
    case KIND_NATIVE: return check_native(vm, h, words);
    case KIND_CLASS: return check_class(vm, h, words);
    case KIND_INSTANCE: return check_instance(vm, h, words);
    case KIND_CLOSURE: return check_closure(vm, h, words);
    case KIND_FRAME: return check_frame(vm, h, words);
    case KIND_PROTO: return check_proto(vm, h, words);
    case KIND_ERROR: return check_error(vm, h, words);
    case KIND_MODULE: return check_module(vm, h, words);
    case KIND_FIBER: return check_fiber(vm, h, words);
    case KIND_BOUND:
      return is_plain_function(((const Bound *)h)->method) ? NULL : "a bound method that is none";
    case KIND_WIDE_INT:
      return v_int_fits(((const WideInt *)h)->i) ? "a wide number that is not" : NULL;
    case KIND_RANGE: {
      const Range *r = (const Range *)h;
      return is_int(vm, r->start) && is_int(vm, r->end) && h->aux <= 1 ? NULL
                                                                       : "a range of no numbers";
    }
    case KIND_FOREIGN: {
      const Foreign *f = (const Foreign *)h;
      REQUIRE(v_is(f->cls, KIND_CLASS) && is_or_nil(f->slots, KIND_LIST),
              "a foreign object of no class");
      const Class *c = vm_deref(vm, f->cls);
      return c->flags & CLASS_BUILTIN && !c->nfields ? NULL
                                                     : "a foreign object of no foreign class";
    }
    default: return NULL;
  }
}

/* ---- what looks at several objects ----------------------------------------------------------- */

/* Called by class.c without another look: with self alone. Numbers are slots of fields. */
static const char *check_initialisers(ox_VM *vm, const Class *c) {
  const List *l = vm_deref(vm, c->init_fields);
  const Store *s = l->h.aux ? (const Store *)header_of(vm, l->h.aux) : NULL;
  for (uint64_t i = 0; s && i < l->len && i < s->h.aux; i++) {
    Value v = s->items[i];
    if (v_index(v) < c->nfields) continue;
    REQUIRE(v_is(v, KIND_CLOSURE) && class_is_initialiser(vm, v),
            "a class whose fields are set by no method");
  }
  return NULL;
}

static const char *check_instance_class(ox_VM *vm, const Instance *o) {
  const Class *c = (const Class *)header_of(vm, o->h.aux);
  REQUIRE(c->flags & CLASS_SEALED, "an object of a class that is not finished");
  bool known = !(c->flags & CLASS_BUILTIN);
  for (size_t i = 0; !known && i < sizeof hidden / sizeof *hidden; i++)
    known = vm->st->spare[hidden[i].spare] == v_from_ref(KIND_CLASS, (Ref){o->h.aux});
  REQUIRE(known, "an object of a builtin class that has none");
  return vm->st->spare[LIB_BLOCK_CLASS] == v_from_ref(KIND_CLASS, (Ref){o->h.aux})
             ? buddy_block_check(vm, o)
             : NULL;
}

/* Maps without an index ask no key for its hash by a method, and all keys have one. */
static bool is_linear_key(ox_VM *vm, Value v) {
  if (v_is_float(v)) return v_float(v) == v_float(v);
  if (!v_is_ref(v)) return true;
  if (v_is(v, KIND_LIST) || v_is(v, KIND_MAP) || v_is(v, KIND_SET)) return false;
  if (!v_is(v, KIND_INSTANCE) && !v_is(v, KIND_FOREIGN)) return true;
  uint32_t cls = v_is(v, KIND_FOREIGN) ? v_ref(((Foreign *)vm_deref(vm, v))->cls).w
                                       : ((Instance *)vm_deref(vm, v))->h.aux;
  return !(((const Class *)header_of(vm, cls))->flags & (CLASS_HAS_EQ | CLASS_HAS_HASH));
}

static const char *check_keys(ox_VM *vm, const Map *m) {
  for (uint32_t i = 0; !m->index.w && i < m->used; i++)
    REQUIRE(is_linear_key(vm, map_entries(vm, (Map *)m)[2 * i]),
            "a map with a key of the wrong kind");
  return NULL;
}

static const char *check_later(ox_VM *vm, const Header *h, uint64_t words) {
  (void)words;
  if (h->kind == KIND_MAP || h->kind == KIND_SET) return check_keys(vm, (const Map *)h);
  if (h->kind == KIND_INSTANCE) return check_instance_class(vm, (const Instance *)h);
  if (h->kind != KIND_CLASS || ((const Class *)h)->init_fields == V_NIL) return NULL;
  return check_initialisers(vm, (const Class *)h);
}

/* ---- the VM's own words ---------------------------------------------------------------------- */

static bool is_text(ox_VM *vm, Value v, const char *text, size_t n) {
  if (!v_is(v, KIND_STRING)) return false;
  const String *s = vm_deref(vm, v);
  return s->h.aux == n && memcmp(s->chars, text, n) == 0;
}

static const char *check_names(ox_VM *vm) {
  const VmState *st = vm->st;
  for (int i = 0; i < OPM_COUNT; i++)
    REQUIRE(is_text(vm, st->op_names[i], vm_op_names[i], strlen(vm_op_names[i])),
            "a wrong name of an operator");
  for (int i = 0; i < PROP_COUNT; i++)
    REQUIRE(is_text(vm, st->props[i], vm_prop_names[i], strlen(vm_prop_names[i])),
            "a wrong name of a field");
  for (int i = 0; i < 256; i++)
    REQUIRE(is_text(vm, st->bytes1[i], &(char){(char)i}, 1), "a wrong string of one byte");
  REQUIRE(is_text(vm, st->empty_string, "", 0), "a wrong empty string");
  return NULL;
}

static const char *check_interned(ox_VM *vm, const Header *h, uint64_t words) {
  (void)words;
  if (h->kind != KIND_STRING || !(h->n & STRING_INTERNED)) return NULL;
  const String *s = (const String *)h;
  uint32_t ref = gc_ref(vm->cage, s).w;
  if (h->aux == 0) return ref == v_ref(vm->st->empty_string).w ? NULL : "two empty strings";
  if (h->aux == 1)
    return ref == v_ref(vm->st->bytes1[(uint8_t)s->chars[0]]).w ? NULL : "two strings of one byte";
  return intern_has(vm, s) ? NULL : "an interned string that its table has not";
}

/* The main fiber stands in the stub, where each call of the host begins. */
static const char *check_machine(ox_VM *vm) {
  const VmState *st = vm->st;
  const Fiber *f = vm_deref(vm, st->fiber);
  REQUIRE(f->state == FIBER_RUNNING && v_is(f->stack, KIND_STACK) && !st->extra &&
              f->parent == V_NIL,
          "a VM that stands nowhere");
  const Stack *s = vm_deref(vm, f->stack);
  uint64_t first = gc_word(vm->cage, s->slots);
  REQUIRE(st->base == first + 2 && s->h.aux >= STACK_MARGIN + 2 && s->slots[0] == st->stub &&
              s->slots[1] >> 56 == RET_STORE &&
              st->stack_end <= (first + s->h.aux - STACK_MARGIN) * sizeof(Value) &&
              st->stack_end >= st->base * sizeof(Value),
          "a VM that stands outside of its stack");
  Proto *stub = proto_of(vm, st->stub);
  uint64_t code = proto_code(vm, stub);
  REQUIRE(st->pc >= code && st->pc <= code + STUB_CODE, "a VM that stands outside of the stub");
  REQUIRE(stub->ncode == STUB_CODE && s->h.aux >= stub->nregs + 2u + STACK_MARGIN,
          "a stub of another size");
  const uint32_t *c = (const uint32_t *)stub + stub->code;
  REQUIRE(c[0] == op_make_abc(OP_EXIT, 0, 0, 0), "a damaged stub");
  for (unsigned i = 0; i < 256; i++)
    REQUIRE(c[1 + i] == op_make_abc(OP_RET, i, 0, 0), "a damaged stub");
  return NULL;
}

static const char *check_globals(ox_VM *vm) {
  const Map *names = vm_deref(vm, vm->st->global_names);
  const List *globals = vm_deref(vm, vm->st->globals);
  const Store *s = names->h.aux ? (const Store *)header_of(vm, names->h.aux) : NULL;
  for (uint32_t i = 0; s && i < names->used; i++) {
    Value key = s->items[2 * i], index = s->items[2 * i + 1];
    if (key == V_ABSENT) continue;
    REQUIRE(v_is(key, KIND_STRING) && v_is_int(index), "a global without a name or a place");
    int64_t at = v_int(index) < 0 ? -v_int(index) - 1 : v_int(index);
    REQUIRE((uint64_t)at < globals->len, "a global that there is not");
  }
  return NULL;
}

/* Kinds of the words; what they refer to is checked by the other passes. */
static const char *check_roots(ox_VM *vm) {
  const VmState *st = vm->st;
  REQUIRE(v_is(st->fiber, KIND_FIBER) && v_is(st->core, KIND_STORE) &&
              v_is(st->globals, KIND_LIST) && v_is(st->global_names, KIND_MAP) &&
              v_is(st->modules, KIND_MAP) && v_is(st->oom_error, KIND_ERROR) &&
              v_is(st->stub, KIND_CLOSURE) && is_or_nil(st->prelude, KIND_MODULE) &&
              st->error == V_ABSENT,
          "a root of the wrong kind");
  REQUIRE(st->next_cache >= LOOKUP_CACHES && st->next_cache <= GC_CACHE_BYTES / sizeof(InlineCache),
          "a wrong count of inline caches");
  for (int i = 0; i < 32; i++)
    REQUIRE(is_or_nil(st->kind_class[i], KIND_CLASS), "a class of builtin values that is none");
  TRY(check_values(vm, st->kind_class, 32));
  TRY(check_values(vm, st->op_names, OPM_COUNT));
  TRY(check_values(vm, st->bytes1, 256));
  TRY(check_values(vm, st->props, PROP_COUNT));
  TRY(check_values(vm, st->spare, 64));
  const Value others[] = {st->fiber,        st->core,       st->globals,      st->global_names,
                          st->modules,      st->strings,    st->oom_error,    st->stub,
                          st->empty_string, st->exit_value, st->thrown_trace, st->prelude,
                          st->yielded,      st->then};
  return check_values(vm, others, sizeof others / sizeof *others);
}

static bool spare_is(ox_VM *vm, int place, Kind kind) {
  Value v = vm->st->spare[place];
  return !v_is_ref(v) || v_is(v, kind);
}

static const char *check_spares(ox_VM *vm) {
  static const uint8_t classes[] = {
      LIB_REGEX_CLASS, LIB_RANDOM_CLASS,   LIB_FILE_CLASS,     LIB_STREAM_CLASS,   LIB_BUDDY_CLASS,
      LIB_BLOCK_CLASS, LIB_SNAPSHOT_CLASS, LIB_WEAK_REF_CLASS, LIB_WEAK_MAP_CLASS, LIB_TASK_CLASS};
  for (size_t i = 0; i < sizeof classes; i++)
    REQUIRE(spare_is(vm, classes[i], KIND_CLASS), "a class of a standard module that is none");
  REQUIRE(spare_is(vm, 0, KIND_MAP) && spare_is(vm, LIB_REGEX_CACHE, KIND_MAP) &&
              spare_is(vm, LIB_MATCH_NAMES, KIND_LIST) && spare_is(vm, LIB_STAT_NAMES, KIND_LIST) &&
              spare_is(vm, LIB_TIME_NAMES, KIND_LIST) && spare_is(vm, LIB_STDIN, KIND_INSTANCE),
          "a root of a standard module of the wrong kind");
  TRY(check_map_values(vm, vm->st->modules, is_module, "a module that is none"));
  const Header *core = vm_deref(vm, vm->st->core);
  REQUIRE(core->aux == (uint32_t)native_tables[0]->ndefs, "another number of core names");
  return check_trace(vm, vm->st->thrown_trace);
}

/* Methods of builtin values are the natives of that kind, since the interpreter has ways of its own
 * for some of them. */
static const char *check_builtin_class(ox_VM *vm, int index, Value v) {
  const Class *c = vm_deref(vm, v);
  REQUIRE(c->flags == (CLASS_SEALED | CLASS_BUILTIN) && c->nfields == 0 && c->init == V_NIL &&
              ((const Map *)vm_deref(vm, c->fields))->used == 0,
          "a class of builtin values that is another");
  const Map *m = vm_deref(vm, c->methods);
  const Store *s = m->h.aux ? (const Store *)header_of(vm, m->h.aux) : NULL;
  for (uint32_t i = 0; s && i < m->used; i++) {
    if (s->items[2 * i] == V_ABSENT) continue;
    const Native *n = vm_deref(vm, s->items[2 * i + 1]);
    REQUIRE(v_is(s->items[2 * i + 1], KIND_NATIVE) && n->h.aux < NATIVE_HOST &&
                native_tables[n->h.aux >> NATIVE_INDEX_BITS]->type == index,
            "a class of builtin values with another's method");
  }
  return NULL;
}

/* Which class the values of a kind have, as vm_class_of says. */
static int class_index(int kind) {
  return kind == KIND_ROPE                           ? KIND_STRING
         : kind == KIND_NATIVE || kind == KIND_BOUND ? KIND_CLOSURE
         : kind == KIND_WIDE_INT                     ? CLASS_OF_INT
                                                     : kind;
}

/* Classes of the standard modules have the fields that C code makes their objects with. */
static const char *check_lib_class(ox_VM *vm, Value v, unsigned visible) {
  if (!v_is_ref(v)) return NULL;
  const Class *c = vm_deref(vm, v);
  REQUIRE(c->flags == (CLASS_SEALED | CLASS_BUILTIN) && c->nfields == visible,
          "a class of a standard module with other fields");
  for (int i = 0; i < 32; i++)
    REQUIRE(vm->st->kind_class[i] != v, "a class of a standard module that is another");
  int times = 0;
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
    times += vm->st->spare[hidden[i].spare] == v;
  return times == 1 ? NULL : "a class of a standard module that is another";
}

/* Classes of foreign types have lists of accessors in place of fields. */
static bool is_foreign_class(ox_VM *vm, Value v) {
  const Class *c = v_is(v, KIND_CLASS) ? vm_deref(vm, v) : NULL;
  return c && c->flags & CLASS_BUILTIN && !c->nfields;
}

static const char *check_foreign_classes(ox_VM *vm) {
  Value named = vm->st->spare[0], types = vm->st->spare[API_TYPES];
  Value task = vm->st->spare[LIB_TASK_CLASS];
  REQUIRE(!v_is_ref(task) || is_foreign_class(vm, task), "a class of tasks that is none");
  if (v_is(named, KIND_MAP))
    TRY(check_map_values(vm, named, is_foreign_class, "a foreign type without a class"));
  REQUIRE(!v_is_ref(types) || v_is(types, KIND_LIST), "a root of the host's types that is none");
  for (uint64_t i = 0; v_is(types, KIND_LIST) && i < list_len(vm, types); i++) {
    Value cls = list_get(vm, types, i);
    REQUIRE(cls == V_NIL || is_foreign_class(vm, cls), "a type of the host without a class");
  }
  return NULL;
}

static const char *check_builtin(ox_VM *vm) {
  const Value *classes = vm->st->kind_class;
  TRY(check_foreign_classes(vm));
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
    TRY(check_lib_class(vm, vm->st->spare[hidden[i].spare], hidden[i].visible));
  for (int i = 0; i < 32; i++) {
    if (!v_is(classes[i], KIND_CLASS)) continue;
    REQUIRE(i < KIND_FRAME || i >= CLASS_OF_NIL, "a class of builtin values that is another");
    REQUIRE(i != KIND_INSTANCE && i != KIND_FOREIGN && i <= CLASS_OF_FLOAT,
            "a class of builtin values that is another");
    REQUIRE(classes[i] == classes[class_index(i)], "a class of builtin values that is another");
    TRY(check_builtin_class(vm, class_index(i), classes[i]));
  }
  return NULL;
}

/* No class is its own ancestor. Classes are few. */
static const char *check_ancestors(ox_VM *vm, const Header *h, uint64_t words) {
  enum { MOST_ANCESTORS = 10000 };
  (void)words;
  if (h->kind != KIND_CLASS) return NULL;
  Value super = ((const Class *)h)->super;
  for (int i = 0; v_is(super, KIND_CLASS); i++) {
    REQUIRE(i < MOST_ANCESTORS, "a class that is its own ancestor");
    super = ((const Class *)vm_deref(vm, super))->super;
  }
  return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static const char *run_pass(ox_VM *vm, Rule *rule, uint64_t *where) {
  Pass pass = {vm, rule, NULL, 0};
  gc_each(vm->gc, apply, &pass);
  if (pass.wrong) *where = pass.where;
  return pass.wrong;
}

/* Handles are of snapshots before the image; those to come have higher numbers. */
typedef struct HandleCheck {
  ox_VM *vm;
  uint64_t last, where;
} HandleCheck;

static void check_handle(void *ctx, void *block, uint64_t words) {
  HandleCheck *c = ctx;
  const Header *h = block;
  (void)words;
  if (h->kind != KIND_INSTANCE || !snapshot_is_handle(c->vm, gc_ref(c->vm->cage, block))) return;
  uint64_t id = *snapshot_slots(c->vm, gc_ref(c->vm->cage, block).w).id;
  if (id >> GC_SNAPSHOT_INDEX_BITS > c->last) c->where = gc_word(c->vm->cage, block);
}

static const char *check_handles(ox_VM *vm, const Image *image, uint64_t *where) {
  enum { SPARE_SERIALS = 1 << 24 };
  HandleCheck c = {vm, image->head.snapshot_serial, 0};
  REQUIRE(c.last <= UINT32_MAX - SPARE_SERIALS, "an impossible number of snapshots");
  gc_each(vm->gc, check_handle, &c);
  *where = c.where;
  return c.where ? "a handle of a snapshot that is yet to be taken" : NULL;
}

static const char *check_state(ox_VM *vm) {
  TRY(check_spares(vm));
  TRY(check_names(vm));
  TRY(intern_check(vm));
  TRY(check_globals(vm));
  TRY(check_builtin(vm));
  return check_machine(vm);
}

/* What needs to know who owns what. */
static const char *check_running(ox_VM *vm, Owners *o, Places *places, uint64_t *where) {
  TRY(owners_check(vm, o, where));
  TRY(fibers_check(o, places, where));
  return protos_check(o, places, where);
}

const char *vm_image_check(ox_VM *vm, const Image *image, uint64_t *where) {
  Owners owners = {0};
  Places places = {0};
  TRY(image_check_heap(vm->gc, image, where));
  TRY(run_pass(vm, check_shape, where));
  *where = GC_ROOT_OFF / 8;
  TRY(check_roots(vm));
  TRY(run_pass(vm, check_object, where));
  *where = GC_ROOT_OFF / 8;
  TRY(check_state(vm));
  TRY(run_pass(vm, check_interned, where));
  TRY(run_pass(vm, check_ancestors, where));
  TRY(run_pass(vm, check_later, where));
  TRY(check_handles(vm, image, where));
  const char *wrong = check_running(vm, &owners, &places, where);
  owners_free(&owners);
  free(places.all);
  return wrong;
}
