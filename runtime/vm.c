/* vm.c - a virtual machine's life: its state, its roots, memory for objects, fuel, output. */
#include "run.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../gc/os.h"
#include "fiber.h"
#include "fork.h"
#include "import.h"
#include "intern.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "native.h"
#include "output.h"
#include "snapshot_life.h"
#include "str.h"
#include "task.h"

enum { FUEL_SLICE = 1 << 12, STRESS_SLICE = 4 };
enum { STOP_INTERRUPT = 12, STOP_FUEL, STOP_ANY_FUEL }; /* in VmState.spare */
enum { PRESSED_BYTES = 4096 }; /* alive, that cost a step where collections gain nothing */

/* ---- the collector's callbacks ---- */

static void mark_roots(Gc *gc, void *embedder) {
  ox_VM *vm = embedder;
  fiber_note_used(vm);
  for (uint32_t i = 0; i < vm->nroots; i++) gc_mark_value(gc, vm->roots[i]);
  gc_mark_value(gc, vm->callee);
  if (vm->mark_extra) vm->mark_extra(gc, vm);
}

static bool interrupt_pending(ox_VM *vm) {
  return __atomic_load_n(&vm->interrupt, __ATOMIC_RELAXED);
}

/* The next poll looks at the flag, however little of the slice was used: what makes garbage fast may
 * take its time over each step. */
static void cut_slice(ox_VM *vm) {
  if (vm->st->fuel <= 1) return;
  vm->fuel_limit += vm->fuel_limited ? vm->st->fuel - 1 : 0;
  vm->st->fuel = 1;
}

static void log_short(Gc *gc, void *embedder) {
  (void)gc;
  ox_VM *vm = embedder;
  vm->log_short = true;
  cut_slice(vm);
}

/* Inline caches hold refs of classes, modules and methods, any of which may have died. */
static void after_mark(Gc *gc, void *embedder) {
  ox_VM *vm = embedder;
  intern_begin_purge(vm);
  snapshot_life_sweep(vm);
  memset(vm->cage - GC_CACHE_OFF, 0, vm->st->next_cache * sizeof(InlineCache));
  vm_charge_steps(vm, gc_pressed_bytes(gc) / PRESSED_BYTES);
  if (interrupt_pending(vm)) cut_slice(vm);
}

static bool purge(Gc *gc, void *embedder, uint64_t places) {
  (void)gc;
  return intern_purge(embedder, places);
}

static void finalize(Gc *gc, void *embedder, Ref object) {
  (void)gc;
  ox_VM *vm = embedder;
  if (((Header *)gc_ptr(vm->cage, object))->kind == KIND_FOREIGN) foreign_finalize(vm, object);
  else if (vm->finalize_extra) vm->finalize_extra(vm, object);
}

/* ---- life ---- */

static bool intern_into(ox_VM *vm, Value *place, const char *name) {
  *place = string_intern(vm, name, strlen(name));
  return *place != V_ERROR;
}

const char *const vm_op_names[] = {
#define OPM(e, s) s,
    OP_METHODS(OPM)
#undef OPM
};
const char *const vm_prop_names[] = {
#define X(e, s) s,
    BUILTIN_FIELDS(X)
#undef X
};

static bool init_names(ox_VM *vm) {
  for (int i = 0; i < OPM_COUNT; i++)
    if (!intern_into(vm, &vm->st->op_names[i], vm_op_names[i])) return false;
  for (int i = 0; i < PROP_COUNT; i++)
    if (!intern_into(vm, &vm->st->props[i], vm_prop_names[i])) return false;
  return true;
}

/* The error of a heap at its limit is made beforehand, and again when the limit changes. */
static Value oom_message(ox_VM *vm) {
  static const char units[][4] = {"", "Ki", "Mi", "Gi"};
  uint64_t n = gc_limit(vm->gc);
  unsigned unit = 0;
  for (; unit < 3 && n % 1024 == 0; unit++) n /= 1024;
  return string_format(vm, "out of memory (the limit is %llu %sB)", (unsigned long long)n, units[unit]);
}

