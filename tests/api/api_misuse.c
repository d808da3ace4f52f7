// Functions that the other files leave out, documented errors, and use after errors.
#include "helpers.h"

static ox_Value throw_given(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  return ox_throw_value(vm, argv[0]);
}

static ox_Value throw_none(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  return ox_throw_value(vm, ox_none());
}

static ox_Value rethrow_nothing(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  return ox_rethrow(vm);
}

static void give(ox_VM *vm, const char *name, const char *signature, ox_Function function) {
  cr_assert_eq(ox_set(vm, name, ox_function(vm, signature, NULL, function, NULL, NULL)), OX_OK);
}

Test(throwing, any_value) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "raise", "raise(value)", throw_given);
  give(vm, "raise_none", "raise_none()", throw_none);
  assert_shows(vm, value_of(vm, "try { raise({a: [1]}) } catch e { e }"), "{a: [1]}");
  cr_assert_eq(eval(vm, "raise(nil)", NULL), OX_THROWN);
  cr_assert_eq(ox_type(ox_error(vm)->value), OX_TYPE_NIL);
  cr_assert_eq(eval(vm, "raise_none()", NULL), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "OX_NONE");
  done(vm);
}

Test(throwing, nothing_to_rethrow) {
  ox_VM *vm = ox_new(NULL);
  give(vm, "again", "again()", rethrow_nothing);
  cr_assert_eq(eval(vm, "again()", NULL), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "nothing has failed");
  done(vm);
}

Test(throwing, errors_as_values) {
  ox_VM *vm = ox_new(NULL);
  ox_Value e = ox_new_error(vm, "value", "%s is %d too many", "five", 1), message;
  cr_assert_eq(ox_type(e), OX_TYPE_ERROR);
  cr_assert_eq(ox_member(vm, e, "message", &message), OX_OK);
  assert_shows(vm, message, "\"five is 1 too many\"");
  ox_set(vm, "made", e);
  assert_shows(vm, value_of(vm, "try { throw made } catch x { [x.kind, x.message] }"),
               "[\"value\", \"five is 1 too many\"]");
  // Kinds that programs cannot catch are not to be had.
  ox_set(vm, "stop", ox_new_error(vm, "interrupt", "stop"));
  assert_shows(vm, value_of(vm, "try { throw stop } catch x { x.kind }"), "\"error\"");
  done(vm);
}

static ox_Value layout(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  char text[64] = "";
  (void)context;
  for (int i = 0; i < argc; i++) {
    char one[16];
    snprintf(one, sizeof one, "%s%s", i ? " " : "",
             ox_is_none(argv[i]) ? "-" : ox_as_string(vm, ox_show(vm, argv[i], true), NULL));
    strcat(text, one);
  }
  return ox_text(vm, text);
}

// argv has a place for every parameter, whatever was given.
Test(signatures, layout_of_arguments) {
  static const struct {
    const char *call, *shows;
  } cases[] = {
      {"one(1)", "\"1 - -\""},      {"one(1, c: 3)", "\"1 - 3\""},
      {"one(c: 3, a: 1, b: 2)", "\"1 2 3\""},
      {"rest(1)", "\"1 -\""},       {"rest(1, 2)", "\"1 2\""},
      {"rest(1, 2, 3, 4)", "\"1 2 3 4\""},
      {"named(1)", "\"1 -\""},      {"named(1, 2, 3)", "\"1 2 3 -\""},
      {"named(1, 2, sep: 9)", "\"1 2 9\""}, {"named(1, sep: 9)", "\"1 9\""},
      {"none()", "\"\""},
  };
  ox_VM *vm = ox_new(NULL);
  give(vm, "one", "one(a, b = 1, c = 2)", layout);
  give(vm, "rest", "rest(a, b = 1, ...more)", layout);
  give(vm, "named", "named(a, ...more, sep = 1)", layout);
  give(vm, "none", "none()", layout);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ox_Value shown = value_of(vm, cases[i].call);
    const char *text = ox_as_string(vm, ox_show(vm, shown, true), NULL);
    cr_assert_str_eq(text, cases[i].shows, "%s: %s", cases[i].call, text);
  }
  done(vm);
}

