/*
 * The socket calls of one attempt: open and prepare, verify, hand over or reset. No cancellation point is
 * entered with cancellation enabled here. Lanes, each on its own descriptor.
 */
#ifndef CANCELPOINT_SOCKET_H
#define CANCELPOINT_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "registry.h"

/* Why a step failed: 0, or an errno and the call that gave it. */
struct failure {
  int error;
  enum call call;
};

/* A close-on-exec, blocking stream socket of this family, or -1 and the failure. The caller owns it. */
int socket_open(int family, struct failure *failure);

/* Binds the source. A port of 0 is left to connect(2), which can share ports between destinations. */
struct failure socket_bind(int fd, const struct sockaddr *local, socklen_t length);

/* SO_SNDTIMEO: how long connect(2) may block, rounded up to the kernel's tick. 0 means for ever. */
struct failure socket_limit(int fd, uint32_t timeout_ms);

/* TCP_QUICKACK off: the handshake's last ACK waits for data, and a reset within 190 ms takes its place. */
struct failure socket_hold_back_ack(int fd);

/* A connected socket is believed only after SO_ERROR is 0, getpeername answers and the peer is not itself. */
struct failure socket_verify(int fd, int family);

/* True where getpeername answers. */
bool socket_has_peer(int fd);

/* Blocking mode and SO_SNDTIMEO off, as its next owner expects. */
struct failure socket_hand_over(int fd, bool limited);

/* Makes the coming close a reset, which leaves no TIME_WAIT behind. */
void socket_reset_on_close(int fd);

#endif
