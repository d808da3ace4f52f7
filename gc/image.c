/* image.c - saving a heap as a file and opening one.
 *
 * Saving. A full collection comes first, so that the file holds what is alive, every block is old
 * and all lists of the allocators are settled. Then the pages in use are found (by page: those of
 * spans, and of the metadata those that are not all zero), and joined to ranges, each of which will
 * be one mapping; pages in between that nobody uses are written as zeros where that saves a
 * mapping, since a process may have only 65,530 of them. The file is
 *
 *     header | tables | pages listed | the other pages
 *
 * and is written in this order, to a temporary file beside the old one, which is synced and takes
 * the old one's name; then the folder is synced. Whoever opens the path finds the old file or the
 * new one, whenever the machine stops.
 *
 * The pages listed are those that a program will touch first. They lie together in the file, so
 * that one request reads them, and are made resident when the image is opened: a page fault for
 * each would cost more than everything else. They are what the running process has touched, if it
 * was opened from an image itself; else those that are reached first from the roots.
 *
 * Opening. The header says how large the cage is, the tables which page of the file goes where.
 * Each range is mapped privately in its place, and so are once more the pages of the alloc bitmap
 * as mark bits: after a full collection the two are equal. So the blocks of an image are an old
 * generation that minor collections do not look at, and stay shared between processes.
 *
 * Nothing of the file is trusted before it has been checked, but pages are not read for their
 * checksums: the file is as trustworthy as a program (docs/SECURITY.md). image_check.c proves the
 * rest for those who ask. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
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
  BYTE_ORDER_MARK = 0x01020304,
  MOST_LISTED_MAPS = 96,
  MOST_LISTED_GAP = 8,
  MOST_MAPS = 512,
  MOST_LISTED = 4096,
  WRITE_PAGES = 2048, /* in one call */
  MOST_TABLES = 1 << 28,
};
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static uint64_t round_page(uint64_t n) { return (n + GC_PAGE - 1) / GC_PAGE * GC_PAGE; }

static bool fail(ImageError *e, int system, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(ImageError *e, int system, const char *format, ...) {
  va_list args;
  va_start(args, format);
  e->system = system;
  vsnprintf(e->text, sizeof e->text, format, args);
  va_end(args);
  return false;
}

static bool fail_system(ImageError *e, const char *what, int system) {
  char reason[128];
  return fail(e, system, "%s: %s", what, strerror_r(system, reason, sizeof reason));
}

/* What makes the bytes of one heap mean the same to another. */
static uint64_t layout_digest(void) {
  const uint64_t facts[] = {GC_PAGE,
                            GC_CLASSES,
                            GC_SPACES,
                            GC_SMALL_WORDS,
                            sizeof(Heap),
                            sizeof(PageDesc),
                            sizeof(Policy),
                            sizeof(BuddyState),
                            GC_HEAP_OFF,
                            GC_ROOT_OFF,
                            GC_ROOT_BYTES,
                            UNIT_PAGES,
                            GRANULE_WORDS,
                            MID_MAX_WORDS,
                            FIT_ROWS,
                            FIT_COLUMNS,
                            SLAB_BUCKETS,
                            VALUE_REF_HIGH,
                            LAYOUT_FINAL,
                            LAYOUT_WEAK,
                            offsetof(Heap, fit),
                            offsetof(Heap, policy),
                            offsetof(Heap, finals),
                            SPAN_LARGE};
  return xxh64(gc_class_words, sizeof gc_class_words, xxh64(facts, sizeof facts, IMAGE_VERSION));
}

static uint64_t header_sum(const ImageHeader *head) {
  ImageHeader copy = *head;
  copy.sum = 0;
  return xxh64(&copy, sizeof copy, 0);
}

/* ==== saving ====================================================================================
 */

enum { NOTHING = 0, USED = 1, FILLED = 2, LISTED = 4 }; /* of a page; FILLED: between used ones */

typedef struct Saving {
  Gc *gc;
  const ImageSave *save;
  ImageError *error;
  uint8_t *what; /* by page of the cage, below `end` */
  uint32_t end;
  ImageHeader head;
  ImageRun *runs;
  ImageMap *maps;
  uint64_t *sums;
  uint64_t nruns, nmaps, nsums;
  uint8_t *first; /* struct Heap and the root area as they are to be saved */
  char temporary[IMAGE_PATH_MAX + 64];
  char target[IMAGE_PATH_MAX + 1];
  int fd;
} Saving;

static bool no_memory(Saving *s) { return fail(s->error, ENOMEM, "there is no memory to save it"); }

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
    if (!is_zero(s->gc->base + at)) s->what[at / GC_PAGE] = USED;
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
  uint64_t units = h->cage_pages / UNIT_PAGES, end = h->first_page * GC_PAGE;
  for (uint32_t page = GC_HEAP_OFF / GC_PAGE; page < h->table_off / GC_PAGE; page++)
    s->what[page] = USED;
  for (uint64_t u = bits_next(gc->committed, 0, units); u < units;
       u = bits_next(gc->committed, u + 1, units))
    note_unit(s, u);
  note_metadata(s, h->buddy_off, end - h->buddy_off);
  uint32_t page = (uint32_t)h->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) memset(s->what + span, USED, page - span);
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
  if (q->left == 0 || (q->s->what[page] & LISTED)) return;
  q->s->what[page] |= LISTED;
  q->left--;
}

