// threads: many VMs on many threads, to be run under ThreadSanitizer. A VM is used by one thread at
// a time; only ox_interrupt comes from others. Ends with "N passed, N failed"; what the sanitizer
// finds makes the exit status 66.
#include <oxbow.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 10, VMS_EACH = 100, SHARED_VMS = 12, TURNS = 240, VICTIMS = 6 };

static ox_VM *make_vm(ox_Write write, void *context) {
  ox_Config config = ox_config();
  config.address_space = 64 << 20; // the sanitizer leaves 1.5 TiB to map
  config.write = write;
  config.context = context;
  return ox_new(&config);
}

static ox_Status run(ox_VM *vm, const char *text, ox_Value *out) {
  return ox_eval(vm, text, strlen(text), "program", out);
}

// Evaluates a text to an int; -1 if it fails.
static long long run_int(ox_VM *vm, const char *text) {
  ox_Value out;
  if (run(vm, text, &out) == OX_OK) return ox_as_int(vm, out);
  fputs(ox_error(vm)->report, stderr);
  return -1;
}

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

// Starts `count` threads, each with an item of the array, and waits for all. Each thread's function
// returns NULL if all went well.
static bool on_threads(int count, void *(*work)(void *), void *items, size_t item_size) {
  pthread_t threads[64];
  bool good = true;
  for (int i = 0; i < count; i++)
    if (pthread_create(&threads[i], NULL, work, (char *)items + (size_t)i * item_size) != 0)
      abort();
  for (int i = 0; i < count; i++) {
    void *bad;
    pthread_join(threads[i], &bad);
    good = good && !bad;
  }
  return good;
}

static void *const BAD = (void *)1;

// ---- a thousand VMs, a hundred on each of ten threads -------------------------------------------

typedef struct Crowd {
  int number;
  ox_VM *vms[VMS_EACH];
} Crowd;

static const char small_program[] =
    "class Node { next; n; fn init(next, n) { self.next = next; self.n = n } }\n"
    "let list = nil\n"
    "for i in 0..50 { list = Node(list, i) }\n"
    "let sum = 0\n"
    "while list != nil { sum += list.n; list = list.next }\n"
    "try { [][3] } catch e { sum += e.message.len() - e.message.len() }\n"
    "sum + me\n";

static void *crowd_work(void *item) {
  Crowd *crowd = item;
  void *verdict = NULL;
  for (int i = 0; i < VMS_EACH; i++) {
    ox_VM *vm = crowd->vms[i] = make_vm(NULL, NULL);
    if (!vm) return BAD;
    ox_set(vm, "me", ox_int(vm, crowd->number * VMS_EACH + i));
  }
  for (int i = 0; i < VMS_EACH; i++)
    if (run_int(crowd->vms[i], small_program) != 1225 + crowd->number * VMS_EACH + i) verdict = BAD;
  for (int i = 0; i < VMS_EACH; i++) ox_free(crowd->vms[i]);
  return verdict;
}

static bool test_crowd(void) {
  static Crowd crowds[THREADS];
  for (int i = 0; i < THREADS; i++) crowds[i].number = i;
  return on_threads(THREADS, crowd_work, crowds, sizeof *crowds);
}

// ---- VMs handed from thread to thread -----------------------------------------------------------

typedef struct Pool {
  pthread_mutex_t lock;
  ox_VM *idle[SHARED_VMS];
  int idle_count, turns;
} Pool;

static ox_VM *pool_take(Pool *pool) {
  pthread_mutex_lock(&pool->lock);
  ox_VM *vm = NULL;
  if (pool->turns < TURNS && pool->idle_count > 0) {
    pool->turns++;
    // The one that waits longest: VMs change threads often so.
    vm = pool->idle[0];
    memmove(pool->idle, pool->idle + 1, (size_t)--pool->idle_count * sizeof *pool->idle);
  }
  pthread_mutex_unlock(&pool->lock);
  return vm;
}

static void pool_put(Pool *pool, ox_VM *vm) {
  pthread_mutex_lock(&pool->lock);
  pool->idle[pool->idle_count++] = vm;
  pthread_mutex_unlock(&pool->lock);
}

static void *pool_work(void *item) {
  Pool *pool = *(Pool **)item;
  ox_VM *vm;
  void *verdict = NULL;
  while ((vm = pool_take(pool))) {
    ox_Scope scope = ox_scope_open(vm);
    ox_Value step, out;
    if (ox_get(vm, "step", &step) != OX_OK || ox_call(vm, step, 0, NULL, &out) != OX_OK)
      verdict = BAD;
    ox_scope_close(vm, scope);
    ox_collect(vm);
    if (ox_verify(vm)) verdict = BAD;
    pool_put(pool, vm);
  }
  return verdict;
}

