/* Descriptors of untrusted processes: received with their datagrams, or taken from them, by a separate process of the keeper.
 * It passes on only descriptors that the keeper may hold (admission.h) and closes all others. So only this process blocks if
 * one of them blocks. */
#pragma once

#include <signal.h>
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

/* The part that created the workers' sockets, and handles the datagrams received from them. */
struct fetch_owner {
  /* Takes over the descriptors. */
  void (*received)(uint64_t worker, uint8_t source, const struct datagram *datagram);
  /* Receiving for a worker has ended for now. */
  void (*finished)(uint64_t worker, uint8_t source);
  /* There may be room for fetches that could not start. */
  void (*has_room)(void);
  /* The worker's end of its notify pair was taken from the worker. -1 with errno. */
  int (*took_notify_end)(uint64_t worker, int fd);
};
void fetch_is_for(const struct fetch_owner *owner);

/* The command takeDescriptor. */
void fetch_descriptor(struct reader *command);
/* Receives datagrams from a worker's notify socket, the first of which carries descriptors. -1: not possible now. */
int fetch_datagrams(uint64_t worker, uint8_t source, int socket);
/* Takes the worker's end of its notify pair from the worker. */
void fetch_notify_end(uint64_t worker, uint32_t pid, uint64_t start_time, uint32_t number);
/* Whether datagrams are being received for a worker. */
bool fetch_is_receiving(uint64_t worker);
/* Stops receiving for a worker. */
void fetch_forget(uint64_t worker);

/* The number of fetches begun, and whether all descriptors up to one of them were taken or reported as failed. */
uint64_t fetch_begun(void);
bool fetch_taken_up_to(uint64_t begun);

/* Reaps the child if it is a fetching process. False if it is not. */
bool fetch_child_gone(const siginfo_t *info);
bool fetch_has_child(uint32_t pid);
/* Before a re-exec: waits a moment for active fetches, then ends the rest. */
void fetch_settle(void);
