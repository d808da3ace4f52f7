/* The collector against a model graph: what it keeps must be exactly what the model can reach. */
#include "gc/bits.h"
#include "gc/cage.h"
#include "gc/collect.h"
#include "gc/slab.h"
#include "gc_helpers.h"

/* ---- random graphs --------------------------------------------------------------------------- */

enum { NODES = 3000, MAX_EDGES = 2200, ROOTS = 24 };

/* Where a node's references lie. */
enum Shape { PLAIN, PAIRED, AUX_PLAIN, AUX_RAW, WIDE, STACK, WEAK, KEYED, SHAPES };

typedef struct Node {
  uint32_t ref; /* 0: no such node now */
  uint8_t shape;
  /* Edges [strong, edges) are weak. Of a keyed node all are: keys and values in turn. */
  uint32_t edges, strong;
  uint32_t *to;           /* node numbers + 1, 0: none */
  bool reached, by_key; /* by_key: no strong edges lead there */
  bool gone; /* its object was freed */
} Node;

typedef struct Graph {
  Gc *gc;
  Node node[NODES];
  uint32_t root[ROOTS]; /* node numbers + 1 */
  uint64_t rng;
  bool no_barrier; /* a planted bug */
  uint32_t list[NODES], listed; /* the reachable nodes */
} Graph;

static uint32_t ref_of(Graph *g, uint32_t to) { return to ? g->node[to - 1].ref : 0; }
static Value value_of(Graph *g, uint32_t to) { return to ? ref_value(ref_of(g, to)) : NIL; }

static void store_edge(Graph *g, uint64_t word, uint32_t to) {
  if (g->no_barrier) ((Value *)gc_base(g->gc))[word] = value_of(g, to);
  else gc_store(gc_base(g->gc), word, value_of(g, to));
}

/* Of a keyed node: how many keys it has, dead ones that were not cleared yet included. */
static void count_keys(Graph *g, Node *n) {
  uint64_t *p = block_at(g->gc, n->ref), count = 0;
  for (uint32_t i = 0; i < n->edges; i += 2) count += p[2 + i] >> 48 == VALUE_REF_HIGH;
  gc_touch(gc_base(g->gc), (uint64_t)n->ref + 1);
  p[1] = count;
}

/* Writes edge i of a node to its object. */
static void write_edge(Graph *g, Node *n, uint32_t i) {
  uint64_t *p = block_at(g->gc, n->ref), word = n->ref;
  uint32_t to = ref_of(g, n->to[i]);
  Header *h = (Header *)p;
  if (n->shape == STACK) { /* no barrier, but perhaps a note */
    if (g->gc->config.notes_stacks) gc_note_stack(gc_base(g->gc), (Ref){n->ref});
    p[2 + i] = value_of(g, n->to[i]);
    return;
  }
  if (!g->no_barrier) gc_touch(gc_base(g->gc), word);
  switch (n->shape) {
    case AUX_PLAIN:
    case AUX_RAW:
      if (i == 0) h->aux = to;
      else store_edge(g, word + i, n->to[i]);
      return;
    case PAIRED:
      if (!g->no_barrier) gc_touch(gc_base(g->gc), word + 1 + i / 2);
      if (i < 4) ((uint32_t *)(p + 1))[i] = to;
      else store_edge(g, word + i - 1, n->to[i]);
      return;
    case KEYED:
      store_edge(g, word + 2 + i, n->to[i]);
      if (i % 2 == 0) count_keys(g, n);
      return;
    default: store_edge(g, word + 1 + i, n->to[i]); return;
  }
}

static uint32_t edges_for(Graph *g, unsigned shape) {
  uint32_t few = (uint32_t)below(&g->rng, 12);
  switch (shape) {
    case PAIRED: return 4 + few;
    case AUX_PLAIN: return 1 + few;
    case AUX_RAW: return 1;
    case WIDE:
    case STACK: return below(&g->rng, 40) ? few : (uint32_t)below(&g->rng, MAX_EDGES);
    case KEYED: return 2 * (below(&g->rng, 40) ? few : (uint32_t)below(&g->rng, MAX_EDGES / 2));
    default: return few;
  }
}

