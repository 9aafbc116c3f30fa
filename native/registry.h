/*
 * The process-wide registry of attempts, as lanes, groups, the reactor and outboxes see it. registry.c draws the state machine.
 * Slots are type-stable memory: they are reused, never returned, so a stale id can be looked at safely and
 * is told by its generation.
 */
#ifndef CANCELPOINT_REGISTRY_H
#define CANCELPOINT_REGISTRY_H

#include <stdatomic.h>

#include "attempt.h"

struct lane;
struct lane_group;

struct attempt {
  _Atomic uint64_t word; /* id << 8 | state: compared and exchanged as one */
  uint32_t index;
  _Atomic bool drained; /* given to JavaScript: set by that environment's thread alone */
  _Atomic(struct outbox *) outbox; /* of the environment that reserved it; holds a reference */
  _Atomic(struct lane_group *) group;
  _Atomic(struct lane *) lane;
  struct attempt *next, *previous; /* in the free list, a group's queue, the reactor or an outbox: one at a time */

  struct attempt_request request;
  uint8_t *addresses; /* remote, then local; freed by the thread that ends the attempt */

  _Atomic int fd; /* in states WATCHED, CONNECTED and CLAIMED; else -1 */
  int error;
  enum call failed_call;
  bool by_deadline;
  int16_t polled;
  double started_at; /* CLOCK_REALTIME, for people */
  int64_t reserved_ns, started_ns; /* CLOCK_MONOTONIC; started_ns is 0 until a lane, the reactor or its caller begins it */
  int64_t duration_ns;
  uint64_t handed_over; /* CLAIMED, and on its way into a net.Socket: which socket it is. Otherwise 0 */

  /* Of the reactor: begun in WATCHED, by its owner. */
  int64_t deadline_ns;
  /* Under the inbox's lock. */
  struct attempt *next_cancel;
  uint64_t cancel_asked; /* the id that waits to be cancelled; the slot may be another's by then */
  /* Its thread's alone. */
  uint64_t cancel_noted; /* a cancel that came before the attempt */
  bool watched;
  uint32_t heap_at; /* among the deadlines */
};

static inline const struct sockaddr *remote_of(const struct attempt *attempt) { return (const void *)attempt->addresses; }

static inline const struct sockaddr *local_of(const struct attempt *attempt) {
  return (const void *)(attempt->addresses + attempt->request.remote_length);
}

static inline enum attempt_state word_state(uint64_t word) { return (enum attempt_state)(word & 0xff); }
static inline uint64_t word_id(uint64_t word) { return word >> 8; }
static inline uint64_t word_of(uint64_t id, enum attempt_state state) { return id << 8 | state; }

/* The slot an id names, whatever it holds by now; NULL for an id that never was. Any thread. */
struct attempt *attempt_find(uint64_t id);

/* Frees a slot that nobody else can reach any more: the thread that drained it, or that posted it to a closed outbox. */
void attempt_free(struct attempt *attempt);

/* Frees the address buffer. The thread that ends the attempt: its lane, the reactor, or the one that took it out of RESERVED or QUEUED. */
void attempt_release_buffer(struct attempt *attempt);

/* Posts an attempt that no lane has seen, and rings. The thread that has just moved its word out of RESERVED or QUEUED. */
void attempt_end_unstarted(struct attempt *attempt);

/* Closes what the registry owns of a CONNECTED attempt, unless somebody else was first. Once its environment has ended. Any thread. */
void attempt_discard(struct attempt *attempt, uint64_t word);

#endif
