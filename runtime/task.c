/* task.c - fork(f) and parallel_map: forks of the running program, each on a thread of its own.
 *
 * A task's VM is a fork made in the middle of the native call; its thread calls f there, copies the
 * result out of the heap (carry.c), and frees the VM, which gives its cage back for the next fork.
 * Whoever waits copies the result in.
 *
 * Data are copied. Classes, functions, modules and the scopes of variables that both sides have
 * from before the fork are not: they are referred to by their place, which is the same in both.
 * Which those are is told exactly by snapshots: each task begins with one, and the parent keeps
 * one of the moment of the fork until the result is there or nobody wants it.
 *
 * parallel_map gives each worker a fork, and after each call the worker goes back to its beginning:
 * what f changes is seen by no other call, so that the result does not depend on how many workers
 * there are. An error at one item stops those behind it; of several the first in order is thrown.
 *
 * Threads are those of the family's crew (crew.c).
 *
 * Locks: Family.lock is about output, Task.lock about what a task and its owner tell each
 * other, Job.lock the same for parallel_map. None is held while another one is taken. A VM is
 * used by its own thread, but for vm_interrupt, which the owner may call while the lock tells
 * it that it lives. */
#include "task.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "carry.h"
#include "crew.h"
#include "fork.h"
#include "lib/lib.h"
#include "list.h"
#include "run.h"
#include "snapshot.h"

enum { FORK_STEPS = 1000 }; /* what a fork costs of the budget: about as long as so many calls */
enum { TICK_NS = 20000000, DEFAULT_TASKS = 64 };

/* What a program and its tasks, and theirs, share. */
typedef struct Family {
  pthread_mutex_t lock; /* held while the host is given output */
  uint32_t users, running; /* atomic */
  void (*write)(void *ctx, const char *bytes, size_t n);
  void (*write_error)(void *ctx, const char *bytes, size_t n);
  void *ctx;
  Crew crew;
} Family;

/* How a task or a call of parallel_map failed, beside the error. */
typedef struct Failure {
  bool exited; /* by os.exit */
  bool spent;  /* the budget was used up */
} Failure;

typedef struct Task {
  struct Task *next; /* of the owner's */
  ox_VM *owner;
  CrewWork work;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  ox_VM *vm;         /* NULL: the thread has freed it */
  Value fn;
  Carry *result;
  bool done, threw, cancelled;
  Failure failure;
  uint64_t budget;   /* which one of the owner's it shares */
  bool held;         /* by an object of the owner's heap */
  GcSnapshot past;   /* the owner's state when it was forked, 0: not needed any more */
} Task;

typedef struct Tasks { Task *first; } Tasks;

/* ---- families -------------------------------------------------------------------------------- */

static void family_write(void *ctx, const char *bytes, size_t n) {
  Family *f = ctx;
  pthread_mutex_lock(&f->lock);
  f->write(f->ctx, bytes, n);
  pthread_mutex_unlock(&f->lock);
}

static void family_write_error(void *ctx, const char *bytes, size_t n) {
  Family *f = ctx;
  pthread_mutex_lock(&f->lock);
  f->write_error(f->ctx, bytes, n);
  pthread_mutex_unlock(&f->lock);
}

/* From now on what the host is given goes through the lock. */
static bool family_open(ox_VM *vm) {
  if (vm->family) return true;
  Family *f = calloc(1, sizeof *f);
  if (!f || !crew_open(&f->crew)) return free(f), false;
  pthread_mutex_init(&f->lock, NULL);
  f->users = 1;
  f->write = vm->write;
  f->write_error = vm->write_error;
  f->ctx = vm->write_ctx;
  if (vm->write) vm->write = family_write;
  if (vm->write_error) vm->write_error = family_write_error;
  vm->write_ctx = f;
  vm->family = f;
  return true;
}

void task_join_family(const ox_VM *vm, ox_VM *child) {
  if (!vm->family) return;
  child->family = vm->family;
  __atomic_add_fetch(&vm->family->users, 1, __ATOMIC_RELAXED);
}

