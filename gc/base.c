/* base.c - publishing a heap.
 *
 * Forks that are copies of the whole heap cost what it is large. Instead, its content is written
 * once to a file in memory, which is sealed, so that nobody can write to it or cut it off any more;
 * each fork maps it privately. Pages that nobody stores to are shared by all of them, and a fork
 * costs a mapping. (The heap itself stays where it is: its own pages are never mapped by others.)
 *
 * The file is what lies in a cage between GC_CACHE_OFF below the base and the end of the last
 * committed unit, at the same distances, with holes for what is zero:
 *
 *     caches | host page, states of pages | Heap, roots, buddy tree, page table, alloc bits | pages
 *
 * So one mapping is enough. The states are those of a fork that has just begun: PAGE_TRACK for each
 * page, and PAGE_FREE for the free ones. The host page's part is zero; it is the first thing that
 * is written when a fork is used. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "fork.h"
#include "plant.h"

enum { TABLE_UNITS = GC_PAGE / (UNIT_PAGES * sizeof(PageDesc)) }; /* with descriptors in one page */

static uint64_t root_bytes(const Gc *gc) {
  return gc->config.root_bytes ? (gc->config.root_bytes + 7u) & ~7u : GC_ROOT_BYTES;
}

static uint64_t units_of(const Gc *gc) { return gc->heap->cage_pages / UNIT_PAGES; }

static uint64_t end_unit(Gc *gc) {
  uint64_t first = gc->heap->first_page / UNIT_PAGES, last = units_of(gc) - 1;
  if (bits_test(gc->committed, last)) return last + 1;
  uint64_t unit = bits_previous(gc->committed, first, last);
  return bits_test(gc->committed, unit) ? unit + 1 : first;
}

/* Bytes of the cage, from `at` on, to their place. */
static bool put(Gc *gc, Base *b, uint64_t at, uint64_t bytes) {
  return os_file_write(&gc->os, b->file.fd, gc->base + at, bytes, GC_CACHE_OFF + at);
}

static bool put_pages(Gc *gc, Base *b, uint64_t page, uint64_t count) {
  b->pages += count;
  return put(gc, b, page * GC_PAGE, count * GC_PAGE);
}

/* What a fork begins with: no external bytes, a peak of its own. */
static void take_roots(const Gc *gc, Heap *heap, uint64_t *roots) {
  memcpy(heap, gc->heap, sizeof *heap);
  heap->external_bytes = 0;
  heap->peak_bytes = heap->used_pages * GC_PAGE;
  if (roots) memcpy(roots, gc->base + GC_ROOT_OFF, root_bytes(gc));
}

static bool put_roots(Gc *gc, Base *b) {
  Os *os = &gc->os;
  take_roots(gc, &b->heap, b->roots);
  return os_file_write(os, b->file.fd, &b->heap, sizeof b->heap, GC_CACHE_OFF + GC_HEAP_OFF) &&
         os_file_write(os, b->file.fd, b->roots, root_bytes(gc), GC_CACHE_OFF + GC_ROOT_OFF);
}

/* States of the pages below `end`. */
static bool put_states(Gc *gc, Base *b, uint64_t end) {
  uint64_t first = gc->heap->first_page, tracked = GC_ROOT_END / GC_PAGE;
  uint8_t *states = calloc(end, 1);
  if (!states) return false;
  memset(states + tracked, PAGE_TRACK, first - tracked);
  for (uint64_t page = first; page < end; page++) {
    if (!bits_test(gc->committed, page / UNIT_PAGES)) continue;
    states[page] = fork_page_is_free(gc, page) ? PAGE_FREE | PAGE_TRACK : PAGE_TRACK;
  }
  bool ok = os_file_write(&gc->os, b->file.fd, states, end, GC_CACHE_OFF - GC_STATE_OFF);
  free(states);
  return ok;
}

