/* regex.c - the module `regex`, on PCRE2.
 *
 * Patterns run in UTF mode with byte offsets. Strings may hold any bytes: what is not valid UTF-8
 * never matches. PCRE2 checks the rest of the text at each search with a pattern that allows for
 * such bytes, which makes walking through a long text quadratic; so a pattern is compiled without
 * that for valid texts, and a second time with it when the first invalid one comes. A valid string
 * is remembered as such in its header.
 *
 * Backtracking is bounded: steps and memory have limits that grow with the subject, so an ordinary
 * pattern is never cut short and a catastrophic one ends in an error within a fraction of a second.
 * The just-in-time compiler stays off: it has no such limits.
 *
 * A compiled pattern is an instance of regex.Pattern: fields pattern and flags, and hidden behind
 * them a Foreign with the code. Without PCRE2 (HAVE_PCRE2 unset) every function throws. */
#include "lib.h"

#include <stdlib.h>
#include <string.h>

#include "../../lang/utf8.h"

enum { FIELD_PATTERN, FIELD_FLAGS, SLOT_CODE };
enum { CACHE_MAX = 64 };

extern const ModuleDef module_regex_pattern;
static const LibClass pattern_class = {
    "regex.Pattern", LIB_REGEX_CLASS, &module_regex_pattern, 2, 1, {"pattern", "flags"}};

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static const char *const match_names[] = {"text", "start", "end", "groups", "named"};

/* ---- compiled patterns --------------------------------------------------------------------- */

typedef struct Name { uint32_t group; char *text; } Name; /* text lies in the code's name table */

/* The same pattern may be compiled in several ways, NULL where not needed yet: for texts that are
 * not valid UTF-8, and with callouts, see search_slowly. */
enum { FOR_INVALID = 1, WITH_CALLOUTS = 2, WAYS = 4 };
typedef struct Code {
  pcre2_code *ways[WAYS];
  char *pattern;       /* a copy, to compile them */
  size_t len;
  uint32_t options, ngroups, nnames;
  Name names[];
} Code;

static void code_free(void *ptr) {
  Code *c = ptr;
  for (int i = 0; i < WAYS; i++) pcre2_code_free(c->ways[i]);
  vm_release(c->pattern);
  vm_release(c);
}

static const ForeignType code_type = {
    .name = "regex code", .finalize = code_free, .table = -1};

static int order_names(const void *a, const void *b) { /* PCRE2 sorts them by their letters */
  uint32_t i = ((const Name *)a)->group, j = ((const Name *)b)->group;
  return (i > j) - (i < j);
}

static void *counted_malloc(size_t n, void *vm) { return vm_malloc(vm, n); }

static void counted_free(void *p, void *vm) {
  (void)vm;
  vm_release(p);
}

static pcre2_general_context *counted_context(ox_VM *vm) {
  return pcre2_general_context_create(counted_malloc, counted_free, vm);
}

static pcre2_code *code_compile(ox_VM *vm, const char *pattern, size_t len, uint32_t options,
                                int *error, size_t *at) {
  pcre2_general_context *general = counted_context(vm);
  pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
  *error = PCRE2_ERROR_NOMEMORY;
  pcre2_code *code = context ? pcre2_compile((PCRE2_SPTR)pattern, len, options, error, at, context)
                             : NULL;
  pcre2_compile_context_free(context);
  pcre2_general_context_free(general);
  return code;
}

/* Takes the compiled pattern over, also on failure (NULL: out of memory). */
static Code *code_new(ox_VM *vm, pcre2_code *code, const String *pattern, uint32_t options) {
  uint32_t count = 0, size = 0, groups = 0;
  PCRE2_SPTR table = NULL;
  pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
  pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &size);
  pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
  pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
  Code *c = vm_malloc(vm, sizeof *c + count * sizeof(Name));
  char *copy = vm_malloc(vm, (size_t)pattern->h.aux + 1);
  if (!c || !copy) {
    pcre2_code_free(code);
    vm_release(c);
    vm_release(copy);
    return NULL;
  }
  memcpy(copy, pattern->chars, pattern->h.aux + 1);
  *c = (Code){{code}, copy, pattern->h.aux, options, groups, count};
  for (uint32_t i = 0; i < count; i++, table += size)
    c->names[i] = (Name){(uint32_t)table[0] << 8 | table[1], (char *)table + 2};
  if (count) qsort(c->names, count, sizeof(Name), order_names);
  return c;
}

