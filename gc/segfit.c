/* segfit.c - two-level segregated fit (Masmano, Ripoll, Crespo, Real 2004) for middle sizes.
 *
 * Blocks are rows of granules of 128 bytes. Free blocks hang in lists by size, 16 columns to each
 * power of two; two levels of bitmaps find the first list whose every block is large enough, so
 * allocation and freeing take constant time, and the waste of good fit is at most 1/16.
 *
 * Unlike the original, nothing is kept in the blocks: tags and links lie in a side table at the
 * start of each span, 4 bytes per granule (3 %). Collection therefore writes no object page, and a
 * program that scribbles over its own block cannot damage the allocator. The entries of a block:
 *
 *   first, last granule   tag: size in granules * 2 + used
 *   second, third         of a free block of at least MIN_GRANULES: next and previous in its list
 *
 * Tags at both ends of every block let neighbours find each other, and free neighbours merge at
 * once. Free pieces shorter than MIN_GRANULES, which no request could use, are in no list; they
 * wait until a neighbour is freed. Granules are named by their number in the cage (word / 16), so
 * links may cross spans and the state is position independent; granule 0 is no granule.
 *
 * Of the first few blocks of a list the one at the lowest address is taken; and before the lists
 * whose every block is large enough, that of the request's own size is looked at. So blocks gather
 * in low spans, and others come free (bench/gc/churn.c: 2 % less at the peak).
 *
 * Sweeping is lazy, see sweep.c. The free blocks of a span that is not swept yet stay in the lists;
 * the span is swept when one of them would be used.
 */
#include "segfit.h"

#include <stdlib.h>

#include "bits.h"
#include "page.h"
#include "purge.h"
#include "plant.h"
#include "snapshot.h"
#include "sweep.h"

enum {
  SPAN_FIRST_PAGES = 16,
  SPAN_PAGES = 64,
  PAGE_GRANULES = GC_PAGE_WORDS / GRANULE_WORDS,
  MIN_GRANULES = GC_SMALL_WORDS / GRANULE_WORDS + 1,
  GRANULES_PER_ROW_0 = FIT_COLUMNS,
  COLUMN_BITS = 4,
  TRIES = 8, /* free blocks of a list that are looked at */
};
_Static_assert(SPAN_PAGES * GC_PAGE_WORDS > MID_MAX_WORDS + GC_PAGE_WORDS, "room for any");
_Static_assert(1 << COLUMN_BITS == FIT_COLUMNS, "columns");
_Static_assert(MIN_GRANULES >= 4, "a free block has room for two tags and two links");

/* ---- side table ------------------------------------------------------------------------------ */

typedef uint32_t Granule;

static uint32_t span_of(Gc *gc, Granule g) {
  uint32_t page = g / PAGE_GRANULES;
  return page - gc->table[page].back;
}

static uint32_t *entry(Gc *gc, Granule g) {
  uint32_t span = span_of(gc, g);
  uint32_t *side = (uint32_t *)(gc->base + (uint64_t)span * GC_PAGE);
  return side + (g - span * PAGE_GRANULES);
}

static void put(Gc *gc, Granule g, uint32_t v) {
  uint32_t *at = entry(gc, g);
  meta_touch(gc, at);
  *at = v;
}

static uint32_t get(Gc *gc, Granule g) { return *entry(gc, g); }

static uint32_t size_of(Gc *gc, Granule g) { return get(gc, g) >> 1; }

static void tag(Gc *gc, Granule g, uint32_t size, bool used) {
  put(gc, g, size << 1 | used);
  put(gc, g + size - 1, size << 1 | used);
}

/* Granules that the side table itself takes, and the bounds of a span's blocks. */
static Granule side_granules(uint32_t pages) {
  return (pages * PAGE_GRANULES * 4 + GRANULE_WORDS * 8 - 1) / (GRANULE_WORDS * 8);
}
static Granule blocks_start(Gc *gc, uint32_t span) {
  return span * PAGE_GRANULES + side_granules(gc->table[span].pages);
}
static Granule blocks_end(Gc *gc, uint32_t span) {
  return (span + gc->table[span].pages) * PAGE_GRANULES;
}

/* ---- free lists ------------------------------------------------------------------------------ */

typedef struct Place { unsigned row, column; } Place;

