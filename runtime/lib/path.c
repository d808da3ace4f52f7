/* path.c - the module `path`: texts that name files. Nothing here looks at the file system, except
 * that absolute() needs the working directory. The separator is "/". */
#include "lib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Part { const char *s; size_t n; } Part;

static bool part_arg(ox_VM *vm, Value v, const char *what, Part *out) {
  const char *s = lib_path(vm, v, what);
  if (!s) return false;
  *out = (Part){s, strlen(s)};
  return true;
}

static Value part_value(ox_VM *vm, Part p) { return string_new(vm, p.s, p.n); }

/* Without slashes at its end, except that "/" stays. */
static Part trimmed(Part p) {
  while (p.n > 1 && p.s[p.n - 1] == '/') p.n--;
  return p;
}

static Part base_of(Part p) {
  p = trimmed(p);
  size_t from = p.n;
  while (from && p.s[from - 1] != '/') from--;
  if (from == p.n && p.n) return p; /* "/" */
  return (Part){p.s + from, p.n - from};
}

static Part dir_of(Part p) {
  p = trimmed(p);
  size_t n = p.n;
  while (n && p.s[n - 1] != '/') n--;
  if (!n) return (Part){".", 1};
  return trimmed((Part){p.s, n});
}

/* Where the ending of a base name starts: the last dot, but not a leading one (".profile"). */
static size_t ending_of(Part base) {
  size_t lead = 0;
  while (lead < base.n && base.s[lead] == '.') lead++;
  for (size_t i = base.n; i > lead; i--)
    if (base.s[i - 1] == '.') return i - 1;
  return base.n;
}

/* ---- functions ----------------------------------------------------------------------------- */

static Value path_join(ox_VM *vm, Value *args, int nargs) {
  Buf b;
  buf_init(&b, vm);
  for (int i = 0; i < nargs; i++) {
    Part p;
    if (!part_arg(vm, args[i], "what path.join gets", &p)) {
      buf_free(&b);
      return V_ERROR;
    }
    if (!p.n) continue;
    if (p.s[0] == '/') b.len = 0; /* an absolute part starts anew */
    else if (b.len && b.data[b.len - 1] != '/') buf_putc(&b, '/');
    buf_add(&b, p.s, p.n);
  }
  return buf_finish(&b);
}

static Value path_base(ox_VM *vm, Value *args, int nargs) {
  Part p;
  (void)nargs;
  return part_arg(vm, args[0], "the path", &p) ? part_value(vm, base_of(p)) : V_ERROR;
}

static Value path_dir(ox_VM *vm, Value *args, int nargs) {
  Part p;
  (void)nargs;
  return part_arg(vm, args[0], "the path", &p) ? part_value(vm, dir_of(p)) : V_ERROR;
}

static Value path_ext(ox_VM *vm, Value *args, int nargs) {
  Part p;
  (void)nargs;
  if (!part_arg(vm, args[0], "the path", &p)) return V_ERROR;
  Part base = base_of(p);
  size_t at = ending_of(base);
  return string_new(vm, base.s + at, base.n - at);
}

static Value path_stem(ox_VM *vm, Value *args, int nargs) {
  Part p;
  (void)nargs;
  if (!part_arg(vm, args[0], "the path", &p)) return V_ERROR;
  Part base = base_of(p);
  return string_new(vm, base.s, ending_of(base));
}

static Value path_with_ext(ox_VM *vm, Value *args, int nargs) {
  Part p, ending;
  (void)nargs;
  if (!part_arg(vm, args[0], "the path", &p)) return V_ERROR;
  if (!part_arg(vm, args[1], "ext of path.with_ext", &ending)) return V_ERROR;
  if (memchr(ending.s, '/', ending.n))
    return vm_throw(vm, ERR_VALUE, "ext of path.with_ext must not contain a slash");
  p = trimmed(p);
  Part base = base_of(p);
  if (!base.n || base.s[0] == '/')
    return vm_throw(vm, ERR_VALUE, "path.with_ext: '%s' has no file name", p.s);
  Buf b;
  buf_init(&b, vm);
  buf_add(&b, p.s, (size_t)(base.s - p.s) + ending_of(base));
  if (ending.n && ending.s[0] != '.') buf_putc(&b, '.');
  buf_add(&b, ending.s, ending.n);
  return buf_finish(&b);
}

static Value path_is_absolute(ox_VM *vm, Value *args, int nargs) {
  Part p;
  (void)nargs;
  return part_arg(vm, args[0], "the path", &p) ? v_from_bool(p.s[0] == '/') : V_ERROR;
}

static Value path_split(ox_VM *vm, Value *args, int nargs) {
  Part p;
  (void)nargs;
  if (!part_arg(vm, args[0], "the path", &p)) return V_ERROR;
  Value pair[2] = {V_ERROR, part_value(vm, base_of(p))};
  if (pair[1] != V_ERROR) pair[0] = part_value(vm, dir_of(p));
  return pair[0] == V_ERROR ? V_ERROR : list_from(vm, pair, 2);
}

/* ---- normal form --------------------------------------------------------------------------- */

/* Drops the last name of the path in b, which starts (after a root) at `from`. */
static void drop_name(Buf *b, size_t from) {
  while (b->len > from && b->data[b->len - 1] != '/') b->len--;
  if (b->len > from) b->len--; /* the slash in front of it */
}

/* Appends the names of a path to b, resolving "." and "..". `floor` is the length of what must
 * stay: the root, or leading ".."s, after which it has grown. */