static bool flag_bits(ox_VM *vm, const String *flags, uint32_t *out) {
  static const char letters[] = "imsxu";
  static const uint32_t bits[] = {PCRE2_CASELESS, PCRE2_MULTILINE, PCRE2_DOTALL, PCRE2_EXTENDED,
                                  PCRE2_UCP};
  *out = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
  for (uint32_t i = 0; i < flags->h.aux; i++) {
    char c = flags->chars[i];
    const char *found = c ? strchr(letters, c) : NULL;
    if (!found) {
      vm_throw(vm, ERR_VALUE, "regex: unknown flag '%c' (known: i m s x u)", c ? c : '0');
      return false;
    }
    *out |= bits[found - letters];
  }
  return true;
}

static Value compile_error(ox_VM *vm, const String *pattern, int error, size_t at) {
  char reason[160];
  if (pcre2_get_error_message(error, (PCRE2_UCHAR *)reason, sizeof reason) < 0)
    strcpy(reason, "bad pattern");
  size_t from = at > 20 ? at - 20 : 0;
  while (from && ((uint8_t)pattern->chars[from] & 0xC0) == 0x80) from--;
  return vm_throw(vm, ERR_VALUE, "regex: %s at offset %zu, after '%s%.*s'", reason, at,
                  from ? "..." : "", (int)(at - from), pattern->chars + from);
}

/* The compiled pattern as a Foreign. */
static Value compile_code(ox_VM *vm, Value pattern, Value flags) {
  String *p = arg_string(vm, pattern, "pattern");
  String *f = p ? arg_string(vm, flags, "flags") : NULL;
  uint32_t bits;
  int error;
  size_t at;
  if (!f || !flag_bits(vm, f, &bits)) return V_ERROR;
  pcre2_code *raw = code_compile(vm, p->chars, p->h.aux, bits, &error, &at);
  if (!raw && (error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED))
    return vm_throw_oom(vm);
  if (!raw) return compile_error(vm, p, error, at < p->h.aux ? at : p->h.aux);
  Code *code = code_new(vm, raw, p, bits);
  if (!code) return vm_throw_oom(vm);
  return foreign_new(vm, &code_type, code);
}

static Value compile(ox_VM *vm, Value pattern, Value flags) {
  Value foreign = compile_code(vm, pattern, flags);
  if (foreign == V_ERROR) return V_ERROR;
  Value made = lib_instance(vm, &pattern_class);
  if (made == V_ERROR) return V_ERROR;
  Instance *instance = vm_deref(vm, made);
  lib_set_slot(vm, instance, FIELD_PATTERN, pattern);
  lib_set_slot(vm, instance, FIELD_FLAGS, flags);
  lib_set_slot(vm, instance, SLOT_CODE, foreign);
  return made;
}

/* Key of the cache: "FLAGS/PATTERN". */
static Value cache_key(ox_VM *vm, Value pattern, Value flags) {
  String *p = arg_string(vm, pattern, "pattern");
  String *f = p ? arg_string(vm, flags, "flags") : NULL;
  if (!f) return V_ERROR;
  Buf b;
  buf_init(&b, vm);
  buf_add(&b, f->chars, f->h.aux);
  buf_putc(&b, '/');
  buf_add(&b, p->chars, p->h.aux);
  return buf_finish(&b);
}

static Value cache_map(ox_VM *vm) {
  Value *kept = &vm->st->spare[LIB_REGEX_CACHE];
  if (v_is_ref(*kept)) return *kept;
  Value map = map_new(vm, CACHE_MAX);
  if (map != V_ERROR) *kept = map;
  return map;
}

/* The compiled pattern of (pattern, flags), from the cache where it is there. */
static Value compile_cached(ox_VM *vm, Value pattern, Value flags) {
  Value key = cache_key(vm, pattern, flags);
  Value cache = key == V_ERROR ? V_ERROR : cache_map(vm);
  if (cache == V_ERROR) return V_ERROR;
  Value made = map_get(vm, cache, key);
  String *text = string_flat(vm, pattern);
  if (text) vm_charge(vm, 64 * (uint64_t)text->h.aux); /* the same whether it is there or not */
  if (made != V_ABSENT) return vm_root(vm, made) ? made : V_ERROR;
  if (error_pending(vm)) return V_ERROR;
  made = compile(vm, pattern, flags);
  if (made == V_ERROR) return V_ERROR;
  if (as_map(vm, cache)->live >= CACHE_MAX) map_clear(vm, cache);
  return map_set(vm, cache, key, made) ? made : V_ERROR;
}

