/*
 * Cancels that an environment asks for. Few are carried out by the thread that asks, so that no other has to be woken for
 * them. Many would hold its event loop: those of attempts that reactors watch are shared out among the reactors, and those
 * that may end a lane go to the reaper.
 */
#ifndef CANCELPOINT_CANCELS_H
#define CANCELPOINT_CANCELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many cancels an environment has carried out by itself of late. Begins as zeroes; that environment's thread. */
struct cancel_pace {
  int64_t since_ns;
  size_t carried_out;
};

/*
 * Cancels these attempts. The result is how many are over, posted and not rung for, so the caller must drain. The thread of the
 * environment that reserved them, which the pace belongs to.
 */
size_t cancels_send(struct cancel_pace *pace, const double *ids, size_t count);

/* The rest is the reactors'. */

/* Some wait to be taken. */
bool cancels_wait(void);

/* Takes ids of attempts that are to be cancelled, at most `room`, and returns how many. Some may be over. */
size_t cancels_take(uint64_t *ids, size_t room);

#endif
