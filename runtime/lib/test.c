/* test.c - the module `test`: checks that throw errors of the kind "assert". What runs functions of
 * the program (throws, test) is written in Oxbow, see prelude.oxb. */
#include <math.h>

#include "../compare.h"
#include "../repr.h"
#include "lib.h"

enum { SHOWN_MAX = 400 }; /* bytes of a value in a message */

/* repr(v), cut where it is long. False: error pending. */
static bool add_shown(Buf *b, Value v) {
  if (!value_print(b, v, true)) return false;
  if (b->len <= SHOWN_MAX) return true;
  b->len = SHOWN_MAX;
  while (b->len && ((uint8_t)b->data[b->len] & 0xC0) == 0x80) b->len--;
  buf_puts(b, "...");
  return true;
}

/* Throws "MSG: WHAT". `what` is freed. */
static Value throw_failure(ox_VM *vm, Value msg, Buf *what) {
  Buf b;
  buf_init(&b, vm);
  bool fine = true;
  if (msg != V_ABSENT && msg != V_NIL) {
    fine = value_print(&b, msg, false);
    buf_puts(&b, ": ");
  }
  buf_add(&b, what->data, what->len);
  fine = fine && !what->failed;
  buf_free(what);
  if (!fine) {
    buf_free(&b);
    return error_pending(vm) ? V_ERROR : vm_throw_oom(vm);
  }
  Value message = buf_finish(&b);
  Value error = message == V_ERROR ? V_ERROR : error_new(vm, ERR_ASSERT, message, V_NIL);
  return error == V_ERROR ? V_ERROR : vm_throw_value(vm, error);
}

/* Throws "got A, expected WORDS B". */
static Value mismatch(ox_VM *vm, Value a, const char *words, Value b, Value msg) {
  Buf first, second;
  buf_init(&first, vm);
  buf_init(&second, vm);
  bool fine = add_shown(&first, a) && add_shown(&second, b);
  if (fine) {
    Buf all;
    buf_init(&all, vm);
    buf_puts(&all, "got ");
    buf_add(&all, first.data, first.len);
    buf_puts(&all, words);
    buf_add(&all, second.data, second.len);
    throw_failure(vm, msg, &all);
  }
  buf_free(&first);
  buf_free(&second);
  return V_ERROR;
}

/* Methods of the program may run in between and move the stack under args. */
typedef struct Given { Value a, b, msg; } Given;
static Given given(Value *args) { return (Given){args[0], args[1], args[2]}; }

static Value test_equal(ox_VM *vm, Value *args, int nargs) {
  Given g = given(args);
  (void)nargs;
  int same = value_equal(vm, g.a, g.b);
  if (same < 0) return V_ERROR;
  return same ? V_NIL : mismatch(vm, g.a, ", expected ", g.b, g.msg);
}

static Value test_not_equal(ox_VM *vm, Value *args, int nargs) {
  Given g = given(args);
  (void)nargs;
  int same = value_equal(vm, g.a, g.b);
  if (same < 0) return V_ERROR;
  return same ? mismatch(vm, g.a, ", expected anything but ", g.b, g.msg) : V_NIL;
}

static Value expect_truth(ox_VM *vm, Value v, Value msg, bool wanted) {
  if (v_is_falsy(v) != wanted) return V_NIL;
  Buf b;
  buf_init(&b, vm);
  buf_puts(&b, "got ");
  if (!add_shown(&b, v)) {
    buf_free(&b);
    return V_ERROR;
  }
  buf_puts(&b, wanted ? ", expected a true value" : ", expected nil or false");
  return throw_failure(vm, msg, &b);
}

static Value test_is_true(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return expect_truth(vm, args[0], args[1], true);
}
static Value test_is_false(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return expect_truth(vm, args[0], args[1], false);
}

static Value test_near(ox_VM *vm, Value *args, int nargs) {
  double a, b, eps = 1e-9;
  (void)nargs;
  if (!arg_number(vm, args[0], "a of test.near", &a)) return V_ERROR;
  if (!arg_number(vm, args[1], "b of test.near", &b)) return V_ERROR;
  if (arg_given(args, 2) && !arg_number(vm, args[2], "eps of test.near", &eps)) return V_ERROR;
  if (a == b || fabs(a - b) <= eps) return V_NIL;
  return mismatch(vm, args[0], ", expected near ", args[1], args[3]);
}

static Value test_fail(ox_VM *vm, Value *args, int nargs) {
  Buf b;
  (void)nargs;
  buf_init(&b, vm);
  if (args[0] == V_ABSENT || args[0] == V_NIL) buf_puts(&b, "failed");
  else if (!value_print(&b, args[0], false)) b.failed = true;
  return throw_failure(vm, V_NIL, &b);
}

static const NativeDef test_defs[] = {
    NATIVE("equal", test_equal, "equal(got, expected, message = nil)",
           "Throws unless both are equal by ==."),
    NATIVE("not_equal", test_not_equal, "not_equal(got, other, message = nil)",
           "Throws if both are equal by ==."),
    NATIVE("is_true", test_is_true, "is_true(value, message = nil)",
           "Throws if the value is nil or false."),
    NATIVE("is_false", test_is_false, "is_false(value, message = nil)",
           "Throws unless the value is nil or false."),
    NATIVE("near", test_near, "near(got, expected, eps = 1e-9, message = nil)",
           "Throws if two numbers differ by more than eps."),
    NATIVE("fail", test_fail, "fail(message = nil)", "Throws."),
    NATIVE_SCRIPT("throws", "test_throws", "throws(fn, text = nil)",
                  "Calls fn and gives what it throws; throws itself if fn does not, or if the "
                  "message lacks the text."),
    NATIVE_SCRIPT("test", "test_test", "test(name, fn) -> bool",
                  "Runs fn as one test: prints \"ok NAME\", or \"FAILED NAME: reason\" if it "
                  "throws, and goes on."),
    NATIVE_SCRIPT("results", "test_results", "results() -> list",
                  "What the tests so far gave: maps of name, ok and error (nil if ok)."),
    NATIVE_SCRIPT("runner", "test_runner", "runner(fn)",
                  "From now on test(name, f) calls fn(name, f) instead of running f, and gives what "
                  "that gives; nil: as before."),
    NATIVE_SCRIPT("report", "test_report", "report() -> bool",
                  "Prints how many tests passed and failed; whether all passed."),
};

static const char test_doc[] =
    "Checks, and tests for `oxbow test DIR`. It runs those that files make with test(name, fn), and "
    "in files that make none the functions at the top level whose names begin with test_.";

const ModuleDef module_test = {"test", test_doc, test_defs, LIB_COUNT(test_defs), -1, NULL};
