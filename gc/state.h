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
/* Larger ones are page runs. 64 KiB and a header still fit. */
enum { MID_MAX_WORDS = (68 << 10) / 8 };
enum { FIT_ROWS = 11, FIT_COLUMNS = 16 };

/* What a span is for. */
enum { SPAN_FREE = 0, SPAN_META, SPAN_SLAB, SPAN_MID, SPAN_LARGE };

/* PageDesc.flags of the first page. YOUNG: blocks were allocated in it since the last collection,
 * and it is in the list Heap.young (Heap.young_large). READY: a slab in a list of its class. */
enum { SPAN_YOUNG = 1, SPAN_READY = 2 };

/* One page of the cage. Slabs and middle spans fill in every page, large ones the first two. A span
 * has at least two pages, since the descriptors of both are needed for its places in lists. */
enum { SPAN_LEAST_PAGES = 2 };
typedef struct PageDesc {
  uint8_t kind;   /* SPAN_* */
  uint8_t run;    /* slab: space * GC_CLASSES + class */
  uint16_t back;  /* pages back to the span's first one */
  union {
    struct {
      uint8_t flags;
      uint8_t epoch; /* with READY: of the list it is in; another one: the list was dropped */
      uint16_t used; /* slab that is nobody's current one, and swept: slots taken */
    };                     /* first page */
    uint32_t young_before; /* second page: the span before in the list of young ones, 0: none */
  };
  union {
    uint32_t pages;        /* first page: length of the span */
    uint32_t ready_before; /* second page of a slab: likewise in the list of its class */
  };
  union {
    uint32_t young_next; /* first page: next span in the list of young ones, 0 ends it */
    uint32_t ready_next; /* second page of a slab: likewise */
  };
} PageDesc;
_Static_assert(sizeof(PageDesc) == 16, "256 descriptors to a page");

/* Free lists of the middle sizes, see segfit.c. */
typedef struct Fit {
  uint32_t rows;              /* bit: the row has a nonempty column */
  uint32_t columns[FIT_ROWS]; /* bit: the list is not empty */
  uint32_t head[FIT_ROWS][FIT_COLUMNS];
  uint32_t spans; /* how many there are */
} Fit;

typedef struct Heap {
  GcRun runs[GC_RUNS]; /* first: gc_runs */
  uint32_t run_start[GC_RUNS];   /* from here to the run's `cur` all slots are taken, 0: not open */
  uint32_t run_span[GC_RUNS];    /* the span a class allocates from, 0: none */
  uint32_t run_fresh[GC_RUNS];   /* all of it was free: where allocation began, 0: who knows */
  uint8_t run_wrapped[GC_RUNS];  /* the current span has no free slots before the run */
  uint32_t class_pages[GC_RUNS]; /* pages of all its spans: young classes get small spans */
  uint32_t ready[GC_RUNS][SLAB_BUCKETS];
  uint8_t ready_epoch; /* changes when those lists are dropped */
  uint32_t young;       /* slabs and middle spans allocated into since the last collection */
  uint32_t young_large; /* large blocks made since then */
  uint32_t late; /* slabs that a minor collection left to be swept later, see sweep.c */
  Fit fit;
  Policy policy;
  uint64_t cage_pages, first_page; /* pages for blocks are [first_page, cage_pages) */
  uint64_t table_off, bits_off, buddy_off;
  uint64_t meta_pages; /* in the buddy's count of used units, but nobody's memory */
  uint64_t used_pages, peak_bytes, limit_bytes, external_bytes;
  uint64_t allocated_bytes, allocated_before; /* in all; up to the last collection */
  uint64_t live_bytes; /* of old blocks: found alive, or promoted since */
  uint32_t finals, final_count, final_capacity; /* block of registered objects, see final.c */
  uint32_t final_old; /* that many of them survived a collection already */
  uint32_t colour; /* of the next slab, see slab.c */
} Heap;
_Static_assert(sizeof(Heap) <= GC_HEAP_BYTES, "Heap outgrew its pages");
_Static_assert(offsetof(Heap, runs) == 0, "gc_bump finds the runs at the start of Heap");

enum { MARKER_ROOTS = 32 };

/* A queue of pages that hold objects to be scanned, see mark.c. `link` has an entry per page: the
 * page behind it in the queue (itself: it is the last), 0: not queued. */
typedef struct PageQueue {
  uint32_t *link;
  uint32_t head, tail; /* 0: empty */
} PageQueue;