/* A pattern argument: compiled, or a string. */
static Value pattern_arg(ox_VM *vm, Value v) {
  return lib_is(vm, v, &pattern_class) ? v : compile_cached(vm, v, vm->st->empty_string);
}

/* ---- one search ---------------------------------------------------------------------------- */

typedef struct Search {
  ox_VM *vm;
  Code *code;
  int way;                /* which of code->ways */
  uint64_t turns;         /* callouts so far */
  Value subject;          /* reachable from the arguments */
  String *s;
  pcre2_match_data *data;
  pcre2_match_context *limits;
  size_t *at;             /* offsets: at[0], at[1] the match, then the groups */
  uint32_t options;
} Search;

/* Each search is tried with few steps first, which nearly all patterns can do with. Then, with
 * callouts that charge the budget and notice an interrupt, as many as patterns need whose work is
 * linear in the subject. Memory in KiB. */
enum { QUICK_STEPS = 10000, QUICK_MOST = 20000, SLOW_STEPS = 1000000, CALLOUTS_PER_POLL = 1024 };

static uint64_t steps_for(uint64_t len, bool quick) {
  uint64_t steps = quick ? QUICK_STEPS + 8 * len : SLOW_STEPS + 40 * len;
  uint64_t most = quick ? QUICK_MOST : 2000000000;
  return steps < most ? steps : most;
}

static void set_limits(pcre2_match_context *limits, uint64_t len, bool quick) {
  uint32_t most = (uint32_t)steps_for(len, quick);
  uint64_t kib = 32768 + len / 8;
  pcre2_set_match_limit(limits, most);
  pcre2_set_depth_limit(limits, most);
  pcre2_set_heap_limit(limits, kib > 4000000 ? 4000000 : (uint32_t)kib);
}

static bool is_utf8(const char *s, size_t n) {
  uint32_t code;
  for (size_t i = 0; i < n; ) {
    if ((uint8_t)s[i] < 0x80) { i++; continue; }
    unsigned len = utf8_decode(s + i, n - i, &code);
    if (!len) return false;
    i += len;
  }
  return true;
}

/* Whether the string is valid UTF-8; remembered in its header. */
static bool check_utf8(ox_VM *vm, String *s) {
  if (s->h.n & STRING_UTF8) return true;
  vm_charge(vm, s->h.aux);
  if (!is_utf8(s->chars, s->h.aux)) return false;
  gc_touch(vm->cage, gc_word(vm->cage, s));
  s->h.n |= STRING_UTF8;
  return true;
}

static bool search_memory(Search *f) {
  pcre2_general_context *general = counted_context(f->vm);
  if (!general) return false;
  f->data = pcre2_match_data_create_from_pattern(f->code->ways[f->way], general);
  f->limits = pcre2_match_context_create(general);
  pcre2_general_context_free(general);
  return f->data && f->limits;
}

static void search_end(Search *f) {
  pcre2_match_data_free(f->data);
  pcre2_match_context_free(f->limits);
}

/* The code for a way, compiled if need be. NULL: out of memory. */
static const pcre2_code *code_for(ox_VM *vm, Code *c, int way) {
  uint32_t more = (way & FOR_INVALID ? PCRE2_MATCH_INVALID_UTF : 0) |
                  (way & WITH_CALLOUTS ? PCRE2_AUTO_CALLOUT : 0);
  int error;
  size_t at;
  if (!c->ways[way])
    c->ways[way] = code_compile(vm, c->pattern, c->len, c->options | more, &error, &at);
  return c->ways[way];
}

static bool search_choose(Search *f) {
  bool valid = check_utf8(f->vm, f->s);
  f->way = valid ? 0 : FOR_INVALID;
  f->options = valid ? PCRE2_NO_UTF_CHECK : 0;
  return code_for(f->vm, f->code, f->way);
}

/* The pattern came with an image: it is compiled again. */
static bool compile_anew(ox_VM *vm, Value re) {
  Instance *instance = vm_deref(vm, re);
  Value made = compile(vm, instance->fields[FIELD_PATTERN], instance->fields[FIELD_FLAGS]);
  if (made == V_ERROR) return false;
  lib_set_slot(vm, instance, SLOT_CODE, ((Instance *)vm_deref(vm, made))->fields[SLOT_CODE]);
  return true;
}

