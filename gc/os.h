/* os.h - all that gc/ asks of the operating system.
 *
 * Memory comes in three states: reserved (address space only, any access faults), committed
 * (readable and writable, zero) and populated (committed and resident, so that the first touch does
 * not fault: a fault costs 10-18 us on virtual machines, populating in bulk 0.6 us a page).
 *
 * `Os` lets a test make chosen calls fail; one belongs to each heap, so there is no global state.
 */
#ifndef OX_GC_OS_H
#define OX_GC_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Os {
  uint64_t calls;      /* failable calls made so far */
  uint64_t fail_at;    /* the number of the first call that fails, counted from 1; 0: none */
  uint64_t fail_count; /* how many calls from there on fail */
} Os;

/* Address space aligned to `align` (a power of two >= the page size), or NULL. */
void *os_reserve(Os *os, uint64_t bytes, uint64_t align);
void os_release(void *at, uint64_t bytes);

/* Address space that is usable all over, zero, without memory being set aside for it. NULL:
 * refused. */
void *os_reserve_open(Os *os, uint64_t bytes, uint64_t align);

/* Makes whole pages of a reservation usable. False: refused, nothing changed that matters. */
bool os_commit(Os *os, void *at, uint64_t bytes);
/* Makes committed pages resident. False only when memory is short; where the system cannot populate
 * ahead, gives true and leaves the pages to be faulted in one by one. */
bool os_populate(Os *os, void *at, uint64_t bytes);
/* Drops the contents of committed pages; they read as zero when touched again. */
void os_decommit(void *at, uint64_t bytes);
/* Allows or forbids stores to committed pages; for tests. */
void os_protect(void *at, uint64_t bytes, bool write);
/* Asks for huge pages in a range; a hint. */
void os_advise_huge(void *at, uint64_t bytes);

/* Zeroed memory of its own, readable and writable, or NULL. */
void *os_map(Os *os, uint64_t bytes);
void os_unmap(void *at, uint64_t bytes);

/* A file in memory without a name, `bytes` long and empty; -1: refused. */
int os_file_open(Os *os, uint64_t bytes);
bool os_file_write(Os *os, int fd, const void *from, uint64_t bytes, uint64_t at);
bool os_file_read(int fd, void *to, uint64_t bytes, uint64_t at); /* all of it, or false */
/* Nobody can write to it, or change its size, from now on. */
bool os_file_seal(Os *os, int fd);
/* The file's first bytes in place of what is mapped there: writable, and what is written is nobody
 * else's. Whole pages. */
bool os_file_map(Os *os, int fd, void *at, uint64_t bytes);
void os_file_close(int fd);
/* Makes an access to pages of such a mapping fault; a hint, which takes no mapping more. */
void os_forbid(void *at, uint64_t bytes);

uint64_t os_now_ns(void); /* monotonic */

#endif
