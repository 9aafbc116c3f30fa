/*
 * The life of an attempt, for spin: every interleaving of the calling environment, the reaper, and what runs attempts: a
 * worker's lanes, or, NONBLOCKING, the reactors. One file a file of native/, one inline a function; run.mjs checks that
 * those names exist there.
 *
 * A transition is what one thread does between two points where another could notice. What a lock guards alone is
 * moved in one step; what is read without the lock (the word, the descriptor, a pending cancel) has steps of its own.
 * Every run ends: an execution that cannot end, or ends with something held, is an error that spin reports. What the
 * code asks again and again is a wait here, so that one that would go on for ever is seen as a deadlock.
 *
 * Sizes come from run.mjs: SLOTS of the registry, ATTEMPTS in all, LANES at once, THREADS that may exist at once
 * (more than LANES: retired ones wait to be joined), REPEATS (second or stale cancels). BORROWED: the descriptor is
 * the caller's. REACTORS at once. ENVIRONMENT_MAY_DIE, WORKER_MAY_DIE, REACTOR_MAY_STOP: at any moment, not at the end. OTHER_USER: the
 * reactors go on after the environment's end until nothing of it is left. To keep larger sizes small enough,
 * CALM: threads and descriptors are always to be had, connect(2) is never interrupted, and nothing that is nonblocking is
 * over at once. IN_TURN: the reactors get attempts by turns. NO_BATCHES: the reaper joins, and cancels nothing. ANY_CANCELS: another thread than the environment's and the
 * reactors' cancels too, as attempt.h allows: what it is told of may be in any state when it comes to it.
 */
#define NONE 255

/* native/attempt.h: enum attempt_state, in its order. */
#define FREE 0
#define RESERVED 1
#define QUEUED 2
#define TAKEN 3
#define SUBMITTED 4
#define UNWANTED 5
#define WATCHED 6
#define ENDING 7
#define CONNECTED 8
#define FAILED 9
#define CANCELLED 10
#define LOST 11
#define CLAIMED 12

/* An id is a generation and a slot's index; generations begin at 1, so no id is 0. */
#define IDS (SLOTS * (ATTEMPTS + 1))
#define SLOT_OF(id) ((id) % SLOTS)

/* The id and the state in one word, compared and exchanged as one. */
#define WORD(id, state) ((id) * 16 + (state))
#define ID_OF(word) ((word) / 16)
#define STATE_OF(word) ((word) % 16)

/* struct attempt. `fd` is the id of the attempt that opened the descriptor, 0 for none: what it is, not its number. */
typedef Slot {
  byte word;
  byte fd;
  bool ours;      /* `outbox` is the environment's */
  bool drained;
  bool addresses; /* not NULL */
  bool handed_over;
#ifndef NONBLOCKING
  byte lane;
  bool grouped;   /* `group` is the worker's */
#endif
}
Slot slots[SLOTS];

/* There are at most two slots: the first and the last. */
#define SOME_SLOT(state) (STATE_OF(slots[0].word) == (state) || STATE_OF(slots[SLOTS - 1].word) == (state))

/* What is true of each attempt in the world outside, by id. Nothing in the code reads it: the properties do. */
bool descriptor_open[IDS]; /* and not delivered */
bool buffer_held[IDS];
bool slot_owed[IDS];  /* a cancel was sent to its lane, whose slot is not returned yet */
bool reserved[IDS];
bool asked[IDS];      /* the caller cancelled it */
bool noted[IDS];      /* a lane was told while it ran it */
bool established[IDS]; /* the kernel connected it */
bool settled[IDS];

/* The properties. Each is named by the assertion that fails with it. */
bool closed_or_delivered_once = true;
bool buffer_freed_once = true;
bool settled_once = true;
bool settled_implies_released = true;
bool cancel_reaches_only_its_attempt = true;
bool noted_cancel_is_kept = true;
bool delivered_after_claim = true;
bool cancelled_is_not_delivered = true;
bool reaches_only_its_attempt = true;
bool success_stands = true;
bool group_stays_while_used = true;
bool nothing_is_left = true;

inline holds(property, condition) {
  if
  :: (condition)
  :: else -> property = false; assert(property)
  fi
}

inline acquire(a_lock) { atomic { !a_lock -> a_lock = true } }
inline release(a_lock) { a_lock = false }

inline compare_and_exchange(slot, expected, desired) {
  atomic {
    exchanged = (slots[slot].word == expected);
    if
    :: exchanged -> slots[slot].word = desired
    :: else
    fi
  }
}

bool environment_gone, reaper_gone;
bool engine_gone, engine_joined; /* the worker or the reactors are ending; it has ended, and nothing of it runs any more */

#include "outbox.pml"
#include "registry.pml"
#ifdef NONBLOCKING
#include "inbox.pml"
#include "nonblocking.pml"
#include "reactor.pml"
#include "reaper.pml"
#else
#include "lane_group.pml"
#include "lane.pml"
#include "reaper.pml"
#include "lane_main.pml"
#include "worker.pml"
#endif
#include "environment.pml"

init {
  byte i;
  atomic {
    for (i : 0 .. SLOTS - 1) { slots[i].word = WORD(SLOTS + i, FREE) } /* registry.c:grow */
    run Reaper();
    start_engine();
    run Environment();
  }
  environment_gone;
  end_engine();
  reaper_gone;
  d_step {
    for (i : 0 .. SLOTS - 1) {
      holds(nothing_is_left, STATE_OF(slots[i].word) == FREE && !slots[i].addresses && !slots[i].ours)
    }
    for (i : 0 .. IDS - 1) { holds(nothing_is_left, !descriptor_open[i] && !buffer_held[i] && !slot_owed[i]) }
    holds(nothing_is_left, len(posted) == 0);
    nothing_is_left_of_engine()
  }
}
