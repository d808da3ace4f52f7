/* heap.c - the interface of gc/heap.h on libgc, the collector of Boehm, Demers and Weiser. Built
 * instead of all other allocators and collectors by `make BOEHM=1`, to compare with them; no part
 * of Oxbow proper.
 *
 * References are indices from the base of a cage, so libgc's heap must lie in one: the linker hands
 * its calls of mmap to __wrap_mmap, which gives it pieces of a range that was reserved here.
 * Objects are of a kind of their own, whose mark procedure reads their headers as gc/mark.c does:
 * marking is precise, but for the C stack, which libgc scans in any case. Small blocks come from
 * free lists that gc_bump takes from inline; a collection drops the lists.
 *
 * libgc keeps one heap per process, in variables, so there is one Gc at a time. Not here, where a
 * caller can tell: snapshots (gc_snapshot says out of memory), collection at every allocation,
 * minor collections, the checker, the report by size class, the soft limit. The limit holds for the
 * heap as libgc counts it.
 */
#include "../heap.h"
#include "../os.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <gc/gc.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>

#define FIRST_OFF ((uint64_t)16 * GC_PAGE)
#define RESERVED (GC_CACHE_OFF + GC_MAX_CAGE)

struct Gc {
  GcConfig config;
  uint8_t *base;
  uint8_t *next; /* of the range, what libgc has not got yet */
  bool in_use, purging;
  int kind;
  void **roots; /* found by the embedder, for libgc to scan */
  uint64_t root_count, root_capacity;
  uint32_t *finals;
  uint64_t final_count, final_capacity;
  uint64_t external, limit, started, ns_total, ns_max;
};

static Gc the_heap; /* as libgc's own state, a variable of the process */

/* ---- memory for libgc ------------------------------------------------------------------------ */

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
__attribute__((visibility("default"))) void *__wrap_mmap(void *at, size_t bytes, int prot,
                                                         int flags, int fd, off_t offset);

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
  Gc *gc = &the_heap;
  if (!gc->base || (flags & MAP_FIXED) || (prot & PROT_EXEC) || !(flags & MAP_ANONYMOUS))
    return __real_mmap(at, bytes, prot, flags, fd, offset);
  bytes = (bytes + GC_PAGE - 1) & ~(size_t)(GC_PAGE - 1);
  if (bytes > (uint64_t)(gc->base + GC_MAX_CAGE - GC_PAGE - gc->next)) return MAP_FAILED;
  at = gc->next;
  gc->next += bytes;
  return at;
}

/* ---- marking --------------------------------------------------------------------------------- */

typedef struct Stack { struct GC_ms_entry *top, *limit; } Stack;

static void push(Stack *s, uint32_t ref, void *from) {
  if (!ref) return;
  void *block = gc_ptr(the_heap.base, (Ref){ref});
  s->top = GC_MARK_AND_PUSH(block, s->top, s->limit, from);
}

static void push_values(Stack *s, const Value *from, const Value *to) {
  for (; from < to; from++)
    if (*from >> 48 == VALUE_REF_HIGH) push(s, (uint32_t)*from, (void *)from);
}

static void push_plain(Stack *s, Header *h, uint64_t words) {
  uint64_t pairs = layout_pairs(h->layout), end = 1 + pairs + h->n;
  Value *p = (Value *)h;
  if (h->layout & LAYOUT_AUX_REF) push(s, h->aux, h);
  for (uint64_t i = 1; i <= pairs && i < words; i++) {
    push(s, (uint32_t)p[i], p + i);
    push(s, (uint32_t)(p[i] >> 32), p + i);
  }
  push_values(s, p + 1 + pairs, p + (end < words ? end : words));
}

/* A word on the C stack may lead to a block that is free: nothing beyond the block is looked at,
 * whatever its first word says. */
static struct GC_ms_entry *mark_block(GC_word *at, struct GC_ms_entry *top,
                                      struct GC_ms_entry *limit, GC_word ignored) {
  Stack s = {top, limit};
  Header *h = (Header *)at;
  Value *p = (Value *)at;
  uint64_t words = GC_size(at) / 8, end = 1 + (uint64_t)h->aux;
  (void)ignored;
  switch (h->layout & LAYOUT_MASK) {
    case LAYOUT_VALUES: push_plain(&s, h, words); break;
    case LAYOUT_WIDE:
      push_values(&s, p + 1, p + (end < words ? end : words));
      break;
    case LAYOUT_RAW:
      if (h->layout & LAYOUT_AUX_REF) push(&s, h->aux, h);
      break;
    case LAYOUT_STACK:
      end = 2 + (p[1] < h->aux ? p[1] : h->aux);
      push_values(&s, p + 2, p + (end < words ? end : words));
      break;
  }
  return s.top;
}

