/* repr.c - how values are shown.
 *
 * Nested lists, maps and sets are walked with a stack of frames among the VM's temporary roots
 * (an instance's `str` may run in between): container, position, number of items written. A
 * container that is already on the stack prints as [...] or {...}. */
#include "repr.h"

#include "../lang/utf8.h"
#include "list.h"
#include "map.h"
#include "native.h"
#include "number.h"
#include "range.h"

enum { FRAME = 3, MAX_DEPTH = 10000, POLL_EVERY = 1024 };

typedef struct Printer {
  ox_VM *vm;
  Buf *b;
  uint32_t mark, top; /* frames among vm->roots */
} Printer;

/* ---- scalars --------------------------------------------------------------------------------- */

static int number_text(ox_VM *vm, Value v, char text[NUM_TEXT]) {
  return v_is_float(v) ? num_format_float(v_float(v), text) : num_format_int(num_int(vm, v), text);
}

static void print_number(Buf *b, Value v) {
  char text[NUM_TEXT];
  int n = number_text(b->vm, v, text);
  buf_add(b, text, (size_t)n);
}

static void print_range(Buf *b, Value v) {
  Range *r = vm_deref(b->vm, v);
  print_number(b, r->start);
  buf_puts(b, r->h.aux ? "..=" : "..");
  print_number(b, r->end);
}

static bool print_text(Buf *b, Value v) {
  String *s = string_flat(b->vm, v);
  if (s) buf_add(b, s->chars, s->h.aux);
  return s && !b->failed;
}

/* Bytes from here that stand for themselves in a literal; 0 if the first must be escaped. */
static size_t plain_length(const char *s, size_t n) {
  uint32_t code;
  unsigned char c = (unsigned char)*s;
  if (c >= 0x80) return utf8_decode(s, n, &code);
  if (c < ' ' || c == '"' || c == '\\' || c == 0x7F) return 0;
  return !(c == '$' && n > 1 && s[1] == '{');
}

static void print_escape(Buf *b, unsigned char c) {
  static const char named[] = "\"\"\\\\$$\nn\tt\rr\033e";
  for (const char *p = named; *p; p += 2) {
    if ((unsigned char)*p != c) continue;
    buf_putc(b, '\\');
    buf_putc(b, p[1]);
    return;
  }
  if (c == 0) buf_puts(b, "\\0");
  else buf_printf(b, "\\x%02X", c);
}

static bool print_quoted(Buf *b, Value v) {
  String *s = string_flat(b->vm, v);
  if (!s) return false;
  const char *p = s->chars, *end = p + s->h.aux;
  uint64_t next = VM_WORK;
  buf_putc(b, '"');
  while (p < end) {
    const char *from = p;
    for (size_t n; p < end && (n = plain_length(p, (size_t)(end - p))) > 0;) p += n;
    buf_add(b, from, (size_t)(p - from));
    if (p < end) print_escape(b, (unsigned char)*p++);
    if (!vm_poll_at(b->vm, (uint64_t)(p - s->chars), &next)) return false;
  }
  buf_putc(b, '"');
  return !b->failed;
}

/* ---- functions, classes and other objects ---------------------------------------------------- */

static void print_tagged(Buf *b, const char *tag, Value name) {
  buf_putc(b, '<');
  buf_puts(b, tag);
  if (v_is_string(name) && string_len(b->vm, name) > 0) {
    if (*tag) buf_putc(b, ' ');
    print_text(b, name);
  }
  buf_putc(b, '>');
}

static void print_function(Buf *b, Value v) {
  ox_VM *vm = b->vm;
  if (v_is(v, KIND_BOUND)) v = ((Bound *)vm_deref(vm, v))->method;
  Header *h = vm_deref(vm, v);
  if (v_is(v, KIND_NATIVE)) {
    const NativeDef *def = native_def(vm, h->aux);
    buf_printf(b, "<fn %s>", def ? def->name : "?");
  } else if (v_is(v, KIND_CLOSURE)) {
    print_tagged(b, "fn", ((Proto *)gc_ptr(vm->cage, (Ref){h->aux}))->name);
  } else {
    buf_puts(b, "<fn>");
  }
}

static void print_fiber(Buf *b, Value v) {
  static const char *const states[] = {"new", "suspended", "running", "waiting", "done"};
  Fiber *f = vm_deref(b->vm, v);
  buf_printf(b, "<fiber %s>", f->state <= FIBER_DONE ? states[f->state] : "?");
}

static Value class_name(ox_VM *vm, Ref cls) { return ((Class *)gc_ptr(vm->cage, cls))->name; }

