/* Rollback equality of whole programs. A program is made at random: pieces of source text that run
 * in a session, and between them snapshots, rollbacks and releases, with collections of all kinds,
 * exceptions, fibers, attempts and handles of the language's own in between. After each rollback
 * every page in use and all metadata are what they were when the snapshot was taken, and what ran
 * then does the same when it runs again.
 *
 *   walks    snapshots are taken, gone back to and released in any order; some nest 50 deep
 *   orders   every tree of four snapshots below the first, gone to and left in every order
 *
 * Many programs run in one VM, one after the other: each begins, and ends, by going back to the
 * first snapshot. How many ran is printed ("ran: ..."), and must be enough. ROUNDS=N in the
 * environment: so many walks. */
#include "gc_programs.h"

#include "gc/snapshot.h"
#include "runtime/run.h"
#include "runtime/snapshot.h"
#include "runtime/str.h"
#include "sanitized.h"

#ifdef SANITIZED
enum { WALKS = 60, EVERY_ORDER = 41 }; /* one order in so many */
#else
enum { WALKS = 3000, EVERY_ORDER = 1 };
#endif
enum { STATES = 64, PER_VM = 20, STRESS_EVERY = 25, DEEP_EVERY = 15, DEEP = 55 };
enum { NODES = 5, TREES = 24, ORDERS = 120 };

static const char setup[] =
    "import memory, queue, weak, random\n"
    "class P { x = 0; near = nil; fn init(x) { self.x = x }; fn twice() => self.x * 2 }\n"
    "class Q : P { fn twice() => super.twice() + 1 }\n"
    "let xs = []; let m = {}; let f = nil; let heap = queue.Heap(); let p = P(1); let n = 0\n"
    "let w = weak.map(); let keys = []; let s = nil; let text = \"\"\n"
    "random.seed(7)\n"
    "fn deep(k) { if k > 0 { return 1 + deep(k - 1) }; throw error(\"deep\") }\n"
    "fn maker() { let c = 0; return fn() { c += 1; return c } }\n"
    "let counters = [maker()]\n"
    "fn walk() { let i = 0; while true { yield [i, \"${i}\"]; i += 1 } }\n"
    "fn failing() { try { yield 1; throw error(\"in a fiber\") } finally { n += 1 } }\n"
    "fn trim() { while len(xs) > 150 { xs.pop() }; if len(m) > 80 { m.clear() } }\n"
    "fn look() {\n"
    "  let a = 0; for k, v in m { a = (a * 31 + len(str(k))) % 1000003 }\n"
    "  return \"${len(xs)} ${len(m)} ${a} ${n} ${p.twice()} ${len(heap)} ${len(text)} "
    "${len(counters)} \" +\n"
    "    \"${keys.map(fn(k) => w.get(k))} ${xs[..20]}\"\n"
    "}";

