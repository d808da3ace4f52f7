/* service.c - what a larger heap would gain a program that does something with its memory: the requests
 * of service.oxb, a constant number of records alive, each replaced three times.
 *
 *   service SCRIPT [MB [PERCENT]]   prints "CPU-SECONDS PEAK-HEAP/LIVE"; PERCENT: the largest
 *                                   heap, of the live size, instead of the policy's choice, which is 0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "include/oxbow.h"

enum { RECORD_BYTES = 1100, TURNOVER = 3 };

static double cpu_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void must(ox_VM *vm, ox_Status status) {
  if (status == OX_OK) return;
  fprintf(stderr, "%s", ox_error(vm)->report);
  exit(1);
}

static void serve(ox_VM *vm, ox_Value program, int64_t from, int64_t to, int64_t size) {
  ox_Value args[] = {ox_int(vm, from), ox_int(vm, to), ox_int(vm, size)};
  must(vm, ox_call_method(vm, program, "serve", 3, args, NULL));
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: service SCRIPT [MB [PERCENT]]\n"), 2;
  int64_t size = (argc > 2 ? atoll(argv[2]) : 128) * (1 << 20) / RECORD_BYTES;
  ox_Config config = ox_config();
  ox_Stats stats = {.size = sizeof stats};
  config.heap_percent = argc > 3 ? (uint32_t)atoi(argv[3]) : 0;
  ox_Value program;
  ox_VM *vm = ox_new(&config);
  if (!vm) return 1;
  must(vm, ox_run_file(vm, argv[1], &program));
  serve(vm, program, 0, size, size);
  double start = cpu_now();
  serve(vm, program, size, (TURNOVER + 1) * size, size);
  double took = cpu_now() - start;
  ox_stats(vm, &stats);
  uint64_t peak = stats.peak_bytes;
  ox_collect(vm);
  ox_stats(vm, &stats);
  printf("%.3f %.3f\n", took, (double)peak / (double)stats.live_bytes);
  ox_free(vm);
  return 0;
}
