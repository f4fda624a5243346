/* Starts a supervisor behind a program of the operator's (einhorn's --reexec-as): that program may change what everything
 * later starts from (base.h). */
#ifndef KEEPER_EINHORN_WRAPPER_H
#define KEEPER_EINHORN_WRAPPER_H

#include <sys/types.h>

#include "process/launch.h"
#include "supervisor/candidate.h"

/* The pid, and the report of its start; -1 with errno and the step. `end`: the supervisor's end of the channel. */
pid_t wrapper_start(const struct wrapper *wrapper, int end, struct report *report, const char **step);

#endif
