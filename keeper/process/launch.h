/* Starts a process: prepares everything, then forks a child that sets itself up step by step (launch_child.c) and reports a
 * failure through a pipe. */
#pragma once

#include "app/basics.h"
#include "process/launch_child.h"

/* The read end of the child's pipe, -1 when it is closed. */
struct report {
  int fd;
  bool executes;       /* the child has reported that it executes now */
  uint64_t start_time; /* its start time, reported because it may be unreadable after the exec. 0: not reported */
};

/* Forks. Returns the pid, or -1 with errno and the step that failed. */
pid_t launch_start(const struct launch *launch, struct report *report, const char **step);

enum launch_result { LAUNCH_WAITING, LAUNCH_DONE, LAUNCH_FAILED };
/* Reads the report without waiting; closes nothing. For LAUNCH_FAILED it sets `step` (of `room` bytes) and `error`. */
enum launch_result launch_read(struct report *report, char *step, size_t room, int *error);
