/* image.c - saving a heap as a file. Opening is in image_open.c.
 *
 * A full collection comes first, so that the file holds what is alive, every block is old and
 * all lists of the allocators are settled. Then the pages in use are found (by page: those of
 * spans, and of the metadata those that are not all zero), and joined to ranges, each of which
 * will be one mapping; pages in between that nobody uses are written as zeros where that saves a
 * mapping, since each costs microseconds when the image is opened. The file is
 *
 *     header | tables | states of pages | pages, in the order of the cage
 *
 * and is written in this order, to a temporary file beside the old one, which is synced and
 * takes the old one's name; then the folder is synced. Whoever opens the path finds the old file
 * or the new one, whenever the machine stops.
 *
 * The states of pages are those of the heap that will be: whoever opens it has nothing to fill in.
 *
 * Two lists go with it, of the pages that a program will read first, and of those that it will
 * write to: they are made resident, and the latter copied, when the image is opened, in a few
 * requests, where a page fault for each would cost more than everything else. They are what is
 * reached first from the roots; and where the first spans will be taken, and, if the running
 * process was opened from an image itself, what else of it that has changed. The first spans come
 * from a window, a unit of the cage that is free: where the allocator would look for them
 * otherwise, they would be scattered, and so would be what is noted about them. */
#include "image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bits.h"
#include "cage.h"
#include "collect.h"
#include "page.h"
#include "slab.h"
#include "snapshot.h"
#include "xxh64.h"

enum {
  MOST_MAPS = 64,
  MOST_RANGES = 128, /* of either list: each is a request when the image is opened */
  MOST_GAP = 8,      /* pages in between that are listed, too, to have fewer */
  NEXT_PAGES = 28, /* of the window, that are listed, unless it is known how many are used */
  EMPTY_SHARE = 64,
  WRITE_PAGES = 2048, /* in one call */
};

/* Of a page. FILLED: between used ones. */
enum { NOTHING = 0, USED = 1, FILLED = 2, READ = 4, WRITTEN = 8, LISTED = READ | WRITTEN };

typedef struct Saving {
  Gc *gc;
  const ImageSave *save;
  ImageError *error;
  uint8_t *what; /* by place, below `places` */
  uint32_t end, places; /* whole units of the cage are looked at, up to page `end` */
  uint32_t window;      /* the first page of a free unit, or 0 */
  ImageHeader head;
  ImageRun *runs;
  ImageMap *maps;
  ImageRun *lists[2]; /* what is read first, what is written */
  uint64_t *sums;
  uint64_t nruns, nmaps, nsums, nlists[2];
  uint8_t *first; /* struct Heap and the root area as they are to be saved */
  uint8_t *states; /* from the host page on */
  char temporary[IMAGE_PATH_MAX + 64];
  char target[IMAGE_PATH_MAX + 1];
  int fd;
} Saving;

static bool no_memory(Saving *s) {
  return image_fail(s->error, ENOMEM, "there is no memory to save it");
}

static bool is_among(const Saving *s, uint32_t place, uint8_t which) {
  return (s->what[place] & which) != 0;
}

static bool is_used(const Saving *s, uint64_t page) {
  return page < s->end && is_among(s, (uint32_t)(IMAGE_CAGE + page), USED);
}

static uint64_t place_of(const Gc *gc, const void *at) {
  return (uint64_t)((const uint8_t *)at - (gc->base - GC_CACHE_OFF)) / GC_PAGE;
}

/* ---- which pages ------------------------------------------------------------------------------
 */

static bool is_zero(const void *page) {
  const uint64_t *words = page;
  uint64_t any = 0;
  for (unsigned i = 0; i < GC_PAGE_WORDS; i++) any |= words[i];
  return any == 0;
}

/* Descriptors that nobody looks at may be stale: they are made zero, so that a check can tell. */
static void tidy_descriptors(Gc *gc, uint32_t from, uint32_t to) {
  static const PageDesc none;
  for (uint32_t page = from; page < to; page++) {
    if (!cage_is_committed(gc, page) || memcmp(gc->table + page, &none, sizeof none) == 0) continue;
    *page_edit(gc, page) = none;
  }
}

static void tidy_table(Gc *gc) {
  uint32_t page = (uint32_t)gc->heap->first_page, span, before = page;
  while ((span = page_next_span(gc, &page)) != 0) {
    tidy_descriptors(gc, before, span);
    if (gc->table[span].kind == SPAN_LARGE) tidy_descriptors(gc, span + 1, page);
    before = page;
  }
  tidy_descriptors(gc, before, gc->top_page);
}

