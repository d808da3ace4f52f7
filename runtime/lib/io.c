/* io.c - the module `io`: standard input, output and error. Standard output is the VM's (a host
 * may have redirected it), standard input a file object whose read-ahead all programs of the VM
 * share. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../repr.h"
#include "stream.h"

enum { FIELD_NAME, SLOT_FD };

extern const ModuleDef module_io_stream;
static const LibClass out_class = {
    "io.Stream", LIB_STREAM_CLASS, &module_io_stream, 1, 1, {"name"}};

/* ---- standard input ------------------------------------------------------------------------ */

/* The file object of standard input, made once. */
static Value input_file(ox_VM *vm) {
  Value *kept = &vm->st->spare[LIB_STDIN];
  if (v_is_ref(*kept)) return *kept;
  Stream *stream = stream_new(vm, STDIN_FILENO, STREAM_READ | STREAM_KEEP_FD, "<stdin>");
  Value path = stream ? string_from_c(vm, "<stdin>") : V_ERROR;
  if (stream && path == V_ERROR) stream_free(stream);
  Value file = path == V_ERROR ? V_ERROR : file_new(vm, stream, path, string_byte(vm, 'r'));
  if (file != V_ERROR) *kept = file;
  return file;
}

static Stream *input(ox_VM *vm) {
  Value file = input_file(vm);
  return file == V_ERROR ? NULL : file_stream(vm, file);
}

static Value io_read(ox_VM *vm, Value *args, int nargs) {
  uint64_t n = UINT64_MAX;
  (void)nargs;
  if (arg_given(args, 0) && args[0] != V_NIL && !arg_index(vm, args[0], "n of io.read", &n))
    return V_ERROR;
  Stream *s = input(vm);
  return s ? stream_read(vm, s, n) : V_ERROR;
}

static Value io_read_line(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Stream *s = input(vm);
  if (!s) return V_ERROR;
  if (arg_given(args, 0) && args[0] != V_NIL) {
    String *prompt = arg_string(vm, args[0], "prompt of io.read_line");
    if (!prompt) return V_ERROR;
    vm_write(vm, prompt->chars, prompt->h.aux);
    vm_flush(vm);
  }
  return stream_read_line(vm, s);
}

static Value io_lines(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  Stream *s = input(vm);
  return s ? stream_lines(vm, s) : V_ERROR;
}

/* ---- standard output and error ------------------------------------------------------------- */

static bool write_error(ox_VM *vm, const char *bytes, size_t n) {
  vm_flush(vm); /* keeps the order where both go to one place */
  if (vm->write_error) {
    vm->write_error(vm->write_ctx, bytes, n);
    return true;
  }
  if (stream_write_fd(vm, STDERR_FILENO, bytes, n)) return true;
  if (!error_pending(vm)) lib_throw_io(vm, "write to", "<stderr>", errno);
  return false;
}

/* Writes strings as they are, other values as print does, without blanks or a line end. */
static Value write_all(ox_VM *vm, int fd, Value *args, int nargs) {
  Buf b;
  buf_init(&b, vm);
  Value list = list_from(vm, args, (uint64_t)nargs); /* printing may run methods and move args */
  bool fine = list != V_ERROR;
  for (int i = 0; i < nargs && fine; i++)
    fine = value_print(&b, list_get(vm, list, (uint64_t)i), false) && !b.failed;
  if (fine && fd == STDOUT_FILENO) vm_write(vm, b.data, b.len);
  else if (fine) fine = write_error(vm, b.data, b.len);
  if (!fine && !error_pending(vm)) vm_throw_oom(vm);
  buf_free(&b);
  return fine ? V_NIL : V_ERROR;
}

static Value io_write(ox_VM *vm, Value *args, int nargs) {
  return write_all(vm, STDOUT_FILENO, args, nargs);
}

static Value io_flush(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  vm_flush(vm);
  return V_NIL;
}

/* The descriptor of an output stream, or -1 with an error pending. */
static int stream_fd(ox_VM *vm, Value self) {
  Instance *instance = lib_check(vm, self, &out_class, "self");
  return instance ? (int)v_int(instance->fields[SLOT_FD]) : -1;
}

static Value out_write(ox_VM *vm, Value *args, int nargs) {
  int fd = stream_fd(vm, args[0]);
  return fd < 0 ? V_ERROR : write_all(vm, fd, args + 1, nargs - 1);
}

static Value out_flush(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (stream_fd(vm, args[0]) < 0) return V_ERROR;
  vm_flush(vm);
  return V_NIL;
}

static Value out_is_tty(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  int fd = stream_fd(vm, args[0]);
  return fd < 0 ? V_ERROR : v_from_bool(isatty(fd));
}

static Value out_str(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  int fd = stream_fd(vm, args[0]);
  return fd < 0 ? V_ERROR : string_from_c(vm, fd == STDOUT_FILENO ? "<stdout>" : "<stderr>");
}

/* The terminal is asked for of standard input and output: whether a person is there. */
static Value io_is_tty(ox_VM *vm, Value *args, int nargs) {
  (void)vm, (void)args, (void)nargs;
  return v_from_bool(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

static Value out_new(ox_VM *vm, const char *name, int fd) {
  Value text = string_from_c(vm, name);
  Value made = text == V_ERROR ? V_ERROR : lib_instance(vm, &out_class);
  if (made == V_ERROR) return V_ERROR;
  lib_set_slot(vm, vm_deref(vm, made), FIELD_NAME, text);
  lib_set_slot(vm, vm_deref(vm, made), SLOT_FD, v_from_int(fd));
  return made;
}

static bool io_init(ox_VM *vm, Value exports) {
  return lib_export(vm, exports, "stdin", input_file(vm)) &&
         lib_export(vm, exports, "stdout", out_new(vm, "stdout", STDOUT_FILENO)) &&
         lib_export(vm, exports, "stderr", out_new(vm, "stderr", STDERR_FILENO));
}

static const NativeDef out_defs[] = {
    NATIVE("write", out_write, "write(self, ...values)",
           "Writes the values as print shows them, without blanks between or a line end."),
    NATIVE("flush", out_flush, "flush(self)", "Hands everything written to the system."),
    NATIVE("is_tty", out_is_tty, "is_tty(self) -> bool", "Whether it is a terminal."),
    NATIVE("str", out_str, "str(self) -> string", "How the stream prints."),
};

const ModuleDef module_io_stream = {"io.Stream", "io.stdout and io.stderr.", out_defs,
                                    LIB_COUNT(out_defs), -1, NULL};

static const NativeDef io_defs[] = {
    NATIVE("read", io_read, "read(n = nil) -> string",
           "The next n bytes of standard input, fewer only at its end; without n all of it."),
    NATIVE("read_line", io_read_line, "read_line(prompt = nil)",
           "The next line of standard input without its line end, or nil at the end; a prompt "
           "is printed first."),
    NATIVE("lines", io_lines, "lines() -> list",
           "All lines of standard input that are left; `for line in io.stdin` reads them one "
           "by one."),
    NATIVE("write", io_write, "write(...values)",
           "Writes the values as print shows them, without blanks between or a line end."),
    NATIVE("flush", io_flush, "flush()", "Hands everything written to standard output on."),
    NATIVE("is_tty", io_is_tty, "is_tty() -> bool",
           "Whether standard input and output are a terminal."),
};

const ModuleDef module_io = {
    "io", "Standard input, output and error: also the objects stdin (a file), stdout and stderr.",
    io_defs, LIB_COUNT(io_defs), -1, io_init};
