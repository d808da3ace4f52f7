// Functions and objects of the host, limits.
#include <pthread.h>
#include <unistd.h>

#include "helpers.h"

static ox_Value twice(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  cr_assert_eq(argc, 1);
  if (context) ++*(int *)context;
  return ox_int(vm, 2 * ox_as_int(vm, argv[0]));
}

static ox_Value describe(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  char text[64];
  (void)context;
  snprintf(text, sizeof text, "%d %s", argc, argc > 1 && ox_is_none(argv[1]) ? "absent" : "given");
  return ox_text(vm, text);
}

static ox_Value count_args(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  int64_t sum = 0;
  (void)context;
  for (int i = 0; i < argc; i++) sum += ox_as_int(vm, argv[i]);
  return ox_int(vm, sum * 100 + argc);
}

// Calls its argument; passes errors on.
static ox_Value apply(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  ox_Value result;
  (void)context;
  if (ox_call(vm, argv[0], argc - 1, argv + 1, &result) != OX_OK) return ox_rethrow(vm);
  return result;
}

// Calls its argument and goes on whatever happens.
static ox_Value swallow(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context;
  (void)argc;
  ox_Status status = ox_call(vm, argv[0], 0, NULL, NULL);
  return ox_int(vm, status);
}

static ox_Value fail(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context;
  (void)argc;
  (void)argv;
  return ox_throw(vm, "value", "%s failed", "it");
}

static ox_Value nothing(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)vm;
  (void)context;
  (void)argc;
  (void)argv;
  return ox_none();
}

static void give(ox_VM *vm, const char *signature, ox_Function function, void *context) {
  char name[32];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(signature, "("), signature);
  cr_assert_eq(ox_set(vm, name, ox_function(vm, signature, NULL, function, context, NULL)), OX_OK);
}

Test(functions, are_called) {
  ox_VM *vm = ox_new(NULL);
  int calls = 0;
  give(vm, "twice(n)", twice, &calls);
  cr_assert_eq(int_of(vm, "twice(21)"), 42);
  cr_assert_eq(int_of(vm, "[1, 2, 3].map(twice).reduce(fn(a, b) => a + b)"), 12);
  cr_assert_eq(calls, 4);
  done(vm);
}

Test(functions, check_their_arguments) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "twice(n)", twice, NULL);
  give(vm, "describe(a, b = nil)", describe, NULL);
  give(vm, "count(...numbers)", count_args, NULL);
  cr_assert_eq(eval(vm, "twice()", NULL), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "twice");
  cr_assert_eq(eval(vm, "twice(1, 2)", NULL), OX_THROWN);
  assert_shows(vm, value_of(vm, "describe(1)"), "\"2 absent\"");
  assert_shows(vm, value_of(vm, "describe(1, nil)"), "\"2 given\"");
  assert_shows(vm, value_of(vm, "describe(b: 1, a: 2)"), "\"2 given\"");
  cr_assert_eq(int_of(vm, "count()"), 0);
  cr_assert_eq(int_of(vm, "count(1, 2, 3)"), 603);
  cr_assert_eq(int_of(vm, "let xs = []\nfor i in 1..=40 { xs.push(i) }\ncount(...xs)"), 82040);
  done(vm);
}

// Throws an error of the kind that it is given.
static ox_Value fail_as(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context;
  (void)argc;
  return ox_throw(vm, ox_as_string(vm, argv[0], NULL), "failed");
}

// Kinds of the host's own, and those that are not for hosts: they could not be caught.
Test(functions, throw_any_kind) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "fail_as(kind)", fail_as, NULL);
  assert_shows(vm, value_of(vm, "[\"game\", \"io\", \"interrupt\", \"fuel\"].map(fn(k) => "
                                "try { fail_as(k) } catch e { e.kind })"),
               "[\"game\", \"io\", \"error\", \"error\"]");
  cr_assert_eq(eval(vm, "fail_as(\"game\")", NULL), OX_THROWN);
  cr_assert_str_eq(ox_error(vm)->kind, "game");
  ox_Value kind;
  cr_assert_eq(ox_member(vm, ox_new_error(vm, "over", "%d", 7), "kind", &kind), OX_OK);
  assert_shows(vm, kind, "\"over\"");
  done(vm);
}

Test(functions, throw) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "fail()", fail, NULL);
  give(vm, "nothing()", nothing, NULL);
  assert_shows(vm, value_of(vm, "try { fail() } catch e { \"${e.kind}: ${e.message}\" }"),
               "\"value: it failed\"");
  cr_assert_eq(eval(vm, "fail()", NULL), OX_THROWN);
  cr_assert_str_eq(ox_error(vm)->kind, "value");
  cr_assert_eq(eval(vm, "nothing()", NULL), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "nothing()");
  done(vm);
}

// Makes many values and returns one.
static ox_Value litter(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  ox_Value last = ox_nil();
  (void)context;
  (void)argc;
  (void)argv;
  for (int i = 0; i < 100; i++) last = ox_list(vm, &last, 1);
  return last;
}