Test(signatures, types) {
  static const struct {
    const char *type, *fits, *does_not, *said;
  } cases[] = {
      {"int", "1", "1.5", "an int, not float"},      {"int", "1 << 60", "\"1\"", "an int, not string"},
      {"float", "1.5", "1", "a float, not int"},     {"number", "1", "nil", "a number, not nil"},
      {"number", "1.5", "[]", "a number, not list"}, {"string", "\"\"", "1", "a string, not int"},
      {"bool", "false", "nil", "a bool, not nil"},   {"list", "[]", "0..3", "a list, not range"},
      {"map", "({})", "[]", "a map, not list"},      {"range", "0..3", "3", "a range, not int"},
      {"function", "print", "1", "a function"},      {"function", "Call()", "P()", "a function, not P"},
      {"function", "[].push", "\"f\"", "a function"}, {"class", "P", "P()", "a class, not P"},
      {"error", "error(\"e\")", "1", "an error"},    {"fiber", "fiber(print)", "print", "a fiber"},
      {"any", "nil", NULL, NULL},                    {"int?", "nil", "1.0", "an int or nil"},
      {"P", NULL, "P()", "must be a P, not P"},      {"module", "math", "1", "a module"},
      {"set", "set.new([1])", "[1]", "a set"},
  };
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "import math, set\nclass P {}\nclass Call { fn call() => 1 }");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[64];
    snprintf(text, sizeof text, "f(x: %s, ...more: %s)", cases[i].type, cases[i].type);
    give(vm, "f", text, layout);
    snprintf(text, sizeof text, "f(%s, %s)", cases[i].fits, cases[i].fits);
    if (cases[i].fits) value_of(vm, text);
    for (int more = 0; more < 2 && cases[i].does_not; more++) {
      if (more && !cases[i].fits) break;
      snprintf(text, sizeof text, "f(%s%s%s)", more ? cases[i].fits : "", more ? ", " : "",
               cases[i].does_not);
      cr_assert_eq(eval(vm, text, NULL), OX_THROWN, "%s: %s", cases[i].type, text);
      cr_assert_str_eq(ox_error(vm)->kind, "type");
      assert_text_has(ox_error(vm)->message, cases[i].said);
      assert_text_has(ox_error(vm)->message, more ? "`more`" : "`x`");
    }
  }
  cr_assert(ox_is_none(ox_function(vm, "f(x:)", NULL, layout, NULL, NULL)));
  cr_assert(ox_is_none(ox_function(vm, "f(x: ?)", NULL, layout, NULL, NULL)));
  done(vm);
}

Test(output, flush_keeps_the_order) {
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  ox_flush(vm);
  value_of(vm, "print(1)");
  ox_flush(vm);
  cr_assert_str_eq(output.text, "1\n");
  done(vm);
}

static void write_marked(void *context, const char *bytes, size_t length) {
  output_write(context, "!", 1);
  output_write(context, bytes, length);
}

Test(output, of_errors_goes_to_the_host) {
  Output output = {.length = 0};
  ox_Config config = ox_config();
  config.write = output_write;
  config.write_error = write_marked;
  config.context = &output;
  ox_VM *vm = ox_new(&config);
  value_of(vm, "import io\nprint(1)\nio.stderr.write(\"oh\", 2)\nio.stdout.write(3)");
  cr_assert_str_eq(output.text, "1\n!oh23");
  done(vm);
}

Test(statuses, have_names) {
  cr_assert_str_eq(ox_status_name(OX_OK), "OX_OK");
  cr_assert_str_eq(ox_status_name(OX_NO_FUEL), "OX_NO_FUEL");
  cr_assert_str_eq(ox_status_name(OX_MISUSE), "OX_MISUSE");
  cr_assert_str_eq(ox_status_name((ox_Status)77), "unknown status");
}

Test(limits, memory_limit_can_change) {
  ox_VM *vm = ox_new(NULL);
  ox_set_memory_limit(vm, 8 << 20);
  cr_assert_eq(eval(vm, "\"x\".repeat(1 << 24)", NULL), OX_NO_MEMORY);
  ox_set_memory_limit(vm, 64 << 20);
  cr_assert_eq(int_of(vm, "len(\"x\".repeat(1 << 24))"), 1 << 24);
  done(vm);
}

Test(elements, of_anything_iterable) {
  ox_VM *vm = ox_new(NULL);
  ox_Value list;
  static const char *const shown[][2] = {
      {"0..3", "[0, 1, 2]"}, {"[1, 2]", "[1, 2]"}, {"({a: 1})", "[\"a\"]"},
      {"fiber(fn() { yield 5; yield 6 })", "[5, 6]"},
      {"class I { fn iter() => [7] }; I()", "[7]"},
  };
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    cr_assert_eq(ox_elements(vm, value_of(vm, shown[i][0]), &list), OX_OK, "%s", shown[i][0]);
    assert_shows(vm, list, shown[i][1]);
  }
  cr_assert_eq(ox_elements(vm, ox_int(vm, 1), &list), OX_THROWN);
  cr_assert(ox_is_none(list));
  cr_assert_eq(ox_elements(vm, ox_none(), &list), OX_MISUSE);
  done(vm);
}

