/* snapshot.h - the undo log, as the rest of gc/ sees it. The embedder's side is in heap.h; the
 * algorithm and its invariants are in snapshot.c and docs/snapshots.md. */
#ifndef OX_GC_SNAPSHOT_H
#define OX_GC_SNAPSHOT_H

#include "state.h"

/* Before the first store to a page whose state has PAGE_FROZEN: saves its content. */
void snapshot_log(Gc *gc, uint64_t page);
/* Pages [first, first + count) leave the buddy allocator: makes them open, and notes what a
 * rollback has to know. False: no memory for that, nothing changed. */
bool snapshot_take(Gc *gc, uint64_t first, uint64_t count);
/* A frozen page leaves use, its content unchanged. */
void snapshot_given(Gc *gc, uint64_t page);
/* Bytes that the log holds; they count against the heap's limit. */
uint64_t snapshot_bytes(const Gc *gc);
/* What a free page of a freshly committed unit is. */
uint8_t snapshot_free_state(const Gc *gc);
void snapshot_close(Gc *gc);
/* Serial number of the last snapshot taken in this heap, or in the one it comes from. */
uint32_t snapshot_last_serial(const Gc *gc);
/* Where those of a new heap begin, which may know names up to number `last`, 0: none: anywhere behind. */
uint32_t snapshot_serial_after(Gc *gc, uint32_t last);
/* How many of the registered objects must not be finalized: those that the newest snapshot has. */
uint32_t snapshot_finals(const Gc *gc);
/* The blocks of these bits of word `i` of the alloc bitmap are freed. */
void snapshot_note_freed(Gc *gc, uint64_t i, uint64_t bits);
static inline void snapshot_freed(Gc *gc, uint64_t i, uint64_t bits) {
  if (__builtin_expect(gc->snapshots != NULL, 0)) snapshot_note_freed(gc, i, bits);
}
/* While gc_past_open holds: the content of a page as it was, NULL if it was free; and of the
 * embedder's root area, `words` long. */
const uint64_t *snapshot_past_page(Gc *gc, uint64_t page);
/* How many pages differ there. */
uint64_t snapshot_past_changed(Gc *gc);
const uint64_t *snapshot_past_roots(Gc *gc, uint64_t *words);

#endif
