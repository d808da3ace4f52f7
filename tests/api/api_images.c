// Images by the host: what it must give again, what is gone, what is refused.
#include "helpers.h"

#include <unistd.h>

typedef struct Box { int n; } Box;
static int finalized;
static void box_free(void *object) {
  finalized++;
  free(object);
}
static ox_Value box_get(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc, (void)argv;
  return ox_int(vm, ((Box *)self)->n);
}
static ox_Value box_add(ox_VM *vm, void *self, int argc, const ox_Value *argv) {
  (void)argc;
  return ox_int(vm, ((Box *)self)->n + ox_as_int(vm, argv[1]));
}
static ox_Value box_make(ox_VM *vm, void *context, int argc, const ox_Value *argv);
static const ox_Method box_methods[] = {{"get n(self)", NULL, box_get},
                                        {"add(self, x: int)", "adds", box_add},
                                        {"init(n)", NULL, box_make},
                                        {NULL, NULL, NULL}};
static const ox_ForeignType box_type = {
    .size = sizeof box_type, .name = "Box", .finalize = box_free, .methods = box_methods};
static ox_Value box_make(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  Box *b = malloc(sizeof *b);
  b->n = (int)ox_as_int(vm, argv[0]);
  return ox_foreign(vm, &box_type, b);
}

static ox_Value plus(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)argc;
  return ox_int(vm, ox_as_int(vm, argv[0]) + *(int *)context);
}
static void count_finalize(void *context) { ++*(int *)context; }

static const char *path_of(const char *name) {
  static char path[256];
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/oxbow-%ld-%s", folder ? folder : "/tmp", (long)getpid(), name);
  return path;
}

static void save(ox_VM *vm, const char *path) {
  ox_ImageStats stats = {.size = sizeof stats};
  cr_assert_eq(ox_image_save(vm, path, &stats), OX_OK, "%s", ox_error(vm) ? ox_error(vm)->message : "");
  cr_assert(stats.pages > 0 && stats.file_bytes > stats.pages * 4096 && stats.listed_pages > 0);
}

static ox_VM *open_with(const char *path, ox_ImageConfig config) {
  char message[600] = "";
  config.size = sizeof config;
  ox_VM *vm = ox_image_open(path, &config, NULL, message, sizeof message);
  cr_assert_not_null(vm, "%s", message);
  cr_assert_null(ox_verify(vm));
  return vm;
}

static void refused(const char *path, ox_ImageConfig config, const char *why) {
  char message[600] = "";
  config.size = sizeof config;
  cr_assert_null(ox_image_open(path, &config, NULL, message, sizeof message));
  cr_assert(strstr(message, why), "%s", message);
  cr_assert(strstr(message, path), "%s", message);
}

Test(images, state_comes_back) {
  const char *path = path_of("a.img");
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "let xs = [1, 2, 3]; fn twice(n) => 2 * n; let big = []\n"
               "for i in 0..20000 { big.push({i: i}) }\n"
               "fn gen() { let n = 10; for i in 0..5 { yield n + i } }; let g = fiber(gen); g.next()");
  save(vm, path);
  cr_assert_eq(int_of(vm, "g.next()"), 11, "the VM goes on");
  ox_free(vm);
  for (int check = OX_IMAGE_CHECK_AUTO; check <= OX_IMAGE_CHECK_ALL; check++) {
    vm = open_with(path, (ox_ImageConfig){.check = (ox_ImageCheck)check});
    cr_assert_eq(int_of(vm, "twice(len(xs)) + g.next() + big[19999].i"), 6 + 11 + 19999);
    value_of(vm, "for i in 0..100000 { xs.push({i: i}) }; big = nil");
    ox_collect(vm);
    cr_assert_null(ox_verify(vm));
    cr_assert_eq(int_of(vm, "len(xs) + xs[-1].i + g.next()"), 100003 + 99999 + 12);
    ox_free(vm);
  }
  char message[400];
  cr_assert(ox_image_verify(path, NULL, message, sizeof message), "%s", message);
  unlink(path);
}

