/* fiber.c - stacks, and fibers as a switch between them.
 *
 * A fiber's registers lie in a Stack block that starts small and doubles; nothing in the heap
 * points into stacks, so growing is a copy. Resuming never recurses in C: the resumer's position is
 * noted in its Fiber, the VM's state is set to the resumed one's, and the loop goes on there. Both
 * sides keep a link that says where they want the value that comes over: `resumer` and `resumed`.
 *
 * A fiber runs from its resumption to its yield within one interp_run. Where C code stands between
 * (a builtin that called back), the fiber at its entry, vm->entry_fiber, cannot yield.
 *
 * Collections look at the stacks written to since the last one (GcConfig.notes_stacks): the one in
 * use, which is noted when they begin, and those that were left or dropped since, noted then.
 *
 * States: NEW -> RUNNING <-> SUSPENDED -> DONE; WAITING while it has resumed another. */
#include "fiber.h"

#include "call.h"

enum { MAX_FIBER_DEPTH = 10000, STACK_OPEN = 4096, STACK_OPEN_FEW = 256 };

/* Before any store into a Fiber: it may lie on two pages. */
static inline void touch(ox_VM *vm, Fiber *f) {
  uint64_t word = gc_word(vm->cage, f);
  gc_touch(vm->cage, word);
  gc_touch(vm->cage, word + sizeof(Fiber) / 8 - 1);
}

static uint64_t first_slot(ox_VM *vm, Fiber *f) {
  return gc_word(vm->cage, fiber_stack(vm, f)->slots);
}

/* Registers are written without a barrier. So what may be written is touched beforehand: all of a
 * small stack; of a large one what is in use and some more, at least `need` registers. Less under
 * snapshots and forks, which copy what is touched. */
static void open_stack(ox_VM *vm, uint64_t need) {
  Fiber *f = vm_fiber(vm);
  Stack *s = fiber_stack(vm, f);
  uint64_t first = first_slot(vm, f), cap = s->h.aux - STACK_MARGIN, used = vm->st->base - first;
  bool copied = gc_has_snapshots(vm->gc) || gc_is_tracked(vm->gc);
  uint64_t more = copied ? STACK_OPEN_FEW : STACK_OPEN;
  uint64_t open = (need > used ? need : used) + more;
  if (open > cap) open = cap;
  gc_touch_range(vm->cage, gc_word(vm->cage, s), 2 + open + STACK_MARGIN);
  vm->st->stack_end = (first + open) * sizeof(Value);
}

void stack_reopen(ox_VM *vm) { open_stack(vm, 0); }

/* A stack of `cap` registers, all nil. NULL: error pending. Unrooted. */
static Stack *stack_new(ox_VM *vm, uint64_t cap) {
  Stack *s = vm_alloc(vm, 2 + cap, KIND_STACK, LAYOUT_STACK, 0, (uint32_t)cap);
  if (s == NULL) return NULL;
  s->used = 0;
  for (uint64_t i = 0; i < cap; i++) s->slots[i] = V_NIL;
  return s;
}

/* The outermost frame of every stack belongs to the stub; programs' frames lie above it. */
static void put_base_frame(ox_VM *vm, Stack *s, RetMode mode) {
  s->slots[0] = vm->st->stub;
  s->slots[1] = link_make(0, 0, mode);
}

void fiber_note_used(ox_VM *vm) {
  if (!v_is(vm->st->fiber, KIND_FIBER)) return;
  Fiber *f = vm_fiber(vm);
  Stack *s = fiber_stack(vm, f);
  uint64_t used = vm->st->base - first_slot(vm, f) + vm_top(vm);
  gc_note_stack(vm->cage, v_ref(f->stack));
  s->used = used < s->h.aux ? used : s->h.aux;
}

