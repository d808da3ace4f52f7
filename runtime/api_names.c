/* api_names.c - the C API: what a prompt asks about names. Their completion, and what they stand
 * for: signature, documentation and place of functions, classes and modules of the program. Nothing
 * of the program runs. Contracts in oxbow.h. */
#include <stdlib.h>
#include <string.h>

#include "../lang/token.h"
#include "api.h"
#include "interp.h"
#include "list.h"
#include "loader.h"
#include "map.h"
#include "native.h"
#include "report.h"
#include "str.h"

/* ---- completion ------------------------------------------------------------------------------ */

typedef struct Completer {
  ox_VM *vm;
  const char *prefix;
  size_t length; /* of the prefix */
  void (*found)(void *context, const char *completion);
  void *context;
} Completer;

static void offer(const Completer *c, const char *name) {
  if (strncmp(name, c->prefix, c->length) == 0)
    c->found(c->context, name);
}

static bool is_name_byte(char c) {
  unsigned char u = (unsigned char)c;
  return ((u | 32) >= 'a' && (u | 32) <= 'z') || (u >= '0' && u <= '9') || u == '_' || u >= 128;
}

static void offer_keys(const Completer *c, Value map) {
  Value key, value;
  uint32_t i = 0;
  if (!v_is(map, KIND_MAP)) return;
  while (map_next(c->vm, as_map(c->vm, map), &i, &key, &value))
    if (v_is(key, KIND_STRING) && is_name_byte(((String *)vm_deref(c->vm, key))->chars[0]))
      offer(c, ((String *)vm_deref(c->vm, key))->chars);
}

static void offer_class(const Completer *c, Value cls) {
  if (!v_is(cls, KIND_CLASS)) return;
  offer_keys(c, ((Class *)vm_deref(c->vm, cls))->fields);
  offer_keys(c, ((Class *)vm_deref(c->vm, cls))->methods);
}

static void offer_members(const Completer *c, Value v) {
  if (v_is(v, KIND_MODULE)) {
    offer_keys(c, ((Module *)vm_deref(c->vm, v))->exports);
    return;
  }
  offer_keys(c, v);
  offer_class(c, v);
  offer_class(c, vm_class_of(c->vm, v));
}

static void offer_modules(const Completer *c) {
  for (int t = 0; t < native_table_count; t++) {
    const char *name = native_tables[t]->name;
    if (*name && native_find_module(name, strlen(name)) == t) offer(c, name);
  }
}

static void offer_names(const Completer *c) {
  static const char *const keywords[] = {
#define X(token, text) text,
    TOKEN_KEYWORDS(X)
#undef X
  };
  offer_keys(c, c->vm->st->global_names);
  for (int t = 0; t < native_table_count; t++)
    for (int i = 0; !*native_tables[t]->name && i < native_tables[t]->ndefs; i++)
      offer(c, native_tables[t]->defs[i].name);
  for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) offer(c, keywords[i]);
}

static Value slot_in(ox_VM *vm, Value slots, Value key) {
  return v_is(slots, KIND_MAP) ? map_get_str(vm, as_map(vm, slots), key) : V_ABSENT;
}

/* The method of a class of the program, or V_ABSENT. */
static Value method_in(ox_VM *vm, const Class *cls, Value key) {
  return v_is(cls->methods, KIND_MAP) ? map_get_str(vm, as_map(vm, cls->methods), key) : V_ABSENT;
}

/* The member of v that can be had without running anything, or V_ABSENT. */
static Value quiet_member(ox_VM *vm, Value v, Value key) {
  if (v_is(v, KIND_MAP)) return map_get_str(vm, as_map(vm, v), key);
  if (v_is(v, KIND_MODULE)) {
    const Module *m = vm_deref(vm, v);
    Value slot = slot_in(vm, m->exports, key);
    if (!v_is_int(slot) || !v_is(m->frame, KIND_FRAME)) return V_ABSENT;
    return ((Frame *)vm_deref(vm, m->frame))->slots[v_int(slot)];
  }
  if (v_is(v, KIND_CLASS)) return method_in(vm, vm_deref(vm, v), key);
  if (!v_is(v, KIND_INSTANCE)) return V_ABSENT;
  Instance *o = vm_deref(vm, v);
  const Class *cls = gc_ptr(vm->cage, (Ref){o->h.aux});
  Value slot = slot_in(vm, cls->fields, key);
  return v_is_int(slot) ? o->fields[v_int(slot)] : method_in(vm, cls, key);
}

