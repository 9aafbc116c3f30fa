/* One cancel in each state of an attempt. */
#include <poll.h>
#include <unistd.h>

#include "cancels.h"
#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "reaper.h"
#include "registry.h"
#include "scenarios.h"

static void reserved(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  seam_watch();
  uint64_t id = reserve(&environment, &peer, (struct how){0});
  attempt_cancel(id);
  attempt_cancel(id);
  start(&environment, id); /* a worker that has not heard of the cancel */
  expect_cancelled(settle(&environment, id));
  EXPECT_EQUAL(seam_calls(CALL_SOCKET), 0);
  peer_close(&peer);
  environment_close(&environment);
}

static void forfeited(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  uint64_t id = reserve(&environment, &peer, (struct how){0});
  attempt_forfeit(id);
  attempt_forfeit(id);
  start(&environment, id);
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_LOST);
  EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  peer_close(&peer);
  environment_close(&environment);
}

static void queued(void) {
  struct environment environment;
  environment_open(&environment);
  environment.options.max_lanes = 1;
  struct peer peer = peer_hanging(AF_UNIX);
  seam_watch();
  uint64_t first = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  uint64_t waiting[3];
  for (int i = 0; i < 3; i++) waiting[i] = reserve_and_start(&environment, &peer, (struct how){0});
  attempt_cancel(waiting[1]); /* from the middle of the queue, its head and its end */
  attempt_cancel(waiting[0]);
  attempt_cancel(waiting[2]);
  for (int i = 0; i < 3; i++) EXPECT_STATE(settle(&environment, waiting[i]).state, ATTEMPT_CANCELLED);
  EXPECT_EQUAL(seam_calls(CALL_SOCKET), 1);
  attempt_cancel(first);
  expect_cancelled(settle(&environment, first));
  peer_close(&peer);
  environment_close(&environment);
}

/* While the lane waits in its first call of this kind. */
static void while_in(enum call call, struct peer peer, struct how how) {
  struct environment environment;
  environment_open(&environment);
  seam_watch();
  seam_inject(call, 1, 0, 100000);
  uint64_t id = reserve_and_start(&environment, &peer, how);
  await_calls(call, 1);
  attempt_cancel(id);
  attempt_cancel(id);
  expect_cancelled(settle(&environment, id));
  peer_close(&peer);
  environment_close(&environment);
}

static void preparing(void) { while_in(CALL_SOCKET, peer_accepting(), (struct how){0}); }
static void limiting(void) { while_in(CALL_SETSOCKOPT, peer_accepting(), (struct how){.timeout_ms = 60000}); }
static void holding_back(void) {
  while_in(CALL_SETSOCKOPT, peer_accepting(), (struct how){.flags = ATTEMPT_PROBE | ATTEMPT_HALF_OPEN});
}
static void about_to_connect(void) { while_in(CALL_CONNECT, peer_accepting(), (struct how){0}); }
static void finishing(void) { while_in(CALL_GETPEERNAME, peer_accepting(), (struct how){0}); }
static void handing_over(void) { while_in(CALL_FCNTL, peer_accepting(), (struct how){0}); }
static void closing_refused(void) { while_in(CALL_CLOSE, peer_refusing(), (struct how){0}); }

static void connecting(int family) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(family);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  attempt_cancel(id);
  attempt_cancel(id);
  expect_cancelled(settle(&environment, id));
  peer_close(&peer);
  environment_close(&environment);
}

static void connecting_tcp(void) { connecting(AF_INET); }
static void connecting_unix(void) { connecting(AF_UNIX); }

/* Too late: it is its environment's, which closes what is not wanted. */
static void connected_before_drain(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  uint64_t id = connected_undrained(&environment, &peer);
  attempt_cancel(id);
  attempt_cancel(id);
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT(is_open(ended.fd));
  discard(&ended);
  peer_close(&peer);
  environment_close(&environment);
}

static void claimed(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){0}));
  attempt_cancel(ended.id);
  EXPECT(is_open(ended.fd));
  EXPECT_EQUAL(attempt_claim(ended.id), -1);
  discard(&ended);
  peer_close(&peer);
  environment_close(&environment);
}

