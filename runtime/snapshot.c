/* snapshot.c - snapshot() and restore(s, value): the whole state of the program, kept and returned
 * to.
 *
 * Everything that makes up a running program lies in the cage, its stack and its place in the code
 * included, so going back is the heap's business (gc/snapshot.c). Here remains what is around it:
 *
 *   - where to go on: the handle notes the link by which its snapshot() call wants the result.
 *     After a rollback the machine state is that of the call, and the handle is delivered there
 *     again
 *   - C frames, which are not part of the state: a snapshot may be restored while the run of the
 *     interpreter in which it was taken is the innermost one, or from any outermost run to any
 *     other. Where C code would be cut off in between, an error says so
 *   - hints beside the cage that speak of the state left: inline caches; temporary roots
 *   - the value handed over, which is copied out before and in again afterwards (carry.c)
 *
 * Not undone: the budget (a program could run for ever), limits, output. */
#include "snapshot.h"

#include "call.h"
#include "carry.h"
#include "fiber.h"
#include "lib/lib.h"
#include "snapshot_life.h"

/* A handle: an instance with two fields that programs see and some words that they do not. */
enum { FIELD_VALUE, FIELD_TURN, FIELDS, SLOT_ID = FIELDS, SLOT_RET, SLOT_RUN, SLOT_ENTRY,
       SLOT_SELF, SLOT_NEXT, SLOTS };
static const LibClass handle_class = {
    "Snapshot", LIB_SNAPSHOT_CLASS, &module_snapshot, FIELDS, SLOTS - FIELDS, {"value", "turn"}};

/* ---- handles --------------------------------------------------------------------------------- */

HandleSlots snapshot_slots(const ox_VM *vm, uint32_t ref) {
  Instance *h = gc_ptr(vm->cage, (Ref){ref});
  return (HandleSlots){&h->fields[SLOT_ID], &h->fields[SLOT_NEXT]};
}

bool snapshot_is_handle(ox_VM *vm, Ref r) {
  Header *h = gc_ptr(vm->cage, r);
  return h->kind == KIND_INSTANCE &&
         lib_is(vm, v_from_ptr(vm->cage, KIND_INSTANCE, h), &handle_class);
}

void snapshot_copied(ox_VM *vm, Value v) {
  if (lib_is(vm, v, &handle_class)) snapshot_life_link(vm, v_ref(v).w);
}

