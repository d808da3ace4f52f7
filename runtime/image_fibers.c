/* image_fibers.c - proof that the stacks of fibers that wait are such as calls leave behind.
 *
 * A stack is walked from the innermost frame outwards by its links. For each link it is known what
 * the mode will read when the frame above ends (interp.h, class.c): whether that is there is
 * checked here. Where the frame below goes on, and with what in which of its registers, is a Place,
 * which is held against what types_check knows of the function.
 *
 * The first frame of a fiber belongs to the stub and is never gone on in: the link above it says
 * RET_FIBER. A tail call of a builtin returns by way of the stub's code, RET k, run in the caller's
 * frame. */
#include "image_fibers.h"

#include <stdlib.h>

#include "class.h"
#include "image_code.h"
#include "list.h"
#include "loader.h"

typedef struct Fibers {
  const Owners *owners;
  ox_VM *vm;
  Places *places;
  const char *wrong;
  uint64_t where;
} Fibers;

/* ---- places ---------------------------------------------------------------------------------- */

static const char *add_place(Fibers *f, Place place) {
  Places *p = f->places;
  if (p->count == p->capacity) {
    uint64_t capacity = p->capacity ? 2 * p->capacity : 64;
    Place *all = realloc(p->all, capacity * sizeof *all);
    REQUIRE(all, "there is no memory to check it");
    p->all = all;
    p->capacity = capacity;
  }
  p->all[p->count++] = place;
  return NULL;
}

static int by_place(const void *a, const void *b) {
  const Place *x = a, *y = b;
  if (x->proto != y->proto) return x->proto < y->proto ? -1 : 1;
  return (x->pc > y->pc) - (x->pc < y->pc);
}

const Place *places_of(const Places *p, uint32_t proto, uint64_t *count) {
  uint64_t low = 0, high = p->count;
  while (low < high) {
    uint64_t mid = low + (high - low) / 2;
    if (p->all[mid].proto < proto) low = mid + 1;
    else high = mid;
  }
  for (*count = 0; low + *count < p->count && p->all[low + *count].proto == proto;) ++*count;
  return *count ? p->all + low : NULL;
}

/* ---- links ----------------------------------------------------------------------------------- */

/* A frame whose R[0] is slot `base`, whose registers from `clobbered` on lie in the frame above. */
typedef struct Waiting {
  const Stack *stack;
  uint64_t base;
  uint16_t clobbered;
} Waiting;

static const char *wait_at(Fibers *f, const Waiting *w, uint64_t pc, unsigned mode, unsigned dest) {
  ox_VM *vm = f->vm;
  const Value *R = w->stack->slots + w->base;
  REQUIRE(v_is(R[-2], KIND_CLOSURE), "a frame of no function");
  Proto *p = proto_of(vm, R[-2]);
  uint64_t code = proto_code(vm, p), stub = proto_code(vm, proto_of(vm, vm->st->stub)) + 1;
  if (pc >= stub && pc < stub + 256) {
    bool stores = mode == RET_STORE || mode == RET_BOOL || mode == RET_NOT || mode == RET_LEN;
    REQUIRE(mode == PLACE_THROWS ||
                (stores && dest == pc - stub && w->base > 2 && dest + SPARE_REGISTERS < p->nregs),
            "a saved position in the stub");
    return NULL;
  }
  REQUIRE(pc > code && pc - code <= p->ncode, "a saved position outside of its function");
  REQUIRE(mode == PLACE_THROWS || pc - code < p->ncode, "a saved position outside of its function");
  return add_place(f, (Place){.proto = gc_ref(vm->cage, p).w,
                              .pc = (uint32_t)(pc - code),
                              .regs = gc_word(vm->cage, R),
                              .clobbered = w->clobbered,
                              .mode = (uint8_t)mode,
                              .dest = (uint8_t)dest});
}

/* A link that hands a result to frame w, or to whoever waits for the fiber. */
static const char *check_link(Fibers *f, const Waiting *w, uint64_t link) {
  unsigned mode = link >> 56;
  REQUIRE(mode != RET_FIBER || w->base == 2, "a link that leaves its fiber");
  if (mode == RET_FIBER) return NULL;
  REQUIRE(w->base > 2, "a fiber that goes on in the stub");
  REQUIRE(mode == RET_STORE || mode == RET_DROP || mode == RET_NEXT || mode == RET_ITER ||
              mode == RET_BOOL || mode == RET_NOT || mode == RET_JUMP || mode == RET_LEN ||
              mode == RET_IMPORT,
          "a fiber that was left in a call that cannot be proven");
  TRY(wait_at(f, w, link_pc(link), PLACE_THROWS, 0));
  return wait_at(f, w, link_pc(link), mode, link_dest(link));
}

/* ---- instances that are being made (class.c) ------------------------------------------------- */

/* Frame N will give what lies in N[-3]; w is the frame below, `link` that of init. */
static const char *check_init(Fibers *f, Waiting w, const Value *N, uint64_t link) {
  unsigned mode = link >> 56, below = mode == RET_INIT_OUTER ? 5 : 3;
  uint64_t at = (uint64_t)(N - w.stack->slots);
  REQUIRE(mode == RET_INIT || mode == RET_INIT_OUTER, "a link that is none");
  REQUIRE(at >= w.base + below - (w.base == 2), "a frame outside of its stack");
  REQUIRE(owners_show(f->owners, N[-3]), "a saved register with what no program may see");
  w.clobbered = (uint16_t)(at > w.base + below ? at - w.base - below : 0);
  if (mode == RET_INIT)
    return check_link(f, &w, link_make(link_pc(link), link_dest(link), RET_STORE));
  REQUIRE(link_pc(N[-5]) == link_pc(link), "a link that is none");
  return check_link(f, &w, N[-5]);
}

