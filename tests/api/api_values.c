// Making and reading values, containers, scopes and pins.
#include <math.h>

#include "helpers.h"

Test(values, types) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(ox_type(ox_none()), OX_TYPE_NONE);
  cr_assert_eq(ox_type(ox_nil()), OX_TYPE_NIL);
  cr_assert_eq(ox_type(ox_bool(true)), OX_TYPE_BOOL);
  cr_assert_eq(ox_type(ox_int(vm, 1)), OX_TYPE_INT);
  cr_assert_eq(ox_type(ox_int(vm, INT64_MAX)), OX_TYPE_INT);
  cr_assert_eq(ox_type(ox_float(1)), OX_TYPE_FLOAT);
  cr_assert_eq(ox_type(ox_text(vm, "")), OX_TYPE_STRING);
  cr_assert_eq(ox_type(ox_list(vm, NULL, 0)), OX_TYPE_LIST);
  cr_assert_eq(ox_type(ox_map(vm)), OX_TYPE_MAP);
  cr_assert_eq(ox_type(value_of(vm, "0..3")), OX_TYPE_RANGE);
  cr_assert_eq(ox_type(value_of(vm, "fn() => 1")), OX_TYPE_FUNCTION);
  cr_assert_eq(ox_type(value_of(vm, "fiber(fn() { yield 1 })")), OX_TYPE_FIBER);
  cr_assert_eq(ox_type(value_of(vm, "error(\"e\")")), OX_TYPE_ERROR);
  done(vm);
}

Test(values, ints_are_exact) {
  const int64_t wide = (int64_t)1 << 47; // the first that does not fit into a value
  const int64_t ints[] = {0, 1, -1, wide - 1, wide, -wide, -wide - 1, INT64_MAX, INT64_MIN};
  ox_VM *vm = ox_new(NULL);
  char text[64];
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
    cr_assert_eq(ox_as_int(vm, ox_int(vm, ints[i])), ints[i]);
    snprintf(text, sizeof text, "%lld", (long long)ints[i]);
    assert_shows(vm, ox_int(vm, ints[i]), text);
  }
  done(vm);
}

Test(values, numbers_convert) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(ox_as_int(vm, ox_float(2.9)), 2);
  cr_assert_eq(ox_as_int(vm, ox_float(-2.9)), -2);
  cr_assert_eq(ox_as_int(vm, ox_float(1e300)), INT64_MAX);
  cr_assert_eq(ox_as_int(vm, ox_float(-1e300)), INT64_MIN);
  cr_assert_eq(ox_as_int(vm, ox_float(NAN)), 0);
  cr_assert_eq(ox_as_float(vm, ox_int(vm, 3)), 3.0);
  cr_assert(isnan(ox_as_float(vm, ox_float(NAN))));
  cr_assert_eq(ox_type(ox_float(-NAN)), OX_TYPE_FLOAT);
  done(vm);
}

Test(values, truth) {
  ox_VM *vm = ox_new(NULL);
  cr_assert(ox_truth(ox_bool(true)) && ox_truth(ox_int(vm, 0)) && ox_truth(ox_float(0)));
  cr_assert(!ox_truth(ox_nil()) && !ox_truth(ox_bool(false)) && !ox_truth(ox_none()));
  done(vm);
}

Test(values, strings) {
  ox_VM *vm = ox_new(NULL);
  size_t length;
  const char *bytes = ox_as_string(vm, ox_string(vm, "a\0b", 3), &length);
  cr_assert_eq(length, 3);
  cr_assert_eq(memcmp(bytes, "a\0b", 4), 0);
  cr_assert_null(ox_as_string(vm, ox_int(vm, 1), &length));
  cr_assert_eq(length, 0);
  ox_Value rope = value_of(vm, "let s = \"\"\nfor i in 0..1000 { s += \"0123456789\" }\ns");
  cr_assert_eq(strlen(ox_as_string(vm, rope, NULL)), 10000);
  cr_assert_eq(ox_length(vm, rope), 10000);
  done(vm);
}

Test(values, showing) {
  ox_VM *vm = ox_new(NULL);
  static const char literal[] = "[1, 2.0, \"x\", nil, {a: true}]";
  assert_shows(vm, value_of(vm, literal), literal);
  cr_assert_str_eq(ox_as_string(vm, ox_show(vm, ox_text(vm, "x"), false), NULL), "x");
  value_of(vm, "class Bad { fn str() { throw 1 } }");
  cr_assert(ox_is_none(ox_show(vm, value_of(vm, "Bad()"), false)));
  cr_assert_eq(ox_error(vm)->status, OX_THROWN);
  done(vm);
}

