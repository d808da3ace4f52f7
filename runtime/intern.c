/* intern.c - the table of interned strings.
 *
 * Every string of at most STRING_INTERN_MAX bytes lives once per VM, so such strings are equal
 * exactly if their refs are: that makes them cheap map keys and field names.
 *
 * No step of it takes time by the size of the table. It is a directory of segments (extendible hashing,
 * Fagin and others 1979): the upper bits of the hash choose an entry of the directory, the lower bits a
 * slot of the segment that stands there, where linear probing goes on. A segment that is too full is
 * split in two by its next bit; several entries refer to one that has been split less often than
 * others. A slot is `hash << 32 | ref`: the hash beside the ref lets a probe pass other strings
 * without reading them, and lets segments be split without touching any string.
 *
 * The table is weak. After marking, what died is dropped and the gaps are closed in place, in
 * slices (gc/purge.c). A minor collection can only have killed what was added since the one before,
 * and there is a list of that, as slots (with 300,000 strings alive, sweeping the whole table each time
 * was 27 % of the instructions of a program that allocates). After others the whole table is gone
 * through in the order of hashes, which splitting does not change. Until then it has dead strings,
 * and one that is asked for is brought back to life (gc_revive).
 *
 * A string of one byte is never in the table, it comes from VmState.bytes1. */
#include "intern.h"

#include <stdlib.h>

#include "hash.h"
#include "str.h"

enum {
  SLOTS = 512,               /* of a segment */
  FULL = SLOTS / 8 * 5,      /* so many are in use: split it */
  MOST = SLOTS / 16 * 15,    /* where it cannot be split */
  ASK_AGAIN = 32,            /* after so many more, if memory was refused */
  FIRST_DEPTH = 1, MOST_DEPTH = 22,
  LEAST_STRINGS = 16,        /* for each entry of the directory, else it does not grow */
  NEW_SHARE = 2,             /* of the strings are new: the whole table is gone through */
};
#define HASHES ((uint64_t)1 << 32)

/* A Bytes object. */
typedef struct Segment {
  Header h;
  uint32_t used;
  uint32_t depth; /* so many upper bits of the hashes in it are the same */
  uint64_t slots[SLOTS];
} Segment;
enum { SEGMENT_BYTES = sizeof(Segment) - sizeof(Header) };

/* ---- finding --------------------------------------------------------------------------------- */

/* The entry of the directory, of 2^depth, for a hash. */
static inline uint64_t entry_of(uint32_t hash, uint64_t depth) {
  return (uint64_t)hash << depth >> 32;
}

static inline Store *directory(ox_VM *vm) { return vm_deref(vm, vm->st->strings); }

static inline Segment *segment_of(ox_VM *vm, uint32_t hash) {
  return vm_deref(vm, directory(vm)->items[entry_of(hash, vm->st->strings_depth)]);
}

static inline uint64_t load8(const char *p) {
  uint64_t w;
  memcpy(&w, p, 8);
  return w;
}

static inline uint32_t load4(const char *p) {
  uint32_t w;
  memcpy(&w, p, 4);
  return w;
}

/* Equality of n > 1 bytes; short ones by two loads that overlap, as calling memcmp costs more. */
static inline bool same_bytes(const char *a, const char *b, uint64_t n) {
  if (n > 16) return memcmp(a, b, n) == 0;
  if (n >= 8) return ((load8(a) ^ load8(b)) | (load8(a + n - 8) ^ load8(b + n - 8))) == 0;
  if (n >= 4) return ((load4(a) ^ load4(b)) | (load4(a + n - 4) ^ load4(b + n - 4))) == 0;
  return a[0] == b[0] && a[1] == b[1] && a[n - 1] == b[n - 1];
}

static inline String *find(ox_VM *vm, const char *bytes, uint64_t n, uint32_t hash) {
  const uint64_t *slots = segment_of(vm, hash)->slots;
  for (uint64_t i = hash % SLOTS; slots[i] != 0; i = (i + 1) % SLOTS) {
    if ((uint32_t)(slots[i] >> 32) != hash) continue;
    String *s = gc_ptr(vm->cage, (Ref){(uint32_t)slots[i]});
    if (s->h.aux == n && same_bytes(s->chars, bytes, n)) return s;
  }
  return NULL;
}

/* ---- growing --------------------------------------------------------------------------------- */

/* In a segment that was touched. */
static void place(Segment *s, uint64_t slot) {
  uint64_t i = (slot >> 32) % SLOTS;
  while (s->slots[i] != 0) i = (i + 1) % SLOTS;
  s->slots[i] = slot;
}

