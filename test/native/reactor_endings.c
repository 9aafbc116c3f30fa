/* The reactor when calls fail, when its environments end, and when it ends itself. */
#include <errno.h>
#include <sys/socket.h>

#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "reactors.h"
#include "scenarios.h"

enum { MANY = 100 };

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

/* What fails is the one attempt whose call it was; those that are waited for stay so. */
static void fails_while_others_wait(void) {
  enum { WAITING = 20 };
  static const struct {
    enum call call;
    int error;
  } steps[] = {{CALL_ALLOCATE, ENOMEM}, {CALL_SOCKET, EMFILE}, {CALL_CONNECT, ENOBUFS}, {CALL_EPOLL_CTL, ENOSPC}};
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t waiting[WAITING], ids[MANY];
  seam_watch();
  for (int i = 0; i < WAITING; i++) waiting[i] = reserve(&environment, &peer, (struct how){.timeout_ms = 60000});
  REQUIRE(start_all(&environment, waiting, WAITING) == 0);
  await_calls(CALL_EPOLL_CTL, 1 + WAITING);
  for (size_t step = 0; step < sizeof steps / sizeof steps[0]; step++) {
    for (int i = 0; i < MANY; i++) ids[i] = reserve(&environment, &peer, (struct how){.timeout_ms = 60000});
    seam_watch();
    /* The heap of deadlines grows once, in the first step; each other call is made for each attempt. */
    seam_inject(steps[step].call, steps[step].call == CALL_ALLOCATE ? 1 : MANY / 2, steps[step].error, 0);
    REQUIRE(start_all(&environment, ids, MANY) == 0);
    struct settled failed = settle_next(&environment);
    EXPECT_STATE(failed.state, ATTEMPT_FAILED);
    EXPECT_EQUAL(failed.failed_call, steps[step].call);
    EXPECT_EQUAL(failed.error, steps[step].error);
    for (int i = 0; i < MANY; i++) attempt_cancel(ids[i]);
    for (int i = 1; i < MANY; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
    EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), WAITING);
    EXPECT_EQUAL(ledger_read(LEDGER_ATTEMPTS), WAITING);
  }
  for (int i = 0; i < WAITING; i++) attempt_cancel(waiting[i]);
  for (int i = 0; i < WAITING; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
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
    struct failure failure = reactors_start(2);
    EXPECT_EQUAL(failure.error, steps[i].error);
    EXPECT_EQUAL(failure.call, steps[i].call);
  }
  seam_clear();
  EXPECT_EQUAL(reactors_start(2).error, 0);
  reactors_stop();
}

/* As many as load asks for, and as are allowed. Where the second cannot be had, the first does it all, and none is asked for again. */
static void how_many(void) {
  static const struct {
    uint32_t attempts;
    int second_fails;
    uint32_t started;
  } cases[] = {{1, 0, 1}, {32, 0, 1}, {33, 0, 2}, {MANY, 0, 2}, {MANY, EMFILE, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct environment environment;
    environment_open_nonblocking(&environment);
    struct peer peer = peer_hanging(AF_INET);
    uint64_t ids[MANY];
    seam_watch();
    if (cases[i].second_fails) seam_inject(CALL_EPOLL_CREATE, 2, cases[i].second_fails, 0);
    for (int round = 0; round < 2; round++) {
      for (uint32_t j = 0; j < cases[i].attempts; j++) ids[j] = reserve(&environment, &peer, (struct how){0});
      REQUIRE(start_all(&environment, ids, cases[i].attempts) == 0);
      for (uint32_t j = 0; j < cases[i].attempts; j++) attempt_cancel(ids[j]);
      for (uint32_t j = 0; j < cases[i].attempts; j++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
    }
    EXPECT_EQUAL(seam_calls(CALL_EPOLL_CREATE), cases[i].started);
    peer_close(&peer);
    environment_close(&environment);
  }
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

/* The last user leaves while attempts wait, or are not even begun: nobody is left to wait for them. */
static void stops(void) {
  struct environment environment;
  environment_open_nonblocking(&environment);
  struct peer peer = peer_hanging(AF_INET);
  uint64_t ids[MANY], cancelled;
  for (int i = 0; i < MANY; i++) ids[i] = reserve(&environment, &peer, (struct how){.timeout_ms = 60000});
  cancelled = ids[MANY - 1];
  seam_watch();
  seam_inject(CALL_SOCKET, 10, 0, 50000);
  REQUIRE(start_all(&environment, ids, MANY) == 0);
  await_calls(CALL_SOCKET, 10);
  attempt_cancel(cancelled);
  reactors_stop();
  environment.uses_reactors = false;
  for (int i = 0; i < MANY; i++) {
    struct settled ended = settle_next(&environment);
    EXPECT_STATE(ended.state, ended.id == cancelled ? ATTEMPT_CANCELLED : ATTEMPT_LOST);
  }
  EXPECT(seam_calls(CALL_SOCKET) < MANY);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  peer_close(&peer);
  environment_close(&environment);
}

const struct scenario reactor_ending_scenarios[] = {
    {"reactor: each call fails", each_call_fails},
    {"reactor: no memory is to be had", no_memory},
    {"reactor: a call fails while others wait", fails_while_others_wait},
    {"reactor: cannot start", cannot_start},
    {"reactor: how many", how_many},
    {"reactor: caller ends", caller_ends},
    {"reactor: stops", stops},
    {NULL, NULL},
};
