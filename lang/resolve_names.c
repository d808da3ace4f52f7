/* From a spelling to what it means: declared names, then globals, then core names; and for a
 * name that means nothing, the nearest one that does. */
#include <string.h>

#include "distance.h"
#include "habits.h"
#include "resolve_internal.h"

enum { MAX_SUGGEST_DISTANCE = 2, FIRST_NAME_SLOTS = 64 };

/* ---- the table of visible names ----------------------------------------------------------- */

static NameSlot *find_slot(NameSlot *slots, uint32_t capacity, const Name *name) {
  uint32_t mask = capacity - 1;
  uint32_t i = (name->hash * 0x9E3779B1u) & mask;
  while (slots[i].name && slots[i].name != name) i = (i + 1) & mask;
  return &slots[i];
}

static void grow_names(Resolver *r) {
  uint32_t capacity = r->name_capacity ? 2 * r->name_capacity : FIRST_NAME_SLOTS;
  NameSlot *slots = comp_array(r->comp, capacity, sizeof *slots);
  for (uint32_t i = 0; i < r->name_capacity; i++) {
    if (r->names[i].name) *find_slot(slots, capacity, r->names[i].name) = r->names[i];
  }
  r->names = slots;
  r->name_capacity = capacity;
}

static NameSlot *slot_of(Resolver *r, Name *name) {
  if (4 * r->name_count >= 3 * r->name_capacity) grow_names(r);
  NameSlot *slot = find_slot(r->names, r->name_capacity, name);
  if (!slot->name) {
    slot->name = name;
    r->name_count++;
  }
  return slot;
}

void resolve_show(Resolver *r, Binding *binding) {
  NameSlot *slot = slot_of(r, binding->name);
  binding->outer = slot->top;
  slot->top = binding;
}

/* Bindings of one scope may be hidden in any order, duplicates among them. */
void resolve_hide(Resolver *r, Binding *binding) {
  NameSlot *slot = slot_of(r, binding->name);
  while (slot->top && slot->top->scope == binding->scope) slot->top = slot->top->outer;
}

Binding *resolve_declared(Resolver *r, const Name *name) {
  if (!r->name_capacity) return NULL;
  return find_slot(r->names, r->name_capacity, name)->top;
}

/* ---- suggestions -------------------------------------------------------------------------- */

typedef struct Suggestion {
  const Name *wanted;
  const char *best;
  uint32_t best_len;
  uint32_t distance;
} Suggestion;

static void suggest_consider(Suggestion *s, const char *chars, uint32_t len) {
  uint32_t wanted = s->wanted->len;
  uint32_t gap = len > wanted ? len - wanted : wanted - len;
  if (len > DISTANCE_MAX_LEN || gap > MAX_SUGGEST_DISTANCE) return;
  uint32_t distance = distance_edit(s->wanted->chars, wanted, chars, len);
  uint32_t longest = len > wanted ? len : wanted;
  if (distance == 0 || (distance > 1 && 2 * distance >= longest) || 2 * distance > longest ||
      distance >= s->distance) return;
  s->best = chars;
  s->best_len = len;
  s->distance = distance;
}

static void suggest_from_list(Suggestion *s, const char *(*at)(void *, uint32_t), void *ctx) {
  const char *name;
  if (!at) return;
  for (uint32_t i = 0; (name = at(ctx, i)) != NULL; i++) {
    suggest_consider(s, name, (uint32_t)strlen(name));
  }
}

static Suggestion suggest(Resolver *r, const Name *name) {
  Suggestion s = {.wanted = name, .distance = MAX_SUGGEST_DISTANCE + 1};
  const LangEnv *env = r->comp->options->env;
  if (name->len > DISTANCE_MAX_LEN) return s;
  for (uint32_t i = 0; i < r->name_capacity; i++) {
    const Binding *b = r->names[i].top;
    if (b && b->kind < BIND_HIDDEN) suggest_consider(&s, b->name->chars, b->name->len);
  }
  if (env) {
    suggest_from_list(&s, env->global_name, env->ctx);
    suggest_from_list(&s, env->core_name, env->ctx);
  }
  return s;
}

