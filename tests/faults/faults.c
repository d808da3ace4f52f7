// faults.c - runs programs again and again, each time with another request for memory failing.
//
//   faults [--all] [--most N] [--only K] [--jobs N] [--show] PATH...
//
// For the programs under each PATH (in a folder with a main.oxb only that), a first run counts the
// points at which memory is asked for. Then, for as many points k as --most says, spread over all
// of them, the program runs twice: with request k failing, and with all requests from k on failing.
// --all takes every point, --only K point K alone, to look at what was found. Whatever happens to
// the program,
//   - nothing crashes or hangs, and the error can be described (ox_error),
//   - the heap is consistent (ox_verify) and the VM goes on: it runs a small program correctly,
//   - after ox_free every block from malloc is free again and every file is closed,
//   - a program that ends well has printed what it prints without failures: no failure is passed
//     over in silence (programs that could have caught the error are believed).
//
// Each program has a process of its own, which reports through shared memory how far it came, so a
// crash is charged to its point, and the rest goes on behind it. The last line is
// "N passed, N failed", a program being one test.
#define _GNU_SOURCE
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <oxbow.h>

#include "inject.h"

enum { MAX_PROGRAMS = 4096, MAX_JOBS = 16, OUTPUT_KEPT = 1 << 16 };
// Of the processor, for one run; and by the clock, for one that waits: machines stand still at
// times.
enum { RUN_SECONDS = 20, WAIT_SECONDS = 600 };
enum { MAX_CRASHES = 3 };                         // of one program, then it is given up
enum { FUEL = 3000000, MEMORY = 24 << 20 };
enum { LONG_PROGRAM = 200000 };                   // points from which on fewer are tried

typedef struct {
  uint64_t k;          // the point being tried
  bool persist, done;
  unsigned failures, crashes;
  uint64_t points, runs;
} Progress;

typedef struct {
  char text[OUTPUT_KEPT];
  size_t length;
  uint64_t hash;       // of all that was written
} Output;

typedef struct { const char *path; Progress *progress; pid_t pid; } Job;

static struct {
  uint64_t most, only;
  bool show;
  char *paths[MAX_PROGRAMS];
  int count;
  char scratch[64];
} options = {.most = 40};

const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "quarantine_size_mb=8:allocator_may_return_null=1:detect_leaks=0";
}

// ---------------------------------------------------------------------------------------------
// One run

static void keep_output(void *context, const char *bytes, size_t length) {
  Output *o = context;
  for (size_t i = 0; i < length; i++) o->hash = (o->hash ^ (uint8_t)bytes[i]) * 0x100000001b3u;
  size_t room = OUTPUT_KEPT - o->length;
  if (length > room) length = room;
  memcpy(o->text + o->length, bytes, length);
  o->length += length;
}

static ox_VM *open_vm(Output *output) {
  ox_Config config = ox_config();
  config.memory_limit = MEMORY;
  config.address_space = 64 << 20;
  config.fuel = FUEL;
  config.write = keep_output;
  config.context = output;
  return ox_new(&config);
}

static const char probe[] =
    "class Probe { x = 0; fn init(x) { self.x = x }; fn +(o) => Probe(self.x + o.x) }\n"
    "fn odd() { for i in 0..10 { if i % 2 == 1 { yield i } } }\n"
    "let caught = try { [1][7] } catch e { e.kind }\n"
    "let words = \"the VM goes on\".split(\" \").map(fn(w) => w.upper())\n"
    "words.sort()\n"
    "\"${(Probe(40) + Probe(2)).x} ${[...fiber(odd)]} ${caught} ${words.join(\"-\")}\"";
static const char probe_result[] = "42 [1, 3, 5, 7, 9] index GOES-ON-THE-VM";

// NULL if the VM is as good as new, else what is wrong with it.
static const char *examine(ox_VM *vm) {
  const char *damage = ox_verify(vm);
  if (damage) return damage;
  ox_set_fuel(vm, 0);
  ox_Value v;
  if (ox_eval(vm, "1 + 1", 5, "sum", &v) != OX_OK || ox_as_int(vm, v) != 2) return "1 + 1 fails";
  if (ox_eval(vm, probe, sizeof probe - 1, "probe", &v) != OX_OK) return ox_error(vm)->report;
  const char *text = ox_as_string(vm, v, NULL);
  if (!text || strcmp(text, probe_result) != 0) return text ? text : "the probe gives no text";
  damage = ox_verify(vm);
  return damage;
}

typedef struct {
  bool made;           // the VM could be made
  ox_Status status;
  char wrong[1000];    // what is wrong afterwards, "" if nothing
} Result;

