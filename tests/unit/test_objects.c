/* Maps, sets, lists, strings, ropes and numbers against simple models. Everything runs once as
 * usual and once with a collection at every allocation, with fewer rounds. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gc/collect.h"
#include "gc/purge.h"
#include "runtime/compare.h"
#include "runtime/intern.h"
#include "runtime/list.h"
#include "runtime/map.h"
#include "runtime/number.h"
#include "runtime/range.h"
#include "runtime/repr.h"
#include "runtime/run.h"
#include "runtime/str.h"
#include "runtime/lib/sort.h"

#define CHECK(x) cr_assert(x, "%s:%d: %s", __FILE__, __LINE__, #x)

static ox_VM *open_vm(bool stress) {
  ox_VM *vm = vm_new(&(VmConfig){.gc_stress = stress});
  CHECK(vm != NULL);
  return vm;
}

static void close_vm(ox_VM *vm) {
  uint64_t where = 0;
  const char *wrong = gc_verify(vm->gc, &where);
  cr_assert(wrong == NULL, "heap: %s at %llu", wrong ? wrong : "", (unsigned long long)where);
  vm_free(vm);
}

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static Value text(ox_VM *vm, const char *s) { return string_from_c(vm, s); }

static const char *shown(ox_VM *vm, Value v) {
  Value s = value_repr(vm, v);
  CHECK(s != V_ERROR);
  return string_flat(vm, s)->chars;
}

/* ---- maps ------------------------------------------------------------------------------------ */

enum { KEYS = 400 };

typedef struct Model {
  int64_t value[KEYS]; /* -1: not there */
  uint64_t added[KEYS];/* when, for the order of iteration */
  uint64_t clock;
  uint32_t live;
} Model;

/* Keys of every kind, different for different numbers. Ints come as floats now and then. */
static Value key_of(ox_VM *vm, int i, uint64_t random) {
  switch (i % 8) {
    case 0: return v_from_int(i);
    case 1: return random % 2 ? v_from_float(i) : v_from_int(i);
    case 2: return v_from_float(i + 0.5);
    case 3: return string_format(vm, "key %d", i);
    case 4: return string_format(vm, "a key too long to be interned, number %d", i);
    case 5: return num_from_int(vm, INT64_MAX - i);
    case 6: return range_new(vm, v_from_int(i), v_from_int(i + 1), i % 16 == 6);
    default: return i == 7 ? V_NIL : i == 15 ? V_TRUE : v_from_int((int64_t)i << 33);
  }
}

static void check_order(ox_VM *vm, Value map, const Model *m) {
  uint32_t i = 0, n = 0;
  uint64_t last = 0;
  Value key, value;
  while (map_next(vm, as_map(vm, map), &i, &key, &value)) {
    int k = (int)(v_int(value) % KEYS);
    CHECK(m->value[k] == v_int(value) && m->added[k] > last);
    last = m->added[k];
    n++;
  }
  CHECK(n == m->live && as_map(vm, map)->live == n);
}

static void map_step(ox_VM *vm, Value map, Model *m, uint64_t r, int keys) {
  int k = (int)(r % (uint64_t)keys);
  Value key = key_of(vm, k, r >> 20);
  bool there = m->value[k] >= 0;
  Value old = there ? v_from_int(m->value[k]) : V_ABSENT;
  switch (r >> 32 & 7) {
    case 0: case 1: case 2:
      m->clock++;
      if (!there) m->added[k] = m->clock, m->live++;
      m->value[k] = (int64_t)m->clock * KEYS + k;
      CHECK(map_set(vm, map, key, v_from_int(m->value[k])));
      break;
    case 3: case 4:
      CHECK(map_remove(vm, map, key) == old);
      if (there) m->live--;
      m->value[k] = -1;
      break;
    default: CHECK(map_get(vm, map, key) == old);
  }
}

