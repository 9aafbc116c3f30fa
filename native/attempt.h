/*
 * An attempt as the addon sees it: by id. An id is a slot's index and its generation in one number below
 * 2^53, so that JavaScript can hold it. registry.c draws the state machine.
 */
#ifndef CANCELPOINT_ATTEMPT_H
#define CANCELPOINT_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syscalls.h"

struct outbox;

/* An id is a slot's generation and, below so many bits, its index. */
enum { ATTEMPT_INDEX_BITS = 22 };

enum attempt_state {
  ATTEMPT_FREE,
  ATTEMPT_RESERVED,  /* the calling environment has an id; nothing is opened */
  ATTEMPT_QUEUED,    /* in a lane group's queue */
  ATTEMPT_TAKEN,     /* on a lane, which owns the descriptor and the address buffer */
  ATTEMPT_SUBMITTED, /* with a reactor, or the submitting thread until that has begun it: the owner of the same */
  ATTEMPT_UNWANTED,  /* the same, cancelled meanwhile */
  ATTEMPT_WATCHED,   /* a reactor waits for it; anyone may take it */
  ATTEMPT_ENDING,    /* taken, by the thread that owns the same from then on */
  ATTEMPT_CONNECTED, /* the registry owns the descriptor, if the attempt yields one */
  ATTEMPT_FAILED,    /* `error` tells why */
  ATTEMPT_CANCELLED, /* at the caller's request */
  ATTEMPT_LOST,      /* the worker or reactor that was to run it, or ran it, ended */
  ATTEMPT_CLAIMED,   /* JavaScript owns the descriptor */
  ATTEMPT_STATES
};

/* In lower case, as JavaScript has it. */
const char *attempt_state_name(enum attempt_state state);

enum attempt_flags {
  ATTEMPT_PROBE = 1,     /* connect, verify, close: the descriptor is closed where it was opened */
  ATTEMPT_BORROWED = 2,  /* the descriptor is the caller's: never opened, changed or closed here */
  ATTEMPT_POLL = 4,      /* poll(2) on a borrowed descriptor instead of connect(2) */
  ATTEMPT_HALF_OPEN = 8, /* a TCP probe that holds back the handshake's last ACK; the reset takes its place */
  ATTEMPT_FIN = 16       /* a probe that closes with a FIN instead of a reset; not with ATTEMPT_HALF_OPEN */
};

struct attempt_request {
  uint32_t flags;
  uint32_t timeout_ms; /* for connect(2) or poll(2) alone; 0 means none */
  int32_t fd;          /* borrowed, or -1 */
  int16_t poll_events;
  uint16_t remote_length;
  uint16_t local_length; /* 0: the kernel chooses the source */
  uint16_t family;       /* AF_INET, AF_INET6 or AF_UNIX; not read with a borrowed descriptor */
};

struct attempt_outcome {
  uint64_t id;
  enum attempt_state state;
  int error; /* FAILED: the errno, and the call that gave it */
  enum call failed_call;
  bool by_deadline;   /* timeout_ms ran out, not the kernel's patience */
  bool yields;        /* CONNECTED with a descriptor: must be claimed */
  int16_t polled;     /* revents */
  double started_at;  /* milliseconds since the epoch, for people: nothing may be reckoned with it */
  double waited_ms;   /* from the reservation to the start; to the drain where it never started */
  double duration_ms; /* of connect(2) or poll(2) */
};

/*
 * FREE to RESERVED. Copies the addresses: remote, then local. Returns 0 where memory or slots ran out: nothing
 * is held then. The calling environment's thread.
 */
uint64_t attempt_reserve(struct outbox *outbox, const struct attempt_request *request, const uint8_t *addresses);

/* RESERVED to LOST, for a task that never ran. Any other state: nothing. The calling environment's thread. */
void attempt_forfeit(uint64_t id);

/*
 * Asks for the end of an attempt, in whatever state. Idempotent. Comes too late for one that is CONNECTED: its
 * environment claims that, and closes what is no longer wanted. Any thread but a lane.
 */
void attempt_cancel(uint64_t id);

/* The same. True where it is over, and its environment has to drain without being rung. That environment's thread. */
bool attempt_cancel_unrung(uint64_t id);

/* Outcomes that wait for an environment, oldest first; fewer than `count` means there are no more. That environment's thread. */
size_t attempt_drain(struct outbox *outbox, struct attempt_outcome *into, size_t count);

/*
 * CONNECTED to CLAIMED: the one step in which a connected descriptor becomes JavaScript's. Returns it, or -1
 * for an id that does not wait for it. Once for each outcome that yields. The calling environment's thread.
 */
int attempt_claim(uint64_t id);

/*
 * A claimed descriptor is about to be given to a net.Socket, and disowned after that. An environment may be ended between the
 * two: its sweep then closes the descriptor only if it is that socket still, which Node has not taken, and so not closed.
 * The calling environment's thread.
 */
void attempt_hand_over(uint64_t id);

/* Ends a claim. Returns the descriptor, which is the caller's from now on and in no ledger, or -1. */
int attempt_disown(uint64_t id);

/* Cancels all that an environment reserved and closes what it claimed. Its outbox is closed by then. */
void attempts_sweep(struct outbox *outbox);

#endif
