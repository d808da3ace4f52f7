// Images that lie with right checksums: a live VM's objects are changed by hand, and it is saved. The
// proof refuses each, and says why.
#include <criterion/criterion.h>
#include <oxbow.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gc/buddy.h"
#include "runtime/lib/lib.h"
#include "forgeries.h"

static const char program[] =
    "import weak, buddy, random\n"
    "let keys = []; let m = weak.map(); let other = weak.map(); let empty = weak.map()\n"
    "for i in 0..6 { keys.push([i]); m[keys[i]] = i; other[keys[i]] = [keys[i]] }\n"
    "m.remove(keys[0])\n"
    "let ref = weak.ref(keys[1]); let xs = [1, 2]; let ys = [3, 4]\n"
    "let b = buddy.new(100, 4); let one = buddy.new(1); let block = b.alloc(10); let freed = b.alloc(4)\n"
    "fn callee(a, b = 1) => a\nfn caller() => callee(1, b: 2)\nfn mapper() => {p: 1, q: 2}\n"
    "let many = {}; for i in 0..9 { many[i] = i }\n"
    "b.free(freed); let small = b.alloc(4); let dice = random.new(1)\n";

static Value global(ox_VM *vm, const char *name) {
  Value at = map_get_str(vm, as_map(vm, vm->st->global_names), string_from_c(vm, name));
  cr_assert(v_is_int(at), "%s", name);
  return list_get(vm, vm->st->globals, (uint64_t)(v_int(at) < 0 ? -1 - v_int(at) : v_int(at)));
}
static Instance *object(ox_VM *vm, const char *name) { return vm_deref(vm, global(vm, name)); }
static Store *table(ox_VM *vm) { return vm_deref(vm, object(vm, "m")->fields[0]); }
static uint32_t *slots(ox_VM *vm) {
  return (uint32_t *)((Bytes *)vm_deref(vm, object(vm, "m")->fields[1]))->data;
}
static uint32_t *slot_of(ox_VM *vm, uint32_t entry) {
  uint32_t *slot = slots(vm);
  while (*slot != entry + 1) slot++;
  return slot;
}
static uint32_t *free_slot(ox_VM *vm) {
  uint32_t *slot = slots(vm);
  while (*slot) slot++;
  return slot;
}

/* What lies in the state of a manager: see runtime/lib/buddy.c. */
typedef struct State {
  uint64_t unit;
  uint32_t units, reserved;
  BuddyState range;
} State;
static State *state(ox_VM *vm) {
  return (State *)((Bytes *)vm_deref(vm, object(vm, "b")->fields[2]))->data;
}

