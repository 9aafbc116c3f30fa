/*
 * An attempt in a reactor, between the steps of nonblocking.c:
 *
 *   reactors_submit  SUBMITTED: the reactor's, or the submitting thread's until that has begun it
 *     | attempt_cancel  UNWANTED: the reactor ends it as CANCELLED when it comes to it
 *   take_over        begun by now, unless it is unwanted
 *   watch            in the poller and among the deadlines under its id, then WATCHED: anyone may take it from here on
 *     | on_writable     taken, completed, published
 *     | end_late        taken, ETIMEDOUT
 *     | attempt_cancel  taken by the thread that cancels it, or in cancel_some by the reactor that is told of it: CANCELLED
 *
 * Events, deadlines and cancels find their attempt by its id, generation included: descriptor numbers and slots are
 * used again, and an event that comes late must not finish the attempt that has them now. Whoever takes an attempt, by one
 * exchange of its word, owns its descriptor, and ends it.
 */
#include "reactor.h"

#include <errno.h>

#include "cancels.h"
#include "clock.h"
#include "nonblocking.h"
#include "outbox.h"
#include "socket.h"

/* Ended by events, cancels or deadlines before the rest has its turn: thousands may be due at once, and rings wait. */
enum { ENDED_AT_ONCE = 256, CANCELLED_AT_ONCE = 32 };

enum { STACK_BYTES = 256 * 1024 };

/* One ring for any number of posts in a row to one outbox. */
static void ring_soon(struct reactor *reactor, struct outbox *outbox) {
  if (reactor->to_ring == outbox) {
    outbox_drop(outbox);
    return;
  }
  if (reactor->to_ring != NULL) outbox_ring(reactor->to_ring);
  reactor->to_ring = outbox;
}

static void ring_now(struct reactor *reactor) {
  if (reactor->to_ring != NULL) outbox_ring(reactor->to_ring);
  reactor->to_ring = NULL;
}

/* The deadline first: from the watch on, a failure would have to be undone. */
static struct failure watch(struct reactor *reactor, struct attempt *attempt, uint64_t id) {
  struct deadline deadline = {.at_ns = attempt->deadline_ns, .id = id};
  if (attempt->request.timeout_ms > 0 && !deadlines_add(&reactor->deadlines, deadline))
    return (struct failure){ENOMEM, CALL_ALLOCATE};
  return poller_watch(&reactor->poller, atomic_load_explicit(&attempt->fd, memory_order_relaxed), id);
}

/* It ends here, as `failure` says. This reactor has taken it, or not yet let it go. */
static void end(struct reactor *reactor, struct attempt *attempt, struct failure failure) {
  ring_soon(reactor, nonblocking_publish(attempt, failure));
}

/* The submitting thread is done with it. It is WATCHED last: an event before that would find nothing, but only this thread reads events. */
static void take_over(struct reactor *reactor, struct attempt *attempt) {
  struct failure failure;
  uint64_t id = word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
  uint64_t submitted = word_of(id, ATTEMPT_SUBMITTED);
  if (atomic_load_explicit(&attempt->word, memory_order_acquire) != submitted)
    ring_soon(reactor, nonblocking_give_up(attempt, ATTEMPT_CANCELLED));
  else if (!nonblocking_has_begun(attempt) && !nonblocking_begin(attempt, &failure))
    end(reactor, attempt, failure);
  else if ((failure = watch(reactor, attempt, id)).error != 0)
    end(reactor, attempt, failure);
  else if (!atomic_compare_exchange_strong(&attempt->word, &submitted, word_of(id, ATTEMPT_WATCHED)))
    ring_soon(reactor, nonblocking_give_up(attempt, ATTEMPT_CANCELLED));
}

/* Before its descriptor may get another owner. */
static void end_watched(struct reactor *reactor, struct attempt *attempt, struct failure failure) {
  if (failure.error == 0 && !(attempt->request.flags & ATTEMPT_PROBE))
    poller_forget(&reactor->poller, atomic_load_explicit(&attempt->fd, memory_order_relaxed));
  end(reactor, attempt, failure);
}

static void on_writable(struct reactor *reactor, uint64_t id) {
  struct attempt *attempt = attempt_take_watched(id);
  if (attempt != NULL) end_watched(reactor, attempt, nonblocking_complete(attempt));
}

