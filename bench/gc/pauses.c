/* pauses.c - pauses with a large heap: rows of nodes make up a live heap, of which a few nodes are
 * replaced all the time, so that the heap neither grows nor shrinks, and every allocation is timed,
 * with the stores that go with it.
 *
 *   pauses [MB [TURNS [MODE]]]   MODE of ours: adaptive (the default), stop, generational or
 *                                incremental; 1024 MB, 300,000 turns
 *
 * A turn makes 64 nodes; one of four takes the place of an old one anywhere in the heap, whose
 * memory is garbage then. Prints `name: value` lines: turns a second of CPU time, not timed; then
 * timed, the percentiles of the time of one allocation, and the longest, in microseconds. On a busy
 * machine these are the scheduler's; so the longest time of a loop that only reads some rows is
 * printed, too, and the longest CPU time of a turn.
 */
#include "backend.h"

enum { ROW = 512, NODES_PER_TURN = 64, KEEP_EVERY = 4, BUCKETS = 40 * 16, CYCLES = 3,
       MOST_TURNS = 4000000 /* without a collection at all, as GC_OFF has it */ };

/* Log-linear: 16 buckets to each power of two of nanoseconds. */
static uint64_t counts[BUCKETS], longest, samples;
static double longest_turn;

static void count(uint64_t ns) {
  unsigned log = ns < 16 ? 3 : 63 - (unsigned)__builtin_clzll(ns);
  unsigned at = ns < 16 ? (unsigned)ns : 16 * (log - 3) + (unsigned)(ns >> (log - 4) & 15);
  counts[at < BUCKETS ? at : BUCKETS - 1]++;
  samples++;
  if (ns > longest) longest = ns;
}

static double percentile(double share) {
  uint64_t left = (uint64_t)((double)samples * share);
  for (unsigned i = 0; i < BUCKETS; i++) {
    if (left < counts[i]) return i < 16 ? i / 1e3 : (double)((16 + (i & 15) + 1ull) << (i / 16 - 1)) / 1e3;
    left -= counts[i];
  }
  return (double)longest / 1e3;
}

#ifdef OURS
static GcMode mode_of(const char *name) {
  static const char *const names[] = {"adaptive", "off", "stop", "generational", "incremental"};
  for (int i = 0; i < 5; i++)
    if (strcmp(name, names[i]) == 0) return (GcMode)i;
  fprintf(stderr, "no such mode: %s\n", name);
  exit(2);
}
static void open_heap(const char *mode) {
  backend_open_with((GcConfig){.cage_bytes = (uint64_t)8 << 30, .mode = mode_of(mode)});
}
typedef uint32_t Row;
static Row rows;
static Value *cells_of(uint32_t row) { return (Value *)gc_ptr(heap.base, (Ref){row}) + 1; }
static uint32_t get(uint32_t cells, uint64_t i) { return (uint32_t)cells_of(cells)[i]; }
static uint32_t leaf_new(NodeRef list) { return node_new(list, 0); }
static uint64_t majors_now(void) {
  GcStats s;
  gc_stats(heap.gc, &s);
  return s.majors;
}
#else
static void open_heap(const char *mode) {
  (void)mode;
  backend_open();
}
typedef void **Row;
static Row volatile rows;
static Row cells_new(uint64_t n) { return memset(block_new(n * 8), 0, n * 8); }
static void cells_put(Row cells, uint64_t i, void *what) { cells[i] = what; }
static void *get(Row cells, uint64_t i) { return cells[i]; }
static NodeRef leaf_new(NodeRef list) { return node_new(list, NULL); }
static uint64_t majors_now(void) { return GC_get_gc_no(); }
#endif

static uint64_t random_state = 88172645463325252u;

/* One row of the live heap: ROW nodes. */
static void fill(uint64_t nrows) {
  rows = cells_new(nrows);
  keep(rows);
  for (uint64_t i = 0; i < nrows; i++) {
    Row row = cells_new(ROW);
    cells_put(rows, i, row);
    for (uint64_t k = 0; k < ROW; k++) cells_put(row, k, leaf_new(0));
  }
}

