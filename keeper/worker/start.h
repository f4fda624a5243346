/* The start of one worker: its pipes and sockets, its place in the launch. */
#ifndef KEEPER_WORKER_START_H
#define KEEPER_WORKER_START_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"
#include "worker/worker.h"

/* The spawn command as it came. */
struct spawn {
  uint64_t worker;
  struct span file;
  struct list args;
  struct span cwd;
  struct list env, unset, own_pid, descriptors;
  uint8_t stdin_kind, output_kind;
  uint32_t notify_fd;
  struct span notify_path;
  struct list identity;
  uint32_t umask;
  struct list limits;
  int32_t nice, oom_score;
  uint32_t death_signal, flags;
  struct span prefix, json;
  uint32_t connect_fd;
  struct span connect_path;
};

struct spawn worker_start_read(struct reader *command);
/* Starts it. The pid, with its notify sockets and the report of its start in the worker, and the reading end of its output (-1
 * for none); or -1 with errno and the step. */
pid_t worker_start(const struct spawn *spawn, struct worker *worker, int *output, const char **step);

#endif
