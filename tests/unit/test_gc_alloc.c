/* The allocators against a model that knows, for each word of the cage, which block it belongs to.
 * Blocks are also filled with a pattern of their own, which must be intact when they die. */
#include "gc/bits.h"
#include "gc/collect.h"
#include "gc/page.h"
#include "gc/segfit.h"
#include "gc/slab.h"
#include "gc_helpers.h"

enum { CAGE = 64 << 20, CAGE_WORDS = CAGE / 8, MAX_BLOCKS = 60000 };

typedef struct Block { uint32_t ref, words, got; } Block;

typedef struct Model {
  Gc *gc;
  uint32_t *owner; /* per word: 0 or ref */
  Block *block;
  uint32_t live;
  uint64_t rng;
} Model;

static void mark_blocks(Gc *gc, void *embedder) {
  Model *m = embedder;
  for (uint32_t i = 0; i < m->live; i++) gc_mark_ref(gc, (Ref){m->block[i].ref});
}

static void model_open(Model *m, uint64_t limit, uint64_t seed) {
  m->owner = calloc(CAGE_WORDS, sizeof *m->owner);
  m->block = calloc(MAX_BLOCKS, sizeof *m->block);
  m->live = 0;
  m->rng = seed;
  m->gc = gc_new(&(GcConfig){.cage_bytes = CAGE, .limit_bytes = limit, .embedder = m,
                             .mark_roots = mark_blocks});
  CHECK(m->gc != NULL);
}

static void model_close(Model *m) {
  gc_free(m->gc);
  free(m->owner);
  free(m->block);
}

static uint64_t pattern(uint32_t ref, uint64_t i) { return (ref * 2654435761u ^ i) & 0xFFFFFFFFu; }

static void claim(Model *m, uint32_t ref, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i < to; i++) {
    CHECK(m->owner[ref + i] == 0, "word %u is taken by %u", ref + i, m->owner[ref + i]);
    m->owner[ref + i] = ref;
  }
}

static void fill(Model *m, uint32_t ref, uint32_t from, uint32_t to) {
  uint64_t *p = block_at(m->gc, ref);
  gc_touch_range(gc_base(m->gc), ref + from, to - from);
  for (uint32_t i = from; i < to; i++) p[i] = pattern(ref, i);
  if (from == 0) *(Header *)p = (Header){.layout = LAYOUT_RAW, .aux = (uint32_t)pattern(ref, 0)};
}

static bool model_alloc(Model *m, uint64_t words) {
  if (m->live == MAX_BLOCKS) return false;
  uint64_t *p = gc_alloc_nocollect(m->gc, words, (unsigned)below(&m->rng, GC_SPACES));
  if (!p) return false;
  uint64_t got = gc_block_words(m->gc, p);
  CHECK(got >= words);
  uint32_t ref = gc_ref(gc_base(m->gc), p).w;
  CHECK((uint64_t)ref + got <= CAGE_WORDS);
  m->block[m->live++] = (Block){ref, (uint32_t)words, (uint32_t)got};
  claim(m, ref, 0, (uint32_t)got);
  fill(m, ref, 0, (uint32_t)got);
  return true;
}

/* Checks that the block is as it was left, and forgets it. */
static void retire(Model *m, uint32_t index) {
  Block block = m->block[index];
  uint64_t *p = block_at(m->gc, block.ref);
  CHECK(((Header *)p)->aux == (uint32_t)pattern(block.ref, 0));
  for (uint32_t i = 1; i < block.got; i++) CHECK(p[i] == pattern(block.ref, i));
  for (uint32_t i = 0; i < block.got; i++) m->owner[block.ref + i] = 0;
  m->block[index] = m->block[--m->live];
}

/* Gives a block back by hand; a small one only at the next collection, so it stays. */
static void model_release(Model *m) {
  if (!m->live) return;
  uint32_t index = (uint32_t)below(&m->rng, m->live);
  Block block = m->block[index];
  if (block.words <= GC_SMALL_WORDS) return;
  retire(m, index);
  gc_release(m->gc, block_at(m->gc, block.ref));
}

static void model_extend(Model *m) {
  if (!m->live) return;
  Block *block = &m->block[below(&m->rng, m->live)];
  uint64_t want = block->got + 1 + below(&m->rng, block->got);
  if (!gc_extend(m->gc, block_at(m->gc, block->ref), want)) return;
  uint32_t got = (uint32_t)gc_block_words(m->gc, block_at(m->gc, block->ref));
  CHECK(got >= want);
  claim(m, block->ref, block->got, got);
  fill(m, block->ref, block->got, got);
  block->got = got;
}

