/* layout.h - the words every object is made of, as the collector sees them.
 *
 * Glossary (one word for one thing, used so in all of gc/ and runtime/):
 *   cage    one reserved range of addresses per VM; everything a VM owns lies in it
 *   word    8 bytes; all sizes and references count words
 *   ref     a 32-bit word index from the cage's base; 0 is no object
 *   page    4 KiB, the unit of commitment, barrier and copy-on-write
 *   run     a contiguous range of pages (buddy) or of free slots (slab)
 *   span    a page run given to one purpose: a slab, a mid-size area, a large object
 *   slab    a span cut into slots of one size class;  slot: one place in it
 *   block   what an allocation returns, whatever it came from
 *   frame   a scope frame: the captured variables of one scope (never a physical page)
 *
 * A value is 64 bits, NaN-boxed (docs/architecture.md has the measurements):
 *   0x0000000000000000 .. 0xFFF8000000000000   double
 *   0xFFF9000000000000 + 0/1/2/3               nil, false, true, absent
 *   0xFFFA00kk_rrrrrrrr                        reference, kk = object kind, r = ref
 *   0xFFFF000000000000 .. 0xFFFFFFFFFFFFFFFF   48-bit integer i, stored as i - 2^47
 * So any word below 0xFFF9.. (a count, an offset, a double) is skipped by the collector, and raw
 * counters may lie among an object's value words.
 */
#ifndef OX_GC_LAYOUT_H
#define OX_GC_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t Value;

/* A heap reference is its own type, so that a raw pointer cannot be stored by accident. */
typedef struct Ref { uint32_t w; } Ref;
#define REF_NULL ((Ref){0})

#define GC_NIL ((Value)0xFFF9 << 48)
#define GC_ABSENT (GC_NIL + 3)
#define VALUE_REF_HIGH 0xFFFAu /* bits 48..63 of a reference value */

/* The header, the first word of every block that the collector knows.
 *   kind     meaning to the runtime only (object kinds of runtime/object.h)
 *   layout   LAYOUT_* below
 *   n        LAYOUT_VALUES: how many value words follow the header and the pair words
 *   aux      LAYOUT_VALUES: free for the object, a ref if LAYOUT_AUX_REF;
 *            LAYOUT_WIDE:   how many value words follow
 *            LAYOUT_RAW:    free for the object
 *            LAYOUT_STACK:  how many value words of capacity follow word 1; word 1 holds how many
 *                           of them are in use. Marking scans those and sets the rest to nil. */
typedef struct Header {
  uint8_t kind;
  uint8_t layout;
  uint16_t n;
  uint32_t aux;
} Header;
_Static_assert(sizeof(Header) == 8, "a header is one word");

enum {
  LAYOUT_VALUES = 0,    /* [header][pairs x 2 refs of 32 bits][n values][raw rest] */
  LAYOUT_WIDE = 1,      /* [header][aux values][raw rest] */
  LAYOUT_RAW = 2,       /* [header][raw bytes] */
  LAYOUT_STACK = 3,     /* [header][used][aux values] */
  LAYOUT_MASK = 3,
  LAYOUT_AUX_REF = 4,   /* VALUES and RAW: aux is a ref */
  LAYOUT_PAIR_SHIFT = 3,/* bits 3,4: pair words after the header (0..3), VALUES only */
  LAYOUT_PAIR_MASK = 3 << LAYOUT_PAIR_SHIFT,
  LAYOUT_FINAL = 32,    /* has a finalizer: reported once when unreachable */
  /* The values keep nothing alive. VALUES: when what one refers to dies the collector makes it nil.
   * WIDE: the owner clears them in after_mark. */
  LAYOUT_WEAK = 64,
  /* WIDE: [header][count][key][value][key][value]... Keys keep nothing alive, values are alive while their
   * key is. When a key dies the collector makes it absent, its value nil, and subtracts one from the
   * count, a raw word. */
  LAYOUT_KEYED = 128,
};
#define LAYOUT_PAIRS(k) ((k) << LAYOUT_PAIR_SHIFT)
/* How many pair words a block of LAYOUT_VALUES has. */
static inline unsigned layout_pairs(unsigned layout) {
  return (layout & LAYOUT_PAIR_MASK) >> LAYOUT_PAIR_SHIFT;
}

#endif
