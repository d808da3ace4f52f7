/* Forks through the C API: what they have of their parent, what stays behind, and whose end is
 * whose. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <oxbow.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static ox_Status run(ox_VM *vm, const char *text, ox_Value *out) {
  return ox_eval(vm, text, strlen(text), "test", out);
}

static long long number(ox_VM *vm, const char *text) {
  ox_Value out;
  ox_Scope scope = ox_scope_open(vm);
  ox_Status status = run(vm, text, &out);
  cr_assert_eq(status, OX_OK, "%s: %s", text, status == OX_OK ? "" : ox_error(vm)->report);
  long long n = ox_as_int(vm, out);
  ox_scope_close(vm, scope);
  return n;
}

static ox_VM *forked(ox_VM *vm) {
  ox_VM *child;
  cr_assert_eq(ox_fork(vm, &child), OX_OK);
  cr_assert_not_null(child);
  return child;
}

static void fails_with(ox_VM *vm, const char *text, const char *part) {
  cr_assert_eq(run(vm, text, NULL), OX_THROWN, "%s: did not throw", text);
  const char *message = ox_error(vm)->message;
  cr_assert(strstr(message, part) != NULL, "%s: %s", text, message);
}

Test(fork, both_go_on) {
  ox_VM *vm = ox_new(NULL);
  run(vm, "let xs = [1, 2, 3]; fn total() { return xs.reduce(fn(a, b) => a + b) }", NULL);
  ox_VM *child = forked(vm);
  cr_assert_eq(number(child, "xs.push(10); total()"), 16);
  cr_assert_eq(number(vm, "xs.push(1); total()"), 7);
  ox_VM *grandchild = forked(child);
  cr_assert_eq(number(child, "xs.push(100); total()"), 116);
  ox_free(vm);
  cr_assert_eq(number(grandchild, "total()"), 16);
  ox_free(child);
  cr_assert_eq(number(grandchild, "xs.push(3); let y = 5; total() + y"), 24);
  cr_assert_null(ox_verify(grandchild));
  ox_free(grandchild);
}

Test(fork, values_mean_the_same) {
  ox_VM *vm = ox_new(NULL);
  ox_Value handler, list, out;
  run(vm, "fn(x) => x * 2", &handler);
  run(vm, "[5]", &list);
  cr_assert(ox_pin(vm, handler));
  ox_VM *child = forked(vm);
  ox_Value arg = ox_int(child, 21);
  cr_assert_eq(ox_call(child, handler, 1, &arg, &out), OX_OK);
  cr_assert_eq(ox_as_int(child, out), 42);
  cr_assert_eq(ox_push(child, list, arg), OX_OK);
  cr_assert_eq(ox_length(child, list), 2);
  cr_assert_eq(ox_length(vm, list), 1);
  ox_free(child);
  ox_unpin(vm, handler);
  ox_free(vm);
}

static int calls, ends;
static ox_Value count_call(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)argc, (void)argv;
  ++*(int *)context;
  return ox_int(vm, *(int *)context);
}
static void count_end(void *context) { (void)context, ends++; }

Test(fork, functions_of_the_host) {
  ox_VM *vm = ox_new(NULL);
  ox_set(vm, "count", ox_function(vm, "count()", NULL, count_call, &calls, count_end));
  ox_VM *child = forked(vm);
  cr_assert_eq(number(vm, "count()"), 1);
  cr_assert_eq(number(child, "count()"), 2);
  ox_free(vm);
  cr_assert_eq(ends, 0);
  cr_assert_eq(number(child, "count()"), 3);
  ox_free(child);
  cr_assert_eq(ends, 1);
}

static void free_thing(void *object) { ++*(int *)object; }
static ox_Value look(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc, (void)argv, (void)self;
  return ox_int(vm, 7);
}
static const ox_Method thing_methods[] = {{"look(self)", NULL, look}, {NULL, NULL, NULL}};
static const ox_ForeignType thing = {sizeof(ox_ForeignType), "Thing", free_thing, thing_methods, NULL, NULL};

Test(fork, what_stays_behind) {
  int freed = 0, freed_too = 0;
  ox_VM *vm = ox_new(NULL);
  ox_set(vm, "thing", ox_foreign(vm, &thing, &freed));
  run(vm, "import fs\nimport regex\nlet f = fs.open(\"/dev/null\"); let s = snapshot()\n"
          "let re = regex.compile(\"a+\"); re.match(\"caat\")", NULL);
  ox_VM *child = forked(vm);
  fails_with(child, "thing.look()", "belongs to another interpreter");
  fails_with(child, "f.read()", "belongs to another interpreter");
  fails_with(child, "restore(s, 1)", "snapshot of another interpreter");
  cr_assert_eq(number(child, "re.match(\"caat\").start"), 1);
  cr_assert_eq(number(child, "let c = snapshot(); if c.turn < 3 { restore(c, 1) }\nc.turn"), 3);
  ox_set(child, "own", ox_foreign(child, &thing, &freed_too));
  cr_assert_eq(number(child, "own.look()"), 7);
  cr_assert_eq(number(vm, "thing.look()"), 7);
  ox_free(child);
  cr_assert_eq(freed, 0);
  cr_assert_eq(freed_too, 1);
  ox_free(vm);
  cr_assert_eq(freed, 1);
}

static void *copy_thing(void *object) {
  int *copy = malloc(sizeof *copy);
  *copy = *(int *)object + 1;
  return copy;
}
static ox_Value read_thing(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc, (void)argv;
  return ox_int(vm, *(int *)self);
}
static const ox_Method copied_methods[] = {{"read(self)", NULL, read_thing}, {NULL, NULL, NULL}};
static const ox_ForeignType copied = {
    sizeof(ox_ForeignType), "Copied", free, copied_methods, NULL, copy_thing};

Test(fork, what_the_host_copies) {
  ox_VM *vm = ox_new(NULL);
  int *first = malloc(sizeof *first);
  *first = 1;
  ox_set(vm, "thing", ox_foreign(vm, &copied, first));
  ox_VM *child = forked(vm), *grandchild = forked(child);
  cr_assert_eq(number(vm, "thing.read()"), 1);
  ox_free(vm);
  cr_assert_eq(number(child, "thing.read()"), 2);
  ox_free(child);
  cr_assert_eq(number(grandchild, "thing.read()"), 3);
  ox_free(grandchild);
}

static ox_Status inner;
static ox_Value fork_inside(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  ox_VM *child = vm;
  (void)argc, (void)argv, (void)context;
  inner = ox_fork(vm, &child);
  return child ? ox_nil() : ox_bool(true);
}

Test(fork, between_calls_only) {
  ox_VM *vm = ox_new(NULL);
  ox_set(vm, "f", ox_function(vm, "f()", NULL, fork_inside, NULL, NULL));
  cr_assert_eq(number(vm, "if f() { 1 } else { 0 }"), 1);
  cr_assert_eq(inner, OX_MISUSE);
  ox_free(vm);
}

/* Limits are inherited; a fork's budget is its own. */
Test(fork, limits) {
  ox_Config config = ox_config();
  config.memory_limit = 8 << 20;
  config.fuel = 100000;
  ox_VM *vm = ox_new(&config);
  ox_VM *child = forked(vm);
  cr_assert_eq(run(child, "let xs = []; while true { xs.push([1, 2, 3, \"abc\"]) }", NULL),
               OX_NO_FUEL);
  ox_set_fuel(child, 0);
  cr_assert_eq(run(child, "let ys = []; while true { ys.push([1, 2, 3]) }", NULL), OX_NO_MEMORY);
  cr_assert_gt(ox_fuel(vm), 90000);
  ox_free(child);
  ox_free(vm);
}

