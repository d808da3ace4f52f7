/* snapshot_life.c - when a snapshot is needed no more.
 *
 * A snapshot can be restored by whoever has its handle. That may be the program as it is now, or
 * the program as it was, after another snapshot has been restored. So the states form a graph: an
 * edge leads from a state to each snapshot whose handle is reachable in it, and a snapshot is
 * needed if some way leads to it from the present state, or from one that a host keeps.
 *
 * What is reachable now the collector finds. What is reachable in a kept state is found by tracing
 * it (gc_past_trace) the first time that somebody wants to know, and stays so: a kept state does
 * not change. In the common case that a loop leaves behind snapshots which know nothing of each
 * other, the newest few have to be traced. Where handles are kept in the state itself, in a list of
 * the last eight for instance, each leads to its predecessors, and all are needed: then the program
 * has to release what it does not want. So much work is allowed, and no more; nothing is released
 * then.
 *
 * All handles of a state are in a list, from VmState.snapshot_handles by way of a hidden slot of
 * each. It is weak, and part of the state. */
#include "snapshot_life.h"

#include <stdlib.h>
#include <string.h>

/* A snapshot that was taken. Once `known`, sees[0..n) are the snapshots whose handles its state
 * has. */
typedef struct Kept {
  GcSnapshot id;
  GcSnapshot *sees;
  uint32_t n;
  bool pinned, known, reached;
} Kept;

struct SnapshotLife {
  Kept *kept; /* in the order of taking */
  uint32_t n, room;
  uint32_t handles;    /* of them not pinned */
  uint64_t next_check; /* bytes held by snapshots at which to look again */
};

enum { SMALLEST_CHECK = 8 << 20, NODE_BYTES = 8 << 10 };

/* ---- the list of handles --------------------------------------------------------------------- */

void snapshot_life_link(ox_VM *vm, uint32_t ref) {
  uint64_t *next = snapshot_slots(vm, ref).next;
  gc_touch(vm->cage, gc_word(vm->cage, next));
  *next = vm->st->snapshot_handles;
  vm->st->snapshot_handles = ref;
}

void snapshot_life_sweep(ox_VM *vm) {
  uint64_t *at = &vm->st->snapshot_handles;
  while (*at) {
    uint64_t *next = snapshot_slots(vm, (uint32_t)*at).next;
    if (gc_is_marked(vm->gc, (Ref){(uint32_t)*at})) {
      at = next;
      continue;
    }
    if (at != &vm->st->snapshot_handles) gc_touch(vm->cage, gc_word(vm->cage, at));
    *at = *next;
  }
}

/* ---- what was taken -------------------------------------------------------------------------- */

bool snapshot_life_note(ox_VM *vm, GcSnapshot id, bool pinned) {
  struct SnapshotLife *l = vm->snapshot_life;
  if (!l) l = vm->snapshot_life = calloc(1, sizeof *l);
  if (!l) return false;
  if (l->n == l->room) {
    uint32_t room = l->room ? 2 * l->room : 16;
    Kept *kept = room > l->room ? realloc(l->kept, room * sizeof *kept) : NULL;
    if (!kept) return false;
    l->kept = kept;
    l->room = room;
  }
  l->kept[l->n++] = (Kept){.id = id, .pinned = pinned};
  l->handles += !pinned;
  return true;
}

void snapshot_life_free(ox_VM *vm) {
  struct SnapshotLife *l = vm->snapshot_life;
  if (!l) return;
  for (uint32_t i = 0; i < l->n; i++) free(l->kept[i].sees);
  free(l->kept);
  free(l);
  vm->snapshot_life = NULL;
}

/* Forgets those that were released. */
static void drop_released(ox_VM *vm, struct SnapshotLife *l) {
  uint32_t kept = 0;
  l->handles = 0;
  for (uint32_t i = 0; i < l->n; i++) {
    if (gc_snapshot_status(vm->gc, l->kept[i].id) != GC_SNAPSHOT_OK) {
      free(l->kept[i].sees);
      continue;
    }
    l->handles += !l->kept[i].pinned;
    l->kept[kept++] = l->kept[i];
  }
  l->n = kept;
}

/* ---- what a state sees ----------------------------------------------------------------------- */

typedef struct Ids { GcSnapshot *at; uint32_t n, room; } Ids;

static bool ids_add(Ids *ids, GcSnapshot id) {
  if (ids->n == ids->room) {
    uint32_t room = ids->room ? 2 * ids->room : 8;
    GcSnapshot *at = room > ids->room ? realloc(ids->at, room * sizeof *at) : NULL;
    if (!at) return false;
    ids->at = at;
    ids->room = room;
  }
  ids->at[ids->n++] = id;
  return true;
}

static bool seen_now(ox_VM *vm, Ids *ids) {
  for (uint64_t ref = vm->st->snapshot_handles; ref;) {
    HandleSlots h = snapshot_slots(vm, (uint32_t)ref);
    if (!ids_add(ids, *h.id)) return false;
    ref = *h.next;
  }
  return true;
}

static bool list_past(ox_VM *vm, const GcPastTrace *trace, Ids *ids) {
  uint64_t ref = gc_past_word(vm->gc, gc_word(vm->cage, &vm->st->snapshot_handles));
  while (ref) {
    HandleSlots h = snapshot_slots(vm, (uint32_t)ref);
    if (gc_past_reaches(trace, (Ref){(uint32_t)ref}) &&
        !ids_add(ids, gc_past_word(vm->gc, gc_word(vm->cage, h.id))))
      return false;
    ref = gc_past_word(vm->gc, gc_word(vm->cage, h.next));
  }
  return true;
}