Test(functions, leave_nothing_behind) {
  ox_VM *vm = ox_new(NULL);
  ox_Stats before = {.size = sizeof before}, after = before;
  give(vm, "litter()", litter, NULL);
  ox_stats(vm, &before);
  value_of(vm, "for i in 0..10000 { litter() }");
  ox_stats(vm, &after);
  cr_assert_eq(after.scope_values, before.scope_values);
  ox_collect(vm);
  ox_stats(vm, &after);
  cr_assert(after.live_bytes < before.used_bytes + (1 << 20));
  done(vm);
}

Test(functions, pass_errors_through) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "apply(f, ...args)", apply, NULL);
  assert_shows(vm, value_of(vm, "try { apply(fn() { throw {a: 1} }) } catch e { e }"), "{a: 1}");
  cr_assert_eq(int_of(vm, "apply(fn(a, b) => a - b, 7, 3)"), 4);
  cr_assert_eq(int_of(vm, "apply(apply, apply, fn(x) => x + 1, 1)"), 2);
  done(vm);
}

// Who called with the wrong number of arguments: the host's function, or the host itself.
Test(functions, are_named_where_their_callbacks_do_not_fit) {
  ox_VM *vm = ox_new(NULL);
  ox_Value one;
  ox_set(vm, "apply", ox_function(vm, "apply(f, ...args)", NULL, apply, NULL, NULL));
  cr_assert_eq(eval(vm, "fn one(a) => a\napply(one)", NULL), OX_THROWN);
  cr_expect_str_eq(ox_error(vm)->message, "one(a) takes 1 argument, but apply calls it with 0");
  cr_assert_eq(eval(vm, "apply(fn() => one())", NULL), OX_THROWN);
  cr_expect_str_eq(ox_error(vm)->message, "one(a) takes 1 argument, got 0: `a` is missing");
  ox_get(vm, "one", &one);
  cr_assert_eq(ox_call(vm, one, 0, NULL, NULL), OX_THROWN);
  cr_expect_str_eq(ox_error(vm)->message, "one(a) takes 1 argument, got 0: `a` is missing");
  ox_free(vm);
}

Test(functions, nest_deeply) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "apply(f, ...args)", apply, NULL);
  value_of(vm, "fn deep(n) { return if n == 0 { 0 } else { 1 + apply(deep, n - 1) } }");
  cr_assert_eq(int_of(vm, "deep(50)"), 50);
  cr_assert_eq(eval(vm, "deep(1000000)", NULL), OX_THROWN);
  assert_text_has(ox_error(vm)->kind, "stack overflow");
  cr_assert_eq(int_of(vm, "deep(50)"), 50);
  done(vm);
}

static void count_end(void *context) { ++*(int *)context; }

Test(functions, end_with_the_machine_or_before) {
  ox_VM *vm = ox_new(NULL);
  int ended = 0;
  ox_Scope scope = ox_scope_open(vm);
  for (int i = 0; i < 100; i++) ox_function(vm, "f(n)", "doc", twice, &ended, count_end);
  ox_set(vm, "kept", ox_function(vm, "f(n)", NULL, twice, &ended, count_end));
  ox_scope_close(vm, scope);
  ox_collect(vm);
  cr_assert(ended >= 90, "only %d of 100 ended", ended);
  cr_assert_eq(int_of(vm, "kept(2)"), 4);
  ended = 0;
  ox_free(vm);
  cr_assert(ended >= 1);
}

Test(functions, malformed_signatures) {
  ox_VM *vm = ox_new(NULL);
  int ended = 0;
  cr_assert(ox_is_none(ox_function(vm, "f(", NULL, twice, &ended, count_end)));
  cr_assert(ox_is_none(ox_function(vm, "", NULL, twice, &ended, count_end)));
  cr_assert_eq(ended, 2);
  assert_text_has(ox_error(vm)->message, "looks like");
  done(vm);
}

typedef struct Point {
  int x;
} Point;

static int points_alive;
static void point_end(void *object) {
  points_alive--;
  free(object);
}
static const ox_ForeignType point_type = {
    .size = sizeof(ox_ForeignType), .name = "HostPoint", .finalize = point_end};
static const ox_ForeignType other_type = {.size = sizeof(ox_ForeignType), .name = "Other"};

static ox_Value point_new(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context;
  (void)argc;
  Point *p = malloc(sizeof *p);
  if (!p) return ox_throw(vm, "out of memory", "no memory for a point");
  p->x = (int)ox_as_int(vm, argv[0]);
  points_alive++;
  return ox_foreign(vm, &point_type, p);
}

static ox_Value point_x(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context;
  (void)argc;
  Point *p = ox_foreign_object(vm, argv[0], &point_type);
  return p ? ox_int(vm, p->x) : ox_throw(vm, "type", "this is no HostPoint");
}

