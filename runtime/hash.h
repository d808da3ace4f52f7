/* hash.h - hashes of ints, words and bytes, inline for maps and interning. */
#ifndef OX_RUNTIME_HASH_H
#define OX_RUNTIME_HASH_H

#include <string.h>

#include "vm.h"

/* Multiplicative hashing (Knuth), folded so that any stride spreads over the low bits. */
static inline uint32_t hash_word(ox_VM *vm, uint64_t w) {
  uint64_t x = (w ^ vm->st->hash_seed) * 0x9E3779B97F4A7C15ull;
  return (uint32_t)(x ^ x >> 32);
}
static inline uint32_t hash_int(ox_VM *vm, int64_t i) { return hash_word(vm, (uint64_t)i); }

/* Multiply-and-fold over 16 bytes a step, in the manner of wyhash (Wang Yi, 2019): each 64 x 64 bit
 * product is folded by xor. The seed is the same in all VMs, so that images fit each other and runs
 * can be repeated: keys that collide can be made on purpose. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b) {
  unsigned __int128 p = (unsigned __int128)a * b;
  return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t hash_load8(const char *p) {
  uint64_t w;
  memcpy(&w, p, 8);
  return w;
}

static inline uint64_t hash_load4(const char *p) {
  uint32_t w;
  memcpy(&w, p, 4);
  return w;
}

static inline uint32_t hash_bytes(uint64_t seed, const char *p, uint64_t n) {
  const uint64_t k0 = 0x9E3779B97F4A7C15ull, k1 = 0xD6E8FEB86659FD93ull;
  uint64_t a = 0, b = 0, left = n;
  for (; left > 16; p += 16, left -= 16) seed = hash_fold(hash_load8(p) ^ k1 ^ seed, hash_load8(p + 8) ^ ~seed);
  if (left >= 8) {
    a = hash_load8(p);
    b = hash_load8(p + left - 8);
  } else if (left >= 4) {
    a = hash_load4(p);
    b = hash_load4(p + left - 4);
  } else if (left > 0) {
    a = (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[left / 2] << 8 | (uint8_t)p[left - 1];
  }
  uint64_t h = hash_fold(a ^ k0 ^ n, b ^ seed ^ k1);
  h ^= h >> 32;
  return (uint32_t)h ? (uint32_t)h : 1; /* 0 stands for "not computed" */
}

#endif
