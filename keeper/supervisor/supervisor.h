/* The supervisor's life as the keeper sees it: started when there is something to tell, greeted, given events, let go
 * when it has nothing to do, killed when it says nothing, started again when it dies. */
#ifndef KEEPER_SUPERVISOR_H
#define KEEPER_SUPERVISOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"

/* What the loop saw. */
void supervisor_channel_ready(void);
/* Whether batches may wait that are in no descriptor any more: the next round must not wait, and takes them. */
bool supervisor_is_behind(void);
void supervisor_report_ready(void);
void supervisor_too_slow(void);
/* Whether it is this child. */
bool supervisor_is(pid_t child);
/* A child has ended. False: it is not the supervisor, and not reaped. */
bool supervisor_child_gone(const siginfo_t *info);

/* At the end of each round: starts one if it is needed, delivers what there is. */
void supervisor_attend(void);
/* The first one has to be started although nothing has happened. */
void supervisor_wake(void);
/* The candidate is there: takes the place of this one, which is ended first. */
void supervisor_replace(void);
/* Ends it and waits for it. */
void supervisor_end(void);

void supervisor_save(struct buffer *out);
bool supervisor_load(struct reader *in);

#endif
