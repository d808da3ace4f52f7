// A program of another project: it knows Oxbow by <oxbow.h> and `pkg-config oxbow` alone.
#include <oxbow.h>
#include <stdio.h>
#include <string.h>

static ox_Value twice(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context;
  return argc == 1 ? ox_int(vm, 2 * ox_as_int(vm, argv[0])) : ox_nil();
}

int main(void) {
  static const char program[] = "import regex\nregex.match(\"[0-9]+\", \"abc 21\").text";
  ox_VM *vm = ox_new(NULL);
  ox_Value found, text = ox_none();
  if (!vm) return 1;
  ox_set(vm, "twice", ox_function(vm, "twice(n)", NULL, twice, NULL, NULL));
  ox_Status status = ox_eval(vm, "twice(21)", 9, "outside", &found);
  if (status == OX_OK) printf("%lld\n", (long long)ox_as_int(vm, found));
  // The optional libraries must be linked as well where Oxbow uses them.
  if (status == OX_OK && strstr(ox_build_info(), "pcre2"))
    status = ox_eval(vm, program, strlen(program), "outside", &text);
  if (status != OX_OK) fputs(ox_error(vm)->report, stderr);
  ox_free(vm);
  return status != OX_OK;
}
