// Modules of the host; what capabilities allow, and programs that try to get round them.
#include "helpers.h"

static ox_Value answer(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  return ox_int(vm, 42);
}

static ox_Value members(ox_VM *vm) {
  ox_Value map = ox_map(vm);
  ox_set_member(vm, map, "answer", ox_function(vm, "answer()", "What it is.", answer, NULL, NULL));
  ox_set_member(vm, map, "version", ox_int(vm, 3));
  return map;
}

Test(host_modules, are_imported) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(ox_module(vm, "game", members(vm)), OX_OK);
  cr_assert_eq(int_of(vm, "import game\ngame.answer() + game.version"), 45);
  cr_assert_eq(int_of(vm, "from game import answer as a\na()"), 42);
  static const char program[] = "import game as g\nexport let n = g.answer()";
  ox_Value module, n;
  cr_assert_eq(ox_run(vm, program, strlen(program), "p", &module), OX_OK);
  cr_assert_eq(ox_member(vm, module, "n", &n), OX_OK);
  cr_assert_eq(ox_as_int(vm, n), 42);
  cr_assert_eq(ox_import(vm, "game", &module), OX_OK);
  cr_assert_eq(ox_call_method(vm, module, "answer", 0, NULL, &n), OX_OK);
  cr_assert_eq(eval(vm, "game.nothing", NULL), OX_THROWN);
  cr_assert_eq(eval(vm, "from game import nothing", NULL), OX_SYNTAX);
  cr_assert_eq(eval(vm, "import gamee", NULL), OX_SYNTAX);
  assert_text_has(ox_error(vm)->report, "did you mean `game`");
  cr_assert_eq(eval(vm, "game.version = 4", NULL), OX_THROWN);
  done(vm);
}

Test(host_modules, stand_before_standard_ones) {
  ox_Config config = ox_config();
  config.capabilities = 0;
  ox_VM *vm = ox_new(&config);
  cr_assert_eq(eval(vm, "import fs", NULL), OX_SYNTAX);
  cr_assert_eq(ox_module(vm, "fs", members(vm)), OX_OK);
  cr_assert_eq(ox_module(vm, "prelude", members(vm)), OX_OK);
  cr_assert_eq(ox_module(vm, "list", members(vm)), OX_OK);
  cr_assert_eq(int_of(vm, "import fs\nfs.answer()"), 42);
  // What the library is written in keeps the real ones.
  assert_shows(vm, value_of(vm, "[3, 1, 2].map(fn(x) => x * 2).filter(fn(x) => x > 2).sorted()"),
               "[4, 6]");
  done(vm);
}

Test(host_modules, misuse) {
  ox_VM *vm = ox_new(NULL);
  ox_Value odd = ox_map(vm);
  char name[100];
  memset(name, 'a', 99);
  name[99] = 0;
  cr_assert_eq(ox_module(vm, "no name", members(vm)), OX_MISUSE);
  cr_assert_eq(ox_module(vm, "", members(vm)), OX_MISUSE);
  cr_assert_eq(ox_module(vm, name, members(vm)), OX_MISUSE);
  cr_assert_eq(ox_module(vm, "m", ox_nil()), OX_MISUSE);
  cr_assert_eq(ox_module(vm, "m", ox_none()), OX_MISUSE);
  ox_set_index(vm, odd, ox_int(vm, 1), ox_nil());
  cr_assert_eq(ox_module(vm, "m", odd), OX_MISUSE);
  cr_assert_eq(ox_module(vm, "empty", ox_map(vm)), OX_OK);
  assert_shows(vm, value_of(vm, "import empty\nempty"), "<module empty>");
  done(vm);
}

