/* api.c - the C API: life of a VM, running programs, errors. The contracts are in oxbow.h. */
#include "api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "snapshot_life.h"

/* ---- life ------------------------------------------------------------------------------------ */

/* Configurations of older versions of the header end earlier; what they lack keeps its default. */
static bool config_read(const ox_Config *given, ox_Config *config) {
  *config = ox_config();
  if (!given) return true;
  API_RULE_OF("ox_new", given->size >= offsetof(ox_Config, memory_limit),
              "the configuration's size is not set: begin with ox_config()");
  if (given->size < offsetof(ox_Config, memory_limit) || given->size > sizeof *config) return false;
  memcpy(config, given, given->size);
  return true;
}

/* What some capability stands for: modules, members of modules, and `import` of files. Any of
 * several capabilities will do; where all are needed there is a line for each. */
static const struct {
  uint32_t capability;
  const char *name;
} guarded[] = {
    {OX_CAN_FILES, "fs"},         {OX_CAN_READ, "fs.read"},       {OX_CAN_READ, "fs.lines"},
    {OX_CAN_READ, "fs.read_bytes"}, {OX_CAN_READ, "fs.exists"},   {OX_CAN_READ, "fs.is_file"},
    {OX_CAN_READ, "fs.is_dir"},   {OX_CAN_READ, "fs.size"},       {OX_CAN_READ, "fs.stat"},
    {OX_CAN_READ, "fs.list"},     {OX_CAN_READ, "fs.walk"},       {OX_CAN_READ, "fs.copy"},
    {OX_CAN_WRITE, "fs.copy"},    {OX_CAN_WRITE, "fs.write"},     {OX_CAN_WRITE, "fs.append"},
    {OX_CAN_WRITE, "fs.write_bytes"}, {OX_CAN_WRITE, "fs.make_dir"}, {OX_CAN_WRITE, "fs.remove"},
    {OX_CAN_WRITE, "fs.remove_dir"}, {OX_CAN_WRITE, "fs.rename"}, {OX_CAN_WRITE, "fs.temp_dir"},
    {OX_CAN_RUN, "process"},      {OX_CAN_ENV, "os.env"},         {OX_CAN_ENV, "os.cwd"},
    {OX_CAN_ENV, "os.pid"},       {OX_CAN_ENV, "os.hostname"},    {OX_CAN_ENV, "os.home"},
    {OX_CAN_ENV, "os.cpus"},      {OX_CAN_ENV, "path.absolute"},  {OX_CAN_STDIO, "io"},
    {OX_CAN_CLOCK, "time.now"},   {OX_CAN_CLOCK, "time.monotonic"}, {OX_CAN_CLOCK, "time.sleep"},
    {OX_CAN_IMPORT, "import"},    {OX_CAN_TASKS, "fork"},         {OX_CAN_TASKS, "parallel_map"},
    {OX_CAN_TASKS, "parallel_reduce"},
};
enum { GUARDED = sizeof guarded / sizeof *guarded };
_Static_assert((int)GUARDED < (int)DENIED_ROOM, "the list of what is denied ends with NULL");

static void deny_modules(ox_VM *vm, Api *api) {
  int n = 0;
  for (int i = 0; i < GUARDED; i++)
    if (!(api->config.capabilities & guarded[i].capability)) api->denied[n++] = guarded[i].name;
  vm->denied = api->denied;
}

/* A heap that may grow beyond the usual address space gets more of it. */
static uint64_t space_for(const ox_Config *c) {
  uint64_t least = (uint64_t)4 << 30;
  return c->address_space || c->memory_limit <= least ? c->address_space : c->memory_limit;
}

static VmConfig config_of_vm(const ox_Config *c) {
  VmConfig vc = {0};
  vc.cage_bytes = space_for(c);
  vc.limit_bytes = c->memory_limit;
  vc.gc_stress = c->gc_stress;
  vc.gc_stress_seed = c->gc_stress_seed;
  vc.gc_mode = (GcMode)c->gc_mode;
  vc.heap_percent = c->heap_percent;
  vc.memory_goal = c->memory_goal;
  vc.snapshot_stress = c->snapshot_stress;
  vc.fuel = c->fuel;
  vc.write = c->write;
  vc.write_error = c->write_error;
  vc.write_ctx = c->context;
  vc.write_lines = c->write_lines;
  vc.load = c->load;
  vc.load_ctx = c->context;
  vc.argc = c->argc;
  vc.argv = c->argv;
  return vc;
}