static Value handle_new(ox_VM *vm, uint64_t ret) {
  Value v = lib_instance(vm, &handle_class);
  if (v == V_ERROR) return V_ERROR;
  Instance *h = (Instance *)vm_deref(vm, v);
  gc_touch_range(vm->cage, gc_word(vm->cage, h), 1 + SLOTS);
  h->fields[FIELD_TURN] = v_from_int(0);
  h->fields[SLOT_ID] = 0;
  h->fields[SLOT_RET] = ret;
  h->fields[SLOT_RUN] = vm->run_depth <= 1 ? 0 : vm->run;
  h->fields[SLOT_ENTRY] = vm->entry_fiber;
  h->fields[SLOT_SELF] = v_ref(v).w; /* a number, since copies of the handle keep it */
  snapshot_life_link(vm, v_ref(v).w);
  return v;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* What is written to without asking: the running stack, blocks in the hands of C code. */
void snapshot_reopen(ox_VM *vm) {
  stack_reopen(vm);
  for (Borrow *b = vm->borrowed; b; b = b->next) gc_touch_range(vm->cage, b->word, b->n);
}

/* The frames below the running one are frozen like everything else: what may be written to is
 * opened again at once. */
static GcSnapshot keep_state(ox_VM *vm, uint64_t *name) {
  fiber_note_used(vm);
  GcSnapshot id = gc_snapshot(vm->gc, name);
  snapshot_reopen(vm);
  return id;
}

/* The same, and it is known who needs the snapshot. Where memory is short, those that nobody needs
 * are looked for first. */
static GcSnapshot keep(ox_VM *vm, uint64_t *name) {
  GcSnapshot id = keep_state(vm, name);
  if (!id) {
    snapshot_life_collect(vm);
    id = keep_state(vm, name);
  }
  if (!id || snapshot_life_note(vm, id, !name)) return id;
  gc_snapshot_release(vm->gc, id);
  return 0;
}

/* So that loops over them look at interrupts in time: each takes some ten microseconds and more. */
enum { KEEP_STEPS = 100, RESTORE_STEPS = 100 };

bool snapshot_keep(ox_VM *vm, uint64_t ret) {
  if (!vm_poll(vm, KEEP_STEPS)) return false;
  snapshot_life_tidy(vm);
  Value v = handle_new(vm, ret);
  if (v == V_ERROR) return false;
  if (!keep(vm, &((Instance *)vm_deref(vm, v))->fields[SLOT_ID])) {
    vm_throw(vm, ERR_MEMORY, "out of memory: no room to keep a snapshot; release others first");
    return false;
  }
  return call_deliver(vm, ret, NULL, v);
}

void snapshot_stress(ox_VM *vm) {
  GcSnapshot last = keep_state(vm, NULL);
  gc_snapshot_release(vm->gc, vm->stress_last);
  vm->stress_last = last;
}

/* ---- going back ------------------------------------------------------------------------------ */

static bool refuse_status(ox_VM *vm, GcSnapshotStatus status) {
  if (status == GC_SNAPSHOT_LOST)
    vm_throw(vm, ERR_VALUE, "this snapshot was given up: there was no memory left to log changes; "
             "release snapshots earlier or raise the memory limit");
  else if (status == GC_SNAPSHOT_MEMORY) vm_throw_oom(vm);
  else if (status == GC_SNAPSHOT_ELSEWHERE)
    vm_throw(vm, ERR_VALUE,
             "this is a snapshot of another interpreter: the one that was forked or saved");
  else vm_throw(vm, ERR_VALUE, "this snapshot has been released");
  return false;
}

/* Whether C code that waits for the program would never get its answer. */
static bool check_frames(ox_VM *vm, const Instance *h) {
  uint64_t run = h->fields[SLOT_RUN];
  if (run == 0 && vm->run_depth <= 1) return true;
  if (run == vm->run && run != 0) return true;
  if (run == 0)
    vm_throw(vm, ERR_VALUE,
             "cannot restore from here: a function written in C waits for this call; "
             "return from it first");
  else
    vm_throw(vm, ERR_VALUE,
             "cannot restore this snapshot: it was taken inside a call from a function "
             "written in C, which has gone on since");
  return false;
}

/* What goes along to another state: whether handles of snapshots are among it. */
typedef struct Along { ox_VM *vm; bool handles; } Along;

/* What is referred to in the other state, if it exists there, and not copied: code with the
 * variables that it uses, what cannot be copied, and handles. Data goes along as it is now. */
static bool is_shared(void *ctx, Ref r) {
  Along *along = ctx;
  ox_VM *vm = along->vm;
  along->handles |= snapshot_is_handle(vm, r);
  switch (((Header *)gc_ptr(vm->cage, r))->kind) {
    case KIND_LIST: case KIND_MAP: case KIND_SET: case KIND_STORE: case KIND_BYTES:
    case KIND_BOUND: case KIND_ERROR: return false;
    case KIND_INSTANCE: return snapshot_is_handle(vm, r) && gc_past_same(vm->gc, r);
    default: return gc_past_same(vm->gc, r);
  }
}

/* Roots of C code that waits: what does not exist in the other state is dropped. */
static void filter_roots(ox_VM *vm) {
  for (uint32_t i = 0; i < vm->nroots; i++)
    if (v_is_ref(vm->roots[i]) && !gc_past_same(vm->gc, v_ref(vm->roots[i]))) vm->roots[i] = V_NIL;
}

/* Copies out what goes along, and drops what must not. NULL with an error pending: refused. */
static Carry *prepare(Along *along, GcSnapshot id, Value v) {
  ox_VM *vm = along->vm;
  if (!gc_past_open(vm->gc, id)) return vm_throw_oom(vm), NULL;
  Carry *carry = carry_out(vm, v, is_shared, along, "restore");
  if (carry) filter_roots(vm);
  gc_past_close(vm->gc);
  return carry;
}

/* What lies beside the cage and speaks of the state that was left. */
static void settle(ox_VM *vm, uint64_t fuel, uint64_t caches) {
  vm->st->fuel = fuel;
  vm->st->extra = 0;
  vm->callee = V_NIL;
  memset(vm->cage - GC_CACHE_OFF, 0, caches * sizeof(InlineCache));
  if (vm->restored) vm->restored(vm);
  foreign_restored(vm);
  snapshot_reopen(vm);
}

/* The rollback itself, between outermost runs (`crosses`) or within one. *turn: how many there were
 * of this snapshot. That is counted first: settling may give the snapshots up. */
static GcSnapshotStatus go_back(ox_VM *vm, GcSnapshot id, bool crosses, uint64_t *turn) {
  uint64_t fuel = vm->st->fuel, caches = vm->st->next_cache;
  GcSnapshotStatus status = gc_restore(vm->gc, id);
  if (status != GC_SNAPSHOT_OK) return status;
  *turn = ++*gc_snapshot_word(vm->gc, id);
  vm->crossings += crosses;
  settle(vm, fuel, caches);
  return status;
}

/* The same. Later states may need more pages of the log than there is room for, if they are to be
 * gone back to in their turn: those that only the present can get at are given up then. */
static GcSnapshotStatus go_back_anyway(ox_VM *vm, GcSnapshot id, bool crosses, uint64_t *turn) {
  GcSnapshotStatus status = go_back(vm, id, crosses, turn);
  if (status != GC_SNAPSHOT_MEMORY) return status;
  snapshot_life_leave(vm, id);
  return go_back(vm, id, crosses, turn);
}

/* The handle may be a copy, which restore(s, value) has made in another time line: this is where
 * the original lies in the state kept. Nothing refers to it there yet: its call had not
 * returned. */
static Value original(ox_VM *vm, uint64_t self) {
  return v_from_ptr(vm->cage, KIND_INSTANCE, gc_ptr(vm->cage, (Ref){(uint32_t)self}));
}

static bool deliver(ox_VM *vm, Value handle, const Carry *carry, uint64_t turn) {
  Value v = vm_root(vm, handle) ? carry_in(vm, carry) : V_ERROR;
  if (v == V_ERROR) return false;
  Instance *h = (Instance *)vm_deref(vm, handle);
  lib_set_slot(vm, h, FIELD_VALUE, v);
  lib_set_slot(vm, h, FIELD_TURN, v_from_int((int64_t)turn));
  return call_deliver(vm, h->fields[SLOT_RET], NULL, handle);
}

bool snapshot_restore(ox_VM *vm, Value *args, uint64_t ret) {
  (void)ret;
  Instance *h = lib_check(vm, args[0], &handle_class, "restore: s");
  if (!h || !check_frames(vm, h)) return false;
  vm->log_short = false; /* going back gives memory back */
  if (!vm_poll(vm, RESTORE_STEPS)) return false; /* it is a turn of a loop, too */
  GcSnapshot id = h->fields[SLOT_ID];
  GcSnapshotStatus status = gc_snapshot_status(vm->gc, id);
  if (status != GC_SNAPSHOT_OK) return refuse_status(vm, status);
  uint64_t turn, self = h->fields[SLOT_SELF];
  bool crosses = h->fields[SLOT_RUN] == 0;
  Along along = {vm, false};
  Carry *carry = prepare(&along, id, args[1] == V_ABSENT ? V_NIL : args[1]);
  if (!carry) return false;
  status = (along.handles ? go_back : go_back_anyway)(vm, id, crosses, &turn);
  bool ok = status == GC_SNAPSHOT_OK;
  if (ok) {
    Value handle = original(vm, self);
    vm->entry_fiber = ((Instance *)vm_deref(vm, handle))->fields[SLOT_ENTRY];
    ok = deliver(vm, handle, carry, turn);
  } else {
    refuse_status(vm, status);
  }
  carry_free(vm, carry);
  return ok;
}

/* ---- for the host ---------------------------------------------------------------------------- */

GcSnapshot vm_snapshot(ox_VM *vm) {
  snapshot_life_tidy(vm);
  GcSnapshot id = keep(vm, NULL);
  if (!id) vm_throw(vm, ERR_MEMORY, "out of memory: no room to keep a snapshot");
  return id;
}

GcSnapshotStatus vm_restore(ox_VM *vm, GcSnapshot id) {
  GcSnapshotStatus status = gc_snapshot_status(vm->gc, id);
  if (status != GC_SNAPSHOT_OK) return status;
  if (!gc_past_open(vm->gc, id)) return GC_SNAPSHOT_MEMORY;
  filter_roots(vm);
  gc_past_close(vm->gc);
  uint64_t turn;
  return go_back_anyway(vm, id, true, &turn);
}

/* ---- methods --------------------------------------------------------------------------------- */

static Value handle_release(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *h = lib_check(vm, args[0], &handle_class, "self");
  if (!h) return V_ERROR;
  gc_snapshot_release(vm->gc, h->fields[SLOT_ID]);
  return V_NIL;
}

static Value handle_is_usable(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *h = lib_check(vm, args[0], &handle_class, "self");
  if (!h) return V_ERROR;
  return v_from_bool(gc_snapshot_status(vm->gc, h->fields[SLOT_ID]) == GC_SNAPSHOT_OK);
}

static const NativeDef methods[] = {
    NATIVE("release", handle_release, "release(self)",
           "The snapshot is needed no more; restoring it throws from now on."),
    NATIVE("is_usable", handle_is_usable, "is_usable(self) -> bool",
           "Whether it can be restored: false once it was released or given up."),
};

const ModuleDef module_snapshot = {
    "snapshot.Snapshot", "A state of the program that can be gone back to.", methods, 2, -1, NULL};
