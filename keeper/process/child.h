/* Ends of children. */
#pragma once

#include <signal.h>

#include "app/basics.h"

/* How a process ended, as in the event `exited`. */
enum { ENDING_EXIT = 0, ENDING_SIGNAL = 1, ENDING_CORE = 2, ENDING_UNKNOWN = 3 };

uint8_t child_ending(const siginfo_t *info);
/* Waits until the child has ended, and reaps it. */
void child_reap(pid_t child);