/* Roots are collected in an array, which libgc then scans. */
void gc_mark_ref(Gc *gc, Ref r) {
  if (!r.w) return;
  if (gc->root_count == gc->root_capacity) {
    gc->root_capacity = gc->root_capacity ? 2 * gc->root_capacity : 1024;
    gc->roots = realloc(gc->roots, gc->root_capacity * sizeof *gc->roots);
    if (!gc->roots) abort();
  }
  gc->roots[gc->root_count++] = gc_ptr(gc->base, r);
}

void gc_mark_value(Gc *gc, Value v) {
  if (v >> 48 == VALUE_REF_HIGH) gc_mark_ref(gc, (Ref){(uint32_t)v});
}

static void push_roots(void) {
  Gc *gc = &the_heap;
  gc->root_count = 0;
  if (!gc->in_use) return;
  if (gc->config.mark_roots) gc->config.mark_roots(gc, gc->config.embedder);
  const Value *area = (const Value *)(gc->base + GC_ROOT_OFF);
  for (uint64_t i = 0; i < GC_ROOT_BYTES / 8; i++) gc_mark_value(gc, area[i]);
  if (gc->root_count) GC_push_all(gc->roots, gc->roots + gc->root_count);
}

void gc_finish_purge(Gc *gc) { (void)gc; }
bool gc_is_dead(Gc *gc, Ref r) { return gc->purging && !gc_is_marked(gc, r); }
bool gc_is_marked(Gc *gc, Ref r) { return GC_is_marked(gc_ptr(gc->base, r)); }
void gc_mark_drain(Gc *gc) { (void)gc; }
bool gc_is_minor(Gc *gc) { return (void)gc, false; }
uint64_t gc_pressed_bytes(const Gc *gc) { return (void)gc, 0; }
bool gc_holds(Gc *gc, Ref r) { return r.w && GC_base(gc_ptr(gc->base, r)) == gc_ptr(gc->base, r); }

/* ---- collections ----------------------------------------------------------------------------- */

static void report_finals(Gc *gc, bool all) {
  uint64_t kept = 0;
  for (uint64_t i = 0; i < gc->final_count; i++) {
    Ref r = {gc->finals[i]};
    if (!all && gc_is_marked(gc, r)) gc->finals[kept++] = r.w;
    else if (gc->config.finalize) gc->config.finalize(gc, gc->config.embedder, r);
  }
  gc->final_count = kept;
}

static void on_event(GC_EventType event) {
  Gc *gc = &the_heap;
  if (event == GC_EVENT_MARK_START) {
    gc->started = os_now_ns();
    memset(gc_free_lists(gc->base), 0, GC_CLASSES * sizeof(void *));
  } else if (event == GC_EVENT_MARK_END && gc->in_use) {
    if (gc->config.after_mark) gc->config.after_mark(gc, gc->config.embedder);
    gc->purging = true;
    while (gc->config.purge && !gc->config.purge(gc, gc->config.embedder, UINT64_MAX)) continue;
    gc->purging = false;
    report_finals(gc, false);
    uint64_t ns = os_now_ns() - gc->started;
    gc->ns_total += ns;
    if (ns > gc->ns_max) gc->ns_max = ns;
  }
}

void gc_collect(Gc *gc) { (void)gc, GC_gcollect(); }
void gc_collect_young(Gc *gc) { gc_collect(gc); }
uint64_t gc_trim(Gc *gc) { return (void)gc, 0; }

/* ---- life cycle ------------------------------------------------------------------------------ */

static bool start_libgc(Gc *gc) {
  int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  uint8_t *at = __real_mmap(NULL, RESERVED, prot, flags, -1, 0);
  if (at == MAP_FAILED) return false;
  gc->base = at + GC_CACHE_OFF;
  gc->next = gc->base + FIRST_OFF;
  madvise(gc->base + FIRST_OFF, GC_MAX_CAGE - FIRST_OFF, MADV_HUGEPAGE); /* as ours has */
  GC_set_all_interior_pointers(0);
  GC_set_no_dls(1);
  GC_set_warn_proc(GC_ignore_warn_proc);
  GC_INIT();
  GC_set_push_other_roots(push_roots);
  GC_set_on_collection_event(on_event);
  unsigned proc = GC_new_proc(mark_block);
  gc->kind = (int)GC_new_kind(GC_new_free_list(), GC_MAKE_PROC(proc, 0), 0, 0);
  return true;
}

