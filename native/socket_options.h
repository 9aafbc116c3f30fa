/* Socket options by the names that cancelpoint/posix gives them. Any thread. */
#ifndef CANCELPOINT_SOCKET_OPTIONS_H
#define CANCELPOINT_SOCKET_OPTIONS_H

#include <stddef.h>

/* 0 or an errno; ENOPROTOOPT for a name that is none. What `value` means stands in the table. */
int socket_option_set(int fd, const char *name, double value);

size_t socket_options_count(void);
const char *socket_option_name(size_t i);

/* Ties a listener to a device, so that nobody outside reaches it. 0 or an errno. */
int socket_bind_to_device(int fd, const char *device);

/* SYNs that a listener dropped, its accept queue being full; negative: an errno. */
long socket_dropped(int fd);

#endif
