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
  Timeline *timeline;
  char *text;          /* the piece being typed */
  size_t length, room;
  int pieces;          /* for names in reports */
  bool quit;
  int status;          /* of a program that called os.exit */
} Repl;

static const char help_text[] =
    "Type an expression or a statement; what it gives is shown, and `_` is the last value shown.\n"
    "  ?name        what is known of a name, and where it is declared: ?len, ?math.sqrt, ?mine\n"
    "  :time CODE   runs CODE and says how long it took\n"
    "  :mem         the memory in use\n"
    "  :load FILE   runs a file as if it were typed here\n"
    "  :undo [N]    takes back what the last N pieces of input did; :redo [N]\n"
    "  :snap NAME   names the present state; :back NAME returns to it; :branches lists them\n"
    "  :diff A [B]  what differs between two named states, or one and the present\n"
    "  :save FILE   saves the state of the session; `oxbow --image FILE` goes on from it\n"
    "  :try CODE    runs CODE, shows what it gives, and takes back what it did\n"
    "  :help        this\n"
    "  :quit        ends the session, as Ctrl-D and `exit` do\n"
    "Tab completes names and members, arrows bring back what was typed. Lines go on where\n"
    "something is open. Ctrl-C stops what is running, or gives up what is being typed. What fails\n"
    "or is stopped leaves the session as it was.\n";

/* ---- evaluating ------------------------------------------------------------------------------ */

/* Shows a value unless it is nil, and makes it `_`. */
static ox_Status show_value(Repl *r, ox_Value value) {
  size_t length;
  if (ox_type(value) == OX_TYPE_NIL || ox_type(value) == OX_TYPE_NONE) return OX_OK;
  ox_set(r->vm, "_", value);
  char *text = show_for_people(r->vm, value, &length);
  if (!text) {
    const ox_Error *error = ox_error(r->vm);
    return error ? error->status : OX_NO_MEMORY;
  }
  fwrite(text, 1, length, stdout);
  putchar('\n');
  free(text);
  return OX_OK;
}

/* A text that begins with a brace is a block to the language, but here more often a map: it is
 * tried as one first. OX_SYNTAX: it is none. */
static ox_Status evaluate_map(Repl *r, const char *text, size_t length, const char *name,
                              ox_Value *value) {
  char *wrapped;
  if (text[strspn(text, " \t")] != '{' || asprintf(&wrapped, "(%.*s)", (int)length, text) < 0)
    return OX_SYNTAX;
  ox_Status status = ox_eval(r->vm, wrapped, strlen(wrapped), name, value);
  free(wrapped);
  return status == OX_INCOMPLETE ? OX_SYNTAX : status;
}

