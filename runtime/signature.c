/* signature.c - parameters of callables and the errors about them. */
#include "signature.h"

#include <ctype.h>

#include "../lang/module.h"
#include "interp.h"
#include "list.h"
#include "loader.h"
#include "str.h"
#include "suggest.h"
#include "trace.h"

/* ---- a native's signature ---- */

static const char *skip_blanks(const char *s) {
  while (*s == ' ') s++;
  return s;
}

/* The end of a default's text: the comma or parenthesis that closes it. */
static const char *skip_default(const char *s) {
  int depth = 0;
  for (bool quoted = false; *s; s++) {
    if (*s == '"') quoted = !quoted;
    if (quoted) continue;
    if (*s == '(' || *s == '[' || *s == '{') depth++;
    if ((*s == ')' || *s == ',') && depth == 0) break;
    if (*s == ')' || *s == ']' || *s == '}') depth--;
  }
  return s;
}

static bool add_param(Signature *out, SigParam param) {
  int n = out->count + out->named;
  if (n == SIGNATURE_MAX || param.len == 0) return false;
  out->params[n] = param;
  if (out->rest) {
    out->named++;
  } else {
    out->count++;
    if (!param.optional) out->required = out->count;
  }
  return true;
}

static const char *parse_word(const char *s, const char **word, uint32_t *len) {
  *word = s;
  while (isalnum((unsigned char)*s) || *s == '_') s++;
  *len = (uint32_t)(s - *word);
  return s;
}

/* Behind `: type`; NULL: there is no type after the colon. */
static const char *parse_type(const char *s, SigParam *param) {
  param->type = "";
  if (*s != ':') return s;
  s = parse_word(skip_blanks(s + 1), &param->type, &param->type_len);
  if (param->type_len == 0) return NULL;
  if (*s == '?') {
    param->type_len++;
    s++;
  }
  return skip_blanks(s);
}

static const char *parse_param(const char *s, Signature *out) {
  bool rest = strncmp(s, "...", 3) == 0;
  if (rest) s += 3;
  SigParam param = {0};
  s = parse_type(skip_blanks(parse_word(s, &param.name, &param.len)), &param);
  if (s == NULL) return NULL;
  param.optional = *s == '=';
  if (param.optional) s = skip_default(s + 1);
  if (rest) {
    out->rest = true;
    out->rest_param = param;
    return param.len > 0 ? s : NULL;
  }
  return add_param(out, param) ? s : NULL;
}

void signature_parse(const char *text, Signature *out) {
  memset(out, 0, sizeof *out);
  const char *s = strchr(text, '(');
  out->malformed = s == NULL;
  if (s == NULL) return;
  s = skip_blanks(s + 1);
  while (*s != ')') {
    s = parse_param(s, out);
    if (s == NULL || (*s != ',' && *s != ')')) {
      out->malformed = true;
      return;
    }
    if (*s == ',') s = skip_blanks(s + 1);
  }
}

/* ---- what a callable's parameters look like to people ---- */

typedef struct Shape {
  Value name;          /* String, or absent: `text` is the name */
  const char *text;
  unsigned hidden;     /* 1: self is left out */
  unsigned required, count;
  bool rest;
} Shape;

static bool is_self(ox_VM *vm, Value name) {
  String *s = string_flat(vm, name);
  return s != NULL && s->h.aux == 4 && memcmp(s->chars, "self", 4) == 0;
}

/* A call of a class is shown by the class's name. */
static uint32_t init_suffix(const String *name) {
  uint32_t n = name->h.aux;
  return n > 5 && !memcmp(name->chars + n - 5, ".init", 5) ? 5 : 0;
}

static void shape_closure(ox_VM *vm, Value f, Shape *out, Buf *b) {
  Proto *p = proto_of(vm, f);
  ProtoInfo *info = proto_info(vm, p);
  out->count = p->nparams;
  out->required = info->nrequired;
  out->rest = p->flags & FN_REST;
  out->hidden = p->nparams > 0 && is_self(vm, list_get(vm, p->params, 0));
  String *name = string_flat(vm, p->name);
  if (name != NULL && name->h.aux == 0) buf_puts(b, "function");
  else if (name != NULL)
    buf_add(b, name->chars, name->h.aux - (p->flags & FN_INIT ? init_suffix(name) : 0));
  buf_putc(b, '(');
  for (unsigned i = out->hidden; i < out->count + out->rest; i++) {
    String *param = string_flat(vm, list_get(vm, p->params, i));
    if (i > out->hidden) buf_puts(b, ", ");
    if (i == out->count) buf_puts(b, "...");
    if (param != NULL) buf_add(b, param->chars, param->h.aux);
    if (i >= out->required && i < out->count) buf_puts(b, "?");
  }
  buf_putc(b, ')');
}

