/* sort.c - a stable natural merge sort.
 *
 * What is sorted are Items: a word to compare by and the position of the element, so that elements
 * are moved once, at the end. The word depends on the keys:
 *   all ints of 48 bits   their encoding, which is ordered as they are
 *   all floats            bits flipped so that they are ordered as unsigned words; nan last, -0.0
 *                         and 0.0 the same word
 *   all strings           the first 8 bytes, big-endian; equal ones are decided by the rest
 *   anything else         nothing: value_compare decides (mixed numbers, lists, instances), and may
 *                         run methods of the program or throw
 * Runs that are in order already, or strictly falling, are found first; short ones are extended to
 * MIN_RUN by insertion. Then neighbouring runs are merged, pass by pass, between two arrays. Many
 * words that are not in order already are sorted by radix instead, byte by byte from the lowest
 * (least significant digit first, so it is stable); bytes that are the same everywhere are skipped.
 *
 * The arrays are a block of the heap: it is counted, and its pages are warm. */
#include "sort.h"

#include "../compare.h"
#include "../list.h"
#include "../number.h"
#include "../str.h"

enum { MIN_RUN = 12, RADIX_FROM = 256, BYTES = 8 };

typedef struct Item {
  uint64_t word;
  uint32_t at;
} Item;

typedef enum Order { BY_WORD, BY_STRING, BY_VALUE } Order;

typedef struct Sorter {
  ox_VM *vm;
  Value keys;         /* a list that nobody else can change */
  Item *items, *spare;
  uint32_t *runs;     /* where each run starts; then n */
  uint32_t n, nruns;
  bool failed;        /* error pending: everything counts as ordered from here on */
} Sorter;

/* ---- comparing ------------------------------------------------------------------------------- */

static Value sort_key(Sorter *s, const Item *item) { return list_get(s->vm, s->keys, item->at); }

static bool string_less(Sorter *s, const Item *a, const Item *b) {
  return string_compare(s->vm, sort_key(s, a), sort_key(s, b)) < 0; /* flat: cannot fail */
}

static bool is_nan(Value v) { return v_is_float(v) && v_float(v) != v_float(v); }

static bool value_less(Sorter *s, const Item *a, const Item *b) {
  Value x = sort_key(s, a), y = sort_key(s, b);
  if (s->failed) return false;
  uint32_t mark = vm_roots_mark(s->vm);
  int order = value_compare(s->vm, x, y);
  vm_roots_reset(s->vm, mark);
  if (order == -3) s->failed = true;
  return order == -1 || (order == 2 && is_nan(y) && !is_nan(x));
}

static inline __attribute__((always_inline)) bool less(Sorter *s, Order order, const Item *a,
                                                       const Item *b) {
  if (order == BY_WORD) return a->word < b->word;
  if (order == BY_VALUE) return value_less(s, a, b);
  return a->word != b->word ? a->word < b->word : string_less(s, a, b);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void reverse_items(Item *from, Item *to) {
  while (from < --to) {
    Item low = *from;
    *from++ = *to;
    *to = low;
  }
}

/* The end of the run that starts at `from`; a falling one is turned round. */
static inline __attribute__((always_inline)) uint32_t find_run(Sorter *s, Order order,
                                                               uint32_t from) {
  Item *a = s->items;
  uint32_t i = from + 1;
  if (i == s->n) return i;
  bool falling = less(s, order, &a[i], &a[from]);
  while (++i < s->n && less(s, order, &a[i], &a[i - 1]) == falling) continue;
  if (falling) reverse_items(a + from, a + i);
  return i;
}

/* Extends the sorted range [from, mid) to [from, to). */
static inline __attribute__((always_inline)) void insert_items(Sorter *s, Order order,
                                                               uint32_t from, uint32_t mid,
                                                               uint32_t to) {
  for (; mid < to; mid++) {
    Item item = s->items[mid];
    uint32_t i = mid;
    for (; i > from && less(s, order, &item, &s->items[i - 1]); i--) s->items[i] = s->items[i - 1];
    s->items[i] = item;
  }
}

static inline __attribute__((always_inline)) void find_runs(Sorter *s, Order order) {
  for (uint32_t i = 0; i < s->n;) {
    s->runs[s->nruns++] = i;
    uint32_t end = find_run(s, order, i), want = s->n - i < MIN_RUN ? s->n : i + MIN_RUN;
    if (end < want) {
      insert_items(s, order, i, end, want);
      end = want;
    }
    i = end;
  }
  s->runs[s->nruns] = s->n;
}

/* ---- merging --------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void merge(Sorter *s, Order order, uint32_t lo,
                                                        uint32_t mid, uint32_t hi) {
  const Item *a = s->items + lo, *b = s->items + mid, *a_end = b, *b_end = s->items + hi;
  Item *out = s->spare + lo;
  while (a < a_end && b < b_end) {
    bool second = less(s, order, b, a); /* without a branch: which of two words is random */
    *out++ = second ? *b : *a;
    b += second;
    a += !second;
  }
  memcpy(out, a, (size_t)(a_end - a) * sizeof *a);
  memcpy(out + (a_end - a), b, (size_t)(b_end - b) * sizeof *b);
}

