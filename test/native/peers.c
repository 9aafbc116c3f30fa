#include "peers.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "check.h"

static struct peer bound(int family) {
  struct peer peer = {.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), .filler = -1};
  REQUIRE(peer.listener >= 0);
  peer.address.ss_family = (sa_family_t)family;
  peer.length = sizeof(sa_family_t); /* AF_UNIX: the kernel finds a free abstract name */
  if (family == AF_INET) {
    ((struct sockaddr_in *)&peer.address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.length = sizeof(struct sockaddr_in);
  }
  REQUIRE(bind(peer.listener, (struct sockaddr *)&peer.address, peer.length) == 0);
  peer.length = sizeof peer.address;
  REQUIRE(getsockname(peer.listener, (struct sockaddr *)&peer.address, &peer.length) == 0);
  return peer;
}

struct peer peer_accepting(void) {
  struct peer peer = bound(AF_INET);
  REQUIRE(listen(peer.listener, 4096) == 0);
  REQUIRE(fcntl(peer.listener, F_SETFL, O_NONBLOCK) == 0);
  return peer;
}

struct peer peer_refusing(void) { return bound(AF_INET); }

struct peer peer_hanging(int family) {
  struct peer peer = bound(family);
  REQUIRE(listen(peer.listener, 0) == 0);
  peer.filler = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(peer.filler >= 0);
  REQUIRE(connect(peer.filler, (struct sockaddr *)&peer.address, peer.length) == 0);
  return peer;
}

void peer_drain(const struct peer *peer) {
  for (int fd; (fd = accept(peer->listener, NULL, NULL)) >= 0;) close(fd);
}

void peer_make_room(struct peer *peer) {
  int accepted = accept(peer->listener, NULL, NULL);
  REQUIRE(accepted >= 0);
  close(accepted);
}

void peer_close(struct peer *peer) {
  close(peer->listener);
  if (peer->filler >= 0) close(peer->filler);
}
