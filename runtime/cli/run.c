/* run.c - the `oxbow` command: running programs and telling how it went. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

bool wants_colour(int fd) {
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  return isatty(fd) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

/* ---- reading files --------------------------------------------------------------------------- */

enum { MAX_SOURCE = 1 << 30 }; /* what the compiler takes */

static char *read_stream(FILE *f, size_t *length) {
  size_t room = 1 << 16, n = 0, got;
  char *text = malloc(room);
  while (text && (got = fread(text + n, 1, room - n - 1, f)) > 0) {
    n += got;
    if (n + 1 < room) continue;
    char *more = room <= MAX_SOURCE ? realloc(text, room *= 2) : NULL;
    if (!more) errno = room <= MAX_SOURCE ? ENOMEM : EFBIG, free(text);
    text = more;
  }
  if (text && ferror(f)) {
    free(text);
    return NULL;
  }
  if (text) text[n] = 0;
  *length = n;
  return text;
}

/* Says why a file cannot be read, and what may help. */
static void explain_unreadable(const char *path, int error) {
  static const char *const words[] = {"help", "version", "repl", "check"};
  static const char *const options[] = {"--help", "--version", "-i", "-c FILE"};
  char *longer = NULL;
  const char *why = error == EFBIG ? "it is larger than 1 GiB" : strerror(error);
  fprintf(stderr, "oxbow: cannot read '%s': %s\n", path, why);
  if (error == EISDIR)
    fprintf(stderr, "Give a file in it, or run its tests with `oxbow test %s`.\n", path);
  if (error != ENOENT || asprintf(&longer, "%s.oxb", path) < 0) return;
  if (access(longer, F_OK) == 0) fprintf(stderr, "Did you mean '%s'?\n", longer);
  free(longer);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(path, words[i]) == 0) fprintf(stderr, "Did you mean `oxbow %s`?\n", options[i]);
}

/* What a file is that can be no source text, by its beginning; NULL: it may be text. */
static const char *foreign_format(const char *text, size_t length) {
  static const char binary[] = "it is not text: a compiled program, a picture, an archive?";
  size_t controls = 0, seen = length < 512 ? length : 512;
  if (length >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0))
    return "it is saved as UTF-16; save it as UTF-8";
  if (length >= 4 && memcmp(text, "\177ELF", 4) == 0) return binary;
  for (size_t i = 0; i < seen; i++) {
    unsigned char c = (unsigned char)text[i];
    controls += c < 9 || (c > 13 && c < 32);
  }
  return controls > seen / 8 ? binary : NULL;
}

/* Opens a file that may be run; NULL: errno says why not. */
static FILE *open_source(const char *path) {
  if (strcmp(path, "-") == 0) return stdin;
  struct stat info;
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  int error = fstat(fileno(f), &info) != 0           ? errno
              : S_ISDIR(info.st_mode)                ? EISDIR
              : info.st_size > (off_t)MAX_SOURCE     ? EFBIG
                                                     : 0;
  if (!error) return f;
  fclose(f);
  errno = error;
  return NULL;
}

char *read_source(const char *path, size_t *length) {
  FILE *f = open_source(path);
  char *text = f ? read_stream(f, length) : NULL;
  int error = errno;
  if (f && f != stdin) fclose(f);
  if (!text) explain_unreadable(path, error);
  return text;
}

/* ---- how it went ----------------------------------------------------------------------------- */

int report_failure(ox_VM *vm, ox_Status status) {
  if (status == OX_OK) return EXIT_OK;
  if (status == OX_EXITED) return ox_exit_code(vm) & 0xFF;
  if (status == OX_INTERRUPTED) {
    fputs("interrupted\n", stderr);
    return EXIT_INTERRUPTED;
  }
  const ox_Error *error = ox_error(vm);
  fputs(error ? error->report : "error: unknown\n", stderr);
  switch (status) {
    case OX_SYNTAX: case OX_INCOMPLETE: return EXIT_SYNTAX;
    case OX_NOT_FOUND: return EXIT_USAGE;
    default: return EXIT_UNCAUGHT;
  }
}

/* ---- what to run ----------------------------------------------------------------------------- */

typedef ox_Status Action(ox_VM *vm, const char *text, size_t length, const char *name);

static ox_Status action_eval(ox_VM *vm, const char *text, size_t length, const char *name) {
  return ox_eval(vm, text, length, name, NULL);
}

static ox_Status action_run(ox_VM *vm, const char *text, size_t length, const char *name) {
  return ox_run(vm, text, length, name, NULL);
}

static void write_stdout(void *context, const char *bytes, size_t length) {
  (void)context;
  fwrite(bytes, 1, length, stdout);
}

static ox_Status action_disassemble(ox_VM *vm, const char *text, size_t length, const char *name) {
  return ox_disassemble(vm, text, length, name, write_stdout, NULL);
}

/* What the options ask to be done with a text; what -i shows later must be in the session. */
static Action *chosen_action(const Options *o) {
  if (o->check) return ox_check;
  if (o->disassemble) return action_disassemble;
  return o->interactive || o->ncodes || o->save_image ? action_eval : action_run;
}

