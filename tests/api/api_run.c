// Life, running programs, globals, errors.
#include "helpers.h"

Test(life, default_configuration) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_not_null(vm);
  cr_assert_eq(int_of(vm, "6 * 7"), 42);
  done(vm);
}

Test(life, free_of_null) { ox_free(NULL); }

Test(life, unknown_configuration_size) {
  ox_Config config = ox_config();
  config.size = sizeof config + 64;
  cr_assert_null(ox_new(&config));
#ifndef OX_DEBUG
  config.size = 0;
  cr_assert_null(ox_new(&config));
#endif
}

Test(life, many_machines) {
  enum { N = 50 };
  ox_VM *vms[N];
  char text[64];
  for (int i = 0; i < N; i++) {
    vms[i] = ox_new(NULL);
    cr_assert_not_null(vms[i], "the %dth", i);
    snprintf(text, sizeof text, "let mine = %d", i);
    value_of(vms[i], text);
  }
  for (int i = N - 1; i >= 0; i--) {
    cr_assert_eq(int_of(vms[i], "mine"), i);
    done(vms[i]);
  }
}

Test(life, context_and_arguments) {
  static char *argv[] = {"one", "two"};
  int mark;
  ox_Config config = ox_config();
  config.context = &mark;
  config.argc = 2;
  config.argv = argv;
  ox_VM *vm = ox_new(&config);
  cr_assert_eq(ox_context(vm), &mark);
  assert_shows(vm, value_of(vm, "import os\nos.args"), "[\"one\", \"two\"]");
  done(vm);
}

Test(life, versions) {
  cr_assert_str_eq(ox_version(), "0.1.0");
  cr_assert(strlen(ox_build_info()) > 3);
}

Test(run, output_goes_to_the_host) {
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  value_of(vm, "print(\"a\", 1)");
  cr_assert_str_eq(output.text, "a 1\n");
  done(vm);
}

Test(run, eval_gives_the_last_value) {
  ox_VM *vm = ox_new(NULL);
  assert_shows(vm, value_of(vm, "1; 2; [3]"), "[3]");
  assert_shows(vm, value_of(vm, "let a = 1"), "nil");
  assert_shows(vm, value_of(vm, ""), "nil");
  done(vm);
}

Test(run, sessions_remember) {
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "let n = 1\nfn up() { n += 1; return n }");
  value_of(vm, "up()");
  cr_assert_eq(int_of(vm, "up()"), 3);
  value_of(vm, "let n = 10");
  cr_assert_eq(int_of(vm, "n"), 10);
  done(vm);
}

Test(run, programs_keep_to_themselves) {
  static const char program[] = "export let inner = 5\nlet hidden = 6";
  ox_VM *vm = ox_new(NULL);
  ox_Value module, member;
  cr_assert_eq(ox_run(vm, program, strlen(program), "p.oxb", &module), OX_OK);
  cr_assert_eq(ox_type(module), OX_TYPE_MODULE);
  cr_assert_eq(ox_member(vm, module, "inner", &member), OX_OK);
  cr_assert_eq(ox_as_int(vm, member), 5);
  cr_assert_eq(ox_member(vm, module, "hidden", &member), OX_NOT_FOUND);
  cr_assert_eq(eval(vm, "inner", NULL), OX_SYNTAX);
  done(vm);
}

Test(run, missing_file) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(ox_run_file(vm, "/nonexistent/x.oxb", NULL), OX_NOT_FOUND);
  assert_text_has(ox_error(vm)->report, "x.oxb");
  done(vm);
}

Test(run, check_runs_nothing) {
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  cr_assert_eq(ox_check(vm, "print(1)", 8, "c"), OX_OK);
  cr_assert_eq(ox_check(vm, "print(", 6, "c"), OX_INCOMPLETE);
  cr_assert_eq(ox_check(vm, "let = 1", 7, "c"), OX_SYNTAX);
  cr_assert_str_eq(output.text, "");
  done(vm);
}

Test(run, incomplete_input) {
  static const char *const texts[] = {"fn f() {", "[1,", "1 +", "\"\"\"abc", "if true {\n 1", "f("};
  ox_VM *vm = ox_new(NULL);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    cr_assert_eq(eval(vm, texts[i], NULL), OX_INCOMPLETE, "%s", texts[i]);
  done(vm);
}

