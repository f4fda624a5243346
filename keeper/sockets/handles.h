/* The descriptors that the keeper holds for the supervisor, by the supervisor's numbers. */
#ifndef KEEPER_SOCKETS_HANDLES_H
#define KEEPER_SOCKETS_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/poller.h"
#include "protocol/wire.h"

/* A struct sockaddr_in6. */
enum { HANDLE_ADDRESS_BYTES = 28 };

struct handle {
  uint64_t id;
  int fd;
  uint32_t domain; /* 0 for what is not a socket */
  uint32_t type;
  uint32_t backlog;
  bool listening;
  bool accepting;
  bool has_heads; /* what is accepted says HTTP requests */
  bool polled; /* kept for a later worker, and told of when its peer hangs up */
  /* Where a listening internet socket is bound (see sockets_check); nothing for others. */
  _Alignas(8) uint8_t address[HANDLE_ADDRESS_BYTES];
  uint32_t address_length;
  struct watcher watcher;
};

/* What happens to handles elsewhere. */
struct handles_owner {
  void (*connection_waits)(struct handle *handle); /* on one that accepts */
  void (*may_be_shut)(struct handle *handle);      /* a listening one: something has happened to it */
  void (*closed)(uint64_t id);
};
void handles_are_for(const struct handles_owner *owner);

struct handle *handles_find(uint64_t id);
uint32_t handles_count(void);
struct handle *handles_at(uint32_t index);
/* Takes the descriptor over under a new number, finds out what it is, and tells by `opened`. -1 with errno: it stays the caller's. */
int handles_add(uint64_t id, int fd, uint32_t backlog);
/* The same for what another process had. */
int handles_add_foreign(uint64_t id, int fd);
/* Forgets and closes it. */
void handles_close(uint64_t id);
void handles_close_all(void);
/* Puts another socket of the same kind behind a number, and tells by `opened`. The old one is kept under the number `kept`,
 * where nothing is waited for, or closed (0). -1 with errno: all stays as it was. */
int handles_exchange(uint64_t id, int fd, uint64_t kept);
/* Its socket cannot be made to listen again: nothing is waited for any more. */
void handles_stop_listening(struct handle *handle);
/* Lets connections on it be accepted, or not for now. -1 with errno. */
int handles_accept(struct handle *handle, bool now);
/* Takes it for one that is only kept for a later worker: a listening socket is not made to listen again, and with `poll` `hungUp`
 * reports its end. -1 with errno. */
int handles_store(uint64_t id, bool poll);
/* The descriptor of a handle, or -1 with EBADF. */
int handles_fd(uint64_t id);
/* The inode by which /proc/PID/fd names a socket; 0 for what is not one. */
uint64_t handles_inode(const struct handle *handle);
bool handles_is_non_blocking(int fd);
/* getsockname's bytes (at most `room`), or nothing. */
size_t handles_address(int fd, uint8_t *bytes, size_t room);

void handles_save(struct buffer *out);
bool handles_load(struct reader *in);

#endif