/* Words of the object with `edges` edges, slack included. */
static Header header_for(Graph *g, Node *n, uint64_t *words) {
  uint32_t e = n->edges, spare = (uint32_t)below(&g->rng, 5);
  switch (n->shape) {
    case PAIRED: *words = e - 1; return (Header){1, LAYOUT_PAIRS(2), (uint16_t)(e - 4), 9};
    case AUX_PLAIN: *words = e; return (Header){2, LAYOUT_AUX_REF, (uint16_t)(e - 1), 0};
    case AUX_RAW: *words = 1 + spare; return (Header){3, LAYOUT_RAW | LAYOUT_AUX_REF, 7, 0};
    case WIDE: *words = 1 + e; return (Header){4, LAYOUT_WIDE, 0, e};
    case STACK: *words = 2 + e + spare; return (Header){5, LAYOUT_STACK, 0, e + spare};
    case KEYED: *words = 2 + e; return (Header){7, LAYOUT_WIDE | LAYOUT_KEYED, 0, 1 + e};
    case WEAK: *words = 1 + e; return (Header){6, LAYOUT_WEAK, (uint16_t)e, 0};
    default: *words = 1 + e + spare; return (Header){0, LAYOUT_VALUES, (uint16_t)e, 77};
  }
}

/* A reachable node by number + 1, 0 where there are none. */
static uint32_t any_reached(Graph *g) {
  uint32_t i = g->listed ? g->list[below(&g->rng, g->listed)] + 1 : 0;
  if (i && g->node[i - 1].by_key) gc_revive(g->gc, (Ref){g->node[i - 1].ref});
  return i;
}

/* Gives an edge of a node in the model. Without a key there is no value. */
static void point_edge(Node *n, uint32_t e, uint32_t to) {
  n->to[e] = to;
  if (n->shape == KEYED && !n->to[e & ~1u]) n->to[e | 1] = 0;
}

static bool make_node(Graph *g, Node *n) {
  uint64_t words;
  n->shape = (uint8_t)below(&g->rng, SHAPES);
  n->edges = edges_for(g, n->shape);
  n->strong = n->shape == WEAK || n->shape == KEYED ? 0 : n->edges;
  Header h = header_for(g, n, &words);
  uint64_t *p = gc_alloc(g->gc, words, below(&g->rng, 4) == 0);
  if (!p) return false;
  for (uint64_t i = 1; i < words; i++) p[i] = ref_value(0x7FFFFF); /* raw, in disguise */
  *(Header *)p = h;
  if (n->shape == STACK) p[1] = n->edges;
  n->ref = gc_ref(gc_base(g->gc), p).w;
  n->to = realloc(n->to, (n->edges + 1) * sizeof *n->to);
  memset(n->to, 0, (n->edges + 1) * sizeof *n->to);
  if (n->shape == KEYED) p[1] = 0;
  for (uint32_t i = 0; i < n->edges; i++) {
    point_edge(n, i, below(&g->rng, 3) ? 0 : any_reached(g));
    write_edge(g, n, i);
  }
  return true;
}

static bool reach_node(Graph *g, uint32_t to, bool by_key) {
  if (!to || g->node[to - 1].reached) return false;
  g->node[to - 1].reached = true;
  g->node[to - 1].by_key = by_key;
  g->list[g->listed++] = to - 1;
  return true;
}

/* Values whose keys and tables are reached. */
static bool reach_values(Graph *g) {
  bool any = false;
  for (uint32_t at = 0; at < g->listed; at++) {
    Node *n = &g->node[g->list[at]];
    for (uint32_t i = 0; n->shape == KEYED && i < n->edges; i += 2)
      if (n->to[i] && g->node[n->to[i] - 1].reached) any |= reach_node(g, n->to[i + 1], true);
  }
  return any;
}

static void reach(Graph *g) {
  for (uint32_t i = 0; i < g->listed; i++) g->node[g->list[i]].reached = false;
  g->listed = 0;
  for (uint32_t i = 0; i < ROOTS; i++) reach_node(g, g->root[i], false);
  bool by_key = false;
  uint32_t at = 0;
  do {
    for (; at < g->listed; at++) {
      Node *n = &g->node[g->list[at]];
      for (uint32_t i = 0; i < n->strong; i++) reach_node(g, n->to[i], by_key);
    }
  } while ((by_key = reach_values(g)));
}

/* Whether the object is there after the collection that has just marked. */
static bool survives(Graph *g, Node *n) {
  if (!n->ref || n->gone) return false;
  n->gone = !gc_is_marked(g->gc, (Ref){n->ref});
  CHECK(!n->gone || !n->reached, "a reachable object is not marked");
  return !n->gone;
}

/* The collector clears weak edges to dead objects, and the model follows. */
static void clear_weak(Gc *gc, void *embedder) {
  Graph *g = embedder;
  (void)gc;
  for (uint32_t i = 0; i < NODES; i++) {
    Node *n = &g->node[i];
    if (!survives(g, n)) continue;
    for (uint32_t e = n->strong; e < n->edges; e++) {
      uint32_t to = n->to[e];
      if (!to || survives(g, &g->node[to - 1])) continue;
      CHECK(n->shape == WEAK || e % 2 == 0 || !n->to[e - 1], "a value died before its key");
      point_edge(n, e, 0);
    }
  }
}

