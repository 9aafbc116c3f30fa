/*
 * One attempt in the reactor:
 *
 *   reactor_submit   WATCHED: the reactor's, or the submitting thread's until that has begun it
 *   begin            a nonblocking socket, prepared; connect(2), which does not wait
 *     |                over at once, as on loopback: complete
 *     |                EAGAIN, an AF_UNIX backlog is full: nothing to wait for here, so the caller takes it to a lane
 *   watch            EINPROGRESS: in the poller under its id, among the deadlines
 *     | writable       complete
 *     | too late       ETIMEDOUT
 *     | cancelled      CANCELLED
 *   complete         SO_ERROR, getpeername, not oneself
 *   publish          the descriptor closed or on its way, the buffer freed, the word moved, posted
 *
 * Events, deadlines and cancels find their attempt by its id, generation included: descriptor numbers and slots are
 * used again, and an event that comes late must not finish whoever has them now.
 */
#include "reactor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "clock.h"
#include "deadlines.h"
#include "ledger.h"
#include "outbox.h"
#include "poller.h"
#include "registry.h"
#include "socket.h"

/*
 * So few are begun by the thread that asks for them: it waits for them, and a hand-over costs as much as a connect.
 * More are the reactor's, which begins so many before it looks at events, cancels and deadlines again.
 */
enum { BEGUN_BY_CALLER = 2, BEGUN_AT_ONCE = 32, CANCELLED_AT_ONCE = 256, KEYS_AT_ONCE = 256, TRIES_AT_MOST = 4 };
enum { STACK_BYTES = 256 * 1024 };

static const struct failure none = {0, CALL_NONE};

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static int users;
static pthread_t thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* down to the blank line */
static struct attempt *first_submitted, *last_submitted; /* by `next` */
static struct attempt *first_cancel, *last_cancel;       /* by `next_cancel` */
static bool asleep;                                      /* or about to be: must be woken, once */
static bool stopping;

/* The reactor's thread alone. */
static struct attempt *watched;
static struct outbox *to_ring;

/* Under the lock, where the reactor cannot end meanwhile. */
static void wake(void) {
  if (asleep) poller_wake();
  asleep = false;
}

static void close_descriptor(struct attempt *attempt) {
  int fd = atomic_load_explicit(&attempt->fd, memory_order_relaxed);
  if (fd < 0) return;
  atomic_store_explicit(&attempt->fd, -1, memory_order_relaxed);
  sys_close(fd);
  ledger_add(LEDGER_DESCRIPTORS, -1);
}

/* The end. Whoever owns the attempt; it may not be touched afterwards. The result must be rung. */
static struct outbox *publish(struct attempt *attempt, enum attempt_state state, struct failure failure) {
  attempt->duration_ns = attempt->started_ns == 0 ? 0 : now_ns(CLOCK_MONOTONIC) - attempt->started_ns;
  attempt->error = failure.error;
  attempt->failed_call = failure.call;
  if (state != ATTEMPT_CONNECTED || attempt->request.flags & ATTEMPT_PROBE) close_descriptor(attempt);
  attempt_release_buffer(attempt);
  uint64_t id = word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
  atomic_store_explicit(&attempt->word, word_of(id, state), memory_order_release);
  return outbox_post(attempt);
}

/* What a descriptor that is said to be writable came to, and what it needs before it is its next owner's. */
static struct failure complete(struct attempt *attempt) {
  int fd = atomic_load_explicit(&attempt->fd, memory_order_relaxed);
  struct failure failure = socket_verify(fd, remote_of(attempt)->sa_family);
  if (failure.error == 0 && attempt->request.flags & ATTEMPT_PROBE) socket_reset_on_close(fd);
  return failure;
}

static struct outbox *publish_completed(struct attempt *attempt, struct failure failure) {
  return publish(attempt, failure.error == 0 ? ATTEMPT_CONNECTED : ATTEMPT_FAILED, failure);
}

/* Loopback has mostly answered when connect(2) returns. */
static bool is_settled(int fd) {
  struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
  return sys_poll(&pollfd, 1, 0) > 0;
}

/* 0, EINPROGRESS, or what it failed with. Interrupted, it goes on all the same, as the next call says. */
static int connect_now(int fd, const struct attempt *attempt) {
  int error = EINTR, tries = 0;
  for (; error == EINTR && tries < TRIES_AT_MOST; tries++)
    error = sys_connect(fd, remote_of(attempt), attempt->request.remote_length) == 0 ? 0 : errno;
  if (tries > 1 && error == EALREADY) return EINPROGRESS;
  return tries > 1 && error == EISCONN ? 0 : error;
}

