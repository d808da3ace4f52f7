/* str.c - flat strings, the intern table, ropes, and the byte buffer for building strings in C.
 *
 * Interning. Every string of at most STRING_INTERN_MAX bytes lives once per VM, so such strings
 * are equal exactly if their refs are: that makes them cheap map keys and field names. The table
 * is open addressing with linear probing over words `hash << 32 | ref`: the hash beside the ref
 * lets a probe pass other strings without reading them, and lets the table be rebuilt without
 * touching any string. It is weak: after marking, string_sweep_table drops what died and closes
 * the gaps in place. After a minor collection only what was added since the last one may have died,
 * and there is a list of that (with 300,000 strings alive, sweeping the whole table each time was
 * 27 % of the instructions of a program that allocates). A string of one byte is never in the table, it comes from VmState.bytes1.
 *
 * Ropes. a + b longer than ROPE_MIN bytes is a Rope of two halves, so that building a string
 * piece by piece is linear, from either end. The first use of its bytes copies them together
 * once (string_flat) and makes the rope point at the copy alone; the halves become garbage. A
 * rope is always longer than ROPE_MIN, hence never equal to an interned short string. Flattening
 * walks with a stack of its own: the depth of a rope is not bounded by the C stack. */
#include "str.h"

#include <stdarg.h>
#include <stdlib.h>

enum {
  ROPE_MIN = 128,       /* results up to so many bytes are copied at once */
  TABLE_MIN = 1024,     /* slots of the intern table at the start */
  NEW_SHARE = 4,        /* of its slots: more strings than that, and it is swept as a whole */
};
_Static_assert((int)ROPE_MIN >= (int)STRING_INTERN_MAX, "a rope never equals an interned string");
_Static_assert(sizeof(String) == 16 && sizeof(Rope) == 16, "object.h describes two words each");

/* ---- hashing --------------------------------------------------------------------------------- */

/* Multiply-and-fold over 16 bytes a step, in the manner of wyhash (Wang Yi, 2019): each 64 x 64 bit
 * product is folded by xor. The seed is the same in all VMs, so that images fit each other and runs
 * can be repeated: keys that collide can be made on purpose. */
