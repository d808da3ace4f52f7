/* repl.c - the `oxbow` command: read, evaluate, print. Each piece of input is evaluated in the VM's
 * session; input that the parser finds incomplete asks for more lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

typedef struct Repl {
  ox_VM *vm;
  char *text;          /* the piece being typed */
  size_t length, room;
  int pieces;          /* for names in reports */
  bool quit;
  int status;          /* of a program that called os.exit */
} Repl;

static const char help_text[] =
    "Type an expression or a statement; what it gives is shown, and `_` is the last value shown.\n"
    "  ?name        what is known of a builtin: ?len, ?math.sqrt, ?string\n"
    "  :time CODE   runs CODE and says how long it took\n"
    "  :mem         the memory in use\n"
    "  :load FILE   runs a file as if it were typed here\n"
    "  :help        this\n"
    "  :quit        ends the session, as Ctrl-D does\n"
    "Ctrl-C stops what is running and keeps the session.\n";

/* ---- evaluating ------------------------------------------------------------------------------ */

/* Shows a value as a literal, unless it is nil, and makes it `_`. */
static void show_value(Repl *r, ox_Value value) {
  if (ox_type(value) == OX_TYPE_NIL || ox_type(value) == OX_TYPE_NONE) return;
  ox_Value shown = ox_show(r->vm, value, true);
  size_t length;
  const char *text = ox_as_string(r->vm, shown, &length);
  if (!text) {
    const ox_Error *error = ox_error(r->vm);
    fprintf(stderr, "cannot show the value: %s\n", error ? error->message : "out of memory");
    return;
  }
  fwrite(text, 1, length, stdout);
  putchar('\n');
  ox_set(r->vm, "_", value);
}

/* Evaluates and shows. OX_INCOMPLETE is left to the caller. */
static ox_Status evaluate(Repl *r, const char *text, size_t length, const char *name) {
  ox_Value value;
  ox_Scope scope = ox_scope_open(r->vm);
  interrupts_begin(r->vm);
  ox_Status status = ox_eval(r->vm, text, length, name, &value);
  if (status == OX_OK) show_value(r, value);
  interrupts_end();
  if (status == OX_EXITED) {
    r->quit = true;
    r->status = ox_exit_code(r->vm) & 0xFF;
  } else if (status != OX_OK && status != OX_INCOMPLETE) {
    fflush(stdout);
    report_failure(r->vm, status);
  }
  ox_scope_close(r->vm, scope);
  fflush(stdout);
  return status;
}

