/* log.h - where snapshots keep copies of pages. They are known by number, come in chunks that are
 * mapped when they are needed, and go back to the system by chunks that are not in use at all. */
#ifndef OX_GC_LOG_H
#define OX_GC_LOG_H

#include "state.h"

enum {
  LOG_NO_PAGE = UINT32_MAX,
  LOG_CHUNK = 512,   /* pages */
  LOG_RESERVE = 32,  /* pages kept for stores, which cannot fail */
};

typedef struct PageLog {
  uint8_t **chunks;  /* of LOG_CHUNK pages, the first one of fewer; NULL: given back */
  uint32_t nchunks, chunks_cap;
  uint32_t *spare, nspare; /* pages that are not in use; room for all there are */
  uint32_t npages;   /* in all */
} PageLog;

static inline uint8_t *log_page(const PageLog *log, uint32_t n) {
  return log->chunks[n / LOG_CHUNK] + (uint64_t)(n % LOG_CHUNK) * GC_PAGE;
}
/* One that is not in use, of which there must be one. */
static inline uint32_t log_pop(PageLog *log) { return log->spare[--log->nspare]; }
static inline void log_put(PageLog *log, uint32_t n) {
  if (n != LOG_NO_PAGE) log->spare[log->nspare++] = n;
}

/* One chunk more. False: the limit or the system refuses. */
bool log_grow(Gc *gc, PageLog *log);
/* Makes sure of n pages beside the reserve. */
bool log_have(Gc *gc, PageLog *log, uint64_t n);
/* For going back: the reserve may be used, since pages come free on the way. */
bool log_have_back(Gc *gc, PageLog *log, uint64_t n);
/* Gives chunks back that are not in use, but `least` spare pages. False: there is none. */
bool log_trim(Gc *gc, PageLog *log, uint32_t least);
void log_close(PageLog *log);

#endif
