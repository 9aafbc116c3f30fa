#include "inbox.h"

#include <pthread.h>

#include "poller.h"
#include "registry.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* everything below */
static struct attempt *first_submitted, *last_submitted; /* by `next` */
static struct attempt *first_cancel, *last_cancel;       /* by `next_cancel` */
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
  if (first_submitted == NULL)
    first_submitted = first;
  else
    last_submitted->next = first;
  last_submitted = last;
  wake();
  pthread_mutex_unlock(&lock);
}

/* An attempt is in the list once, whatever its generation: only the one that its slot has now can be meant. Under the lock. */
static void ask_to_cancel(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  if (attempt == NULL || atomic_load(&attempt->word) != word_of(id, ATTEMPT_WATCHED)) return;
  if (attempt->cancel_asked == 0) {
    attempt->next_cancel = NULL;
    if (first_cancel == NULL)
      first_cancel = attempt;
    else
      last_cancel->next_cancel = attempt;
    last_cancel = attempt;
  }
  attempt->cancel_asked = id;
}

void inbox_cancel(const uint64_t *ids, size_t count) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < count; i++) ask_to_cancel(ids[i]);
  if (first_cancel != NULL) wake();
  pthread_mutex_unlock(&lock);
}

size_t inbox_next_cancels(uint64_t *ids, size_t room) {
  size_t count = 0;
  pthread_mutex_lock(&lock);
  for (; first_cancel != NULL && count < room; first_cancel = first_cancel->next_cancel) {
    ids[count++] = first_cancel->cancel_asked;
    first_cancel->cancel_asked = 0;
  }
  pthread_mutex_unlock(&lock);
  return count;
}

struct attempt *inbox_next_submitted(void) {
  pthread_mutex_lock(&lock);
  struct attempt *attempt = first_submitted;
  if (attempt != NULL) first_submitted = attempt->next;
  pthread_mutex_unlock(&lock);
  return attempt;
}

bool inbox_falls_asleep(void) {
  pthread_mutex_lock(&lock);
  bool falls = first_submitted == NULL && first_cancel == NULL && !closed;
  asleep = falls;
  pthread_mutex_unlock(&lock);
  return falls;
}

bool inbox_is_over(void) {
  pthread_mutex_lock(&lock);
  asleep = false;
  bool over = closed && first_cancel == NULL;
  pthread_mutex_unlock(&lock);
  return over;
}
