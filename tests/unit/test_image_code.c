// Images whose code, saved registers or owners were changed by hand, and saved with right
// checksums: the proof refuses each, and says why. What compilers and programs made passes,
// wherever fibers wait.
#include <criterion/criterion.h>
#include <oxbow.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gc/state.h"
#include "lang/opcode.h"
#include "runtime/lib/lib.h"
#include "runtime/loader.h"
#include "forgeries.h"

static const char program[] =
    "import random\n"
    "fn count(n) { let sum = 0; for i in 0..n { sum += i }; return sum }\n"
    "fn scopes(n) { let made = []; for i in 0..n { let x = i; made.push(fn() { x += 1; "
    "return x }) }; return made }\n"
    "fn takes(a, b, c) => a + b + c\nfn caller() => takes(1, c: 2, b: 3)\n"
    "fn adder(x) => fn(y) => x + y\nfn two(o) => o.left + o.right\nfn guarded(f) { try { return "
    "f() } catch e { return e } }\n"
    "fn later(n) { let x = 0; let f = fn() { x += 1 }; for i in 0..n { f(); yield i; "
    "let y = x }; return x }\n"
    "let waits = fiber(fn() => later(5)); waits.next()\n"
    "class Pair { left = 1; right = [2]; fn init(l) { self.left = l }; fn sum() => self.left }\n"
    "class Other { left = 3 }\nlet pair = Pair(7); let other = Other()\n"
    "let xs = [1, 2, 3]; let ys = [4]; let small = {1: 2}; let add3 = adder(3); "
    "let made = scopes(2); let s = snapshot()\n"
    "for i in 0..3 { ({1: 1}).get(1); [1].pop() }\n";

static Value global(ox_VM *vm, const char *name) {
  Value at = map_get_str(vm, as_map(vm, vm->st->global_names), string_from_c(vm, name));
  cr_assert(v_is_int(at), "%s", name);
  return list_get(vm, vm->st->globals, (uint64_t)(v_int(at) < 0 ? -1 - v_int(at) : v_int(at)));
}
static void *object(ox_VM *vm, const char *name) { return vm_deref(vm, global(vm, name)); }
static Proto *proto(ox_VM *vm, const char *name) { return proto_of(vm, global(vm, name)); }
static Class *class(ox_VM *vm, const char *name) { return object(vm, name); }

/* The instruction number `nth` with this opcode. */
static uint32_t *find(ox_VM *vm, const char *name, Opcode op, int nth) {
  Proto *p = proto(vm, name);
  uint32_t *code = (uint32_t *)p + p->code;
  for (uint32_t at = 0; at < p->ncode; at += op_length(code + at))
    if (op_code(code[at]) == op && nth-- == 0) return code + at;
  cr_assert(false, "%s has no %s", name, ox_op_info[op].name);
  return NULL;
}
static void put_a(uint32_t *ins, unsigned a) { *ins = (*ins & 0xFFFF00FFu) | a << 8; }
static void put_b(uint32_t *ins, unsigned b) { *ins = (*ins & 0xFF00FFFFu) | b << 16; }
static void put_c(uint32_t *ins, unsigned c) { *ins = (*ins & 0x00FFFFFFu) | c << 24; }

