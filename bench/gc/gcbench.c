/* gcbench.c - the well-known benchmark of Ellis, Kovac and Boehm, written anew: a tree is stretched
 * to size the heap, a long-lived tree and array stay, then trees of growing depth are made and
 * dropped, from the top (assigning into nodes) and from the bottom (constructors only).
 *
 *   gcbench DEPTH      prints "CPU-SECONDS PEAK-MB"
 */
#include "backend.h"

enum { LEAST_DEPTH = 4, ARRAY = 500000 };

static uint64_t tree_size(int depth) { return ((uint64_t)1 << (depth + 1)) - 1; }

static void populate(int depth, NodeRef node) {
  if (depth <= 0) return;
  set_left(node, node_new(0, 0));
  set_right(node, node_new(0, 0));
  populate(depth - 1, LEFT(node));
  populate(depth - 1, RIGHT(node));
}

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

static void from_the_top(int depth) {
  NodeRef n = node_new(0, 0);
  keep(n);
  populate(depth, n);
  unkeep(1);
  tree_free(n);
}

static void of_depth(int depth, int stretch) {
  uint64_t times = 2 * tree_size(stretch) / tree_size(depth);
  for (uint64_t i = 0; i < times; i++) from_the_top(depth);
  for (uint64_t i = 0; i < times; i++) tree_free(make_tree(depth));
}

int main(int argc, char **argv) {
  int depth = argc > 1 ? atoi(argv[1]) : 16, stretch = depth + 2;
  backend_open();
  double start = cpu_now();
  tree_free(make_tree(stretch));
  NodeRef long_lived = node_new(0, 0);
  keep(long_lived);
  populate(depth, long_lived);
  double *array = raw_new(ARRAY * sizeof(double));
  for (int i = 0; i < ARRAY; i++) array[i] = 1.0 / (i + 1);
  for (int d = LEAST_DEPTH; d <= depth; d += 2) of_depth(d, stretch);
  if (!LEFT(long_lived) || array[1000] != 1.0 / 1001) return 1;
  printf("%.3f %.1f\n", cpu_now() - start, peak_mb());
  backend_report();
  return 0;
}
