/* timeline.c - the prompt's memory: each piece of input is a transaction and can be undone.
 *
 * Before a piece runs, the state of the session is kept (ox_snapshot). If it fails, that state is
 * restored: an error or Ctrl-C leaves the session as it was before. If not, the snapshot stays, and
 * :undo goes back to it. What was undone can be redone until something else is typed.
 *
 *     states    before piece 1, before piece 2, ...      at: how many of the pieces are in force
 *     tip       the state after the last one, while some are undone
 *
 * Snapshots cost memory for the pages changed after each of them, so the oldest are let go beyond a
 * budget. Named ones (:snap) stay; :back is a piece like any other, so it can be undone, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MOST_STATES = 20000, MOST_NAMES = 1000 };
#define LOG_BUDGET ((uint64_t)1 << 30) /* at some 15 pages each, 17,000 short pieces */

typedef struct Named {
  char *name;
  ox_Snapshot state;
  int parent; /* the named state it grew from, -1: the beginning */
} Named;

struct Timeline {
  ox_VM *vm;
  ox_Snapshot *states, tip;
  size_t n, at, room;
  bool fresh; /* the last state was taken for the piece that runs */
  Named *names;
  int nnames, base; /* base: the named state that the present one grew from */
};

Timeline *timeline_new(ox_VM *vm) {
  Timeline *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->vm = vm;
  t->base = -1;
  return t;
}

void timeline_free(Timeline *t) {
  if (!t) return;
  for (int i = 0; i < t->nnames; i++) free(t->names[i].name);
  free(t->names);
  free(t->states);
  free(t);
}

/* ---- transactions ---------------------------------------------------------------------------- */

/* Forgets what could be redone. */
static void cut(Timeline *t, size_t n) {
  ox_release(t->vm, t->tip);
  t->tip = 0;
  while (t->n > n) ox_release(t->vm, t->states[--t->n]);
}

static void drop_oldest(Timeline *t, size_t n) {
  for (size_t i = 0; i < n; i++) ox_release(t->vm, t->states[i]);
  memmove(t->states, t->states + n, (t->n - n) * sizeof *t->states);
  t->n -= n;
  t->at -= n;
}

static bool over_budget(Timeline *t) {
  ox_SnapshotStats s = {.size = sizeof s};
  ox_Stats memory = {.size = sizeof memory};
  ox_snapshot_stats(t->vm, &s);
  ox_stats(t->vm, &memory);
  uint64_t budget = memory.limit_bytes / 4 < LOG_BUDGET ? memory.limit_bytes / 4 : LOG_BUDGET;
  return s.log_pages * 4096 > budget;
}

static bool make_room(Timeline *t) {
  if (t->n >= MOST_STATES) drop_oldest(t, t->n / 8);
  while (t->n > 0 && over_budget(t)) drop_oldest(t, t->n / 2 + t->n % 2);
  if (t->n < t->room) return true;
  size_t room = t->room ? 2 * t->room : 64;
  ox_Snapshot *states = realloc(t->states, room * sizeof *states);
  if (!states) return false;
  t->states = states;
  t->room = room;
  return true;
}

/* Without memory for it the session goes on, but cannot be undone further back. */
static void forget(Timeline *t) {
  cut(t, 0);
  t->at = 0;
}

void timeline_open(Timeline *t) {
  ox_Snapshot state;
  t->fresh = false;
  if (t->at < t->n) return; /* the state before is there: it is the present one */
  if (!make_room(t) || ox_snapshot(t->vm, &state) != OX_OK) {
    forget(t);
    return;
  }
  t->states[t->n++] = state;
  t->fresh = true;
}

/* Where there was no memory to open it, there is no state of before. */
void timeline_keep(Timeline *t) {
  if (t->n == 0) return;
  cut(t, t->at + 1);
  t->at = t->n;
}

void timeline_cancel(Timeline *t) {
  if (t->fresh) cut(t, t->n - 1);
  t->fresh = false;
}

void timeline_undo_piece(Timeline *t) {
  if (t->n == 0) return;
  if (ox_restore(t->vm, t->states[t->at]) != OX_OK) forget(t);
  else timeline_cancel(t);
}

/* ---- going back and forth -------------------------------------------------------------------- */

static bool go(Timeline *t, ox_Snapshot state) {
  if (ox_restore(t->vm, state) == OX_OK) return true;
  const ox_Error *error = ox_error(t->vm);
  fprintf(stderr, "cannot go there: %s\n", error ? error->message : "the state is gone");
  return false;
}

static bool read_count(const char *text, size_t *n) {
  char *end;
  *n = 1;
  if (!*text) return true;
  long count = strtol(text, &end, 10);
  if (*end || count < 1) return fprintf(stderr, "'%s' is no number of steps\n", text), false;
  *n = (size_t)count;
  return true;
}

static void say(const Timeline *t, const char *done, size_t n) {
  printf("%zu %s; %zu can be undone, %zu redone\n", n, done, t->at, t->n - t->at);
}

void timeline_undo(Timeline *t, const char *count) {
  size_t n;
  if (!read_count(count, &n)) return;
  if (t->at == 0) {
    fputs("there is nothing to undo\n", stderr);
    return;
  }
  if (n > t->at) n = t->at;
  if (t->at == t->n && ox_snapshot(t->vm, &t->tip) != OX_OK) t->tip = 0;
  if (!go(t, t->states[t->at - n])) {
    if (t->at == t->n) cut(t, t->n);
    return;
  }
  t->at -= n;
  if (!t->tip) cut(t, t->at + 1); /* no memory to come back */
  say(t, "undone", n);
}

