#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct fault {
  _Atomic uint32_t calls; /* since the last seam_clear */
  _Atomic uint32_t first; /* hit when `calls` reaches this; 0: every call */
  _Atomic int error;
  _Atomic uint32_t delay_us;
  _Atomic int set;
};

static _Atomic int armed;
static struct fault faults[CALL_COUNT];
static _Atomic uint32_t jitter_state;
static _Atomic uint32_t jitter_max_us;

static const char *const names[CALL_COUNT] = {
    [CALL_NONE] = "",
    [CALL_SOCKET] = "socket",
    [CALL_BIND] = "bind",
    [CALL_CONNECT] = "connect",
    [CALL_CLOSE] = "close",
    [CALL_SETSOCKOPT] = "setsockopt",
    [CALL_GETSOCKOPT] = "getsockopt",
    [CALL_GETPEERNAME] = "getpeername",
    [CALL_GETSOCKNAME] = "getsockname",
    [CALL_FCNTL] = "fcntl",
    [CALL_POLL] = "poll",
    [CALL_LISTEN] = "listen",
    [CALL_GETRLIMIT] = "getrlimit",
    [CALL_EPOLL_CREATE] = "epoll_create1",
    [CALL_EPOLL_CTL] = "epoll_ctl",
    [CALL_EPOLL_WAIT] = "epoll_wait",
    [CALL_EVENTFD] = "eventfd",
    [CALL_WRITE] = "write",
    [CALL_PIPE] = "pipe",
    [CALL_READ] = "read",
    [CALL_RECV] = "recv",
    [CALL_THREAD_CREATE] = "pthread_create",
    [CALL_ALLOCATE] = "malloc",
    [CALL_MAP] = "mmap",
    [CALL_PROTECT] = "mprotect",
    [CALL_IOCTL] = "ioctl",
};

const char *call_name(enum call call) { return names[call]; }

enum call call_by_name(const char *name) {
  for (int call = CALL_NONE + 1; call < CALL_COUNT; call++)
    if (strcmp(names[call], name) == 0) return (enum call)call;
  return CALL_NONE;
}

static void pause_us(uint32_t us) {
  if (us == 0) return;
  struct timespec wait = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
  nanosleep(&wait, NULL);
}

static uint32_t jitter_us(void) {
  uint32_t max = atomic_load_explicit(&jitter_max_us, memory_order_relaxed);
  if (max == 0) return 0;
  uint32_t mixed = atomic_fetch_add_explicit(&jitter_state, 0x9e3779b9u, memory_order_relaxed);
  mixed = (mixed ^ (mixed >> 16)) * 0x85ebca6bu;
  mixed = (mixed ^ (mixed >> 13)) * 0xc2b2ae35u;
  return (mixed ^ (mixed >> 16)) % max;
}

struct hit {
  int error;
  uint32_t delay_us;
};

static struct hit before(enum call call) {
  struct hit hit = {0, 0};
  if (!atomic_load_explicit(&armed, memory_order_relaxed)) return hit;
  struct fault *fault = &faults[call];
  uint32_t number = atomic_fetch_add(&fault->calls, 1) + 1;
  uint32_t first = atomic_load(&fault->first);
  if (atomic_load(&fault->set) && (first == 0 || number == first)) {
    hit.error = atomic_load(&fault->error);
    hit.delay_us = atomic_load(&fault->delay_us);
  }
  pause_us(hit.delay_us + jitter_us());
  return hit;
}

static void after(struct hit hit) {
  if (!atomic_load_explicit(&armed, memory_order_relaxed)) return;
  int saved = errno;
  pause_us(hit.delay_us + jitter_us());
  errno = saved;
}

void seam_inject(enum call call, uint32_t nth, int error, uint32_t delay_us) {
  struct fault *fault = &faults[call];
  atomic_store(&fault->first, nth == 0 ? 0 : atomic_load(&fault->calls) + nth);
  atomic_store(&fault->error, error);
  atomic_store(&fault->delay_us, delay_us);
  atomic_store(&fault->set, 1);
  atomic_store(&armed, 1);
}

void seam_jitter(uint32_t seed, uint32_t max_us) {
  atomic_store(&jitter_state, seed);
  atomic_store(&jitter_max_us, max_us);
  atomic_store(&armed, 1);
}

void seam_clear(void) {
  atomic_store(&armed, 0);
  atomic_store(&jitter_max_us, 0);
  for (int call = 0; call < CALL_COUNT; call++) {
    atomic_store(&faults[call].set, 0);
    atomic_store(&faults[call].calls, 0);
  }
}

uint32_t seam_calls(enum call call) { return atomic_load(&faults[call].calls); }

/* One shape for every call: ask the seam, fail as told, or call the kernel. */
#define THROUGH_SEAM(call, failure, expression)        \
  do {                                                 \
    struct hit hit = before(call);                     \
    if (hit.error != 0) return errno = hit.error, (failure); \
    __typeof__(expression) result = (expression);      \
    after(hit);                                        \
    return result;                                     \
  } while (0)

int sys_socket(int domain, int type, int protocol) {
  THROUGH_SEAM(CALL_SOCKET, -1, socket(domain, type | SOCK_CLOEXEC, protocol));
}

