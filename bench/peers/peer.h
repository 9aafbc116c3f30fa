/* What the benchmark's C programs share: the clock, the end with a sentence, targets spread over 127/8, outcomes, rates. */
#ifndef CANCELPOINT_BENCH_PEER_H
#define CANCELPOINT_BENCH_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn static inline void die(const char *what) {
  perror(what);
  exit(1);
}

static inline int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* User and system time of the whole process. */
static inline int64_t cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

/* The address of number `index`, as bench/setup/targets.ts spreads them. */
static inline struct sockaddr_in target_at(uint32_t index, uint16_t port) {
  uint32_t host = 127u << 24 | (1 + index / 62500 % 250) << 16 | (1 + index / 250 % 250) << 8 | (1 + index % 250);
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host)};
}

/* What connect(2) is to end with. */
static inline int outcome_named(const char *name) { return strcmp(name, "refuse") == 0 ? ECONNREFUSED : 0; }

static inline void require(int error, int expected) {
  if (error == expected) return;
  errno = error == 0 ? EISCONN : error;
  die("connect");
}

/* A connected one by a reset: no TIME_WAIT is left to fill the port range. */
static inline void close_socket(int fd, int outcome) {
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  if (outcome == 0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
}

static inline void print_rate(long connects, int64_t started_ns, int64_t started_cpu_us) {
  double seconds = (double)(now_ns() - started_ns) / 1e9;
  double us = (double)(cpu_us() - started_cpu_us);
  printf("{\"perSecond\":%.0f,\"cpuUs\":%.2f}\n", (double)connects / seconds, us / (double)(connects > 0 ? connects : 1));
}

/* Runs for a warm-up, then for as long as is measured. `connects` counts all of them. */
static inline void measure(void (*run_until)(int64_t end_ns), const long *connects, long warm_up_ms, long duration_ms) {
  run_until(now_ns() + warm_up_ms * 1000000);
  long first = *connects;
  int64_t started_ns = now_ns(), started_cpu_us = cpu_us();
  run_until(started_ns + duration_ms * 1000000);
  print_rate(*connects - first, started_ns, started_cpu_us);
}

static inline void print_ms_since(int64_t started_ns) {
  printf("{\"ms\":%.2f}\n", (double)(now_ns() - started_ns) / 1e6);
}

#endif
