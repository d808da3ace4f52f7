/* image_check.c - proof that a heap opened from an image is one that this build could have saved.
 *
 * The checker of running heaps (verify.c) believes the words it walks along: descriptors, links,
 * tags. Here none is believed before it has been compared with something known already, in this
 * order, so that each step reads only what the one before has shown to be there:
 *
 *   head of the heap     constants, counters, empty lists; offsets were compared when it was opened
 *   buddy tree           its order; then buddy_check_all, down to each page
 *   runs of the image    the same pages as the tree says are in use, so that they are mapped
 *   states of pages      old where a page is in use, else free, and the window is; no others
 *   page table           each used run is one span; all other descriptors are zero
 *   alloc bitmap         bits only where a block of that span can begin
 *   free lists           of slabs and of middle blocks: what is listed is free, what is free is
 *                        listed once
 *   registered objects, stacks
 *   then verify.c        all references, ready lists, counts
 */
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "cage.h"
#include "image.h"
#include "page.h"
#include "segfit.h"
#include "slab.h"

#define TRY(check)                                                                                 \
  do {                                                                                             \
    const char *wrong_ = (check);                                                                  \
    if (wrong_) return wrong_;                                                                     \
  } while (0)

enum { SLAB_MOST_PAGES = 64, MID_MOST_PAGES = 4096 };
#define POSSIBLE_BYTES ((uint64_t)1 << 56)

typedef struct Check {
  Gc *gc;
  const Image *image;
  uint64_t *where;
  uint32_t slab_pages[GC_RUNS];
  uint32_t mid_spans;
  uint64_t ready, stacks; /* found on the walk */
} Check;

/* ---- the head -------------------------------------------------------------------------------- */

static bool all_zero(const void *bytes, size_t n) {
  const uint8_t *p = bytes;
  for (size_t i = 0; i < n; i++)
    if (p[i]) return false;
  return true;
}

static const char *check_policy(const Policy *p) {
  const uint64_t bytes[] = {p->budget, p->debt, p->live, p->old,  p->begun,
                            p->work,   p->poor, p->gained, p->nursery};
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
    if (bytes[i] >= POSSIBLE_BYTES) return "an impossible number in the collector's policy";
  return p->survival > 256 ? "an impossible share in the collector's policy" : NULL;
}

