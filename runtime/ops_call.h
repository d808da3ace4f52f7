/* ops_call.h - handlers: calls and returns. Included by interp.c only.
 * The arguments already lie where the callee's registers will be, so a call is: check, write the link,
 * move R. Everything but a plain function with the right number of arguments is call.c's. */

#define LINK_HERE(pc_after, delta, dest) \
  (((uint64_t)((const uint8_t *)(pc_after) - cage) >> 2) | \
   (uint64_t)((delta) | (uint32_t)(dest) << 16) << 32)

/* Runs closure f, its arguments at N, if `count` is its arity and the stack has room. */
#define ENTER(f, count, N, pc_after, delta, slow) do { \
    Proto *callee_ = PROTO_OF(f); \
    if (UNLIKELY(callee_->arity != (count))) SLOW(slow); \
    if (!STACK_ROOM(N, callee_->nregs)) SLOW(slow); \
    POLL(); \
    (N)[-2] = (f); \
    (N)[-1] = LINK_HERE(pc_after, delta, C); \
    R = (N); \
    P = callee_; \
    pc = CODE_OF(callee_); \
  } while (0)

OPCODE(CALL) {
  Value f = R[A];
  if (LIKELY(IS(f, CLOSURE))) {
    Value *N = R + A + 2;
    ENTER(f, B, N, pc, A + 2, call);
    NEXT;
  }
  if (LIKELY(IS(f, NATIVE))) SLOW(native);
  SLOW(call);
}

OPCODE(CALLN) { SLOW(calln); }
OPCODE(CALLX) { SLOW(callx); }

OPCODE(INVOKE) {
  Value self = R[A + 2];
  if (LIKELY(IS(self, INSTANCE))) {
    InlineCache *cache = CACHE(pc[0]);
    if (UNLIKELY(cache->cls != ((Header *)PTR(self))->aux)) SLOW(invoke);
    Value f = v_from_ref(KIND_CLOSURE, (Ref){cache->slot});
    Value *N = R + A + 2;
    ENTER(f, B + 1, N, pc + 1, A + 2, invoke);
    NEXT;
  }
  GO(invoke_other);
}

/* Builtin methods: the cache holds the builtin class and a Native. A map's own keys come first, so
 * maps always go the slow way. */
HELPER(invoke_other) {
  Value self = R[A + 2];
  if (LIKELY(v_is_ref(self) && !IS(self, MAP))) {
    InlineCache *cache = CACHE(pc[0]);
    if (LIKELY(cache->cls == (uint32_t)ST->kind_class[v_kind(self)] && cache->cls != 0)) {
      R[A] = v_from_ref(KIND_NATIVE, (Ref){cache->slot});
      SLOW(native_invoke);
    }
  }
  SLOW(invoke);
}

/* The callee takes the caller's place: its arguments move down to R. */
OPCODE(TAILCALL) {
  Value f = R[A];
  if (UNLIKELY(!IS(f, CLOSURE))) SLOW(tailcall);
  Proto *callee = PROTO_OF(f);
  if (UNLIKELY(callee->arity != B)) SLOW(tailcall);
  if (!STACK_ROOM(R, callee->nregs)) SLOW(tailcall);
  POLL();
  Value *from = R + A + 2;
  for (unsigned i = 0, n = B; i < n; i++) {
    R[i] = from[i];
    FORK;
  }
  R[-2] = f;
  P = callee;
  pc = CODE_OF(callee);
  NEXT;
}

OPCODE(TAILINVOKE) { SLOW(tailinvoke); }
OPCODE(SUPERGET) { SLOW(superget); }

OPCODE(RET) {
  Value v = R[A];
  uint64_t link = R[-1];
  uint64_t dest = link >> 48; /* with the mode above it */
  if (UNLIKELY(dest > 0xFF)) SLOW(ret);
  R -= (uint16_t)(link >> 32);
  pc = (const uint32_t *)cage + (uint32_t)link;
  P = PROTO_OF(R[-2]);
  R[dest] = v;
  NEXT;
}

OPCODE(RETNIL) {
  uint64_t link = R[-1];
  uint64_t dest = link >> 48;
  if (UNLIKELY(dest > 0xFF)) SLOW(retnil);
  R -= (uint16_t)(link >> 32);
  pc = (const uint32_t *)cage + (uint32_t)link;
  P = PROTO_OF(R[-2]);
  R[dest] = V_NIL;
  NEXT;
}
