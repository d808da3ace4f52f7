// mutate.c - a mutator that knows what a program looks like.
//
// Bytes changed at random seldom compile. This one cuts the text into tokens, as the language does
// but more loosely, and then, a few times over: removes, repeats, moves or exchanges runs of
// tokens (whole bracketed groups where one begins), puts another name of the program for a name,
// an extreme number for a number, another operator for an operator, or plants one of a list of
// fragments that have a history of being trouble in interpreters. A fifth of the time libFuzzer's
// own mutations are taken instead. Crossing two programs puts a run of lines of one into the other.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed);

enum { MAX_TOKENS = 3000, MAX_TEXT = 1 << 15 };

static const char *const fragments[] = {
    "\nfor x in xs { xs.push(x) }\n", "\nfor k, v in m { m[k + \"x\"] = v }\n",
    "\nlet f = fiber(fn() { yield f.next() })\nf.next()\n",
    "\nfn g() { try { yield 1 } finally { yield 2 } }\n", "\nthrow error(\"x\", [1])\n",
    "\ntry { throw nil } catch e { throw e } finally { return 1 }\n", "\ndefer print(defer_me)\n",
    "\nclass A { fn ==(o) => self == o; fn hash() => 1; fn str() => str(self) }\n",
    "\nclass B : A { x = B(); fn init() { super.init() } }\n",
    "\nclass C { fn call(...xs) => xs; fn iter() => [1, 2]; fn len() => -1; fn in(x) => x }\n",
    "\nlet xs = [1, 2, 3]; xs.push(xs); print(xs, xs == xs)\n",
    "\nlet m = {}; m.self = m; print(m)\n", "\nxs.sort(fn(a, b) { xs.push(1); return b - a })\n",
    "\nmatch x { [a, ...r] if a > 1 => r, {k, ...q} => q, is int | 3..5 => 1, _ => nil }\n",
    "\nouter: for i in 0..3 { for j in 0..3 { if j == 1 { continue outer }; break outer } }\n",
    "\nlet {a = 1, b: [c, ...d], ...e} = {b: [1, 2], z: 3}\n", "\nreturn f(...xs, ...xs, k: 1)\n",
    "\nfn deep(n) => if n > 0 { [deep(n - 1)] } else { [] }\n", "[1, 2, 3].map(fn(x) => yield x)",
    "\nimport math; import string; import list; import map as mm; import set; import json\n",
    "\nimport regex; import random; import time; import memory; import buddy; import test\n",
    "\nlet s = snapshot(); xs.push(s); if s.value == nil { restore(s, [xs]) }\n",
    "\nattempt(fn() { xs.push(m); m.x = xs; throw error(\"undo\") })\n", "restore(s, s)",
    "\nlet t = nil; let u = fiber(fn() { t = snapshot(); yield t }); u.next(); restore(t, u)\n",
    "attempt(fn() => attempt(fn() { let s = snapshot(); return s }))", "memory.collect(); restore(s)",
    "json.stringify(xs)", "json.parse(\"[[[[1e999]]]]\")", "regex.compile(\"(a*)*b\").find(s)",
    "string.repeat(\"ab\", 1 << 30)", "string.format(\"{:>999999999}\", 1)", "s.pad_start(1 << 40)",
    "list(0..10 ** 12)", "[...0..1 << 40]", "xs.insert(-1, xs)", "xs[-9223372036854775807..]",
    "memory.collect()", "\"${\"${1}\"}\"", "x ?? y?.z?.[0]?.(1)", "1 if x else 2",
    "(-9223372036854775808) // -1", "1 << 63", "2 ** 63", "0 ** -1", "fn() => fn() => fn() => self",
    "xs |> map(fn(x) => x) |> list |> len", "error(\"a\", {b: 1}).trace", "f.send(f)", "[f] == [f]",
    "m.remove(k)", "xs.remove(0)", "sorted(xs, key: fn(x) => -x)", "group_by(xs, fn(x) => x)",
};
static const char *const numbers[] = {
    "0",     "1",          "-1",         "255",        "256",          "65535", "65536", "1000000",
    "2147483648", "4294967296", "140737488355327", "140737488355328", "9223372036854775807",
    "-9223372036854775808", "0.0",  "-0.0", "1e308", "1e-320", "0.1", "1e16", "(1.0 / 0)",
    "(0.0 / 0)", "0x7fffffffffffffff", "0b1", "0o17", "1e999",
};
static const char *const words[] = {
    "nil",  "true",   "false", "self",   "super", "fn",     "let",  "const", "if",     "else",
    "while", "for",   "in",    "match",  "try",   "catch",  "throw", "defer", "return", "yield",
    "break", "continue", "class", "import", "export", "is", "not", "and",   "or",     "print",
    "len",  "str",    "int",   "type",   "fiber", "map",    "list", "range", "error",  "assert",
};
static const char *const operators[] = {
    "+", "-", "*", "/", "//", "%", "**", "@", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^", "~",
    "<<", ">>", "=", "+=", "-=", "..", "..=", "...", "=>", "|>", "??", "?.", ".", ",", ":", ";",
    "(", ")", "[", "]", "{", "}", "\n",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

typedef enum { NAME, NUMBER, TEXT, BLANK, SIGN } Kind;
typedef struct { uint32_t at, size; Kind kind; } Token;

typedef struct {
  char text[MAX_TEXT];
  size_t size, max;
  Token tokens[MAX_TOKENS];
  size_t count;
  uint64_t rng;
} Program;

// ---------------------------------------------------------------------------------------------
// Tokens

static size_t below(Program *p, size_t n) {
  p->rng ^= p->rng << 13, p->rng ^= p->rng >> 7, p->rng ^= p->rng << 17;
  return n ? (size_t)(p->rng % n) : 0;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static size_t text_end(const char *s, size_t at, size_t size) {
  for (at++; at < size && s[at] != '"' && s[at] != '\n'; at++)
    if (s[at] == '\\') at++;
  return at < size ? at + 1 : size;
}

static size_t token_end(const char *s, size_t at, size_t size, Kind *kind) {
  size_t i = at + 1;
  if (s[at] == '"') return *kind = TEXT, text_end(s, at, size);
  if (is_digit(s[at])) {
    while (i < size && (is_digit(s[i]) || is_letter(s[i]))) i++;
    return *kind = NUMBER, i;
  }
  if (is_letter(s[at])) {
    while (i < size && (is_letter(s[i]) || is_digit(s[i]))) i++;
    return *kind = NAME, i;
  }
  if (s[at] == ' ' || s[at] == '\t' || s[at] == '#') {
    bool comment = s[at] == '#';
    while (i < size && (comment ? s[i] != '\n' : s[i] == ' ')) i++;
    return *kind = BLANK, i;
  }
  return *kind = SIGN, i;
}

static void cut(Program *p) {
  p->count = 0;
  for (size_t at = 0; at < p->size && p->count < MAX_TOKENS;) {
    Kind kind;
    size_t end = token_end(p->text, at, p->size, &kind);
    p->tokens[p->count++] = (Token){(uint32_t)at, (uint32_t)(end - at), kind};
    at = end;
  }
}

// Replaces [from, to) of the text, which is cut anew. False: there is no room.
static bool replace(Program *p, size_t from, size_t to, const char *by, size_t size) {
  char copy[MAX_TEXT];
  if (p->size - (to - from) + size > p->max) return false;
  memcpy(copy, by, size); // it may lie in the text
  memmove(p->text + from + size, p->text + to, p->size - to);
  memcpy(p->text + from, copy, size);
  p->size = p->size - (to - from) + size;
  cut(p);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Steps

typedef struct { size_t from, to; } Part; // of the text

static int opens(char c) { return c == '(' || c == '[' || c == '{'; }
static int closes(char c) { return c == ')' || c == ']' || c == '}'; }

// The token behind the bracket that closes the one at token t.
static size_t group_end(const Program *p, size_t t) {
  int depth = 0;
  for (size_t i = t; i < p->count; i++) {
    char c = p->text[p->tokens[i].at];
    if (p->tokens[i].kind == SIGN) depth += opens(c) - closes(c);
    if (depth <= 0) return i + 1;
  }
  return p->count;
}

// A few tokens, a bracketed group, or a line.
static Part any_part(Program *p) {
  size_t t = below(p, p->count), end = t + 1 + below(p, 4);
  Token *token = p->tokens + t;
  if (token->kind == SIGN && opens(p->text[token->at])) end = group_end(p, t);
  if (end > p->count) end = p->count;
  Part part = {token->at, p->tokens[end - 1].at + p->tokens[end - 1].size};
  if (below(p, 4)) return part;
  while (part.from > 0 && p->text[part.from - 1] != '\n') part.from--;
  while (part.to < p->size && p->text[part.to - 1] != '\n') part.to++;
  return part;
}

static void copy_part(Program *p) {
  Part from = any_part(p), to = any_part(p);
  if (from.to - from.from > MAX_TEXT / 4) return;
  if (below(p, 2)) to.to = to.from;
  replace(p, to.from, to.to, p->text + from.from, from.to - from.from);
}

static void remove_part(Program *p) {
  Part part = any_part(p);
  replace(p, part.from, part.to, "", 0);
}

static void wrap_part(Program *p) {
  static const char *const around[][2] = {
      {"(", ")"},  {"[", "]"},  {"fn() => ", ""},  {"try { ", " } catch e { e }"},  {"-", ""},
      {"{ ", " }"}, {"str(", ")"}, {"${", "}"}, {"if true { ", " }"}, {"\nfor i in 0..3 { ", " }"},
      {"\"${", "}\""}, {"fiber(fn() { yield ", " })"}, {"[0].map(fn(x) => ", ")"},
  };
  Part part = any_part(p);
  const char *const *w = around[below(p, COUNT(around))];
  if (replace(p, part.to, part.to, w[1], strlen(w[1])))
    replace(p, part.from, part.from, w[0], strlen(w[0]));
}

static void plant(Program *p, const char *fragment) {
  Part part = any_part(p);
  replace(p, part.from, below(p, 2) ? part.from : part.to, fragment, strlen(fragment));
}

// Another word of the same kind for a token.
static void exchange(Program *p) {
  Token t = p->tokens[below(p, p->count)];
  const char *by = t.kind == NUMBER ? numbers[below(p, COUNT(numbers))]
                   : t.kind == SIGN ? operators[below(p, COUNT(operators))]
                   : t.kind == NAME && !below(p, 3) ? words[below(p, COUNT(words))]
                                                    : NULL;
  if (by) {
    replace(p, t.at, t.at + t.size, by, strlen(by));
    return;
  }
  for (int tries = 0; tries < 20; tries++) { // a token of the same kind from elsewhere
    Token u = p->tokens[below(p, p->count)];
    if (u.kind != t.kind) continue;
    replace(p, t.at, t.at + t.size, p->text + u.at, u.size);
    return;
  }
}

static void step(Program *p) {
  switch (below(p, 9)) {
    case 0: case 1: copy_part(p); break;
    case 2: remove_part(p); break;
    case 3: wrap_part(p); break;
    case 4: case 5: plant(p, fragments[below(p, COUNT(fragments))]); break;
    default: exchange(p); break;
  }
}

// ---------------------------------------------------------------------------------------------
// What libFuzzer calls

static bool take(Program *p, const uint8_t *data, size_t size, size_t max, unsigned seed) {
  p->max = max < MAX_TEXT ? max : MAX_TEXT;
  if (size == 0 || size > p->max) return false;
  p->rng = (uint64_t)seed * 0x9E3779B97F4A7C15u + 0x1234567;
  memcpy(p->text, data, size);
  p->size = size;
  cut(p);
  return true;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  static Program p;
  if (!take(&p, data, size, max_size, seed) || below(&p, 5) == 0)
    return LLVMFuzzerMutate(data, size, max_size);
  for (size_t steps = 1 + below(&p, 4); steps > 0 && p.count > 0; steps--) step(&p);
  memcpy(data, p.text, p.size);
  return p.size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed) {
  static Program p;
  if (!take(&p, a, a_size, max_size, seed) || b_size == 0) return 0;
  size_t from = below(&p, b_size), to = from + 1 + below(&p, b_size - from);
  while (from > 0 && b[from - 1] != '\n') from--;
  while (to < b_size && b[to - 1] != '\n') to++;
  size_t at = below(&p, p.size);
  while (at > 0 && p.text[at - 1] != '\n') at--;
  if (to - from > MAX_TEXT) to = from + MAX_TEXT;
  replace(&p, at, at, (const char *)b + from, to - from);
  memcpy(out, p.text, p.size);
  return p.size;
}
