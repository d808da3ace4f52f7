/* fs.c - the module `fs`: files and directories. Paths are byte strings, relative ones start at the
 * working directory. Failures throw errors of the kind "io" whose data has path and code. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream.h"

enum { TREE_DEPTH = 200, COPY_BYTES = 1 << 18, COLLECT_STEPS = 10000 };
/* What opening a file or changing a directory is charged, so that loops over such calls look at
 * interrupts in time. */
enum { SYSTEM_STEPS = 100 };

/* ---- whole files --------------------------------------------------------------------------- */

/* open(2) again after signals, and once more after a collection where too many files are open: some
 * of them may be unreachable. */
static int open_stubbornly(ox_VM *vm, const char *path, int flags) {
  for (bool collected = false;;) {
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd >= 0) return fd;
    if (errno == EINTR) {
      if (!vm_poll(vm, 0)) return -1;
    } else if (errno == EMFILE && !collected) {
      vm_charge_steps(vm, COLLECT_STEPS);
      gc_collect(vm->gc);
      collected = true;
    } else {
      return -1;
    }
  }
}

/* An open descriptor, or -1 with the error thrown. */
static int open_path(ox_VM *vm, const char *path, int flags, const char *action) {
  vm_charge_steps(vm, SYSTEM_STEPS);
  int fd = open_stubbornly(vm, path, flags);
  if (fd < 0 && !error_pending(vm)) lib_throw_io(vm, action, path, errno);
  return fd;
}

static Value read_text(ox_VM *vm, const char *path) {
  struct stat info;
  int fd = open_path(vm, path, O_RDONLY, "read");
  if (fd < 0) return V_ERROR;
  Value text;
  if (fstat(fd, &info) != 0) text = lib_throw_io(vm, "read", path, errno);
  else if (S_ISDIR(info.st_mode)) text = lib_throw_io(vm, "read", path, EISDIR);
  else text = stream_slurp(vm, fd, S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0, path);
  close(fd);
  return text;
}

static Value fs_read(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.read");
  return path ? read_text(vm, path) : V_ERROR;
}

static Value fs_lines(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.lines");
  Value text = path ? read_text(vm, path) : V_ERROR;
  return text == V_ERROR ? V_ERROR : stream_split_lines(vm, text);
}

static Value fs_read_bytes(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.read_bytes");
  Value text = path ? read_text(vm, path) : V_ERROR;
  String *s = text == V_ERROR ? NULL : string_flat(vm, text);
  Value list = s ? list_new(vm, s->h.aux) : V_ERROR;
  uint64_t next = VM_WORK;
  for (uint32_t i = 0; list != V_ERROR && i < s->h.aux; i++)
    if (!list_push(vm, list, v_from_int((uint8_t)s->chars[i])) || !vm_poll_at(vm, i, &next))
      return V_ERROR;
  return list;
}

static Value write_text(ox_VM *vm, const char *path, const char *bytes, size_t n, int flags) {
  int fd = open_path(vm, path, O_WRONLY | O_CREAT | flags, "write");
  if (fd < 0) return V_ERROR;
  bool done = stream_write_fd(vm, fd, bytes, n);
  int error = errno;
  if (close(fd) != 0 && errno != EINTR && done) {
    done = false;
    error = errno;
  }
  if (done) return V_NIL;
  return error_pending(vm) ? V_ERROR : lib_throw_io(vm, "write", path, error);
}

static Value write_arg(ox_VM *vm, Value *args, const char *what, int flags) {
  const char *path = lib_path(vm, args[0], what);
  String *text = path ? arg_string(vm, args[1], "text to write") : NULL;
  return text ? write_text(vm, path, text->chars, text->h.aux, flags) : V_ERROR;
}

static Value fs_write(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return write_arg(vm, args, "path of fs.write", O_TRUNC);
}
static Value fs_append(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return write_arg(vm, args, "path of fs.append", O_APPEND);
}

/* The bytes of a list of ints, appended to b. False: error pending. */
static bool add_bytes(ox_VM *vm, Buf *b, Value list) {
  for (uint64_t i = 0; i < list_len(vm, list); i++) {
    uint64_t byte;
    if (!arg_index(vm, list_get(vm, list, i), "each byte", &byte)) return false;
    if (byte > 255) {
      vm_throw(vm, ERR_VALUE, "fs.write_bytes: each byte must be from 0 to 255");
      return false;
    }
    buf_putc(b, (char)byte);
  }
  if (b->failed && !error_pending(vm)) vm_throw_oom(vm);
  return !b->failed;
}

