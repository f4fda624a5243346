/* What a process is to be (launch.h), and what is made of that before the fork that becomes it. */
#ifndef KEEPER_PROCESS_LAUNCH_CHILD_H
#define KEEPER_PROCESS_LAUNCH_CHILD_H

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

/* What the forked process writes: just before it executes the target, a mark and its u64 start time; or a u32 errno and the step's name
 * behind a mark. Earlier versions wrote no start time. */
#define REPORT_EXECUTES 'X'
#define REPORT_EXECUTED_BEFORE 'x'
#define REPORT_FAILED 'f'
enum { REPORT_BYTES = 64 };

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
