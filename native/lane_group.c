#include "lane_group.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#include "clock.h"
#include "lane.h"
#include "lane_stack.h"
#include "ledger.h"
#include "list.h"
#include "outbox.h"
#include "reaper.h"

struct lane_group {
  _Atomic bool stirred; /* for the lane that looks: there is work, or the group closes */
  _Atomic uint64_t number; /* which opening it is; 0 while it is closed. Written under the lock */
  struct lane_group *next; /* of all that were ever made; written before the group is among them */

  pthread_mutex_t lock; /* everything below; taken before a lane's */
  pthread_cond_t all_joined;
  struct lane_options options;
  struct attempt *first, *last; /* QUEUED, oldest first */
  struct lane *lanes;           /* those that are not joined */
  struct lane *idle;            /* newest first, so that surplus lanes stay without work and retire */
  uint32_t unjoined;   /* threads of lanes, and threads that start one: the group stays until there are none */
  uint32_t slots_used; /* lanes that run or will take an attempt: at most options.max_lanes */
  bool summoned;       /* a lane was woken or started and has not yet come for work */
  bool looking;        /* a lane looks for work without the lock, and will take what comes */
  bool brisk;          /* the last work came soon after the queue was empty */
  int64_t empty_since_ns;
  bool closing;
  struct lane_group *next_unused;
};

/* As long as JavaScript takes from one outcome to the next connect. */
static const int64_t LOOK_NS = 100000;

static pthread_mutex_t unused_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lane_group *unused_groups;
static uint64_t opened; /* groups so far */
static struct lane *unused_lanes;

/* Every group that was ever made, newest first. There are as many as there were workers at once, which is few. */
static _Atomic(struct lane_group *) all_groups;

static struct lane *lane_new(void) {
  pthread_mutex_lock(&unused_lock);
  struct lane *lane = unused_lanes;
  if (lane != NULL) unused_lanes = lane->next;
  pthread_mutex_unlock(&unused_lock);
  if (lane == NULL) {
    lane = sys_allocate(sizeof *lane);
    if (lane == NULL) return NULL;
    pthread_mutex_init(&lane->lock, NULL);
    cond_init_monotonic(&lane->wake);
  }
  lane->attempt = NULL;
  lane->owns_fd = lane->idle = lane->cancel_sent = false;
  lane->holds_slot = true;
  return lane;
}

static void lane_unused(struct lane *lane) {
  pthread_mutex_lock(&unused_lock);
  lane->next = unused_lanes;
  unused_lanes = lane;
  pthread_mutex_unlock(&unused_lock);
}

struct lane_group *group_open(const struct lane_options *options) {
  int error = reaper_start();
  if (error != 0) return errno = error, NULL;
  pthread_mutex_lock(&unused_lock);
  struct lane_group *group = unused_groups;
  if (group != NULL) unused_groups = group->next_unused;
  uint64_t number = ++opened;
  pthread_mutex_unlock(&unused_lock);
  if (group == NULL) {
    group = sys_allocate(sizeof *group);
    if (group == NULL) return reaper_stop(), errno = ENOMEM, NULL;
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->all_joined, NULL);
    group->next = atomic_load(&all_groups);
    while (!atomic_compare_exchange_weak(&all_groups, &group->next, group)) continue;
  }
  pthread_mutex_lock(&group->lock);
  group->options = *options;
  group->options.stack_bytes = (uint32_t)sys_stack_bytes(options->stack_bytes);
  group->closing = group->summoned = false;
  atomic_store(&group->number, number);
  pthread_mutex_unlock(&group->lock);
  return group;
}

uint64_t group_number(const struct lane_group *group) { return atomic_load(&group->number); }

/* The group that has this number, locked; NULL where it has closed or closes. */
static struct lane_group *lock_open(uint64_t number) {
  struct lane_group *group = atomic_load(&all_groups);
  while (group != NULL && atomic_load(&group->number) != number) group = group->next;
  if (group == NULL || number == 0) return NULL;
  pthread_mutex_lock(&group->lock);
  /* Under the lock: it may have closed just now, and the struct may be another worker's. */
  if (atomic_load(&group->number) == number && !group->closing) return group;
  pthread_mutex_unlock(&group->lock);
  return NULL;
}

