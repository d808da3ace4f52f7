/* interp.c - the loop: fetch, decode, run, again.
 *
 * The handlers of the instructions stand in the ops_*.h files, grouped by topic, written once:
 *     OPCODE(MOVE) { R[A] = R[B]; NEXT; }
 * and compiled in one of two forms, whichever the compiler does well (docs/architecture.md has the
 * measurements; runtime/mk/check_dispatch.sh looks at the result):
 *
 *   clang >= 19: each handler is a function that ends in a tail call of the next one (musttail).
 *   The calling convention preserve_none passes the whole machine in registers: pc r12, R r13,
 *   cage r14, P r15, two constants, the instruction (rdx, so that its byte A is dh) and the table
 *   of handlers.
 *
 *   gcc: one function, each handler a label, each NEXT a jump through the table. -fno-gcse
 *   does no more than it says: the jumps are as many without it (check-dispatch counts them).
 *
 * Rules for handlers, each with a measured reason:
 * - A conditional jump dispatches in each of its arms: FORK keeps the compiler from merging them.
 * One shared
 *   dispatch behind a branch takes the indirect predictor's context away (up to 40 %).
 * - Work that needs memory, throws or calls C is a slow function (interp.h), reached by SLOW(name),
 * never
 *   written inline: hot handlers must have no stack frame.
 * - Arithmetic tries doubles first: a tagged value is a NaN, NaN in gives NaN out, so `d == d` on
 * the
 *   result tests the types of both operands. */
#include "interp.h"

#include "../lang/opcode.h"
#include "map.h"

#if defined(__clang__) && __has_attribute(preserve_none) && __has_attribute(musttail)
#define TAIL_CALLS 1
#else
#define TAIL_CALLS 0
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define FORK __asm__ volatile("")

/* ---- operands ----
 * A is a byte of the register that holds `ins`; B would take three instructions from there, so it
 * is read from the code again, which gains 3 % (clang) and 6 % (gcc). Reading C so loses: GETIDX
 * gets 6 % slower. Hence no handler may use B once it has moved pc. */
#define A (uint8_t)(ins >> 8)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define B (((const uint8_t *)pc)[-2])
#else
#define B (uint8_t)(ins >> 16)
#endif
#define C (ins >> 24)
#define D (ins >> 16)
#define SIGNED_C (int8_t)(ins >> 24)
#define SIGNED_D (int16_t)(ins >> 16)
#define SIGNED_J ((int32_t)ins >> 8)
#define K(i) (P->consts[i])

/* ---- values, with the tag constants from registers ---- */
#define IS_INT(v) ((v) >= kmin)
#define BOTH_INT(a, b) (((a) & (b)) >= kmin)
#define INT(v) ((int64_t)((v) + kbias))
#define MAKE_INT(i) ((Value)(i) - kbias)
#define FITS_INT(i) (((uint64_t)(i) + kbias) >> 48 == 0)
#define IS(v, k) ((uint32_t)((v) >> 32) == (VALUE_REF_HIGH << 16) + KIND_##k)
#define PTR(v) (cage + ((uint64_t)(uint32_t)(v) << 3))
#define REF_PTR(w) (cage + ((uint64_t)(w) << 3))
#define WORD(p) ((uint64_t)((uint8_t *)(p) - cage) >> 3)

#if defined(__x86_64__)
/* Straight into a floating-point register; the compiler would go through a general one. */
static inline double load_double(const Value *p) {
  double d;
  __asm__("movsd %1, %0" : "=x"(d) : "m"(*p));
  return d;
}
#else
static inline double load_double(const Value *p) { return v_float(*p); }
#endif
static inline void store_double(Value *p, double d) { memcpy(p, &d, 8); }

/* Behind a plain call of a C function in a handler that has not moved pc: the registers that C does
 * not keep. Such functions must not allocate, throw or look at the saved state. */
#if TAIL_CALLS
#define AFTER_C() (ins = pc[-1], kmin = V_INT_MIN, kbias = V_INT_BIAS, table = handlers)
#else
#define AFTER_C() ((void)0)
#endif

