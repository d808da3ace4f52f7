// run_lang: runs Oxbow programs and compares what they do with what they say they do.
//
//   run_lang [options] OXBOW PATH...
//
// A PATH is a folder of tests, one test file, a `.md` file whose fenced blocks are programs, or
// (after --examples) a folder of examples with their outputs under `expected/`.
//
// A program states its expectations beside the line that causes them:
//
//   print(1 + 2)          #=> 3            one line of standard output, in order
//   [1][5]                #!> error: 5     an uncaught error at this line: exit status 1, the first
//                                          line of the report names the line and has the text
//   throw 42              #!> uncaught: 42 the same for a value that is no error
//   let a = nope          #!compile> nope  a compile error at this line: exit status 65
//   io.stderr.write("x")  #!stderr> x      some line of standard error has the text
//
// Directives stand at the start of a line of their own:
//
//   #args: a b        arguments for the program          #options: --x    options before the file
//   #stdin: text      a line of standard input           #env: NAME=text  one variable
//   #exit: 3          the exit status                     #skip: --x       not under `--arg --x`
//
// Without an error expectation standard error must stay empty and the status be 0. In a folder that
// has a `main.oxb` only that file is a test; the others are its modules. Each test gets an empty
// scratch folder in TEST_TMP, removed afterwards.
//
// In a Markdown file every block fenced as ```oxbow is a program of its own, run with the same
// rules; "```oxbow NAME.oxb" writes the block to that file instead, for later blocks to import.

#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_JOBS = 16, MAX_ARGV = 64, DIFF_LINES = 6 };
enum { OUTPUT_LIMIT = 64 << 20 };  // bytes a program may write before it is stopped

typedef struct { char **items; size_t count, room; } Strings;
typedef struct { char *data; size_t length; } Text;
typedef enum { WANT_ERROR, WANT_COMPILE, WANT_STDERR } WantKind;
typedef struct { WantKind kind; int line; char *text; } Want;

typedef struct {
  char *name;        // how reports call it
  char *path;        // the program
  char *folder;      // where it runs, NULL for the current folder
  Strings lines;     // expected standard output
  Want *wants;       // expected errors
  size_t want_count;
  Strings args, options, env;
  Text input;
  char *expected;    // a file with the exact output instead of `lines`, or NULL
  int status;        // expected exit status, -1: follows from `wants`
  bool skip;
  bool blank;        // states no expectation at all
} Case;

typedef struct {
  Case *test;        // NULL: this place is free
  pid_t pid;
  double deadline;
  bool late;
  char scratch[64], out_path[96], err_path[96];
} Job;

typedef struct {
  const char *oxbow, *filter;
  double timeout;
  int jobs;
  bool list;
  Strings args, env;
  Case *cases;
  size_t case_count, case_room;
  size_t passed, failed, skipped, checks;
  char work[64];     // scratch folder of the whole run
} Runner;

// ---------------------------------------------------------------------------------------------
// Small helpers. The runner is a short-lived process: memory is never given back.

static void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("run_lang: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(2);
}

static void *grow(void *memory, size_t bytes) {
  void *grown = realloc(memory, bytes);
  if (!grown) die("out of memory");
  return grown;
}

static char *copy_part(const char *text, size_t length) {
  char *copy = grow(NULL, length + 1);
  memcpy(copy, text, length);
  copy[length] = '\0';
  return copy;
}

static char *copy_text(const char *text) { return copy_part(text, strlen(text)); }

static char *print_text(const char *format, ...) {
  char *text = NULL;
  va_list args;
  va_start(args, format);
  if (vasprintf(&text, format, args) < 0) die("out of memory");
  va_end(args);
  return text;
}

static void strings_add(Strings *list, char *item) {
  if (list->count == list->room) {
    list->room = list->room ? list->room * 2 : 8;
    list->items = grow(list->items, list->room * sizeof *list->items);
  }
  list->items[list->count++] = item;
}

