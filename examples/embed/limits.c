// limits: a host that runs programs it does not trust. Each gets a VM of its own with little memory,
// a budget, and no access to files or processes; none can take the host down or run for ever.
#include <oxbow.h>
#include <stdio.h>
#include <string.h>

static const char *const programs[] = {
    "print(\"a good program\")",
    "while true { try { while true {} } catch e {} }",
    "let xs = []\nwhile true { xs.push(\"x\".repeat(1000)) }",
    "fn f() { return 1 + f() }\nf()",
    "import process",
    "import os\nprint(os.env(\"HOME\"))",
    "let = 1",
};

static const char *verdict(ox_Status status) {
  switch (status) {
    case OX_OK: return "ended well";
    case OX_SYNTAX: case OX_INCOMPLETE: return "does not compile";
    case OX_NO_MEMORY: return "took too much memory";
    case OX_NO_FUEL: return "ran too long";
    default: return "failed";
  }
}

static int run_untrusted(const char *program) {
  ox_Config config = ox_config();
  config.memory_limit = 16 << 20;
  config.fuel = 1000000;
  config.capabilities = 0;
  ox_VM *vm = ox_new(&config);
  if (!vm) return 1;
  ox_Status status = ox_run(vm, program, strlen(program), "untrusted", NULL);
  printf("%s", verdict(status));
  if (status == OX_THROWN) printf(": %s", ox_error(vm)->message);
  printf("\n");
  ox_free(vm);
  return 0;
}

int main(void) {
  int failures = 0;
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
    failures += run_untrusted(programs[i]);
  return failures;
}

// prints: a good program
// prints: ended well
// prints: ran too long
// prints: took too much memory
// prints: failed: stack overflow
// prints: does not compile
// prints: failed: the host does not allow `os.env`
// prints: does not compile