void task_leave_family(ox_VM *vm) {
  Family *f = vm->family;
  if (!f || __atomic_sub_fetch(&f->users, 1, __ATOMIC_ACQ_REL) > 0) return;
  crew_close(&f->crew);
  pthread_mutex_destroy(&f->lock);
  free(f);
}

/* Takes up to `want` of the places for running tasks; how many it got. */
static uint32_t places_take(ox_VM *vm, uint32_t want) {
  uint32_t most = vm->max_tasks ? vm->max_tasks : DEFAULT_TASKS;
  uint32_t *running = &vm->family->running, now = __atomic_load_n(running, __ATOMIC_RELAXED), n;
  do {
    n = now >= most ? 0 : most - now < want ? most - now : want;
  } while (!__atomic_compare_exchange_n(running, &now, now + n, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
  return n;
}

static void places_give(Family *f, uint32_t n) {
  __atomic_sub_fetch(&f->running, n, __ATOMIC_RELAXED);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Waits a little, or until something changed. The lock is held. */
static void wait_a_tick(pthread_cond_t *changed, pthread_mutex_t *lock) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += TICK_NS;
  if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
  pthread_cond_timedwait(changed, lock, &until);
}

static bool is_interrupted(ox_VM *vm) { return __atomic_load_n(&vm->interrupt, __ATOMIC_RELAXED); }

/* A fork for a thread of its own. NULL: memory is out. */
static ox_VM *task_vm(ox_VM *vm) {
  ox_VM *child = gc_share_open(vm->gc) ? vm_fork(vm) : NULL;
  if (!child) return NULL;
  child->is_task = true;
  if (gc_share_limit(vm->gc, child->gc) && fork_share_fuel(vm, child)) return child;
  vm_free(child);
  return NULL;
}

/* ---- results --------------------------------------------------------------------------------- */

/* What is code rather than data, and was there when the task began. */
static bool is_common(void *ctx, Ref r) {
  ox_VM *vm = ctx;
  switch (((Header *)gc_ptr(vm->cage, r))->kind) {
    case KIND_CLASS: case KIND_PROTO: case KIND_NATIVE: case KIND_MODULE: case KIND_FRAME:
    case KIND_CLOSURE: return gc_past_same(vm->gc, r);
    default: return false;
  }
}

static bool is_here(void *ctx, Ref r) { return gc_past_same(((ox_VM *)ctx)->gc, r); }

static Carry *copy_out(ox_VM *vm, GcSnapshot begin, Value v) {
  if (!v_is_ref(v)) return carry_across(vm, v, is_common, vm, "a task");
  if (!gc_past_open(vm->gc, begin)) return vm_throw_oom(vm), NULL;
  Carry *c = carry_across(vm, v, is_common, vm, "the result of a task");
  gc_past_close(vm->gc);
  return c;
}

/* The pending error as something to carry. */
static Carry *copy_error(ox_VM *vm, GcSnapshot begin, Failure *failure) {
  bool stopped = vm->unwinding_uncatchable && !vm->exiting && vm->fuel_limited;
  *failure = (Failure){vm->exiting, stopped && vm_fuel_left(vm) == 0};
  vm->exiting = vm->unwinding_uncatchable = false;
  Value e = error_take(vm);
  if (vm->fuel_limited) vm_set_fuel(vm, 0); /* the budget is of no account to what follows */
  Carry *c = copy_out(vm, begin, e);
  if (!c && error_pending(vm)) c = copy_out(vm, begin, error_take(vm));
  return c;
}

/* ---- fork: the task's side ------------------------------------------------------------------- */

static void task_call(Task *t, ox_VM *vm) {
  GcSnapshot begin = gc_snapshot(vm->gc, NULL);
  snapshot_reopen(vm);
  Value v = begin ? vm_call(vm, t->fn, 0, NULL) : vm_throw_oom(vm);
  if (v != V_ERROR) t->result = copy_out(vm, begin, v);
  if (v != V_ERROR && t->result) return;
  t->threw = true;
  t->result = copy_error(vm, begin, &t->failure);
}

static void task_main(void *arg) {
  Task *t = arg;
  ox_VM *vm = t->vm;
  Family *family = vm->family;
  task_call(t, vm);
  task_end_all(vm);
  pthread_mutex_lock(&t->lock);
  t->vm = NULL;
  pthread_mutex_unlock(&t->lock);
  places_give(family, 1);
  vm_free(vm);
  pthread_mutex_lock(&t->lock);
  t->done = true;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->lock);
}

/* ---- fork: the owner's side ------------------------------------------------------------------ */

static bool is_done(Task *t) {
  pthread_mutex_lock(&t->lock);
  bool done = t->done;
  pthread_mutex_unlock(&t->lock);
  return done;
}

static void cancel(Task *t) {
  pthread_mutex_lock(&t->lock);
  t->cancelled |= !t->done;
  if (t->vm) vm_interrupt(t->vm);
  pthread_mutex_unlock(&t->lock);
}

static void task_free(Task *t) {
  crew_wait(&t->owner->family->crew, &t->work);
  pthread_mutex_destroy(&t->lock);
  pthread_cond_destroy(&t->changed);
  carry_free(NULL, t->result);
  free(t);
}

/* The owner's state at the fork is needed as long as a result may come that refers to it. */
static void let_past_go(ox_VM *vm, Task *t) {
  if (t->past) gc_snapshot_release(vm->gc, t->past);
  t->past = 0;
}

static bool needs_past(Task *t) { return t->held && t->result && carry_keeps(t->result); }

/* Frees tasks that have ended and nobody can ask. */
static void reap(ox_VM *vm) {
  if (!vm->tasks) return;
  for (Task **at = &vm->tasks->first, *t; (t = *at) != NULL;) {
    bool done = is_done(t);
    if (t->past && (!t->held || (done && !needs_past(t)))) let_past_go(vm, t);
    if (!done || t->held) {
      at = &t->next;
      continue;
    }
    *at = t->next;
    task_free(t);
  }
}

void task_cancel_all(ox_VM *vm) {
  for (Task *t = vm->tasks ? vm->tasks->first : NULL; t; t = t->next) cancel(t);
}

void task_end_all(ox_VM *vm) {
  if (!vm->tasks) return;
  task_cancel_all(vm);
  for (Task *t = vm->tasks->first, *next; t; t = next) {
    next = t->next;
    if (t->held) foreign_forget(vm, t); /* its object outlives it */
    task_free(t);
  }
  free(vm->tasks);
  vm->tasks = NULL;
}

/* Its object is gone. A rollback that undid the fork() undoes the task; a task that nobody has kept
 * goes on. */
static void task_dropped(void *ptr) {
  Task *t = ptr;
  t->held = false;
  if (gc_is_undoing(t->owner->gc)) cancel(t);
}

enum { METHODS = 2, DONE = 2 };
static const NativeDef task_defs[METHODS + 1];
static const ForeignType task_type = {
    .name = "Task", .finalize = task_dropped,
    .methods = task_defs, .nmethods = METHODS, .table = -1};

/* The property `done` is a list of getter and setter. */
static bool add_done(ox_VM *vm, Value cls) {
  int table = 0;
  while (native_tables[table] != &module_task) table++;
  Value name = string_intern(vm, "done", 4);
  Value pair[2] = {name == V_ERROR ? V_ERROR
                                   : native_value(vm, (uint32_t)table << NATIVE_INDEX_BITS | DONE),
                   V_NIL};
  Value list = pair[0] == V_ERROR ? V_ERROR : list_from(vm, pair, 2);
  return list != V_ERROR && map_set(vm, ((Class *)vm_deref(vm, cls))->fields, name, list);
}

static Value task_class(ox_VM *vm) {
  Value *kept = &vm->st->spare[LIB_TASK_CLASS];
  if (v_is_ref(*kept)) return *kept;
  Value name = string_intern(vm, "Task", 4);
  Value cls = name == V_ERROR ? V_ERROR : foreign_build_class(vm, &task_type, name);
  if (cls == V_ERROR || !add_done(vm, cls)) return V_ERROR;
  gc_store(vm->cage, gc_word(vm->cage, kept), cls);
  return cls;
}

static Task *task_new(ox_VM *vm, Value fn) {
  Task *t = calloc(1, sizeof *t);
  if (!vm->tasks) vm->tasks = calloc(1, sizeof *vm->tasks);
  if (!t || !vm->tasks) return free(t), NULL;
  t->owner = vm;
  t->budget = vm->fuel_budgets;
  t->fn = fn;
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->changed, NULL);
  return t;
}

