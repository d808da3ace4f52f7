/* buddy.c - the module `buddy`: the heap's buddy allocator as a manager for anything divisible,
 * such as bandwidth, address ranges or seats.
 *
 * A resource of `total` is dealt out in multiples of `unit`. The allocator knows ranges of 2^k
 * units; where the total is another number of units, the range is the next power of two and the
 * part beyond the total is claimed at the start and never shown. Requests are rounded up to a
 * power of two times the unit, neighbours come together again when freed.
 *
 * The state lies in a Bytes behind the manager's instance, in the cage, so snapshots cover it.
 * The visible fields are for reading: what counts are the copies in the state. A block knows its
 * manager in a hidden slot, which is emptied when it is freed. */
#include "buddy.h"

#include "../../gc/buddy.h"
#include "lib.h"

enum { FIELD_TOTAL, FIELD_UNIT, SLOT_STATE };
enum { FIELD_OFFSET, FIELD_SIZE, SLOT_MANAGER, SLOT_FIRST };

extern const ModuleDef module_buddy_manager;
static const LibClass manager_class = {
    "buddy.Manager", LIB_BUDDY_CLASS, &module_buddy_manager, 2, 1, {"total", "unit"}};
static const LibClass block_class = {
    "buddy.Block", LIB_BLOCK_CLASS, NULL, 2, 2, {"offset", "size"}};

typedef struct State {
  uint64_t unit;
  uint32_t units, reserved; /* of the resource; the range may be larger */
  BuddyState range;
} State;

static Buddy range_of(ox_VM *vm, State *s) { return (Buddy){&s->range, vm->cage}; }

static State *state_of(ox_VM *vm, Value manager) {
  Instance *instance = lib_check(vm, manager, &manager_class, "self");
  return instance ? (State *)((Bytes *)vm_deref(vm, instance->fields[SLOT_STATE]))->data : NULL;
}

/* The smallest k with 2^k >= n, n >= 1. */
static unsigned order_for(uint64_t n) { return n <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(n - 1); }

/* ---- making -------------------------------------------------------------------------------- */

static bool read_sizes(ox_VM *vm, Value *args, int64_t *total, int64_t *unit) {
  *unit = 1;
  if (!arg_int(vm, args[0], "total of buddy.new", total)) return false;
  if (arg_given(args, 1) && !arg_int(vm, args[1], "unit of buddy.new", unit)) return false;
  if (*total < 1 || *unit < 1) vm_throw(vm, ERR_VALUE, "buddy.new: total and unit must be above 0");
  else if (*total % *unit)
    vm_throw(vm, ERR_VALUE, "buddy.new: total must be a multiple of the unit, %lld",
             (long long)*unit);
  else if (*total / *unit > (int64_t)1 << BUDDY_MAX_ORDER)
    vm_throw(vm, ERR_LIMIT, "buddy.new: at most %d units (%lld asked for): choose a larger unit",
             1 << BUDDY_MAX_ORDER, (long long)(*total / *unit));
  else return true;
  return false;
}

static bool make_state(ox_VM *vm, Value manager, uint64_t units, uint64_t unit) {
  unsigned order = order_for(units);
  vm_charge(vm, offsetof(State, range) + buddy_state_bytes(order));
  Bytes *bytes = bytes_new(vm, offsetof(State, range) + buddy_state_bytes(order));
  if (!bytes) return false;
  State *s = (State *)bytes->data;
  s->unit = unit;
  s->units = (uint32_t)units;
  Value v = v_from_ptr(vm->cage, KIND_BYTES, bytes);
  lib_set_slot(vm, vm_deref(vm, manager), SLOT_STATE, v);
  buddy_init(range_of(vm, s), order);
  uint32_t beyond = ((uint32_t)1 << order) - s->units;
  if (beyond) buddy_claim(range_of(vm, s), s->units, beyond);
  return true;
}

static Value buddy_new(ox_VM *vm, Value *args, int nargs) {
  int64_t total, unit;
  (void)nargs;
  if (!read_sizes(vm, args, &total, &unit)) return V_ERROR;
  Value made = lib_instance(vm, &manager_class);
  Value total_value = num_from_int(vm, total), unit_value = num_from_int(vm, unit);
  if (made == V_ERROR || total_value == V_ERROR || unit_value == V_ERROR) return V_ERROR;
  if (!make_state(vm, made, (uint64_t)(total / unit), (uint64_t)unit)) return V_ERROR;
  lib_set_slot(vm, vm_deref(vm, made), FIELD_TOTAL, total_value);
  lib_set_slot(vm, vm_deref(vm, made), FIELD_UNIT, unit_value);
  return made;
}

/* ---- blocks -------------------------------------------------------------------------------- */

