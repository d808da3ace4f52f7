// api_every_rule.c - every function of oxbow.h looks after a rule in debug builds, or says here why
// there is none to break. The list is held against the header: a function added there without a row
// here fails.
#include "rules.h"

// RULE: what a debug build must object to; other builds must survive it.
// FATAL: the same, but other builds are promised nothing.
// NONE: why there is nothing to object to.
#define ROWS(RULE, FATAL, NONE)                                                                    \
  RULE(ox_new, "size is not set", ox_Config c = {0}; ox_new(&c))                                   \
  FATAL(ox_free, "is running", ox_set(vm, "f", function(vm, free_it)); ox_eval(vm, "f()", 3, "", 0)) \
  FATAL(ox_context, "VM is NULL", ox_context(NULL))                                                \
  NONE(ox_version, "takes nothing")                                                                \
  NONE(ox_build_info, "takes nothing")                                                             \
  RULE(ox_eval, "NULL", ox_eval(vm, NULL, 3, "t", NULL))                                           \
  RULE(ox_run, "NULL", ox_run(vm, "1", 1, NULL, NULL))                                             \
  RULE(ox_run_file, "path is NULL", ox_run_file(vm, NULL, NULL))                                   \
  RULE(ox_compile, "NULL", ox_compile(vm, NULL, 3, "t", NULL))                                     \
  RULE(ox_check, "NULL", ox_check(vm, "1", 1, NULL))                                               \
  RULE(ox_call, "values are NULL", ox_call(vm, ox_nil(), 2, NULL, NULL))                           \
  RULE(ox_call_method, "name is NULL", ox_call_method(vm, ox_nil(), NULL, 0, NULL, NULL))          \
  RULE(ox_get, "name is NULL", ox_get(vm, NULL, NULL))                                             \
  RULE(ox_set, "name is NULL", ox_set(vm, NULL, ox_nil()))                                         \
  RULE(ox_import, "name is NULL", ox_import(vm, NULL, NULL))                                       \
  RULE(ox_module, "name is NULL", ox_module(vm, NULL, ox_map(vm)))                                 \
  FATAL(ox_flush, "VM is NULL", ox_flush(NULL))                                                    \
  FATAL(ox_error, "VM is NULL", ox_error(NULL))                                                    \
  NONE(ox_status_name, "every number has an answer")                                               \
  FATAL(ox_exit_code, "VM is NULL", ox_exit_code(NULL))                                            \
  RULE(ox_throw, "no native function", ox_throw(vm, NULL, "outside"))                              \
  FATAL(ox_new_error, "format is NULL", ox_new_error(vm, NULL, none))                              \
  RULE(ox_throw_value, "no native function", ox_throw_value(vm, ox_nil()))                         \
  RULE(ox_rethrow, "no native function", ox_rethrow(vm))                                           \
  FATAL(ox_interrupt, "VM is NULL", ox_interrupt(NULL))                                            \
  FATAL(ox_set_fuel, "VM is NULL", ox_set_fuel(NULL, 1))                                           \
  FATAL(ox_fuel, "VM is NULL", ox_fuel(NULL))                                                      \
  FATAL(ox_set_memory_limit, "VM is NULL", ox_set_memory_limit(NULL, 1))                           \
  FATAL(ox_collect, "finalizer", finalize_by(vm, ox_collect))                                      \
  RULE(ox_stats, "NULL", ox_stats(vm, NULL))                                                       \
  RULE(ox_stats, "size is not set", ox_Stats s = {0}; ox_stats(vm, &s))                            \
  FATAL(ox_verify, "VM is NULL", ox_verify(NULL))                                                  \
  RULE(ox_snapshot, "NULL", ox_snapshot(vm, NULL))                                                 \
  FATAL(ox_snapshot, "finalizer", finalize_by(vm, snapshot_it))                                    \
  FATAL(ox_restore, "finalizer", finalize_by(vm, restore_it))                                      \
  FATAL(ox_release, "finalizer", finalize_by(vm, release_it))                                      \
  RULE(ox_fork, "no place", ox_fork(vm, NULL))                                                      \
  RULE(ox_fork_stats, "NULL", ox_fork_stats(vm, NULL))                                             \
  RULE(ox_fork_stats, "size", ox_ForkStats s = {0}; ox_fork_stats(vm, &s))                         \
  RULE(ox_snapshot_diff, "NULL", ox_snapshot_diff(vm, 0, 0, NULL, NULL, NULL))                     \
  RULE(ox_snapshot_diff, "size", ox_SnapshotDiff d = {0};                                          \
       ox_snapshot_diff(vm, 0, 0, &d, NULL, NULL))                                                 \
  RULE(ox_snapshot_stats, "NULL", ox_snapshot_stats(vm, NULL))                                     \
  RULE(ox_snapshot_stats, "size", ox_SnapshotStats s = {0}; ox_snapshot_stats(vm, &s))             \
  RULE(ox_image_save, "path is NULL", ox_image_save(vm, NULL, NULL))                               \
  RULE(ox_image_open, "path is NULL", ox_image_open(NULL, NULL, NULL, NULL, 0))                    \
  RULE(ox_image_verify, "path is NULL", ox_image_verify(NULL, NULL, NULL, 0))                      \
  FATAL(ox_scope_open, "VM is NULL", ox_scope_open(NULL))                                          \
  RULE(ox_scope_close, "not open", ox_scope_close(vm, 1000))                                       \
  RULE(ox_scope_close_keeping, "not open", ox_scope_close_keeping(vm, 1000, ox_nil()))             \
  FATAL(ox_pin, "no longer alive", ox_pin(vm, dead(vm)))                                           \
  RULE(ox_unpin, "not pinned", ox_unpin(vm, ox_map(vm)))                                           \
  FATAL(ox_weak, "no longer alive", ox_weak(vm, dead(vm)))                                         \
  FATAL(ox_weak_get, "no longer alive", ox_weak_get(vm, dead(vm)))                                 \
  NONE(ox_none, "takes nothing")                                                                   \
  NONE(ox_nil, "takes nothing")                                                                    \
  NONE(ox_bool, "every bool is a value")                                                           \
  NONE(ox_float, "every double is a value")                                                        \
  FATAL(ox_int, "VM is NULL", ox_int(NULL, 1))                                                     \
  RULE(ox_string, "bytes are NULL", ox_string(vm, NULL, 3))                                        \
  RULE(ox_text, "text is NULL", ox_text(vm, NULL))                                                 \
  RULE(ox_list, "values are NULL", ox_list(vm, NULL, 3))                                           \
  FATAL(ox_map, "VM is NULL", ox_map(NULL))                                                        \
  RULE(ox_function, "NULL", ox_function(vm, "f()", NULL, NULL, NULL, NULL))                        \
  NONE(ox_type, "the kind is in the value itself; nothing is looked at")                           \
  FATAL(ox_type_name, "no longer alive", ox_type_name(vm, dead(vm)))                               \
  NONE(ox_truth, "is in the value itself; nothing is looked at")                                   \
  RULE(ox_as_int, "no number", ox_as_int(vm, ox_nil()))                                            \
  RULE(ox_as_float, "no number", ox_as_float(vm, ox_nil()))                                        \
  FATAL(ox_as_string, "no longer alive", ox_as_string(vm, dead(vm), NULL))                         \
  FATAL(ox_show, "no longer alive", ox_show(vm, dead(vm), false))                                  \
  FATAL(ox_equal, "no longer alive", ox_equal(vm, dead(vm), ox_nil()))                             \
  FATAL(ox_length, "no longer alive", ox_length(vm, dead(vm)))                                     \
  FATAL(ox_index, "no longer alive", ox_index(vm, dead(vm), ox_nil(), NULL))                       \
  FATAL(ox_set_index, "no longer alive", ox_set_index(vm, ox_map(vm), ox_nil(), dead(vm)))         \
  FATAL(ox_push, "no longer alive", ox_push(vm, dead(vm), ox_nil()))                               \
  RULE(ox_member, "name is NULL", ox_member(vm, ox_map(vm), NULL, NULL))                           \
  RULE(ox_set_member, "name is NULL", ox_set_member(vm, ox_map(vm), NULL, ox_nil()))               \
  RULE(ox_next, "position", ox_next(vm, ox_map(vm), NULL, NULL, NULL))                             \
  FATAL(ox_elements, "no longer alive", ox_elements(vm, dead(vm), NULL))                           \
  RULE(ox_foreign, "type is NULL", ox_foreign(vm, NULL, vm))                                       \
  FATAL(ox_foreign_object, "no longer alive", ox_foreign_object(vm, dead(vm), &thing))             \
  RULE(ox_class, "type is NULL", ox_class(vm, NULL))                                               \
  FATAL(ox_set_slot, "no longer alive", ox_set_slot(vm, dead(vm), 0, ox_nil()))                    \
  FATAL(ox_slot, "no longer alive", ox_slot(vm, dead(vm), 0))                                      \
  FATAL(ox_charge, "no longer alive", ox_charge(vm, dead(vm), 1))                                  \
  FATAL(ox_fiber, "no longer alive", ox_fiber(vm, dead(vm)))                                       \
  FATAL(ox_resume, "no longer alive", ox_resume(vm, dead(vm), ox_nil(), NULL))                     \
  FATAL(ox_resume_throwing, "no longer alive", ox_resume_throwing(vm, dead(vm), ox_nil(), NULL))   \
  FATAL(ox_is_done, "no longer alive", ox_is_done(vm, dead(vm)))                                   \
  FATAL(ox_suspend, "no longer alive", ox_suspend(vm, dead(vm), ox_none()))                        \
  RULE(ox_disassemble, "to write is NULL", ox_disassemble(vm, "1", 1, "t", NULL, NULL))            \
  RULE(ox_reference, "NULL", ox_reference(NULL, NULL))                                             \
  RULE(ox_find_doc, "NULL", ox_find_doc(NULL, NULL, NULL))                                         \
  RULE(ox_describe, "NULL", ox_describe(vm, "x", NULL, NULL))                                      \
  RULE(ox_complete, "NULL", ox_complete(vm, NULL, 4, NULL, NULL))

