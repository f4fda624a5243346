/* The other names of this program: each only executes the runtime with its bundle. */
#ifndef KEEPER_PROGRAMS_H
#define KEEPER_PROGRAMS_H

#include <stdbool.h>

/* Whether this is the name of a supervisor, for which the keeper runs. */
bool programs_is_keeper(const char *name);
/* Executes dist/NAME.mjs; returns 1 after a sentence on stderr if that cannot be done. */
int programs_execute(const char *name, char **argv);

#endif
