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

ox_Status ox_restore(ox_VM *vm, ox_Snapshot snapshot) {
  API_CALL(vm);
  if (vm->run_depth > 0 || gc_is_collecting(vm->gc)) return api_misuse(vm, inside);
  uint32_t mark = api_enter(vm);
  switch (vm_restore(vm, snapshot)) {
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
