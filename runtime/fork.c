/* fork.c - a second VM that goes on from the state of the first.
 *
 * The heap is copied by gc_fork, and with it everything that the program can see. What lies beside
 * it is made anew for the child here: the caches are copied, since they speak of the same state;
 * foreign objects have stayed behind; callbacks of the host are shared.
 *
 * A budget is shared with tasks by a pool. Each VM draws a portion at a time; what is left of
 * one goes back at the end. */
#include "fork.h"

#include <stdlib.h>
#include <string.h>

#include "fiber.h"
#include "import.h"
#include "interp.h"
#include "native.h"
#include "snapshot.h"
#include "task.h"

/* What is of the interpreter and not of the state. */
static void copy_settings(const ox_VM *vm, ox_VM *child) {
  child->cage = gc_base(child->gc);
  child->st = (VmState *)(child->cage + GC_ROOT_OFF);
  child->max_c_depth = vm->max_c_depth;
  child->max_stack = vm->max_stack;
  child->fuel_limit = vm->fuel_limit + (vm->fuel_pool ? fork_pool_fuel(vm) : 0);
  child->fuel_limited = vm->fuel_limited;
  child->fuel_given = vm->fuel_given;
  child->write = vm->write;
  child->write_ctx = vm->write_ctx;
  child->write_error = vm->write_error;
  child->write_lines = vm->write_lines;
  child->snapshot_stress = vm->snapshot_stress;
  child->argc = vm->argc;
  child->argv = vm->argv;
  child->start_ns = vm->start_ns;
  child->restored = vm->restored;
  child->mark_extra = vm->mark_extra;
  child->fork_api = vm->fork_api;
  child->max_tasks = vm->max_tasks;
  child->is_task = vm->is_task;
  child->shared_functions = vm->shared_functions;
  child->callee = V_NIL;
  child->entry_fiber = vm->st->fiber;
}

/* What of the state means something to the parent alone. */
static bool has_nothing_to_forget(const VmState *st) {
  return !st->snapshot_handles && st->error == V_ABSENT && !st->hold_depth && !st->held_len &&
         st->held == V_NIL;
}

static void forget_parent(ox_VM *child) {
  child->st->snapshot_handles = 0;
  child->st->error = V_ABSENT;
  child->st->hold_depth = 0; /* what is held back is the parent's */
  child->st->held = V_NIL;
  child->st->held_len = 0;
}

static uint64_t cache_bytes(const ox_VM *vm) { return vm->st->next_cache * sizeof(InlineCache); }

/* Pages that are the same stay shared, in a fork that shares any. */
static void copy_caches(const ox_VM *vm, ox_VM *child) {
  const uint8_t *from = vm->cage - GC_CACHE_OFF;
  uint8_t *to = child->cage - GC_CACHE_OFF;
  for (uint64_t at = 0, n, bytes = cache_bytes(vm); at < bytes; at += n) {
    n = bytes - at < GC_PAGE ? bytes - at : GC_PAGE;
    if (memcmp(to + at, from + at, n) != 0) memcpy(to + at, from + at, n);
  }
}

static bool take_over(ox_VM *vm, ox_VM *child) {
  copy_settings(vm, child);
  task_join_family(vm, child); /* the callbacks for output may be the family's */
  child->born_caches = vm->st->next_cache;
  if (!child->asleep) forget_parent(child);
  if (!import_fork(vm, child) || !foreign_fork(vm, child)) return false;
  if (vm->fork_api && !vm->fork_api(vm, child)) return false;
  if (child->asleep) return true;
  copy_caches(vm, child);
  snapshot_reopen(child);
  return true;
}

ox_VM *vm_fork_asleep(ox_VM *vm) {
  ox_VM *child = calloc(1, sizeof *child);
  if (!child) return NULL;
  fiber_note_used(vm);
  gc_set_cache_bytes(vm->gc, cache_bytes(vm));
  child->gc = gc_fork_asleep(vm->gc, child);
  snapshot_reopen(vm);
  child->asleep = child->gc && gc_is_asleep(child->gc);
  if (child->gc && take_over(vm, child)) {
    if (!has_nothing_to_forget(vm->st)) vm_wake(child);
    return child;
  }
  vm_free(child);
  return NULL;
}

ox_VM *vm_fork(ox_VM *vm) {
  ox_VM *child = vm_fork_asleep(vm);
  if (child) vm_wake(child);
  return child;
}

/* What forks that sleep share are the parent's caches, too. */
void vm_wake(ox_VM *vm) {
  if (!vm->asleep) return;
  vm->asleep = false;
  gc_wake(vm->gc);
  forget_parent(vm);
  snapshot_reopen(vm);
}

void fork_forget(ox_VM *vm) {
  uint64_t born = vm->born_caches, used = vm->st->next_cache;
  InlineCache *caches = (InlineCache *)(vm->cage - GC_CACHE_OFF);
  if (used > born) memset(caches + born, 0, (used - born) * sizeof *caches);
}

/* ---- budgets --------------------------------------------------------------------------------- */

struct FuelPool {
  uint64_t left;  /* atomic, like */
  uint32_t users;
};

/* What is drawn at a time: little, for a VM that waits keeps what it has drawn, and nobody is to
 * end for want of a budget of which much is left. */
enum { PORTION = 1 << 12 };

static FuelPool *pool_of(ox_VM *vm) {
  if (vm->fuel_pool) return vm->fuel_pool;
  FuelPool *pool = malloc(sizeof *pool);
  if (!pool) return NULL;
  *pool = (FuelPool){vm->fuel_limit, 1};
  vm->fuel_limit = 0;
  return vm->fuel_pool = pool;
}

bool fork_share_fuel(ox_VM *vm, ox_VM *child) {
  if (!vm->fuel_limited) return true;
  FuelPool *pool = pool_of(vm);
  if (!pool) return false;
  __atomic_add_fetch(&pool->users, 1, __ATOMIC_RELAXED);
  child->fuel_pool = pool;
  child->fuel_limit = 0;
  child->st->fuel = 0;
  fork_draw_fuel(child, 0);
  return true;
}

bool fork_draw_fuel(ox_VM *vm, uint64_t want) {
  uint64_t most = want > PORTION ? want : PORTION;
  uint64_t *left = &vm->fuel_pool->left, there = __atomic_load_n(left, __ATOMIC_RELAXED), n;
  do {
    n = there < most ? there : most;
  } while (!__atomic_compare_exchange_n(left, &there, there - n, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
  vm->fuel_limit += n;
  return n > 0;
}

uint64_t fork_pool_fuel(const ox_VM *vm) {
  return __atomic_load_n(&vm->fuel_pool->left, __ATOMIC_RELAXED);
}

void fork_leave_pool(ox_VM *vm) {
  FuelPool *pool = vm->fuel_pool;
  uint64_t unused = vm->fuel_limit + (vm->st ? vm->st->fuel : 0);
  vm->fuel_pool = NULL;
  vm->fuel_limit = 0;
  if (unused == 1) unused = 0; /* the one that stays when all is used up */
  __atomic_add_fetch(&pool->left, unused, __ATOMIC_RELAXED);
  if (__atomic_sub_fetch(&pool->users, 1, __ATOMIC_ACQ_REL) == 0) free(pool);
}
