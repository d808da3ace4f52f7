/* loader.c - copies compiled functions into the cage.
 *
 * A Proto is one block: constants, then the code, never written again. Inline caches are taken from
 * the area below the cage by counting up (they are never given back: 8 bytes a place, 64 MiB in
 * all). Everything made here hangs on the parent's `children` or on the temporary roots while it is
 * built. */
#include "loader.h"

#include <assert.h>

#include "../lang/opcode.h"
#include "list.h"
#include "number.h"
#include "str.h"

static Value text_value(ox_VM *vm, Text t) { return string_intern(vm, t.chars, t.len); }

static Value names_value(ox_VM *vm, const Const *c) {
  Value list = list_new(vm, c->names.n);
  for (uint32_t i = 0; list != V_ERROR && i < c->names.n; i++) {
    Value name = text_value(vm, c->names.items[i]);
    if (name == V_ERROR || !list_push(vm, list, name)) return V_ERROR;
  }
  return list;
}

static Value const_value(ox_VM *vm, const Const *c) {
  switch (c->kind) {
    case CONST_INT: return num_from_int(vm, c->i);
    case CONST_FLOAT: return v_from_float(c->f);
    case CONST_STRING: return text_value(vm, c->s);
    case CONST_NAMES: return names_value(vm, c);
  }
  return V_NIL;
}

static Value params_value(ox_VM *vm, const FnProto *f) {
  Value list = list_new(vm, f->nparams + 1u);
  if (list == V_ERROR) return V_ERROR;
  bool rest = f->flags & FN_REST;
  for (unsigned i = 0; i < f->nparams + (unsigned)rest; i++) {
    Value name = text_value(vm, i < f->nparams ? f->params[i].name : f->rest_name);
    if (name == V_ERROR || !list_push(vm, list, name)) return V_ERROR;
  }
  return list;
}

static uint64_t info_bytes(const FnProto *f) {
  uint64_t n = sizeof(ProtoInfo) + f->nhandlers * sizeof(Handler) + f->nspans * sizeof(SpanEntry) +
               f->nlocals * sizeof(LocalEntry);
  for (uint32_t i = 0; i < f->nlocals; i++) n += f->locals[i].name.len;
  return n;
}

static Value info_value(ox_VM *vm, const FnProto *f) {
  Bytes *bytes = bytes_new(vm, info_bytes(f));
  if (bytes == NULL) return V_ERROR;
  ProtoInfo *info = (ProtoInfo *)bytes->data;
  *info = (ProtoInfo){f->from,      f->to,        f->name_from, f->name_to,
                      f->nrequired, f->nhandlers, f->nspans,    f->nlocals,
                      f->ncaches};
  uint8_t *at = (uint8_t *)(info + 1);
  if (f->nhandlers) memcpy(at, f->handlers, f->nhandlers * sizeof(Handler));
  at += f->nhandlers * sizeof(Handler);
  if (f->nspans) memcpy(at, f->spans, f->nspans * sizeof(SpanEntry));
  at += f->nspans * sizeof(SpanEntry);
  char *names = (char *)(at + f->nlocals * sizeof(LocalEntry));
  uint32_t used = 0;
  for (uint32_t i = 0; i < f->nlocals; i++) {
    const LocalName *l = &f->locals[i];
    ((LocalEntry *)at)[i] = (LocalEntry){l->start, l->end, used, l->name.len, l->reg};
    memcpy(names + used, l->name.chars, l->name.len);
    used += l->name.len;
  }
  return v_from_ptr(vm->cage, KIND_BYTES, bytes);
}

static bool take_caches(ox_VM *vm, uint32_t n, uint32_t *first) {
  if (n > GC_CACHE_BYTES / sizeof(InlineCache) - vm->st->next_cache) {
    vm_throw(vm, ERR_LIMIT, "too much code has been compiled: there is no room for more");
    return false;
  }
  *first = (uint32_t)vm->st->next_cache;
  vm->st->next_cache += n;
  return true;
}

