/* options.c - the `oxbow` command: reading its options. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "readline.h"

static const char usage[] =
    "usage: oxbow [options] [FILE [arguments...]]\n"
    "       oxbow run FILE [arguments...]\n"
    "       oxbow test [-v] [--filter TEXT] [FILE or FOLDER...]\n"
    "\n"
    "Runs the program in FILE, or in standard input if FILE is `-` or input is not a terminal.\n"
    "Without a file on a terminal it reads, evaluates and prints.\n"
    "`oxbow test` runs the tests in files, and in all files *.oxb below folders.\n"
    "\n"
    "  -e CODE            run CODE instead of a file; may be repeated, all in one session\n"
    "  -c, --check        compile only: exit status 0, or 65 with the errors on standard error\n"
    "  -i                 afterwards read, evaluate and print, with what the program declared\n"
    "      --image=FILE   begin with the state saved in FILE: run a program or -e in it, else prompt\n"
    "      --save-image=FILE  afterwards save the state to FILE\n"
    "      --verify=FILE  prove that the image in FILE is whole, and run nothing\n"
    "      --library=FILE the image of the standard library to begin with; none if FILE is empty\n"
    "      --make-library=FILE  make that image, as the build does\n"
    "      --disasm       show the bytecode, run nothing\n"
    "      --max-memory=N bytes the heap may take; K, M and G may follow the number\n"
    "      --memory-goal=N  collect more often as the heap comes near N bytes\n"
    "      --gc=MODE      adaptive (the default), generational, incremental, stop-world or off\n"
    "      --fuel=N       stop after N calls and loop turns\n"
    "      --filter TEXT  oxbow test: only tests with TEXT in their names\n"
    "  -v, --verbose      oxbow test: show each test, and all that is known of failures\n"
    "      --reference    print the reference of the builtins as Markdown\n"
    "      --version      print the version and how the command was built\n"
    "  -h, --help         print this\n"
    "      --             end of options\n"
    "\n"
    "Exit status: 0 success, 1 uncaught error or failed test, 2 wrong usage or unreadable file,\n"
    "65 the program does not compile, 130 stopped by Ctrl-C, or what the program gave to os.exit.\n"
    "NO_COLOR in the environment turns colours off.\n";

static int wrong_usage(const char *what, const char *which) {
  const char *blank = which ? " " : "";
  fprintf(stderr, "oxbow: %s%s%s\nTry `oxbow --help`.\n", what, blank, which ? which : "");
  return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t *number) {
  char *end;
  errno = 0;
  *number = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && errno == 0 && *number > 0;
}

/* A number of bytes with K, M or G behind it. */
static bool parse_size(const char *text, uint64_t *bytes) {
  static const char units[] = "KMG";
  char *end;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  *bytes = strtoull(text, &end, 10);
  const char *unit = *end ? strchr(units, *end & ~32) : NULL;
  if (errno || (*end && (!unit || end[1]))) return false;
  uint64_t factor = unit ? (uint64_t)1024 << 10 * (unit - units) : 1;
  return *bytes > 0 && !__builtin_mul_overflow(*bytes, factor, bytes);
}

static bool parse_gc_mode(const char *text, ox_GcMode *mode) {
  static const char *const names[] = {"adaptive", "off", "stop-world", "generational",
                                      "incremental"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    *mode = (ox_GcMode)i;
    return true;
  }
  return false;
}

static void write_stdout(void *context, const char *bytes, size_t length) {
  (void)context;
  fwrite(bytes, 1, length, stdout);
}

static int print_version(const Options *o) {
  char path[8192];
  ox_Config config = ox_config();
  Readline table;
  const char *editing = readline_load(&table) ? "readline" : "no readline";
  printf("oxbow %s (%s, %s)\n", ox_version(), ox_build_info(), editing);
  ox_VM *vm = library_open(o, &config);
  printf("library: %s\n", vm ? library_find(o, path, sizeof path) : "no image, compiled when used");
  ox_free(vm);
  return EXIT_OK;
}

/* If argv[*i] is NAME=value or NAME followed by a value, gives the value; NULL if it is neither. An
 * option without its value gives "". */
static const char *option_value(const char *name, int argc, char **argv, int *i) {
  size_t n = strlen(name);
  if (strncmp(argv[*i], name, n) != 0) return NULL;
  if (argv[*i][n] == '=') return argv[*i] + n + 1;
  if (argv[*i][n]) return NULL;
  return *i + 1 < argc ? argv[++*i] : "";
}

