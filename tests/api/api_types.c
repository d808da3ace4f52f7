// Foreign types: methods, properties, operators, classes, slots, charged bytes.
#include "helpers.h"

typedef struct Box {
  int64_t width;
} Box;

static int64_t boxes_freed;

static void box_free(void *object) {
  boxes_freed++;
  free(object);
}

static ox_Value box_init(ox_VM *vm, void *context, int argc, const ox_Value *argv);

static ox_Value box_grow(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)vm;
  cr_assert_eq(argc, 2);
  ((Box *)self)->width += ox_is_none(argv[1]) ? 1 : ox_type(argv[1]) == OX_TYPE_NIL ? 0 : ox_as_int(vm, argv[1]);
  return argv[0];
}

static ox_Value box_width(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argv;
  cr_assert_eq(argc, 1);
  return ox_int(vm, ((Box *)self)->width);
}

static ox_Value box_set_width(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  cr_assert_eq(argc, 2);
  if (ox_as_int(vm, argv[1]) < 0) return ox_throw(vm, "value", "a width must not be negative");
  ((Box *)self)->width = ox_as_int(vm, argv[1]);
  return ox_nil();
}

static ox_Value box_equal(ox_VM *vm, void *self, int argc, const ox_Value *argv);
static ox_Value box_add(ox_VM *vm, void *self, int argc, const ox_Value *argv);
static ox_Value box_less(ox_VM *vm, void *self, int argc, const ox_Value *argv);

static ox_Value box_text(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  char text[32];
  (void)argc, (void)argv;
  snprintf(text, sizeof text, "<%lld wide>", (long long)((Box *)self)->width);
  return ox_text(vm, text);
}

static ox_Value box_iter(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc, (void)argv;
  ox_Value list = ox_list(vm, NULL, 0);
  for (int64_t i = 0; i < ((Box *)self)->width; i++) ox_push(vm, list, ox_int(vm, i));
  return list;
}

static ox_Value box_at(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc;
  return ox_int(vm, ((Box *)self)->width * ox_as_int(vm, argv[1]));
}

static ox_Value box_put(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  cr_assert_eq(argc, 3);
  ((Box *)self)->width = ox_as_int(vm, argv[1]) * 10 + ox_as_int(vm, argv[2]);
  return ox_nil();
}

static ox_Value box_call(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argv;
  return ox_int(vm, ((Box *)self)->width * 100 + argc);
}

static ox_Value box_on(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)self, (void)argc;
  return ox_set_slot(vm, argv[0], 3, argv[1]) == OX_OK ? ox_nil() : ox_rethrow(vm);
}

static ox_Value box_fire(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  ox_Value result;
  (void)self, (void)argc;
  if (ox_call(vm, ox_slot(vm, argv[0], 3), 0, NULL, &result) != OX_OK) return ox_rethrow(vm);
  return result;
}

static const ox_Method box_methods[] = {
    {"init(width: int = 1)", "A box.", box_init},
    {"grow(self, by: int? = 1)", "Makes it wider.", box_grow},
    {"get width(self)", "How wide it is.", box_width},
    {"set width(self, w: int)", NULL, box_set_width},
    {"get area(self)", NULL, box_width},
    {"set secret(self, s)", NULL, box_set_width},
    {"==(self, other)", NULL, box_equal},
    {"+(self, other: Box)", NULL, box_add},
    {"<(self, other: Box)", NULL, box_less},
    {"hash(self)", NULL, box_width},
    {"len(self)", NULL, box_width},
    {"str(self)", NULL, box_text},
    {"iter(self)", NULL, box_iter},
    {"[](self, i: int)", NULL, box_at},
    {"[]=(self, i, value: int)", NULL, box_put},
    {"call(self, ...rest)", NULL, box_call},
    {"on(self, f: function)", NULL, box_on},
    {"fire(self)", NULL, box_fire},
    {NULL, NULL, NULL},
};
static const ox_ForeignType box_type = {
    .size = sizeof box_type, .name = "Box", .finalize = box_free, .methods = box_methods};
static const ox_ForeignType bare_type = {.size = sizeof bare_type, .name = "Bare"};

