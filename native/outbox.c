#include "outbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "list.h"
#include "registry.h"

struct outbox {
  pthread_mutex_t lock;
  _Atomic int references;
  struct attempt *first, *last;
  bool armed;  /* rung, and not found empty since */
  bool owing;  /* posted to while disarmed: the poster still has to ring */
  bool closed;
  int ringing; /* threads inside `ring`: closing waits for them */
  pthread_cond_t rung;
  void (*ring)(void *context);
  void *context;
};

struct outbox *outbox_open(void (*ring)(void *context), void *context) {
  struct outbox *outbox = sys_allocate(sizeof *outbox);
  if (outbox == NULL) return NULL;
  pthread_mutex_init(&outbox->lock, NULL);
  pthread_cond_init(&outbox->rung, NULL);
  atomic_init(&outbox->references, 1);
  outbox->ring = ring;
  outbox->context = context;
  return outbox;
}

void outbox_hold(struct outbox *outbox) { atomic_fetch_add_explicit(&outbox->references, 1, memory_order_relaxed); }

void outbox_drop(struct outbox *outbox) {
  if (atomic_fetch_sub_explicit(&outbox->references, 1, memory_order_acq_rel) != 1) return;
  pthread_cond_destroy(&outbox->rung);
  pthread_mutex_destroy(&outbox->lock);
  free(outbox);
}

/* The end of an attempt whose environment is gone. */
static void bury(struct attempt *attempt) {
  uint64_t word = atomic_load_explicit(&attempt->word, memory_order_acquire);
  if (word_state(word) == ATTEMPT_CONNECTED) attempt_discard(attempt, word);
  attempt_free(attempt);
}

struct outbox *outbox_post(struct attempt *attempt) {
  struct outbox *outbox = atomic_load(&attempt->outbox);
  outbox_hold(outbox); /* the attempt's own reference may go the moment it is posted */
  pthread_mutex_lock(&outbox->lock);
  bool closed = outbox->closed;
  if (!closed) {
    LIST_APPEND(outbox, attempt, next);
    if (!outbox->armed) outbox->owing = true;
  }
  pthread_mutex_unlock(&outbox->lock);
  if (closed) bury(attempt);
  return outbox;
}

void outbox_ring(struct outbox *outbox) {
  pthread_mutex_lock(&outbox->lock);
  bool ring = outbox->owing && !outbox->closed;
  if (ring) {
    outbox->owing = false;
    outbox->armed = true;
    outbox->ringing++;
  }
  pthread_mutex_unlock(&outbox->lock);
  /* Not under the lock: the thread it wakes drains at once, and would wait for it. */
  if (ring) {
    outbox->ring(outbox->context);
    pthread_mutex_lock(&outbox->lock);
    if (--outbox->ringing == 0) pthread_cond_signal(&outbox->rung);
    pthread_mutex_unlock(&outbox->lock);
  }
  outbox_drop(outbox);
}

struct attempt *outbox_drain(struct outbox *outbox, size_t count) {
  pthread_mutex_lock(&outbox->lock);
  struct attempt *drained = outbox->first, *last = NULL;
  for (struct attempt *attempt = drained; attempt != NULL && count > 0; attempt = attempt->next, count--) {
    atomic_store(&attempt->drained, true);
    last = attempt;
  }
  if (last != NULL) {
    outbox->first = last->next;
    last->next = NULL;
  }
  if (outbox->first == NULL) outbox->armed = outbox->owing = false;
  pthread_mutex_unlock(&outbox->lock);
  return last != NULL ? drained : NULL;
}

void outbox_close(struct outbox *outbox) {
  pthread_mutex_lock(&outbox->lock);
  outbox->closed = true;
  while (outbox->ringing > 0) pthread_cond_wait(&outbox->rung, &outbox->lock);
  struct attempt *attempt = outbox->first;
  outbox->first = outbox->last = NULL;
  pthread_mutex_unlock(&outbox->lock);
  while (attempt != NULL) {
    struct attempt *next = attempt->next;
    bury(attempt);
    attempt = next;
  }
}
