/* Cancels that race with success, with its delivery, or with the slot's next attempt. */
#include <unistd.h>

#include "check.h"
#include "environment.h"
#include "guard.h"
#include "ledger.h"
#include "registry.h"
#include "scenarios.h"

/* Sent when connect(2) is over but the region is not: the cancel stays pending, and must not reach the next attempt. */
static void too_late(void) {
  struct environment environment;
  environment_open(&environment);
  environment.options.max_lanes = 1;
  struct peer peer = peer_accepting();
  guard_linger(100);
  seam_watch();
  uint64_t late = reserve_and_start(&environment, &peer, (struct how){0});
  uint64_t next = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  attempt_cancel(late);
  EXPECT_STATE(settle(&environment, late).state, ATTEMPT_CANCELLED);
  struct settled ended = settle(&environment, next);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
  guard_linger(0);
  peer_close(&peer);
  environment_close(&environment);
}

struct canceller {
  uint64_t id;
  _Atomic bool done;
};

static void *cancel_one(void *argument) {
  struct canceller *canceller = argument;
  attempt_cancel(canceller->id);
  atomic_store(&canceller->done, true);
  return NULL;
}

enum end { BY_DRAIN, BY_CLAIM, BY_SWEEP_UNDRAINED, BY_SWEEP_DRAINED };

/*
 * Another thread, as the reaper is, cancels what is CONNECTED: its environment owns that alone, is told of a success
 * and closes it. Were it closed by the canceller, slowly as close(2) is here, the environment would settle meanwhile.
 */
static void cancelled_when_connected(enum end end) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  struct canceller canceller = {.id = connected_undrained(&environment, &peer)};
  int fd = atomic_load(&attempt_find(canceller.id)->fd);
  if (end == BY_CLAIM || end == BY_SWEEP_DRAINED) {
    struct attempt_outcome outcome;
    while (attempt_drain(environment.outbox, &outcome, 1) == 0) pause_ms(1);
    EXPECT(outcome.yields);
  }
  seam_watch();
  seam_inject(CALL_CLOSE, 1, 0, 50000);
  pthread_t thread = spawn(cancel_one, &canceller);
  while (!atomic_load(&canceller.done) && seam_calls(CALL_CLOSE) == 0) pause_ms(1);
  if (end == BY_DRAIN) {
    struct settled ended = settle(&environment, canceller.id);
    EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
    EXPECT(ended.fd == fd || !is_open(fd)); /* settled means released */
    discard(&ended);
  }
  if (end == BY_CLAIM) {
    EXPECT_EQUAL(attempt_claim(canceller.id), fd);
    EXPECT_EQUAL(attempt_disown(canceller.id), fd);
    EXPECT_EQUAL(close(fd), 0);
  }
  if (end == BY_SWEEP_UNDRAINED || end == BY_SWEEP_DRAINED) environment_close(&environment);
  EXPECT(!is_open(fd));
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  join(thread);
  peer_close(&peer);
  if (end == BY_DRAIN || end == BY_CLAIM) environment_close(&environment);
}

static void drained(void) { cancelled_when_connected(BY_DRAIN); }
static void claimed(void) { cancelled_when_connected(BY_CLAIM); }
static void swept(void) { cancelled_when_connected(BY_SWEEP_UNDRAINED); }
static void swept_after_drain(void) { cancelled_when_connected(BY_SWEEP_DRAINED); }

/* A stale id names a slot in other hands by now: its generation tells, and nothing happens to the newcomer. */
static void stale(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer accepting = peer_accepting(), hanging = peer_hanging(AF_UNIX);
  struct settled old = settle(&environment, reserve_and_start(&environment, &accepting, (struct how){0}));
  discard(&old);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &hanging, (struct how){0});
  REQUIRE(attempt_find(id) == attempt_find(old.id) && id != old.id);
  await_calls(CALL_CONNECT, 1);
  attempt_cancel(old.id);
  attempt_forfeit(old.id);
  start(&environment, old.id);
  EXPECT_EQUAL(attempt_claim(old.id), -1);
  EXPECT_EQUAL(attempt_disown(old.id), -1);
  peer_make_room(&hanging);
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
  attempt_cancel((uint64_t)1 << 52 | 0x3fffff); /* an id that never was */
  peer_close(&accepting);
  peer_close(&hanging);
  environment_close(&environment);
}

/* A cancel lost to a success: what stands on the caller's descriptor is told, cancelled in the region or after it. */
static void borrowed_that_stands(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  seam_watch();
  seam_inject(CALL_CONNECT, 1, 0, 50000);
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.flags = ATTEMPT_BORROWED, .fd = fd});
  struct sockaddr_storage name;
  for (socklen_t length = sizeof name; getpeername(fd, (struct sockaddr *)&name, &length) != 0; length = sizeof name)
    pause_ms(1);
  /* BZ 12683: connect(2) has returned and cancellation is still enabled, for the seam delays what comes next. */
  attempt_cancel(id);
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CONNECTED);
  close(fd);
  peer_close(&peer);
  environment_close(&environment);
}

const struct scenario race_scenarios[] = {
    {"cancel too late", too_late},
    {"cancel when connected, drained", drained},
    {"cancel when connected, claimed", claimed},
    {"cancel when connected, environment ends", swept},
    {"cancel when connected, environment ends after the drain", swept_after_drain},
    {"cancel by a stale id", stale},
    {"cancel lost to a success", borrowed_that_stands},
    {NULL, NULL},
};
