/* Starting a process: everything that it is to be is made ready, and a fork makes itself into it step by step (launch_child.c)
 * and says on a pipe what failed. */
#ifndef KEEPER_PROCESS_LAUNCH_H
#define KEEPER_PROCESS_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"

enum { LAUNCH_DESCRIPTORS = 1536 };

/* Descriptor `source` of the keeper becomes `target` of the process. */
struct placement {
  int source;
  uint32_t target;
};

struct launch {
  const char *file;
  int program;              /* a descriptor of the program, executed in place of `file`; -1 for none */
  struct list args;
  const char *cwd;
  const struct buffer *environment; /* a list of texts, encoded */
  struct list own_pid;
  struct placement *placements;     /* 0, 1 and 2 among them */
  uint32_t placement_count;
  struct list identity;
  struct list limits;
  uint32_t umask;
  int32_t nice;
  int32_t oom_score;
  uint32_t death_signal;
  bool own_group;
  int cgroup;               /* where it writes "0" to be in its control group; 0: none */
  bool own_session;         /* with a group of its own; no terminal reaches it */
  bool no_new_privs;
  bool sets_nice;           /* `nice` is the level itself, not added to the keeper's */
  uint32_t connect_fd;      /* a stream socket that is connected to `connect_path`; 0 for none */
  const char *connect_path;
};

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

/* What the forked process writes: just before it executes the target, a mark and its u64 start time; or a u32 errno and the step's name
 * behind a mark. Earlier versions wrote no start time. */
#define REPORT_EXECUTES 'X'
#define REPORT_EXECUTED_BEFORE 'x'
#define REPORT_FAILED 'f'
enum { REPORT_BYTES = 64 };

#endif