static Value amount(ox_VM *vm, const State *s, uint64_t units) {
  return num_from_int(vm, (int64_t)(units * s->unit)); /* at most the total, which is an int */
}

/* A pair [offset, size]; rooted. */
static Value pair_new(ox_VM *vm, const State *s, uint32_t first, uint32_t units) {
  Value pair[2] = {amount(vm, s, first), amount(vm, s, units)};
  return pair[0] == V_ERROR || pair[1] == V_ERROR ? V_ERROR : list_from(vm, pair, 2);
}

static Value take(ox_VM *vm, Value manager, State *s, unsigned order) {
  Value block = lib_instance(vm, &block_class);
  if (block == V_ERROR) return V_ERROR;
  Value size = amount(vm, s, (uint64_t)1 << order);
  if (size == V_ERROR) return V_ERROR;
  uint32_t first = buddy_alloc(range_of(vm, s), order);
  if (first == BUDDY_NONE) return V_NIL;
  Value offset = amount(vm, s, first);
  if (offset == V_ERROR) {
    buddy_free(range_of(vm, s), first);
    return V_ERROR;
  }
  Instance *instance = vm_deref(vm, block);
  lib_set_slot(vm, instance, FIELD_OFFSET, offset);
  lib_set_slot(vm, instance, FIELD_SIZE, size);
  lib_set_slot(vm, instance, SLOT_MANAGER, manager);
  lib_set_slot(vm, instance, SLOT_FIRST, v_from_int(first));
  return block;
}

/* A block for `size`; nil when none fits. *s gets the state. */
static Value try_take(ox_VM *vm, Value *args, State **s) {
  int64_t size;
  if (!(*s = state_of(vm, args[0]))) return V_ERROR;
  if (!arg_int(vm, args[1], "size of alloc", &size)) return V_ERROR;
  if (size < 1) return vm_throw(vm, ERR_VALUE, "size of alloc must be above 0");
  uint64_t units = ((uint64_t)size - 1) / (*s)->unit + 1;
  unsigned order = order_for(units);
  if (order > (*s)->range.order) return V_NIL;
  return take(vm, args[0], *s, order);
}

static uint64_t largest(ox_VM *vm, State *s) {
  int order = buddy_largest_free(range_of(vm, s));
  return order < 0 ? 0 : ((uint64_t)1 << order) * s->unit;
}

static Value manager_alloc(ox_VM *vm, Value *args, int nargs) {
  State *s;
  (void)nargs;
  Value block = try_take(vm, args, &s);
  if (block != V_NIL) return block;
  return vm_throw(vm, ERR_VALUE, "buddy: no free block for %lld: the largest free one has %llu",
                  (long long)num_int(vm, args[1]), (unsigned long long)largest(vm, s));
}

static Value manager_try_alloc(ox_VM *vm, Value *args, int nargs) {
  State *s;
  (void)nargs;
  return try_take(vm, args, &s);
}

static Value manager_free(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  State *s = state_of(vm, args[0]);
  Instance *block = s ? lib_check(vm, args[1], &block_class, "block of free") : NULL;
  if (!block) return V_ERROR;
  if (block->fields[SLOT_MANAGER] == V_NIL)
    return vm_throw(vm, ERR_VALUE, "buddy: this block has been freed already");
  if (block->fields[SLOT_MANAGER] != args[0])
    return vm_throw(vm, ERR_VALUE, "buddy: this block belongs to another manager");
  buddy_free(range_of(vm, s), (uint32_t)v_int(block->fields[SLOT_FIRST]));
  lib_set_slot(vm, block, SLOT_MANAGER, V_NIL);
  return V_NIL;
}

/* ---- questions ----------------------------------------------------------------------------- */

static Value manager_free_total(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  State *s = state_of(vm, args[0]);
  return s ? amount(vm, s, s->range.free_units) : V_ERROR;
}

static Value manager_largest_free(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  State *s = state_of(vm, args[0]);
  return s ? num_from_int(vm, (int64_t)largest(vm, s)) : V_ERROR;
}

/* Pairs [offset, size] of the used or the free runs, in their order. */
static Value list_runs(ox_VM *vm, Value manager, bool used) {
  State *s = state_of(vm, manager);
  Value list = s ? list_new(vm, 0) : V_ERROR;
  uint32_t mark = vm_roots_mark(vm), turn = 0;
  for (uint32_t first = 0; list != V_ERROR && first < s->units; ) {
    BuddyRun run = buddy_run(range_of(vm, s), first);
    if (run.used == used) {
      Value pair = pair_new(vm, s, first, run.units);
      if (pair == V_ERROR || !list_push(vm, list, pair)) return V_ERROR;
      vm_roots_reset(vm, mark);
    }
    first += run.units;
    if (++turn % 1024 == 0 && !vm_poll(vm, 1024)) return V_ERROR;
  }
  return list;
}

