/* forks - what forks of a heap cost, beside fork() of the process: forks MEGABYTES; or forks template: forks
 * of a whole VM with 1 MB of data a second, without and with a call of a function in each. Prints numbers, times
 * in microseconds (medians):
 *
 *   call, nothing changed; call, and end to end, when the child changes 16 pages and the parent 16 others;
 *   the first fork of all; fork() + exit + wait with a tenth of the heap rewritten since the last one, the
 *   child changing 16 pages; forks a second, one after the other; memory of the process in MB after that,
 *   beside before */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gc/heap.h"
#include "oxbow.h"

enum { PAGES = 16, ROUNDS = 201, BLOCK_PAGES = 64, BLOCK_WORDS = BLOCK_PAGES * GC_PAGE_WORDS - 2 };

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
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
static Bench make(unsigned megabytes) {
  GcConfig config = {.cage_bytes = (uint64_t)4 << 30, .mode = GC_OFF};
  Bench b = {gc_new(&config), NULL, megabytes * 4, 88172645463325252u};
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

static void measure_forks(Bench *b, unsigned pages, double *call, double *whole) {
  double calls[ROUNDS], all[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    change(b, b->gc, pages);
    double start = now_us();
    Gc *child = gc_fork(b->gc, NULL);
    calls[i] = now_us() - start;
    change(b, child, pages);
    gc_free(child);
    all[i] = now_us() - start;
  }
  *call = median(calls, ROUNDS);
  *whole = median(all, ROUNDS);
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

static double resident_mb(void) {
  long pages = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
  if (f) fclose(f);
  return (double)resident * 4096 / 1e6;
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

static int template(void) {
  static const char program[] = "let data = map(0..9000, fn(i) => {id: i, name: \"record ${i}\"})\n"
                                "let hits = 0\nfn f() { hits += 1; return data[hits] }\nf";
  ox_VM *vm = ox_new(NULL);
  ox_Value f;
  if (!vm || ox_eval(vm, program, sizeof program - 1, "template", &f) != OX_OK) return 1;
  ox_collect(vm);
  template_rate(vm, f, true);
  printf("%.0f %.0f\n", template_rate(vm, f, false), template_rate(vm, f, true));
  ox_free(vm);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "template")) return template();
  Bench b = make(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
  double start = now_us(), call0, all0, call, all;
  gc_free(gc_fork(b.gc, NULL));
  double first = now_us() - start;
  measure_forks(&b, 0, &call0, &all0);
  measure_forks(&b, PAGES, &call, &all);
  double before = resident_mb();
  start = now_us();
  enum { FORKS = 100000 };
  for (int i = 0; i < FORKS; i++) gc_free(gc_fork(b.gc, NULL));
  double rate = FORKS / ((now_us() - start) / 1e6), after = resident_mb();
  double process = measure_process(&b);
  printf("%.3f %.3f %.3f %.1f %.1f %.0f %.1f %.1f\n", call0, call, all, first, process, rate, before, after);
  gc_free(b.gc);
  free(b.blocks);
}