static void add_names(Buf *b, const char *s, size_t *floor, bool absolute) {
  while (*s) {
    size_t n = strcspn(s, "/");
    bool up = n == 2 && s[0] == '.' && s[1] == '.';
    if (up && b->len > *floor) {
      drop_name(b, *floor);
    } else if (n && !(n == 1 && *s == '.') && !(up && absolute)) {
      if (b->len && b->data[b->len - 1] != '/') buf_putc(b, '/');
      buf_add(b, s, n);
      if (up) *floor = b->len;
    }
    s += n + (s[n] == '/');
  }
}

static void normalize(Buf *b, const char *first, const char *second) {
  bool absolute = first[0] == '/';
  size_t floor = absolute;
  if (absolute) buf_putc(b, '/');
  add_names(b, first, &floor, absolute);
  if (second) add_names(b, second, &floor, absolute);
  if (!b->len) buf_putc(b, '.');
}

static Value path_normalize(ox_VM *vm, Value *args, int nargs) {
  Buf b;
  (void)nargs;
  const char *path = lib_path(vm, args[0], "the path");
  if (!path) return V_ERROR;
  buf_init(&b, vm);
  normalize(&b, path, NULL);
  return buf_finish(&b);
}

/* The absolute normal form into b. False: error pending. */
static bool absolute(ox_VM *vm, const char *path, Buf *b) {
  char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
  if (path[0] != '/' && !cwd) {
    lib_throw_io(vm, "find", "the working directory", errno);
    return false;
  }
  normalize(b, cwd ? cwd : path, cwd ? path : NULL);
  free(cwd);
  return true;
}

static Value path_absolute(ox_VM *vm, Value *args, int nargs) {
  Buf b;
  (void)nargs;
  const char *path = lib_path(vm, args[0], "the path");
  if (!path) return V_ERROR;
  buf_init(&b, vm);
  if (absolute(vm, path, &b)) return buf_finish(&b);
  buf_free(&b);
  return V_ERROR;
}

/* Both absolute, normal and NUL-terminated. */
static void add_relative(Buf *out, const char *to, const char *from) {
  size_t common = 0, i = 0;
  for (; to[i] && to[i] == from[i]; i++)
    if (to[i] == '/') common = i + 1;
  bool to_ends = !to[i] || to[i] == '/', from_ends = !from[i] || from[i] == '/';
  if (to_ends && from_ends) common = to[i] || from[i] ? i + 1 : i;
  const char *rest = common > strlen(from) ? "" : from + common;
  while (*rest) {
    buf_puts(out, out->len ? "/.." : "..");
    rest += strcspn(rest, "/");
    rest += *rest == '/';
  }
  rest = common > strlen(to) ? "" : to + common;
  if (*rest && out->len) buf_putc(out, '/');
  buf_puts(out, rest);
  if (!out->len) buf_putc(out, '.');
}

static Value path_relative(ox_VM *vm, Value *args, int nargs) {
  Buf to, from, out;
  (void)nargs;
  const char *path = lib_path(vm, args[0], "the path");
  const char *start = !path ? NULL : args[1] == V_ABSENT ? "." : lib_path(vm, args[1], "from");
  if (!start) return V_ERROR;
  buf_init(&to, vm);
  buf_init(&from, vm);
  buf_init(&out, vm);
  Value result = V_ERROR;
  if (absolute(vm, path, &to) && absolute(vm, start, &from)) {
    buf_putc(&to, 0);
    buf_putc(&from, 0);
    if (!to.failed && !from.failed) add_relative(&out, to.data, from.data);
    result = to.failed || from.failed ? vm_throw_oom(vm) : buf_finish(&out);
  } else {
    buf_free(&out);
  }
  buf_free(&to);
  buf_free(&from);
  return result;
}

static const NativeDef path_defs[] = {
    NATIVE("join", path_join, "join(...parts) -> string",
           "The parts with slashes between them; an absolute part starts anew, empty ones are "
           "left out."),
    NATIVE("base", path_base, "base(path) -> string", "The last name: \"c.txt\" of \"a/b/c.txt\"."),
    NATIVE("dir", path_dir, "dir(path) -> string",
           "All before the last name: \"a/b\" of \"a/b/c.txt\", \".\" if there is nothing."),
    NATIVE("ext", path_ext, "ext(path) -> string",
           "The ending with its dot: \".txt\" of \"c.txt\", \"\" of \"c\" and of \".profile\"."),
    NATIVE("stem", path_stem, "stem(path) -> string",
           "The last name without its ending: \"c\" of \"a/b/c.txt\"."),
    NATIVE("with_ext", path_with_ext, "with_ext(path, ext) -> string",
           "The path with another ending; the dot of ext may be left out, \"\" removes it."),
    NATIVE("split", path_split, "split(path) -> list", "[dir(path), base(path)]."),
    NATIVE("is_absolute", path_is_absolute, "is_absolute(path) -> bool",
           "Whether it starts with a slash."),
    NATIVE("normalize", path_normalize, "normalize(path) -> string",
           "Without double slashes, \".\" and, by the text alone, \"..\"; never empty."),
    NATIVE("absolute", path_absolute, "absolute(path) -> string",
           "The normal form, starting from the working directory."),
    NATIVE("relative", path_relative, "relative(path, from = \".\") -> string",
           "The path as seen from a directory, by the texts alone."),
};

const ModuleDef module_path = {"path", "Names of files as texts; the separator is a slash.",
                               path_defs, LIB_COUNT(path_defs), -1, NULL};
