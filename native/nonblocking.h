/*
 * The steps of one nonblocking attempt. Each is for the thread that owns the attempt, and none of them waits: the thread that
 * submits takes the first ones itself where there are few attempts, a reactor the others, and who cancels the last.
 */
#ifndef CANCELPOINT_NONBLOCKING_H
#define CANCELPOINT_NONBLOCKING_H

#include <stdbool.h>

#include "registry.h"

/* Up to connect(2) and, where that is over at once, to its end, told by `failure`. True where it goes on. */
bool nonblocking_begin(struct attempt *attempt, struct failure *failure);
bool nonblocking_has_begun(const struct attempt *attempt);

/* What that end is; its descriptor is given what it needs before it is its next owner's. */
struct failure nonblocking_complete(struct attempt *attempt);

/*
 * The end: the descriptor closed or handed over, the buffer freed, the word moved, posted. The attempt may not be touched
 * afterwards; the result must be rung. CONNECTED or FAILED, or given up as CANCELLED or LOST.
 */
struct outbox *nonblocking_publish(struct attempt *attempt, struct failure failure);
struct outbox *nonblocking_give_up(struct attempt *attempt, enum attempt_state state);

#endif
