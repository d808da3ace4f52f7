/* image_owners.h - whom the blocks of a heap belong to that nobody vouches for. */
#ifndef OX_RUNTIME_IMAGE_OWNERS_H
#define OX_RUNTIME_IMAGE_OWNERS_H

#include "vm.h"

/* A bit for each word of the heap at which a block begins that belongs to the interpreter or to one
 * object. */
typedef struct Owners {
  ox_VM *vm;
  uint64_t *bits, words;
  uint64_t keyed, tables; /* keyed tables, and weak maps that have one */
  const char *wrong;
  uint64_t where;
} Owners;

/* Proves that storage and what the interpreter keeps for itself has one owner, and that nothing
 * else refers to it. Objects have been checked one by one before. NULL, or what is wrong. */
const char *owners_check(ox_VM *vm, Owners *o, uint64_t *where);
void owners_free(Owners *o);

/* A value that may lie where programs see it. */
bool owners_show(const Owners *o, Value v);

#endif
