#include "spine.h"

Expr *spine_left(const Expr *e) {
  switch (e->kind) {
    case EXPR_BINARY: return e->binary.left;
    case EXPR_LOGIC: return e->logic.left;
    case EXPR_CALL: return e->call.callee;
    case EXPR_FIELD: return e->field.object;
    case EXPR_INDEX: return e->index.object;
    default: return NULL;
  }
}

Spine spine_of(Compilation *comp, Expr *e) {
  Spine spine = {.base = e};
  for (Expr *left; (left = spine_left(spine.base)) != NULL; spine.base = left) spine.count++;
  spine.nodes = comp_array(comp, spine.count, sizeof *spine.nodes);
  Expr *node = e;
  for (uint32_t i = spine.count; i-- > 0; node = spine_left(node)) spine.nodes[i] = node;
  return spine;
}
