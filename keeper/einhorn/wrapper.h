/* Starts a supervisor through a program of the operator (einhorn's --reexec-as). That program may change the base of all later
 * processes (base.h). */
#pragma once

#include "app/basics.h"
#include "process/launch.h"
#include "supervisor/candidate.h"

/* Returns the pid and fills the report of the start; -1 with errno and the step. `end`: the supervisor's end of the channel. */
pid_t wrapper_start(const struct command_replaceSupervisor *wrapper, int end, struct report *report, const char **step);
