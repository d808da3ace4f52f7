/* image.c - saving and opening a VM. The pages are the business of gc/image.c; here is what
 * gives their words a meaning: which native function a number stands for, which instruction an
 * opcode, which field an offset. A digest of the sources, from which all that follows, is in the
 * header, and the image of another build is refused.
 *
 * What lies outside of the cage is not saved. Foreign objects (open files, objects of the host)
 * are gone in the new VM: using one throws an error that says so. Compiled patterns and standard
 * input are made anew where they are used. */
#include "image.h"

#include "lib/lib.h"
#include "loader.h"
#include "native.h"
#include "oxbow.h"

extern const uint64_t sources_digest; /* made by runtime/mk/digest.sh */

/* ---- identity -------------------------------------------------------------------------------- */

/* Everything that the bytes of a cage take for granted follows from the sources. To go through the
 * tables of natives would cost a page fault for each page of their names. */
static uint64_t identity(void) { return sources_digest; }

static void name_build(char *to, size_t n) {
  snprintf(to, n, "oxbow %s, %s", ox_version(), ox_build_info());
}

/* ---- saving ---------------------------------------------------------------------------------- */

enum { LISTED_PAGES = 256 };

bool vm_image_save(ox_VM *vm, const char *path, uint64_t capabilities, const VmText *notes,
                   ImageStats *stats, ImageError *error) {
  char build[IMAGE_BUILD];
  name_build(build, sizeof build);
  ImageSave save = {.path = path,
                    .identity = identity(),
                    .build = build,
                    .notes = notes->data,
                    .note_bytes = notes->len,
                    .listed = LISTED_PAGES};
  save.words[IMAGE_WORD_CAPABILITIES] = capabilities;
  vm_flush(vm);
  return image_save(vm->gc, &save, stats, error);
}

/* ---- opening --------------------------------------------------------------------------------- */

bool vm_image_open(Image *image, const char *path, ImageError *error) {
  return image_open(image, path, identity(), name_build, error);
}

static bool refuse(ImageError *e, const char *why) {
  *e = (ImageError){0};
  snprintf(e->text, sizeof e->text, "%s", why);
  return false;
}

static bool fits_limit(const Image *image, const VmConfig *config, ImageError *e) {
  uint64_t need = image->head.used_pages * GC_PAGE;
  if (!config->limit_bytes || need <= config->limit_bytes) return true;
  snprintf(e->text, sizeof e->text,
           "it holds %llu KiB, more than the memory limit of %llu KiB; raise "
           "the limit",
           (unsigned long long)need / 1024, (unsigned long long)config->limit_bytes / 1024);
  return false;
}

/* The words of the VM that are of the process it was saved in. */
void vm_image_settle(ox_VM *vm, const Image *image, const VmConfig *config) {
  uint64_t limit = config->limit_bytes ? config->limit_bytes : image->head.cage_bytes;
  vm->st->error = V_ABSENT;
  vm->st->snapshot_handles = 0; /* of another interpreter */
  vm->st->hold_depth = vm->st->held_len = vm->st->held_lost = 0;
  vm->st->held = V_NIL;
  vm->st->spare[LIB_REGEX_CACHE] = vm->st->spare[LIB_MATCH_NAMES] = 0; /* made anew: C code */
  vm->st->spare[LIB_STAT_NAMES] = vm->st->spare[LIB_TIME_NAMES] = 0;   /* relies on them */
  foreign_close_all(vm);
  if (limit != image->head.limit_bytes) vm_set_memory_limit(vm, config->limit_bytes);
  os_renew_args(vm);
  vm_set_fuel(vm, config->fuel);
}

ox_VM *vm_image_new(Image *image, const VmConfig *config, ImageError *error) {
  if (image->head.root_bytes != sizeof(VmState))
    return refuse(error, "it is damaged: its roots have another size"), NULL;
  if (!fits_limit(image, config, error)) return NULL;
  GcContent content = image_content(image);
  ox_VM *vm = vm_new_around(config, &content);
  if (!vm)
    return refuse(error, "it cannot be mapped: the system refuses address space, or its heap is "
                         "laid out in another way"),
           NULL;
  return vm;
}
