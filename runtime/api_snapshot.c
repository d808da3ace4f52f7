/* api_snapshot.c - the C API: snapshots between calls of the host. */
#include "api.h"
#include "snapshot.h"

static const char inside[] = "snapshots are taken and restored by the host between its calls, not in "
                             "functions that a program runs; programs call snapshot() and restore()";

ox_Status ox_snapshot(ox_VM *vm, ox_Snapshot *out) {
  API_CALL(vm);
  if (!out) return api_broken(vm, __func__, "the place for the snapshot is NULL", NULL);
  *out = 0;
  if (vm->run_depth > 0 || gc_is_collecting(vm->gc)) return api_misuse(vm, inside);
  uint32_t mark = api_enter(vm);
  *out = vm_snapshot(vm);
  return api_leave(vm, mark, *out ? V_NIL : V_ERROR, NULL);
}

static ox_Status leave_with(ox_VM *vm, uint32_t mark, GcSnapshotStatus status) {
  switch (status) {
    case GC_SNAPSHOT_OK: return api_leave(vm, mark, V_NIL, NULL);
    case GC_SNAPSHOT_MEMORY: return vm_throw_oom(vm), api_leave(vm, mark, V_ERROR, NULL);
    case GC_SNAPSHOT_LOST:
      api_leave(vm, mark, V_NIL, NULL);
      return api_misuse(vm, "the snapshot was given up: memory for the log of changes ran out");
    case GC_SNAPSHOT_ELSEWHERE:
      api_leave(vm, mark, V_NIL, NULL);
      return api_misuse(vm, "the snapshot is of another VM");
    default:
      api_leave(vm, mark, V_NIL, NULL);
      return api_misuse(vm, "the snapshot was released");
  }
}

ox_Status ox_restore(ox_VM *vm, ox_Snapshot snapshot) {
  API_CALL(vm);
  if (vm->run_depth > 0 || gc_is_collecting(vm->gc)) return api_misuse(vm, inside);
  uint32_t mark = api_enter(vm);
  return leave_with(vm, mark, vm_restore(vm, snapshot));
}

static void no_name(void *context, const char *name, int how) {
  (void)context, (void)name, (void)how;
}

ox_Status ox_snapshot_diff(ox_VM *vm, ox_Snapshot first, ox_Snapshot second, ox_SnapshotDiff *diff,
                           void (*name)(void *context, const char *name, int how), void *context) {
  API_CALL(vm);
  GcPastDiff d = {0};
  SnapshotNames names = {name ? name : no_name, context};
  if (!diff) return api_broken(vm, __func__, "the place for the result is NULL", NULL);
  if (!api_has_room(vm, __func__, diff)) return OX_MISUSE;
  if (vm->run_depth > 0 || gc_is_collecting(vm->gc)) return api_misuse(vm, inside);
  uint32_t mark = api_enter(vm);
  ox_Status status = leave_with(vm, mark, vm_snapshot_diff(vm, first, second, &d, &names));
  ox_SnapshotDiff all = {sizeof all, d.pages, d.changed, d.only_here, d.only_there};
  api_fill(diff, &all, sizeof all);
  return status;
}

void ox_release(ox_VM *vm, ox_Snapshot snapshot) {
  API_CALL(vm);
  gc_snapshot_release(vm->gc, snapshot);
}

void ox_snapshot_stats(ox_VM *vm, ox_SnapshotStats *stats) {
  API_CALL(vm);
  if (!api_has_room(vm, __func__, stats)) return;
  GcSnapshotStats s;
  gc_snapshot_stats(vm->gc, &s);
  ox_SnapshotStats all = {sizeof all, s.snapshots, s.log_bytes, s.log_pages, s.head_pages,
                          s.taken,     s.restored,  s.logged};
  api_fill(stats, &all, sizeof all);
}
