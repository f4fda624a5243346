/* The keeper executes its own program anew in place: same pid, every descriptor kept, everything it knows in a memory file. */
#ifndef KEEPER_EXECUTE_H
#define KEEPER_EXECUTE_H

#include <stdbool.h>

/* Executes `path`. Returns only if that failed, which is told as an event; everything goes on then. */
void execute_run(const char *path, char *argv0);

/* The memory file that the image before this one left, or -1; takes it out of the environment. */
int execute_left_state(void);
/* Takes the state over. False: it cannot be understood. */
bool execute_resume(int state);

#endif
