/* cage.c - one reservation, committed unit by unit.
 *
 * Everything starts as address space without access. A unit of 64 pages is committed when the first
 * page run reaches into it, together with its parts of the page table, the alloc bitmap, the marks
 * and page_state. Each step populates more than the run needs, half as much as there was before (at
 * least one unit), since populating in bulk costs a twentieth of single faults; from 2 MiB on, a
 * step is one huge page (some 0.2 ms; more at a time is a longer pause and memory that is never
 * used). Which units are committed is no part of the heap's state (a copy of it elsewhere commits
 * what it needs), so the map of them lies outside the cage.
 */
#include "cage.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "fork.h"
#include "snapshot.h"

enum {
  HUGE_PAGE = 2 << 20,
  UNITS_PER_HUGE = HUGE_PAGE / UNIT_BYTES,
  HUGE_FROM_UNITS = 1 * UNITS_PER_HUGE, /* below, huge pages would waste more than they save */
  STEP_MAX_UNITS = 1 * UNITS_PER_HUGE,
};

static uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

static unsigned order_for(uint64_t pages) {
  unsigned order = 0;
  while ((uint64_t)1 << order < pages) order++;
  return order;
}

/* Pages of a cage of that size. The largest cage lacks the last unit, so that the word index of the
 * end of any block fits in 32 bits. */
static uint64_t pages_of(uint64_t bytes) {
  return (bytes < GC_MAX_CAGE ? bytes : bytes - UNIT_BYTES) / GC_PAGE;
}

/* Places the metadata. What every start looks at comes first: heap, roots and the upper part of the
 * buddy tree lie together. */
static void lay_out(Heap *h, uint64_t pages) {
  h->cage_pages = pages;
  h->buddy_off = GC_ROOT_END;
  h->table_off = round_up(h->buddy_off + buddy_state_bytes(order_for(pages)), GC_PAGE);
  h->bits_off = round_up(h->table_off + pages * sizeof(PageDesc), GC_PAGE);
  uint64_t end = h->bits_off + pages * (GC_PAGE / 64);
  h->first_page = round_up(end, UNIT_BYTES) / GC_PAGE;
}

static void point_into(Gc *gc, const Heap *h) {
  gc->heap = (Heap *)(gc->base + GC_HEAP_OFF);
  gc->table = (PageDesc *)(gc->base + h->table_off);
  gc->bits = (uint64_t *)(gc->base + h->bits_off);
  gc->marks = (uint64_t *)(gc->base - GC_MARK_OFF);
  gc->states = gc_page_state(gc->base);
  gc->buddy = (Buddy){(BuddyState *)(gc->base + h->buddy_off), gc->base};
}

/* ---- side tables: what the collector keeps beside the cage, which a fork makes anew ------------
 *
 * Bitmaps by page lie behind the states of pages, all others in a mapping of their own: whoever
 * stores to a page or takes one needs several of the former at once, and on virtual machines the
 * first touch of an aligned range of 2 MiB costs as much as four page faults. Host page, states and
 * bitmaps of a cage of 4 GiB are in one such range. */

enum { MAPS_BY_PAGE = 7 };
_Static_assert(GC_HOST_BYTES + GC_MAX_CAGE / GC_PAGE +
                       MAPS_BY_PAGE * (GC_MAX_CAGE / GC_PAGE / 8 + 8 + GC_PAGE) + GC_PAGE <=
                   GC_HOST_OFF,
               "bitmaps by page lie between the states of pages and the cage");

static uint64_t map_by_page_bytes(uint64_t pages) { return round_up(pages / 8 + 8, GC_PAGE); }

/* From the host page on: where the bitmaps by page begin, and end. */
static uint64_t states_end(uint64_t pages) { return round_up(GC_HOST_BYTES + pages, GC_PAGE); }
static uint64_t maps_by_page_end(uint64_t pages) {
  return states_end(pages) + MAPS_BY_PAGE * map_by_page_bytes(pages);
}

typedef struct Side { uint64_t next, pending, slow_pending, links, link_bytes, bytes; } Side;

static Side lay_out_side(uint64_t pages) {
  Side s = {0};
  uint64_t map = round_up(pages * (GC_PAGE / 64), GC_PAGE);
  s.link_bytes = round_up(pages * 4, GC_PAGE);
  s.pending = s.next + map;
  s.slow_pending = s.pending + map;
  s.links = s.slow_pending + map;
  s.bytes = s.links + 2 * s.link_bytes;
  return s;
}

