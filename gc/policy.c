#include "policy.h"

enum {
  LEAST_RATE = 2, MOST_RATE = 64, /* words marked per word handed out */
  MARK_SHARE = 16, /* of the room, in which a major collection in steps marks */
  GOAL_RATE = 8, /* likewise, where the goal asks for a collection as often as possible */
};

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t least_budget(const Policy *p) {
  return p->percent ? POLICY_LEAST_BUDGET : POLICY_FIRST_BUDGET;
}

/* ---- the room -------------------------------------------------------------------------------- */

/* The whole part of the square root. */
static uint64_t root(uint64_t n) {
  uint64_t r = 0;
  for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1)
    if ((r + bit) * (r + bit) <= n) r += bit;
  return r;
}

static uint64_t free_room(const Policy *p) {
  if (p->percent) return p->percent > 100 ? p->live / 100 * (p->percent - 100) : 0;
  uint64_t easy = root(POLICY_EASY_LIVE) * root(p->live) * 2;
  return most(p->live / 8 * 3, least(2 * p->live, easy));
}

/* Bytes by which the heap may grow above what survived. */
static uint64_t room(const Policy *p) {
  uint64_t r = most(free_room(p), least_budget(p));
  if (!p->goal) return r;
  uint64_t left = p->goal > p->live ? p->goal - p->live : 0;
  return least(r, most(left, most(p->work * 8 / GOAL_RATE, POLICY_LEAST_BUDGET)));
}

/* What of it the young generation may take, at most. */
static uint64_t most_nursery(const Policy *p) { return most(room(p) / 4, least_budget(p)); }

static bool is_small(const Policy *p) { return p->work < POLICY_SMALL_WORK; }

static bool wants_minors(const Policy *p) {
  switch (p->kinds) {
    case POLICY_FULL_ONLY: return false;
    case POLICY_GENERATIONS: return true;
    case POLICY_STEPS: return is_small(p) || p->vain < POLICY_VAIN;
    default: return is_small(p) ? p->survival < POLICY_FEW : p->vain < POLICY_VAIN;
  }
}

bool policy_wants_steps(const Policy *p) {
  return p->kinds == POLICY_STEPS || (p->kinds == POLICY_ADAPTS && !is_small(p));
}

bool policy_is_alone(const Policy *p) { return policy_wants_steps(p) && !wants_minors(p); }

/* Only minor collections until the old generation gets there. Marking in steps takes time, in which
 * it grows on. */
static uint64_t limit_of_old(const Policy *p) {
  uint64_t r = room(p);
  if (policy_is_alone(p)) return p->live + r - r / MARK_SHARE;
  if (!policy_wants_steps(p)) return p->live + r / 2;
  /* Nothing is marked before a minor collection ends, or after. */
  return p->live + r - r / MARK_SHARE - 2 * least(p->nursery, r / 4);
}

uint64_t policy_step_rate(const Policy *p) {
  uint64_t bytes = room(p) / MARK_SHARE;
  uint64_t rate = bytes ? p->work * 8 / bytes + 1 : MOST_RATE;
  return most(LEAST_RATE, least(rate, MOST_RATE));
}

bool policy_is_behind(const Policy *p) {
  return (wants_minors(p) || policy_is_alone(p)) && p->old + p->debt > p->live + 2 * room(p);
}

/* Is a minor collection to be tried, though they did not pay so far? */
static bool looks_again(const Policy *p) {
  return p->kinds != POLICY_FULL_ONLY && !wants_minors(p) && p->fulls >= p->look_after;
}

/* What the last minor collection promoted is in the room already. */
static uint64_t rest_of_room(const Policy *p) {
  uint64_t promoted = p->old > p->live ? p->old - p->live : 0, all = room(p);
  return promoted < all / 2 ? all - promoted : all / 2;
}

static void set_budget(Policy *p) {
  p->gained += p->debt;
  p->debt = 0;
  p->old_limit = limit_of_old(p);
  p->nursery = most(least(p->nursery, most_nursery(p)), POLICY_LEAST_NURSERY);
  if (looks_again(p)) p->budget = least(is_small(p) ? least_budget(p) : p->nursery, room(p) / 2);
  else if (policy_is_alone(p)) p->budget = p->old_limit > p->old ? p->old_limit - p->old : 1;
  else if (!wants_minors(p)) p->budget = rest_of_room(p);
  else if (!is_small(p)) p->budget = least(p->nursery, most_nursery(p));
  else if (p->percent || p->goal) p->budget = most(room(p) / 2, POLICY_LEAST_BUDGET);
  else p->budget = least_budget(p);
}

