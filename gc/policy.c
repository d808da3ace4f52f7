#include "policy.h"

static uint64_t least_budget(const Policy *p) {
  if (p->percent) return POLICY_LEAST_BUDGET;
  uint64_t share = p->total / POLICY_SETTLE_SHARE;
  if (share < POLICY_FIRST_BUDGET) return POLICY_FIRST_BUDGET;
  return share < POLICY_SETTLED_BUDGET ? share : POLICY_SETTLED_BUDGET;
}

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Bytes that may be handed out until the heap has its full size. */
static uint64_t growth(const Policy *p) {
  if (p->percent) return p->percent > 100 ? p->live / 100 * (p->percent - 100) : 0;
  return 2 * p->live;
}

/* Only minor collections until the old generation gets there. */
static uint64_t limit_of_old(const Policy *p, uint64_t before) {
  if (p->percent) return p->live + most(growth(p), POLICY_LEAST_BUDGET) / 2;
  if (policy_is_small(p)) return p->live + most(p->live, least_budget(p));
  uint64_t garbage = before > p->live ? before - p->live : 0;
  uint64_t share = garbage > p->live / 8 ? p->live / 4 : p->live / 2;
  return p->live + most(share, p->live < POLICY_EASY ? p->live : POLICY_EASY);
}

static bool wants_minors(const Policy *p) {
  return !policy_is_small(p) || p->survival < POLICY_FEW;
}

static void set_budget(Policy *p) {
  p->total += p->debt;
  p->debt = 0;
  if (!policy_is_small(p)) p->budget = p->nursery;
  else if (p->percent) p->budget = most(growth(p) / (wants_minors(p) ? 2 : 1), POLICY_LEAST_BUDGET);
  else if (wants_minors(p)) p->budget = least_budget(p);
  else p->budget = most(growth(p), least_budget(p));
}

void policy_init(Policy *p, uint32_t percent) {
  *p = (Policy){.budget = POLICY_FIRST_BUDGET, .nursery = POLICY_SETTLED_BUDGET,
                .old_limit = POLICY_FIRST_BUDGET, .percent = percent};
}

PolicyChoice policy_choose(const Policy *p) {
  if (p->old >= p->old_limit) return POLICY_MAJOR;
  if (wants_minors(p)) return POLICY_MINOR;
  return p->fulls >= POLICY_LOOK_AGAIN ? POLICY_MINOR : POLICY_MAJOR;
}

void policy_major(Policy *p, uint64_t live, bool full) {
  uint64_t before = p->old;
  p->live = p->old = live;
  p->old_limit = limit_of_old(p, before);
  p->fulls += full;
  set_budget(p);
}

void policy_minor(Policy *p, uint64_t old, uint64_t promoted, uint64_t work) {
  uint64_t share = p->debt ? promoted * 256 / p->debt : 0;
  if (share > 256) share = 256;
  p->survival = (uint32_t)((p->survival + share + 1) / 2);
  p->old = old;
  p->fulls = 0;
  if (work > POLICY_MINOR_WORK && p->nursery > POLICY_LEAST_NURSERY) p->nursery -= p->nursery / 4;
  if (work < POLICY_MINOR_WORK / 2 && p->nursery < POLICY_MOST_NURSERY) p->nursery += p->nursery / 4;
  set_budget(p);
}

bool policy_may_force(Policy *p, uint64_t limit) {
  p->poor = p->debt < limit / POLICY_POOR_SHARE ? p->poor + 1 : 0;
  if (p->poor <= POLICY_POOR_MAX) return true;
  p->poor = 0; /* whoever survives the failure starts afresh */
  return false;
}