static void describe(ox_VM *vm, Result *r) {
  const ox_Error *e = ox_error(vm);
  if (r->status == OX_OK) return;
  if (!e || !e->report || !e->message || !e->kind)
    snprintf(r->wrong, sizeof r->wrong, "ox_error describes nothing");
  else if (options.show)
    fprintf(stderr, "    %s: %s\n", e->kind, e->message);
}

// A run of `path` (NULL: of nothing) with request `k` failing. `early`: the making of the VM counts.
static Result run(const char *path, uint64_t k, bool persist, bool early, Output *output) {
  Result r = {0};
  *output = (Output){.hash = 0xcbf29ce484222325u};
  size_t live = inject.live;
  if (early) inject_arm(k, persist);
  ox_VM *vm = open_vm(output);
  r.made = vm != NULL;
  if (vm) {
    if (!early) inject_arm(k, persist);
    r.status = path ? ox_run_file(vm, path, NULL) : ox_eval(vm, "1 + 1", 5, "sum", NULL);
    describe(vm, &r);
    inject_disarm();
    const char *wrong = examine(vm);
    if (wrong) snprintf(r.wrong, sizeof r.wrong, "%s", wrong);
    ox_free(vm);
  }
  inject_disarm();
  if (inject.live != live)
    snprintf(r.wrong, sizeof r.wrong, "%zu blocks are never freed", inject.live - live);
  return r;
}

static int open_files(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (dir && readdir(dir)) n++;
  if (dir) closedir(dir);
  return n;
}

// ---------------------------------------------------------------------------------------------
// One program

static uint64_t hash_text(const char *text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (; *text; text++) h = (h ^ (uint8_t)*text) * 0x100000001b3u;
  return h;
}

static bool mentions(const char *path, const char *word) {
  FILE *file = fopen(path, "rb");
  char *text = file ? calloc(1, 1 << 20) : NULL;
  size_t n = text ? fread(text, 1, (1 << 20) - 1, file) : 0;
  bool found = n && strstr(text, word);
  free(text);
  if (file) fclose(file);
  return found;
}

static bool may_catch(const char *path) {
  return !path || mentions(path, "catch") || mentions(path, "throws") || mentions(path, "finally") ||
         mentions(path, "memory") || mentions(path, "defer") || mentions(path, "test.");
}

static void complain(const char *path, Progress *p, const char *wrong) {
  if (p->failures++ < 5)
    fprintf(stderr, "%s: request %lu %s: %s\n", path ? path : "(start)", p->k,
            p->persist ? "and all after it" : "alone", wrong);
}

// Each request of [1, points] or a sample of them: the next after k, 0 at the end.
static uint64_t next_point(uint64_t k, uint64_t points, uint64_t most, uint64_t seed) {
  if (options.only) return k ? 0 : options.only;
  if (points <= most) return k < points ? k + 1 : 0;
  uint64_t step = points / most, i = k == 0 ? 0 : (k - 1) / step + 1;
  uint64_t next = 1 + i * step + ((seed + i * 0x9E3779B97F4A7C15u) >> 33) % step;
  return next <= points ? next : 0;
}

static void try_point(const char *path, Progress *p, bool early, const Output *plain, Output *out,
                      bool believed) {
  Result r = run(path, p->k, p->persist, early, out);
  uint64_t failures = inject.failures;
  p->runs++;
  if (r.wrong[0]) complain(path, p, r.wrong);
  bool well = r.made && r.status == OX_OK && failures > 0;
  if (well && !believed && out->hash != plain->hash) complain(path, p, "passed over in silence");
}

static void limit_run(void) {
  struct itimerval limit = {.it_value.tv_sec = RUN_SECONDS};
  setitimer(ITIMER_PROF, &limit, NULL);
  alarm(WAIT_SECONDS);
}

// Works from where *p stands to the end.
static void try_program(const char *path, Progress *p) {
  Output *plain = calloc(1, sizeof *plain), *out = calloc(1, sizeof *out);
  if (!plain || !out) abort();
  bool early = path == NULL, believed = may_catch(path);
  Result first = run(path, 0, false, early, plain);
  first = run(path, 0, false, early, plain); // the first may have filled caches of the C library
  p->points = inject.points;
  if (first.wrong[0]) complain(path, p, first.wrong);
  int files = open_files();
  uint64_t most = p->points > LONG_PROGRAM ? options.most / 8 + 1 : options.most, seed;
  if (early) most = UINT64_MAX;
  seed = hash_text(path ? path : "");
  while ((p->k = next_point(p->k, p->points, most, seed)) != 0) {
    for (int persist = 0; persist < 2; persist++) {
      p->persist = persist;
      limit_run();
      try_point(path, p, early, plain, out, believed);
    }
    if (open_files() != files) complain(path, p, "files stay open"), files = open_files();
  }
  p->done = true;
}