/* ---- code */
static void nothing(ox_VM *vm) { (void)vm; }
static void loop_other(ox_VM *vm) { put_a(find(vm, "count", OP_FORLOOP, 0), 0); }
static void loop_moved(ox_VM *vm) { // the counter is overwritten in the loop
  uint32_t *loop = find(vm, "count", OP_FORLOOP, 0), *add = find(vm, "count", OP_ADD, 0);
  put_a(add, op_a(*loop));
}
static void slot_of_value(ox_VM *vm) { put_b(find(vm, "scopes", OP_SETSLOT, 0), 0); }
static void slot_beyond(ox_VM *vm) { put_c(find(vm, "scopes", OP_SETSLOT, 0), 9); }
static void frame_above(ox_VM *vm) { put_c(find(vm, "scopes", OP_NEWFRAME, 0), 0); }
static void frame_huge(ox_VM *vm) { find(vm, "scopes", OP_NEWFRAME, 0)[1] = 1 << 20; }
static void frame_empty(ox_VM *vm) { find(vm, "scopes", OP_NEWFRAME, 0)[1] = 0; }
static void no_frame(ox_VM *vm) {
  uint32_t *word = find(vm, "scopes", OP_CLOSURE, 0) + 1;
  *word = (*word & ~0xFFu) | FRAME_NONE;
}
static void frame_seen(ox_VM *vm) {
  put_a(find(vm, "later", OP_RET, 0), op_a(*find(vm, "later", OP_NEWFRAME, 0)));
}
static void up_more(ox_VM *vm) {
  Value f = list_get(vm, global(vm, "made"), 0);
  Proto *p = proto_of(vm, f);
  uint32_t *code = (uint32_t *)p + p->code;
  while (op_code(*code) != OP_SETUP && op_code(*code) != OP_SETUPC) code += op_length(code);
  put_b(code, 1);
}
static void capture_more(ox_VM *vm) {
  Proto *p = proto_of(vm, global(vm, "add3"));
  put_b((uint32_t *)p + p->code, 3);
}
static void unset(ox_VM *vm) {
  put_a(find(vm, "count", OP_RET, 0), proto(vm, "count")->nregs - SPARE_REGISTERS - 1u);
}
static void register_beyond(ox_VM *vm) { put_a(find(vm, "count", OP_RET, 0), 200); }
static void arguments_beyond(ox_VM *vm) { put_b(find(vm, "guarded", OP_CALL, 0), 200); }
static void cache_twice(ox_VM *vm) {
  uint32_t *one = find(vm, "two", OP_GETF, 0), *two = find(vm, "two", OP_GETF, 1);
  two[1] = op_make_cached(op_cached_constant(two[1]), op_cached_cache(one[1]));
}
static void caches_shared(ox_VM *vm) { proto(vm, "two")->caches = proto(vm, "guarded")->caches; }
static void caches_of_lookups(ox_VM *vm) { proto(vm, "two")->caches = 2; }
static void names_as_value(ox_VM *vm) {
  Proto *p = proto(vm, "caller");
  uint32_t *ins = find(vm, "caller", OP_LOADI, 0);
  for (unsigned i = 0; i < p->h.n - 2u - PROTO_VALUES; i++)
    if (v_is(p->consts[i], KIND_LIST)) *ins = op_make_ad(OP_LOADK, op_a(*ins), (int32_t)i);
}
static void required_more(ox_VM *vm) { proto_info(vm, proto(vm, "two"))->nrequired = 9; }
static void text_beyond(ox_VM *vm) { proto_info(vm, proto(vm, "two"))->to += 1 << 20; }
static void class_of_list(ox_VM *vm) {
  ((Instance *)object(vm, "other"))->h.aux = v_ref(vm->st->kind_class[KIND_LIST]).w;
}
static void one_class_for_two(ox_VM *vm) {
  cr_assert(v_is_ref(vm->st->spare[LIB_SNAPSHOT_CLASS]));
  vm->st->spare[LIB_BUDDY_CLASS] = vm->st->spare[LIB_SNAPSHOT_CLASS];
}
static void main_below(ox_VM *vm) {
  ((Fiber *)vm_deref(vm, vm->st->fiber))->parent = global(vm, "waits");
}
static void handler_beyond(ox_VM *vm) {
  ((Handler *)info_handlers(proto_info(vm, proto(vm, "guarded"))))->reg = 60;
}
static void inside_itself(ox_VM *vm) {
  Proto *p = proto(vm, "adder");
  ((Store *)vm_deref(vm, p->children))->items[0] = v_from_ptr(vm->cage, KIND_PROTO, p);
}

