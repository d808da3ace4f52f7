/* lib.c - see lib.h */
#include "lib.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- builtin classes ----------------------------------------------------------------------- */

static int table_of(const ModuleDef *def) {
  for (int t = 0; t < native_table_count; t++)
    if (native_tables[t] == def) return t;
  return -1;
}

static bool add_methods(ox_VM *vm, Value methods, const ModuleDef *def) {
  int table = def ? table_of(def) : -1;
  if (table < 0) return true;
  for (int i = 0; i < def->ndefs; i++) {
    Value fn = native_value(vm, (uint32_t)table << 10 | (uint32_t)i);
    if (fn == V_ERROR || !lib_put(vm, methods, def->defs[i].name, fn)) return false;
  }
  return true;
}

static bool add_fields(ox_VM *vm, const LibClass *c, Value fields, Value defaults) {
  for (int i = 0; i < c->nfields; i++)
    if (!lib_put(vm, fields, c->fields[i], v_from_int(i)) || !list_push(vm, defaults, V_NIL))
      return false;
  return true;
}

static Value class_build(ox_VM *vm, const LibClass *c) {
  Value name = string_intern(vm, c->name, strlen(c->name));
  if (name == V_ERROR || !vm_root(vm, name)) return V_ERROR;
  Value methods = map_new(vm, 0), fields = V_ERROR, defaults = V_ERROR;
  if (methods != V_ERROR) fields = map_new(vm, 0);
  if (fields != V_ERROR) defaults = list_new(vm, 0);
  if (defaults == V_ERROR || !add_methods(vm, methods, c->methods)) return V_ERROR;
  if (!add_fields(vm, c, fields, defaults)) return V_ERROR;
  Class *made = vm_alloc(vm, sizeof(Class) / 8, KIND_CLASS, LAYOUT_VALUES, 7, 0);
  if (!made) return V_ERROR;
  made->name = name;
  made->super = V_NIL;
  made->methods = methods;
  made->fields = fields;
  made->defaults = defaults;
  made->init = made->init_fields = V_NIL;
  made->nfields = (uint32_t)c->nfields;
  made->flags = CLASS_SEALED | CLASS_BUILTIN;
  return v_from_ptr(vm->cage, KIND_CLASS, made);
}

Value lib_class(ox_VM *vm, const LibClass *c) {
  Value *kept = &vm->st->spare[c->spare];
  if (v_is_ref(*kept)) return *kept;
  uint32_t mark = vm_roots_mark(vm);
  Value made = class_build(vm, c);
  if (made != V_ERROR) *kept = made;
  vm_roots_reset(vm, mark);
  return made;
}

Value lib_instance(ox_VM *vm, const LibClass *c) {
  Value cls = lib_class(vm, c);
  if (cls == V_ERROR) return V_ERROR;
  uint16_t n = (uint16_t)(c->nfields + c->hidden);
  Instance *made = vm_alloc(vm, 1 + n, KIND_INSTANCE, LAYOUT_VALUES | LAYOUT_AUX_REF, n,
                            v_ref(cls).w);
  if (!made) return V_ERROR;
  for (int i = 0; i < n; i++) made->fields[i] = V_NIL;
  Value v = v_from_ptr(vm->cage, KIND_INSTANCE, made);
  return vm_root(vm, v) ? v : V_ERROR;
}

/* The count of slots is compared too: whatever else may make an instance of the class, only those
 * made here have the hidden slots. */
bool lib_is(ox_VM *vm, Value v, const LibClass *c) {
  if (!v_is(v, KIND_INSTANCE)) return false;
  const Instance *instance = vm_deref(vm, v);
  Value cls = vm->st->spare[c->spare];
  return v_is_ref(cls) && instance->h.aux == v_ref(cls).w &&
         instance->h.n == c->nfields + c->hidden;
}

Instance *lib_check(ox_VM *vm, Value v, const LibClass *c, const char *what) {
  if (lib_is(vm, v, c)) return vm_deref(vm, v);
  vm_throw(vm, ERR_TYPE, "%s must be a %s, not %s", what, c->name, vm_type_name(vm, v));
  return NULL;
}

void lib_set_slot(ox_VM *vm, Instance *instance, int slot, Value v) {
  gc_store(vm->cage, gc_word(vm->cage, &instance->fields[slot]), v);
}

Value lib_names(ox_VM *vm, int spare, const char *const *names, int n) {
  Value *kept = &vm->st->spare[spare];
  if (v_is_ref(*kept)) return *kept;
  uint32_t mark = vm_roots_mark(vm);
  Value list = list_new(vm, (uint64_t)n);
  for (int i = 0; i < n && list != V_ERROR; i++) {
    Value name = string_intern(vm, names[i], strlen(names[i]));
    if (name == V_ERROR || !vm_root(vm, name) || !list_push(vm, list, name)) list = V_ERROR;
  }
  if (list != V_ERROR) *kept = list;
  vm_roots_reset(vm, mark);
  return list;
}

bool lib_put(ox_VM *vm, Value map, const char *name, Value v) {
  uint32_t mark = vm_roots_mark(vm);
  if (!vm_root(vm, v)) return false;
  Value key = string_intern(vm, name, strlen(name));
  bool done = key != V_ERROR && vm_root(vm, key) && map_set(vm, map, key, v);
  vm_roots_reset(vm, mark);
  return done;
}

