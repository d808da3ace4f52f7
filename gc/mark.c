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
 *                           (A ref to the page being scanned does not wait: that page is at hand)
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

enum { WINDOW = 8, CHUNK_WORDS = 4096 };
typedef enum Mode { PLAIN, SHADE, MAJOR } Mode;

#define INLINE static inline __attribute__((always_inline))

static bool is_ref(Value v) { return v >> 48 == VALUE_REF_HIGH; }

static Value *words_at(Gc *gc, uint64_t word) { return (Value *)gc->base + word; }

/* ---- queues of pages ------------------------------------------------------------------------- */

INLINE void enqueue(PageQueue *q, uint32_t page) {
  if (q->link[page]) return;
  q->link[page] = page;
  if (q->head) q->link[q->tail] = page;
  else q->head = page;
  q->tail = page;
}

/* Its link stays set: new pending blocks of it need not queue it again. */
INLINE uint32_t dequeue(PageQueue *q) {
  uint32_t page = q->head, next = q->link[page];
  q->head = next == page ? 0 : next;
  return page;
}

/* ---- edges ----------------------------------------------------------------------------------- */

INLINE void grey(Gc *gc, PageQueue *q, uint32_t ref) {
  gc->pending[ref >> 6] |= (uint64_t)1 << (ref & 63);
  enqueue(q, page_of_word(ref));
}

INLINE void mark_now(Gc *gc, uint32_t ref, Mode mode) {
  Marker *m = &gc->marker;
  uint64_t bit = (uint64_t)1 << (ref & 63), i = ref >> 6;
  bool old = gc->marks[i] & bit;
  if (mode == PLAIN) {
    if (old) return;
    gc->marks[i] |= bit;
    grey(gc, &m->grey, ref);
  } else if (mode == SHADE && !old) {
    gc->marks[i] |= bit;
    gc->next[i] |= bit;
    grey(gc, &m->grey, ref);
  } else if (old && !(gc->next[i] & bit)) {
    gc->next[i] |= bit;
    grey(gc, &m->slow, ref);
  }
}

INLINE uint32_t oldest_edge(Marker *m) {
  return m->edges[(m->edge_at - m->edge_count--) % EDGE_SLOTS];
}

