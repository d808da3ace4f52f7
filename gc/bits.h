/* bits.h - bitmaps of 64-bit words, as the heap uses them: one bit per word of the cage. Positions
 * are bit numbers; ranges are half open. */
#ifndef OX_GC_BITS_H
#define OX_GC_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool bits_test(const uint64_t *bits, uint64_t at) {
  return bits[at >> 6] >> (at & 63) & 1;
}
static inline void bits_set(uint64_t *bits, uint64_t at) {
  bits[at >> 6] |= (uint64_t)1 << (at & 63);
}
static inline void bits_clear(uint64_t *bits, uint64_t at) {
  bits[at >> 6] &= ~((uint64_t)1 << (at & 63));
}

/* Sets the bits of [from, to). */
static inline void bits_set_range(uint64_t *bits, uint64_t from, uint64_t to) {
  for (; from < to && (from & 63); from++) bits_set(bits, from);
  for (; from + 64 <= to; from += 64) bits[from >> 6] = ~(uint64_t)0;
  for (; from < to; from++) bits_set(bits, from);
}

/* The first set bit of [from, to), or `to`. */
static inline uint64_t bits_next(const uint64_t *bits, uint64_t from, uint64_t to) {
  if (from >= to) return to;
  uint64_t i = from >> 6, word = bits[i] & (~(uint64_t)0 << (from & 63));
  while (!word) {
    if (++i << 6 >= to) return to;
    word = bits[i];
  }
  uint64_t at = (i << 6) + (uint64_t)__builtin_ctzll(word);
  return at < to ? at : to;
}

/* The last set bit of [from, at], or `at` where there is none. */
static inline uint64_t bits_previous(const uint64_t *bits, uint64_t from, uint64_t at) {
  uint64_t i = at >> 6, word = bits[i] & (~(uint64_t)0 >> (63 - (at & 63)));
  while (!word) {
    if (i-- <= from >> 6) return at;
    word = bits[i];
  }
  uint64_t found = (i << 6) + 63 - (unsigned)__builtin_clzll(word);
  return found >= from ? found : at;
}

/* The number of bits set in a word. */
static inline unsigned bits_in_word(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  return (unsigned)(((x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu) * 0x0101010101010101u >> 56);
}

/* The number of bits set in `n` whole words. Without the popcnt instruction, which a plain x86-64
 * build may not use: byte counts are added up and folded every 31 words. */
static inline uint64_t bits_count(const uint64_t *words, uint64_t n) {
  uint64_t total = 0;
  for (uint64_t i = 0; i < n;) {
    uint64_t bytes = 0;
    for (uint64_t end = n - i < 31 ? n : i + 31; i < end; i++) {
      uint64_t x = words[i];
      x -= x >> 1 & 0x5555555555555555u;
      x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
      bytes += (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    }
    bytes = (bytes & 0x00FF00FF00FF00FFu) + (bytes >> 8 & 0x00FF00FF00FF00FFu);
    total += bytes * 0x0001000100010001u >> 48;
  }
  return total;
}

/* The bits 0, stride, 2 * stride ... of a word. Stride 1..64. */
static inline uint64_t bits_pattern(unsigned stride) {
#define ROW(n) ((~(uint64_t)0 / (((uint64_t)1 << (n)) - 1) >> 64 % (n)) | \
                (uint64_t)(64 % (n) != 0) << (64 - 64 % (n)) % 64)
#define ROWS(n) ROW(n), ROW((n) + 1), ROW((n) + 2), ROW((n) + 3), ROW((n) + 4), ROW((n) + 5), \
                ROW((n) + 6)
  static const uint64_t patterns[] = {0,        ROWS(1),  ROWS(8),  ROWS(15), ROWS(22), ROWS(29),
                                      ROWS(36), ROWS(43), ROWS(50), ROWS(57), 1};
  return patterns[stride];
#undef ROWS
#undef ROW
}

/* A row of bits from, from + stride, ...: those in the word of `from`, and where it goes on. */
static inline uint64_t bits_row_here(uint64_t from, unsigned stride) {
  return bits_pattern(stride) << (from & 63);
}
static inline uint64_t bits_row_next(uint64_t from, uint64_t here, unsigned stride) {
  return (from | 63) - (unsigned)__builtin_clzll(here) + stride;
}

/* The first bit of the row in [from, to) that is not set, or something not below `to`. It is in
 * the first word, mostly, which takes no loop. */
static inline uint64_t bits_next_clear_in_row(const uint64_t *bits, uint64_t from, uint64_t to,
                                              unsigned stride) {
  while (from < to) {
    uint64_t here = bits_row_here(from, stride), clear = here & ~bits[from >> 6];
    if (clear) return (from & ~(uint64_t)63) + (unsigned)__builtin_ctzll(clear);
    from = bits_row_next(from, here, stride);
  }
  return from;
}

/* Sets the bits of a row below `to`. */
static inline void bits_set_row(uint64_t *bits, uint64_t from, uint64_t to, unsigned stride) {
  while (from < to) {
    uint64_t here = bits_row_here(from, stride), left = to - (from & ~(uint64_t)63);
    bits[from >> 6] |= left < 64 ? here & (((uint64_t)1 << left) - 1) : here;
    from = bits_row_next(from, here, stride);
  }
}

#endif
