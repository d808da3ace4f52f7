/* module.h - what the compiler hands over: plain data in an arena, no heap objects.
 *
 * The runtime copies it into the cage (runtime/loader.c) and may then drop the arena.
 * Calling convention of a function: arguments are its registers 0.. in the order of `params` (a
 * method has self as register 0, which is params[0]); a missing optional argument is absent and the
 * function's prologue (JPRESENT) fills it; the rest parameter, if any, is a list in the register
 * after the last plain parameter. */
#ifndef OX_LANG_MODULE_H
#define OX_LANG_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"


typedef enum ConstKind { CONST_INT, CONST_FLOAT, CONST_STRING, CONST_NAMES } ConstKind;

typedef struct Const {
  ConstKind kind;
  union {
    int64_t i;
    double f;
    Text s;
    struct { Text *items; uint32_t n; } names;
  };
} Const;

typedef struct ParamInfo {
  Text name;
  bool optional; /* has a default */
} ParamInfo;

/* Instructions [start, end) (word offsets) are guarded: a throw inside puts the error into register
 * `reg` and goes on at `target`. Inner handlers stand before outer ones. */
typedef struct Handler { uint32_t start, end, target; uint8_t reg; } Handler;

/* From word `pc` on the source span is [from, to) (byte offsets), until the next entry. */
typedef struct SpanEntry { uint32_t pc, from, to; } SpanEntry;

/* Register `reg` holds the variable `name` in [start, end): for messages and the debugger. */
typedef struct LocalName { Text name; uint32_t start, end; uint8_t reg; } LocalName;

enum {
  FN_METHOD = 1,    /* params[0] is self */
  FN_REST = 2,      /* extra positionals are collected */
  FN_INIT = 4,      /* a class's init */
  FN_MAIN = 8,      /* a module's top level: captured value 0 is the module object (ncaps 1) */
  FN_COMPLEX = 16,  /* has optional or rest parameters: calls need the general path */
};

enum { MAX_REGISTERS = 240 }; /* of a function: what runs it has a few more, and a byte for them */

typedef struct FnProto {
  Text name;               /* "fib", "Point.init", "" for anonymous */
  Text doc;                /* the comment block before it */
  uint32_t from, to;       /* span of the whole function */
  uint32_t name_from, name_to;
  uint32_t *code; uint32_t ncode;
  Const *consts; uint32_t nconsts;          /* at most 65,536 */
  struct FnProto **children; uint32_t nchildren;
  uint16_t nregs;          /* registers used, at most MAX_REGISTERS */
  uint16_t ncaps;          /* values captured */
  uint32_t ncaches;        /* inline caches used, at most 65,536 */
  uint8_t flags;
  uint8_t nrequired;       /* parameters without a default (self counts, as in params) */
  ParamInfo *params; uint8_t nparams; /* the rest parameter is not among them */
  Text rest_name;
  Handler *handlers; uint32_t nhandlers;
  SpanEntry *spans; uint32_t nspans;
  LocalName *locals; uint32_t nlocals;
} FnProto;

typedef struct Export {
  Text name;
  uint32_t slot;
  bool is_const;
} Export; /* slot of the module's frame */
typedef struct ImportName {
  Text name;
  uint32_t from, to;
} ImportName; /* of `from x import name` */
typedef struct ImportRef {
  Text path;         /* lib/x or math */
  bool is_file;
  uint32_t from, to; /* span of the path */
  ImportName *names; uint32_t nnames;
} ImportRef;

typedef struct ModuleCode {
  FnProto *main;
  Export *exports; uint32_t nexports;
  ImportRef *imports;
  uint32_t nimports; /* literal imports, in order: resolved before anything runs */
} ModuleCode;

#endif
