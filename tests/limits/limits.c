// limits.c - programs that try to escape their limits through every builtin; none may.
//
//   limits [--show] [--jobs N] [--only TEXT] ROWS
//
// ROWS (rows.txt) gives expressions for each builtin of the reference; a builtin without one fails,
// as does a row for what is none. For each expression E a process of its own makes a VM and tries
//
//   fuel       while true { try { E } catch e { } finally { } }     under a budget
//   interrupt  the same, stopped by another thread
//   signal     the same, stopped by a signal handler
//   memory     keeps what E gives, for ever, under a memory limit
//
// The first must end with OX_NO_FUEL, the next two with OX_INTERRUPTED, the last may end as it likes
// but neither heap nor process may grow beyond the limit. Each error must name its limit and what to
// do, and have a place. After each attack the heap is verified and the VM runs a small program. The
// budget is deterministic: the first attack is made twice, in VMs of their own, and must get equally
// far. Nothing is timed, but what does not end within two minutes of work is killed and has failed. How long the
// interrupts took, in time of the processor, is printed. The last line is "N passed, N failed", an expression being one test.
#define _GNU_SOURCE
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <oxbow.h>

enum { MAX_ROWS = 2000, MAX_NAMES = 2000 };
enum { PATIENCE = 120, LONGEST = 1800 }; // seconds of the processor, and by the clock
enum { FUEL = 200000, HOARD_FUEL = 600000 };
// Of the process: its stack, code and the collector's tables, and free parts of units of 256 KiB, of
// which blocks of 35 pages for instance leave half.
enum { LIMIT = 32 << 20, SLACK = LIMIT + (8 << 20) };

typedef struct {
  char name[64], expr[256];
  bool waits, exits, varies, forks, keeps;
} Row;

static struct {
  Row rows[MAX_ROWS];
  int count;
  char setup[8192];
  char names[MAX_NAMES][64]; // of the reference
  int name_count;
  bool show;
  char scratch[64];
} all;

// Shared with the children.
typedef struct {
  int failed[MAX_ROWS];
  double waited[MAX_ROWS]; // ms from interrupt to return, the longer of the two
} Shared;
static Shared *shared;

// ---------------------------------------------------------------------------------------------
// Rows and names

static void die(const char *what) {
  fprintf(stderr, "limits: %s\n", what);
  exit(2);
}

static void read_row(char *line) {
  if (line[0] == '>') {
    size_t n = strlen(all.setup);
    snprintf(all.setup + n, sizeof all.setup - n, "%s\n", line + 1);
    return;
  }
  char *colon = strstr(line, ": ");
  if (!colon || all.count == MAX_ROWS) die(line);
  Row *row = &all.rows[all.count++];
  *colon = 0;
  char *mark = strstr(line, " [");
  if (mark) {
    row->waits = strcmp(mark, " [waits]") == 0;
    row->exits = strcmp(mark, " [exits]") == 0;
    row->varies = strcmp(mark, " [varies]") == 0;
    row->forks = strcmp(mark, " [forks]") == 0;
    row->keeps = strcmp(mark, " [keeps]") == 0;
    if (!row->waits && !row->exits && !row->varies && !row->forks && !row->keeps) die(line);
    *mark = 0;
  }
  if (strlen(line) >= sizeof row->name || strlen(colon + 2) >= sizeof row->expr) die(line);
  strcpy(row->name, line);
  strcpy(row->expr, colon + 2);
}

static void read_rows(const char *path) {
  char line[2048];
  FILE *file = fopen(path, "r");
  if (!file) die("cannot read the rows");
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] && line[0] != '#') read_row(line);
  }
  fclose(file);
}

// The reference as one text.
typedef struct { char text[1 << 17]; size_t length; } Text;

static void keep_text(void *context, const char *bytes, size_t n) {
  Text *t = context;
  if (n >= sizeof t->text - t->length) die("the reference is too long");
  memcpy(t->text + t->length, bytes, n);
  t->length += n;
}

// "## Methods of X" and "## Module X" give X and the sign between it and the name.
static void read_heading(const char *line, char prefix[64]) {
  char name[60] = "";
  prefix[0] = 0;
  if (sscanf(line, "## Methods of %59s", name) == 1) sprintf(prefix, "%s#", name);
  else if (sscanf(line, "## Module %59s", name) == 1) sprintf(prefix, "%s.", name);
}

static void read_names(void) {
  static Text text;
  char prefix[64] = "";
  ox_reference(keep_text, &text);
  for (char *line = strtok(text.text, "\n"); line; line = strtok(NULL, "\n")) {
    if (line[0] == '#') read_heading(line, prefix);
    if (line[0] != '`' || all.name_count == MAX_NAMES) continue;
    int n = (int)strcspn(line + 1, "(`");
    snprintf(all.names[all.name_count++], 64, "%s%.*s", prefix, n, line + 1);
  }
}

