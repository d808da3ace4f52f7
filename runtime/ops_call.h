/* ops_call.h - handlers: calls and returns. Included by interp.c only. The arguments already lie
 * where the callee's registers will be, so a call is: check, write the link, move R. Everything but
 * a plain function with the right number of arguments is call.c's. */

#define LINK_HERE(pc_after, delta, dest) \
  (((uint64_t)((const uint8_t *)(pc_after) - cage) >> 2) | \
   (uint64_t)((delta) | (uint32_t)(dest) << 16) << 32)

/* Runs closure f, which lies below its arguments at N, if `count` is its arity and the stack has
 * room. */
#define ENTER(f, count, N, pc_after, delta, slow) do { \
    Proto *callee_ = PROTO_OF(f); \
    if (UNLIKELY(callee_->arity != (count))) SLOW(slow); \
    if (!STACK_ROOM(N, callee_->nregs)) SLOW(slow); \
    POLL(); \
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
  GO(call_other);
}

/* R[A] is a class: makes an instance, if it has no computed defaults, and its init takes exactly
 * these arguments. class.c has the layout. */
#define CONSTRUCT(pc_after, dest, slow) do { \
    Class *c = (Class *)PTR(R[A]); \
    if (UNLIKELY(c->flags != CLASS_SEALED || c->init_fields != V_NIL)) SLOW(slow); \
    if (UNLIKELY(!IS(c->init, CLOSURE) || c->nfields >= GC_SMALL_WORDS)) SLOW(slow); \
    Proto *callee = PROTO_OF(c->init); \
    Value *N = R + A + 3; \
    if (UNLIKELY(callee->arity != B + 1)) SLOW(slow); \
    if (!STACK_ROOM(N, callee->nregs)) SLOW(slow); \
    POLL(); \
    uint32_t n = c->nfields; \
    Instance *o = (Instance *)gc_bump(cage, GC_SPACE_OBJECT, gc_class_of_words[1 + n]); \
    if (UNLIKELY(o == NULL)) { \
      ST->fuel++; /* the slow way polls for itself */ \
      SLOW(slow); \
    } \
    put_header(o, HEADER(INSTANCE, LAYOUT_VALUES | LAYOUT_AUX_REF, n, (uint32_t)R[A])); \
    const Value *defaults = ((Store *)REF_PTR(((List *)PTR(c->defaults))->h.aux))->items; \
    for (uint32_t i = 0; i < n; i++) { \
      o->fields[i] = defaults[i]; \
      FORK; \
    } \
    for (int i = B; i > 0; i--) { \
      N[i] = N[i - 2]; \
      FORK; \
    } \
    R[A] = N[0] = v_from_ref(KIND_INSTANCE, (Ref){(uint32_t)WORD(o)}); \
    N[-2] = c->init; \
    N[-1] = LINK_HERE(pc_after, A + 3, (dest) | RET_INIT << 8); \
    R = N; \
    P = callee; \
    pc = CODE_OF(callee); \
    NEXT; \
  } while (0)

HELPER(call_other) {
  Value f = R[A];
  if (LIKELY(IS(f, NATIVE))) SLOW(native);
  if (IS(f, CLASS)) CONSTRUCT(pc, C, call);
  SLOW(call);
}

OPCODE(CALLN) { SLOW(calln); }
OPCODE(CALLX) { SLOW(callx); }

OPCODE(INVOKE) {
  Value self = R[A + 2];
  if (LIKELY(IS(self, INSTANCE))) {
    InlineCache *cache = CACHE(pc[0]);
    if (UNLIKELY(cache->cls != ((Header *)PTR(self))->aux)) GO(invoke_lookup);
    Value f = v_from_ref(KIND_CLOSURE, (Ref){cache->slot});
    Value *N = R + A + 2;
    N[-2] = f; /* R[A] is scratch, also if this goes the slow way */
    ENTER(f, B + 1, N, pc + 1, A + 2, invoke);
    NEXT;
  }
  GO(invoke_other);
}

HELPER(invoke_lookup) {
  FILL_FROM_TABLE(((Header *)PTR(R[A + 2]))->aux, true, invoke);
}

HELPER(tailinvoke_lookup) {
  FILL_FROM_TABLE(((Header *)PTR(R[A + 2]))->aux, true, tailinvoke);
}

/* Builtin methods: the cache holds the builtin class and a Native. A map's own keys come first. */
HELPER(invoke_other) {
  Value self = R[A + 2];
  if (LIKELY(v_is_ref(self))) {
    InlineCache *cache = CACHE(pc[0]);
    if (LIKELY(cache->cls == (uint32_t)ST->kind_class[v_kind(self)] && cache->cls != 0)) {
      if (IS(self, MAP)) GO(invoke_map);
      R[A] = v_from_ref(KIND_NATIVE, (Ref){cache->slot});
      unsigned fast = ((Native *)REF_PTR(cache->slot))->reserved;
      if (fast == FAST_LIST_PUSH) GO(list_push);
      if (fast == FAST_FIBER_NEXT && B == 0) SLOW(fiber_next);
      SLOW(native_invoke);
    }
  }
  SLOW(invoke);
}

