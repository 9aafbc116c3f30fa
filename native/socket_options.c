#include "socket_options.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include "syscalls.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3; younger than the headers of many distributions */
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

enum kind {
  NUMBER,  /* an int, as it is */
  LINGER,  /* seconds; negative turns it off */
  TIMEOUT, /* milliseconds; 0 is none */
};

static const struct option {
  const char *name;
  int level, option;
  enum kind kind;
} options[] = {
    {"reuseAddr", SOL_SOCKET, SO_REUSEADDR, NUMBER},
    {"reusePort", SOL_SOCKET, SO_REUSEPORT, NUMBER},
    {"broadcast", SOL_SOCKET, SO_BROADCAST, NUMBER},
    {"keepAlive", SOL_SOCKET, SO_KEEPALIVE, NUMBER},
    {"sendBuffer", SOL_SOCKET, SO_SNDBUF, NUMBER},
    {"receiveBuffer", SOL_SOCKET, SO_RCVBUF, NUMBER},
    {"linger", SOL_SOCKET, SO_LINGER, LINGER},
    {"sendTimeoutMs", SOL_SOCKET, SO_SNDTIMEO, TIMEOUT},
    {"receiveTimeoutMs", SOL_SOCKET, SO_RCVTIMEO, TIMEOUT},
    {"noDelay", IPPROTO_TCP, TCP_NODELAY, NUMBER},
    {"synCount", IPPROTO_TCP, TCP_SYNCNT, NUMBER},
    {"userTimeoutMs", IPPROTO_TCP, TCP_USER_TIMEOUT, NUMBER},
    {"quickAck", IPPROTO_TCP, TCP_QUICKACK, NUMBER},
    {"ipv6Only", IPPROTO_IPV6, IPV6_V6ONLY, NUMBER},
    {"bindAddressNoPort", IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, NUMBER},
    /* lowest | highest << 16 */
    {"localPortRange", IPPROTO_IP, IP_LOCAL_PORT_RANGE, NUMBER},
};

enum { OPTIONS = sizeof options / sizeof options[0] };

size_t socket_options_count(void) { return OPTIONS; }

const char *socket_option_name(size_t i) { return options[i].name; }

static int set(int fd, const struct option *option, const void *value, socklen_t length) {
  return sys_setsockopt(fd, option->level, option->option, value, length) == 0 ? 0 : errno;
}

int socket_option_set(int fd, const char *name, double value) {
  const struct option *option = options;
  while (option < options + OPTIONS && strcmp(option->name, name) != 0) option++;
  if (option == options + OPTIONS) return ENOPROTOOPT;
  if (option->kind == LINGER) {
    struct linger linger = {.l_onoff = value >= 0, .l_linger = value >= 0 ? (int)value : 0};
    return set(fd, option, &linger, sizeof linger);
  }
  if (option->kind == TIMEOUT) {
    int64_t ms = (int64_t)value;
    struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    return set(fd, option, &timeout, sizeof timeout);
  }
  int number = (int)(int64_t)value;
  return set(fd, option, &number, sizeof number);
}

int socket_bind_to_device(int fd, const char *device) {
  return sys_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) == 0 ? 0 : errno;
}

long socket_dropped(int fd) {
  uint32_t memory[SK_MEMINFO_VARS];
  socklen_t length = sizeof memory;
  if (sys_getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) != 0) return -errno;
  return length > SK_MEMINFO_DROPS * sizeof memory[0] ? (long)memory[SK_MEMINFO_DROPS] : -ENOPROTOOPT;
}
