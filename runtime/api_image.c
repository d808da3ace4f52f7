/* api_image.c - the C API: images. Contracts in oxbow.h; runtime/image.c and gc/image.c do the
 * work. Here is what concerns the host: its functions and types, whose names go into the image as
 * notes, and which must be given again by whoever opens it; capabilities; the words of messages. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "image.h"
#include "signature.h"

#define CHECKED_ALWAYS                                                                             \
  ((uint64_t)16 << 20) /* bytes of a file whose pages OX_IMAGE_CHECK_AUTO checks */

/* ---- notes ----------------------------------------------------------------------------------- */

void note_number(VmText *notes, uint32_t n) { vm_text_add(notes, (const char *)&n, sizeof n); }

void note_text(VmText *notes, const char *text) {
  note_number(notes, (uint32_t)strlen(text));
  vm_text_add(notes, text, strlen(text));
}

uint32_t read_number(NotesReader *r) {
  uint32_t n = 0;
  if ((size_t)(r->end - r->at) < sizeof n) {
    r->bad = true;
    return 0;
  }
  memcpy(&n, r->at, sizeof n);
  r->at += sizeof n;
  return n;
}

const char *read_text(NotesReader *r, uint32_t *length) {
  *length = read_number(r);
  if (*length > (size_t)(r->end - r->at)) {
    r->bad = true;
    *length = 0;
  }
  const char *text = (const char *)r->at;
  r->at += *length;
  return text;
}

void api_refuse(Refusal *why, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(why->text, sizeof why->text, format, args);
  va_end(args);
}

/* ---- saving ---------------------------------------------------------------------------------- */

static void give_stats(ox_ImageStats *to, const ImageStats *s) {
  if (!to) return;
  ox_ImageStats all = {sizeof all, s->file_bytes, s->pages, s->listed_pages, s->maps, s->ns};
  api_fill(to, &all, sizeof all);
}

static Value throw_failure(ox_VM *vm, const char *path, const ImageError *e) {
  return vm_throw(vm, e->system ? ERR_IO : ERR_VALUE, "cannot save the image '%s': %s", path,
                  e->text);
}

static Value save(ox_VM *vm, const char *path, ox_ImageStats *stats) {
  VmText notes = {0};
  ImageStats s;
  ImageError e;
  api_note_types(api_of(vm), &notes);
  api_note_functions(api_of(vm), &notes);
  if (notes.failed) {
    vm_text_free(&notes);
    return vm_throw_oom(vm);
  }
  bool ok = vm_image_save(vm, path, api_of(vm)->config.capabilities, &notes, &s, &e);
  vm_text_free(&notes);
  if (!ok) return throw_failure(vm, path, &e);
  give_stats(stats, &s);
  return V_NIL;
}

ox_Status ox_image_save(ox_VM *vm, const char *path, ox_ImageStats *stats) {
  API_CALL(vm);
  if (!path) return api_broken(vm, __func__, "the path is NULL", NULL);
  if (vm->run_depth > 0 || gc_is_collecting(vm->gc))
    return api_misuse(vm, "ox_image_save: images are saved by the host between its calls, not in "
                          "functions that a program runs");
  uint32_t mark = api_enter(vm);
  return api_leave(vm, mark, save(vm, path, stats), NULL);
}

/* ---- opening --------------------------------------------------------------------------------- */

typedef struct Opening {
  const char *path;
  ox_ImageConfig config;
  Image image;
  ImageError error;
  Refusal why;
  bool *taken; /* by function given */
} Opening;

static bool read_config(Opening *o, const ox_ImageConfig *given) {
  if (!given) return true;
  if (given->size < offsetof(ox_ImageConfig, config) || given->size > sizeof o->config) {
    api_refuse(&o->why, "the size of the ox_ImageConfig is not set");
    return false;
  }
  memcpy(&o->config, given, given->size);
  return true;
}

static bool make_taken(Opening *o) {
  size_t n = 0;
  while (o->config.functions && o->config.functions[n].signature) n++;
  o->taken = calloc(n + 1, sizeof *o->taken);
  if (!o->taken) api_refuse(&o->why, "there is no memory to open it");
  return o->taken != NULL;
}