static ox_Value box_new(ox_VM *vm, int64_t width) {
  Box *box = calloc(1, sizeof *box);
  cr_assert_not_null(box);
  box->width = width;
  return ox_foreign(vm, &box_type, box);
}

static ox_Value box_init(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  cr_assert_eq(context, ox_context(vm));
  cr_assert_eq(argc, 1);
  return box_new(vm, ox_is_none(argv[0]) ? 1 : ox_as_int(vm, argv[0]));
}

static ox_Value box_equal(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  Box *other = ox_foreign_object(vm, argv[1], &box_type);
  (void)argc;
  return ox_bool(other && other->width == ((Box *)self)->width);
}

static ox_Value box_add(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc;
  return box_new(vm, ((Box *)self)->width +
                         ((Box *)ox_foreign_object(vm, argv[1], &box_type))->width);
}

static ox_Value box_less(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc;
  Box *other = ox_foreign_object(vm, argv[1], &box_type);
  return ox_bool(((Box *)self)->width < other->width);
}

static ox_VM *vm_with_boxes(void) {
  static int context;
  ox_Config config = ox_config();
  config.context = &context;
  ox_VM *vm = ox_new(&config);
  cr_assert_eq(ox_set(vm, "Box", ox_class(vm, &box_type)), OX_OK);
  cr_assert_eq(ox_set(vm, "box", box_new(vm, 8)), OX_OK);
  return vm;
}

static void assert_throws(ox_VM *vm, const char *text, const char *kind, const char *message) {
  cr_assert_eq(eval(vm, text, NULL), OX_THROWN, "%s", text);
  cr_assert_str_eq(ox_error(vm)->kind, kind);
  assert_text_has(ox_error(vm)->message, message);
}

Test(types, methods) {
  ox_VM *vm = vm_with_boxes();
  cr_assert_eq(int_of(vm, "box.grow(2).grow().grow(by: nil).width"), 11);
  cr_assert_eq(int_of(vm, "let f = box.grow\nf(9); box.width"), 20);
  assert_throws(vm, "box.grow(\"x\")", "type", "`by` of grow must be an int or nil, not string");
  assert_throws(vm, "box.grow(1, 2)", "arity", "grow(by: int? = 1)");
  assert_throws(vm, "box.groww()", "name", "did you mean `grow`");
  assert_throws(vm, "let g = box.class\ng.grow(3)", "name", "grow");
  done(vm);
}

Test(types, methods_check_their_self) {
  ox_VM *vm = vm_with_boxes();
  cr_assert_eq(ox_set(vm, "bare", ox_foreign(vm, &bare_type, vm)), OX_OK);
  assert_shows(vm, value_of(vm, "str(bare)"), "\"<Bare>\"");
  cr_assert_null(ox_foreign_object(vm, value_of(vm, "bare"), &box_type));
  cr_assert_eq(ox_foreign_object(vm, value_of(vm, "bare"), &bare_type), vm);
  ox_Value add, args[2] = {ox_nil(), ox_nil()};
  // A method of one type as a field of a map: its self is what the map's function gets.
  cr_assert_eq(eval(vm, "let m = {grow: box.grow}\nm.grow(5)", &add), OX_OK);
  cr_assert_eq(ox_call_method(vm, value_of(vm, "bare"), "grow", 2, args, NULL), OX_NOT_FOUND);
  done(vm);
}

Test(types, properties) {
  ox_VM *vm = vm_with_boxes();
  cr_assert_eq(int_of(vm, "box.width = 5; box.width += 2; box.width * box.area"), 49);
  assert_throws(vm, "box.width = \"x\"", "type", "`w` of width must be an int");
  assert_throws(vm, "box.width = -1", "value", "must not be negative");
  assert_throws(vm, "box.area = 1", "type", "property `area` of Box cannot be set");
  assert_throws(vm, "box.secret", "name", "property `secret` of Box can only be set");
  assert_throws(vm, "box.widht", "name", "did you mean `width`");
  assert_throws(vm, "box.nothing = 1", "name", "nothing");
  ox_Value box, width;
  ox_get(vm, "box", &box);
  cr_assert_eq(ox_set_member(vm, box, "width", ox_int(vm, 30)), OX_OK);
  cr_assert_eq(ox_member(vm, box, "width", &width), OX_OK);
  cr_assert_eq(ox_as_int(vm, width), 30);
  cr_assert_eq(ox_member(vm, box, "none", &width), OX_NOT_FOUND);
  done(vm);
}

