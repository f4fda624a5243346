/* Descriptors of processes that are not trusted: received with their datagrams, or taken out of them, by a process of the
 * keeper's that does nothing else. What it hands on can be held (admission.h); whatever else came is closed by it, and
 * whatever makes it wait makes nothing else wait. */
#ifndef KEEPER_SOCKETS_FETCH_H
#define KEEPER_SOCKETS_FETCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "protocol/wire.h"

struct datagram {
  struct ucred sender;
  int flags; /* msg_flags */
  uint32_t lost;
  const int *fds;
  uint32_t fd_count;
  struct span said;
};

/* What has sent workers their sockets, and hears what is received from these. */
struct fetch_owner {
  /* The descriptors are its own from here on. */
  void (*received)(uint64_t worker, uint8_t source, const struct datagram *datagram);
  /* Nothing more is received for a worker, for now. */
  void (*finished)(uint64_t worker, uint8_t source);
  /* There may be room for what could not be received. */
  void (*has_room)(void);
  /* A worker's end of its notify pair, which was taken out of it. -1 with errno. */
  int (*took_notify_end)(uint64_t worker, int fd);
};
void fetch_is_for(const struct fetch_owner *owner);

/* COMMAND_takeDescriptor. */
void fetch_descriptor(struct reader *command);
/* Receives what waits on a worker's notify socket, whose first datagram brings descriptors. -1: not now. */
int fetch_datagrams(uint64_t worker, uint8_t source, int socket);
/* Takes a worker's end of its notify pair out of it. */
void fetch_notify_end(uint64_t worker, uint32_t pid, uint64_t start_time, uint32_t number);
/* Whether something is being received for a worker. */
bool fetch_is_receiving(uint64_t worker);
/* Ends what is being received for a worker. */
void fetch_forget(uint64_t worker);

/* How many were begun, and whether all descriptors up to one are there, or told to be not. */
uint64_t fetch_begun(void);
bool fetch_taken_up_to(uint64_t begun);

/* True if the child was one of these processes. */
bool fetch_child_gone(const siginfo_t *info);
bool fetch_has_child(uint32_t pid);
/* Before an execution: waits a moment for what is under way, and ends the rest. */
void fetch_settle(void);

#endif
