/*
 *                      attempt_reserve
 *            FREE ---------------------> RESERVED ---------------------------+
 *             ^                             | group_submit                   | attempt_cancel: CANCELLED
 *             |            reactors_submit /|                                | attempt_forfeit, group_close: LOST
 *             |                           / v                                |
 *             |                          | QUEUED ---------------------------+
 *             |          attempt_cancel  v  | lane_take                      |
 *             |    UNWANTED <--- SUBMITTED  v                                |
 *             |       |    take_over |     TAKEN ---- cancelled there -------+
 *             |       |              v      |                                |
 *             |       |          WATCHED    |                                |
 *             |       |   attempt_ | take   | lane_publish                   |
 *             |       | publish    v        |                                |
 *             |       +------->  ENDING     |                                |
 *             |                    | publish|                                |
 *             |                    +---+----+--+                             |
 *             |                        v       v                             v
 *             |                  CONNECTED   FAILED                    CANCELLED, LOST
 *             |   attempt_claim /    | attempt_discard, at the end of its    |
 *             |                v     v environment: closed, CANCELLED        |
 *             +---------- CLAIMED  (drained) <------+------------------------+
 *               disown                 | outbox_drain gave it to JavaScript
 *             ^------------------------+ attempt_free
 *
 * Who owns the descriptor: nobody before TAKEN and SUBMITTED; the lane in TAKEN; in SUBMITTED and UNWANTED the thread that
 * submitted the attempt until it has begun it, then the reactor; nobody but the kernel's watch in WATCHED, from where whoever
 * moves it to ENDING owns it; the registry in CONNECTED; JavaScript in CLAIMED. In FAILED, CANCELLED and LOST it is closed
 * before the state is written.
 *
 * Who may move a word: RESERVED and WATCHED: anyone, by compare-and-exchange, and the winner releases. QUEUED: under the group's
 * lock. TAKEN: the lane alone, under its own lock. SUBMITTED: a cancel to UNWANTED; all else its owner, who may end it from
 * either. ENDING: its owner alone. CONNECTED: the environment that
 * reserved it, or after its end the thread that posts. Each ended attempt is posted once to its outbox, by the thread that ended it;
 * CONNECTED to CANCELLED is not an end, it was posted already.
 */
#include "registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lane.h"
#include "lane_group.h"
#include "ledger.h"
#include "nonblocking.h"
#include "outbox.h"
#include "socket.h"

enum { CHUNK = 1024, CHUNKS = 4096, INDEX_BITS = ATTEMPT_INDEX_BITS };
_Static_assert(CHUNK * CHUNKS == 1 << INDEX_BITS, "every index fits an id");

static const char *const state_names[ATTEMPT_STATES] = {
    [ATTEMPT_FREE] = "free",           [ATTEMPT_RESERVED] = "reserved", [ATTEMPT_QUEUED] = "queued",
    [ATTEMPT_TAKEN] = "taken",         [ATTEMPT_SUBMITTED] = "submitted", [ATTEMPT_UNWANTED] = "unwanted",
    [ATTEMPT_WATCHED] = "watched",     [ATTEMPT_ENDING] = "ending",     [ATTEMPT_CONNECTED] = "connected",
    [ATTEMPT_FAILED] = "failed",       [ATTEMPT_CANCELLED] = "cancelled", [ATTEMPT_LOST] = "lost",
    [ATTEMPT_CLAIMED] = "claimed",
};

const char *attempt_state_name(enum attempt_state state) { return state_names[state]; }

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct attempt *) table[CHUNKS];
static uint32_t chunk_count;
static struct attempt *free_list;

struct attempt *attempt_find(uint64_t id) {
  uint32_t index = id & ((1u << INDEX_BITS) - 1);
  struct attempt *chunk = atomic_load_explicit(&table[index / CHUNK], memory_order_acquire);
  return chunk == NULL ? NULL : &chunk[index % CHUNK];
}

