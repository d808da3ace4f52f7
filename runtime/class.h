/* class.h - classes, instances, methods, fields. */
#ifndef OX_RUNTIME_CLASS_H
#define OX_RUNTIME_CLASS_H

#include "call.h"

/* Calls the class in R[at]: makes an instance, sets its computed defaults, calls init. */
bool class_construct(ox_VM *vm, unsigned at, unsigned nargs, const Named *named, uint64_t ret);
/* A %fields method has returned: the next one, then init. */
bool class_fields_done(ox_VM *vm, uint64_t link, Value *N);

/* A method of a class by interned name, V_ABSENT if there is none. */
Value class_method(ox_VM *vm, Class *c, Value name);
/* Slot of a field, -1: no such field. */
int class_field(ox_VM *vm, Class *c, Value name);
bool class_is(ox_VM *vm, Value cls, Value ancestor); /* itself or below it */
static inline Class *as_class(ox_VM *vm, Value v) { return (Class *)vm_deref(vm, v); }
/* A method bound to its receiver. Rooted. */
Value bound_new(ox_VM *vm, Value method, Value self);

/* Whether a function can be a class's %fields method, which is given self and nothing else. */
bool class_is_initialiser(ox_VM *vm, Value method);
/* FAST_* that a Native of a builtin with this number may have. */
uint16_t class_fast_method(uint32_t number);

#endif
