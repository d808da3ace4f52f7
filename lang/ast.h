/* The syntax tree: what the parser makes and every later pass of lang/ reads.
 *
 * Three node types, Expr, Stmt and Pattern: each a kind, a span and a union of small payloads;
 * what is large (functions, classes, matches) hangs off the node by pointer. All of it lies in
 * one arena and is never freed node by node.
 *
 * - A `Span` is a half-open byte range of the source. A node's span covers all its tokens,
 *   parentheses around it included.
 * - Lists are a pointer and a count; the pointer may be NULL where the count is 0.
 * - Fields commented "resolver" are NULL (or 0) after parsing and belong to the resolver; the
 *   structures they point at are declared here by name only.
 * - A tree handed on after a parse without errors contains no EXPR_ERROR and no NULL where this
 *   file does not allow one.
 * - What the parser has already rewritten: `x |> f` is an EXPR_CALL; a shorthand map entry
 *   `{x}` has a string key and a name as its value; `=> body` is a Block of one statement
 *   (STMT_RETURN in a function, STMT_EXPR or a jump in a match arm); `else if` is one list of
 *   clauses; a constant `-5` directly on an integer literal is an EXPR_INT.
 * - No path from the root to a leaf has more than AST_MAX_HEIGHT expressions, so that recursive
 *   passes are safe. Brackets, blocks, prefix operators and pipelines nest at most
 *   AST_MAX_NESTING deep; only chains (`a + b + c ...`, `a.b.c ...`), which grow to the left, and
 *   operators waiting for their right operand can use up the rest.
 */
#ifndef OX_LANG_AST_H
#define OX_LANG_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"
#include "source.h"
#include "text.h"

enum { AST_MAX_NESTING = 200, AST_MAX_HEIGHT = 1000 };

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Pattern Pattern;
typedef struct Block Block;
typedef struct Fn Fn;
typedef struct ClassDecl ClassDecl;

/* The resolver's side of the tree; opaque here. */
struct Binding; /* one declared variable, or what a use refers to */
struct Scope;   /* the bindings of one block, arm, loop turn or parameter list */
struct FnInfo;  /* captures, register counts, ... of one function */
struct LoopInfo; /* what break and continue jump to */

typedef struct ExprList {
  Expr **items;
  uint32_t count;
} ExprList;

/* ---- operators -------------------------------------------------------------------------- */

/* Binary operators that evaluate both operands: X(enumerator, spelling). */
#define AST_BINARY_OPS(X) \
  X(BIN_ADD, "+")         \
  X(BIN_SUB, "-")         \
  X(BIN_MUL, "*")         \
  X(BIN_DIV, "/")         \
  X(BIN_FLOOR_DIV, "//")  \
  X(BIN_MOD, "%")         \
  X(BIN_POW, "**")        \
  X(BIN_MATMUL, "@")      \
  X(BIN_BIT_AND, "&")     \
  X(BIN_BIT_OR, "|")      \
  X(BIN_BIT_XOR, "^")     \
  X(BIN_SHL, "<<")        \
  X(BIN_SHR, ">>")        \
  X(BIN_EQ, "==")         \
  X(BIN_NE, "!=")         \
  X(BIN_LT, "<")          \
  X(BIN_LE, "<=")         \
  X(BIN_GT, ">")          \
  X(BIN_GE, ">=")         \
  X(BIN_IN, "in")         \
  X(BIN_NOT_IN, "not in")

typedef enum BinaryOp {
#define X(name, spelling) name,
  AST_BINARY_OPS(X)
#undef X
  BIN_COUNT
} BinaryOp;

/* Operators that may skip their right operand. */
#define AST_LOGIC_OPS(X) X(LOGIC_AND, "and") X(LOGIC_OR, "or") X(LOGIC_COALESCE, "??")

typedef enum LogicOp {
#define X(name, spelling) name,
  AST_LOGIC_OPS(X)
#undef X
} LogicOp;

#define AST_UNARY_OPS(X) X(UNARY_NEG, "-") X(UNARY_BIT_NOT, "~") X(UNARY_NOT, "not")

typedef enum UnaryOp {
#define X(name, spelling) name,
  AST_UNARY_OPS(X)
#undef X
} UnaryOp;