Test(values, equality) {
  ox_VM *vm = ox_new(NULL);
  cr_assert_eq(ox_equal(vm, ox_int(vm, 1), ox_float(1)), 1);
  cr_assert_eq(ox_equal(vm, value_of(vm, "[1, [2]]"), value_of(vm, "[1, [2]]")), 1);
  cr_assert_eq(ox_equal(vm, ox_text(vm, "1"), ox_int(vm, 1)), 0);
  value_of(vm, "class Bad { fn ==(o) { throw 1 } }");
  cr_assert_eq(ox_equal(vm, value_of(vm, "Bad()"), value_of(vm, "Bad()")), -1);
  done(vm);
}

Test(containers, lists) {
  ox_VM *vm = ox_new(NULL);
  ox_Value items[] = {ox_int(vm, 1), ox_text(vm, "two")};
  ox_Value list = ox_list(vm, items, 2), item;
  cr_assert_eq(ox_push(vm, list, ox_nil()), OX_OK);
  cr_assert_eq(ox_length(vm, list), 3);
  cr_assert_eq(ox_index(vm, list, ox_int(vm, 1), &item), OX_OK);
  assert_shows(vm, item, "\"two\"");
  cr_assert_eq(ox_index(vm, list, ox_int(vm, -1), &item), OX_OK);
  assert_shows(vm, item, "nil");
  cr_assert_eq(ox_index(vm, list, ox_int(vm, 3), &item), OX_THROWN);
  cr_assert_str_eq(ox_error(vm)->kind, "index");
  cr_assert_eq(ox_set_index(vm, list, ox_int(vm, 0), ox_bool(true)), OX_OK);
  assert_shows(vm, list, "[true, \"two\", nil]");
  cr_assert_eq(ox_push(vm, ox_nil(), ox_nil()), OX_MISUSE);
  done(vm);
}

Test(containers, maps) {
  ox_VM *vm = ox_new(NULL);
  ox_Value map = ox_map(vm), value, key;
  for (int i = 0; i < 20; i++) {
    char name[16];
    snprintf(name, sizeof name, "k%d", i);
    cr_assert_eq(ox_set_index(vm, map, ox_text(vm, name), ox_int(vm, i)), OX_OK);
  }
  cr_assert_eq(ox_length(vm, map), 20);
  cr_assert_eq(ox_member(vm, map, "k7", &value), OX_OK);
  cr_assert_eq(ox_as_int(vm, value), 7);
  cr_assert_eq(ox_member(vm, map, "k70", &value), OX_NOT_FOUND);
  cr_assert_eq(ox_set_member(vm, map, "k7", ox_nil()), OX_OK);
  cr_assert_eq(ox_index(vm, map, ox_text(vm, "none"), &value), OX_THROWN);
  cr_assert_str_eq(ox_error(vm)->kind, "key");
  cr_assert_eq(ox_set_index(vm, map, ox_list(vm, NULL, 0), ox_nil()), OX_THROWN);
  uint32_t position = 0;
  int64_t count = 0;
  while (ox_next(vm, map, &position, &key, &value)) {
    cr_assert_eq(ox_type(key), OX_TYPE_STRING);
    if (ox_type(value) == OX_TYPE_INT) cr_assert_eq(ox_as_int(vm, value), count);
    count++;
  }
  cr_assert_eq(count, 20);
  cr_assert(!ox_next(vm, ox_nil(), &position, &key, NULL));
  done(vm);
}

Test(containers, none_is_refused) {
  ox_VM *vm = ox_new(NULL);
  ox_Value none = ox_none(), list = ox_list(vm, NULL, 0);
  cr_assert(ox_is_none(ox_list(vm, &none, 1)));
  cr_assert_eq(ox_push(vm, list, none), OX_MISUSE);
  cr_assert_eq(ox_index(vm, none, none, NULL), OX_MISUSE);
  cr_assert_eq(ox_set_index(vm, list, ox_int(vm, 0), none), OX_MISUSE);
  cr_assert_eq(ox_member(vm, none, "a", NULL), OX_MISUSE);
  done(vm);
}

// Makes garbage and collects it.
static void churn(ox_VM *vm) {
  ox_Scope scope = ox_scope_open(vm);
  for (int i = 0; i < 1000; i++) ox_string(vm, "some text that is longer than interned ones", 43);
  ox_scope_close(vm, scope);
  ox_collect(vm);
}

static uint64_t kept_values(ox_VM *vm) {
  ox_Stats stats = {.size = sizeof stats};
  ox_stats(vm, &stats);
  return stats.scope_values;
}

