/*
 * One attempt on a lane:
 *
 *   lane_take      the group gives an attempt: TAKEN, owned by this lane
 *   prepare        socket, bind, limit: the descriptor exists and is the lane's before the region is entered
 *   enter          a cancel that came before now ends it here
 *     | connect(2), the cancellation point: cancellation is enabled around it and nowhere else.
 *     | Cancelled inside, `lane_cancelled` releases everything and this thread ends.
 *   leave          from here on a cancel is only noted
 *   verify         SO_ERROR, getpeername, not oneself
 *   lane_publish   CONNECTED, FAILED, or what the cancel asked for; posted to the caller's outbox
 *
 * A lane that pthread_cancel was called on retires after its attempt, because the cancel may still be pending.
 */
#include "lane.h"

#if defined(__cplusplus) || !defined(__EXCEPTIONS)
#error "lane.c is C built with -fexceptions: a cancelled thread unwinds through it, and its cleanup handler must run"
#endif

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "clock.h"
#include "lane_group.h"
#include "ledger.h"
#include "outbox.h"
#include "reaper.h"
#include "socket.h"

static pthread_key_t exit_key;

static void close_descriptor(struct lane *lane) {
  if (!lane->owns_fd) return;
  lane->owns_fd = false;
  sys_close(lane->fd);
  ledger_add(LEDGER_DESCRIPTORS, -1);
}

/* How long connect(2) or poll(2) may still take. 0 means no limit; a limit that has run out is 1. */
static uint32_t remaining_ms(const struct lane *lane) {
  uint32_t limit = lane->attempt->request.timeout_ms;
  if (limit == 0) return 0;
  int64_t left = limit - (now_ns(CLOCK_MONOTONIC) - lane->attempt->started_ns) / 1000000;
  return left < 1 ? 1 : (uint32_t)left;
}

static struct failure prepare(struct lane *lane) {
  struct attempt *attempt = lane->attempt;
  const struct attempt_request *request = &attempt->request;
  struct failure failure = no_failure;
  attempt->started_at = epoch_ms();
  attempt->started_ns = now_ns(CLOCK_MONOTONIC);
  lane->fd = request->fd;
  if (request->flags & ATTEMPT_POLL) {
    lane->pollfd = (struct pollfd){.fd = request->fd, .events = request->poll_events};
  } else if (request->flags & ATTEMPT_BORROWED) {
    lane->had_peer = socket_has_peer(request->fd);
  } else {
    lane->fd = socket_open(request->family, 0, &failure);
    if (lane->fd < 0) return failure;
    ledger_add(LEDGER_DESCRIPTORS, 1);
    lane->owns_fd = true;
    failure = socket_prepare(lane->fd, attempt);
    if (failure.error == 0 && request->timeout_ms > 0) failure = socket_limit(lane->fd, request->timeout_ms);
  }
  return failure;
}

/* False where a cancel came first. */
static bool enter(struct lane *lane) {
  pthread_mutex_lock(&lane->lock);
  bool go = lane->cancel == ATTEMPT_FREE;
  if (go) lane->phase = LANE_CONNECTING;
  pthread_mutex_unlock(&lane->lock);
  return go;
}

static void leave(struct lane *lane) {
  pthread_mutex_lock(&lane->lock);
  lane->phase = LANE_FINISHING;
  pthread_mutex_unlock(&lane->lock);
}

/* Moves the word out of TAKEN and lets go of the attempt. Under the lane's lock. */
static void settle(struct lane *lane, enum attempt_state state) {
  atomic_store_explicit(&lane->attempt->word, word_of(lane->attempt_id, state), memory_order_release);
  lane->attempt_id = 0;
  lane->phase = LANE_IDLE;
}

/* The cleanup handler: cancelled at the cancellation point. Frames above are gone; the thread ends after this. */
static void lane_cancelled(void *argument) {
  struct lane *lane = argument;
  struct attempt *attempt = lane->attempt;
  attempt->duration_ns = now_ns(CLOCK_MONOTONIC) - attempt->started_ns;
  /*
   * glibc before 2.41 may act on a cancel as connect returns, and lose its outcome (BZ 12683). On a
   * borrowed descriptor success stands, so ask the descriptor.
   */
  bool connect_borrowed = (attempt->request.flags & (ATTEMPT_BORROWED | ATTEMPT_POLL)) == ATTEMPT_BORROWED;
  bool stands = connect_borrowed && !lane->had_peer && socket_has_peer(lane->fd);
  close_descriptor(lane);
  attempt_release_buffer(attempt);
  group_return_slot(lane);
  pthread_mutex_lock(&lane->lock);
  settle(lane, stands ? ATTEMPT_CONNECTED : lane->cancel);
  pthread_mutex_unlock(&lane->lock);
  lane->to_ring = outbox_post(attempt);
}