/* Source spelling of an operator. */
const char *ast_binary_op_text(BinaryOp op);
const char *ast_logic_op_text(LogicOp op);
const char *ast_unary_op_text(UnaryOp op);

/* ---- expressions ------------------------------------------------------------------------ */

#define AST_EXPR_KINDS(X)                                                                     \
  X(EXPR_ERROR)    /* stands where a syntax error was; only in trees with errors */           \
  X(EXPR_NIL)                                                                                 \
  X(EXPR_BOOL)     /* boolean */                                                              \
  X(EXPR_INT)      /* integer: the exact value */                                             \
  X(EXPR_FLOAT)    /* number */                                                               \
  X(EXPR_STRING)   /* text */                                                                 \
  X(EXPR_INTERP)   /* list: parts of "a ${b} c" in order; EXPR_STRING parts are literal */    \
  X(EXPR_NAME)     /* name */                                                                 \
  X(EXPR_SELF)     /* self_binding */                                                         \
  X(EXPR_SUPER)    /* super: `super.name`, a bound method unless it is called */              \
  X(EXPR_LIST)     /* list: items, EXPR_SPREAD among them */                                  \
  X(EXPR_MAP)      /* map */                                                                  \
  X(EXPR_SPREAD)   /* operand: `...x`, only in list items and call arguments */               \
  X(EXPR_UNARY)    /* unary */                                                                \
  X(EXPR_BINARY)   /* binary */                                                               \
  X(EXPR_LOGIC)    /* logic */                                                                \
  X(EXPR_IS)       /* is */                                                                   \
  X(EXPR_RANGE)    /* range */                                                                \
  X(EXPR_CALL)     /* call */                                                                 \
  X(EXPR_FIELD)    /* field */                                                                \
  X(EXPR_INDEX)    /* index */                                                                \
  X(EXPR_CHAIN)    /* operand: a postfix chain with at least one optional link inside */      \
  X(EXPR_FN)       /* fn: a function expression */                                            \
  X(EXPR_IF)       /* if_ (also as a statement, inside STMT_EXPR) */                          \
  X(EXPR_MATCH)    /* match (likewise) */                                                     \
  X(EXPR_TRY)      /* try_ (likewise) */                                                      \
  X(EXPR_YIELD)    /* operand, NULL for a bare `yield` */                                     \
  X(EXPR_ASSIGN)   /* assign: to a name, field or index */                                    \
  X(EXPR_UNPACK)   /* unpack: destructuring assignment to a list or map pattern */

typedef enum ExprKind {
#define X(name) name,
  AST_EXPR_KINDS(X)
#undef X
  EXPR_KIND_COUNT
} ExprKind;

/* One argument of a call. A spread argument's value is an EXPR_SPREAD and has no name. */
typedef struct Arg {
  Name *name;     /* of a named argument, else NULL; named ones come last, and only once each */
  Span name_span; /* of `name` */
  Expr *value;
} Arg;

/* `key: value`, or with key NULL a spread `...value`. A plain word before the colon is an
 * EXPR_STRING as well; `[k]: v` has any expression as its key. Keys may repeat: last wins. */
typedef struct MapEntry {
  Expr *key;
  Expr *value;
} MapEntry;

typedef struct IfClause {
  Expr *condition;
  Block *body;
} IfClause;

/* The clauses are tried in order. Value: that of the block run, nil where none was. */
typedef struct IfExpr {
  IfClause *clauses; /* at least one */
  uint32_t count;
  Block *otherwise; /* the last `else`, or NULL */
} IfExpr;

/* `pattern if guard => body`. The arm's scope holds the pattern's names, seen by the guard and
 * the body; the body is a block of its own within it. */
typedef struct MatchArm {
  Span span;
  Pattern *pattern;
  Expr *guard; /* or NULL */
  Block *body; /* value: its last expression */
  struct Scope *scope; /* resolver */
} MatchArm;

typedef struct MatchExpr {
  Expr *subject;
  MatchArm *arms; /* count may be 0: always throws */
  uint32_t count;
} MatchExpr;