ox_VM *api_new(const ox_Config *given, ox_VM *(*make)(void *ctx, const VmConfig *config),
               void *ctx) {
  ox_Config config;
  if (!config_read(given, &config)) return NULL;
  Api *api = calloc(1, sizeof *api);
  if (!api) return NULL;
  VmConfig vm_config = config_of_vm(&config);
  ox_VM *vm = make(ctx, &vm_config);
  if (!vm) {
    free(api);
    return NULL;
  }
  api->config = config;
  api->report.colour = config.colour;
  vm->api = api;
  vm->restored = api_recount_pins;
  vm->fork_api = api_fork;
  vm->free_api = api_free;
  vm->max_tasks = config.max_tasks;
  vm->shared_functions = config.shared_functions;
  deny_modules(vm, api);
  return vm;
}

static ox_VM *make_empty(void *ctx, const VmConfig *config) {
  (void)ctx;
  return vm_new(config);
}

ox_VM *ox_new(const ox_Config *given) { return api_new(given, make_empty, NULL); }

void api_free(ox_VM *vm) {
  Api *api = api_of(vm);
  api_free_host(api);
  vm_text_free(&api->report);
  vm_text_free(&api->message);
  free(api->frames);
  free(api->scopes);
  free(api);
}

void ox_free(ox_VM *vm) {
  if (!vm) return;
  if (api_of(vm)->depth > 0 || gc_is_collecting(vm->gc)) { /* whoever is inside needs it still */
    api_broken(vm, __func__, "the VM is running: not from a native function or a finalizer", NULL);
    return;
  }
  vm_free(vm);
}

void *ox_context(ox_VM *vm) {
  API_CALL(vm);
  return api_of(vm)->config.context;
}

/* ---- entering and leaving -------------------------------------------------------------------- */

uint32_t api_enter(ox_VM *vm) {
  api_of(vm)->depth++;
  if (error_pending(vm)) error_take(vm); /* of an ox_throw that was not returned */
  vm->suspending = false;                /* of an ox_suspend */
  return vm_roots_mark(vm);
}

static bool is_uncatchable(ox_Status status) {
  return status == OX_NO_FUEL || status == OX_INTERRUPTED || status == OX_EXITED;
}

static void fail(ox_VM *vm, ox_Status status) {
  Api *api = api_of(vm);
  api->failed = true;
  api->described = false;
  api->failures++;
  api->error.status = status;
  if (is_uncatchable(status)) api->stopping = true;
}

static ox_Status finish(ox_VM *vm, ox_Status status, Value value, ox_Value *result) {
  Api *api = api_of(vm);
  if (result) *result = out_of(status == OX_OK ? value : V_ABSENT);
  if (--api->depth == 0) {
    api->stopping = false;
    vm_flush(vm);
  }
  return status;
}

ox_Status api_leave_failed(ox_VM *vm, uint32_t mark, ox_Status status, ox_Value *result) {
  vm_roots_reset(vm, mark);
  return finish(vm, status, V_ABSENT, result);
}

ox_Status api_leave(ox_VM *vm, uint32_t mark, Value value, ox_Value *result) {
  vm_roots_reset(vm, mark);
  if (value != V_ERROR && result && v_is_ref(value) && !vm_root(vm, value)) value = V_ERROR;
  ox_Status status = value == V_ERROR ? api_take(vm) : OX_OK;
  return finish(vm, status, value, result);
}

ox_Value api_made(ox_VM *vm, Value v) {
  if (v == V_ERROR) api_take(vm);
  return out_of(v);
}

/* ---- what failed ----------------------------------------------------------------------------- */

static const char *kind_of(ox_VM *vm, Value thrown) {
  if (!v_is(thrown, KIND_ERROR)) return "";
  String *kind = string_flat(vm, ((Error *)vm_deref(vm, thrown))->kind);
  return kind ? kind->chars : "";
}

