// fuzz_run.c - any bytes as a program, run with little memory, a small budget and no access to the
// world. Whatever it does, the VM must be whole afterwards. The first byte chooses how it is run.
#include "fuzz.h"

#include <string.h>

enum { FUEL = 50000 };

static void run(ox_VM *vm, const char *text, size_t size, bool session) {
  ox_Status status = session ? ox_eval(vm, text, size, "input", NULL)
                             : ox_run(vm, text, size, "input", NULL);
  if (status != OX_OK) fuzz_read_error(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ox_VM *vm = fuzz_vm(FUEL);
  bool session = size > 0 && data[0] == ';';
  run(vm, (const char *)data, size, session);
  if (session) { // a second time, on top of what the first left
    ox_set_fuel(vm, FUEL);
    run(vm, (const char *)data, size, true);
  }
  fuzz_examine(vm);
  ox_free(vm);
  return 0;
}
