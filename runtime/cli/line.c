/* line.c - the `oxbow` command: reading lines, with GNU readline where it is installed and both ends
 * are a terminal. readline keeps its state in variables of its own and calls back without a context,
 * hence the variable here. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "readline.h"

static struct {
  ox_VM *vm;
  bool editing;                /* readline is there and in use: `rl` is filled in */
  Readline rl;
  char history[512];           /* its file, "" for none */
  char **completions;          /* of the word being completed */
  size_t count, room, next;
} line;

static volatile sig_atomic_t line_cancelled;

bool line_is_interactive(void) { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

static void on_cancel(int signal_number) {
  (void)signal_number;
  line_cancelled = 1;
}

static void catch_cancel(void) {
  struct sigaction action = {.sa_handler = on_cancel};
  line_cancelled = 0;
  sigaction(SIGINT, &action, NULL);
}

static char *read_plain(const char *prompt) {
  char *text = NULL;
  size_t room = 0;
  if (line_is_interactive()) fputs(prompt, stdout);
  fflush(stdout);
  ssize_t n = getline(&text, &room, stdin);
  if (n < 0) {
    free(text);
    clearerr(stdin);
    return NULL;
  }
  while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) text[--n] = 0;
  return text;
}

/* Reads a key. At Ctrl-C it gives the line up: readline would go on waiting for another key first. */
static int read_key(FILE *stream) {
  unsigned char key;
  for (;;) {
    ssize_t n = read(fileno(stream), &key, 1);
    if (n == 1) return key;
    if (n == 0 || errno != EINTR) return EOF;
    line.rl.rl_check_signals(); /* runs our handler, on_cancel */
    if (!line_cancelled) continue;
    line.rl.rl_replace_line("", 0);
    return '\n';
  }
}

static void add_completion(void *context, const char *text) {
  (void)context;
  if (line.count == line.room) {
    size_t room = line.room ? line.room * 2 : 64;
    char **more = realloc(line.completions, room * sizeof *more);
    if (!more) return;
    line.completions = more;
    line.room = room;
  }
  char *copy = strdup(text);
  if (copy) line.completions[line.count++] = copy;
}

/* readline asks for one completion after the other and frees each. */
static char *next_completion(const char *word, int again) {
  (void)word;
  (void)again;
  return line.next < line.count ? line.completions[line.next++] : NULL;
}

static char **complete(const char *word, int start, int end) {
  (void)word;
  (void)start;
  line.count = line.next = 0;
  ox_complete(line.vm, *line.rl.rl_line_buffer, (size_t)end, add_completion, NULL);
  *line.rl.rl_attempted_completion_over = 1;
  *line.rl.rl_completion_append_character = 0;
  return line.count ? line.rl.rl_completion_matches("", next_completion) : NULL;
}

static void find_history(void) {
  const char *file = getenv("OXBOW_HISTORY"), *home = getenv("HOME");
  int n = file   ? snprintf(line.history, sizeof line.history, "%s", file)
          : home ? snprintf(line.history, sizeof line.history, "%s/.oxbow_history", home)
                 : -1;
  if (n < 0 || (size_t)n >= sizeof line.history) line.history[0] = 0;
}

static void set_up_editing(void) {
  *line.rl.rl_readline_name = "oxbow";
  *line.rl.rl_attempted_completion_function = complete;
  *line.rl.rl_basic_word_break_characters = " \t\n\"\\'`@$><=;|&{(.,+-*/%^~:?[!";
  *line.rl.rl_getc_function = read_key;
  line.rl.rl_variable_bind("enable-bracketed-paste", "on");
  /* Entries carry their time, so that several lines stay one entry. */
  *line.rl.history_comment_char = '#';
  *line.rl.history_write_timestamps = 1;
  line.rl.using_history();
  if (line.history[0]) line.rl.read_history(line.history);
}

void line_begin(ox_VM *vm) {
  line.vm = vm;
  line.editing = line_is_interactive() && readline_load(&line.rl);
  if (!line.editing) return;
  find_history();
  set_up_editing();
}

enum { HISTORY_LINES = 5000 };

void line_end(void) {
  if (!line.editing || !line.history[0]) return;
  line.rl.stifle_history(HISTORY_LINES);
  line.rl.write_history(line.history);
}

static const char *last_entry(void) {
  int length = *line.rl.history_length;
  const ReadlineEntry *last = length ? line.rl.history_get(*line.rl.history_base + length - 1) : NULL;
  return last ? last->line : "";
}

void line_remember(const char *text) {
  if (line.editing && *text && strcmp(text, last_entry()) != 0) line.rl.add_history(text);
}

char *line_read(const char *prompt, bool *cancelled) {
  catch_cancel();
  char *text = line.editing ? line.rl.readline(prompt) : read_plain(prompt);
  *cancelled = line_cancelled != 0;
  signal(SIGINT, SIG_DFL);
  if (!*cancelled) return text;
  free(text);
  return NULL;
}