Test(run, call_many_times) {
  ox_VM *vm = ox_new(NULL);
  ox_Value add, sum = ox_int(vm, 0);
  value_of(vm, "fn add(a, b) => a + b");
  cr_assert_eq(ox_get(vm, "add", &add), OX_OK);
  for (int i = 1; i <= 10000; i++) {
    ox_Value args[] = {sum, ox_int(vm, i)};
    cr_assert_eq(ox_call(vm, add, 2, args, &sum), OX_OK);
  }
  cr_assert_eq(ox_as_int(vm, sum), 50005000);
  done(vm);
}

Test(run, call_methods_and_classes) {
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "class P { x = 0; fn init(x) { self.x = x }\n fn plus(n) => self.x + n }");
  ox_Value cls, object, five = ox_int(vm, 5), result;
  cr_assert_eq(ox_get(vm, "P", &cls), OX_OK);
  cr_assert_eq(ox_call(vm, cls, 1, &five, &object), OX_OK);
  cr_assert_eq(ox_type(object), OX_TYPE_INSTANCE);
  cr_assert_str_eq(ox_type_name(vm, object), "P");
  cr_assert_eq(ox_call_method(vm, object, "plus", 1, &five, &result), OX_OK);
  cr_assert_eq(ox_as_int(vm, result), 10);
  cr_assert_eq(ox_call_method(vm, object, "nope", 0, NULL, &result), OX_NOT_FOUND);
  cr_assert_eq(ox_call_method(vm, ox_text(vm, "ab"), "upper", 0, NULL, &result), OX_OK);
  assert_shows(vm, result, "\"AB\"");
  done(vm);
}

Test(run, call_what_cannot_be_called) {
  ox_VM *vm = ox_new(NULL);
  ox_Value result;
  cr_assert_eq(ox_call(vm, ox_int(vm, 3), 0, NULL, &result), OX_THROWN);
  cr_assert(ox_is_none(result));
  cr_assert_eq(ox_call(vm, ox_none(), 0, NULL, NULL), OX_MISUSE);
  cr_assert_str_eq(ox_error(vm)->kind, "misuse");
  done(vm);
}

Test(globals, set_and_get) {
  ox_VM *vm = ox_new(NULL);
  ox_Value value;
  cr_assert_eq(ox_set(vm, "given", ox_int(vm, 4)), OX_OK);
  cr_assert_eq(int_of(vm, "given + 1"), 5);
  cr_assert_eq(ox_set(vm, "given", ox_int(vm, 5)), OX_OK);
  cr_assert_eq(ox_get(vm, "given", &value), OX_OK);
  cr_assert_eq(ox_as_int(vm, value), 5);
  cr_assert_eq(ox_get(vm, "missing", &value), OX_NOT_FOUND);
  cr_assert(ox_is_none(value));
  cr_assert_eq(ox_get(vm, "print", &value), OX_OK);
  cr_assert_eq(ox_type(value), OX_TYPE_FUNCTION);
  done(vm);
}

Test(globals, programs_see_them) {
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  ox_set(vm, "width", ox_int(vm, 80));
  cr_assert_eq(ox_run(vm, "print(width)", 12, "p.oxb", NULL), OX_OK);
  cr_assert_str_eq(output.text, "80\n");
  done(vm);
}

Test(globals, misuse) {
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "const fixed = 1");
  cr_assert_eq(ox_set(vm, "fixed", ox_nil()), OX_MISUSE);
  cr_assert_eq(ox_set(vm, "not a name", ox_nil()), OX_MISUSE);
  cr_assert_eq(ox_set(vm, "", ox_nil()), OX_MISUSE);
  cr_assert_eq(ox_set(vm, "a", ox_none()), OX_MISUSE);
  done(vm);
}

Test(modules, standard_ones) {
  ox_VM *vm = ox_new(NULL);
  ox_Value math, four = ox_int(vm, 4), root;
  cr_assert_eq(ox_import(vm, "math", &math), OX_OK);
  cr_assert_eq(ox_call_method(vm, math, "sqrt", 1, &four, &root), OX_OK);
  cr_assert_eq(ox_as_float(vm, root), 2.0);
  cr_assert_neq(ox_import(vm, "nonesuch", NULL), OX_OK);
  done(vm);
}

