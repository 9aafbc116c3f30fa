/*
 * An attempt in the reactor, between the steps of nonblocking.c:
 *
 *   reactor_submit   WATCHED: the reactor's, or the submitting thread's until that has begun it
 *   take_over        begun by now, unless a cancel has come before it
 *   watch            in the poller under its id, among the deadlines
 *     | on_writable  completed, published
 *     | end_late     ETIMEDOUT
 *     | on_cancel    CANCELLED
 *
 * Events, deadlines and cancels find their attempt by its id, generation included: descriptor numbers and slots are
 * used again, and an event that comes late must not finish the attempt that has them now.
 */
#include "reactor.h"

#include <errno.h>
#include <pthread.h>

#include "clock.h"
#include "deadlines.h"
#include "inbox.h"
#include "list.h"
#include "nonblocking.h"
#include "outbox.h"
#include "poller.h"
#include "socket.h"

/*
 * So few are begun by the thread that asks for them: it waits for them, and a hand-over costs as much as a connect.
 * More are the reactor's, which begins so many before it looks at events, cancels and deadlines again.
 */
enum { BEGUN_BY_CALLER = 2, BEGUN_AT_ONCE = 32 };

/* Ended by events, cancels or deadlines before the rest has its turn: thousands may be due at once, and rings wait. */
enum { ENDED_AT_ONCE = 256 };

enum { STACK_BYTES = 256 * 1024 };

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static int users;
static pthread_t thread;

/* The reactor's thread alone. */
static struct attempt *watched;
static struct outbox *to_ring;

/* One ring for any number of posts in a row to one outbox. */
static void ring_soon(struct outbox *outbox) {
  if (to_ring == outbox) {
    outbox_drop(outbox);
    return;
  }
  if (to_ring != NULL) outbox_ring(to_ring);
  to_ring = outbox;
}

static void ring_now(void) {
  if (to_ring != NULL) outbox_ring(to_ring);
  to_ring = NULL;
}

static void unwatch(struct attempt *attempt) {
  attempt->watched = false;
  if (attempt->request.timeout_ms > 0) deadlines_remove(attempt);
  if (attempt->previous != NULL)
    attempt->previous->next = attempt->next;
  else
    watched = attempt->next;
  if (attempt->next != NULL) attempt->next->previous = attempt->previous;
}

static struct failure watch(struct attempt *attempt) {
  uint64_t id = word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
  if (attempt->request.timeout_ms > 0 && !deadlines_add(attempt)) return (struct failure){ENOMEM, CALL_ALLOCATE};
  attempt->watched = true;
  attempt->previous = NULL;
  attempt->next = watched;
  if (watched != NULL) watched->previous = attempt;
  watched = attempt;
  struct failure failure = poller_watch(atomic_load_explicit(&attempt->fd, memory_order_relaxed), id);
  if (failure.error != 0) unwatch(attempt);
  return failure;
}

static void give_up(struct attempt *attempt, enum attempt_state state) {
  if (attempt->watched) unwatch(attempt);
  ring_soon(nonblocking_give_up(attempt, state));
}

/* The attempt that has this id and is watched, or NULL: it is over, not yet here, or its slot in other hands. */
static struct attempt *find_watched(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  bool here = attempt != NULL && attempt->watched && atomic_load(&attempt->word) == word_of(id, ATTEMPT_WATCHED);
  return here ? attempt : NULL;
}

static void end_watched(struct attempt *attempt, struct failure failure) {
  if (failure.error == 0 && !(attempt->request.flags & ATTEMPT_PROBE))
    poller_forget(atomic_load_explicit(&attempt->fd, memory_order_relaxed));
  unwatch(attempt);
  ring_soon(nonblocking_publish(attempt, failure));
}

static void on_writable(uint64_t id) {
  struct attempt *attempt = find_watched(id);
  if (attempt != NULL) end_watched(attempt, nonblocking_complete(attempt));
}

static void on_cancel(uint64_t id) {
  struct attempt *attempt = find_watched(id);
  if (attempt != NULL)
    give_up(attempt, ATTEMPT_CANCELLED);
  else if ((attempt = attempt_find(id)) != NULL)
    attempt->cancel_noted = id; /* for when it comes here, if it ever does */
}

/* A cancel came before the attempt did. */
static bool is_cancelled(const struct attempt *attempt) {
  return attempt->cancel_noted == word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
}

