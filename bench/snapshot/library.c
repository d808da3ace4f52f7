/* library.c [--quick]: what the image of the standard library saves: fifty processes that run a
 * script at once, with the image and without. Memory is what /proc/PID/smaps_rollup says while all of
 * them are there: resident (Rss), and proportional (Pss: a page that n processes share counts 1/n).
 * Time is a process's, from exec to exit, user and system. Run by bench/snapshot/run.py. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 50 };
static const char *oxbow;

typedef struct Memory {
  long resident, proportional, own; /* KiB; own: private pages */
} Memory;

static void die(const char *what) {
  fprintf(stderr, "library: %s\n", what);
  exit(1);
}

/* A script that uses some of the library, says that it is done, and waits for its input to end. */
static const char script[] =
    "import csv, text, queue\nlet rows = csv.parse(\"a,1\\nb,2\\n\")\n"
    "print(rows.map(fn(row) => row[1]).sorted(fn(a, b) => int(a) - int(b)).join())\n"
    "import io\nio.stdout.flush()\nio.stdin.read()";

static pid_t start(const char *library, int in, int out) {
  pid_t pid = fork();
  if (pid) return pid;
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0) _exit(1);
  execl(oxbow, oxbow, library, "-e", script, NULL);
  _exit(1);
}

static Memory memory_of(pid_t pid) {
  char path[64], line[256];
  Memory m = {0};
  long kb;
  snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
  FILE *f = fopen(path, "r");
  if (!f) die("no smaps_rollup");
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "Rss: %ld", &kb) == 1) m.resident = kb;
    if (sscanf(line, "Pss: %ld", &kb) == 1) m.proportional = kb;
    if (sscanf(line, "Private_Clean: %ld", &kb) == 1 || sscanf(line, "Private_Dirty: %ld", &kb) == 1)
      m.own += kb;
  }
  fclose(f);
  return m;
}

/* All of them at once; the mean. */
static Memory fifty(const char *library, double *ms) {
  int in[2], out[2], status;
  pid_t pids[PROCESSES];
  struct rusage before, after;
  Memory sum = {0};
  char line[3];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) die("no pipe");
  getrusage(RUSAGE_CHILDREN, &before);
  for (int i = 0; i < PROCESSES; i++) pids[i] = start(library, in[0], out[1]);
  close(in[0]), close(out[1]);
  for (int i = 0; i < PROCESSES; i++) /* "12\n" */
    if (read(out[0], line, 3) != 3) die("a script said nothing");
  for (int i = 0; i < PROCESSES; i++) {
    Memory m = memory_of(pids[i]);
    sum.resident += m.resident;
    sum.proportional += m.proportional;
    sum.own += m.own;
  }
  close(in[1]);
  for (int i = 0; i < PROCESSES; i++)
    if (waitpid(pids[i], &status, 0) < 0 || status) die("a script failed");
  close(out[0]);
  getrusage(RUSAGE_CHILDREN, &after);
  *ms = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
                 before.ru_stime.tv_sec) * 1e3 +
        (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec -
                 before.ru_stime.tv_usec) / 1e3;
  *ms /= PROCESSES;
  return (Memory){sum.resident / PROCESSES, sum.proportional / PROCESSES, sum.own / PROCESSES};
}

int main(int argc, char **argv) {
  static char with[4096];
  double ms, ms_without;
  if (argc < 2) die("usage: library OXBOW [--quick]");
  oxbow = argv[1];
  const char *slash = strrchr(oxbow, '/');
  snprintf(with, sizeof with, "--library=%.*soxbow-library.img",
           slash ? (int)(slash - oxbow + 1) : 0, oxbow);
  fifty(with, &ms); /* so that the files are in memory */
  Memory w = fifty(with, &ms), n = fifty("--library=", &ms_without);
  printf("library fifty scripts, proportional KiB: %ld\n", w.proportional);
  printf("library fifty scripts, resident KiB: %ld\n", w.resident);
  printf("library fifty scripts, private KiB: %ld\n", w.own);
  printf("library fifty scripts without the image, proportional KiB: %ld\n", n.proportional);
  printf("library fifty scripts without the image, resident KiB: %ld\n", n.resident);
  printf("library fifty scripts without the image, private KiB: %ld\n", n.own);
  printf("library script with the image, ms of processor time: %.2f\n", ms);
  printf("library script without the image, ms of processor time: %.2f\n", ms_without);
  return 0;
}
