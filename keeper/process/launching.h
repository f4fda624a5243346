/* What launch.c makes before it forks, and the forked process works with (launch_child.c). */
#ifndef KEEPER_PROCESS_LAUNCHING_H
#define KEEPER_PROCESS_LAUNCHING_H

#include <sys/types.h>

#include "process/launch.h"

enum { PID_DIGITS = 12 };

struct order {
  const struct launch *launch;
  int report;
  char **args;
  char **environment;
  /* Ends of variables such as LISTEN_PID=, with room for PID_DIGITS: only the process itself can know its pid. */
  char **own_pid;
  gid_t *groups;
  char oom_score[16]; /* empty: as it is */
};

/* The forked process becomes what is ordered. */
_Noreturn void launch_become(struct order *order);

#endif
