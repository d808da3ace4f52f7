/* carry.c - deep copies of values, out of one state of a heap and into another.
 *
 * Copying goes by the layouts that the collector knows (gc/layout.h), so that it needs no code per
 * kind: the words of each object reached are copied as they are, and references are translated when
 * the objects are made again. Cycles and sharing are kept. What the other side has, too (most often
 * classes, functions and modules), is referred to and not copied.
 *
 * Only a few things need care: interned strings are interned again, since equal ones must be one
 * object; so are builtin classes, which are made when they are first needed; functions get inline
 * caches of their own; maps whose keys are hashed by identity are indexed again, weak ones too; and
 * what has a life outside of the heap or a stack of its own cannot be copied. */
#include "carry.h"

#include <stdlib.h>

#include "class.h"
#include "interp.h"
#include "lib/weak.h"
#include "loader.h"
#include "map.h"
#include "snapshot.h"
#include "str.h"

/* at: in Carry.words. place: of a builtin class, the word of VmState that it lies in, else 0. */
typedef struct Item { uint32_t ref, words, place; uint64_t at; } Item;

struct Carry {
  Value v;
  Item *items;
  uint32_t n, cap;
  uint64_t *words;
  uint64_t used, room;
  uint32_t *kept;  /* objects that are referred to and not copied, each perhaps more than once */
  uint32_t nkept, kept_cap;
  uint32_t *index; /* open addressing by ref: number of the item + 1 */
  uint32_t mask;
};

/* ---- references of an object ----------------------------------------------------------------- */

typedef struct Parts { uint32_t pairs, first, count; bool aux; } Parts;

static Parts parts_of(const uint64_t *words) {
  const Header *h = (const Header *)words;
  unsigned layout = h->layout & LAYOUT_MASK;
  Parts p = {.aux = layout != LAYOUT_WIDE && h->layout & LAYOUT_AUX_REF};
  if (layout == LAYOUT_VALUES) p.pairs = layout_pairs(h->layout);
  p.first = 1 + p.pairs;
  p.count = layout == LAYOUT_VALUES ? h->n : layout == LAYOUT_WIDE ? h->aux : 0;
  return p;
}

/* ---- which objects --------------------------------------------------------------------------- */

typedef struct Walk {
  ox_VM *vm;
  Carry *c;
  CarryShared shared;
  void *ctx;
  const char *what;
  bool across;
  int64_t counted; /* bytes that count against the memory limit while the copy is made */
} Walk;

enum { POLL_EVERY = 1024 };

/* False: that would be more than the limit allows. */
static bool count(Walk *w, uint64_t bytes) {
  if (bytes > INT64_MAX / 2 || !gc_external_now(w->vm->gc, (int64_t)bytes)) return false;
  w->counted += (int64_t)bytes;
  return true;
}

static uint32_t *place(const Carry *c, uint32_t ref) {
  uint32_t i = ref * 0x9E3779B1u & c->mask;
  while (c->index[i] && c->items[c->index[i] - 1].ref != ref) i = (i + 1) & c->mask;
  return &c->index[i];
}

static bool grow_index(Walk *w) {
  Carry *c = w->c;
  uint32_t size = c->index ? (c->mask + 1) * 2 : 64;
  uint32_t *index = size && count(w, size / 2 * sizeof *index) ? calloc(size, sizeof *index) : NULL;
  if (!index) return false;
  free(c->index);
  c->index = index;
  c->mask = size - 1;
  for (uint32_t i = 0; i < c->n; i++) *place(c, c->items[i].ref) = i + 1;
  return true;
}

static bool room_for(Walk *w, uint64_t words) {
  Carry *c = w->c;
  if (c->n >= c->cap) {
    uint32_t cap = c->cap ? c->cap * 2 : 32;
    bool allowed = cap > c->cap && count(w, (cap - c->cap) * sizeof *c->items);
    Item *items = allowed ? realloc(c->items, cap * sizeof *items) : NULL;
    if (!items) return false;
    c->items = items;
    c->cap = cap;
  }
  if ((!c->index || 2 * (uint64_t)c->n > c->mask) && !grow_index(w)) return false;
  if (c->room - c->used >= words) return true;
  uint64_t room = c->room ? 2 * c->room : 256;
  while (room - c->used < words) room *= 2;
  uint64_t *at =
      count(w, (room - c->room) * sizeof *at) ? realloc(c->words, room * sizeof *at) : NULL;
  if (!at) return false;
  c->words = at;
  c->room = room;
  return true;
}

static Value refuse(ox_VM *vm, Ref r, const char *what) {
  Kind kind = (Kind)((Header *)gc_ptr(vm->cage, r))->kind;
  bool is_fiber = kind == KIND_FIBER || kind == KIND_STACK;
  const char *name = is_fiber ? NULL : foreign_name(vm, r);
  return vm_throw(vm, ERR_VALUE, "%s cannot take %s%s%s%s along: only what is data or a function "
                  "can be copied; hand over a list or map of what is needed", what,
                  is_fiber ? "a fiber" : "an object of the host", name ? " (" : "",
                  name ? name : "", name ? ")" : "");
}

