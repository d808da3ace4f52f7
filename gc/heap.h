/* heap.h - the whole interface of gc/: a heap in a cage, its allocators, barrier and collector.
 *
 * Address space of one heap, low to high; every part hangs on `base` by a constant displacement, so
 * one register reaches all of it:
 *
 *   base - GC_MARK_OFF    mark bits, one per word of the cage
 *   base - GC_CACHE_OFF   inline caches of the interpreter (hints; the embedder's, 8 bytes each)
 *   base - GC_HOST_OFF    HostPage: Gc *, embedder pointer. Never copied, never rolled back
 *   base - GC_STATE_OFF   page_state, one byte per page: the barrier's byte. Follows in the same
 *                         page of memory, so that a small fork has one of both
 *   then                  the collector's bitmaps by page (cage.c)
 *   base                  the cage
 *     page 0              never mapped readable: ref 0 faults
 *     GC_HEAP_OFF         struct Heap: all allocator state (position independent, rolled back)
 *     GC_ROOT_OFF         the embedder's root area, GC_ROOT_BYTES, scanned as values
 *     then                buddy tree, page table, alloc bitmap (one bit per word), then pages for
 *                         blocks
 *
 * Allocation: `gc_bump` is the inline fast path of a slab class; when it fails, `gc_alloc` refills
 * the run (and may collect) and returns the block. Memory is not zeroed: the caller writes the
 * header and every value word before the next allocation.
 *
 * Errors are values: 0 / NULL / false, with the heap unharmed.
 */
#ifndef OX_GC_HEAP_H
#define OX_GC_HEAP_H

#include "layout.h"

enum {
  GC_PAGE_SHIFT = 12,
  GC_PAGE = 1 << GC_PAGE_SHIFT,
  GC_PAGE_WORDS = GC_PAGE / 8,
  GC_WORD_PAGE_SHIFT = GC_PAGE_SHIFT - 3, /* word index -> page */
  GC_SMALL_WORDS = 64,                    /* up to 512 bytes: slabs */
  GC_CLASSES = 19,
  GC_SPACES = 2,
};
enum { GC_SPACE_OBJECT = 0, GC_SPACE_FRAME = 1 }; /* scope frames have slabs of their own */

#define GC_MAX_CAGE ((uint64_t)32 << 30)
#define GC_HOST_BYTES ((uint64_t)64)
#define GC_HOST_OFF (GC_MAX_CAGE / GC_PAGE * 2) /* 16 MiB */
#define GC_STATE_OFF (GC_HOST_OFF - GC_HOST_BYTES)
#define GC_CACHE_BYTES ((uint64_t)64 << 20)
#define GC_CACHE_OFF (GC_HOST_OFF + GC_CACHE_BYTES)
#define GC_MARK_OFF (GC_CACHE_OFF + GC_MAX_CAGE / 64)             /* + 512 MiB */

#define GC_HEAP_OFF ((uint64_t)GC_PAGE)
#define GC_HEAP_BYTES ((uint64_t)4 * GC_PAGE)
#define GC_ROOT_OFF (GC_HEAP_OFF + GC_HEAP_BYTES)
#define GC_ROOT_BYTES ((uint64_t)2 * GC_PAGE)
#define GC_ROOT_END (GC_ROOT_OFF + GC_ROOT_BYTES)

/* page_state bits (docs: states of a page). 0: store freely. PAGE_OLD: holds blocks that survived a
 * collection and was not stored to since. */
enum { PAGE_FROZEN = 1, PAGE_FREE = 2, PAGE_OLD = 4, PAGE_TRACK = 8 };

typedef struct Gc Gc;

/* A bump run of one size class: free words [cur, end). Lies first in Heap, see gc_run. */
typedef struct GcRun { uint32_t cur, end; } GcRun;

typedef struct HostPage {
  Gc *gc;
  void *embedder; /* the ox_VM */
} HostPage;
_Static_assert(sizeof(HostPage) <= GC_HOST_BYTES, "page_state follows it");

static inline HostPage *gc_host(uint8_t *base) { return (HostPage *)(base - GC_HOST_OFF); }
static inline uint8_t *gc_page_state(uint8_t *base) { return base - GC_STATE_OFF; }
static inline GcRun *gc_runs(uint8_t *base) { return (GcRun *)(base + GC_HEAP_OFF); }
static inline void *gc_ptr(uint8_t *base, Ref r) { return base + ((uint64_t)r.w << 3); }
static inline Ref gc_ref(uint8_t *base, const void *p) {
  return (Ref){(uint32_t)(((const uint8_t *)p - base) >> 3)};
}

