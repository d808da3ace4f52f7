/* plant.h - mistakes made on purpose. -DPLANT=PLANT_x compiles a file with one of them: the part
 * `plants` of the tests builds each, and fails where the tests do not notice (tests/plants/). The
 * library has none of them, nor asks at run time. */
#ifndef OX_GC_PLANT_H
#define OX_GC_PLANT_H

#ifdef PLANT
#define PLANTED(name) (PLANT == PLANT_##name)
#else
#define PLANTED(name) 0
#endif

enum {
  PLANT_NONE,
  /* The barrier. */
  PLANT_STORE_NOT_LOGGED,  /* the first store to a frozen page saves nothing */
  PLANT_STORE_LOGGED_LATE, /* it saves the page when the next one is stored to */
  PLANT_STORE_NOT_NOTED,   /* the next fork is not told of a page stored to */
  PLANT_STORE_NOT_DIRTY,   /* a page of old blocks is open after a store, but not dirty */
  PLANT_STORE_NOT_SCANNED, /* marking is not told before the first store to a page */
  PLANT_FRESH_NOT_LOGGED,  /* as STORE_NOT_LOGGED, for new blocks and metadata */
  PLANT_FRESH_NOT_NOTED,
  PLANT_RANGE_SHORT, /* a bulk store does not ask about its last page */
  /* Snapshots. */
  PLANT_ARMS_ONE_LESS,        /* one changed page is not frozen when a snapshot is taken */
  PLANT_ARMS_ONE_LESS_OF_ALL, /* the same where all states are gone over */
  PLANT_STAYS_CHANGED,        /* a page is open after a rollback, with no copy in the log */
  PLANT_KEEPS_UNCHANGED,      /* going back again: a page that was not changed counts as copied */
  PLANT_SWAPS_ONE_LESS,       /* on the way to another node a page is left out */
  PLANT_FRESH_NOT_SAVED,      /* leaving a branch: pages taken since are not saved */
  PLANT_FRESH_STAYS_USED,     /* going back: a page taken since stays open */
  PLANT_ROOTS_NOT_RESTORED,
  PLANT_HEAP_NOT_RESTORED,
  PLANT_MERGE_LOSES_PAGE,    /* a middle snapshot is released: a page of its edge is lost */
  PLANT_MERGE_TAKES_OTHER,   /* of two versions of a page the wrong one is kept */
  PLANT_MERGE_FORGETS_FREED, /* which blocks were freed is not merged */
  PLANT_MERGE_STAYS_FROZEN,  /* an edge becomes part of the head, its pages stay frozen */
  PLANT_TAKEN_NOT_LOGGED,    /* a free page that an older snapshot needs is taken without a copy */
  PLANT_REST_FORGETS,        /* at rest, a page opened is not noted */
  /* Forks. */
  PLANT_FORK_FORGETS_CHILD,   /* what a slot's last child changed is not copied */
  PLANT_FORK_FORGETS_PARENT,  /* nor what the parent did */
  PLANT_FORK_MISSES_PAGE,     /* one page of the difference is not copied to a warm slot */
  PLANT_FORK_STEP_LATE,       /* a slot is taken to be in step up to one entry more */
  PLANT_FORK_CUT_LATE,        /* a slot one entry behind the log's beginning counts as in step */
  PLANT_FORK_TRACKS_ONCE,     /* after a fork, pages changed before are not reported again */
  PLANT_FORK_MISSES_TAKEN,    /* pages taken are not reported */
  PLANT_FORK_MISSES_GIVEN,    /* nor those given back */
  PLANT_FORK_MISSES_ROLLBACK, /* nor those that a rollback exchanges */
  PLANT_FORK_MISSES_UNDONE,   /* nor those given back that a rollback takes again */
  PLANT_FORK_FORGETS_LOSS,    /* a fork that has lost its log, and was forked, counts as known */
  PLANT_FORK_KEEPS_RUNS,      /* runs of free slots stay open */
  PLANT_FORK_MISSES_ROOTS,
  PLANT_FORK_MISSES_DELTA, /* a new mapping counts as in step with now */
  PLANT_FORK_SLEEPS_ON,    /* a fork sleeps though its parent has changed since the base */
  PLANT_FORK_NOT_WASHED,   /* a slot keeps what the last child's collector said of its pages */
  PLANT_BASE_MISSES_PAGE,  /* of a row of pages in use the last one is not published */
  /* The collector. */
  PLANT_MINOR_NOT_ARMED,     /* a dirty page is neither armed nor dirty after a minor collection */
  PLANT_MINOR_STAYS_DIRTY,   /* it is both */
  PLANT_MINOR_CLEAN_EARLY,   /* all pages count as looked at after the first round */
  PLANT_SWEEP_NOT_ARMED,     /* pages of survivors are not armed at all: slabs */
  PLANT_SWEEP_MID_NOT_ARMED, /* the last page of a survivor of middle size */
  PLANT_PROMOTED_WHITE,      /* what a minor collection promotes is not marked in `next` */
  PLANT_ALONE_WHITE,         /* nor what is promoted without one */
  PLANT_ALONE_NOT_ARMED,     /* promoted without one: pages are not armed */
  PLANT_ALONE_STAYS_DIRTY,   /* nor are dirty pages clean */
  PLANT_ROOT_FORGOTTEN,      /* the first word of the root area is not marked */
  PLANT_FINALS_FORGOTTEN,    /* the list of registered objects is not */
  PLANT_STACKS_FORGOTTEN,    /* old stacks are not looked at where they are not noted */
  PLANT_LONG_CUT,            /* the last words of a piece of a long block are not scanned */
  PLANT_WEAK_KEPT,           /* weak references to dead objects are not cleared */
  PLANTS
};

#endif