/* Lets part of the blocks die, and collects. */
static void model_collect(Model *m, unsigned keep_of_16) {
  for (uint32_t i = 0; i < m->live;) {
    if (below(&m->rng, 16) < keep_of_16) i++;
    else retire(m, i);
  }
  if (below(&m->rng, 2)) gc_collect(m->gc);
  else collect_full(m->gc); /* spans are swept when they are needed */
}

typedef struct Trace {
  const char *name;
  uint32_t steps, verify_every;
  uint32_t max_words[3]; /* three ranges of sizes to draw from */
  unsigned keep_of_16;
} Trace;

static const Trace traces[] = {
    {"slabs", 400000, 40000, {8, 32, 64}, 4},
    {"slabs, mostly alive", 200000, 40000, {6, 6, 16}, 14},
    {"middle", 120000, 20000, {100, 900, 4096}, 8},
    {"just above small", 200000, 20000, {66, 80, 120}, 8},
    {"large", 12000, 1500, {4200, 9000, 40000}, 8},
    {"all", 150000, 20000, {12, 700, 9000}, 8},
};

static void run_trace(const Trace *t, uint64_t limit) {
  Model m;
  model_open(&m, limit, 88172645463325252u);
  uint32_t failures = 0;
  for (uint32_t n = 0; n < t->steps; n++) {
    uint64_t words = 1 + below(&m.rng, t->max_words[below(&m.rng, 3)]);
    uint64_t kind = below(&m.rng, 16);
    if (kind == 0) model_release(&m);
    else if (kind == 1) model_extend(&m);
    else if (!model_alloc(&m, words)) {
      failures++;
      model_collect(&m, (unsigned)below(&m.rng, t->keep_of_16 + 1));
    }
    if (n % t->verify_every == 0) verify(m.gc);
  }
  GcStats s;
  gc_stats(m.gc, &s);
  CHECK(s.committed_bytes <= s.limit_bytes && s.peak_bytes <= s.limit_bytes);
  CHECK(failures > 0, "%s: the trace never filled the heap", t->name);
  model_collect(&m, 0);
  verify(m.gc);
  gc_collect(m.gc);
  verify(m.gc);
  gc_stats(m.gc, &s);
  CHECK(s.live_bytes == 0 && s.committed_bytes == 0, "%s: not all came back", t->name);
  CHECK(count_blocks(m.gc) == 0);
  model_close(&m);
}

Test(gc_alloc, random_traces, .timeout = 120) {
  for (size_t i = 0; i < sizeof traces / sizeof *traces; i++) {
    run_trace(&traces[i], 4 << 20);
    run_trace(&traces[i], 24 << 20);
  }
}

Test(gc_alloc, size_classes) {
  CHECK(gc_class_words[0] == 2 && gc_class_words[GC_CLASSES - 1] == GC_SMALL_WORDS);
  for (unsigned words = 1; words <= GC_SMALL_WORDS; words++) {
    unsigned class = gc_class_of_words[words];
    CHECK(gc_class_words[class] >= words);
    CHECK(class == 0 || gc_class_words[class - 1] < words, "%u words", words);
  }
}

Test(gc_alloc, rows_of_bits) {
  uint64_t bits[8], want[8], rng = 7;
  for (int n = 0; n < 100000; n++) {
    unsigned stride = 1 + (unsigned)below(&rng, 64), from = (unsigned)below(&rng, 300);
    unsigned to = from + stride * (unsigned)below(&rng, (512 - from) / stride + 1);
    memset(bits, 0, sizeof bits);
    memset(want, 0, sizeof want);
    for (unsigned at = from; at < to; at += stride) bits_set(want, at);
    bits_set_row(bits, from, to, stride);
    CHECK(memcmp(bits, want, sizeof bits) == 0, "%u..%u by %u", from, to, stride);
    uint64_t count = (to - from) / stride;
    CHECK(bits_count(bits, 8) == count);
    CHECK(bits_next(bits, from, 512) == (count ? from : 512));
  }
}

/* Pages: exact runs, all come back as one. */
Test(gc_alloc, page_runs_coalesce) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = CAGE});
  uint32_t before = gc->buddy.state->free_units, spans[600], n = 0;
  int largest = buddy_largest_free(gc->buddy);
  uint64_t rng = 3;
  while (n < 600) {
    uint32_t span = page_take(gc, 1 + below(&rng, 40), SPAN_LARGE, 0);
    if (!span) break;
    spans[n++] = span;
  }
  CHECK(n > 400);
  while (n) {
    uint32_t pick = (uint32_t)below(&rng, n);
    page_give(gc, spans[pick]);
    spans[pick] = spans[--n];
  }
  CHECK(gc->buddy.state->free_units == before);
  CHECK(buddy_largest_free(gc->buddy) == largest);
  gc_free(gc);
}