/* ---- machine state ---- */
#define ST ((VmState *)(cage + GC_ROOT_OFF))
#define PC_NOW ((uint64_t)((const uint8_t *)pc - cage) >> 2)
#define SAVE() (ST->base = WORD(R), ST->pc = PC_NOW)
#define PROTO_OF(closure) ((Proto *)REF_PTR(((Header *)PTR(closure))->aux))
#define LOAD() \
  (R = (Value *)cage + ST->base, pc = (const uint32_t *)cage + ST->pc, P = PROTO_OF(R[-2]))
#define CODE_OF(proto) ((const uint32_t *)(proto) + (proto)->code)
#define CACHE(word) ((InlineCache *)(cage - GC_CACHE_OFF) + (P->caches + ((word) >> 16)))
#define STACK_ROOM(N, n) LIKELY((uint64_t)((uint8_t *)((N) + (n)) - cage) <= ST->stack_end)
/* Every call and every jump back counts fuel down; at 0 the slow function looks what is up, and the
 * instruction runs again. `ins` must be undone by nothing: no handler changes state before its
 * POLL. */
#define POLL() if (UNLIKELY((ST->fuel -= 1) == 0)) SLOW(poll)
#define PAGE_STATE(word) \
  (GC_HAS_BARRIER ? cage[(int64_t)((word) >> GC_WORD_PAGE_SHIFT) - (int64_t)GC_STATE_OFF] : 0)

#define HEADER(kind, layout, n, aux) \
  ((uint64_t)KIND_##kind | (uint64_t)(layout) << 8 | (uint64_t)(n) << 16 | (uint64_t)(aux) << 32)

static inline void put_header(void *block, uint64_t header) { memcpy(block, &header, 8); }

/* a == b where that is plain: 1 or 0; -1: ask slow_compare. */
static inline int equal_plain(uint8_t *cage, Value a, Value b) {
  if (v_is_float(a) && v_is_float(b)) return v_float(a) == v_float(b);
  if (IS(a, INSTANCE) || IS(a, FOREIGN)) return -1;
  if (a == b) return 1;
  if (v_is_int(a) && v_is_int(b)) return 0;
  if (a - V_NIL <= 3 || b - V_NIL <= 3) return 0;
  if (IS(a, STRING) && IS(b, STRING)) {
    String *s = (String *)PTR(a), *t = (String *)PTR(b);
    if (s->h.n & t->h.n & STRING_INTERNED || s->h.aux != t->h.aux) return 0;
  }
  return -1;
}

/* Below 0, 0 or above 0. */
static inline int flat_order(const String *s, const String *t) {
  uint32_t m = s->h.aux, n = t->h.aux;
  if (m == 1 && n == 1) return (uint8_t)s->chars[0] - (uint8_t)t->chars[0];
  int order = memcmp(s->chars, t->chars, m < n ? m : n);
  return order ? order : (m > n) - (m < n);
}

/* Whether the jump of this opcode is taken, by the order of its operands. */
static inline bool order_jumps(uint8_t op, int order) {
  switch (op) {
    case OP_JLT: case OP_JLTK: case OP_JNGE: case OP_JNGEK: return order < 0;
    case OP_JLE: case OP_JLEK: case OP_JNGT: case OP_JNGTK: return order <= 0;
    case OP_JGT: case OP_JGTK: case OP_JNLE: case OP_JNLEK: return order > 0;
    default: return order >= 0;
  }
}

static inline bool is_float_pair(Value a, Value b) {
  return v_is_float(a) && v_is_float(b);
}

/* Parts of handlers that are off the hot path, or shared. They are entered like handlers. */
#define HELPERS(X) \
  X(setslot_barrier) X(setup_barrier) X(getf_other) X(getf_lookup) X(setf_other) X(setf_lookup) \
  X(getidx_other) X(getidx_map) X(setidx_other) X(in_map) X(invoke_map) X(map_has) X(fornext_map) \
  X(len_other) X(call_other) X(tailcall_other) X(invoke_other) X(invoke_lookup) \
  X(tailinvoke_lookup) X(list_push) X(ret_mode) \
  X(order_other) X(orderk_other) X(jeq_other) X(jne_other) X(jeqk_other) X(jnek_other) \
  X(mixed_add) X(mixed_sub) X(mixed_mul) X(mixed_div) \
  X(mixed_addk) X(mixed_subk) X(mixed_mulk) X(mixed_divk) \
  X(mixed_kadd) X(mixed_ksub) X(mixed_kmul) X(mixed_kdiv)

#if TAIL_CALLS

#define HANDLER_ATTR __attribute__((preserve_none))
#define PARAMS \
  const uint32_t *pc, Value *R, uint8_t *cage, Proto *P, uint64_t kmin, uint64_t kbias, \
  uint32_t ins, const void *table
#define ARGS pc, R, cage, P, kmin, kbias, ins, table
typedef void HANDLER_ATTR Handler(PARAMS);

#define OPCODE(name) static HANDLER_ATTR void op_##name(PARAMS)
#define HELPER(name) static HANDLER_ATTR __attribute__((noinline)) void helper_##name(PARAMS)
#define TAIL(f) __attribute__((musttail)) return f(ARGS)
#define NEXT do { \
    ins = *pc++; \
    TAIL(((Handler *const *)table)[(uint8_t)ins]); \
  } while (0)
