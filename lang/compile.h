/* The compiler's inner interface: from the resolved tree to instructions.
 *
 * One FnState per function under compilation. Registers are a stack: variables and hidden state
 * of statements below, temporaries above; `next` is the first free one. A *destination* says
 * where a value is wanted: a register, nowhere, or as the function's result.
 *
 * The rule for destinations that are registers: `dst` is either fresh (at or above `active`, so
 * nothing can read it yet, and it may hold intermediate results), or a variable, and then it is
 * written once, last, by an instruction that does so only if it does not throw.
 */
#ifndef OX_LANG_COMPILE_H
#define OX_LANG_COMPILE_H

#include "opcode.h"
#include "resolve.h"
#include "spine.h"
#include "module.h"

enum {
  DEST_NONE = -1,   /* the value is dropped */
  DEST_RETURN = -2, /* the function returns it */
  MAX_PARAMS = 100,
  MAX_DIRECT_ARGS = 200,
  MAX_CONSTANTS = 65536,
  MAX_CACHES = 65536,
  MAX_CODE = (1 << 23) - 8, /* a JMP reaches as far, and the chain of a label fits it */
  NO_VALUE = -1             /* for "a register or none" */
};

/* A place in the code that jumps go to, known or still to come. Before it is bound, the jumps
 * to it form a list through their displacements. */
typedef struct Label {
  uint32_t at;    /* word offset, if bound */
  uint32_t chain; /* last jump waiting, plus 1; 0: none */
  bool is_bound;
} Label;

/* Why a finally is entered: see compile_try.c. */
enum { REASON_FALL = 0, REASON_ERROR = 1, FIRST_EXIT = 2 };

typedef enum ExitKind { EXIT_RETURN, EXIT_BREAK, EXIT_CONTINUE } ExitKind;

typedef struct Exit {
  ExitKind kind;
  LoopInfo *loop; /* of break and continue */
} Exit;

/* Something that exits of the statements inside have to deal with: a loop, which ends them, or
 * a `finally`, which they pass through. */
typedef struct Control Control;
struct Control {
  Control *outer;
  LoopInfo *loop; /* NULL: a finally */
  Label *on_break, *on_continue;
  Label *entry;                /* of the finally's code */
  unsigned kind_reg, value_reg; /* why it was entered: see compile_try.c */
  VEC(Exit) exits;
};

/* Captured value `capture` of the closure in `closure` has to become that of `binding`. */
typedef struct Fix {
  uint8_t closure;
  uint16_t capture;
  Binding *binding;
} Fix;

typedef struct FnState {
  Compilation *comp;
  struct ModuleState *module;
  FnInfo *info;
  FnProto *proto;
  VEC(uint32_t) code;
  VEC(Const) consts;
  VEC(FnProto *) children;
  VEC(Handler) handlers;
  VEC(SpanEntry) spans;
  VEC(LocalName) locals;
  VEC(Fix) fixes; /* waiting for pending bindings */
  uint32_t *const_index; /* hash of constants: index + 1 */
  uint32_t const_capacity;
  unsigned next;   /* first free register */
  unsigned active; /* registers below may be read by name */
  Control *control;
  unsigned guards;      /* handlers and defers around: no tail calls */
  Label *chain_nil;     /* where the optional chain at hand goes if a link is nil */
  unsigned defer_list;  /* register of the list of deferred calls */
  uint32_t last_target; /* latest offset that a label was bound to */
  uint32_t last_op;     /* offset of the latest instruction */
  bool has_failed;      /* a limit was reported; the code is worthless */
} FnState;

/* The module's part. */
typedef struct ModuleState {
  Compilation *comp;
  VEC(ImportRef) imports;
  VEC(Export) exports;
} ModuleState;

/* No instruction with it can throw. */
#define NO_SPAN ((Span){0, 0})

/* ---- compile_emit.c ----------------------------------------------------------------------- */

/* Reports a limit once for the function. */
void compile_fail(FnState *f, Span span, const char *message);

