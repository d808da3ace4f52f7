/* The front half of lang/: what texts mean, and what is said about wrong ones. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lang_helpers.h"

/* ---- tables ----------------------------------------------------------------------------- */

typedef struct Row {
  const char *text, *expected;
} Row;

/* The dump of a correct text, the errors of a wrong one: `line:column message`, one a line. */
static void describe(const Parsed *parsed, Buffer *out) {
  buffer_puts(out, "");
  if (parsed->result.ok) ast_dump(parsed->result.program, buffer_write, out);
  for (const Diag *diag = parsed->diags.first; diag; diag = diag->next) {
    SourcePos pos = source_position(&parsed->source, diag->span.start);
    char place[32];
    snprintf(place, sizeof place, "%s%u:%u ", out->len ? "\n" : "", pos.line, pos.column);
    buffer_puts(out, place);
    buffer_puts(out, diag->message);
  }
}

static void expect_result(const char *text, const char *expected) {
  Parsed parsed;
  Buffer out = {0};
  cr_assert(parsed_open(&parsed, text, strlen(text), 0));
  describe(&parsed, &out);
  cr_expect_str_eq(out.chars, expected, "\n  text:     %s\n  expected: %s\n  got:      %s", text,
                   expected, out.chars);
  parsed_close(&parsed);
  free(out.chars);
}

#define EXPECT_ROWS(rows)                                                                          \
  for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++)                                       \
  expect_result((rows)[i].text, (rows)[i].expected)

/* ---- what texts mean -------------------------------------------------------------------- */