enum attempt_state attempt_state_of(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  uint64_t word = attempt == NULL ? 0 : atomic_load_explicit(&attempt->word, memory_order_acquire);
  return word_id(word) == id ? word_state(word) : ATTEMPT_FREE;
}

struct attempt *attempt_take_watched(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  uint64_t watched = word_of(id, ATTEMPT_WATCHED);
  if (attempt == NULL) return NULL;
  return atomic_compare_exchange_strong(&attempt->word, &watched, word_of(id, ATTEMPT_ENDING)) ? attempt : NULL;
}

/* One more chunk of slots. Under table_lock. */
static bool grow(void) {
  if (chunk_count == CHUNKS) return false;
  struct attempt *chunk = sys_allocate(CHUNK * sizeof *chunk);
  if (chunk == NULL) return false;
  for (int slot = CHUNK - 1; slot >= 0; slot--) {
    struct attempt *attempt = &chunk[slot];
    attempt->index = chunk_count * CHUNK + (uint32_t)slot;
    atomic_init(&attempt->fd, -1);
    /* Generation 1, so that no id is 0. */
    atomic_init(&attempt->word, word_of((uint64_t)1 << INDEX_BITS | attempt->index, ATTEMPT_FREE));
    attempt->next = free_list;
    free_list = attempt;
  }
  atomic_store_explicit(&table[chunk_count++], chunk, memory_order_release);
  return true;
}

uint64_t attempt_reserve(struct outbox *outbox, const struct attempt_request *request, const uint8_t *addresses) {
  size_t length = (size_t)request->remote_length + request->local_length;
  uint8_t *buffer = NULL;
  if (length > 0) {
    buffer = sys_allocate(length);
    if (buffer == NULL) return 0;
    memcpy(buffer, addresses, length);
  }

  pthread_mutex_lock(&table_lock);
  struct attempt *attempt = free_list != NULL || grow() ? free_list : NULL;
  if (attempt != NULL) free_list = attempt->next;
  pthread_mutex_unlock(&table_lock);
  if (attempt == NULL) return free(buffer), 0;

  atomic_store(&attempt->outbox, outbox);
  outbox_hold(outbox);
  atomic_store(&attempt->drained, false);
  /* A canceller that sees QUEUED before group_submit has written the group waits for it to appear. */
  atomic_store(&attempt->group, NULL);
  attempt->request = *request;
  attempt->addresses = buffer;
  if (buffer != NULL) ledger_add(LEDGER_BUFFERS, 1);
  attempt->error = 0;
  attempt->failed_call = CALL_NONE;
  attempt->by_deadline = false;
  attempt->polled = 0;
  attempt->started_at = 0;
  attempt->duration_ns = 0;
  attempt->reserved_ns = now_ns(CLOCK_MONOTONIC);
  attempt->started_ns = 0;
  attempt->handed_over = 0;
  ledger_add(LEDGER_ATTEMPTS, 1);
  uint64_t id = word_id(atomic_load_explicit(&attempt->word, memory_order_relaxed));
  atomic_store_explicit(&attempt->word, word_of(id, ATTEMPT_RESERVED), memory_order_release);
  return id;
}

void attempt_free(struct attempt *attempt) {
  outbox_drop(atomic_exchange(&attempt->outbox, NULL));
  atomic_store_explicit(&attempt->fd, -1, memory_order_relaxed);
  uint64_t word = atomic_load_explicit(&attempt->word, memory_order_relaxed);
  if (word_state(word) != ATTEMPT_CLAIMED) ledger_add(LEDGER_ATTEMPTS, -1);
  /* The next generation. 31 bits: it comes round after years of one slot's constant reuse. */
  uint64_t id = (word_id(word) + ((uint64_t)1 << INDEX_BITS)) & (((uint64_t)1 << 53) - 1);
  if (id >> INDEX_BITS == 0) id |= (uint64_t)1 << INDEX_BITS;
  atomic_store_explicit(&attempt->word, word_of(id, ATTEMPT_FREE), memory_order_release);
  pthread_mutex_lock(&table_lock);
  attempt->next = free_list;
  free_list = attempt;
  pthread_mutex_unlock(&table_lock);
}

