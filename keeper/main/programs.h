/* The other names of this program: each is a command, which runs on the engine in this process. */
#ifndef KEEPER_MAIN_PROGRAMS_H
#define KEEPER_MAIN_PROGRAMS_H

#include <stdbool.h>

/* What the keeper of an earlier version calls its supervisor by: bin/runtime, which is a link like the others. */
#define FORMER_SUPERVISOR_NAME "runtime"

/* Whether this is the name of a supervisor, for which the keeper runs. */
bool programs_is_keeper(const char *name);
_Noreturn void programs_command(const char *name, int argc, char **argv);

/* Called as the keeper calls its supervisor: `argv[1]` is the command's name. */
_Noreturn void programs_supervisor(int argc, char **argv);

/* The command of a program that is asked whether it could take over, which is to say where it is, too. */
_Noreturn void programs_check(const char *name, int argc, char **argv);

/* This process is what comes out of the wrapper of a new supervisor: says on its descriptor `number` what the wrapper left
 * it, and makes that descriptor the supervisor's channel. False: the other end is closed. */
bool programs_join(const char *number);
/* Goes on as that supervisor. */
_Noreturn void programs_joined_supervisor(const char *name, int argc, char **argv);

#endif
