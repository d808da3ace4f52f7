/* str.c - flat strings, ropes, and the byte buffer for building strings in C. Short strings are
 * interned: intern.c.
 *
 * Ropes. a + b longer than ROPE_MIN bytes is a Rope of two halves, so that building a string
 * piece by piece is linear, from either end. The first use of its bytes copies them together
 * once (string_flat) and makes the rope point at the copy alone; the halves become garbage. A
 * rope is always longer than ROPE_MIN, hence never equal to an interned short string. Flattening
 * walks with a stack of its own: the depth of a rope is not bounded by the C stack. */
#include "str.h"

#include <stdarg.h>
#include <stdlib.h>

#include "hash.h"
#include "intern.h"

enum {
  ROPE_MIN = 128,       /* results up to so many bytes are copied at once */
};
_Static_assert((int)ROPE_MIN >= (int)STRING_INTERN_MAX, "a rope never equals an interned string");
_Static_assert(sizeof(String) == 16 && sizeof(Rope) == 16, "object.h describes two words each");

/* ---- hashing --------------------------------------------------------------------------------- */

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

String *string_alloc(ox_VM *vm, uint64_t n, uint16_t flags) {
  uint64_t words = string_block_words(n);
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
  String *s = string_alloc(vm, n, 0);
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

/* ---- interned strings ------------------------------------------------------------------------- */

static inline Value intern_bytes(ox_VM *vm, const char *bytes, uint64_t n) {
  if (n <= 1) return n == 0 ? vm->st->empty_string : string_byte(vm, (uint8_t)*bytes);
  return intern_string(vm, bytes, n);
}

Value string_intern(ox_VM *vm, const char *bytes, uint64_t n) {
  return n > STRING_MAX ? too_long(vm) : intern_bytes(vm, bytes, n);
}

Value string_new(ox_VM *vm, const char *bytes, uint64_t n) {
  return n <= STRING_INTERN_MAX ? intern_bytes(vm, bytes, n) : flat_new(vm, bytes, n);
}

static Value one_byte_string(ox_VM *vm, int b) {
  String *s = string_alloc(vm, b < 0 ? 0 : 1, STRING_INTERNED);
  if (!s) return V_ERROR;
  if (b >= 0) s->chars[0] = (char)b;
  s->hash = hash_bytes(vm->st->hash_seed, s->chars, s->h.aux);
  return v_from_ptr(vm->cage, KIND_STRING, s);
}

bool string_init(ox_VM *vm) {
  VmState *st = vm->st;
  if (!intern_open(vm)) return false;
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
  String *s = string_alloc(vm, rope->h.aux, 0);
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