#define AGAIN TAIL(((Handler *const *)table)[(uint8_t)ins]) /* the same instruction */
#define GO(name) TAIL(helper_##name)
#define SLOW(name) TAIL(call_slow_##name)

#define OP(name, format, words, meaning) OPCODE(name);
#include "../lang/opcodes.def"
#undef OP
#define X(name) HELPER(name);
HELPERS(X)
#undef X

static Handler *const handlers[256] = {
#define OP(name, format, words, meaning) [OP_##name] = op_##name,
#include "../lang/opcodes.def"
#undef OP
};

#define X(name) \
  static HANDLER_ATTR __attribute__((noinline)) void call_slow_##name(PARAMS) { \
    SAVE(); \
    ox_VM *vm = vm_of(cage); \
    uint32_t mark = vm->nroots; \
    if (UNLIKELY(!slow_##name(vm, ins))) vm_unwind(vm); \
    vm->nroots = mark; \
    ST->extra = 0; \
    LOAD(); \
    kmin = V_INT_MIN, kbias = V_INT_BIAS, table = handlers; \
    NEXT; \
  }
SLOW_FUNCTIONS(X)
#undef X

#include "ops_load.h"
#include "ops_arith.h"
#include "ops_compare.h"
#include "ops_field.h"
#include "ops_call.h"
#include "ops_make.h"
#include "ops_loop.h"
#include "ops_misc.h"

OPCODE(EXIT) {
  (void)P, (void)kmin, (void)kbias, (void)ins, (void)table;
  SAVE();
}

static void run(ox_VM *vm) {
  uint8_t *cage = vm->cage;
  Value *R;
  const uint32_t *pc;
  Proto *P;
  LOAD();
  uint32_t ins = *pc++;
  handlers[(uint8_t)ins](pc, R, cage, P, V_INT_MIN, V_INT_BIAS, ins, handlers);
}

#else /* labels as values */

#define OPCODE(name) op_##name:
#define HELPER(name) helper_##name:
#define NEXT do { \
    ins = *pc++; \
    goto *handlers[(uint8_t)ins]; \
  } while (0)
#define AGAIN goto *handlers[(uint8_t)ins]
#define GO(name) goto helper_##name
#define SLOW(name) goto call_slow_##name

static __attribute__((noinline)) void run(ox_VM *vm) {
  static const void *const handlers[256] = {
#define OP(name, format, words, meaning) [OP_##name] = &&op_##name,
#include "../lang/opcodes.def"
#undef OP
  };
  const uint64_t kmin = V_INT_MIN, kbias = V_INT_BIAS;
  uint8_t *const cage = vm->cage;
  Value *R;
  const uint32_t *pc;
  Proto *P;
  uint32_t ins;
  LOAD();
  NEXT;

#include "ops_load.h"
#include "ops_arith.h"
#include "ops_compare.h"
#include "ops_field.h"
#include "ops_call.h"
#include "ops_make.h"
#include "ops_loop.h"
#include "ops_misc.h"

  OPCODE(EXIT) {
    SAVE();
    return;
  }

#define X(name) \
  call_slow_##name: { \
    SAVE(); \
    uint32_t mark = vm->nroots; \
    if (UNLIKELY(!slow_##name(vm, ins))) vm_unwind(vm); \
    vm->nroots = mark; \
    ST->extra = 0; \
    LOAD(); \
    NEXT; \
  }
  SLOW_FUNCTIONS(X)
#undef X
}

#endif

void interp_run(ox_VM *vm) {
  vm->c_depth++;
  run(vm);
  vm->c_depth--;
}