/* %d: a random number below 60. What they do depends on the state alone. */
static const char *const pieces[] = {
    "for i in 0..%d { xs.push([i, \"s${i}\", {k: i}]) }",
    "while len(xs) > %d { xs.pop() }",
    "for i in 0..%d { m[i %% 37] = P(i) }",
    "for i in 0..%d { m[\"name ${n} ${i}\"] = i }; trim()", /* strings are interned */
    "m[\"key %d\"] = xs.copy(); n += 1",
    "if len(m) > 0 { m.remove([...m][%d %% len(m)]) }",
    "f = fiber(walk); for i in 0..(%d %% 20) { f.next() }",
    "if f != nil { n += f.next()[0] + %d }",
    "let g = fiber(failing); g.next(); try { g.next() } catch e { n += len(e.message) + %d }",
    "try { deep(%d) } catch e { n += len(e.message) }",
    "throw error(\"%d\")",
    "try { xs[%d + 1000] } catch e { xs.push([n, e.kind]) } finally { n += 2 }",
    "p.near = P(%d); p = p.near; if n %% 5 == 0 { p.near = p }",
    "p = Q(%d); n += p.twice()",
    "counters.push(maker()); for c in counters { n += c() + %d }; if len(counters) > 9 { counters "
    "= [] }",
    "heap.push(%d); if len(heap) > 20 { heap.pop(); heap.pop() }",
    "xs = xs.map(fn(x) => x).sorted(fn(a, b) => a[0] - b[0])[..%d]",
    "text = \"ab\".repeat(%d * 40); text = text + text[3..]",
    "for i in 0..%d { text += str(i) }; if len(text) > 3000 { text = \"\" }",
    "for i in 0..(%d %% 9) { let k = [i]; keys.push(k); w[k] = [i, k[0]] }; keys = keys[..12]",
    "for i in 0..%d { w[[i]] = xs }",
    "if len(keys) > 0 { w[keys[0]] = %d; keys = keys[1..] }",
    "n += random.int(0, 1000) + %d",
    "let big = 1 << 60; xs.push([n, big + %d, 0.5 * n])",
    "memory.collect(); n += %d",
    "let r = attempt(fn() { xs.push([%d]); throw error(\"no\") }); n += 1",
    "let r = attempt(fn() { n += 1; attempt(fn() { m.clear(); throw error(\"in\") }); m[n] = %d; "
    "return n })",
    "s = snapshot(); if s.turn < 2 { xs.push([n, %d]); restore(s, s.turn) }; n += s.turn + s.value",
    "if s != nil and s.is_usable() { s.release() }; s = nil; n += %d",
};
enum { KINDS = sizeof pieces / sizeof *pieces };

/* A snapshot, and what ran from there on when it was new. */
typedef struct State {
  GcSnapshot id;
  uint64_t hash, seed;
  uint64_t seen; /* what the program said of itself afterwards; 0: has not run yet */
  uint32_t depth;
} State;

typedef struct Count {
  uint64_t programs, restored, repeated, thrown, collected, released;
  uint32_t deepest;
} Count;

typedef struct Run {
  ox_VM *vm;
  uint64_t rng;
  State at[STATES]; /* at[0]: the first one */
  uint32_t n, now;  /* now: the one that the heap comes from */
  bool moved;       /* and is no more */
  Count count;
} Run;

/* ---- parts of programs ---- */

static Value eval(Run *r, const char *text) {
  Value v = V_NIL;
  VmText diags = {0};
  VmStatus status = vm_eval(r->vm, "<random>", text, strlen(text), &v, &diags, NULL);
  CHECK(status == VM_OK || status == VM_THROWN, "%s: %s", text, diags.data);
  if (status == VM_THROWN) error_take(r->vm), r->count.thrown++;
  vm_text_free(&diags);
  return v;
}

static void run(Run *r, const char *text) {
  eval(r, text);
  vm_roots_reset(r->vm, 0);
}

/* But for what is left of the budget, which is not undone. */
static uint64_t hash(Run *r) {
  uint64_t fuel = r->vm->st->fuel;
  r->vm->st->fuel = 0;
  uint64_t h = hash_heap(r->vm->gc);
  r->vm->st->fuel = fuel;
  return h;
}

/* The variables, as the program sees them. */
static uint64_t seen(Run *r) {
  Value v = eval(r, "look()");
  CHECK(v_is_string(v), "the program cannot look at itself");
  const String *text = string_flat(r->vm, v);
  uint64_t h = hash_text(text->chars, text->h.aux);
  vm_roots_reset(r->vm, 0);
  return h;
}

/* Collections of any kind, at any point of those under way. */
static void collect_some(Run *r) {
  Gc *gc = r->vm->gc;
  r->count.collected++;
  switch (below(&r->rng, 6)) {
    case 0: gc_collect(gc); break;
    case 1: gc_collect_young(gc); break;
    case 2: collect_due(gc); break;
    default: collect_step(gc); break;
  }
}

