/* import.c - compiling programs with everything they import, before anything runs.
 *
 * A module is known by its resolved path ("/home/a/lib/x.oxb"), a standard one by "std:NAME", in
 * st->modules. Loading a file compiles it, then loads its imports, depth first; `Loading` is the
 * chain of files on the way, in which a path that appears twice is a cycle. Only the IMPORT
 * instruction runs a module's top level, once. */
#include "import.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lang/diag_render.h"
#include "interp.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "prelude.h"
#include "native.h"
#include "str.h"
#include "suggest.h"

enum { MAX_IMPORT_DEPTH = 100 };

typedef struct Loader { VmLoad load; void *ctx; } Loader;

typedef struct Loading {
  const char *path;             /* resolved, or NULL */
  const char *shown;
  const struct Loading *parent;
  int depth;
} Loading;

typedef struct Job { /* one source text on its way */
  ox_VM *vm;
  const LoadRequest *request;
  const Loading *chain;         /* its own entry */
  Arena arena;
  Source source;
  Diags diags;
  ModuleCode *code;
  bool incomplete;
  Value module;
} Job;

bool import_init(ox_VM *vm, VmLoad load, void *ctx) {
  Loader *l = malloc(sizeof *l);
  if (l) *l = (Loader){load, ctx};
  vm->loader = l;
  return l != NULL;
}

bool import_fork(const ox_VM *vm, ox_VM *child) {
  const Loader *l = vm->loader;
  return import_init(child, l->load, l->ctx);
}

void import_free(ox_VM *vm) { free(vm->loader); }

/* ---- paths ---- */

/* "/a/./b/../c" -> "/a/c", in place. */
static void normalize(char *path) {
  char *to = path;
  for (const char *p = path; *p;) {
    const char *end = strchr(p + 1, '/');
    size_t n = end ? (size_t)(end - p) : strlen(p);
    bool here = (n == 2 && !memcmp(p, "/.", 2)) || n == 1;
    bool up = n == 3 && !memcmp(p, "/..", 3);
    while (up && to > path && *--to != '/') {}
    if (!here && !up) {
      memmove(to, p, n);
      to += n;
    }
    p += n;
  }
  if (to == path) *to++ = '/';
  *to = 0;
}

char *import_resolve(const char *from, const char *name, size_t len) {
  char folder[PATH_MAX + 1] = "";
  bool absolute = len > 0 && name[0] == '/';
  if (!absolute && !(from && from[0] == '/') && !getcwd(folder, sizeof folder)) folder[0] = 0;
  const char *slash = from ? strrchr(from, '/') : NULL;
  size_t own = absolute || !slash ? 0 : (size_t)(slash - from);
  bool ending = len > 4 && !memcmp(name + len - 4, ".oxb", 4);
  size_t size = strlen(folder) + own + len + 8;
  char *path = malloc(size);
  if (!path) return NULL;
  snprintf(path, size, "%s%s%.*s%s%.*s%s", folder, folder[0] && own ? "/" : "", (int)own,
           own ? from : "", absolute ? "" : "/", (int)len, name, ending ? "" : ".oxb");
  normalize(path);
  return path;
}

/* ---- reading ---- */

static char *read_all(FILE *f, size_t *len) {
  size_t cap = 1 << 16, n = 0;
  char *data = malloc(cap);
  while (data) {
    n += fread(data + n, 1, cap - n, f);
    if (n < cap) break;
    char *more = realloc(data, cap *= 2);
    if (!more) free(data);
    data = more;
  }
  if (data && ferror(f)) {
    free(data);
    return NULL;
  }
  *len = n;
  return data;
}

/* The text of a file from malloc, NULL: not found (errno says why where the file system was
 * asked). */
static char *read_text(ox_VM *vm, const char *path, size_t *len) {
  Loader *l = vm->loader;
  errno = 0;
  if (l->load) return l->load(l->ctx, path, len);
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  char *text = read_all(f, len);
  fclose(f);
  return text;
}

/* ---- names outside the program ---- */

static int core_index(void *ctx, const char *name, uint32_t len) {
  (void)ctx;
  const ModuleDef *core = native_tables[0];
  for (int i = 0; i < core->ndefs; i++)
    if (strlen(core->defs[i].name) == len && !memcmp(core->defs[i].name, name, len)) return i;
  return -1;
}

static const char *core_name(void *ctx, uint32_t i) {
  (void)ctx;
  return (int)i < native_tables[0]->ndefs ? native_tables[0]->defs[i].name : NULL;
}

static int env_find(void *ctx, const char *name, uint32_t len, bool *is_const) {
  return global_find(ctx, name, len, is_const);
}

