/*
 * connect_epoll PORT TARGETS WARMUP_MS DURATION_MS accept|refuse IN_FLIGHT wait|look|reuse: what nonblocking connect(2)
 * yields without anything around it: one thread, so many in flight, each verified by SO_ERROR. Prints connects a second and
 * CPU a connect.
 *
 *   wait   the loop as everyone writes it: socket, connect, epoll_ctl, epoll_wait, SO_ERROR, close
 *   look   one poll(2) of no length after connect(2): loopback has mostly answered, and that one never sees epoll.
 *          This is what cancelpoint's reactor does
 *   reuse  the descriptor is not closed but dissolved by a connect to AF_UNSPEC, and connected again. It stays in epoll,
 *          edge-triggered: events come of what the next connect does
 *
 * connect_epoll PORT TARGETS close COUNT: so many connects that hang are closed one after the other, as a cancel would at the
 * least. Prints how long that took.
 *
 * Nothing here asks getpeername or tells a connect to itself, as cancelpoint does.
 */
#include "peer.h"

#include <poll.h>
#include <sys/epoll.h>

enum { EVENTS_AT_ONCE = 256 };

static enum { WAIT, LOOK, REUSE } way;
static uint16_t port;
static uint32_t targets, next_target;
static int epoll, expected;
static int limit, in_flight;
static int *idle, idle_count; /* dissolved */
static long connects;

static void watch(int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static int take_socket(void) {
  if (idle_count > 0) return idle[--idle_count];
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (way == REUSE) watch(fd, EPOLLOUT | EPOLLET);
  return fd;
}

static void give_back(int fd) {
  static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  connects++;
  if (way != REUSE) {
    close_socket(fd, expected);
    return;
  }
  if (connect(fd, &nobody, sizeof nobody) != 0) die("connect to AF_UNSPEC");
  idle[idle_count++] = fd;
}

static bool is_settled(int fd) {
  struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
  return poll(&pollfd, 1, 0) > 0;
}

static void finish(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) die("SO_ERROR");
  require(error, expected);
  give_back(fd);
}

static void start(void) {
  struct sockaddr_in target = target_at(next_target++ % targets, port);
  int fd = take_socket();
  int error = connect(fd, (struct sockaddr *)&target, sizeof target) == 0 ? 0 : errno;
  if (error != EINPROGRESS) {
    require(error, expected);
    give_back(fd);
  } else if (way == LOOK && is_settled(fd)) {
    finish(fd);
  } else {
    if (way != REUSE) watch(fd, EPOLLOUT);
    in_flight++;
  }
}

static void run_until(int64_t end_ns) {
  struct epoll_event events[EVENTS_AT_ONCE];
  while (now_ns() < end_ns) {
    for (int begun = 0; in_flight < limit && begun < EVENTS_AT_ONCE; begun++) start();
    int count = epoll_wait(epoll, events, EVENTS_AT_ONCE, in_flight < limit ? 0 : -1);
    for (int i = 0; i < count; i++) finish(events[i].data.fd);
    if (count > 0) in_flight -= count;
  }
}

static int close_all(int count) {
  int *fds = calloc((size_t)count, sizeof *fds);
  if (fds == NULL) die("calloc");
  for (int i = 0; i < count; i++) {
    struct sockaddr_in target = target_at(next_target++ % targets, port);
    fds[i] = take_socket();
    if (connect(fds[i], (struct sockaddr *)&target, sizeof target) == 0 || errno != EINPROGRESS) die("connect");
    watch(fds[i], EPOLLOUT);
  }
  int64_t started_ns = now_ns();
  for (int i = 0; i < count; i++) close(fds[i]);
  print_ms_since(started_ns);
  return 0;
}

int main(int argc, char **argv) {
  bool closes = argc == 5 && strcmp(argv[3], "close") == 0;
  if (argc != 8 && !closes) {
    fputs("usage: connect_epoll PORT TARGETS WARMUP_MS DURATION_MS accept|refuse IN_FLIGHT wait|look|reuse\n"
          "       connect_epoll PORT TARGETS close COUNT\n",
          stderr);
    return 2;
  }
  port = (uint16_t)atoi(argv[1]);
  targets = (uint32_t)atoi(argv[2]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  if (closes) return close_all(atoi(argv[4]));
  expected = outcome_named(argv[5]);
  limit = atoi(argv[6]);
  way = strcmp(argv[7], "reuse") == 0 ? REUSE : strcmp(argv[7], "look") == 0 ? LOOK : WAIT;
  idle = calloc((size_t)limit, sizeof *idle);
  if (idle == NULL) die("calloc");
  measure(run_until, &connects, atol(argv[3]), atol(argv[4]));
  return 0;
}
