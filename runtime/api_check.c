/* api_check.c - the rules of oxbow.h, looked after where that costs time: in debug builds, those
 * made with -DOX_DEBUG. Whoever breaks one is told which on standard error, and the process aborts,
 * so that a debugger stands at the call.
 *
 * Release builds give OX_MISUSE (or nothing, where a function has no status) for what they notice
 * anyway, see api_broken; these checks are not in them. */
#include <stdio.h>
#include <stdlib.h>

#include "api.h"

ox_Status api_broken(ox_VM *vm, const char *function, const char *rule, ox_Value *result) {
#ifdef OX_DEBUG
  (void)vm, (void)result;
  api_abort(function, rule);
#else
  if (result) *result = ox_none();
  return api_misuse_in(vm, function, rule);
#endif
}

#ifdef OX_DEBUG

#include <pthread.h>

/* A scope that closes is followed by a collection, so that values it alone kept alive are gone when
 * they are used again: the first so many times, and then now and again. */
enum { COLLECT_FIRST = 256, COLLECT_EACH = 64 };

void api_abort(const char *function, const char *rule) {
  fprintf(stderr, "oxbow: %s: broken rule: %s\n", function, rule);
  fflush(stderr);
  abort();
}

ApiCall api_call_begin(ox_VM *vm, const char *function) {
  if (!vm) api_abort(function, "the VM is NULL");
  if (gc_is_collecting(vm->gc)) api_abort(function, "a finalizer must not call into its VM");
  Api *api = api_of(vm);
  uintptr_t nobody = 0, me = (uintptr_t)pthread_self();
  if (api->owner != me &&
      !__atomic_compare_exchange_n(&api->owner, &nobody, me, false, __ATOMIC_SEQ_CST,
                                   __ATOMIC_SEQ_CST))
    api_abort(function, "another thread is inside this VM: one thread at a time");
  api->inside++;
  vm_wake(vm);
  return (ApiCall){api};
}

void api_call_end(ApiCall *call) {
  if (--call->api->inside == 0) __atomic_store_n(&call->api->owner, 0, __ATOMIC_SEQ_CST);
}

/* A value of another VM looks like one of this: it names a place in the heap. That there is an
 * object of its kind is likely only for a value of this VM that is still alive. */
void api_check_value(ox_VM *vm, const char *function, ox_Value value) {
  Value v = in(value);
  if (!v_is_ref(v)) return;
  if (!gc_holds(vm->gc, v_ref(v)) || ((Header *)vm_deref(vm, v))->kind != v_kind(v))
    api_abort(function, "a value is of another VM, or no longer alive: pin it, or use it before "
                        "its scope closes");
}

void api_check_values(ox_VM *vm, const char *function, int64_t count, const ox_Value *values) {
  if (count > 0 && !values) api_abort(function, "the values are NULL, but not their number");
  for (int64_t i = 0; i < count; i++) api_check_value(vm, function, values[i]);
}

void api_scope_opened(ox_VM *vm, uint32_t scope) {
  Api *api = api_of(vm);
  if (api->nscopes == api->scopes_cap) {
    uint32_t cap = api->scopes_cap ? 2 * api->scopes_cap : 16;
    uint32_t *more = realloc(api->scopes, cap * sizeof *more);
    if (!more) return; /* closing it will not be checked, nor those outside of it */
    api->scopes = more;
    api->scopes_cap = cap;
  }
  api->scopes[api->nscopes++] = scope;
}

/* Scopes that nothing was made between have the same number. */
void api_scope_closing(ox_VM *vm, const char *function, uint32_t scope) {
  Api *api = api_of(vm);
  uint32_t n = api->nscopes;
  while (n > api->scopes_from && api->scopes[n - 1] > scope) n--;
  if (n == api->scopes_from || api->scopes[n - 1] != scope)
    api_abort(function, "this scope is not open: it was closed before, or with a scope outside of it");
  api->nscopes = n - 1;
}

void api_scope_closed(ox_VM *vm) {
  Api *api = api_of(vm);
  if (api->closes++ < COLLECT_FIRST || api->closes % COLLECT_EACH == 0) gc_collect(vm->gc);
}

#endif