/* The whole of a middle span can be had again as one block after any trace. */
Test(gc_alloc, middle_blocks_coalesce) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = CAGE});
  uint64_t word[400], rng = 11;
  for (int round = 0; round < 200; round++) {
    unsigned n = 0;
    while (n < 400) word[n++] = segfit_alloc(gc, 65 + below(&rng, 800));
    while (n) {
      unsigned pick = (unsigned)below(&rng, n);
      segfit_release(gc, word[pick]);
      word[pick] = word[--n];
    }
    CHECK(segfit_count_linked(gc) == gc->heap->fit.spans, "a span is not one free block");
  }
  verify(gc);
  gc_free(gc);
}

/* Blocks of all sizes are made, given back by hand, dropped and collected at random. Each holds its own
 * number, so that two in one place are noticed; the checker sees to the rest. */
enum { HELD = 3000 };
typedef struct Rows { const char *name; GcMode mode; unsigned drops; } Rows; /* of 100 deaths */

static void release_at(Gc *gc, uint32_t table, uint32_t i, bool drop) {
  uint8_t *base = gc_base(gc);
  Value *held = (Value *)block_at(gc, table) + 1;
  uint64_t *block = gc_ptr(base, (Ref){(uint32_t)held[i]});
  CHECK(block[1] == i, "a block was overwritten");
  gc_store(base, (uint64_t)table + 1 + i, NIL);
  if (!drop) gc_release(gc, block);
}

static void make_at(Gc *gc, uint32_t table, uint32_t i, uint64_t *rng) {
  static const uint16_t most[] = {4, 16, 64, 300, 3000, 20000};
  uint64_t words = 2 + below(rng, most[below(rng, 6)]);
  uint64_t *block = gc_alloc(gc, words, (unsigned)below(rng, 2));
  CHECK(block && gc_block_words(gc, block) >= words);
  *(Header *)block = (Header){.layout = LAYOUT_RAW};
  block[1] = block[words - 1] = i;
  gc_store(gc_base(gc), (uint64_t)table + 1 + i, ref_value(gc_ref(gc_base(gc), block).w));
}

static void release_at_random(const Rows *row, uint64_t seed) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 1 << 30, .mode = row->mode});
  uint32_t table = new_wide(gc, HELD + 1);
  root_area(gc)[0] = ref_value(table);
  uint64_t rng = seed;
  for (unsigned n = 0; n < 60000; n++) {
    uint32_t i = (uint32_t)below(&rng, n % 20000 < 10000 ? HELD : HELD / 10);
    if (((Value *)block_at(gc, table))[1 + i] != NIL)
      release_at(gc, table, i, below(&rng, 100) < row->drops);
    else make_at(gc, table, i, &rng);
    if (n % 6000 == 0) verify(gc);
    if (n % 7000 == 0 && row->mode != GC_OFF) gc_collect(gc);
  }
  for (uint32_t i = 0; i < HELD; i++)
    if (((Value *)block_at(gc, table))[1 + i] != NIL) release_at(gc, table, i, false);
  verify(gc);
  GcStats s;
  gc_stats(gc, &s);
  if (row->mode == GC_OFF) CHECK(s.committed_bytes < 4 << 20, "%s: memory is not given back", row->name);
  gc_free(gc);
}

Test(gc_alloc, gives_back_blocks_of_all_sizes) {
  static const Rows rows[] = {
      {"by hand alone", GC_OFF, 0},          {"stop the world", GC_STOP_WORLD, 50},
      {"generational", GC_GENERATIONAL, 50}, {"incremental", GC_INCREMENTAL, 50},
      {"incremental, by hand", GC_INCREMENTAL, 2}, {"adaptive", GC_ADAPTIVE, 20}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (uint64_t seed = 1; seed <= 3; seed++) release_at_random(rows + i, seed * 77 + i);
}

/* A block given back is in no snapshot's way, and comes back with it. */
Test(gc_alloc, gives_back_under_snapshots) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 1 << 30});
  uint32_t table = new_wide(gc, HELD + 1);
  root_area(gc)[0] = ref_value(table);
  uint64_t rng = 5;
  for (uint32_t i = 0; i < HELD; i++) make_at(gc, table, i, &rng);
  GcSnapshot all = gc_snapshot(gc, NULL);
  CHECK(all != 0);
  for (int round = 0; round < 5; round++) {
    for (uint32_t i = 0; i < HELD; i += 1 + (uint32_t)below(&rng, 3)) release_at(gc, table, i, false);
    for (uint32_t i = 0; i < HELD; i++)
      if (((Value *)block_at(gc, table))[1 + i] == NIL) make_at(gc, table, i, &rng);
    if (round % 2) gc_collect(gc);
    verify(gc);
    CHECK(gc_restore(gc, all) == GC_SNAPSHOT_OK);
    verify(gc);
    for (uint32_t i = 0; i < HELD; i++) {
      Value v = ((Value *)block_at(gc, table))[1 + i];
      CHECK(v != NIL && block_at(gc, (uint32_t)v)[1] == i);
    }
  }
  gc_free(gc);
}

