/* api_fibers.c - the C API: fibers driven by the host, functions of the host that suspend theirs.
 * Contracts in oxbow.h. */
#include "api.h"
#include "fiber.h"

ox_Value ox_fiber(ox_VM *vm, ox_Value function) {
  API_CALL(vm);
  API_VALUE(vm, function);
  if (in(function) == V_ABSENT) {
    api_misuse(vm, "ox_fiber: OX_NONE is no function");
    return ox_none();
  }
  Value f = in(function);
  return api_made(vm, arg_callable(vm, f, "fiber: f") ? fiber_new(vm, f) : V_ERROR);
}

static FiberState state_of(ox_VM *vm, ox_Value fiber) {
  return (FiberState)((Fiber *)vm_deref(vm, in(fiber)))->state;
}

bool ox_is_done(ox_VM *vm, ox_Value fiber) {
  API_CALL(vm);
  API_VALUE(vm, fiber);
  return v_is(in(fiber), KIND_FIBER) && state_of(vm, fiber) == FIBER_DONE;
}

ox_Status ox_resume(ox_VM *vm, ox_Value fiber, ox_Value sent, ox_Value *result) {
  API_CALL(vm);
  API_VALUE(vm, fiber);
  API_VALUE(vm, sent);
  if (!v_is(in(fiber), KIND_FIBER) || in(sent) == V_ABSENT)
    return api_misused(vm, "ox_resume: this is no fiber, or OX_NONE was to be sent", result);
  uint32_t mark = api_enter(vm);
  bool done;
  Value v = V_ERROR;
  if (state_of(vm, fiber) == FIBER_DONE)
    vm_throw(vm, ERR_FIBER, "the fiber is finished, there is no next value");
  else if (vm_poll(vm, 0))
    v = fiber_step(vm, in(fiber), in(sent), &done);
  return api_leave(vm, mark, v, result);
}

ox_Status ox_resume_throwing(ox_VM *vm, ox_Value fiber, ox_Value error, ox_Value *result) {
  API_CALL(vm);
  API_VALUE(vm, fiber);
  API_VALUE(vm, error);
  if (!v_is(in(fiber), KIND_FIBER) || in(error) == V_ABSENT)
    return api_misused(vm, "ox_resume_throwing: this is no fiber, or OX_NONE was to be thrown",
                       result);
  uint32_t mark = api_enter(vm);
  bool done;
  Value v = V_ERROR;
  if (state_of(vm, fiber) == FIBER_DONE) vm_throw_value(vm, in(error));
  else if (vm_poll(vm, 0)) v = fiber_step_throwing(vm, in(fiber), in(error), &done);
  return api_leave(vm, mark, v, result);
}

ox_Value ox_suspend(ox_VM *vm, ox_Value value, ox_Value then) {
  API_CALL(vm);
  API_VALUE(vm, value);
  API_VALUE(vm, then);
  if (in(value) == V_ABSENT) return ox_throw(vm, NULL, "ox_suspend: OX_NONE is no value");
  vm->suspending = true;
  vm->st->yielded = in(value);
  vm->st->then = in(then) == V_ABSENT ? V_NIL : in(then);
  return ox_none();
}
