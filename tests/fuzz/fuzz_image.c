// fuzz_image.c - images that lie with right checksums.
//
// A small image is made once. The input is a list of edits of 8 bytes each; afterwards all
// checksums are made right again, so that the checks behind them are reached. Half of the edits are
// aimed: at words of code, at saved registers and links of fibers that wait, at the fields of
// objects that the interpreter trusts. Whatever comes out, opening and verifying must end with an
// answer. An image that passes as proven must survive collections, the checker of running heaps,
// and a program that looks at all its data, calls its functions and lets its fibers go on.
#define _GNU_SOURCE
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/loader.h"
#include "tests/image_sums.h"

static const char program[] =
    "import regex, random, math, weak, buddy\n"
    "let numbers = [1, 2.5, 1 << 60, -7, nil, true]\n"
    "let text = \"a string of more than thirty-two bytes, which is not interned by itself\"\n"
    "let rope = text + text + text; let table = {}; let odd = {1.5: 2, [1]: 3}\n"
    "for i in 0..60 { table[\"key\" + str(i)] = [i, {n: i}] }\n"
    "class Animal { name = \"?\"; legs = 4; fn init(name) { self.name = name }; "
    "fn feet() => self.legs * 2 }\n"
    "class Bird : Animal { legs = 2; fn +(other) => self.legs + other.legs }\n"
    "let zoo = [Animal(\"cow\"), Bird(\"owl\")]; let method = zoo[0].feet\n"
    "fn counter() { let n = 0; return fn() { n += 1; return n } }\n"
    "let count = counter(); count()\n"
    "fn walk(xs) { for x in xs { let got = yield x; if got { return got } } }\n"
    "let fib = fiber(fn() { walk([1, 2, 3]) }); fib.next()\n"
    "let word = regex.compile(\"[a-z]+\"); let dice = random.new(5)\n"
    "let caught = nil; try { throw error(\"x\", [1]) } catch e { caught = e }\n"
    "let r = 0..10; let inner = fn(x) => fn(y) => x + y; let add3 = inner(3)\n"
    "let friends = weak.map(); for x in zoo { friends[x] = [x] }; friends.remove(zoo[1]); "
    "let owl = weak.ref(zoo[1])\n"
    "let band = buddy.new(100, 4); let part = band.alloc(10); let other = band.alloc(5); "
    "band.free(other)\n"
    "fn many(a, b = 2, ...rest) { return match a { [x, y] => x + y, {k: v} => v, _ => b } }\n"
    "fn step(x) { yield x; return x }\n"
    "class Slow { a = 1; b = step(2); fn init(x, y = 4) { self.a = step(x) + y }; "
    "fn ==(o) => step(true); fn iter() => [step(7), 8]\n"
    "  fn [](i) => step(i); fn call(x) => step(x) }\n"
    "fn scopes(n) { let all = []; for i in 0..n { let k = i; all.push(fn() { k += 1; "
    "return k }); step(i) }; return all.map(fn(f) => f()) }\n"
    "fn wide() { let last = 0; for i in (1 << 60)..(1 << 60) + 3 { last = step(i) }; "
    "return last }\n"
    "fn guard(x) { let log = []; try { step(1); "
    "throw error(\"x\") } catch e { log.push(step(e.message)) } finally { log.push(x) }; "
    "return log }\n"
    "fn defers() { let log = []; defer log.push(step(1)); step(3); return log }\n"
    "fn nested() { let t = 0; for x in [1, 2] { for k, v in ({a: x}) { t += step(v) } }; "
    "return t }\n"
    "fn spread(...xs) => many(...xs, ...[step(3)])\nfn named() => many(1, b: step(2))\n"
    "fn local(n) { let f = fn(k) => if k == 0 { step(0) } else { 1 + f(k - 1) }; "
    "class In { z = n; fn get() => self.z }; return f(n) + In().get() }\n"
    "fn texts(x) { let s = \"${x} and ${step(x)}\"; return s[0..2] + str(len(s)) }\n"
    "let jobs = [fn() => scopes(3), wide, fn() => guard(2), defers, nested, fn() => spread(1, "
    "2), named, fn() => local(2), fn() => texts(1),\n"
    "  fn() => Slow(1).b, fn() => Slow(1) == 5, fn() { if Slow(2) == 1 { return 2 }; "
    "return 3 }, fn() { for x in Slow(1) { step(x) } }, fn() => Slow(1)[2], fn() => Slow(1)(3),\n"
    "  fn() { let t = 0; for v in fiber(fn() => walk([1, 2])) { t += step(v) }; "
    "return t }, fn() => [1, 2].map(step), fn() => inner(2)(step(3))]\n"
    "let fibers = []; for n in 1..5 { for j in jobs { let f = fiber(j); fibers.push(f); "
    "for i in 0..n { if not f.done { f.next(nil) } } } }\n";
