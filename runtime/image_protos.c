/* image_protos.c - goes through all functions, each behind those inside it, since what these need
 * of frames and captured values it has to give them. */
#include "image_protos.h"

#include <stdlib.h>

#include "image_code.h"
#include "list.h"

/* What is known of a function. */
typedef struct Known {
  uint32_t ref, caches, ncaches;
  uint8_t state;
  CodeNeeds needs;
} Known;
enum { UNSEEN, OPEN, DONE };

typedef struct Protos {
  ox_VM *vm;
  const Owners *owners;
  const Places *places;
  Known *all; /* by ref */
  uint64_t count, capacity;
  bool failed;
  const char *wrong;
  uint64_t where;
} Protos;

/* A function whose children are gone through. */
typedef struct Step {
  uint64_t index;
  uint32_t child;
} Step;

static void find_proto(void *ctx, void *block, uint64_t words) {
  Protos *p = ctx;
  (void)words;
  if (((const Header *)block)->kind != KIND_PROTO || p->failed) return;
  if (p->count == p->capacity) {
    uint64_t capacity = p->capacity ? 2 * p->capacity : 1024;
    Known *all = realloc(p->all, capacity * sizeof *all);
    p->failed = !all;
    if (!all) return;
    p->all = all;
    p->capacity = capacity;
  }
  p->all[p->count++] = (Known){.ref = gc_ref(p->vm->cage, block).w};
}

static int by_ref(const void *a, const void *b) {
  uint32_t x = ((const Known *)a)->ref, y = ((const Known *)b)->ref;
  return (x > y) - (x < y);
}

static Known *known_of(const Protos *p, uint32_t ref) {
  Known key = {.ref = ref};
  return bsearch(&key, p->all, p->count, sizeof key, by_ref);
}

static const CodeNeeds *needs_of(void *ctx, uint32_t ref) {
  const Known *k = known_of(ctx, ref);
  return k && k->state == DONE ? &k->needs : NULL;
}

static bool is_visible(void *ctx, Value v) { return owners_show(((Protos *)ctx)->owners, v); }

static uint32_t imports_of(ox_VM *vm, const Proto *p) {
  if (!v_is(p->module, KIND_MODULE)) return 0;
  const Module *m = vm_deref(vm, p->module);
  return v_is(m->imports, KIND_LIST) ? (uint32_t)list_len(vm, m->imports) : 0;
}

static const char *check_one(Protos *p, Known *k) {
  ox_VM *vm = p->vm;
  Proto *proto = gc_ptr(vm->cage, (Ref){k->ref});
  bool is_stub = proto == proto_of(vm, vm->st->stub);
  CodeLimits limits = {((Header *)vm_deref(vm, vm->st->core))->aux,
                       (uint32_t)list_len(vm, vm->st->globals), imports_of(vm, proto), is_stub};
  const char *wrong = code_check(vm, proto, &limits);
  if (wrong || is_stub) return wrong;
  TypesAsk ask = {needs_of, is_visible, p, NULL, 0};
  ask.places = places_of(p->places, k->ref, &ask.nplaces);
  wrong = types_check(vm, proto, &ask, &k->needs);
  uint32_t *fit = k->needs.slots ? realloc(k->needs.slots, k->needs.levels * sizeof *fit) : NULL;
  if (fit) k->needs.slots = fit;
  return wrong;
}

static uint32_t next_child(const Protos *p, const Step *s) {
  const Proto *proto = gc_ptr(p->vm->cage, (Ref){p->all[s->index].ref});
  if (!v_is(proto->children, KIND_STORE)) return 0;
  const Store *children = vm_deref(p->vm, proto->children);
  return s->child < children->h.aux ? v_ref(children->items[s->child]).w : 0;
}

/* From `root` down and back. The stack has room for all functions, each being open once at most. */
static const char *check_from(Protos *p, uint64_t root, Step *stack) {
  uint64_t depth = 0;
  if (p->all[root].state != UNSEEN) return NULL;
  stack[depth++] = (Step){root, 0};
  p->all[root].state = OPEN;
  while (depth) {
    Step *top = &stack[depth - 1];
    uint32_t ref = next_child(p, top);
    p->where = p->all[top->index].ref;
    if (!ref) {
      const char *wrong = check_one(p, &p->all[top->index]);
      if (wrong) return wrong;
      p->all[top->index].state = DONE;
      depth--;
      continue;
    }
    top->child++;
    Known *child = known_of(p, ref);
    if (!child || child->state == OPEN) return "a function inside itself";
    if (child->state == DONE) continue;
    child->state = OPEN;
    stack[depth++] = (Step){(uint64_t)(child - p->all), 0};
  }
  return NULL;
}

static int by_caches(const void *a, const void *b) {
  uint32_t x = ((const Known *)a)->caches, y = ((const Known *)b)->caches;
  return (x > y) - (x < y);
}

/* An instruction takes what is in its cache for what it left there itself. */
static const char *check_caches(Protos *p) {
  for (uint64_t i = 0; i < p->count; i++) {
    Proto *proto = gc_ptr(p->vm->cage, (Ref){p->all[i].ref});
    p->all[i].ncaches = proto_info(p->vm, proto)->ncaches;
    p->all[i].caches = p->all[i].ncaches ? proto->caches : 0;
  }
  if (p->count) qsort(p->all, p->count, sizeof *p->all, by_caches);
  for (uint64_t i = 1; i < p->count; i++) {
    p->where = p->all[i].ref;
    if ((uint64_t)p->all[i - 1].caches + p->all[i - 1].ncaches > p->all[i].caches)
      return "inline caches of two functions";
  }
  return NULL;
}

static const char *check_all(Protos *p) {
  gc_each(p->vm->gc, find_proto, p);
  if (p->failed) return "there is no memory to check it";
  const char *wrong = check_caches(p);
  if (p->count) qsort(p->all, p->count, sizeof *p->all, by_ref);
  Step *stack = malloc((p->count + 1) * sizeof *stack);
  if (!stack) wrong = "there is no memory to check it";
  for (uint64_t i = 0; !wrong && i < p->count; i++) wrong = check_from(p, i, stack);
  free(stack);
  return wrong;
}

/* ---- closures -------------------------------------------------------------------------------- */

static bool has_frames(ox_VM *vm, Ref frame, const CodeNeeds *n) {
  for (uint32_t level = 0; level < n->levels; level++) {
    if (!frame.w) return false;
    const Frame *f = gc_ptr(vm->cage, frame);
    if (n->slots[level] > f->h.n) return false;
    frame = (Ref){f->h.aux};
  }
  return true;
}

static void check_closure(void *ctx, void *block, uint64_t words) {
  Protos *p = ctx;
  const Closure *c = block;
  (void)words;
  if (p->wrong || c->h.kind != KIND_CLOSURE) return;
  const CodeNeeds *n = needs_of(p, c->h.aux);
  p->where = gc_word(p->vm->cage, block);
  if (!n || c->h.n < n->captures) p->wrong = "a closure with too few captured values";
  else if (!has_frames(p->vm, c->frame, n))
    p->wrong = "a closure whose frame lacks what its code uses";
}

const char *protos_check(const Owners *o, const Places *places, uint64_t *where) {
  Protos p = {.vm = o->vm, .owners = o, .places = places};
  p.wrong = check_all(&p);
  if (!p.wrong) gc_each(o->vm->gc, check_closure, &p);
  if (p.wrong) *where = p.where;
  for (uint64_t i = 0; i < p.count; i++) free(p.all[i].needs.slots);
  free(p.all);
  return p.wrong;
}
