/* mark.c - how fast a full mark is: a binary tree of 48-byte objects, a heap of 1 GB, laid out in
 * one of four orders.
 *
 *   bf         breadth-first: siblings and levels lie together
 *   df         depth-first: a node's first child follows it
 *   runs       breadth-first in runs of 64 objects, the runs shuffled
 *   shuffled   each object anywhere
 *
 *   mark ORDER [MB]    prints "MILLION-OBJECTS-PER-SECOND", the best of three collections
 */
#include "backend.h"

enum { RUN = 64, ROUNDS = 3 };

#ifdef OURS
typedef struct Object { Header h; Value child[2]; uint64_t data[3]; } Object;
typedef uint32_t ObjectRef;
static ObjectRef object_new(void) {
  Object *o = gc_alloc_nocollect(heap.gc, sizeof *o / 8, GC_SPACE_OBJECT);
  if (!o) out_of_memory();
  *o = (Object){.h = {.n = 2}};
  return gc_ref(heap.base, o).w;
}
static void link_child(ObjectRef o, int which, ObjectRef child) {
  uint64_t word = (uint64_t)o + 1 + (uint64_t)which;
  gc_store(heap.base, word, (uint64_t)VALUE_REF_HIGH << 48 | child);
}
static void open_heap(void) {
  backend_open_with((GcConfig){.cage_bytes = (uint64_t)8 << 30});
}
static void set_root(ObjectRef o) { keep(o); }
static void collect(void) { gc_collect(heap.gc); }
#else
typedef struct Object { struct Object *child[2]; uint64_t data[4]; } Object, *ObjectRef;
static ObjectRef volatile root;
static ObjectRef object_new(void) { return block_new(sizeof(Object)); }
static void link_child(ObjectRef o, int which, ObjectRef child) { o->child[which] = child; }
static void open_heap(void) {
  backend_open();
  GC_disable();
}
static void set_root(ObjectRef o) {
  root = o;
  GC_enable();
}
static void collect(void) { GC_gcollect(); }
#endif

/* place[i]: where node i of the tree (children 2i+1 and 2i+2) lies among the objects. */
static void place_depth_first(uint32_t *place, uint32_t n) {
  uint32_t stack[64], top = 0, at = 0;
  stack[top++] = 0;
  while (top) {
    uint32_t i = stack[--top];
    place[i] = at++;
    if (2 * (uint64_t)i + 2 < n) stack[top++] = 2 * i + 2;
    if (2 * (uint64_t)i + 1 < n) stack[top++] = 2 * i + 1;
  }
}

static void place_shuffled(uint32_t *place, uint32_t n, uint32_t run) {
  uint64_t seed = 88172645463325252u;
  uint32_t runs = n / run;
  for (uint32_t i = 0; i < n; i++) place[i] = i;
  for (uint32_t i = runs; i > 1; i--) {
    uint32_t j = (uint32_t)(next_random(&seed) % i);
    for (uint32_t k = 0; k < run; k++) {
      uint32_t *a = place + (i - 1) * run + k, *b = place + j * run + k, was = *a;
      *a = *b;
      *b = was;
    }
  }
}

static void build(const char *order, uint32_t n) {
  ObjectRef *objects = malloc(n * sizeof *objects);
  uint32_t *place = malloc(n * sizeof *place);
  if (!objects || !place) out_of_memory();
  for (uint32_t i = 0; i < n; i++) objects[i] = object_new();
  if (!strcmp(order, "df")) place_depth_first(place, n);
  else place_shuffled(place, n, !strcmp(order, "shuffled") ? 1 : !strcmp(order, "runs") ? RUN : n);
  for (uint32_t i = 1; i < n; i++)
    link_child(objects[place[(i - 1) / 2]], (int)(i - 1) % 2, objects[place[i]]);
  set_root(objects[place[0]]);
  free(objects);
  free(place);
}

int main(int argc, char **argv) {
  const char *order = argc > 1 ? argv[1] : "bf";
  uint32_t n = (uint32_t)(((uint64_t)(argc > 2 ? atoi(argv[2]) : 1024) << 20) / 48);
  open_heap();
  build(order, n);
  double best = 1e9;
  for (int i = 0; i < ROUNDS; i++) {
    double start = cpu_now();
    collect();
    double took = cpu_now() - start;
    if (took < best) best = took;
  }
  printf("%.1f\n", n / best * 1e-6);
  return 0;
}