/* ---- saved stacks */
static Fiber *fiber_of(ox_VM *vm) { return object(vm, "waits"); }
static Value *saved(ox_VM *vm) {
  Fiber *f = fiber_of(vm);
  return ((Stack *)vm_deref(vm, f->stack))->slots + f->base;
}
static Value *counter(ox_VM *vm) { return saved(vm) + op_a(*find(vm, "later", OP_FORLOOP, 0)); }
static void counter_done(ox_VM *vm) { counter(vm)[0] = v_from_int(INLINE_INT_MAX); }
static void counter_ref(ox_VM *vm) { counter(vm)[0] = global(vm, "xs"); }
static void limit_gone(ox_VM *vm) { counter(vm)[1] = V_NIL; }
static void saved_frame(ox_VM *vm) { saved(vm)[op_a(*find(vm, "later", OP_NEWFRAME, 0))] = V_NIL; }
static void saved_small(ox_VM *vm) {
  Frame *f = vm_deref(vm, saved(vm)[op_a(*find(vm, "later", OP_NEWFRAME, 0))]);
  f->h.n = 0;
}
static void saved_inside(ox_VM *vm) {
  saved(vm)[0] = saved(vm)[op_a(*find(vm, "later", OP_NEWFRAME, 0))];
}
static void saved_owned(ox_VM *vm) { saved(vm)[0] = vm->st->modules; }
static void link_far(ox_VM *vm) { saved(vm)[-1] = link_with_delta(saved(vm)[-1], 500); }
static void link_near(ox_VM *vm) { saved(vm)[-1] = link_with_delta(saved(vm)[-1], 0); }
static void resumed_c(ox_VM *vm) { fiber_of(vm)->resumed |= (uint64_t)RET_C << 56; }
static void resumed_init(ox_VM *vm) { fiber_of(vm)->resumed |= (uint64_t)RET_INIT << 56; }
static void resumed_end(ox_VM *vm) { fiber_of(vm)->resumed |= (uint64_t)RET_FIBER << 56; }
static void resumed_jump(ox_VM *vm) { fiber_of(vm)->resumed |= (uint64_t)RET_JUMP << 56; }
static void resumed_dest(ox_VM *vm) {
  Fiber *f = fiber_of(vm);
  f->resumed = link_make(link_pc(f->resumed), op_a(*find(vm, "later", OP_NEWFRAME, 0)), RET_STORE);
}
static void resumed_beyond(ox_VM *vm) { // a module in a register that the function has not got
  Fiber *f = fiber_of(vm);
  Stack *s = vm_deref(vm, f->stack);
  unsigned dest = proto(vm, "later")->nregs - SPARE_REGISTERS + 2u;
  saved(vm)[dest] = map_entries(vm, as_map(vm, vm->st->modules))[1];
  s->used = s->h.aux;
  f->resumed = link_make(link_pc(f->resumed), dest, RET_IMPORT);
  f->then = global(vm, "add3");
}
static void resumed_inside(ox_VM *vm) { // the second word of an instruction
  uint32_t *frame = find(vm, "later", OP_NEWFRAME, 0);
  fiber_of(vm)->resumed = link_make((uint64_t)(frame + 1 - (uint32_t *)vm->cage), 0, RET_STORE);
}
static void resumed_elsewhere(ox_VM *vm) {
  Fiber *f = fiber_of(vm);
  f->resumed = link_make(proto_code(vm, proto(vm, "count")) + 1, 0, RET_STORE);
}
static void used_less(ox_VM *vm) {
  ((Stack *)vm_deref(vm, fiber_of(vm)->stack))->used = fiber_of(vm)->base;
}
static void base_more(ox_VM *vm) { fiber_of(vm)->base += 1; }
static void end_lost(ox_VM *vm) { ((Stack *)vm_deref(vm, fiber_of(vm)->stack))->slots[1] = 0; }