/* Gets ready to search `subject` with the compiled pattern `re`. False: error pending. */
static bool search_begin(Search *f, ox_VM *vm, Value re, Value subject, const char *what) {
  *f = (Search){.vm = vm, .subject = subject};
  f->s = arg_string(vm, subject, what);
  Instance *instance = f->s ? lib_check(vm, re, &pattern_class, "self") : NULL;
  if (!instance) return false;
  if (foreign_is_gone(vm, instance->fields[SLOT_CODE]) && !compile_anew(vm, re)) return false;
  f->code = foreign_get(vm, instance->fields[SLOT_CODE], &code_type, "the pattern");
  if (!f->code) return false;
  if (!search_choose(f) || !search_memory(f)) {
    search_end(f);
    vm_throw_oom(vm);
    return false;
  }
  f->at = pcre2_get_ovector_pointer(f->data);
  return true;
}

static void match_error(ox_VM *vm, int error) {
  char reason[160];
  switch (error) {
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_RECURSELOOP:
      vm_throw(vm, ERR_LIMIT,
               "regex: the pattern needs too many steps on this text (avoid nested repetition "
               "such as (a+)+, or make it possessive: (a++)+)");
      return;
    case PCRE2_ERROR_HEAPLIMIT:
      vm_throw(vm, ERR_LIMIT, "regex: the pattern needs too much memory on this text");
      return;
    case PCRE2_ERROR_NOMEMORY:
      vm_throw_oom(vm);
      return;
    case PCRE2_ERROR_BADUTFOFFSET:
      vm_throw(vm, ERR_VALUE, "regex: the start lies inside a character");
      return;
  }
  if (pcre2_get_error_message(error, (PCRE2_UCHAR *)reason, sizeof reason) < 0)
    strcpy(reason, "unknown reason");
  vm_throw(vm, ERR_VALUE, "regex: cannot match: %s", reason);
}

static int count_callout(pcre2_callout_block *block, void *search) {
  Search *f = search;
  (void)block;
  bool go_on = ++f->turns % CALLOUTS_PER_POLL != 0 || vm_poll(f->vm, CALLOUTS_PER_POLL / 8);
  return go_on ? 0 : PCRE2_ERROR_CALLOUT;
}

static int search_slowly(Search *f, size_t start, uint32_t options) {
  const pcre2_code *code = code_for(f->vm, f->code, f->way | WITH_CALLOUTS);
  if (!code) return PCRE2_ERROR_NOMEMORY;
  set_limits(f->limits, f->s->h.aux, false);
  pcre2_set_callout(f->limits, count_callout, f);
  int found = pcre2_match(code, (PCRE2_SPTR)f->s->chars, f->s->h.aux, start, options, f->data,
                          f->limits);
  pcre2_set_callout(f->limits, NULL, NULL);
  return found;
}

static int search_any_way(Search *f, size_t start, uint32_t options) {
  uint32_t len = f->s->h.aux;
  set_limits(f->limits, len, true);
  int found = pcre2_match(f->code->ways[f->way], (PCRE2_SPTR)f->s->chars, len, start, options,
                          f->data, f->limits);
  if (found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_DEPTHLIMIT) {
    vm_charge_steps(f->vm, steps_for(len, true) / 64);
    return search_slowly(f, start, options);
  }
  size_t end = found > 0 && f->at[1] > start ? f->at[1] : len;
  vm_charge_steps(f->vm, 2 + (end - start) / 64);
  return found;
}

/* 1 with the offsets in f->at, 0, or -1 with an error pending. */
static int search_from(Search *f, size_t start, uint32_t options) {
  int found = search_any_way(f, start, f->options | options);
  if (found == PCRE2_ERROR_NOMATCH) return 0;
  if (found < 0) {
    if (!error_pending(f->vm)) match_error(f->vm, found);
    return -1;
  }
  if (f->at[0] < start) f->at[0] = start; /* \K can do that, */
  if (f->at[1] < f->at[0]) f->at[1] = f->at[0]; /* and that */
  return 1;
}

/* Goes through all matches: set pos = 0, options = 0, call until it does not give 1. After an empty
 * match the next one must not be empty at the same place. A match always ends at or behind the
 * place where its search began, and two empty ones never at the same, so this ends. */
typedef struct Walk { size_t pos; uint32_t options; uint64_t turns; } Walk;

static int walk_next(Search *f, Walk *w) {
  if (++w->turns % 256 == 0 && !vm_poll(f->vm, 1)) return -1;
  int found = search_from(f, w->pos, w->options);
  if (found == 1) {
    w->options = f->at[1] == f->at[0] || f->at[1] == w->pos ? PCRE2_NOTEMPTY_ATSTART : 0;
    w->pos = f->at[1];
  }
  return found;
}

