#include "ast_dump.h"

#include <stdio.h>
#include <string.h>

typedef struct Dumper {
  AstWrite write;
  void *ctx;
} Dumper;

static void dump_expr(Dumper *d, const Expr *expr);
static void dump_stmt(Dumper *d, const Stmt *stmt);
static void dump_pattern(Dumper *d, const Pattern *pattern);

/* ---- pieces ----------------------------------------------------------------------------- */

static void put(Dumper *d, const char *text) { d->write(d->ctx, text, strlen(text)); }

static void put_name(Dumper *d, const Name *name) {
  if (name) d->write(d->ctx, name->chars, name->len);
  else put(d, "<none>");
}

static void put_text(Dumper *d, Text text) {
  put(d, "\"");
  for (uint32_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.chars[i];
    char escape[8];
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
      d->write(d->ctx, &text.chars[i], 1);
      continue;
    }
    snprintf(escape, sizeof escape, c == '\n' ? "\\n" : "\\x%02X", c);
    put(d, escape);
  }
  put(d, "\"");
}

static void put_int(Dumper *d, int64_t value) {
  char digits[32];
  snprintf(digits, sizeof digits, "%lld", (long long)value);
  put(d, digits);
}

/* As a C literal; a hexadecimal one, so that no digit is lost. Whole numbers are readable. */
static void put_float(Dumper *d, double value) {
  char digits[64];
  bool is_short = value > -1e9 && value < 1e9 && value * 64 == (double)(int64_t)(value * 64);
  if (!is_short) {
    snprintf(digits, sizeof digits, "%a", value);
    put(d, digits);
    return;
  }
  const char *sign = __builtin_signbit(value) ? "-" : "";
  uint64_t scaled = (uint64_t)(int64_t)((value < 0 ? -value : value) * 64);
  unsigned decimals = 6, part = (unsigned)(scaled % 64) * 15625;
  while (decimals > 1 && part % 10 == 0) part /= 10, decimals--;
  snprintf(digits, sizeof digits, "%s%llu.%0*u", sign, (unsigned long long)(scaled / 64),
           (int)decimals, part);
  put(d, digits);
}

static void dump_optional(Dumper *d, const char *before, const Expr *expr) {
  if (!expr) return;
  put(d, before);
  dump_expr(d, expr);
}

static void dump_block(Dumper *d, const Block *block) {
  put(d, "{");
  for (uint32_t i = 0; i < block->count; i++) {
    if (i) put(d, " ");
    dump_stmt(d, block->stmts[i]);
  }
  put(d, "}");
}

static void dump_exprs(Dumper *d, const char *open, ExprList list, const char *close) {
  put(d, open);
  for (uint32_t i = 0; i < list.count; i++) {
    if (i) put(d, " ");
    dump_expr(d, list.items[i]);
  }
  put(d, close);
}

/* (op a b) */
static void dump_node(Dumper *d, const char *op, const Expr *a, const Expr *b) {
  put(d, "(");
  put(d, op);
  dump_optional(d, " ", a);
  dump_optional(d, " ", b);
  put(d, ")");
}

/* ---- expressions ------------------------------------------------------------------------ */

static void dump_map(Dumper *d, const Expr *expr) {
  put(d, "{");
  for (uint32_t i = 0; i < expr->map.count; i++) {
    const MapEntry *entry = &expr->map.entries[i];
    if (i) put(d, " ");
    if (entry->key) dump_expr(d, entry->key);
    put(d, entry->key ? ": " : "...");
    dump_expr(d, entry->value);
  }
  put(d, "}");
}

static void dump_call(Dumper *d, const Expr *expr) {
  put(d, expr->call.optional ? "(?call " : "(call ");
  dump_expr(d, expr->call.callee);
  for (uint32_t i = 0; i < expr->call.count; i++) {
    const Arg *arg = &expr->call.args[i];
    put(d, " ");
    if (arg->name) {
      put_name(d, arg->name);
      put(d, ": ");
    }
    dump_expr(d, arg->value);
  }
  put(d, ")");
}

static void dump_field(Dumper *d, const Expr *expr) {
  put(d, expr->field.optional ? "(?. " : "(. ");
  dump_expr(d, expr->field.object);
  put(d, " ");
  put_name(d, expr->field.name);
  put(d, ")");
}