static void strings_add_words(Strings *list, const char *text) {
  while (*text) {
    size_t gap = strspn(text, " \t"), word = strcspn(text + gap, " \t");
    if (word) strings_add(list, copy_part(text + gap, word));
    text += gap + word;
  }
}

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Reads a whole file, with a zero byte after it; data is NULL where it cannot be read.
static Text read_file(const char *path) {
  Text text = {NULL, 0};
  FILE *file = fopen(path, "rb");
  if (!file) return text;
  size_t room = 1 << 14, got;
  text.data = grow(NULL, room + 1);
  while ((got = fread(text.data + text.length, 1, room - text.length, file)) > 0) {
    text.length += got;
    if (text.length == room) text.data = grow(text.data, (room *= 2) + 1);
  }
  fclose(file);
  text.data[text.length] = '\0';
  return text;
}

static void write_file(const char *path, const char *data, size_t length) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, length, file) != length || fclose(file) != 0)
    die("cannot write %s: %s", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info, (void)kind, (void)place;
  return remove(path);
}

static void remove_tree(const char *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

static bool ends_with(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

// The next line of text from *cursor (without its newline and carriage return), NULL at the end.
static char *next_line(const char **cursor, const char *end) {
  if (*cursor >= end) return NULL;
  const char *start = *cursor, *stop = memchr(start, '\n', (size_t)(end - start));
  size_t length = (size_t)((stop ? stop : end) - start);
  *cursor = stop ? stop + 1 : end;
  if (length && start[length - 1] == '\r') length--;
  return copy_part(start, length);
}

static Strings split_lines(Text text) {
  Strings lines = {0};
  const char *cursor = text.data, *end = text.data + text.length;
  for (char *line; (line = next_line(&cursor, end));) strings_add(&lines, line);
  return lines;
}

// ---------------------------------------------------------------------------------------------
// Reading expectations

// What follows mark in line, less one space; NULL where the mark is missing.
static char *text_after(const char *line, const char *mark) {
  const char *at = strstr(line, mark);
  if (!at) return NULL;
  at += strlen(mark);
  return copy_text(*at == ' ' ? at + 1 : at);
}

static void add_want(Case *test, WantKind kind, int line, char *text) {
  size_t bytes = (test->want_count + 1) * sizeof *test->wants;
  test->wants = grow(test->wants, bytes);
  test->wants[test->want_count++] = (Want){kind, line, text};
}

static void add_input(Case *test, const char *line) {
  size_t length = strlen(line);
  test->input.data = grow(test->input.data, test->input.length + length + 1);
  memcpy(test->input.data + test->input.length, line, length);
  test->input.length += length;
  test->input.data[test->input.length++] = '\n';
}

// --x=1 is --x, too.
static bool is_arg(const char *given, const char *name) {
  size_t n = strlen(name);
  return strncmp(given, name, n) == 0 && (!given[n] || given[n] == '=');
}

static bool has_arg(const Runner *r, const char *words) {
  Strings list = {0};
  strings_add_words(&list, words);
  for (size_t i = 0; i < list.count; i++)
    for (size_t k = 0; k < r->args.count; k++)
      if (is_arg(r->args.items[k], list.items[i])) return true;
  return false;
}

static void read_directive(const Runner *r, Case *test, const char *line) {
  char *text;
  if (strncmp(line, "#args:", 6) == 0 && (text = text_after(line, "#args:")))
    strings_add_words(&test->args, text);
  else if (strncmp(line, "#options:", 9) == 0 && (text = text_after(line, "#options:")))
    strings_add_words(&test->options, text);
  else if (strncmp(line, "#stdin:", 7) == 0 && (text = text_after(line, "#stdin:")))
    add_input(test, text);
  else if (strncmp(line, "#env:", 5) == 0 && (text = text_after(line, "#env:")))
    strings_add(&test->env, text);
  else if (strncmp(line, "#exit:", 6) == 0 && (text = text_after(line, "#exit:")))
    test->status = atoi(text);
  else if (strncmp(line, "#skip:", 6) == 0 && (text = text_after(line, "#skip:")))
    test->skip |= has_arg(r, text);
}

static void read_line(const Runner *r, Case *test, const char *line, int number) {
  char *text;
  read_directive(r, test, line);
  if ((text = text_after(line, "#=>"))) strings_add(&test->lines, text);
  else if ((text = text_after(line, "#!compile>"))) add_want(test, WANT_COMPILE, number, text);
  else if ((text = text_after(line, "#!stderr>"))) add_want(test, WANT_STDERR, number, text);
  else if ((text = text_after(line, "#!>"))) add_want(test, WANT_ERROR, number, text);
}

static int status_wanted(const Case *test) {
  int status = 0;
  for (size_t i = 0; i < test->want_count; i++) {
    if (test->wants[i].kind == WANT_ERROR) status = 1;
    if (test->wants[i].kind == WANT_COMPILE) return 65;
  }
  return status;
}

static void read_expectations(const Runner *r, Case *test, Text source) {
  const char *cursor = source.data, *end = source.data + source.length;
  int number = 0;
  test->status = -1;
  for (char *line; (line = next_line(&cursor, end)); free(line)) read_line(r, test, line, ++number);
  test->blank = !test->lines.count && !test->want_count && test->status < 0;
  if (test->status < 0) test->status = status_wanted(test);
}

// ---------------------------------------------------------------------------------------------
// Finding programs

static void add_case(Runner *r, Case test) {
  if (r->filter && !strstr(test.name, r->filter)) return;
  if (r->case_count == r->case_room) {
    r->case_room = r->case_room ? r->case_room * 2 : 64;
    r->cases = grow(r->cases, r->case_room * sizeof *r->cases);
  }
  r->checks += test.lines.count + test.want_count + (test.expected != NULL);
  r->cases[r->case_count++] = test;
}

static void add_test_file(Runner *r, const char *path) {
  Text source = read_file(path);
  if (!source.data) die("cannot read %s: %s", path, strerror(errno));
  Case test = {.name = copy_text(path), .path = copy_text(path)};
  read_expectations(r, &test, source);
  free(source.data);
  add_case(r, test);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static void find_tests(Runner *r, const char *path) {
  if (!is_folder(path)) {
    add_test_file(r, path);
    return;
  }
  char *main_file = print_text("%s/main.oxb", path);
  if (access(main_file, R_OK) == 0) {
    add_test_file(r, main_file);
    return;
  }
  struct dirent **entries;
  int count = scandir(path, &entries, visible, by_name);
  if (count < 0) die("cannot read folder %s: %s", path, strerror(errno));
  for (int i = 0; i < count; i++) {
    char *child = print_text("%s/%s", path, entries[i]->d_name);
    if (is_folder(child) || ends_with(child, ".oxb")) find_tests(r, child);
  }
}

// The `# run:` and `# stdin:` comments among the first lines of an example.
static void read_example_head(Case *test, Text source) {
  const char *cursor = source.data, *end = source.data + source.length;
  char *line, *text;
  for (int i = 0; i < 20 && (line = next_line(&cursor, end)); i++) {
    if (strncmp(line, "# run:", 6) == 0 && (text = text_after(line, "# run:")))
      strings_add_words(&test->args, text);
    if (strncmp(line, "# stdin:", 8) == 0 && (text = text_after(line, "# stdin:"))) {
      test->input = read_file(text);
      if (!test->input.data) die("%s: cannot read %s", test->name, text);
    }
  }
}

static void add_example(Runner *r, const char *folder, const char *file) {
  Case test = {.name = print_text("%s/%s", folder, file)};
  test.path = test.name;
  test.expected = print_text("%s/expected/%.*s.out", folder, (int)strlen(file) - 4, file);
  Text source = read_file(test.path);
  if (!source.data) die("cannot read %s", test.path);
  read_example_head(&test, source);
  add_case(r, test);
}

static void find_examples(Runner *r, const char *folder) {
  struct dirent **entries;
  int count = scandir(folder, &entries, visible, by_name);
  if (count < 0) die("cannot read folder %s: %s", folder, strerror(errno));
  for (int i = 0; i < count; i++)
    if (ends_with(entries[i]->d_name, ".oxb")) add_example(r, folder, entries[i]->d_name);
}

// Makes the folders that lead to path.
static void make_parents(const char *path) {
  char *copy = copy_text(path);
  for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(copy, 0777);
    *slash = '/';
  }
  free(copy);
}

// A block of a Markdown file, from its first line: a module to write, or a program to run.
static void add_block(Runner *r, const char *file, const char *folder, const char *module,
                      int line, Text source) {
  if (module[0]) {
    char *path = print_text("%s/%s", folder, module);
    make_parents(path);
    write_file(path, source.data, source.length);
    return;
  }
  Case test = {.name = print_text("%s:%d", file, line), .folder = copy_text(folder)};
  test.path = print_text("%s/line_%d.oxb", folder, line);
  write_file(test.path, source.data, source.length);
  read_expectations(r, &test, source);
  test.blank = false;  // a block that prints nothing must still run
  add_case(r, test);
}

static void find_blocks(Runner *r, const char *path) {
  Text text = read_file(path);
  if (!text.data) die("cannot read %s: %s", path, strerror(errno));
  char *folder = print_text("%s/blocks%zu", r->work, r->case_count);
  if (mkdir(folder, 0777) != 0) die("cannot make %s", folder);
  const char *cursor = text.data, *end = text.data + text.length, *start = NULL, *before;
  char *line, *module = NULL;
  int number = 0, first = 0;
  bool fenced = false;
  for (before = cursor; (line = next_line(&cursor, end)); before = cursor, free(line)) {
    number++;
    if (strncmp(line, "```", 3) != 0) continue;
    if (start) {
      Text block = {copy_part(start, (size_t)(before - start)), (size_t)(before - start)};
      add_block(r, path, folder, module, first, block);
    } else if (!fenced && strncmp(line, "```oxbow", 8) == 0) {
      module = copy_text(line + 8 + strspn(line + 8, " "));
      first = number + 1;
      start = cursor;
      fenced = true;
      continue;
    }
    start = NULL;
    fenced = !fenced;
  }
  if (fenced) die("%s: a fence is never closed", path);
}

// ---------------------------------------------------------------------------------------------
// Running

static int open_or_die(const char *path, int flags) {
  int fd = open(path, flags, 0666);
  if (fd < 0) die("cannot open %s: %s", path, strerror(errno));
  return fd;
}

static void add_words(char **argv, int *count, const Strings *words) {
  for (size_t i = 0; i < words->count && *count < MAX_ARGV - 2; i++)
    argv[(*count)++] = words->items[i];
}

// In the child: sets up files, folder, environment and limits, then becomes the program.
static void become_program(const Runner *r, const Job *job, int input) {
  const Case *test = job->test;
  char *argv[MAX_ARGV];
  int argc = 0;
  argv[argc++] = (char *)r->oxbow;
  add_words(argv, &argc, &r->args);
  add_words(argv, &argc, &test->options);
  argv[argc++] = test->path;
  add_words(argv, &argc, &test->args);
  argv[argc] = NULL;
  setpgid(0, 0);
  dup2(input, 0);
  dup2(open_or_die(job->out_path, O_WRONLY | O_CREAT | O_TRUNC), 1);
  dup2(open_or_die(job->err_path, O_WRONLY | O_CREAT | O_TRUNC), 2);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){OUTPUT_LIMIT, OUTPUT_LIMIT});
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  if (test->folder && chdir(test->folder) != 0) _exit(126);
  setenv("TEST_TMP", job->scratch, 1);
  for (size_t i = 0; i < r->env.count; i++) putenv(r->env.items[i]);
  for (size_t i = 0; i < test->env.count; i++) putenv(test->env.items[i]);
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execv(r->oxbow, argv);
  dprintf(2, "cannot run %s: %s\n", r->oxbow, strerror(errno));
  _exit(127);
}

