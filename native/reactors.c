#include "reactors.h"

#include "list.h"
#include "nonblocking.h"
#include "outbox.h"
#include "reactor.h"

/*
 * So few are begun by the thread that asks for them: it waits for them, and a hand-over costs as much as a connect.
 * More are the reactors', in portions of what one of them begins at once.
 */
enum { BEGUN_BY_CALLER = 2 };

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER; /* starting and stopping */
static int users;
static size_t allowed;
static _Atomic size_t running; /* the first so many */
static struct reactor reactors[REACTORS_AT_MOST] = {
    [0 ... REACTORS_AT_MOST - 1] = {.inbox = {.lock = PTHREAD_MUTEX_INITIALIZER}}};

/* Under users_lock. */
static struct failure start_one(void) {
  size_t count = atomic_load_explicit(&running, memory_order_relaxed);
  struct failure failure = reactor_start(&reactors[count]);
  if (failure.error == 0) atomic_store_explicit(&running, count + 1, memory_order_release);
  return failure;
}

struct failure reactors_start(size_t at_most) {
  struct failure failure = no_failure;
  pthread_mutex_lock(&users_lock);
  if (users == 0) {
    allowed = at_most < 1 ? 1 : at_most > REACTORS_AT_MOST ? REACTORS_AT_MOST : at_most;
    failure = start_one();
  }
  if (failure.error == 0) users++;
  pthread_mutex_unlock(&users_lock);
  return failure;
}

void reactors_stop(void) {
  pthread_mutex_lock(&users_lock);
  if (--users == 0) {
    for (size_t i = 0; i < atomic_load(&running); i++) reactor_stop(&reactors[i]);
    atomic_store(&running, 0);
    attempts_lose_watched();
  }
  pthread_mutex_unlock(&users_lock);
}

/* Where none is to be had, those that run do it all: it is not tried again as long as they have users. */
static void start_another(size_t count) {
  pthread_mutex_lock(&users_lock);
  if (atomic_load(&running) == count && count < allowed && start_one().error != 0) allowed = count;
  pthread_mutex_unlock(&users_lock);
}

static uint32_t waiting_for(size_t reactor) {
  return atomic_load_explicit(&reactors[reactor].inbox.waiting, memory_order_relaxed);
}

/* The first of those not in `used` that has less to do than it begins at once, or the one that has least; `count` where all are used. */
static size_t least_busy(size_t count, uint32_t used) {
  size_t least = count;
  for (size_t i = 0; i < count; i++) {
    if (used & 1u << i) continue;
    if (least == count || waiting_for(i) < waiting_for(least)) least = i;
    if (waiting_for(least) < BEGUN_AT_ONCE) break;
  }
  return least;
}

/* One that is not busy, and that has no other portion of this batch: `used`. Where there is none one more is started, if it may be. */
static struct reactor *choose(uint32_t *used) {
  size_t count = atomic_load_explicit(&running, memory_order_acquire);
  size_t chosen = least_busy(count, *used);
  if (chosen == count || waiting_for(chosen) >= BEGUN_AT_ONCE) {
    start_another(count);
    size_t more = atomic_load_explicit(&running, memory_order_acquire);
    if (more > count) {
      chosen = more - 1;
    } else if (chosen == count) {
      *used = 0;
      chosen = least_busy(count, 0);
    }
  }
  *used |= 1u << chosen;
  return &reactors[chosen];
}

/* Attempts on their way to one reactor. */
struct portion {
  struct attempt *first, *last;
  uint32_t count;
};

static void hand_over(struct portion *portion, uint32_t *used) {
  if (portion->count > 0) inbox_submit(&choose(used)->inbox, portion->first, portion->last, portion->count);
  *portion = (struct portion){0};
}

size_t reactors_submit(const double *ids, size_t count) {
  struct portion portion = {0};
  uint32_t used = 0;
  size_t over = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t id = (uint64_t)ids[i];
    struct attempt *attempt = attempt_find(id);
    uint64_t word = word_of(id, ATTEMPT_RESERVED);
    if (attempt == NULL || !atomic_compare_exchange_strong(&attempt->word, &word, word_of(id, ATTEMPT_SUBMITTED))) continue;
    struct failure failure;
    if (count <= BEGUN_BY_CALLER && !nonblocking_begin(attempt, &failure)) {
      outbox_drop(nonblocking_publish(attempt, failure)); /* the caller drains without being rung */
      over++;
      continue;
    }
    LIST_APPEND(&portion, attempt, next);
    if (++portion.count == BEGUN_AT_ONCE) hand_over(&portion, &used);
  }
  hand_over(&portion, &used);
  return over;
}

void reactors_wake(void) {
  size_t count = atomic_load_explicit(&running, memory_order_acquire);
  for (size_t i = 0; i < count; i++) inbox_wake(&reactors[i].inbox);
}