static void run_pieces(Run *r, uint64_t seed) {
  char text[256];
  for (unsigned left = 1 + (unsigned)below(&seed, 3); left; left--) {
    snprintf(text, sizeof text, pieces[below(&seed, KINDS)], (int)below(&seed, 60));
    run(r, text);
    if (below(&r->rng, 3) == 0) collect_some(r);
  }
  r->moved = true;
}

/* What follows a snapshot, the same each time. */
static void go_on(Run *r) {
  State *s = r->at + r->now;
  bool again = !r->moved;
  run_pieces(r, again ? s->seed : next_random(&r->rng) | 1);
  uint64_t now = seen(r);
  if (!again) return;
  CHECK(!s->seen || s->seen == now, "the same program does something else");
  r->count.repeated += s->seen != 0;
  s->seen = now;
}

static void keep(Run *r) {
  GcSnapshot id = vm_snapshot(r->vm);
  CHECK(id != 0);
  uint32_t depth = r->n ? r->at[r->now].depth + 1 : 0;
  r->now = r->n++;
  r->moved = false;
  r->at[r->now] = (State){id, hash(r), next_random(&r->rng) | 1, 0, depth};
  if (depth > r->count.deepest) r->count.deepest = depth;
}

static void go_to(Run *r, uint32_t i) {
  CHECK(vm_restore(r->vm, r->at[i].id) == GC_SNAPSHOT_OK);
  CHECK(hash(r) == r->at[i].hash, "a restored heap differs");
  r->now = i;
  r->moved = false;
  r->count.restored++;
}

/* Not the one that the heap comes from: its place is taken by the last. */
static void forget(Run *r, uint32_t i) {
  gc_snapshot_release(r->vm->gc, r->at[i].id);
  r->at[i] = r->at[--r->n];
  if (r->now == r->n) r->now = i;
  r->count.released++;
}

static uint32_t any_but_first(Run *r) { return 1 + (uint32_t)below(&r->rng, r->n - 1); }

/* ---- walks ---- */

static void walk_step(Run *r) {
  go_on(r);
  unsigned what = (unsigned)below(&r->rng, 10);
  if (r->n < STATES && what != 3) keep(r);
  if (what >= 7) go_to(r, (uint32_t)below(&r->rng, r->n));
  if (what >= 8 && r->n > 2) {
    uint32_t i = any_but_first(r);
    if (i != r->now) forget(r, i);
  }
}

/* So many snapshots one below the other. */
static void dive(Run *r) {
  while (r->n < DEEP) {
    go_on(r);
    keep(r);
  }
}

static void end_program(Run *r) {
  while (r->n > 1) {
    uint32_t i = any_but_first(r);
    go_to(r, i);
    if (below(&r->rng, 2)) go_on(r);
    if (below(&r->rng, 2)) go_to(r, 0);
    forget(r, i);
    r->now = 0; /* the heap may come from one that is released */
    go_to(r, 0);
  }
  r->count.programs++;
}

static void walk(Run *r, uint64_t seed) {
  r->rng = seed * 2654435761u + 1;
  r->at[0].seed = next_random(&r->rng) | 1;
  r->at[0].seen = 0;
  go_to(r, 0);
  if (seed % DEEP_EVERY == 0) dive(r);
  for (unsigned steps = 4 + (unsigned)below(&r->rng, 12); steps; steps--) walk_step(r);
  end_program(r);
}

/* ---- every order ---- */

/* The n-th order of 0 .. count - 1. */
static void order_of(unsigned n, unsigned count, uint32_t *order) {
  for (unsigned i = 0; i < count; i++) order[i] = i;
  for (unsigned i = count; i > 1; n /= i, i--) {
    uint32_t at = n % i, last = order[i - 1];
    order[i - 1] = order[at];
    order[at] = last;
  }
}

