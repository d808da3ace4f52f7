/* buddy.c - buddy allocation on a tree of bytes.
 *
 * The range of 2^k units is a complete binary tree: the root stands for all of it, the children of
 * a node for its halves, a leaf for one unit (Knowlton 1965; the tree instead of free lists makes
 * the state pointer-free and every answer the lowest address that fits, which keeps a heap dense).
 * A node's byte is one of
 *
 *   0              all of it is free
 *   1 .. order+1   split; order + 1 - byte is 1 + the order of the largest free block below
 *                  (0: nothing is free below)
 *   HEAD           all of it belongs to a block, whose first piece this is
 *   TAIL           all of it belongs to a block, a later piece
 *
 * Invariant: below a free node and below HEAD and TAIL all bytes are 0. So splitting writes
 * nothing, a zeroed tree is a free range, and merging happens by itself: a node whose halves are
 * both 0 becomes 0. Allocation walks down, and what changes is repaired on the way up: O(order).
 *
 * A block of any number of units is a row of aligned pieces (at most 2 * order), the first marked
 * HEAD and the others TAIL; that is how the tail beyond an odd size stays free.
 *
 * The tree is stored in tiles: the lowest 11 levels in tiles of 4,096 bytes, one per 2,048 units,
 * the levels above in front. So an operation touches one tile and the front: two or three pages,
 * instead of one for every level; and whole tiles can be taken without touching theirs.
 */
#include "buddy.h"

#include "heap.h"

enum { HEAD = 0x80, TAIL = 0x81, TILE_ORDER = 11, TILE_BYTES = 2 << TILE_ORDER };

/* Levels in front: those of nodes of at least 2^TILE_ORDER units. */
static unsigned top_levels(unsigned order) {
  return order > TILE_ORDER ? order - TILE_ORDER + 1 : 0;
}

/* Bytes before the first tile, the head included. */
static uint64_t front_bytes(unsigned order) {
  unsigned top = top_levels(order);
  if (!top) return sizeof(BuddyState);
  uint64_t bytes = sizeof(BuddyState) + ((uint64_t)1 << top);
  return (bytes + TILE_BYTES - 1) / TILE_BYTES * TILE_BYTES;
}

uint64_t buddy_state_bytes(unsigned order) {
  if (order <= TILE_ORDER) return front_bytes(order) + ((uint64_t)2 << order);
  return front_bytes(order) + ((uint64_t)TILE_BYTES << (order - TILE_ORDER));
}

void buddy_init(Buddy b, unsigned order) {
  *b.state = (BuddyState){.order = order, .free_units = (uint32_t)1 << order};
}

uint32_t buddy_units(Buddy b) { return (uint32_t)1 << b.state->order; }

void buddy_range_of_page(Buddy b, uint64_t index, uint64_t *from, uint64_t *to) {
  uint64_t at = index * TILE_BYTES, front = front_bytes(b.state->order);
  bool tile = b.state->order > TILE_ORDER && at >= front;
  *from = tile ? (at - front) / TILE_BYTES << TILE_ORDER : 0;
  *to = tile ? *from + (1u << TILE_ORDER) : buddy_units(b);
}

/* Nodes are numbered as in a binary heap: 1 the root, 2n and 2n + 1 the halves of n. */
static unsigned level_of(uint32_t node) { return 31 - (unsigned)__builtin_clz(node); }
static unsigned order_of(Buddy b, uint32_t node) { return b.state->order - level_of(node); }
static uint32_t node_at(Buddy b, uint32_t first, unsigned order) {
  return (first >> order) + ((uint32_t)1 << (b.state->order - order));
}
static uint32_t first_of(Buddy b, uint32_t node) {
  unsigned level = level_of(node);
  return (node - ((uint32_t)1 << level)) << (b.state->order - level);
}

static uint8_t *slot(Buddy b, uint32_t node) {
  unsigned top = top_levels(b.state->order), level = level_of(node);
  if (level < top) return b.state->node + node;
  if (!top) return b.state->node + node;
  unsigned down = level - top + 1; /* levels below the tile's root, which is in front */
  uint64_t tile = (node >> down) - ((uint32_t)1 << (top - 1));
  uint32_t inside = ((uint32_t)1 << down) | (node & (((uint32_t)1 << down) - 1));
  return (uint8_t *)b.state + front_bytes(b.state->order) + tile * TILE_BYTES + inside;
}

