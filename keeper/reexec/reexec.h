/* The keeper executes its program again in place: same pid, every descriptor kept, everything it knows in a memory file. */
#ifndef KEEPER_REEXEC_H
#define KEEPER_REEXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* What is handed on to the next image: in this order, which the version stands for. */
struct part {
  void (*save)(struct buffer *out); /* NULL: the end of the list */
  bool (*load)(struct reader *in);
  uint32_t since; /* the version that brought it */
};
void reexec_keeps(const struct part *parts);

/* Looks for what it takes, before the supervisor is ended for it. NULL, or the step that would fail, with errno. */
const char *reexec_look_ahead(const char *path);
/* Executes `path`. Returns only if that failed: the step, with errno. Everything can go on then. */
const char *reexec_run(const char *path);
/* In a child, whose output thread was stopped when it was forked: executes `path` there, which is to show that it could take
 * over. Returns only if that failed: the step, with errno. */
const char *reexec_dry_run(const char *path);

/* The memory file that the image before this one left, or -1; takes it out of the environment. */
int reexec_left_state(void);
/* Whether that was left to a dry run. */
bool reexec_is_dry_run(void);

/* Ends this process if it takes longer than so many seconds; 0: no more. */
void reexec_dead_mans_alarm(unsigned int seconds);

/* Also what a dry run ends with. */
enum resumed { RESUME_DONE = 0, RESUME_DAMAGED = 1, RESUME_LATER_VERSION = 2 };
/* Takes the state over. */
enum resumed reexec_resume(int state);

#endif
