#include "inbox.h"

#include "cancels.h"
#include "list.h"
#include "poller.h"
#include "registry.h"

/* Under the lock: the reactor cannot end meanwhile, nor the poller. */
static void wake(struct inbox *inbox) {
  if (inbox->asleep) poller_wake(inbox->poller);
  inbox->asleep = false;
}

void inbox_open(struct inbox *inbox, struct poller *poller) {
  pthread_mutex_lock(&inbox->lock);
  inbox->poller = poller;
  inbox->closed = false;
  pthread_mutex_unlock(&inbox->lock);
}

void inbox_close(struct inbox *inbox) {
  pthread_mutex_lock(&inbox->lock);
  inbox->closed = true;
  wake(inbox);
  pthread_mutex_unlock(&inbox->lock);
}

void inbox_submit(struct inbox *inbox, struct attempt *first, struct attempt *last, uint32_t count) {
  atomic_fetch_add_explicit(&inbox->waiting, count, memory_order_relaxed);
  pthread_mutex_lock(&inbox->lock);
  LIST_APPEND_CHAIN(inbox, first, last, next);
  wake(inbox);
  pthread_mutex_unlock(&inbox->lock);
}

void inbox_wake(struct inbox *inbox) {
  pthread_mutex_lock(&inbox->lock);
  wake(inbox);
  pthread_mutex_unlock(&inbox->lock);
}

struct attempt *inbox_next(struct inbox *inbox) {
  pthread_mutex_lock(&inbox->lock);
  struct attempt *attempt = inbox->first;
  if (attempt != NULL) LIST_DROP_FIRST(inbox, next);
  pthread_mutex_unlock(&inbox->lock);
  return attempt;
}

bool inbox_falls_asleep(struct inbox *inbox) {
  pthread_mutex_lock(&inbox->lock);
  /* A cancel that is not seen here wakes after it has been added, and that takes this lock. */
  bool falls = inbox->first == NULL && !inbox->closed && !cancels_wait();
  inbox->asleep = falls;
  pthread_mutex_unlock(&inbox->lock);
  return falls;
}

bool inbox_is_over(struct inbox *inbox) {
  pthread_mutex_lock(&inbox->lock);
  inbox->asleep = false;
  bool over = inbox->closed && !cancels_wait();
  pthread_mutex_unlock(&inbox->lock);
  return over;
}
