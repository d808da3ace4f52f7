/* ops_load.h - handlers: loads, variables, scope frames. Included by interp.c only. */

OPCODE(MOVE) { R[A] = R[B]; NEXT; }
OPCODE(LOADK) { R[A] = K(D); NEXT; }
OPCODE(LOADI) { R[A] = MAKE_INT((int64_t)SIGNED_D); NEXT; }
OPCODE(LOADP) { R[A] = V_NIL + D; NEXT; }

OPCODE(GETCORE) {
  R[A] = ((Store *)PTR(ST->core))->items[D];
  NEXT;
}

OPCODE(GETGLOBAL) {
  List *globals = (List *)PTR(ST->globals);
  Value v = ((Store *)REF_PTR(globals->h.aux))->items[D];
  if (UNLIKELY(v == V_ABSENT)) SLOW(global_absent);
  R[A] = v;
  NEXT;
}

OPCODE(SETGLOBAL) {
  List *globals = (List *)PTR(ST->globals);
  gc_store(cage, globals->h.aux + 1 + D, R[A]);
  NEXT;
}

OPCODE(GETCAP) {
  R[A] = ((Closure *)PTR(R[-2]))->caps[B];
  NEXT;
}

OPCODE(NEWFRAME) {
  uint32_t slots = pc[0];
  if (UNLIKELY(slots - 1 >= GC_SMALL_WORDS - 1)) SLOW(newframe);
  Frame *f = (Frame *)gc_bump(cage, GC_SPACE_FRAME, gc_class_of_words[1 + slots]);
  if (UNLIKELY(f == NULL)) SLOW(newframe);
  uint32_t parent = C == FRAME_OWN ? ((Closure *)PTR(R[-2]))->frame.w : (uint32_t)R[C];
  put_header(f, HEADER(FRAME, LAYOUT_VALUES | LAYOUT_AUX_REF, slots, parent));
  Value *slot = f->slots;
  do {
    *slot++ = V_ABSENT;
    FORK; /* no vectors for one or two slots */
  } while (--slots > 0);
  R[A] = v_from_ref(KIND_FRAME, (Ref){(uint32_t)WORD(f)});
  pc++;
  NEXT;
}

OPCODE(GETSLOT) {
  R[A] = ((Frame *)PTR(R[B]))->slots[C];
  NEXT;
}

OPCODE(SETSLOT) {
  uint64_t word = (uint64_t)(uint32_t)R[B] + 1 + C;
  if (UNLIKELY(PAGE_STATE(word))) GO(setslot_barrier);
  ((Value *)cage)[word] = R[A];
  NEXT;
}

HELPER(setslot_barrier) {
  gc_store(cage, (uint64_t)(uint32_t)R[B] + 1 + C, R[A]);
  NEXT;
}

/* The frame B levels above the closure's, as a ref. */
#define FRAME_ABOVE(levels) ({ \
    uint32_t frame_ = ((Closure *)PTR(R[-2]))->frame.w; \
    for (unsigned n_ = (levels); n_ > 0; n_--) frame_ = ((Header *)REF_PTR(frame_))->aux; \
    frame_; \
  })

OPCODE(GETUP) {
  R[A] = ((Frame *)REF_PTR(FRAME_ABOVE(B)))->slots[C];
  NEXT;
}

OPCODE(GETUPC) {
  Value v = ((Frame *)REF_PTR(FRAME_ABOVE(B)))->slots[C];
  if (UNLIKELY(v == V_ABSENT)) SLOW(unset);
  R[A] = v;
  NEXT;
}

OPCODE(SETUP) {
  uint64_t word = (uint64_t)FRAME_ABOVE(B) + 1 + C;
  if (UNLIKELY(PAGE_STATE(word))) GO(setup_barrier);
  ((Value *)cage)[word] = R[A];
  NEXT;
}

OPCODE(SETUPC) {
  uint64_t word = (uint64_t)FRAME_ABOVE(B) + 1 + C;
  if (UNLIKELY(((Value *)cage)[word] == V_ABSENT)) SLOW(unset);
  if (UNLIKELY(PAGE_STATE(word))) GO(setup_barrier);
  ((Value *)cage)[word] = R[A];
  NEXT;
}

HELPER(setup_barrier) {
  gc_store(cage, (uint64_t)FRAME_ABOVE(B) + 1 + C, R[A]);
  NEXT;
}

OPCODE(GETSLOTW) { SLOW(getslot_wide); }
OPCODE(SETSLOTW) { SLOW(setslot_wide); }
OPCODE(GETUPW) { SLOW(getup_wide); }
OPCODE(SETUPW) { SLOW(setup_wide); }