/* The pages of units [from, to), all committed, that are in use. */
static bool put_units(Gc *gc, Base *b, uint64_t from, uint64_t to) {
  uint64_t page = from * UNIT_PAGES, end = to * UNIT_PAGES;
  while (page < end) {
    if (fork_page_is_free(gc, page)) {
      page++;
      continue;
    }
    uint64_t start = page;
    while (page < end && !fork_page_is_free(gc, page)) page++;
    if (!put_pages(gc, b, start, page - start - PLANTED(BASE_MISSES_PAGE))) return false;
  }
  return true;
}

/* Page table and alloc bitmap of the same. */
static bool put_tables(Gc *gc, Base *b, uint64_t from, uint64_t to) {
  uint64_t table = gc->heap->table_off / GC_PAGE, bits = gc->heap->bits_off / GC_PAGE;
  uint64_t first = from / TABLE_UNITS, last = (to - 1) / TABLE_UNITS;
  return put_pages(gc, b, table + first, last - first + 1) &&
         put_pages(gc, b, bits + from, to - from);
}

static bool put_all_units(Gc *gc, Base *b) {
  uint64_t last = units_of(gc), unit = gc->heap->first_page / UNIT_PAGES;
  while ((unit = bits_next(gc->committed, unit, last)) < last) {
    uint64_t from = unit;
    while (unit < last && bits_test(gc->committed, unit)) unit++;
    if (!put_tables(gc, b, from, unit) || !put_units(gc, b, from, unit)) return false;
  }
  return true;
}

static bool put_buddy(Gc *gc, Base *b) {
  uint64_t start = gc->heap->buddy_off / GC_PAGE;
  uint64_t pages = (buddy_state_bytes(gc->buddy.state->order) + GC_PAGE - 1) / GC_PAGE;
  for (uint64_t i = 0; i < pages; i++)
    if (fork_needs_buddy(gc, i, NULL) && !put_pages(gc, b, start + i, 1)) return false;
  return true;
}

static bool put_caches(Gc *gc, Base *b) {
  return !gc->cache_bytes ||
         os_file_write(&gc->os, b->file.fd, gc->base - GC_CACHE_OFF, gc->cache_bytes, 0);
}

static bool put_all(Gc *gc, Base *b, uint64_t end) {
  return put_caches(gc, b) && put_states(gc, b, end) && put_roots(gc, b) && put_buddy(gc, b) &&
         put_all_units(gc, b) && os_file_seal(&gc->os, b->file.fd);
}

Base *base_publish(Gc *gc, uint64_t step) {
  uint64_t end = end_unit(gc) * UNIT_PAGES, words = cage_map_words(gc);
  Base *b = calloc(1, sizeof *b + root_bytes(gc));
  if (!b) return NULL;
  b->file.bytes = GC_CACHE_OFF + end * GC_PAGE;
  b->file.committed_units = gc->committed_units;
  b->step = step;
  b->top_page = gc->top_page;
  b->file.committed = b->committed = malloc(words * sizeof(uint64_t));
  b->file.fd = b->committed ? os_file_open(&gc->os, b->file.bytes) : -1;
  if (b->file.fd >= 0) {
    memcpy(b->committed, gc->committed, words * sizeof(uint64_t));
    if (put_all(gc, b, end)) return b;
  }
  base_free(b);
  return NULL;
}

void base_free(Base *b) {
  if (!b) return;
  if (b->file.fd >= 0) os_file_close(b->file.fd);
  free(b->committed);
  free(b);
}

bool base_has_roots(const Base *b, const Gc *gc) {
  Heap now;
  take_roots(gc, &now, NULL);
  return memcmp(&now, &b->heap, sizeof now) == 0 &&
         memcmp(gc->base + GC_ROOT_OFF, b->roots, root_bytes(gc)) == 0;
}

bool base_has_page(const Base *b, const Gc *gc, uint64_t page) {
  uint8_t copy[GC_PAGE], state;
  int fd = b->file.fd;
  return os_file_read(fd, &state, 1, GC_CACHE_OFF - GC_STATE_OFF + page) && state == PAGE_TRACK &&
         os_file_read(fd, copy, GC_PAGE, GC_CACHE_OFF + page * GC_PAGE) &&
         memcmp(copy, gc->base + page * GC_PAGE, GC_PAGE) == 0;
}
