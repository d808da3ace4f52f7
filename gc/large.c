#include "large.h"

#include "bits.h"
#include "page.h"
#include "snapshot.h"

static uint64_t pages_for(uint64_t words) {
  return words / GC_PAGE_WORDS + (words % GC_PAGE_WORDS != 0);
}

static void count_pages(Gc *gc, uint64_t pages) {
  gc->heap->allocated_bytes += pages * GC_PAGE;
  gc->heap->policy.debt += pages * GC_PAGE;
}

/* ---- the list of young ones, doubly linked: the descriptor of the second page holds the way back */

static void link_young(Gc *gc, uint32_t span) {
  Heap *h = gc->heap;
  PageDesc *d = page_edit(gc, span);
  d->flags |= SPAN_YOUNG;
  d->next = h->young_large;
  page_edit(gc, span + 1)->next = 0;
  if (h->young_large) page_edit(gc, h->young_large + 1)->next = span;
  h->young_large = span;
}

static void unlink_young(Gc *gc, uint32_t span) {
  PageDesc *d = page_edit(gc, span);
  if (!(d->flags & SPAN_YOUNG)) return;
  uint32_t before = gc->table[span + 1].next;
  if (d->next) page_edit(gc, d->next + 1)->next = before;
  if (before) page_edit(gc, before)->next = d->next;
  else gc->heap->young_large = d->next;
  d->flags &= (uint8_t)~SPAN_YOUNG;
  d->next = 0;
}

/* ---------------------------------------------------------------------------------------------- */

uint64_t large_alloc(Gc *gc, uint64_t words) {
  uint64_t pages = pages_for(words);
  uint32_t span = page_take(gc, pages, SPAN_LARGE, 0);
  if (!span) return 0;
  uint64_t word = word_of_page(span);
  meta_touch(gc, gc->bits + (word >> 6));
  bits_set(gc->bits, word);
  link_young(gc, span);
  count_pages(gc, pages);
  return word;
}

void large_free(Gc *gc, uint64_t word) {
  snapshot_freed(gc, word >> 6, (uint64_t)1 << (word & 63));
  unlink_young(gc, page_of_word(word));
  page_give(gc, page_of_word(word));
}

static void arm(Gc *gc, uint32_t span) {
  uint64_t end = span + (uint64_t)gc->table[span].pages;
  for (uint64_t page = span; page < end; page++)
    if (!bits_test(gc->dirty, page)) gc->states[page] |= PAGE_OLD;
}

void large_sweep(Gc *gc, uint32_t span) {
  if (bits_test(gc->marks, word_of_page(span))) arm(gc, span);
  else large_free(gc, word_of_page(span));
}

void large_sweep_young(Gc *gc) {
  for (uint32_t span; (span = gc->heap->young_large) != 0;) {
    unlink_young(gc, span);
    large_sweep(gc, span);
  }
}

uint64_t large_words(Gc *gc, uint64_t word) {
  return (uint64_t)gc->table[page_of_word(word)].pages * GC_PAGE_WORDS;
}

bool large_extend(Gc *gc, uint64_t word, uint64_t words) {
  uint32_t span = page_of_word(word);
  uint64_t have = gc->table[span].pages, want = pages_for(words);
  if (want <= have) return true;
  if (!page_grow(gc, span, want - have)) return false;
  /* The new pages of an old block hold what no collection has seen. */
  if (bits_test(gc->marks, word))
    for (uint64_t page = span + have; page < span + want; page++) barrier_remember(gc, page);
  count_pages(gc, want - have);
  return true;
}