/* The report by size class adds up to what the statistics say. */
Test(gc_alloc, reports_fragmentation) {
  static const struct { uint64_t words, count; } rows[] = {
      {2, 1000}, {3, 500}, {9, 100}, {64, 50}, {65, 40}, {1000, 7}, {20000, 3}};
  enum { ROWS = sizeof rows / sizeof *rows };
  Gc *gc = gc_new(&(GcConfig){.mode = GC_OFF});
  for (size_t i = 0; i < ROWS; i++)
    for (uint64_t k = 0; k < rows[i].count; k++)
      *(Header *)gc_alloc(gc, rows[i].words, 0) = (Header){.layout = LAYOUT_RAW};
  GcReportRow report[GC_REPORT_ROWS], sum = {0};
  gc_report(gc, report, NULL, NULL);
  for (int i = 0; i < GC_REPORT_ROWS; i++) {
    CHECK(report[i].block_bytes <= report[i].span_bytes && report[i].space < GC_SPACES);
    sum.blocks += report[i].blocks;
    sum.block_bytes += report[i].block_bytes;
    sum.span_bytes += report[i].span_bytes;
    if (report[i].kind == GC_ROW_SLAB && report[i].space == 0 && report[i].slot_bytes == 80)
      CHECK(report[i].blocks == 100 && report[i].block_bytes == 8000, "9 words take 10");
  }
  GcStats s;
  gc_stats(gc, &s);
  uint64_t count = 0, least = 0;
  for (size_t i = 0; i < ROWS; i++) {
    count += rows[i].count;
    least += rows[i].count * rows[i].words * 8;
  }
  CHECK(sum.blocks == count && sum.span_bytes == s.committed_bytes && sum.block_bytes >= least);
  gc_free(gc);
}

Test(gc_alloc, extends_in_place) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = CAGE});
  uint64_t *a = gc_alloc(gc, 14000, 0);
  CHECK(gc_extend(gc, a, 200000) && gc_block_words(gc, a) >= 200000);
  *(Header *)a = (Header){.layout = LAYOUT_RAW};
  uint64_t *b = gc_alloc(gc, 100, 0);
  *(Header *)b = (Header){.layout = LAYOUT_RAW};
  CHECK(gc_extend(gc, b, 2000) && gc_block_words(gc, b) >= 2000);
  uint64_t *c = gc_alloc(gc, 100, 0);
  *(Header *)c = (Header){.layout = LAYOUT_RAW};
  CHECK(!gc_extend(gc, b, 4000), "c is in the way");
  gc_release(gc, c);
  CHECK(gc_extend(gc, b, 4000));
  CHECK(!gc_extend(gc, b, 14000), "too large for a middle block");
  CHECK(!gc_extend(gc, a, UINT64_MAX) && !gc_extend(gc, a, CAGE_WORDS));
  uint64_t *d = gc_alloc(gc, 3, 0);
  *(Header *)d = (Header){.layout = LAYOUT_RAW};
  CHECK(gc_extend(gc, d, 3) && !gc_extend(gc, d, 4));
  verify(gc);
  gc_free(gc);
}

Test(gc_alloc, refuses_impossible_sizes) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = CAGE});
  static const uint64_t sizes[] = {CAGE_WORDS, (uint64_t)1 << 32, (uint64_t)1 << 60, UINT64_MAX};
  for (size_t i = 0; i < 4; i++) {
    CHECK(gc_alloc(gc, sizes[i], 0) == NULL);
    CHECK(gc_alloc_nocollect(gc, sizes[i], 1) == NULL);
  }
  CHECK(gc_alloc(gc, 10, 0) != NULL);
  gc_free(gc);
}

/* Fresh spans start at different places, so that their first blocks do not share cache sets. */
Test(gc_alloc, slabs_are_coloured) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = CAGE});
  bool seen[1024] = {false};
  unsigned lines = 0;
  uint32_t span = 0;
  for (int i = 0; i < 1024 * 200; i++) {
    uint64_t *p = gc_alloc_nocollect(gc, 8, 0);
    *(Header *)p = (Header){.layout = LAYOUT_RAW};
    uint64_t word = gc_word(gc_base(gc), p);
    uint32_t here = span_of_word(gc, word);
    if (here == span) continue;
    span = here;
    unsigned line = (unsigned)(word - word_of_page(span)) / 8;
    lines += !seen[line];
    seen[line] = true;
  }
  CHECK(lines > 100, "%u lines", lines);
  gc_free(gc);
}
