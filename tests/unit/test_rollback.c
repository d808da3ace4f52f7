/* Rollback equality of whole programs: random pieces of source text run in a session between
 * snapshots that are taken and restored in any order, nested to depth 50 and more, with collections,
 * exceptions, fibers and closures in between. After each restore every page in use and all metadata
 * are what they were. ROUNDS=N in the environment: more of them. */
#include "gc_programs.h"
#include <sys/wait.h>
#include <unistd.h>

#include "gc/snapshot.h"
#include "runtime/run.h"
#include "runtime/snapshot.h"

enum { STATES = 64, STEPS = 150, PIECES = 3 };

static const char setup[] =
    "import memory, queue\n"
    "class P { x = 0; near = nil; fn init(x) { self.x = x }; fn twice() => self.x * 2 }\n"
    "let xs = []; let m = {}; let f = nil; let heap = queue.Heap(); let p = P(1); let n = 0\n"
    "fn deep(k) { if k > 0 { return 1 + deep(k - 1) }; throw error(\"deep\") }\n"
    "fn maker() { let c = 0; return fn() { c += 1; return c } }\n"
    "let counters = [maker()]\n"
    "fn walk() { let i = 0; while true { yield [i, \"${i}\"]; i += 1 } }";

/* %d: a random number. */
static const char *const pieces[] = {
    "for i in 0..%d { xs.push([i, \"s${i}\", {k: i}]) }",
    "while len(xs) > %d { xs.pop() }",
    "for i in 0..%d { m[i %% 37] = P(i) }",
    "m[\"key %d\"] = xs.copy(); n += 1",
    "if len(m) > 0 { m.remove([...m][%d %% len(m)]) }",
    "f = fiber(walk); for i in 0..(%d %% 20) { f.next() }",
    "if f != nil { n += f.next()[0] + %d }",
    "try { deep(%d) } catch e { n += len(e.message) }",
    "throw error(\"%d\")",
    "p.near = P(%d); p = p.near; if n %% 5 == 0 { p.near = p }",
    "counters.push(maker()); for c in counters { n += c() + %d }",
    "heap.push(%d); if len(heap) > 20 { heap.pop(); heap.pop() }",
    "xs = xs.map(fn(x) => x).sorted(fn(a, b) => a[0] - b[0])[..%d]",
    "let t = \"ab\".repeat(%d * 40); m.text = t + t[3..]",
    "memory.collect(); n += %d",
    "let r = attempt(fn() { xs.push([%d]); throw error(\"no\") }); n += 1",
};
enum { KINDS = sizeof pieces / sizeof *pieces };

typedef struct Run {
  ox_VM *vm;
  uint64_t rng;
  GcSnapshot ids[STATES];
  uint64_t hashes[STATES];
  uint32_t n, deepest, restored, differ;
} Run;

static void eval(Run *r, const char *text) {
  Value ignored;
  VmText diags = {0};
  VmStatus status = vm_eval(r->vm, "<random>", text, strlen(text), &ignored, &diags, NULL);
  cr_assert(status == VM_OK || status == VM_THROWN, "%s: %s", text, diags.data);
  if (status == VM_THROWN) error_take(r->vm);
  vm_roots_reset(r->vm, 0);
  vm_text_free(&diags);
}

/* But for what is left of the budget, which is not undone. */
static uint64_t hash(Run *r) {
  uint64_t fuel = r->vm->st->fuel;
  r->vm->st->fuel = 0;
  uint64_t h = hash_heap(r->vm->gc);
  r->vm->st->fuel = fuel;
  return h;
}

static void run_pieces(Run *r) {
  char text[256];
  for (int i = 0; i < PIECES; i++) {
    snprintf(text, sizeof text, pieces[below(&r->rng, KINDS)], (int)below(&r->rng, 60));
    eval(r, text);
  }
}

static void keep(Run *r) {
  GcSnapshot id = vm_snapshot(r->vm);
  cr_assert(id != 0);
  r->ids[r->n] = id;
  r->hashes[r->n++] = hash(r);
  if (r->n > r->deepest) r->deepest = r->n;
}

static void forget(Run *r, uint32_t i) {
  gc_snapshot_release(r->vm->gc, r->ids[i]);
  r->ids[i] = r->ids[--r->n];
  r->hashes[i] = r->hashes[r->n];
}

static void go_back(Run *r) {
  uint32_t i = below(&r->rng, r->n);
  cr_assert(vm_restore(r->vm, r->ids[i]) == GC_SNAPSHOT_OK);
  r->differ += hash(r) != r->hashes[i];
  r->restored++;
}

static void step(Run *r) {
  run_pieces(r);
  unsigned what = below(&r->rng, 10);
  if (what < 6 && r->n < STATES) keep(r);
  else if (what < 8 && r->n) go_back(r);
  else if (what == 8 && r->n > 50) forget(r, below(&r->rng, r->n));
}

static Run one_program(uint64_t seed, SnapshotBug bug) {
  VmConfig config = {.cage_bytes = 32 << 20, .gc_mode = (GcMode)(seed % 5)};
  Run r = {.vm = vm_new(&config), .rng = seed * 2654435761u + 1};
  cr_assert(r.vm != NULL);
  eval(&r, setup);
  keep(&r);
  snapshot_set_bug(r.vm->gc, bug);
  for (int i = 0; i < STEPS && (!bug || !r.differ); i++) step(&r);
  if (bug && r.differ) _exit(1);
  while (r.n) {
    go_back(&r);
    forget(&r, below(&r.rng, r.n));
  }
  vm_free(r.vm);
  return r;
}

Test(rollback, restored_programs_are_equal) {
  const char *more = getenv("ROUNDS");
  uint64_t rounds = more ? strtoull(more, NULL, 10) : 12;
  uint32_t restored = 0, deepest = 0;
  for (uint64_t seed = 1; seed <= rounds; seed++) {
    Run r = one_program(seed, SNAPSHOT_SOUND);
    cr_assert_eq(r.differ, 0, "seed %lu: %u restored states differ", (unsigned long)seed, r.differ);
    restored += r.restored;
    if (r.deepest > deepest) deepest = r.deepest;
  }
  cr_assert(restored > 50 * rounds && deepest >= 50, "%u %u", restored, deepest);
}

/* In a process of its own: a heap that was not restored may well crash it, which is found, too. */
static bool finds(SnapshotBug bug, uint64_t seed) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(2);
    alarm(20);
    one_program(seed, bug);
    _exit(0);
  }
  cr_assert(child > 0 && waitpid(child, &status, 0) == child);
  return status != 0;
}

Test(rollback, planted_mistakes_are_found) {
  for (int bug = SNAPSHOT_SOUND + 1; bug < SNAPSHOT_BUGS; bug++) {
    bool found = false;
    for (uint64_t seed = 1; seed <= 5 && !found; seed++) found = finds((SnapshotBug)bug, seed);
    cr_expect(found, "bug %d is not noticed", bug);
  }
  cr_expect(!finds(SNAPSHOT_SOUND, 1));
}