static int run_codes(ox_VM *vm, const Options *o) {
  int status = EXIT_OK;
  for (int i = 0; i < o->ncodes && status == EXIT_OK; i++) {
    const char *code = o->codes[i];
    status = report_failure(vm, chosen_action(o)(vm, code, strlen(code), "-e"));
  }
  return status;
}

static int run_path(ox_VM *vm, const Options *o, const char *path) {
  size_t length;
  char *text = read_source(path, &length);
  if (!text) return EXIT_USAGE;
  const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
  const char *format = foreign_format(text, length);
  if (format) {
    fprintf(stderr, "oxbow: cannot run '%s': %s\n", name, format);
    free(text);
    return EXIT_SYNTAX;
  }
  int status = report_failure(vm, chosen_action(o)(vm, text, length, name));
  free(text);
  return status;
}

/* -c takes any number of files. */
static int check_files(ox_VM *vm, const Options *o) {
  int status = run_path(vm, o, o->file);
  for (int i = 0; i < o->argc; i++) {
    int next = run_path(vm, o, o->argv[i]);
    if (status == EXIT_OK) status = next;
  }
  return status;
}

/* ---- images ---------------------------------------------------------------------------------- */

bool save_image(ox_VM *vm, const char *path) {
  ox_ImageStats s = {.size = sizeof s};
  if (ox_image_save(vm, path, &s) == OX_OK) return true;
  fprintf(stderr, "oxbow: %s\n", ox_error(vm)->message);
  return false;
}

static int verify_image(const char *path) {
  char message[1024];
  ox_ImageStats s = {.size = sizeof s};
  if (!ox_image_verify(path, &s, message, sizeof message)) {
    fprintf(stderr, "oxbow: %s\n", message);
    return EXIT_UNCAUGHT;
  }
  printf("'%s' is whole: %llu pages, %llu bytes\n", path, (unsigned long long)s.pages,
         (unsigned long long)s.file_bytes);
  return EXIT_OK;
}

static ox_VM *open_image(const char *path, const ox_Config *config) {
  char message[1024];
  ox_ImageConfig image = {.size = sizeof image, .config = config};
  ox_VM *vm = ox_image_open(path, &image, NULL, message, sizeof message);
  if (!vm) fprintf(stderr, "oxbow: %s\n", message);
  return vm;
}

/* With an image, the prompt needs no terminal: what it has to go on with is there. */
static int run_in(ox_VM *vm, const Options *o) {
  bool terminal = isatty(STDIN_FILENO) || o->image;
  if (!o->ncodes && !o->file && (terminal || o->interactive)) return repl_run(vm);
  interrupts_begin(vm);
  int status = o->ncodes              ? run_codes(vm, o)
               : o->check && o->file  ? check_files(vm, o)
                                      : run_path(vm, o, o->file ? o->file : "-");
  interrupts_end();
  return o->interactive ? repl_run(vm) : status;
}

/* For tests: a heap that is found damaged is a failure, whatever the program did. */
static int check_heap(ox_VM *vm, int status) {
  const char *damage = ox_verify(vm);
  if (!damage) return status;
  fprintf(stderr, "oxbow: the heap is damaged: %s\n", damage);
  return EXIT_UNCAUGHT;
}

/* Address space that is tried where the system refuses the usual 4 GiB (ulimit -v). */
#define MOST_SPACE ((uint64_t)1 << 31)
#define LEAST_SPACE ((uint64_t)1 << 26)

ox_VM *make_vm(const Options *o, const ox_Config *wanted) {
  ox_Config config = *wanted;
  ox_VM *vm = library_open(o, wanted);
  if (!vm) vm = ox_new(&config);
  if (vm) return vm;
  for (uint64_t space = MOST_SPACE; !vm && space >= LEAST_SPACE; space /= 2) {
    config.address_space = space;
    vm = ox_new(&config);
  }
  if (vm) return vm;

  fputs(o->max_memory && o->max_memory < 1 << 20
            ? "oxbow: --max-memory is too little to start with; 1M is enough for small programs\n"
            : "oxbow: the system refused memory for the interpreter; see ulimit -v\n",
        stderr);
  return NULL;
}

ox_Config run_config(const Options *o) {
  ox_Config config = ox_config();
  config.memory_limit = o->max_memory;
  config.fuel = o->fuel;
  config.memory_goal = o->memory_goal;
  config.gc_stress = o->gc_stress;
  config.gc_stress_seed = o->gc_stress_seed;
  config.gc_mode = o->gc_mode;
  config.snapshot_stress = o->snapshot_stress;
  config.colour = wants_colour(STDERR_FILENO);
  config.write_lines = isatty(STDOUT_FILENO);
  config.argc = o->argc;
  config.argv = o->argv;
  return config;
}

int run_command(const Options *o) {
  if (o->verify_image) return verify_image(o->verify_image);
  if (o->make_library) return library_make(o->make_library);
  ox_Config config = run_config(o);
  ox_VM *vm = o->image ? open_image(o->image, &config) : make_vm(o, &config);
  if (!vm) return EXIT_UNCAUGHT;
  int status = run_in(vm, o);
  if (o->save_image && status == EXIT_OK && !save_image(vm, o->save_image)) status = EXIT_UNCAUGHT;
  if (o->verify) status = check_heap(vm, status);
  ox_free(vm);
  return status;
}
