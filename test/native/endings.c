/* Workers and environments that end with attempts in every state. */
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "scenarios.h"

/* The worker that ran them ends; the environment that asked for them goes on and is told. */
static void worker_ends(void) {
  enum { CONNECTING = 6, QUEUED = 5 };
  struct environment caller, worker;
  environment_open(&caller);
  environment_open(&worker);
  worker.options.max_lanes = CONNECTING;
  struct peer tcp = peer_hanging(AF_INET), local = peer_hanging(AF_UNIX), accepting = peer_accepting();
  seam_watch();
  uint64_t done = reserve(&caller, &accepting, (struct how){0}), ids[CONNECTING + QUEUED];
  start(&worker, done);
  struct settled kept = settle(&caller, done);
  for (int i = 0; i < CONNECTING + QUEUED; i++) {
    ids[i] = reserve(&caller, i % 2 ? &tcp : &local, (struct how){0});
    start(&worker, ids[i]);
  }
  uint64_t unstarted = reserve(&caller, &tcp, (struct how){0});
  await_calls(CALL_CONNECT, 1 + CONNECTING);
  environment_close(&worker);
  EXPECT_EQUAL(ledger_read(LEDGER_LANES), 0);
  for (int i = 0; i < CONNECTING + QUEUED; i++) EXPECT_STATE(settle(&caller, ids[i]).state, ATTEMPT_LOST);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 1); /* what it had connected stays the caller's */
  discard(&kept);
  attempt_forfeit(unstarted);
  EXPECT_STATE(settle(&caller, unstarted).state, ATTEMPT_LOST);
  environment_close(&caller);
  peer_close(&tcp);
  peer_close(&local);
  peer_close(&accepting);
}

/* The caller ends, with attempts in every state; the worker's lanes go on for others. */
static void caller_ends(void) {
  struct environment caller, worker;
  environment_open(&caller);
  environment_open(&worker);
  worker.options.max_lanes = 4;
  struct peer hanging = peer_hanging(AF_UNIX), accepting = peer_accepting();
  struct attempt_outcome outcome;

  uint64_t claimed = reserve(&caller, &accepting, (struct how){0});
  start(&worker, claimed);
  EXPECT_STATE(settle(&caller, claimed).state, ATTEMPT_CONNECTED); /* and never disowned */
  uint64_t drained = reserve(&caller, &accepting, (struct how){0});
  start(&worker, drained);
  while (attempt_drain(caller.outbox, &outcome, 1) == 0) pause_ms(1); /* and never claimed */
  EXPECT_EQUAL((long long)outcome.id, (long long)drained);
  seam_watch();
  for (int i = 0; i < 3; i++) start(&worker, reserve(&caller, &accepting, (struct how){0})); /* never drained */
  await_calls(CALL_FCNTL, 3);
  for (int i = 0; i < 4; i++) start(&worker, reserve(&caller, &hanging, (struct how){0}));
  await_calls(CALL_CONNECT, 3 + 4);
  for (int i = 0; i < 3; i++) start(&worker, reserve(&caller, &hanging, (struct how){0})); /* queued */
  reserve(&caller, &hanging, (struct how){0});
  environment_close(&caller);

  uint64_t next = reserve(&worker, &accepting, (struct how){0});
  start(&worker, next);
  struct settled ended = settle(&worker, next);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
  environment_close(&worker);
  peer_close(&hanging);
  peer_close(&accepting);
}

/* The caller has ended when the lane, in a delayed call, posts its success. */
static void caller_ends_first(void) {
  struct environment caller, worker;
  environment_open(&caller);
  environment_open(&worker);
  struct peer accepting = peer_accepting();
  seam_watch();
  seam_inject(CALL_FCNTL, 1, 0, 30000);
  start(&worker, reserve(&caller, &accepting, (struct how){0}));
  await_calls(CALL_FCNTL, 1);
  environment_close(&caller);
  environment_close(&worker);
  peer_close(&accepting);
}

/* Lanes without work end by themselves, and new work starts new ones. */
static void lanes_retire(void) {
  struct environment environment;
  environment_open(&environment);
  environment.options.idle_ms = 10;
  struct peer peer = peer_accepting();
  for (int round = 0; round < 3; round++) {
    struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){0}));
    EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
    discard(&ended);
    while (ledger_read(LEDGER_LANES) > 0) pause_ms(1);
  }
  peer_close(&peer);
  environment_close(&environment);
}