static ox_Status status_of(ox_VM *vm, Value thrown) {
  const char *kind = kind_of(vm, thrown);
  if (vm->exiting) return OX_EXITED;
  if (strcmp(kind, "interrupt") == 0) return OX_INTERRUPTED;
  if (strcmp(kind, "fuel") == 0) return OX_NO_FUEL;
  if (strcmp(kind, "out of memory") == 0) return OX_NO_MEMORY;
  return OX_THROWN;
}

ox_Status api_take(ox_VM *vm) {
  Value thrown = error_take(vm);
  ox_Status status = status_of(vm, thrown);
  vm->st->spare[API_THROWN] = thrown;
  vm->unwinding_uncatchable = false;
  vm->exiting = false;
  if (is_uncatchable(status) && vm->run_depth == 0) output_finish(vm);
  if (status == OX_NO_FUEL) vm_no_fuel(vm); /* the grace for the way out is over */
  fail(vm, status);
  return status;
}

/* A failure without a thrown value: its message is known now. */
static ox_Status fail_with(ox_VM *vm, ox_Status status, const char *format, ...) {
  Api *api = api_of(vm);
  va_list args;
  va_start(args, format);
  vsnprintf(api->place.message, sizeof api->place.message, format, args);
  va_end(args);
  api->place.file[0] = 0;
  api->place.line = api->place.column = 0;
  vm->st->spare[API_THROWN] = V_ABSENT;
  vm_text_free(&api->report);
  vm_text_add(&api->report, "error: ", 7);
  vm_text_add(&api->report, api->place.message, strlen(api->place.message));
  vm_text_add(&api->report, "\n", 1);
  fail(vm, status);
  return status;
}

ox_Status api_misuse(ox_VM *vm, const char *rule) { return fail_with(vm, OX_MISUSE, "%s", rule); }

ox_Status api_misuse_in(ox_VM *vm, const char *function, const char *rule) {
  return fail_with(vm, OX_MISUSE, "%s: %s", function, rule);
}

ox_Status api_misused(ox_VM *vm, const char *rule, ox_Value *result) {
  if (result) *result = ox_none();
  return api_misuse(vm, rule);
}

ox_Status api_not_found(ox_VM *vm, const char *what, const char *name) {
  return fail_with(vm, OX_NOT_FOUND, "there is no %s '%s'", what, name);
}

/* ---- describing it, on demand ---------------------------------------------------------------- */

enum { MAX_FRAMES = 64 };

static void describe_frames(ox_VM *vm, Value thrown) {
  Api *api = api_of(vm);
  ox_Error *e = &api->error;
  TraceFrame frame;
  e->file = NULL;
  e->line = e->column = e->frame_count = 0;
  if (!api->frames) api->frames = malloc(MAX_FRAMES * sizeof *api->frames);
  e->frames = api->frames;
  for (int i = 0; i < MAX_FRAMES && error_frame(vm, thrown, i, &frame); i++) {
    const char *file = frame.file ? frame.file : "";
    if (!e->file && frame.line > 0) e->file = file, e->line = frame.line, e->column = frame.column;
    if (!api->frames) break;
    api->frames[i] = (ox_Frame){frame.function ? frame.function : "", file, frame.line,
                                 frame.column};
    e->frame_count = i + 1;
  }
}

static const char *text_or(const VmText *text, const char *otherwise) {
  return text->data ? text->data : otherwise;
}

static void describe_thrown(ox_VM *vm, Value thrown) {
  Api *api = api_of(vm);
  vm_text_free(&api->report);
  vm_text_free(&api->message);
  error_message(vm, thrown, &api->message);
  error_report(vm, thrown, &api->report);
  describe_frames(vm, thrown);
  api->error.kind = api->error.status == OX_EXITED ? "exit" : kind_of(vm, thrown);
  api->error.message = text_or(&api->message, "out of memory");
  api->error.report = text_or(&api->report, "error: out of memory\n");
}

