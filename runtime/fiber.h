/* fiber.h - stacks, and switching between them. */
#ifndef OX_RUNTIME_FIBER_H
#define OX_RUNTIME_FIBER_H

#include "interp.h"
#include "native.h"

/* Room for `n` registers above R, with a margin. May move the stack. False: overflow or out of
 * memory. */
bool stack_grow(ox_VM *vm, uint64_t n);
static inline bool stack_ensure(ox_VM *vm, uint64_t n) {
  return (vm->st->base + n) * sizeof(Value) <= vm->st->stack_end || stack_grow(vm, n);
}
/* After a snapshot or a rollback: makes the running stack writable again. */
void stack_reopen(ox_VM *vm);
/* Between instructions: gives back most of a stack that a deep recursion has left behind, so that
 * collections need not clear it. */
void stack_trim(ox_VM *vm);
/* A fiber that will call `fn`, not started. Rooted. */
Value fiber_new(ox_VM *vm, Value fn);
/* The fiber that runs programs: sets st->fiber, base and pc. False: out of memory. */
bool fiber_init_main(ox_VM *vm);

/* Switches to fiber `f`. What it yields or returns goes where `resumer` (a link without delta) says
 * in the running function; if it is finished (or finishes without a value) the resumer gets
 * `if_done`, V_ABSENT: an error. */
bool fiber_resume(ox_VM *vm, Value f, Value sent, Value if_done, uint64_t resumer);
/* The same for the methods next and send. */
bool fiber_resume_special(ox_VM *vm, int special, Value *args, uint64_t ret);
/* The running fiber's function has returned: goes on in the resumer. `result` reaches resumers in
 * C only. */
bool fiber_finish(ox_VM *vm, Value result);
/* A native asked to suspend the running fiber: st->yielded goes to the resumer. What is sent later
 * becomes the result of the native's call, which `ret` says where to put; if st->then is a function,
 * it is called with what was sent, and its result counts. `name`: of the native, for errors. */
bool fiber_suspend(ox_VM *vm, uint64_t ret, const char *name);
/* It has thrown: goes on in the resumer, at the place where it waits. Gives the link it waits
 * by. */
uint64_t fiber_fail(ox_VM *vm);
/* Resumes from C. *done: it was finished (the result is nil) or finishes now (it is what the
 * fiber's function returned). V_ERROR: pending. */
Value fiber_step(ox_VM *vm, Value f, Value sent, bool *done);
/* The same, but where the fiber waits `error` is thrown. */
Value fiber_step_throwing(ox_VM *vm, Value f, Value error, bool *done);

/* What the running function has left in registers above the arguments of a native that it calls is of
 * no use any more, and would keep objects alive. */
void stack_forget_above(ox_VM *vm, Value *args, int nargs);

/* Before a collection: st->base is noted in the running stack. */
void fiber_note_used(ox_VM *vm);

extern const ModuleDef module_fiber; /* methods */
Value fiber_make(ox_VM *vm, Value *args, int nargs); /* core function fiber(f) */

#endif