void attempt_release_buffer(struct attempt *attempt) {
  if (attempt->addresses == NULL) return;
  free(attempt->addresses);
  attempt->addresses = NULL;
  ledger_add(LEDGER_BUFFERS, -1);
}

struct outbox *attempt_end_unstarted(struct attempt *attempt) {
  attempt_release_buffer(attempt);
  return outbox_post(attempt);
}

void attempt_forfeit(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  if (attempt == NULL) return;
  uint64_t reserved = word_of(id, ATTEMPT_RESERVED);
  if (atomic_compare_exchange_strong(&attempt->word, &reserved, word_of(id, ATTEMPT_LOST)))
    outbox_ring(attempt_end_unstarted(attempt));
}

void attempt_discard(struct attempt *attempt, uint64_t word) {
  /* Read before the exchange: if that succeeds, this was the descriptor of this very id. */
  int fd = atomic_load_explicit(&attempt->fd, memory_order_relaxed);
  if (fd < 0) return; /* a probe's or a borrowed descriptor: success stands */
  if (!atomic_compare_exchange_strong(&attempt->word, &word, word_of(word_id(word), ATTEMPT_CANCELLED))) return;
  sys_close(fd);
  ledger_add(LEDGER_DESCRIPTORS, -1);
}

/* The outbox to which it was posted, if it ended here; that must be rung. */
static struct outbox *cancel(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  if (attempt == NULL) return NULL;
  for (;;) {
    uint64_t word = atomic_load_explicit(&attempt->word, memory_order_acquire);
    if (word_id(word) != id) return NULL; /* over, and the slot in other hands */
    switch (word_state(word)) {
      case ATTEMPT_RESERVED:
        if (!atomic_compare_exchange_strong(&attempt->word, &word, word_of(id, ATTEMPT_CANCELLED))) continue;
        return attempt_end_unstarted(attempt);
      case ATTEMPT_QUEUED:
        if (!group_withdraw(atomic_load(&attempt->group), attempt, word)) continue;
        return attempt_end_unstarted(attempt);
      case ATTEMPT_TAKEN:
        if (!lane_cancel(atomic_load(&attempt->lane), id, ATTEMPT_CANCELLED)) continue;
        return NULL;
      case ATTEMPT_SUBMITTED:
        if (!atomic_compare_exchange_strong(&attempt->word, &word, word_of(id, ATTEMPT_UNWANTED))) continue;
        return NULL; /* the reactor is on its way to it */
      case ATTEMPT_WATCHED:
        if (attempt_take_watched(id) == NULL) continue;
        return nonblocking_give_up(attempt, ATTEMPT_CANCELLED);
      default:
        /*
         * Over, or ended by another. CONNECTED too is its environment's alone, which claims it and closes what is not wanted
         * any more: were it closed here, the environment could drain it while close(2) is still under way, and settle too early.
         */
        return NULL;
    }
  }
}

void attempt_cancel(uint64_t id) {
  struct outbox *outbox = cancel(id);
  if (outbox != NULL) outbox_ring(outbox);
}

bool attempt_cancel_unrung(uint64_t id) {
  struct outbox *outbox = cancel(id);
  if (outbox != NULL) outbox_drop(outbox);
  return outbox != NULL;
}

/* What an ended attempt tells; its slot is freed, unless a descriptor waits in it to be claimed. */
static struct attempt_outcome read_outcome(struct attempt *attempt) {
  uint64_t word = atomic_load_explicit(&attempt->word, memory_order_acquire);
  int64_t waited_until = attempt->started_ns != 0 ? attempt->started_ns : now_ns(CLOCK_MONOTONIC);
  struct attempt_outcome outcome = {
      .id = word_id(word),
      .state = word_state(word),
      .error = attempt->error,
      .failed_call = attempt->failed_call,
      .by_deadline = attempt->by_deadline,
      .yields = word_state(word) == ATTEMPT_CONNECTED && atomic_load(&attempt->fd) >= 0,
      .polled = attempt->polled,
      .started_at = attempt->started_at,
      .waited_ms = (double)(waited_until - attempt->reserved_ns) / 1e6,
      .duration_ms = (double)attempt->duration_ns / 1e6,
  };
  if (!outcome.yields) attempt_free(attempt);
  return outcome;
}

