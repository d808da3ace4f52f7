/* crew.c - threads that wait for the next task.
 *
 * A thread that has done its work tells so, and becomes idle, unless enough are; then, or after
 * some time without work, it ends, and is joined by whoever starts work next, or at the end of the
 * crew. Whoever waits for work looks at a flag under the lock, which the thread does not touch
 * afterwards.
 *
 * After a host's fork() the threads are not there in the new process: then the crew begins anew,
 * and what it knew of them is forgotten (some hundred bytes for each are lost).
 *
 * One lock; nothing is called while it is held. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 16 << 20, MOST_IDLE = 8, IDLE_SECONDS = 2 };

typedef struct CrewThread {
  pthread_t id;
  Crew *crew;
  CrewWork *work;
  pthread_cond_t wake;
  struct CrewThread *next; /* in the list that it is in */
} CrewThread;

bool crew_open(Crew *crew) {
  *crew = (Crew){0};
  if (pthread_mutex_init(&crew->lock, NULL) != 0) return false;
  if (pthread_cond_init(&crew->ended, NULL) != 0) {
    pthread_mutex_destroy(&crew->lock);
    return false;
  }
  crew->process = getpid(); /* from now on it is usable here */
  return true;
}

static bool is_elsewhere(const Crew *crew) { return crew->process != getpid(); }

static void thread_free(CrewThread *t) {
  pthread_join(t->id, NULL);
  pthread_cond_destroy(&t->wake);
  free(t);
}

static void join_all(CrewThread *list) {
  for (CrewThread *t = list, *next; t; t = next) {
    next = t->next;
    thread_free(t);
  }
}

static void leave_idle(Crew *crew, CrewThread *t) {
  CrewThread **at = &crew->idle;
  while (*at != t) at = &(*at)->next;
  *at = t->next;
  crew->nidle--;
}

/* Under the lock, without work: waits for some. False: the thread is to end. */
static bool wait_for_work(Crew *crew, CrewThread *t) {
  struct timespec until;
  if (crew->closing || crew->nidle >= MOST_IDLE) return false;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += IDLE_SECONDS;
  t->next = crew->idle;
  crew->idle = t;
  crew->nidle++;
  while (!t->work && !crew->closing)
    if (pthread_cond_timedwait(&t->wake, &crew->lock, &until) == ETIMEDOUT) break;
  if (t->work) return true;
  leave_idle(crew, t);
  return false;
}

static void *thread_main(void *arg) {
  CrewThread *t = arg;
  Crew *crew = t->crew;
  pthread_mutex_lock(&crew->lock);
  do {
    CrewWork *work = t->work;
    pthread_mutex_unlock(&crew->lock);
    work->run(work->arg);
    pthread_mutex_lock(&crew->lock);
    t->work = NULL;
    work->ended = true;
    pthread_cond_broadcast(&crew->ended);
  } while (wait_for_work(crew, t));
  t->next = crew->gone;
  crew->gone = t;
  if (crew->closing) pthread_cond_broadcast(&crew->ended);
  pthread_mutex_unlock(&crew->lock);
  return NULL;
}

/* Signals are for the thread of the host. */
static bool thread_create(CrewThread *t) {
  pthread_attr_t attr;
  sigset_t all, before;
  if (pthread_attr_init(&attr) != 0) return false;
  sigfillset(&all);
  pthread_attr_setstacksize(&attr, STACK_BYTES);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool ok = pthread_create(&t->id, &attr, thread_main, t) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return ok;
}

static bool start_new(Crew *crew, CrewWork *work) {
  CrewThread *t = calloc(1, sizeof *t);
  if (!t || pthread_cond_init(&t->wake, NULL) != 0) return free(t), false;
  t->crew = crew;
  t->work = work;
  if (thread_create(t)) return true;
  pthread_cond_destroy(&t->wake);
  free(t);
  return false;
}

bool crew_start(Crew *crew, CrewWork *work) {
  if (is_elsewhere(crew) && !crew_open(crew)) return false;
  work->ended = false;
  work->process = crew->process;
  pthread_mutex_lock(&crew->lock);
  CrewThread *t = crew->idle, *gone = crew->gone;
  crew->gone = NULL;
  if (t) {
    crew->idle = t->next;
    crew->nidle--;
    t->work = work;
    pthread_cond_signal(&t->wake);
  }
  pthread_mutex_unlock(&crew->lock);
  join_all(gone);
  return t || start_new(crew, work);
}

void crew_wait(Crew *crew, CrewWork *work) {
  if (work->process != getpid()) return; /* it ends where it began */
  pthread_mutex_lock(&crew->lock);
  while (!work->ended) pthread_cond_wait(&crew->ended, &crew->lock);
  pthread_mutex_unlock(&crew->lock);
}

void crew_close(Crew *crew) {
  if (is_elsewhere(crew)) return;
  pthread_mutex_lock(&crew->lock);
  crew->closing = true;
  for (CrewThread *t = crew->idle; t; t = t->next) pthread_cond_signal(&t->wake);
  while (crew->idle) pthread_cond_wait(&crew->ended, &crew->lock);
  CrewThread *gone = crew->gone;
  crew->gone = NULL;
  pthread_mutex_unlock(&crew->lock);
  join_all(gone);
  pthread_cond_destroy(&crew->ended);
  pthread_mutex_destroy(&crew->lock);
}