/* ---- owners */
static void put(ox_VM *vm, Value v) { list_store(vm, object(vm, "xs"))->items[0] = v; }
static void sees_globals(ox_VM *vm) { put(vm, vm->st->globals); }
static void sees_methods(ox_VM *vm) { put(vm, class(vm, "Pair")->methods); }
static void sees_defaults(ox_VM *vm) { put(vm, class(vm, "Pair")->defaults); }
static void sees_stub(ox_VM *vm) { put(vm, vm->st->stub); }
static void sees_proto(ox_VM *vm) { put(vm, v_from_ptr(vm->cage, KIND_PROTO, proto(vm, "two"))); }
static void sees_store(ox_VM *vm) {
  put(vm, v_from_ref(KIND_STORE, (Ref){((Header *)object(vm, "ys"))->aux}));
}
static void sees_names(ox_VM *vm) {
  Proto *p = proto(vm, "caller");
  for (unsigned i = 0; i < p->h.n - 2u - PROTO_VALUES; i++)
    if (v_is(p->consts[i], KIND_LIST)) put(vm, p->consts[i]);
}
static void captures_params(ox_VM *vm) {
  ((Closure *)object(vm, "add3"))->caps[0] = proto(vm, "two")->params;
}
static void is_stub(ox_VM *vm) {
  ((Closure *)object(vm, "add3"))->h.aux = ((Closure *)vm_deref(vm, vm->st->stub))->h.aux;
}
static void two_classes(ox_VM *vm) { class(vm, "Other")->methods = class(vm, "Pair")->methods; }
static void fields_as_methods(ox_VM *vm) {
  class(vm, "Other")->fields = class(vm, "Other")->methods;
}
static void no_method(ox_VM *vm) {
  map_entries(vm, as_map(vm, class(vm, "Pair")->methods))[1] = v_from_int(1);
}
static void native_init(ox_VM *vm) {
  Store *core = vm_deref(vm, vm->st->core);
  for (uint32_t i = 0; i < core->h.aux; i++)
    if (v_is(core->items[i], KIND_NATIVE)) class(vm, "Pair")->init = core->items[i];
}
static void field_method(ox_VM *vm) {
  list_store(vm, vm_deref(vm, class(vm, "Pair")->init_fields))->items[0] = global(vm, "takes");
}
static void open_class(ox_VM *vm) { class(vm, "Pair")->flags &= ~(uint32_t)CLASS_SEALED; }
static void few_defaults(ox_VM *vm) { class(vm, "Pair")->defaults = V_NIL; }
static void sets_are_lists(ox_VM *vm) {
  vm->st->kind_class[KIND_SET] = vm->st->kind_class[KIND_LIST];
}
static void push_of_maps(ox_VM *vm) {
  Value methods = ((Class *)vm_deref(vm, vm->st->kind_class[KIND_MAP]))->methods;
  Value list = ((Class *)vm_deref(vm, vm->st->kind_class[KIND_LIST]))->methods;
  Value push = string_from_c(vm, "push");
  map_entries(vm, as_map(vm, methods))[1] = map_get_str(vm, as_map(vm, list), push);
}
static void no_module(ox_VM *vm) {
  Map *m = as_map(vm, vm->st->modules);
  cr_assert(m->live > 0);
  map_entries(vm, m)[1] = global(vm, "xs");
}
static void list_key(ox_VM *vm) { map_entries(vm, object(vm, "small"))[0] = global(vm, "xs"); }
static ox_Value nothing_more(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)vm, (void)context, (void)argc;
  return argv[0];
}
static Native *of_host(ox_VM *vm, const char *signature) {
  ox_Value f = ox_function(vm, signature, NULL, nothing_more, NULL, NULL);
  ox_set(vm, signature[0] == 'f' ? "f" : "g", f);
  return vm_deref(vm, global(vm, signature[0] == 'f' ? "f" : "g"));
}
static void host_unknown(ox_VM *vm) { of_host(vm, "f(x)")->h.aux += 7; }
static void host_takes_more(ox_VM *vm) { of_host(vm, "f(x)")->max = 4; }
static void host_twice(ox_VM *vm) {
  Native *f = of_host(vm, "f(x)");
  of_host(vm, "g(x)")->h.aux = f->h.aux;
}
static void host_true(ox_VM *vm) { of_host(vm, "f(x, y = 1, ...rest)"); }
static void future(ox_VM *vm) { ((Instance *)object(vm, "s"))->fields[2] += (uint64_t)1 << 54; }
static void dirt(ox_VM *vm) { // three levels below a page or more that nobody uses
  BuddyState *b = vm->gc->buddy.state;
  for (uint32_t node = 1; node < 4096; node++)
    if (b->node[node] == 0 && b->node[node >> 1] != 0) {
      b->node[8 * node] = 0x81;
      return;
    }
}