static void task_give_up(Task *t) {
  if (t->vm) vm_free(t->vm);
  pthread_mutex_destroy(&t->lock);
  pthread_cond_destroy(&t->changed);
  free(t);
}

static bool task_open(ox_VM *vm, Task *t) {
  t->past = gc_snapshot(vm->gc, NULL);
  snapshot_reopen(vm);
  t->vm = t->past ? task_vm(vm) : NULL;
  if (!t->vm) let_past_go(vm, t);
  return t->vm;
}

/* The fork and its thread. False: no memory, no thread; nothing is pending. What is in the way
 * may be garbage. */
static bool task_start(ox_VM *vm, Task *t, bool reseed) {
  if (!task_open(vm, t)) {
    gc_collect(vm->gc);
    task_open(vm, t);
  }
  if (t->vm && reseed) memset(t->vm->st->rng, 0, sizeof t->vm->st->rng); /* seeded when used */
  t->work = (CrewWork){.run = task_main, .arg = t};
  if (t->vm && crew_start(&vm->family->crew, &t->work)) return true;
  let_past_go(vm, t);
  return false;
}

static Value too_many(ox_VM *vm) {
  return vm_throw(vm, ERR_LIMIT, "fork: %u tasks run already; wait for some of them first",
                  vm->max_tasks ? vm->max_tasks : DEFAULT_TASKS);
}

