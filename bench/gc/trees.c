/* trees.c - binary trees as in the benchmarks game: one tree lives long, many short ones come and
 * go, each walked once.
 *
 *   trees DEPTH        prints "CPU-SECONDS PEAK-MB"
 */
#include "backend.h"

enum { LEAST_DEPTH = 4 };

static NodeRef make_tree(int depth) {
  if (depth <= 0) return node_new(0, 0);
  NodeRef left = make_tree(depth - 1);
  keep(left);
  NodeRef right = make_tree(depth - 1);
  keep(right);
  NodeRef node = node_new(left, right);
  unkeep(2);
  return node;
}

static uint64_t count(NodeRef n) { return LEFT(n) ? 1 + count(LEFT(n)) + count(RIGHT(n)) : 1; }

static uint64_t make_and_count(int depth) {
  NodeRef n = make_tree(depth);
  uint64_t nodes = count(n);
  tree_free(n);
  return nodes;
}

int main(int argc, char **argv) {
  int depth = argc > 1 ? atoi(argv[1]) : 18;
  backend_open();
  double start = cpu_now();
  if (make_and_count(depth + 1) != ((uint64_t)4 << depth) - 1) return 1;
  NodeRef long_lived = make_tree(depth);
  keep(long_lived);
  for (int d = LEAST_DEPTH; d <= depth; d += 4)
    for (uint64_t i = 0; i < (uint64_t)1 << (depth - d + LEAST_DEPTH); i++)
      if (make_and_count(d) != ((uint64_t)2 << d) - 1) return 1;
  if (count(long_lived) != ((uint64_t)2 << depth) - 1) return 1;
  printf("%.3f %.1f\n", cpu_now() - start, peak_mb());
  backend_report();
  return 0;
}