static const Forgery cases[] = {
    {"nothing", nothing, NULL},
    {"loop_other", loop_other, "a loop without its counter"},
    {"loop_moved", loop_moved, "a loop without its counter"},
    {"slot_of_value", slot_of_value, "a register that is no frame"},
    {"slot_beyond", slot_beyond, "a slot that the frame has not"},
    {"frame_above", frame_above, "a register that is no frame"},
    {"frame_huge", frame_huge, "a frame with too many slots"},
    {"frame_empty", frame_empty, "a slot that the frame has not"},
    {"no_frame", no_frame, "a closure without the frame it needs"},
    {"frame_seen", frame_seen, "a frame that is used as a value"},
    {"up_more", up_more, "a closure without the frame it needs"},
    {"capture_more", capture_more, "a closure with too few captured values"},
    {"unset", unset, "a register that is used before it is set"},
    {"register_beyond", register_beyond, "a register that there is not"},
    {"arguments_beyond", arguments_beyond, "a register that"},
    {"cache_twice", cache_twice, "an inline cache of two instructions"},
    {"caches_shared", caches_shared, "inline caches of two functions"},
    {"caches_of_lookups", caches_of_lookups, "inline caches"},
    {"names_as_value", names_as_value, "a list of names as a value"},
    {"required_more", required_more, "a function that wants more than its parameters"},
    {"handler_beyond", handler_beyond, "a handler outside of its function"},
    {"text_beyond", text_beyond, "a function beyond the text of its module"},
    {"class_of_list", class_of_list, "an object "},
    {"one_class_for_two", one_class_for_two, "of a standard module "},
    {"main_below", main_below, "a VM that stands nowhere"},
    {"inside_itself", inside_itself, "a function inside itself"},
    {"counter_done", counter_done, "a saved loop with a wrong counter"},
    {"counter_ref", counter_ref, "a saved loop with a wrong counter"},
    {"limit_gone", limit_gone, "a saved loop with a wrong counter"},
    {"saved_frame", saved_frame, "a saved register without the frame"},
    {"saved_small", saved_small, "a saved register without the frame"},
    {"saved_inside", saved_inside, "a saved register with what no program may see"},
    {"saved_owned", saved_owned, "a saved register with what no program may see"},
    {"link_far", link_far, "a link out of its stack"},
    {"link_near", link_near, "a link out of its stack"},
    {"resumed_c", resumed_c, "a fiber that was left in a call that cannot be proven"},
    {"resumed_init", resumed_init, "a fiber that was left in a call that cannot be proven"},
    {"resumed_end", resumed_end, "a link that leaves its fiber"},
    {"resumed_jump", resumed_jump, "a saved jump that is none"},
    {"resumed_beyond", resumed_beyond, "a saved import of no module"},
    {"resumed_dest", resumed_dest, "a saved result in place of a frame"},
    {"resumed_inside", resumed_inside, "a saved position that its function never comes to"},
    {"resumed_elsewhere", resumed_elsewhere, "a saved position outside of its function"},
    {"used_less", used_less, "a frame outside of its stack"},
    {"base_more", base_more, "a frame of no function"},
    {"end_lost", end_lost, "a fiber without an end"},
    {"sees_globals", sees_globals, "a value that is none of the program's"},
    {"sees_methods", sees_methods, "a value that is none of the program's"},
    {"sees_defaults", sees_defaults, "a value that is none of the program's"},
    {"sees_stub", sees_stub, "a value that is none of the program's"},
    {"sees_proto", sees_proto, "a value that is none of the program's"},
    {"sees_store", sees_store, "a value that is none of the program's"},
    {"sees_names", sees_names, "a value that is none of the program's"},
    {"captures_params", captures_params, "a value that is none of the program's"},
    {"is_stub", is_stub, "a closure of the stub"},
    {"two_classes", two_classes, "storage of two objects"},
    {"fields_as_methods", fields_as_methods, "storage of two objects"},
    {"no_method", no_method, "a class with a method that is none"},
    {"native_init", native_init, "a class whose init is no function"},
    {"field_method", field_method, "a class whose fields are set by no method"},
    {"open_class", open_class, "an object of a class that is not finished"},
    {"few_defaults", few_defaults, "a class with too few defaults"},
    {"sets_are_lists", sets_are_lists, "a class of builtin values"},
    {"push_of_maps", push_of_maps, "a class of builtin values with another's method"},
    {"no_module", no_module, "a module that is none"},
    {"list_key", list_key, "a map with a key of the wrong kind"},
    {"host_true", host_true, NULL},
    {"host_unknown", host_unknown, "a function of the host that its notes have not"},
    {"host_takes_more", host_takes_more, "a function of the host with other parameters"},
    {"host_twice", host_twice, "two functions of the host that are one"},
    {"future", future, "a handle of a snapshot that is yet to be taken"},
    {"dirt", dirt, "buddy: dirt below a whole node"},
};