/* Takes `count` registers in a row and gives the first. */
unsigned reg_take(FnState *f, unsigned count, Span span);
/* Frees all registers from `mark` on. */
static inline void reg_release(FnState *f, unsigned mark) { f->next = mark; }
/* True if nothing can read the register but who asked for it. */
static inline bool reg_is_fresh(const FnState *f, unsigned reg) { return reg >= f->active; }

static inline uint32_t code_here(const FnState *f) { return (uint32_t)f->code.count; }
void emit_abc(FnState *f, Opcode op, unsigned a, unsigned b, unsigned c, Span span);
void emit_abcw(FnState *f, Opcode op, unsigned a, unsigned b, unsigned c, uint32_t w, Span span);
void emit_ad(FnState *f, Opcode op, unsigned a, int32_t d, Span span);
void emit_word(FnState *f, uint32_t word);
void emit_move(FnState *f, unsigned to, unsigned from);
void emit_nil(FnState *f, unsigned to);
/* A member access: op A B C with the cached name. */
void emit_cached(FnState *f, Opcode op, unsigned a, unsigned b, unsigned c, Text name, Span span);
/* A conditional jump. */
void emit_branch(FnState *f, uint32_t ins, Label *label, Span span);
void emit_jump(FnState *f, Label *label);
/* The same for a loop that jumps back: `span` is shown where it is interrupted. */
void emit_jump_from(FnState *f, Label *label, Span span);
/* The place in the source of the instructions that follow and name none of their own. */
void emit_span(FnState *f, Span span);
/* The jumps that wait for the label go here. */
void label_bind(FnState *f, Label *label);
/* Later jumps back, or errors, come here. */
void label_here(FnState *f, Label *label);
/* False if the end of the code cannot be reached. */
bool code_is_reachable(const FnState *f);

uint32_t const_int(FnState *f, int64_t value, Span span);
uint32_t const_float(FnState *f, double value, Span span);
/* A literal with is_number. */
uint32_t const_number(FnState *f, const Expr *literal);
static inline bool is_number(const Expr *e) {
  return e->kind == EXPR_INT || e->kind == EXPR_FLOAT;
}
uint32_t const_string(FnState *f, Text text, Span span);
uint32_t const_names(FnState *f, Text *names, uint32_t count, Span span);
static inline Text text_of_name(const Name *name) { return (Text){name->chars, name->len}; }

/* A handler for the code from `start` to here. */
void handler_add(FnState *f, uint32_t start, uint32_t end, uint32_t target, unsigned reg);

/* ---- compile_var.c ------------------------------------------------------------------------ */

/* The register that holds the variable for reading, or NO_VALUE. */
int var_register(FnState *f, Binding *b);
void var_load(FnState *f, Binding *b, unsigned dst, Span span);
/* The variable's value in some register, taking one if needed. */
unsigned var_any(FnState *f, Binding *b, Span span);
/* Gives a local its register: takes one, or `reg` if that is not NO_VALUE. */
unsigned var_place(FnState *f, Binding *b, int reg);
/* First value of the variable; `reg` may become its register if `in_place`. */
void var_init(FnState *f, Binding *b, unsigned reg, bool in_place, Span span);
/* What has to follow once the variable's own register holds its first value. */
void var_publish(FnState *f, Binding *b);
void var_assign(FnState *f, Binding *b, unsigned reg, Span span);
/* The names shown since there were `from` of them cannot be seen any more. */
void locals_end(FnState *f, size_t from);
/* Makes the scope's frame, if it has one. */
void scope_enter(FnState *f, Scope *scope);
/* The register of the innermost frame of the running function seen from `scope`, or FRAME_OWN. */
unsigned scope_frame(const FnState *f, const Scope *scope);

/* ---- compile_expr.c ----------------------------------------------------------------------- */

void expr_to(FnState *f, Expr *e, unsigned dst);
/* In a new temporary. */
unsigned expr_next(FnState *f, Expr *e);
/* In a variable's register or a new temporary. */
unsigned expr_any(FnState *f, Expr *e);
void expr_into(FnState *f, Expr *e, int dest);
/* Hands a value in a register on to a destination. */
void deliver(FnState *f, unsigned reg, int dest);
void deliver_nil(FnState *f, int dest);
/* R[target] = R[left] op value of `right`. */
void binary_to(FnState *f, BinaryOp op, unsigned left, Expr *right, unsigned target, Span span);
/* R[target] = number literal op value of `right`, where an instruction holds the literal. False:
 * nothing was done. */
