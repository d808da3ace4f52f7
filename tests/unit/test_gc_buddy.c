/* The buddy allocator against a plain array that says who owns each unit. */
#include "gc/buddy.h"
#include "gc_helpers.h"

typedef struct Model {
  Buddy b;
  uint32_t units;
  uint32_t *owner; /* 0: free, else 1 + first unit of the block */
  uint32_t *first; /* of the live blocks */
  uint32_t live;
  uint64_t rng;
} Model;

static Model model_new(unsigned order) {
  uint32_t units = (uint32_t)1 << order;
  Model m = {.units = units, .rng = 88172645463325252u + order};
  m.b.state = calloc(1, buddy_state_bytes(order));
  m.owner = calloc(units, sizeof *m.owner);
  m.first = calloc(units, sizeof *m.first);
  buddy_init(m.b, order);
  return m;
}

static void model_free(Model *m) {
  free(m->b.state);
  free(m->owner);
  free(m->first);
}

static bool all_free(Model *m, uint32_t first, uint32_t units) {
  if (first > m->units || units > m->units - first) return false;
  for (uint32_t i = 0; i < units; i++)
    if (m->owner[first + i]) return false;
  return true;
}

/* The first aligned free run of that order, as the allocator promises to find it. */
static uint32_t model_find(Model *m, unsigned order) {
  uint32_t size = (uint32_t)1 << order;
  for (uint32_t first = 0; size <= m->units && first < m->units; first += size)
    if (all_free(m, first, size)) return first;
  return BUDDY_NONE;
}

static void enter(Model *m, uint32_t first, uint32_t units) {
  m->first[m->live++] = first;
  for (uint32_t i = 0; i < units; i++) m->owner[first + i] = first + 1;
}

static unsigned order_of(uint32_t units) {
  unsigned order = 0;
  while ((uint32_t)1 << order < units) order++;
  return order;
}

static uint32_t end_of(Model *m, uint32_t first) {
  uint32_t end = first;
  while (end < m->units && m->owner[end] == first + 1) end++;
  return end;
}

static void step_alloc(Model *m) {
  uint32_t units = 1 + (uint32_t)below(&m->rng, below(&m->rng, 8) ? 1 + m->units / 16 : m->units);
  uint32_t got = buddy_alloc_units(m->b, units);
  CHECK(got == model_find(m, order_of(units)), "%u units: %u", units, got);
  if (got != BUDDY_NONE) enter(m, got, units);
}

static void step_claim(Model *m) {
  uint32_t first = (uint32_t)below(&m->rng, m->units);
  uint32_t units = 1 + (uint32_t)below(&m->rng, 1 + m->units / 8);
  bool free_now = all_free(m, first, units);
  CHECK(buddy_claim(m->b, first, units) == free_now);
  if (free_now) enter(m, first, units);
}

static void step_free(Model *m) {
  if (!m->live) return;
  uint32_t pick = (uint32_t)below(&m->rng, m->live), first = m->first[pick];
  uint32_t end = end_of(m, first);
  if (end - first > 1) CHECK(buddy_free(m->b, first + 1) == 0, "freed from inside");
  CHECK(buddy_free(m->b, first) == end - first);
  CHECK(buddy_free(m->b, first) == 0, "freed twice");
  for (uint32_t i = first; i < end; i++) m->owner[i] = 0;
  m->first[pick] = m->first[--m->live];
}

static void step_grow(Model *m) {
  if (!m->live) return;
  uint32_t first = m->first[below(&m->rng, m->live)], end = end_of(m, first);
  uint32_t units = 1 + (uint32_t)below(&m->rng, 8);
  bool free_now = all_free(m, end, units);
  CHECK(buddy_grow(m->b, end, units) == free_now);
  for (uint32_t i = 0; free_now && i < units; i++) m->owner[end + i] = first + 1;
}

static void step(Model *m) {
  switch (below(&m->rng, 8)) {
    case 0: step_claim(m); break;
    case 1: step_grow(m); break;
    case 2:
    case 3:
    case 4: step_alloc(m); break;
    default: step_free(m);
  }
}

