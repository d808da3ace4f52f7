/* weak.c - weak references, and tables whose values live as long as their keys (ephemerons: Hayes
 * 1997).
 *
 *   LAYOUT_WEAK    the values of the block are cleared when what they refer to dies
 *   LAYOUT_KEYED   pairs of key and value. A value is alive if its key and the table are; so a
 *                  key that only its own value refers to is dead. When a key dies the pair is cleared
 *
 * Marking passes the contents of such blocks by and notes the pages on which it met them, one bit a
 * page, which needs no memory: `now` for the collection that runs, `slow` for the major one
 * in steps. A minor collection meets new weak blocks and those on dirty pages; what lies elsewhere is
 * old and refers to what is old. When all else is marked, the pages noted are gone through twice:
 *
 *   weak_mark    values with marked keys are marked. A value whose key is not marked yet waits, in a
 *                table by key; from then on marking asks that table about each block that it comes
 *                to, and takes out what waited for it. Each pair is looked at once, waits at most once
 *                and leaves once, so chains of any length (the value of one key refers to the next
 *                key) take time in proportion to their length, in whatever order they lie
 *   weak_clear   what refers to the dead is cleared; after a major collection in slices (purge.c)
 *
 * The major collection in steps looks at its pages in steps, too, when all else is marked: weak_slow_step.
 * What the program reads or writes meanwhile does not have to be looked at again. A key or value that it
 * puts in a table was reachable when that collection began, or is new, or was read from a weak place
 * and revived; in each case it will be marked. A pair that waits is found by its key when that is.
 *
 * The waiting table is memory of the process. Where that is refused, the pages are gone through again
 * and again until nothing new is marked, which is slow for long chains but always right.
 */
#include "weak.h"

#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "mark.h"
#include "page.h"
#include "plant.h"

enum {
  FIRST_CAPACITY = 64,
  KEYS = 8, /* to a bucket, where there may be millions: buckets are written to at once */
  PAGE_WORK = 4096, /* what a page of pairs costs, in words to look at */
};

/* ---- noting ----------------------------------------------------------------------------------- */

static void note(WeakPages *p, uint64_t from, uint64_t to, bool keyed) {
  p->any = true;
  p->keyed |= keyed;
  for (uint64_t page = page_of_word(from); page <= page_of_word(to - 1); page++)
    bits_set(p->bits, page);
}

static void forget(Gc *gc, WeakPages *p) {
  if (p->any) memset(p->bits, 0, gc->top_page / 8 + 1);
  p->any = p->keyed = false;
}

/* ---- values that wait for their keys ---------------------------------------------------------- */

/* Keys that were made one after the other lie side by side, and so do their buckets: with a hash each
 * would be on another page of memory. */
static uint32_t *bucket(WeakWaits *w, uint32_t key) {
  return w->heads + ((key >> 1 ^ key >> 24) & (w->buckets - 1));
}

static void enter(WeakWaits *w, uint32_t i) {
  uint32_t *head = bucket(w, w->items[i].key);
  w->items[i].next = *head;
  *head = i + 1;
}

static bool reserve(Gc *gc, WeakWaits *w, uint32_t capacity, uint32_t buckets) {
  if (capacity < w->capacity || gc->weak.refuse) return false;
  WeakWait *items = realloc(w->items, capacity * sizeof *items);
  if (!items) return false;
  w->items = items;
  uint32_t *heads = calloc(buckets, sizeof *heads);
  if (!heads) return false;
  free(w->heads);
  w->heads = heads;
  w->capacity = capacity;
  w->buckets = buckets;
  for (uint32_t i = 0; i < w->count; i++)
    if (w->items[i].key) enter(w, i);
  return true;
}

/* A key of 0: the value is to be marked at once. */
static void wait_for(Gc *gc, WeakWaits *w, uint32_t key, uint32_t value) {
  uint32_t twice = w->capacity ? 2 * w->capacity : FIRST_CAPACITY;
  if (w->count == w->capacity && !reserve(gc, w, twice, twice)) {
    w->lost = true;
    return;
  }
  uint32_t i = w->count++;
  w->items[i] = (WeakWait){key, value, w->due};
  if (key) enter(w, i);
  else w->due = i + 1;
}

