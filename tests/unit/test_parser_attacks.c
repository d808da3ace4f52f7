/* The front half of lang/ under attack: nesting, long chains, broken bytes, texts cut anywhere,
 * random changes, and memory that runs out at any point. Nothing may crash, hang, or be accepted
 * without being sound; run it under the sanitizers as well. */
#include <criterion/criterion.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>

#include "lang_helpers.h"
#include "sanitized.h"

/* A text that uses each construct of the language. */
static const char sample[] =
    "#!/usr/bin/env oxbow\n"
    "# All there is.\n\n"
    "import math\nimport \"lib/geo\" as geo\nfrom math import sin, pi as half\n"
    "export const limit = 0xFF + 1_000 - 0b11 * 0o17\n"
    "let [first, [second, third = 2], ...rest] = [1, [2], ...more, 3]\n"
    "let {name, age: years = 0, \"odd key\": odd, ...others} = {name, age: 1, [k]: v, ...m}\n"
    "# adds up\n# two of them\n"
    "fn sum(a, {d}, [b, c] = [1, 2], ...xs) => a + b ** -c // xs.len() % 3\n"
    "fn gen() { let got = yield 1; yield; defer close(got); return got ?? nil }\n"
    "class Point : geo.Base {\n  x = 0; y = 1.5e3\n  # makes one\n"
    "  fn init(x, y) { super.init(x); self.x = y }\n  fn +(o) => Point(self.x + o.x, y: o.y)\n"
    "  fn []=(i, v) { self[i] = v }\n  fn str() => \"(${self.x}, ${\"<${self.y}>\"})\"\n}\n"
    "outer: for i, x in enumerate(0..=10) {\n  while not done and i < 3 or x is not int {\n"
    "    if i == 2 { continue outer } else if x not in [1, 2] { break } else { i += 1 }\n  }\n}\n"
    "let kind = match value {\n  -1 | 0 | 9 => \"small\"\n  [] => { print(1); 2 }\n"
    "  [x, y = 2, ...z] if x > y => z\n  {type: \"circle\", r} => {r}\n  Point p => "
    "p?.x?.[0]?.(1)\n"
    "  is string => throw error(\"no\", {line: 3})\n  0..9 => return 1\n  geo.Point {x} => x = 2\n"
    "  _ => nil\n}\n"
    "try { risky(...args, last: true) } catch {message} { print(message) } finally { done() }\n"
    "[a, b.c] = [b, a]\n{a, b: xs[0]} = m; a ?\?= b; a <<= 2; m[i, j] @= ~k | l ^ n & o << p\n"
    "let text = \"\"\"\n    indented \\u{1F600} \\x41 \\$\n      ${more |> len |> max(2)}\n    "
    "\"\"\"\n"
    "xs\n  .map(fn(x) => x)\n  |> print\n  ?? xs[1..][..2][-1][..]\n#[ a #[ nested ]# comment ]#\n";

enum { SAMPLE_LEN = sizeof sample - 1 };

static void sink_write(void *ctx, const char *bytes, size_t len) {
  size_t *sum = ctx;
  for (size_t i = 0; i < len; i++) *sum += (unsigned char)bytes[i];
}

/* Parses, and looks at all of the result, so that the sanitizers see every byte. */
static bool survive(const char *text, size_t len, size_t max_bytes) {
  Parsed parsed;
  size_t sum = 0;
  bool ok = false;
  char *copy = malloc(len + 1); /* of the exact size, so that reading beyond is seen */
  memcpy(copy, text, len);
  if (parsed_open(&parsed, copy, len, max_bytes)) {
    ok = parsed.result.ok;
    cr_assert(!ok || !parsed.arena.oom);
    cr_assert(ok || parsed.arena.oom || parsed.diags.error_count > 0);
    if (!parsed.arena.oom) diag_render_all(&parsed.diags, NULL, sink_write, &sum);
    if (ok) ast_dump(parsed.result.program, sink_write, &sum);
  }
  parsed_close(&parsed);
  free(copy);
  return ok;
}

Test(parser_attacks, sample_is_sound) {
  Parsed parsed;
  Buffer out = {0};
  parsed_open(&parsed, sample, SAMPLE_LEN, 0);
  buffer_puts(&out, "");
  diag_render_all(&parsed.diags, NULL, buffer_write, &out);
  cr_assert(parsed.result.ok, "%s", out.chars);
  parsed_close(&parsed);
  free(out.chars);
}

Test(parser_attacks, every_prefix) {
  for (size_t len = 0; len <= SAMPLE_LEN; len++) survive(sample, len, 0);
}

Test(parser_attacks, every_suffix) {
  for (size_t start = 0; start <= SAMPLE_LEN; start++)
    survive(sample + start, SAMPLE_LEN - start, 0);
}

