#include "environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "guard.h"
#include "ledger.h"
#include "reactors.h"
#include "registry.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { STACK_BYTES = 1024 * 1024 }; /* a sanitizer’s frames are large, and TSan keeps most of a stack that it is given */
#else
enum { STACK_BYTES = 64 * 1024 };
#endif
enum { SLICE = 8, PATIENCE_S = 120 };

static void ring(void *context) {
  struct environment *environment = context;
  pthread_mutex_lock(&environment->lock);
  environment->rung = true;
  pthread_cond_signal(&environment->bell);
  pthread_mutex_unlock(&environment->lock);
}

void environment_open(struct environment *environment) {
  *environment = (struct environment){.options = {.max_lanes = 64, .stack_bytes = STACK_BYTES, .idle_ms = 500}};
  pthread_mutex_init(&environment->lock, NULL);
  pthread_cond_init(&environment->bell, NULL);
  environment->outbox = outbox_open(ring, environment);
  REQUIRE(environment->outbox != NULL);
}

void environment_open_nonblocking(struct environment *environment) {
  environment_open(environment);
  environment->nonblocking = true;
}

void environment_close(struct environment *environment) {
  outbox_close(environment->outbox);
  attempts_sweep(environment->outbox);
  if (environment->lanes != NULL) group_close(environment->lanes);
  if (environment->uses_reactors) reactors_stop();
  outbox_drop(environment->outbox);
  pthread_cond_destroy(&environment->bell);
  pthread_mutex_destroy(&environment->lock);
  free(environment->settled);
}

uint64_t try_reserve(struct environment *environment, const struct peer *to, struct how how) {
  uint8_t addresses[2 * sizeof(struct sockaddr_storage)];
  struct attempt_request request = {
      .flags = how.flags,
      .timeout_ms = how.timeout_ms,
      .fd = how.flags & ATTEMPT_BORROWED ? how.fd : -1,
      .poll_events = how.poll_events,
      .remote_length = to != NULL ? (uint16_t)to->length : 0,
      .family = to != NULL ? to->address.ss_family : AF_UNSPEC,
      .local_length = how.local != NULL ? (uint16_t)how.local->length : 0,
  };
  if (to != NULL) memcpy(addresses, &to->address, to->length);
  if (how.local != NULL) memcpy(addresses + request.remote_length, &how.local->address, how.local->length);
  return attempt_reserve(environment->outbox, &request, addresses);
}

uint64_t reserve(struct environment *environment, const struct peer *to, struct how how) {
  uint64_t id = try_reserve(environment, to, how);
  REQUIRE(id != 0);
  return id;
}

/* As src/engines/nonblocking.ts and registry.ts do. What is over already is drained without a ring. */
static int submit_all(struct environment *environment, const double *ids, size_t count) {
  if (!environment->uses_reactors) {
    struct failure failure = reactors_start(2);
    if (failure.error != 0) return failure.error;
    environment->uses_reactors = true;
  }
  if (reactors_submit(ids, count) > 0) environment_drains(environment);
  return 0;
}

int start_all(struct environment *lanes_of, const uint64_t *ids, size_t count) {
  double numbers[count + 1]; /* no array may be empty */
  for (size_t i = 0; i < count; i++) numbers[i] = (double)ids[i];
  if (lanes_of->nonblocking) return submit_all(lanes_of, numbers, count);
  if (lanes_of->lanes == NULL) lanes_of->lanes = group_open(&lanes_of->options);
  if (lanes_of->lanes == NULL) return errno;
  REQUIRE(group_submit(group_number(lanes_of->lanes), numbers, count));
  return 0;
}

void start(struct environment *lanes_of, uint64_t id) { REQUIRE(start_all(lanes_of, &id, 1) == 0); }

uint64_t reserve_and_start(struct environment *environment, const struct peer *to, struct how how) {
  uint64_t id = reserve(environment, to, how);
  start(environment, id);
  return id;
}