/* As if the embedder had tables that take many slices. */
static bool hold_purge(Gc *gc, void *embedder, uint64_t places) {
  Graph *g = embedder;
  (void)gc;
  return places == UINT64_MAX || below(&g->rng, 8) == 0;
}

static void mark_graph_roots(Gc *gc, void *embedder) {
  Graph *g = embedder;
  for (uint32_t i = 0; i < ROOTS; i += 2) gc_mark_value(gc, value_of(g, g->root[i]));
}

static void set_root(Graph *g, uint32_t i, uint32_t to) {
  g->root[i] = to;
  /* Odd roots lie in the root area, even ones with the embedder. */
  if (i % 2) gc_store(gc_base(g->gc), GC_ROOT_OFF / 8 + 500 + i, value_of(g, to));
}

typedef struct Census {
  Graph *g;
  uint64_t blocks, unknown;
  uint8_t *known; /* by ref: 1 reachable */
} Census;

static void check_known(void *ctx, void *block, uint64_t words) {
  Census *c = ctx;
  (void)words;
  c->blocks++;
  c->unknown += !c->known[gc_ref(gc_base(c->g->gc), block).w];
}

/* Everything the model reaches is there, intact, and nothing else is. */
static void compare(Graph *g) {
  reach(g);
  gc_collect(g->gc);
  Census c = {g, 0, 0, calloc(g->gc->config.cage_bytes / 8, 1)};
  uint64_t reached = 0;
  for (uint32_t i = 0; i < NODES; i++) {
    Node *n = &g->node[i];
    if (!n->reached) n->ref = 0, n->gone = false;
    if (!n->ref) continue;
    c.known[n->ref] = 1;
    reached++;
  }
  gc_each(g->gc, check_known, &c);
  CHECK(c.unknown == 0 && c.blocks == reached, "%u kept, %u reachable", (unsigned)c.blocks,
        (unsigned)reached);
  for (uint32_t i = 0; i < NODES; i++)
    for (uint32_t e = 0; g->node[i].ref && e < g->node[i].edges; e++)
      CHECK(!g->node[i].to[e] || ref_of(g, g->node[i].to[e]), "an edge to a dead node");
  free(c.known);
}

/* What the objects hold is what the model says. */
static void check_contents(Graph *g) {
  for (uint32_t i = 0; i < NODES; i++) {
    Node *n = &g->node[i];
    if (!n->ref || !n->reached) continue;
    const uint64_t *p = block_at(g->gc, n->ref);
    for (uint32_t e = 0; e < n->edges; e++) {
      uint32_t to = ref_of(g, n->to[e]), got;
      if (!to && n->strong == 0 && g->gc->purge) continue; /* not cleared yet, maybe */
      bool in_header = e == 0 && (n->shape == AUX_PLAIN || n->shape == AUX_RAW);
      if (n->shape == KEYED) got = p[2 + e] >> 48 == VALUE_REF_HIGH ? (uint32_t)p[2 + e] : 0;
      else if (in_header) got = ((const Header *)p)->aux;
      else if (n->shape == PAIRED) got = e < 4 ? ((const uint32_t *)(p + 1))[e] : (uint32_t)p[e - 1];
      else got = (uint32_t)p[e + (n->shape == STACK ? 2 : n->shape == AUX_PLAIN ? 0 : 1)];
      CHECK(got == to, "edge %u of a node of shape %u", e, n->shape);
    }
    uint64_t keys = 0;
    for (uint32_t e = 0; e < n->edges; e += 2) keys += n->to[e] != 0;
    CHECK(n->shape != KEYED || p[1] == keys || g->gc->purge, "the count of keys is wrong");
  }
}

static void set_edge(Graph *g, Node *n, uint32_t to) {
  uint32_t e = (uint32_t)below(&g->rng, n->edges);
  point_edge(n, e, to);
  write_edge(g, n, e);
  if (n->shape == KEYED) write_edge(g, n, e | 1);
}

static void change_edge(Graph *g) {
  uint32_t from = any_reached(g);
  if (!from || !g->node[from - 1].edges) return;
  set_edge(g, &g->node[from - 1], below(&g->rng, 3) ? any_reached(g) : 0);
}

/* A new object is hung somewhere at once, so that it is never lost between two allocations. */
static void grow(Graph *g) {
  uint32_t i = (uint32_t)below(&g->rng, NODES);
  Node *n = &g->node[i];
  if (n->ref || !make_node(g, n)) return;
  uint32_t from = any_reached(g);
  if (from && g->node[from - 1].strong && below(&g->rng, 16)) set_edge(g, &g->node[from - 1], i + 1);
  else set_root(g, (uint32_t)below(&g->rng, ROOTS), i + 1);
  reach(g);
}

