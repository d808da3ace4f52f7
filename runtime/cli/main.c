/* main.c - the `oxbow` command: where it begins, and Ctrl-C. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

/* Signal handlers have no context, hence these variables. */
static ox_VM *volatile interrupted_vm;
static volatile sig_atomic_t at_prompt, prompt_interrupted;

static void on_interrupt(int signal_number) {
  ox_VM *vm = interrupted_vm;
  if (!at_prompt) signal(signal_number, SIG_DFL); /* the next one ends the process */
  if (vm) ox_interrupt(vm);
  else prompt_interrupted = 1;
}

void interrupts_catch(void) {
  struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: reads return */
  sigaction(SIGINT, &action, NULL);
}

void interrupts_begin(ox_VM *vm) {
  interrupted_vm = vm;
  if (!at_prompt) interrupts_catch();
}

void interrupts_end(void) {
  if (!at_prompt) signal(SIGINT, SIG_DFL);
  interrupted_vm = NULL;
}

void interrupts_keep_session(bool keep) {
  at_prompt = keep;
  prompt_interrupted = 0;
  if (keep) interrupts_catch();
  else signal(SIGINT, SIG_DFL);
}

bool interrupts_take(void) {
  bool taken = prompt_interrupted != 0;
  prompt_interrupted = 0;
  return taken;
}

bool interrupts_waiting(void) { return prompt_interrupted != 0; }

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