Value task_fork(ox_VM *vm, Value *args, int nargs) {
  Value fn = args[0], options = args[1], reseed;
  (void)nargs;
  if (!vm_allows(vm, "fork") ||
      !arg_option(vm, options, "fork", "reseed", "fork(f, {reseed: true})", &reseed))
    return V_ERROR;
  if (!arg_is_callable(vm, fn))
    return vm_throw(vm, ERR_TYPE, "fork needs a function, not %s", vm_type_name(vm, fn));
  if (!vm_poll(vm, FORK_STEPS) || !family_open(vm))
    return error_pending(vm) ? V_ERROR : vm_throw_oom(vm);
  reap(vm);
  Value cls = task_class(vm);
  if (cls == V_ERROR) return V_ERROR;
  if (!places_take(vm, 1)) return too_many(vm);
  Task *t = task_new(vm, fn);
  if (!t || !task_start(vm, t, reseed != V_ABSENT && reseed != V_NIL && reseed != V_FALSE)) {
    places_give(vm->family, 1);
    if (t) task_give_up(t);
    return vm_throw_oom(vm);
  }
  t->next = vm->tasks->first;
  vm->tasks->first = t;
  t->held = true;
  return foreign_new_of(vm, &task_type, cls, t);
}

/* ---- methods of tasks ------------------------------------------------------------------------ */

static Task *self_task(ox_VM *vm, Value v) {
  bool saved = v_is(v, KIND_FOREIGN) && foreign_is_gone(vm, v) && !foreign_is_left(vm, v);
  if (!saved) return foreign_get(vm, v, &task_type, "this task");
  vm_throw(vm, ERR_VALUE, "this task belongs to another interpreter: the one that was saved");
  return NULL;
}

