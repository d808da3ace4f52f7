#include "share.h"

#include <stdlib.h>

#include "snapshot.h"

struct GcShare {
  uint64_t used;  /* atomic, like */
  uint32_t users;
};

void share_count_slow(Gc *gc) {
  uint64_t now = gc->heap->used_pages * GC_PAGE + gc->heap->external_bytes + snapshot_bytes(gc);
  __atomic_add_fetch(&gc->share->used, now - gc->shared_bytes, __ATOMIC_RELAXED);
  gc->shared_bytes = now;
}

uint64_t share_others_slow(const Gc *gc) {
  return __atomic_load_n(&gc->share->used, __ATOMIC_RELAXED) - gc->shared_bytes;
}

void share_leave(Gc *gc) {
  GcShare *share = gc->share;
  if (!share) return;
  __atomic_sub_fetch(&share->used, gc->shared_bytes, __ATOMIC_RELAXED);
  gc->share = NULL;
  gc->shared_bytes = 0;
  if (__atomic_sub_fetch(&share->users, 1, __ATOMIC_ACQ_REL) == 0) free(share);
}

static bool share_open(Gc *gc) {
  if (gc->share) return true;
  gc->share = calloc(1, sizeof *gc->share);
  if (!gc->share) return false;
  gc->share->users = 1;
  share_count(gc);
  return true;
}

bool gc_share_limit(Gc *gc, Gc *child) {
  if (!share_open(gc)) return false;
  __atomic_add_fetch(&gc->share->users, 1, __ATOMIC_RELAXED);
  child->share = gc->share;
  share_count(child);
  uint64_t all = child->shared_bytes + share_others(child);
  if (all <= gc->heap->limit_bytes) return true;
  share_leave(child);
  return false;
}