static const char *check_head(Check *c) {
  const Heap *h = c->gc->heap;
  *c->where = GC_HEAP_OFF / 8;
  if (!all_zero(h->runs, sizeof h->runs) || !all_zero(h->run_start, sizeof h->run_start) ||
      !all_zero(h->run_span, sizeof h->run_span) || !all_zero(h->run_fresh, sizeof h->run_fresh))
    return "an allocation run is open";
  if (h->young || h->young_large || h->late) return "there are young blocks";
  if (h->allocated_bytes >= POSSIBLE_BYTES || h->allocated_before > h->allocated_bytes ||
      h->live_bytes > h->used_pages * GC_PAGE || h->used_pages != c->image->head.used_pages)
    return "a wrong count of bytes";
  for (unsigned r = 0; r < GC_RUNS; r++)
    if (h->run_wrapped[r] > 1) return "a flag that is neither set nor clear";
  return check_policy(&h->policy);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static uint64_t cage_units(uint64_t pages) {
  unsigned order = 0;
  while ((uint64_t)1 << order < pages) order++;
  return order;
}

static const char *check_tree(Check *c) {
  Gc *gc = c->gc;
  const Heap *h = gc->heap;
  *c->where = h->buddy_off / 8;
  if (gc->buddy.state->order != cage_units(h->cage_pages)) return "a buddy tree of another size";
  TRY(buddy_check_all(gc->buddy));
  uint64_t total = buddy_units(gc->buddy);
  if (h->meta_pages != h->first_page + (total - h->cage_pages))
    return "a wrong count of pages for metadata";
  BuddyRun front = buddy_run(gc->buddy, 0);
  if (!front.used || front.units != h->first_page) return "pages of the metadata are free";
  if (h->cage_pages == total) return NULL;
  BuddyRun end = buddy_run(gc->buddy, (uint32_t)h->cage_pages);
  return end.used && end.units == total - h->cage_pages ? NULL : "pages beyond the end are free";
}

/* The tree and the image's table agree about each page. Neighbouring runs of the tree may be one
 * of the table. */
static const char *check_runs(Check *c) {
  Gc *gc = c->gc;
  uint64_t bytes, left = 0;
  const ImageRun *r = image_section(c->image, IMAGE_RUNS, &bytes), *end = r + bytes / sizeof *r;
  uint32_t page = (uint32_t)gc->heap->first_page, last = (uint32_t)gc->heap->cage_pages;
  for (uint32_t units; page < last; page += units) {
    BuddyRun run = buddy_run(gc->buddy, page);
    *c->where = word_of_page(page);
    units = run.units;
    if (units > last - page) return "a run of pages beyond the end";
    if (!left && r < end && r->first == page) left = (r++)->count;
    if (run.used ? left < units : left > 0) return "the image's runs and its buddy tree disagree";
    if (!run.used && r < end && r->first < page + units)
      return "a free page is in the image's runs";
    if (run.used) left -= units;
  }
  return left || r < end ? "the image's runs and its buddy tree disagree" : NULL;
}

/* What the state of a page has to be. Pages of units that are not committed have none. */
static uint8_t state_of(Check *c, uint64_t page, const ImageRun **r, const ImageRun *end) {
  while (*r < end && page >= (*r)->first + (uint64_t)(*r)->count) ++*r;
  if (page < c->gc->heap->first_page || !cage_is_committed(c->gc, page)) return 0;
  return *r < end && page >= (*r)->first ? PAGE_OLD : PAGE_FREE;
}

/* Up to which page there may be states: that of the last committed unit, or of what is mapped. */
static uint64_t states_end(Check *c) {
  uint64_t bytes, end = c->gc->top_page, window = c->image->head.window;
  const ImageMap *m = image_section(c->image, IMAGE_MAPS, &bytes), *last = m + bytes / sizeof *m;
  if (window && window + UNIT_PAGES > end) end = window + UNIT_PAGES;
  end = (end + UNIT_PAGES - 1) / UNIT_PAGES * UNIT_PAGES;
  for (; m < last && m->place < IMAGE_CAGE; m++) {
    uint64_t behind = (m->place - IMAGE_STATES + (uint64_t)m->count) * GC_PAGE - GC_HOST_BYTES;
    if (behind > end) end = behind;
  }
  return end;
}

/* The states that the file has. Behind those of the last page there are zeros. */
static const char *check_states(Check *c) {
  Gc *gc = c->gc;
  uint64_t bytes, end = states_end(c), pages = gc->heap->cage_pages;
  const ImageRun *r = image_section(c->image, IMAGE_RUNS, &bytes), *last = r + bytes / sizeof *r;
  const uint8_t *host = (const uint8_t *)gc_host(gc->base);
  if (!all_zero(host + sizeof(HostPage), GC_HOST_BYTES - sizeof(HostPage)))
    return "there is something behind the host page's words";
  for (uint64_t page = 0; page < end; page++) {
    *c->where = page < pages ? word_of_page(page) : 0;
    if (gc->states[page] != (page < pages ? state_of(c, page, &r, last) : 0))
      return "a wrong state of a page";
  }
  const ImageHeader *h = &c->image->head;
  *c->where = word_of_page(h->window);
  for (uint64_t page = h->window; page < h->window + (uint64_t)h->window_pages; page++)
    if (!(gc->states[page] & PAGE_FREE)) return "a page for the first blocks is in use";
  return NULL;
}

static const char *check_slab_span(Check *c, uint32_t span) {
  const PageDesc *d = c->gc->table + span;
  if (d->run >= GC_RUNS || d->pages > SLAB_MOST_PAGES) return "an impossible slab";
  unsigned slots = slab_slots(c->gc, span);
  uint64_t used = bits_count(c->gc->bits + bitword_of_page(span), d->pages * PAGE_BITWORDS);
  if (d->flags & ~SPAN_READY) return "a slab with young blocks";
  if (d->used != used || used > slots) return "a wrong count of slots in use";
  c->slab_pages[d->run] += d->pages;
  c->ready += (d->flags & SPAN_READY) != 0;
  return NULL;
}

/* A used run of the tree: is it a span? */
static const char *check_span(Check *c, uint32_t span, uint32_t units) {
  static const PageDesc none;
  const PageDesc *d = c->gc->table + span;
  *c->where = word_of_page(span);
  if (d->kind < SPAN_SLAB || d->kind > SPAN_LARGE || d->pages != units || d->back != 0 ||
      units < SPAN_LEAST_PAGES)
    return "a span that does not fit its pages";
  for (uint32_t i = 1; i < units; i++) {
    bool large = d->kind == SPAN_LARGE;
    if (large ? memcmp(d + i, &none, sizeof none) != 0
              : d[i].kind != d->kind || d[i].run != d->run || d[i].back != i)
      return "a page descriptor disagrees with its span's first";
  }
  if (d->kind == SPAN_SLAB) return check_slab_span(c, span);
  if (d->flags || d->run) return "a span with impossible flags";
  c->mid_spans += d->kind == SPAN_MID;
  return d->kind == SPAN_MID && units > MID_MOST_PAGES ? "a span that is too long" : NULL;
}

static const char *check_spans(Check *c) {
  Gc *gc = c->gc;
  uint32_t end = (uint32_t)gc->heap->cage_pages;
  BuddyRun run;
  for (uint32_t page = (uint32_t)gc->heap->first_page; page < end; page += run.units) {
    run = buddy_run(gc->buddy, page);
    if (run.used) TRY(check_span(c, page, run.units));
  }
  for (unsigned r = 0; r < GC_RUNS; r++)
    if (c->slab_pages[r] != gc->heap->class_pages[r]) return "a wrong count of pages of a class";
  return c->mid_spans == gc->heap->fit.spans ? NULL : "a wrong count of spans of middle blocks";
}

/* Metadata about pages that nobody uses is zero, wherever the file has some. */
static const char *check_unused(Check *c, uint64_t page) {
  static const PageDesc none;
  Gc *gc = c->gc;
  const Heap *h = gc->heap;
  uint64_t table = h->table_off / GC_PAGE, bits = h->bits_off / GC_PAGE;
  enum { DESCRIPTORS = GC_PAGE / sizeof(PageDesc) };
  *c->where = word_of_page(page);
  if (page >= table && page < bits) {
    for (uint64_t p = (page - table) * DESCRIPTORS, end = p + DESCRIPTORS; p < end; p++) {
      bool used = p >= h->first_page && p < h->cage_pages && !(gc->states[p] & PAGE_FREE) &&
                  bits_test(gc->committed, p / UNIT_PAGES);
      if (!used && p < h->cage_pages && memcmp(gc->table + p, &none, sizeof none) != 0)
        return "a descriptor of a page that nobody uses";
    }
  } else if (page >= bits && page < bits + h->cage_pages / UNIT_PAGES) {
    uint64_t unit = page - bits;
    for (uint64_t p = unit * UNIT_PAGES; p < (unit + 1) * UNIT_PAGES; p++) {
      bool used =
          p >= h->first_page && bits_test(gc->committed, unit) && !(gc->states[p] & PAGE_FREE);
      if (!used && !all_zero(gc->bits + bitword_of_page(p), PAGE_BITWORDS * sizeof(uint64_t)))
        return "an alloc bit in a page that nobody uses";
    }
  }
  return NULL;
}

static const char *check_mapped_metadata(Check *c) {
  uint64_t bytes;
  const ImageMap *m = image_section(c->image, IMAGE_MAPS, &bytes), *end = m + bytes / sizeof *m;
  for (; m < end; m++)
    for (uint64_t at = m->place; at < m->place + (uint64_t)m->count; at++)
      if (at > IMAGE_CAGE && at - IMAGE_CAGE < c->gc->heap->first_page)
        TRY(check_unused(c, at - IMAGE_CAGE));
  return NULL;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Bits of slabs and large blocks; those of middle spans are compared with their tags by segfit. */
static const char *check_bits(Check *c) {
  Gc *gc = c->gc;
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while ((span = page_next_span(gc, &page)) != 0) {
    const PageDesc *d = gc->table + span;
    uint64_t start = word_of_page(span), end = word_of_page(page), at;
    unsigned stride = d->kind == SPAN_SLAB ? gc_class_words[d->run % GC_CLASSES] : 0;
    uint64_t slots = stride ? (uint64_t)slab_slots(gc, span) * stride : 1;
    if (d->kind == SPAN_MID) continue;
    if (d->kind == SPAN_LARGE && !bits_test(gc->bits, start))
      return "a large block without alloc bit";
    for (at = bits_next(gc->bits, start, end); at < end; at = bits_next(gc->bits, at + 1, end)) {
      *c->where = at;
      if (at - start >= slots || (stride && (at - start) % stride))
        return "an alloc bit inside a block";
    }
  }
  return NULL;
}

/* What verify.c finds in the lists of slabs must be all that say they are in one. */
static const char *check_ready(Check *c) {
  Gc *gc = c->gc;
  uint64_t listed = 0;
  for (unsigned r = 0; r < GC_RUNS; r++) {
    for (unsigned bucket = 0; bucket < SLAB_BUCKETS; bucket++) {
      uint32_t before = 0, span = gc->heap->ready[r][bucket];
      for (; span; before = span, span = gc->table[span + 1].ready_next) {
        *c->where = word_of_page(span);
        if (span < gc->heap->first_page || span >= gc->heap->cage_pages || listed++ >= c->ready)
          return "a damaged list of ready spans";
        const PageDesc *d = gc->table + span;
        if (d->kind != SPAN_SLAB || d->run != r || d->back || !(d->flags & SPAN_READY) ||
            d->epoch != gc->heap->ready_epoch || d[1].ready_before != before)
          return "a wrong span in a list of ready ones";
      }
    }
  }
  return listed == c->ready ? NULL : "a ready span is in no list";
}

static bool is_block(Gc *gc, uint64_t ref) {
  uint64_t page = page_of_word(ref);
  return page >= gc->heap->first_page && page < gc->heap->cage_pages &&
         bits_test(gc->committed, page / UNIT_PAGES) && !(gc->states[page] & PAGE_FREE) &&
         bits_test(gc->bits, ref);
}

static const char *check_finals(Check *c) {
  Gc *gc = c->gc;
  const Heap *h = gc->heap;
  *c->where = h->finals;
  if (h->final_count > h->final_capacity || h->final_old > h->final_count ||
      (!h->finals && h->final_capacity))
    return "a wrong count of registered objects";
  if (!h->finals) return NULL;
  if (!is_block(gc, h->finals)) return "the list of registered objects is no block";
  const Header *list = gc_ptr(gc->base, (Ref){h->finals});
  if (list->layout != (LAYOUT_WIDE | LAYOUT_WEAK) || list->aux != h->final_capacity || list->kind ||
      1 + (uint64_t)list->aux > gc_block_words(gc, list))
    return "a damaged list of registered objects";
  const Value *entry = (const Value *)(list + 1);
  for (uint32_t i = 0; i < h->final_count; i++) {
    if (entry[i] != ((uint64_t)VALUE_REF_HIGH << 48 | (uint32_t)entry[i]) ||
        !is_block(gc, (uint32_t)entry[i]))
      return "a registered object is no block";
    const Header *object = gc_ptr(gc->base, (Ref){(uint32_t)entry[i]});
    if (!(object->layout & LAYOUT_FINAL)) return "a registered object has no finalizer";
  }
  return NULL;
}

/* The stacks of the image, in order, are the stacks of the heap. */
static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void count_stack(void *ctx, void *block, uint64_t words) {
  Check *c = ctx;
  (void)words;
  c->stacks += (((const Header *)block)->layout & LAYOUT_MASK) == LAYOUT_STACK;
}

static const char *check_stacks(Check *c) {
  StackList *l = &c->gc->stacks;
  if (l->count) qsort(l->refs, l->count, sizeof *l->refs, by_number);
  for (uint64_t i = 0; i < l->count; i++) {
    *c->where = l->refs[i];
    if ((i && l->refs[i] == l->refs[i - 1]) || !is_block(c->gc, l->refs[i]))
      return "a stack is listed twice, or is no block";
    const Header *h = gc_ptr(c->gc->base, (Ref){l->refs[i]});
    if ((h->layout & LAYOUT_MASK) != LAYOUT_STACK) return "what is listed as a stack is none";
  }
  if (c->gc->config.notes_stacks) return l->count ? "stacks are listed that would be noted" : NULL;
  gc_each(c->gc, count_stack, c);
  return c->stacks == l->count ? NULL : "a stack is not listed";
}

const char *image_check_heap(Gc *gc, const Image *image, uint64_t *where) {
  Check *c = calloc(1, sizeof *c);
  if (!c) return "there is no memory to check it";
  *c = (Check){.gc = gc, .image = image, .where = where};
  const char *wrong = check_head(c);
  if (!wrong) wrong = check_tree(c);
  if (!wrong) wrong = check_runs(c);
  if (!wrong) wrong = check_states(c);
  if (!wrong) wrong = check_spans(c);
  if (!wrong) wrong = check_mapped_metadata(c);
  if (!wrong) wrong = check_bits(c);
  if (!wrong) wrong = segfit_check_all(gc, where);
  if (!wrong) wrong = check_ready(c);
  if (!wrong) wrong = check_finals(c);
  if (!wrong) wrong = check_stacks(c);
  if (!wrong) wrong = gc_verify(gc, where);
  free(c);
  return wrong;
}