/* The caller's descriptor stays open and connects again: only the call on it ends. */
static void borrowed(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(AF_UNIX);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0), ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  seam_watch();
  uint64_t connects = reserve_and_start(&environment, &peer, (struct how){.flags = ATTEMPT_BORROWED, .fd = fd});
  uint64_t polls = reserve_and_start(
      &environment, NULL, (struct how){.flags = ATTEMPT_BORROWED | ATTEMPT_POLL, .fd = ends[0], .poll_events = POLLIN});
  await_calls(CALL_CONNECT, 1);
  await_calls(CALL_POLL, 1);
  attempt_cancel(connects);
  attempt_cancel(polls);
  EXPECT_STATE(settle(&environment, connects).state, ATTEMPT_CANCELLED);
  expect_cancelled(settle(&environment, polls));
  EXPECT(is_open(fd));
  peer_make_room(&peer);
  struct settled ended =
      settle(&environment, reserve_and_start(&environment, &peer, (struct how){.flags = ATTEMPT_BORROWED, .fd = fd}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  close(fd);
  close(ends[0]);
  close(ends[1]);
  peer_close(&peer);
  environment_close(&environment);
}

/* Through the reaper, twice, so that the second takes the slots and lane structs of the first. None without lanes. */
static void batch(void) {
  enum { MANY = 40, ROUNDS = 2 };
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(AF_UNIX);
  double numbers[MANY];
  uint64_t ids[MANY];
  EXPECT(!reaper_cancel(numbers, 0));
  for (int round = 0; round < ROUNDS; round++) {
    seam_watch();
    for (int i = 0; i < MANY; i++) numbers[i] = (double)(ids[i] = reserve(&environment, &peer, (struct how){0}));
    REQUIRE(start_all(&environment, ids, MANY) == 0);
    await_calls(CALL_CONNECT, MANY);
    EXPECT(reaper_cancel(numbers, MANY));
    for (int i = 0; i < MANY; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
    EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  }
  peer_close(&peer);
  environment_close(&environment);
}

/*
 * In one call, by the environment's thread: few are over when it returns, whatever they were, but for what a lane has; many are
 * shared out. What is over already stays as it is.
 */
static void of_every_kind(size_t idle) {
  enum { OTHERS = 5, AT_MOST = 200 };
  REQUIRE(OTHERS + idle <= AT_MOST);
  struct environment environment;
  environment_open(&environment);
  environment.options.max_lanes = 1;
  struct peer hanging = peer_hanging(AF_INET), accepting = peer_accepting();
  seam_watch();
  uint64_t over = connected_undrained(&environment, &accepting);
  struct settled ended = settle(&environment, over);
  discard(&ended);
  uint64_t taken = reserve_and_start(&environment, &hanging, (struct how){0});
  await_calls(CALL_CONNECT, 2);
  uint64_t queued = reserve_and_start(&environment, &hanging, (struct how){0});
  uint64_t reserved = reserve(&environment, &hanging, (struct how){0});
  environment.nonblocking = true;
  uint64_t watched = reserve_and_start(&environment, &hanging, (struct how){0});
  while (!attempt_is_watched(watched)) pause_ms(1);

  /* The one that a lane has comes last: as it ends, the lane's place goes to what is queued. */
  double all[AT_MOST] = {(double)over, (double)watched, (double)queued, (double)reserved, (double)taken};
  for (size_t i = 0; i < idle; i++) all[OTHERS + i] = (double)over;
  struct cancel_pace pace = {0};
  size_t at_once = cancels_send(&pace, all, OTHERS + idle);
  if (idle == 0) {
    EXPECT_EQUAL((long long)at_once, 3);
    EXPECT_STATE(attempt_state_of(watched), ATTEMPT_CANCELLED);
    EXPECT(ledger_read(LEDGER_DESCRIPTORS) <= 1);
  }
  if (at_once > 0) environment_drains(&environment);
  for (int waited = 0; attempt_is_watched(watched) && waited < 10000; waited++) pause_ms(1);
  EXPECT(!attempt_is_watched(watched));
  attempt_cancel(watched);
  for (int i = 0; i < 4; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_ATTEMPTS), 0);
  peer_close(&hanging);
  peer_close(&accepting);
  environment_close(&environment);
}

static void few_of_every_kind(void) { of_every_kind(0); }
static void many_of_every_kind(void) { of_every_kind(100); }

const struct scenario cancel_scenarios[] = {
    {"cancel while reserved", reserved},
    {"forfeit while reserved", forfeited},
    {"cancel while queued", queued},
    {"cancel while preparing", preparing},
    {"cancel while limiting", limiting},
    {"cancel while holding back the ACK", holding_back},
    {"cancel about to connect", about_to_connect},
    {"cancel inside connect, TCP", connecting_tcp},
    {"cancel inside connect, AF_UNIX", connecting_unix},
    {"cancel while finishing", finishing},
    {"cancel while handing over", handing_over},
    {"cancel while closing", closing_refused},
    {"cancel when connected", connected_before_drain},
    {"cancel when claimed", claimed},
    {"cancel on a borrowed descriptor", borrowed},
    {"cancel a batch", batch},
    {"cancel few of every kind", few_of_every_kind},
    {"cancel many of every kind", many_of_every_kind},
    {NULL, NULL},
};