static void touch_segment(ox_VM *vm, Segment *s) {
  gc_touch_range(vm->cage, gc_word(vm->cage, s), sizeof(Segment) / 8);
}

static Segment *segment_new(ox_VM *vm, uint32_t depth) {
  Segment *s = (Segment *)bytes_new(vm, SEGMENT_BYTES);
  if (s) s->depth = depth;
  return s;
}

static Value segment_value(ox_VM *vm, const Segment *s) {
  return v_from_ptr(vm->cage, KIND_BYTES, s);
}

/* Twice as many entries. */
static bool deepen(ox_VM *vm) {
  VmState *st = vm->st;
  uint64_t n = (uint64_t)1 << st->strings_depth;
  if (st->strings_depth >= MOST_DEPTH || n * LEAST_STRINGS > st->strings_used) return false;
  Store *wide = store_new(vm, 2 * n), *narrow = directory(vm);
  if (!wide) return false;
  for (uint64_t i = 0; i < 2 * n; i++) wide->items[i] = narrow->items[i / 2];
  st->strings = v_from_ptr(vm->cage, KIND_STORE, wide);
  st->strings_depth++;
  gc_release(vm->gc, narrow);
  return true;
}

/* Those with the next bit set go to `to`; both are one deeper. */
static void divide(ox_VM *vm, Segment *from, Segment *to) {
  uint64_t slots[SLOTS];
  memcpy(slots, from->slots, sizeof slots);
  touch_segment(vm, from);
  memset(from->slots, 0, sizeof slots);
  uint32_t bit = 63 - from->depth++;
  from->used = 0;
  for (unsigned i = 0; i < SLOTS; i++) {
    if (!slots[i]) continue;
    Segment *s = slots[i] >> bit & 1 ? to : from;
    place(s, slots[i]);
    s->used++;
  }
}

/* The upper half of the entries for a segment that was divided, which had this hash. */
static void enter(ox_VM *vm, uint32_t hash, const Segment *s) {
  uint64_t n = (uint64_t)1 << (vm->st->strings_depth - s->depth);
  uint64_t first = (entry_of(hash, s->depth) | 1) * n;
  Store *d = directory(vm);
  for (uint64_t i = first; i < first + n; i++)
    gc_store(vm->cage, gc_word(vm->cage, d->items + i), segment_value(vm, s));
}

/* An allocation may collect, and thereby take strings out; so all is looked up anew. */
static bool split(ox_VM *vm, uint32_t hash) {
  if (segment_of(vm, hash)->depth == vm->st->strings_depth && !deepen(vm)) return false;
  Segment *to = segment_new(vm, segment_of(vm, hash)->depth + 1);
  if (!to) return false;
  divide(vm, segment_of(vm, hash), to);
  enter(vm, hash, to);
  return true;
}

/* Room for one more. Where memory is refused, a segment that is fuller than it should be is better
 * than none: with it a program may get as far as to let go of what fills the heap. One that cannot be
 * split since its hashes are the same is no accident. */
