/*
 * The part of an environment, as native/addon.cc and src/bridge/registry.ts play it: an outbox whose ring wakes the
 * environment's thread, lanes once it starts some, and outcomes drained in slices, each claimed at once.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <pthread.h>

#include "attempt.h"
#include "lane_group.h"
#include "outbox.h"
#include "peers.h"

/* An outcome after its claim. */
struct settled {
  uint64_t id;
  enum attempt_state state; /* CONNECTED, FAILED, CANCELLED or LOST */
  int error;
  enum call failed_call;
  bool by_deadline;
  int16_t polled;
  double duration_ms; /* 0 where it never came to connect(2) */
  int fd; /* claimed, or -1 */
};

struct environment {
  struct outbox *outbox;
  struct lane_group *lanes;
  struct lane_options options;
  bool nonblocking; /* what it starts goes to the reactors */
  bool uses_reactors;
  pthread_mutex_t lock; /* rung */
  pthread_cond_t bell;
  bool rung;
  struct settled *settled; /* drained and not yet asked for: `count` of them from the `first` on */
  size_t first, count, room;
};

/* What to attempt, beside where to. */
struct how {
  uint32_t flags, timeout_ms;
  int fd; /* with ATTEMPT_BORROWED */
  int16_t poll_events;
  const struct peer *local; /* its address as the source */
};

void environment_open(struct environment *environment);
/* One that starts its attempts in the reactors, of which there are two. */
void environment_open_nonblocking(struct environment *environment);
/* As addon.cc's Close. */
void environment_close(struct environment *environment);

/* 0 where the registry has none to give. */
uint64_t try_reserve(struct environment *environment, const struct peer *to, struct how how);
uint64_t reserve(struct environment *environment, const struct peer *to, struct how how);
/* Hands reserved ids to this environment's lanes, or to the reactors. 0 or an errno. */
int start_all(struct environment *lanes_of, const uint64_t *ids, size_t count);
void start(struct environment *lanes_of, uint64_t id);
uint64_t reserve_and_start(struct environment *environment, const struct peer *to, struct how how);
/* An attempt that has connected, its outcome not yet drained. */
uint64_t connected_undrained(struct environment *environment, const struct peer *to);

/* As registry.ts does where outcomes are told of by a native call's result: no ring will come for them. */
void environment_drains(struct environment *environment);
/* The next outcome, in the order they came; waits for the bell if there is none. */
struct settled settle_next(struct environment *environment);
/* The outcome of `id`; others stay for later. */
struct settled settle(struct environment *environment, uint64_t id);
/* CANCELLED, and settled means released: now and not soon. For the only attempt of the process. */
void expect_cancelled(struct settled settled);
/* Disowns and closes what a settled attempt yielded, if it did. */
void discard(const struct settled *settled);

/* Counts calls at the seam from now on. */
void seam_watch(void);
/* Waits until the seam has seen so many of a kind, and a little longer for the last to be in the kernel. */
void await_calls(enum call call, uint32_t count);

/* A thread of the test's own; it plays an environment's thread, never a lane. */
pthread_t spawn(void *(*run)(void *), void *argument);
void join(pthread_t thread);

#endif