/* The submitting thread is done with it. */
static void take_over(struct attempt *attempt) {
  struct failure failure;
  if (is_cancelled(attempt))
    give_up(attempt, ATTEMPT_CANCELLED);
  else if (!nonblocking_has_begun(attempt) && !nonblocking_begin(attempt, &failure))
    ring_soon(nonblocking_publish(attempt, failure));
  else if ((failure = watch(attempt)).error != 0)
    ring_soon(nonblocking_publish(attempt, failure));
}

/* What has been answered is told as it is, however late: it may be this thread that was. */
static struct failure judge_late(struct attempt *attempt) {
  int error = socket_ask(atomic_load_explicit(&attempt->fd, memory_order_relaxed), attempt);
  attempt->by_deadline = error == EINPROGRESS;
  if (error == 0) return nonblocking_complete(attempt);
  return (struct failure){error == EINPROGRESS ? ETIMEDOUT : error, CALL_CONNECT};
}

static void end_late(void) {
  struct attempt *attempt = deadlines_first();
  int64_t now = attempt == NULL ? 0 : now_ns(CLOCK_MONOTONIC);
  for (int ended = 0; ended < ENDED_AT_ONCE && attempt != NULL && attempt->deadline_ns <= now; ended++) {
    end_watched(attempt, judge_late(attempt));
    attempt = deadlines_first();
  }
}

static int64_t until_first_deadline(void) {
  struct attempt *attempt = deadlines_first();
  if (attempt == NULL) return -1;
  int64_t left = attempt->deadline_ns - now_ns(CLOCK_MONOTONIC);
  return left < 0 ? 0 : left;
}

/* True where that was all. */
static bool cancel_some(void) {
  uint64_t ids[ENDED_AT_ONCE];
  size_t count = inbox_next_cancels(ids, ENDED_AT_ONCE);
  for (size_t i = 0; i < count; i++) on_cancel(ids[i]);
  return count < ENDED_AT_ONCE;
}

static void begin_some(void) {
  struct attempt *attempt;
  for (int begun = 0; begun < BEGUN_AT_ONCE && (attempt = inbox_next_submitted()) != NULL; begun++) take_over(attempt);
}

static void lose_everything(void) {
  for (struct attempt *attempt; (attempt = inbox_next_submitted()) != NULL;)
    give_up(attempt, is_cancelled(attempt) ? ATTEMPT_CANCELLED : ATTEMPT_LOST);
  while (watched != NULL) give_up(watched, ATTEMPT_LOST);
  ring_now();
  deadlines_free();
}

static void *react(void *nothing) {
  uint64_t keys[ENDED_AT_ONCE];
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  do {
    /* Cancels that are left may be meant for what was submitted, which need not be begun then. */
    if (cancel_some()) begin_some();
    end_late();
    ring_now();
    size_t count = poller_wait(keys, ENDED_AT_ONCE, inbox_falls_asleep() ? until_first_deadline() : 0);
    for (size_t i = 0; i < count; i++) on_writable(keys[i]);
  } while (!inbox_is_over());
  lose_everything();
  return nothing;
}

struct failure reactor_start(void) {
  struct failure failure = no_failure;
  pthread_mutex_lock(&users_lock);
  if (users == 0) {
    failure = poller_open();
    inbox_open();
    if (failure.error == 0) {
      int error = sys_thread_create(&thread, NULL, STACK_BYTES, react, NULL);
      if (error != 0) {
        poller_close();
        failure = (struct failure){error, CALL_THREAD_CREATE};
      }
    }
  }
  if (failure.error == 0) users++;
  pthread_mutex_unlock(&users_lock);
  return failure;
}

void reactor_stop(void) {
  pthread_mutex_lock(&users_lock);
  if (--users == 0) {
    inbox_close();
    pthread_join(thread, NULL);
    poller_close();
  }
  pthread_mutex_unlock(&users_lock);
}

size_t reactor_submit(const double *ids, size_t count) {
  struct {
    struct attempt *first, *last;
  } begun = {NULL, NULL};
  size_t over = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t id = (uint64_t)ids[i];
    struct attempt *attempt = attempt_find(id);
    uint64_t word = word_of(id, ATTEMPT_RESERVED);
    if (attempt == NULL || !atomic_compare_exchange_strong(&attempt->word, &word, word_of(id, ATTEMPT_WATCHED))) continue;
    struct failure failure;
    if (count <= BEGUN_BY_CALLER && !nonblocking_begin(attempt, &failure)) {
      outbox_drop(nonblocking_publish(attempt, failure)); /* the caller drains without being rung */
      over++;
      continue;
    }
    LIST_APPEND(&begun, attempt, next);
  }
  if (begun.first != NULL) inbox_submit(begun.first, begun.last);
  return over;
}
