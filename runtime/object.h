/* object.h - the layout of every heap object. Functions on them are in str.h, list.h, map.h, ...
 * References between objects are 32-bit Refs or Values; stores go through gc_store / gc_touch
 * except into an object just allocated (nothing has been allocated since). */
#ifndef OX_RUNTIME_OBJECT_H
#define OX_RUNTIME_OBJECT_H

#include "value.h"

enum { STRING_INTERNED = 1, STRING_UTF8 = 2 }; /* Header.n of a String: flags; UTF8: known valid */
enum { STRING_INTERN_MAX = 32 };/* strings up to so many bytes are always interned */

/* Immutable bytes, NUL-terminated for C. Short ones are interned: equal content, same ref. */
typedef struct String {
  Header h;          /* RAW; aux = length in bytes; n = STRING_* flags */
  uint32_t hash;     /* 0: not computed yet */
  uint32_t reserved;
  char chars[];
} String;

typedef struct Rope {
  Header h;          /* VALUES, 1 pair; aux = length in bytes */
  Ref left, right;   /* String or Rope each (look at their header); flattened: left only */
} Rope;

typedef struct WideInt {
  Header h;          /* RAW */
  int64_t i;
} WideInt;

typedef struct Store {
  Header h;          /* WIDE; aux = how many values */
  Value items[];
} Store;

typedef struct Bytes {
  Header h;          /* RAW; aux = how many bytes */
  uint8_t data[];
} Bytes;

typedef struct List {
  Header h;          /* VALUES|AUX_REF, n = 0; aux = ref of the Store, 0 when capacity is 0 */
  uint64_t len;      /* items used; the rest of the store is nil */
} List;

/* Insertion-ordered open addressing. Entries are pairs (key, value) in a Store in insertion order;
 * a removed entry's key is V_ABSENT. Up to MAP_LINEAR entries there is no index. */
enum { MAP_LINEAR = 8, MAP_INDEX_LEAST = 32 /* slots */ };
typedef struct Map {
  Header h;          /* VALUES|AUX_REF|1 pair; aux = ref of the entries' Store, 0 when empty */
  Ref index;         /* Bytes: uint32 slots, see map.c; 0 while small */
  Ref reserved;
  uint32_t used;     /* entries in the store, holes included */
  uint32_t live;     /* entries without holes: len() */
  uint32_t version;  /* changes when a key is added or removed */
  uint32_t mask;     /* index slots - 1 */
} Map;

typedef struct Range {
  Header h;          /* VALUES, n = 2; aux = 1 if inclusive */
  Value start, end;  /* ints */
} Range;

typedef struct Frame {
  Header h;          /* VALUES|AUX_REF, n = slots; aux = parent frame or 0 */
  Value slots[];
} Frame;

typedef struct Closure {
  Header h;          /* VALUES|AUX_REF|1 pair, n = captures; aux = Proto */
  Ref frame;         /* the scope frame it was made in, or 0 */
  Ref reserved;
  Value caps[];
} Closure;

enum { PROTO_VALUES = 6 }; /* value words before the constants */
enum { ARITY_COMPLEX = 255 };
typedef struct Proto {
  Header h;             /* VALUES, n = 2 + PROTO_VALUES + constants */
  uint32_t code;        /* offset of the first instruction from this Proto, in 32-bit units */
  uint8_t arity;        /* exact number of arguments, ARITY_COMPLEX: use the general path */
  uint8_t nregs;
  uint8_t nparams;
  uint8_t flags;        /* FN_* of lang/module.h, < 128 */
  uint32_t caches;      /* first inline cache (index into the cache area) */
  uint32_t ncode;
  Value module;         /* Module */
  Value name;           /* String */
  Value info;           /* Bytes: struct ProtoInfo of loader.h: spans, handlers, names */
  Value children;       /* Store of Protos, or nil */
  Value params;         /* List of Strings: parameter names; then the rest name if FN_REST */
  Value doc;            /* String or nil */
  Value consts[];       /* then the code */
} Proto;

