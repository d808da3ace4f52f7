#include "utf8.h"

static bool is_continuation(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }

/* Length of the sequence that a first byte announces, 0 where it cannot be one. */
static unsigned sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return 2;
  if (first < 0xF0) return 3;
  return first < 0xF5 ? 4 : 0;
}

unsigned utf8_decode(const char *bytes, size_t len, uint32_t *code) {
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned char first = (unsigned char)bytes[0];
  unsigned size = sequence_length(first);
  if (size == 0 || size > len) return 0;
  uint32_t value = size == 1 ? first : first & (0x7Fu >> size);
  for (unsigned i = 1; i < size; i++) {
    if (!is_continuation(bytes[i])) return 0;
    value = value << 6 | ((unsigned char)bytes[i] & 0x3Fu);
  }
  if (value < smallest[size] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return 0;
  *code = value;
  return size;
}

unsigned utf8_encode(uint32_t code, char *bytes) {
  if (code < 0x80) {
    bytes[0] = (char)code;
    return 1;
  }
  unsigned size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (unsigned i = size - 1; i > 0; i--) {
    bytes[i] = (char)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  bytes[0] = (char)((0xF00u >> size) | code);
  return size;
}

typedef struct CodeRange {
  uint32_t first, last;
} CodeRange;

/* Blocks rather than single characters: a caret one column off in rare scripts is harmless. */
static const CodeRange zero_width[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},  {0x064B, 0x065F},
    {0x093C, 0x093C}, {0x094D, 0x094D}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},  {0x1AB0, 0x1AFF},
    {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x2064},  {0x20D0, 0x20FF},
    {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};

static const CodeRange double_width[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2E80, 0x303E},   {0x3041, 0x33FF},
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xAC00, 0xD7A3},
    {0xF900, 0xFAFF},   {0xFE30, 0xFE4F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
    {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

static bool in_ranges(uint32_t code, const CodeRange *ranges, size_t count) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (code > ranges[middle].last) low = middle + 1;
    else high = middle;
  }
  return low < count && code >= ranges[low].first;
}

unsigned utf8_width(uint32_t code) {
  if (code < 0x300) return 1;
  if (in_ranges(code, zero_width, sizeof zero_width / sizeof *zero_width)) return 0;
  return in_ranges(code, double_width, sizeof double_width / sizeof *double_width) ? 2 : 1;
}