static void key_found(Gc *gc, WeakWaits *w, uint32_t key) {
  gc->weak.work++;
  if (!w->count) return;
  for (uint32_t *at = bucket(w, key), i; (i = *at) != 0; gc->weak.work++) {
    WeakWait *wait = &w->items[i - 1];
    if (wait->key != key) {
      at = &wait->next;
      continue;
    }
    *at = wait->next;
    *wait = (WeakWait){0, wait->value, w->due};
    w->due = i;
  }
}

void weak_key_found(Gc *gc, uint32_t key) {
  if (gc->weak.waits.open) key_found(gc, &gc->weak.waits, key);
  if (gc->weak.slow_waits.open) key_found(gc, &gc->weak.slow_waits, key);
}

static void close_waits(WeakWaits *w) {
  free(w->items);
  free(w->heads);
  *w = (WeakWaits){0};
}

/* ---- what is on a page ------------------------------------------------------------------------ */

static bool is_ref(Value v) { return v >> 48 == VALUE_REF_HIGH; }

static bool is_alive(Gc *gc, Value v) { return !is_ref(v) || gc_is_marked(gc, (Ref){(uint32_t)v}); }

/* To the major collection in steps what is young is no business of its. */
static bool is_alive_to(Gc *gc, Value v, bool slow) {
  if (!slow || !is_ref(v)) return is_alive(gc, v);
  return bits_test(gc->next, (uint32_t)v) || !bits_test(gc->marks, (uint32_t)v);
}

typedef void WeakVisit(Gc *gc, uint64_t block, uint64_t from, uint64_t to);

/* Calls `visit` for the weak blocks that have words on the page and are alive, as `marks` says, for
 * those words. */
static void visit_page(Gc *gc, const uint64_t *marks, uint32_t page, WeakVisit *visit) {
  uint32_t span = page_span(gc, page);
  if (!span) return; /* it was freed since */
  uint64_t first = word_of_page(page), end = first + GC_PAGE_WORDS;
  uint64_t at = mark_first_on_page(gc, marks, span, first);
  if (gc->table[span].kind == SPAN_LARGE) end = at + 1;
  for (at = bits_next(marks, at, end); at < end; at = bits_next(marks, at + 1, end)) {
    const Header *h = gc_ptr(gc->base, (Ref){(uint32_t)at});
    if (h->layout & (LAYOUT_WEAK | LAYOUT_KEYED))
      visit(gc, at, first, first + GC_PAGE_WORDS);
  }
}

/* The next page noted at or after this one; the end of all if there is none. */
static uint64_t next_noted(Gc *gc, const WeakPages *p, uint64_t page) {
  uint64_t end = (uint64_t)gc->top_page + 1;
  return p->any ? bits_next(p->bits, page, end) : end;
}

static void visit_pages(Gc *gc, const WeakPages *p, WeakVisit *visit) {
  const uint64_t *marks = gc->marker.final ? gc->next : gc->marks;
  for (uint64_t page = 0; (page = next_noted(gc, p, page)) <= gc->top_page; page++) {
    visit_page(gc, marks, (uint32_t)page, visit);
    gc->marker.work += PAGE_WORK;
  }
}

/* The pairs of a keyed block with a word in [from, to). */
typedef struct Pairs { Value *at, *end; } Pairs;

static Pairs pairs_in(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  Value *words = gc_ptr(gc->base, (Ref){(uint32_t)block});
  uint64_t n = ((const Header *)words)->aux / 2;
  uint64_t first = from > block + 2 ? (from - block - 2) / 2 : 0;
  uint64_t last = to > block + 2 ? (to - block - 1) / 2 : 0;
  if (last > n) last = n;
  if (first > last) first = last;
  return (Pairs){words + 2 + 2 * first, words + 2 + 2 * last};
}

static bool is_keyed(Gc *gc, uint64_t block) {
  return ((const Header *)gc_ptr(gc->base, (Ref){(uint32_t)block}))->layout & LAYOUT_KEYED;
}

/* ---- marking ---------------------------------------------------------------------------------- */

/* Marking may be in the middle of something: what is to be marked is put aside. */
static void consider_for(Gc *gc, uint64_t block, uint64_t from, uint64_t to, bool slow) {
  Weak *w = &gc->weak;
  if (!is_keyed(gc, block)) return;
  for (Pairs p = pairs_in(gc, block, from, to); p.at < p.end; p.at += 2) {
    w->work++;
    if (!is_ref(p.at[0]) || is_alive_to(gc, p.at[1], slow)) continue;
    uint32_t key = is_alive_to(gc, p.at[0], slow) ? 0 : (uint32_t)p.at[0];
    wait_for(gc, slow ? &w->slow_waits : &w->waits, key, (uint32_t)p.at[1]);
  }
}