/* The list hangs on one kept reference, so that only the node just made is young. */
static void turn(uint64_t nrows, bool timed) {
  NodeRef list = 0;
  keep(list);
  for (unsigned i = 0; i < NODES_PER_TURN; i++) {
    uint64_t start = timed ? ns_now() : 0;
    bool keeps = i % KEEP_EVERY == 0;
    NodeRef n = leaf_new(keeps ? 0 : list); /* else the heap would grow by what hangs on it */
    if (keeps) {
      uint64_t r = next_random(&random_state);
      cells_put(get(rows, r % nrows), (r >> 40) % ROW, n);
      list = 0;
    } else {
      list = n;
    }
    if (timed) count(ns_now() - start);
    unkeep(1);
    keep(list);
  }
  unkeep(1);
}

/* Turns until so many full collections have been. */
static uint64_t turn_until(uint64_t nrows, uint64_t majors) {
  uint64_t turns = 0;
  while (majors_now() < majors && turns < MOST_TURNS)
    for (unsigned i = 0; i < 256; i++, turns++) turn(nrows, false);
  return turns;
}

/* Over whole cycles of the collector, from the end of a full collection to that of a later one; the
 * first has given the heap the size that it keeps. */
static double turns_per_second(uint64_t nrows) {
  uint64_t from = majors_now() + 1;
  turn_until(nrows, from);
  double cpu = cpu_now();
  uint64_t turns = turn_until(nrows, from + CYCLES);
  return (double)turns / (cpu_now() - cpu);
}

/* At least so many, and two full collections. */
static void time_turns(uint64_t nrows, uint64_t turns) {
  uint64_t majors = majors_now() + 2;
  for (uint64_t i = 0; i < turns || (majors_now() < majors && i < MOST_TURNS); i++) {
    double start = cpu_now();
    turn(nrows, true);
    double took = cpu_now() - start;
    if (took > longest_turn) longest_turn = took;
  }
}

/* The longest time of a loop that reads 128 rows at random, in as much time: the machine's own stops.
 * (Those of a loop without memory are shorter on virtual machines.) */
static uint64_t longest_read(uint64_t nrows, uint64_t ns) {
  uint64_t begin = ns_now(), last = begin, most = 0, sum = 0;
  while (last - begin < ns) {
    for (unsigned i = 0; i < 128; i++) {
      Row row = get(rows, next_random(&random_state) % nrows);
      for (uint64_t k = 0; k < ROW; k += 8) sum += (uintptr_t)get(row, k);
    }
    uint64_t now = ns_now();
    if (now - last > most) most = now - last;
    last = now;
  }
  return sum ? most : 0;
}

int main(int argc, char **argv) {
  uint64_t mb = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
  uint64_t turns = argc > 2 ? strtoull(argv[2], NULL, 10) : 300000;
  uint64_t nrows = (mb << 20) / (ROW * (sizeof(Node) + 8));
  open_heap(argc > 3 ? argv[3] : "adaptive");
  fill(nrows ? nrows : 1);
  double speed = turns_per_second(nrows);
  uint64_t begin = ns_now();
  time_turns(nrows, turns);
  uint64_t reading = longest_read(nrows, ns_now() - begin);
  printf("turns a second: %.0f\n", speed);
  printf("allocation p50 us: %.2f\np99 us: %.2f\np99.9 us: %.2f\np99.99 us: %.2f\nlongest us: %.1f\n",
         percentile(0.5), percentile(0.99), percentile(0.999), percentile(0.9999),
         (double)longest / 1e3);
  printf("longest of reading us: %.1f\n", (double)reading / 1e3);
  printf("longest turn, CPU us: %.1f\n", longest_turn * 1e6);
  printf("peak MB: %.1f\n", peak_mb());
  backend_report();
  return 0;
}
