#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

int socket_open(int family, int flags, struct failure *failure) {
  int fd = sys_socket(family, SOCK_STREAM | flags, 0);
  *failure = fd < 0 ? failed(CALL_SOCKET) : no_failure;
  return fd;
}

static in_port_t port_of(const struct sockaddr *address) {
  return address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                                        : ((const struct sockaddr_in *)(const void *)address)->sin_port;
}

/*
 * Binds the source. Both options only make more ports usable: a port of 0 is left to connect(2), which can share ports
 * between destinations, and a fixed port may be in TIME_WAIT. Kernels that lack one, or refuse it, bind without.
 */
static struct failure bind_source(int fd, const struct sockaddr *local, socklen_t length) {
  const int on = 1;
  if (port_of(local) == 0)
    sys_setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  else
    sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return sys_bind(fd, local, length) == 0 ? no_failure : failed(CALL_BIND);
}

struct failure socket_limit(int fd, uint32_t timeout_ms) {
  struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
  return sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 ? no_failure : failed(CALL_SETSOCKOPT);
}

/*
 * TCP_QUICKACK off: the handshake's last ACK waits for data, and a reset within 190 ms takes its place. Where it cannot be
 * had the attempt fails: the listener would accept a connection, which is what half-open must spare it.
 */
static struct failure hold_back_ack(int fd) {
  const int off = 0;
  return sys_setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off) == 0 ? no_failure : failed(CALL_SETSOCKOPT);
}

struct failure socket_prepare(int fd, const struct attempt *attempt) {
  const struct attempt_request *request = &attempt->request;
  struct failure failure = no_failure;
  if (request->local_length > 0) failure = bind_source(fd, local_of(attempt), request->local_length);
  if (failure.error == 0 && request->flags & ATTEMPT_HALF_OPEN) failure = hold_back_ack(fd);
  return failure;
}

int socket_ask(int fd, const struct attempt *attempt) {
  if (sys_fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return EINPROGRESS;
  if (sys_connect(fd, remote_of(attempt), attempt->request.remote_length) == 0) return 0;
  switch (errno) {
    case EISCONN:
      return 0;
    case EALREADY:
    case EINTR:
      return EINPROGRESS;
    case EAGAIN: /* of AF_UNIX: the backlog is still full */
      return attempt->request.family == AF_UNIX ? EINPROGRESS : EAGAIN;
    default:
      return errno;
  }
}

bool socket_has_peer(int fd) {
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  return sys_getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
}

/* Simultaneous open with oneself: a connect to a local port in the ephemeral range that the kernel also chose as its source. */
static bool same_endpoint(const struct sockaddr_storage *one, const struct sockaddr_storage *other) {
  if (one->ss_family != other->ss_family) return false;
  if (port_of((const struct sockaddr *)one) != port_of((const struct sockaddr *)other)) return false;
  if (one->ss_family == AF_INET)
    return ((const struct sockaddr_in *)one)->sin_addr.s_addr == ((const struct sockaddr_in *)other)->sin_addr.s_addr;
  return memcmp(&((const struct sockaddr_in6 *)one)->sin6_addr, &((const struct sockaddr_in6 *)other)->sin6_addr,
                sizeof(struct in6_addr)) == 0;
}

struct failure socket_verify(int fd, int family) {
  int error = 0;
  socklen_t length = sizeof error;
  if (sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return failed(CALL_GETSOCKOPT);
  if (error != 0) return (struct failure){error, CALL_CONNECT};

  struct sockaddr_storage peer, self;
  length = sizeof peer;
  if (sys_getpeername(fd, (struct sockaddr *)&peer, &length) != 0) {
    if (errno != ENOTCONN) return failed(CALL_GETPEERNAME);
    /* Reset since SO_ERROR was read: that is what the peer did, and how it is told. */
    length = sizeof error;
    sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return (struct failure){error != 0 ? error : ECONNRESET, CALL_CONNECT};
  }
  if (family != AF_INET && family != AF_INET6) return no_failure;
  length = sizeof self;
  if (sys_getsockname(fd, (struct sockaddr *)&self, &length) != 0) return failed(CALL_GETSOCKNAME);
  /* Nobody listens there, or the port would not have been ours to use. */
  return same_endpoint(&peer, &self) ? (struct failure){ECONNREFUSED, CALL_CONNECT} : no_failure;
}

uint64_t socket_identity(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : SOCKET_UNKNOWN;
}

struct failure socket_hand_over(int fd, bool limited) {
  struct failure failure = limited ? socket_limit(fd, 0) : no_failure;
  if (failure.error != 0) return failure;
  return sys_fcntl(fd, F_SETFL, O_NONBLOCK) == 0 ? no_failure : failed(CALL_FCNTL);
}

/* A peer may send faster than this reads, so there is an end to it. */
static void discard_input(int fd) {
  char discarded[4096];
  for (int reads = 0; reads < 16; reads++)
    if (sys_recv(fd, discarded, sizeof discarded, MSG_DONTWAIT) <= 0) return;
}

void socket_before_probe_closes(int fd, uint32_t flags) {
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  if (flags & ATTEMPT_FIN && !(flags & ATTEMPT_HALF_OPEN))
    discard_input(fd);
  else
    sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* where it fails, a FIN is sent */
}
