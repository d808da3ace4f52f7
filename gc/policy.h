/* policy.h - when to collect. A small object of its own, free of pointers, so that it may lie in
 * the cage and be replayed in tests.
 *
 * Every byte handed out is a debt; a collection is due when the debt reaches the budget. The budget
 * after a collection follows what survived it: a heap may grow to three times the survivors while
 * these are small, to twice above 64 MiB (measured: a factor 3 instead of 2 is worth 30-45 % where
 * most of the heap is live, and on large heaps the memory is worth more than the time).
 *
 * The least budget starts at 1 MiB and grows with what the program has allocated in all, an eighth
 * of it, up to 4 MiB. Fresh pages cost a short program more than collections do (10 MB of frames:
 * 1.2 ms with 1 MiB, 2.5 ms with 4 MiB); a long one gains from fewer collections (100 MB of frames,
 * 0.5 MB alive: 17 ms with 1 MiB, 10 ms with 4 MiB, 12 ms with 8 MiB, which leaves the cache).
 */
#ifndef OX_GC_POLICY_H
#define OX_GC_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_FIRST_BUDGET ((uint64_t)1 << 20)
#define POLICY_SETTLED_BUDGET ((uint64_t)4 << 20)
enum { POLICY_SETTLE_SHARE = 8 };
#define POLICY_BIG_HEAP ((uint64_t)64 << 20)
/* So many collections in a row may gain next to nothing at the limit before memory counts as
 * exhausted: else a heap 99 % full would crawl for ever instead of failing. */
enum { POLICY_POOR_MAX = 8, POLICY_POOR_SHARE = 32 };

typedef struct Policy {
  uint64_t budget; /* bytes that may be handed out between two collections */
  uint64_t debt;   /* bytes handed out since the last one */
  uint64_t total;  /* bytes handed out before */
  uint64_t poor;   /* collections forced by the limit in a row that gained next to nothing */
} Policy;

void policy_init(Policy *p);
/* A collection ended with so many bytes alive. */
void policy_collected(Policy *p, uint64_t live);
/* The limit is reached: is another collection worth it? False: report exhaustion. */
bool policy_may_force(Policy *p, uint64_t limit);

static inline bool policy_due(const Policy *p) { return p->debt >= p->budget; }

#endif
