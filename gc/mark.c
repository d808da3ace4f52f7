/* mark.c - precise marking by pages.
 *
 * There is no stack of objects. A block that is marked but not scanned has its bit set in `pending`
 * too, and the page that it starts on stands in a queue, once, however many such blocks it has (the
 * idea of a queue of blocks of memory is Go's "Green Tea"). While a page waits, more of its blocks
 * are marked, and all of them are scanned in one pass, in address order. On heaps laid out breadth-
 * first that is many times faster than a stack of objects, elsewhere it is no slower; and the queue
 * is a list through one word per page, so that marking needs no memory and cannot fail, whatever
 * the shape of the heap.
 *
 * Memory latency is nearly all of the cost, so no word is looked at when its address is found:
 *
 *   a ref is found          fetch its mark word and its page's link, queue it in `edges`
 *   it leaves `edges`       test and set its mark; if it was not set: set pending, queue its page.
 *                           (A ref to a page that is at hand does not wait)
 *   a page leaves the queue  fetch its pending bits and descriptor, put it in the window
 *   half-way through it     fetch its first pending blocks
 *   it leaves the window    scan its pending blocks
 *
 * A small heap lies in the caches, where all that fetching costs more than it gains: there it is
 * left out (1.08 to 1.17 times as fast at 4 MB, at 16 MB 0.92 on a shuffled heap).
 *
 * Two collections may be under way: a major one that marks old blocks in `next`, step by step, and
 * in between minor ones that mark young blocks in `marks`. Each has its queue and pending bits.
 *
 *   PLAIN   a minor or a full collection. Sets `marks` (and `next` while a major one is marking:
 *           what is promoted then stays); what is marked already ends the search
 *   MAJOR   a step of the major one: old blocks alone; there were no young ones when it began
 *
 * The major one keeps what was reachable when it began (a snapshot at the beginning, Yuasa 1990, by
 * pages): it begins when a minor one has just ended, with all pages of old blocks armed, by marking
 * the roots. Before the first store to such a page the blocks on it that are not scanned yet are
 * (mark_before_store), and need not be again on that page. So whatever the program finds and moves
 * about is marked or will be; no page has to be looked at twice; and when the queue is empty,
 * marking is over. The exceptions:
 *
 *   a block released by hand that is not scanned is kept until the next time (mark_keeps)
 *   what is found through a weak reference is revived (gc_revive)
 *
 * A minor collection may have to be done in rounds, too (collect.c). The page of a block is armed
 * when it is scanned, so that what is stored to it between two steps makes it dirty. Between rounds
 * stacks are left alone, since they say how much of them is in use only when the roots are pushed.
 *
 * A dirty page is full of references to old blocks, of which a minor collection wants to know
 * nothing. All young blocks start on pages of `young_pages`, a bitmap that is small enough for the
 * first cache; so marks are looked at for references there alone (mode DIRTY, otherwise PLAIN).
 */
#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "cage.h"
#include "final.h"
#include "page.h"
#include "plant.h"
#include "purge.h"
#include "segfit.h"
#include "weak.h"

#define NO_PAGE UINT32_MAX
enum { WINDOW = 16, BATCH = 8, EDGES = 16, CHUNK_WORDS = 8704, DENSE = 24 };
enum { CLOSE_PAGES = (12 << 20) / GC_PAGE }; /* a heap up to that size is small */
/* What a visit to a page costs, and a ref whose mark is not at hand, in words to look at. */
enum { PAGE_WORK = 64, EDGE_WORK = 8, DIRTY_WORK = GC_PAGE_WORDS / 4 };
_Static_assert((int)CHUNK_WORDS >= (int)MID_MAX_WORDS,
               "a long block is a large one, alone on its page");
typedef enum Mode { PLAIN, DIRTY, MAJOR } Mode;

#define INLINE static inline __attribute__((always_inline))

/* What a loop works with, in local variables: stores to the heap and to bitmaps could change what
 * `gc` points to, for all the compiler knows. */
typedef struct Trace {
  Gc *gc;
  Value *cage;
  uint64_t *marks, *next, *pending;
  PageQueue grey, slow;
  uint32_t near, last; /* the page being scanned, and that of the last block marked: their bits are
                          at hand. NO_PAGE under stress, where all refs are looked at */
  bool stress;
  bool far; /* the heap does not fit the caches: what is looked at is fetched first */
  bool arm; /* pages are to be armed as they are scanned: the program goes on before the sweep */
  bool black; /* what is promoted is marked in `next`, too */
} Trace;

/* Refs found, their mark words being fetched; 0: none. There is no count of them: it was written
 * apart from `at`, but both were read as one, which stalls until the writes are done (6 ns). */
typedef struct Edges {
  uint32_t at;    /* the place of the oldest */
  uint32_t found; /* refs that had to wait, for the account of work */
  uint32_t ref[EDGES];
} Edges;