static bool row_for(const char *name) {
  for (int i = 0; i < all.count; i++)
    if (strcmp(all.rows[i].name, name) == 0) return true;
  return false;
}

static bool name_for(const char *row) {
  if (strncmp(row, "language ", 9) == 0) return true;
  for (int i = 0; i < all.name_count; i++)
    if (strcmp(all.names[i], row) == 0) return true;
  return false;
}

// The number of builtins without rows and of rows without builtins.
static int check_names(void) {
  int wrong = 0;
  for (int i = 0; i < all.name_count; i++)
    if (!row_for(all.names[i])) wrong++, printf("no row attacks %s\n", all.names[i]);
  for (int i = 0; i < all.count; i++)
    if (!name_for(all.rows[i].name)) wrong++, printf("there is no builtin %s\n", all.rows[i].name);
  return wrong;
}

// ---------------------------------------------------------------------------------------------
// Interrupts: a thread waits until the program says that it has begun

typedef enum { BY_NOBODY, BY_THREAD, BY_SIGNAL } Stopper;

static struct {
  ox_VM *vm;
  Stopper by;
  pthread_t victim;
  atomic_int begun;
  struct timespec sent;
} stop;

static void stop_now(void) {
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &stop.sent);
  ox_interrupt(stop.vm);
}

static void on_signal(int number) {
  (void)number;
  stop_now();
}

static void *stopper(void *unused) {
  (void)unused;
  while (!atomic_load(&stop.begun)) usleep(500);
  usleep(3000);
  if (stop.by == BY_THREAD) stop_now();
  else pthread_kill(stop.victim, SIGUSR1);
  return NULL;
}

static ox_Value begun(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)vm, (void)context, (void)argc, (void)argv;
  atomic_store(&stop.begun, 1);
  return ox_nil();
}

static double waited_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)(now.tv_sec - stop.sent.tv_sec) * 1e3 +
         (double)(now.tv_nsec - stop.sent.tv_nsec) / 1e6;
}

// ---------------------------------------------------------------------------------------------
// One expression

typedef struct {
  const Row *row;
  ox_VM *vm;
  bool fine;
} Attack;

static void complain(Attack *a, const char *attack, const char *what) {
  a->fine = false;
  fprintf(stderr, "%s: %s: %s: %s\n", a->row->name, a->row->expr, attack, what);
}

static void drop(void *context, const char *bytes, size_t length) {
  (void)context, (void)bytes, (void)length;
}

// A limit's error says which it is and how large; those of the kind "limit" at least how large.
static ox_Value caught(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  Attack *a = context;
  ox_Value message;
  (void)argc;
  if (ox_type(argv[0]) != OX_TYPE_ERROR) return ox_nil();
  ox_Value kind;
  if (ox_member(vm, argv[0], "kind", &kind) || ox_member(vm, argv[0], "message", &message))
    return ox_nil(); // no memory even for that
  const char *k = ox_as_string(vm, kind, NULL), *m = ox_as_string(vm, message, NULL);
  if (!k || !m) return ox_nil();
  if (all.show) fprintf(stderr, "    %s: %.100s\n", k, m);
  if (strcmp(k, "out of memory") == 0 && !strstr(m, "the limit is 32 MiB") && !strstr(m, "release"))
    complain(a, "memory", m);
  if (strcmp(k, "limit") == 0 && !strpbrk(m, "0123456789") && !strstr(m, "too many steps"))
    complain(a, "memory", m);
  return ox_nil();
}

static ox_VM *open_vm(Attack *a) {
  ox_Config config = ox_config();
  config.memory_limit = LIMIT;
  config.write = drop;
  ox_VM *vm = a->vm = stop.vm = ox_new(&config);
  if (!vm) return complain(a, "start", "no VM"), NULL;
  ox_set(vm, "begun", ox_function(vm, "begun()", NULL, begun, NULL, NULL));
  ox_set(vm, "caught", ox_function(vm, "caught(e)", NULL, caught, a, NULL));
  if (ox_eval(vm, all.setup, strlen(all.setup), "setup", NULL) == OX_OK) return vm;
  complain(a, "setup", ox_error(vm)->report);
  ox_free(vm);
  return NULL;
}

static void examine(Attack *a, const char *attack) {
  ox_Value v;
  const char *damage = ox_verify(a->vm), probe[] = "[1, 2, 3].map(fn(x) => x * 2).sum() + 30";
  if (damage) complain(a, attack, damage);
  ox_set_fuel(a->vm, 0);
  if (ox_eval(a->vm, probe, sizeof probe - 1, "probe", &v) != OX_OK)
    complain(a, attack, ox_error(a->vm)->report);
  else if (ox_as_int(a->vm, v) != 42) complain(a, attack, "the VM computes wrong afterwards");
  if (ox_verify(a->vm)) complain(a, attack, "the heap is damaged afterwards");
}