static int env_define(void *ctx, const char *name, uint32_t len, bool is_const) {
  return global_define(ctx, name, len, is_const);
}

static const char *env_name(void *ctx, uint32_t i) {
  ox_VM *vm = ctx;
  Map *m = as_map(vm, vm->st->global_names);
  if (i >= m->used) return NULL;
  Value key = map_entries(vm, m)[2 * i];
  String *s = v_is_string(key) ? string_flat(vm, key) : NULL;
  return s ? s->chars : "";
}

/* Only what one module alone has, and no type does as well: `join` is a method, too. */
static const char *module_of(void *ctx, const char *name, uint32_t len, bool *is_itself) {
  (void)ctx;
  int t = native_find_module(name, len);
  *is_itself = t >= 0;
  return t >= 0 ? native_tables[t]->name : native_module_with(name, len);
}

LangEnv import_env(ox_VM *vm) {
  return (LangEnv){vm, core_index, core_name, env_find, env_name, env_define, module_of};
}

/* ---- modules ---- */

static Value module_key(ox_VM *vm, const char *path) {
  return string_intern(vm, path, strlen(path));
}

static void put(ox_VM *vm, Value module, size_t offset, Value v) {
  gc_store(vm->cage, v_ref(module).w + offset / 8, v);
}

/* A module that has not run. Rooted. */
static Value module_new(ox_VM *vm, const LoadRequest *r) {
  Value name = string_from_c(vm, r->name), path = r->path ? string_from_c(vm, r->path) : V_NIL;
  if (name == V_ERROR || path == V_ERROR) return V_ERROR;
  Value source = string_new(vm, r->text, r->len), exports = map_new(vm, 0),
        imports = list_new(vm, 0);
  if (source == V_ERROR || exports == V_ERROR || imports == V_ERROR) return V_ERROR;
  Module *m = vm_alloc(vm, sizeof(Module) / 8, KIND_MODULE, LAYOUT_VALUES, 7, 0);
  if (!m) return V_ERROR;
  m->name = name;
  m->path = path;
  m->source = source;
  m->exports = exports;
  m->imports = imports;
  m->frame = m->main = V_NIL;
  m->state = MODULE_NEW;
  Value v = v_from_ptr(vm->cage, KIND_MODULE, m);
  return vm_root(vm, v) ? v : V_ERROR;
}

/* "std:math", "host:game". */
static Value tagged_key(ox_VM *vm, const char *tag, const char *name, size_t len) {
  char key[IMPORT_NAME_MAX + 8];
  snprintf(key, sizeof key, "%s:%.*s", tag, (int)(len < IMPORT_NAME_MAX ? len : IMPORT_NAME_MAX),
           name);
  return module_key(vm, key);
}

bool import_give(ox_VM *vm, const char *name, Value members) {
  Value key = tagged_key(vm, "host", name, strlen(name)), own = string_from_c(vm, name);
  if (key == V_ERROR || own == V_ERROR || !vm_root(vm, members)) return false;
  Value module = native_make_module(vm, own, members);
  return module != V_ERROR && map_set(vm, vm->st->modules, key, module);
}

/* A module of the host, or V_ABSENT. */
static Value import_given(ox_VM *vm, const char *name, size_t len) {
  Value k = tagged_key(vm, "host", name, len);
  return k == V_ERROR ? V_ERROR : map_get_str(vm, as_map(vm, vm->st->modules), k);
}

/* A standard module that is written in Oxbow, compiled; it has not run. Rooted. */
static Value load_written(ox_VM *vm, int table) {
  const ModuleDef *def = native_tables[table];
  VmText diags = {0};
  char name[IMPORT_NAME_MAX + 8];
  snprintf(name, sizeof name, "std:%s", def->name);
  const char *text = native_written_text(table);
  LoadRequest r = {def->name, name, text, strlen(text), false, false, &diags, NULL};
  Value module = V_ERROR;
  VmStatus status = vm_allows(vm, def->name) ? import_load(vm, &r, &module) : VM_THROWN;
  if (status != VM_OK && status != VM_THROWN)
    vm_throw(vm, ERR_SYSTEM, "%s does not compile: %s", name, diags.data ? diags.data : "?");
  vm_text_free(&diags);
  return status == VM_OK ? module : V_ERROR;
}

static Value import_table(ox_VM *vm, int table, const char *name, size_t len) {
  if (table < 0) return V_ABSENT;
  Value k = tagged_key(vm, "std", name, len);
  if (k == V_ERROR) return V_ERROR;
  Value m = map_get_str(vm, as_map(vm, vm->st->modules), k);
  if (m != V_ABSENT) return m;
  m = native_written_text(table) ? load_written(vm, table) : native_module(vm, table);
  return m != V_ERROR && map_set(vm, vm->st->modules, k, m) ? m : V_ERROR;
}

