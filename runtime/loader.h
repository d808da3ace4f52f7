/* loader.h - from the compiler's plain module to Protos in the cage, and the tables beside the
 * code. */
#ifndef OX_RUNTIME_LOADER_H
#define OX_RUNTIME_LOADER_H

#include "../lang/module.h"
#include "interp.h"

/* Behind Proto.info: a Bytes that begins with this; the tables follow, in this order. */
typedef struct ProtoInfo {
  uint32_t from, to;           /* span of the whole function in the module's source */
  uint32_t name_from, name_to; /* of its name */
  uint32_t nrequired;
  uint32_t nhandlers, nspans, nlocals;
  uint32_t ncaches;
  /* Handler handlers[]; SpanEntry spans[]; LocalEntry locals[]; char names[] */
} ProtoInfo;

typedef struct LocalEntry {
  uint32_t start, end;         /* code words */
  uint32_t name, name_len;     /* in the names behind the tables */
  uint32_t reg;
} LocalEntry;

static inline ProtoInfo *proto_info(ox_VM *vm, Proto *p) {
  return (ProtoInfo *)((Bytes *)vm_deref(vm, p->info))->data;
}
static inline const Handler *info_handlers(const ProtoInfo *info) {
  return (const Handler *)(info + 1);
}
static inline const SpanEntry *info_spans(const ProtoInfo *info) {
  return (const SpanEntry *)(info_handlers(info) + info->nhandlers);
}
/* The source span of the instruction that contains word `at`. False: not known. */
bool proto_span(ox_VM *vm, Proto *p, uint32_t at, uint32_t *from, uint32_t *to);
/* The variable in register `reg` at word `at`, NULL if there is none. *len gets its length. */
const char *proto_local(ox_VM *vm, Proto *p, uint32_t at, unsigned reg, uint32_t *len);

/* The closure of a compiled module's top level, belonging to `module` (a Module value). Rooted. */
Value loader_main(ox_VM *vm, const FnProto *compiled, Value module);
/* A Proto that was copied gets inline caches of its own. False: error pending. */
bool loader_new_caches(ox_VM *vm, Value proto);
/* The stub's closure (interp.h). */
Value loader_stub(ox_VM *vm);

#endif
