/* The virtual machine from its own side: budgets, interrupts, memory limits, sessions, imports
 * through a host's loader, traces, calls from C. What programs alone can show is in tests/lang. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "gc/collect.h"
#include "gc/state.h"
#include "runtime/fiber.h"
#include "runtime/list.h"
#include "runtime/number.h"
#include "runtime/run.h"
#include "runtime/str.h"

static char output[4096];
static size_t output_len;

static void keep_output(void *ctx, const char *bytes, size_t n) {
  (void)ctx;
  if (output_len + n >= sizeof output) n = sizeof output - 1 - output_len;
  memcpy(output + output_len, bytes, n);
  output[output_len += n] = 0;
}

static ox_VM *vm_with(VmConfig config) {
  config.write = keep_output;
  output[output_len = 0] = 0;
  ox_VM *vm = vm_new(&config);
  cr_assert(vm != NULL);
  return vm;
}

static ox_VM *plain_vm(void) { return vm_with((VmConfig){0}); }

static VmStatus eval(ox_VM *vm, const char *text, Value *result) {
  Value ignored;
  VmText diags = {0};
  if (!result) result = &ignored;
  VmStatus status = vm_eval(vm, "<test>", text, strlen(text), result, &diags, NULL);
  vm_text_free(&diags);
  return status;
}

static int64_t eval_int(ox_VM *vm, const char *text) {
  Value v;
  cr_assert_eq(eval(vm, text, &v), VM_OK, "%s", text);
  cr_assert(num_is_int(v));
  return num_int(vm, v);
}

/* The kind of the error that text throws; it is taken. */
static const char *thrown_kind(ox_VM *vm, const char *text) {
  cr_assert_eq(eval(vm, text, NULL), VM_THROWN, "%s", text);
  Value e = error_take(vm);
  vm->unwinding_uncatchable = false;
  cr_assert(v_is(e, KIND_ERROR));
  return string_flat(vm, ((Error *)vm_deref(vm, e))->kind)->chars;
}

/* ---- budgets and interrupts ---------------------------------------------------------------- */

Test(vm, fuel_stops_loops_and_cannot_be_caught) {
  ox_VM *vm = vm_with((VmConfig){.fuel = 100000});
  cr_expect_str_eq(
      thrown_kind(vm, "try { while true { } } catch e { print(1) } finally { print(2) }"), "fuel");
  cr_expect_eq(vm_fuel_left(vm), 0);
  vm_flush(vm);
  cr_expect_str_eq(output, "");
  vm_set_fuel(vm, 1000);
  cr_expect_eq(eval_int(vm, "1 + 2"), 3);
  vm_free(vm);
}

Test(vm, fuel_is_counted_alike_in_every_run) {
  uint64_t left[2];
  for (int i = 0; i < 2; i++) {
    ox_VM *vm = vm_with((VmConfig){.fuel = 1000000});
    eval(vm, "let s = 0; for i in 0..1000 { s += [1, 2, 3].map(fn(x) => x * i).sum() }", NULL);
    left[i] = vm_fuel_left(vm);
    vm_free(vm);
  }
  cr_expect_eq(left[0], left[1]);
  cr_expect(left[0] < 1000000 - 4000 && left[0] > 900000, "%llu", (unsigned long long)left[0]);
}

Test(vm, an_interrupt_stops_the_next_run) {
  ox_VM *vm = plain_vm();
  vm_interrupt(vm);
  cr_expect_str_eq(thrown_kind(vm, "while true { }"), "interrupt");
  cr_expect_eq(eval_int(vm, "5"), 5);
  vm_free(vm);
}

/* ---- memory -------------------------------------------------------------------------------- */

Test(vm, out_of_memory_can_be_caught_again_and_again) {
  ox_VM *vm = vm_with((VmConfig){.limit_bytes = 16 << 20});
  const char *text = "let n = 0\nfor _ in 0..5 { try { let xs = []; while true { xs.push([1]) } }"
                     " catch e { if e.kind == \"out of memory\" { n += 1 } } }\nn";
  cr_expect_eq(eval_int(vm, text), 5);
  cr_expect_str_eq(thrown_kind(vm, "let ys = []; while true { ys.push({a: ys}) }"),
                   "out of memory");
  uint64_t where;
  gc_collect(vm->gc);
  cr_expect_null(gc_verify(vm->gc, &where));
  vm_free(vm);
}

Test(vm, temporary_roots_do_not_pile_up) {
  ox_VM *vm = plain_vm();
  uint32_t mark = vm_roots_mark(vm);
  for (int i = 0; i < 100; i++) eval(vm, "[1, 2, 3].map(fn(x) => \"${x}\").join(\",\")", NULL);
  cr_expect(vm_roots_mark(vm) - mark <= 100, "a result each");
  vm_free(vm);
}

