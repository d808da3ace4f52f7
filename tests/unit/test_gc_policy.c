/* The policy by itself: what it chooses, and how much the heap may grow. */
#include <criterion/criterion.h>

#include "gc/policy.h"

static const uint64_t MB = 1 << 20;

static Policy new_policy(PolicyKinds kinds, uint32_t percent, uint64_t goal) {
  Policy p;
  policy_init(&p, percent, goal);
  policy_set_kinds(&p, kinds);
  return p;
}

static void minor(Policy *p, uint64_t old, uint64_t promoted, uint64_t fixed, uint64_t work) {
  p->debt = MB;
  PolicyMinor m = {old, promoted, fixed, work};
  policy_minor(p, &m);
}

/* Only full collections: the budget is the room. */
Test(gc_policy, room) {
  static const struct { uint64_t total, live, work; uint32_t percent; uint64_t goal, budget; } cases[] = {
      {0, 0, 0, 0, 0, 2 << 20},
      {(uint64_t)1 << 40, 0, 0, 0, 0, 2 << 20},
      {0, 3 << 20, 0, 0, 0, 6 << 20},
      {0, 16 << 20, 0, 0, 0, 16 << 20},                 /* by the root */
      {0, 64 << 20, 0, 0, 0, 32 << 20},
      {0, (uint64_t)1000 << 20, 0, 0, 0, 375 << 20},
      {0, 64 << 20, 0, 300, 0, (128 << 20) - 128 + 64}, /* percent of whole hundreds of bytes */
      {0, 64 << 20, 0, 100, 0, 256 << 10},
      {0, 64 << 20, 0, 50, 0, 256 << 10},
      {0, 64 << 20, 0, 0, 80 << 20, 16 << 20},          /* up to the goal */
      {0, 64 << 20, 0, 0, 200 << 20, 32 << 20},         /* which is far away */
      {0, 64 << 20, 8 << 20, 0, 64 << 20, 8 << 20},     /* beyond it: half of the time */
      {0, 64 << 20, 0, 0, 64 << 20, 256 << 10},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Policy p = new_policy(POLICY_FULL_ONLY, cases[i].percent, cases[i].goal);
    cr_assert(!policy_due(&p));
    p.debt = cases[i].total;
    policy_major(&p, cases[i].live, cases[i].work, true);
    uint64_t slack = cases[i].percent ? 200 : 0; /* of rounding */
    cr_assert(p.budget + slack >= cases[i].budget && p.budget <= cases[i].budget + slack, "case %d: %lu",
              (int)i, (unsigned long)p.budget);
    cr_assert(p.debt == 0 && policy_choose(&p) == POLICY_MAJOR);
    p.debt = p.budget;
    cr_assert(policy_due(&p));
  }
}

/* Few survivors: minor collections; many: full ones while marking is short, with a look now and then;
 * an old generation that has grown by its share: a major one. */
Test(gc_policy, chooses) {
  Policy p = new_policy(POLICY_ADAPTS, 0, 0);
  cr_assert(policy_choose(&p) == POLICY_MINOR);
  for (int i = 0; i < 10; i++) minor(&p, 0, 900 << 10, 10, 1000);
  cr_assert(policy_choose(&p) == POLICY_MAJOR && !policy_wants_steps(&p));
  for (int i = 0; i < POLICY_LOOK_AGAIN; i++) p.debt = MB, policy_major(&p, MB, 1000, true);
  cr_assert(policy_choose(&p) == POLICY_MINOR);
  for (int i = 0; i < 11; i++) minor(&p, MB, 0, 10, 1000);
  cr_assert(policy_choose(&p) == POLICY_MINOR && p.fulls == 0);
  policy_major(&p, 100 * MB, 10 * MB, true);
  cr_assert(policy_choose(&p) == POLICY_MINOR && policy_wants_steps(&p));
  minor(&p, 160 * MB, MB, 10, 1000);
  cr_assert(policy_choose(&p) == POLICY_MAJOR);
  policy_major(&p, 100 * MB, 1000, true); /* 100 MB of text */
  cr_assert(!policy_wants_steps(&p));
}

/* While full collections are due, each in its room, a minor one is tried now and then: soon, if they have
 * just begun, and ever more seldom in vain. */
Test(gc_policy, looks_again) {
  Policy p = new_policy(POLICY_ADAPTS, 0, 0);
  for (int i = 0; i < 10; i++) minor(&p, 16 * MB, 1000 << 10, 10, 1000);
  for (int look = 0, fulls = POLICY_LOOK_AGAIN; look < 3; look++, fulls *= 2) {
    for (int i = 0; i < fulls; i++) {
      p.debt = p.budget;
      cr_assert(policy_choose(&p) == POLICY_MAJOR, "look %d, full one %d", look, i);
      policy_major(&p, 16 * MB, 1000, true);
    }
    p.debt = p.budget;
    cr_assert(policy_choose(&p) == POLICY_MINOR, "look %d", look);
    PolicyMinor all = {16 * MB + p.debt, p.debt, 10, 1000};
    policy_minor(&p, &all);
  }
}

/* Small heaps: large young blocks may have used up the room while what is old is far from its limit.
 * To promote them is no way out, if the policy may choose. */
Test(gc_policy, large_young_blocks) {
  for (PolicyKinds kinds = POLICY_ADAPTS; kinds <= POLICY_STEPS; kinds++) {
    Policy p = new_policy(kinds, 0, 0);
    policy_major(&p, MB, 1000, true);
    for (int i = 0; i < 10; i++) minor(&p, MB, 0, 10, 1000);
    p.debt = 2 * MB;
    PolicyChoice usual = kinds == POLICY_FULL_ONLY ? POLICY_MAJOR : POLICY_MINOR;
    cr_assert_eq(policy_choose(&p), usual);
    p.debt = 64 * MB;
    cr_assert_eq(policy_choose(&p), kinds == POLICY_ADAPTS ? POLICY_MAJOR : usual);
  }
}