static Trace trace_open(Gc *gc, Mode mode) {
  const Marker *m = &gc->marker;
  return (Trace){.gc = gc, .cage = (Value *)gc->base, .marks = gc->marks, .next = gc->next,
                 .pending = mode == MAJOR ? gc->slow_pending : gc->pending, .grey = m->grey,
                 .slow = m->slow, .near = NO_PAGE, .last = NO_PAGE, .stress = gc->config.stress,
                 .far = gc->heap->used_pages > CLOSE_PAGES,
                 .arm = gc->rounds != 0 || (gc->phase == PHASE_IDLE && !PLANTED(SWEEP_NOT_ARMED)),
                 .black = gc->phase == PHASE_MARK};
}

static void trace_close(const Trace *t) {
  t->gc->marker.grey = t->grey;
  t->gc->marker.slow = t->slow;
}

static bool is_ref(Value v) { return v >> 48 == VALUE_REF_HIGH; }

/* The same of a value in memory, by its upper sixteen bits alone. */
INLINE bool holds_ref(const Value *p) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return ((const uint16_t *)p)[3] == VALUE_REF_HIGH;
#else
  return is_ref(*p);
#endif
}

/* ---- queues of pages ------------------------------------------------------------------------- */

/* First in, first out lets most blocks gather on a page before it is visited. With the newest page
 * first, wherever that seemed no worse, a heap of 1 GB laid out depth-first took the same time, others
 * 1.04 to 1.4 times as much. */
INLINE void enqueue(PageQueue *q, uint32_t page) {
  if (q->link[page]) return;
  q->link[page] = page;
  if (!q->head) {
    q->head = q->tail = page;
  } else {
    q->link[q->tail] = page;
    q->tail = page;
  }
}

/* Its link stays set: new pending blocks of it need not queue it again. */
INLINE uint32_t dequeue(PageQueue *q) {
  uint32_t page = q->head, next = q->link[page];
  q->head = next == page ? 0 : next;
  return page;
}

/* ---- edges ----------------------------------------------------------------------------------- */

INLINE void grey(Trace *t, PageQueue *q, uint32_t ref) {
  t->pending[ref >> 6] |= (uint64_t)1 << (ref & 63);
  enqueue(q, page_of_word(ref));
}

INLINE void mark_now(Trace *t, uint32_t ref, Mode mode) {
  uint64_t bit = (uint64_t)1 << (ref & 63), i = ref >> 6;
  if (mode != MAJOR) {
    if (t->marks[i] & bit) return;
    t->marks[i] |= bit;
    if (t->black && !PLANTED(PROMOTED_WHITE)) t->next[i] |= bit;
    grey(t, &t->grey, ref);
  } else if (!(t->next[i] & bit) && (t->marks[i] & bit)) {
    t->next[i] |= bit;
    grey(t, &t->slow, ref);
  }
}

/* False: there were none. */
INLINE bool flush_edges(Trace *t, Edges *e, Mode mode) {
  bool any = false;
  for (unsigned i = 0; i < EDGES; i++) {
    uint32_t ref = e->ref[(e->at + i) % EDGES];
    e->ref[(e->at + i) % EDGES] = 0;
    if (!ref) continue;
    mark_now(t, ref, mode);
    any = true;
  }
  return any;
}

/* Under stress every ref is checked as it is found, so that a missing root or barrier shows. */
static void check_ref(Gc *gc, uint32_t ref, uint64_t holder) {
  uint64_t page = page_of_word(ref);
  if (page >= gc->heap->first_page && page < gc->heap->cage_pages && cage_is_committed(gc, page) &&
      !(gc->states[page] & PAGE_FREE) && bits_test(gc->bits, ref))
    return;
  fprintf(stderr, "gc: a reference to no block (ref %#x, found in %#llx, 0: a root)\n", ref,
          (unsigned long long)holder);
  abort();
}

/* Its mark word is being fetched; gives the oldest of the others, whose word is there. */
INLINE uint32_t wait_for(Trace *t, Edges *e, uint32_t ref, Mode mode) {
  __builtin_prefetch(t->marks + (ref >> 6), 1);
  if (mode == MAJOR) __builtin_prefetch(t->next + (ref >> 6), 1);
  __builtin_prefetch(t->pending + (ref >> 6), 1);
  __builtin_prefetch((mode == MAJOR ? t->slow.link : t->grey.link) + page_of_word(ref), 1);
  uint32_t oldest = e->ref[e->at];
  e->ref[e->at] = ref;
  e->at = (e->at + 1) % EDGES;
  return oldest;
}

/* A ref found in the block `holder`. If its mark word is at hand, it does not wait. */
INLINE void found_in(Trace *t, Edges *e, uint32_t ref, uint64_t holder, Mode mode) {
  uint32_t page = page_of_word(ref);
  if (!ref) return;
  if (page != t->near && page != t->last) {
    if (__builtin_expect(t->stress, 0)) check_ref(t->gc, ref, holder);
    if (mode == DIRTY && !bits_test(t->gc->young_pages, page)) return;
    e->found++;
    if (t->far) ref = wait_for(t, e, ref, mode);
    if (!ref) return;
    t->last = t->stress ? NO_PAGE : page_of_word(ref);
  }
  mark_now(t, ref, mode);
}

