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

uint64_t os_now_ns(void); /* monotonic */

#endif