static void point_to_maps_by_page(Gc *gc, uint64_t pages) {
  uint64_t **maps[] = {&gc->dirty,         &gc->young_pages,    &gc->stored,        &gc->unswept,
                       &gc->weak.now.bits, &gc->weak.slow.bits, &gc->weak.dead.bits};
  _Static_assert(sizeof maps / sizeof *maps == MAPS_BY_PAGE, "each has its place");
  uint8_t *at = (uint8_t *)gc_host(gc->base) + states_end(pages);
  for (unsigned i = 0; i < MAPS_BY_PAGE; i++)
    *maps[i] = (uint64_t *)(at + i * map_by_page_bytes(pages));
}

static void point_aside(Gc *gc, uint64_t pages) {
  Side s = lay_out_side(pages);
  uint8_t *at = gc->side;
  gc->next = (uint64_t *)(at + s.next);
  gc->pending = (uint64_t *)(at + s.pending);
  gc->slow_pending = (uint64_t *)(at + s.slow_pending);
  gc->marker.grey.link = (uint32_t *)(at + s.links);
  gc->marker.slow.link = (uint32_t *)(at + s.links + s.link_bytes);
  point_to_maps_by_page(gc, pages);
}

static bool open_side(Gc *gc, uint64_t pages) {
  gc->side = os_map(&gc->os, lay_out_side(pages).bytes);
  if (gc->side) point_aside(gc, pages);
  return gc->side != NULL;
}

/* Populates the pages that hold [from, from + bytes). */
static bool populate(Gc *gc, void *from, uint64_t bytes) {
  uintptr_t start = (uintptr_t)from & ~(uintptr_t)(GC_PAGE - 1);
  uint64_t size = round_up((uintptr_t)from + bytes - start, GC_PAGE);
  return os_populate(&gc->os, (void *)start, size);
}

/* The metadata is committed whole, once, since every commitment is a system call, and populated as
 * the heap grows; caches, host page, states and bitmaps by page are neighbours, and caches and
 * bitmaps are faulted in on demand. */
static bool commit_fixed(Gc *gc, const Heap *h) {
  Os *os = &gc->os;
  uint64_t end = h->first_page * GC_PAGE;
  uint64_t host_bytes = maps_by_page_end(h->cage_pages);
  return os_commit(os, gc->base - GC_CACHE_OFF, GC_CACHE_BYTES + host_bytes) &&
         os_commit(os, gc->marks, round_up(h->cage_pages * (GC_PAGE / 64), GC_PAGE)) &&
         os_commit(os, gc->base + GC_HEAP_OFF, end - GC_HEAP_OFF);
}

static bool populate_fixed(Gc *gc, const Heap *h) {
  return populate(gc, gc->base + GC_HEAP_OFF, h->buddy_off + GC_PAGE - GC_HEAP_OFF) &&
         populate(gc, gc->states, h->first_page + UNIT_PAGES);
}

/* The buddy tree covers 2^k pages; metadata and what lies beyond the cage are taken for ever. */
static bool open_buddy(Gc *gc) {
  Heap *h = gc->heap;
  buddy_init(gc->buddy, order_for(h->cage_pages));
  uint32_t total = buddy_units(gc->buddy), end = (uint32_t)h->cage_pages;
  return buddy_claim(gc->buddy, 0, (uint32_t)h->first_page) &&
         (end == total || buddy_claim(gc->buddy, end, total - end));
}

/* Address space, side tables and committed metadata, all zero. False: cage_close is to be
 * called. */
static bool reserve(Gc *gc, uint64_t bytes, Heap *plan) {
  lay_out(plan, pages_of(bytes));
  uint8_t *at = os_reserve(&gc->os, GC_MARK_OFF + bytes, HUGE_PAGE);
  if (!at) return false;
  gc->base = at + GC_MARK_OFF;
  point_into(gc, plan);
  gc->committed_units = 0;
  gc->committed = calloc(cage_map_words(gc), sizeof(uint64_t));
  return gc->committed && open_side(gc, plan->cage_pages) && commit_fixed(gc, plan);
}

bool cage_open(Gc *gc, uint64_t bytes) {
  Heap plan = {0};
  if (reserve(gc, bytes, &plan) && populate_fixed(gc, &plan)) {
    *gc->heap = plan;
    if (open_buddy(gc) && cage_commit(gc, plan.first_page, 1)) return true;
  }
  cage_close(gc);
  return false;
}