static void start_job(Runner *r, Job *job, Case *test, size_t index) {
  *job = (Job){.test = test, .deadline = now_seconds() + r->timeout};
  snprintf(job->scratch, sizeof job->scratch, "%.40s/t%zu", r->work, index);
  snprintf(job->out_path, sizeof job->out_path, "%s.out", job->scratch);
  snprintf(job->err_path, sizeof job->err_path, "%s.err", job->scratch);
  if (mkdir(job->scratch, 0777) != 0) die("cannot make %s", job->scratch);
  char *in_path = print_text("%s.in", job->scratch);
  write_file(in_path, test->input.data ? test->input.data : "", test->input.length);
  int input = open_or_die(in_path, O_RDONLY);
  fflush(stdout);
  job->pid = fork();
  if (job->pid < 0) die("cannot fork: %s", strerror(errno));
  if (job->pid == 0) become_program(r, job, input);
  close(input);
  unlink(in_path);
  free(in_path);
}

// ---------------------------------------------------------------------------------------------
// Judging

static void print_side(const char *title, const Strings *lines, size_t from) {
  printf("    %s\n", title);
  for (size_t i = from; i < lines->count && i < from + DIFF_LINES; i++)
    printf("      %4zu | %s\n", i + 1, lines->items[i]);
  if (from >= lines->count) printf("      %4zu   (end)\n", from + 1);
}