/* get and has of a map without a call of the native. */
HELPER(invoke_map) {
  unsigned which = ((Native *)REF_PTR(CACHE(pc[0])->slot))->reserved;
  if (which == FAST_MAP_HAS && B == 1) GO(map_has);
  if (which != FAST_MAP_GET || B - 1u > 1) SLOW(map_invoke);
  ox_VM *vm = vm_of(cage);
  Map *m = (Map *)PTR(R[A + 2]);
  Value key = R[A + 3];
  int32_t own = map_find_quick(vm, m, K((uint16_t)pc[0]));
  int32_t e = map_find_quick(vm, m, key);
  AFTER_C();
  if (UNLIKELY(own != MAP_NO_KEY || e == MAP_ASK)) SLOW(map_invoke);
  R[C] = e >= 0 ? MAP_ENTRY(m, e)[1] : B == 2 ? R[A + 4] : V_NIL;
  pc++;
  NEXT;
}

HELPER(map_has) {
  ox_VM *vm = vm_of(cage);
  Map *m = (Map *)PTR(R[A + 2]);
  Value key = R[A + 3];
  int32_t own = map_find_quick(vm, m, K((uint16_t)pc[0]));
  int32_t e = map_find_quick(vm, m, key);
  AFTER_C();
  if (UNLIKELY(own != MAP_NO_KEY || e == MAP_ASK)) SLOW(map_invoke);
  R[C] = V_FALSE + (e >= 0);
  pc++;
  NEXT;
}

HELPER(list_push) {
  List *list = (List *)PTR(R[A + 2]);
  uint64_t n = list->len;
  if (LIKELY(B == 1 && list->h.aux != 0 && n < ((Header *)REF_PTR(list->h.aux))->aux)) {
    uint64_t word = (uint64_t)list->h.aux + 1 + n, len = WORD(&list->len);
    if (LIKELY(!PAGE_STATE(word) && !PAGE_STATE(len))) {
      ((Value *)cage)[word] = R[A + 3];
      list->len = n + 1;
      R[C] = V_NIL;
      pc++;
      NEXT;
    }
  }
  SLOW(native_invoke);
}

OPCODE(PUSH) {
  Value v = R[B];
  if (UNLIKELY(!IS(v, LIST))) SLOW(push);
  List *list = (List *)PTR(v);
  uint64_t n = list->len, word = (uint64_t)list->h.aux + 1 + n, len = WORD(&list->len);
  /* Without a store its ref is 0, which is not to be read. */
  if (UNLIKELY(list->h.aux == 0 || n >= ((Header *)REF_PTR(list->h.aux))->aux)) SLOW(push);
  if (UNLIKELY(PAGE_STATE(word) | PAGE_STATE(len))) SLOW(push);
  ((Value *)cage)[word] = R[C];
  list->len = n + 1;
  pc++;
  NEXT;
}

/* The callee takes the caller's place: its arguments move down to R. */
OPCODE(TAILCALL) {
  Value f = R[A];
  if (UNLIKELY(!IS(f, CLOSURE))) GO(tailcall_other);
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

/* A class is called as usual; its result in R[A] is then returned by the stub's code. */
HELPER(tailcall_other) {
  if (IS(R[A], CLASS)) CONSTRUCT(CODE_OF(PROTO_OF(ST->stub)) + 1 + A, A, tailcall);
  SLOW(tailcall);
}

OPCODE(TAILINVOKE) {
  Value self = R[A + 2];
  if (UNLIKELY(!IS(self, INSTANCE))) SLOW(tailinvoke);
  InlineCache *cache = CACHE(pc[0]);
  if (UNLIKELY(cache->cls != ((Header *)PTR(self))->aux)) GO(tailinvoke_lookup);
  Value f = v_from_ref(KIND_CLOSURE, (Ref){cache->slot});
  Proto *callee = PROTO_OF(f);
  if (UNLIKELY(callee->arity != B + 1)) SLOW(tailinvoke);
  if (!STACK_ROOM(R, callee->nregs)) SLOW(tailinvoke);
  POLL();
  Value *from = R + A + 2;
  for (unsigned i = 0, n = B; i <= n; i++) {
    R[i] = from[i];
    FORK;
  }
  R[-2] = f;
  P = callee;
  pc = CODE_OF(callee);
  NEXT;
}

OPCODE(SUPERGET) { SLOW(superget); }

OPCODE(RET) {
  Value v = R[A];
  uint64_t link = R[-1];
  uint64_t dest = link >> 48; /* with the mode above it */
  if (UNLIKELY(dest > 0xFF)) GO(ret_mode);
  R -= (uint16_t)(link >> 32);
  pc = (const uint32_t *)cage + (uint32_t)link;
  P = PROTO_OF(R[-2]);
  R[dest] = v;
  NEXT;
}

OPCODE(RETNIL) {
  uint64_t link = R[-1];
  uint64_t dest = link >> 48;
  if (UNLIKELY(dest > 0xFF)) GO(ret_mode);
  R -= (uint16_t)(link >> 32);
  pc = (const uint32_t *)cage + (uint32_t)link;
  P = PROTO_OF(R[-2]);
  R[dest] = V_NIL;
  NEXT;
}

HELPER(ret_mode) {
  uint64_t link = R[-1];
  if (link >> 56 == RET_INIT) {
    Value made = R[-3];
    R -= (uint16_t)(link >> 32);
    pc = (const uint32_t *)cage + (uint32_t)link;
    P = PROTO_OF(R[-2]);
    R[(uint8_t)(link >> 48)] = made;
    NEXT;
  }
  if ((uint8_t)ins == OP_RETNIL) SLOW(retnil);
  SLOW(ret);
}
