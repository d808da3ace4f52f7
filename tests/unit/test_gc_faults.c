/* What must not go wrong when other things do: a system that refuses memory, damaged metadata,
 * stray stores. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "gc/cage.h"
#include "gc_helpers.h"

/* ---- a system that refuses ------------------------------------------------------------------- */

/* A program that uses every allocator; gives the number of allocations that failed. */
static uint32_t exercise(Gc *gc) {
  uint32_t failed = 0;
  uint64_t rng = 99;
  for (int i = 0; i < 4000; i++) {
    static const uint64_t max[] = {8, 60, 60, 60, 60, 3000, 12000};
    uint32_t ref = new_wide(gc, 2 + below(&rng, max[below(&rng, 7)]));
    failed += ref == 0;
    if (ref) root_area(gc)[below(&rng, 600)] = ref_value(ref);
  }
  gc_collect(gc);
  return failed;
}

static Gc *open_with(uint64_t fail_at, uint64_t fail_count) {
  Os os = {.fail_at = fail_at, .fail_count = fail_count};
  return gc_new_on(&(GcConfig){.cage_bytes = 64 << 20}, &os);
}

Test(gc_faults, every_call_may_fail, .timeout = 60) {
  Gc *gc = open_with(0, 0);
  cr_assert(exercise(gc) == 0);
  uint64_t calls = gc->os.calls;
  gc_free(gc);
  cr_assert(calls > 20);
  uint32_t refused = 0, survived = 0;
  for (uint64_t k = 1; k <= calls; k++) {
    gc = open_with(k, 1);
    if (!gc) {
      refused++;
      continue;
    }
    exercise(gc);
    verify(gc);
    survived++;
    gc_free(gc);
  }
  cr_assert(refused > 5 && survived > 10, "%u, %u", refused, survived);
}

Test(gc_faults, memory_stays_refused, .timeout = 60) {
  Gc *gc = open_with(0, 0);
  uint64_t start = gc->os.calls;
  exercise(gc);
  uint64_t calls = gc->os.calls;
  gc_free(gc);
  for (uint64_t k = start + 1; k <= calls; k += 3) {
    gc = open_with(k, UINT64_MAX);
    uint32_t failed = exercise(gc);
    verify(gc);
    /* And granted again. */
    gc->os.fail_at = 0;
    memset(root_area(gc), 0, GC_ROOT_BYTES);
    cr_assert(exercise(gc) == 0, "after %u failures", failed);
    verify(gc);
    gc_free(gc);
  }
}

/* A large block that cannot be extended, because memory is refused, is as it was. */
Test(gc_faults, extension_refused) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 256 << 20});
  uint32_t ref = new_wide(gc, 14000);
  root_area(gc)[0] = ref_value(ref);
  uint64_t had = gc_block_words(gc, block_at(gc, ref));
  for (int calls = 0; calls < 5; calls++) { /* committing is five of them */
    gc->os.fail_at = gc->os.calls + 1 + (uint64_t)calls;
    gc->os.fail_count = UINT64_MAX;
    cr_assert(!gc_extend(gc, block_at(gc, ref), 20000000), "%d calls", calls);
    cr_assert(gc_block_words(gc, block_at(gc, ref)) == had);
    verify(gc);
  }
  gc->os.fail_at = 0;
  cr_assert(gc_extend(gc, block_at(gc, ref), 20000000));
  verify(gc);
  gc_free(gc);
}

/* ---- damage ---------------------------------------------------------------------------------- */

/* A heap with blocks of all kinds in it. */
static Gc *damaged_heap(uint32_t *small, uint32_t *middle, uint32_t *large) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 64 << 20});
  exercise(gc);
  *small = new_wide(gc, 6);
  *middle = new_wide(gc, 700);
  *large = new_wide(gc, 12000);
  root_area(gc)[700] = ref_value(*small);
  root_area(gc)[701] = ref_value(*middle);
  root_area(gc)[702] = ref_value(*large);
  gc_collect(gc);
  verify(gc);
  return gc;
}

enum { DAMAGES = 26 };

