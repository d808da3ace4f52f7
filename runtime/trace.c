/* trace.c - walking frames and packing what was seen.
 *
 * Packed: a Store of [skipped, proto, at, proto, at, ...], innermost first; `skipped` counts the
 * frames left out between the first TRACE_INNER and the last TRACE_OUTER. `at` and `skipped` are
 * raw numbers. */
#include "trace.h"

#include "prelude.h"

typedef struct Walk {
  ox_VM *vm;
  Fiber *fiber;
  Value *R;
  uint64_t pc;
} Walk;

uint64_t trace_outer_link(Value *N, uint64_t link) {
  if (link_mode(link) == RET_INIT_OUTER) return N[-5];
  if (link_mode(link) != RET_FIELDS || link_mode(N[-3]) != RET_INIT_OUTER) return link;
  return N[-10 - (int64_t)N[-5]]; /* class.c: the object's slot is N - 8 - total, this two below */
}

/* Where C code that called frame N had interrupted its caller. */
static uint64_t interrupted_pc(Value *N, uint64_t link) {
  if (link_mode(link) == RET_C) return N[-3];
  if (link_mode(link) == RET_INIT_OUTER) return N[-4];
  return N[-9 - (int64_t)N[-5]];
}

static bool walk_to_parent(Walk *w) {
  if (!v_is(w->fiber->parent, KIND_FIBER)) return false;
  w->fiber = (Fiber *)vm_deref(w->vm, w->fiber->parent);
  w->R = fiber_stack(w->vm, w->fiber)->slots + w->fiber->base;
  w->pc = w->fiber->pc;
  return true;
}

static bool walk_out(Walk *w) {
  Value *first = fiber_stack(w->vm, w->fiber)->slots;
  uint64_t link = w->R[-1], outer = trace_outer_link(w->R, link);
  if (w->R <= first + 2 || link_mode(outer) == RET_FIBER) return walk_to_parent(w);
  w->pc = link_mode(outer) == RET_C ? interrupted_pc(w->R, link) : link_pc(link);
  w->R -= link_delta(link);
  return true;
}

/* Fills `out` with proto and at of the frames; gives how many words it used. Frames of the prelude
 * are builtins to the program: what failed in them is the call that led there. */
static unsigned walk_all(ox_VM *vm, Value *out, uint32_t *skipped) {
  Walk w = {vm, vm_fiber(vm), vm_regs(vm), vm->st->pc};
  unsigned n = 0;
  Value *outer = out + 2 * TRACE_INNER;
  do {
    Proto *p = proto_of(vm, w.R[-2]);
    uint64_t at = w.pc - proto_code(vm, p) - 1;
    if (at >= p->ncode || p->module == V_NIL || prelude_is(vm, p->module)) continue;
    Value *to = n < TRACE_INNER ? out + 2 * n : outer + 2 * ((n - TRACE_INNER) % TRACE_OUTER);
    to[0] = v_from_ptr(vm->cage, KIND_PROTO, p);
    to[1] = at;
    n++;
  } while (walk_out(&w));
  unsigned most = TRACE_INNER + TRACE_OUTER;
  *skipped = n > most ? n - most : 0;
  if (n <= most) return 2 * n;
  Value
      ring[2 * TRACE_OUTER]; /* turn the ring of the outermost so that it begins with the oldest */
  memcpy(ring, outer, sizeof ring);
  for (unsigned i = 0; i < TRACE_OUTER; i++)
    memcpy(outer + 2 * i, ring + 2 * ((n - TRACE_INNER + i) % TRACE_OUTER), 2 * sizeof(Value));
  return 2 * most;
}

Value trace_builtin(ox_VM *vm) {
  Walk w = {vm, vm_fiber(vm), vm_regs(vm), vm->st->pc};
  Value name = V_NIL;
  do {
    Proto *p = proto_of(vm, w.R[-2]);
    if (!prelude_is(vm, p->module)) break;
    name = p->name;
  } while (walk_out(&w));
  return name;
}

/* Where memory is out the heap has held back enough for the trace that says where: at most one of
 * them is alive, that of st->oom_error. */
static Store *trace_alloc(ox_VM *vm, unsigned n) {
  bool is_full = vm->st->error == vm->st->oom_error;
  if (is_full) gc_use_reserve(vm->gc, true);
  Store *s = vm_alloc(vm, 2 + n, KIND_STORE, LAYOUT_WIDE, 0, 1 + n);
  if (is_full) gc_use_reserve(vm->gc, false);
  return s;
}

static Value capture(ox_VM *vm) {
  Value words[2 * (TRACE_INNER + TRACE_OUTER)];
  uint32_t skipped;
  unsigned n = walk_all(vm, words, &skipped);
  vm_charge_steps(vm, skipped / 4); /* walking a deep stack is work */
  Value pending = vm->st->error;
  Store *s = trace_alloc(vm, n);
  vm->st->error = pending; /* out of memory: no trace, and none is tried on the way out */
  if (s == NULL) return V_FALSE;
  s->items[0] = skipped;
  memcpy(s->items + 1, words, n * sizeof(Value));
  return v_from_ptr(vm->cage, KIND_STORE, s);
}

void trace_attach(ox_VM *vm) {
  Value thrown = vm->st->error;
  if (!v_is(thrown, KIND_ERROR)) {
    if (vm->st->thrown_trace == V_NIL) vm->st->thrown_trace = capture(vm);
    return;
  }
  if (((Error *)vm_deref(vm, thrown))->trace != V_NIL) return;
  Value trace = capture(vm);
  gc_store(vm->cage, v_ref(thrown).w + offsetof(Error, trace) / 8, trace);
}

unsigned trace_length(ox_VM *vm, Value trace) {
  if (!v_is(trace, KIND_STORE)) return 0;
  return (((Store *)vm_deref(vm, trace))->h.aux - 1) / 2;
}

TraceEntry trace_entry(ox_VM *vm, Value trace, unsigned i) {
  Store *s = (Store *)vm_deref(vm, trace);
  TraceEntry e = {(Proto *)vm_deref(vm, s->items[1 + 2 * i]), (uint32_t)s->items[2 + 2 * i],
                  i == TRACE_INNER ? (uint32_t)s->items[0] : 0};
  return e;
}

Value trace_of(ox_VM *vm, Value thrown) {
  if (v_is(thrown, KIND_ERROR)) return ((Error *)vm_deref(vm, thrown))->trace;
  return vm->st->thrown_trace;
}