/* Ended while it makes a net.Socket of a descriptor: Node has taken that and closed it, so that its number is another's, or has not. */
static void ends_handing_over(void) {
  struct peer accepting = peer_accepting();
  for (int taken = 0; taken < 2; taken++) {
    struct environment environment;
    environment_open(&environment);
    struct settled connected = settle(&environment, reserve_and_start(&environment, &accepting, (struct how){0}));
    EXPECT_STATE(connected.state, ATTEMPT_CONNECTED);
    attempt_hand_over(connected.id);
    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (taken) EXPECT_EQUAL(dup2(other, connected.fd), connected.fd);
    environment_close(&environment);
    EXPECT_EQUAL(close(connected.fd), taken ? 0 : -1);
    EXPECT_EQUAL(close(other), 0);
  }
  peer_close(&accepting);
}

enum { LIVES = 12, LIFE_ATTEMPTS = 24 };

struct life {
  bool nonblocking;
  uint32_t seed;
  const struct peer *accepting, *refusing, *hanging;
};

/* An environment in a thread of its own, which ends at any moment of its attempts. */
static void *live(void *argument) {
  struct life life = *(struct life *)argument;
  for (int i = 0; i < LIVES; i++) {
    const struct peer *peers[] = {life.accepting, life.refusing, life.hanging};
    struct environment environment;
    uint64_t ids[LIFE_ATTEMPTS];
    environment_open(&environment);
    environment.nonblocking = life.nonblocking;
    environment.options.max_lanes = 1 + random_below(&life.seed, 16);
    for (int at = 0; at < LIFE_ATTEMPTS; at++) {
      struct how how = {.flags = random_below(&life.seed, 4) == 0 ? ATTEMPT_PROBE : 0};
      ids[at] = reserve(&environment, peers[random_below(&life.seed, 3)], how);
    }
    REQUIRE(start_all(&environment, ids, random_below(&life.seed, LIFE_ATTEMPTS + 1)) == 0);
    for (uint32_t cancels = random_below(&life.seed, LIFE_ATTEMPTS); cancels > 0; cancels--) {
      struct attempt_outcome outcome;
      attempt_cancel(ids[random_below(&life.seed, LIFE_ATTEMPTS)]);
      /* Drained and claimed, or drained alone: the sweep finds both. */
      if (random_below(&life.seed, 4) == 0 && attempt_drain(environment.outbox, &outcome, 1) == 1 && outcome.yields &&
          random_below(&life.seed, 2) == 0)
        attempt_claim(outcome.id);
    }
    environment_close(&environment);
  }
  return NULL;
}

static void many_environments(bool nonblocking) {
  enum { THREADS = 4 };
  struct peer accepting = peer_accepting(), refusing = peer_refusing();
  struct peer hanging = peer_hanging(nonblocking ? AF_INET : AF_UNIX);
  struct life lives[THREADS];
  pthread_t threads[THREADS];
  seam_jitter(settings.seed, 200);
  for (uint32_t i = 0; i < THREADS; i++) {
    lives[i] = (struct life){nonblocking, settings.seed + i, &accepting, &refusing, &hanging};
    threads[i] = spawn(live, &lives[i]);
  }
  for (int i = 0; i < THREADS; i++) join(threads[i]);
  peer_close(&accepting);
  peer_close(&refusing);
  peer_close(&hanging);
}

static void many_on_lanes(void) { many_environments(false); }
/* Which starts with the first of them and stops with the last, again and again. */
static void many_in_reactor(void) { many_environments(true); }

const struct scenario ending_scenarios[] = {
    {"worker ends", worker_ends},
    {"caller ends", caller_ends},
    {"caller ends before a lane posts", caller_ends_first},
    {"environment ends as it hands a descriptor over", ends_handing_over},
    {"lanes retire when idle", lanes_retire},
    {"many environments at once", many_on_lanes},
    {"many environments at once, in the reactor", many_in_reactor},
    {NULL, NULL},
};
