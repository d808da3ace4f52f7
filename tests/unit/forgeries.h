/* forgeries.h - images that lie with right checksums: a live VM's objects are changed by hand, and it is
 * saved. */
#ifndef OX_TEST_FORGERIES_H
#define OX_TEST_FORGERIES_H

#include <criterion/criterion.h>
#include <oxbow.h>
#include <string.h>

/* says: a part of the message with which the proof refuses it; NULL: it is true, and passes. */
typedef struct Forgery {
  const char *name;
  void (*edit)(ox_VM *vm);
  const char *says;
} Forgery;

/* Saves what a program made and `edit` changed. */
static inline void forge(const char *path, const char *program, void (*edit)(ox_VM *vm)) {
  ox_VM *vm = ox_new(NULL);
  ox_Value value;
  cr_assert_eq(ox_eval(vm, program, strlen(program), "test", &value), OX_OK, "%s",
               ox_error(vm) ? ox_error(vm)->report : "");
  ox_collect(vm);
  edit(vm);
  cr_assert_eq(ox_image_save(vm, path, NULL), OX_OK);
  ox_free(vm);
}

static inline void prove_forgery(const char *path, const char *program, const Forgery *f) {
  char message[600];
  forge(path, program, f->edit);
  bool ok = ox_image_verify(path, NULL, message, sizeof message);
  if (!f->says) cr_expect(ok, "%s: %s", f->name, message);
  else cr_expect(!ok && strstr(message, f->says), "%s: %s", f->name, ok ? "passes" : message);
}

#endif
