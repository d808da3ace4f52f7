// helpers.h - what the tests of the C API share. They see only oxbow.h.
#ifndef TESTS_API_HELPERS_H
#define TESTS_API_HELPERS_H

#include <criterion/criterion.h>
#include <oxbow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Collects what a VM prints.
typedef struct Output {
  char text[4096];
  size_t length;
} Output;

static inline void output_write(void *context, const char *bytes, size_t length) {
  Output *o = context;
  size_t room = sizeof o->text - 1 - o->length;
  if (length > room) length = room;
  memcpy(o->text + o->length, bytes, length);
  o->length += length;
  o->text[o->length] = 0;
}

static inline ox_VM *vm_printing_to(Output *output) {
  ox_Config config = ox_config();
  memset(output, 0, sizeof *output);
  config.write = output_write;
  config.context = output;
  ox_VM *vm = ox_new(&config);
  cr_assert_not_null(vm);
  return vm;
}

static inline ox_VM *vm_limited_to(uint64_t bytes) {
  ox_Config config = ox_config();
  config.memory_limit = bytes;
  ox_VM *vm = ox_new(&config);
  cr_assert_not_null(vm);
  return vm;
}

static inline ox_Status eval(ox_VM *vm, const char *text, ox_Value *out) {
  return ox_eval(vm, text, strlen(text), "test", out);
}

// Evaluates what must succeed.
static inline ox_Value value_of(ox_VM *vm, const char *text) {
  ox_Value value;
  ox_Status status = eval(vm, text, &value);
  cr_assert_eq(status, OX_OK, "%s: %s", text, status ? ox_error(vm)->report : "");
  return value;
}

static inline int64_t int_of(ox_VM *vm, const char *text) {
  ox_Value value = value_of(vm, text);
  cr_assert_eq(ox_type(value), OX_TYPE_INT, "%s is no int", text);
  return ox_as_int(vm, value);
}

static inline void assert_shows(ox_VM *vm, ox_Value value, const char *text) {
  const char *shown = ox_as_string(vm, ox_show(vm, value, true), NULL);
  cr_assert_str_eq(shown, text);
}

static inline void assert_text_has(const char *text, const char *part) {
  cr_assert_not_null(text);
  cr_assert_not_null(strstr(text, part), "'%s' lacks '%s'", text, part);
}

// Ends a test: the heap must be whole.
static inline void done(ox_VM *vm) {
  const char *damage = ox_verify(vm);
  cr_assert_null(damage, "heap damaged: %s", damage);
  ox_free(vm);
}

#endif