Test(images, two_open_one_file) {
  const char *path = path_of("two.img");
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "let xs = [1]");
  save(vm, path);
  ox_VM *a = open_with(path, (ox_ImageConfig){0}), *b = open_with(path, (ox_ImageConfig){0});
  value_of(a, "xs.push(2)");
  value_of(b, "xs.push(3); xs.push(4)");
  save(vm, path);
  cr_assert_eq(int_of(a, "len(xs)"), 2);
  cr_assert_eq(int_of(b, "len(xs) + xs[2]"), 7);
  cr_assert_eq(int_of(vm, "len(xs)"), 1);
  unlink(path);
  cr_assert_eq(int_of(b, "xs[1]"), 3);
  ox_free(a), ox_free(b), ox_free(vm);
}

Test(images, functions_are_given_again) {
  const char *path = path_of("host.img");
  int seven = 7, hundred = 100, drops = 0, unneeded = 0;
  ox_VM *vm = ox_new(NULL);
  ox_set(vm, "plus", ox_function(vm, "plus(x: int)", "adds", plus, &seven, NULL));
  ox_Value members = ox_map(vm);
  ox_set_index(vm, members, ox_text(vm, "more"), ox_function(vm, "more(x)", NULL, plus, &seven, NULL));
  cr_assert_eq(ox_module(vm, "tools", members), OX_OK);
  value_of(vm, "import tools\nlet kept = tools.more");
  save(vm, path);
  ox_free(vm);
  refused(path, (ox_ImageConfig){0}, "it needs the host's function `plus(x: int)`, which is not among");
  ox_ImageFunction other[] = {{"plus(x)", plus, &drops, count_finalize}, {0}};
  refused(path, (ox_ImageConfig){.functions = other}, "(there is `plus(x)`)");
  cr_assert_eq(drops, 1, "contexts belong to the library also on failure");
  ox_ImageFunction none[] = {{"more(x)", plus, NULL, NULL}, {"plus(x: int)", NULL, NULL, NULL}, {0}};
  refused(path, (ox_ImageConfig){.functions = none}, "the function given for `plus(x: int)` is NULL");
  ox_ImageFunction all[] = {{"unknown()", plus, &unneeded, count_finalize},
                            {"more(x)", plus, &drops, count_finalize},
                            {"plus(x: int)", plus, &hundred, NULL}, {0}};
  vm = open_with(path, (ox_ImageConfig){.functions = all});
  cr_assert_eq(unneeded, 1);
  cr_assert_eq(int_of(vm, "plus(1)"), 101);
  cr_assert_eq(int_of(vm, "kept(1)"), 2, "its context is `drops`");
  cr_assert_eq(int_of(vm, "import tools\ntools.more(5)"), 6);
  ox_Value value;
  cr_assert_eq(eval(vm, "plus(\"a\")", &value), OX_THROWN);
  cr_assert(strstr(ox_error(vm)->message, "`x` of plus must be an int"));
  ox_free(vm);
  cr_assert_eq(drops, 2);
  unlink(path);
}

Test(images, foreign_objects_are_gone) {
  const char *path = path_of("types.img");
  const ox_ForeignType *types[] = {&box_type, NULL};
  ox_VM *vm = ox_new(NULL);
  ox_set(vm, "Box", ox_class(vm, &box_type));
  value_of(vm, "let b = Box(5)");
  cr_assert_eq(int_of(vm, "b.add(1) + b.n"), 11);
  ox_Value b;
  ox_get(vm, "b", &b);
  cr_assert_eq(ox_set_slot(vm, b, 2, ox_int(vm, 9)), OX_OK);
  save(vm, path);
  ox_free(vm);
  cr_assert_eq(finalized, 1);
  refused(path, (ox_ImageConfig){0}, "it needs the host's foreign type `Box`");
  vm = open_with(path, (ox_ImageConfig){.types = types});
  cr_assert_eq(eval(vm, "b.add(1)", &b), OX_THROWN);
  cr_assert(strstr(ox_error(vm)->message, "this Box is gone"), "%s", ox_error(vm)->message);
  ox_get(vm, "b", &b);
  cr_assert_null(ox_foreign_object(vm, b, &box_type));
  cr_assert_eq(ox_as_int(vm, ox_slot(vm, b, 2)), 9);
  cr_assert_eq(ox_charge(vm, b, 100), OX_MISUSE);
  cr_assert_eq(int_of(vm, "let c = Box(6); c.add(1) + c.n"), 13);
  cr_assert_eq(ox_truth(value_of(vm, "b is Box and c is Box")), true);
  ox_free(vm);
  cr_assert_eq(finalized, 2);
  unlink(path);
}