static const char look[] =
    "let all = [numbers, text, len(rope), table, odd, zoo[0].name, zoo[1].legs, str(method), "
    "caught.message,"
    " r, str(word), str(fib), str(dice), str(friends), friends.items(), owl.get(), "
    "band.used_blocks(), band.free_blocks()]\n"
    "friends[all] = 1; let more = []; for i in 0..20 { more.push([i]); friends[more[i]] = i }\n"
    "band.free(part); band.try_alloc(20); band.largest_free()\nlen(str(all))";
static const char go_on[] =
    "for f in fibers { try { while not f.done { f.next(nil) } } catch e { str(e) } }\n"
    "for j in jobs { try { let f = fiber(j); while not f.done { f.next(nil) } } catch e { str(e) "
    "} }\n"
    "for j in jobs { try { j() } catch e { str(e) } }; try { add3(1); count(); many([1, 2]); "
    "many({k: 1}); zoo[1] + zoo[0] } catch e { str(e) }";

enum { EDIT = 8, AIMS_MOST = 1 << 18, STATES = 1 << 10 };
enum { AIM_CODE, AIM_STACK, AIM_OBJECT, AIMS };
static struct {
  uint8_t *bytes;
  size_t size, tables_end;
  int fd;
  char path[64];
} base;
// Words of the file that are worth an edit.
static struct { uint32_t at[AIMS_MOST]; uint32_t count; } aims[AIMS];

// Where a word of the cage lies in the file, 0: nowhere.
static uint32_t place_in_file(uint64_t word) {
  ImageHeader h;
  memcpy(&h, base.bytes, sizeof h);
  const ImageSpan *s = &h.sections[IMAGE_MAPS];
  for (uint64_t i = 0; i < s->bytes / sizeof(ImageMap); i++) {
    ImageMap m;
    memcpy(&m, base.bytes + s->offset + i * sizeof m, sizeof m);
    uint64_t place = IMAGE_CAGE + word / (GC_PAGE / 8);
    if (place < m.place || place >= m.place + (uint64_t)m.count) continue;
    uint64_t at = (m.at + (place - m.place)) * GC_PAGE + word % (GC_PAGE / 8) * 8;
    return at + 8 <= base.size ? (uint32_t)at : 0;
  }
  return 0;
}

static void aim(int kind, uint64_t word, uint64_t n) {
  for (uint64_t i = 0; i < n && aims[kind].count < AIMS_MOST; i++) {
    uint32_t at = place_in_file(word + i);
    if (at) aims[kind].at[aims[kind].count++] = at;
  }
}

static void aim_at(void *ctx, void *block, uint64_t words) {
  ox_VM *vm = ctx;
  const Header *h = block;
  uint64_t word = gc_word(vm->cage, block);
  switch ((Kind)h->kind) {
    case KIND_PROTO: {
      const Proto *p = block;
      aim(AIM_OBJECT, word, 1 + (uint64_t)h->n);
      aim(AIM_CODE, word + p->code / 2, ((uint64_t)p->ncode + 1) / 2);
      if (v_is(p->info, KIND_BYTES)) aim(AIM_OBJECT, v_ref(p->info).w, 8);
      break;
    }
    case KIND_STACK: aim(AIM_STACK, word + 1, 1 + ((const Stack *)block)->used); break;
    case KIND_FIBER: aim(AIM_STACK, word, words); // fall through
    case KIND_CLASS:
    case KIND_CLOSURE:
    case KIND_FRAME:
    case KIND_MODULE:
    case KIND_NATIVE:
    case KIND_INSTANCE: aim(AIM_OBJECT, word, words); break;
    default: break;
  }
}

