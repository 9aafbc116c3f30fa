/*
 * A reactor: one thread, which makes nonblocking attempts, all at once. nonblocking.c is one such attempt, step by step;
 * reactors.c starts and stops them and says which one gets what.
 */
#ifndef CANCELPOINT_REACTOR_H
#define CANCELPOINT_REACTOR_H

#include "deadlines.h"
#include "inbox.h"
#include "poller.h"

/* More are begun at once only after a look at events, cancels and deadlines. */
enum { BEGUN_AT_ONCE = 32 };

struct reactor {
  pthread_t thread;
  struct inbox inbox;
  struct poller poller;
  /* Its thread's alone. */
  struct deadlines deadlines;
  struct outbox *to_ring;
};

/* Opens what it waits with, and starts the thread. Under the lock of reactors.c, as the other. */
struct failure reactor_start(struct reactor *reactor);

/* Stops the thread and joins it. What it has not taken over is LOST, and what it watches stays so. */
void reactor_stop(struct reactor *reactor);

#endif
