/* interp.h - the interpreter from inside: machine state, links, and the slow functions.
 *
 * Machine state. While handlers run, `pc` and `R` live in processor registers. Before anything that
 * may allocate, throw or run C they are saved to st->pc and st->base ("saved state"); afterwards
 * they are loaded from there again, so a slow function moves the program by changing those two: it
 * pushes a frame, jumps, unwinds, switches to another fiber. A slow function is
 *     bool slow_NAME(ox_VM *vm, uint32_t ins)
 * with st->pc just behind the instruction's first word. It skips further words itself. False: an
 * error is pending, and the interpreter unwinds.
 *
 * Frames. R[-2] is the running closure, R[-1] the link: where to go on in the caller.
 *     bits  0..31  return pc, in 32-bit units from the cage's base
 *     bits 32..47  how many registers below R the caller's R lies
 *     bits 48..55  register of the caller that gets the result
 *     bits 56..62  RetMode: what to do with the result
 * The collector sees a link as a small number. Registers above a frame hold stale references to
 * objects that still exist (the collector clears what lies above the running frame), so frames are
 * not cleared.
 *
 * Every function has SPARE_REGISTERS more than its code uses: room to shift arguments up by one,
 * and for the missing arguments of natives. */
#ifndef OX_RUNTIME_INTERP_H
#define OX_RUNTIME_INTERP_H

#include "vm.h"

/* With OX_TINY_STACKS every stack moves at nearly every call that needs room: a test of C code that
 * keeps pointers into it. */
#ifdef OX_TINY_STACKS
enum { STACK_MARGIN = 2, STACK_MAIN = 16, STACK_FIBER = 16, STACK_GROWTH = 1 };
#else
enum { STACK_MARGIN = 32, STACK_MAIN = 1024, STACK_FIBER = 30, STACK_GROWTH = 2 };
#endif
enum { SPARE_REGISTERS = 10 };

typedef enum RetMode {
  RET_STORE,  /* R[dest] = result */
  RET_BOOL,   /* its truth */
  RET_NOT,    /* the opposite */
  RET_JUMP,   /* decides the conditional jump before the return pc */
  RET_LEN,    /* R[dest] = result, which must be an int >= 0 */
  RET_INIT,   /* R[dest] = the new instance, N[-3], whatever init returned */
  RET_INIT_OUTER, /* the new instance goes where the link N[-5] says */
  RET_FIELDS, /* computed defaults are set: go on making the instance (class.c) */
  RET_IMPORT, /* the module that R[dest] is has now run */
  RET_ITER,   /* go on with ITER, the result being the iterable */
  RET_NEXT,   /* a fiber's value for FORNEXT */
  RET_DROP,   /* nothing */
  RET_FIBER,  /* the end of a fiber's function */
  RET_C,      /* leave the interpreter; N[-3] is the pc that the C code had interrupted */
} RetMode;

static inline uint64_t link_make(uint64_t pc, uint64_t dest, RetMode mode) {
  return (uint32_t)pc | dest << 48 | (uint64_t)mode << 56;
}
static inline uint32_t link_pc(uint64_t link) { return (uint32_t)link; }
static inline unsigned link_delta(uint64_t link) { return (uint16_t)(link >> 32); }
static inline unsigned link_dest(uint64_t link) { return (uint8_t)(link >> 48); }
static inline RetMode link_mode(uint64_t link) { return (RetMode)(link >> 56); }
static inline uint64_t link_with_delta(uint64_t link, uint64_t delta) {
  return (link & ~((uint64_t)0xFFFF << 32)) | delta << 32;
}

/* ---- saved state ---- */
static inline Value *vm_regs(ox_VM *vm) { return (Value *)vm->cage + vm->st->base; }
static inline const uint32_t *vm_pc(ox_VM *vm) { return (const uint32_t *)vm->cage + vm->st->pc; }
static inline Proto *proto_of(ox_VM *vm, Value closure) {
  Closure *c = (Closure *)vm_deref(vm, closure);
  return (Proto *)gc_ptr(vm->cage, (Ref){c->h.aux});
}
static inline Proto *vm_proto(ox_VM *vm) { return proto_of(vm, vm_regs(vm)[-2]); }
static inline uint64_t proto_code(ox_VM *vm, Proto *p) { /* its first instruction, as a pc */
  return (gc_word(vm->cage, p) << 1) + p->code;
}
static inline Value vm_const(ox_VM *vm, unsigned i) { return vm_proto(vm)->consts[i]; }
static inline Fiber *vm_fiber(ox_VM *vm) { return (Fiber *)vm_deref(vm, vm->st->fiber); }
static inline Stack *fiber_stack(ox_VM *vm, Fiber *f) { return (Stack *)vm_deref(vm, f->stack); }