static ox_Status run(Attack *a, const char *before, const char *behind) {
  char text[1024];
  int n = snprintf(text, sizeof text, "%s%s%s", before, a->row->expr, behind);
  return ox_eval(a->vm, text, (size_t)n, "attack", NULL);
}

static const char stubborn_before[] = "begun()\nwhile true {\n  turns += 1\n  try { ";
static const char stubborn_behind[] = " } catch e { } finally { nil }\n}";

static bool exits(Attack *a, ox_Status status) {
  return a->row->exits && status == OX_EXITED && ox_exit_code(a->vm) == 3;
}

static void check_error(Attack *a, const char *attack, const char *kind, const char *says,
                        const char *advises) {
  const ox_Error *e = ox_error(a->vm);
  if (all.show) fprintf(stderr, "  %s: %s\n", attack, e->message);
  if (strcmp(e->kind, kind) != 0) complain(a, attack, e->kind);
  else if (!strstr(e->message, says)) complain(a, attack, e->message);
  else if (!strstr(e->report, advises)) complain(a, attack, e->report);
  else if (!e->file || (strcmp(e->file, "attack") != 0 && strcmp(e->file, "setup") != 0) || e->line < 1)
    complain(a, attack, "no place");
}

// Gives how many turns the loop made.
static int64_t attack_fuel(Attack *a) {
  ox_Value turns;
  ox_set_fuel(a->vm, FUEL);
  ox_Status status = run(a, stubborn_before, stubborn_behind);
  if (exits(a, status)) return 0;
  if (status != OX_NO_FUEL) {
    complain(a, "fuel", status == OX_OK ? "it ended" : ox_error(a->vm)->report);
    return 0;
  }
  if (ox_fuel(a->vm) != 0) complain(a, "fuel", "some is left");
  check_error(a, "fuel", "fuel", "the budget of 200000 steps is used up", "ox_set_fuel");
  return ox_get(a->vm, "turns", &turns) == OX_OK ? ox_as_int(a->vm, turns) : -1;
}

static void attack_interrupt(Attack *a, Stopper by) {
  const char *name = by == BY_THREAD ? "interrupt" : "signal";
  pthread_t thread;
  stop.by = by;
  stop.victim = pthread_self();
  atomic_store(&stop.begun, 0);
  ox_set_fuel(a->vm, 0);
  if (pthread_create(&thread, NULL, stopper, NULL) != 0) die("no thread");
  ox_Status status = run(a, stubborn_before, stubborn_behind);
  double waited = waited_ms();
  atomic_store(&stop.begun, 1); // where it did not even compile
  pthread_join(thread, NULL);
  double *longest = &shared->waited[a->row - all.rows];
  if (exits(a, status)) {
    ox_eval(a->vm, "nil", 3, "rest", NULL); // the interrupt may have come behind the end
    return;
  }
  if (waited > *longest) *longest = waited;
  if (status == OX_INTERRUPTED) check_error(a, name, "interrupt", "interrupted", "interrupted");
  else complain(a, name, status == OX_OK ? "it ended" : ox_error(a->vm)->report);
}

static long process_kib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

static void attack_memory(Attack *a, long before) {
  ox_set_fuel(a->vm, HOARD_FUEL);
  run(a,
      "let hits = 0\nwhile hits < 3 {\n  try { keep.push(",
      ") } catch e {\n    keep = []\n    hits += 1\n    caught(e)\n  }\n}");
  ox_Stats stats = {.size = sizeof stats};
  ox_set(a->vm, "keep", ox_nil());
  ox_stats(a->vm, &stats);
  if (stats.peak_bytes > LIMIT) complain(a, "memory", "the heap grew beyond its limit");
  long grown = process_kib() - before;
  if (all.show) fprintf(stderr, "  memory: %ld KiB\n", grown);
#ifndef OX_DEBUG // the sanitizers take more
  long heaps = a->row->forks ? 8 : 1; /* tasks have heaps of their own, kept for the next ones */
  if (grown > heaps * (LIMIT + SLACK) / 1024) {
    char text[80];
    snprintf(text, sizeof text, "the process grew by %ld KiB", grown);
    complain(a, "memory", text);
  }
#else
  (void)grown;
#endif
}

