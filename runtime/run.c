/* run.c - running texts: programs, files, pieces of a session. */
#include "run.h"

#include <errno.h>
#include <stdlib.h>

#include "../lang/diag_render.h"
#include "../lang/disasm.h"
#include "import.h"
#include "interp.h"
#include "list.h"
#include "map.h"
#include "str.h"

/* ---- globals of the session ---- */

/* In st->global_names: name -> index, or -1 - index for constants. */
int global_find(ox_VM *vm, const char *name, size_t len, bool *is_const) {
  uint32_t mark = vm_roots_mark(vm);
  Value key = string_intern(vm, name, len);
  vm_roots_reset(vm, mark);
  Value v = key == V_ERROR ? V_ABSENT : map_get_str(vm, as_map(vm, vm->st->global_names), key);
  if (v == V_ABSENT) return -1;
  int64_t i = v_int(v);
  if (is_const) *is_const = i < 0;
  return (int)(i < 0 ? -1 - i : i);
}

enum { MAX_GLOBALS = 65000 };

int global_define(ox_VM *vm, const char *name, size_t len, bool is_const) {
  int index = global_find(vm, name, len, NULL);
  bool fresh = index < 0;
  if (fresh) index = (int)list_len(vm, vm->st->globals);
  if (index >= MAX_GLOBALS) {
    vm_throw(vm, ERR_LIMIT, "more than %d globals", MAX_GLOBALS);
    return -1;
  }
  uint32_t mark = vm_roots_mark(vm);
  Value key = string_intern(vm, name, len);
  bool ok = key != V_ERROR && (!fresh || list_push(vm, vm->st->globals, V_ABSENT)) &&
            map_set(vm, vm->st->global_names, key, v_from_int(is_const ? -1 - index : index));
  vm_roots_reset(vm, mark);
  return ok ? index : -1;
}

Value global_get(ox_VM *vm, int index) { return list_get(vm, vm->st->globals, (uint64_t)index); }
void global_set(ox_VM *vm, int index, Value v) {
  list_set(vm, vm->st->globals, (uint64_t)index, v);
}

/* Forgets the globals that a text which did not compile has declared. */
static void forget_globals(ox_VM *vm, uint64_t known) {
  Map *m = as_map(vm, vm->st->global_names);
  uint32_t i = 0;
  Value key, value;
  while (map_next(vm, m, &i, &key, &value)) {
    int64_t index = v_int(value);
    if ((uint64_t)(index < 0 ? -1 - index : index) >= known)
      map_remove(vm, vm->st->global_names, key);
  }
  list_truncate(vm, vm->st->globals, known);
}

/* ---- running ---- */

/* r->path is as the caller gave it. */
static VmStatus load(ox_VM *vm, LoadRequest *r, Value *module) {
  if (r->first) memset(r->first, 0, sizeof *r->first);
  char *full = r->path ? import_resolve(NULL, r->path, strlen(r->path)) : NULL;
  r->path = full;
  VmStatus status = import_load(vm, r, module);
  free(full);
  return status;
}

VmStatus vm_load(ox_VM *vm, const char *name, const char *path, const char *text, size_t len,
                 Value *module, VmText *diags, VmPlace *first) {
  LoadRequest r = {name, path, text, len, false, false, diags, first};
  return load(vm, &r, module);
}

VmStatus vm_compile(ox_VM *vm, const char *name, const char *path, const char *text, size_t len,
                    Value *function, VmText *diags, VmPlace *first) {
  Value module;
  LoadRequest r = {name, path, text, len, false, true, diags, first};
  VmStatus status = load(vm, &r, &module);
  if (status != VM_OK) return status;
  *function = ((Module *)vm_deref(vm, module))->main;
  return vm_root(vm, *function) ? VM_OK : VM_THROWN;
}

VmStatus vm_load_file(ox_VM *vm, const char *path, Value *module, VmText *diags, VmPlace *first) {
  FILE *f = fopen(path, "rb");
  int error = errno;
  VmText text = {0};
  char piece[1 << 14];
  for (size_t n; f && (n = fread(piece, 1, sizeof piece, f)) > 0;) vm_text_add(&text, piece, n);
  if (f && ferror(f)) error = errno;
  bool ok = f && !ferror(f) && !text.failed;
  if (f) fclose(f);
  VmStatus status = VM_THROWN;
  if (ok)
    status = vm_load(vm, path, path, text.data ? text.data : "", text.len, module, diags, first);
  else
    vm_throw(vm, ERR_IO, "cannot read '%s': %s", path,
             text.failed ? "out of memory" : strerror(error));
  vm_text_free(&text);
  return status;
}

