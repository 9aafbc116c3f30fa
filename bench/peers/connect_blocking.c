/*
 * connect_blocking PORT TARGETS WARMUP_MS DURATION_MS accept|refuse THREADS: what blocking connect(2) yields without
 * anything around it: each thread opens, connects and closes in a loop. Prints connects a second and CPU a connect.
 */
#include "peer.h"

#include <pthread.h>
#include <stdatomic.h>

static uint16_t port;
static uint32_t targets;
static int expected;
static _Atomic uint32_t next_target;
static _Atomic long connects;
static _Atomic bool over;

static void *loop(void *nothing) {
  while (!atomic_load_explicit(&over, memory_order_relaxed)) {
    struct sockaddr_in target = target_at(atomic_fetch_add(&next_target, 1) % targets, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    require(connect(fd, (struct sockaddr *)&target, sizeof target) == 0 ? 0 : errno, expected);
    close_socket(fd, expected);
    atomic_fetch_add_explicit(&connects, 1, memory_order_relaxed);
  }
  return nothing;
}

static void sleep_ms(long ms) {
  struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&wait, NULL);
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fputs("usage: connect_blocking PORT TARGETS WARMUP_MS DURATION_MS accept|refuse THREADS\n", stderr);
    return 2;
  }
  port = (uint16_t)atoi(argv[1]);
  targets = (uint32_t)atoi(argv[2]);
  expected = outcome_named(argv[5]);
  for (int i = atoi(argv[6]); i > 0; i--) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, loop, NULL) != 0) die("pthread_create");
  }
  sleep_ms(atol(argv[3]));
  long first = atomic_load(&connects);
  int64_t started_ns = now_ns(), started_cpu_us = cpu_us();
  sleep_ms(atol(argv[4]));
  long done = atomic_load(&connects) - first;
  print_rate(done, started_ns, started_cpu_us);
  atomic_store(&over, true);
  return 0;
}
