/* stream.c - see stream.h
 *
 * One buffer serves both directions: while reading it holds bytes read ahead, while writing those
 * not yet written. Changing direction empties it, giving read-ahead back by seeking. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAM_BUFFER = 1 << 16, WAIT_MS = 100, SLURP_AT_ONCE = 1 << 20 };

struct Stream {
  int fd; /* -1: closed */
  unsigned flags;
  bool writing;
  size_t at, end; /* reading: buffer[at..end) is unread; writing: buffer[0..end) is unwritten */
  char *name;
  char buffer[STREAM_BUFFER];
};

/* ---- descriptors --------------------------------------------------------------------------- */

/* Waits until fd is ready, looking for interrupts. False: error pending. */
static bool wait_ready(ox_VM *vm, int fd, short events) {
  struct pollfd p = {fd, events, 0};
  for (;;) {
    int ready = poll(&p, 1, WAIT_MS);
    if (ready > 0 || (ready < 0 && errno != EINTR && errno != EAGAIN)) return true;
    if (!vm_poll(vm, 0)) return false; /* waiting is no work: budgets are the same in each run */
  }
}

/* read(2) that sees interrupts: -1 with errno set, or with an error pending and errno 0. */
static ssize_t read_some(ox_VM *vm, int fd, char *to, size_t n) {
  for (;;) {
    if (!wait_ready(vm, fd, POLLIN)) {
      errno = 0;
      return -1;
    }
    ssize_t got = read(fd, to, n);
    if (got > 0 && !vm_poll(vm, (uint64_t)got / VM_WORK_STEP)) {
      errno = 0;
      return -1;
    }
    if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
  }
}

bool stream_write_fd(ox_VM *vm, int fd, const char *bytes, size_t n) {
  while (n) {
    ssize_t done = write(fd, bytes, n);
    if (done >= 0) {
      vm_charge(vm, (uint64_t)done);
      bytes += done;
      n -= (size_t)done;
    } else if (errno == EAGAIN || errno == EINTR) {
      if (!wait_ready(vm, fd, POLLOUT)) return false;
    } else {
      return false;
    }
  }
  return true;
}

/* Throws for errno unless an error is pending already. */
static Value fail(ox_VM *vm, const char *action, const char *name, int error) {
  return error_pending(vm) ? V_ERROR : lib_throw_io(vm, action, name, error);
}

/* Everything from fd, through a buffer. */
static Value slurp_buffered(ox_VM *vm, int fd, const char *path) {
  Buf b;
  char chunk[16384];
  buf_init(&b, vm);
  for (;;) {
    ssize_t got = read_some(vm, fd, chunk, sizeof chunk);
    if (got < 0) {
      int error = errno;
      buf_free(&b);
      return fail(vm, "read", path, error);
    }
    if (!got || b.failed) return buf_finish(&b);
    buf_add(&b, chunk, (size_t)got);
  }
}

/* A file of known size straight into its string. False: it is not that long, or longer. */
static bool slurp_exactly(ox_VM *vm, int fd, char *to, uint64_t size) {
  uint64_t done = 0;
  char more;
  while (done < size) {
    uint64_t some = size - done < SLURP_AT_ONCE ? size - done : SLURP_AT_ONCE;
    ssize_t got = read_some(vm, fd, to + done, some);
    if (got <= 0) return false;
    done += (uint64_t)got;
  }
  return read_some(vm, fd, &more, 1) == 0;
}

Value stream_slurp(ox_VM *vm, int fd, uint64_t size_hint, const char *path) {
  if (size_hint > STRING_MAX)
    return vm_throw(vm, ERR_LIMIT, "'%s' has %llu bytes: a string holds at most %llu", path,
                    (unsigned long long)size_hint, (unsigned long long)STRING_MAX);
  if (size_hint <= 4096) return slurp_buffered(vm, fd, path);
  char *bytes;
  Value text = string_reserve(vm, size_hint, &bytes);
  if (text == V_ERROR) return V_ERROR;
  if (slurp_exactly(vm, fd, bytes, size_hint)) return text;
  if (error_pending(vm)) return V_ERROR;
  if (lseek(fd, 0, SEEK_SET) != 0) return fail(vm, "read", path, errno);
  return slurp_buffered(vm, fd, path); /* its size changed meanwhile */
}