static bool seen_then(ox_VM *vm, GcSnapshot id, uint64_t *work, Ids *ids) {
  if (!gc_past_open(vm->gc, id)) return false;
  GcPastTrace *trace = gc_past_trace(vm->gc, work);
  bool ok = trace && list_past(vm, trace, ids);
  gc_past_trace_free(trace);
  gc_past_close(vm->gc);
  return ok;
}

static bool learn(ox_VM *vm, Kept *k, uint64_t *work) {
  Ids ids = {0};
  if (k->known) return true;
  if (!seen_then(vm, k->id, work, &ids)) {
    free(ids.at);
    return false;
  }
  k->sees = ids.at;
  k->n = ids.n;
  k->known = true;
  return true;
}

/* ---- which are needed ------------------------------------------------------------------------ */

/* Where a snapshot stands in `kept`, by open addressing. */
typedef struct Search {
  struct SnapshotLife *l;
  uint32_t *table, mask; /* index + 1 */
  uint32_t *queue, queued;
} Search;

static uint32_t *place(const Search *s, GcSnapshot id) {
  uint32_t i = (uint32_t)((id * 0x9E3779B97F4A7C15u) >> 32) & s->mask;
  while (s->table[i] && s->l->kept[s->table[i] - 1].id != id) i = (i + 1) & s->mask;
  return s->table + i;
}

static void reach(Search *s, GcSnapshot id) {
  uint32_t at = *place(s, id);
  if (!at || s->l->kept[at - 1].reached) return;
  s->l->kept[at - 1].reached = true;
  s->queue[s->queued++] = at - 1;
}

static bool search_open(Search *s, struct SnapshotLife *l) {
  uint32_t size = 16;
  while (size < 2 * (uint64_t)l->n && size < UINT32_MAX / 2) size *= 2;
  *s = (Search){.l = l, .mask = size - 1};
  s->table = calloc(size, sizeof *s->table);
  s->queue = malloc((l->n + 1) * sizeof *s->queue);
  if (!s->table || !s->queue) return false;
  for (uint32_t i = 0; i < l->n; i++) *place(s, l->kept[i].id) = i + 1;
  return true;
}

/* The newest first, since it is likely to know few others, and to be the only one that is needed.
 */
static bool follow_all(ox_VM *vm, Search *s, uint64_t *work) {
  while (s->queued) {
    Kept *k = s->l->kept + s->queue[--s->queued];
    if (!learn(vm, k, work)) return false;
    for (uint32_t i = 0; i < k->n; i++) reach(s, k->sees[i]);
  }
  return true;
}

/* From the present, or from the state `to`, unless that is 0. */
static bool find_needed(ox_VM *vm, Search *s, GcSnapshot to, uint64_t *work) {
  Ids now = {0};
  for (uint32_t i = 0; i < s->l->n; i++) s->l->kept[i].reached = false;
  bool ok = to ? ids_add(&now, to) : seen_now(vm, &now);
  for (uint32_t i = 0; ok && i < s->l->n; i++)
    if (s->l->kept[i].pinned) reach(s, s->l->kept[i].id);
  for (uint32_t i = 0; ok && i < now.n; i++) reach(s, now.at[i]);
  free(now.at);
  return ok && follow_all(vm, s, work);
}

static void release_unreached(ox_VM *vm, struct SnapshotLife *l) {
  for (uint32_t i = l->n; i-- > 0;) /* newest first: nothing is merged only to be dropped */
    if (!l->kept[i].reached) gc_snapshot_release(vm->gc, l->kept[i].id);
  drop_released(vm, l);
}

/* Tracing may cost some times what collecting does. */
static uint64_t allowance(ox_VM *vm) {
  GcStats s;
  gc_stats(vm->gc, &s);
  return s.used_bytes / 8 * 4 + (1 << 20);
}

static void release_for(ox_VM *vm, struct SnapshotLife *l, GcSnapshot to) {
  drop_released(vm, l);
  if (!l->handles) return;
  Search s;
  uint64_t work = allowance(vm);
  if (search_open(&s, l) && find_needed(vm, &s, to, &work)) release_unreached(vm, l);
  free(s.table);
  free(s.queue);
}

void snapshot_life_collect(ox_VM *vm) {
  gc_collect(vm->gc);
  if (vm->snapshot_life && !gc_is_collecting(vm->gc)) release_for(vm, vm->snapshot_life, 0);
}

void snapshot_life_trim(ox_VM *vm) {
  snapshot_life_collect(vm);
  gc_snapshot_trim(vm->gc);
}

void snapshot_life_leave(ox_VM *vm, GcSnapshot to) {
  if (vm->snapshot_life) release_for(vm, vm->snapshot_life, to);
}

static uint64_t held_bytes(ox_VM *vm) {
  GcSnapshotStats s;
  gc_snapshot_stats(vm->gc, &s);
  return s.log_pages * GC_PAGE + s.snapshots * NODE_BYTES;
}

void snapshot_life_tidy(ox_VM *vm) {
  struct SnapshotLife *l = vm->snapshot_life;
  if (!l) return;
  if (l->n == l->room) drop_released(vm, l);
  if (!l->handles || held_bytes(vm) < l->next_check) return;
  GcStats s;
  if (l->next_check) snapshot_life_collect(vm);
  gc_stats(vm->gc, &s);
  l->next_check = 2 * held_bytes(vm);
  if (l->next_check < s.used_bytes) l->next_check = s.used_bytes;
  if (l->next_check < SMALLEST_CHECK) l->next_check = SMALLEST_CHECK;
}
