#include "inbox.h"

#include <pthread.h>

#include "list.h"
#include "poller.h"
#include "registry.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* everything below */
static struct {
  struct attempt *first, *last;
} submitted, cancels; /* by `next`, and by `next_cancel` */
static bool asleep;                                      /* or about to be: must be woken, once */
static bool closed;

/* Under the lock: the reactor cannot end meanwhile, nor the poller. */
static void wake(void) {
  if (asleep) poller_wake();
  asleep = false;
}

void inbox_open(void) {
  pthread_mutex_lock(&lock);
  closed = false;
  pthread_mutex_unlock(&lock);
}

void inbox_close(void) {
  pthread_mutex_lock(&lock);
  closed = true;
  wake();
  pthread_mutex_unlock(&lock);
}

void inbox_submit(struct attempt *first, struct attempt *last) {
  pthread_mutex_lock(&lock);
  LIST_APPEND_CHAIN(&submitted, first, last, next);
  wake();
  pthread_mutex_unlock(&lock);
}

/* An attempt is in the list once, whatever its generation: only the one that its slot has now can be meant. Under the lock. */
static void ask_to_cancel(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  if (attempt == NULL || atomic_load(&attempt->word) != word_of(id, ATTEMPT_WATCHED)) return;
  if (attempt->cancel_asked == 0) LIST_APPEND(&cancels, attempt, next_cancel);
  attempt->cancel_asked = id;
}

void inbox_cancel(const uint64_t *ids, size_t count) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < count; i++) ask_to_cancel(ids[i]);
  if (cancels.first != NULL) wake();
  pthread_mutex_unlock(&lock);
}

size_t inbox_next_cancels(uint64_t *ids, size_t room) {
  size_t count = 0;
  pthread_mutex_lock(&lock);
  for (; cancels.first != NULL && count < room; LIST_DROP_FIRST(&cancels, next_cancel)) {
    ids[count++] = cancels.first->cancel_asked;
    cancels.first->cancel_asked = 0;
  }
  pthread_mutex_unlock(&lock);
  return count;
}

struct attempt *inbox_next_submitted(void) {
  pthread_mutex_lock(&lock);
  struct attempt *attempt = submitted.first;
  if (attempt != NULL) LIST_DROP_FIRST(&submitted, next);
  pthread_mutex_unlock(&lock);
  return attempt;
}

bool inbox_falls_asleep(void) {
  pthread_mutex_lock(&lock);
  bool falls = submitted.first == NULL && cancels.first == NULL && !closed;
  asleep = falls;
  pthread_mutex_unlock(&lock);
  return falls;
}

bool inbox_is_over(void) {
  pthread_mutex_lock(&lock);
  asleep = false;
  bool over = closed && cancels.first == NULL;
  pthread_mutex_unlock(&lock);
  return over;
}
