/* random.c - the module `random`.
 *
 * The generator is PCG64 DXSM (O'Neill 2014 and 2019): a 128-bit linear congruential generator
 * whose state is scrambled on output. Its state is kept as four words of 32 bits each, because
 * the words of the VM's root area are scanned as values and a small word is never taken for a
 * reference. The default generator lies there (VmState.rng), others in a Bytes behind an
 * instance: in the cage either way, so that a rolled-back program draws the same numbers again.
 * All zero: not seeded yet. */
#include "../../gc/os.h"
#include "lib.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

typedef unsigned __int128 u128;

enum { RNG_WORDS = 4 };

extern const ModuleDef module_random_generator;
static const LibClass generator_class = {
    "random.Generator", LIB_RANDOM_CLASS, &module_random_generator, 0, 1, {NULL}};

/* ---- the generator ------------------------------------------------------------------------- */

static u128 state_load(const uint64_t *w) {
  return (u128)w[3] << 96 | (u128)w[2] << 64 | (u128)w[1] << 32 | w[0];
}

static void state_store(uint64_t *w, u128 s) {
  if (!s) s = 1;
  for (int i = 0; i < RNG_WORDS; i++) w[i] = (uint32_t)(s >> (32 * i));
}

static uint64_t mix(uint64_t x) { /* splitmix64's finisher: spreads nearby seeds apart */
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

static void rng_seed(uint64_t *w, uint64_t seed) {
  const uint64_t golden = 0x9E3779B97F4A7C15u;
  state_store(w, (u128)mix(seed + golden) << 64 | mix(seed + 2 * golden));
}

static void rng_seed_from_system(uint64_t *w) {
  uint64_t noise[2];
  if (getrandom(noise, sizeof noise, GRND_NONBLOCK) != (ssize_t)sizeof noise) {
    noise[0] = mix(os_now_ns() ^ (uint64_t)time(NULL) << 32);
    noise[1] = mix(noise[0] ^ (uint64_t)getpid() ^ (uint64_t)(uintptr_t)w);
  }
  state_store(w, (u128)noise[1] << 64 | noise[0]);
}

static uint64_t rng_next(uint64_t *w) {
  const uint64_t multiplier = 0xDA942042E4DD58B5u;
  const u128 increment = (u128)0x5851F42D4C957F2Du << 64 | 0x14057B7EF767814Fu;
  u128 s = state_load(w);
  uint64_t high = (uint64_t)(s >> 64), low = (uint64_t)s | 1;
  state_store(w, s * multiplier + increment);
  high ^= high >> 32;
  high *= multiplier;
  high ^= high >> 48;
  return high * low;
}

/* A number in 0 .. n - 1, each equally likely; n = 0 means 2^64 (Lemire 2019: the high half of a
 * product, drawn again in the few cases that would favour some numbers). */
static uint64_t rng_below(uint64_t *w, uint64_t n) {
  if (!n) return rng_next(w);
  u128 product = (u128)rng_next(w) * n;
  if ((uint64_t)product < n) {
    uint64_t unfair = (0 - n) % n;
    while ((uint64_t)product < unfair) product = (u128)rng_next(w) * n;
  }
  return (uint64_t)(product >> 64);
}

static double rng_float(uint64_t *w) { return (double)(rng_next(w) >> 11) * 0x1p-53; }

/* ---- which generator ----------------------------------------------------------------------- */

/* Functions of the module draw from the default generator (self < 0), methods from args[self]. The
 * words are ready to be written until the next allocation. NULL: error pending. */
static uint64_t *generator(ox_VM *vm, Value *args, int self) {
  uint64_t *w = vm->st->rng;
  if (self >= 0) {
    Instance *instance = lib_check(vm, args[self], &generator_class, "self");
    if (!instance) return NULL;
    w = (uint64_t *)((Bytes *)vm_deref(vm, instance->fields[0]))->data;
    gc_touch_range(vm->cage, gc_word(vm->cage, w), RNG_WORDS);
  }
  if (!(w[0] | w[1] | w[2] | w[3])) rng_seed_from_system(w);
  return w;
}

static Value seed_with(ox_VM *vm, uint64_t *w, Value seed, const char *what) {
  int64_t n;
  if (seed == V_ABSENT || seed == V_NIL) {
    rng_seed_from_system(w);
    return V_NIL;
  }
  if (!arg_int(vm, seed, what, &n)) return V_ERROR;
  rng_seed(w, (uint64_t)n);
  return V_NIL;
}

static Value random_new(ox_VM *vm, Value *args, int nargs) {
  uint64_t state[RNG_WORDS];
  (void)nargs;
  if (seed_with(vm, state, args[0], "seed of random.new") == V_ERROR) return V_ERROR;
  Value made = lib_instance(vm, &generator_class);
  if (made == V_ERROR) return V_ERROR;
  Bytes *bytes = bytes_new(vm, sizeof state);
  if (!bytes) return V_ERROR;
  memcpy(bytes->data, state, sizeof state);
  lib_set_slot(vm, vm_deref(vm, made), 0, v_from_ptr(vm->cage, KIND_BYTES, bytes));
  return made;
}

/* ---- drawing: self is -1 for the module's functions, 0 for methods ------------------------- */

static Value draw_int(ox_VM *vm, Value *args, int self) {
  int64_t low, high;
  if (!arg_int(vm, args[self + 1], "low", &low)) return V_ERROR;
  if (!arg_int(vm, args[self + 2], "high", &high)) return V_ERROR;
  if (low > high) return vm_throw(vm, ERR_VALUE, "random int: low must not be above high");
  uint64_t *w = generator(vm, args, self);
  if (!w) return V_ERROR;
  uint64_t n = rng_below(w, (uint64_t)high - (uint64_t)low + 1);
  return num_from_int(vm, (int64_t)((uint64_t)low + n));
}

static Value draw_float(ox_VM *vm, Value *args, int self) {
  uint64_t *w = generator(vm, args, self);
  return w ? v_from_float(rng_float(w)) : V_ERROR;
}

/* One normally distributed number (Marsaglia's polar method, without its second number). */
static Value draw_gauss(ox_VM *vm, Value *args, int self) {
  double mean = 0, dev = 1, x, y, s;
  Value *given = args + self + 1;
  if (arg_given(given, 0) && !arg_number(vm, given[0], "mean", &mean)) return V_ERROR;
  if (arg_given(given, 1) && !arg_number(vm, given[1], "dev", &dev)) return V_ERROR;
  uint64_t *w = generator(vm, args, self);
  if (!w) return V_ERROR;
  do {
    x = 2 * rng_float(w) - 1;
    y = 2 * rng_float(w) - 1;
    s = x * x + y * y;
  } while (s >= 1 || s == 0);
  return v_from_float(mean + dev * x * sqrt(-2 * log(s) / s));
}

static Value nothing(ox_VM *vm) {
  return vm_throw(vm, ERR_VALUE, "random choice: the list or range is empty");
}

static Value choose_int(ox_VM *vm, Value *args, int self, const Range *range) {
  int64_t start = num_int(vm, range->start), end = num_int(vm, range->end);
  bool inclusive = range->h.aux;
  if (inclusive ? start > end : start >= end) return nothing(vm);
  uint64_t *w = generator(vm, args, self);
  if (!w) return V_ERROR;
  uint64_t n = rng_below(w, (uint64_t)end - (uint64_t)start + inclusive);
  return num_from_int(vm, (int64_t)((uint64_t)start + n));
}

static Value draw_choice(ox_VM *vm, Value *args, int self) {
  Value list = args[self + 1];
  if (v_is(list, KIND_RANGE)) return choose_int(vm, args, self, vm_deref(vm, list));
  if (!v_is(list, KIND_LIST)) list = list_from_iterable(vm, list, "the argument of choice");
  if (list == V_ERROR) return V_ERROR;
  if (!list_len(vm, list)) return nothing(vm);
  uint64_t *w = generator(vm, args, self);
  return w ? list_get(vm, list, rng_below(w, list_len(vm, list))) : V_ERROR;
}

static void swap_items(ox_VM *vm, Value list, uint64_t i, uint64_t j) {
  Value a = list_get(vm, list, i);
  list_set(vm, list, i, list_get(vm, list, j));
  list_set(vm, list, j, a);
}

/* Fisher and Yates' shuffle of the first k places: each gets one of those at or behind it. */
static bool shuffle_front(ox_VM *vm, Value *args, int self, Value list, uint64_t k) {
  uint64_t n = list_len(vm, list);
  for (uint64_t i = 0; i < k && i + 1 < n; i++) {
    if ((i & 1023) == 1023 && !vm_poll(vm, 1024)) return false;
    uint64_t *w = generator(vm, args, self);
    if (!w) return false;
    swap_items(vm, list, i, i + rng_below(w, n - i));
  }
  return true;
}

static Value draw_shuffle(ox_VM *vm, Value *args, int self) {
  Value list = args[self + 1];
  if (!arg_kind(vm, list, KIND_LIST, "the argument of shuffle")) return V_ERROR;
  return shuffle_front(vm, args, self, list, list_len(vm, list)) ? V_NIL : V_ERROR;
}

static Value too_few(ox_VM *vm, uint64_t k, uint64_t n) {
  return vm_throw(vm, ERR_VALUE, "random sample: %llu wanted of %llu", (unsigned long long)k,
                  (unsigned long long)n);
}

/* k different ints of the n from `start` on, by Floyd's algorithm (1987): without making all of
 * them. `chosen` is a set. */
static bool choose_ints(ox_VM *vm, Value *args, int self, int64_t start, uint64_t n, uint64_t k,
                        Value chosen) {
  uint32_t mark = vm_roots_mark(vm);
  for (uint64_t last = n - k; last < n; last++) {
    uint64_t *w = generator(vm, args, self);
    if (!w) return false;
    Value v = num_from_int(vm, (int64_t)((uint64_t)start + rng_below(w, last + 1)));
    if (v == V_ERROR) return false;
    if (map_find(vm, chosen, v) != UINT32_MAX)
      v = num_from_int(vm, (int64_t)((uint64_t)start + last));
    if (v == V_ERROR || !map_set(vm, chosen, v, V_TRUE)) return false;
    vm_roots_reset(vm, mark);
    if ((last & 1023) == 1023 && !vm_poll(vm, 1024)) return false;
  }
  return true;
}

/* A sample of a long range; V_ABSENT, nothing pending: make a list of it instead. */
static Value sample_range(ox_VM *vm, Value *args, int self, const Range *range, uint64_t k) {
  int64_t start = num_int(vm, range->start), end = num_int(vm, range->end);
  if (start >= end) return V_ABSENT;
  uint64_t n = (uint64_t)end - (uint64_t)start;
  if (range->h.aux && n < UINT64_MAX) n++;
  if (k > n) return too_few(vm, k, n);
  if (n < 64 || n / 8 < k) return V_ABSENT;
  Value chosen = set_new(vm, k);
  if (chosen == V_ERROR || !choose_ints(vm, args, self, start, n, k, chosen)) return V_ERROR;
  Value list = list_from_iterable(vm, chosen, "the argument of sample");
  if (list == V_ERROR || !shuffle_front(vm, args, self, list, k)) return V_ERROR;
  return list;
}

static Value draw_sample(ox_VM *vm, Value *args, int self) {
  uint64_t k;
  if (!arg_index(vm, args[self + 2], "k of sample", &k)) return V_ERROR;
  Value all = args[self + 1];
  if (v_is(all, KIND_RANGE)) {
    Value list = sample_range(vm, args, self, vm_deref(vm, all), k);
    if (list != V_ABSENT || error_pending(vm)) return list;
  }
  if (!v_is(all, KIND_LIST)) all = list_from_iterable(vm, all, "the argument of sample");
  if (all == V_ERROR) return V_ERROR;
  uint64_t n = list_len(vm, all);
  if (k > n) return too_few(vm, k, n);
  Value copy = list_slice(vm, all, 0, n);
  if (copy == V_ERROR || !shuffle_front(vm, args, self, copy, k)) return V_ERROR;
  list_truncate(vm, copy, k);
  return copy;
}

static Value draw_seed(ox_VM *vm, Value *args, int self) {
  uint64_t *w = generator(vm, args, self);
  return w ? seed_with(vm, w, args[self + 1], "seed") : V_ERROR;
}

#define DRAW(name)                                                         \
  static Value random_##name(ox_VM *vm, Value *args, int nargs) {          \
    (void)nargs;                                                           \
    return draw_##name(vm, args, -1);                                      \
  }                                                                        \
  static Value generator_##name(ox_VM *vm, Value *args, int nargs) {       \
    (void)nargs;                                                           \
    return draw_##name(vm, args, 0);                                       \
  }
