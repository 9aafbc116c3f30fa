/* Cancels in the reactor: each moment at which one may come, thousands in one call, and events that come late. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "registry.h"
#include "scenarios.h"

enum { MANY = 100 };

static void cancel_waiting(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 60000});
  await_calls(CALL_EPOLL_CTL, 2);
  attempt_cancel(id);
  attempt_cancel(id);
  expect_cancelled(settle(&environment, id));
  attempt_cancel(id);
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
  size_t left;
};

/* All in one call, of which none is left to the caller: each is the reactor's, or over. */
static void *cancel_all(void *argument) {
  struct thousands *thousands = argument;
  static double left[THOUSANDS];
  while (!atomic_load(&thousands->under_way)) pause_ms(1);
  thousands->left = attempts_cancel(thousands->ids, thousands->count, left);
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

/* While the reactor begins, completes and times out the very same. */
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
  EXPECT_EQUAL((long long)thousands.left, 0);
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

const struct scenario reactor_cancel_scenarios[] = {
    {"reactor: cancel while waiting", cancel_waiting},
    {"reactor: cancel when submitted", cancel_submitted},
    {"reactor: cancel while begun", cancel_while_begun},
    {"reactor: cancel of thousands", cancel_thousands},
    {"reactor: a late event, descriptor and slot used again", late_event},
    {NULL, NULL},
};