bool binary_from_literal(FnState *f, BinaryOp op, const Expr *left, Expr *right, unsigned target,
                         Span span);
/* Lists and maps by parts; `items` may hold spreads. */
void list_to(FnState *f, Expr *const *items, uint32_t count, unsigned dst, Span span);
void string_to(FnState *f, Text text, unsigned dst);

/* ---- compile_cond.c ----------------------------------------------------------------------- */

/* Jumps if the truth of `e` is `when`, else goes on. */
void cond_jump(FnState *f, Expr *e, bool when, Label *label);
/* Jumps if R[reg] == literal is `when`. */
void cond_equals_literal(FnState *f, unsigned reg, Expr *literal, bool when, Label *label,
                         Span span);

/* ---- compile_call.c ----------------------------------------------------------------------- */

/* Expressions with a left spine: operators, members, calls. */
void spine_to(FnState *f, Expr *e, unsigned dst);
/* The same for its effects. */
void spine_drop(FnState *f, Expr *e);
/* Returns the value of a call, as a tail call. */
void call_return(FnState *f, Expr *e);
void chain_into(FnState *f, Expr *e, int dest);
void super_to(FnState *f, Expr *e, unsigned dst);
void defer_stmt(FnState *f, Stmt *stmt);

/* ---- compile_assign.c --------------------------------------------------------------------- */

void assign_into(FnState *f, Expr *e, int dest);
void unpack_into(FnState *f, Expr *e, int dest);
void let_stmt(FnState *f, Stmt *stmt);
/* Binds the names of an irrefutable pattern to R[reg]; with `in_place` the register is the
 * pattern's to keep. */
void pattern_bind(FnState *f, Pattern *p, unsigned reg, bool in_place);
/* R[reg] = map R[source] without the keys that the map pattern names. */
void pattern_map_rest(FnState *f, Pattern *p, unsigned source, unsigned reg);
/* Where R[reg] is absent, it becomes the default (NULL: none). */
void pattern_default(FnState *f, Expr *value, unsigned reg);
uint32_t pattern_key_constant(FnState *f, const Expr *key);

/* ---- compile_match.c ---------------------------------------------------------------------- */

void match_into(FnState *f, Expr *e, int dest);

/* ---- compile_control.c -------------------------------------------------------------------- */

void block_into(FnState *f, Block *block, int dest);
void if_into(FnState *f, IfExpr *if_, int dest);
/* Leaves the statement at hand by way of the finally blocks around; `value` as for return. */
void exit_through(FnState *f, Exit exit, int value);

/* ---- compile_try.c ------------------------------------------------------------------------ */

void try_into(FnState *f, TryExpr *try_, int dest);
/* Compiles a function's body, running its deferred calls at the end. */
void body_with_defers(FnState *f, Block *body, int dest);

/* ---- compile_fn.c ------------------------------------------------------------------------- */

/* R[dst] = closure of the function. */
void closure_to(FnState *f, Fn *fn, unsigned dst);
/* The same, where `dst` is or will be the variable `own`, which the function itself may use. */
void closure_to_own(FnState *f, Fn *fn, Binding *own, unsigned dst);
/* The functions of a block that are made before statement `index`. */
void functions_create(FnState *f, Scope *scope, uint32_t index);
FnProto *main_compile(ModuleState *module, FnInfo *info, Block *body);
/* R[dst] = closure of a compiled child, and the same for methods. */
void closure_emit(FnState *f, FnInfo *info, FnProto *proto, unsigned dst);
FnProto *method_compile(FnState *f, Fn *fn, const ClassDecl *class_);
/* The hidden method that sets the fields whose defaults are no literals. */
FnProto *fields_compile(FnState *f, const ClassDecl *class_);

/* ---- compile_class.c ---------------------------------------------------------------------- */

void class_stmt(FnState *f, ClassDecl *class_);
bool field_is_literal(const FieldDecl *field);

/* ---- compile_module.c --------------------------------------------------------------------- */

void import_stmt(FnState *f, Stmt *stmt);

#endif
