// fuzz_api.c - random sequences of calls of the C API, also from inside native functions.
//
// The input is a program for the machine below: each byte is an operation, its operands are the
// bytes after it. Values live in registers. The host keeps the rules of oxbow.h (values die with
// their scope, finalizers do not call into the VM), and breaks those whose breaking must be answered
// by OX_MISUSE: OX_NONE, wrong types, names that are none.
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTERS = 16, MAX_SCOPES = 6, MAX_DEPTH = 4, MAX_PINS = 8, FUEL = 30000 };

typedef struct {
  ox_VM *vm;
  const uint8_t *data;
  size_t size, at;
  ox_Value registers[REGISTERS];
  int level[REGISTERS];       // scopes that were open when the register was written
  ox_Scope scopes[MAX_SCOPES];
  int open, depth;
  ox_Value pins[MAX_PINS];
  int npins;
  long objects;               // foreign objects and contexts of functions not finalized yet
} Machine;

static const char *const programs[] = {
    "1", "nil", "[1, 2.5, \"three\", nil, true]", "{a: 1, b: [2], 3: \"c\"}", "fn(x = 1) => x",
    "fn(...xs) => xs", "class P { x = 1; fn init(x = 2) { self.x = x }; fn str() => \"P\" }; P",
    "class Q { fn call(f) => f(); fn ==(o) => true; fn len() => 3; fn iter() => [1] }; Q()",
    "fiber(fn() { let a = yield 1; yield a; throw \"end\" })", "error(\"made\", {a: 1})",
    "let xs = []; xs.push(xs); xs", "let m = {}; m[\"m\"] = m; m", "throw error(\"thrown\")",
    "throw nil", "fn(f) => f(f)", "fn(f) { try { return f() } catch e { return e } }",
    "fn(f) { try { return f() } finally { 1 } }", "fn(f) => [3, 1, 2].map(f)",
    "fn(f) => sorted([3, 1, 2], fn(a, b) => f(a, b))", "fn(f) => fiber(fn() { yield f(1) }).next()",
    "while true {}", "fn r() => 1 + r(); r()", "let s = \"x\"; while true { s = s + s }",
    "import math; math", "import json; json.stringify", "import fs", "1 +", "let let", "\xff", "",
    "\"text\".split", "import set; set.new([1, 2])", "0..5", "fn(k, v) { globalThing = v }",
    "let g1 = 5; fn() { g1 += 1; return g1 }", "const g2 = [1]; g2", "str", "[1, 2, 3].push",
    "fn(o) => o.x", "fn(o) { o.x = 5; return o }", "fn(a, b) => a == b", "fn(a, b) => a + b",
    "fn(a, b) => a[b]", "fn(a) { for x in a { yield x } }", "import memory; memory.collect()",
    "fn(a) => \"${a}\"", "{let: 1}", "match 5 { is string => 1 }", "[1][9]", "9223372036854775807",
};
static const char *const names[] = {
    "x", "print", "str", "push", "len", "map", "next", "send", "message", "trace", "class", "init",
    "g1", "g2", "a", "", "no such name", "let", "join", "sort", "sqrt", "\xff\xfe", "name", "done",
};
static const char *const signatures[] = {
    "host(a, b = 1)", "host(...all)", "host()", "host(a, ...rest)", "host(self, x)", "bad(", "",
    "host(a: int, b: list? = nil)", "host(a: thing)", "host(f: function, ...xs: number)", "host(a:)",
    "host(a, a)", "host(a = , b)", "host(...a, ...b)", "0(a)", "host(x, sep = 1, ...)", "h(a, b, c)",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

// ---------------------------------------------------------------------------------------------
// Operands

static unsigned byte(Machine *m) { return m->at < m->size ? m->data[m->at++] : 0; }
static ox_Value in(Machine *m) { return m->registers[byte(m) % REGISTERS]; }
static const char *pick(Machine *m, const char *const *from, size_t count) {
  return from[byte(m) % count];
}
#define PICK(m, list) pick(m, list, COUNT(list))

static void out(Machine *m, ox_Value v) {
  unsigned r = byte(m) % REGISTERS;
  m->registers[r] = v;
  m->level[r] = m->open;
}

static void check(Machine *m, ox_Status status) {
  if (status == OX_OK) return;
  if (status > OX_MISUSE) fuzz_fail("a status that does not exist");
  if (byte(m) % 4 == 0) fuzz_read_error(m->vm);
}

static int64_t number(Machine *m) {
  static const int64_t extremes[] = {0, 1, -1, INT64_MIN, INT64_MAX, (int64_t)1 << 47,
                                     -((int64_t)1 << 47), ((int64_t)1 << 47) - 1, 1 << 20};
  unsigned b = byte(m);
  return b < 128 ? (int64_t)b - 64 : extremes[b % COUNT(extremes)];
}

// ---------------------------------------------------------------------------------------------
// Functions and objects of the host

static void operate(Machine *m);

typedef struct { Machine *machine; } Owned;

static Owned *owned_new(Machine *m) {
  Owned *o = malloc(sizeof *o);
  if (!o) abort();
  o->machine = m;
  m->objects++;
  return o;
}

static void owned_free(void *context) {
  Owned *o = context;
  o->machine->objects--;
  free(o);
}

static ox_Value host(ox_VM *vm, void *context, int argc, const ox_Value *argv);

static const ox_Method methods_a[] = {
    {"push(self, value)", NULL, host}, {"get x(self)", NULL, host}, {"set x(self, v: int)", NULL, host},
    {"==(self, other)", NULL, host},   {"+(self, other)", NULL, host}, {"str(self)", NULL, host},
    {"iter(self)", NULL, host},        {"[](self, i: number)", NULL, host}, {"len(self)", NULL, host},
    {"call(self, ...rest: int?)", NULL, host}, {"hash(self)", NULL, host}, {NULL, NULL, NULL},
};
static const ox_Method methods_bad[] = {{"f(x)", NULL, host}, {NULL, NULL, NULL}};
static const ox_ForeignType type_a = {
    .size = sizeof type_a, .name = "thing", .finalize = owned_free, .methods = methods_a};
static const ox_ForeignType type_b = {.size = sizeof type_b, .name = "other"};
static const ox_ForeignType type_bad = {
    .size = sizeof type_bad, .name = "bad", .finalize = owned_free, .methods = methods_bad};

// Called by programs: goes on with the input, one level deeper.
static ox_Value host(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  Machine *m = ((Owned *)context)->machine;
  if (vm != m->vm) fuzz_fail("another VM calls");
  ox_Value saved[REGISTERS];
  int levels[REGISTERS], open = m->open;
  memcpy(saved, m->registers, sizeof saved);
  memcpy(levels, m->level, sizeof levels);
  for (int i = 0; i < argc && i < 4; i++) m->registers[i] = argv[i], m->level[i] = m->open;
  unsigned steps = m->depth < MAX_DEPTH ? byte(m) % 8 : 0;
  m->depth++;
  while (steps-- > 0 && m->at < m->size) operate(m);
  m->depth--;
  ox_Value result = in(m);
  unsigned how = byte(m) % 8;
  if (m->open > open) { // close what was opened in here
    result = ox_scope_close_keeping(vm, m->scopes[open], result);
    m->open = open;
  }
  memcpy(m->registers, saved, sizeof saved);
  memcpy(m->level, levels, sizeof levels);
  if (how == 0) return ox_throw(vm, byte(m) % 2 ? "type" : NULL, "host throws %d", argc);
  if (how == 1) return ox_throw_value(vm, result);
  if (how == 2) return ox_rethrow(vm);
  if (how == 3) return ox_suspend(vm, result, byte(m) % 2 ? ox_none() : argc > 0 ? argv[0] : result);
  return result;
}

// ---------------------------------------------------------------------------------------------
// Operations

static ox_Value make(Machine *m) {
  ox_VM *vm = m->vm;
  static const char text[] = "some text, long enough not to be interned \xc3\xa9\xff\0end";
  ox_Value items[3];
  switch (byte(m) % 16) {
    case 12: return ox_fiber(vm, in(m));
    case 13: return ox_new_error(vm, PICK(m, names), "made %d", 1);
    case 14: return byte(m) % 2 ? ox_class(vm, &type_a) : ox_class(vm, &type_bad);
    case 15: return ox_foreign(vm, &type_bad, owned_new(m));
    case 0: return ox_none();
    case 1: return ox_nil();
    case 2: return ox_bool(byte(m) & 1);
    case 3: return ox_float((double)number(m) / 3);
    case 4: return ox_int(vm, number(m));
    case 5: return ox_string(vm, text, byte(m) % sizeof text);
    case 6: return ox_text(vm, PICK(m, names));
    case 7:
      for (int i = 0; i < 3; i++) items[i] = in(m);
      return ox_list(vm, items, byte(m) % 4);
    case 8: return ox_map(vm);
    case 9: return ox_function(vm, PICK(m, signatures), "does things", host, owned_new(m), owned_free);
    case 10: return ox_foreign(vm, &type_a, owned_new(m));
    default: return ox_foreign(vm, &type_b, m);
  }
}

static void read_value(Machine *m) {
  ox_VM *vm = m->vm;
  ox_Value v = in(m), key, value;
  size_t length, seen = 0;
  uint32_t at = 0;
  seen += (size_t)ox_type(v) + strlen(ox_type_name(vm, v)) + ox_truth(v) + ox_is_none(v);
  if (ox_type(v) == OX_TYPE_INT || ox_type(v) == OX_TYPE_FLOAT)
    seen += (size_t)ox_as_int(vm, v) + (ox_as_float(vm, v) > 0);
  seen += (size_t)ox_length(vm, v);
  const char *text = ox_as_string(vm, v, &length);
  if (text && text[length] != 0) fuzz_fail("a string without its NUL");
  for (int n = 0; n < 100 && ox_next(vm, v, &at, &key, byte(m) % 2 ? &value : NULL); n++)
    seen += (size_t)ox_type(key);
  if (ox_foreign_object(vm, v, &type_b) != NULL && ox_foreign_object(vm, v, &type_a) != NULL)
    fuzz_fail("an object of two types");
  volatile size_t sink = seen; // so that nothing above is left out
  (void)sink;
}

static void call(Machine *m) {
  ox_Value args[4], result, f = in(m);
  int n = (int)(byte(m) % 5);
  for (int i = 0; i < n; i++) args[i] = in(m);
  switch (byte(m) % 8) {
    case 0: case 1: check(m, ox_call_method(m->vm, f, PICK(m, names), n, args, &result)); break;
    case 2: check(m, ox_resume(m->vm, f, in(m), &result)); break;
    case 3: check(m, ox_resume_throwing(m->vm, f, in(m), &result)); break;
    case 4: check(m, ox_elements(m->vm, f, &result)); break;
    default: check(m, ox_call(m->vm, f, n, n ? args : NULL, &result)); break;
  }
  if (ox_is_done(m->vm, f) && ox_type(f) != OX_TYPE_FIBER) fuzz_fail("what is no fiber is done");
  out(m, result);
}

static void run_text(Machine *m) {
  const char *text = PICK(m, programs);
  ox_Value result = ox_none();
  switch (byte(m) % 10) {
    case 8: case 9: check(m, ox_compile(m->vm, text, strlen(text), "compiled", &result)); break;
    case 0: check(m, ox_run(m->vm, text, strlen(text), "program", &result)); break;
    case 1: check(m, ox_check(m->vm, text, strlen(text), "checked")); break;
    case 2: check(m, ox_import(m->vm, byte(m) % 2 ? "math" : PICK(m, names), &result)); break;
    default: check(m, ox_eval(m->vm, text, strlen(text), "session", &result)); break;
  }
  out(m, result);
}

static void use_container(Machine *m) {
  ox_VM *vm = m->vm;
  ox_Value c = in(m), key = in(m), result = ox_none();
  switch (byte(m) % 12) {
    case 8: check(m, ox_set_slot(vm, c, byte(m) * 2, key)); return;
    case 9: result = ox_slot(vm, c, byte(m)); break;
    case 10: check(m, ox_charge(vm, c, (uint64_t)byte(m) << (byte(m) % 64))); return;
    case 11: check(m, ox_module(vm, PICK(m, names), c)); return;
    case 0: check(m, ox_index(vm, c, key, &result)); break;
    case 1: check(m, ox_set_index(vm, c, key, in(m))); return;
    case 2: check(m, ox_push(vm, c, key)); return;
    case 3: check(m, ox_member(vm, c, PICK(m, names), &result)); break;
    case 4: check(m, ox_set_member(vm, c, PICK(m, names), key)); return;
    case 5: result = ox_show(vm, c, byte(m) & 1); break;
    case 6: if (ox_equal(vm, c, key) < 0) check(m, OX_THROWN); return;
    default: check(m, ox_get(vm, PICK(m, names), &result)); break;
  }
  out(m, result);
}

static void forget(Machine *m) { // registers whose scope is closed
  for (int i = 0; i < REGISTERS; i++)
    if (m->level[i] > m->open) m->registers[i] = ox_none(), m->level[i] = 0;
}

// Scopes are the business of the outermost level: a native function has its own.
static void use_scope(Machine *m) {
  if (byte(m) % 2) {
    if (m->open < MAX_SCOPES) m->scopes[m->open++] = ox_scope_open(m->vm);
    return;
  }
  if (m->depth > 0 || m->open == 0) return;
  m->open -= 1 + (int)(byte(m) % (unsigned)m->open);
  bool keep = byte(m) % 2;
  ox_Value kept = keep ? ox_scope_close_keeping(m->vm, m->scopes[m->open], in(m)) : ox_none();
  if (!keep) ox_scope_close(m->vm, m->scopes[m->open]);
  forget(m);
  if (keep) out(m, kept);
}

static void use_pin(Machine *m) {
  if (byte(m) % 2 && m->npins < MAX_PINS) {
    ox_Value v = in(m);
    if (!ox_is_none(v) && ox_pin(m->vm, v)) m->pins[m->npins++] = v;
  } else if (m->npins > 0) {
    unsigned i = byte(m) % (unsigned)m->npins;
    if (byte(m) % 2) out(m, m->pins[i]);
    ox_unpin(m->vm, m->pins[i]);
    m->pins[i] = m->pins[--m->npins];
    for (int r = 0; r < REGISTERS; r++) m->registers[r] = ox_none(); // some may have hung on it
  }
}

static void use_limits(Machine *m) {
  ox_VM *vm = m->vm;
  ox_Stats stats = {.size = sizeof stats};
  switch (byte(m) % 8) {
    case 0: ox_interrupt(vm); break;
    case 1: ox_set_fuel(vm, 1 + byte(m) * 20); break;
    case 2: ox_set_fuel(vm, FUEL); break;
    case 3: ox_set_memory_limit(vm, (uint64_t)byte(m) << 14); break;
    case 4: ox_set_memory_limit(vm, 8 << 20); break;
    case 5: ox_collect(vm); break;
    case 6: ox_stats(vm, &stats); break;
    default: ox_flush(vm); break;
  }
}

static void drop_doc(void *context, const ox_Doc *doc) {
  *(size_t *)context += strlen(doc->signature) + strlen(doc->doc) + strlen(doc->module);
}
static void drop_text(void *context, const char *text) { *(size_t *)context += strlen(text); }

static void look(Machine *m) {
  size_t seen = 0;
  const char *text = PICK(m, programs);
  if (byte(m) % 2) ox_find_doc(PICK(m, names), drop_doc, &seen);
  else ox_complete(m->vm, text, strlen(text), drop_text, &seen);
  fuzz_read_error(m->vm);
  if (m->depth == 0 && ox_verify(m->vm)) fuzz_fail("the heap is damaged");
}

static void operate(Machine *m) {
  switch (byte(m) % 16) {
    case 0: case 1: case 2: out(m, make(m)); break;
    case 3: read_value(m); break;
    case 4: case 5: case 6: call(m); break;
    case 7: case 8: case 9: run_text(m); break;
    case 10: case 11: use_container(m); break;
    case 12: use_scope(m); break;
    case 13: use_pin(m); break;
    case 14: use_limits(m); break;
    default:
      if (byte(m) % 2) check(m, ox_set(m->vm, PICK(m, names), in(m)));
      else look(m);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Machine m = {.vm = fuzz_vm(FUEL), .data = data, .size = size};
  ox_set_memory_limit(m.vm, 8 << 20);
  for (int i = 0; i < REGISTERS; i++) m.registers[i] = ox_nil();
  while (m.at < m.size) operate(&m);
  fuzz_examine(m.vm);
  if (m.open > 0) ox_scope_close(m.vm, m.scopes[0]);
  ox_free(m.vm);
  if (m.objects != 0) fuzz_fail("objects of the host were not finalized");
  return 0;
}
