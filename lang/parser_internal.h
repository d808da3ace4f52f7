/* What the files of the parser share.
 *
 * parser.c       cursor, errors and recovery, nesting, lists; the entry
 * parser_expr.c  operators, assignment
 * parser_term.c  what operators connect: literals, names, calls, indexes, lists, maps
 * parser_flow.c  if, match, try: expressions made of blocks
 * parser_stmt.c  statements, blocks, imports
 * parser_decl.c  functions and classes
 * parser_pattern.c
 *
 * Conventions. A parse function is called with the cursor at the first token of its construct
 * and leaves it behind the last. After an error `panicking` is set: from then on nothing is
 * consumed or reported, functions return what they have (never NULL where the tree does not
 * allow it), loops end, until a bracket's end or the next statement is found to go on from.
 */
#ifndef OX_LANG_PARSER_INTERNAL_H
#define OX_LANG_PARSER_INTERNAL_H

#include "ast.h"
#include "diag.h"
#include "lexer.h"

typedef struct Parser {
  Arena *arena;
  NameTable *names;
  const Source *source;
  Diags *diags;
  TokenList list;
  const Token *tokens; /* list.items */
  uint32_t pos;        /* index of the current token */
  uint32_t item_start; /* index of the first token of the statement, member or arm last begun */

  bool panicking;   /* an error was reported, its construct is being given up */
  bool stopped;     /* no more can be parsed: memory or nesting ran out; at the end of the text */
  bool early_error; /* an error other than that the text ends too early */

  bool free_newlines; /* within ( ), [ ] or a map: newlines mean nothing */
  bool no_map;        /* in the head of if, while, for, match: `{` begins its block */
  bool saw_yield;     /* in the function being parsed */

  uint32_t depth;       /* open levels of nesting */
  uint32_t climb;       /* operators whose right operand is being parsed, in all open levels */
  uint32_t height;      /* of the tallest tree made so far at this level, see parser.c */
  uint32_t slice_depth; /* depth directly within an index, where a range may end openly */
  Expr *open_range;     /* the last range made that has no end */
  Expr *in_parens;      /* the last expression that was put in parentheses */

  uint32_t missing_blocks; /* blocks whose `{` was not found, so that a `}` will be left over */

  char *scratch; /* a stack of list items under construction */
  size_t scratch_len, scratch_capacity;
} Parser;

/* ---- cursor (parser.c) ------------------------------------------------------------------ */

static inline const Token *parser_token(const Parser *p) { return &p->tokens[p->pos]; }
static inline TokenKind parser_kind(const Parser *p) { return parser_token(p)->kind; }
static inline bool parser_at(const Parser *p, TokenKind kind) { return parser_kind(p) == kind; }

/* The token `ahead` places on, the end of the text beyond it. */
const Token *parser_peek(const Parser *p, uint32_t ahead);

/* Steps over the current token and gives it. Stays at the end of the text. */
const Token *parser_advance(Parser *p);

/* Steps over the current token if it is of that kind and nothing is wrong. */
bool parser_accept(Parser *p, TokenKind kind);

/* Whether a newline that counts precedes the current token. */
bool parser_at_line_start(const Parser *p);

/* At what ends a statement: `;`, `}`, a newline that counts, the end of the text. */
bool parser_at_statement_end(const Parser *p);

/* Whether an expression can begin with such a token. */
bool parser_starts_expr(TokenKind kind);

/* A plain name spelled `word`, for words that are no keywords. */
bool parser_at_word(const Parser *p, const char *word);

/* From the start of the token at index `first` to the end of the last one consumed. */
Span parser_span_from(const Parser *p, uint32_t first);

/* ---- errors (parser.c) ------------------------------------------------------------------ */