static void map_trace(bool stress, int keys, int steps) {
  ox_VM *vm = open_vm(stress);
  Model m = {.clock = 0};
  memset(m.value, 0xFF, sizeof m.value);
  Value map = map_new(vm, 0);
  uint64_t seed = 88172645463325252ull + (uint64_t)keys;
  uint32_t mark = vm_roots_mark(vm);
  for (int i = 0; i < steps; i++) {
    map_step(vm, map, &m, next_random(&seed), keys);
    vm_roots_reset(vm, mark);
    if (i % 1000 == 0) check_order(vm, map, &m);
  }
  check_order(vm, map, &m);
  Value copy = map_copy(vm, map);
  check_order(vm, copy, &m);
  CHECK(value_equal(vm, map, copy) == 1);
  CHECK(map_set(vm, copy, text(vm, "one more"), V_NIL) && value_equal(vm, map, copy) == 0);
  map_clear(vm, map);
  CHECK(as_map(vm, map)->live == 0 && map_get(vm, map, v_from_int(0)) == V_ABSENT);
  close_vm(vm);
}

Test(objects, maps_against_a_model) {
  static const int sizes[] = {4, 8, 9, 24, 100, KEYS};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    map_trace(false, sizes[i], 60000);
    map_trace(true, sizes[i], 1500);
  }
}

Test(objects, map_keys) {
  ox_VM *vm = open_vm(false);
  Value map = map_new(vm, 0), big = v_from_int((int64_t)1 << 40);
  static const struct { double f; int64_t i; } same[] = {
      {1.0, 1}, {-0.0, 0}, {0x1p40, (int64_t)1 << 40}, {-0x1p63, INT64_MIN}};
  for (size_t i = 0; i < 4; i++) {
    CHECK(map_set(vm, map, num_from_int(vm, same[i].i), V_TRUE));
    CHECK(map_get(vm, map, v_from_float(same[i].f)) == V_TRUE);
  }
  CHECK(as_map(vm, map)->live == 4 && map_get(vm, map, big) == V_TRUE);
  CHECK(map_get(vm, map, v_from_float(1.5)) == V_ABSENT && !error_pending(vm));
  static const char *const bad[] = {"nan", "list", "map"};
  Value keys[] = {v_from_float(NAN), list_new(vm, 0), map_new(vm, 0)};
  for (int i = 0; i < 3; i++) {
    CHECK(!map_set(vm, map, keys[i], V_NIL) && error_pending(vm));
    Error *e = vm_deref(vm, error_take(vm));
    CHECK(strstr(string_flat(vm, e->message)->chars, bad[i]) != NULL);
  }
  Value rope = V_NIL, flat = V_NIL; /* a rope and a flat string of the same bytes are one key */
  char long_text[400];
  memset(long_text, 'r', sizeof long_text);
  flat = string_new(vm, long_text, 400);
  rope = string_concat(vm, string_new(vm, long_text, 150), string_new(vm, long_text, 250));
  CHECK(v_is(rope, KIND_ROPE) && map_set(vm, map, rope, V_FALSE));
  CHECK(map_get(vm, map, flat) == V_FALSE);
  close_vm(vm);
}

/* ---- lists and sorting ----------------------------------------------------------------------- */

static void list_trace(bool stress, int steps) {
  ox_VM *vm = open_vm(stress);
  Value list = list_new(vm, 0);
  int64_t *model = calloc((size_t)steps + 1, sizeof *model);
  uint64_t n = 0, seed = 12345;
  uint32_t mark = vm_roots_mark(vm);
  for (int i = 0; i < steps; i++) {
    uint64_t r = next_random(&seed), at = n ? (r >> 16) % n : 0;
    if (n == 0 || r % 5 < 2) {
      CHECK(list_push(vm, list, v_from_int(i)));
      model[n++] = i;
    } else if (r % 5 == 2) {
      CHECK(list_insert(vm, list, at, v_from_int(i)));
      memmove(model + at + 1, model + at, (n++ - at) * sizeof *model);
      model[at] = i;
    } else if (r % 5 == 3) {
      CHECK(list_remove(vm, list, at) == v_from_int(model[at]));
      memmove(model + at, model + at + 1, (--n - at) * sizeof *model);
    } else {
      CHECK(list_get(vm, list, at) == v_from_int(model[at]) && list_len(vm, list) == n);
    }
    vm_roots_reset(vm, mark);
  }
  for (uint64_t i = 0; i < n; i++) CHECK(list_get(vm, list, i) == v_from_int(model[i]));
  Value twice = list_concat(vm, list, list);
  CHECK(list_len(vm, twice) == 2 * n);
  CHECK(value_equal(vm, list_slice(vm, twice, n, 2 * n), list) == 1);
  CHECK(list_extend(vm, twice, twice) && list_len(vm, twice) == 4 * n);
  free(model);
  close_vm(vm);
}