Test(images, snapshots_of_before_are_released) {
  const char *path = path_of("snap.img");
  ox_VM *vm = ox_new(NULL);
  ox_Value value;
  value_of(vm, "let n = 1; let s = snapshot(); n = 2");
  save(vm, path);
  ox_free(vm);
  vm = open_with(path, (ox_ImageConfig){0});
  ox_Snapshot mine;
  cr_assert_eq(ox_snapshot(vm, &mine), OX_OK);
  value_of(vm, "n = 3");
  cr_assert_eq(eval(vm, "restore(s)", &value), OX_THROWN);
  cr_assert(strstr(ox_error(vm)->message, "of another interpreter"), "%s", ox_error(vm)->message);
  cr_assert_eq(ox_restore(vm, mine), OX_OK);
  cr_assert_eq(int_of(vm, "n"), 2);
  ox_free(vm);
  unlink(path);
}

Test(images, capabilities_and_limits) {
  const char *path = path_of("caps.img");
  ox_Config config = ox_config();
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "import fs\nlet keep = fs.read");
  save(vm, path);
  ox_free(vm);
  config.capabilities = OX_CAN_ALL & ~OX_CAN_RUN;
  refused(path, (ox_ImageConfig){.config = &config}, "OX_CAN_RUN");
  config = ox_config();
  config.memory_limit = 1 << 16;
  refused(path, (ox_ImageConfig){.config = &config}, "raise the limit");
  config.memory_limit = 8 << 20;
  config.fuel = 1000;
  vm = open_with(path, (ox_ImageConfig){.config = &config});
  ox_Value value;
  cr_assert_eq(eval(vm, "while true {}", &value), OX_NO_FUEL);
  ox_set_fuel(vm, 0);
  cr_assert_eq(eval(vm, "let xs = []; while true { xs.push([xs]) }", &value), OX_NO_MEMORY);
  cr_assert(strstr(ox_error(vm)->message, "8 MiB"), "%s", ox_error(vm)->message);
  ox_free(vm);
  unlink(path);
}

static ox_Value save_inside(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)argc, (void)argv;
  return ox_int(vm, ox_image_save(vm, context, NULL));
}

Test(images, misuse_and_failures) {
  ox_VM *vm = ox_new(NULL);
  char message[300];
  cr_assert_eq(ox_image_save(vm, "/no/such/folder/x.img", NULL), OX_THROWN);
  cr_assert_str_eq(ox_error(vm)->kind, "io");
  cr_assert(strstr(ox_error(vm)->message, "cannot save the image '/no/such/folder/x.img'"));
  ox_set(vm, "save", ox_function(vm, "save()", NULL, save_inside, "/tmp/never.img", NULL));
  cr_assert_eq(int_of(vm, "save()"), OX_MISUSE);
  cr_assert_null(ox_image_open("/no/such.img", NULL, NULL, message, sizeof message));
  cr_assert(strstr(message, "No such file"));
  cr_assert_null(ox_image_open("/no/such.img", NULL, NULL, NULL, 0));
  cr_assert_not(ox_image_verify("/", NULL, message, sizeof message));
  ox_free(vm);
}
