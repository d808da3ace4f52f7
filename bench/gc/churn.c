/* churn.c - allocators under strain: sizes and lifetimes that change all the time, the same sequence
 * of requests for every memory manager (the generator is seeded, and no decision depends on an
 * address).
 *
 *   server     requests of many connections, interleaved; each makes strings, nodes and buffers that
 *              die together, and leaves a few in a cache of random replacement. Load and the mix of
 *              sizes change from phase to phase
 *   compiler   file after file: nodes of a file die with it, those of a function earlier, names
 *              never; arrays and tables grow by doubling
 *   random     a constant number of bytes alive, random death; half of the blocks have sizes from 16 to
 *              4,096 bytes, the other half from a range that changes from phase to phase
 *   phases     the same with the changing ranges alone: what one phase leaves in holes, the next can
 *              use only by joining them, which no allocator of size classes does
 *
 *   churn TRACE        prints "CPU-SECONDS PEAK-MB PEAK/LIVE", PEAK being what the resident set grew
 *                      by, LIVE the most bytes that were alive at a time, as asked for
 *
 * Ours gives blocks back with gc_release, and never collects; with -DCOLLECT it collects, at the
 * default policy, and gives nothing back by hand. Every block is written to, a word in each cache
 * line, and checked when it dies.
 */
#include <sys/mman.h>

#include "backend.h"

enum { SLOTS = 2 << 20, LEAST = 16 };

/* ---- the managers ----------------------------------------------------------------------------- */

/* Memory of the generator itself, which does not count. */
static size_t harness_bytes;
static void *harness_new(size_t bytes) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) out_of_memory();
  memset(at, 0, bytes);
  harness_bytes += (bytes + 4095) & ~(size_t)4095;
  return at;
}

#ifdef OURS
#ifdef COLLECT
static uint32_t table; /* a block of values in the heap */
static void table_open(void) {}
static void manager_open(void) {
  backend_open();
  uint64_t *t = gc_alloc(heap.gc, SLOTS + 1, GC_SPACE_OBJECT);
  if (!t) out_of_memory();
  *(Header *)t = (Header){.layout = LAYOUT_WIDE, .aux = SLOTS};
  for (uint32_t i = 0; i < SLOTS; i++) t[1 + i] = (uint64_t)0xFFF9 << 48;
  table = gc_ref(heap.base, t).w;
  keep(table);
}
static inline void *held(uint32_t slot) {
  return gc_ptr(heap.base, (Ref){(uint32_t)((Value *)gc_ptr(heap.base, (Ref){table}))[1 + slot]});
}
static inline void hold(uint32_t slot, void *block) {
  uint64_t word = (uint64_t)table + 1 + slot;
  gc_store(heap.base, word, (uint64_t)VALUE_REF_HIGH << 48 | gc_ref(heap.base, block).w);
}
static inline void manager_free(uint32_t slot) {
  gc_store(heap.base, (uint64_t)table + 1 + slot, (uint64_t)0xFFF9 << 48);
}
#else
static uint32_t *refs;
static void table_open(void) { refs = harness_new(SLOTS * sizeof *refs); }
static void manager_open(void) { backend_open_with((GcConfig){.mode = GC_OFF}); }
static inline void *held(uint32_t slot) { return gc_ptr(heap.base, (Ref){refs[slot]}); }
static inline void hold(uint32_t slot, void *block) { refs[slot] = gc_ref(heap.base, block).w; }
static inline void manager_free(uint32_t slot) { gc_release(heap.gc, held(slot)); }
#endif
static inline void *manager_new(size_t bytes) {
  uint64_t words = (bytes + 7) / 8;
  Header *h = words <= GC_SMALL_WORDS
                  ? gc_bump(heap.base, GC_SPACE_OBJECT, gc_class_of_words[words]) : NULL;
  if (!h && !(h = gc_alloc(heap.gc, words, GC_SPACE_OBJECT))) out_of_memory();
  *h = (Header){.layout = LAYOUT_RAW};
  return h;
}
static inline void manager_grow(uint32_t slot, size_t was, size_t bytes) {
  void *old = held(slot);
  if (gc_extend(heap.gc, old, (bytes + 7) / 8)) return;
  void *grown = manager_new(bytes);
  memcpy(grown, old, was);
#ifndef COLLECT
  gc_release(heap.gc, old);
#endif
  hold(slot, grown);
}
#else
static void **blocks;
static void table_open(void) { blocks = harness_new(SLOTS * sizeof *blocks); }
static void manager_open(void) {}
static inline void *held(uint32_t slot) { return blocks[slot]; }
static inline void hold(uint32_t slot, void *block) { blocks[slot] = block; }
static inline void manager_free(uint32_t slot) { free(blocks[slot]); }
static inline void *manager_new(size_t bytes) {
  void *p = malloc(bytes);
  if (!p) out_of_memory();
  return p;
}
static inline void manager_grow(uint32_t slot, size_t was, size_t bytes) {
  (void)was;
  void *p = realloc(blocks[slot], bytes);
  if (!p) out_of_memory();
  blocks[slot] = p;
}
#endif

