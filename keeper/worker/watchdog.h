/* Workers that have to say WATCHDOG=1 at least once in a period: the keeper hears it for them, and tells of who did not. */
#ifndef KEEPER_WORKER_WATCHDOG_H
#define KEEPER_WORKER_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"
#include "worker/worker.h"

/* The command: begins a period, or ends the watching. */
void watchdog_set(struct reader *command);
/* Looks for WATCHDOG=1 in what `sender` said on the worker's notify socket. True if there was nothing else in it: then
 * no event is made of it. */
bool watchdog_hears(struct worker *worker, pid_t sender, struct span said);
/* A worker is gone, or its main process is. */
void watchdog_end(struct worker *worker);

void watchdog_save(struct buffer *out);
bool watchdog_load(struct reader *in);

#endif
