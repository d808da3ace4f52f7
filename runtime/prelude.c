/* prelude.c - compiles runtime/lib/prelude.oxb when one of its functions is first called. */
#include "prelude.h"

#include "import.h"
#include "interp.h"
#include "map.h"
#include "native.h"
#include "run.h"
#include "str.h"

extern const char prelude_text[]; /* made from prelude.oxb by runtime/mk/embed.sh */
extern const unsigned long prelude_size;

bool prelude_is(ox_VM *vm, Value module) {
  if (!v_is(module, KIND_MODULE)) return false;
  const Module *m = vm_deref(vm, module);
  if (module == vm->st->prelude) return true;
  return v_is(m->path, KIND_STRING) &&
         strncmp(((const String *)vm_deref(vm, m->path))->chars, "std:", 4) == 0;
}

bool prelude_is_text(const char *text) {
  bool is_standard = text == prelude_text;
  for (int t = 0; t < native_table_count && !is_standard; t++)
    is_standard = native_written_text(t) == text;
  return is_standard;
}

static bool load(ox_VM *vm) {
  if (v_is(vm->st->prelude, KIND_MODULE)) return true;
  VmText diags = {0};
  uint64_t fuel = vm_fuel_left(vm); /* loading it costs the program nothing */
  LoadRequest r = {"<prelude>", NULL, prelude_text, prelude_size, false, false, &diags, NULL};
  Value module;
  VmStatus status = import_load(vm, &r, &module);
  if (status == VM_OK) {
    vm->st->prelude = module;
    status = vm_run(vm, module);
    if (status == VM_OK && vm->fuel_limited) vm->fuel_limit += fuel - vm_fuel_left(vm);
    if (status != VM_OK) vm->st->prelude = V_NIL;
  } else if (status != VM_THROWN) {
    vm_throw(vm, ERR_SYSTEM, "the prelude does not compile: %s", diags.data ? diags.data : "?");
  }
  vm_text_free(&diags);
  return status == VM_OK;
}

static Value member(ox_VM *vm, const char *name) {
  Value key = string_intern(vm, name, strlen(name));
  if (key == V_ERROR) return V_ERROR;
  Module *m = (Module *)vm_deref(vm, vm->st->prelude);
  Value slot = map_get_str(vm, as_map(vm, m->exports), key);
  Value f = V_NIL;
  if (slot != V_ABSENT && v_is(m->frame, KIND_FRAME))
    f = ((Frame *)vm_deref(vm, m->frame))->slots[v_int(slot)];
  if (v_is(f, KIND_CLOSURE)) return f;
  return vm_throw(vm, ERR_SYSTEM, "the prelude has no function `%s`", name);
}

Value prelude_function(ox_VM *vm, const char *script, const char *shown) {
  uint32_t mark = vm_roots_mark(vm);
  Value f = load(vm) ? member(vm, script) : V_ERROR;
  Value name = f == V_ERROR ? V_ERROR : string_intern(vm, shown, strlen(shown));
  vm_roots_reset(vm, mark);
  if (name == V_ERROR) return V_ERROR;
  Proto *p = proto_of(vm, f);
  if (p->name != name) gc_store(vm->cage, gc_word(vm->cage, &p->name), name);
  return f;
}
