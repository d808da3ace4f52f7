/* buddy.h - proof of the objects of the module `buddy` in an image that nobody vouches for. */
#ifndef OX_RUNTIME_LIB_BUDDY_H
#define OX_RUNTIME_LIB_BUDDY_H

#include "../vm.h"

/* An instance of buddy.Manager with all its slots: NULL, or what is wrong. Bytes must be known to fit
 * their blocks. */
const char *buddy_manager_check(ox_VM *vm, const Instance *manager);
/* The same for a buddy.Block; its manager, if it is one, must have been checked. */
const char *buddy_block_check(ox_VM *vm, const Instance *block);

#endif