/* ---- match objects ------------------------------------------------------------------------- */

static Value group_text(Search *f, uint32_t group) {
  size_t from = f->at[2 * group], to = f->at[2 * group + 1];
  if (from == PCRE2_UNSET || from > to) return V_NIL;
  return string_slice(f->vm, f->subject, from, to);
}

static Value group_list(Search *f) {
  Value list = list_new(f->vm, f->code->ngroups);
  for (uint32_t i = 1; i <= f->code->ngroups && list != V_ERROR; i++) {
    Value text = group_text(f, i);
    if (text == V_ERROR || !list_push(f->vm, list, text)) return V_ERROR;
  }
  return list;
}

/* name -> text. Where groups share a name, the first one set counts. */
static Value name_map(Search *f, Value groups) {
  Value map = map_new(f->vm, f->code->nnames);
  for (uint32_t i = 0; i < f->code->nnames && map != V_ERROR; i++) {
    const Name *name = &f->code->names[i];
    Value text = list_get(f->vm, groups, name->group - 1);
    Value key = string_intern(f->vm, name->text, strlen(name->text));
    if (key == V_ERROR || !vm_root(f->vm, key)) return V_ERROR;
    if (text == V_NIL && map_find(f->vm, map, key) != UINT32_MAX) continue;
    if (!map_set(f->vm, map, key, text)) return V_ERROR;
  }
  return map;
}

static Value match_new(Search *f) {
  Value v[5];
  Value names = lib_names(f->vm, LIB_MATCH_NAMES, match_names, LIB_COUNT(match_names));
  if (names == V_ERROR || (v[0] = group_text(f, 0)) == V_ERROR) return V_ERROR;
  if ((v[1] = num_from_int(f->vm, (int64_t)f->at[0])) == V_ERROR) return V_ERROR;
  if ((v[2] = num_from_int(f->vm, (int64_t)f->at[1])) == V_ERROR) return V_ERROR;
  if ((v[3] = group_list(f)) == V_ERROR) return V_ERROR;
  if ((v[4] = name_map(f, v[3])) == V_ERROR) return V_ERROR;
  return map_from_names(f->vm, names, v, 5);
}

/* ---- operations: (compiled pattern, subject, ...) ------------------------------------------ */

static Value match_once(ox_VM *vm, Value re, Value subject, Value from, uint32_t options) {
  uint64_t start = 0;
  Search f;
  if (from != V_ABSENT && !arg_index(vm, from, "start", &start)) return V_ERROR;
  if (!search_begin(&f, vm, re, subject, "the text to search")) return V_ERROR;
  Value result = V_NIL;
  bool inside = start < f.s->h.aux && ((uint8_t)f.s->chars[start] & 0xC0) == 0x80;
  if (start > f.s->h.aux) {
    result = vm_throw(vm, ERR_INDEX, "regex: start %llu is beyond the text (%u bytes)",
                      (unsigned long long)start, f.s->h.aux);
  } else if (inside && f.options) {
    match_error(vm, PCRE2_ERROR_BADUTFOFFSET);
    result = V_ERROR;
  } else {
    int found = search_from(&f, start, options);
    result = found < 0 ? V_ERROR : found ? match_new(&f) : V_NIL;
  }
  search_end(&f);
  return result;
}

static Value test_once(ox_VM *vm, Value re, Value subject) {
  Search f;
  if (!search_begin(&f, vm, re, subject, "the text to search")) return V_ERROR;
  int found = search_from(&f, 0, 0);
  search_end(&f);
  return found < 0 ? V_ERROR : v_from_bool(found);
}

/* A count argument: nil or left out means no limit. */
static bool count_arg(ox_VM *vm, Value v, uint64_t *out) {
  *out = UINT64_MAX;
  return v == V_ABSENT || v == V_NIL || arg_index(vm, v, "count", out);
}

static Value find_all(ox_VM *vm, Value re, Value subject, Value count) {
  Search f;
  Walk w = {0, 0, 0};
  uint64_t most;
  int found = 0;
  if (!count_arg(vm, count, &most)) return V_ERROR;
  if (!search_begin(&f, vm, re, subject, "the text to search")) return V_ERROR;
  Value list = list_new(vm, 0);
  uint32_t mark = vm_roots_mark(vm);
  while (list != V_ERROR && list_len(vm, list) < most && (found = walk_next(&f, &w)) == 1) {
    Value match = match_new(&f);
    if (match == V_ERROR || !list_push(vm, list, match)) list = V_ERROR;
    else vm_roots_reset(vm, mark);
  }
  search_end(&f);
  return found < 0 ? V_ERROR : list;
}