static Value fs_write_bytes(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.write_bytes");
  if (!path || !arg_kind(vm, args[1], KIND_LIST, "bytes of fs.write_bytes")) return V_ERROR;
  Buf b;
  buf_init(&b, vm);
  Value result = V_ERROR;
  if (add_bytes(vm, &b, args[1])) result = write_text(vm, path, b.data, b.len, O_TRUNC);
  buf_free(&b);
  return result;
}

/* ---- questions ----------------------------------------------------------------------------- */

/* 1, 0: there is nothing, -1: error pending. */
static int look(ox_VM *vm, Value v, const char *what, struct stat *info) {
  const char *path = lib_path(vm, v, what);
  if (!path) return -1;
  return stat(path, info) == 0;
}

static Value fs_exists(ox_VM *vm, Value *args, int nargs) {
  struct stat info;
  (void)nargs;
  int there = look(vm, args[0], "path of fs.exists", &info);
  return there < 0 ? V_ERROR : v_from_bool(there);
}
static Value fs_is_file(ox_VM *vm, Value *args, int nargs) {
  struct stat info;
  (void)nargs;
  int there = look(vm, args[0], "path of fs.is_file", &info);
  return there < 0 ? V_ERROR : v_from_bool(there && S_ISREG(info.st_mode));
}
static Value fs_is_dir(ox_VM *vm, Value *args, int nargs) {
  struct stat info;
  (void)nargs;
  int there = look(vm, args[0], "path of fs.is_dir", &info);
  return there < 0 ? V_ERROR : v_from_bool(there && S_ISDIR(info.st_mode));
}

static Value fs_size(ox_VM *vm, Value *args, int nargs) {
  struct stat info;
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.size");
  if (!path) return V_ERROR;
  if (stat(path, &info) != 0) return lib_throw_io(vm, "measure", path, errno);
  return num_from_int(vm, info.st_size);
}

static const char *type_name(mode_t mode) {
  return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "dir" : S_ISLNK(mode) ? "link" : "other";
}

