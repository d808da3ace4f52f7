/* stream.h - buffered reading and writing of a file descriptor, and the file objects of programs.
 *
 * A stream is a C object behind a Foreign. Reading waits in short pieces, so that an interrupt is
 * seen. All functions that can fail leave an error pending that names the stream. */
#ifndef OX_RUNTIME_STREAM_H
#define OX_RUNTIME_STREAM_H

#include "lib.h"

enum { STREAM_READ = 1, STREAM_WRITE = 2, STREAM_KEEP_FD = 4 /* close does not close the fd */ };

typedef struct Stream Stream;

/* Takes the descriptor over, also on failure; NULL: out of memory, pending. */
Stream *stream_new(ox_VM *vm, int fd, unsigned flags, const char *name);
void stream_free(void *stream); /* writes out, closes; errors are lost */

/* Up to n bytes as a string, fewer only at the end. */
Value stream_read(ox_VM *vm, Stream *s, uint64_t n);
/* The next line without its \n or \r\n; nil at the end. */
Value stream_read_line(ox_VM *vm, Stream *s);
Value stream_lines(ox_VM *vm, Stream *s);
bool stream_write(ox_VM *vm, Stream *s, const char *bytes, size_t n);
bool stream_flush(ox_VM *vm, Stream *s);
bool stream_close(ox_VM *vm, Stream *s); /* once closed, everything else throws */
/* `whence` as in lseek. The new position, or V_ERROR. */
Value stream_seek(ox_VM *vm, Stream *s, int64_t offset, int whence);
bool stream_is_tty(const Stream *s);

/* All that can be read from a descriptor as a string; size_hint may be 0. `path` is for errors. */
Value stream_slurp(ox_VM *vm, int fd, uint64_t size_hint, const char *path);
/* Writes all bytes. False: errno is set, or the error pending after an interrupt. */
bool stream_write_fd(ox_VM *vm, int fd, const char *bytes, size_t n);
/* A list of the lines of a text. */
Value stream_split_lines(ox_VM *vm, Value text);

/* A file object (class fs.File) for a stream, which it takes over; rooted. */
Value file_new(ox_VM *vm, Stream *stream, Value path, Value mode);
/* The stream of a file object; NULL: error pending. */
Stream *file_stream(ox_VM *vm, Value file);
extern const ModuleDef module_fs_file;

#endif
