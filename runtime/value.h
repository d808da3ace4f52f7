/* value.h - NaN-boxed values: tests, conversions, and nothing that needs the heap's objects.
 * gc/layout.h has the encoding; runtime/kinds.def the kinds. */
#ifndef OX_RUNTIME_VALUE_H
#define OX_RUNTIME_VALUE_H

#include <string.h>
#include "../gc/heap.h"

typedef enum Kind {
#define KIND(e, name, type, what) KIND_##e,
#include "kinds.def"
#undef KIND
  KIND_COUNT
} Kind;

#define V_NIL 0xFFF9000000000000ull
#define V_FALSE (V_NIL + 1)
#define V_TRUE (V_NIL + 2)
#define V_ABSENT (V_NIL + 3) /* never seen by programs: unset argument, hole in a map, error pending */
#define V_ERROR V_ABSENT     /* what a C function returns when an error is pending */
#define V_REF_BASE 0xFFFA000000000000ull
#define V_INT_MIN 0xFFFF000000000000ull /* the smallest word that is an inline int */
#define V_INT_BIAS ((uint64_t)1 << 47)
#define INLINE_INT_MAX ((int64_t)V_INT_BIAS - 1)
#define INLINE_INT_MIN (-(int64_t)V_INT_BIAS)

static inline bool v_is_int(Value v) { return v >= V_INT_MIN; } /* inline ints only: see num_is_int */
static inline int64_t v_int(Value v) { return (int64_t)(v + V_INT_BIAS); }
static inline Value v_from_int(int64_t i) { return (Value)i - V_INT_BIAS; } /* i must fit 48 bits */
static inline bool v_int_fits(int64_t i) { return i >= INLINE_INT_MIN && i <= INLINE_INT_MAX; }
/* Inline int >= 0: its number; anything else: huge. `v_index(v) < len` tests type and bounds. */
static inline uint64_t v_index(Value v) { return v + V_INT_BIAS; }

static inline bool v_is_float(Value v) { return v <= 0xFFF8000000000000ull; }
static inline double v_float(Value v) { double d; memcpy(&d, &v, 8); return d; }
static inline Value v_from_float(double d) { /* makes NaN canonical */
  Value v;
  memcpy(&v, &d, 8);
  return d == d ? v : 0x7FF8000000000000ull;
}

static inline bool v_is_falsy(Value v) { return v - V_NIL <= 1; }
static inline bool v_is_bool(Value v) { return v - V_FALSE <= 1; }
static inline Value v_from_bool(bool b) { return V_FALSE + b; }

static inline bool v_is_ref(Value v) { return v >> 48 == VALUE_REF_HIGH; }
static inline bool v_is(Value v, Kind k) {
  return (uint32_t)(v >> 32) == (uint32_t)(V_REF_BASE >> 32) + (uint32_t)k;
}
static inline Kind v_kind(Value v) { return (Kind)(v >> 32 & 0xFF); } /* only if v_is_ref */
static inline Ref v_ref(Value v) { return (Ref){(uint32_t)v}; }
static inline void *v_ptr(uint8_t *base, Value v) { return base + ((uint64_t)(uint32_t)v << 3); }
static inline Value v_from_ref(Kind k, Ref r) { return V_REF_BASE | (uint64_t)k << 32 | r.w; }
static inline Value v_from_ptr(uint8_t *base, Kind k, const void *p) {
  return v_from_ref(k, gc_ref(base, p));
}
static inline bool v_is_string(Value v) { return v_is(v, KIND_STRING) || v_is(v, KIND_ROPE); }

#endif
