/*
 * poll(2) and a pipe: the second implementation, which keeps poller.h honest. No addon has it; npm run test:native builds the
 * reactors over it. Each wait looks at every descriptor up to the highest one, so it is slow beyond hundreds of attempts.
 */
#include "poller.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* By the number of the descriptor; -1, which poll(2) passes over, where none is watched. */
struct watched {
  struct pollfd *polled;
  uint64_t *keys;
  int count, room;
};

static bool make_room(struct watched *watched, int fd) {
  if (fd < watched->room) return true;
  int larger = watched->room == 0 ? 64 : watched->room;
  while (larger <= fd) larger *= 2;
  struct pollfd *polled = sys_allocate((size_t)larger * sizeof *polled);
  uint64_t *keys = sys_allocate((size_t)larger * sizeof *keys);
  if (polled == NULL || keys == NULL) return free(polled), free(keys), false;
  if (watched->count > 0) memcpy(polled, watched->polled, (size_t)watched->count * sizeof *polled);
  if (watched->count > 0) memcpy(keys, watched->keys, (size_t)watched->count * sizeof *keys);
  free(watched->polled);
  free(watched->keys);
  *watched = (struct watched){.polled = polled, .keys = keys, .count = watched->count, .room = larger};
  return true;
}

static struct failure watch(struct watched *watched, int fd, short events, uint64_t key) {
  if (!make_room(watched, fd)) return (struct failure){ENOMEM, CALL_ALLOCATE};
  for (; watched->count <= fd; watched->count++) watched->polled[watched->count].fd = -1;
  watched->polled[fd] = (struct pollfd){.fd = fd, .events = events};
  watched->keys[fd] = key;
  return no_failure;
}

struct failure poller_open(struct poller *poller) {
  int ends[2];
  struct watched *watched = sys_allocate(sizeof *watched);
  if (watched == NULL) return (struct failure){ENOMEM, CALL_ALLOCATE};
  if (sys_pipe(ends) != 0) return free(watched), failed(CALL_PIPE);
  *poller = (struct poller){.wait_fd = ends[0], .wake_fd = ends[1], .watched = watched};
  struct failure failure = watch(watched, ends[0], POLLIN, 0);
  if (failure.error != 0) poller_close(poller);
  return failure;
}

void poller_close(struct poller *poller) {
  sys_close(poller->wait_fd);
  sys_close(poller->wake_fd);
  free(poller->watched->polled);
  free(poller->watched->keys);
  free(poller->watched);
}

/* Takes the place of one that was closed, and had the same number. */
struct failure poller_watch(struct poller *poller, int fd, uint64_t key) { return watch(poller->watched, fd, POLLOUT, key); }

void poller_forget(struct poller *poller, int fd) {
  if (fd < poller->watched->count) poller->watched->polled[fd].fd = -1;
}

/* Descriptors that are closed by now are told as well, once: nobody has their key any more. */
size_t poller_wait(struct poller *poller, uint64_t *keys, size_t room, int64_t timeout_ns) {
  struct watched *watched = poller->watched;
  int ready = sys_poll(watched->polled, (nfds_t)watched->count, poller_ms(timeout_ns));
  size_t written = 0;
  for (int fd = 0; fd < watched->count && ready > 0 && written < room; fd++) {
    struct pollfd *polled = &watched->polled[fd];
    if (polled->fd < 0 || polled->revents == 0) continue;
    ready--;
    if (fd == poller->wait_fd) {
      char woken[64];
      while (sys_read(fd, woken, sizeof woken) == (ssize_t)sizeof woken);
      continue;
    }
    polled->fd = -1;
    keys[written++] = watched->keys[fd];
  }
  return written;
}

/* A full pipe wakes as well as one byte. */
void poller_wake(struct poller *poller) { sys_write(poller->wake_fd, "", 1); }