/* Contexts that no function of the VM owns are given back. */
static void drop_contexts(Opening *o, const ox_ImageFunction *f) {
  for (size_t i = 0; f && f[i].signature; i++)
    if (f[i].finalize && !(o->taken && o->taken[i])) f[i].finalize(f[i].context);
}

static bool take_error(Opening *o) {
  api_refuse(&o->why, "%s", o->error.text);
  return false;
}

static bool may_do(Opening *o) {
  static const char *const names[] = {"OX_CAN_READ",  "OX_CAN_WRITE", "OX_CAN_RUN",   "OX_CAN_ENV",
                                      "OX_CAN_STDIO", "OX_CAN_CLOCK", "OX_CAN_IMPORT",
                                      "OX_CAN_TASKS"};
  uint64_t has = o->image.head.words[IMAGE_WORD_CAPABILITIES];
  uint64_t more = has & ~(uint64_t)(o->config.config ? o->config.config->capabilities : OX_CAN_ALL);
  if (!more) return true;
  unsigned first = (unsigned)__builtin_ctzll(more);
  api_refuse(&o->why,
             "it was saved by a VM that had the capability %s, which this one has not; save it "
             "from a VM with the same capabilities",
             first < sizeof names / sizeof *names ? names[first] : "of a newer version");
  return false;
}

static bool open_file(Opening *o) {
  ox_ImageCheck check = o->config.check;
  if (!vm_image_open(&o->image, o->path, &o->error)) return take_error(o);
  if (check == OX_IMAGE_CHECK_AUTO && o->image.head.file_bytes <= CHECKED_ALWAYS)
    check = OX_IMAGE_CHECK_PAGES;
  if (check >= OX_IMAGE_CHECK_PAGES && !image_check_pages(&o->image, &o->error))
    return take_error(o);
  return may_do(o);
}

/* The host's functions that the notes speak of. */
typedef struct Noted {
  uint16_t min, max, flags;
  bool is_there, is_used;
} Noted;

typedef struct NotedAll {
  Noted *all;
  uint32_t count;
  const char *wrong;
  uint64_t where;
  uint8_t *cage;
} NotedAll;

static bool read_noted(NotesReader *r, Noted *n) {
  uint32_t length, role = read_number(r);
  if (!role) return !r->bad;
  read_number(r);
  const char *signature = read_text(r, &length);
  char *text = r->bad ? NULL : calloc(1, (size_t)length + 1);
  Signature sig;
  if (!text) return false;
  memcpy(text, signature, length);
  signature_parse(text, &sig);
  *n = (Noted){(uint16_t)sig.required, sig.rest ? UINT16_MAX : (uint16_t)sig.count,
               (uint16_t)sig.named, !sig.malformed, false};
  free(text);
  read_text(r, &length);
  return !r->bad && n->is_there;
}

static void check_native(void *ctx, void *block, uint64_t words) {
  NotedAll *a = ctx;
  const Native *native = block;
  (void)words;
  if (a->wrong || native->h.kind != KIND_NATIVE || native->h.aux < NATIVE_HOST) return;
  uint32_t number = native->h.aux - NATIVE_HOST;
  Noted *n = number < a->count ? a->all + number : NULL;
  a->where = gc_word(a->cage, block);
  if (!n || !n->is_there) a->wrong = "a function of the host that its notes have not";
  else if (n->is_used) a->wrong = "two functions of the host that are one";
  else if (native->min != n->min || native->max != n->max || native->flags != n->flags)
    a->wrong = "a function of the host with other parameters";
  else n->is_used = true;
}

/* Functions of the host go by number: each that is there has its note. */
static const char *prove_natives(Opening *o, ox_VM *vm, uint64_t *where) {
  uint64_t bytes;
  uint32_t length;
  const uint8_t *notes = image_section(&o->image, IMAGE_NOTES, &bytes);
  NotesReader r = {notes, notes + bytes, false};
  for (uint32_t types = read_number(&r); types > 0 && !r.bad; types--) read_text(&r, &length);
  NotedAll a = {.count = read_number(&r), .cage = vm->cage};
  if (r.bad || a.count > bytes) return "its notes are damaged";
  if (!(a.all = calloc(a.count + 1ull, sizeof *a.all))) return "there is no memory to check it";
  for (uint32_t i = 0; i < a.count && !a.wrong; i++)
    if (!read_noted(&r, a.all + i)) a.wrong = "its notes are damaged";
  gc_each(vm->gc, check_native, &a);
  free(a.all);
  *where = a.where;
  return a.wrong;
}