// Each program must fail for want of one capability, whatever the others, and work with it.
static const struct {
  uint32_t without;
  const char *text;
} escapes[] = {
    {OX_CAN_READ, "import fs\nfs.read(\"/etc/hostname\")"},
    {OX_CAN_READ, "from fs import lines\nlines(\"/etc/hostname\")"},
    {OX_CAN_READ, "import fs\nlet f = fs.open(\"/etc/hostname\")\nf.close()"},
    {OX_CAN_READ, "import fs as x\n[\"/etc/hostname\"].map(x.read_bytes)"},
    {OX_CAN_READ, "import fs\nfs.exists(\"/\")"},
    {OX_CAN_READ, "import fs\nfs.is_dir(\"/\"); fs.stat(\"/\")"},
    {OX_CAN_READ, "import fs\nfs.list(\"/\")"},
    {OX_CAN_READ, "import fs\nfs.size(\"/etc/hostname\")"},
    {OX_CAN_WRITE, "import fs\nfs.remove_dir(fs.temp_dir())"},
    {OX_CAN_WRITE, "import fs\nfs.open(\"/dev/null\", \"w\").close()"},
    {OX_CAN_WRITE, "import fs\nfs.open(\"/dev/null\", mode: \"r+\").close()"},
    {OX_CAN_WRITE, "import fs\nfs.append(\"/dev/null\", \"x\")"},
    {OX_CAN_WRITE, "import fs\nfs.write(\"/dev/null\", \"x\")"},
    {OX_CAN_RUN, "import process\nprocess.run([\"true\"])"},
    {OX_CAN_RUN, "from process import shell\nshell(\"true\")"},
    {OX_CAN_ENV, "import os\nos.env(\"PATH\")"},
    {OX_CAN_ENV, "import os\nos.cwd(); os.pid(); os.hostname(); os.cpus()"},
    {OX_CAN_ENV, "import path\npath.absolute(\"x\")"},
    {OX_CAN_STDIO, "import io\nio.stderr"},
    {OX_CAN_STDIO, "import io\nio.is_tty()"},
    {OX_CAN_CLOCK, "import time\ntime.now()"},
    {OX_CAN_CLOCK, "import time\ntime.monotonic()"},
    {OX_CAN_CLOCK, "import time\ntime.utc()"},
    {OX_CAN_CLOCK, "import time\ntime.iso(nil)"},
    {OX_CAN_CLOCK, "import time\ntime.sleep(0)"},
    {OX_CAN_IMPORT, "import \"tests/api/data/module\" as m\nm.n"},
    {OX_CAN_IMPORT, "from \"./tests/api/data/module\" import n\nn"},
};

static ox_Status run_with(uint32_t capabilities, const char *text) {
  ox_Config config = ox_config();
  config.capabilities = capabilities;
  ox_VM *vm = ox_new(&config);
  cr_assert_not_null(vm);
  ox_Status status = eval(vm, text, NULL);
  if (status != OX_OK && !(capabilities & OX_CAN_IMPORT && capabilities == OX_CAN_ALL))
    assert_text_has(ox_error(vm)->report, "the host does not allow");
  done(vm);
  return status;
}

Test(capabilities, cannot_be_got_round) {
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
    const char *text = escapes[i].text;
    cr_assert_eq(run_with(OX_CAN_ALL, text), OX_OK, "%s", text);
    cr_assert_neq(run_with(OX_CAN_ALL & ~escapes[i].without, text), OX_OK, "%s", text);
    cr_assert_neq(run_with(0, text), OX_OK, "%s", text);
  }
}

Test(capabilities, leave_the_rest) {
  static const char *const texts[] = {
      "import time\ntime.utc(0).year", "import time\ntime.format(0, \"%Y\")",
      "import os\nos.platform", "import path\npath.join(\"a\", \"b\")", "import math, json, regex, random",
      "import fs", "print(1)", "import os\ntry { os.exit(0) } finally {}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    bool exits = strstr(texts[i], "exit");
    ox_Config config = ox_config();
    config.capabilities = strstr(texts[i], "fs") ? OX_CAN_READ : 0;
    ox_VM *vm = ox_new(&config);
    cr_assert_eq(eval(vm, texts[i], NULL), exits ? OX_EXITED : OX_OK, "%s", texts[i]);
    done(vm);
  }
}

Test(capabilities, hold_for_imports_by_the_host) {
  ox_Config config = ox_config();
  config.capabilities = 0;
  ox_VM *vm = ox_new(&config);
  cr_assert_eq(ox_import(vm, "fs", NULL), OX_THROWN);
  cr_assert_str_eq(ox_error(vm)->kind, "import");
  cr_assert_eq(ox_import(vm, "tests/api/data/module", NULL), OX_THROWN);
  cr_assert_eq(ox_run_file(vm, "tests/api/data/module.oxb", NULL), OX_OK); // the host's own wish
  done(vm);
}
