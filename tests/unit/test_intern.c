// Strings made so that their hashes collide: in all bits, in the upper or in the lower ones. The table
// of interned strings takes them all, through collections, and images save and open with them.
#include <criterion/criterion.h>
#include <oxbow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gc/bits.h"
#include "gc/collect.h"
#include "gc/purge.h"
#include "runtime/hash.h"
#include "runtime/intern.h"
#include "runtime/lib/lib.h"
#include "runtime/list.h"
#include "runtime/map.h"
#include "runtime/run.h"
#include "runtime/str.h"

#define CHECK(x) cr_assert(x, "%s:%d: %s", __FILE__, __LINE__, #x)

enum { GROUP = 2500, GROUPS = 4, ALL = GROUP * GROUPS, BYTES = 16 };

/* The hash of 16 bytes a b is that of the product of a ^ k0 ^ 16 and b ^ seed ^ k1: with the first
 * of them 1 the second is the hash, folded. */
static uint32_t collide(ox_VM *vm, uint32_t hash, uint32_t number, char *bytes) {
  uint64_t a = 0x9E3779B97F4A7C15ull ^ BYTES ^ 1;
  uint64_t b = ((uint64_t)number << 32 | (number ^ hash));
  b ^= vm->st->hash_seed ^ 0xD6E8FEB86659FD93ull;
  memcpy(bytes, &a, 8);
  memcpy(bytes + 8, &b, 8);
  return hash_bytes(vm->st->hash_seed, bytes, BYTES);
}

/* Of each group in turn: those of one hash; those that share the upper 20 bits; the lower 20; two
 * hashes side by side that only the last bit divides. */
static Value nth(ox_VM *vm, uint32_t i) {
  char bytes[BYTES];
  uint32_t k = i / GROUPS, hash = 0;
  switch (i % GROUPS) {
    case 0: hash = 0x12345678; break;
    case 1: hash = 0x98765000 | k; break;
    case 2: hash = k << 20 | 0x4321; break;
    default: hash = 0xFFFFFFFE | (k & 1); break;
  }
  CHECK(collide(vm, hash, i, bytes) == hash);
  return string_new(vm, bytes, BYTES);
}

static void check_table(ox_VM *vm) {
  const char *wrong = intern_check(vm);
  cr_assert(wrong == NULL, "%s", wrong);
}

static void all_are_found(ox_VM *vm, const Value *value, uint32_t step) {
  uint32_t mark = vm_roots_mark(vm);
  for (uint32_t i = 0; i < ALL; i += step) {
    CHECK(nth(vm, i) == value[i] && intern_has(vm, vm_deref(vm, value[i])));
    vm_roots_reset(vm, mark);
  }
}

/* Those that are a multiple of `step` stay: exactly they are in the table after a collection, with
 * or without slices. A young one lets those go that none before has seen. */
static void drop_most(ox_VM *vm, Value list, Value *value, uint32_t step, bool young) {
  uint64_t before = vm->st->strings_used, gone = 0;
  for (uint32_t i = 0; i < ALL; i++) {
    if (i % step == 0 || value[i] == V_NIL) continue;
    list_set(vm, list, i, value[i] = V_NIL);
    gone++;
  }
  if (young) gc_collect_young(vm->gc);
  if (young) CHECK(vm->st->strings_used < before && vm->st->strings_used >= before - gone);
  check_table(vm);
  gc_collect(vm->gc);
  CHECK(vm->st->strings_used == before - gone);
  check_table(vm);
  all_are_found(vm, value, step);
}

static ox_VM *filled(Value *value, Value *list) {
  ox_VM *vm = vm_new(NULL);
  CHECK(vm != NULL && (*list = list_new(vm, ALL)) != V_ERROR);
  gc_collect(vm->gc);
  uint32_t mark = vm_roots_mark(vm);
  for (uint32_t i = 0; i < ALL; i++) {
    CHECK((value[i] = nth(vm, i)) != V_ERROR && list_push(vm, *list, value[i]));
    vm_roots_reset(vm, mark);
  }
  check_table(vm);
  all_are_found(vm, value, 1);
  return vm;
}

static void fill_and_drop(bool young, bool slices) {
  Value *value = calloc(ALL, sizeof *value), list;
  ox_VM *vm = filled(value, &list);
  vm->gc->round_words = slices;
  drop_most(vm, list, value, 7, young);
  drop_most(vm, list, value, 14, false);
  uint64_t where = 0;
  CHECK(gc_verify(vm->gc, &where) == NULL);
  vm_free(vm);
  free(value);
}

Test(intern, collisions, .timeout = 120) {
  for (int i = 0; i < 4; i++) fill_and_drop(i & 1, i & 2);
}