void stack_forget_above(ox_VM *vm, Value *args, int nargs) {
  Value *r = vm_regs(vm), *end = r + vm_top(vm);
  if (vm->st->extra || args < r + 2 || args > end) return; /* called in some other way */
  args[-1] = V_NIL; /* natives need no link */
  for (Value *v = args + nargs; v < end; v++) *v = V_NIL;
}

/* The running fiber's stack is dropped. As garbage it may be looked at once more. */
static void empty_stack(ox_VM *vm, Fiber *f) {
  gc_note_stack(vm->cage, v_ref(f->stack));
  fiber_stack(vm, f)->used = 0;
}

/* Moves the running fiber to a stack of `cap` registers, with the first `n` of the old one. */
static bool move_stack(ox_VM *vm, uint64_t cap, uint64_t n) {
  uint64_t offset = vm->st->base - first_slot(vm, vm_fiber(vm));
  Stack *s = stack_new(vm, cap);
  if (s == NULL) return false;
  Fiber *f = vm_fiber(vm);
  memcpy(s->slots, fiber_stack(vm, f)->slots, n * sizeof(Value));
  s->used = n;
  empty_stack(vm, f);
  touch(vm, f);
  f->stack = v_from_ptr(vm->cage, KIND_STACK, s);
  vm->st->base = first_slot(vm, f) + offset;
  open_stack(vm, offset);
  return true;
}

static bool grow(ox_VM *vm, uint64_t need) {
  uint64_t old = fiber_stack(vm, vm_fiber(vm))->h.aux, cap = old;
  do cap *= STACK_GROWTH;
  while (STACK_GROWTH > 1 && cap < need);
  if (cap < need) cap = need;
  uint64_t most = vm->max_stack + STACK_MARGIN;
  return move_stack(vm, cap < most ? cap : most, old);
}

void stack_trim(ox_VM *vm) {
  Fiber *f = vm_fiber(vm);
  uint64_t used = vm->st->base - first_slot(vm, f) + vm_top(vm), cap = fiber_stack(vm, f)->h.aux;
  if (cap < 4 * STACK_MAIN || cap / 16 < used) return;
  uint64_t fit = 4 * used > STACK_MAIN ? 4 * used : STACK_MAIN;
  if (!move_stack(vm, fit, used)) error_take(vm); /* no memory: later, then */
}

bool stack_grow(ox_VM *vm, uint64_t n) {
  uint64_t need = vm->st->base - first_slot(vm, vm_fiber(vm)) + n;
  if (need > vm->max_stack) {
    vm_throw(vm, ERR_STACK, "stack overflow");
    return false;
  }
  if (need <= fiber_stack(vm, vm_fiber(vm))->h.aux - STACK_MARGIN) return open_stack(vm, need), true;
  return grow(vm, need + STACK_MARGIN);
}

Value fiber_new(ox_VM *vm, Value fn) {
  Fiber *f = vm_alloc(vm, sizeof(Fiber) / 8, KIND_FIBER, LAYOUT_VALUES, 6, 0);
  if (f == NULL) return V_ERROR;
  f->fn = fn;
  f->stack = f->parent = f->then = V_NIL;
  f->if_done = V_ABSENT;
  f->resumer = f->resumed = 0;
  f->state = FIBER_NEW;
  f->pc = f->base = f->depth = 0;
  Value v = v_from_ptr(vm->cage, KIND_FIBER, f);
  return vm_root(vm, v) ? v : V_ERROR;
}

/* Gives a fiber its stack. False: out of memory. */
static bool add_stack(ox_VM *vm, Value fiber, uint64_t cap, RetMode mode) {
  Stack *s = stack_new(vm, cap + STACK_MARGIN);
  if (s == NULL) return false;
  put_base_frame(vm, s, mode);
  Fiber *f = (Fiber *)vm_deref(vm, fiber);
  touch(vm, f);
  f->stack = v_from_ptr(vm->cage, KIND_STACK, s);
  f->base = 2;
  return true;
}

