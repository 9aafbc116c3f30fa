/* Attempts in the reactor: each way they end, each moment of a cancel, and events that come late. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "reactor.h"
#include "registry.h"
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

/* By another thread, while the submitting one still begins it: it is noted, and acted on when the reactor has it. */
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
  peer_close(&peer);
  environment_close(&environment);
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

static void each_call_fails(void) {
  static const struct {
    enum call call;
    int error;
    enum call told; /* as the outcome's failed call */
    int told_error;
  } steps[] = {
      {CALL_SOCKET, EMFILE, CALL_SOCKET, EMFILE},
      {CALL_CONNECT, ENETDOWN, CALL_CONNECT, ENETDOWN},
      {CALL_GETSOCKOPT, ENOBUFS, CALL_GETSOCKOPT, ENOBUFS},
      {CALL_GETPEERNAME, ENOTCONN, CALL_CONNECT, ECONNRESET}, /* the peer has reset it meanwhile */
      {CALL_GETSOCKNAME, ENOBUFS, CALL_GETSOCKNAME, ENOBUFS},
  };
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer accepting = peer_accepting(), hanging = peer_hanging(AF_INET);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    seam_watch();
    seam_inject(steps[i].call, 1, steps[i].error, 0);
    struct settled ended = settle(&environment, reserve_and_start(&environment, &accepting, (struct how){0}));
    EXPECT_STATE(ended.state, ATTEMPT_FAILED);
    EXPECT_EQUAL(ended.failed_call, steps[i].told);
    EXPECT_EQUAL(ended.error, steps[i].told_error);
    EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
    EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  }
  seam_watch();
  seam_inject(CALL_CONNECT, 1, EINTR, 0);
  struct settled ended = settle(&environment, reserve_and_start(&environment, &accepting, (struct how){0}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);

  /* What it takes to wait. */
  seam_watch();
  seam_inject(CALL_EPOLL_CTL, 1, ENOMEM, 0);
  ended = settle(&environment, reserve_and_start(&environment, &hanging, (struct how){.timeout_ms = 60000}));
  EXPECT_EQUAL(ended.failed_call, CALL_EPOLL_CTL);
  uint64_t id = reserve(&environment, &hanging, (struct how){.timeout_ms = 60000});
  seam_inject(CALL_EPOLL_WAIT, 1, EINTR, 0);
  start(&environment, id);
  attempt_cancel(id);
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CANCELLED);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  peer_close(&accepting);
  peer_close(&hanging);
  environment_close(&environment);
}

/* The first deadline of a reactor needs memory. */
static void no_memory(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t id = reserve(&environment, &peer, (struct how){.timeout_ms = 60000});
  seam_watch();
  seam_inject(CALL_ALLOCATE, 1, ENOMEM, 0);
  start(&environment, id);
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.failed_call, CALL_ALLOCATE);
  EXPECT_EQUAL(ended.error, ENOMEM);
  peer_close(&peer);
  environment_close(&environment);
}

static void cannot_start(void) {
  static const struct {
    enum call call;
    int error;
  } steps[] = {{CALL_EPOLL_CREATE, EMFILE}, {CALL_EVENTFD, EMFILE}, {CALL_EPOLL_CTL, ENOMEM}, {CALL_THREAD_CREATE, EAGAIN}};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    seam_watch();
    seam_inject(steps[i].call, 1, steps[i].error, 0);
    struct failure failure = reactor_start();
    EXPECT_EQUAL(failure.error, steps[i].error);
    EXPECT_EQUAL(failure.call, steps[i].call);
  }
  seam_clear();
  EXPECT_EQUAL(reactor_start().error, 0);
  reactor_stop();
}

/* An environment ends with attempts in every state; the reactor goes on for another. */
static void caller_ends(void) {
  struct environment caller, other;
  environment_open_nonblocking(&caller);
  environment_open_nonblocking(&other);
  struct peer hanging = peer_hanging(AF_INET), accepting = peer_accepting();
  uint64_t ids[MANY];
  uint64_t going = reserve_and_start(&other, &hanging, (struct how){.timeout_ms = 60000});
  EXPECT_STATE(settle(&caller, reserve_and_start(&caller, &accepting, (struct how){0})).state, ATTEMPT_CONNECTED);
  for (int i = 0; i < MANY; i++) ids[i] = reserve(&caller, i % 2 ? &accepting : &hanging, (struct how){.timeout_ms = 60000});
  REQUIRE(start_all(&caller, ids, MANY) == 0);
  for (int i = 0; i < MANY; i++) reserve(&caller, &hanging, (struct how){0});
  environment_close(&caller);

  struct settled ended = settle(&other, reserve_and_start(&other, &accepting, (struct how){0}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
  attempt_cancel(going);
  EXPECT_STATE(settle(&other, going).state, ATTEMPT_CANCELLED);
  peer_close(&hanging);
  peer_close(&accepting);
  environment_close(&other);
}

/* The last user leaves while attempts wait: nobody is left to be waited for. */
static void stops(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t ids[MANY];
  for (int i = 0; i < MANY; i++) ids[i] = reserve(&environment, &peer, (struct how){.timeout_ms = 60000});
  REQUIRE(start_all(&environment, ids, MANY) == 0);
  reactor_stop();
  environment.uses_reactor = false;
  for (int i = 0; i < MANY; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_LOST);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  peer_close(&peer);
  environment_close(&environment);
}

const struct scenario reactor_scenarios[] = {
    {"reactor: connects", connects},
    {"reactor: probes", probes},
    {"reactor: is refused", is_refused},
    {"reactor: runs out of time", runs_out_of_time},
    {"reactor: a full backlog", is_busy},
    {"reactor: a batch", batch},
    {"reactor: waits", waits},
    {"reactor: deadlines", deadlines},
    {"reactor: cancel while waiting", cancel_waiting},
    {"reactor: cancel when submitted", cancel_submitted},
    {"reactor: cancel while begun", cancel_while_begun},
    {"reactor: a late event, descriptor and slot used again", late_event},
    {"reactor: each call fails", each_call_fails},
    {"reactor: no memory is to be had", no_memory},
    {"reactor: cannot start", cannot_start},
    {"reactor: caller ends", caller_ends},
    {"reactor: stops", stops},
    {NULL, NULL},
};
