/* Attempts that nobody cancels: each way connect(2) can end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "check.h"
#include "environment.h"
#include "ledger.h"
#include "scenarios.h"

static void connects(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 60000}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT(is_open(ended.fd));
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 1);
  EXPECT_EQUAL(ledger_read(LEDGER_ATTEMPTS), 0);
  discard(&ended);
  EXPECT_EQUAL(attempt_disown(ended.id), -1);
  peer_close(&peer);
  environment_close(&environment);
}

/* Several on few lanes, so that lanes are reused and a queue forms. */
static void connects_many(void) {
  enum { MANY = 60 };
  struct environment environment;
  environment_open(&environment);
  environment.options.max_lanes = 3;
  struct peer peer = peer_accepting();
  uint64_t ids[MANY];
  for (int i = 0; i < MANY; i++) ids[i] = reserve(&environment, &peer, (struct how){0});
  REQUIRE(start_all(&environment, ids, MANY) == 0);
  for (int i = 0; i < MANY; i++) {
    struct settled ended = settle_next(&environment);
    EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
    EXPECT(ledger_read(LEDGER_LANES) <= 3);
    discard(&ended);
  }
  peer_close(&peer);
  environment_close(&environment);
}

static void is_refused(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_refusing();
  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){0}));
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, ECONNREFUSED);
  EXPECT_EQUAL(ended.failed_call, CALL_CONNECT);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  peer_close(&peer);
  environment_close(&environment);
}

static void probes(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){.flags = ATTEMPT_PROBE}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(ended.fd, -1);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  peer_close(&peer);
  environment_close(&environment);
}

/* Whether a probe left something to accept. Waits for the outcome, not for the peer: loopback is not behind it. */
static bool is_seen(struct environment *environment, const struct peer *peer, uint32_t flags) {
  struct settled ended = settle(environment, reserve_and_start(environment, peer, (struct how){.flags = flags}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(ended.fd, -1);
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  int accepted = accept(peer->listener, NULL, NULL);
  if (accepted >= 0) close(accepted);
  return accepted >= 0;
}

/* The listener never sees it, unless this machine is too busy to reset within the 190 ms that the ACK is held back. */
static void probes_half_open(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  int tries = 1;
  EXPECT(is_seen(&environment, &peer, ATTEMPT_PROBE));
  while (tries < 50 && is_seen(&environment, &peer, ATTEMPT_PROBE | ATTEMPT_HALF_OPEN)) tries++;
  EXPECT(tries < 50);

  seam_watch();
  seam_inject(CALL_SETSOCKOPT, 1, ENOBUFS, 0);
  struct how how = {.flags = ATTEMPT_PROBE | ATTEMPT_HALF_OPEN};
  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, how));
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.failed_call, CALL_SETSOCKOPT);
  peer_close(&peer);
  environment_close(&environment);
}

/* 0 after a FIN, or the errno that the peer of a probe is told. */
static int end_seen_by_peer(bool nonblocking, uint32_t flags) {
  struct environment environment;
  if (nonblocking)
    environment_open_nonblocking(&environment);
  else
    environment_open(&environment);
  struct peer peer = peer_accepting();
  struct how how = {.flags = ATTEMPT_PROBE | flags};
  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, how));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(ended.fd, -1);
  int accepted = accept(peer.listener, NULL, NULL);
  REQUIRE(accepted >= 0);
  char byte;
  int seen = recv(accepted, &byte, 1, 0) == 0 ? 0 : errno;
  close(accepted);
  peer_close(&peer);
  environment_close(&environment);
  return seen;
}

static void probes_end_as_asked(void) {
  for (int nonblocking = 0; nonblocking <= 1; nonblocking++) {
    EXPECT_EQUAL(end_seen_by_peer(nonblocking, 0), ECONNRESET);
    EXPECT_EQUAL(end_seen_by_peer(nonblocking, ATTEMPT_FIN), 0);
  }
}