/* Makes `fiber` the running one, at its noted position. */
static void switch_to(ox_VM *vm, Value fiber) {
  VmState *st = vm->st;
  st->fiber = fiber;
  Fiber *f = vm_fiber(vm);
  touch(vm, f);
  f->state = FIBER_RUNNING;
  st->base = first_slot(vm, f) + f->base;
  st->pc = f->pc;
  st->extra = 0;
  open_stack(vm, 0);
}

/* Notes where the running fiber stands, which then is in `state`. */
static void leave(ox_VM *vm, FiberState state) {
  Fiber *f = vm_fiber(vm);
  Stack *s = fiber_stack(vm, f);
  uint64_t base = vm->st->base - gc_word(vm->cage, s->slots), used = base + vm_top(vm);
  gc_note_stack(vm->cage, v_ref(f->stack));
  s->used = used < s->h.aux ? used : s->h.aux;
  touch(vm, f);
  f->pc = (uint32_t)vm->st->pc;
  f->base = (uint32_t)base;
  f->state = state;
}

bool fiber_init_main(ox_VM *vm) {
  Value f = fiber_new(vm, V_NIL);
  if (f == V_ERROR || !add_stack(vm, f, STACK_MAIN, RET_STORE)) return false;
  ((Fiber *)vm_deref(vm, f))->pc = (uint32_t)proto_code(vm, proto_of(vm, vm->st->stub)) + 1;
  switch_to(vm, f);
  return true;
}

/* ---- resuming ---- */

static bool refuse(ox_VM *vm, Fiber *f) {
  if (f == vm_fiber(vm)) vm_throw(vm, ERR_FIBER, "a fiber cannot resume itself");
  else vm_throw(vm, ERR_FIBER, "the fiber is running already: it waits for one that it resumed");
  return false;
}

/* The resumer gets what it wants of a finished fiber. */
static bool deliver_done(ox_VM *vm, Value if_done, uint64_t resumer) {
  if (link_mode(resumer) == RET_NEXT) {
    vm->st->pc = link_pc(resumer);
    return true;
  }
  if (if_done != V_ABSENT) return call_deliver(vm, resumer, NULL, if_done);
  vm_throw(vm, ERR_FIBER, "the fiber is finished, there is no next value");
  return false;
}

static bool start(ox_VM *vm, Value fiber) {
  Fiber *f = (Fiber *)vm_deref(vm, fiber);
  f->pc = (uint32_t)proto_code(vm, proto_of(vm, vm->st->stub)) + 1;
  switch_to(vm, fiber);
  Value fn = f->fn;
  vm->caller = "fiber";
  bool ok = call_above(vm, fn, 0, NULL, link_make(f->pc, 0, RET_FIBER));
  vm->caller = NULL;
  return ok;
}

/* The running fiber waits for `fiber` from now on. False: too many do already. */
static bool wait_for(ox_VM *vm, Value fiber, Value if_done, uint64_t resumer) {
  if (vm_fiber(vm)->depth >= MAX_FIBER_DEPTH) {
    vm_throw(vm, ERR_STACK, "stack overflow: too many fibers wait for one another");
    return false;
  }
  leave(vm, FIBER_WAITING);
  Fiber *f = (Fiber *)vm_deref(vm, fiber);
  touch(vm, f);
  f->depth = vm_fiber(vm)->depth + 1;
  f->parent = vm->st->fiber;
  f->if_done = if_done;
  f->resumer = resumer;
  return true;
}

/* In the fiber just switched to: what was sent arrives. */
static bool go_on(ox_VM *vm, Fiber *f, Value sent) {
  Value then = f->then;
  if (then == V_NIL) return call_deliver(vm, f->resumed, NULL, sent);
  f->then = V_NIL;
  return vm_root(vm, then) && call_above(vm, then, 1, &sent, f->resumed);
}

