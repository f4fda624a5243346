/* The descriptors that the keeper holds for the supervisor, under the supervisor's numbers. */
#pragma once

#include "loop/poller.h"
#include "protocol/wire.h"

/* sizeof(struct sockaddr_in6) */
enum { HANDLE_ADDRESS_BYTES = 28 };

struct handle {
  uint64_t id;
  int fd;
  uint32_t domain; /* 0: not a socket */
  uint32_t type;
  uint32_t backlog;
  bool listening;
  bool accepting;
  bool has_heads; /* accepted connections speak HTTP */
  bool polled;    /* kept for a later worker; a hang-up of its peer is reported */
  /* The address of a listening internet socket (see sockets_check); empty for others. */
  _Alignas(8) uint8_t address[HANDLE_ADDRESS_BYTES];
  uint32_t address_length;
  struct watcher watcher;
};

/* Callbacks for events on handles. */
struct handles_owner {
  void (*connection_waits)(struct handle *handle); /* on an accepting one */
  void (*may_be_shut)(struct handle *handle);      /* on a listening one, after an event */
  void (*closed)(uint64_t id);
};
void handles_are_for(const struct handles_owner *owner);

struct handle *handles_find(uint64_t id);
uint32_t handles_count(void);
struct handle *handles_at(uint32_t index);
/* Takes over the descriptor under a new number, determines its kind, and reports `opened`. -1 with errno: the caller still owns
 * it. */
int handles_add(uint64_t id, int fd, uint32_t backlog);
/* The same for a descriptor that comes from another process. */
int handles_add_foreign(uint64_t id, int fd);
/* Removes and closes the handle. */
void handles_close(uint64_t id);
void handles_close_all(void);
/* Replaces the socket of a handle with another one of the same kind, and reports `opened`. Keeps the old socket, unwatched,
 * under the number `kept`, or closes it (0). -1 with errno: nothing has changed. */
int handles_exchange(uint64_t id, int fd, uint64_t kept);
/* Its socket cannot listen again: stops watching it. */
void handles_stop_listening(struct handle *handle);
/* Starts accepting connections on it; `now` false: paused at first. -1 with errno. */
int handles_accept(struct handle *handle, bool now);
/* Marks it as kept for a later worker: its listening socket is not made to listen again, and with `poll`, `hungUp` reports its
 * end. -1 with errno. */
int handles_store(uint64_t id, bool poll);
/* The descriptor of a handle, or -1 with EBADF. */
int handles_fd(uint64_t id);
/* The inode of a socket as in /proc/PID/fd; 0 if it is not a socket. */
uint64_t handles_inode(const struct handle *handle);
bool handles_is_non_blocking(int fd);
/* The result of getsockname(2) (at most `room` bytes); 0 if there is none. */
size_t handles_address(int fd, uint8_t *bytes, size_t room);

void handles_save(struct buffer *out);
bool handles_load(struct reader *in);
