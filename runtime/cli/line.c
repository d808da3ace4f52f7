/* line.c - the `oxbow` command: reading lines, with GNU readline where it is installed and both
 * ends are a terminal. readline keeps its state in variables of its own and calls back without a
 * context, hence the variable here. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

bool line_is_interactive(void) { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

static char *read_plain(const char *prompt) {
  char *text = NULL;
  size_t room = 0;
  if (line_is_interactive()) fputs(prompt, stdout);
  fflush(stdout);
  ssize_t n = getline(&text, &room, stdin);
  if (n < 0 && interrupts_waiting()) putchar('\n');
  if (n < 0) {
    free(text);
    clearerr(stdin);
    return NULL;
  }
  while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) text[--n] = 0;
  return text;
}

/* Ctrl-C, and keys.
 *
 * readline's own handler of SIGINT waits for another key before it does something, and a signal
 * that comes just before a read is noticed behind it only. So ours stays installed while readline
 * reads (set_signal puts it back after readline has replaced it), and the signal is blocked but for
 * the time that we wait in. */

static int set_signal(void) {
  interrupts_catch();
  return 0;
}

/* Waits for a byte or SIGINT, with `mask` meanwhile. 0: end of input, -1: a signal, 1: a byte. */
static int wait_for_key(int fd, const sigset_t *mask, unsigned char *key) {
  struct pollfd input = {.fd = fd, .events = POLLIN};
  int n = ppoll(&input, 1, NULL, mask);
  if (n < 0) return errno == EINTR ? -1 : 0;
  ssize_t got = read(fd, key, 1);
  return got < 0 && (errno == EINTR || errno == EAGAIN) ? -1 : got == 1;
}

static int give_up_line(void) {
  fputs("^C", stdout);
  line.rl.rl_replace_line("", 0);
  return '\n';
}

static int read_key(FILE *stream) {
  sigset_t interrupt, before;
  unsigned char key = 0;
  int got = -1;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, &before);
  while (got < 0 && !interrupts_waiting()) {
    got = wait_for_key(fileno(stream), &before, &key);
    if (got < 0) line.rl.rl_check_signals(); /* the window has another size */
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (got < 0) return give_up_line();
  return got ? key : EOF;
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

/* Commands behind a colon; NULL where the text is none. */
static const char *command_name(const char *text) {
  while (*text == ' ' || *text == '\t') text++;
  return *text == ':' ? text + 1 : NULL;
}

static void complete_command(const char *name, size_t length) {
  for (const char *const *c = repl_commands; *c; c++)
    if (strncmp(*c, name, length) == 0) add_completion(NULL, *c);
}

/* What :time and ? have behind them is code; names of files follow :load alone. */
static char **complete(const char *word, int start, int end) {
  const char *text = *line.rl.rl_line_buffer, *command = command_name(text);
  (void)word;
  (void)start;
  line.count = line.next = 0;
  if (command && strncmp(command, "load ", 5) == 0) return NULL;
  *line.rl.rl_attempted_completion_over = 1;
  *line.rl.rl_completion_append_character = 0;
  if (command && !strchr(command, ' ')) complete_command(command, strlen(command));
  else ox_complete(line.vm, text, (size_t)end, add_completion, NULL);
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
  *line.rl.rl_pre_input_hook = set_signal;
  line.rl.rl_variable_bind("enable-bracketed-paste", "on");
  /* Entries carry their time, so that several lines stay one entry. */
  *line.rl.history_comment_char = '#';
  *line.rl.history_write_timestamps = 1;
  line.rl.using_history();
  if (!line.history[0]) return;
  line.rl.read_history(line.history);
  int file = open(line.history, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0) line.history[0] = 0; /* nothing can be kept */
  else close(file);
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
  if (line.editing && line.history[0]) line.rl.history_truncate_file(line.history, HISTORY_LINES);
}

static const char *last_entry(void) {
  int length = *line.rl.history_length, at = *line.rl.history_base + length - 1;
  const ReadlineEntry *last = length ? line.rl.history_get(at) : NULL;
  return last ? last->line : "";
}

void line_remember(const char *text) {
  if (!line.editing || !*text || strcmp(text, last_entry()) == 0) return;
  line.rl.add_history(text);
  if (line.history[0]) line.rl.append_history(1, line.history); /* at once: windows get closed */
}

char *line_read(const char *prompt, bool *cancelled) {
  interrupts_take();
  char *text = line.editing ? line.rl.readline(prompt) : read_plain(prompt);
  *cancelled = interrupts_take();
  if (!*cancelled) return text;
  free(text);
  return NULL;
}