static void nothing(ox_VM *vm) { (void)vm; }
static void count_more(ox_VM *vm) { table(vm)->items[0]++; }
static void count_fewer(ox_VM *vm) { table(vm)->items[0]--; }
static void key_number(ox_VM *vm) { table(vm)->items[1 + 2 * 2] = v_from_int(7); }
static void key_string(ox_VM *vm) { table(vm)->items[1 + 2 * 2] = vm->st->empty_string; }
static void key_twice(ox_VM *vm) { table(vm)->items[1 + 2 * 2] = table(vm)->items[1 + 2 * 3]; }
static void key_gone(ox_VM *vm) { table(vm)->items[1 + 2 * 2] = V_ABSENT; }
static void key_gone_counted(ox_VM *vm) { key_gone(vm), count_fewer(vm); }
static void key_beyond(ox_VM *vm) { table(vm)->items[1 + 2 * 7] = table(vm)->items[1 + 2 * 3]; }
static void value_beyond(ox_VM *vm) { table(vm)->items[2 + 2 * 7] = v_from_int(1); }
static void value_absent(ox_VM *vm) { table(vm)->items[2 + 2 * 2] = V_ABSENT; }
static void value_owned(ox_VM *vm) { table(vm)->items[2 + 2 * 2] = vm->st->globals; }
static void ref_owned(ox_VM *vm) { object(vm, "ref")->fields[0] = vm->st->globals; }
static void slot_beyond(ox_VM *vm) { *slot_of(vm, 2) = 8; }
static void slot_wild(ox_VM *vm) { *slot_of(vm, 2) = UINT32_MAX; }
static void slot_wrong(ox_VM *vm) { *slot_of(vm, 2) = 4; }
static void slot_missing(ox_VM *vm) { *slot_of(vm, 2) = 0; }
static void slot_more(ox_VM *vm) { *free_slot(vm) = 1; }
static void slots_full(ox_VM *vm) { for (int i = 0; i < 16; i++) slots(vm)[i] = 1; }
static void used_more(ox_VM *vm) { object(vm, "m")->fields[2] = v_from_int(9); }
static void used_fewer(ox_VM *vm) { object(vm, "m")->fields[2] = v_from_int(5); }
static void used_negative(ox_VM *vm) { object(vm, "m")->fields[2] = v_from_int(-1); }
static void used_none(ox_VM *vm) { object(vm, "m")->fields[2] = V_NIL; }
static void empty_used(ox_VM *vm) { object(vm, "empty")->fields[2] = v_from_int(1); }
static void table_none(ox_VM *vm) { object(vm, "m")->fields[0] = V_NIL; }
static void table_list(ox_VM *vm) { object(vm, "m")->fields[0] = global(vm, "xs"); }
static void index_none(ox_VM *vm) { object(vm, "m")->fields[1] = V_NIL; }
static void index_short(ox_VM *vm) { ((Header *)vm_deref(vm, object(vm, "m")->fields[1]))->aux = 32; }
static void index_long(ox_VM *vm) {
  ((Header *)vm_deref(vm, object(vm, "m")->fields[1]))->aux = 1u << 31;
}
static void table_plain(ox_VM *vm) { table(vm)->h.layout = LAYOUT_WIDE; }
static void two_maps(ox_VM *vm) {
  for (int i = 0; i < 3; i++) object(vm, "other")->fields[i] = object(vm, "m")->fields[i];
}
static void list_shares(ox_VM *vm) {
  ((Header *)object(vm, "xs"))->aux = ((Header *)object(vm, "ys"))->aux;
}
static void list_is_keyed(ox_VM *vm) {
  ((Store *)gc_ptr(vm->cage, (Ref){((Header *)object(vm, "xs"))->aux}))->h.layout |= LAYOUT_KEYED;
}
static void ref_strong(ox_VM *vm) { object(vm, "ref")->h.layout &= (uint8_t)~LAYOUT_WEAK; }
static void block_weak(ox_VM *vm) { object(vm, "block")->h.layout |= LAYOUT_WEAK; }
static void map_visible(ox_VM *vm) {
  ((Class *)vm_deref(vm, vm->st->spare[LIB_WEAK_MAP_CLASS]))->nfields = 1;
}

static void units_more(ox_VM *vm) { state(vm)->units++; }
static void units_none(ox_VM *vm) { state(vm)->units = 0; }
static void unit_none(ox_VM *vm) { state(vm)->unit = 0; }
static void unit_huge(ox_VM *vm) { state(vm)->unit = UINT64_MAX / 8; }
static void order_more(ox_VM *vm) { state(vm)->range.order = 6; }
static void order_wild(ox_VM *vm) { state(vm)->range.order = 200; }
static void free_more(ox_VM *vm) { state(vm)->range.free_units++; }
static void blocks_more(ox_VM *vm) { state(vm)->range.blocks++; }
static void node_wild(ox_VM *vm) { state(vm)->range.node[3] = 0x90; }
static void node_free(ox_VM *vm) { state(vm)->range.node[1] = 0; }
/* Units 16 to 23 are free: node 6. What lies two levels below is not looked at by buddy_check. */
static void node_dirty(ox_VM *vm) { state(vm)->range.node[6 * 4 + 1] = 0x81; }
/* Units 0 to 3 are the block's: node 8. */
static void node_tail(ox_VM *vm) { state(vm)->range.node[8] = 0x81, state(vm)->range.blocks--; }
static void state_none(ox_VM *vm) { object(vm, "b")->fields[2] = V_NIL; }
static void state_short(ox_VM *vm) { ((Header *)vm_deref(vm, object(vm, "b")->fields[2]))->aux = 60; }
static void state_tiny(ox_VM *vm) { ((Header *)vm_deref(vm, object(vm, "b")->fields[2]))->aux = 16; }
static void state_shared(ox_VM *vm) { object(vm, "one")->fields[2] = object(vm, "b")->fields[2]; }
static void block_far(ox_VM *vm) { object(vm, "block")->fields[3] = v_from_int(1 << 20); }
static void block_end(ox_VM *vm) { object(vm, "block")->fields[3] = v_from_int(25); }
static void block_free(ox_VM *vm) { object(vm, "block")->fields[3] = v_from_int(16); }
static void block_inside(ox_VM *vm) { object(vm, "block")->fields[3] = v_from_int(1); }
static void block_nowhere(ox_VM *vm) { object(vm, "block")->fields[3] = V_NIL; }
static void block_of_list(ox_VM *vm) { object(vm, "block")->fields[2] = global(vm, "xs"); }