/* Makes a wide object longer where it lies, as a list does. */
static void extend_node(Graph *g) {
  uint32_t at = any_reached(g), more = 1 + (uint32_t)below(&g->rng, 400);
  Node *n = at ? &g->node[at - 1] : NULL;
  if (!n || n->shape != WIDE || !n->edges) return;
  Header *h = (Header *)block_at(g->gc, n->ref);
  if (!gc_extend(g->gc, h, 1 + (uint64_t)n->edges + more)) return;
  gc_touch(gc_base(g->gc), n->ref);
  gc_touch_range(gc_base(g->gc), (uint64_t)n->ref + 1 + n->edges, more);
  h->aux += more;
  n->to = realloc(n->to, (n->edges + more) * sizeof *n->to);
  for (; n->strong < h->aux; n->strong++, n->edges++) {
    n->to[n->strong] = below(&g->rng, 3) ? 0 : any_reached(g);
    ((Value *)h)[1 + n->strong] = value_of(g, n->to[n->strong]);
  }
}

/* Only nodes reached at the last look may be used: others may be gone any time. */
static void run_graph(uint64_t seed, uint32_t rounds, uint32_t steps, GcMode mode, bool stress) {
  Graph *g = calloc(1, sizeof *g);
  g->rng = seed;
  g->gc = gc_new(&(GcConfig){.cage_bytes = 32 << 20, .embedder = g, .stress = stress, .mode = mode,
                             .mark_roots = mark_graph_roots, .after_mark = clear_weak});
  for (uint32_t round = 0; round < rounds; round++) {
    for (uint32_t s = 0; s < steps; s++) {
      if (below(&g->rng, 2)) grow(g);
      else change_edge(g), reach(g);
    }
    verify(g->gc);
    compare(g);
  }
  for (uint32_t i = 0; i < NODES; i++) free(g->node[i].to);
  gc_free(g->gc);
  free(g);
}

static void believe(Gc *gc, uint32_t vain) {
  gc->heap->policy.work = POLICY_SMALL_WORK;
  gc->heap->policy.vain = vain;
  gc->heap->policy.fulls = 0;
}

/* When marking begins alone: no store to a page where old blocks start goes unseen, swept or not.
 */
static void check_all_armed(Gc *gc) {
  CHECK(gc->dirty_count == 0, "pages stay dirty");
  for (uint64_t page = gc->heap->first_page; page < gc->top_page; page++) {
    uint64_t word = word_of_page(page), end = word + GC_PAGE_WORDS;
    bool old = cage_is_committed(gc, page) && bits_next(gc->marks, word, end) < end;
    CHECK(!old || gc->states[page] & PAGE_OLD, "page %lu is not armed", (unsigned long)page);
  }
}

/* Anything a collector may be at between two allocations. With `alone` the policy believes, nearly
 * always, that the heap is large and minor collections are in vain. */
static void disturb(Graph *g, bool alone) {
  Gc *gc = g->gc;
  bool waits = gc->phase == PHASE_CLEARED;
  uint64_t minors = gc->minors;
  if (alone) believe(gc, below(&g->rng, 8) ? POLICY_VAIN : 0);
  switch (below(&g->rng, 8)) {
    case 0: gc_collect_young(gc); break;
    case 1: gc->heap->policy.old_limit = 0; break; /* a major one is due */
    case 2: case 3: collect_due(gc); break;
    default: collect_step(gc); break;
  }
  if (waits && gc->phase == PHASE_MARK && gc->minors == minors) check_all_armed(gc);
}

static void free_graph(Graph *g) {
  for (uint32_t i = 0; i < NODES; i++) free(g->node[i].to);
  gc_free(g->gc);
  free(g);
}

/* Mutation between the steps of collections. */
static void run_generations(uint64_t seed, GcMode mode, bool notes, bool alone, bool stress) {
  Graph *g = calloc(1, sizeof *g);
  g->rng = seed;
  g->gc = gc_new(&(GcConfig){.cage_bytes = 32 << 20, .embedder = g, .mode = mode, .stress = stress,
                             .notes_stacks = notes, .mark_roots = mark_graph_roots,
                             .after_mark = clear_weak,
                             .purge = seed % 3 ? hold_purge : NULL});
  if (seed & 1) g->gc->round_words = 200; /* minor collections in many steps */
  for (uint32_t round = 0; round < 12; round++) {
    for (uint32_t s = 0; s < 400; s++) {
      if (below(&g->rng, 3) == 0) grow(g);
      else change_edge(g), reach(g);
      if (below(&g->rng, 8) == 0) extend_node(g), reach(g);
      if (below(&g->rng, 6) == 0) disturb(g, alone);
      if (s % 16 == 0) verify(g->gc);
    }
    check_contents(g);
    if (round % 4 == 3) compare(g);
  }
  if (mode == GC_INCREMENTAL && !stress) cr_assert(g->gc->majors > 8);
  if (mode == GC_INCREMENTAL && !stress && !alone) cr_assert(g->gc->minors > 30);
  free_graph(g);
}