/* ---- sessions ------------------------------------------------------------------------------ */

Test(session, names_live_on_from_line_to_line) {
  ox_VM *vm = plain_vm();
  eval(vm, "let a = 1\nfn twice(x) => x * factor()\nfn factor() => 2", NULL);
  cr_expect_eq(eval_int(vm, "twice(a + 3)"), 8);
  eval(vm, "fn factor() => 3", NULL);
  cr_expect_eq(eval_int(vm, "twice(1)"), 3, "the newer function is seen");
  vm_free(vm);
}

Test(session, a_line_that_does_not_compile_declares_nothing) {
  ox_VM *vm = plain_vm();
  cr_expect_eq(eval(vm, "let fresh = 1; nowhere()", NULL), VM_SYNTAX);
  cr_expect_eq(eval(vm, "fresh", NULL), VM_SYNTAX);
  cr_expect_eq(eval(vm, "fn f() {", NULL), VM_INCOMPLETE);
  cr_expect_eq(eval_int(vm, "let fresh = 2; fresh"), 2);
  vm_free(vm);
}

Test(session, a_line_that_throws_leaves_its_names_unset) {
  ox_VM *vm = plain_vm();
  cr_expect_str_eq(thrown_kind(vm, "let later = [][0]"), "index");
  cr_expect_str_eq(thrown_kind(vm, "later"), "name");
  vm_free(vm);
}

/* ---- imports ------------------------------------------------------------------------------- */

static int loads;

static char *load_from_memory(void *ctx, const char *path, size_t *len) {
  static const char *const files[][2] = {
      {"/once.oxb", "print(\"once\"); export let n = 1"},
      {"/a.oxb", "import \"once\"\nexport fn inc() => once.n"},
      {"/one.oxb", "import \"two\""},
      {"/two.oxb", "import \"one\""},
      {"/broken.oxb", "let x = "},
  };
  (void)ctx;
  loads++;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    size_t n = strlen(files[i][0]), m = strlen(path);
    if (m < n || strcmp(path + m - n, files[i][0]) != 0) continue;
    *len = strlen(files[i][1]);
    return strdup(files[i][1]);
  }
  return NULL;
}

static VmStatus load(ox_VM *vm, const char *text, VmPlace *place) {
  VmText diags = {0};
  Value module;
  VmStatus status = vm_load(vm, "main", "main.oxb", text, strlen(text), &module, &diags, place);
  if (status == VM_OK) status = vm_run(vm, module);
  vm_text_free(&diags);
  return status;
}

Test(imports, a_module_runs_once) {
  ox_VM *vm = vm_with((VmConfig){.load = load_from_memory});
  loads = 0;
  cr_expect_eq(load(vm, "import \"once\"\nimport \"a\"\nimport \"./once.oxb\" as again", NULL),
               VM_OK);
  vm_flush(vm);
  cr_expect_str_eq(output, "once\n");
  cr_expect_eq(loads, 2);
  vm_free(vm);
}

Test(imports, errors_have_their_place) {
  ox_VM *vm = vm_with((VmConfig){.load = load_from_memory});
  VmPlace place;
  cr_expect_eq(load(vm, "print(1)\nimport \"absent\"", &place), VM_SYNTAX);
  cr_expect_eq(place.line, 2);
  cr_expect_not_null(strstr(place.message, "absent"));
  cr_expect_eq(load(vm, "import \"one\"", &place), VM_SYNTAX);
  cr_expect_not_null(strstr(place.message, "cycle"), "%s", place.message);
  cr_expect_eq(load(vm, "import \"broken\"", &place), VM_SYNTAX);
  cr_expect_not_null(strstr(place.file, "broken.oxb"));
  cr_expect_eq(load(vm, "from \"once\" import m", &place), VM_SYNTAX);
  cr_expect_not_null(strstr(place.message, "`m`"));
  vm_flush(vm);
  cr_expect_str_eq(output, "", "nothing ran");
  vm_free(vm);
}

/* ---- traces -------------------------------------------------------------------------------- */

Test(traces, deep_ones_keep_both_ends) {
  ox_VM *vm = plain_vm();
  eval(vm, "fn down(n) {\n  if n == 0 { throw error(\"bottom\") }\n  return 1 + down(n - 1)\n}",
       NULL);
  cr_assert_eq(eval(vm, "down(5000)", NULL), VM_THROWN);
  Value e = error_take(vm);
  TraceFrame frame;
  int n = 0;
  while (error_frame(vm, e, n, &frame)) n++;
  cr_expect_eq(n, 80);
  cr_expect(error_frame(vm, e, 0, &frame) && frame.line == 2);
  cr_expect(error_frame(vm, e, 1, &frame) && frame.line == 3);
  cr_expect(error_frame(vm, e, 79, &frame) && frame.line == 1);
  vm_free(vm);
}