// Compares line by line; at a difference shows both sides from the line before it.
static bool check_lines(const Strings *want, const Strings *got) {
  size_t i = 0;
  while (i < want->count && i < got->count && strcmp(want->items[i], got->items[i]) == 0) i++;
  if (i == want->count && i == got->count) return true;
  size_t from = i ? i - 1 : 0;
  printf("    standard output differs at line %zu\n", i + 1);
  print_side("expected:", want, from);
  print_side("got:", got, from);
  return false;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// Does line name the place FILE:LINE: and have the text, after "error: " where the text says so?
static bool line_reports(const Case *test, const Want *want, const char *line) {
  char *place = print_text("%s:%d:", base_name(test->path), want->line);
  const char *at = strstr(line, place), *text = want->text;
  free(place);
  if (!at) return false;
  if (strncmp(text, "error: ", 7) == 0) {
    text += 7;
    at = strstr(at, "error: ");
  } else if (want->kind == WANT_COMPILE) {
    at = strstr(at, "error: ");
  }
  return at && strstr(at, text);
}

static bool check_want(const Case *test, const Want *want, const Strings *err) {
  size_t limit = want->kind == WANT_ERROR && err->count ? 1 : err->count;
  for (size_t i = 0; i < limit; i++) {
    if (want->kind == WANT_STDERR ? strstr(err->items[i], want->text) != NULL
                                  : line_reports(test, want, err->items[i]))
      return true;
  }
  if (want->kind == WANT_STDERR) printf("    standard error lacks: %s\n", want->text);
  else printf("    no error reported at line %d with: %s\n", want->line, want->text);
  return false;
}

static bool check_errors(const Case *test, const Strings *err) {
  bool good = true;
  for (size_t i = 0; i < test->want_count; i++)
    if (!check_want(test, &test->wants[i], err)) good = false;
  if (!test->want_count && test->status == 0 && err->count) {
    puts("    standard error is not empty");
    good = false;
  }
  if (!good) print_side("standard error:", err, 0);
  return good;
}

static bool check_status(const Job *job, double limit, int status, const Strings *err) {
  if (job->late) {
    printf("    stopped after %g seconds\n", limit);
    return false;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == job->test->status) return true;
  if (WIFSIGNALED(status)) printf("    killed by signal %d\n", WTERMSIG(status));
  else printf("    exit status %d, not %d\n", WEXITSTATUS(status), job->test->status);
  print_side("standard error:", err, 0);
  return false;
}

static bool check_output(const Case *test, Text out) {
  Strings got = split_lines(out);
  if (!test->expected) return check_lines(&test->lines, &got);
  Text want = read_file(test->expected);
  if (!want.data) {
    printf("    no file %s\n", test->expected);
    return false;
  }
  if (want.length == out.length && memcmp(want.data, out.data, out.length) == 0) return true;
  Strings lines = split_lines(want);
  if (check_lines(&lines, &got)) puts("    standard output differs in its line ends");
  return false;
}

static const char *stop_reason(const Job *job, int status) {
  if (job->late) return "too late";
  if (WIFSIGNALED(status)) return "killed";
  return job->test->blank ? "no expectation" : "failed";
}

// A failure's title must precede its details, which the checks print: so they run twice, the
// first time into the void.
static bool check_all(const Runner *r, const Job *job, int status, Text out, Strings *err) {
  bool good = check_status(job, r->timeout, status, err);
  if (job->test->blank) puts("    the file states no expectation");
  if (!check_output(job->test, out)) good = false;
  if (!check_errors(job->test, err)) good = false;
  return good && !job->test->blank;
}

static bool check_quietly(const Runner *r, const Job *job, int status, Text out, Strings *err) {
  int keep = dup(1), null = open_or_die("/dev/null", O_WRONLY);
  fflush(stdout);
  dup2(null, 1);
  bool good = check_all(r, job, status, out, err);
  fflush(stdout);
  dup2(keep, 1);
  close(keep);
  close(null);
  return good;
}

static void finish_job(Runner *r, Job *job, int status) {
  Text out = read_file(job->out_path), err = read_file(job->err_path);
  Strings err_lines = split_lines(err);
  if (check_quietly(r, job, status, out, &err_lines)) {
    r->passed++;
    if (r->list) printf("ok   %s\n", job->test->name);
  } else {
    r->failed++;
    printf("FAIL %s (%s)\n", job->test->name, stop_reason(job, status));
    check_all(r, job, status, out, &err_lines);
  }
  free(out.data);
  free(err.data);
  unlink(job->out_path);
  unlink(job->err_path);
  remove_tree(job->scratch);
  job->test = NULL;
}

// ---------------------------------------------------------------------------------------------
// The loop over all programs

static void kill_late(Runner *r, Job *jobs) {
  double now = now_seconds();
  for (int i = 0; i < r->jobs; i++) {
    if (!jobs[i].test || now < jobs[i].deadline) continue;
    jobs[i].late = true;
    kill(-jobs[i].pid, SIGKILL);
    kill(jobs[i].pid, SIGKILL);
  }
}

// Waits until one job has ended and finishes it.
static void wait_for_one(Runner *r, Job *jobs, const sigset_t *child) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) == 0) {
    sigtimedwait(child, NULL, &(struct timespec){0, 200000000});
    kill_late(r, jobs);
  }
  if (pid < 0) die("waitpid: %s", strerror(errno));
  for (int i = 0; i < r->jobs; i++)
    if (jobs[i].test && jobs[i].pid == pid) finish_job(r, &jobs[i], status);
}