static bool is_copyable(ox_VM *vm, Ref r) {
  uint8_t kind = ((Header *)gc_ptr(vm->cage, r))->kind;
  return kind != KIND_FIBER && kind != KIND_STACK && kind != KIND_FOREIGN;
}

/* A class that the VM makes on demand, once. */
static uint32_t place_of(ox_VM *vm, Ref r) {
  const Class *c = gc_ptr(vm->cage, r);
  if (c->h.kind != KIND_CLASS || !(c->flags & CLASS_BUILTIN)) return 0;
  const Value *st = (const Value *)vm->st;
  for (uint32_t i = 0; i < sizeof *vm->st / sizeof *st; i++)
    if (st[i] == v_from_ptr(vm->cage, KIND_CLASS, c)) return i;
  return 0;
}

static bool keep(Carry *c, uint32_t ref) {
  if (c->nkept && c->kept[c->nkept - 1] == ref) return true;
  if (c->nkept == c->kept_cap) {
    uint32_t cap = c->kept_cap ? c->kept_cap * 2 : 8;
    uint32_t *kept = cap > c->kept_cap ? realloc(c->kept, cap * sizeof *kept) : NULL;
    if (!kept) return false;
    c->kept = kept;
    c->kept_cap = cap;
  }
  c->kept[c->nkept++] = ref;
  return true;
}

/* Adds an object to the list of those to be copied, unless it is there or shared. */
static bool reach(Walk *w, uint32_t ref) {
  Carry *c = w->c;
  Ref r = {ref};
  if (!ref || (c->index && *place(c, ref))) return true;
  if (w->shared(w->ctx, r)) return keep(c, ref) || (vm_throw_oom(w->vm), false);
  if (w->across && snapshot_is_handle(w->vm, r))
    return vm_throw(w->vm, ERR_VALUE, "%s cannot take a snapshot along", w->what), false;
  if (!is_copyable(w->vm, r)) return refuse(w->vm, r, w->what), false;
  uint64_t words = gc_block_words(w->vm->gc, gc_ptr(w->vm->cage, r));
  if (words > UINT32_MAX || !room_for(w, words)) return vm_throw_oom(w->vm), false;
  c->items[c->n] = (Item){ref, (uint32_t)words, place_of(w->vm, r), c->used};
  memcpy(c->words + c->used, gc_ptr(w->vm->cage, r), words * sizeof(uint64_t));
  c->used += words;
  *place(c, ref) = ++c->n;
  return true;
}

static bool reach_value(Walk *w, Value v) { return !v_is_ref(v) || reach(w, v_ref(v).w); }

/* The list of objects is also the queue: no recursion. */
static bool follow(Walk *w, uint32_t i) {
  uint64_t at = w->c->items[i].at; /* the words may move while objects are added */
  Parts p = parts_of(w->c->words + at);
  if (p.aux && !reach(w, ((Header *)(w->c->words + at))->aux)) return false;
  for (uint32_t k = 1; k <= p.pairs; k++) {
    uint64_t pair = w->c->words[at + k];
    if (!reach(w, (uint32_t)pair) || !reach(w, (uint32_t)(pair >> 32))) return false;
  }
  for (uint32_t k = p.first; k < p.first + p.count; k++)
    if (!reach_value(w, w->c->words[at + k])) return false;
  return true;
}

static Carry *copy(ox_VM *vm, Value v, CarryShared shared, void *ctx, const char *what,
                   bool across) {
  Carry *c = calloc(1, sizeof *c);
  if (!c) return vm_throw_oom(vm), NULL;
  c->v = v;
  gc_finish_purge(vm->gc); /* words are copied as they are */
  Walk w = {vm, c, shared, ctx, what, across, 0};
  bool ok = reach_value(&w, v);
  for (uint32_t i = 0; ok && i < c->n; i++)
    ok = follow(&w, i) && ((i + 1) % POLL_EVERY || vm_poll(vm, POLL_EVERY));
  if (w.counted) gc_external_now(vm->gc, -w.counted);
  if (ok) return c;
  carry_free(vm, c);
  return NULL;
}

Carry *carry_out(ox_VM *vm, Value v, CarryShared shared, void *ctx, const char *what) {
  return copy(vm, v, shared, ctx, what, false);
}

Carry *carry_across(ox_VM *vm, Value v, CarryShared shared, void *ctx, const char *what) {
  return copy(vm, v, shared, ctx, what, true);
}

void carry_free(ox_VM *vm, Carry *c) {
  if (!c) return;
  (void)vm;
  free(c->items);
  free(c->kept);
  free(c->words);
  free(c->index);
  free(c);
}

bool carry_keeps(const Carry *c) { return c->nkept > 0; }

bool carry_kept_all(const Carry *c, CarryShared is_there, void *ctx) {
  for (uint32_t i = 0; i < c->nkept; i++)
    if (!is_there(ctx, (Ref){c->kept[i]})) return false;
  return true;
}

