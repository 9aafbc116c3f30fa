/*
 * connect_epoll PORT TARGETS IN_FLIGHT WARMUP_MS DURATION_MS: what nonblocking connect(2) yields without anything around
 * it: one thread, so many in flight, each opened, waited for with epoll, verified by SO_ERROR and reset. Prints connects a
 * second and CPU a connect.
 */
#include "peer.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_AT_ONCE = 256 };

static uint16_t port;
static uint32_t targets, next_target;
static int epoll;

static void start(void) {
  struct sockaddr_in target = target_at(next_target++ % targets, port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (connect(fd, (struct sockaddr *)&target, sizeof target) != 0 && errno != EINPROGRESS) die("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void finish(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) errno = error, die("connect");
  close_by_reset(fd);
}

/* Connects until then; how many. */
static long run_until(int64_t end_ns) {
  struct epoll_event events[EVENTS_AT_ONCE];
  long done = 0;
  while (now_ns() < end_ns) {
    int count = epoll_wait(epoll, events, EVENTS_AT_ONCE, -1);
    for (int i = 0; i < count; i++) {
      finish(events[i].data.fd);
      start();
    }
    if (count > 0) done += count;
  }
  return done;
}

int main(int argc, char **argv) {
  if (argc != 6) return fputs("usage: connect_epoll PORT TARGETS IN_FLIGHT WARMUP_MS DURATION_MS\n", stderr), 2;
  port = (uint16_t)atoi(argv[1]);
  targets = (uint32_t)atoi(argv[2]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = atoi(argv[3]); i > 0; i--) start();
  run_until(now_ns() + atol(argv[4]) * 1000000);
  int64_t started_ns = now_ns(), started_cpu_us = cpu_us();
  double done = (double)run_until(started_ns + atol(argv[5]) * 1000000);
  double seconds = (double)(now_ns() - started_ns) / 1e9;
  printf("{\"perSecond\":%.0f,\"cpuUs\":%.2f}\n", done / seconds, (double)(cpu_us() - started_cpu_us) / done);
  return 0;
}