static void make_base(void) {
  ox_Config config = ox_config();
  config.address_space = 32 << 20;
  ox_VM *vm = ox_new(&config);
  char path[] = "/tmp/oxbow-fuzz-XXXXXX";
  int fd = mkstemp(path);
  if (!vm || fd < 0) fuzz_fail("no VM or no file");
  ox_Value value;
  if (ox_eval(vm, program, sizeof program - 1, "fuzz", &value) != OX_OK)
    fuzz_fail(ox_error(vm)->report);
  if (ox_image_save(vm, path, NULL) != OX_OK) fuzz_fail(ox_error(vm)->report);
  close(fd);
  FILE *f = fopen(path, "rb");
  base.bytes = malloc(4 << 20);
  base.size = f && base.bytes ? fread(base.bytes, 1, 4 << 20, f) : 0;
  if (f) fclose(f);
  unlink(path);
  if (base.size) gc_each(vm->gc, aim_at, vm); // after the collection of saving: the same blocks
  ox_free(vm);
  base.fd = memfd_create("image", 0);
  if (!base.size || base.fd < 0) fuzz_fail("the image cannot be made");
  const ImageSpan *last = &((const ImageHeader *)base.bytes)->sections[IMAGE_SUMS];
  base.tables_end = last->offset + last->bytes;
  snprintf(base.path, sizeof base.path, "/proc/self/fd/%d", base.fd);
}

static const uint64_t interesting[] = {0, 1, ~0ull, 0xFFF9ull << 48, 0xFFFAull << 48, 1ull << 31,
                                       0xFFFFFFFFull, 0xFFFFull << 48, 0x8000, 0x7FFFFFFFFFFFFFFF};

// Where an edit goes: the header, the tables, the states of pages, which come first, the head of
// the heap and its roots, any page, or half of the time what is aimed at.
static size_t place_of(unsigned kind, uint32_t at, const ImageHeader *h, size_t size) {
  size_t tables = h->first_page * (size_t)GC_PAGE;
  switch (kind % 16) {
    case 0: return at % sizeof *h;
    case 1: return GC_PAGE + at % (base.tables_end - GC_PAGE);
    case 2: return tables + at % STATES;
    case 3: return tables + at % (STATES + 8 * GC_PAGE);
    case 4: case 5: case 6: case 7: return tables + at % (size - tables);
    case 8: case 9: case 10: return aims[AIM_CODE].at[at / 8 % aims[AIM_CODE].count] + at % 8;
    case 11: case 12: case 13: return aims[AIM_STACK].at[at / 8 % aims[AIM_STACK].count] + at % 8;
    default: return aims[AIM_OBJECT].at[at / 8 % aims[AIM_OBJECT].count] + at % 8;
  }
}

// One of two instructions becomes another, or gets another's operand.
static void edit_code(uint8_t *image, size_t place, const uint8_t *e, uint32_t at) {
  size_t ins = place & ~(size_t)3;
  switch (e[1] % 4) {
    case 0: image[ins + e[1] / 4 % 4] = e[5] % 24; return;
    case 1: image[ins] = e[5]; return;
    case 2: image[ins + 1 + e[1] / 4 % 3] += (uint8_t)(e[5] % 7 - 3); return;
    default: {
      uint32_t other = (at * 31 + e[5]) % aims[AIM_CODE].count;
      memcpy(image + ins, image + aims[AIM_CODE].at[other] + (e[6] & 4), 4);
    }
  }
}

// Another word of the image.
static uint64_t word_of(const uint8_t *image, size_t place) {
  uint64_t w;
  memcpy(&w, image + (place & ~(size_t)7), 8);
  return w;
}

