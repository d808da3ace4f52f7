/* os_linux.c - the operating system as Linux has it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static bool injected_failure(Os *os) {
  uint64_t n = ++os->calls;
  return os->fail_at && n >= os->fail_at && n - os->fail_at < os->fail_count;
}

void *os_reserve(Os *os, uint64_t bytes, uint64_t align) {
  uint64_t total;
  if (injected_failure(os) || __builtin_add_overflow(bytes, align, &total)) return NULL;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  uint8_t *at = mmap(NULL, total, PROT_NONE, flags, -1, 0);
  if (at == MAP_FAILED) return NULL;
  uint64_t skip = -(uint64_t)(uintptr_t)at & (align - 1);
  if (skip) munmap(at, skip);
  if (align - skip) munmap(at + skip + bytes, align - skip);
  return at + skip;
}

void os_release(void *at, uint64_t bytes) { munmap(at, bytes); }

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

uint64_t os_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
