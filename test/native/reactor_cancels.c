/* Cancels in the reactors: each moment at which one may come, thousands in one call, and events that come late. */
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cancels.h"
#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "registry.h"
#include "scenarios.h"

enum { MANY = 100 };

static void await_watched(uint64_t id) {
  while (!attempt_is_watched(id)) pause_ms(1);
}

/* By the thread that asks for it: everything is released when the call returns, and no other thread was needed. */
static void cancel_waiting(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 60000});
  await_watched(id);
  uint32_t wakes = seam_calls(CALL_WRITE);
  attempt_cancel(id);
  EXPECT_STATE(attempt_state_of(id), ATTEMPT_CANCELLED);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  EXPECT_EQUAL(seam_calls(CALL_WRITE), wakes);
  attempt_cancel(id);
  expect_cancelled(settle(&environment, id));
  attempt_cancel(id);
  peer_close(&peer);
  environment_close(&environment);
}

/* Unrung: the caller is told that it has to drain. */
static void cancel_unrung(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 60000});
  await_watched(id);
  EXPECT(attempt_cancel_unrung(id));
  EXPECT(!attempt_cancel_unrung(id));
  environment_drains(&environment);
  expect_cancelled(settle(&environment, id));
  peer_close(&peer);
  environment_close(&environment);
}

/* After its descriptor was given to the poller, before anyone may take it: the reactor finds that it is unwanted. */
static void cancel_while_watch_begins(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  seam_watch();
  seam_inject(CALL_EPOLL_CTL, 2, 0, 50000); /* after the one for the reactor's own wake */
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 500});
  await_calls(CALL_EPOLL_CTL, 2);
  attempt_cancel(id);
  EXPECT_STATE(attempt_state_of(id), ATTEMPT_UNWANTED);
  expect_cancelled(settle(&environment, id));
  peer_close(&peer);
  environment_close(&environment);
}

/* Behind others that the reactor is slow to begin: a cancelled one is never begun. */
static void cancel_submitted(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t ids[MANY];
  for (int i = 0; i < MANY; i++) ids[i] = reserve(&environment, &peer, (struct how){0});
  seam_watch();
  seam_inject(CALL_SOCKET, 1, 0, 50000);
  REQUIRE(start_all(&environment, ids, MANY) == 0);
  await_calls(CALL_SOCKET, 1);
  for (int i = 0; i < MANY; i++) attempt_cancel(ids[i]);
  for (int i = 0; i < MANY; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
  EXPECT(seam_calls(CALL_SOCKET) < MANY);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  peer_close(&peer);
  environment_close(&environment);
}

static void *cancel_soon(void *id) {
  await_calls(CALL_SOCKET, 1);
  attempt_cancel(*(uint64_t *)id);
  return NULL;
}

/* By another thread, while the submitting one still begins it: it is noted, acted on when the reactor has it, and not the next one's. */
static void cancel_while_begun(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t id = reserve(&environment, &peer, (struct how){0});
  seam_watch();
  seam_inject(CALL_SOCKET, 1, 0, 50000);
  pthread_t canceller = spawn(cancel_soon, &id);
  start(&environment, id);
  join(canceller);
  expect_cancelled(settle(&environment, id));

  uint64_t next = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 20});
  REQUIRE(attempt_find(next) == attempt_find(id));
  struct settled ended = settle(&environment, next);
  EXPECT(ended.by_deadline);
  peer_close(&peer);
  environment_close(&environment);
}

enum { THOUSANDS = 10000, KINDS = 4, SLOTS_AT_MOST = 1 << 16 };
enum kind { ACCEPTING, REFUSING, HANGING, LIMITED };

struct thousands {
  double ids[THOUSANDS];
  size_t count;
  _Atomic bool under_way;
  struct environment *environment;
};

/* All in one call, so that the reactors share them. */
static void *cancel_all(void *argument) {
  struct thousands *thousands = argument;
  struct cancel_pace pace = {0};
  while (!atomic_load(&thousands->under_way)) pause_ms(1);
  if (cancels_send(&pace, thousands->ids, thousands->count) > 0) environment_drains(thousands->environment);
  return NULL;
}

static void judge(const struct settled *ended, enum kind kind) {
  bool by_deadline = ended->state == ATTEMPT_FAILED && ended->by_deadline;
  bool refused = ended->state == ATTEMPT_FAILED && !ended->by_deadline;
  EXPECT(ended->state == ATTEMPT_CANCELLED || (ended->state == ATTEMPT_CONNECTED && kind == ACCEPTING) ||
         (refused && kind == REFUSING) || (by_deadline && kind == LIMITED));
}

/* For so many descriptors as this process may have, and no more than are wanted. */
static size_t make_room(struct rlimit *before) {
  REQUIRE(getrlimit(RLIMIT_NOFILE, before) == 0);
  struct rlimit most = {.rlim_cur = before->rlim_max, .rlim_max = before->rlim_max};
  REQUIRE(most.rlim_max > 1000 && setrlimit(RLIMIT_NOFILE, &most) == 0);
  return most.rlim_max - 100 < THOUSANDS ? most.rlim_max - 100 : THOUSANDS;
}

