/* map.c - insertion-ordered maps and sets.
 *
 * The entries are pairs (key, value) in a Store, in the order they were added. Up to MAP_LINEAR
 * entries a lookup scans them; from then on an index finds them:
 *
 *   slots[2^s]   0 if free, else  hash with its low s bits replaced by entry number + 1
 *   hashes[cap]  the full hash of every entry, so that the index is rebuilt without asking the keys
 *
 * The low s bits of a hash choose the slot, its other bits are the tag beside the entry number: a
 * probe leaves the slots' cache line only for an entry that nearly surely matches. From there the
 * slots up to the end of the cache line are tried, then those of another line far away, and so on
 * through all lines. A whole number is first tried at the slot of its own low bits, so that
 * neighbouring keys are neighbours in the index (2 times as fast on 100,000 keys); only if that
 * is taken by another it goes where its hash says, so that no stride does harm. (Numbers in a row
 * fill whole regions of the index: with linear probing, any other key that its hash led there,
 * such as the name of a method, was looked for to the region's end.) A removed entry
 * keeps its place, with key V_ABSENT and value nil (but see map_gone), and its slot, with the tag
 * inverted, so that looking for the same key again passes it by; such holes are squeezed out when
 * the store is full, before it grows. So the number of slots in use is `used`.
 *
 * Which keys are equal: inline ints, nil, bools, interned strings and whatever has identity
 * compare by their word alone. The others ("odd" keys: floats, wide ints, long strings, ranges,
 * instances with a `hash` method) need a comparison of contents. A linear map that holds an odd
 * key says so in `mask` (which it does not need otherwise), since then an int may equal a float
 * in it. A map never holds an instance with a `hash` method without an index, so converting and
 * rebuilding call no methods. A method called by a lookup may change the map: then the lookup
 * throws. */
#include "map.h"

#include "class.h"
#include "compare.h"
#include "hash.h"
#include "list.h"
#include "number.h"
#include "range.h"
#include "str.h"

enum { MAP_FIRST = 4, LINEAR_ODD = 1 };
#define MAP_MAX ((uint32_t)1 << 29) /* entries */
#define NOT_FOUND UINT32_MAX

typedef enum KeyHow {
  KEY_IDENTITY, /* equal keys are the same word */
  KEY_INT,      /* likewise, but a float may be equal */
  KEY_CONTENT,  /* compare contents */
  KEY_METHOD,   /* compare by methods of the program */
} KeyHow;

typedef struct Key {
  Value v;
  uint32_t hash;
  uint32_t first; /* the slot to try first, modulo their number; */
  uint32_t next;  /* then come those from here on (slot_after) */
  KeyHow how;
} Key;

/* ---- parts ----------------------------------------------------------------------------------- */

static inline Store *map_store(ox_VM *vm, Map *m) { return gc_ptr(vm->cage, (Ref){m->h.aux}); }
static inline uint32_t store_cap(ox_VM *vm, Map *m) {
  return m->h.aux ? map_store(vm, m)->h.aux / 2 : 0;
}

/* Entries that an index of so many slots serves: load factor 1/2. */
static inline uint32_t index_cap(uint32_t slots) { return slots / 2; }
static inline uint32_t *map_slots(ox_VM *vm, Map *m) {
  return (uint32_t *)((Bytes *)gc_ptr(vm->cage, m->index))->data;
}
static inline uint32_t *map_hashes(ox_VM *vm, Map *m) { return map_slots(vm, m) + m->mask + 1; }

static inline void map_touch(ox_VM *vm, Map *m) { /* header and counters lie in four words */
  gc_touch(vm->cage, gc_word(vm->cage, m));
  gc_touch(vm->cage, gc_word(vm->cage, &m->version));
}

