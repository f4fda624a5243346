/* Kills the trees of workers. */
#pragma once

#include "worker/worker.h"

bool kill_is_main(const struct worker *worker, const struct process *process);
/* Sends a signal to one process of a worker (NULL: of none). -1 with errno. */
int kill_send(const struct worker *worker, const struct process *process, int signal_number);
/* Returns how many still have to end. Only the first kill is reported, because a fork bomb never runs out of processes. */
uint32_t kill_worker(struct worker *worker, int *error);
/* Kills the orphans of workers that are gone, and reports that. */
void kill_left(void);
/* Before the keeper exits: kills all orphans of workers, but not workers that still run. */
void kill_left_at_end(void);