Test(types, operators) {
  ox_VM *vm = vm_with_boxes();
  cr_assert_eq(int_of(vm, "(box + Box(4)).width"), 12);
  cr_assert_eq(int_of(vm, "box[3] + len(box) + box(1, 2)"), 24 + 8 + 803);
  assert_shows(vm, value_of(vm, "[box == Box(8), box != Box(8), box == 8, box < Box(9)]"),
               "[true, false, false, true]");
  assert_shows(vm, value_of(vm, "[Box(3), Box(1), Box(2)].sorted().map(fn(b) => b.width)"),
               "[1, 2, 3]");
  assert_shows(vm, value_of(vm, "[Box(3), Box(1)].contains(Box(1))"), "true");
  assert_shows(vm, value_of(vm, "let seen = {}\nseen[box] = \"a\"; seen[Box(8)]"), "\"a\"");
  assert_shows(vm, value_of(vm, "let all = []\nfor x in Box(3) { all.push(x) }\nall"), "[0, 1, 2]");
  assert_shows(vm, value_of(vm, "\"${box} ${[box]}\""), "\"<8 wide> [<8 wide>]\"");
  cr_assert_eq(int_of(vm, "box[7] = 7; box.width"), 77);
  assert_throws(vm, "box + 1", "type", "`other` of + must be a Box, not int");
  assert_throws(vm, "box - box", "type", "cannot subtract");
  done(vm);
}

Test(types, classes) {
  ox_VM *vm = vm_with_boxes();
  assert_shows(vm, value_of(vm, "[box is Box, 1 is Box, type(box), box.class == Box]"),
               "[true, false, \"Box\", true]");
  cr_assert_eq(int_of(vm, "Box().width + Box(width: 5).width + [1, 2].map(Box)[1].width"), 8);
  assert_throws(vm, "Box(1, 2)", "arity", "Box(width: int = 1)");
  assert_throws(vm, "Box(\"x\")", "type", "`width` of Box must be an int");
  assert_throws(vm, "class Sub : Box {}", "type", "cannot inherit");
  ox_Value bare = ox_class(vm, &bare_type), cls = ox_class(vm, &box_type), made;
  cr_assert_eq(ox_type(cls), OX_TYPE_CLASS);
  cr_assert_eq(ox_equal(vm, cls, ox_class(vm, &box_type)), 1);
  cr_assert_eq(ox_call(vm, bare, 0, NULL, &made), OX_THROWN);
  assert_text_has(ox_error(vm)->message, "cannot make a Bare");
  done(vm);
}

Test(types, malformed) {
  static const ox_Method no_self[] = {{"grow(by)", NULL, box_grow}, {NULL, NULL, NULL}};
  static const ox_Method unclosed[] = {{"grow(self", NULL, box_grow}, {NULL, NULL, NULL}};
  static const ox_Method untyped[] = {{"grow(self, x: )", NULL, box_grow}, {NULL, NULL, NULL}};
  static const ox_Method *const tables[] = {no_self, unclosed, untyped};
  static ox_ForeignType types[3];
  ox_VM *vm = ox_new(NULL);
  for (int i = 0; i < 3; i++) {
    types[i] = (ox_ForeignType){
        .size = sizeof types[i], .name = "Bad", .finalize = box_free, .methods = tables[i]};
    boxes_freed = 0;
    cr_assert(ox_is_none(ox_class(vm, &types[i])));
    cr_assert(ox_is_none(ox_foreign(vm, &types[i], malloc(1))), "%d", i);
    cr_assert_eq(boxes_freed, 1);
    cr_assert_eq(ox_error(vm)->status, OX_THROWN);
  }
  cr_assert_eq(int_of(vm, "1 + 1"), 2);
  done(vm);
}

// An older program knows less of ox_ForeignType.
Test(types, shorter_structure) {
  static ox_ForeignType old;
  ox_VM *vm = ox_new(NULL);
  old = box_type;
  old.size = offsetof(ox_ForeignType, methods);
  ox_set(vm, "old", ox_foreign(vm, &old, calloc(1, sizeof(Box))));
  cr_assert_eq(eval(vm, "old.width", NULL), OX_THROWN);
  done(vm);
}

