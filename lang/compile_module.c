/* A whole source text: lang_compile, imports and exports. */
#include <string.h>

#include "compile.h"
#include "parser.h"

enum { MAX_IMPORTS = 65536 };

/* ---- imports ------------------------------------------------------------------------------ */

static ImportName *import_names(FnState *f, const Import *import) {
  ImportName *names = comp_array(f->comp, import->item_count, sizeof *names);
  for (uint32_t i = 0; i < import->item_count; i++) {
    const ImportItem *item = &import->items[i];
    Span span = item->name_span;
    names[i] = (ImportName){text_of_name(item->name), span.start, span.end};
  }
  return names;
}

static uint32_t add_import(FnState *f, const Import *import) {
  ModuleState *module = f->module;
  if (module->imports.count >= MAX_IMPORTS) {
    compile_fail(f, import->span, "too many imports");
    return 0;
  }
  Span span = import->module_span;
  ImportRef ref = {import->module, import->is_path, span.start, span.end,
                   import_names(f, import), import->item_count};
  VEC_PUSH(f->comp, module->imports, ref);
  return (uint32_t)module->imports.count - 1;
}

/* A variable gets the value in the temporary R[reg]. True if it keeps the register. */
static bool keep_value(FnState *f, Binding *b, unsigned reg, Span span) {
  var_init(f, b, reg, true, span);
  return b->storage == STORE_REGISTER;
}

/* The names of a live import are looked up at each use; here only to report a missing one. */
static bool import_item(FnState *f, const ImportItem *item, unsigned module) {
  unsigned value = reg_take(f, 1, item->name_span);
  emit_cached(f, OP_GETF, value, module, 0, text_of_name(item->name), item->name_span);
  bool is_kept = !item->binding->live_module &&
                 keep_value(f, item->binding, value, item->local_span);
  if (!is_kept) reg_release(f, value);
  return is_kept;
}

static void import_one(FnState *f, const Import *import) {
  unsigned mark = f->next, active = f->active;
  uint32_t index = add_import(f, import);
  unsigned module = reg_take(f, 1, import->span);
  Binding *live = import->item_count > 0 ? import->items[0].binding->live_module : NULL;
  bool is_kept = false;
  emit_ad(f, OP_IMPORT, module, (int32_t)index, import->module_span);
  if (import->local) is_kept = keep_value(f, import->binding, module, import->local_span);
  if (live) is_kept = keep_value(f, live, module, import->span);
  for (uint32_t i = 0; i < import->item_count; i++) {
    is_kept |= import_item(f, &import->items[i], module);
  }
  if (is_kept) return;
  f->active = active;
  reg_release(f, mark);
}

void import_stmt(FnState *f, Stmt *stmt) {
  for (uint32_t i = 0; i < stmt->imports.count; i++) import_one(f, &stmt->imports.items[i]);
}

/* ---- exports ------------------------------------------------------------------------------ */

static void collect_exports(ModuleState *module, const Scope *scope) {
  for (const Binding *b = scope->first; b; b = b->next) {
    if (b->export_slot == NO_SLOT) continue;
    Export export = {text_of_name(b->name), b->export_slot, b->is_const};
    VEC_PUSH(module->comp, module->exports, export);
  }
}

/* ---- the whole ---------------------------------------------------------------------------- */

static ModuleCode *module_compile(Compilation *comp, Program *program) {
  FnInfo *main = NULL;
  ModuleState module = {.comp = comp};
  resolve_program(comp, program, &main);
  if (comp->diags->error_count > 0) return NULL;
  collect_exports(&module, program->body->scope);
  ModuleCode *result = COMP_NEW(comp, ModuleCode);
  result->main = main_compile(&module, main, program->body);
  result->main->doc = program->doc;
  result->exports = module.exports.items;
  result->nexports = (uint32_t)module.exports.count;
  result->imports = module.imports.items;
  result->nimports = (uint32_t)module.imports.count;
  return comp->diags->error_count == 0 ? result : NULL;
}

/* Apart from lang_compile, so that no variable of this call is lost by the jump. */
static void compile_guarded(Compilation *comp, LangResult *result) {
  ParseResult parsed = parser_parse(comp->arena, &comp->names, comp->source, comp->diags);
  result->incomplete = parsed.incomplete;
  if (parsed.ok && setjmp(comp->bail) == 0) result->module = module_compile(comp, parsed.program);
}

LangResult lang_compile(Arena *arena, const Source *source, const LangOptions *options,
                        Diags *diags) {
  LangResult result = {0};
  Compilation comp = {.arena = arena, .source = source, .options = options, .diags = diags};
  names_init(&comp.names, arena);
  compile_guarded(&comp, &result);
  result.oom = arena->oom;
  if (result.oom) result.module = NULL;
  else diag_sort(diags);
  return result;
}
