/* image_open.c - opening an image: checking the file, mapping it.
 *
 * The header says how large the cage is, the tables which page of the file goes where. Each
 * range is mapped privately in its place, the states of pages, too, and once more the pages of the
 * alloc bitmap as mark bits: after a full collection the two are equal. So the blocks of an image
 * are an old generation that minor collections do not look at, and stay shared between processes.
 * What the lists name is made resident in a few requests, and where the program will write, copied.
 *
 * Nothing of the file is trusted before it has been checked, but pages are not read for their
 * checksums: the file is as trustworthy as a program (docs/SECURITY.md). image_check.c proves
 * the rest for those who ask. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bits.h"
#include "cage.h"
#include "image_file.h"
#include "snapshot.h"
#include "xxh64.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static bool is_our_kind(const Image *image, ImageError *e) {
  const ImageHeader *h = &image->head;
  if (memcmp(h->magic, IMAGE_MAGIC, sizeof h->magic) != 0)
    return image_fail(e, 0, "it is no image of Oxbow: it does not begin with the mark of one");
  if (h->byte_order != IMAGE_BYTE_ORDER || h->page_bytes != GC_PAGE)
    return image_fail(e, 0,
                      "it was saved on another kind of machine (byte order or page size); "
                      "save it anew on this one");
  if (h->version != IMAGE_VERSION || h->header_bytes != sizeof *h)
    return image_fail(e, 0,
                      "its format is version %u, this program reads version %d; save it anew with "
                      "this program",
                      h->version, IMAGE_VERSION);
  return true;
}

static bool header_is_whole(const Image *image, uint64_t size, ImageError *e) {
  const ImageHeader *h = &image->head;
  if (h->sum != image_header_sum(h))
    return image_fail(e, 0,
                      "it is damaged: the checksum of its header (bytes 0 to %zu) is wrong; take "
                      "another copy or save it anew",
                      sizeof *h - 1);
  if (size < h->file_bytes)
    return image_fail(e, 0, "it is cut off: %llu of its %llu bytes are there; copy it again",
                      (unsigned long long)size, (unsigned long long)h->file_bytes);
  if (size > h->file_bytes)
    return image_fail(e, 0, "it has %llu bytes behind its end at %llu; copy it again",
                      (unsigned long long)(size - h->file_bytes),
                      (unsigned long long)h->file_bytes);
  return true;
}

static bool is_of_this_build(const Image *image, uint64_t identity, ImageBuild *build,
                             ImageError *e) {
  const ImageHeader *h = &image->head;
  char name[IMAGE_BUILD];
  if (h->layout == image_layout_digest() && h->identity == identity) return true;
  build(name, sizeof name);
  return image_fail(e, 0,
                    "it was saved by another build (%.*s; this is %s), whose data look different; "
                    "save it anew with this one",
                    IMAGE_BUILD - 1, h->build, name);
}

static bool damaged(ImageError *e, const char *what) {
  return image_fail(e, 0, "it is damaged: %s; take another copy or save it anew", what);
}

/* The header is whole, but may lie. */
static bool check_header(const ImageHeader *h, ImageError *e) {
  uint64_t offset = GC_PAGE;
  if (h->cage_bytes == 0 || h->cage_bytes > GC_MAX_CAGE || h->cage_bytes % (2u << 20))
    return damaged(e, "the size of its heap is impossible");
  if (memchr(h->build, 0, sizeof h->build) == NULL) return damaged(e, "its build has no end");
  for (int i = 0; i < IMAGE_SECTIONS; i++) {
    const ImageSpan *span = &h->sections[i];
    if (span->offset != offset || span->bytes > IMAGE_MOST_TABLES)
      return damaged(e, "its tables are not where they should be");
    offset += (span->bytes + 7) / 8 * 8;
  }
  if (h->first_page != image_round_page(offset) / GC_PAGE || offset > IMAGE_MOST_TABLES ||
      h->file_bytes != (h->first_page + (uint64_t)h->pages) * GC_PAGE)
    return damaged(e, "the places of its pages are impossible");
  return true;
}