INLINE void found(Gc *gc, uint32_t ref, Mode mode) {
  Marker *m = &gc->marker;
  __builtin_prefetch((mode == MAJOR ? gc->next : gc->marks) + (ref >> 6), 1);
  if (m->edge_count == EDGE_SLOTS) mark_now(gc, oldest_edge(m), mode);
  m->edges[m->edge_at++ % EDGE_SLOTS] = ref;
  m->edge_count++;
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

/* A ref found in the block `holder` (0: a root). */
INLINE void found_in(Gc *gc, uint32_t ref, uint64_t holder, Mode mode) {
  if (!ref) return;
  if (__builtin_expect(gc->config.stress, 0)) check_ref(gc, ref, holder);
  if (page_of_word(ref) == page_of_word(holder)) mark_now(gc, ref, mode);
  else found(gc, ref, mode);
}

/* ---- scanning -------------------------------------------------------------------------------- */

/* A part of a block: words [from, to), counted from its header. */
typedef struct Part { uint64_t from, to; } Part;
#define WHOLE ((Part){0, UINT64_MAX})

INLINE void scan_values(Gc *gc, uint64_t holder, uint64_t from, uint64_t to, Part part, Mode mode) {
  const Value *p = words_at(gc, holder);
  if (from < part.from) from = part.from;
  if (to > part.to) to = part.to;
  for (uint64_t i = from; i < to; i++)
    if (is_ref(p[i])) found_in(gc, (uint32_t)p[i], holder, mode);
}

INLINE void scan_pairs(Gc *gc, uint64_t holder, unsigned pairs, Mode mode) {
  for (unsigned i = 1; i <= pairs; i++) {
    uint64_t pair = words_at(gc, holder)[i];
    found_in(gc, (uint32_t)pair, holder, mode);
    found_in(gc, (uint32_t)(pair >> 32), holder, mode);
  }
}

/* The unused part of a stack would hold stale references: nil, written only where it is not. */
static void clear_unused(Gc *gc, uint64_t holder, uint64_t from, uint64_t to) {
  const Value nil = (uint64_t)0xFFF9 << 48;
  Value *p = words_at(gc, holder);
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

INLINE void scan_stack(Gc *gc, uint64_t holder, const Header *h, Part part, Mode mode) {
  uint64_t used = words_at(gc, holder)[1], end = 2 + (used < h->aux ? used : h->aux);
  /* Between collections `used` may be out of date: a step must not clear. */
  if (mode != MAJOR && part.from <= 1) clear_unused(gc, holder, end, 2 + (uint64_t)h->aux);
  scan_values(gc, holder, 2, end, part, mode);
}

INLINE void scan_plain(Gc *gc, uint64_t holder, const Header *h, Part part, Mode mode) {
  unsigned pairs = (h->layout & LAYOUT_PAIR_MASK) >> LAYOUT_PAIR_SHIFT;
  if (h->layout & LAYOUT_AUX_REF) found_in(gc, h->aux, holder, mode);
  if (pairs) scan_pairs(gc, holder, pairs, mode);
  if (h->layout & LAYOUT_WEAK) return;
  scan_values(gc, holder, 1 + pairs, 1 + pairs + (uint64_t)h->n, part, mode);
}

/* Header and pairs are scanned with every part. */
INLINE void scan_part(Gc *gc, uint64_t holder, Part part, Mode mode) {
  const Header *h = (const Header *)words_at(gc, holder);
  switch (h->layout & LAYOUT_MASK) {
    case LAYOUT_VALUES: scan_plain(gc, holder, h, part, mode); break;
    case LAYOUT_WIDE:
      if (h->layout & LAYOUT_WEAK) break;
      scan_values(gc, holder, 1, 1 + (uint64_t)h->aux, part, mode);
      break;
    case LAYOUT_RAW:
      if (h->layout & LAYOUT_AUX_REF) found_in(gc, h->aux, holder, mode);
      break;
    case LAYOUT_STACK: scan_stack(gc, holder, h, part, mode); break;
  }
}

static bool is_long(const Header *h) {
  return (h->layout & LAYOUT_MASK) != LAYOUT_VALUES && (h->layout & LAYOUT_MASK) != LAYOUT_RAW &&
         h->aux > CHUNK_WORDS;
}

/* A pending block leaves the queue. A long one is left to be scanned by and by where that matters. */
INLINE void scan_block(Gc *gc, uint64_t at, Mode mode) {
  Marker *m = &gc->marker;
  const Header *h = (const Header *)words_at(gc, at);
  if (mode == MAJOR && is_long(h)) {
    m->wide = (uint32_t)at;
    m->wide_from = 0;
    return;
  }
  if (mode != MAJOR && (h->layout & LAYOUT_MASK) == LAYOUT_STACK && !gc->config.notes_stacks)
    list_stack(gc, at);
  scan_part(gc, at, WHOLE, mode);
}

static void scan_wide_chunk(Gc *gc) {
  Marker *m = &gc->marker;
  const Header *h = (const Header *)words_at(gc, m->wide);
  uint64_t from = m->wide_from, to = from + CHUNK_WORDS;
  scan_part(gc, m->wide, (Part){from, to}, MAJOR);
  m->work += CHUNK_WORDS;
  m->wide_from = (uint32_t)to;
  if (to >= (uint64_t)h->aux + 2) m->wide = 0;
}

/* ---- draining -------------------------------------------------------------------------------- */

/* Words of the block at `at`, which lies on a page of that descriptor. */
INLINE uint64_t block_words(Gc *gc, const PageDesc *d, uint64_t at) {
  if (d->kind == SPAN_SLAB) return gc_class_words[d->run % GC_CLASSES];
  return d->kind == SPAN_MID ? segfit_words(gc, at) : (uint64_t)d->pages * GC_PAGE_WORDS;
}

INLINE void scan_page(Gc *gc, PageQueue *q, uint32_t page, Mode mode) {
  uint64_t *pending = gc->pending + bitword_of_page(page), first = word_of_page(page), words = 0;
  const PageDesc *d = gc->table + page;
  q->link[page] = 0;
  for (unsigned i = 0; i < PAGE_BITWORDS; i++) {
    while (pending[i]) {
      uint64_t at = first + 64 * i + (unsigned)__builtin_ctzll(pending[i]);
      pending[i] &= pending[i] - 1;
      words += block_words(gc, d, at);
      scan_block(gc, at, mode);
    }
  }
  gc->marker.work += words + 64;
  if (mode == MAJOR) gc->marker.slow_words += words;
  else gc->marker.words += words;
}

INLINE void fetch_blocks(Gc *gc, uint32_t page) {
  const uint64_t *pending = gc->pending + bitword_of_page(page);
  for (unsigned i = 0; i < PAGE_BITWORDS; i++) {
    if (!pending[i]) continue;
    const Value *p = words_at(gc, word_of_page(page) + 64 * i + (unsigned)__builtin_ctzll(pending[i]));
    __builtin_prefetch(p);
    __builtin_prefetch(p + 5);
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

INLINE void drain(Gc *gc, PageQueue *q, Mode mode, uint64_t limit) {
  Marker *m = &gc->marker;
  uint32_t window[WINDOW];
  unsigned at = 0, count = 0;
  for (;;) {
    for (; count < WINDOW && q->head; count++) {
      uint32_t page = window[(at + count) % WINDOW] = dequeue(q);
      __builtin_prefetch(gc->pending + bitword_of_page(page), 1);
      if (count >= WINDOW / 2) fetch_blocks(gc, window[(at + WINDOW / 2) % WINDOW]);
    }
    if (mode == MAJOR && m->wide) {
      scan_wide_chunk(gc);
    } else if (count) {
      scan_page(gc, q, window[at], mode);
      at = (at + 1) % WINDOW;
      count--;
    } else if (m->edge_count) {
      while (m->edge_count) mark_now(gc, oldest_edge(m), mode);
    } else {
      return;
    }
    if (mode == MAJOR && m->work >= limit) break;
  }
  while (m->edge_count) mark_now(gc, oldest_edge(m), mode);
  put_back(q, window, at, count);
}

bool mark_slow_is_idle(Gc *gc) { return !gc->marker.slow.head && !gc->marker.wide; }

bool mark_step(Gc *gc, uint64_t budget) {
  uint64_t limit = gc->marker.work + budget;
  drain(gc, &gc->marker.slow, MAJOR, limit < budget ? UINT64_MAX : limit);
  return mark_slow_is_idle(gc);
}

void mark_drain(Gc *gc) {
  Marker *m = &gc->marker;
  if (!m->shade) {
    drain(gc, &m->grey, PLAIN, 0);
    return;
  }
  do drain(gc, &m->grey, SHADE, 0);
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

INLINE void found_any(Gc *gc, uint32_t ref, uint64_t holder) {
  if (gc->marker.shade) found_in(gc, ref, holder, SHADE);
  else found_in(gc, ref, holder, PLAIN);
}

static void scan_any_part(Gc *gc, uint64_t holder, Part part) {
  if (gc->marker.shade) scan_part(gc, holder, part, SHADE);
  else scan_part(gc, holder, part, PLAIN);
}

/* Those words of an old block that lie on the page. A stack whose header does is scanned as a
 * whole: gc_note_stack. */
static void scan_on_page(Gc *gc, uint64_t at, uint64_t first) {
  const Header *h = (const Header *)words_at(gc, at);
  bool noted = at >= first && (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
  uint64_t from = at < first ? first - at : 0;
  scan_any_part(gc, at, noted ? WHOLE : (Part){from, first + GC_PAGE_WORDS - at});
}

/* Where to look for the first block that reaches into the page. */
static uint64_t first_on_page(Gc *gc, uint32_t span, uint64_t first) {
  const PageDesc *d = gc->table + span;
  uint64_t start = word_of_page(span);
  if (d->kind == SPAN_SLAB) return first - (first - start) % gc_class_words[d->run % GC_CLASSES];
  return d->kind == SPAN_MID ? bits_previous(gc->marks, start, first) : start;
}

static void scan_dirty_page(Gc *gc, uint32_t page) {
  uint32_t span = page_span(gc, page);
  if (!span) return; /* it was freed since */
  uint64_t first = word_of_page(page), end = first + GC_PAGE_WORDS;
  uint64_t at = first_on_page(gc, span, first);
  if (gc->table[span].kind == SPAN_LARGE) end = at + 1;
  for (at = bits_next(gc->marks, at, end); at < end; at = bits_next(gc->marks, at + 1, end))
    scan_on_page(gc, at, first);
  gc->states[page] |= PAGE_OLD;
  gc->marker.work += GC_PAGE_WORDS;
}

static uint64_t dirty_words(Gc *gc) { return gc->top_page / 64 + 1; }

void mark_dirty_pages(Gc *gc) {
  for (uint64_t i = 0, n = gc->dirty_count ? dirty_words(gc) : 0; i < n; i++) {
    while (gc->dirty[i]) {
      uint32_t page = (uint32_t)(64 * i) + (unsigned)__builtin_ctzll(gc->dirty[i]);
      gc->dirty[i] &= gc->dirty[i] - 1;
      scan_dirty_page(gc, page);
    }
  }
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
  const Header *h = (const Header *)words_at(gc, ref);
  return (h->layout & LAYOUT_MASK) == LAYOUT_STACK;
}

void mark_stacks(Gc *gc) {
  for (uint64_t i = 0, n = gc->stacks.count; i < n; i++)
    if (is_old_stack(gc, gc->stacks.refs[i])) scan_any_part(gc, gc->stacks.refs[i], WHOLE);
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
  if (gc->marker.weak && gc->marker.shade && bits_test(gc->marks, r.w)) return;
  found_any(gc, r.w, 0);
}

void gc_mark_value(Gc *gc, Value v) {
  if (is_ref(v)) gc_mark_ref(gc, (Ref){(uint32_t)v});
}

void gc_mark_drain(Gc *gc) { mark_drain(gc); }

void mark_root_area(Gc *gc) {
  Value *roots = (Value *)(gc->base + GC_ROOT_OFF);
  for (uint64_t i = 0; i < GC_ROOT_BYTES / 8; i++) gc_mark_value(gc, roots[i]);
}
