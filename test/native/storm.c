/*
 * Randomised cancels: attempts of every kind and end on several workers' lanes, cancelled by several threads at
 * any moment, with jitter at every system call. Each settles once, in a state that its peer allows.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "reaper.h"
#include "scenarios.h"

enum { ATTEMPTS = 200, CANCELLERS = 3, WORKERS = 2, TASK = 25, PEERS = 4 };
enum kind { ACCEPTING, REFUSING, HANGING_TCP, HANGING_UNIX };

struct round {
  uint64_t ids[ATTEMPTS];
  enum kind kinds[ATTEMPTS];
  bool limited[ATTEMPTS];
  uint32_t pace_us; /* at most so long between two cancels of one thread */
  _Atomic bool over; /* everything has settled: stop cancelling */
};

struct tally {
  int attempts, cancelled, cancelled_on_lane, connected, failed;
};

struct canceller {
  struct round *round;
  uint32_t seed;
};

/* Any id at any moment, again and again: settled ones, whose slots have other tenants, too. */
static void *cancel_some(void *argument) {
  struct canceller *canceller = argument;
  struct round *round = canceller->round;
  while (!atomic_load(&round->over)) {
    uint32_t at = random_below(&canceller->seed, ATTEMPTS);
    if (random_below(&canceller->seed, 8) == 0) {
      double numbers[8];
      size_t count = 0;
      for (; count < 8 && at + count < ATTEMPTS; count++) numbers[count] = (double)round->ids[at + count];
      reaper_cancel(numbers, count);
    } else {
      attempt_cancel(round->ids[at]);
    }
    usleep(random_below(&canceller->seed, round->pace_us));
  }
  return NULL;
}

static size_t index_of(const struct round *round, uint64_t id) {
  for (size_t at = 0; at < ATTEMPTS; at++)
    if (round->ids[at] == id) return at;
  return ATTEMPTS;
}

static void judge(const struct settled *ended, enum kind kind, bool limited, struct tally *tally) {
  tally->attempts++;
  switch (ended->state) {
    case ATTEMPT_CONNECTED:
      tally->connected++;
      EXPECT(kind == ACCEPTING);
      break;
    case ATTEMPT_FAILED:
      tally->failed++;
      EXPECT((limited && ended->by_deadline) || (kind == REFUSING && ended->error == ECONNREFUSED));
      break;
    default:
      tally->cancelled++;
      tally->cancelled_on_lane += ended->duration_ms > 0;
      EXPECT_STATE(ended->state, ATTEMPT_CANCELLED);
  }
}

static void play(struct environment *caller, struct environment *workers, const struct peer *peers, uint32_t *seed,
                 struct tally *tally) {
  struct round round = {.pace_us = 1 + random_below(seed, 4) * 500};
  for (size_t at = 0; at < ATTEMPTS; at++) {
    round.kinds[at] = random_below(seed, PEERS);
    round.limited[at] = random_below(seed, 3) == 0;
    struct how how = {.flags = random_below(seed, 4) == 0 ? ATTEMPT_PROBE : 0,
                      .timeout_ms = round.limited[at] ? 1 + random_below(seed, 100) : 0};
    round.ids[at] = reserve(caller, &peers[round.kinds[at]], how);
  }

  struct canceller cancellers[CANCELLERS];
  pthread_t threads[CANCELLERS];
  for (size_t from = 0; from < ATTEMPTS; from += TASK)
    REQUIRE(start_all(&workers[from / TASK % WORKERS], &round.ids[from], TASK) == 0);
  for (int i = 0; i < CANCELLERS; i++) {
    cancellers[i] = (struct canceller){&round, *seed + (uint32_t)i};
    threads[i] = spawn(cancel_some, &cancellers[i]);
  }

  bool seen[ATTEMPTS] = {false};
  for (size_t count = 0; count < ATTEMPTS; count++) {
    struct settled ended = settle_next(caller);
    size_t at = index_of(&round, ended.id);
    EXPECT(at < ATTEMPTS && !seen[at]);
    if (at == ATTEMPTS) continue;
    seen[at] = true;
    judge(&ended, round.kinds[at], round.limited[at], tally);
    discard(&ended);
  }
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_BUFFERS), 0);
  EXPECT_EQUAL(ledger_read(LEDGER_ATTEMPTS), 0);
  atomic_store(&round.over, true);
  for (int i = 0; i < CANCELLERS; i++) join(threads[i]);
  peer_drain(&peers[ACCEPTING]);
}

static void storm(bool nonblocking) {
  struct environment caller, workers[WORKERS];
  environment_open(&caller);
  for (int i = 0; i < WORKERS; i++) {
    environment_open(&workers[i]);
    workers[i].nonblocking = nonblocking;
  }
  struct peer peers[PEERS] = {
      [ACCEPTING] = peer_accepting(),
      [REFUSING] = peer_refusing(),
      [HANGING_TCP] = peer_hanging(AF_INET),
      /* In the reactor nothing waits for a full backlog. */
      [HANGING_UNIX] = peer_hanging(nonblocking ? AF_INET : AF_UNIX),
  };
  uint32_t seed = settings.seed;
  struct tally tally = {0};
  for (uint32_t round = 0; round < settings.rounds; round++) {
    seam_jitter(seed, 1 + random_below(&seed, 300));
    play(&caller, workers, peers, &seed, &tally);
  }
  printf("       %d attempts: %d connected, %d failed, %d cancelled, %d of them once begun\n", tally.attempts, tally.connected,
         tally.failed, tally.cancelled, tally.cancelled_on_lane);
  EXPECT(tally.connected > 0 && tally.failed > 0 && tally.cancelled_on_lane > 0);
  for (int i = 0; i < WORKERS; i++) environment_close(&workers[i]);
  environment_close(&caller);
  for (int i = 0; i < PEERS; i++) peer_close(&peers[i]);
}

static void on_lanes(void) { storm(false); }
static void in_reactor(void) { storm(true); }

const struct scenario storm_scenarios[] = {
    {"storm of cancels", on_lanes}, {"storm of cancels in the reactor", in_reactor}, {NULL, NULL}};
