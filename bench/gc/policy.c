/* policy.c - how large the heap gets at the default policy, and what a larger one would gain: lists of
 * random lengths in a table, replaced at random, a constant amount alive.
 *
 *   policy [MB [PERCENT [N]]]   prints "CPU-SECONDS PEAK-HEAP/LIVE"; PERCENT: the largest heap, of the
 *                               live size, instead of the policy's choice, which is 0; only one list
 *                               of N goes into the table, the others die at once
 */
#include "backend.h"

enum { LIST_MOST = 64, TURNOVER = 12 };

int main(int argc, char **argv) {
  uint64_t mb = argc > 1 ? strtoull(argv[1], NULL, 10) : 128;
  uint32_t percent = argc > 2 ? (uint32_t)atoi(argv[2]) : 0, one_of = argc > 3 ? (uint32_t)atoi(argv[3]) : 1;
  uint64_t lists = (mb << 20) / (sizeof(Node) * (LIST_MOST + 1) / 2), seed = 88172645463325252u;
  backend_open_with((GcConfig){.heap_percent = percent});
  uint64_t *t = gc_alloc(heap.gc, lists + 1, GC_SPACE_OBJECT);
  if (!t) out_of_memory();
  *(Header *)t = (Header){.layout = LAYOUT_WIDE, .aux = (uint32_t)lists};
  memset(t + 1, 0, lists * 8);
  uint32_t table = gc_ref(heap.base, t).w;
  keep(table);
  double start = cpu_now();
  for (uint64_t i = 0; i < lists * (TURNOVER + one_of); i++) {
    NodeRef list = 0;
    keep(0);
    for (uint64_t n = 1 + next_random(&seed) % LIST_MOST; n; n--) {
      list = node_new(list, 0);
      unkeep(1);
      keep(list);
    }
    unkeep(1);
    if (i % one_of) continue;
    uint64_t at = i / one_of < lists ? i / one_of : next_random(&seed) % lists;
    gc_store(heap.base, (uint64_t)table + 1 + at, (uint64_t)VALUE_REF_HIGH << 48 | list);
  }
  double took = cpu_now() - start;
  GcStats s;
  gc_stats(heap.gc, &s);
  uint64_t peak = s.peak_bytes;
  gc_collect(heap.gc);
  gc_stats(heap.gc, &s);
  printf("%.3f %.3f\n", took, (double)peak / (double)s.live_bytes);
  backend_report();
  return 0;
}