bool fiber_resume(ox_VM *vm, Value fiber, Value sent, Value if_done, uint64_t resumer) {
  Fiber *f = (Fiber *)vm_deref(vm, fiber);
  FiberState state = f->state;
  if (state == FIBER_DONE) return deliver_done(vm, if_done, resumer);
  if (state == FIBER_RUNNING || state == FIBER_WAITING) return refuse(vm, f);
  if (state == FIBER_NEW && !add_stack(vm, fiber, STACK_FIBER, RET_FIBER)) return false;
  if (!wait_for(vm, fiber, if_done, resumer)) return false;
  if (state == FIBER_NEW) return start(vm, fiber);
  switch_to(vm, fiber);
  return go_on(vm, f, sent);
}

/* f.next() without a default, past all that calls of natives do: 20 % of a generator's cost. */
bool slow_fiber_next(ox_VM *vm, uint32_t ins) {
  Value fiber = vm_regs(vm)[INS_A(ins) + 2];
  return fiber_resume(vm, fiber, V_NIL, V_ABSENT, link_here(vm, 1, INS_C(ins), RET_STORE));
}

/* Throws where the fiber waits: always false, with the fiber the running one if it waited. */
static bool resume_throwing(ox_VM *vm, Value fiber, Value error, uint64_t resumer) {
  Fiber *f = (Fiber *)vm_deref(vm, fiber);
  if (f->state == FIBER_RUNNING || f->state == FIBER_WAITING) return refuse(vm, f);
  if (f->state == FIBER_SUSPENDED) {
    if (!wait_for(vm, fiber, V_NIL, resumer)) return false;
    switch_to(vm, fiber);
    f->then = V_NIL;
  } else { /* it never ran, and never will */
    touch(vm, f);
    f->state = FIBER_DONE;
    f->fn = V_NIL;
  }
  vm_throw_value(vm, error);
  return false;
}

/* Back to the resumer of the running fiber, whose position has been noted. Gives the fiber left. */
static Fiber *switch_back(ox_VM *vm) {
  Fiber *f = vm_fiber(vm);
  Value parent = f->parent;
  f->parent = V_NIL;
  switch_to(vm, parent);
  return f;
}

static Fiber *end_fiber(ox_VM *vm) {
  Fiber *f = vm_fiber(vm);
  empty_stack(vm, f);
  touch(vm, f);
  f->state = FIBER_DONE;
  f->stack = f->fn = V_NIL;
  return switch_back(vm);
}

bool fiber_finish(ox_VM *vm, Value result) {
  Fiber *f = end_fiber(vm);
  if (link_mode(f->resumer) == RET_C) return call_deliver(vm, f->resumer, NULL, result);
  return deliver_done(vm, f->if_done, f->resumer);
}

uint64_t fiber_fail(ox_VM *vm) { return end_fiber(vm)->resumer; }

static bool cannot_suspend(ox_VM *vm, const char *name) {
  vm_throw(vm, ERR_FIBER, vm_fiber(vm)->parent == V_NIL
           ? "%s() has to wait, which only a fiber can do"
           : "%s() has to wait, but was called by way of a function written in C", name);
  return false;
}

bool fiber_suspend(ox_VM *vm, uint64_t ret, const char *name) {
  VmState *st = vm->st;
  Value yielded = st->yielded, then = st->then;
  vm->suspending = false;
  st->yielded = st->then = V_NIL;
  if (st->fiber == vm->entry_fiber) return cannot_suspend(vm, name);
  leave(vm, FIBER_SUSPENDED);
  vm_fiber(vm)->resumed = ret;
  vm_fiber(vm)->then = then;
  Fiber *f = switch_back(vm);
  return call_deliver(vm, f->resumer, NULL, yielded);
}