static void dump_range(Dumper *d, const Expr *expr) {
  put(d, expr->range.inclusive ? "(..= " : "(.. ");
  if (expr->range.from) dump_expr(d, expr->range.from);
  else put(d, "*");
  put(d, " ");
  if (expr->range.to) dump_expr(d, expr->range.to);
  else put(d, "*");
  put(d, ")");
}

static void dump_fn(Dumper *d, const char *word, const Fn *fn) {
  put(d, "(");
  put(d, word);
  put(d, fn->has_yield ? "* " : " ");
  if (fn->name) put_name(d, fn->name);
  put(d, "(");
  for (uint32_t i = 0; i < fn->param_count; i++) {
    if (i) put(d, " ");
    if (fn->params[i].is_rest) put(d, "...");
    dump_pattern(d, fn->params[i].pattern);
    dump_optional(d, "=", fn->params[i].default_value);
  }
  put(d, ") ");
  if (fn->doc.len) {
    put_text(d, fn->doc);
    put(d, " ");
  }
  dump_block(d, fn->body);
  put(d, ")");
}

static void dump_if(Dumper *d, const IfExpr *node) {
  put(d, "(if");
  for (uint32_t i = 0; i < node->count; i++) {
    put(d, " ");
    dump_expr(d, node->clauses[i].condition);
    put(d, " ");
    dump_block(d, node->clauses[i].body);
  }
  if (node->otherwise) {
    put(d, " else ");
    dump_block(d, node->otherwise);
  }
  put(d, ")");
}

static void dump_match(Dumper *d, const MatchExpr *node) {
  put(d, "(match ");
  dump_expr(d, node->subject);
  for (uint32_t i = 0; i < node->count; i++) {
    put(d, " (");
    dump_pattern(d, node->arms[i].pattern);
    dump_optional(d, " if ", node->arms[i].guard);
    put(d, " ");
    dump_block(d, node->arms[i].body);
    put(d, ")");
  }
  put(d, ")");
}

static void dump_try(Dumper *d, const TryExpr *node) {
  put(d, "(try ");
  dump_block(d, node->body);
  if (node->catch_body) {
    put(d, " catch ");
    if (node->catch_pattern) {
      dump_pattern(d, node->catch_pattern);
      put(d, " ");
    }
    dump_block(d, node->catch_body);
  }
  if (node->finally_body) {
    put(d, " finally ");
    dump_block(d, node->finally_body);
  }
  put(d, ")");
}

static void dump_assign(Dumper *d, const Expr *expr) {
  put(d, "(");
  if (expr->assign.how == ASSIGN_BINARY) put(d, ast_binary_op_text(expr->assign.op));
  if (expr->assign.how == ASSIGN_COALESCE) put(d, "??");
  put(d, "= ");
  dump_expr(d, expr->assign.target);
  put(d, " ");
  dump_expr(d, expr->assign.value);
  put(d, ")");
}

static void dump_unpack(Dumper *d, const Expr *expr) {
  put(d, "(unpack ");
  dump_pattern(d, expr->unpack.pattern);
  put(d, " ");
  dump_expr(d, expr->unpack.value);
  put(d, ")");
}

static void dump_super(Dumper *d, const Expr *expr) {
  put(d, "(super ");
  put_name(d, expr->super.name);
  put(d, ")");
}

static void dump_index(Dumper *d, const Expr *expr) {
  put(d, expr->index.optional ? "(?index " : "(index ");
  dump_expr(d, expr->index.object);
  dump_exprs(d, " ", expr->index.indices, ")");
}