static inline __attribute__((always_inline)) bool merge_pass(Sorter *s, Order order) {
  uint32_t kept = 0;
  for (uint32_t r = 0; r < s->nruns; r += 2) {
    uint32_t lo = s->runs[r], mid = s->runs[r + 1], hi = r + 1 < s->nruns ? s->runs[r + 2] : mid;
    merge(s, order, lo, mid, hi);
    s->runs[kept++] = lo;
  }
  s->nruns = kept;
  s->runs[kept] = s->n;
  Item *swap = s->items;
  s->items = s->spare;
  s->spare = swap;
  return !s->failed && vm_poll(s->vm, s->n / 64 + 1);
}

static inline __attribute__((always_inline)) bool sort_items(Sorter *s, Order order) {
  find_runs(s, order);
  while (s->nruns > 1)
    if (!merge_pass(s, order)) return false;
  return !s->failed;
}

/* ---- radix ----------------------------------------------------------------------------------- */

static bool in_order(const Sorter *s) {
  uint32_t i = 1;
  while (i < s->n && s->items[i - 1].word <= s->items[i].word) i++;
  return i >= s->n;
}

/* Moves all items to the other array in the order of one byte; `count` says how often each is. */
static void radix_pass(Sorter *s, int byte, const uint32_t count[256]) {
  uint32_t start[256], sum = 0;
  for (int b = 0; b < 256; b++) {
    start[b] = sum;
    sum += count[b];
  }
  for (uint32_t i = 0; i < s->n; i++)
    s->spare[start[s->items[i].word >> (8 * byte) & 0xFF]++] = s->items[i];
  Item *swap = s->items;
  s->items = s->spare;
  s->spare = swap;
}

static bool sort_by_radix(Sorter *s) {
  uint32_t count[BYTES][256] = {{0}};
  for (uint32_t i = 0; i < s->n; i++)
    for (int byte = 0; byte < BYTES; byte++) count[byte][s->items[i].word >> (8 * byte) & 0xFF]++;
  for (int byte = 0; byte < BYTES; byte++)
    if (count[byte][s->items[0].word >> (8 * byte) & 0xFF] < s->n) radix_pass(s, byte, count[byte]);
  return vm_poll(s->vm, s->n / 64 + 1);
}

static bool sort_by_word(Sorter *s) {
  if (s->n < RADIX_FROM) return sort_items(s, BY_WORD);
  return in_order(s) || sort_by_radix(s);
}
static bool sort_by_string(Sorter *s) { return sort_items(s, BY_STRING); }
static bool sort_by_value(Sorter *s) { return sort_items(s, BY_VALUE); }

/* ---- the words ------------------------------------------------------------------------------- */

static uint64_t float_word(Value v) {
  if (v == 0x8000000000000000ull) v = 0; /* -0.0 equals 0.0 */
  return v >> 63 ? ~v : v | 0x8000000000000000ull;
}

static uint64_t string_word(const String *s) {
  uint64_t w = 0;
  memcpy(&w, s->chars, s->h.aux < 8 ? s->h.aux : 8);
  return __builtin_bswap64(w);
}

/* Strings are made flat here, so that comparing them needs no memory. */
static bool string_words(Sorter *s) {
  for (uint32_t i = 0; i < s->n; i++) {
    String *text = string_flat(s->vm, list_get(s->vm, s->keys, i));
    if (!text) return false;
    s->items[i].word = string_word(text);
  }
  return true;
}