/* Up to connect(2) and, where that is over at once, to its end. True where it goes on. Whoever owns the attempt. */
static bool begin(struct attempt *attempt, struct failure *failure) {
  attempt->started_at = (double)now_ns(CLOCK_REALTIME) / 1e6;
  attempt->started_ns = now_ns(CLOCK_MONOTONIC);
  attempt->deadline_ns = attempt->started_ns + (int64_t)attempt->request.timeout_ms * 1000000;
  int fd = socket_open(remote_of(attempt)->sa_family, SOCK_NONBLOCK, failure);
  if (fd < 0) return false;
  ledger_add(LEDGER_DESCRIPTORS, 1);
  atomic_store_explicit(&attempt->fd, fd, memory_order_relaxed);
  *failure = socket_prepare(fd, attempt);
  if (failure->error != 0) return false;
  int error = connect_now(fd, attempt);
  if (error == EINPROGRESS && !is_settled(fd)) return true;
  if (error != 0 && error != EINPROGRESS) {
    *failure = (struct failure){error, CALL_CONNECT};
    return false;
  }
  *failure = complete(attempt);
  return false;
}

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

static void end_watched(struct attempt *attempt, enum attempt_state state, struct failure failure) {
  unwatch(attempt);
  ring_soon(publish(attempt, state, failure));
}

/* The attempt that has this id and is watched, or NULL: it is over, not yet here, or its slot in other hands. */
static struct attempt *find_watched(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  bool here = attempt != NULL && attempt->watched && atomic_load(&attempt->word) == word_of(id, ATTEMPT_WATCHED);
  return here ? attempt : NULL;
}

static void on_writable(uint64_t id) {
  struct attempt *attempt = find_watched(id);
  if (attempt == NULL) return;
  struct failure failure = complete(attempt);
  if (failure.error == 0 && !(attempt->request.flags & ATTEMPT_PROBE))
    poller_forget(atomic_load_explicit(&attempt->fd, memory_order_relaxed));
  unwatch(attempt);
  ring_soon(publish_completed(attempt, failure));
}

static void on_cancel(uint64_t id) {
  struct attempt *attempt = find_watched(id);
  if (attempt != NULL)
    end_watched(attempt, ATTEMPT_CANCELLED, none);
  else if ((attempt = attempt_find(id)) != NULL)
    attempt->cancel_noted = id; /* for when it comes here, if it ever does */
}

/* A cancel came before the attempt did. */
static bool is_cancelled(const struct attempt *attempt) {
  return attempt->cancel_noted == word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
}

/* Out of the hands of whoever submitted it. */
static void take_over(struct attempt *attempt) {
  struct failure failure = none;
  if (is_cancelled(attempt)) {
    ring_soon(publish(attempt, ATTEMPT_CANCELLED, none));
    return;
  }
  bool begun = atomic_load_explicit(&attempt->fd, memory_order_relaxed) >= 0;
  if (!begun && !begin(attempt, &failure)) {
    ring_soon(publish_completed(attempt, failure));
    return;
  }
  failure = watch(attempt);
  if (failure.error != 0) ring_soon(publish(attempt, ATTEMPT_FAILED, failure));
}

static void end_late(void) {
  struct attempt *attempt = deadlines_first();
  int64_t now = attempt == NULL ? 0 : now_ns(CLOCK_MONOTONIC);
  for (; attempt != NULL && attempt->deadline_ns <= now; attempt = deadlines_first()) {
    attempt->by_deadline = true;
    end_watched(attempt, ATTEMPT_FAILED, (struct failure){ETIMEDOUT, CALL_CONNECT});
  }
}

static int64_t until_first_deadline(void) {
  struct attempt *attempt = deadlines_first();
  if (attempt == NULL) return -1;
  int64_t left = attempt->deadline_ns - now_ns(CLOCK_MONOTONIC);
  return left < 0 ? 0 : left;
}

/* Takes cancels off the list, at most so many. What comes from now on is seen before the reactor sleeps. */
static size_t next_cancels(uint64_t *ids, size_t room) {
  size_t count = 0;
  pthread_mutex_lock(&lock);
  for (; first_cancel != NULL && count < room; first_cancel = first_cancel->next_cancel) {
    ids[count++] = first_cancel->cancel_asked;
    first_cancel->cancel_asked = 0;
  }
  pthread_mutex_unlock(&lock);
  return count;
}