typedef struct Native {
  Header h;          /* VALUES, n = 0; aux = number of its definition, see native.h */
  uint16_t min, max; /* arguments, self included; max 0xFFFF: any number */
  uint16_t flags;    /* bits 0-7: parameters behind a rest, which are given by name only */
  uint16_t reserved; /* FAST_* of interp.h */
} Native;

typedef struct Bound {
  Header h;          /* VALUES, n = 2 */
  Value method, self;
} Bound;

typedef struct Class {
  Header h;           /* VALUES, n = 7 */
  Value name;         /* String */
  Value super;        /* Class or nil */
  Value methods;      /* Map: String -> function; inherited ones are copied in when the class is made */
  Value fields;       /* Map: String -> int, its slot */
  Value defaults;     /* List: first values of the fields, by slot */
  Value init;         /* function or nil: methods["init"] */
  Value init_fields;  /* nil, or List of %fields methods, the root class's first (class.c) */
  uint32_t nfields;
  uint32_t flags;     /* CLASS_* */
} Class;
enum { CLASS_SEALED = 1, CLASS_BUILTIN = 2, CLASS_HAS_EQ = 4, CLASS_HAS_HASH = 8 };

typedef struct Instance {
  Header h;          /* VALUES|AUX_REF, n = fields; aux = Class */
  Value fields[];
} Instance;

typedef struct Error {
  Header h;          /* VALUES, n = 4 */
  Value message;     /* String */
  Value data;        /* any */
  Value trace;       /* nil, or Store of packed positions: trace.c turns them into a list */
  Value kind;        /* String: "type", "index", ... of errors.def */
} Error;

typedef struct Module {
  Header h;          /* VALUES, n = 7 */
  Value name;        /* String as imported */
  Value path;        /* String: resolved path of a file module, or nil */
  Value exports;     /* Map: String -> int, slot of `frame` */
  Value frame;       /* Frame or nil before it ran */
  Value imports;     /* List of Modules, by the number in IMPORT */
  Value main;        /* Closure or nil */
  Value source;      /* String: the text, for error reports; or nil */
  uint64_t state;    /* MODULE_* */
} Module;
enum { MODULE_NEW, MODULE_RUNNING, MODULE_READY, MODULE_FAILED };

typedef enum FiberState { FIBER_NEW, FIBER_SUSPENDED, FIBER_RUNNING, FIBER_WAITING, FIBER_DONE } FiberState;
typedef struct Stack {
  Header h;          /* STACK; aux = capacity in values */
  uint64_t used;     /* set before a collection and when the fiber is left */
  Value slots[];
} Stack;
typedef struct Fiber {
  Header h;          /* VALUES, n = 6 value words, then raw ones */
  Value fn;          /* what to call first */
  Value stack;       /* Stack or nil (not started, or done) */
  Value parent;      /* the fiber that resumed this one, or nil */
  Value if_done;     /* what the resumer gets if this one is finished; absent: an error */
  Value then;        /* function that what is sent goes through first (fiber_suspend), or nil */
  uint64_t resumer;  /* link (interp.h): where the resumer wants what is yielded */
  uint64_t resumed;  /* link: where this one wants what is sent */
  uint32_t state;    /* FiberState */
  uint32_t pc;       /* where to go on: offset from the cage's base in 32-bit units */
  uint32_t base;     /* its R, counted in slots from the stack's slots[0] */
  uint32_t depth;    /* how many fibers wait for it, through one another */
} Fiber;

typedef struct Foreign {
  Header h;          /* VALUES|FINAL, n = 2 */
  Value cls;         /* Class with the type's methods; its `fields` map the names of properties to
                      * lists [getter or nil, setter or nil] */
  Value slots;       /* List: values that the host keeps in the object, or nil */
  uint64_t handle;   /* index into the VM's handle table (outside the cage) */
} Foreign;

#endif
