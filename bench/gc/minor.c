/* minor.c - how long a minor collection takes: a large old heap, 8 MB handed out since the last
 * collection, of which little is alive.
 *
 *   minor [MB]         prints "MEDIAN-MILLISECONDS LONGEST"
 */
#include "backend.h"

enum { ROW = 512, ROUNDS = 101, YOUNG_BYTES = 8 << 20, KEPT = 64 };

static uint32_t cells_new(uint64_t n) {
  Header *h = gc_alloc(heap.gc, n + 1, GC_SPACE_OBJECT);
  if (!h) out_of_memory();
  *h = (Header){.layout = LAYOUT_WIDE, .aux = (uint32_t)n};
  memset(h + 1, 0, n * 8);
  return gc_ref(heap.base, h).w;
}
static void put(uint32_t cells, uint64_t i, uint32_t what) {
  gc_store(heap.base, (uint64_t)cells + 1 + i, (uint64_t)VALUE_REF_HIGH << 48 | what);
}

static int compare(const void *a, const void *b) {
  return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

int main(int argc, char **argv) {
  uint64_t mb = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
  uint64_t nrows = (mb << 20) / (ROW * (sizeof(Node) + 8)), seed = 88172645463325252u;
  backend_open_with((GcConfig){.cage_bytes = (uint64_t)8 << 30, .mode = GC_OFF});
  uint32_t rows = cells_new(nrows);
  keep(rows);
  for (uint64_t i = 0; i < nrows; i++) {
    uint32_t row = cells_new(ROW);
    put(rows, i, row);
    for (uint64_t k = 0; k < ROW; k++) put(row, k, node_new(0, 0));
  }
  gc_collect(heap.gc);
  double took[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    for (uint64_t n = 0; n < YOUNG_BYTES / sizeof(Node); n++) {
      NodeRef node = node_new(0, 0);
      if (n % (YOUNG_BYTES / sizeof(Node) / KEPT)) continue;
      uint64_t at = next_random(&seed);
      uint32_t row = (uint32_t)((Value *)gc_ptr(heap.base, (Ref){rows}))[1 + at % nrows];
      put(row, (at >> 40) % ROW, node);
    }
    double start = cpu_now();
    gc_collect_young(heap.gc);
    took[round] = (cpu_now() - start) * 1e3;
  }
  qsort(took, ROUNDS, sizeof *took, compare);
  printf("%.3f %.3f\n", took[ROUNDS / 2], took[ROUNDS - 1]);
  backend_report();
  return 0;
}