/* The cancellation region. It may not return. Nothing here allocates, locks, or outlives the frame. */
static void connect_at_cancellation_point(struct lane *lane) {
  pthread_cleanup_push(lane_cancelled, lane);
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  if (lane->attempt->request.flags & ATTEMPT_POLL)
    lane->result = sys_poll(&lane->pollfd, 1, lane->poll_timeout_ms);
  else
    lane->result = sys_connect(lane->fd, remote_of(lane->attempt), lane->attempt->request.remote_length);
  lane->error = errno;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cleanup_pop(0);
}

/* The attempt's time is over, or will be by the next tick. */
static bool ran_out(const struct lane *lane) {
  return lane->attempt->request.timeout_ms > 0 && remaining_ms(lane) <= 10;
}

/* SO_SNDTIMEO's end is EINPROGRESS or EALREADY for TCP, and EAGAIN for AF_UNIX. */
static bool is_pending(int error) {
  return error == EINPROGRESS || error == EALREADY || error == EAGAIN || error == EINTR;
}

/* The call ended because its time was over. The socket is asked once more: only if it has no answer, the deadline is the outcome. */
static struct failure judge_late(struct lane *lane) {
  int error = socket_ask(lane->fd, lane->attempt);
  lane->attempt->by_deadline = error == EINPROGRESS;
  return (struct failure){error == EINPROGRESS ? ETIMEDOUT : error, CALL_CONNECT};
}

static struct failure judge_poll(struct lane *lane) {
  /* Interrupted with its time over, it is not made again, for it could be interrupted again: the descriptor is asked once. */
  if (lane->error == EINTR && ran_out(lane)) {
    lane->result = sys_poll(&lane->pollfd, 1, 0);
    lane->error = errno;
    if (lane->result < 0 && lane->error == EINTR) lane->result = 0; /* its time is over all the same */
  }
  return lane->result >= 0 ? no_failure : (struct failure){lane->error, CALL_POLL};
}

/* The outcome of the call, by its kind and the clock. EINTR is not an outcome, and connect_or_poll deals with it. */
static struct failure judge(struct lane *lane, bool interrupted_before) {
  uint32_t flags = lane->attempt->request.flags;
  if (lane->result >= 0) return no_failure;
  if (flags & ATTEMPT_POLL) return judge_poll(lane);
  if (flags & ATTEMPT_BORROWED) return (struct failure){lane->error, CALL_CONNECT};
  /* TCP goes on in the background after EINTR, and may be there before the next call. */
  if (lane->error == EISCONN && interrupted_before) return no_failure;
  if (is_pending(lane->error) && ran_out(lane)) return judge_late(lane);
  return (struct failure){lane->error, CALL_CONNECT};
}

static struct failure connect_or_poll(struct lane *lane) {
  const struct attempt_request *request = &lane->attempt->request;
  for (bool interrupted = false;; interrupted = true) {
    uint32_t left = remaining_ms(lane);
    lane->poll_timeout_ms = left == 0 ? -1 : left > INT_MAX ? INT_MAX : (int)left;
    if (interrupted && !(request->flags & ATTEMPT_BORROWED)) {
      struct failure failure = socket_limit(lane->fd, left);
      if (failure.error != 0) return failure;
    }
    if (!enter(lane)) return (struct failure){ECANCELED, CALL_CONNECT};
    connect_at_cancellation_point(lane);
    leave(lane);
    struct failure failure = judge(lane, interrupted);
    /* Every signal is blocked here; SIGSTOP and SIGCONT still interrupt. A borrowed connect tells EINTR as it is. */
    bool go_on = failure.error == EINTR && (failure.call == CALL_POLL || !(request->flags & ATTEMPT_BORROWED));
    if (!go_on) return failure;
  }
}