Gc *gc_new(const GcConfig *config) {
  Gc *gc = &the_heap;
  if (gc->in_use || (!gc->base && !start_libgc(gc))) return NULL;
  gc->config = *config;
  gc->in_use = true;
  gc->external = gc->final_count = 0;
  memset(gc->base - GC_CACHE_OFF, 0, GC_PAGE);
  memset(gc->base + GC_ROOT_OFF, 0, GC_ROOT_BYTES);
  *gc_host(gc->base) = (HostPage){gc, config->embedder};
  gc_set_limit(gc, config->limit_bytes);
  return gc;
}

void gc_finalize_all(Gc *gc) { report_finals(gc, true); }

void gc_free(Gc *gc) {
  if (!gc) return;
  gc_finalize_all(gc);
  gc->in_use = false;
}

uint8_t *gc_base(Gc *gc) { return gc->base; }
uint64_t gc_limit(const Gc *gc) { return gc->limit; }

void gc_set_limit(Gc *gc, uint64_t bytes) {
  gc->limit = bytes ? bytes : gc->config.cage_bytes ? gc->config.cage_bytes : (uint64_t)4 << 30;
  GC_set_max_heap_size(gc->limit);
}
void gc_use_reserve(Gc *gc, bool use) { GC_set_max_heap_size(gc->limit + (use ? 64 << 10 : 0)); }
void gc_set_stress(Gc *gc, bool on) { (void)gc, (void)on; }
void gc_set_stress_seed(Gc *gc, uint64_t seed) { (void)gc, (void)seed; }
void gc_set_mode(Gc *gc, GcMode mode) { (void)gc, (void)mode; }
void gc_set_goal(Gc *gc, uint64_t bytes) { (void)gc, (void)bytes; }

/* ---- allocation ------------------------------------------------------------------------------ */

void *gc_alloc(Gc *gc, uint64_t words, unsigned space) {
  if (words > gc->limit / 8) return NULL;
  if (words > GC_SMALL_WORDS) return GC_generic_malloc(words * 8, gc->kind);
  unsigned class = gc_class_of_words[words ? words : 1];
  void *block = gc_bump(gc->base, space, class);
  if (block) return block;
  void *list = NULL;
  size_t bytes = (gc_class_words[class] * 8u + GC_GRANULE_BYTES - 1) & ~(size_t)(GC_GRANULE_BYTES - 1);
  GC_generic_malloc_many(bytes, gc->kind, &list);
  gc_free_lists(gc->base)[class] = list;
  return gc_bump(gc->base, space, class);
}

void *gc_alloc_nocollect(Gc *gc, uint64_t words, unsigned space) {
  GC_disable();
  void *block = gc_alloc(gc, words, space);
  GC_enable();
  return block;
}

uint64_t gc_block_words(Gc *gc, const void *block) { return (void)gc, GC_size(block) / 8; }

/* Small ones are left to the collector: that is how libgc is fastest. */
void gc_release(Gc *gc, void *block) {
  if (gc_block_words(gc, block) > GC_SMALL_WORDS) GC_free(block);
}

bool gc_extend(Gc *gc, void *block, uint64_t words) { return words <= gc_block_words(gc, block); }

bool gc_external(Gc *gc, int64_t bytes) {
  if (bytes > 0 && (uint64_t)bytes > gc->limit - (gc->external < gc->limit ? gc->external : gc->limit))
    return false;
  gc->external += (uint64_t)bytes;
  return true;
}

bool gc_add_final(Gc *gc, Ref object) {
  if (gc->final_count == gc->final_capacity) {
    uint64_t capacity = gc->final_capacity ? 2 * gc->final_capacity : 64;
    uint32_t *finals = realloc(gc->finals, capacity * sizeof *finals);
    if (!finals) return false;
    gc->finals = finals;
    gc->final_capacity = capacity;
  }
  gc->finals[gc->final_count++] = object.w;
  return true;
}

/* ---- no barrier, no snapshots, no forks ------------------------------------------------------ */

void gc_barrier_slow(uint8_t *base, uint64_t page) { (void)base, (void)page; }
void gc_touch_range(uint8_t *base, uint64_t word, uint64_t n) { (void)base, (void)word, (void)n; }

