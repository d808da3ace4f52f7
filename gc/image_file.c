/* image_file.c - what saving and opening of images share: errors, digests. */
#include "image_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "segfit.h"
#include "xxh64.h"

bool image_fail(ImageError *e, int system, const char *format, ...) {
  va_list args;
  va_start(args, format);
  e->system = system;
  vsnprintf(e->text, sizeof e->text, format, args);
  va_end(args);
  return false;
}

bool image_fail_system(ImageError *e, const char *what, int system) {
  char reason[128];
  return image_fail(e, system, "%s: %s", what, strerror_r(system, reason, sizeof reason));
}

/* What makes the bytes of one heap mean the same to another. */
uint64_t image_layout_digest(void) {
  const uint64_t facts[] = {GC_PAGE,
                            GC_CLASSES,
                            GC_SPACES,
                            GC_SMALL_WORDS,
                            sizeof(Heap),
                            sizeof(PageDesc),
                            sizeof(Policy),
                            sizeof(BuddyState),
                            GC_HEAP_OFF,
                            GC_ROOT_OFF,
                            GC_ROOT_BYTES,
                            UNIT_PAGES,
                            GRANULE_WORDS,
                            MID_MAX_WORDS,
                            FIT_ROWS,
                            FIT_COLUMNS,
                            SLAB_BUCKETS,
                            VALUE_REF_HIGH,
                            LAYOUT_FINAL,
                            LAYOUT_WEAK,
                            offsetof(Heap, fit),
                            offsetof(Heap, policy),
                            offsetof(Heap, finals),
                            SPAN_LARGE};
  return xxh64(gc_class_words, sizeof gc_class_words, xxh64(facts, sizeof facts, IMAGE_VERSION));
}

uint64_t image_header_sum(const ImageHeader *head) {
  ImageHeader copy = *head;
  copy.sum = 0;
  return xxh64(&copy, sizeof copy, 0);
}