/* ---- blocks by number ------------------------------------------------------------------------- */

static struct {
  uint32_t *sizes, *unused, unused_count;
  uint64_t live, most, seed;
} state;

static uint64_t pick(uint64_t n) { return (next_random(&state.seed) >> 32) * n >> 32; }

/* A size from [least, most], small ones more often: about as many of each power of two. */
static uint32_t size_between(uint32_t least, uint32_t most) {
  unsigned doublings = 0;
  while (least << doublings < most) doublings++;
  uint32_t from = least << pick(doublings), to = 2 * from < most ? 2 * from : most;
  return from + (uint32_t)pick(to - from);
}

static void write_block(uint32_t slot, uint32_t from, uint32_t to) {
  uint64_t *p = held(slot);
  for (uint32_t at = (from + 7) / 8 + 1; at < to / 8; at += 8) p[at] = slot;
}

static uint32_t make(uint32_t size) {
  if (!state.unused_count) out_of_memory();
  if (size < LEAST) size = LEAST;
  uint32_t slot = state.unused[--state.unused_count];
  hold(slot, manager_new(size));
  state.sizes[slot] = size;
  write_block(slot, 0, size);
  if ((state.live += size) > state.most) state.most = state.live;
  return slot;
}

static void drop(uint32_t slot) {
  if (((uint64_t *)held(slot))[1] != slot) {
    fputs("a block was overwritten\n", stderr);
    exit(1);
  }
  manager_free(slot);
  state.live -= state.sizes[slot];
  state.unused[state.unused_count++] = slot;
}

static void grow(uint32_t slot, uint32_t size) {
  uint32_t was = state.sizes[slot];
  manager_grow(slot, was, size);
  write_block(slot, was, size);
  state.sizes[slot] = size;
  if ((state.live += size - was) > state.most) state.most = state.live;
}

typedef struct Group { uint32_t *slots, count; } Group;
static Group group_new(uint32_t most) { return (Group){harness_new(most * sizeof(uint32_t)), 0}; }
static void group_add(Group *g, uint32_t slot) { g->slots[g->count++] = slot; }
static void group_drop(Group *g) {
  for (uint32_t i = 0; i < g->count; i++) drop(g->slots[i]);
  g->count = 0;
}

