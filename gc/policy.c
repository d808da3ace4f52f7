#include "policy.h"

void policy_init(Policy *p) { *p = (Policy){.budget = POLICY_FIRST_BUDGET}; }

static uint64_t least_budget(const Policy *p) {
  uint64_t share = p->total / POLICY_SETTLE_SHARE;
  if (share < POLICY_FIRST_BUDGET) return POLICY_FIRST_BUDGET;
  return share < POLICY_SETTLED_BUDGET ? share : POLICY_SETTLED_BUDGET;
}

void policy_collected(Policy *p, uint64_t live) {
  uint64_t growth = live < POLICY_BIG_HEAP ? 2 * live : live;
  p->total += p->debt;
  p->debt = 0;
  uint64_t least = least_budget(p);
  p->budget = growth > least ? growth : least;
}

bool policy_may_force(Policy *p, uint64_t limit) {
  p->poor = p->debt < limit / POLICY_POOR_SHARE ? p->poor + 1 : 0;
  if (p->poor <= POLICY_POOR_MAX) return true;
  p->poor = 0; /* whoever survives the failure starts afresh */
  return false;
}
