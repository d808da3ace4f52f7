/* frames.c - what a scope frame costs: 48 bytes, allocation and collection included, in a heap of
 * three times the live size. The frames alive are named by a table; each new frame takes the place
 * of the oldest (fifo) or of any (random). A frame is filled in, and the one it replaces is freed
 * where the memory manager wants that.
 *
 *   frames fifo|random [LIVE-FRAMES]     prints "NANOSECONDS-PER-FRAME PEAK-MB"
 *
 * -DUSE_BUMP instead of a memory manager: a pointer that runs round an area of three times the live
 * size. That is no allocator, but the price of filling in the frame and its table.
 */
#include "backend.h"

enum { SLOTS = 5, LIVE = 65536, FRAMES = 40000000 };

#if defined(OURS) && !defined(USE_BUMP)
typedef struct Frame { Header h; Value slots[SLOTS]; } Frame;
static uint32_t table;

static void open_table(uint32_t live) {
  backend_open();
  Header *h = gc_alloc(heap.gc, (uint64_t)live + 1, GC_SPACE_OBJECT);
  if (!h) out_of_memory();
  *h = (Header){.layout = LAYOUT_WIDE, .aux = live};
  for (uint32_t i = 0; i < live; i++) ((Value *)(h + 1))[i] = (uint64_t)0xFFF9 << 48;
  table = gc_ref(heap.base, h).w;
  keep(table);
}
/* The base of the cage is in a register, as in the interpreter. */
static inline void replace(void *context, uint32_t at, uint64_t i) {
  enum { CLASS_WORDS = sizeof(Frame) / 8 };
  uint8_t *base = context;
  Frame *f = gc_bump(base, GC_SPACE_FRAME, gc_class_of_words[CLASS_WORDS]);
  if (__builtin_expect(!f, 0) && !(f = gc_alloc(heap.gc, CLASS_WORDS, GC_SPACE_FRAME)))
    out_of_memory();
  f->h = (Header){.layout = LAYOUT_VALUES | LAYOUT_AUX_REF, .n = SLOTS, .aux = 0};
#pragma GCC unroll 8
  for (int s = 0; s < SLOTS; s++) f->slots[s] = (uint64_t)0xFFFF << 48 | (i + (unsigned)s);
  Value v = (uint64_t)VALUE_REF_HIGH << 48 | gc_ref(base, f).w;
  gc_store(base, (uint64_t)table + 1 + at, v);
}
static void *context(void) { return heap.base; }
#else
typedef struct Frame { uint64_t header, slots[SLOTS]; } Frame;
static Frame **table;

#if defined(USE_BUMP)
static uint8_t *area, *bump, *area_end;
static void open_table(uint32_t live) {
  size_t bytes = 3 * (size_t)live * sizeof(Frame);
  area = bump = malloc(bytes);
  table = calloc(live, sizeof *table);
  if (!area || !table) out_of_memory();
  area_end = area + bytes;
  memset(area, 1, bytes);
}
static inline Frame *frame_new(void) {
  if (bump == area_end) bump = area;
  Frame *f = (Frame *)bump;
  bump += sizeof *f;
  return f;
}
static inline void frame_free(Frame *f) { (void)f; }
#elif defined(USE_BOEHM)
static void open_table(uint32_t live) {
  backend_open();
  size_t bytes = 3 * (size_t)live * sizeof(Frame);
  GC_expand_hp(bytes);
  GC_set_max_heap_size(bytes + live * sizeof *table + (1 << 20));
  table = GC_malloc(live * sizeof *table);
}
static inline Frame *frame_new(void) { return block_new(sizeof(Frame)); }
static inline void frame_free(Frame *f) { (void)f; }
#else
static void open_table(uint32_t live) { table = calloc(live, sizeof *table); }
static inline Frame *frame_new(void) { return malloc(sizeof(Frame)); }
static inline void frame_free(Frame *f) { free(f); }
#endif

static inline void replace(void *context, uint32_t at, uint64_t i) {
  Frame **table = context, *f = frame_new();
  if (!f) out_of_memory();
  f->header = SLOTS;
#pragma GCC unroll 8
  for (int s = 0; s < SLOTS; s++) f->slots[s] = i + (unsigned)s;
  frame_free(table[at]);
  table[at] = f;
}
static void *context(void) { return table; }
#endif

/* Noinline, so that each memory manager gets a loop of its own shape. */
static __attribute__((noinline)) void run_fifo(uint32_t live, uint64_t frames) {
  uint32_t at = 0;
  void *c = context();
  for (uint64_t i = 0; i < frames; i++) {
    replace(c, at, i);
    if (++at == live) at = 0;
  }
}

static __attribute__((noinline)) void run_random(uint32_t live, uint64_t frames) {
  uint64_t seed = 88172645463325252u;
  void *c = context();
  for (uint64_t i = 0; i < frames; i++)
    replace(c, (uint32_t)((next_random(&seed) >> 32) * live >> 32), i);
}

int main(int argc, char **argv) {
  bool random = argc > 1 && !strcmp(argv[1], "random");
  uint32_t live = argc > 2 ? (uint32_t)atoi(argv[2]) : LIVE;
  void (*run)(uint32_t, uint64_t) = random ? run_random : run_fifo;
  open_table(live);
  run(live, FRAMES / 4);
  double start = cpu_now();
  run(live, FRAMES);
  printf("%.2f %.1f\n", (cpu_now() - start) * 1e9 / FRAMES, peak_mb());
  backend_report();
  return 0;
}