static const char stepping_program[] =
    "let steps = 0\n"
    "let kept = []\n"
    "fn count() { while true { steps += 1; yield steps } }\n"
    "let counter = fiber(count)\n"
    "fn step() { counter.next(); kept.push(\"step ${steps}\") }\n";

static bool test_hand_over(void) {
  Pool pool = {.lock = PTHREAD_MUTEX_INITIALIZER};
  for (int i = 0; i < SHARED_VMS; i++) {
    ox_VM *vm = make_vm(NULL, NULL);
    if (!vm || run(vm, stepping_program, NULL) != OX_OK) return false;
    pool_put(&pool, vm);
  }
  Pool *items[THREADS];
  for (int i = 0; i < THREADS; i++) items[i] = &pool;
  bool good = on_threads(THREADS, pool_work, items, sizeof *items);
  long long sum = 0;
  for (int i = 0; i < SHARED_VMS; i++) {
    long long steps = run_int(pool.idle[i], "steps");
    good = good && steps == run_int(pool.idle[i], "kept.len()");
    sum += steps;
    ox_free(pool.idle[i]);
  }
  return good && sum == TURNS;
}

// ---- interrupts from another thread -------------------------------------------------------------

typedef struct Victim {
  ox_VM *vm;
  const char *program;
  ox_Status status;
} Victim;

static void *victim_work(void *item) {
  Victim *victim = item;
  victim->status = run(victim->vm, victim->program, NULL);
  return NULL;
}

static const char *const endless[VICTIMS] = {
    "while true {}",
    "fn f() => f2()\nfn f2() => 1\nwhile true { f() }",
    "while true { try { while true {} } catch e {} }",
    "while true { \"x\".repeat(100) }",
    "while true { (0..100).map(fn(n) => n * n).sort() }",
    "import time\nwhile true { time.sleep(0.001) }",
};

static bool test_interrupt(void) {
  Victim victims[VICTIMS];
  pthread_t threads[VICTIMS];
  bool good = true;
  for (int i = 0; i < VICTIMS; i++) {
    victims[i] = (Victim){make_vm(NULL, NULL), endless[i], OX_OK};
    if (!victims[i].vm) return false;
    pthread_create(&threads[i], NULL, victim_work, &victims[i]);
  }
  sleep_ms(100);
  for (int i = 0; i < VICTIMS; i++) ox_interrupt(victims[i].vm);
  for (int i = 0; i < VICTIMS; i++) {
    pthread_join(threads[i], NULL);
    good = good && victims[i].status == OX_INTERRUPTED;
    good = good && run_int(victims[i].vm, "6 * 7") == 42;
    ox_free(victims[i].vm);
  }
  return good;
}

// An interrupt that comes while nothing runs stops the next call, whichever thread makes it.
static bool test_interrupt_idle(void) {
  Victim victim = {make_vm(NULL, NULL), "1 + 1", OX_OK};
  if (!victim.vm) return false;
  ox_interrupt(victim.vm);
  on_threads(1, victim_work, &victim, sizeof victim);
  bool good = victim.status == OX_INTERRUPTED && run_int(victim.vm, "1 + 1") == 2;
  ox_free(victim.vm);
  return good;
}

// ---- the parts of the library that lean on C's, on all threads at once --------------------------

typedef struct Speaker {
  int number;
  size_t length;
  char said[4096];
} Speaker;

static void hear(void *context, const char *bytes, size_t length) {
  Speaker *s = context;
  if (length > sizeof s->said - s->length) length = sizeof s->said - s->length;
  memcpy(s->said + s->length, bytes, length);
  s->length += length;
}

static const char library_program[] =
    "import json\n"
    "import time\n"
    "import math\n"
    "import os\n"
    "import regex\n"
    "for i in 0..5 {\n"
    "  let text = json.stringify({\"me\": me, \"list\": [1, 2.5, \"Ünïcode\".upper()]})\n"
    "  if json.parse(text)[\"me\"] != me { print(\"wrong json\") }\n"
    "  if regex.match(\"[0-9]+\", \"abc 123\") == nil { print(\"wrong match\") }\n"
    "  time.now()\n"
    "  math.sqrt(2.0)\n"
    "  os.env(\"HOME\")\n"
    "  try { [1][9] } catch e { e.message }\n"
    "  print(me)\n"
    "}\n";

static void *speaker_work(void *item) {
  Speaker *speaker = item;
  ox_VM *vm = make_vm(hear, speaker);
  if (!vm) return BAD;
  ox_set(vm, "me", ox_int(vm, speaker->number));
  ox_Status status = run(vm, library_program, NULL);
  if (status != OX_OK) fputs(ox_error(vm)->report, stderr);
  // What goes wrong is told to the one whose it is.
  char wanted[32];
  snprintf(wanted, sizeof wanted, "mine is %d", speaker->number);
  bool own_error = run(vm, "throw error(\"mine is ${me}\")", NULL) == OX_THROWN &&
                   strstr(ox_error(vm)->message, wanted);
  ox_free(vm);
  char line[16];
  int n = snprintf(line, sizeof line, "%d\n", speaker->number);
  bool own_output = speaker->length == 5 * (size_t)n;
  for (int i = 0; own_output && i < 5; i++)
    own_output = memcmp(speaker->said + i * n, line, (size_t)n) == 0;
  return status == OX_OK && own_error && own_output ? NULL : BAD;
}