static void consider(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  consider_for(gc, block, from, to, false);
}

static void consider_slowly(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  consider_for(gc, block, from, to, true);
}

void weak_found(Gc *gc, uint64_t block, uint64_t from, uint64_t to, bool slow) {
  Weak *w = &gc->weak;
  const Header *h = gc_ptr(gc->base, (Ref){(uint32_t)block});
  uint64_t pairs = layout_pairs(h->layout);
  bool wide = (h->layout & LAYOUT_MASK) == LAYOUT_WIDE, keyed = h->layout & LAYOUT_KEYED;
  uint64_t end = block + 1 + (wide ? h->aux : pairs + h->n);
  if (block == gc->heap->finals) return;
  from = block + from;
  to = to < end - block ? block + to : end;
  if (from >= to) return;
  if (!slow) note(&w->now, from, to, keyed);
  if (slow || gc->phase == PHASE_MARK) note(&w->slow, from, to, keyed);
  if (slow ? w->slow_waits.open : w->waits.open) consider_for(gc, block, from, to, slow);
}

/* The next value that is due, 0: none is. */
static uint32_t take_due(WeakWaits *w) {
  if (!w->due) return 0;
  const WeakWait *wait = &w->items[w->due - 1];
  w->due = wait->next;
  return wait->value;
}

/* What the collection in steps has found alive is old, and marked as it would be. */
static void push_slow_due(Gc *gc) {
  for (uint32_t value; (value = take_due(&gc->weak.slow_waits)) != 0;)
    gc_revive(gc, (Ref){value});
}

/* Marks what is due, and what follows. */
static void mark_due(Gc *gc) {
  Weak *w = &gc->weak;
  mark_drain(gc);
  while (w->waits.due || (gc->marker.final && w->slow_waits.due)) {
    for (uint32_t value; (value = take_due(&w->waits)) != 0;) gc_mark_ref(gc, (Ref){value});
    if (gc->marker.final) push_slow_due(gc);
    mark_drain(gc);
  }
}

static void mark_values(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  if (!is_keyed(gc, block)) return;
  for (Pairs p = pairs_in(gc, block, from, to); p.at < p.end; p.at += 2) {
    gc->weak.work++;
    if (!is_ref(p.at[0]) || !is_alive(gc, p.at[0]) || is_alive(gc, p.at[1])) continue;
    gc->weak.waits.lost = true;
    gc_mark_ref(gc, (Ref){(uint32_t)p.at[1]});
  }
}

/* As many places as there may be pairs on the pages noted: mostly they stay untouched, and with less
 * the table would have to grow in between, all at once. */
static void open_slow(Gc *gc) {
  Weak *w = &gc->weak;
  uint64_t pages = bits_count(w->slow.bits, gc->top_page / 64 + 1), capacity = FIRST_CAPACITY;
  w->slow_waits.open = true;
  while (capacity < pages * (GC_PAGE_WORDS / 2) && capacity < (uint64_t)1 << 28) capacity *= 2;
  if (w->slow.keyed) reserve(gc, &w->slow_waits, (uint32_t)capacity, (uint32_t)capacity / KEYS);
}

bool weak_slow_is_done(const Gc *gc) {
  const Weak *w = &gc->weak;
  const WeakWaits *waits = &w->slow_waits;
  return !w->slow.keyed || (waits->open && w->slow_page > gc->top_page && !waits->due);
}

bool weak_slow_step(Gc *gc, uint64_t budget) {
  Weak *w = &gc->weak;
  Marker *m = &gc->marker;
  if (!w->slow_waits.open) open_slow(gc);
  if (!w->slow.keyed) w->slow_page = gc->top_page + 1;
  uint64_t start = m->work;
  while (m->work - start < budget && w->slow_page <= gc->top_page) {
    uint64_t page = next_noted(gc, &w->slow, w->slow_page);
    w->slow_page = (uint32_t)page + 1;
    if (page > gc->top_page) break;
    visit_page(gc, gc->next, (uint32_t)page, consider_slowly);
    m->work += PAGE_WORK;
  }
  m->slow_work += m->work - start;
  push_slow_due(gc);
  return weak_slow_is_done(gc);
}

