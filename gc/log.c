#include "log.h"

#include <stdlib.h>
#include <string.h>

#include "share.h"

enum { FIRST_PAGES = 64 }; /* of the first chunk */

static bool list_chunk(PageLog *log, uint32_t index, uint8_t *chunk, uint32_t pages) {
  uint32_t *spare = realloc(log->spare, (log->npages + pages) * sizeof *spare);
  if (!spare) return false;
  log->spare = spare;
  if (index == log->chunks_cap) {
    uint32_t cap = log->chunks_cap ? 2 * log->chunks_cap : 8;
    uint8_t **chunks = realloc(log->chunks, cap * sizeof *chunks);
    if (!chunks) return false;
    log->chunks = chunks;
    log->chunks_cap = cap;
  }
  /* Popped from the end: the lowest first, so that the pages in use stay close together. */
  memmove(log->spare + pages, log->spare, log->nspare * sizeof *spare);
  for (uint32_t i = 0; i < pages; i++) log->spare[i] = index * LOG_CHUNK + pages - 1 - i;
  log->nspare += pages;
  log->npages += pages;
  log->chunks[index] = chunk;
  log->nchunks += index == log->nchunks;
  return true;
}

static uint32_t chunk_pages(uint32_t index) { return index ? LOG_CHUNK : FIRST_PAGES; }

static uint64_t chunk_bytes(uint32_t index) { return chunk_pages(index) * (uint64_t)GC_PAGE; }

/* Where there is none: one was given back there, or it is the end. */
static uint32_t chunk_index(const PageLog *log) {
  uint32_t i = 0;
  while (i < log->nchunks && log->chunks[i]) i++;
  return i;
}

bool log_grow(Gc *gc, PageLog *log) {
  uint32_t index = chunk_index(log);
  uint64_t bytes = chunk_bytes(index);
  if (log->npages > UINT32_MAX / 2 || !share_fits(gc, bytes, gc->heap->limit_bytes)) return false;
  uint8_t *chunk = os_map(&gc->os, bytes);
  if (!chunk) return false;
  if (index) os_advise_huge(chunk, bytes);
  if (os_populate(&gc->os, chunk, bytes) && list_chunk(log, index, chunk, chunk_pages(index))) {
    share_count(gc);
    return true;
  }
  os_unmap(chunk, bytes);
  return false;
}

/* Chunks with as many spare buffers as they have, up to `most` pages. How many pages went. */
static uint32_t drop_chunks(PageLog *log, const uint32_t *spare_in, uint32_t most) {
  uint32_t gone = 0;
  for (uint32_t i = log->nchunks; i-- > 0;) {
    uint32_t pages = chunk_pages(i);
    if (!log->chunks[i] || spare_in[i] < pages || pages > most - gone) continue;
    os_unmap(log->chunks[i], chunk_bytes(i));
    log->chunks[i] = NULL;
    gone += pages;
  }
  return gone;
}

bool log_trim(Gc *gc, PageLog *log, uint32_t least) {
  uint32_t *spare_in = log->nspare > least ? calloc(log->nchunks, sizeof *spare_in) : NULL;
  if (!spare_in) return false;
  for (uint32_t i = 0; i < log->nspare; i++) spare_in[log->spare[i] / LOG_CHUNK]++;
  uint32_t gone = drop_chunks(log, spare_in, log->nspare - least), kept = 0;
  free(spare_in);
  for (uint32_t i = 0; gone && i < log->nspare; i++)
    if (log->chunks[log->spare[i] / LOG_CHUNK]) log->spare[kept++] = log->spare[i];
  log->nspare -= gone;
  log->npages -= gone;
  share_count(gc);
  return gone > 0;
}

bool log_have(Gc *gc, PageLog *log, uint64_t n) {
  while (log->nspare < n + LOG_RESERVE)
    if (!log_grow(gc, log)) return false;
  return true;
}

bool log_have_back(Gc *gc, PageLog *log, uint64_t n) {
  return log->nspare >= n || log_have(gc, log, n);
}

void log_close(PageLog *log) {
  for (uint32_t i = 0; i < log->nchunks; i++)
    if (log->chunks[i]) os_unmap(log->chunks[i], chunk_bytes(i));
  free(log->chunks);
  free(log->spare);
  *log = (PageLog){0};
}
