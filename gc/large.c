#include "large.h"

#include "bits.h"
#include "page.h"

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
  count_pages(gc, pages);
  return word;
}

void large_free(Gc *gc, uint64_t word) { page_give(gc, page_of_word(word)); }

uint64_t large_words(Gc *gc, uint64_t word) {
  return (uint64_t)gc->table[page_of_word(word)].pages * GC_PAGE_WORDS;
}

bool large_extend(Gc *gc, uint64_t word, uint64_t words) {
  uint32_t span = page_of_word(word);
  uint64_t have = gc->table[span].pages, want = pages_for(words);
  if (want <= have) return true;
  if (!page_grow(gc, span, want - have)) return false;
  count_pages(gc, want - have);
  return true;
}