/* A server that speaks first, as mail servers and some databases do: close(2) would reset, with its words unread. */
static void probe_reads_a_greeting(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  REQUIRE(fcntl(peer.listener, F_SETFL, 0) == 0);
  seam_watch();
  seam_inject(CALL_GETPEERNAME, 1, 0, 100000); /* long enough for the greeting to arrive */
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.flags = ATTEMPT_PROBE | ATTEMPT_FIN});
  int accepted = accept(peer.listener, NULL, NULL);
  REQUIRE(accepted >= 0 && send(accepted, "220 ready\r\n", 11, 0) == 11);
  EXPECT_STATE(settle(&environment, id).state, ATTEMPT_CONNECTED);
  char byte;
  EXPECT_EQUAL(recv(accepted, &byte, 1, 0), 0);
  close(accepted);
  peer_close(&peer);
  environment_close(&environment);
}

static void runs_out_of_time(int family) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(family);
  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){.timeout_ms = 50}));
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, ETIMEDOUT);
  EXPECT(ended.by_deadline);
  peer_close(&peer);
  environment_close(&environment);
}

static void runs_out_of_time_tcp(void) { runs_out_of_time(AF_INET); }
static void runs_out_of_time_unix(void) { runs_out_of_time(AF_UNIX); }

/* What no event loop can: wait for room in an AF_UNIX backlog. */
static void waits_for_room(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_hanging(AF_UNIX);
  seam_watch();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){0});
  await_calls(CALL_CONNECT, 1);
  peer_make_room(&peer);
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
  peer_close(&peer);
  environment_close(&environment);
}

static void connects_from_source(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting(), source = peer_refusing();
  uint64_t id = reserve_and_start(&environment, &peer, (struct how){.local = &source});
  struct settled ended = settle(&environment, id);
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, EADDRINUSE);
  EXPECT_EQUAL(ended.failed_call, CALL_BIND);
  close(source.listener); /* the port is free now */
  ended = settle(&environment, reserve_and_start(&environment, &peer, (struct how){.local = &source}));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
  peer_close(&peer);
  environment_close(&environment);
}

static void borrows(void) {
  struct environment environment;
  environment_open(&environment);
  struct peer peer = peer_accepting();
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct how connect_it = {.flags = ATTEMPT_BORROWED, .fd = fd};
  struct how poll_it = {.flags = ATTEMPT_BORROWED | ATTEMPT_POLL, .fd = fd, .poll_events = POLLOUT, .timeout_ms = 60000};

  struct settled ended = settle(&environment, reserve_and_start(&environment, &peer, connect_it));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(ended.fd, -1);
  ended = settle(&environment, reserve_and_start(&environment, NULL, poll_it));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(ended.polled, POLLOUT);
  ended = settle(&environment, reserve_and_start(&environment, &peer, connect_it));
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, EISCONN);
  poll_it.poll_events = POLLIN;
  poll_it.timeout_ms = 20;
  ended = settle(&environment, reserve_and_start(&environment, NULL, poll_it));
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  EXPECT_EQUAL(ended.polled, 0);
  EXPECT(is_open(fd));
  EXPECT_EQUAL(ledger_read(LEDGER_DESCRIPTORS), 0);
  close(fd);
  ended = settle(&environment, reserve_and_start(&environment, &peer, connect_it));
  EXPECT_STATE(ended.state, ATTEMPT_FAILED);
  EXPECT_EQUAL(ended.error, EBADF);
  peer_close(&peer);
  environment_close(&environment);
}

const struct scenario outcome_scenarios[] = {
    {"connects", connects},
    {"connects many on few lanes", connects_many},
    {"is refused", is_refused},
    {"probes", probes},
    {"probes half-open", probes_half_open},
    {"probes end with a reset or a FIN", probes_end_as_asked},
    {"a probe reads what came before its FIN", probe_reads_a_greeting},
    {"runs out of time, TCP", runs_out_of_time_tcp},
    {"runs out of time, AF_UNIX", runs_out_of_time_unix},
    {"waits for room in a backlog", waits_for_room},
    {"connects from a source", connects_from_source},
    {"borrows a descriptor", borrows},
    {NULL, NULL},
};