static void meet(Search *q, uint32_t ref) {
  uint64_t page = page_of_word(ref);
  if (!ref || page >= q->s->end || !(q->s->what[page] & USED) || q->to == SEARCH_MOST) return;
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
  unsigned pairs = layout ? 0 : (h->layout & LAYOUT_PAIR_MASK) >> LAYOUT_PAIR_SHIFT;
  if (h->layout & LAYOUT_AUX_REF) meet(q, h->aux);
  for (unsigned i = 1; i <= pairs; i++) {
    meet(q, (uint32_t)words[i]);
    meet(q, (uint32_t)(words[i] >> 32));
  }
  if (layout == LAYOUT_VALUES) meet_values(q, words + 1 + pairs, h->n);
  if (layout == LAYOUT_WIDE) meet_values(q, words + 1, h->aux < SEARCH_WIDE ? h->aux : SEARCH_WIDE);
  if (layout == LAYOUT_STACK) meet_values(q, words + 2, words[1] < h->aux ? words[1] : h->aux);
}

static bool list_by_roots(Saving *s) {
  Search q = {.s = s, .left = s->save->listed};
  if (q.left > MOST_LISTED) q.left = MOST_LISTED;
  if (q.left == 0) return true;
  q.queue = malloc(SEARCH_MOST * sizeof *q.queue);
  q.met = calloc(s->end, PAGE_BITWORDS * sizeof(uint64_t));
  if (!q.queue || !q.met) {
    free(q.queue);
    free(q.met);
    return no_memory(s);
  }
  for (uint32_t page = GC_HEAP_OFF / GC_PAGE; page < s->gc->heap->table_off / GC_PAGE; page++)
    list_page(&q, page);
  list_page(&q, s->gc->heap->buddy_off / GC_PAGE);
  meet_values(&q, (const Value *)(s->gc->base + GC_ROOT_OFF), GC_ROOT_BYTES / 8);
  while (q.from < q.to && q.left) look_into(&q, q.queue[q.from++]);
  free(q.queue);
  free(q.met);
  return true;
}

static bool list_touched(Saving *s) {
  const uint64_t *touched = s->gc->touched;
  uint64_t n = 0;
  for (uint64_t p = bits_next(touched, 0, s->gc->touched_end); p < s->gc->touched_end;
       p = bits_next(touched, p + 1, s->gc->touched_end)) {
    if (n == MOST_LISTED || p >= s->end) break;
    if (!(s->what[p] & USED)) continue;
    s->what[p] |= LISTED;
    n++;
  }
  return true;
}

