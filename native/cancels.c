#include "cancels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "list.h"
#include "reactors.h"
#include "reaper.h"
#include "registry.h"

/* So many are carried out by the thread that asks for them, in so long a time. */
enum { DIRECT_CANCELS = 64 };
static const int64_t DIRECT_PERIOD_NS = 5 * 1000000;

enum { SORTED_AT_ONCE = 1024 };

struct batch {
  struct batch *next;
  size_t count, taken;
  uint64_t ids[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* batches */
static struct {
  struct batch *first, *last;
} batches;
static _Atomic size_t waiting; /* ids in them; raised before they are told of, under the lock */

bool cancels_wait(void) { return atomic_load(&waiting) > 0; }

size_t cancels_take(uint64_t *ids, size_t room) {
  if (!cancels_wait()) return 0;
  pthread_mutex_lock(&lock);
  struct batch *batch = batches.first;
  size_t count = 0;
  if (batch != NULL) {
    count = batch->count - batch->taken < room ? batch->count - batch->taken : room;
    memcpy(ids, batch->ids + batch->taken, count * sizeof *ids);
    batch->taken += count;
    atomic_fetch_sub(&waiting, count);
    if (batch->taken < batch->count)
      batch = NULL;
    else
      LIST_DROP_FIRST(&batches, next);
  }
  pthread_mutex_unlock(&lock);
  free(batch);
  return count;
}

/* False where there is no memory. */
static bool leave_to_reactors(const uint64_t *ids, size_t count) {
  struct batch *batch = sys_allocate(sizeof *batch + count * sizeof *ids);
  if (batch == NULL) return false;
  batch->count = count;
  memcpy(batch->ids, ids, count * sizeof *ids);
  pthread_mutex_lock(&lock);
  LIST_APPEND(&batches, batch, next);
  atomic_fetch_add(&waiting, count);
  pthread_mutex_unlock(&lock);
  reactors_wake();
  return true;
}

/* Whether so many may be carried out by the calling thread now. */
static bool are_few(struct cancel_pace *pace, size_t count) {
  int64_t now = now_ns(CLOCK_MONOTONIC);
  if (now - pace->since_ns > DIRECT_PERIOD_NS) *pace = (struct cancel_pace){.since_ns = now};
  if (count > DIRECT_CANCELS - pace->carried_out) return false;
  pace->carried_out += count;
  return true;
}

static size_t carry_out(const double *ids, size_t count) {
  size_t over = 0;
  for (size_t i = 0; i < count; i++) over += attempt_cancel_unrung((uint64_t)ids[i]);
  return over;
}

/* WATCHED goes to the reactors, QUEUED and TAKEN to the reaper. The rest is cancelled here, which costs next to nothing. */
static size_t share_out(const double *ids, size_t count) {
  uint64_t watched[SORTED_AT_ONCE];
  double on_lanes[SORTED_AT_ONCE];
  size_t watched_count = 0, on_lanes_count = 0, over = 0;
  for (size_t i = 0; i < count; i++) {
    enum attempt_state state = attempt_state_of((uint64_t)ids[i]);
    if (state == ATTEMPT_WATCHED)
      watched[watched_count++] = (uint64_t)ids[i];
    else if (state == ATTEMPT_QUEUED || state == ATTEMPT_TAKEN)
      on_lanes[on_lanes_count++] = ids[i];
    else
      over += attempt_cancel_unrung((uint64_t)ids[i]);
  }
  if (watched_count > 0 && !leave_to_reactors(watched, watched_count))
    for (size_t i = 0; i < watched_count; i++) over += attempt_cancel_unrung(watched[i]);
  if (on_lanes_count > 0 && !reaper_cancel(on_lanes, on_lanes_count)) over += carry_out(on_lanes, on_lanes_count);
  return over;
}

size_t cancels_send(struct cancel_pace *pace, const double *ids, size_t count) {
  if (are_few(pace, count)) return carry_out(ids, count);
  size_t over = 0;
  for (size_t at = 0, some; at < count; at += some) {
    some = count - at < SORTED_AT_ONCE ? count - at : SORTED_AT_ONCE;
    over += share_out(ids + at, some);
  }
  return over;
}
