// shim.c - preloaded: one system call of saving an image goes wrong.
//
// Counted are the calls that concern the temporary file and its folder: open, write, fsync, close,
// rename, unlink. Call number SHIM_AT is hit by SHIM_MODE: `kill` (before it), `killed` (behind it),
// `EIO`, `ENOSPC`, `short` (a write takes half of its bytes and one less). A file named SHIM_MARK is
// made then, so that the test knows when it is through.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int saving_fd = -1, folder_fd = -1, calls;
static bool begun;

static const char *mode(void) {
  const char *m = getenv("SHIM_MODE");
  return m ? m : "";
}

static int real_open(const char *path, int flags, mode_t bits) {
  int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
  return next(path, flags, bits);
}

// Whether this call is the one.
static bool hit(void) {
  const char *at = getenv("SHIM_AT"), *mark = getenv("SHIM_MARK");
  if (!at || !mark || ++calls != atoi(at)) return false;
  int fd = real_open(mark, O_WRONLY | O_CREAT, 0666);
  if (fd >= 0) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    next(fd);
  }
  if (strcmp(mode(), "kill") == 0) raise(SIGKILL);
  return true;
}

static bool fails(void) {
  if (strcmp(mode(), "EIO") == 0) errno = EIO;
  else if (strcmp(mode(), "ENOSPC") == 0) errno = ENOSPC;
  else return false;
  return true;
}

static long after(bool was_hit, long result) {
  if (was_hit && strcmp(mode(), "killed") == 0) raise(SIGKILL);
  return result;
}

int open(const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t bits = flags & O_CREAT ? va_arg(args, mode_t) : 0;
  va_end(args);
  bool temporary = strstr(path, ".saving-") != NULL, folder = begun && flags & O_DIRECTORY;
  if (!temporary && !folder) return real_open(path, flags, bits);
  begun = true;
  bool now = hit();
  if (now && fails()) return -1;
  int fd = real_open(path, flags, bits);
  if (temporary) saving_fd = fd;
  else folder_fd = fd;
  return (int)after(now, fd);
}

ssize_t write(int fd, const void *bytes, size_t n) {
  ssize_t (*next)(int, const void *, size_t) =
      (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  if (fd != saving_fd || fd < 0) return next(fd, bytes, n);
  bool now = hit();
  if (now && fails()) return -1;
  if (now && strcmp(mode(), "short") == 0) n = n / 2 > 1 ? n / 2 - 1 : 1;
  return after(now, next(fd, bytes, n));
}

int fsync(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  if (fd < 0 || (fd != saving_fd && fd != folder_fd)) return next(fd);
  bool now = hit();
  if (now && fails()) return -1;
  return (int)after(now, next(fd));
}

int close(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
  if (fd < 0 || fd != saving_fd) return next(fd);
  saving_fd = -1;
  bool now = hit();
  if (now && fails()) { // it is closed all the same
    int error = errno;
    next(fd);
    errno = error;
    return -1;
  }
  return (int)after(now, next(fd));
}

int rename(const char *from, const char *to) {
  int (*next)(const char *, const char *) =
      (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  bool now = hit();
  if (now && fails()) return -1;
  return (int)after(now, next(from, to));
}

int unlink(const char *path) {
  int (*next)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  bool now = strstr(path, ".saving-") && hit();
  if (now && fails()) return -1;
  return (int)after(now, next(path));
}
