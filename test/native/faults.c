/* What the machine may refuse: descriptors, threads, memory; and interruptions. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "environment.h"
#include "guard.h"
#include "ledger.h"
#include "reaper.h"
#include "scenarios.h"

/*
 * The first cancel of the process after lane_prime, at its descriptor limit: the unwinder cannot be opened any more.
 * core.c runs this before every other scenario.
 */
static void first_cancel_at_limit(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(AF_UNIX);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  struct rlimit before, none;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  EXPECT_EQUAL(sys_descriptor_limit(), 0);
  attempt_cancel(id);
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CANCELLED);
  struct settled refused = settle(&environment, reserve_and_start(&environment, &peer, (struct how){0}));
  EXPECT_STATE(refused.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(refused.error, EMFILE);
  EXPECT_EQUAL(refused.failed_call, CALL_SOCKET);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  peer_close(&peer);
  environment_close(&environment);
}

/* Each step that can fail, failing once: what was taken before it is given back. */
static void each_call_fails(void) {
  static const struct {
    enum call call;
    int error;
    enum call told; /* as the outcome's failed call */
    int told_error;
  } steps[] = {
      {CALL_SOCKET, EMFILE, CALL_SOCKET, EMFILE},
      {CALL_SETSOCKOPT, ENOBUFS, CALL_SETSOCKOPT, ENOBUFS},
      {CALL_CONNECT, ENETDOWN, CALL_CONNECT, ENETDOWN},
      {CALL_GETSOCKOPT, ENOBUFS, CALL_GETSOCKOPT, ENOBUFS},
      {CALL_GETPEERNAME, ENOBUFS, CALL_GETPEERNAME, ENOBUFS},
      {CALL_GETPEERNAME, ENOTCONN, CALL_CONNECT, ECONNRESET}, /* the peer has reset it meanwhile */
      {CALL_GETSOCKNAME, ENOBUFS, CALL_GETSOCKNAME, ENOBUFS},
      {CALL_FCNTL, EBADF, CALL_FCNTL, EBADF},
  };
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    seam_watch();
    seam_inject(steps[i].call, 1, steps[i].error, 0);
    struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 60000}));
    EXPECT_STATE(ended.state, ATTEMPT_FAILED);
    EXPECT_EQUAL(ended.failed_call, steps[i].told);
    EXPECT_EQUAL(ended.error, steps[i].told_error);
    EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
    EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  }
  seam_watch();
  seam_inject(CALL_CLOSE, 0, EIO, 0); /* closes all the same */
  struct settled probed = settle(&environment, reserve_and_start(&environment, &peer, (struct how){.flags = ATTEMPT_PROBE}));
  EXPECT_STATE(probed.state, ATTEMPT_CONNECTED);
  peer_close(&peer);
  environment_close(&environment);
}

/* EINTR is never an outcome: the attempt goes on, with the time that is left. */
static void is_interrupted(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer accepting = peer_accepting(), hanging = peer_hanging(AF_UNIX);
  seam_watch();
  seam_inject(CALL_CONNECT, 1, EINTR, 0);
  struct settled ended =
      settle(&environment, reserve_and_start(&environment, &accepting, (struct how){.timeout_ms = 60000}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(seam_calls(CALL_CONNECT), 2);
  discard(&ended);

  seam_watch();
  seam_inject(CALL_CONNECT, 0, EINTR, 100);
  uint64_t id = reserve_and_start(&environment, &hanging, (struct how){0});
  await_calls(CALL_CONNECT, 20);
  attempt_cancel(id); /* found between two calls, or in one */
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CANCELLED);
  peer_close(&accepting);
  peer_close(&hanging);
  environment_close(&environment);
}

/* Signals to the process never reach a lane. */
static void on_signal(int number) { (void)number; }

static void blocks_signals(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(AF_UNIX);
  struct sigaction action = {.sa_handler = on_signal}, before;
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  pthread_sigmask(SIG_BLOCK, &usr1, NULL); /* here too, so that a lane is all that could take it */
  for (int i = 0; i < 20; i++) kill(getpid(), SIGUSR1);
  pause_ms(5);
  EXPECT_EQUAL(seam_calls(CALL_CONNECT), 1);
  pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
  attempt_cancel(id);
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CANCELLED);
  REQUIRE(sigaction(SIGUSR1, &before, NULL) == 0);
  peer_close(&peer);
  environment_close(&environment);
}