static void dump_expr(Dumper *d, const Expr *expr) {
  switch (expr->kind) {
    case EXPR_NIL: put(d, "nil"); break;
    case EXPR_BOOL: put(d, expr->boolean ? "true" : "false"); break;
    case EXPR_INT: put_int(d, expr->integer); break;
    case EXPR_FLOAT: put_float(d, expr->number); break;
    case EXPR_STRING: put_text(d, expr->text); break;
    case EXPR_INTERP: dump_exprs(d, "(str ", expr->list, ")"); break;
    case EXPR_NAME: put_name(d, expr->name.name); break;
    case EXPR_SELF: put(d, "self"); break;
    case EXPR_SUPER: dump_super(d, expr); break;
    case EXPR_LIST: dump_exprs(d, "[", expr->list, "]"); break;
    case EXPR_MAP: dump_map(d, expr); break;
    case EXPR_SPREAD: dump_optional(d, "...", expr->operand); break;
    case EXPR_UNARY:
      dump_node(d, ast_unary_op_text(expr->unary.op), expr->unary.operand, NULL);
      break;
    case EXPR_BINARY:
      dump_node(d, ast_binary_op_text(expr->binary.op), expr->binary.left, expr->binary.right);
      break;
    case EXPR_LOGIC:
      dump_node(d, ast_logic_op_text(expr->logic.op), expr->logic.left, expr->logic.right);
      break;
    case EXPR_IS:
      dump_node(d, expr->is.negated ? "is not" : "is", expr->is.value, expr->is.type);
      break;
    case EXPR_RANGE: dump_range(d, expr); break;
    case EXPR_CALL: dump_call(d, expr); break;
    case EXPR_FIELD: dump_field(d, expr); break;
    case EXPR_INDEX: dump_index(d, expr); break;
    case EXPR_CHAIN: dump_node(d, "chain", expr->operand, NULL); break;
    case EXPR_FN: dump_fn(d, "fn", expr->fn); break;
    case EXPR_IF: dump_if(d, expr->if_); break;
    case EXPR_MATCH: dump_match(d, expr->match); break;
    case EXPR_TRY: dump_try(d, expr->try_); break;
    case EXPR_YIELD: dump_node(d, "yield", expr->operand, NULL); break;
    case EXPR_ASSIGN: dump_assign(d, expr); break;
    case EXPR_UNPACK: dump_unpack(d, expr); break;
    case EXPR_ERROR:
    case EXPR_KIND_COUNT: put(d, "<error>"); break;
  }
}

/* ---- patterns --------------------------------------------------------------------------- */

static void dump_rest(Dumper *d, const Pattern *rest, bool is_first, const char *close) {
  if (rest) {
    put(d, is_first ? "..." : " ...");
    dump_pattern(d, rest);
  }
  put(d, close);
}

static void dump_list_pattern(Dumper *d, const Pattern *pattern) {
  put(d, "[");
  for (uint32_t i = 0; i < pattern->list.count; i++) {
    if (i) put(d, " ");
    dump_pattern(d, pattern->list.items[i].pattern);
    dump_optional(d, "=", pattern->list.items[i].default_value);
  }
  dump_rest(d, pattern->list.rest, pattern->list.count == 0, "]");
}

static void dump_map_pattern(Dumper *d, const Pattern *pattern) {
  put(d, "{");
  for (uint32_t i = 0; i < pattern->map.count; i++) {
    if (i) put(d, " ");
    dump_expr(d, pattern->map.entries[i].key);
    put(d, ": ");
    dump_pattern(d, pattern->map.entries[i].pattern);
    dump_optional(d, "=", pattern->map.entries[i].default_value);
  }
  dump_rest(d, pattern->map.rest, pattern->map.count == 0, "}");
}

static void dump_type_pattern(Dumper *d, const Pattern *pattern) {
  put(d, "(is ");
  dump_expr(d, pattern->type.type);
  if (pattern->type.inner) {
    put(d, " ");
    dump_pattern(d, pattern->type.inner);
  }
  put(d, ")");
}

static void dump_alternatives(Dumper *d, const Pattern *pattern) {
  put(d, "(|");
  for (uint32_t i = 0; i < pattern->alternatives.count; i++) {
    put(d, " ");
    dump_pattern(d, pattern->alternatives.items[i]);
  }
  put(d, ")");
}

static void dump_pattern(Dumper *d, const Pattern *pattern) {
  switch (pattern->kind) {
    case PATTERN_WILDCARD: put(d, "_"); break;
    case PATTERN_BIND: put_name(d, pattern->bind.name); break;
    case PATTERN_TARGET: dump_node(d, "to", pattern->target, NULL); break;
    case PATTERN_LIST: dump_list_pattern(d, pattern); break;
    case PATTERN_MAP: dump_map_pattern(d, pattern); break;
    case PATTERN_LITERAL: dump_expr(d, pattern->literal); break;
    case PATTERN_RANGE:
      dump_node(d, pattern->range.inclusive ? "..=" : "..", pattern->range.from, pattern->range.to);
      break;
    case PATTERN_TYPE: dump_type_pattern(d, pattern); break;
    case PATTERN_OR: dump_alternatives(d, pattern); break;
    case PATTERN_KIND_COUNT: break;
  }
}

