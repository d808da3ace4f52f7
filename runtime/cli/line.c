/* line.c - the `oxbow` command: reading lines, with GNU readline where it was built in and both
 * ends are a terminal. readline keeps its state in variables of its own and calls back without a
 * context, hence the variable here. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static struct {
  ox_VM *vm;
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

#ifdef HAVE_READLINE

#include <readline/history.h>
#include <readline/readline.h>

/* Reads a key. At Ctrl-C it gives the line up: readline would go on waiting for another key first. */
static int read_key(FILE *stream) {
  unsigned char key;
  for (;;) {
    ssize_t n = read(fileno(stream), &key, 1);
    if (n == 1) return key;
    if (n == 0 || errno != EINTR) return EOF;
    rl_check_signals(); /* runs our handler, on_cancel */
    if (!line_cancelled) continue;
    rl_replace_line("", 0);
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
  ox_complete(line.vm, rl_line_buffer, (size_t)end, add_completion, NULL);
  rl_attempted_completion_over = 1;
  rl_completion_append_character = 0;
  return line.count ? rl_completion_matches("", next_completion) : NULL;
}

static void find_history(void) {
  const char *file = getenv("OXBOW_HISTORY"), *home = getenv("HOME");
  int n = file   ? snprintf(line.history, sizeof line.history, "%s", file)
          : home ? snprintf(line.history, sizeof line.history, "%s/.oxbow_history", home)
                 : -1;
  if (n < 0 || (size_t)n >= sizeof line.history) line.history[0] = 0;
}

void line_begin(ox_VM *vm) {
  line.vm = vm;
  if (!line_is_interactive()) return;
  find_history();
  rl_readline_name = "oxbow";
  rl_attempted_completion_function = complete;
  rl_basic_word_break_characters = " \t\n\"\\'`@$><=;|&{(.,+-*/%^~:?[!";
  rl_getc_function = read_key;
  rl_variable_bind("enable-bracketed-paste", "on");
  history_comment_char = '#'; /* entries carry their time, so that several lines stay one entry */
  history_write_timestamps = 1;
  using_history();
  if (line.history[0]) read_history(line.history);
}

enum { HISTORY_LINES = 5000 };

void line_end(void) {
  if (!line_is_interactive() || !line.history[0]) return;
  stifle_history(HISTORY_LINES);
  write_history(line.history);
}

void line_remember(const char *text) {
  if (!line_is_interactive() || !*text) return;
  HIST_ENTRY *last = history_length ? history_get(history_base + history_length - 1) : NULL;
  if (!last || strcmp(last->line, text) != 0) add_history(text);
}

static char *read_terminal(const char *prompt) {
  return line_is_interactive() ? readline(prompt) : read_plain(prompt);
}

#else

void line_begin(ox_VM *vm) { line.vm = vm; }
void line_end(void) {}
void line_remember(const char *text) { (void)text; }
static char *read_terminal(const char *prompt) { return read_plain(prompt); }

#endif

char *line_read(const char *prompt, bool *cancelled) {
  catch_cancel();
  char *text = read_terminal(prompt);
  *cancelled = line_cancelled != 0;
  signal(SIGINT, SIG_DFL);
  if (!*cancelled) return text;
  free(text);
  return NULL;
}
