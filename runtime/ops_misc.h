/* ops_misc.h - handlers: errors, fibers, modules. Included by interp.c only. */

OPCODE(THROW) { SLOW(throw); }
OPCODE(RETHROW) { SLOW(rethrow); }
OPCODE(DEFERRUN) { SLOW(deferrun); }
OPCODE(YIELD) { SLOW(yield); }
OPCODE(IMPORT) { SLOW(import); }
OPCODE(SETMOD) { SLOW(setmod); }
