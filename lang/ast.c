#include "ast.h"

#define SPELLING(name, spelling) spelling,
#define TEXT(name)               #name,

const char *ast_binary_op_text(BinaryOp op) {
  static const char *const texts[] = {AST_BINARY_OPS(SPELLING)};
  return texts[op];
}

const char *ast_logic_op_text(LogicOp op) {
  static const char *const texts[] = {AST_LOGIC_OPS(SPELLING)};
  return texts[op];
}

const char *ast_unary_op_text(UnaryOp op) {
  static const char *const texts[] = {AST_UNARY_OPS(SPELLING)};
  return texts[op];
}

const char *ast_expr_kind_text(ExprKind kind) {
  static const char *const texts[] = {AST_EXPR_KINDS(TEXT)};
  return texts[kind];
}

const char *ast_stmt_kind_text(StmtKind kind) {
  static const char *const texts[] = {AST_STMT_KINDS(TEXT)};
  return texts[kind];
}

const char *ast_pattern_kind_text(PatternKind kind) {
  static const char *const texts[] = {AST_PATTERN_KINDS(TEXT)};
  return texts[kind];
}
