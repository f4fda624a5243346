/* Re-exec: the keeper executes its program again in place. The pid and all descriptors stay; a memory file holds the state. */
#pragma once

#include "protocol/wire.h"

/* A part of the state. The version stands for the order of the parts. */
struct part {
  void (*save)(struct buffer *out); /* NULL: the end of the list */
  bool (*load)(struct reader *in);
  uint32_t since; /* the version that added the part */
};
void reexec_keeps(const struct part *parts);

/* Checks what a re-exec needs, before the supervisor is ended for it. NULL, or the step that would fail, with errno. */
const char *reexec_look_ahead(const char *path);
/* Executes `path`. Returns only on failure: the step, with errno. Then the keeper can continue. */
const char *reexec_run(const char *path);
/* Executes `path` as a dry run. Call it in a child that was forked while the output thread was stopped. Returns only on
 * failure: the step, with errno. */
const char *reexec_dry_run(const char *path);

/* The memory file that the previous image left, or -1. Removes it from the environment. */
int reexec_left_state(void);
/* Whether the state was left for a dry run. */
bool reexec_is_dry_run(void);

/* Kills this process if it is still busy after this many seconds; 0 cancels that. */
void reexec_dead_mans_alarm(unsigned int seconds);

/* Also the exit status of a dry run. */
enum resumed { RESUME_DONE = 0, RESUME_DAMAGED = 1, RESUME_LATER_VERSION = 2 };
/* Restores the state. */
enum resumed reexec_resume(int state);