/* Where the last round comes before the steps have looked at all. */
static void finish_slow(Gc *gc) {
  do mark_drain(gc);
  while (!weak_slow_step(gc, UINT64_MAX));
}

void weak_mark(Gc *gc) {
  Weak *w = &gc->weak;
  bool final = gc->marker.final;
  mark_drain(gc);
  if (!w->waits.open) {
    if (!w->now.any && !(final && w->slow.any)) return;
    w->waits.open = true;
    if (!final) w->work = 0;
    if (w->now.keyed) visit_pages(gc, &w->now, consider);
    if (final) finish_slow(gc);
  }
  mark_due(gc);
  while (w->waits.lost || (final && w->slow_waits.lost)) {
    w->waits.lost = w->slow_waits.lost = false;
    visit_pages(gc, &w->now, mark_values);
    if (final) visit_pages(gc, &w->slow, mark_values);
    mark_due(gc);
  }
}

/* ---- clearing --------------------------------------------------------------------------------- */

/* The blocks on the page stay as old as they were, so this is no store for the barrier to note. */
static void put(Gc *gc, Value *at, Value v) {
  barrier_fresh(gc, gc_word(gc->base, at), 1);
  *at = v;
}

/* After a major collection, in slices (purge.c): what was made meanwhile has no mark. */
static bool is_gone(Gc *gc, Value v) {
  return gc->purge ? is_ref(v) && gc_is_dead(gc, (Ref){(uint32_t)v}) : !is_alive(gc, v);
}

static void clear_pairs(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  Value *count = (Value *)gc_ptr(gc->base, (Ref){(uint32_t)block}) + 1;
  for (Pairs p = pairs_in(gc, block, from, to); p.at < p.end; p.at += 2) {
    if (!is_gone(gc, p.at[0])) continue;
    put(gc, p.at, GC_ABSENT);
    put(gc, p.at + 1, GC_NIL);
    put(gc, count, *count - 1);
  }
}

static void clear_dead(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  Value *words = gc_ptr(gc->base, (Ref){(uint32_t)block});
  const Header *h = (const Header *)words;
  if (h->layout & LAYOUT_KEYED) {
    clear_pairs(gc, block, from, to);
    return;
  }
  if ((h->layout & LAYOUT_MASK) != LAYOUT_VALUES) return; /* its owner's business */
  unsigned pairs = layout_pairs(h->layout);
  for (Value *v = words + 1 + pairs, *end = v + h->n; v < end; v++)
    if (is_gone(gc, *v)) put(gc, v, GC_NIL);
}

/* Moves what is noted in `from` to `to`. */
static void move_notes(Gc *gc, WeakPages *to, WeakPages *from) {
  for (uint64_t i = 0; from->any && i <= gc->top_page / 64; i++) to->bits[i] |= from->bits[i];
  to->any |= from->any;
  to->keyed |= from->keyed;
  forget(gc, from);
}

void weak_clear(Gc *gc) {
  Weak *w = &gc->weak;
  close_waits(&w->waits);
  if (gc->minor) {
    if (!PLANTED(WEAK_KEPT)) visit_pages(gc, &w->now, clear_dead);
    forget(gc, &w->now);
    return;
  }
  close_waits(&w->slow_waits);
  move_notes(gc, &w->dead, &w->now);
  move_notes(gc, &w->dead, &w->slow);
  w->dead_page = 0;
}

bool weak_purge(Gc *gc, unsigned pages) {
  Weak *w = &gc->weak;
  for (; pages && w->dead.any; pages--) {
    uint64_t page = next_noted(gc, &w->dead, w->dead_page);
    w->dead_page = (uint32_t)page + 1;
    if (page > gc->top_page) forget(gc, &w->dead);
    else if (!PLANTED(WEAK_KEPT)) visit_page(gc, gc->marks, (uint32_t)page, clear_dead);
  }
  return !w->dead.any;
}

void weak_purge_drop(Gc *gc) { forget(gc, &gc->weak.dead); }

void weak_abort_minor(Gc *gc) {
  close_waits(&gc->weak.waits);
  forget(gc, &gc->weak.now);
}

void weak_begin_slow(Gc *gc) {
  close_waits(&gc->weak.slow_waits);
  forget(gc, &gc->weak.slow);
  gc->weak.slow_page = 0;
}

void weak_abort(Gc *gc) {
  weak_abort_minor(gc);
  weak_begin_slow(gc);
}