static Job *free_job(Runner *r, Job *jobs) {
  for (int i = 0; i < r->jobs; i++)
    if (!jobs[i].test) return &jobs[i];
  return NULL;
}

static bool any_running(Runner *r, Job *jobs) {
  for (int i = 0; i < r->jobs; i++)
    if (jobs[i].test) return true;
  return false;
}

static void run_cases(Runner *r) {
  Job jobs[MAX_JOBS] = {{0}};
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  for (size_t i = 0; i < r->case_count; i++) {
    if (r->cases[i].skip) {
      r->skipped++;
      continue;
    }
    Job *job;
    while (!(job = free_job(r, jobs))) wait_for_one(r, jobs, &child);
    start_job(r, job, &r->cases[i], i);
  }
  while (any_running(r, jobs)) wait_for_one(r, jobs, &child);
}

// ---------------------------------------------------------------------------------------------
// The command line

static void show_usage(FILE *to) {
  fputs("usage: run_lang [options] OXBOW PATH...\n"
        "  PATH                a folder of tests, a test file, or a .md file with ```oxbow blocks\n"
        "  --examples FOLDER   examples, compared with FOLDER/expected/NAME.out\n"
        "  --filter TEXT       only programs whose path has TEXT\n"
        "  --timeout SECONDS   stop a program after so long (default 20)\n"
        "  --arg OPTION        give OPTION to oxbow before the file (may be repeated)\n"
        "  --env NAME=TEXT     set a variable for the programs (may be repeated)\n"
        "  --jobs N            so many at a time (default 2)\n"
        "  --list              also name the programs that pass\n",
        to);
}