/* With CLASSES set in the environment: where the memory is at the end of a phase, in MB. */
#ifdef OURS
static uint64_t bytes_asked(void *ctx, const void *block, uint64_t bytes) {
  uint64_t slot = ((const uint64_t *)block)[1];
  (void)ctx;
  return slot < SLOTS && held((uint32_t)slot) == block ? state.sizes[slot] : bytes;
}
static void report_classes(const char *phase) {
  static const char *const kinds[] = {"slab", "middle", "large"};
  GcReportRow rows[GC_REPORT_ROWS];
  if (!getenv("CLASSES")) return;
  uint64_t unused = gc_report(heap.gc, rows, bytes_asked, NULL);
  GcStats s;
  gc_stats(heap.gc, &s);
  fprintf(stderr, "%s: %.1f MB alive, %.1f MB in spans, %.1f MB of free pages\n", phase,
          (double)state.live / 1048576, (double)s.committed_bytes / 1048576,
          (double)unused / 1048576);
  for (int i = 0; i < GC_REPORT_ROWS; i++) {
    const GcReportRow *r = rows + i;
    if (!r->span_bytes) continue;
    fprintf(stderr, "  %-6s %4u %8.2f MB, external %4.1f %%, internal %4.1f %%\n", kinds[r->kind],
            r->slot_bytes, (double)r->span_bytes / 1048576,
            100 - 100 * (double)r->block_bytes / (double)r->span_bytes,
            r->blocks ? 100 - 100 * (double)r->used_bytes / (double)r->block_bytes : 0.0);
  }
}
#else
static void report_classes(const char *phase) { (void)phase; }
#endif

/* ---- server ----------------------------------------------------------------------------------- */

enum { CONNECTIONS = 1024, REQUEST_MOST = 512, CACHE_SLOTS = 1 << 20, CACHE_BYTES = 48 << 20 };

typedef struct Load { uint32_t connections, strings, nodes, bodies; } Load; /* of 100; else buffers */
static const Load loads[] = {{256, 45, 46, 8},  {1024, 30, 66, 4}, {128, 60, 23, 15},
                             {512, 10, 82, 7}, {1024, 70, 24, 6}, {64, 33, 46, 20}};

static uint32_t size_of_request(const Load *l) {
  uint32_t kind = (uint32_t)pick(100);
  if (kind < l->strings) return size_between(16, 200);
  if ((kind -= l->strings) < l->nodes) return size_between(24, 96);
  return (kind -= l->nodes) < l->bodies ? size_between(512, 8192) : size_between(8192, 65536);
}

static void put_in_cache(Group *cache, uint64_t *bytes, uint32_t slot) {
  *bytes += state.sizes[slot];
  while (*bytes > CACHE_BYTES) {
    uint32_t i = (uint32_t)pick(cache->count), old = cache->slots[i];
    *bytes -= state.sizes[old];
    drop(old);
    cache->slots[i] = cache->slots[--cache->count];
  }
  group_add(cache, slot);
}

static void end_request(Group *request, Group *cache, uint64_t *bytes) {
  for (uint32_t i = 0; i < request->count; i++) {
    if (pick(16) == 0) put_in_cache(cache, bytes, request->slots[i]);
    else drop(request->slots[i]);
  }
  request->count = 0;
}

static void run_server(void) {
  static Group requests[CONNECTIONS];
  Group cache = group_new(CACHE_SLOTS);
  uint64_t cached = 0;
  for (int i = 0; i < CONNECTIONS; i++) requests[i] = group_new(REQUEST_MOST);
  for (unsigned phase = 0; phase < sizeof loads / sizeof *loads; phase++) {
    const Load *l = loads + phase;
    for (uint32_t turn = 0; turn < 60000; turn++) {
      Group *r = requests + pick(l->connections);
      for (int i = 0; i < 8; i++) group_add(r, make(size_of_request(l)));
      if (r->count > REQUEST_MOST - 16 || pick(24) == 0) end_request(r, &cache, &cached);
    }
    report_classes("server");
    for (int i = 0; i < CONNECTIONS; i++) end_request(requests + i, &cache, &cached);
  }
}

/* ---- compiler --------------------------------------------------------------------------------- */

enum { FILES = 16, FILE_MOST = 1 << 19, FUNCTION_MOST = 1 << 14, NAMES_MOST = 1 << 20 };

