/* memory.c - the module `memory`: what the heap holds, and asking it to tidy up. */
#include "../fiber.h"
#include "lib.h"
#include "../snapshot_life.h"

static bool put_count(ox_VM *vm, Value map, const char *name, uint64_t n) {
  Value v = num_from_int(vm, n > INT64_MAX ? INT64_MAX : (int64_t)n);
  return v != V_ERROR && lib_put(vm, map, name, v);
}

static bool put_snapshots(ox_VM *vm, Value map) {
  GcSnapshotStats s;
  gc_snapshot_stats(vm->gc, &s);
  return put_count(vm, map, "snapshots", s.snapshots) &&
         put_count(vm, map, "snapshot_bytes", s.log_bytes);
}

static Value memory_stats(ox_VM *vm, Value *args, int nargs) {
  GcStats s;
  (void)args, (void)nargs;
  gc_stats(vm->gc, &s);
  Value map = map_new(vm, 20);
  if (map == V_ERROR) return V_ERROR;
  bool done = put_count(vm, map, "committed_bytes", s.committed_bytes) &&
              put_count(vm, map, "used_bytes", s.used_bytes) &&
              put_count(vm, map, "live_bytes", s.live_bytes) &&
              put_count(vm, map, "allocated_bytes", s.allocated_bytes) &&
              put_count(vm, map, "peak_bytes", s.peak_bytes) &&
              put_count(vm, map, "limit_bytes", s.limit_bytes) &&
              put_count(vm, map, "external_bytes", s.external_bytes) &&
              put_count(vm, map, "collections", s.collections) &&
              put_count(vm, map, "full_collections", s.majors) &&
              put_count(vm, map, "young_collections", s.minors) &&
              put_snapshots(vm, map) && put_count(vm, map, "pauses", s.pauses) &&
              lib_put(vm, map, "pause_p50_ms", v_from_float((double)s.pause_ns_p50 / 1e6)) &&
              lib_put(vm, map, "pause_p99_ms", v_from_float((double)s.pause_ns_p99 / 1e6)) &&
              lib_put(vm, map, "pause_p999_ms", v_from_float((double)s.pause_ns_p999 / 1e6)) &&
              lib_put(vm, map, "collect_ms", v_from_float((double)s.collect_ns_total / 1e6)) &&
              lib_put(vm, map, "longest_ms", v_from_float((double)s.collect_ns_max / 1e6)) &&
              lib_put(vm, map, "allocation_rate", v_from_float(vm_allocation_rate(vm, &s))) &&
              lib_put(vm, map, "fragmentation", v_from_float(gc_stats_fragmentation(&s)));
  return done ? map : V_ERROR;
}

/* Going through the whole heap is work. */
static void charge_walk(ox_VM *vm) {
  GcStats s;
  gc_stats(vm->gc, &s);
  vm_charge(vm, s.committed_bytes);
}

static Value memory_collect(ox_VM *vm, Value *args, int nargs) {
  charge_walk(vm);
  stack_forget_above(vm, args, nargs);
  snapshot_life_trim(vm);
  return V_NIL;
}

static Value memory_verify(ox_VM *vm, Value *args, int nargs) {
  uint64_t where = 0;
  (void)args, (void)nargs;
  charge_walk(vm);
  const char *wrong = gc_verify(vm->gc, &where);
  if (!wrong) return V_TRUE;
  return vm_throw(vm, ERR_SYSTEM, "memory.verify: %s (word %llu)", wrong,
                  (unsigned long long)where);
}

/* ---- report -------------------------------------------------------------------------------- */

typedef struct Tally { uint64_t count[KIND_COUNT + 1], bytes[KIND_COUNT + 1]; } Tally;

static void tally_block(void *ctx, void *block, uint64_t words) {
  Tally *t = ctx;
  unsigned kind = ((const Header *)block)->kind;
  if (kind > KIND_COUNT) kind = KIND_COUNT;
  t->count[kind]++;
  t->bytes[kind] += words * 8;
}

static const char *kind_name(unsigned kind) {
  static const char *const names[] = {
#define KIND(e, name, type, what) name,
#include "../kinds.def"
#undef KIND
      "other"};
  return names[kind];
}

static bool put_kind(ox_VM *vm, Value report, const Tally *t, unsigned kind) {
  uint32_t mark = vm_roots_mark(vm);
  Value entry = map_new(vm, 2);
  bool done = entry != V_ERROR && put_count(vm, entry, "count", t->count[kind]) &&
              put_count(vm, entry, "bytes", t->bytes[kind]) &&
              lib_put(vm, report, kind_name(kind), entry);
  vm_roots_reset(vm, mark);
  return done;
}

