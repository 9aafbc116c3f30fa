/* Groups of lanes that close, as a worker ends, while other environments hand attempts to them. */
#include <errno.h>
#include <stdatomic.h>

#include "check.h"
#include "environment.h"
#include "lane_group.h"
#include "ledger.h"
#include "scenarios.h"

/* Hands one attempt to a group that must not take it: it is the caller's still, and is forfeited. */
static void expect_refused(struct environment *caller, uint64_t number, const struct peer *to) {
  uint64_t id = reserve(caller, to, (struct how){0});
  double ids[] = {(double)id};
  bool taken = group_submit(number, ids, 1);
  EXPECT(!taken);
  if (taken) return;
  attempt_forfeit(id);
  EXPECT_STATE(settle(caller, id).state, ATTEMPT_LOST);
}

/* The struct is another worker's at once, and the number finds neither. */
static void number_outlives(void) {
  struct environment caller, workers[2];
  struct peer accepting = peer_accepting();
  environment_open(&caller);
  uint64_t numbers[2];
  for (int i = 0; i < 2; i++) {
    environment_open(&workers[i]);
    workers[i].lanes = group_open(&workers[i].options);
    REQUIRE(workers[i].lanes != NULL);
    numbers[i] = group_number(workers[i].lanes);
    EXPECT(numbers[i] != 0);
    if (i == 0) environment_close(&workers[i]);
  }
  REQUIRE(workers[0].lanes == workers[1].lanes && numbers[0] != numbers[1]);
  expect_refused(&caller, numbers[0], &accepting);
  expect_refused(&caller, 0, &accepting);
  expect_refused(&caller, UINT64_MAX, &accepting);
  uint64_t id = reserve(&caller, &accepting, (struct how){0});
  double ids[] = {(double)id};
  EXPECT(group_submit(numbers[1], ids, 1));
  struct settled ended = settle(&caller, id);
  EXPECT_STATE(ended.state, ATTEMPT_CONNECTED);
  discard(&ended);
  environment_close(&workers[1]);
  environment_close(&caller);
  peer_close(&accepting);
}

static void *end_worker(void *worker) {
  environment_close(worker);
  return NULL;
}

/* Its lane takes long to end. What is handed to the group meanwhile would be in a queue that no lane comes to. */
static void closes_slowly(void) {
  struct environment caller, worker;
  struct peer hanging = peer_hanging(AF_UNIX);
  environment_open(&caller);
  environment_open(&worker);
  seam_watch();
  uint64_t id = reserve(&caller, &hanging, (struct how){0});
  start(&worker, id);
  await_calls(CALL_CONNECT, 1);
  uint64_t number = group_number(worker.lanes);
  seam_inject(CALL_CLOSE, 1, 0, 100000);
  pthread_t thread = spawn(end_worker, &worker);
  await_calls(CALL_CLOSE, 1);
  expect_refused(&caller, number, &hanging);
  join(thread);
  EXPECT_STATE(settle(&caller, id).state, ATTEMPT_LOST);
  environment_close(&caller);
  peer_close(&hanging);
}

enum { CALLERS = 3, BATCH = 6, BATCHES_AT_LEAST = 40, BATCHES_AT_MOST = 4000 };

/* What becomes of attempts here. The scenario goes on until each was seen. */
enum kind { REFUSED, LOST_IN_GROUP, CONNECTED, WITHOUT_THREAD, KINDS };

struct ends {
  _Atomic uint64_t number; /* of the group that is open, or was */
  _Atomic bool over;
  uint32_t seed;
  const struct peer *accepting, *hanging;
  _Atomic int seen[KINDS];
};

struct submitter {
  struct ends *ends;
  uint32_t seed;
};

static bool all_seen(struct ends *ends) {
  for (int kind = 0; kind < KINDS; kind++)
    if (atomic_load(&ends->seen[kind]) == 0) return false;
  return true;
}

/* Hands on a batch, or takes it back where the group has closed; each attempt settles once. */
static void submit_batch(struct environment *caller, struct ends *ends, uint32_t *seed) {
  double ids[BATCH];
  for (int i = 0; i < BATCH; i++) {
    struct how how = {.timeout_ms = 1 + random_below(seed, 20)};
    ids[i] = (double)reserve(caller, random_below(seed, 2) ? ends->accepting : ends->hanging, how);
  }
  bool taken = group_submit(atomic_load(&ends->number), ids, BATCH);
  if (!taken) atomic_fetch_add(&ends->seen[REFUSED], 1);
  for (int i = 0; i < BATCH && !taken; i++) attempt_forfeit((uint64_t)ids[i]);
  if (random_below(seed, 2)) attempt_cancel((uint64_t)ids[random_below(seed, BATCH)]);
  for (int i = 0; i < BATCH; i++) {
    struct settled ended = settle_next(caller);
    atomic_fetch_add(&ends->seen[LOST_IN_GROUP], taken && ended.state == ATTEMPT_LOST);
    atomic_fetch_add(&ends->seen[CONNECTED], ended.state == ATTEMPT_CONNECTED);
    atomic_fetch_add(&ends->seen[WITHOUT_THREAD], ended.failed_call == CALL_THREAD_CREATE);
    discard(&ended);
  }
}

static void *submit_on(void *argument) {
  struct submitter *submitter = argument;
  struct environment caller;
  environment_open(&caller);
  for (int batch = 0; batch < BATCHES_AT_MOST && (batch < BATCHES_AT_LEAST || !all_seen(submitter->ends)); batch++)
    submit_batch(&caller, submitter->ends, &submitter->seed);
  environment_close(&caller);
  return NULL;
}

/* One worker after another, until every caller is done. For every other one no thread is to be had: the callers find out. */
static void *open_and_close(void *argument) {
  struct ends *ends = argument;
  for (bool lacking = false; !atomic_load(&ends->over); lacking = !lacking) {
    struct environment worker;
    environment_open(&worker);
    worker.options.max_lanes = 1 + random_below(&ends->seed, 4);
    worker.lanes = group_open(&worker.options);
    REQUIRE(worker.lanes != NULL);
    seam_inject(CALL_THREAD_CREATE, 0, lacking ? EAGAIN : 0, 0);
    atomic_store(&ends->number, group_number(worker.lanes));
    pause_ms(random_below(&ends->seed, 4));
    environment_close(&worker);
  }
  return NULL;
}

static void at_any_moment(void) {
  struct peer accepting = peer_accepting(), hanging = peer_hanging(AF_UNIX);
  struct ends ends = {.seed = settings.seed, .accepting = &accepting, .hanging = &hanging};
  struct submitter submitters[CALLERS];
  pthread_t threads[CALLERS], closer;
  struct environment other; /* has the reaper started, which could not be had either */
  environment_open(&other);
  other.lanes = group_open(&other.options);
  REQUIRE(other.lanes != NULL);
  seam_jitter(settings.seed, 200);
  closer = spawn(open_and_close, &ends);
  for (uint32_t i = 0; i < CALLERS; i++) {
    submitters[i] = (struct submitter){&ends, settings.seed + i};
    threads[i] = spawn(submit_on, &submitters[i]);
  }
  for (int i = 0; i < CALLERS; i++) join(threads[i]);
  atomic_store(&ends.over, true);
  join(closer);
  EXPECT(all_seen(&ends));
  environment_close(&other);
  peer_close(&accepting);
  peer_close(&hanging);
}

const struct scenario group_scenarios[] = {
    {"a group closes, and its number is used again and again", number_outlives},
    {"a group closes, slowly, and is handed attempts", closes_slowly},
    {"a group closes, at any moment of a submit", at_any_moment},
    {NULL, NULL},
};
