/* The tables of builtins, and what scripts cannot reach of the standard modules: hosts that take
 * the output, exit codes, handles given back. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "runtime/interp.h"
#include "runtime/list.h"
#include "runtime/map.h"
#include "runtime/native.h"
#include "runtime/prelude.h"
#include "runtime/run.h"
#include "runtime/signature.h"
#include "runtime/str.h"

/* ---- tables -------------------------------------------------------------------------------- */

typedef void (*EachDef)(const ModuleDef *m, const NativeDef *d);

static void each_def(EachDef check) {
  for (int t = 0; t < native_table_count; t++)
    for (int i = 0; i < native_tables[t]->ndefs; i++)
      check(native_tables[t], &native_tables[t]->defs[i]);
}

static void check_signature(const ModuleDef *m, const NativeDef *d) {
  Signature sig;
  size_t n = strlen(d->name);
  cr_expect(strncmp(d->signature, d->name, n) == 0, "%s.%s: %s", m->name, d->name, d->signature);
  if (d->kind == DEF_NUMBER) return;
  cr_expect(d->signature[n] == '(', "%s.%s: %s", m->name, d->name, d->signature);
  signature_parse(d->signature, &sig);
  cr_expect(!sig.malformed, "%s.%s: %s", m->name, d->name, d->signature);
  bool methods = m->type >= 0 || strchr(m->name, '.');
  if (methods) cr_expect(strncmp(d->signature + n, "(self", 5) == 0, "%s: %s", m->name, d->name);
}

Test(tables, signatures_fit_the_names) { each_def(check_signature); }

static void check_doc(const ModuleDef *m, const NativeDef *d) {
  size_t n = d->doc ? strlen(d->doc) : 0;
  cr_assert(n > 3, "%s.%s has no documentation", m->name, d->name);
  cr_expect(d->doc[n - 1] == '.', "%s.%s: a sentence ends in a full stop", m->name, d->name);
  cr_expect(!isspace((unsigned char)d->doc[0]) && n < 600, "%s.%s: %s", m->name, d->name, d->doc);
  cr_expect(!strstr(d->doc, "  "), "%s.%s: two blanks: %s", m->name, d->name, d->doc);
}

Test(tables, everything_is_documented) {
  each_def(check_doc);
  for (int t = 0; t < native_table_count; t++) cr_expect(native_tables[t]->doc != NULL);
}

/* Parameters as the table has them and as the function has them. */
static void check_parameters(ox_VM *vm, const ModuleDef *m, const NativeDef *d, Value f) {
  Signature sig;
  signature_parse(d->signature, &sig);
  if (!v_is(f, KIND_CLOSURE)) return; /* a class: its signature is that of init */
  Proto *p = proto_of(vm, f);
  cr_expect(p->nparams == sig.count, "%s.%s: other parameters", m->name, d->name);
  for (int i = 0; i < sig.count && i < p->nparams; i++) {
    String *name = string_flat(vm, list_get(vm, p->params, (uint64_t)i));
    cr_expect(strlen(name->chars) == sig.params[i].len &&
                  memcmp(name->chars, sig.params[i].name, sig.params[i].len) == 0,
              "%s.%s: parameter %d is %s", m->name, d->name, i, name->chars);
  }
}

/* What modules written in Oxbow export is what their tables say. */
Test(tables, written_modules_have_what_is_documented) {
  ox_VM *vm = vm_new(NULL);
  int written = 0;
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    Value module;
    VmText diags = {0};
    if (!native_written_text(t)) continue;
    cr_assert(vm_import(vm, m->name, false, &module, &diags) == VM_OK, "%s", m->name);
    Module *object = (Module *)vm_deref(vm, module);
    cr_expect(as_map(vm, object->exports)->live == (uint32_t)m->ndefs, "%s", m->name);
    for (int i = 0; i < m->ndefs; i++) {
      Value key = string_intern(vm, m->defs[i].name, strlen(m->defs[i].name));
      Value slot = map_get_str(vm, as_map(vm, object->exports), key);
      cr_expect(m->defs[i].kind == DEF_MEMBER && slot != V_ABSENT, "%s.%s", m->name, m->defs[i].name);
      if (slot == V_ABSENT) continue;
      Value f = ((Frame *)vm_deref(vm, object->frame))->slots[v_int(slot)];
      check_parameters(vm, m, &m->defs[i], f);
    }
    written++;
  }
  cr_expect(written == 5);
  vm_free(vm);
}