static void append(struct lane_group *group, struct attempt *attempt) {
  attempt->previous = group->first == NULL ? NULL : group->last;
  LIST_APPEND(group, attempt, next);
}

static void unlink_attempt(struct lane_group *group, struct attempt *attempt) {
  if (attempt->previous != NULL)
    attempt->previous->next = attempt->next;
  else
    group->first = attempt->next;
  if (attempt->next != NULL)
    attempt->next->previous = attempt->previous;
  else
    group->last = attempt->previous;
}

static void unlink_lane(struct lane_group *group, struct lane *lane) {
  if (lane->previous != NULL)
    lane->previous->next = lane->next;
  else
    group->lanes = lane->next;
  if (lane->next != NULL) lane->next->previous = lane->previous;
}

static void unlink_idle(struct lane_group *group, struct lane *lane) {
  struct lane **link = &group->idle;
  while (*link != lane) link = &(*link)->next_idle;
  *link = lane->next_idle;
  lane->idle = false;
}

/* On a stack as asked for. 0 or an errno. */
static int start_thread(struct lane *lane, uint32_t stack_bytes) {
  pthread_t thread; /* the lane writes its own down: it may run before this returns */
  lane->stack = stack_take(stack_bytes);
  if (lane->stack == NULL) return ENOMEM;
  int error = sys_thread_create(&thread, lane->stack, stack_bytes, lane_main, lane);
  if (error != 0) stack_give(lane->stack, stack_bytes);
  return error;
}

/*
 * There is no thread to be had, and no lane lives that could take the queue: its attempts end as this machine's failure.
 * Under the group's lock; the result is a list for end_unstarted.
 */
static struct attempt *fail_queue(struct lane_group *group, int error) {
  struct attempt *failed = group->slots_used == 0 ? group->first : NULL;
  if (failed != NULL) group->first = group->last = NULL;
  for (struct attempt *attempt = failed; attempt != NULL; attempt = attempt->next) {
    uint64_t word = atomic_load_explicit(&attempt->word, memory_order_relaxed);
    attempt->error = error;
    attempt->failed_call = CALL_THREAD_CREATE;
    atomic_store_explicit(&attempt->word, word_of(word_id(word), ATTEMPT_FAILED), memory_order_release);
  }
  return failed;
}

/* Posts what was taken out of a queue. Without the group's lock. */
static void end_unstarted(struct attempt *ended) {
  while (ended != NULL) {
    struct attempt *next = ended->next;
    outbox_ring(attempt_end_unstarted(ended));
    ended = next;
  }
}

/*
 * Gets a lane for what waits, if one is due: wakes the idle lane that ran last, or starts one. One at a time; the lane
 * that comes summons the next while work is left, so a queue that one lane can serve does not wake a hundred.
 * Called with the group's lock held; releases it, because starting a thread takes long. A thread that starts a lane is
 * counted as unjoined meanwhile. The count goes down last: after that the group may close, and be another worker's.
 */