DRAW(int)
DRAW(float)
DRAW(gauss)
DRAW(choice)
DRAW(shuffle)
DRAW(sample)
DRAW(seed)

static Value generator_str(ox_VM *vm, Value *args, int nargs) {
  (void)args, (void)nargs;
  return string_from_c(vm, "<random generator>");
}

#define INT_DOC "An int from low to high, both included, each equally likely."
#define FLOAT_DOC "A float from 0.0 up to but not including 1.0."
#define GAUSS_DOC "A normally distributed float with the given mean and standard deviation."
#define CHOICE_DOC "One element of a list, range or other iterable, each equally likely."
#define SHUFFLE_DOC "Puts the elements of a list into random order, in place."
#define SAMPLE_DOC "A list of k different elements in random order; throws if there are fewer."
#define SEED_DOC \
  "Starts the generator anew: the same int gives the same numbers, nil takes one from the system."

static const NativeDef generator_defs[] = {
    NATIVE("int", generator_int, "int(self, low, high) -> int", INT_DOC),
    NATIVE("float", generator_float, "float(self) -> float", FLOAT_DOC),
    NATIVE("gauss", generator_gauss, "gauss(self, mean = 0, dev = 1) -> float", GAUSS_DOC),
    NATIVE("choice", generator_choice, "choice(self, xs)", CHOICE_DOC),
    NATIVE("shuffle", generator_shuffle, "shuffle(self, list)", SHUFFLE_DOC),
    NATIVE("sample", generator_sample, "sample(self, xs, k) -> list", SAMPLE_DOC),
    NATIVE("seed", generator_seed, "seed(self, n = nil)", SEED_DOC),
    NATIVE("str", generator_str, "str(self) -> string", "How the generator prints."),
};