void vm_set_memory_limit(ox_VM *vm, uint64_t bytes) {
  gc_set_limit(vm->gc, bytes);
  uint32_t mark = vm_roots_mark(vm);
  Value pending = vm->st->error, text = oom_message(vm);
  Value e = text == V_ERROR ? V_ERROR : error_new(vm, ERR_MEMORY, text, V_NIL);
  if (e != V_ERROR) gc_store(vm->cage, gc_word(vm->cage, &vm->st->oom_error), e);
  vm->st->error = pending;
  vm_roots_reset(vm, mark);
}

/* Programs are stopped even if there is no memory for the error that says why: they are
 * made beforehand. One names the budget; where there was no memory for it the other one does. */
static bool prepare_stop(ox_VM *vm, unsigned which, ErrorKind kind, const char *text) {
  Value message = string_new(vm, text, strlen(text));
  Value e = message == V_ERROR ? V_ERROR : error_new(vm, kind, message, V_NIL);
  if (e != V_ERROR) gc_store(vm->cage, gc_word(vm->cage, &vm->st->spare[which]), e);
  return e != V_ERROR;
}

static bool init_state(ox_VM *vm) {
  VmState *st = vm->st;
  if (!string_init(vm) || !init_names(vm)) return false;
  if ((st->stub = loader_stub(vm)) == V_ERROR || !fiber_init_main(vm)) return false;
  if ((st->globals = list_new(vm, 8)) == V_ERROR ||
      (st->global_names = map_new(vm, 8)) == V_ERROR || (st->modules = map_new(vm, 8)) == V_ERROR)
    return false;
  Value text = oom_message(vm);
  if (text == V_ERROR || (st->oom_error = error_new(vm, ERR_MEMORY, text, V_NIL)) == V_ERROR)
    return false;
  return prepare_stop(vm, STOP_INTERRUPT, ERR_INTERRUPT, "interrupted") &&
         prepare_stop(vm, STOP_ANY_FUEL, ERR_FUEL, "the budget is used up") && natives_init(vm);
}

static void clear_state(VmState *st) {
  memset(st, 0, sizeof *st);
  st->fiber = st->core = st->globals = st->global_names = st->modules = st->strings = V_NIL;
  st->oom_error = st->stub = st->empty_string = st->thrown_trace = st->prelude = V_NIL;
  st->error = V_ABSENT;
  st->exit_value = st->held = V_NIL;
  for (int i = 0; i < 32; i++) st->kind_class[i] = V_NIL;
  st->hash_seed = 0x5bd1e9955bd1ull;
  st->fuel = FUEL_SLICE;
}

/* For the trace of an error of memory, see trace.c. */
enum { TRACE_RESERVE = 8 << 10 };

static GcConfig gc_config(ox_VM *vm, const VmConfig *config) {
  return (GcConfig){.cage_bytes = config->cage_bytes,
                    .limit_bytes = config->limit_bytes,
                    .reserve_bytes = TRACE_RESERVE,
                    .embedder = vm,
                    .mode = config->gc_mode,
                    .notes_stacks = true,
                    .heap_percent = config->heap_percent,
                    .goal_bytes = config->memory_goal,
                    .root_bytes = sizeof(VmState),
                    .guard = config->snapshot_stress,
                    .mark_roots = mark_roots,
                    .after_mark = after_mark,
                    .purge = purge,
                    .finalize = finalize,
                    .log_short = log_short};
}

/* What lies outside of the cage. */
static bool init_outside(ox_VM *vm, const VmConfig *config) {
  vm->cage = gc_base(vm->gc);
  vm->st = (VmState *)(vm->cage + GC_ROOT_OFF);
  vm->max_c_depth = 180;
  vm->max_stack = config->max_stack ? config->max_stack : 1 << 20;
  vm->write = config->write;
  vm->write_error = config->write_error;
  vm->write_ctx = config->write_ctx;
  vm->snapshot_stress = config->snapshot_stress;
  vm->write_lines = config->write_lines;
  vm->argc = config->argc;
  vm->argv = config->argv;
  vm->callee = vm->entry_fiber = V_NIL;
  vm->start_ns = os_now_ns();
  return import_init(vm, config->load, config->load_ctx);
}

