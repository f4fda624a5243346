/* Signals, all blocked and read from a descriptor: ends of children, and the signals that the supervisor handles. */
#pragma once

#include "app/basics.h"

/* Blocks them and resets their dispositions to the default. */
void signals_block(void);
/* Opens the descriptor and watches it; -1 with errno. */
int signals_open(void);
/* Collects the children that have ended. */
void signals_collect_children(void);
/* Whether a child belongs to the keeper itself, such as the supervisor, and not to a worker. */
bool signals_is_own_child(uint32_t pid);
