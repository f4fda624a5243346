/* Commands on sockets: opening, taking over, accept queues, single datagrams. A failure becomes an event. */
#ifndef KEEPER_SOCKETS_H
#define KEEPER_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "protocol/wire.h"
#include "sockets/handles.h"

/* Where a datagram goes: out through `fd`, to `address` unless that is connected (`length` 0). */
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
/* Something happened to a listening socket: if it was shut down, it is made to listen again. */
void sockets_check(struct handle *handle);
/* One datagram with the descriptors of handles; never waits. -1 with errno. */
int sockets_send(const struct destination *to, struct span bytes, const struct list *handles);

#endif