static void summon_and_unlock(struct lane_group *group) {
  bool due = group->first != NULL && !group->summoned && !group->looking && !group->closing;
  struct lane *lane = due ? group->idle : NULL;
  bool start = due && lane == NULL && group->slots_used < group->options.max_lanes;
  if (lane != NULL) unlink_idle(group, lane);
  if (lane != NULL || start) group->summoned = true;
  if (start) {
    group->slots_used++;
    group->unjoined++;
  }
  pthread_mutex_unlock(&group->lock);
  /* Without the lock, for which the lane that wakes would have to wait. Lanes are never freed: at worst another wakes in vain. */
  if (lane != NULL) pthread_cond_signal(&lane->wake);
  if (!start) return;

  lane = lane_new();
  int error = ENOMEM;
  if (lane != NULL) {
    lane->group = group;
    pthread_mutex_lock(&group->lock);
    lane->previous = NULL;
    lane->next = group->lanes;
    if (group->lanes != NULL) group->lanes->previous = lane;
    group->lanes = lane;
    pthread_mutex_unlock(&group->lock);
    ledger_add(LEDGER_LANES, 1);
    error = start_thread(lane, group->options.stack_bytes);
    if (error == 0) return;
    ledger_add(LEDGER_LANES, -1);
  }
  pthread_mutex_lock(&group->lock);
  if (lane != NULL) unlink_lane(group, lane);
  group->slots_used--;
  group->summoned = false;
  struct attempt *failed = fail_queue(group, error);
  if (--group->unjoined == 0) pthread_cond_signal(&group->all_joined);
  pthread_mutex_unlock(&group->lock);
  if (lane != NULL) lane_unused(lane);
  end_unstarted(failed);
}

bool group_submit(uint64_t number, const double *ids, size_t count) {
  struct lane_group *group = lock_open(number);
  if (group == NULL) return false;
  if (group->first == NULL) group->brisk = now_ns(CLOCK_MONOTONIC) - group->empty_since_ns < LOOK_NS;
  for (size_t i = 0; i < count; i++) {
    uint64_t id = (uint64_t)ids[i];
    struct attempt *attempt = attempt_find(id);
    uint64_t word = word_of(id, ATTEMPT_RESERVED);
    if (attempt == NULL || !atomic_compare_exchange_strong(&attempt->word, &word, word_of(id, ATTEMPT_QUEUED))) continue;
    append(group, attempt);
    atomic_store(&attempt->group, group);
  }
  atomic_store_explicit(&group->stirred, true, memory_order_relaxed);
  summon_and_unlock(group);
  return true;
}

bool group_withdraw(struct lane_group *group, struct attempt *attempt, uint64_t word) {
  if (group == NULL) return false;
  pthread_mutex_lock(&group->lock);
  bool here = atomic_load(&attempt->word) == word && atomic_load(&attempt->group) == group;
  if (here) {
    unlink_attempt(group, attempt);
    atomic_store_explicit(&attempt->word, word_of(word_id(word), ATTEMPT_CANCELLED), memory_order_release);
  }
  pthread_mutex_unlock(&group->lock);
  return here;
}

/* QUEUED to TAKEN, at the head of the queue. Under the group's lock. */
static struct attempt *take_first(struct lane_group *group, struct lane *lane) {
  struct attempt *attempt = group->first;
  unlink_attempt(group, attempt);
  uint64_t id = word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
  pthread_mutex_lock(&lane->lock);
  lane->attempt_id = id;
  lane->phase = LANE_PREPARING;
  lane->cancel = ATTEMPT_FREE;
  atomic_store(&attempt->lane, lane);
  atomic_store_explicit(&attempt->word, word_of(id, ATTEMPT_TAKEN), memory_order_release);
  pthread_mutex_unlock(&lane->lock);
  return attempt;
}

/*
 * A caller that connects again and again comes back at once, and to wake a lane for it takes longer than the connect. So one lane
 * goes on looking for a moment where the last work came as soon. It costs nothing where nothing comes. Under the group's lock,
 * which it lets go of meanwhile.
 */
static void look_for_work(struct lane_group *group) {
  group->empty_since_ns = now_ns(CLOCK_MONOTONIC);
  if (!group->brisk || group->looking) return;
  int64_t until_ns = group->empty_since_ns + LOOK_NS;
  group->looking = true;
  atomic_store_explicit(&group->stirred, false, memory_order_relaxed);
  pthread_mutex_unlock(&group->lock);
  while (!atomic_load_explicit(&group->stirred, memory_order_relaxed) && now_ns(CLOCK_MONOTONIC) < until_ns) continue;
  pthread_mutex_lock(&group->lock);
  group->looking = false;
}

