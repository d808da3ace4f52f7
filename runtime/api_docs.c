/* api_docs.c - the C API: what a prompt asks for. Documentation of builtins, read from the
 * tables they are registered in; completion of names; how the library was built. Contracts in
 * oxbow.h. */
#include <stdio.h>
#include <string.h>

#include "../lang/token.h"
#include "api.h"
#include "list.h"
#include "map.h"
#include "native.h"
#include "str.h"

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#endif
#ifdef HAVE_UTF8PROC
#include <utf8proc.h>
#endif

#define TEXT_OF(x) #x
#define NUMBER_TEXT(x) TEXT_OF(x)
#define VERSION_TEXT(major, minor) NUMBER_TEXT(major) "." NUMBER_TEXT(minor)

const char *ox_version(void) {
  return VERSION_TEXT(OX_VERSION_MAJOR, OX_VERSION_MINOR) "." NUMBER_TEXT(OX_VERSION_PATCH);
}

const char *ox_build_info(void) {
  return ""
#if defined(__clang__)
      "clang " VERSION_TEXT(__clang_major__, __clang_minor__)
#elif defined(__GNUC__)
      "gcc " VERSION_TEXT(__GNUC__, __GNUC_MINOR__)
#endif
#ifdef HAVE_PCRE2
      ", pcre2 " VERSION_TEXT(PCRE2_MAJOR, PCRE2_MINOR)
#else
      ", no pcre2"
#endif
#ifdef HAVE_UTF8PROC
      ", utf8proc " VERSION_TEXT(UTF8PROC_VERSION_MAJOR, UTF8PROC_VERSION_MINOR)
#else
      ", no utf8proc"
#endif
#ifdef OX_DEBUG
      ", debug"
#endif
      ;
}

/* ---- documentation --------------------------------------------------------------------------- */

static bool is_methods(const ModuleDef *m) { return m->type >= 0 || strchr(m->name, '.'); }

/* All but the tables that only the prelude can import. */
static bool is_public(const ModuleDef *m) {
  return !*m->name || is_methods(m) || native_find_module(m->name, strlen(m->name)) >= 0;
}

/* Whether `name` is that of the module, or of the member with or without its module's. */
static bool doc_matches(const ModuleDef *m, const NativeDef *d, const char *name) {
  const char *dot = strrchr(name, '.');
  if (!dot) return strcmp(d->name, name) == 0;
  size_t n = (size_t)(dot - name);
  return strcmp(d->name, dot + 1) == 0 && strlen(m->name) == n && memcmp(m->name, name, n) == 0;
}

int ox_find_doc(const char *name, void (*found)(void *context, const ox_Doc *doc), void *context) {
  int count = 0;
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    if (!is_public(m)) continue;
    if (*m->name && strcmp(m->name, name) == 0 && m->doc && !is_methods(m)) {
      found(context, &(ox_Doc){sizeof(ox_Doc), m->name, m->doc, m->name});
      count++;
    }
    for (int i = 0; i < m->ndefs; i++) {
      const NativeDef *d = &m->defs[i];
      if (!doc_matches(m, d, name)) continue;
      found(context, &(ox_Doc){sizeof(ox_Doc), d->signature, d->doc ? d->doc : "", m->name});
      count++;
    }
  }
  return count;
}

static void put(ox_Write write, void *context, const char *text) {
  write(context, text, strlen(text));
}

static void reference_def(const NativeDef *d, ox_Write write, void *context) {
  put(write, context, "\n`");
  put(write, context, d->signature);
  put(write, context, "`  \n");
  put(write, context, d->doc ? d->doc : "");
  put(write, context, "\n");
}

static void reference_table(const ModuleDef *m, ox_Write write, void *context) {
  char heading[128];
  const char *form = !*m->name ? "%sCore names" : is_methods(m) ? "Methods of %s" : "Module %s";
  snprintf(heading, sizeof heading, form, m->name);
  put(write, context, "\n## ");
  put(write, context, heading);
  put(write, context, "\n");
  if (m->doc && *m->doc) {
    put(write, context, "\n");
    put(write, context, m->doc);
    put(write, context, "\n");
  }
  for (int i = 0; i < m->ndefs; i++) reference_def(&m->defs[i], write, context);
}

void ox_reference(ox_Write write, void *context) {
  put(write, context, "# Reference of the builtins\n\n"
      "Made by `oxbow --reference` from the tables that the builtins are registered in.\n");
  for (int t = 0; t < native_table_count; t++)
    if (is_public(native_tables[t])) reference_table(native_tables[t], write, context);
}

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

/* The member of v that can be had without running anything, or V_ABSENT. */
static Value quiet_member(ox_VM *vm, Value v, Value key) {
  if (v_is(v, KIND_MAP)) return map_get_str(vm, as_map(vm, v), key);
  if (v_is(v, KIND_MODULE)) {
    const Module *m = vm_deref(vm, v);
    Value slot = slot_in(vm, m->exports, key);
    if (!v_is_int(slot) || !v_is(m->frame, KIND_FRAME)) return V_ABSENT;
    return ((Frame *)vm_deref(vm, m->frame))->slots[v_int(slot)];
  }
  if (!v_is(v, KIND_INSTANCE)) return V_ABSENT;
  Instance *o = vm_deref(vm, v);
  const Class *cls = gc_ptr(vm->cage, (Ref){o->h.aux});
  Value slot = slot_in(vm, cls->fields, key);
  return v_is_int(slot) ? o->fields[v_int(slot)] : V_ABSENT;
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

void ox_complete(ox_VM *vm, const char *text, size_t length,
                 void (*found)(void *context, const char *completion), void *context) {
  const char *end = text + length, *last = end, *chain;
  while (last > text && is_name_byte(last[-1])) last--;
  for (chain = last; chain > text && (is_name_byte(chain[-1]) || chain[-1] == '.');) chain--;
  Completer c = {vm, last, (size_t)(end - last), found, context};
  uint32_t mark = api_enter(vm);
  if (chain == last) {
    offer_names(&c);
  } else {
    Value v = chain_value(vm, chain, last - 1);
    if (v != V_ABSENT) offer_members(&c, v);
  }
  api_leave(vm, mark, V_NIL, NULL);
}