/* A template, forked again and again: what one request did is not seen by the next, and memory is
 * the same after many of them. */
Test(fork, template) {
  ox_VM *vm = ox_new(NULL);
  run(vm, "import json\nlet seen = 0\nlet data = map(0..2000, fn(i) => {id: i})\n"
          "fn handle(q) { seen += 1; data.push(q); return len(data) * 10 + seen }", NULL);
  ox_ForkStats stats = {.size = sizeof stats};
  for (int i = 0; i < 300; i++) {
    ox_VM *child = forked(vm);
    cr_assert_eq(number(child, "handle(1)"), 20011);
    if (i % 50 == 0) ox_collect(child);
    if (i % 50 == 1) number(child, "let s = snapshot(); 1");
    ox_free(child);
  }
  ox_fork_stats(vm, &stats);
  cr_assert_eq(stats.forks, 300);
  cr_assert_eq(stats.whole, 1);
  cr_assert_eq(stats.idle, 1);
  cr_assert_eq(stats.alive, 0);
  cr_assert_lt(stats.last_copied, 100);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

static void *wake(void *arg) {
  long long n = number(arg, "data.push(1); seen += len(data); seen");
  return (void *)(intptr_t)n;
}

/* Many forks held at once, most of them unused for long: what they have is of the moment of the fork, on
 * whatever thread they are used first. */
Test(fork, held) {
  enum { HELD = 60 };
  ox_VM *vm = ox_new(NULL), *held[HELD];
  run(vm, "let seen = 5\nlet data = map(0..100, fn(i) => [i])", NULL);
  for (int i = 0; i < HELD; i++) held[i] = forked(vm);
  number(vm, "data.push(2); seen = 100; seen");
  for (int i = 0; i < HELD; i += 2) {
    pthread_t threads[2];
    void *n;
    if (i % 3 == 0) continue;
    for (int k = 0; k < 2; k++) pthread_create(threads + k, NULL, wake, held[i + k]);
    cr_assert_eq(number(vm, "seen"), 100);
    for (int k = 0; k < 2; k++) {
      pthread_join(threads[k], &n);
      cr_assert_eq((intptr_t)n, 106);
      cr_assert_null(ox_verify(held[i + k]));
    }
  }
  ox_ForkStats stats = {.size = sizeof stats};
  ox_fork_stats(vm, &stats);
  cr_assert_eq(stats.alive, HELD);
  ox_free(vm);
  for (int i = 0; i < HELD; i++) ox_free(held[i]);
}

static void *work(void *arg) {
  ox_VM *vm = arg;
  long long n = number(vm, "let out = []; for i in 0..3000 { out.push([i, \"${i}\"]) }\n"
                           "for x in out { shared.push(x) }; len(shared)");
  ox_free(vm);
  return (void *)(intptr_t)n;
}

Test(fork, threads) {
  enum { ROUNDS = 10, THREADS = 4 };
  ox_VM *vm = ox_new(NULL);
  run(vm, "let shared = map(0..1000, fn(i) => [i])", NULL);
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS];
    void *n;
    for (int i = 0; i < THREADS; i++) pthread_create(threads + i, NULL, work, forked(vm));
    cr_assert_eq(number(vm, "shared.push([1]); len(shared)"), 1001 + round);
    for (int i = 0; i < THREADS; i++) {
      pthread_join(threads[i], &n);
      cr_assert_eq((intptr_t)n, 4000 + round);
    }
  }
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

