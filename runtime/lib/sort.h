/* sort.h - the stable sort of lists. */
#ifndef OX_RUNTIME_LIB_SORT_H
#define OX_RUNTIME_LIB_SORT_H

#include "../vm.h"

/* Sorts a list in place by the order of value_compare, nan last. False: error pending (no order,
 * the list was changed meanwhile, memory); the list then has its elements as they were. */
bool sort_list(ox_VM *vm, Value list);
/* The same by keys: keys[i] belongs to list[i]. */
bool sort_list_by(ox_VM *vm, Value list, Value keys);
/* Puts the items of a list of the same length into `list`; throws if `list` has another by now. */
bool sort_put_back(ox_VM *vm, Value list, Value items);

#endif