static bool prove(Opening *o, ox_VM *vm) {
  uint64_t where = 0;
  const char *wrong = vm_image_check(vm, &o->image, &where);
  if (!wrong) wrong = prove_natives(o, vm, &where);
  if (wrong)
    api_refuse(&o->why, "its structure is damaged: %s (word %llu of its heap); do not use it",
               wrong, (unsigned long long)where);
  return !wrong;
}

static ox_VM *make_vm(void *ctx, const VmConfig *config) {
  Opening *o = ctx;
  ox_VM *vm = vm_image_new(&o->image, config, &o->error);
  if (!vm) {
    take_error(o);
    return NULL;
  }
  if (o->config.check == OX_IMAGE_CHECK_ALL && !prove(o, vm)) {
    vm_forget(vm);
    return NULL;
  }
  vm_image_settle(vm, &o->image, config);
  return vm;
}

static bool take_notes(Opening *o, ox_VM *vm) {
  uint64_t n;
  const uint8_t *notes = image_section(&o->image, IMAGE_NOTES, &n);
  NotesReader r = {notes, notes + n, false};
  return api_take_types(api_of(vm), &r, o->config.types, &o->why) &&
         api_take_functions(vm, &r, o->config.functions, o->taken, &o->why);
}

static ox_VM *open_vm(Opening *o) {
  ox_VM *vm = make_taken(o) && open_file(o) ? api_new(o->config.config, make_vm, o) : NULL;
  if (!vm) return NULL;
  vm->st->spare[API_PINS] = 0;
  vm->st->spare[API_THROWN] = V_ABSENT;
  if (take_notes(o, vm)) return vm;
  ox_free(vm);
  return NULL;
}

static void say(const Opening *o, char *message, size_t room) {
  if (!message || !room) return;
  const char *why = *o->why.text ? o->why.text : "the configuration of the VM is refused";
  snprintf(message, room, "cannot open the image '%s': %s", o->path, why);
}

static void stats_of(const Opening *o, uint64_t start, ox_ImageStats *stats) {
  const ImageHeader *h = &o->image.head;
  ImageStats s = {h->file_bytes, h->pages, h->listed_pages,
                  h->sections[IMAGE_MAPS].bytes / sizeof(ImageMap), os_now_ns() - start};
  give_stats(stats, &s);
}

ox_VM *ox_image_open(const char *path, const ox_ImageConfig *config, ox_ImageStats *stats,
                     char *message, size_t room) {
  API_RULE(path, "the path is NULL");
  uint64_t start = os_now_ns();
  Opening *o = calloc(1, sizeof *o);
  if (!o) return NULL;
  o->path = path ? path : "";
  o->image.fd = -1;
  ox_VM *vm = read_config(o, config) ? open_vm(o) : NULL;
  if (vm) stats_of(o, start, stats);
  else say(o, message, room);
  drop_contexts(o, o->config.functions);
  image_close(&o->image);
  free(o->taken);
  free(o);
  return vm;
}

bool ox_image_verify(const char *path, ox_ImageStats *stats, char *message, size_t room) {
  API_RULE(path, "the path is NULL");
  uint64_t start = os_now_ns();
  Opening o = {
      .path = path ? path : "", .image = {.fd = -1}, .config = {.check = OX_IMAGE_CHECK_PAGES}};
  VmConfig config = {0};
  ox_VM *vm = open_file(&o) ? vm_image_new(&o.image, &config, &o.error) : NULL;
  if (!vm && !*o.why.text) take_error(&o);
  bool ok = vm && prove(&o, vm);
  if (vm) vm_forget(vm);
  if (ok) stats_of(&o, start, stats);
  else say(&o, message, room);
  image_close(&o.image);
  return ok;
}
