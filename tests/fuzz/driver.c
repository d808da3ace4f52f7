// driver.c - runs a fuzz target without libFuzzer: first every file given, then -runs=N inputs
// made from them by a fixed sequence of mutations. The same options as libFuzzer's, as far as
// the tests use them; others are passed over.
#define _GNU_SOURCE
#include "fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Weak: a target may have none of its own.
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                                     unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

enum { MAX_SEEDS = 4096, MAX_SIZE = 1 << 15 };
static struct { uint8_t *data; size_t size; } seeds[MAX_SEEDS];
static size_t seed_count, max_size = 4096;
static uint64_t rng = 88172645463325252u;

static size_t below(size_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return n ? (size_t)(rng % n) : 0;
}

// A few bytes changed, removed or added.
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) {
  for (size_t i = below(4) + 1; i > 0; i--) {
    size_t at = below(size);
    if (size > 1 && below(4) == 0) memmove(data + at, data + at + 1, --size - at);
    else if (size < max && below(3) == 0) memmove(data + at + 1, data + at, size++ - at);
    else if (size > 0) data[at] = (uint8_t)below(256);
  }
  return size;
}

static int read_seed(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info, (void)place;
  FILE *file = kind == FTW_F && seed_count < MAX_SEEDS ? fopen(path, "rb") : NULL;
  if (!file) return 0;
  uint8_t *data = malloc(MAX_SIZE);
  if (!data) abort();
  size_t size = fread(data, 1, max_size, file);
  fclose(file);
  seeds[seed_count].data = data;
  seeds[seed_count++].size = size;
  return 0;
}

static const char *keep; // where each input is written before it is tried

static void keep_input(const uint8_t *data, size_t size) {
  FILE *file = keep ? fopen(keep, "wb") : NULL;
  if (!file) return;
  fwrite(data, 1, size, file);
  fclose(file);
}

static void try(const uint8_t *data, size_t size) {
  keep_input(data, size);
  uint8_t *copy = malloc(size + 1); // of exactly its size, so that a read behind it is noticed
  if (!copy) abort();
  memcpy(copy, data, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
}

static void mutate_one(uint8_t *data) {
  size_t i = below(seed_count), size = seeds[i].size;
  memcpy(data, seeds[i].data, size);
  if (LLVMFuzzerCustomMutator)
    size = LLVMFuzzerCustomMutator(data, size, max_size, (unsigned)below(1u << 31));
  else size = LLVMFuzzerMutate(data, size, max_size);
  try(data, size);
}

int main(int argc, char **argv) {
  size_t runs = 0;
  for (int i = 1; i < argc; i++) {
    unsigned seed;
    if (sscanf(argv[i], "-runs=%zu", &runs) == 1) continue;
    if (sscanf(argv[i], "-seed=%u", &seed) == 1) rng += seed * 0x9E3779B97F4A7C15u;
    if (strncmp(argv[i], "-keep=", 6) == 0) keep = argv[i] + 6;
    if (sscanf(argv[i], "-max_len=%zu", &max_size) == 1) continue;
    if (argv[i][0] != '-') nftw(argv[i], read_seed, 16, FTW_PHYS);
  }
  if (max_size > MAX_SIZE) max_size = MAX_SIZE;
  if (seed_count == 0) seeds[seed_count++].data = calloc(1, MAX_SIZE);
  for (size_t i = 0; i < seed_count; i++) try(seeds[i].data, seeds[i].size);
  uint8_t *data = malloc(MAX_SIZE);
  for (size_t i = 0; data && i < runs; i++) mutate_one(data);
  for (size_t i = 0; i < seed_count; i++) free(seeds[i].data);
  free(data);
  fprintf(stderr, "Done %zu runs\n", seed_count + runs);
  return 0;
}
