/* process.c - the module `process`: running other programs.
 *
 * A child is made by posix_spawn (no copy of this process's memory), in a process group of its
 * own, so that a timeout or interrupt ends its children too. Its input is fed and both outputs
 * are collected in one poll loop with non-blocking pipes: neither side can wait for the other
 * forever. */
#include "../../gc/os.h"
#include "lib.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { POLL_MS = 50, READ_BYTES = 65536 };

typedef struct Run {
  ox_VM *vm;
  char **argv, **env;     /* env NULL: inherited; the vectors are ours, envs' texts too */
  size_t nenv;
  const char *cwd;        /* NULL: inherited */
  String *input;          /* NULL: empty */
  uint64_t timeout_ns;    /* 0: none */
  uint64_t start_ns;
  int in, out, err;       /* our ends of the pipes, -1 when closed */
  pid_t pid;              /* 0: not started or gone */
  int status;             /* of waitpid */
  Buf output, errors;
} Run;

/* ---- arguments ----------------------------------------------------------------------------- */

static bool read_argv(Run *r, Value list) {
  if (!arg_kind(r->vm, list, KIND_LIST, "argv of process.run")) return false;
  uint64_t n = list_len(r->vm, list);
  if (!n) {
    vm_throw(r->vm, ERR_VALUE, "argv of process.run must have at least the program's name");
    return false;
  }
  r->argv = calloc(n + 1, sizeof *r->argv);
  if (!r->argv) {
    vm_throw_oom(r->vm);
    return false;
  }
  for (uint64_t i = 0; i < n; i++) {
    const char *arg = lib_path(r->vm, list_get(r->vm, list, i), "each element of argv");
    if (!arg) return false;
    r->argv[i] = (char *)arg;
  }
  return true;
}

/* Takes over a copy of "NAME=text", replacing the variable of that name; text NULL removes it. */
static bool set_variable(Run *r, const char *name, const char *text) {
  size_t n = strlen(name), at = 0;
  while (at < r->nenv && !(!strncmp(r->env[at], name, n) && r->env[at][n] == '=')) at++;
  char *entry = NULL;
  if (text && asprintf(&entry, "%s=%s", name, text) < 0) return false;
  if (at < r->nenv) free(r->env[at]);
  else if (entry) r->nenv++;
  else return true;
  r->env[at] = entry ? entry : r->env[--r->nenv];
  if (!entry) r->env[r->nenv] = NULL;
  return true;
}

/* A copy of the environment with room for `more` variables. */
static bool copy_environment(Run *r, size_t more) {
  size_t n = 0;
  while (environ[n]) n++;
  r->env = calloc(n + more + 1, sizeof *r->env);
  if (!r->env) return false;
  while (r->nenv < n)
    if (!(r->env[r->nenv] = strdup(environ[r->nenv]))) return false;
    else r->nenv++;
  return true;
}

static bool bad_variable(Run *r, const char *name) {
  vm_throw(r->vm, ERR_VALUE, "env of process.run: '%s' cannot be a variable's name", name);
  return false;
}

static bool read_variable(Run *r, Value key, Value value) {
  const char *name = lib_path(r->vm, key, "each key of env"), *text = NULL;
  if (!name) return false;
  if (!*name || strchr(name, '=')) return bad_variable(r, name);
  if (value != V_NIL && !(text = lib_path(r->vm, value, "each value of env"))) return false;
  if (set_variable(r, name, text)) return true;
  vm_throw_oom(r->vm);
  return false;
}

static bool read_env(Run *r, Value map) {
  uint32_t i = 0;
  Value key, value;
  if (map == V_ABSENT || map == V_NIL) return true;
  if (!arg_kind(r->vm, map, KIND_MAP, "env of process.run")) return false;
  if (!copy_environment(r, as_map(r->vm, map)->live)) {
    vm_throw_oom(r->vm);
    return false;
  }
  while (map_next(r->vm, as_map(r->vm, map), &i, &key, &value))
    if (!read_variable(r, key, value)) return false;
  return true;
}

/* args: argv, input, cwd, env, timeout */
static bool read_options(Run *r, Value *args) {
  double seconds;
  bool input = args[1] != V_ABSENT && args[1] != V_NIL;
  bool cwd = args[2] != V_ABSENT && args[2] != V_NIL;
  if (input && !(r->input = arg_string(r->vm, args[1], "input of process.run"))) return false;
  if (cwd && !(r->cwd = lib_path(r->vm, args[2], "cwd of process.run"))) return false;
  if (!read_env(r, args[3])) return false;
  if (args[4] == V_ABSENT || args[4] == V_NIL) return true;
  if (!lib_seconds(r->vm, args[4], "timeout of process.run", &seconds)) return false;
  r->timeout_ns = (uint64_t)(seconds * 1e9) + 1;
  return true;
}

/* ---- starting ------------------------------------------------------------------------------ */