/* False: the program is to stop, pending. */
static bool wait_for(ox_VM *vm, Task *t) {
  bool stopped = false;
  pthread_mutex_lock(&t->lock);
  if (!t->done && t->work.process != getpid()) {
    pthread_mutex_unlock(&t->lock);
    vm_throw(vm, ERR_SYSTEM, "this task runs in another process, of which this one is a copy");
    return false;
  }
  while (!t->done && !stopped) {
    wait_a_tick(&t->changed, &t->lock);
    stopped = is_interrupted(vm);
  }
  bool done = t->done;
  pthread_mutex_unlock(&t->lock);
  if (done) crew_wait(&vm->family->crew, &t->work); /* its thread has let go of the lock */
  return !stopped || vm_poll(vm, 0);
}

/* Whether what the result refers to is still what it was at the fork. */
static bool result_fits(ox_VM *vm, Task *t) {
  if (!carry_keeps(t->result)) return true;
  if (!t->past || !gc_past_open(vm->gc, t->past)) return false;
  bool fits = carry_kept_all(t->result, is_here, vm);
  gc_past_close(vm->gc);
  return fits;
}

/* A budget that is used up ends all who share it. */
static Value budget_spent(ox_VM *vm, uint64_t budget) {
  if (budget == vm->fuel_budgets) vm_end_budget(vm);
  else vm_throw(vm, ERR_ERROR, "the task has used up its budget, which was an earlier one");
  return V_ERROR;
}

static Value task_result(ox_VM *vm, Task *t) {
  if (t->cancelled) return vm_throw(vm, ERR_ERROR, "the task was cancelled");
  if (t->failure.spent) return budget_spent(vm, t->budget);
  if (!t->result) return vm_throw_oom(vm);
  if (t->failure.exited) return vm_throw(vm, ERR_ERROR, "the task called os.exit");
  if (!result_fits(vm, t))
    return vm_throw(vm, ERR_VALUE, "the result of the task refers to a function or class that this "
                    "program no longer has as it was at the fork");
  Value v = carry_in(vm, t->result);
  return v != V_ERROR && t->threw ? vm_throw_value(vm, v) : v;
}

static Value task_wait(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Task *t = self_task(vm, args[0]);
  return t && wait_for(vm, t) ? task_result(vm, t) : V_ERROR;
}

static Value task_cancel(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Task *t = self_task(vm, args[0]);
  if (t) cancel(t);
  return t ? V_NIL : V_ERROR;
}

static Value task_is_done(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Task *t = self_task(vm, args[0]);
  return t ? v_from_bool(is_done(t)) : V_ERROR;
}

static const NativeDef task_defs[METHODS + 1] = {
    NATIVE("wait", task_wait, "wait(self)",
           "Waits for the task to end: a deep copy of what its function returned, or the error "
           "that it threw, thrown again with its trace."),
    NATIVE("cancel", task_cancel, "cancel(self)",
           "Stops the task, as an interrupt would; wait throws then, unless it had ended before."),
    NATIVE("done", task_is_done, "done(self) -> bool",
           "A property, task.done: whether the task has ended."),
};

const ModuleDef module_task = {
    "task.Task", "What fork gives: a copy of the program that runs at the same time.",
    task_defs, LIB_COUNT(task_defs), -1, NULL};

/* ---- parallel_map ---------------------------------------------------------------------------- */

typedef struct Job Job;
typedef struct Worker {
  Job *job;
  ox_VM *vm; /* NULL: ended */
  CrewWork work;
  uint64_t at; /* the item it is at */
} Worker;

struct Job {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  Value items, fn; /* the same in all workers */
  uint64_t n, next;
  uint64_t stop;   /* items from here on are not wanted any more: the first error is before */
  Carry **results;
  Carry *error;
  Failure failure;
  bool failed; /* without even an error to tell */
  Worker *workers;
  uint32_t nworkers, running;
};

