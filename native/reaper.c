#include "reaper.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include <stdlib.h>

#include "lane.h"
#include "lane_group.h"

struct batch {
  struct batch *next;
  size_t count;
  double ids[];
};

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static int users;
static pthread_t thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static bool running, stopping;
static struct batch *first, *last;
static struct lane *ended;

static void cancel_all(struct batch *batch) {
  while (batch != NULL) {
    struct batch *next = batch->next;
    for (size_t i = 0; i < batch->count; i++) attempt_cancel((uint64_t)batch->ids[i]);
    free(batch);
    batch = next;
  }
}

static void join_all(struct lane *lane) {
  while (lane != NULL) {
    struct lane *next = lane->next_to_join;
    pthread_join(lane->thread, NULL);
    group_lane_joined(lane);
    lane = next;
  }
}

static void *reap(void *nothing) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_mutex_lock(&lock);
  while (first != NULL || ended != NULL || !stopping) {
    if (first == NULL && ended == NULL) {
      pthread_cond_wait(&work, &lock);
      continue;
    }
    struct batch *batches = first;
    struct lane *lanes = batches == NULL ? ended : NULL; /* somebody waits for a cancel, nobody for a join */
    if (batches != NULL) first = last = NULL;
    if (lanes != NULL) ended = NULL;
    pthread_mutex_unlock(&lock);
    cancel_all(batches);
    join_all(lanes);
    pthread_mutex_lock(&lock);
  }
  running = false;
  pthread_mutex_unlock(&lock);
  return nothing;
}

int reaper_start(void) {
  int error = 0;
  pthread_mutex_lock(&users_lock);
  if (users == 0) {
    sigset_t all, before;
    stopping = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = sys_thread_create(&thread, NULL, reap, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_lock(&lock);
    running = error == 0;
    pthread_mutex_unlock(&lock);
  }
  if (error == 0) users++;
  pthread_mutex_unlock(&users_lock);
  return error;
}

void reaper_stop(void) {
  pthread_mutex_lock(&users_lock);
  if (--users == 0) {
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&work);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
  }
  pthread_mutex_unlock(&users_lock);
}

bool reaper_cancel(const double *ids, size_t count) {
  struct batch *batch = sys_allocate(sizeof *batch + count * sizeof *ids);
  if (batch == NULL) return false;
  batch->next = NULL;
  batch->count = count;
  memcpy(batch->ids, ids, count * sizeof *ids);
  pthread_mutex_lock(&lock);
  bool taken = running;
  if (taken) {
    if (first == NULL)
      first = batch;
    else
      last->next = batch;
    last = batch;
    pthread_cond_signal(&work);
  }
  pthread_mutex_unlock(&lock);
  if (!taken) free(batch);
  return taken;
}

void reaper_join(struct lane *lane) {
  pthread_mutex_lock(&lock);
  lane->next_to_join = ended;
  ended = lane;
  pthread_cond_signal(&work);
  pthread_mutex_unlock(&lock);
}