static inline void set_u32(ox_VM *vm, uint32_t *at, uint32_t x) {
  gc_touch(vm->cage, gc_word(vm->cage, at));
  *at = x;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Sets where a number's slots are: whole ones must have the same place whatever their type. */
static void key_place_number(ox_VM *vm, Key *k) {
  int64_t whole;
  if (v_is_float(k->v)) {
    double d = v_float(k->v);
    if (!(d >= -0x1p63 && d < 0x1p63 && d == (double)(int64_t)d)) return;
    whole = (int64_t)d;
  } else {
    whole = num_int(vm, k->v);
  }
  k->first = (uint32_t)whole;
  k->next = k->hash;
}

/* Where a key with this hash has its slots. */
static inline Key key_place(ox_VM *vm, Value v, uint32_t hash) {
  Key k = {v, hash, hash, hash + 1, KEY_IDENTITY};
  if (v_is_int(v)) {
    k.first = (uint32_t)v; /* the low bits of the int */
    k.next = hash;
    k.how = KEY_INT;
  } else if (v_is_float(v) || v_is(v, KIND_WIDE_INT)) {
    key_place_number(vm, &k);
    k.how = KEY_CONTENT;
  }
  return k;
}

/* Fills in all about a key. A rope key is replaced by its flat string, so that maps
 * hold flat strings only. False: error pending. */
static bool key_prepare(ox_VM *vm, Value v, Key *k) {
  uint32_t hash = 0;
  String *s = NULL;
  if (v_is_string(v)) {
    if (!(s = string_flat(vm, v))) return false;
    v = v_from_ptr(vm->cage, KIND_STRING, s);
    hash = string_hash(vm, s);
  } else if (!value_hash(vm, v, &hash)) {
    return false;
  }
  *k = key_place(vm, v, hash);
  if (s) {
    if (s->h.aux > STRING_INTERN_MAX) k->how = KEY_CONTENT;
  } else if (v_is(v, KIND_RANGE)) {
    k->how = KEY_CONTENT;
  } else if (v_is(v, KIND_INSTANCE) || v_is(v, KIND_FOREIGN)) {
    Class *c = as_class(vm, vm_class_of(vm, v));
    if (c->flags & (CLASS_HAS_EQ | CLASS_HAS_HASH)) k->how = KEY_METHOD;
  }
  return true;
}

/* Equality of two keys that are not the same word, without calling methods. */
static bool content_equal(ox_VM *vm, Value a, Value b) {
  if (num_is(a)) return num_is(b) && num_compare(vm, a, b) == 0;
  if (v_is(a, KIND_STRING)) return v_is(b, KIND_STRING) && string_equal(vm, a, b);
  return v_is(a, KIND_RANGE) && v_is(b, KIND_RANGE) && range_equal(vm, a, b);
}

/* 1, 0, or -1 with an error pending. A method may do anything, also change this map. */
static int method_equal(ox_VM *vm, Map *m, Value key, Value entry) {
  if (!v_is(entry, KIND_INSTANCE) && !v_is(entry, KIND_FOREIGN)) return 0;
  uint32_t version = m->version;
  int equal = value_equal(vm, key, entry);
  if (equal < 0 || m->version == version) return equal;
  vm_throw(vm, ERR_VALUE, "the map was changed by the == of one of its keys");
  return -1;
}

static int key_equal(ox_VM *vm, Map *m, const Key *k, Value entry) {
  if (entry == k->v) return 1;
  switch (k->how) {
    case KEY_IDENTITY: return 0;
    case KEY_INT: return v_is_float(entry) && num_compare(vm, entry, k->v) == 0;
    case KEY_CONTENT: return content_equal(vm, k->v, entry);
    case KEY_METHOD: return method_equal(vm, m, k->v, entry);
  }
  return 0;
}

/* ---- finding --------------------------------------------------------------------------------- */

enum { LINE_SLOTS = 16 }; /* in a cache line */
_Static_assert((int)MAP_INDEX_LEAST >= 2 * LINE_SLOTS, "an index has whole lines");

/* Where it goes on behind the last slot of a line: an odd number of lines on, so that all come. */
static __attribute__((noinline)) uint32_t line_after(uint32_t i, uint32_t hash, uint32_t mask) {
  return (i + ((hash >> 16 | hash << 16) & ~(2u * LINE_SLOTS - 1))) & mask;
}

/* The slot to try after slot i. */
static inline uint32_t slot_after(uint32_t i, uint32_t hash, uint32_t mask) {
  return __builtin_expect(++i % LINE_SLOTS != 0, 1) ? i : line_after(i, hash, mask);
}

/* Where a lookup ended: the entry, or NOT_FOUND and the free slot (of an index) to put one in. */
typedef struct Found { uint32_t entry, slot; } Found;

static inline uint32_t linear_find(ox_VM *vm, Map *m, Value key) {
  uint32_t n = m->used;
  if (n == 0) return NOT_FOUND;
  Value *items = map_entries(vm, m);
  for (uint32_t i = 0; i < n; i++)
    if (items[2 * i] == key) return i;
  return NOT_FOUND;
}

/* From the second slot on. */
static __attribute__((noinline)) Found index_find_on(ox_VM *vm, Map *m, const Key *k, bool *rival) {
  const uint32_t *slots = map_slots(vm, m);
  const Value *items = map_entries(vm, m);
  uint32_t mask = m->mask, i = k->next & mask;
  for (;; i = line_after(i, k->hash, mask)) {
    for (uint32_t end = i | (LINE_SLOTS - 1); i <= end; i++) {
      uint32_t slot = slots[i], e = (slot & mask) - 1;
      if (slot == 0) return (Found){NOT_FOUND, i};
      if ((slot ^ k->hash) > mask) continue;
      if (items[2 * (uint64_t)e] == k->v) return (Found){e, i};
      *rival |= v_is_float(items[2 * (uint64_t)e]);
    }
  }
}

/* Finds a key that is surely equal only to its own word: an interned string, or an int unless
 * `*rival` tells that a float of the same hash was seen. Most are in the first slot, or nothing
 * is. */
static inline Found index_find(ox_VM *vm, Map *m, const Key *k, bool *rival) {
  uint32_t mask = m->mask, i = k->first & mask, slot = map_slots(vm, m)[i], e = (slot & mask) - 1;
  if (slot == 0) return (Found){NOT_FOUND, i};
  if ((slot ^ k->hash) <= mask) {
    Value entry = map_entries(vm, m)[2 * (uint64_t)e];
    if (entry == k->v) return (Found){e, i};
    *rival |= v_is_float(entry);
  }
  return index_find_on(vm, m, k, rival);
}

static uint32_t linear_find_odd(ox_VM *vm, Map *m, const Key *k) {
  for (uint32_t i = 0; i < m->used; i++) {
    Value entry = map_entries(vm, m)[2 * i];
    if (entry != V_ABSENT && key_equal(vm, m, k, entry) > 0) return i;
  }
  return NOT_FOUND;
}

/* The general lookup: false with an error pending when a method threw. */
static bool find_key(ox_VM *vm, Map *m, const Key *k, Found *out) {
  *out = (Found){NOT_FOUND, 0};
  if (m->index.w == 0) {
    out->entry = linear_find_odd(vm, m, k); /* no methods: see above */
    return true;
  }
  uint32_t mask = m->mask, i = k->first & mask, then = k->next & mask, slot;
  for (; (slot = map_slots(vm, m)[i]) != 0; i = then, then = slot_after(i, k->hash, mask)) {
    if ((slot ^ k->hash) > mask) continue;
    uint32_t e = (slot & mask) - 1;
    if (map_hashes(vm, m)[e] != k->hash) continue;
    Value entry = map_entries(vm, m)[2 * (uint64_t)e];
    int equal = entry == V_ABSENT ? 0 : key_equal(vm, m, k, entry);
    if (equal < 0) return false;
    if (equal) {
      out->entry = e;
      break;
    }
  }
  out->slot = i;
  return true;
}

static inline Found find_str(ox_VM *vm, Map *m, const Key *k) {
  bool rival = false;
  return m->index.w ? index_find(vm, m, k, &rival) : (Found){linear_find(vm, m, k->v), 0};
}

/* For an int that is not there as such: a float key may equal it. */
static __attribute__((noinline)) Found find_int_rival(ox_VM *vm, Map *m, const Key *k) {
  Found found;
  find_key(vm, m, k, &found);
  return found;
}

static inline Found find_int(ox_VM *vm, Map *m, const Key *k) {
  bool rival = false;
  Found found;
  if (m->index.w == 0) {
    found = (Found){linear_find(vm, m, k->v), 0};
    rival = m->mask == LINEAR_ODD;
  } else {
    found = index_find(vm, m, k, &rival);
  }
  return found.entry == NOT_FOUND && rival ? find_int_rival(vm, m, k) : found;
}

static inline Key int_key(ox_VM *vm, Value v) { return key_place(vm, v, hash_int(vm, v_int(v))); }
static inline Key str_key(Value v, const String *s) {
  return (Key){v, s->hash, s->hash, s->hash + 1, KEY_IDENTITY};
}

/* A key is quick if it is an interned short string. */
static inline String *quick_string(ox_VM *vm, Value key) {
  if (!v_is(key, KIND_STRING)) return NULL;
  String *s = vm_deref(vm, key);
  return s->h.aux <= STRING_INTERN_MAX ? s : NULL;
}

static __attribute__((noinline)) Found find_other(ox_VM *vm, Map *m, Value key) {
  Key k;
  Found found = {NOT_FOUND, 0};
  if (!key_prepare(vm, key, &k)) return found;
  if (m->index.w == 0 && k.how == KEY_METHOD) return found;
  find_key(vm, m, &k, &found); /* where it fails the entry is NOT_FOUND */
  return found;
}

static inline Found find_any(ox_VM *vm, Map *m, Value key) {
  if (v_is_int(key)) {
    Key k = int_key(vm, key);
    return find_int(vm, m, &k);
  }
  String *s = quick_string(vm, key);
  if (!s) return find_other(vm, m, key);
  Key k = str_key(key, s);
  return find_str(vm, m, &k);
}

uint32_t map_find(ox_VM *vm, Value map, Value key) {
  return find_any(vm, as_map(vm, map), key).entry;
}

uint32_t map_find_str(ox_VM *vm, Map *m, Value key) {
  String *s = vm_deref(vm, key);
  if (s->h.aux > STRING_INTERN_MAX) return find_other(vm, m, key).entry;
  Key k = str_key(key, s);
  return find_str(vm, m, &k).entry;
}

int32_t map_find_quick(ox_VM *vm, Map *m, Value key) {
  if (v_is_int(key)) {
    Key k = int_key(vm, key);
    return (int32_t)find_int(vm, m, &k).entry;
  }
  String *s = quick_string(vm, key);
  if (!s) return MAP_ASK;
  Key k = str_key(key, s);
  return (int32_t)find_str(vm, m, &k).entry;
}

static inline Value entry_value(ox_VM *vm, Map *m, uint32_t e) {
  return e == NOT_FOUND ? V_ABSENT : map_entries(vm, m)[2 * (uint64_t)e + 1];
}

Value map_get(ox_VM *vm, Value map, Value key) {
  Map *m = as_map(vm, map);
  return entry_value(vm, m, find_any(vm, m, key).entry);
}

Value map_get_str(ox_VM *vm, Map *m, Value key) {
  return entry_value(vm, m, map_find_str(vm, m, key));
}

/* ---- growing --------------------------------------------------------------------------------- */

static void map_set_store(ox_VM *vm, Map *m, Store *s) {
  gc_touch(vm->cage, gc_word(vm->cage, m));
  m->h.aux = gc_ref(vm->cage, s).w;
}

/* Makes room for `cap` entries in the store; the entries stay as they are. */
static bool store_grow(ox_VM *vm, Map *m, uint32_t cap) {
  uint32_t words = cap * 2, old = store_cap(vm, m) * 2;
  if (words <= old) return true;
  Store *s = m->h.aux ? map_store(vm, m) : NULL;
  if (s && gc_extend(vm->gc, s, 1 + (uint64_t)words)) {
    gc_touch(vm->cage, gc_word(vm->cage, s));
    gc_touch_range(vm->cage, gc_word(vm->cage, s->items + old), words - old);
  } else {
    Store *fresh = vm_alloc(vm, 1 + (uint64_t)words, KIND_STORE, LAYOUT_WIDE, 0, words);
    if (!fresh) return false;
    if (s) memcpy(fresh->items, s->items, old * sizeof(Value));
    map_set_store(vm, m, fresh);
    if (s) gc_release(vm->gc, s);
    s = fresh;
  }
  s->h.aux = words;
  for (uint32_t i = old; i < words; i++) s->items[i] = V_NIL;
  return true;
}

/* The hash of a key already in a linear map: never a method's. */
static uint32_t linear_hash(ox_VM *vm, Value key) {
  uint32_t hash = 0;
  if (key != V_ABSENT) value_hash(vm, key, &hash);
  return hash;
}

/* Moves the entries down over the holes, writing their hashes to `to`. */
static void squeeze(ox_VM *vm, Map *m, const uint32_t *from, uint32_t *to) {
  Value *items = m->used ? map_entries(vm, m) : NULL;
  uint32_t n = m->used, k = 0;
  if (m->live != n) gc_touch_range(vm->cage, gc_word(vm->cage, items), 2 * (uint64_t)n);
  for (uint32_t i = 0; i < n; i++) {
    Value key = items[2 * (uint64_t)i];
    if (key == V_ABSENT) continue;
    to[k] = from ? from[i] : linear_hash(vm, key);
    if (k != i) {
      items[2 * (uint64_t)k] = key;
      items[2 * (uint64_t)k + 1] = items[2 * (uint64_t)i + 1];
    }
    k++;
  }
  for (uint64_t i = 2 * (uint64_t)k; i < 2 * (uint64_t)n; i++) items[i] = V_NIL;
  m->used = k;
}

/* The free slot for a key. */
static inline uint32_t free_slot(const uint32_t *slots, uint32_t mask, const Key *k) {
  uint32_t i = k->first & mask, then = k->next & mask;
  for (; slots[i] != 0; i = then, then = slot_after(i, k->hash, mask)) continue;
  return i;
}

/* Enters all entries of a map without holes. */
static void fill_slots(ox_VM *vm, Map *m, uint32_t *slots, uint32_t mask, const uint32_t *hashes) {
  const Value *items = m->used ? map_entries(vm, m) : NULL;
  for (uint32_t e = 0; e < m->used; e++) {
    Key k = key_place(vm, items[2 * (uint64_t)e], hashes[e]);
    slots[free_slot(slots, mask, &k)] = (k.hash & ~mask) | (e + 1);
  }
}

/* Squeezes holes out and gives the map an index of so many slots, the present one if that fits. */
static bool map_reindex(ox_VM *vm, Map *m, uint32_t slots) {
  bool indexed = m->index.w != 0, fresh = !indexed || m->mask != slots - 1;
  uint64_t bytes = 4 * ((uint64_t)slots + index_cap(slots));
  Bytes *b = fresh ? bytes_new(vm, bytes) : gc_ptr(vm->cage, m->index);
  if (!b) return false;
  map_touch(vm, m); /* after the allocation: a collection makes clean pages */
  uint32_t *to = (uint32_t *)b->data, *hashes = to + slots;
  if (!fresh) {
    gc_touch_range(vm->cage, gc_word(vm->cage, to), bytes / 8 + 1);
    memset(to, 0, 4 * (uint64_t)slots);
  }
  squeeze(vm, m, indexed ? map_hashes(vm, m) : NULL, hashes);
  fill_slots(vm, m, to, slots - 1, hashes);
  if (fresh && indexed) gc_release(vm->gc, gc_ptr(vm->cage, m->index));
  m->index = gc_ref(vm->cage, b);
  m->mask = slots - 1;
  return true;
}

/* Keys whose hash says where they lie: no strings, numbers, ranges or instances with a method. */
static bool is_hashed_by_place(ox_VM *vm, Value key) {
  if (!v_is_ref(key) || num_is(key) || v_is_string(key) || v_is(key, KIND_RANGE)) return false;
  if (!v_is(key, KIND_INSTANCE)) return true;
  Class *c = gc_ptr(vm->cage, (Ref){((Instance *)vm_deref(vm, key))->h.aux});
  return !(c->flags & (CLASS_HAS_EQ | CLASS_HAS_HASH));
}

bool map_rehash_moved(ox_VM *vm, Value map) {
  Map *m = as_map(vm, map);
  if (!m->index.w) return true;
  uint32_t *hashes = map_hashes(vm, m);
  const Value *items = map_entries(vm, m);
  bool moved = false;
  for (uint32_t i = 0; i < m->used; i++) {
    Value key = items[2 * (uint64_t)i];
    if (key == V_ABSENT || !is_hashed_by_place(vm, key)) continue;
    set_u32(vm, &hashes[i], hash_word(vm, key));
    moved = true;
  }
  return !moved || map_reindex(vm, m, m->mask + 1);
}

static bool map_too_large(ox_VM *vm) {
  vm_throw(vm, ERR_LIMIT, "map too large: more than %u entries", MAP_MAX);
  return false;
}

static uint32_t slots_for(uint32_t entries) {
  uint32_t slots = MAP_INDEX_LEAST;
  while (index_cap(slots) < entries) slots *= 2;
  return slots;
}

/* Room for `cap` entries in all, with an index if `indexed` or if they are many. */
static bool map_reserve(ox_VM *vm, Map *m, uint64_t cap, bool indexed) {
  if (cap > MAP_MAX) return map_too_large(vm);
  if (cap <= MAP_LINEAR && !indexed) return store_grow(vm, m, (uint32_t)cap);
  uint32_t slots = slots_for((uint32_t)cap);
  if (m->index.w && slots < m->mask + 1) slots = m->mask + 1;
  return store_grow(vm, m, index_cap(slots)) && map_reindex(vm, m, slots);
}

static void linear_squeeze(ox_VM *vm, Map *m) {
  uint32_t hashes[MAP_LINEAR];
  uint32_t none[MAP_LINEAR] = {0};
  map_touch(vm, m);
  squeeze(vm, m, none, hashes);
}

/* How many more entries fit without growing. */
static inline uint32_t map_room(ox_VM *vm, Map *m) {
  uint32_t cap = store_cap(vm, m), most = m->index.w ? index_cap(m->mask + 1) : MAP_LINEAR;
  return (cap < most ? cap : most) - m->used;
}

/* Makes room for one more entry, by squeezing out holes where they are a quarter or more. */
static bool map_make_room(ox_VM *vm, Map *m) {
  bool holes = m->live < m->used && m->live <= m->used - m->used / 4;
  if (m->index.w) {
    if (holes) return map_reindex(vm, m, m->mask + 1);
    return map_reserve(vm, m, 2 * (uint64_t)m->used, true);
  }
  if (holes || (m->live < m->used && m->used == MAP_LINEAR)) {
    linear_squeeze(vm, m);
    return true;
  }
  uint32_t cap = m->used < MAP_FIRST ? MAP_FIRST : 2 * m->used;
  return map_reserve(vm, m, cap > MAP_LINEAR && m->used < MAP_LINEAR ? MAP_LINEAR : cap, false);
}

/* Adds an entry that is known not to be there; `slot` is where its lookup ended. */
static inline bool map_append(ox_VM *vm, Map *m, const Key *k, Value value, uint32_t slot) {
  if (map_room(vm, m) == 0) {
    if (!map_make_room(vm, m)) return false;
    if (m->index.w) slot = free_slot(map_slots(vm, m), m->mask, k);
  }
  uint32_t e = m->used;
  Value *pair = map_entries(vm, m) + 2 * (uint64_t)e;
  gc_store(vm->cage, gc_word(vm->cage, pair), k->v);
  gc_store(vm->cage, gc_word(vm->cage, pair + 1), value);
  map_touch(vm, m);
  if (m->index.w) {
    set_u32(vm, map_slots(vm, m) + slot, (k->hash & ~m->mask) | (e + 1));
    set_u32(vm, map_hashes(vm, m) + e, k->hash);
  } else if (k->how >= KEY_CONTENT) {
    m->mask = LINEAR_ODD;
  }
  m->used = e + 1;
  m->live++;
  m->version++;
  return true;
}

static inline bool map_put(ox_VM *vm, Map *m, const Key *k, Found at, Value value) {
  if (at.entry == NOT_FOUND) return map_append(vm, m, k, value, at.slot);
  gc_store(vm->cage, gc_word(vm->cage, map_entries(vm, m) + 2 * (uint64_t)at.entry + 1), value);
  return true;
}

static bool set_other(ox_VM *vm, Map *m, Value key, Value value) {
  Key k;
  Found found;
  if (!key_prepare(vm, key, &k)) return false;
  if (k.how == KEY_METHOD && m->index.w == 0 && !map_reserve(vm, m, MAP_LINEAR + 1, true))
    return false;
  return find_key(vm, m, &k, &found) && map_put(vm, m, &k, found, value);
}

bool map_set(ox_VM *vm, Value map, Value key, Value value) {
  Map *m = as_map(vm, map);
  if (v_is_int(key)) {
    Key k = int_key(vm, key);
    return map_put(vm, m, &k, find_int(vm, m, &k), value);
  }
  String *s = quick_string(vm, key);
  if (!s) return set_other(vm, m, key, value);
  Key k = str_key(key, s);
  return map_put(vm, m, &k, find_str(vm, m, &k), value);
}

static inline bool put_quick(ox_VM *vm, Map *m, const Key *k, Found at, Value value) {
  if (at.entry == NOT_FOUND && map_room(vm, m) == 0) return false;
  return map_put(vm, m, k, at, value);
}

bool map_set_quick(ox_VM *vm, Map *m, Value key, Value value) {
  if (v_is_int(key)) {
    Key k = int_key(vm, key);
    return put_quick(vm, m, &k, find_int(vm, m, &k), value);
  }
  String *s = quick_string(vm, key);
  if (!s) return false;
  Key k = str_key(key, s);
  return put_quick(vm, m, &k, find_str(vm, m, &k), value);
}

/* ---- removing -------------------------------------------------------------------------------- */

/* An emptied map starts afresh, unless clearing its slots would cost more than filling them did. */
static void map_restart(ox_VM *vm, Map *m) {
  if (m->index.w) {
    if (m->used < index_cap(m->mask + 1) / 4) return;
    gc_touch_range(vm->cage, gc_word(vm->cage, map_slots(vm, m)), m->mask / 2 + 1);
    memset(map_slots(vm, m), 0, 4 * ((uint64_t)m->mask + 1));
  } else {
    m->mask = 0;
  }
  Value *items = map_entries(vm, m);
  gc_touch_range(vm->cage, gc_word(vm->cage, items), 2 * (uint64_t)m->used);
  for (uint64_t i = 0; i < 2 * (uint64_t)m->used; i++) items[i] = V_NIL;
  vm_charge(vm, 2 * sizeof(Value) * (uint64_t)m->used);
  m->used = 0;
}

/* Entry n is gone, as are those before. */
static void note_gone(ox_VM *vm, Map *m, uint64_t n) {
  Value *items = map_entries(vm, m);
  while (n < m->used && items[2 * n] == V_ABSENT) n++;
  gc_store(vm->cage, gc_word(vm->cage, items + 1), v_from_int((int64_t)n));
}

Value map_remove(ox_VM *vm, Value map, Value key) {
  Map *m = as_map(vm, map);
  Found found = find_any(vm, m, key);
  if (found.entry == NOT_FOUND) return V_ABSENT;
  Value *pair = map_entries(vm, m) + 2 * (uint64_t)found.entry, gone = pair[1];
  if (v_is_ref(gone) && !vm_root(vm, gone)) return V_ABSENT;
  uint64_t gone_before = map_gone(map_entries(vm, m), m->used);
  gc_store(vm->cage, gc_word(vm->cage, pair), V_ABSENT);
  gc_store(vm->cage, gc_word(vm->cage, pair + 1), V_NIL);
  if (found.entry == gone_before) note_gone(vm, m, gone_before);
  if (m->index.w) {
    uint32_t *slot = map_slots(vm, m) + found.slot;
    set_u32(vm, slot, *slot ^ ~m->mask);
  }
  map_touch(vm, m);
  m->version++;
  if (--m->live == 0) map_restart(vm, m);
  return gone;
}

void map_clear(ox_VM *vm, Value map) {
  Map *m = as_map(vm, map);
  map_touch(vm, m);
  if (m->h.aux) gc_release(vm->gc, map_store(vm, m));
  if (m->index.w) gc_release(vm->gc, gc_ptr(vm->cage, m->index));
  m->h.aux = 0;
  m->index = REF_NULL;
  m->used = m->live = m->mask = 0;
  m->version++;
}

/* ---- making ---------------------------------------------------------------------------------- */

static Value new_of_kind(ox_VM *vm, Kind kind, uint64_t cap) {
  uint8_t layout = LAYOUT_VALUES | LAYOUT_AUX_REF | LAYOUT_PAIRS(1);
  Map *m = vm_alloc(vm, sizeof(Map) / 8, kind, layout, 0, 0);
  if (!m) return V_ERROR;
  m->index = m->reserved = REF_NULL;
  m->used = m->live = m->version = m->mask = 0;
  Value v = v_from_ptr(vm->cage, kind, m);
  if (!vm_root(vm, v)) return V_ERROR;
  return cap == 0 || map_reserve(vm, m, cap, false) ? v : V_ERROR;
}

Value map_new(ox_VM *vm, uint64_t cap) { return new_of_kind(vm, KIND_MAP, cap); }
Value set_new(ox_VM *vm, uint64_t cap) { return new_of_kind(vm, KIND_SET, cap); }

Value map_copy(ox_VM *vm, Value map) {
  Map *from = as_map(vm, map);
  Value copy = new_of_kind(vm, v_kind(map), 0);
  if (copy == V_ERROR) return V_ERROR;
  Map *to = as_map(vm, copy);
  bool indexed = from->index.w != 0;
  if (from->live == 0) return copy;
  vm_charge(vm, from->live * 2 * sizeof(Value));
  if (!map_reserve(vm, to, from->live, indexed)) return V_ERROR;
  Value *items = map_entries(vm, to), *old = map_entries(vm, from);
  uint32_t k = 0;
  map_touch(vm, to);
  gc_touch_range(vm->cage, gc_word(vm->cage, items), 2 * (uint64_t)from->live);
  vm_charge_steps(vm, from->used / 16);
  for (uint32_t i = 0; i < from->used; i++) {
    if (old[2 * (uint64_t)i] == V_ABSENT) continue;
    memcpy(items + 2 * (uint64_t)k, old + 2 * (uint64_t)i, 2 * sizeof(Value));
    if (indexed) map_hashes(vm, to)[k] = map_hashes(vm, from)[i];
    k++;
  }
  to->used = to->live = k;
  if (indexed) fill_slots(vm, to, map_slots(vm, to), to->mask, map_hashes(vm, to));
  else to->mask = from->mask;
  return copy;
}

Value map_from_names(ox_VM *vm, Value names, const Value *values, uint32_t n) {
  Value map = map_new(vm, n);
  for (uint32_t i = 0; map != V_ERROR && i < n; i++) {
    Value name = list_get(vm, names, i);
    if (map_set_quick(vm, as_map(vm, map), name, values[i])) continue;
    if (!map_set(vm, map, name, values[i])) return V_ERROR;
  }
  return map;
}

bool map_next(ox_VM *vm, Map *m, uint32_t *i, Value *key, Value *value) {
  if (*i == 0) *i = (uint32_t)map_gone(m->used ? map_entries(vm, m) : NULL, m->used);
  while (*i < m->used) {
    const Value *pair = map_entries(vm, m) + 2 * (uint64_t)(*i)++;
    if (pair[0] == V_ABSENT) continue;
    *key = pair[0];
    *value = pair[1];
    return true;
  }
  return false;
}
