/* unwind.c - from a throw to whoever handles it.
 *
 * No jump in C: the loop below walks frames by their links and looks each function's handler table
 * up by its pc. It ends where a handler takes the error, or at a frame that C code called: there
 * the error stays pending and the interpreter leaves. A fiber that throws is finished, its resumer
 * goes on throwing. Interrupts and used-up fuel pass by all handlers.
 *
 * What the frames left behind held is cleared: the next frames will lie there, and a collection
 * that finds no memory must not keep alive what the error was to set free. */
#include <string.h>

#include "call.h"
#include "fiber.h"
#include "loader.h"
#include "ops.h"
#include "trace.h"

static const Handler *find_handler(ox_VM *vm, Proto *p, uint32_t at) {
  const ProtoInfo *info = proto_info(vm, p);
  const Handler *h = info_handlers(info);
  for (uint32_t i = 0; i < info->nhandlers; i++)
    if (at >= h[i].start && at < h[i].end) return &h[i];
  return NULL;
}

static bool handled(ox_VM *vm) {
  VmState *st = vm->st;
  Proto *p = vm_proto(vm);
  uint64_t code = proto_code(vm, p), at = st->pc - code - 1;
  if (at >= p->ncode || vm->unwinding_uncatchable) return false;
  const Handler *h = find_handler(vm, p, (uint32_t)at);
  if (h == NULL) return false;
  Value *R = vm_regs(vm);
  memset(R + h->reg, 0, (p->nregs - h->reg) * sizeof *R); /* temporaries of the block left behind */
  R[h->reg] = st->error;
  st->error = V_ABSENT;
  st->pc = code + h->target;
  return true;
}

/* Leaves the running frame. True: C code waits there, the interpreter is to be left. */
static bool pop_frame(ox_VM *vm) {
  VmState *st = vm->st;
  Value *N = vm_regs(vm);
  uint64_t link = N[-1], outer = trace_outer_link(N, link);
  memset(N, 0, vm_proto(vm)->nregs * sizeof *N);
  if (link_mode(link) == RET_IMPORT)
    ops_module_done(vm, (N - link_delta(link))[link_dest(link)], false);
  if (link_mode(outer) == RET_FIBER) {
    outer = fiber_fail(vm);
  } else {
    st->base -= link_delta(link);
    st->pc = link_pc(link);
  }
  if (link_mode(outer) != RET_C) return false;
  st->pc = proto_code(vm, proto_of(vm, st->stub));
  return true;
}

void vm_unwind(ox_VM *vm) {
  if (vm->st->error == V_ABSENT) vm_throw(vm, ERR_SYSTEM, "damaged code: nothing is thrown");
  trace_attach(vm);
  vm->st->extra = 0;
  while (!handled(vm))
    if (pop_frame(vm)) return;
}

bool slow_throw(ox_VM *vm, uint32_t ins) {
  vm_throw_value(vm, vm_regs(vm)[INS_A(ins)]);
  return false;
}

bool slow_rethrow(ox_VM *vm, uint32_t ins) {
  vm->st->error = vm_regs(vm)[INS_A(ins)];
  return false;
}
