/* intern.h - the table of interned strings: each of them lives once per VM. */
#ifndef OX_RUNTIME_INTERN_H
#define OX_RUNTIME_INTERN_H

#include "vm.h"

bool intern_open(ox_VM *vm);
void intern_close(ox_VM *vm); /* what lies outside of the cage */

/* The interned string with these bytes, of which there are at least two, made where there is none.
 * Rooted; V_ERROR: error pending. */
Value intern_string(ox_VM *vm, const char *bytes, uint64_t n);

/* For the collector: marking is over; then, in slices, the dead are dropped (GcConfig.purge). */
void intern_begin_purge(ox_VM *vm);
bool intern_purge(ox_VM *vm, uint64_t places);

/* For checks: whether the table has this very string; what is wrong with the table, NULL: nothing. */
bool intern_has(ox_VM *vm, const String *s);
const char *intern_check(ox_VM *vm);
/* Calls fn for each part of a table that intern_check has not looked at yet. */
void intern_each_part(ox_VM *vm, void (*fn)(void *ctx, Value part), void *ctx);

#endif