static void set_state(ox_VM *vm, Value module, uint64_t state) {
  Module *m = (Module *)vm_deref(vm, module);
  gc_touch(vm->cage, gc_word(vm->cage, &m->state));
  m->state = state;
}

/* The value of a module's top level, V_ERROR: thrown. */
static Value run_main(ox_VM *vm, Value module) {
  uint64_t crossings = vm->crossings;
  set_state(vm, module, MODULE_RUNNING);
  Value v = vm_call(vm, ((Module *)vm_deref(vm, module))->main, 0, NULL);
  if (vm->crossings == crossings) /* else a rollback has led out of it, perhaps undone it */
    set_state(vm, module, v == V_ERROR ? MODULE_FAILED : MODULE_READY);
  return v;
}

VmStatus vm_run(ox_VM *vm, Value module) {
  Module *m = (Module *)vm_deref(vm, module);
  if (m->state == MODULE_READY) return VM_OK;
  if (m->state != MODULE_NEW) {
    vm_throw(vm, ERR_IMPORT, "the module is running or has failed");
    return VM_THROWN;
  }
  uint32_t mark = vm_roots_mark(vm);
  if (!vm_root(vm, module)) return VM_THROWN;
  Value v = run_main(vm, module);
  vm_roots_reset(vm, mark);
  return v == V_ERROR ? VM_THROWN : VM_OK;
}

/* A heap that is full of live data must still take the line that lets go of them: to compile a short
 * text more may be used than to run it. */
enum { RESERVE_TEXT = 4 << 10, RESERVE_BYTES = 512 << 10 };
typedef struct Reserve { uint64_t limit, raised; } Reserve;

static Reserve reserve_open(ox_VM *vm, size_t len) {
  Reserve r = {.limit = gc_limit(vm->gc)};
  r.raised = r.limit + (len <= RESERVE_TEXT ? RESERVE_BYTES : 0);
  gc_set_limit(vm->gc, r.raised);
  return r;
}

/* Unless a limit was set in the meantime. */
static void reserve_close(ox_VM *vm, const Reserve *r) {
  if (gc_limit(vm->gc) == r->raised) gc_set_limit(vm->gc, r->limit);
}

VmStatus vm_eval(ox_VM *vm, const char *name, const char *text, size_t len, Value *result,
                 VmText *diags, VmPlace *first) {
  if (first) memset(first, 0, sizeof *first);
  uint32_t mark = vm_roots_mark(vm);
  uint64_t known = list_len(vm, vm->st->globals);
  Value module;
  char *path = name && strchr(name, '/') ? import_resolve(NULL, name, strlen(name)) : NULL;
  LoadRequest r = {name, path, text, len, true, true, diags, first};
  Reserve reserve = reserve_open(vm, len);
  VmStatus status = import_load(vm, &r, &module);
  reserve_close(vm, &reserve);
  free(path);
  if (status != VM_OK) forget_globals(vm, known);
  if (status == VM_OK) *result = run_main(vm, module);
  vm_roots_reset(vm, mark);
  if (status != VM_OK) return status;
  return *result != V_ERROR && vm_root(vm, *result) ? VM_OK : VM_THROWN;
}

VmStatus vm_import(ox_VM *vm, const char *name, bool is_file, Value *module, VmText *diags) {
  VmStatus status = VM_OK;
  if (is_file) {
    char *path = import_resolve(NULL, name, strlen(name));
    if (!path) return vm_throw_oom(vm), VM_THROWN;
    status = import_file(vm, path, diags, NULL, module);
    free(path);
  } else {
    *module = import_standard(vm, name, strlen(name));
    if (*module == V_ABSENT && !error_pending(vm))
      vm_throw(vm, ERR_IMPORT, "there is no module '%s'", name);
    if (*module == V_ABSENT) status = VM_THROWN;
  }
  return status == VM_OK ? vm_run(vm, *module) : status;
}

VmStatus vm_disassemble(ox_VM *vm, const char *name, const char *text, size_t len, VmText *out,
                        VmText *diags) {
  Arena arena;
  if (!arena_init(&arena)) return vm_throw_oom(vm), VM_THROWN;
  Diags list;
  diag_init(&list, &arena);
  Source source;
  LangEnv env = import_env(vm);
  env.global_define = NULL;
  LangOptions options = {.env = &env};
  LangResult result = {0};
  if (source_init(&source, &arena, name, text, len) == SOURCE_OK)
    result = lang_compile(&arena, &source, &options, &list);
  if (result.module) disasm_module(result.module, &source, vm_text_add, out);
  else diag_render_all(&list, &(DiagStyle){.colour = diags->colour}, vm_text_add, diags);
  VmStatus status = result.module ? VM_OK : result.incomplete ? VM_INCOMPLETE : VM_SYNTAX;
  arena_free(&arena);
  return status;
}