Test(objects, lists_against_a_model) {
  list_trace(false, 30000);
  list_trace(true, 600);
}

static Value sort_input(ox_VM *vm, int kind, uint64_t r) {
  switch (kind) {
    case 0: return v_from_int((int64_t)(r % 50) - 25);
    case 1: return v_from_float(r % 9 == 0 ? NAN : r % 9 == 1 ? -0.0 : (double)(r % 40) / 4 - 5);
    case 2: return string_format(vm, "%.*s%d", (int)(r % 12), "abcdefghijkl", (int)(r >> 8 & 3));
    case 3: return r % 3 ? v_from_int((int64_t)(r >> 5 & 7)) : v_from_float((double)(r >> 5 & 7));
    default: return num_from_int(vm, INT64_MAX - (int64_t)(r % 5));
  }
}

static bool is_nan(Value v) { return v_is_float(v) && v_float(v) != v_float(v); }

/* Places are sorted by the keys that stood there: those of equal keys keep their order. */
static void sort_once(ox_VM *vm, int kind, int n, uint64_t *seed) {
  Value keys = list_new(vm, 0), places = list_new(vm, 0);
  for (int i = 0; i < n; i++) {
    CHECK(list_push(vm, keys, sort_input(vm, kind, next_random(seed))));
    CHECK(list_push(vm, places, v_from_int(i)));
  }
  Value plain = list_slice(vm, keys, 0, (uint64_t)n);
  CHECK(sort_list_by(vm, places, keys) && sort_list(vm, plain));
  for (int i = 0; i < n; i++) {
    int64_t at = v_int(list_get(vm, places, (uint64_t)i));
    Value key = list_get(vm, keys, (uint64_t)at);
    CHECK(key == list_get(vm, plain, (uint64_t)i));
    if (i == 0) continue;
    int64_t before = v_int(list_get(vm, places, (uint64_t)i - 1));
    Value last = list_get(vm, keys, (uint64_t)before);
    int order = is_nan(key) ? (is_nan(last) ? 0 : -1) : value_compare(vm, last, key);
    CHECK(order == -1 || (order == 0 && before < at));
  }
}

Test(objects, sorting_is_stable_and_ordered) {
  uint64_t seed = 99;
  for (int stress = 0; stress < 2; stress++) {
    ox_VM *vm = open_vm(stress);
    uint32_t mark = vm_roots_mark(vm);
    for (int kind = 0; kind < 5; kind++)
      for (int n = 0; n < (stress ? 40 : 700); n = n * 3 / 2 + 1) {
        sort_once(vm, kind, n, &seed);
        vm_roots_reset(vm, mark);
      }
    Value mixed[] = {v_from_int(3), text(vm, "a"), v_from_int(1)};
    Value list = list_from(vm, mixed, 3);
    CHECK(!sort_list(vm, list) && error_pending(vm));
    error_take(vm);
    CHECK(strcmp(shown(vm, list), "[3, \"a\", 1]") == 0);
    close_vm(vm);
  }
}

/* ---- strings --------------------------------------------------------------------------------- */