static char *load_module(void *context, const char *path, size_t *length) {
  const char *text = strstr(path, "good") ? "export let n = 9" : NULL;
  (void)context;
  if (!text) return NULL;
  *length = strlen(text);
  return strdup(text);
}

Test(modules, from_the_host) {
  ox_Config config = ox_config();
  config.load = load_module;
  ox_VM *vm = ox_new(&config);
  cr_assert_eq(int_of(vm, "import \"good\" as g\ng.n"), 9);
  cr_assert_neq(eval(vm, "import \"bad\" as b", NULL), OX_OK);
  done(vm);
}

Test(modules, can_be_denied) {
  static const char *const imports[] = {"import fs", "import process", "import os\nos.pid()",
                                        "import io",
                                        "import \"tests/api/nothing\" as n"};
  ox_Config config = ox_config();
  config.capabilities = 0;
  ox_VM *vm = ox_new(&config);
  for (size_t i = 0; i < sizeof imports / sizeof *imports; i++)
    cr_assert_neq(eval(vm, imports[i], NULL), OX_OK, "%s", imports[i]);
  cr_assert_eq(eval(vm, "import math", NULL), OX_OK);
  done(vm);
}

Test(errors, none_at_first) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_null(ox_error(vm));
  done(vm);
}

Test(errors, of_a_throw) {
  ox_VM *vm = ox_new(NULL);
  ox_Value result;
  cr_assert_eq(eval(vm, "fn inner() {\n  throw error(\"boom\", {code: 3})\n}\ninner()", &result),
               OX_THROWN);
  cr_assert(ox_is_none(result));
  const ox_Error *e = ox_error(vm);
  cr_assert_eq(e->status, OX_THROWN);
  cr_assert_str_eq(e->kind, "error");
  cr_assert_str_eq(e->message, "boom");
  cr_assert_str_eq(e->file, "test");
  cr_assert_eq(e->line, 2);
  cr_assert(e->frame_count >= 2);
  cr_assert_str_eq(e->frames[0].function, "inner");
  cr_assert_eq(e->frames[1].line, 4);
  assert_text_has(e->report, "boom");
  cr_assert_eq(ox_type(e->value), OX_TYPE_ERROR);
  ox_Value data, code;
  cr_assert_eq(ox_member(vm, e->value, "data", &data), OX_OK);
  cr_assert_eq(ox_member(vm, data, "code", &code), OX_OK);
  cr_assert_eq(ox_as_int(vm, code), 3);
  done(vm);
}

Test(errors, of_any_value) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(eval(vm, "throw [1, 2]", NULL), OX_THROWN);
  const ox_Error *e = ox_error(vm);
  cr_assert_str_eq(e->kind, "");
  cr_assert_str_eq(e->message, "[1, 2]");
  assert_text_has(e->report, "uncaught: [1, 2]");
  assert_shows(vm, e->value, "[1, 2]");
  done(vm);
}

Test(errors, of_syntax) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(eval(vm, "let a = 1\nlet = 2", NULL), OX_SYNTAX);
  const ox_Error *e = ox_error(vm);
  cr_assert_str_eq(e->kind, "syntax");
  cr_assert_eq(e->line, 2);
  cr_assert_eq(e->column, 5);
  cr_assert_str_eq(e->file, "test");
  assert_text_has(e->report, "test:2:5");
  cr_assert(ox_is_none(e->value));
  done(vm);
}

Test(errors, survive_collections) {
  ox_VM *vm = ox_new(NULL);
  eval(vm, "throw error(\"kept \" + \"alive\")", NULL);
  ox_collect(vm);
  ox_collect(vm);
  cr_assert_str_eq(ox_error(vm)->message, "kept alive");
  done(vm);
}

Test(errors, exit) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(eval(vm, "import os\ntry { os.exit(5) } catch e { 1 }", NULL), OX_EXITED);
  cr_assert_str_eq(ox_error(vm)->kind, "exit");
  cr_assert_eq(ox_exit_code(vm), 5);
  cr_assert_eq(int_of(vm, "1 + 1"), 2);
  done(vm);
}