/* ---- tasks, as far as they are the host's business ------------------------------------------- */

Test(fork, tasks_of_a_host) {
  ox_Config config = ox_config();
  config.capabilities &= ~(uint32_t)OX_CAN_TASKS;
  ox_VM *vm = ox_new(&config);
  fails_with(vm, "fork(fn() => 1)", "the host does not allow `fork`");
  fails_with(vm, "parallel_map([1], fn(x) => x)", "the host does not allow `parallel_map`");
  fails_with(vm, "parallel_reduce([1, 2], fn(a, b) => a)", "the host does not allow");
  ox_free(vm);
  config = ox_config();
  config.max_tasks = 2;
  vm = ox_new(&config);
  int count = 0;
  ox_set(vm, "count", ox_function(vm, "count()", NULL, count_call, &count, NULL));
  fails_with(vm, "fork(fn() => count()).wait()", "cannot be called by a task");
  fails_with(vm, "let a = [fork(fn() { while true {} }), fork(fn() { while true {} })]; fork(fn() => 1)",
             "2 tasks run already");
  ox_free(vm);
  cr_assert_eq(count, 0);
  config.shared_functions = true;
  vm = ox_new(&config);
  ox_set(vm, "count", ox_function(vm, "count()", NULL, count_call, &count, NULL));
  cr_assert_eq(number(vm, "fork(fn() => count()).wait()"), 1);
  ox_free(vm);
}

static void *interrupt_soon(void *vm) {
  usleep(50000);
  ox_interrupt(vm);
  return NULL;
}