Test(tables, names_are_unique) {
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    for (int i = 0; i < m->ndefs; i++)
      for (int j = 0; j < i; j++)
        cr_expect(strcmp(m->defs[i].name, m->defs[j].name) != 0, "%s.%s twice", m->name,
                  m->defs[i].name);
  }
}

Test(tables, every_script_is_in_the_prelude) {
  ox_VM *vm = vm_new(NULL);
  cr_assert(vm != NULL);
  for (int t = 0; t < native_table_count; t++)
    for (int i = 0; i < native_tables[t]->ndefs; i++) {
      const NativeDef *d = &native_tables[t]->defs[i];
      if (d->kind != DEF_SCRIPT) continue;
      Value f = prelude_function(vm, d->script, d->name);
      cr_expect(f != V_ERROR, "%s: no %s in the prelude", d->name, d->script);
      if (f == V_ERROR) error_take(vm);
    }
  vm_free(vm);
}

/* ---- running ------------------------------------------------------------------------------- */

typedef struct Output { char text[4096]; size_t len; } Output;

static void take_output(void *ctx, const char *bytes, size_t n) {
  Output *out = ctx;
  if (n > sizeof out->text - 1 - out->len) n = sizeof out->text - 1 - out->len;
  memcpy(out->text + out->len, bytes, n);
  out->len += n;
  out->text[out->len] = 0;
}

static VmStatus run_text(ox_VM *vm, const char *text) {
  VmText diags = {0};
  Value module;
  VmStatus status = vm_load(vm, "test", NULL, text, strlen(text), &module, &diags, NULL);
  cr_assert(status == VM_OK, "%s", diags.data ? diags.data : "?");
  vm_text_free(&diags);
  return vm_run(vm, module);
}

Test(modules, output_goes_to_the_host) {
  Output out = {.len = 0};
  ox_VM *vm = vm_new(&(VmConfig){.write = take_output, .write_ctx = &out});
  cr_assert(run_text(vm, "import io\nio.write(1, \"a\")\nio.stdout.write([2])\nprint(3)\n"
                         "io.flush()") == VM_OK);
  vm_flush(vm);
  cr_expect(strcmp(out.text, "1a[2]3\n") == 0, "%s", out.text);
  vm_free(vm);
}

Test(modules, exit_tells_the_host) {
  ox_VM *vm = vm_new(NULL);
  VmStatus status = run_text(vm, "import os\ntry { os.exit(7) } catch e { print(\"caught\") }");
  cr_assert(status == VM_THROWN);
  cr_expect(vm->exiting && vm->exit_code == 7);
  vm_free(vm);
}

Test(modules, arguments_are_the_hosts) {
  Output out = {.len = 0};
  char *argv[] = {"one", "two words"};
  ox_VM *vm = vm_new(&(VmConfig){
      .write = take_output, .write_ctx = &out, .argc = 2, .argv = argv});
  cr_assert(run_text(vm, "import os\nprint(os.args)") == VM_OK);
  vm_flush(vm);
  cr_expect(strcmp(out.text, "[\"one\", \"two words\"]\n") == 0, "%s", out.text);
  vm_free(vm);
}

/* Handles of dead objects are used again, so their table stays small. */
Test(modules, handles_are_given_back) {
  ox_VM *vm = vm_new(NULL);
  cr_assert(run_text(vm, "import fs, memory\n"
                         "fn open() { for i in 0..50 { fs.open(\"/dev/null\") } }\n"
                         "for turn in 0..40 { open(); memory.collect() }") == VM_OK);
  cr_expect(vm->nhandles < 300, "%u handles", vm->nhandles);
  vm_free(vm);
}

/* Two machines in one process share nothing. */
Test(modules, machines_are_apart) {
  Output a = {.len = 0}, b = {.len = 0};
  ox_VM *first = vm_new(&(VmConfig){.write = take_output, .write_ctx = &a});
  ox_VM *second = vm_new(&(VmConfig){.write = take_output, .write_ctx = &b});
  const char *text = "import random, regex\nrandom.seed(3)\n"
                     "print(random.int(0, 1000000), regex.match(\"b+\", \"abb\").text)";
  cr_assert(run_text(first, text) == VM_OK);
  cr_assert(run_text(second, text) == VM_OK);
  text = "import random\nrandom.seed(3)\nprint(random.int(0, 1000000))";
  cr_assert(run_text(first, text) == VM_OK);
  vm_flush(first);
  vm_flush(second);
  cr_expect(b.len > 4 && strncmp(a.text, b.text, b.len) == 0, "%s %s", a.text, b.text);
  vm_free(first);
  vm_free(second);
}
