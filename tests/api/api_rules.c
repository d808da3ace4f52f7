// api_rules.c - hosts that break the rules of oxbow.h.
//
// Built for debugging (-DOX_DEBUG, as the sanitizers' builds are) the library must say which rule was
// broken and abort: each test runs in a child, whose standard error is read. As released it gives a
// status, or does nothing.
#include "rules.h"

#include <pthread.h>
#include <stdatomic.h>

// The same where other builds give OX_MISUSE: the child checks that.
static void want_misuse(ox_Status status, ox_VM *vm) {
  if (status != OX_MISUSE || ox_error(vm)->status != OX_MISUSE) _exit(9);
}

// ---------------------------------------------------------------------------------------------
// Threads

static atomic_int inside, leave;

static ox_Value wait_inside(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)vm, (void)context, (void)argc, (void)argv;
  atomic_store(&inside, 1);
  while (!atomic_load(&leave)) usleep(1000);
  return ox_nil();
}

static void *run_waiting(void *vm) {
  ox_eval(vm, "wait()", 6, "thread", NULL);
  return NULL;
}

static void two_threads(void) {
  if (!debug_build()) return; // anything may happen
  ox_VM *vm = ox_new(NULL);
  pthread_t thread;
  ox_set(vm, "wait", ox_function(vm, "wait()", NULL, wait_inside, NULL, NULL));
  pthread_create(&thread, NULL, run_waiting, vm);
  while (!atomic_load(&inside)) usleep(1000);
  ox_eval(vm, "1", 1, "second", NULL);
}

Test(misuse, two_threads_at_once) { expect_rule(two_threads, "ox_eval", "one thread at a time"); }

// One after the other is allowed, and so is an interrupt from anywhere.
Test(misuse, threads_in_turn_are_fine) {
  ox_VM *vm = ox_new(NULL);
  pthread_t thread;
  atomic_store(&leave, 1);
  ox_set(vm, "wait", ox_function(vm, "wait()", NULL, wait_inside, NULL, NULL));
  pthread_create(&thread, NULL, run_waiting, vm);
  pthread_join(thread, NULL);
  cr_assert_eq(ox_eval(vm, "1", 1, "second", NULL), OX_OK);
  ox_free(vm);
}

// ---------------------------------------------------------------------------------------------
// Values that are none of the VM's

static void value_of_another(void) {
  if (!debug_build()) return;
  ox_VM *a = ox_new(NULL), *b = ox_new(NULL);
  ox_Value v = ox_none();
  for (int i = 0; i < 20000; i++) v = ox_list(a, NULL, 0); // at a place that b has never used
  ox_show(b, v, false);
}

Test(misuse, value_of_another_vm) { expect_rule(value_of_another, "ox_show", "of another VM"); }

static void value_of_closed_scope(void) {
  if (!debug_build()) return;
  ox_VM *vm = ox_new(NULL);
  ox_Scope scope = ox_scope_open(vm);
  ox_Value v = ox_list(vm, NULL, 0);
  ox_scope_close(vm, scope);
  ox_push(vm, v, ox_nil());
}

Test(misuse, value_after_its_scope) {
  expect_rule(value_of_closed_scope, "ox_push", "no longer alive");
}

static void argument_of_closed_scope(void) {
  if (!debug_build()) return;
  ox_VM *vm = ox_new(NULL);
  ox_Value print;
  ox_get(vm, "print", &print);
  ox_Scope scope = ox_scope_open(vm);
  ox_Value v = ox_map(vm);
  ox_scope_close(vm, scope);
  ox_call(vm, print, 1, &v, NULL);
}

Test(misuse, argument_after_its_scope) {
  expect_rule(argument_of_closed_scope, "ox_call", "no longer alive");
}

