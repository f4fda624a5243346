/* The epoll loop: what woke us, in the order of the protocol's rule 4. */
#ifndef KEEPER_LOOP_H
#define KEEPER_LOOP_H

#include <stdint.h>

/* What a watched descriptor is; with the number of its worker, handle or connection. */
enum watch {
  WATCH_STARTING,   /* a process that is being started: its error pipe */
  WATCH_PAIR,       /* a worker's end of a notify pair */
  WATCH_PATH,       /* a worker's notify socket with a name */
  WATCH_FETCH,      /* a process that receives or takes descriptors */
  WATCH_SIGNALS,
  WATCH_NAMES,      /* inotify */
  WATCH_PROCESS,    /* a pidfd */
  WATCH_MEMBER,     /* a pidfd of what an adopted worker has left */
  WATCH_OUTPUT,
  WATCH_SOCKET,     /* a listening socket: was it shut down? */
  WATCH_LISTENER,   /* the same, accepting */
  WATCH_PEER,       /* a descriptor that is kept for a later worker: has its peer hung up? */
  WATCH_CONNECTION,
  WATCH_CHANNEL,
  WATCH_CANDIDATE,  /* the one that is to follow: 0 its channel, 1 its start */
  WATCH_TIMER,
  WATCHES
};

/* Each returns 0, or -1 with errno. `events` are epoll's. */
int loop_open(void);
int loop_watch(int fd, enum watch watch, uint64_t id, uint32_t events);
int loop_change(int fd, enum watch watch, uint64_t id, uint32_t events);
/* Must come before the descriptor is closed: others may share it. */
void loop_forget(int fd);

/* Runs for ever. */
_Noreturn void loop_run(void);

#endif