void timeline_redo(Timeline *t, const char *count) {
  size_t n;
  if (!read_count(count, &n)) return;
  if (t->at == t->n) {
    fputs("there is nothing to redo\n", stderr);
    return;
  }
  if (n > t->n - t->at) n = t->n - t->at;
  if (!go(t, t->at + n == t->n ? t->tip : t->states[t->at + n])) return;
  t->at += n;
  if (t->at == t->n) {
    ox_release(t->vm, t->tip);
    t->tip = 0;
  }
  say(t, "redone", n);
}

/* ---- names ----------------------------------------------------------------------------------- */

static int find_name(const Timeline *t, const char *name) {
  for (int i = 0; i < t->nnames; i++)
    if (strcmp(t->names[i].name, name) == 0) return i;
  return -1;
}

static bool add_name(Timeline *t, const char *name, ox_Snapshot state) {
  Named *names = t->nnames < MOST_NAMES
                     ? realloc(t->names, ((size_t)t->nnames + 1) * sizeof *names)
                     : NULL;
  if (!names) return false;
  t->names = names;
  char *copy = strdup(name);
  if (!copy) return false;
  t->names[t->nnames] = (Named){copy, state, t->base};
  t->base = t->nnames++;
  return true;
}

void timeline_name(Timeline *t, const char *name) {
  ox_Snapshot state;
  if (!*name) {
    fputs(":snap needs a name: `:snap before`\n", stderr);
  } else if (strchr(name, ' ')) {
    fprintf(stderr, "the name of a state is one word, not '%s'\n", name);
  } else if (find_name(t, name) >= 0) {
    fprintf(stderr, "there is a state named '%s' already; :branches shows all\n", name);
  } else if (ox_snapshot(t->vm, &state) != OX_OK || !add_name(t, name, state)) {
    ox_release(t->vm, state);
    fputs("there is no memory to keep the state\n", stderr);
  } else {
    printf("`:back %s` returns to this state\n", name);
  }
}

void timeline_back(Timeline *t, const char *name) {
  int i = find_name(t, name);
  if (i < 0) {
    fprintf(stderr, *name ? "there is no state named '%s'; :branches shows all\n"
                          : ":back needs a name%s; :branches shows all\n", name);
    return;
  }
  timeline_open(t);
  if (!go(t, t->names[i].state)) return timeline_cancel(t);
  timeline_keep(t);
  t->base = i;
  printf("back at '%s'; :undo returns\n", name);
}

/* ---- what differs ---------------------------------------------------------------------------- */

enum { SHOWN_NAMES = 30 };
typedef struct Names {
  const char *first, *second;
  size_t n;
} Names;

static void show_name(void *context, const char *name, int how) {
  Names *names = context;
  const char *only = how < 0 ? names->first : names->second;
  if (names->n++ >= SHOWN_NAMES) return;
  if (how) printf("  %s: only in %s\n", name, only);
  else printf("  %s\n", name);
}

static void show_diff(const ox_SnapshotDiff *d, const Names *names) {
  if (names->n > SHOWN_NAMES) printf("  and %zu more names\n", names->n - SHOWN_NAMES);
  if (names->n == 0) printf("no name differs\n");
  printf("objects: %llu changed, %llu only in %s, %llu only in %s; pages: %llu\n",
         (unsigned long long)d->changed, (unsigned long long)d->first_only, names->first,
         (unsigned long long)d->second_only, names->second, (unsigned long long)d->pages);
}

/* A state of that name; "now" is the present one, kept for the comparison. */
static bool pick(Timeline *t, const char *name, ox_Snapshot now, ox_Snapshot *state) {
  int i = find_name(t, name);
  *state = i >= 0 ? t->names[i].state : now;
  if (i >= 0 || strcmp(name, "now") == 0) return true;
  fprintf(stderr, "there is no state named '%s'; :branches shows all\n", name);
  return false;
}

void timeline_diff(Timeline *t, const char *names) {
  char first[128] = "", second[128] = "now", rest[2];
  ox_Snapshot now, a, b;
  ox_SnapshotDiff diff = {.size = sizeof diff};
  int n = sscanf(names, "%127s %127s %1s", first, second, rest);
  if (n < 1 || n > 2) {
    fputs(":diff needs one name or two: `:diff before`, `:diff before after`\n", stderr);
    return;
  }
  if (ox_snapshot(t->vm, &now) != OX_OK) {
    fputs("there is no memory to compare states\n", stderr);
    return;
  }
  Names shown = {first, second, 0};
  if (pick(t, first, now, &a) && pick(t, second, now, &b)) {
    if (ox_snapshot_diff(t->vm, a, b, &diff, show_name, &shown) == OX_OK) show_diff(&diff, &shown);
    else fprintf(stderr, "cannot compare them: %s\n", ox_error(t->vm)->message);
    if (ox_restore(t->vm, now) != OX_OK) fputs("the present state is lost\n", stderr);
  }
  ox_release(t->vm, now);
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* Depth first; a name's children follow it. */
static void draw(const Timeline *t, int parent, int depth) {
  for (int i = 0; i < t->nnames; i++) {
    if (t->names[i].parent != parent) continue;
    printf("%*s%s%s\n", 3 * depth, "", t->names[i].name, t->base == i ? "   <- last used" : "");
    if (depth < MOST_NAMES) draw(t, i, depth + 1);
  }
}

void timeline_branches(const Timeline *t) {
  if (t->nnames == 0) printf("no state has a name yet; `:snap NAME` gives it one\n");
  else printf("the beginning%s\n", t->base < 0 ? "   <- last used" : "");
  draw(t, -1, 1);
}