/* `math.sqrt(2)` without `import math`, or only `sqrt(2)`. */
static bool hint_module(Resolver *r, const Name *name, UseKind use, Diag *diag) {
  const LangEnv *env = r->comp->options->env;
  bool is_itself = false;
  const char *module = env && env->module_of
                           ? env->module_of(env->ctx, name->chars, name->len, &is_itself)
                           : NULL;
  if (!module || use == USE_ASSIGN || (!is_itself && use != USE_CALL)) return false;
  if (is_itself) {
    diag_hint(r->comp->diags, diag, "write `import %s` first", module);
  } else {
    diag_hint(r->comp->diags, diag, "it is in a module: write `from %s import %s` first", module,
              name->chars);
  }
  return true;
}

static void report_unknown(Resolver *r, Name *name, Span span, UseKind use) {
  Diags *diags = r->comp->diags;
  Diag *diag = diag_error(diags, r->comp->source, span, "'%s' is not defined", name->chars);
  const char *hint = use == USE_CALL ? habit_of_call(name->chars) : habit_of_word(name->chars);
  Suggestion s = suggest(r, name);
  if (hint) {
    diag_hint(diags, diag, "%s", hint);
  } else if (hint_module(r, name, use, diag)) {
    return;
  } else if (s.best && use == USE_ASSIGN) {
    diag_hint(diags, diag, "did you mean '%.*s'? Otherwise declare it first: let %s = ...",
              (int)s.best_len, s.best, name->chars);
  } else if (s.best) {
    diag_hint(diags, diag, "did you mean '%.*s'?", (int)s.best_len, s.best);
  } else if (use == USE_ASSIGN) {
    diag_hint(diags, diag, "declare it first: let %s = ...", name->chars);
  }
}

/* ---- lookup ------------------------------------------------------------------------------- */

static Binding *bind_outside(Resolver *r, BindingKind kind, Storage storage, Name *name,
                             uint32_t index) {
  Binding *b = COMP_NEW(r->comp, Binding);
  b->kind = kind;
  b->storage = storage;
  b->name = name;
  b->index = index;
  b->is_const = kind == BIND_CORE;
  b->export_slot = NO_SLOT;
  return b;
}

static Binding *find_outside(Resolver *r, Name *name) {
  const LangEnv *env = r->comp->options->env;
  if (!env) return NULL;
  bool is_const = false;
  int index = env->global_index
                  ? env->global_index(env->ctx, name->chars, name->len, &is_const) : -1;
  if (index >= 0) {
    Binding *b = bind_outside(r, BIND_GLOBAL, STORE_GLOBAL, name, (uint32_t)index);
    b->is_const = is_const;
    return b;
  }
  index = env->core_index ? env->core_index(env->ctx, name->chars, name->len) : -1;
  return index < 0 ? NULL : bind_outside(r, BIND_CORE, STORE_CORE, name, (uint32_t)index);
}

/* Outside names are entered below all declared ones, where later lookups find them. */
static void show_below(Resolver *r, Binding *binding) {
  NameSlot *slot = slot_of(r, binding->name);
  Binding **end = &slot->top;
  while (*end) end = &(*end)->outer;
  *end = binding;
}

Binding *resolve_lookup(Resolver *r, Name *name, Span span, UseKind use) {
  Binding *b = resolve_declared(r, name);
  if (b) return b;
  b = find_outside(r, name);
  if (!b) {
    report_unknown(r, name, span, use);
    b = bind_outside(r, BIND_UNDEFINED, STORE_CORE, name, 0);
  }
  show_below(r, b);
  return b;
}

/* ---- types -------------------------------------------------------------------------------- */

static const char *const type_names[] = {
#define TYPE(name, text) text,
#include "types.def"
#undef TYPE
};

enum {
#define TYPE(name, text) TYPE_NUMBER_##name,
#include "types.def"
#undef TYPE
};

int resolve_builtin_type(Resolver *r, const Expr *type) {
  if (type->kind != EXPR_NAME) return 0;
  const Name *name = type->name.name;
  const Binding *b = resolve_declared(r, name);
  if (b && b->scope && b->kind != BIND_IMPORT) return 0;
  if (strcmp(name->chars, "fn") == 0) return 1 + TYPE_NUMBER_FUNCTION;
  for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
    if (strcmp(name->chars, type_names[i]) == 0) return 1 + (int)i;
  }
  return 0;
}