static bool make_room(ox_VM *vm, uint32_t hash) {
  for (;;) {
    uint32_t used = segment_of(vm, hash)->used;
    if (used < FULL || (used < MOST && used % ASK_AGAIN)) return true;
    if (split(vm, hash)) continue;
    bool refused = vm->st->error != V_ABSENT;
    if (segment_of(vm, hash)->used < MOST) {
      if (refused) error_take(vm);
      return true;
    }
    if (!refused) vm_throw(vm, ERR_LIMIT, "too many strings with the same hash");
    return false;
  }
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* Without memory for the list the next collection looks at the whole table. */
static void note_new(ox_VM *vm, uint64_t slot, bool is_long) {
  NewStrings *n = &vm->new_strings;
  if (n->known && n->count == n->capacity) {
    uint64_t capacity = n->capacity ? 2 * n->capacity : 256;
    uint64_t *slots = realloc(n->slots, capacity * sizeof *slots);
    n->known = slots != NULL;
    if (!slots) return;
    n->slots = slots;
    n->capacity = capacity;
  }
  if (n->known) n->slots[n->count++] = slot;
  n->has_long |= is_long;
}

static void add(ox_VM *vm, uint64_t slot) {
  Segment *s = segment_of(vm, (uint32_t)(slot >> 32));
  uint64_t i = (slot >> 32) % SLOTS;
  while (s->slots[i] != 0) i = (i + 1) % SLOTS;
  gc_touch(vm->cage, gc_word(vm->cage, &s->slots[i]));
  s->slots[i] = slot;
  gc_touch(vm->cage, gc_word(vm->cage, &s->used));
  s->used++;
  vm->st->strings_used++;
}

static Value make(ox_VM *vm, const char *bytes, uint64_t n, uint32_t hash) {
  if (!make_room(vm, hash)) return V_ERROR;
  String *s = string_alloc(vm, n, STRING_INTERNED);
  if (!s) return V_ERROR;
  s->hash = hash;
  memcpy(s->chars, bytes, n);
  uint64_t slot = (uint64_t)hash << 32 | gc_ref(vm->cage, s).w;
  add(vm, slot);
  note_new(vm, slot, string_block_words(n) > GC_SMALL_WORDS);
  Value v = v_from_ptr(vm->cage, KIND_STRING, s);
  return vm_root(vm, v) ? v : V_ERROR;
}

Value intern_string(ox_VM *vm, const char *bytes, uint64_t n) {
  uint32_t hash = hash_bytes(vm->st->hash_seed, bytes, n);
  String *s = find(vm, bytes, n, hash);
  if (!s) return make(vm, bytes, n, hash);
  gc_revive(vm->gc, gc_ref(vm->cage, s)); /* the table is weak */
  Value v = v_from_ptr(vm->cage, KIND_STRING, s);
  return vm_root(vm, v) ? v : V_ERROR;
}

/* ---- dropping the dead ----------------------------------------------------------------------- */

static void count_down(ox_VM *vm, Segment *s) {
  gc_touch(vm->cage, gc_word(vm->cage, &s->used));
  s->used--;
  vm->st->strings_used--;
}

static void put(ox_VM *vm, uint64_t *at, uint64_t slot) {
  gc_touch(vm->cage, gc_word(vm->cage, at));
  *at = slot;
}

/* Takes every slot of one cluster out and puts the living back at or before its place. Starting
 * behind an empty slot, an entry can only move towards its home, never over one not yet seen. */
static void purge_segment(ox_VM *vm, Segment *s) {
  uint64_t *slots = s->slots, start = 0;
  while (slots[start] != 0) start++; /* there is an empty one: MOST */
  for (uint64_t step = 1; step <= SLOTS; step++) {
    uint64_t i = (start + step) % SLOTS, slot = slots[i];
    if (slot == 0) continue;
    bool dead = gc_is_dead(vm->gc, (Ref){(uint32_t)slot});
    uint64_t to = (slot >> 32) % SLOTS;
    while (!dead && to != i && slots[to] != 0) to = (to + 1) % SLOTS;
    if (!dead && to == i) continue;
    put(vm, &slots[i], 0);
    if (dead) count_down(vm, s);
    else put(vm, &slots[to], slot);
  }
}

/* Empties slot `hole`: entries behind it that may lie there move up. */
static void close_gap(ox_VM *vm, Segment *s, uint64_t hole) {
  uint64_t *slots = s->slots;
  for (uint64_t i = (hole + 1) % SLOTS; slots[i] != 0; i = (i + 1) % SLOTS) {
    uint64_t home = slots[i] >> 32;
    if ((i - home) % SLOTS < (i - hole) % SLOTS) continue;
    put(vm, &slots[hole], slots[i]);
    hole = i;
  }
  put(vm, &slots[hole], 0);
  count_down(vm, s);
}

static void drop(ox_VM *vm, uint64_t slot) {
  Segment *s = segment_of(vm, (uint32_t)(slot >> 32));
  uint64_t i = (slot >> 32) % SLOTS;
  while (s->slots[i] != slot && s->slots[i] != 0) i = (i + 1) % SLOTS;
  if (s->slots[i]) close_gap(vm, s, i);
}

/* Long ones are no slots of slabs, and those are swept before the first slice. */
static void drop_long(ox_VM *vm) {
  NewStrings *n = &vm->new_strings;
  for (uint64_t i = 0; n->has_long && i < n->count; i++)
    if (!gc_is_marked(vm->gc, (Ref){(uint32_t)n->slots[i]})) drop(vm, n->slots[i]);
}

void intern_begin_purge(ox_VM *vm) {
  NewStrings *n = &vm->new_strings;
  bool few = n->known && n->count <= vm->st->strings_used / NEW_SHARE;
  bool all = !few || !gc_is_minor(vm->gc);
  if (gc_is_minor(vm->gc) && n->known) drop_long(vm);
  if (all) n->count = 0;
  n->known = true;
  n->at = 0;
  n->before = n->count;
  n->hash = all ? 0 : HASHES;
  n->has_long = false;
}

/* The list is of those added since, then. */
static void forget_before(NewStrings *n) {
  n->count -= n->before;
  if (n->count) memmove(n->slots, n->slots + n->before, n->count * sizeof *n->slots);
  n->at = n->before = 0;
}

bool intern_purge(ox_VM *vm, uint64_t places) {
  NewStrings *n = &vm->new_strings;
  if (vm->st->strings == V_NIL) return true;
  for (; n->at < n->before && places; n->at++, places--)
    if (gc_is_dead(vm->gc, (Ref){(uint32_t)n->slots[n->at]})) drop(vm, n->slots[n->at]);
  while (n->hash < HASHES && places) {
    Segment *s = segment_of(vm, (uint32_t)n->hash);
    purge_segment(vm, s);
    n->hash += HASHES >> s->depth;
    places -= places < SLOTS ? places : SLOTS;
  }
  if (n->at < n->before || n->hash < HASHES) return false;
  if (n->before) forget_before(n);
  return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

bool intern_open(ox_VM *vm) {
  Store *d = store_new(vm, 1 << FIRST_DEPTH);
  Value v = d ? v_from_ptr(vm->cage, KIND_STORE, d) : V_ERROR;
  if (!d || !vm_root(vm, v)) return false;
  for (int i = 0; i < 1 << FIRST_DEPTH; i++) {
    Segment *s = segment_new(vm, FIRST_DEPTH);
    if (!s) return false;
    gc_store(vm->cage, gc_word(vm->cage, d->items + i), segment_value(vm, s));
  }
  vm->st->strings = v;
  vm->st->strings_used = 0;
  vm->st->strings_depth = FIRST_DEPTH;
  return true;
}

void intern_close(ox_VM *vm) { free(vm->new_strings.slots); }

/* ---- proof ----------------------------------------------------------------------------------- */

bool intern_has(ox_VM *vm, const String *s) {
  const uint64_t *slots = segment_of(vm, s->hash)->slots;
  uint64_t want = (uint64_t)s->hash << 32 | gc_ref(vm->cage, s).w;
  for (uint64_t i = s->hash % SLOTS; slots[i]; i = (i + 1) % SLOTS)
    if (slots[i] == want) return true;
  return false;
}

static const char *check_segment(ox_VM *vm, const Segment *s, uint64_t prefix) {
  uint32_t used = 0;
  for (unsigned i = 0; i < SLOTS; i++) {
    uint64_t slot = s->slots[i];
    if (!slot) continue;
    Ref ref = {(uint32_t)slot};
    const String *string = gc_ptr(vm->cage, ref);
    used++;
    if (!gc_holds(vm->gc, ref) || string->h.kind != KIND_STRING)
      return "an intern table of no strings";
    if (!(string->h.n & STRING_INTERNED) || string->hash != slot >> 32 ||
        entry_of(string->hash, s->depth) != prefix)
      return "a wrong entry of the intern table";
  }
  return used == s->used && used <= MOST ? NULL : "an intern table with a wrong count";
}

static const char *check_directory(ox_VM *vm) {
  const VmState *st = vm->st;
  if (!v_is(st->strings, KIND_STORE) || st->strings_depth > MOST_DEPTH)
    return "an intern table of impossible size";
  const Store *d = directory(vm);
  uint64_t n = (uint64_t)1 << st->strings_depth;
  if (d->h.layout != LAYOUT_WIDE || d->h.aux != n) return "an intern table of impossible size";
  for (uint64_t i = 0; i < n; i++) {
    if (!v_is(d->items[i], KIND_BYTES)) return "an intern table of no segments";
    const Segment *s = vm_deref(vm, d->items[i]);
    if (s->h.aux != SEGMENT_BYTES || s->depth > st->strings_depth)
      return "an intern table with a segment of impossible size";
  }
  return NULL;
}

const char *intern_check(ox_VM *vm) {
  const char *wrong = check_directory(vm);
  uint64_t depth = vm->st->strings_depth, used = 0, i = 0;
  const Store *d = wrong ? NULL : directory(vm);
  while (!wrong && i < (uint64_t)1 << depth) {
    const Segment *s = vm_deref(vm, d->items[i]);
    uint64_t n = (uint64_t)1 << (depth - s->depth);
    if (i % n) return "an intern table with a segment in a wrong place";
    wrong = check_segment(vm, s, i / n);
    for (uint64_t k = i + 1; k < i + n; k++)
      if (d->items[k] != d->items[i]) return "an intern table with a segment in a wrong place";
    used += s->used;
    i += n;
  }
  if (wrong) return wrong;
  return used == vm->st->strings_used ? NULL : "an intern table with a wrong count";
}

void intern_each_part(ox_VM *vm, void (*fn)(void *ctx, Value part), void *ctx) {
  if (check_directory(vm)) return;
  const Store *d = directory(vm);
  for (uint32_t i = 0; i < d->h.aux; i++)
    if (i == 0 || d->items[i] != d->items[i - 1]) fn(ctx, d->items[i]);
}