static void note_metadata(Saving *s, uint64_t from, uint64_t bytes) {
  for (uint64_t at = from; at < from + bytes; at += GC_PAGE)
    if (!is_zero(s->gc->base + at)) s->what[IMAGE_CAGE + at / GC_PAGE] = USED;
}

/* Of table and alloc bitmap the parts of committed units. */
static void note_unit(Saving *s, uint64_t unit) {
  const Heap *h = s->gc->heap;
  uint64_t table = h->table_off + unit * UNIT_PAGES * sizeof(PageDesc);
  note_metadata(s, table / GC_PAGE * GC_PAGE, GC_PAGE);
  note_metadata(s, h->bits_off + unit * GC_PAGE, GC_PAGE);
}

static void note_pages(Saving *s) {
  Gc *gc = s->gc;
  Heap *h = gc->heap;
  uint64_t units = h->cage_pages / UNIT_PAGES;
  uint8_t *what = s->what + IMAGE_CAGE;
  memset(what + GC_HEAP_OFF / GC_PAGE, USED, (GC_ROOT_END - GC_HEAP_OFF) / GC_PAGE);
  for (uint64_t u = bits_next(gc->committed, 0, units); u < units;
       u = bits_next(gc->committed, u + 1, units))
    note_unit(s, u);
  note_metadata(s, h->buddy_off, h->table_off - h->buddy_off);
  uint32_t page = (uint32_t)h->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) memset(what + span, USED, page - span);
}

/* Of units without a page in use there is nothing to say, but for the window. */
static void note_states_of_unit(Saving *s, uint32_t first) {
  uint8_t *states = s->states + GC_HOST_BYTES + first, used = 0;
  for (uint32_t i = 0; i < UNIT_PAGES; i++) {
    states[i] = is_used(s, first + i) ? PAGE_OLD : PAGE_FREE;
    used |= states[i] == PAGE_OLD;
  }
  if (!used && (first != s->window || !first)) memset(states, 0, UNIT_PAGES);
}

static bool note_states(Saving *s) {
  uint64_t places = image_state_places(s->end);
  if (!(s->states = calloc(places, GC_PAGE))) return no_memory(s);
  for (uint32_t page = (uint32_t)s->gc->heap->first_page; page < s->end; page += UNIT_PAGES)
    note_states_of_unit(s, page);
  memset(s->what + IMAGE_STATES, USED, places);
  return true;
}

/* ---- which of them are listed -------------------------------------------------------------------
 */

/* Breadth first from the roots, until enough pages have been met. */
typedef struct Search {
  Saving *s;
  uint64_t left; /* pages */
  uint32_t *queue;
  uint64_t from, to;
  uint64_t *met; /* by word of the cage */
} Search;
enum { SEARCH_MOST = 1 << 14, SEARCH_WIDE = 256 }; /* blocks; of a long one only so many values */

static void list_page(Search *q, uint64_t page) {
  uint8_t *what = q->s->what + IMAGE_CAGE + page;
  if (q->left == 0 || (*what & LISTED)) return;
  *what |= READ;
  q->left--;
}

static void meet(Search *q, uint32_t ref) {
  uint64_t page = page_of_word(ref);
  if (!ref || !is_used(q->s, page) || q->to == SEARCH_MOST) return;
  if (bits_test(q->met, ref)) return;
  bits_set(q->met, ref);
  list_page(q, page);
  q->queue[q->to++] = ref;
}

static void meet_values(Search *q, const Value *p, uint64_t n) {
  for (uint64_t i = 0; i < n && q->left; i++)
    if (p[i] >> 48 == VALUE_REF_HIGH) meet(q, (uint32_t)p[i]);
}

static void look_into(Search *q, uint32_t ref) {
  const Header *h = gc_ptr(q->s->gc->base, (Ref){ref});
  const uint64_t *words = (const uint64_t *)h;
  unsigned layout = h->layout & LAYOUT_MASK;
  unsigned pairs = layout ? 0 : layout_pairs(h->layout);
  if (h->layout & LAYOUT_AUX_REF) meet(q, h->aux);
  for (unsigned i = 1; i <= pairs; i++) {
    meet(q, (uint32_t)words[i]);
    meet(q, (uint32_t)(words[i] >> 32));
  }
  if (layout == LAYOUT_VALUES) meet_values(q, words + 1 + pairs, h->n);
  if (layout == LAYOUT_WIDE) meet_values(q, words + 1, h->aux < SEARCH_WIDE ? h->aux : SEARCH_WIDE);
  if (layout == LAYOUT_STACK) meet_values(q, words + 2, words[1] < h->aux ? words[1] : h->aux);
}