static bool test_library(void) {
  static Speaker speakers[THREADS];
  for (int i = 0; i < THREADS; i++) speakers[i].number = 100 + i;
  return on_threads(THREADS, speaker_work, speakers, sizeof *speakers);
}

// ---- forks of one VM on all threads, which it forks while they run --------------------------------

enum { FORKS = 6, FORK_ROUNDS = 8 };

static const char fork_program[] =
    "for i in 0..200 { table[\"k${i}\"] = [i, me]; kept.push(i) }\n"
    "let sum = 0\n"
    "for k, v in table { sum += v[0] }\n"
    "sum + len(kept)\n";

static void *fork_work(void *item) {
  ox_VM *vm = *(ox_VM **)item;
  long long n = run_int(vm, fork_program);
  ox_VM *grandchild;
  if (ox_fork(vm, &grandchild) != OX_OK) return BAD;
  long long more = run_int(grandchild, fork_program);
  ox_free(vm);
  ox_free(grandchild);
  return n >= 20100 && more == n + 200 ? NULL : BAD;
}

static bool fork_round(ox_VM *vm, int round) {
  ox_VM *forks[FORKS];
  pthread_t threads[FORKS];
  bool good = true;
  for (int i = 0; i < FORKS; i++) {
    good = good && ox_fork(vm, &forks[i]) == OX_OK;
    if (!good || pthread_create(&threads[i], NULL, fork_work, &forks[i]) != 0) return false;
    good = run_int(vm, "kept.push(me); len(kept)") == 1 + round * FORKS + i;
  }
  for (int i = 0; i < FORKS; i++) {
    void *bad;
    pthread_join(threads[i], &bad);
    good = good && !bad;
  }
  return good;
}

static bool test_forks(void) {
  ox_VM *vm = make_vm(NULL, NULL);
  if (!vm) return false;
  bool good = run(vm, "let table = {}; let kept = []; let me = 1", NULL) == OX_OK;
  for (int round = 0; good && round < FORK_ROUNDS; round++) good = fork_round(vm, round);
  ox_free(vm);
  return good;
}

// ---- tasks of programs ---------------------------------------------------------------------------

static const char task_program[] =
    "let table = {}\n"
    "for i in 0..300 { table[\"k${i}\"] = [i] }\n"
    "fn work(i) { for k, v in table { v.push(i) }; print(i); return len(table[\"k7\"]) + i }\n"
    "let tasks = []\n"
    "for i in 0..6 { tasks.push(fork(fn() => work(i))); table[\"k7\"].push(i) }\n"
    "let sum = 0\n"
    "for t in tasks { sum += t.wait() }\n"
    "for x in parallel_map(0..30, work, {workers: 4}) { sum += x }\n"
    "let stopped = fork(fn() { while true {} })\n"
    "stopped.cancel()\n"
    "let left = fork(fn() { while true {} })\n"
    "sum\n";

static void ignore(void *context, const char *bytes, size_t length) {
  (void)bytes;
  *(size_t *)context += length;
}

static bool test_tasks(void) {
  size_t printed = 0;
  ox_VM *vm = make_vm(ignore, &printed);
  if (!vm) return false;
  long long sum = run_int(vm, task_program);
  ox_free(vm);
  // each of six tasks: 2 + i entries and i; then thirty calls: 8 entries and i
  return sum == 6 * 2 + 15 + 15 + 30 * 8 + 435 && printed > 0;
}

// -------------------------------------------------------------------------------------------------

static const struct {
  const char *name;
  bool (*test)(void);
} tests[] = {
    {"a thousand VMs on ten threads", test_crowd},
    {"VMs handed from thread to thread", test_hand_over},
    {"interrupts from another thread", test_interrupt},
    {"an interrupt between two calls", test_interrupt_idle},
    {"forks on all threads, while their parent goes on", test_forks},
    {"tasks of a program", test_tasks},
    {"the library on all threads, output and errors apart", test_library},
};

int main(void) {
  int count = sizeof tests / sizeof *tests, passed = 0;
  for (int i = 0; i < count; i++) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    bool good = tests[i].test();
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("%s %s (%.1f s)\n", good ? "passed" : "FAILED", tests[i].name, seconds);
    passed += good;
  }
  printf("%d passed, %d failed\n", passed, count - passed);
  return passed != count;
}