bool loader_new_caches(ox_VM *vm, Value proto) {
  Proto *p = (Proto *)vm_deref(vm, proto);
  uint32_t n = v_is_ref(p->info) ? proto_info(vm, p)->ncaches : 0, first;
  if (!take_caches(vm, n, &first)) return false;
  gc_touch(vm->cage, gc_word(vm->cage, &p->caches));
  p->caches = first;
  return true;
}

/* The block with everything but constants and children; those are nil. Unrooted. */
static Proto *proto_block(ox_VM *vm, uint64_t nconsts, uint32_t ncode) {
  uint64_t values = 2 + PROTO_VALUES + nconsts;
  if (values > UINT16_MAX) {
    vm_throw(vm, ERR_LIMIT, "function with too many constants");
    return NULL;
  }
  uint64_t words = 1 + values + (ncode + 1) / 2;
  Proto *p = vm_alloc(vm, words, KIND_PROTO, LAYOUT_VALUES, (uint16_t)values, 0);
  if (p == NULL) return NULL;
  if ((gc_word(vm->cage, p) + words) << 1 > UINT32_MAX) {
    for (uint64_t i = 1; i <= values; i++) ((Value *)p)[i] = V_NIL;
    vm_throw(vm, ERR_LIMIT, "code does not fit below 16 GiB of the heap");
    return NULL;
  }
  p->code = (uint32_t)((1 + values) << 1);
  p->ncode = ncode;
  p->caches = 0;
  p->module = p->name = p->info = p->children = p->params = p->doc = V_NIL;
  for (uint64_t i = 0; i < nconsts; i++) p->consts[i] = V_NIL;
  return p;
}

static void put_value(ox_VM *vm, Value object, uint64_t word, Value v) {
  gc_store(vm->cage, v_ref(object).w + word, v);
}
#define PUT(object, Type, field, v) put_value(vm, object, offsetof(Type, field) / 8, v)

static Value proto_new(ox_VM *vm, const FnProto *f, Value module);

static bool put_children(ox_VM *vm, const FnProto *f, Value proto, Value module) {
  if (f->nchildren == 0) return true;
  Store *store = store_new(vm, f->nchildren);
  if (store == NULL) return false;
  Value v = v_from_ptr(vm->cage, KIND_STORE, store);
  PUT(proto, Proto, children, v);
  for (uint32_t i = 0; i < f->nchildren; i++) {
    uint32_t mark = vm_roots_mark(vm);
    Value child = proto_new(vm, f->children[i], module);
    if (child == V_ERROR) return false;
    put_value(vm, v, 1 + i, child);
    vm_roots_reset(vm, mark);
  }
  return true;
}

static bool put_parts(ox_VM *vm, const FnProto *f, Value proto, Value module) {
  PUT(proto, Proto, module, module);
  Value v = text_value(vm, f->name);
  if (v == V_ERROR) return false;
  PUT(proto, Proto, name, v);
  if ((v = info_value(vm, f)) == V_ERROR) return false;
  PUT(proto, Proto, info, v);
  if ((v = params_value(vm, f)) == V_ERROR) return false;
  PUT(proto, Proto, params, v);
  if (f->doc.len > 0) {
    if ((v = string_new(vm, f->doc.chars, f->doc.len)) == V_ERROR) return false;
    PUT(proto, Proto, doc, v);
  }
  for (uint32_t i = 0; i < f->nconsts; i++) {
    if ((v = const_value(vm, &f->consts[i])) == V_ERROR) return false;
    put_value(vm, proto, offsetof(Proto, consts) / 8 + i, v);
  }
  return true;
}

