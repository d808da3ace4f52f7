/* image.c - saving and opening a VM. The pages are the business of gc/image.c; here is what gives
 * their words a meaning: which native function a number stands for, which instruction an opcode,
 * which field an offset. A digest of all that is in the header, and another build's image is
 * refused.
 *
 * What lies outside of the cage is not saved. Foreign objects (open files, objects of the host) are
 * gone in the new VM: using one throws an error that says so. Compiled patterns and standard input
 * are made anew where they are used. */
#include "image.h"

#include "../gc/xxh64.h"
#include "../lang/opcode.h"
#include "loader.h"
#include "native.h"
#include "oxbow.h"

extern const char prelude_text[];
extern const unsigned long prelude_size;

/* ---- identity ---------------------------------------------------------------------------------
 */

static uint64_t stir(uint64_t sum, const char *text) { return xxh64(text, strlen(text) + 1, sum); }

static uint64_t digest_natives(uint64_t sum) {
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    sum = stir(sum, m->name);
    for (int i = 0; i < m->ndefs; i++) {
      const NativeDef *d = &m->defs[i];
      sum = stir(stir(sum, d->name), d->signature) + (uint64_t)d->kind + (uint64_t)d->special * 16;
    }
  }
  return sum;
}

static uint64_t digest_opcodes(uint64_t sum) {
  for (int i = 0; i < OP_COUNT; i++)
    sum = stir(sum, ox_op_info[i].name) + (uint64_t)ox_op_info[i].format * 8 +
          (uint64_t)(ox_op_info[i].words + 1);
  return sum;
}

static uint64_t digest_layouts(uint64_t sum) {
  const uint64_t facts[] = {sizeof(VmState),
                            offsetof(VmState, spare),
                            offsetof(VmState, bytes1),
                            sizeof(String),
                            sizeof(Map),
                            sizeof(Closure),
                            sizeof(Proto),
                            sizeof(Class),
                            sizeof(Module),
                            sizeof(Fiber),
                            sizeof(Foreign),
                            sizeof(ProtoInfo),
                            sizeof(LocalEntry),
                            MAP_LINEAR,
                            STRING_INTERN_MAX,
                            STACK_MARGIN,
                            STACK_MAIN,
                            SPARE_REGISTERS,
                            LOOKUP_CACHES,
                            KIND_COUNT,
                            V_NIL,
                            v_from_int(1),
                            NATIVE_HOST,
                            OPM_COUNT};
  static const char kinds[] =
#define KIND(e, name, type, what) #e ","
#include "kinds.def"
#undef KIND
      ;
  return stir(xxh64(facts, sizeof facts, sum), kinds);
}

/* Everything that the bytes of a cage take for granted. */
static uint64_t identity(void) {
  uint64_t sum = xxh64(prelude_text, prelude_size, 0);
  return digest_layouts(digest_opcodes(digest_natives(stir(sum, ox_version()))));
}

static void name_build(char *to, size_t n) {
  snprintf(to, n, "oxbow %s, %s", ox_version(), ox_build_info());
}

/* ---- saving -----------------------------------------------------------------------------------
 */

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

/* ---- opening ----------------------------------------------------------------------------------
 */

bool vm_image_open(Image *image, const char *path, ImageError *error) {
  char build[IMAGE_BUILD];
  name_build(build, sizeof build);
  return image_open(image, path, identity(), build, error);
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
  vm->st->hold_depth = 0;
  foreign_close_all(vm);
  if (limit != image->head.limit_bytes) vm_set_memory_limit(vm, config->limit_bytes);
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