const ModuleDef module_random_generator = {
    "random.Generator", "Generators of their own, made by random.new.", generator_defs,
    LIB_COUNT(generator_defs), -1, NULL};

static const NativeDef random_defs[] = {
    NATIVE("int", random_int, "int(low, high) -> int", INT_DOC),
    NATIVE("float", random_float, "float() -> float", FLOAT_DOC),
    NATIVE("gauss", random_gauss, "gauss(mean = 0, dev = 1) -> float", GAUSS_DOC),
    NATIVE("choice", random_choice, "choice(xs)", CHOICE_DOC),
    NATIVE("shuffle", random_shuffle, "shuffle(list)", SHUFFLE_DOC),
    NATIVE("sample", random_sample, "sample(xs, k) -> list", SAMPLE_DOC),
    NATIVE("seed", random_seed, "seed(n = nil)", SEED_DOC),
    NATIVE("new", random_new, "new(seed = nil) -> random.Generator",
           "A generator of its own with the same functions, from a seed or the system's noise."),
};

const ModuleDef module_random = {
    "random",
    "Random numbers (PCG64 DXSM, not for secrets): one generator to start with, seeded by the "
    "system, and others by random.new; rolled back with the program's state.",
    random_defs, LIB_COUNT(random_defs), -1, NULL};
