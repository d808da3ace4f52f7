/* weak.h - references that keep nothing alive, and values that live as long as their keys. */
#ifndef OX_GC_WEAK_H
#define OX_GC_WEAK_H

#include "state.h"

/* Marking has come to words [from, to) of a weak block: LAYOUT_WEAK or LAYOUT_KEYED. `slow`: it is
 * the major collection in steps that has. Allocates nothing, or does without. */
void weak_found(Gc *gc, uint64_t block, uint64_t from, uint64_t to, bool slow);
/* While weak_mark follows the values: marking has come to a block, which may be somebody's key. */
void weak_key_found(Gc *gc, uint32_t key);

/* At the end of marking: marks what was pushed, the values of keys that are marked, and what
 * follows from that, until nothing changes. From here to weak_clear marking tells of each block it
 * comes to, so that it can be called again when more is to be marked. */
void weak_mark(Gc *gc);
/* The share of that which the major collection in steps can do beforehand, when nothing else is left to
 * be marked: until about `budget` words have been looked at. What it finds it pushes. True: it has
 * looked at all. */
bool weak_slow_step(Gc *gc, uint64_t budget);
bool weak_slow_is_done(const Gc *gc);
/* Nothing will be marked any more. After a minor collection: clears what refers to the dead. */
void weak_clear(Gc *gc);
/* After another one: clears so many pages of it; true: all is done. */
bool weak_purge(Gc *gc, unsigned pages);
void weak_purge_drop(Gc *gc);
/* Forgets what was found: the collection is given up. */
void weak_abort(Gc *gc);
/* The minor collection is; the major one in steps goes on. */
void weak_abort_minor(Gc *gc);
/* The same for the major collection in steps: one begins. */
void weak_begin_slow(Gc *gc);

#endif