static const char *option_value(int argc, char **argv, int *i) {
  if (*i + 1 >= argc) die("%s needs a value", argv[*i]);
  return argv[++*i];
}

static bool read_option(Runner *r, int argc, char **argv, int *i) {
  const char *name = argv[*i];
  if (strcmp(name, "--filter") == 0) r->filter = option_value(argc, argv, i);
  else if (strcmp(name, "--timeout") == 0) r->timeout = atof(option_value(argc, argv, i));
  else if (strcmp(name, "--jobs") == 0) r->jobs = atoi(option_value(argc, argv, i));
  else if (strcmp(name, "--arg") == 0) strings_add(&r->args, (char *)option_value(argc, argv, i));
  else if (strcmp(name, "--env") == 0) strings_add(&r->env, (char *)option_value(argc, argv, i));
  else if (strcmp(name, "--list") == 0) r->list = true;
  else return false;
  return true;
}

static void find_path(Runner *r, const char *path) {
  if (ends_with(path, ".md")) find_blocks(r, path);
  else find_tests(r, path);
}

// Reads options and paths; a filter must precede the paths it is for.
static void read_command(Runner *r, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      show_usage(stdout);
      exit(0);
    }
    if (strcmp(argv[i], "--examples") == 0) find_examples(r, option_value(argc, argv, &i));
    else if (strncmp(argv[i], "--", 2) == 0) {
      if (!read_option(r, argc, argv, &i)) die("unknown option %s", argv[i]);
    } else if (!r->oxbow) r->oxbow = realpath(argv[i], NULL) ? realpath(argv[i], NULL) : argv[i];
    else find_path(r, argv[i]);
  }
}

int main(int argc, char **argv) {
  Runner r = {.timeout = 20, .jobs = 2, .work = "/tmp/run_lang.XXXXXX"};
  if (!mkdtemp(r.work)) die("cannot make a scratch folder: %s", strerror(errno));
  read_command(&r, argc, argv);
  if (r.jobs < 1 || r.jobs > MAX_JOBS) r.jobs = 2;
  if (!r.oxbow || !r.case_count) {
    remove_tree(r.work);
    show_usage(stderr);
    return 2;
  }
  if (access(r.oxbow, X_OK) != 0) die("cannot run %s: %s", r.oxbow, strerror(errno));
  run_cases(&r);
  remove_tree(r.work);
  printf("%zu programs, %zu expectations, %zu skipped\n", r.case_count, r.checks, r.skipped);
  printf("%zu passed, %zu failed\n", r.passed, r.failed);
  return r.failed ? 1 : 0;
}