/* At least one of catch_body and finally_body is there. */
typedef struct TryExpr {
  Block *body;
  Pattern *catch_pattern; /* irrefutable kinds only; NULL for `catch {` */
  Block *catch_body;      /* or NULL */
  Block *finally_body;    /* or NULL; its value is dropped */
  struct Scope *catch_scope; /* resolver: the names of catch_pattern */
} TryExpr;

struct Expr {
  ExprKind kind;
  Span span;
  union {
    bool boolean;
    int64_t integer;
    double number;
    Text text; /* bytes of a string literal after escapes */
    ExprList list; /* EXPR_LIST, EXPR_INTERP */
    Expr *operand; /* EXPR_SPREAD, EXPR_CHAIN, EXPR_YIELD */

    struct {
      Name *name;
      struct Binding *binding; /* resolver: what the use refers to */
    } name;

    struct Binding *self_binding; /* resolver */

    struct {
      Name *name; /* the method */
      Span name_span;
      struct Binding *binding; /* resolver: the `self` it is bound to */
      struct Binding *class_binding; /* resolver: the class around, or its superclass */
    } super;

    struct {
      MapEntry *entries;
      uint32_t count;
    } map;

    struct {
      UnaryOp op;
      Expr *operand;
    } unary;

    struct {
      BinaryOp op;
      Span op_span;
      Expr *left, *right;
    } binary;

    struct {
      LogicOp op;
      Expr *left, *right;
    } logic;

    struct {
      bool negated; /* `is not` */
      int builtin;  /* resolver: 0 for a class, else 1 + a built-in type's number */
      Expr *value;
      Expr *type; /* as in PATTERN_TYPE */
    } is;

    /* `from..to`, `from..=to`. An end may be NULL only where the range is directly one of the
     * indices of an EXPR_INDEX: a slice with an open end. */
    struct {
      bool inclusive;
      Expr *from, *to;
    } range;

    /* callee(args). `optional` is `callee?.(args)`: where the callee is nil, the EXPR_CHAIN
     * around it is nil and nothing more of the chain is evaluated. */
    struct {
      bool optional;
      uint32_t count;
      Expr *callee;
      Arg *args;
    } call;

    /* object.name; `optional` (`?.name`): nil object or missing map key ends the chain. */
    struct {
      bool optional;
      Span name_span;
      Expr *object;
      Name *name;
    } field;

    /* object[i], object[i, j]; `optional` is `object?.[i]`. */
    struct {
      bool optional;
      Expr *object;
      ExprList indices; /* at least one */
    } index;

    Fn *fn;
    IfExpr *if_;
    MatchExpr *match;
    TryExpr *try_;

    /* Value of the expression: the value assigned. The target is an EXPR_NAME, EXPR_FIELD or
     * EXPR_INDEX (a single index or several, no slice), never within an EXPR_CHAIN. The parts
     * of the target are evaluated once, before the value. */
    struct {
      enum { ASSIGN_PLAIN, ASSIGN_BINARY, ASSIGN_COALESCE } how;
      BinaryOp op; /* with ASSIGN_BINARY: `target op= value` */
      Expr *target;
      Expr *value;
    } assign;

    /* `[a, self.b] = value`. Leaves of the pattern are PATTERN_TARGET or PATTERN_WILDCARD. */
    struct {
      Pattern *pattern;
      Expr *value;
    } unpack;
  };
};

/* ---- patterns --------------------------------------------------------------------------- */

/* The first five kinds are *irrefutable kinds*: the only ones in let, const, parameters, for,
 * catch and destructuring assignment (a list or map may still throw there when the value does
 * not fit). All but PATTERN_TARGET may stand in a match arm. */
#define AST_PATTERN_KINDS(X)                                                                  \
  X(PATTERN_WILDCARD) /* `_` */                                                               \
  X(PATTERN_BIND)     /* bind: a bare name takes the value */                                 \
  X(PATTERN_TARGET)   /* target: only in EXPR_UNPACK: a name, field or index is assigned */   \
  X(PATTERN_LIST)     /* list */                                                              \
  X(PATTERN_MAP)      /* map */                                                               \
  X(PATTERN_LITERAL)  /* literal: nil, bool, int, float (negative too) or string; `==` */     \
  X(PATTERN_RANGE)    /* range: `0..9`, `'a'`-like strings not; value in range */             \
  X(PATTERN_TYPE)     /* type: `is T`, `T inner`, `mod.T`, `mod.T inner` */                   \
  X(PATTERN_OR)       /* alternatives */