static bool list_read(Saving *s) {
  Search q = {.s = s, .left = s->save->listed};
  if (q.left > IMAGE_MOST_READ) q.left = IMAGE_MOST_READ;
  if (q.left == 0) return true;
  q.queue = malloc(SEARCH_MOST * sizeof *q.queue);
  q.met = calloc(s->end, PAGE_BITWORDS * sizeof(uint64_t));
  if (!q.queue || !q.met) {
    free(q.queue);
    free(q.met);
    return no_memory(s);
  }
  meet_values(&q, (const Value *)(s->gc->base + GC_ROOT_OFF), GC_ROOT_BYTES / 8);
  while (q.from < q.to && q.left) look_into(&q, q.queue[q.from++]);
  free(q.queue);
  free(q.met);
  return true;
}

/* The part of the buddy tree that tells about a page. */
static uint64_t tree_page(const Gc *gc, uint64_t page) {
  uint64_t first = gc->heap->buddy_off / GC_PAGE, at = first + 1, from, to;
  for (; at < gc->heap->table_off / GC_PAGE; at++) {
    buddy_range_of_page(gc->buddy, at - first, &from, &to);
    if (page >= from && page < to) return at;
  }
  return first;
}

/* A free unit. */
static uint32_t find_window(const Gc *gc) {
  uint32_t end = (uint32_t)gc->heap->cage_pages;
  BuddyRun run;
  for (uint32_t page = (uint32_t)gc->heap->first_page; page < end; page += run.units) {
    run = buddy_run(gc->buddy, page);
    uint32_t first = (page + UNIT_PAGES - 1) / UNIT_PAGES * UNIT_PAGES, behind = page + run.units;
    if (!run.used && first + UNIT_PAGES <= (behind < end ? behind : end)) return first;
  }
  return 0;
}

static void list_written(Saving *s, const void *at) {
  uint64_t place = place_of(s->gc, at);
  if (place < s->places) s->what[place] |= WRITTEN;
}

/* A page of the window, and what is noted about it when it is taken. */
static void list_next_page(Saving *s, uint64_t page) {
  const Gc *gc = s->gc;
  list_written(s, gc->base + page * GC_PAGE);
  list_written(s, gc->base + tree_page(gc, page) * GC_PAGE);
  list_written(s, gc->table + page);
  list_written(s, gc->states + page);
  list_written(s, gc->young_pages + page / 64);
}

/* How many pages of its own window a heap has used that was opened from an image. */
static uint32_t next_pages(const Gc *gc) {
  if (!gc->from_image || !gc->window_end) return NEXT_PAGES;
  if (gc->window == gc->window_end) return UNIT_PAGES;
  return gc->window + UNIT_PAGES - gc->window_end;
}

/* Slabs that are nearly empty may stay so for now if they are few, else a heap that is saved and
 * opened again and again would grow. */
static bool few_are_empty(const Gc *gc) {
  uint64_t pages = 0;
  for (unsigned r = 0; r < GC_RUNS; r++)
    for (uint32_t span = gc->heap->ready[r][0]; span; span = gc->table[span + 1].ready_next)
      pages += gc->table[span].pages;
  return pages <= gc->heap->used_pages / EMPTY_SHARE;
}

/* Host page, heap and roots are always written to. */
static void list_next(Saving *s) {
  const Gc *gc = s->gc;
  list_written(s, gc_host(gc->base));
  for (uint64_t at = GC_HEAP_OFF; at < GC_ROOT_END; at += GC_PAGE)
    list_written(s, gc->base + at);
  list_written(s, gc->buddy.state);
  uint32_t n = s->window ? next_pages(gc) : 0;
  for (uint32_t i = 0; i < n; i++) list_next_page(s, s->window + i);
}

static void list_changed(Saving *s) {
  const Gc *gc = s->gc;
  uint64_t n = 0, end = gc->changed_end < s->places ? gc->changed_end : s->places;
  for (uint64_t p = bits_next(gc->changed, 0, end); p < end && n < IMAGE_MOST_WRITTEN;
       p = bits_next(gc->changed, p + 1, end), n++)
    if (p < IMAGE_CAGE || is_among(s, (uint32_t)p, USED)) s->what[p] |= WRITTEN;
}