/* The value of a chain `a.b.c`, [from, to) of the text; V_ABSENT if it is not known. */
static Value chain_value(ox_VM *vm, const char *from, const char *to) {
  Value v = V_ABSENT;
  for (const char *start = from, *end; start < to; start = end + 1) {
    for (end = start; end < to && *end != '.'; end++) {}
    bool is_const;
    if (start == from) {
      int index = global_find(vm, start, (size_t)(end - start), &is_const);
      v = index < 0 ? V_ABSENT : global_get(vm, index);
    } else {
      Value key = string_intern(vm, start, (size_t)(end - start));
      v = key == V_ERROR ? V_ABSENT : quiet_member(vm, v, key);
    }
    if (v == V_ABSENT) break;
  }
  return v;
}

/* What stands between the last dot and the word before it cannot be known without running it, but
 * for a string. */
static Value literal_before(ox_VM *vm, const char *text, const char *dot) {
  return dot > text && dot[-1] == '"' ? string_intern(vm, "", 0) : V_ABSENT;
}

/* In `import NAME`, `from NAME` and `from NAME import NAME`; false elsewhere. */
static bool offer_imports(const Completer *c, const char *text, const char *last) {
  const char *start = text + strspn(text, " \t");
  bool from = strncmp(start, "from ", 5) == 0;
  if (!from && strncmp(start, "import ", 7) != 0) return false;
  if (memchr(start, '\n', (size_t)(last - start)) || memchr(start, '"', (size_t)(last - start)))
    return false;
  const char *name = start + (from ? 5 : 7) + strspn(start + (from ? 5 : 7), " ");
  const char *import = from ? strstr(name, " import ") : NULL;
  if (!import || import >= last) return offer_modules(c), true;
  int t = native_find_module(name, strcspn(name, " "));
  for (int i = 0; t >= 0 && i < native_tables[t]->ndefs; i++)
    offer(c, native_tables[t]->defs[i].name);
  return true;
}

static void complete_in(Completer *c, const char *text, const char *last) {
  const char *chain = last;
  while (chain > text && (is_name_byte(chain[-1]) || chain[-1] == '.')) chain--;
  if (offer_imports(c, text, last)) return;
  if (chain == last) {
    offer_names(c);
    return;
  }
  Value v = *chain == '.' ? literal_before(c->vm, text, chain)
                          : chain_value(c->vm, chain, last - 1);
  if (v != V_ABSENT && v != V_ERROR) offer_members(c, v);
}

void ox_complete(ox_VM *vm, const char *text, size_t length,
                 void (*found)(void *context, const char *completion), void *context) {
  API_CALL(vm);
  if ((!text && length) || !found) {
    api_broken(vm, __func__, "the text or the function to call is NULL", NULL);
    return;
  }
  char *copy = malloc(length + 1); /* ended by NUL, which `text` need not be */
  if (!copy) return;
  if (length) memcpy(copy, text, length);
  copy[length] = 0;
  const char *last = copy + length;
  while (last > copy && is_name_byte(last[-1])) last--;
  Completer c = {vm, last, (size_t)(copy + length - last), found, context};
  uint32_t mark = api_enter(vm);
  complete_in(&c, copy, last);
  api_leave(vm, mark, V_NIL, NULL);
  free(copy);
}

/* ---- what a name stands for ------------------------------------------------------------------ */

/* Texts of a description, made for the call of `found` and freed behind it. */
typedef struct Description {
  ox_VM *vm;
  Arena arena;
  VmText signature, doc;
  ox_Doc result;
} Description;