/* ---- statements ------------------------------------------------------------------------- */

static void dump_let(Dumper *d, const Stmt *stmt) {
  put(d, stmt->let.is_const ? "(const " : "(let ");
  dump_pattern(d, stmt->let.pattern);
  dump_optional(d, " ", stmt->let.value);
  put(d, ")");
}

static void dump_class(Dumper *d, const ClassDecl *class_) {
  put(d, "(class ");
  put_name(d, class_->name);
  dump_optional(d, " : ", class_->superclass);
  if (class_->doc.len) {
    put(d, " ");
    put_text(d, class_->doc);
  }
  for (uint32_t i = 0; i < class_->field_count; i++) {
    put(d, " ");
    put_name(d, class_->fields[i].name);
    dump_optional(d, "=", class_->fields[i].default_value);
  }
  for (uint32_t i = 0; i < class_->method_count; i++) {
    put(d, " ");
    dump_fn(d, "fn", class_->methods[i]);
  }
  put(d, ")");
}

static void put_label(Dumper *d, const Name *label) {
  if (!label) return;
  put_name(d, label);
  put(d, ": ");
}

static void dump_while(Dumper *d, const Stmt *stmt) {
  put(d, "(");
  put_label(d, stmt->while_.label);
  put(d, "while ");
  dump_expr(d, stmt->while_.condition);
  put(d, " ");
  dump_block(d, stmt->while_.body);
  put(d, ")");
}

static void dump_for(Dumper *d, const Stmt *stmt) {
  put(d, "(");
  put_label(d, stmt->for_.label);
  put(d, "for ");
  dump_pattern(d, stmt->for_.first);
  if (stmt->for_.second) {
    put(d, " ");
    dump_pattern(d, stmt->for_.second);
  }
  dump_optional(d, " in ", stmt->for_.iterable);
  put(d, " ");
  dump_block(d, stmt->for_.body);
  put(d, ")");
}

static void dump_jump(Dumper *d, const char *word, const Stmt *stmt) {
  put(d, "(");
  put(d, word);
  if (stmt->jump.label) {
    put(d, " ");
    put_name(d, stmt->jump.label);
  }
  put(d, ")");
}

static void dump_import(Dumper *d, const Import *import) {
  put(d, import->local ? "(import " : "(from ");
  put_text(d, import->module);
  if (import->local) {
    put(d, " ");
    put_name(d, import->local);
  }
  for (uint32_t i = 0; i < import->item_count; i++) {
    put(d, " ");
    put_name(d, import->items[i].name);
    if (import->items[i].local == import->items[i].name) continue;
    put(d, "=");
    put_name(d, import->items[i].local);
  }
  put(d, ")");
}

static void dump_imports(Dumper *d, const Stmt *stmt) {
  for (uint32_t i = 0; i < stmt->imports.count; i++) {
    if (i) put(d, " ");
    dump_import(d, &stmt->imports.items[i]);
  }
}

static void dump_stmt(Dumper *d, const Stmt *stmt) {
  if (stmt->exported) put(d, "export ");
  switch (stmt->kind) {
    case STMT_EXPR: dump_expr(d, stmt->expr); break;
    case STMT_LET: dump_let(d, stmt); break;
    case STMT_FN: dump_fn(d, "fn", stmt->fn); break;
    case STMT_CLASS: dump_class(d, stmt->class_); break;
    case STMT_BLOCK: dump_block(d, stmt->block); break;
    case STMT_WHILE: dump_while(d, stmt); break;
    case STMT_FOR: dump_for(d, stmt); break;
    case STMT_BREAK: dump_jump(d, "break", stmt); break;
    case STMT_CONTINUE: dump_jump(d, "continue", stmt); break;
    case STMT_RETURN: dump_node(d, "return", stmt->expr, NULL); break;
    case STMT_THROW: dump_node(d, "throw", stmt->expr, NULL); break;
    case STMT_DEFER: dump_node(d, "defer", stmt->expr, NULL); break;
    case STMT_IMPORT: dump_imports(d, stmt); break;
    case STMT_KIND_COUNT: break;
  }
}

void ast_dump(const Program *program, AstWrite write, void *ctx) {
  Dumper dumper = {write, ctx};
  for (uint32_t i = 0; i < program->body->count; i++) {
    if (i) put(&dumper, "\n");
    dump_stmt(&dumper, program->body->stmts[i]);
  }
}
