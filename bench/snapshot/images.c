/* images.c [MEGABYTES | --quick]: what opening an image costs, against the targets.
 *
 * An image of 500 MB is made and saved once. Then processes of their own open it and evaluate an
 * expression: warm (the file is in the page cache), cold (it was dropped from there), with the list
 * of first pages and without; and eight at once read all of it. Times are from before the file is
 * opened until the first expression has its value; medians of fresh processes.
 *
 * To compare two builds by turns, each makes an image once (--make FILE MEGABYTES) and measures it
 * in one process (--measure FILE list|none EXPRESSION writes the struct Figures, as bytes). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/image.h"

enum { ROUNDS = 41, COLD_ROUNDS = 3, READERS = 8 };
static char path[256];

typedef struct Figures {
  double open_us, first_us, cpu_us; /* cpu: of the process, until the first value */
  uint64_t private_kb, listed;
  uint64_t shared_kb, resident_kb; /* of the image's mappings */
} Figures;

static void die(const char *what) {
  fprintf(stderr, "images: %s\n", what);
  exit(1);
}

static double now_us(void) { return (double)os_now_ns() / 1e3; }

static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Sums up a field of /proc/self/smaps over mappings whose line has `name`, all of them if NULL. */
static uint64_t smaps(const char *name, const char *field) {
  FILE *f = fopen("/proc/self/smaps", "r");
  char line[512];
  bool in = false;
  uint64_t sum = 0, kb;
  size_t n = strlen(field);
  while (f && fgets(line, sizeof line, f)) {
    if ((line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f'))
      in = !name || strstr(line, name);
    else if (in && strncmp(line, field, n) == 0 && sscanf(line + n, ": %lu", &kb) == 1) sum += kb;
  }
  if (f) fclose(f);
  return sum;
}

static Value evaluate(ox_VM *vm, const char *text) {
  Value v = V_NIL;
  VmText diags = {0};
  if (vm_eval(vm, "bench", text, strlen(text), &v, &diags, NULL) != VM_OK)
    die(diags.data ? diags.data : "the program failed");
  vm_text_free(&diags);
  return v;
}

static ox_VM *open_image(bool with_list) {
  VmConfig config = {0};
  ImageError e;
  Image image;
  if (!vm_image_open(&image, path, &e)) die(e.text);
  if (!with_list) image.head.listed_pages = 0;
  ox_VM *vm = vm_image_new(&image, &config, &e);
  if (!vm) die(e.text);
  vm_image_settle(vm, &image, &config);
  image_close(&image);
  return vm;
}

/* In a process of its own. */
static Figures measure(bool with_list, const char *text) {
  Figures f = {0};
  uint64_t before = smaps(NULL, "Private_Dirty");
  double start = now_us(), cpu = cpu_us();
  ox_VM *vm = open_image(with_list);
  f.open_us = now_us() - start;
  evaluate(vm, text);
  f.first_us = now_us() - start;
  f.cpu_us = cpu_us() - cpu;
  f.private_kb = smaps(NULL, "Private_Dirty") - before;
  return f;
}

/* Runs measure in a new process, this program anew, so that nothing has been touched before. */
static Figures in_process(bool with_list, const char *text) {
  int ends[2];
  Figures f = {0};
  if (pipe(ends)) die("no pipe");
  pid_t pid = fork();
  if (pid == 0) {
    if (dup2(ends[1], STDOUT_FILENO) < 0) _exit(1);
    execl("/proc/self/exe", "images", "--measure", path, with_list ? "list" : "none", text, NULL);
    _exit(1);
  }
  int status;
  if (pid < 0 || read(ends[0], &f, sizeof f) != sizeof f || waitpid(pid, &status, 0) != pid)
    die("a process failed");
  close(ends[0]), close(ends[1]);
  return f;
}

static int measure_here(char **argv) {
  snprintf(path, sizeof path, "%s", argv[2]);
  Figures f = measure(strcmp(argv[3], "list") == 0, argv[4]);
  return write(STDOUT_FILENO, &f, sizeof f) != sizeof f;
}

static int by_time(const void *a, const void *b) {
  double x = ((const Figures *)a)->first_us, y = ((const Figures *)b)->first_us;
  return (x > y) - (x < y);
}

static void drop_from_cache(void) {
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) die("the cache stays");
  close(fd);
}

static double least_ms; /* of the last series */

static Figures median(bool with_list, bool cold, const char *text) {
  Figures all[ROUNDS];
  int n = cold ? COLD_ROUNDS : ROUNDS;
  for (int i = 0; i < n; i++) {
    if (cold) drop_from_cache();
    all[i] = in_process(with_list, text);
  }
  qsort(all, (size_t)n, sizeof *all, by_time);
  least_ms = all->first_us / 1e3;
  return all[n / 2];
}

/* Eight processes have read everything when one looks at its mappings. */
static Figures shared_by_eight(void) {
  int ready[2], go[2], out[2];
  pid_t readers[READERS];
  Figures f = {0};
  char byte = 0;
  if (pipe(ready) || pipe(go) || pipe(out)) die("no pipe");
  for (int i = 0; i < READERS; i++) {
    if ((readers[i] = fork()) != 0) continue;
    ox_VM *vm = open_image(true);
    evaluate(vm, "let t = 0; for p in parts { for x in p { t += x[0] } }; t");
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    f.shared_kb = smaps(".img", "Shared_Clean");
    f.resident_kb = smaps(".img", "Rss");
    if (write(out[1], &f, sizeof f) != sizeof f) _exit(1);
    pause();
  }
  for (int i = 0; i < READERS; i++)
    if (read(ready[0], &byte, 1) != 1) die("a reader failed");
  uint64_t shared = 0, resident = 0;
  for (int i = 0; i < READERS; i++) {
    if (write(go[1], &byte, 1) != 1 || read(out[0], &f, sizeof f) != sizeof f)
      die("a reader failed");
    shared += f.shared_kb;
    resident += f.resident_kb;
  }
  for (int i = 0; i < READERS; i++) kill(readers[i], SIGKILL), waitpid(readers[i], NULL, 0);
  return (Figures){.shared_kb = shared, .resident_kb = resident};
}

static void row(const char *name, double value, const char *unit, const char *target, int met) {
  printf("image %s: %.4g%s", name, value, unit);
  if (target) printf(" (target %s, %s)", target, met ? "met" : "MISSED");
  printf("\n");
  fflush(stdout);
}

static void make_image(uint64_t megabytes) {
  char text[256];
  ImageStats stats;
  ImageError e;
  VmText notes = {0};
  ox_VM *vm = vm_new(NULL);
  if (!vm) die("no VM");
  snprintf(text, sizeof text,
           "let parts = []\nfor k in 0..100 { let big = []\n"
           "for i in 0..%llu { big.push([i, i, i, i, i, i, i, i, i, i, i, i]) }\nparts.push(big) }",
           (unsigned long long)megabytes * 72);
  evaluate(vm, text);
  if (!vm_image_save(vm, path, 0, &notes, &stats, &e)) die(e.text);
  row("saved, MB", (double)stats.file_bytes / 1e6, "", NULL, 0);
  row("saving, MB/s", (double)stats.file_bytes * 1e3 / (double)stats.ns, "", NULL, 0);
  row("listed pages", (double)stats.listed_pages, "", NULL, 0);
  row("mappings", (double)stats.maps, "", NULL, 0);
  vm_free(vm);
}

/* A process opens it, runs what is usual, and saves it again with the list of what it has
 * touched. */
static void teach(const char *text) {
  pid_t pid = fork();
  if (pid == 0) {
    ImageStats stats;
    ImageError e;
    VmText notes = {0};
    ox_VM *vm = open_image(true);
    evaluate(vm, text);
    if (!vm_image_save(vm, path, 0, &notes, &stats, &e)) die(e.text);
    row("listed pages, taught", (double)stats.listed_pages, "", NULL, 0);
    _exit(0);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || status) die("the image cannot be taught");
}

int main(int argc, char **argv) {
  const char *folder = getenv("TMPDIR");
  if (argc == 5 && strcmp(argv[1], "--measure") == 0) return measure_here(argv);
  if (argc == 4 && strcmp(argv[1], "--make") == 0) {
    snprintf(path, sizeof path, "%s", argv[2]);
    make_image(strtoull(argv[3], NULL, 10));
    teach("1");
    return 0;
  }
  snprintf(path, sizeof path, "%s/oxbow-bench-%ld.img", folder ? folder : "/var/tmp",
           (long)getpid());
  pid_t maker = fork(); /* so that its pages are nobody's later */
  if (maker == 0) {
    make_image(argc < 2 ? 500 : strcmp(argv[1], "--quick") == 0 ? 50 : strtoull(argv[1], NULL, 10));
    _exit(0);
  }
  int status;
  if (waitpid(maker, &status, 0) != maker || status) die("the image cannot be made");
  Figures f = median(true, false, "1");
  row("first instruction warm, untaught, ms", f.first_us / 1e3, "", NULL, 0);
  teach("1");
  f = median(true, false, "1");
  row("first instruction warm, ms", f.first_us / 1e3, "", "1.5", f.first_us <= 1500);
  row("the quickest of them, ms", least_ms, "", NULL, 0);
  row("the same in processor time, ms", f.cpu_us / 1e3, "", NULL, 0);
  row("opening alone warm, ms", f.open_us / 1e3, "", NULL, 0);
  row("private memory, MB", (double)f.private_kb / 1024, "", "1", f.private_kb <= 1024);
  f = median(false, false, "1");
  row("first instruction warm, without the list, ms", f.first_us / 1e3, "", NULL, 0);
  f = median(true, false, "len(parts[50][100]) + parts[99][77][0]");
  row("reading two elements warm, ms", f.first_us / 1e3, "", NULL, 0);
  f = median(true, true, "1");
  row("first instruction cold, ms", f.first_us / 1e3, "", NULL, 0);
  f = median(false, true, "1");
  row("first instruction cold, without the list, ms", f.first_us / 1e3, "", NULL, 0);
  f = shared_by_eight();
  double share = 100.0 * (double)f.shared_kb / (double)f.resident_kb;
  row("pages that eight processes share, %", share, "", "95", share >= 95);
  unlink(path);
  return 0;
}
