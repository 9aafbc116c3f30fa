/* The two clocks: deadlines and durations are monotonic, what people read is CLOCK_REALTIME. */
#ifndef CANCELPOINT_CLOCK_H
#define CANCELPOINT_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

static inline int64_t now_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Whole milliseconds since the epoch, as JavaScript's Date.now() has them. */
static inline double epoch_ms(void) { return (double)(now_ns(CLOCK_REALTIME) / 1000000); }

static inline struct timespec timespec_of(int64_t ns) {
  struct timespec time = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
  return time;
}

/* When that much time is over, for pthread_cond_timedwait on a condition that is monotonic. */
static inline struct timespec monotonic_in(int64_t ns) { return timespec_of(now_ns(CLOCK_MONOTONIC) + ns); }

/* A condition that is waited for on the monotonic clock: a step of the wall clock neither wakes a thread nor keeps it asleep. */
static inline void cond_init_monotonic(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

#endif
