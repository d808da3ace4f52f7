/* forks - what forks of a heap cost, beside fork() of the process. Prints numbers, times in microseconds
 * (medians, but for "first" and "end"):
 *
 *   forks MB          first fork of all, with its publication; pages published, processor time of that;
 *                     cold slots: call (as ox_fork: the fork sleeps), call and 16 pages changed, end of one that is unmapped;
 *                     warm slots: call with nothing changed; with 16 of 64 pages changed on both sides: call, to the
 *                     end; with 16 pages anywhere in a slot that is a mapping: call, to the end; how many forks until it
 *                     gives way to a copy; the same two in that; publication against a bare write of the pages to a file
 *                     in memory;
 *                     fork() + exit + wait with a tenth of the heap rewritten since the last one, the child changing
 *                     16 pages; forks a second, one after the other; memory in MB before and after these
 *   forks held N      N forks of 1 MB held: microseconds and bytes each, asleep, and after they have written
 *                     4 pages; mappings each; then N VMs with 1 MB of data: asleep, and after a call in each
 *   forks template    forks of a VM with 1 MB of data a second, without and with a call of a function in each
 *   forks collect MB  a full collection in a fork of a VM: object pages, those that are still shared, pages of
 *                     metadata changed, MB of private memory it has taken in all */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gc/base.h"
#include "gc/fork.h"
#include "oxbow.h"
#include "runtime/vm.h"

enum { PAGES = 16, ROUNDS = 201, PUBLISHED = 5, BLOCK_PAGES = 64, BLOCK_WORDS = BLOCK_PAGES * GC_PAGE_WORDS - 2 };

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* For what takes long enough to be interrupted. */
static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *times, int n) {
  qsort(times, (size_t)n, sizeof *times, by_size);
  return times[n / 2];
}

typedef struct Bench { Gc *gc; uint32_t *blocks; unsigned n; uint64_t rng; } Bench;

static uint64_t any(Bench *b, uint64_t n) {
  b->rng ^= b->rng << 13, b->rng ^= b->rng >> 7, b->rng ^= b->rng << 17;
  return b->rng % n;
}

/* A heap full of large blocks, held by one list of references. */
static Bench make_with(unsigned megabytes, const GcConfig *config) {
  Bench b = {gc_new(config), NULL, megabytes * 4, 88172645463325252u};
  b.blocks = malloc(b.n * sizeof *b.blocks);
  for (unsigned i = 0; i < b.n; i++) {
    uint64_t *block = gc_alloc(b.gc, BLOCK_WORDS, 0);
    if (!block) abort();
    *(Header *)block = (Header){.layout = LAYOUT_WIDE, .aux = BLOCK_WORDS - 1};
    for (uint64_t k = 1; k < BLOCK_WORDS; k++) block[k] = k;
    b.blocks[i] = gc_ref(gc_base(b.gc), block).w;
  }
  return b;
}

static void change(Bench *b, Gc *gc, unsigned pages) {
  for (unsigned i = 0; i < pages; i++) {
    uint64_t page = any(b, (uint64_t)b->n * BLOCK_PAGES - 1);
    uint64_t word = b->blocks[page / BLOCK_PAGES] + 1 + page % BLOCK_PAGES * (GC_PAGE_WORDS - 1);
    gc_store(gc_base(gc), word, page);
  }
}

/* Of the first pages only: those that a program changes again and again. */
static void change_hot(Bench *b, Gc *gc, unsigned from) {
  enum { HOT = 64 };
  for (unsigned i = 0; i < PAGES; i++) {
    uint64_t page = any(b, HOT) * 3 % (b->n * BLOCK_PAGES - 1) + from;
    uint64_t word = b->blocks[page / BLOCK_PAGES] + 1 + page % BLOCK_PAGES * (GC_PAGE_WORDS - 1);
    gc_store(gc_base(gc), word, page);
  }
}

typedef struct Warm { double call, whole; } Warm;