/* Row 0 holds the sizes below 16 one by one; row r >= 1 those from 2^(r+3). */
static Place place_of(uint32_t size) {
  if (size < GRANULES_PER_ROW_0) return (Place){0, size};
  unsigned log = 31 - (unsigned)__builtin_clz(size);
  return (Place){log - COLUMN_BITS + 1, size >> (log - COLUMN_BITS) & (FIT_COLUMNS - 1)};
}

/* The first place whose every block has at least `size` granules. */
static Place place_for(uint32_t size) {
  if (size >= GRANULES_PER_ROW_0) {
    unsigned log = 31 - (unsigned)__builtin_clz(size);
    size += ((uint32_t)1 << (log - COLUMN_BITS)) - 1;
  }
  return place_of(size);
}

static void link_free(Gc *gc, Granule g, uint32_t size) {
  tag(gc, g, size, false);
  if (size < MIN_GRANULES) return;
  Fit *fit = &gc->heap->fit;
  Place at = place_of(size);
  Granule old = fit->head[at.row][at.column];
  put(gc, g + 1, old);
  put(gc, g + 2, 0);
  if (old) put(gc, old + 2, g);
  fit->head[at.row][at.column] = g;
  fit->rows |= 1u << at.row;
  fit->columns[at.row] |= 1u << at.column;
}

static void unlink_free(Gc *gc, Granule g, uint32_t size) {
  if (size < MIN_GRANULES) return;
  Fit *fit = &gc->heap->fit;
  Place at = place_of(size);
  Granule next = get(gc, g + 1), previous = get(gc, g + 2);
  if (next) put(gc, next + 2, previous);
  if (previous) {
    put(gc, previous + 1, next);
    return;
  }
  fit->head[at.row][at.column] = next;
  if (next) return;
  fit->columns[at.row] &= ~(1u << at.column);
  if (!fit->columns[at.row]) fit->rows &= ~(1u << at.row);
}

/* Of the first blocks of a list, the one at the lowest address that is large enough, or 0. */
static Granule lowest_of(Gc *gc, Place at, uint32_t size) {
  Granule g = gc->heap->fit.head[at.row][at.column], best = 0;
  for (unsigned tries = 0; g && tries < TRIES; tries++, g = get(gc, g + 1))
    if (size_of(gc, g) >= size && (!best || g < best)) best = g;
  return best;
}

