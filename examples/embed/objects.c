// objects: a host that exposes a type of its own. Programs make canvases, call their methods, read
// and set their properties, index and compare them; the table below is all that it takes. When a
// program drops the last one, the host is told.
#include <oxbow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WIDTH = 32, MAX_HEIGHT = 8 };

typedef struct Canvas {
  int width, height;
  char ink, cells[MAX_HEIGHT][MAX_WIDTH];
} Canvas;

// The address of a type is what it is known by; its methods refer to it.
static const ox_ForeignType canvas_type;

static void canvas_free(void *object) {
  puts("a canvas is freed");
  free(object);
}

// Canvas(width, height): no self. The types in the signature have been checked.
static ox_Value canvas_init(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  int64_t width = ox_as_int(vm, argv[0]);
  int64_t height = ox_is_none(argv[1]) ? 3 : ox_as_int(vm, argv[1]);
  if (width < 1 || width > MAX_WIDTH || height < 1 || height > MAX_HEIGHT)
    return ox_throw(vm, "value", "a canvas has at most %d by %d cells", MAX_WIDTH, MAX_HEIGHT);
  Canvas *canvas = malloc(sizeof *canvas);
  if (!canvas) return ox_throw(vm, "out of memory", "no memory for a canvas");
  *canvas = (Canvas){.width = (int)width, .height = (int)height, .ink = '#'};
  memset(canvas->cells, '.', sizeof canvas->cells);
  return ox_foreign(vm, &canvas_type, canvas);  // the VM owns it from here on
}

// Methods get the object as their context: it is a canvas, whatever the program did.
static ox_Value canvas_plot(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  Canvas *canvas = self;
  (void)argc;
  int64_t x = ox_as_int(vm, argv[1]), y = ox_as_int(vm, argv[2]);
  if (x < 0 || x >= canvas->width || y < 0 || y >= canvas->height)
    return ox_throw(vm, "index", "(%lld, %lld) is not on the canvas", (long long)x, (long long)y);
  canvas->cells[y][x] = canvas->ink;
  return argv[0];  // self, so that calls can be chained
}

static ox_Value canvas_ink(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc, (void)argv;
  return ox_string(vm, &((Canvas *)self)->ink, 1);
}

static ox_Value canvas_set_ink(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  size_t length;
  const char *ink = ox_as_string(vm, argv[1], &length);
  (void)argc;
  if (!ink || length != 1) return ox_throw(vm, "value", "ink is one character");
  ((Canvas *)self)->ink = *ink;
  return ox_nil();
}

static ox_Value canvas_row(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  Canvas *canvas = self;
  (void)argc;
  int64_t y = ox_as_int(vm, argv[1]);
  if (y < 0 || y >= canvas->height) return ox_throw(vm, "index", "there is no row %d", (int)y);
  return ox_string(vm, canvas->cells[y], (size_t)canvas->width);
}

static ox_Value canvas_equal(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  const Canvas *a = self, *b = ox_foreign_object(vm, argv[1], &canvas_type);  // NULL: none
  (void)argc;
  return ox_bool(b && a->width == b->width && a->height == b->height &&
                 memcmp(a->cells, b->cells, sizeof a->cells) == 0);
}

static ox_Value canvas_text(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  char text[64];
  (void)argc, (void)argv;
  snprintf(text, sizeof text, "a canvas of %d by %d", ((Canvas *)self)->width,
           ((Canvas *)self)->height);
  return ox_text(vm, text);
}

static const ox_Method canvas_methods[] = {
    {"init(width: int, height: int = 3)", "A new, empty canvas.", canvas_init},
    {"plot(self, x: int, y: int)", "Inks one cell. Gives the canvas.", canvas_plot},
    {"get ink(self)", "The character that plot writes.", canvas_ink},
    {"set ink(self, ink: string)", NULL, canvas_set_ink},
    {"[](self, y: int)", "A row as a string.", canvas_row},
    {"==(self, other)", "Whether all cells are the same.", canvas_equal},
    {"str(self)", NULL, canvas_text},
    {NULL, NULL, NULL},
};
static const ox_ForeignType canvas_type = {
    .size = sizeof canvas_type, .name = "Canvas", .finalize = canvas_free, .methods = canvas_methods};

static const char program[] =
    "let c = Canvas(16)\n"
    "for x in 0..16 { c.plot(x, x * x // 86) }\n"
    "c.ink = \"o\"\n"
    "c.plot(2, 2).plot(3, 2)\n"
    "for y in 0..3 { print(c[y]) }\n"
    "print(c, c is Canvas, c == Canvas(16))\n"
    "for wrong in [fn() => c.plot(99, 0), fn() => c.plot(\"left\", 0), fn() => c.plott(1, 1)] {\n"
    "  try { wrong() } catch e { print(\"${e.kind}: ${e.message}\") }\n"
    "}\n"
    "c = nil\n";

int main(void) {
  ox_VM *vm = ox_new(NULL);
  if (!vm) return 1;
  ox_Scope scope = ox_scope_open(vm);
  ox_set(vm, "Canvas", ox_class(vm, &canvas_type));
  ox_Status status = ox_eval(vm, program, strlen(program), "program", NULL);
  if (status != OX_OK) fputs(ox_error(vm)->report, stderr);
  ox_scope_close(vm, scope);
  ox_collect(vm);
  puts("the program has ended");
  ox_free(vm);
  return status != OX_OK;
}

// prints: ##########......
// prints: ..........####..
// prints: ..oo..........##
// prints: a canvas of 16 by 3 true false
// prints: index: (99, 0) is not on the canvas
// prints: type: `x` of plot must be an int, not string
// prints: name: Canvas has no method `plott`, did you mean `plot`?
// prints: a canvas is freed
// prints: a canvas is freed
// prints: the program has ended
