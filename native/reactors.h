/*
 * The reactors: as many threads as cores, at most, while they have users. The first is there from the start, the others are started as
 * load asks for them. An attempt belongs to one of them until somebody takes it; reactor.c draws how.
 */
#ifndef CANCELPOINT_REACTORS_H
#define CANCELPOINT_REACTORS_H

#include <stddef.h>

#include "syscalls.h"

enum { REACTORS_AT_MOST = 16 };

/* One user more, unless it fails. The first starts a reactor, and says how many there may be until there are no users. Any thread. */
struct failure reactors_start(size_t at_most);

/* One user less; the last stops the threads and joins them. What they still have, begun or not, is LOST. */
void reactors_stop(void);

/*
 * RESERVED to SUBMITTED for each id that is still reserved; none of a borrowed descriptor. A few are begun on the calling
 * thread, which no step of a nonblocking attempt blocks: the result is how many of them are over already, posted and not
 * rung for, so the caller must drain. A user, on the thread of the environment that reserved them.
 */
size_t reactors_submit(const double *ids, size_t count);

/* Wakes those that sleep: cancels wait for whoever has time. Any thread, at any time. */
void reactors_wake(void);

#endif