// ---- what the rows use ----

static const char *const none = NULL; // where the compiler would see a NULL

static void snapshot_it(ox_VM *vm) {
  ox_Snapshot s;
  ox_snapshot(vm, &s);
}
static void restore_it(ox_VM *vm) { ox_restore(vm, 1); }
static void release_it(ox_VM *vm) { ox_release(vm, 1); }

static ox_Value free_it(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc, (void)argv;
  ox_free(vm);
  return ox_nil();
}

static ox_Value function(ox_VM *vm, ox_Function f) {
  return ox_function(vm, "f()", NULL, f, NULL, NULL);
}

// A map whose scope is closed.
static ox_Value dead(ox_VM *vm) {
  ox_Scope scope = ox_scope_open(vm);
  ox_Value v = ox_map(vm);
  ox_scope_close(vm, scope);
  return v;
}

static ox_VM *finalizing;
static void (*in_finalizer)(ox_VM *vm);
static void finalize(void *object) {
  (void)object;
  in_finalizer(finalizing);
}
static const ox_ForeignType thing = {.size = sizeof thing, .name = "thing", .finalize = finalize};

static void finalize_by(ox_VM *vm, void (*call)(ox_VM *vm)) {
  finalizing = vm;
  in_finalizer = call;
  ox_Scope scope = ox_scope_open(vm);
  ox_foreign(vm, &thing, vm);
  ox_scope_close(vm, scope);
  ox_collect(vm);
}

