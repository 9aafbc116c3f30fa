/*
 * One nonblocking attempt:
 *
 *   begin      a nonblocking socket, prepared; connect(2), which does not wait
 *     |          over at once, as on loopback: complete
 *     |          EAGAIN, an AF_UNIX backlog is full: nothing to wait for here, so the caller takes it to a lane
 *     |        EINPROGRESS: reactor.c waits
 *   complete   SO_ERROR, getpeername, not oneself
 *   publish    the descriptor closed or on its way, the buffer freed, the word moved, posted
 */
#include "nonblocking.h"

#include <errno.h>
#include <poll.h>

#include "clock.h"
#include "ledger.h"
#include "outbox.h"
#include "socket.h"

enum { TRIES_AT_MOST = 4 };

static int descriptor_of(const struct attempt *attempt) { return atomic_load_explicit(&attempt->fd, memory_order_relaxed); }

/* 0, EINPROGRESS, or what it failed with. Interrupted, it goes on all the same, as the next call says. */
static int connect_now(int fd, const struct attempt *attempt) {
  int error = EINTR, tries = 0;
  for (; error == EINTR && tries < TRIES_AT_MOST; tries++)
    error = sys_connect(fd, remote_of(attempt), attempt->request.remote_length) == 0 ? 0 : errno;
  if (tries > 1 && error == EALREADY) return EINPROGRESS;
  return tries > 1 && error == EISCONN ? 0 : error;
}

/* What goes on has come to an end, good or bad. */
static bool is_settled(int fd) {
  struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
  return sys_poll(&pollfd, 1, 0) > 0;
}

bool nonblocking_begin(struct attempt *attempt, struct failure *failure) {
  attempt->started_at = epoch_ms();
  attempt->started_ns = now_ns(CLOCK_MONOTONIC);
  attempt->deadline_ns = attempt->started_ns + (int64_t)attempt->request.timeout_ms * 1000000;
  int fd = socket_open(attempt->request.family, SOCK_NONBLOCK, failure);
  if (fd < 0) return false;
  ledger_add(LEDGER_DESCRIPTORS, 1);
  atomic_store_explicit(&attempt->fd, fd, memory_order_relaxed);
  *failure = socket_prepare(fd, attempt);
  if (failure->error != 0) return false;
  int error = connect_now(fd, attempt);
  /* Loopback has mostly answered by now. */
  if (error == EINPROGRESS && !is_settled(fd)) return true;
  if (error != 0 && error != EINPROGRESS) {
    *failure = (struct failure){error, CALL_CONNECT};
    return false;
  }
  *failure = nonblocking_complete(attempt);
  return false;
}

bool nonblocking_has_begun(const struct attempt *attempt) { return descriptor_of(attempt) >= 0; }

struct failure nonblocking_complete(struct attempt *attempt) {
  struct failure failure = socket_verify(descriptor_of(attempt), attempt->request.family);
  if (failure.error == 0 && attempt->request.flags & ATTEMPT_PROBE)
    socket_before_probe_closes(descriptor_of(attempt), attempt->request.flags);
  return failure;
}

static void close_descriptor(struct attempt *attempt) {
  int fd = descriptor_of(attempt);
  if (fd < 0) return;
  atomic_store_explicit(&attempt->fd, -1, memory_order_relaxed);
  sys_close(fd);
  ledger_add(LEDGER_DESCRIPTORS, -1);
}

static struct outbox *publish(struct attempt *attempt, enum attempt_state state, struct failure failure) {
  attempt->duration_ns = attempt->started_ns == 0 ? 0 : now_ns(CLOCK_MONOTONIC) - attempt->started_ns;
  attempt->error = failure.error;
  attempt->failed_call = failure.call;
  if (state != ATTEMPT_CONNECTED || attempt->request.flags & ATTEMPT_PROBE) close_descriptor(attempt);
  attempt_release_buffer(attempt);
  uint64_t id = word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
  atomic_store_explicit(&attempt->word, word_of(id, state), memory_order_release);
  return outbox_post(attempt);
}

struct outbox *nonblocking_publish(struct attempt *attempt, struct failure failure) {
  return publish(attempt, failure.error == 0 ? ATTEMPT_CONNECTED : ATTEMPT_FAILED, failure);
}

struct outbox *nonblocking_give_up(struct attempt *attempt, enum attempt_state state) {
  return publish(attempt, state, no_failure);
}
