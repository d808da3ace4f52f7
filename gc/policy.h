/* policy.h - when to collect, and how. A small object of its own, free of pointers and clocks, so
 * that it may lie in the cage, is rolled back with it, and can be replayed in tests.
 *
 * Every byte handed out is a debt; a collection is due when the debt reaches the budget. The heap
 * may grow to its `room` above what survived the last major collection:
 *
 *   up to 4 MiB alive   threefold, at least by 2 MiB
 *   up to 114 MiB       by 4 MiB times the root of how many MiB are alive: twofold at 16 MiB
 *   from there          by three eighths of what is alive: with what dies while marking goes on, and
 *                       with fragmentation, the heap is 1.5 times as large
 *   heap_percent        what it says
 *   memory goal         never beyond it, but at least so much that collecting takes no more than
 *                       about half of the time
 *
 * (Where most of the heap is alive, a factor 3 instead of 2 is worth 30-45 % to a collector that
 * marks all of it each time; minor collections make up for it.)
 *
 * Full collections only: the budget is the room. With minor collections the room is shared between
 * the old generation, which grows by what is promoted, and the young one. When the old one has used
 * up its share, a major collection is due; in steps it begins earlier, so that it ends in time.
 *
 * Where marking everything is a matter of a millisecond (POLICY_SMALL_WORK), collections are full
 * and at once if that is cheaper: a minor collection marks the share `survival` of what was handed
 * out and leaves the garbage of the old generation to a major one later, so it pays where few young
 * blocks survive. The policy watches the share and looks again now and then (GCBench of depth 18,
 * where it never did: half the time).
 *
 * Beyond, a minor collection pays if it frees a byte for less work than a major one does. What it
 * has to look at besides the young (roots, pages stored to) is the same whatever the young
 * generation's size, so that is made larger while it is more than the young themselves, up to a
 * quarter of the room; collections that get long for it are done in rounds (collect.c). Where it
 * does not pay even so, because most young blocks survive or nearly all old pages were stored to,
 * there are major collections alone, in steps, which begin when fifteen sixteenths of the room are
 * used. Again a minor one is tried now and then.
 *
 * The least budget, of a program with hardly anything alive, is 2 MiB, half of which stays in the
 * second cache. 13 programs that allocate much took 0.98 of the time with 1 MiB and 0.99 with 2 MiB
 * that they took with 4 MiB, and half of the memory; but 200 KB of frames that die at random cost
 * 13 ns each with 1 MiB, 8 with 2 MiB, 6 with 4 MiB.
 */
#ifndef OX_GC_POLICY_H
#define OX_GC_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_FIRST_BUDGET ((uint64_t)2 << 20)
#define POLICY_LEAST_BUDGET ((uint64_t)256 << 10) /* where the size of the heap is prescribed */
#define POLICY_EASY_LIVE ((uint64_t)4 << 20) /* up to this a heap may grow threefold */
#define POLICY_SMALL_WORK ((uint64_t)4 << 20) /* words to look at for a full mark */
/* So many collections in a row may gain next to nothing at the limit before memory counts as
 * exhausted: else a heap 99 % full would crawl for ever instead of failing. Whoever goes on behind a
 * failure without having let go of much gets so many before the next one. */
enum { POLICY_POOR_MAX = 8, POLICY_POOR_AGAIN = 2, POLICY_POOR_SHARE = 32 };
/* Minor collections pay below this share of survivors, in 1/256. Where they do not, one is tried
 * after so many full ones; each time in vain, twice as many. */
enum { POLICY_FEW = 64, POLICY_LOOK_AGAIN = 4, POLICY_LOOK_SELDOM = 64 };
/* So many in vain in a row, and a large heap does without. */
enum { POLICY_VAIN = 2 };
/* The young generation of a large heap. */
#define POLICY_LEAST_NURSERY ((uint64_t)4 << 20)

typedef enum PolicyChoice { POLICY_MINOR, POLICY_MAJOR } PolicyChoice;

/* What a policy may choose from. */
typedef enum PolicyKinds {
  POLICY_ADAPTS,      /* minor, full at once, major in steps */
  POLICY_FULL_ONLY,
  POLICY_GENERATIONS, /* minor ones, major ones at once */
  POLICY_STEPS,       /* minor ones, major ones in steps */
} PolicyKinds;

typedef struct Policy {
  uint64_t budget; /* bytes that may be handed out between two collections */
  uint64_t debt;   /* bytes handed out since the last one */
  uint64_t poor;   /* collections forced by the limit in a row that gained next to nothing */
  uint64_t gained; /* handed out since the last of those, but for the debt */
  uint64_t live;   /* bytes alive after the last major collection */
  uint64_t old;    /* the same, and what was promoted since */
  uint64_t begun;     /* `old` when marking in steps began */
  uint64_t old_limit; /* a major collection is due when `old` gets there */
  uint64_t work;      /* words that marking everything would look at */
  uint64_t nursery;   /* the budget of minor collections in a large heap */
  uint64_t goal;      /* soft limit, 0: none */
  uint32_t survival;  /* share of bytes that survive a minor collection, in 1/256, smoothed */
  uint32_t vain;      /* minor collections of a large heap in a row that did not pay */
  uint32_t fulls;     /* major collections without minor ones since the last minor one */
  uint32_t look_after; /* so many, and a minor one is tried */
  uint32_t percent;   /* how large the heap may get, of the survivors; 0: nothing is prescribed */
  uint32_t kinds;     /* PolicyKinds */
} Policy;

/* What a minor collection did. */
typedef struct PolicyMinor {
  uint64_t old;      /* bytes in the old generation with the promoted */
  uint64_t promoted; /* bytes */
  uint64_t fixed;    /* words looked at that a larger young generation would not make more */
  uint64_t work;     /* all words looked at */
} PolicyMinor;

void policy_init(Policy *p, uint32_t percent, uint64_t goal);
/* For the next collections. */
void policy_set_kinds(Policy *p, PolicyKinds kinds);
void policy_set_goal(Policy *p, uint64_t goal);
/* A collection is due: which? */
PolicyChoice policy_choose(const Policy *p);
/* Is a major one to be done in steps? */
bool policy_wants_steps(const Policy *p);
/* And without minor ones meanwhile? */
bool policy_is_alone(const Policy *p);
/* Has a minor collection looked at so many words that it does not pay, whatever it may free? */
bool policy_is_vain(const Policy *p, uint64_t work);
/* Words to look at per word handed out so that a major collection ends within the room. */
uint64_t policy_step_rate(const Policy *p);
/* Has so much been handed out while collections were under way that they had better be given up for
 * a full one at once? */
bool policy_is_behind(const Policy *p);
/* A major collection in steps begins to mark. */
void policy_begin_major(Policy *p);
/* A major collection ended with so many bytes alive, for which it looked at so many words; it was
 * `alone` if without minor ones. */
void policy_major(Policy *p, uint64_t live, uint64_t work, bool alone);
/* All young blocks became old: so many bytes in the old generation. */
void policy_promoted(Policy *p, uint64_t old);
void policy_minor(Policy *p, const PolicyMinor *minor);
/* The limit is reached: is another collection worth it? False: report exhaustion. */
bool policy_may_force(Policy *p, uint64_t limit);
/* That collection did not help: exhaustion is reported. */
void policy_force_failed(Policy *p);

static inline bool policy_due(const Policy *p) { return p->debt >= p->budget; }

#endif
