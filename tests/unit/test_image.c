// The checksum against known answers; an image cut off at many lengths and with each byte of its
// header and tables changed is refused.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gc/xxh64.h"
#include "runtime/image.h"

Test(image, checksums) {
  cr_assert_eq(xxh64("", 0, 0), 0xEF46DB3751D8E999u);
  cr_assert_eq(xxh64(NULL, 0, 0), 0xEF46DB3751D8E999u);
  cr_assert_eq(xxh64("a", 1, 0), 0xD24EC4F1A98C6E5Bu);
  cr_assert_eq(xxh64("abc", 3, 0), 0x44BC2CF5AD770999u);
}

static char path[128], other[128];

static uint8_t *saved(size_t *size) {
  VmText notes = {0};
  ImageStats stats;
  ImageError e;
  snprintf(path, sizeof path, "/tmp/oxbow-unit-%ld.img", (long)getpid());
  snprintf(other, sizeof other, "/tmp/oxbow-unit-%ld.bad", (long)getpid());
  ox_VM *vm = vm_new(NULL);
  cr_assert(vm_image_save(vm, path, 0, &notes, &stats, &e), "%s", e.text);
  vm_free(vm);
  *size = stats.file_bytes;
  uint8_t *bytes = malloc(*size);
  FILE *f = fopen(path, "rb");
  cr_assert(f && fread(bytes, 1, *size, f) == *size);
  fclose(f);
  unlink(path);
  return bytes;
}

static bool opens(const uint8_t *bytes, size_t size, ImageError *e) {
  Image image;
  FILE *f = fopen(other, "wb");
  cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
  bool ok = vm_image_open(&image, other, e);
  if (ok) ok = image_check_pages(&image, e);
  image_close(&image);
  unlink(other);
  return ok;
}

Test(image, truncated_and_changed) {
  size_t size;
  ImageError e;
  uint8_t *bytes = saved(&size);
  cr_assert(opens(bytes, size, &e), "%s", e.text);
  for (size_t n = 0; n < size; n += n < 1000 ? 97 : 7919)
    cr_assert(!opens(bytes, n, &e) && e.text[0], "cut off at %zu", n);
  for (size_t at = 0; at < sizeof(ImageHeader); at += 3) {
    bytes[at] ^= 0x10;
    cr_assert(!opens(bytes, size, &e) && e.text[0], "byte %zu changed", at);
    bytes[at] ^= 0x10;
  }
  for (size_t at = GC_PAGE; at < size; at += at < GC_PAGE + 200 ? 5 : 9973) {
    bytes[at] ^= 1;
    bool unused = at < 2 * GC_PAGE && bytes[at] == 1; /* behind the tables */
    cr_assert(unused || !opens(bytes, size, &e), "byte %zu changed", at);
    bytes[at] ^= 1;
  }
  free(bytes);
}
