/*
 * accept_close: listens on a port of every loopback address, prints it, accepts and closes. At the end of its input
 * it prints how many connections it accepted and how many SYNs its queues dropped, and ends.
 *
 * Several listeners share the port, each with its queue and its thread: the further they are behind, the more of them want
 * the processor, and its time is shared by threads. A single one had its queue of 4096 filled whenever the machine was busy.
 *
 * A connection is closed late, when its client has mostly reset it. Closed at once, its FIN would meet the client's reset
 * half-way and be answered by another one, which finds nothing but the listener and is counted as dropped there.
 */
#include "peer.h"

#include <linux/sock_diag.h>
#include <pthread.h>
#include <stdatomic.h>

enum { LISTENERS = 4, BACKLOG = 4096, OPEN_AT_ONCE = 128 };

static struct listener {
  int fd;
  _Atomic long accepted;
} listeners[LISTENERS];

static void *serve(void *argument) {
  struct listener *listener = argument;
  int open[OPEN_AT_ONCE];
  for (long count = 0;;) {
    int fd = accept(listener->fd, NULL, NULL);
    if (fd < 0) continue; /* reset while it waited in the queue */
    int *oldest = &open[count % OPEN_AT_ONCE];
    if (count >= OPEN_AT_ONCE) close(*oldest);
    *oldest = fd;
    atomic_store_explicit(&listener->accepted, ++count, memory_order_relaxed);
  }
  return NULL;
}

/* Port 0 becomes the one that it got, for the others. */
static int listen_at(struct sockaddr_in *place) {
  const int yes = 1;
  socklen_t length = sizeof *place;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  /* Nobody outside this machine reaches it. */
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") != 0) die("SO_BINDTODEVICE");
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0) die("SO_REUSEPORT");
  if (bind(fd, (struct sockaddr *)place, sizeof *place) != 0) die("bind");
  if (listen(fd, BACKLOG) != 0) die("listen");
  getsockname(fd, (struct sockaddr *)place, &length);
  return fd;
}

static unsigned dropped_syns(int fd) {
  uint32_t figures[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof figures;
  getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &length);
  return figures[SK_MEMINFO_DROPS];
}

int main(void) {
  struct sockaddr_in place = {.sin_family = AF_INET};
  long accepted = 0;
  unsigned dropped = 0;
  for (int i = 0; i < LISTENERS; i++) listeners[i].fd = listen_at(&place);
  for (int i = 0; i < LISTENERS; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, &listeners[i]) != 0) die("pthread_create");
  }
  printf("{\"port\":%u}\n", ntohs(place.sin_port));
  fflush(stdout);
  while (getchar() != EOF) continue;
  for (int i = 0; i < LISTENERS; i++) {
    accepted += atomic_load(&listeners[i].accepted);
    dropped += dropped_syns(listeners[i].fd);
  }
  printf("{\"accepted\":%ld,\"dropped\":%u}\n", accepted, dropped);
  return 0;
}