/* Fills in the items; false: error pending. */
static bool sort_prepare(Sorter *s, Order *order) {
  uint32_t ints = 0, floats = 0, strings = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    Value key = list_get(s->vm, s->keys, i);
    s->items[i] = (Item){key, i};
    if (v_is_int(key)) ints++;
    else if (v_is_float(key)) floats++;
    else if (v_is_string(key)) strings++;
  }
  *order = ints == s->n || floats == s->n ? BY_WORD : strings == s->n ? BY_STRING : BY_VALUE;
  if (floats == s->n)
    for (uint32_t i = 0; i < s->n; i++) s->items[i].word = float_word(s->items[i].word);
  return *order != BY_STRING || string_words(s);
}

/* ---- sorting lists --------------------------------------------------------------------------- */

bool sort_put_back(ox_VM *vm, Value list, Value items) {
  uint64_t n = list_len(vm, items);
  if (list_len(vm, list) != n) {
    vm_throw(vm, ERR_VALUE, "the list was changed while it was sorted");
    return false;
  }
  if (n == 0) return true;
  Value *to = list_store(vm, as_list(vm, list))->items;
  gc_touch_range(vm->cage, gc_word(vm->cage, to), n);
  memcpy(to, list_store(vm, as_list(vm, items))->items, n * sizeof(Value));
  return true;
}

/* Writes the elements of `from` to a new list in the order found. */
static Value sort_permute(Sorter *s, Value from) {
  Value out = list_from(s->vm, list_store(s->vm, as_list(s->vm, from))->items, s->n);
  if (out == V_ERROR) return V_ERROR;
  Value *to = list_store(s->vm, as_list(s->vm, out))->items;
  const Value *old = list_store(s->vm, as_list(s->vm, from))->items;
  for (uint32_t i = 0; i < s->n; i++) to[i] = old[s->items[i].at]; /* just made: no barrier */
  return out;
}

/* The block with both arrays and the runs; rooted, since methods of the program may run. */
static bool sort_alloc(Sorter *s) {
  uint64_t n = s->n, bytes = 2 * n * sizeof(Item) + (n / MIN_RUN + 3) * sizeof(uint32_t);
  Bytes *block = vm_alloc(s->vm, 1 + (bytes + 7) / 8, KIND_BYTES, LAYOUT_RAW, 0, 0);
  if (!block || !vm_root(s->vm, v_from_ptr(s->vm->cage, KIND_BYTES, block))) return false;
  s->items = (Item *)block->data;
  s->spare = s->items + n;
  s->runs = (uint32_t *)(s->spare + n);
  return true;
}

static bool sort_run(Sorter *s) {
  Order order;
  if (!sort_prepare(s, &order)) return false;
  return order == BY_WORD ? sort_by_word(s) : order == BY_STRING ? sort_by_string(s)
                                                                 : sort_by_value(s);
}

/* Both lists are private copies. The sorted elements as a new list, or V_ERROR. */
static Value sort_copy(ox_VM *vm, Value elements, Value keys) {
  Sorter s = {.vm = vm, .keys = keys, .n = (uint32_t)list_len(vm, keys)};
  if (!sort_alloc(&s)) return V_ERROR;
  void *block = (char *)s.items - sizeof(Header);
  uint32_t mark = vm_roots_mark(vm);
  Borrow borrow = {gc_word(vm->cage, block), gc_block_words(vm->gc, block), vm->borrowed};
  vm->borrowed = &borrow;
  Value out = sort_run(&s) ? sort_permute(&s, elements) : V_ERROR;
  vm->borrowed = borrow.next;
  if (out == V_ERROR) return V_ERROR;
  vm_roots_reset(vm, mark - 1); /* nobody refers to the block any more */
  gc_release(vm->gc, block);
  return vm_root(vm, out) ? out : V_ERROR;
}

bool sort_list_by(ox_VM *vm, Value list, Value keys) {
  uint64_t n = list_len(vm, list);
  if (list_len(vm, keys) != n) {
    vm_throw(vm, ERR_VALUE, "the list was changed while it was sorted");
    return false;
  }
  if (n < 2) return true;
  Value copy = list_slice(vm, list, 0, n);
  Value own = copy == V_ERROR || keys == list ? copy : list_slice(vm, keys, 0, n);
  Value sorted = own == V_ERROR ? V_ERROR : sort_copy(vm, copy, own);
  return sorted != V_ERROR && sort_put_back(vm, list, sorted);
}

bool sort_list(ox_VM *vm, Value list) { return sort_list_by(vm, list, list); }