static Value manager_free_blocks(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_runs(vm, args[0], false);
}
static Value manager_used_blocks(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return list_runs(vm, args[0], true);
}

static Value manager_str(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  State *s = state_of(vm, args[0]);
  if (!s) return V_ERROR;
  return string_format(vm, "<buddy: %llu of %llu free>",
                       (unsigned long long)(s->range.free_units * s->unit),
                       (unsigned long long)(s->units * s->unit));
}

/* ---- proof --------------------------------------------------------------------------------- */

/* No block goes across the end of the resource, and one block has all that is beyond. */
static const char *check_end(Buddy range, uint32_t units) {
  uint32_t first = 0;
  while (first < units) first += buddy_run(range, first).units;
  uint32_t beyond = buddy_units(range) - units;
  if (first != units) return "a buddy manager whose blocks go beyond its units";
  if (!beyond) return NULL;
  BuddyRun end = buddy_run(range, units);
  return end.used && end.units == beyond ? NULL : "a buddy manager that deals out more than it has";
}

const char *buddy_manager_check(ox_VM *vm, const Instance *manager) {
  Value v = manager->fields[SLOT_STATE];
  const Bytes *bytes = v_is(v, KIND_BYTES) ? vm_deref(vm, v) : NULL;
  uint64_t head = offsetof(State, range);
  if (!bytes || bytes->h.aux < head + sizeof(BuddyState)) return "a buddy manager without a state";
  State *s = (State *)bytes->data;
  if (s->range.order > BUDDY_MAX_ORDER ||
      bytes->h.aux != head + buddy_state_bytes(s->range.order))
    return "a buddy manager whose state has another size";
  if (!s->units || !s->unit || s->units > (uint32_t)1 << s->range.order ||
      s->unit > INT64_MAX / s->units || order_for(s->units) != s->range.order)
    return "a buddy manager of impossible size";
  const char *wrong = buddy_check_all(range_of(vm, s));
  return wrong ? wrong : check_end(range_of(vm, s), s->units);
}

const char *buddy_block_check(ox_VM *vm, const Instance *block) {
  Value manager = block->fields[SLOT_MANAGER];
  if (manager == V_NIL) return NULL;
  if (!lib_is(vm, manager, &manager_class)) return "a buddy block of no manager";
  const Instance *owner = vm_deref(vm, manager);
  State *s = (State *)((Bytes *)vm_deref(vm, owner->fields[SLOT_STATE]))->data;
  uint64_t first = v_index(block->fields[SLOT_FIRST]);
  if (first >= s->units) return "a buddy block beyond its manager's units";
  BuddyRun run = buddy_run(range_of(vm, s), (uint32_t)first);
  return run.used && buddy_block_of(range_of(vm, s), (uint32_t)first) == first
             ? NULL
             : "a buddy block that its manager has not";
}

/* ---- tables -------------------------------------------------------------------------------- */

static const NativeDef manager_defs[] = {
    NATIVE("alloc", manager_alloc, "alloc(self, size) -> buddy.Block",
           "Takes a block of at least `size`, rounded up to a power of two times the unit, the "
           "lowest that fits: an object with offset and size; throws when none is free."),
    NATIVE("try_alloc", manager_try_alloc, "try_alloc(self, size)",
           "Like alloc, but nil when none is free."),
    NATIVE("free", manager_free, "free(self, block)",
           "Gives a block back; freeing it twice or to another manager throws."),
    NATIVE("free_total", manager_free_total, "free_total(self) -> int", "How much is free in all."),
    NATIVE("largest_free", manager_largest_free, "largest_free(self) -> int",
           "The largest size that alloc would give now, 0 when nothing is free."),
    NATIVE("free_blocks", manager_free_blocks, "free_blocks(self) -> list",
           "[offset, size] of each free block, in their order."),
    NATIVE("used_blocks", manager_used_blocks, "used_blocks(self) -> list",
           "[offset, size] of each block taken, in their order."),
    NATIVE("str", manager_str, "str(self) -> string", "How the manager prints."),
};

const ModuleDef module_buddy_manager = {
    "buddy.Manager", "Managers made by buddy.new; the fields total and unit tell their size.",
    manager_defs, LIB_COUNT(manager_defs), -1, NULL};

static const NativeDef buddy_defs[] = {
    NATIVE("new", buddy_new, "new(total, unit = 1) -> buddy.Manager",
           "A manager for a resource of `total`, dealt out in powers of two times `unit`; "
           "total must be a multiple of the unit and have at most 2^26 of them."),
};

const ModuleDef module_buddy = {
    "buddy",
    "The buddy allocator as a manager for any divisible resource: blocks of power-of-two sizes "
    "that come together again when they are freed.",
    buddy_defs, LIB_COUNT(buddy_defs), -1, NULL};