/* A budget needs objects of its own, see prepare_end. */
static void begin(ox_VM *vm, const VmConfig *config, uint64_t fuel) {
  vm->entry_fiber = vm->st->fiber;
  vm_roots_reset(vm, 0);
  vm_set_fuel(vm, fuel);
  gc_set_stress_seed(vm->gc, config->gc_stress_seed);
  gc_set_stress(vm->gc, config->gc_stress || config->gc_stress_seed);
}

static bool init(ox_VM *vm, const VmConfig *config) {
  GcConfig gc = gc_config(vm, config);
  vm->gc = gc_new(&gc);
  if (!vm->gc || !init_outside(vm, config)) return false;
  clear_state(vm->st);
  vm->st->next_cache = LOOKUP_CACHES;
  if (!init_state(vm)) return false;
  begin(vm, config, config->fuel);
  return true;
}

static bool init_around(ox_VM *vm, const VmConfig *config, const GcContent *content) {
  GcConfig gc = gc_config(vm, config);
  vm->gc = gc_new_with(&gc, content);
  if (!vm->gc || !init_outside(vm, config)) return false;
  vm->new_strings.known = true; /* all are old */
  begin(vm, config, 0); /* nothing is proven yet: vm_image_settle gives it the budget */
  return true;
}

static const VmConfig default_config;

ox_VM *vm_new(const VmConfig *config) {
  ox_VM *vm = calloc(1, sizeof *vm);
  if (!vm) return NULL;
  if (init(vm, config ? config : &default_config)) return vm;
  vm_free(vm);
  return NULL;
}

ox_VM *vm_new_around(const VmConfig *config, const GcContent *content) {
  ox_VM *vm = calloc(1, sizeof *vm);
  if (!vm) return NULL;
  if (init_around(vm, config ? config : &default_config, content)) return vm;
  vm_free(vm);
  return NULL;
}

void vm_forget(ox_VM *vm) {
  gc_forget(vm->gc);
  vm->gc = NULL;
  vm_free(vm);
}

/* What is left of foreign objects is finalized while the heap is there: buffers count in it. */
static void free_heap(ox_VM *vm) {
  gc_finalize_all(vm->gc);
  foreign_finalize_all(vm);
  gc_free(vm->gc);
}

void vm_free(ox_VM *vm) {
  if (!vm) return;
  if (vm->asleep) {
    free_heap(vm);
  } else if (vm->gc) {
    output_finish(vm);
    task_end_all(vm);
    vm_flush(vm);
    if (vm->fuel_pool) fork_leave_pool(vm);
    if (vm->born_caches) fork_forget(vm);
    free_heap(vm);
  }
  if (vm->free_api) vm->free_api(vm);
  task_leave_family(vm);
  snapshot_life_free(vm);
  import_free(vm);
  intern_close(vm);
  free(vm->roots);
  free(vm->handles);
  free(vm->out);
  free(vm);
}

/* ---- memory ---- */

bool vm_root_slow(ox_VM *vm, Value v) {
  uint32_t cap = vm->roots_cap ? vm->roots_cap * 2 : 256;
  int64_t more = (int64_t)((cap - vm->roots_cap) * sizeof(Value)); /* v may be known to nobody yet */
  bool allowed = cap > vm->roots_cap && gc_external_now(vm->gc, more);
  Value *roots = allowed ? realloc(vm->roots, cap * sizeof(Value)) : NULL;
  if (!roots) {
    if (allowed) gc_external_now(vm->gc, -more);
    vm_throw_oom(vm);
    return false;
  }
  vm->roots = roots;
  vm->roots_cap = cap;
  vm->roots[vm->nroots++] = v;
  return true;
}

void *vm_alloc(ox_VM *vm, uint64_t words, Kind kind, uint8_t layout, uint16_t n, uint32_t aux) {
  void *block = gc_alloc(vm->gc, words, GC_SPACE_OBJECT);
  if (!block) {
    vm_throw_oom(vm);
    return NULL;
  }
  *(Header *)block = (Header){(uint8_t)kind, layout, n, aux};
  return block;
}