/* A field of an instance without `str`: containers and instances only by their outline. */
static bool print_shallow(Buf *b, Value v) {
  ox_VM *vm = b->vm;
  if (v_is(v, KIND_LIST)) buf_puts(b, list_len(vm, v) ? "[...]" : "[]");
  else if (v_is(v, KIND_MAP)) buf_puts(b, as_map(vm, v)->live ? "{...}" : "{}");
  else if (v_is(v, KIND_SET)) buf_puts(b, "<set>");
  else if (v_is(v, KIND_INSTANCE))
    print_tagged(b, "", class_name(vm, (Ref){((Header *)vm_deref(vm, v))->aux}));
  else return value_print(b, v, true);
  return !b->failed;
}

static bool print_fields(Buf *b, Value v) {
  ox_VM *vm = b->vm;
  Instance *o = vm_deref(vm, v);
  Class *c = gc_ptr(vm->cage, (Ref){o->h.aux});
  Value name, slot;
  uint32_t i = 0, n = 0;
  buf_putc(b, '<');
  print_text(b, c->name);
  while (v_is(c->fields, KIND_MAP) && map_next(vm, as_map(vm, c->fields), &i, &name, &slot)) {
    uint64_t at = v_index(slot);
    if (at >= o->h.n) continue;
    buf_puts(b, n++ ? ", " : " ");
    print_text(b, name);
    buf_puts(b, ": ");
    if (!print_shallow(b, o->fields[at])) return false;
  }
  buf_putc(b, '>');
  return !b->failed;
}

/* By the class's `str`, V_ABSENT without an error if it has none. */
static Value text_by_method(ox_VM *vm, Value v) {
  Value text = vm_call_op(vm, v, OPM_STR, 0, NULL);
  if (text == V_ABSENT || v_is_string(text)) return text;
  char name[64];
  snprintf(name, sizeof name, "%s", vm_type_name(vm, v));
  return vm_throw(vm, ERR_TYPE, "str of %s must give a string, not %s", name,
                  vm_type_name(vm, text));
}

static bool print_instance(Buf *b, Value v) {
  ox_VM *vm = b->vm;
  uint32_t mark = vm_roots_mark(vm);
  Value text = text_by_method(vm, v);
  if (text == V_ABSENT && error_pending(vm)) return false;
  bool ok = true;
  if (text != V_ABSENT) ok = print_text(b, text);
  else if (v_is(v, KIND_INSTANCE)) ok = print_fields(b, v);
  else print_tagged(b, vm_type_name(vm, v), V_NIL);
  vm_roots_reset(vm, mark);
  return ok;
}

static bool print_error(Buf *b, Value v, bool quoted) {
  Error *e = vm_deref(b->vm, v);
  if (!quoted) return v_is_string(e->message) ? print_text(b, e->message) : true;
  buf_puts(b, "<error ");
  bool ok = value_print(b, v_is_string(e->message) ? e->message : V_NIL, true);
  buf_putc(b, '>');
  return ok;
}

static bool print_object(Buf *b, Value v, bool quoted) {
  ox_VM *vm = b->vm;
  switch (v_kind(v)) {
    case KIND_CLOSURE: case KIND_NATIVE: case KIND_BOUND: print_function(b, v); break;
    case KIND_CLASS: print_tagged(b, "class", class_name(vm, v_ref(v))); break;
    case KIND_RANGE: print_range(b, v); break;
    case KIND_FIBER: print_fiber(b, v); break;
    case KIND_MODULE: print_tagged(b, "module", ((Module *)vm_deref(vm, v))->name); break;
    case KIND_ERROR: return print_error(b, v, quoted);
    case KIND_INSTANCE: case KIND_FOREIGN: return print_instance(b, v);
    default: buf_puts(b, "<?>"); break;
  }
  return !b->failed;
}

static bool print_scalar(Buf *b, Value v, bool quoted) {
  if (num_is(v)) print_number(b, v);
  else if (v_is_string(v)) return quoted ? print_quoted(b, v) : print_text(b, v);
  else if (v_is_ref(v)) return print_object(b, v, quoted);
  else buf_puts(b, v == V_NIL ? "nil" : v == V_TRUE ? "true" : v == V_FALSE ? "false" : "absent");
  return !b->failed;
}

/* ---- containers ------------------------------------------------------------------------------ */

static bool is_container(Value v) {
  return v_is(v, KIND_LIST) || v_is(v, KIND_MAP) || v_is(v, KIND_SET);
}

