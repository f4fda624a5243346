/* Signals, all blocked and read from a descriptor: ends of children, and what is the supervisor's to know. */
#ifndef KEEPER_MAIN_SIGNALS_H
#define KEEPER_MAIN_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* Blocks them, with default dispositions. */
void signals_block(void);
/* Opens the descriptor and watches it; -1 with errno. */
int signals_open(void);
/* Collects the children that have ended. */
void signals_collect_children(void);
/* Whether a child is the keeper's own and no worker's: the supervisor and its like. */
bool signals_is_own_child(uint32_t pid);

#endif
