// Fibers driven by the host, native functions that suspend, compiled programs.
#include "helpers.h"

static ox_Value await_event(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  return ox_suspend(vm, argv[0], ox_none());
}

// Suspends as often as its context says, then gives the sum of what was sent.
typedef struct Sum {
  int left;
  int64_t sum;
} Sum;

static ox_Value sum_then(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  Sum *s = context;
  (void)argc;
  if (ox_type(argv[0]) != OX_TYPE_INT) return ox_throw(vm, "type", "an int was expected");
  s->sum += ox_as_int(vm, argv[0]);
  if (s->left-- == 0) return ox_int(vm, s->sum);
  return ox_suspend(vm, ox_int(vm, s->left),
                    ox_function(vm, "then(value)", NULL, sum_then, s, NULL));
}

static ox_Value suspend_and_go_on(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  ox_suspend(vm, argv[0], ox_none());
  return ox_text(vm, "not suspended after all");
}

static ox_Value suspend_none(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  return ox_suspend(vm, ox_none(), ox_none());
}

static ox_Value call_it(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  ox_Value result;
  (void)context, (void)argc;
  return ox_call(vm, argv[0], 0, NULL, &result) == OX_OK ? result : ox_rethrow(vm);
}

static void give(ox_VM *vm, const char *signature, ox_Function function, void *context) {
  char name[32];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(signature, "("), signature);
  cr_assert_eq(ox_set(vm, name, ox_function(vm, signature, NULL, function, context, NULL)), OX_OK);
}

static ox_Value compile(ox_VM *vm, const char *text) {
  ox_Value function;
  ox_Status status = ox_compile(vm, text, strlen(text), "compiled", &function);
  cr_assert_eq(status, OX_OK, "%s", status ? ox_error(vm)->report : "");
  return function;
}

static int64_t call_int(ox_VM *vm, ox_Value function) {
  ox_Value result;
  cr_assert_eq(ox_call(vm, function, 0, NULL, &result), OX_OK, "%s", ox_error(vm)->report);
  return ox_as_int(vm, result);
}

Test(compile, runs_anew_each_time) {
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "let calls = 0");
  ox_Value f = compile(vm, "let n = 1\ncalls += 1\nfn up() { n += 1 }\nup(); up()\nn");
  cr_assert_eq(ox_type(f), OX_TYPE_FUNCTION);
  for (int i = 0; i < 1000; i++) cr_assert_eq(call_int(vm, f), 3);
  cr_assert_eq(int_of(vm, "calls"), 1000);
  cr_assert_eq(call_int(vm, compile(vm, "import math\nmath.floor(2.5)")), 2);
  cr_assert_eq(ox_type(compile(vm, "")), OX_TYPE_FUNCTION);
  done(vm);
}

Test(compile, tells_what_is_wrong) {
  ox_VM *vm = ox_new(NULL);
  ox_Value f;
  cr_assert_eq(ox_compile(vm, "let = 1", 7, "c", &f), OX_SYNTAX);
  cr_assert(ox_is_none(f));
  cr_assert_eq(ox_error(vm)->line, 1);
  cr_assert_eq(ox_compile(vm, "f(", 2, "c", &f), OX_INCOMPLETE);
  cr_assert_eq(ox_compile(vm, "import nonesuch", 15, "c", NULL), OX_SYNTAX);
  f = compile(vm, "let xs = [1]\nxs[7]");
  cr_assert_eq(ox_call(vm, f, 0, NULL, NULL), OX_THROWN);
  cr_assert_eq(ox_error(vm)->line, 2);
  cr_assert_str_eq(ox_error(vm)->file, "compiled");
  cr_assert_eq(ox_error(vm)->frames[0].column, 1);
  cr_assert_eq(ox_call(vm, f, 0, NULL, NULL), OX_THROWN); // and again
  done(vm);
}

Test(compile, is_collected) {
  ox_VM *vm = vm_limited_to(8 << 20);
  char text[4000] = "fn f() => 1\nlet n = 0\n";
  for (int i = 0; i < 200; i++) strcat(text, "n += f()\n");
  strcat(text, "n");
  for (int i = 0; i < 500; i++) {
    ox_Scope scope = ox_scope_open(vm);
    cr_assert_eq(call_int(vm, compile(vm, text)), 200);
    ox_scope_close(vm, scope);
  }
  done(vm);
}

Test(fibers, yield_to_the_host) {
  ox_VM *vm = ox_new(NULL);
  ox_Value fiber = ox_fiber(vm, value_of(vm, "fn() { let a = yield 1; let b = yield a + 1; return b }"));
  ox_Value out;
  cr_assert(!ox_is_done(vm, fiber));
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  cr_assert_eq(ox_as_int(vm, out), 1);
  cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 10), &out), OX_OK);
  cr_assert_eq(ox_as_int(vm, out), 11);
  cr_assert(!ox_is_done(vm, fiber));
  cr_assert_eq(ox_resume(vm, fiber, ox_text(vm, "end"), &out), OX_OK);
  cr_assert(ox_is_done(vm, fiber));
  assert_shows(vm, out, "\"end\"");
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "finished");
  cr_assert(ox_is_none(out));
  done(vm);
}

