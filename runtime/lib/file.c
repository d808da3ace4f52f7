/* file.c - file objects, class fs.File: what fs.open gives, and io.stdin. */
#include "stream.h"

#include <unistd.h>

enum { FIELD_PATH, FIELD_MODE, FIELD_CLOSED, SLOT_STREAM };

static const LibClass file_class = {
    "fs.File", LIB_FILE_CLASS, &module_fs_file, 3, 1, {"path", "mode", "closed"}};
static const ForeignType stream_type = {
    .name = "stream", .finalize = stream_free, .table = -1};

Value file_new(ox_VM *vm, Stream *stream, Value path, Value mode) {
  Value foreign = foreign_new(vm, &stream_type, stream);
  Value file = foreign == V_ERROR ? V_ERROR : lib_instance(vm, &file_class);
  if (file == V_ERROR) return V_ERROR;
  Instance *instance = vm_deref(vm, file);
  lib_set_slot(vm, instance, FIELD_PATH, path);
  lib_set_slot(vm, instance, FIELD_MODE, mode);
  lib_set_slot(vm, instance, FIELD_CLOSED, V_FALSE);
  lib_set_slot(vm, instance, SLOT_STREAM, foreign);
  return file;
}

/* Standard input came with an image: it is the present process's from now on. */
static bool renew_stdin(ox_VM *vm, Value foreign) {
  Stream *stream = stream_new(vm, STDIN_FILENO, STREAM_READ | STREAM_KEEP_FD, "<stdin>");
  return stream && foreign_renew(vm, foreign, &stream_type, stream);
}

Stream *file_stream(ox_VM *vm, Value file) {
  Instance *instance = lib_check(vm, file, &file_class, "self");
  if (!instance) return NULL;
  Value foreign = instance->fields[SLOT_STREAM];
  if (file == vm->st->spare[LIB_STDIN] && foreign_is_gone(vm, foreign) && !renew_stdin(vm, foreign))
    return NULL;
  return foreign_get(vm, foreign, &stream_type, "the file");
}

static Value file_read(ox_VM *vm, Value *args, int nargs) {
  uint64_t n = UINT64_MAX;
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  if (!s) return V_ERROR;
  bool all = args[1] == V_ABSENT || args[1] == V_NIL;
  if (!all && !arg_index(vm, args[1], "n of read", &n)) return V_ERROR;
  return stream_read(vm, s, n);
}

static Value file_read_line(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  return s ? stream_read_line(vm, s) : V_ERROR;
}

static Value file_lines(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  return s ? stream_lines(vm, s) : V_ERROR;
}

static Value file_write(ox_VM *vm, Value *args, int nargs) {
  Stream *s = file_stream(vm, args[0]);
  if (!s) return V_ERROR;
  for (int i = 1; i < nargs; i++) {
    String *text = arg_string(vm, args[i], "what write gets");
    if (!text || !stream_write(vm, s, text->chars, text->h.aux)) return V_ERROR;
  }
  return V_NIL;
}

static Value file_flush(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  return s && stream_flush(vm, s) ? V_NIL : V_ERROR;
}

static Value file_seek(ox_VM *vm, Value *args, int nargs) {
  int64_t offset;
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  if (!s || !arg_int(vm, args[1], "offset of seek", &offset)) return V_ERROR;
  return stream_seek(vm, s, offset, offset < 0 ? SEEK_END : SEEK_SET);
}

static Value file_tell(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  return s ? stream_seek(vm, s, 0, SEEK_CUR) : V_ERROR;
}

static Value file_close(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  if (!s) return V_ERROR;
  bool closed = stream_close(vm, s);
  lib_set_slot(vm, vm_deref(vm, args[0]), FIELD_CLOSED, V_TRUE);
  return closed ? V_NIL : V_ERROR;
}

static Value file_is_tty(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Stream *s = file_stream(vm, args[0]);
  return s ? v_from_bool(stream_is_tty(s)) : V_ERROR;
}

static Value file_str(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = lib_check(vm, args[0], &file_class, "self");
  String *path = self ? arg_string(vm, self->fields[FIELD_PATH], "path") : NULL;
  if (!path) return V_ERROR;
  bool closed = self->fields[FIELD_CLOSED] == V_TRUE;
  return string_format(vm, "<file %s%s>", path->chars, closed ? " (closed)" : "");
}

static const NativeDef file_defs[] = {
    NATIVE("read", file_read, "read(self, n = nil) -> string",
           "The next n bytes, fewer only at the end of the file; without n all that is left."),
    NATIVE("read_line", file_read_line, "read_line(self)",
           "The next line without its line end, or nil at the end of the file."),
    NATIVE("lines", file_lines, "lines(self) -> list", "All lines that are left."),
    NATIVE("write", file_write, "write(self, ...texts)",
           "Writes strings; they reach the file when the buffer is full, at flush or at close."),
    NATIVE("flush", file_flush, "flush(self)", "Hands everything written to the system."),
    NATIVE("seek", file_seek, "seek(self, offset) -> int",
           "Goes to a byte offset, a negative one counted from the end; gives the new position."),
    NATIVE("tell", file_tell, "tell(self) -> int", "The position in bytes."),
    NATIVE("close", file_close, "close(self)",
           "Writes out what is left and closes the file; a second close does nothing."),
    NATIVE("is_tty", file_is_tty, "is_tty(self) -> bool", "Whether it is a terminal."),
    NATIVE_SCRIPT("iter", "fs_file_iter", "iter(self)",
                  "A `for` over the file gives its lines, each read when its turn comes."),
    NATIVE("str", file_str, "str(self) -> string", "How the file prints."),
};

const ModuleDef module_fs_file = {
    "fs.File", "Open files, made by fs.open; the fields path, mode and closed tell of them.",
    file_defs, LIB_COUNT(file_defs), -1, NULL};