typedef enum PatternKind {
#define X(name) name,
  AST_PATTERN_KINDS(X)
#undef X
  PATTERN_KIND_COUNT
} PatternKind;

typedef struct ListPatternItem {
  Pattern *pattern;
  Expr *default_value; /* or NULL; items after one with a default have one too */
} ListPatternItem;

typedef struct MapPatternEntry {
  Expr *key; /* an EXPR_STRING (a plain word included), EXPR_INT or EXPR_FLOAT */
  Pattern *pattern; /* `{name}` is a PATTERN_BIND (or _TARGET) of that name */
  Expr *default_value; /* or NULL */
} MapPatternEntry;

struct Pattern {
  PatternKind kind;
  Span span;
  union {
    struct {
      Name *name;
      struct Binding *binding; /* resolver */
    } bind;

    Expr *target; /* EXPR_NAME, EXPR_FIELD or EXPR_INDEX as in EXPR_ASSIGN */

    struct {
      ListPatternItem *items;
      uint32_t count;
      Pattern *rest; /* takes the items left over as a list; NULL: none may be left over;
                      * BIND, TARGET or WILDCARD */
    } list;

    struct {
      MapPatternEntry *entries;
      uint32_t count;
      Pattern *rest; /* takes the other keys as a map; NULL: they are ignored */
    } map;

    Expr *literal;

    struct {
      bool inclusive;
      Expr *from, *to; /* both EXPR_INT or EXPR_FLOAT */
    } range;

    /* `type` is an EXPR_NAME or a chain of EXPR_FIELD over one. Type words that are keywords
     * (`nil`, `class`, `fn`) come as an EXPR_NAME of that spelling. */
    struct {
      int builtin; /* resolver: as in EXPR_IS */
      Expr *type;
      Pattern *inner; /* or NULL; with a map pattern on an instance: its fields */
    } type;

    struct {
      Pattern **items; /* at least two; the parser lets none of them bind a name */
      uint32_t count;
    } alternatives;
  };
};

/* ---- functions and classes -------------------------------------------------------------- */

typedef struct Param {
  Span span;
  bool is_rest;     /* `...xs`: the last one, a PATTERN_BIND or _WILDCARD without a default */
  Pattern *pattern; /* irrefutable kinds; a PATTERN_BIND can be passed by name */
  Expr *default_value; /* or NULL; evaluated at the call, sees the parameters before it */
} Param;

typedef enum FnKind {
  FN_DECLARED,   /* STMT_FN */
  FN_EXPRESSION, /* EXPR_FN */
  FN_IN_CLASS    /* a method, `init` included */
} FnKind;

struct Fn {
  FnKind kind;
  bool is_arrow;  /* `=> expr`: the body is one STMT_RETURN (or STMT_THROW) */
  bool has_yield; /* a `yield` is directly in this function, nested functions apart */
  Span span;      /* from `fn` to the end of the body */
  Span head;      /* from `fn` to the closing parenthesis: the signature */
  Name *name;     /* declared name, operator name of a method (`+`, `[]=`); for an expression
                   * the name it is first stored under (let, map key), for traces, or NULL */
  Span name_span; /* empty where `name` is not part of the function's own text */
  Text doc;       /* the comment lines directly above, without `#`; len 0 where none */
  Param *params;
  uint32_t param_count;
  Block *body;
  struct Binding *binding; /* resolver: of FN_DECLARED */
  struct Scope *scope;     /* resolver: parameters */
  struct FnInfo *info;     /* resolver */
};

/* `x = 0` in a class. The default is evaluated for each new instance, before `init`. */
typedef struct FieldDecl {
  Span span;
  Name *name;
  Span name_span;
  Expr *default_value; /* NULL: nil */
  Text doc;
} FieldDecl;

struct ClassDecl {
  Span span;
  Name *name;
  Span name_span;
  Text doc;
  Expr *superclass; /* or NULL; EXPR_NAME or a chain of EXPR_FIELD over one */
  FieldDecl *fields; /* no name twice */
  uint32_t field_count;
  Fn **methods; /* no name twice, and none is a field's as well */
  uint32_t method_count;
  struct Binding *binding; /* resolver */
  struct Scope *scope;     /* resolver: where self and super live, if it wants one */
  struct FnInfo *info;     /* resolver: the hidden function that sets the field defaults */
};

