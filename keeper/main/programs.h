/* The other names of this program: each is a command that runs on the engine in this process. */
#pragma once

#include "app/basics.h"

/* The name by which the keeper of an earlier version calls its supervisor: bin/runtime, a link like the others. */
#define FORMER_SUPERVISOR_NAME "runtime"

/* Whether this is the name of a supervisor program, for which the keeper runs. */
bool programs_is_keeper(const char *name);
_Noreturn void programs_command(const char *name, int argc, char **argv);

/* Called the way the keeper calls its supervisor: `argv[1]` is the command's name. */
_Noreturn void programs_supervisor(int argc, char **argv);

/* Runs the command of a new program that must report whether it could take over, and where it is installed. */
_Noreturn void programs_check(const char *name, int argc, char **argv);

/* This process was executed by the wrapper of a new supervisor. Sends the base that the wrapper left (base.h) through
 * descriptor `number` and makes it the supervisor's channel. False if the other end is closed or the channel cannot be set
 * up. */
bool programs_join(const char *number);
/* Continues as that supervisor. */
_Noreturn void programs_joined_supervisor(const char *name, int argc, char **argv);