// ---- the rows as a table ----

typedef struct Row {
  const char *function, *rule; // rule NULL: there is none
  bool fatal;
} Row;

#define RULE_ROW(name, rule, ...) {#name, rule, false},
#define FATAL_ROW(name, rule, ...) {#name, rule, true},
#define REASON_ROW(name, reason) {#name, NULL, false},
static const Row rows[] = {ROWS(RULE_ROW, FATAL_ROW, REASON_ROW)};
enum { NROWS = sizeof rows / sizeof *rows };

// Does what stands in row `n`.
static void misuse(ox_VM *vm, int n) {
  int row = 0;
#define DO_ROW(name, rule, ...) if (row++ == n) { __VA_ARGS__; }
#define PASS_ROW(name, reason) row++;
  ROWS(DO_ROW, DO_ROW, PASS_ROW)
}

static int running;
static void run_row(void) {
  ox_VM *vm = ox_new(NULL);
  misuse(vm, running);
}

Test(every_rule, is_named) {
  for (running = 0; running < NROWS; running++) {
    const Row *row = &rows[running];
    if (!row->rule || (row->fatal && !debug_build())) continue;
    expect_rule(run_row, row->function, row->rule);
  }
}

static bool has_row(const char *name) {
  for (int i = 0; i < NROWS; i++)
    if (strcmp(rows[i].function, name) == 0) return true;
  return false;
}

// Takes the next name of a function out of the header's text; false at its end.
static bool next_function(const char **text, char name[64]) {
  const char *at = strstr(*text, "\nOX_API ");
  if (!at) return false;
  const char *end = strchr(at, '('), *start = end;
  while (start[-1] == '_' || (start[-1] >= 'a' && start[-1] <= 'z')) start--;
  snprintf(name, 64, "%.*s", (int)(end - start), start);
  *text = end;
  return true;
}

Test(every_rule, has_a_row_for_each_function) {
  static char header[1 << 17];
  FILE *f = fopen("include/oxbow.h", "r");
  cr_assert_not_null(f);
  size_t n = fread(header, 1, sizeof header - 1, f);
  cr_assert(feof(f) && n > 0);
  fclose(f);
  const char *text = header;
  char name[64];
  int count = 0;
  for (; next_function(&text, name); count++)
    cr_expect(has_row(name), "%s of oxbow.h has no row in %s", name, __FILE__);
  cr_expect_gt(count, 80);
}
