/* output.c - standard output: a buffer beside the cage, emptied when it is full, at each line where
 * the host wants it so, and before input is awaited.
 *
 * What is written while it is held back (attempt's hold_output) lies in the cage instead: then it
 * is part of the state, and goes where the state goes, whatever is restored in whatever order. */
#include "output.h"

#include <stdlib.h>
#include <string.h>

enum { OUT_BUFFER = 32 << 10, HELD_FIRST = 4 << 10 };

/* ---- to the host ----------------------------------------------------------------------------- */

static void write_out(ox_VM *vm, const char *bytes, size_t n) {
  if (vm->write) vm->write(vm->write_ctx, bytes, n);
  else fwrite(bytes, 1, n, stdout);
}

void vm_flush(ox_VM *vm) {
  size_t n = vm->out_len;
  vm->out_len = 0;
  if (n) write_out(vm, vm->out, n);
  if (!vm->write) fflush(stdout);
}

static void write_buffered(ox_VM *vm, const char *bytes, size_t n) {
  if (!vm->out && (vm->out = malloc(OUT_BUFFER)) != NULL) vm->out_cap = OUT_BUFFER;
  if (n > vm->out_cap - vm->out_len) {
    size_t held = vm->out_len;
    vm->out_len = 0;
    if (held) write_out(vm, vm->out, held);
  }
  if (n > vm->out_cap) {
    write_out(vm, bytes, n);
    return;
  }
  memcpy(vm->out + vm->out_len, bytes, n);
  vm->out_len += n;
  if (vm->write_lines && memchr(bytes, '\n', n)) vm_flush(vm);
}

/* ---- held back ------------------------------------------------------------------------------- */

static Bytes *held(ox_VM *vm) { return vm->st->held == V_NIL ? NULL : vm_deref(vm, vm->st->held); }

/* A larger block, without a collection: the caller may hold values that nobody else knows. */
static bool held_grow(ox_VM *vm, uint64_t need) {
  Bytes *old = held(vm);
  uint64_t cap = old ? old->h.aux : HELD_FIRST;
  while (cap < need) cap *= 2;
  Bytes *b = cap > UINT32_MAX
                 ? NULL
                 : gc_alloc_nocollect(vm->gc, 1 + (cap + 7) / 8, GC_SPACE_OBJECT);
  if (!b) return false;
  b->h = (Header){KIND_BYTES, LAYOUT_RAW, 0, (uint32_t)cap};
  if (old) memcpy(b->data, old->data, vm->st->held_len);
  vm->st->held = v_from_ptr(vm->cage, KIND_BYTES, b);
  return true;
}

static void hold(ox_VM *vm, const char *bytes, size_t n) {
  VmState *st = vm->st;
  Bytes *b = held(vm);
  if (st->held_lost || n == 0) return;
  if ((!b || n > b->h.aux - st->held_len) &&
      (n > UINT32_MAX || !held_grow(vm, st->held_len + n))) {
    st->held_lost = 1;
    return;
  }
  uint8_t *to = held(vm)->data + st->held_len;
  uint64_t first = gc_word(vm->cage, to), last = gc_word(vm->cage, to + n - 1);
  gc_touch_range(vm->cage, first, last - first + 1);
  memcpy(to, bytes, n);
  st->held_len += n;
}

void vm_write(ox_VM *vm, const char *bytes, size_t n) {
  vm_charge(vm, n);
  if (vm->st->hold_depth) hold(vm, bytes, n);
  else write_buffered(vm, bytes, n);
}

void output_finish(ox_VM *vm) {
  VmState *st = vm->st;
  Bytes *b = st->hold_depth ? held(vm) : NULL;
  if (b) write_buffered(vm, (const char *)b->data, st->held_len);
  st->held = V_NIL;
  st->hold_depth = st->held_len = st->held_lost = 0;
}

void output_hold(ox_VM *vm) { vm->st->hold_depth++; }

bool output_commit(ox_VM *vm) {
  VmState *st = vm->st;
  if (st->held_lost) {
    vm_throw(vm, ERR_MEMORY, "out of memory: the output held back does not fit; hold back less, or "
             "raise the memory limit");
    return false;
  }
  if (st->hold_depth > 1) st->hold_depth--;
  else output_finish(vm);
  return true;
}
