/*
 * The one seam for system calls, all of them Linux's. Everything native goes to the kernel through here, so that a test can
 * delay or fail the n-th call of a kind. Disarmed, a call costs one relaxed load more.
 *
 * sys_connect and sys_poll are entered with cancellation enabled: they allocate nothing and lock nothing.
 */
#ifndef CANCELPOINT_SYSCALLS_H
#define CANCELPOINT_SYSCALLS_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Also the number by which an outcome tells which call failed. */
enum call {
  CALL_NONE,
  CALL_SOCKET,
  CALL_BIND,
  CALL_CONNECT,
  CALL_CLOSE,
  CALL_SETSOCKOPT,
  CALL_GETSOCKOPT,
  CALL_GETPEERNAME,
  CALL_GETSOCKNAME,
  CALL_FCNTL,
  CALL_POLL,
  CALL_LISTEN,
  CALL_GETRLIMIT,
  CALL_EPOLL_CREATE,
  CALL_EPOLL_CTL,
  CALL_EPOLL_WAIT,
  CALL_EVENTFD,
  CALL_WRITE,
  CALL_PIPE,
  CALL_READ,
  CALL_RECV,
  CALL_THREAD_CREATE,
  CALL_ALLOCATE,
  CALL_MAP,
  CALL_PROTECT,
  CALL_IOCTL,
  CALL_COUNT
};

/* Why a step failed: 0, or an errno and the call that gave it. */
struct failure {
  int error;
  enum call call;
};

static const struct failure no_failure = {0, CALL_NONE};

/* Of a call that has just set errno. */
static inline struct failure failed(enum call call) {
  struct failure failure = {errno, call};
  return failure;
}

const char *call_name(enum call call);
enum call call_by_name(const char *name); /* CALL_NONE where there is none */

int sys_socket(int domain, int type, int protocol);
int sys_bind(int fd, const struct sockaddr *address, socklen_t length);
int sys_connect(int fd, const struct sockaddr *address, socklen_t length);
int sys_close(int fd);
int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int sys_getpeername(int fd, struct sockaddr *address, socklen_t *length);
int sys_getsockname(int fd, struct sockaddr *address, socklen_t *length);
int sys_fcntl(int fd, int command, int argument);
/* FIONREAD: how many bytes wait to be read. */
int sys_unread(int fd, int *bytes);
int sys_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int sys_listen(int fd, int backlog);
struct epoll_event;
int sys_epoll_create(void);
int sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int sys_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms);
/* Nonblocking. */
int sys_eventfd(void);
int sys_eventfd_write(int fd, uint64_t value);
/* Both ends nonblocking. */
int sys_pipe(int ends[2]);
ssize_t sys_read(int fd, void *into, size_t length);
ssize_t sys_recv(int fd, void *into, size_t length, int flags);
ssize_t sys_write(int fd, const void *from, size_t length);
/* RLIMIT_NOFILE's soft limit, or -1. */
long sys_descriptor_limit(void);
/* So many bytes for a thread's stack, or more: whole pages, and no less than this system's threads need. */
size_t sys_stack_bytes(size_t bytes);
/*
 * A thread with every signal blocked, so that none ever interrupts it, on this stack, or with NULL on one of the system's.
 * Returns an errno value, as pthread_create does.
 */
int sys_thread_create(pthread_t *thread, void *stack, size_t stack_bytes, void *(*run)(void *), void *argument);
/* Zeroed. */
void *sys_allocate(size_t size);
/* Memory for a stack; NULL and errno where there is none. */
void *sys_map(size_t length);
/* Takes every access away. */
int sys_protect(void *memory, size_t length);
void sys_unmap(void *memory, size_t length);

/*
 * Arms the seam: the nth call of this kind from now on (1 is the next; 0 is every one) waits delay_us
 * before and after, and fails with `error` unless that is 0. A failing close closes all the same, as
 * Linux's does. Tests only; any thread.
 */
void seam_inject(enum call call, uint32_t nth, int error, uint32_t delay_us);
/* Every call waits up to max_us before and after, at random from the seed. 0 ends it. */
void seam_jitter(uint32_t seed, uint32_t max_us);
/* Disarms everything. */
void seam_clear(void);
/* Calls of this kind since the last seam_clear, counted while armed (a jitter of 0 arms without any effect). */
uint32_t seam_calls(enum call call);

#endif
