// hello: a host that gives a program one function and one variable, and calls back into it.
// Build it by hand with: cc hello.c -loxbow
#include <oxbow.h>
#include <stdio.h>
#include <string.h>

// Programs call this as area(width, height). That both are numbers is checked before: see main.
static ox_Value area(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context;
  (void)argc;
  double width = ox_as_float(vm, argv[0]), height = ox_as_float(vm, argv[1]);
  if (width < 0 || height < 0) return ox_throw(vm, "value", "area() needs lengths of at least 0");
  return ox_float(width * height);
}

static int failed(ox_VM *vm) {
  fputs(ox_error(vm)->report, stderr);
  ox_free(vm);
  return 1;
}

int main(void) {
  static const char program[] =
      "fn greet(name) => \"Hello ${name}, the area is ${area(width, 2.5)}.\"\n"
      "try { area(-1, 1) } catch e { print(e.message) }\n"
      "try { area(\"wide\", 1) } catch e { print(e.message) }\n";
  ox_VM *vm = ox_new(NULL);
  if (!vm) return 1;
  ox_set(vm, "area", ox_function(vm, "area(width: number, height: number)", "The area.", area, NULL,
                                 NULL));
  ox_set(vm, "width", ox_int(vm, 4));
  if (ox_eval(vm, program, strlen(program), "program", NULL) != OX_OK) return failed(vm);

  ox_Value greet, name = ox_text(vm, "Ada"), greeting;
  if (ox_get(vm, "greet", &greet) != OX_OK) return failed(vm);
  if (ox_call(vm, greet, 1, &name, &greeting) != OX_OK) return failed(vm);
  puts(ox_as_string(vm, greeting, NULL));
  ox_free(vm);
  return 0;
}

// prints: area() needs lengths of at least 0
// prints: `width` of area must be a number, not string
// prints: Hello Ada, the area is 10.0.
