/* ops_field.h - handlers: fields and indexes. Included by interp.c only. W of a cached instruction:
 * constant | cache << 16. Caches are hints: an instance's class must agree, a map's entry must hold
 * the very key. */

OPCODE(GETF) {
  Value v = R[B];
  if (LIKELY(IS(v, INSTANCE))) {
    Instance *o = (Instance *)PTR(v);
    InlineCache *cache = CACHE(pc[0]);
    if (LIKELY(cache->cls == o->h.aux)) {
      R[A] = o->fields[cache->slot];
      pc++;
      NEXT;
    }
    GO(getf_lookup);
  }
  GO(getf_other);
}

/* The inline cache is for another class: what does the shared table know? */
#define FILL_FROM_TABLE(class_ref, method, slow) do { \
    uint32_t cls_ = (class_ref), name_ = (uint32_t)K((uint16_t)pc[0]); \
    LookupEntry *e_ = lookup_entry(cage, cls_, name_); \
    if (UNLIKELY(e_->cls != cls_ || e_->name != name_ || e_->is_method != (method))) SLOW(slow); \
    *CACHE(pc[0]) = (InlineCache){cls_, e_->slot}; \
    AGAIN; \
  } while (0)

HELPER(getf_lookup) {
  FILL_FROM_TABLE(((Header *)PTR(R[B]))->aux, false, getf);
}

HELPER(setf_lookup) {
  FILL_FROM_TABLE(((Header *)PTR(R[A]))->aux, false, setf);
}

/* Entry e of a map: its key, behind it its value. */
#define MAP_ENTRY(m, e) ((Value *)REF_PTR((m)->h.aux + 1 + 2 * (uint64_t)(uint32_t)(e)))

HELPER(getf_other) {
  Value v = R[B];
  InlineCache *cache = CACHE(pc[0]);
  if (IS(v, MAP)) {
    Map *m = (Map *)PTR(v);
    Value *entry = MAP_ENTRY(m, cache->slot);
    if (LIKELY(cache->slot < m->used && entry[0] == K((uint16_t)pc[0]))) {
      R[A] = entry[1];
      pc++;
      NEXT;
    }
  } else if (IS(v, MODULE) && cache->cls == (uint32_t)v) {
    Module *m = (Module *)PTR(v);
    Value member = ((Frame *)PTR(m->frame))->slots[cache->slot];
    if (LIKELY(member != V_ABSENT)) {
      R[A] = member;
      pc++;
      NEXT;
    }
  }
  SLOW(getf);
}

OPCODE(GETFQ) { GO(getf_other); }
OPCODE(GETM) { SLOW(getm); }

OPCODE(SETF) {
  Value v = R[A];
  if (LIKELY(IS(v, INSTANCE))) {
    Instance *o = (Instance *)PTR(v);
    InlineCache *cache = CACHE(pc[0]);
    uint64_t word = (uint64_t)(uint32_t)v + 1 + cache->slot;
    if (UNLIKELY(cache->cls != o->h.aux)) GO(setf_lookup);
    if (UNLIKELY(PAGE_STATE(word))) SLOW(setf);
    ((Value *)cage)[word] = R[B];
    pc++;
    NEXT;
  }
  GO(setf_other);
}

HELPER(setf_other) {
  Value v = R[A];
  if (IS(v, MAP)) {
    Map *m = (Map *)PTR(v);
    uint32_t slot = CACHE(pc[0])->slot;
    uint64_t word = (uint64_t)m->h.aux + 1 + 2 * (uint64_t)slot;
    if (LIKELY(slot < m->used && ((Value *)cage)[word] == K((uint16_t)pc[0]) &&
               !PAGE_STATE(word + 1))) {
      ((Value *)cage)[word + 1] = R[B];
      pc++;
      NEXT;
    }
  }
  SLOW(setf);
}

OPCODE(GETIDX) {
  Value v = R[B];
  if (LIKELY(IS(v, LIST))) {
    List *list = (List *)PTR(v);
    uint64_t i = R[C] + kbias; /* an index, or huge */
    if (LIKELY(i < list->len)) {
      R[A] = ((Store *)REF_PTR(list->h.aux))->items[i];
      NEXT;
    }
    SLOW(getidx);
  }
  GO(getidx_other);
}

HELPER(getidx_other) {
  Value v = R[B];
  if (IS(v, MAP)) GO(getidx_map);
  if (IS(v, STRING)) {
    String *s = (String *)PTR(v);
    uint64_t i = R[C] + kbias;
    if (LIKELY(i < s->h.aux)) {
      R[A] = ST->bytes1[(uint8_t)s->chars[i]];
      NEXT;
    }
  } else if (IS(v, ROPE) && ((Rope *)PTR(v))->right.w == 0) { /* flattened */
    String *s = (String *)REF_PTR(((Rope *)PTR(v))->left.w);
    uint64_t i = R[C] + kbias;
    if (LIKELY(i < s->h.aux)) {
      R[A] = ST->bytes1[(uint8_t)s->chars[i]];
      NEXT;
    }
  }
  SLOW(getidx);
}

/* Lookups of ints and short strings are plain calls, without saving and loading the machine. */
HELPER(getidx_map) {
  Map *m = (Map *)PTR(R[B]);
  int32_t e = map_find_quick(vm_of(cage), m, R[C]);
  AFTER_C();
  if (UNLIKELY(e < 0)) SLOW(getidx);
  R[A] = MAP_ENTRY(m, e)[1];
  NEXT;
}

OPCODE(GETIDXI) {
  Value v = R[B];
  if (LIKELY(IS(v, LIST))) {
    List *list = (List *)PTR(v);
    if (LIKELY(C < list->len)) {
      R[A] = ((Store *)REF_PTR(list->h.aux))->items[C];
      NEXT;
    }
  }
  SLOW(getidx);
}

OPCODE(GETIDXQ) { SLOW(getidx); }

OPCODE(SETIDX) {
  Value v = R[A];
  if (LIKELY(IS(v, LIST))) {
    List *list = (List *)PTR(v);
    uint64_t i = R[B] + kbias;
    if (LIKELY(i < list->len)) {
      uint64_t word = (uint64_t)list->h.aux + 1 + i;
      if (LIKELY(!PAGE_STATE(word))) {
        ((Value *)cage)[word] = R[C];
        NEXT;
      }
    }
    SLOW(setidx);
  }
  GO(setidx_other);
}

HELPER(setidx_other) {
  Value v = R[A];
  if (!IS(v, MAP)) SLOW(setidx);
  bool done = map_set_quick(vm_of(cage), (Map *)PTR(v), R[B], R[C]);
  AFTER_C();
  if (UNLIKELY(!done)) SLOW(setidx);
  NEXT;
}

OPCODE(SLICE) { SLOW(slice); }
OPCODE(SLICEI) { SLOW(slice); }
OPCODE(RANGE) { SLOW(range); }
OPCODE(RANGEI) { SLOW(range); }
