/* ops_make.c - slow paths of instructions that make closures, frames, lists, maps, and of
 * patterns. */
#include "call.h"
#include "class.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "native.h"
#include "ops.h"
#include "repr.h"
#include "str.h"

/* ---- closures and scope frames, where the bump run is used up or the block is large ---- */

static Closure *running_closure(ox_VM *vm) { return (Closure *)vm_deref(vm, vm_regs(vm)[-2]); }

bool slow_closure(ox_VM *vm, uint32_t ins) {
  uint32_t word = vm_pc(vm)[0], n = op_closure_captures(word), from = op_closure_frame(word);
  Store *children = (Store *)vm_deref(vm, vm_proto(vm)->children);
  Closure *f =
      vm_alloc(vm, 2 + (uint64_t)n, KIND_CLOSURE, LAYOUT_VALUES | LAYOUT_AUX_REF | LAYOUT_PAIRS(1),
               (uint16_t)n, v_ref(children->items[INS_D(ins)]).w);
  if (f == NULL) return false;
  Value *R = vm_regs(vm);
  Closure *running = running_closure(vm);
  f->frame = from == FRAME_OWN ? running->frame : from == FRAME_NONE ? REF_NULL : v_ref(R[from]);
  f->reserved = REF_NULL;
  const uint32_t *captures = vm_pc(vm) + 1;
  for (uint32_t i = 0; i < n; i++)
    f->caps[i] =
        captures[i] < CAPTURE_OWN ? R[captures[i]] : running->caps[captures[i] - CAPTURE_OWN];
  vm->st->pc += 1 + n;
  R[INS_A(ins)] = v_from_ptr(vm->cage, KIND_CLOSURE, f);
  return true;
}

bool slow_fixcap(ox_VM *vm, uint32_t ins) {
  (void)ins;
  vm_throw(vm, ERR_SYSTEM, "damaged code: a captured value that there is not");
  return false;
}

bool slow_newframe(ox_VM *vm, uint32_t ins) {
  uint32_t n = vm_pc(vm)[0];
  Frame *f = gc_alloc(vm->gc, 1 + (uint64_t)n, GC_SPACE_FRAME);
  if (f == NULL) {
    vm_throw_oom(vm);
    return false;
  }
  Value *R = vm_regs(vm);
  Ref parent = INS_C(ins) == FRAME_OWN ? running_closure(vm)->frame : v_ref(R[INS_C(ins)]);
  f->h = (Header){KIND_FRAME, LAYOUT_VALUES | LAYOUT_AUX_REF, (uint16_t)n, parent.w};
  for (uint32_t i = 0; i < n; i++) f->slots[i] = V_ABSENT;
  R[INS_A(ins)] = v_from_ptr(vm->cage, KIND_FRAME, f);
  vm->st->pc++;
  return true;
}

/* ---- slots beyond a byte ---- */

static uint64_t slot_word(ox_VM *vm, uint32_t ins) {
  Value *R = vm_regs(vm);
  Opcode op = op_code(ins);
  uint64_t frame;
  if (op == OP_GETSLOTW || op == OP_SETSLOTW) {
    frame = v_ref(R[INS_B(ins)]).w;
  } else {
    Ref f = running_closure(vm)->frame;
    for (unsigned n = INS_B(ins); n > 0; n--) f.w = ((Header *)gc_ptr(vm->cage, f))->aux;
    frame = f.w;
  }
  return frame + 1 + vm_pc(vm)[0];
}

static bool wide_slot(ox_VM *vm, uint32_t ins, bool store) {
  uint64_t word = slot_word(vm, ins);
  Value *place = (Value *)vm->cage + word;
  if (INS_C(ins) && *place == V_ABSENT) return slow_unset(vm, ins);
  if (store) gc_store(vm->cage, word, vm_regs(vm)[INS_A(ins)]);
  else vm_regs(vm)[INS_A(ins)] = *place;
  vm->st->pc++;
  return true;
}