/* Evaluates and shows. OX_INCOMPLETE is left to the caller. */
static ox_Status evaluate(Repl *r, const char *text, size_t length, const char *name) {
  ox_Value value;
  ox_Scope scope = ox_scope_open(r->vm);
  interrupts_begin(r->vm);
  ox_Status status = evaluate_map(r, text, length, name, &value);
  if (status == OX_SYNTAX) status = ox_eval(r->vm, text, length, name, &value);
  if (status == OX_OK) status = show_value(r, value);
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

/* A piece is a transaction: what one that fails has done is undone. */
static ox_Status evaluate_piece(Repl *r, const char *text, size_t length, const char *name) {
  timeline_open(r->timeline);
  ox_Status status = evaluate(r, text, length, name);
  if (status == OX_INCOMPLETE) timeline_cancel(r->timeline);
  else if (status == OX_OK || status == OX_EXITED) timeline_keep(r->timeline);
  else timeline_undo_piece(r->timeline);
  return status;
}

static void evaluate_whole(Repl *r, const char *text, size_t length, const char *name) {
  ox_Status status = evaluate_piece(r, text, length, name);
  if (status == OX_INCOMPLETE) report_failure(r->vm, status);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* A path from malloc, `~/` at its front being the user's folder. */
static char *expand_path(const char *path) {
  const char *home = strncmp(path, "~/", 2) == 0 ? getenv("HOME") : NULL;
  char *expanded;
  if (!home) return strdup(path);
  return asprintf(&expanded, "%s%s", home, path + 1) < 0 ? NULL : expanded;
}

static void command_load(Repl *r, const char *rest) {
  size_t length;
  if (!*rest) {
    fputs(":load needs a file: `:load program.oxb`\n", stderr);
    return;
  }
  char *path = expand_path(rest), *text = path ? read_source(path, &length) : NULL;
  if (text) evaluate_whole(r, text, length, path);
  free(text);
  free(path);
}

static void command_save(Repl *r, const char *rest) {
  if (!*rest) {
    fputs(":save needs a file: `:save session.img`\n", stderr);
    return;
  }
  ox_ImageStats s = {.size = sizeof s};
  char *path = expand_path(rest);
  if (path && ox_image_save(r->vm, path, &s) == OX_OK)
    printf("saved, %.1f KiB; `oxbow --image %s` goes on from here\n", (double)s.file_bytes / 1024,
           path);
  else
    fprintf(stderr, "%s\n", path ? ox_error(r->vm)->message : "out of memory");
  free(path);
}

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void command_time(Repl *r, const char *code) {
  if (!*code) {
    fputs(":time needs code: `:time sum(0..1000)`\n", stderr);
    return;
  }
  ox_Stats before = {.size = sizeof before}, after = {.size = sizeof after};
  ox_stats(r->vm, &before);
  double start = seconds_now();
  evaluate_whole(r, code, strlen(code), "<time>");
  double seconds = seconds_now() - start;
  ox_stats(r->vm, &after);
  uint64_t allocated = after.allocated_bytes > before.allocated_bytes /* an estimate: may shrink */
                           ? after.allocated_bytes - before.allocated_bytes : 0;
  printf("%.6f s, %llu bytes allocated, %llu collections\n", seconds,
         (unsigned long long)allocated,
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

static void command_undo(Repl *r, const char *rest) { timeline_undo(r->timeline, rest); }
static void command_redo(Repl *r, const char *rest) { timeline_redo(r->timeline, rest); }
static void command_snap(Repl *r, const char *rest) { timeline_name(r->timeline, rest); }
static void command_back(Repl *r, const char *rest) { timeline_back(r->timeline, rest); }
static void command_branches(Repl *r, const char *rest) {
  (void)rest;
  timeline_branches(r->timeline);
}

static void command_diff(Repl *r, const char *rest) { timeline_diff(r->timeline, rest); }

static void command_try(Repl *r, const char *code) {
  if (!*code) {
    fputs(":try needs code: `:try xs.pop()`\n", stderr);
    return;
  }
  timeline_open(r->timeline);
  ox_Status status = evaluate(r, code, strlen(code), "<try>");
  if (status == OX_INCOMPLETE) report_failure(r->vm, status);
  timeline_undo_piece(r->timeline);
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

const char *const repl_commands[] = {"help", "load", "mem",  "quit", "time", "q",        "exit",
                                     "undo", "redo", "snap", "back", "try",  "branches", "save",
                                     "diff", NULL};
static void (*const command_functions[])(Repl *r, const char *rest) = {
    command_help, command_load, command_mem,  command_quit, command_time,
    command_quit, command_quit, command_undo, command_redo, command_snap,
    command_back, command_try,  command_branches, command_save,
    command_diff,
};
enum { COMMANDS = sizeof command_functions / sizeof *command_functions };

static void run_colon_command(Repl *r, const char *text) {
  char name[32], rest[4096];
  size_t n = strcspn(text, " \t");
  snprintf(name, sizeof name, "%.*s", (int)n, text);
  int length = snprintf(rest, sizeof rest, "%s", text + n + strspn(text + n, " \t"));
  if (length >= (int)sizeof rest) {
    fputs("a command takes at most 4095 bytes\n", stderr);
    return;
  }
  while (length > 0 && strchr(" \t", rest[length - 1])) rest[--length] = 0;
  for (int i = 0; i < COMMANDS; i++)
    if (strcmp(repl_commands[i], name) == 0) return command_functions[i](r, rest);
  const char *near = nearest_name(name, repl_commands, COMMANDS);
  if (near) fprintf(stderr, "there is no command :%s, did you mean :%s?\n", name, near);
  else fprintf(stderr, "there is no command :%s; :help lists them\n", name);
}

static void print_doc(void *context, const ox_Doc *doc) {
  (void)context;
  if (*doc->module && strcmp(doc->module, doc->signature) != 0) printf("%s: ", doc->module);
  puts(doc->signature);
  for (const char *text = doc->doc, *end; *text; text = *end ? end + 1 : end) {
    end = text + strcspn(text, "\n");
    printf("    %.*s\n", (int)(end - text), text);
  }
  if (doc->file) printf("    defined in %s, line %d\n", doc->file, doc->line);
}

static void print_placed(void *context, const ox_Doc *doc) {
  *(bool *)context = doc->file != NULL;
  if (doc->file) print_doc(NULL, doc);
}

static void show_unknown(Repl *r, const char *name) {
  ox_Value value;
  ox_Scope scope = ox_scope_open(r->vm);
  if (ox_get(r->vm, name, &value) == OX_OK)
    printf("%s is a value of this session, of type %s\n", name, ox_type_name(r->vm, value));
  else
    printf("nothing is known of '%s'\n", name);
  ox_scope_close(r->vm, scope);
}

/* What the session declares comes first: it hides builtins of the same name. */
static void show_doc(Repl *r, const char *text) {
  char name[128];
  text += strspn(text, " \t(\"'");
  size_t n = strcspn(text, " \t?()\"'");
  if (n == 0 || n >= sizeof name) {
    fputs(help_text, stdout);
    return;
  }
  memcpy(name, text, n);
  name[n] = 0;
  bool found = false;
  ox_describe(r->vm, name, print_placed, &found);
  found = found || ox_find_doc(name, print_doc, NULL) || ox_describe(r->vm, name, print_doc, NULL);
  if (!found) show_unknown(r, name);
}

/* ---- words that other languages' prompts know ------------------------------------------------ */

static bool is_word(const char *text, const char *word) {
  size_t n = strlen(word);
  if (strncmp(text, word, n) != 0) return false;
  text += n;
  text += strspn(text, " \t");
  if (strncmp(text, "()", 2) == 0) text += 2;
  return text[strspn(text, " \t;")] == 0;
}

static bool is_declared(Repl *r, const char *name) {
  ox_Value value;
  return ox_get(r->vm, name, &value) == OX_OK;
}

/* `exit`, `quit` and `help` do what they say as long as the program declares no such names. */
static bool run_word(Repl *r, const char *text) {
  bool exits = is_word(text, "exit"), quits = is_word(text, "quit");
  if ((exits && !is_declared(r, "exit")) || (quits && !is_declared(r, "quit"))) {
    r->quit = true;
    return true;
  }
  if (strncmp(text, "help", 4) != 0 || is_declared(r, "help")) return false;
  if (is_word(text, "help")) return fputs(help_text, stdout), true;
  if (text[4] != ' ' && text[4] != '(') return false;
  return show_doc(r, text + 4), true;
}

/* `name?` asks like `?name`. */
static bool asks_behind(const char *text) {
  size_t n = strcspn(text, "? \t\n()[]{}\"+-*/=");
  return n > 0 && text[n] == '?' && text[n + 1 + strspn(text + n + 1, " \t")] == 0;
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

/* Commands, questions and words, which are a line by themselves. */
static bool take_command(Repl *r, const char *text) {
  const char *start = text + strspn(text, " \t");
  if (strchr(start, '\n')) return false;
  if (*start == ':') run_colon_command(r, start + 1);
  else if (*start == '?') show_doc(r, start + 1);
  else if (asks_behind(start)) show_doc(r, start);
  else if (!run_word(r, start)) return false;
  line_remember(text);
  fflush(stdout);
  return true;
}

static void take_line(Repl *r, const char *text) {
  bool first = r->length == 0;
  if (first && (!text[strspn(text, " \t\n")] || take_command(r, text))) return;
  if (!append(r, text)) return;
  char name[32];
  snprintf(name, sizeof name, "<input %d>", r->pieces + 1);
  if (evaluate_piece(r, r->text, r->length, name) == OX_INCOMPLETE) return;
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
  Repl repl = {.vm = vm, .timeline = timeline_new(vm)};
  if (!repl.timeline) {
    fputs("oxbow: the system refused memory for the prompt\n", stderr);
    return EXIT_UNCAUGHT;
  }
  line_begin(vm);
  interrupts_keep_session(true);
  if (line_is_interactive()) printf("Oxbow %s. :help explains, Ctrl-D leaves.\n", ox_version());
  read_pieces(&repl);
  if (line_is_interactive() && !repl.quit) putchar('\n');
  line_end();
  interrupts_keep_session(false);
  free(repl.text);
  timeline_free(repl.timeline);
  return repl.status;
}
