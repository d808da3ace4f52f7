/* library.c - the `oxbow` command: the image of the standard library.
 *
 * A program does not begin with an empty interpreter that has to make its builtins, and to compile
 * those parts of the library that are written in Oxbow when they are first used, but with an image
 * of one that has done all that. It lies beside the command, was made by it when it was built, and
 * is mapped: processes share its pages. Where it cannot be had (another build's, damaged, missing,
 * no room) the library is compiled as it is used, as in hosts; a program cannot tell. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { LONGEST_PATH = 1024 };
#define LEAST_MEMORY ((uint64_t)4 << 20) /* with a lower limit the image's pages would be missed */
#define ITS_SPACE ((uint64_t)4 << 30) /* the address space of the image */

static const char *const modules[] = {"args", "csv", "iter", "queue", "text",   "string",
                                      "list", "map", "set",  "math",  "regex", "test"};

/* ---- where it is ----------------------------------------------------------------------------- */

/* The folder of the command, with room behind it; the length without its last slash, or 0. */
static size_t command_folder(char *path) {
  ssize_t n = readlink("/proc/self/exe", path, LONGEST_PATH);
  if (n <= 0 || n >= LONGEST_PATH) return 0;
  path[n] = 0;
  char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) : 0;
}

/* Where the image is looked for: as it is built, and as it is installed. */
static const char *const places[] = {"/oxbow-library.img", "/../lib/oxbow/oxbow-library.img"};

const char *library_find(const Options *o, char *path, size_t room) {
  if (o->library) return o->library;
  char folder[LONGEST_PATH + 1];
  size_t n = command_folder(folder);
  for (size_t i = 0; n && i < sizeof places / sizeof *places; i++) {
    if ((size_t)snprintf(path, room, "%.*s%s", (int)n, folder, places[i]) >= room) continue;
    if (access(path, R_OK) == 0) return path;
  }
  return NULL;
}

/* ---- using it -------------------------------------------------------------------------------- */

/* Tests that collect or take snapshots all the time are about the program's own heap. */
static bool is_wanted(const Options *o) {
  bool is_test = o->gc_stress || o->gc_stress_seed || o->snapshot_stress;
  uint64_t limit = o->max_memory ? o->max_memory : ITS_SPACE;
  bool has_room = limit >= LEAST_MEMORY && limit <= ITS_SPACE;
  return !is_test && has_room && !(o->library && !*o->library);
}

/* The file is as trustworthy as the command, so that its pages are not read to be checked. */
ox_VM *library_open(const Options *o, const ox_Config *config) {
  char path[2 * LONGEST_PATH], message[1024];
  const char *file = is_wanted(o) ? library_find(o, path, sizeof path) : NULL;
  ox_ImageConfig image = {.size = sizeof image, .config = config, .check = OX_IMAGE_CHECK_HEADER};
  if (!file) return NULL;
  ox_VM *vm = ox_image_open(file, &image, NULL, message, sizeof message);
  if (!vm && o->library) fprintf(stderr, "oxbow: %s\n", message); /* it was asked for */
  return vm;
}

/* ---- making it ------------------------------------------------------------------------------- */

static ox_Status run_text(ox_VM *vm, const char *text) {
  return ox_run(vm, text, strlen(text), "library", NULL);
}

/* Nothing stays but the modules: what a program declares is its own. */
static ox_Status load_all(ox_VM *vm) {
  ox_Status status = run_text(vm, "[1].map(fn(x) => x)");
  for (size_t i = 0; status == OX_OK && i < sizeof modules / sizeof *modules; i++)
    status = ox_import(vm, modules[i], NULL);
  return status;
}

/* Runs what most programs begin with, so that its pages are listed. */
static ox_VM *reopen(const char *path) {
  ox_ImageConfig image = {.size = sizeof image};
  char message[1024];
  ox_VM *vm = ox_image_open(path, &image, NULL, message, sizeof message);
  if (!vm) fprintf(stderr, "oxbow: %s\n", message);
  else run_text(vm, "let xs = [1, 2]\nfor i in 0..3 { xs.push(\"${i}\") }\nfn f(x) => x\nf({a: 1})");
  return vm;
}

int library_make(const char *path) {
  ox_VM *vm = ox_new(NULL);
  int status = vm ? report_failure(vm, load_all(vm)) : EXIT_UNCAUGHT;
  if (status == EXIT_OK && !save_image(vm, path)) status = EXIT_UNCAUGHT;
  ox_free(vm);
  if (status != EXIT_OK) return status;
  if (!(vm = reopen(path))) return EXIT_UNCAUGHT;
  if (!save_image(vm, path)) status = EXIT_UNCAUGHT;
  ox_free(vm);
  return status;
}
