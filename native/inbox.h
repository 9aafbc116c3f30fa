/*
 * What waits for the reactor: attempts to make, attempts to cancel, and the word to stop. Other threads leave it here,
 * and wake the reactor where it sleeps. One a process, as the poller is.
 */
#ifndef CANCELPOINT_INBOX_H
#define CANCELPOINT_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attempt;

/* Before the reactor starts, and when its last user leaves: nobody submits from then on. */
void inbox_open(void);
void inbox_close(void);

/* A list by `next`, its last one's too. WATCHED, all of them, and the reactor's from now on. A user of the reactor. */
void inbox_submit(struct attempt *first, struct attempt *last);

/* Those of them that are WATCHED; others are left alone. Any thread, at any time. */
void inbox_cancel(const uint64_t *ids, size_t count);

/* The rest is the reactor's. */

/* Writes ids whose end was asked for, at most `room`, and returns how many. Some may be over, or not yet submitted. */
size_t inbox_next_cancels(uint64_t *ids, size_t room);

/* The oldest, or NULL. */
struct attempt *inbox_next_submitted(void);

/* True where it may wait: there is nothing here, and the next submission will wake it. */
bool inbox_falls_asleep(void);

/* Awake. True where it was closed, and all that was cancelled before that has been seen to. */
bool inbox_is_over(void);

#endif
