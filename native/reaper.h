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

/* How many cancels an environment has sent by itself of late. Begins as zeroes; that environment's thread. */
struct cancel_pace {
  int64_t since_ns;
  size_t sent;
};

/*
 * Cancels these attempts. Those that cost a thread are sent from here while they are few; the reaper sends the others, so that
 * no turn of the event loop pays for thousands. The thread of the environment that the pace belongs to.
 */
void reaper_cancel_paced(struct cancel_pace *pace, const double *ids, size_t count);

/* Cancels these attempts soon, in this order. False where there is no reaper or no memory: then the caller does it. Any thread. */
bool reaper_cancel(const double *ids, size_t count);

/* A lane is about to be sent pthread_cancel, so it will end: counted until it comes to reaper_join. Any thread. */
void reaper_expect(void);

/* Joins this lane's thread, which is about to end. That thread. */
void reaper_join(struct lane *lane);

#endif
