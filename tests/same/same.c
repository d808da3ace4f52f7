// same.c - does a program do the same whenever, wherever and after whatever it is run?
//
//   same [--digest] PATH...        programs, or folders of them
//
// Each program is run in a new VM; what it prints, how it ends and how much of the budget it uses
// are its answer. The same answer must come
//   - from another new VM,
//   - from a VM that collects at every allocation, where the program is short,
//   - from a VM in which the budget ended the same program part of the way, at four places; what it
//     had printed by then must be the beginning of the whole, and the heap must be whole.
// With --digest the answers are printed, a line each, so that run.sh can compare builds: compilers,
// sanitizers and optimisation must change none of them, the budget included.
//
// Programs that ask for the time, chance, the system or the state of memory are left out, as are
// those with directives for the command; imports of files only count in the new VMs, since a module
// that was stopped half-way stays so.
#define _GNU_SOURCE
#include <oxbow.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 1 << 20, MAX_FILES = 2000, STRESS_MAX = 3000, CUTS = 4 };
static const uint64_t FUEL = 3000000;

typedef struct {
  char *output;
  size_t length, room;
  ox_Status status;
  char report[512];
  uint64_t used;      // of the budget
} Answer;

static struct { char *paths[MAX_FILES]; int count, passed, failed, left_out; bool digest; } all;

static void complain(const char *path, const char *what) {
  fprintf(stderr, "%s: %s\n", path, what);
  all.failed++;
}

// ---------------------------------------------------------------------------------------------
// Running

static void keep(void *context, const char *bytes, size_t length) {
  Answer *a = context;
  if (a->length + length > MAX_TEXT) length = MAX_TEXT - a->length;
  if (a->length + length > a->room) {
    a->room = 2 * (a->length + length);
    a->output = realloc(a->output, a->room);
    if (!a->output) abort();
  }
  if (length) memcpy(a->output + a->length, bytes, length);
  a->length += length;
}

static ox_VM *new_vm(Answer *a, bool stress) {
  ox_Config config = ox_config();
  config.memory_limit = 128 << 20;
  config.address_space = (uint64_t)1 << 30;
  config.capabilities = OX_CAN_IMPORT;
  config.gc_stress = stress;
  config.write = keep;
  config.context = a;
  ox_VM *vm = ox_new(&config);
  if (!vm) abort();
  return vm;
}

static void run(ox_VM *vm, Answer *a, const char *path, const char *text, uint64_t fuel) {
  a->length = 0;
  ox_set_fuel(vm, fuel);
  a->status = ox_run(vm, text, strlen(text), path, NULL);
  a->used = fuel - ox_fuel(vm);
  ox_flush(vm);
  const ox_Error *e = a->status == OX_OK ? NULL : ox_error(vm);
  snprintf(a->report, sizeof a->report, "%s", e ? e->report : "");
}

static bool is_same(const Answer *a, const Answer *b) {
  return a->status == b->status && a->length == b->length && a->used == b->used &&
         (a->length == 0 || memcmp(a->output, b->output, a->length) == 0) &&
         strcmp(a->report, b->report) == 0;
}

static bool begins(const Answer *part, const Answer *whole) {
  return part->length <= whole->length &&
         (part->length == 0 || memcmp(part->output, whole->output, part->length) == 0);
}

static void compare(const char *path, const char *how, const Answer *want, const Answer *got) {
  char text[256];
  if (is_same(want, got)) return;
  snprintf(text, sizeof text, "%s: status %d, %zu bytes, %llu of the budget; otherwise %d, %zu, %llu",
           how, (int)got->status, got->length, (unsigned long long)got->used, (int)want->status,
           want->length, (unsigned long long)want->used);
  complain(path, text);
}

static void run_new(const char *path, const char *text, const Answer *want, bool stress) {
  Answer a = {0};
  ox_VM *vm = new_vm(&a, stress);
  run(vm, &a, path, text, FUEL);
  compare(path, stress ? "collecting all the time" : "a second time", want, &a);
  ox_free(vm);
  free(a.output);
}

static void run_cut(const char *path, const char *text, const Answer *want) {
  Answer a = {0};
  ox_VM *vm = new_vm(&a, false);
  for (uint64_t i = 1; i <= CUTS && want->used > CUTS; i++) {
    run(vm, &a, path, text, want->used * i / (CUTS + 1));
    bool stopped = a.status == OX_NO_FUEL; /* else a builtin at the very end used up the rest */
    if (!stopped && (a.status != want->status || a.length != want->length))
      complain(path, "the budget did not end it");
    if (!begins(&a, want)) complain(path, "it had printed something else when its budget ended");
    const char *damage = ox_verify(vm);
    if (damage) complain(path, damage);
    run(vm, &a, path, text, FUEL);
    compare(path, "after the budget ended it", want, &a);
  }
  ox_free(vm);
  free(a.output);
}

// ---------------------------------------------------------------------------------------------
// Programs

static const char *const avoided[] = {
    "import time", "import os", "import process", "import fs", "import io", "import memory",
    "import weak", "import random", "import test", "from random", "from time", "from os", "from memory", "from io",
    "#options", "#args", "#stdin", "#env", "import gc",
};

static bool is_usable(const char *text) {
  for (size_t i = 0; i < sizeof avoided / sizeof *avoided; i++)
    if (strstr(text, avoided[i])) return false;
  return true;
}

static uint64_t digest_of(const Answer *a) { // FNV-1a
  uint64_t h = 14695981039346656037u;
  for (size_t i = 0; i < a->length; i++) h = (h ^ (uint8_t)a->output[i]) * 1099511628211u;
  for (const char *s = a->report; *s; s++) h = (h ^ (uint8_t)*s) * 1099511628211u;
  return h;
}

static void try_program(const char *path, const char *text) {
  Answer a = {0};
  int failed = all.failed;
  ox_VM *vm = new_vm(&a, false);
  run(vm, &a, path, text, FUEL);
  ox_free(vm);
  if (all.digest) {
    printf("%s %d %llu %016llx\n", path, (int)a.status, (unsigned long long)a.used,
           (unsigned long long)digest_of(&a));
  } else {
    run_new(path, text, &a, false);
    if (a.used < STRESS_MAX) run_new(path, text, &a, true);
    if (a.used < FUEL && !strstr(text, "import \"")) run_cut(path, text, &a);
  }
  if (all.failed == failed) all.passed++;
  free(a.output);
}

static void try_file(const char *path) {
  static char text[MAX_TEXT];
  FILE *file = fopen(path, "rb");
  size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  text[size] = 0;
  if (size > 0 && is_usable(text)) try_program(path, text);
  else all.left_out++;
}

static int found(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info, (void)place;
  if (kind != FTW_F || all.count == MAX_FILES) return 0;
  all.paths[all.count++] = strdup(path);
  return 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--digest") == 0) all.digest = true;
    else nftw(argv[i], found, 16, FTW_PHYS);
  }
  qsort(all.paths, (size_t)all.count, sizeof *all.paths, by_name);
  for (int i = 0; i < all.count; i++) {
    try_file(all.paths[i]);
    free(all.paths[i]);
  }
  fprintf(stderr, "%d programs left out\n", all.left_out);
  fflush(stderr);
  if (!all.digest) printf("%d passed, %d failed\n", all.passed, all.failed);
  return all.failed > 0;
}
