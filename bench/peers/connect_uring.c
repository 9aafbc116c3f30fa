/*
 * connect_uring PORT TARGETS WARMUP_MS DURATION_MS accept|refuse IN_FLIGHT: the loop of connect_epoll by io_uring(7). Each
 * connect is one submission with a linked timeout, as an engine would need it, and io_uring_enter(2) takes and gives many at
 * once. The socket is made and closed by plain system calls, as there: a close by a reset takes setsockopt(2) before it.
 * Prints connects a second and CPU a connect.
 *
 * connect_uring PORT TARGETS cancel COUNT: so many connects that hang are cancelled at once by IORING_OP_ASYNC_CANCEL, and their
 * sockets closed. Prints how long it took until the last was over.
 */
#include "peer.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ENTRIES = 4096, BEGUN_AT_ONCE = 256 };
enum kind { CONNECT, TIMEOUT, CANCEL };

struct slot {
  int fd;
  struct sockaddr_in target;
  int next_idle;
};

static uint16_t port;
static uint32_t targets, next_target;
static int ring, expected, in_flight, idle = -1;
static long connects;
static struct slot *slots;
static const struct __kernel_timespec patience = {.tv_sec = 10};

static unsigned *sq_head, *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static unsigned to_submit;

static void open_ring(void) {
  struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER, .cq_entries = 16 * ENTRIES};
  ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &params);
  if (ring < 0) die("io_uring_setup");
  if (!(params.features & IORING_FEAT_SINGLE_MMAP)) die("io_uring without one mapping");
  size_t submissions = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  size_t completions = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  size_t size = submissions > completions ? submissions : completions;
  const int access = PROT_READ | PROT_WRITE, how = MAP_SHARED | MAP_POPULATE;
  char *base = mmap(NULL, size, access, how, ring, IORING_OFF_SQ_RING);
  sqes = mmap(NULL, params.sq_entries * sizeof *sqes, access, how, ring, IORING_OFF_SQES);
  if (base == MAP_FAILED || sqes == MAP_FAILED) die("mmap");
  sq_head = (unsigned *)(base + params.sq_off.head);
  sq_tail = (unsigned *)(base + params.sq_off.tail);
  sq_mask = (unsigned *)(base + params.sq_off.ring_mask);
  sq_array = (unsigned *)(base + params.sq_off.array);
  cq_head = (unsigned *)(base + params.cq_off.head);
  cq_tail = (unsigned *)(base + params.cq_off.tail);
  cq_mask = (unsigned *)(base + params.cq_off.ring_mask);
  cqes = (struct io_uring_cqe *)(base + params.cq_off.cqes);
}

static void enter(unsigned wait_for) {
  int taken = (int)syscall(SYS_io_uring_enter, ring, to_submit, wait_for, IORING_ENTER_GETEVENTS, NULL, 0);
  if (taken < 0 && errno != EINTR && errno != EBUSY) die("io_uring_enter");
  if (taken > 0) to_submit -= (unsigned)taken;
}

static struct io_uring_sqe *next_sqe(enum kind kind, int slot) {
  unsigned tail = *sq_tail;
  while (tail - __atomic_load_n(sq_head, __ATOMIC_ACQUIRE) >= ENTRIES) enter(0);
  struct io_uring_sqe *sqe = &sqes[tail & *sq_mask];
  memset(sqe, 0, sizeof *sqe);
  sqe->user_data = (uint64_t)kind << 32 | (uint32_t)slot;
  sq_array[tail & *sq_mask] = tail & *sq_mask;
  __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
  to_submit++;
  return sqe;
}

static void start(void) {
  int index = idle;
  struct slot *slot = &slots[index];
  idle = slot->next_idle;
  slot->target = target_at(next_target++ % targets, port);
  slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (slot->fd < 0) die("socket");
  struct io_uring_sqe *sqe = next_sqe(CONNECT, index);
  sqe->opcode = IORING_OP_CONNECT;
  sqe->fd = slot->fd;
  sqe->addr = (uint64_t)(uintptr_t)&slot->target;
  sqe->off = sizeof slot->target;
  sqe->flags = IOSQE_IO_LINK;
  struct io_uring_sqe *timeout = next_sqe(TIMEOUT, index);
  timeout->opcode = IORING_OP_LINK_TIMEOUT;
  timeout->addr = (uint64_t)(uintptr_t)&patience;
  timeout->len = 1;
  in_flight++;
}

/* What has come; `outcome`: what each connect is to end with. */
static void reap(int outcome) {
  unsigned head = *cq_head, tail = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
  for (; head != tail; head++) {
    const struct io_uring_cqe *cqe = &cqes[head & *cq_mask];
    if (cqe->user_data >> 32 != CONNECT) continue;
    int index = (int)(uint32_t)cqe->user_data;
    require(-cqe->res, outcome);
    close_socket(slots[index].fd, outcome);
    slots[index].next_idle = idle;
    idle = index;
    connects++;
    in_flight--;
  }
  __atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
}

static void make_slots(int count) {
  slots = calloc((size_t)count, sizeof *slots);
  if (slots == NULL) die("calloc");
  for (int i = count - 1; i >= 0; i--) {
    slots[i].next_idle = idle;
    idle = i;
  }
}

static void run_until(int64_t end_ns) {
  while (now_ns() < end_ns) {
    for (int begun = 0; idle >= 0 && begun < BEGUN_AT_ONCE; begun++) start();
    enter(in_flight > 0 ? 1 : 0);
    reap(expected);
  }
}

static int cancel_all(int count) {
  make_slots(count);
  while (idle >= 0) start();
  while (to_submit > 0) enter(0);
  int64_t started_ns = now_ns();
  for (int i = 0; i < count; i++) {
    struct io_uring_sqe *sqe = next_sqe(CANCEL, i);
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->addr = (uint64_t)CONNECT << 32 | (uint32_t)i;
  }
  while (in_flight > 0) {
    enter(1);
    reap(ECANCELED);
  }
  print_ms_since(started_ns);
  return 0;
}

int main(int argc, char **argv) {
  bool cancels = argc == 5 && strcmp(argv[3], "cancel") == 0;
  if (argc != 7 && !cancels) {
    fputs("usage: connect_uring PORT TARGETS WARMUP_MS DURATION_MS accept|refuse IN_FLIGHT\n"
          "       connect_uring PORT TARGETS cancel COUNT\n",
          stderr);
    return 2;
  }
  port = (uint16_t)atoi(argv[1]);
  targets = (uint32_t)atoi(argv[2]);
  open_ring();
  if (cancels) return cancel_all(atoi(argv[4]));
  expected = outcome_named(argv[5]);
  make_slots(atoi(argv[6]));
  measure(run_until, &connects, atol(argv[3]), atol(argv[4]));
  return 0;
}
