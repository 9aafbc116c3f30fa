/* The two clocks: deadlines and durations are monotonic, what people read is CLOCK_REALTIME. */
#ifndef CANCELPOINT_CLOCK_H
#define CANCELPOINT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t now_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Whole milliseconds since the epoch, as JavaScript's Date.now() has them. */
static inline double epoch_ms(void) { return (double)(now_ns(CLOCK_REALTIME) / 1000000); }

#endif