/* What has to be done to the descriptor before its next owner has it. */
static struct failure finish(struct lane *lane) {
  const struct attempt_request *request = &lane->attempt->request;
  if (request->flags & ATTEMPT_POLL) lane->attempt->polled = lane->result > 0 ? lane->pollfd.revents : 0;
  if (request->flags & ATTEMPT_BORROWED) return no_failure;
  struct failure failure = socket_verify(lane->fd, request->family);
  if (failure.error != 0) return failure;
  if (!(request->flags & ATTEMPT_PROBE)) return socket_hand_over(lane->fd, request->timeout_ms > 0);
  socket_before_probe_closes(lane->fd, request->flags);
  return no_failure;
}

static void lane_publish(struct lane *lane, struct failure failure) {
  struct attempt *attempt = lane->attempt;
  bool succeeded = failure.error == 0;
  bool borrowed = attempt->request.flags & ATTEMPT_BORROWED;
  attempt->duration_ns = now_ns(CLOCK_MONOTONIC) - attempt->started_ns;
  attempt->error = failure.error;
  attempt->failed_call = failure.call;
  if (!succeeded || attempt->request.flags & ATTEMPT_PROBE) close_descriptor(lane);
  attempt_release_buffer(attempt);

  pthread_mutex_lock(&lane->lock);
  bool cancelled = lane->cancel != ATTEMPT_FREE && !(borrowed && succeeded);
  if (cancelled) close_descriptor(lane);
  if (lane->owns_fd) {
    /* The registry's from the moment the word says CONNECTED. */
    atomic_store_explicit(&attempt->fd, lane->fd, memory_order_relaxed);
    lane->owns_fd = false;
  }
  settle(lane, cancelled ? lane->cancel : succeeded ? ATTEMPT_CONNECTED : ATTEMPT_FAILED);
  bool retires = lane->cancel_sent;
  pthread_mutex_unlock(&lane->lock);
  if (retires) group_return_slot(lane);
  outbox_ring(outbox_post(attempt));
}

void *lane_main(void *argument) {
  struct lane *lane = argument;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  lane->thread = pthread_self();
  int error = pthread_setspecific(exit_key, lane);
  if (error != 0) return group_lane_fails(lane, error), reaper_join(lane), NULL;
  while (!lane->cancel_sent && (lane->attempt = lane_take(lane)) != NULL) {
    struct failure failure = prepare(lane);
    if (failure.error == 0) failure = connect_or_poll(lane);
    if (failure.error == 0) failure = finish(lane);
    lane_publish(lane, failure);
  }
  return NULL;
}

/* The thread's last act, cancelled or not. No cleanup handler is under way any more, so it may ring. */
static void lane_exit(void *argument) {
  struct lane *lane = argument;
  if (lane->to_ring != NULL) outbox_ring(lane->to_ring);
  lane->to_ring = NULL;
  group_lane_leaves(lane);
  reaper_join(lane);
}

bool lane_cancel(struct lane *lane, uint64_t id, enum attempt_state as) {
  pthread_mutex_lock(&lane->lock);
  bool runs_it = lane->attempt_id == id;
  if (runs_it) {
    if (lane->cancel == ATTEMPT_FREE) lane->cancel = as;
    if (lane->phase == LANE_CONNECTING && !lane->cancel_sent) {
      lane->cancel_sent = true;
      reaper_expect();
      pthread_cancel(lane->thread);
    }
  }
  pthread_mutex_unlock(&lane->lock);
  return runs_it;
}

void lane_interrupt(struct lane *lane, enum attempt_state as) {
  pthread_mutex_lock(&lane->lock);
  uint64_t id = lane->attempt_id;
  pthread_mutex_unlock(&lane->lock);
  if (id != 0) lane_cancel(lane, id, as);
}

static void *wait_to_be_cancelled(void *nothing) {
  for (;;) pause();
  return nothing;
}

int lane_prime(void) {
  int error = pthread_key_create(&exit_key, lane_exit);
  if (error != 0) return error;
  pthread_t thread;
  error = pthread_create(&thread, NULL, wait_to_be_cancelled, NULL);
  if (error != 0) return error;
  pthread_cancel(thread);
  return pthread_join(thread, NULL);
}