/* What has been answered is told as it is, however late: it may be this thread that was. */
static struct failure judge_late(struct attempt *attempt) {
  int error = socket_ask(atomic_load_explicit(&attempt->fd, memory_order_relaxed), attempt);
  attempt->by_deadline = error == EINPROGRESS;
  if (error == 0) return nonblocking_complete(attempt);
  return (struct failure){error == EINPROGRESS ? ETIMEDOUT : error, CALL_CONNECT};
}

static void end_late(struct reactor *reactor) {
  const struct deadline *first = deadlines_first(&reactor->deadlines);
  int64_t now = first == NULL ? 0 : now_ns(CLOCK_MONOTONIC);
  for (int ended = 0; ended < ENDED_AT_ONCE && first != NULL && first->at_ns <= now; ended++) {
    struct attempt *attempt = attempt_take_watched(first->id);
    deadlines_drop_first(&reactor->deadlines);
    if (attempt != NULL) end_watched(reactor, attempt, judge_late(attempt));
    first = deadlines_first(&reactor->deadlines);
  }
}

static int64_t until_first_deadline(struct reactor *reactor) {
  const struct deadline *first = deadlines_first(&reactor->deadlines);
  if (first == NULL) return -1;
  int64_t left = first->at_ns - now_ns(CLOCK_MONOTONIC);
  return left < 0 ? 0 : left;
}

/* Of any reactor's attempts. Few at a time: the other reactors take their share. */
static void cancel_some(struct reactor *reactor) {
  uint64_t ids[CANCELLED_AT_ONCE];
  size_t count = cancels_take(ids, CANCELLED_AT_ONCE);
  for (size_t i = 0; i < count; i++) {
    struct attempt *attempt = attempt_take_watched(ids[i]);
    if (attempt != NULL) ring_soon(reactor, nonblocking_give_up(attempt, ATTEMPT_CANCELLED));
  }
}

static void begin_some(struct reactor *reactor) {
  struct attempt *attempt;
  for (int begun = 0; begun < BEGUN_AT_ONCE && (attempt = inbox_next(&reactor->inbox)) != NULL; begun++) {
    take_over(reactor, attempt);
    atomic_fetch_sub_explicit(&reactor->inbox.waiting, 1, memory_order_relaxed);
  }
}

static void lose_submitted(struct reactor *reactor) {
  for (struct attempt *attempt; (attempt = inbox_next(&reactor->inbox)) != NULL;) {
    bool unwanted = word_state(atomic_load_explicit(&attempt->word, memory_order_acquire)) == ATTEMPT_UNWANTED;
    ring_soon(reactor, nonblocking_give_up(attempt, unwanted ? ATTEMPT_CANCELLED : ATTEMPT_LOST));
    atomic_fetch_sub_explicit(&reactor->inbox.waiting, 1, memory_order_relaxed);
  }
}

static void *react(void *argument) {
  struct reactor *reactor = argument;
  uint64_t keys[ENDED_AT_ONCE];
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  do {
    cancel_some(reactor);
    begin_some(reactor);
    end_late(reactor);
    ring_now(reactor);
    int64_t wait_ns = inbox_falls_asleep(&reactor->inbox) ? until_first_deadline(reactor) : 0;
    size_t count = poller_wait(&reactor->poller, keys, ENDED_AT_ONCE, wait_ns);
    for (size_t i = 0; i < count; i++) on_writable(reactor, keys[i]);
  } while (!inbox_is_over(&reactor->inbox));
  lose_submitted(reactor);
  ring_now(reactor);
  deadlines_free(&reactor->deadlines);
  return NULL;
}

struct failure reactor_start(struct reactor *reactor) {
  struct failure failure = poller_open(&reactor->poller);
  if (failure.error != 0) return failure;
  inbox_open(&reactor->inbox, &reactor->poller);
  int error = sys_thread_create(&reactor->thread, NULL, STACK_BYTES, react, reactor);
  if (error == 0) return no_failure;
  poller_close(&reactor->poller);
  return (struct failure){error, CALL_THREAD_CREATE};
}

void reactor_stop(struct reactor *reactor) {
  inbox_close(&reactor->inbox);
  pthread_join(reactor->thread, NULL);
  poller_close(&reactor->poller);
}