/* ---------------------------------------------------------------------------------------------- */

void policy_init(Policy *p, uint32_t percent, uint64_t goal) {
  *p = (Policy){.budget = POLICY_FIRST_BUDGET, .nursery = POLICY_LEAST_NURSERY,
                .old_limit = POLICY_FIRST_BUDGET, .look_after = POLICY_LOOK_AGAIN,
                .percent = percent, .goal = goal};
}

void policy_set_kinds(Policy *p, PolicyKinds kinds) { p->kinds = kinds; }

void policy_set_goal(Policy *p, uint64_t goal) {
  p->goal = goal;
  p->old_limit = limit_of_old(p);
  p->budget = least(p->budget, most(room(p), POLICY_LEAST_BUDGET));
}

PolicyChoice policy_choose(const Policy *p) {
  if (p->kinds == POLICY_FULL_ONLY || p->old >= p->old_limit) return POLICY_MAJOR;
  /* Large blocks may have made the debt so large that to promote them would use up the room. */
  if (p->kinds == POLICY_ADAPTS && is_small(p) && p->old + p->debt > p->live + room(p))
    return POLICY_MAJOR;
  return wants_minors(p) || looks_again(p) ? POLICY_MINOR : POLICY_MAJOR;
}

/* What minor collections promoted while marking went on was not asked whether it still lives. In a
 * steady state it is garbage for the most part, which is not to make the room larger: it counts as
 * a part of that used up. */
static uint64_t live_for_sure(const Policy *p, uint64_t live) {
  uint64_t meanwhile = p->old > p->begun ? p->old - p->begun : 0;
  return live - least(meanwhile, live / 4);
}

void policy_begin_major(Policy *p) { p->begun = p->old; }

void policy_major(Policy *p, uint64_t live, uint64_t work, bool alone) {
  p->live = alone ? live : live_for_sure(p, live);
  p->old = p->begun = live;
  p->work = work;
  p->fulls += alone;
  set_budget(p);
}

void policy_promoted(Policy *p, uint64_t old) {
  p->old = old;
  p->debt = 0;
  p->budget = most(room(p) / MARK_SHARE, POLICY_LEAST_BUDGET);
}

/* Work of a major collection that frees so many bytes. */
static uint64_t price(const Policy *p, uint64_t bytes) {
  uint64_t r = room(p) >> 10;
  return r ? (bytes >> 10) * p->work / r : UINT64_MAX;
}

bool policy_is_vain(const Policy *p, uint64_t work) { return work > price(p, p->debt); }

/* A larger young generation makes up for what is fixed, where it can be made larger. */
static bool has_paid(const Policy *p, const PolicyMinor *minor) {
  uint64_t freed = p->debt > minor->promoted ? p->debt - minor->promoted : 0;
  uint64_t fixed = p->nursery < most_nursery(p) ? 0 : minor->fixed;
  return minor->work - minor->fixed + fixed <= price(p, freed);
}

static void look_later(Policy *p, bool paid) {
  uint32_t later = (uint32_t)least(2 * p->look_after, POLICY_LOOK_SELDOM);
  p->look_after = paid ? POLICY_LOOK_AGAIN : later;
}

void policy_minor(Policy *p, const PolicyMinor *minor) {
  uint64_t share = p->debt ? least(minor->promoted * 256 / p->debt, 256) : 0;
  bool paid = has_paid(p, minor);
  p->vain = paid ? 0 : p->vain + 1;
  if (looks_again(p)) {
    p->survival = (uint32_t)share;
    look_later(p, is_small(p) ? share < POLICY_FEW : paid);
  } else {
    p->survival = (uint32_t)((p->survival + share + 1) / 2);
  }
  uint64_t young = minor->work - minor->fixed;
  p->old = minor->old;
  p->work += young;
  p->fulls = 0;
  if (minor->fixed > young + p->debt / 64) p->nursery += p->nursery / 2;
  else if (minor->fixed < young / 4) p->nursery -= p->nursery / 8;
  set_budget(p);
}

bool policy_may_force(Policy *p, uint64_t limit) {
  p->poor = p->gained + p->debt < limit / POLICY_POOR_SHARE ? p->poor + 1 : 0;
  p->gained = 0;
  if (p->poor <= POLICY_POOR_MAX) return true;
  policy_force_failed(p);
  return false;
}

void policy_force_failed(Policy *p) {
  p->poor = least(p->poor, POLICY_POOR_MAX - POLICY_POOR_AGAIN);
}