/* Before the collection, which touches everything: which pages of the cage are resident. */
static void note_touched(Gc *gc) {
  uint64_t end = gc->top_page;
  if (!gc->from_image || !end) return;
  uint64_t *bits = calloc(end / 64 + 1, sizeof *bits);
  int fd = bits ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
  uint64_t entries[512], page = 0;
  while (fd >= 0 && page < end) {
    uint64_t n = end - page < 512 ? end - page : 512;
    off_t at = (off_t)(((uintptr_t)gc->base / GC_PAGE + page) * 8);
    if (pread(fd, entries, n * 8, at) != (ssize_t)(n * 8)) break;
    for (uint64_t i = 0; i < n; i++)
      if (entries[i] >> 63) bits_set(bits, page + i);
    page += n;
  }
  if (fd >= 0) close(fd);
  free(gc->touched);
  gc->touched = page >= end ? bits : NULL;
  gc->touched_end = end;
  if (page < end) free(bits);
}

/* ---- ranges -------------------------------------------------------------------------------------
 */

static bool in_range(const Saving *s, uint32_t page, uint8_t which) {
  return which == LISTED ? (s->what[page] & LISTED) != 0
                         : s->what[page] && !(s->what[page] & LISTED);
}

static uint64_t count_ranges(const Saving *s, uint8_t which) {
  uint64_t n = 0;
  bool before = false;
  for (uint32_t p = 0; p < s->end; p++) {
    bool now = in_range(s, p, which);
    n += now && !before;
    before = now;
  }
  return n;
}

/* Closes gaps of up to `gap` pages between ranges, but not over pages of the other kind. */
static void close_gaps(Saving *s, uint8_t which, uint32_t gap) {
  uint32_t last = 0;
  bool any = false;
  for (uint32_t p = 0; p < s->end; p++) {
    if (!in_range(s, p, which)) {
      if (which != LISTED && (s->what[p] & LISTED)) any = false;
      continue;
    }
    if (any && p - last > 1 && p - last - 1 <= gap)
      for (uint32_t i = last + 1; i < p; i++)
        s->what[i] |= which == LISTED ? (s->what[i] ? LISTED : LISTED | FILLED) : FILLED;
    last = p;
    any = true;
  }
}

static uint64_t join_ranges(Saving *s, uint8_t which, uint64_t most, uint32_t most_gap) {
  uint64_t n;
  for (uint32_t gap = 1; (n = count_ranges(s, which)) > most && gap < most_gap; gap *= 2)
    close_gaps(s, which, gap);
  return n;
}

/* Where what is listed is scattered, the shortest ranges are left to page faults, `surplus` of them
 * at most: each would cost a mapping of its own. */
static void drop_short_ranges(Saving *s, uint32_t least, uint64_t surplus) {
  for (uint32_t end = s->end; end > 0 && surplus > 0; end--) {
    uint32_t stop = end;
    while (end > 0 && in_range(s, end - 1, LISTED)) end--;
    if (stop == end) continue;
    surplus -= stop - end < least;
    for (uint32_t i = end; i < stop && stop - end < least; i++) s->what[i] &= (uint8_t)~LISTED;
    end++;
  }
}

static uint64_t join_listed(Saving *s) {
  uint64_t n = join_ranges(s, LISTED, MOST_LISTED_MAPS, MOST_LISTED_GAP);
  for (uint32_t least = 2; n > MOST_LISTED_MAPS; least *= 2) {
    drop_short_ranges(s, least, n - MOST_LISTED_MAPS);
    n = count_ranges(s, LISTED);
  }
  return n;
}

static void add_maps(Saving *s, uint8_t which) {
  for (uint32_t p = 0; p < s->end; p++) {
    if (!in_range(s, p, which)) continue;
    uint32_t first = p;
    while (p < s->end && in_range(s, p, which)) p++;
    s->maps[s->nmaps++] = (ImageMap){first, p - first, s->head.first_page + s->head.pages, 0};
    s->head.pages += p - first;
  }
}

