// inject.h - makes the n-th request for memory fail, and counts what is never given back.
//
// The linker puts the functions of inject.c before those that the library calls (--wrap), so the
// library is tested as it is. Counted as requests, "points": blocks of the heap, malloc and its
// kin, memory from the system, and what C libraries make for us. So that each block of the heap is
// a point, slabs hand out runs of a single slot.
#ifndef TESTS_FAULTS_INJECT_H
#define TESTS_FAULTS_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Kind { POINT_HEAP, POINT_MALLOC, POINT_SYSTEM, POINT_LIBRARY, POINT_KINDS } Kind;

typedef struct Inject {
  uint64_t points;            // requests since inject_arm
  uint64_t fail_at;           // the number of the first that fails, from 1; 0: none does
  bool persist;               // all after it fail, too
  bool armed;
  uint64_t failures;          // since inject_arm
  uint64_t kinds[POINT_KINDS];// points of each kind
  size_t live;                // blocks from malloc that were not freed
} Inject;

extern Inject inject;

// Counts from now on; fails the request `fail_at` (0: none), if `persist` the ones after it as well.
void inject_arm(uint64_t fail_at, bool persist);
void inject_disarm(void);

#endif