/* Class of a size in words (1..GC_SMALL_WORDS; 1 is served as 2) and the slot words of a class. */
extern const uint8_t gc_class_of_words[GC_SMALL_WORDS + 1];
extern const uint8_t gc_class_words[GC_CLASSES];

#ifdef OX_BOEHM /* libgc instead of all this (gc/boehm/heap.c): a free list for each class */
static inline void **gc_free_lists(uint8_t *base) { return (void **)(base + GC_HEAP_OFF); }
static inline void *gc_bump(uint8_t *base, unsigned space, unsigned cls) {
  void **list = gc_free_lists(base) + cls, *block = *list;
  (void)space;
  if (block) *list = *(void **)block;
  return block;
}
#else
/* The fast path: a block of class `cls`, or NULL when the run is used up. No header is written. */
static inline void *gc_bump(uint8_t *base, unsigned space, unsigned cls) {
  GcRun *run = gc_runs(base) + space * GC_CLASSES + cls;
  uint32_t at = run->cur, next = at + gc_class_words[cls];
  if (next > run->end) return NULL;
  run->cur = next;
  return base + ((uint64_t)at << 3);
}
#endif

/* ---- the embedder's side -------------------------------------------------------------------- */

/* How a heap is collected. All keep the same objects; the choice is about time. */
typedef enum GcMode {
  GC_ADAPTIVE,     /* the default: the policy chooses between the following (not GC_OFF) */
  GC_OFF,          /* only where the limit forces it or gc_collect is called */
  GC_STOP_WORLD,   /* every collection is a full one, at once */
  GC_GENERATIONAL, /* minor ones; the full ones between them at once */
  GC_INCREMENTAL,  /* minor ones; the full ones between them in steps */
} GcMode;

typedef struct GcConfig {
  uint64_t cage_bytes;   /* address space, 0: 4 GiB; rounded up to 2 MiB, at most GC_MAX_CAGE */
  uint64_t limit_bytes;  /* hard limit on committed heap, 0: the cage's size */
  uint64_t reserve_bytes; /* of the limit, not given out unless gc_use_reserve allows it */
  /* For tests: collect at every allocation. gc_bump always fails then; fresh blocks are full of
   * references to nowhere, dead ones are overwritten, and marking a reference to no block aborts:
   * a root or a value forgotten shows at the next allocation. */
  bool stress;
  GcMode mode;
  /* How large a heap may get before the next full collection, in percent of what survived the last
   * one; 0: the policy's choice. */
  uint32_t heap_percent;
  /* A soft limit, 0: none. As the heap comes near it, it may grow less between full collections,
   * down to nothing; but never so little that collecting takes more than about half of the time,
   * so that a heap whose live data do not fit grows beyond. */
  uint64_t goal_bytes;
  /* The embedder calls gc_note_stack for each LAYOUT_STACK object before it writes to it, in
   * mark_roots for the one that is in use, and for that again when it uses another one or drops it.
   * Otherwise all stacks are scanned every time. */
  bool notes_stacks;
  uint32_t root_bytes; /* of the root area, how much is in use; 0: all of it */
  /* For tests: frozen pages cannot be written to, so that a store without a barrier faults. */
  bool guard;
  void *embedder;
  /* A collection, minor ones included: push all roots with gc_mark_value and gc_mark_ref. The root
   * area is scanned anyway, word by word, so raw words in it must not look like references. */
  void (*mark_roots)(Gc *gc, void *embedder);
  /* Marking is over, nothing is swept yet: drop weak entries by gc_is_marked. May be NULL. */
  void (*after_mark)(Gc *gc, void *embedder);
  /* The same for tables that may be large: called after that, again and again, between allocations,
   * until it gives true, each time for about so many places. What gc_is_dead then is to be dropped.
   * It must not allocate. It may be begun anew, by after_mark, without having ended. May be NULL. */
  bool (*purge)(Gc *gc, void *embedder, uint64_t places);
  /* An unreachable object with LAYOUT_FINAL. Called after the collection; the object's words may
   * still be read during the call; must not allocate. May be NULL. */
  void (*finalize)(Gc *gc, void *embedder, Ref object);
  /* In a store: there is no memory for more of the log, and some of the reserve for stores is used
   * up. When that is, too, all snapshots are given up; so the embedder should stop what runs. May
   * be NULL. */
  void (*log_short)(Gc *gc, void *embedder);
} GcConfig;