/* In the kinds that were asked for alone. */
Test(gc_policy, obeys) {
  for (PolicyKinds kinds = POLICY_ADAPTS; kinds <= POLICY_STEPS; kinds++) {
    Policy p = new_policy(kinds, 0, 0);
    policy_major(&p, MB, 1000, true);
    for (int i = 0; i < 10; i++) minor(&p, MB, 900 << 10, 10, 1000);
    bool full = kinds == POLICY_FULL_ONLY || kinds == POLICY_ADAPTS;
    cr_assert_eq(policy_choose(&p), full ? POLICY_MAJOR : POLICY_MINOR);
    cr_assert_eq(policy_wants_steps(&p), kinds == POLICY_STEPS);
  }
}

/* The young generation grows while it is not what collections look at, within its share; and old and
 * young together never exceed the room by more than what is promoted meanwhile. */
Test(gc_policy, nursery) {
  Policy p = new_policy(POLICY_ADAPTS, 0, 0);
  policy_major(&p, 1000 * MB, 1000 * MB, false);
  for (int i = 0; i < 50; i++) minor(&p, 1000 * MB, 1000, 900000, 1000000);
  cr_assert(p.budget == 375 * MB / 4, "%lu", (unsigned long)p.budget);
  cr_assert(p.old_limit + p.budget <= 1375 * MB);
  for (int i = 0; i < 50; i++) minor(&p, 1000 * MB, 1000, 1000, 1000000);
  cr_assert(p.budget == POLICY_LEAST_NURSERY, "%lu", (unsigned long)p.budget);
  cr_assert(policy_step_rate(&p) >= 4);
}

/* In a large heap where all survives, or where a young generation as large as can be does not make up
 * for what is fixed, major collections go on alone, with a look now and then; begun late. */
Test(gc_policy, majors_alone) {
  for (int fixed = 0; fixed < 2; fixed++) {
    Policy p = new_policy(POLICY_ADAPTS, 0, 0);
    policy_major(&p, 1000 * MB, 128 * MB, false);
    for (int i = 0; i < 50 && !policy_is_alone(&p); i++) {
      p.debt = p.budget;
      PolicyMinor m = {1000 * MB, fixed ? 0 : p.debt, 1000, p.debt / 8};
      if (fixed) m.fixed = 40 * MB, m.work = 41 * MB;
      cr_assert(!policy_is_vain(&p, 1000) && policy_is_vain(&p, 200 * MB));
      policy_minor(&p, &m);
    }
    cr_assert(policy_is_alone(&p) && policy_choose(&p) == POLICY_MAJOR);
    for (int look = 0, majors = POLICY_LOOK_AGAIN; look < 3; look++, majors *= 2) {
      for (int i = 0; i < majors; i++) {
        cr_assert(policy_choose(&p) == POLICY_MAJOR && p.old + p.budget <= 1375 * MB - 375 * MB / 16);
        policy_promoted(&p, p.old + p.budget);
        cr_assert(p.budget == 375 * MB / 16);
        policy_major(&p, 1000 * MB, 128 * MB, true);
      }
      cr_assert(policy_choose(&p) == POLICY_MINOR && p.budget <= 375 * MB / 4);
      PolicyMinor all = {1000 * MB + p.budget, p.debt = p.budget, 10, p.budget / 8};
      policy_minor(&p, &all);
    }
    for (int i = 0; i < 2 * POLICY_LOOK_SELDOM && policy_is_alone(&p); i++) {
      policy_major(&p, 1000 * MB, 128 * MB, true);
      if (policy_choose(&p) == POLICY_MINOR) p.debt = 4 * MB, policy_minor(&p, &(PolicyMinor){1000 * MB, 0, 10, 1000});
    }
    cr_assert(!policy_is_alone(&p), "it pays again");
  }
}

Test(gc_policy, goal_can_be_moved) {
  Policy p = new_policy(POLICY_FULL_ONLY, 0, 0);
  policy_major(&p, 64 * MB, 1000, true);
  cr_assert(p.budget == 32 * MB);
  policy_set_goal(&p, 68 * MB);
  cr_assert(p.budget == 4 * MB && p.old_limit == 66 * MB);
}

/* Forced collections that gain nothing: so many in a row, then exhaustion, then a few again. */
Test(gc_policy, gives_up_at_the_limit) {
  Policy p = new_policy(POLICY_ADAPTS, 0, 0);
  for (int round = 0, most = POLICY_POOR_MAX; round < 3; round++, most = POLICY_POOR_AGAIN) {
    for (int i = 0; i < most; i++) cr_assert(policy_may_force(&p, MB));
    cr_assert(!policy_may_force(&p, MB));
  }
  p.debt = MB;
  for (int i = 0; i < 100; i++, p.debt = MB) cr_assert(policy_may_force(&p, MB), "much was gained");
}

/* What was handed out before a collection that was due anyway counts. */
Test(gc_policy, gains_between_forced_collections) {
  Policy p = new_policy(POLICY_ADAPTS, 0, 0);
  for (int i = 0; i < 100; i++) {
    p.debt = MB;
    policy_major(&p, MB, 1000, true);
    cr_assert(p.debt == 0 && policy_may_force(&p, MB));
  }
}

/* A collection that did not help is not the last. */
Test(gc_policy, tries_behind_each_failure) {
  Policy p = new_policy(POLICY_ADAPTS, 0, 0);
  for (int i = 0; i < 100; i++) {
    cr_assert(policy_may_force(&p, MB));
    policy_force_failed(&p);
  }
}
