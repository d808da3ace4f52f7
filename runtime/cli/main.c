/* main.c - the `oxbow` command: where it begins, and Ctrl-C. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

/* Signal handlers have no context, so this is the command's one variable outside of a function. */
static ox_VM *volatile interrupted_vm;

static void on_interrupt(int signal_number) {
  signal(signal_number, SIG_DFL); /* the next one ends the process */
  ox_VM *vm = interrupted_vm;
  if (vm) ox_interrupt(vm);
}

void interrupts_begin(ox_VM *vm) {
  interrupted_vm = vm;
  struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: reads return */
  sigaction(SIGINT, &action, NULL);
}

void interrupts_end(void) {
  signal(SIGINT, SIG_DFL);
  interrupted_vm = NULL;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_DFL); /* `oxbow ... | head` ends in silence, whatever our parent ignores */
  Options options = {0};
  options.codes = calloc((size_t)argc, sizeof *options.codes);
  if (!options.codes) return EXIT_UNCAUGHT;
  int status = options_read(&options, argc, argv);
  if (status < 0) status = options.test ? test_command(&options) : run_command(&options);
  free(options.codes);
  if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_OK) {
    fputs("oxbow: standard output cannot be written\n", stderr);
    status = EXIT_UNCAUGHT;
  }
  return status;
}
