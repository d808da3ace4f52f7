/* image_types.h - whether the registers of code that no compiler vouches for hold what its
 * instructions take for granted. */
#ifndef OX_RUNTIME_IMAGE_TYPES_H
#define OX_RUNTIME_IMAGE_TYPES_H

#include "interp.h"

/* What a function asks of the closure it runs in: how many captured values; slots[i] slots of the
 * frame i levels above the closure's own. */
typedef struct CodeNeeds {
  uint32_t captures, levels;
  uint32_t *slots; /* from malloc */
} CodeNeeds;

/* A saved frame: it goes on at word `pc` of its function's code as the mode of a link says. */
typedef struct Place {
  uint32_t proto, pc;
  uint64_t regs;      /* word of its R[0] */
  uint16_t clobbered; /* registers from here on lie in the frame above */
  uint8_t mode, dest;
} Place;
/* No result is awaited, but an error may be thrown: what fiber_step_throwing does. */
enum { PLACE_THROWS = RET_C + 1 };

/* What values may be where programs see them is the caller's to say. */
typedef struct TypesAsk {
  const CodeNeeds *(*needs)(void *ctx, uint32_t proto); /* of a child; NULL: not known */
  bool (*is_visible)(void *ctx, Value v);
  void *ctx;
  const Place *places; /* of this function, by pc */
  uint64_t nplaces;
} TypesAsk;

/* Proves a function that code_check has let pass, and the frames at `places`. NULL, or what is
 * wrong; needs->slots is the caller's to free either way. */
const char *types_check(ox_VM *vm, Proto *p, const TypesAsk *ask, CodeNeeds *needs);

#endif