static inline uint64_t mix_fold(uint64_t a, uint64_t b) {
  unsigned __int128 p = (unsigned __int128)a * b;
  return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t load8(const char *p) {
  uint64_t w;
  memcpy(&w, p, 8);
  return w;
}

static inline uint64_t load4(const char *p) {
  uint32_t w;
  memcpy(&w, p, 4);
  return w;
}

static inline uint32_t hash_bytes(uint64_t seed, const char *p, uint64_t n) {
  const uint64_t k0 = 0x9E3779B97F4A7C15ull, k1 = 0xD6E8FEB86659FD93ull;
  uint64_t a = 0, b = 0, left = n;
  for (; left > 16; p += 16, left -= 16) seed = mix_fold(load8(p) ^ k1, load8(p + 8) ^ seed);
  if (left >= 8) {
    a = load8(p);
    b = load8(p + left - 8);
  } else if (left >= 4) {
    a = load4(p);
    b = load4(p + left - 4);
  } else if (left > 0) {
    a = (uint64_t)(uint8_t)p[0] << 16 | (uint64_t)(uint8_t)p[left / 2] << 8 | (uint8_t)p[left - 1];
  }
  uint64_t h = mix_fold(a ^ k0 ^ n, b ^ seed ^ k1);
  h ^= h >> 32;
  return (uint32_t)h ? (uint32_t)h : 1; /* 0 stands for "not computed" */
}

uint32_t string_hash(ox_VM *vm, String *s) {
  if (s->hash == 0) {
    uint32_t h = hash_bytes(vm->st->hash_seed, s->chars, s->h.aux);
    gc_touch(vm->cage, gc_word(vm->cage, &s->hash));
    s->hash = h;
  }
  return s->hash;
}

uint32_t string_hash_of(ox_VM *vm, const char *bytes, uint64_t n) {
  return hash_bytes(vm->st->hash_seed, bytes, n);
}

/* ---- flat strings ---------------------------------------------------------------------------- */

static inline uint64_t string_words(uint64_t n) { return 2 + n / 8 + 1; } /* with its NUL */

/* Room for n bytes, hash not computed, unrooted; the last word is cleared, so the NUL is there. */
static String *flat_alloc(ox_VM *vm, uint64_t n, uint16_t flags) {
  uint64_t words = string_words(n);
  vm_charge(vm, n);
  String *s = vm_alloc(vm, words, KIND_STRING, LAYOUT_RAW, flags, (uint32_t)n);
  if (!s) return NULL;
  s->hash = 0;
  s->reserved = 0;
  ((uint64_t *)s)[words - 1] = 0;
  return s;
}

static Value too_long(ox_VM *vm) {
  return vm_throw(vm, ERR_LIMIT, "string too long: more than %llu bytes",
                  (unsigned long long)STRING_MAX);
}

static Value flat_rooted(ox_VM *vm, String *s) {
  Value v = v_from_ptr(vm->cage, KIND_STRING, s);
  return vm_root(vm, v) ? v : V_ERROR;
}

Value string_reserve(ox_VM *vm, uint64_t n, char **out) {
  if (n > STRING_MAX) return too_long(vm);
  String *s = flat_alloc(vm, n, 0);
  if (!s) return V_ERROR;
  *out = s->chars;
  return flat_rooted(vm, s);
}

static Value flat_new(ox_VM *vm, const char *bytes, uint64_t n) {
  char *out;
  Value v = string_reserve(vm, n, &out);
  if (v != V_ERROR) memcpy(out, bytes, n);
  return v;
}

/* ---- the intern table ------------------------------------------------------------------------ */

static inline uint64_t *table_slots(ox_VM *vm) {
  return (uint64_t *)((Bytes *)vm_deref(vm, vm->st->strings))->data;
}

static inline String *slot_string(ox_VM *vm, uint64_t slot) {
  return gc_ptr(vm->cage, (Ref){(uint32_t)slot});
}

/* Equality of n > 1 bytes; short ones by two loads that overlap, as calling memcmp costs more. */
static inline bool same_bytes(const char *a, const char *b, uint64_t n) {
  if (n > 16) return memcmp(a, b, n) == 0;
  if (n >= 8) return ((load8(a) ^ load8(b)) | (load8(a + n - 8) ^ load8(b + n - 8))) == 0;
  if (n >= 4) return ((load4(a) ^ load4(b)) | (load4(a + n - 4) ^ load4(b + n - 4))) == 0;
  return a[0] == b[0] && a[1] == b[1] && a[n - 1] == b[n - 1];
}

/* The interned string with these bytes, or NULL. */
static inline String *table_find(ox_VM *vm, const char *bytes, uint64_t n, uint32_t hash) {
  uint64_t *slots = table_slots(vm), mask = vm->st->strings_cap - 1;
  for (uint64_t i = hash & mask; slots[i] != 0; i = (i + 1) & mask) {
    if ((uint32_t)(slots[i] >> 32) != hash) continue;
    String *s = slot_string(vm, slots[i]);
    if (s->h.aux == n && same_bytes(s->chars, bytes, n)) return s;
  }
  return NULL;
}

static void table_place(ox_VM *vm, uint64_t *slots, uint64_t mask, uint64_t slot) {
  uint64_t i = (slot >> 32) & mask;
  while (slots[i] != 0) i = (i + 1) & mask;
  gc_touch(vm->cage, gc_word(vm->cage, &slots[i]));
  slots[i] = slot;
}

/* A table of `cap` slots with the present strings in it. The allocation may collect and thereby
 * shrink the old table, so that is read only afterwards. */
static bool table_resize(ox_VM *vm, uint64_t cap) {
  Bytes *fresh = bytes_new(vm, cap * 8);
  if (!fresh) return false;
  uint64_t *to = (uint64_t *)fresh->data, old_cap = vm->st->strings_cap;
  if (old_cap) {
    uint64_t *from = table_slots(vm);
    for (uint64_t i = 0; i < old_cap; i++)
      if (from[i]) table_place(vm, to, cap - 1, from[i]);
    gc_release(vm->gc, vm_deref(vm, vm->st->strings));
  }
  gc_store(vm->cage, gc_word(vm->cage, &vm->st->strings), v_from_ptr(vm->cage, KIND_BYTES, fresh));
  vm->st->strings_cap = cap;
  return true;
}

/* Room for one more. Where memory is refused, a table that is fuller than it should be is better
 * than none: with it a program may get as far as to let go of what fills the heap. */
static bool table_grow(ox_VM *vm) {
  VmState *st = vm->st;
  if (st->strings_used * 8 < st->strings_cap * 5) return true;
  bool refused = st->strings_used * 8 > st->strings_cap * 5; /* asked for before: now and then only */
  if (refused && st->strings_used % (st->strings_cap / 16)) return true;
  if (table_resize(vm, st->strings_cap * 2)) return true;
  if (st->strings_used * 16 >= st->strings_cap * 15) return false;
  error_take(vm);
  return true;
}

/* Without memory for the list the next collection looks at the whole table. */
static void note_new(ox_VM *vm, uint32_t ref) {
  NewStrings *n = &vm->new_strings;
  if (n->known && n->count == n->capacity) {
    uint64_t capacity = n->capacity ? 2 * n->capacity : 256;
    uint32_t *refs = realloc(n->refs, capacity * sizeof *refs);
    n->known = refs != NULL;
    if (!refs) return;
    n->refs = refs;
    n->capacity = capacity;
  }
  if (n->known) n->refs[n->count++] = ref;
}

static Value table_add(ox_VM *vm, const char *bytes, uint64_t n, uint32_t hash) {
  if (!table_grow(vm)) return V_ERROR;
  String *s = flat_alloc(vm, n, STRING_INTERNED);
  if (!s) return V_ERROR;
  s->hash = hash;
  memcpy(s->chars, bytes, n);
  uint64_t ref = gc_ref(vm->cage, s).w;
  table_place(vm, table_slots(vm), vm->st->strings_cap - 1, (uint64_t)hash << 32 | ref);
  vm->st->strings_used++;
  note_new(vm, (uint32_t)ref);
  return flat_rooted(vm, s);
}

static inline Value intern_bytes(ox_VM *vm, const char *bytes, uint64_t n) {
  if (n <= 1) return n == 0 ? vm->st->empty_string : string_byte(vm, (uint8_t)*bytes);
  uint32_t hash = hash_bytes(vm->st->hash_seed, bytes, n);
  String *s = table_find(vm, bytes, n, hash);
  if (s) gc_revive(vm->gc, gc_ref(vm->cage, s)); /* the table is weak */
  return s ? flat_rooted(vm, s) : table_add(vm, bytes, n, hash);
}

Value string_intern(ox_VM *vm, const char *bytes, uint64_t n) {
  return n > STRING_MAX ? too_long(vm) : intern_bytes(vm, bytes, n);
}

Value string_new(ox_VM *vm, const char *bytes, uint64_t n) {
  return n <= STRING_INTERN_MAX ? intern_bytes(vm, bytes, n) : flat_new(vm, bytes, n);
}

/* Takes every slot of one cluster out and puts the living back at or before its place. Starting
 * behind an empty slot, an entry can only move towards its home, never over one not yet seen. */
static void sweep_whole(ox_VM *vm) {
  uint64_t cap = vm->st->strings_cap;
  if (cap == 0) return;
  uint64_t *slots = table_slots(vm), mask = cap - 1, start = 0;
  while (slots[start] != 0) start++; /* the load factor guarantees an empty slot */
  for (uint64_t step = 1; step <= cap; step++) {
    uint64_t i = (start + step) & mask, slot = slots[i];
    if (slot == 0) continue;
    bool live = gc_is_marked(vm->gc, (Ref){(uint32_t)slot});
    uint64_t to = (slot >> 32) & mask;
    while (live && to != i && slots[to] != 0) to = (to + 1) & mask;
    if (live && to == i) continue;
    gc_touch(vm->cage, gc_word(vm->cage, &slots[i]));
    slots[i] = 0;
    if (live) table_place(vm, slots, mask, slot);
    else vm->st->strings_used--;
  }
}

/* Empties slot `hole`: entries behind it that may lie there move up. */
static void table_close_gap(ox_VM *vm, uint64_t *slots, uint64_t mask, uint64_t hole) {
  for (uint64_t i = (hole + 1) & mask; slots[i] != 0; i = (i + 1) & mask) {
    uint64_t home = slots[i] >> 32;
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    gc_touch(vm->cage, gc_word(vm->cage, &slots[hole]));
    slots[hole] = slots[i];
    hole = i;
  }
  gc_touch(vm->cage, gc_word(vm->cage, &slots[hole]));
  slots[hole] = 0;
  vm->st->strings_used--;
}

/* A dead string, which can still be read. */
static void table_drop(ox_VM *vm, uint32_t ref) {
  uint64_t *slots = table_slots(vm), mask = vm->st->strings_cap - 1;
  uint64_t slot = (uint64_t)slot_string(vm, ref)->hash << 32 | ref, i = (slot >> 32) & mask;
  while (slots[i] != slot) i = (i + 1) & mask;
  table_close_gap(vm, slots, mask, i);
}

static void sweep_new(ox_VM *vm) {
  const NewStrings *n = &vm->new_strings;
  for (uint64_t i = 0; i < n->count; i++)
    if (!gc_is_marked(vm->gc, (Ref){n->refs[i]})) table_drop(vm, n->refs[i]);
}

void string_sweep_table(ox_VM *vm) {
  NewStrings *n = &vm->new_strings;
  bool few = n->known && n->count < vm->st->strings_cap / NEW_SHARE;
  if (few && gc_is_minor(vm->gc)) sweep_new(vm);
  else sweep_whole(vm);
  n->count = 0;
  n->known = true;
}

void string_close(ox_VM *vm) { free(vm->new_strings.refs); }

bool string_is_interned(ox_VM *vm, const String *s) {
  const uint64_t *slots = table_slots(vm), mask = vm->st->strings_cap - 1;
  uint64_t want = (uint64_t)s->hash << 32 | gc_ref(vm->cage, s).w;
  for (uint64_t i = s->hash & mask; slots[i]; i = (i + 1) & mask)
    if (slots[i] == want) return true;
  return false;
}

static Value one_byte_string(ox_VM *vm, int b) {
  String *s = flat_alloc(vm, b < 0 ? 0 : 1, STRING_INTERNED);
  if (!s) return V_ERROR;
  if (b >= 0) s->chars[0] = (char)b;
  s->hash = hash_bytes(vm->st->hash_seed, s->chars, s->h.aux);
  return v_from_ptr(vm->cage, KIND_STRING, s);
}

bool string_init(ox_VM *vm) {
  VmState *st = vm->st;
  st->strings_used = st->strings_cap = 0;
  st->strings = V_NIL;
  if (!table_resize(vm, TABLE_MIN)) return false;
  for (int b = 0; b < 256; b++) st->bytes1[b] = V_NIL;
  st->empty_string = one_byte_string(vm, -1);
  for (int b = 0; b < 256; b++) {
    st->bytes1[b] = one_byte_string(vm, b);
    if (st->bytes1[b] == V_ERROR) return false;
  }
  return st->empty_string != V_ERROR;
}

/* ---- ropes ----------------------------------------------------------------------------------- */

typedef struct Piece { Header *node; uint64_t at; } Piece; /* node's bytes belong at out + at */
typedef struct PieceStack { ox_VM *vm; Piece *items; size_t n, cap; } PieceStack;

static bool piece_push(PieceStack *stack, Header *node, uint64_t at) {
  if (stack->n == stack->cap) {
    size_t cap = stack->cap ? stack->cap * 2 : 64;
    Piece *items = vm_realloc(stack->vm, stack->items, cap * sizeof *items);
    if (!items) return false;
    stack->items = items;
    stack->cap = cap;
  }
  stack->items[stack->n++] = (Piece){node, at};
  return true;
}

/* The node itself, or the flat string that a flattened rope stands for. */
static inline Header *piece_resolve(ox_VM *vm, Ref r) {
  Header *h = gc_ptr(vm->cage, r);
  if (h->kind == KIND_ROPE && ((Rope *)h)->right.w == 0) h = gc_ptr(vm->cage, ((Rope *)h)->left);
  return h;
}

static inline void piece_copy(char *out, const Header *h) {
  memcpy(out, ((const String *)h)->chars, h->aux);
}

/* Writes the bytes of a rope to out. One half is nearly always flat: it is copied and the walk goes
 * on in the other, without the stack. */
static bool rope_write(ox_VM *vm, Header *node, char *out) {
  PieceStack stack = {.vm = vm};
  uint64_t at = 0;
  bool ok = true;
  for (;;) {
    if (node->kind == KIND_STRING) {
      piece_copy(out + at, node);
      if (stack.n == 0) break;
      Piece next = stack.items[--stack.n];
      node = next.node;
      at = next.at;
      continue;
    }
    Header *left = piece_resolve(vm, ((Rope *)node)->left);
    Header *right = piece_resolve(vm, ((Rope *)node)->right);
    uint64_t mid = at + left->aux;
    node = left;
    if (right->kind == KIND_STRING) {
      piece_copy(out + mid, right);
    } else if (left->kind == KIND_STRING) {
      piece_copy(out + at, left);
      node = right;
      at = mid;
    } else if (!piece_push(&stack, right, mid)) {
      ok = false;
      break;
    }
  }
  vm_release(stack.items);
  return ok;
}

static String *rope_flatten(ox_VM *vm, Rope *rope) {
  uint32_t mark = vm_roots_mark(vm);
  String *s = flat_alloc(vm, rope->h.aux, 0);
  if (!s || !vm_root(vm, v_from_ptr(vm->cage, KIND_STRING, s))) return NULL;
  bool written = rope_write(vm, &rope->h, s->chars);
  vm_roots_reset(vm, mark);
  if (!written) {
    vm_throw_oom(vm);
    return NULL;
  }
  gc_touch(vm->cage, gc_word(vm->cage, &rope->left));
  rope->left = gc_ref(vm->cage, s);
  rope->right = REF_NULL;
  return s;
}

String *string_flat(ox_VM *vm, Value v) {
  if (v_is(v, KIND_STRING)) return vm_deref(vm, v);
  Rope *rope = vm_deref(vm, v);
  return rope->right.w == 0 ? gc_ptr(vm->cage, rope->left) : rope_flatten(vm, rope);
}

uint64_t string_len(ox_VM *vm, Value v) { return ((Header *)vm_deref(vm, v))->aux; }

/* The value of a flat string behind a flattened rope, so that the rope itself can die. */
static Value rope_unwrap(ox_VM *vm, Value v) {
  if (!v_is(v, KIND_ROPE)) return v;
  Rope *rope = vm_deref(vm, v);
  return rope->right.w == 0 ? v_from_ref(KIND_STRING, rope->left) : v;
}

static Value rope_new(ox_VM *vm, Value a, Value b, uint32_t len) {
  Ref left = v_ref(rope_unwrap(vm, a)), right = v_ref(rope_unwrap(vm, b));
  Rope *rope = vm_alloc(vm, 2, KIND_ROPE, LAYOUT_VALUES | LAYOUT_PAIRS(1), 0, len);
  if (!rope) return V_ERROR;
  rope->left = left;
  rope->right = right;
  Value v = v_from_ptr(vm->cage, KIND_ROPE, rope);
  return vm_root(vm, v) ? v : V_ERROR;
}

Value string_concat(ox_VM *vm, Value a, Value b) {
  uint64_t na = string_len(vm, a), nb = string_len(vm, b), n = na + nb;
  if (na == 0) return b;
  if (nb == 0) return a;
  if (n > STRING_MAX) return too_long(vm);
  if (n > ROPE_MIN) return rope_new(vm, a, b, (uint32_t)n);
  const char *pa = ((String *)vm_deref(vm, a))->chars; /* no rope is as short as these */
  const char *pb = ((String *)vm_deref(vm, b))->chars;
  char small[STRING_INTERN_MAX], *out = small;
  Value v = V_NIL;
  if (n > STRING_INTERN_MAX && (v = string_reserve(vm, n, &out)) == V_ERROR) return V_ERROR;
  memcpy(out, pa, na);
  memcpy(out + na, pb, nb);
  return v == V_NIL ? intern_bytes(vm, small, n) : v;
}

/* ---- small services -------------------------------------------------------------------------- */

Value string_from_c(ox_VM *vm, const char *text) { return string_new(vm, text, strlen(text)); }

Value string_slice(ox_VM *vm, Value v, uint64_t from, uint64_t to) {
  if (to - from == string_len(vm, v)) return v;
  String *s = string_flat(vm, v);
  return s ? string_new(vm, s->chars + from, to - from) : V_ERROR;
}

bool string_equal(ox_VM *vm, Value a, Value b) {
  if (a == b) return true;
  uint64_t n = string_len(vm, a);
  if (n != string_len(vm, b) || n <= STRING_INTERN_MAX) return false;
  String *sa = string_flat(vm, a), *sb = sa ? string_flat(vm, b) : NULL;
  if (!sb) return false;
  if (sa == sb) return true;
  if (sa->hash && sb->hash && sa->hash != sb->hash) return false;
  vm_charge(vm, n);
  return memcmp(sa->chars, sb->chars, n) == 0;
}

int string_compare(ox_VM *vm, Value a, Value b) {
  String *sa = string_flat(vm, a), *sb = sa ? string_flat(vm, b) : NULL;
  if (!sb || sa == sb) return 0;
  uint32_t na = sa->h.aux, nb = sb->h.aux;
  vm_charge(vm, na < nb ? na : nb);
  int c = memcmp(sa->chars, sb->chars, na < nb ? na : nb);
  return c ? c : (na > nb) - (na < nb);
}

/* ---- Buf ------------------------------------------------------------------------------------- */

void buf_init(Buf *b, ox_VM *vm) {
  b->vm = vm;
  b->data = b->small;
  b->len = 0;
  b->cap = sizeof b->small;
  b->failed = false;
}

/* The buffer's memory beyond its own small array counts against the VM's limit. */
static bool buf_grow(Buf *b, size_t extra) {
  size_t need, cap = b->cap;
  if (b->failed) return false;
  b->failed = true;
  if (__builtin_add_overflow(b->len, extra, &need) || need > STRING_MAX) {
    too_long(b->vm);
    return false;
  }
  while (cap < need) cap *= 2;
  int64_t growth = (int64_t)(cap - (b->data == b->small ? 0 : b->cap));
  vm_charge(b->vm, (uint64_t)growth);
  if (!gc_external(b->vm->gc, growth)) {
    vm_throw_oom(b->vm);
    return false;
  }
  char *data = realloc(b->data == b->small ? NULL : b->data, cap);
  if (!data) {
    gc_external(b->vm->gc, -growth);
    vm_throw_oom(b->vm);
    return false;
  }
  if (b->data == b->small) memcpy(data, b->small, b->len);
  b->data = data;
  b->cap = cap;
  b->failed = false;
  vm_charge(b->vm, cap);
  return true;
}

void buf_add(Buf *b, const char *bytes, size_t n) {
  if (n > b->cap - b->len && !buf_grow(b, n)) return;
  if (n) memcpy(b->data + b->len, bytes, n);
  b->len += n;
}

void buf_puts(Buf *b, const char *text) { buf_add(b, text, strlen(text)); }

void buf_putc(Buf *b, char c) {
  if (b->len == b->cap && !buf_grow(b, 1)) return;
  b->data[b->len++] = c;
}

static void buf_vprintf(Buf *b, const char *fmt, va_list ap) {
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  if (n >= 0 && ((size_t)n < b->cap - b->len || buf_grow(b, (size_t)n + 1))) {
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
    b->len += (size_t)n;
  }
  va_end(again);
}

void buf_printf(Buf *b, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  buf_vprintf(b, fmt, ap);
  va_end(ap);
}

void buf_free(Buf *b) {
  if (b->data != b->small) {
    gc_external(b->vm->gc, -(int64_t)b->cap);
    free(b->data);
  }
  b->data = b->small;
  b->len = 0;
  b->cap = sizeof b->small;
}

Value buf_finish(Buf *b) {
  Value v = b->failed ? V_ERROR : string_new(b->vm, b->data, b->len);
  buf_free(b);
  return v;
}

Value string_format(ox_VM *vm, const char *fmt, ...) {
  Buf b;
  buf_init(&b, vm);
  va_list ap;
  va_start(ap, fmt);
  buf_vprintf(&b, fmt, ap);
  va_end(ap);
  return buf_finish(&b);
}