size_t attempt_drain(struct outbox *outbox, struct attempt_outcome *into, size_t count) {
  struct attempt *ended = outbox_drain(outbox, count);
  size_t drained = 0;
  while (ended != NULL) {
    struct attempt *next = ended->next;
    into[drained++] = read_outcome(ended);
    ended = next;
  }
  return drained;
}

int attempt_claim(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  uint64_t connected = word_of(id, ATTEMPT_CONNECTED);
  if (attempt == NULL) return -1;
  if (!atomic_compare_exchange_strong(&attempt->word, &connected, word_of(id, ATTEMPT_CLAIMED))) return -1;
  ledger_add(LEDGER_ATTEMPTS, -1);
  return atomic_load_explicit(&attempt->fd, memory_order_relaxed);
}

void attempt_hand_over(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  if (attempt == NULL || atomic_load(&attempt->word) != word_of(id, ATTEMPT_CLAIMED)) return;
  attempt->handed_over = socket_identity(atomic_load_explicit(&attempt->fd, memory_order_relaxed));
}

int attempt_disown(uint64_t id) {
  struct attempt *attempt = attempt_find(id);
  if (attempt == NULL || atomic_load(&attempt->word) != word_of(id, ATTEMPT_CLAIMED)) return -1;
  int fd = atomic_load_explicit(&attempt->fd, memory_order_relaxed);
  ledger_add(LEDGER_DESCRIPTORS, -1);
  attempt_free(attempt);
  return fd;
}

/* Node has closed its handles by now, and the number may be another thread's. */
static void sweep_claimed(struct attempt *attempt, uint64_t id) {
  uint64_t handed_over = attempt->handed_over;
  int fd = attempt_disown(id);
  if (handed_over == 0 || (handed_over != SOCKET_UNKNOWN && handed_over == socket_identity(fd))) sys_close(fd);
}

static uint32_t slot_count(void) {
  pthread_mutex_lock(&table_lock);
  uint32_t chunks = chunk_count;
  pthread_mutex_unlock(&table_lock);
  return chunks * CHUNK;
}

void attempts_lose_watched(void) {
  if (ledger_read(LEDGER_ATTEMPTS) == 0) return;
  uint32_t slots = slot_count();
  for (uint32_t index = 0; index < slots; index++) {
    uint64_t word = atomic_load_explicit(&attempt_find(index)->word, memory_order_acquire);
    struct attempt *lost = word_state(word) == ATTEMPT_WATCHED ? attempt_take_watched(word_id(word)) : NULL;
    if (lost != NULL) outbox_ring(nonblocking_give_up(lost, ATTEMPT_LOST));
  }
}

void attempts_sweep(struct outbox *outbox) {
  uint32_t slots = slot_count();
  for (uint32_t index = 0; index < slots; index++) {
    struct attempt *attempt = attempt_find(index);
    /* Before the owner is asked for: a slot that is another environment's by now may have been drained there. */
    bool drained = atomic_load(&attempt->drained);
    uint64_t word = atomic_load_explicit(&attempt->word, memory_order_acquire);
    if (word_state(word) == ATTEMPT_FREE || atomic_load(&attempt->outbox) != outbox) continue;
    if (word_state(word) == ATTEMPT_CLAIMED) {
      sweep_claimed(attempt, word_id(word));
    } else {
      /* The thread that posts it will find the outbox closed, and free the slot. */
      if (word_state(word) == ATTEMPT_CONNECTED)
        attempt_discard(attempt, word);
      else
        attempt_cancel(word_id(word));
      if (drained) attempt_free(attempt);
    }
  }
}