Test(gc_collect, generations, .timeout = 300) {
  for (uint64_t seed = 1; seed <= 6; seed++)
    for (GcMode mode = GC_ADAPTIVE; mode <= GC_INCREMENTAL; mode++)
      run_generations(seed * 88172645463325253u, mode, seed % 4 < 2, false, seed == 6);
}

/* The same where major collections begin and end without minor ones. */
Test(gc_collect, majors_alone, .timeout = 300) {
  for (uint64_t seed = 1; seed <= 8; seed++) {
    run_generations(seed * 88172645463325257u, GC_ADAPTIVE, true, true, seed == 8);
    run_generations(seed * 88172645463325259u, GC_INCREMENTAL, true, true, seed == 8);
  }
}

/* A list of blocks that fills so many slabs that not all are swept at once; all are young. */
static Gc *many_slabs(void) {
  enum { SLABS = 400, WORDS = 60 };
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 128 << 20, .mode = GC_OFF, .notes_stacks = true});
  for (uint32_t at, before = 0, slabs = 0; slabs < SLABS; before = at) {
    at = new_wide(gc, WORDS);
    cr_assert(at != 0);
    if (before) gc_store(gc_base(gc), at + 1, ref_value(before));
    slabs += !before || span_of_word(gc, at) != span_of_word(gc, before);
    root_area(gc)[0] = ref_value(at);
  }
  gc_set_mode(gc, GC_INCREMENTAL);
  return gc;
}

/* A minor collection in vain is given up: all is old then, and its pages are armed, swept or not.
 */
Test(gc_collect, given_up_is_armed) {
  Gc *gc = many_slabs();
  believe(gc, 0);
  gc->heap->policy.old_limit = UINT64_MAX;
  slab_close_runs(gc); /* takes back what is counted and not handed out */
  gc->heap->policy.debt = 0;
  gc->round_words = 200;
  collect_due(gc);
  cr_assert(gc->rounds == 0 && gc->heap->late != 0 && !gc->heap->young);
  check_all_armed(gc);
  verify(gc);
  gc_free(gc);
}

Test(gc_collect, majors_alone_arm_all) {
  Gc *gc = many_slabs();
  gc->heap->policy.old_limit = 0;
  for (unsigned i = 0; i < 100 && gc->phase != PHASE_MARK; i++) {
    believe(gc, POLICY_VAIN);
    gc->phase == PHASE_IDLE ? collect_due(gc) : collect_step(gc);
  }
  cr_assert(gc->phase == PHASE_MARK && gc->minors == 0);
  check_all_armed(gc);
  verify(gc);
  gc_free(gc);
}

/* A forgotten barrier is found by the checker: nearly at once, from any seed. */
Test(gc_collect, missing_barriers_are_found, .timeout = 300) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    Graph *g = calloc(1, sizeof *g);
    g->rng = seed * 88172645463325252u;
    g->gc = gc_new(&(GcConfig){.cage_bytes = 32 << 20, .embedder = g, .mode = GC_INCREMENTAL,
                               .mark_roots = mark_graph_roots, .after_mark = clear_weak});
    for (uint32_t s = 0; s < 300; s++) grow(g);
    gc_collect(g->gc);
    verify(g->gc);
    g->no_barrier = true;
    bool noticed = false;
    for (uint32_t s = 0; s < 100 && !noticed; s++) {
      grow(g);
      for (uint32_t i = 0; i < 4; i++) change_edge(g), reach(g);
      noticed = gc_verify(g->gc, NULL) != NULL;
    }
    cr_assert(noticed, "seed %d", (int)seed);
    free_graph(g);
  }
}

static void finish_steps(Gc *gc) {
  for (int i = 0; gc->phase != PHASE_IDLE && i < 1000; i++) {
    collect_step(gc);
    gc_collect_young(gc);
  }
  cr_assert(gc->phase == PHASE_IDLE);
}

