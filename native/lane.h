/*
 * A lane: one thread that makes blocking attempts, one at a time, each cancellable at its cancellation point.
 * lane.c is the life of one attempt on it; lane_group.c is where lanes come from and go to.
 *
 * Lane structs are type-stable: they are reused and never freed. So a canceller may lock the lane that an attempt names,
 * and sees under its lock whether it still runs that attempt.
 */
#ifndef CANCELPOINT_LANE_H
#define CANCELPOINT_LANE_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "registry.h"

enum lane_phase {
  LANE_IDLE,
  LANE_PREPARING,  /* has an attempt; opens and prepares the descriptor */
  LANE_CONNECTING, /* cancellation may be enabled; a cancel is sent as pthread_cancel */
  LANE_FINISHING   /* connect(2) is over; a cancel is noted and acted on by lane_publish */
};

struct lane {
  pthread_mutex_t lock; /* attempt_id, phase, cancel, cancel_sent; taken after the group's, if both */
  uint64_t attempt_id;  /* 0 while there is none */
  enum lane_phase phase;
  enum attempt_state cancel; /* the state that a cancel asked for, or ATTEMPT_FREE */
  bool cancel_sent;          /* pthread_cancel was called: it may be pending for ever, so this thread retires */

  /* Only the lane and its cleanup handler use these. On the heap, because a handler cannot rely on locals. */
  pthread_t thread;
  void *stack;
  struct attempt *attempt;
  int fd;
  bool owns_fd;
  bool had_peer; /* a borrowed descriptor that was connected before */
  struct pollfd pollfd;
  int poll_timeout_ms;
  int result, error; /* of connect(2) or poll(2) */
  struct outbox *to_ring; /* posted to by the cleanup handler */

  /* Under the group's lock. */
  struct lane_group *group;
  pthread_cond_t wake;
  bool idle, holds_slot;
  struct lane *next_idle, *next_to_join;
  struct lane *next, *previous; /* all of the group */
};

/* The thread's function. */
void *lane_main(void *lane);

/* Notes a cancel of attempt `id` and sends it if the lane connects. False where the lane does not run it. Any thread but the lane. */
bool lane_cancel(struct lane *lane, uint64_t id, enum attempt_state as);

/* The same for the attempt that it runs, if any. */
void lane_interrupt(struct lane *lane, enum attempt_state as);

#endif
