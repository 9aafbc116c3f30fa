/*
 * The reaper: one thread a process while any lane group is open. It cancels where the calls would hold the
 * JavaScript thread for too long, and joins the lanes that ended.
 */
#ifndef CANCELPOINT_REAPER_H
#define CANCELPOINT_REAPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;

/* One user more; the first starts the thread. 0 or an errno. Any thread. */
int reaper_start(void);

/* One user less; the last stops the thread, after all that it was given is done, and joins it. */
void reaper_stop(void);

/* Cancels these attempts soon, in this order. False where there is no reaper or no memory: then the caller does it. Any thread. */
bool reaper_cancel(const double *ids, size_t count);

/* A lane is about to be sent pthread_cancel, so it will end: counted until it comes to reaper_join. Any thread. */
void reaper_expect(void);

/* Joins this lane's thread, which is about to end. That thread. */
void reaper_join(struct lane *lane);

#endif
