/* mark.c - precise marking with an explicit stack and two prefetch queues.
 *
 * Memory latency is nearly all of the cost of a mark loop, so no word is looked at when its address
 * is found (Cher, Hosking, Vitek 2004; here in two stages):
 *
 *   a ref is found         fetch its mark word, queue it in `edges`
 *   it leaves `edges`      test and set the mark bit; if newly marked, push it on the stack
 *   it leaves the stack    fetch the object, queue it in `scans`
 *   it leaves `scans`      scan its words: back to the top
 *
 * Objects often straddle a cache line, so two lines of each are fetched: 5 M objects of 48 bytes
 * with three edges each, shuffled, were marked at 28 M/s, with one line at 21 M/s; the lengths of
 * the queues matter little between 8 and 32.
 *
 * Invariant: an object is marked exactly once, and from then until its scan has ended it is on the
 * stack, in `scans`, or `overflow` is set. Objects with more than CHUNK_WORDS values are scanned a
 * chunk at a time, so that the stack holds a long list's rest as one entry.
 *
 * The stack lies outside the cage and doubles. Where it cannot grow, the object is dropped with
 * `overflow` set: once the queues are empty, all marked objects are scanned again. Each round ends
 * with more objects marked than the one before, so it terminates, slowly, with any stack.
 */
#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "page.h"

enum { CHUNK_WORDS = 1024, STACK_FIRST = 4096 / 8, STACK_KEEP = (1 << 20) / 8 };

static bool is_ref(Value v) { return v >> 48 == VALUE_REF_HIGH; }

static Value *words_at(Gc *gc, uint32_t word) { return (Value *)gc->base + word; }

/* ---- stack ----------------------------------------------------------------------------------- */

static bool grow_stack(Gc *gc) {
  Marker *m = &gc->marker;
  uint64_t capacity = m->capacity ? 2 * m->capacity : STACK_FIRST;
  if (capacity > m->max_capacity) return false;
  uint64_t *stack = os_map(&gc->os, capacity * sizeof *stack);
  if (!stack) return false;
  if (capacity > STACK_FIRST) os_populate(&gc->os, stack, capacity * sizeof *stack);
  if (m->stack) {
    memcpy(stack, m->stack, m->top * sizeof *stack);
    os_unmap(m->stack, m->capacity * sizeof *stack);
  }
  m->stack = stack;
  m->capacity = capacity;
  return true;
}

static void push(Gc *gc, uint32_t ref, uint32_t from) {
  Marker *m = &gc->marker;
  if (m->top == m->capacity && !grow_stack(gc)) {
    m->overflow = true;
    return;
  }
  m->stack[m->top++] = (uint64_t)from << 32 | ref;
}

void mark_close(Gc *gc) {
  Marker *m = &gc->marker;
  if (m->stack) os_unmap(m->stack, m->capacity * sizeof *m->stack);
  m->stack = NULL;
  m->capacity = 0;
}

