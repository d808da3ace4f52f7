/* os.c - the module `os`: the process and the machine it runs on. */
#include "lib.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __APPLE__
#define PLATFORM "macos"
#elif defined __linux__
#define PLATFORM "linux"
#else
#define PLATFORM "unix"
#endif

/* Unwinds the whole program as an error that cannot be caught; whoever runs the VM looks at
 * vm->exiting and vm->exit_code. */
static Value os_exit(ox_VM *vm, Value *args, int nargs) {
  int64_t code = 0;
  (void)nargs;
  if (arg_given(args, 0) && !arg_int(vm, args[0], "code of os.exit", &code)) return V_ERROR;
  if (code < 0 || code > 255)
    return vm_throw(vm, ERR_VALUE, "code of os.exit must be from 0 to 255");
  vm_throw(vm, ERR_INTERRUPT, "the program ends by os.exit(%d)", (int)code);
  vm->exiting = true;
  vm->exit_code = (int)code;
  vm->unwinding_uncatchable = true;
  return V_ERROR;
}

static Value os_env(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!arg_given(args, 0)) return vm_throw(vm, ERR_ARITY, "os.env needs a name");
  const char *name = lib_path(vm, args[0], "name of os.env");
  if (!name) return V_ERROR;
  const char *value = getenv(name);
  if (value) return string_from_c(vm, value);
  return arg_given(args, 1) ? args[1] : V_NIL;
}

static Value os_cwd(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  char *path = getcwd(NULL, 0);
  if (!path) return lib_throw_io(vm, "find", "the working directory", errno);
  Value v = string_from_c(vm, path);
  free(path);
  return v;
}

static Value os_pid(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  return num_from_int(vm, getpid());
}

static Value os_hostname(ox_VM *vm, Value *args, int nargs) {
  char name[HOST_NAME_MAX + 1];
  (void)args, (void)nargs;
  if (gethostname(name, sizeof name) != 0)
    return lib_throw_io(vm, "find", "the host's name", errno);
  name[sizeof name - 1] = 0;
  return string_from_c(vm, name);
}

static Value os_home(ox_VM *vm, Value *args, int nargs) {
  const char *home = getenv("HOME");
  char space[4096];
  struct passwd entry, *found = NULL;
  (void)args, (void)nargs;
  if (home && *home) return string_from_c(vm, home);
  if (getpwuid_r(getuid(), &entry, space, sizeof space, &found) == 0 && found)
    return string_from_c(vm, found->pw_dir);
  return V_NIL;
}

static Value os_cpus(ox_VM *vm, Value *args, int nargs) {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  (void)vm, (void)args, (void)nargs;
  return v_from_int(n > 0 ? n : 1);
}

static Value args_list(ox_VM *vm) {
  Value list = list_new(vm, vm->argc > 0 ? (uint64_t)vm->argc : 0);
  for (int i = 0; i < vm->argc && list != V_ERROR; i++) {
    Value arg = string_from_c(vm, vm->argv[i]);
    if (arg == V_ERROR || !list_push(vm, list, arg)) return V_ERROR;
  }
  return list;
}

static bool os_init(ox_VM *vm, Value exports) {
  return lib_export(vm, exports, "args", args_list(vm)) &&
         lib_export(vm, exports, "platform", string_from_c(vm, PLATFORM));
}

/* The place of `args` in the module where that was imported; NULL: it was not. */
static Value *args_place(ox_VM *vm) {
  Value key = string_from_c(vm, "std:os"), name = string_from_c(vm, "args");
  if (key == V_ERROR || name == V_ERROR) return NULL;
  Value module = map_get_str(vm, as_map(vm, vm->st->modules), key);
  if (!v_is(module, KIND_MODULE)) return NULL;
  const Module *m = vm_deref(vm, module);
  if (!v_is(m->exports, KIND_MAP) || !v_is(m->frame, KIND_FRAME)) return NULL;
  Value slot = map_get_str(vm, as_map(vm, m->exports), name);
  Frame *f = (Frame *)vm_deref(vm, m->frame);
  return v_is_int(slot) && (uint64_t)v_int(slot) < f->h.n ? &f->slots[v_int(slot)] : NULL;
}

void os_renew_args(ox_VM *vm) {
  uint32_t mark = vm_roots_mark(vm);
  Value *place = args_place(vm);
  bool is_same = place && !vm->argc && v_is(*place, KIND_LIST) && list_len(vm, *place) == 0;
  Value list = place && !is_same ? args_list(vm) : V_ERROR;
  if (list != V_ERROR) gc_store(vm->cage, gc_word(vm->cage, place), list);
  if (error_pending(vm)) error_take(vm); /* no memory: they stay what they were */
  vm_roots_reset(vm, mark);
}

static const NativeDef os_defs[] = {
    NATIVE("env", os_env, "env(name, default = nil)",
           "The environment variable of that name, or the default."),
    NATIVE("exit", os_exit, "exit(code = 0)",
           "Ends the program with an exit status from 0 to 255; finally blocks and deferred "
           "calls are skipped, and no catch stops it."),
    NATIVE("cwd", os_cwd, "cwd() -> string", "The working directory, as an absolute path."),
    NATIVE("pid", os_pid, "pid() -> int", "The number of this process."),
    NATIVE("hostname", os_hostname, "hostname() -> string", "The name of the machine."),
    NATIVE("home", os_home, "home()", "The user's home directory, or nil."),
    NATIVE("cpus", os_cpus, "cpus() -> int", "How many processors are available."),
};

const ModuleDef module_os = {
    "os",
    "The process and its machine; args is the list of the program's arguments, platform "
    "\"linux\" or the like.",
    os_defs, LIB_COUNT(os_defs), -1, os_init};
