/* ops_loop.h - handlers: for loops. Included by interp.c only.
 *
 * FORPREP leaves R[A] = the counter and R[A+1] = the first int that is too much, both inline; loops
 * over ints that do not fit keep R[A+1] = 0.0, which FORLOOP takes for the end, where slow_forloop
 * knows better. ITER leaves R[A] = container, R[A+1] = position (a small raw number), R[A+2] = a
 * map's version. */

OPCODE(FORPREP) {
  Value from = R[A], to = R[A + 1];
  if (B) to++;
  if (UNLIKELY(!BOTH_INT(from, to))) SLOW(forprep);
  R[A + 1] = to;
  R[A + 2] = from;
  FORWARD_IF(from >= to);
}

OPCODE(FORLOOP) {
  Value next = R[A] + 1, end = R[A + 1];
  if (LIKELY(next < end)) {
    POLL();
    R[A] = next;
    R[A + 2] = next;
    pc += 1 + (int32_t)pc[0];
    FORK;
    NEXT;
  }
  if (UNLIKELY(!IS_INT(end))) SLOW(forloop);
  pc++;
  FORK;
  NEXT;
}

OPCODE(ITER) { SLOW(iter); }

OPCODE(FORNEXT) {
  Value v = R[A];
  if (LIKELY(IS(v, LIST) && B == 1)) {
    List *list = (List *)PTR(v);
    uint64_t i = R[A + 1];
    if (LIKELY(i < list->len)) {
      POLL();
      R[A + 3] = ((Store *)REF_PTR(list->h.aux))->items[i];
      R[A + 1] = i + 1;
      pc += 1 + (int32_t)pc[0];
      FORK;
      NEXT;
    }
    pc++;
    FORK;
    NEXT;
  }
  if (IS(v, MAP)) GO(fornext_map);
  SLOW(fornext);
}

/* Keys, or keys and values, of a map that has not gained or lost keys meanwhile. */
HELPER(fornext_map) {
  Map *m = (Map *)PTR(R[A]);
  uint64_t i = R[A + 1], n = m->used;
  if (UNLIKELY(m->version != (uint32_t)R[A + 2])) SLOW(fornext);
  const Value *entry = MAP_ENTRY(m, i);
  if (i == 0 && n && entry[0] == V_ABSENT) i = map_gone(entry, n), entry += 2 * i;
  while (i < n && entry[0] == V_ABSENT) i++, entry += 2;
  if (UNLIKELY(i >= n)) { /* above it only in code that no compiler made */
    pc++;
    NEXT;
  }
  POLL();
  R[A + 1] = i + 1;
  R[A + 3] = entry[0];
  if (B == 2) R[A + 4] = entry[1];
  pc += 1 + (int32_t)pc[0];
  NEXT;
}
