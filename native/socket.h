/*
 * The socket calls of one attempt: open and prepare, verify, hand over or reset. No cancellation point is
 * entered with cancellation enabled here. Lanes, reactors and who submits or cancels, each on descriptors of its own.
 */
#ifndef CANCELPOINT_SOCKET_H
#define CANCELPOINT_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "registry.h"

/* A close-on-exec stream socket of this family, `flags` 0 or SOCK_NONBLOCK; or -1 and the failure. The caller owns it. */
int socket_open(int family, int flags, struct failure *failure);

/* All that an attempt asks for before connect(2): its source, and the ACK held back. */
struct failure socket_prepare(int fd, const struct attempt *attempt);

/* SO_SNDTIMEO: how long connect(2) may block, rounded up to the kernel's tick. 0 means for ever. */
struct failure socket_limit(int fd, uint32_t timeout_ms);

/*
 * What connect(2) has come to by now: 0, EINPROGRESS while it is under way, or what it failed with. A further connect(2) that
 * does not wait asks for it; the descriptor is nonblocking from then on. Before anybody believes a deadline: the thread, or
 * the whole process, may have been stopped while the peer answered.
 */
int socket_ask(int fd, const struct attempt *attempt);

/* A connected socket is believed only after SO_ERROR is 0, getpeername answers and the peer is not itself. */
struct failure socket_verify(int fd, int family);

/* True where getpeername answers. */
bool socket_has_peer(int fd);

/* What this socket has and no other will have, whatever its number; SOCKET_UNKNOWN where the kernel does not tell. Never 0. */
uint64_t socket_identity(int fd);
#define SOCKET_UNKNOWN UINT64_MAX

/* Blocking mode and SO_SNDTIMEO off, as its next owner expects. */
struct failure socket_hand_over(int fd, bool limited);

/*
 * A probe's descriptor is about to be closed, with a reset, which leaves no TIME_WAIT behind, or with a FIN if its flags ask
 * for that. What the peer has sent by then is read first, or the kernel would send a reset all the same.
 */
void socket_before_probe_closes(int fd, uint32_t flags);

#endif