/* ---- scanning -------------------------------------------------------------------------------- */

/* A part of a block: words [from, to), counted from its header. */
typedef struct Part { uint64_t from, to; } Part;
#define WHOLE ((Part){0, UINT64_MAX})

/* Is any of p[1] .. p[n] a reference? Most small blocks hold none: a jump into a row of tests takes
 * half the instructions of a loop. */
INLINE bool holds_refs(const Value *p, unsigned n) {
  switch (n) {
    default: return true; /* may be */
    case 6: if (holds_ref(p + 6)) return true; /* fall through */
    case 5: if (holds_ref(p + 5)) return true; /* fall through */
    case 4: if (holds_ref(p + 4)) return true; /* fall through */
    case 3: if (holds_ref(p + 3)) return true; /* fall through */
    case 2: if (holds_ref(p + 2)) return true; /* fall through */
    case 1: return holds_ref(p + 1);
    case 0: return false;
  }
}

INLINE void scan_values(Trace *t, Edges *e, uint64_t holder, uint64_t from, uint64_t to, Part part,
                        Mode mode) {
  if (from < part.from) from = part.from;
  if (to > part.to) to = part.to;
  const Value *p = t->cage + holder + from, *end = t->cage + holder + to;
  if (from >= to) return;
  for (; p < end; p++)
    if (holds_ref(p)) found_in(t, e, (uint32_t)*p, holder, mode);
}

INLINE void scan_pairs(Trace *t, Edges *e, uint64_t holder, unsigned pairs, Mode mode) {
  for (unsigned i = 1; i <= pairs; i++) {
    uint64_t pair = t->cage[holder + i];
    found_in(t, e, (uint32_t)pair, holder, mode);
    found_in(t, e, (uint32_t)(pair >> 32), holder, mode);
  }
}

/* The unused part of a stack would hold stale references: nil, written only where it is not. */
static void clear_unused(Gc *gc, uint64_t holder, uint64_t from, uint64_t to) {
  const Value nil = (uint64_t)0xFFF9 << 48;
  Value *p = (Value *)gc->base + holder;
  for (uint64_t i = from; i < to; i++) {
    if (p[i] == nil) continue;
    barrier_fresh(gc, holder + i, 1);
    p[i] = nil;
  }
}

static void list_stack(Gc *gc, uint64_t holder) {
  StackList *l = &gc->stacks;
  if (l->count == l->capacity) {
    uint64_t capacity = l->capacity ? 2 * l->capacity : 16;
    uint32_t *refs = realloc(l->refs, capacity * sizeof *refs);
    if (!refs) {
      l->lost = true;
      return;
    }
    l->refs = refs;
    l->capacity = capacity;
  }
  l->refs[l->count++] = (uint32_t)holder;
}

INLINE void scan_stack(Trace *t, Edges *e, uint64_t holder, const Header *h, Part part, Mode mode) {
  uint64_t used = t->cage[holder + 1], end = 2 + (used < h->aux ? used : h->aux);
  /* Between collections `used` may be out of date for the stack in use, which has been noted. */
  bool noted = t->gc->config.notes_stacks && !bits_test(t->gc->stored, page_of_word(holder));
  bool known = mode == MAJOR ? noted : !t->gc->marker.between;
  if (known && part.from <= 1)
    clear_unused(t->gc, holder, end, 2 + (uint64_t)h->aux);
  scan_values(t, e, holder, 2, end, part, mode);
}

INLINE void scan_plain(Trace *t, Edges *e, uint64_t holder, const Header *h, Part part, Mode mode) {
  unsigned pairs = layout_pairs(h->layout);
  if (h->layout & LAYOUT_AUX_REF) found_in(t, e, h->aux, holder, mode);
  if (pairs) scan_pairs(t, e, holder, pairs, mode);
  if (h->layout & LAYOUT_WEAK) weak_found(t->gc, holder, part.from, part.to, mode == MAJOR);
  else scan_values(t, e, holder, 1 + pairs, 1 + pairs + (uint64_t)h->n, part, mode);
}

/* Header and pairs are scanned with every part. */
INLINE void scan_part(Trace *t, Edges *e, uint64_t holder, Part part, Mode mode) {
  const Header *h = (const Header *)(t->cage + holder);
  switch (h->layout & LAYOUT_MASK) {
    case LAYOUT_VALUES: scan_plain(t, e, holder, h, part, mode); break;
    case LAYOUT_WIDE:
      if (h->layout & (LAYOUT_WEAK | LAYOUT_KEYED))
        weak_found(t->gc, holder, part.from, part.to, mode == MAJOR);
      else scan_values(t, e, holder, 1, 1 + (uint64_t)h->aux, part, mode);
      break;
    case LAYOUT_RAW:
      if (h->layout & LAYOUT_AUX_REF) found_in(t, e, h->aux, holder, mode);
      break;
    case LAYOUT_STACK: scan_stack(t, e, holder, h, part, mode); break;
  }
}