static void close_end(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* Signals as a fresh program expects them, a process group of its own. */
static int set_attributes(posix_spawnattr_t *attr) {
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGINT);
  sigaddset(&usual, SIGTERM);
  int error = posix_spawnattr_setsigmask(attr, &none);
  if (!error) error = posix_spawnattr_setsigdefault(attr, &usual);
  if (!error) error = posix_spawnattr_setpgroup(attr, 0);
  if (error) return error;
  return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                            POSIX_SPAWN_SETPGROUP);
}

/* `ends` are the child's ends; in -1: empty input. */
static int set_files(Run *r, posix_spawn_file_actions_t *files, const int ends[3]) {
  int error = ends[0] >= 0 ? posix_spawn_file_actions_adddup2(files, ends[0], 0)
                           : posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
  if (!error) error = posix_spawn_file_actions_adddup2(files, ends[1], 1);
  if (!error) error = posix_spawn_file_actions_adddup2(files, ends[2], 2);
  if (!error && r->cwd) error = posix_spawn_file_actions_addchdir_np(files, r->cwd);
  return error;
}

static int spawn(Run *r, const int ends[3]) {
  enum { SPAWN_STEPS = 20000 }; /* about as long as so many turns of a loop */
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attr;
  vm_charge_steps(r->vm, SPAWN_STEPS);
  int error = posix_spawn_file_actions_init(&files);
  if (error) return error;
  error = posix_spawnattr_init(&attr);
  if (!error) {
    error = set_attributes(&attr);
    if (!error) error = set_files(r, &files, ends);
    if (!error)
      error = posix_spawnp(&r->pid, r->argv[0], &files, &attr, r->argv, r->env ? r->env : environ);
    posix_spawnattr_destroy(&attr);
  }
  posix_spawn_file_actions_destroy(&files);
  return error;
}

/* A pipe both ends of which stay out of other children; numbers above 2, so that the child's
 * standard descriptors are not among them. */
static bool make_pipe(int *ours, int *theirs, bool we_write) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  for (int i = 0; i < 2; i++) {
    if (ends[i] > 2) continue;
    int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
    close(ends[i]);
    ends[i] = moved;
  }
  *ours = ends[we_write];
  *theirs = ends[!we_write];
  return *ours >= 0 && *theirs >= 0 && fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

static bool start(Run *r) {
  int ends[3] = {-1, -1, -1};
  bool piped = make_pipe(&r->out, &ends[1], false) && make_pipe(&r->err, &ends[2], false) &&
               (!r->input || make_pipe(&r->in, &ends[0], true));
  int error = piped ? spawn(r, ends) : errno;
  for (int i = 0; i < 3; i++) close_end(&ends[i]);
  if (!error) return true;
  r->pid = 0;
  bool no_dir = r->cwd && access(r->cwd, X_OK) != 0;
  if (no_dir) lib_throw_io(r->vm, "run a program in", r->cwd, errno);
  else if (error == ENOENT)
    vm_throw(r->vm, ERR_IO, "cannot run '%s': there is no such program", r->argv[0]);
  else lib_throw_io(r->vm, "run", r->argv[0], error);
  return false;
}

/* ---- talking ------------------------------------------------------------------------------- */