static void put_text(VmText *to, const char *chars, size_t n) { vm_text_add(to, chars, n); }

/* The source of a module, indexed. False: not known. */
static bool find_source(Description *d, Value module, Source *source) {
  if (!v_is(module, KIND_MODULE)) return false;
  const Module *m = vm_deref(d->vm, module);
  const String *text = v_is_string(m->source) ? string_flat(d->vm, m->source) : NULL;
  if (!text) return false;
  return source_init(source, &d->arena, module_shown(d->vm, module), text->chars, text->h.aux) ==
         SOURCE_OK;
}

static void put_place(Description *d, const Source *source, uint32_t offset) {
  d->result.file = source->name;
  d->result.line = (int)source_position(source, offset).line;
}

/* From a name to the parenthesis that closes its parameters, line ends as blanks. */
static void put_parameters(VmText *to, const Source *source, uint32_t from) {
  const char *start = source->text + from, *end = source->text + source->len, *p = start;
  int depth = 0;
  bool quoted = false;
  for (; p < end; p++) {
    if (*p == '"' && p[-(p > start)] != '\\') quoted = !quoted;
    if (quoted) continue;
    if (*p == '(' || *p == '[' || *p == '{') depth++;
    if ((*p == ')' || *p == ']' || *p == '}') && --depth == 0) break;
    if (depth == 0 && *p == '\n') break;
  }
  if (p < end && *p == ')') p++;
  for (bool blank = false; start < p; start++) {
    bool space = *start == ' ' || *start == '\t' || *start == '\n' || *start == '\r';
    if (!space || !blank) put_text(to, space ? " " : start, 1);
    blank = space;
  }
}

/* The text of comment lines without the `#` that they begin with. */
static void put_comment(VmText *to, const char *text, size_t n) {
  const char *end = text + n;
  while (text < end) {
    const char *line_end = memchr(text, '\n', (size_t)(end - text));
    if (!line_end) line_end = end;
    while (text < line_end && (*text == ' ' || *text == '\t')) text++;
    if (text < line_end && *text == '#') text++;
    if (text < line_end && *text == ' ') text++;
    put_text(to, text, (size_t)(line_end - text));
    text = line_end + 1;
    if (text < end) put_text(to, "\n", 1);
  }
}

static bool describe_native(Description *d, Value f) {
  const NativeDef *def = native_def(d->vm, ((Native *)vm_deref(d->vm, f))->h.aux);
  put_text(&d->signature, def->signature, strlen(def->signature));
  if (def->doc) put_text(&d->doc, def->doc, strlen(def->doc));
  return true;
}

static bool describe_closure(Description *d, Value f) {
  Source source;
  const Proto *p = proto_of(d->vm, f);
  const ProtoInfo *info = proto_info(d->vm, proto_of(d->vm, f));
  uint32_t from = info->name_to > info->name_from ? info->name_from : info->from;
  if (!find_source(d, p->module, &source)) return false;
  put_parameters(&d->signature, &source, from);
  put_place(d, &source, from);
  p = proto_of(d->vm, f);
  const String *doc = v_is_string(p->doc) ? string_flat(d->vm, p->doc) : NULL;
  if (doc) put_comment(&d->doc, doc->chars, doc->h.aux);
  return true;
}

/* Where `class NAME` stands last before an offset; UINT32_MAX: nowhere. */
static uint32_t find_class(const Source *source, const String *name, uint32_t before) {
  for (uint32_t at = before; at-- > 6;) {
    const char *p = source->text + at;
    if (memcmp(p - 6, "class ", 6) == 0 && source->len - at > name->h.aux &&
        memcmp(p, name->chars, name->h.aux) == 0 && !is_name_byte(p[name->h.aux]))
      return at;
  }
  return UINT32_MAX;
}