Test(parser, literals) {
  static const Row rows[] = {
      {"", ""},
      {"nil; true; false; self", "nil\ntrue\nfalse\nself"},
      {"0; 12; 1_000_000; 0xFF; 0b1010; 0o17", "0\n12\n1000000\n255\n10\n15"},
      {"9223372036854775807; -9223372036854775808", "9223372036854775807\n-9223372036854775808"},
      {"0x7FFFFFFFFFFFFFFF", "9223372036854775807"},
      {"1.5; 1e3; 2.5e-1; 1_0.2_5; -0.0; 1E+2", "1.5\n1000.0\n0.25\n10.25\n-0.0\n100.0"},
      {"0.1", "0x1.999999999999ap-4"},
      {"1.7976931348623157e308", "0x1.fffffffffffffp+1023"},
      {"5e-324; 1e-400", "0x0.0000000000001p-1022\n0.0"},
      {"5.abs(); 1..2; -5.abs()", "(call (. 5 abs))\n(.. 1 2)\n(- (call (. 5 abs)))"},
      {"\"a\\n\\t\\\"\\\\\\$\\x41\\u{e9}\\0\\e\"", "\"a\\n\\x09\\x22\\x5C$A\xC3\xA9\\x00\\x1B\""},
      {"\"$ { } $x \\${x}\"", "\"$ { } $x ${x}\""},
      {"\"\"; \"\"\"\"\"\"", "\"\"\n\"\""},
      {"\"a${b}c\"", "(str \"a\" b \"c\")"},
      {"\"${a}${b}\"", "(str a b)"},
      {"\"${f({a: {b: 1}})} ${\"x${y}\"}\"",
       "(str (call f {\"a\": {\"b\": 1}}) \" \" (str \"x\" y))"},
      {"\"${fn() { return \"}\" }()}\"", "(str (call (fn () {(return \"}\")})))"},
      {"\"\"\"\n    one\n      two\n\n    three\n    \"\"\"", "\"one\\n  two\\n\\nthree\\n\""},
      {"\"\"\"one\n    two\n   three\"\"\"", "\"one\\n two\\nthree\""},
      {"\"\"\"\r\n  a \"quote\" ${x}\r\n  b\\n\r\n\"\"\"",
       "(str \"  a \\x22quote\\x22 \" x \"\\n  b\\n\\n\")"},
      {"\"\"\"\n\ta\n\t  ${x}\n\t\"\"\"", "(str \"a\\n  \" x \"\\n\")"},
      {"[]; [1, 2,]; [...a, 1, ...b]", "[]\n[1 2]\n[...a 1 ...b]"},
      {"x = {}; y = {a: 1, \"b c\": 2, 3: 4, -1.5: 5, [k]: v, \"${i}\": 6, z, ...m,}",
       "(= x {})\n(= y {\"a\": 1 \"b c\": 2 3: 4 -1.5: 5 k: v (str i): 6 \"z\": z ...m})"},
      {"x = {if: 1, nil: 2}", "(= x {\"if\": 1 \"nil\": 2})"},
      {"na\xC3\xAFve = \xE5\x80\xA4", "(= na\xC3\xAFve \xE5\x80\xA4)"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, operators) {
  static const Row rows[] = {
      {"a + b * c - d", "(- (+ a (* b c)) d)"},
      {"-2 ** 2; 2 ** -1; 2 ** 3 ** 2; (-2) ** 2",
       "(- (** 2 2))\n(** 2 -1)\n(** 2 (** 3 2))\n(** -2 2)"},
      {"-x.y; ~a ** b; - -1; -a * b", "(- (. x y))\n(~ (** a b))\n(- -1)\n(* (- a) b)"},
      {"x & 1 == 0", "(== (& x 1) 0)"},
      {"a | b ^ c & d << e + f", "(| a (^ b (& c (<< d (+ e f)))))"},
      {"a >> 1 >> 2", "(>> (>> a 1) 2)"},
      {"not a == b and c or d ?? e |> f", "(call f (?? (or (and (not (== a b)) c) d) e))"},
      {"a ?? b ?? c", "(?? (?? a b) c)"},
      {"a in b; a not in b; a is C; a is not m.C; a is nil; not a in b",
       "(in a b)\n(not in a b)\n(is a C)\n(is not a (. m C))\n(is a nil)\n(not (in a b))"},
      {"0..n + 1; 0..=9; i in 0..10", "(.. 0 (+ n 1))\n(..= 0 9)\n(in i (.. 0 10))"},
      {"a // b % c @ d / e", "(/ (@ (% (// a b) c) d) e)"},
      {"x |> f; x |> f(y) |> m.g; x |> (f(y)); x |> fn(a) => a + 1",
       "(call f x)\n(call (. m g) (call f x y))\n(call (call f y) x)\n"
       "(call (fn (a) {(return (+ a 1))}) x)"},
      {"(a < b) < c; a < b and b < c", "(< (< a b) c)\n(and (< a b) (< b c))"},
      {"not not a; not -a", "(not (not a))\n(not (- a))"},
      {"a == (not b)", "(== a (not b))"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, calls_and_links) {
  static const Row rows[] = {
      {"f(); f(1, a: 2, if: 3); f(...xs, 1,)", "(call f)\n(call f 1 a: 2 if: 3)\n(call f ...xs 1)"},
      {"a.b.class(1)[2]", "(index (call (. (. a b) class) 1) 2)"},
      {"a[i, j]; a[-1]; a[1..3]; a[..2]; a[2..]; a[..]; a[..=2]; a[1.., ..2]",
       "(index a i j)\n(index a -1)\n(index a (.. 1 3))\n(index a (.. * 2))\n(index a (.. 2 *))\n"
       "(index a (.. * *))\n(index a (..= * 2))\n(index a (.. 1 *) (.. * 2))"},
      {"a[b[1..]..]", "(index a (.. (index b (.. 1 *)) *))"},
      {"a?.b.c; a?.[i]; a?.(x)?.m(); (a?.b).c",
       "(chain (. (?. a b) c))\n(chain (?index a i))\n(chain (call (?. (?call a x) m)))\n"
       "(. (chain (?. a b)) c)"},
      {"a?.b ?? c", "(?? (chain (?. a b)) c)"},
      {"super.init(1); super.name", "(call (super init) 1)\n(super name)"},
      {"fn(a, [c, d], {e}, b = a, ...r) => a", "(fn (a [c d] {\"e\": e} b=a ...r) {(return a)})"},
      {"fn() {}; fn() => {}; fn() => {a: 1}",
       "(fn () {})\n(fn () {(return {})})\n(fn () {(return {\"a\": 1})})"},
      {"fn() => throw e; fn() => x = 1; fn() => [a, b] = c",
       "(fn () {(throw e)})\n(fn () {(return (= x 1))})\n(fn () {(return (unpack [(to a) (to b)] "
       "c))})"},
      {"fn() { yield; yield 1; x = yield y }; fn() { fn() { yield } }",
       "(fn* () {(yield) (yield 1) (= x (yield y))})\n(fn () {(fn* () {(yield)})})"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, newlines) {
  static const Row rows[] = {
      {"a\n(b)", "a\nb"},
      {"a\n[b]", "a\n[b]"},
      {"a\n-b", "a\n(- b)"},
      {"a +\nb", "(+ a b)"},
      {"a\n  .b\n  ?.c()\n  |> d\n  ?? e", "(call (?? d e) (chain (call (?. (. a b) c))))"},
      {"f(a\n, b\n)", "(call f a b)"},
      {"f(a\n- b)", "(call f (- a b))"},
      {"[1,\n2\n]", "[1 2]"},
      {"x = {\n a: 1,\n b: 2\n}", "(= x {\"a\": 1 \"b\": 2})"},
      {"f(fn() {\n a\n -b\n})", "(call f (fn () {a (- b)}))"},
      {"x =\n 1", "(= x 1)"},
      {"if a { b }\nelse if c { d }\n\nelse { e }", "(if a {b} c {d} else {e})"},
      {"try { a }\ncatch e { b }\nfinally { c }", "(try {a} catch e {b} finally {c})"},
      {"fn f() { return\n1 }", "(fn f() {(return) 1})"},
      {"a\r\nb\rc", "a\nb\nc"},
      {"\xEF\xBB\xBF#!/usr/bin/oxbow\na", "a"},
      {"a # one\n#[ two #[ three ]# ]# b", "a\nb"},
      {"a #[ x\n ]# b", "a\nb"},
      {"a not\nin b", "(not in a b)"},
      {";;a;;b;", "a\nb"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, assignment) {
  static const Row rows[] = {
      {"a = 1; a.b = 2; a[0] = 3; a[i, j] = 4; self.x = 5",
       "(= a 1)\n(= (. a b) 2)\n(= (index a 0) 3)\n(= (index a i j) 4)\n(= (. self x) 5)"},
      {"a += 1; a -= 1; a *= 1; a /= 1; a //= 1; a %= 1; a **= 1",
       "(+= a 1)\n(-= a 1)\n(*= a 1)\n(/= a 1)\n(//= a 1)\n(%= a 1)\n(**= a 1)"},
      {"a &= 1; a |= 1; a ^= 1; a <<= 1; a >>= 1; a ?\?= 1",
       "(&= a 1)\n(|= a 1)\n(^= a 1)\n(<<= a 1)\n(>>= a 1)\n(?\?= a 1)"},
      {"a = b = c", "(= a (= b c))"},
      {"[a, b] = [b, a]", "(unpack [(to a) (to b)] [b a])"},
      {"[a.x, [b[0], _], ...c] = d", "(unpack [(to (. a x)) [(to (index b 0)) _] ...(to c)] d)"},
      {"{a, b: c.d, e = 1, ...f} = m",
       "(unpack {\"a\": (to a) \"b\": (to (. c d)) \"e\": (to e)=1 ...(to f)} m)"},
      {"[a][0] = 1; [xs[0]] = y", "(= (index [a] 0) 1)\n(unpack [(to (index xs 0))] y)"},
      {"f = fn() => 1; m.g = fn() => 2",
       "(= f (fn f() {(return 1)}))\n(= (. m g) (fn g() {(return 2)}))"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, statements) {
  static const Row rows[] = {
      {"let a; let b = 1; const c = 2", "(let a)\n(let b 1)\n(const c 2)"},
      {"let [a, [b, c = 1], ...d] = e", "(let [a [b c=1] ...d] e)"},
      {"let [_, ...] = e; let {a: {b}, \"c d\": x = 2, ...} = m",
       "(let [_ ..._] e)\n(let {\"a\": {\"b\": b} \"c d\": x=2 ..._} m)"},
      {"{ let a = 1 }", "{(let a 1)}"},
      {"while a { b; break; continue }", "(while a {b (break) (continue)})"},
      {"outer: for x in xs { inner: while y { break outer; continue inner } }",
       "(outer: for x in xs {(inner: while y {(break outer) (continue inner)})})"},
      {"for k, v in m { }; for [a, b] in c {}; for i in 0..3 {}",
       "(for k v in m {})\n(for [a b] in c {})\n(for i in (.. 0 3) {})"},
      {"for x in ({a: 1}) { x }", "(for x in {\"a\": 1} {x})"},
      {"for x in f({a: 1}) { }", "(for x in (call f {\"a\": 1}) {})"},
      {"return; ", "(return)"},
      {"return a ?? b; throw error(\"x\"); defer f.close(); defer a?.b()",
       "(return (?? a b))\n(throw (call error \"x\"))\n(defer (call (. f close)))\n"
       "(defer (chain (call (?. a b))))"},
      {"import math; import math as m; import \"lib/geo-x\" as g; import \"lib/geo.oxb\"",
       "(import \"math\" math)\n(import \"math\" m)\n(import \"lib/geo-x\" g)\n"
       "(import \"lib/geo.oxb\" geo)"},
      {"import a, b as c", "(import \"a\" a) (import \"b\" c)"},
      {"from math import sin, pi as p; from \"f\" import\n x",
       "(from \"math\" sin pi=p)\n(from \"f\" x)"},
      {"from = 1; as = from", "(= from 1)\n(= as from)"},
      {"export let a = 1; export fn f() {}; export class C {}",
       "export (let a 1)\nexport (fn f() {})\nexport (class C)"},
      {"if a { } else { }", "(if a {} else {})"},
      {"let x = if a { 1 } else if b { 2 } else { 3 }", "(let x (if a {1} b {2} else {3}))"},
      {"let x = try { a } catch { b }", "(let x (try {a} catch {b}))"},
      {"try { } catch [a, b] { }; try { } catch {message} { message }",
       "(try {} catch [a b] {})\n(try {} catch {\"message\": message} {message})"},
      {"print(if a { b } else { c } + 1)", "(call print (+ (if a {b} else {c}) 1))"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, match) {
  static const Row rows[] = {
      {"match x { 1 => a, -2 => b; 1.5 => c\n \"s\" => d\n nil => e\n true => f }",
       "(match x (1 {a}) (-2 {b}) (1.5 {c}) (\"s\" {d}) (nil {e}) (true {f}))"},
      {"match x { -9223372036854775808 => 1 }", "(match x (-9223372036854775808 {1}))"},
      {"match x { 0..9 => 1\n -5..=-1 => 2\n 1 | 2 | 3 => 3 }",
       "(match x ((.. 0 9) {1}) ((..= -5 -1) {2}) ((| 1 2 3) {3}))"},
      {"match x { [] => 1\n [a, b = 2, ...c] => 2\n [0 | 1, _] => 3 }",
       "(match x ([] {1}) ([a b=2 ...c] {2}) ([(| 0 1) _] {3}))"},
      {"match x { {} => 1\n {type: \"circle\", r, n: m = 1, ...o} if r > 0 => 2 }",
       "(match x ({} {1}) ({\"type\": \"circle\" \"r\": r \"n\": m=1 ...o} if (> r 0) {2}))"},
      {"match x { Point p => 1\n Point {x, y} => 2\n geo.Point => 3\n geo.Point q => 4\n Pair [a, "
       "b] => 5 }",
       "(match x ((is Point p) {1}) ((is Point {\"x\": x \"y\": y}) {2}) ((is (. geo Point)) {3})"
       " ((is (. geo Point) q) {4}) ((is Pair [a b]) {5}))"},
      {"match x { is string => 1\n is int n => 2\n is class => 3\n is geo.Point => 4\n is a | is b "
       "=> 5 }",
       "(match x ((is string) {1}) ((is int n) {2}) ((is class) {3}) ((is (. geo Point)) {4})"
       " ((| (is a) (is b)) {5}))"},
      {"match x { y if y > 1 => y\n _ => 0 }", "(match x (y if (> y 1) {y}) (_ {0}))"},
      {"match x { 1 => { a; b }\n 2 => {}\n 3 => {k: 1}\n 4 => {\"k\": 1}\n 5 => { l: for a in b "
       "{} } }",
       "(match x (1 {a b}) (2 {{}}) (3 {{\"k\": 1}}) (4 {{\"k\": 1}}) (5 {(l: for a in b {})}))"},
      {"match x { 1 => return\n 2 => return 3\n 4 => throw e\n 5 => break\n 6 => y = 1\n 7 => {a} "
       "= m }",
       "(match x (1 {(return)}) (2 {(return 3)}) (4 {(throw e)}) (5 {(break)}) (6 {(= y 1)})"
       " (7 {(unpack {\"a\": (to a)} m)}))"},
      {"match f(x) { }", "(match (call f x))"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, declarations) {
  static const Row rows[] = {
      {"# adds\n#\n#   two\nfn f(a) => a", "(fn f(a) \"adds\\n\\n  two\" {(return a)})"},
      {"# far\n\nfn f() {}", "(fn f() {})"},
      {"x # not this\nfn f() {}", "x\n(fn f() {})"},
      {"# doc\nexport fn f() {}", "export (fn f() \"doc\" {})"},
      {"class A { }", "(class A)"},
      {"# a class\nclass A : m.B {\n x = 0; y\n # a method\n fn init(x) { self.x = x }\n z = []\n}",
       "(class A : (. m B) \"a class\" x=0 y z=[] (fn init(x) \"a method\" {(= (. self x) x)}))"},
      {"class V { fn +(o) => 1; fn -(o) => 1; fn *(o) => 1; fn /(o) => 1; fn //(o) => 1; fn %(o) "
       "=> 1 }",
       "(class V (fn +(o) {(return 1)}) (fn -(o) {(return 1)}) (fn *(o) {(return 1)})"
       " (fn /(o) {(return 1)}) (fn //(o) {(return 1)}) (fn %(o) {(return 1)}))"},
      {"class V { fn **(o) {}; fn @(o) {}; fn ==(o) {}; fn <(o) {}; fn <=(o) {}; fn >(o) {}; fn "
       ">=(o) {} }",
       "(class V (fn **(o) {}) (fn @(o) {}) (fn ==(o) {}) (fn <(o) {}) (fn <=(o) {}) (fn >(o) {}) "
       "(fn >=(o) {}))"},
      {"class V { fn [](i) {}; fn []=(i, v) {}; fn ~() {}; fn neg() {}; fn in(x) {}; fn call(...a) "
       "{} }",
       "(class V (fn [](i) {}) (fn []=(i v) {}) (fn ~() {}) (fn neg() {}) (fn in(x) {}) (fn "
       "call(...a) {}))"},
      {"let f = fn() {}; let m = {g: fn() {}}",
       "(let f (fn f() {}))\n(let m {\"g\": (fn g() {})})"},
  };
  EXPECT_ROWS(rows);
}

/* ---- what is said about wrong texts ------------------------------------------------------ */

Test(parser, lexical_errors) {
  static const Row rows[] = {
      {"1_", "1:1 an underscore in a number stands between two digits"},
      {"1__0; 0x_1; 1_.5", "1:1 an underscore in a number stands between two digits\n"
                           "1:7 an underscore in a number stands between two digits\n"
                           "1:13 an underscore in a number stands between two digits"},
      {"007", "1:1 a number does not start with 0"},
      {"0x; 0b2; 0o8; 12ab; 1e", "1:1 a number has no digits after its prefix\n"
                                 "1:5 `2` is not a digit of a binary number\n"
                                 "1:10 `8` is not a digit of an octal number\n"
                                 "1:15 `a` is not a digit of a decimal number\n"
                                 "1:21 this number lacks digits"},
      {"9223372036854775808", "1:1 this number does not fit a 64-bit int"},
      {"99999999999999999999; 0xFFFFFFFFFFFFFFFF", "1:1 this number does not fit a 64-bit int\n"
                                                   "1:23 this number does not fit a 64-bit int"},
      {"1e999", "1:1 this number is too large for a float"},
      {"- 9223372036854775808.abs()", "1:3 this number does not fit a 64-bit int"},
      {"\"abc\nx", "1:1 this string is not closed"},
      {"\"\\q \\x4 \\u{110000} \\u41\"", "1:2 unknown escape in a string\n"
                                         "1:5 `\\x` takes two hexadecimal digits\n"
                                         "1:9 there is no such code point\n"
                                         "1:20 a code point is written \\u{1F600}"},
      {"\"${a\nb\"", "1:5 an interpolation must be closed on the line where it starts\n"
                     "2:2 this string is not closed"},
      {"\"${}\"", "1:4 expected an expression but found the end of the interpolation"},
      {"\"${a # b}\"\nc = = d", "1:6 a comment cannot stand inside an interpolation\n"
                                "2:5 expected an expression but found `=`"},
      {"\"\"\"abc", "1:1 this string is not closed"},
      {"#[ abc #[ ]#", "1:1 this comment is not closed"},
      {"x = 'abc' + y", "1:5 a string stands in double quotes"},
      {"let a\xC2\xA0= 1", "1:6 unexpected character `\xC2\xA0"
                           "` (U+00A0)"},
      {"x = \xE2\x80\x9C"
       "a\xE2\x80\x9D",
       "1:5 unexpected character `\xE2\x80\x9C"
       "` (U+201C)"},
      {"a = \x01", "1:5 unexpected control character U+0001"},
      {"a = \"\xFF\"", "1:6 the text is not valid UTF-8 here (byte 0xFF)"},
      {"a $ b", "1:3 unexpected character `$` (U+0024)"},
  };
  EXPECT_ROWS(rows);
}

Test(parser, syntax_errors) {
  static const Row rows[] = {
      {"if a = b { c }", "1:6 expected `{` but found `=`"},
      {"let x = = 3\nlet = 4\nlet y = 5", "1:9 expected an expression but found `=`\n"
                                          "2:5 expected a name or a pattern but found `=`"},
      {"f(1 2)\ng(\nh)", "1:5 expected `,` or `)` but found `2`"},
      {"print x", "1:7 expected a new line or `;` but found `x`"},
      {"f(a, b\nlet x = 1\ng(]\n", "1:7 missing `)`\n"
                                   "3:3 expected an expression but found `]`"},
      {"fn f(a b) { let c = }\nfn g( { }\nfn h() { } }",
       "1:8 expected `,` or `)` but found `b`\n"
       "1:21 expected an expression but found `}`\n"
       "2:10 missing `)`"},
      {"a < b < c; 1..2..3; a is b is c", "1:7 comparisons cannot be chained\n"
                                          "1:16 a range has two ends\n"
                                          "1:28 comparisons cannot be chained"},
      {"if a { b } elif c { d }", "1:12 there is no `elif`"},
      {"!a && b || c === d !== e", "1:1 `!` is no operator\n"
                                   "1:4 `&&` is no operator\n"
                                   "1:9 `||` is no operator\n"
                                   "1:14 `===` is no operator\n"
                                   "1:20 comparisons cannot be chained"},
      {"i++\n", "1:3 expected an expression but found `+`"},
      {"i--\nj", "1:3 there is no `--`"},
      {"a ? b : c", "1:3 expected a new line or `;` but found `?`"},
      {"a == not b", "1:6 `not` needs parentheses here"},
      {"x := 1", "1:4 expected `for` or `while` after a label but found `=`"},
      {"function f() {}\nvar x = 1\nlocal y\nstruct Z {}", "1:1 there is no `function`\n"
                                                           "2:1 there is no `var`\n"
                                                           "3:1 there is no `local`\n"
                                                           "4:1 there is no `struct`"},
      {"while a\n b\n}\nc d", "1:8 expected `{` but found the end of the line\n"
                              "4:3 expected a new line or `;` but found `d`"},
      {"for (i = 0; i < 3; i++) { }\nfor i = 1, 3 { }\nfor x of xs { }",
       "1:5 no parentheses after `for`\n"
       "2:7 expected `in` but found `=`\n"
       "3:7 expected `in` but found `of`"},
      {"if a then b", "1:6 expected `{` but found `then`"},
      {"if a: b", "1:5 expected `{` but found `:`"},
      {"{a: 1}", "1:5 expected `for` or `while` after a label but found `1`"},
      {"for x in {a: 1} { }", "1:10 expected an expression but found `{`"},
      {"1 = 2; f() = 3; a?.b = 4; (a) = 5; a[1..2] = 6; self = 7; a + b = 8",
       "1:1 only a name, a field or an element can be assigned to\n"
       "1:8 the result of a call cannot be assigned to\n"
       "1:17 an assignment cannot go through `?.`\n"
       "1:27 what is assigned to takes no parentheses\n"
       "1:36 a slice cannot be assigned to\n"
       "1:49 `self` cannot be assigned to\n"
       "1:59 only a name, a field or an element can be assigned to"},
      {"let [a, ...b, c] = d; let {a b} = d; let [a = 1, b] = c",
       "1:12 the rest of a pattern must be its last part\n"
       "1:30 expected `,` or `}` but found `b`\n"
       "1:50 an item without a default follows one with a default"},
      {"let 1 = 2; const c; let [a]; fn f(1) {}",
       "1:5 expected a name or a pattern but found `1`\n"
       "1:19 expected `=` and the value of the constant but found `;`\n"
       "1:28 expected `=` and a value but found `;`\n"
       "1:35 expected a name or a pattern but found `1`"},
      {"fn f(...a, b) {}; fn f(a = 1, b) {}; fn f(...a = 1) {}",
       "1:6 a rest parameter must be the last one\n"
       "1:31 a parameter without a default follows one with a default\n"
       "1:50 a rest parameter has no default: without arguments it is an empty list"},
      {"f(a: 1, 2); f(a: 1, a: 2); f(a = 1)", "1:9 a positional argument after a named one\n"
                                              "1:21 the argument `a` is given twice\n"
                                              "1:32 expected `,` or `)` but found `=`"},
      {"let f = fn(x) => { return x }", "1:15 a function with a body in braces has no `=>`"},
      {"let f = fn g() {}", "1:12 a function that is a value has no name of its own"},
      {"let f = (a, b) => a", "1:9 missing `fn`"},
      {"let f = x => x", "1:11 expected a new line or `;` but found `=>`"},
      {"class A { let x = 1; init() {}; fn !=(o) {}; fn +() {}; fn <<(o) {} }",
       "1:11 expected a field or a method but found `let`\n"
       "1:22 a method starts with `fn`\n"
       "1:36 expected a method's name but found `!=`\n"
       "1:46 the operator `+` takes one parameter, its right operand\n"
       "1:60 expected a method's name but found `<<`"},
      {"class A { x = 1; fn x() {}; x = 2 }", "1:21 `x` is declared twice in this class\n"
                                              "1:29 `x` is declared twice in this class"},
      {"class A extends B { }\nclass B < C { }", "1:9 this is not how a class inherits\n"
                                                 "2:9 this is not how a class inherits"},
      {"match x { case 1 => 2\n else => 3 }", "1:11 there is no `case`\n"
                                              "2:2 the arm for everything else starts with `_`"},
      {"match x { a | 1 => 2\n [b] | 3 => 4 }", "1:11 a pattern with `|` cannot bind names\n"
                                                "2:3 a pattern with `|` cannot bind names"},
      {"match x { f() => 1\n \"${a}\" => 2\n Point(x) => 3\n 1 or 2 => 4\n a.b.c => 5\n 1 -> 2 }",
       "1:12 expected the end of the pattern but found `(`\n"
       "2:2 expected a pattern but found a string\n"
       "3:7 expected the end of the pattern but found `(`\n"
       "4:4 `or` joins conditions\n"
       "6:4 expected `=>` after the pattern but found `->`"},
      {"match x { 1 => 2 3 => 4 }", "1:18 expected a new line or `,` after the arm but found `3`"},
      {"match x { if => 2 }", "1:11 expected a pattern but found `if`"},
      {"try { }\nx",
       "1:8 expected `catch` or `finally` after the block of `try` but found the end of the line"},
      {"try { } catch (e) { }", "1:15 no parentheses after `catch`"},
      {"defer x; defer { y }; throw",
       "1:7 `defer` takes a call\n"
       "1:16 expected a call after `defer` but found `{`\n"
       "1:28 expected a value to throw but found the end of the file"},
      {"import; import 1; import a.b; import \"x-y\"; from a; from a import *; import a as 1",
       "1:7 expected a module's name or path but found `;`\n"
       "1:16 expected a module's name or path but found `1`\n"
       "1:27 expected the end of the module's name but found `.`\n"
       "1:38 this path does not end in a name\n"
       "1:51 expected `import` but found `;`\n"
       "1:67 expected a name but found `*`\n"
       "1:82 expected a name after `as` but found `1`"},
      {"export x; { export let y = 1 }",
       "1:8 expected `let`, `const`, `fn` or `class` after `export` but found `x`\n"
       "1:13 only what is declared at the top level can be exported"},
      {"super; super(1); super.1", "1:6 expected `.` after `super` but found `;`\n"
                                   "1:13 expected `.` after `super` but found `(`\n"
                                   "1:24 expected the name of a method but found `1`"},
      {"a.; a?.; a[]; a[1; .5; +1", "1:3 expected a name after the point but found `;`\n"
                                    "1:8 expected a name after the point but found `;`\n"
                                    "1:12 expected an expression but found `]`\n"
                                    "1:18 missing `]`\n"
                                    "1:20 expected a statement but found `.`\n"
                                    "1:24 expected a statement but found `+`"},
      {"x = [1.., 2]; a[b or 1..]; a[..=]", "1:9 expected an expression but found `,`\n"
                                            "1:22 a range without an end must be the whole index\n"
                                            "1:33 expected an expression but found `]`"},
      {"}", "1:1 this `}` closes nothing"},
      {"a\n* b\nand c", "2:1 expected a statement but found `*`\n"
                        "3:1 expected a statement but found `and`"},
      {"f(x, yield 1 + yield 2)", "1:16 expected an expression but found `yield`"},
      {"x = a ?? throw b", "1:10 expected an expression but found `throw`"},
      {"let a, b = 1, 2", "1:6 expected a new line or `;` but found `,`"},
      {"let a: int = 2; fn f(a: int) {}", "1:6 expected a new line or `;` but found `:`\n"
                                          "1:23 expected `,` or `)` but found `:`"},
      {"return 1, 2", "1:9 expected a new line or `;` but found `,`"},
      {"let if = 1; f.if; fn while() {}",
       "1:5 expected a name or a pattern but found `if`\n"
       "1:22 expected a name for the function but found `while`"},
      {"( ) ] ) a", "1:3 expected an expression but found `)`\n"
                    "1:5 expected a new line or `;` but found `]`"},
      {"f({ a = 1 })", "1:7 expected `:` after the key but found `=`"},
      {"f(fn() {\n let = 1\n let = 2\n}, )\nlet = 3",
       "2:6 expected a name or a pattern but found `=`\n"
       "3:6 expected a name or a pattern but found `=`\n"
       "5:5 expected a name or a pattern but found `=`"},
      {"\"${a +} ${b c}\" + (",
       "1:7 expected an expression but found the end of the interpolation\n"
       "1:13 expected `}` at the end of the interpolation but found `c`\n"
       "1:20 expected an expression but found the end of the file"},
      {"fn f() {} export let x = 1", "1:11 expected a new line or `;` but found `export`"},
      {"class A {\n  fn f() {\n    if x {\n  }\n  fn g() { }\n}\n", "6:2 missing `}`"},
      {"x = [1, 2\ny = 3\nfn f() { return 1 }\nz = {a: 1\nw = 4", "1:10 missing `]`\n"
                                                                  "4:10 missing `}`"},
      {"a <> b", "1:4 expected an expression but found `>`"},
  };
  EXPECT_ROWS(rows);
}

static void expect_hint(const char *text, const char *expected) {
  Parsed parsed;
  cr_assert(parsed_open(&parsed, text, strlen(text), 0));
  const Diag *diag = parsed.diags.first;
  const char *hint = diag && diag->hint ? diag->hint : "(none)";
  cr_expect(strstr(hint, expected), "\n  text:     %s\n  expected: %s\n  got:      %s", text,
            expected, hint);
  parsed_close(&parsed);
}

Test(parser, hints) {
  static const Row rows[] = {
      {"if a = b { }", "`==` compares"},
      {"if a { } elif b { }", "`else if`"},
      {"!a", "not x"},
      {"a && b", "`and`"},
      {"a || b", "`or`"},
      {"a === b", "`==`"},
      {"i++", "x += 1"},
      {"i--\n", "x -= 1"},
      {"x = 'a'", "\"...\""},
      {"\"a", "same line"},
      {"1 < x < 3", "`1 < x and x < ...`"},
      {"a ? b : c", "if a { b } else { c }"},
      {"x := 1", "let x = 1"},
      {"print x", "f(x)"},
      {"switch x { }", "match"},
      {"new Point(1)", "calling its class"},
      {"function f() { }", "fn f"},
      {"var x = 1", "let x"},
      {"let f = (a, b) => a", "fn(a, b)"},
      {"let f = a => a", "fn(x)"},
      {"let f = fn() => { return 1 }", "expression"},
      {"for (x in xs) { }", "for x in xs"},
      {"for i = 1, 2 { }", "0..10"},
      {"if a: b", "{ ... }"},
      {"for x in {a: 1} { }", "parentheses"},
      {"{a: 1}", "parentheses"},
      {"f(a = 1)", "name: value"},
      {"let a, b = 1, 2", "let [a, b]"},
      {"let a: int = 1", "types"},
      {"return 1, 2", "[a, b]"},
      {"a\n+ b", "at its end"},
      {"x = .5", "0.5"},
      {"x = 017", "0o17"},
      {"x = \"\\q\"", "\\n"},
      {"defer { }", "fn() { ... }()"},
      {"super(1)", "super.init"},
      {"class A { let x = 1 }", "without `let`"},
      {"class A extends B { }", "class Name : Super"},
      {"class A { fn !=(o) { } }", "fn =="},
      {"match x { Point(a) => 1 }", "Point {x, y}"},
      {"match x { a | 1 => 1 }", "an arm for each"},
      {"match x { else => 1 }", "`_ => ...`"},
      {"import \"a-b\"", "as name"},
      {"let while = 1", "word of the language"},
      {"x = a ?? return", "statement"},
      {"class A {\n  fn f() {\n    if x {\n  }\n}", "line 3"},
      {"let a\xC2\xA0= 1", "blank"},
      {"x = \xE2\x80\x9C"
       "a",
       "double quotes"},
      {"9999999999999999999", "9223372036854775807"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_hint(rows[i].text, rows[i].expected);
}

/* ---- the end of the text ----------------------------------------------------------------- */

Test(parser, incomplete) {
  static const char *const incomplete[] = {
      "f(",          "[1,",  "{",          "fn f() {",  "x = {a: 1,",   "1 +",       "a and",
      "\"\"\"abc",   "#[ x", "if a {\n b", "class A {", "match x {",    "try { a }", "let x =",
      "fn f(a,\n b", "x |>", "export",     "let",       "f(\"\"\"a ${b"};
  static const char *const complete[] = {
      "",        "a",     "f(]",         "let = 1 +", "\"abc",     "}",
      "'a' + (", "a b (", "x = 1 = = (", "f() {",     "1 < 2 < 3", "(\x01",
  };
  for (size_t i = 0; i < sizeof incomplete / sizeof *incomplete; i++) {
    Parsed parsed;
    cr_assert(parsed_open(&parsed, incomplete[i], strlen(incomplete[i]), 0));
    cr_expect(parsed.result.incomplete, "incomplete: %s", incomplete[i]);
    cr_expect_not(parsed.result.ok, "not ok: %s", incomplete[i]);
    parsed_close(&parsed);
  }
  for (size_t i = 0; i < sizeof complete / sizeof *complete; i++) {
    Parsed parsed;
    cr_assert(parsed_open(&parsed, complete[i], strlen(complete[i]), 0));
    cr_expect_not(parsed.result.incomplete, "more lines do not help: %s", complete[i]);
    parsed_close(&parsed);
  }
}

Test(parser, head_comment) {
  Parsed parsed;
  static const char text[] = "#!/usr/bin/oxbow\n# What it is.\n#   More.\n\n# of f\nfn f() { }";
  cr_assert(parsed_open(&parsed, text, sizeof text - 1, 0));
  Text doc = parsed.result.program->doc;
  cr_expect_eq(doc.len, strlen("What it is.\n  More."));
  cr_expect_eq(memcmp(doc.chars, "What it is.\n  More.", doc.len), 0);
  parsed_close(&parsed);
}

/* ---- places ------------------------------------------------------------------------------ */

static void expect_rendered(const char *text, const char *expected) {
  Parsed parsed;
  Buffer out = {0};
  cr_assert(parsed_open(&parsed, text, strlen(text), 0));
  buffer_puts(&out, "");
  diag_render_all(&parsed.diags, NULL, buffer_write, &out);
  cr_expect_str_eq(out.chars, expected, "\nexpected:\n%s\ngot:\n%s", expected, out.chars);
  parsed_close(&parsed);
  free(out.chars);
}

Test(diag, rendering) {
  expect_rendered("let a = 1\nprint(a, b\nc", "test.oxb:2:11: error: missing `)`\n"
                                              "  2 | print(a, b\n"
                                              "    |           ^\n"
                                              "test.oxb:2:6: note: opened here\n"
                                              "  2 | print(a, b\n"
                                              "    |      ^\n");
  expect_rendered("\tx = \"\xE5\x80\xA4\xCC\x81\" + 'abc'",
                  "test.oxb:1:13: error: a string stands in double quotes\n"
                  "  1 |     x = \"\xE5\x80\xA4\xCC\x81\" + 'abc'\n"
                  "    |                ^^^^^\n"
                  "  hint: write \"...\" instead of '...'\n");
  expect_rendered("a = \"\x1b[31m\xE2\x80\xAE\" 1",
                  "test.oxb:1:14: error: expected a new line or `;` but found `1`\n"
                  "  1 | a = \"\xEF\xBF\xBD[31m\xEF\xBF\xBD\" 1\n"
                  "    |              ^\n");
  expect_rendered("a = (1 +\n2) = 3",
                  "test.oxb:1:5: error: what is assigned to takes no parentheses\n"
                  "  1 | a = (1 +\n"
                  "    |     ^^^^\n"
                  "  hint: `==` compares\n");
}

Test(diag, long_lines_and_colours) {
  char text[4096];
  memset(text, 'x', sizeof text);
  memcpy(text + 2000, " = = y; ", 8);
  Parsed parsed;
  Buffer out = {0};
  cr_assert(parsed_open(&parsed, text, sizeof text, 0));
  DiagStyle style = {true, "uncaught"};
  diag_render_all(&parsed.diags, &style, buffer_write, &out);
  cr_expect_lt(out.len, 600);
  cr_expect(strstr(out.chars, "test.oxb:1:2004: \x1b[1;31muncaught: "));
  cr_expect(strstr(out.chars, "...xxxx"));
  parsed_close(&parsed);
  free(out.chars);
}

Test(diag, no_more_than_twenty) {
  Buffer text = {0}, out = {0};
  for (int i = 0; i < 30; i++) buffer_puts(&text, "let = 1\n");
  Parsed parsed;
  cr_assert(parsed_open(&parsed, text.chars, text.len, 0));
  cr_expect_eq(parsed.diags.error_count, 30);
  diag_render_all(&parsed.diags, NULL, buffer_write, &out);
  cr_expect(strstr(out.chars, "test.oxb:20:5"));
  cr_expect_not(strstr(out.chars, "test.oxb:21:5"));
  cr_expect(strstr(out.chars, "and 10 more errors\n"));
  parsed_close(&parsed);
  free(text.chars);
  free(out.chars);
}

Test(source, positions) {
  static const char text[] = "\xEF\xBB\xBF"
                             "a\xC3\xA9z\r\nb\rc\n\n";
  Parsed parsed;
  cr_assert(parsed_open(&parsed, text, sizeof text - 1, 0));
  static const struct {
    uint32_t offset, line, column;
  } rows[] = {{3, 1, 1},  {4, 1, 2},  {6, 1, 3},  {9, 2, 1},
              {11, 3, 1}, {13, 4, 1}, {14, 5, 1}, {99, 5, 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    SourcePos pos = source_position(&parsed.source, rows[i].offset);
    cr_expect_eq(pos.line, rows[i].line, "line of %u", rows[i].offset);
    cr_expect_eq(pos.column, rows[i].column, "column of %u", rows[i].offset);
  }
  cr_expect_eq(parsed.source.line_count, 5);
  Span line = source_line_span(&parsed.source, 2);
  cr_expect_eq(line.start, 9);
  cr_expect_eq(line.end, 10);
  parsed_close(&parsed);
}

/* Spans of the whole statement and of its parts: what run-time errors will underline. */
Test(ast, spans) {
  static const char text[] = "  x = (a + b) * f(c)[1]?.d";
  Parsed parsed;
  cr_assert(parsed_open(&parsed, text, sizeof text - 1, 0));
  const Stmt *stmt = parsed.result.program->body->stmts[0];
  const Expr *product = stmt->expr->assign.value;
  const Expr *chain = product->binary.right;
  const Span expected[] = {{2, 26}, {6, 26}, {6, 13}, {14, 15}, {16, 26}, {16, 23}};
  const Span got[] = {stmt->span,
                      product->span,
                      product->binary.left->span,
                      product->binary.op_span,
                      chain->span,
                      chain->operand->field.object->span};
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    cr_expect_eq(got[i].start, expected[i].start, "start of %zu: %u", i, got[i].start);
    cr_expect_eq(got[i].end, expected[i].end, "end of %zu: %u", i, got[i].end);
  }
  parsed_close(&parsed);
}
