/* snapshot_diff.c - what differs between two states, for the prompt.
 *
 * The VM goes to the first state. What is reachable there and what is in the second one are found by
 * tracing both; of what is in the first, what is the same object with the same words in the second is
 * crossed off. A variable differs if its value does, or leads to something that is left. Then the VM
 * goes to the second state, for the variables that only that has. */
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "map.h"
#include "run.h"
#include "snapshot.h"
#include "str.h"

typedef struct Variable {
  char *name;
  Value value;
  bool differs, there; /* there: the second state has it as well */
} Variable;

typedef struct Diff {
  ox_VM *vm;
  Variable *all;
  uint32_t n;
  GcPastTrace *left; /* what differs */
} Diff;

/* The variables of the present state, with their names from malloc. */
static bool list_variables(Diff *d) {
  ox_VM *vm = d->vm;
  Map *m = as_map(vm, vm->st->global_names);
  uint32_t i = 0;
  Value key, index;
  d->all = calloc((size_t)m->live + 1, sizeof *d->all);
  while (d->all && map_next(vm, m, &i, &key, &index)) {
    int64_t at = v_int(index);
    String *name = string_flat(vm, key);
    Variable *v = &d->all[d->n];
    if (!name || !(v->name = strdup(name->chars))) return false;
    v->value = global_get(vm, (int)(at < 0 ? -1 - at : at));
    d->n++;
  }
  return d->all != NULL;
}

static GcSnapshotStatus trace_state(ox_VM *vm, GcSnapshot id, GcPastTrace **out) {
  uint64_t work = UINT64_MAX;
  *out = NULL;
  if (!gc_past_open(vm->gc, id)) return GC_SNAPSHOT_MEMORY;
  *out = gc_past_trace(vm->gc, &work);
  gc_past_close(vm->gc);
  return *out ? GC_SNAPSHOT_OK : GC_SNAPSHOT_MEMORY;
}

static GcSnapshotStatus compare(Diff *d, GcSnapshot b, GcPastDiff *out) {
  uint64_t work = UINT64_MAX;
  if (!gc_past_open(d->vm->gc, b)) return GC_SNAPSHOT_MEMORY;
  GcPastTrace *there = gc_past_trace(d->vm->gc, &work);
  if (there) gc_past_compare(d->vm->gc, d->left, there, out);
  gc_past_trace_free(there);
  gc_past_close(d->vm->gc);
  return there ? GC_SNAPSHOT_OK : GC_SNAPSHOT_MEMORY;
}

/* Which variables lead to something that is left. One that cannot be told counts as one that does. */
static void follow_variables(Diff *d, GcSnapshot a) {
  if (!gc_past_open(d->vm->gc, a)) return;
  for (uint32_t i = 0; i < d->n; i++) {
    uint64_t work = UINT64_MAX;
    if (!v_is_ref(d->all[i].value)) continue;
    GcPastTrace *t = gc_past_trace_from(d->vm->gc, &d->all[i].value, 1, &work);
    d->all[i].differs = !t || gc_past_meet(t, d->left);
    gc_past_trace_free(t);
  }
  gc_past_close(d->vm->gc);
}

static Variable *find(Diff *d, const char *name) {
  for (uint32_t i = 0; i < d->n; i++)
    if (strcmp(d->all[i].name, name) == 0) return &d->all[i];
  return NULL;
}

static void tell(Diff *first, const Diff *second, const SnapshotNames *names) {
  for (uint32_t i = 0; i < second->n; i++) {
    Variable *v = find(first, second->all[i].name);
    if (v) v->there = true;
    if (!v) names->name(names->ctx, second->all[i].name, 1);
    else if (v->differs || v->value != second->all[i].value) names->name(names->ctx, v->name, 0);
  }
  for (uint32_t i = 0; i < first->n; i++)
    if (!first->all[i].there) names->name(names->ctx, first->all[i].name, -1);
}

static void diff_end(Diff *d) {
  for (uint32_t i = 0; i < d->n; i++) free(d->all[i].name);
  free(d->all);
  gc_past_trace_free(d->left);
}

GcSnapshotStatus vm_snapshot_diff(ox_VM *vm, GcSnapshot a, GcSnapshot b, GcPastDiff *out,
                                  const SnapshotNames *names) {
  Diff first = {.vm = vm}, second = {.vm = vm};
  GcSnapshotStatus status = gc_snapshot_status(vm->gc, b);
  if (status == GC_SNAPSHOT_OK) status = vm_restore(vm, a);
  if (status == GC_SNAPSHOT_OK) status = trace_state(vm, a, &first.left);
  if (status == GC_SNAPSHOT_OK && !list_variables(&first)) status = GC_SNAPSHOT_MEMORY;
  if (status == GC_SNAPSHOT_OK) status = compare(&first, b, out);
  if (status == GC_SNAPSHOT_OK) follow_variables(&first, a);
  if (status == GC_SNAPSHOT_OK) status = vm_restore(vm, b);
  if (status == GC_SNAPSHOT_OK && !list_variables(&second)) status = GC_SNAPSHOT_MEMORY;
  if (status == GC_SNAPSHOT_OK) tell(&first, &second, names);
  diff_end(&first);
  diff_end(&second);
  return status;
}
