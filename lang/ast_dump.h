/* The syntax tree as text, one S-expression a statement, for tests and for debugging the parser.
 *
 *   let a = [1, -x ** 2]     (let a [1 (- (** x 2))])
 *   if a { b } else { c }    (if a {b} else {c})
 *
 * Names, numbers and strings are themselves; a missing end of a range is `*`. */
#ifndef OX_LANG_AST_DUMP_H
#define OX_LANG_AST_DUMP_H

#include "ast.h"

/* Takes the text in pieces. */
typedef void (*AstWrite)(void *ctx, const char *bytes, size_t len);

/* The program must have been parsed without errors. */
void ast_dump(const Program *program, AstWrite write, void *ctx);

#endif