/* The list of names among the constants of a function. */
static Value names(ox_VM *vm, const char *function) {
  Closure *f = vm_deref(vm, global(vm, function));
  Proto *p = gc_ptr(vm->cage, (Ref){f->h.aux});
  for (int i = 0; i < p->h.n - PROTO_VALUES; i++)
    if (v_is(p->consts[i], KIND_LIST)) return p->consts[i];
  cr_assert(false, "%s has no names", function);
  return V_NIL;
}
static void names_of_call(ox_VM *vm) {
  for (int i = 0; i < 300; i++) list_push(vm, names(vm, "caller"), vm->st->empty_string);
}
static void names_of_map(ox_VM *vm) { list_truncate(vm, names(vm, "mapper"), 1); }
static void names_are_none(ox_VM *vm) { list_set(vm, names(vm, "caller"), 0, v_from_int(1)); }

/* Lookups go through an index by lines of slots. */
static void index_small(ox_VM *vm) {
  Map *m = as_map(vm, global(vm, "many"));
  cr_assert_eq(m->mask, MAP_INDEX_LEAST - 1);
  m->mask = MAP_INDEX_LEAST / 2 - 1;
  m->used = m->live = 5;
}

/* What is removed from the beginning says how much is. */
static void entry_hidden(ox_VM *vm) {
  Map *m = as_map(vm, global(vm, "many"));
  Value *items = map_entries(vm, m);
  items[0] = V_ABSENT;
  items[1] = v_from_int(5);
  m->live--;
}

