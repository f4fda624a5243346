/* The other names of this program: each only executes the runtime with its bundle. */
#ifndef KEEPER_PROGRAMS_H
#define KEEPER_PROGRAMS_H

#include <stdbool.h>

/* Whether this is the name of a supervisor, for which the keeper runs. */
bool programs_is_keeper(const char *name);
/* Executes dist/NAME.mjs; returns 1 after a sentence on stderr if that cannot be done. */
int programs_execute(const char *name, char **argv);

/* The same for a program that is asked whether it could take over, which is to say where it is, too. */
int programs_check(const char *name, char **argv);

/* This process is what comes out of the wrapper of a new supervisor: says on its descriptor `number` what the wrapper left
 * it, and makes that descriptor the supervisor's channel. False: nobody is at the other end. */
bool programs_join(const char *number);

#endif
