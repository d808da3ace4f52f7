/* distance.c - how far two names are from each other: optimal string alignment, row by row. A swap
 * of neighbours counts as one step, which looks two rows back; three rows are all that is kept. */
#include "distance.h"

#include <stdbool.h>

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t least = a < b ? a : b;
  return least < c ? least : c;
}

uint32_t distance_edit(const char *a, uint32_t a_len, const char *b, uint32_t b_len) {
  uint32_t rows[3][DISTANCE_MAX_LEN + 1];
  uint32_t *before = rows[0], *above = rows[1], *row = rows[2];
  for (uint32_t j = 0; j <= b_len; j++) above[j] = j;
  for (uint32_t i = 1; i <= a_len; i++) {
    row[0] = i;
    for (uint32_t j = 1; j <= b_len; j++) {
      uint32_t cost = a[i - 1] != b[j - 1];
      row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped && before[j - 2] + 1 < row[j]) row[j] = before[j - 2] + 1;
    }
    uint32_t *spare = before;
    before = above;
    above = row;
    row = spare;
  }
  return above[b_len];
}