bool slow_getslot_wide(ox_VM *vm, uint32_t ins) { return wide_slot(vm, ins, false); }
bool slow_getup_wide(ox_VM *vm, uint32_t ins) { return wide_slot(vm, ins, false); }
bool slow_setslot_wide(ox_VM *vm, uint32_t ins) { return wide_slot(vm, ins, true); }
bool slow_setup_wide(ox_VM *vm, uint32_t ins) { return wide_slot(vm, ins, true); }

/* ---- lists and maps ---- */

static bool give(ox_VM *vm, uint32_t ins, Value v) {
  if (v == V_ERROR) return false;
  vm_regs(vm)[INS_A(ins)] = v;
  return true;
}

bool slow_newlist(ox_VM *vm, uint32_t ins) {
  return give(vm, ins, list_from(vm, vm_regs(vm) + INS_B(ins), INS_C(ins)));
}

/* Only code that no compiler made asks in vain. False: error pending. */
static bool is_made(ox_VM *vm, uint32_t ins, Kind kind) {
  if (v_is(vm_regs(vm)[INS_A(ins)], kind)) return true;
  vm_throw(vm, ERR_SYSTEM, "damaged code: no %s is being made", kind == KIND_LIST ? "list" : "map");
  return false;
}

bool slow_listpush(ox_VM *vm, uint32_t ins) {
  if (!is_made(vm, ins, KIND_LIST)) return false;
  for (unsigned i = 0, n = INS_C(ins); i < n; i++) {
    Value *R = vm_regs(vm);
    if (!list_push(vm, R[INS_A(ins)], R[INS_B(ins) + i])) return false;
  }
  return true;
}

bool slow_listext(ox_VM *vm, uint32_t ins) {
  if (!is_made(vm, ins, KIND_LIST)) return false;
  Value *R = vm_regs(vm);
  Value items = R[INS_B(ins)];
  bool plain = v_is(items, KIND_LIST) || v_is(items, KIND_RANGE) || v_is(items, KIND_MAP) ||
               v_is(items, KIND_SET);
  if (!plain) items = list_from_iterable(vm, items, "what `...` spreads");
  return items != V_ERROR && list_extend(vm, vm_regs(vm)[INS_A(ins)], items);
}

bool slow_newmap(ox_VM *vm, uint32_t ins) { return give(vm, ins, map_new(vm, INS_D(ins))); }

bool slow_newmapk(ox_VM *vm, uint32_t ins) {
  Value names = vm_const(vm, vm_pc(vm)[0]);
  vm->st->pc++;
  return give(vm, ins, map_from_names(vm, names, vm_regs(vm) + INS_B(ins), INS_C(ins)));
}

bool slow_mapput(ox_VM *vm, uint32_t ins) {
  Value *R = vm_regs(vm);
  return is_made(vm, ins, KIND_MAP) && map_set(vm, R[INS_A(ins)], R[INS_B(ins)], R[INS_C(ins)]);
}

bool slow_mapext(ox_VM *vm, uint32_t ins) {
  Value to = vm_regs(vm)[INS_A(ins)], from = vm_regs(vm)[INS_B(ins)], key, value;
  if (!is_made(vm, ins, KIND_MAP)) return false;
  if (!v_is(from, KIND_MAP)) {
    vm_throw(vm, ERR_TYPE, "only a map can be spread into a map, not %s", vm_type_name(vm, from));
    return false;
  }
  if (from == to) return true;
  for (uint32_t i = 0; map_next(vm, as_map(vm, from), &i, &key, &value);) {
    if (!map_set(vm, to, key, value)) return false;
    if (i % 1024 == 0 && !vm_poll(vm, 1024)) return false;
  }
  return true;
}

/* ---- patterns ---- */

