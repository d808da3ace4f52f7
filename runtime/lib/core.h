/* core.h - functions that stand in more than one table. */
#ifndef OX_RUNTIME_LIB_CORE_H
#define OX_RUNTIME_LIB_CORE_H

#include "../vm.h"

Value core_enumerate(ox_VM *vm, Value *args, int nargs);
Value core_zip(ox_VM *vm, Value *args, int nargs);
Value core_sum(ox_VM *vm, Value *args, int nargs);
Value core_list_min(ox_VM *vm, Value *args, int nargs); /* (list, key) */
Value core_list_max(ox_VM *vm, Value *args, int nargs);
Value list_join(ox_VM *vm, Value *args, int nargs);     /* (iterable, separator) */

#endif