Test(elements, next_goes_through_lists) {
  ox_VM *vm = ox_new(NULL);
  ox_Value list = value_of(vm, "[10, 20, 30]"), key, value;
  uint32_t position = 0;
  int64_t sum = 0;
  while (ox_next(vm, list, &position, &key, &value))
    sum += ox_as_int(vm, key) * 1000 + ox_as_int(vm, value);
  cr_assert_eq(sum, 3060);
  cr_assert(!ox_next(vm, list, &position, &key, NULL));
  done(vm);
}

static void count_bytes(void *context, const char *bytes, size_t length) {
  (void)bytes;
  *(size_t *)context += length;
}

Test(looking_inside, disassemble_and_reference) {
  ox_VM *vm = ox_new(NULL);
  size_t bytes = 0;
  cr_assert_eq(ox_disassemble(vm, "print(1 + 2)", 12, "d", count_bytes, &bytes), OX_OK);
  cr_assert(bytes > 20);
  cr_assert_eq(ox_disassemble(vm, "print(", 6, "d", count_bytes, &bytes), OX_INCOMPLETE);
  cr_assert_eq(ox_disassemble(vm, "let 1", 5, "d", count_bytes, &bytes), OX_SYNTAX);
  bytes = 0;
  ox_reference(count_bytes, &bytes);
  cr_assert(bytes > 10000);
  done(vm);
}

Test(misuse, is_said) {
  ox_VM *vm = ox_new(NULL);
  ox_Value out, list = ox_list(vm, NULL, 0), none = ox_none();
  cr_assert_eq(ox_call(vm, value_of(vm, "print"), -1, NULL, &out), OX_MISUSE);
  cr_assert_eq(ox_call(vm, value_of(vm, "print"), 1, &none, &out), OX_MISUSE);
  cr_assert_eq(ox_call_method(vm, none, "push", 0, NULL, &out), OX_MISUSE);
  cr_assert_eq(ox_call_method(vm, list, "push", 1, &none, &out), OX_MISUSE);
  cr_assert_eq(ox_set_member(vm, none, "a", ox_nil()), OX_MISUSE);
  cr_assert_eq(ox_set_member(vm, list, "a", none), OX_MISUSE);
  cr_assert_eq(ox_error(vm)->status, OX_MISUSE);
  assert_text_has(ox_error(vm)->message, "ox_set_member");
  cr_assert_eq(ox_equal(vm, none, list), -1);
  cr_assert_eq(ox_length(vm, ox_int(vm, 1)), -1);
  cr_assert_eq(ox_length(vm, none), -1);
  cr_assert_str_eq(ox_type_name(vm, none), "none");
  assert_shows(vm, ox_show(vm, none, false), "\"<none>\"");
  cr_assert_eq(ox_set_member(vm, ox_int(vm, 1), "a", ox_nil()), OX_THROWN);
  done(vm);
}

// After each way to fail the VM goes on as if nothing had been.
Test(errors, leave_the_machine_usable) {
  static const char *const texts[] = {
      "throw 1", "let = 2", "fn f() {", "[1][5]", "fn r() => 1 + r(); r()",
      "import nonesuch", "import os\nos.exit(3)", "\"x\".repeat(1 << 40)", "fiber(fn() { throw 2 }).next()",
  };
  ox_VM *vm = vm_limited_to(32 << 20);
  ox_Stats before = {.size = sizeof before}, after = before;
  ox_stats(vm, &before);
  for (int round = 0; round < 3; round++)
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
      ox_Value out;
      cr_assert_neq(eval(vm, texts[i], &out), OX_OK, "%s", texts[i]);
      cr_assert(ox_is_none(out));
      cr_assert(strlen(ox_error(vm)->report) > 5 && ox_error(vm)->message && ox_error(vm)->kind);
      cr_assert_eq(int_of(vm, "let ok = [1, 2, 3].map(fn(x) => x * x); ok[2]"), 9);
    }
  ox_stats(vm, &after);
  cr_assert_eq(after.scope_values, before.scope_values);
  done(vm);
}