bool lib_export(ox_VM *vm, Value exports, const char *name, Value v) {
  return v != V_ERROR && lib_put(vm, exports, name, v);
}

/* ---- paths and I/O errors ------------------------------------------------------------------ */

const char *lib_path(ox_VM *vm, Value v, const char *what) {
  String *s = arg_string(vm, v, what);
  if (!s) return NULL;
  if (memchr(s->chars, 0, s->h.aux)) {
    vm_throw(vm, ERR_VALUE, "%s must not contain a NUL byte (\\0)", what);
    return NULL;
  }
  return s->chars;
}

typedef struct Reason {
  int error;
  const char *code, *text, *remedy;
} Reason;

static const Reason reasons[] = {
    {ENOENT, "ENOENT", "no such file or directory", "check the spelling and os.cwd()"},
    {EACCES, "EACCES", "permission denied", "check the permissions of the file and its directory"},
    {EPERM, "EPERM", "operation not permitted", "check who owns the file"},
    {EEXIST, "EEXIST", "it exists already", "remove it first or choose another name"},
    {ENOTDIR, "ENOTDIR", "a part of the path is not a directory", "check each part of the path"},
    {EISDIR, "EISDIR", "it is a directory", "give the path of a file"},
    {ENOTEMPTY, "ENOTEMPTY", "the directory is not empty", "remove what is in it first"},
    {ENOSPC, "ENOSPC", "no space is left on the device", "free some space"},
    {EROFS, "EROFS", "the file system is read-only", "choose another place"},
    {EMFILE, "EMFILE", "too many open files", "close files that are no longer needed"},
    {ENFILE, "ENFILE", "too many open files in the system", "close some programs"},
    {ENAMETOOLONG, "ENAMETOOLONG", "the name is too long", "shorten it"},
    {ELOOP, "ELOOP", "too many symbolic links", "check for links that point in a circle"},
    {EXDEV, "EXDEV", "the places are on different file systems",
           "copy it, then remove the old one"},
    {EBUSY, "EBUSY", "it is in use", "stop what uses it"},
    {ETXTBSY, "ETXTBSY", "it is a program that is running", "stop it first"},
    {EINVAL, "EINVAL", "the operation does not fit this kind of file", "check what it is"},
    {ESPIPE, "ESPIPE", "it is a pipe or terminal, which has no position", "read it in order"},
    {EPIPE, "EPIPE", "the reader has gone", "check the program at the other end"},
    {EIO, "EIO", "the device reported an error", "check the device"},
    {EFBIG, "EFBIG", "the file would become too large", "split it"},
    {ENOEXEC, "ENOEXEC", "it is not a program that this system can run", "check its first line"},
    {E2BIG, "E2BIG", "the arguments are too long", "pass the data as input"},
    {ENOMEM, "ENOMEM", "the system is out of memory", "free some memory"},
    {EAGAIN, "EAGAIN", "the resource is not available now", "try again later"},
    {EBADF, "EBADF", "it is not open in this mode", "open it with another mode"},
    {EOVERFLOW, "EOVERFLOW", "a size or time does not fit", "check the file"},
};

static const Reason *find_reason(int error) {
  for (int i = 0; i < LIB_COUNT(reasons); i++)
    if (reasons[i].error == error) return &reasons[i];
  return NULL;
}

const char *lib_reason(int error) {
  const Reason *r = find_reason(error);
  return r ? r->text : "the system refused";
}

static Value io_data(ox_VM *vm, const char *path, const Reason *r, int error) {
  Value data = map_new(vm, 2);
  if (data == V_ERROR) return V_ERROR;
  Value text = string_from_c(vm, path);
  if (text == V_ERROR || !lib_put(vm, data, "path", text)) return V_ERROR;
  Value code = r ? string_from_c(vm, r->code) : string_format(vm, "%d", error);
  return code != V_ERROR && lib_put(vm, data, "code", code) ? data : V_ERROR;
}

Value lib_throw_io(ox_VM *vm, const char *action, const char *path, int error) {
  const Reason *r = find_reason(error);
  Value data = io_data(vm, path, r, error);
  if (data == V_ERROR) return V_ERROR;
  Value message =
      r ? string_format(vm, "cannot %s '%s': %s (%s)", action, path, r->text, r->remedy)
        : string_format(vm, "cannot %s '%s': the system refused (error %d)", action, path, error);
  if (message == V_ERROR) return V_ERROR;
  Value made = error_new(vm, ERR_IO, message, data);
  return made == V_ERROR ? V_ERROR : vm_throw_value(vm, made);
}

/* ---- times --------------------------------------------------------------------------------- */

bool lib_seconds(ox_VM *vm, Value v, const char *what, double *out) {
  if (!arg_number(vm, v, what, out)) return false;
  if (*out >= 0 && *out <= 9.2e9) return true;
  vm_throw(vm, ERR_VALUE, "%s must be a number of seconds from 0 to 9.2e9", what);
  return false;
}

bool lib_push_part(ox_VM *vm, Value list, MapPart part, Value key, Value value) {
  if (part != ITEMS) return list_push(vm, list, part == KEYS ? key : value);
  Value pair[2] = {key, value}, item = list_from(vm, pair, 2);
  return item != V_ERROR && list_push(vm, list, item);
}
