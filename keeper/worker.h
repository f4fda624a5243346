/* What one worker is, and the table of them all: for the files that workers.h speaks for. */
#ifndef KEEPER_WORKER_H
#define KEEPER_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "launch.h"
#include "notify.h"

/* Beside the SPAWN_ bits: its connection to the control socket has not been accepted yet. */
#define WORKER_CONNECTS 0x80000000U

enum worker_state { WORKER_STARTING, WORKER_RUNNING, WORKER_ENDING, WORKER_TOLD };

struct worker {
  uint64_t id;
  uint32_t pid;
  uint32_t flags;
  uint64_t start_time;
  enum worker_state state;
  uint64_t start; /* the how manieth start it is */
  struct report report;
  struct notify notify;
  int process; /* pidfd of one that is not our child; -1 */
  bool routed;
  bool drained; /* its output, after its end */
  uint8_t ending;
  uint32_t status;
  uint64_t ended_at;
};

struct worker *worker_find(uint64_t id);
uint32_t worker_count(void);
struct worker *worker_at(uint32_t index);
struct worker *worker_add(uint64_t id);
/* Lets go of all that it holds. */
void worker_release(struct worker *worker);
/* The same, and it is no more. */
void worker_discard(struct worker *worker);
/* The process group of one whose main process moved, 0 if it did not or has none that may be signalled. */
pid_t worker_moved_group(const struct worker *worker);
void worker_forget_main(uint64_t worker);
void worker_close_report(struct worker *worker);
/* Hands its pipe to the output thread. -1 with errno: the pipe is still the caller's. */
int worker_route_output(struct worker *worker, int pipe_fd, struct span prefix, struct span json);
void worker_tell_spawned(const struct worker *worker);
/* Counts a start; its number. */
uint64_t worker_count_start(void);
/* True when its start is decided, and told. One that failed stays known, as told, until its spawnFailed is consumed. */
bool worker_settle_start(struct worker *worker);

#endif
