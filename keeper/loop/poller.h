/* Waits for descriptors. It knows none of their owners: a watcher is a field of its owner and carries its callback. */
#pragma once

#include "app/basics.h"

/* The order of callbacks within a round: rule 4 of the protocol. */
enum turn {
  TURN_STARTS,    /* reports of processes that are being started */
  TURN_DATAGRAMS, /* messages from workers */
  TURN_RECEIVED,  /* descriptors that another process received for the keeper */
  TURN_SIGNALS,
  TURN_PROCESSES, /* pidfds */
  TURN_OUTPUT,
  TURN_SOCKETS,
  TURN_CONNECTIONS,
  TURN_SUPERVISOR,
  TURN_TIMERS,
  TURNS
};

/* Must not move in memory while it is watched. */
struct watcher {
  void (*ready)(struct watcher *watcher);
  enum turn turn;
  uint32_t events; /* of this call: epoll's */
};

/* The owner that contains the watcher as its field `member`. */
/* clang-format off */
#define WATCHER_OWNER(watcher, type, member) ((type *)(void *)((char *)(watcher) - offsetof(type, member)))
/* clang-format on */

/* Each returns 0, or -1 with errno. `events` are epoll's. */
int poller_open(void);
int poller_add(int fd, struct watcher *watcher, uint32_t events);
int poller_change(int fd, struct watcher *watcher, uint32_t events);
/* Call it before the descriptor is closed, which other processes may share. A pending callback of this round is dropped. */
void poller_remove(int fd, const struct watcher *watcher);

/* Waits for at most `timeout` ms (-1: without limit) and calls the ready watchers. Returns their number; -1 if the wait was
 * interrupted. */
int poller_wait(int timeout);
