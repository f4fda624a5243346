/* Workers that must send WATCHDOG=1 at least once per period: the keeper receives it and reports workers that did not. */
#pragma once

#include "protocol/wire.h"
#include "worker/worker.h"

/* The watchdog command: starts a period, or ends the watchdog. */
void watchdog_set(struct reader *command);
/* Looks for WATCHDOG=1 in a datagram of `sender` on the worker's notify socket. True if the datagram contains nothing else;
 * then it becomes no event. */
bool watchdog_hears(struct worker *worker, pid_t sender, struct span said);
/* A worker, or its main process, is gone. */
void watchdog_end(struct worker *worker);

void watchdog_save(struct buffer *out);
bool watchdog_load(struct reader *in);