static bool plant(Gc *gc, int which, uint32_t small, uint32_t middle, uint32_t large) {
  uint64_t *p = block_at(gc, small);
  PageDesc *slab = gc->table + page_of_word(small), *mid = gc->table + page_of_word(middle);
  uint32_t *side = (uint32_t *)(gc->base + (uint64_t)span_of_word(gc, middle) * GC_PAGE);
  uint32_t granule = (middle - (uint32_t)word_of_page(span_of_word(gc, middle))) / GRANULE_WORDS;
  switch (which) {
    case 0: p[1] = ref_value(small + 1); return true;
    case 1: p[1] = ref_value(middle + 16); return true;
    case 2: p[1] = ref_value((uint32_t)(gc->heap->cage_pages * GC_PAGE_WORDS - 8)); return true;
    case 3: ((Header *)p)->aux = 50; return true;
    case 4: root_area(gc)[3] = ref_value(7); return true;
    case 5: gc->bits[(small + 1) >> 6] |= (uint64_t)1 << ((small + 1) & 63); return true;
    case 6: gc->bits[middle >> 6] &= ~((uint64_t)1 << (middle & 63)); return true;
    case 7: gc->bits[large >> 6] ^= (uint64_t)1 << (large & 63); return true;
    case 8: gc->bits[(large + 600) >> 6] |= 1; return true;
    case 9: slab->run++; return true;
    case 10: mid->kind = SPAN_LARGE; return true;
    case 11: gc->table[page_of_word(large)].pages--; return true;
    case 12: gc->states[page_of_word(large)] |= PAGE_FREE; return true;
    case 13: gc->heap->used_pages++; return true;
    case 14: side[granule] += 2; return true;
    case 15: side[granule] ^= 1; return true;
    case 16: gc->heap->fit.rows ^= 2; return true;
    case 17: gc->buddy.state->free_units--; return true;
    case 18: gc->heap->ready[5][0] = page_of_word(large); return true;
    case 19: gc->heap->finals = middle + 1; return true;
    case 20: gc->states[page_of_word(small)] &= (uint8_t)~PAGE_OLD; return true;
    case 21: gc->dirty[page_of_word(large) / 64] |= (uint64_t)1 << page_of_word(large) % 64; return true;
    case 22: gc->marks[(middle + 1) >> 6] |= (uint64_t)1 << ((middle + 1) & 63); return true;
    case 23: gc->pending[small >> 6] |= 1; return true;
    case 24: gc->marks[small >> 6] &= ~((uint64_t)1 << (small & 63)); return true;
    case 25: gc->table[page_of_word(large)].flags |= SPAN_YOUNG; return true;
    default: return false;
  }
}

Test(gc_faults, planted_damage_is_found) {
  for (int which = 0; which < DAMAGES; which++) {
    uint32_t small, middle, large;
    Gc *gc = damaged_heap(&small, &middle, &large);
    cr_assert(plant(gc, which, small, middle, large));
    uint64_t where = 0;
    cr_expect(gc_verify(gc, &where) != NULL, "damage %d was not found", which);
    gc->heap->final_count = 0;
    gc_free(gc);
  }
}

/* ---- stray stores ---------------------------------------------------------------------------- */

Test(gc_faults, store_to_a_free_page, .signal = SIGABRT) {
  Gc *gc = gc_new(&(GcConfig){0});
  uint32_t large = new_wide(gc, 12000);
  gc_release(gc, block_at(gc, large));
  gc_store(gc_base(gc), large, NIL);
}

/* Reference 0 and what is not committed cannot be read: asked of the kernel, which only refuses. */
Test(gc_faults, null_cannot_be_read) {
  Gc *gc = gc_new(&(GcConfig){0});
  int ends[2];
  cr_assert(pipe(ends) == 0);
  cr_assert(write(ends[1], gc_base(gc), 8) == -1 && errno == EFAULT);
  cr_assert(write(ends[1], gc_base(gc) + gc->config.cage_bytes - 8, 8) == -1 && errno == EFAULT);
  cr_assert(write(ends[1], gc_base(gc) + GC_HEAP_OFF, 8) == 8);
  gc_free(gc);
}

Test(gc_faults, dead_root_under_stress, .signal = SIGABRT) {
  Gc *gc = gc_new(&(GcConfig){.stress = true});
  uint32_t lost = new_wide(gc, 6);
  new_wide(gc, 6);
  root_area(gc)[0] = ref_value(lost);
  new_wide(gc, 6);
}

/* Switching stress on takes the open runs away, so that the fast path cannot avoid collections. */
Test(gc_faults, stress_reaches_the_fast_path) {
  Gc *gc = gc_new(&(GcConfig){0});
  cr_assert(new_wide(gc, 6) != 0);
  unsigned class = gc_class_of_words[6];
  cr_assert(gc_bump(gc_base(gc), GC_SPACE_OBJECT, class) != NULL);
  gc_set_stress(gc, true);
  for (int i = 0; i < 5; i++) {
    cr_assert(gc_bump(gc_base(gc), GC_SPACE_OBJECT, class) == NULL);
    cr_assert(new_wide(gc, 6) != 0 && gc->majors + gc->minors == (uint64_t)i + 1);
  }
  gc_set_stress(gc, false);
  cr_assert(new_wide(gc, 6) != 0 && gc_bump(gc_base(gc), GC_SPACE_OBJECT, class) != NULL);
  gc_free(gc);
}

