#include "page.h"

#include <string.h>

#include "bits.h"
#include "cage.h"
#include "fork.h"
#include "plant.h"
#include "share.h"
#include "snapshot.h"

enum { WINDOW_MOST = 16 }; /* of its pages in one span */

static bool within_limit(Gc *gc, uint64_t pages) {
  Heap *h = gc->heap;
  uint64_t bytes, reserve = gc->uses_reserve ? 0 : gc->config.reserve_bytes;
  uint64_t limit = h->limit_bytes > 16 * reserve ? h->limit_bytes - reserve : h->limit_bytes;
  return !__builtin_mul_overflow(pages, (uint64_t)GC_PAGE, &bytes) && share_fits(gc, bytes, limit);
}

static void count_pages(Gc *gc, int64_t pages) {
  Heap *h = gc->heap;
  h->used_pages += (uint64_t)pages;
  uint64_t bytes = h->used_pages * GC_PAGE + h->external_bytes;
  if (bytes > h->peak_bytes) h->peak_bytes = bytes;
  share_count(gc);
}

static void describe(Gc *gc, uint32_t span, uint64_t count, uint8_t kind, uint8_t run) {
  *page_edit(gc, span) =
      (PageDesc){.kind = kind, .run = run, .pages = (uint32_t)count};
  if (kind == SPAN_LARGE) return;
  for (uint32_t i = 1; i < count; i++)
    *page_edit(gc, span + i) = (PageDesc){.kind = kind, .run = run, .back = (uint16_t)i};
}

/* Free pages become usable. False: refused, nothing changed that matters. */
static bool open_pages(Gc *gc, uint32_t first, uint64_t count) {
  if (!cage_commit(gc, first, count) || !snapshot_take(gc, first, count)) return false;
  if (first + count > gc->top_page) gc->top_page = (uint32_t)(first + count);
  return true;
}

/* A large block's bits are those of its first page. */
static uint64_t bit_bytes(uint64_t count, uint8_t kind) {
  return (kind == SPAN_LARGE ? 1 : count) * PAGE_BITWORDS * sizeof(uint64_t);
}

/* Until the first major collection of a heap that was opened from an image, free pages have no
 * marks, and none of them is unswept: the first spans are taken without touching either bitmap,
 * which would cost as much as a dozen page faults. */
static bool is_as_opened(const Gc *gc) { return gc->fresh_rather && !gc->must_be_full; }

/* No block of the pages has survived a collection, in either map. */
static void clear_marks(Gc *gc, uint32_t first, uint64_t count, uint8_t kind) {
  uint64_t bytes = bit_bytes(count, kind), at = bitword_of_page(first);
  if (!gc->has_marked) return;
  if (gc->phase != PHASE_IDLE) memset(gc->next + at, 0, bytes);
  if (is_as_opened(gc)) return;
  memset(gc->marks + at, 0, bytes);
  bits_clear(gc->unswept, first);
}

/* The first spans of a heap that was opened from an image lie side by side in its window, whose
 * pages, and what is noted about them, the image lists. BUDDY_NONE: the window is used up. */
static uint32_t take_of_window(Gc *gc, uint32_t count) {
  uint32_t first = gc->window;
  if (count > WINDOW_MOST || count > gc->window_end - first) return BUDDY_NONE;
  gc->window += count;
  if (gc->fresh_rather && buddy_claim(gc->buddy, first, count)) return first;
  gc->window_end = gc->window;
  return BUDDY_NONE;
}

static uint32_t take_units(Gc *gc, uint32_t count) {
  uint32_t first = take_of_window(gc, count);
  return first != BUDDY_NONE ? first : buddy_alloc_units(gc->buddy, count);
}

static uint32_t take(Gc *gc, uint64_t count, uint8_t kind, uint8_t run, bool grow) {
  Heap *h = gc->heap;
  if (count >= h->cage_pages || !within_limit(gc, count)) return 0;
  uint32_t first = take_units(gc, (uint32_t)count);
  if (first == BUDDY_NONE) return 0;
  bool there = cage_is_committed(gc, first) && cage_is_committed(gc, first + count - 1);
  if ((!there && !grow) || !open_pages(gc, first, count)) {
    buddy_free(gc->buddy, first);
    return 0;
  }
  clear_marks(gc, first, count, kind);
  describe(gc, first, count, kind, run);
  count_pages(gc, (int64_t)count);
  return first;
}

uint32_t page_take(Gc *gc, uint64_t count, uint8_t kind, uint8_t run) {
  return take(gc, count, kind, run, true);
}

uint32_t page_take_some(Gc *gc, uint64_t *count, uint64_t least, uint8_t kind, uint8_t run) {
  for (int grow = 0; grow < 2; grow++) {
    for (uint64_t pages = *count; pages >= least; pages /= 2) {
      uint32_t span = take(gc, pages, kind, run, grow);
      if (!span) continue;
      *count = pages;
      return span;
    }
  }
  return 0;
}

