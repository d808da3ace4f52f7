/* backend.h - one face for the memory managers that bench/gc compares: our gc/ (the default), Boehm
 * (-DUSE_BOEHM, through its inline free lists, with -DTYPED told where the pointers are), malloc and
 * free (-DUSE_MALLOC: glibc's, or whatever is linked or preloaded instead).
 *
 * A tree node has two children and a word of data. Ours are precise, so their holders on the C
 * stack are pushed on a shadow stack; the others need nothing of the kind.
 */
#ifndef BENCH_BACKEND_H
#define BENCH_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double clock_of(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static inline double cpu_now(void) { return clock_of(CLOCK_PROCESS_CPUTIME_ID); }

static inline uint64_t ns_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The largest resident set of this program (getrusage would begin with that of its parent). */
static inline double peak_mb(void) {
  FILE *f = fopen("/proc/self/status", "r");
  char line[256];
  double kb = 0;
  while (f && !kb && fgets(line, sizeof line, f)) sscanf(line, "VmHWM: %lf", &kb);
  if (f) fclose(f);
  return kb / 1024;
}

static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static inline void out_of_memory(void) {
  fputs("out of memory\n", stderr);
  exit(1);
}

#if defined(USE_BOEHM) /* ---------------------------------------------------------------- Boehm */

#define GC_THREADS
#include <gc/gc.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>
#include <gc/gc_typed.h>

#define BACKEND "boehm"
typedef struct Node { struct Node *left, *right; uint64_t data; } Node, *NodeRef;
static void *tiny[GC_TINY_FREELISTS];
static int block_kind = GC_I_NORMAL;

static inline void *block_new(size_t bytes) {
  void *p;
  size_t granules = GC_WORDS_TO_WHOLE_GRANULES((bytes + 7) / 8);
  GC_FAST_MALLOC_GRANS(p, granules, tiny, 0, block_kind, GC_malloc(bytes),
                       *(void **)p = NULL);
  if (!p) out_of_memory();
  return p;
}
/* With -DTYPED small blocks are of a kind of their own: their first two words are pointers, no others
 * are looked at. */
static inline void backend_open(void) {
  GC_set_all_interior_pointers(0);
  GC_INIT();
#ifdef TYPED
  GC_word pointers = 3;
  GC_descr d = GC_make_descriptor(&pointers, 2);
  block_kind = (int)GC_new_kind(GC_new_free_list(), d, 0, 1);
#endif
}
static inline NodeRef node_new(NodeRef left, NodeRef right) {
  NodeRef n = block_new(sizeof(Node));
  n->left = left;
  n->right = right;
  n->data = 0;
  return n;
}
static inline void *raw_new(size_t bytes) { return GC_malloc_atomic(bytes); }
#define keep(n) ((void)(n))
static inline void unkeep(unsigned n) { (void)n; }
static inline void tree_free(NodeRef n) { (void)n; }

#elif defined(USE_MALLOC) /* ----------------------------------------------------- malloc, free */

#define BACKEND "malloc"
typedef struct Node { struct Node *left, *right; uint64_t data; } Node, *NodeRef;

static inline void backend_open(void) {}
static inline NodeRef node_new(NodeRef left, NodeRef right) {
  NodeRef n = malloc(sizeof(Node));
  if (!n) out_of_memory();
  n->left = left;
  n->right = right;
  n->data = 0;
  return n;
}
static inline void *raw_new(size_t bytes) { return malloc(bytes); }
#define keep(n) ((void)(n))
static inline void unkeep(unsigned n) { (void)n; }
static inline void tree_free(NodeRef n) {
  if (n->left) tree_free(n->left);
  if (n->right) tree_free(n->right);
  free(n);
}

#else /* ---------------------------------------------------------------------------------- ours */

#include "gc/heap.h"

#define BACKEND "oxbow"
#define OURS 1
typedef uint32_t NodeRef;
typedef struct Node { Header h; NodeRef left, right; uint64_t data; } Node;

static struct { Gc *gc; uint8_t *base; uint32_t shadow[4096], top; } heap;

static inline Node *node_at(NodeRef n) { return gc_ptr(heap.base, (Ref){n}); }
#define LEFT(n) (node_at(n)->left)
#define RIGHT(n) (node_at(n)->right)