/* While two reactors begin, complete and time out the very same. */
static void cancel_thousands(void) {
  static struct thousands thousands;
  static uint64_t ids[THOUSANDS];
  static uint32_t at_slot[SLOTS_AT_MOST]; /* its index in ids, and one more; 0 once it has settled */
  struct rlimit before;
  size_t count = make_room(&before);
  printf("       %zu at once\n", count);

  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer accepting = peer_accepting(), refusing = peer_refusing(), hanging = peer_hanging(AF_INET);
  const struct peer *peers[KINDS] = {&accepting, &refusing, &hanging, &hanging};
  thousands.count = count;
  thousands.environment = &environment;
  atomic_store(&thousands.under_way, false);
  for (size_t i = 0; i < count; i++) {
    struct how how = {.timeout_ms = i % KINDS == LIMITED ? 1 + i % 50 : 60000};
    thousands.ids[i] = (double)(ids[i] = reserve(&environment, peers[i % KINDS], how));
    REQUIRE(attempt_find(ids[i])->index < SLOTS_AT_MOST);
    at_slot[attempt_find(ids[i])->index] = (uint32_t)i + 1;
  }
  seam_watch();
  pthread_t canceller = spawn(cancel_all, &thousands);
  REQUIRE(start_all(&environment, ids, count) == 0);
  await_calls(CALL_SOCKET, (uint32_t)count / 4);
  atomic_store(&thousands.under_way, true);
  for (size_t i = 0; i < count; i++) {
    struct settled ended = settle_next(&environment);
    uint32_t *at = &at_slot[attempt_find(ended.id)->index];
    EXPECT(*at > 0 && ids[*at - 1] == ended.id);
    if (*at > 0) judge(&ended, (*at - 1) % KINDS);
    *at = 0;
    discard(&ended);
  }
  join(canceller);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_ATTEMPTS), 0);
  peer_close(&accepting);
  peer_close(&refusing);
  peer_close(&hanging);
  environment_close(&environment);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/*
 * The socket of an attempt that is over is still open under another number, as in a child process; its own number and its
 * slot are the next attempt's by the time it has something to tell.
 */
static void late_event(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  seam_watch();
  uint64_t over = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_EPOLL_CTL, 2);
  int fd = atomic_load(&attempt_find(over)->fd), kept = fcntl(fd, F_DUPFD_CLOEXEC, 100);
  attempt_cancel(over);
  EXPECT_STATE(settle(&environment, over).state, ATTEMPT_CANCELLED);
  uint64_t next = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_EPOLL_CTL, 3);
  EXPECT_EQUAL(atomic_load(&attempt_find(next)->fd), fd);
  EXPECT(attempt_find(next) == attempt_find(over));

  uint32_t waits = seam_calls(CALL_EPOLL_WAIT);
  REQUIRE(shutdown(kept, SHUT_RDWR) == 0);
  await_calls(CALL_EPOLL_WAIT, waits + 1);
  EXPECT_STATE(word_state(atomic_load(&attempt_find(next)->word)), ATTEMPT_WATCHED);
  attempt_cancel(next);
  EXPECT_STATE(settle(&environment, next).state, ATTEMPT_CANCELLED);
  close(kept);
  peer_close(&peer);
  environment_close(&environment);
}

/* Their deadlines are an hour away, behind one that is nearer, and do not wait for it in memory. */
static void deadlines_of_the_cancelled(void) {
  enum { ROUNDS = 5000 };
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t nearer = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 600000});
  seam_watch();
  for (int i = 0; i < ROUNDS; i++) {
    uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 3600000});
    while (!attempt_is_watched(id)) sched_yield();
    attempt_cancel(id);
    EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CANCELLED);
  }
  EXPECT(seam_calls(CALL_ALLOCATE) <= ROUNDS + 1); /* an address each, and a heap of a few */
  attempt_cancel(nearer);
  EXPECT_STATE(settle(&environment, nearer).state, ATTEMPT_CANCELLED);
  peer_close(&peer);
  environment_close(&environment);
}

/* What waits for its end longest is not forgotten among those that are dropped. */
static void deadlines_among_the_cancelled(void) {
  enum { KEPT = 10, ROUNDS = 500 };
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t kept[KEPT];
  for (uint32_t i = 0; i < ROUNDS; i++) {
    uint32_t every = ROUNDS / KEPT;
    bool keep_it = i % every == 0;
    uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = keep_it ? 700 + i : 60000 - i});
    while (!attempt_is_watched(id)) sched_yield();
    if (keep_it)
      kept[i / every] = id;
    else
      attempt_cancel(id);
  }
  for (int i = 0; i < ROUNDS - KEPT; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
  for (int i = 0; i < KEPT; i++) {
    struct settled ended = settle_next(&environment);
    EXPECT(ended.id == kept[i] && ended.by_deadline);
  }
  peer_close(&peer);
  environment_close(&environment);
}

const struct scenario reactor_cancel_scenarios[] = {
    {"reactor: cancel while waiting", cancel_waiting},
    {"reactor: cancel, unrung", cancel_unrung},
    {"reactor: cancel while the watch begins", cancel_while_watch_begins},
    {"reactor: deadlines of the cancelled", deadlines_of_the_cancelled},
    {"reactor: deadlines among the cancelled", deadlines_among_the_cancelled},
    {"reactor: cancel when submitted", cancel_submitted},
    {"reactor: cancel while begun", cancel_while_begun},
    {"reactor: cancel of thousands", cancel_thousands},
    {"reactor: a late event, descriptor and slot used again", late_event},
    {NULL, NULL},
};