/* Alloc bits of pages, cleared only where something is set: a clean page stays clean. */
static void clear_bits(Gc *gc, uint32_t first, uint64_t count) {
  uint64_t *at = gc->bits + bitword_of_page(first), *end = at + count * PAGE_BITWORDS;
  for (; at < end; at += PAGE_BITWORDS) {
    uint64_t any = 0;
    for (unsigned i = 0; i < PAGE_BITWORDS; i++) any |= at[i];
    if (!any) continue;
    meta_touch(gc, at);
    memset(at, 0, PAGE_BITWORDS * sizeof *at);
  }
}

/* A frozen page stays so: it may hold the only copy of what an older snapshot needs. */
static void close_page(Gc *gc, uint32_t page) {
  if (PLANTED(FORK_MISSES_GIVEN)) gc->states[page] &= (uint8_t)~PAGE_TRACK;
  fork_note_page(gc, page);
  gc->states[page] &= (uint8_t)~PAGE_OLD;
  if (gc->states[page] & PAGE_FROZEN) snapshot_given(gc, page);
  else gc->states[page] |= PAGE_FREE;
  if (!bits_test(gc->dirty, page)) return;
  bits_clear(gc->dirty, page);
  gc->dirty_count--;
}

static uint32_t *young_list(Gc *gc, uint32_t span) {
  return gc->table[span].kind == SPAN_LARGE ? &gc->heap->young_large : &gc->heap->young;
}

void page_list_young(Gc *gc, uint32_t span) {
  uint32_t *list = young_list(gc, span);
  PageDesc *d = gc->table + span;
  if (d->flags & SPAN_YOUNG) return;
  page_edit(gc, span)->flags |= SPAN_YOUNG;
  bits_set_range(gc->young_pages, span, span + (d->kind == SPAN_LARGE ? 1 : (uint64_t)d->pages));
  d->young_next = *list;
  page_edit(gc, span + 1)->young_before = 0;
  if (*list) page_edit(gc, *list + 1)->young_before = span;
  *list = span;
}

void page_unlist_young(Gc *gc, uint32_t span) {
  PageDesc *d = gc->table + span;
  if (!(d->flags & SPAN_YOUNG)) return;
  uint32_t before = gc->table[span + 1].young_before, next = d->young_next;
  if (next) page_edit(gc, next + 1)->young_before = before;
  if (before) page_edit(gc, before)->young_next = next;
  else *young_list(gc, span) = next;
  page_edit(gc, span)->flags &= (uint8_t)~SPAN_YOUNG;
  d->young_next = 0;
}

void page_give(Gc *gc, uint32_t span) {
  PageDesc *d = page_edit(gc, span);
  uint32_t count = d->pages;
  uint8_t kind = d->kind;
  page_unlist_young(gc, span);
  /* A large span has one block, at its start. */
  clear_bits(gc, span, kind == SPAN_LARGE ? 1 : count);
  *d = (PageDesc){.kind = SPAN_FREE};
  bits_clear(gc->unswept, span);
  if (is_as_opened(gc)) memset(gc->marks + bitword_of_page(span), 0, bit_bytes(count, kind));
  buddy_free(gc->buddy, span); /* first: a thaw on the way asks what is in use */
  for (uint32_t i = 0; i < count; i++) close_page(gc, span + i);
  count_pages(gc, -(int64_t)count);
}

bool page_grow(Gc *gc, uint32_t span, uint64_t count) {
  Heap *h = gc->heap;
  uint32_t pages = gc->table[span].pages, end = span + pages;
  if (count >= h->cage_pages || !within_limit(gc, count)) return false;
  if (!buddy_grow(gc->buddy, end, (uint32_t)count)) return false;
  if (!open_pages(gc, end, count)) {
    buddy_free(gc->buddy, span);
    buddy_claim(gc->buddy, span, pages);
    return false;
  }
  page_edit(gc, span)->pages = pages + (uint32_t)count;
  count_pages(gc, (int64_t)count);
  return true;
}

/* Whether a span starts here. Descriptors inside free runs may be stale, but then they are of pages
 * that were not the first of their span: page_give cleared those. */
static bool starts_span(Gc *gc, uint32_t page) {
  if (!cage_is_committed(gc, page)) return false;
  const PageDesc *d = gc->table + page;
  return d->kind != SPAN_FREE && d->back == 0;
}

/* Inside a large block descriptors may be stale; whatever they say is true if the span they name
 * really reaches that far. */
uint32_t page_span(Gc *gc, uint32_t page) {
  if (gc->states[page] & PAGE_FREE) return 0;
  uint32_t span = page - gc->table[page].back;
  const PageDesc *d = gc->table + span;
  if (d->kind != SPAN_FREE && d->back == 0 && page < span + d->pages) return span;
  if (!buddy_run(gc->buddy, page).used) return 0; /* freed while a snapshot needed it */
  return buddy_block_of(gc->buddy, page);
}

uint32_t page_next_span(Gc *gc, uint32_t *page) {
  uint32_t at = *page, end = (uint32_t)gc->heap->cage_pages;
  while (at < end && !starts_span(gc, at)) at += buddy_run(gc->buddy, at).units;
  *page = at < end ? at + gc->table[at].pages : end;
  return at < end ? at : 0;
}