static Warm measure_warm(Bench *b, unsigned pages, bool hot) {
  double calls[ROUNDS], all[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    if (hot) change_hot(b, b->gc, 0);
    else change(b, b->gc, pages);
    double start = now_us();
    Gc *child = gc_fork(b->gc, NULL);
    calls[i] = now_us() - start;
    if (hot) change_hot(b, child, 8);
    else change(b, child, pages);
    gc_free(child);
    all[i] = now_us() - start;
  }
  return (Warm){median(calls, ROUNDS), median(all, ROUNDS)};
}

/* Forks until the mapped slot is worn and gives way to a copy of the heap: gives how many. */
static int wear(Bench *b) {
  enum { MOST = 5000 };
  GcForkStats stats;
  for (int i = 0; i < MOST; i++) {
    gc_fork_stats(b->gc, &stats);
    if (stats.whole) return i;
    change(b, b->gc, PAGES);
    Gc *child = gc_fork(b->gc, NULL);
    change(b, child, PAGES);
    gc_free(child);
  }
  return MOST;
}

/* The system's part of a publication: so many pages written to a file in memory. Processor time. */
static double bare_write(Bench *b, uint64_t pages) {
  Os os = {0};
  double times[PUBLISHED], start;
  for (int i = 0; i < PUBLISHED; i++) {
    int fd = os_file_open(&os, pages * GC_PAGE);
    start = cpu_us();
    if (fd < 0 || !os_file_write(&os, fd, gc_base(b->gc) + GC_HEAP_OFF, 1, 0)) abort();
    uint64_t first = b->blocks[0] / GC_PAGE_WORDS, n = (uint64_t)b->n * BLOCK_PAGES;
    if (n > pages) n = pages;
    if (!os_file_write(&os, fd, gc_base(b->gc) + first * GC_PAGE, n * GC_PAGE, 0)) abort();
    times[i] = (cpu_us() - start) * (double)pages / (double)n;
    os_file_close(fd);
  }
  return median(times, PUBLISHED);
}

/* All forks are held, so that each is of a new slot. Most of them are unmapped at their end. */
static void measure_cold(Bench *b) {
  enum { HELD = 40 };
  double calls[HELD], all[HELD], start;
  Gc *held[HELD];
  for (int i = 0; i < HELD; i++) {
    start = now_us();
    held[i] = gc_fork_asleep(b->gc, NULL); /* as ox_fork does */
    calls[i] = now_us() - start;
    gc_wake(held[i]);
    change(b, held[i], PAGES);
    all[i] = now_us() - start;
  }
  for (int i = 0; i < 8; i++) gc_free(held[i]);
  start = now_us();
  for (int i = 8; i < HELD; i++) gc_free(held[i]);
  printf("%.1f %.1f %.1f ", median(calls, HELD), median(all, HELD), (now_us() - start) / (HELD - 8));
}

static double measure_process(Bench *b) {
  enum { TURNS = 15 };
  double times[TURNS];
  for (int i = 0; i < TURNS; i++) {
    change(b, b->gc, b->n * BLOCK_PAGES / 10);
    double start = now_us();
    pid_t child = fork();
    if (child == 0) {
      change(b, b->gc, PAGES);
      _exit(0);
    }
    waitpid(child, NULL, 0);
    times[i] = now_us() - start;
  }
  return median(times, TURNS);
}

static double status_kb(const char *name) {
  char line[256];
  double kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f))
    if (strncmp(line, name, strlen(name)) == 0) kb = atof(line + strlen(name));
  if (f) fclose(f);
  return kb;
}

static double resident_mb(void) { return status_kb("VmRSS:") / 1e3; }

/* Pages of the process's own, and page tables. */
static double private_bytes(void) { return (status_kb("RssAnon:") + status_kb("VmPTE:")) * 1024; }

