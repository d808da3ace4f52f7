/* main.c - the `oxbow` command: reading its options. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const char usage[] =
    "usage: oxbow [options] [FILE [arguments...]]\n"
    "       oxbow run FILE [arguments...]\n"
    "\n"
    "Runs the program in FILE, or in standard input if FILE is `-` or input is not a terminal.\n"
    "Without a file on a terminal it reads, evaluates and prints.\n"
    "\n"
    "  -e CODE            run CODE instead of a file; may be repeated, all in one session\n"
    "  -c, --check        compile only: exit status 0, or 65 with the errors on standard error\n"
    "  -i                 afterwards read, evaluate and print, with what the program declared\n"
    "      --disasm       show the bytecode, run nothing\n"
    "      --max-memory=N bytes the heap may take; K, M and G may follow the number\n"
    "      --fuel=N       stop after N calls and loop turns\n"
    "      --reference    print the reference of the builtins as Markdown\n"
    "      --version      print the version and how the command was built\n"
    "  -h, --help         print this\n"
    "      --             end of options\n"
    "\n"
    "Exit status: 0 success, 1 uncaught error, 2 wrong usage or unreadable file, 65 the program\n"
    "does not compile, 130 stopped by Ctrl-C, or what the program gave to os.exit.\n"
    "NO_COLOR in the environment turns colours off.\n";

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

/* Signal handlers have no context, so this is the command's one variable outside of a function. */
static ox_VM *volatile interrupted_vm;

static void on_interrupt(int signal_number) {
  signal(signal_number, SIG_DFL); /* the next one ends the process */
  ox_VM *vm = interrupted_vm;
  if (vm) ox_interrupt(vm);
}

void interrupts_begin(ox_VM *vm) {
  interrupted_vm = vm;
  struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: reads return */
  sigaction(SIGINT, &action, NULL);
}

void interrupts_end(void) {
  signal(SIGINT, SIG_DFL);
  interrupted_vm = NULL;
}

/* ---- options --------------------------------------------------------------------------------- */

static int wrong_usage(const char *what, const char *which) {
  const char *blank = which ? " " : "";
  fprintf(stderr, "oxbow: %s%s%s\nTry `oxbow --help`.\n", what, blank, which ? which : "");
  return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t *number) {
  char *end;
  errno = 0;
  *number = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && errno == 0;
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
  return !__builtin_mul_overflow(*bytes, factor, bytes);
}

static void write_stdout(void *context, const char *bytes, size_t length) {
  (void)context;
  fwrite(bytes, 1, length, stdout);
}

static int print_version(void) {
#ifdef HAVE_READLINE
  const char *editing = "readline";
#else
  const char *editing = "no readline";
#endif
  printf("oxbow %s (%s, %s)\n", ox_version(), ox_build_info(), editing);
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
static int print_option(const char *arg) {
  if (is_option(arg, "-h", "--help")) return fputs(usage, stdout) < 0;
  if (strcmp(arg, "--version") == 0) return print_version();
  if (strcmp(arg, "--reference") == 0) return ox_reference(write_stdout, NULL), EXIT_OK;
  return -1;
}

static bool flag_option(Options *o, const char *arg) {
  bool *flag = is_option(arg, "-c", "--check")          ? &o->check
               : is_option(arg, "-i", "--interactive")  ? &o->interactive
               : strcmp(arg, "--disasm") == 0           ? &o->disassemble
               : strcmp(arg, "--gc-stress") == 0        ? &o->gc_stress
               : strcmp(arg, "--verify") == 0           ? &o->verify
                                                        : NULL;
  if (flag) *flag = true;
  return flag != NULL;
}

/* One option at argv[*i]. -1: go on, else the exit status. */
static int read_option(Options *o, int argc, char **argv, int *i) {
  const char *arg = argv[*i], *value;
  int status = print_option(arg);
  if (status >= 0) return status;
  if (flag_option(o, arg)) return -1;
  if (strcmp(arg, "-e") == 0) {
    if (*i + 1 >= argc) return wrong_usage("-e needs code behind it", NULL);
    o->codes[o->ncodes++] = argv[++*i];
    return -1;
  }
  if ((value = option_value("--max-memory", argc, argv, i)))
    return parse_size(value, &o->max_memory) ? -1 : wrong_usage("--max-memory: not a size:", value);
  if ((value = option_value("--fuel", argc, argv, i)))
    return parse_number(value, &o->fuel) ? -1 : wrong_usage("--fuel: not a number:", value);
  return wrong_usage("unknown option", arg);
}

/* -1: all is well, else the exit status. */
static int read_options(Options *o, int argc, char **argv) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    int status = read_option(o, argc, argv, &i);
    if (status >= 0) return status;
  }
  if (i < argc && !o->ncodes && strcmp(argv[i], "run") == 0 && ++i == argc)
    return wrong_usage("run needs a file", NULL);
  if (i < argc && !o->ncodes) o->file = argv[i++];
  o->argc = argc - i;
  o->argv = argv + i;
  return -1;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_DFL); /* `oxbow ... | head` ends in silence, whatever our parent ignores */
  Options options = {0};
  options.codes = calloc((size_t)argc, sizeof *options.codes);
  if (!options.codes) return EXIT_UNCAUGHT;
  int status = read_options(&options, argc, argv);
  if (status < 0) status = run_command(&options);
  free(options.codes);
  if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_OK) {
    fputs("oxbow: standard output cannot be written\n", stderr);
    status = EXIT_UNCAUGHT;
  }
  return status;
}