static void compile_function(Group *file, Group *names) {
  static Group function;
  if (!function.slots) function = group_new(FUNCTION_MOST);
  uint32_t nodes = size_between(50, 2000), arrays[8];
  for (int i = 0; i < 8; i++) arrays[i] = make(64);
  for (uint32_t i = 0; i < nodes; i++) {
    group_add(file, make(size_between(24, 128)));
    if (pick(10) == 0) group_add(names, make(size_between(16, 48)));
    for (uint64_t k = pick(4); k; k--) group_add(&function, make(size_between(32, 256)));
    uint32_t a = arrays[pick(8)], size = state.sizes[a];
    if (pick(size) < 64 && size < 512 << 10) grow(a, 2 * size);
  }
  for (int i = 0; i < 8; i++) {
    if (i) drop(arrays[i]);
    else group_add(file, arrays[i]);
  }
  group_drop(&function);
}

static void run_compiler(void) {
  Group file = group_new(FILE_MOST), names = group_new(NAMES_MOST);
  uint32_t symbols = make(4096);
  for (int i = 0; i < FILES; i++) {
    for (uint32_t left = size_between(100, 600); left; left--) compile_function(&file, &names);
    while (state.sizes[symbols] < names.count * 16) { /* a hash table that doubles */
      uint32_t grown = make(2 * state.sizes[symbols]);
      drop(symbols);
      symbols = grown;
    }
    if (i % 4 == 3) report_classes("compiler");
    group_drop(&file);
  }
}

/* ---- random, phases ----------------------------------------------------------------------------------- */

enum { RANDOM_LIVE = 64 << 20 };
static const struct { uint32_t least, most, turnover; } phases[] = {
    {16, 128, 1}, {64, 1024, 3}, {256, 4096, 4}, {16, 64, 1},
    {1024, 16384, 6}, {24, 512, 2}, {4096, 65536, 6}, {32, 256, 2}};

static void run_sizes(bool mixed) {
  Group all = group_new(SLOTS);
  for (unsigned phase = 0; phase < sizeof phases / sizeof *phases; phase++) {
    uint64_t left = (uint64_t)phases[phase].turnover * RANDOM_LIVE;
    while (left) {
      uint32_t size = mixed && pick(2) ? size_between(16, 4096)
                                       : size_between(phases[phase].least, phases[phase].most);
      left -= size < left ? size : left;
      while (state.live + size > RANDOM_LIVE) {
        uint32_t i = (uint32_t)pick(all.count);
        drop(all.slots[i]);
        all.slots[i] = all.slots[--all.count];
      }
      group_add(&all, make(size));
    }
    report_classes("phase");
  }
}
static void run_random(void) { run_sizes(true); }
static void run_phases(void) { run_sizes(false); }

/* ----------------------------------------------------------------------------------------------- */

static double resident_mb(void) {
  FILE *f = fopen("/proc/self/statm", "r");
  unsigned long total, resident = 0;
  if (!f || fscanf(f, "%lu %lu", &total, &resident) != 2) out_of_memory();
  fclose(f);
  return (double)resident / 256;
}

int main(int argc, char **argv) {
  const char *trace = argc > 1 ? argv[1] : "";
  void (*run)(void) = !strcmp(trace, "server") ? run_server
                      : !strcmp(trace, "compiler") ? run_compiler
                      : !strcmp(trace, "random") ? run_random
                      : !strcmp(trace, "phases") ? run_phases : NULL;
  if (!run) return fputs("churn server|compiler|random|phases\n", stderr), 2;
  state.seed = 88172645463325252u;
  state.sizes = harness_new(SLOTS * sizeof *state.sizes);
  state.unused = harness_new(SLOTS * sizeof *state.unused);
  for (uint32_t i = SLOTS; i; i--) state.unused[state.unused_count++] = i - 1;
  table_open();
  double before = resident_mb() - (double)harness_bytes / 1048576;
  manager_open();
  double start = cpu_now();
  run();
  double took = cpu_now() - start, peak = peak_mb() - before - (double)harness_bytes / 1048576;
  printf("%.3f %.1f %.3f\n", took, peak, peak / ((double)state.most / 1048576));
  backend_report();
  return 0;
}
