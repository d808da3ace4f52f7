/* image_fibers.h - the saved stacks of a heap that nobody vouches for. */
#ifndef OX_RUNTIME_IMAGE_FIBERS_H
#define OX_RUNTIME_IMAGE_FIBERS_H

#include "image_owners.h"
#include "image_types.h"

/* All frames of fibers that wait, in order of function and position. */
typedef struct Places {
  Place *all;
  uint64_t count, capacity;
} Places;

/* Proves that frames lie one above another and that links lead where they may, and lists the frames
 * for types_check. NULL, or what is wrong; places->all is the caller's to free either way. */
const char *fibers_check(const Owners *o, Places *places, uint64_t *where);

/* Those of one function. */
const Place *places_of(const Places *p, uint32_t proto, uint64_t *count);

#endif