/* ---- making them again ----------------------------------------------------------------------- */

/* Takes all references out of a block just made. */
static void blank(uint64_t *words) {
  Parts p = parts_of(words);
  if (p.aux) ((Header *)words)->aux = 0;
  for (uint32_t k = 1; k <= p.pairs; k++) words[k] = 0;
  for (uint32_t k = p.first; k < p.first + p.count; k++)
    if (v_is_ref(words[k])) words[k] = V_NIL;
}

static bool make_string(ox_VM *vm, const uint64_t *words, Value *out) {
  const String *s = (const String *)words;
  *out = string_intern(vm, s->chars, s->h.aux);
  return *out != V_ERROR && vm_root(vm, *out);
}

/* The class is there. */
static bool is_made(ox_VM *vm, const Item *item) {
  return item->place && v_is_ref(((const Value *)vm->st)[item->place]);
}

static bool make_block(ox_VM *vm, const Item *item, const uint64_t *words, Value *out) {
  const Header *h = (const Header *)words;
  if (is_made(vm, item)) {
    *out = ((const Value *)vm->st)[item->place];
    return true;
  }
  if (h->kind == KIND_STRING && h->n & STRING_INTERNED) return make_string(vm, words, out);
  unsigned space = h->kind == KIND_FRAME ? GC_SPACE_FRAME : GC_SPACE_OBJECT;
  uint64_t *block = gc_alloc(vm->gc, item->words, space);
  if (!block) return vm_throw_oom(vm), false;
  memcpy(block, words, item->words * sizeof(uint64_t));
  blank(block);
  *out = v_from_ptr(vm->cage, (Kind)h->kind, block);
  return vm_root(vm, *out);
}

static uint32_t new_ref(const Carry *c, const Value *made, uint32_t ref) {
  uint32_t i = c->n ? *place(c, ref) : 0;
  return i ? v_ref(made[i - 1]).w : ref;
}

static Value new_value(const Carry *c, const Value *made, Value v) {
  return v_is_ref(v) ? (v & ~(Value)UINT32_MAX) | new_ref(c, made, v_ref(v).w) : v;
}

static void fill(ox_VM *vm, const Carry *c, const Value *made, const Item *item, Value v) {
  const uint64_t *from = c->words + item->at;
  uint64_t *to = vm_deref(vm, v);
  Parts p = parts_of(from);
  gc_touch_range(vm->cage, v_ref(v).w, p.first + (uint64_t)p.count);
  if (p.aux) ((Header *)to)->aux = new_ref(c, made, ((const Header *)from)->aux);
  for (uint32_t k = 1; k <= p.pairs; k++)
    to[k] = new_ref(c, made, (uint32_t)from[k]) |
            (uint64_t)new_ref(c, made, (uint32_t)(from[k] >> 32)) << 32;
  for (uint32_t k = p.first; k < p.first + p.count; k++) to[k] = new_value(c, made, from[k]);
}

/* What depends on where an object lies. */
static bool finish(ox_VM *vm, Value v) {
  if (v_is(v, KIND_PROTO)) return loader_new_caches(vm, v);
  if (v_is(v, KIND_MAP) || v_is(v, KIND_SET)) return map_rehash_moved(vm, v);
  if (v_is(v, KIND_INSTANCE)) snapshot_copied(vm, v);
  if (v_is(v, KIND_INSTANCE)) return weak_map_moved(vm, v);
  return true;
}

static bool is_interned(const Carry *c, const Item *item) {
  const Header *h = (const Header *)(c->words + item->at);
  return h->kind == KIND_STRING && h->n & STRING_INTERNED;
}

static bool make_all(ox_VM *vm, const Carry *c, Value *made) {
  for (uint32_t i = 0; i < c->n; i++)
    if (!make_block(vm, c->items + i, c->words + c->items[i].at, made + i)) return false;
  for (uint32_t i = 0; i < c->n; i++)
    if (!is_interned(c, c->items + i) && !is_made(vm, c->items + i))
      fill(vm, c, made, c->items + i, made[i]);
  for (uint32_t i = 0; i < c->n; i++)
    if (c->items[i].place) ((Value *)vm->st)[c->items[i].place] = made[i];
  for (uint32_t i = 0; i < c->n; i++)
    if (!finish(vm, made[i])) return false;
  return true;
}

Value carry_in(ox_VM *vm, const Carry *c) {
  if (c->n == 0) return c->v;
  vm_charge(vm, c->used * sizeof(uint64_t));
  Value *made = malloc(c->n * sizeof *made);
  if (!made) return vm_throw_oom(vm);
  uint32_t mark = vm_roots_mark(vm);
  bool ok = make_all(vm, c, made);
  Value v = ok ? new_value(c, made, c->v) : V_ERROR;
  vm_roots_reset(vm, mark);
  free(made);
  return ok && vm_root(vm, v) ? v : V_ERROR;
}