static const char *kind_of_status(ox_Status status) {
  switch (status) {
    case OX_SYNTAX: case OX_INCOMPLETE: return "syntax";
    case OX_NOT_FOUND: return "not found";
    case OX_MISUSE: return "misuse";
    default: return "error";
  }
}

static void describe_place(Api *api) {
  ox_Error *e = &api->error;
  VmPlace *p = &api->place;
  e->kind = kind_of_status(e->status);
  e->message = p->message[0] ? p->message : "the module does not compile";
  e->file = p->file[0] ? p->file : NULL;
  e->line = p->line;
  e->column = p->column;
  e->frames = NULL;
  e->frame_count = 0;
  e->report = text_or(&api->report, "error: out of memory\n");
}

const ox_Error *ox_error(ox_VM *vm) {
  API_CALL(vm);
  Api *api = api_of(vm);
  if (!api->failed) return NULL;
  if (api->described) return &api->error;
  Value thrown = vm->st->spare[API_THROWN];
  uint32_t mark = vm_roots_mark(vm);
  api->depth++;
  if (thrown != V_ABSENT) describe_thrown(vm, thrown);
  else describe_place(api);
  api->depth--;
  vm_roots_reset(vm, mark);
  api->error.value = out_of(thrown);
  api->described = true;
  return &api->error;
}

const char *ox_status_name(ox_Status status) {
  static const char *const names[] = {"OX_OK",        "OX_THROWN",      "OX_SYNTAX", "OX_INCOMPLETE",
                                      "OX_NO_MEMORY", "OX_NO_FUEL",     "OX_INTERRUPTED",
                                      "OX_EXITED",    "OX_NOT_FOUND",   "OX_MISUSE"};
  return (unsigned)status < sizeof names / sizeof *names ? names[status] : "unknown status";
}

int ox_exit_code(ox_VM *vm) {
  API_CALL(vm);
  return vm->exit_code;
}

/* ---- running programs ------------------------------------------------------------------------ */

/* A call that compiles. Its errors are kept apart until it is known to have failed, so that the
 * description of an older failure stays whole. */
typedef struct Compiling {
  uint32_t mark;
  VmText report;
  VmPlace place;
} Compiling;

static Compiling compile_begin(ox_VM *vm) {
  Compiling c = {.mark = api_enter(vm)};
  c.report.colour = api_of(vm)->config.colour;
  return c;
}

static ox_Status fail_compiling(ox_VM *vm, Compiling *c, ox_Status status, ox_Value *result) {
  Api *api = api_of(vm);
  vm_text_free(&api->report);
  api->report = c->report;
  api->place = c->place;
  vm->st->spare[API_THROWN] = V_ABSENT;
  fail(vm, status);
  return api_leave_failed(vm, c->mark, status, result);
}

/* Ends it by what vm_load and its kin said. `value` counts if that was VM_OK. */
static ox_Status compile_end(ox_VM *vm, Compiling *c, VmStatus status, Value value,
                             ox_Value *result) {
  if (status == VM_SYNTAX) return fail_compiling(vm, c, OX_SYNTAX, result);
  if (status == VM_INCOMPLETE) return fail_compiling(vm, c, OX_INCOMPLETE, result);
  vm_text_free(&c->report);
  return api_leave(vm, c->mark, status == VM_OK ? value : V_ERROR, result);
}

ox_Status ox_eval(ox_VM *vm, const char *text, size_t length, const char *name, ox_Value *result) {
  API_CALL(vm);
  if (!name || (!text && length))
    return api_broken(vm, __func__, "the name or the text is NULL", result);
  Compiling c = compile_begin(vm);
  Value value = V_NIL;
  VmStatus status = vm_eval(vm, name, text, length, &value, &c.report, &c.place);
  return compile_end(vm, &c, status, value, result);
}

ox_Status ox_run(ox_VM *vm, const char *text, size_t length, const char *name, ox_Value *result) {
  API_CALL(vm);
  if (!name || (!text && length))
    return api_broken(vm, __func__, "the name or the text is NULL", result);
  Compiling c = compile_begin(vm);
  Value module = V_NIL;
  VmStatus status = vm_load(vm, name, name, text, length, &module, &c.report, &c.place);
  if (status == VM_OK) status = vm_run(vm, module);
  return compile_end(vm, &c, status, module, result);
}

