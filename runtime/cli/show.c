/* show.c - the `oxbow` command: how the prompt shows a value.
 *
 * As a literal, like `print` would inside of a list, but with limits, since a person reads it: of
 * long lists, maps, sets and strings the beginning is shown and how much is left, nesting ends
 * after some levels, a container inside of itself is [...] or {...}. What fits on the line stands
 * on it; else a list of scalars fills lines, and other containers have one element on each.
 *
 * A container is first written flat, giving up as soon as it is wider than the room that is left;
 * only then is it broken, and its elements are tried the same way. So a value costs at most the
 * width of the terminal for each element and level shown. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"

enum {
  MAX_ITEMS = 100,    /* of a container that are shown */
  MAX_LINES = 40,     /* the same, where each has a line */
  MAX_INNER_LINES = 12, /* and inside of another container */
  MAX_NODES = 2000,   /* values shown in all */
  MAX_NESTING = 8,
  MAX_STRING = 1000,  /* bytes of a string, at the outside */
  MAX_INNER = 200,    /* and inside of a container */
  MAX_OTHER = 4000,   /* bytes of what anything else says of itself */
  INDENT = 2
};

typedef struct Shower {
  ox_VM *vm;
  char *text;
  size_t length, room;
  bool failed;
  int width, nodes, depth;
  ox_Value path[MAX_NESTING]; /* the containers that we are in */
} Shower;

/* What a list, map or set looks like, and how far it has been walked. */
typedef struct Walk {
  ox_Value container;
  ox_Type type;
  int64_t count, done, limit;
  uint32_t position;
  const char *open, *close;
} Walk;

/* ---- text ------------------------------------------------------------------------------------ */

static void put(Shower *s, const char *text, size_t n) {
  if (s->length + n + 1 > s->room) {
    size_t room = (s->length + n + 1) * 2;
    char *more = realloc(s->text, room);
    if (!more) s->failed = true;
    if (!more) return;
    s->text = more;
    s->room = room;
  }
  memcpy(s->text + s->length, text, n);
  s->length += n;
}

static void puts_to(Shower *s, const char *text) { put(s, text, strlen(text)); }

static void put_count(Shower *s, int64_t count, const char *what) {
  char text[64];
  snprintf(text, sizeof text, "... %lld more%s%s", (long long)count, *what ? " " : "", what);
  puts_to(s, text);
}

static void put_line(Shower *s, int indent) {
  puts_to(s, "\n");
  for (int i = 0; i < indent; i++) puts_to(s, " ");
}

/* Code points from here to the end. */
static int width_since(const Shower *s, size_t from) {
  int n = 0;
  for (size_t i = from; i < s->length; i++) n += ((unsigned char)s->text[i] & 0xC0) != 0x80;
  return n;
}

/* At most `limit` bytes, whole code points. */
static size_t cut(const char *text, size_t length, size_t limit) {
  if (length <= limit) return length;
  while (limit > 0 && ((unsigned char)text[limit] & 0xC0) == 0x80) limit--;
  return limit;
}

/* ---- what has no elements -------------------------------------------------------------------- */

static void put_shown(Shower *s, ox_Value value, size_t limit) {
  size_t length;
  ox_Value shown = ox_show(s->vm, value, true);
  const char *text = ox_is_none(shown) ? NULL : ox_as_string(s->vm, shown, &length);
  s->failed = s->failed || !text;
  if (!text) return;
  size_t n = cut(text, length, limit);
  put(s, text, n);
  if (n < length) put_count(s, (int64_t)(length - n), "bytes");
}

static void put_string(Shower *s, ox_Value value) {
  size_t length, limit = s->depth ? MAX_INNER : MAX_STRING;
  const char *text = ox_as_string(s->vm, value, &length);
  size_t n = text ? cut(text, length, limit) : 0;
  if (text && n < length) value = ox_string(s->vm, text, n);
  put_shown(s, value, SIZE_MAX);
  if (text && n < length) put_count(s, (int64_t)(length - n), "bytes");
}

/* A key as a map literal has it: without quotes where it is a plain name. */
static void put_key(Shower *s, ox_Value key) {
  size_t length;
  const char *text = ox_type(key) == OX_TYPE_STRING ? ox_as_string(s->vm, key, &length) : NULL;
  if (!text || length > MAX_INNER) {
    put_shown(s, key, MAX_OTHER);
    return;
  }
  ox_Value map = ox_map(s->vm);
  size_t from = s->length;
  s->failed = s->failed || ox_set_index(s->vm, map, key, ox_nil()) != OX_OK;
  if (s->failed) return;
  put_shown(s, map, SIZE_MAX); /* {key: nil} */
  size_t n = s->length - from, ends = strlen("{") + strlen(": nil}");
  if (s->failed || n < ends) return;
  memmove(s->text + from, s->text + from + 1, n - ends);
  s->length -= ends;
}

/* ---- containers ------------------------------------------------------------------------------ */

static Walk walk_begin(const Shower *s, ox_Value container) {
  Walk w = {container, ox_type(container), ox_length(s->vm, container), 0, MAX_ITEMS, 0,
            "[", "]"};
  if (w.type == OX_TYPE_MAP) w.open = "{", w.close = "}";
  if (w.type == OX_TYPE_SET) w.open = "set.new([", w.close = "])";
  return w;
}

static void show(Shower *s, ox_Value value, int indent, int room);
static bool show_flat(Shower *s, ox_Value value, int room);