/* Each state below one that was there before it: `tree` says which. */
static void grow_tree(Run *r, unsigned tree) {
  for (unsigned i = 1; i < NODES; tree /= i, i++) {
    go_to(r, tree % i);
    go_on(r);
    keep(r);
  }
}

/* Gone to in one order, released in another; those that are left are whole after each. */
static void one_order(Run *r, unsigned tree, unsigned n) {
  uint32_t order[NODES];
  GcSnapshot last[NODES];
  r->rng = (tree * ORDERS + n) * 2654435761u + 1;
  r->at[0].seed = next_random(&r->rng) | 1;
  r->at[0].seen = 0;
  grow_tree(r, tree);
  order_of(n, NODES, order);
  for (unsigned i = 0; i < NODES; i++) {
    go_to(r, order[i]);
    if (i % 2 == n % 2) go_on(r);
  }
  for (unsigned i = 0; i < NODES; i++) last[i] = r->at[i].id;
  for (unsigned i = 0; i < NODES; i++) {
    uint32_t at = 1;
    while (at < r->n && r->at[at].id != last[order[(i + 2) % NODES]]) at++;
    if (at >= r->n) continue; /* the first one stays */
    forget(r, at);
    r->now = 0;
    go_to(r, (uint32_t)below(&r->rng, r->n));
  }
  go_to(r, 0);
  r->count.programs++;
}

/* ---- all ---- */

static void open_run(Run *r, unsigned i) {
  VmConfig config = {.cage_bytes = 24 << 20, .gc_mode = (GcMode)(i % 5)};
  if (i % STRESS_EVERY == STRESS_EVERY - 1) config.gc_stress_seed = i;
  r->vm = vm_new(&config);
  CHECK(r->vm != NULL);
  r->n = r->now = 0;
  r->rng = i + 1;
  run(r, setup);
  keep(r);
}

static void close_run(Run *r) {
  run(r, "memory.collect()"); /* and with it what no handle is left of */
  gc_snapshot_release(r->vm->gc, r->at[0].id);
  GcSnapshotStats stats;
  gc_snapshot_stats(r->vm->gc, &stats);
  CHECK(stats.log_pages == 0 && stats.snapshots == 0, "pages of the log are leaked");
  verify(r->vm->gc);
  vm_free(r->vm);
}

static void report(const char *what, const Count *c) {
  printf("ran: %lu programs (%s), %lu rollbacks, %lu runs repeated, %lu collections, %lu errors "
         "thrown, "
         "%lu releases, %u deep\n",
         c->programs, what, c->restored, c->repeated, c->collected, c->thrown, c->released,
         c->deepest);
  fflush(stdout);
}

Test(rollback, walks, .timeout = 600) {
  const char *more = getenv("ROUNDS");
  uint64_t rounds = more ? strtoull(more, NULL, 10) : WALKS;
  Run r = {0};
  for (uint64_t i = 0; i < rounds; i++) {
    if (i % PER_VM == 0) open_run(&r, (unsigned)(i / PER_VM));
    walk(&r, i + 1);
    if (i % PER_VM == PER_VM - 1 || i + 1 == rounds) close_run(&r);
  }
  report("walks", &r.count);
  cr_assert(r.count.programs == rounds && rounds > 0 && r.count.restored > 15 * rounds);
  cr_assert(rounds < DEEP_EVERY || r.count.deepest > 50);
  cr_assert(r.count.repeated > rounds && r.count.collected > rounds && r.count.thrown > rounds / 2);
}

Test(rollback, orders, .timeout = 600) {
  Run r = {0};
  for (unsigned tree = 0; tree < TREES; tree++) {
    open_run(&r, tree);
    for (unsigned n = tree % EVERY_ORDER; n < ORDERS; n += EVERY_ORDER) one_order(&r, tree, n);
    close_run(&r);
  }
  report("every order", &r.count);
  cr_assert(r.count.programs >= TREES * (uint64_t)(ORDERS / EVERY_ORDER));
  cr_assert(r.count.restored > 8 * r.count.programs);
}
