/* Starts one worker: its pipes and sockets, and its launch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"
#include "worker/worker.h"

/* The fields of the spawn command. */
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
/* Starts the worker. Returns the pid; the worker gets its notify sockets and the report of its start, `output` the reading end
 * of its output (-1: none). Or returns -1 with errno and the step. */
pid_t worker_start(const struct spawn *spawn, struct worker *worker, int *output, const char **step);
