/* test.c - the `oxbow` command: `oxbow test`.
 *
 * Each file runs in a VM of its own, so that no test sees what another file has done. A test is a
 * call of test.test(name, fn) in the file: the command puts itself in the place of that function's
 * runner (test.runner), so it can choose, count and report. A file that makes no such call has a
 * test in each function at its top level whose name begins with `test_`. What the program prints is
 * kept back, and shown with -v where something failed.
 *
 * From a folder all files *.oxb below it are taken, in the order of their names. Those that do not
 * mention tests are only compiled: running a whole project because one looked for its tests would
 * be a surprise. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

enum { MAX_FOLDERS = 64, MAX_OUTPUT = 1 << 16 };

typedef struct Runner {
  const Options *options;
  ox_VM *vm;               /* of the file that is running */
  const char *file;
  int passed, failed;
  int chosen, made;        /* tests: run, and seen in the file that is running */
  int unreadable;
  bool interrupted;
  size_t printed;          /* bytes in `output`; more are dropped */
  char output[MAX_OUTPUT];
} Runner;

/* ---- reporting ------------------------------------------------------------------------------- */

static void keep_output(void *context, const char *bytes, size_t length) {
  Runner *r = context;
  size_t room = sizeof r->output - r->printed;
  if (length > room) length = room;
  memcpy(r->output + r->printed, bytes, length);
  r->printed += length;
}

/* Text on a single line: what ends lines or moves the cursor is escaped. */
static void put_on_line(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '\n') fputs("\\n", stdout);
    else if (c < 32 || c == 127) printf("\\x%02x", c);
    else putchar(c);
  }
}

static void put_indented(const char *text, size_t length) {
  while (length > 0) {
    const char *end = memchr(text, '\n', length);
    size_t n = end ? (size_t)(end - text) : length;
    printf("    %.*s\n", (int)n, text);
    n += end != NULL;
    text += n;
    length -= n;
  }
}

/* With -v: all that is known of a failure. */
static void put_details(Runner *r, const ox_Error *error) {
  if (!r->options->verbose) return;
  if (error && error->report) put_indented(error->report, strlen(error->report));
  if (r->printed == 0) return;
  puts("  it printed:");
  put_indented(r->output, r->printed);
  if (r->printed == sizeof r->output) puts("    ...");
}

static const char *describe(const ox_Error *error, ox_Status status) {
  switch (status) {
    case OX_EXITED: return "it called os.exit";
    case OX_INTERRUPTED: return "interrupted";
    default: return error && error->message ? error->message : "unknown error";
  }
}

/* One line: FILE:LINE: FAILED NAME: what was wrong. */
static void report_failed(Runner *r, ox_Status status, const char *name, size_t length) {
  const ox_Error *error = status == OX_EXITED ? NULL : ox_error(r->vm);
  const char *file = error && error->file && error->line ? error->file : NULL;
  const char *what = describe(error, status);
  r->failed++;
  printf("%s", file ? file : r->file);
  if (file) printf(":%d", error->line);
  fputs(": FAILED ", stdout);
  put_on_line(name, length);
  fputs(": ", stdout);
  if (error && error->status == OX_THROWN && !*error->kind) fputs("threw ", stdout);
  put_on_line(what, strlen(what));
  putchar('\n');
  put_details(r, error);
  fflush(stdout);
}

