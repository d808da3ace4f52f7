/* base.h - a heap as a sealed file in memory, of which many forks are private mappings. */
#ifndef OX_GC_BASE_H
#define OX_GC_BASE_H

#include "cage.h"

typedef struct Base {
  CageFile file;
  uint64_t step;  /* the heap's content when its log of changes (fork.c) was that long */
  uint64_t pages; /* written */
  uint32_t top_page;
  uint64_t *committed;
  Heap heap;      /* as it is in the file, but not aligned to pages, and the root area likewise */
  uint64_t roots[];
} Base;

/* The heap as it is now, whose runs are closed. NULL: the system refuses. Costs a copy of all pages
 * in use. */
Base *base_publish(Gc *gc, uint64_t step);
void base_free(Base *base); /* mappings of it remain */

/* Whether struct Heap and the root area are what they are in the file. */
bool base_has_roots(const Base *base, const Gc *gc);
/* Whether a page that is in use is in the file as it is now. */
bool base_has_page(const Base *base, const Gc *gc, uint64_t page);

#endif
