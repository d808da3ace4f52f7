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
 *   a ref is found          fetch its mark word, queue it in `edges`
 *   it leaves `edges`       test and set its mark; if it was not set: set pending, queue its page.
 *                           (A ref to a page that is at hand does not wait)
 *   a page leaves the queue  fetch its pending bits, put it in the window
 *   half-way through it     fetch its first pending blocks
 *   it leaves the window    scan its pending blocks
 *
 * Two collections may be under way: a major one that marks old blocks in `next`, step by step, and
 * in between minor ones that mark young blocks in `marks`, at once. Three modes:
 *
 *   PLAIN   no major collection is marking. Sets `marks`; what is marked already ends the search.
 *           A full collection is this, after clearing the marks
 *   SHADE   a minor one while a major one marks. Young blocks are marked in both maps: they have
 *           been scanned, for both purposes. An old block found is marked in `next` and left to the
 *           major collection, in its own queue
 *   MAJOR   a step of the major one: old blocks alone; the young are the minor one's business
 *
 * So nothing is lost: a block scanned by the major collection whose contents changed lies on a dirty
 * page, and the next minor collection, in mode SHADE, looks at it. The two queues share `pending`:
 * scanning a block early or again does no harm.
 */
#include "mark.h"

#include <stdio.h>
#include <stdlib.h>

#include "bits.h"
#include "cage.h"
#include "page.h"
#include "segfit.h"

enum { WINDOW = 8, EDGES = 16, CHUNK_WORDS = 8704, DENSE = 24 };
enum { PAGE_WORK = 64 }; /* what a visit to a page costs, in words to look at */
_Static_assert((int)CHUNK_WORDS >= (int)MID_MAX_WORDS,
               "a long block is a large one, alone on its page");
typedef enum Mode { PLAIN, SHADE, MAJOR } Mode;

#define INLINE static inline __attribute__((always_inline))

/* What a loop works with, in local variables: stores to the heap and to bitmaps could change what
 * `gc` points to, for all the compiler knows. */
typedef struct Trace {
  Gc *gc;
  Value *cage;
  uint64_t *marks, *next, *pending;
  PageQueue grey, slow;
  uint32_t near, last; /* the page being scanned, and that of the last block marked: their bits are
                          at hand */
  bool stress;
} Trace;

/* Refs found, their mark words being fetched. */
typedef struct Edges {
  unsigned at, count;
  uint32_t ref[EDGES];
} Edges;