/* Fresh memory under stress is full of bad references: forgetting to write a value is noticed. */
Test(gc_faults, forgotten_value_under_stress, .signal = SIGABRT) {
  Gc *gc = gc_new(&(GcConfig){.stress = true});
  uint64_t *p = gc_alloc(gc, 200, GC_SPACE_OBJECT);
  *(Header *)p = (Header){.layout = LAYOUT_WIDE, .aux = 199};
  root_area(gc)[0] = ref_value(gc_ref(gc_base(gc), p).w);
  gc_collect(gc);
}

/* ---- address space --------------------------------------------------------------------------- */

Test(gc_faults, cages_of_all_sizes) {
  static const uint64_t sizes[] = {1,       2 << 20, (2 << 20) + 1, 16 << 20, 100 << 20,
                                   1 << 30, 0,       (uint64_t)5 << 30, GC_MAX_CAGE, UINT64_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    Gc *gc = gc_new(&(GcConfig){.cage_bytes = sizes[i]});
    if (!gc) continue; /* address space may be scarce */
    cr_assert(((uintptr_t)gc_base(gc) & ((2 << 20) - 1)) == 0);
    uint32_t ref, chain = 0;
    uint64_t n = 0;
    while (n < 3000 && (ref = new_wide(gc, 60)) != 0) {
      block_at(gc, ref)[1] = chain ? ref_value(chain) : NIL;
      root_area(gc)[0] = ref_value(chain = ref);
      n++;
    }
    cr_assert(n > 1000, "%d", (int)n);
    verify(gc);
    gc_free(gc);
  }
}

/* Blocks at the far end of the largest cage still have word indices of 32 bits. */
Test(gc_faults, far_end_of_the_largest_cage) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = GC_MAX_CAGE});
  if (!gc) return;
  uint32_t end = (uint32_t)gc->heap->cage_pages, first = (uint32_t)gc->heap->first_page;
  buddy_claim(gc->buddy, first + 64, end - first - 64 - 16); /* only the two ends are left */
  uint64_t last = 0;
  for (void *p; (p = gc_alloc_nocollect(gc, 60, 0)) != NULL;) {
    *(Header *)p = (Header){.layout = LAYOUT_RAW};
    if (gc_word(gc_base(gc), p) > last) last = gc_word(gc_base(gc), p);
  }
  cr_assert(last > ((uint64_t)end - 16) * GC_PAGE_WORDS && last + 60 <= UINT32_MAX);
  gc_free(gc);
}

Test(gc_faults, many_heaps) {
  Gc *gc[12];
  for (int i = 0; i < 12; i++) gc[i] = gc_new(&(GcConfig){.cage_bytes = 64 << 20});
  for (int i = 0; i < 12; i++) cr_assert(gc[i] && exercise(gc[i]) == 0);
  for (int i = 0; i < 12; i += 5) verify(gc[i]);
  for (int i = 0; i < 12; i++) gc_free(gc[i]);
}

/* An empty heap is small: what is resident is counted in units. */
Test(gc_faults, young_heaps_are_small) {
  Gc *gc = gc_new(&(GcConfig){0});
  for (int i = 0; i < 2000; i++) {
    uint64_t *p = gc_alloc(gc, 2 + (unsigned)i % 20, GC_SPACE_OBJECT);
    *(Header *)p = (Header){.layout = LAYOUT_RAW};
  }
  cr_assert(gc->committed_units <= 4, "%d units", (int)gc->committed_units);
  gc_free(gc);
}

Test(gc_faults, trimming_gives_memory_back) {
  Gc *gc = gc_new(&(GcConfig){.cage_bytes = 256 << 20});
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 40; i++) root_area(gc)[i] = ref_value(new_wide(gc, 131072));
    cr_assert(gc_trim(gc) <= 16 << 20, "only what was committed ahead");
    memset(root_area(gc), 0, 40 * sizeof(Value));
    gc_collect(gc);
    uint64_t given = gc_trim(gc);
    cr_assert(given > 36 << 20 && gc->committed_units <= 2, "%d", (int)given);
    cr_assert(gc_trim(gc) == 0);
    verify(gc);
    cr_assert(exercise(gc) == 0);
    memset(root_area(gc), 0, GC_ROOT_BYTES);
  }
  gc_free(gc);
}
