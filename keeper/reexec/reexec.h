/* The keeper executes its own program anew in place: same pid, every descriptor kept, everything it knows in a memory file. */
#ifndef KEEPER_REEXEC_H
#define KEEPER_REEXEC_H

#include <stdbool.h>

/* Executes `path`. Returns only if that failed, which is told as an event; everything goes on then. */
void reexec_run(const char *path);
/* In a child, whose output thread was stopped when it was forked: executes `path` there, which is to show that it could take
 * over. Returns only if that failed: the step, with errno. */
const char *reexec_dry_run(const char *path);

/* The memory file that the image before this one left, or -1; takes it out of the environment. */
int reexec_left_state(void);
/* Whether that was left to a dry run. */
bool reexec_is_dry_run(void);

/* Also what a dry run ends with. */
enum resumed { RESUME_DONE = 0, RESUME_DAMAGED = 1, RESUME_LATER_VERSION = 2 };
/* Takes the state over. */
enum resumed reexec_resume(int state);

#endif
