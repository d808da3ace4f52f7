/* report.c - what people see of an error nobody caught.
 *
 *   main.oxb:3:7: error: cannot add int and nil
 *     3 | print(1 + x)
 *       |       ^^^^^
 *     at total (main.oxb:3)
 *     at main (main.oxb:9)
 *
 * The place is the innermost frame; traces leave out the prelude. Names and spans come from the
 * tables of the functions, source lines from the text that each module keeps. */
#include "report.h"

#include "../lang/diag_render.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader.h"
#include "repr.h"
#include "str.h"
#include "trace.h"

/* ---- text that grows ---- */

void vm_text_add(void *ctx, const char *bytes, size_t n) {
  VmText *t = ctx;
  if (t->failed) return;
  if (t->len + n + 1 > t->cap) {
    size_t cap = (t->len + n + 1) * 2;
    char *data = realloc(t->data, cap);
    if (data == NULL) {
      t->failed = true;
      return;
    }
    t->data = data;
    t->cap = cap;
  }
  if (n) memcpy(t->data + t->len, bytes, n);
  t->len += n;
  t->data[t->len] = 0;
}

void vm_text_free(VmText *t) {
  free(t->data);
  bool colour = t->colour;
  *t = (VmText){.colour = colour};
}

static void add_format(VmText *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_format(VmText *t, const char *fmt, ...) {
  char text[600];
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  if (n > 0) vm_text_add(t, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---- frames ---- */

static const char *chars_of(ox_VM *vm, Value string, const char *otherwise) {
  String *s = v_is_string(string) ? string_flat(vm, string) : NULL;
  return s && s->h.aux > 0 ? s->chars : otherwise;
}

const char *module_shown(ox_VM *vm, Value module) {
  if (!v_is(module, KIND_MODULE)) return "";
  return chars_of(vm, ((Module *)vm_deref(vm, module))->name, "");
}

void trace_reader_init(TraceReader *r, ox_VM *vm, Value thrown) {
  *r = (TraceReader){.vm = vm, .trace = trace_of(vm, thrown), .module = V_NIL};
  r->ok = arena_init(&r->arena);
}

void trace_reader_free(TraceReader *r) {
  if (r->ok) arena_free(&r->arena);
}

/* The source of a module, indexed. NULL: not known. */
static const Source *source_of(TraceReader *r, Value module) {
  if (!r->ok || !v_is(module, KIND_MODULE)) return NULL;
  if (r->module == module) return &r->source;
  Module *m = (Module *)vm_deref(r->vm, module);
  String *text = v_is_string(m->source) ? string_flat(r->vm, m->source) : NULL;
  if (text == NULL) return NULL;
  if (source_init(&r->source, &r->arena, module_shown(r->vm, module), text->chars, text->h.aux) !=
      SOURCE_OK)
    return NULL;
  r->module = module;
  return &r->source;
}

static const char *function_shown(ox_VM *vm, Proto *p) {
  return chars_of(vm, p->name, p->flags & FN_MAIN ? "(main)" : "(function)");
}

bool trace_reader_frame(TraceReader *r, int i, TraceFrame *out) {
  if ((unsigned)i >= trace_length(r->vm, r->trace)) return false;
  TraceEntry e = trace_entry(r->vm, r->trace, (unsigned)i);
  *out = (TraceFrame){function_shown(r->vm, e.proto), module_shown(r->vm, e.proto->module), 0, 0};
  uint32_t from, to;
  const Source *source = source_of(r, e.proto->module);
  if (source == NULL || !proto_span(r->vm, e.proto, e.at, &from, &to)) return true;
  SourcePos pos = source_position(source, from);
  out->line = (int)pos.line;
  out->column = (int)pos.column;
  return true;
}

bool error_frame(ox_VM *vm, Value thrown, int index, TraceFrame *out) {
  TraceReader r;
  trace_reader_init(&r, vm, thrown);
  bool ok = trace_reader_frame(&r, index, out);
  trace_reader_free(&r);
  return ok;
}

/* ---- the report ---- */

/* The `str` of what was thrown may be the program's: it gets a budget of its own, and whatever stops
 * it (an interrupt, os.exit) stops nothing else, so that an error can always be described. */
enum { DESCRIBE_FUEL = 1 << 20 };
typedef struct Outside {
  uint64_t limit, fuel, given;
  bool limited, unwinding, exiting;
  int code;
  FuelPool *pool;
} Outside;

static Outside describe_begin(ox_VM *vm) {
  Outside o = {vm->fuel_limit, vm->st->fuel, vm->fuel_given, vm->fuel_limited,
               vm->unwinding_uncatchable, vm->exiting, vm->exit_code, vm->fuel_pool};
  vm->fuel_pool = NULL;
  if (!vm->fuel_limited || vm_fuel_left(vm) > DESCRIBE_FUEL) vm_set_fuel(vm, DESCRIBE_FUEL);
  vm->unwinding_uncatchable = false;
  return o;
}

static void describe_end(ox_VM *vm, const Outside *o) {
  if (error_pending(vm)) error_take(vm);
  vm->fuel_pool = o->pool;
  vm->fuel_limit = o->limit;
  vm->st->fuel = o->fuel;
  vm->fuel_given = o->given;
  vm->fuel_limited = o->limited;
  vm->unwinding_uncatchable = o->unwinding;
  vm->exiting = o->exiting;
  vm->exit_code = o->code;
}

/* A message is for people, and the host's memory: beyond a limit it is cut. */
enum { MESSAGE_MOST = 1 << 16 };
static void add_cut(VmText *out, const char *s, size_t n) {
  size_t some = n;
  if (n > MESSAGE_MOST) {
    some = MESSAGE_MOST;
    while (some && ((unsigned char)s[some] & 0xC0) == 0x80) some--;
  }
  vm_text_add(out, s, some);
  if (some < n) add_format(out, "... (%zu bytes more)", n - some);
}

void error_message(ox_VM *vm, Value thrown, VmText *out) {
  uint32_t mark = vm_roots_mark(vm);
  bool is_error = v_is(thrown, KIND_ERROR);
  Outside outside = describe_begin(vm);
  Value text = is_error ? ((Error *)vm_deref(vm, thrown))->message
               : v_is_string(thrown) ? thrown : value_repr(vm, thrown);
  if (text != V_ERROR && !v_is_string(text)) text = value_repr(vm, text);
  String *s = text == V_ERROR ? NULL : string_flat(vm, text);
  if (s != NULL) add_cut(out, s->chars, s->h.aux);
  else add_format(out, "%s", vm_type_name(vm, thrown));
  describe_end(vm, &outside);
  vm_roots_reset(vm, mark);
}

/* What to do about limits, the host's and the language's; NULL for other errors. */
static const char *remedy_of(ox_VM *vm, Value thrown) {
  if (!v_is(thrown, KIND_ERROR)) return NULL;
  const char *kind = chars_of(vm, ((Error *)vm_deref(vm, thrown))->kind, "");
  if (strcmp(kind, "out of memory") == 0)
    return "keep less at a time, or raise the limit: --max-memory, ox_set_memory_limit";
  if (strcmp(kind, "overflow") == 0)
    return "ints have 64 bits: floats, such as 2.0, go further with fewer digits";
  if (strcmp(kind, "stack overflow") == 0)
    return "calls are nested too deep: is there one without an end? A loop can go on for ever";
  if (strcmp(kind, "fuel") == 0) return "do less, or give a larger budget: --fuel, ox_set_fuel";
  return NULL;
}

/* Is it a compound assignment, `m[k] += 1`, whose target ends at `at`? */
static bool is_changed(const Source *s, size_t at) {
  while (at < s->len && s->text[at] == ' ') at++;
  size_t n = at;
  while (n < s->len && n - at < 3 && strchr("+-*/%&|^<>", s->text[n])) n++;
  bool compares = n == at + 1 && (s->text[at] == '<' || s->text[at] == '>');
  return n > at && n < s->len && s->text[n] == '=' && !compares;
}

static bool is_key_error(ox_VM *vm, Value thrown) {
  return v_is(thrown, KIND_ERROR) &&
         strcmp(chars_of(vm, ((Error *)vm_deref(vm, thrown))->kind, ""), "key") == 0;
}

static void add_place(TraceReader *r, Value thrown, const char *message, const char *hint, bool is_error,
                      VmText *out) {
  Diag diag = {.severity = DIAG_ERROR, .message = message, .hint = hint};
  if (trace_length(r->vm, r->trace) > 0) {
    TraceEntry e = trace_entry(r->vm, r->trace, 0);
    const Source *source = source_of(r, e.proto->module);
    if (source && proto_span(r->vm, e.proto, e.at, &diag.span.start, &diag.span.end))
      diag.source = source;
    if (diag.source && !hint && is_key_error(r->vm, thrown) && is_changed(source, diag.span.end))
      diag.hint = "to begin with a value of your own: m[k] = m.get(k, 0) + 1";
  }
  DiagStyle style = {.colour = out->colour, .severity = is_error ? NULL : "uncaught"};
  diag_render(&diag, &style, vm_text_add, out);
}

/* How many frames from `from` on go on with the cycle of the `period` frames before it; *next: the
 * entry behind them. The frames that a long trace lacks count as part of it where it is found on
 * both sides. */
static uint64_t repeated(TraceReader *r, unsigned from, unsigned period, unsigned *next) {
  unsigned n = trace_length(r->vm, r->trace), i = from;
  uint64_t frames = 0;
  for (; i < n; i++) {
    TraceEntry e = trace_entry(r->vm, r->trace, i);
    uint64_t after = frames + e.skipped;
    TraceEntry like = trace_entry(r->vm, r->trace, from - period + (unsigned)(after % period));
    if (e.proto != like.proto || e.at != like.at) break;
    frames = after + 1;
  }
  *next = i;
  return frames;
}

/* Folds what repeats the one or two frames before entry i, if it does so more than twice. Gives the
 * next entry to show. */
static unsigned fold(TraceReader *r, unsigned i, VmText *out) {
  for (unsigned period = 1; period <= 2 && period <= i; period++) {
    unsigned next;
    uint64_t frames = repeated(r, i, period, &next);
    if (frames < 3 * period || frames % period > next - i) continue;
    const char *what = period == 1 ? "this frame" : "these two frames";
    add_format(out, "  ... %s %llu times more\n", what, (unsigned long long)(frames / period));
    return next - (unsigned)(frames % period);
  }
  return i;
}

static void add_trace(TraceReader *r, VmText *out) {
  TraceFrame f;
  unsigned n = trace_length(r->vm, r->trace);
  for (unsigned i = 0; n > 1 && trace_reader_frame(r, (int)i, &f); i++) {
    uint32_t skipped = trace_entry(r->vm, r->trace, i).skipped;
    if (skipped) add_format(out, "  ... %u more ...\n", skipped);
    if (f.line) add_format(out, "  at %s (%s:%d)\n", f.function, f.file, f.line);
    else add_format(out, "  at %s (%s)\n", f.function, f.file);
    i = fold(r, i + 1, out) - 1;
  }
}

void error_report(ox_VM *vm, Value thrown, VmText *out) {
  Value pending = vm->st->error;
  vm->st->error = V_ABSENT;
  uint32_t mark = vm_roots_mark(vm);
  vm_root(vm, thrown);
  VmText message = {0};
  error_message(vm, thrown, &message);
  bool is_error = v_is(thrown, KIND_ERROR);
  const char *text = message.data ? message.data : "out of memory";
  TraceReader r;
  trace_reader_init(&r, vm, thrown);
  add_place(&r, thrown, text, remedy_of(vm, thrown), is_error, out);
  add_trace(&r, out);
  trace_reader_free(&r);
  vm_text_free(&message);
  vm_roots_reset(vm, mark);
  vm->st->error = pending;
}