void cage_plan(Heap *h, uint64_t bytes) { lay_out(h, pages_of(bytes)); }

bool cage_plan_fits(const Heap *h, uint64_t bytes) {
  Heap plan = {0};
  cage_plan(&plan, bytes);
  return h->cage_pages == plan.cage_pages && h->first_page == plan.first_page &&
         h->table_off == plan.table_off && h->bits_off == plan.bits_off &&
         h->buddy_off == plan.buddy_off;
}

bool cage_open_with(Gc *gc, const GcContent *content) {
  Heap plan = {0};
  uint64_t bytes = gc->config.cage_bytes;
  if (reserve(gc, bytes, &plan) && content->fill(content->ctx, gc) &&
      cage_plan_fits(gc->heap, bytes))
    return true;
  cage_close(gc);
  return false;
}

bool cage_open_like(Gc *gc, const Gc *like) {
  Heap plan = {0};
  if (reserve(gc, gc->config.cage_bytes, &plan) && populate_fixed(gc, like->heap)) return true;
  cage_close(gc);
  return false;
}

/* Bytes below the base of a mapped cage: the side tables come first. */
static uint64_t mapped_below(uint64_t cage_bytes) {
  return round_up(lay_out_side(pages_of(cage_bytes)).bytes, HUGE_PAGE) + GC_MARK_OFF;
}

bool cage_open_mapped(Gc *gc, const CageFile *file, const Gc *like) {
  uint64_t bytes = gc->config.cage_bytes, below = mapped_below(bytes);
  uint8_t *at = os_reserve_open(&gc->os, below + bytes, HUGE_PAGE);
  if (!at) return false;
  gc->side = at;
  gc->base = at + below;
  gc->mapped = true;
  point_into(gc, like->heap);
  point_aside(gc, like->heap->cage_pages);
  gc->committed = calloc(cage_map_words(gc), sizeof(uint64_t));
  if (gc->committed && os_file_map(&gc->os, file->fd, gc->base - GC_CACHE_OFF, file->bytes)) {
    memcpy(gc->committed, file->committed, cage_map_words(gc) * sizeof(uint64_t));
    gc->committed_units = file->committed_units;
    return true;
  }
  cage_close(gc);
  return false;
}

void cage_close(Gc *gc) {
  if (!gc->base) return;
  uint64_t bytes = gc->config.cage_bytes;
  if (gc->mapped) {
    os_release(gc->side, mapped_below(bytes) + bytes);
  } else {
    os_release(gc->base - GC_MARK_OFF, GC_MARK_OFF + bytes);
    if (gc->side) os_unmap(gc->side, lay_out_side(pages_of(bytes)).bytes);
  }
  gc->side = NULL;
  free(gc->committed);
  gc->base = NULL;
}

void cage_populate_next(Gc *gc, uint64_t page, uint64_t count) {
  populate(gc, gc->next + bitword_of_page(page), count * (GC_PAGE / 64)); /* hints */
  populate(gc, gc->slow_pending + bitword_of_page(page), count * (GC_PAGE / 64));
  populate(gc, gc->marker.slow.link + page, count * sizeof *gc->marker.slow.link);
}

bool cage_is_committed(Gc *gc, uint64_t page) {
  return bits_test(gc->committed, page / UNIT_PAGES);
}

/* Who does not mean to collect does not pay for the bitmaps before it is done after all. */
static bool populate_marks(Gc *gc, uint64_t page, uint64_t count) {
  uint64_t bytes = count * (GC_PAGE / 64), at = bitword_of_page(page);
  return gc->config.mode == GC_OFF ||
         (populate(gc, gc->marks + at, bytes) && populate(gc, gc->pending + at, bytes));
}

/* Units [from, to), none of them committed. */
static bool commit_units(Gc *gc, uint64_t from, uint64_t to) {
  uint64_t page = from * UNIT_PAGES, count = (to - from) * UNIT_PAGES;
  uint8_t *pages = gc->base + page * GC_PAGE;
  if (!os_commit(&gc->os, pages, count * GC_PAGE)) return false;
  if (gc->committed_units >= HUGE_FROM_UNITS || to - from > STEP_MAX_UNITS)
    os_advise_huge(pages, count * GC_PAGE);
  if (!populate(gc, gc->table + page, count * sizeof(PageDesc)) ||
      !populate(gc, gc->bits + bitword_of_page(page), count * (GC_PAGE / 64)) ||
      !populate(gc, pages, count * GC_PAGE) || !populate_marks(gc, page, count))
    return false;
  memset(gc->states + page, snapshot_free_state(gc) | fork_track(gc), count);
  for (uint64_t unit = from; unit < to; unit++) bits_set(gc->committed, unit);
  gc->committed_units += to - from;
  return true;
}

