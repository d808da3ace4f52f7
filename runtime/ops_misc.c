/* ops_misc.c - slow paths: variables before their line, defer, modules. */
#include "call.h"
#include "class.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "ops.h"
#include "str.h"

/* The text of the running instruction in its source, cut to `room` bytes; "?" where it is not
 * known. */
static const char *span_text(ox_VM *vm, char *out, size_t room) {
  Proto *p = vm_proto(vm);
  uint32_t from, to;
  uint64_t at = vm->st->pc - proto_code(vm, p) - 1;
  Value source = v_is(p->module, KIND_MODULE) ? ((Module *)vm_deref(vm, p->module))->source : V_NIL;
  String *text = v_is_string(source) ? string_flat(vm, source) : NULL;
  snprintf(out, room, "?");
  if (text == NULL || at >= p->ncode || !proto_span(vm, p, (uint32_t)at, &from, &to)) return out;
  if (to > text->h.aux || from >= to) return out;
  snprintf(out, room, "%.*s", (int)(to - from), text->chars + from);
  return out;
}

bool slow_unset(ox_VM *vm, uint32_t ins) {
  (void)ins;
  char name[80];
  vm_throw(vm, ERR_NAME, "`%s` is used before its line ran", span_text(vm, name, sizeof name));
  return false;
}

bool slow_global_absent(ox_VM *vm, uint32_t ins) { return slow_unset(vm, ins); }

static bool damaged(ox_VM *vm, const char *what) {
  vm_throw(vm, ERR_SYSTEM, "damaged code: %s", what);
  return false;
}

/* A record is [callee, list of arguments, map of named ones or nil]. */
bool slow_deferrun(ox_VM *vm, uint32_t ins) {
  Value *R = vm_regs(vm);
  Value list = R[INS_A(ins)];
  if (!v_is(list, KIND_LIST)) return damaged(vm, "no list of deferred calls");
  uint64_t n = list_len(vm, list);
  int32_t displacement = (int32_t)vm_pc(vm)[0];
  vm->st->pc++;
  if (n == 0) {
    vm->st->pc += (int64_t)displacement;
    return true;
  }
  Value record = list_get(vm, list, n - 1);
  if (!v_is(record, KIND_LIST) || list_len(vm, record) < 3)
    return damaged(vm, "no deferred call");
  Value *to = R + INS_B(ins);
  to[0] = list_get(vm, record, 0);
  to[2] = list_get(vm, record, 1);
  to[3] = list_get(vm, record, 2);
  list_truncate(vm, list, n - 1);
  return true;
}

/* ---- modules ---- */

static Module *running_module(ox_VM *vm) { return (Module *)vm_deref(vm, vm_proto(vm)->module); }

/* Each export has its slot in the frame: what a compiler made sees to that. */
static bool has_exports(ox_VM *vm, Value module, Value frame) {
  if (!v_is(module, KIND_MODULE) || !v_is(frame, KIND_FRAME)) return false;
  Map *exports = as_map(vm, ((Module *)vm_deref(vm, module))->exports);
  uint64_t slots = ((Frame *)vm_deref(vm, frame))->h.n;
  Value name, slot;
  for (uint32_t i = 0; map_next(vm, exports, &i, &name, &slot);)
    if (v_index(slot) >= slots) return false;
  return true;
}

bool slow_setmod(ox_VM *vm, uint32_t ins) {
  Value module = vm_proto(vm)->module;
  if (!has_exports(vm, module, vm_regs(vm)[INS_A(ins)])) return damaged(vm, "no module");
  gc_store(vm->cage, v_ref(module).w + offsetof(Module, frame) / 8, vm_regs(vm)[INS_A(ins)]);
  return true;
}

void ops_module_done(ox_VM *vm, Value module, bool ok) {
  Module *m = (Module *)vm_deref(vm, module);
  gc_touch(vm->cage, gc_word(vm->cage, &m->state));
  m->state = ok ? MODULE_READY : MODULE_FAILED;
}

static bool cannot_import(ox_VM *vm, Module *m) {
  String *name = string_flat(vm, m->name);
  vm_throw(vm, ERR_IMPORT, m->state == MODULE_FAILED ? "module %s could not be imported before"
           : "module %s is imported while it is running", name ? name->chars : "?");
  return false;
}

bool slow_import(ox_VM *vm, uint32_t ins) {
  Value module = list_get(vm, running_module(vm)->imports, INS_D(ins));
  Module *m = (Module *)vm_deref(vm, module);
  if (m->state == MODULE_READY) {
    vm_regs(vm)[INS_A(ins)] = module;
    return true;
  }
  if (m->state != MODULE_NEW) return cannot_import(vm, m);
  gc_touch(vm->cage, gc_word(vm->cage, &m->state));
  m->state = MODULE_RUNNING;
  vm_regs(vm)[INS_A(ins)] = module;
  if (call_above(vm, m->main, 0, NULL, link_here(vm, 0, INS_A(ins), RET_IMPORT))) return true;
  ops_module_done(vm, module, false);
  return false;
}
