/* minor.c - how long a minor collection takes: a large old heap, 8 MB handed out since the last
 * collection, of which little is alive.
 *
 *   minor [MB]         prints "MEDIAN-MILLISECONDS LONGEST"
 */
#include "backend.h"

enum { ROW = 512, ROUNDS = 101, YOUNG_BYTES = 8 << 20, KEPT = 64 };

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
    cells_put(rows, i, row);
    for (uint64_t k = 0; k < ROW; k++) cells_put(row, k, node_new(0, 0));
  }
  gc_collect(heap.gc);
  double took[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    for (uint64_t n = 0; n < YOUNG_BYTES / sizeof(Node); n++) {
      NodeRef node = node_new(0, 0);
      if (n % (YOUNG_BYTES / sizeof(Node) / KEPT)) continue;
      uint64_t at = next_random(&seed);
      uint32_t row = (uint32_t)((Value *)gc_ptr(heap.base, (Ref){rows}))[1 + at % nrows];
      cells_put(row, (at >> 40) % ROW, node);
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
