/* intern.c - the table of interned strings.
 *
 * Every string of at most STRING_INTERN_MAX bytes lives once per VM, so such strings are equal
 * exactly if their refs are: that makes them cheap map keys and field names.
 *
 * No step of it takes time by the size of the table. It is a directory of segments (extendible
 * hashing, Fagin and others 1979): the upper bits of the hash choose an entry of the directory, the
 * lower bits a slot of the segment that stands there, where linear probing goes on. A segment that is
 * too full is split in two by its next bit; several entries refer to one that has been split less often than
 * others. A slot is `hash << 32 | ref`: the hash beside the ref lets a probe pass other strings
 * without reading them, and lets segments be split without touching any string.
 *
 * Where splitting does not help, as the upper bits of the hashes are the same, the segment doubles
 * its slots instead. That is no accident: with the seed known, keys can be chosen so. Those of one hash
 * are found by going through all of them, so a program that is given such keys is slow, but goes on.
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
  SLOTS = 512,               /* of a segment, that has not grown */
  ASK_AGAIN = 32,            /* after so many more, if memory was refused */
  FIRST_DEPTH = 1, MOST_DEPTH = 22,
  LEAST_STRINGS = 16,        /* for each entry of the directory, else it does not grow */
  NEW_SHARE = 2,             /* of the strings are new: the whole table is gone through */
};
#define HASHES ((uint64_t)1 << 32)

/* A Bytes object. Of its slots, a power of two, at least one is empty. */
typedef struct Segment {
  Header h;
  uint32_t used;
  uint32_t depth; /* so many upper bits of the hashes in it are the same */
  uint64_t slots[];
} Segment;

static inline uint64_t segment_bytes(uint64_t slots) {
  return sizeof(Segment) - sizeof(Header) + slots * sizeof(uint64_t);
}

/* The number of slots - 1. What nearly all have is guessed, so no probe waits for the header. */
static inline uint64_t mask_of(const Segment *s) {
  if (__builtin_expect(s->h.aux == segment_bytes(SLOTS), 1)) return SLOTS - 1;
  return (s->h.aux - segment_bytes(0)) / sizeof(uint64_t) - 1;
}

/* With so many in use it is split, or grows; and so many there are where memory is refused. */
static inline uint64_t full(uint64_t slots) { return slots / 8 * 5; }
static inline uint64_t most(uint64_t slots) { return slots / 16 * 15; }

/* ---- finding --------------------------------------------------------------------------------- */

/* The entry of the directory, of 2^depth, for a hash. */
static inline uint64_t entry_of(uint32_t hash, uint64_t depth) {
  return (uint64_t)hash << depth >> 32;
}

static inline Store *directory(ox_VM *vm) { return vm_deref(vm, vm->st->strings); }

static inline Segment *segment_of(ox_VM *vm, uint32_t hash) {
  return vm_deref(vm, directory(vm)->items[entry_of(hash, vm->st->strings_depth)]);
}

/* Equality of n > 1 bytes; short ones by two loads that overlap, as calling memcmp costs more. */
static inline bool same_bytes(const char *a, const char *b, uint64_t n) {
  if (n > 16) return memcmp(a, b, n) == 0;
  if (n >= 8) return ((hash_load8(a) ^ hash_load8(b)) | (hash_load8(a + n - 8) ^ hash_load8(b + n - 8))) == 0;
  if (n >= 4) return ((hash_load4(a) ^ hash_load4(b)) | (hash_load4(a + n - 4) ^ hash_load4(b + n - 4))) == 0;
  return a[0] == b[0] && a[1] == b[1] && a[n - 1] == b[n - 1];
}

static inline String *find(ox_VM *vm, const char *bytes, uint64_t n, uint32_t hash) {
  const Segment *in = segment_of(vm, hash);
  const uint64_t *slots = in->slots, mask = mask_of(in);
  for (uint64_t i = hash & mask; slots[i] != 0; i = (i + 1) & mask) {
    if ((uint32_t)(slots[i] >> 32) != hash) continue;
    String *s = gc_ptr(vm->cage, (Ref){(uint32_t)slots[i]});
    if (s->h.aux == n && same_bytes(s->chars, bytes, n)) return s;
  }
  return NULL;
}

/* ---- growing --------------------------------------------------------------------------------- */

static void put(ox_VM *vm, uint64_t *at, uint64_t slot) {
  gc_touch(vm->cage, gc_word(vm->cage, at));
  *at = slot;
}

static void count(ox_VM *vm, Segment *s, int change) {
  gc_touch(vm->cage, gc_word(vm->cage, &s->used));
  s->used += (uint32_t)change;
}

/* Where slots were put in one after the other: those of one home follow each other, and what lies
 * between it and the last of them is in use. */
typedef struct Run { uint64_t home, last; } Run;
#define NO_RUN ((Run){UINT64_MAX, 0})