static double mappings(void) {
  double n = 0;
  FILE *f = fopen("/proc/self/maps", "r");
  for (int c; f && (c = getc(f)) != EOF;) n += c == '\n';
  if (f) fclose(f);
  return n;
}

static double template_rate(ox_VM *vm, ox_Value f, bool call) {
  enum { FORKS = 50000 };
  double start = now_us();
  for (int i = 0; i < FORKS; i++) {
    ox_VM *child;
    if (ox_fork(vm, &child) != OX_OK || (call && ox_call(child, f, 0, NULL, NULL) != OX_OK)) abort();
    ox_free(child);
  }
  return FORKS / ((now_us() - start) / 1e6);
}

static const char template_source[] =
    "let data = map(0..9000, fn(i) => {id: i, name: \"record ${i}\"})\n"
    "let hits = 0\nfn f() { hits += 1; return data[hits] }\nf";

static ox_VM *template_vm(ox_Value *f) {
  ox_VM *vm = ox_new(NULL);
  if (!vm || ox_eval(vm, template_source, sizeof template_source - 1, "template", f) != OX_OK) abort();
  ox_collect(vm);
  return vm;
}

static int template(void) {
  ox_Value f;
  ox_VM *vm = template_vm(&f);
  template_rate(vm, f, true);
  printf("%.0f %.0f\n", template_rate(vm, f, false), template_rate(vm, f, true));
  ox_free(vm);
  return 0;
}

typedef struct Meter { double us, bytes; } Meter;

static Meter meter(void) { return (Meter){now_us(), private_bytes()}; }

static void print_since(Meter m, int n) {
  double us = now_us() - m.us;
  printf("%.2f %.0f ", us / n, (private_bytes() - m.bytes) / n);
}

static void held_heaps(int n) {
  GcConfig config = {.cage_bytes = (uint64_t)64 << 20, .mode = GC_OFF};
  Bench b = make_with(1, &config);
  Gc **held = malloc((size_t)n * sizeof *held);
  for (int i = 0; i < 16; i++) held[i] = gc_fork(b.gc, NULL); /* the slots that are copies; the base */
  for (int i = 0; i < 16; i++) gc_free(held[i]);
  for (int i = 0; i < 16; i++) held[i] = gc_fork(b.gc, NULL);
  double maps = mappings();
  Meter m = meter();
  for (int i = 16; i < n; i++)
    if (!(held[i] = gc_fork_asleep(b.gc, NULL))) abort();
  print_since(m, n - 16);
  double us = now_us();
  for (int i = 16; i < n; i++) {
    gc_wake(held[i]);
    for (unsigned k = 0; k < 4; k++) gc_store(gc_base(held[i]), b.blocks[k] + 7, 7);
  }
  printf("%.2f %.0f %.3f ", (now_us() - us) / (n - 16), (private_bytes() - m.bytes) / (n - 16),
         (mappings() - maps) / (n - 16));
  us = now_us();
  for (int i = 0; i < n; i++) gc_free(held[i]);
  printf("%.2f\n", (now_us() - us) / n);
  gc_free(b.gc);
  free(b.blocks);
  free(held);
}

static void held_vms(int n) {
  ox_Value f;
  ox_VM *vm = template_vm(&f), **held = malloc((size_t)n * sizeof *held);
  for (int i = 0; i < 16; i++)
    if (ox_fork(vm, held + i) != OX_OK) abort();
  double maps = mappings();
  Meter m = meter();
  for (int i = 16; i < n; i++)
    if (ox_fork(vm, held + i) != OX_OK) abort();
  print_since(m, n - 16);
  double us = now_us();
  for (int i = 16; i < n; i++)
    if (ox_call(held[i], f, 0, NULL, NULL) != OX_OK) abort();
  printf("%.2f %.0f %.3f ", (now_us() - us) / (n - 16), (private_bytes() - m.bytes) / (n - 16),
         (mappings() - maps) / (n - 16));
  us = now_us();
  for (int i = 0; i < n; i++) ox_free(held[i]);
  printf("%.2f\n", (now_us() - us) / n);
  ox_free(vm);
  free(held);
}

