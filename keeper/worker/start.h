/* Starts one worker: its pipes and sockets, and its launch. */
#pragma once

#include "protocol/frames.h"
#include "worker/worker.h"

/* Starts the worker. Returns the pid; the worker gets its notify sockets and the report of its start, `output` the reading end
 * of its output (-1: none). Or returns -1 with errno and the step. */
pid_t worker_start(const struct command_spawn *spawn, struct worker *worker, int *output, const char **step);