static Value seconds(struct timespec t) {
  return v_from_float((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

static Value fs_stat(ox_VM *vm, Value *args, int nargs) {
  static const char *const names[] = {"type", "size", "mode", "modified", "accessed", "links"};
  struct stat info;
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.stat");
  if (!path) return V_ERROR;
  bool follow = args[1] == V_ABSENT || !v_is_falsy(args[1]);
  if ((follow ? stat(path, &info) : lstat(path, &info)) != 0)
    return lib_throw_io(vm, "look at", path, errno);
  Value list = lib_names(vm, LIB_STAT_NAMES, names, LIB_COUNT(names));
  if (list == V_ERROR) return V_ERROR;
  Value type = string_from_c(vm, type_name(info.st_mode));
  Value size = num_from_int(vm, info.st_size);
  if (type == V_ERROR || size == V_ERROR) return V_ERROR;
  const Value values[] = {type, size, v_from_int(info.st_mode & 07777), seconds(info.st_mtim),
                          seconds(info.st_atim), v_from_int((int64_t)info.st_nlink & 0xFFFFFFFF)};
  return map_from_names(vm, list, values, LIB_COUNT(names));
}

/* ---- directories --------------------------------------------------------------------------- */

typedef struct Names { char **items; size_t n, cap; } Names;

static void names_free(Names *names) {
  for (size_t i = 0; i < names->n; i++) free(names->items[i]);
  free(names->items);
}

static bool names_add(Names *names, const char *name) {
  if (names->n == names->cap) {
    size_t cap = names->cap ? names->cap * 2 : 32;
    char **grown = realloc(names->items, cap * sizeof *grown);
    if (!grown) return false;
    names->items = grown;
    names->cap = cap;
  }
  return (names->items[names->n] = strdup(name)) && ++names->n;
}

static int order_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_dots(const char *name) {
  return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* The names in an open directory, sorted by their bytes. Closes it. 0 or an errno value. */
static int read_names(DIR *dir, Names *names) {
  int error = 0;
  struct dirent *entry;
  while (!error && (errno = 0, entry = readdir(dir)))
    if (!is_dots(entry->d_name) && !names_add(names, entry->d_name)) error = ENOMEM;
  if (!error) error = errno;
  closedir(dir);
  if (names->n) qsort(names->items, names->n, sizeof *names->items, order_names);
  return error;
}

/* 0 or an errno value. */
static int list_dir(const char *path, Names *names) {
  DIR *dir = opendir(path);
  return dir ? read_names(dir, names) : errno;
}

static Value fs_list(ox_VM *vm, Value *args, int nargs) {
  Names names = {NULL, 0, 0};
  (void)nargs;
  const char *path = args[0] == V_ABSENT ? "." : lib_path(vm, args[0], "path of fs.list");
  if (!path) return V_ERROR;
  vm_charge_steps(vm, SYSTEM_STEPS);
  int error = list_dir(path, &names);
  Value list = error ? lib_throw_io(vm, "list", path, error) : list_new(vm, names.n);
  uint32_t mark = vm_roots_mark(vm);
  for (size_t i = 0; i < names.n && list != V_ERROR; i++) {
    Value name = string_from_c(vm, names.items[i]);
    if (name == V_ERROR || !list_push(vm, list, name)) list = V_ERROR;
    vm_roots_reset(vm, mark);
  }
  names_free(&names);
  return list;
}

/* Puts what is in `path` on top of `todo`, as "path/name". That stack stands for the recursion, so
 * only memory bounds the depth. A directory that has just gone is empty, except the first one. */
static bool push_entries(ox_VM *vm, const char *path, Names *todo, bool first) {
  Names names = {NULL, 0, 0};
  const char *slash = *path && path[strlen(path) - 1] == '/' ? "" : "/";
  int error = list_dir(path, &names);
  bool done = !error || (!first && (error == ENOENT || error == ENOTDIR));
  if (!done) lib_throw_io(vm, "list", path, error);
  for (size_t i = names.n; done && i-- > 0; ) {
    char *joined;
    if (asprintf(&joined, "%s%s%s", path, slash, names.items[i]) < 0) joined = NULL;
    done = joined && names_add(todo, joined);
    free(joined);
    if (!done) vm_throw_oom(vm);
  }
  names_free(&names);
  return done;
}

static bool walk_into(ox_VM *vm, Value list, Names *todo) {
  while (todo->n) {
    uint32_t mark = vm_roots_mark(vm);
    char *path = todo->items[--todo->n];
    struct stat info;
    Value text = string_from_c(vm, path);
    bool done = text != V_ERROR && list_push(vm, list, text) && vm_poll(vm, 1);
    if (done && lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
      done = push_entries(vm, path, todo, false);
    free(path);
    vm_roots_reset(vm, mark);
    if (!done) return false;
  }
  return true;
}

static Value fs_walk(ox_VM *vm, Value *args, int nargs) {
  Names todo = {NULL, 0, 0};
  (void)nargs;
  const char *path = args[0] == V_ABSENT ? "." : lib_path(vm, args[0], "path of fs.walk");
  Value list = path ? list_new(vm, 0) : V_ERROR;
  if (list == V_ERROR) return V_ERROR;
  if (!push_entries(vm, path, &todo, true) || !walk_into(vm, list, &todo)) list = V_ERROR;
  names_free(&todo);
  return list;
}

/* Makes one directory; fine if it is one already. 0 or an errno value. */
static int make_one(const char *path) {
  struct stat info;
  if (mkdir(path, 0777) == 0) return 0;
  int error = errno;
  bool there = stat(path, &info) == 0;
  return there ? (S_ISDIR(info.st_mode) ? 0 : EEXIST) : error;
}

static int make_parents(char *path) {
  for (char *s = path + 1; *s; s++) {
    if (*s != '/') continue;
    *s = 0;
    int error = make_one(path);
    *s = '/';
    if (error) return error;
  }
  return make_one(path);
}

static Value fs_make_dir(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.make_dir");
  if (!path) return V_ERROR;
  if (!*path) return lib_throw_io(vm, "make the directory", path, ENOENT);
  vm_charge_steps(vm, SYSTEM_STEPS + 16 * strlen(path)); /* two system calls for each part */
  char *copy = strdup(path);
  if (!copy) return vm_throw_oom(vm);
  int error = make_parents(copy);
  free(copy);
  return error ? lib_throw_io(vm, "make the directory", path, error) : V_NIL;
}

/* ---- removing, renaming, copying ----------------------------------------------------------- */

static Value fs_remove(ox_VM *vm, Value *args, int nargs) {
  struct stat info;
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.remove");
  if (!path) return V_ERROR;
  if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
    return vm_throw(vm, ERR_IO, "cannot remove '%s': it is a directory (use fs.remove_dir)", path);
  return unlink(path) == 0 ? V_NIL : lib_throw_io(vm, "remove", path, errno);
}

static int remove_below(int parent, const char *name, int depth);

static int remove_entry(int dir, const char *name, int depth) {
  if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  return remove_below(dir, name, depth);
}

/* A directory with all in it. Works from descriptors and never follows a link, so nothing outside
 * can be hit however the tree changes meanwhile. 0 or an errno value. */
static int remove_below(int parent, const char *name, int depth) {
  Names names = {NULL, 0, 0};
  if (depth > TREE_DEPTH) return ELOOP;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int listing = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0); /* closed by read_names */
  DIR *dir = listing < 0 ? NULL : fdopendir(listing);
  int error = dir ? read_names(dir, &names) : errno;
  if (!dir && listing >= 0) close(listing);
  for (size_t i = 0; !error && i < names.n; i++)
    error = remove_entry(fd, names.items[i], depth + 1);
  names_free(&names);
  if (fd >= 0) close(fd);
  return error ? error : unlinkat(parent, name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

static Value fs_remove_dir(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.remove_dir");
  if (!path) return V_ERROR;
  bool all = args[1] != V_ABSENT && !v_is_falsy(args[1]);
  vm_charge_steps(vm, SYSTEM_STEPS);
  int error = all ? remove_below(AT_FDCWD, path, 0) : rmdir(path) == 0 ? 0 : errno;
  if (error == EEXIST) error = ENOTEMPTY;
  return error ? lib_throw_io(vm, "remove the directory", path, error) : V_NIL;
}

static Value fs_rename(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *from = lib_path(vm, args[0], "the old path of fs.rename");
  const char *to = from ? lib_path(vm, args[1], "the new path of fs.rename") : NULL;
  if (!to) return V_ERROR;
  vm_charge_steps(vm, SYSTEM_STEPS);
  return rename(from, to) == 0 ? V_NIL : lib_throw_io(vm, "rename", from, errno);
}

/* 0, an errno value, or -1 with an error pending. */
static int copy_bytes(ox_VM *vm, int in, int out) {
  char *chunk = malloc(COPY_BYTES);
  int error = chunk ? 0 : ENOMEM;
  while (!error) {
    ssize_t got = read(in, chunk, COPY_BYTES);
    if (got == 0) break;
    if (got < 0 && errno != EINTR) error = errno;
    else if (got > 0 && !stream_write_fd(vm, out, chunk, (size_t)got)) error = errno;
    if (!vm_poll(vm, 1) || error_pending(vm)) error = -1;
  }
  free(chunk);
  return error;
}

static Value copy_open(ox_VM *vm, int in, const char *from, const char *to) {
  struct stat info, other;
  if (fstat(in, &info) != 0) return lib_throw_io(vm, "copy", from, errno);
  if (S_ISDIR(info.st_mode)) return lib_throw_io(vm, "copy", from, EISDIR);
  if (stat(to, &other) == 0 && other.st_dev == info.st_dev && other.st_ino == info.st_ino)
    return vm_throw(vm, ERR_IO, "cannot copy '%s' to '%s': they are the same file", from, to);
  int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, info.st_mode & 0777);
  if (out < 0) return lib_throw_io(vm, "write", to, errno);
  int error = copy_bytes(vm, in, out);
  if (close(out) != 0 && !error && errno != EINTR) error = errno;
  if (error > 0) return lib_throw_io(vm, "copy", from, error);
  return error ? V_ERROR : V_NIL;
}

static Value fs_copy(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *from = lib_path(vm, args[0], "the source of fs.copy");
  const char *to = from ? lib_path(vm, args[1], "the target of fs.copy") : NULL;
  int in = to ? open_path(vm, from, O_RDONLY, "copy") : -1;
  if (in < 0) return V_ERROR;
  Value result = copy_open(vm, in, from, to);
  close(in);
  return result;
}

static Value fs_temp_dir(ox_VM *vm, Value *args, int nargs) {
  const char *base = getenv("TMPDIR");
  char *path;
  (void)args, (void)nargs;
  if (!base || !*base) base = "/tmp";
  vm_charge_steps(vm, SYSTEM_STEPS);
  if (asprintf(&path, "%s/oxbow-XXXXXX", base) < 0) return vm_throw_oom(vm);
  Value v = mkdtemp(path) ? string_from_c(vm, path)
                          : lib_throw_io(vm, "make a directory in", base, errno);
  free(path);
  return v;
}

/* ---- file objects -------------------------------------------------------------------------- */

typedef struct Mode { const char *name; int open; unsigned stream; } Mode;

static const Mode *find_mode(ox_VM *vm, const char *name) {
  static const Mode modes[] = {
      {"r", O_RDONLY, STREAM_READ},
      {"w", O_WRONLY | O_CREAT | O_TRUNC, STREAM_WRITE},
      {"a", O_WRONLY | O_CREAT | O_APPEND, STREAM_WRITE},
      {"x", O_WRONLY | O_CREAT | O_EXCL, STREAM_WRITE},
      {"r+", O_RDWR, STREAM_READ | STREAM_WRITE},
      {"w+", O_RDWR | O_CREAT | O_TRUNC, STREAM_READ | STREAM_WRITE},
      {"a+", O_RDWR | O_CREAT | O_APPEND, STREAM_READ | STREAM_WRITE},
  };
  for (int i = 0; i < LIB_COUNT(modes); i++)
    if (!strcmp(modes[i].name, name)) return &modes[i];
  vm_throw(vm, ERR_VALUE, "fs.open: unknown mode '%.20s' (known: r w a x r+ w+ a+)", name);
  return NULL;
}

static Value fs_open(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  const char *path = lib_path(vm, args[0], "path of fs.open");
  Value mode_text = args[1] == V_ABSENT ? string_byte(vm, 'r') : args[1];
  String *mode_name = path ? arg_string(vm, mode_text, "mode of fs.open") : NULL;
  const Mode *mode = mode_name ? find_mode(vm, mode_name->chars) : NULL;
  if (mode && mode->stream & STREAM_READ && !vm_allows(vm, "fs.read")) return V_ERROR;
  if (mode && mode->stream & STREAM_WRITE && !vm_allows(vm, "fs.write")) return V_ERROR;
  int fd = mode ? open_path(vm, path, mode->open, "open") : -1;
  if (fd < 0) return V_ERROR;
  struct stat info;
  if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    close(fd);
    return lib_throw_io(vm, "open", path, EISDIR);
  }
  Stream *stream = stream_new(vm, fd, mode->stream, path);
  return stream ? file_new(vm, stream, args[0], mode_text) : V_ERROR;
}

static const NativeDef fs_defs[] = {
    NATIVE("read", fs_read, "read(path) -> string", "The whole content of a file."),
    NATIVE("lines", fs_lines, "lines(path) -> list",
           "The lines of a file, without their line ends (\\n or \\r\\n)."),
    NATIVE("read_bytes", fs_read_bytes, "read_bytes(path) -> list",
           "The content of a file as ints from 0 to 255."),
    NATIVE("write", fs_write, "write(path, text)", "Makes or overwrites a file."),
    NATIVE("append", fs_append, "append(path, text)", "Adds to the end of a file, or makes it."),
    NATIVE("write_bytes", fs_write_bytes, "write_bytes(path, bytes)",
           "Makes or overwrites a file from a list of ints from 0 to 255."),
    NATIVE("open", fs_open, "open(path, mode = \"r\") -> fs.File",
           "Opens a file: r reads, w overwrites, a appends, x makes a new one only; r+ w+ a+ "
           "read and write."),
    NATIVE("exists", fs_exists, "exists(path) -> bool",
           "Whether there is a file or directory (at the end of links)."),
    NATIVE("is_file", fs_is_file, "is_file(path) -> bool", "Whether it is a regular file."),
    NATIVE("is_dir", fs_is_dir, "is_dir(path) -> bool", "Whether it is a directory."),
    NATIVE("size", fs_size, "size(path) -> int", "The size of a file in bytes."),
    NATIVE("stat", fs_stat, "stat(path, follow = true) -> map",
           "type (\"file\", \"dir\", \"link\", \"other\"), size in bytes, mode (permission "
           "bits), modified and accessed (times), links; follow: false looks at a link itself."),
    NATIVE("list", fs_list, "list(path = \".\") -> list",
           "The names in a directory, sorted by their bytes, without . and .."),
    NATIVE("walk", fs_walk, "walk(path = \".\") -> list",
           "The paths of all files and directories below one, each directory before what is in "
           "it; links are not followed."),
    NATIVE("make_dir", fs_make_dir, "make_dir(path)",
           "Makes a directory and those above it; fine if it is there."),
    NATIVE("remove", fs_remove, "remove(path)", "Removes a file or link."),
    NATIVE("remove_dir", fs_remove_dir, "remove_dir(path, all = false)",
           "Removes an empty directory, or with all: true one with everything in it."),
    NATIVE("rename", fs_rename, "rename(old, new)",
           "Renames or moves within a file system, replacing a file that has the new name."),
    NATIVE("copy", fs_copy, "copy(from, to)",
           "Copies content and permissions of a file, replacing the target."),
    NATIVE("temp_dir", fs_temp_dir, "temp_dir() -> string",
           "Makes a new, empty directory (in TMPDIR or /tmp) and gives its path; it is not "
           "removed by itself."),
};

const ModuleDef module_fs = {
    "fs", "Files and directories. What fails throws an error of the kind \"io\"; its data has the "
    "path and a code such as \"ENOENT\".",
    fs_defs, LIB_COUNT(fs_defs), -1, NULL};
