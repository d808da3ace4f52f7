/* api_fork.c - the C API: forks, and what of the API's own state they get. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "fork.h"

bool api_fork(ox_VM *vm, ox_VM *child) {
  const Api *api = api_of(vm);
  Api *own = calloc(1, sizeof *own);
  if (!own) return false;
  child->api = own;
  child->free_api = api_free;
  own->config = api->config;
  own->report.colour = api->report.colour;
  memcpy(own->denied, api->denied, sizeof own->denied);
  if (vm->denied) child->denied = own->denied;
  own->npins = api->npins;
  own->pinned = api->pinned;
  api_fork_types(api, own);
  return api_fork_functions(vm, child);
}

/* What the host can use in the one, it can use in the other. */
static bool copy_roots(const ox_VM *vm, ox_VM *child) {
  if (!vm->nroots) return true;
  child->roots = malloc(vm->nroots * sizeof *child->roots);
  if (!child->roots) return false;
  memcpy(child->roots, vm->roots, vm->nroots * sizeof *child->roots);
  child->nroots = child->roots_cap = vm->nroots;
  return true;
}

ox_Status ox_fork(ox_VM *vm, ox_VM **out) {
  API_CALL(vm);
  if (!out) return api_broken(vm, __func__, "there is no place for the fork", NULL);
  *out = NULL;
  if (vm->run_depth > 0 || gc_is_collecting(vm->gc))
    return api_misuse(vm, "VMs are forked by the host between its calls, not in functions that a "
                          "program runs; programs call fork() themselves");
  uint32_t mark = api_enter(vm);
  vm_flush(vm);
  ox_VM *child = vm_fork_asleep(vm);
  if (child && copy_roots(vm, child)) {
    *out = child;
    return api_leave(vm, mark, V_NIL, NULL);
  }
  vm_free(child);
  return api_leave(vm, mark, vm_throw_oom(vm), NULL);
}

void ox_fork_stats(ox_VM *vm, ox_ForkStats *stats) {
  API_CALL(vm);
  if (!api_has_room(vm, __func__, stats)) return;
  GcForkStats s;
  gc_fork_stats(vm->gc, &s);
  ox_ForkStats all = {sizeof all,    s.forks,       s.whole,   s.copied,  s.last_copied,
                      s.last_shared, s.last_ns,     s.changed, s.alive,   s.idle,
                      s.idle_bytes};
  api_fill(stats, &all, sizeof all);
}
