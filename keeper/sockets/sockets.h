/* Commands on sockets: opening, inheriting, accept queues, single datagrams. A failure is reported as an event. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "protocol/wire.h"
#include "sockets/handles.h"

/* The destination of a datagram: sent through `fd` to `address`; `length` 0: `fd` is connected. */
struct destination {
  int fd;
  struct sockaddr_un address;
  socklen_t length;
};

void sockets_open(struct reader *command);
void sockets_inherit(struct reader *command);
void sockets_stat(struct reader *command);
void sockets_keep_backlog(struct reader *command);
void sockets_open_datagram(struct reader *command);
void sockets_keep(struct reader *command);
void sockets_store(struct reader *command);
/* After an event on a listening socket: makes it listen again if it was shut down. */
void sockets_check(struct handle *handle);
/* Sends one datagram with the descriptors of handles; never blocks. -1 with errno. */
int sockets_send(const struct destination *to, struct span bytes, const struct list *handles);
