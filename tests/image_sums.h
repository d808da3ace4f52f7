/* image_sums.h - makes the checksums of an image that was changed right again, so that the checks
 * behind them are reached. */
#ifndef OX_TEST_IMAGE_SUMS_H
#define OX_TEST_IMAGE_SUMS_H

#include <string.h>

#include "gc/image.h"
#include "gc/xxh64.h"

static inline void sum_pages_anew(uint8_t *image, size_t size, const ImageHeader *h) {
  uint64_t offset = h->sections[IMAGE_SUMS].offset;
  size_t first = h->first_page * (size_t)GC_PAGE;
  for (size_t page = 0; page < h->pages && first + (page + 1) * GC_PAGE <= size; page++) {
    size_t chunk = page / IMAGE_CHUNK;
    uint64_t at = offset + chunk * 8, sum = chunk;
    if (at > size - 8 || offset >= size) break;
    if (page % IMAGE_CHUNK) memcpy(&sum, image + at, 8);
    sum = xxh64(image + first + page * GC_PAGE, GC_PAGE, sum);
    memcpy(image + at, &sum, 8);
  }
}

/* Where the file is too short or its tables lie elsewhere, what fits. */
static inline void sum_anew(uint8_t *image, size_t size) {
  ImageHeader h;
  memcpy(&h, image, sizeof h);
  sum_pages_anew(image, size, &h);
  for (int i = 0; i < IMAGE_SECTIONS; i++) {
    ImageSpan *s = &h.sections[i];
    if (s->offset <= size && s->bytes <= size - s->offset)
      s->sum = xxh64(image + s->offset, s->bytes, 0);
  }
  h.sum = 0;
  h.sum = xxh64(&h, sizeof h, 0);
  memcpy(image, &h, sizeof h);
}

#endif
