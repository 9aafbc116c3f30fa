/* Attempts in the reactor that nobody cancels: each way they can end. */
#include <errno.h>
#include <fcntl.h>

#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "scenarios.h"

enum { MANY = 100 };

/* What one attempt alone comes to. It is begun on this thread. */
static struct settled outcome_of(struct peer *peer, struct how how) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct settled ended = settle(&environment, reserve_and_start(&environment, peer, how));
  EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_ATTEMPTS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), ended.fd >= 0);
  if (ended.fd >= 0) EXPECT(fcntl(ended.fd, F_GETFL) & O_NONBLOCK);
  discard(&ended);
  peer_close(peer);
  environment_close(&environment);
  return ended;
}

static void connects(void) {
  struct peer peer = peer_accepting();
  struct settled ended = outcome_of(&peer, (struct how){.timeout_ms = 60000});
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT(ended.fd >= 0);
}

static void probes(void) {
  struct peer peer = peer_accepting();
  struct settled ended = outcome_of(&peer, (struct how){.flags = ATTEMPT_PROBE | ATTEMPT_HALF_OPEN});
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(ended.fd, -1);
}

static void is_refused(void) {
  struct peer peer = peer_refusing();
  struct settled ended = outcome_of(&peer, (struct how){0});
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, ECONNREFUSED);
  EXPECT_EQUAL(ended.failed_call, CALL_CONNECT);
}

static void runs_out_of_time(void) {
  struct peer peer = peer_hanging(AF_INET);
  struct settled ended = outcome_of(&peer, (struct how){.timeout_ms = 50});
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, ETIMEDOUT);
  EXPECT(ended.by_deadline);
  EXPECT(ended.duration_ms >= 50);
}

/* For the caller to take to a lane. */
static void is_busy(void) {
  struct peer peer = peer_hanging(AF_UNIX);
  struct settled ended = outcome_of(&peer, (struct how){0});
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, EAGAIN);
  EXPECT_EQUAL(ended.failed_call, CALL_CONNECT);
}

/* A batch, begun on the reactor's thread: all that can be over at once is. */
static void batch(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer accepting = peer_accepting(), refusing = peer_refusing();
  uint64_t ids[MANY];
  for (int i = 0; i < MANY; i++) ids[i] = reserve(&environment, i % 2 ? &accepting : &refusing, (struct how){0});
  REQUIRE(start_all(&environment, ids, MANY) == 0);
  for (int i = 0; i < MANY; i++) {
    struct settled ended = settle(&environment, ids[i]);
    EXPECT_STATE(ended.state, i % 2 ? ATTEMPT_CONNECTED : ATTEMPT_FAILED);
    discard(&ended);
  }
  peer_close(&accepting);
  peer_close(&refusing);
  environment_close(&environment);
}

/* Waited for in the poller: the handshake goes on when there is room, at the SYN's next try. */
static void waits(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 60000});
  await_calls(CALL_EPOLL_CTL, 2); /* the wake's own, and this */
  peer_make_room(&peer);
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(seam_calls(CALL_EPOLL_CTL), 3); /* forgotten before it is somebody else's */
  discard(&ended);
  peer_close(&peer);
  environment_close(&environment);
}

/* The listener has gone when the SYN is sent once more. */
static void is_refused_late(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 60000});
  await_calls(CALL_EPOLL_CTL, 2);
  peer_close(&peer);
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, ECONNREFUSED);
  EXPECT_EQUAL(ended.failed_call, CALL_CONNECT);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  environment_close(&environment);
}

/* Nobody listens where it connects from: TCP opens from both ends at once. */
static void is_its_own_peer(void) {
  struct peer nobody = peer_refusing();
  peer_close(&nobody);
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct settled ended = settle(&environment, reserve_and_start(&environment, &nobody, (struct how){.local = &nobody}));
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, ECONNREFUSED);
  EXPECT_EQUAL(ended.failed_call, CALL_CONNECT);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  environment_close(&environment);
}

/* It connects within its time; the reactor is what comes late. */
static void is_seen_late(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_accepting();
  uint64_t id = reserve(&environment, &peer, (struct how){.timeout_ms = 20});
  seam_watch();
  seam_inject(CALL_POLL, 1, EINTR, 0); /* not known to be over when it is begun */
  seam_inject(CALL_EPOLL_CTL, 2, 0, 50000); /* the reactor's, after the one for its own wake */
  start(&environment, id);
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT(ended.duration_ms > 20);
  discard(&ended);
  peer_close(&peer);
  environment_close(&environment);
}

/* In whatever order they were asked for, by their deadlines. */
static void deadlines(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint32_t seed = settings.seed;
  uint64_t ids[MANY];
  uint32_t limits[MANY];
  for (int i = 0; i < MANY; i++) {
    limits[i] = 20 + random_below(&seed, 200);
    ids[i] = reserve(&environment, &peer, (struct how){.timeout_ms = limits[i]});
  }
  REQUIRE(start_all(&environment, ids, MANY) == 0);
  for (int i = 0; i < MANY; i += 3) attempt_cancel(ids[i]);
  for (int i = 0; i < MANY; i++) {
    struct settled ended = settle(&environment, ids[i]);
    bool late = ended.state == ATTEMPT_FAILED && ended.by_deadline;
    EXPECT(i % 3 == 0 || late);
    EXPECT(!late || ended.duration_ms >= limits[i]);
  }
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  peer_close(&peer);
  environment_close(&environment);
}

const struct scenario reactor_outcome_scenarios[] = {
    {"reactor: connects", connects},
    {"reactor: probes", probes},
    {"reactor: is refused", is_refused},
    {"reactor: is refused late", is_refused_late},
    {"reactor: is its own peer", is_its_own_peer},
    {"reactor: runs out of time", runs_out_of_time},
    {"reactor: is seen late", is_seen_late},
    {"reactor: a full backlog", is_busy},
    {"reactor: a batch", batch},
    {"reactor: waits", waits},
    {"reactor: deadlines", deadlines},
    {NULL, NULL},
};