/* The empty slot for this one; or `stop` if that comes first. */
static inline uint64_t place_for(const Segment *s, Run *run, uint64_t slot, uint64_t stop) {
  uint64_t mask = mask_of(s), home = slot >> 32 & mask;
  uint64_t at = run->home == home ? run->last : home;
  while (at != stop && s->slots[at] != 0) at = (at + 1) & mask;
  *run = (Run){home, at};
  return at;
}

static Segment *segment_new(ox_VM *vm, uint64_t slots, uint32_t depth) {
  Segment *s = (Segment *)bytes_new(vm, segment_bytes(slots));
  if (s) s->depth = depth;
  return s;
}

static Value segment_value(ox_VM *vm, const Segment *s) {
  return v_from_ptr(vm->cage, KIND_BYTES, s);
}

static inline bool is_dead(ox_VM *vm, uint64_t slot) {
  Ref r = {(uint32_t)slot};
  return vm->new_strings.at_once ? !gc_is_marked(vm->gc, r) : gc_is_dead(vm->gc, r);
}

/* Takes every slot of one cluster out and puts those that stay back at or before their places.
 * Starting behind an empty slot, an entry can only move towards its home, never over one not yet
 * seen. With `to`, those with the bit set go there; without it the dead leave. The number of those that
 * left. */