Store *store_new(ox_VM *vm, uint64_t cap) {
  if (cap > UINT32_MAX) return vm_throw_oom(vm), NULL;
  Store *s = vm_alloc(vm, 1 + cap, KIND_STORE, LAYOUT_WIDE, 0, (uint32_t)cap);
  for (uint64_t i = 0; s && i < cap; i++) s->items[i] = V_NIL;
  return s;
}

Bytes *bytes_new(ox_VM *vm, uint64_t len) {
  if (len > UINT32_MAX) return vm_throw_oom(vm), NULL;
  Bytes *b = vm_alloc(vm, 1 + (len + 7) / 8, KIND_BYTES, LAYOUT_RAW, 0, (uint32_t)len);
  if (b) memset(b->data, 0, (len + 7) / 8 * 8);
  return b;
}

/* Each block from malloc begins with its size and its VM. */
typedef union Counted {
  struct { size_t n; ox_VM *vm; };
  max_align_t align;
} Counted;

void *vm_realloc(ox_VM *vm, void *p, size_t n) {
  Counted *old = p ? (Counted *)p - 1 : NULL;
  size_t before = old ? old->n : 0, more = n > before ? n - before : 0;
  if (n > INT64_MAX - sizeof(Counted) || !gc_external(vm->gc, (int64_t)more)) return NULL;
  Counted *block = realloc(old, sizeof *block + n);
  int64_t unused = block ? (int64_t)(before + more - n) : (int64_t)more;
  gc_external(vm->gc, -unused);
  if (!block) return NULL;
  block->n = n;
  block->vm = vm;
  return block + 1;
}

void *vm_malloc(ox_VM *vm, size_t n) { return vm_realloc(vm, NULL, n); }

void vm_release(void *p) {
  if (!p) return;
  Counted *block = (Counted *)p - 1;
  gc_external(block->vm->gc, -(int64_t)block->n);
  free(block);
}

double vm_allocation_rate(ox_VM *vm, const GcStats *stats) {
  uint64_t now = os_now_ns();
  if (now <= vm->start_ns) return 0;
  return (double)stats->allocated_bytes * 1e9 / (double)(now - vm->start_ns);
}

/* ---- fuel and interrupts ----
 * st->fuel is a slice of the budget. When it ends, and at calls from C, the flag of vm_interrupt is
 * looked at; that flag is all that another thread or a signal handler writes. A slice is short
 * enough (some microseconds of loop turns) for an interrupt to seem immediate. */

/* What is left of the slice goes back into the budget before the next one is cut off. */
static void next_slice(ox_VM *vm) {
  uint64_t slice = vm->snapshot_stress ? STRESS_SLICE : FUEL_SLICE;
  if (vm->fuel_limited) {
    vm->fuel_limit += vm->st->fuel;
    if (vm->fuel_limit < slice) slice = vm->fuel_limit;
    vm->fuel_limit -= slice;
  }
  vm->st->fuel = slice;
}

static bool stop(ox_VM *vm, unsigned which, ErrorKind kind, const char *text) {
  vm_throw(vm, kind, "%s", text);
  Value prepared = vm->st->spare[which];
  if (vm->st->error == vm->st->oom_error && v_is(prepared, KIND_ERROR)) {
    gc_store(vm->cage, v_ref(prepared).w + offsetof(Error, trace) / 8, V_NIL);
    vm_throw_value(vm, prepared);
  }
  vm->unwinding_uncatchable = true;
  return false;
}

static const char *fuel_text(const ox_VM *vm, char text[64]) {
  unsigned long long n = vm->fuel_given;
  snprintf(text, 64, "the budget of %llu steps is used up", n);
  return text;
}

