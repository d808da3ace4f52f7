/* buddy.h - a buddy allocator over an abstract range of units (pages, megabits, ...).
 *
 * The state is plain bytes without pointers in memory that the caller supplies, so it may lie in
 * the cage and be copied with it. Zeroed memory is a valid body (everything free): only the head
 * has to be written, and of a huge range only the parts in use are ever touched.
 */
#ifndef OX_GC_BUDDY_H
#define OX_GC_BUDDY_H

#include <stdbool.h>
#include <stdint.h>

enum { BUDDY_MAX_ORDER = 26 };
#define BUDDY_NONE UINT32_MAX

typedef struct BuddyState {
  uint32_t order;      /* the range is 2^order units */
  uint32_t free_units;
  uint32_t blocks;     /* allocated ones */
  uint32_t reserved;
  uint8_t node[];
} BuddyState;

/* A handle: the state, and the base of the cage it lies in, so that writes pass the barrier
 * (NULL: it lies in no cage). */
typedef struct Buddy {
  BuddyState *state;
  uint8_t *cage;
} Buddy;

/* Bytes of state for 2^order units, head included. */
uint64_t buddy_state_bytes(unsigned order);
/* Starts a range of 2^order units, all free. The memory must be zero. */
void buddy_init(Buddy b, unsigned order);

/* 2^order units aligned to their size: the first unit, lowest addresses first, or BUDDY_NONE. */
uint32_t buddy_alloc(Buddy b, unsigned order);
/* Exactly `units` units (>= 1), aligned to the next power of two; the tail stays free. */
uint32_t buddy_alloc_units(Buddy b, uint32_t units);
/* Takes exactly this range as one block. False, and nothing changed, where part is in use. */
bool buddy_claim(Buddy b, uint32_t first, uint32_t units);
/* Lengthens the block that ends at `end` by `units` units. False where they are not all free. */
bool buddy_grow(Buddy b, uint32_t end, uint32_t units);
/* Gives a block back; its units, or 0 where no block starts at `first`. */
uint32_t buddy_free(Buddy b, uint32_t first);

/* The first unit of the block that a used unit belongs to. */
uint32_t buddy_block_of(Buddy b, uint32_t unit);

/* Order of the largest free aligned run, -1 when there is none. */
int buddy_largest_free(Buddy b);
uint32_t buddy_units(Buddy b);

/* The run at `first` (the start of a block or of a free run, as found by going through the range
 * from 0 with first += units): its length, and whether it is a block. Free neighbours that are not
 * buddies are runs of their own. */
typedef struct BuddyRun { uint32_t first, units; bool used; } BuddyRun;
BuddyRun buddy_run(Buddy b, uint32_t first);

/* The state lies in pages of 4 KiB: which units page `index` of it is about, [*from, *to). Where it is
 * aligned to pages and a page has never been written to, it is zero. */
void buddy_range_of_page(Buddy b, uint64_t index, uint64_t *from, uint64_t *to);

/* Proves the tree consistent: NULL or what is wrong. */
const char *buddy_check(Buddy b);
/* The same for a state that nobody vouches for, whose order fits its memory: also what lies below
 * whole nodes, which later splits take to be zero, and that each later piece follows another. It
 * reads the whole state. */
const char *buddy_check_all(Buddy b);

#endif