static bool add_runs(Saving *s) {
  for (int pass = 0; pass < 2; pass++) {
    s->nruns = 0;
    for (uint32_t p = (uint32_t)s->gc->heap->first_page; p < s->end; p++) {
      uint32_t first = p;
      while (p < s->end && (s->what[p] & USED)) p++;
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
  uint64_t listed = join_listed(s), pages = 0, offset = GC_PAGE;
  uint64_t maps = listed + join_ranges(s, USED, MOST_MAPS, s->end);
  for (uint32_t p = 0; p < s->end; p++) pages += s->what[p] != 0;
  for (uint32_t p = 0; p < s->end; p++) s->head.listed_pages += (s->what[p] & LISTED) != 0;
  s->nsums = (pages + IMAGE_CHUNK - 1) / IMAGE_CHUNK;
  if (!add_runs(s)) return false;
  set_section(s, IMAGE_RUNS, s->nruns * sizeof *s->runs, &offset);
  set_section(s, IMAGE_MAPS, maps * sizeof *s->maps, &offset);
  set_section(s, IMAGE_SUMS, s->nsums * sizeof *s->sums, &offset);
  set_section(s, IMAGE_STACKS, s->gc->stacks.count * sizeof(uint32_t), &offset);
  set_section(s, IMAGE_NOTES, s->save->note_bytes, &offset);
  if (offset > MOST_TABLES) return fail(s->error, EFBIG, "its tables are too large");
  s->head.first_page = (uint32_t)(round_page(offset) / GC_PAGE);
  s->maps = malloc((maps + 1) * sizeof *s->maps);
  s->sums = calloc(s->nsums + 1, sizeof *s->sums);
  if (!s->maps || !s->sums) return no_memory(s);
  add_maps(s, LISTED);
  s->head.listed_maps = (uint32_t)s->nmaps;
  add_maps(s, USED);
  s->head.file_bytes = (s->head.first_page + (uint64_t)s->head.pages) * GC_PAGE;
  return true;
}

/* The bytes of a page as they are to be saved. */
static const void *page_bytes(const Saving *s, uint32_t page) {
  static const uint8_t zero[GC_PAGE];
  uint32_t first = GC_HEAP_OFF / GC_PAGE, end = (uint32_t)(s->gc->heap->table_off / GC_PAGE);
  if (!(s->what[page] & USED)) return zero;
  if (page >= first && page < end) return s->first + (uint64_t)(page - first) * GC_PAGE;
  return s->gc->base + (uint64_t)page * GC_PAGE;
}

/* What is of this process is left out. */
static bool copy_first(Saving *s) {
  Gc *gc = s->gc;
  uint64_t bytes = gc->heap->table_off - GC_HEAP_OFF;
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
      sum = xxh64(page_bytes(s, s->maps[i].page + k), GC_PAGE, sum);
      s->sums[n / IMAGE_CHUNK] = sum;
    }
  }
}