/* N is the frame of a %fields method: N[-5] arguments wait below it for init. */
static const char *check_fields(Fibers *f, const Waiting *w, const Value *N, uint64_t link) {
  ox_VM *vm = f->vm;
  uint64_t total = N[-5], which = N[-4], delta = link_delta(link), ret = N[-3];
  REQUIRE(total <= UINT8_MAX && delta >= total + 8, "a frame outside of its stack");
  const Value *at = N - total - 8; /* the object */
  REQUIRE(v_is(at[0], KIND_INSTANCE), "a saved object that is none");
  const Class *c = gc_ptr(vm->cage, (Ref){((Instance *)vm_deref(vm, at[0]))->h.aux});
  REQUIRE(!(c->flags & CLASS_BUILTIN) && c->flags & CLASS_SEALED &&
              v_is(c->init_fields, KIND_LIST) && which < list_len(vm, c->init_fields),
          "a saved object that is none");
  const Proto *p = v_is(c->init, KIND_CLOSURE) ? proto_of(vm, c->init) : NULL;
  uint64_t want = p ? p->nparams + (uint64_t)((p->flags & FN_REST) != 0) : 1;
  REQUIRE(total == want, "a saved call with a wrong count of arguments");
  for (uint64_t i = 0; i < total; i++)
    REQUIRE(owners_show(f->owners, at[3 + i]), "a saved register with what no program may see");
  REQUIRE(link_pc(ret) == link_pc(link), "a link that is none");
  return check_init(f, *w, at + 3, ret);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* The frame N above w has ended: its link. */
static const char *check_return(Fibers *f, const Waiting *w, const Value *N) {
  uint64_t link = N[-1];
  switch (link >> 56) {
    case RET_INIT:
    case RET_INIT_OUTER: return check_init(f, *w, N, link);
    case RET_FIELDS:
      REQUIRE(link_delta(link) >= 8, "a frame outside of its stack");
      return check_fields(f, w, N, link);
    default: return check_link(f, w, link);
  }
}

static const char *check_frame(Fibers *f, const Stack *s, uint64_t base) {
  REQUIRE(base >= 2 && base <= s->used && base < s->h.aux, "a frame outside of its stack");
  REQUIRE(v_is(s->slots[base - 2], KIND_CLOSURE), "a frame of no function");
  REQUIRE((base == 2) == (s->slots[base - 2] == f->vm->st->stub), "a frame of no function");
  const Proto *p = proto_of(f->vm, s->slots[base - 2]);
  REQUIRE(p->nregs >= SPARE_REGISTERS && base + p->nregs + STACK_MARGIN <= s->h.aux,
          "a frame longer than its stack");
  return NULL;
}

static const char *check_frames(Fibers *f, const Stack *s, uint64_t base) {
  while (base > 2) {
    uint64_t delta = link_delta(s->slots[base - 1]);
    REQUIRE(delta >= 2 && delta <= base - 2, "a link out of its stack");
    Waiting below = {s, base - delta, (uint16_t)(delta - 2)};
    TRY(check_frame(f, s, below.base));
    TRY(check_return(f, &below, s->slots + base));
    base = below.base;
  }
  REQUIRE(s->slots[1] >> 56 == RET_FIBER, "a fiber without an end");
  return NULL;
}

static const char *check_suspended(Fibers *f, const Fiber *fiber) {
  const Stack *s = vm_deref(f->vm, fiber->stack);
  REQUIRE(s->h.aux >= 2 + STACK_MARGIN, "a frame outside of its stack");
  TRY(check_frame(f, s, fiber->base));
  const Proto *p = proto_of(f->vm, s->slots[fiber->base - 2]);
  REQUIRE(s->used >= fiber->base + p->nregs - SPARE_REGISTERS, "a frame outside of its stack");
  Waiting w = {s, fiber->base, UINT16_MAX};
  TRY(wait_at(f, &w, fiber->pc, PLACE_THROWS, 0));
  TRY(check_link(f, &w, fiber->resumed));
  return check_frames(f, s, fiber->base);
}

static void check_fiber(void *ctx, void *block, uint64_t words) {
  Fibers *f = ctx;
  const Fiber *fiber = block;
  (void)words;
  if (f->wrong || fiber->h.kind != KIND_FIBER) return;
  f->where = gc_word(f->vm->cage, block);
  if (fiber->state == FIBER_SUSPENDED) f->wrong = check_suspended(f, fiber);
  else if (fiber->state == FIBER_WAITING)
    f->wrong = "a fiber that waits for another, where none runs";
  else if (fiber->state == FIBER_RUNNING && f->where != v_ref(f->vm->st->fiber).w)
    f->wrong = "a fiber that runs, but is not the one";
}

const char *fibers_check(const Owners *o, Places *places, uint64_t *where) {
  Fibers f = {.owners = o, .vm = o->vm, .places = places};
  *places = (Places){0};
  gc_each(o->vm->gc, check_fiber, &f);
  if (f.wrong) *where = f.where;
  if (places->count) qsort(places->all, places->count, sizeof *places->all, by_place);
  return f.wrong;
}