/* ---- statements ------------------------------------------------------------------------- */

/* `{ ... }`, opening a scope. Its value, where one is wanted, is that of its last statement if
 * that is a STMT_EXPR, else nil. */
struct Block {
  Span span; /* braces included */
  Stmt **stmts;
  uint32_t count;
  struct Scope *scope; /* resolver */
};

/* `name as alias` of a from-import. */
typedef struct ImportItem {
  Name *name;
  Span name_span;
  Name *local; /* the alias, or `name` */
  Span local_span;
  struct Binding *binding; /* resolver: of `local` */
} ImportItem;

/* import math | import "lib/geo" as g | from math import sin, pi as p */
typedef struct Import {
  Span span;        /* of this module alone in `import a, b` */
  Span module_span; /* of the name or string literal */
  bool is_path;     /* `module` is a path relative to the importing file, not a module's name */
  Text module;
  Name *local; /* the name bound to the module, NULL for a from-import; the last path segment
                * without its extension where there is no `as` */
  Span local_span;
  struct Binding *binding; /* resolver: of `local` */
  ImportItem *items;       /* of a from-import */
  uint32_t item_count;
} Import;

/* Statements; the comment names the payload. */
#define AST_STMT_KINDS(X)                                                                     \
  X(STMT_EXPR)     /* expr */                                                                 \
  X(STMT_LET)      /* let: let and const */                                                   \
  X(STMT_FN)       /* fn: kind FN_DECLARED; known in its whole block */                       \
  X(STMT_CLASS)    /* class_: known in its whole block */                                     \
  X(STMT_BLOCK)    /* block */                                                                \
  X(STMT_WHILE)    /* while_ */                                                               \
  X(STMT_FOR)      /* for_ */                                                                 \
  X(STMT_BREAK)    /* jump */                                                                 \
  X(STMT_CONTINUE) /* jump */                                                                 \
  X(STMT_RETURN)   /* expr, NULL for a bare `return` */                                       \
  X(STMT_THROW)    /* expr */                                                                 \
  X(STMT_DEFER)    /* expr: an EXPR_CALL, or an EXPR_CHAIN around one */                      \
  X(STMT_IMPORT)   /* imports */

typedef enum StmtKind {
#define X(name) name,
  AST_STMT_KINDS(X)
#undef X
  STMT_KIND_COUNT
} StmtKind;

struct Stmt {
  StmtKind kind;
  bool exported; /* `export` before STMT_LET, STMT_FN or STMT_CLASS; only at top level */
  Span span;
  union {
    Expr *expr;

    struct {
      bool is_const;
      Pattern *pattern;
      Expr *value; /* NULL for a plain `let x`: nil; const and list/map patterns have one */
    } let;

    Fn *fn;
    ClassDecl *class_;
    Block *block;

    struct {
      Name *label; /* or NULL */
      Expr *condition;
      Block *body;
      struct LoopInfo *info; /* resolver */
    } while_;

    struct {
      Name *label; /* or NULL */
      Pattern *first;
      Pattern *second; /* `for k, v in`: keys and values, or pairs; else NULL */
      Expr *iterable;
      Block *body;
      struct LoopInfo *info; /* resolver */
      struct Scope *scope;   /* resolver: the loop variables, new for each turn */
    } for_;

    struct {
      Name *label; /* or NULL; the resolver checks that such a loop is around */
      Span label_span;
      struct LoopInfo *target; /* resolver */
    } jump;

    struct {
      Import *items; /* more than one for `import a, b` */
      uint32_t count;
    } imports;
  };
};

/* A whole source text. */
typedef struct Program {
  Block *body; /* span: the whole text */
  Text doc;    /* the comment block at the top, if a blank line follows it; for tools */
} Program;

/* Enumerator spellings, for dumps. */
const char *ast_expr_kind_text(ExprKind kind);
const char *ast_stmt_kind_text(StmtKind kind);
const char *ast_pattern_kind_text(PatternKind kind);

#endif
