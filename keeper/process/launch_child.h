/* The description of a process to start (launch.h), and what is prepared from it before the fork. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

enum { LAUNCH_DESCRIPTORS = 1536 };

/* Descriptor `source` of the keeper becomes `target` of the process. */
struct placement {
  int source;
  uint32_t target;
};

struct launch {
  const char *file;
  int program; /* a descriptor of the program, executed instead of `file`; -1: none */
  struct list args;
  const char *cwd;
  const struct buffer *environment; /* an encoded list of texts */
  struct list own_pid;
  struct placement *placements; /* include 0, 1 and 2 */
  uint32_t placement_count;
  struct list identity;
  struct list limits;
  uint32_t umask;
  int32_t nice;
  int32_t oom_score;
  uint32_t death_signal;
  bool own_group;
  int cgroup;       /* descriptor to which it writes "0" to join its control group; 0: none */
  bool own_session; /* with its own group; no terminal signal reaches it */
  bool no_new_privs;
  bool sets_nice;      /* `nice` is the value itself, not an addition to the keeper's */
  uint32_t connect_fd; /* becomes a stream socket connected to `connect_path`; 0: none */
  const char *connect_path;
};

/* What the child writes: just before the exec, a mark and its u64 start time; or a mark, a u32 errno and the name of the failed
 * step. Earlier versions wrote no start time. */
#define REPORT_EXECUTES 'X'
#define REPORT_EXECUTED_BEFORE 'x'
#define REPORT_FAILED 'f'
enum { REPORT_BYTES = 64 };

enum { PID_DIGITS = 12 };

struct order {
  struct launch launch; /* its texts and lists are copies that the child can read; `args` and `environment` are below */
  int report;
  char **args;
  char **environment;
  /* Room for PID_DIGITS after LISTEN_PID= and the like: only the child knows its pid. */
  char **own_pid;
  gid_t *groups;
  char oom_score[16]; /* empty: unchanged */
};

/* Sets up the forked process and executes the target. */
_Noreturn void launch_become(struct order *order);
