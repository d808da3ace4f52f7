/* report.h - positions in packed traces as names, files and lines; uncaught errors as text. */
#ifndef OX_RUNTIME_REPORT_H
#define OX_RUNTIME_REPORT_H

#include "../lang/arena.h"
#include "../lang/source.h"
#include "run.h"

/* Reads the frames of a thrown value's trace; keeps the sources it has indexed. */
typedef struct TraceReader {
  ox_VM *vm;
  Value trace;
  Arena arena;          /* for the sources; `ok` tells whether it could be made */
  bool ok;
  Value module;         /* whose text `source` is, or nil */
  Source source;
} TraceReader;
void trace_reader_init(TraceReader *r, ox_VM *vm, Value thrown);
void trace_reader_free(TraceReader *r);
/* Frame i, innermost 0. False: there are no more. Lines are 0 where not known. */
bool trace_reader_frame(TraceReader *r, int i, TraceFrame *out);

/* Where a module comes from, as shown: its path or name. Lives as long as the module. */
const char *module_shown(ox_VM *vm, Value module);

#endif
