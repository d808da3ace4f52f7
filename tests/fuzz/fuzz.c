// fuzz.c - see fuzz.h.
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *what) {
  fprintf(stderr, "fuzz: %s\n", what);
  abort();
}

static void drop(void *context, const char *bytes, size_t length) {
  (void)context;
  if (length && memchr(bytes, 0, length) == bytes + length) abort(); // reads every byte
}

static char *load_nothing(void *context, const char *path, size_t *length) {
  (void)context, (void)path, (void)length;
  return NULL;
}

ox_VM *fuzz_vm(uint64_t fuel) {
  ox_Config config = ox_config();
  config.memory_limit = 16 << 20;
  config.address_space = 16 << 20;
  config.capabilities = 0;
  config.write = drop;
  config.load = load_nothing;
  config.fuel = fuel;
  ox_VM *vm = ox_new(&config);
  if (!vm) fuzz_fail("no VM");
  return vm;
}

void fuzz_read_error(ox_VM *vm) {
  const ox_Error *e = ox_error(vm);
  if (!e) return;
  size_t n = strlen(e->kind) + strlen(e->message) + strlen(e->report);
  if (e->file) n += strlen(e->file);
  for (int i = 0; i < e->frame_count; i++)
    n += strlen(e->frames[i].function) + strlen(e->frames[i].file);
  if (n == SIZE_MAX) abort();
}

void fuzz_examine(ox_VM *vm) {
  const char *damage = ox_verify(vm);
  if (damage) fuzz_fail(damage);
  ox_set_fuel(vm, 0);
  ox_set_memory_limit(vm, 0);
  ox_Value v;
  ox_Status status = ox_eval(vm, "1 + 1", 5, "sum", &v);
  if (status == OX_INTERRUPTED) status = ox_eval(vm, "1 + 1", 5, "sum", &v); // one was left over
  if (status != OX_OK) fuzz_fail(ox_error(vm)->report);
  if (ox_as_int(vm, v) != 2) fuzz_fail("1 + 1 is not 2");
}