Test(fibers, are_those_of_programs) {
  ox_VM *vm = ox_new(NULL);
  ox_Value fiber = value_of(vm, "let f = fiber(fn() { yield 1; yield 2; yield 3 })\nf.next(); f");
  ox_Value out;
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  cr_assert_eq(ox_as_int(vm, out), 2);
  cr_assert_eq(int_of(vm, "f.next()"), 3);
  done(vm);
}

Test(fibers, misuse) {
  ox_VM *vm = ox_new(NULL);
  ox_Value out, fiber = ox_fiber(vm, value_of(vm, "fn() => 1"));
  cr_assert(ox_is_none(ox_fiber(vm, ox_none())));
  cr_assert(ox_is_none(ox_fiber(vm, ox_int(vm, 1))));
  cr_assert_eq(ox_error(vm)->status, OX_THROWN);
  cr_assert_eq(ox_resume(vm, ox_int(vm, 1), ox_nil(), &out), OX_MISUSE);
  cr_assert_eq(ox_resume(vm, ox_none(), ox_nil(), &out), OX_MISUSE);
  cr_assert_eq(ox_resume(vm, fiber, ox_none(), &out), OX_MISUSE);
  cr_assert_eq(ox_resume_throwing(vm, fiber, ox_none(), &out), OX_MISUSE);
  cr_assert(!ox_is_done(vm, ox_int(vm, 1)));
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  cr_assert_eq(ox_as_int(vm, out), 1);
  done(vm);
}

Test(fibers, throw_out_and_are_thrown_into) {
  ox_VM *vm = ox_new(NULL);
  ox_Value out, fiber = ox_fiber(vm, value_of(vm, "fn() { yield 1; throw error(\"out\") }"));
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_THROWN);
  cr_assert_str_eq(ox_error(vm)->message, "out");
  cr_assert(ox_is_done(vm, fiber));
  value_of(vm, "fn careful() { try { yield 1 } catch e { yield e.kind + \": \" + e.message }\n"
               "  return \"end\" }");
  fiber = ox_fiber(vm, value_of(vm, "careful"));
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  cr_assert_eq(ox_resume_throwing(vm, fiber, ox_new_error(vm, "io", "line %d", 5), &out), OX_OK);
  assert_shows(vm, out, "\"io: line 5\"");
  cr_assert_eq(ox_resume_throwing(vm, fiber, ox_int(vm, 7), &out), OX_THROWN);
  cr_assert_eq(ox_as_int(vm, ox_error(vm)->value), 7);
  cr_assert(ox_is_done(vm, fiber));
  cr_assert_eq(ox_resume_throwing(vm, fiber, ox_int(vm, 8), &out), OX_THROWN);
  fiber = ox_fiber(vm, value_of(vm, "careful")); // never started
  cr_assert_eq(ox_resume_throwing(vm, fiber, ox_int(vm, 9), &out), OX_THROWN);
  cr_assert(ox_is_done(vm, fiber));
  done(vm);
}

Test(fibers, finally_runs_when_thrown_into) {
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  ox_Value fiber = ox_fiber(
      vm, value_of(vm, "fn() { defer print(\"deferred\"); try { yield 1 } finally { print(\"f\") } }"));
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), NULL), OX_OK);
  cr_assert_eq(ox_resume_throwing(vm, fiber, ox_new_error(vm, NULL, "stop"), NULL), OX_THROWN);
  cr_assert_str_eq(output.text, "f\ndeferred\n");
  done(vm);
}

Test(suspending, natives_wait_for_the_host) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "wait(event)", await_event, NULL);
  ox_Value out, fiber = ox_fiber(vm, compile(vm, "let t = 0\n"
                                                 "for i in 0..3 { t += wait(i) * 2 }\n"
                                                 "fn deep(n) => if n == 0 { wait(\"deep\") } else { deep(n - 1) }\n"
                                                 "[t, deep(100), [wait(1), wait(2)]]"));
  for (int i = 0; i < 3; i++) {
    cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 10 * i), &out), OX_OK);
    cr_assert_eq(ox_as_int(vm, out), i);
  }
  cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 5), &out), OX_OK);
  assert_shows(vm, out, "\"deep\"");
  ox_collect(vm);
  cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 6), &out), OX_OK);
  cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 7), &out), OX_OK);
  cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 8), &out), OX_OK);
  cr_assert(ox_is_done(vm, fiber));
  assert_shows(vm, out, "[70, 6, [7, 8]]");
  done(vm);
}