static bool unit_is_free(Gc *gc, uint64_t unit) {
  const uint8_t *state = gc->states + unit * UNIT_PAGES;
  for (unsigned i = 0; i < UNIT_PAGES; i++)
    if (!(state[i] & PAGE_FREE)) return false;
  return true;
}

uint64_t cage_trim(Gc *gc) {
  if (gc_has_snapshots(gc)) return 0; /* they need what free pages hold */
  uint64_t last = gc->heap->cage_pages / UNIT_PAGES, given = 0;
  for (uint64_t from = 0, to; from < last; from = to + 1) {
    from = to = bits_next(gc->committed, from, last);
    while (to < last && bits_test(gc->committed, to) && unit_is_free(gc, to))
      bits_clear(gc->committed, to++);
    if (from < to) os_decommit(gc->base + from * UNIT_BYTES, (to - from) * UNIT_BYTES);
    given += to - from;
  }
  gc->committed_units -= given;
  return given * UNIT_BYTES;
}

/* Units that may be committed before what the system has given is more than the limit. */
static uint64_t units_left(Gc *gc) {
  uint64_t most = gc->heap->limit_bytes / UNIT_BYTES;
  return most > gc->committed_units ? most - gc->committed_units : 0;
}

/* How far to commit in one step, at least up to unit `need`, not into committed units. */
static uint64_t step_end(Gc *gc, uint64_t from, uint64_t need) {
  uint64_t step = gc->committed_units / 2;
  if (step < 1) step = 1;
  if (step > STEP_MAX_UNITS) step = STEP_MAX_UNITS;
  if (step > units_left(gc)) step = units_left(gc);
  uint64_t end = from + step;
  if (gc->committed_units >= HUGE_FROM_UNITS) end = round_up(end, UNITS_PER_HUGE);
  if (end < need) end = need;
  uint64_t last = gc->heap->cage_pages / UNIT_PAGES;
  if (end > last) end = last;
  return bits_next(gc->committed, from, end);
}

bool cage_adopt_range(Gc *gc, uint64_t first, uint64_t end) {
  uint64_t from = first / UNIT_PAGES, to = (end + UNIT_PAGES - 1) / UNIT_PAGES;
  uint64_t page = from * UNIT_PAGES, count = (to - from) * UNIT_PAGES;
  return os_commit(&gc->os, gc->base + page * GC_PAGE, count * GC_PAGE);
}

void cage_adopt(Gc *gc, uint64_t first, uint64_t count) {
  uint64_t from = first / UNIT_PAGES, to = (first + count - 1) / UNIT_PAGES + 1;
  while (from < to && bits_test(gc->committed, from)) from++;
  if (from == to) return;
  bits_set_range(gc->committed, from, to);
  gc->committed_units += to - from;
}

static bool all_committed(Gc *gc, uint64_t from, uint64_t to) {
  while (from < to && bits_test(gc->committed, from)) from++;
  return from >= to;
}

/* The limit is one of the process's memory: at it, units that are free are given back before others
 * are taken in their place. */
bool cage_commit(Gc *gc, uint64_t first, uint64_t count) {
  uint64_t unit = first / UNIT_PAGES, need = (first + count - 1) / UNIT_PAGES + 1;
  if (all_committed(gc, unit, need)) return true;
  if (need - unit > units_left(gc)) cage_trim(gc);
  while (unit < need) {
    if (bits_test(gc->committed, unit)) {
      unit++;
      continue;
    }
    uint64_t end = step_end(gc, unit, need);
    if (!commit_units(gc, unit, end)) {
      /* A smaller step may still be granted. */
      end = unit + 1;
      if (!commit_units(gc, unit, end)) return false;
    }
    unit = end;
  }
  return true;
}

bool cage_commit_same(Gc *gc, uint64_t first, uint64_t count) {
  uint64_t unit = first / UNIT_PAGES, end = (first + count - 1) / UNIT_PAGES + 1;
  while (unit < end) {
    uint64_t to = unit;
    while (to < end && !bits_test(gc->committed, to)) to++;
    if (to > unit && !commit_units(gc, unit, to)) return false;
    unit = to + (to == unit);
  }
  return true;
}