/* A free block of at least `size` granules, still linked, or 0. */
static Granule find_fit(Gc *gc, uint32_t size) {
  Fit *fit = &gc->heap->fit;
  Granule close = lowest_of(gc, place_of(size), size);
  if (close) return close;
  Place at = place_for(size);
  if (at.row >= FIT_ROWS) return 0;
  uint32_t columns = fit->columns[at.row] & (~0u << at.column);
  if (!columns) {
    uint32_t rows = fit->rows & (uint32_t)(~(uint64_t)0 << (at.row + 1));
    if (!rows) return 0;
    at.row = (unsigned)__builtin_ctz(rows);
    columns = fit->columns[at.row];
  }
  at.column = (unsigned)__builtin_ctz(columns);
  return lowest_of(gc, at, size);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static uint32_t granules_for(uint64_t words) {
  uint64_t size = (words + GRANULE_WORDS - 1) / GRANULE_WORDS;
  return size < MIN_GRANULES ? MIN_GRANULES : (uint32_t)size;
}

/* Makes the unlinked free block [g, g + have) a used one of `size`; the rest is free again. */
static void carve(Gc *gc, Granule g, uint32_t have, uint32_t size) {
  tag(gc, g, size, true);
  if (have > size) link_free(gc, g + size, have - size);
}

/* Merges a free row with free neighbours and links the result. */
static void release_row(Gc *gc, Granule g, uint32_t size) {
  uint32_t span = span_of(gc, g);
  if (g > blocks_start(gc, span) && !(get(gc, g - 1) & 1)) {
    uint32_t before = size_of(gc, g - 1);
    unlink_free(gc, g - before, before);
    g -= before;
    size += before;
  }
  if (g + size < blocks_end(gc, span) && !(get(gc, g + size) & 1)) {
    uint32_t after = size_of(gc, g + size);
    unlink_free(gc, g + size, after);
    size += after;
  }
  link_free(gc, g, size);
}

/* The granules for blocks in a fresh span. */
static uint32_t room_in(uint32_t pages) { return pages * PAGE_GRANULES - side_granules(pages); }

/* Takes a span with room for `size` granules: a small one first, smaller ones where memory is
 * short. */
static bool take_span(Gc *gc, uint32_t size) {
  Fit *fit = &gc->heap->fit;
  uint64_t pages = fit->spans ? SPAN_PAGES : SPAN_FIRST_PAGES, least = SPAN_LEAST_PAGES;
  while (room_in((uint32_t)least) < size) least *= 2;
  if (pages < least) pages = least;
  uint32_t span = page_take_some(gc, &pages, least, SPAN_MID, 0);
  if (!span) return false;
  fit->spans++;
  link_free(gc, blocks_start(gc, span), room_in((uint32_t)pages));
  return true;
}

/* A free block for the request in a span that is swept, after sweeping or taking a span where there
 * is none. */
static Granule obtain(Gc *gc, uint32_t size) {
  if (!gc->config.notes_stacks) purge_finish(gc); /* an old stack would have to be listed */
  sweep_some(gc);
  for (;;) {
    Granule g = find_fit(gc, size);
    if (g && (gc->purge || sweep_is_done(gc) || !bits_test(gc->unswept, span_of(gc, g)))) return g;
    if (g) sweep_span(gc, span_of(gc, g));
    else if (!take_span(gc, size)) return 0;
  }
}

static void set_bit(Gc *gc, uint64_t word, bool on) {
  meta_touch(gc, gc->bits + (word >> 6));
  if (on) bits_set(gc->bits, word);
  else bits_clear(gc->bits, word);
}

static void count_bytes(Gc *gc, uint32_t granules) {
  uint64_t bytes = (uint64_t)granules * GRANULE_WORDS * 8;
  gc->heap->allocated_bytes += bytes;
  gc->heap->policy.debt += bytes;
}

/* The new part of an old block holds what no collection has seen. */
static void remember_granules(Gc *gc, Granule g, uint32_t size) {
  for (uint32_t page = g / PAGE_GRANULES; page <= (g + size - 1) / PAGE_GRANULES; page++)
    barrier_remember(gc, page);
}

/* A block in a span that is not swept, and must not be yet: it cannot be young. */
static void make_old(Gc *gc, Granule g, uint32_t size) {
  uint64_t word = (uint64_t)g * GRANULE_WORDS, bytes = (uint64_t)size * GRANULE_WORDS * 8;
  bits_set(gc->marks, word);
  if (gc->phase == PHASE_MARK) bits_set(gc->next, word);
  remember_granules(gc, g, size);
  gc->heap->live_bytes += bytes;
  gc->heap->allocated_before += bytes;
}

uint64_t segfit_alloc(Gc *gc, uint64_t words) {
  uint32_t size = granules_for(words);
  Granule g = obtain(gc, size);
  if (!g) return 0;
  uint32_t have = size_of(gc, g);
  unlink_free(gc, g, have);
  carve(gc, g, have, size);
  count_bytes(gc, size);
  uint64_t word = (uint64_t)g * GRANULE_WORDS;
  barrier_fresh(gc, word, (uint64_t)size * GRANULE_WORDS); /* the caller writes unasked */
  set_bit(gc, word, true);
  if (gc->purge && bits_test(gc->unswept, span_of(gc, g))) make_old(gc, g, size);
  else page_list_young(gc, span_of(gc, g));
  return word;
}

static void free_block(Gc *gc, uint64_t word) {
  Granule g = (Granule)(word / GRANULE_WORDS);
  snapshot_freed(gc, word >> 6, (uint64_t)1 << (word & 63));
  set_bit(gc, word, false);
  release_row(gc, g, size_of(gc, g));
}

/* Unlinks all free blocks of a span, and gives it up. */
static void drop_span(Gc *gc, uint32_t span) {
  Granule g = blocks_start(gc, span), end = blocks_end(gc, span);
  gc->heap->fit.spans--;
  for (uint32_t size; g < end; g += size) {
    size = size_of(gc, g);
    if (!(get(gc, g) & 1)) unlink_free(gc, g, size);
  }
  page_give(gc, span);
}

void segfit_release(Gc *gc, uint64_t word) {
  uint32_t span = span_of(gc, (Granule)(word / GRANULE_WORDS));
  free_block(gc, word);
  bool empty = size_of(gc, blocks_start(gc, span)) == room_in(gc->table[span].pages);
  if (empty && gc->heap->fit.spans > 1) drop_span(gc, span);
}

uint64_t segfit_words(Gc *gc, uint64_t word) {
  return (uint64_t)size_of(gc, (Granule)(word / GRANULE_WORDS)) * GRANULE_WORDS;
}

bool segfit_extend(Gc *gc, uint64_t word, uint64_t words) {
  Granule g = (Granule)(word / GRANULE_WORDS), next = g + size_of(gc, g);
  if (words > MID_MAX_WORDS) return false;
  uint32_t size = size_of(gc, g), want = granules_for(words);
  if (want <= size) return true;
  if (next >= blocks_end(gc, span_of(gc, g)) || (get(gc, next) & 1)) return false;
  uint32_t after = size_of(gc, next);
  if (size + after < want) return false;
  unlink_free(gc, next, after);
  carve(gc, g, size + after, want);
  barrier_fresh(gc, (uint64_t)next * GRANULE_WORDS, (uint64_t)(want - size) * GRANULE_WORDS);
  if (bits_test(gc->marks, word)) remember_granules(gc, next, want - size);
  count_bytes(gc, want - size);
  return true;
}

/* ---- collection ------------------------------------------------------------------------------ */

static void free_dead(Gc *gc, uint32_t span) {
  uint64_t from = bitword_of_page(span), to = from + gc->table[span].pages * PAGE_BITWORDS;
  for (uint64_t i = from; i < to; i++) {
    uint64_t dead = gc->bits[i] & ~gc->marks[i];
    for (; dead; dead &= dead - 1)
      free_block(gc, (i << 6) + (uint64_t)__builtin_ctzll(dead));
  }
}

/* Says which pages hold old blocks. */
static void arm_block(Gc *gc, uint64_t word) {
  uint64_t last = page_of_word(word + segfit_words(gc, word) - 1) - PLANTED(SWEEP_MID_NOT_ARMED);
  for (uint64_t page = page_of_word(word); page <= last; page++)
    if (!bits_test(gc->dirty, page)) gc->states[page] |= PAGE_OLD;
}

/* Gives whether there are any blocks. */
static bool arm_pages(Gc *gc, uint32_t span) {
  uint64_t from = word_of_page(span), end = word_of_page(span + gc->table[span].pages);
  uint64_t first = bits_next(gc->bits, from, end);
  for (uint32_t page = span; page < span + gc->table[span].pages; page++)
    gc->states[page] &= (uint8_t)~PAGE_OLD;
  for (uint64_t at = first; at < end; at = bits_next(gc->bits, at + 1, end)) arm_block(gc, at);
  return first < end;
}

void segfit_sweep(Gc *gc, uint32_t span) {
  free_dead(gc, span);
  if (!arm_pages(gc, span)) drop_span(gc, span);
}

/* ---- checker --------------------------------------------------------------------------------- */

static const char *check_block(Gc *gc, Granule g, Granule end, bool after_free) {
  uint32_t t = get(gc, g), size = t >> 1;
  if (size == 0 || size > end - g) return "segfit: a block of impossible size";
  if (get(gc, g + size - 1) != t) return "segfit: the tags of a block differ";
  bool bit = bits_test(gc->bits, (uint64_t)g * GRANULE_WORDS);
  if (t & 1) return bit ? NULL : "segfit: a used block without alloc bit";
  if (bit) return "segfit: a free block with alloc bit";
  return after_free ? "segfit: free neighbours not merged" : NULL;
}

const char *segfit_check_span(Gc *gc, uint32_t span, uint64_t *where, uint64_t *linked) {
  Granule g = blocks_start(gc, span), end = blocks_end(gc, span);
  uint64_t used = 0, first = bitword_of_page(span);
  for (bool after_free = false; g < end; g += size_of(gc, g)) {
    *where = (uint64_t)g * GRANULE_WORDS;
    const char *wrong = check_block(gc, g, end, after_free);
    if (wrong) return wrong;
    after_free = !(get(gc, g) & 1);
    used += !after_free;
    *linked += after_free && size_of(gc, g) >= MIN_GRANULES;
  }
  if (used != bits_count(gc->bits + first, gc->table[span].pages * PAGE_BITWORDS))
    return "segfit: an alloc bit inside a block";
  return NULL;
}

uint64_t segfit_count_linked(Gc *gc) {
  Fit *fit = &gc->heap->fit;
  uint64_t n = 0, most = gc->heap->used_pages * PAGE_GRANULES;
  for (unsigned row = 0; row < FIT_ROWS; row++) {
    if (!(fit->rows >> row & 1) != !fit->columns[row]) return UINT64_MAX;
    for (unsigned column = 0; column < FIT_COLUMNS; column++) {
      Granule g = fit->head[row][column], previous = 0;
      if (!(fit->columns[row] >> column & 1) != !g) return UINT64_MAX;
      for (; g; previous = g, g = get(gc, g + 1)) {
        if (++n > most || g / PAGE_GRANULES >= gc->heap->cage_pages) return UINT64_MAX;
        if (gc->table[g / PAGE_GRANULES].kind != SPAN_MID || get(gc, g) & 1) return UINT64_MAX;
        Place at = place_of(size_of(gc, g));
        if (at.row != row || at.column != column || get(gc, g + 2) != previous) return UINT64_MAX;
      }
    }
  }
  return n;
}

/* ---- proof ----------------------------------------------------------------------------------- */

/* Notes where the free blocks of a span begin, after its tags have been checked. */
static const char *note_free(Gc *gc, uint32_t span, uint64_t *starts, uint64_t *where,
                             uint64_t *free_blocks) {
  const char *wrong = segfit_check_span(gc, span, where, free_blocks);
  if (wrong) return wrong;
  Granule g = blocks_start(gc, span), end = blocks_end(gc, span);
  for (uint32_t size; g < end; g += size) {
    size = size_of(gc, g);
    if (!(get(gc, g) & 1) && size >= MIN_GRANULES) bits_set(starts, g);
  }
  return NULL;
}

/* Each element is a free block that no list had before. */
static const char *check_list(Gc *gc, unsigned row, unsigned column, uint64_t *starts,
                              uint64_t *where, uint64_t *listed) {
  uint64_t end = gc->heap->cage_pages * PAGE_GRANULES;
  Granule g = gc->heap->fit.head[row][column];
  for (Granule before = 0; g; before = g, g = get(gc, g + 1)) {
    *where = (uint64_t)g * GRANULE_WORDS;
    if (g >= end || !bits_test(starts, g)) return "a free list leads to no free block";
    bits_clear(starts, g);
    Place at = place_of(size_of(gc, g));
    if (at.row != row || at.column != column || get(gc, g + 2) != before)
      return "a free block in a wrong list";
    ++*listed;
  }
  return NULL;
}

static const char *check_lists(Gc *gc, uint64_t *starts, uint64_t *where, uint64_t free_blocks) {
  const Fit *fit = &gc->heap->fit;
  uint64_t listed = 0;
  if (fit->rows >> FIT_ROWS) return "a row of free lists that there is not";
  for (unsigned row = 0; row < FIT_ROWS; row++) {
    if (!(fit->rows >> row & 1) != !fit->columns[row] || fit->columns[row] >> FIT_COLUMNS)
      return "damaged bits of free lists";
    for (unsigned column = 0; column < FIT_COLUMNS; column++) {
      if (!(fit->columns[row] >> column & 1) != !fit->head[row][column])
        return "damaged bits of free lists";
      const char *wrong = check_list(gc, row, column, starts, where, &listed);
      if (wrong) return wrong;
    }
  }
  return listed == free_blocks ? NULL : "a free block is in no list";
}

const char *segfit_check_all(Gc *gc, uint64_t *where) {
  uint64_t free_blocks = 0, *starts = calloc(gc->heap->cage_pages * PAGE_GRANULES / 64 + 1, 8);
  const char *wrong = starts ? NULL : "there is no memory to check it";
  uint32_t page = (uint32_t)gc->heap->first_page, span;
  while (!wrong && (span = page_next_span(gc, &page)) != 0)
    if (gc->table[span].kind == SPAN_MID)
      wrong = note_free(gc, span, starts, where, &free_blocks);
  if (!wrong) wrong = check_lists(gc, starts, where, free_blocks);
  free(starts);
  return wrong;
}
