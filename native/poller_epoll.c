#include "poller.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_AT_ONCE = 256 };

/* No attempt has the id 0. */
static const uint64_t woken = 0;

struct failure poller_open(struct poller *poller) {
  poller->wait_fd = sys_epoll_create();
  if (poller->wait_fd < 0) return failed(CALL_EPOLL_CREATE);
  poller->wake_fd = sys_eventfd();
  struct failure failure = poller->wake_fd < 0 ? failed(CALL_EVENTFD) : no_failure;
  /* On the edge: every write is told once, and there is nothing to read. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = woken};
  if (failure.error == 0 && sys_epoll_ctl(poller->wait_fd, EPOLL_CTL_ADD, poller->wake_fd, &event) != 0)
    failure = failed(CALL_EPOLL_CTL);
  if (failure.error != 0) poller_close(poller);
  return failure;
}

void poller_close(struct poller *poller) {
  if (poller->wake_fd >= 0) sys_close(poller->wake_fd);
  sys_close(poller->wait_fd);
}

struct failure poller_watch(struct poller *poller, int fd, uint64_t key) {
  /* Once, though the same socket may be open under other numbers, in a child process say, after this one is closed. */
  struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.u64 = key};
  if (sys_epoll_ctl(poller->wait_fd, EPOLL_CTL_ADD, fd, &event) != 0) return failed(CALL_EPOLL_CTL);
  return no_failure;
}

void poller_forget(struct poller *poller, int fd) {
  struct epoll_event unused = {0};
  sys_epoll_ctl(poller->wait_fd, EPOLL_CTL_DEL, fd, &unused);
}

size_t poller_wait(struct poller *poller, uint64_t *keys, size_t room, int64_t timeout_ns) {
  struct epoll_event events[EVENTS_AT_ONCE];
  int at_most = room < EVENTS_AT_ONCE ? (int)room : EVENTS_AT_ONCE;
  int count = sys_epoll_wait(poller->wait_fd, events, at_most, poller_ms(timeout_ns));
  size_t written = 0;
  for (int i = 0; i < count; i++)
    if (events[i].data.u64 != woken) keys[written++] = events[i].data.u64;
  return written;
}

void poller_wake(struct poller *poller) { sys_eventfd_write(poller->wake_fd, 1); }
