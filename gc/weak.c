/* weak.c - weak references, and tables whose values live as long as their keys (ephemerons: Hayes
 * 1997).
 *
 *   LAYOUT_WEAK    the values of the block are cleared when what they refer to dies
 *   LAYOUT_KEYED   pairs of key and value. A value is alive if its key and the table are; so a
 *                  key that only its own value refers to is dead. When a key dies the pair is cleared
 *
 * Marking passes the contents of such blocks by and notes the pages on which it met them, one bit a
 * page, which needs no memory: `pages` for the collection that runs, `slow_pages` for the major one
 * in steps. A minor collection meets new weak blocks and those on dirty pages; what lies elsewhere is
 * old and refers to what is old. When all else is marked, the pages noted are gone through twice:
 *
 *   weak_mark    values with marked keys are marked. A value whose key is not marked yet waits, in a
 *                table by key; from then on marking asks that table about each block that it comes
 *                to, and takes out what waited for it. Each pair is looked at once, waits at most once
 *                and leaves once, so chains of any length (the value of one key refers to the next
 *                key) take time in proportion to their length, in whatever order they lie
 *   weak_clear   what refers to the dead is cleared
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

enum { FIRST_CAPACITY = 64 };

/* ---- noting ----------------------------------------------------------------------------------- */

static void note(WeakPages *p, uint64_t from, uint64_t to) {
  p->any = true;
  for (uint64_t page = page_of_word(from); page <= page_of_word(to - 1); page++)
    bits_set(p->bits, page);
}

static void forget(Gc *gc, WeakPages *p) {
  if (p->any) memset(p->bits, 0, gc->top_page / 8 + 1);
  p->any = false;
}

/* ---- values that wait for their keys ---------------------------------------------------------- */

static uint32_t *bucket(Weak *w, uint32_t key) {
  return w->heads + ((key * 0x9E3779B1u) >> 7 & (w->capacity - 1));
}

static void enter(Weak *w, uint32_t i) {
  uint32_t *head = bucket(w, w->waits[i].key);
  w->waits[i].next = *head;
  *head = i + 1;
}

/* Twice as many places and buckets. */
static bool grow(Gc *gc) {
  Weak *w = &gc->weak;
  uint32_t capacity = w->capacity ? 2 * w->capacity : FIRST_CAPACITY;
  if (capacity < w->capacity || w->refuse) return false;
  WeakWait *waits = realloc(w->waits, capacity * sizeof *waits);
  if (!waits) return false;
  w->waits = waits;
  uint32_t *heads = calloc(capacity, sizeof *heads);
  if (!heads) return false;
  free(w->heads);
  w->heads = heads;
  w->capacity = capacity;
  for (uint32_t i = 0; i < w->count; i++)
    if (w->waits[i].key) enter(w, i);
  return true;
}

/* A key of 0: the value is to be marked at once. */
static void wait_for(Gc *gc, uint32_t key, uint32_t value) {
  Weak *w = &gc->weak;
  if (w->count == w->capacity && !grow(gc)) {
    w->lost = true;
    return;
  }
  uint32_t i = w->count++;
  w->waits[i] = (WeakWait){key, value, w->due};
  if (key) enter(w, i);
  else w->due = i + 1;
}

void weak_key_found(Gc *gc, uint32_t key) {
  Weak *w = &gc->weak;
  w->work++;
  if (!w->count) return;
  for (uint32_t *at = bucket(w, key), i; (i = *at) != 0; w->work++) {
    WeakWait *wait = &w->waits[i - 1];
    if (wait->key != key) {
      at = &wait->next;
      continue;
    }
    *at = wait->next;
    *wait = (WeakWait){0, wait->value, w->due};
    w->due = i;
  }
}

/* ---- what is on a page ------------------------------------------------------------------------ */

static bool is_ref(Value v) { return v >> 48 == VALUE_REF_HIGH; }

static bool is_alive(Gc *gc, Value v) { return !is_ref(v) || gc_is_marked(gc, (Ref){(uint32_t)v}); }

typedef void WeakVisit(Gc *gc, uint64_t block, uint64_t from, uint64_t to);