/* A class remembers no place: it is looked for in the text above its first method. */
static void place_class(Description *d, const Class *cls, Value method) {
  Source source;
  const Proto *p = proto_of(d->vm, method);
  uint32_t from = proto_info(d->vm, proto_of(d->vm, method))->from;
  const String *name = string_flat(d->vm, cls->name);
  if (!name || !find_source(d, p->module, &source)) return;
  uint32_t at = find_class(&source, name, from);
  if (at == UINT32_MAX) return;
  put_place(d, &source, at);
  uint32_t line = (uint32_t)d->result.line, first = line;
  while (first > 1 && source.text[source_line_span(&source, first - 1).start] == '#') first--;
  if (first == line) return;
  uint32_t start = source_line_span(&source, first).start;
  put_comment(&d->doc, source.text + start, source_line_span(&source, line).start - 1 - start);
}

static Value first_method(ox_VM *vm, const Class *cls) {
  Value key, method;
  uint32_t i = 0;
  if (v_is(cls->init, KIND_CLOSURE)) return cls->init;
  while (v_is(cls->methods, KIND_MAP) && map_next(vm, as_map(vm, cls->methods), &i, &key, &method))
    if (v_is(method, KIND_CLOSURE)) return method;
  return V_ABSENT;
}

static bool describe_class(Description *d, Value v) {
  const Class *cls = vm_deref(d->vm, v);
  const String *name = string_flat(d->vm, cls->name);
  Value method = first_method(d->vm, cls);
  Source source;
  if (!name) return false;
  put_text(&d->signature, "class ", 6);
  put_text(&d->signature, name->chars, name->h.aux);
  if (method == V_ABSENT) return true;
  if (method == cls->init && find_source(d, proto_of(d->vm, method)->module, &source)) {
    const ProtoInfo *info = proto_info(d->vm, proto_of(d->vm, method));
    put_parameters(&d->signature, &source, info->name_from + 4); /* behind "init" */
  }
  place_class(d, cls, method);
  return true;
}

static bool describe_module(Description *d, Value v) {
  const Module *m = vm_deref(d->vm, v);
  const char *name = module_shown(d->vm, v);
  if (!v_is(m->main, KIND_CLOSURE)) return false;
  put_text(&d->signature, "module ", 7);
  put_text(&d->signature, name, strlen(name));
  d->result.file = name;
  d->result.line = 1;
  const Proto *p = proto_of(d->vm, m->main);
  const String *doc = v_is_string(p->doc) ? string_flat(d->vm, p->doc) : NULL;
  if (doc) put_comment(&d->doc, doc->chars, doc->h.aux);
  return true;
}

static bool describe_value(Description *d, Value v) {
  if (v_is(v, KIND_BOUND)) v = ((Bound *)vm_deref(d->vm, v))->method;
  if (v_is(v, KIND_NATIVE)) return describe_native(d, v);
  if (v_is(v, KIND_CLOSURE)) return describe_closure(d, v);
  if (v_is(v, KIND_MODULE)) return describe_module(d, v);
  return v_is(v, KIND_CLASS) && describe_class(d, v);
}

bool ox_describe(ox_VM *vm, const char *name, void (*found)(void *context, const ox_Doc *doc),
                 void *context) {
  API_CALL(vm);
  if (!name || !found)
    return api_broken(vm, __func__, "the name or the function to call is NULL", NULL), false;
  Description d = {.vm = vm, .result = {sizeof(ox_Doc), "", "", "", NULL, 0}};
  uint32_t mark = api_enter(vm);
  Value v = chain_value(vm, name, name + strlen(name));
  bool known = v != V_ABSENT && v != V_ERROR && arena_init(&d.arena);
  if (known) {
    known = vm_root(vm, v) && describe_value(&d, v) && !d.signature.failed && !d.doc.failed;
    if (d.signature.data) d.result.signature = d.signature.data;
    if (d.doc.data) d.result.doc = d.doc.data;
    if (known) found(context, &d.result);
    arena_free(&d.arena);
  }
  vm_text_free(&d.signature);
  vm_text_free(&d.doc);
  api_leave(vm, mark, V_NIL, NULL);
  return known;
}