static const char *opening(Value v) {
  return v_is(v, KIND_LIST) ? "[" : v_is(v, KIND_MAP) ? "{" : "set.new([";
}
static const char *closing(Value v) {
  return v_is(v, KIND_LIST) ? "]" : v_is(v, KIND_MAP) ? "}" : "])";
}

/* A key prints as a bare name where a literal may have one. */
static bool is_plain_name(ox_VM *vm, Value key) {
  if (!v_is(key, KIND_STRING)) return false;
  String *s = vm_deref(vm, key);
  for (uint32_t i = 0; i < s->h.aux; i++) {
    char c = s->chars[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
  }
  return s->h.aux > 0;
}

static bool print_key(Buf *b, Value key) {
  bool name = is_plain_name(b->vm, key), bare = name || v_is_string(key) || num_is(key);
  if (!bare) buf_putc(b, '[');
  bool ok = print_scalar(b, key, !name);
  buf_puts(b, bare ? ": " : "]: ");
  return ok;
}

static bool on_stack(Printer *p, Value v) {
  for (uint32_t i = p->mark; i < p->top; i += FRAME)
    if (p->vm->roots[i] == v) return true;
  return false;
}

static bool print_open(Printer *p, Value v) {
  ox_VM *vm = p->vm;
  if (on_stack(p, v)) {
    buf_printf(p->b, "%s...%s", opening(v), closing(v));
    return !p->b->failed;
  }
  if (p->top - p->mark >= FRAME * MAX_DEPTH) {
    vm_throw(vm, ERR_STACK, "stack overflow: data nested too deep to print");
    return false;
  }
  if (!vm_root(vm, v) || !vm_root(vm, v_from_int(0)) || !vm_root(vm, v_from_int(0))) return false;
  p->top += FRAME;
  buf_puts(p->b, opening(v));
  return !p->b->failed;
}

/* The next item of the container on top, its key already written; V_ABSENT: no more, or failed. */
static Value next_item(Printer *p) {
  ox_VM *vm = p->vm;
  Value *frame = vm->roots + p->top - FRAME, v = frame[0], key = V_ABSENT, item;
  uint32_t i = (uint32_t)v_int(frame[1]);
  if (v_is(v, KIND_LIST)) {
    if (i >= list_len(vm, v)) return V_ABSENT;
    item = list_get(vm, v, i++);
  } else if (!map_next(vm, as_map(vm, v), &i, &key, &item)) {
    return V_ABSENT;
  }
  if (v_int(frame[2]) > 0) buf_puts(p->b, ", ");
  frame[1] = v_from_int(i);
  frame[2] = v_from_int(v_int(frame[2]) + 1);
  if (v_is(v, KIND_SET)) return key;
  return key == V_ABSENT || print_key(p->b, key) ? item : V_ABSENT;
}

static void print_close(Printer *p) {
  buf_puts(p->b, closing(p->vm->roots[p->top - FRAME]));
  p->top -= FRAME;
}

static bool print_container(Printer *p, Value v) {
  if (!print_open(p, v)) return false;
  for (uint64_t n = 1; p->top > p->mark; n++) {
    Value item = next_item(p);
    if (p->b->failed || error_pending(p->vm)) return false;
    if (item == V_ABSENT) print_close(p);
    else if (is_container(item) ? !print_open(p, item) : !print_scalar(p->b, item, true))
      return false;
    vm_roots_reset(p->vm, p->top);
    if (n % POLL_EVERY == 0 && !vm_poll(p->vm, POLL_EVERY)) return false;
  }
  return !p->b->failed;
}

bool value_print(Buf *b, Value v, bool quoted) {
  if (!is_container(v)) return print_scalar(b, v, quoted);
  uint32_t mark = vm_roots_mark(b->vm);
  Printer p = {b->vm, b, mark, mark};
  bool ok = print_container(&p, v);
  vm_roots_reset(b->vm, mark);
  return ok;
}

static Value to_string(ox_VM *vm, Value v, bool quoted) {
  Buf b;
  buf_init(&b, vm);
  if (value_print(&b, v, quoted)) return buf_finish(&b);
  buf_free(&b);
  return V_ERROR;
}

static Value number_to_string(ox_VM *vm, Value v) {
  char text[NUM_TEXT];
  int n = number_text(vm, v, text);
  return string_new(vm, text, (uint64_t)n);
}

Value value_str(ox_VM *vm, Value v) {
  if (v_is_string(v)) return v;
  return num_is(v) ? number_to_string(vm, v) : to_string(vm, v, false);
}

Value value_repr(ox_VM *vm, Value v) { return to_string(vm, v, true); }
