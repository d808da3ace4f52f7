// What an image says of pages: their states, where they are mapped, the window for the first
// blocks. Files are changed, with right checksums; what lies is refused. And what comes of the true
// ones: the first blocks lie in the window, and heaps that are saved again and again do not grow.
#include <criterion/criterion.h>
#include <oxbow.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/image.h"
#include "runtime/list.h"
#include "tests/image_sums.h"

static char path[128];
static uint8_t *file;
static size_t file_size;

static void name_path(void) {
  snprintf(path, sizeof path, "/tmp/oxbow-pages-%ld.img", (long)getpid());
}

static void read_file(void) {
  FILE *f = fopen(path, "rb");
  cr_assert(f && fseek(f, 0, SEEK_END) == 0);
  file_size = (size_t)ftell(f);
  file = realloc(file, file_size);
  rewind(f);
  cr_assert(file && fread(file, 1, file_size, f) == file_size && fclose(f) == 0);
}

static void write_file(const uint8_t *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

static void evaluate(ox_VM *vm, const char *text) {
  ox_Value value;
  cr_assert_eq(ox_eval(vm, text, strlen(text), "test", &value), OX_OK, "%s",
               ox_error(vm) ? ox_error(vm)->report : "");
}

static void save(ox_VM *vm) {
  cr_assert_eq(ox_image_save(vm, path, NULL), OX_OK, "%s",
               ox_error(vm) ? ox_error(vm)->message : "");
}

static ox_VM *open_proven(void) {
  char message[600] = "";
  ox_ImageConfig how = {.size = sizeof how, .check = OX_IMAGE_CHECK_ALL};
  ox_VM *vm = ox_image_open(path, &how, NULL, message, sizeof message);
  cr_assert_not_null(vm, "%s", message);
  return vm;
}

static void make_image(const char *program) {
  name_path();
  ox_Config config = ox_config();
  config.address_space = 64 << 20;
  ox_VM *vm = ox_new(&config);
  evaluate(vm, program);
  save(vm);
  ox_free(vm);
  read_file();
}

static ImageHeader *head(void) { return (ImageHeader *)file; }
static void *table(ImageSection which) { return file + head()->sections[which].offset; }
static ImageMap *map(unsigned i) { return (ImageMap *)table(IMAGE_MAPS) + i; }
static ImageRun *run(unsigned i) { return (ImageRun *)table(IMAGE_RUNS) + i; }
/* States come first: the first byte is that of page 0. */
static uint8_t *state(uint64_t page) {
  return file + map(0)->at * (size_t)GC_PAGE + GC_HOST_BYTES + page;
}
static uint64_t first_used(void) { return run(0)->first; }
static uint64_t first_free(void) { return head()->window; }

static void nothing(void) {}
static void used_open(void) { *state(first_used()) = 0; }
static void used_free(void) { *state(first_used()) = PAGE_FREE; }
static void used_old_free(void) { *state(first_used()) |= PAGE_FREE; }
static void used_frozen(void) { *state(first_used()) |= PAGE_FROZEN; }
static void used_tracked(void) { *state(first_used()) |= PAGE_TRACK; }
static void used_wild(void) { *state(first_used()) = 0xFF; }
static void free_used(void) { *state(first_free()) = PAGE_OLD; }
static void free_open(void) { *state(first_free() + 5) = 0; }
static void meta_old(void) { *state(3) = PAGE_OLD; }
static void meta_free(void) { *state(first_used() - 1) = PAGE_FREE; }
static void none_free(void) { *state(first_free() + UNIT_PAGES) = PAGE_FREE; }
static void host_words(void) { memset(state(0) - GC_HOST_BYTES, 0xAA, sizeof(HostPage)); }
static void host_more(void) { state(0)[-1] = 1; }
/* A page more of the file for states, one less for what follows; nobody is told. */
static void states_moved(void) { map(0)->place++; }
static void states_before(void) { map(0)->place = IMAGE_STATES - 1; }
static void states_in_caches(void) { map(0)->place = 0; }
static void states_beyond(void) {
  map(0)->place = (uint32_t)(IMAGE_STATES + image_state_places(head()->cage_bytes / GC_PAGE));
}
static void states_long(void) { map(0)->count += IMAGE_CAGE; }
static void page_none(void) { map(1)->place = IMAGE_CAGE; }
static void page_of_bitmaps(void) { map(1)->place = IMAGE_CAGE - 1; }
static void page_beyond(void) {
  unsigned last = (unsigned)(head()->sections[IMAGE_MAPS].bytes / sizeof(ImageMap)) - 1;
  map(last)->place = UINT32_MAX - map(last)->count + 1;
}
static void window_inside(void) { head()->window++; }
static void window_none(void) { head()->window = 0; }
static void window_meta(void) { head()->window = UNIT_PAGES; }
static void window_beyond(void) { head()->window = (uint32_t)(head()->cage_bytes / GC_PAGE); }
static void window_end(void) { head()->window = UINT32_MAX / UNIT_PAGES * UNIT_PAGES; }
static void window_long(void) { head()->window_pages *= 2; }
static void window_short(void) { head()->window_pages = 0; }
static void window_used(void) {
  memset(state(first_free()), 0, UNIT_PAGES);
  head()->window = (uint32_t)first_used() / UNIT_PAGES * UNIT_PAGES;
}
static void window_none_at_all(void) { head()->window = head()->window_pages = 0; }
static void window_away(void) { head()->window += UNIT_PAGES; }
static void window_rather(void) { head()->window_rather = 1; }
static void window_flag(void) { head()->window_rather = 2; }
static void reserved(void) { head()->reserved = 1; }
static void list_beyond(void) {
  ((ImageRun *)table(IMAGE_WRITTEN))[0].count = IMAGE_CAGE + UINT32_MAX / GC_PAGE;
}
static void list_of_nothing(void) { ((ImageRun *)table(IMAGE_WRITTEN))[0].count = 0; }
static void version(void) { head()->version = 2; }

#define STATE "a wrong state of a page"
#define MAPS "its table of mappings is impossible"
#define WINDOW "the pages for its first blocks are impossible"
static const struct {
  const char *name;
  void (*edit)(void);
  const char *says; /* NULL: it is true, and passes */
} lies[] = {
    {"nothing", nothing, NULL},
    {"used_open", used_open, STATE},
    {"used_free", used_free, STATE},
    {"used_old_free", used_old_free, STATE},
    {"used_frozen", used_frozen, STATE},
    {"used_tracked", used_tracked, STATE},
    {"used_wild", used_wild, STATE},
    {"free_used", free_used, STATE},
    {"free_open", free_open, STATE},
    {"meta_old", meta_old, STATE},
    {"meta_free", meta_free, STATE},
    {"none_free", none_free, STATE},
    {"host_words", host_words, NULL}, /* they are set when it is opened */
    {"host_more", host_more, "something behind the host page's words"},
    {"states_moved", states_moved, STATE},
    {"states_before", states_before, MAPS},
    {"states_in_caches", states_in_caches, MAPS},
    {"states_beyond", states_beyond, MAPS},
    {"states_long", states_long, MAPS},
    {"page_none", page_none, MAPS},
    {"page_of_bitmaps", page_of_bitmaps, MAPS},
    {"page_beyond", page_beyond, MAPS},
    {"window_inside", window_inside, WINDOW},
    {"window_none", window_none, WINDOW},
    {"window_meta", window_meta, WINDOW},
    {"window_beyond", window_beyond, WINDOW},
    {"window_end", window_end, WINDOW},
    {"window_long", window_long, WINDOW},
    {"window_short", window_short, WINDOW},
    {"window_used", window_used, "a page for the first blocks is in use"},
    {"window_none_at_all", window_none_at_all, STATE},
    {"window_away", window_away, STATE},
    {"window_rather", window_rather, NULL},
    {"window_flag", window_flag, WINDOW},
    {"reserved", reserved, WINDOW},
    {"list_beyond", list_beyond, "its list of first pages is impossible"},
    {"list_of_nothing", list_of_nothing, "its list of first pages is impossible"},
    {"version", version, "its format is version 2, this program reads version 3; save it anew"},
};

Test(image_pages, lies_are_refused) {
  char message[600];
  make_image("let xs = []; for i in 0..3000 { xs.push([i, \"${i}\"]) }");
  cr_assert(head()->window && map(0)->place == IMAGE_STATES);
  uint8_t *whole = malloc(file_size);
  memcpy(whole, file, file_size);
  for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
    memcpy(file, whole, file_size);
    lies[i].edit();
    sum_anew(file, file_size);
    write_file(file, file_size);
    bool ok = ox_image_verify(path, NULL, message, sizeof message);
    if (!lies[i].says) cr_expect(ok, "%s: %s", lies[i].name, message);
    else
      cr_expect(!ok && strstr(message, lies[i].says), "%s: %s", lies[i].name,
                ok ? "passes" : message);
  }
  free(whole);
  unlink(path);
}