static void string_trace(bool stress, int steps) {
  ox_VM *vm = open_vm(stress);
  enum { SLOTS = 12, MAX = 5000 };
  static char model[SLOTS][MAX];
  size_t len[SLOTS] = {0};
  Value keep = list_new(vm, SLOTS);
  uint64_t seed = 4711;
  for (int i = 0; i < SLOTS; i++) CHECK(list_push(vm, keep, vm->st->empty_string));
  uint32_t mark = vm_roots_mark(vm);
  for (int i = 0; i < steps; i++) {
    uint64_t r = next_random(&seed), a = r % SLOTS, b = (r >> 8) % SLOTS, to = (r >> 16) % SLOTS;
    Value va = list_get(vm, keep, a), vb = list_get(vm, keep, b), made;
    char piece[48];
    size_t n = (r >> 24) % 40;
    if (r >> 40 & 1 && len[a] + len[b] < MAX) {
      static char joined[2 * MAX];
      memcpy(joined, model[a], len[a]);
      memcpy(joined + len[a], model[b], len[b]);
      made = string_concat(vm, va, vb);
      n = len[a] + len[b];
      memcpy(model[to], joined, n);
    } else if (r >> 41 & 1 && len[a] > 0) {
      size_t from = (r >> 30) % len[a], end = from + (r >> 44) % (len[a] - from + 1);
      made = string_slice(vm, va, from, end);
      n = end - from;
      memmove(model[to], model[a] + from, n);
    } else {
      for (size_t k = 0; k < n; k++) piece[k] = (char)('a' + (next_random(&seed) % 3));
      made = string_new(vm, piece, n);
      memcpy(model[to], piece, n);
    }
    CHECK(made != V_ERROR);
    list_set(vm, keep, to, made);
    len[to] = n;
    CHECK(string_len(vm, made) == n);
    if (r >> 50 & 1) CHECK(memcmp(string_flat(vm, made)->chars, model[to], n) == 0);
    bool same = len[to] == len[b] && memcmp(model[to], model[b], n) == 0;
    CHECK(string_equal(vm, made, list_get(vm, keep, b)) == same);
    if (n <= STRING_INTERN_MAX && same) CHECK(made == list_get(vm, keep, b));
    vm_roots_reset(vm, mark);
  }
  close_vm(vm);
}

Test(objects, strings_against_a_model) {
  string_trace(false, 60000);
  string_trace(true, 2500);
}

Test(objects, deep_ropes_and_interning) {
  ox_VM *vm = open_vm(false);
  uint32_t mark = vm_roots_mark(vm);
  Value s = vm->st->empty_string;
  for (int i = 0; i < 300000; i++) { /* from both ends, then a rope of such ropes */
    s = i % 2 ? string_concat(vm, s, string_byte(vm, 'r'))
              : string_concat(vm, string_byte(vm, 'l'), s);
    vm_roots_reset(vm, mark);
    vm_root(vm, s);
  }
  Value twice = string_concat(vm, s, s);
  for (int i = 0; i < 4; i++) twice = string_concat(vm, twice, twice);
  String *flat = string_flat(vm, twice);
  CHECK(flat && flat->h.aux == 32 * 300000u);
  for (uint32_t i = 0; i < flat->h.aux; i++)
    CHECK(flat->chars[i] == (i % 300000 < 150000 ? 'l' : 'r'));
  vm_roots_reset(vm, mark);
  uint64_t before = vm->st->strings_used; /* dead strings leave the intern table */
  for (int i = 0; i < 50000; i++) {
    CHECK(string_format(vm, "temporary %d", i) != V_ERROR);
    vm_roots_reset(vm, mark);
  }
  gc_collect(vm->gc);
  CHECK(vm->st->strings_used <= before + 16);
  close_vm(vm);
}

/* After minor collections the intern table has exactly the strings that are alive, wherever the gaps
 * were: in rounds with few and with many new ones, some of which survive. */
Test(objects, interning_and_minor_collections) {
  enum { KEPT = 600 };
  ox_VM *vm = open_vm(false);
  Value kept[KEPT];
  uint32_t mark = vm_roots_mark(vm), count = 0;
  uint64_t rng = 88172645463325252u;
  gc_collect(vm->gc);
  uint64_t before = vm->st->strings_used;
  for (uint32_t round = 0; count < KEPT; round++) {
    uint64_t made = round % 3 ? 5 + next_random(&rng) % 100 : 3000;
    for (uint64_t i = 0; i < made; i++) {
      Value s = string_format(vm, "string %d of %d", (int)i, (int)round);
      CHECK(s != V_ERROR);
      if (count < KEPT && next_random(&rng) % 40 == 0) kept[count++] = s;
      vm_roots_reset(vm, mark);
      for (uint32_t k = 0; k < count; k++) vm_root(vm, kept[k]);
    }
    gc_collect_young(vm->gc);
    CHECK(vm->st->strings_used == before + count);
    for (uint32_t k = 0; k < count; k++)
      CHECK(intern_has(vm, vm_deref(vm, kept[k])));
  }
  close_vm(vm);
}