static const void *section_bytes(const Saving *s, ImageSection which) {
  switch (which) {
    case IMAGE_RUNS: return s->runs;
    case IMAGE_MAPS: return s->maps;
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
  h->byte_order = BYTE_ORDER_MARK;
  h->page_bytes = GC_PAGE;
  h->header_bytes = sizeof *h;
  h->layout = layout_digest();
  h->identity = s->save->identity;
  snprintf(h->build, sizeof h->build, "%s", s->save->build);
  h->cage_bytes = gc->config.cage_bytes;
  h->root_bytes = gc->config.root_bytes;
  h->limit_bytes = gc->heap->limit_bytes;
  h->snapshot_serial = snapshot_last_serial(gc);
  h->used_pages = gc->heap->used_pages;
  memcpy(h->words, s->save->words, sizeof h->words);
  for (int i = 0; i < IMAGE_SECTIONS; i++)
    h->sections[i].sum = xxh64(section_bytes(s, (ImageSection)i), h->sections[i].bytes, 0);
  h->sum = header_sum(h);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static bool write_bytes(Saving *s, const void *bytes, uint64_t n) {
  for (const uint8_t *at = bytes; n > 0;) {
    ssize_t done = write(s->fd, at, n < (1u << 30) ? n : 1u << 30);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_system(s->error, "it cannot be written", errno);
    if (done == 0) return fail_system(s->error, "it cannot be written", ENOSPC);
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
    const uint8_t *from = page_bytes(s, m->page + i);
    for (n = 1; n < WRITE_PAGES && i + n < m->count; n++)
      if ((const uint8_t *)page_bytes(s, m->page + i + n) != from + (uint64_t)n * GC_PAGE) break;
    if (!write_bytes(s, from, (uint64_t)n * GC_PAGE)) return false;
  }
  return true;
}

static bool write_file(Saving *s) {
  if (!write_front(s)) return false;
  for (uint64_t i = 0; i < s->nmaps; i++)
    if (!write_map(s, &s->maps[i])) return false;
  if (fsync(s->fd) != 0) return fail_system(s->error, "it cannot be synced", errno);
  int fd = s->fd;
  s->fd = -1;
  return close(fd) == 0 || fail_system(s->error, "it cannot be written", errno);
}

/* The file that the path stands for: links are followed, so that they stay. */
static bool find_target(Saving *s) {
  struct stat info;
  const char *path = s->save->path;
  char *real = realpath(path, NULL);
  bool fits = strlen(real ? real : path) <= IMAGE_PATH_MAX;
  if (fits) strcpy(s->target, real ? real : path);
  free(real);
  if (!fits) return fail_system(s->error, "it cannot be saved there", ENAMETOOLONG);
  if (stat(s->target, &info) == 0 && !S_ISREG(info.st_mode))
    return fail(s->error, S_ISDIR(info.st_mode) ? EISDIR : EINVAL, "it is %s; give a file's name",
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
  return fail_system(s->error, "a file cannot be made beside it", error);
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
  return ok || fail_system(s->error,
                           "it is in its place, but its folder cannot be synced: a power "
                           "failure may bring back what was there before",
                           error);
}

static bool put_in_place(Saving *s) {
  if (rename(s->temporary, s->target) != 0)
    return fail_system(s->error, "it cannot be put in its place", errno);
  s->temporary[0] = 0;
  return sync_folder(s);
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static bool save_all(Saving *s) {
  Gc *gc = s->gc;
  s->end = gc->top_page > gc->heap->first_page ? gc->top_page : (uint32_t)gc->heap->first_page;
  s->what = calloc(s->end, 1);
  if (!s->what) return no_memory(s);
  tidy_table(gc);
  note_pages(s);
  if (!(gc->touched ? list_touched(s) : list_by_roots(s))) return false;
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
  free(s->sums);
  free(s->first);
  free(s->gc->touched);
  s->gc->touched = NULL;
}

bool image_save(Gc *gc, const ImageSave *save, ImageStats *stats, ImageError *error) {
  Saving *s = calloc(1, sizeof *s);
  uint64_t start = os_now_ns();
  if (!s) return fail(error, ENOMEM, "there is no memory to save it");
  *s = (Saving){.gc = gc, .save = save, .error = error, .fd = -1};
  note_touched(gc);
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

/* ==== opening ===================================================================================
 */

static bool is_our_kind(const Image *image, ImageError *e) {
  const ImageHeader *h = &image->head;
  if (memcmp(h->magic, IMAGE_MAGIC, sizeof h->magic) != 0)
    return fail(e, 0, "it is no image of Oxbow: it does not begin with the mark of one");
  if (h->byte_order != BYTE_ORDER_MARK || h->page_bytes != GC_PAGE)
    return fail(e, 0,
                "it was saved on another kind of machine (byte order or page size); "
                "save it anew on this one");
  if (h->version != IMAGE_VERSION || h->header_bytes != sizeof *h)
    return fail(e, 0,
                "its format is version %u, this program reads version %d; save it anew with "
                "this program",
                h->version, IMAGE_VERSION);
  return true;
}

static bool header_is_whole(const Image *image, uint64_t size, ImageError *e) {
  const ImageHeader *h = &image->head;
  if (h->sum != header_sum(h))
    return fail(e, 0,
                "it is damaged: the checksum of its header (bytes 0 to %zu) is wrong; take "
                "another copy or save it anew",
                sizeof *h - 1);
  if (size < h->file_bytes)
    return fail(e, 0, "it is cut off: %llu of its %llu bytes are there; copy it again",
                (unsigned long long)size, (unsigned long long)h->file_bytes);
  if (size > h->file_bytes)
    return fail(e, 0, "it has %llu bytes behind its end at %llu; copy it again",
                (unsigned long long)(size - h->file_bytes), (unsigned long long)h->file_bytes);
  return true;
}

static bool is_of_this_build(const Image *image, uint64_t identity, const char *build,
                             ImageError *e) {
  const ImageHeader *h = &image->head;
  if (h->layout == layout_digest() && h->identity == identity) return true;
  return fail(e, 0,
              "it was saved by another build (%.*s; this is %s), whose data look different; "
              "save it anew with this one",
              IMAGE_BUILD - 1, h->build, build);
}

static bool damaged(ImageError *e, const char *what) {
  return fail(e, 0, "it is damaged: %s; take another copy or save it anew", what);
}

/* The header is whole, but may lie. */
static bool check_header(const ImageHeader *h, ImageError *e) {
  uint64_t offset = GC_PAGE;
  if (h->cage_bytes == 0 || h->cage_bytes > GC_MAX_CAGE || h->cage_bytes % (2u << 20))
    return damaged(e, "the size of its heap is impossible");
  if (memchr(h->build, 0, sizeof h->build) == NULL) return damaged(e, "its build has no end");
  for (int i = 0; i < IMAGE_SECTIONS; i++) {
    const ImageSpan *span = &h->sections[i];
    if (span->offset != offset || span->bytes > MOST_TABLES)
      return damaged(e, "its tables are not where they should be");
    offset += (span->bytes + 7) / 8 * 8;
  }
  if (h->first_page != round_page(offset) / GC_PAGE || offset > MOST_TABLES ||
      h->file_bytes != (h->first_page + (uint64_t)h->pages) * GC_PAGE)
    return damaged(e, "the places of its pages are impossible");
  return true;
}

static bool read_at(const Image *image, void *to, uint64_t n, uint64_t offset, ImageError *e) {
  for (uint64_t done = 0; done < n;) {
    ssize_t got = pread(image->fd, (uint8_t *)to + done, n - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_system(e, "it cannot be read", errno);
    if (got == 0) return fail(e, 0, "it is cut off while it is read");
    done += (uint64_t)got;
  }
  return true;
}

static bool read_tables(Image *image, ImageError *e) {
  static const char *const names[] = {"runs", "maps", "checksums", "stacks", "notes"};
  const ImageSpan *sections = image->head.sections;
  uint64_t from = sections[0].offset, bytes = image->head.first_page * (uint64_t)GC_PAGE - from;
  image->tables = malloc(bytes + 8);
  if (!image->tables) return fail(e, ENOMEM, "there is no memory for its tables");
  if (!read_at(image, image->tables, bytes, from, e)) return false;
  for (int i = 0; i < IMAGE_SECTIONS; i++) {
    uint64_t n;
    const void *table = image_section(image, (ImageSection)i, &n);
    if (xxh64(table, n, 0) != sections[i].sum)
      return fail(e, 0,
                  "it is damaged: the checksum of its table of %s (bytes %llu to %llu) is "
                  "wrong; take another copy or save it anew",
                  names[i], (unsigned long long)sections[i].offset,
                  (unsigned long long)(sections[i].offset + n - 1));
  }
  return true;
}

/* Runs lie in order within the pages for blocks. */
static bool check_runs(const Image *image, const Heap *plan, ImageError *e) {
  uint64_t bytes, end = plan->first_page, used = 0;
  const ImageRun *runs = image_section(image, IMAGE_RUNS, &bytes);
  for (uint64_t i = 0; i < bytes / sizeof *runs; i++) {
    if (runs[i].first < end || runs[i].count == 0 || runs[i].count > plan->cage_pages ||
        runs[i].first + (uint64_t)runs[i].count > plan->cage_pages)
      return damaged(e, "its list of pages in use is impossible");
    end = runs[i].first + (uint64_t)runs[i].count;
    used += runs[i].count;
  }
  return used == image->head.used_pages || damaged(e, "its count of pages in use is wrong");
}

/* Each page of the file goes to one place in the cage. */
static bool check_maps(const Image *image, const Heap *plan, ImageError *e) {
  const ImageHeader *h = &image->head;
  uint64_t bytes, at = h->first_page, listed = 0;
  const ImageMap *maps = image_section(image, IMAGE_MAPS, &bytes);
  uint64_t n = bytes / sizeof *maps;
  if (h->listed_maps > n) return damaged(e, "its list of first pages is too long");
  for (uint64_t i = 0, end = 1; i < n; i++) {
    const ImageMap *m = maps + i;
    if (i == h->listed_maps) end = 1;
    if (m->page < end || m->count == 0 || m->at != at || m->count > plan->cage_pages ||
        m->page + (uint64_t)m->count > plan->cage_pages)
      return damaged(e, "its table of mappings is impossible");
    end = m->page + (uint64_t)m->count;
    at += m->count;
    if (i < h->listed_maps) listed += m->count;
  }
  if (listed != h->listed_pages) return damaged(e, "its list of first pages has another length");
  return at == h->first_page + (uint64_t)h->pages || damaged(e, "pages of it belong nowhere");
}

static bool check_tables(const Image *image, ImageError *e) {
  const ImageHeader *h = &image->head;
  Heap plan = {0};
  cage_plan(&plan, h->cage_bytes);
  uint64_t sums = (h->pages + (uint64_t)IMAGE_CHUNK - 1) / IMAGE_CHUNK * sizeof(uint64_t);
  if (h->sections[IMAGE_SUMS].bytes != sums || h->sections[IMAGE_RUNS].bytes % sizeof(ImageRun) ||
      h->sections[IMAGE_MAPS].bytes % sizeof(ImageMap) || h->sections[IMAGE_STACKS].bytes % 4)
    return damaged(e, "its tables have impossible lengths");
  return check_runs(image, &plan, e) && check_maps(image, &plan, e);
}

static bool open_file(Image *image, const char *path, uint64_t *size, ImageError *e) {
  struct stat info;
  image->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (image->fd < 0) return fail_system(e, "it cannot be opened", errno);
  if (fstat(image->fd, &info) != 0) return fail_system(e, "it cannot be read", errno);
  if (S_ISDIR(info.st_mode)) return fail(e, EISDIR, "it is a folder");
  if (!S_ISREG(info.st_mode)) return fail(e, EINVAL, "it is no plain file");
  *size = (uint64_t)info.st_size;
  return true;
}

static bool read_header(Image *image, uint64_t size, ImageError *e) {
  uint64_t n = size < sizeof image->head ? size : sizeof image->head;
  if (!read_at(image, &image->head, n, 0, e)) return false;
  if (n >= sizeof image->head.magic && n < sizeof image->head &&
      memcmp(image->head.magic, IMAGE_MAGIC, sizeof image->head.magic) == 0)
    return fail(e, 0, "it is cut off within its header, at byte %llu; copy it again",
                (unsigned long long)n);
  return is_our_kind(image, e);
}

bool image_open(Image *image, const char *path, uint64_t identity, const char *build,
                ImageError *e) {
  uint64_t size;
  *image = (Image){.fd = -1};
  bool ok = open_file(image, path, &size, e) && read_header(image, size, e) &&
            header_is_whole(image, size, e) && is_of_this_build(image, identity, build, e) &&
            check_header(&image->head, e) && read_tables(image, e) && check_tables(image, e);
  if (!ok) image_close(image);
  return ok;
}

void image_close(Image *image) {
  if (image->fd >= 0) close(image->fd);
  free(image->tables);
  *image = (Image){.fd = -1};
}

static bool check_chunk(Image *image, uint64_t chunk, uint8_t *buffer, uint64_t want,
                        ImageError *e) {
  uint64_t first = chunk * IMAGE_CHUNK, n = image->head.pages - first, sum = chunk;
  if (n > IMAGE_CHUNK) n = IMAGE_CHUNK;
  uint64_t offset = (image->head.first_page + first) * GC_PAGE;
  if (!read_at(image, buffer, n * GC_PAGE, offset, e)) return false;
  for (uint64_t i = 0; i < n; i++) sum = xxh64(buffer + i * GC_PAGE, GC_PAGE, sum);
  return sum == want ||
         fail(e, 0,
              "it is damaged: bytes %llu to %llu do not have their checksum; take another "
              "copy or save it anew",
              (unsigned long long)offset, (unsigned long long)(offset + n * GC_PAGE - 1));
}

bool image_check_pages(Image *image, ImageError *e) {
  uint64_t bytes;
  const uint64_t *sums = image_section(image, IMAGE_SUMS, &bytes);
  uint8_t *buffer = malloc(IMAGE_CHUNK * (size_t)GC_PAGE);
  bool ok = buffer || fail(e, ENOMEM, "there is no memory to check it");
  for (uint64_t i = 0; ok && i < bytes / sizeof *sums; i++)
    ok = check_chunk(image, i, buffer, sums[i], e);
  free(buffer);
  return ok;
}

/* ---- mapping ------------------------------------------------------------------------------------
 */

static bool map_at(const Image *image, void *at, uint64_t pages, uint64_t file_page) {
  int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
  return mmap(at, pages * GC_PAGE, PROT_READ | PROT_WRITE, flags, image->fd,
              (off_t)(file_page * GC_PAGE)) != MAP_FAILED;
}

/* The part of a range that is alloc bits becomes marks, too. */
static bool map_marks(const Image *image, Gc *gc, const ImageMap *m, const Heap *plan) {
  uint64_t from = plan->bits_off / GC_PAGE, to = from + plan->cage_pages / UNIT_PAGES;
  uint64_t first = m->page > from ? m->page : from, end = m->page + (uint64_t)m->count;
  if (end > to) end = to;
  if (first >= end) return true;
  uint8_t *marks = (uint8_t *)gc->marks + (first - from) * GC_PAGE;
  return map_at(image, marks, end - first, m->at + (first - m->page));
}

static bool map_pages(const Image *image, Gc *gc) {
  uint64_t bytes;
  Heap plan = {0};
  const ImageMap *m = image_section(image, IMAGE_MAPS, &bytes);
  cage_plan(&plan, image->head.cage_bytes);
  for (const ImageMap *end = m + bytes / sizeof *m; m < end; m++)
    if (!map_at(image, gc->base + (uint64_t)m->page * GC_PAGE, m->count, m->at) ||
        !map_marks(image, gc, m, &plan))
      return false;
  return true;
}

/* Hints: what fails here is faulted in later. */
static void make_resident(const Image *image, Gc *gc) {
  const ImageHeader *h = &image->head;
  uint64_t bytes;
  const ImageMap *m = image_section(image, IMAGE_MAPS, &bytes);
  madvise(gc->base + GC_HEAP_OFF, GC_HEAP_BYTES + GC_ROOT_BYTES, MADV_POPULATE_WRITE);
  for (uint32_t i = 0; i < h->listed_maps; i++)
    madvise(gc->base + (uint64_t)m[i].page * GC_PAGE, (uint64_t)m[i].count * GC_PAGE,
            MADV_POPULATE_READ);
}

static bool adopt_runs(const Image *image, Gc *gc) {
  uint64_t bytes;
  const ImageRun *r = image_section(image, IMAGE_RUNS, &bytes);
  for (const ImageRun *end = r + bytes / sizeof *r; r < end; r++)
    if (!cage_adopt(gc, r->first, r->count, PAGE_OLD)) return false;
  return true;
}

static bool take_stacks(const Image *image, Gc *gc) {
  uint64_t bytes;
  const void *refs = image_section(image, IMAGE_STACKS, &bytes);
  StackList *l = &gc->stacks;
  if (!(l->refs = malloc(bytes + 1))) return false;
  memcpy(l->refs, refs, bytes);
  l->count = l->capacity = bytes / sizeof *l->refs;
  return true;
}

static bool fill(void *ctx, Gc *gc) {
  Image *image = ctx;
  const ImageHeader *h = &image->head;
  if (h->root_bytes != gc->config.root_bytes) return false;
  if (h->listed_pages)
    posix_fadvise(image->fd, (off_t)(h->first_page * (uint64_t)GC_PAGE),
                  (off_t)(h->listed_pages * (uint64_t)GC_PAGE), POSIX_FADV_WILLNEED);
  if (!adopt_runs(image, gc) || !map_pages(image, gc) || !take_stacks(image, gc)) return false;
  make_resident(image, gc);
  gc->from_image = true;
  gc->first_serial = snapshot_serial_after(gc, (uint32_t)h->snapshot_serial);
  return true;
}

GcContent image_content(Image *image) {
  return (GcContent){image->head.cage_bytes, true, image, fill};
}
