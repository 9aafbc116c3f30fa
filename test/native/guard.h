/*
 * Stands between the core and the C library (the program is linked with --wrap for each call below) and sees
 * that a lane has cancellation enabled around connect(2) and poll(2), and around nothing else. The reactor's calls of the
 * two are no cancellation points of ours: it has cancellation disabled, and it is who polls without waiting, or many.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>

/* The calling thread is the test's own: cancellation is enabled there, as in any thread that starts. */
void guard_test_thread(void);

/* How often a lane came through with cancellation as it should be; a guard that is never asked guards nothing. */
unsigned guard_count(void);

/*
 * From now on a lane lingers so long between connect(2)'s return and the region's end, where no cancellation point is
 * left: a cancel that comes then stays pending. 0 ends it.
 */
void guard_linger(unsigned ms);

/* While set, no thread can keep a value of its own: pthread_setspecific gives ENOMEM. */
void guard_refuse_values(bool refuse);

#endif