static Value memory_heap_report(ox_VM *vm, Value *args, int nargs) {
  Tally t = {{0}, {0}};
  (void)args, (void)nargs;
  charge_walk(vm);
  gc_each(vm->gc, tally_block, &t);
  Value report = map_new(vm, KIND_COUNT);
  if (report == V_ERROR) return V_ERROR;
  for (unsigned kind = 0; kind <= KIND_COUNT; kind++)
    if (t.count[kind] && !put_kind(vm, report, &t, kind)) return V_ERROR;
  return report;
}

/* ---- fragmentation --------------------------------------------------------------------------- */

/* What an object needs of its block, where that can be told from it; else all of it. */
static uint64_t bytes_needed(void *ctx, const void *block, uint64_t bytes) {
  const Header *h = block;
  uint64_t pairs = layout_pairs(h->layout), need = bytes;
  (void)ctx;
  switch (h->kind) {
    case KIND_STRING: need = sizeof(String) + (uint64_t)h->aux + 1; break;
    case KIND_BYTES: need = sizeof(Bytes) + (uint64_t)h->aux; break;
    case KIND_STORE: need = sizeof(Store) + 8 * (uint64_t)h->aux; break;
    case KIND_FRAME: case KIND_INSTANCE: case KIND_CLOSURE: need = 8 * (1 + pairs + h->n); break;
  }
  return need < bytes ? need : bytes;
}

static double share_lost(uint64_t of, uint64_t used) {
  return of ? 1 - (double)used / (double)of : 0;
}

static bool put_row(ox_VM *vm, Value rows, const GcReportRow *r) {
  static const char *const kinds[] = {"slab", "middle", "large"};
  uint32_t mark = vm_roots_mark(vm);
  Value row = map_new(vm, 8), kind = row == V_ERROR ? row : string_from_c(vm, kinds[r->kind]);
  bool frames = r->space == GC_SPACE_FRAME;
  bool done =
      kind != V_ERROR && lib_put(vm, row, "kind", kind) &&
      lib_put(vm, row, "frames", v_from_bool(frames)) &&
      put_count(vm, row, "slot_bytes", r->slot_bytes) && put_count(vm, row, "blocks", r->blocks) &&
      put_count(vm, row, "span_bytes", r->span_bytes) &&
      lib_put(vm, row, "external", v_from_float(share_lost(r->span_bytes, r->block_bytes))) &&
      lib_put(vm, row, "internal", v_from_float(share_lost(r->block_bytes, r->used_bytes))) &&
      list_push(vm, rows, row);
  vm_roots_reset(vm, mark);
  return done;
}

static Value memory_fragmentation(ox_VM *vm, Value *args, int nargs) {
  GcReportRow report[GC_REPORT_ROWS];
  (void)args, (void)nargs;
  charge_walk(vm);
  gc_report(vm->gc, report, bytes_needed, NULL);
  Value rows = list_new(vm, GC_REPORT_ROWS);
  if (rows == V_ERROR) return V_ERROR;
  for (int i = 0; i < GC_REPORT_ROWS; i++)
    if (report[i].span_bytes && !put_row(vm, rows, report + i)) return V_ERROR;
  return rows;
}

static const NativeDef memory_defs[] = {
    NATIVE("stats", memory_stats, "stats() -> map",
           "committed_bytes (held from the system), used_bytes, live_bytes (at the last "
           "collection), allocated_bytes (ever), peak_bytes, limit_bytes, external_bytes "
           "(outside the heap), snapshots and snapshot_bytes (memory that their log holds), "
           "collections, full_collections, young_collections, collect_ms and "
           "longest_ms (time they took), pauses (how often the program waited for them) with "
           "pause_p50_ms, pause_p99_ms and pause_p999_ms, allocation_rate (bytes a second since the "
           "start), fragmentation (the share of committed_bytes that is in no object, 0 to 1)."),
    NATIVE("collect", memory_collect, "collect()", "Collects garbage now, and gives back what snapshots need no more."),
    NATIVE("heap_report", memory_heap_report, "heap_report() -> map",
           "What the heap holds: the name of each kind of object -> {count, bytes}."),
    NATIVE("fragmentation", memory_fragmentation, "fragmentation() -> list",
           "A map for each size class in use: kind (slab, middle or large), frames (whether it "
           "holds scope frames), slot_bytes (0: any size), blocks, span_bytes (what it takes), "
           "external (the share of that in free places) and internal (the share of the blocks "
           "lost to rounding up sizes)."),
    NATIVE("verify", memory_verify, "verify() -> bool",
           "Proves the whole heap consistent: true, or throws what is wrong (slow)."),
};

const ModuleDef module_memory = {"memory", "The heap: statistics, collection, checks.",
                                 memory_defs, LIB_COUNT(memory_defs), -1, NULL};
