/*
 * accept_close: listens on a port of every loopback address, prints it, accepts and closes. At the end of its input
 * it prints how many connections it accepted and how many SYNs its queue dropped, and ends.
 */
#include "peer.h"

#include <linux/sock_diag.h>
#include <pthread.h>
#include <stdatomic.h>

enum { BACKLOG = 4096 };

static int listener;
static _Atomic long accepted;

static void *serve(void *nothing) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue; /* reset while it waited in the queue */
    close(fd);
    atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
  }
  return nothing;
}

static unsigned dropped_syns(void) {
  uint32_t figures[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof figures;
  getsockopt(listener, SOL_SOCKET, SO_MEMINFO, figures, &length);
  return figures[SK_MEMINFO_DROPS];
}

int main(void) {
  struct sockaddr_in any = {.sin_family = AF_INET};
  socklen_t length = sizeof any;
  pthread_t thread;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  /* Nobody outside this machine reaches it. */
  if (setsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") != 0) die("SO_BINDTODEVICE");
  if (bind(listener, (struct sockaddr *)&any, sizeof any) != 0) die("bind");
  if (listen(listener, BACKLOG) != 0) die("listen");
  getsockname(listener, (struct sockaddr *)&any, &length);
  if (pthread_create(&thread, NULL, serve, NULL) != 0) die("pthread_create");
  printf("{\"port\":%u}\n", ntohs(any.sin_port));
  fflush(stdout);
  while (getchar() != EOF) continue;
  printf("{\"accepted\":%ld,\"dropped\":%u}\n", atomic_load(&accepted), dropped_syns());
  return 0;
}
