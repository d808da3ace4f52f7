/* page.h - page runs: spans out of the buddy allocator, counted against the limit. */
#ifndef OX_GC_PAGE_H
#define OX_GC_PAGE_H

#include "state.h"

/* Takes `count` pages (>= 1) as a span of that kind; the first page, or 0: over the limit, no room,
 * or memory refused. Fills in the first page's descriptor (swept, no list) and, for slabs and
 * middle spans, what the others need. Alloc bits of the pages are zero. */
uint32_t page_take(Gc *gc, uint64_t count, uint8_t kind, uint8_t run);
/* The same for *count pages, or half of that, and so on down to `least`; *count says what it
 * became. Rather fewer pages than more memory from the system. */
uint32_t page_take_some(Gc *gc, uint64_t *count, uint64_t least, uint8_t kind, uint8_t run);
/* Gives a span back. Its alloc bits are zeroed here. */
void page_give(Gc *gc, uint32_t span);
/* Lengthens a span in place. */
bool page_grow(Gc *gc, uint32_t span, uint64_t count);

/* Enters a span in the list of those allocated into since the last collection, if it is not there,
 * and takes it out again. page_give does, too. */
void page_list_young(Gc *gc, uint32_t span);
void page_unlist_young(Gc *gc, uint32_t span);

/* The span that a page belongs to, 0: none. */
uint32_t page_span(Gc *gc, uint32_t page);

/* Spans in address order: the next one at or after *page (start with first_page), 0 at the end;
 * *page is moved behind it. */
uint32_t page_next_span(Gc *gc, uint32_t *page);

/* A descriptor to write to. */
static inline PageDesc *page_edit(Gc *gc, uint32_t page) {
  PageDesc *d = gc->table + page;
  meta_touch(gc, d);
  return d;
}

#endif