/* Between the end of marking and the last slice a string that has died may be asked for: it is the
 * same as before, or a new one, but never there twice; and the table grows meanwhile. */
static void ask_while_purged(ox_VM *vm, uint64_t *rng, uint32_t round, uint64_t before) {
  enum { N = 4000 };
  uint32_t mark = vm_roots_mark(vm), kept = 0;
  Value *value = calloc(N, sizeof *value);
  for (uint32_t i = 0; i < N; i++) {
    value[i] = string_format(vm, "string %u of %u", i, round);
    if (i % 3) vm_roots_reset(vm, vm_roots_mark(vm) - 1); /* dies */
  }
  round % 2 ? gc_collect_young(vm->gc) : collect_full(vm->gc);
  CHECK(vm->gc->purge != PURGE_NONE);
  for (uint32_t i = 0; i < N; i++) {
    uint32_t k = (uint32_t)(next_random(rng) % (2 * N));
    uint32_t top = vm_roots_mark(vm);
    Value v = string_format(vm, "string %u of %u", k, round);
    CHECK(v == string_format(vm, "string %u of %u", k, round));
    if (k < N && k % 3 == 0) CHECK(v == value[k]);
    if (k < N && k % 3 && v == value[k] && vm->gc->purge)
      CHECK(!gc_is_dead(vm->gc, v_ref(v)));
    vm_roots_reset(vm, top);
    if (i % 100 == 0) collect_step(vm->gc), purge_step(vm->gc);
    if (i % 500 == 0) CHECK(intern_check(vm) == NULL);
  }
  purge_finish(vm->gc);
  const char *wrong = intern_check(vm);
  cr_assert(wrong == NULL, "%s", wrong);
  gc_collect(vm->gc);
  for (uint32_t i = 0; i < N; i += 3, kept++) CHECK(intern_has(vm, vm_deref(vm, value[i])));
  CHECK(vm->st->strings_used == before + kept);
  vm_roots_reset(vm, mark);
  free(value);
}

