/*
 * What waits for one reactor: attempts to make, and the word to stop. Other threads leave it here, and wake the reactor where
 * it sleeps.
 */
#ifndef CANCELPOINT_INBOX_H
#define CANCELPOINT_INBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct attempt;
struct poller;

struct inbox {
  _Atomic uint32_t waiting; /* attempts that were submitted, and that the reactor has not done with */
  pthread_mutex_t lock;     /* everything below */
  struct poller *poller;    /* what the reactor sleeps in */
  struct attempt *first, *last; /* by `next` */
  bool asleep;              /* or about to be: must be woken, once */
  bool closed;
};

/* Before the reactor starts, and when the last user of it leaves: nobody submits from then on. */
void inbox_open(struct inbox *inbox, struct poller *poller);
void inbox_close(struct inbox *inbox);

/* A list by `next`, of so many. SUBMITTED, or UNWANTED by now, and the reactor's from now on. A user of the reactor. */
void inbox_submit(struct inbox *inbox, struct attempt *first, struct attempt *last, uint32_t count);

/* Wakes the reactor if it sleeps: cancels wait, which any reactor may take. Any thread, at any time. */
void inbox_wake(struct inbox *inbox);

/* The rest is the reactor's. */

/* The oldest, or NULL. */
struct attempt *inbox_next(struct inbox *inbox);

/* True where it may wait: there is nothing here, no cancel waits either, and whatever comes next will wake it. */
bool inbox_falls_asleep(struct inbox *inbox);

/* Awake. True where it was closed, and no cancel waits. */
bool inbox_is_over(struct inbox *inbox);

#endif