/* Is the error prepared for the end of a budget the one for this budget? */
static bool is_named(ox_VM *vm, const char *text) {
  Value e = vm->st->spare[STOP_FUEL];
  Value said = v_is(e, KIND_ERROR) ? ((Error *)vm_deref(vm, e))->message : V_NIL;
  String *message = v_is(said, KIND_STRING) ? string_flat(vm, said) : NULL;
  return message && strcmp(message->chars, text) == 0;
}

/* With a used-up budget st->fuel stays at 1: the next poll stops again. */
static bool out_of_fuel(ox_VM *vm) {
  char text[64];
  vm->st->fuel = 1;
  fuel_text(vm, text);
  return stop(vm, is_named(vm, text) ? STOP_FUEL : STOP_ANY_FUEL, ERR_FUEL, text);
}

void vm_no_fuel(ox_VM *vm) {
  if (vm->fuel_pool) fork_leave_pool(vm);
  vm->fuel_limit = 0;
  vm->st->fuel = 1;
}

void vm_end_budget(ox_VM *vm) {
  vm_no_fuel(vm);
  out_of_fuel(vm);
}

bool vm_refuel(ox_VM *vm) {
  if (vm->fuel_limited && vm->fuel_limit + vm->st->fuel == 0) {
    if (!vm->fuel_pool || !fork_draw_fuel(vm, 0)) return out_of_fuel(vm);
  }
  next_slice(vm);
  vm->log_short = vm->log_short && gc_snapshot_is_short(vm->gc);
  if (vm->log_short || gc_is_beyond_limit(vm->gc)) return vm_throw_oom(vm), false;
  if (!interrupt_pending(vm)) return true;
  __atomic_store_n(&vm->interrupt, 0, __ATOMIC_RELAXED);
  task_cancel_all(vm);
  return stop(vm, STOP_INTERRUPT, ERR_INTERRUPT, "interrupted");
}

bool vm_poll(ox_VM *vm, uint64_t steps) {
  while (steps >= vm->st->fuel) {
    steps -= vm->st->fuel;
    vm->st->fuel = 0;
    if (!vm_refuel(vm)) return false;
  }
  vm->st->fuel -= steps;
  return !interrupt_pending(vm) || vm_refuel(vm);
}

/* Nothing stops here: what is charged beyond the slice makes the next poll look. */
void vm_charge_steps(ox_VM *vm, uint64_t steps) {
  if (steps < vm->st->fuel) {
    vm->st->fuel -= steps;
    return;
  }
  uint64_t beyond = vm->st->fuel ? steps - vm->st->fuel + 1 : steps;
  if (vm->fuel_pool && vm->fuel_limit < beyond) fork_draw_fuel(vm, beyond - vm->fuel_limit);
  vm->st->fuel = vm->st->fuel ? 1 : 0;
  if (vm->fuel_limited) vm->fuel_limit -= beyond < vm->fuel_limit ? beyond : vm->fuel_limit;
}

void vm_interrupt(ox_VM *vm) { __atomic_store_n(&vm->interrupt, 1, __ATOMIC_RELAXED); }

static void prepare_end(ox_VM *vm) {
  char text[64];
  if (is_named(vm, fuel_text(vm, text))) return;
  uint32_t mark = vm_roots_mark(vm);
  Value pending = vm->st->error;
  prepare_stop(vm, STOP_FUEL, ERR_FUEL, text);
  vm->st->error = pending;
  vm_roots_reset(vm, mark);
}

/* The stored budget is one more than what may be used, so that the last poll succeeds. */
void vm_set_fuel(ox_VM *vm, uint64_t fuel) {
  if (vm->fuel_pool) fork_leave_pool(vm);
  vm->fuel_limited = fuel > 0;
  vm->fuel_given = fuel;
  vm->fuel_budgets++;
  vm->fuel_limit = fuel + (fuel < UINT64_MAX);
  vm->st->fuel = 0;
  next_slice(vm);
  if (fuel > 0) prepare_end(vm);
}

uint64_t vm_fuel_left(ox_VM *vm) {
  uint64_t pool = vm->fuel_pool ? fork_pool_fuel(vm) : 0;
  return vm->fuel_limited ? vm->fuel_limit + pool + vm->st->fuel - 1 : 0;
}
