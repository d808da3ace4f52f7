/* startup.c - startup ROUNDS COMMAND ARG COMMAND ARG: what it costs to start two interpreters.
 *
 * Runs both commands in turns, so that what else the machine does falls on both, and prints for each
 * the median processor time (user and system) in milliseconds and the peak resident set in KiB.
 * It is small and linked statically, since a process inherits the peak of the one that it was forked
 * from. Called by startup.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Cost {
  double ms;
  long peak;
} Cost;

static Cost run_once(char **command) {
  char *argv[] = {command[0], command[1], NULL};
  int status;
  struct rusage use;
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[0], argv);
    _exit(127);
  }
  if (wait4(child, &status, 0, &use) < 0 || status != 0) {
    fprintf(stderr, "startup: %s failed\n", argv[0]);
    exit(1);
  }
  double seconds = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec);
  return (Cost){seconds * 1e3 + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3,
                use.ru_maxrss};
}

static int by_time(const void *a, const void *b) {
  double x = ((const Cost *)a)->ms, y = ((const Cost *)b)->ms;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  int rounds = argc == 6 ? atoi(argv[1]) : 0;
  Cost *costs[2];
  if (rounds < 1) return fputs("usage: startup ROUNDS COMMAND ARG COMMAND ARG\n", stderr), 2;
  for (int c = 0; c < 2; c++)
    if (!(costs[c] = calloc((size_t)rounds, sizeof *costs[c]))) return 1;
  for (int i = 0; i < rounds; i++)
    for (int c = 0; c < 2; c++) costs[c][i] = run_once(argv + 2 + 2 * c);
  for (int c = 0; c < 2; c++) {
    long peak = 0;
    for (int i = 0; i < rounds; i++) peak = costs[c][i].peak > peak ? costs[c][i].peak : peak;
    qsort(costs[c], (size_t)rounds, sizeof *costs[c], by_time);
    printf("%.3f %ld\n", costs[c][rounds / 2].ms, peak);
  }
  return 0;
}