/* The next item, or n. */
static uint64_t job_next(Job *job, Worker *w) {
  pthread_mutex_lock(&job->lock);
  uint64_t i = job->next < job->stop ? job->next++ : job->n;
  w->at = i;
  pthread_mutex_unlock(&job->lock);
  return i;
}

/* Under the lock: nothing from `from` on is wanted. */
static void job_stop(Job *job, uint64_t from) {
  if (from >= job->stop) return;
  job->stop = from;
  for (uint32_t i = 0; i < job->nworkers; i++)
    if (job->workers[i].vm && job->workers[i].at > from) vm_interrupt(job->workers[i].vm);
}

static void job_fail(Worker *w, uint64_t i, GcSnapshot begin) {
  Job *job = w->job;
  Failure failure;
  Carry *error = copy_error(w->vm, begin, &failure);
  pthread_mutex_lock(&job->lock);
  if (i < job->stop) {
    carry_free(NULL, job->error);
    job->error = error;
    job->failure = failure;
    job->failed = !error;
    error = NULL;
    job_stop(job, i);
  }
  pthread_mutex_unlock(&job->lock);
  carry_free(NULL, error);
}

/* One call, from the state in which the worker began. */
static bool job_item(Worker *w, uint64_t i, GcSnapshot begin) {
  ox_VM *vm = w->vm;
  Value item = list_get(vm, w->job->items, i), v = vm_call(vm, w->job->fn, 1, &item);
  if (v != V_ERROR) w->job->results[i] = copy_out(vm, begin, v);
  if (v == V_ERROR || !w->job->results[i]) return false;
  vm_roots_reset(vm, 0);
  if (vm_restore(vm, begin) != GC_SNAPSHOT_OK) return vm_throw_oom(vm), false;
  return true;
}

static void worker_main(void *arg) {
  Worker *w = arg;
  Job *job = w->job;
  ox_VM *vm = w->vm;
  GcSnapshot begin = gc_snapshot(vm->gc, NULL);
  snapshot_reopen(vm);
  if (!begin) vm_throw_oom(vm), job_fail(w, 0, begin);
  for (uint64_t i; begin && (i = job_next(job, w)) < job->n;) {
    if (job_item(w, i, begin)) continue;
    job_fail(w, i, begin);
    break;
  }
  pthread_mutex_lock(&job->lock);
  w->vm = NULL;
  pthread_mutex_unlock(&job->lock);
  vm_free(vm);
  pthread_mutex_lock(&job->lock);
  job->running--;
  pthread_cond_broadcast(&job->changed);
  pthread_mutex_unlock(&job->lock);
}

static uint32_t start_workers(ox_VM *vm, Job *job, uint32_t wanted) {
  for (uint32_t i = 0; i < wanted; i++) {
    Worker *w = job->workers + i;
    *w = (Worker){.job = job, .vm = task_vm(vm)};
    if (!w->vm && i == 0) {
      gc_collect(vm->gc);
      w->vm = task_vm(vm);
    }
    if (!w->vm) break;
    pthread_mutex_lock(&job->lock);
    job->nworkers = i + 1;
    job->running++;
    pthread_mutex_unlock(&job->lock);
    w->work = (CrewWork){.run = worker_main, .arg = w};
    if (crew_start(&vm->family->crew, &w->work)) continue;
    pthread_mutex_lock(&job->lock);
    job->nworkers = i;
    job->running--;
    pthread_mutex_unlock(&job->lock);
    vm_free(w->vm);
    break;
  }
  return job->nworkers;
}

/* Until all workers have ended; an interrupt stops them. */
static void wait_for_workers(ox_VM *vm, Job *job) {
  pthread_mutex_lock(&job->lock);
  while (job->running) {
    wait_a_tick(&job->changed, &job->lock);
    if (!is_interrupted(vm)) continue;
    job->stop = 0;
    for (uint32_t i = 0; i < job->nworkers; i++)
      if (job->workers[i].vm) vm_interrupt(job->workers[i].vm);
  }
  pthread_mutex_unlock(&job->lock);
  for (uint32_t i = 0; i < job->nworkers; i++) crew_wait(&vm->family->crew, &job->workers[i].work);
}