/* The same while a major collection marks: a reference is moved to where it will not look again. */
Test(gc_collect, lost_objects_are_found) {
  for (int planted = 0; planted < 2; planted++) {
    Gc *gc = gc_new(&(GcConfig){.mode = GC_INCREMENTAL});
    uint32_t from = new_wide(gc, 600), hidden = new_wide(gc, 5);
    root_area(gc)[0] = ref_value(from);
    block_at(gc, from)[1] = ref_value(hidden);
    gc_collect(gc);
    gc->heap->policy.old_limit = 0;
    collect_due(gc);
    cr_assert(gc->phase == PHASE_CLEAR);
    collect_step(gc);
    cr_assert(gc->phase == PHASE_CLEARED);
    gc_collect_young(gc);
    cr_assert(gc->phase == PHASE_MARK);
    root_area(gc)[1] = ref_value(hidden);
    if (planted) block_at(gc, from)[1] = NIL;
    else gc_store(gc_base(gc), (uint64_t)from + 1, NIL);
    finish_steps(gc);
    cr_assert(!planted == !gc_verify(gc, NULL));
    gc_free(gc);
  }
}

/* What is released by hand before the major collection has scanned it is kept, since what it holds may
 * be held by young blocks alone; raw and scanned blocks are not. */
Test(gc_collect, released_while_marking) {
  Gc *gc = gc_new(&(GcConfig){.mode = GC_INCREMENTAL});
  uint32_t old = new_wide(gc, 600), held = new_wide(gc, 5);
  root_area(gc)[0] = ref_value(old);
  block_at(gc, old)[1] = ref_value(held);
  gc_collect(gc);
  gc->heap->policy.old_limit = 0;
  collect_due(gc);
  collect_step(gc);
  gc_collect_young(gc);
  cr_assert(gc->phase == PHASE_MARK);
  uint64_t *p = gc_alloc_nocollect(gc, 700, GC_SPACE_OBJECT);
  *(Header *)p = (Header){.n = 1};
  p[1] = ref_value(held);
  uint32_t new = gc_ref(gc_base(gc), p).w;
  root_area(gc)[0] = ref_value(new);
  gc_release(gc, block_at(gc, old));
  cr_assert_eq(count_blocks(gc), 3);
  finish_steps(gc);
  verify(gc);
  cr_assert_eq(count_blocks(gc), 3, "kept for once");
  gc_collect(gc);
  cr_assert_eq(count_blocks(gc), 2);
  cr_assert(block_at(gc, new)[1] == ref_value(held));
  gc_free(gc);
}

/* A weak reference that is read while a major collection marks. */
Test(gc_collect, revived_while_marking) {
  for (int revive = 0; revive < 2; revive++) {
    Gc *gc = gc_new(&(GcConfig){.mode = GC_INCREMENTAL});
    uint32_t old = new_wide(gc, 600);
    root_area(gc)[0] = ref_value(old);
    gc_collect(gc);
    root_area(gc)[0] = NIL;
    gc->heap->policy.old_limit = 0;
    collect_due(gc);
    collect_step(gc);
    gc_collect_young(gc);
    cr_assert(gc->phase == PHASE_MARK);
    if (revive) gc_revive(gc, (Ref){old});
    finish_steps(gc);
    verify(gc);
    cr_assert_eq(count_blocks(gc), (uint64_t)revive);
    gc_free(gc);
  }
}

Test(gc_collect, random_graphs, .timeout = 300) {
  for (uint64_t seed = 1; seed <= 4; seed++)
    for (GcMode mode = GC_ADAPTIVE; mode <= GC_INCREMENTAL; mode++)
      run_graph(seed * 88172645463325252u, 40, 400, mode, false);
}

Test(gc_collect, random_graphs_under_stress, .timeout = 300) {
  for (GcMode mode = GC_ADAPTIVE; mode <= GC_INCREMENTAL; mode++)
    run_graph(12345678901u, 10, 300, mode, true);
}

/* ---- single shapes --------------------------------------------------------------------------- */

/* A list of `length` cells of four words, hung on the first root. */
static void build_list(Gc *gc, uint64_t length) {
  for (uint64_t i = 0; i < length; i++) {
    uint64_t *p = gc_alloc(gc, 3, GC_SPACE_FRAME);
    cr_assert_not_null(p);
    *(Header *)p = (Header){.n = 2};
    p[1] = root_area(gc)[0];
    p[2] = i;
    gc_store(gc_base(gc), GC_ROOT_OFF / 8, ref_value(gc_ref(gc_base(gc), p).w));
  }
}

static uint64_t list_length(Gc *gc) {
  uint64_t n = 0;
  for (Value v = root_area(gc)[0]; v >> 48 == VALUE_REF_HIGH; v = block_at(gc, (uint32_t)v)[1]) n++;
  return n;
}