static ox_VM *open_internal(Image *image) {
  VmConfig config = {0};
  ImageError e;
  cr_assert(vm_image_open(image, path, &e), "%s", e.text);
  ox_VM *vm = vm_image_new(image, &config, &e);
  cr_assert_not_null(vm, "%s", e.text);
  vm_image_settle(vm, image, &config);
  return vm;
}

static uint32_t page_of(ox_VM *vm, Value v) {
  return page_of_word(gc_word(vm->cage, vm_deref(vm, v)));
}

/* All classes of blocks begin in the window where the image says so, else those that have no slab
 * with room. */
Test(image_pages, first_blocks_lie_in_the_window) {
  make_image("let xs = []; for i in 0..30000 { xs.push([i, \"${i}\"]) }");
  head()->window_rather = 1;
  sum_anew(file, file_size);
  write_file(file, file_size);
  Image image;
  ox_VM *vm = open_internal(&image);
  uint32_t window = image.head.window, end = window + image.head.window_pages;
  image_close(&image);
  for (int i = 0; i < 10; i++) {
    Value list = list_new(vm, (uint64_t)i * 3);
    cr_assert(page_of(vm, list) >= window && page_of(vm, list) < end);
  }
  cr_assert(vm->gc->window > window && vm->gc->window <= end);
  vm_free(vm);
  unlink(path);
}

