/* registry.c - all tables of natives in their fixed order, and what is made from them: Native
 * objects, modules, the core names. A native's number is its table << 10 | its index, so images
 * stay valid as long as nothing is inserted before the end of a table. */
#include "registry.h"

#include "../fiber.h"
#include "../list.h"
#include "../map.h"
#include "../signature.h"
#include "../snapshot.h"
#include "../str.h"
#include "../task.h"

const ModuleDef *const native_tables[] = {
    &module_core,
    /* methods of builtin types */
    &methods_string, &methods_list, &methods_map, &methods_set, &methods_range, &module_fiber,
    /* modules */
    &module_string, &module_list, &module_map, &module_set, &module_math, &module_json,
    &module_regex, &module_random, &module_time, &module_os, &module_fs, &module_path,
    &module_process, &module_io, &module_test, &module_memory, &module_buddy, &module_weak,
    /* modules written in Oxbow */
    &module_args, &module_csv, &module_iter, &module_queue, &module_text,
    /* methods of objects that modules make */
    &module_regex_pattern, &module_random_generator, &module_fs_file, &module_io_stream,
    &module_buddy_manager, &module_weak_ref, &module_weak_map,
    &module_snapshot, &module_task,
    /* what the prelude needs */
    &module_prelude,
};
const int native_table_count = (int)(sizeof native_tables / sizeof *native_tables);

enum { MANY = 0xFFFF };

Value native_from_def(ox_VM *vm, const NativeDef *def, uint32_t number) {
  Signature sig;
  signature_parse(def->signature, &sig);
  if (sig.malformed)
    return vm_throw(vm, ERR_VALUE, "the signature \"%s\" of a function of the host cannot be read; "
                    "it looks like \"move(x: int, y = 0, ...rest)\"", def->signature);
  Native *n = vm_alloc(vm, sizeof(Native) / 8, KIND_NATIVE, LAYOUT_VALUES, 0, number);
  if (!n) return V_ERROR;
  n->min = (uint16_t)sig.required;
  n->max = sig.rest ? MANY : (uint16_t)sig.count;
  n->flags = (uint16_t)sig.named;
  n->reserved = 0;
  Value v = v_from_ptr(vm->cage, KIND_NATIVE, n);
  return vm_root(vm, v) ? v : V_ERROR;
}

Value native_value(ox_VM *vm, uint32_t number) {
  const NativeDef *def = native_def(vm, number);
  return def->kind == DEF_NUMBER ? v_from_float(def->number) : native_from_def(vm, def, number);
}

/* Whether `import` can name it. */
static bool is_module(const ModuleDef *m) {
  return m->type < 0 && *m->name && !strchr(m->name, '.') && m != &module_prelude;
}

int native_find_module(const char *name, size_t len) {
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    if (is_module(m) && strlen(m->name) == len && memcmp(m->name, name, len) == 0) return t;
  }
  return -1;
}

static bool has_member(const ModuleDef *m, const char *name, size_t len) {
  for (int i = 0; i < m->ndefs; i++)
    if (strlen(m->defs[i].name) == len && memcmp(m->defs[i].name, name, len) == 0) return true;
  return false;
}

const char *native_module_with(const char *name, size_t len) {
  const char *found = NULL;
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    if (!has_member(m, name, len)) continue;
    if (!is_module(m) || found) return NULL;
    found = m->name;
  }
  return found;
}

const char *native_type_with(const char *name) {
  for (int t = 0; t < native_table_count; t++) {
    const ModuleDef *m = native_tables[t];
    if (m->type >= 0 && has_member(m, name, strlen(name))) return m->name;
  }
  return NULL;
}

static int table_number(const ModuleDef *def) {
  int t = 0;
  while (native_tables[t] != def) t++;
  return t;
}

int native_find_helpers(void) { return table_number(&module_prelude); }

bool registry_export_all(ox_VM *vm, const ModuleDef *def, Value exports) {
  uint32_t first = (uint32_t)table_number(def) << NATIVE_INDEX_BITS;
  for (int i = 0; i < def->ndefs; i++) {
    uint32_t mark = vm_roots_mark(vm);
    Value name = string_intern(vm, def->defs[i].name, strlen(def->defs[i].name));
    Value v = name == V_ERROR ? V_ERROR : native_value(vm, first | (uint32_t)i);
    if (v == V_ERROR || !map_set(vm, exports, name, v)) return false;
    vm_roots_reset(vm, mark);
  }
  return true;
}

