#include "reaper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "lane.h"
#include "lane_group.h"
#include "lane_stack.h"
#include "list.h"

/*
 * Cancels under way at once: a lane that wakes to end wants a core, and thousands that do would keep the JavaScript
 * thread off it. More are sent once half of these have ended, or when none has for a while: one that takes long holds up
 * nobody else.
 */
enum { CANCELS_UNDER_WAY = 64 };
static const int64_t PATIENCE_NS = 10 * 1000000;

/* Stacks that no lane has wanted for so long are given back. */
static const int64_t TRIM_NS = 2 * (int64_t)1000000000;

/* A sanitizer makes frames large; what is not touched costs nothing. */
enum { STACK_BYTES = 256 * 1024 };

struct batch {
  struct batch *next;
  size_t count, sent;
  double ids[];
};

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static int users;
static pthread_t thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work; /* monotonic; there while `users` is not 0 */
static bool running, stopping;
static struct {
  struct batch *first, *last;
} batches;
static struct lane *ended;

/* Lanes that pthread_cancel was called on and that have not come to be joined. */
static _Atomic int ending;

/* Takes the oldest batch off the list when the cancels to send are its last. Under the lock, which it lets go of meanwhile. */
static void cancel_some(size_t room) {
  struct batch *batch = batches.first;
  size_t from = batch->sent, left = batch->count - from;
  size_t to = from + (left < room ? left : room);
  batch->sent = to;
  if (to == batch->count) LIST_DROP_FIRST(&batches, next);
  pthread_mutex_unlock(&lock);
  for (size_t i = from; i < to; i++) attempt_cancel((uint64_t)batch->ids[i]);
  if (to == batch->count) free(batch);
  pthread_mutex_lock(&lock);
}

/* Under the lock, which it lets go of meanwhile. */
static void join_all(void) {
  struct lane *lane = ended;
  ended = NULL;
  pthread_mutex_unlock(&lock);
  while (lane != NULL) {
    struct lane *next = lane->next_to_join;
    pthread_join(lane->thread, NULL);
    group_lane_joined(lane);
    lane = next;
  }
  pthread_mutex_lock(&lock);
}

/* Until there is something to do, or until `due` if that says when to look again. False when it came to that. */
static bool wait_for_work(const struct timespec *due) {
  if (due == NULL) return pthread_cond_wait(&work, &lock), true;
  return pthread_cond_timedwait(&work, &lock, due) == 0;
}

static void *reap(void *nothing) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_mutex_lock(&lock);
  struct timespec trim_due = monotonic_in(TRIM_NS);
  bool patient = true;
  while (batches.first != NULL || ended != NULL || !stopping) {
    int under_way = patient ? atomic_load(&ending) : 0;
    patient = true;
    /* Somebody waits for a cancel, nobody for a join. */
    if (batches.first != NULL && under_way <= CANCELS_UNDER_WAY / 2) {
      cancel_some((size_t)(CANCELS_UNDER_WAY - under_way));
    } else if (ended != NULL) {
      join_all();
    } else if (batches.first != NULL) {
      struct timespec patience = monotonic_in(PATIENCE_NS);
      patient = wait_for_work(&patience);
    } else if (!wait_for_work(stacks_spare() ? &trim_due : NULL)) {
      trim_due = monotonic_in(TRIM_NS);
      pthread_mutex_unlock(&lock);
      stacks_trim(false);
      pthread_mutex_lock(&lock);
    }
  }
  running = false;
  pthread_mutex_unlock(&lock);
  stacks_trim(true);
  return nothing;
}

int reaper_start(void) {
  int error = 0;
  pthread_mutex_lock(&users_lock);
  if (users == 0) {
    stopping = false;
    cond_init_monotonic(&work);
    error = sys_thread_create(&thread, NULL, STACK_BYTES, reap, NULL);
    pthread_mutex_lock(&lock);
    running = error == 0;
    pthread_mutex_unlock(&lock);
    if (error != 0) pthread_cond_destroy(&work);
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
    pthread_cond_destroy(&work);
  }
  pthread_mutex_unlock(&users_lock);
}

bool reaper_cancel(const double *ids, size_t count) {
  struct batch *batch = sys_allocate(sizeof *batch + count * sizeof *ids);
  if (batch == NULL) return false;
  batch->count = count;
  batch->sent = 0;
  memcpy(batch->ids, ids, count * sizeof *ids);
  pthread_mutex_lock(&lock);
  bool taken = running;
  if (taken) {
    LIST_APPEND(&batches, batch, next);
    pthread_cond_signal(&work);
  }
  pthread_mutex_unlock(&lock);
  if (!taken) free(batch);
  return taken;
}

void reaper_expect(void) { atomic_fetch_add(&ending, 1); }

void reaper_join(struct lane *lane) {
  pthread_mutex_lock(&lock);
  if (lane->cancel_sent) atomic_fetch_sub(&ending, 1);
  lane->next_to_join = ended;
  ended = lane;
  pthread_cond_signal(&work);
  pthread_mutex_unlock(&lock);
}
