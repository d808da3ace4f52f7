// fuzz.h - what the fuzz targets share: VMs under limits, and the proof that one survived.
//
// A target is a function LLVMFuzzerTestOneInput. With clang, libFuzzer drives it; driver.c does
// where there is none.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <oxbow.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A VM without access to the world: 16 MiB, a budget of `fuel`, its output dropped.
ox_VM *fuzz_vm(uint64_t fuel);

// Ends the process with a message unless the heap is whole and the VM still works.
void fuzz_examine(ox_VM *vm);

// Reads every part of the last error, if any.
void fuzz_read_error(ox_VM *vm);

_Noreturn void fuzz_fail(const char *what);

#endif