static bool read_at(const Image *image, void *to, uint64_t n, uint64_t offset, ImageError *e) {
  for (uint64_t done = 0; done < n;) {
    ssize_t got = pread(image->fd, (uint8_t *)to + done, n - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return image_fail_system(e, "it cannot be read", errno);
    if (got == 0) return image_fail(e, 0, "it is cut off while it is read");
    done += (uint64_t)got;
  }
  return true;
}

static bool check_section(const Image *image, int which, const void *table, ImageError *e) {
  static const char *const names[] = {"runs",   "mappings", "first pages", "written pages",
                                      "stacks", "notes",    "checksums"};
  const ImageSpan *span = &image->head.sections[which];
  if (xxh64(table, span->bytes, 0) == span->sum) return true;
  return image_fail(e, 0,
                    "it is damaged: the checksum of its table of %s (bytes %llu to %llu) is "
                    "wrong; take another copy or save it anew",
                    names[which], (unsigned long long)span->offset,
                    (unsigned long long)(span->offset + span->bytes - 1));
}

/* All but the checksums of the pages. */
static bool read_tables(Image *image, ImageError *e) {
  const ImageSpan *sections = image->head.sections;
  uint64_t from = sections[0].offset, bytes = sections[IMAGE_SUMS].offset - from;
  image->tables = malloc(bytes + 8);
  if (!image->tables) return image_fail(e, ENOMEM, "there is no memory for its tables");
  if (!read_at(image, image->tables, bytes, from, e)) return false;
  for (int i = 0; i < IMAGE_SUMS; i++) {
    uint64_t n;
    if (!check_section(image, i, image_section(image, (ImageSection)i, &n), e)) return false;
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

/* Pages of the file go to the states of pages, or to the cage without its first page. */
static bool is_place_to_map(const ImageMap *m, const Heap *plan) {
  uint64_t from = m->place, to = from + m->count;
  uint64_t states_end = IMAGE_STATES + image_state_places(plan->cage_pages);
  return m->count && ((from >= IMAGE_STATES && to <= states_end) ||
                      (from > IMAGE_CAGE && to <= IMAGE_CAGE + plan->cage_pages));
}

/* Each page of the file goes to one place. */
static bool check_maps(const Image *image, const Heap *plan, ImageError *e) {
  const ImageHeader *h = &image->head;
  uint64_t bytes, at = h->first_page, end = 0;
  const ImageMap *m = image_section(image, IMAGE_MAPS, &bytes), *last = m + bytes / sizeof *m;
  for (; m < last; m++) {
    if (m->place < end || m->at != at || !is_place_to_map(m, plan))
      return damaged(e, "its table of mappings is impossible");
    end = m->place + (uint64_t)m->count;
    at += m->count;
  }
  return at == h->first_page + (uint64_t)h->pages || damaged(e, "pages of it belong nowhere");
}

static bool check_list(const Image *image, ImageSection which, const Heap *plan, ImageError *e) {
  uint64_t bytes, end = 0, places = IMAGE_CAGE + plan->cage_pages;
  const ImageRun *r = image_section(image, which, &bytes), *last = r + bytes / sizeof *r;
  for (; r < last; r++) {
    if (r->first < end || r->count == 0 || r->first + (uint64_t)r->count > places)
      return damaged(e, "its list of first pages is impossible");
    end = r->first + (uint64_t)r->count;
  }
  return true;
}

/* The window is a unit for blocks, if there is one. */
static bool check_window(const ImageHeader *h, const Heap *plan, ImageError *e) {
  bool none = !h->window && !h->window_pages;
  bool is_unit = h->window >= plan->first_page && h->window % UNIT_PAGES == 0 &&
                 h->window_pages == UNIT_PAGES &&
                 h->window + (uint64_t)UNIT_PAGES <= plan->cage_pages;
  return ((none || is_unit) && h->window_rather <= 1 && !h->reserved) ||
         damaged(e, "the pages for its first blocks are impossible");
}

static bool check_tables(const Image *image, ImageError *e) {
  const ImageHeader *h = &image->head;
  Heap plan = {0};
  cage_plan(&plan, h->cage_bytes);
  uint64_t sums = (h->pages + (uint64_t)IMAGE_CHUNK - 1) / IMAGE_CHUNK * sizeof(uint64_t);
  if (h->sections[IMAGE_SUMS].bytes != sums || h->sections[IMAGE_RUNS].bytes % sizeof(ImageRun) ||
      h->sections[IMAGE_MAPS].bytes % sizeof(ImageMap) || h->sections[IMAGE_STACKS].bytes % 4 ||
      h->sections[IMAGE_READ].bytes % sizeof(ImageRun) ||
      h->sections[IMAGE_WRITTEN].bytes % sizeof(ImageRun))
    return damaged(e, "its tables have impossible lengths");
  return check_runs(image, &plan, e) && check_maps(image, &plan, e) && check_window(h, &plan, e) &&
         check_list(image, IMAGE_READ, &plan, e) && check_list(image, IMAGE_WRITTEN, &plan, e);
}

static bool open_file(Image *image, const char *path, uint64_t *size, ImageError *e) {
  struct stat info;
  image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is not waited for */
  if (image->fd < 0) return image_fail_system(e, "it cannot be opened", errno);
  if (fstat(image->fd, &info) != 0) return image_fail_system(e, "it cannot be read", errno);
  if (S_ISDIR(info.st_mode)) return image_fail(e, EISDIR, "it is a folder");
  if (!S_ISREG(info.st_mode)) return image_fail(e, EINVAL, "it is no plain file");
  *size = (uint64_t)info.st_size;
  return true;
}

static bool read_header(Image *image, uint64_t size, ImageError *e) {
  uint64_t n = size < sizeof image->head ? size : sizeof image->head;
  if (!read_at(image, &image->head, n, 0, e)) return false;
  if (n >= sizeof image->head.magic && n < sizeof image->head &&
      memcmp(image->head.magic, IMAGE_MAGIC, sizeof image->head.magic) == 0)
    return image_fail(e, 0, "it is cut off within its header, at byte %llu; copy it again",
                      (unsigned long long)n);
  return is_our_kind(image, e);
}

bool image_open(Image *image, const char *path, uint64_t identity, ImageBuild *build,
                ImageError *e) {
  uint64_t size = 0;
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
         image_fail(e, 0,
                    "it is damaged: bytes %llu to %llu do not have their checksum; take another "
                    "copy or save it anew",
                    (unsigned long long)offset, (unsigned long long)(offset + n * GC_PAGE - 1));
}

static uint64_t *read_sums(Image *image, ImageError *e) {
  const ImageSpan *span = &image->head.sections[IMAGE_SUMS];
  uint64_t *sums = malloc(span->bytes + 8);
  if (!sums) image_fail(e, ENOMEM, "there is no memory to check it");
  else if (read_at(image, sums, span->bytes, span->offset, e) &&
           check_section(image, IMAGE_SUMS, sums, e))
    return sums;
  free(sums);
  return NULL;
}

bool image_check_pages(Image *image, ImageError *e) {
  uint64_t *sums = read_sums(image, e);
  if (!sums) return false;
  uint8_t *buffer = malloc(IMAGE_CHUNK * (size_t)GC_PAGE);
  bool ok = buffer || image_fail(e, ENOMEM, "there is no memory to check it");
  for (uint64_t i = 0; ok && i < image->head.sections[IMAGE_SUMS].bytes / sizeof *sums; i++)
    ok = check_chunk(image, i, buffer, sums[i], e);
  free(buffer);
  free(sums);
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
  uint64_t from = IMAGE_CAGE + plan->bits_off / GC_PAGE;
  uint64_t to = from + plan->cage_pages / UNIT_PAGES;
  uint64_t first = m->place > from ? m->place : from, end = m->place + (uint64_t)m->count;
  if (end > to) end = to;
  if (first >= end) return true;
  uint8_t *marks = (uint8_t *)gc->marks + (first - from) * GC_PAGE;
  return map_at(image, marks, end - first, m->at + (first - m->place));
}

static uint8_t *at_place(const Gc *gc, uint64_t place) {
  return gc->base - GC_CACHE_OFF + place * GC_PAGE;
}

static bool map_pages(const Image *image, Gc *gc) {
  uint64_t bytes;
  Heap plan = {0};
  const ImageMap *m = image_section(image, IMAGE_MAPS, &bytes);
  cage_plan(&plan, image->head.cage_bytes);
  for (const ImageMap *end = m + bytes / sizeof *m; m < end; m++)
    if (!map_at(image, at_place(gc, m->place), m->count, m->at) ||
        !map_marks(image, gc, m, &plan))
      return false;
  return true;
}

/* ---- what is listed: hints; what fails here is faulted in later ------------------------------ */

typedef void InFile(const Image *image, uint64_t offset, uint64_t bytes, void *ctx);

/* Calls `fn` for each part of the listed ranges that is in the file, with its place there. */
static void each_in_file(const Image *image, ImageSection which, InFile *fn, void *ctx) {
  uint64_t bytes, map_bytes;
  const ImageRun *r = image_section(image, which, &bytes), *last = r + bytes / sizeof *r;
  const ImageMap *m = image_section(image, IMAGE_MAPS, &map_bytes);
  const ImageMap *end = m + map_bytes / sizeof *m;
  while (r < last && m < end) {
    uint64_t r_end = r->first + (uint64_t)r->count, m_end = m->place + (uint64_t)m->count;
    uint64_t from = r->first > m->place ? r->first : m->place, to = r_end < m_end ? r_end : m_end;
    if (from < to) fn(image, (m->at + (from - m->place)) * GC_PAGE, (to - from) * GC_PAGE, ctx);
    if (r_end < m_end) r++;
    else m++;
  }
}

static void read_ahead(const Image *image, uint64_t offset, uint64_t bytes, void *ctx) {
  (void)ctx;
  posix_fadvise(image->fd, (off_t)offset, (off_t)bytes, POSIX_FADV_WILLNEED);
}

/* Whether pages to be read first have to come from the disk: the last of them is looked at. */
static void note_place(const Image *image, uint64_t offset, uint64_t bytes, void *last) {
  (void)image;
  *(uint64_t *)last = offset + bytes - 1;
}

static bool is_cold(const Image *image) {
  char byte;
  struct iovec one = {&byte, 1};
  uint64_t last = 0;
  each_in_file(image, IMAGE_READ, note_place, &last);
  return preadv2(image->fd, &one, 1, (off_t)last, RWF_NOWAIT) < 0 && errno == EAGAIN;
}

static void populate_list(const Image *image, Gc *gc, ImageSection which, int advice) {
  uint64_t bytes;
  const ImageRun *r = image_section(image, which, &bytes), *last = r + bytes / sizeof *r;
  for (; r < last; r++)
    madvise(at_place(gc, r->first), (uint64_t)r->count * GC_PAGE, advice);
}

/* Pages to be read that are in memory already are left to page faults: these map the neighbours as
 * well, and fewer are met than were listed. */
static void make_resident(const Image *image, Gc *gc) {
  if (!image->head.listed_pages) return;
  if (is_cold(image)) {
    each_in_file(image, IMAGE_WRITTEN, read_ahead, NULL);
    each_in_file(image, IMAGE_READ, read_ahead, NULL);
    populate_list(image, gc, IMAGE_READ, MADV_POPULATE_READ);
  }
  populate_list(image, gc, IMAGE_WRITTEN, MADV_POPULATE_WRITE);
}

/* The units of the pages in use, and the window, become usable. What state they are in, the file
 * says. */
static bool adopt_runs(const Image *image, Gc *gc) {
  const ImageHeader *h = &image->head;
  uint64_t bytes, first = UINT64_MAX, top = 0;
  const ImageRun *r = image_section(image, IMAGE_RUNS, &bytes), *end = r + bytes / sizeof *r;
  if (r < end) first = r->first, top = end[-1].first + (uint64_t)end[-1].count;
  gc->top_page = (uint32_t)top;
  for (; r < end; r++) cage_adopt(gc, r->first, r->count);
  if (h->window) cage_adopt(gc, h->window, h->window_pages);
  if (h->window && h->window < first) first = h->window;
  if (h->window && h->window + h->window_pages > top) top = h->window + h->window_pages;
  return first >= top || cage_adopt_range(gc, first, top);
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
  if (!adopt_runs(image, gc) || !map_pages(image, gc) || !take_stacks(image, gc)) return false;
  make_resident(image, gc);
  gc->from_image = gc->fresh_rather = true;
  gc->window_rather = h->window_rather;
  gc->window = h->window;
  gc->window_end = h->window + h->window_pages;
  gc->first_serial = snapshot_serial_after(gc, (uint32_t)h->snapshot_serial);
  return true;
}

GcContent image_content(Image *image) {
  return (GcContent){image->head.cage_bytes, true, image, fill};
}