/* From name -> value to a frame of the values and a map name -> slot. */
Value native_make_module(ox_VM *vm, Value name, Value members) {
  uint32_t n = as_map(vm, members)->live, i = 0, slot = 0;
  Value exports = map_new(vm, n), key, value;
  if (exports == V_ERROR) return V_ERROR;
  while (map_next(vm, as_map(vm, members), &i, &key, &value))
    if (!map_set(vm, exports, key, v_from_int(slot++))) return V_ERROR;
  uint8_t layout = LAYOUT_VALUES | LAYOUT_AUX_REF;
  Frame *f = vm_alloc(vm, 1 + (uint64_t)n, KIND_FRAME, layout, (uint16_t)n, 0);
  if (!f) return V_ERROR;
  for (i = slot = 0; map_next(vm, as_map(vm, members), &i, &key, &value);) f->slots[slot++] = value;
  Value frame = v_from_ptr(vm->cage, KIND_FRAME, f);
  if (!vm_root(vm, frame)) return V_ERROR;
  Module *m = vm_alloc(vm, sizeof(Module) / 8, KIND_MODULE, LAYOUT_VALUES, 7, 0);
  if (!m) return V_ERROR;
  m->name = name;
  m->exports = exports;
  m->frame = frame;
  m->path = m->imports = m->main = m->source = V_NIL;
  m->state = MODULE_READY;
  Value v = v_from_ptr(vm->cage, KIND_MODULE, m);
  return vm_root(vm, v) ? v : V_ERROR;
}

bool vm_allows(ox_VM *vm, const char *what) {
  for (const char *const *denied = vm->denied; denied && *denied; denied++)
    if (strcmp(*denied, what) == 0) {
      vm_throw(vm, ERR_IMPORT, "the host does not allow `%s`", what);
      return false;
    }
  return true;
}

/* Takes what the host forbids out of a module: its places stay empty. */
static bool take_denied(ox_VM *vm, const char *name, Value module) {
  size_t n = strlen(name);
  for (const char *const *denied = vm->denied; denied && *denied; denied++) {
    if (strncmp(*denied, name, n) != 0 || (*denied)[n] != '.') continue;
    uint32_t mark = vm_roots_mark(vm);
    Value member = string_from_c(vm, *denied + n + 1);
    Module *m = vm_deref(vm, module);
    Value slot = member == V_ERROR ? V_ERROR : map_get(vm, m->exports, member);
    vm_roots_reset(vm, mark);
    if (slot == V_ERROR) return !error_pending(vm);
    gc_store(vm->cage, v_ref(m->frame).w + 1 + (uint64_t)v_int(slot), V_ABSENT);
  }
  return true;
}

Value native_module(ox_VM *vm, int table) {
  const ModuleDef *def = native_tables[table];
  if (!vm_allows(vm, def->name)) return V_ERROR;
  Value name = string_intern(vm, def->name, strlen(def->name));
  Value members = name == V_ERROR ? V_ERROR : map_new(vm, (uint64_t)def->ndefs);
  if (members == V_ERROR || !registry_export_all(vm, def, members)) return V_ERROR;
  if (def->init && !def->init(vm, members)) return V_ERROR;
  Value module = native_make_module(vm, name, members);
  return module != V_ERROR && take_denied(vm, def->name, module) ? module : V_ERROR;
}

bool natives_init(ox_VM *vm) {
  Value store = V_NIL;
  Store *core = store_new(vm, (uint64_t)module_core.ndefs);
  if (!core) return false;
  store = v_from_ptr(vm->cage, KIND_STORE, core);
  gc_store(vm->cage, gc_word(vm->cage, &vm->st->core), store);
  for (int i = 0; i < module_core.ndefs; i++) {
    uint32_t mark = vm_roots_mark(vm);
    Value v = native_value(vm, (uint32_t)i);
    if (v == V_ERROR) return false;
    gc_store(vm->cage, gc_word(vm->cage, &core->items[i]), v);
    vm_roots_reset(vm, mark);
  }
  return true;
}