/* A heap, or NULL when address space or memory is refused. gc_free runs remaining finalizers. */
Gc *gc_new(const GcConfig *config);
void gc_finalize_all(Gc *gc); /* the part of gc_free that does so, while the heap can still be used */
void gc_free(Gc *gc);
void gc_forget(Gc *gc); /* the same, without finalizers: nothing in the heap is looked at */

/* A heap around a content that is given: a copy of another cage, or an image. `fill` is called
 * when the cage is reserved and its metadata committed and zero. It puts in place (by copying or
 * mapping) struct Heap, the root area, the page table, the alloc bitmap and the buddy tree as
 * far as they are in use, and after cage_adopt_range (cage.h) the pages of blocks. The content
 * is of a heap with closed runs and nothing left to sweep. */
typedef struct GcContent {
  uint64_t cage_bytes; /* of the heap it comes from */
  /* The marks are given, too: all blocks are old, their pages are PAGE_OLD and clean, there are no
   * young ones, and gc->stacks lists the stacks. Else the next collection is a full one. */
  bool old;
  void *ctx;
  bool (*fill)(void *ctx, Gc *gc); /* false: refused */
} GcContent;

/* gc_new around a content; config->cage_bytes is not looked at. NULL as well when `fill` refuses or
 * the content is of a cage of another layout. */
Gc *gc_new_with(const GcConfig *config, const GcContent *content);
uint8_t *gc_base(Gc *gc);
void gc_set_limit(Gc *gc, uint64_t bytes);
uint64_t gc_limit(const Gc *gc);

/* Whether allocations may take what config->reserve_bytes holds back: for the little that has to be
 * said when memory is out. */
void gc_use_reserve(Gc *gc, bool use);
void gc_set_stress(Gc *gc, bool on);
/* For tests, under stress: with a seed that is not 0, collections of all kinds come at random
 * allocations instead of at each, and at the first one after each slow way of the barrier; the
 * checker follows each and aborts where something is wrong. */
void gc_set_stress_seed(Gc *gc, uint64_t seed);
void gc_set_mode(Gc *gc, GcMode mode);
void gc_set_goal(Gc *gc, uint64_t bytes); /* GcConfig.goal_bytes */

/* A block of `words` words (>= 1) of any size, 0 when the limit is reached even after a collection.
 * May collect: everything needed must be reachable from the roots. Not zeroed. */
void *gc_alloc(Gc *gc, uint64_t words, unsigned space);
/* The same, but never collects and may go over the soft trigger (not over the hard limit). */
void *gc_alloc_nocollect(Gc *gc, uint64_t words, unsigned space);
/* Words really available in the block (its slot or page run). */
uint64_t gc_block_words(Gc *gc, const void *block);
/* Gives a block back at once (outgrown list storage). Nobody may hold a reference to it. */
void gc_release(Gc *gc, void *block);
/* Tries to make a mid-size or large block at least `words` long in place. */
bool gc_extend(Gc *gc, void *block, uint64_t words);

/* Memory held outside the cage on behalf of heap objects: counts against limit and trigger.
 * gc_external(+n) may collect, as gc_alloc does; it gives false, counting nothing, where the limit
 * would be passed even so. */
bool gc_external(Gc *gc, int64_t bytes);
/* The same without a collection: for callers that hold values nobody else knows. */
bool gc_external_now(Gc *gc, int64_t bytes);

/* Registers a block with LAYOUT_FINAL (header already written). False: out of memory. */
bool gc_add_final(Gc *gc, Ref object);
/* Calls fn for each block registered so that there is in the present state. It must not
 * allocate. */
void gc_each_final(Gc *gc, void (*fn)(void *ctx, Ref object), void *ctx);

/* ---- barrier: every store into a heap object goes through one of these ----------------------- */

