/* image_file.h - what saving and opening of images share. See image.h. */
#ifndef OX_GC_IMAGE_FILE_H
#define OX_GC_IMAGE_FILE_H

#include "image.h"

enum {
  IMAGE_BYTE_ORDER = 0x01020304,
  IMAGE_MOST_TABLES = 1 << 28, /* bytes */
  IMAGE_MOST_READ = 4096,      /* pages listed */
  IMAGE_MOST_WRITTEN = 192,
};

static inline uint64_t image_round_page(uint64_t n) {
  return (n + GC_PAGE - 1) / GC_PAGE * GC_PAGE;
}

/* Fills in the error, with errno in `system` or 0, and gives false. */
bool image_fail(ImageError *e, int system, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool image_fail_system(ImageError *e, const char *what, int system);

/* What makes the bytes of one heap mean the same to another. */
uint64_t image_layout_digest(void);
uint64_t image_header_sum(const ImageHeader *head);

#endif
