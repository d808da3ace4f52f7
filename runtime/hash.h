/* hash.h - hashes of ints and words, inline for maps. */
#ifndef OX_RUNTIME_HASH_H
#define OX_RUNTIME_HASH_H

#include "vm.h"

/* Multiplicative hashing (Knuth), folded so that any stride spreads over the low bits. */
static inline uint32_t hash_word(ox_VM *vm, uint64_t w) {
  uint64_t x = (w ^ vm->st->hash_seed) * 0x9E3779B97F4A7C15ull;
  return (uint32_t)(x ^ x >> 32);
}
static inline uint32_t hash_int(ox_VM *vm, int64_t i) { return hash_word(vm, (uint64_t)i); }

#endif