/* Between the end of marking and the last slice more of them come, and dead ones are asked for. */
Test(intern, collisions_while_the_dead_are_dropped, .timeout = 120) {
  Value *value = calloc(ALL, sizeof *value), list;
  ox_VM *vm = filled(value, &list);
  vm->gc->round_words = 1;
  for (uint32_t i = 0; i < ALL; i++)
    if (i % 3) list_set(vm, list, i, V_NIL);
  collect_full(vm->gc);
  CHECK(vm->gc->purge != PURGE_NONE);
  uint32_t mark = vm_roots_mark(vm);
  for (uint32_t i = 0; i < 2 * ALL; i += 5) {
    Value v = nth(vm, i);
    if (i % 3 == 0 && i < ALL) CHECK(v == value[i]);
    CHECK(v == nth(vm, i) && !gc_is_dead(vm->gc, v_ref(v)));
    if (i % 500 == 0) purge_step(vm->gc);
    vm_roots_reset(vm, mark);
  }
  purge_finish(vm->gc);
  check_table(vm);
  gc_collect(vm->gc);
  all_are_found(vm, value, 3);
  vm_free(vm);
  free(value);
}

/* Strings in no slab, which are swept at the end of a young collection: when it is the first one, the
 * table does not know which strings are new. They were given out again as they lay in free memory. */
Test(intern, long_ones_before_the_first_collection) {
  enum { COUNT = 300, LONG = 600 };
  char bytes[LONG];
  ox_VM *vm = vm_new(NULL);
  CHECK(vm != NULL);
  vm->gc->round_words = 1;
  uint32_t mark = vm_roots_mark(vm);
  Value list = list_new(vm, COUNT);
  for (int turn = 0; turn < 2; turn++) {
    for (int i = 0; i < COUNT; i++) {
      memset(bytes, 'a' + i % 26, LONG);
      bytes[i] = '_';
      Value v = intern_string(vm, bytes, LONG);
      CHECK(v != V_ERROR && bits_test(vm->gc->bits, v_ref(v).w)); /* it is a block */
      CHECK(turn == 0 || list_push(vm, list, v));
      vm_roots_reset(vm, mark + 1);
    }
    for (unsigned i = 0; turn == 0 && i < 30000; i++) { /* for many slices */
      CHECK(string_format(vm, "short %u", i) != V_ERROR);
      vm_roots_reset(vm, mark + 1);
    }
    if (turn == 0) collect_minor(vm->gc);
  }
  for (int i = 0; i < COUNT; i++) {
    CHECK(bytes_new(vm, LONG + (unsigned)i) != NULL);
    vm_roots_reset(vm, mark + 1);
  }
  for (int i = 0; i < COUNT; i++) {
    const String *v = vm_deref(vm, list_get(vm, list, (uint64_t)i));
    CHECK(v->h.aux == LONG && v->chars[i] == '_' && v->chars[LONG - 1] == 'a' + i % 26);
  }
  check_table(vm);
  vm_free(vm);
}

static Value list_of_image(ox_VM *vm) {
  Value at = map_get_str(vm, as_map(vm, vm->st->global_names), string_from_c(vm, "all"));
  CHECK(v_is_int(at));
  return list_get(vm, vm->st->globals, (uint64_t)(v_int(at) < 0 ? -1 - v_int(at) : v_int(at)));
}

Test(intern, collisions_in_an_image, .timeout = 120) {
  static const char program[] = "fn id(x) { return x }\nlet all = []\n";
  char path[64], message[600];
  snprintf(path, sizeof path, "/tmp/oxbow-intern-%ld.img", (long)getpid());
  ox_VM *vm = ox_new(NULL);
  ox_Value value;
  CHECK(ox_eval(vm, program, strlen(program), "test", &value) == OX_OK);
  uint32_t mark = vm_roots_mark(vm);
  Value list = list_of_image(vm);
  for (uint32_t i = 0; i < ALL; i++) {
    CHECK(list_push(vm, list, nth(vm, i)));
    vm_roots_reset(vm, mark);
  }
  CHECK(ox_image_save(vm, path, NULL) == OX_OK);
  ox_free(vm);
  cr_assert(ox_image_verify(path, NULL, message, sizeof message), "%s", message);
  vm = ox_image_open(path, NULL, NULL, message, sizeof message);
  cr_assert(vm != NULL, "%s", message);
  check_table(vm);
  list = list_of_image(vm);
  for (uint32_t i = 0; i < ALL; i++) CHECK(nth(vm, i) == list_get(vm, list, i));
  ox_free(vm);
  unlink(path);
}
