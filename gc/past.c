/* past.c - what was reachable in a state that a snapshot keeps.
 *
 * A snapshot is needed as long as a program can get hold of its handle, be it now or after going
 * back to another snapshot. So the embedder has to ask of a past state what the collector knows of
 * the present one only. The state is not restored for that: its pages are read where they are, in
 * the heap or in the log.
 *
 * Marks and stack are memory of their own, and the work is bounded, so a trace can fail: then
 * everything counts as reachable. Weak references are followed like others, which errs on the same
 * side. */
#include <stdlib.h>

#include "bits.h"
#include "os.h"
#include "snapshot.h"

struct GcPastTrace {
  Gc *gc;
  uint64_t *seen; /* a bit for each word below `end` */
  uint64_t end, seen_bytes;
  uint32_t *stack;
  uint64_t n, room;
  uint64_t *work;
};

static bool push(GcPastTrace *t, uint32_t ref) {
  if (ref == 0 || ref >= t->end || bits_test(t->seen, ref)) return true;
  if (t->n == t->room) {
    uint64_t room = t->room ? 2 * t->room : 1024;
    uint32_t *stack = realloc(t->stack, room * sizeof *stack);
    if (!stack) return false;
    t->stack = stack;
    t->room = room;
  }
  bits_set(t->seen, ref);
  t->stack[t->n++] = ref;
  return true;
}

/* The words of a row, page by page. */
typedef struct Reader { Gc *gc; uint64_t page; const uint64_t *words; } Reader;

static uint64_t read_word(Reader *r, uint64_t word) {
  if (word >> GC_WORD_PAGE_SHIFT != r->page) {
    r->page = word >> GC_WORD_PAGE_SHIFT;
    r->words = snapshot_past_page(r->gc, r->page);
  }
  return r->words ? r->words[word % GC_PAGE_WORDS] : 0;
}

static bool push_values(GcPastTrace *t, Reader *r, uint64_t from, uint64_t count) {
  if (count > *t->work || from > t->end || count > t->end - from) return false;
  *t->work -= count;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t v = read_word(r, from + i);
    if (v >> 48 == VALUE_REF_HIGH && !push(t, (uint32_t)v)) return false;
  }
  return true;
}

static bool push_pairs(GcPastTrace *t, Reader *r, uint64_t from, unsigned pairs) {
  for (unsigned i = 0; i < pairs; i++) {
    uint64_t pair = read_word(r, from + i);
    if (!push(t, (uint32_t)pair) || !push(t, (uint32_t)(pair >> 32))) return false;
  }
  return true;
}

static bool scan(GcPastTrace *t, Reader *r, uint64_t at) {
  uint64_t word = read_word(r, at);
  Header h = *(const Header *)&word;
  unsigned layout = h.layout & LAYOUT_MASK, pairs = 0;
  bool aux = layout == LAYOUT_VALUES || layout == LAYOUT_RAW;
  if (aux && h.layout & LAYOUT_AUX_REF && !push(t, h.aux)) return false;
  if (*t->work == 0) return false;
  --*t->work;
  switch (layout) {
    case LAYOUT_VALUES:
      pairs = layout_pairs(h.layout);
      return push_pairs(t, r, at + 1, pairs) && push_values(t, r, at + 1 + pairs, h.n);
    case LAYOUT_WIDE: return push_values(t, r, at + 1, h.aux);
    case LAYOUT_STACK: {
      uint64_t used = read_word(r, at + 1);
      return push_values(t, r, at + 2, used < h.aux ? used : h.aux);
    }
    default: return true;
  }
}

static bool trace(GcPastTrace *t) {
  Reader r = {.gc = t->gc, .page = UINT64_MAX};
  uint64_t words;
  const uint64_t *roots = snapshot_past_roots(t->gc, &words);
  for (uint64_t i = 0; i < words; i++)
    if (roots[i] >> 48 == VALUE_REF_HIGH && !push(t, (uint32_t)roots[i])) return false;
  while (t->n)
    if (!scan(t, &r, t->stack[--t->n])) return false;
  return true;
}

static GcPastTrace *new_trace(Gc *gc, uint64_t *work) {
  GcPastTrace *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  uint64_t pages = gc->top_page > gc->heap->first_page ? gc->top_page : gc->heap->first_page;
  *t = (GcPastTrace){.gc = gc, .end = pages * GC_PAGE_WORDS, .seen_bytes = pages * GC_PAGE / 64,
                     .work = work};
  t->seen_bytes = (t->seen_bytes + GC_PAGE - 1) & ~(uint64_t)(GC_PAGE - 1);
  t->seen = os_map(&gc->os, t->seen_bytes);
  if (t->seen) return t;
  free(t);
  return NULL;
}

static GcPastTrace *end_trace(GcPastTrace *t, bool ok) {
  if (!t) return NULL;
  free(t->stack);
  t->stack = NULL;
  if (ok) return t;
  gc_past_trace_free(t);
  return NULL;
}

GcPastTrace *gc_past_trace(Gc *gc, uint64_t *work) {
  GcPastTrace *t = new_trace(gc, work);
  return end_trace(t, t && trace(t));
}

bool gc_past_reaches(const GcPastTrace *t, Ref r) {
  return r.w < t->end && bits_test(t->seen, r.w);
}

void gc_past_trace_free(GcPastTrace *t) {
  if (!t) return;
  if (t->seen) os_unmap(t->seen, t->seen_bytes);
  free(t);
}

/* ---- comparing two states ---------------------------------------------------------------------- */

GcPastTrace *gc_past_trace_from(Gc *gc, const Value *values, uint64_t n, uint64_t *work) {
  GcPastTrace *t = new_trace(gc, work);
  Reader r = {.gc = gc, .page = UINT64_MAX};
  bool ok = t != NULL;
  for (uint64_t i = 0; ok && i < n; i++)
    if (values[i] >> 48 == VALUE_REF_HIGH) ok = push(t, (uint32_t)values[i]);
  while (ok && t->n) ok = scan(t, &r, t->stack[--t->n]);
  return end_trace(t, ok);
}

static bool has_changed(Gc *gc, uint64_t at) {
  const uint64_t *words = (const uint64_t *)gc->base;
  uint64_t n = gc_block_words(gc, words + at);
  Reader r = {.gc = gc, .page = UINT64_MAX};
  for (uint64_t i = at; i < at + n; i++)
    if (words[i] != read_word(&r, i)) return true;
  return false;
}

void gc_past_compare(Gc *gc, GcPastTrace *here, const GcPastTrace *there, GcPastDiff *out) {
  uint64_t in_both = 0, in_past = bits_count(there->seen, there->seen_bytes / 8);
  *out = (GcPastDiff){.pages = snapshot_past_changed(gc)};
  for (uint64_t at = bits_next(here->seen, 0, here->end); at < here->end;
       at = bits_next(here->seen, at + 1, here->end)) {
    bool same = gc_past_reaches(there, (Ref){(uint32_t)at}) && gc_past_same(gc, (Ref){(uint32_t)at});
    in_both += same;
    out->only_here += !same;
    if (!same) continue;
    if (has_changed(gc, at)) out->changed++;
    else bits_clear(here->seen, at);
  }
  out->only_there = in_past - in_both;
}

bool gc_past_meet(const GcPastTrace *a, const GcPastTrace *b) {
  uint64_t end = a->end < b->end ? a->end : b->end;
  for (uint64_t i = 0; i <= end / 64 && i < a->seen_bytes / 8 && i < b->seen_bytes / 8; i++)
    if (a->seen[i] & b->seen[i]) return true;
  return false;
}
