/* The back half of lang/: what the resolver says about wrong programs, and the bytecode of right
 * ones. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "lang/disasm.h"
#include "lang/lang.h"
#include "lang/opcode.h"
#include "bytecode_check.h"
#include "lang_helpers.h"

/* ---- an environment ----------------------------------------------------------------------- */

static const char *const core_names[] = {"print", "len", "error", NULL};

static int core_index(void *ctx, const char *name, uint32_t len) {
  (void)ctx;
  for (int i = 0; core_names[i]; i++) {
    if (strlen(core_names[i]) == len && memcmp(core_names[i], name, len) == 0) return i;
  }
  return -1;
}

static const char *core_name(void *ctx, uint32_t i) {
  (void)ctx;
  return core_names[i];
}

/* One global, `host`, is there; others get the numbers from 5 on. */
static int global_index(void *ctx, const char *name, uint32_t len, bool *is_const) {
  (void)ctx;
  *is_const = true;
  return len == 4 && memcmp(name, "host", 4) == 0 ? 4 : -1;
}

static int global_define(void *ctx, const char *name, uint32_t len, bool is_const) {
  (void)name, (void)len, (void)is_const;
  int *count = ctx;
  return 5 + (*count)++;
}

/* ---- compiling ---------------------------------------------------------------------------- */

typedef struct Compiled {
  Arena arena;
  Source source;
  Diags diags;
  LangResult result;
  int globals;
} Compiled;

static void compiled_open(Compiled *c, const char *text, bool session, size_t max_bytes) {
  *c = (Compiled){0};
  LangEnv env = {.ctx = &c->globals,
                 .core_index = core_index,
                 .core_name = core_name,
                 .global_index = global_index,
                 .global_define = global_define};
  LangOptions options = {
      .env = &env, .session = session, .want_value = session, .allow_unused = true};
  cr_assert(arena_init(&c->arena));
  c->arena.max_bytes = max_bytes;
  diag_init(&c->diags, &c->arena);
  if (source_init(&c->source, &c->arena, "test.oxb", text, strlen(text)) != SOURCE_OK) return;
  c->result = lang_compile(&c->arena, &c->source, &options, &c->diags);
}

/* A program that compiled has well-formed bytecode. */
static void expect_sound(const Compiled *c, const char *name) {
  char fault[128];
  if (!c->result.module) return;
  cr_expect(bytecode_check(c->result.module->main, fault, sizeof fault), "%s: %s", name, fault);
}

static void compiled_close(Compiled *c) { arena_free(&c->arena); }

/* Errors as `line:column message (hint)`, one a line. */
static void errors_of(const Compiled *c, Buffer *out) {
  buffer_puts(out, "");
  for (const Diag *diag = c->diags.first; diag; diag = diag->next) {
    SourcePos pos = source_position(&c->source, diag->span.start);
    char place[32];
    snprintf(place, sizeof place, "%s%u:%u ", out->len ? "\n" : "", pos.line, pos.column);
    buffer_puts(out, place);
    buffer_puts(out, diag->message);
    if (!diag->hint) continue;
    buffer_puts(out, " (");
    buffer_puts(out, diag->hint);
    buffer_puts(out, ")");
  }
}

/* One line of the disassembly without the column of line numbers, functions by name alone. */
static void tidy_line(const char *line, size_t len, Buffer *out) {
  enum { LINE_COLUMN = 6 };
  if (len > 3 && memcmp(line, "fn ", 3) == 0) {
    const char *end = memchr(line + 3, ' ', len - 3);
    buffer_write(out, line + 3, (size_t)(end - line) - 3);
    buffer_puts(out, ":\n");
  } else if (len > LINE_COLUMN) {
    buffer_write(out, line + LINE_COLUMN, len - LINE_COLUMN);
    buffer_puts(out, "\n");
  }
}

static void listing_of(const Compiled *c, Buffer *out) {
  Buffer raw = {0};
  disasm_module(c->result.module, &c->source, buffer_write, &raw);
  for (const char *line = raw.chars, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    tidy_line(line, (size_t)(end - line), out);
  }
  free(raw.chars);
}

/* ---- bytecode ----------------------------------------------------------------------------- */

typedef struct CodeRow {
  const char *name, *text;
  const char *listing; /* has to be in the program's listing */
} CodeRow;

static void expect_listing(const CodeRow *row, bool session) {
  Compiled c;
  Buffer out = {0};
  compiled_open(&c, row->text, session, 0);
  expect_sound(&c, row->name);
  if (c.result.module) listing_of(&c, &out);
  else errors_of(&c, &out);
  cr_expect(strstr(out.chars, row->listing), "%s\n--- source\n%s\n--- expected\n%s--- got\n%s",
            row->name, row->text, row->listing, out.chars);
  free(out.chars);
  compiled_close(&c);
}

