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

uint64_t large_alloc(Gc *gc, uint64_t words) {
  uint64_t pages = pages_for(words);
  uint32_t span = page_take(gc, pages, SPAN_LARGE, 0);
  if (!span) return 0;
  uint64_t word = word_of_page(span);
  meta_touch(gc, gc->bits + (word >> 6));
  bits_set(gc->bits, word);
  page_list_young(gc, span);
  count_pages(gc, pages);
  return word;
}

void large_free(Gc *gc, uint64_t word) {
  snapshot_freed(gc, word >> 6, (uint64_t)1 << (word & 63));
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
    page_unlist_young(gc, span);
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
