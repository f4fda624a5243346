/* What one worker is, and the table of them all: for the files that workers.h speaks for. */
#ifndef KEEPER_WORKER_H
#define KEEPER_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/launch.h"
#include "process/tree.h"
#include "worker/notify.h"

/* Beside the SPAWN_ bits: its connection to the control socket has not been accepted yet. */
#define WORKER_CONNECTS 0x80000000U
/* Another keeper started it: what loses its parent does not become our child. */
#define WORKER_ADOPTED 0x40000000U

/* Lingering: its main process has ended, and others of its tree have not. */
enum worker_state { WORKER_STARTING, WORKER_RUNNING, WORKER_ENDING, WORKER_TOLD, WORKER_LINGERING };

/* By what its processes are known (kin.c). */
enum { KIN_SESSIONS = 8 };
struct kin {
  uint32_t session;    /* its own; 0: none */
  uint32_t others[KIN_SESSIONS]; /* sessions that processes of it have begun, as far as they were met; the oldest gives way */
  uint32_t other_count;
  uint32_t keeper;     /* EINHORN_MASTER_PID of its environment */
  uint64_t generation; /* CRANK_GENERATION, where it is known */
  uint32_t user;       /* of one that was adopted */
  uint64_t began;      /* when its first process did */
  uint64_t pipe;       /* inodes that nothing else was given: its output's, and that of its end of the notify pair; 0: none */
  uint64_t pair;
};

/* How a main process has ended, as `exited` says it. */
enum { ENDING_EXIT = 0, ENDING_SIGNAL = 1, ENDING_CORE = 2, ENDING_UNKNOWN = 3 };

struct worker {
  uint64_t id;
  uint32_t pid;
  uint32_t flags;
  uint64_t start_time;
  enum worker_state state;
  uint64_t start; /* ordinal of this start */
  struct report report;
  struct notify notify;
  int process; /* pidfd of one that is not our child; -1 */
  bool routed;
  bool drained; /* its output, after its end */
  uint8_t ending;
  uint32_t status;
  uint64_t ended_at;
  struct kin kin;
  bool is_undecided; /* lingering, and what it said about its main process is not consumed yet */
  bool is_killed;    /* SIGKILL was sent to all of it */
  struct tree spared; /* lingering: those that have not got `signal` yet, for they read what others write */
  uint32_t signal;
  uint64_t spared_until; /* 0: what they read from is there */
};

struct worker *worker_find(uint64_t id);
uint32_t worker_count(void);
struct worker *worker_at(uint32_t index);
struct worker *worker_add(uint64_t id);
/* Lets go of all that it holds. */
void worker_release(struct worker *worker);
/* The same, and it is no more. */
void worker_discard(struct worker *worker);
/* Whether something that it has said waits for the descriptors that it brings. */
bool worker_is_receiving(const struct worker *worker);
/* All of it is gone: tells that, behind all that it said. */
void worker_begin_end(struct worker *worker);
void worker_close_report(struct worker *worker);
/* Hands its pipe to the output thread. -1 with errno: the pipe is still the caller's. */
int worker_route_output(struct worker *worker, int pipe_fd, struct span prefix, struct span json);
void worker_tell_spawned(const struct worker *worker);
/* Counts a start; its number. */
uint64_t worker_count_start(void);
/* True when its start is decided, and told. One that failed stays known, as told, until its spawnFailed is consumed. */
bool worker_settle_start(struct worker *worker);

#endif