GcSnapshot gc_snapshot(Gc *gc, uint64_t *name) { return (void)gc, (void)name, 0; }
GcSnapshotStatus gc_restore(Gc *gc, GcSnapshot s) { return (void)gc, (void)s, GC_SNAPSHOT_RELEASED; }
void gc_snapshot_release(Gc *gc, GcSnapshot s) { (void)gc, (void)s; }
bool gc_snapshot_trim(Gc *gc) { return (void)gc, false; }
bool gc_snapshot_is_short(const Gc *gc) { return (void)gc, false; }
GcSnapshotStatus gc_snapshot_status(Gc *gc, GcSnapshot s) {
  return (void)gc, (void)s, GC_SNAPSHOT_RELEASED;
}
uint64_t *gc_snapshot_word(Gc *gc, GcSnapshot s) { return (void)gc, (void)s, NULL; }
bool gc_has_snapshots(const Gc *gc) { return (void)gc, false; }
bool gc_is_collecting(const Gc *gc) { return (void)gc, false; } /* finalizers run outside of it */
void gc_revive(Gc *gc, Ref r) { (void)gc, (void)r; } /* weak tables are cleared when all is stopped */
bool gc_external_now(Gc *gc, int64_t bytes) { return gc_external(gc, bytes); }
void gc_snapshot_stats(Gc *gc, GcSnapshotStats *out) { (void)gc, *out = (GcSnapshotStats){0}; }
bool gc_past_open(Gc *gc, GcSnapshot s) { return (void)gc, (void)s, false; }
bool gc_past_same(Gc *gc, Ref r) { return (void)gc, (void)r, false; }
void gc_past_close(Gc *gc) { (void)gc; }
uint64_t gc_past_word(Gc *gc, uint64_t word) { return ((uint64_t *)gc_base(gc))[word]; }
GcPastTrace *gc_past_trace(Gc *gc, uint64_t *work) { return (void)gc, (void)work, NULL; }
bool gc_past_reaches(const GcPastTrace *trace, Ref r) { return (void)trace, (void)r, true; }
void gc_past_trace_free(GcPastTrace *trace) { (void)trace; }
GcPastTrace *gc_past_trace_from(Gc *gc, const Value *values, uint64_t n, uint64_t *work) {
  return (void)gc, (void)values, (void)n, (void)work, NULL;
}
void gc_past_compare(Gc *gc, GcPastTrace *here, const GcPastTrace *there, GcPastDiff *out) {
  (void)gc, (void)here, (void)there, *out = (GcPastDiff){0};
}
bool gc_past_meet(const GcPastTrace *a, const GcPastTrace *b) {
  return (void)a, (void)b, false;
}

Gc *gc_fork(Gc *gc, void *embedder) { return (void)gc, (void)embedder, NULL; }
Gc *gc_fork_asleep(Gc *gc, void *embedder) { return gc_fork(gc, embedder); }
bool gc_is_asleep(const Gc *gc) { return (void)gc, false; }
void gc_wake(Gc *gc) { (void)gc; }
bool gc_share_limit(Gc *gc, Gc *child) { return (void)gc, (void)child, true; }
bool gc_share_open(Gc *gc) { return (void)gc, true; }
bool gc_is_beyond_limit(Gc *gc) { return (void)gc, false; }
void gc_set_cache_bytes(Gc *gc, uint64_t bytes) { (void)gc, (void)bytes; }
bool gc_is_undoing(const Gc *gc) { return (void)gc, false; }
bool gc_is_tracked(const Gc *gc) { return (void)gc, false; }
void gc_fork_stats(Gc *gc, GcForkStats *out) { (void)gc, *out = (GcForkStats){0}; }

/* ---- reports --------------------------------------------------------------------------------- */

void gc_stats(Gc *gc, GcStats *out) {
  uint64_t heap = GC_get_heap_size(), unused = GC_get_free_bytes();
  *out = (GcStats){.committed_bytes = heap, .used_bytes = heap - unused, .live_bytes = heap - unused,
                   .allocated_bytes = GC_get_total_bytes(), .peak_bytes = heap,
                   .limit_bytes = gc->limit, .external_bytes = gc->external,
                   .collections = GC_get_gc_no(), .majors = GC_get_gc_no(),
                   .collect_ns_total = gc->ns_total, .collect_ns_max = gc->ns_max};
}

typedef struct Each {
  void (*fn)(void *ctx, void *block, uint64_t words);
  void *ctx;
} Each;

static void each_block(void *block, size_t bytes, void *each) {
  Each *e = each;
  e->fn(e->ctx, block, bytes / 8);
}

static void *each_locked(void *each) {
  GC_enumerate_reachable_objects_inner(each_block, each);
  return NULL;
}

void gc_each(Gc *gc, void (*fn)(void *ctx, void *block, uint64_t words), void *ctx) {
  Each each = {fn, ctx};
  gc_collect(gc);
  GC_call_with_alloc_lock(each_locked, &each);
}

uint64_t gc_report(Gc *gc, GcReportRow *rows, GcBytesOf *bytes_of, void *ctx) {
  (void)bytes_of, (void)ctx;
  memset(rows, 0, GC_REPORT_ROWS * sizeof *rows);
  rows[0] = (GcReportRow){.kind = GC_ROW_MIDDLE, .span_bytes = GC_get_heap_size()};
  return (void)gc, GC_get_free_bytes();
}

const char *gc_verify(Gc *gc, uint64_t *where) { return (void)gc, (void)where, NULL; }