/* Free runs, blocks, counters and the largest run agree with the model. */
static void compare(Model *m) {
  const char *wrong = buddy_check(m->b);
  CHECK(wrong == NULL, "%s", wrong);
  uint32_t blocks = 0, free_units = 0;
  for (uint32_t first = 0; first < m->units;) {
    BuddyRun run = buddy_run(m->b, first);
    CHECK(run.first == first && run.units > 0);
    CHECK(run.used == (m->owner[first] != 0));
    if (run.used) CHECK(end_of(m, first) - first == run.units);
    else CHECK(all_free(m, first, run.units));
    blocks += run.used;
    free_units += run.used ? 0 : run.units;
    first += run.units;
  }
  CHECK(blocks == m->live && blocks == m->b.state->blocks);
  CHECK(free_units == m->b.state->free_units);
  int largest = (int)m->b.state->order;
  while (largest >= 0 && model_find(m, (unsigned)largest) == BUDDY_NONE) largest--;
  CHECK(buddy_largest_free(m->b) == largest);
}

Test(gc_buddy, random_traces) {
  static const struct { unsigned order; uint32_t steps, every; } cases[] = {
      {0, 20000, 1},    {1, 20000, 1},      {3, 500000, 3},    {6, 1500000, 50},
      {10, 60000, 500}, {11, 30000, 1000},  {12, 20000, 1000}, {14, 4000, 400},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Model m = model_new(cases[i].order);
    for (uint32_t n = 0; n < cases[i].steps; n++) {
      step(&m);
      if (n % cases[i].every == 0) compare(&m);
    }
    while (m.live) step_free(&m);
    compare(&m);
    CHECK(buddy_largest_free(m.b) == (int)cases[i].order, "not one run again");
    uint64_t bytes = buddy_state_bytes(cases[i].order) - sizeof(BuddyState);
    for (uint64_t at = 0; at < bytes; at++) CHECK(m.b.state->node[at] == 0, "dirt left");
    model_free(&m);
  }
}

Test(gc_buddy, powers_of_two_for_a_link) {
  Buddy b = {calloc(1, buddy_state_bytes(10)), NULL};
  buddy_init(b, 10);
  uint32_t a = buddy_alloc(b, 8), c = buddy_alloc(b, 8);
  CHECK(a == 0 && c == 256 && buddy_largest_free(b) == 9);
  CHECK(buddy_alloc(b, 9) == 512 && buddy_largest_free(b) == -1);
  CHECK(buddy_alloc(b, 0) == BUDDY_NONE, "exhausted");
  CHECK(buddy_free(b, 0) == 256 && buddy_largest_free(b) == 8);
  CHECK(buddy_free(b, 256) == 256 && buddy_largest_free(b) == 9);
  CHECK(buddy_free(b, 512) == 512 && buddy_largest_free(b) == 10);
  free(b.state);
}

Test(gc_buddy, refuses_nonsense) {
  Buddy b = {calloc(1, buddy_state_bytes(4)), NULL};
  buddy_init(b, 4);
  CHECK(buddy_alloc_units(b, 0) == BUDDY_NONE);
  CHECK(buddy_alloc_units(b, 17) == BUDDY_NONE);
  CHECK(buddy_alloc_units(b, UINT32_MAX) == BUDDY_NONE);
  CHECK(buddy_alloc(b, 5) == BUDDY_NONE);
  CHECK(buddy_alloc(b, 63) == BUDDY_NONE);
  CHECK(!buddy_claim(b, 15, 2) && !buddy_claim(b, 16, 1) && !buddy_claim(b, 3, UINT32_MAX));
  CHECK(buddy_free(b, 0) == 0 && buddy_free(b, 16) == 0 && buddy_free(b, UINT32_MAX) == 0);
  CHECK(!buddy_grow(b, 0, 1) && !buddy_grow(b, 8, 1), "no block ends there");
  CHECK(buddy_check(b) == NULL && buddy_largest_free(b) == 4);
  free(b.state);
}

Test(gc_buddy, checker_finds_planted_damage) {
  Buddy b = {calloc(1, buddy_state_bytes(12)), NULL};
  buddy_init(b, 12);
  for (int i = 0; i < 40; i++) buddy_alloc_units(b, 1 + (uint32_t)i * 3 % 17);
  uint64_t bytes = buddy_state_bytes(12) - sizeof(BuddyState);
  unsigned found = 0, planted = 0;
  for (uint64_t at = 1; at < bytes; at++) {
    uint8_t old = b.state->node[at];
    if (!old) continue;
    for (uint8_t wrong = 0; wrong < 0x83; wrong = wrong < 13 ? wrong + 1 : wrong + 29) {
      if (wrong == old) continue;
      b.state->node[at] = wrong;
      planted++;
      found += buddy_check(b) != NULL;
    }
    b.state->node[at] = old;
  }
  CHECK(buddy_check(b) == NULL);
  CHECK(planted > 500 && found == planted, "%u of %u", found, planted);
  free(b.state);
}