static void shape_native(ox_VM *vm, Value f, Shape *out, Buf *b) {
  const NativeDef *def = native_def(vm, ((Native *)vm_deref(vm, f))->h.aux);
  Signature sig;
  signature_parse(def->signature, &sig);
  out->count = (unsigned)sig.count;
  out->required = (unsigned)sig.required;
  out->rest = sig.rest;
  out->hidden = sig.count > 0 && sig.params[0].len == 4 && !memcmp(sig.params[0].name, "self", 4);
  const char *open = strchr(def->signature, '('), *end = strstr(def->signature, " -> ");
  const char *rest = out->hidden ? sig.params[0].name + 4 : open + 1;
  if (end == NULL) end = def->signature + strlen(def->signature);
  while (out->hidden && (*rest == ',' || *rest == ' ')) rest++;
  buf_add(b, def->signature, (size_t)(open + 1 - def->signature));
  buf_add(b, rest, (size_t)(end - rest));
}

static void shape_of(ox_VM *vm, Value f, Shape *out, Buf *b) {
  memset(out, 0, sizeof *out);
  if (v_is(f, KIND_NATIVE)) shape_native(vm, f, out, b);
  else shape_closure(vm, f, out, b);
}

static const char *plural(unsigned n) { return n == 1 ? "" : "s"; }

/* `caller`: the builtin that calls, or NULL. */
static void add_counts(Buf *b, const Shape *s, unsigned given, const char *caller) {
  unsigned low = s->required - (s->required >= s->hidden ? s->hidden : 0),
           high = s->count - s->hidden;
  given -= given >= s->hidden ? s->hidden : 0;
  if (s->rest) buf_printf(b, " takes at least %u argument%s", low, plural(low));
  else if (low == high && low == 0) buf_puts(b, " takes no arguments");
  else if (low == high) buf_printf(b, " takes %u argument%s", low, plural(low));
  else buf_printf(b, " takes %u to %u arguments", low, high);
  if (caller) buf_printf(b, ", but %s calls it with %u", caller, given);
  else buf_printf(b, ", got %u", given);
}

static bool throw_text(ox_VM *vm, Buf *b) {
  Value text = buf_finish(b);
  if (text == V_ERROR) return false;
  Value e = error_new(vm, ERR_ARITY, text, V_NIL);
  if (e != V_ERROR) vm_throw_value(vm, e);
  return false;
}

/* The name of parameter i, V_ABSENT: not known. */
static Value param_name(ox_VM *vm, Value f, unsigned i) {
  if (v_is(f, KIND_NATIVE)) {
    Signature sig;
    signature_parse(native_def(vm, ((Native *)vm_deref(vm, f))->h.aux)->signature, &sig);
    if ((int)i >= sig.count) return V_ABSENT;
    return string_new(vm, sig.params[i].name, sig.params[i].len);
  }
  Proto *p = proto_of(vm, f);
  return i < p->nparams ? list_get(vm, p->params, i) : V_ABSENT;
}

/* The builtin whose work the call is: one in C that said so, or the prelude's. NULL: none. */
static const char *builtin_calling(ox_VM *vm) {
  if (vm->caller) return vm->caller;
  Value builtin = trace_builtin(vm);
  String *name = v_is_string(builtin) ? string_flat(vm, builtin) : NULL;
  return name ? name->chars : NULL;
}

bool arity_error(ox_VM *vm, Value f, unsigned given, Value missing) {
  Buf b;
  Shape s;
  buf_init(&b, vm);
  shape_of(vm, f, &s, &b);
  const char *caller = builtin_calling(vm);
  add_counts(&b, &s, given, caller);
  if (caller) return throw_text(vm, &b);
  if (missing == V_ABSENT && given < s.required) missing = param_name(vm, f, given);
  String *name = missing != V_ABSENT ? string_flat(vm, missing) : NULL;
  if (name != NULL) buf_printf(&b, ": `%s` is missing", name->chars);
  return throw_text(vm, &b);
}

bool arity_unknown_name(ox_VM *vm, Value f, Value name) {
  Buf b;
  Shape s;
  buf_init(&b, vm);
  shape_of(vm, f, &s, &b);
  String *n = string_flat(vm, name);
  buf_printf(&b, " has no parameter `%s`", n != NULL ? n->chars : "?");
  Suggest near;
  suggest_init(&near, n);
  for (unsigned i = s.hidden; n != NULL && i < s.count; i++) {
    Value p = param_name(vm, f, i);
    if (p != V_ABSENT) suggest_try(&near, string_flat(vm, p));
  }
  suggest_add(&near, &b);
  if (near.best_len == 0 && n != NULL && strcmp(n->chars, "reverse") == 0)
    buf_puts(&b, " (x.reversed() turns a list round)");
  return throw_text(vm, &b);
}

bool arity_given_twice(ox_VM *vm, Value f, Value name) {
  Buf b;
  Shape s;
  buf_init(&b, vm);
  shape_of(vm, f, &s, &b);
  String *n = string_flat(vm, name);
  buf_printf(&b, ": `%s` is given twice", n != NULL ? n->chars : "?");
  return throw_text(vm, &b);
}