static Value split(ox_VM *vm, Value re, Value subject, Value count) {
  Search f;
  Walk w = {0, 0, 0};
  uint64_t most, done = 0;
  size_t from = 0;
  int found = 0;
  if (!count_arg(vm, count, &most)) return V_ERROR;
  if (!search_begin(&f, vm, re, subject, "the text to split")) return V_ERROR;
  Value list = list_new(vm, 0);
  uint32_t mark = vm_roots_mark(vm);
  while (list != V_ERROR && done < most && (found = walk_next(&f, &w)) == 1) {
    if (f.at[0] == f.at[1] && (f.at[0] == from || f.at[1] == f.s->h.aux)) continue;
    Value part = string_slice(vm, subject, from, f.at[0]);
    if (part == V_ERROR || !list_push(vm, list, part)) list = V_ERROR;
    vm_roots_reset(vm, mark);
    from = f.at[1];
    done++;
  }
  if (list != V_ERROR && found >= 0) {
    Value part = string_slice(vm, subject, from, f.s->h.aux);
    if (part == V_ERROR || !list_push(vm, list, part)) list = V_ERROR;
  }
  search_end(&f);
  return found < 0 ? V_ERROR : list;
}

/* ---- replacing ----------------------------------------------------------------------------- */

/* One piece of a template: literal bytes, or a group (bytes NULL). */
typedef struct Piece { const char *bytes; size_t len; uint32_t group; } Piece;
typedef struct Template { Piece *pieces; uint32_t n, cap; } Template; /* from vm_realloc */

static bool template_add(ox_VM *vm, Template *t, Piece piece) {
  if (!piece.len && piece.bytes) return true;
  if (t->n == t->cap) {
    uint32_t cap = t->cap ? t->cap * 2 : 8;
    Piece *grown = vm_realloc(vm, t->pieces, cap * sizeof *grown);
    if (!grown) {
      vm_throw_oom(vm);
      return false;
    }
    t->pieces = grown;
    t->cap = cap;
  }
  t->pieces[t->n++] = piece;
  return true;
}

