/* core.c - what snapshots of one heap cost: the call, and a cycle of snapshot, stores and restore.
 *
 *   core MB PAGES      a heap of so many MB; PAGES changed between snapshots
 *
 * Prints one line, in microseconds: the call of gc_snapshot; a cycle (snapshot, one store to
 * each of PAGES pages, restore, release); the same in a loop that goes back to one snapshot; memcpy of as many pages from as far apart, the physical limit;
 * and the stores alone once the pages are open. Of each the first quintile of 401 rounds: other
 * processes on the machine can only make one longer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gc/heap.h"

enum { ROW_WORDS = 4096, ROUNDS = 401 };

typedef struct Bench {
  Gc *gc;
  uint8_t *base;
  uint64_t *words;   /* of the pages that are stored to */
  uint64_t pages;
  uint8_t *copies;   /* where memcpy puts them */
} Bench;

static uint32_t rows;

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what) {
  fprintf(stderr, "core: %s\n", what);
  exit(1);
}

static void mark_roots(Gc *gc, void *ctx) {
  (void)ctx;
  gc_mark_ref(gc, (Ref){rows});
}

static uint32_t row_new(Gc *gc, uint64_t words) {
  Header *h = gc_alloc(gc, words + 1, GC_SPACE_OBJECT);
  if (!h) die("out of memory");
  *h = (Header){.layout = LAYOUT_WIDE, .aux = (uint32_t)words};
  memset(h + 1, 0, words * 8);
  return gc_ref(gc_base(gc), h).w;
}

static int compare(const void *a, const void *b) {
  return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}
static double quintile(double *v, int n) {
  qsort(v, (size_t)n, sizeof *v, compare);
  return v[n / 5];
}

/* Rows of 32 KiB, and words of as many different pages as wanted, spread over all. */
static void build(Bench *b, uint64_t mb) {
  uint64_t nrows = (mb << 20) / (ROW_WORDS * 8 + 64), seed = 88172645463325252u;
  rows = row_new(b->gc, nrows);
  for (uint64_t i = 0; i < nrows; i++) {
    uint64_t row = row_new(b->gc, ROW_WORDS);
    gc_store(b->base, (uint64_t)rows + 1 + i, (uint64_t)VALUE_REF_HIGH << 48 | row);
  }
  uint64_t all = nrows * (ROW_WORDS / GC_PAGE_WORDS), step = all / b->pages;
  if (step == 0) die("there are not so many pages");
  for (uint64_t i = 0; i < b->pages; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t page = i * step + (seed >> 33) % step, row = page / (ROW_WORDS / GC_PAGE_WORDS);
    uint64_t first = (uint32_t)((uint64_t *)b->base)[(uint64_t)rows + 1 + row];
    b->words[i] = first + 1 + page % (ROW_WORDS / GC_PAGE_WORDS) * GC_PAGE_WORDS;
  }
}

static void store_all(Bench *b, uint64_t value) {
  for (uint64_t i = 0; i < b->pages; i++) gc_store(b->base, b->words[i], value);
}

static GcSnapshot take(Bench *b) {
  GcSnapshot s = gc_snapshot(b->gc, NULL);
  if (!s) die("no memory for a snapshot");
  return s;
}

/* The call, with PAGES changed since the last one. */
static double time_calls(Bench *b) {
  double took[ROUNDS];
  GcSnapshot last = take(b);
  for (int i = 0; i < ROUNDS; i++) {
    store_all(b, (uint64_t)i);
    double start = now_us();
    GcSnapshot s = take(b);
    took[i] = now_us() - start;
    gc_snapshot_release(b->gc, last);
    last = s;
  }
  gc_snapshot_release(b->gc, last);
  return quintile(took, ROUNDS);
}

static double time_cycles(Bench *b) {
  double took[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    GcSnapshot outer = take(b); /* so that the release does not thaw the whole heap */
    double start = now_us();
    GcSnapshot s = take(b);
    store_all(b, (uint64_t)i);
    if (gc_restore(b->gc, s) != GC_SNAPSHOT_OK) die("restore failed");
    gc_snapshot_release(b->gc, s);
    took[i] = now_us() - start;
    gc_snapshot_release(b->gc, outer);
  }
  return quintile(took, ROUNDS);
}

static double time_loops(Bench *b) {
  double took[ROUNDS];
  GcSnapshot s = take(b);
  for (int i = 0; i < ROUNDS; i++) {
    double start = now_us();
    store_all(b, (uint64_t)i + 1);
    if (gc_restore(b->gc, s) != GC_SNAPSHOT_OK) die("restore failed");
    took[i] = now_us() - start;
  }
  gc_snapshot_release(b->gc, s);
  return quintile(took, ROUNDS);
}

static double time_copies(Bench *b) {
  double took[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    double start = now_us();
    for (uint64_t k = 0; k < b->pages; k++)
      memcpy(b->copies + k * GC_PAGE, b->base + (b->words[k] / GC_PAGE_WORDS) * GC_PAGE, GC_PAGE);
    took[i] = now_us() - start;
  }
  return quintile(took, ROUNDS);
}

static double time_stores(Bench *b) {
  double took[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    double start = now_us();
    store_all(b, (uint64_t)i);
    took[i] = now_us() - start;
  }
  return quintile(took, ROUNDS);
}

int main(int argc, char **argv) {
  uint64_t mb = argc > 1 ? strtoull(argv[1], NULL, 10) : 64;
  Bench b = {.pages = argc > 2 ? strtoull(argv[2], NULL, 10) : 16};
  if (mb == 0 || mb > 4096 || b.pages == 0 || b.pages > 1 << 20) die("usage: core MB PAGES");
  GcConfig config = {.cage_bytes = (uint64_t)8 << 30, .mode = GC_OFF, .mark_roots = mark_roots};
  b.gc = gc_new(&config);
  if (!b.gc) die("no heap");
  b.base = gc_base(b.gc);
  b.words = malloc(b.pages * sizeof *b.words);
  b.copies = malloc(b.pages * GC_PAGE);
  if (!b.words || !b.copies) die("out of memory");
  build(&b, mb);
  memset(b.copies, 1, b.pages * GC_PAGE);
  time_cycles(&b); /* warms the log */
  double calls = time_calls(&b), cycles = time_cycles(&b), loops = time_loops(&b);
  double copies = time_copies(&b);
  printf("%.3f %.3f %.3f %.3f %.3f\n", calls, cycles, loops, copies, time_stores(&b));
  gc_free(b.gc);
  return 0;
}