void mark_trim(Gc *gc) {
  if (gc->marker.capacity > STACK_KEEP) mark_close(gc);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void mark_now(Gc *gc, uint32_t ref) {
  uint64_t bit = (uint64_t)1 << (ref & 63), *at = gc->marks + (ref >> 6);
  if (*at & bit) return;
  *at |= bit;
  push(gc, ref, 0);
}

static uint32_t oldest_edge(Marker *m) {
  unsigned at = (m->edge_at - m->edge_count--) % EDGE_SLOTS;
  return m->edges[at];
}

static inline void found(Gc *gc, uint32_t ref) {
  Marker *m = &gc->marker;
  __builtin_prefetch(gc->marks + (ref >> 6), 1);
  if (m->edge_count == EDGE_SLOTS) mark_now(gc, oldest_edge(m));
  m->edges[m->edge_at++ % EDGE_SLOTS] = ref;
  m->edge_count++;
}

/* Under stress every ref is checked as it is found, so that a missing root shows at once. */
static void check_ref(Gc *gc, uint32_t ref, uint64_t holder) {
  uint64_t page = page_of_word(ref);
  if (page >= gc->heap->first_page && page < gc->heap->cage_pages &&
      gc->committed[page / UNIT_PAGES / 64] >> (page / UNIT_PAGES % 64) & 1 &&
      bits_test(gc->bits, ref))
    return;
  fprintf(stderr, "gc: a reference to no block (ref %#x, found in %#llx, 0: a root)\n", ref,
          (unsigned long long)holder);
  abort();
}

static inline void found_in(Gc *gc, uint32_t ref, uint32_t holder) {
  if (!ref) return;
  if (__builtin_expect(gc->config.stress, 0)) check_ref(gc, ref, holder);
  found(gc, ref);
}

/* ---- scanning -------------------------------------------------------------------------------- */

static void scan_values(Gc *gc, uint32_t holder, uint64_t from, uint64_t to) {
  Value *p = words_at(gc, holder);
  for (uint64_t i = from; i < to; i++)
    if (is_ref(p[i])) found_in(gc, (uint32_t)p[i], holder);
}

/* Values [from, end) of a block, a chunk now and the rest later. */
static void scan_chunk(Gc *gc, uint32_t holder, uint64_t from, uint64_t end) {
  if (end - from > CHUNK_WORDS) {
    push(gc, holder, (uint32_t)(from + CHUNK_WORDS));
    end = from + CHUNK_WORDS;
  }
  scan_values(gc, holder, from, end);
}

static void scan_pairs(Gc *gc, uint32_t holder, unsigned pairs) {
  for (unsigned i = 1; i <= pairs; i++) {
    uint64_t pair = words_at(gc, holder)[i];
    found_in(gc, (uint32_t)pair, holder);
    found_in(gc, (uint32_t)(pair >> 32), holder);
  }
}

/* The unused part of a stack would hold stale references: nil, written only where it is not. */
static void clear_unused(Gc *gc, uint32_t holder, uint64_t from, uint64_t to) {
  const Value nil = (uint64_t)0xFFF9 << 48;
  Value *p = words_at(gc, holder);
  for (uint64_t i = from; i < to; i++)
    if (p[i] != nil) gc_store(gc->base, (uint64_t)holder + i, nil);
}

static uint64_t stack_end(Gc *gc, uint32_t holder, const Header *h) {
  uint64_t used = words_at(gc, holder)[1];
  return 2 + (used < h->aux ? used : h->aux);
}

static void scan_stack(Gc *gc, uint32_t holder, const Header *h, uint64_t from) {
  uint64_t end = stack_end(gc, holder, h);
  if (from == 0) clear_unused(gc, holder, end, 2 + (uint64_t)h->aux);
  scan_chunk(gc, holder, from ? from : 2, end);
}

static void scan_plain(Gc *gc, uint32_t holder, const Header *h) {
  unsigned pairs = (h->layout & LAYOUT_PAIR_MASK) >> LAYOUT_PAIR_SHIFT;
  if (h->layout & LAYOUT_AUX_REF) found_in(gc, h->aux, holder);
  if (pairs) scan_pairs(gc, holder, pairs);
  if (h->layout & LAYOUT_WEAK) return;
  scan_values(gc, holder, 1 + pairs, 1 + pairs + h->n);
}

static void scan(Gc *gc, uint32_t holder, uint32_t from) {
  const Header *h = (const Header *)words_at(gc, holder);
  switch (h->layout & LAYOUT_MASK) {
    case LAYOUT_VALUES: scan_plain(gc, holder, h); break;
    case LAYOUT_WIDE:
      if (h->layout & LAYOUT_WEAK) break;
      scan_chunk(gc, holder, from ? from : 1, 1 + (uint64_t)h->aux);
      break;
    case LAYOUT_RAW:
      if (h->layout & LAYOUT_AUX_REF) found_in(gc, h->aux, holder);
      break;
    case LAYOUT_STACK: scan_stack(gc, holder, h, from); break;
  }
}

/* ---- draining -------------------------------------------------------------------------------- */

static void scan_oldest(Gc *gc) {
  Marker *m = &gc->marker;
  uint64_t item = m->scans[(m->scan_at - m->scan_count--) % SCAN_SLOTS];
  scan(gc, (uint32_t)item, (uint32_t)(item >> 32));
}

static void queue_scan(Gc *gc, uint64_t item) {
  Marker *m = &gc->marker;
  __builtin_prefetch(words_at(gc, (uint32_t)item));
  __builtin_prefetch(words_at(gc, (uint32_t)item) + 5);
  if (m->scan_count == SCAN_SLOTS) scan_oldest(gc);
  m->scans[m->scan_at++ % SCAN_SLOTS] = item;
  m->scan_count++;
}

static void drain_queues(Gc *gc) {
  Marker *m = &gc->marker;
  for (;;) {
    if (m->top) queue_scan(gc, m->stack[--m->top]);
    else if (m->edge_count) mark_now(gc, oldest_edge(m));
    else if (m->scan_count) scan_oldest(gc);
    else return;
  }
}

/* Scans all of a wide object or a stack at once, without help of the mark stack. */
static void rescan_wide(Gc *gc, uint32_t ref, uint64_t end) {
  for (uint64_t at = 1; at < end; at += CHUNK_WORDS) {
    scan_values(gc, ref, at, end - at > CHUNK_WORDS ? at + CHUNK_WORDS : end);
    drain_queues(gc);
  }
}

static void rescan_object(Gc *gc, uint32_t ref) {
  const Header *h = (const Header *)words_at(gc, ref);
  unsigned layout = h->layout & LAYOUT_MASK;
  if (layout == LAYOUT_STACK) {
    uint64_t end = stack_end(gc, ref, h);
    clear_unused(gc, ref, end, 2 + (uint64_t)h->aux);
    rescan_wide(gc, ref, end);
  } else if (layout == LAYOUT_WIDE && !(h->layout & LAYOUT_WEAK)) {
    rescan_wide(gc, ref, 1 + (uint64_t)h->aux);
  } else {
    scan(gc, ref, 0);
    drain_queues(gc);
  }
}

static void rescan_span(Gc *gc, uint32_t span) {
  const PageDesc *d = gc->table + span;
  uint64_t from = word_of_page(span);
  uint64_t to = from + (d->kind == SPAN_LARGE ? 1 : d->pages * (uint64_t)GC_PAGE_WORDS);
  for (uint64_t at = bits_next(gc->marks, from, to); at < to;
       at = bits_next(gc->marks, at + 1, to))
    rescan_object(gc, (uint32_t)at);
}

void mark_drain(Gc *gc) {
  drain_queues(gc);
  while (gc->marker.overflow) {
    gc->marker.overflow = false;
    uint32_t page = (uint32_t)gc->heap->first_page, span;
    while ((span = page_next_span(gc, &page)) != 0) rescan_span(gc, span);
  }
}

/* ---- roots ----------------------------------------------------------------------------------- */

void gc_mark_ref(Gc *gc, Ref r) { found_in(gc, r.w, 0); }

void gc_mark_value(Gc *gc, Value v) {
  if (is_ref(v)) found_in(gc, (uint32_t)v, 0);
}

bool gc_is_marked(Gc *gc, Ref r) { return bits_test(gc->marks, r.w); }

void gc_mark_drain(Gc *gc) { mark_drain(gc); }

void mark_root_area(Gc *gc) {
  Value *roots = (Value *)(gc->base + GC_ROOT_OFF);
  for (uint64_t i = 0; i < GC_ROOT_BYTES / 8; i++) gc_mark_value(gc, roots[i]);
}
