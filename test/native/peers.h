/* Real sockets to connect to, on loopback and in the abstract namespace. Each is closed by peer_close. */
#ifndef PEERS_H
#define PEERS_H

#include <sys/socket.h>

struct peer {
  struct sockaddr_storage address;
  socklen_t length;
  int listener;
  int filler; /* occupies the backlog; -1 where there is none */
};

struct peer peer_accepting(void);
struct peer peer_refusing(void);
/* A full backlog: the next connect(2) waits. */
struct peer peer_hanging(int family);
/* Accepts and closes all that wait, so that the backlog never fills. */
void peer_drain(const struct peer *peer);
/* Takes the filler out of the backlog: one connect(2) that waits goes through. */
void peer_make_room(struct peer *peer);
void peer_close(struct peer *peer);

#endif