static const Forgery cases[] = {
    {"entry_hidden", entry_hidden, "a map that hides an entry"},
    {"index_small", index_small, "a map whose index has another size"},
    {"count_more", count_more, "a weak map with a wrong count"},
    {"count_fewer", count_fewer, "a weak map with a wrong count"},
    {"key_number", key_number, "a weak map with a key that has no identity"},
    {"key_string", key_string, "a weak map with a key that has no identity"},
    {"key_twice", key_twice, "a weak map whose index does not find a key"},
    {"key_gone", key_gone, "a weak map with a value whose key is gone"},
    {"key_gone_counted", key_gone_counted, "a weak map with a value whose key is gone"},
    {"key_beyond", key_beyond, "a weak map with an entry beyond its last"},
    {"value_beyond", value_beyond, "a weak map with an entry beyond its last"},
    {"value_absent", value_absent, "a weak map with a key without a value"},
    {"value_owned", value_owned, "a value that is none of the program's"},
    {"ref_owned", ref_owned, "a value that is none of the program's"},
    {"slot_beyond", slot_beyond, "a weak map's index leads to no entry"},
    {"slot_wild", slot_wild, "a weak map's index leads to no entry"},
    {"slot_wrong", slot_wrong, "a weak map whose index does not find a key"},
    {"slot_missing", slot_missing, "a weak map's index has a wrong count"},
    {"slot_more", slot_more, "a weak map's index has a wrong count"},
    {"slots_full", slots_full, "a weak map's index has a wrong count"},
    {"used_more", used_more, "a weak map of impossible size"},
    {"used_fewer", used_fewer, "a weak map"},
    {"used_negative", used_negative, "a weak map of impossible size"},
    {"used_none", used_none, "a weak map of impossible size"},
    {"empty_used", empty_used, "a weak map of nothing with entries"},
    {"table_none", table_none, "a weak map without its table"},
    {"table_list", table_list, "a weak map without its table"},
    {"table_plain", table_plain, "a weak map without its table"},
    {"index_none", index_none, "a weak map without its table"},
    {"index_short", index_short, "a weak map of impossible size"},
    {"index_long", index_long, "bytes longer than their block"},
    {"two_maps", two_maps, "storage of two objects"},
    {"list_shares", list_shares, "storage of two objects"},
    {"list_is_keyed", list_is_keyed, "a list without its store"},
    {"ref_strong", ref_strong, "an object that is weak and no reference"},
    {"block_weak", block_weak, "an object that is weak and no reference"},
    {"map_visible", map_visible, "an object of a standard module with other fields"},
    {"units_more", units_more, "a buddy manager"},
    {"units_none", units_none, "a buddy manager of impossible size"},
    {"unit_none", unit_none, "a buddy manager of impossible size"},
    {"unit_huge", unit_huge, "a buddy manager of impossible size"},
    {"order_more", order_more, "a buddy manager whose state has another size"},
    {"order_wild", order_wild, "a buddy manager whose state has another size"},
    {"free_more", free_more, "buddy: wrong number of free units"},
    {"blocks_more", blocks_more, "buddy: wrong number of blocks"},
    {"node_wild", node_wild, "buddy: "},
    {"node_free", node_free, "buddy: dirt below a whole node"},
    {"node_dirty", node_dirty, "buddy: dirt below a whole node"},
    {"node_tail", node_tail, "buddy: a later piece of no block"},
    {"state_none", state_none, "an object of a standard module with a wrong inside"},
    {"state_short", state_short, "a buddy manager whose state has another size"},
    {"state_tiny", state_tiny, "a buddy manager without a state"},
    {"state_shared", state_shared, "storage of two objects"},
    {"block_far", block_far, "a buddy block beyond its manager's units"},
    {"block_end", block_end, "a buddy block beyond its manager's units"},
    {"block_free", block_free, "a buddy block that its manager has not"},
    {"block_inside", block_inside, "a buddy block that its manager has not"},
    {"block_nowhere", block_nowhere, "a buddy block beyond its manager's units"},
    {"block_of_list", block_of_list, "a buddy block of no manager"},
    {"names_of_call", names_of_call, "more names than arguments"},
    {"names_of_map", names_of_map, "more or fewer names than values"},
    {"names_are_none", names_are_none, "a name that is no string"},
    {"nothing", nothing, NULL},
};

Test(image_proof, insides_of_modules) {
  char path[128];
  snprintf(path, sizeof path, "/tmp/oxbow-proof-%ld.img", (long)getpid());
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) prove_forgery(path, program, cases + i);
  unlink(path);
}

/* What passes is as good as before. */
Test(image_proof, the_true_one_works) {
  static const char use[] =
      "assert(len(m) == 5 and m[keys[1]] == 1 and not m.has(keys[0]) and ref.get() == keys[1])\n"
      "for i in 6..600 { keys.push([i]); m[keys[i]] = i; other[keys[i]] = [keys[i]] }\n"
      "assert(len(m) == 599 and m[keys[599]] == 599)\n"
      "keys = [keys[5]]\n";
  static const char then[] =
      "assert(m.items() == [[[5], 5]] and len(other) == 1 and ref.get() == nil)\n"
      "assert(b.used_blocks() == [[0, 16], [16, 4]])\n"
      "b.free(block); b.free(small); assert(b.free_total() == 100 and b.largest_free() == 64)\n"
      "assert(one.alloc(1).size == 1 and one.try_alloc(1) == nil)\n";
  char path[128], message[600] = "";
  ox_Value value;
  snprintf(path, sizeof path, "/tmp/oxbow-proof-%ld.img", (long)getpid());
  forge(path, program, nothing);
  ox_ImageConfig how = {.size = sizeof how, .check = OX_IMAGE_CHECK_ALL};
  ox_VM *vm = ox_image_open(path, &how, NULL, message, sizeof message);
  unlink(path);
  cr_assert_not_null(vm, "%s", message);
  cr_assert_eq(ox_eval(vm, use, strlen(use), "test", &value), OX_OK, "%s",
               ox_error(vm) ? ox_error(vm)->report : "");
  ox_collect(vm);
  cr_assert_eq(ox_eval(vm, then, strlen(then), "test", &value), OX_OK, "%s",
               ox_error(vm) ? ox_error(vm)->report : "");
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}