static inline void mark_shadow(Gc *gc, void *embedder) {
  (void)embedder;
  for (uint32_t i = 0; i < heap.top; i++) gc_mark_ref(gc, (Ref){heap.shadow[i]});
}
static inline void backend_open_with(GcConfig config) {
  config.mark_roots = mark_shadow;
  config.notes_stacks = true; /* there are none */
  heap.gc = gc_new(&config);
  if (!heap.gc) out_of_memory();
  heap.base = gc_base(heap.gc);
}
static inline void backend_open(void) { backend_open_with((GcConfig){0}); }
/* With STATS set in the environment, what the collector says of itself. */
static inline void backend_report(void) {
  GcStats s;
  gc_stats(heap.gc, &s);
  if (!getenv("STATS")) return;
  fprintf(stderr, "%llu minor, %llu major collections, %.1f ms in all\n",
          (unsigned long long)s.minors, (unsigned long long)s.majors, (double)s.collect_ns_total / 1e6);
  fprintf(stderr, "%llu stops: p50 %.1f us, p99 %.1f us, p99.9 %.1f us, longest %.1f us\n",
          (unsigned long long)s.pauses, (double)s.pause_ns_p50 / 1e3, (double)s.pause_ns_p99 / 1e3,
          (double)s.pause_ns_p999 / 1e3, (double)s.collect_ns_max / 1e3);
  fprintf(stderr, "peak %.1f MB, %.1f MB handed out\n", (double)s.peak_bytes / 1048576,
          (double)s.allocated_bytes / 1048576);
}
static inline void keep(NodeRef n) { heap.shadow[heap.top++] = n; }
static inline void unkeep(unsigned n) { heap.top -= n; }

static inline void *block_new(uint64_t words) {
  void *p = gc_bump(heap.base, GC_SPACE_OBJECT, gc_class_of_words[words]);
  if (__builtin_expect(!p, 0) && !(p = gc_alloc(heap.gc, words, GC_SPACE_OBJECT))) out_of_memory();
  return p;
}
/* A row of references, 0 at first. */
static inline uint32_t cells_new(uint64_t n) {
  Header *h = gc_alloc(heap.gc, n + 1, GC_SPACE_OBJECT);
  if (!h) out_of_memory();
  *h = (Header){.layout = LAYOUT_WIDE, .aux = (uint32_t)n};
  memset(h + 1, 0, n * 8);
  return gc_ref(heap.base, h).w;
}
static inline void cells_put(uint32_t cells, uint64_t i, uint32_t what) {
  gc_store(heap.base, (uint64_t)cells + 1 + i, (uint64_t)VALUE_REF_HIGH << 48 | what);
}
/* The children must be kept, if they are not 0. */
static inline NodeRef node_new(NodeRef left, NodeRef right) {
  Node *n = block_new(sizeof(Node) / 8);
  n->h = (Header){.layout = LAYOUT_VALUES | LAYOUT_PAIRS(1)};
  n->left = left;
  n->right = right;
  n->data = 0;
  return gc_ref(heap.base, n).w;
}
static inline void *raw_new(size_t bytes) {
  Header *h = gc_alloc(heap.gc, bytes / 8 + 1, GC_SPACE_OBJECT);
  if (!h) out_of_memory();
  *h = (Header){.layout = LAYOUT_RAW};
  keep(gc_ref(heap.base, h).w);
  return h + 1;
}
static inline void set_left(NodeRef n, NodeRef to) {
  gc_touch(heap.base, (uint64_t)n + 1);
  LEFT(n) = to;
}
static inline void set_right(NodeRef n, NodeRef to) {
  gc_touch(heap.base, (uint64_t)n + 1);
  RIGHT(n) = to;
}
static inline void tree_free(NodeRef n) { (void)n; }

#endif

#ifndef OURS
static inline void backend_report(void) {}
#define LEFT(n) ((n)->left)
#define RIGHT(n) ((n)->right)
static inline void set_left(NodeRef n, NodeRef to) { LEFT(n) = to; }
static inline void set_right(NodeRef n, NodeRef to) { RIGHT(n) = to; }
#endif

#endif