Test(objects, interning_while_the_dead_are_dropped, .timeout = 120) {
  ox_VM *vm = open_vm(false);
  uint64_t rng = 88172645463325252u;
  gc_collect(vm->gc);
  uint64_t before = vm->st->strings_used;
  vm->gc->round_words = 1;
  for (uint32_t round = 0; round < 8; round++) {
    ask_while_purged(vm, &rng, round, before);
    gc_collect(vm->gc);
  }
  close_vm(vm);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void check_round_trip(double d) {
  char s[NUM_TEXT], shorter[64];
  double back;
  int n = num_format_float(d, s);
  CHECK(n == (int)strlen(s) && n < NUM_TEXT);
  cr_assert(num_parse_float(s, (size_t)n, &back) && memcmp(&back, &d, 8) == 0, "%.17g: %s", d, s);
  cr_assert(strtod(s, NULL) == d, "%s", s);
  int digits = 0;
  for (const char *p = s; *p && *p != 'e'; p++) digits += *p >= '0' && *p <= '9';
  if (strchr(s, 'e') && digits > 1) { /* no shorter decimal reads back the same */
    snprintf(shorter, sizeof shorter, "%.*e", digits - 2, d);
    cr_assert(strtod(shorter, NULL) != d, "%s but %s", s, shorter);
  }
}

Test(objects, floats_round_trip) {
  uint64_t seed = 2463534242;
  for (int i = 0; i < 60000; i++) {
    uint64_t bits = next_random(&seed);
    double d;
    memcpy(&d, &bits, 8);
    if (isfinite(d)) check_round_trip(d);
    check_round_trip((double)(int64_t)(bits >> (bits & 63)) / 1000);
    check_round_trip(ldexp(1, (int)(bits % 2098) - 1074)); /* powers of two: uneven neighbours */
    check_round_trip((double)(bits % 100000) / 100);
  }
}

Test(objects, number_texts) {
  static const struct { double d; const char *s; } rows[] = {
      {1, "1.0"}, {-0.0, "-0.0"}, {0.1, "0.1"}, {1e15, "1000000000000000.0"}, {1e16, "1e+16"},
      {1.5e16, "1.5e+16"}, {1e-4, "0.0001"}, {1e-5, "1e-05"}, {5e-324, "5e-324"}, {1e23, "1e+23"},
      {9007199254740993.0, "9007199254740992.0"}, {DBL_MAX, "1.7976931348623157e+308"},
      {DBL_MIN, "2.2250738585072014e-308"}, {9999999999999998.0, "9999999999999998.0"},
      {0.1 + 0.2, "0.30000000000000004"}, {123456789.125, "123456789.125"}, {NAN, "nan"},
      {-NAN, "nan"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}, {0x1p-44, "5.684341886080802e-14"}};
  char s[NUM_TEXT];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    num_format_float(rows[i].d, s);
    cr_assert_str_eq(s, rows[i].s);
  }
  static const struct { const char *s; bool ok; double d; } floats[] = {
      {"1", true, 1}, {"-2.50", true, -2.5}, {".5", true, .5}, {"5.", true, 5}, {"1e3", true, 1e3},
      {"1E-3", true, 1e-3}, {"+7", true, 7}, {"1e400", true, INFINITY}, {"1e-400", true, 0},
      {"0e999999999999", true, 0}, {"inf", true, INFINITY}, {"-Infinity", true, -INFINITY},
      {"179769313486231580793e288", true, 1.7976931348623158e308}, {"", false, 0}, {".", false, 0},
      {"1e", false, 0}, {"e5", false, 0}, {"1.2.3", false, 0}, {" 1", false, 0}, {"0x10", false, 0},
      {"1_0", false, 0}, {"--1", false, 0}, {"infi", false, 0}, {"1e+", false, 0}};
  for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
    double d = 0;
    bool ok = num_parse_float(floats[i].s, strlen(floats[i].s), &d);
    cr_assert(ok == floats[i].ok && (!ok || d == floats[i].d), "%s", floats[i].s);
  }
  static const struct { const char *s; int base; bool ok; int64_t i; } ints[] = {
      {"0", 10, true, 0}, {"-0", 10, true, 0}, {"9223372036854775807", 10, true, INT64_MAX},
      {"-9223372036854775808", 10, true, INT64_MIN}, {"9223372036854775808", 10, false, 0},
      {"ff", 16, true, 255}, {"-Zz", 36, true, -1295}, {"2", 2, false, 0}, {"", 10, false, 0},
      {"-", 10, false, 0}, {"1 ", 10, false, 0}, {"99999999999999999999999", 10, false, 0}};
  for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
    int64_t got = 0;
    bool ok = num_parse_int(ints[i].s, strlen(ints[i].s), ints[i].base, &got);
    cr_assert(ok == ints[i].ok && (!ok || got == ints[i].i), "%s", ints[i].s);
  }
}

/* Digits far behind those a double can hold still decide between two neighbours. */
Test(objects, long_decimals) {
  static char s[3000];
  double d;
  strcpy(s, "9007199254740993."); /* half way between two doubles: to the even one */
  memset(s + 17, '0', 2500);
  CHECK(num_parse_float(s, 2517, &d) && d == 9007199254740992.0);
  s[2516] = '1';
  CHECK(num_parse_float(s, 2517, &d) && d == 9007199254740994.0);
}