// A pin, or a living list, is enough.
Test(misuse, pinned_and_reachable_values_are_fine) {
  ox_VM *vm = ox_new(NULL);
  ox_Value list = ox_list(vm, NULL, 0);
  ox_Scope scope = ox_scope_open(vm);
  ox_Value pinned = ox_list(vm, NULL, 0), held = ox_list(vm, NULL, 0);
  cr_assert(ox_pin(vm, pinned));
  ox_push(vm, list, held);
  ox_scope_close(vm, scope);
  cr_assert_eq(ox_push(vm, pinned, ox_nil()), OX_OK);
  cr_assert_eq(ox_push(vm, held, ox_nil()), OX_OK);
  ox_unpin(vm, pinned);
  ox_free(vm);
}

static void number_from_string(void) {
  ox_VM *vm = ox_new(NULL);
  if (ox_as_int(vm, ox_text(vm, "5")) != 0) _exit(9);
}

static void float_from_nothing(void) {
  ox_VM *vm = ox_new(NULL);
  if (ox_as_float(vm, ox_none()) != 0) _exit(9);
}

Test(misuse, number_of_a_string) {
  expect_rule(number_from_string, "ox_as_int", "look at ox_type first");
  expect_rule(float_from_nothing, "ox_as_float", "look at ox_type first");
}

// ---------------------------------------------------------------------------------------------
// Scopes and pins

static void scope_twice(void) {
  ox_VM *vm = ox_new(NULL);
  ox_Scope scope = ox_scope_open(vm);
  ox_list(vm, NULL, 0);
  ox_scope_close(vm, scope);
  ox_scope_close(vm, scope);
}

static void scope_out_of_order(void) {
  ox_VM *vm = ox_new(NULL);
  ox_Scope outer = ox_scope_open(vm);
  ox_list(vm, NULL, 0);
  ox_Scope inner = ox_scope_open(vm);
  ox_list(vm, NULL, 0);
  ox_scope_close(vm, outer);
  ox_scope_close(vm, inner);
}

static ox_Scope outside;

static ox_Value close_outside(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  ox_scope_close(vm, outside);
  return ox_nil();
}

static void scope_of_the_caller(void) {
  if (!debug_build()) return;
  ox_VM *vm = ox_new(NULL);
  outside = ox_scope_open(vm);
  ox_set(vm, "f", ox_function(vm, "f()", NULL, close_outside, NULL, NULL));
  ox_eval(vm, "f()", 3, "test", NULL);
}

Test(misuse, scopes_out_of_order) {
  expect_rule(scope_twice, "ox_scope_close", "this scope is not open");
  expect_rule(scope_out_of_order, "ox_scope_close", "this scope is not open");
  expect_rule(scope_of_the_caller, "ox_scope_close", "this scope is not open");
}

// Closing an outer scope closes the inner ones; a native function need not close its own.
static ox_Value open_inside(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  ox_scope_open(vm);
  return ox_list(vm, NULL, 0);
}

Test(misuse, scopes_in_order_are_fine) {
  ox_VM *vm = ox_new(NULL);
  ox_Scope outer = ox_scope_open(vm);
  ox_scope_open(vm);
  ox_set(vm, "f", ox_function(vm, "f()", NULL, open_inside, NULL, NULL));
  cr_assert_eq(ox_eval(vm, "f()", 3, "test", NULL), OX_OK);
  ox_scope_close(vm, outer);
  ox_free(vm);
}

static void unpin_twice(void) {
  ox_VM *vm = ox_new(NULL);
  ox_Value v = ox_list(vm, NULL, 0);
  ox_pin(vm, v);
  ox_unpin(vm, v);
  ox_unpin(vm, v);
}

Test(misuse, unpinned_too_often) { expect_rule(unpin_twice, "ox_unpin", "not pinned"); }

// ---------------------------------------------------------------------------------------------
// At the wrong time

static ox_VM *finalizing;

static void finalize(void *object) {
  (void)object;
  ox_eval(finalizing, "1", 1, "finalizer", NULL);
}

static void call_in_finalizer(void) {
  static const ox_ForeignType type = {.size = sizeof type, .name = "thing", .finalize = finalize};
  if (!debug_build()) return;
  ox_VM *vm = finalizing = ox_new(NULL);
  ox_Scope scope = ox_scope_open(vm);
  ox_foreign(vm, &type, vm);
  ox_scope_close(vm, scope);
  ox_collect(vm);
}

