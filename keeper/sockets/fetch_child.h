/* What the keeper and its fetching process (fetch.c, fetch_child.c) say to each other. */
#ifndef KEEPER_SOCKETS_FETCH_CHILD_H
#define KEEPER_SOCKETS_FETCH_CHILD_H

#include <stdint.h>
#include <sys/socket.h>

enum {
  FETCH_MOST_DESCRIPTORS = 253, /* SCM_MAX_FD */
  FETCH_DATAGRAM = 1,           /* `bytes` follow, and the descriptors that can be held */
  FETCH_TAKEN = 2,              /* with the descriptor */
  FETCH_FAILED = 3,
};

/* The process that should have the descriptor: all of its user ids, and all of its group ids. UNCHANGED: whatever they are. */
struct fetch_target {
  uint32_t pid;
  uint64_t start_time;
  uint32_t number;
  uint32_t uid, gid;
};

struct fetch_head {
  uint32_t kind;
  int32_t error;
  char step[16];
  struct ucred sender;
  uint32_t flags; /* msg_flags of the datagram */
  uint32_t lost;  /* descriptors that came with it and cannot be held */
};

_Noreturn void fetch_child_receive(int channel, int socket);
_Noreturn void fetch_child_take(int channel, const struct fetch_target *target);
/* The descriptor, with the rights that this process has; -1 with errno and the step. */
int fetch_take(const struct fetch_target *target, const char **step);

#endif
