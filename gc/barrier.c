/* barrier.c - the slow way of a store: the byte of its page in page_state is not zero.
 *
 * Today the one state that occurs is PAGE_FREE: a store to a page that belongs to nothing, which is
 * a bug of the caller. The generational collector (PAGE_OLD), snapshots (PAGE_FROZEN) and forks
 * (PAGE_TRACK) find their place here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "state.h"

void gc_barrier_slow(uint8_t *base, uint64_t page) {
  uint8_t state = gc_page_state(base)[page];
  if (state & PAGE_FREE) {
    fprintf(stderr, "gc: store to a free page (page %llu)\n", (unsigned long long)page);
    abort();
  }
}

void gc_touch_range(uint8_t *base, uint64_t word, uint64_t n) {
  if (n == 0) return;
  uint64_t last = (word + n - 1) >> GC_WORD_PAGE_SHIFT;
  for (uint64_t page = word >> GC_WORD_PAGE_SHIFT; page <= last; page++)
    if (gc_page_state(base)[page] != 0) gc_barrier_slow(base, page);
}
