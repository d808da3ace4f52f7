/* api_docs.c - the C API: what a prompt asks for. Documentation of builtins, read from the
 * tables they are registered in; how the library was built. Contracts in oxbow.h. */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "native.h"

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
  API_RULE(name && found, "the name or the function to call is NULL");
  int count = 0;
  if (!name || !found) return 0;
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    if (!is_public(m)) continue;
    if (*m->name && strcmp(m->name, name) == 0 && m->doc && !is_methods(m)) {
      found(context, &(ox_Doc){sizeof(ox_Doc), m->name, m->doc, m->name, NULL, 0});
      count++;
    }
    for (int i = 0; i < m->ndefs; i++) {
      const NativeDef *d = &m->defs[i];
      if (!doc_matches(m, d, name)) continue;
      found(context, &(ox_Doc){sizeof(ox_Doc), d->signature, d->doc ? d->doc : "", m->name, NULL,
                               0});
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
  API_RULE(write, "the function to write is NULL");
  if (!write) return;
  put(write, context, "# Reference of the builtins\n\n"
      "Made by `oxbow --reference` from the tables that the builtins are registered in.\n");
  for (int t = 0; t < native_table_count; t++)
    if (is_public(native_tables[t])) reference_table(native_tables[t], write, context);
}
