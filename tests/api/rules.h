// rules.h - for tests of broken rules: each runs in a child, whose standard error is read.
#ifndef TESTS_API_RULES_H
#define TESTS_API_RULES_H

#include "helpers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// What the child says, if it aborts; else "survived", or "died of N".
static inline const char *last_words(void (*misuse)(void)) {
  static char words[4096];
  int ends[2], status;
  cr_assert_eq(pipe(ends), 0);
  fflush(NULL);
  pid_t pid = fork();
  cr_assert_geq(pid, 0);
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);
    signal(SIGABRT, SIG_DFL);
    misuse();
    _exit(0);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; n < sizeof words - 1 &&
                    (got = read(ends[0], words + n, sizeof words - 1 - n)) > 0;)
    n += (size_t)got;
  words[n] = 0;
  close(ends[0]);
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "survived";
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
    snprintf(words, sizeof words, "died of %d", status);
  return words;
}

static inline bool debug_build(void) {
#ifdef OX_DEBUG
  return true;
#else
  return false;
#endif
}

// In debug builds the rule is named with the function, in others the program goes on.
static inline void expect_rule(void (*misuse)(void), const char *function, const char *rule) {
  const char *words = last_words(misuse);
  if (!debug_build()) {
    cr_expect_str_eq(words, "survived", "%s: %s", function, words);
    return;
  }
  char wanted[200];
  snprintf(wanted, sizeof wanted, "oxbow: %s: broken rule: ", function);
  cr_expect(strstr(words, wanted) && strstr(words, rule), "wanted: %s...%s...\ngot: %s", wanted, rule,
            words);
}

#endif