Test(objects, wide_ints) {
  ox_VM *vm = open_vm(true);
  static const int64_t edges[] = {
      0, 1, -1, 7, -7, INLINE_INT_MAX, INLINE_INT_MAX + 1, INLINE_INT_MIN, INLINE_INT_MIN - 1,
      INT64_MAX, INT64_MIN, INT64_MAX / 2, 1 << 30};
  enum { N = sizeof edges / sizeof *edges };
  uint32_t mark = vm_roots_mark(vm);
  for (int i = 0; i < N * N; i++, vm_roots_reset(vm, mark)) {
    int64_t a = edges[i / N], b = edges[i % N], r;
    Value va = num_from_int(vm, a), vb = num_from_int(vm, b);
    static const OpMethod ops[] = {OPM_ADD, OPM_SUB, OPM_MUL};
    for (int op = 0; op < 3; op++) {
      bool over = op == 0   ? __builtin_add_overflow(a, b, &r)
                  : op == 1 ? __builtin_sub_overflow(a, b, &r)
                            : __builtin_mul_overflow(a, b, &r);
      Value v = num_arith(vm, ops[op], va, vb);
      CHECK((v == V_ERROR) == over);
      if (over) error_take(vm);
      else CHECK(num_int(vm, v) == r && v_is_int(v) == v_int_fits(r));
    }
    if (b != 0 && !(a == INT64_MIN && b == -1)) {
      int64_t q = num_int(vm, num_arith(vm, OPM_IDIV, va, vb));
      int64_t m = num_int(vm, num_arith(vm, OPM_MOD, va, vb));
      CHECK((uint64_t)q * (uint64_t)b + (uint64_t)m == (uint64_t)a);
      CHECK(m == 0 || (m < 0) == (b < 0));
    }
    CHECK(num_compare(vm, va, vb) == (a > b) - (a < b));
    CHECK((value_equal(vm, va, vb) == 1) == (a == b));
  }
  CHECK(num_compare(vm, num_from_int(vm, INT64_MAX), v_from_float(0x1p63)) == -1);
  CHECK(num_compare(vm, v_from_float(0x1p53), num_from_int(vm, 9007199254740993)) == -1);
  CHECK(num_compare(vm, v_from_float(NAN), v_from_int(1)) == 2);
  CHECK(num_compare(vm, v_from_int(-1), v_from_float(-1.5)) == 1);
  close_vm(vm);
}

/* ---- comparing and showing ------------------------------------------------------------------- */

static Value nested(ox_VM *vm, int depth) {
  Value v = list_new(vm, 0);
  for (int i = 0; i < depth; i++) {
    v = list_from(vm, &v, 1);
    uint32_t mark = vm_roots_mark(vm);
    vm_roots_reset(vm, mark > 2 ? mark - 2 : 0);
    vm_root(vm, v);
  }
  return v;
}

Test(objects, cyclic_and_deep_data) {
  ox_VM *vm = open_vm(false);
  Value a = list_new(vm, 0), b = list_new(vm, 0);
  CHECK(list_push(vm, a, a) && list_push(vm, b, b));
  CHECK(value_equal(vm, a, b) == 1 && value_compare(vm, a, b) == 0);
  cr_assert_str_eq(shown(vm, a), "[[...]]");
  Value m = map_new(vm, 0);
  CHECK(map_set(vm, m, text(vm, "self"), m) && map_set(vm, m, text(vm, "two words"), a));
  cr_assert_str_eq(shown(vm, m), "{self: {...}, \"two words\": [[...]]}");
  Value p = list_new(vm, 0), q = list_new(vm, 0); /* shared parts: 2^60 paths */
  for (int i = 0; i < 60; i++) {
    Value pp[] = {p, p}, qq[] = {q, q};
    p = list_from(vm, pp, 2);
    q = list_from(vm, qq, 2);
  }
  CHECK(value_equal(vm, p, q) == 1);
  Value x = nested(vm, 100000), y = nested(vm, 100000);
  int equal = value_equal(vm, x, y);
  CHECK(equal == 1 || (equal == -1 && error_pending(vm)));
  if (error_pending(vm)) error_take(vm);
  CHECK(value_repr(vm, x) != V_ERROR || error_pending(vm));
  if (error_pending(vm)) error_take(vm);
  close_vm(vm);
}

Test(objects, reprs) {
  ox_VM *vm = open_vm(true);
  Value m = map_new(vm, 0), inner[] = {v_from_int(1), v_from_float(2), V_NIL, V_TRUE};
  CHECK(map_set(vm, m, text(vm, "name"), text(vm, "A\"\\\n${x} $ \x01\xFF\xC3\xA9")));
  CHECK(map_set(vm, m, text(vm, "1a"), list_from(vm, inner, 4)));
  CHECK(map_set(vm, m, v_from_int(-3), range_new(vm, v_from_int(0), v_from_int(3), true)));
  CHECK(map_set(vm, m, V_NIL, set_new(vm, 0)));
  cr_assert_str_eq(shown(vm, m),
                   "{name: \"A\\\"\\\\\\n\\${x} $ \\x01\\xFF\xC3\xA9\", "
                   "\"1a\": [1, 2.0, nil, true], "
                   "-3: 0..=3, [nil]: set.new([])}");
  close_vm(vm);
}
