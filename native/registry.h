/*
 * The process-wide registry of attempts, as lanes, groups, reactors and outboxes see it. registry.c draws the state machine.
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
  struct attempt *next, *previous; /* in the free list, a group's queue, an inbox or an outbox: one at a time */

  struct attempt_request request;
  uint8_t *addresses; /* remote, then local; freed by the thread that ends the attempt */

  _Atomic int fd; /* from SUBMITTED on, in CONNECTED and in CLAIMED; else -1 */
  int error;
  enum call failed_call;
  bool by_deadline;
  int16_t polled;
  double started_at; /* CLOCK_REALTIME, for people */
  int64_t reserved_ns, started_ns; /* CLOCK_MONOTONIC; started_ns is 0 until a lane, a reactor or its caller begins it */
  int64_t duration_ns;
  uint64_t handed_over; /* CLAIMED, and on its way into a net.Socket: which socket it is. Otherwise 0 */

  int64_t deadline_ns; /* of a nonblocking attempt that has begun */
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

/* What the attempt of this id is by now; FREE where it is over, and its slot in other hands. Any thread. */
enum attempt_state attempt_state_of(uint64_t id);

static inline bool attempt_is_watched(uint64_t id) { return attempt_state_of(id) == ATTEMPT_WATCHED; }

/* WATCHED to ENDING: the attempt and its descriptor are the caller's, to be ended. NULL where it is not watched. Any thread. */
struct attempt *attempt_take_watched(uint64_t id);

/* All that is WATCHED is LOST: the reactors have ended, and nobody waits for it. */
void attempts_lose_watched(void);

/* Frees a slot that nobody else can reach any more: the thread that drained it, or that posted it to a closed outbox. */
void attempt_free(struct attempt *attempt);

/* Frees the address buffer. The thread that ends the attempt: its lane, or the one that took it out of RESERVED, QUEUED or WATCHED, or has it in SUBMITTED. */
void attempt_release_buffer(struct attempt *attempt);

/* Posts an attempt that no lane has seen; the result must be rung. The thread that has just moved its word out of RESERVED or QUEUED. */
struct outbox *attempt_end_unstarted(struct attempt *attempt);

/* Closes what the registry owns of a CONNECTED attempt, unless somebody else was first. Once its environment has ended. Any thread. */
void attempt_discard(struct attempt *attempt, uint64_t word);

#endif