ox_Status ox_compile(ox_VM *vm, const char *text, size_t length, const char *name,
                     ox_Value *result) {
  API_CALL(vm);
  if (!name || (!text && length))
    return api_broken(vm, __func__, "the name or the text is NULL", result);
  Compiling c = compile_begin(vm);
  Value main = V_NIL;
  VmStatus status = vm_compile(vm, name, name, text, length, &main, &c.report, &c.place);
  return compile_end(vm, &c, status, main, result);
}

ox_Status ox_run_file(ox_VM *vm, const char *path, ox_Value *result) {
  API_CALL(vm);
  if (!path) return api_broken(vm, __func__, "the path is NULL", result);
  Compiling c = compile_begin(vm);
  Value module = V_NIL;
  VmStatus status = vm_load_file(vm, path, &module, &c.report, &c.place);
  if (status == VM_THROWN) { /* thrown by no program: the file cannot be read */
    ox_Status why = compile_end(vm, &c, status, module, result);
    return why == OX_THROWN ? (api_of(vm)->error.status = OX_NOT_FOUND) : why;
  }
  if (status == VM_OK) status = vm_run(vm, module);
  return compile_end(vm, &c, status, module, result);
}

ox_Status ox_check(ox_VM *vm, const char *text, size_t length, const char *name) {
  API_CALL(vm);
  if (!name || (!text && length))
    return api_broken(vm, __func__, "the name or the text is NULL", NULL);
  Compiling c = compile_begin(vm);
  Value module = V_NIL;
  VmStatus status = vm_load(vm, name, name, text, length, &module, &c.report, &c.place);
  return compile_end(vm, &c, status, module, NULL);
}

ox_Status ox_import(ox_VM *vm, const char *name, ox_Value *result) {
  API_CALL(vm);
  if (!name) return api_broken(vm, __func__, "the name is NULL", result);
  Compiling c = compile_begin(vm);
  Value module = V_NIL;
  bool is_file = strchr(name, '/') || strchr(name, '.');
  VmStatus status = vm_import(vm, name, is_file, &module, &c.report);
  return compile_end(vm, &c, status, module, result);
}

ox_Status ox_disassemble(ox_VM *vm, const char *text, size_t length, const char *name,
                         ox_Write write, void *context) {
  API_CALL(vm);
  if (!name || (!text && length) || !write)
    return api_broken(vm, __func__, "the name, the text or the function to write is NULL", NULL);
  Compiling c = compile_begin(vm);
  VmText listing = {0};
  VmStatus status = vm_disassemble(vm, name, text, length, &listing, &c.report);
  if (status == VM_OK && listing.data) write(context, listing.data, listing.len);
  vm_text_free(&listing);
  return compile_end(vm, &c, status, V_NIL, NULL);
}

ox_Status ox_call(ox_VM *vm, ox_Value function, int argc, const ox_Value *argv, ox_Value *result) {
  API_CALL(vm);
  API_VALUE(vm, function);
  API_VALUES(vm, argc, argv);
  if (in(function) == V_ABSENT || api_any_none(argc, argv))
    return api_misused(vm, "ox_call: OX_NONE was given as the function or an argument", result);
  uint32_t mark = api_enter(vm);
  return api_leave(vm, mark, vm_call_for(vm, api_of(vm)->running, in(function), argc,
                                         (const Value *)argv), result);
}

void ox_flush(ox_VM *vm) {
  API_CALL(vm);
  vm_flush(vm);
}

/* ---- globals --------------------------------------------------------------------------------- */

bool api_is_name(const char *name) {
  size_t n = strlen(name);
  if (n == 0 || (name[0] >= '0' && name[0] <= '9')) return false;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)name[i];
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    if (!letter && !(c >= '0' && c <= '9') && c != '_' && c < 128) return false;
  }
  return true;
}

