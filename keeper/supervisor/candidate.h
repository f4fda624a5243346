/* The supervisor that is to take the other's place: started beside it, directly or through a wrapper, and the other's
 * successor when it says that it is there. Until it has sent its first batch, the one before can be had back. */
#ifndef KEEPER_SUPERVISOR_CANDIDATE_H
#define KEEPER_SUPERVISOR_CANDIDATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/launch.h"
#include "protocol/wire.h"

/* The variable that tells a supervisor to say that it is there. */
#define CANDIDATE_VARIABLE "CRANK_CANDIDATE"

/* The program that a front end puts between the keeper and the supervisor, as the command says it. */
struct wrapper {
  struct span file;
  struct list args;
  struct list unset;
  uint32_t fd; /* of the channel's end */
};

struct wrapping {
  pid_t (*start)(const struct wrapper *wrapper, int end, struct report *report, const char **step);
  /* Whether these are the fields of a `base` frame: what the supervisor was left with behind the wrapper. */
  bool (*is_base)(const void *fields, size_t length);
  /* The supervisor can go on: the frame counts from here on. */
  void (*settled)(struct reader fields);
};
void candidate_is_wrapped_by(const struct wrapping *wrapping);

/* What a replaceSupervisor says. `present` is called when it is there, and waits for its hello. */
void candidate_start(struct reader *command, void (*present)(void));
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
