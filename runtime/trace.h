/* trace.h - where the program stands, frame by frame, packed into a Store when an error is
 * thrown. */
#ifndef OX_RUNTIME_TRACE_H
#define OX_RUNTIME_TRACE_H

#include "interp.h"

/* The innermost and outermost frames that are kept of a deep stack. */
enum { TRACE_INNER = 64, TRACE_OUTER = 16 };

/* The pending error has just been thrown: notes where, unless that is known from an earlier
 * throw. */
void trace_attach(ox_VM *vm);
/* For the frame with registers N: the link that says who really waits for it (making an instance
 * puts a link of its own between). */
uint64_t trace_outer_link(Value *N, uint64_t link);

/* Where the running function is the prelude's: the name of the builtin that the program called. nil
 * otherwise. */
Value trace_builtin(ox_VM *vm);

/* A packed trace, read: */
typedef struct TraceEntry {
  Proto *proto;
  uint32_t at;       /* code word within the instruction */
  uint32_t skipped;  /* frames left out before this one */
} TraceEntry;
unsigned trace_length(ox_VM *vm, Value trace);       /* 0 for nil */
TraceEntry trace_entry(ox_VM *vm, Value trace, unsigned i);
/* The trace of a thrown value, nil if there is none. */
Value trace_of(ox_VM *vm, Value thrown);

#endif
