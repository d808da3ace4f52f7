// fuzz_compile.c - any bytes as a program: compiled, shown as bytecode, completed as at a prompt,
// but not run. One VM serves many inputs, so that what one leaves behind meets the next.
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { INPUTS_PER_VM = 500 };

static void drop(void *context, const char *bytes, size_t length) {
  *(size_t *)context += length + (length ? (uint8_t)bytes[length - 1] : 0);
}

static void drop_completion(void *context, const char *completion) {
  *(size_t *)context += strlen(completion);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static ox_VM *vm;
  static int inputs;
  if (!vm) vm = fuzz_vm(0);
  const char *text = (const char *)data;
  size_t seen = 0;
  ox_Scope scope = ox_scope_open(vm);
  if (ox_check(vm, text, size, "input") != OX_OK) fuzz_read_error(vm);
  ox_disassemble(vm, text, size, "input", drop, &seen);
  ox_complete(vm, text, size, drop_completion, &seen);
  ox_scope_close(vm, scope);
  if (++inputs < INPUTS_PER_VM) return 0;
  fuzz_examine(vm);
  ox_free(vm);
  vm = NULL;
  inputs = 0;
  return 0;
}