static void report_passed(Runner *r, const char *name, size_t length) {
  r->passed++;
  if (!r->options->verbose) return;
  printf("%s: ok ", r->file);
  put_on_line(name, length);
  putchar('\n');
  fflush(stdout);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static bool is_chosen(const Runner *r, const char *name, size_t length) {
  const char *filter = r->options->filter;
  return !filter || memmem(name, length, filter, strlen(filter));
}

/* Each test has the whole budget. */
static ox_Status run_test(Runner *r, const char *name, size_t length, ox_Value function) {
  ox_flush(r->vm);
  r->printed = 0;
  r->chosen++;
  if (r->options->fuel) ox_set_fuel(r->vm, r->options->fuel);
  ox_Status status = ox_call(r->vm, function, 0, NULL, NULL);
  ox_flush(r->vm);
  if (status == OX_INTERRUPTED) r->interrupted = true;
  else if (status == OX_OK) report_passed(r, name, length);
  else report_failed(r, status, name, length);
  return status;
}

/* In the place of test.test(name, fn); gives whether the test passed. */
static ox_Value take_test(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  Runner *r = context;
  ox_Value function = argv[1], shown = ox_show(vm, argv[0], false);
  size_t length;
  (void)argc;
  if (ox_is_none(shown)) return ox_rethrow(vm);
  const char *name = ox_as_string(vm, shown, &length);
  r->made++;
  if (!name || !is_chosen(r, name, length)) return ox_nil();
  return ox_bool(run_test(r, name, length, function) == OX_OK);
}

static bool install_runner(Runner *r) {
  ox_Value module, runner = ox_function(r->vm, "runner(name, fn)", NULL, take_test, r, NULL);
  return ox_import(r->vm, "test", &module) == OX_OK &&
         ox_call_method(r->vm, module, "runner", 1, &runner, NULL) == OX_OK;
}

typedef struct Names {
  char **names;
  size_t count;
} Names;

static void add_name(void *context, const char *name) {
  Names *all = context;
  char **more = realloc(all->names, (all->count + 1) * sizeof *more);
  if (!more) return;
  all->names = more;
  if ((more[all->count] = strdup(name))) all->count++;
}

/* The functions test_... of the session, in the order that they stand in. */
static ox_Status run_functions(Runner *r) {
  Names all = {NULL, 0};
  ox_Status status = OX_OK;
  ox_Value function;
  ox_complete(r->vm, "test_", strlen("test_"), add_name, &all);
  for (size_t i = 0; i < all.count; i++) {
    const char *name = all.names[i];
    bool stopped = status == OX_EXITED || r->interrupted;
    if (!stopped && ox_get(r->vm, name, &function) == OX_OK &&
        ox_type(function) == OX_TYPE_FUNCTION && is_chosen(r, name, strlen(name)))
      status = run_test(r, name, strlen(name), function);
    free(all.names[i]);
  }
  free(all.names);
  return status;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Whether the word `test` stands in a text, or one that begins with `test_`. */
static bool mentions_tests(const char *text, size_t length) {
  const char *end = text + length;
  for (const char *at = text; (at = memmem(at, (size_t)(end - at), "test", 4)); at += 4)
    if ((at == text || !is_word_byte(at[-1])) && (at[4] == '_' || !is_word_byte(at[4])))
      return true;
  return false;
}

static ox_VM *new_vm(Runner *r) {
  ox_Config config = run_config(r->options);
  config.write = keep_output;
  config.context = r;
  config.argc = 0;
  config.colour = wants_colour(1);
  return make_vm(r->options, &config);
}

/* How the file itself ended, apart from its tests. os.exit(0) at its end is fine. */
static void report_file(Runner *r, ox_Status status, int failed_before) {
  static const char top_level[] = "(top level)", compiling[] = "to compile";
  if (status == OX_OK || r->interrupted) return;
  if (status == OX_INTERRUPTED) {
    r->interrupted = true;
    return;
  }
  bool known = status == OX_EXITED || status == OX_NO_FUEL;
  if (status == OX_EXITED && ox_exit_code(r->vm) == 0) return;
  if (known && r->failed > failed_before && r->chosen) return; /* a test has stopped the file */
  const char *name = status == OX_SYNTAX || status == OX_INCOMPLETE ? compiling : top_level;
  report_failed(r, status, name, strlen(name));
}

static void run_text(Runner *r, const char *text, size_t length, bool run) {
  int failed = r->failed;
  r->made = 0;
  r->printed = 0;
  interrupts_begin(r->vm);
  ox_Status status = !run                  ? ox_check(r->vm, text, length, r->file)
                     : install_runner(r)   ? ox_eval(r->vm, text, length, r->file, NULL)
                                           : ox_error(r->vm)->status;
  report_file(r, status, failed);
  if (run && status == OX_OK && r->made == 0) run_functions(r);
  interrupts_end();
}

static void run_file(Runner *r, const char *path, bool given) {
  size_t length;
  char *text = read_source(path, &length);
  if (!text) {
    r->unreadable++;
    return;
  }
  r->file = path;
  r->vm = new_vm(r);
  if (r->vm) {
    run_text(r, text, length, given || mentions_tests(text, length));
    const char *damage = r->options->verify ? ox_verify(r->vm) : NULL;
    if (damage) {
      printf("%s: FAILED the heap is damaged: %s\n", path, damage);
      r->failed++;
    }
  } else {
    r->failed++;
  }
  ox_free(r->vm);
  free(text);
}

/* ---- folders --------------------------------------------------------------------------------- */

static bool is_source(const char *name) {
  size_t n = strlen(name);
  return n > 4 && strcmp(name + n - 4, ".oxb") == 0;
}

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static void run_folder(Runner *r, const char *path, int depth);

/* Links to files are followed, links to folders are not: they may lead in circles. */
static void run_entry(Runner *r, const char *path, int depth) {
  struct stat link, target;
  if (lstat(path, &link) != 0 || stat(path, &target) != 0) return;
  if (S_ISDIR(link.st_mode)) run_folder(r, path, depth + 1);
  else if (S_ISREG(target.st_mode) && is_source(path)) run_file(r, path, false);
}

static void run_folder(Runner *r, const char *path, int depth) {
  struct dirent **entries;
  int count = depth < MAX_FOLDERS ? scandir(path, &entries, is_visible, alphasort) : -1;
  if (count < 0) {
    fprintf(stderr, "oxbow: cannot read the folder '%s': %s\n", path,
            depth < MAX_FOLDERS ? strerror(errno) : "folders are nested too deep");
    r->unreadable++;
    return;
  }
  for (int i = 0; i < count; i++) {
    char *inner;
    const char *slash = path[strlen(path) - 1] == '/' ? "" : "/";
    if (!r->interrupted && asprintf(&inner, "%s%s%s", path, slash, entries[i]->d_name) > 0) {
      run_entry(r, inner, depth);
      free(inner);
    }
    free(entries[i]);
  }
  free(entries);
}

static void run_argument(Runner *r, const char *path) {
  struct stat info;
  if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) run_folder(r, path, 0);
  else run_file(r, path, true);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int exit_status(const Runner *r) {
  if (r->interrupted) return EXIT_INTERRUPTED;
  if (r->unreadable) return EXIT_USAGE;
  return r->failed ? EXIT_UNCAUGHT : EXIT_OK;
}

int test_command(const Options *o) {
  Runner *r = calloc(1, sizeof *r);
  if (!r) return EXIT_UNCAUGHT;
  r->options = o;
  if (o->argc == 0) run_argument(r, ".");
  for (int i = 0; i < o->argc && !r->interrupted; i++) run_argument(r, o->argv[i]);
  if (r->interrupted) fputs("interrupted\n", stderr);
  if (r->passed + r->failed > 0 || r->interrupted) {
    printf("%d passed, %d failed\n", r->passed, r->failed);
    if (r->failed && !o->verbose) fflush(stdout), fputs("-v shows more of each failure\n", stderr);
  } else if (!r->unreadable) {
    fputs(o->filter ? "oxbow: no test has that in its name; leave --filter out to run all\n"
                    : "oxbow: no tests found. A test is a call of test(name, fn) of the module "
                      "test, or a function test_...\n", stderr);
    r->failed++;
  }
  int status = exit_status(r);
  free(r);
  return status;
}
