/* iterate.h - going over any iterable from C: lists, ranges, maps (keys), sets, fibers, and
 * whatever an `iter` method gives. */
#ifndef OX_RUNTIME_LIB_ITERATE_H
#define OX_RUNTIME_LIB_ITERATE_H

#include "../native.h"

typedef struct Iter {
  ox_VM *vm;
  Value over;       /* what is iterated: reachable through the temporary roots */
  uint64_t i;       /* list: index; range: how many are left; map, set: entry */
  int64_t next;     /* range */
  uint32_t version; /* map, set */
} Iter;

/* False: error pending; `what` names the argument. */
bool iter_open(Iter *it, ox_VM *vm, Value iterable, const char *what);
/* 1: *out is the next element (rooted if it was made just now); 0: the end; -1: error pending. */
int iter_next(Iter *it, Value *out);
/* How many elements are sure to come, as far as that is known; else 0. */
uint64_t iter_count(Iter *it);

#endif