static bool is_option(const char *arg, const char *brief, const char *full) {
  return (brief && strcmp(arg, brief) == 0) || strcmp(arg, full) == 0;
}

/* Options that only print something. -1: it is none. */
static int print_option(const Options *o, const char *arg) {
  if (is_option(arg, "-h", "--help")) return fputs(usage, stdout) < 0;
  if (strcmp(arg, "--version") == 0) return print_version(o);
  if (strcmp(arg, "--reference") == 0) return ox_reference(write_stdout, NULL), EXIT_OK;
  return -1;
}

static bool flag_option(Options *o, const char *arg) {
  bool *flag = is_option(arg, "-c", "--check")          ? &o->check
               : is_option(arg, "-i", "--interactive")  ? &o->interactive
               : is_option(arg, "-v", "--verbose")      ? &o->verbose
               : strcmp(arg, "--disasm") == 0           ? &o->disassemble
               : strcmp(arg, "--gc-stress") == 0        ? &o->gc_stress
               : strcmp(arg, "--snapshot-stress") == 0  ? &o->snapshot_stress
               : strcmp(arg, "--verify") == 0           ? &o->verify
                                                        : NULL;
  if (flag) *flag = true;
  return flag != NULL;
}

static int wrong_size(const char *option, const char *value, const char *example) {
  if (!*value) fprintf(stderr, "oxbow: %s needs a number: %s=%s\n", option, option, example);
  else
    fprintf(stderr, "oxbow: %s: '%s' is not a number as in %s=%s\n", option, value, option,
            example);
  return EXIT_USAGE;
}

static int unknown_option(const char *arg) {
  static const char *const names[] = {"-e", "-c", "--check", "-i", "--interactive", "--disasm",
                                      "--max-memory", "--memory-goal", "--gc", "--fuel", "--filter",
                                      "-v", "--verbose", "--image", "--save-image", "--library",
                                      "--make-library", "--verify",
                                      "--reference", "--version", "-h", "--help"};
  char name[32];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(arg, "="), arg);
  const char *near = nearest_name(name, names, sizeof names / sizeof *names);
  if (strcmp(arg, "-V") == 0) near = "--version";
  if (!near) return wrong_usage("unknown option", arg);
  fprintf(stderr, "oxbow: unknown option %s, did you mean %s?\nTry `oxbow --help`.\n", arg, near);
  return EXIT_USAGE;
}

static int file_option(const char **file, const char *option, const char *value) {
  *file = value;
  if (*value) return -1;
  fprintf(stderr, "oxbow: %s needs a file: %s=session.img\nTry `oxbow --help`.\n", option, option);
  return EXIT_USAGE;
}

/* One option at argv[*i]. -1: go on, else the exit status. */
static int read_option(Options *o, int argc, char **argv, int *i) {
  const char *arg = argv[*i], *value;
  int status = print_option(o, arg);
  if (status >= 0) return status;
  if (flag_option(o, arg)) return -1;
  if (strcmp(arg, "-e") == 0) {
    if (*i + 1 >= argc) return wrong_usage("-e needs code behind it: oxbow -e 'print(1)'", NULL);
    o->codes[o->ncodes++] = argv[++*i];
    return -1;
  }
  if ((value = option_value("--gc", argc, argv, i)))
    return parse_gc_mode(value, &o->gc_mode) ? -1 : wrong_usage("--gc: no such mode:", value);
  if ((value = option_value("--memory-goal", argc, argv, i)))
    return parse_size(value, &o->memory_goal) ? -1 : wrong_size("--memory-goal", value, "64M");
  if ((value = option_value("--max-memory", argc, argv, i)))
    return parse_size(value, &o->max_memory) ? -1 : wrong_size("--max-memory", value, "64M");
  if (strncmp(arg, "--gc-stress=", 12) == 0)
    return parse_number(arg + 12, &o->gc_stress_seed) ? -1 : wrong_size("--gc-stress", arg + 12, "1");
  if ((value = option_value("--fuel", argc, argv, i)))
    return parse_number(value, &o->fuel) ? -1 : wrong_size("--fuel", value, "1000000");
  if ((value = option_value("--image", argc, argv, i))) return file_option(&o->image, "--image", value);
  if ((value = option_value("--save-image", argc, argv, i)))
    return file_option(&o->save_image, "--save-image", value);
  if (strncmp(arg, "--library=", 10) == 0) return o->library = arg + 10, -1;
  if (strncmp(arg, "--make-library=", 15) == 0)
    return file_option(&o->make_library, "--make-library", arg + 15);
  if (strncmp(arg, "--verify=", 9) == 0) return file_option(&o->verify_image, "--verify", arg + 9);
  if ((value = option_value("--filter", argc, argv, i))) {
    o->filter = value;
    return *value ? -1 : wrong_usage("--filter needs a part of a name behind it", NULL);
  }
  return unknown_option(arg);
}