/* Waits to be summoned. False when it was idle for too long. Under the group's lock. */
static bool wait_idle(struct lane_group *group, struct lane *lane) {
  struct timespec until = monotonic_in((int64_t)group->options.idle_ms * 1000000);
  lane->idle = true;
  lane->next_idle = group->idle;
  group->idle = lane;
  int error = 0;
  while (lane->idle && error == 0) error = pthread_cond_timedwait(&lane->wake, &group->lock, &until);
  if (!lane->idle) {
    group->summoned = false;
    return true;
  }
  unlink_idle(group, lane);
  return false;
}

static void return_slot(struct lane *lane) {
  if (lane->holds_slot) lane->group->slots_used--;
  lane->holds_slot = false;
}

struct attempt *lane_take(struct lane *lane) {
  struct lane_group *group = lane->group;
  struct attempt *attempt = NULL;
  pthread_mutex_lock(&group->lock);
  if (lane->attempt == NULL) group->summoned = false; /* started for this */
  while (!group->closing) {
    if (group->first != NULL) {
      attempt = take_first(group, lane);
      break;
    }
    look_for_work(group);
    if (group->first == NULL && !group->closing && !wait_idle(group, lane)) break;
  }
  if (attempt == NULL) return_slot(lane);
  summon_and_unlock(group);
  return attempt;
}

void group_return_slot(struct lane *lane) {
  pthread_mutex_lock(&lane->group->lock);
  return_slot(lane);
  pthread_mutex_unlock(&lane->group->lock);
}

void group_lane_fails(struct lane *lane, int error) {
  struct lane_group *group = lane->group;
  pthread_mutex_lock(&group->lock);
  group->summoned = false;
  return_slot(lane);
  struct attempt *failed = fail_queue(group, error);
  pthread_mutex_unlock(&group->lock);
  end_unstarted(failed);
}

void group_lane_leaves(struct lane *lane) {
  pthread_mutex_lock(&lane->group->lock);
  summon_and_unlock(lane->group);
}

void group_lane_joined(struct lane *lane) {
  struct lane_group *group = lane->group;
  stack_give(lane->stack, group->options.stack_bytes);
  ledger_add(LEDGER_LANES, -1);
  pthread_mutex_lock(&group->lock);
  unlink_lane(group, lane);
  if (--group->unjoined == 0) pthread_cond_signal(&group->all_joined);
  pthread_mutex_unlock(&group->lock);
  lane_unused(lane);
}

/* Everything that is queued: LOST. Under the group's lock; the result is a list for end_unstarted. */
static struct attempt *lose_queue(struct lane_group *group) {
  struct attempt *lost = group->first;
  group->first = group->last = NULL;
  for (struct attempt *attempt = lost; attempt != NULL; attempt = attempt->next) {
    uint64_t id = word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
    atomic_store_explicit(&attempt->word, word_of(id, ATTEMPT_LOST), memory_order_release);
  }
  return lost;
}

void group_close(struct lane_group *group) {
  pthread_mutex_lock(&group->lock);
  group->closing = true;
  atomic_store_explicit(&group->stirred, true, memory_order_relaxed);
  struct attempt *lost = lose_queue(group);
  while (group->idle != NULL) {
    struct lane *lane = group->idle;
    unlink_idle(group, lane);
    pthread_cond_signal(&lane->wake);
  }
  for (struct lane *lane = group->lanes; lane != NULL; lane = lane->next) lane_interrupt(lane, ATTEMPT_LOST);
  pthread_mutex_unlock(&group->lock);

  end_unstarted(lost);

  pthread_mutex_lock(&group->lock);
  while (group->unjoined > 0) pthread_cond_wait(&group->all_joined, &group->lock);
  atomic_store(&group->number, 0);
  pthread_mutex_unlock(&group->lock);
  reaper_stop();
  pthread_mutex_lock(&unused_lock);
  group->next_unused = unused_groups;
  unused_groups = group;
  pthread_mutex_unlock(&unused_lock);
}