/* Calls `visit` for the weak blocks that are alive and have words on the page, for those words. */
static void visit_page(Gc *gc, uint32_t page, WeakVisit *visit) {
  const uint64_t *marks = gc->marker.final ? gc->next : gc->marks;
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

static void visit_pages(Gc *gc, WeakVisit *visit) {
  const Weak *w = &gc->weak;
  bool slow = gc->marker.final && w->slow.any;
  if (!slow && !w->now.any) return;
  for (uint64_t i = 0; i <= gc->top_page / 64; i++) {
    uint64_t bits = w->now.bits[i] | (slow ? w->slow.bits[i] : 0);
    for (; bits; bits &= bits - 1)
      visit_page(gc, (uint32_t)(64 * i) + (unsigned)__builtin_ctzll(bits), visit);
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
static void consider(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  if (!is_keyed(gc, block)) return;
  for (Pairs p = pairs_in(gc, block, from, to); p.at < p.end; p.at += 2) {
    gc->weak.work++;
    if (!is_ref(p.at[0]) || is_alive(gc, p.at[1])) continue;
    wait_for(gc, is_alive(gc, p.at[0]) ? 0 : (uint32_t)p.at[0], (uint32_t)p.at[1]);
  }
}

void weak_found(Gc *gc, uint64_t block, uint64_t from, uint64_t to, bool slow) {
  Weak *w = &gc->weak;
  const Header *h = gc_ptr(gc->base, (Ref){(uint32_t)block});
  uint64_t pairs = layout_pairs(h->layout);
  bool wide = (h->layout & LAYOUT_MASK) == LAYOUT_WIDE;
  uint64_t end = block + 1 + (wide ? h->aux : pairs + h->n);
  if (block == gc->heap->finals) return;
  from = block + from;
  to = to < end - block ? block + to : end;
  if (from >= to) return;
  if (!slow) note(&w->now, from, to);
  if (slow || gc->phase == PHASE_MARK) note(&w->slow, from, to);
  if (w->watching) consider(gc, block, from, to);
}

/* Marks what is due, and what follows. */
static void mark_due(Gc *gc) {
  Weak *w = &gc->weak;
  mark_drain(gc);
  while (w->due) {
    while (w->due) {
      const WeakWait *wait = &w->waits[w->due - 1];
      w->due = wait->next;
      gc_mark_ref(gc, (Ref){wait->value});
    }
    mark_drain(gc);
  }
}

static void mark_values(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  if (!is_keyed(gc, block)) return;
  for (Pairs p = pairs_in(gc, block, from, to); p.at < p.end; p.at += 2) {
    gc->weak.work++;
    if (!is_ref(p.at[0]) || !is_alive(gc, p.at[0]) || is_alive(gc, p.at[1])) continue;
    gc->weak.lost = true;
    gc_mark_ref(gc, (Ref){(uint32_t)p.at[1]});
  }
}

void weak_mark(Gc *gc) {
  Weak *w = &gc->weak;
  mark_drain(gc);
  if (!w->watching) {
    if (!w->now.any && !(gc->marker.final && w->slow.any)) return;
    w->watching = true;
    w->work = 0;
    visit_pages(gc, consider);
  }
  mark_due(gc);
  while (w->lost) {
    w->lost = false;
    visit_pages(gc, mark_values);
    mark_due(gc);
  }
}

/* ---- clearing --------------------------------------------------------------------------------- */

/* The blocks on the page stay as old as they were, so this is no store for the barrier to note. */
static void put(Gc *gc, Value *at, Value v) {
  barrier_fresh(gc, gc_word(gc->base, at), 1);
  *at = v;
}

static void clear_pairs(Gc *gc, uint64_t block, uint64_t from, uint64_t to) {
  Value *count = (Value *)gc_ptr(gc->base, (Ref){(uint32_t)block}) + 1;
  for (Pairs p = pairs_in(gc, block, from, to); p.at < p.end; p.at += 2) {
    if (is_alive(gc, p.at[0])) continue;
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
    if (!is_alive(gc, *v)) put(gc, v, GC_NIL);
}

static void drop_waits(Weak *w) {
  free(w->waits);
  free(w->heads);
  w->waits = NULL;
  w->heads = NULL;
  w->count = w->capacity = w->due = 0;
  w->watching = w->lost = false;
}

void weak_clear(Gc *gc) {
  Weak *w = &gc->weak;
  drop_waits(w);
  if (!PLANTED(WEAK_KEPT)) visit_pages(gc, clear_dead);
  forget(gc, &w->now);
  if (gc->marker.final) forget(gc, &w->slow);
}

void weak_abort_minor(Gc *gc) {
  drop_waits(&gc->weak);
  forget(gc, &gc->weak.now);
}

void weak_abort(Gc *gc) {
  weak_abort_minor(gc);
  forget(gc, &gc->weak.slow);
}

void weak_begin_slow(Gc *gc) { forget(gc, &gc->weak.slow); }
