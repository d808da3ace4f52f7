// objects: a host that lends its own objects to programs. A program gets a canvas as a value that it
// can only hand back to the host's functions; when it drops the last one, the host is told.
#include <oxbow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16, HEIGHT = 4 };

typedef struct Canvas {
  char cells[HEIGHT][WIDTH];
} Canvas;

static void canvas_free(void *object) {
  puts("a canvas is freed");
  free(object);
}

static const ox_ForeignType canvas_type = {sizeof(ox_ForeignType), "Canvas", canvas_free};

static ox_Value canvas_new(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  Canvas *canvas = malloc(sizeof *canvas);
  if (!canvas) return ox_throw(vm, "out of memory", "no memory for a canvas");
  memset(canvas->cells, '.', sizeof canvas->cells);
  return ox_foreign(vm, &canvas_type, canvas);
}

// The canvas in an argument, or NULL with an error thrown.
static Canvas *canvas_of(ox_VM *vm, ox_Value value) {
  Canvas *canvas = ox_foreign_object(vm, value, &canvas_type);
  if (!canvas) ox_throw(vm, "type", "expected a Canvas, not %s", ox_type_name(vm, value));
  return canvas;
}

static ox_Value canvas_plot(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  Canvas *canvas = canvas_of(vm, argv[0]);
  if (!canvas) return ox_none();
  int64_t x = ox_as_int(vm, argv[1]), y = ox_as_int(vm, argv[2]);
  if (x < 0 || x >= WIDTH || y < 0 || y >= HEIGHT)
    return ox_throw(vm, "index", "(%lld, %lld) is not on the canvas", (long long)x, (long long)y);
  canvas->cells[y][x] = '#';
  return ox_nil();
}

static ox_Value canvas_show(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  Canvas *canvas = canvas_of(vm, argv[0]);
  if (!canvas) return ox_none();
  ox_flush(vm);  // what the program printed before comes first
  for (int y = 0; y < HEIGHT; y++) printf("%.*s\n", WIDTH, canvas->cells[y]);
  return ox_nil();
}

static const struct {
  const char *name, *signature, *doc;
  ox_Function call;
} functions[] = {
    {"canvas", "canvas()", "A new, empty canvas.", canvas_new},
    {"plot", "plot(canvas, x, y)", "Sets one cell.", canvas_plot},
    {"show", "show(canvas)", "Draws it.", canvas_show},
};

static const char program[] =
    "let c = canvas()\n"
    "for x in 0..16 { plot(c, x, x * x // 75) }\n"
    "show(c)\n"
    "try { plot(c, 99, 0) } catch e { print(e.kind, e.message) }\n"
    "try { plot(\"paper\", 0, 0) } catch e { print(e.kind, e.message) }\n"
    "c = nil\n";

int main(void) {
  ox_VM *vm = ox_new(NULL);
  if (!vm) return 1;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    ox_Scope scope = ox_scope_open(vm);
    ox_set(vm, functions[i].name, ox_function(vm, functions[i].signature, functions[i].doc,
                                              functions[i].call, NULL, NULL));
    ox_scope_close(vm, scope);
  }
  ox_Status status = ox_eval(vm, program, strlen(program), "program", NULL);
  if (status != OX_OK) fputs(ox_error(vm)->report, stderr);
  ox_collect(vm);
  puts("the program has ended");
  ox_free(vm);
  return status != OX_OK;
}

// prints: #########.......
// prints: .........####...
// prints: .............##.
// prints: ...............#
// prints: index (99, 0) is not on the canvas
// prints: type expected a Canvas, not string
// prints: a canvas is freed
// prints: the program has ended
