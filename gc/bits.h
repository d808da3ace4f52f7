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

/* A row of bits from, from + stride, ... goes through the words of a bitmap: its bits in the
 * present word. Stride 1..64. */
typedef struct BitsRow { uint64_t pattern; unsigned phase, over, stride; } BitsRow;
static inline BitsRow bits_row(uint64_t from, unsigned stride) {
  BitsRow row = {0, from & 63, 64 % stride, stride};
  for (unsigned at = 0; at < 64; at += stride) row.pattern |= (uint64_t)1 << at;
  return row;
}
static inline uint64_t bits_row_word(const BitsRow *row) { return row->pattern << row->phase; }
static inline void bits_row_advance(BitsRow *row) {
  row->phase %= row->stride;
  row->phase = row->phase >= row->over ? row->phase - row->over
                                       : row->phase + row->stride - row->over;
}

/* The first bit of the row in [from, to) that is not set, or something not below `to`. */
static inline uint64_t bits_next_clear_in_row(const uint64_t *bits, uint64_t from, uint64_t to,
                                              unsigned stride) {
  if (from >= to || !bits_test(bits, from)) return from;
  BitsRow row = bits_row(from, stride);
  for (uint64_t i = from >> 6; i << 6 < to; i++, bits_row_advance(&row)) {
    uint64_t clear = bits_row_word(&row) & ~bits[i];
    if (clear) return (i << 6) + (uint64_t)__builtin_ctzll(clear);
  }
  return to;
}

/* Sets the bits of a row below `to`. */
static inline void bits_set_row(uint64_t *bits, uint64_t from, uint64_t to, unsigned stride) {
  if (from >= to) return;
  BitsRow row = bits_row(from, stride);
  uint64_t i = from >> 6, last = (to - 1) >> 6;
  for (; i < last; i++, bits_row_advance(&row)) bits[i] |= bits_row_word(&row);
  unsigned left = (unsigned)(to - (last << 6)); /* 1..64 bits of the last word */
  bits[last] |= bits_row_word(&row) & (left == 64 ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1);
}

#endif