/* Options from argv[*i] on, up to the first word that is none. -1: go on, else the exit status. */
static int read_leading(Options *o, int argc, char **argv, int *i) {
  for (; *i < argc && argv[*i][0] == '-' && argv[*i][1]; ++*i) {
    if (strcmp(argv[*i], "--") == 0) {
      o->ended = true;
      ++*i;
      break;
    }
    int status = read_option(o, argc, argv, i);
    if (status >= 0) return status;
  }
  return -1;
}

/* `oxbow test`: options may stand between the paths, which are gathered at the front. */
static int read_test(Options *o, int argc, char **argv, int i) {
  int count = 0;
  o->test = true;
  o->argv = argv + i;
  while (i < argc) {
    int status = o->ended ? -1 : read_leading(o, argc, argv, &i);
    if (status >= 0) return status;
    if (i < argc) o->argv[count++] = argv[i++];
  }
  o->argc = count;
  if (o->check || o->interactive || o->disassemble || o->ncodes || o->image || o->save_image)
    return wrong_usage("`oxbow test` goes with -v, --filter, --max-memory and --fuel only", NULL);
  return -1;
}

int options_read(Options *o, int argc, char **argv) {
  int i = 1, status = read_leading(o, argc, argv, &i);
  if (status >= 0) return status;
  const char *word = i < argc && !o->ncodes && !o->ended ? argv[i] : "";
  if (strcmp(word, "test") == 0) return read_test(o, argc, argv, i + 1);
  if (o->verbose)
    return wrong_usage("-v goes with `oxbow test`; --version prints the version", NULL);
  if (o->filter) return wrong_usage("--filter goes with `oxbow test`", NULL);
  if (strcmp(word, "run") == 0) {
    i++;
    if ((status = read_leading(o, argc, argv, &i)) >= 0) return status;
    if (i == argc) return wrong_usage("run needs a file: oxbow run FILE", NULL);
  }
  if (i < argc && !o->ncodes) o->file = argv[i++];
  if ((o->check || o->disassemble) && (o->image || o->save_image))
    return wrong_usage("--image and --save-image go with running a program, not with -c or --disasm",
                       NULL);
  o->argc = argc - i;
  o->argv = argv + i;
  return -1;
}

/* ---- names nearly right ---------------------------------------------------------------------- */

enum { NAME_MAX_COMPARED = 31 };

/* Whether two neighbours in `a` change places in `b`, and nothing else differs. */
static bool is_swapped(const char *a, const char *b) {
  size_t i = 0;
  while (a[i] && a[i] == b[i]) i++;
  bool swapped = a[i] && a[i + 1] && b[i] == a[i + 1] && b[i + 1] == a[i];
  return swapped && strcmp(a + i + 2, b + i + 2) == 0;
}

/* How many letters have to be put in, taken out or changed to make one name of the other. */
static size_t distance(const char *a, const char *b) {
  size_t row[NAME_MAX_COMPARED + 1], la = strlen(a), lb = strlen(b);
  if (is_swapped(a, b)) return 1;
  if (la > NAME_MAX_COMPARED || lb > NAME_MAX_COMPARED) return SIZE_MAX;
  for (size_t j = 0; j <= lb; j++) row[j] = j;
  for (size_t i = 1; i <= la; i++) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= lb; j++) {
      size_t best = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[lb];
}

const char *nearest_name(const char *name, const char *const *names, size_t count) {
  size_t least = strlen(name) / 3 + 1;
  const char *near = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t d = distance(name, names[i]);
    if (strlen(names[i]) > 2 && strncmp(name, names[i], strlen(name)) == 0) d = 0; /* a beginning */
    if (strlen(names[i]) <= d + 1 || d >= least) continue;
    least = d;
    near = names[i];
  }
  return near;
}
