/* The supervisor's life as the keeper sees it: started when there is something to tell, greeted, given events, let go
 * when it has nothing to do, killed when it says nothing, started again when it dies. */
#ifndef KEEPER_SUPERVISOR_H
#define KEEPER_SUPERVISOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"

/* Whose supervisor it is. */
struct supervisor_owner {
  void (*committed)(void); /* a batch was applied */
  void (*hopeless)(void);  /* it cannot be started, and nothing runs: does not return */
};
void supervisor_is_for(const struct supervisor_owner *owner);

/* The command replaceSupervisor. */
void supervisor_start_candidate(struct reader *command);
/* Whether batches may wait that are in no descriptor any more: the next round must not wait for one, and goes on with them. */
bool supervisor_is_behind(void);
void supervisor_go_on(void);
/* Whether it is this child. */
bool supervisor_is(pid_t child);
/* A child has ended. False: it is not the supervisor, and not reaped. */
bool supervisor_child_gone(const siginfo_t *info);

/* At the end of each round: starts one if it is needed, delivers what there is. */
void supervisor_attend(void);
/* The first one has to be started although nothing has happened. */
void supervisor_wake(void);
/* Ends it and waits for it. */
void supervisor_end(void);

void supervisor_save(struct buffer *out);
bool supervisor_load(struct reader *in);

#endif