static inline uint32_t sift(ox_VM *vm, Segment *s, Segment *to, unsigned bit) {
  uint64_t mask = mask_of(s), start = 0;
  uint32_t left = 0;
  Run run = NO_RUN, to_run = NO_RUN;
  while (s->slots[start] != 0) start++;
  for (uint64_t step = 1; step <= mask; step++) {
    uint64_t i = (start + step) & mask, slot = s->slots[i];
    if (slot == 0) continue;
    bool leaves = to ? slot >> bit & 1 : is_dead(vm, slot);
    uint64_t at = leaves ? i : place_for(s, &run, slot, i);
    if (leaves && to) put(vm, &to->slots[place_for(to, &to_run, slot, UINT64_MAX)], slot);
    left += leaves;
    if (leaves || at != i) put(vm, &s->slots[i], 0);
    if (at != i) put(vm, &s->slots[at], slot);
  }
  if (left) count(vm, s, -(int)left);
  return left;
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

/* A segment, which is new, takes over the n entries from this one on. */
static void enter(ox_VM *vm, uint64_t first, uint64_t n, const Segment *s) {
  Store *d = directory(vm);
  for (uint64_t i = first; i < first + n; i++)
    gc_store(vm->cage, gc_word(vm->cage, d->items + i), segment_value(vm, s));
}

/* The slots for those that have the bit set. */
static uint64_t slots_for(const Segment *s, unsigned bit) {
  uint64_t n = 0, slots = SLOTS;
  for (uint64_t i = 0; i <= mask_of(s); i++) n += s->slots[i] >> bit & 1;
  while (full(slots) <= n && slots <= mask_of(s)) slots *= 2;
  return slots;
}

/* Those with the next bit set go to a new segment; both are one deeper. An allocation may collect,
 * and thereby take strings out; so all is looked up anew. */
static bool split(ox_VM *vm, uint32_t hash) {
  Segment *s = segment_of(vm, hash);
  uint32_t depth = s->depth + 1;
  if (s->depth == vm->st->strings_depth && !deepen(vm)) return false;
  Segment *to = segment_new(vm, slots_for(segment_of(vm, hash), 64 - depth), depth);
  if (!to) return false;
  s = segment_of(vm, hash);
  to->used = sift(vm, s, to, 64 - depth);
  gc_touch(vm->cage, gc_word(vm->cage, &s->depth));
  s->depth = depth;
  uint64_t n = (uint64_t)1 << (vm->st->strings_depth - depth);
  enter(vm, (entry_of(hash, depth) | 1) * n, n, to);
  return true;
}

/* Twice as many slots. From behind an empty slot on, those of one home come one after the other. */
static bool grow(ox_VM *vm, uint32_t hash) {
  uint64_t slots = mask_of(segment_of(vm, hash)) + 1, start = 0;
  Segment *to = segment_new(vm, 2 * slots, segment_of(vm, hash)->depth);
  if (!to) return false;
  Segment *from = segment_of(vm, hash);
  Run run = NO_RUN;
  while (from->slots[start] != 0) start++;
  for (uint64_t step = 1; step < slots; step++) {
    uint64_t slot = from->slots[(start + step) & (slots - 1)];
    if (slot) to->slots[place_for(to, &run, slot, UINT64_MAX)] = slot;
  }
  to->used = from->used;
  uint64_t n = (uint64_t)1 << (vm->st->strings_depth - to->depth);
  enter(vm, entry_of(hash, to->depth) * n, n, to);
  gc_release(vm->gc, from);
  return true;
}

/* Room for one more. Where memory is refused, a segment that is fuller than it should be is better
 * than none: with it a program may get as far as to let go of what fills the heap. */
static bool make_room(ox_VM *vm, uint32_t hash) {
  bool pending = vm->st->error != V_ABSENT; /* the caller's */
  for (;;) {
    const Segment *s = segment_of(vm, hash);
    uint64_t slots = mask_of(s) + 1;
    if (s->used < full(slots) || (s->used < most(slots) && s->used % ASK_AGAIN)) return true;
    if (split(vm, hash)) continue;
    if ((pending || vm->st->error == V_ABSENT) && grow(vm, hash)) continue;
    s = segment_of(vm, hash);
    if (s->used >= most(mask_of(s) + 1)) return false;
    if (!pending) error_take(vm);
    return true;
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
  put(vm, &s->slots[place_for(s, &NO_RUN, slot, UINT64_MAX)], slot);
  count(vm, s, 1);
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

/* Empties slot `hole`: entries behind it that may lie there move up. */
static void close_gap(ox_VM *vm, Segment *s, uint64_t hole) {
  uint64_t *slots = s->slots, mask = mask_of(s);
  for (uint64_t i = (hole + 1) & mask; slots[i] != 0; i = (i + 1) & mask) {
    uint64_t home = slots[i] >> 32;
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    put(vm, &slots[hole], slots[i]);
    hole = i;
  }
  put(vm, &slots[hole], 0);
  count(vm, s, -1);
  vm->st->strings_used--;
}

/* What it cost, in places. */
static uint64_t drop(ox_VM *vm, uint64_t slot) {
  Segment *s = segment_of(vm, (uint32_t)(slot >> 32));
  uint64_t mask = mask_of(s), i = slot >> 32 & mask;
  while (s->slots[i] != slot && s->slots[i] != 0) i = (i + 1) & mask;
  if (s->slots[i]) close_gap(vm, s, i);
  return (mask + 1) / SLOTS;
}

/* Long ones are no slots of slabs, and those are swept before the first slice. */
static void drop_long(ox_VM *vm) {
  NewStrings *n = &vm->new_strings;
  for (uint64_t i = 0; n->has_long && i < n->count; i++)
    if (!gc_is_marked(vm->gc, (Ref){(uint32_t)n->slots[i]})) drop(vm, n->slots[i]);
}

/* Which are new is not known: the long ones among them have to leave before they are swept. */
static void purge_at_once(ox_VM *vm) {
  NewStrings *n = &vm->new_strings;
  n->at_once = true;
  n->count = n->at = n->before = n->hash = 0;
  intern_purge(vm, UINT64_MAX);
  n->at_once = n->has_long = false;
  n->known = true;
}

void intern_begin_purge(ox_VM *vm) {
  NewStrings *n = &vm->new_strings;
  if (gc_is_minor(vm->gc) && !n->known) {
    purge_at_once(vm);
    return;
  }
  bool few = n->known && n->count <= vm->st->strings_used / NEW_SHARE;
  bool all = !few || !gc_is_minor(vm->gc);
  if (gc_is_minor(vm->gc)) drop_long(vm);
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
  for (uint64_t cost; n->at < n->before && places; n->at++) {
    uint64_t slot = n->slots[n->at];
    cost = gc_is_dead(vm->gc, (Ref){(uint32_t)slot}) ? drop(vm, slot) : 1;
    places -= cost < places ? cost : places;
  }
  while (n->hash < HASHES && places) {
    Segment *s = segment_of(vm, (uint32_t)n->hash);
    uint64_t slots = mask_of(s) + 1;
    vm->st->strings_used -= sift(vm, s, NULL, 0);
    n->hash += HASHES >> s->depth;
    places -= slots < places ? slots : places;
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
    Segment *s = segment_new(vm, SLOTS, FIRST_DEPTH);
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
  const Segment *in = segment_of(vm, s->hash);
  uint64_t want = (uint64_t)s->hash << 32 | gc_ref(vm->cage, s).w, mask = mask_of(in);
  for (uint64_t i = s->hash & mask; in->slots[i]; i = (i + 1) & mask)
    if (in->slots[i] == want) return true;
  return false;
}

static const char *check_segment(ox_VM *vm, const Segment *s, uint64_t prefix) {
  uint64_t used = 0, slots = mask_of(s) + 1;
  for (uint64_t i = 0; i < slots; i++) {
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
  return used == s->used && used <= most(slots) ? NULL : "an intern table with a wrong count";
}

static bool is_segment(const Segment *s, uint64_t directory_depth) {
  if (s->h.aux < segment_bytes(SLOTS) || s->h.aux % sizeof(uint64_t)) return false;
  uint64_t mask = mask_of(s);
  return (mask & (mask + 1)) == 0 && s->depth <= directory_depth;
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
    if (!is_segment(vm_deref(vm, d->items[i]), st->strings_depth))
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