int sys_bind(int fd, const struct sockaddr *address, socklen_t length) {
  THROUGH_SEAM(CALL_BIND, -1, bind(fd, address, length));
}

int sys_connect(int fd, const struct sockaddr *address, socklen_t length) {
  THROUGH_SEAM(CALL_CONNECT, -1, connect(fd, address, length));
}

int sys_close(int fd) {
  struct hit hit = before(CALL_CLOSE);
  int result = close(fd); /* never repeated: on Linux the descriptor is gone whatever close says */
  after(hit);
  return hit.error != 0 ? (errno = hit.error, -1) : result;
}

int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  THROUGH_SEAM(CALL_SETSOCKOPT, -1, setsockopt(fd, level, name, value, length));
}

int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
  THROUGH_SEAM(CALL_GETSOCKOPT, -1, getsockopt(fd, level, name, value, length));
}

int sys_getpeername(int fd, struct sockaddr *address, socklen_t *length) {
  THROUGH_SEAM(CALL_GETPEERNAME, -1, getpeername(fd, address, length));
}

int sys_getsockname(int fd, struct sockaddr *address, socklen_t *length) {
  THROUGH_SEAM(CALL_GETSOCKNAME, -1, getsockname(fd, address, length));
}

int sys_fcntl(int fd, int command, int argument) { THROUGH_SEAM(CALL_FCNTL, -1, fcntl(fd, command, argument)); }

int sys_unread(int fd, int *bytes) { THROUGH_SEAM(CALL_IOCTL, -1, ioctl(fd, FIONREAD, bytes)); }

int sys_poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  THROUGH_SEAM(CALL_POLL, -1, poll(fds, count, timeout_ms));
}

int sys_listen(int fd, int backlog) { THROUGH_SEAM(CALL_LISTEN, -1, listen(fd, backlog)); }

int sys_epoll_create(void) { THROUGH_SEAM(CALL_EPOLL_CREATE, -1, epoll_create1(EPOLL_CLOEXEC)); }

int sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  THROUGH_SEAM(CALL_EPOLL_CTL, -1, epoll_ctl(epoll, operation, fd, event));
}

int sys_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms) {
  THROUGH_SEAM(CALL_EPOLL_WAIT, -1, epoll_wait(epoll, events, room, timeout_ms));
}

int sys_eventfd(void) { THROUGH_SEAM(CALL_EVENTFD, -1, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int sys_eventfd_write(int fd, uint64_t value) { THROUGH_SEAM(CALL_WRITE, -1, eventfd_write(fd, value)); }

int sys_pipe(int ends[2]) { THROUGH_SEAM(CALL_PIPE, -1, pipe2(ends, O_CLOEXEC | O_NONBLOCK)); }

ssize_t sys_read(int fd, void *into, size_t length) { THROUGH_SEAM(CALL_READ, -1, read(fd, into, length)); }

ssize_t sys_recv(int fd, void *into, size_t length, int flags) {
  THROUGH_SEAM(CALL_RECV, -1, recv(fd, into, length, flags));
}

ssize_t sys_write(int fd, const void *from, size_t length) { THROUGH_SEAM(CALL_WRITE, -1, write(fd, from, length)); }

static int get_limit(struct rlimit *limit) { THROUGH_SEAM(CALL_GETRLIMIT, -1, getrlimit(RLIMIT_NOFILE, limit)); }

long sys_descriptor_limit(void) {
  struct rlimit limit;
  if (get_limit(&limit) != 0) return -1;
  return limit.rlim_cur > LONG_MAX ? LONG_MAX : (long)limit.rlim_cur;
}

size_t sys_stack_bytes(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  long least = sysconf(_SC_THREAD_STACK_MIN); /* 128 KiB on aarch64; more where the processor's registers are large */
  if (least < PTHREAD_STACK_MIN) least = PTHREAD_STACK_MIN;
  if (bytes < (size_t)least) bytes = (size_t)least;
  return (bytes + page - 1) / page * page;
}

int sys_thread_create(pthread_t *thread, void *stack, size_t stack_bytes, void *(*run)(void *), void *argument) {
  struct hit hit = before(CALL_THREAD_CREATE);
  if (hit.error != 0) return hit.error;
  sigset_t all, unblocked;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int error = stack != NULL ? pthread_attr_setstack(&attributes, stack, stack_bytes)
                            : pthread_attr_setstacksize(&attributes, sys_stack_bytes(stack_bytes));
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &unblocked);
  if (error == 0) error = pthread_create(thread, &attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &unblocked, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

void *sys_allocate(size_t size) {
  struct hit hit = before(CALL_ALLOCATE);
  return hit.error != 0 ? (errno = hit.error, NULL) : calloc(1, size);
}

void *sys_map(size_t length) {
  struct hit hit = before(CALL_MAP);
  if (hit.error != 0) return errno = hit.error, NULL;
  void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

int sys_protect(void *memory, size_t length) { THROUGH_SEAM(CALL_PROTECT, -1, mprotect(memory, length, PROT_NONE)); }

void sys_unmap(void *memory, size_t length) { munmap(memory, length); }
