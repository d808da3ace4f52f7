/* Variables: from a binding to the instructions that read, initialise and assign it.
 *
 * A binding in a register of this function is used there. From an inner function it is a
 * captured value, kept in a register as well where a loop reads it. A binding in a frame is a
 * slot of a frame register of this function, or of a frame some levels above the closure's. */
#include "compile.h"

/* ---- frames ------------------------------------------------------------------------------- */

unsigned scope_frame(const FnState *f, const Scope *scope) {
  for (; scope && scope->fn == f->info; scope = scope->parent) {
    if (scope->slots > 0) return scope->frame_reg;
  }
  return FRAME_OWN;
}

void scope_enter(FnState *f, Scope *scope) {
  if (scope->slots == 0) return;
  unsigned reg = reg_take(f, 1, NO_SPAN);
  scope->frame_reg = (uint8_t)reg;
  f->active = f->next;
  emit_abcw(f, OP_NEWFRAME, reg, 0, scope_frame(f, scope->parent), scope->slots, NO_SPAN);
}

/* Frames between the one that the running closure holds and that of `home`. */
static uint32_t frame_level(FnState *f, const Scope *home, Span span) {
  uint32_t level = 0;
  for (const Scope *scope = f->info->scope->parent; scope && scope != home;
       scope = scope->parent) {
    if (scope->slots > 0) level++;
  }
  if (level > 255) compile_fail(f, span, "this variable is too many functions away");
  return level;
}

typedef struct SlotOps {
  Opcode here, here_wide, up, up_checked, up_wide;
} SlotOps;

static const SlotOps GET_OPS = {OP_GETSLOT, OP_GETSLOTW, OP_GETUP, OP_GETUPC, OP_GETUPW};
static const SlotOps SET_OPS = {OP_SETSLOT, OP_SETSLOTW, OP_SETUP, OP_SETUPC, OP_SETUPW};

static void emit_slot(FnState *f, const SlotOps *ops, unsigned reg, Binding *b, Span span) {
  Scope *home = b->scope->home;
  bool is_here = b->fn == f->info;
  bool is_checked = !is_here && resolve_needs_check(f->info, b);
  unsigned place = is_here ? home->frame_reg : frame_level(f, home, span);
  if (b->index > 255) {
    emit_abcw(f, is_here ? ops->here_wide : ops->up_wide, reg, place, is_checked, b->index, span);
    return;
  }
  Opcode op = is_here ? ops->here : is_checked ? ops->up_checked : ops->up;
  emit_abc(f, op, reg, place, b->index, span);
}

/* ---- reading ------------------------------------------------------------------------------ */

int var_register(FnState *f, Binding *b) {
  if (b->storage != STORE_REGISTER || b->is_volatile || b->live_module) return NO_VALUE;
  if (b->fn == f->info) return b->reg;
  Outer *outer = resolve_find_outer(f->info, b);
  return outer && outer->is_hoisted ? outer->reg : NO_VALUE;
}

static void load_register(FnState *f, Binding *b, unsigned dst) {
  if (b->fn == f->info) {
    emit_move(f, dst, b->reg);
    return;
  }
  Outer *outer = resolve_find_outer(f->info, b);
  if (!outer) return;
  if (outer->is_hoisted) emit_move(f, dst, outer->reg);
  else emit_abc(f, OP_GETCAP, dst, outer->capture, 0, NO_SPAN);
}

static void load_live(FnState *f, Binding *b, unsigned dst, Span span) {
  unsigned mark = f->next;
  unsigned module = var_any(f, b->live_module, span);
  emit_cached(f, OP_GETF, dst, module, 0, text_of_name(b->member), span);
  reg_release(f, mark);
}

void var_load(FnState *f, Binding *b, unsigned dst, Span span) {
  if (b->live_module) {
    load_live(f, b, dst, span);
    return;
  }
  switch (b->storage) {
    case STORE_REGISTER: load_register(f, b, dst); break;
    case STORE_FRAME: emit_slot(f, &GET_OPS, dst, b, span); break;
    case STORE_GLOBAL: emit_ad(f, OP_GETGLOBAL, dst, (int32_t)b->index, span); break;
    case STORE_CORE: emit_ad(f, OP_GETCORE, dst, (int32_t)b->index, NO_SPAN); break;
  }
}

unsigned var_any(FnState *f, Binding *b, Span span) {
  int reg = var_register(f, b);
  if (reg != NO_VALUE) return (unsigned)reg;
  unsigned temp = reg_take(f, 1, span);
  var_load(f, b, temp, span);
  return temp;
}

/* ---- writing ------------------------------------------------------------------------------ */

unsigned var_place(FnState *f, Binding *b, int reg) {
  unsigned place = reg == NO_VALUE ? reg_take(f, 1, b->span) : (unsigned)reg;
  b->reg = (uint8_t)place;
  return place;
}

/* From here on the register can be seen by its name. */
static void var_show(FnState *f, Binding *b) {
  f->active = f->next;
  if (!b->name) return;
  LocalName local = {text_of_name(b->name), code_here(f), 0, b->reg};
  VEC_PUSH(f->comp, f->locals, local);
}

void var_publish(FnState *f, Binding *b) {
  var_show(f, b);
  if (b->export_slot == NO_SLOT) return;
  unsigned frame = b->scope->home->frame_reg;
  if (b->export_slot > 255) {
    emit_abcw(f, OP_SETSLOTW, b->reg, frame, 0, b->export_slot, NO_SPAN);
  } else {
    emit_abc(f, OP_SETSLOT, b->reg, frame, b->export_slot, NO_SPAN);
  }
}

void var_init(FnState *f, Binding *b, unsigned reg, bool in_place, Span span) {
  if (b->storage == STORE_REGISTER) {
    unsigned place = var_place(f, b, in_place ? (int)reg : NO_VALUE);
    emit_move(f, place, reg);
    var_publish(f, b);
  } else if (b->storage == STORE_FRAME) {
    emit_slot(f, &SET_OPS, reg, b, span);
  } else {
    emit_ad(f, OP_SETGLOBAL, reg, (int32_t)b->index, span);
  }
}

void locals_end(FnState *f, size_t from) {
  for (size_t i = from; i < f->locals.count; i++) {
    if (f->locals.items[i].end == 0) f->locals.items[i].end = code_here(f);
  }
}

void var_assign(FnState *f, Binding *b, unsigned reg, Span span) {
  switch (b->storage) {
    case STORE_REGISTER: emit_move(f, b->reg, reg); break;
    case STORE_FRAME: emit_slot(f, &SET_OPS, reg, b, span); break;
    case STORE_GLOBAL: emit_ad(f, OP_SETGLOBAL, reg, (int32_t)b->index, span); break;
    case STORE_CORE: break;
  }
}
