/* Starting a process: everything that it is to be is made ready, and a fork makes itself into it step by step (launch_child.c)
 * and says on a pipe what failed. */
#ifndef KEEPER_PROCESS_LAUNCH_H
#define KEEPER_PROCESS_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/launch_child.h"

/* The reading end of the forked process's pipe, -1 when it is over. */
struct report {
  int fd;
  bool executes;       /* it has said that it does, now */
  uint64_t start_time; /* and when it was started: what it has executed may not let that be read any more. 0: it did not say */
};

/* Forks. The pid, or -1 with errno and the step that failed. */
pid_t launch_start(const struct launch *launch, struct report *report, const char **step);

enum launch_result { LAUNCH_WAITING, LAUNCH_DONE, LAUNCH_FAILED };
/* Looks at the report without waiting; closes nothing. LAUNCH_FAILED: `step` (of `room` bytes) and `error` say what. */
enum launch_result launch_read(struct report *report, char *step, size_t room, int *error);

#endif