/* What the system tells of pages. */
#define PAGEMAP_PRESENT ((uint64_t)1 << 63)
#define PAGEMAP_OF_FILE ((uint64_t)1 << 61)

/* Before the collection, which touches everything: which places this process has changed. (Which
 * ones it has read is not to be had: a page fault maps the neighbours, too.) */
static void note_changed(Gc *gc) {
  uint64_t end = IMAGE_CAGE + (uint64_t)gc->top_page;
  if (!gc->from_image || !gc->top_page) return;
  uint64_t *bits = calloc(end / 64 + 1, sizeof *bits);
  int fd = bits ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
  uint64_t entries[512], page = 0;
  while (fd >= 0 && page < end) {
    uint64_t n = end - page < 512 ? end - page : 512;
    off_t at = (off_t)(((uintptr_t)gc->base / GC_PAGE - IMAGE_CAGE + page) * 8);
    if (pread(fd, entries, n * 8, at) != (ssize_t)(n * 8)) break;
    for (uint64_t i = 0; i < n; i++)
      if ((entries[i] & (PAGEMAP_PRESENT | PAGEMAP_OF_FILE)) == PAGEMAP_PRESENT)
        bits_set(bits, page + i);
    page += n;
  }
  if (fd >= 0) close(fd);
  free(gc->changed);
  gc->changed = page >= end ? bits : NULL;
  gc->changed_end = end;
  if (page < end) free(bits);
}

/* ---- ranges -------------------------------------------------------------------------------------
 */

static uint64_t count_ranges(const Saving *s, uint8_t which) {
  uint64_t n = 0;
  for (uint32_t p = 0; p < s->places; p++)
    n += is_among(s, p, which) && !(p && is_among(s, p - 1, which));
  return n;
}

/* The next range at or after *place, which is moved behind it; count 0: there is none. */
static ImageRun next_range(const Saving *s, uint32_t *place, uint8_t which) {
  while (*place < s->places && !is_among(s, *place, which)) ++*place;
  uint32_t first = *place;
  while (*place < s->places && is_among(s, *place, which)) ++*place;
  return (ImageRun){first, *place - first};
}

/* Gaps of up to `gap` pages get the flag `fill`, but not the one below the cage: the collector's
 * bitmaps are there. */
static void close_gaps(Saving *s, uint8_t which, uint8_t fill, uint32_t gap) {
  uint32_t place = 0, end = 0;
  for (ImageRun r; (r = next_range(s, &place, which)).count; end = place) {
    if (!end || r.first - end > gap || (end <= IMAGE_CAGE && r.first > IMAGE_CAGE)) continue;
    for (uint32_t p = end; p < r.first; p++) s->what[p] |= fill;
  }
}

static uint64_t join_ranges(Saving *s, uint8_t which, uint8_t fill, uint64_t most, uint32_t gaps) {
  uint64_t n;
  for (uint32_t gap = 1; (n = count_ranges(s, which)) > most && gap < gaps; gap *= 2)
    close_gaps(s, which, fill, gap);
  return n;
}

/* Where a list is scattered, its shortest ranges are left to page faults. */
static void drop_short_ranges(Saving *s, uint8_t which, uint32_t least, uint64_t surplus) {
  uint32_t page = 0;
  for (ImageRun r; surplus && (r = next_range(s, &page, which)).count;) {
    if (r.count >= least) continue;
    for (uint32_t p = r.first; p < page; p++) s->what[p] &= (uint8_t)~which;
    surplus--;
  }
}

static bool make_list(Saving *s, int i, uint8_t which) {
  uint64_t n = join_ranges(s, which, which, MOST_RANGES, which == READ ? MOST_GAP : 0);
  for (uint32_t least = 2; n > MOST_RANGES; least *= 2) {
    drop_short_ranges(s, which, least, n - MOST_RANGES);
    n = count_ranges(s, which);
  }
  uint32_t page = 0;
  s->nlists[i] = n;
  s->lists[i] = malloc((n + 1) * sizeof(ImageRun));
  for (uint64_t k = 0; s->lists[i] && k < n; k++) s->lists[i][k] = next_range(s, &page, which);
  return s->lists[i] || no_memory(s);
}