/* Budget, memory limit and interrupts of a program are those of its tasks, too. */
Test(fork, limits_of_tasks) {
  ox_Config config = ox_config();
  config.fuel = 300000;
  config.memory_limit = 16 << 20;
  ox_VM *vm = ox_new(&config);
  const char *spends[] = {
      "let ts = map(0..3, fn(i) => fork(fn() { while true {} })); ts[0].wait()",
      "let t = fork(fn() { while true {} }); while true { try { t.wait() } catch e { } }",
      "fork(fn() => fork(fn() { while true {} }).wait()).wait()",
      "try { parallel_map(0..4, fn(i) { while true {} }) } catch e { }",
      "let u = fork(fn() { while true {} }); while true {}"};
  for (int i = 0; i < 5; i++) {
    ox_set_fuel(vm, 300000 + 7 * i);
    cr_assert_eq(run(vm, spends[i], NULL), OX_NO_FUEL, "%s", spends[i]);
    cr_assert_eq(ox_fuel(vm), 0);
    usleep(20000); // whatever other tasks had drawn stays with them
    cr_assert_eq(ox_fuel(vm), 0);
  }
  ox_set_fuel(vm, 300000);
  cr_assert_eq(run(vm, "let old = fork(fn() { while true {} })", NULL), OX_OK);
  ox_set_fuel(vm, 400000);
  fails_with(vm, "old.wait()", "the task has used up its budget, which was an earlier one");
  cr_assert_gt(ox_fuel(vm), 390000);
  ox_free(vm);
  config.fuel = 0;
  vm = ox_new(&config);
  fails_with(vm, "try { fork(fn() { let xs = []; while true { xs.push([1, 2]) } }).wait() } "
                 "catch e { throw error(e.kind) }", "out of memory");
  const char *waits[] = {"fork(fn() { while true {} }).wait()", "parallel_map(0..4, fn(i) { while true {} })"};
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_soon, vm);
    cr_assert_eq(run(vm, waits[i], NULL), OX_INTERRUPTED);
    pthread_join(thread, NULL);
  }
  cr_assert_eq(number(vm, "fork(fn() => 7).wait()"), 7);
  ox_free(vm);
}

static long long committed(ox_VM *vm) {
  ox_Stats stats = {.size = sizeof stats};
  ox_collect(vm);
  ox_stats(vm, &stats);
  return (long long)stats.committed_bytes;
}

/* A program and its tasks count as one against the memory limit, each with what it takes: whoever
 * forks does not get more memory. */
