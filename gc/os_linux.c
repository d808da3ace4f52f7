/* os_linux.c - the operating system as Linux has it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static bool injected_failure(Os *os) {
  uint64_t n = ++os->calls;
  return os->fail_at && n >= os->fail_at && n - os->fail_at < os->fail_count;
}

static void *reserve(uint64_t bytes, uint64_t align, int protection) {
  uint64_t total;
  if (__builtin_add_overflow(bytes, align, &total)) return NULL;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  uint8_t *at = mmap(NULL, total, protection, flags, -1, 0);
  if (at == MAP_FAILED) return NULL;
  uint64_t skip = -(uint64_t)(uintptr_t)at & (align - 1);
  if (skip) munmap(at, skip);
  if (align - skip) munmap(at + skip + bytes, align - skip);
  return at + skip;
}

void *os_reserve(Os *os, uint64_t bytes, uint64_t align) {
  return injected_failure(os) ? NULL : reserve(bytes, align, PROT_NONE);
}

/* Without a gap to the one before, if possible: then both are one mapping. */
void *os_reserve_open(Os *os, uint64_t bytes, uint64_t align) {
  if (injected_failure(os)) return NULL;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at == MAP_FAILED) return NULL;
  if (((uintptr_t)at & (align - 1)) == 0) return at;
  munmap(at, bytes);
  return reserve(bytes, align, PROT_READ | PROT_WRITE);
}

/* A process with all the mappings that it may have cannot give back the middle of one. */
void os_release(void *at, uint64_t bytes) {
  if (munmap(at, bytes) != 0) os_decommit(at, bytes);
}

bool os_commit(Os *os, void *at, uint64_t bytes) {
  return !injected_failure(os) && mprotect(at, bytes, PROT_READ | PROT_WRITE) == 0;
}

bool os_populate(Os *os, void *at, uint64_t bytes) {
  if (injected_failure(os)) return false;
  int rc;
  do rc = madvise(at, bytes, MADV_POPULATE_WRITE);
  while (rc != 0 && (errno == EINTR || errno == EAGAIN));
  return rc == 0 || errno == EINVAL; /* EINVAL: a kernel that does not know the advice */
}

void os_decommit(void *at, uint64_t bytes) { madvise(at, bytes, MADV_DONTNEED); }

void os_protect(void *at, uint64_t bytes, bool write) {
  mprotect(at, bytes, write ? PROT_READ | PROT_WRITE : PROT_READ);
}

void os_advise_huge(void *at, uint64_t bytes) { madvise(at, bytes, MADV_HUGEPAGE); }

void *os_map(Os *os, uint64_t bytes) {
  if (injected_failure(os)) return NULL;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  return at == MAP_FAILED ? NULL : at;
}

void os_unmap(void *at, uint64_t bytes) { munmap(at, bytes); }

/* The limit on the length of files is for these, too, and who goes beyond is killed. */
static bool may_be_long(uint64_t bytes) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes <= limit.rlim_cur;
}

int os_file_open(Os *os, uint64_t bytes) {
  if (!may_be_long(bytes)) return -1;
  int fd = injected_failure(os) ? -1 : memfd_create("oxbow-base", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  if (!injected_failure(os) && ftruncate(fd, (off_t)bytes) == 0) return fd;
  close(fd);
  return -1;
}

bool os_file_write(Os *os, int fd, const void *from, uint64_t bytes, uint64_t at) {
  if (injected_failure(os)) return false;
  for (uint64_t done = 0; done < bytes;) {
    ssize_t n = pwrite(fd, (const uint8_t *)from + done, bytes - done, (off_t)(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (uint64_t)n;
  }
  return true;
}

bool os_file_read(int fd, void *to, uint64_t bytes, uint64_t at) {
  return pread(fd, to, bytes, (off_t)at) == (ssize_t)bytes;
}

bool os_file_seal(Os *os, int fd) {
  return !injected_failure(os) &&
         fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

bool os_file_map(Os *os, int fd, void *at, uint64_t bytes) {
  int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
  return !injected_failure(os) &&
         mmap(at, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) != MAP_FAILED;
}

void os_file_close(int fd) { close(fd); }

void os_forbid(void *at, uint64_t bytes) { madvise(at, bytes, MADV_GUARD_INSTALL); }

uint64_t os_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