/* write(2) that gives EPIPE without the signal. */
static ssize_t write_quietly(int fd, const char *bytes, size_t n) {
  sigset_t pipe_only, before, pending;
  struct timespec now = {0, 0};
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  bool was_pending = sigismember(&pending, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  ssize_t done = write(fd, bytes, n);
  int error = errno;
  if (done < 0 && error == EPIPE && !was_pending) sigtimedwait(&pipe_only, NULL, &now);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return done;
}

/* Sends what the pipe takes; closes it at the end, or when the child reads no more. */
static void feed(Run *r, size_t *sent) {
  ssize_t done = write_quietly(r->in, r->input->chars + *sent, r->input->h.aux - *sent);
  if (done > 0) *sent += (size_t)done;
  bool over = done < 0 && errno != EAGAIN && errno != EINTR;
  if (over || *sent == r->input->h.aux) close_end(&r->in);
}

static void collect(int *fd, Buf *into, char *chunk) {
  ssize_t got = read(*fd, chunk, READ_BYTES);
  if (got > 0) buf_add(into, chunk, (size_t)got);
  else if (got == 0 || (errno != EAGAIN && errno != EINTR)) close_end(fd);
}

/* Looks for interrupts and the timeout. False: error pending. */
static bool go_on(Run *r) {
  if (!vm_poll(r->vm, 0)) return false;
  if (r->output.failed || r->errors.failed) {
    if (!error_pending(r->vm)) vm_throw_oom(r->vm);
    return false;
  }
  if (!r->timeout_ns || os_now_ns() - r->start_ns < r->timeout_ns) return true;
  vm_throw(r->vm, ERR_IO, "'%s' did not end within its timeout of %g s and was stopped",
           r->argv[0], (double)(r->timeout_ns - 1) / 1e9);
  return false;
}

/* Until the child has closed both outputs. False: error pending. */
static bool talk(Run *r) {
  size_t sent = 0;
  char *chunk = malloc(READ_BYTES);
  if (!chunk) {
    vm_throw_oom(r->vm);
    return false;
  }
  if (r->in >= 0 && !r->input->h.aux) close_end(&r->in);
  bool fine = true;
  while (fine && (r->out >= 0 || r->err >= 0)) {
    struct pollfd fds[] = {{r->in, POLLOUT, 0}, {r->out, POLLIN, 0}, {r->err, POLLIN, 0}};
    if (poll(fds, 3, POLL_MS) > 0) {
      if (fds[0].revents) feed(r, &sent);
      if (fds[1].revents) collect(&r->out, &r->output, chunk);
      if (fds[2].revents) collect(&r->err, &r->errors, chunk);
    }
    fine = go_on(r);
  }
  free(chunk);
  return fine;
}

/* Waits for the end of the child, which mostly has come already. */
static bool wait_end(Run *r) {
  long pause = 50000; /* ns, doubled up to 20 ms */
  for (;;) {
    pid_t got = waitpid(r->pid, &r->status, WNOHANG);
    if (got == r->pid || (got < 0 && errno != EINTR)) {
      r->pid = 0;
      return true;
    }
    if (!go_on(r)) return false;
    struct timespec t = {0, pause};
    nanosleep(&t, NULL);
    if (pause < 20000000) pause *= 2;
  }
}

static void stop(Run *r) {
  if (!r->pid) return;
  kill(-r->pid, SIGKILL);
  kill(r->pid, SIGKILL);
  while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR) {}
  r->pid = 0;
}

static Value result(Run *r) {
  Value map = map_new(r->vm, 3);
  if (map == V_ERROR) return V_ERROR;
  int code = WIFSIGNALED(r->status) ? -WTERMSIG(r->status) : WEXITSTATUS(r->status);
  if (!lib_put(r->vm, map, "status", v_from_int(code))) return V_ERROR;
  Value out = buf_finish(&r->output);
  buf_init(&r->output, r->vm);
  if (out == V_ERROR || !lib_put(r->vm, map, "stdout", out)) return V_ERROR;
  Value err = buf_finish(&r->errors);
  buf_init(&r->errors, r->vm);
  return err != V_ERROR && lib_put(r->vm, map, "stderr", err) ? map : V_ERROR;
}

static void finish(Run *r) {
  stop(r);
  close_end(&r->in);
  close_end(&r->out);
  close_end(&r->err);
  buf_free(&r->output);
  buf_free(&r->errors);
  for (size_t i = 0; i < r->nenv; i++) free(r->env[i]);
  free(r->env);
  free(r->argv);
}

static Value run(ox_VM *vm, Value *args) {
  Run r = {.vm = vm, .in = -1, .out = -1, .err = -1};
  buf_init(&r.output, vm);
  buf_init(&r.errors, vm);
  vm_flush(vm); /* what the program printed comes before what the child prints */
  r.start_ns = os_now_ns();
  bool done = read_options(&r, args) && read_argv(&r, args[0]) && start(&r) && talk(&r) &&
              wait_end(&r);
  Value v = done ? result(&r) : V_ERROR;
  finish(&r);
  return v;
}

static Value process_run(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  return run(vm, args);
}

static Value process_shell(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  if (!lib_path(vm, args[0], "command of process.shell")) return V_ERROR;
  Value words[3] = {string_from_c(vm, "/bin/sh"), V_ERROR, args[0]};
  if (words[0] != V_ERROR) words[1] = string_from_c(vm, "-c");
  Value all[5] = {words[1] == V_ERROR ? V_ERROR : list_from(vm, words, 3), args[1], args[2],
                  args[3], args[4]};
  return all[0] == V_ERROR ? V_ERROR : run(vm, all);
}

#define RUN_DOC \
  "and waits for its end: a map of status (the exit status, or -N when ended by signal N), " \
  "stdout and stderr (strings). input is its standard input (empty if left out), cwd its " \
  "directory, env a map of variables to add (nil removes one); beyond timeout seconds it is " \
  "stopped and an error thrown."

static const NativeDef process_defs[] = {
    NATIVE("run", process_run,
           "run(argv, input = nil, cwd = nil, env = nil, timeout = nil) -> map",
           "Runs a program, a list of its name and arguments without any shell," RUN_DOC),
    NATIVE("shell", process_shell,
           "shell(command, input = nil, cwd = nil, env = nil, timeout = nil) -> map",
           "Runs a command line in /bin/sh" RUN_DOC),
};

const ModuleDef module_process = {"process", "Running other programs.", process_defs,
                                  LIB_COUNT(process_defs), -1, NULL};
