/* final.h - the objects that want to be told of their death. */
#ifndef OX_GC_FINAL_H
#define OX_GC_FINAL_H

#include "state.h"

/* Keeps the list itself alive: before draining the roots. */
void final_mark_list(Gc *gc);
/* A snapshot has been taken: what is registered is part of it, and reachable even for a collection
 * that has begun before and has marked its roots. */
void final_revive(Gc *gc);
/* After marking, before anything is swept: takes the unmarked objects off the list and reports
 * each. Only of those registered since the last collection, of all that are unmarked, or of all. */
typedef enum Finals { FINALS_YOUNG, FINALS_DEAD, FINALS_ALL } Finals;
void final_report(Gc *gc, Finals which);

#endif