Test(suspending, continuations) {
  ox_VM *vm = ox_new(NULL);
  Sum sum = {3, 0};
  give(vm, "sum(first)", sum_then, &sum);
  ox_Value out, fiber = ox_fiber(vm, compile(vm, "try { sum(1) * 10 } catch e { e.message }"));
  for (int i = 2; i >= 0; i--) {
    cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 100), &out), OX_OK);
    cr_assert_eq(ox_as_int(vm, out), i);
    ox_collect(vm);
  }
  cr_assert_eq(ox_resume(vm, fiber, ox_int(vm, 100), &out), OX_OK);
  cr_assert_eq(ox_as_int(vm, out), 3010);
  sum = (Sum){3, 0};
  fiber = ox_fiber(vm, compile(vm, "try { sum(1) * 10 } catch e { e.message }"));
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  cr_assert_eq(ox_resume(vm, fiber, ox_text(vm, "no int"), &out), OX_OK);
  assert_shows(vm, out, "\"an int was expected\"");
  done(vm);
}

Test(suspending, works_between_fibers_of_the_program) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "wait(event)", await_event, NULL);
  assert_shows(vm, value_of(vm, "let f = fiber(fn() { let a = wait(1); yield a * 2 })\n"
                                "[f.next(), f.send(21)]"), "[1, 42]");
  assert_shows(vm, value_of(vm, "[...fiber(fn() { for i in 0..4 { wait(i) } })]"), "[0, 1, 2, 3]");
  assert_shows(vm, value_of(vm, "class W { fn +(o) => wait(o); fn call(x) => wait(x) }\n"
                                "let g = fiber(fn() { let w = W(); yield [w + 1, w(2), ...[wait(3)]] })\n"
                                "[g.next(), g.send(10), g.send(20), g.send(30)]"),
               "[1, 2, 3, [10, 20, 30]]");
  done(vm);
}

Test(suspending, is_refused_elsewhere) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "wait(event)", await_event, NULL);
  give(vm, "odd(event)", suspend_and_go_on, NULL);
  give(vm, "bad()", suspend_none, NULL);
  give(vm, "call_it(f)", call_it, NULL);
  cr_assert_eq(eval(vm, "wait(1)", NULL), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "wait() has to wait, which only a fiber can do");
  cr_assert_eq(eval(vm, "fiber(fn() { call_it(fn() => wait(1)) }).next()", NULL), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "by way of a function written in C");
  cr_assert_eq(eval(vm, "fiber(fn() { bad() }).next()", NULL), OX_THROWN);
  assert_shows(vm, value_of(vm, "fiber(fn() { yield odd(1) }).next()"),
               "\"not suspended after all\"");
  assert_shows(vm, value_of(vm, "try { wait(1) } catch e { e.kind }"), "\"fiber\"");
  cr_assert_eq(int_of(vm, "1 + 1"), 2);
  done(vm);
}

Test(suspending, limits_hold) {
  ox_VM *vm = ox_new(NULL);
  ox_Value out, fiber = ox_fiber(vm, value_of(vm, "fn() { yield 1; while true { try { while true {} } catch e {} } }"));
  ox_set_fuel(vm, 10000);
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_NO_FUEL);
  cr_assert(ox_is_done(vm, fiber));
  ox_set_fuel(vm, 0);
  fiber = ox_fiber(vm, value_of(vm, "fn() { yield 1; while true {} }"));
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_OK);
  ox_interrupt(vm);
  cr_assert_eq(ox_resume(vm, fiber, ox_nil(), &out), OX_INTERRUPTED);
  cr_assert_eq(int_of(vm, "2"), 2);
  done(vm);
}

// Many tasks, each with its own timer, run by the host in the order of their wake-up times.
Test(suspending, an_event_loop) {
  enum { TASKS = 50 };
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  ox_Value tasks[TASKS], make = value_of(vm, "fn(wait, n) => fn() { let t = 0; for i in 1..=n { t = wait(n) }; return t }");
  int64_t wake[TASKS], ended = 0, now = 0;
  ox_Value args[2] = {ox_function(vm, "wait(t)", NULL, await_event, NULL, NULL)};
  for (int i = 0; i < TASKS; i++) {
    args[1] = ox_int(vm, i);
    ox_Value function;
    cr_assert_eq(ox_call(vm, make, 2, args, &function), OX_OK);
    tasks[i] = ox_fiber(vm, function);
    wake[i] = 0;
  }
  while (ended < TASKS) {
    for (int i = 0; i < TASKS; i++) {
      ox_Value out;
      if (ox_is_done(vm, tasks[i]) || wake[i] > now) continue;
      cr_assert_eq(ox_resume(vm, tasks[i], ox_int(vm, now), &out), OX_OK);
      wake[i] = now + ox_as_int(vm, out);
      if (!ox_is_done(vm, tasks[i])) continue;
      cr_assert(i < 2 || ox_as_int(vm, out) == i * i, "%d: %lld", i, (long long)ox_as_int(vm, out));
      ended++;
    }
    now++;
  }
  done(vm);
}