static Value job_results(ox_VM *vm, Job *job) {
  if (is_interrupted(vm)) return vm_poll(vm, 0) ? V_NIL : V_ERROR;
  if (job->failure.spent) return budget_spent(vm, vm->fuel_budgets);
  if (job->failed) return vm_throw_oom(vm);
  if (job->failure.exited) return vm_throw(vm, ERR_ERROR, "a call of parallel_map called os.exit");
  if (job->error) {
    Value e = carry_in(vm, job->error);
    return e == V_ERROR ? V_ERROR : vm_throw_value(vm, e);
  }
  Value out = list_new(vm, job->n);
  for (uint64_t i = 0; out != V_ERROR && i < job->n; i++) {
    uint32_t mark = vm_roots_mark(vm);
    Value v = carry_in(vm, job->results[i]);
    if (v == V_ERROR || !list_push(vm, out, v)) return V_ERROR;
    vm_roots_reset(vm, mark);
    carry_free(NULL, job->results[i]);
    job->results[i] = NULL;
  }
  return out;
}

static void job_close(Job *job) {
  for (uint64_t i = 0; job->results && i < job->n; i++) carry_free(NULL, job->results[i]);
  carry_free(NULL, job->error);
  pthread_mutex_destroy(&job->lock);
  pthread_cond_destroy(&job->changed);
  free(job->results);
  free(job->workers);
}

static Value job_run(ox_VM *vm, Value items, Value fn, uint32_t workers) {
  uint64_t n = list_len(vm, items);
  Job job = {.items = items, .fn = fn, .n = n, .stop = n};
  pthread_mutex_init(&job.lock, NULL);
  pthread_cond_init(&job.changed, NULL);
  job.results = calloc(n, sizeof *job.results);
  job.workers = calloc(workers, sizeof *job.workers);
  Value out = V_ERROR;
  if (job.results && job.workers && start_workers(vm, &job, workers)) {
    wait_for_workers(vm, &job);
    out = job_results(vm, &job);
  } else {
    vm_throw_oom(vm);
  }
  job_close(&job);
  return out;
}

static bool workers_of(ox_VM *vm, Value options, const char *fn, uint32_t *out) {
  Value v;
  int64_t n = 1;
  if (!arg_option(vm, options, fn, "workers", "{workers: 4}", &v)) return false;
  if (v == V_ABSENT) n = sysconf(_SC_NPROCESSORS_ONLN); /* which reads a file */
  if (v != V_ABSENT && !arg_int(vm, v, "workers", &n)) return false;
  if (v != V_ABSENT && n < 1)
    return vm_throw(vm, ERR_VALUE, "%s: workers must be at least 1", fn), false;
  *out = n > 1024 ? 1024 : n < 1 ? 1 : (uint32_t)n;
  return true;
}

Value task_parallel_map(ox_VM *vm, Value *args, int nargs) {
  Value xs = args[0], fn = args[1], options = args[2];
  uint32_t workers;
  (void)nargs;
  if (!vm_allows(vm, "parallel_map") || !vm_root(vm, fn) ||
      !workers_of(vm, options, "parallel_map", &workers))
    return V_ERROR;
  if (!family_open(vm)) return vm_throw_oom(vm);
  Value items = list_from_iterable(vm, xs, "xs of parallel_map");
  if (items == V_ERROR || !vm_root(vm, items)) return V_ERROR;
  uint64_t n = list_len(vm, items);
  if (n == 0) return list_new(vm, 0);
  reap(vm);
  uint32_t got = places_take(vm, workers < n ? workers : (uint32_t)n);
  if (!got) return too_many(vm);
  Value out = job_run(vm, items, fn, got);
  places_give(vm->family, got);
  return out;
}