static void edit(uint8_t *image, size_t size, const uint8_t *e) {
  ImageHeader head;
  memcpy(&head, base.bytes, sizeof head);
  uint32_t at = (uint32_t)e[2] | (uint32_t)e[3] << 8 | (uint32_t)e[4] << 16;
  size_t place = place_of(e[0], at, &head, size), word = place & ~(size_t)7;
  uint32_t other = at * 31 + e[5] * 8u + e[6] * 2048u;
  uint64_t w;
  if (e[0] % 16 >= 8 && e[0] % 16 <= 10) return edit_code(image, place, e, at);
  memcpy(&w, image + word, 8);
  switch (e[1] % 8) {
    case 0: image[place] = e[5]; return;
    case 1: image[place] ^= (uint8_t)(1u << (e[5] & 7)); return;
    case 2: w = interesting[e[5] % (sizeof interesting / sizeof *interesting)]; break;
    case 3: w += (uint64_t)(int8_t)e[5]; break;
    case 4: w += (uint64_t)(int64_t)(int8_t)e[5] << 32; break;
    case 5: w = word_of(image, place_of(4, other, &head, size)); break;
    case 6: w = word_of(image, place_of(e[0], other, &head, size)); break;
    default: w = (w & ~0xFFFFFFFFull) | (uint64_t)e[5] << 8 | e[6]; break;
  }
  memcpy(image + word, &w, 8);
}

static void use(ox_VM *vm, bool has_budget) {
  ox_Value value;
  if (!has_budget) ox_set_fuel(vm, 100000);
  ox_collect(vm);
  const char *damage = ox_verify(vm);
  if (damage) fuzz_fail(damage);
  ox_eval(vm, look, sizeof look - 1, "look", &value);
  fuzz_read_error(vm);
  ox_set_fuel(vm, 100000);
  ox_eval(vm, go_on, sizeof go_on - 1, "go_on", &value);
  fuzz_read_error(vm);
  ox_collect(vm);
  damage = ox_verify(vm);
  if (damage) fuzz_fail(damage);
  ox_free(vm);
}

static unsigned long inputs, passed;
static void tell(void) { fprintf(stderr, "%lu of %lu images passed as proven\n", passed, inputs); }

// Half of the images are opened with a budget, which takes objects in the heap: they must not be
// made before it is proven. So these are opened at once, the others are verified first.
static uint64_t budget_of(const uint8_t *data, size_t size) {
  unsigned sum = 0;
  for (size_t i = 0; i < size; i++) sum += data[i];
  return sum % 2 ? 1 + sum * 37 : 0;
}

static ox_VM *open_image(uint64_t fuel) {
  char message[1024];
  bool ok = fuel || ox_image_verify(base.path, NULL, message, sizeof message);
  ox_Config config = ox_config();
  config.memory_limit = 16 << 20;
  config.fuel = fuel;
  ox_ImageConfig how = {.size = sizeof how, .config = &config, .check = OX_IMAGE_CHECK_ALL};
  ox_VM *vm = ok ? ox_image_open(base.path, &how, NULL, message, sizeof message) : NULL;
  if (getenv("FUZZ_SHOW")) fprintf(stderr, "%s\n", vm ? "proven" : message);
  return vm;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t *image;
  if (!base.bytes) make_base(), atexit(tell);
  inputs++;
  if (!image && !(image = malloc(base.size))) return 0;
  uint64_t fuel = budget_of(data, size);
  memcpy(image, base.bytes, base.size);
  size_t n = base.size;
  for (; size >= EDIT; data += EDIT, size -= EDIT) edit(image, base.size, data);
  sum_anew(image, n);
  if (size == 3 && data[0] & 1) n = (data[1] | (size_t)data[2] << 8) * 7 % n; // cut off
  if (ftruncate(base.fd, 0) || pwrite(base.fd, image, n, 0) != (ssize_t)n) fuzz_fail("no room");
  ox_VM *vm = open_image(fuel);
  if (!vm) return 0;
  passed++;
  use(vm, fuel > 0);
  return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

// One to three edits, and now and then bytes as they come.
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  uint64_t rng = seed * 0x9E3779B97F4A7C15ull + 1;
  unsigned edits = 1 + seed % 3;
  if (seed % 16 == 0) size = LLVMFuzzerMutate(data, size, max_size);
  if (size > 4 * EDIT) size = 0;
  size = size / EDIT * EDIT;
  for (; edits > 0 && size + EDIT <= max_size; edits--, size += EDIT)
    for (int i = 0; i < EDIT; i++) {
      rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
      data[size + (size_t)i] = (uint8_t)(rng >> 24);
    }
  if (seed % 32 != 1 || size + 3 > max_size) return size;
  data[size++] = 1;
  data[size++] = (uint8_t)rng;
  data[size++] = (uint8_t)(rng >> 8);
  return size;
}