Test(image_code, forgeries) {
  char path[128];
  snprintf(path, sizeof path, "/tmp/oxbow-code-%ld.img", (long)getpid());
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) prove_forgery(path, program, cases + i);
  unlink(path);
}

/* Fibers that wait wherever a program can wait. */
static const char waiting[] =
    "class Slow { a = 1; b = step(2); c = [step(3)]; "
    "fn init(x, y = 4, ...rest) { self.a = step(x) + y }\n"
    "  fn ==(o) => step(o) == 5; fn <(o) => step(true); fn len() => step(6); "
    "fn iter() => [step(7), 8]\n"
    "  fn +(o) => step(1) + o; fn [](i) => step(i); fn []=(i, x) { step(i) }; "
    "fn in(x) => step(false); fn neg() => step(9)\n"
    "  fn call(x) => step(x); fn str() => \"slow\" }\n"
    "class Slower : Slow { a = step(0); d = step(9); fn init(...rest) { super.init(2); "
    "step(rest) } }\n"
    "class Quick { a = step(4); fn init() { step(1) }; fn str() => \"quick\" }\n"
    "fn step(x) { yield \"at\"; return x }\n"
    "fn gen(n) { for i in 0..n { yield i } }\n"
    "fn ints(n) { let all = []; for i in 0..=n { let k = i; all.push(fn() => k); "
    "if i == step(2) { continue }; k += step(1) }; return all.map(fn(f) => f()) }\n"
    "fn wide() { let last = 0; for i in (1 << 60)..(1 << 60) + 3 { last = step(i) }; "
    "return last }\n"
    "fn guard() { let log = []; try { step(1); "
    "throw error(\"x\") } catch e { log.push(step(e.message)) } finally { log.push(step(3)) }; "
    "return log }\n"
    "fn defers() { let log = []; defer log.push(step(1)); defer log.push(2); step(3); "
    "return log }\n"
    "fn pick(x) => match step(x) { [a, ...b] => step(b), {k: v} => step(v), "
    "n if step(n) == 4 => 5, _ => step(nil) }\n"
    "fn early() { for i in 0..3 { try { if step(i) == 1 { return step(7) } } finally { step(0) } "
    "}; return 8 }\n"
    "fn outer() { let t = 0; for x in [1, 2] { for y in 0..2 { for k, "
    "v in ({a: x}) { t += step(v) + y } } }; return t }\n"
    "fn compare(o) { if o == 5 { return step(1) }; return step(2) }\n"
    "fn tail(x) => step(x)\nfn spread(...xs) => takes(...xs, ...[step(3)])\nfn takes(a, b, "
    "c = step(3)) => [a, b, c]\n"
    "fn recursive(n) { let f = fn(k) => if k == 0 { step(0) } else { 1 + f(k - 1) }; "
    "return f(n) }\n"
    "let jobs = [fn() => Slow(1).a, fn() => Slower(1, 2, 3).d, fn() => Slow(1, y: 2).b, "
    "fn() => ints(3), wide, guard, defers,\n"
    "  fn() => pick([1, 2]), fn() => pick({k: 3}), fn() => pick(4), early, outer, "
    "fn() => Slow(1) == 5, fn() => compare(Slow(2)),\n"
    "  fn() => Slow(1) < 3, fn() => if Slow(1) < 3 { step(1) } else { 2 }, fn() => len(Slow(1)), "
    "fn() { let t = 0; for x in Slow(1) { t += step(x) }; return t },\n"
    "  fn() => Slow(1) + 3, fn() => Slow(1)[2], fn() { let o = Slow(1); o[1] = 2; "
    "return o.a }, fn() => 3 in Slow(1), fn() => -Slow(1), fn() => Slow(1)(5),\n"
    "  fn() => tail(3), fn() => spread(1, 2), fn() => recursive(3), fn() => [1, 2].map(step), "
    "fn() => \"${step(1)} ${step(2)}\",\n"
    "  fn() { let t = 0; for v in fiber(fn() => gen(3)) { t += step(v) }; "
    "return t }, fn() => [3, 1, 2].map(fn(x) => step(-x)),\n"
    "  fn() => step(1) |> step, Quick, fn() => step([1])[0], fn() => {a: step(1), "
    "[step(\"b\")]: 2}, fn() { let [a, b = step(2)] = [1]; return a + b }]\n"
    "fn finish(f, n) { let k = 0; while true { let v = f.next(\"end\"); "
    "if f.done { return str(v) }; k += 1; if n >= 0 and k >= n { return nil } } }\n"
    "let results = jobs.map(fn(j) => nil)\n"
    "fn start(i) => fiber(fn() { results[i] = str(jobs[i]()) })\n"
    "let fibers = []; for i in 0..len(jobs) { finish(start(i), -1) }; let want = results; "
    "results = jobs.map(fn(j) => nil)\n"
    "for i in 0..len(jobs) { fibers.push(start(i)) }; fibers.push(fiber(Quick)); "
    "fibers.push(fiber(fn() => step(1)))\n";