Test(objects, belong_to_the_machine) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "point(x)", point_new, NULL);
  give(vm, "x_of(p)", point_x, NULL);
  cr_assert_eq(int_of(vm, "let p = point(5)\nx_of(p)"), 5);
  cr_assert_eq(eval(vm, "x_of(3)", NULL), OX_THROWN);
  assert_shows(vm, value_of(vm, "type(p)"), "\"HostPoint\"");
  ox_Value p;
  ox_get(vm, "p", &p);
  cr_assert_eq(ox_type(p), OX_TYPE_FOREIGN);
  cr_assert_null(ox_foreign_object(vm, p, &other_type));
  value_of(vm, "for i in 0..1000 { point(i) }");
  ox_collect(vm);
  cr_assert(points_alive < 500, "%d alive", points_alive);
  cr_assert_eq(int_of(vm, "x_of(p)"), 5);
  ox_free(vm);
  cr_assert_eq(points_alive, 0);
}

// Whatever the limit is, and whatever filled it.
static void recover_at(uint64_t limit) {
  ox_VM *vm = vm_limited_to(limit);
  const char *fill = "let xs = []\nlet i = 0\nwhile true { xs.push([i, \"${i}\"]); i += 1 }";
  cr_assert_eq(eval(vm, fill, NULL), OX_NO_MEMORY);
  cr_assert_eq(eval(vm, "xs = nil", NULL), OX_OK, "with %llu bytes", (unsigned long long)limit);
  cr_assert_eq(int_of(vm, "i - i + 7"), 7);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

Test(limits, memory) {
  for (uint64_t mb = 4; mb <= 40; mb += 4) recover_at(mb << 20);
  ox_VM *vm = vm_limited_to(24 << 20);
  cr_assert_eq(eval(vm, "let xs = []\nwhile true { xs.push([1, 2, 3]) }", NULL), OX_NO_MEMORY);
  cr_assert_str_eq(ox_error(vm)->kind, "out of memory");
  cr_assert_eq(eval(vm, "xs = nil", NULL), OX_OK); // there is a reserve for compiling a line
  cr_assert_eq(int_of(vm, "1 + 1"), 2);
  ox_Value caught = value_of(vm, "try { \"x\".repeat(100000000) } catch e { \"caught\" }");
  assert_shows(vm, caught, "\"caught\"");
  ox_Stats stats = {.size = sizeof stats};
  ox_stats(vm, &stats);
  cr_assert(stats.committed_bytes + stats.external_bytes <= (24 << 20) + (512 << 10));
  done(vm);
}

Test(limits, memory_for_the_host) {
  ox_VM *vm = vm_limited_to(16 << 20);
  int made = 0;
  while (!ox_is_none(ox_list(vm, NULL, 0)) && made < 10000000) made++;
  cr_assert(made > 1000 && made < 10000000);
  cr_assert_eq(ox_error(vm)->status, OX_NO_MEMORY);
  ox_free(vm);
}

Test(limits, fuel) {
  ox_VM *vm = ox_new(NULL);
  ox_set_fuel(vm, 10000);
  cr_assert_eq(eval(vm, "while true { try { while true {} } catch e {} }", NULL), OX_NO_FUEL);
  cr_assert_eq(ox_fuel(vm), 0);
  cr_assert_eq(eval(vm, "let i = 0; while i < 100 { i += 1 }", NULL), OX_NO_FUEL);
  ox_set_fuel(vm, 0);
  cr_assert_eq(int_of(vm, "let n = 0; while n < 100000 { n += 1 }; n"), 100000);
  done(vm);
}

Test(limits, fuel_is_deterministic) {
  uint64_t left[2];
  for (int i = 0; i < 2; i++) {
    ox_VM *vm = ox_new(NULL);
    ox_set_fuel(vm, 1000000);
    value_of(vm, "let xs = range(0, 1000) |> map(fn(x) => x * x)\nxs.sort(fn(a, b) => b - a)");
    left[i] = ox_fuel(vm);
    done(vm);
  }
  cr_assert_eq(left[0], left[1]);
  cr_assert(left[0] > 0 && left[0] < 1000000);
}

static void *interrupt_soon(void *vm) {
  usleep(50000);
  ox_interrupt(vm);
  return NULL;
}

Test(limits, interrupt_from_another_thread) {
  ox_VM *vm = ox_new(NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt_soon, vm);
  cr_assert_eq(eval(vm, "while true { try { while true {} } catch e {} }", NULL), OX_INTERRUPTED);
  pthread_join(thread, NULL);
  cr_assert_eq(int_of(vm, "1 + 1"), 2);
  done(vm);
}

Test(limits, interrupt_beforehand) {
  ox_VM *vm = ox_new(NULL);
  ox_interrupt(vm);
  cr_assert_eq(eval(vm, "while true {}", NULL), OX_INTERRUPTED);
  cr_assert_eq(int_of(vm, "2"), 2);
  done(vm);
}

Test(limits, natives_cannot_swallow_a_stop) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "swallow(f)", swallow, NULL);
  cr_assert_eq(int_of(vm, "swallow(fn() { throw 1 })"), OX_THROWN);
  ox_set_fuel(vm, 10000);
  cr_assert_eq(eval(vm, "while true { swallow(fn() { while true {} }) }", NULL), OX_NO_FUEL);
  ox_set_fuel(vm, 0);
  cr_assert_eq(eval(vm, "import os\nswallow(fn() { os.exit(9) })", NULL), OX_EXITED);
  cr_assert_eq(ox_exit_code(vm), 9);
  done(vm);
}
