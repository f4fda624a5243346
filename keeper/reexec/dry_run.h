/* A new keeper's program shows, in a child that has a copy of everything, that it can take over; then it ends. What it
 * cannot do costs nothing that way. */
#ifndef KEEPER_REEXEC_DRY_RUN_H
#define KEEPER_REEXEC_DRY_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "protocol/wire.h"

/* What a `rehearse` says. */
void dry_run_start(struct reader *command);
/* Whether it is this child. */
bool dry_run_is(pid_t child);
/* A child has ended. False: it is not that one, and not reaped. */
bool dry_run_child_gone(const siginfo_t *info);
/* Ends it, if there is one, without a word. */
void dry_run_end(void);

#endif