static void cancel_some(void) {
  uint64_t ids[CANCELLED_AT_ONCE];
  size_t count = next_cancels(ids, CANCELLED_AT_ONCE);
  for (size_t i = 0; i < count; i++) on_cancel(ids[i]);
}

/* NULL where none is left, or a cancel came that may be meant for one of them: such a one need not be begun. */
static struct attempt *next_submitted(void) {
  pthread_mutex_lock(&lock);
  struct attempt *attempt = first_cancel == NULL ? first_submitted : NULL;
  if (attempt != NULL) first_submitted = attempt->next;
  pthread_mutex_unlock(&lock);
  return attempt;
}

static void begin_some(void) {
  for (int begun = 0; begun < BEGUN_AT_ONCE; begun++) {
    struct attempt *attempt = next_submitted();
    if (attempt == NULL) return;
    take_over(attempt);
  }
}

/* False where something is left to do first. */
static bool falls_asleep(void) {
  pthread_mutex_lock(&lock);
  asleep = first_submitted == NULL && first_cancel == NULL && !stopping;
  bool falls = asleep;
  pthread_mutex_unlock(&lock);
  return falls;
}

/* True where the last user has left, and all that was cancelled before that has been. */
static bool is_over(void) {
  pthread_mutex_lock(&lock);
  asleep = false;
  bool over = stopping && first_cancel == NULL;
  pthread_mutex_unlock(&lock);
  return over;
}

/* Nobody is left to submit. */
static void lose_everything(void) {
  for (struct attempt *attempt = first_submitted, *next; attempt != NULL; attempt = next) {
    next = attempt->next;
    ring_soon(publish(attempt, is_cancelled(attempt) ? ATTEMPT_CANCELLED : ATTEMPT_LOST, none));
  }
  first_submitted = NULL;
  while (watched != NULL) end_watched(watched, ATTEMPT_LOST, none);
  ring_now();
  deadlines_free();
}

static void *react(void *nothing) {
  uint64_t keys[KEYS_AT_ONCE];
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  do {
    cancel_some();
    begin_some();
    end_late();
    ring_now();
    size_t count = poller_wait(keys, KEYS_AT_ONCE, falls_asleep() ? until_first_deadline() : 0);
    for (size_t i = 0; i < count; i++) on_writable(keys[i]);
  } while (!is_over());
  lose_everything();
  return nothing;
}

struct failure reactor_start(void) {
  struct failure failure = none;
  pthread_mutex_lock(&users_lock);
  if (users == 0) {
    failure = poller_open();
    stopping = false;
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
    pthread_mutex_lock(&lock);
    stopping = true;
    wake();
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    poller_close();
  }
  pthread_mutex_unlock(&users_lock);
}

size_t reactor_submit(const double *ids, size_t count) {
  struct attempt *first = NULL, *last = NULL;
  size_t over = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t id = (uint64_t)ids[i];
    struct attempt *attempt = attempt_find(id);
    uint64_t word = word_of(id, ATTEMPT_RESERVED);
    if (attempt == NULL || !atomic_compare_exchange_strong(&attempt->word, &word, word_of(id, ATTEMPT_WATCHED))) continue;
    struct failure failure;
    if (count <= BEGUN_BY_CALLER && !begin(attempt, &failure)) {
      outbox_drop(publish_completed(attempt, failure)); /* the caller drains without being rung */
      over++;
      continue;
    }
    attempt->next = NULL;
    if (first == NULL)
      first = attempt;
    else
      last->next = attempt;
    last = attempt;
  }
  if (first == NULL) return over;
  pthread_mutex_lock(&lock);
  if (first_submitted == NULL)
    first_submitted = first;
  else
    last_submitted->next = first;
  last_submitted = last;
  wake();
  pthread_mutex_unlock(&lock);
  return over;
}

/* Under the lock. An attempt is in the list once, whatever its generation; only the one that it has now can be meant. */
static void ask_to_cancel(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  if (attempt == NULL || atomic_load(&attempt->word) != word_of(id, ATTEMPT_WATCHED)) return;
  if (attempt->cancel_asked == 0) {
    attempt->next_cancel = NULL;
    if (first_cancel == NULL)
      first_cancel = attempt;
    else
      last_cancel->next_cancel = attempt;
    last_cancel = attempt;
  }
  attempt->cancel_asked = id;
}

void reactor_cancel(const uint64_t *ids, size_t count) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < count; i++) ask_to_cancel(ids[i]);
  if (first_cancel != NULL) wake();
  pthread_mutex_unlock(&lock);
}