Test(parser_attacks, memory_runs_out) {
  for (size_t limit = 1; limit < 200000; limit += limit < 30000 ? 512 : 4096)
    survive(sample, SAMPLE_LEN, limit);
  cr_expect_not(survive(sample, SAMPLE_LEN, 30000));
  cr_expect(survive(sample, SAMPLE_LEN, 1 << 20));
}

/* xorshift64 */
static uint32_t next_random(uint64_t *state, uint32_t below) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (uint32_t)(*state >> 20) % below;
}

static size_t insert_bytes(char *text, size_t len, size_t at, const char *bytes, size_t count) {
  memmove(text + at + count, text + at, len - at);
  memcpy(text + at, bytes, count);
  return len + count;
}

/* One random change; `text` has room for 64 more bytes. */
static size_t mutate(char *text, size_t len, uint64_t *random) {
  static const char *const pieces[] = {"(",       ")",
                                       "[",       "]",
                                       "{",       "}",
                                       "\"",      "\"\"\"",
                                       "${",      "=>",
                                       "=",       "fn ",
                                       "class ",  "match ",
                                       "if ",     "else ",
                                       "..",      "...",
                                       "?.",      "|>",
                                       "??",      "not ",
                                       "is ",     "in ",
                                       "\n",      ";",
                                       ",",       "#[",
                                       "]#",      "#",
                                       "'",       "\\",
                                       "\\u{",    "9223372036854775808",
                                       "-",       "**",
                                       "0x",      "1e",
                                       "try ",    "catch ",
                                       "yield ",  "let ",
                                       "import ", "from ",
                                       "export ", "defer ",
                                       "\xFF",    "\xE2\x80\x9C",
                                       "super",   "_",
                                       ":",       "|",
                                       "@",       "!",
                                       "&&"};
  size_t at = next_random(random, (uint32_t)len + 1);
  size_t count = next_random(random, 20);
  char copied[64];
  const char *piece = pieces[next_random(random, sizeof pieces / sizeof *pieces)];
  switch (next_random(random, 4)) {
    case 0: return insert_bytes(text, len, at, piece, strlen(piece));
    case 1:
      if (count > len - at) count = len - at;
      memmove(text + at, text + at + count, len - at - count);
      return len - count;
    case 2:
      if (at < len) text[at] = (char)next_random(random, 256);
      return len;
    default:
      if (count > len - at) count = len - at;
      memcpy(copied, text + at, count);
      return insert_bytes(text, len, next_random(random, (uint32_t)len + 1), copied, count);
  }
}

Test(parser_attacks, random_changes) {
  uint64_t random = 0x9E3779B97F4A7C15u;
  char *text = malloc(SAMPLE_LEN + 1024);
  for (int round = 0; round < 4000; round++) {
    size_t start = next_random(&random, 2) ? next_random(&random, SAMPLE_LEN) : 0;
    size_t len = SAMPLE_LEN - start;
    if (start && len > 300) len = 300;
    memcpy(text, sample + start, len);
    uint32_t changes = 1 + next_random(&random, 8);
    for (uint32_t i = 0; i < changes; i++) len = mutate(text, len, &random);
    survive(text, len, next_random(&random, 8) ? 0 : 8192 + next_random(&random, 60000));
  }
  free(text);
}

/* ---- limits ----------------------------------------------------------------------------- */

typedef struct Nest {
  const char *before, *inner, *after;
  int limit; /* most repetitions that are accepted, -1: none is, 0: any number */
} Nest;

static const Nest nests[] = {
    {"(", "1", ")", AST_MAX_NESTING},
    {"[", "", "]", AST_MAX_NESTING},
    {"f(", "", ")", AST_MAX_NESTING},
    {"a[", "1", "]", AST_MAX_NESTING},
    {"- ", "x", "", AST_MAX_NESTING},
    {"not ", "x", "", AST_MAX_NESTING},
    {"x = ", "1", "", AST_MAX_NESTING},
    {"yield ", "1", "", AST_MAX_NESTING},
    {"\"${", "1", "}\"", AST_MAX_NESTING},
    {"{", "", "}", AST_MAX_NESTING},
    {"let ", "a", "\n", 0},
    {"fn() => ", "1", "", AST_MAX_NESTING / 2},
    {"fn() { ", "", " }", AST_MAX_NESTING / 2},
    {"while a { ", "", " }", AST_MAX_NESTING / 2},
    {"if a { ", "", " }", AST_MAX_NESTING / 2},
    {"match a { _ => ", "1", " }", AST_MAX_NESTING / 3},
    {"try { ", "", " } catch e { }", AST_MAX_NESTING / 2},
    {"2 ** ", "2", "", 500},
    {"a + ", "a", "", AST_MAX_HEIGHT},
    {"1, ", "", "", -1},
    {"x |> f |> ", "f", "", AST_MAX_NESTING / 2},
    {"a or b and c < d .. e | f ^ g & h << i + j * -k ** (", "l", ")", 500 / 11},
};

