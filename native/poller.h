/*
 * What a reactor waits with: readiness of descriptors, a time, and a wake from another thread.
 * poller_epoll.c is what the addon has; poller_poll.c is the second implementation, for the tests. All but
 * poller_wake: its reactor's thread, or the thread that starts and joins that. Watched descriptors may be closed by any thread.
 */
#ifndef CANCELPOINT_POLLER_H
#define CANCELPOINT_POLLER_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "syscalls.h"

struct poller {
  int wait_fd, wake_fd;
  struct watched *watched; /* where the system keeps no list of them */
};

struct failure poller_open(struct poller *poller);
void poller_close(struct poller *poller);

/*
 * Reports `key` once, when the descriptor is writable, has failed or hung up. Nothing may be inferred from the number
 * of the descriptor: it is the key that comes back, and it may come after the descriptor was closed.
 */
struct failure poller_watch(struct poller *poller, int fd, uint64_t key);

/* No report of this descriptor any more: before it gets another owner. One that is closed needs no forgetting. */
void poller_forget(struct poller *poller, int fd);

/* Writes keys, at most `room`, and returns how many. Waits for the first at most so long, or until woken; -1 is for ever. */
size_t poller_wait(struct poller *poller, uint64_t *keys, size_t room, int64_t timeout_ns);

/* Ends the wait that is under way, or the next. Any thread, while the poller is known to be open. */
void poller_wake(struct poller *poller);

/* Rounded up, so that a deadline has passed when the wait for it ends. */
static inline int poller_ms(int64_t timeout_ns) {
  if (timeout_ns < 0) return -1;
  int64_t ms = (timeout_ns + 999999) / 1000000;
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

#endif