Test(scopes, keep_and_let_go) {
  ox_VM *vm = ox_new(NULL);
  uint64_t before = kept_values(vm);
  ox_Scope outer = ox_scope_open(vm);
  ox_Value kept = ox_text(vm, "a text that must survive the collections below");
  ox_Scope inner = ox_scope_open(vm);
  ox_list(vm, &kept, 1);
  ox_Value result = ox_scope_close_keeping(vm, inner, ox_list(vm, &kept, 1));
  churn(vm);
  assert_shows(vm, result, "[\"a text that must survive the collections below\"]");
  ox_scope_close(vm, outer);
  cr_assert_eq(kept_values(vm), before);
  done(vm);
}

Test(scopes, calls_leave_only_results) {
  ox_VM *vm = ox_new(NULL);
  value_of(vm, "fn f(x) { let xs = [x, x]; return x }");
  ox_Value f, arg = ox_text(vm, "an argument of some length, not interned");
  ox_get(vm, "f", &f);
  uint64_t before = kept_values(vm);
  for (int i = 0; i < 100; i++) cr_assert_eq(ox_call(vm, f, 1, &arg, NULL), OX_OK);
  cr_assert_eq(kept_values(vm), before);
  done(vm);
}

Test(pins, count) {
  ox_VM *vm = ox_new(NULL);
  enum { N = 500 };
  ox_Value values[N];
  ox_Scope scope = ox_scope_open(vm);
  char text[64];
  for (int i = 0; i < N; i++) {
    snprintf(text, sizeof text, "pinned text with the number %d at its end: %d", i, i);
    values[i] = ox_text(vm, text);
    cr_assert(ox_pin(vm, values[i]));
    if (i % 2) cr_assert(ox_pin(vm, values[i]));
  }
  ox_scope_close(vm, scope);
  for (int i = 0; i < N; i++) ox_unpin(vm, values[i]);
  churn(vm);
  for (int i = 1; i < N; i += 2) {
    snprintf(text, sizeof text, "pinned text with the number %d at its end: %d", i, i);
    cr_assert_str_eq(ox_as_string(vm, values[i], NULL), text);
    ox_unpin(vm, values[i]);
  }
  ox_Stats stats = {.size = sizeof stats};
  ox_stats(vm, &stats);
  cr_assert_eq(stats.pins, 0);
  done(vm);
}

Test(pins, odd_arguments) {
  ox_VM *vm = ox_new(NULL);
  cr_assert(ox_pin(vm, ox_nil()));
  cr_assert(ox_pin(vm, ox_int(vm, 5)));
  cr_assert(!ox_pin(vm, ox_none()));
  ox_unpin(vm, ox_nil());
  done(vm);
}

static void count_text(void *context, const char *text) {
  (void)text;
  ++*(int *)context;
}

static void count_doc(void *context, const ox_Doc *doc) {
  cr_assert(*doc->signature);
  ++*(int *)context;
}

Test(docs, find_and_complete) {
  ox_VM *vm = ox_new(NULL);
  int docs = 0, names = 0;
  cr_assert(ox_find_doc("len", count_doc, &docs) >= 1);
  cr_assert(ox_find_doc("math.sqrt", count_doc, &docs) == 1);
  cr_assert_eq(ox_find_doc("nonesuch", count_doc, &docs), 0);
  value_of(vm, "import math\nlet config = {server: {port: 1}}\nlet counting = 1");
  ox_complete(vm, "math.sqr", 8, count_text, &names);
  cr_assert_eq(names, 1);
  names = 0;
  ox_complete(vm, "1 + coun", 8, count_text, &names);
  cr_assert_eq(names, 1);
  names = 0;
  ox_complete(vm, "config.server.po", 16, count_text, &names);
  cr_assert(names >= 1);
  ox_complete(vm, "nonesuch.a.b", 12, count_text, &names);
  ox_complete(vm, "", 0, count_text, &names);
  ox_complete(vm, "...", 3, count_text, &names);
  done(vm);
}

typedef struct Described {
  char signature[64], doc[64], file[64];
  int line;
} Described;

static void keep_doc(void *context, const ox_Doc *doc) {
  Described *d = context;
  snprintf(d->signature, sizeof d->signature, "%s", doc->signature);
  snprintf(d->doc, sizeof d->doc, "%s", doc->doc);
  snprintf(d->file, sizeof d->file, "%s", doc->file ? doc->file : "");
  d->line = doc->line;
}

static void expect_doc(ox_VM *vm, const char *name, const char *signature, const char *doc,
                       const char *file, int line) {
  Described d = {"", "", "", 0};
  cr_assert(ox_describe(vm, name, keep_doc, &d), "%s", name);
  cr_assert_str_eq(d.signature, signature);
  cr_assert_str_eq(d.doc, doc);
  cr_assert_str_eq(d.file, file);
  cr_assert_eq(d.line, line);
}