static void evaluate_whole(Repl *r, const char *text, size_t length, const char *name) {
  ox_Status status = evaluate(r, text, length, name);
  if (status == OX_INCOMPLETE) report_failure(r->vm, status);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void command_load(Repl *r, const char *path) {
  size_t length;
  char *text = read_source(path, &length);
  if (!text) return;
  evaluate_whole(r, text, length, path);
  free(text);
}

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void command_time(Repl *r, const char *code) {
  ox_Stats before = {.size = sizeof before}, after = {.size = sizeof after};
  ox_stats(r->vm, &before);
  double start = seconds_now();
  evaluate_whole(r, code, strlen(code), "<time>");
  double seconds = seconds_now() - start;
  ox_stats(r->vm, &after);
  printf("%.6f s, %llu bytes allocated, %llu collections\n", seconds,
         (unsigned long long)(after.allocated_bytes - before.allocated_bytes),
         (unsigned long long)(after.collections - before.collections));
}

static void command_mem(Repl *r, const char *rest) {
  (void)rest;
  ox_Stats s = {.size = sizeof s};
  ox_stats(r->vm, &s);
  printf("in use %.1f KiB, alive at the last collection %.1f KiB, taken from the system %.1f KiB\n"
         "peak %.1f KiB, %llu collections in %.1f ms, the longest %.2f ms\n",
         (double)s.used_bytes / 1024, (double)s.live_bytes / 1024, (double)s.committed_bytes / 1024,
         (double)s.peak_bytes / 1024, (unsigned long long)s.collections,
         (double)s.collect_ns / 1e6, (double)s.collect_ns_max / 1e6);
}

static void command_help(Repl *r, const char *rest) {
  (void)r;
  (void)rest;
  fputs(help_text, stdout);
}

static void command_quit(Repl *r, const char *rest) {
  (void)rest;
  r->quit = true;
}

static const struct {
  const char *name;
  void (*run)(Repl *r, const char *rest);
} commands[] = {
    {"help", command_help}, {"load", command_load}, {"mem", command_mem},
    {"quit", command_quit}, {"q", command_quit},    {"time", command_time},
};

static void run_colon_command(Repl *r, const char *text) {
  size_t n = strcspn(text, " \t");
  const char *rest = text + n + strspn(text + n, " \t");
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (strlen(commands[i].name) == n && strncmp(commands[i].name, text, n) == 0)
      return commands[i].run(r, rest);
  fprintf(stderr, "there is no command :%.*s; try :help\n", (int)n, text);
}

static void print_doc(void *context, const ox_Doc *doc) {
  (void)context;
  if (*doc->module && strcmp(doc->module, doc->signature) != 0) printf("%s: ", doc->module);
  printf("%s\n    %s\n", doc->signature, doc->doc);
}

static void show_doc(Repl *r, const char *text) {
  char name[128];
  size_t n = strcspn(text, " \t?");
  ox_Value value;
  if (n == 0 || n >= sizeof name) {
    fputs(help_text, stdout);
    return;
  }
  memcpy(name, text, n);
  name[n] = 0;
  if (ox_find_doc(name, print_doc, NULL) > 0) return;
  if (ox_get(r->vm, name, &value) == OX_OK)
    printf("%s is a value of this session, of type %s\n", name, ox_type_name(r->vm, value));
  else
    printf("nothing is known of '%s'\n", name);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static bool append(Repl *r, const char *text) {
  size_t n = strlen(text);
  if (r->length + n + 2 > r->room) {
    size_t room = (r->length + n + 2) * 2;
    char *more = realloc(r->text, room);
    if (!more) return false;
    r->text = more;
    r->room = room;
  }
  if (r->length) r->text[r->length++] = '\n';
  memcpy(r->text + r->length, text, n + 1);
  r->length += n;
  return true;
}

static void take_line(Repl *r, const char *text) {
  const char *start = text + strspn(text, " \t");
  if (r->length == 0 && (*start == ':' || *start == '?')) {
    line_remember(text);
    if (*start == ':') run_colon_command(r, start + 1);
    else show_doc(r, start + 1);
    fflush(stdout);
    return;
  }
  if ((r->length == 0 && !*start) || !append(r, text)) return;
  char name[32];
  snprintf(name, sizeof name, "<input %d>", r->pieces + 1);
  if (evaluate(r, r->text, r->length, name) == OX_INCOMPLETE) return;
  line_remember(r->text);
  r->pieces++;
  r->length = 0;
}

/* At the end of input with a piece begun: says what is missing. False: there was none. */
static bool end_piece(Repl *r) {
  if (r->length == 0) return false;
  evaluate_whole(r, r->text, r->length, "<input>");
  r->length = 0;
  return line_is_interactive();
}

static void read_pieces(Repl *r) {
  while (!r->quit) {
    bool cancelled;
    char *text = line_read(r->length ? "... " : "> ", &cancelled);
    if (cancelled) {
      r->length = 0;
    } else if (text) {
      take_line(r, text);
      free(text);
    } else if (!end_piece(r)) {
      break;
    }
  }
}

int repl_run(ox_VM *vm) {
  Repl repl = {.vm = vm};
  line_begin(vm);
  if (line_is_interactive()) printf("Oxbow %s. :help explains, Ctrl-D leaves.\n", ox_version());
  read_pieces(&repl);
  if (line_is_interactive() && !repl.quit) putchar('\n');
  line_end();
  free(repl.text);
  return repl.status;
}