/* The first free register above the running function: R[vm_top]. The collector clears from there
 * on: who uses spare registers claims them (call_claim). Between instructions st->extra is 0. */
static inline uint64_t vm_top(ox_VM *vm) {
  return vm_proto(vm)->nregs - SPARE_REGISTERS + vm->st->extra;
}

/* The operands of an instruction. */
#define INS_A(ins) ((ins) >> 8 & 0xFF)
#define INS_B(ins) ((ins) >> 16 & 0xFF)
#define INS_C(ins) ((ins) >> 24)
#define INS_D(ins) ((ins) >> 16)

/* Inline caches: hints beside the cage. `cls` is a ref (of a class, a module), `slot` what was
 * found. */
typedef struct InlineCache { uint32_t cls, slot; } InlineCache;
static inline InlineCache *vm_cache(ox_VM *vm, unsigned number) {
  return (InlineCache *)(vm->cage - GC_CACHE_OFF) + vm_proto(vm)->caches + number;
}

/* Behind them, shared by all places: a hash table of (class, name) -> field slot or method, for
 * places that see many classes. It lies at the beginning of the cache area. Emptied together with
 * them. */
typedef struct LookupEntry { uint32_t cls, name, slot; uint32_t is_method; } LookupEntry;
enum {
  LOOKUP_BITS = 10,
  LOOKUP_CACHES = (sizeof(LookupEntry) << LOOKUP_BITS) / sizeof(InlineCache)
};
static inline LookupEntry *lookup_entry(uint8_t *cage, uint32_t cls, uint32_t name) {
  uint32_t h = (cls * 0x9E3779B1u ^ name * 0x85EBCA6Bu) >> (32 - LOOKUP_BITS);
  return (LookupEntry *)(cage - GC_CACHE_OFF) + h;
}
static inline void lookup_fill(ox_VM *vm, uint32_t cls, Value name, uint32_t slot, bool is_method) {
  *lookup_entry(vm->cage, cls, (uint32_t)name) =
      (LookupEntry){cls, (uint32_t)name, slot, is_method};
}

/* Native.reserved: methods that the interpreter does itself in the plain case. */
enum { FAST_NONE, FAST_LIST_PUSH, FAST_MAP_GET, FAST_MAP_HAS, FAST_FIBER_NEXT };

/* ---- the loop (interp.c) ---- */
/* Runs from the saved state until EXIT. C recursion of the caller's making. */
void interp_run(ox_VM *vm);
/* The bytecode of the stub: EXIT, then RET 0 .. RET 255. */
enum { STUB_CODE = 257 };

/* ---- unwinding (unwind.c) ---- */
void vm_unwind(ox_VM *vm);

/* Fuel is at 0: refills it, and looks for interrupts. False: error pending. */
bool vm_refuel(ox_VM *vm);

#define SLOW_FUNCTIONS(X) \
  X(poll) X(global_absent) X(unset) X(newframe) X(getslot_wide) X(getup_wide) X(setslot_wide) \
  X(setup_wide) X(arith) X(unary) X(concat) X(len) X(compare) X(in) X(is) X(istype) X(jump) \
  X(getf) X(getm) X(setf) X(getidx) X(setidx) X(slice) X(range) \
  X(call) X(calln) X(callx) X(tailcall) X(invoke) X(tailinvoke) X(superget) X(ret) X(retnil) \
  X(native) X(native_invoke) X(map_invoke) X(push) X(fiber_next) \
  X(closure) X(fixcap) X(newlist) X(listpush) X(listext) X(newmap) X(newmapk) X(mapput) X(mapext) \
  X(class) X(field) X(method) X(classend) X(getopt) X(unpack) X(maprest) X(matchfail) \
  X(forprep) X(forloop) X(iter) X(fornext) \
  X(throw) X(rethrow) X(deferrun) X(yield) X(import) X(setmod)
#define X(name) bool slow_##name(ox_VM *vm, uint32_t ins);
SLOW_FUNCTIONS(X)
#undef X

#endif