/* A long block that is scanned piece by piece, up to word `from` so far; at 0: none. */
typedef struct WideBlock { uint32_t at, from; } WideBlock;

/* The state of marking, see mark.c. */
typedef struct Marker {
  PageQueue grey;  /* of the collection that runs */
  PageQueue slow;  /* of the major collection that is done in steps */
  uint32_t roots[MARKER_ROOTS]; /* pushed, their mark words being fetched */
  unsigned root_count;
  WideBlock wide[2]; /* of the collection that runs, and of the major one in steps */
  uint64_t words;           /* in blocks scanned, of the collection that runs */
  uint64_t slow_words;      /* the same of the major one */
  uint64_t slow_work;       /* words it has looked at */
  uint64_t work;            /* words looked at, for budgets */
  uint64_t fixed;           /* of them, those that a larger young generation would not make more */
  uint64_t settled;         /* of `words`, those counted as live already */
  bool begin;               /* roots pushed are those that a major collection begins with */
  bool final;               /* its last round: what is pushed is followed to the end */
  bool between;             /* a step between two rounds: see mark.c on stacks */
} Marker;

/* What a major collection is at. It clears its bitmap, waits for the end of a minor one, marks, and
 * sweeps, all in steps. */
typedef enum Phase { PHASE_IDLE, PHASE_CLEAR, PHASE_CLEARED, PHASE_MARK } Phase;

/* How long the collector stopped the program: 4 buckets to each power of two of nanoseconds. */
enum { PAUSE_BUCKETS = 160 };
#define SWEEP_DONE UINT32_MAX

/* Weak places are being cleared, see purge.c: after a minor collection, or after a major one. */
typedef enum Purge { PURGE_NONE, PURGE_YOUNG, PURGE_ALL } Purge;

/* Stacks that survived a collection, where the embedder does not note which it wrote to. */
typedef struct StackList {
  uint32_t *refs;
  uint64_t count, capacity;
  bool lost; /* memory for it was refused: only full collections are safe */
} StackList;

/* Pages with weak blocks on them that marking came to, see weak.c. */
typedef struct WeakPages {
  uint64_t *bits;
  bool any, keyed; /* keyed: pairs are among them */
} WeakPages;

/* A value that is alive if its key is; in a list, by number + 1. Key 0: it is known to be alive. */
typedef struct WeakWait { uint32_t key, value, next; } WeakWait;

typedef struct WeakWaits {
  WeakWait *items;
  uint32_t *heads; /* of the lists by key */
  uint32_t count, capacity, buckets;
  uint32_t due;    /* head of the list of those to be marked */
  bool open;       /* marking tells of each block that it comes to */
  bool lost;       /* memory was refused: not all that should be here is */
} WeakWaits;

typedef struct Weak {
  WeakPages now, slow; /* of the collection that runs, and of the major one in steps */
  WeakPages dead;      /* of the last major one: where what refers to the dead is to be cleared */
  WeakWaits waits, slow_waits;
  uint32_t slow_page;  /* how far the pages of `slow` have been looked at */
  uint32_t dead_page;  /* likewise of `dead` */
  bool refuse;         /* tests: memory for those that wait is refused */
  uint64_t work;       /* pairs and blocks looked at, the last time */
} Weak;

/* The next runs of free slots of a class's current span, found ahead, see slab.c: edges[at] begins
 * one, edges[at + 1] ends it, and so on up to `count`. Empty where no run is open. There is memory for
 * them when the first are found, so that a fork that is held takes none. */
enum { GC_HOLES = 48 };
typedef struct Holes { uint32_t at, count, *edges; } Holes;