static size_t build_nest(const Nest *nest, int count, char *text) {
  char *end = text;
  bool is_let = strcmp(nest->before, "let ") == 0;
  for (int i = 0; i < count; i++) {
    end = stpcpy(end, nest->before);
    if (is_let) end = stpcpy(stpcpy(end, nest->inner), nest->after);
  }
  if (!is_let) end = stpcpy(end, nest->inner);
  for (int i = 0; i < count && !is_let; i++) end = stpcpy(end, nest->after);
  return (size_t)(end - text);
}

static void check_nest(const Nest *nest, char *text) {
  static const int counts[] = {1, 3, 10, 5000};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    bool ok = survive(text, build_nest(nest, counts[i], text), 0);
    bool expected = nest->limit == 0 || counts[i] <= nest->limit;
    cr_expect_eq(ok, expected, "%d times `%s`", counts[i], nest->before);
  }
  if (nest->limit <= 0) return;
  cr_expect(survive(text, build_nest(nest, nest->limit, text), 0), "`%s` at its limit",
            nest->before);
  cr_expect_not(survive(text, build_nest(nest, nest->limit + 1, text), 0), "`%s` beyond its limit",
                nest->before);
}

static void *check_nests(void *unused) {
  (void)unused;
  char *text = malloc(1 << 20);
  for (size_t i = 0; i < sizeof nests / sizeof *nests; i++) check_nest(&nests[i], text);
  free(text);
  return NULL;
}

#if defined(SANITIZED) || !defined(__OPTIMIZE__)
static const bool has_large_frames = true;
#else
static const bool has_large_frames = false;
#endif

/* On a thread with a small stack, as hosts may have. */
Test(parser_attacks, nesting_on_a_small_stack) {
  size_t stack_size = has_large_frames ? 4 << 20 : 256 << 10;
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  cr_assert_eq(pthread_attr_setstacksize(&attributes, stack_size), 0);
  cr_assert_eq(pthread_create(&thread, &attributes, check_nests, NULL), 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
}

/* Each of these, a hundred thousand times over, is read in time linear in its length. */
Test(parser_attacks, long_texts, .timeout = 60) {
  static const char *const pieces[] = {"(",         ")",
                                       "[",         "{",
                                       "}",         "({[",
                                       ")]}",       "{(",
                                       "\"${",      "\"",
                                       "'",         "#[",
                                       "\n",        ";",
                                       "a\n",       "a ",
                                       "1",         "1_",
                                       "\\",        "\x01",
                                       "\xFF",      "a.b",
                                       ".a",        "?.b",
                                       "()",        "[0]",
                                       "else ",     "if a { } else ",
                                       "let = 1\n", "let a = 1\n",
                                       "x = (\n",   "if x\n",
                                       "f(1 2)\n",  "a: ",
                                       "export ",   "class A : ",
                                       "fn f() { ", "match x { _ => ",
                                       "1 | ",      "a, ",
                                       "a: 1, ",    "# doc\n",
                                       "\"\"\"",    "..",
                                       "|> f ",     "a = ",
                                       "[a] = ",    "{a} = ",
                                       "is a ",     "- ",
                                       "not "};
  enum { COUNT = 30000 };
  char *text = malloc(COUNT * 20);
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    size_t size = strlen(pieces[i]);
    for (size_t k = 0; k < COUNT; k++) memcpy(text + k * size, pieces[i], size);
    survive(text, COUNT * size, 0);
  }
  free(text);
}

Test(parser_attacks, else_if_chains_are_no_nesting) {
  Buffer text = {0};
  buffer_puts(&text, "if a { }");
  for (int i = 0; i < 20000; i++) buffer_puts(&text, " else if a { }");
  cr_expect(survive(text.chars, text.len, 0));
  free(text.chars);
}

Test(parser_attacks, wide_is_not_deep) {
  Buffer text = {0};
  for (int i = 0; i < 3000; i++)
    buffer_puts(&text, "f(a + b, [c * d, {e: g.h}], -i)\n[j.k, l.m] = n\n");
  cr_expect(survive(text.chars, text.len, 0));
  free(text.chars);
}

/* A locale with a decimal comma must not change what a number means. */
Test(parser_attacks, numbers_in_any_locale) {
  static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"};
  for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
    if (!setlocale(LC_ALL, locales[i])) continue;
    Parsed parsed;
    parsed_open(&parsed, "1234.5e-2", 9, 0);
    cr_expect_eq(parsed.result.program->body->stmts[0]->expr->number, 12.345);
    parsed_close(&parsed);
  }
}