/* Pages of [from, to) of the cage that are the process's own. */
static uint64_t own_pages(Gc *gc, uint64_t from, uint64_t to) {
  uint64_t n = 0, entry;
  FILE *f = fopen("/proc/self/pagemap", "rb");
  if (!f) abort();
  for (uint64_t page = from; page < to; page++) {
    if (fseek(f, (long)(((uintptr_t)gc->base / GC_PAGE + page) * 8), SEEK_SET) != 0 ||
        fread(&entry, sizeof entry, 1, f) != 1)
      abort();
    n += entry >> 63 && !(entry >> 61 & 1); /* there, and not of a file */
  }
  fclose(f);
  return n;
}

static int collect(int mb) {
  char text[256];
  snprintf(text, sizeof text, "let data = map(0..%d, fn(i) => {id: i, name: \"record ${i}\"})", mb * 7000);
  ox_VM *vm = ox_new(NULL), *child;
  if (ox_eval(vm, text, strlen(text), "collect", NULL) != OX_OK) return 1;
  ox_collect(vm);
  if (ox_fork(vm, &child) != OX_OK) return 1;
  double before = private_bytes();
  ox_collect(child);
  double after = private_bytes();
  const Heap *h = child->gc->heap;
  uint64_t own = own_pages(child->gc, h->first_page, child->gc->top_page);
  printf("%llu %llu %llu %.2f\n", (unsigned long long)h->used_pages,
         (unsigned long long)(h->used_pages - own),
         (unsigned long long)own_pages(child->gc, h->table_off / GC_PAGE, h->first_page),
         (after - before) / 1e6);
  ox_free(child);
  ox_free(vm);
  return 0;
}

static int measure(unsigned mb) {
  GcConfig config = {.cage_bytes = (uint64_t)4 << 30, .mode = GC_OFF};
  Bench b = make_with(mb, &config);
  double start = now_us();
  Gc *first = gc_fork(b.gc, NULL);
  double first_us = now_us() - start;
  double times[PUBLISHED], bare;
  uint64_t pages = 1;
  for (int i = 0; i < PUBLISHED; i++) {
    start = cpu_us();
    Base *base = base_publish(b.gc, 0);
    times[i] = cpu_us() - start;
    if (!base) abort();
    pages = base->pages;
    base_free(base);
  }
  bare = bare_write(&b, pages);
  printf("%.1f %llu %.1f ", first_us, (unsigned long long)pages, median(times, PUBLISHED));
  measure_cold(&b);
  gc_free(first);
  Warm idle = measure_warm(&b, 0, false), hot = measure_warm(&b, PAGES, true);
  Warm far = measure_warm(&b, PAGES, false);
  int worn = wear(&b);
  Warm copied = measure_warm(&b, PAGES, false);
  printf("%.2f %.2f %.2f %.2f %.2f ", idle.call, hot.call, hot.whole, far.call, far.whole);
  printf("%d %.2f %.2f %.1f ", worn, copied.call, copied.whole, bare);
  double before = resident_mb();
  start = now_us();
  enum { FORKS = 100000 };
  for (int i = 0; i < FORKS; i++) gc_free(gc_fork(b.gc, NULL));
  double rate = FORKS / ((now_us() - start) / 1e6), after = resident_mb();
  printf("%.1f %.0f %.1f %.1f\n", measure_process(&b), rate, before, after);
  gc_free(b.gc);
  free(b.blocks);
  return 0;
}

int main(int argc, char **argv) {
  int n = argc > 2 ? atoi(argv[2]) : 0;
  if (argc > 1 && !strcmp(argv[1], "template")) return template();
  if (argc > 1 && !strcmp(argv[1], "collect")) return collect(n);
  if (argc > 1 && !strcmp(argv[1], "held")) return held_heaps(n), held_vms(n), 0;
  return measure(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
}