static uint8_t get(Buddy b, uint32_t node) { return *slot(b, node); }

static void put(Buddy b, uint32_t node, uint8_t byte) {
  uint8_t *at = slot(b, node);
  if (b.cage) gc_touch(b.cage, gc_word(b.cage, at));
  *at = byte;
}

/* 1 + the order of the largest free block in a node of that byte, 0: none. */
static unsigned room(uint8_t byte, unsigned order) { return byte >= HEAD ? 0 : order + 1 - byte; }

static uint8_t byte_of_split(uint8_t left, uint8_t right, unsigned order) {
  if (!left && !right) return 0;
  unsigned l = room(left, order - 1), r = room(right, order - 1);
  return (uint8_t)(order + 1 - (l > r ? l : r));
}

/* Recomputes the ancestors of a node that changed, as far up as something changes. Halves of a node
 * are neighbours in the tree's storage. */
static void repair(Buddy b, uint32_t node) {
  unsigned order = order_of(b, node);
  while (node > 1) {
    node >>= 1;
    order++;
    const uint8_t *halves = slot(b, 2 * node);
    uint8_t byte = byte_of_split(halves[0], halves[1], order);
    if (byte == get(b, node)) return;
    put(b, node, byte);
  }
}

static void count(Buddy b, int64_t free_units, int blocks) {
  if (b.cage) gc_touch(b.cage, gc_word(b.cage, b.state));
  if (b.cage) gc_touch(b.cage, gc_word(b.cage, &b.state->blocks));
  b.state->free_units = (uint32_t)(b.state->free_units + free_units);
  b.state->blocks += (uint32_t)blocks;
}

/* The node that is free or a piece of a block, and covers the unit. */
static uint32_t piece_at(Buddy b, uint32_t unit) {
  uint32_t node = 1;
  for (unsigned order = b.state->order; order > 0; order--) {
    uint8_t byte = get(b, node);
    if (byte == 0 || byte >= HEAD) break;
    node = 2 * node + (unit >> (order - 1) & 1);
  }
  return node;
}

static unsigned piece_order(uint32_t first, uint32_t units) {
  unsigned fits = 31 - (unsigned)__builtin_clz(units);
  unsigned aligned = first ? (unsigned)__builtin_ctz(first) : 31;
  return fits < aligned ? fits : aligned;
}

/* Marks a free range as used, piece by piece, the first with `byte`. */
static void mark_used(Buddy b, uint32_t first, uint32_t units, uint8_t byte) {
  while (units) {
    unsigned order = piece_order(first, units);
    uint32_t node = node_at(b, first, order);
    put(b, node, byte);
    repair(b, node);
    first += (uint32_t)1 << order;
    units -= (uint32_t)1 << order;
    byte = TAIL;
  }
}

static uint32_t find(Buddy b, unsigned order) {
  unsigned at = b.state->order;
  if (order > at || room(get(b, 1), at) < order + 1) return BUDDY_NONE;
  uint32_t node = 1;
  for (; at > order && get(b, node) != 0; at--) {
    node *= 2;
    if (room(get(b, node), at - 1) < order + 1) node++;
  }
  return first_of(b, node);
}

uint32_t buddy_alloc(Buddy b, unsigned order) {
  if (order > BUDDY_MAX_ORDER) return BUDDY_NONE;
  return buddy_alloc_units(b, (uint32_t)1 << order);
}

uint32_t buddy_alloc_units(Buddy b, uint32_t units) {
  if (units == 0 || units > buddy_units(b)) return BUDDY_NONE;
  unsigned order = units == 1 ? 0 : 32 - (unsigned)__builtin_clz(units - 1);
  uint32_t first = find(b, order);
  if (first == BUDDY_NONE) return BUDDY_NONE;
  mark_used(b, first, units, HEAD);
  count(b, -(int64_t)units, 1);
  return first;
}

static bool range_is_free(Buddy b, uint32_t first, uint32_t units) {
  uint32_t total = buddy_units(b);
  if (first > total || units > total - first) return false;
  for (uint32_t end = first + units; first < end;) {
    uint32_t node = piece_at(b, first);
    if (get(b, node) != 0) return false;
    first = first_of(b, node) + ((uint32_t)1 << order_of(b, node));
  }
  return true;
}