void gc_barrier_slow(uint8_t *base, uint64_t page);
/* -DGC_NO_BARRIER leaves it out, to measure what it costs: for GC_STOP_WORLD, without snapshots. */
#ifdef GC_NO_BARRIER
enum { GC_HAS_BARRIER = 0 };
#else
enum { GC_HAS_BARRIER = 1 };
#endif
static inline void gc_touch(uint8_t *base, uint64_t word) { /* before a store into word */
  if (GC_HAS_BARRIER && __builtin_expect(gc_page_state(base)[word >> GC_WORD_PAGE_SHIFT] != 0, 0))
    gc_barrier_slow(base, word >> GC_WORD_PAGE_SHIFT);
}
static inline void gc_store(uint8_t *base, uint64_t word, Value v) {
  gc_touch(base, word);
  ((Value *)base)[word] = v;
}
/* Before a bulk write of words [word, word + n). */
void gc_touch_range(uint8_t *base, uint64_t word, uint64_t n);
static inline uint64_t gc_word(uint8_t *base, const void *p) {
  return (uint64_t)((const uint8_t *)p - base) >> 3;
}
/* Stacks (LAYOUT_STACK) are written to without a barrier: see GcConfig.notes_stacks. */
static inline void gc_note_stack(uint8_t *base, Ref stack) { gc_touch(base, stack.w); }

/* ---- snapshots: docs/snapshots.md ----------------------------------------------------------- */

/* A state that can be gone back to. Never 0; never used again once released. */
typedef uint64_t GcSnapshot;
enum { GC_SNAPSHOT_INDEX_BITS = 24 }; /* below them is its place, above them how many came before */

typedef enum GcSnapshotStatus {
  GC_SNAPSHOT_OK,
  GC_SNAPSHOT_RELEASED, /* it was released */
  GC_SNAPSHOT_LOST,     /* given up: there was no memory to log a changed page */
  GC_SNAPSHOT_ELSEWHERE, /* it is of another heap, such as the one that this was forked from */
  GC_SNAPSHOT_MEMORY,   /* no memory to do it; nothing changed */
} GcSnapshotStatus;

/* Keeps the present state: all pages, the allocators' and the embedder's root area. Costs what has
 * changed since the last one, not the size of the heap. All cached permissions to write end: runs
 * of free slots are closed here, the embedder's own are its business. 0: out of memory. The result
 * is also stored in *name, unless that is NULL, before the state is kept: it may lie in a block of
 * the heap that was touched. */
GcSnapshot gc_snapshot(Gc *gc, uint64_t *name);
/* Makes the heap what it was when `s` was taken, bit for bit, which stays usable; what was done
 * since on the way from the last snapshot is gone, the other snapshots remain. Before, objects with
 * finalizers that are made undone are finalized. The next collection is a full one. */
GcSnapshotStatus gc_restore(Gc *gc, GcSnapshot s);
/* The state is needed no more. Unknown ones are ignored. */
void gc_snapshot_release(Gc *gc, GcSnapshot s);
/* Gives memory of the log that is not in use back to the system, but for the reserve where there
 * are snapshots; an allocation that finds no room does so, too. False: there was none. */
bool gc_snapshot_trim(Gc *gc);
/* Whether the log has used some of its reserve, so that the next stores may give snapshots up. */
bool gc_snapshot_is_short(const Gc *gc);
GcSnapshotStatus gc_snapshot_status(Gc *gc, GcSnapshot s);
/* A word for the embedder that belongs to the snapshot, not to the state: no rollback changes it. 0
 * at first; NULL: not a usable snapshot. */
uint64_t *gc_snapshot_word(Gc *gc, GcSnapshot s);

bool gc_has_snapshots(const Gc *gc); /* any that are needed, so that stores cost copies of pages */

typedef struct GcSnapshotStats {
  uint64_t snapshots;  /* taken and not released */
  uint64_t log_bytes;  /* held by the log, in use or ready for use */
  uint64_t log_pages;  /* of them in use: copies of pages */
  uint64_t head_pages; /* pages changed since the last snapshot or rollback */
  uint64_t taken, restored, logged; /* in all: snapshots, rollbacks, pages copied into the log */
} GcSnapshotStats;
void gc_snapshot_stats(Gc *gc, GcSnapshotStats *out);

/* A look at the words of one page as they will be after gc_restore(s): valid until the heap
 * changes. gc_past_open gives false when memory is short or `s` is not usable. While it is open
 * nothing may be stored, taken or restored. */
