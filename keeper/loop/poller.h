/* Waits for descriptors. It knows none of their owners: a watcher is a field of what owns the descriptor, and carries what is called. */
#ifndef KEEPER_LOOP_POLLER_H
#define KEEPER_LOOP_POLLER_H

#include <stdint.h>

/* What comes first in a round: the protocol's rule 4. */
enum turn {
  TURN_STARTS,      /* reports of processes that are being started */
  TURN_DATAGRAMS,   /* what workers say */
  TURN_RECEIVED,    /* what another process has received for us */
  TURN_SIGNALS,
  TURN_PROCESSES,   /* pidfds */
  TURN_OUTPUT,
  TURN_SOCKETS,
  TURN_CONNECTIONS,
  TURN_SUPERVISOR,
  TURN_TIMERS,
  TURNS
};

/* Stays where it is in memory while it watches. */
struct watcher {
  void (*ready)(struct watcher *watcher, uint32_t events);
  enum turn turn;
};

/* The owner, whose field `member` the watcher is. */
#define WATCHER_OWNER(watcher, type, member) ((type *)(void *)((char *)(watcher) - offsetof(type, member)))

/* Each returns 0, or -1 with errno. `events` are epoll's. */
int poller_open(void);
int poller_add(int fd, struct watcher *watcher, uint32_t events);
int poller_change(int fd, struct watcher *watcher, uint32_t events);
/* Must come before the descriptor is closed: others may share it. What it was ready for in this round is not called any more. */
void poller_remove(int fd, const struct watcher *watcher);

/* Waits for at most so long (ms; -1: without limit) and calls what is ready. How many were. */
int poller_wait(int timeout);

#endif
