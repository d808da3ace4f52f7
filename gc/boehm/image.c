/* image.c - libgc's heap cannot be saved: what gc/image.h promises, refused. */
#include "../image.h"

#include <stdio.h>

static bool has_none(ImageError *e) {
  *e = (ImageError){0, "this build of Oxbow, on another collector, has no images"};
  return false;
}

bool image_save(Gc *gc, const ImageSave *save, ImageStats *stats, ImageError *error) {
  return (void)gc, (void)save, (void)stats, has_none(error);
}
bool image_open(Image *image, const char *path, uint64_t identity, ImageBuild *build,
                ImageError *error) {
  *image = (Image){.fd = -1};
  return (void)path, (void)identity, (void)build, has_none(error);
}
bool image_check_pages(Image *image, ImageError *error) { return (void)image, has_none(error); }
GcContent image_content(Image *image) { return (void)image, (GcContent){0}; }
void image_close(Image *image) { (void)image; }
const char *image_check_heap(Gc *gc, const Image *image, uint64_t *where) {
  return (void)gc, (void)image, (void)where, "this build has no images";
}
Gc *gc_new_with(const GcConfig *config, const GcContent *content) {
  return (void)config, (void)content, NULL;
}
void gc_forget(Gc *gc) { (void)gc; }
void gc_each_final(Gc *gc, void (*fn)(void *ctx, Ref object), void *ctx) {
  (void)gc, (void)fn, (void)ctx;
}