static void set_shape(Proto *p, const FnProto *f, uint32_t caches) {
  _Static_assert(MAX_REGISTERS + SPARE_REGISTERS <= UINT8_MAX, "registers fit a byte");
  assert(f->nregs <= MAX_REGISTERS);
  p->nregs = (uint8_t)(f->nregs + SPARE_REGISTERS);
  p->nparams = f->nparams;
  p->flags = f->flags & 0x7F;
  p->arity = f->flags & (FN_COMPLEX | FN_REST) ? ARITY_COMPLEX : f->nparams;
  p->caches = caches;
  memcpy((uint32_t *)p + p->code, f->code, f->ncode * sizeof(uint32_t));
}

/* Rooted. Recursion is as deep as functions nest in the text, which the parser limits. */
static Value proto_new(ox_VM *vm, const FnProto *f, Value module) {
  uint32_t caches;
  if (!take_caches(vm, f->ncaches, &caches)) return V_ERROR;
  Proto *p = proto_block(vm, f->nconsts, f->ncode);
  if (p == NULL) return V_ERROR;
  set_shape(p, f, caches);
  Value proto = v_from_ptr(vm->cage, KIND_PROTO, p);
  if (!vm_root(vm, proto) || !put_parts(vm, f, proto, module)) return V_ERROR;
  return put_children(vm, f, proto, module) ? proto : V_ERROR;
}

static Value closure_new(ox_VM *vm, Value proto, Value capture) {
  unsigned n = capture != V_ABSENT;
  Closure *c = vm_alloc(vm, 2 + n, KIND_CLOSURE, LAYOUT_VALUES | LAYOUT_AUX_REF | LAYOUT_PAIRS(1),
                        n, v_ref(proto).w);
  if (c == NULL) return V_ERROR;
  c->frame = c->reserved = REF_NULL;
  if (n) c->caps[0] = capture;
  Value v = v_from_ptr(vm->cage, KIND_CLOSURE, c);
  return vm_root(vm, v) ? v : V_ERROR;
}

Value loader_main(ox_VM *vm, const FnProto *compiled, Value module) {
  Value proto = proto_new(vm, compiled, module);
  return proto == V_ERROR ? V_ERROR : closure_new(vm, proto, module);
}

Value loader_stub(ox_VM *vm) {
  uint32_t code[STUB_CODE];
  code[0] = op_make_abc(OP_EXIT, 0, 0, 0);
  for (unsigned i = 0; i < 256; i++) code[1 + i] = op_make_abc(OP_RET, i, 0, 0);
  FnProto f = {.code = code, .ncode = STUB_CODE, .name = {"", 0}};
  Value proto = proto_new(vm, &f, V_NIL);
  if (proto == V_ERROR) return V_ERROR;
  ((Proto *)vm_deref(vm, proto))->nregs = SPARE_REGISTERS;
  return closure_new(vm, proto, V_ABSENT);
}

bool proto_span(ox_VM *vm, Proto *p, uint32_t at, uint32_t *from, uint32_t *to) {
  const ProtoInfo *info = proto_info(vm, p);
  const SpanEntry *spans = info_spans(info);
  uint32_t low = 0, high = info->nspans; /* the last entry with pc <= at lies in [low - 1, high) */
  while (low < high) {
    uint32_t mid = (low + high) / 2;
    if (spans[mid].pc <= at) low = mid + 1;
    else high = mid;
  }
  if (info->nspans == 0 || at >= p->ncode) return false;
  if (low == 0) low = 1; /* what is done before the first expression belongs to it */
  *from = spans[low - 1].from;
  *to = spans[low - 1].to;
  return true;
}

const char *proto_local(ox_VM *vm, Proto *p, uint32_t at, unsigned reg, uint32_t *len) {
  const ProtoInfo *info = proto_info(vm, p);
  const LocalEntry *locals = (const LocalEntry *)(info_spans(info) + info->nspans);
  const char *names = (const char *)(locals + info->nlocals);
  for (uint32_t i = info->nlocals; i-- > 0;) {
    if (locals[i].reg != reg || at < locals[i].start || at >= locals[i].end) continue;
    *len = locals[i].name_len;
    return names + locals[i].name;
  }
  return NULL;
}