Test(misuse, call_from_a_finalizer) {
  expect_rule(call_in_finalizer, "ox_eval", "a finalizer must not call");
}

static ox_Value free_inside(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  ox_free(vm);
  return ox_nil();
}

static void free_running(void) {
  ox_VM *vm = ox_new(NULL);
  ox_set(vm, "f", ox_function(vm, "f()", NULL, free_inside, NULL, NULL));
  if (ox_eval(vm, "f()\n1 + 1", 9, "test", NULL) != OX_OK) _exit(9);
  ox_free(vm);
}

Test(misuse, free_of_a_running_vm) { expect_rule(free_running, "ox_free", "the VM is running"); }

static void throw_outside(void) {
  ox_VM *vm = ox_new(NULL);
  ox_throw(vm, NULL, "nobody listens");
  if (ox_eval(vm, "1", 1, "test", NULL) != OX_OK) _exit(9);
}

Test(misuse, throw_outside_of_a_function) {
  expect_rule(throw_outside, "ox_throw", "no native function is running");
}

// ---------------------------------------------------------------------------------------------
// NULL

static void null_vm(void) {
  if (debug_build()) ox_eval(NULL, "1", 1, "test", NULL);
}

static void null_text(void) {
  ox_VM *vm = ox_new(NULL);
  want_misuse(ox_eval(vm, NULL, 5, "test", NULL), vm);
}

static void null_name(void) {
  ox_VM *vm = ox_new(NULL);
  want_misuse(ox_set(vm, NULL, ox_nil()), vm);
}

static void null_name_of_text(void) {
  ox_VM *vm = ox_new(NULL);
  want_misuse(ox_run(vm, "1", 1, NULL, NULL), vm);
}

static void null_path(void) {
  ox_VM *vm = ox_new(NULL);
  want_misuse(ox_run_file(vm, NULL, NULL), vm);
}

static void null_member(void) {
  ox_VM *vm = ox_new(NULL);
  want_misuse(ox_member(vm, ox_map(vm), NULL, NULL), vm);
}

static void null_bytes(void) {
  ox_VM *vm = ox_new(NULL);
  if (!ox_is_none(ox_string(vm, NULL, 3))) _exit(9);
  want_misuse(ox_error(vm)->status, vm);
}

static void null_function(void) {
  ox_VM *vm = ox_new(NULL);
  if (!ox_is_none(ox_function(vm, "f()", NULL, NULL, NULL, NULL))) _exit(9);
  want_misuse(ox_error(vm)->status, vm);
}

static void type_without_size(void) {
  static const ox_ForeignType type = {.name = "thing"};
  ox_VM *vm = ox_new(NULL);
  if (!ox_is_none(ox_foreign(vm, &type, vm))) _exit(9);
  want_misuse(ox_error(vm)->status, vm);
}

static void null_arguments(void) {
  ox_VM *vm = ox_new(NULL);
  ox_Value print;
  ox_get(vm, "print", &print);
  want_misuse(ox_call(vm, print, 2, NULL, NULL), vm);
}

Test(misuse, null) {
  expect_rule(null_vm, "ox_eval", "the VM is NULL");
  expect_rule(null_text, "ox_eval", "NULL");
  expect_rule(null_name, "ox_set", "the name is NULL");
  expect_rule(null_name_of_text, "ox_run", "NULL");
  expect_rule(null_path, "ox_run_file", "the path is NULL");
  expect_rule(null_member, "ox_member", "the name is NULL");
  expect_rule(null_bytes, "ox_string", "the bytes are NULL");
  expect_rule(null_function, "ox_function", "NULL");
  expect_rule(type_without_size, "ox_foreign", "its size is not set");
  expect_rule(null_arguments, "ox_call", "the values are NULL");
}

// An empty text may be NULL everywhere.
Test(misuse, nothing_may_be_null) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(ox_eval(vm, NULL, 0, "empty", NULL), OX_OK);
  cr_assert_eq(ox_length(vm, ox_string(vm, NULL, 0)), 0);
  cr_assert_eq(ox_length(vm, ox_list(vm, NULL, 0)), 0);
  ox_free(vm);
}