bool gc_past_open(Gc *gc, GcSnapshot s);
/* Is there a block at `r` in both states, with the same words and hence the same object? */
bool gc_past_same(Gc *gc, Ref r);
/* A word of the cage as it was; the root area included. */
uint64_t gc_past_word(Gc *gc, uint64_t word);
/* Finds what was reachable from the root area in the state that is open (keys of weak tables are
 * taken as strong). *work: how many words may be looked at; what is left. NULL: not enough, or no
 * memory. */
typedef struct GcPastTrace GcPastTrace;
GcPastTrace *gc_past_trace(Gc *gc, uint64_t *work);
bool gc_past_reaches(const GcPastTrace *trace, Ref r);
void gc_past_trace_free(GcPastTrace *trace);
/* The same from some values. */
GcPastTrace *gc_past_trace_from(Gc *gc, const Value *values, uint64_t n, uint64_t *work);
/* Compares what is reachable now, `here`, with what is reachable in the state that is open,
 * `there`. Afterwards `here` has only what differs: changed, or not the same object there. */
typedef struct GcPastDiff { uint64_t pages, changed, only_here, only_there; } GcPastDiff;
void gc_past_compare(Gc *gc, GcPastTrace *here, const GcPastTrace *there, GcPastDiff *out);
/* Whether two traces have an object in common. */
bool gc_past_meet(const GcPastTrace *a, const GcPastTrace *b);
void gc_past_close(Gc *gc);

/* ---- forks: docs/snapshots.md --------------------------------------------------------------- */

/* A second heap with the same content at the same words, in a cage of its own, which may be used by
 * another thread. Runs of free slots are closed here; other cached permissions to write are the
 * embedder's business. The configuration is copied, with the callbacks; external bytes count as 0;
 * snapshots stay behind; the first collection is a full one. It ends with gc_free, on any thread,
 * before or after `gc`; its cage is kept for the next fork then. NULL: memory is refused, or a
 * callback of the collector runs. */
Gc *gc_fork(Gc *gc, void *embedder);
/* The same, but the fork may be asleep: then it takes no memory of the cage yet, and nothing but
 * gc_wake, gc_is_asleep and gc_free may be called for it, nor its cage be touched. */
Gc *gc_fork_asleep(Gc *gc, void *embedder);
bool gc_is_asleep(const Gc *gc);
void gc_wake(Gc *gc); /* cannot fail */
/* How much of the embedder's caches is in use, before a fork: those that share the heap's pages
 * have them, too. */
void gc_set_cache_bytes(Gc *gc, uint64_t bytes);
/* From now on both count as one against the memory limit that they have: what each takes, where
 * a child that shares its parent's pages takes those that it has changed. False: there is no
 * room for the child, or no memory; nothing has changed. */
typedef struct GcShare GcShare;
bool gc_share_limit(Gc *gc, Gc *child);
/* Before a fork that is to share the limit: it is not made a copy if there is no room for one.
 * False: no memory. */
bool gc_share_open(Gc *gc);
/* Whether stores to pages that it shared have brought such a child beyond the limit. They cannot be
 * refused; the embedder is to look now and then, and to throw an error. */
bool gc_is_beyond_limit(Gc *gc);
/* Has this heap been forked, or is it a fork? Then first stores to pages are slow, and stacks are
 * better opened in small parts. */
bool gc_is_tracked(const Gc *gc);

typedef struct GcForkStats {
  uint64_t forks, whole;     /* in all; of them, those that had to copy the whole heap */
  uint64_t copied;           /* pages, in all */
  /* Of the last fork; shared: pages in use not copied. */
  uint64_t last_copied, last_shared, last_ns;
  uint64_t changed;          /* pages since the last fork */
  uint64_t alive, idle, idle_bytes; /* forks that have not ended; slots for others, their memory */
  uint64_t mapped;           /* forks in all whose cage was made by mapping */
  uint64_t published, published_pages, published_ns; /* copies of the heap to be mapped, in all */
} GcForkStats;
void gc_fork_stats(Gc *gc, GcForkStats *out);

/* ---- collector ------------------------------------------------------------------------------- */

void gc_collect(Gc *gc);               /* full collection, finalizers included; frees eagerly */
/* A minor collection: of the blocks made since the last collection only. The others count as alive,
 * and only the roots and the pages stored to since are looked at. */