static void add_maps(Saving *s) {
  uint32_t page = 0;
  for (ImageRun r; (r = next_range(s, &page, USED | FILLED)).count;) {
    s->maps[s->nmaps++] = (ImageMap){r.first, r.count, s->head.first_page + s->head.pages, 0};
    s->head.pages += r.count;
  }
}

static bool add_runs(Saving *s) {
  for (int pass = 0; pass < 2; pass++) {
    s->nruns = 0;
    for (uint32_t p = (uint32_t)s->gc->heap->first_page; p < s->end; p++) {
      uint32_t first = p;
      while (is_used(s, p)) p++;
      if (p > first && pass) s->runs[s->nruns] = (ImageRun){first, p - first};
      s->nruns += p > first;
    }
    if (!pass && !(s->runs = malloc((s->nruns + 1) * sizeof *s->runs))) return no_memory(s);
  }
  return true;
}

/* ---- the parts of the file ----------------------------------------------------------------------
 */

static void set_section(Saving *s, ImageSection which, uint64_t bytes, uint64_t *offset) {
  s->head.sections[which] = (ImageSpan){*offset, bytes, 0};
  *offset += (bytes + 7) / 8 * 8;
}

/* Where everything goes; the maps are made afterwards, since they tell places in the file. */
static bool plan_file(Saving *s) {
  uint64_t pages = 0, offset = GC_PAGE;
  uint64_t maps = join_ranges(s, USED | FILLED, FILLED, MOST_MAPS, s->places);
  if (!make_list(s, 0, READ) || !make_list(s, 1, WRITTEN) || !add_runs(s)) return false;
  for (uint32_t p = 0; p < s->places; p++) {
    pages += is_among(s, p, USED | FILLED);
    s->head.listed_pages += is_among(s, p, LISTED);
    s->head.written_pages += is_among(s, p, WRITTEN);
  }
  s->nsums = (pages + IMAGE_CHUNK - 1) / IMAGE_CHUNK;
  set_section(s, IMAGE_RUNS, s->nruns * sizeof *s->runs, &offset);
  set_section(s, IMAGE_MAPS, maps * sizeof *s->maps, &offset);
  set_section(s, IMAGE_READ, s->nlists[0] * sizeof(ImageRun), &offset);
  set_section(s, IMAGE_WRITTEN, s->nlists[1] * sizeof(ImageRun), &offset);
  set_section(s, IMAGE_STACKS, s->gc->stacks.count * sizeof(uint32_t), &offset);
  set_section(s, IMAGE_NOTES, s->save->note_bytes, &offset);
  set_section(s, IMAGE_SUMS, s->nsums * sizeof *s->sums, &offset);
  if (offset > IMAGE_MOST_TABLES) return image_fail(s->error, EFBIG, "its tables are too large");
  s->head.first_page = (uint32_t)(image_round_page(offset) / GC_PAGE);
  s->maps = malloc((maps + 1) * sizeof *s->maps);
  s->sums = calloc(s->nsums + 1, sizeof *s->sums);
  if (!s->maps || !s->sums) return no_memory(s);
  add_maps(s);
  s->head.file_bytes = (s->head.first_page + (uint64_t)s->head.pages) * GC_PAGE;
  return true;
}

/* The bytes of a place as they are to be saved. */
static const void *page_bytes(const Saving *s, uint32_t place) {
  static const uint8_t zero[GC_PAGE];
  uint64_t first = GC_HEAP_OFF / GC_PAGE, end = GC_ROOT_END / GC_PAGE;
  if (!is_among(s, place, USED)) return zero;
  if (place < IMAGE_CAGE) return s->states + (uint64_t)(place - IMAGE_STATES) * GC_PAGE;
  uint64_t page = place - IMAGE_CAGE;
  if (page >= first && page < end) return s->first + (page - first) * GC_PAGE;
  return s->gc->base + page * GC_PAGE;
}

/* What is of this process is left out. */
static bool copy_first(Saving *s) {
  Gc *gc = s->gc;
  uint64_t bytes = GC_ROOT_END - GC_HEAP_OFF;
  if (!(s->first = malloc(bytes))) return no_memory(s);
  memcpy(s->first, gc->base + GC_HEAP_OFF, bytes);
  Heap *h = (Heap *)s->first;
  h->external_bytes = 0;
  h->limit_bytes = gc->config.cage_bytes;
  h->peak_bytes = h->used_pages * GC_PAGE;
  return true;
}

