/* The lifecycle of the supervisor: the keeper starts it when there is an event, greets it, delivers events, lets it exit when
 * it has nothing to do, kills it when it does not answer, and restarts it when it dies. */
#pragma once

#include <signal.h>

#include "protocol/wire.h"

/* Callbacks of the supervisor's owner. */
struct supervisor_owner {
  void (*committed)(void); /* a batch was applied */
  void (*hopeless)(void);  /* it cannot be started, and no workers run; does not return */
};
void supervisor_is_for(const struct supervisor_owner *owner);

/* The command replaceSupervisor. */
void supervisor_start_candidate(struct reader *command);
/* Whether batches may wait in memory, where no descriptor reports them: then the next round must not wait, and continues with
 * them. */
bool supervisor_is_behind(void);
void supervisor_go_on(void);
/* Whether the pid is the supervisor's. */
bool supervisor_is(pid_t child);
/* A child has ended. False if it is not the supervisor; then it is not reaped. */
bool supervisor_child_gone(const siginfo_t *info);

/* At the end of each round: starts a supervisor if one is needed, and delivers events. */
void supervisor_attend(void);
/* Requests the first start, which needs no event. */
void supervisor_wake(void);
/* Kills it and waits for its end. */
void supervisor_end(void);

void supervisor_save(struct buffer *out);
bool supervisor_load(struct reader *in);
