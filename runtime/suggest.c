/* suggest.c - the nearest of some names, by edit distance and by what other languages say. */
#include "suggest.h"

#include "../lang/distance.h"
#include "map.h"

_Static_assert((int)SUGGEST_MAX <= (int)DISTANCE_MAX_LEN, "names fit the rows of distance_edit");

void suggest_init(Suggest *s, const String *wanted) {
  memset(s, 0, sizeof *s);
  if (wanted == NULL || wanted->h.aux == 0 || wanted->h.aux >= SUGGEST_MAX) return;
  s->len = wanted->h.aux;
  memcpy(s->wanted, wanted->chars, s->len); /* the NUL behind it is there already */
  s->distance = UINT32_MAX;
}

/* Members and modules under the names that other languages have for them. */
static bool is_alias(const char *wanted, const char *name) {
  static const char *const aliases[][2] = {
      {"append", "push"},       {"add", "push"},           {"add", "insert"},
      {"length", "len"},        {"size", "len"},           {"count", "len"},
      {"strip", "trim"},        {"lstrip", "trim_start"},  {"rstrip", "trim_end"},
      {"startswith", "starts_with"}, {"startsWith", "starts_with"},
      {"endswith", "ends_with"}, {"endsWith", "ends_with"},
      {"toUpperCase", "upper"}, {"toLowerCase", "lower"},
      {"indexOf", "index_of"},  {"index", "index_of"},     {"find", "index_of"},
      {"capitalize", "title"},  {"splitlines", "lines"},   {"encode", "bytes"},
      {"zfill", "pad_start"},   {"rjust", "pad_start"},    {"ljust", "pad_end"},
      {"padStart", "pad_start"}, {"padEnd", "pad_end"},    {"index", "find"},
      {"includes", "contains"}, {"has", "contains"},       {"has_key", "contains"},
      {"has_key", "has"},       {"contains", "has"},       {"includes", "has"},
      {"shift", "remove"},      {"delete", "remove"},      {"discard", "remove"},
      {"pop", "remove"},
      {"update", "merge"},      {"forEach", "each"},       {"concat", "extend"},
      {"randint", "int"},       {"randrange", "int"},      {"uniform", "float"},
      {"loads", "parse"},       {"dumps", "stringify"},    {"time", "now"},
      {"perf_counter", "monotonic"}, {"strftime", "format"}, {"strptime", "parse"},
      {"getenv", "env"},        {"environ", "env"},
      {"sys", "os"},            {"re", "regex"},           {"subprocess", "process"},
      {"datetime", "time"},     {"pathlib", "path"},       {"shutil", "fs"},
  };
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
    if (!strcmp(wanted, aliases[i][0]) && !strcmp(name, aliases[i][1])) return true;
  return false;
}

static bool is_same_but_for_case(const char *a, uint32_t a_len, const char *b, uint32_t b_len) {
  if (a_len != b_len) return false;
  for (uint32_t i = 0; i < a_len; i++) {
    bool are_letters = ((a[i] | 0x20) >= 'a' && (a[i] | 0x20) <= 'z');
    if (a[i] != b[i] && !(are_letters && (a[i] ^ b[i]) == 0x20)) return false;
  }
  return true;
}

/* 0: another language's word for it; 1: only capitals differ. */
static unsigned distance_to(const Suggest *s, const String *name) {
  if (is_alias(s->wanted, name->chars)) return 0;
  if (is_same_but_for_case(s->wanted, s->len, name->chars, name->h.aux)) return 1;
  return distance_edit(s->wanted, s->len, name->chars, name->h.aux);
}

void suggest_try(Suggest *s, const String *name) {
  if (s->len == 0 || name == NULL || name->h.aux == 0 || name->h.aux >= SUGGEST_MAX) return;
  if (name->chars[0] == '%') return; /* hidden ones */
  unsigned d = distance_to(s, name);
  unsigned longest = s->len > name->h.aux ? s->len : name->h.aux;
  if (3 * d > longest + 1 || d >= s->distance) return;
  s->distance = d;
  s->best_len = name->h.aux;
  memcpy(s->best, name->chars, s->best_len);
}

void suggest_keys(ox_VM *vm, Suggest *s, Value map) {
  Map *m = as_map(vm, map);
  uint32_t i = 0;
  Value key, value;
  while (map_next(vm, m, &i, &key, &value))
    if (v_is_string(key)) suggest_try(s, string_flat(vm, key));
}

void suggest_add(const Suggest *s, Buf *b) {
  if (s->best_len == 0) return;
  buf_puts(b, ", did you mean `");
  buf_add(b, s->best, s->best_len);
  buf_puts(b, "`?");
}