struct Gc {
  uint8_t *base;
  bool uses_reserve;
  Heap *heap;
  PageDesc *table;
  uint64_t *bits;  /* alloc bitmap: a bit at the first word of every block */
  uint64_t *marks; /* the same indexing: blocks that survived a collection, the old ones */
  uint64_t *next;  /* the marks of a major collection in progress; then they change places */
  uint64_t *pending; /* marked, to be scanned */
  uint64_t *slow_pending; /* likewise, by the major collection in steps */
  uint64_t *dirty;   /* by page: holds old blocks, changed since the last collection */
  uint64_t *stored;  /* by page: stored to since the major collection began to mark */
  uint64_t *young_pages; /* by page: young blocks may start there */
  uint64_t *unswept; /* by page: a span that starts here is not swept since the last major one */
  uint8_t *states; /* page_state */
  void *side;      /* the mapping that holds next, pending, slow_pending and the queues' links */
  Buddy buddy;
  GcConfig config;
  Os os;
  Marker marker;
  uint64_t *committed; /* one bit per unit */
  uint64_t committed_units;
  uint32_t top_page;    /* all pages ever used lie below */
  uint32_t sweep_page;  /* how far sweeping in address order has come, or SWEEP_DONE */
  uint32_t clear_page;  /* likewise clearing `next` */
  uint64_t dirty_count;
  uint64_t stepped_at;  /* Heap.allocated_bytes up to which steps of marking have kept pace */
  uint64_t looked_at;   /* the same when the last step of any kind was made */
  Phase phase;
  Purge purge;
  uint32_t rounds; /* steps of the minor collection under way, and 1; 0: there is none */
  bool round_due;  /* its next step is a round */
  bool promoting;  /* old blocks may refer to young ones on any page, see promote.c */
  uint64_t round_words; /* tests: the budget of a step; 0: the usual one */
  uint64_t stress_rng;  /* tests: state of gc_set_stress_seed, 0: none */
  bool stress_now;      /* the barrier was taken since the last collection */
  StackList stacks;
  Weak weak;
  bool has_marked; /* the mark bitmaps may hold something */
  bool collecting, minor, must_be_full;
  bool pressed; /* the limit forces one collection after the other */
  bool undoing; /* objects are finalized since a rollback, or the end of a branch, undoes them */
  uint64_t minors, majors, collect_ns_total, collect_ns_max;
  uint32_t pauses[PAUSE_BUCKETS];
  struct Snapshots *snapshots; /* NULL until the first one is taken */
  struct GcShare *share;       /* a limit that it shares with others, see share.h; or NULL */
  uint64_t shared_bytes;       /* of it, by this heap */
  struct Forks *forks;         /* NULL unless this heap is a fork, or has been forked */
  uint32_t first_serial; /* of snapshots: an image may hold names of those up to here */
  bool from_image;
  bool fresh_rather;     /* slabs of the image are not filled yet, see slab.c */
  bool window_rather;    /* nor are those that are nearly empty, while there is a window */
  uint32_t window, window_end; /* pages for the first spans of such a heap, see page.c */
  uint64_t *changed;     /* by page, below changed_end: see image.c */
  uint64_t changed_end;
  bool mapped;           /* a private mapping of a sealed base, see base.h */
  Holes holes[GC_RUNS];
  uint32_t *hole_edges;  /* of all of them, NULL: there were none yet */
  uint64_t cache_bytes;  /* of the embedder's caches, how much is in use: a base has them, too */
};

/* gc_new with a system that fails on demand. */
Gc *gc_new_on(const GcConfig *config, const Os *os);

/* Before the first write to words [word, word + n) of fresh memory: what PAGE_OLD says about the
 * page does not concern new blocks, all other states do. See barrier.c. */
void barrier_fresh_slow(Gc *gc, uint64_t page);
static inline void barrier_fresh(Gc *gc, uint64_t word, uint64_t n) {
  uint64_t last = (word + n - 1) >> GC_WORD_PAGE_SHIFT;
  for (uint64_t page = word >> GC_WORD_PAGE_SHIFT; page <= last; page++)
    if (gc->states[page] & ~PAGE_OLD) barrier_fresh_slow(gc, page);
}
/* Before a write to metadata in the cage. */
static inline void meta_touch(Gc *gc, const void *at) {
  barrier_fresh(gc, gc_word(gc->base, at), 1);
}
/* Notes that a page with old blocks holds what no collection has seen. */
static inline void barrier_remember(Gc *gc, uint64_t page) {
  uint64_t bit = (uint64_t)1 << (page & 63);
  gc->dirty_count += !(gc->dirty[page >> 6] & bit);
  gc->dirty[page >> 6] |= bit;
  gc->states[page] &= (uint8_t)~PAGE_OLD;
}

static inline uint32_t page_of_word(uint64_t word) {
  return (uint32_t)(word >> GC_WORD_PAGE_SHIFT);
}
static inline uint64_t word_of_page(uint64_t page) { return page << GC_WORD_PAGE_SHIFT; }
/* The span a word of a slab or a middle span lies in. For any word: page_span. */
static inline uint32_t span_of_word(Gc *gc, uint64_t word) {
  uint32_t page = page_of_word(word);
  return page - gc->table[page].back;
}
/* The bitmap words of a page: 8 of them. */
enum { PAGE_BITWORDS = GC_PAGE_WORDS / 64 };
static inline uint64_t bitword_of_page(uint64_t page) { return page * PAGE_BITWORDS; }

#endif
