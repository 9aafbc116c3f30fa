/*
 * poll(2) and a pipe: the second implementation, which keeps poller.h honest. No addon has it; npm run test:native builds the
 * reactor over it. Each wait looks at every descriptor up to the highest one, so it is slow beyond hundreds of attempts.
 */
#include "poller.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* By the number of the descriptor; -1, which poll(2) passes over, where none is watched. */
static struct pollfd *polled;
static uint64_t *keys;
static int count, room;
static int wake_read = -1, wake_write = -1;

static bool make_room(int fd) {
  if (fd < room) return true;
  int larger = room == 0 ? 64 : room;
  while (larger <= fd) larger *= 2;
  struct pollfd *more_polled = sys_allocate((size_t)larger * sizeof *polled);
  uint64_t *more_keys = sys_allocate((size_t)larger * sizeof *keys);
  if (more_polled == NULL || more_keys == NULL) return free(more_polled), free(more_keys), false;
  if (count > 0) memcpy(more_polled, polled, (size_t)count * sizeof *polled);
  if (count > 0) memcpy(more_keys, keys, (size_t)count * sizeof *keys);
  free(polled);
  free(keys);
  polled = more_polled;
  keys = more_keys;
  room = larger;
  return true;
}

static struct failure watch(int fd, short events, uint64_t key) {
  if (!make_room(fd)) return (struct failure){ENOMEM, CALL_ALLOCATE};
  for (; count <= fd; count++) polled[count].fd = -1;
  polled[fd] = (struct pollfd){.fd = fd, .events = events};
  keys[fd] = key;
  return no_failure;
}

struct failure poller_open(void) {
  int ends[2];
  if (sys_pipe(ends) != 0) return failed(CALL_PIPE);
  wake_read = ends[0];
  wake_write = ends[1];
  struct failure failure = watch(wake_read, POLLIN, 0);
  if (failure.error != 0) poller_close();
  return failure;
}

void poller_close(void) {
  sys_close(wake_read);
  sys_close(wake_write);
  wake_read = wake_write = -1;
  free(polled);
  free(keys);
  polled = NULL;
  keys = NULL;
  count = room = 0;
}

/* Takes the place of one that was closed, and had the same number. */
struct failure poller_watch(int fd, uint64_t key) { return watch(fd, POLLOUT, key); }

void poller_forget(int fd) {
  if (fd < count) polled[fd].fd = -1;
}

/* Descriptors that are closed by now are told as well, once: nobody has their key any more. */
size_t poller_wait(uint64_t *into, size_t most, int64_t timeout_ns) {
  int ready = sys_poll(polled, (nfds_t)count, poller_ms(timeout_ns));
  size_t written = 0;
  for (int fd = 0; fd < count && ready > 0 && written < most; fd++) {
    if (polled[fd].fd < 0 || polled[fd].revents == 0) continue;
    ready--;
    if (fd == wake_read) {
      char woken[64];
      while (sys_read(wake_read, woken, sizeof woken) == (ssize_t)sizeof woken);
      continue;
    }
    polled[fd].fd = -1;
    into[written++] = keys[fd];
  }
  return written;
}

/* A full pipe wakes as well as one byte. */
void poller_wake(void) { sys_write(wake_write, "", 1); }
