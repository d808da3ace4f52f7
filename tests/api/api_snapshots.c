// Snapshots by the host: the state goes back, what lies outside stays, misuse is told.
#include "helpers.h"

static ox_Snapshot take(ox_VM *vm) {
  ox_Snapshot s;
  cr_assert_eq(ox_snapshot(vm, &s), OX_OK);
  cr_assert_neq(s, 0);
  return s;
}

/* The names of two VMs differ, though both have taken as many. */
static void of_another_vm(void) {
  ox_VM *a = ox_new(NULL), *b = ox_new(NULL);
  ox_Snapshot of_a = take(a), of_b = take(b);
  cr_assert_neq(of_a, of_b);
  cr_assert_eq(ox_restore(b, of_a), OX_MISUSE);
  cr_assert(strstr(ox_error(b)->message, "of another VM"));
  cr_assert_eq(ox_restore(a, of_a), OX_OK);
  ox_release(a, of_a);
  cr_assert_eq(ox_restore(a, of_a), OX_MISUSE);
  cr_assert(strstr(ox_error(a)->message, "was released"));
  done(a);
  done(b);
}

static void back_and_forth(void) {
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  value_of(vm, "let n = 1; let xs = [1, 2]; fn count() { n += 1; return n }; print(n)");
  ox_Snapshot a = take(vm);
  cr_assert_eq(int_of(vm, "xs.push(3); count(); count()"), 3);
  ox_Snapshot b = take(vm);
  value_of(vm, "n = 100; xs = nil; let fresh = {a: [1, 2, 3]}");
  cr_assert_eq(ox_restore(vm, a), OX_OK);
  cr_assert_eq(int_of(vm, "n + len(xs)"), 3);
  ox_Value value;
  cr_assert_neq(eval(vm, "fresh", &value), OX_OK);
  cr_assert_eq(ox_restore(vm, b), OX_OK);
  cr_assert_eq(int_of(vm, "n * 10 + len(xs)"), 33);
  cr_assert_eq(ox_restore(vm, a), OX_OK);
  cr_assert_eq(int_of(vm, "count()"), 2);
  cr_assert_str_eq(output.text, "1\n", "output is not undone");
  ox_SnapshotStats stats = {.size = sizeof stats};
  ox_snapshot_stats(vm, &stats);
  cr_assert_eq(stats.snapshots, 2);
  cr_assert_eq(stats.restored, 3);
  cr_assert(stats.log_pages > 0 && stats.log_bytes >= stats.log_pages * 4096);
  ox_release(vm, a);
  ox_release(vm, b);
  ox_release(vm, b);
  ox_release(vm, 0);
  ox_snapshot_stats(vm, &stats);
  cr_assert_eq(stats.snapshots, 0);
  cr_assert_eq(stats.log_pages, 0);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

// An error in the middle of a piece leaves half of its effects; the host takes them back.
static void transactions(void) {
  ox_VM *vm = vm_limited_to(0);
  value_of(vm, "let log = []");
  for (int i = 0; i < 300; i++) {
    ox_Snapshot s = take(vm);
    ox_Value value;
    const char *text = i % 2 ? "log.push(1)" : "log.push(2); log.push([3]); throw error(\"no\")";
    if (eval(vm, text, &value) != OX_OK) cr_assert_eq(ox_restore(vm, s), OX_OK);
    ox_release(vm, s);
  }
  cr_assert_eq(int_of(vm, "len(log)"), 150);
  cr_assert_eq(int_of(vm, "log.reduce(fn(a, b) => a + b)"), 150);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

static void pins_of_the_state(void) {
  ox_VM *vm = vm_limited_to(0);
  ox_Value kept = value_of(vm, "[1, 2]");
  cr_assert(ox_pin(vm, kept));
  ox_Snapshot s = take(vm);
  cr_assert(ox_pin(vm, value_of(vm, "[3]")));
  cr_assert(ox_pin(vm, kept));
  cr_assert_eq(ox_restore(vm, s), OX_OK);
  ox_Stats stats = {.size = sizeof stats};
  ox_stats(vm, &stats);
  cr_assert_eq(stats.pins, 1);
  ox_collect(vm);
  cr_assert_eq(ox_length(vm, kept), 2);
  ox_unpin(vm, kept);
  ox_stats(vm, &stats);
  cr_assert_eq(stats.pins, 0);
  ox_free(vm);
}

static int finalized[8];
static void note_finalized(void *object) { ++*(int *)object; }
static const ox_ForeignType thing = {
    .size = sizeof thing, .name = "Thing", .finalize = note_finalized};

static ox_Value make_thing(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  return ox_foreign(vm, &thing, &finalized[ox_as_int(vm, argv[0])]);
}

// Finalizers act on the world outside: once each, and never for what a snapshot still has.
static void finalizers(void) {
  ox_VM *vm = vm_limited_to(0);
  cr_assert_eq(ox_set(vm, "thing", ox_function(vm, "thing(i)", NULL, make_thing, NULL, NULL)), OX_OK);
  value_of(vm, "let a = thing(0); let b = nil");
  ox_Snapshot s = take(vm);
  value_of(vm, "a = nil; b = thing(1); nil");
  ox_collect(vm);
  cr_assert_eq(finalized[0], 0, "the snapshot has it");
  cr_assert_eq(finalized[1], 0);
  cr_assert_eq(ox_restore(vm, s), OX_OK);
  cr_assert_eq(finalized[1], 1, "it was made undone");
  value_of(vm, "b = thing(2); nil");
  ox_Snapshot branch = take(vm);
  cr_assert_eq(ox_restore(vm, s), OX_OK);
  cr_assert_eq(finalized[2], 0, "another snapshot has it");
  ox_release(vm, branch);
  cr_assert_eq(finalized[2], 1, "its branch is gone");
  ox_release(vm, s);
  value_of(vm, "a = nil");
  ox_collect(vm);
  cr_assert_eq(finalized[0], 1);
  value_of(vm, "b = thing(3); nil");
  s = take(vm);
  value_of(vm, "b = thing(4); nil");
  ox_restore(vm, s);
  value_of(vm, "b = thing(5); nil");
  take(vm);
  ox_restore(vm, s);
  ox_free(vm);
  for (int i = 0; i < 6; i++) cr_assert_eq(finalized[i], 1, "thing %d: %d times", i, finalized[i]);
}

static ox_Value snapshot_inside(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)argc, (void)argv;
  ox_Snapshot s = 77, known = *(ox_Snapshot *)context;
  cr_assert_eq(ox_snapshot(vm, &s), OX_MISUSE);
  cr_assert_eq(s, 0);
  cr_assert_eq(ox_restore(vm, known), OX_MISUSE);
  return ox_nil();
}

static void misuse(void) {
  ox_VM *vm = vm_limited_to(0), *other = vm_limited_to(0);
  ox_Snapshot s = take(vm);
  cr_assert_eq(ox_set(vm, "inside", ox_function(vm, "inside()", NULL, snapshot_inside, &s, NULL)),
               OX_OK);
  value_of(vm, "inside()");
  cr_assert_eq(ox_restore(vm, s), OX_OK);
  ox_release(vm, s);
  cr_assert_eq(ox_restore(vm, s), OX_MISUSE);
  cr_assert_eq(ox_restore(vm, 0), OX_MISUSE);
  cr_assert_eq(ox_restore(other, s), OX_MISUSE);
  cr_assert_eq(int_of(vm, "1 + 1"), 2);
  ox_free(vm);
  ox_free(other);
}

// A restore by the program, of a snapshot that an earlier call of the host took.
static void across_calls(void) {
  Output output;
  ox_VM *vm = vm_printing_to(&output);
  value_of(vm, "let n = 0");
  value_of(vm, "let s = snapshot()\nprint(\"turn \" + str(s.turn) + \" n \" + str(n))\nlet late = s.turn");
  value_of(vm, "n = 5; let only_now = 1");
  value_of(vm, "if s.turn == 0 { restore(s) }");
  cr_assert_str_eq(output.text, "turn 0 n 0\nturn 1 n 0\n");
  cr_assert_eq(int_of(vm, "n + late"), 1);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

static ox_Value call_back(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  ox_Value result;
  (void)context, (void)argc;
  return ox_call(vm, argv[0], 0, NULL, &result) == OX_OK ? result : ox_rethrow(vm);
}

// Frames of C cannot be cut off: an error says so, and all goes on.
static void through_the_host(void) {
  ox_VM *vm = vm_limited_to(0);
  cr_assert_eq(ox_set(vm, "through", ox_function(vm, "through(f)", NULL, call_back, NULL, NULL)),
               OX_OK);
  value_of(vm, "let outer = snapshot(); let inner = nil; let message = \"\"");
  value_of(vm, "try { through(fn() => restore(outer)) } catch e { message = e.message }");
  cr_assert_eq(int_of(vm, "if message.contains(\"written in C waits\") { 1 } else { 0 }"), 1);
  // taken inside: good for as long as that call is running
  cr_assert_eq(int_of(vm, "through(fn() { let s = snapshot(); inner = s;"
                          " if s.turn < 3 { restore(s) }; return s.turn })"), 3);
  value_of(vm, "try { restore(inner) } catch e { message = e.message }");
  cr_assert_eq(int_of(vm, "if message.contains(\"gone on since\") { 1 } else { 0 }"), 1);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

static void out_of_memory(void) {
  ox_VM *vm = vm_limited_to(6 << 20);
  value_of(vm, "let data = []; for i in 0..20000 { data.push([i]) }");
  ox_Snapshot s = take(vm);
  ox_Value value;
  // changes more pages than the log may hold
  ox_Status status = eval(vm, "for i in 0..20000 { data[i][0] = -i; data[i].push(\"x\") }", &value);
  cr_assert(status == OX_OK || status == OX_THROWN);
  status = ox_restore(vm, s);
  cr_assert(status == OX_OK || status == OX_MISUSE);
  if (status == OX_OK) cr_assert_eq(int_of(vm, "data[19999][0]"), 19999);
  ox_release(vm, s);
  cr_assert_eq(int_of(vm, "len(data)"), 20000);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

// Fibers that the host drives: left, finished and gone again by rollbacks.
static void fibers_of_the_host(void) {
  ox_VM *vm = vm_limited_to(0);
  ox_Value value, f;
  value_of(vm, "let kept = nil; let n = 0\n"
               "fn gen(k) { n += 1; let s = snapshot(); kept = s\n"
               "  let got = yield s.turn * 10 + n; n += 1; yield got; return 7 }");
  ox_Snapshot before = take(vm);
  cr_assert_eq(eval(vm, "fn() => gen(1)", &value), OX_OK);
  value = value_of(vm, "fn g() { for x in fiber(fn() => gen(1)) { yield x } }\ng");
  f = ox_fiber(vm, value);
  cr_assert(ox_pin(vm, f));
  cr_assert_eq(ox_resume(vm, f, ox_nil(), &value), OX_OK);
  cr_assert_eq(ox_as_int(vm, value), 1);
  // the snapshot was taken in a fiber in a fiber; from outside, the call yields there again
  cr_assert_eq(eval(vm, "kept.turn", &value), OX_OK);
  cr_assert_eq(eval(vm, "restore(kept, 5)", &value), OX_OK);
  cr_assert_eq(ox_as_int(vm, value), 11);
  while (!ox_is_done(vm, f)) cr_assert_eq(ox_resume(vm, f, ox_nil(), &value), OX_OK);
  cr_assert_null(ox_verify(vm));
  // all of it has finished since
  cr_assert_eq(eval(vm, "restore(kept, 6)", &value), OX_OK);
  cr_assert_eq(ox_as_int(vm, value), 21);
  cr_assert(!ox_is_done(vm, f));
  cr_assert_eq(ox_resume(vm, f, ox_int(vm, 3), &value), OX_OK);
  cr_assert_null(ox_verify(vm));
  cr_assert_eq(ox_restore(vm, before), OX_OK);
  ox_collect(vm);
  cr_assert_eq(int_of(vm, "n"), 0);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

static ox_VM *finalizing;
static ox_Snapshot finalizing_to;
static void restore_in_finalizer(void *object) {
#ifndef OX_DEBUG
  ox_Snapshot s;
  *(int *)object += ox_snapshot(finalizing, &s) == OX_MISUSE;
  *(int *)object += ox_restore(finalizing, finalizing_to) == OX_MISUSE;
  ox_release(finalizing, finalizing_to);
#else
  *(int *)object = 2; // debug builds abort there, see api_every_rule.c
#endif
}
static const ox_ForeignType meddler = {
    .size = sizeof meddler, .name = "Meddler", .finalize = restore_in_finalizer};

static void in_finalizers(void) {
  int refused = 0;
  ox_VM *vm = finalizing = vm_limited_to(0);
  finalizing_to = take(vm);
  ox_set(vm, "m", ox_foreign(vm, &meddler, &refused));
  ox_set(vm, "m", ox_nil());
  ox_collect(vm);
  if (!refused) cr_assert_eq(ox_restore(vm, finalizing_to), OX_OK);
  cr_assert_eq(refused, 2);
  cr_assert_eq(ox_restore(vm, finalizing_to), OX_OK);
  cr_assert_null(ox_verify(vm));
  ox_free(vm);
}

// A counter outside of the heap that follows the state: it counts rollbacks that concern it.
static void note_restored(void *object) { ++*(int *)object; }
static const ox_ForeignType follower = {
    .size = sizeof follower, .name = "Follower", .on_restore = note_restored};

static void told_of_rollbacks(void) {
  int first = 0, second = 0, old = 0;
  static const ox_ForeignType shorter = {.size = offsetof(ox_ForeignType, on_restore), .name = "Old",
                                         .on_restore = note_restored}; // of an older header
  ox_VM *vm = vm_limited_to(0);
  ox_set(vm, "first", ox_foreign(vm, &follower, &first));
  ox_set(vm, "old", ox_foreign(vm, &shorter, &old));
  ox_Snapshot a = take(vm);
  ox_set(vm, "second", ox_foreign(vm, &follower, &second));
  ox_Snapshot b = take(vm);
  cr_assert_eq(ox_restore(vm, b), OX_OK);
  cr_assert(first == 1 && second == 1);
  cr_assert_eq(ox_restore(vm, a), OX_OK);
  cr_assert(first == 2 && second == 1, "there is no second object in that state");
  cr_assert_eq(ox_restore(vm, b), OX_OK);
  cr_assert(first == 3 && second == 2);
  value_of(vm, "attempt(fn() { throw 1 }); attempt(fn() => 1)");
  cr_assert(first == 4 && second == 3);
  cr_assert_eq(old, 0);
  ox_free(vm);
}

Test(snapshots, all) {
  told_of_rollbacks();
  fibers_of_the_host();
  in_finalizers();
  of_another_vm();
  back_and_forth();
  transactions();
  pins_of_the_state();
  misuse();
  across_calls();
  through_the_host();
  out_of_memory();
  finalizers();
}
