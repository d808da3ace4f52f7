/* Left spines: the chain of nodes from an expression down its first operands.
 *
 * `a.b(c) + d` has the spine `a`, `a.b`, `a.b(c)`, `a.b(c) + d`. Such chains may be long, so
 * passes go along them with a loop instead of recursing.
 */
#ifndef OX_LANG_SPINE_H
#define OX_LANG_SPINE_H

#include "ast.h"
#include "compilation.h"

typedef struct Spine {
  Expr *base;   /* the innermost first operand */
  Expr **nodes; /* the others, from the inside out */
  uint32_t count;
} Spine;

/* The operand of `e` that is evaluated first, NULL where `e` is of no kind that makes spines. */
Expr *spine_left(const Expr *e);

Spine spine_of(Compilation *comp, Expr *e);

#endif
