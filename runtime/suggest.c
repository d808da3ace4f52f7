/* suggest.c - edit distance with swaps of neighbours, row by row. */
#include "suggest.h"

#include "map.h"

void suggest_init(Suggest *s, const String *wanted) {
  memset(s, 0, sizeof *s);
  if (wanted == NULL || wanted->h.aux == 0 || wanted->h.aux >= SUGGEST_MAX) return;
  s->len = wanted->h.aux;
  memcpy(s->wanted, wanted->chars, s->len); /* the NUL behind it is there already */
  s->distance = UINT32_MAX;
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

static unsigned distance(const char *a, unsigned n, const char *b, unsigned m) {
  unsigned rows[3][SUGGEST_MAX + 1];
  for (unsigned j = 0; j <= m; j++) rows[0][j] = j;
  for (unsigned i = 1; i <= n; i++) {
    unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
    row[0] = i;
    for (unsigned j = 1; j <= m; j++) {
      row[j] = least(least(row[j - 1], up[j]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = least(row[j], up2[j - 2] + 1);
    }
  }
  return rows[n % 3][m];
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
      {"includes", "contains"}, {"has", "contains"},       {"has_key", "contains"},
      {"shift", "remove"},      {"delete", "remove"},      {"discard", "remove"},
      {"update", "merge"},      {"forEach", "each"},       {"concat", "extend"},
      {"sys", "os"},            {"re", "regex"},           {"subprocess", "process"},
      {"datetime", "time"},     {"pathlib", "path"},       {"shutil", "fs"},
  };
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
    if (!strcmp(wanted, aliases[i][0]) && !strcmp(name, aliases[i][1])) return true;
  return false;
}

void suggest_try(Suggest *s, const String *name) {
  if (s->len == 0 || name == NULL || name->h.aux == 0 || name->h.aux >= SUGGEST_MAX) return;
  if (name->chars[0] == '%') return; /* hidden ones */
  unsigned d = is_alias(s->wanted, name->chars)
                   ? 0 : distance(s->wanted, s->len, name->chars, name->h.aux);
  unsigned longest = s->len > name->h.aux ? s->len : name->h.aux;
  if (2 * d > longest || d >= s->distance) return;
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
