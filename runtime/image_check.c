/* image_check.c */
#include "image.h"

const char *vm_image_check(ox_VM *vm, const Image *image, uint64_t *where) {
  return (void)image, gc_verify(vm->gc, where);
}