bool slow_yield(ox_VM *vm, uint32_t ins) {
  if (vm->st->fiber == vm->entry_fiber) {
    vm_throw(vm, ERR_FIBER, vm_fiber(vm)->parent == V_NIL
             ? "yield outside of a fiber: a generator f is run by fiber(f)"
             : "cannot yield through a function written in C");
    return false;
  }
  Value v = vm_regs(vm)[INS_B(ins)];
  leave(vm, FIBER_SUSPENDED);
  vm_fiber(vm)->resumed = link_here(vm, 0, INS_A(ins), RET_STORE);
  Fiber *f = switch_back(vm);
  return call_deliver(vm, f->resumer, NULL, v);
}

/* One of `sent` and `error` is V_ABSENT. */
static Value step(ox_VM *vm, Value f, Value sent, Value error, bool *done) {
  *done = false;
  if (vm->c_depth >= vm->max_c_depth) return vm_throw(vm, ERR_STACK, "stack overflow");
  VmState *st = vm->st;
  uint64_t pc = st->pc, extra = st->extra;
  uint32_t mark = vm_roots_mark(vm);
  Value entry = vm->entry_fiber, callee = vm->callee;
  vm->entry_fiber = st->fiber;
  uint64_t outer = vm_run_begin(vm), exit_pc = proto_code(vm, proto_of(vm, st->stub));
  uint64_t link = link_make(exit_pc, 0, RET_C);
  bool ok = vm_root(vm, f);
  if (ok) ok = error == V_ABSENT ? fiber_resume(vm, f, sent, V_NIL, link)
                                 : resume_throwing(vm, f, error, link);
  if (!ok && st->fiber != vm->entry_fiber) {
    vm_unwind(vm); /* to a handler in the fiber, or to here */
    ok = st->error == V_ABSENT;
  }
  if (ok && st->pc != exit_pc) interp_run(vm);
  vm_run_end(vm, outer);
  vm->entry_fiber = entry;
  vm->callee = callee;
  st->pc = pc;
  st->extra = extra;
  vm_roots_reset(vm, mark);
  *done = ((Fiber *)vm_deref(vm, f))->state == FIBER_DONE;
  if (!ok || st->error != V_ABSENT) return V_ERROR;
  if (st->exit_value == V_ABSENT) return vm_throw(vm, ERR_SYSTEM, "damaged code: nothing is returned");
  return vm_root(vm, st->exit_value) ? st->exit_value : V_ERROR;
}

Value fiber_step(ox_VM *vm, Value f, Value sent, bool *done) {
  return step(vm, f, sent, V_ABSENT, done);
}

Value fiber_step_throwing(ox_VM *vm, Value f, Value error, bool *done) {
  return step(vm, f, V_ABSENT, error, done);
}

/* ---- methods ---- */

bool fiber_resume_special(ox_VM *vm, int special, Value *args, uint64_t ret) {
  if (!v_is(args[0], KIND_FIBER)) {
    vm_throw(vm, ERR_TYPE, "`%s` wants a fiber, not %s",
             special == SPECIAL_FIBER_SEND ? "send" : "next", vm_type_name(vm, args[0]));
    return false;
  }
  if (special == SPECIAL_FIBER_SEND) return fiber_resume(vm, args[0], args[1], V_ABSENT, ret);
  return fiber_resume(vm, args[0], V_NIL, args[1], ret);
}

static const NativeDef methods[] = {
    NATIVE_SPECIAL("next", SPECIAL_FIBER_NEXT, NULL, "next(self, default = ...)",
                   "Resumes the fiber and gives what it yields next; `default` where it has "
                   "finished, else throws."),
    NATIVE_SPECIAL("send", SPECIAL_FIBER_SEND, NULL, "send(self, value)",
                   "Resumes the fiber like `next`; the `yield` it waits in gives `value`."),
};

const ModuleDef module_fiber = {
  .name = "fiber", .doc = "Fibers: functions that can be left and gone on with.",
  .defs = methods, .ndefs = 2, .type = KIND_FIBER,
};

Value fiber_make(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!arg_callable(vm, args[0], "fiber: f")) return V_ERROR;
  return fiber_new(vm, args[0]);
}