static bool attack_row(const Row *row) {
  Attack a = {.row = row, .fine = true};
  long before = process_kib();
  if (!open_vm(&a)) return false;
  attack_interrupt(&a, BY_THREAD);
  examine(&a, "interrupt");
  attack_interrupt(&a, BY_SIGNAL);
  examine(&a, "signal");
  if (!row->waits) {
    attack_memory(&a, before);
    if (row->keeps) ox_set_memory_limit(a.vm, 2 * LIMIT); // it is full still, as it should be
    examine(&a, "memory");
  }
  ox_free(a.vm);
  int64_t turns[2] = {0, 0};
  for (int i = 0; i < 2 && !row->waits; i++) {
    if (!open_vm(&a)) return false;
    turns[i] = attack_fuel(&a);
    examine(&a, "fuel");
    ox_free(a.vm);
  }
  if (turns[0] != turns[1] && !row->varies && !row->forks) complain(&a, "fuel", "the budget is not deterministic");
  return a.fine;
}

// ---------------------------------------------------------------------------------------------
// A process for each expression

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *ftw) {
  (void)s, (void)flag, (void)ftw;
  return remove(path);
}

static void child(int i) {
  char folder[128];
  int ends[2];
  snprintf(folder, sizeof folder, "%s/%d", all.scratch, i);
  if (mkdir(folder, 0700) != 0 || chdir(folder) != 0 || pipe(ends) != 0) _exit(3);
  dup2(ends[0], STDIN_FILENO); // an input on which nothing ever comes
  if (!freopen("/dev/null", "w", stdout)) _exit(3);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  setenv("TMPDIR", folder, 1);
  setrlimit(RLIMIT_CPU, &(struct rlimit){PATIENCE, PATIENCE});
  alarm(LONGEST);
  bool fine = attack_row(&all.rows[i]);
  if (chdir("/") == 0) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  _exit(fine ? 0 : 1);
}

static void collect(pid_t *jobs, int *which, int n) {
  int status;
  pid_t pid = wait(&status);
  for (int j = 0; j < n; j++) {
    if (jobs[j] != pid) continue;
    jobs[j] = 0;
    const Row *row = &all.rows[which[j]];
    shared->failed[which[j]] = status != 0;
    if (WIFSIGNALED(status))
      fprintf(stderr, "%s: %s: %s\n", row->name, row->expr,
              WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL
                  ? "it does not end"
                  : strsignal(WTERMSIG(status)));
  }
}

enum { MAX_JOBS = 16 };

static void attack_all(int njobs, const char *only) {
  pid_t jobs[MAX_JOBS] = {0};
  int which[MAX_JOBS] = {0}, running = 0;
  for (int i = 0; i < all.count; i++) {
    if (only && !strstr(all.rows[i].name, only)) continue;
    if (running == njobs) collect(jobs, which, njobs), running--;
    int j = 0;
    while (jobs[j]) j++;
    fflush(NULL);
    which[j] = i;
    if ((jobs[j] = fork()) == 0) child(i);
    if (jobs[j] < 0) die("cannot fork");
    running++;
  }
  for (; running > 0; running--) collect(jobs, which, njobs);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_waits(void) {
  static double sorted[MAX_ROWS];
  int n = 0, longest = 0;
  for (int i = 0; i < all.count; i++) {
    if (shared->waited[i] > shared->waited[longest]) longest = i;
    if (shared->waited[i] > 0) sorted[n++] = shared->waited[i];
    if (shared->waited[i] > 50)
      printf("%.0f ms until an interrupt stopped %s: %s\n", shared->waited[i], all.rows[i].name,
             all.rows[i].expr);
  }
  qsort(sorted, (size_t)n, sizeof *sorted, by_size);
  if (n > 0)
    printf("interrupts took %.1f ms in the middle, %.1f ms at most (%s)\n", sorted[n / 2],
           sorted[n - 1], all.rows[longest].name);
}

int main(int argc, char **argv) {
  int njobs = 2, failed = 0, tried = 0;
  const char *only = NULL, *path = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--show") == 0) all.show = true;
    else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) only = argv[++i];
    else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) njobs = atoi(argv[++i]);
    else path = argv[i];
  }
  if (!path || njobs < 1 || njobs > MAX_JOBS) die("usage: limits [--show] [--jobs N] [--only TEXT] ROWS");
  strcpy(all.scratch, "/tmp/oxbow-limits-XXXXXX");
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || !mkdtemp(all.scratch)) die("no memory or no folder for files");
  read_rows(path);
  read_names();
  failed = check_names();
  attack_all(njobs, only);
  nftw(all.scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  for (int i = 0; i < all.count; i++) {
    tried += !only || strstr(all.rows[i].name, only);
    failed += shared->failed[i];
  }
  print_waits();
  printf("%d passed, %d failed\n", tried > failed ? tried - failed : 0, failed);
  return failed > 0;
}
