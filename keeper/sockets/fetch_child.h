/* Messages between the keeper and its fetching process (fetch.c, fetch_child.c). */
#pragma once

#include <sys/socket.h>

#include "app/basics.h"

enum {
  FETCH_MOST_DESCRIPTORS = 253, /* SCM_MAX_FD */
  FETCH_DATAGRAM = 1,           /* followed by the datagram, and the descriptors that may be held */
  FETCH_TAKEN = 2,              /* with the descriptor */
  FETCH_FAILED = 3,
};

/* The process that must have the descriptor. All its user ids must equal `uid`, all its group ids `gid`; UNCHANGED matches
 * any. */
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
  uint32_t lost;  /* descriptors of the datagram that cannot be held */
};

_Noreturn void fetch_child_receive(int channel, int socket);
_Noreturn void fetch_child_take(int channel, const struct fetch_target *target);
/* Takes the descriptor with the privileges of this process; -1 with errno and the step. */
int fetch_take(const struct fetch_target *target, const char **step);
