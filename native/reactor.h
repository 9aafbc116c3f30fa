/*
 * The reactor: one thread a process while it has users, which makes nonblocking attempts, all at once. nonblocking.c is
 * one such attempt, step by step.
 */
#ifndef CANCELPOINT_REACTOR_H
#define CANCELPOINT_REACTOR_H

#include <stddef.h>

#include "syscalls.h"

/* One user more, unless it fails; the first starts the thread. Any thread. */
struct failure reactor_start(void);

/* One user less; the last stops the thread and joins it. What it still has, begun or not, is LOST. */
void reactor_stop(void);

/*
 * RESERVED to WATCHED for each id that is still reserved; none of a borrowed descriptor. A few are begun on the calling
 * thread, which no step of a nonblocking attempt blocks: the result is how many of them are over already, posted and not
 * rung for, so the caller must drain. A user, on the thread of the environment that reserved them.
 */
size_t reactor_submit(const double *ids, size_t count);

#endif