void gc_collect_young(Gc *gc);
/* Inside mark_roots, after_mark and finalize: is this a minor collection? Then gc_is_marked can be
 * false only for blocks made since the last collection. */
bool gc_is_minor(Gc *gc);
/* Inside after_mark: how much is alive, where the limit forces one collection after the other and
 * the last one gained next to nothing; else 0. */
uint64_t gc_pressed_bytes(const Gc *gc);
/* Whether there is a block that r refers to. For checks: slow. */
bool gc_holds(Gc *gc, Ref r);
/* Inside finalize: is the object not dead, but undone by a rollback? */
bool gc_is_undoing(const Gc *gc);
/* Whether a callback of the collector runs. */
bool gc_is_collecting(const Gc *gc);
/* Gives the memory of free pages back to the system; how many bytes. For idle moments: pages used
 * again have to be populated again. */
uint64_t gc_trim(Gc *gc);
void gc_mark_value(Gc *gc, Value v);   /* only inside mark_roots / after_mark */
void gc_mark_ref(Gc *gc, Ref r);
bool gc_is_marked(Gc *gc, Ref r);      /* inside after_mark */
/* Outside of collections: a reference that was weak has been read, and the program, or another weak
 * block, has it now. If it is dead (gc_is_dead) it must be a block that refers to nothing. */
void gc_revive(Gc *gc, Ref r);
/* Is it dead, though weak places that have not been cleared yet refer to it? Whoever reads one has
 * to ask. */
bool gc_is_dead(Gc *gc, Ref r);
/* Clears them all now, for those who read words of blocks as they are. */
void gc_finish_purge(Gc *gc);
/* Inside after_mark: marks all that is reachable from what was pushed there, so that gc_is_marked
 * holds for it, too (keys that keep values alive are followed until nothing changes). */
void gc_mark_drain(Gc *gc);

typedef struct GcStats {
  uint64_t committed_bytes; /* of pages in use, the external bytes not counted */
  uint64_t used_bytes; /* live_bytes and what was handed out since (some of it already dead) */
  uint64_t live_bytes;                  /* of blocks that survived a collection */
  uint64_t allocated_bytes;             /* since the heap was made, approximate (per run) */
  uint64_t peak_bytes, limit_bytes, external_bytes;
  uint64_t collections; /* major and minor ones */
  uint64_t majors, minors;
  /* Time the program was stopped: in all, the longest time, and percentiles of the times (within
   * 20 %). A step of an incremental collection is a stop of its own. */
  uint64_t collect_ns_total, collect_ns_max, pause_ns_p50, pause_ns_p99, pause_ns_p999;
  uint64_t pauses;
} GcStats;
void gc_stats(Gc *gc, GcStats *out);
/* The share of the committed bytes that no block takes. */
static inline double gc_stats_fragmentation(const GcStats *s) {
  if (s->used_bytes >= s->committed_bytes) return 0;
  return 1 - (double)s->used_bytes / (double)s->committed_bytes;
}

/* Calls fn for every allocated block (after finishing a pending sweep). For reports and tests. */
void gc_each(Gc *gc, void (*fn)(void *ctx, void *block, uint64_t words), void *ctx);

/* What a size class holds. */
enum { GC_ROW_SLAB, GC_ROW_MIDDLE, GC_ROW_LARGE, GC_REPORT_ROWS = GC_SPACES * GC_CLASSES + 2 };
typedef struct GcReportRow {
  uint8_t kind, space;
  uint32_t slot_bytes; /* of slabs; 0: blocks of any size */
  uint64_t span_bytes; /* taken by the class */
  uint64_t blocks, block_bytes; /* how many, and how large once rounded up to what the class has */
  uint64_t used_bytes; /* that their owners need, as bytes_of says */
} GcReportRow;
/* Bytes needed of a block that has so many. */
typedef uint64_t GcBytesOf(void *ctx, const void *block, uint64_t bytes);
/* Fills in GC_REPORT_ROWS rows (after finishing a pending sweep). bytes_of may be NULL: all. Gives
 * the bytes held from the system that belong to no class. */
uint64_t gc_report(Gc *gc, GcReportRow *rows, GcBytesOf *bytes_of, void *ctx);

/* The heap checker: walks every page and proves page table, bitmaps, free lists and references
 * consistent. NULL if all is well, else a static message; *where gets the word concerned. */
const char *gc_verify(Gc *gc, uint64_t *where);

#endif
