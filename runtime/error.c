/* error.c - making and throwing errors, and reading their traces. */
#include "trace.h"

#include <stdarg.h>

#include "../lang/source.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "report.h"
#include "str.h"

static const char *const kind_names[] = {
#define ERR(e, name) name,
#include "errors.def"
#undef ERR
};

bool error_pending(ox_VM *vm) { return vm->st->error != V_ABSENT; }

Value error_take(ox_VM *vm) {
  Value e = vm->st->error;
  vm->st->error = V_ABSENT;
  return e;
}

Value vm_throw_value(ox_VM *vm, Value v) {
  vm->log_short = false; /* what ran is stopped by this */
  vm->st->error = v;
  if (!v_is(v, KIND_ERROR)) vm->st->thrown_trace = V_NIL; /* of an earlier one */
  return V_ERROR;
}

/* The error made when the VM was: there is no memory to make another. Its trace is this throw's. */
Value vm_throw_oom(ox_VM *vm) {
  Value e = vm->st->oom_error;
  if (v_is(e, KIND_ERROR)) gc_store(vm->cage, v_ref(e).w + offsetof(Error, trace) / 8, V_NIL);
  return vm_throw_value(vm, e);
}

Value error_new(ox_VM *vm, ErrorKind kind, Value message, Value data) {
  if (!vm_root(vm, message) || !vm_root(vm, data)) return V_ERROR;
  Value name = string_from_c(vm, kind_names[kind]);
  if (name == V_ERROR) return V_ERROR;
  Error *e = vm_alloc(vm, sizeof(Error) / 8, KIND_ERROR, LAYOUT_VALUES, 4, 0);
  if (e == NULL) return V_ERROR;
  e->message = message;
  e->data = data;
  e->trace = V_NIL;
  e->kind = name;
  Value v = v_from_ptr(vm->cage, KIND_ERROR, e);
  return vm_root(vm, v) ? v : V_ERROR;
}

Value vm_throw(ox_VM *vm, ErrorKind kind, const char *fmt, ...) {
  char text[1000];
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (n < 0) n = 0;
  if ((size_t)n >= sizeof text) n = sizeof text - 1;
  uint32_t mark = vm_roots_mark(vm);
  Value message = string_new(vm, text, (uint64_t)n);
  Value e = message == V_ERROR ? V_ERROR : error_new(vm, kind, message, V_NIL);
  vm_roots_reset(vm, mark);
  return e == V_ERROR ? V_ERROR : vm_throw_value(vm, e);
}

/* ---- e.trace ---- */

static bool put(ox_VM *vm, Value map, const char *name, Value v) {
  Value key = string_intern(vm, name, strlen(name));
  return key != V_ERROR && v != V_ERROR && map_set(vm, map, key, v);
}

static Value entry_map(ox_VM *vm, const TraceFrame *frame) {
  Value map = map_new(vm, 3);
  if (map == V_ERROR || !put(vm, map, "fn", string_from_c(vm, frame->function)) ||
      !put(vm, map, "file", string_from_c(vm, frame->file)) ||
      !put(vm, map, "line", v_from_int(frame->line)))
    return V_ERROR;
  return map;
}

Value error_trace_list(ox_VM *vm, Value error) {
  Value list = list_new(vm, 0);
  if (list == V_ERROR) return V_ERROR;
  TraceReader reader;
  trace_reader_init(&reader, vm, error);
  TraceFrame frame;
  for (int i = 0; trace_reader_frame(&reader, i, &frame); i++) {
    uint32_t mark = vm_roots_mark(vm);
    Value map = entry_map(vm, &frame);
    if (map == V_ERROR || !list_push(vm, list, map)) {
      list = V_ERROR;
      break;
    }
    vm_roots_reset(vm, mark);
  }
  trace_reader_free(&reader);
  return list;
}