Value import_standard(ox_VM *vm, const char *name, size_t len) {
  Value given = import_given(vm, name, len);
  if (given != V_ABSENT || error_pending(vm)) return given;
  return import_table(vm, native_find_module(name, len), name, len);
}

/* ---- one text ---- */

static void note_first(Job *job) {
  const Diag *d = job->diags.first;
  VmPlace *first = job->request->first;
  if (!d || !first || first->message[0]) return;
  snprintf(first->message, sizeof first->message, "%s", d->message);
  snprintf(first->file, sizeof first->file, "%s", d->source ? d->source->name : "");
  if (!d->source) return;
  SourcePos pos = source_position(d->source, d->span.start);
  first->line = (int)pos.line;
  first->column = (int)pos.column;
}

static VmStatus show_errors(Job *job) {
  VmText *out = job->request->diags;
  DiagStyle style = {.colour = out && out->colour};
  note_first(job);
  if (out) diag_render_all(&job->diags, &style, vm_text_add, out);
  return job->incomplete ? VM_INCOMPLETE : VM_SYNTAX;
}

static VmStatus compile(Job *job) {
  const LoadRequest *r = job->request;
  SourceStatus status = source_init(&job->source, &job->arena, r->name, r->text, r->len);
  if (status == SOURCE_TOO_LARGE) {
    diag_error(&job->diags, &job->source, (Span){0, 0}, "source text of more than 1 GiB");
    return show_errors(job);
  }
  LangEnv env = import_env(job->vm);
  LangOptions options = {.env = &env, .session = r->session, .want_value = r->want_value};
  if (!r->session) env.global_define = NULL;
  LangResult result = {0};
  if (status == SOURCE_OK) result = lang_compile(&job->arena, &job->source, &options, &job->diags);
  if (status != SOURCE_OK || result.oom) return vm_throw_oom(job->vm), VM_THROWN;
  job->code = result.module;
  job->incomplete = result.incomplete;
  return result.module ? VM_OK : show_errors(job);
}

static bool put_exports(Job *job) {
  ox_VM *vm = job->vm;
  for (uint32_t i = 0; i < job->code->nexports; i++) {
    const Export *e = &job->code->exports[i];
    uint32_t mark = vm_roots_mark(vm);
    Value name = string_intern(vm, e->name.chars, e->name.len);
    if (name == V_ERROR) return false;
    Value exports = ((Module *)vm_deref(vm, job->module))->exports;
    if (!map_set(vm, exports, name, v_from_int(e->slot))) return false;
    vm_roots_reset(vm, mark);
  }
  return true;
}

static VmStatus load_text(ox_VM *vm, const LoadRequest *r, const Loading *parent, Value *module);

/* ---- imports of a text ---- */

static void suggest_given(ox_VM *vm, Suggest *near) {
  uint32_t i = 0;
  Value key, module;
  while (map_next(vm, as_map(vm, vm->st->modules), &i, &key, &module))
    if (strncmp(string_flat(vm, key)->chars, "host:", 5) == 0)
      suggest_try(near, string_flat(vm, ((Module *)vm_deref(vm, module))->name));
}

static void unknown_standard(Job *job, const ImportRef *ref) {
  Diag *d = diag_error(&job->diags, &job->source, (Span){ref->from, ref->to},
                       "there is no module '%.*s'", (int)ref->path.len, ref->path.chars);
  Value wanted = string_new(job->vm, ref->path.chars, ref->path.len);
  if (wanted == V_ERROR) return;
  Suggest near;
  suggest_init(&near, string_flat(job->vm, wanted));
  for (int t = 0; t < native_table_count; t++) {
    const char *name = native_tables[t]->name;
    if (native_find_module(name, strlen(name)) != t || !*name) continue;
    Value v = string_from_c(job->vm, name);
    if (v != V_ERROR) suggest_try(&near, string_flat(job->vm, v));
  }
  suggest_given(job->vm, &near);
  if (near.best_len)
    diag_hint(&job->diags, d, "did you mean `%.*s`?", (int)near.best_len, near.best);
  else
    diag_hint(&job->diags, d, "a file is imported by its path: import \"%.*s\"", (int)ref->path.len,
              ref->path.chars);
}

/* `where`: the path that was looked for, or NULL. */
static VmStatus bad_import(Job *job, const ImportRef *ref, const char *format,
                           const char *where) {
  Diag *d = diag_error(&job->diags, &job->source, (Span){ref->from, ref->to}, format,
                       (int)ref->path.len, ref->path.chars);
  if (where) diag_hint(&job->diags, d, "there is no %s", where);
  return show_errors(job);
}

