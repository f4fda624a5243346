/* Dry run of a re-exec: the new program shows in a child, which has a copy of the whole state, that it can take over, and
 * exits. A failure has no effect on the keeper. */
#pragma once

#include <signal.h>

#include "protocol/wire.h"

/* Carries out the command `rehearse`. */
void dry_run_start(struct reader *command);
/* Whether the pid is the dry run's. */
bool dry_run_is(pid_t child);
/* A child has ended. False if it is not the dry run; then it is not reaped. */
bool dry_run_child_gone(const siginfo_t *info);
/* Ends a running dry run, without an event. */
void dry_run_end(void);
