#include "names.h"

#include <string.h>

void names_init(NameTable *table, Arena *arena) {
  memset(table, 0, sizeof *table);
  table->arena = arena;
}

/* FNV-1a: names are short, and the table is private to one compilation. */
static uint32_t hash_chars(const char *chars, size_t len) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)chars[i]) * 16777619u;
  return hash;
}

/* Doubles the table. Without memory it stays as it is: slower, still right. */
static void names_rehash(NameTable *table) {
  uint32_t count = table->bucket_count ? table->bucket_count * 2 : 64;
  Name **buckets = arena_array(table->arena, count, sizeof *buckets);
  if (!buckets) return;
  for (uint32_t i = 0; i < table->bucket_count; i++) {
    for (Name *name = table->buckets[i], *next; name; name = next) {
      next = name->next;
      name->next = buckets[name->hash & (count - 1)];
      buckets[name->hash & (count - 1)] = name;
    }
  }
  table->buckets = buckets;
  table->bucket_count = count;
}

static Name *names_add(NameTable *table, const char *chars, size_t len, uint32_t hash) {
  Name *name = ARENA_NEW(table->arena, Name);
  name->chars = arena_string(table->arena, chars, len);
  name->len = table->arena->oom ? 0 : (uint32_t)len;
  name->hash = hash;
  if (!table->bucket_count || table->arena->oom) return name;
  name->next = table->buckets[hash & (table->bucket_count - 1)];
  table->buckets[hash & (table->bucket_count - 1)] = name;
  table->count++;
  return name;
}

Name *names_intern(NameTable *table, const char *chars, size_t len) {
  if (table->count >= table->bucket_count) names_rehash(table);
  uint32_t hash = hash_chars(chars, len);
  Name *name = NULL;
  if (table->bucket_count) name = table->buckets[hash & (table->bucket_count - 1)];
  for (; name; name = name->next) {
    if (name->hash == hash && name->len == len && memcmp(name->chars, chars, len) == 0) return name;
  }
  return names_add(table, chars, len, hash);
}

Name *names_intern_cstr(NameTable *table, const char *chars) {
  return names_intern(table, chars, strlen(chars));
}