Test(gc_collect, deep_list) {
  Gc *gc = gc_new(&(GcConfig){0});
  build_list(gc, 1000000);
  gc_collect(gc);
  cr_assert(list_length(gc) == 1000000 && count_blocks(gc) == 1000000);
  root_area(gc)[0] = NIL;
  gc_collect(gc);
  cr_assert(count_blocks(gc) == 0 && gc->heap->used_pages == 0);
  gc_free(gc);
}

Test(gc_collect, wide_objects) {
  Gc *gc = gc_new(&(GcConfig){0});
  enum { LENGTH = 1000000 };
  uint32_t wide = new_wide(gc, LENGTH + 1);
  cr_assert(wide != 0);
  root_area(gc)[0] = ref_value(wide);
  for (uint64_t i = 0; i < LENGTH; i++) {
    uint64_t *p = gc_alloc(gc, 2, GC_SPACE_OBJECT);
    *(Header *)p = (Header){.layout = LAYOUT_RAW};
    p[1] = i;
    gc_store(gc_base(gc), (uint64_t)wide + 1 + i, ref_value(gc_ref(gc_base(gc), p).w));
  }
  gc_collect(gc);
  cr_assert(count_blocks(gc) == LENGTH + 1);
  for (uint64_t i = 0; i < LENGTH; i++)
    CHECK(block_at(gc, (uint32_t)block_at(gc, wide)[1 + i])[1] == i);
  verify(gc);
  gc_free(gc);
}

/* The part of a stack above `used` is cleared, so that it cannot show stale references later. */
Test(gc_collect, stacks_are_cleared_above_their_top) {
  Gc *gc = gc_new(&(GcConfig){0});
  uint64_t *p = gc_alloc(gc, 4002, GC_SPACE_OBJECT);
  *(Header *)p = (Header){.layout = LAYOUT_STACK, .aux = 4000};
  p[1] = 1500;
  uint32_t stack = gc_ref(gc_base(gc), p).w;
  for (int i = 0; i < 4000; i++) p[2 + i] = NIL;
  root_area(gc)[3] = ref_value(stack);
  for (int i = 0; i < 4000; i++) {
    uint64_t *q = gc_alloc_nocollect(gc, 2, GC_SPACE_OBJECT);
    *(Header *)q = (Header){.layout = LAYOUT_RAW};
    p[2 + i] = ref_value(gc_ref(gc_base(gc), q).w);
  }
  gc_collect(gc);
  cr_assert(count_blocks(gc) == 1501);
  for (int i = 1500; i < 4000; i++) CHECK(p[2 + i] == NIL);
  verify(gc);
  gc_free(gc);
}

/* ---- finalizers ------------------------------------------------------------------------------ */

typedef struct Finals { uint32_t told[3000], count; } Finals;

static void tell(Gc *gc, void *embedder, Ref object) {
  Finals *f = embedder;
  uint64_t *p = gc_ptr(gc_base(gc), object);
  CHECK(p[1] < 3000, "the object is not readable");
  f->told[p[1]]++;
  f->count++;
}

static uint32_t new_final(Gc *gc, uint64_t number) {
  uint64_t *p = gc_alloc(gc, 2, GC_SPACE_OBJECT);
  *(Header *)p = (Header){.layout = LAYOUT_RAW | LAYOUT_FINAL};
  p[1] = number;
  Ref object = gc_ref(gc_base(gc), p);
  cr_assert(gc_add_final(gc, object));
  return object.w;
}

Test(gc_collect, finalizers_run_once) {
  Finals f = {.count = 0};
  for (int stress = 0; stress < 2; stress++) {
    memset(&f, 0, sizeof f);
    Gc *gc = gc_new(&(GcConfig){.embedder = &f, .finalize = tell, .stress = stress});
    uint32_t total = stress ? 200 : 3000;
    uint32_t kept = new_wide(gc, total / 3 + 2);
    root_area(gc)[0] = ref_value(kept);
    for (uint32_t i = 0; i < total; i++) {
      uint32_t ref = new_final(gc, i);
      if (i % 3 == 0) gc_store(gc_base(gc), (uint64_t)kept + 1 + i / 3, ref_value(ref));
    }
    gc_collect(gc);
    gc_collect(gc);
    verify(gc);
    for (uint32_t i = 0; i < total; i++) CHECK(f.told[i] == (i % 3 != 0), "%u", i);
    gc_free(gc); /* the rest */
    for (uint32_t i = 0; i < total; i++) CHECK(f.told[i] == 1, "%u", i);
  }
}

/* ---- limits and policy ----------------------------------------------------------------------- */