/* What a pattern's name or number finds in v, V_ABSENT: nothing. */
static Value pattern_member(ox_VM *vm, Value v, Value key) {
  if (v_is(v, KIND_MAP)) return map_get(vm, v, key);
  if (!v_is_string(key)) return V_ABSENT;
  if (v_is(v, KIND_INSTANCE)) {
    Instance *o = (Instance *)vm_deref(vm, v);
    int slot = class_field(vm, (Class *)gc_ptr(vm->cage, (Ref){o->h.aux}), key);
    return slot < 0 ? V_ABSENT : o->fields[slot];
  }
  if (v_is(v, KIND_MODULE)) return field_get(vm, v, key, true);
  if (v_is(v, KIND_ERROR)) return property_get(vm, v, key);
  return vm_throw(vm, ERR_TYPE, "cannot destructure %s as a map", vm_type_name(vm, v));
}

bool slow_getopt(ox_VM *vm, uint32_t ins) {
  Value x = pattern_member(vm, vm_regs(vm)[INS_B(ins)], vm_const(vm, vm_pc(vm)[0]));
  if (x == V_ABSENT && error_pending(vm)) return false;
  vm->st->pc++;
  vm_regs(vm)[INS_A(ins)] = x;
  return true;
}

static bool check_unpack(ox_VM *vm, Value v, uint32_t count, uint32_t word) {
  if (!v_is(v, KIND_LIST)) {
    vm_throw(vm, ERR_TYPE, "cannot destructure %s as a list", vm_type_name(vm, v));
    return false;
  }
  uint64_t len = list_len(vm, v);
  uint32_t required = op_unpack_required(word);
  bool rest = op_unpack_has_rest(word);
  if (len >= required && (rest || len <= count)) return true;
  vm_throw(vm, ERR_MATCH, "a list of %llu element%s does not fit a pattern for %s%u",
           (unsigned long long)len, len == 1 ? "" : "s",
           rest || required < count ? (len < required ? "at least " : "at most ") : "",
           len < required ? required : count);
  return false;
}

bool slow_unpack(ox_VM *vm, uint32_t ins) {
  unsigned at = INS_A(ins), count = INS_C(ins);
  uint32_t word = vm_pc(vm)[0];
  Value v = vm_regs(vm)[INS_B(ins)];
  if (!check_unpack(vm, v, count, word)) return false;
  uint64_t len = list_len(vm, v);
  Value rest = V_NIL;
  if (op_unpack_has_rest(word)) {
    rest = list_slice(vm, v, len < count ? len : count, len);
    if (rest == V_ERROR) return false;
  }
  Value *R = vm_regs(vm);
  for (unsigned i = 0; i < count; i++) R[at + i] = i < len ? list_get(vm, v, i) : V_ABSENT;
  if (op_unpack_has_rest(word)) R[at + count] = rest;
  vm->st->pc++;
  return true;
}

bool slow_maprest(ox_VM *vm, uint32_t ins) {
  Value v = vm_regs(vm)[INS_B(ins)], names = vm_const(vm, vm_pc(vm)[0]);
  if (!v_is(v, KIND_MAP)) {
    vm_throw(vm, ERR_TYPE, "only a map has a rest (...), not %s", vm_type_name(vm, v));
    return false;
  }
  Value copy = map_copy(vm, v);
  if (copy == V_ERROR) return false;
  for (uint64_t i = 0; i < list_len(vm, names); i++)
    if (map_remove(vm, copy, list_get(vm, names, i)) == V_ABSENT && error_pending(vm)) return false;
  vm->st->pc++;
  vm_regs(vm)[INS_A(ins)] = copy;
  return true;
}

bool slow_matchfail(ox_VM *vm, uint32_t ins) {
  Buf b;
  buf_init(&b, vm);
  buf_puts(&b, "no arm of match fits ");
  bool ok = value_print(&b, vm_regs(vm)[INS_A(ins)], true);
  if (ok) buf_puts(&b, " (an arm `_ => ...` takes the rest)");
  Value text = ok ? buf_finish(&b) : V_ERROR;
  if (!ok) buf_free(&b);
  Value e = text == V_ERROR ? V_ERROR : error_new(vm, ERR_MATCH, text, V_NIL);
  if (e != V_ERROR) vm_throw_value(vm, e);
  return false;
}