// ---------------------------------------------------------------------------------------------
// All of them

static pid_t start(const char *path, Progress *progress) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid != 0) return pid;
  char folder[128], full[4096];
  snprintf(folder, sizeof folder, "%s/%d", options.scratch, getpid());
  if (path && !realpath(path, full)) _exit(2);
  if (mkdir(folder, 0700) != 0 || chdir(folder) != 0) _exit(2);
  setenv("TEST_TMP", folder, 1);
  if (!freopen("/dev/null", "r", stdin)) _exit(2);
  try_program(path ? full : NULL, progress);
  _exit(0);
}

// The process of a job has ended. True: the job has, too.
static bool job_ended(Job *job, int status) {
  Progress *p = job->progress;
  if (p->done) return true;
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  const char *how = signal == SIGALRM || signal == SIGPROF ? "hangs" : "crashes";
  complain(job->path, p, how);
  if (++p->crashes >= MAX_CRASHES) return true;
  job->pid = start(job->path, p);
  return false;
}

static void finish(Job *job, int *passed, int *failed) {
  Progress *p = job->progress;
  if (p->failures) ++*failed;
  else ++*passed;
  if (options.show || p->failures)
    fprintf(stderr, "%s %s: %lu points, %lu runs\n", p->failures ? "FAILED" : "ok",
            job->path ? job->path : "(start)", p->points, p->runs);
  munmap(p, sizeof *p);
  job->pid = 0;
}

static Progress *new_progress(void) {
  int flags = MAP_SHARED | MAP_ANONYMOUS;
  void *p = mmap(NULL, sizeof(Progress), PROT_READ | PROT_WRITE, flags, -1, 0);
  if (p == MAP_FAILED) abort();
  return p;
}

static int run_all(int jobs) {
  Job running[MAX_JOBS] = {{0}};
  int next = -1, busy = 0, passed = 0, failed = 0; // -1: the start of a VM
  uint64_t runs = 0;
  while (next < options.count || busy > 0) {
    for (int i = 0; i < jobs && next < options.count; i++) {
      if (running[i].pid != 0) continue;
      const char *path = next < 0 ? NULL : options.paths[next];
      running[i] = (Job){path, new_progress(), 0};
      running[i].pid = start(path, running[i].progress);
      next++, busy++;
    }
    int status;
    pid_t pid = wait(&status);
    for (int i = 0; i < jobs; i++) {
      if (running[i].pid != pid || !job_ended(&running[i], status)) continue;
      runs += running[i].progress->runs;
      finish(&running[i], &passed, &failed);
      busy--;
    }
  }
  printf("%lu runs with failing allocations\n%d passed, %d failed\n", runs, passed, failed);
  return failed > 0;
}

// ---------------------------------------------------------------------------------------------
// Finding programs

static bool has_main(const char *path, int base) {
  char main_path[4096];
  snprintf(main_path, sizeof main_path, "%.*s/main.oxb", base, path);
  return access(main_path, R_OK) == 0;
}

static int found(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info;
  size_t n = strlen(path);
  if (kind != FTW_F || n < 4 || strcmp(path + n - 4, ".oxb") != 0) return 0;
  if (has_main(path, place->base - 1) && strcmp(path + place->base, "main.oxb") != 0) return 0;
  for (int at = place->base - 1; at > 0; at--) // modules in folders below a main.oxb
    if (path[at] == '/' && at < place->base - 1 && has_main(path, at)) return 0;
  if (options.count < MAX_PROGRAMS) options.paths[options.count++] = strdup(path);
  return 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info, (void)kind, (void)place;
  return remove(path);
}

int main(int argc, char **argv) {
  int jobs = (int)sysconf(_SC_NPROCESSORS_ONLN);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--all") == 0) options.most = UINT64_MAX;
    else if (strcmp(argv[i], "--show") == 0) options.show = true;
    else if (strcmp(argv[i], "--most") == 0 && i + 1 < argc) options.most = strtoull(argv[++i], 0, 10);
    else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
      options.only = strtoull(argv[++i], 0, 10);
    else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) jobs = atoi(argv[++i]);
    else nftw(argv[i], found, 16, FTW_PHYS);
  }
  if (jobs < 1) jobs = 1;
  if (jobs > MAX_JOBS) jobs = MAX_JOBS;
  qsort(options.paths, (size_t)options.count, sizeof *options.paths, by_name);
  snprintf(options.scratch, sizeof options.scratch, "/tmp/oxbow-faults-XXXXXX");
  if (!mkdtemp(options.scratch)) return 2;
  int status = run_all(jobs);
  nftw(options.scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  return status;
}