Test(fork, memory_of_tasks) {
  ox_Config config = ox_config();
  config.memory_limit = 24 << 20;
  ox_VM *vm = ox_new(&config);
  number(vm, "let data = map(0..100000, fn(i) => [i]); let ts = []; len(data)");
  /* At most five of them can have 4 MB at the same time. */
  number(vm, "fn take() { let xs = []; for i in 0..260000 { xs.push([i]) }; while true {} }\n"
             "let n = 0\n"
             "for i in 0..12 { try { ts.push(fork(take)) } catch e { n += 1 } }\n"
             "while len(filter(ts, fn(t) => t.done)) + n < 7 {}\n"
             "for t in ts { t.cancel(); try { t.wait() } catch e { if e.kind == \"out of memory\" { n += 1 } } }\n"
             "if n < 7 { throw error(\"${n}\") }; ts = []; n");
  fails_with(vm, "try { fork(fn() { let xs = []; while true { xs.push([1, 2]) } }).wait() } "
                 "catch e { throw error(e.kind) }", "out of memory");
  cr_assert_eq(number(vm, "len(parallel_map(0..20, fn(i) => data[i], {workers: 16}))"), 20);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

/* What a task only reads costs nothing: a program with more than half of its limit has tasks, and
 * many. One that changes everything ends with an error; its parent is unharmed. */
Test(fork, above_half_of_the_limit) {
  ox_Config config = ox_config();
  config.memory_limit = 40 << 20;
  ox_VM *vm = ox_new(&config);
  number(vm, "let data = map(0..600000, fn(i) => [i]); len(data)");
  cr_assert_gt(committed(vm), 20 << 20);
  for (int round = 0; round < 3; round++) {
    cr_assert_eq(number(vm, "let seen = fn() => data[7][0] + len(data)\nfork(seen).wait()"), 600007);
    cr_assert_eq(number(vm, "let t = map(0..12, fn(i) => fork(fn() { data[i][0] = 5; return data[i][0] }))\n"
                            "let sum = 0; for x in t { sum += x.wait() }; sum"), 60);
    fails_with(vm, "try { fork(fn() { for x in data { x[0] = 1 } }).wait() } catch e { throw error(e.kind) }",
               "out of memory");
    fails_with(vm, "try { fork(fn() { for x in data { x[0] = 1 }; while true {} }).wait() } "
                   "catch e { throw error(e.kind) }", "out of memory");
    cr_assert_eq(number(vm, "len(parallel_map(0..20, fn(i) => data[i], {workers: 8}))"), 20);
    cr_assert_eq(number(vm, "data[3] = [3]; data[3][0] + data[4][0]"), 7);
    cr_assert_null(ox_verify(vm));
  }
  ox_free(vm);
}

/* Bytes that a program can still take. */
static int64_t room(ox_VM *vm) {
  return number(vm, "let n = 0; let xs = []\n"
                    "try { while true { xs.push(\"x\".repeat(100000)); n += 100000 } }\n"
                    "catch e { xs = nil; if e.kind != \"out of memory\" { throw e } }\nn");
}

/* Slots and bases kept for later forks give way when their program needs the memory. */
Test(fork, kept_memory_gives_way) {
  static const int sizes[] = {20000, 200000}; /* forks are copies; they are mapped */
  for (int i = 0; i < 2; i++) {
    char text[100];
    ox_Config config = ox_config();
    config.memory_limit = 40 << 20;
    ox_VM *vm = ox_new(&config);
    snprintf(text, sizeof text, "let data = map(0..%d, fn(i) => [i]); len(data)", sizes[i]);
    number(vm, text);
    int64_t before = room(vm);
    ox_collect(vm);
    cr_assert_gt(before, 8 << 20);
    number(vm, "let ts = map(0..4, fn(i) => fork(fn() { for k in 0..2000 { data[k][0] = i }; return 1 }))\n"
               "let sum = 0; for t in ts { sum += t.wait() }; ts = nil; sum");
    ox_collect(vm);
    int64_t after = room(vm);
    cr_assert_gt(after, before - (3 << 20), /* the log has a chunk of 2 MiB */ "%lld, now %lld", (long long)before, (long long)after);
    cr_assert_eq(number(vm, "xs = nil; fork(fn() => len(data)).wait()"), sizes[i]);
    ox_free(vm);
  }
}

static int threads_here(void) {
  int n = 0;
  DIR *folder = opendir("/proc/self/task");
  cr_assert_not_null(folder);
  while (readdir(folder)) n++;
  closedir(folder);
  return n;
}

static const char busy_text[] =
    "let sum = 0\n"
    "for i in 0..20 { sum += fork(fn() => i).wait() }\n"
    "for x in parallel_map(0..20, fn(i) => i, {workers: 3}) { sum += x }\n"
    "let ts = map(0..30, fn(i) => fork(fn() => i)); for t in ts { sum += t.wait() }\n"
    "sum";

/* Threads are used again, and none outlives its program. */
Test(fork, threads_end) {
  int before = threads_here();
  for (int round = 0; round < 3; round++) {
    ox_VM *vm = ox_new(NULL);
    cr_assert_eq(number(vm, busy_text), 815);
    while (threads_here() > before + 8) usleep(1000);
    ox_VM *child = forked(vm);
    cr_assert_eq(number(child, busy_text), 815);
    ox_free(vm);
    cr_assert_eq(number(child, busy_text), 815);
    ox_free(child);
    while (threads_here() != before) usleep(1000);
  }
}

/* In a process that the host has forked there are no threads but one: tasks get new ones. */
Test(fork, processes) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(number(vm, busy_text), 815);
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    ox_Value out;
    alarm(60);
    bool ok = run(vm, busy_text, &out) == OX_OK && ox_as_int(vm, out) == 815;
    ox_free(vm);
    _exit(ok ? 0 : 1);
  }
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert_eq(status, 0);
  cr_assert_eq(number(vm, busy_text), 815);
  ox_free(vm);
}