Test(compile, bytecode) {
  static const CodeRow rows[] = {
      {"arith small constants",
       "fn f(a) => a + 1 - 2",
       "f:\n"
       "0000 ADDI 1 0 1\n0001 SUBI 1 1 2\n0002 RET 1\n"},
      {"arith number constants",
       "fn f(a) => a * 3 / 2.5 // 7 % 300",
       "f:\n"
       "0000 MULK 1 0 3\n0001 DIVK 1 1 2.5\n0002 IDIVK 1 1 7\n0003 MODK 1 1 300\n"
       "0004 RET 1\n"},
      {"constants on the left",
       "fn f(a) => 2 * a",
       "f:\n"
       "0000 KMUL 1 2 0\n0001 RET 1\n"},
      {"folding",
       "fn f() => [1 + 2 * 3, 7 // -2, -7 % 3, 2 ** 10, \"a\" + \"b\", 1 / 4, ~5, -(3)]",
       "f:\n"
       "0000 LOADI 1 7\n0001 LOADI 2 -4\n0002 LOADI 3 2\n0003 LOADI 4 1024\n"
       "0004 LOADK 5 \"ab\"\n0005 LOADK 6 0.25\n0006 LOADI 7 -6\n0007 LOADI 8 -3\n"
       "0008 NEWLIST 0 1 8\n0009 RET 0\n"},
      {"no folding of what throws",
       "fn f() => [1 // 0, 9223372036854775807 + 1, 1 << 64, 2 ** -1]",
       "f:\n"
       "0000 LOADI 1 1\n0001 IDIVK 1 1 0\n0002 LOADK 2 9223372036854775807\n"
       "0003 ADDI 2 2 1\n0004 LOADI 3 1\n0005 LOADI 4 64\n0006 SHL 3 3 4\n"
       "0007 LOADI 4 2\n0008 LOADI 5 -1\n0009 POW 4 4 5\n0010 NEWLIST 0 1 4\n"
       "0011 RET 0\n"},
      {"locals in place",
       "fn f(a, b) { let c = a + b; c += a; return c * b }",
       "f:\n"
       "0000 ADD 2 0 1\n0001 ADD 2 2 0\n0002 MUL 3 2 1\n0003 RET 3\n"},
      {"condition with constant",
       "fn f(a) { if a < 5 { return a } }",
       "f:\n"
       "0000 JNLTI 0 5 -> 0003\n0002 RET 0\n0003 RETNIL\n"},
      {"break as a conditional jump",
       "fn f(n) { while true { if n == 3 { continue }; if n > 4 { break }; n += 1 } }",
       "f:\n"
       "0000 JEQI 0 3 -> 0000\n0002 JGTI 0 4 -> 0006\n0004 ADDI 0 0 1\n"
       "0005 JLOOP -> 0000\n0006 RETNIL\n"},
      {"conditions",
       "fn f(a, b) { if a > b and not (a == \"x\") or b == nil { a = 1 } }",
       "f:\n"
       "0000 JNGT 0 1 -> 0004\n0002 JNEK 0 \"x\" -> 0006\n0004 JNNIL 1 -> 0007\n"
       "0006 LOADI 0 1\n0007 RETNIL\n"},
      {"loop tested at the bottom",
       "fn f(n) { let i = 0; while i < n { i += 1 } }",
       "f:\n"
       "0000 LOADI 1 0\n0001 JMP -> 0003\n0002 ADDI 1 1 1\n0003 JLT 1 0 -> 0002\n"
       "0005 RETNIL\n"},
      {"endless loop",
       "fn f() { while true { if f() { break } } }",
       "f:\n"
       "0000 GETCAP 0 0\n0001 CALL 0 0 0\n0002 JT 0 -> 0005\n0004 JLOOP -> 0000\n"
       "0005 RETNIL\n"},
      {"range loop",
       "fn f(n) { let s = 0; for i in 0..n { s += i }; return s }",
       "f:\n"
       "0000 LOADI 1 0\n0001 LOADI 2 0\n0002 MOVE 3 0\n0003 FORPREP 2 0 -> 0008\n"
       "0005 ADD 1 1 4\n0006 FORLOOP 2 -> 0005\n0008 RET 1\n"},
      {"iterator loop",
       "fn f(m) { for k, v in m { print(k, v) } }",
       "f:\n"
       "0000 ITER 1 0 2\n0001 JMP -> 0006\n0002 GETCORE 6 0\n0003 MOVE 8 4\n"
       "0004 MOVE 9 5\n0005 CALL 6 2 6\n0006 FORNEXT 1 2 -> 0002\n0008 RETNIL\n"},
      {"continue and labels",
       "fn f(xs) { outer: for x in xs { for y in x { if y { continue outer }; break outer } } }",
       "f:\n"
       "0000 ITER 1 0 1\n0001 JMP -> 0009\n0002 ITER 5 4 1\n0003 JMP -> 0007\n"
       "0004 JT 8 -> 0009\n0006 JMP -> 0011\n0007 FORNEXT 5 1 -> 0004\n"
       "0009 FORNEXT 1 1 -> 0002\n0011 RETNIL\n"},
      {"call results in place",
       "fn f(g, x) { let y = g(x); return g(g(y), 1) + 1 }",
       "f:\n"
       "0000 MOVE 2 0\n0001 MOVE 4 1\n0002 CALL 2 1 2\n0003 MOVE 3 0\n0004 MOVE 5 0\n"
       "0005 MOVE 7 2\n0006 CALL 5 1 5\n0007 LOADI 6 1\n0008 CALL 3 2 3\n"
       "0009 ADDI 3 3 1\n0010 RET 3\n"},
      {"method calls",
       "fn f(o) { o.a(1).b(o.c) }",
       "f:\n"
       "0000 MOVE 3 0\n0001 LOADI 4 1\n0002 INVOKE 1 1 3 \"a\" #0\n"
       "0004 GETF 4 0 \"c\" #1\n0006 INVOKE 1 1 1 \"b\" #2\n0008 RETNIL\n"},
      {"tail calls",
       "fn f(g, o) { if g { return g(1) }; return o.m(2) }",
       "f:\n"
       "0000 JF 0 -> 0005\n0002 MOVE 2 0\n0003 LOADI 4 1\n0004 TAILCALL 2 1\n"
       "0005 MOVE 4 1\n0006 LOADI 5 2\n0007 TAILINVOKE 2 1 \"m\" #0\n"},
      {"no tail call in try",
       "fn f(g) { try { return g(1) } catch e { return g(e) } }",
       "f:\n"
       "0000 MOVE 2 0\n0001 LOADI 4 1\n0002 CALL 2 1 2\n0003 RET 2\n0004 MOVE 2 0\n"
       "0005 MOVE 4 1\n0006 TAILCALL 2 1\nhandler 0000..0004 -> 0004 r1\n"},
      {"len",
       "fn f(xs) => len(xs) + len(xs, 1)",
       "f:\n"
       "0000 LEN 1 0\n0001 GETCORE 2 1\n0002 MOVE 4 0\n0003 LOADI 5 1\n"
       "0004 CALL 2 2 2\n0005 ADD 1 1 2\n0006 RET 1\n"},
      {"named and spread arguments",
       "fn f(g, xs, o) { g(1, b: 2); g(0, ...xs, k: 1); o.m(...xs) }",
       "f:\n"
       "0000 MOVE 3 0\n0001 LOADI 5 1\n0002 LOADI 6 2\n0003 CALLN 3 2 3 (\"b\")\n"
       "0005 MOVE 3 0\n0006 LOADI 6 0\n0007 NEWLIST 5 6 1\n0008 LISTEXT 5 1\n"
       "0009 LOADI 7 1\n0010 NEWMAPK 6 7 1 (\"k\")\n0012 CALLX 3 0 3\n0013 MOVE 5 2\n"
       "0014 GETM 3 5 \"m\" #0\n0016 NEWLIST 5 6 0\n0017 LISTEXT 5 1\n"
       "0018 LOADP 6 nil\n0019 CALLX 3 0 3\n0020 RETNIL\n"},
      {"optional chain",
       "fn f(a) => a?.b.c(1)?.[2] ?? 3",
       "f:\n"
       "0000 JNIL 0 -> 0014\n0002 GETFQ 3 0 \"b\" #0\n0004 JNIL 3 -> 0014\n"
       "0006 LOADI 4 1\n0007 INVOKE 1 1 1 \"c\" #1\n0009 JNIL 1 -> 0014\n"
       "0011 LOADI 2 2\n0012 GETIDXQ 1 1 2\n0013 JMP -> 0015\n0014 LOADP 1 nil\n"
       "0015 JNNIL 1 -> 0019\n0017 LOADI 2 3\n0018 RET 2\n0019 RET 1\n"},
      {"indexes and slices",
       "fn f(a, i) { a[0]; a[i]; a[300]; a[-1]; a[1..i]; a[..=2]; a[i, 2] }",
       "f:\n"
       "0000 GETIDXI 2 0 0\n0001 GETIDX 2 0 1\n0002 LOADI 3 300\n0003 GETIDX 2 0 3\n"
       "0004 LOADI 3 -1\n0005 GETIDX 2 0 3\n0006 LOADI 3 1\n0007 MOVE 4 1\n"
       "0008 SLICE 2 0 3\n0009 LOADP 3 nil\n0010 LOADI 4 2\n0011 SLICEI 2 0 3\n"
       "0012 MOVE 4 0\n0013 MOVE 5 1\n0014 LOADI 6 2\n0015 INVOKE 2 2 2 \"[]\" #0\n"
       "0017 RETNIL\n"},
      {"indexes with several keys",
       "fn f(a, i) { a[i, 0] = 5; a[0, i] += 1 }",
       "f:\n"
       "0000 MOVE 4 0\n0001 MOVE 5 1\n0002 LOADI 6 0\n0003 LOADI 7 5\n"
       "0004 INVOKE 2 3 2 \"[]=\" #0\n0006 LOADI 2 0\n0007 MOVE 3 1\n0008 MOVE 7 0\n"
       "0009 MOVE 8 2\n0010 MOVE 9 3\n0011 INVOKE 5 2 4 \"[]\" #1\n0013 ADDI 4 4 1\n"
       "0014 MOVE 7 0\n0015 MOVE 8 2\n0016 MOVE 9 3\n0017 MOVE 10 4\n"
       "0018 INVOKE 5 3 5 \"[]=\" #2\n0020 RETNIL\n"},
      {"assignments",
       "fn f(o, i) { o.x = i; o.x += 1; o[i] = 2; o[i] *= 3; o.y ?\?= 4 }",
       "f:\n"
       "0000 SETF 0 1 \"x\" #0\n0002 GETF 2 0 \"x\" #1\n0004 ADDI 2 2 1\n"
       "0005 SETF 0 2 \"x\" #2\n0007 LOADI 2 2\n0008 SETIDX 0 1 2\n0009 GETIDX 2 0 1\n"
       "0010 MULK 2 2 3\n0011 SETIDX 0 1 2\n0012 GETFQ 2 0 \"y\" #3\n"
       "0014 JNNIL 2 -> 0019\n0016 LOADI 2 4\n0017 SETF 0 2 \"y\" #4\n0019 RETNIL\n"},
      {"swap",
       "fn f(a, b) { [a, b] = [b, a] }",
       "f:\n"
       "0000 MOVE 2 1\n0001 MOVE 3 0\n0002 MOVE 0 2\n0003 MOVE 1 3\n0004 RETNIL\n"},
      {"destructuring",
       "fn f(v) { let [a, b = 2, ...c] = v; let {x, y: z = 1, ...r} = v }",
       "f:\n"
       "0000 UNPACK 1 0 2 1 rest\n0002 JPRESENT 2 -> 0005\n0004 LOADI 2 2\n"
       "0005 GETF 4 0 \"x\" #0\n0007 GETOPT 5 0 \"y\"\n0009 JPRESENT 5 -> 0012\n"
       "0011 LOADI 5 1\n0012 MAPREST 6 0 (\"x\" \"y\")\n0014 RETNIL\n"},
      {"captured by value",
       "fn f(a) => fn() => a",
       "f:\n"
       "0000 CLOSURE 1 0 none r0\n0003 RET 1\n"
       "<anonymous>:\n"
       "0000 GETCAP 0 0\n0001 RET 0\n"},
      {"captured and assigned",
       "fn f(a) { let g = fn() { a += 1 }; a = 2; return g }",
       "f:\n"
       "0000 NEWFRAME 1 0 255 1\n0002 SETSLOT 0 1 0\n0003 CLOSURE 2 0 frame 1\n"
       "0005 LOADI 3 2\n0006 SETSLOT 3 1 0\n0007 RET 2\n"
       "g:\n"
       "0000 GETUP 0 0 0\n0001 ADDI 0 0 1\n0002 SETUP 0 0 0\n0003 RETNIL\n"},
      {"own name by value",
       "fn f() { let g = fn(n) => g(n - 1); return g }",
       "f:\n"
       "0000 LOADP 0 nil\n0001 CLOSURE 0 0 none r0\n0004 FIXCAP 0 0 0\n0005 RET 0\n"
       "g:\n"
       "0000 GETCAP 1 0\n0001 SUBI 3 0 1\n0002 TAILCALL 1 1\n"},
      {"mutual recursion",
       "fn f() { fn even(n) => odd(n); fn odd(n) => even(n); return even }",
       "f:\n"
       "0000 LOADP 0 nil\n0001 CLOSURE 0 0 none r0\n0004 LOADP 1 nil\n"
       "0005 CLOSURE 1 1 none r1\n0008 FIXCAP 0 0 1\n0009 FIXCAP 1 0 0\n0010 RET 0\n"
       "even:\n"
       "0000 GETCAP 1 0\n0001 MOVE 3 0\n0002 TAILCALL 1 1\n"
       "odd:\n"
       "0000 GETCAP 1 0\n0001 MOVE 3 0\n0002 TAILCALL 1 1\n"},
      {"function used before its line",
       "fn f() { g(); let x = 1; fn g() => x }",
       "f:\n"
       "0000 NEWFRAME 0 0 255 1\n0002 CLOSURE 1 0 frame 0\n0004 MOVE 2 1\n"
       "0005 CALL 2 0 2\n0006 LOADI 2 1\n0007 SETSLOT 2 0 0\n0008 RETNIL\n"
       "g:\n"
       "0000 GETUPC 0 0 0\n0001 RET 0\n"},
      {"fresh frame for each turn",
       "fn f(xs) { for x in xs { x += 1; xs.push(fn() => x) } }",
       "f:\n"
       "0000 ITER 1 0 1\n0001 JMP -> 0012\n0002 NEWFRAME 5 0 255 1\n"
       "0004 SETSLOT 4 5 0\n0005 GETSLOT 6 5 0\n0006 ADDI 6 6 1\n"
       "0007 SETSLOT 6 5 0\n0008 CLOSURE 10 0 frame 5\n"
       "0010 PUSH 6 0 10 \"push\" #0\n0012 FORNEXT 1 1 -> 0002\n0014 RETNIL\n"
       "<anonymous>:\n"
       "0000 GETUP 0 0 0\n0001 RET 0\n"},
      {"hoisted capture",
       "fn f(xs) => fn() { let s = 0; while s < 9 { s += xs[s] }; return s }",
       "f:\n"
       "0000 CLOSURE 1 0 none r0\n0003 RET 1\n"
       "<anonymous>:\n"
       "0000 GETCAP 0 0\n0001 LOADI 1 0\n0002 JMP -> 0005\n0003 GETIDX 2 0 1\n"
       "0004 ADD 1 1 2\n0005 JLTI 1 9 -> 0003\n0007 RET 1\n"},
      {"frame levels",
       "fn f() { let a = 1; return fn() { let b = 2; return fn() { a += b; b = a } } }",
       "f:\n"
       "0000 NEWFRAME 0 0 255 1\n0002 LOADI 1 1\n0003 SETSLOT 1 0 0\n"
       "0004 CLOSURE 1 0 frame 0\n0006 RET 1\n"
       "<anonymous>:\n"
       "0000 NEWFRAME 0 0 255 1\n0002 LOADI 1 2\n0003 SETSLOT 1 0 0\n"
       "0004 CLOSURE 1 0 frame 0\n0006 RET 1\n"
       "<anonymous>:\n"
       "0000 GETUP 0 1 0\n0001 GETUP 1 0 0\n0002 ADD 0 0 1\n0003 SETUP 0 1 0\n"
       "0004 GETUP 0 1 0\n0005 SETUP 0 0 0\n0006 RETNIL\n"},
      {"defaults and rest",
       "fn f(a, b = a + 1, ...c) => [a, b, c]",
       "f:\n"
       "0000 JPRESENT 1 -> 0003\n0002 ADDI 1 0 1\n0003 MOVE 4 0\n0004 MOVE 5 1\n"
       "0005 MOVE 6 2\n0006 NEWLIST 3 4 3\n0007 RET 3\n"},
      {"defer",
       "fn f(x) { defer x.close(1); x.go() }",
       "f:\n"
       "0000 NEWLIST 1 0 0\n0001 LOADP 3 nil\n0002 GETM 4 0 \"close\" #0\n0004 LOADI 6 1\n"
       "0005 NEWLIST 5 6 1\n0006 LOADP 6 nil\n0007 NEWLIST 4 4 3\n"
       "0008 LISTPUSH 1 4 1\n0009 MOVE 6 0\n0010 INVOKE 4 0 4 \"go\" #1\n"
       "0012 LOADI 2 0\n0013 JMP -> 0015\n0014 LOADI 2 1\n"
       "0015 DEFERRUN 1 4 -> 0019\n0017 CALLX 4 0 4\n0018 JLOOP -> 0015\n"
       "0019 JEQI 2 0 -> 0022\n0021 RETHROW 3\n0022 RETNIL\n"
       "handler 0002..0012 -> 0014 r3\nhandler 0017..0018 -> 0014 r3\n"},
      {"finally",
       "fn f(g) { for x in g { try { if x { break }; g(x) } finally { g(0) } } }",
       "f:\n"
       "0000 ITER 1 0 1\n0001 JMP -> 0022\n0002 LOADP 6 nil\n0003 JF 4 -> 0007\n"
       "0005 LOADI 5 2\n0006 JMP -> 0013\n0007 MOVE 7 0\n0008 MOVE 9 4\n0009 CALL 7 1 7\n"
       "0010 LOADI 5 0\n0011 JMP -> 0013\n0012 LOADI 5 1\n0013 MOVE 7 0\n"
       "0014 LOADI 9 0\n0015 CALL 7 1 7\n0016 JEQI 5 0 -> 0022\n"
       "0018 JNEI 5 1 -> 0021\n0020 RETHROW 6\n0021 JMP -> 0024\n"
       "0022 FORNEXT 1 1 -> 0002\n0024 RETNIL\nhandler 0003..0010 -> 0012 r6\n"},
      {"match literals",
       "fn f(v) => match v { 1 | 2 => \"a\", \"x\" => \"b\", nil => 0, n if n > 3 => n, _ => 9 }",
       "f:\n"
       "0000 JEQI 0 1 -> 0004\n0002 JNEI 0 2 -> 0006\n0004 LOADK 1 \"a\"\n0005 RET 1\n"
       "0006 JNEK 0 \"x\" -> 0010\n0008 LOADK 1 \"b\"\n0009 RET 1\n"
       "0010 JNNIL 0 -> 0014\n0012 LOADI 1 0\n0013 RET 1\n0014 MOVE 1 0\n"
       "0015 JNGTI 1 3 -> 0018\n0017 RET 1\n0018 LOADI 1 9\n0019 RET 1\n"},
      {"match structures",
       "fn f(v) => match v { [1, x] => x, {k: \"a\", r} => r, is int => 1, P p => p }\n"
       "class P {}",
       "<main>:\n"
       "0000 NEWFRAME 0 0 255 1\n0002 CLOSURE 1 0 frame 0\n0004 CLASS 2 255 \"P\"\n"
       "0006 CLASSEND 2\n0007 SETSLOT 2 0 0\n0008 RETNIL\n"
       "f:\n"
       "0000 TESTLIST 0 2 0 -> 0007\n0002 UNPACK 1 0 2 2\n0004 JNEI 1 1 -> 0007\n"
       "0006 RET 2\n0007 TESTMAP 0 -> 0020\n0009 GETOPT 1 0 \"k\"\n"
       "0011 JABSENT 1 -> 0020\n0013 JNEK 1 \"a\" -> 0020\n0015 GETOPT 2 0 \"r\"\n"
       "0017 JABSENT 2 -> 0020\n0019 RET 2\n0020 ISTYPE 1 0 int\n0021 JF 1 -> 0025\n"
       "0023 LOADI 1 1\n0024 RET 1\n0025 GETUPC 2 0 0\n0026 IS 1 0 2\n"
       "0027 JF 1 -> 0031\n0029 MOVE 1 0\n0030 RET 1\n0031 MATCHFAIL 0\n"},
      {"class",
       "class A { x = 0; y = []; fn init(x) { self.x = x }; fn get() => self.x }\n"
       "class B : A { fn get() => super.get() + super.init(1) }",
       "<main>:\n"
       "0000 CLASS 0 255 \"A\"\n0002 LOADI 1 0\n0003 FIELD 0 1 0 \"x\"\n"
       "0005 LOADP 1 nil\n0006 FIELD 0 1 1 \"y\"\n0008 CLOSURE 1 0 none\n"
       "0010 METHOD 0 1 \"%fields\"\n0012 CLOSURE 1 1 none\n0014 METHOD 0 1 \"init\"\n"
       "0016 CLOSURE 1 2 none\n0018 METHOD 0 1 \"get\"\n0020 CLASSEND 0\n"
       "0021 MOVE 2 0\n0022 CLASS 1 2 \"B\"\n0024 CLOSURE 3 3 none r2\n"
       "0027 METHOD 1 3 \"get\"\n0029 CLASSEND 1\n0030 RETNIL\n"
       "%fields:\n"
       "0000 NEWLIST 1 2 0\n0001 SETF 0 1 \"y\" #0\n0003 RETNIL\n"
       "A.init:\n"
       "0000 SETF 0 1 \"x\" #0\n0002 RETNIL\n"
       "A.get:\n"
       "0000 GETF 1 0 \"x\" #0\n0002 RET 1\n"
       "B.get:\n"
       "0000 GETCAP 4 0\n0001 SUPERGET 1 4 255 \"get\" #0\n0003 MOVE 3 0\n"
       "0004 CALL 1 1 1\n0005 GETCAP 5 0\n0006 SUPERGET 2 5 255 \"init\" #1\n"
       "0008 MOVE 4 0\n0009 LOADI 5 1\n0010 CALL 2 2 2\n0011 ADD 1 1 2\n0012 RET 1\n"},
      {"maps",
       "fn f(a) { let m = {a, b: 1}; let n = {[a]: 1, ...m, c: 2} }",
       "f:\n"
       "0000 MOVE 2 0\n0001 LOADI 3 1\n0002 NEWMAPK 1 2 2 (\"a\" \"b\")\n"
       "0004 NEWMAP 2 3\n0005 LOADI 3 1\n0006 MAPPUT 2 0 3\n0007 MAPEXT 2 1\n"
       "0008 LOADK 3 \"c\"\n0009 LOADI 4 2\n0010 MAPPUT 2 3 4\n0011 RETNIL\n"},
      {"interpolation",
       "fn f(a) => \"x ${a} y\"",
       "f:\n"
       "0000 LOADK 2 \"x \"\n0001 MOVE 3 0\n0002 LOADK 4 \" y\"\n0003 CONCAT 1 2 3\n"
       "0004 RET 1\n"},
      {"if value",
       "fn f(a) { let b = if a { 1 } else { 2 }; a = a or b; return a }",
       "f:\n"
       "0000 JF 0 -> 0004\n0002 LOADI 1 1\n0003 JMP -> 0005\n0004 LOADI 1 2\n"
       "0005 MOVE 2 0\n0006 JT 2 -> 0009\n0008 MOVE 2 1\n0009 MOVE 0 2\n0010 RET 0\n"},
      {"assigned in an operand",
       "fn f(a) => a + if a { a = 2; 1 } else { 0 }",
       "f:\n"
       "0000 MOVE 1 0\n0001 MOVE 3 0\n0002 JF 3 -> 0007\n0004 LOADI 0 2\n"
       "0005 LOADI 2 1\n0006 JMP -> 0008\n0007 LOADI 2 0\n0008 ADD 1 1 2\n"
       "0009 RET 1\n"},
      {"yield",
       "fn f() { let x = yield 1; yield }",
       "f:\n"
       "0000 LOADI 1 1\n0001 YIELD 0 1\n0002 LOADP 2 nil\n0003 YIELD 1 2\n"
       "0004 RETNIL\n"},
      {"exports",
       "export let n = 0\n"
       "export const k = 1\n"
       "export fn g() { n += k }",
       "<main>:\n"
       "0000 NEWFRAME 0 0 255 3\n0002 SETMOD 0\n0003 LOADI 1 0\n0004 SETSLOT 1 0 0\n"
       "0005 LOADI 1 1\n0006 SETSLOT 1 0 1\n0007 CLOSURE 2 0 frame 0 r1\n"
       "0010 SETSLOT 2 0 2\n0011 RETNIL\n"
       "g:\n"
       "0000 GETUP 0 0 0\n0001 GETCAP 1 0\n0002 ADD 0 0 1\n0003 SETUP 0 0 0\n"
       "0004 RETNIL\n"},
      {"imports",
       "import math\n"
       "from \"lib/a\" import b\n"
       "fn f() => math.sin(b)",
       "<main>:\n"
       "0000 IMPORT 0 0\n0001 IMPORT 1 1\n0002 GETF 2 1 \"b\" #0\n"
       "0004 CLOSURE 2 0 none r0 r1\n0008 RETNIL\n"
       "f:\n"
       "0000 GETCAP 0 0\n0001 GETF 0 0 \"sin\" #0\n0003 GETCAP 3 1\n"
       "0004 GETF 2 3 \"b\" #1\n0006 TAILCALL 0 1\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect_listing(&rows[i], false);
}

Test(compile, session) {
  static const CodeRow rows[] = {
      {"globals", "let x = 1\nfn f() => x + host\nf()",
       "<main>:\n0000 LOADI 0 1\n0001 SETGLOBAL 0 5\n0002 CLOSURE 0 0 none\n"
       "0004 SETGLOBAL 0 6\n0005 GETGLOBAL 0 6\n0006 CALL 0 0 0\n0007 RET 0\n"
       "f:\n0000 GETGLOBAL 0 5\n0001 GETGLOBAL 1 4\n0002 ADD 0 0 1\n0003 RET 0\n"},
      {"destructuring and assignment", "let [a, b] = [1, 2]\na = b",
       "0002 SETGLOBAL 0 5\n0003 SETGLOBAL 1 6\n0004 GETGLOBAL 0 6\n0005 SETGLOBAL 0 5\n"},
      {"functions before their line", "f()\nfn f() => 1", "<main>:\n0000 CLOSURE 0 0 none\n"},
      {"blocks have locals", "{ let a = 1; host(a) }\n", "0000 LOADI 0 1\n0001 GETGLOBAL 1 4\n"},
      {"no value", "let a = 1", "0001 SETGLOBAL 0 5\n0002 RETNIL\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect_listing(&rows[i], true);
}

/* ---- errors ------------------------------------------------------------------------------- */

typedef struct ErrorRow {
  const char *text, *errors;
} ErrorRow;

Test(compile, errors) {
  static const ErrorRow rows[] = {
      {"print(conter)", "1:7 'conter' is not defined"},
      {"let counter = 1\nprint(conter)", "2:7 'conter' is not defined (did you mean 'counter'?)"},
      {"pritn(1)", "1:1 'pritn' is not defined (did you mean 'print'?)"},
      {"let x = null", "1:9 'null' is not defined (write 'nil')"},
      {"fn f() => this", "1:11 'this' is not defined (the receiver is called 'self')"},
      {"x = 1", "1:1 'x' is not defined (declare it first: let x = ...)"},
      {"print(y)\nprint(y)", "1:7 'y' is not defined"},
      {"print(x)\nlet x = 1", "1:7 'x' is used before its declaration on line 2"},
      {"let x = x + 1", "1:9 'x' is used before its declaration on line 1"},
      {"let x = 1\n{ print(x); let x = 2 }", "2:9 'x' is used before its declaration on line 2"},
      {"A()\nclass A {}", "1:1 'A' is used before its declaration on line 2"},
      {"fn f(a = b, b = 1) => a", "1:10 'b' is used before its declaration on line 1"},
      {"let x = 1\nlet x = 2", "2:5 'x' is already declared here, on line 1"},
      {"fn f(a, a) => a", "1:9 'a' is already a parameter here, on line 1"},
      {"fn f() {}\nlet f = 1", "2:5 'f' is already declared here, on line 1"},
      {"let [a, a] = [1, 2]", "1:9 'a' is already declared here, on line 1"},
      {"const c = 1\nc = 2",
       "2:1 cannot assign to 'c': it is a constant (declare it with 'let' to change it later)"},
      {"const c = 1\nfn f() { c += 2 }",
       "2:10 cannot assign to 'c': it is a constant (declare it with 'let' to change it later)"},
      {"fn f() {}\nf = 2", "2:1 cannot assign to 'f': it is a function"},
      {"class A {}\nA = 2", "2:1 cannot assign to 'A': it is a class"},
      {"import math\nmath = 2", "2:1 cannot assign to 'math': it is an import"},
      {"print = 2",
       "1:1 cannot assign to 'print': it is a core name (declare your own with 'let print = ...')"},
      {"break", "1:1 'break' outside a loop"},
      {"while true { fn f() { continue } }", "1:23 'continue' outside a loop"},
      {"a: while true { break b }", "1:23 no loop around is labelled 'b'"},
      {"return 1", "1:1 'return' outside a function"},
      {"yield 1", "1:1 'yield' outside a function"},
      {"self.x", "1:1 'self' is known only in methods"},
      {"super.x()", "1:1 'super' is known only in methods"},
      {"class A { fn f() => super.f() }", "1:21 class 'A' has no superclass"},
      {"class A { fn init() { return 1 } }",
       "1:30 'init' cannot return a value (calling the class gives the new instance)"},
      {"let xs = [1]\nxs[1.., 2]",
       "2:4 a range with an open end can only be the one index of a slice"},
      {"let m = {}\nlet {1: a, ...r} = m", "2:6 a pattern with '...' takes no number keys"},
      {"print(aa)\nprint(bb)\nbreak",
       "1:7 'aa' is not defined\n2:7 'bb' is not defined\n3:1 'break' outside a loop"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    Compiled c;
    Buffer out = {0};
    compiled_open(&c, rows[i].text, false, 0);
    errors_of(&c, &out);
    cr_expect_null(c.result.module);
    cr_expect_str_eq(out.chars, rows[i].errors, "\n%s\n  expected: %s\n  got:      %s",
                     rows[i].text, rows[i].errors, out.chars);
    free(out.chars);
    compiled_close(&c);
  }
}

/* ---- spans -------------------------------------------------------------------------------- */

static Span span_at(const FnProto *proto, uint32_t pc) {
  Span span = {0, 0};
  for (uint32_t i = 0; i < proto->nspans && proto->spans[i].pc <= pc; i++) {
    span = (Span){proto->spans[i].from, proto->spans[i].to};
  }
  return span;
}

/* The source text of the first instruction `op` of the function. */
static void expect_span(const FnProto *proto, const char *text, Opcode op, const char *expected) {
  for (uint32_t pc = 0; pc < proto->ncode; pc += op_length(&proto->code[pc])) {
    if (op_code(proto->code[pc]) != op) continue;
    Span span = span_at(proto, pc);
    cr_expect(span.end - span.start == strlen(expected) &&
                  memcmp(text + span.start, expected, strlen(expected)) == 0,
              "%s: expected '%s', got '%.*s'", ox_op_info[op].name, expected,
              (int)(span.end - span.start), text + span.start);
    return;
  }
  cr_expect_fail("no %s", ox_op_info[op].name);
}

Test(compile, spans) {
  static const char text[] =
      "fn f(a, b) { let c = a + b * 2; a.x.y(b)(1); c[a] = -b; if a < b { throw late }; a is b }\n"
      "let late = f";
  Compiled c;
  compiled_open(&c, text, false, 0);
  cr_assert(c.result.module);
  const FnProto *f = c.result.module->main->children[0];
  expect_span(f, text, OP_MULK, "b * 2");
  expect_span(f, text, OP_ADD, "a + b * 2");
  expect_span(f, text, OP_GETF, "a.x");
  expect_span(f, text, OP_INVOKE, "a.x.y(b)");
  expect_span(f, text, OP_CALL, "a.x.y(b)(1)");
  expect_span(f, text, OP_NEG, "-b");
  expect_span(f, text, OP_SETIDX, "c[a]");
  expect_span(f, text, OP_JNLT, "a < b");
  expect_span(f, text, OP_GETUPC, "late");
  expect_span(f, text, OP_THROW, "throw late");
  expect_span(f, text, OP_IS, "a is b");
  compiled_close(&c);
}

/* ---- limits ------------------------------------------------------------------------------- */

/* `count` times `item` between `head` and `tail`; %u in it is the number. */
static char *repeated(const char *head, const char *item, const char *tail, unsigned count) {
  Buffer out = {0};
  buffer_puts(&out, head);
  for (unsigned i = 0; i < count; i++) {
    char text[128];
    snprintf(text, sizeof text, item, i, i, i);
    buffer_puts(&out, text);
  }
  buffer_puts(&out, tail);
  return out.chars;
}

typedef struct LimitRow {
  const char *head, *item, *tail;
  unsigned count;
  const char *error; /* NULL: it compiles */
} LimitRow;

Test(compile, limits, .timeout = 60) {
  static const LimitRow rows[] = {
      {"", "let v%u = %u\n", "print(v1, v999)\nfn f() => v998", 1000, NULL},
      {"", "fn f%u() => f0(%u)\n", "f999()", 1000, NULL},
      {"", "let [a%u, b%u] = [1, 2]\n", "print(a400, b7)", 500, NULL},
      {"", "let {a%u, b%u} = print(%u)\n", "print(a400, b7)", 500, NULL},
      {"", "from math import sin as s%u\n", "print(s399)", 400, NULL},
      {"", "let v%u = %u\n", "fn f() { v1 = v2; return fn() => v3 + v999 }", 1000, NULL},
      {"let v = [", "%u, ", "]", 60000, NULL},
      {"let v = [", "%u.5, ", "]", 70000, "too many constants in one function"},
      {"let v = {", "a%u: %u, ", "}", 10000, NULL},
      {"print(", "%u, ", "0)", 2000, NULL},
      {"fn f(a) {\n", "a.b\n", "}", 66000, "too many member accesses in one function"},
      {"fn f(", "a%u, ", "b) => b", 99, NULL},
      {"fn f(", "a%u, ", "b) => b", 100, "a function can have at most 100 parameters"},
      {"let a = 1\nlet b = a", " + a", "", 900, NULL},
      {"let a = 1\nlet b = a", ".f(a)[a]", "", 300, NULL},
      {"let a = 1\nif a", " and a", " { a = 2 }", 900, NULL},
      {"let a = 1\nif a { }", " else if a == %u { a = 1 }", "", 3000, NULL},
      {"let a = \"", "${print} and ", "\"", 2000, NULL},
      {"class A { ", "x%u = []; fn m%u() => self.x%u; ", "}", 1000, NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    Compiled c;
    const LimitRow *row = &rows[i];
    char *text = repeated(row->head, row->item, row->tail, row->count);
    compiled_open(&c, text, false, 0);
    const char *got = c.diags.first ? c.diags.first->message : "no error";
    if (row->error) cr_expect_str_eq(got, row->error);
    else cr_expect(c.result.module, "%s%s...: %s", row->head, row->item, got);
    expect_sound(&c, row->item);
    free(text);
    compiled_close(&c);
  }
}

static char *nested(const char *open, const char *middle, const char *close, unsigned depth) {
  char *left = repeated("", open, middle, depth);
  char *whole = repeated(left, close, "", depth);
  free(left);
  return whole;
}

Test(compile, too_many_registers) {
  Compiled c;
  char *text = nested("for i in x { ", "", "} ", 60);
  char *program = repeated("let x = 1\n", "%.0s", text, 0);
  compiled_open(&c, program, false, 0);
  cr_expect_str_eq(c.diags.first->message, "this function or expression needs too many registers");
  cr_expect_eq(c.diags.error_count, 1u);
  compiled_close(&c);
  free(program);
  free(text);
}

Test(compile, nesting, .timeout = 60) {
  static const char *const rows[][3] = {
      {"(", "1", ")"},           {"[", "1", "]"},      {"{a: ", "1", "}"}, {"- ", "1", ""},
      {"if 1 { ", "1", "} "},    {"fn() => ", "1", ""}, {"(1 + ", "1", ")"}, {"\"${", "1", "}\""},
      {"match 1 { _ => ", "1", "} "}, {"try { ", "1", "} catch e { } "}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (unsigned depth = 40; depth <= 400; depth += 60) {
      Compiled c;
      char *text = nested(rows[i][0], rows[i][1], rows[i][2], depth);
      char *program = repeated("let x = ", "", text, 0);
      compiled_open(&c, program, false, 0);
      cr_expect(c.result.module || c.diags.error_count > 0);
      expect_sound(&c, rows[i][0]);
      compiled_close(&c);
      free(program);
      free(text);
    }
  }
}

/* ---- out of memory ------------------------------------------------------------------------ */

Test(compile, out_of_memory, .timeout = 60) {
  static const char text[] =
      "let total = 0\nclass A { x = []; fn add(n) { self.x.push(n); total += n } }\n"
      "fn walk(xs, f = fn(x) => x) { for x in xs { try { f(x) } catch e { print(e) } finally {\n"
      "total += 1 } }; return match xs { [a, ...b] => a, {k} => k, _ => \"${total} ${xs}\" } }\n"
      "walk([1, 2, ...[3]], f: fn(x) => A().add(x))\n";
  size_t full = 0;
  for (size_t limit = 0; limit <= 200000; limit += 512) {
    Compiled c;
    compiled_open(&c, text, false, limit ? limit : 0);
    cr_expect(c.result.module || c.arena.oom, "neither a module nor out of memory at %zu", limit);
    if (limit == 0) full = c.arena.used;
    compiled_close(&c);
    if (limit > full) break;
  }
}
