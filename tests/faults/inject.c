// inject.c - the functions that stand before those that give out memory.
#include "inject.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/heap.h"
#include "gc/os.h"

Inject inject;

// Programs may have tasks, which are threads.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// ---------------------------------------------------------------------------------------------
// Points

void inject_arm(uint64_t fail_at, bool persist) {
  size_t live = inject.live;
  inject = (Inject){.fail_at = fail_at, .persist = persist, .armed = true, .live = live};
}

void inject_disarm(void) { inject.armed = false; }

static bool is_due(Kind kind) {
  if (!inject.armed) return false;
  uint64_t n = ++inject.points;
  inject.kinds[kind]++;
  if (inject.fail_at == 0 || n < inject.fail_at || (n > inject.fail_at && !inject.persist))
    return false;
  inject.failures++;
  return true;
}

static bool fails(Kind kind) {
  pthread_mutex_lock(&lock);
  bool due = is_due(kind);
  pthread_mutex_unlock(&lock);
  return due;
}

// ---------------------------------------------------------------------------------------------
// Live blocks: a set of addresses, open addressing. The addresses are inverted, so that
// LeakSanitizer does not take the set for an owner. C libraries free blocks of ours and we free
// blocks of theirs: addresses that are not in the set are none of its business.

enum { SET_SLOTS = 1 << 20 };
static uintptr_t set[SET_SLOTS];

static size_t slot_of(const void *block) {
  return ((uintptr_t)block >> 4) * 0x9E3779B97F4A7C15u >> 44;
}

static size_t find(const void *block) {
  size_t i = slot_of(block);
  while (set[i] && set[i] != ~(uintptr_t)block) i = (i + 1) % SET_SLOTS;
  return i;
}

static void *enter(void *block) {
  if (!block) return NULL;
  pthread_mutex_lock(&lock);
  size_t i = find(block);
  if (!set[i]) inject.live++;
  set[i] = ~(uintptr_t)block;
  if (inject.live > SET_SLOTS / 2) abort();
  pthread_mutex_unlock(&lock);
  return block;
}

static void take_out(const void *block) {
  size_t hole = find(block);
  if (!set[hole]) return;
  inject.live--;
  set[hole] = 0;
  for (size_t i = (hole + 1) % SET_SLOTS; set[i]; i = (i + 1) % SET_SLOTS) {
    size_t home = slot_of((void *)~set[i]);
    if ((i - home) % SET_SLOTS < (i - hole) % SET_SLOTS) continue;
    set[hole] = set[i];
    set[i] = 0;
    hole = i;
  }
}

static void leave(const void *block) {
  if (!block) return;
  pthread_mutex_lock(&lock);
  take_out(block);
  pthread_mutex_unlock(&lock);
}

// ---------------------------------------------------------------------------------------------
// malloc and its kin

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);

void *__wrap_malloc(size_t size) {
  return fails(POINT_MALLOC) ? NULL : enter(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails(POINT_MALLOC) ? NULL : enter(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size) {
  if (fails(POINT_MALLOC)) return NULL;
  leave(block);
  void *moved = __real_realloc(block, size);
  enter(moved ? moved : block);
  return moved;
}

char *__wrap_strdup(const char *text) {
  return fails(POINT_MALLOC) ? NULL : enter(__real_strdup(text));
}

void __wrap_free(void *block) {
  leave(block);
  __real_free(block);
}

int __wrap_asprintf(char **text, const char *format, ...) {
  if (fails(POINT_MALLOC)) return -1;
  va_list args;
  va_start(args, format);
  int n = vasprintf(text, format, args);
  va_end(args);
  if (n >= 0) enter(*text);
  return n;
}

// ---------------------------------------------------------------------------------------------
// The heap and the system below it

void *__real_gc_alloc(Gc *gc, uint64_t words, unsigned space);
void *__real_gc_alloc_nocollect(Gc *gc, uint64_t words, unsigned space);
bool __real_gc_add_final(Gc *gc, Ref object);
bool __real_gc_external(Gc *gc, int64_t bytes);
bool __real_slab_refill(Gc *gc, unsigned run, bool single);
bool __real_os_commit(Os *os, void *at, uint64_t bytes);
bool __real_os_populate(Os *os, void *at, uint64_t bytes);
void *__real_os_reserve(Os *os, uint64_t bytes, uint64_t align);
void *__real_os_map(Os *os, uint64_t bytes);

void *__wrap_gc_alloc(Gc *gc, uint64_t words, unsigned space) {
  return fails(POINT_HEAP) ? NULL : __real_gc_alloc(gc, words, space);
}

void *__wrap_gc_alloc_nocollect(Gc *gc, uint64_t words, unsigned space) {
  return fails(POINT_HEAP) ? NULL : __real_gc_alloc_nocollect(gc, words, space);
}

bool __wrap_gc_add_final(Gc *gc, Ref object) {
  return !fails(POINT_HEAP) && __real_gc_add_final(gc, object);
}

bool __wrap_gc_external(Gc *gc, int64_t bytes) {
  return !(bytes > 0 && fails(POINT_HEAP)) && __real_gc_external(gc, bytes);
}

bool __wrap_slab_refill(Gc *gc, unsigned run, bool single) {
  (void)single;
  return __real_slab_refill(gc, run, true);
}

bool __wrap_os_commit(Os *os, void *at, uint64_t bytes) {
  return !fails(POINT_SYSTEM) && __real_os_commit(os, at, bytes);
}

bool __wrap_os_populate(Os *os, void *at, uint64_t bytes) {
  return !fails(POINT_SYSTEM) && __real_os_populate(os, at, bytes);
}

void *__wrap_os_reserve(Os *os, uint64_t bytes, uint64_t align) {
  return fails(POINT_SYSTEM) ? NULL : __real_os_reserve(os, bytes, align);
}

void *__wrap_os_map(Os *os, uint64_t bytes) {
  return fails(POINT_SYSTEM) ? NULL : __real_os_map(os, bytes);
}

// ---------------------------------------------------------------------------------------------
// What C libraries make for us

struct __dirstream;
FILE *__real_fopen(const char *path, const char *mode);
struct __dirstream *__real_opendir(const char *path);
struct __dirstream *__real_fdopendir(int fd);

FILE *__wrap_fopen(const char *path, const char *mode) {
  return fails(POINT_LIBRARY) ? NULL : __real_fopen(path, mode);
}

struct __dirstream *__wrap_opendir(const char *path) {
  return fails(POINT_LIBRARY) ? NULL : __real_opendir(path);
}

struct __dirstream *__wrap_fdopendir(int fd) {
  return fails(POINT_LIBRARY) ? NULL : __real_fdopendir(fd);
}

#ifdef HAVE_PCRE2
void *__real_pcre2_match_data_create_from_pattern_8(const void *code, void *context);
void *__real_pcre2_match_context_create_8(void *context);
void *__real_pcre2_general_context_create_8(void *(*get)(size_t, void *),
                                            void (*give)(void *, void *), void *data);

void *__wrap_pcre2_match_data_create_from_pattern_8(const void *code, void *context) {
  if (fails(POINT_LIBRARY)) return NULL;
  return __real_pcre2_match_data_create_from_pattern_8(code, context);
}

void *__wrap_pcre2_match_context_create_8(void *context) {
  return fails(POINT_LIBRARY) ? NULL : __real_pcre2_match_context_create_8(context);
}

void *__wrap_pcre2_general_context_create_8(void *(*get)(size_t, void *),
                                            void (*give)(void *, void *), void *data) {
  if (fails(POINT_LIBRARY)) return NULL;
  return __real_pcre2_general_context_create_8(get, give, data);
}
#endif