/* Nothing runs: the attempts fail as this machine's failure, and once it has what they need, new ones run. */
static void expect_unstarted(struct environment *environment, const uint64_t *ids, size_t count, int error) {
  for (size_t i = 0; i < count; i++) {
    struct settled ended = settle(environment, ids[i]);
    EXPECT_STATE(ended.state, ATTEMPT_FAILED);
    EXPECT_EQUAL(ended.error, error);
    EXPECT_EQUAL(ended.failed_call, CALL_THREAD_CREATE);
  }
}

static void expect_connects(struct environment *environment, const struct peer *peer) {
  struct settled ended = settle(environment, reserve_and_start(environment, peer, (struct how){0}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
}

static void no_threads(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  uint64_t ids[3];
  for (int i = 0; i < 3; i++) ids[i] = reserve(&environment, &peer, (struct how){0});
  seam_watch();
  seam_inject(CALL_THREAD_CREATE, 0, EAGAIN, 0);
  EXPECT_EQUAL(start_all(&environment, ids, 3), EAGAIN); /* not even a reaper */
  seam_clear();
  REQUIRE((environment.lanes = group_open(&environment.options)) != NULL);
  seam_inject(CALL_THREAD_CREATE, 0, EAGAIN, 0);
  REQUIRE(start_all(&environment, ids, 3) == 0);
  expect_unstarted(&environment, ids, 3, EAGAIN);
  seam_clear();
  expect_connects(&environment, &peer);
  peer_close(&peer);
  environment_close(&environment);
}

/* Threads start, and none can keep the value that tells at its end which lane it was. */
static void no_thread_values(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  uint64_t ids[3];
  for (int i = 0; i < 3; i++) ids[i] = reserve(&environment, &peer, (struct how){0});
  guard_refuse_values(true);
  REQUIRE(start_all(&environment, ids, 3) == 0);
  expect_unstarted(&environment, ids, 3, ENOMEM);
  guard_refuse_values(false);
  expect_connects(&environment, &peer);
  peer_close(&peer);
  environment_close(&environment);
}

/* A second lane is refused: the queue waits for the first. That is cancelled, no other is to be had: the queue fails. */
static void no_second_thread(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(AF_UNIX);
  seam_watch();
  uint64_t first = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  seam_inject(CALL_THREAD_CREATE, 0, EAGAIN, 0);
  uint64_t waits = reserve_and_start(&environment, &peer, (struct how){0});
  uint64_t waits_too = reserve_and_start(&environment, &peer, (struct how){0});
  attempt_cancel(first);
  EXPECT_STATE(settle(&environment, first).state, ATTEMPT_CANCELLED);
  EXPECT_STATE(settle(&environment, waits).state, ATTEMPT_FAILED);
  EXPECT_STATE(settle(&environment, waits_too).state, ATTEMPT_FAILED);
  peer_close(&peer);
  environment_close(&environment);
}

static void no_memory(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(AF_UNIX);
  seam_watch();
  seam_inject(CALL_ALLOCATE, 1, ENOMEM, 0);
  EXPECT_EQUAL((long long)try_reserve(&environment, &peer, (struct how){0}), 0);
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  double number = (double)id;
  seam_inject(CALL_ALLOCATE, 1, ENOMEM, 0);
  EXPECT(!reaper_cancel(&number, 1));
  attempt_cancel(id);
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CANCELLED);
  peer_close(&peer);
  environment_close(&environment);
}

/* No lane can be had beyond those that were used before: one environment has them all, another none. */
static void no_lanes(void) {
  enum { MANY = 100 };
  struct environment environment, other;
  environment_open(&environment);
  environment_open(&other);
  environment.options.max_lanes = MANY;
  struct peer hanging = peer_hanging(AF_UNIX), accepting = peer_accepting();
  uint64_t ids[MANY], others[3];
  for (int i = 0; i < MANY; i++) ids[i] = reserve(&environment, &hanging, (struct how){0});
  for (int i = 0; i < 3; i++) others[i] = reserve(&other, &accepting, (struct how){0});
  REQUIRE((environment.lanes = group_open(&environment.options)) != NULL);
  REQUIRE((other.lanes = group_open(&other.options)) != NULL);
  seam_watch();
  seam_inject(CALL_ALLOCATE, 0, ENOMEM, 0);
  REQUIRE(start_all(&environment, ids, MANY) == 0);
  await_calls(CALL_ALLOCATE, 1);
  REQUIRE(start_all(&other, others, 3) == 0);
  expect_unstarted(&other, others, 3, ENOMEM);
  seam_clear();
  for (int i = 0; i < MANY; i++) attempt_cancel(ids[i]); /* on lanes, queued, or failed with the last lane */
  for (int i = 0; i < MANY; i++) EXPECT(settle_next(&environment).fd == -1);
  expect_connects(&other, &accepting);
  peer_close(&hanging);
  peer_close(&accepting);
  environment_close(&other);
  environment_close(&environment);
}

/* Neither outboxes nor groups, beyond the groups that were used before. */
static void no_environment(void) {
  enum { USED = 64 };
  struct environment environment;
  environment_open(&environment);
  struct lane_group *groups[USED];
  size_t count = 0;
  seam_watch();
  seam_inject(CALL_ALLOCATE, 0, ENOMEM, 0);
  EXPECT(outbox_open(NULL, NULL) == NULL);
  while (count < USED && (groups[count] = group_open(&environment.options)) != NULL) count++;
  EXPECT(count < USED);
  EXPECT_EQUAL(errno, ENOMEM);
  while (count > 0) group_close(groups[--count]);
  environment_close(&environment);
}

/* The registry's table cannot grow: reserving stops, and goes on when memory is back. */
static void no_slots(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_refusing();
  uint64_t ids[4096];
  size_t count = 0;
  seam_watch();
  seam_inject(CALL_ALLOCATE, 0, ENOMEM, 0);
  struct how poll_it = {.flags = ATTEMPT_BORROWED | ATTEMPT_POLL, .fd = -1}; /* has no address buffer */
  while (count < 4096 && (ids[count] = try_reserve(&environment, NULL, poll_it)) != 0) count++;
  EXPECT(count > 0 && count < 4096);
  seam_clear();
  REQUIRE(count < 4096);
  ids[count++] = reserve(&environment, &peer, (struct how){0});
  for (size_t i = 0; i < count; i++) attempt_cancel(ids[i]);
  for (size_t i = 0; i < count; i++) EXPECT_STATE(settle_next(&environment).state, ATTEMPT_CANCELLED);
  peer_close(&peer);
  environment_close(&environment);
}

/* The guard saw the calls of the scenarios before this one. */
static void guard_is_asked(void) { EXPECT(guard_count() > 0); }

const struct scenario fault_scenarios[] = {
    {"first cancel at the descriptor limit", first_cancel_at_limit},
    {"each call fails", each_call_fails},
    {"connect is interrupted", is_interrupted},
    {"signals are blocked", blocks_signals},
    {"no thread is to be had", no_threads},
    {"no second thread is to be had", no_second_thread},
    {"no thread can keep a value", no_thread_values},
    {"no memory is to be had", no_memory},
    {"no slot is to be had", no_slots},
    {"no lane is to be had", no_lanes},
    {"no environment is to be had", no_environment},
    {"cancellation state was watched", guard_is_asked},
    {NULL, NULL},
};
