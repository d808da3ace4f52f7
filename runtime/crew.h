/* crew.h - threads for tasks. One that is idle takes the next piece of work, which costs a tenth
 * of a new thread; a few stay idle for a while, and all end with the crew. */
#ifndef OX_RUNTIME_CREW_H
#define OX_RUNTIME_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The caller's, until crew_wait has returned. */
typedef struct CrewWork {
  void (*run)(void *arg);
  void *arg;
  bool ended; /* under the crew's lock */
  pid_t process; /* where its thread is */
} CrewWork;

typedef struct Crew {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  struct CrewThread *idle; /* the first one was used last */
  struct CrewThread *gone; /* those that have ended by themselves, to be joined */
  uint32_t nidle;
  bool closing;
  pid_t process; /* in which its threads are */
} Crew;

bool crew_open(Crew *crew);
/* When all work has been waited for. */
void crew_close(Crew *crew);
/* Runs it on a thread, with all signals blocked. False: the system has no thread left. */
bool crew_start(Crew *crew, CrewWork *work);
/* Waits for the end of work that was started. */
void crew_wait(Crew *crew, CrewWork *work);

#endif
