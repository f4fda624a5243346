/* The supervisor that is to take the other's place: started beside it, directly or through a wrapper, and the other's
 * successor when it says that it is there. Until it has sent its first batch, the one before can be had back. */
#ifndef KEEPER_SUPERVISOR_CANDIDATE_H
#define KEEPER_SUPERVISOR_CANDIDATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"

/* The variable that tells a supervisor to say that it is there. */
#define CANDIDATE_VARIABLE "CRANK_CANDIDATE"

/* What a replaceSupervisor says. */
void candidate_start(struct reader *command);
/* What the loop saw: its channel, the report of its start, its time limit. */
void candidate_ready(void);
void candidate_report_ready(void);
void candidate_too_late(void);
/* Whether it is this child. */
bool candidate_is(pid_t child);
/* A child has ended. False: it is not the candidate, and not reaped. */
bool candidate_child_gone(const siginfo_t *info);

/* Whether it is there, and waits for its hello. */
bool candidate_is_present(void);
/* It becomes the supervisor: its process, and the keeper's end of its channel. */
pid_t candidate_take(int *channel);
/* It has shown that it can go on: its program and its base are the keeper's from here on. */
void candidate_settle(void);
/* It has ended before that. */
void candidate_fail(uint8_t ending, uint32_t status);
/* Ends it, if there is one, without a word. */
void candidate_end(void);

#endif