static bool is_long(const Header *h) {
  return (h->layout & LAYOUT_MASK) != LAYOUT_VALUES && (h->layout & LAYOUT_MASK) != LAYOUT_RAW &&
         h->aux > CHUNK_WORDS;
}

INLINE WideBlock *wide_of(Gc *gc, Mode mode) { return gc->marker.wide + (mode == MAJOR); }

/* A stack that a minor collection comes to. True: it is left for the next round, being noted. */
static bool put_off_stack(Gc *gc, uint64_t at) {
  if (!gc->config.notes_stacks) list_stack(gc, at);
  else if (gc->marker.between) barrier_remember(gc, page_of_word(at));
  return gc->config.notes_stacks && gc->marker.between;
}

/* All but plain blocks. A long one is left to be scanned by and by. */
INLINE void scan_special(Trace *t, Edges *e, uint64_t at, Mode mode) {
  const Header *h = (const Header *)(t->cage + at);
  bool stack = (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
  if (mode != MAJOR && stack && put_off_stack(t->gc, at)) return;
  if (is_long(h)) *wide_of(t->gc, mode) = (WideBlock){(uint32_t)at, 0};
  else scan_part(t, e, at, WHOLE, mode);
}

/* The parts of a plain block that mark_before_store has not looked at. */
static __attribute__((noinline)) void scan_unstored(Trace *t, Edges *e, uint64_t at,
                                                    uint64_t words) {
  for (uint64_t from = at, end; from < at + words; from = end) {
    uint32_t page = page_of_word(from);
    end = word_of_page(page + 1);
    if (!bits_test(t->gc->stored, page)) scan_part(t, e, at, (Part){from - at, end - at}, MAJOR);
  }
}

/* Are there such parts? Not so for all that the collector has to know as a whole. */
INLINE bool may_be_stored(Trace *t, uint64_t at, Mode mode) {
  const Header *h = (const Header *)(t->cage + at);
  return mode == MAJOR && (h->layout & LAYOUT_MASK) < LAYOUT_RAW && !is_long(h) &&
         !(h->layout & (LAYOUT_WEAK | LAYOUT_KEYED));
}

/* A pending block leaves the queue. Nearly all are plain: values, perhaps a ref in the header. */
INLINE void scan_block(Trace *t, Edges *e, uint64_t at, Mode mode) {
  const Value *p = t->cage + at;
  Header h = *(const Header *)p;
  if (h.layout & ~LAYOUT_AUX_REF) {
    scan_special(t, e, at, mode);
    return;
  }
  if (h.layout) found_in(t, e, h.aux, at, mode);
  if (!holds_refs(p, h.n)) return;
  for (const Value *v = p + h.n; v > p; v--)
    if (holds_ref(v)) found_in(t, e, (uint32_t)*v, at, mode);
}

/* A page of which no word of an old block may be written unnoticed from now on. */
INLINE void arm_page(Gc *gc, uint64_t page) {
  if (!(gc->states[page] & PAGE_OLD) && !bits_test(gc->dirty, page)) gc->states[page] |= PAGE_OLD;
}

static void arm_words(Gc *gc, uint64_t word, uint64_t n) {
  for (uint64_t page = page_of_word(word); page <= page_of_word(word + n - 1); page++)
    arm_page(gc, page);
}

INLINE uint64_t edge_work(Edges *e) {
  uint64_t work = (uint64_t)e->found * EDGE_WORK;
  e->found = 0;
  return work;
}

INLINE void scan_wide_chunk(Trace *t, Edges *e, Mode mode) {
  WideBlock *w = wide_of(t->gc, mode);
  const Header *h = (const Header *)(t->cage + w->at);
  uint64_t from = w->from, to = from + CHUNK_WORDS;
  scan_part(t, e, w->at, (Part){from, to - PLANTED(LONG_CUT)}, mode);
  t->gc->marker.work += CHUNK_WORDS / 2 + edge_work(e);
  w->from = (uint32_t)to;
  if (to >= (uint64_t)h->aux + 2) w->at = 0;
}

/* ---- draining -------------------------------------------------------------------------------- */

/* Words of a block in no slab, on a page of that descriptor. */
static uint64_t block_words(Gc *gc, const PageDesc *d, uint64_t at) {
  return d->kind == SPAN_MID ? segfit_words(gc, at) : (uint64_t)d->pages * GC_PAGE_WORDS;
}

/* What scanning a block outside of slabs costs: not much per word, since most hold no refs; long
 * ones are counted as they are scanned. */
static uint64_t work_of(const Header *h, uint64_t words) {
  return (h->layout & LAYOUT_MASK) == LAYOUT_RAW || is_long(h) ? 0 : words / 2;
}

/* The last slot of a page may reach into the next one. */
INLINE void arm_slots(Gc *gc, const PageDesc *d, uint32_t page) {
  arm_page(gc, page);
  const PageDesc *next = d + 1;
  if (next->kind == SPAN_SLAB && next->back == d->back + 1) arm_page(gc, (uint64_t)page + 1);
}

/* The pending blocks of a page of a slab, and how many. Those that turn up meanwhile on the words
 * scanned already wait until the page is visited again. */
INLINE uint64_t scan_slots(Trace *t, Edges *e, uint32_t page, Mode mode, bool watch) {
  uint64_t *pending = t->pending + bitword_of_page(page), first = word_of_page(page), blocks = 0;
  bool stored = mode == MAJOR && bits_test(t->gc->stored, page);
  for (unsigned i = 0; i < PAGE_BITWORDS; i++, first += 64) {
    for (uint64_t bits; (bits = pending[i]) != 0;) {
      pending[i] = 0;
      for (; bits; bits &= bits - 1, blocks++) {
        uint64_t at = first + (unsigned)__builtin_ctzll(bits);
        if (watch) weak_key_found(t->gc, (uint32_t)at);
        if (__builtin_expect(stored, 0) && may_be_stored(t, at, mode))
          scan_unstored(t, e, at, gc_block_words(t->gc, t->cage + at));
        else
          scan_block(t, e, at, mode);
      }
    }
  }
  return blocks;
}

/* The same of another page; gives their words. */
INLINE uint64_t scan_others(Trace *t, Edges *e, uint32_t page, Mode mode, bool watch) {
  uint64_t *pending = t->pending + bitword_of_page(page), first = word_of_page(page), words = 0;
  for (unsigned i = 0; i < PAGE_BITWORDS; i++, first += 64) {
    for (uint64_t bits; (bits = pending[i]) != 0;) {
      uint64_t at = first + (unsigned)__builtin_ctzll(bits);
      uint64_t size = block_words(t->gc, t->gc->table + page, at);
      pending[i] = bits & (bits - 1);
      words += size;
      if (t->arm) arm_words(t->gc, at, size);
      t->gc->marker.work += work_of((const Header *)(t->cage + at), size);
      if (watch) weak_key_found(t->gc, (uint32_t)at);
      if (may_be_stored(t, at, mode)) scan_unstored(t, e, at, size);
      else scan_block(t, e, at, mode);
    }
  }
  return words;
}

INLINE void scan_page(Trace *t, Edges *e, PageQueue *q, uint32_t page, Mode mode, bool watch) {
  Marker *m = &t->gc->marker;
  uint64_t words;
  const PageDesc *d = t->gc->table + page;
  q->link[page] = 0;
  t->near = t->stress ? NO_PAGE : page;
  if (d->kind == SPAN_SLAB) {
    if (t->arm) arm_slots(t->gc, d, page);
    uint64_t blocks = scan_slots(t, e, page, mode, watch);
    words = blocks * gc_class_words[d->run % GC_CLASSES];
    m->work += words;
  } else {
    words = scan_others(t, e, page, mode, watch);
  }
  m->work += PAGE_WORK + edge_work(e);
  *(mode == MAJOR ? &m->slow_words : &m->words) += words;
}

/* Pages taken from the queue, first to be scanned first: `ready` of them with their blocks being
 * fetched, the others with their pending bits. */
typedef struct Window {
  unsigned at, count, ready;
  uint32_t page[WINDOW];
} Window;

INLINE uint32_t page_in(const Window *w, unsigned i) { return w->page[(w->at + i) % WINDOW]; }

INLINE void fetch_first_block(Trace *t, uint32_t page) {
  const uint64_t *pending = t->pending + bitword_of_page(page);
  unsigned i = 0;
  while (i < PAGE_BITWORDS && !pending[i]) i++;
  if (i == PAGE_BITWORDS) return;
  __builtin_prefetch(t->cage + word_of_page(page) + 64 * i + (unsigned)__builtin_ctzll(pending[i]));
}

/* Fetches the pending blocks of a page, but for those that the processor will by itself. */
INLINE void fetch_blocks(Trace *t, uint32_t page) {
  const uint64_t *pending = t->pending + bitword_of_page(page);
  const Value *p = t->cage + word_of_page(page);
  unsigned n = 0;
  for (unsigned i = 0; i < PAGE_BITWORDS && n < DENSE; i++, p += 64) {
    for (uint64_t bits = pending[i]; bits; bits &= bits - 1, n++) {
      __builtin_prefetch(p + (unsigned)__builtin_ctzll(bits));
      __builtin_prefetch(p + (unsigned)__builtin_ctzll(bits) + 5);
    }
  }
}

/* Pages enter the window by batches. The first touch of a page is a walk through the page tables,
 * and nothing else goes on until that is done; those of a batch are done at the same time (on a
 * shuffled heap of 256 MB marking takes 0.69 of the time that it took page by page). */
INLINE void fill_window(Trace *t, PageQueue *q, Window *w) {
  unsigned had = w->count;
  if (had > BATCH) return;
  for (; w->count < WINDOW && q->head; w->count++) {
    uint32_t page = w->page[(w->at + w->count) % WINDOW] = dequeue(q);
    __builtin_prefetch(t->pending + bitword_of_page(page), 1);
    __builtin_prefetch(t->gc->table + page);
    __builtin_prefetch(q->link + q->head);
  }
  if (!t->far) return;
  for (unsigned i = w->ready; i < had; i++) fetch_first_block(t, page_in(w, i));
  for (; w->ready < had; w->ready++) fetch_blocks(t, page_in(w, w->ready));
}

INLINE uint32_t leave_window(Window *w) {
  uint32_t page = page_in(w, 0);
  w->at++;
  w->count--;
  w->ready -= w->ready > 0;
  return page;
}

/* Puts the pages of the window back in front of the queue. */
static void put_back(PageQueue *q, const Window *w) {
  for (unsigned i = w->count; i--;) {
    uint32_t page = page_in(w, i);
    q->link[page] = q->head ? q->head : page;
    if (!q->head) q->tail = page;
    q->head = page;
  }
}

INLINE void drain(Gc *gc, Mode mode, uint64_t limit, bool watch) {
  Trace t = trace_open(gc, mode);
  Edges e = {0};
  Window w = {0};
  PageQueue *q = mode == MAJOR ? &t.slow : &t.grey;
  while (gc->marker.work < limit) {
    fill_window(&t, q, &w);
    if (wide_of(gc, mode)->at) scan_wide_chunk(&t, &e, mode);
    else if (w.count) scan_page(&t, &e, q, leave_window(&w), mode, watch);
    else if (!flush_edges(&t, &e, mode)) break;
  }
  flush_edges(&t, &e, mode);
  put_back(q, &w);
  trace_close(&t);
}

/* At the end, when marking tells of what it finds (weak.c): apart, so that the usual loops do not
 * know of it. */
static __attribute__((noinline)) void drain_watched(Gc *gc, Mode mode, uint64_t limit) {
  if (mode == MAJOR) drain(gc, MAJOR, limit, true);
  else drain(gc, PLAIN, UINT64_MAX, true);
}

bool mark_slow_is_idle(Gc *gc) { return !gc->marker.slow.head && !wide_of(gc, MAJOR)->at; }

static uint64_t limit_for(Gc *gc, uint64_t budget) {
  uint64_t limit = gc->marker.work + budget;
  return limit < budget ? UINT64_MAX : limit;
}

bool mark_step(Gc *gc, uint64_t budget) {
  uint64_t start = gc->marker.work;
  const Weak *w = &gc->weak;
  if (w->waits.open || w->slow_waits.open) drain_watched(gc, MAJOR, limit_for(gc, budget));
  else drain(gc, MAJOR, limit_for(gc, budget), false);
  gc->marker.slow_work += gc->marker.work - start;
  return mark_slow_is_idle(gc);
}

/* The roots pushed since, for one purpose. */
INLINE void take_roots_as(Gc *gc, Mode mode) {
  Trace t = trace_open(gc, mode);
  for (unsigned i = 0; i < gc->marker.root_count; i++) mark_now(&t, gc->marker.roots[i], mode);
  trace_close(&t);
}

/* When the major collection begins, they are its own; in its last round anyone's. */
static void take_roots(Gc *gc) {
  Marker *m = &gc->marker;
  if (!m->begin) take_roots_as(gc, PLAIN);
  if (m->begin || m->final) take_roots_as(gc, MAJOR);
  m->root_count = 0;
}

bool mark_round(Gc *gc, uint64_t budget) {
  take_roots(gc);
  if (gc->weak.waits.open) drain_watched(gc, PLAIN, UINT64_MAX);
  else drain(gc, PLAIN, limit_for(gc, budget), false);
  return !gc->marker.grey.head && !wide_of(gc, PLAIN)->at;
}

void mark_drain(Gc *gc) {
  do mark_round(gc, UINT64_MAX);
  while (gc->marker.final && !mark_slow_is_idle(gc) && mark_step(gc, UINT64_MAX));
}

static void drop_queue(PageQueue *q, uint64_t *pending) {
  while (q->head) {
    uint32_t page = dequeue(q);
    q->link[page] = 0;
    for (unsigned i = 0; i < PAGE_BITWORDS; i++) pending[bitword_of_page(page) + i] = 0;
  }
}

void mark_abort_minor(Gc *gc) {
  drop_queue(&gc->marker.grey, gc->pending);
  gc->marker.root_count = 0;
  *wide_of(gc, PLAIN) = (WideBlock){0, 0};
}

void mark_abort(Gc *gc) {
  mark_abort_minor(gc);
  drop_queue(&gc->marker.slow, gc->slow_pending);
  *wide_of(gc, MAJOR) = (WideBlock){0, 0};
}

void mark_forget(Gc *gc, uint64_t word) {
  WideBlock *wide = gc->marker.wide;
  bits_clear(gc->marks, word);
  if (gc->phase != PHASE_IDLE) bits_clear(gc->next, word);
  if (gc->phase == PHASE_IDLE && !gc->rounds) return;
  bits_clear(gc->pending, word);
  bits_clear(gc->slow_pending, word);
  for (int i = 0; i < 2; i++)
    if (wide[i].at == word) wide[i].at = 0;
}

/* ---- what a minor collection starts from ----------------------------------------------------- */

/* Those words of an old block that lie on the page. A stack whose header does is scanned as a
 * whole, see gc_note_stack; not between rounds, then it is true that it was left out. */
INLINE bool scan_on_page(Trace *t, Edges *e, uint64_t at, uint64_t first) {
  const Header *h = (const Header *)(t->cage + at);
  bool noted = at >= first && (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
  uint64_t from = at < first ? first - at : 0;
  if (noted && t->gc->marker.between) return true;
  scan_part(t, e, at, noted ? WHOLE : (Part){from, first + GC_PAGE_WORDS - at}, DIRTY);
  return false;
}

uint64_t mark_first_on_page(Gc *gc, const uint64_t *marks, uint32_t span, uint64_t first) {
  const PageDesc *d = gc->table + span;
  uint64_t start = word_of_page(span);
  if (d->kind == SPAN_SLAB) return first - (first - start) % gc_class_words[d->run % GC_CLASSES];
  return d->kind == SPAN_MID ? bits_previous(marks, start, first) : start;
}

/* The page is armed again if it can be. */
static void scan_dirty_page(Trace *t, Edges *e, uint32_t page) {
  Gc *gc = t->gc;
  uint32_t span = page_span(gc, page);
  bool stack = false;
  if (!PLANTED(MINOR_STAYS_DIRTY)) bits_clear(gc->dirty, page);
  gc->dirty_count--;
  if (!span) return; /* it was freed since */
  uint64_t first = word_of_page(page), end = first + GC_PAGE_WORDS;
  uint64_t at = mark_first_on_page(gc, gc->marks, span, first);
  if (gc->table[span].kind == SPAN_LARGE) end = at + 1;
  for (at = bits_next(gc->marks, at, end); at < end; at = bits_next(gc->marks, at + 1, end))
    stack |= scan_on_page(t, e, at, first);
  if (!PLANTED(MINOR_NOT_ARMED)) gc->states[page] |= PAGE_OLD;
  if (stack) barrier_remember(gc, page);
  gc->marker.work += DIRTY_WORK + edge_work(e);
}

static uint64_t dirty_words(Gc *gc) { return gc->top_page / 64 + 1; }

bool mark_dirty_pages(Gc *gc, uint64_t budget) {
  Trace t = trace_open(gc, DIRTY);
  Edges e = {0};
  uint64_t limit = limit_for(gc, budget), i = 0, n = gc->dirty_count ? dirty_words(gc) : 0;
  for (; i < n && gc->marker.work < limit; i++)
    for (uint64_t bits = gc->dirty[i]; bits; bits &= bits - 1)
      scan_dirty_page(&t, &e, (uint32_t)(64 * i) + (unsigned)__builtin_ctzll(bits));
  flush_edges(&t, &e, DIRTY);
  trace_close(&t);
  if (PLANTED(MINOR_CLEAN_EARLY)) mark_forget_dirty(gc);
  return i == n;
}

/* A listed stack may have been released since, and its place used again. */
static bool is_old_stack(Gc *gc, uint32_t ref) {
  if ((gc->states[page_of_word(ref)] & PAGE_FREE) || !bits_test(gc->marks, ref)) return false;
  const Header *h = (const Header *)gc_ptr(gc->base, (Ref){ref});
  return (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
}

/* ---- the beginning of a major collection ---------------------------------------------------- */

/* It will scan the block, which may be free by then otherwise. */
static bool is_unscanned(Gc *gc, uint64_t at) {
  return !bits_test(gc->next, at) || bits_test(gc->slow_pending, at) ||
         wide_of(gc, MAJOR)->at == at;
}

static void scan_before(Trace *t, Edges *e, uint32_t page) {
  Gc *gc = t->gc;
  uint32_t span = page_span(gc, page);
  if (!span) return;
  uint64_t first = word_of_page(page), end = first + GC_PAGE_WORDS;
  uint64_t at = mark_first_on_page(gc, gc->marks, span, first);
  if (gc->table[span].kind == SPAN_LARGE) end = at + 1;
  for (at = bits_next(gc->marks, at, end); at < end; at = bits_next(gc->marks, at + 1, end)) {
    const Header *h = (const Header *)(t->cage + at);
    bool noted = at >= first && (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
    uint64_t from = at < first ? first - at : 0;
    if (is_unscanned(gc, at))
      scan_part(t, e, at, noted ? WHOLE : (Part){from, first + GC_PAGE_WORDS - at}, MAJOR);
  }
}

/* In the last round nothing is left to be kept, and nothing must be put into the queue any more. */
void mark_before_store(Gc *gc, uint64_t page) {
  if (gc->marker.final || bits_test(gc->stored, page)) return;
  Trace t = trace_open(gc, MAJOR);
  t.stress = false; /* the alloc bits are out of date */
  Edges e = {0};
  scan_before(&t, &e, (uint32_t)page);
  flush_edges(&t, &e, MAJOR);
  trace_close(&t);
  bits_set(gc->stored, page);
}

void mark_begin_major(Gc *gc) {
  memset(gc->stored, 0, gc->top_page / 8 + 1);
  gc->marker.begin = true;
  if (gc->config.mark_roots) gc->config.mark_roots(gc, gc->config.embedder);
  mark_root_area(gc);
  final_mark_list(gc);
  take_roots(gc);
  gc->marker.begin = false;
  Trace t = trace_open(gc, MAJOR);
  Edges e = {0};
  for (uint64_t i = 0, n = gc->stacks.count; i < n; i++)
    if (is_old_stack(gc, gc->stacks.refs[i])) scan_part(&t, &e, gc->stacks.refs[i], WHOLE, MAJOR);
  flush_edges(&t, &e, MAJOR);
  trace_close(&t);
  /* The stacks that the embedder has just noted. */
  for (uint64_t i = 0, n = gc->dirty_count ? dirty_words(gc) : 0; i < n; i++)
    for (uint64_t bits = gc->dirty[i]; bits; bits &= bits - 1)
      mark_before_store(gc, 64 * i + (unsigned)__builtin_ctzll(bits));
}

bool mark_keeps(Gc *gc, uint64_t word) {
  const Header *h = (const Header *)gc_ptr(gc->base, (Ref){(uint32_t)word});
  if (gc->phase != PHASE_MARK || !bits_test(gc->marks, word) || !is_unscanned(gc, word))
    return false;
  if ((h->layout & LAYOUT_MASK) == LAYOUT_RAW && !(h->layout & LAYOUT_AUX_REF)) return false;
  gc_revive(gc, (Ref){(uint32_t)word});
  return true;
}

void gc_revive(Gc *gc, Ref r) {
  if (gc->purge && gc_is_dead(gc, r)) purge_bring_back(gc, r.w);
  if (gc->phase != PHASE_MARK) return;
  Trace t = trace_open(gc, MAJOR);
  mark_now(&t, r.w, MAJOR);
  trace_close(&t);
}

void mark_forget_dirty(Gc *gc) {
  for (uint64_t i = 0, n = gc->dirty_count ? dirty_words(gc) : 0; i < n; i++) {
    for (; gc->dirty[i]; gc->dirty[i] &= gc->dirty[i] - 1) {
      uint32_t page = (uint32_t)(64 * i) + (unsigned)__builtin_ctzll(gc->dirty[i]);
      if (!(gc->states[page] & PAGE_FREE)) gc->states[page] |= PAGE_OLD;
    }
  }
  gc->dirty_count = 0;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

void mark_stacks(Gc *gc) {
  if (PLANTED(STACKS_FORGOTTEN)) return;
  Trace t = trace_open(gc, DIRTY);
  Edges e = {0};
  for (uint64_t i = 0, n = gc->stacks.count; i < n; i++)
    if (is_old_stack(gc, gc->stacks.refs[i])) scan_part(&t, &e, gc->stacks.refs[i], WHOLE, DIRTY);
  gc->marker.work += edge_work(&e);
  flush_edges(&t, &e, DIRTY);
  trace_close(&t);
}

/* `pending`, which is all zero between collections, serves to drop duplicates. */
void mark_filter_stacks(Gc *gc, const uint64_t *marks) {
  StackList *l = &gc->stacks;
  uint64_t kept = 0;
  for (uint64_t i = 0; i < l->count; i++) {
    uint32_t ref = l->refs[i];
    if (!bits_test(marks, ref) || bits_test(gc->pending, ref)) continue;
    bits_set(gc->pending, ref);
    l->refs[kept++] = ref;
  }
  l->count = kept;
  for (uint64_t i = 0; i < kept; i++) bits_clear(gc->pending, l->refs[i]);
}

void mark_close(Gc *gc) { free(gc->stacks.refs); }

/* ---- roots ----------------------------------------------------------------------------------- */

void gc_mark_ref(Gc *gc, Ref r) {
  Marker *m = &gc->marker;
  if (!r.w) return;
  if (gc->config.stress) check_ref(gc, r.w, 0);
  if (m->root_count == MARKER_ROOTS) take_roots(gc);
  __builtin_prefetch(gc->marks + (r.w >> 6), 1);
  m->roots[m->root_count++] = r.w;
}

void gc_mark_value(Gc *gc, Value v) {
  if (is_ref(v)) gc_mark_ref(gc, (Ref){(uint32_t)v});
}

void gc_mark_drain(Gc *gc) { weak_mark(gc); }

void mark_root_area(Gc *gc) {
  Value *roots = (Value *)(gc->base + GC_ROOT_OFF);
  for (uint64_t i = PLANTED(ROOT_FORGOTTEN); i < GC_ROOT_BYTES / 8; i++)
    gc_mark_value(gc, roots[i]);
}
