#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "check.h"

static _Thread_local bool test_thread;
/* In the region's call. Still true in a cleanup handler, where the C library acts on no further cancel. */
static _Thread_local bool in_region;
static _Atomic unsigned checked;
static _Atomic unsigned linger_ms;
static _Atomic bool values_refused;

void guard_test_thread(void) { test_thread = true; }

unsigned guard_count(void) { return atomic_load(&checked); }

void guard_linger(unsigned ms) { atomic_store(&linger_ms, ms); }

void guard_refuse_values(bool refuse) { atomic_store(&values_refused, refuse); }

static bool enabled(void) {
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  pthread_setcancelstate(state, NULL);
  return state == PTHREAD_CANCEL_ENABLE;
}

static void outside_region(const char *call) {
  if (test_thread || in_region) return;
  atomic_fetch_add(&checked, 1);
  expect(__FILE__, __LINE__, !enabled(), call);
}

static void enter_region(const char *call) {
  if (test_thread) return;
  atomic_fetch_add(&checked, 1);
  expect(__FILE__, __LINE__, enabled(), call);
  in_region = true;
}

int __real_fcntl(int fd, int command, ...);

int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length) {
  int flags = __real_fcntl(fd, F_GETFL);
  if (flags >= 0 && flags & O_NONBLOCK) {
    outside_region("cancellation disabled in a nonblocking connect");
    return __real_connect(fd, address, length);
  }
  enter_region("cancellation enabled in connect");
  int result = __real_connect(fd, address, length);
  int error = errno;
  if (!test_thread && atomic_load(&linger_ms) > 0) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pause_ms(atomic_load(&linger_ms));
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  }
  in_region = false;
  errno = error;
  return result;
}

/*
 * ThreadSanitizer's own poll and nanosleep note that the thread is inside a blocking call, and a cancel that unwinds
 * them leaves that note behind: the cleanup handler's locks go unseen, and all it does looks like a race. The C
 * library's other names for the two are cancellation points as well, and not intercepted. Its connect has no such note.
 */
#ifdef __SANITIZE_THREAD__
#define __real_poll __poll
#define __real_nanosleep __nanosleep
#endif

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  if (timeout_ms == 0 || count > 1) {
    outside_region("cancellation disabled in a poll of the reactor's");
    return __real_poll(fds, count, timeout_ms);
  }
  enter_region("cancellation enabled in poll");
  int result = __real_poll(fds, count, timeout_ms);
  in_region = false;
  return result;
}

/* The seam's own delays, which a cancel may end while the region is open. */
int __real_nanosleep(const struct timespec *wait, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wait, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wait, struct timespec *left) {
  bool within = in_region;
  if (!test_thread && enabled()) in_region = true;
  int result = __real_nanosleep(wait, left);
  in_region = within;
  return result;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
  outside_region("cancellation disabled in close");
  return __real_close(fd);
}

/* Also a cancellation point on paper; the core passes it one int. */
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  int argument = va_arg(arguments, int);
  va_end(arguments);
  outside_region("cancellation disabled in fcntl");
  return __real_fcntl(fd, command, argument);
}

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value) {
  return atomic_load(&values_refused) ? ENOMEM : __real_pthread_setspecific(key, value);
}
