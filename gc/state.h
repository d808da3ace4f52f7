/* state.h - the state behind heap.h: `Heap` lies in the cage and is position independent (it is
 * copied and rolled back with the pages), `Gc` lies outside and holds what belongs to this process.
 *
 * The first pages of the cage, in this order (sizes follow from the cage's):
 *   page 0 | Heap | roots | page table | alloc bitmap | buddy tree | pages for blocks
 */
#ifndef OX_GC_STATE_H
#define OX_GC_STATE_H

#include "buddy.h"
#include "heap.h"
#include "os.h"
#include "policy.h"

/* Commitment goes by units of 64 pages: one page of alloc bitmap and one of mark bits each. */
enum { UNIT_PAGES = 64, UNIT_BYTES = UNIT_PAGES * GC_PAGE };
_Static_assert(UNIT_BYTES / 64 == GC_PAGE, "a unit has one page of each bitmap");

enum { GC_RUNS = GC_SPACES * GC_CLASSES };
enum { SLAB_BUCKETS = 4 };           /* spans with free slots, by how much of them is alive */
enum { GRANULE_WORDS = 16 };         /* 128 bytes: the unit of middle sizes */
enum { MID_MAX_WORDS = 32768 / 8 };  /* larger ones are page runs */
enum { FIT_ROWS = 11, FIT_COLUMNS = 16 };

/* What a span is for. */
enum { SPAN_FREE = 0, SPAN_META, SPAN_SLAB, SPAN_MID, SPAN_LARGE };

enum { SPAN_SWEPT = 1 }; /* PageDesc.flags: alloc bits hold no dead blocks of the last collection */

/* One page of the cage. Slabs and middle spans fill in every page, the others the first one. */
typedef struct PageDesc {
  uint8_t kind;   /* SPAN_* */
  uint8_t run;    /* slab: space * GC_CLASSES + class */
  uint8_t flags;  /* first page: SPAN_SWEPT */
  uint8_t unused;
  uint16_t back;  /* pages back to the span's first one */
  uint16_t live;  /* first page of a slab: slots marked at the last collection */
  uint32_t pages; /* first page: length of the span */
  uint32_t next;  /* first page: next span of its list, 0 ends it */
} PageDesc;
_Static_assert(sizeof(PageDesc) == 16, "256 descriptors to a page");

/* Free lists of the middle sizes, see segfit.c. */
typedef struct Fit {
  uint32_t rows;              /* bit: the row has a nonempty column */
  uint32_t columns[FIT_ROWS]; /* bit: the list is not empty */
  uint32_t head[FIT_ROWS][FIT_COLUMNS];
  uint32_t unswept; /* spans still to sweep, a list through PageDesc.next */
  uint32_t spans;   /* how many there are */
} Fit;

typedef struct Heap {
  GcRun runs[GC_RUNS]; /* first: gc_runs */
  uint32_t run_start[GC_RUNS];
  uint32_t run_span[GC_RUNS];    /* the span a class allocates from, 0: none */
  uint8_t run_wrapped[GC_RUNS];  /* the current span has no free slots before the run */
  uint32_t class_pages[GC_RUNS]; /* pages of all its spans: young classes get small spans */
  uint32_t ready[GC_RUNS][SLAB_BUCKETS];
  Fit fit;
  Policy policy;
  uint64_t cage_pages, first_page; /* pages for blocks are [first_page, cage_pages) */
  uint64_t table_off, bits_off, buddy_off;
  uint64_t meta_pages; /* in the buddy's count of used units, but nobody's memory */
  uint64_t used_pages, peak_bytes, limit_bytes, external_bytes;
  uint64_t allocated_bytes, allocated_before; /* in all; up to the last collection */
  uint64_t live_bytes;
  uint32_t finals, final_count, final_capacity; /* block of registered objects, see final.c */
  uint32_t colour; /* of the next slab, see slab.c */
} Heap;
_Static_assert(sizeof(Heap) <= GC_HEAP_BYTES, "Heap outgrew its pages");
_Static_assert(offsetof(Heap, runs) == 0, "gc_bump finds the runs at the start of Heap");

enum { EDGE_SLOTS = 16, SCAN_SLOTS = 8 };

/* The state of marking, see mark.c. */
typedef struct Marker {
  uint64_t *stack; /* objects marked but not scanned: ref, and the first word to scan << 32 */
  uint64_t top, capacity, max_capacity;
  uint32_t edges[EDGE_SLOTS]; /* refs found, their mark words being fetched */
  uint64_t scans[SCAN_SLOTS]; /* objects about to be scanned, being fetched */
  unsigned edge_at, edge_count, scan_at, scan_count;
  bool overflow; /* some marked object was not pushed: rescan */
} Marker;

struct Gc {
  uint8_t *base;
  Heap *heap;
  PageDesc *table;
  uint64_t *bits;  /* alloc bitmap: a bit at the first word of every block */
  uint64_t *marks; /* the same indexing, meaningful for spans not SPAN_SWEPT */
  uint8_t *states; /* page_state */
  Buddy buddy;
  GcConfig config;
  Os os;
  Marker marker;
  uint64_t *committed; /* one bit per unit */
  uint64_t committed_units;
  bool collecting;
  uint64_t collections, collect_ns_total, collect_ns_max;
};

/* gc_new with a system that fails on demand. */
Gc *gc_new_on(const GcConfig *config, const Os *os);

/* Before a write to metadata in the cage. */
static inline void meta_touch(Gc *gc, const void *at) { gc_touch(gc->base, gc_word(gc->base, at)); }

static inline uint32_t page_of_word(uint64_t word) {
  return (uint32_t)(word >> GC_WORD_PAGE_SHIFT);
}
static inline uint64_t word_of_page(uint64_t page) { return page << GC_WORD_PAGE_SHIFT; }
static inline uint32_t span_of_word(Gc *gc, uint64_t word) {
  uint32_t page = page_of_word(word);
  return page - gc->table[page].back;
}
/* The bitmap words of a page: 8 of them. */
enum { PAGE_BITWORDS = GC_PAGE_WORDS / 64 };
static inline uint64_t bitword_of_page(uint64_t page) { return page * PAGE_BITWORDS; }

#endif