/* ---- calls from C -------------------------------------------------------------------------- */

Test(calls, classes_and_methods_from_c) {
  ox_VM *vm = plain_vm();
  Value cls, made, method;
  eval(vm, "class P { x = [1]; fn init(a, b = 2) { self.x.push(a + b) }\n"
           "  fn last() => self.x[-1] }\nP", &cls);
  Value args[2] = {v_from_int(5), v_from_int(6)};
  made = vm_call(vm, cls, 1, args);
  cr_assert(v_is(made, KIND_INSTANCE));
  method = vm_find_method(vm, made, string_intern(vm, "last", 4));
  cr_expect_eq(vm_call(vm, method, 1, &made), v_from_int(7));
  made = vm_call(vm, cls, 2, args);
  cr_expect_eq(vm_call(vm, method, 1, &made), v_from_int(11));
  cr_expect_eq(vm_call(vm, cls, 0, NULL), V_ERROR);
  cr_expect(error_pending(vm));
  error_take(vm);
  vm_free(vm);
}

Test(calls, fibers_from_c) {
  ox_VM *vm = plain_vm();
  Value f;
  bool done = false;
  eval(vm, "fiber(fn() { let got = yield 1; yield got; throw error(\"end\") })", &f);
  cr_expect_eq(fiber_step(vm, f, V_NIL, &done), v_from_int(1));
  cr_expect_eq(fiber_step(vm, f, v_from_int(9), &done), v_from_int(9));
  cr_expect(!done);
  cr_expect_eq(fiber_step(vm, f, V_NIL, &done), V_ERROR);
  cr_expect(done && error_pending(vm));
  error_take(vm);
  cr_expect_eq(fiber_step(vm, f, V_NIL, &done), V_NIL);
  cr_expect(done);
  vm_free(vm);
}

/* Classes and methods die and others take their places: inline caches must not take one for
 * another. */
Test(calls, caches_forget_dead_classes) {
  ox_VM *vm = vm_with((VmConfig){.gc_stress = true});
  const char *text = "fn use(o) => o.get() + o.x\n"
                     "fn make(i) { class A { x = i; fn get() => i * 2 }; return A() }\n"
                     "let s = 0\nfor i in 0..200 { s += use(make(i)) }\ns";
  cr_expect_eq(eval_int(vm, text), 3 * 199 * 200 / 2);
  vm_free(vm);
}

/* ---- weak maps and the collector ------------------------------------------------------------- */

/* The next major collection begins and ends without minor ones. */
static void believe_alone(Gc *gc) {
  gc->heap->policy.work = POLICY_SMALL_WORK;
  gc->heap->policy.vain = POLICY_VAIN;
  gc->heap->policy.fulls = 0;
  gc->heap->policy.old_limit = 0;
}

static void steps_to(Gc *gc, Phase phase) {
  for (unsigned i = 0; i < 10000 && gc->phase != phase; i++) {
    believe_alone(gc);
    gc->phase == PHASE_IDLE ? collect_due(gc) : collect_step(gc);
  }
  cr_assert_eq(gc->phase, phase);
}

/* A table that is made anew while a major collection marks has the keys that are dead, too; nobody
 * looks at it before it is old. */
Test(weak, maps_grow_while_marking) {
  ox_VM *vm = vm_with((VmConfig){.gc_mode = GC_INCREMENTAL});
  const char *text =
      "import weak, memory; let w = weak.map(); let kept = []\n"
      "fn age() { let a = [1]; let b = [2]; w[a] = 1; w[b] = 2; memory.collect() }\n"
      "fn fill(n) { for i in 0..n { let k = [i]; w[k] = i; kept.push(k) } }\nage(); len(w)";
  cr_assert_eq(eval_int(vm, text), 2);
  steps_to(vm->gc, PHASE_MARK);
  vm->gc->stepped_at = UINT64_MAX; /* it waits */
  cr_assert_eq(eval_int(vm, "fill(30); 0"), 0);
  cr_assert(vm->gc->phase == PHASE_MARK && vm->gc->minors == 0);
  vm->gc->stepped_at = 0;
  steps_to(vm->gc, PHASE_IDLE);
  uint64_t where = 0;
  const char *wrong = gc_verify(vm->gc, &where);
  cr_assert(!wrong, "%s at word %#llx", wrong, (unsigned long long)where);
  gc_collect(vm->gc);
  cr_assert_eq(eval_int(vm, "len(w)"), 30);
  vm_free(vm);
}