Test(types, slots_live_and_die_with_the_object) {
  ox_VM *vm = vm_with_boxes();
  cr_assert_eq(int_of(vm, "box.on(fn() => 40 + len(\"ab\"))\nimport memory\nmemory.collect()\n"
                          "box.fire()"), 42);
  assert_throws(vm, "box.on(3)", "type", "`f` of on must be a function, not int");
  boxes_freed = 0;
  value_of(vm, "for i in 0..500 { let b = Box(); b.on(fn() => b) }"); // cycles through the host
  ox_collect(vm);
  cr_assert(boxes_freed > 400, "%lld", (long long)boxes_freed);
  ox_Value box = box_new(vm, 1);
  cr_assert_eq(ox_type(ox_slot(vm, box, 200)), OX_TYPE_NIL);
  cr_assert_eq(ox_set_slot(vm, box, 255, ox_int(vm, 5)), OX_OK);
  cr_assert_eq(ox_as_int(vm, ox_slot(vm, box, 255)), 5);
  cr_assert_eq(ox_type(ox_slot(vm, box, 0)), OX_TYPE_NIL);
  cr_assert_eq(ox_set_slot(vm, box, 256, ox_nil()), OX_MISUSE);
  cr_assert_eq(ox_set_slot(vm, box, 0, ox_none()), OX_MISUSE);
  cr_assert_eq(ox_set_slot(vm, ox_int(vm, 1), 0, ox_nil()), OX_MISUSE);
  cr_assert(ox_is_none(ox_slot(vm, ox_int(vm, 1), 0)));
  done(vm);
}

static uint64_t external_bytes(ox_VM *vm) {
  ox_Stats stats = {.size = sizeof stats};
  ox_stats(vm, &stats);
  return stats.external_bytes;
}

Test(types, charged_bytes_count) {
  ox_VM *vm = vm_limited_to(16 << 20);
  box_new(vm, 0); // makes the table of such objects, which counts as well
  ox_Scope scope = ox_scope_open(vm);
  uint64_t before = external_bytes(vm);
  ox_Value box = box_new(vm, 1);
  cr_assert_eq(ox_charge(vm, box, 4 << 20), OX_OK);
  cr_assert_eq(external_bytes(vm), before + (4 << 20));
  cr_assert_eq(ox_charge(vm, box, 1 << 20), OX_OK);
  cr_assert_eq(external_bytes(vm), before + (1 << 20));
  cr_assert_eq(ox_charge(vm, box, 1 << 30), OX_NO_MEMORY);
  cr_assert_eq(ox_charge(vm, box, UINT64_MAX), OX_NO_MEMORY);
  cr_assert_eq(external_bytes(vm), before + (1 << 20));
  cr_assert_eq(ox_charge(vm, ox_nil(), 1), OX_MISUSE);
  ox_scope_close(vm, scope);
  ox_collect(vm);
  cr_assert_eq(external_bytes(vm), before);
  // Objects that nobody holds are collected before the limit is said to be reached.
  for (int i = 0; i < 100; i++) {
    scope = ox_scope_open(vm);
    cr_assert_eq(ox_charge(vm, box_new(vm, i), 3 << 20), OX_OK, "%d", i);
    ox_scope_close(vm, scope);
  }
  done(vm);
  // The table of objects cannot grow: the object goes to its finalizer, and nothing else happens.
  vm = vm_limited_to(16 << 20);
  ox_Value boxes = ox_list(vm, NULL, 0);
  for (int i = 0; i < 1023; i++) {
    cr_assert_eq(ox_push(vm, boxes, box_new(vm, i)), OX_OK);
    if (i < 14 || ((i + 1) & (i + 2)) != 0) continue; // the table is full at 15, 31, ...
    int64_t freed = boxes_freed;
    ox_set_memory_limit(vm, 1);
    cr_assert(ox_is_none(box_new(vm, i)));
    cr_assert_str_eq(ox_error(vm)->kind, "out of memory");
    cr_assert_eq(boxes_freed, freed + 1);
    ox_set_memory_limit(vm, 16 << 20);
  }
  done(vm);
}