/* "one.oxb -> two.oxb -> one.oxb" */
static VmStatus cycle_error(Job *job, const ImportRef *ref, const Loading *again) {
  const Loading *chain[MAX_IMPORT_DEPTH + 2];
  int n = 0;
  for (const Loading *l = job->chain; l != again; l = l->parent) chain[n++] = l;
  VmText text = {0};
  vm_text_add(&text, again->shown, strlen(again->shown));
  for (int i = n; i-- > 0;) {
    vm_text_add(&text, " -> ", 4);
    vm_text_add(&text, chain[i]->shown, strlen(chain[i]->shown));
  }
  vm_text_add(&text, " -> ", 4);
  vm_text_add(&text, again->shown, strlen(again->shown));
  diag_error(&job->diags, &job->source, (Span){ref->from, ref->to}, "import cycle: %s",
             text.data ? text.data : "");
  vm_text_free(&text);
  return show_errors(job);
}

static const Loading *find_loading(const Loading *l, const char *path) {
  while (l && !(l->path && !strcmp(l->path, path))) l = l->parent;
  return l;
}

/* How a path is shown: relative to the current folder where it lies below it. */
static const char *shown_path(const char *path) {
  char folder[PATH_MAX + 1];
  if (!getcwd(folder, sizeof folder)) return path;
  size_t n = strlen(folder);
  return !strncmp(path, folder, n) && path[n] == '/' ? path + n + 1 : path;
}

static VmStatus load_path(Job *job, const ImportRef *ref, const char *path, Value *out) {
  ox_VM *vm = job->vm;
  Value key = module_key(vm, path);
  if (key == V_ERROR) return VM_THROWN;
  const Loading *again = find_loading(job->chain, path);
  if (again) return cycle_error(job, ref, again);
  *out = map_get_str(vm, as_map(vm, vm->st->modules), key);
  if (*out != V_ABSENT) return VM_OK;
  if (job->chain->depth >= MAX_IMPORT_DEPTH)
    return bad_import(job, ref, "imports are nested too deep at '%.*s'", NULL);
  if (!vm_allows(vm, "import")) {
    error_take(vm);
    return bad_import(job, ref, "the host does not allow files to be imported: '%.*s'", NULL);
  }
  size_t len;
  char *text = read_text(vm, path, &len);
  if (!text) return bad_import(job, ref, "cannot find the module '%.*s'", path);
  LoadRequest r = {shown_path(path),   path, text, len, false, false, job->request->diags,
                   job->request->first};
  VmStatus status = load_text(vm, &r, job->chain, out);
  free(text);
  if (status == VM_OK && !map_set(vm, vm->st->modules, key, *out)) return VM_THROWN;
  return status == VM_INCOMPLETE ? VM_SYNTAX : status;
}

/* `from x import name`: what is not exported is a compile error where it is named. */
static VmStatus check_names(Job *job, const ImportRef *ref, Value module) {
  ox_VM *vm = job->vm;
  bool ok = true;
  for (uint32_t i = 0; i < ref->nnames; i++) {
    const ImportName *n = &ref->names[i];
    Value name = string_intern(vm, n->name.chars, n->name.len);
    if (name == V_ERROR) return VM_THROWN;
    Value exports = ((Module *)vm_deref(vm, module))->exports;
    if (map_get_str(vm, as_map(vm, exports), name) != V_ABSENT) continue;
    Diag *d = diag_error(&job->diags, &job->source, (Span){n->from, n->to},
                         "module '%.*s' exports no `%.*s`", (int)ref->path.len, ref->path.chars,
                         (int)n->name.len, n->name.chars);
    Suggest near;
    suggest_init(&near, string_flat(vm, name));
    suggest_keys(vm, &near, exports);
    if (near.best_len)
      diag_hint(&job->diags, d, "did you mean `%.*s`?", (int)near.best_len, near.best);
    ok = false;
  }
  return ok ? VM_OK : show_errors(job);
}

/* A module of the host or a standard one. The prelude has the standard ones whatever the host
 * gives, and its helpers. */
static Value load_named(Job *job, const ImportRef *ref) {
  const char *name = ref->path.chars;
  uint32_t len = ref->path.len;
  if (!prelude_is_text(job->request->text)) return import_standard(job->vm, name, len);
  bool helpers = len == 7 && memcmp(name, "prelude", 7) == 0;
  int table = helpers ? native_find_helpers() : native_find_module(name, len);
  return import_table(job->vm, table, name, len);
}