ox_Status ox_get(ox_VM *vm, const char *name, ox_Value *result) {
  API_CALL(vm);
  if (!name) return api_broken(vm, __func__, "the name is NULL", result);
  bool is_const;
  int index = global_find(vm, name, strlen(name), &is_const);
  Value value = index >= 0 ? global_get(vm, index) : V_ABSENT;
  if (value != V_ABSENT) return api_leave(vm, api_enter(vm), value, result);
  ox_Status status = OX_SYNTAX;
  if (index < 0 && api_is_name(name)) status = ox_eval(vm, name, strlen(name), "ox_get", result);
  if (status == OX_OK) return OX_OK; /* a core name: what it evaluates to */
  if (result) *result = ox_none();
  return api_not_found(vm, "global", name);
}

ox_Status ox_set(ox_VM *vm, const char *name, ox_Value value) {
  API_CALL(vm);
  API_VALUE(vm, value);
  if (!name) return api_broken(vm, __func__, "the name is NULL", NULL);
  bool is_const = false;
  if (in(value) == V_ABSENT) return api_misuse(vm, "ox_set: OX_NONE is no value");
  if (!api_is_name(name)) return api_misuse(vm, "ox_set: this is not a name");
  int index = global_find(vm, name, strlen(name), &is_const);
  if (index >= 0 && is_const) return api_misuse(vm, "ox_set: the name belongs to a constant");
  uint32_t mark = api_enter(vm);
  if (index < 0) index = global_define(vm, name, strlen(name), false);
  if (index >= 0) global_set(vm, index, in(value));
  return api_leave(vm, mark, index < 0 ? V_ERROR : V_NIL, NULL);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* Also from signal handlers and other threads: no API_CALL. */
void ox_interrupt(ox_VM *vm) {
  API_RULE(vm, "the VM is NULL");
  vm_interrupt(vm);
}

void ox_set_fuel(ox_VM *vm, uint64_t fuel) {
  API_CALL(vm);
  vm_set_fuel(vm, fuel);
}

uint64_t ox_fuel(ox_VM *vm) {
  API_CALL(vm);
  return vm_fuel_left(vm);
}

void ox_set_memory_limit(ox_VM *vm, uint64_t bytes) {
  API_CALL(vm);
  vm_set_memory_limit(vm, bytes);
}

void ox_collect(ox_VM *vm) {
  API_CALL(vm);
  snapshot_life_trim(vm);
}

bool api_has_room(ox_VM *vm, const char *function, const void *structure) {
  if (structure && *(const size_t *)structure >= sizeof(size_t)) return true;
  api_broken(vm, function, "the structure to fill in is NULL, or its size is not set", NULL);
  return false;
}

void api_fill(void *structure, const void *all, size_t size) {
  size_t room = *(size_t *)structure;
  if (room > size) room = size;
  memcpy(structure, all, room);
  *(size_t *)structure = room;
}

void ox_stats(ox_VM *vm, ox_Stats *stats) {
  API_CALL(vm);
  if (!api_has_room(vm, __func__, stats)) return;
  GcStats g;
  gc_stats(vm->gc, &g);
  ox_Stats s = {0};
  s.used_bytes = g.used_bytes;
  s.live_bytes = g.live_bytes;
  s.committed_bytes = g.committed_bytes;
  s.peak_bytes = g.peak_bytes;
  s.external_bytes = g.external_bytes;
  s.limit_bytes = g.limit_bytes;
  s.allocated_bytes = g.allocated_bytes;
  s.collections = g.collections;
  s.collect_ns = g.collect_ns_total;
  s.collect_ns_max = g.collect_ns_max;
  s.scope_values = vm->nroots;
  s.pins = api_of(vm)->pinned;
  s.full_collections = g.majors;
  s.young_collections = g.minors;
  s.pauses = g.pauses;
  s.pause_ns_p50 = g.pause_ns_p50;
  s.pause_ns_p99 = g.pause_ns_p99;
  s.pause_ns_p999 = g.pause_ns_p999;
  s.allocation_rate = vm_allocation_rate(vm, &g);
  s.fragmentation = gc_stats_fragmentation(&g);
  api_fill(stats, &s, sizeof s);
}

const char *ox_verify(ox_VM *vm) {
  API_CALL(vm);
  uint64_t where;
  return gc_verify(vm->gc, &where);
}