/* Objects of each size until memory is out; all is well afterwards, and everything comes back. */
Test(gc_collect, exhaustion_and_recovery) {
  static const uint64_t sizes[] = {2, 6, 64, 65, 500, 4096, 5000, 30000};
  Gc *gc = gc_new(&(GcConfig){.limit_bytes = 3 << 20});
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      uint64_t bytes = 0;
      for (uint32_t ref; (ref = new_wide(gc, sizes[i])) != 0;) {
        if (sizes[i] > 1) block_at(gc, ref)[1] = root_area(gc)[0];
        root_area(gc)[0] = ref_value(ref);
        bytes += sizes[i] * 8;
      }
      cr_assert(bytes > (3 << 20) * 3 / 4, "%d words: full at %d", (int)sizes[i], (int)bytes);
      GcStats s;
      gc_stats(gc, &s);
      cr_assert(s.peak_bytes <= s.limit_bytes);
      verify(gc);
      root_area(gc)[0] = NIL;
      gc_collect(gc);
      gc_stats(gc, &s);
      cr_assert(s.committed_bytes == 0 && s.live_bytes == 0);
    }
  }
  gc_free(gc);
}

/* A heap that is nearly full collects a bounded number of times before it gives up. */
Test(gc_collect, no_crawling_at_the_limit) {
  Gc *gc = gc_new(&(GcConfig){.limit_bytes = 16 << 20});
  GcStats before, after;
  while (new_wide(gc, 6)) {
    uint64_t *p = gc_alloc(gc, 6, GC_SPACE_OBJECT);
    if (!p) break;
    *(Header *)p = (Header){.n = 5};
    p[1] = root_area(gc)[0];
    p[2] = p[3] = p[4] = p[5] = NIL;
    root_area(gc)[0] = ref_value(gc_ref(gc_base(gc), p).w);
  }
  gc_stats(gc, &before);
  for (int i = 0; i < 100; i++) {
    uint32_t ref = new_wide(gc, 6);
    if (ref) block_at(gc, ref)[1] = root_area(gc)[0], root_area(gc)[0] = ref_value(ref);
  }
  gc_stats(gc, &after);
  cr_assert(before.collections < 200, "%d", (int)before.collections);
  cr_assert(after.collections - before.collections <= 120);
  gc_free(gc);
}

Test(gc_collect, external_bytes_count) {
  Gc *gc = gc_new(&(GcConfig){.limit_bytes = 8 << 20});
  GcStats s;
  cr_assert(gc_external(gc, 5 << 20) && !gc_external(gc, 4 << 20) && gc_external(gc, 3 << 20));
  cr_assert(!gc_external(gc, 1) && gc_alloc(gc, 2, 0) == NULL, "all is taken");
  cr_assert(!gc_external(gc, INT64_MAX));
  gc_stats(gc, &s);
  cr_assert(s.external_bytes == 8 << 20 && s.peak_bytes == 8 << 20);
  cr_assert(gc_external(gc, -(8 << 20)) && gc_external(gc, INT64_MIN));
  gc_stats(gc, &s);
  cr_assert(s.external_bytes == 0);
  cr_assert(gc_alloc(gc, 2, 0) != NULL);
  /* What is given back at once makes no collection due; what is held does. */
  gc_collect(gc); /* the budget follows what is alive: nothing */
  gc_stats(gc, &s);
  uint64_t collections = s.collections;
  for (int i = 0; i < 40; i++) {
    gc_external(gc, 1 << 19);
    gc_alloc(gc, 2, 0);
    gc_external(gc, -(1 << 19));
  }
  gc_stats(gc, &s);
  cr_assert(s.collections == collections);
  collections = s.collections;
  for (int i = 0; i < 6; i++) {
    cr_assert(gc_external(gc, 1 << 20));
    gc_alloc(gc, 2, 0);
  }
  gc_stats(gc, &s);
  cr_assert(s.collections > collections);
  gc_free(gc);
}

/* Frames that die young never make the heap grow. */
Test(gc_collect, garbage_stays_bounded) {
  Gc *gc = gc_new(&(GcConfig){0});
  for (int i = 0; i < 3000000; i++) {
    uint64_t *p = gc_bump(gc_base(gc), GC_SPACE_FRAME, gc_class_of_words[6]);
    if (!p) p = gc_alloc(gc, 6, GC_SPACE_FRAME);
    *(Header *)p = (Header){.n = 0};
    root_area(gc)[i % 32] = ref_value(gc_ref(gc_base(gc), p).w);
  }
  GcStats s;
  gc_stats(gc, &s);
  cr_assert(s.peak_bytes < 6 << 20 && s.collections > 20 && s.allocated_bytes >= 3000000 * 48);
  verify(gc);
  gc_free(gc);
}