static Trace trace_open(Gc *gc) {
  const Marker *m = &gc->marker;
  return (Trace){.gc = gc, .cage = (Value *)gc->base, .marks = gc->marks, .next = gc->next,
                 .pending = gc->pending, .grey = m->grey, .slow = m->slow,
                 .stress = gc->config.stress};
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

INLINE void enqueue(PageQueue *q, uint32_t page) {
  if (q->link[page]) return;
  q->link[page] = page;
  if (!q->head) {
    q->head = q->tail = page;
  } else if (q->newest_first) {
    q->link[page] = q->head;
    q->head = page;
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

/* First in, first out lets most blocks gather on a page before it is visited. On heaps laid out depth-
 * first, no more gather so than otherwise, and then the newest page is better: it is in the cache
 * (52 and 64 M objects/s; on a shuffled heap it is 24 and 6). So both are tried now and then. */
static const uint32_t stage_visits[] = {2048, 256, 512, 16384};

static void next_stage(PageQueue *q) {
  switch (q->stage) {
    case 0: q->fifo_blocks = q->blocks / (stage_visits[0] / stage_visits[2]); /* fall through */
    case 1: q->newest_first = true; break; /* stage 1 is for the change to take effect */
    default: q->newest_first = q->blocks >= q->fifo_blocks - q->fifo_blocks / 8; break;
    case 3: q->newest_first = false; break;
  }
  q->stage = (q->stage + 1) % 4;
  q->visits = q->blocks = 0;
}

/* ---- edges ----------------------------------------------------------------------------------- */

INLINE void grey(Trace *t, PageQueue *q, uint32_t ref) {
  t->pending[ref >> 6] |= (uint64_t)1 << (ref & 63);
  enqueue(q, page_of_word(ref));
}

INLINE void mark_now(Trace *t, uint32_t ref, Mode mode) {
  uint64_t bit = (uint64_t)1 << (ref & 63), i = ref >> 6, old = t->marks[i] & bit;
  if (mode == PLAIN) {
    if (old) return;
    t->marks[i] |= bit;
    grey(t, &t->grey, ref);
  } else if (mode == SHADE && !old) {
    t->marks[i] |= bit;
    t->next[i] |= bit;
    grey(t, &t->grey, ref);
  } else if (old && !(t->next[i] & bit)) {
    t->next[i] |= bit;
    grey(t, &t->slow, ref);
  }
}

INLINE uint32_t oldest_edge(Edges *e) { return e->ref[(e->at - e->count--) % EDGES]; }

INLINE void flush_edges(Trace *t, Edges *e, Mode mode) {
  while (e->count) mark_now(t, oldest_edge(e), mode);
}

/* A ref whose mark word is at hand does not wait. */
INLINE void found(Trace *t, Edges *e, uint32_t ref, Mode mode) {
  uint32_t page = page_of_word(ref);
  if (page == t->near || page == t->last) {
    mark_now(t, ref, mode);
    return;
  }
  __builtin_prefetch((mode == MAJOR ? t->next : t->marks) + (ref >> 6), 1);
  __builtin_prefetch(t->pending + (ref >> 6), 1);
  if (e->count == EDGES) {
    uint32_t oldest = oldest_edge(e);
    t->last = page_of_word(oldest);
    mark_now(t, oldest, mode);
  }
  e->ref[e->at++ % EDGES] = ref;
  e->count++;
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

/* A ref found in the block `holder`. */
INLINE void found_in(Trace *t, Edges *e, uint32_t ref, uint64_t holder, Mode mode) {
  if (!ref) return;
  if (__builtin_expect(t->stress, 0)) check_ref(t->gc, ref, holder);
  found(t, e, ref, mode);
}

/* ---- scanning -------------------------------------------------------------------------------- */

/* A part of a block: words [from, to), counted from its header. */
typedef struct Part { uint64_t from, to; } Part;
#define WHOLE ((Part){0, UINT64_MAX})

INLINE void scan_values(Trace *t, Edges *e, uint64_t holder, uint64_t from, uint64_t to, Part part,
                        Mode mode) {
  if (from < part.from) from = part.from;
  if (to > part.to) to = part.to;
  if (from >= to) return;
  for (const Value *p = t->cage + holder + from, *end = t->cage + holder + to; p < end; p++)
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
  /* Between collections `used` may be out of date: a step must not clear. */
  if (mode != MAJOR && part.from <= 1) clear_unused(t->gc, holder, end, 2 + (uint64_t)h->aux);
  scan_values(t, e, holder, 2, end, part, mode);
}

INLINE void scan_plain(Trace *t, Edges *e, uint64_t holder, const Header *h, Part part, Mode mode) {
  unsigned pairs = (h->layout & LAYOUT_PAIR_MASK) >> LAYOUT_PAIR_SHIFT;
  if (h->layout & LAYOUT_AUX_REF) found_in(t, e, h->aux, holder, mode);
  if (pairs) scan_pairs(t, e, holder, pairs, mode);
  if (h->layout & LAYOUT_WEAK) return;
  scan_values(t, e, holder, 1 + pairs, 1 + pairs + (uint64_t)h->n, part, mode);
}

/* Header and pairs are scanned with every part. */
INLINE void scan_part(Trace *t, Edges *e, uint64_t holder, Part part, Mode mode) {
  const Header *h = (const Header *)(t->cage + holder);
  switch (h->layout & LAYOUT_MASK) {
    case LAYOUT_VALUES: scan_plain(t, e, holder, h, part, mode); break;
    case LAYOUT_WIDE:
      if (h->layout & LAYOUT_WEAK) break;
      scan_values(t, e, holder, 1, 1 + (uint64_t)h->aux, part, mode);
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

/* All but plain blocks. A long one is left to be scanned by and by where that matters. */
INLINE void scan_special(Trace *t, Edges *e, uint64_t at, Mode mode) {
  Marker *m = &t->gc->marker;
  const Header *h = (const Header *)(t->cage + at);
  if (mode == MAJOR && is_long(h)) {
    m->wide = (uint32_t)at;
    m->wide_from = 0;
    return;
  }
  if (mode != MAJOR && (h->layout & LAYOUT_MASK) == LAYOUT_STACK && !t->gc->config.notes_stacks)
    list_stack(t->gc, at);
  scan_part(t, e, at, WHOLE, mode);
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
  for (const Value *v = p + h.n; v > p; v--)
    if (holds_ref(v)) found_in(t, e, (uint32_t)*v, at, mode);
}

INLINE void scan_wide_chunk(Trace *t, Edges *e) {
  Marker *m = &t->gc->marker;
  const Header *h = (const Header *)(t->cage + m->wide);
  uint64_t from = m->wide_from, to = from + CHUNK_WORDS;
  scan_part(t, e, m->wide, (Part){from, to}, MAJOR);
  m->work += CHUNK_WORDS;
  m->wide_from = (uint32_t)to;
  if (to >= (uint64_t)h->aux + 2) m->wide = 0;
}

/* ---- draining -------------------------------------------------------------------------------- */

/* Words of a block in no slab, on a page of that descriptor. */
static uint64_t block_words(Gc *gc, const PageDesc *d, uint64_t at) {
  return d->kind == SPAN_MID ? segfit_words(gc, at) : (uint64_t)d->pages * GC_PAGE_WORDS;
}

INLINE void scan_page(Trace *t, Edges *e, PageQueue *q, uint32_t page, Mode mode) {
  uint64_t *pending = t->pending + bitword_of_page(page), first = word_of_page(page);
  uint64_t words = 0, blocks = 0, work = PAGE_WORK;
  const PageDesc *d = t->gc->table + page;
  uint64_t slot = d->kind == SPAN_SLAB ? gc_class_words[d->run % GC_CLASSES] : 0;
  q->link[page] = 0;
  t->near = page;
  for (unsigned i = 0; i < PAGE_BITWORDS; i++, first += 64) {
    for (uint64_t bits; (bits = pending[i]) != 0;) {
      uint64_t at = first + (unsigned)__builtin_ctzll(bits);
      pending[i] = bits & (bits - 1);
      if (!slot) {
        uint64_t size = block_words(t->gc, d, at);
        words += size;
        work += (((const Header *)(t->cage + at))->layout & LAYOUT_MASK) == LAYOUT_RAW ? 0 : size / 2;
      }
      blocks++;
      scan_block(t, e, at, mode);
    }
  }
  words += blocks * slot;
  q->blocks += (uint32_t)blocks;
  t->gc->marker.work += work + blocks * slot;
  if (++q->visits == stage_visits[q->stage]) next_stage(q);
  if (mode == MAJOR) t->gc->marker.slow_words += words;
  else t->gc->marker.words += words;
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

/* Puts the pages of the window back in front of the queue. */
static void put_back(PageQueue *q, const uint32_t *window, unsigned at, unsigned count) {
  while (count) {
    uint32_t page = window[(at + --count) % WINDOW];
    q->link[page] = q->head ? q->head : page;
    if (!q->head) q->tail = page;
    q->head = page;
  }
}

INLINE void drain(Gc *gc, Mode mode, uint64_t limit) {
  Trace t = trace_open(gc);
  Edges e = {0};
  PageQueue *q = mode == MAJOR ? &t.slow : &t.grey;
  uint32_t window[WINDOW];
  unsigned at = 0, count = 0;
  while (mode != MAJOR || gc->marker.work < limit) {
    for (; count < WINDOW && q->head; count++) {
      uint32_t page = window[(at + count) % WINDOW] = dequeue(q);
      __builtin_prefetch(t.pending + bitword_of_page(page), 1);
      if (count >= WINDOW / 2) fetch_blocks(&t, window[(at + WINDOW / 2) % WINDOW]);
    }
    if (mode == MAJOR && gc->marker.wide) {
      scan_wide_chunk(&t, &e);
    } else if (count) {
      scan_page(&t, &e, q, window[at], mode);
      at = (at + 1) % WINDOW;
      count--;
    } else if (e.count) {
      flush_edges(&t, &e, mode);
    } else {
      break;
    }
  }
  flush_edges(&t, &e, mode);
  put_back(q, window, at, count);
  trace_close(&t);
}

bool mark_slow_is_idle(Gc *gc) { return !gc->marker.slow.head && !gc->marker.wide; }

bool mark_step(Gc *gc, uint64_t budget) {
  uint64_t start = gc->marker.work, limit = start + budget;
  drain(gc, MAJOR, limit < budget ? UINT64_MAX : limit);
  gc->marker.slow_work += gc->marker.work - start;
  return mark_slow_is_idle(gc);
}

/* The roots pushed since. */
static void take_roots(Gc *gc) {
  Trace t = trace_open(gc);
  Marker *m = &gc->marker;
  for (unsigned i = 0; i < m->root_count; i++) {
    if (m->shade) mark_now(&t, m->roots[i], SHADE);
    else mark_now(&t, m->roots[i], PLAIN);
  }
  m->root_count = 0;
  trace_close(&t);
}

void mark_drain(Gc *gc) {
  Marker *m = &gc->marker;
  take_roots(gc);
  if (!m->shade) {
    drain(gc, PLAIN, 0);
    return;
  }
  do drain(gc, SHADE, 0);
  while (m->final && !mark_slow_is_idle(gc) && mark_step(gc, UINT64_MAX));
}

void mark_abort(Gc *gc) {
  PageQueue *q = &gc->marker.slow;
  while (q->head) {
    uint32_t page = dequeue(q);
    q->link[page] = 0;
    for (unsigned i = 0; i < PAGE_BITWORDS; i++) gc->pending[bitword_of_page(page) + i] = 0;
  }
  gc->marker.wide = 0;
}

void mark_forget(Gc *gc, uint64_t word) {
  bits_clear(gc->marks, word);
  if (gc->phase == PHASE_IDLE) return;
  bits_clear(gc->next, word);
  bits_clear(gc->pending, word);
  if (gc->marker.wide == word) gc->marker.wide = 0;
}

/* ---- what a minor collection starts from ----------------------------------------------------- */

INLINE void scan_any_part(Trace *t, Edges *e, uint64_t holder, Part part) {
  if (t->gc->marker.shade) scan_part(t, e, holder, part, SHADE);
  else scan_part(t, e, holder, part, PLAIN);
}

INLINE void flush_any(Trace *t, Edges *e) {
  if (t->gc->marker.shade) flush_edges(t, e, SHADE);
  else flush_edges(t, e, PLAIN);
}

/* Those words of an old block that lie on the page. A stack whose header does is scanned as a
 * whole: gc_note_stack. */
INLINE void scan_on_page(Trace *t, Edges *e, uint64_t at, uint64_t first) {
  const Header *h = (const Header *)(t->cage + at);
  bool noted = at >= first && (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
  uint64_t from = at < first ? first - at : 0;
  scan_any_part(t, e, at, noted ? WHOLE : (Part){from, first + GC_PAGE_WORDS - at});
}

/* Where to look for the first block that reaches into the page. */
static uint64_t first_on_page(Gc *gc, uint32_t span, uint64_t first) {
  const PageDesc *d = gc->table + span;
  uint64_t start = word_of_page(span);
  if (d->kind == SPAN_SLAB) return first - (first - start) % gc_class_words[d->run % GC_CLASSES];
  return d->kind == SPAN_MID ? bits_previous(gc->marks, start, first) : start;
}

static void scan_dirty_page(Trace *t, Edges *e, uint32_t page) {
  Gc *gc = t->gc;
  uint32_t span = page_span(gc, page);
  if (!span) return; /* it was freed since */
  uint64_t first = word_of_page(page), end = first + GC_PAGE_WORDS;
  uint64_t at = first_on_page(gc, span, first);
  if (gc->table[span].kind == SPAN_LARGE) end = at + 1;
  for (at = bits_next(gc->marks, at, end); at < end; at = bits_next(gc->marks, at + 1, end))
    scan_on_page(t, e, at, first);
  gc->states[page] |= PAGE_OLD;
  gc->marker.work += GC_PAGE_WORDS;
}

static uint64_t dirty_words(Gc *gc) { return gc->top_page / 64 + 1; }

void mark_dirty_pages(Gc *gc) {
  Trace t = trace_open(gc);
  Edges e = {0};
  for (uint64_t i = 0, n = gc->dirty_count ? dirty_words(gc) : 0; i < n; i++) {
    while (gc->dirty[i]) {
      uint32_t page = (uint32_t)(64 * i) + (unsigned)__builtin_ctzll(gc->dirty[i]);
      gc->dirty[i] &= gc->dirty[i] - 1;
      scan_dirty_page(&t, &e, page);
    }
  }
  flush_any(&t, &e);
  trace_close(&t);
  gc->dirty_count = 0;
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

/* A listed stack may have been released since, and its place used again. */
static bool is_old_stack(Gc *gc, uint32_t ref) {
  if ((gc->states[page_of_word(ref)] & PAGE_FREE) || !bits_test(gc->marks, ref)) return false;
  const Header *h = (const Header *)gc_ptr(gc->base, (Ref){ref});
  return (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
}

void mark_stacks(Gc *gc) {
  Trace t = trace_open(gc);
  Edges e = {0};
  for (uint64_t i = 0, n = gc->stacks.count; i < n; i++)
    if (is_old_stack(gc, gc->stacks.refs[i])) scan_any_part(&t, &e, gc->stacks.refs[i], WHOLE);
  flush_any(&t, &e);
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

/* What after_mark keeps alive for the sake of weak entries must not keep old blocks alive that the
 * major collection may find dead: it would see them shaded anew each time. */
void gc_mark_ref(Gc *gc, Ref r) {
  Marker *m = &gc->marker;
  if (!r.w || (m->weak && bits_test(gc->marks, r.w))) return;
  if (gc->config.stress) check_ref(gc, r.w, 0);
  if (m->root_count == MARKER_ROOTS) take_roots(gc);
  __builtin_prefetch(gc->marks + (r.w >> 6), 1);
  m->roots[m->root_count++] = r.w;
}

void gc_mark_value(Gc *gc, Value v) {
  if (is_ref(v)) gc_mark_ref(gc, (Ref){(uint32_t)v});
}

void gc_mark_drain(Gc *gc) { mark_drain(gc); }

void mark_root_area(Gc *gc) {
  Value *roots = (Value *)(gc->base + GC_ROOT_OFF);
  for (uint64_t i = 0; i < GC_ROOT_BYTES / 8; i++) gc_mark_value(gc, roots[i]);
}
