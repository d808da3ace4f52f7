#include "share.h"

#include <stdlib.h>

#include "fork.h"
#include "snapshot.h"

struct GcShare {
  uint64_t used;  /* atomic, like */
  uint32_t users;
};

static uint64_t own_bytes(const Gc *gc) {
  return fork_counted_pages(gc) * GC_PAGE + gc->heap->external_bytes + snapshot_bytes(gc);
}

/* What the others take: as good as taken by this one. */
static uint64_t others_bytes(const Gc *gc) {
  if (!gc->share) return fork_kept_bytes(gc);
  return __atomic_load_n(&gc->share->used, __ATOMIC_RELAXED) - gc->shared_bytes;
}

bool share_has_room(const Gc *gc, uint64_t more, uint64_t limit) {
  uint64_t all = own_bytes(gc) + others_bytes(gc);
  return all <= limit && more <= limit - all;
}

bool share_fits(Gc *gc, uint64_t more, uint64_t limit) {
  if (share_has_room(gc, more, limit)) return true;
  return more <= limit && fork_drop_kept(gc) && share_has_room(gc, more, limit);
}

void share_add(GcShare *share, uint64_t more, uint64_t less) {
  __atomic_add_fetch(&share->used, more - less, __ATOMIC_RELAXED);
}

void share_count_slow(Gc *gc) {
  uint64_t now = own_bytes(gc);
  share_add(gc->share, now, gc->shared_bytes);
  gc->shared_bytes = now;
}

GcShare *share_join(GcShare *share) {
  __atomic_add_fetch(&share->users, 1, __ATOMIC_RELAXED);
  return share;
}

void share_unjoin(GcShare *share) {
  if (__atomic_sub_fetch(&share->users, 1, __ATOMIC_ACQ_REL) == 0) free(share);
}

void share_leave(Gc *gc) {
  GcShare *share = gc->share;
  if (!share) return;
  share_add(share, 0, gc->shared_bytes);
  gc->share = NULL;
  gc->shared_bytes = 0;
  share_unjoin(share);
}

bool gc_share_open(Gc *gc) {
  if (gc->share) return true;
  gc->share = calloc(1, sizeof *gc->share);
  if (!gc->share) return false;
  gc->share->users = 1;
  share_count(gc);
  fork_join_share(gc);
  return true;
}

/* With less than that left a child could not even begin. */
enum { CHILD_PAGES = 64 };

bool gc_share_limit(Gc *gc, Gc *child) {
  if (!gc_share_open(gc)) return false;
  child->share = share_join(gc->share);
  share_count(child);
  if (share_fits(child, CHILD_PAGES * GC_PAGE, gc->heap->limit_bytes)) return true;
  if (gc_snapshot_trim(gc) && share_has_room(child, CHILD_PAGES * GC_PAGE, gc->heap->limit_bytes))
    return true;
  share_leave(child);
  return false;
}

/* Heaps that allocate at the same moment may be beyond it by some pages, too. */
bool gc_is_beyond_limit(Gc *gc) {
  uint64_t limit = gc->heap->limit_bytes;
  return gc->share && gc->mapped && !share_fits(gc, 0, limit + limit / 16);
}
