/* What every name means, and where every variable lives.
 *
 * The resolver walks the tree once in evaluation order, hangs its findings into it (the fields
 * that ast.h marks "resolver") and reports what is wrong with names, jumps and assignments. The
 * compiler then only reads.
 *
 * Glossary. Binding: one declared variable. Scope: the bindings of a block, a parameter list, a
 * loop turn, a match arm, a catch, a class. Frame: the heap object that holds those variables of
 * a scope that closures share. Home of a scope: the scope whose frame it uses (a function's body
 * shares the frame of its parameters, a loop's body that of its loop variables). Outer: a binding
 * of an enclosing function that a function uses. Time: a counter that grows along the walk, so
 * that "initialised before" is a comparison.
 */
#ifndef OX_LANG_RESOLVE_H
#define OX_LANG_RESOLVE_H

#include "ast.h"
#include "compilation.h"

typedef struct Binding Binding;
typedef struct Scope Scope;
typedef struct FnInfo FnInfo;
typedef struct LoopInfo LoopInfo;

typedef enum BindingKind {
  BIND_LET,
  BIND_CONST,
  BIND_FN,
  BIND_CLASS,
  BIND_IMPORT, /* a module, or a name out of one */
  BIND_PARAM,
  BIND_LOOP,
  BIND_CATCH,
  BIND_MATCH,
  BIND_HIDDEN, /* self, superclass: not a name of the program */
  BIND_GLOBAL, /* host or REPL name */
  BIND_CORE,
  BIND_UNDEFINED /* reported once; later uses are silent */
} BindingKind;

typedef enum Storage {
  STORE_REGISTER, /* closures get a copy of the value */
  STORE_FRAME,    /* slot `index` of the frame of the scope's home */
  STORE_GLOBAL,   /* global `index` */
  STORE_CORE      /* core name `index` */
} Storage;

enum { TIME_NEVER = UINT32_MAX, NO_SLOT = UINT32_MAX };

struct Binding {
  BindingKind kind;
  Storage storage;
  Name *name;
  Span span;     /* of the name where it is declared */
  Scope *scope;  /* NULL for globals and core names */
  FnInfo *fn;    /* likewise */
  Binding *next; /* in its scope, in order of declaration */
  Binding *outer; /* the binding of the same name that this one hides */
  uint32_t init_time; /* when it gets its value, TIME_NEVER before the walk is there */
  uint32_t index;     /* slot, global or core name */
  uint32_t export_slot; /* slot of the module's frame, or NO_SLOT */
  bool is_const;    /* may not be assigned */
  bool is_exported;
  bool is_assigned; /* after its initialisation */
  bool is_captured;
  bool is_early;    /* captured by a closure made before the initialisation */
  bool is_volatile; /* assigned in a block inside an expression: read it into a copy */
  bool is_module;   /* holds a module: member calls need no method lookup */
  bool wants_frame; /* a function captures too many values for this one to be among them */
  Binding *live_module; /* of a live import: the module whose member `member` is meant */
  Name *member;
  /* Function declarations. */
  Fn *fn_node;
  uint32_t create_at;    /* before which statement of the block the closure is made */
  Binding *next_created; /* made before the same statement */
  /* Where a function found this binding among its outers the last time. */
  FnInfo *hint_fn;
  uint32_t hint;
  /* The compiler's. */
  uint8_t reg;
  bool is_pending; /* closures that capture it are made before it is in its register */
};

/* Function `from` uses the function `to` of the same block. */
typedef struct FnEdge {
  Binding *from, *to;
} FnEdge;

struct Scope {
  Scope *parent; /* over function borders too */
  Scope *home;   /* whose frame is used; itself or an enclosing scope */
  Scope *next;   /* of the same function, in order of entry */
  FnInfo *fn;
  Binding *first, *last;
  uint32_t slots;     /* size of the frame, 0: none is made */
  uint32_t registers; /* a bound for the registers taken up to and with this scope */
  /* Blocks with function declarations. */
  uint32_t current;      /* statement that the walk is in */
  Binding *current_fn;   /* its binding if it is a function declaration */
  uint32_t *times;       /* when each statement begins */
  Binding **created;     /* closures made before each statement, a list each; or NULL */
  VEC(FnEdge) edges;
  /* The compiler's. */
  uint8_t frame_reg;
};

typedef struct Outer {
  Binding *binding;
  bool in_loop;     /* read within a loop, other than as what is called */
  bool is_hoisted;  /* the compiler keeps a copy in `reg` */
  uint8_t reg;
  uint16_t capture; /* index among the captured values, if stored by value */
} Outer;

struct FnInfo {
  FnInfo *parent;
  Fn *node;        /* NULL: a module's top level or a class's field defaults */
  ClassDecl *class_; /* of a method */
  Scope *scope;    /* parameters; the first scope of the function */
  Scope *last_scope;
  Binding *self;   /* of a method */
  uint32_t create_time;
  bool is_init;
  bool has_defer;
  bool needs_frame; /* uses a variable in a frame of an enclosing function */
  uint32_t loop_depth;
  VEC(Outer) outers;
  VEC(FnInfo *) children; /* functions made directly in this one */
};

struct LoopInfo {
  LoopInfo *outer; /* in the same function */
  Name *label;
};

/* Resolves the whole program; the findings for the top level are in *main. Errors go to the
 * compilation's diagnostics. */
void resolve_program(Compilation *comp, Program *program, FnInfo **main);

/* The outer of `fn` for a binding, NULL if it uses it not. */
Outer *resolve_find_outer(FnInfo *fn, Binding *binding);

/* True if a use of the binding in `fn` (an inner function of the binding's) may come before its
 * initialisation. */
bool resolve_needs_check(const FnInfo *fn, const Binding *binding);

#endif