/* ---- streams ------------------------------------------------------------------------------- */

Stream *stream_new(ox_VM *vm, int fd, unsigned flags, const char *name) {
  Stream *s = vm_malloc(vm, sizeof *s);
  char *copy = vm_malloc(vm, strlen(name) + 1);
  if (s && copy) {
    strcpy(copy, name);
    s->fd = fd;
    s->flags = flags;
    s->writing = false;
    s->at = s->end = 0;
    s->name = copy;
    return s;
  }
  vm_release(s);
  vm_release(copy);
  if (!(flags & STREAM_KEEP_FD)) close(fd);
  vm_throw_oom(vm);
  return NULL;
}

void stream_free(void *stream) {
  Stream *s = stream;
  const char *at = s->buffer, *end = at + (s->writing ? s->end : 0);
  while (s->fd >= 0 && at < end) {
    ssize_t done = write(s->fd, at, (size_t)(end - at));
    if (done < 0 && errno != EINTR) break;
    if (done > 0) at += done;
  }
  if (s->fd >= 0 && !(s->flags & STREAM_KEEP_FD)) close(s->fd);
  vm_release(s->name);
  vm_release(s);
}

static bool check_open(ox_VM *vm, Stream *s, unsigned flag, const char *action) {
  if (s->fd < 0) {
    vm_throw(vm, ERR_IO, "cannot %s '%s': it is closed", action, s->name);
    return false;
  }
  if (flag && !(s->flags & flag)) {
    lib_throw_io(vm, action, s->name, EBADF);
    return false;
  }
  return true;
}

/* Bytes that could not be written are dropped: trying again would repeat what did get out. */
bool stream_flush(ox_VM *vm, Stream *s) {
  if (!check_open(vm, s, 0, "write to")) return false;
  if (!s->writing || !s->end) return true;
  size_t n = s->end;
  s->end = 0;
  if (stream_write_fd(vm, s->fd, s->buffer, n)) return true;
  fail(vm, "write to", s->name, errno);
  return false;
}

static bool start_reading(ox_VM *vm, Stream *s) {
  if (!check_open(vm, s, STREAM_READ, "read")) return false;
  if (s->writing && !stream_flush(vm, s)) return false;
  if (s->writing) s->at = s->end = 0;
  s->writing = false;
  return true;
}

static bool start_writing(ox_VM *vm, Stream *s) {
  if (!check_open(vm, s, STREAM_WRITE, "write to")) return false;
  if (s->writing) return true;
  if (s->at < s->end) lseek(s->fd, -(off_t)(s->end - s->at), SEEK_CUR);
  s->at = s->end = 0;
  s->writing = true;
  return true;
}

/* Reads ahead into the used-up buffer: 1, 0 at the end, -1 with an error pending. */
static int fill(ox_VM *vm, Stream *s) {
  if (s->fd == STDIN_FILENO) vm_flush(vm); /* what was asked should be seen */
  ssize_t got = read_some(vm, s->fd, s->buffer, STREAM_BUFFER);
  s->at = s->end = 0;
  if (got < 0) {
    fail(vm, "read", s->name, errno);
    return -1;
  }
  s->end = (size_t)got;
  return got > 0;
}

Value stream_read(ox_VM *vm, Stream *s, uint64_t n) {
  if (!start_reading(vm, s)) return V_ERROR;
  Buf b;
  buf_init(&b, vm);
  while (n && !b.failed) {
    if (s->at == s->end) {
      int more = fill(vm, s);
      if (more < 0) {
        buf_free(&b);
        return V_ERROR;
      }
      if (!more) break;
    }
    size_t some = s->end - s->at < n ? s->end - s->at : (size_t)n;
    buf_add(&b, s->buffer + s->at, some);
    s->at += some;
    n -= some;
  }
  return buf_finish(&b);
}

static size_t without_cr(const char *line, size_t n) {
  return n && line[n - 1] == '\r' ? n - 1 : n;
}

