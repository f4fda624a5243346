/* A candidate to replace the supervisor: started next to the current one, directly or through a wrapper. It takes over when it
 * presents itself. Until it has sent its first batch, the keeper can go back to the previous supervisor. */
#pragma once

#include <signal.h>

#include "process/launch.h"
#include "protocol/frames.h"

/* The variable that tells a supervisor to present itself. */
#define CANDIDATE_VARIABLE "CRANK_CANDIDATE"

struct wrapping {
  /* Starts the program that a front end puts between the keeper and the supervisor. */
  pid_t (*start)(const struct command_replaceSupervisor *wrapper, int end, struct report *report, const char **step);
  /* Whether these are the fields of a `base` frame: what the wrapper left to the supervisor. */
  bool (*is_base)(const void *fields, size_t length);
  /* The candidate has taken over: applies the fields of its `base` frame. */
  void (*settled)(struct reader fields);
};
void candidate_is_wrapped_by(const struct wrapping *wrapping);

/* The command replaceSupervisor. `present` is called when the candidate has presented itself and waits for its hello. */
void candidate_start(struct reader *command, void (*present)(void));
/* Whether the pid is the candidate's. */
bool candidate_is(pid_t child);
/* A child has ended. False if it is not the candidate; then it is not reaped. */
bool candidate_child_gone(const siginfo_t *info);

/* Whether it has presented itself and waits for its hello. */
bool candidate_is_present(void);
/* Makes it the supervisor: returns its pid and the keeper's end of its channel. */
pid_t candidate_take(int *channel);
/* It has sent its first batch: its program and its base become the keeper's. */
void candidate_settle(void);
/* It has ended before its first batch. */
void candidate_fail(uint8_t ending, uint32_t status);
/* Ends a candidate, without an event. */
void candidate_end(void);
