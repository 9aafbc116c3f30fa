#include "poller.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_AT_ONCE = 256 };

/* No attempt has the id 0. */
static const uint64_t woken = 0;
static int epoll = -1, wake = -1;

struct failure poller_open(void) {
  epoll = sys_epoll_create();
  if (epoll < 0) return failed(CALL_EPOLL_CREATE);
  wake = sys_eventfd();
  struct failure failure = wake < 0 ? failed(CALL_EVENTFD) : no_failure;
  /* On the edge: every write is told once, and there is nothing to read. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = woken};
  if (failure.error == 0 && sys_epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) != 0) failure = failed(CALL_EPOLL_CTL);
  if (failure.error != 0) poller_close();
  return failure;
}

void poller_close(void) {
  if (wake >= 0) sys_close(wake);
  sys_close(epoll);
  epoll = wake = -1;
}

struct failure poller_watch(int fd, uint64_t key) {
  /* Once, though the same socket may be open under other numbers, in a child process say, after this one is closed. */
  struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.u64 = key};
  if (sys_epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return failed(CALL_EPOLL_CTL);
  return no_failure;
}

void poller_forget(int fd) {
  struct epoll_event unused = {0};
  sys_epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &unused);
}

size_t poller_wait(uint64_t *keys, size_t room, int64_t timeout_ns) {
  struct epoll_event events[EVENTS_AT_ONCE];
  int count = sys_epoll_wait(epoll, events, room < EVENTS_AT_ONCE ? (int)room : EVENTS_AT_ONCE, poller_ms(timeout_ns));
  size_t written = 0;
  for (int i = 0; i < count; i++)
    if (events[i].data.u64 != woken) keys[written++] = events[i].data.u64;
  return written;
}

void poller_wake(void) { sys_eventfd_write(wake, 1); }