/* A line that does not end in the buffer. */
static Value read_long_line(ox_VM *vm, Stream *s) {
  Buf b;
  bool ended = false;
  int more = 1;
  buf_init(&b, vm);
  while (!ended && !b.failed && (s->at < s->end || (more = fill(vm, s)) > 0)) {
    const char *from = s->buffer + s->at, *newline = memchr(from, '\n', s->end - s->at);
    size_t n = newline ? (size_t)(newline - from) : s->end - s->at;
    buf_add(&b, from, n);
    s->at += n + (newline != NULL);
    ended = newline != NULL;
  }
  if (more < 0 || (!ended && !b.len && !b.failed)) {
    buf_free(&b);
    return more < 0 ? V_ERROR : V_NIL;
  }
  if (ended && !b.failed) b.len = without_cr(b.data, b.len);
  return buf_finish(&b);
}

Value stream_read_line(ox_VM *vm, Stream *s) {
  if (!start_reading(vm, s)) return V_ERROR;
  const char *from = s->buffer + s->at, *newline = memchr(from, '\n', s->end - s->at);
  if (!newline) return read_long_line(vm, s);
  size_t n = (size_t)(newline - from);
  s->at += n + 1;
  return string_new(vm, from, without_cr(from, n));
}

Value stream_lines(ox_VM *vm, Stream *s) {
  Value list = list_new(vm, 0);
  uint32_t mark = vm_roots_mark(vm);
  for (uint32_t turn = 1; list != V_ERROR; turn++) {
    Value line = stream_read_line(vm, s);
    if (line == V_NIL) break;
    if (line == V_ERROR || !list_push(vm, list, line)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (turn % 1024 == 0 && !vm_poll(vm, 1024)) return V_ERROR;
  }
  return list;
}

bool stream_write(ox_VM *vm, Stream *s, const char *bytes, size_t n) {
  if (!start_writing(vm, s)) return false;
  if (n > STREAM_BUFFER - s->end && !stream_flush(vm, s)) return false;
  if (n < STREAM_BUFFER) {
    memcpy(s->buffer + s->end, bytes, n);
    s->end += n;
    return true;
  }
  if (stream_write_fd(vm, s->fd, bytes, n)) return true;
  fail(vm, "write to", s->name, errno);
  return false;
}

bool stream_close(ox_VM *vm, Stream *s) {
  if (s->fd < 0) return true;
  bool written = stream_flush(vm, s);
  int fd = s->fd;
  s->fd = -1;
  if (s->flags & STREAM_KEEP_FD || close(fd) == 0 || errno == EINTR) return written;
  if (written) lib_throw_io(vm, "close", s->name, errno);
  return false;
}

Value stream_seek(ox_VM *vm, Stream *s, int64_t offset, int whence) {
  if (!check_open(vm, s, 0, "seek in") || (s->writing && !stream_flush(vm, s))) return V_ERROR;
  if (!s->writing && whence == SEEK_CUR &&
      __builtin_sub_overflow(offset, (int64_t)(s->end - s->at), &offset))
    return lib_throw_io(vm, "seek in", s->name, EINVAL);
  off_t to = lseek(s->fd, offset, whence);
  if (to < 0) return lib_throw_io(vm, "seek in", s->name, errno);
  s->at = s->end = 0;
  return num_from_int(vm, to);
}

bool stream_is_tty(const Stream *s) { return s->fd >= 0 && isatty(s->fd); }

Value stream_split_lines(ox_VM *vm, Value text) {
  String *s = string_flat(vm, text);
  Value list = s ? list_new(vm, 0) : V_ERROR;
  if (list == V_ERROR) return V_ERROR;
  uint32_t mark = vm_roots_mark(vm), turn = 0;
  const char *at = s->chars, *end = at + s->h.aux;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    size_t n = (size_t)((newline ? newline : end) - at);
    Value line = string_new(vm, at, newline ? without_cr(at, n) : n);
    if (line == V_ERROR || !list_push(vm, list, line)) return V_ERROR;
    vm_roots_reset(vm, mark);
    if (++turn % 1024 == 0 && !vm_poll(vm, 1024)) return V_ERROR;
    at += n + (newline != NULL);
  }
  return list;
}