Test(image_code, fibers_that_wait) {
  char path[128], message[600], text[400];
  snprintf(path, sizeof path, "/tmp/oxbow-wait-%ld.img", (long)getpid());
  for (int n = 1; n <= 12; n++) {
    ox_VM *vm = ox_new(NULL);
    ox_Value value;
    cr_assert_eq(ox_eval(vm, waiting, strlen(waiting), "test", &value), OX_OK, "%s",
                 ox_error(vm)->report);
    snprintf(text, sizeof text, "for f in fibers { finish(f, %d) }", n);
    cr_assert_eq(ox_eval(vm, text, strlen(text), "test", &value), OX_OK, "%s",
                 ox_error(vm)->report);
    cr_assert_eq(ox_image_save(vm, path, NULL), OX_OK);
    ox_free(vm);
    ox_ImageConfig how = {.size = sizeof how, .check = OX_IMAGE_CHECK_ALL};
    vm = ox_image_open(path, &how, NULL, message, sizeof message);
    cr_assert_not_null(vm, "after %d: %s", n, message);
    static const char rest[] =
        "for f in fibers { finish(f, -1) }; for i in 0..len(jobs) { assert(results[i] == "
        "want[i], \"${i}: ${results[i]}\") }";
    cr_assert_eq(ox_eval(vm, rest, sizeof rest - 1, "test", &value), OX_OK, "after %d: %s", n,
                 ox_error(vm) ? ox_error(vm)->report : "");
    ox_free(vm);
  }
  unlink(path);
}
