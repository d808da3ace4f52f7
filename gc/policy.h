/* policy.h - when to collect, and how. A small object of its own, free of pointers, so that it may
 * lie in the cage and be replayed in tests.
 *
 * Every byte handed out is a debt; a collection is due when the debt reaches the budget. Blocks that
 * survive are old; the old generation may grow to a multiple of what survived the last major
 * collection before the next one.
 *
 * Small heaps (up to POLICY_SMALL) are collected whole, at once, where that is cheaper: a minor
 * collection marks the share `survival` of what was handed out and leaves the garbage of the old
 * generation to a major one later, so it pays where few young blocks survive. The policy watches the
 * share and looks again now and then. With full collections the heap may grow to three times the
 * survivors (measured: a factor 3 instead of 2 is worth 30-45 % where most of the heap is live).
 *
 * In large heaps minor collections bound the pauses: the budget follows the words that the last ones
 * had to look at. Major collections are done in steps there. They begin when the old generation has
 * grown by a share of the survivors, which is larger when the last one found little garbage, since a
 * heap that only grows is not worth marking often.
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
#define POLICY_LEAST_BUDGET ((uint64_t)256 << 10) /* where the size of the heap is prescribed */
enum { POLICY_SETTLE_SHARE = 8 };
#define POLICY_SMALL ((uint64_t)8 << 20)
#define POLICY_EASY ((uint64_t)32 << 20) /* so much the old generation may always grow, or double */
/* So many collections in a row may gain next to nothing at the limit before memory counts as
 * exhausted: else a heap 99 % full would crawl for ever instead of failing. */
enum { POLICY_POOR_MAX = 8, POLICY_POOR_SHARE = 32 };
/* Minor collections pay below this share of survivors, in 1/256. */
enum { POLICY_FEW = 64, POLICY_LOOK_AGAIN = 16 };
/* What a minor collection in a large heap should look at, in words; and the bounds of its budget. */
enum { POLICY_MINOR_WORK = 192 << 10 };
#define POLICY_LEAST_NURSERY ((uint64_t)512 << 10)
#define POLICY_MOST_NURSERY ((uint64_t)8 << 20)

typedef enum PolicyChoice { POLICY_MINOR, POLICY_MAJOR } PolicyChoice;

typedef struct Policy {
  uint64_t budget; /* bytes that may be handed out between two collections */
  uint64_t debt;   /* bytes handed out since the last one */
  uint64_t total;  /* bytes handed out before */
  uint64_t poor;   /* collections forced by the limit in a row that gained next to nothing */
  uint64_t live;   /* bytes alive after the last major collection */
  uint64_t old;    /* the same, and what was promoted since */
  uint64_t old_limit; /* a major collection is due when `old` gets there */
  uint64_t nursery;   /* the budget of minor collections in a large heap */
  uint32_t survival;  /* share of bytes that survive a minor collection, in 1/256, smoothed */
  uint32_t fulls;     /* full collections since the last minor one */
  uint32_t percent;   /* how large the heap may get, of the survivors, if that is prescribed, or 0 */
} Policy;

void policy_init(Policy *p, uint32_t percent);
/* A collection is due: which? */
PolicyChoice policy_choose(const Policy *p);
/* A major collection ended with so many bytes alive; it was `full` if done at once, by itself. */
void policy_major(Policy *p, uint64_t live, bool full);
/* A minor collection promoted so many bytes, with which there are `old` ones, and looked at so many
 * words. */
void policy_minor(Policy *p, uint64_t old, uint64_t promoted, uint64_t work);
/* The limit is reached: is another collection worth it? False: report exhaustion. */
bool policy_may_force(Policy *p, uint64_t limit);

static inline bool policy_due(const Policy *p) { return p->debt >= p->budget; }
static inline bool policy_is_small(const Policy *p) { return p->old < POLICY_SMALL; }

#endif