uint64_t connected_undrained(struct environment *environment, const struct peer *to) {
  uint64_t id = reserve_and_start(environment, to, (struct how){0});
  struct attempt *attempt = attempt_find(id);
  while (word_state(atomic_load(&attempt->word)) != ATTEMPT_CONNECTED) pause_ms(1);
  return id;
}

void environment_drains(struct environment *environment) { ring(environment); }

/* Only what rings wakes, as in Node: an outcome whose ring is lost is an outcome lost. */
static void wait_for_bell(struct environment *environment) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += PATIENCE_S;
  pthread_mutex_lock(&environment->lock);
  int error = 0;
  while (!environment->rung && error == 0)
    error = pthread_cond_timedwait(&environment->bell, &environment->lock, &until);
  environment->rung = false;
  pthread_mutex_unlock(&environment->lock);
  REQUIRE(error == 0);
}

static void keep(struct environment *environment, const struct attempt_outcome *outcome) {
  if (environment->count == 0) environment->first = 0;
  if (environment->first + environment->count == environment->room) {
    environment->room = environment->room * 2 + 16;
    environment->settled = realloc(environment->settled, environment->room * sizeof *environment->settled);
    REQUIRE(environment->settled != NULL);
  }
  struct settled settled = {
      .id = outcome->id,
      .state = outcome->state,
      .error = outcome->error,
      .failed_call = outcome->failed_call,
      .by_deadline = outcome->by_deadline,
      .polled = outcome->polled,
      .duration_ms = outcome->duration_ms,
      .fd = -1,
  };
  if (outcome->yields) {
    settled.fd = attempt_claim(outcome->id);
    EXPECT(settled.fd >= 0);
  }
  environment->settled[environment->first + environment->count++] = settled;
}

static void drain(struct environment *environment) {
  struct attempt_outcome outcomes[SLICE];
  size_t count;
  do {
    count = attempt_drain(environment->outbox, outcomes, SLICE);
    for (size_t i = 0; i < count; i++) keep(environment, &outcomes[i]);
  } while (count == SLICE);
}

static struct settled take(struct environment *environment, size_t at) {
  struct settled *first = &environment->settled[environment->first], settled = first[at];
  memmove(first + 1, first, at * sizeof settled);
  environment->first++;
  environment->count--;
  return settled;
}

struct settled settle_next(struct environment *environment) {
  while (environment->count == 0) {
    wait_for_bell(environment);
    drain(environment);
  }
  return take(environment, 0);
}

struct settled settle(struct environment *environment, uint64_t id) {
  for (;;) {
    for (size_t at = 0; at < environment->count; at++)
      if (environment->settled[environment->first + at].id == id) return take(environment, at);
    wait_for_bell(environment);
    drain(environment);
  }
}

void expect_cancelled(struct settled settled) {
  EXPECT_STATE(settled.state, ATTEMPT_CANCELLED);
  EXPECT_EQUAL(settled.fd, -1);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_ATTEMPTS), 0);
}

void discard(const struct settled *settled) {
  if (settled->fd < 0) return;
  EXPECT_EQUAL(attempt_disown(settled->id), settled->fd);
  EXPECT_EQUAL(close(settled->fd), 0);
}

void seam_watch(void) {
  seam_clear();
  seam_jitter(0, 0);
}

void await_calls(enum call call, uint32_t count) {
  for (int waited = 0; seam_calls(call) < count; waited++) {
    REQUIRE(waited < PATIENCE_S * 1000);
    pause_ms(1);
  }
  pause_ms(5);
}

struct spawned {
  void *(*run)(void *);
  void *argument;
};

static void *run_spawned(void *spawned) {
  struct spawned task = *(struct spawned *)spawned;
  free(spawned);
  guard_test_thread();
  return task.run(task.argument);
}

pthread_t spawn(void *(*run)(void *), void *argument) {
  struct spawned *task = malloc(sizeof *task);
  REQUIRE(task != NULL);
  *task = (struct spawned){run, argument};
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, run_spawned, task) == 0);
  return thread;
}

void join(pthread_t thread) { REQUIRE(pthread_join(thread, NULL) == 0); }