static bool is_denied(ox_VM *vm, const ImportRef *ref) {
  char name[IMPORT_NAME_MAX + 1];
  snprintf(name, sizeof name, "%.*s", (int)ref->path.len, ref->path.chars);
  if (import_given(vm, ref->path.chars, ref->path.len) != V_ABSENT || vm_allows(vm, name))
    return false;
  error_take(vm);
  return true;
}

static VmStatus load_import(Job *job, const ImportRef *ref) {
  ox_VM *vm = job->vm;
  Value m = V_ABSENT;
  VmStatus status = VM_OK;
  if (ref->is_file) {
    char *path = import_resolve(job->request->path, ref->path.chars, ref->path.len);
    if (!path) return vm_throw_oom(vm), VM_THROWN;
    status = load_path(job, ref, path, &m);
    free(path);
  } else {
    if (is_denied(vm, ref))
      return bad_import(job, ref, "the host does not allow the module '%.*s'", NULL);
    m = load_named(job, ref);
    if (m == V_ABSENT && error_pending(vm)) return VM_THROWN;
    if (m == V_ABSENT) {
      unknown_standard(job, ref);
      return show_errors(job);
    }
  }
  if (status == VM_OK) status = check_names(job, ref, m);
  if (status != VM_OK) return status;
  return list_push(vm, ((Module *)vm_deref(vm, job->module))->imports, m) ? VM_OK : VM_THROWN;
}

static VmStatus load_imports(Job *job) {
  for (uint32_t i = 0; i < job->code->nimports; i++) {
    uint32_t mark = vm_roots_mark(job->vm);
    VmStatus status = load_import(job, &job->code->imports[i]);
    vm_roots_reset(job->vm, mark);
    if (status != VM_OK) return status;
  }
  return VM_OK;
}

static VmStatus load_job(Job *job) {
  ox_VM *vm = job->vm;
  VmStatus status = compile(job);
  if (status != VM_OK) return status;
  job->module = module_new(vm, job->request);
  if (job->module == V_ERROR) return VM_THROWN;
  status = load_imports(job);
  if (status != VM_OK) return status;
  uint32_t mark = vm_roots_mark(vm);
  Value main = loader_main(vm, job->code->main, job->module);
  if (main == V_ERROR || !put_exports(job)) return VM_THROWN;
  put(vm, job->module, offsetof(Module, main), main);
  vm_roots_reset(vm, mark);
  return VM_OK;
}

static VmStatus load_text(ox_VM *vm, const LoadRequest *r, const Loading *parent, Value *module) {
  Loading own = {r->path, r->name, parent, parent ? parent->depth + 1 : 0};
  Job job = {.vm = vm, .request = r, .chain = &own, .module = V_ERROR};
  if (!arena_init(&job.arena)) return vm_throw_oom(vm), VM_THROWN;
  diag_init(&job.diags, &job.arena);
  VmStatus status = load_job(&job);
  arena_free(&job.arena);
  *module = job.module;
  return status;
}

/* Compiling costs the program nothing, since what has to be loaded depends on what ran before. */
VmStatus import_load(ox_VM *vm, const LoadRequest *request, Value *module) {
  uint32_t mark = vm_roots_mark(vm);
  uint64_t slice = vm->st->fuel, budget = vm->fuel_limit;
  VmStatus status = load_text(vm, request, NULL, module);
  vm->st->fuel = slice;
  vm->fuel_limit = budget;
  vm_roots_reset(vm, mark);
  if (status == VM_OK && !vm_root(vm, *module)) return VM_THROWN;
  if (status != VM_OK && status != VM_THROWN && error_pending(vm)) error_take(vm);
  return status;
}

VmStatus import_file(ox_VM *vm, const char *path, VmText *diags, VmPlace *first, Value *module) {
  Value key = module_key(vm, path);
  if (key == V_ERROR) return VM_THROWN;
  *module = map_get_str(vm, as_map(vm, vm->st->modules), key);
  if (*module != V_ABSENT) return vm_root(vm, *module) ? VM_OK : VM_THROWN;
  if (!vm_allows(vm, "import")) return VM_THROWN;
  size_t len;
  char *text = read_text(vm, path, &len);
  if (!text) {
    vm_throw(vm, ERR_IMPORT, "cannot find the module '%s'", path);
    return VM_THROWN;
  }
  LoadRequest r = {shown_path(path), path, text, len, false, false, diags, first};
  VmStatus status = import_load(vm, &r, module);
  free(text);
  if (status == VM_OK && !map_set(vm, vm->st->modules, key, *module)) return VM_THROWN;
  return status;
}
