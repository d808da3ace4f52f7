/* ops_make.h - handlers: closures, lists, maps, classes, patterns. Included by interp.c only. */

/* A fresh block's words need no barrier. */
OPCODE(CLOSURE) {
  uint32_t word = pc[0], n = word >> 8, from = word & 0xFF;
  if (UNLIKELY(n > GC_SMALL_WORDS - 2)) SLOW(closure);
  Closure *f = (Closure *)gc_bump(cage, GC_SPACE_OBJECT, gc_class_of_words[2 + n]);
  if (UNLIKELY(f == NULL)) SLOW(closure);
  uint32_t proto = (uint32_t)((Store *)PTR(P->children))->items[D];
  put_header(f, HEADER(CLOSURE, LAYOUT_VALUES | LAYOUT_AUX_REF | LAYOUT_PAIRS(1), n, proto));
  Closure *running = (Closure *)PTR(R[-2]);
  f->frame.w = from == FRAME_OWN ? running->frame.w : from == FRAME_NONE ? 0 : (uint32_t)R[from];
  f->reserved.w = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t capture = pc[1 + i];
    f->caps[i] = capture < CAPTURE_OWN ? R[capture] : running->caps[capture - CAPTURE_OWN];
    FORK;
  }
  R[A] = v_from_ref(KIND_CLOSURE, (Ref){(uint32_t)WORD(f)});
  pc += 1 + n;
  NEXT;
}

/* Checked for code that no compiler made. */
OPCODE(FIXCAP) {
  if (UNLIKELY(!IS(R[A], CLOSURE) || B >= ((Header *)PTR(R[A]))->n)) SLOW(fixcap);
  gc_store(cage, (uint64_t)(uint32_t)R[A] + 2 + B, R[C]);
  NEXT;
}

/* A list and its store, with as much room as the slot has. */
OPCODE(NEWLIST) {
  uint32_t n = C;
  if (UNLIKELY(n >= GC_SMALL_WORDS)) SLOW(newlist);
  List *list = (List *)gc_bump(cage, GC_SPACE_OBJECT, gc_class_of_words[2]);
  if (UNLIKELY(list == NULL)) SLOW(newlist);
  put_header(list, HEADER(LIST, LAYOUT_VALUES | LAYOUT_AUX_REF, 0, 0));
  list->len = 0;
  if (n > 0) {
    uint32_t cls = gc_class_of_words[1 + n];
    Store *store = (Store *)gc_bump(cage, GC_SPACE_OBJECT, cls);
    if (UNLIKELY(store == NULL)) SLOW(newlist);
    uint32_t cap = gc_class_words[cls] - 1u;
    put_header(store, HEADER(STORE, LAYOUT_WIDE, 0, cap));
    for (uint32_t i = 0; i < cap; i++) {
      store->items[i] = i < n ? R[B + i] : V_NIL;
      FORK;
    }
    list->h.aux = (uint32_t)WORD(store);
    list->len = n;
  }
  R[A] = v_from_ref(KIND_LIST, (Ref){(uint32_t)WORD(list)});
  NEXT;
}
OPCODE(LISTPUSH) { SLOW(listpush); }
OPCODE(LISTEXT) { SLOW(listext); }
OPCODE(NEWMAP) { SLOW(newmap); }
OPCODE(NEWMAPK) { SLOW(newmapk); }
OPCODE(MAPPUT) { SLOW(mapput); }
OPCODE(MAPEXT) { SLOW(mapext); }
OPCODE(CLASS) { SLOW(class); }
OPCODE(FIELD) { SLOW(field); }
OPCODE(METHOD) { SLOW(method); }
OPCODE(CLASSEND) { SLOW(classend); }

OPCODE(TESTLIST) {
  Value v = R[A];
  FORWARD_IF(!(IS(v, LIST) && (C ? ((List *)PTR(v))->len >= B : ((List *)PTR(v))->len == B)));
}

OPCODE(TESTMAP) {
  Value v = R[A];
  FORWARD_IF(!(IS(v, MAP) || IS(v, INSTANCE)));
}

OPCODE(GETOPT) { SLOW(getopt); }
OPCODE(UNPACK) { SLOW(unpack); }
OPCODE(MAPREST) { SLOW(maprest); }
OPCODE(MATCHFAIL) { SLOW(matchfail); }