/* The group of `n` bytes of text: digits or a name. False: error pending. */
static bool find_group(ox_VM *vm, const Code *c, const char *text, size_t n, uint32_t *out) {
  int64_t number;
  if (num_parse_int(text, n, 10, &number) && number >= 0 && number <= c->ngroups) {
    *out = (uint32_t)number;
    return true;
  }
  for (uint32_t i = 0; i < c->nnames; i++) {
    if (strlen(c->names[i].text) != n || memcmp(c->names[i].text, text, n) != 0) continue;
    *out = c->names[i].group;
    return true;
  }
  vm_throw(vm, ERR_VALUE, "regex: the replacement names the group '%.*s', which the pattern lacks",
           (int)(n < 60 ? n : 60), text);
  return false;
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* At "$..." : its length and what it stands for; 0 with an error pending. */
static size_t read_dollar(ox_VM *vm, const Code *c, const char *s, const char *end, Piece *out) {
  *out = (Piece){s, 1, 0}; /* a lone dollar sign */
  if (s + 1 == end) return 1;
  if (s[1] == '$') return 2;
  if (digit(s[1])) {
    size_t n = s + 2 < end && digit(s[2]) ? 2 : 1;
    if (n == 2 && (uint32_t)((s[1] - '0') * 10 + s[2] - '0') > c->ngroups) n = 1;
    out->bytes = NULL;
    return find_group(vm, c, s + 1, n, &out->group) ? n + 1 : 0;
  }
  if (s[1] != '{' && s[1] != '<') return 1;
  const char *close = memchr(s, s[1] == '{' ? '}' : '>', (size_t)(end - s));
  if (!close) return 1;
  out->bytes = NULL;
  return find_group(vm, c, s + 2, (size_t)(close - s - 2), &out->group)
             ? (size_t)(close + 1 - s) : 0;
}

static bool template_parse(ox_VM *vm, Template *t, const Code *c, const String *text) {
  const char *s = text->chars, *end = s + text->h.aux;
  while (s < end) {
    const char *dollar = memchr(s, '$', (size_t)(end - s));
    const char *stop = dollar ? dollar : end;
    if (!template_add(vm, t, (Piece){s, (size_t)(stop - s), 0})) return false;
    if (!dollar) break;
    Piece piece;
    size_t n = read_dollar(vm, c, dollar, end, &piece);
    if (!n || !template_add(vm, t, piece)) return false;
    s = dollar + n;
  }
  return true;
}

static void template_expand(const Template *t, const Search *f, Buf *out) {
  for (uint32_t i = 0; i < t->n; i++) {
    const Piece *p = &t->pieces[i];
    if (p->bytes) {
      buf_add(out, p->bytes, p->len);
      continue;
    }
    size_t from = f->at[2 * p->group], to = f->at[2 * p->group + 1];
    if (from != PCRE2_UNSET && from < to) buf_add(out, f->s->chars + from, to - from);
  }
}

/* All replaced into out. False: error pending. */
static bool replace_into(Search *f, const Template *t, uint64_t most, Buf *out) {
  Walk w = {0, 0, 0};
  size_t from = 0;
  int found = 0;
  for (uint64_t done = 0; done < most && (found = walk_next(f, &w)) == 1; done++) {
    buf_add(out, f->s->chars + from, f->at[0] - from);
    template_expand(t, f, out);
    from = f->at[1];
    if (out->failed) break;
  }
  buf_add(out, f->s->chars + from, f->s->h.aux - from);
  return found >= 0;
}

static Value replace(ox_VM *vm, Value re, Value subject, Value with, Value count) {
  Search f;
  Template t = {NULL, 0, 0};
  Buf out;
  uint64_t most;
  if (!count_arg(vm, count, &most)) return V_ERROR;
  String *text = arg_string(vm, with, "the replacement");
  if (!text || !search_begin(&f, vm, re, subject, "the text to search")) return V_ERROR;
  Value result = V_ERROR;
  buf_init(&out, vm);
  if (template_parse(vm, &t, f.code, text) && replace_into(&f, &t, most, &out))
    result = buf_finish(&out);
  else
    buf_free(&out);
  vm_release(t.pieces);
  search_end(&f);
  return result;
}

#else /* without PCRE2 */

static Value missing(ox_VM *vm) {
  return vm_throw(vm, ERR_SYSTEM,
                  "regex: built without PCRE2: install libpcre2-dev and rebuild");
}
#define PCRE2_ANCHORED 0
#define PCRE2_ENDANCHORED 0
static Value compile_cached(ox_VM *vm, Value p, Value f) { (void)p, (void)f; return missing(vm); }
static Value pattern_arg(ox_VM *vm, Value v) { (void)v; return missing(vm); }
static Value match_once(ox_VM *vm, Value re, Value s, Value from, uint32_t options) {
  (void)re, (void)s, (void)from, (void)options;
  return missing(vm);
}
static Value test_once(ox_VM *vm, Value re, Value s) { (void)re, (void)s; return missing(vm); }
static Value find_all(ox_VM *vm, Value re, Value s, Value count) {
  (void)re, (void)s, (void)count;
  return missing(vm);
}
static Value split(ox_VM *vm, Value re, Value s, Value count) { return find_all(vm, re, s, count); }
static Value replace(ox_VM *vm, Value re, Value s, Value with, Value count) {
  (void)with;
  return find_all(vm, re, s, count);
}

#endif

/* ---- natives: the module's functions take a pattern or a string, the methods a pattern ----- */

static Value regex_compile(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return compile_cached(vm, args[0], arg_given(args, 1) ? args[1] : vm->st->empty_string);
}

static Value regex_match(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value re = pattern_arg(vm, args[0]);
  return re == V_ERROR ? V_ERROR : match_once(vm, re, args[1], args[2], 0);
}

static Value regex_full_match(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value re = pattern_arg(vm, args[0]);
  if (re == V_ERROR) return V_ERROR;
  return match_once(vm, re, args[1], V_ABSENT, PCRE2_ANCHORED | PCRE2_ENDANCHORED);
}

static Value regex_test(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value re = pattern_arg(vm, args[0]);
  return re == V_ERROR ? V_ERROR : test_once(vm, re, args[1]);
}

static Value regex_find_all(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value re = pattern_arg(vm, args[0]);
  return re == V_ERROR ? V_ERROR : find_all(vm, re, args[1], args[2]);
}

static Value regex_split(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value re = pattern_arg(vm, args[0]);
  return re == V_ERROR ? V_ERROR : split(vm, re, args[1], args[2]);
}

static Value regex_expand(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Value re = pattern_arg(vm, args[0]);
  return re == V_ERROR ? V_ERROR : replace(vm, re, args[1], args[2], args[3]);
}

static Value regex_escape(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *s = arg_string(vm, args[0], "text of regex.escape");
  if (!s) return V_ERROR;
  Buf b;
  uint64_t next = VM_WORK;
  buf_init(&b, vm);
  for (uint32_t i = 0; i < s->h.aux && !b.failed; i++) {
    char c = s->chars[i];
    if (!vm_poll_at(vm, i, &next)) b.failed = true;
    if (c && strchr("\\^$.|?*+()[]{}-#/&~ \t\n\r\f\v", c)) buf_putc(&b, '\\');
    if (c) buf_putc(&b, c);
    else buf_puts(&b, "\\x00");
  }
  return buf_finish(&b);
}

static Value pattern_str(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  Instance *self = lib_check(vm, args[0], &pattern_class, "self");
  if (!self) return V_ERROR;
  String *p = arg_string(vm, self->fields[FIELD_PATTERN], "pattern");
  String *f = p ? arg_string(vm, self->fields[FIELD_FLAGS], "flags") : NULL;
  if (!f) return V_ERROR;
  return string_format(vm, "<regex /%s/%s>", p->chars, f->chars);
}

#define MATCH_DOC \
  "The first match at or after the byte `start`, or nil: a map with text, start and end (byte " \
  "offsets), groups (a list, groups[0] is the first pair of parentheses; nil where unset) and " \
  "named (a map)."
#define FULL_DOC "The match of the whole text, or nil."
#define TEST_DOC "Whether the pattern matches anywhere in the text."
#define ALL_DOC "All matches that do not overlap, at most `count`, as a list."
#define REPLACE_DOC \
  "The text with all matches (at most `count`) replaced: by a string, where `$1`, `${name}` or " \
  "`$<name>` stand for groups, `$0` for the match and `$$` for a dollar sign, or by what a " \
  "function makes of the match."
#define EXPAND_DOC "Like replace with a string."
#define SPLIT_DOC \
  "The pieces between the matches, with at most `count` splits; an empty match splits only " \
  "inside a piece."

static const NativeDef pattern_defs[] = {
    NATIVE("match", regex_match, "match(self, text, start = 0)", MATCH_DOC),
    NATIVE("full_match", regex_full_match, "full_match(self, text)", FULL_DOC),
    NATIVE("test", regex_test, "test(self, text) -> bool", TEST_DOC),
    NATIVE("find_all", regex_find_all, "find_all(self, text, count = nil) -> list", ALL_DOC),
    NATIVE_SCRIPT("replace", "regex_replace",
                  "replace(self, text, replacement, count = nil) -> string", REPLACE_DOC),
    NATIVE("expand", regex_expand, "expand(self, text, replacement, count = nil) -> string",
           EXPAND_DOC),
    NATIVE("split", regex_split, "split(self, text, count = nil) -> list", SPLIT_DOC),
    NATIVE("str", pattern_str, "str(self) -> string", "How the pattern prints."),
};

const ModuleDef module_regex_pattern = {
    "regex.Pattern", "Compiled regular expressions; the fields pattern and flags tell of what.",
    pattern_defs, LIB_COUNT(pattern_defs), -1, NULL};

static const NativeDef regex_defs[] = {
    NATIVE("compile", regex_compile, "compile(pattern, flags = \"\") -> regex.Pattern",
           "A compiled pattern (Perl syntax, UTF-8); flags: i ignores case, m lets ^ and $ "
           "match at lines, s lets . match newlines, x allows spaces and comments, u makes \\w "
           "\\d \\s \\b know all of Unicode (else ASCII)."),
    NATIVE("match", regex_match, "match(pattern, text, start = 0)", MATCH_DOC),
    NATIVE("full_match", regex_full_match, "full_match(pattern, text)", FULL_DOC),
    NATIVE("test", regex_test, "test(pattern, text) -> bool", TEST_DOC),
    NATIVE("find_all", regex_find_all, "find_all(pattern, text, count = nil) -> list", ALL_DOC),
    NATIVE_SCRIPT("replace", "regex_module_replace",
                  "replace(pattern, text, replacement, count = nil) -> string", REPLACE_DOC),
    NATIVE("split", regex_split, "split(pattern, text, count = nil) -> list", SPLIT_DOC),
    NATIVE("escape", regex_escape, "escape(text) -> string",
           "The pattern that matches exactly this text."),
};

const ModuleDef module_regex = {
    "regex",
    "Regular expressions on PCRE2; steps are bounded, so that a bad pattern throws and never "
    "hangs. Patterns may be given as strings, which are compiled once and kept.",
    regex_defs, LIB_COUNT(regex_defs), -1, NULL};