Test(docs, describe) {
  ox_VM *vm = ox_new(NULL);
  Described d;
  value_of(vm, "import math\n# Two times.\n# Or so.\nfn twice(x, by = [1, (2)],\n  c = \"))\") => x\n"
               "# A dot.\nclass Dot {\n  x = 0\n  fn init(x) { self.x = x }\n\n  fn far() => 1\n}\n"
               "class Bare {}\nlet dot = Dot(1)\nlet n = 5\nlet f = fn(a) => a\nlet root = math.sqrt\n"
               "let held = dot.far\nlet box = {inner: {g: twice}}");
  expect_doc(vm, "twice", "twice(x, by = [1, (2)], c = \"))\")", "Two times.\nOr so.", "test", 4);
  expect_doc(vm, "Dot", "class Dot(x)", "A dot.", "test", 7);
  expect_doc(vm, "Bare", "class Bare", "", "", 0);
  expect_doc(vm, "Dot.far", "far()", "", "test", 11);
  expect_doc(vm, "dot.far", "far()", "", "test", 11);
  expect_doc(vm, "held", "far()", "", "test", 11);
  expect_doc(vm, "box.inner.g", "twice(x, by = [1, (2)], c = \"))\")", "Two times.\nOr so.", "test", 4);
  cr_assert(ox_describe(vm, "root", keep_doc, &d));
  cr_assert_str_eq(d.signature, "sqrt(x) -> float");
  cr_assert(ox_describe(vm, "f", keep_doc, &d));
  cr_assert_eq(d.line, 16);
  const char *others[] = {"n", "nonesuch", "dot.x", "dot.nope", "", ".", "..", "n.a.b"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    cr_assert_not(ox_describe(vm, others[i], keep_doc, &d), "%s", others[i]);
  done(vm);
}

Test(docs, complete_imports_and_literals) {
  ox_VM *vm = ox_new(NULL);
  int names = 0;
  ox_complete(vm, "import rando", 12, count_text, &names);
  cr_assert_eq(names, 1);
  ox_complete(vm, "from math import sqr", 20, count_text, &names);
  cr_assert_eq(names, 2);
  ox_complete(vm, "\"abc\".uppe", 10, count_text, &names);
  cr_assert_eq(names, 3);
  ox_complete(vm, "from nonesuch import a", 22, count_text, &names);
  ox_complete(vm, "import \"lib/x", 13, count_text, &names);
  ox_complete(vm, "from ", 5, count_text, &names);
  done(vm);
}

static void count_pieces(void *context, const char *bytes, size_t length) {
  (void)bytes;
  (void)length;
  ++*(int *)context;
}

Test(output, lines_are_handed_on) {
  for (int lines = 0; lines < 2; lines++) {
    int pieces = 0;
    ox_Config config = ox_config();
    config.write = count_pieces;
    config.context = &pieces;
    config.write_lines = lines;
    ox_VM *vm = ox_new(&config);
    value_of(vm, "print(1)\nprint(2)\nprint(3)");
    cr_assert_eq(pieces, lines ? 3 : 1);
    done(vm);
  }
}

// ---- weak references

Test(values, weak_references) {
  ox_VM *vm = ox_new(NULL);
  ox_Scope scope = ox_scope_open(vm);
  ox_Value list = value_of(vm, "[1, 2]"), weak = ox_weak(vm, list);
  cr_assert(ox_pin(vm, weak));
  cr_assert(ox_equal(vm, ox_weak_get(vm, weak), list) == 1);
  ox_collect(vm);
  cr_assert(ox_equal(vm, ox_weak_get(vm, weak), list) == 1);
  ox_scope_close(vm, scope);
  value_of(vm, "nil"); // the VM keeps the last result
  ox_collect(vm);
  cr_assert_eq(ox_type(ox_weak_get(vm, weak)), OX_TYPE_NIL);
  assert_shows(vm, weak, "<weak.Ref: gone>");
  cr_assert(ox_is_none(ox_weak(vm, ox_int(vm, 5))));
  cr_assert_eq(ox_error(vm)->status, OX_MISUSE);
  cr_assert(ox_is_none(ox_weak(vm, ox_text(vm, "text"))));
  cr_assert(ox_is_none(ox_weak(vm, ox_none())));
  cr_assert(ox_is_none(ox_weak_get(vm, value_of(vm, "[]"))));
  cr_assert(ox_is_none(ox_weak_get(vm, ox_none())));
  ox_unpin(vm, weak);
  done(vm);
}