/* Reports an error and starts to panic. The result, for hints, is never NULL. */
Diag *parser_error(Parser *p, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports an error that needs no recovery, as what was meant is plain. */
Diag *parser_complain(Parser *p, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "expected WHAT but found X" at the current token, with a hint where X tells what is wrong. */
Diag *parser_expected(Parser *p, const char *what);

void parser_hint(Parser *p, Diag *diag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void parser_related(Parser *p, Diag *diag, Span span, const char *text);

/* Steps over a token of that kind, or reports that `what` was expected. */
bool parser_expect(Parser *p, TokenKind kind, const char *what);

/* A name to be declared or bound; NULL, reported, where there is none. */
const Token *parser_expect_name(Parser *p, const char *what);

/* Begins a statement, a member of a class or an arm of a match. Gives the index of its first
 * token, for parser_synchronize. */
uint32_t parser_begin_item(Parser *p);

/* Ends the panic at the next item. `start` is the index of the first token of the one that went
 * wrong. */
void parser_synchronize(Parser *p, uint32_t start);

/* ---- nesting (parser.c) ----------------------------------------------------------------- */

/* A level that is open, with what to restore at its end. */
typedef struct Level {
  uint32_t opener; /* index of the bracket; of no meaning for a level without one */
  uint32_t height;
  uint32_t slice_depth;
  bool free_newlines;
  bool no_map;
} Level;

/* A level without brackets: a prefix operator, an arrow body, a head. */
Level parser_enter(Parser *p);
void parser_leave(Parser *p, Level level);

/* Steps over an opening bracket. Within it maps are allowed; newlines count in a block only. */
Level parser_open(Parser *p, bool newlines_count);

/* Steps over the closing bracket, or reports that `what` or the bracket was expected and goes on
 * behind the bracket that belongs to the opening one, if there is one. */
void parser_close(Parser *p, Level level, TokenKind closer, const char *what);

/* One more node on top of what was made at this level. */
void parser_add_height(Parser *p);

/* Between the two a tree is measured by itself, as one of several at this level. */
static inline uint32_t parser_begin_height(Parser *p) {
  uint32_t outer = p->height;
  p->height = 0;
  return outer;
}

static inline void parser_end_height(Parser *p, uint32_t outer) {
  if (p->height < outer) p->height = outer;
}

/* ---- lists and nodes (parser.c) --------------------------------------------------------- */

/* Items are pushed between a begin and its end; lists nest. The end gives the items in the arena
 * and their count; NULL and 0 for none. */
size_t parser_list_begin(const Parser *p);
void parser_list_push(Parser *p, const void *item, size_t size);
void *parser_list_end(Parser *p, size_t begin, size_t item_size, uint32_t *count);

Expr *parser_new_expr(Parser *p, ExprKind kind, Span span);
Stmt *parser_new_stmt(Parser *p, StmtKind kind, Span span);
Pattern *parser_new_pattern(Parser *p, PatternKind kind, Span span);
Expr *parser_new_name(Parser *p, Name *name, Span span);
Expr *parser_new_string(Parser *p, Text text, Span span);
Expr *parser_error_expr(Parser *p);

/* To find duplicates in a finished list: a fresh stamp, then for each name whether it was
 * stamped before. */
uint32_t parser_new_stamp(Parser *p);
bool parser_stamp_name(Name *name, uint32_t stamp);

static inline Text parser_name_text(const Name *name) {
  Text text = {name->chars, name->len};
  return text;
}

/* A function expression stored under a name is called that in traces. */
void parser_name_function(Expr *expr, Name *name);

/* The comment above the token at `index`, without its `#`s; empty where there is none. */
Text parser_doc_text(Parser *p, uint32_t index);
Text parser_comment_text(Parser *p, Span comment);

/* ---- constructs ------------------------------------------------------------------------- */

typedef enum Precedence {
  PREC_NONE,
  PREC_PIPE,
  PREC_COALESCE,
  PREC_OR,
  PREC_AND,
  PREC_NOT,
  PREC_COMPARE,
  PREC_RANGE,
  PREC_BIT_OR,
  PREC_BIT_XOR,
  PREC_BIT_AND,
  PREC_SHIFT,
  PREC_SUM,
  PREC_PRODUCT,
  PREC_UNARY,
  PREC_POWER
} Precedence;

Expr *parser_parse_expr(Parser *p);           /* anything but an assignment */
Expr *parser_parse_expr_or_assign(Parser *p); /* a statement or an arrow's body */
Expr *parser_parse_operators(Parser *p, Precedence lowest);
Expr *parser_parse_head(Parser *p); /* before a block: `{` is not a map */

/* Whether something may be assigned to; complains if not. */
bool parser_check_target(Parser *p, Expr *target);

bool parser_at_unpack(const Parser *p); /* `[a] = ...` or `{a} = ...` begins here */
bool parser_is_infix(TokenKind kind);   /* a binary operator other than `-` */

Expr *parser_parse_postfix(Parser *p);
Expr *parser_parse_type(Parser *p);                     /* a type's name: word or dotted */
Expr *parser_parse_number(Parser *p, bool is_negative); /* at the digits; `-` just consumed */
Expr *parser_parse_literal(Parser *p); /* at a string without interpolation, nil, true or false */
Expr *parser_new_call(Parser *p, Expr *callee, Span span); /* without arguments */
bool parser_at_map(const Parser *p); /* `{` that a match arm takes for a map, not a block */
bool parser_more_items(Parser *p, TokenKind closer); /* another one comes in a comma list */

Expr *parser_parse_if(Parser *p);
Expr *parser_parse_match(Parser *p);
Expr *parser_parse_try(Parser *p);

/* `{ statements }`. Where the brace is missing, or the head before it went wrong, the block is
 * looked for further on in the line. */
Block *parser_parse_block(Parser *p);
/* Finds the `{` of a block on the rest of the line; reports what is in the way. */
bool parser_find_block(Parser *p);
/* A simple statement as a block of its own: the right side of `=>`. */
Block *parser_parse_arrow_body(Parser *p, bool is_function);
/* Statements up to `}` (not consumed) or the end of the text. */
void parser_parse_statements(Parser *p, Block *block);
Stmt *parser_parse_statement(Parser *p);

Fn *parser_parse_fn(Parser *p, FnKind kind); /* at `fn` */
ClassDecl *parser_parse_class(Parser *p);    /* at `class` */

typedef enum PatternMode {
  PATTERN_MODE_DECLARE, /* let, const, parameters, for, catch: names are bound */
  PATTERN_MODE_ASSIGN,  /* destructuring assignment */
  PATTERN_MODE_MATCH
} PatternMode;

Pattern *parser_parse_pattern(Parser *p, PatternMode mode);

#endif
