/* xxh64.c - XXH64: four lanes of 64 bits take 32 bytes a round, are joined into one word, and what
 * is left of the input and the length are stirred in. One multiplication a word, no table, some
 * 10 GB/s; written from the specification, so that images need no library. */
#include "xxh64.h"

#include <string.h>

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_3 0x165667B19E3779F9u
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_5 0x27D4EB2F165667C5u

static uint64_t rotate(uint64_t x, unsigned by) { return x << by | x >> (64 - by); }

static uint64_t word_at(const uint8_t *p) {
  uint64_t w;
  memcpy(&w, p, sizeof w);
  return w;
}

static uint64_t half_at(const uint8_t *p) {
  uint32_t w;
  memcpy(&w, p, sizeof w);
  return w;
}

static uint64_t lane(uint64_t sum, uint64_t input) {
  return rotate(sum + input * PRIME_2, 31) * PRIME_1;
}

static uint64_t join(uint64_t h, uint64_t sum) { return (h ^ lane(0, sum)) * PRIME_1 + PRIME_4; }

static uint64_t stripes(const uint8_t *p, const uint8_t *end, uint64_t seed) {
  uint64_t a = seed + PRIME_1 + PRIME_2, b = seed + PRIME_2, c = seed, d = seed - PRIME_1;
  for (; end - p >= 32; p += 32) {
    a = lane(a, word_at(p));
    b = lane(b, word_at(p + 8));
    c = lane(c, word_at(p + 16));
    d = lane(d, word_at(p + 24));
  }
  uint64_t h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  return join(join(join(join(h, a), b), c), d);
}

static uint64_t rest(uint64_t h, const uint8_t *p, const uint8_t *end) {
  for (; end - p >= 8; p += 8) h = rotate(h ^ lane(0, word_at(p)), 27) * PRIME_1 + PRIME_4;
  for (; end - p >= 4; p += 4) h = rotate(h ^ half_at(p) * PRIME_1, 23) * PRIME_2 + PRIME_3;
  for (; p < end; p++) h = rotate(h ^ *p * PRIME_5, 11) * PRIME_1;
  return h;
}

static uint64_t avalanche(uint64_t h) {
  h = (h ^ h >> 33) * PRIME_2;
  h = (h ^ h >> 29) * PRIME_3;
  return h ^ h >> 32;
}

uint64_t xxh64(const void *bytes, size_t n, uint64_t seed) {
  const uint8_t *p = n ? bytes : (const uint8_t *)"", *end = p + n; /* NULL is allowed then */
  uint64_t h = n >= 32 ? stripes(p, end, seed) : seed + PRIME_5;
  return avalanche(rest(h + n, p + n / 32 * 32, end));
}