bool buddy_claim(Buddy b, uint32_t first, uint32_t units) {
  if (units == 0 || !range_is_free(b, first, units)) return false;
  mark_used(b, first, units, HEAD);
  count(b, -(int64_t)units, 1);
  return true;
}

bool buddy_grow(Buddy b, uint32_t end, uint32_t units) {
  if (end == 0 || get(b, piece_at(b, end - 1)) < HEAD) return false;
  if (!range_is_free(b, end, units)) return false;
  mark_used(b, end, units, TAIL);
  count(b, -(int64_t)units, 0);
  return true;
}

/* The block or free run that starts at `first`. A free run starts where asked for. */
BuddyRun buddy_run(Buddy b, uint32_t first) {
  uint32_t node = piece_at(b, first), total = buddy_units(b);
  uint32_t next = first_of(b, node) + ((uint32_t)1 << order_of(b, node));
  bool used = get(b, node) >= HEAD;
  while (used && next < total) {
    node = piece_at(b, next);
    if (get(b, node) != TAIL) break;
    next += (uint32_t)1 << order_of(b, node);
  }
  return (BuddyRun){first, next - first, used};
}

uint32_t buddy_block_of(Buddy b, uint32_t unit) {
  uint32_t node = piece_at(b, unit);
  while (get(b, node) == TAIL) node = piece_at(b, first_of(b, node) - 1);
  return first_of(b, node);
}

uint32_t buddy_free(Buddy b, uint32_t first) {
  uint32_t total = buddy_units(b);
  if (first >= total) return 0;
  uint32_t node = piece_at(b, first), next = first;
  if (get(b, node) != HEAD || first_of(b, node) != first) return 0;
  do {
    next += (uint32_t)1 << order_of(b, node);
    put(b, node, 0);
    repair(b, node);
  } while (next < total && (node = piece_at(b, next), get(b, node) == TAIL));
  count(b, next - first, -1);
  return next - first;
}

int buddy_largest_free(Buddy b) { return (int)room(get(b, 1), b.state->order) - 1; }

/* The checker goes through the tree in preorder, without recursion. */
static uint32_t next_in_preorder(Buddy b, uint32_t node) {
  uint8_t byte = get(b, node);
  if (byte != 0 && byte < HEAD && order_of(b, node) > 0) return 2 * node;
  while (node & 1) node >>= 1; /* a right half, or the root: up */
  return node ? node + 1 : 0;
}

static const char *check_node(Buddy b, uint32_t node) {
  unsigned order = order_of(b, node);
  uint8_t byte = get(b, node);
  if (byte > TAIL) return "buddy: unknown node byte";
  if (order == 0) return byte == 0 || byte >= HEAD ? NULL : "buddy: a split unit";
  uint8_t left = get(b, 2 * node), right = get(b, 2 * node + 1);
  if (byte == 0 || byte >= HEAD) return left || right ? "buddy: dirt below a whole node" : NULL;
  return byte == byte_of_split(left, right, order) ? NULL : "buddy: wrong summary of halves";
}

const char *buddy_check(Buddy b) {
  for (uint32_t node = 1; node; node = next_in_preorder(b, node)) {
    const char *wrong = check_node(b, node);
    if (wrong) return wrong;
  }
  uint32_t free_units = 0, blocks = 0;
  for (uint32_t first = 0; first < buddy_units(b);) {
    uint32_t node = piece_at(b, first);
    free_units += get(b, node) == 0 ? (uint32_t)1 << order_of(b, node) : 0;
    blocks += get(b, node) == HEAD;
    first += (uint32_t)1 << order_of(b, node);
  }
  if (free_units != b.state->free_units) return "buddy: wrong number of free units";
  return blocks == b.state->blocks ? NULL : "buddy: wrong number of blocks";
}

const char *buddy_check_all(Buddy b) {
  uint32_t total = buddy_units(b), before = 0;
  for (uint32_t node = 2; node < 2 * total; node++) {
    uint8_t above = get(b, node >> 1);
    if ((above == 0 || above >= HEAD) && get(b, node)) return "buddy: dirt below a whole node";
  }
  const char *wrong = buddy_check(b);
  for (uint32_t first = 0, node; !wrong && first < total;
       first += (uint32_t)1 << order_of(b, node), before = get(b, node)) {
    node = piece_at(b, first);
    if (get(b, node) == TAIL && before < HEAD) wrong = "buddy: a later piece of no block";
  }
  return wrong;
}