/* The checksum of a chunk is over its pages one after another. */
static void sum_pages(Saving *s) {
  uint64_t n = 0, sum = 0;
  for (uint64_t i = 0; i < s->nmaps; i++) {
    for (uint32_t k = 0; k < s->maps[i].count; k++, n++) {
      if (n % IMAGE_CHUNK == 0) sum = n / IMAGE_CHUNK;
      sum = xxh64(page_bytes(s, s->maps[i].place + k), GC_PAGE, sum);
      s->sums[n / IMAGE_CHUNK] = sum;
    }
  }
}

static const void *section_bytes(const Saving *s, ImageSection which) {
  switch (which) {
    case IMAGE_RUNS: return s->runs;
    case IMAGE_MAPS: return s->maps;
    case IMAGE_READ: return s->lists[0];
    case IMAGE_WRITTEN: return s->lists[1];
    case IMAGE_SUMS: return s->sums;
    case IMAGE_STACKS: return s->gc->stacks.refs;
    default: return s->save->notes;
  }
}

static void fill_header(Saving *s) {
  ImageHeader *h = &s->head;
  const Gc *gc = s->gc;
  memcpy(h->magic, IMAGE_MAGIC, sizeof h->magic);
  h->version = IMAGE_VERSION;
  h->byte_order = IMAGE_BYTE_ORDER;
  h->page_bytes = GC_PAGE;
  h->header_bytes = sizeof *h;
  h->layout = image_layout_digest();
  h->identity = s->save->identity;
  snprintf(h->build, sizeof h->build, "%s", s->save->build);
  h->cage_bytes = gc->config.cage_bytes;
  h->root_bytes = gc->config.root_bytes;
  h->limit_bytes = gc->heap->limit_bytes;
  h->snapshot_serial = snapshot_last_serial(gc);
  h->used_pages = gc->heap->used_pages;
  h->window = s->window;
  h->window_pages = s->window ? UNIT_PAGES : 0;
  h->window_rather = few_are_empty(gc);
  memcpy(h->words, s->save->words, sizeof h->words);
  for (int i = 0; i < IMAGE_SECTIONS; i++)
    h->sections[i].sum = xxh64(section_bytes(s, (ImageSection)i), h->sections[i].bytes, 0);
  h->sum = image_header_sum(h);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static bool write_bytes(Saving *s, const void *bytes, uint64_t n) {
  for (const uint8_t *at = bytes; n > 0;) {
    ssize_t done = write(s->fd, at, n < (1u << 30) ? n : 1u << 30);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return image_fail_system(s->error, "it cannot be written", errno);
    if (done == 0) return image_fail_system(s->error, "it cannot be written", ENOSPC);
    at += done;
    n -= (uint64_t)done;
  }
  return true;
}

/* Header and tables, in one buffer. */
static bool write_front(Saving *s) {
  uint64_t bytes = s->head.first_page * (uint64_t)GC_PAGE;
  uint8_t *front = calloc(1, bytes);
  if (!front) return no_memory(s);
  memcpy(front, &s->head, sizeof s->head);
  for (int i = 0; i < IMAGE_SECTIONS; i++) {
    const ImageSpan *span = &s->head.sections[i];
    if (span->bytes) memcpy(front + span->offset, section_bytes(s, (ImageSection)i), span->bytes);
  }
  bool ok = write_bytes(s, front, bytes);
  free(front);
  return ok;
}

/* Pages that lie one behind another in memory go out in one call. */
static bool write_map(Saving *s, const ImageMap *m) {
  for (uint32_t i = 0, n; i < m->count; i += n) {
    const uint8_t *from = page_bytes(s, m->place + i);
    for (n = 1; n < WRITE_PAGES && i + n < m->count; n++)
      if ((const uint8_t *)page_bytes(s, m->place + i + n) != from + (uint64_t)n * GC_PAGE) break;
    if (!write_bytes(s, from, (uint64_t)n * GC_PAGE)) return false;
  }
  return true;
}

static bool write_file(Saving *s) {
  if (!write_front(s)) return false;
  for (uint64_t i = 0; i < s->nmaps; i++)
    if (!write_map(s, &s->maps[i])) return false;
  if (fsync(s->fd) != 0) return image_fail_system(s->error, "it cannot be synced", errno);
  int fd = s->fd;
  s->fd = -1;
  return close(fd) == 0 || image_fail_system(s->error, "it cannot be written", errno);
}

/* The file that the path stands for: links are followed, so that they stay. */
static bool find_target(Saving *s) {
  struct stat info;
  const char *path = s->save->path;
  char *real = realpath(path, NULL);
  bool fits = strlen(real ? real : path) <= IMAGE_PATH_MAX;
  if (fits) strcpy(s->target, real ? real : path);
  free(real);
  if (!fits) return image_fail_system(s->error, "it cannot be saved there", ENAMETOOLONG);
  if (stat(s->target, &info) == 0 && !S_ISREG(info.st_mode))
    return image_fail(s->error, S_ISDIR(info.st_mode) ? EISDIR : EINVAL,
                      "it is %s; give a file's name",
                      S_ISDIR(info.st_mode) ? "a folder" : "no plain file");
  return true;
}

static bool make_temporary(Saving *s) {
  for (unsigned i = 0; i < 1000; i++) {
    snprintf(s->temporary, sizeof s->temporary, "%s.saving-%ld-%u", s->target, (long)getpid(), i);
    s->fd = open(s->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (s->fd >= 0) return true;
    if (errno != EEXIST) break;
  }
  int error = errno;
  s->temporary[0] = 0;
  return image_fail_system(s->error, "a file cannot be made beside it", error);
}

static bool sync_folder(Saving *s) {
  char folder[IMAGE_PATH_MAX + 1];
  const char *slash = strrchr(s->target, '/');
  size_t n = slash ? (size_t)(slash - s->target) : 0;
  snprintf(folder, sizeof folder, "%.*s", slash ? (int)(n ? n : 1) : 1, slash ? s->target : ".");
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS);
  int error = errno;
  if (fd >= 0) close(fd);
  return ok || image_fail_system(s->error,
                                 "it is in its place, but its folder cannot be synced: a power "
                                 "failure may bring back what was there before",
                                 error);
}

static bool put_in_place(Saving *s) {
  if (rename(s->temporary, s->target) != 0)
    return image_fail_system(s->error, "it cannot be put in its place", errno);
  s->temporary[0] = 0;
  return sync_folder(s);
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

/* What of the cage is looked at: pages that were ever used, and the window. */
static bool look_at_pages(Saving *s) {
  const Gc *gc = s->gc;
  s->window = find_window(gc);
  s->end = s->window ? s->window + UNIT_PAGES : (uint32_t)gc->heap->first_page;
  if (gc->top_page > s->end) s->end = (gc->top_page + UNIT_PAGES - 1) / UNIT_PAGES * UNIT_PAGES;
  s->places = IMAGE_CAGE + s->end;
  s->what = calloc(s->places, 1);
  return s->what || no_memory(s);
}

static bool save_all(Saving *s) {
  Gc *gc = s->gc;
  if (!look_at_pages(s)) return false;
  tidy_table(gc);
  note_pages(s);
  if (!note_states(s)) return false;
  if (gc->changed) list_changed(s);
  if (s->save->listed) list_next(s);
  if (!list_read(s)) return false;
  if (!plan_file(s) || !copy_first(s)) return false;
  sum_pages(s);
  fill_header(s);
  return find_target(s) && make_temporary(s) && write_file(s) && put_in_place(s);
}

static void saving_end(Saving *s) {
  if (s->fd >= 0) close(s->fd);
  if (s->temporary[0]) unlink(s->temporary);
  free(s->what);
  free(s->runs);
  free(s->maps);
  free(s->lists[0]);
  free(s->lists[1]);
  free(s->sums);
  free(s->first);
  free(s->states);
  free(s->gc->changed);
  s->gc->changed = NULL;
}

bool image_save(Gc *gc, const ImageSave *save, ImageStats *stats, ImageError *error) {
  Saving *s = calloc(1, sizeof *s);
  uint64_t start = os_now_ns();
  if (!s) return image_fail(error, ENOMEM, "there is no memory to save it");
  *s = (Saving){.gc = gc, .save = save, .error = error, .fd = -1};
  note_changed(gc);
  gc_collect(gc);
  slab_close_runs(gc);
  bool ok = !gc->stacks.lost || no_memory(s);
  ok = ok && save_all(s);
  saving_end(s);
  if (ok && stats)
    *stats = (ImageStats){s->head.file_bytes, s->head.pages, s->head.listed_pages, s->nmaps,
                          os_now_ns() - start};
  free(s);
  return ok;
}
