/* output.h - standard output of a VM: buffered, and held back while a transaction wants it so. */
#ifndef OX_RUNTIME_OUTPUT_H
#define OX_RUNTIME_OUTPUT_H

#include "vm.h"

/* From now on what is written is kept in the state of the program, so that a rollback undoes it,
 * until the output_commit that belongs to this call. They may be nested. */
void output_hold(ox_VM *vm);
/* False, with an error pending: there was no memory to hold all of it. Nothing is written then. */
bool output_commit(ox_VM *vm);
/* No transaction is under way any more, since the program was stopped: what is held is written. */
void output_finish(ox_VM *vm);

#endif