/* Beyond the window, over rollbacks that give its pages back, and after collections. */
Test(image_pages, the_window_is_used_up) {
  static const char again[] =
      "import memory\n"
      "for k in 0..20 {\n"
      "  attempt(fn() { for i in 0..500 { more.push(\"${i}${k}\") }; throw error(\"back\") })\n"
      "  if k % 5 == 4 { memory.collect() }\n"
      "}\n"
      "assert(len(more) == 50)\n"
      "for i in 0..20000 { more.push({n: i, t: \"${i}\"}) }\n"
      "assert(len(xs) == 3000 and xs[2999][1] == \"2999\" and more[len(more) - 1].n == 19999)";
  make_image("let xs = []; for i in 0..3000 { xs.push([i, \"${i}\"]) }; let more = []");
  for (int rather = 0; rather < 2; rather++) {
    head()->window_rather = (uint32_t)rather;
    sum_anew(file, file_size);
    write_file(file, file_size);
    ox_VM *vm = open_proven();
    evaluate(vm, "more = []; for i in 0..50 { more.push([i]) }");
    cr_assert_null(ox_verify(vm));
    evaluate(vm, again);
    cr_assert_null(ox_verify(vm));
    ox_collect(vm);
    cr_assert_null(ox_verify(vm));
    ox_free(vm);
  }
  unlink(path);
}

/* Opened, used a little, saved: what is left in windows must not add up. */
Test(image_pages, again_and_again) {
  make_image("let xs = []; for i in 0..30000 { xs.push([i, \"${i}\"]) }; let n = 0");
  uint64_t at_first = 0;
  for (int i = 0; i < 30; i++) {
    ox_VM *vm = open_proven();
    evaluate(vm, "n += 1; let tmp = [n, \"${n}\", {a: n}]; fn f(x) => x + n; f(1)");
    save(vm);
    ox_free(vm);
    read_file();
    if (i == 9) at_first = head()->used_pages;
  }
  cr_assert_lt(head()->used_pages, at_first + at_first / 32, "%lu and then %lu pages",
               (unsigned long)at_first, (unsigned long)head()->used_pages);
  unlink(path);
}