/* The next element: false where none is left, or none is to be shown. */
static bool walk_next(Shower *s, Walk *w, ox_Value *key, ox_Value *value) {
  if (w->done >= w->count || w->done >= w->limit || s->nodes >= MAX_NODES || s->failed)
    return false;
  *key = ox_none();
  if (w->type != OX_TYPE_LIST) {
    if (!ox_next(s->vm, w->container, &w->position, key, value)) return false;
    if (w->type == OX_TYPE_SET) *value = *key, *key = ox_none();
  } else if (ox_index(s->vm, w->container, ox_int(s->vm, w->done), value) != OX_OK) {
    return false; /* a method of an element has shortened the list meanwhile */
  }
  w->done++;
  s->nodes++;
  return true;
}

static bool is_container(ox_Value value) {
  ox_Type type = ox_type(value);
  return type == OX_TYPE_LIST || type == OX_TYPE_MAP || type == OX_TYPE_SET;
}

static bool is_in_path(const Shower *s, ox_Value value) {
  for (int i = 0; i < s->depth; i++)
    if (s->path[i].bits == value.bits) return true;
  return false;
}

/* Containers that are not walked: empty, around themselves, too deep. */
static bool put_closed(Shower *s, ox_Value value) {
  Walk w = walk_begin(s, value);
  bool around = is_in_path(s, value), deep = s->depth == MAX_NESTING || s->nodes >= MAX_NODES;
  if (w.count > 0 && !around && !deep) return false;
  puts_to(s, w.open);
  if (around) puts_to(s, "...");
  else if (w.count > 0) put_count(s, w.count, "");
  puts_to(s, w.close);
  return true;
}

/* Elements on one line. False: it would be wider than the room. */
static bool show_elements(Shower *s, Walk *w, size_t from, int room) {
  ox_Value key, value;
  bool fits = true;
  while (fits && walk_next(s, w, &key, &value)) {
    if (w->done > 1) puts_to(s, ", ");
    if (!ox_is_none(key)) put_key(s, key), puts_to(s, ": ");
    fits = show_flat(s, value, room - width_since(s, from)) && width_since(s, from) <= room;
  }
  if (w->done < w->count) puts_to(s, ", "), put_count(s, w->count - w->done, "");
  return fits;
}

static bool show_flat(Shower *s, ox_Value value, int room) {
  size_t from = s->length;
  if (room < 0) return false;
  if (!is_container(value)) {
    if (ox_type(value) == OX_TYPE_STRING) put_string(s, value);
    else put_shown(s, value, MAX_OTHER);
  } else if (!put_closed(s, value)) {
    Walk w = walk_begin(s, value);
    s->path[s->depth++] = value;
    puts_to(s, w.open);
    bool fits = show_elements(s, &w, from, room);
    s->depth--;
    puts_to(s, w.close);
    if (!fits) return false;
  }
  return width_since(s, from) <= room;
}

/* One element on each line. */
static void show_broken(Shower *s, Walk *w, int indent) {
  ox_Value key, value;
  w->limit = s->depth > 1 ? MAX_INNER_LINES : MAX_LINES;
  while (walk_next(s, w, &key, &value)) {
    size_t from = s->length + 1;
    if (w->done > 1) puts_to(s, ",");
    put_line(s, indent + INDENT);
    if (!ox_is_none(key)) put_key(s, key), puts_to(s, ": ");
    int used = ox_is_none(key) ? indent + INDENT : width_since(s, from);
    show(s, value, indent + INDENT, s->width - used - 1);
  }
}

/* As many elements on each line as there is room for. */
static void show_filled(Shower *s, Walk *w, int indent) {
  ox_Value key, value;
  int used = s->width; /* columns of the line */
  while (walk_next(s, w, &key, &value)) {
    size_t from = s->length;
    put_shown(s, value, MAX_OTHER);
    int width = width_since(s, from);
    bool fits = used + 2 + width < s->width;
    s->length = from;
    if (w->done > 1) puts_to(s, fits ? ", " : ",");
    if (!fits) put_line(s, indent + INDENT);
    used = (fits ? used + 2 : indent + INDENT) + width;
    put_shown(s, value, MAX_OTHER);
  }
}

static bool is_number(ox_Value value) {
  ox_Type type = ox_type(value);
  return type == OX_TYPE_INT || type == OX_TYPE_FLOAT || type == OX_TYPE_BOOL ||
         type == OX_TYPE_NIL;
}

static bool are_numbers(Shower *s, ox_Value value) {
  Walk w = walk_begin(s, value);
  ox_Value key, element;
  int nodes = s->nodes;
  bool numbers = w.type != OX_TYPE_MAP;
  while (numbers && walk_next(s, &w, &key, &element)) numbers = is_number(element);
  s->nodes = nodes;
  return numbers;
}

/* Shows a value that begins at some column with `room` left on its line. */
static void show(Shower *s, ox_Value value, int indent, int room) {
  size_t from = s->length;
  int nodes = s->nodes;
  if (s->failed || show_flat(s, value, room) || !is_container(value) || s->failed) return;
  s->length = from;
  s->nodes = nodes;
  if (put_closed(s, value)) return;
  bool numbers = are_numbers(s, value);
  Walk w = walk_begin(s, value);
  s->path[s->depth++] = value;
  puts_to(s, w.open);
  if (numbers) show_filled(s, &w, indent);
  else show_broken(s, &w, indent);
  if (w.done < w.count) {
    puts_to(s, ",");
    put_line(s, indent + INDENT);
    put_count(s, w.count - w.done, "");
  }
  s->depth--;
  put_line(s, indent);
  puts_to(s, w.close);
}

static int terminal_width(void) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col < 20 ? 20 : size.ws_col;
}

char *show_for_people(ox_VM *vm, ox_Value value, size_t *length) {
  Shower s = {.vm = vm, .width = terminal_width()};
  show(&s, value, 0, s.width);
  *length = s.length;
  if (!s.failed) return s.text;
  free(s.text);
  return NULL;
}
